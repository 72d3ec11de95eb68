"""Validated requests, which UI, API, CLI and cluster pass to the pipeline.

Every option is defined here only: name, type, default, description, bounds and choices. The command
line and the signatures of the Python and web API are generated from these definitions
(:mod:`shipdet.options`); a test checks the job message and the page against them.
"""

import difflib
import math
import re
from datetime import date
from typing import Annotated, Any, Literal, Self, TypedDict, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shipdet.areas import MAX_NAME, Area, parse_wkt
from shipdet.computing import Backend, DeviceChoice, PrecisionChoice
from shipdet.errors import BadOption, ShipdetError
from shipdet.geometry import BBox

Upscale = Literal["none", "x4", "x16"]
PASSES: dict[Upscale, int] = {"none": 0, "x4": 1, "x16": 2}

#: Factor by which one pass enlarges each side of an image.
UPSCALE = 4

#: How the values of an image are converted to 8 bits.
StretchName = Literal["auto", "percentile", "minmax", "none"]

#: Default length of the shortest ship that counts, in meters.
MIN_LENGTH_M = 25.0

#: Values of PRIORITY in Sentinel Hub's OGC services; "" for the configured one.
Priority = Literal[
    "",
    "leastCC",
    "mostRecent",
    "leastRecent",
    "leastTimeDifference",
    "maximumViewingElevation",
]

_SENTINEL2_START = date(2015, 6, 23)  # launch of Sentinel-2A


class Request(BaseModel):
    """Base of all requests: frozen, without unknown fields, errors as one sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def check(cls, /, **values: Any) -> Self:
        """Build and validate the request.

        Args:
            **values: The fields by name.

        Returns:
            The request.

        Raises:
            BadOption: A value is invalid or a name unknown; the message describes the first error.

        Example:
            >>> Search.check(threshold=0.6).threshold
            0.6
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise _as_sentence(error, cls) from None


def _as_sentence(error: ValidationError, model: type[BaseModel]) -> ShipdetError:
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ShipdetError):
        return cause
    name = ".".join(str(part) for part in first["loc"]) or "the request"
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "literal_error":
        message = f"{name}: {str(first['input'])[:40]!r} is not one of {_choices(first['ctx'])}"
    elif first["type"] == "extra_forbidden":
        known = [n for n in (*model.model_fields, *Search.model_fields) if n != "search"]
        near = difflib.get_close_matches(name.rpartition(".")[2], known, 1)
        hint = f": did you mean {near[0]}?" if near else ""
        message = f"{name}: there is no such option{hint}"
    elif not isinstance(cause, ValueError):  # pydantic's messages do not name the field
        message = f"{name}: {message[0].lower()}{message[1:]}"
    end = "" if message.endswith("?") else "."
    return BadOption(f"{message[0].upper()}{message[1:]}{end}")


def _choices(context: dict[str, Any]) -> str:
    """Return the choices in pydantic's ``'a', 'b' or 'c'`` without quotes and empty strings."""
    listed = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    return ", ".join(filter(None, listed))


def _option(default: Any, group: str, description: str, **bounds: Any) -> Any:
    """Define a field with its description; ``group`` is a heading of the CLI's help."""
    return Field(default, description=description, json_schema_extra={"group": group}, **bounds)


