"""Import the two Real-ESRGAN network classes with current versions of torchvision.

basicsr 1.4.2 (the last release) imports ``rgb_to_grayscale`` from
``torchvision.transforms.functional_tensor``, a module that torchvision 0.17 removed. This module
provides it in memory before the import; no file is changed.

The import takes about two seconds, because both packages import scipy, OpenCV and requests; it
needs no network access. So this module is imported only to build an upscaler.
"""

import importlib.util
import sys
import warnings
from types import ModuleType

from shipdet.errors import MissingExtra
from shipdet.extras import require

if sys.version_info >= (3, 13) and importlib.util.find_spec("basicsr") is None:
    raise MissingExtra(
        "basicsr and realesrgan do not build on Python 3.13: use Python 3.11 or 3.12, or the "
        "upscaler realesr-general-x4v3 with the backend onnx."
    )
require("basicsr", "realesrgan", "torchvision", extra="upscale")

_DROPPED = "torchvision.transforms.functional_tensor"

if _DROPPED not in sys.modules:
    from torchvision.transforms.functional import rgb_to_grayscale

    _module = ModuleType(_DROPPED, "Provided by shipdet.models.compat for basicsr 1.4.2.")
    _module.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_DROPPED] = _module

with warnings.catch_warnings():
    # Both packages use deprecated features (distutils, vgg arguments); users cannot fix that.
    warnings.simplefilter("ignore")
    from basicsr.archs.rrdbnet_arch import RRDBNet
    from realesrgan.archs.srvgg_arch import SRVGGNetCompact

__all__ = ["RRDBNet", "SRVGGNetCompact"]
