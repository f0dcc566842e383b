"""Shows the doctests of docstrings as code on the documentation site.

In Markdown, the prompt ``>>>`` would be a quotation in a quotation in a quotation.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

# From a prompt to the next empty line, or to the end.
_DOCTEST = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)


class Doctests(griffe.Extension):
    """Puts each doctest into a fenced block."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """The docstring with a fence around each of its doctests."""
    return _DOCTEST.sub(lambda match: f"```pycon\n{match[0]}\n```", docstring)
