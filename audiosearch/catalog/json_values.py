"""Values within the JSON of embedded tags and of metadata, as SQL, with SQLite's meaning in both
stores.

false and true count as 0 and 1. Numbers compare with each other whatever they are written as; texts
are above all of them. A field that is a list stands for its members. A part of a text is found
without regard to the case of ASCII letters. PostgreSQL compares numbers in decimal, as they are
written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    TextClause,
    bindparam,
    case,
    cast,
    func,
    or_,
)

from audiosearch.catalog.dialect import by_dialect, portable
from audiosearch.catalog.types import StoredText, json_without_nul, without_nul

Single = str | int | float | bool


@dataclass(frozen=True)
class Range:
    """Bounds of a field, all of them numbers or all of them texts, which compare by code points:
    dates such as 2026-01-31 in their order.
    """

    gte: str | int | float | None = None
    gt: str | int | float | None = None
    lte: str | int | float | None = None
    lt: str | int | float | None = None


FieldValue = Single | tuple[Single, ...] | Range

_COMPARED = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
_COLUMNS = ("contents.tags", "sounds.metadata")


def shown(value: str, kind: str = "json") -> str:
    """Return PostgreSQL's text of a JSON value as SQLite has it; of null, NULL."""
    return (
        f"CASE {kind}_typeof({value}) WHEN 'boolean' THEN "
        f"CASE CAST({value} AS text) WHEN 'true' THEN '1' ELSE '0' END "
        f"ELSE {value} #>> '{{}}' END COLLATE \"C\""
    )


# PostgreSQL's members of each field of the metadata: `field.key`, `field.value`, `member.value`.
MEMBERS = (
    "json_each(CAST(sounds.metadata AS json)) AS field(key, value), "
    "json_array_elements(CASE json_typeof(field.value) WHEN 'array' THEN field.value "
    "ELSE json_build_array(field.value) END) AS member(value)"
)
_NUMBER = (
    "CASE json_typeof(member.value) WHEN 'number' THEN CAST(member.value #>> '{}' AS numeric) "
    "WHEN 'boolean' THEN CASE CAST(member.value AS text) WHEN 'true' THEN 1 ELSE 0 END END"
)
_TEXT = "CASE json_typeof(member.value) WHEN 'string' THEN member.value #>> '{}' END COLLATE \"C\""


def text_member(column: ColumnElement[str], key: str) -> ColumnElement[Any]:
    """Return a field of an object where it is a text. A number is none: PostgreSQL gives NULL."""
    value = func.json_extract_path(cast(column, JSON), key)
    return by_dialect(
        func.json_extract(column, f"$.{key}"),
        case(
            (
                func.json_typeof(value).not_in(("number", "boolean")),
                func.json_extract_path_text(cast(column, JSON), key),
            )
        ),
        StoredText,
    )


