"""A finished run: its folder, record and results."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

from shipdet.detections import Detections
from shipdet.errors import BadOption
from shipdet.options import with_options
from shipdet.report import exports, vector
from shipdet.report.drawing import draw_overlay
from shipdet.report.filtering import ShipFilter
from shipdet.report.folder import save_file
from shipdet.report.html_page import html_report
from shipdet.report.identifying import identified
from shipdet.report.raster import JPEG_MAX_PX, read_picture
from shipdet.report.record import grid_of
from shipdet.report.review import Review

if TYPE_CHECKING:
    import geopandas
    import pandas

CANDIDATES = "candidates.json"
PREVIEW = "preview.jpg"
RECORD, BUNDLE = "run.json", "run.zip"
FILTERED_BUNDLE = "run-filtered.zip"
REVIEWS = "reviews.json"
REPORT = "report.html"
PICTURES = ("raw", "upscaled")  # kinds of files written in the chosen format
CHIPS = "chips"
PYRAMIDS = "pyramids"  # folder of tiled copies of images, written for the viewer


@dataclass(frozen=True)
class Run:
    """A finished run on disk.

    Attributes:
        folder: The run's folder.
        record: The content of run.json.
        candidates: All ships with at least the lowest score that the search keeps.
        threshold: Lowest score of a ship that counts.
        min_length_m: Shortest ship that counts, in meters.
        review: The reviewer's actions.
        filter: The filter of ``detections``.

    Example:
        >>> run = shipdet.open_run("results/gibraltar")
        >>> [(ship.lon, ship.lat, ship.length_m) for ship in run.detections]
    """

    folder: Path
    record: dict[str, Any]
    candidates: Detections
    threshold: float
    min_length_m: float = 0.0
    review: Review = field(default_factory=Review)
    filter: ShipFilter = field(default_factory=ShipFilter)

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def title(self) -> str:
        """The imagery's title, or the image's file name."""
        source = self.record["source"]
        return str(source["title"] or source["source"])

    @property
    def detections(self) -> Detections:
        """The ships that count and pass ``filter``.

        Candidates count if they reach ``threshold`` and ``min_length_m``, after ``review``. They
        are numbered from 1 before the filter.

        Raises:
            BadOption: The filter has a polygon in degrees and the image has no georeference.
        """
        return self.filter.of(self._counted[0])

    @property
    def small_craft(self) -> Detections:
        """Detections that are shorter than ``min_length_m``, numbered after the ships."""
        return self._counted[1]

    @property
    def all_detections(self) -> Detections:
        """The ships that count, without ``filter``."""
        return self._counted[0]

    @with_options(ShipFilter)
    def filtered(self, **options: Any) -> Self:
        """Keep only the ships that pass a filter, in addition to earlier filters.

        Args:
            options: The options of :class:`ShipFilter`.

        Returns:
            A run whose detections, tables, saved files and report have only these ships. The run's
            folder does not change.

        Raises:
            BadOption: A value is out of range, or cannot be combined with an earlier filter.

        Example:
            >>> run.filtered(min_length_m=100).save("long.gpkg")
        """
        return replace(self, filter=self.filter.narrowed(ShipFilter.check(**options)))

    @cached_property
    def _counted(self) -> tuple[Detections, Detections]:
        reviewed = self.candidates
        if self.review.actions:
            reviewed = self.review.applied(reviewed, grid_of(self.record))
        ships, small = reviewed.counted(self.threshold, self.min_length_m)
        named = identified(Detections((*ships, *small)), self.record)
        return (
            replace(ships, items=named.items[: len(ships)]),
            replace(small, items=named.items[len(ships) :]),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, one sentence each."""
        notes = [*self.record.get("notes", ()), *self.record.get("ais", {}).get("notes", ())]
        counts = self.record.get("super_resolution")
        if counts and counts["enlarged"] != counts["blocks"]:
            notes.append(
                f"Super-resolution was applied to {counts['enlarged']} of {counts['blocks']} "
                "blocks; the others have no candidates in the raw image."
            )
        chosen = self.record.get("inputs", {}).get("search", {}).get("image_format")
        pictures = [name for kind, name in self.record["files"].items() if kind in PICTURES]
        if chosen == "jpg" and (longer := [name for name in pictures if name.endswith(".png")]):
            notes.append(
                f"{' and '.join(longer)}: written as PNG, because a JPEG has at most "
                f"{JPEG_MAX_PX:,} pixels along a side."
            )
        return tuple(notes)

    @property
    def files(self) -> dict[str, Path]:
        """Paths by kind: raw, upscaled, overlay, mosaic, map, map_tif, geojson, csv, ais, record.

        Some kinds need a georeference, super-resolution, an AIS file or a search; others are left
        out.
        """
        names: dict[str, str] = self.record["files"]
        return {kind: self.folder / name for kind, name in names.items()}

    def overlay(self) -> Image.Image:
        """Return the image with the ships drawn on it, at most 4,096 pixels along a side.

        Example:
            >>> run.overlay().show()
        """
        if not self.filter.given:
            return Image.fromarray(read_picture(self.files["overlay"]))
        picture, raw = read_picture(self.folder / PREVIEW), self.record["raw"]
        factor = (picture.shape[1] / raw["width"], picture.shape[0] / raw["height"])
        return Image.fromarray(draw_overlay(picture, self.detections, factor))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the ships as a table, see :func:`shipdet.report.exports.to_pandas`.

        Raises:
            MissingExtra: pandas is not installed.

        Example:
            >>> run.to_pandas().sort_values("length_m")
        """
        return exports.to_pandas(self.detections.items)

    def to_geodataframe(self) -> "geopandas.GeoDataFrame":
        """Return the outlines as polygons, see :func:`shipdet.report.exports.to_geodataframe`.

        Raises:
            BadOption: The image has no georeference.
            MissingExtra: GeoPandas is not installed.

        Example:
            >>> run.to_geodataframe().to_crs("EPSG:32630").area
        """
        return exports.to_geodataframe(self.detections.items)

    def save(self, path: str | Path, *, complete: bool = False) -> Path:
        """Write the ships to a file, in the format of its suffix.

        Args:
            path: A file with the suffix .geojson, .gpkg (with a style for QGIS), .csv, .kml,
                .parquet, .coco.json, .labels.json or .zip (YOLO-OBB).
            complete: For .labels.json: whether every ship of 25 m and more is included, so that
                training may treat everything else as background.

        Returns:
            The path.

        Raises:
            BadOption: The suffix is unknown, or the image lacks a georeference.
            MissingExtra: The format needs a package that is not installed.
            StorageFull: The file cannot be written.

        Example:
            >>> run.save("ships.gpkg")
        """
        reviewers = ", ".join(dict.fromkeys(action.by for action in self.review.actions))
        note = f"Reviewed by {reviewers}." if reviewers else "Found by shipdet, not reviewed."
        return exports.save(path, self.detections.items, self.record, complete=complete, note=note)

    def report(self, path: str | Path | None = None) -> Path:
        """Write an HTML page with the image, a map, the table and the provenance.

        Args:
            path: The HTML file; None writes report.html into the run folder.

        Returns:
            The path.

        Raises:
            StorageFull: The file cannot be written.

        Example:
            >>> run.report("gibraltar.html")
        """
        target = self.folder / REPORT if path is None else Path(path)
        save_file(target, html_report(self))
        return target

    @property
    def chips(self) -> list[Path]:
        """One crop per ship, in the order of ``detections``."""
        return [self.folder / CHIPS / chip_name(ship.id) for ship in self.detections]


def chip_name(number: int) -> str:
    """Return the file name of a ship's crop."""
    return f"ship_{number:04d}.png"


def read_run(folder: Path) -> Run:
    """Read a run from its folder.

    Raises:
        BadOption: The folder has no readable run.
    """
    try:
        record = json.loads((folder / RECORD).read_text())
        candidates = vector.from_json((folder / CANDIDATES).read_text())
        reviews = folder / REVIEWS
        review = Review.from_json(reviews.read_text()) if reviews.is_file() else Review()
        shortest_m = record.get("min_length_m", 0.0)
        return Run(folder, record, candidates, record["threshold"], shortest_m, review)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadOption(f"{folder} is not the folder of a run: choose another folder.") from error
