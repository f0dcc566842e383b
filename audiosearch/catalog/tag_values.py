"""What sounds are tagged with: the fields of embedded tags and of metadata, and their values."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection

from audiosearch.catalog.dialect import portable
from audiosearch.catalog.json_values import MEMBERS
from audiosearch.catalog.types import with_nul

# Longer values are descriptions, which nobody chooses from a list.
_LONGEST = 60


@dataclass(frozen=True)
class TagValue:
    """A value of a field, and how many sounds have it."""

    value: str
    sounds: int


@dataclass(frozen=True)
class Tag:
    """A field that so many sounds have, with its most frequent values. The filter `tag` takes
    ``key=value``.
    """

    key: str
    sounds: int
    values: tuple[TagValue, ...]


_VALUES = portable(
    """
    SELECT field.key, CASE WHEN length(field.value) <= :longest THEN field.value END, count(*)
    FROM sounds JOIN contents ON contents.id = sounds.content_id, json_each(contents.tags) field
    WHERE field.type IN ('text', 'integer', 'real') GROUP BY 1, 2
    UNION ALL
    SELECT field.key, CASE WHEN length(member.value) <= :longest THEN member.value END,
        count(DISTINCT sounds.id)
    FROM sounds, json_each(sounds.metadata) field, json_each(
        CASE field.type WHEN 'array' THEN field.value ELSE json_array(field.value) END) member
    WHERE sounds.content_id IS NOT NULL AND field.type IN ('text', 'integer', 'real', 'array')
        AND member.type IN ('text', 'integer', 'real') GROUP BY 1, 2
    """,
    f"""
    SELECT field.key, CASE WHEN length(field.value #>> '{{}}') <= :longest
        THEN field.value #>> '{{}}' END, count(*)
    FROM sounds JOIN contents ON contents.id = sounds.content_id,
        json_each(CAST(contents.tags AS json)) AS field(key, value)
    WHERE json_typeof(field.value) IN ('string', 'number') GROUP BY 1, 2
    UNION ALL
    SELECT field.key, CASE WHEN length(member.value #>> '{{}}') <= :longest
        THEN member.value #>> '{{}}' END, count(DISTINCT sounds.id)
    FROM sounds, {MEMBERS}
    WHERE sounds.content_id IS NOT NULL AND json_typeof(field.value) IN ('string', 'number', 'array')
        AND json_typeof(member.value) IN ('string', 'number') GROUP BY 1, 2
    """,
)


def tag_values(connection: Connection, most: int) -> list[Tag]:
    """Return the fields, the most frequent first, each with up to `most` values."""
    sounds: Counter[str] = Counter()
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for stored, value, number in connection.execute(_VALUES, {"longest": _LONGEST}):
        key = with_nul(stored)
        sounds[key] += number
        if value is not None:
            values[key][with_nul(str(value))] += number
    return [
        Tag(key, number, tuple(TagValue(*pair) for pair in _frequent(values[key], most)))
        for key, number in _frequent(sounds, len(sounds))
    ]


def _frequent(counts: Counter[str], most: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
