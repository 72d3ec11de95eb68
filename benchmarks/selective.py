"""Speed of super-resolution only around candidates, relative to that of the whole image."""

from functools import partial

from benchmarks.timing import Effort, seconds
from shipdet.models import load_classifier, load_upscaler
from shipdet.mosaic import Mosaic
from shipdet.pipeline.choosing import plan_search
from shipdet.pipeline.enlarging import Enlarged, enlarge
from shipdet.progress import finish
from shipdet.report import Clock
from shipdet.requests import Search
from shipdet.settings import get_settings
from tests.helpers.painted import paint_ship, picture_mosaic, sea

GSD_M = 3.9  # a map at zoom 15, 36 degrees north
UPSCALER = "realesr-general-x4v3"


def selective_vs_whole(effort: Effort) -> dict[str, float]:
    """Measure selective super-resolution of a roadstead, with ships in one corner.

    Returns:
        ``speed``, the time for the whole image over that of selective super-resolution including
        its search of the raw image, and ``share``, the fraction of blocks that are enlarged by the
        network.
    """
    raw, settings = _roadstead(effort.roadstead_px), get_settings()
    classifier = load_classifier(backend="onnx", device="cpu")
    upscaler = load_upscaler(UPSCALER, "onnx", "cpu")

    def enlarged(selective: bool) -> Enlarged:
        search = Search(upscale="x4", upscaler=UPSCALER, selective=selective)
        return finish(enlarge(raw, classifier, upscaler, plan_search(search, settings), Clock()))

    result = enlarged(True)  # also warms up
    whole, some = (seconds(partial(enlarged, chosen)) for chosen in (False, True))
    return {"speed": whole / some, "share": result.enlarged / result.blocks}


def _roadstead(side: int) -> Mosaic:
    pixels = sea(side, side)
    reach_m = side * GSD_M / 4
    for along, axis in ((0.3, 20), (0.7, 75), (0.9, 110)):
        paint_ship(pixels, GSD_M, (along * reach_m, (1.2 - along) * reach_m), 180, 28, axis)
    return picture_mosaic(pixels, GSD_M)
