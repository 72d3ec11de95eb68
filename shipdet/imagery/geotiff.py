"""Read GeoTIFF files and open rasterio datasets: values, scale and georeference."""

import contextlib
import logging
import os
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from shipdet.errors import BadImage, ShipdetError
from shipdet.gdal import gdal_env, gdal_errors
from shipdet.geometry import PixelBox
from shipdet.imagery import plain
from shipdet.imagery.bands import choose_bands
from shipdet.imagery.dating import date_of
from shipdet.imagery.limits import check_size, held_limit
from shipdet.imagery.placing import Georeference, place
from shipdet.imagery.rendering import render
from shipdet.imagery.survey import REVERSED, ArrayValues, Calibration, Numbers, RasterValues
from shipdet.imagery.tiff_pages import pages_of
from shipdet.mosaic import Mask, Picture, Pixels
from shipdet.requests import StretchName
from shipdet.settings import Settings

MAX_BLOCK_BYTES = 512 * 1024**2
#: Range of scale factors of reflectance (Sentinel-2 and PlanetScope 1e-4; Landsat Collection 2
#: 2.75e-5; its top-of-atmosphere products 2e-5).
REFLECTANCE_SCALES = (1e-5, 2e-4)
#: Factor of reflectance stored as integers, if no tag specifies it.
REFLECTANCE_UNITS = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """The user's options for reading an image."""

    gsd_m: float | None
    bands: tuple[int, ...]
    stretch: StretchName
    settings: Settings


def open_geotiff(path: Path, name: str, reading: Reading) -> Picture:
    """Read a TIFF; errors as in :func:`~shipdet.imagery.picture.open_raster`."""
    with contextlib.ExitStack() as stack:
        try:
            with gdal_env(), warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)  # handled by place()
                notes: list[str] = []
                dataset = stack.enter_context(opened(path, stack))
                page, stated, orientation = largest_page(path, dataset, notes, stack)
                turn = 1 if stated.placed else orientation
                picture, held = _picture(page, name, reading, notes, stated, turn)
                if not held:
                    stack.pop_all()  # keep the file open: the image is read from it
                return picture
        except ShipdetError:
            raise
        except gdal_errors(OSError, ValueError, OverflowError) as error:
            log.info("cannot read %s: %s", name, error)
            raise BadImage(
                f"'{name}' is damaged or an unsupported kind of TIFF: export or copy it again."
            ) from None


def open_dataset(dataset: Any, name: str, reading: Reading) -> Picture:
    """Read an open rasterio dataset, which the caller closes; errors as for a file."""
    try:
        with gdal_env():
            notes: list[str] = []
            return _picture(dataset, name, reading, notes, Georeference.of(dataset))[0]
    except ShipdetError:
        raise
    except gdal_errors(OSError, ValueError, OverflowError) as error:
        log.info("cannot read %s: %s", name, error)
        raise BadImage(f"The dataset '{name}' cannot be read: is it still open?") from None


