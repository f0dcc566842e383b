"""A library that an earlier version wrote opens, and answers as that version did.

`scripts/old_library.py` made them in checkouts of those versions; nothing here is made again.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.models.registry import load_model
from tests.e2e.conftest import Shell, tone, write
from tests.libraries import moved

pytestmark = pytest.mark.sqlite("older libraries are in SQLite")

DATA = Path(__file__).parents[1] / "data"
TIME = 1_600_000_000  # of every sound
SMALL = 1e-5  # scores of one processor and another
REVISION = {"0.1.0": "3"}  # of mini, whose words answered


@pytest.fixture(scope="module", params=["0.1.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(version: str, shell: Shell) -> Path:
    """The unpacked sounds; `shell` has the library of them."""
    with zipfile.ZipFile(DATA / f"library-{version}.zip") as packed:
        packed.extractall(shell.home / "old")
    sounds = shell.home / "sounds"
    shutil.move(shell.home / "old" / "sounds", sounds)
    for path in sounds.rglob("*"):
        os.utime(path, (TIME, TIME))
    moved(shell.home / "old" / "library", shell.library, root=sounds)
    return sounds


@pytest.fixture
def answers(old: Path, shell: Shell) -> dict[str, Any]:
    """What the old version said."""
    read: dict[str, Any] = json.loads((shell.home / "old" / "answers.json").read_text("utf-8"))
    return read


def same(hits: list[Any], expected: list[list[Any]]) -> bool:
    """Whether the same moments are heard with the same scores, in whatever order."""
    ours = {(Path(hit.path).name, hit.start, hit.end): hit.score for hit in hits}
    theirs = {(name, start, end): score for name, score, start, end in expected}
    return ours == pytest.approx(theirs, rel=0, abs=SMALL)


def assert_answers_are(answers: dict[str, Any], library: Library) -> None:
    """Everything that needs no model, and so is the same for ever."""
    for vector, expected in answers["vectors"]:
        assert same(library.search(np.array(vector, np.float32), k=100), expected)
    vector = np.array(answers["vectors"][0][0], np.float32)
    assert same(library.search(vector, k=100, moments=True), answers["moments"])
    assert same(library.search(vector, k=100, where={"tag": "take=3"}), answers["tagged"])
    (described,) = library.search(vector, where={"external_id": "asset-1"})
    assert described.metadata == {"take": "3", "room": "küche"}
    similar = {Path(hit.path).name: hit.score for hit in library.similar(described.id)}
    assert similar == pytest.approx(dict(answers["similar"]), rel=0, abs=SMALL)
    failures = [[Path(failure.path).name, failure.kind] for failure in library.failures()]
    assert failures == answers["failures"]
    status = library.status()
    assert {"sounds": status.sounds, "windows": status.windows} == answers["status"]


def test_it_answers_the_same(old: Path, answers: dict[str, Any], shell: Shell) -> None:
    """Before anything writes to it, and after."""
    before = (shell.library / "library.db").read_bytes()
    with Library.open(shell.library) as library:
        assert_answers_are(answers, library)
    assert (shell.library / "library.db").read_bytes() == before
    assert "6 unchanged" in shell("index").talk
    assert [f for f in check(shell.library) if f.level == "error"] == []
    with Library.open(shell.library) as library:
        assert_answers_are(answers, library)
    write(old / "new.wav", tone())
    assert "1 added" in shell("index").talk
    assert len(shell.sounds()) == answers["status"]["sounds"] + 1


def test_words_find_the_same(
    version: str, old: Path, answers: dict[str, Any], shell: Shell
) -> None:
    """As long as mini's words are those of the version; words taught since ask the same vectors."""
    with Library.open(shell.library) as library:
        for text, expected in answers["texts"].items():
            hits = library.search(text, k=100)
            if load_model().bundle.revision == REVISION[version]:
                assert same(hits, expected)
            else:
                names = {Path(hit.path).name for hit in hits}
                assert names == {name for name, *_ in expected}
                assert all(-1 <= hit.score <= 1 for hit in hits)
