"""Super-resolution of a whole image, or only where the raw image may show a ship."""

from dataclasses import dataclass
from typing import Literal

from shipdet import pace
from shipdet.detect import Survey, survey
from shipdet.models import Classifier, Upscaler
from shipdet.mosaic import Mosaic, Picture
from shipdet.pipeline.choosing import SearchPlan
from shipdet.progress import Progress, Steps, mapped
from shipdet.report import Clock
from shipdet.requests import UPSCALE
from shipdet.upscale import Focus, count_enlarged, upscale

#: Lowest score in the raw image that selects a place, as a share of ``min_score``. Ships score
#: lower in the raw image than in the enlarged one, often much lower.
FOCUS_SHARE = 0.5


@dataclass(frozen=True)
class Enlarged:
    """An image after super-resolution.

    Attributes:
        mosaic: The enlarged image.
        survey: The survey of the raw image that selected the places; None if all is enlarged.
        enlarged: Number of blocks that the network enlarged; the others are interpolated.
        blocks: Number of all blocks.
    """

    mosaic: Mosaic
    survey: Survey | None
    enlarged: int
    blocks: int

    def record(self) -> dict[str, int]:
        """Return the counts for run.json."""
        return {"blocks": self.blocks, "enlarged": self.enlarged}


def enlarge(
    raw: Picture, classifier: Classifier, upscaler: Upscaler, how: SearchPlan, clock: Clock
) -> Steps[Enlarged]:
    """Enlarge an image according to a plan.

    Raises:
        OutOfMemory: The device's memory is too small for the smallest block.
    """
    search = how.search
    assert isinstance(raw, Mosaic)  # a large image is refused before, and tiles are in memory
    focus, surveyed = None, None
    if how.enlarges_parts(raw.grid.gsd_m):
        surveyed = yield from _survey(raw, classifier, clock)
        reach_m = classifier.config.shipdet.window_m / 2
        reach = (reach_m / raw.grid.gsd_x_m, reach_m / raw.grid.gsd_y_m)
        focus = Focus(surveyed.centers(FOCUS_SHARE * how.min_score), reach)
    passes: Literal[1, 2] = 1 if search.passes == 1 else 2
    with clock.stage("upscale"):
        waiting = pace.Waiting()
        mosaic = yield from mapped(upscale(raw, upscaler, passes, focus=focus), waiting)
    enlarged, blocks = count_enlarged(raw, upscaler, passes, focus=focus)
    raw_px = raw.grid.width * raw.grid.height
    amount = raw_px * (1 if passes == 1 else 1 + UPSCALE**2) * enlarged / max(1, blocks)
    took_s = clock.stages["upscale"] - waiting.seconds
    pace.learn(f"upscale:{how.upscaler_name}", amount, took_s)
    return Enlarged(mosaic, surveyed, enlarged, blocks)


def _survey(raw: Mosaic, classifier: Classifier, clock: Clock) -> Steps[Survey]:
    """Survey the raw image."""
    yield Progress("detect", 0, 0, note="in the raw image first, to select what to enlarge")
    with clock.stage("survey"):
        return (yield from survey(raw, classifier))
