"""The job message sent through Kafka, validated against errors and attacks."""

import hashlib
import json
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, field_validator, model_validator

from shipdet.areas import Area, named_areas, parse_area
from shipdet.computing import Backend, PrecisionChoice
from shipdet.errors import BadArea, BadJob, BadOption
from shipdet.requests import (
    MIN_LENGTH_M,
    PASSES,
    AreaRequest,
    ImageryOptions,
    Priority,
    Request,
    Search,
    Upscale,
)

MAX_MESSAGE_BYTES = 256 * 1024
MAX_TEXT = 200
NAME = r"^[\p{L}\p{N}._-]{3,64}$"
PROVIDER = r"^[a-z0-9]{0,40}$"

Text = Annotated[str, Field(max_length=MAX_TEXT)]
ModelName = Annotated[str, Field(max_length=MAX_TEXT, pattern=r"^[\w./@-]*$")]

#: Options of :class:`~shipdet.requests.Search` that a job does not have: ``passes`` replaces
#: ``upscale``, the operator chooses the device, and a job's files have fixed names and formats.
NOT_IN_JOBS = frozenset({"upscale", "device", "map", "image_format", "quality", "name"})
_UPSCALES: dict[int, Upscale] = {passes: name for name, passes in PASSES.items()}

#: Options that are not available when a job is submitted.
NOT_SUBMITTED = NOT_IN_JOBS - {"upscale"}


class JobMessage(Request):
    """A request to search one area; empty strings and nulls mean the cluster's defaults.

    Attributes:
        version: Version of the message format.
        name: Unique name of the job.
        area: ``[west, south, east, north]`` in degrees, a WKT POLYGON or a GeoJSON polygon.
        provider: Source of imagery.
        zoom: Map zoom; null for the recommended one.
        passes: Number of times that super-resolution x4 is applied.
        upscaler: Super-resolution model.
        selective: Whether super-resolution is limited to parts with candidates in the raw image.
        model: Ship model.
        threshold: Lowest score of a ship; null for the model's own.
        backend: Inference backend.
        precision: Number format of the inference.
        min_length_m: Shortest ship that counts, in meters.
        date_from: First day, YYYY-MM-DD, for Sentinel Hub.
        date_to: Last day, inclusive, for Sentinel Hub.
        max_cloud: Highest cloud cover in percent, for Sentinel Hub.
        priority: Order of the acquisitions, for Sentinel Hub.
        acquisition: Id of an acquisition, for STAC providers.
        reference: Any text of the submitter; stored, but not part of the job's identity.
    """

    version: Literal[2] = 2
    name: Annotated[str, Field(pattern=NAME)]
    area: tuple[StrictFloat, StrictFloat, StrictFloat, StrictFloat] | str | dict[str, Any]
    provider: Annotated[str, Field(pattern=PROVIDER)] = ""
    zoom: Annotated[StrictInt, Field(ge=0, le=24)] | None = None
    passes: Annotated[StrictInt, Field(ge=0, le=2)] = 0
    upscaler: ModelName = ""
    selective: StrictBool = True
    model: ModelName = ""
    threshold: StrictFloat | None = None
    backend: Backend = ""
    precision: PrecisionChoice = ""
    min_length_m: Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)] = MIN_LENGTH_M
    date_from: Text | None = None
    date_to: Text | None = None
    max_cloud: Annotated[StrictInt, Field(ge=0, le=100)] = ImageryOptions.model_fields[
        "max_cloud"
    ].default
    priority: Priority = ""
    acquisition: Text = ""
    reference: Text = ""

    @field_validator("area", mode="before")
    @classmethod
    def _area_readable(cls, value: object) -> object:
        parse_area(value)
        _check_storable(value)
        return tuple(float(v) for v in value) if isinstance(value, list | tuple) else value

    @field_validator("reference")
    @classmethod
    def _reference_printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("the reference may contain printable characters only")
        return value

    @field_validator("date_from", "date_to")
    @classmethod
    def _date_readable(cls, value: str | None) -> str | None:
        return ImageryOptions(date_from=value).date_from  # one notation, for the identity

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        ImageryOptions(date_from=self.date_from, date_to=self.date_to)
        return self

    @classmethod
    def from_options(cls, name: str, area: object, reference: str, options: dict[str, Any]) -> Self:
        """Create a message from the options of a search.

        Args:
            name: Unique name of the job.
            area: As in the message.
            reference: Any text of the submitter.
            options: All options except ``NOT_SUBMITTED``.

        Raises:
            BadJob: A value is out of range.
            BadArea: The area cannot be searched.
        """
        values = {key: value for key, value in options.items() if key != "upscale"}
        upscale = options.get("upscale", "none")
        known = isinstance(upscale, str) and upscale in PASSES
        # The validation reports an invalid one.
        values["passes"] = PASSES[upscale] if known else upscale
        return cls.of({"version": 2, "name": name, "area": area, "reference": reference, **values})

    @property
    def id(self) -> str:
        """The first 32 hex digits of the request's SHA-256; equal requests have equal ids.

        Defaults are left out, so a new option does not change the ids of requests without it.
        """
        values = self.model_dump(
            mode="json", exclude={"reference", "version"}, exclude_defaults=True
        )
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    @property
    def parsed_area(self) -> Area:
        """The parsed area."""
        return parse_area(self.area)

    @property
    def search(self) -> Search:
        """The search options for the pipeline; raises BadOption."""
        shared = {name: getattr(self, name) for name in Search.model_fields.keys() - NOT_IN_JOBS}
        return Search.check(**shared, upscale=_UPSCALES[self.passes], image_format="jpg")

    def request(self, bbox: tuple[float, float, float, float], zoom: int) -> AreaRequest:
        """Return the pipeline's request for a part of the area at the zoom of the plan."""
        return AreaRequest.check(
            bbox=bbox,
            search=self.search,
            **{name: getattr(self, name) for name in ImageryOptions.model_fields} | {"zoom": zoom},
        )

    def encode(self) -> bytes:
        """Return the message as bytes to send."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a message from the topic.

        Args:
            data: JSON in UTF-8, at most ``MAX_MESSAGE_BYTES``.

        Raises:
            BadJob: The data is not a message of version 2, or a value is out of range.
            BadArea: The area cannot be searched.
        """
        return cls.of(_json(data))

    @classmethod
    def of(cls, value: object) -> Self:
        """Validate the values of a message; raises the errors of :meth:`decode`."""
        if not isinstance(value, dict):
            raise BadJob("A job message must be a JSON object.")
        if "version" not in value:
            raise BadJob("A job message must have a version: this program reads version 2.")
        try:
            message = cls.check(**{str(key): v for key, v in value.items()})
            message.search  # noqa: B018  # runs the pipeline's checks
        except BadOption as error:
            raise BadJob(f"The job message cannot be used: {_shortened(str(error))}") from None
        return message


