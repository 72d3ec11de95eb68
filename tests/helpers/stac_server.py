"""A local STAC API with real cloud-optimized GeoTIFFs, served with range requests.

    with StacServer(tmp_path) as server:               # two tiles side by side, three passes
        settings = Settings(stac_url=server.url, ...)
        ... search server.bbox ...

The picture is that of :func:`~tests.helpers.tile_server.generated_picture` laid out on the ground
at 10 m; each scene is a part of it in UTM. ``faults`` gives an answer for a path instead of the
proper one: a status, or "html", "slow", "whole" (no ranges), "text".
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.transform import from_origin
from rasterio.warp import transform, transform_bounds

from shipdet.gdal import gdal_env
from shipdet.geometry import BBox

UTM = "EPSG:32630"
WEST_M, NORTH_M = 280_000.0, 4_005_000.0  # near Algeciras
SIDE_PX, PIXEL_M = 600, 10.0
OVERLAP_PX = 100

Fault = int | Literal["html", "slow", "whole", "text"]


@dataclass(frozen=True)
class Item:
    """A scene: which part of the ground, when, how cloudy."""

    id: str
    tile: str
    column: int  # 0 or 1: the western or the eastern tile
    acquired: str
    cloud: float = 5.0
    baseline: str = "05.10"
    platform: str = "sentinel-2a"
    share: float = 1.0  # how much of the tile, from the west, has data
    assets: tuple[str, ...] = ("visual", "thumbnail")
    footprint: tuple[float, float, float, float] | None = None  # said instead of the true one


ITEMS = (
    Item("S2A_T30STF_20240501T110619_L2A", "MGRS-30STF", 0, "2024-05-01T11:06:19.024Z"),
    Item("S2A_T30STE_20240501T110619_L2A", "MGRS-30STE", 1, "2024-05-01T11:06:33.500Z", 15.0),
    Item("S2B_T30STF_20240506T110621_L2A", "MGRS-30STF", 0, "2024-05-06T11:06:21Z", 60.0,
         platform="sentinel-2b"),
    Item("S2A_T30STF_20240511T110619_L2A", "MGRS-30STF", 0, "2024-05-11T11:06:19Z", 2.0,
         share=0.2),
)  # fmt: skip


def ground(width: int = 2 * SIDE_PX - OVERLAP_PX, height: int = SIDE_PX) -> npt.NDArray[np.uint8]:
    """What lies there, uint8 (height, width, 3), no pixel 0: smooth, so that warping keeps it."""
    yy, xx = np.mgrid[:height, :width]
    bands = [60 + 50 * np.sin(xx / 40), 90 + 50 * np.sin(yy / 30), 60 + (xx + yy) / 20]
    return np.stack(bands).astype(np.uint8)


@dataclass
class StacServer:
    """Serves the items on a free loopback port while the context is open."""

    folder: Path
    items: tuple[Item, ...] = ITEMS
    faults: Mapping[str, Fault] = field(default_factory=dict)
    page: int = 100
    requests: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._ending = threading.Event()
        for item in self.items:
            file = self.folder / f"{item.id}.tif"
            if not file.exists():  # a folder may be shared by servers
                write_cog(file, item)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Landing page of the API."""
        return f"{self.root}/v1"

    @property
    def bbox(self) -> BBox:
        """2 km x 2 km of the western tile, which all passes hold."""
        return self.bbox_of(20, 100, 100, 180)

    def bbox_of(self, x0: int, y0: int, x1: int, y1: int) -> BBox:
        """The area around a rectangle of the ground's pixels."""
        edges = (WEST_M + x0 * PIXEL_M, NORTH_M - y1 * PIXEL_M,
                 WEST_M + x1 * PIXEL_M, NORTH_M - y0 * PIXEL_M)  # fmt: skip
        with gdal_env():
            return BBox(*transform_bounds(UTM, "EPSG:4326", *edges))

    def environ(self) -> dict[str, str]:
        """Environment for a program that should use this server."""
        return {"SHIPDET_STAC_URL": self.url}

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        fault = self.faults.get(parts.path)
        if fault == "slow":
            self._ending.wait(20)
        if isinstance(fault, int):
            return fault, {}, b"no"
        if fault == "html":
            page = b"<!DOCTYPE html><html><body>Please log in.</body></html>"
            return 200, {"Content-Type": "text/html"}, page
        if fault == "text":
            return 206, {}, b"This is not an image at all."
        if parts.path == "/v1":
            return self._json(self._landing())
        if parts.path == "/v1/search":
            asked = json.loads(body) if body else {}
            asked |= {name: values[0] for name, values in parse_qs(parts.query).items()}
            return self._json(self._found(asked))
        if parts.path.startswith("/data/"):
            file = self.folder / Path(parts.path).name
            if file.is_file():
                return 200, {"Content-Type": "image/tiff"}, file.read_bytes()
        return 404, {}, b"not here"

    @staticmethod
    def _json(value: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()

    def _landing(self) -> dict[str, Any]:
        search = {"rel": "search", "type": "application/geo+json", "href": f"{self.url}/search"}
        return {
            "type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "test",
            "conformsTo": ["https://api.stacspec.org/v1.0.0/core",
                           "https://api.stacspec.org/v1.0.0/item-search"],
            "links": [{"rel": "self", "href": self.url}, {"rel": "root", "href": self.url},
                      search | {"method": "GET"}, search | {"method": "POST"}],
        }  # fmt: skip

    def _found(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [self._item(item) for item in self.items]
        if asked.get("ids"):
            found = [item for item in found if item["id"] in asked["ids"]]
        if asked.get("bbox"):
            area = shapely.box(*asked["bbox"])
            found = [f for f in found if area.intersects(shapely.geometry.shape(f["geometry"]))]
        if asked.get("datetime"):
            first, last = asked["datetime"].split("/")
            found = [f for f in found if first <= f["properties"]["datetime"] <= last]
        if asked.get("collections", ["sentinel-2-c1-l2a"]) != ["sentinel-2-c1-l2a"]:
            found = []
        start = int(asked.get("token", 0))
        links = []
        if start + self.page < len(found):
            links = [{"rel": "next", "href": f"{self.url}/search", "method": "POST",
                      "body": asked | {"token": str(start + self.page)}}]  # fmt: skip
        return {"type": "FeatureCollection", "features": found[start : start + self.page],
                "links": links}  # fmt: skip

    def _item(self, item: Item) -> dict[str, Any]:
        left = item.column * (SIDE_PX - OVERLAP_PX)
        footprint = _footprint(left, left + round(SIDE_PX * item.share))
        if item.footprint is not None:
            footprint = shapely.box(*item.footprint)
        hrefs = {"visual": f"{self.root}/data/{item.id}.tif",
                 "thumbnail": f"{self.root}/data/{item.id}.jpg"}  # fmt: skip
        return {
            "type": "Feature", "stac_version": "1.0.0", "id": item.id,
            "collection": "sentinel-2-c1-l2a", "bbox": list(footprint.bounds),
            "geometry": shapely.geometry.mapping(footprint),
            "properties": {
                "datetime": item.acquired, "platform": item.platform, "grid:code": item.tile,
                "eo:cloud_cover": item.cloud, "s2:processing_baseline": item.baseline,
            },
            "assets": {name: {"href": hrefs[name]} for name in item.assets}, "links": [],
        }  # fmt: skip


def _footprint(left: int, right: int) -> shapely.Polygon:
    """Where the ground's columns from ``left`` to ``right`` lie, in degrees."""
    columns = np.array([left, right, right, left])
    rows = np.array([SIDE_PX, SIDE_PX, 0, 0])
    with gdal_env():
        lon, lat = transform(UTM, "EPSG:4326", WEST_M + columns * PIXEL_M, NORTH_M - rows * PIXEL_M)
    return shapely.Polygon(zip(lon, lat, strict=True))


def write_cog(path: Path, item: Item) -> None:
    """A scene as a cloud-optimized GeoTIFF with overviews, its part without data 0."""
    left = item.column * (SIDE_PX - OVERLAP_PX)
    pixels = ground()[:, :, left : left + SIDE_PX].copy()
    pixels[:, :, round(SIDE_PX * item.share) :] = 0
    profile = {
        "driver": "COG", "width": SIDE_PX, "height": SIDE_PX, "count": 3, "dtype": "uint8",
        "crs": UTM, "nodata": 0, "blocksize": 128, "compress": "deflate",
        "transform": from_origin(WEST_M + left * PIXEL_M, NORTH_M, PIXEL_M, PIXEL_M),
    }  # fmt: skip
    with gdal_env(), rasterio.open(path, "w", **profile) as file:
        file.write(pixels)


def _handler(server: StacServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(with_body=True)

        def do_POST(self) -> None:
            self._send(with_body=True)

        def do_HEAD(self) -> None:
            self._send(with_body=False)

        def _send(self, with_body: bool) -> None:
            server.requests.append(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = server.answer(self.path, sent)
            whole = server.faults.get(self.path) == "whole"
            wanted = self.headers.get("Range", "").removeprefix("bytes=")
            if status == 200 and wanted and not whole and self.path.startswith("/data/"):
                server.ranges.append(wanted)
                first, _, last = wanted.partition("-")
                start, end = int(first), min(int(last or len(body)), len(body) - 1)
                headers = headers | {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
                status, body = 206, body[start : end + 1]
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if not whole:
                    self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body)
                    server.sent_bytes += len(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Handler
