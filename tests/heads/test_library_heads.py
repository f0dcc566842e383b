"""Heads in a library: trained on its sounds, kept, used as filters, damaged, of another model."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from audiosearch import Library
from audiosearch.care.doctor import Finding, check
from audiosearch.errors import (
    HeadMismatch,
    HeadNotFound,
    InvalidQuery,
    LibraryDamaged,
)
from audiosearch.heads.head import Head
from audiosearch.library_heads import merged
from audiosearch.vectors.codec import unit
from tests.libraries import DIMENSION, synthetic

KINDS = ("bell", "dog", "rain")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 36 sounds of three kinds; half of the dogs are wet, which is a label too."""
    directory = tmp_path_factory.mktemp("heads") / "library"
    rng = np.random.default_rng(0)
    centres = np.random.default_rng(9).normal(size=(3, DIMENSION))
    with synthetic(directory) as library:
        for number in range(36):
            kind = number % 3
            vectors = unit(centres[kind] + 0.5 * rng.normal(size=(2, DIMENSION)))
            labels = ["dog", "wet"] if kind == 1 and number % 2 else [KINDS[kind]]
            about = {"kind": KINDS[kind], "all": labels, "take": number // 6, "one": "x"}
            library.add(f"{KINDS[kind]} {number}.wav", vectors, metadata=about)
        library.add("unlabelled.wav", unit(centres[:1]))
    with Library.open(directory) as opened:
        opened.heads.train("kinds", "kind", folds=2)
    return directory


@pytest.fixture
def library(made: Path) -> Iterator[Library]:
    with Library.open(made) as opened:
        yield opened


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """A copy of the library, to be damaged."""
    copy = tmp_path / "library"
    copy.mkdir()
    with (
        closing(sqlite3.connect(made / "library.db")) as source,
        closing(sqlite3.connect(copy / "library.db")) as target,
    ):
        source.backup(target)
    return copy


def edit(directory: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(directory / "library.db")) as connection:
        connection.execute(statement, values)
        connection.commit()


def test_what_is_kept_is_what_was_trained(library: Library) -> None:
    (summary,) = library.heads.all()
    assert (summary.name, summary.labels, summary.usable) == ("kinds", KINDS, True)
    figures = summary.facts["figures"]
    assert figures["accuracy"] > 0.9
    assert figures["sounds"] == 36
    assert np.array(figures["confusion"]).sum() == 36
    low, high = figures["accuracy_interval"]
    assert low <= figures["accuracy"] <= high
    head = library.heads.get("kinds")
    assert isinstance(head, Head)
    assert head.probabilities(unit(np.ones((2, DIMENSION)))).sum(axis=1) == pytest.approx(1)


def test_filters(library: Library) -> None:
    dogs = {Path(sound.path).name for sound in library.sounds(where={"head": "kinds=dog>0.5"})}
    assert dogs == {f"dog {number}.wav" for number in range(1, 36, 3)}
    rest = list(library.sounds(where={"head": "kinds=dog <= 0.5"}))
    assert len(rest) == 37 - len(dogs)
    assert not list(library.sounds(where={"head": ["kinds=dog>0.5", "kinds=rain>0.5"]}))
    hits = library.search(unit(np.ones(DIMENSION)), k=50, where={"head": "kinds=rain"})
    assert {Path(hit.path).name.split()[0] for hit in hits} == {"rain"}
    assert library.facets(where={"head": "kinds=bell"}).channels == {1: len(hits) + 1}
    assert [s.id for s in library.page(where={"head": "kinds=bell", "path": "*bell 3.wav"})] == [4]


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_filters_follow_the_head(own: Path) -> None:
    """A head that is trained anew answers at once, in an open library too."""
    with Library.open(own) as library:
        anything, where = unit(np.ones(DIMENSION)), {"head": "kinds=dog"}
        assert len(library.search(anything, k=50, where=where)) == 12
        library.heads.train("kinds", "all", multi=True, folds=2)
        wet = library.search(anything, k=50, where={"head": "kinds=wet>0"})
        assert len(wet) == 37
        assert library.duplicates(where=where) == []
        assert library.ucs_choices(where) == {}
        with pytest.raises(InvalidQuery, match="has no label 'cat': it has bell, dog, rain, wet"):
            library.search(anything, where={"head": "kinds=cat"})


@pytest.mark.parametrize(
    ("bound", "match"),
    [
        ("dog>0.8", "cannot read"),
        ("kinds=dog>8", "from 0 to 1"),
        ("kinds=dog>.", "cannot read"),
        (7, "the filter head cannot be 7"),
        ("nix=dog", "there is no head 'nix' in the library .there is: kinds."),
    ],
)
def test_wrong_bounds(library: Library, bound: object, match: str) -> None:
    with pytest.raises((InvalidQuery, HeadNotFound), match=match):
        list(library.sounds(where={"head": bound}))


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_several_labels(own: Path) -> None:
    with Library.open(own) as library:
        trained = library.heads.train("both", "all", balanced=True, folds=2)
        assert trained.head.multi
        (notice,) = trained.notices
        assert notice.startswith("left out 1 sound, such as /")
        assert notice.endswith("unlabelled.wav: it has no field all")
        with pytest.raises(InvalidQuery, match="some sounds have several labels"):
            library.heads.train("both", "all", multi=False)


def test_what_cannot_be_learned(library: Library) -> None:
    for source, group, match in (
        ("one", None, "there is only 'x'"),
        ("kind", "one", "all sounds are in one group"),
        ("nothing", None, "none of the 37 sounds of the library has a field 'nothing'"),
    ):
        with pytest.raises(InvalidQuery, match=match):
            library.heads.train("bad", source, group=group)
    with pytest.raises(InvalidQuery, match="cannot name a head"):
        library.heads.train("a=b", "kind")
    with pytest.raises(InvalidQuery, match="takes labels, or the name of a head"):
        library.classify([1])
    assert [head.name for head in library.heads.all()] == ["kinds"]


@pytest.mark.sqlite("it opens the file of SQLite itself")
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE heads SET numbers = substr(numbers, 1, 200)",
        "UPDATE heads SET numbers = x'00'",
        "UPDATE heads SET labels = '[\"dog\"]'",
        "UPDATE heads SET labels = '{'",
        "UPDATE heads SET facts = '{}'",
    ],
)
def test_a_damaged_record(own: Path, damage: str) -> None:
    edit(own, damage)
    with Library.open(own) as library:
        with pytest.raises(LibraryDamaged, match=r"the head kinds is damaged|audiosearch doctor"):
            list(library.classify([1], head="kinds"))
        library.heads.remove("kinds")
        with pytest.raises(HeadNotFound, match="none yet"):
            library.heads.get("kinds")


