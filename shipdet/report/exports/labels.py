"""Detections as training labels: COCO, YOLO-OBB and labels.json."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from shipdet.detections import Detection

#: The only class of the labels.
SHIP = "ship"


def coco(ships: Sequence[Detection], image: str, width: int, height: int) -> dict[str, Any]:
    """Return a COCO annotation file of one image.

    Args:
        ships: The detections, in pixels of the image.
        image: The image's file name.
        width: Its width in pixels.
        height: Its height in pixels.

    Returns:
        ``images``, ``categories`` and ``annotations``. ``bbox`` is upright [x, y, width, height],
        ``segmentation`` the oriented box; ``score``, ``length_m`` and ``axis_deg`` extend COCO.
    """
    annotations = []
    for ship in ships:
        x0, y0, x1, y1 = ship.bounds
        annotations.append(
            {
                "id": ship.id,
                "image_id": 1,
                "category_id": 1,
                "bbox": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)],
                "segmentation": [np.round(ship.corners, 2).ravel().tolist()],
                "area": round(_area(ship), 2),
                "iscrowd": 0,
                "score": round(ship.score, 4),
                "length_m": round(ship.length_m, 1),
                "axis_deg": round(ship.axis_deg, 1),
            }
        )
    return {
        "images": [{"id": 1, "file_name": image, "width": width, "height": height}],
        "categories": [{"id": 1, "name": SHIP}],
        "annotations": annotations,
    }


def yolo_obb(ships: Sequence[Detection], image: str, width: int, height: int) -> bytes:
    """Return a ZIP in the layout of a YOLO-OBB data set, without the image.

    Args:
        ships: The detections, in pixels of the image.
        image: The image's file name.
        width: Its width in pixels.
        height: Its height in pixels.

    Returns:
        The ZIP: ``data.yaml`` and ``labels/NAME.txt`` with a line ``0 x1 y1 x2 y2 x3 y3 x4 y4`` per
        ship: its corners as fractions of width and height, clipped to the image.
    """
    lines = []
    for ship in ships:
        shares = np.clip(ship.corners / (width, height), 0.0, 1.0)
        lines.append(" ".join(["0", *(f"{value:.6f}" for value in shares.ravel())]))
    stem = PurePath(image).stem
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("data.yaml", f"train: images\nval: images\nnames:\n  0: {SHIP}\n")
        bundle.writestr(f"labels/{stem}.txt", "".join(f"{line}\n" for line in lines))
    return buffer.getvalue()


def labels_json(
    ships: Sequence[Detection],
    image: str,
    size: tuple[int, int],
    gsd_m: tuple[float, float],
    *,
    complete: bool,
    note: str,
) -> str:
    """Return labels in the format that training reads.

    Args:
        ships: The ships of the image, in its pixels.
        image: The image's file name.
        size: Its width and height in pixels.
        gsd_m: Its meters per pixel in x and y.
        complete: Whether every ship of 25 m and more is labeled.
        note: Where the labels come from.

    Returns:
        JSON text: ``{"note", "images": [{file, width, height, gsd_x_m, gsd_y_m, gsd_source, group,
        complete, ships: [{corners, kind}], unknown, other}]}``. The first edge of ``corners`` lies
        along the ship's length.
    """
    entry = {
        "file": image,
        "width": size[0],
        "height": size[1],
        "gsd_x_m": gsd_m[0],
        "gsd_y_m": gsd_m[1],
        "gsd_source": "shipdet",
        "group": PurePath(image).stem,
        "complete": complete,
        "ships": [{"corners": _lengthwise(ship), "kind": SHIP} for ship in ships],
        "unknown": [],
        "other": [],
    }
    return json.dumps({"note": note, "images": [entry]}, indent=1)


def _lengthwise(ship: Detection) -> list[list[float]]:
    """Return the corners, rotated in order so that the first edge is a long one."""
    corners = ship.corners
    first, second = (float(np.hypot(*(corners[i + 1] - corners[i]))) for i in (0, 1))
    rolled = corners if first >= second else np.roll(corners, -1, axis=0)
    return [[round(float(x), 2), round(float(y), 2)] for x, y in rolled]


def _area(ship: Detection) -> float:
    x, y = ship.corners.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
