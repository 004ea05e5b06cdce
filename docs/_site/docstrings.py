"""Docstrings as the reference shows them: an extension of griffe, which reads the sources."""

import re
from typing import Any

import griffe

# A cross-reference as sphinx has it, of which the reference shows the name.
_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")
_EXAMPLE = re.compile(r"^(\s*)Example:$", flags=re.MULTILINE)


class Docstrings(griffe.Extension):
    """Names the example of a docstring as griffe knows it, and shows cross-references as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)


def readable(docstring: str) -> str:
    """A docstring with ``Examples:`` for ``Example:``, and names for sphinx's cross-references."""
    return _EXAMPLE.sub(r"\1Examples:", _ROLE.sub(r"`\1`", docstring))
