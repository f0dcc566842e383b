"""Duplicates of a library whose vectors and fingerprints are made up; no sound is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from audiosearch.audio.fingerprint import Fingerprint
from audiosearch.catalog.filters import make_filter
from audiosearch.catalog.reader import CatalogReader
from audiosearch.duplicates import proposals
from audiosearch.duplicates.finding import find_duplicates
from audiosearch.duplicates.records import DuplicateGroup
from audiosearch.errors import InvalidQuery
from audiosearch.vectors.codec import unit
from tests.libraries import Synthetic, random_units, synthetic


def changes(seed: int, frames: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).integers(-7, 8, (frames, 16)).astype(np.int8)


def noisy(values: np.ndarray, seed: int) -> np.ndarray:
    """Another coding of it: a fifth of the values changed."""
    drawn = np.random.default_rng(seed)
    return np.where(drawn.random(values.shape) < 0.2, changes(seed, len(values)), values)


def near(vector: np.ndarray, seed: int, distance: float = 0.3) -> np.ndarray:
    return unit(vector + distance * random_units(1, seed))


class Supplied:
    """Fingerprints by the place of the content in the library, from 1 on."""

    def __init__(
        self, values: dict[int, np.ndarray], reasons: dict[int, str] | None = None
    ) -> None:
        self.values, self.reasons = values, reasons or {}
        self.asked: set[int] = set()

    def read(self, content_ids: Iterable[int]) -> dict[int, Fingerprint]:
        return {
            i: Fingerprint(self.values[i], np.full(len(self.values[i]), 100, np.uint8))
            for i in content_ids
            if i in self.values
        }

    def make(
        self, content_ids: Iterable[int], on_progress: Callable[[int, int], None] | None = None
    ) -> dict[int, str]:
        self.asked.update(content_ids)
        return {i: reason for i, reason in self.reasons.items() if i in self.asked}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Synthetic]:
    with synthetic(tmp_path / "library") as made:
        yield made


def groups(
    library: Synthetic, supplied: Supplied, threshold: float = 0.7, **where: object
) -> list[DuplicateGroup]:
    reader = CatalogReader(library.directory)
    try:
        return find_duplicates(reader, supplied, make_filter(where), threshold)
    finally:
        reader.close()


def names(found: list[DuplicateGroup]) -> list[list[str]]:
    return [[Path(sound.path).name for sound in group.sounds] for group in found]


def test_vectors_propose_and_fingerprints_decide(library: Synthetic) -> None:
    base = random_units(3, 1)
    library.add("a.wav", base[:1], duration=2.0)
    library.add("b copy.wav", near(base[:1], 2), duration=2.0)
    library.add("c take.wav", near(base[:1], 3), duration=2.0)
    library.add("d far.wav", base[1:2], duration=2.0)  # the same fingerprint: nobody asks for it
    library.add("e long.wav", near(base[:1], 4), duration=9.0)
    sound = changes(1)
    supplied = Supplied({1: sound, 2: noisy(sound, 2), 3: changes(3), 4: sound, 5: sound})
    assert names(groups(library, supplied)) == [["a.wav", "b copy.wav"]]
    assert supplied.asked == {1, 2, 3}
    assert groups(library, supplied, threshold=0.95) == []
    assert groups(library, supplied, path=["*take*", "*far*"]) == []


def test_inverted_lists_propose_the_same(
    library: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    base = random_units(40, 5)
    vectors = unit(np.concatenate([base, base + 0.02 * rng.normal(size=base.shape)]))
    contents = proposals.Contents(np.arange(80), vectors.astype(np.float16), np.full(80, 3.0))
    exact = proposals.propose(contents)
    monkeypatch.setattr(proposals, "_EXACT_UPTO", 10)
    listed = proposals.propose(contents)
    planted = {(i, i + 40) for i in range(40)}
    for pairs in (exact, listed):
        assert planted <= set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
        assert (pairs.cosines >= proposals.LEAST_COSINE).all()


def test_sounds_of_other_lengths_take_no_place() -> None:
    whole = random_units(1, 6)
    cut = near(whole, 7, 0.4)
    around = [near(sound, seed, 0.1) for sound in (whole, cut) for seed in range(20)]
    seconds = np.array([10.0, 7.0, *[2.0] * len(around)])
    vectors = np.concatenate([whole, cut, *around]).astype(np.float16)
    pairs = proposals.propose(proposals.Contents(np.arange(len(seconds)), vectors, seconds))
    assert (0, 1) in set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert len(pairs.first) <= proposals.NEIGHBOURS * len(seconds)


def test_what_cannot_be_read_needs_nearly_equal_vectors(library: Synthetic) -> None:
    base = random_units(1, 1)
    library.add("a.wav", base, duration=2.0)
    library.add("b.wav", near(base, 2, 0.05), duration=2.0)
    library.add("c.wav", near(base, 3, 0.3), duration=2.0)
    library.add("d.wav", near(base, 4, 0.05), duration=1.5)
    reasons = dict.fromkeys((1, 2, 3, 4), "it is not there")
    (group,) = groups(library, Supplied({}, reasons))
    assert names([group]) == [["a.wav", "b.wav"]]
    assert group.sounds[1].by == "vectors"
    assert group.sounds[1].score > 0.99
    assert "it is not there" in group.sounds[1].reason
    assert group.sounds[1].missing


def test_a_click_needs_more_agreement(library: Synthetic) -> None:
    base = random_units(1, 1)
    library.add("a.wav", base, duration=0.1)
    library.add("b.wav", near(base, 2), duration=0.1)
    sound = changes(1, 8)
    almost = noisy(sound, 2)
    assert groups(library, Supplied({1: sound, 2: almost})) == []
    assert len(groups(library, Supplied({1: sound, 2: sound}))) == 1


def test_identical_content_is_one_group(library: Synthetic) -> None:
    vectors = random_units(1, 1)
    for name in ("b.wav", "a.wav", "\udcff.wav"):
        library.add(name, vectors, content=b"1" * 32)
    library.add("other.wav", random_units(1, 2))
    (group,) = groups(library, Supplied({}))
    assert [sound.by for sound in group.sounds] == ["best", "content", "content"]
    assert names([group]) == [["a.wav", "b.wav", "\udcff.wav"]]
    assert names(groups(library, Supplied({}), path=["*a.wav", "*b.wav"])) == [["a.wav", "b.wav"]]
    assert groups(library, Supplied({}), path=["*a.wav"]) == []


def test_an_empty_library(library: Synthetic) -> None:
    assert groups(library, Supplied({})) == []


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_a_threshold_that_is_none(library: Synthetic, threshold: float) -> None:
    with pytest.raises(InvalidQuery, match="threshold"):
        groups(library, Supplied({}), threshold=threshold)
