"""Full text over what people wrote about their sounds: names, folders, embedded tags and metadata.

Conventions: words are case-folded and have no diacritics. They are split at everything that is
neither letter nor digit, at camelCase, and between letters and digits. The table stores words, and
SQLite's FTS5 reduces them to stems (Porter); PostgreSQL's table has the same stems
(`audiosearch.catalog.postgres_words`). The store reports the sounds that match a word, and the
fields, in no order: `audiosearch.search.words` ranks them.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from audiosearch.catalog import folded_paths, postgres_words
from audiosearch.catalog.dialect import IDS, ids_parameter, on_postgresql, portable

# The fields that are searched, in the order in which a hit names them.
FIELDS = (
    "name",
    "title",
    "description",
    "keywords",
    "category",
    "originator",
    "folder",
    "metadata",
)

# The embedded tags behind the fields.
_TAGS = {
    "title": ("title",),
    "description": ("description",),
    "keywords": ("keywords",),
    "category": ("category", "subcategory"),
    "originator": ("originator", "library"),
}

# A field keeps this many words of a sound: enough for any description, and a bound on what a
# careless program can store.
_MOST_WORDS = 2_000

# An index of prefixes makes "bark" match "barkless" at once; shorter prefixes match half of the
# library.
SHORTEST_PREFIX = 4

_PARTS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(phrase: str) -> list[str]:
    """Return the words of a name or a phrase: ``DoorSlam_02`` is door, slam, 02."""
    decomposed = unicodedata.normalize("NFKD", _CAMEL.sub(" ", phrase))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _PARTS.findall(plain.casefold())


def fields_of(path: bytes, tags: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the words that each of `FIELDS` holds for a sound, with spaces between them.

    `path` is relative to the root; the root's own name is not part of it.
    """
    folder, name = os.path.split(os.fsdecode(path).encode("utf-8", "replace").decode())
    values: dict[str, Iterable[Any]] = {
        "name": [os.path.splitext(name)[0]],  # noqa: PTH122 (bytes were decoded with losses)
        "folder": [folder],
        "metadata": _leaves(metadata),
    }
    for field, keys in _TAGS.items():
        values[field] = [leaf for key in keys for leaf in _leaves(tags.get(key))]
    return {
        field: " ".join(
            [word for value in values[field] for word in words_of(str(value))][:_MOST_WORDS]
        )
        for field in FIELDS
    }


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value


def create_table(connection: Connection) -> None:
    """Make the full-text table, and fill it with the words of the stored sounds."""
    if on_postgresql(connection):
        postgres_words.create_table(connection)
        folded_paths.create_tables(connection)
    else:
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE words USING fts5({', '.join(FIELDS)}, "
            f"tokenize = 'porter ascii', prefix = '{SHORTEST_PREFIX}')"
        )
    ids = [row[0] for row in connection.execute(text("SELECT id FROM sounds"))]
    for first in range(0, len(ids), 1_000):
        index_words(connection, ids[first : first + 1_000])


def index_words(connection: Connection, sound_ids: Sequence[int]) -> None:
    """Bring the words of these sounds up to date, in the transaction that changed the sounds.

    Sounds that are gone or have no content lose their words.
    """
    values = ids_parameter(sound_ids)
    connection.execute(portable(f"DELETE FROM words WHERE rowid IN {IDS}"), values)
    rows = connection.execute(
        portable(
            "SELECT sounds.id, sounds.path, contents.tags, sounds.metadata FROM sounds "
            f"JOIN contents ON contents.id = sounds.content_id WHERE sounds.id IN {IDS}"
        ),
        values,
    ).all()
    words = [
        {"id": row.id, **fields_of(row.path, json.loads(row.tags), json.loads(row.metadata))}
        for row in rows
    ]
    if on_postgresql(connection):
        folded_paths.fold(connection, sound_ids)
        if words:
            postgres_words.insert_words(connection, words)
    elif words:
        columns, marks = ", ".join(FIELDS), ", ".join(f":{field}" for field in FIELDS)
        connection.execute(
            text(f"INSERT INTO words (rowid, {columns}) VALUES (:id, {marks})"),
            words,
        )


# Each sound has these. Most libraries have few of the other fields, so one look settles them all.
_OF_PATHS = ("name", "folder")
_OTHERS = tuple(field for field in FIELDS if field not in _OF_PATHS)


def _holding(field: str) -> str:
    """The ids of the sounds that hold :term in a field, ascending, with commas between them: so
    many rows would take longer than the match.
    """
    return (
        "(SELECT group_concat(rowid) FROM (SELECT rowid FROM words "
        f"WHERE words MATCH '{{{field}}} : ' || :term ORDER BY rowid LIMIT :most)) AS {field}"
    )


# These are SQLite's own. MATCH takes its expression as a parameter, so one statement serves every
# question.
_IN_PATHS = text(
    f"SELECT {', '.join(map(_holding, _OF_PATHS))}, EXISTS "
    f"(SELECT 1 FROM words WHERE words MATCH '{{{' '.join(_OTHERS)}}} : ' || :term) AS others"
)
_IN_OTHERS = text(f"SELECT {', '.join(map(_holding, _OTHERS))}")


def sounds_with_word(
    connection: Connection, word: str, most: int, *, prefix: bool = False
) -> dict[str, np.ndarray]:
    """Return the ids (int64, ascending) of the sounds that hold a word, by the fields that hold it:
    the first `most` of each field.

    With `prefix`, a word that begins with `word` counts too.
    """
    if on_postgresql(connection):
        return postgres_words.holders(connection, word, FIELDS, most, prefix=prefix)
    values = {"term": f'"{word}"' + ("*" if prefix else ""), "most": most}
    name, folder, others = connection.execute(_IN_PATHS, values).one()
    holders = dict(zip(_OF_PATHS, (name, folder), strict=True))
    if others:
        holders |= zip(_OTHERS, connection.execute(_IN_OTHERS, values).one(), strict=True)
    return {
        field: np.fromstring(ids, np.int64, sep=",")
        for field in FIELDS
        if (ids := holders.get(field)) is not None
    }
