"""Map tiles of an acquisition, cut from its cloud-optimized GeoTIFFs over HTTP."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from shipdet.errors import (
    BadOption,
    NoImagery,
    ProviderRefused,
    ProviderUnreachable,
    StorageFull,
)
from shipdet.gdal import gdal_env, gdal_errors
from shipdet.geometry import MERCATOR_HALF_M, TILE_PX
from shipdet.imagery.cache import Missing, TileCache
from shipdet.imagery.checks import BadTile, BlankTile, decode_tile, looks_like_html
from shipdet.imagery.providers import BlankRule
from shipdet.imagery.retry import RetryPolicy
from shipdet.imagery.sources import NO_PICTURE, Gap, Tile
from shipdet.imagery.stac.acquisition import Acquisition, Scene
from shipdet.imagery.tiff_pages import TIFF_MAGIC
from shipdet.mosaic import Mask, Pixels
from shipdet.settings import Settings

#: Lowest alpha of a resampled pixel with data.
_COVERED = 128

log = logging.getLogger(__name__)


def acquisition_digest(acquisition: Acquisition) -> str:
    """Return the name of the cache folder for an acquisition."""
    names = "\n".join(f"{scene.id} {urlsplit(scene.href).path}" for scene in acquisition.scenes)
    return hashlib.sha256(names.encode()).hexdigest()[:16]


class StacSource:
    """The tiles of one acquisition and zoom.

    Overlapping scenes of a pass show the same, so the first with data is used, without seams.
    Each image is opened once per concurrently read tile.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        zoom: int,
        settings: Settings,
        cache: TileCache,
        policy: RetryPolicy,
    ) -> None:
        self.acquisition, self.zoom = acquisition, zoom
        self.settings, self.cache, self.policy = settings, cache, policy
        self._slots = asyncio.Semaphore(settings.connections_per_host)
        self._free: list[list[Any]] = []
        self._open = ExitStack()
        self._checked = asyncio.Lock()
        self._is_checked = False
        self._cache_trouble = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await asyncio.to_thread(self._open.close)

    def notes(self) -> tuple[str, ...]:
        """Return notes for the run record."""
        return (self._cache_trouble,) if self._cache_trouble else ()

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """Return a tile; a gap if the acquisition has no data there, or its server fails.

        Raises:
            ProviderRefused: The server responds 401 or 403.
            ProviderUnreachable: The server does not answer, does not serve parts of files, or
                sends something other than a GeoTIFF.
            NoImagery: The image no longer exists.
            BadOption: The image has values of more than 8 bits.
        """
        known = await asyncio.to_thread(self.cache.get, self.zoom, x, y)
        if isinstance(known, Missing):
            return Gap(known.reason)
        if known is not None:
            try:
                decoded = await asyncio.to_thread(decode_tile, known, BlankRule())
                return Tile(decoded.pixels, decoded.covered, cached=True)
            except (BadTile, BlankTile):
                await asyncio.to_thread(self.cache.forget, self.zoom, x, y)
        async with self._slots:
            await self._check()
            for repetition in range(self.policy.retries + 1):
                try:
                    pixels, covered = await asyncio.to_thread(self._read, x, y)
                    break
                except gdal_errors() as error:
                    log.info("tile %d/%d/%d: %s", self.zoom, x, y, error)
                    if repetition == self.policy.retries:
                        return Gap(_reason(error), failed=True)
                await self.policy.sleep(self.policy.delay_s(repetition))
        await asyncio.to_thread(self._store, x, y, pixels, covered)
        return Tile(pixels, covered) if covered.any() else Gap(NO_PICTURE)

    async def _check(self) -> None:
        """Request the first bytes of each image once, so that errors are specific."""
        async with self._checked:
            if not self._is_checked:
                for scene in self.acquisition.scenes:
                    await self._check_scene(scene)
                self._is_checked = True

    async def _check_scene(self, scene: Scene) -> None:
        import httpx

        from shipdet.imagery.network import proxy_for, tls  # imports httpx, which takes a while

        host = urlsplit(scene.href).netloc
        headers = {"Range": "bytes=0-15", "User-Agent": self.settings.user_agent}
        certificates, _ = await asyncio.to_thread(tls)
        proxy = proxy_for(scene.href)
        what = "no connection"
        for repetition in range(self.policy.retries + 1):
            if repetition:
                await self.policy.sleep(self.policy.delay_s(repetition - 1))
            try:
                async with (
                    asyncio.timeout(2 * self.settings.timeout_s),
                    httpx.AsyncClient(
                        timeout=self.settings.timeout_s,
                        follow_redirects=True,
                        trust_env=False,
                        verify=certificates,
                        proxy=proxy,
                    ) as client,
                    client.stream("GET", scene.href, headers=headers) as response,
                ):
                    start = await _first_bytes(response)
            except (TimeoutError, httpx.TimeoutException):
                what = "no answer in time"
                continue
            except (httpx.RequestError, httpx.InvalidURL, UnicodeError):
                what = "no connection"
                continue
            if response.status_code == 429 or response.status_code >= 500:
                what = f"HTTP {response.status_code}"
                continue
            _check_answer(response.status_code, start, scene, host)
            return
        raise ProviderUnreachable(
            f"The image of scene {scene.id} cannot be downloaded from {host} ({what}): try again "
            "later, or choose another acquisition or provider."
        )

    def _read(self, x: int, y: int) -> tuple[Pixels, Mask]:
        """Cut a tile from the scenes, (256, 256, 3), with its coverage (256, 256)."""
        with gdal_env(**self._options()), self._datasets() as datasets:
            pixels = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
            covered = np.zeros((TILE_PX, TILE_PX), np.bool_)
            for dataset in datasets:
                part, has_data = _warped(dataset, self.zoom, x, y)
                new = has_data & ~covered
                pixels[new] = part[new]
                covered |= new
                if covered.all():
                    break
        return pixels, covered

    @contextmanager
    def _datasets(self) -> Iterator[list[Any]]:
        """Provide the open images of the scenes, each set to one thread at a time."""
        import rasterio

        try:
            datasets = self._free.pop()
        except IndexError:
            datasets = [
                # Only TIFF: other formats can refer to other URLs.
                self._open.enter_context(rasterio.open(f"/vsicurl/{scene.href}", driver="GTiff"))
                for scene in self.acquisition.scenes
            ]
            for dataset in datasets:
                _check_type(dataset)
        try:
            yield datasets
        finally:
            self._free.append(datasets)

    def _options(self) -> dict[str, Any]:
        """Return GDAL's options for files over HTTP."""
        return {
            "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no requests for sidecar files
            "GDAL_HTTP_TIMEOUT": str(max(1, round(self.settings.timeout_s))),
            "GDAL_HTTP_CONNECTTIMEOUT": str(max(1, round(self.settings.timeout_s))),
            "GDAL_HTTP_MAX_RETRY": "0",  # tile() repeats, and can be cancelled
            "GDAL_HTTP_USERAGENT": self.settings.user_agent,
            "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
            "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",  # failures must not be cached
        }

    def _store(self, x: int, y: int, pixels: Pixels, covered: Mask) -> None:
        if self._cache_trouble:
            return
        try:
            if not covered.any():
                self.cache.put_missing(self.zoom, x, y, NO_PICTURE)
                return
            import cv2

            rgba = np.dstack([pixels[..., ::-1], covered.astype(np.uint8) * 255])
            ok, png = cv2.imencode(".png", rgba, [cv2.IMWRITE_PNG_COMPRESSION, 3])
            if ok:
                self.cache.put(self.zoom, x, y, png.tobytes())
        except StorageFull as error:
            self._cache_trouble = f"Tiles are not cached. {error}"


