"""Read all labeled sets: images, their scale, their ships, and where labels are complete.

In each task a pixel is positive, negative or unknown. :data:`RULES` states what each set labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from shipdet.geometry import gsd_at, lonlat_to_pixel, rectangle
from shipdet.imagery import sample
from training.data import datasets
from training.paths import LABELS, data_root

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

WATER, LAND, UNKNOWN = 255, 0, 128
#: The ship in an upright box with at least this aspect ratio is parallel to the image.
PARALLEL = 3.2
#: Length of a ship divided by the diagonal of its upright box; below 1 because hulls are pointed.
DIAGONAL = 0.96


@dataclass(frozen=True, eq=False)  # comparing arrays does not give a bool
class LabeledShip:
    """A labeled ship.

    Attributes:
        corners: (4, 2) pixels; the first edge runs along the length if ``axis`` is true.
        axis: Whether the direction of the keel, and thus length and width, is known.
        outline: (n, 2) pixels of the hull, or the corners as an approximation; None if unknown.
        kind: Type of ship, as named by the set.
    """

    corners: Floats
    axis: bool
    outline: Floats | None
    kind: str = "ship"

    @property
    def center(self) -> Floats:
        """Center (2,) in pixels."""
        return np.asarray(self.corners.mean(axis=0))


@dataclass(frozen=True)
class LabeledImage:
    """An image with its labels.

    Attributes:
        name: Set and file, for example "ge-ports/PE_001.jpg".
        path: Image file.
        gsd_m: Meters per pixel (across, down).
        place: Place shown in the image; images of one place are always in the same fold.
        ships: Labeled ships.
        unknown: Polygons (n, 2) in pixels that may contain unlabeled ships.
        scaled: Whether the scale is known. If not, ``gsd_m`` is an estimate.
        complete: False if unlabeled ships are possible anywhere outside the labeled hulls.
        smallest_m: Ships shorter than this are not labeled in the set.
        water: Path of a water mask, or "land" or "water" if the image shows nothing else.
        water_values: Encoding of the mask, see :func:`read_water`.
        painted: Hand-drawn (class value, polygon) pairs, painted over ``water``.
        painted_base: Class value outside the hand-drawn polygons; replaces ``water``.
    """

    name: str
    path: Path
    gsd_m: tuple[float, float]
    place: str
    ships: tuple[LabeledShip, ...] = ()
    unknown: tuple[Floats, ...] = ()
    scaled: bool = True
    complete: bool = True
    smallest_m: float = 25.0
    water: Path | Literal["land", "water"] | None = None
    water_values: str = "mask"
    painted: tuple[tuple[int, Floats], ...] = ()
    painted_base: int | None = None

    @property
    def mean_gsd_m(self) -> float:
        """Meters per pixel, the geometric mean of both directions."""
        return math.sqrt(math.prod(self.gsd_m))

    @property
    def source(self) -> str:
        """The set that the image belongs to."""
        return self.name.split("/")[0]

    def read(self) -> Picture:
        """Read the image as uint8 (height, width, 3) RGB.

        Raises:
            FileNotFoundError: The file is missing or is not an image.
        """
        return datasets.read_picture(self.path)

    def length_m(self, ship: LabeledShip) -> float:
        """Return a ship's length in meters; without a known axis, estimated from the diagonal."""
        corners = ship.corners * np.array(self.gsd_m)
        sides = np.linalg.norm(np.diff(corners, axis=0, append=corners[:1]), axis=1)
        if ship.axis:
            return float((sides[0] + sides[2]) / 2)
        return float(DIAGONAL * np.hypot(sides[0], sides[1]))


def read_water(image: LabeledImage, height: int, width: int) -> Picture | None:
    """Read the water mask of an image.

    ``image.water_values`` is one of:

    - "mask": bright pixels are water, dark ones land, others unknown.
    - "black-unknown": the same, but areas that are black in the image, and land within 2 px of
      water, are unknown.
    - "ndwi": the same as "mask", but ships, piers and glint are marked as land, so only land well
      inland is certain.
    - "dubai": a mask of land cover in six colors.

    Returns:
        uint8 (height, width): 255 water, 0 land or structures, 128 unknown. None without a mask.
    """
    known: Picture | None = None
    if image.water == "land":
        known = np.full((height, width), LAND, np.uint8)
    elif image.water == "water":
        known = np.full((height, width), WATER, np.uint8)
    elif isinstance(image.water, Path):
        known = _read_mask(image, image.water)
    if image.painted_base is not None:
        known = np.full((height, width), image.painted_base, np.uint8)
    if image.painted:
        known = np.full((height, width), UNKNOWN, np.uint8) if known is None else known.copy()
        for value, polygon in image.painted:
            cv2.fillPoly(known, [np.round(polygon).astype(np.int32)], int(value))
    return known


