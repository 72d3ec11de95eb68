"""A local XYZ tile server with faults to order, for tests of every room.

    with TileServer() as server:                      # a generated picture of 4 x 3 tiles
        settings = Settings(xyz_url=server.url_template, ...)
        ... download server.bbox at server.zoom ...
        assert server.count == 12 and server.max_concurrency <= 4

    with TileServer.of_mosaic("algeciras") as server:  # real imagery, see mosaic_path()
        subprocess.run([...], env=os.environ | server.environ())

The picture's top left corner lies on the corner of the tile that holds ``west, north``; other
tiles are those of the server ``beside`` it, or 404. Faults are given for the first requests
(``first``), for single tiles (``faults``, by (x, y) of the server's zoom) or for all (``always``).
A list of faults is used up request by request; None in it means a proper answer, and so does an
exhausted list. With ``tile_px`` 512 each tile is four of those of its zoom, and is addressed as a
tile of the zoom before. A tile in ``held`` is answered once its event is set. Only the standard
library, numpy and Pillow are needed; pytest is not.
"""

import gzip
import io
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from shipdet.geometry import TILE_PX, BBox, PixelBox, lonlat_to_pixel, pixel_to_lonlat
from tests.helpers import PROJECT

# name -> file, west, north (approximate, from the data's README), for zoom 15
MOSAICS = {
    "algeciras": ("port_of_aglericas_spain_raw_esri.png", -5.445, 36.150),
    "algeciras-sentinel": ("port_of_aglericas_spain_raw_sentinel.png", -5.445, 36.150),
    "hong-kong": ("port_victoria_harbour_hong_kong_raw_sentinel.png", 114.13, 22.33),
}
HELD_S = 60.0
"""How long a held tile waits for its event at most."""


Pixels = npt.NDArray[np.uint8]
Body = Literal[
    "tile",
    "double",
    "gzip",
    "html",
    "xml",
    "truncated",
    "blank",
    "wrong size",
    "text",
    "json",
    "gif",
    "tiff",
    "huge",
    "none",
]


@dataclass(frozen=True)
class Fault:
    """What the server does instead of answering properly."""

    status: int = 200
    body: Body = "none"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


SERVER_ERROR = Fault(500)
NOT_FOUND = Fault(404)
UNAUTHORIZED = Fault(401)
FORBIDDEN = Fault(403)
STORE_DENIES = Fault(403, body="xml", headers={"Content-Type": "application/xml"})
DOUBLE = Fault(body="double")
COMPRESSED = Fault(body="gzip")
HTML = Fault(body="html")
TRUNCATED = Fault(body="truncated")
BLANK = Fault(body="blank")
WRONG_SIZE = Fault(body="wrong size")
NOT_A_PICTURE = Fault(body="text")
JSON = Fault(body="json")
GIF = Fault(body="gif")
TIFF = Fault(body="tiff")
HUGE = Fault(body="huge")


def too_many(retry_after: str = "1") -> Fault:
    """429 with a Retry-After header, in seconds or as an HTTP date."""
    return Fault(429, headers={"Retry-After": retry_after})


def slow(delay_s: float) -> Fault:
    """A proper answer, late."""
    return Fault(body="tile", delay_s=delay_s)


class Request(NamedTuple):
    """One request that arrived."""

    z: int
    x: int
    y: int
    path: str
    user_agent: str
    at: float  # time.monotonic()


def data_dir() -> Path:
    """Where the real imagery lies: SHIPDET_DATA, or ../shared/data beside the repository."""
    return Path(os.environ.get("SHIPDET_DATA", PROJECT / "../shared/data")).resolve()


def mosaic_path(name: str) -> Path:
    """The file of a real mosaic; tests skip when ``data_dir()`` does not exist."""
    return data_dir() / "mosaics" / MOSAICS[name][0]


def generated_picture(columns: int = 4, rows: int = 3, seed: int = 1) -> Pixels:
    """A picture of whole tiles that no blank rule takes for blank, every pixel distinct enough."""
    height, width = rows * TILE_PX, columns * TILE_PX
    yy, xx = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 40, (height, width))
    bands = [xx % 200, yy % 200, (xx + yy) % 180 + noise]
    return np.stack(bands, axis=-1).astype(np.uint8)


