"""Every knob of the program: ``SHIPDET_*`` environment variables or a ``.env`` file."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent
GB = 1024**3
GDAL_CACHE_MB = 256
"""Of GDAL's cache of blocks, which would take 5 % of the memory; counts from its first use on."""

Positive = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """What an operator may set; defaults suit a laptop or a two-core Space."""

    model_config = SettingsConfigDict(
        env_prefix="SHIPDET_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    # Folders
    runs_dir: Path = Path("runs")
    runs_max_gb: float = 5.0
    runs_max_age_days: float = 30.0
    cache_dir: Path = Path.home() / ".cache" / "shipdet"
    cache_max_gb: float = 5.0
    cache_days: float = Field(30.0, ge=7.0, description="tile services ask for a week at least")
    weights_dir: Path = PROJECT / "weights"

    # Limits of one run
    max_tiles: Positive = 6561  # 20,480 px square, wherever it begins in a tile
    max_raw_pixels: Positive = 450_000_000
    #: more than this is searched piece by piece: tiles and GeoTIFF only, and not sharpened
    max_held_pixels: Positive = 48_000_000
    max_searched_pixels: Positive = 256_000_000  # after super-resolution
    max_upload_mb: Positive = 1536

    # Network manners
    user_agent: str = "shipdet/0.1 (open ship detector; set SHIPDET_USER_AGENT to add a contact)"
    connections_per_host: Annotated[int, Field(ge=1, le=8)] = 4
    timeout_s: float = 20.0
    retries: Annotated[int, Field(ge=0, le=10)] = 4
    breaker_failures: Positive = 8

    # Imagery
    provider: str = "esri"
    xyz_url: str = Field("", repr=False, description="operator's own template with {z}, {x}, {y}")
    xyz_title: str = "Own tiles"
    xyz_attribution: str = ""
    xyz_licence: str = ""
    xyz_max_zoom: Annotated[int, Field(ge=1, le=24)] = 19
    sentinelhub_instance_id: str = Field(
        "",
        repr=False,
        validation_alias=AliasChoices(
            "SHIPDET_SENTINELHUB_INSTANCE_ID", "SENTINEL_HUB_INSTANCE_ID"
        ),
    )
    sentinelhub_layer: str = "1_TRUE_COLOR"
    sentinelhub_priority: str = "leastCC"

    # Models
    classifier: str = "shipdet-atto"
    upscaler: str = "realesrgan-x4plus"
    backend: Literal["torch", "onnx"] = "torch"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    model_idle_s: float = Field(900.0, ge=0, description="then models are released; 0: never")

    # Server
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 7860
    share: bool = False
    max_queue: Positive = 20


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()  # type: ignore[call-arg]
