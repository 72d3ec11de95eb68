"""The detector: a mosaic and a classifier in, ships out."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from shipdet.detect.hull import Hull
from shipdet.detect.measuring import MEASURE_GSD_M, Piece, cut_piece, measure, measure_free
from shipdet.detect.merging import MERGE_SHARE, merge, peaks
from shipdet.detect.scoring import Scoring, WindowScorer, score_near, score_windows
from shipdet.detect.surveying import Survey, survey
from shipdet.detect.view import NetworkView
from shipdet.detect.views import mean_score, with_views
from shipdet.detections import Detection, Detections
from shipdet.geometry import Floats, Grid, bearing_deg, distance_m, on_rectangle
from shipdet.models.config import Views
from shipdet.models.devices import cpu_threads
from shipdet.mosaic import Picture
from shipdet.progress import Progress, Steps

WIDE = 2.0  # times the window: the longest ships fill no more of it than 200 m of one
#: Of the floor: what a map of scores gives so much may still be a ship at the second look.
GLANCE_SHARE = 0.1
LOOKS: Views = 8  # views of what has been found
LOOKED_AT_ONCE = 8  # candidates between two chances to cancel: as many windows as in a canvas
#: Of a window: a free hull of this length or more counts when only a wide window has seen it.
LONG_SHARE = 0.6


@dataclass(frozen=True)
class _Peak:
    """What could be a ship: ``center`` (2,) in pixels of the mosaic, ``net_gsd_m`` the metres per
    network pixel of the windows that found it, whether those were the ``wide`` ones."""

    score: float
    center: Floats
    net_gsd_m: float
    wide: bool


@dataclass(frozen=True)
class _Candidate:
    peak: _Peak
    hull: Hull


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

    Places are looked at through two windows, the second :data:`WIDE` times as wide: a ship longer
    than a window is never seen whole in one, and scores low. What has been found and measured is
    looked at once more, in the middle of a window and from all sides.
    """
    windows_m = (window_m, WIDE * window_m)
    surveys = yield from survey(
        mosaic, classifier, windows_m=windows_m, stride_px=stride_px, scoring=scoring
    )
    found: list[_Peak] = []
    for size_m, surveyed in zip(windows_m, surveys, strict=True):
        view = surveyed.view
        centers, scores = peaks(surveyed.score_map, GLANCE_SHARE * floor)
        kept = merge(centers * view.net_gsd_m, scores, MERGE_SHARE * size_m)
        found += [
            _Peak(float(value), center, view.net_gsd_m, size_m > window_m)
            for center, value in zip(view.to_mosaic(centers[kept]), scores[kept], strict=True)
        ]
    fine = NetworkView(mosaic, MEASURE_GSD_M)
    candidates = yield from _measured(fine, found, LONG_SHARE * window_m)
    candidates = _one_per_hull(candidates)
    views = [surveyed.view for surveyed in surveys]
    candidates = yield from _looked_at_again(views, fine, classifier, candidates)
    candidates = [candidate for candidate in candidates if candidate.peak.score >= floor]

    support: list[float] | None = None
    if raw is not None and candidates:
        support = yield from _raw_scores(
            raw, raw_survey, classifier, mosaic.grid, candidates, scoring
        )
    reported = raw if raw is not None else mosaic
    ships = []
    for number, candidate in enumerate(candidates):
        peak = candidate.peak
        detection = _detection(candidate.hull, peak.score, fine, mosaic.grid, reported.grid)
        ships.append(
            replace(
                detection,
                id=number + 1,
                near_gap=_near_gap(reported, mosaic.grid, peak.center, window_m / 2),
                raw_score=None if support is None else support[number],
            )
        )
    return Detections(tuple(ships), floor)


def _measured(view: NetworkView, found: list[_Peak], long_m: float) -> Steps[list[_Candidate]]:
    """The peaks with their hulls, without those of wide windows that are not what these are for.

    The pieces of the picture are cut here, where no other thread reads it, and measured by several.
    """
    yield Progress("measure", 0, len(found), "candidates")
    candidates: list[_Candidate] = []
    workers = cpu_threads()
    with ThreadPoolExecutor(workers, "measure") as pool:
        waiting: deque[tuple[_Peak, Future[tuple[Hull, ...]]]] = deque()
        todo = iter(found)
        for done in range(1, len(found) + 1):
            for peak in islice(todo, workers + 1 - len(waiting)):
                x, y = view.from_mosaic(peak.center)[0].tolist()
                waiting.append(
                    (peak, pool.submit(_hulls, cut_piece(view, x, y), peak.wide, long_m))
                )
            peak, future = waiting.popleft()
            candidates += [_Candidate(peak, hull) for hull in future.result()]
            yield Progress("measure", done, len(found), "candidates")
    return candidates


