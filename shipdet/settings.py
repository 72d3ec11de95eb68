"""Settings, from ``SHIPDET_*`` environment variables or a ``.env`` file."""

import logging
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shipdet._version import __version__
from shipdet.computing import BackendSetting, DeviceSetting, PrecisionSetting
from shipdet.errors import BadOption

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED_WEIGHTS = _PACKAGE / "weights"
#: The bundled models: inside the installed package, or beside the package in a checkout.
BUNDLED_WEIGHTS = _INSTALLED_WEIGHTS if _INSTALLED_WEIGHTS.is_dir() else _PACKAGE.parent / "weights"
GB = 1024**3

Positive = Annotated[int, Field(gt=0)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]

log = logging.getLogger(__name__)


def user_folder(find: Callable[..., Path]) -> Path:
    """Return the user's folder for shipdet, or a temporary folder for a user without a home.

    Args:
        find: A function of platformdirs, such as ``platformdirs.user_cache_path``.
    """
    try:
        folder = find("shipdet", appauthor=False)
        if folder.is_absolute():  # without a home, "~" is not expanded
            return folder
    except (KeyError, RuntimeError):  # no HOME, and no passwd entry either
        pass
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir(), f"shipdet-{user}")
    _warn_no_home(folder)
    return folder


@lru_cache(maxsize=1)
def _warn_no_home(folder: Path) -> None:
    log.warning("this user has no home folder: files are kept in %s", folder)


def _cache_dir() -> Path:
    return user_folder(platformdirs.user_cache_path)


def _runs_dir() -> Path:
    return user_folder(platformdirs.user_data_path) / "runs"


