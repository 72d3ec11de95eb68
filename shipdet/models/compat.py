"""The two Real-ESRGAN network classes, imported on a torchvision that basicsr does not know.

basicsr 1.4.2 (the last release) imports ``rgb_to_grayscale`` from
``torchvision.transforms.functional_tensor``, a module that torchvision dropped in 0.17. The name
is provided here, in memory, before the import; nothing on disk is changed.

Importing a network runs both packages' ``__init__``, which costs about two seconds (scipy, OpenCV,
requests) and no network access; so this module is imported only when an upscaler is built.
"""

import sys
import warnings
from types import ModuleType

from torchvision.transforms.functional import rgb_to_grayscale

_DROPPED = "torchvision.transforms.functional_tensor"

if _DROPPED not in sys.modules:
    _module = ModuleType(_DROPPED, "Provided by shipdet.models.compat for basicsr 1.4.2.")
    _module.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_DROPPED] = _module

with warnings.catch_warnings():
    # distutils.LooseVersion and torchvision's old vgg arguments: theirs to mend, not the user's.
    warnings.simplefilter("ignore")
    from basicsr.archs.rrdbnet_arch import RRDBNet
    from realesrgan.archs.srvgg_arch import SRVGGNetCompact

__all__ = ["RRDBNet", "SRVGGNetCompact"]
