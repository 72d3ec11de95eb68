"""Support for Hugging Face's ZeroGPU; no other module knows of it."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

LONGEST_S = 120  # of a GPU's time for one run; ZeroGPU takes it away after that


def on_gpu(function: Function) -> Function:
    """Ask for a GPU while the function runs, where the package ``spaces`` is; else as it is."""
    if importlib.util.find_spec("spaces") is None:
        return function
    decorated: Function = importlib.import_module("spaces").GPU(duration=LONGEST_S)(function)
    return decorated
