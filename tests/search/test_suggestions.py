"""Suggestions are what the library holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiosearch import Library
from audiosearch.errors import InvalidQuery
from audiosearch.search.suggestions import suggested
from audiosearch.search.vocabulary import vocabulary
from tests.effort import thorough_only


@thorough_only
def test_they_have_good_hits(sample_directory: Path) -> None:
    with Library.open(sample_directory) as library:
        suggestions = library.suggestions(20)
        assert len({one.text for one in suggestions}) == 20
        for one in suggestions:
            hit = library.search(one.text, 1, match="sound")[0]
            assert not hit.weak, one.text
            assert hit.score == pytest.approx(
                one.score, abs=1e-3
            )  # of so few, all are in the sample
        assert library.suggestions(3) == suggestions[:3]
        with pytest.raises(InvalidQuery):
            library.suggestions(0)


def test_an_empty_library_has_none(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", create=True) as library:
        assert library.suggestions() == []
        assert library.folders() == []
        assert library.tags() == []


def test_what_is_held_by_many_comes_first_and_likes_once() -> None:
    texts = ["dog", "hound", "rain", "violin"]
    vectors = np.eye(4, dtype=np.float32)
    vectors[1] = vectors[0]
    scores = np.full((8, 4), 0.1, np.float32)
    scores[:5, 0], scores[:5, 1], scores[5:7, 2] = 0.8, 0.79, 0.9
    chosen = suggested(texts, vectors, scores, 0.2)
    assert chosen == [(2, 5), (0, 0)]  # fewer, but they stand out further
    assert suggested(texts, vectors, scores[:0], 0.2) == []


def test_the_vocabulary_is_short_and_plain() -> None:
    texts = vocabulary()
    assert len(texts) > 200
    assert all(len(text.split()) <= 4 for text in texts)
