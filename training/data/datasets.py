"""Readers of the image sets that store boxes or only coordinates, with one `Scene` per image."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.paths import LABELS, data_root

Picture = NDArray[np.uint8]


def read_picture(path: Path) -> Picture:
    """Read an image as uint8 (height, width, 3) RGB.

    Raises:
        FileNotFoundError: The file is missing or is not an image.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"cannot read {path}: set SHIPDET_DATA to the image sets")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Ship:
    """A labeled ship.

    Attributes:
        corners: (4, 2) in image pixels, in order around the box.
        kind: Type of ship, as named by the set.
        length_m: Length in meters; None if unknown.
        upright: Whether the box is parallel to the image axes. The diagonal of such a box, not its
            longer side, is nearest to the ship's length.
    """

    corners: NDArray[np.float64]
    kind: str = "ship"
    length_m: float | None = None
    upright: bool = False

    @property
    def center(self) -> NDArray[np.float64]:
        return self.corners.mean(axis=0)


@dataclass(frozen=True)
class Scene:
    """An image with its labels.

    Attributes:
        name: Set and file, for example "harbours/guaymas_1.jpg".
        path: Image file.
        gsd_m: Meters per pixel; None if unknown.
        ships: Labeled ships.
        unknown: Polygons (n, 2) in image pixels that may contain unlabeled ships.
        sea: Polygons of open water.
        islands: Polygons of land and structures in ``sea``.
        complete: False if unlabeled ships are possible anywhere outside the labeled ones.
        group: Scenes of one group are always in the same part of a grouped split.
    """

    name: str
    path: Path
    gsd_m: float | None
    ships: tuple[Ship, ...] = ()
    unknown: tuple[NDArray[np.float64], ...] = ()
    sea: tuple[NDArray[np.float64], ...] = ()
    islands: tuple[NDArray[np.float64], ...] = ()
    complete: bool = True
    group: str = ""

    def read(self) -> Picture:
        """Read the image as uint8 (height, width, 3) RGB."""
        return read_picture(self.path)


def upright_ship(box: Sequence[float], kind: str = "ship") -> Ship:
    """Return the ship with the upright box [x0, y0, x1, y1]."""
    x0, y0, x1, y1 = box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)
    return Ship(corners, kind, upright=True)


def ships_aerial(root: Path) -> list[Scene]:
    """Read Google-Earth-style crops of unknown scale with a box around every boat."""
    folder = root / "ships-aerial"
    return [
        Scene(
            name=f"ships-aerial/{entry['image']}",
            path=folder / "images" / entry["image"],
            gsd_m=None,
            ships=tuple(upright_ship(box) for box in entry["boxes"]),
            group=entry["image"],
        )
        for entry in json.loads((folder / "boxes.json").read_text())
    ]


def planet_scenes(root: Path) -> list[Scene]:
    """Read the two labeled PlanetScope harbors; in open water, labels are complete."""
    folder = root / "planet-scenes"
    return [
        Scene(
            name=f"planet-scenes/{image}",
            path=folder / image,
            gsd_m=3.0,
            ships=tuple(upright_ship(entry["bbox"], entry["kind"]) for entry in entries),
            group=image,
        )
        for image, entries in json.loads((folder / "boxes.json").read_text()).items()
    ]


def planet_land(root: Path) -> list[Scene]:
    """Read PlanetScope airports and shores without ships."""
    return [
        Scene(f"planet-land/{path.name}", path, 3.0, group=path.name)
        for path in sorted((root / "planet-land").glob("*.jpg"))
    ]


def harbors(root: Path) -> list[Scene]:
    """Read the marina with oriented boxes; the other harbors have only our own labels."""
    folder = root / "harbours"
    return [
        Scene(
            name=f"harbours/{image}",
            path=folder / image,
            gsd_m=float(entry["gsd_m"]),
            ships=tuple(Ship(np.array(s, dtype=np.float64).reshape(4, 2)) for s in entry["ships"]),
            group=image,
        )
        for image, entry in json.loads((folder / "boxes.json").read_text()).items()
    ]


