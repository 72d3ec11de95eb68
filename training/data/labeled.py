"""Read all labeled sets: pictures, their scale, their ships, and where labels are complete.

In each task a pixel is positive, negative or unknown. :data:`SETS` describes what each set labels.
"""

from __future__ import annotations

import json
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
#: An upright box this many times longer than wide belongs to a ship parallel to the picture.
PARALLEL = 3.2
#: Length of a ship as a part of the diagonal of its upright box: hulls are pointed.
DIAGONAL = 0.96


@dataclass(frozen=True, eq=False)  # arrays are not equal or unequal
class LabeledShip:
    """One ship.

    Attributes:
        corners: (4, 2) pixels; the first edge runs along the length where ``axis`` is known.
        axis: whether the direction of the keel, and with it length and width, is known.
        outline: (n, 2) pixels of the hull; the corners where nothing better is known.
        kind: as the set calls it.
    """

    corners: Floats
    axis: bool
    outline: Floats | None
    kind: str = "ship"

    @property
    def center(self) -> Floats:
        """(2,) pixels."""
        return np.asarray(self.corners.mean(axis=0))


@dataclass(frozen=True)
class LabeledImage:
    """A picture and what is known about it.

    Attributes:
        name: set and file, as in "ge-ports/PE_001.jpg".
        gsd_m: meters per pixel (across, down).
        scaled: whether the scale is known; where not, ``gsd_m`` is a guess and teaches no length.
        ships: labeled ones.
        unknown: (n, 2) polygons, pixels, in which nothing is known about ships.
        complete: False where unlabeled ships may lie anywhere outside the labeled hulls.
        smallest_m: ships shorter than this are not labeled in this set.
        water: path of a water mask, or "land" / "water" where the picture shows nothing else.
        water_values: how the mask's values are to be read, see :func:`read_water`.
        painted: (class value, polygon) pairs drawn by eye, over ``water``.
        place: pictures of one place are never split between folds.
        source: the set.
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
    def source(self) -> str:
        """The set that the picture belongs to."""
        return self.name.split("/")[0]

    def read(self) -> Picture:
        """Pixels, uint8 (height, width, 3) RGB.

        Raises:
            FileNotFoundError: the picture is not below the data's root.
        """
        return datasets.read_picture(self.path)

    def length_m(self, ship: LabeledShip) -> float:
        """A ship's length in meters; from a diagonal where the axis is not known."""
        corners = ship.corners * np.array(self.gsd_m)
        sides = np.linalg.norm(np.diff(corners, axis=0, append=corners[:1]), axis=1)
        if ship.axis:
            return float((sides[0] + sides[2]) / 2)
        return float(DIAGONAL * np.hypot(sides[0], sides[1]))


