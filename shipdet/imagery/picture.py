"""A picture of one's own: PNG, JPEG or GeoTIFF, told apart by content and never by name."""

import logging
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from shipdet.errors import BadImage, BadOption, MissingScale
from shipdet.geometry import Grid
from shipdet.mosaic import Mask, Mosaic, Picture, Pixels, Provenance
from shipdet.settings import Settings, get_settings

GSD_RANGE_M = (0.05, 100.0)
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF
EXIF_ORIENTATION = 0x0112
STRETCH_PERCENTILES = (2.0, 98.0)
SAMPLED = 1_000_000  # pixels whose percentiles are taken

Numbers = npt.NDArray[np.generic]

log = logging.getLogger(__name__)


def open_raster(
    path: str | Path, gsd_m: float | None = None, settings: Settings | None = None
) -> Picture:
    """Read a picture; ``gsd_m`` is metres per pixel, needed when the file does not say.

    A georeferenced GeoTIFF brings its own scale, and ``gsd_m`` is then not used. The result is a
    Mosaic, but for a TIFF of more bytes than ``settings.max_held_pixels`` have in 8-bit RGB, which
    is read piece by piece.
    Raises BadImage (MissingScale without a scale) or BadOption for a scale out of range.
    """
    settings = settings or get_settings()
    path = Path(path)
    if gsd_m is not None:
        check_gsd(gsd_m)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise BadImage(f"The picture '{path.name}' {reason}: choose another file.") from None
    if magic in TIFF_MAGIC:
        from shipdet.imagery.geotiff import open_geotiff  # rasterio takes a while to import

        return open_geotiff(path, gsd_m, settings)
    return _plain(path, gsd_m, settings)


def check_gsd(gsd_m: float) -> float:
    """The metres per pixel, or BadOption when they make no sense."""
    low, high = GSD_RANGE_M
    if not (math.isfinite(gsd_m) and low <= gsd_m <= high):
        raise BadOption(f"Metres per pixel must be from {low:g} to {high:g}, not {gsd_m:g}.")
    return gsd_m


def check_size(name: str, width: int, height: int, limit: int) -> None:
    """BadImage with the numbers when a picture has more pixels than the limit."""
    if width * height > limit:
        raise BadImage(
            f"'{name}' has {width}x{height} pixels ({width * height / 1e6:,.0f} million), more "
            f"than the limit of {limit / 1e6:,.0f} million: cut or shrink it."
        )


def check_covered(name: str, any_covered: bool) -> None:
    """BadImage when not a pixel of a picture has data."""
    if not any_covered:
        raise BadImage(f"'{name}' is empty: every pixel is transparent or without data.")


def held_limit(settings: Settings) -> int:
    """Most pixels of a picture that must be held as a whole."""
    return min(settings.max_held_pixels, settings.max_raw_pixels)


@dataclass(frozen=True)
class Stretch:
    """How values of another number type become 8 bits; ``low`` is 0 and ``high`` 255.

    All bands share it, so that colours keep their balance.
    """

    low: float
    high: float

    @classmethod
    def of(cls, sample: npt.NDArray[np.float32]) -> "Stretch":
        """From finite values (n, bands) of covered pixels."""
        if not len(sample):
            return cls(0.0, 1.0)
        low, high = (float(v) for v in np.percentile(sample, STRETCH_PERCENTILES))
        return cls(low, high) if high > low else cls(low - 1.0, low + 1.0)

    def apply(self, values: Numbers) -> Pixels:
        """The values as uint8 of the same shape."""
        real = values.astype(np.float32)
        scaled = np.nan_to_num((real - self.low) * (255.0 / (self.high - self.low)))
        return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)

    def note(self, dtype: np.dtype[np.generic]) -> str:
        """For the reader of the run record."""
        return f"{dtype} values from {self.low:.4g} to {self.high:.4g} were stretched to 8 bits."


