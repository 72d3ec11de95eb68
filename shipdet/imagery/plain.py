"""Read PNG, JPEG and Pillow images: pixels and transparency, rotated upright."""

import logging
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from shipdet.errors import BadImage
from shipdet.imagery.limits import check_size, given_gsd, held_limit
from shipdet.imagery.survey import Numbers
from shipdet.mosaic import Mask
from shipdet.settings import Settings

EXIF_ORIENTATION = 0x0112
TURNED = "The image is rotated upright, as its EXIF orientation states."

#: Pillow reports damage in all of these ways.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError)

log = logging.getLogger(__name__)


def read_file(
    path: Path, name: str, gsd_m: float | None, settings: Settings, notes: list[str]
) -> tuple[Numbers, Mask]:
    """Read values (h, w, 1 or 3) and coverage (h, w) of a PNG or JPEG file.

    Raises:
        BadImage: The file is damaged, too large or in another format.
        MissingScale: ``gsd_m`` is None; raised before decoding.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            check_size(name, image.width, image.height, held_limit(settings))
            given_gsd(name, gsd_m)
            return _deep_colors(path, image, notes) or read_pillow(image, notes)
    except BadImage:
        raise
    except Image.DecompressionBombError:
        # Pillow applies its limit before check_size.
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise BadImage(
            f"'{name}' has more than {most / 1e6:,.0f} million pixels, more than the limit of "
            f"{min(most, held_limit(settings)) / 1e6:,.0f} million: crop or reduce it."
        ) from None
    except UnidentifiedImageError:
        raise BadImage(f"'{name}' is not a supported image: give a PNG, JPEG or GeoTIFF.") from None
    except _DAMAGE as error:
        log.info("cannot decode %s: %s", name, error)
        raise BadImage(f"'{name}' is damaged or incomplete: export or copy it again.") from None


def read_pillow(image: Image.Image, notes: list[str]) -> tuple[Numbers, Mask]:
    """Read values (h, w, 1 or 3) and coverage (h, w) of a Pillow image of any mode."""
    transparent = image.info.get("transparency")
    if _orientation(image) != 1:
        notes.append(TURNED)
        image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        kind = {"I": np.int32, "F": np.float32}.get(image.mode, np.uint16)
        values = np.asarray(image).astype(kind)[..., None]
        covered = np.isfinite(values[..., 0])
        if isinstance(transparent, int):
            covered &= values[..., 0] != transparent
        return values, covered
    if image.mode == "La":  # premultiplied; Pillow converts it to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return rgba[..., :3], rgba[..., 3] > 0
    rgb = np.asarray(image.convert("RGB"))  # gray, palette, CMYK and YCbCr as well
    return rgb, np.ones(rgb.shape[:2], np.bool_)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, if it is missing or invalid."""
    value = image.getexif().get(EXIF_ORIENTATION, 1)
    return value if value in range(2, 9) else 1


def _deep_colors(path: Path, image: Image.Image, notes: list[str]) -> tuple[Numbers, Mask] | None:
    """Read values and coverage of a PNG with 16 bits per color, of which Pillow keeps only 8.

    Returns None for other images.
    """
    image.load()  # Pillow detects damage that OpenCV ignores
    with path.open("rb") as file:
        header = file.read(26)
    if image.format != "PNG" or header[24] != 16 or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    import cv2  # takes a while to import

    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    if values.shape[:2] != (image.height, image.width):
        return None
    rgb = values[..., 2::-1]
    covered = values[..., 3] > 0 if values.shape[2] == 4 else np.ones(rgb.shape[:2], np.bool_)
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple):
        covered &= (rgb != np.array(transparent, np.uint16)).any(axis=-1)
    orientation = _orientation(image)
    if orientation != 1:
        notes.append(TURNED)
    return upright(rgb, orientation), upright(covered, orientation).astype(np.bool_)


def upright(array: Numbers, orientation: int) -> Numbers:
    """Rotate and mirror an array (h, w, …) from an EXIF orientation (1 to 8) to upright.

    Source: EXIF standard 2.3, table 6.
    """
    if orientation in (2, 4, 5, 7):
        array = array[:, ::-1]
    turns = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.rot90(array, turns)
