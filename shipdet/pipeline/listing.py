"""List the models and backends of this machine."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shipdet.models import BackendState, ClassifierConfig, available_backends, list_models
from shipdet.settings import Settings, get_settings


@dataclass(frozen=True)
class ModelInfo:
    """A model.

    Attributes:
        name: Name to choose it by.
        task: "ship-classification" or "super-resolution".
        title: Name with the number of parameters, for a list.
        parameters: Number of parameters.
        bundled: Whether it comes with shipdet.
        threshold: A ship model's default threshold; None for other models.
    """

    name: str
    task: str
    title: str
    parameters: int
    bundled: bool
    threshold: float | None = None


def models(settings: Settings | None = None) -> list[ModelInfo]:
    """List the models that are ready to run on this machine.

    Args:
        settings: Replaces the settings of the environment.

    Returns:
        The configured models first, then the others by name.

    Example:
        >>> [model.name for model in shipdet.models()]
        ['realesrgan-x4plus', 'shipdet-pico', 'realesr-general-x4v3']
    """
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
    # The configured models first, as the defaults of a list.
    preferred = (settings.classifier, settings.upscaler)
    return sorted(found, key=lambda m: (m.name not in preferred, m.name))


def backends() -> list[BackendState]:
    """List all backends: whether each is available on this machine and, if not, why."""
    return available_backends()


def _parameters(weights: Path) -> int:
    """Count the values in a safetensors file from its header."""
    from safetensors import safe_open

    with safe_open(weights, framework="np") as file:
        return sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118