def _read_mask(image: LabeledImage, path: Path) -> Picture:
    if image.water_values == "dubai":
        colors = datasets.read_picture(path).astype(np.int16)
        known = np.full(colors.shape[:2], LAND, np.uint8)
        known[(np.abs(colors - (0xE2, 0xA9, 0x29)) < 24).all(axis=2)] = WATER
        known[(np.abs(colors - (0x9B, 0x9B, 0x9B)) < 24).all(axis=2)] = UNKNOWN
        return known
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise FileNotFoundError(f"cannot read {path}: set SHIPDET_DATA to the image sets")
    known = np.full(mask.shape, UNKNOWN, np.uint8)
    known[mask > 200] = WATER
    known[mask < 55] = LAND
    if image.water_values == "black-unknown":
        known[cv2.erode((image.read().max(axis=2) < 8).astype(np.uint8), np.ones((5, 5))) > 0] = (
            UNKNOWN
        )
    if image.water_values in ("ndwi", "black-unknown"):
        # The shore in coarse masks is accurate to about a pixel, and ships are marked as land.
        water = (known == WATER).astype(np.uint8)
        land = (known == LAND).astype(np.uint8)
        near_water = cv2.dilate(water, np.ones((5, 5), np.uint8)) > 0
        known[near_water & (known == LAND)] = UNKNOWN
        if image.water_values == "ndwi":
            inland = cv2.erode(land, np.ones((31, 31), np.uint8)) > 0
            inland = cv2.dilate(inland.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
            known[(known == LAND) & ~inland] = UNKNOWN
    return known


def ship_of(entry: dict[str, Any]) -> LabeledShip:
    """Return a ship from an entry of labels.json with corners, an outline or an upright box."""
    kind = str(entry.get("kind", "ship"))
    if "corners" in entry:
        corners = np.array(entry["corners"], np.float64)
        return LabeledShip(corners, True, corners, kind)
    if "poly" in entry and len(entry["poly"]) >= 3:
        outline = np.array(entry["poly"], np.float64).reshape(-1, 2)
        return LabeledShip(boxed(outline), True, outline, kind)
    return upright(entry["box"], kind)


def boxed(outline: Floats) -> Floats:
    """Return the corners of the smallest oriented box around an outline (n, 2), length first."""
    corners = cv2.boxPoints(cv2.minAreaRect(outline.astype(np.float32))).astype(np.float64)
    first, second = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[1])
    return corners if first >= second else np.roll(corners, -1, axis=0)


def upright(box: Sequence[float], kind: str = "ship") -> LabeledShip:
    """Return the ship in the box [x0, y0, x1, y1]; its axis is known only if the box is narrow."""
    x0, y0, x1, y1 = box
    width, height = abs(x1 - x0), abs(y1 - y0)
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64)
    if height > width:
        corners = np.roll(corners, -1, axis=0)
    long = max(width, height) >= PARALLEL * min(width, height)
    return LabeledShip(corners, long, corners if long else None, kind)


def _rectangle(box: Sequence[float]) -> Floats:
    x0, y0, x1, y1 = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64)


@dataclass(frozen=True)
class SetRule:
    """How to read a set in labels.json format; see :class:`LabeledImage` for the values."""

    smallest_m: float = 25.0
    gsd_m: float | None = None  # used if the set states none
    complete: bool | None = None  # overrides the value of the set
    water_values: str = "mask"
    subfolder: str = ""
    keep: Callable[[dict[str, Any]], bool] = field(default=lambda _entry: True)


RULES: dict[str, SetRule] = {
    "planet-ports": SetRule(),
    "naval-harbours": SetRule(),
    "ge-ports": SetRule(smallest_m=30.0),
    "planet-corsica": SetRule(smallest_m=9.0),
    "planet-denmark": SetRule(complete=False),
    "google-earth": SetRule(smallest_m=15.0),
    "sentinel2-ports": SetRule(smallest_m=60.0, water_values="ndwi"),
    "mekong-planet": SetRule(smallest_m=12.0),
    "river-barges": SetRule(smallest_m=12.0),
    "s2-anchorages": SetRule(smallest_m=60.0, complete=True),
    "aquaculture": SetRule(smallest_m=8.0, gsd_m=0.5),
}

#: Sets of estimated scale.
UNSCALED = ("aquaculture", "ships-aerial")


