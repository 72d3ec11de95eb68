"""Acquisitions: the scenes that a satellite took of an area in one pass."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import shapely
from shapely.geometry.base import BaseGeometry

#: A pass over an area takes seconds; scenes further apart in time are of different passes.
SAME_PASS = timedelta(minutes=10)
#: Below this share of the area an acquisition gets a note before the run.
FULL_SHARE = 0.99


@dataclass(frozen=True)
class Scene:
    """One item of a STAC API with its picture.

    Attributes:
        id: the item's id.
        tile: name of its grid cell, "MGRS-30STF"; empty where not given.
        platform: "sentinel-2a"; empty where not given.
        acquired: when it was taken, UTC.
        cloud: cloud cover of the whole scene in percent; None where not given.
        baseline: processing baseline, "05.10"; empty where not given.
        href: http(s) address of the picture.
        thumbnail: address of a small picture; empty where there is none.
        footprint: where it has data, degrees.
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
        """Read a STAC item; None where it lacks the asset, a time or a place."""
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
    """What a satellite took of an area in one pass.

    Attributes:
        scenes: those with data in the area, the one that covers most of it first.
        coverage: share of the area in which they have data, 0 to 1.
        cloud: cloud cover in percent, weighted by the scenes' parts of the area; None where not
            given. It is that of whole scenes (110 km for Sentinel-2), not of the area.
    """

    scenes: tuple[Scene, ...]
    coverage: float
    cloud: float | None

    @property
    def id(self) -> str:
        """The id of the first scene, by which the acquisition can be requested again."""
        return self.scenes[0].id

    @property
    def acquired(self) -> datetime:
        """When it was taken, UTC."""
        return self.scenes[0].acquired

    @property
    def thumbnail(self) -> str:
        """Address of a small picture of the first scene; empty where there is none."""
        return self.scenes[0].thumbnail

    @property
    def time(self) -> str:
        """When it was taken, ISO 8601 to the second."""
        return f"{self.acquired:%Y-%m-%dT%H:%M:%SZ}"

    def public(self) -> dict[str, Any]:
        """Plain JSON values for a list to choose from."""
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
        """For the provenance of the picture, and so for run.json."""
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
        """What the user should know before the run."""
        if self.coverage >= FULL_SHARE:
            return ()
        share = f"{self.coverage:.0%}" if self.coverage >= 0.01 else "less than 1%"
        return (
            f"The acquisition of {self.acquired:%Y-%m-%d %H:%M} UTC covers {share} of the area: "
            "ships in the rest cannot be found.",
        )


def group(scenes: Iterable[Scene], area: BaseGeometry) -> list[Acquisition]:
    """Put the scenes of an area together by pass.

    Scenes of one platform within ``SAME_PASS`` are one acquisition. Of several scenes of one grid
    cell that start at the same time, the one with the newest processing baseline counts.

    Args:
        scenes: as a STAC API lists them, in any order.
        area: degrees.

    Returns:
        Acquisitions with data in the area, the newest first.
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
    """Share of the area that a footprint covers; in degrees, which is right for small areas."""
    return float(footprint.intersection(area).area / area.area)
