"""The words of sounds in PostgreSQL: one row for each sound, with the stems of all its fields.

A lexeme is the number of the field and a stem of `audiosearch.catalog.stems`: ``0bark`` is a name
that holds *barking*. So one index finds a word in any field, and a row says in which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, text

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
    connection: Connection, word: str, fields: int, most: int, *, prefix: bool
) -> list[tuple[int, tuple[bool, ...]]]:
    """Return up to `most` sounds that hold a word in one of so many `fields`, by id, and for each
    field whether it holds it.
    """
    stem = stem_of(word)[:_LONGEST]
    terms = [f"'{number}{stem}'" + (":*" if prefix else "") for number in range(fields)]
    values = {f"term{number}": term for number, term in enumerate(terms)}
    parts = ", ".join(f"lexemes @@ CAST(:term{number} AS tsquery)" for number in range(fields))
    query = text(
        f"SELECT sound_id, {parts} FROM words WHERE lexemes @@ CAST(:any AS tsquery) LIMIT :most"
    )
    rows = connection.execute(query, {**values, "any": " | ".join(terms), "most": most})
    return sorted((row[0], tuple(row[1:])) for row in rows)
