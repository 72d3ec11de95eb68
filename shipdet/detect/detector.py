"""The detector: a mosaic and a classifier in, ships out."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from shipdet.detect.measuring import MEASURE_GSD_M, Hull, measure
from shipdet.detect.merging import MERGE_SHARE, merge, peaks
from shipdet.detect.scoring import Scoring, WindowScorer, score_near
from shipdet.detect.surveying import Survey, survey
from shipdet.detect.view import NetworkView
from shipdet.detections import Detection, Detections
from shipdet.geometry import Floats, Grid, bearing_deg, distance_m, on_rectangle
from shipdet.mosaic import Picture
from shipdet.progress import Progress, Steps


def detect(
    mosaic: Picture,
    classifier: WindowScorer,
    *,
    window_m: float,
    raw: Picture | None = None,
    raw_survey: Survey | None = None,
    stride_px: int = 0,
    scoring: Scoring = "dense",
    floor: float = 0.1,
) -> Steps[Detections]:
    """Find the ships in a mosaic.

    ``window_m`` is what one window of the classifier covers on the ground. ``raw`` is the picture
    before super-resolution, when there was one: pixels of the result are pixels of it, and it is
    asked whether it supports each ship, or ``raw_survey`` where it has been scored already.
    ``stride_px`` of 0 is one cell of the classifier. ``floor`` is the lowest score that is kept.
    """
    surveyed = yield from survey(
        mosaic, classifier, window_m=window_m, stride_px=stride_px, scoring=scoring
    )
    view = surveyed.view
    centers, scores = peaks(surveyed.score_map, floor)
    kept = merge(centers * view.net_gsd_m, scores, MERGE_SHARE * window_m)
    centers, scores = centers[kept], scores[kept]

    yield Progress("measure", 0, len(kept), "ships")
    hulls: list[Hull] = []
    fine = NetworkView(mosaic, MEASURE_GSD_M)
    for number, (x, y) in enumerate(fine.from_mosaic(view.to_mosaic(centers)), start=1):
        hulls.append(measure(fine, float(x), float(y)))
        yield Progress("measure", number, len(kept), "ships")
    alone = _one_per_hull(hulls)
    centers, scores, hulls = centers[alone], scores[alone], [hulls[i] for i in alone]

    support = None
    if raw is not None and len(scores):
        support = yield from _raw_scores(raw, raw_survey, classifier, view, centers, scoring)
    reported = raw if raw is not None else mosaic
    found = []
    for number, hull in enumerate(hulls):
        detection = _detection(hull, float(scores[number]), fine, mosaic.grid, reported.grid)
        found.append(
            replace(
                detection,
                id=number + 1,
                near_gap=_near_gap(reported, view, centers[number], window_m / 2),
                raw_score=None if support is None else float(support[number]),
            )
        )
    return Detections(tuple(found), floor)


def _one_per_hull(hulls: list[Hull]) -> list[int]:
    """Indices without those whose centre lies on the hull of a better one: two peaks, one ship."""
    kept: list[int] = []
    boxes = [hull.corners for hull in hulls]
    for index, hull in enumerate(hulls):
        if not any(on_rectangle(boxes[other], hull.x, hull.y) for other in kept):
            kept.append(index)
    return kept


def _raw_scores(
    raw: Picture,
    surveyed: Survey | None,
    classifier: WindowScorer,
    view: NetworkView,
    centers: Floats,
    scoring: Scoring,
) -> Steps[npt.NDArray[np.float32]]:
    """The best score of the raw picture around each centre (n,), scored as the search was."""
    raw_view = surveyed.view if surveyed else NetworkView(raw, view.net_gsd_m)
    share = np.array([raw_view.width / view.width, raw_view.height / view.height])
    result = np.zeros(len(centers), np.float32)
    for number, center in enumerate(centers):
        place = center * share
        result[number] = (
            surveyed.best_near(place)
            if surveyed
            else score_near(raw_view, classifier, place, scoring)
        )
        yield Progress("measure", number + 1, len(centers), "ships", "comparing with raw image")
    return result


def _near_gap(picture: Picture, view: NetworkView, center: Floats, reach_m: float) -> bool:
    """Whether a pixel without data lies within so many ground metres of a centre (network px)."""
    grid = picture.grid
    share = np.array([grid.width / view.width, grid.height / view.height])
    gsd_m = np.array([grid.gsd_x_m, grid.gsd_y_m])
    middle, reach = center * share, reach_m / gsd_m
    last = [grid.width, grid.height]
    x0, y0 = np.clip(np.floor(middle - reach), 0, last).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(middle + reach), 0, last).astype(int).tolist()
    _, covered = picture.read(x0, y0, x1, y1)
    rows, columns = np.nonzero(~covered)
    away = (np.stack([columns + x0, rows + y0], axis=-1) + 0.5 - middle) * gsd_m
    return bool((np.hypot(away[:, 0], away[:, 1]) < reach_m).any())


def _detection(
    hull: Hull, score_value: float, view: NetworkView, searched: Grid, reported: Grid
) -> Detection:
    """A hull in network pixels as a detection in pixels of the reported grid."""
    share = np.array([reported.width / view.width, reported.height / view.height])
    net_corners = hull.corners
    corners = net_corners * share
    x, y = np.array([hull.x, hull.y]) * share
    length_m, width_m = hull.length * view.net_gsd_m, hull.width * view.net_gsd_m
    # An end within a pixel and a half of the searched picture's edge goes on beyond it.
    edge = 1.5 * np.array([view.width / searched.width, view.height / searched.height])
    edge = np.maximum(edge, 1.0)
    cut = bool(
        (net_corners.min(axis=0) < edge).any()
        or (net_corners.max(axis=0) > np.array([view.width, view.height]) - edge).any()
    )
    detection = Detection(
        0, score_value, float(x), float(y), corners, length_m, width_m, hull.axis_deg, cut=cut
    )
    if not reported.georeferenced:
        return detection
    lonlat = reported.lonlat([[x, y]])[0]
    outline = reported.lonlat(corners)
    # On a picture that is not north-up the axis on the ground differs from that in the picture.
    bow, stern = outline[:2].mean(axis=0), outline[2:].mean(axis=0)
    axis = bearing_deg(stern, bow) % 180.0 if distance_m(stern, bow) > 0 else hull.axis_deg
    return replace(
        detection,
        lon=float(lonlat[0]),
        lat=float(lonlat[1]),
        corners_lonlat=outline,
        axis_deg=axis,
    )