async def _first_bytes(response: Any) -> bytes:
    """Read the first bytes of a response; a server without ranges would send the whole file."""
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= 16:
            break
    return body[:512]


def _check_answer(status: int, start: bytes, scene: Scene, host: str) -> None:
    if status in (401, 403):
        raise ProviderRefused(
            f"{host} refused the image of scene {scene.id} (HTTP {status}): choose another "
            "acquisition, or set SHIPDET_STAC_URL to an open API."
        )
    if status in (404, 410):
        raise NoImagery(
            f"The image of scene {scene.id} is no longer at {host} (HTTP {status}): choose "
            "another acquisition."
        )
    if looks_like_html(start):
        raise ProviderUnreachable(
            f"{host} answers with a web page instead of the image of scene {scene.id}: check "
            "whether a proxy or login page intercepts connections to the internet."
        )
    if status >= 400 or not start.startswith(TIFF_MAGIC):
        raise ProviderUnreachable(
            f"{host} answers with something that is not a GeoTIFF for scene {scene.id} (HTTP "
            f"{status}): correct SHIPDET_STAC_ASSET, or choose another acquisition."
        )
    if status != 206:
        raise ProviderUnreachable(
            f"{host} does not serve parts of files, so scene {scene.id} cannot be read: set "
            "SHIPDET_STAC_URL to an API with cloud-optimized GeoTIFFs."
        )


def _check_type(dataset: Any) -> None:
    kind = next((kind for kind in dataset.dtypes if kind != "uint8"), None)
    if kind is not None:
        raise BadOption(
            f"The images of this acquisition have values of type {kind}: set SHIPDET_STAC_ASSET to "
            "an 8-bit RGB image, such as visual."
        )


def _warped(dataset: Any, zoom: int, x: int, y: int) -> tuple[Pixels, Mask]:
    """Read a tile of an image on the Web Mercator grid, from a sufficient overview."""
    from rasterio.enums import Resampling
    from rasterio.transform import Affine
    from rasterio.vrt import WarpedVRT

    pixel_m = 2 * MERCATOR_HALF_M / (TILE_PX * 2**zoom)
    left = x * TILE_PX * pixel_m - MERCATOR_HALF_M
    top = MERCATOR_HALF_M - y * TILE_PX * pixel_m
    # True-color images of Sentinel-2 have 0 for no data in all bands, whether declared or not.
    with WarpedVRT(
        dataset,
        crs="EPSG:3857",
        transform=Affine(pixel_m, 0.0, left, 0.0, -pixel_m, top),
        width=TILE_PX,
        height=TILE_PX,
        resampling=Resampling.bilinear,
        src_nodata=0 if dataset.nodata is None else dataset.nodata,
        add_alpha=True,
        UNIFIED_SRC_NODATA="YES",
    ) as warped:
        bands = warped.read(indexes=[*range(1, min(dataset.count, 3) + 1), warped.count])
    pixels = np.moveaxis(bands[:-1], 0, -1)
    if pixels.shape[-1] != 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=-1)
    return pixels.astype(np.uint8), bands[-1] >= _COVERED


def _reason(error: Exception) -> str:
    found = re.search(r"HTTP response code[: ]+(\d+)", str(error))
    if found and found[1] != "0":
        return f"HTTP {found[1]}"
    if re.search(r"time-?d? ?out", str(error), re.IGNORECASE):
        return "no answer in time"
    log.debug("GDAL: %s", error)
    return "a failed read"