def read_set(name: str, root: Path | None = None) -> list[LabeledImage]:
    """Read a set in labels.json format and apply our corrections.

    Args:
        name: Folder below the data root, a key of `RULES`.
        root: Data root; `data_root` if None.
    """
    root = root or data_root()
    rule, folder = RULES[name], root / name
    corrections = _corrections()
    images = []
    for entry in json.loads((folder / "labels.json").read_text())["images"]:
        full = f"{name}/{entry['file']}"
        correction = corrections.get(full, {})
        if "exclude" in correction:
            continue
        dropped = set(correction.get("remove", ()))
        ships = [ship_of(s) for n, s in enumerate(entry["ships"]) if n not in dropped]
        ships += [ship_of(s) for s in correction.get("add", ())]
        guess = rule.gsd_m
        gsd = (entry["gsd_x_m"] or guess, entry["gsd_y_m"] or guess)
        water = entry.get("water_mask") or entry.get("water")
        complete = entry["complete"] if rule.complete is None else rule.complete
        images.append(
            LabeledImage(
                name=full,
                path=_existing(folder, entry["file"]),
                gsd_m=gsd,
                place=place_of(name, entry),
                ships=tuple(ships),
                unknown=tuple(
                    _rectangle(box)
                    for box in [*entry.get("unknown", ()), *correction.get("unknown", ())]
                ),
                scaled=name not in UNSCALED,
                complete=complete,
                smallest_m=rule.smallest_m,
                water=folder / water if water else None,
                water_values=rule.water_values,
            )
        )
    return images


def place_of(name: str, entry: dict[str, Any]) -> str:
    """Return the place that an image shows; dates and crops of one port share a place."""
    group = str(entry.get("group") or entry["file"])
    if name == "planet-ports":
        return f"{name}/{group.split('/')[0]}"
    if name == "ge-ports" and group.startswith("bck"):
        return f"{name}/{Path(entry['file']).stem}"
    if name == "planet-corsica":
        return name
    if name == "mekong-planet":
        return name
    return f"{name}/{group}"


def _existing(folder: Path, file: str) -> Path:
    for below in ("", "images", "pictures"):
        path = folder / below / file
        if path.exists():
            return path
    return folder / file


def _corrections() -> dict[str, dict[str, Any]]:
    path = LABELS / "corrections.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return found


def own_scenes(root: Path | None = None) -> list[LabeledImage]:
    """Read the images with labels in training/labels, and the sets that these labels extend."""
    root = root or data_root()
    images = []
    for name in ("planet-scenes", "planet-land", "harbours", "mosaics", "aid/Port"):
        for scene in datasets.load_set(name, root):
            if "guaymas" in scene.name or scene.gsd_m is None:
                continue  # boxes and numbers are burned into the guaymas images
            painted = [(WATER, polygon) for polygon in scene.sea]
            painted += [(LAND, polygon) for polygon in scene.islands]
            coarse = scene.gsd_m > 7.0
            images.append(
                LabeledImage(
                    name=scene.name,
                    path=scene.path,
                    gsd_m=(scene.gsd_m, scene.gsd_m),
                    place=_own_place(scene.name),
                    ships=tuple(_from_scene(ship) for ship in scene.ships),
                    unknown=scene.unknown,
                    scaled=not scene.name.startswith("aid"),
                    complete=scene.complete,
                    smallest_m=60.0 if coarse else 10.0,
                    painted=tuple(painted),
                )
            )
    return images


def _own_place(name: str) -> str:
    for place in ("aglericas", "victoria"):
        if place in name:
            return f"mosaics/{place}"
    return name


def _from_scene(ship: datasets.Ship) -> LabeledShip:
    if not ship.upright:
        sides = np.linalg.norm(np.diff(ship.corners, axis=0, append=ship.corners[:1]), axis=1)
        corners = ship.corners if sides[0] >= sides[1] else np.roll(ship.corners, -1, axis=0)
        return LabeledShip(corners, True, corners, ship.kind)
    low, high = ship.corners.min(axis=0), ship.corners.max(axis=0)
    return upright([*low, *high], ship.kind)


def ships_aerial(root: Path | None = None) -> list[LabeledImage]:
    """Read Google-Earth-style crops of unknown scale with a box around every boat."""
    root = root or data_root()
    return [
        LabeledImage(
            name=scene.name,
            path=scene.path,
            gsd_m=(0.4, 0.4),
            place=scene.name,
            ships=tuple(_from_scene(ship) for ship in scene.ships),
            scaled=False,
            smallest_m=5.0,
        )
        for scene in datasets.ships_aerial(root)
    ]


def _plain(
    folder: Path, name: str, gsd_m: float, water: Literal["land", "water"] | None
) -> list[LabeledImage]:
    return [
        LabeledImage(
            f"{name}/{path.name}", path, (gsd_m, gsd_m), f"{name}/{path.stem}", (), water=water,
            scaled=False,
        )
        for path in sorted([*folder.glob("*.jpg"), *folder.glob("*.png"), *folder.glob("*.jpeg")])
        if "mask" not in path.stem
    ]  # fmt: skip


