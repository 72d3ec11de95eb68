"""Griffe extension: a docstring's ``Example:`` is a section of examples, like ``Examples:``."""

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Renames the section, which griffe would take for a note."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Look at one object of the code."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = text
