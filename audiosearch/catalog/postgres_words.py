"""The words of sounds in PostgreSQL: one row for each sound, with the stems of all its fields.

A lexeme is the number of the field and a stem of `audiosearch.catalog.stems`: ``0bark`` is a name
that holds *barking*. So one index finds a word in any field, and a row says in which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from sqlalchemy import Connection, TextClause, text

from audiosearch.catalog.stems import stem_of

# A lexeme takes 2 kB at most, all of a row 1 MB.
_LONGEST = 500
_MOST_BYTES = 900_000


def create_table(connection: Connection) -> None:
    """Make the table and its index."""
    connection.execute(
        text(
            "CREATE TABLE words (sound_id bigint PRIMARY KEY REFERENCES sounds ON DELETE CASCADE, "
            "lexemes tsvector NOT NULL)"
        )
    )
    connection.execute(text("CREATE INDEX words_lexemes ON words USING gin (lexemes)"))


_INSERT = text(
    "INSERT INTO words (sound_id, lexemes) VALUES (:id, array_to_tsvector(CAST(:lexemes AS text[])))"
)


def insert_words(connection: Connection, rows: Iterable[Mapping[str, object]]) -> None:
    """Write the words of sounds: each row has the `id`, and the words of each field."""
    values = [
        {"id": row["id"], "lexemes": _lexemes([str(v) for k, v in row.items() if k != "id"])}
        for row in rows
    ]
    connection.execute(_INSERT, values)


def _lexemes(fields: Sequence[str]) -> list[str]:
    left = _MOST_BYTES
    lexemes: list[str] = []
    for number, words in enumerate(fields):
        for word in dict.fromkeys(words.split()):
            lexeme = f"{number}{stem_of(word)[:_LONGEST]}"
            left -= len(lexeme.encode()) + 8
            if left < 0:
                return lexemes
            lexemes.append(lexeme)
    return lexemes


def holders(
    connection: Connection, word: str, fields: Sequence[str], most: int, *, prefix: bool
) -> dict[str, np.ndarray]:
    """Return the ids (int64, ascending) of the sounds that hold a word, by the fields that hold it:
    the first `most` of each field. `fields` are all of them, in the order in which they were written.
    """
    stem = stem_of(word)[:_LONGEST]
    terms = {field: f"'{n}{stem}'" + (":*" if prefix else "") for n, field in enumerate(fields)}
    rows = connection.execute(_held(tuple(fields)), {**terms, "most": most}).all()
    return {row[0]: np.array(row[1], np.int64) for row in rows}


@cache
def _held(fields: tuple[str, ...]) -> TextClause:
    """One statement for all fields: each has an answer of the index of its own."""
    parts = (
        f"SELECT '{field}', array_agg(sound_id) FROM (SELECT sound_id FROM words "
        f"WHERE lexemes @@ CAST(:{field} AS tsquery) ORDER BY sound_id LIMIT :most) AS held "
        "HAVING count(*) > 0"
        for field in fields
    )
    return text(" UNION ALL ".join(parts))
