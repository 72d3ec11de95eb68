"""Read ``config.json``, which describes a model, into frozen values.

The layout is timm's (``architecture``, ``num_classes``, ``pretrained_cfg``), so that
``timm.create_model("local-dir:...")`` also loads a classifier's folder. Fields that timm does not
have are in the ``shipdet`` block. Unknown keys are ignored.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from shipdet.errors import BadModel

Task = Literal["ship-classification", "super-resolution"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Channels = Annotated[int, Field(ge=1, le=512)]
Depth = Annotated[int, Field(ge=1, le=64)]
Triple = tuple[Finite, Finite, Finite]
PositiveTriple = tuple[PositiveFloat, PositiveFloat, PositiveFloat]

#: Fewest network pixels per cell of a ConvNeXt's last feature map; see ``ModelArgs``.
LEAST_CELL_PX = 8
#: Largest window; with its halo it fits on a canvas of 1,280 px.
MAX_WINDOW_PX = 768
#: Features of a candidate's score: logit of its center; logits of hull and water in its box; margin
#: of the window around it; logarithms of length and width in network pixels; logits of hull and
#: water around the box, and of the highest water near it.
FEATURES = (
    "center", "hull", "water", "window", "log_length", "log_width", "hull_around", "water_around",
    "water_near",
)  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Calibration(_Part):
    """score = sigmoid(scale * (logit of ship - logit of no ship) + bias)."""

    scale: PositiveFloat = 1.0
    bias: Finite = 0.0


class OnnxFile(_Part):
    """A file under onnx/; export.onnx adds it after its checks pass.

    Attributes:
        sha256: Digest of the file.
        weights_sha256: Digest of the exported weights.
        map_sha256: Digest of the exported map head; None if the model has none.
        graph: Version of the graph, `graph_format.GRAPH`.
        opset: Version of the operators.
        difference: How its results differed from PyTorch's.
    """

    sha256: Sha256
    weights_sha256: Sha256
    map_sha256: Sha256 | None = None
    graph: int = 0
    opset: int
    difference: dict[str, float] = {}


class Int8Graph(_Part):
    """The 8-bit graph under openvino/; export.int8 adds it after its checks pass.

    Attributes:
        sha256: Digests of its files, by name.
        weights_sha256: Digests of the exported weights: the classifier's and the map head's.
        difference: Its results on labeled images, compared with float32.
    """

    sha256: dict[str, Sha256]
    weights_sha256: tuple[Sha256, Sha256]
    difference: dict[str, float] = {}


class PretrainedCfg(_Part):
    """timm's input settings: (channels, height, width), mean and deviation per channel."""

    input_size: tuple[Literal[3], int, int]
    mean: Triple
    std: PositiveTriple


class ModelArgs(_Part):
    """Arguments of the network's constructor in timm.

    ``output_stride`` is the number of network pixels per cell of the last feature map. Below 32,
    the last stages are dilated instead of downsampled, so the grid of dense scores is finer.
    """

    output_stride: Literal[8, 16, 32] = 32


class Judge(_Part):
    """score = sigmoid(bias + sum of weight * feature), logistic regression.

    The features are :data:`FEATURES`, in that order.
    """

    weights: Annotated[
        tuple[Finite, ...], Field(min_length=len(FEATURES), max_length=len(FEATURES))
    ]
    bias: Finite


class MapBlock(_Part):
    """The map head of a classifier: map_head.safetensors, and how its candidates are scored."""

    sha256: Sha256
    #: channels of the feature pyramid
    width: Annotated[int, Field(ge=8, le=512)] = 64
    judge: Judge
    #: cells with at most this center logit are ignored
    least_center: Finite = -4.0
    #: meters per network pixel for imagery that is at least as fine; None: as for coarse imagery
    gsd_min_m: PositiveFloat | None = None


class ClassifierBlock(_Part):
    """What the detector needs to know of a classifier; ``_m`` is in meters, ``_px`` in pixels."""

    format: Literal[1]
    task: Literal["ship-classification"]
    labels: tuple[str, str] = ("no_ship", "ship")
    window_m: PositiveFloat
    window_px: Annotated[int, Field(ge=32, le=MAX_WINDOW_PX, multiple_of=LEAST_CELL_PX)]
    #: side, in cells, of the middle part of a window that a dense pass averages; 0 for all cells,
    #: as for single windows
    pool_cells: Annotated[int, Field(ge=0, le=128)] = 0
    gsd_max_m: PositiveFloat
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    #: "dense" only for a network that was trained for dense scores
    scoring: Literal["dense", "exact"] = "exact"
    calibration: Calibration = Calibration()
    #: None for a classifier without a map head, which cannot search an image
    map: MapBlock | None = None
    data_digest: str = ""
    sha256: Sha256
    onnx: dict[str, OnnxFile] = {}
    int8: Int8Graph | None = None


def search_gsd_m(image_gsd_m: float, finest_m: float, coarsest_m: float) -> float:
    """Return the scale at which a network sees an image: the image's own, within a range."""
    return min(max(image_gsd_m, finest_m), coarsest_m)