@pytest.mark.sqlite("it opens the file of SQLite itself")
@pytest.mark.parametrize(
    ("statement", "level", "message"),
    [
        ("UPDATE heads SET numbers = x'00'", "error", "the head kinds is damaged .*head remove"),
        ("UPDATE heads SET labels = '5'", "error", "the head kinds is damaged"),
        (
            "UPDATE heads SET digest = 'other', model = 'big'",
            "notice",
            "the head kinds was trained on vectors of the model big.*: audiosearch head train kinds --from ",
        ),
    ],
)
def test_doctor_reads_heads(own: Path, statement: str, level: str, message: str) -> None:
    def findings() -> list[Finding]:
        return [finding for finding in check(own, quick=True) if finding.code == "head"]

    assert findings() == []
    edit(own, statement)
    (finding,) = findings()
    assert finding.level == level
    assert re.search(message, finding.message)


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_doctor_refuses_a_head_that_would_run_code(own: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, weights0=np.array([print], dtype=object), allow_pickle=True)
    edit(own, "UPDATE heads SET numbers = ?", stream.getvalue())
    (finding,) = [finding for finding in check(own, quick=True) if finding.code == "head"]
    assert finding.level == "error"


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_a_flipped_byte_is_noticed(own: Path) -> None:
    with closing(sqlite3.connect(own / "library.db")) as connection:
        (numbers,) = connection.execute("SELECT numbers FROM heads").fetchone()
    at = len(numbers) // 2
    flipped = numbers[:at] + bytes([numbers[at] ^ 1]) + numbers[at + 1 :]
    edit(own, "UPDATE heads SET numbers = ?", flipped)
    with Library.open(own) as library, pytest.raises(LibraryDamaged, match="train it again"):
        library.heads.usable("kinds")


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_a_head_of_another_model(own: Path) -> None:
    edit(own, "UPDATE heads SET digest = 'other', model = 'big'")
    with Library.open(own) as library:
        assert [head.usable for head in library.heads.all()] == [False]
        for use in (
            lambda: list(library.classify([1], head="kinds")),
            lambda: list(library.sounds(where={"head": "kinds=dog"})),
        ):
            with pytest.raises(HeadMismatch, match="trained on vectors of the model big"):
                use()


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_vectors_that_are_not_finite(own: Path) -> None:
    """A vector of NaN with a right checksum, which no version of audiosearch writes."""
    values = np.full(DIMENSION, np.nan, dtype="<f2").tobytes()
    blob = values + zlib.crc32(values).to_bytes(4, "little")
    edit(own, "UPDATE windows SET vector = ? WHERE content_id = 1", blob)
    with (
        Library.open(own) as library,
        pytest.raises(InvalidQuery, match="1 of 36 vectors hold NaN"),
    ):
        library.heads.train("nan", "kind")


def test_copies_share_a_group() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 0, 2, 1]]
    groups = merged(np.array([0, 1, 2, 3, 4]), vectors)
    assert groups[0] == groups[2]
    assert groups[1] == groups[4]
    assert len(set(groups.tolist())) == 3


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_the_record_holds_no_code(made: Path) -> None:
    with closing(sqlite3.connect(made / "library.db")) as connection:
        numbers, labels, facts = connection.execute(
            "SELECT numbers, labels, facts FROM heads"
        ).fetchone()
    assert numbers.startswith(b"PK")
    assert b"pickle" not in numbers
    assert json.loads(labels) == list(KINDS)
    assert json.loads(facts)["kind"] == "linear"