def job_areas(value: object, name: str) -> list[tuple[str, Any]]:
    """Return the area of a job, or its two parts across the antimeridian, with names.

    Args:
        value: As for :func:`~shipdet.areas.parse_areas`.
        name: The name of the job; may be empty.

    Returns:
        Pairs of a name and a value for ``JobMessage.area``. Polygons that one job can have are
        returned as they are, since the id of the job depends on them.

    Raises:
        BadArea: The area cannot be searched.
    """
    with suppress(BadArea):
        if parse_area(value).polygon is not None:
            return [(name, value)]
    return [
        (part, list(area.box.as_tuple()) if area.polygon is None else area.polygon.wkt)
        for part, area in named_areas(value, name)
    ]


def check_length(data: bytes) -> None:
    """Raise BadJob if a message is longer than ``MAX_MESSAGE_BYTES``."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadJob(f"The message has more than {MAX_MESSAGE_BYTES:,} bytes: simplify its area.")


def _json(data: bytes) -> object:
    check_length(data)

    def refuse(text: str) -> None:
        raise ValueError(f"{text} is not a JSON number")

    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError):  # also for undecodable bytes and very long numbers
        raise BadJob("The message is not JSON in UTF-8.") from None


def _check_storable(value: object) -> None:
    """Raise ValueError if a value contains text that PostgreSQL cannot store as JSON."""
    refusal = "the area must not contain NUL or lone surrogates"
    try:
        data = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise ValueError(refusal) from None
    except (RecursionError, TypeError, ValueError):
        raise ValueError("the area is not plain JSON") from None
    if b"\\u0000" in data:  # NUL in JSON
        raise ValueError(refusal)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