def _hulls(piece: Piece, wide: bool, long_m: float) -> tuple[Hull, ...]:
    """The hulls at a peak; at one that wide windows have found, only what they are for.

    Their scores alone would add breakwaters and islands; a hull that stands free in the water and
    is too long for a window is a ship.
    """
    if not wide:
        return measure(piece)
    hulls = measure_free(piece)
    return hulls if hulls and hulls[0].length * piece.gsd_m >= long_m else ()


def _one_per_hull(candidates: list[_Candidate]) -> list[_Candidate]:
    """Best first, without those whose centre lies on the hull of a better one: one ship may have
    several peaks, and be found by windows of both sizes."""
    kept: list[_Candidate] = []
    boxes: list[Floats] = []
    for candidate in sorted(candidates, key=lambda c: -c.peak.score):
        hull = candidate.hull
        if not any(on_rectangle(box, hull.x, hull.y) for box in boxes):
            kept.append(candidate)
            boxes.append(hull.corners)
    return kept


def _looked_at_again(
    views: list[NetworkView],
    measured: NetworkView,
    classifier: WindowScorer,
    candidates: list[_Candidate],
) -> Steps[list[_Candidate]]:
    """Candidates whose scores are the mean, as log odds, of the one that they were found by and
    of a window on its own with the hull in its middle, from :data:`LOOKS` sides; best first.

    A map of scores knows places to a cell, and what it says of a cell depends on where in it a
    ship lies; of the windows that it is made of, none was ever cut around that ship. ``views`` are
    those that were searched, one for each size of window.
    """
    careful = with_views(classifier, LOOKS)
    result: list[_Candidate] = []
    for view in views:
        some = [c for c in candidates if c.peak.net_gsd_m == view.net_gsd_m]
        some.sort(key=lambda c: c.hull.y)  # down the picture, as it is read fastest
        for first in range(0, len(some), LOOKED_AT_ONCE):
            batch = some[first : first + LOOKED_AT_ONCE]
            places = measured.to_mosaic([[c.hull.x, c.hull.y] for c in batch])
            looked = score_windows(view, careful, view.from_mosaic(places))
            for candidate, value in zip(batch, looked.tolist(), strict=True):
                peak = candidate.peak
                if not np.isnan(value):  # a hull's middle may lie where there is no data
                    peak = replace(peak, score=mean_score(peak.score, value))
                result.append(replace(candidate, peak=peak))
            yield Progress("measure", len(result), len(candidates), "ships", "looking once more")
    return sorted(result, key=lambda c: -c.peak.score)


def _raw_scores(
    raw: Picture,
    surveyed: Survey | None,
    classifier: WindowScorer,
    searched: Grid,
    candidates: list[_Candidate],
    scoring: Scoring,
) -> Steps[list[float]]:
    """The best score of the raw picture around each candidate, scored as the search was."""
    share = np.array([raw.grid.width / searched.width, raw.grid.height / searched.height])
    peaks_found = [candidate.peak for candidate in candidates]
    views = {peak.net_gsd_m: NetworkView(raw, peak.net_gsd_m) for peak in peaks_found}
    result: list[float] = []
    for peak in peaks_found:
        view = views[peak.net_gsd_m]
        place = view.from_mosaic(peak.center * share)[0]
        known = surveyed is not None and surveyed.view.net_gsd_m == peak.net_gsd_m
        result.append(
            surveyed.best_near(place)
            if surveyed is not None and known
            else score_near(view, classifier, place, scoring)
        )
        yield Progress("measure", len(result), len(candidates), "ships", "comparing with raw image")
    return result


def _near_gap(picture: Picture, searched: Grid, center: Floats, reach_m: float) -> bool:
    """Whether a pixel without data lies within so many ground metres of a centre, which is in
    pixels of the searched picture."""
    grid = picture.grid
    share = np.array([grid.width / searched.width, grid.height / searched.height])
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