def land(root: Path | None = None) -> list[LabeledImage]:
    """Read images without significant water: dry classes of AID, RESISC and EuroSAT."""
    root = root or data_root()
    images = []
    for kind in datasets.AID_DRY:
        images += _plain(root / "aid" / kind, f"aid/{kind}", 3.0, "land")
    for kind in ("commercial_area", "industrial_area"):
        images += _plain(root / "resisc" / kind, f"resisc/{kind}", 1.0, "land")
    for kind in ("Highway", "Industrial", "Residential"):
        images += _plain(root / "eurosat" / kind, f"eurosat/{kind}", 10.0, "land")
    return images


def shores(root: Path | None = None) -> list[LabeledImage]:
    """Read images of water and shores without a visible ship of 25 m or more."""
    root = root or data_root()
    images = [
        LabeledImage(s.name, s.path, (3.0, 3.0), s.name, (), scaled=False)
        for s in datasets.aid_shore(root)
    ]
    for kind in ("beach", "island", "wetland"):
        images += _plain(root / "resisc" / kind, f"resisc/{kind}", 1.0, None)
    images += _plain(root / "eurosat" / "SeaLake", "eurosat/SeaLake", 10.0, "water")
    return images


def water_bodies(root: Path | None = None) -> list[LabeledImage]:
    """Read Sentinel-2 images with water masks; ships are too small to be visible in them."""
    root = root or data_root()
    folder = root / "water-bodies"
    images = []
    for mask in sorted((folder / "masks").iterdir()):
        found = [p for p in folder.rglob(f"{mask.stem}.*") if p.parent.name != "masks"]
        if found:
            images.append(
                LabeledImage(
                    f"water-bodies/{found[0].name}", found[0], (10.0, 10.0),
                    f"water-bodies/{mask.stem}", (), scaled=False, smallest_m=60.0, water=mask,
                    water_values="black-unknown",
                )
            )  # fmt: skip
    return images


def dubai(root: Path | None = None) -> list[LabeledImage]:
    """Read aerial images of Dubai with masks of six classes."""
    root = root or data_root()
    return [
        LabeledImage(
            f"dubai-landcover/{path.name}", path, (0.8, 0.8), "dubai-landcover", (), scaled=False,
            smallest_m=60.0, water=path.with_name(f"{path.stem}_mask.png"), water_values="dubai",
        )
        for path in sorted((root / "dubai-landcover").glob("*.jpg"))
    ]  # fmt: skip


def clouds(root: Path | None = None) -> list[LabeledImage]:
    """Read PlanetScope images of clouds, without ships."""
    root = root or data_root()
    files = sorted(p for p in (root / "planet-clouds").rglob("*") if p.suffix in (".jpg", ".png"))
    return [
        LabeledImage(
            f"planet-clouds/{p.name}", p, (3.7, 3.7), f"planet-clouds/{p.stem}", (), scaled=False
        )
        for p in files
    ]


def with_waters(images: list[LabeledImage], folder: Path = LABELS / "waters") -> list[LabeledImage]:
    """Add the hand-drawn water of training/labels/waters to the images that have it."""
    values = {"water": WATER, "land": LAND, "unknown": UNKNOWN}
    drawn = {}
    for path in sorted(folder.glob("*.json")):
        entry = json.loads(path.read_text())
        polygons = tuple(
            (values[p["class"]], np.array(p["points"], np.float64)) for p in entry["polygons"]
        )
        drawn[entry["image"]] = (values[entry["base"]], polygons)
    return [
        replace(image, painted_base=drawn[image.name][0], painted=drawn[image.name][1])
        if image.name in drawn
        else image
        for image in images
    ]


def sample_harbor() -> list[LabeledImage]:
    """Return the app's synthetic sample with its ground truth."""
    folder = Path(sample.__file__).parent
    entry = json.loads((folder / "harbor.json").read_text())
    gsd = gsd_at(0.0, entry["zoom"])
    ships = []
    for ship in entry["ships"]:
        x, y = lonlat_to_pixel([ship["lon"], ship["lat"]], entry["zoom"])
        center = (float(x) - entry["left_px"], float(y) - entry["top_px"])
        size = ship["length_m"] / gsd, ship["width_m"] / gsd
        corners = np.roll(rectangle(center, *size, ship["axis_deg"]), -1, axis=0)
        ships.append(LabeledShip(corners, True, corners, ship["kind"]))
    return [
        LabeledImage(
            "sample/harbor.jpg", folder / "harbor.jpg", (gsd, gsd), "sample", tuple(ships),
            smallest_m=9.0,
        )
    ]  # fmt: skip


def everything(root: Path | None = None) -> list[LabeledImage]:
    """Read the labeled images of all sets.

    Args:
        root: Data root; `data_root` if None.
    """
    root = root or data_root()
    images = [image for name in RULES for image in read_set(name, root)]
    images += own_scenes(root) + ships_aerial(root) + sample_harbor()
    images += land(root) + shores(root) + water_bodies(root) + dubai(root) + clouds(root)
    return with_waters(images)
