"""The filter of the ships that are displayed, counted and exported."""

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Self

import numpy as np
import shapely
from pydantic import Field, field_validator, model_validator

from shipdet.areas import parse_wkt
from shipdet.detections import Detection, Detections
from shipdet.errors import BadArea, BadOption
from shipdet.requests import Request

#: "only" keeps ships with a property, "without" ships without it, "" all ships.
Marked = Literal["", "only", "without"]
Meters = Annotated[float, Field(ge=0, allow_inf_nan=False)]

#: Selects the stricter of two values.
_STRICTER: dict[str, Callable[[Iterable[float]], float]] = {
    "min_score": max, "min_length_m": max, "max_length_m": min,
}  # fmt: skip

MAX_PIXEL_WKT = 100_000  # characters


def _option(default: Any, description: str) -> Any:
    return Field(default, description=description, json_schema_extra={"group": "Filter"})


class ShipFilter(Request):
    """A filter of ships; the defaults keep all ships.

    The viewer, the command line, HTTP and Python have the same options. Ships keep their numbers.

    Example:
        >>> long_ships = run.filtered(min_length_m=100, cut="without")
        >>> long_ships.save("long.gpkg")
    """

    min_score: Annotated[float, Field(ge=0, le=1)] = _option(0.0, "lowest score, 0 to 1")
    min_length_m: Meters = _option(0.0, "shortest ship, in meters")
    max_length_m: Meters | None = _option(None, "longest ship, in meters")
    within: str = _option("", "WKT polygon in degrees that contains a ship's center")
    within_px: str = _option(
        "", "WKT polygon in pixels of the raw image that contains a ship's center"
    )
    cut: Marked = _option("", "ships that are cut by the image's edge")
    near_gap: Marked = _option("", "ships near missing imagery")
    reviewed: Marked = _option("", "ships that a reviewer has accepted, moved, redrawn or added")
    dark: Marked = _option("", "ships without an AIS track")

    @field_validator("within")
    @classmethod
    def _polygon_of_degrees(cls, value: str) -> str:
        if value:
            parse_wkt(value)
        return value

    @field_validator("within_px")
    @classmethod
    def _polygon_of_pixels(cls, value: str) -> str:
        if value:
            _pixels(value)
        return value

    @model_validator(mode="after")
    def _lengths_in_order(self) -> Self:
        if self.max_length_m is not None and self.max_length_m < self.min_length_m:
            raise BadOption(
                f"No ship is longer than {self.min_length_m:g} m and shorter than "
                f"{self.max_length_m:g} m: swap the two lengths."
            )
        return self

    def narrowed(self, further: Self) -> Self:
        """Combine this filter with another one: a ship must pass both.

        Args:
            further: The other filter.

        Returns:
            The combined filter.

        Raises:
            BadOption: The filters have different polygons or opposite choices.
        """
        both = {**self.given, **further.given}
        for name in self.given.keys() & further.given.keys():
            values = (self.given[name], further.given[name])
            if name in _STRICTER:
                both[name] = _STRICTER[name](values)
            elif values[0] != values[1]:
                raise BadOption(
                    f"The ships are already filtered by another value of {name}: filter the whole "
                    "run instead."
                )
        return self.check(**both)

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults; empty if the filter keeps all ships."""
        return dict(self.model_dump(exclude_defaults=True))

    def of(self, ships: Detections) -> Detections:
        """Return the ships that pass the filter; their numbers do not change.

        Args:
            ships: The ships of a run.

        Raises:
            BadOption: ``within`` is set and the image has no georeference.
        """
        if not self.given:
            return ships
        kept = np.array([self._passes(ship) for ship in ships], np.bool_)
        if self.within:
            if any(ship.lon is None for ship in ships):
                raise BadOption(
                    "The image has no georeference: give the polygon in pixels (within_px)."
                )
            places = np.array([(ship.lon, ship.lat) for ship in ships], np.float64)
            kept &= parse_wkt(self.within).contains(places.reshape(-1, 2))
        if self.within_px:
            x, y = ships.centers.T
            kept &= shapely.intersects_xy(_pixels(self.within_px), x, y)
        items = tuple(ship for ship, passes in zip(ships, kept, strict=True) if passes)
        return Detections(items, ships.floor)

    def _passes(self, ship: Detection) -> bool:
        longest_m = math.inf if self.max_length_m is None else self.max_length_m
        return (
            ship.score >= self.min_score
            and self.min_length_m <= ship.length_m <= longest_m
            and _fits(self.cut, ship.cut)
            and _fits(self.near_gap, ship.near_gap)
            and _fits(self.reviewed, bool(ship.review))
            and _fits(self.dark, bool(ship.dark))
        )


def _fits(wanted: Marked, marked: bool) -> bool:
    return wanted == "" or marked == (wanted == "only")


def _pixels(text: str) -> Any:
    """Parse a polygon in pixels.

    Raises:
        BadArea: The text is not a valid WKT polygon.
    """
    refusal = "Give a WKT POLYGON in pixels, such as POLYGON ((0 0, 90 0, 90 60, 0 0))."
    if len(text) > MAX_PIXEL_WKT or not text.strip().upper().startswith("POLYGON"):
        raise BadArea(refusal)
    shape = shapely.from_wkt(text, on_invalid="ignore")
    if not isinstance(shape, shapely.Polygon) or shape.is_empty:
        raise BadArea(refusal)
    return shape if shape.is_valid else shapely.make_valid(shape)
