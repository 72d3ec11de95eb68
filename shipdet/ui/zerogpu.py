"""Support for Hugging Face's ZeroGPU; no other module depends on it."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

LONGEST_S = 120  # time of a GPU for one run; ZeroGPU then withdraws it


def on_gpu(function: Function) -> Function:
    """Request a GPU while the function runs, if the package ``spaces`` is installed."""
    if importlib.util.find_spec("spaces") is None:
        return function
    decorated: Function = importlib.import_module("spaces").GPU(duration=LONGEST_S)(function)
    return decorated