class ClassifierConfig(_Part):
    """A two-class timm ConvNeXt.

    Only the plain ``convnext_*`` family: ConvNeXt V2's response normalization depends on the whole
    image, so a dense pass over a canvas would not give the scores of its windows.
    """

    architecture: Annotated[str, Field(pattern=r"^convnext_[a-z0-9_]+$")]
    num_classes: Literal[2]
    num_features: Annotated[int, Field(ge=1)]
    global_pool: Literal["avg"] = "avg"
    model_args: ModelArgs = ModelArgs()
    pretrained_cfg: PretrainedCfg
    shipdet: ClassifierBlock

    @property
    def gsd_m(self) -> float:
        """Meters per network pixel for coarse imagery, which is enlarged to this scale."""
        return self.shipdet.window_m / self.shipdet.window_px

    @property
    def gsd_min_m(self) -> float:
        """Meters per network pixel for fine imagery, which is reduced to this scale."""
        block = self.shipdet.map
        return (block and block.gsd_min_m) or self.gsd_m

    def network_gsd_m(self, image_gsd_m: float) -> float:
        """Return the meters per network pixel at which an image is searched.

        The network sees an image at the image's own scale, within the range it was trained for.

        Args:
            image_gsd_m: Meters per pixel of the image.

        Example:
            >>> config.gsd_min_m, config.gsd_m
            (1.2, 1.875)
            >>> [config.network_gsd_m(gsd_m) for gsd_m in (0.5, 1.5, 10.0)]
            [1.2, 1.5, 1.875]
        """
        return search_gsd_m(image_gsd_m, self.gsd_min_m, self.gsd_m)

    @property
    def cell_px(self) -> int:
        """Network pixels per cell of the last feature map: the stride of a dense pass."""
        return self.model_args.output_stride

    @property
    def margin_cells(self) -> int:
        """Cells on each side of a window that a dense pass excludes from the mean."""
        block = self.shipdet
        cells = block.window_px // self.cell_px
        return (cells - (block.pool_cells or cells)) // 2

    @model_validator(mode="after")
    def _one_window_size(self) -> "ClassifierConfig":
        side = self.shipdet.window_px
        if self.gsd_min_m > self.gsd_m:
            raise ValueError(
                f"map.gsd_min_m ({self.gsd_min_m}) is above window_m / window_px ({self.gsd_m})"
            )
        if self.pretrained_cfg.input_size[1:] != (side, side):
            raise ValueError(f"pretrained_cfg.input_size and window_px ({side}) differ")
        if side % self.cell_px:
            raise ValueError(f"window_px ({side}) is not a multiple of {self.cell_px}")
        cells, pool = side // self.cell_px, self.shipdet.pool_cells
        if pool > cells or (pool and (cells - pool) % 2):
            raise ValueError(f"pool_cells ({pool}) is not in the middle of {cells} cells")
        return self


class RRDBParams(_Part):
    """Constructor arguments of basicsr's RRDBNet."""

    num_in_ch: Literal[3] = 3
    num_out_ch: Literal[3] = 3
    num_feat: Channels = 64
    num_block: Depth = 23
    num_grow_ch: Channels = 32


class CompactParams(_Part):
    """Constructor arguments of realesrgan's SRVGGNetCompact."""

    num_in_ch: Literal[3] = 3
    num_out_ch: Literal[3] = 3
    num_feat: Channels = 64
    num_conv: Depth = 32
    act_type: Literal["relu", "prelu", "leakyrelu"] = "prelu"


class UpscalerBlock(_Part):
    """What callers need to know about an upscaler; ``scale`` multiplies width and height."""

    format: Literal[1]
    task: Literal["super-resolution"]
    scale: Literal[4]
    params: dict[str, Any] = {}
    sha256: Sha256
    onnx: dict[str, OnnxFile] = {}


class UpscalerConfig(_Part):
    """One of the two Real-ESRGAN networks."""

    architecture: Literal["RRDBNet", "SRVGGNetCompact"]
    shipdet: UpscalerBlock

    @property
    def params(self) -> RRDBParams | CompactParams:
        """The network's constructor arguments."""
        kind = RRDBParams if self.architecture == "RRDBNet" else CompactParams
        return kind.model_validate(self.shipdet.params)

    @model_validator(mode="after")
    def _params_fit(self) -> "UpscalerConfig":
        _ = self.params
        return self


def _task(value: object) -> str | None:
    """Return the task of a raw config, which determines its type."""
    block = value.get("shipdet") if isinstance(value, Mapping) else None
    task = block.get("task") if isinstance(block, Mapping) else None
    return task if isinstance(task, str) else None


ModelConfig = ClassifierConfig | UpscalerConfig

_ADAPTER: TypeAdapter[ModelConfig] = TypeAdapter(
    Annotated[
        Annotated[ClassifierConfig, Tag("ship-classification")]
        | Annotated[UpscalerConfig, Tag("super-resolution")],
        Discriminator(_task),
    ]
)


def parse_config(text: str | bytes, source: str) -> ModelConfig:
    """Parse the text of a config.json; ``source`` names it in errors.

    Raises:
        BadModel: It is not JSON, the task or architecture is unknown, or a value is missing or out
            of range.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise BadModel(f"The config.json of {source} is not usable: {_first(error)}.") from None


def read_config(folder: Path) -> ModelConfig:
    """Read the config of a model folder.

    Raises:
        BadModel: The file is missing or invalid.
    """
    try:
        text = (folder / "config.json").read_bytes()
    except OSError:
        raise BadModel(
            f"{folder} has no readable config.json, so it is not a model folder."
        ) from None
    return parse_config(text, str(folder))


def _first(error: ValidationError) -> str:
    """Return the first error as a clause: where it is, and what is wrong."""
    detail = error.errors(include_url=False, include_input=False)[0]
    kind = detail["type"]
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return "shipdet.task must be ship-classification or super-resolution"
    path = [str(part) for part in detail["loc"]][1:]  # the first is the tag of the union
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{'.'.join(path)}: {message}" if path else message