class Settings(BaseSettings):
    """All settings; the defaults suit a laptop or a two-core Space.

    Example:
        >>> Settings(provider="sentinel2").provider
        'sentinel2'
    """

    model_config = SettingsConfigDict(
        env_prefix="SHIPDET_",
        env_file=".env",
        env_file_encoding="utf-8-sig",  # some editors on Windows write a byte order mark
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # Folders
    runs_dir: Path = Field(default_factory=_runs_dir, description="finished runs")
    runs_max_gb: Amount = 5.0  # the oldest runs beyond it are removed
    runs_max_age_days: Amount = 30.0  # older runs are removed
    #: tiles, models of the hub and exported ONNX files
    cache_dir: Path = Field(default_factory=_cache_dir)
    cache_max_gb: Amount = 5.0  # of the tile cache
    cache_days: float = Field(
        default=30.0, ge=7.0, description="tile services require at least a week"
    )
    weights_dir: Path = BUNDLED_WEIGHTS  # one folder per model

    # Limits of one run
    max_tiles: Positive = 6561  # 20,480 px square at any offset in a tile
    max_raw_pixels: Positive = 450_000_000  # before super-resolution
    #: larger images (8-bit RGB; a GeoTIFF with more bytes per pixel counts as more) are searched in
    #: parts: tiles and GeoTIFF only, without super-resolution
    max_held_pixels: Positive = 48_000_000
    max_searched_pixels: Positive = 256_000_000  # after super-resolution
    max_upload_mb: Positive = 1536  # of one file

    # Network
    #: how requests to servers identify themselves
    user_agent: str = (
        f"shipdet/{__version__} (open ship detector; set SHIPDET_USER_AGENT to add a contact)"
    )
    connections_per_host: Annotated[int, Field(ge=1, le=8)] = 4  # at the same time
    timeout_s: Amount = 20.0  # without an answer of a server
    retries: Annotated[int, Field(ge=0, le=10)] = 4  # of a request that fails
    breaker_failures: Positive = 8  # requests in a row that fail before a host is given up

    # Imagery
    provider: str = "esri"  # used unless a request chooses one
    xyz_url: str = Field(
        default="", repr=False, description="operator's own template with {z}, {x}, {y}"
    )
    #: values of {s} in the template: "a,b,c", a range such as "1-4", or "abc" as in Leaflet
    xyz_subdomains: str = ""
    #: side of the tiles; a 512-px tile covers the same ground as four 256-px tiles of the next zoom
    xyz_tile_px: Literal[256, 512] = 256
    xyz_title: str = "Own tiles"  # name of the template's imagery on the page
    xyz_attribution: str = ""  # shown with the imagery
    xyz_license: str = ""  # recorded with every run
    xyz_max_zoom: Annotated[int, Field(ge=1, le=24)] = 19  # finest zoom of the template
    sentinelhub_instance_id: str = Field(
        default="",
        repr=False,
        description="instance of Sentinel Hub; enables that provider",
        validation_alias=AliasChoices(
            "SHIPDET_SENTINELHUB_INSTANCE_ID", "SENTINEL_HUB_INSTANCE_ID"
        ),
    )
    sentinelhub_layer: str = "1_TRUE_COLOR"  # layer of the instance
    #: which of several acquisitions is on top, such as leastCC (least cloud cover)
    sentinelhub_priority: str = "leastCC"

    # Dated imagery (provider sentinel2)
    #: the STAC API that lists acquisitions
    stac_url: str = "https://earth-search.aws.element84.com/v1"
    stac_collection: str = "sentinel-2-c1-l2a"  # collection that is searched
    stac_asset: str = Field(
        default="visual", description="the 8-bit RGB image among an item's assets"
    )

    # Models
    classifier: str = "shipdet-pico"  # ship model: a bundled one, or OWNER/NAME on the hub
    upscaler: str = "realesrgan-x4plus"  # super-resolution model, likewise
    backend: BackendSetting = "auto"  # runtime of the networks; auto: depends on the hardware
    device: DeviceSetting = "auto"  # auto: the GPU, if there is one
    #: number format of the networks; auto: see models/precision.py
    precision: PrecisionSetting = "auto"
    torch_compile: bool = False  # the first run takes minutes, later ones are a little faster
    model_idle_s: float = Field(
        default=900.0, ge=0, description="idle time after which models are released; 0: never"
    )

    # Server
    host: str = "127.0.0.1"  # address to listen on; 0.0.0.0: all
    #: port to listen on; unless it is set, the first free one from 7860
    port: Annotated[int, Field(ge=0, le=65535)] = 7860
    share: bool = False  # whether a public Gradio link is created
    max_queue: Positive = 20  # searches that may wait; more are refused
    #: which runs the history lists: all, or own (those of the visitor's browser); auto: all if the
    #: app is reachable only from this machine, at localhost. Anyone who knows a run's id can open
    #: and change it.
    history: Literal["auto", "all", "own"] = "auto"
    # Cluster (leave empty without a cluster)
    kafka: str = Field(default="", description="bootstrap servers, host:port")
    kafka_topic: str = "aoi_jobs"  # topic of job messages
    kafka_source: Literal["python", "jvm"] = "python"  # jvm: Spark's own connector
    kafka_batch: Positive = 200  # messages per micro-batch
    postgres: str = Field(default="", repr=False, description="a libpq address, postgresql://...")
    s3: str = Field(default="", description="http or https address of the object store")
    s3_public: str = Field(default="", description="its address for browsers, if different")
    s3_access_key: str = Field(default="", repr=False, description="user of the object store")
    s3_secret_key: str = Field(default="", repr=False, description="its password")
    s3_region: str = "us-east-1"  # region of the bucket
    s3_bucket: str = "aoi"  # bucket of results and tiles; created if it is missing
    spark_master: str = "local[2]"  # where the stream runs
    spark_master_ui: str = Field(default="", description="for the health check, http://host:8080")
    spark_history: str = Field(default="", description="for the health check, http://host:18080")
    spark_events_dir: str = ""  # "": no event log
    spark_checkpoint_dir: Path = Path("checkpoint")  # where the stream keeps its progress
    cluster_lanes: Positive = 2  # blocks that run at the same time
    cluster_attempts: Positive = 4  # attempts per block before its job fails
    cluster_lease_s: Annotated[float, Field(gt=0)] = 30.0  # a silent worker then loses its block
    cluster_retry_s: Annotated[float, Field(gt=0)] = 2.0  # wait before the second attempt; doubles
    cluster_connections: Positive = 4  # to one provider, for all workers
    cluster_block_connections: Positive = 2  # of these, per block
    cluster_max_blocks: Positive = 4096  # blocks per job
    #: days after which an ended job is removed; must be longer than the topic keeps its messages
    cluster_keep_days: Annotated[float, Field(ge=1, le=36_500)] = 30.0
    cluster_visitors_control: bool = False  # whether visitors may cancel and retry others' jobs
    cluster_join_px: Positive = 256_000_000  # largest joined GeoTIFF; above it only a VRT

    @field_validator("runs_dir", "cache_dir", "weights_dir", mode="before")
    @classmethod
    def _default_if_empty(cls, value: object, info: ValidationInfo) -> object:
        """Use the default folder for "", which as a path is the working folder."""
        if value == "" and info.field_name:
            return cls.model_fields[info.field_name].get_default(call_default_factory=True)
        return value

    @property
    def kafka_dead_letters(self) -> str:
        """The topic of dead letters: invalid messages and failed jobs."""
        return f"{self.kafka_topic}.dlq"

    @property
    def cluster(self) -> bool:
        """Whether broker, database and object store are configured."""
        return bool(self.kafka and self.postgres and self.s3)


def read_settings(**changes: Any) -> Settings:
    """Read the settings of the environment and ``.env``, and override some.

    Args:
        **changes: Settings that take precedence, by name.

    Returns:
        The settings.

    Raises:
        BadOption: A setting is invalid (the message names all of them), or ``.env`` cannot be read.
    """
    try:
        if "_env_file" not in changes:
            _check_env_file()
        return Settings(**changes)
    except ValidationError as error:
        wrong = {str(e["loc"][0]): e["msg"][0].lower() + e["msg"][1:] for e in error.errors()}
        bad = [f"{_variable(name)} ({message})" for name, message in wrong.items()]
        raise BadOption(f"Correct the setting{'s' * (len(bad) > 1)} {', '.join(bad)}.") from None


def _check_env_file() -> None:
    """Raise BadOption if there is a ``.env`` file that is not UTF-8 text or not readable."""
    name = Settings.model_config["env_file"]
    try:
        if name is None or not (path := Path(str(name))).is_file():
            return
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise BadOption(
            f"The file {path.absolute()} cannot be read ({error.strerror}): allow this user to "
            "read it, or move it away."
        ) from None
    if "\0" in text:  # also UTF-16 without a byte order mark, which has no readable setting
        raise BadOption(
            f"The file {path.absolute()} is not UTF-8 text: save it again with the encoding UTF-8."
        )


def _variable(name: str) -> str:
    return name if name.isupper() else f"SHIPDET_{name.upper()}"  # an alias has its full name


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, which are read once.

    Returns:
        Settings from ``SHIPDET_*`` variables and the ``.env`` file of the working folder.

    Raises:
        BadOption: A setting is invalid, or ``.env`` cannot be read.

    Example:
        >>> get_settings().provider
        'esri'
    """
    return read_settings()
