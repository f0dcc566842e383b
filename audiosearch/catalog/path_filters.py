"""Filters on paths, as SQL. Paths are bytes there; patterns are bound as bytes too, for those from a
command line may hold any.

SQLite takes bytes for text as they are. PostgreSQL's text is always Unicode: there each byte is a
character of Latin-1, or a path is in its folded form (`audiosearch.catalog.folded_paths`).
"""

from __future__ import annotations

import os
import re
import unicodedata

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    and_,
    cast,
    collate,
    false,
    func,
    literal,
    or_,
    select,
)

from audiosearch.catalog.dialect import by_dialect
from audiosearch.catalog.folded_paths import folded_text, root_forms, sound_forms
from audiosearch.catalog.folding import folded
from audiosearch.catalog.globs import as_regex
from audiosearch.catalog.schema import roots, sounds
from audiosearch.catalog.types import StoredText

# Of "/" alone the slash that joins is there already.
_ABSOLUTE = func.rtrim(cast(roots.c.path, Text), "/").concat("/").concat(cast(sounds.c.path, Text))

# PostgreSQL's.
_SLASH = literal(b"/", LargeBinary)
_ABSOLUTE_BYTES = func.rtrim(roots.c.path, _SLASH, type_=LargeBinary).op("||")(
    _SLASH.op("||")(sounds.c.path)
)
_SOUND_FORM = (
    select(sound_forms.c.folded).where(sound_forms.c.sound_id == sounds.c.id).scalar_subquery()
)
_ROOT_FORM = (
    select(root_forms.c.folded)
    .where(root_forms.c.root_id == roots.c.id, root_forms.c.path == roots.c.path)
    .scalar_subquery()
)


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
    return by_dialect(or_(*either), _postgres_matches(raw, bool(special), "[" in pattern))


def _postgres_matches(raw: bytes, special: bool, brackets: bool) -> ColumnElement[bool]:
    of_bytes = raw.isascii()
    part = folded_text(raw)
    if "\0" in part:
        return false()
    if of_bytes:
        forms = [_latin(sounds.c.path), _latin(_ABSOLUTE_BYTES)]
    else:
        forms = [_folded_sound(), _folded_root().concat("/").concat(_folded_sound())]
    either: list[ColumnElement[bool]] = []
    if special:
        expression = as_regex(part, of_bytes=of_bytes)
        if expression is not None:
            either = [form.op("~")(literal(expression, Text)) for form in forms]
    if brackets or not special:  # the absolute path ends in the other
        either.append(func.strpos(forms[1], literal(part, StoredText)) > 0)
    return or_(false(), *either)


def _latin(path: ColumnElement[bytes]) -> ColumnElement[str]:
    """Return a path in lower case, each of its bytes as a character."""
    return func.lower(collate(func.convert_from(path, "LATIN1", type_=Text), "C"), type_=Text)


def _folded_sound() -> ColumnElement[str]:
    return func.coalesce(_SOUND_FORM, _latin(sounds.c.path), type_=Text)


def _folded_root() -> ColumnElement[str]:
    return func.rtrim(func.coalesce(_ROOT_FORM, _latin(roots.c.path)), "/", type_=Text)


def has_suffix(name: str) -> ColumnElement[bool]:
    """Return whether a path ends in ``.name``."""
    raw = b"." + os.fsencode(name)
    ours = func.substr(func.lower(cast(sounds.c.path, Text)), -len("." + name)) == _text(
        raw.lower()
    )
    if b"\0" in raw:
        return by_dialect(ours, false())
    theirs = func.right(_latin(sounds.c.path), len(raw)) == raw.lower().decode("latin-1")
    return by_dialect(ours, theirs)


def is_below(folder: str) -> ColumnElement[bool]:
    """Return whether a sound lies in a folder or below it; by its name or by where a link leads, in
    either of Unicode's forms.
    """
    named = os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111 (as roots are)
    forms = {named, os.path.realpath(named)}
    forms |= {unicodedata.normalize(form, name) for name in forms for form in ("NFC", "NFD")}
    ours, theirs = [], []
    for name in sorted(forms):
        prefix = os.fsencode(name).rstrip(b"/")
        # "0" comes after "/".
        ours.append(and_(_text(prefix + b"/") <= _ABSOLUTE, _text(prefix + b"0") > _ABSOLUTE))
        theirs.append(
            and_(
                literal(prefix + b"/", LargeBinary) <= _ABSOLUTE_BYTES,
                literal(prefix + b"0", LargeBinary) > _ABSOLUTE_BYTES,
            )
        )
    return by_dialect(or_(*ours), or_(*theirs))


def _text(raw: bytes) -> ColumnElement[str]:
    return cast(literal(raw, LargeBinary), Text)


def _folded(path: ColumnElement[str], pattern: bytes) -> ColumnElement[str]:
    """Return a path as `folded` has it; where the pattern is ASCII, SQLite's own lower case does."""
    if pattern.isascii():
        return func.lower(path)
    return cast(func.folded(cast(path, LargeBinary)), Text)
