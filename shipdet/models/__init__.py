"""Find models by name, check and load them, and run them on PyTorch, ONNX Runtime or OpenVINO.

Importing this package imports no runtime; a runtime is imported when a model is loaded.
"""

from shipdet.models.config import ClassifierBlock, ClassifierConfig, ModelConfig, UpscalerConfig
from shipdet.models.devices import BackendState, available_backends, import_backend
from shipdet.models.hub import ModelFolder, list_models, public_names, resolve, resolve_public
from shipdet.models.loading import load_classifier, load_upscaler, release_models
from shipdet.models.runtime import BackendInfo, Classifier, Upscaler

__all__ = [
    "BackendInfo",
    "BackendState",
    "Classifier",
    "ClassifierBlock",
    "ClassifierConfig",
    "ModelConfig",
    "ModelFolder",
    "Upscaler",
    "UpscalerConfig",
    "available_backends",
    "import_backend",
    "list_models",
    "load_classifier",
    "load_upscaler",
    "public_names",
    "release_models",
    "resolve",
    "resolve_public",
]
