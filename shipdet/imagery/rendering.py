"""Convert the values of an image to 8-bit RGB with coverage, at once or by windows."""

from dataclasses import dataclass

import numpy as np

from shipdet.geometry import Grid, PixelBox
from shipdet.imagery.fill import Fill, find_fill, of_color
from shipdet.imagery.limits import check_covered
from shipdet.imagery.stretch import Stretch, choose_stretch
from shipdet.imagery.survey import Numbers, RasterValues, Survey, strips, survey
from shipdet.mosaic import Mask, Mosaic, Picture, Pixels, Provenance
from shipdet.progress import Steps
from shipdet.requests import StretchName

#: An image with a smaller share of data gets a note.
HARDLY_ANY = 0.02


@dataclass(frozen=True)
class Rendering:
    """How the values of an image are converted to RGB and coverage."""

    fill: Fill
    stretch: Stretch | None

    def apply(self, values: Numbers, covered: Mask, box: PixelBox) -> tuple[Pixels, Mask]:
        """Convert values (h, w, 1 or 3) of a window to uint8 (h, w, 3), black without coverage."""
        if self.fill:
            covered = covered & ~self.fill.within(values, box)
        pixels = values if self.stretch is None else self.stretch.apply(values)
        if pixels.shape[-1] == 1:
            pixels = np.repeat(pixels, 3, axis=-1)
        return np.where(covered[..., None], pixels, 0).astype(np.uint8, copy=False), covered


@dataclass(frozen=True)
class LargeRaster:
    """An image too large for memory; windows are read on demand."""

    source: RasterValues
    rendering: Rendering
    grid: Grid
    provenance: Provenance

    def wait(self, bottom: int) -> Steps[None]:
        """See :class:`~shipdet.mosaic.Picture`; all rows are available."""
        yield from ()

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """See :class:`~shipdet.mosaic.Picture`.

        Raises:
            BadImage: The file is damaged.
        """
        box = PixelBox(x0, y0, x1, y1)
        return self.rendering.apply(*self.source.read(box), box)


def render(
    source: RasterValues,
    grid: Grid,
    title: str,
    notes: list[str],
    stretch: StretchName,
    hold: bool,
    acquired: str = "",
) -> Picture:
    """Convert an image to 8-bit RGB: a Mosaic if ``hold``, else a LargeRaster.

    ``acquired`` is the acquisition time, ISO 8601 in UTC; "" if unknown.

    Raises:
        BadImage: No pixel has data.
    """
    seen = survey(source)
    check_covered(title, seen.any_covered)
    fill = find_fill(seen)
    whole = PixelBox(0, 0, seen.covered.shape[1], seen.covered.shape[0])
    filled = Fill(1, fill.anywhere, fill.constants).within(seen.values, whole) & seen.covered
    usable = seen.covered & ~filled
    if fill:
        notes.append(fill.note(float(filled.mean())))
    calibration = source.calibration.fitted(seen.values, usable)
    chosen = choose_stretch(stretch, seen, _inner(usable, filled), calibration)
    if chosen is not None:
        notes.append(chosen.note(source.dtype))
    notes.extend(_warnings(seen, usable))
    rendering = Rendering(fill, chosen)
    details = {"acquired": acquired} if acquired else {}
    provenance = Provenance(source="image", title=title, notes=tuple(notes), details=details)
    if not hold:
        return LargeRaster(source, rendering, grid, provenance)
    pixels = np.empty((grid.height, grid.width, 3), np.uint8)
    covered = np.empty((grid.height, grid.width), np.bool_)
    for strip in strips(source.size):
        rows = slice(strip.y0, strip.y1)
        pixels[rows], covered[rows] = rendering.apply(*source.read(strip), strip)
    check_covered(title, bool(covered.any()))
    return Mosaic(pixels, grid, covered, provenance)


def _inner(usable: Mask, filled: Mask) -> Mask:
    """Return the usable cells that are not next to fill, whose peaks contain no fill."""
    if not filled.any():
        return usable
    import cv2  # takes a while to import

    near = cv2.dilate(filled.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    inner = usable & ~near
    return inner if inner.any() else usable


def _warnings(seen: Survey, usable: Mask) -> list[str]:
    """Return notes on why a search may find nothing."""
    values = seen.values
    first = values.reshape(-1, values.shape[-1])[int(usable.argmax())]
    if usable.any() and (of_color(values, first) | ~usable).all():
        return ["Every pixel of the image has the same value: no ship can be found in it."]
    share = float(usable.mean())
    if share < HARDLY_ANY:
        return [f"Only {100 * share:.2g} % of the image has data."]
    return []
