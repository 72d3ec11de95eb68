"""Load models by name: once per process, shared by runs, released when idle.

The cache contains recently used models. A model that a run still uses is reused even after its
removal from the cache, so no model is loaded twice.
"""

import importlib
import logging
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import cast
from weakref import WeakValueDictionary

from shipdet.computing import BackendName, Device, DeviceSetting, PrecisionSetting
from shipdet.errors import BadModel
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.devices import pick_backend
from shipdet.models.hub import ModelFolder, resolve, resolve_public
from shipdet.models.runtime import Classifier, Upscaler
from shipdet.settings import Settings, get_settings

_MODULES: dict[BackendName, str] = {
    "torch": "shipdet.models.torch_runtime",
    "onnx": "shipdet.models.onnx_runtime",
    "openvino": "shipdet.models.openvino_runtime",
}
_KEPT = 4  # both networks on two backends

_Key = tuple[Path, str, BackendName, Device, str]
_cache: OrderedDict[_Key, Classifier | Upscaler] = OrderedDict()
_alive: WeakValueDictionary[_Key, Classifier | Upscaler] = WeakValueDictionary()
_lock = threading.Lock()
_idle: threading.Timer | None = None

_log = logging.getLogger(__name__)


def _after_fork() -> None:
    """Replace the lock, which a thread of the parent process may hold."""
    global _lock, _idle
    _lock, _idle = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def load_classifier(
    name: str | None = None,
    backend: str | None = None,
    device: DeviceSetting | None = None,
    settings: Settings | None = None,
    *,
    precision: PrecisionSetting | None = None,
    public: bool = False,
) -> Classifier:
    """Load a classifier; None takes a value from the settings.

    Args:
        name: See :func:`shipdet.models.hub.resolve`.
        backend: auto, torch, onnx or openvino.
        device: auto, cpu or cuda.
        settings: Replaces the settings of the environment.
        precision: auto, fp32, bf16, fp16 or int8.
        public: Whether the name comes from a web visitor, who may choose listed models only.

    Raises:
        UnknownModel, BadModel: As :func:`~shipdet.models.hub.resolve`, or for an upscaler.
        BadOption, BackendUnavailable, MissingExtra: The backend, device or number format does not
            exist or is not available here.
    """
    settings = settings or get_settings()
    folder = _find(name or settings.classifier, settings, public)
    if not isinstance(folder.config, ClassifierConfig):
        raise BadModel(f"{folder.name} is a model for {folder.task}, not a ship classifier.")
    return cast(Classifier, _load(folder, backend, device, precision, settings))


def load_upscaler(
    name: str | None = None,
    backend: str | None = None,
    device: DeviceSetting | None = None,
    settings: Settings | None = None,
    *,
    precision: PrecisionSetting | None = None,
    public: bool = False,
) -> Upscaler:
    """Load a super-resolution model; arguments and errors as :func:`load_classifier`.

    No such model has an int8 graph: int8 means ``auto``.
    """
    settings = settings or get_settings()
    precision = precision or settings.precision
    folder = _find(name or settings.upscaler, settings, public)
    if not isinstance(folder.config, UpscalerConfig):
        raise BadModel(f"{folder.name} is a model for {folder.task}, not for super-resolution.")
    chosen = "auto" if precision == "int8" else precision
    return cast(Upscaler, _load(folder, backend, device, chosen, settings))


def release_models() -> None:
    """Release all loaded models; their memory is freed when no run uses them."""
    global _idle
    with _lock:
        if _idle is not None:
            _idle.cancel()
            _idle = None
        if _cache:
            _log.info("released %d models", len(_cache))
        _cache.clear()


def _release_after(idle_s: float) -> None:
    """Release all models after this many seconds without use; 0 means never."""
    global _idle
    if _idle is not None:
        _idle.cancel()
        _idle = None
    if idle_s > 0:
        _idle = threading.Timer(idle_s, release_models)
        _idle.daemon = True
        _idle.start()


def _find(name: str, settings: Settings, public: bool) -> ModelFolder:
    return resolve_public(name, settings) if public else resolve(name, settings)


def _load(
    folder: ModelFolder,
    backend: str | None,
    device: DeviceSetting | None,
    precision: PrecisionSetting | None,
    settings: Settings,
) -> Classifier | Upscaler:
    chosen, place = pick_backend(backend or settings.backend, device or settings.device)
    settings = settings.model_copy(update={"precision": precision or settings.precision})
    key = (folder.path, folder.sha256, chosen, place, settings.precision)
    with _lock:  # held while loading, so that two requests do not load the same model twice
        model = _cache.get(key) or _alive.get(key)
        if model is None:
            runtime = importlib.import_module(_MODULES[chosen])
            kind = isinstance(folder.config, ClassifierConfig)
            opener = runtime.open_classifier if kind else runtime.open_upscaler
            model = cast(Classifier | Upscaler, opener(folder, folder.config, place, settings))
            _log.info("loaded %s on %s, %s", folder.name, chosen, place)
        _cache[key] = _alive[key] = model
        _cache.move_to_end(key)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
        _release_after(settings.model_idle_s)
        return model
