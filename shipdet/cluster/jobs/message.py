"""The job message: what travels through Kafka, checked against mistakes and hostility alike."""

import hashlib
import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, field_validator, model_validator

from shipdet.areas import Area, parse_area
from shipdet.errors import BadJob, BadOption
from shipdet.imagery.options import DEFAULT_MAX_CLOUD, ImageryOptions
from shipdet.requests import PASSES, AreaRequest, Search, Upscale, _Request

MAX_MESSAGE_BYTES = 256 * 1024
MAX_TEXT = 200
NAME = r"^[A-Za-z0-9._-]{3,64}$"
PROVIDER = r"^[a-z0-9]{0,40}$"

Text = Annotated[str, Field(max_length=MAX_TEXT)]
ModelName = Annotated[str, Field(max_length=MAX_TEXT, pattern=r"^[\w./@-]*$")]

#: Not part of the identity where they are the default, so that requests from before these fields
#: have the id that they had.
_LATER = ("selective", "scoring", "views", "date_from", "date_to", "max_cloud")
_UPSCALES: dict[int, Upscale] = {passes: name for name, passes in PASSES.items()}
#: Fields of the older form that say what kind it is; it never had a version.
_OLD = {"submit_name", "bbox_wkt"}
_OLD_MODES: dict[str, int] = {
    **{mode: 0 for mode in ("", "0", "none", "off", "no", "raw", "x1", "1x")},
    **{mode: 1 for mode in ("1", "once", "on", "yes", "x4", "4x", "4")},
    **{mode: 2 for mode in ("2", "twice", "x16", "16x", "16")},
}


class JobMessage(_Request):
    """One area to search; empty strings and nulls mean the cluster's defaults.

    ``area`` is ``[west, south, east, north]`` in degrees, a WKT POLYGON or a GeoJSON polygon.
    ``passes`` is how often the picture is sharpened x4, ``selective`` whether only where the raw
    one could show a ship; ``stride`` is in network pixels, ``views`` of each place are
    averaged. Dates (YYYY-MM-DD, inclusive) and ``max_cloud`` in per cent are for Sentinel Hub.
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
    stride: StrictInt = Search.model_fields["stride"].default
    threshold: StrictFloat | None = None
    backend: Literal["", "torch", "onnx"] = ""
    scoring: Literal["", "dense", "exact"] = ""
    views: StrictInt = 0  # the pipeline knows which there are
    date_from: Text | None = None
    date_to: Text | None = None
    max_cloud: Annotated[StrictInt, Field(ge=0, le=100)] = DEFAULT_MAX_CLOUD
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
        day = ImageryOptions.parse(value).date_from
        return day.isoformat() if day else None  # one way to write it, for the identity

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        ImageryOptions.parse(self.date_from, self.date_to)
        return self

    @property
    def id(self) -> str:
        """32 hex digits of the request's SHA-256; the same request has the same id."""
        told = self.model_dump(mode="json", exclude={"reference", "version"})
        for name in _LATER:
            if told[name] == type(self).model_fields[name].default:
                del told[name]
        canonical = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    @property
    def parsed_area(self) -> Area:
        """The area as a value."""
        return parse_area(self.area)

    @property
    def search(self) -> Search:
        """How to search, as the pipeline takes it; raises BadOption."""
        return Search.check(
            upscale=_UPSCALES[self.passes],
            upscaler=self.upscaler,
            selective=self.selective,
            model=self.model,
            backend=self.backend,
            stride=self.stride,
            scoring=self.scoring,
            views=self.views,
            threshold=self.threshold,
            image_format="jpg",
        )

    def request(self, bbox: tuple[float, float, float, float], zoom: int) -> AreaRequest:
        """The pipeline's request for a part of the area, at a zoom that was decided."""
        return AreaRequest.check(
            bbox=bbox,
            provider=self.provider,
            zoom=zoom,
            date_from=self.date_from,
            date_to=self.date_to,
            max_cloud=self.max_cloud,
            search=self.search,
        )

    def encode(self) -> bytes:
        """The message as it is sent."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a message of this or the older form; BadJob or BadArea with one sentence."""
        return cls.of(_json(data))

    @classmethod
    def of(cls, value: object) -> Self:
        """Check a message's values; raises as :meth:`decode`."""
        if not isinstance(value, dict):
            raise BadJob("A job message must be a JSON object.")
        if "version" not in value and _OLD & value.keys():
            value = _from_old_form(value)
        elif "version" not in value:
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
        raise ValueError(f"{text} is no JSON number")

    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError):  # also undecodable bytes and endless digits
        raise BadJob("The message is not JSON in UTF-8.") from None


def _from_old_form(old: dict[str, Any]) -> dict[str, Any]:
    """``aoi_id, submit_name, bbox_wkt, zoom, upscaled, stride, thresh, provider, upscale_mode``.

    ``upscaled`` is true, false or the number of passes; ``upscale_mode`` counts before it.
    """
    known = _OLD | {"aoi_id", "zoom", "upscaled", "upscale_mode", "stride", "thresh", "provider"}
    unknown = sorted(str(key) for key in old.keys() - known)
    if unknown:
        raise BadJob(f"The message has a field that is not known: {unknown[0][:40]!r}.")
    missing = sorted(_OLD - old.keys())
    if missing:
        raise BadJob(f"The message lacks {missing[0]}.")
    new: dict[str, Any] = {"version": 2, "name": old["submit_name"], "area": old["bbox_wkt"]}
    mode = old.get("upscale_mode")
    passes = 0 if old.get("upscaled") is None else old["upscaled"]
    if mode is not None:
        passes = _OLD_MODES.get(str(mode).strip().lower())
        if passes is None:
            raise BadJob(f"The upscale mode {str(mode)[:40]!r} is not none, x4 or x16.")
    new["passes"] = int(passes) if isinstance(passes, bool) else passes
    thresh = old.get("thresh")
    new["threshold"] = float(thresh) if type(thresh) is int else thresh
    new["reference"] = str(old.get("aoi_id") or "")
    new["provider"] = re.sub(r"[^a-z0-9]", "", str(old.get("provider") or "").lower())
    return new | {key: old[key] for key in ("zoom", "stride") if old.get(key) is not None}


def _check_storable(value: object) -> None:
    """Raise ValueError for texts anywhere in a value that a database cannot hold as JSON."""
    refusal = "the area may not hold NUL or half characters"
    try:
        data = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise ValueError(refusal) from None
    except (RecursionError, TypeError, ValueError):
        raise ValueError("the area is no plain JSON") from None
    if b"\\u0000" in data:  # as JSON writes a NUL
        raise ValueError(refusal)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
