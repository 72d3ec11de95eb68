"""The job message that travels through Kafka, checked against mistakes and malice."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, field_validator, model_validator

from shipdet.areas import Area, parse_area
from shipdet.computing import Backend, PrecisionChoice
from shipdet.errors import BadJob, BadOption
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

#: Options of :class:`~shipdet.requests.Search` that a job does not have: ``passes`` stands for
#: upscale, the operator chooses the device, and the files of a job have their own names and forms.
NOT_IN_JOBS = frozenset({"upscale", "device", "map", "image_format", "quality", "name"})
_UPSCALES: dict[int, Upscale] = {passes: name for name, passes in PASSES.items()}


#: Options that whoever submits a job does not have.
NOT_SUBMITTED = NOT_IN_JOBS - {"upscale"}


class JobMessage(Request):
    """One area to search; empty strings and nulls mean the cluster's defaults.

    ``area`` is ``[west, south, east, north]`` in degrees, a WKT POLYGON or a GeoJSON polygon.
    ``passes`` is how often super-resolution x4 is applied, ``selective`` whether only where the raw
    image could show a ship; ``min_length_m`` is the shortest ship that counts, in meters. Dates
    (YYYY-MM-DD, inclusive), ``max_cloud`` in percent and ``priority`` are for Sentinel Hub.
    ``reference`` is the submitter's own mark: kept, and not part of the identity.
    """

    version: Literal[2] = 2
    name: Annotated[str, Field(pattern=NAME)]
    area: tuple[StrictFloat, StrictFloat, StrictFloat, StrictFloat] | str | dict[str, Any]
    provider: Annotated[str, Field(pattern=PROVIDER)] = ""
    zoom: Annotated[StrictInt, Field(ge=0, le=24)] | None = None
    passes: Annotated[StrictInt, Field(ge=0, le=2)] = 0
    upscaler: ModelName = ""
    selective: StrictBool = False
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
            raise ValueError("the reference may hold printable characters only")
        return value

    @field_validator("date_from", "date_to")
    @classmethod
    def _date_readable(cls, value: str | None) -> str | None:
        return ImageryOptions(date_from=value).date_from  # one way to write it, for the identity

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        ImageryOptions(date_from=self.date_from, date_to=self.date_to)
        return self

    @classmethod
    def from_options(cls, name: str, area: object, reference: str, options: dict[str, Any]) -> Self:
        """Make a message of all options but ``NOT_SUBMITTED``; raises as :meth:`decode`."""
        values = {key: value for key, value in options.items() if key != "upscale"}
        upscale = options.get("upscale", "none")
        values["passes"] = PASSES.get(upscale, upscale)  # a wrong one is named by the check
        return cls.of({"version": 2, "name": name, "area": area, "reference": reference, **values})

    @property
    def id(self) -> str:
        """32 hex digits of the request's SHA-256: the same request has the same id.

        Defaults are left out, so a new option does not change the ids of requests without it.
        """
        values = self.model_dump(
            mode="json", exclude={"reference", "version"}, exclude_defaults=True
        )
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    @property
    def parsed_area(self) -> Area:
        """The area as a value."""
        return parse_area(self.area)

    @property
    def search(self) -> Search:
        """How to search, as the pipeline takes it; raises BadOption."""
        shared = {name: getattr(self, name) for name in Search.model_fields.keys() - NOT_IN_JOBS}
        return Search.check(**shared, upscale=_UPSCALES[self.passes], image_format="jpg")

    def request(self, bbox: tuple[float, float, float, float], zoom: int) -> AreaRequest:
        """The pipeline's request for a part of the area, at a zoom that was decided."""
        return AreaRequest.check(
            bbox=bbox,
            search=self.search,
            **{name: getattr(self, name) for name in ImageryOptions.model_fields} | {"zoom": zoom},
        )

    def encode(self) -> bytes:
        """The message as it is sent."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a message from the topic.

        Args:
            data: JSON in UTF-8, at most ``MAX_MESSAGE_BYTES``.

        Raises:
            BadJob: It is not a message of version 2, or a value is out of range.
            BadArea: Its area cannot be searched.
        """
        return cls.of(_json(data))

    @classmethod
    def of(cls, value: object) -> Self:
        """Check the values of a message; raises as :meth:`decode`."""
        if not isinstance(value, dict):
            raise BadJob("A job message must be a JSON object.")
        if "version" not in value:
            raise BadJob("A job message needs its version: this program reads version 2.")
        try:
            message = cls.check(**{str(key): v for key, v in value.items()})
            message.search  # noqa: B018  # the pipeline's own checks
        except BadOption as error:
            raise BadJob(f"The job message cannot be used: {_shortened(str(error))}") from None
        return message


def check_length(data: bytes) -> None:
    """Raise BadJob for a message that is longer than what is read."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadJob(f"The message has more than {MAX_MESSAGE_BYTES:,} bytes: simplify its area.")


def _json(data: bytes) -> object:
    check_length(data)

    def refuse(text: str) -> None:
        raise ValueError(f"{text} is not a JSON number")

    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError):  # also undecodable bytes and endless digits
        raise BadJob("The message is not JSON in UTF-8.") from None


def _check_storable(value: object) -> None:
    """Raise ValueError for texts anywhere in a value that a database cannot hold as JSON."""
    refusal = "the area may not hold NUL or half characters"
    try:
        data = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise ValueError(refusal) from None
    except (RecursionError, TypeError, ValueError):
        raise ValueError("the area is not plain JSON") from None
    if b"\\u0000" in data:  # as JSON writes a NUL
        raise ValueError(refusal)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
