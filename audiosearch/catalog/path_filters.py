"""Filters on paths, as SQL. Paths are bytes there; patterns are bound as bytes too, for those from a
command line may hold any.
"""

from __future__ import annotations

import os
import re
import unicodedata

from sqlalchemy import ColumnElement, LargeBinary, Text, and_, cast, func, literal, or_

from audiosearch.catalog.folding import folded
from audiosearch.catalog.schema import roots, sounds

# Of "/" alone the slash that joins is there already.
_ABSOLUTE = func.rtrim(cast(roots.c.path, Text), "/").concat("/").concat(cast(sounds.c.path, Text))


def path_matches(pattern: str) -> ColumnElement[bool]:
    """Return whether a shell pattern matches the absolute path or the one below the root."""
    raw = os.fsencode(pattern)
    special = re.search(r"[*?\[]", pattern)
    glob = raw if special else b"*" + raw + b"*"
    either: list[ColumnElement[bool]] = [
        _folded(path, raw).op("GLOB")(_text(folded(glob)))
        for path in (cast(sounds.c.path, Text), _ABSOLUTE)
    ]
    if special and "[" in pattern:  # a name that was printed
        either.append(func.instr(_folded(_ABSOLUTE, raw), _text(folded(raw))) > 0)
    return or_(*either)


def has_suffix(name: str) -> ColumnElement[bool]:
    """Return whether a path ends in ``.name``."""
    raw = b"." + os.fsencode(name)
    return func.substr(func.lower(cast(sounds.c.path, Text)), -len("." + name)) == _text(
        raw.lower()
    )


def is_below(folder: str) -> ColumnElement[bool]:
    """Return whether a sound lies in a folder or below it; by its name or by where a link leads, in
    either of Unicode's forms.
    """
    named = os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111 (as roots are)
    forms = {named, os.path.realpath(named)}
    forms |= {unicodedata.normalize(form, name) for name in forms for form in ("NFC", "NFD")}
    either = []
    for name in sorted(forms):
        prefix = os.fsencode(name).rstrip(b"/")
        # "0" comes after "/".
        either.append(and_(_text(prefix + b"/") <= _ABSOLUTE, _text(prefix + b"0") > _ABSOLUTE))
    return or_(*either)


def _text(raw: bytes) -> ColumnElement[str]:
    return cast(literal(raw, LargeBinary), Text)


def _folded(path: ColumnElement[str], pattern: bytes) -> ColumnElement[str]:
    """Return a path as `folded` has it; where the pattern is ASCII, SQLite's own lower case does."""
    if pattern.isascii():
        return func.lower(path)
    return cast(func.folded(cast(path, LargeBinary)), Text)