def opened(path: Path, stack: contextlib.ExitStack) -> Any:
    """Open a file, through a temporary link if its name is not UTF-8, which GDAL cannot open.

    Files with the same stem, such as a mask or a world file, are linked too.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shipdet-")))
        path = path.absolute()
        for file in path.parent.iterdir():
            if file.name.startswith(path.stem):
                os.symlink(file, folder / f"image{file.name.removeprefix(path.stem)}")
        path = folder / f"image{path.suffix}"
    # Only TIFF: other formats (VRT) can refer to other files and URLs.
    return rasterio.open(path, driver="GTiff")


def largest_page(
    path: Path, first: Any, notes: list[str], stack: contextlib.ExitStack
) -> tuple[Any, Georeference, int]:
    """Return the page with the most pixels, its georeference and its orientation.

    A TIFF may begin with a thumbnail. A page without a georeference gets that of the first page,
    scaled. Masks are not pages.
    """
    pages = pages_of(path)
    larger = [page for page in pages if page.pixels > first.width * first.height and not page.mask]
    before = f"The file's first page has {first.width}x{first.height} pixels"
    for page in sorted(larger, key=lambda page: page.pixels, reverse=True):
        try:
            source = f"GTIFF_DIR:off:{page.offset}:{first.name}"
            best = stack.enter_context(rasterio.open(source, driver="GTiff"))
        except gdal_errors(OSError):
            continue
        notes.append(f"{before}: {page.name} with {page.width}x{page.height} is used.")
        if any(mask.mask and mask.pixels == page.pixels for mask in pages):
            notes.append(f"The mask of {page.name} is not used.")
        stated, outer = Georeference.of(best), Georeference.of(first)
        same_shape = abs(best.width / best.height / (first.width / first.height) - 1) < 0.02
        if not stated.placed and outer.placed and same_shape:
            stated = outer.scaled(first.width / best.width, first.height / best.height)
        return best, stated, page.orientation
    same_size = sum(page.pixels == pages[0].pixels and not page.mask for page in pages[1:])
    if larger:
        notes.append(f"{before}: it is used, because no larger page can be read.")
    elif same_size:
        notes.append(f"The file has {same_size + 1} pages of one size: the first is used.")
    return first, Georeference.of(first), pages[0].orientation if pages else 1


def _picture(
    dataset: Any,
    name: str,
    reading: Reading,
    notes: list[str],
    stated: Georeference,
    orientation: int = 1,
) -> tuple[Picture, bool]:
    """Return the image, rotated by ``orientation``, and whether it is in memory.

    GDAL ignores the orientation of a TIFF.
    """
    settings = reading.settings
    check_size(name, dataset.width, dataset.height, settings.max_raw_pixels)
    _check_blocks(dataset, name)
    held = dataset.width * dataset.height * _depth(dataset) <= held_limit(settings)
    grid = place((dataset.width, dataset.height), stated, name, reading.gsd_m, notes)
    values: RasterValues
    values = stored = DatasetValues.of(dataset, name, reading.bands, notes)
    if held:
        whole = PixelBox(0, 0, dataset.width, dataset.height)
        pixels, covered = (plain.upright(part, orientation) for part in stored.read(whole))
        values = ArrayValues(pixels, covered.astype(np.bool_), stored.calibration)
    if orientation != 1:
        notes.append(plain.TURNED if held else "The image is too large to be rotated upright.")
        if held and orientation >= 5:
            grid = replace(grid, width=grid.height, height=grid.width)
    dated = date_of(name, {**dataset.tags(), **dataset.tags(ns="IMAGERY")})
    notes.extend(filter(None, [dated.note]))
    return render(values, grid, name, notes, reading.stretch, held, dated.acquired), held


def _itemsize(dataset: Any) -> int:
    """Bytes per value."""
    return max(_bytes(name) for name in dataset.dtypes)


def _bytes(name: str) -> int:
    return 4 if name == "complex_int16" else int(np.dtype(name).itemsize)


def _depth(dataset: Any) -> float:
    """Memory per pixel relative to 8-bit RGB: 8 for three bands of 8 bytes."""
    return max(1.0, min(int(dataset.count), 3) * _itemsize(dataset) / 3)


def _check_blocks(dataset: Any, name: str) -> None:
    """Check the size of the file's blocks, which can only be read as a whole.

    Raises:
        BadImage: A block is larger than ``MAX_BLOCK_BYTES``.
    """
    size = max(height * width for height, width in dataset.block_shapes)
    size *= _itemsize(dataset) * dataset.count
    if size > MAX_BLOCK_BYTES:
        raise BadImage(
            f"'{name}' is stored in blocks of {size / 1e6:,.0f} MB, more than the limit of "
            f"{MAX_BLOCK_BYTES / 1e6:,.0f} MB: write it with smaller tiles, for example with "
            "`gdal_translate -co TILED=YES`."
        )


@dataclass(frozen=True)
class DatasetValues:
    """The chosen bands of a dataset, or the colors of its palette.

    ``factors`` are scales and offsets, used only if they differ between bands or are negative,
    since a common positive factor has no visible effect. ``white`` is the highest value of fewer
    than 8 bits, which becomes 255. If ``inverted``, 0 is white.
    """

    dataset: Any
    name: str
    chosen: list[int]
    calibration: Calibration
    palette: Pixels | None = None
    factors: tuple[Numbers, Numbers] | None = None
    white: int = 255
    inverted: bool = False

    @classmethod
    def of(
        cls, dataset: Any, name: str, bands: tuple[int, ...], notes: list[str]
    ) -> "DatasetValues":
        """Choose the bands by the file or the user's option.

        Raises:
            BadOption: A chosen band does not exist.
            BadImage: The values are complex, or there are no colors.
        """
        if any("complex" in kind for kind in dataset.dtypes):
            raise BadImage(
                f"'{name}' has complex values, like single-look radar data: give an amplitude "
                "image."
            )
        # GDAL keeps an error about an unusable tag, and rasterio raises it at the next call.
        # Unreadable pixels raise another error later.
        with contextlib.suppress(*gdal_errors()):
            _ = dataset.colorinterp
        if dataset.colorinterp[0] == ColorInterp.palette and not bands:
            table = dataset.colormap(1)
            colors = np.zeros((max(table) + 1, 3), np.uint8)
            for index, color in table.items():
                colors[index] = color[:3]
            return cls(dataset, name, [1], Calibration(), palette=colors)
        meanings = [meaning.name for meaning in dataset.colorinterp]
        chosen = choose_bands(name, meanings, dataset.descriptions, bands, notes)
        scales = np.array([dataset.scales[i - 1] for i in chosen], np.float64)
        offsets = np.array([dataset.offsets[i - 1] for i in chosen], np.float64)
        if not (np.isfinite(scales).all() and np.isfinite(offsets).all() and (scales != 0).all()):
            notes.append("The scales and offsets of the bands are invalid and ignored.")
            scales, offsets = np.ones(len(chosen)), np.zeros(len(chosen))
        grays = _grays(dataset, notes)
        if (scales < 0).any():
            notes.append(REVERSED)
        elif len(set(scales)) == len(set(offsets)) == 1:
            calibration = _calibration(dataset, scales[0], offsets[0], _tags(dataset))
            return cls(dataset, name, chosen, calibration, None, None, *grays)
        calibration = Calibration(0.0, 1.0 if _is_reflectance(float(scales[0])) else None)
        return cls(dataset, name, chosen, calibration, None, (scales, offsets), *grays)

    @property
    def size(self) -> tuple[int, int]:
        """See :class:`~shipdet.imagery.survey.RasterValues`."""
        return self.dataset.width, self.dataset.height

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See :class:`~shipdet.imagery.survey.RasterValues`."""
        if self.palette is not None:
            return np.dtype(np.uint8)
        return np.dtype(np.float32 if self.factors else self.dataset.dtypes[self.chosen[0] - 1])

    def read(self, box: PixelBox) -> tuple[Numbers, Mask]:
        """See :class:`~shipdet.imagery.survey.RasterValues`.

        Raises:
            BadImage: The file is damaged.
        """
        window = Window(box.x0, box.y0, box.width, box.height)
        try:
            with gdal_env():
                covered = self.dataset.dataset_mask(window=window) > 0
                values = np.moveaxis(self.dataset.read(self.chosen, window=window), 0, -1)
        except gdal_errors() as error:
            log.info("cannot read %s: %s", self.name, error)
            raise BadImage(
                f"'{self.name}' is damaged or incomplete: export or copy it again."
            ) from None
        if self.palette is not None:
            return self.palette[np.minimum(values[..., 0], len(self.palette) - 1)], covered
        if not np.issubdtype(values.dtype, np.integer):
            covered &= np.isfinite(values).all(axis=-1)
        if self.inverted:
            values = self.white - values
        if self.factors:
            scales, offsets = self.factors
            values = (values * scales + offsets).astype(np.float32)
        elif self.white < 255:
            values = np.rint(values * (255 / self.white)).astype(np.uint8)
        return values, covered


