"""SQLite and PostgreSQL answer alike: the functions of the catalog, over the same rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from audiosearch.catalog import changes, collections, reading, types, ucs, window_reading
from audiosearch.catalog.facet_table import FacetTable
from audiosearch.catalog.filters import Filter, make_filter
from audiosearch.catalog.folders import folders_below
from audiosearch.catalog.stems import stem_of
from audiosearch.catalog.tag_values import tag_values
from audiosearch.catalog.words import FIELDS, sounds_with_word
from indexer.belongings import Belongings, metadata_json, set_belongings
from indexer.deletion import delete_sounds
from indexer.meta import next_generation
from tests.dialects import Both, both
from tests.effort import thorough_only, tries
from tests.libraries import random_units

UNIT = random_units(1, 1)

# Names that differ in case, in Unicode's forms, in bytes that are no UTF-8, and in what is special.
NAMES: list[bytes] = [
    b"Door Slam.WAV",
    b"deep/door_50%.flac",
    "Caf\u00e9/Stra\u00dfe.wav".encode(),
    "cafe\u0301/STRASSE.wav".encode(),
    b"deep/bad\xff\xc3.wav",
    b"d [x].wav",
    b"d [y.wav",
    b"a-b!c^.wav",
    b"back\\slash.wav",
    "\u96e8/\u0416\u0443\u043a 7.wav".encode(),
]
METADATA: list[dict[str, Any]] = [
    {},
    {"a": 1, "b": "Storm"},
    {"a": 1.0, "b": "storm\0end"},
    {"a": True, "b": ["x", "Y", 2, None, False]},
    {"a": None, "b": "\ufdd0\\u0000\\"},
    {"a": "1", "b": {"deep": ["Rain 100%", 7.5]}},
    {"a": -3.25, "b": "5_5"},
    {"a": [1, 2, None], "b": "\u00c9t\u00e9"},
    {"long": "word " * 20_000},
    {"a": 2**62, "b": "long" * 25_000},
]


def _fill(made: Both) -> None:
    for number, (name, metadata) in enumerate(zip(NAMES, METADATA, strict=True)):
        tags = {"title": f"Title {number}\\0", "keywords": "Wind, rain", "note": ["Old", 3.5]}
        made.add(
            name,
            random_units(1 + number % 3, number),
            tags=tags if number % 2 else {},
            metadata=metadata,
            external_id=f"id\0{number}" if number % 3 else "x" * 5_000 + str(number),
        )
    for each in made.stores:
        each.fail("broken \udce9.wav", reason="no\0sound")


def _paths(condition: Filter) -> Any:
    return lambda connection: [s.path for s in reading.iterate_sounds(connection, condition)]


@pytest.fixture
def filled(tmp_path: Path, postgres_url: str) -> Iterator[Both]:
    with both(tmp_path / "library", postgres_url) as made:
        _fill(made)
        yield made


PATTERNS = [
    *(
        "door",
        "*",
        "*.wav",
        "DOOR*",
        "d [x].wav",
        "d [[]x].wav",
        "d [y",
        "[!a-z]*",
        "[^a-z]*",
        "*[]]*",
    ),
    *(
        "caf?/*",
        "caf\u00e9/*",
        "cafe\u0301/*",
        "stra\u00dfe",
        "*STRASSE*",
        "[a-",
        "[",
        "*[z-a]*",
        "a[-]b*",
    ),
    *(
        "*\\*",
        "50%",
        "door_*",
        "bad??.wav",
        "deep/bad*",
        "*[\u0430-\u044f]*",
        "\u0436?\u043a*",
        "?/*",
        "*[!]c*",
    ),
    # (SQLite takes every byte that is no UTF-8 for the same.)
    *("bad?", "3", "303", "*7*", "/", "[^\u0436]*", "*[^]]"),
]


def test_the_catalog_answers_alike(filled: Both) -> None:
    filled.same(lambda c: list(reading.iterate_sounds(c)))
    filled.same(lambda c: changes.changes_after(c, 0, 99))
    for pattern in PATTERNS:
        filled.same(_paths(make_filter({"path": pattern})))
    wheres: list[dict[str, Any]] = [
        *(
            {"tag": tag}
            for tag in ("storm", "RAIN", "100%", "5_5", "1", "0", "7.5", "t\u00e9", "old", "")
        ),
        *(
            {"tag": tag}
            for tag in ("title=TITLE 1", "b=storm", "b=x", "a=1", "a=-3", "keywords=wind", "b=")
        ),
        *(
            {"metadata": {"a": a}}
            for a in (1, 1.0, True, "1", [1, "1"], -3.25, 2**62, 2, [3, False])
        ),
        *(
            {"metadata": {"b": b}}
            for b in ("Storm", "storm\0end", "\ufdd0\\u0000\\", "x", False, "Y", 2)
        ),
        *({"metadata": {"a": {"gte": g}}} for g in (0, 1.5, -4, "0", "2")),
        {"metadata": {"b": {"gt": "S", "lte": "storn"}}},
        {"external_id": ["id\0" + "1", "x" * 5_000 + "3"]},
        *({"format": name} for name in ("wav", "flac", "WAV", "é")),
        *({"root": folder} for folder in ("/", str(filled.stores[0].root), "/elsewhere")),
        {"root": str(filled.stores[0].root / "cafe\u0301")},
        {"min_duration": 2, "channels": [1, 2**62]},
        {"since": "2020-01-01"},
    ]
    for where in wheres:
        filled.same(_paths(make_filter(where)))
    assert filled.same(_paths(make_filter({"metadata": {"b": "storm\0end"}})))
    assert filled.same(_paths(make_filter({"path": "caf\u00e9/*"})))
    filled.same(_everything)
    filled.same(lambda c: _facets(FacetTable(c, 1), c))


def _everything(connection: Connection) -> Any:
    held = {
        (word, prefix): {f: ids.tolist() for f, ids in held.items()}
        for word in ("door", "doors", "slam", "stra", "storm", "word", "titles", "zzz")
        for prefix in (False, True)
        if (held := sounds_with_word(connection, word, 5, prefix=prefix)) is not None
    }
    return (
        held,
        # SQLite before 3.45 ends a text at NUL, and all of SQLite's count 1 and 1.0 as one value.
        [tag for tag in tag_values(connection, 10) if tag.key not in ("a", "b")],
        folders_below(connection),
        reading.counts(connection),
        reading.all_roots(connection),
        reading.active_model(connection),
        reading.sounds_of_contents(connection, [1, 2, 3]),
        window_reading.windows_by_id(connection, [1, 2, 99]),
        window_reading.sample_contents(connection, 3),
        sorted(window_reading.vectors_by_id(connection, [1, 2, 3])),
        sorted(window_reading.sample_windows(connection, 1, [1, 2, 3], 1)),
        reading.generation(connection),
        [c.name for c in collections.all_collections(connection)],
        ucs.all_categories(connection),
    )


def _facets(table: FacetTable, connection: Connection) -> Any:
    every = np.ones(len(table.ids), bool)
    columns = {name: column.counts(every) for name, column in table.columns.items()}
    metadata = {key: table.metadata(connection, key).counts(every) for key in ("a", "long")}
    return columns, metadata


def test_what_goes_is_gone_in_both(filled: Both) -> None:
    def change(connection: Connection) -> None:
        next_generation(connection)
        delete_sounds(connection, [1, 4])
        set_belongings(connection, [(2, Belongings("new", {"b": "harbour"})), (3, Belongings("z"))])
        changes.note_changed(connection, [5])

    filled.write(change)
    filled.same(lambda c: list(reading.iterate_sounds(c)))
    filled.same(lambda c: [(x.kind, x.id, x.external_id) for x in changes.changes_after(c, 0, 99)])
    filled.same(lambda c: sorted(window_reading.dead_windows(c, 0)))
    assert filled.same(
        lambda c: {f: i.tolist() for f, i in (sounds_with_word(c, "harbour", 9) or {}).items()}
    ) == {"metadata": [2]}
    filled.add(b"later.wav", UNIT)
    filled.same(lambda c: [s.id for s in reading.iterate_sounds(c)])


@thorough_only
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("aAbz*?[]!^-\\\u00e9\u0301\u0416./ %", max_size=8))
def test_any_pattern_matches_alike(filled: Both, pattern: str) -> None:
    filled.same(_paths(make_filter({"path": pattern})))


@given(st.text())
def test_nul_comes_back(text: str) -> None:
    assert "\0" not in types.without_nul(text)
    assert types.with_nul(types.without_nul(text)) == text


@given(st.dictionaries(st.text(), st.text('\0\\u0\ufdd0\ufdd1a"')))
def test_nul_in_json_comes_back(value: dict[str, str]) -> None:
    text = metadata_json(value)
    escaped = types.json_without_nul(text)
    assert types.json_with_nul(escaped) == text
    unescaped = escaped.replace("\\\\", "")
    assert "\\u0000" not in unescaped


@given(
    st.lists(st.from_regex(r"[a-z]{1,12}(ing|ed|ly|ational|ness|ies|logies|s|e)?", fullmatch=True))
)
@settings(max_examples=tries(20, 500))
def test_stems_are_those_of_fts5(words: list[str]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE w USING fts5(t, tokenize = 'porter ascii')")
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(w, instance)")
    connection.executemany("INSERT INTO w (t) VALUES (?)", [(word,) for word in words])
    stems = [row[0] for row in connection.execute("SELECT term FROM v ORDER BY doc")]
    connection.close()
    assert [stem_of(word) for word in words] == stems


def test_fields_have_one_digit_each() -> None:
    assert len(FIELDS) <= 10  # of a lexeme in PostgreSQL
