"""Detect ships in an image with a classifier that has a map head."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from shipdet.detect.candidates import Candidates, suppressed
from shipdet.detect.surveying import Survey, survey
from shipdet.detect.view import NetworkView
from shipdet.detections import Detection, Detections, Sighted
from shipdet.geometry import Floats, Grid, bearing_deg, distance_m, rectangle
from shipdet.models.map_channels import MAP_STRIDE_PX
from shipdet.models.runtime import Classifier
from shipdet.mosaic import Picture
from shipdet.progress import Progress, Steps


@dataclass(frozen=True)
class Found:
    """The result of a search: the ships, and the survey that they come from."""

    detections: Detections
    survey: Survey


def detect(
    picture: Picture,
    classifier: Classifier,
    *,
    raw: Picture | None = None,
    raw_survey: Survey | None = None,
    floor: float = 0.1,
    counts: Callable[[Detection], bool] = lambda _: True,
) -> Steps[Found]:
    """Find the ships in an image.

    Args:
        picture: The image to search.
        classifier: A model with a map head.
        raw: The image before super-resolution, if any. Results are then in its pixels, and each
            ship also gets the best score in ``raw`` at its position.
        raw_survey: The survey of ``raw``, if there is one already.
        floor: Lowest score that is kept.
        counts: Selects the ships to report in ``Progress.sighted`` during the search.

    Yields:
        Progress, with the ships sighted so far.

    Returns:
        The ships, highest score first, and the survey of ``picture``.

    Raises:
        BadModel: The model has no map head.
        OutOfMemory: The device's memory is too small for one canvas.

    Example:
        >>> found = finish(detect(mosaic, load_classifier()))
        >>> len(found.detections)
    """
    reported = raw if raw is not None else picture
    sighted: list[Detection] = []

    def sight(view: NetworkView, more: Candidates) -> Sighted:
        once = suppressed(more)
        for box, score in zip(once.boxes, once.scores, strict=True):
            ship = _detection(box, float(score), view, picture.grid, reported.grid)
            if counts(ship):
                sighted.append(ship)
        return Sighted(tuple(sighted), reported.grid.width, reported.grid.height)

    surveyed = yield from survey(
        picture, classifier, sensor_gsd_m=reported.grid.gsd_m, floor=floor, sight=sight
    )
    view, candidates = surveyed.view, surveyed.candidates
    support: list[float] | None = None
    if raw is not None and len(candidates):
        support = yield from _raw_scores(raw, raw_survey, classifier, surveyed)
    margin_m = classifier.config.shipdet.window_m / 2
    ships = []
    for number, (box, score) in enumerate(zip(candidates.boxes, candidates.scores, strict=True)):
        detection = _detection(box, float(score), view, picture.grid, reported.grid)
        ships.append(
            replace(
                detection,
                id=number + 1,
                near_gap=_near_gap(reported, np.array([detection.x, detection.y]), margin_m),
                raw_score=None if support is None else support[number],
            )
        )
    return Found(Detections(tuple(ships), floor), surveyed)


def _raw_scores(
    raw: Picture, known: Survey | None, classifier: Classifier, surveyed: Survey
) -> Steps[list[float]]:
    """Return the best score in the raw image at the position of each candidate."""
    centers = surveyed.candidates.boxes[:, :2]
    share = np.array([raw.grid.width / surveyed.view.width, raw.grid.height / surveyed.view.height])
    if known is None:
        known = yield from survey(raw, classifier)
    places = known.view.from_mosaic(centers * share)
    yield Progress("compare", len(places), len(places), "ships")
    return [known.best_near(place) for place in places]


def _near_gap(picture: Picture, center: Floats, reach_m: float) -> bool:
    """Whether a pixel without data lies within ``reach_m`` ground meters of a center in pixels."""
    grid = picture.grid
    gsd_m = np.array([grid.gsd_x_m, grid.gsd_y_m])
    reach = reach_m / gsd_m
    last = [grid.width, grid.height]
    x0, y0 = np.clip(np.floor(center - reach), 0, last).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(center + reach), 0, last).astype(int).tolist()
    _, covered = picture.read(x0, y0, x1, y1)
    if covered.all():
        return False
    rows, columns = np.nonzero(~covered)
    away = (np.stack([columns + x0, rows + y0], axis=-1) + 0.5 - center) * gsd_m
    return bool((np.hypot(away[:, 0], away[:, 1]) < reach_m).any())


def _detection(
    box: Floats, score: float, view: NetworkView, searched: Grid, reported: Grid
) -> Detection:
    """Convert a box (5,) in network pixels to a detection in pixels of the reported grid."""
    share = np.array([reported.width / view.width, reported.height / view.height])
    # Directions are clockwise from up; a box's angle is from +x towards +y.
    axis_deg = float((np.degrees(box[4]) + 90.0) % 180.0)
    corners_net = rectangle((box[0], box[1]), box[2], box[3], axis_deg)
    corners = corners_net * share
    x, y = box[:2] * share
    # A ship is cut if its distance from the edge is less than 1.5 pixels of the searched image, or
    # less than one cell of the map.
    edge = 1.5 * np.array([view.width / searched.width, view.height / searched.height])
    edge = np.maximum(edge, MAP_STRIDE_PX)
    cut = bool(
        (corners_net.min(axis=0) < edge).any()
        or (corners_net.max(axis=0) > np.array([view.width, view.height]) - edge).any()
    )
    length_m, width_m = float(box[2] * view.net_gsd_m), float(box[3] * view.net_gsd_m)
    detection = Detection(
        0, score, float(x), float(y), corners, length_m, width_m, axis_deg, cut=cut
    )
    if not reported.georeferenced:
        return detection
    lonlat = reported.lonlat([[x, y]])[0]
    outline = reported.lonlat(corners)
    # If the image is not north-up, the axis on the ground differs from the axis in the image.
    bow, stern = outline[:2].mean(axis=0), outline[2:].mean(axis=0)
    axis = bearing_deg(stern, bow) % 180.0 if distance_m(stern, bow) > 0 else axis_deg
    return replace(
        detection,
        lon=float(lonlat[0]),
        lat=float(lonlat[1]),
        corners_lonlat=outline,
        axis_deg=axis,
    )