def _grays(dataset: Any, notes: list[str]) -> tuple[int, bool]:
    """Return the highest value of unsigned integers of up to 16 bits, and whether 0 is white.

    Values of other types are not inverted, since their highest value is unknown.
    """
    stored = np.dtype(dataset.dtypes[0])
    inverted = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    if stored.kind != "u" or stored.itemsize > 2:
        if inverted:
            notes.append(
                f"The file declares that 0 is white, but not which of its {stored.name} values is "
                "black: they are not inverted."
            )
        return 255, False
    if inverted:
        notes.append("The values are inverted, because the file declares that 0 is white.")
    bits = int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8 * stored.itemsize))
    return 2**bits - 1, inverted


def _tags(dataset: Any) -> str:
    """Return all tags and units of a dataset in lowercase."""
    tags = dataset.tags()
    return " ".join((*tags, *map(str, tags.values()), *(u or "" for u in dataset.units))).lower()


def _is_reflectance(scale: float) -> bool:
    return REFLECTANCE_SCALES[0] <= scale <= REFLECTANCE_SCALES[1]


def _calibration(dataset: Any, scale: float, offset: float, tags: str) -> Calibration:
    """Determine the calibration of a file from its tags and the names of its bands."""
    if (scale, offset) != (1.0, 0.0):
        zero = -offset / scale
        return Calibration(zero, (1.0 - offset) / scale if _is_reflectance(scale) else None)
    names = [str(text or "").lower() for text in dataset.descriptions]
    sentinel = {"b02", "b03", "b04"} <= set(names) or "add_offset" in tags
    if not (sentinel or "reflectance" in tags or "atmospheric_correction" in tags):
        return Calibration()
    if not np.issubdtype(np.dtype(dataset.dtypes[0]), np.integer):
        return Calibration(0.0, 1.0)
    # Sentinel-2 from processing baseline 04.00 on: BOA_ADD_OFFSET or RADIO_ADD_OFFSET, -1000.
    zero = 1000.0 if "add_offset" in tags and "-1000" in tags else 0.0
    return Calibration(zero, zero + REFLECTANCE_UNITS)