class Search(Request):
    """Options of super-resolution, search and results, for any source.

    Example:
        >>> Search(upscale="x4", threshold=0.6).passes
        1
    """

    upscale: Upscale = _option(
        "none", "Super-resolution", "enlarge the image with super-resolution before the search"
    )
    upscaler: str = _option(
        "", "Super-resolution", "super-resolution model (default: the configured one)"
    )
    selective: bool = _option(
        True,
        "Super-resolution",
        "enlarge only the parts of the image that may contain a ship, if the model can search it "
        "as it is",
    )
    model: str = _option(
        "",
        "Search",
        "ship model: a name, a folder, or owner/name@revision on the Hugging Face hub "
        "(default: the configured one)",
    )
    backend: Backend = _option("", "Search", "backend of the models (default: the configured one)")
    device: DeviceChoice = _option(
        "", "Search", "device of the models (default: the configured one)"
    )
    precision: PrecisionChoice = _option(
        "",
        "Search",
        "number format of the models (default: the configured one); int8 needs OpenVINO and a "
        "ship model with an 8-bit graph",
    )
    threshold: float | None = _option(
        None, "Search", "lowest score of a ship, between 0 and 1 (default: the model's own)"
    )
    min_length_m: Annotated[float, Field(ge=0, allow_inf_nan=False)] = _option(
        MIN_LENGTH_M,
        "Search",
        "minimum length of a ship in meters; shorter ones are listed as small craft",
    )
    map: bool = _option(
        False, "Results", "write the network's map of water, land and hulls as map.png and map.tif"
    )
    image_format: Literal["png", "jpg"] = _option("png", "Results", "format of the images")
    quality: Annotated[int, Field(ge=1, le=95)] = _option(
        90, "Results", "quality of JPEG images, 1 to 95"
    )
    name: str = _option("", "Results", "prefix for the names of the run and its downloads")

    @property
    def passes(self) -> int:
        """How many times the image is enlarged x4."""
        return PASSES[self.upscale]

    @field_validator("threshold")
    @classmethod
    def _threshold_in_range(cls, value: float | None) -> float | None:
        if value is not None and not (math.isfinite(value) and 0.0 < value < 1.0):
            raise ValueError("the threshold must be a number between 0 and 1")
        return value

    @field_validator("name")
    @classmethod
    def _valid_name(cls, value: str) -> str:
        return check_name(value)


class ImageryOptions(Request):
    """Provider and acquisition of the imagery of an area.

    Dates and cloud cover apply to Sentinel Hub and ``sentinel2``, priority to Sentinel Hub,
    ``acquisition`` to ``sentinel2``. Dates are inclusive, in the form YYYY-MM-DD; None is no limit.

    Example:
        >>> ImageryOptions(date_from="2024-06-01", date_to="2024-06-30").time_range
        '2024-06-01/2024-06-30'
    """

    provider: str = _option("", "Imagery", "imagery provider (default: the configured one)")
    zoom: int | None = _option(
        None, "Imagery", "map zoom (default: the coarsest that reaches the model's scale)"
    )
    date_from: str | None = _option(None, "Imagery", "first day of dated imagery, YYYY-MM-DD")
    date_to: str | None = _option(None, "Imagery", "last day of dated imagery, YYYY-MM-DD")
    max_cloud: Annotated[int, Field(ge=0, le=100)] = _option(
        20, "Imagery", "maximum cloud cover of dated imagery in percent"
    )
    priority: Priority = _option(
        "",
        "Imagery",
        "order of acquisitions, Sentinel Hub only (default: the configured one)",
    )
    acquisition: str = _option(
        "",
        "Imagery",
        "id of one acquisition of sentinel2 (default: the newest clear one)",
        max_length=200,
    )

    @field_validator("date_from", "date_to", mode="before")
    @classmethod
    def _normalized_date(cls, value: object) -> str | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, date):
            return value.isoformat()[:10]
        try:
            return date.fromisoformat(str(value).strip()).isoformat()
        except ValueError:
            raise BadOption(
                f"'{str(value)[:40]}' is not a date: use the form YYYY-MM-DD, such as 2024-06-30."
            ) from None

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise BadOption(
                f"The date range ends ({self.date_to}) before it begins ({self.date_from}): "
                "swap the two dates."
            )
        return self

    @property
    def time_range(self) -> str | None:
        """``from/to`` in the form of OGC services; None for all dates."""
        if self.date_from is None and self.date_to is None:
            return None
        first = self.date_from or _SENTINEL2_START.isoformat()
        last = self.date_to or date.today().isoformat()
        return f"{first}/{max(first, last)}"