def sample_step(width: int, height: int) -> int:
    """Every so many rows and columns of a picture are enough for its percentiles."""
    return max(1, math.isqrt(width * height // SAMPLED))


def usable_values(bands: Numbers, covered: Mask) -> npt.NDArray[np.float32]:
    """Values (n, bands) of the pixels that have a say in a stretch."""
    values = bands.astype(np.float32)
    usable: npt.NDArray[np.float32] = values[covered & np.isfinite(values).all(axis=-1)]
    return usable


def to_mosaic(
    path: Path,
    bands: Numbers,
    covered: Mask,
    grid: Grid,
    notes: list[str],
) -> Mosaic:
    """Make the mosaic of a picture from (height, width, 1 or 3) values of any number type."""
    check_covered(path.name, bool(covered.any()))
    stretch = None
    if bands.dtype != np.uint8:
        step = slice(None, None, sample_step(grid.width, grid.height))
        stretch = Stretch.of(usable_values(bands[step, step], covered[step, step]))
        notes.append(stretch.note(bands.dtype))
    pixels = to_rgb(bands, covered, stretch)
    provenance = Provenance(source="image", title=path.name, notes=tuple(notes))
    return Mosaic(pixels, grid, covered, provenance)


def to_rgb(bands: Numbers, covered: Mask, stretch: Stretch | None) -> Pixels:
    """Grey or colour values of any number type as uint8 (h, w, 3), black without coverage."""
    pixels = bands.astype(np.uint8, copy=False) if stretch is None else stretch.apply(bands)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return np.where(covered[..., None], pixels, 0).astype(np.uint8)


def _plain(path: Path, gsd_m: float | None, settings: Settings) -> Mosaic:
    notes: list[str] = []
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            check_size(path.name, image.width, image.height, held_limit(settings))
            if gsd_m is None:
                raise MissingScale(
                    f"'{path.name}' does not say how large a pixel is: give the metres per pixel."
                )
            if image.getexif().get(EXIF_ORIENTATION, 1) != 1:
                notes.append("The picture was turned upright as its EXIF orientation says.")
            deep = _deep_colours(path, image)
            bands, covered = deep or _channels(ImageOps.exif_transpose(image))
    except BadImage:
        raise
    except Image.DecompressionBombError:
        # Pillow's own limit comes before our size check.
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise BadImage(
            f"'{path.name}' has more than {most / 1e6:,.0f} million pixels, more than the limit of "
            f"{min(most, held_limit(settings)) / 1e6:,.0f} million: cut or shrink it."
        ) from None
    except UnidentifiedImageError:
        raise BadImage(
            f"'{path.name}' is not a picture that can be used: give a PNG, JPEG or GeoTIFF."
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:
        # Pillow reports damage in all of these ways.
        log.info("cannot decode %s: %s", path.name, error)
        raise BadImage(
            f"'{path.name}' is damaged or incomplete: export or copy it again."
        ) from None
    height, width = covered.shape
    return to_mosaic(path, bands, covered, Grid(width, height, gsd_m, gsd_m), notes)


def _deep_colours(path: Path, image: Image.Image) -> tuple[Numbers, Mask] | None:
    """Values and coverage of a PNG with 16 bits per colour, of which Pillow keeps only 8.

    None for other pictures, and for turned ones, which get Pillow's 8 bits.
    """
    image.load()  # Pillow notices damage that OpenCV passes over
    with path.open("rb") as file:
        header = file.read(26)
    deep = image.format == "PNG" and header[24] == 16 and image.mode in ("RGB", "RGBA", "LA")
    if not deep or image.getexif().get(EXIF_ORIENTATION, 1) != 1:
        return None
    import cv2  # takes a while to import

    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    rgb = values[..., 2::-1]
    covered = values[..., 3] > 0 if values.shape[2] == 4 else np.ones(rgb.shape[:2], np.bool_)
    return rgb, covered


def _channels(image: Image.Image) -> tuple[Numbers, Mask]:
    """Values (height, width, 1 or 3) and coverage of whatever mode a PNG or JPEG has."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):  # 16-bit grey
        values = np.asarray(image, dtype=np.uint16)[..., None]
        return values, np.ones(values.shape[:2], np.bool_)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return rgba[..., :3], rgba[..., 3] > 0
    rgb = np.asarray(image.convert("RGB"))  # grey, palette, CMYK and YCbCr as well
    return rgb, np.ones(rgb.shape[:2], np.bool_)
