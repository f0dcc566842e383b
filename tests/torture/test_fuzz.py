"""Short form of `fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.effort import thorough_only, tries
from tests.torture import fuzz, structures
from tests.torture.kills import make_sounds


@thorough_only
def test_mutated_sounds(tmp_path: Path) -> None:
    fuzzed = fuzz.fuzz_audio(tmp_path, tries(200, 600), seed=0)
    assert fuzzed.faults == []
    # A dead decoder costs one file; more than a few would be a defect of ours.
    assert len(fuzzed.deaths) <= 2, fuzzed.deaths
    assert fuzzed.outcomes["decoded"] > tries(30, 100)
    assert fuzzed.outcomes["undecodable"] > tries(15, 50)


@thorough_only
def test_containers_of_a_grammar(tmp_path: Path) -> None:
    built = structures.build(tmp_path, tries(30, 200), seed=0)
    assert built.faults == []
    assert built.outcomes["right"] == built.files


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> fuzz.Subject:
    return fuzz.Subject(tmp_path_factory.mktemp("subject"))


@thorough_only
@pytest.mark.parametrize("name", ["library.db", "vectors.faiss"])
def test_mutated_library(subject: fuzz.Subject, name: str) -> None:
    count = tries(30, 150)
    fuzzed = subject.fuzz_library(name, count, seed=0)
    assert fuzzed.faults == []
    assert fuzzed.files == count
    assert fuzzed.outcomes["unseen"] <= 1  # one in a thousand is known


@pytest.mark.parametrize("name", ["model.json", "audio.onnx", "text.onnx", "tokenizer.json"])
def test_mutated_model(subject: fuzz.Subject, name: str) -> None:
    count = tries(8, 20)
    fuzzed = subject.fuzz_model(name, count, seed=0)
    assert fuzzed.faults == []
    assert fuzzed.outcomes["refused"] > count // 2
    assert fuzzed.outcomes["unseen"] == 0


def test_database_from_a_backup_beside_a_newer_cache(subject: fuzz.Subject) -> None:
    before = (subject.library / "library.db").read_bytes()
    answer = subject.answer()
    make_sounds(subject.sounds, 5, first=500)
    subject.index()
    assert subject.answer() != answer
    (subject.library / "library.db").write_bytes(before)
    assert subject.answer() == answer