AID_DRY = (
    "Airport", "BareLand", "BaseballField", "Center", "Church", "Commercial", "DenseResidential",
    "Desert", "Farmland", "Forest", "Industrial", "Meadow", "MediumResidential", "Mountain",
    "Park", "Parking", "Playground", "RailwayStation", "School", "SparseResidential", "Square",
    "Stadium", "StorageTanks", "Viaduct",
)  # fmt: skip
"""AID classes without boats: not Port, Beach, River, Pond, Resort, Bridge."""


def aid_land(root: Path) -> list[Scene]:
    """Read aerial scenes without significant water, 2 to 32 m per pixel, exact scale unknown."""
    return [
        Scene(f"aid/{name}/{path.name}", path, None, group=path.name)
        for name in AID_DRY
        for path in sorted((root / "aid" / name).glob("*.jpg"))
    ]


AID_SHORE = ("Beach", "Bridge", "River")
"""AID classes with water; labels/aid_boats.txt lists the few images with boats."""


def aid_shore(root: Path) -> list[Scene]:
    """Read beaches, bridges and rivers without a visible boat of five pixels or more."""
    boats = set((LABELS / "aid_boats.txt").read_text().split())
    paths = [p for name in AID_SHORE for p in sorted((root / "aid" / name).glob("*.jpg"))]
    return [
        Scene(f"aid/{path.parent.name}/{path.name}", path, None, group=path.name)
        for path in paths
        if f"{path.parent.name}/{path.name}" not in boats
    ]


def own_labels(root: Path, folder: Path = LABELS) -> list[Scene]:
    """Read the labels in training/labels: JSON files with one image or a list of images each."""
    scenes = []
    named = (path for path in sorted(folder.glob("*.json")) if path.name != "corrections.json")
    files = (json.loads(path.read_text()) for path in named)
    for entry in itertools.chain.from_iterable(f if isinstance(f, list) else [f] for f in files):
        scenes.append(
            Scene(
                name=entry["image"],
                path=root / entry["image"],
                gsd_m=entry["gsd_m"],
                ships=tuple(
                    Ship(
                        np.array(ship["polygon"], dtype=np.float64),
                        ship.get("kind", "ship"),
                        ship.get("length_m"),
                    )
                    for ship in entry["ships"]
                ),
                **{
                    key: tuple(np.array(p, dtype=np.float64) for p in entry.get(key, []))
                    for key in ("unknown", "sea", "islands")
                },
                complete=bool(entry["complete"]),
                group=Path(entry["image"]).name,
            )
        )
    return scenes


def labeled_only(_root: Path) -> list[Scene]:
    """Return no scenes: the labels of the set are only those of `own_labels`."""
    return []


SETS: dict[str, Callable[[Path], list[Scene]]] = {
    "ships-aerial": ships_aerial,
    "planet-scenes": planet_scenes,
    "planet-land": planet_land,
    "harbours": harbors,
    "aid-land": aid_land,
    "aid-shore": aid_shore,
    "aid/Port": labeled_only,
    "mosaics": labeled_only,
}


def load_set(name: str, root: Path | None = None) -> list[Scene]:
    """Read a set; labels in training/labels extend or replace those of the set.

    Args:
        name: Key of `SETS`.
        root: Data root; `data_root` if None.
    """
    root = root or data_root()
    ours = {scene.name: scene for scene in own_labels(root)}
    scenes = [merged(scene, ours.pop(scene.name, None)) for scene in SETS[name](root)]
    return scenes + [scene for key, scene in ours.items() if key.startswith(f"{name}/")]


def merged(scene: Scene, ours: Scene | None) -> Scene:
    """Merge labels: ours take precedence, but if they have no ships, the set's ships remain."""
    if ours is None:
        return scene
    return Scene(
        name=scene.name,
        path=scene.path,
        gsd_m=ours.gsd_m or scene.gsd_m,
        ships=ours.ships or scene.ships,
        unknown=ours.unknown,
        sea=ours.sea,
        islands=ours.islands,
        complete=ours.complete,
        group=scene.group,
    )
