"""Acquisitions: the scenes of an area from one pass of a satellite."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import shapely
from shapely.geometry.base import BaseGeometry

#: Longest time between scenes of one pass, which takes seconds over an area.
SAME_PASS = timedelta(minutes=10)
#: An acquisition that covers less than this share of the area gets a note.
FULL_SHARE = 0.99


@dataclass(frozen=True)
class Scene:
    """An item of a STAC API with its image.

    Attributes:
        id: Id of the item.
        tile: Name of its grid cell, such as "MGRS-30STF"; "" if unknown.
        platform: Such as "sentinel-2a"; "" if unknown.
        acquired: Acquisition time, UTC.
        cloud: Cloud cover of the whole scene in percent; None if unknown.
        baseline: Processing baseline, such as "05.10"; "" if unknown.
        href: http(s) URL of the image.
        thumbnail: URL of a thumbnail; "" without one.
        footprint: Where it has data, in degrees.
    """

    id: str
    tile: str
    platform: str
    acquired: datetime
    cloud: float | None
    baseline: str
    href: str = field(repr=False)
    thumbnail: str
    footprint: BaseGeometry = field(repr=False)

    @classmethod
    def of_item(cls, item: dict[str, Any], asset: str) -> Self | None:
        """Read a STAC item; None if it has no such asset, no time or no footprint."""
        try:
            facts, assets = item["properties"], item["assets"]
            href = str(assets[asset]["href"])
            acquired = datetime.fromisoformat(str(facts.get("datetime") or facts["start_datetime"]))
            footprint = shapely.geometry.shape(item["geometry"])
            name = str(item["id"])
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
            return None
        if not href.startswith(("https://", "http://")):
            return None
        cloud = facts.get("eo:cloud_cover")
        return cls(
            name,
            str(facts.get("grid:code") or ""),
            str(facts.get("platform") or ""),
            acquired.replace(tzinfo=UTC) if acquired.tzinfo is None else acquired.astimezone(UTC),
            float(cloud) if isinstance(cloud, int | float) else None,
            str(facts.get("s2:processing_baseline") or facts.get("processing:version") or ""),
            href,
            _thumbnail(assets),
            footprint if footprint.is_valid else shapely.make_valid(footprint),
        )


def _thumbnail(assets: dict[str, Any]) -> str:
    found = assets.get("thumbnail") or assets.get("preview") or assets.get("overview") or {}
    href = str(found.get("href", "")) if isinstance(found, dict) else ""
    return href if href.startswith(("https://", "http://")) else ""


@dataclass(frozen=True)
class Acquisition:
    """The scenes of an area from one pass of a satellite.

    Attributes:
        scenes: Scenes with data in the area, by decreasing coverage.
        coverage: Share of the area in which they have data, 0 to 1.
        cloud: Cloud cover in percent, weighted by the scenes' shares of the area; None if unknown.
            It refers to whole scenes (110 km for Sentinel-2), not to the area.
    """

    scenes: tuple[Scene, ...]
    coverage: float
    cloud: float | None

    @property
    def id(self) -> str:
        """Id of the first scene, which identifies the acquisition in requests."""
        return self.scenes[0].id

    @property
    def acquired(self) -> datetime:
        """Acquisition time, UTC."""
        return self.scenes[0].acquired

    @property
    def thumbnail(self) -> str:
        """URL of a thumbnail of the first scene; "" without one."""
        return self.scenes[0].thumbnail

    @property
    def time(self) -> str:
        """Acquisition time, ISO 8601 to the second."""
        return f"{self.acquired:%Y-%m-%dT%H:%M:%SZ}"

    def public(self) -> dict[str, Any]:
        """Return JSON values for a list of acquisitions."""
        return {
            "id": self.id,
            "acquired": self.time,
            "platform": self.scenes[0].platform,
            "cloud": None if self.cloud is None else round(self.cloud, 1),
            "coverage": round(self.coverage, 3),
            "thumbnail": self.thumbnail,
            "scenes": [scene.id for scene in self.scenes],
        }

    def details(self) -> dict[str, Any]:
        """Return the details for the image's provenance, which are written to run.json."""
        baselines = sorted({scene.baseline for scene in self.scenes if scene.baseline})
        return {
            "acquired": self.time,
            "acquisition": self.id,
            "scenes": [scene.id for scene in self.scenes],
            "platform": self.scenes[0].platform,
            "processing_baseline": ", ".join(baselines),
            "cloud": None if self.cloud is None else round(self.cloud, 1),
            "coverage": round(self.coverage, 3),
        }

    def notes(self) -> tuple[str, ...]:
        """Return notes for the user."""
        if self.coverage >= FULL_SHARE:
            return ()
        share = f"{self.coverage:.0%}" if self.coverage >= 0.01 else "less than 1%"
        return (
            f"The acquisition of {self.acquired:%Y-%m-%d %H:%M} UTC covers {share} of the area: "
            "ships in the rest cannot be found.",
        )


def group(scenes: Iterable[Scene], area: BaseGeometry) -> list[Acquisition]:
    """Group the scenes of an area by pass.

    Scenes of one platform within ``SAME_PASS`` are one acquisition. Of scenes with the same grid
    cell and time, the one with the newest processing baseline counts.

    Args:
        scenes: Scenes in any order.
        area: The area, in degrees.

    Returns:
        Acquisitions with data in the area, newest first.
    """
    passes: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda s: (s.platform, s.acquired, s.id)):
        last = passes[-1][-1] if passes else None
        if (
            last is not None
            and last.platform == scene.platform
            and scene.acquired - last.acquired <= SAME_PASS
        ):
            passes[-1].append(scene)
        else:
            passes.append([scene])
    found = [_of_pass(own, area) for own in passes]
    kept = [acquisition for acquisition in found if acquisition is not None]
    return sorted(kept, key=lambda acquisition: acquisition.acquired, reverse=True)


def _of_pass(scenes: list[Scene], area: BaseGeometry) -> Acquisition | None:
    newest: dict[tuple[str, datetime] | str, Scene] = {}
    for scene in scenes:
        key: tuple[str, datetime] | str = (scene.tile, scene.acquired) if scene.tile else scene.id
        if key not in newest or _rank(scene) > _rank(newest[key]):
            newest[key] = scene
    shares = {s.id: _share(s.footprint, area) for s in newest.values()}
    inside = [scene for scene in newest.values() if shares[scene.id] > 0]
    if not inside:
        return None
    inside.sort(key=lambda scene: (-shares[scene.id], scene.id))
    clouds = [(scene.cloud, shares[scene.id]) for scene in inside if scene.cloud is not None]
    weight = sum(share for _, share in clouds)
    return Acquisition(
        tuple(inside),
        min(1.0, _share(shapely.union_all([scene.footprint for scene in inside]), area)),
        sum(cloud * share for cloud, share in clouds) / weight if weight else None,
    )


def _rank(scene: Scene) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", scene.baseline)], scene.id


def _share(footprint: BaseGeometry, area: BaseGeometry) -> float:
    """Return the share of the area that a footprint covers, in degrees, which suits small areas."""
    return float(footprint.intersection(area).area / area.area)
