"""Griffe extension: what the API pages show of docstrings and of generated signatures."""

import importlib
import inspect
import re
from typing import Any

import griffe

from shipdet.options import option_fields
from shipdet.requests import ImageryOptions, Search

_OPTIONS = dict(option_fields(ImageryOptions, Search))


class Docs(griffe.Extension):
    """Examples as a section, Sphinx's roles as code, the options of ``with_options``."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object of the code."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        """Replace ``**options`` by the options that the function really takes."""
        module, _, name = func.path.rpartition(".")
        if module != "shipdet.pipeline.calling" or "options" not in func.parameters:
            return
        real = inspect.signature(getattr(importlib.import_module(module), name))
        del func.parameters["options"]
        added = []
        for option in real.parameters.values():
            if option.name not in _OPTIONS:
                continue
            kind = inspect.formatannotation(option.annotation).replace("typing.", "")
            func.parameters.add(
                griffe.Parameter(
                    option.name,
                    annotation=kind,
                    kind=griffe.ParameterKind.keyword_only,
                    default=repr(option.default),
                )
            )
            description = _OPTIONS[option.name].description or ""
            added.append(f"    {option.name}: {description[:1].upper()}{description[1:]}.\n")
        if func.docstring:
            # The line about all options, and those that continue it.
            lines = re.compile(r"^    options: .*\n(?:     +.*\n)*", re.MULTILINE)
            func.docstring.value = lines.sub("".join(added), func.docstring.value)