class TileServer:
    """Serves the tiles of a picture on a free loopback port while the context is open."""

    def __init__(
        self,
        picture: Pixels | Path | None = None,
        *,
        west: float = -5.445,
        north: float = 36.150,
        zoom: int = 15,
        image_format: Literal["PNG", "JPEG", "WEBP"] = "PNG",
        tile_px: Literal[256, 512] = 256,
        first: Sequence[Fault | None] = (),
        faults: Mapping[tuple[int, int], Fault | Sequence[Fault | None]] | None = None,
        always: Fault | None = None,
        delay_s: float = 0.0,
        held: Mapping[tuple[int, int], threading.Event] | None = None,
        beside: "TileServer | None" = None,
    ) -> None:
        if isinstance(picture, Path):
            picture = np.asarray(Image.open(picture).convert("RGB"))
        self.picture = generated_picture() if picture is None else picture
        self.zoom, self.image_format, self.delay_s = zoom, image_format, delay_s
        left, top = lonlat_to_pixel([west, north], zoom) // TILE_PX
        self.x0, self.y0 = int(left), int(top)
        self.columns = self.picture.shape[1] // TILE_PX
        self.rows = self.picture.shape[0] // TILE_PX
        self.tile_px = tile_px
        self.first = list(first)
        self.always = always
        self.held = dict(held or {})
        self.beside = beside
        self.faults: dict[tuple[int, int], list[Fault | None] | Fault] = {
            key: value if isinstance(value, Fault) else list(value)
            for key, value in (faults or {}).items()
        }
        self.requests: list[Request] = []
        self.max_concurrency = 0
        self._running = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @classmethod
    def of_mosaic(cls, name: str, **kwargs: object) -> Self:
        """A server of one of MOSAICS."""
        _, west, north = MOSAICS[name]
        return cls(mosaic_path(name), west=west, north=north, **kwargs)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url_template(self) -> str:
        """The XYZ address, for SHIPDET_XYZ_URL."""
        return f"http://{self.host}/{{z}}/{{x}}/{{y}}"

    @property
    def box(self) -> PixelBox:
        """Global pixels of the picture at the server's zoom."""
        left, top = self.x0 * TILE_PX, self.y0 * TILE_PX
        return PixelBox(left, top, left + self.columns * TILE_PX, top + self.rows * TILE_PX)

    @property
    def bbox(self) -> BBox:
        """The whole picture."""
        return self.bbox_of(0, 0, self.columns * TILE_PX, self.rows * TILE_PX)

    def bbox_of(self, x0: float, y0: float, x1: float, y1: float) -> BBox:
        """The area of a rectangle of the picture's pixels."""
        left, top = self.box.x0, self.box.y0
        corners = pixel_to_lonlat([[left + x0, top + y0], [left + x1, top + y1]], self.zoom)
        (west, north), (east, south) = corners.tolist()
        return BBox(west, south, east, north)

    @property
    def count(self) -> int:
        """Requests so far."""
        return len(self.requests)

    @property
    def running(self) -> int:
        """Requests that are being answered now."""
        return self._running

    def environ(self) -> dict[str, str]:
        """Environment for a program that should use this server as its provider ``xyz``."""
        return {
            "SHIPDET_XYZ_URL": self.url_template,
            "SHIPDET_XYZ_TITLE": "Test tiles",
            "SHIPDET_XYZ_ATTRIBUTION": "Test data",
        }

    def _fault(self, x: int, y: int) -> Fault | None:
        if self.first:
            return self.first.pop(0)
        fault = self.faults.get((x, y))
        if isinstance(fault, list):
            return fault.pop(0) if fault else None
        return fault or self.always

    def _answer(self, path: str, user_agent: str) -> tuple[int, Mapping[str, str], bytes]:
        z, x, y = (int(part) for part in path.split("?")[0].strip("/").split("/")[-3:])
        with self._lock:
            self.requests.append(Request(z, x, y, path, user_agent, time.monotonic()))
            self._running += 1
            self.max_concurrency = max(self.max_concurrency, self._running)
            fault = self._fault(x, y)
        try:
            time.sleep(self.delay_s + (fault.delay_s if fault else 0.0))
            if (x, y) in self.held:
                self.held[x, y].wait(HELD_S)
            body = self._body(z, x, y, fault.body if fault else "tile")
            status = fault.status if fault else 200
            if body is None:
                return 404, {}, b"no such tile"
            return status, fault.headers if fault else {}, body
        finally:
            with self._lock:
                self._running -= 1

    def _body(self, z: int, x: int, y: int, kind: Body) -> bytes | None:
        if kind == "html":
            return b"<!DOCTYPE html><html><body>Please log in.</body></html>"
        if kind == "xml":
            return b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'
        if kind == "text":
            return b"This is not an image at all, but some text." * 10
        if kind == "json":
            return b' {"error": {"code": 400, "message": "Invalid token"}}'
        if kind in ("gif", "tiff"):
            buffer = io.BytesIO()
            Image.new("RGB", (TILE_PX, TILE_PX)).save(buffer, kind)
            return buffer.getvalue()
        if kind == "huge":
            return b"\x89PNG\r\n\x1a\n" + bytes(6 * 1024**2)
        if kind == "none":
            return b""
        if kind == "blank":
            return self._encode(np.full((TILE_PX, TILE_PX, 3), 204, np.uint8))
        if self.tile_px > TILE_PX:
            return self._large(z, x, y)
        column, row = x - self.x0, y - self.y0
        if z != self.zoom or not (0 <= column < self.columns and 0 <= row < self.rows):
            return self.beside._body(z, x, y, kind) if self.beside else None
        left, top = column * TILE_PX, row * TILE_PX
        tile = self.picture[top : top + TILE_PX, left : left + TILE_PX]
        if kind == "wrong size":
            return self._encode(tile[:100, :120])
        if kind == "double":
            return self._encode(np.repeat(np.repeat(tile, 2, axis=0), 2, axis=1))
        data = self._encode(tile)
        if kind == "gzip":
            return gzip.compress(data)
        return data[: len(data) // 2] if kind == "truncated" else data

    def _large(self, z: int, x: int, y: int) -> bytes | None:
        """A tile of 512 px of the zoom before, transparent beyond the picture."""
        left, top = (2 * x - self.x0) * TILE_PX, (2 * y - self.y0) * TILE_PX
        height, width = self.picture.shape[:2]
        tile = np.zeros((2 * TILE_PX, 2 * TILE_PX, 4), np.uint8)
        x0, x1 = max(left, 0), min(left + 2 * TILE_PX, width)
        y0, y1 = max(top, 0), min(top + 2 * TILE_PX, height)
        if z != self.zoom - 1 or x0 >= x1 or y0 >= y1:
            return None
        inner = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        inner[..., :3], inner[..., 3] = self.picture[y0:y1, x0:x1], 255
        return self._encode(tile)

    def _encode(self, pixels: Pixels) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, self.image_format, quality=95, compress_level=1)
        return buffer.getvalue()


def _handler(tiles: TileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            agent = self.headers.get("User-Agent", "")
            status, headers, body = tiles._answer(self.path, agent)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client cancelled

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Handler
