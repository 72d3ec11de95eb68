"""A picture of one's own: PNG, JPEG or GeoTIFF, told apart by content and never by name."""

import logging
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from shipdet.errors import BadImage, BadOption, MissingScale
from shipdet.geometry import Grid
from shipdet.mosaic import Mosaic, Provenance
from shipdet.settings import Settings, get_settings

GSD_RANGE_M = (0.05, 100.0)
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF
EXIF_ORIENTATION = 0x0112
STRETCH_PERCENTILES = (2.0, 98.0)

Numbers = npt.NDArray[np.generic]
Mask = npt.NDArray[np.bool_]

log = logging.getLogger(__name__)


def open_picture(
    path: str | Path, gsd_m: float | None = None, settings: Settings | None = None
) -> Mosaic:
    """Read a picture; ``gsd_m`` is metres per pixel, needed when the file does not say.

    A georeferenced GeoTIFF brings its own scale, and ``gsd_m`` is then not used. Raises BadImage
    (MissingScale without a scale) or BadOption for a scale out of range.
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


def check_size(name: str, width: int, height: int, settings: Settings) -> None:
    """BadImage with the numbers when a picture would need too much memory."""
    if width * height > settings.max_raw_pixels:
        raise BadImage(
            f"'{name}' has {width}x{height} pixels ({width * height / 1e6:,.0f} million), more "
            f"than the limit of {settings.max_raw_pixels / 1e6:,.0f} million: cut or shrink it."
        )


def to_uint8(bands: Numbers, covered: Mask) -> tuple[npt.NDArray[np.uint8], str]:
    """Stretch (height, width, n) of any number type to 8 bits; returns a note when it had to.

    All bands share one stretch, so that colours keep their balance; uncovered pixels have no say.
    """
    if bands.dtype == np.uint8:
        return bands.astype(np.uint8, copy=False), ""
    values = bands.astype(np.float32)
    usable = covered & np.isfinite(values).all(axis=-1)
    if not usable.any():
        return np.zeros(bands.shape, np.uint8), ""
    # Every few pixels are enough for percentiles, and a large picture is sorted in no time.
    sample = values[usable][:: max(1, int(usable.sum()) // 1_000_000)]
    low, high = (float(v) for v in np.percentile(sample, STRETCH_PERCENTILES))
    if high <= low:
        low, high = low - 1.0, low + 1.0
    scaled = np.nan_to_num((values - low) * (255.0 / (high - low)))
    note = f"{bands.dtype} values from {low:.4g} to {high:.4g} were stretched to 8 bits."
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8), note


def to_mosaic(
    path: Path,
    bands: Numbers,
    covered: Mask,
    grid: Grid,
    notes: list[str],
) -> Mosaic:
    """Make the mosaic of a picture from (height, width, 1 or 3) values of any number type."""
    pixels, note = to_uint8(bands, covered)
    if note:
        notes.append(note)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    if not covered.any():
        raise BadImage(f"'{path.name}' is empty: every pixel is transparent or without data.")
    pixels = np.where(covered[..., None], pixels, 0).astype(np.uint8)
    provenance = Provenance(source="image", title=path.name, notes=tuple(notes))
    return Mosaic(pixels, grid, covered, provenance)


def _plain(path: Path, gsd_m: float | None, settings: Settings) -> Mosaic:
    notes: list[str] = []
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            check_size(path.name, image.width, image.height, settings)
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
            f"{min(most, settings.max_raw_pixels) / 1e6:,.0f} million: cut or shrink it."
        ) from None
    except UnidentifiedImageError:
        raise BadImage(
            f"'{path.name}' is not a picture that can be used: give a PNG, JPEG or GeoTIFF."
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
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