#: Search options that do not apply to a download.
NOT_DOWNLOADED = frozenset(Search.model_fields) - {"image_format", "quality", "name"}

#: Imagery options that do not apply to a list of acquisitions.
NOT_LISTED = frozenset({"provider", "zoom", "priority", "acquisition"})


class AreaRequest(ImageryOptions):
    """An area of interest with its imagery and search options."""

    bbox: tuple[float, float, float, float] = Field(
        description="west, south, east, north in degrees"
    )
    #: WKT of polygons in degrees inside ``bbox``; "" for all of it. Ships outside are not reported.
    polygon: str = ""
    search: Search = Search()

    @classmethod
    def of_area(cls, area: Area, **values: Any) -> Self:
        """Build a request for a box or polygons; raises like :meth:`check`."""
        polygon = "" if area.polygon is None else area.polygon.wkt
        return cls.check(bbox=area.box.as_tuple(), polygon=polygon, **values)

    @property
    def box(self) -> BBox:
        """The bounding box of the area."""
        return BBox(*self.bbox)

    @property
    def area(self) -> Area:
        """The area: the polygons, or the box without polygons."""
        return parse_wkt(self.polygon) if self.polygon else Area(self.box)


class ImageRequest(Request):
    """How to read and search a user's image; ``gsd_m`` is required without a georeference."""

    gsd_m: float | None = _option(
        None, "Image", "meters per pixel, if the image has no georeference"
    )
    bands: str = _option(
        "",
        "Image",
        "numbers of the red, green and blue band, such as 3,2,1, or of one gray band (default: "
        "from the image)",
    )
    stretch: StretchName = _option(
        "auto",
        "Image",
        "conversion of values to 8 bits: auto keeps water dark and ships unclipped, percentile "
        "stretches from the 2nd to the 98th percentile, minmax from the lowest to the highest "
        "value, none clips at 0 and 255",
    )
    search: Search = Search()

    @field_validator("bands", mode="before")
    @classmethod
    def _bands_as_text(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return ",".join(str(number) for number in value)
        return "" if value is None else value


class SearchOptions(TypedDict, total=False):
    """The fields of :class:`Search` as keyword arguments, for type checkers and editors."""

    upscale: Upscale
    upscaler: str
    selective: bool
    model: str
    backend: Backend
    device: DeviceChoice
    precision: PrecisionChoice
    threshold: float | None
    min_length_m: float
    map: bool
    image_format: Literal["png", "jpg"]
    quality: int
    name: str


class ImageOptions(SearchOptions, total=False):
    """The fields of :class:`ImageRequest` and :class:`Search` as keyword arguments."""

    gsd_m: float | None
    bands: str
    stretch: StretchName


class AreaOptions(SearchOptions, total=False):
    """The fields of :class:`ImageryOptions` and :class:`Search` as keyword arguments."""

    provider: str
    zoom: int | None
    date_from: str | None
    date_to: str | None
    max_cloud: int
    priority: Priority
    acquisition: str


def check_name(name: str) -> str:
    """Return a user's file name stem without surrounding spaces; it may be empty.

    Raises BadOption if it contains more than letters, digits, spaces and ``. - _``.
    """
    name = name.strip()
    if name and not re.fullmatch(rf"\w[\w .-]{{0,{MAX_NAME - 1}}}", name):
        raise BadOption(
            f"A file name may have up to {MAX_NAME} letters, digits, spaces, dots, dashes and "
            "underscores, and must begin with a letter or digit."
        )
    return name


def check_priority(value: str) -> str:
    """Return the priority if it is valid.

    Raises:
        BadOption: The value is not a priority; the message lists them all.
    """
    known = get_args(Priority)[1:]
    if value not in known:
        raise BadOption(f"Priority '{value[:40]}' is not one of {', '.join(known)}.")
    return value