def _like(part: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", part) + "%"


def _lowered(part: str) -> str:
    return without_nul(part.encode().lower().decode())


def tag_matches(tag: str) -> ColumnElement[bool]:
    """Return whether a text is part of any value of the embedded tags or of the metadata that was
    set; of the form ``key=part``, whether it is part of that field.
    """
    key, equals, part = tag.partition("=")
    if not equals:
        return or_(*(_any_value_has(column, tag) for column in _COLUMNS))
    return or_(*(_field_has(column, key, part) for column in _COLUMNS))


def _any_value_has(column: str, part: str) -> ColumnElement[bool]:
    return by_dialect(
        _bound(
            f"EXISTS (SELECT 1 FROM json_tree({column}) WHERE atom LIKE :part ESCAPE '\\')",
            part=_like(part),
        ),
        _bound(
            f"EXISTS (SELECT 1 FROM jsonb_path_query(CAST({column} AS jsonb), 'strict $.**') AS leaf "
            "WHERE jsonb_typeof(leaf) NOT IN ('object', 'array') "
            f"AND strpos(lower({shown('leaf', 'jsonb')}), :part) > 0)",
            part=_lowered(part),
        ),
    )


def _field_has(column: str, key: str, part: str) -> ColumnElement[bool]:
    return by_dialect(
        _bound(
            f"EXISTS (SELECT 1 FROM json_each({column}) "
            "WHERE key = :key AND value LIKE :part ESCAPE '\\')",
            key=key,
            part=_like(part),
        ),
        _bound(
            f"EXISTS (SELECT 1 FROM json_each(CAST({column} AS json)) AS field(key, value) WHERE "
            f"field.key = :key AND strpos(lower({shown('field.value')}), :part) > 0)",
            key=without_nul(key),
            part=_lowered(part),
        ),
    )


def field_matches(key: str, value: FieldValue) -> ColumnElement[bool]:
    """Return whether a field of the metadata, or a member of one that is a list, is as it should
    be.
    """
    forms = _within(key, value) if isinstance(value, Range) else _any_of(key, value)
    return by_dialect(*forms)


_SQLITE_MEMBER = (
    "EXISTS (SELECT 1 FROM json_each(sounds.metadata) AS field, json_each(CASE field.type "
    "WHEN 'array' THEN field.value ELSE json_array(field.value) END) AS member "
    "WHERE field.key = :key AND {condition})"
)
_POSTGRES_MEMBER = f"EXISTS (SELECT 1 FROM {MEMBERS} WHERE field.key = :key AND ({{condition}}))"


def _within(key: str, value: Range) -> tuple[TextClause, TextClause]:
    bounds = {name: bound for name, bound in vars(value).items() if bound is not None}
    texts = any(isinstance(bound, str) for bound in bounds.values())
    kinds = "('text')" if texts else "('integer', 'real')"  # texts are above all numbers
    parts = [f"typeof(member.value) IN {kinds}"]
    parts += [f"member.value {_COMPARED[name]} :{name}" for name in bounds]
    if texts:
        others = {name: without_nul(str(bound)) for name, bound in bounds.items()}
        their_parts = [f"{_TEXT} {_COMPARED[name]} :{name}" for name in bounds]
    else:
        others = {name: json.dumps(_plain(bound)) for name, bound in bounds.items()}
        their_parts = [
            f"{_NUMBER} {_COMPARED[name]} CAST(CAST(:{name} AS text) AS numeric)" for name in bounds
        ]
    return (
        _bound(_SQLITE_MEMBER.replace("{condition}", " AND ".join(parts)), key=key, **bounds),
        _bound(
            _POSTGRES_MEMBER.replace("{condition}", " AND ".join(their_parts)),
            key=without_nul(key),
            **others,
        ),
    )


def _any_of(key: str, value: Single | tuple[Single, ...]) -> tuple[TextClause, TextClause]:
    several = value if isinstance(value, tuple) else (value,)
    texts = [one for one in several if isinstance(one, str)]
    numbers = [_plain(one) for one in several if not isinstance(one, str)]
    return (
        _bound(
            _SQLITE_MEMBER.replace(
                "{condition}", "member.value IN (SELECT value FROM json_each(:any))"
            ),
            key=key,
            any=json.dumps(several),
        ),
        _bound(
            _POSTGRES_MEMBER.replace(
                "{condition}",
                f"{_TEXT} IN (SELECT json_array_elements_text(CAST(:texts AS json))) OR {_NUMBER} "
                "IN (SELECT CAST(json_array_elements_text(CAST(:numbers AS json)) AS numeric))",
            ),
            key=without_nul(key),
            texts=json_without_nul(json.dumps(texts, ensure_ascii=False)),
            numbers=json.dumps(numbers),
        ),
    )


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _bound(condition: str, **values: Any) -> TextClause:
    return portable(condition, condition).bindparams(
        *(bindparam(name, value, unique=True) for name, value in values.items())
    )