def read_water(image: LabeledImage, height: int, width: int) -> Picture | None:
    """uint8 (height, width): 255 water, 0 land or built, 128 unknown; None where nothing is known.

    Values: "mask" has these three already; "black-unknown" is white on black where black pixels of
    the picture itself are no data; "ndwi" counts ships, piers and glint as land, so that land near
    water is unknown; "dubai" is six colors.
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
        # Coarse masks: the shore is right to about a pixel, and ships count as land.
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
    """A ship of a labels.json: corners, an outline, or an upright box."""
    kind = str(entry.get("kind", "ship"))
    if "corners" in entry:
        corners = np.array(entry["corners"], np.float64)
        return LabeledShip(corners, True, corners, kind)
    if "poly" in entry and len(entry["poly"]) >= 3:
        outline = np.array(entry["poly"], np.float64).reshape(-1, 2)
        return LabeledShip(boxed(outline), True, outline, kind)
    return upright(entry["box"], kind)


def boxed(outline: Floats) -> Floats:
    """The smallest rotated box around an outline (n, 2), as corners with the length first."""
    corners = cv2.boxPoints(cv2.minAreaRect(outline.astype(np.float32))).astype(np.float64)
    first, second = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[1])
    return corners if first >= second else np.roll(corners, -1, axis=0)


def upright(box: Sequence[float], kind: str = "ship") -> LabeledShip:
    """A ship of [x0, y0, x1, y1]: its axis is known only where the box is long and narrow."""
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
    """What a set of the form labels.json means; see :class:`LabeledImage`."""

    smallest_m: float = 25.0
    gsd_m: float | None = None  # where the set states none
    complete: bool | None = None  # overrides the set's own word
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

#: Sets whose small craft are labeled although the scale is a guess.
UNSCALED = ("aquaculture", "ships-aerial")


def read_set(name: str, root: Path | None = None) -> list[LabeledImage]:
    """A set in the form labels.json, with what was corrected by eye.

    Args:
        name: folder below the data's root.
        root: the data's root; SHIPDET_DATA when None.
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
    """The place that a picture shows, coarser than a set's own group where dates share a port."""
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
    """Scenes with labels in training/labels and the sets of rotated boxes that came first."""
    root = root or data_root()
    images = []
    for name in ("planet-scenes", "planet-land", "harbours", "mosaics", "aid/Port"):
        for scene in datasets.load_set(name, root):
            if "guaymas" in scene.name or scene.gsd_m is None:
                continue  # boxes and numbers are burned into the guaymas pictures
            painted = [(WATER, polygon) for polygon in scene.sea]
            painted += [(LAND, polygon) for polygon in scene.islands]
            coarse = scene.gsd_m > 7.0
            images.append(
                LabeledImage(
                    name=scene.name,
                    path=scene.path,
                    gsd_m=(scene.gsd_m, scene.gsd_m),
                    place=_own_place(scene.name),
                    ships=tuple(_from_old(ship) for ship in scene.ships),
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


def _from_old(ship: datasets.Ship) -> LabeledShip:
    if not ship.upright:
        sides = np.linalg.norm(np.diff(ship.corners, axis=0, append=ship.corners[:1]), axis=1)
        corners = ship.corners if sides[0] >= sides[1] else np.roll(ship.corners, -1, axis=0)
        return LabeledShip(corners, True, corners, ship.kind)
    low, high = ship.corners.min(axis=0), ship.corners.max(axis=0)
    return upright([*low, *high], ship.kind)


def ships_aerial(root: Path | None = None) -> list[LabeledImage]:
    """Google-Earth-style crops of unknown scale in which every boat is boxed."""
    root = root or data_root()
    return [
        LabeledImage(
            name=scene.name,
            path=scene.path,
            gsd_m=(0.4, 0.4),
            place=scene.name,
            ships=tuple(_from_old(ship) for ship in scene.ships),
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
    """Pictures without significant water: dry classes of AID, RESISC and EuroSAT."""
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
    """Pictures of water and shores without a visible ship of 25 m or more."""
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
    """Sentinel-2 pictures with water masks; ships are too small to see in them."""
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
    """Aerial pictures with six-class masks."""
    root = root or data_root()
    return [
        LabeledImage(
            f"dubai-landcover/{path.name}", path, (0.8, 0.8), "dubai-landcover", (), scaled=False,
            smallest_m=60.0, water=path.with_name(f"{path.stem}_mask.png"), water_values="dubai",
        )
        for path in sorted((root / "dubai-landcover").glob("*.jpg"))
    ]  # fmt: skip


def clouds(root: Path | None = None) -> list[LabeledImage]:
    """Clouds seen by PlanetScope, without ships."""
    root = root or data_root()
    files = sorted(p for p in (root / "planet-clouds").rglob("*") if p.suffix in (".jpg", ".png"))
    return [
        LabeledImage(
            f"planet-clouds/{p.name}", p, (3.7, 3.7), f"planet-clouds/{p.stem}", (), scaled=False
        )
        for p in files
    ]


def with_waters(images: list[LabeledImage], folder: Path = LABELS / "waters") -> list[LabeledImage]:
    """Add the hand-drawn water of training/labels/waters to pictures."""
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
    """The app's synthetic sample with its truth: a user's first picture."""
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
    """All labeled pictures of all sets."""
    root = root or data_root()
    images = [image for name in RULES for image in read_set(name, root)]
    images += own_scenes(root) + ships_aerial(root) + sample_harbor()
    images += land(root) + shores(root) + water_bodies(root) + dubai(root) + clouds(root)
    return with_waters(images)
