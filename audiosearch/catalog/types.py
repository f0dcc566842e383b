"""The types of columns, as each store has them. SQLite's are its own: integers of 64 bits, and text
with any character.

PostgreSQL's text holds no NUL, and its JSON functions take none either. `StoredText` and
`StoredJson` write NUL there as two of Unicode's noncharacters, which no one else uses, and read it
back: what is stored is what comes out. Both compare by code points ("C"), as SQLite does.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

# Integers of 64 bits. `INTEGER PRIMARY KEY` is a name of SQLite's rowid, `BIGINT` would be none.
BigInt = BigInteger().with_variant(Integer(), "sqlite")
Id = BigInt

# The first begins an escape; the second makes it NUL, the third the first itself.
_ESCAPE, _NUL, _SELF = "\ufdd0", "\ufdd1", "\ufdd2"
_JSON_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")
_ESCAPED = re.compile(f"{_ESCAPE}([{_NUL}{_SELF}])")


def without_nul(text: str) -> str:
    """Return a text as PostgreSQL can hold it.

    >>> with_nul(without_nul("a\\0b")) == "a\\0b"
    True
    """
    if _ESCAPE in text:
        text = text.replace(_ESCAPE, _ESCAPE + _SELF)
    return text.replace("\0", _ESCAPE + _NUL) if "\0" in text else text


def with_nul(text: str) -> str:
    """Return what `without_nul` was given."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda match: "\0" if match[1] == _NUL else _ESCAPE, text)


def json_without_nul(text: str) -> str:
    """Return a JSON text whose strings are as `without_nul` has them."""
    if _ESCAPE in text:
        text = text.replace(_ESCAPE, _ESCAPE + _SELF)
    return _JSON_NUL.sub(rf"\1{_ESCAPE}{_NUL}", text) if "\\u0000" in text else text


def json_with_nul(text: str) -> str:
    """Return what `json_without_nul` was given."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda match: "\\u0000" if match[1] == _NUL else _ESCAPE, text)


class _PostgresText(TypeDecorator[str]):
    impl = Text
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(collation="C")

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return without_nul(value) if isinstance(value, str) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return with_nul(value) if isinstance(value, str) else value


class _PostgresJson(_PostgresText):
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return json_without_nul(value) if isinstance(value, str) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json_with_nul(value) if isinstance(value, str) else value


StoredText = Text().with_variant(_PostgresText(), "postgresql")
# JSON as `json.dumps` writes it, in which SQL looks for values.
StoredJson = Text().with_variant(_PostgresJson(), "postgresql")
