"""The models and backends that are available on this machine."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shipdet.models import BackendState, ClassifierConfig, available_backends, list_models
from shipdet.settings import Settings, get_settings


@dataclass(frozen=True)
class ModelInfo:
    """One model that can be chosen; ``threshold`` is a classifier's own."""

    name: str
    task: str
    title: str
    parameters: int
    bundled: bool
    threshold: float | None = None


def models(settings: Settings | None = None) -> list[ModelInfo]:
    """The models that are ready to run on this machine."""
    settings = settings or get_settings()
    found = []
    for model in list_models(settings):
        count = _parameters(model.weights)
        found.append(
            ModelInfo(
                model.name,
                model.task,
                f"{model.name} ({count / 1e6:.1f} M)",
                count,
                model.path.parent == settings.weights_dir,
                model.config.shipdet.threshold
                if isinstance(model.config, ClassifierConfig)
                else None,
            )
        )
    # The configured ones first: they are what a list should offer before all others.
    preferred = (settings.classifier, settings.upscaler)
    return sorted(found, key=lambda m: (m.name not in preferred, m.name))


def backends() -> list[BackendState]:
    """All backends: whether each can run here, and if not, why."""
    return available_backends()


def _parameters(weights: Path) -> int:
    """Number of values in a safetensors file, from its header."""
    from safetensors import safe_open

    with safe_open(weights, framework="np") as file:
        return sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118
