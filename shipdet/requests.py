"""What a user may ask for, checked: the values that UI, API, CLI and cluster hand to pipeline."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shipdet.errors import BadOption, ShipdetError
from shipdet.geometry import BBox

Upscale = Literal["none", "x4", "x16"]
PASSES: dict[Upscale, int] = {"none": 0, "x4": 1, "x16": 2}

#: How much one pass enlarges a picture, along each side.
UPSCALE = 4

#: In network pixels; those that divide a model's cell can be scored densely. 0 is one cell.
STRIDES = (0, 8, 16, 32, 56, 64, 96, 112, 128, 160, 192)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def check(cls, **values: Any) -> Self:
        """Build the request; the first thing wrong becomes one sentence (BadOption)."""
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            cause = first.get("ctx", {}).get("error")
            if isinstance(cause, ShipdetError):
                raise cause from None
            message = first["msg"].removeprefix("Value error, ").rstrip(".")
            if not isinstance(cause, ValueError):  # pydantic's own words do not name the field
                name = ".".join(str(part) for part in first["loc"]) or "the request"
                message = f"{name}: {message[0].lower()}{message[1:]}"
            raise BadOption(f"{message[0].upper()}{message[1:]}.") from None


class Search(_Request):
    """How to sharpen and search, whatever the picture comes from."""

    upscale: Upscale = "none"
    upscaler: str = ""  # "" is the configured default
    selective: bool = False  # sharpen only where the raw picture could show a ship
    model: str = ""
    backend: Literal["", "torch", "onnx"] = ""
    device: Literal["", "auto", "cpu", "cuda"] = ""
    stride: int = 0
    scoring: Literal["", "dense", "exact"] = ""  # "" is what the model was trained for
    views: Literal[0, 1, 2, 8] = 0  # mirrored and turned copies averaged; 0 is the model's number
    threshold: float | None = None  # None is the model's own
    image_format: Literal["png", "jpg"] = "png"
    quality: Annotated[int, Field(ge=1, le=95)] = 90
    name: str = ""

    @property
    def passes(self) -> int:
        """How many times x4 is applied."""
        return PASSES[self.upscale]

    @field_validator("threshold")
    @classmethod
    def _threshold_in_range(cls, value: float | None) -> float | None:
        if value is not None and not (math.isfinite(value) and 0.0 < value < 1.0):
            raise ValueError("the threshold must be a number between 0 and 1")
        return value

    @field_validator("stride")
    @classmethod
    def _stride_known(cls, value: int) -> int:
        if value not in STRIDES:
            known = ", ".join(str(stride) for stride in STRIDES if stride)
            raise ValueError(f"the stride must be one of {known} network pixels, or 0 for the best")
        return value

    @model_validator(mode="after")
    def _selective_of_something(self) -> Self:
        if self.selective and not self.passes:
            raise ValueError("sharpening only where ships could be needs x4 or x16")
        return self


class AreaRequest(_Request):
    """An area of interest and where its imagery comes from."""

    bbox: tuple[float, float, float, float]
    provider: str = ""
    zoom: int | None = None  # None is the recommended one
    date_from: str | None = None
    date_to: str | None = None
    max_cloud: Annotated[int, Field(ge=0, le=100)] = 20
    priority: str = ""  # Sentinel Hub's; "" is the configured one
    search: Search = Search()

    @property
    def box(self) -> BBox:
        """The area as a checked box."""
        return BBox(*self.bbox)


class ImageRequest(_Request):
    """A picture of one's own; ``gsd_m`` (metres per pixel) where it carries no georeference."""

    gsd_m: float | None = None
    search: Search = Search()
