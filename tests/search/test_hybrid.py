"""Hybrid search: names and metadata add to the score of the sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosearch import Library, Term
from audiosearch.models.registry import load_model
from audiosearch.search.fusion import fused_key
from audiosearch.search.query import Match
from tests.libraries import random_units, synthetic

MATCHES: tuple[Match, ...] = ("both", "words")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Sixty sounds of random vectors, and two with telling names that have nothing to do with them."""
    text = load_model().embed_text(["this is a sound of glissando"])
    vectors = random_units(1, 100)
    unlike = vectors - (vectors @ text.T) * text
    with synthetic(tmp_path_factory.mktemp("hybrid") / "library") as made:
        for i in range(60):
            made.add(f"Track_{i:02d}.wav", random_units(2, i))
        made.add("xylophone/glissando.wav", unlike)
        made.add("Glissando down.wav", unlike)
        with Library.open(made.directory) as opened:
            yield opened


def names(library: Library, query: object, match: Match = "both", **options: object) -> list[str]:
    hits = library.search(query, k=5, match=match, **options)  # type: ignore[arg-type]
    return [Path(hit.path).name for hit in hits]


def test_without_a_matching_word_the_order_is_that_of_sound(library: Library) -> None:
    assert library.search("thunder", k=30) == library.search("thunder", k=30, match="sound")
    vector = random_units(1, 500)[0]
    assert library.search(vector, k=30) == library.search(vector, k=30, match="sound")


def test_a_name_brings_what_sound_misses(library: Library) -> None:
    telling = {"glissando.wav", "Glissando down.wav"}
    assert not telling & set(names(library, "glissando", "sound"))
    assert set(names(library, "glissando")[:2]) == telling
    assert set(names(library, "glissando", "words")) == telling
    assert names(library, "xylophone glissando", "words")[0] == "glissando.wav"
    best = library.search("xylophone glissando", k=5)[0]
    assert best.why == ("words: name", "words: folder")
    assert best.score == next(  # still the cosine
        hit.score
        for hit in library.search("xylophone glissando", k=62, match="sound")
        if hit.path == best.path
    )


def test_order_follows_rank_and_ends_with_sound(library: Library) -> None:
    hits = library.search("glissando", k=62)
    assert [hit.rank for hit in hits] == list(range(1, 63))
    rest = [hit.score for hit in hits if not any("words" in reason for reason in hit.why)]
    assert rest == sorted(rest, reverse=True)


def test_filters_hold_for_what_words_bring(library: Library) -> None:
    assert "glissando.wav" not in names(library, "glissando", where={"path": "Track_*"})
    assert names(library, "glissando", "words", where={"path": "*/xylophone/*"}) == [
        "glissando.wav"
    ]
    assert names(library, "glissando", "words", where={"path": "Track_*"}) == []


def test_only_positive_texts_take_part(library: Library) -> None:
    away = [Term("thunder"), Term("glissando", weight=-1.0)]
    assert library.search(away, k=5) == library.search(away, k=5, match="sound")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group": True},
        {"moments": True},
        {"where": {"path": "*.wav"}},
        {"where": {"path": "x*"}},
    ],
)
def test_few_hits_are_the_first_of_many(library: Library, options: dict[str, Any]) -> None:
    """Only sounds that can be among them are read. (`why` says what is among the first k by sound.)"""

    def order(query: str, k: int) -> list[tuple[Any, ...]]:
        hits = library.search(query, k=k, **options)
        return [(hit.rank, hit.path, hit.start, hit.score, hit.percentile) for hit in hits]

    for query in ("glissando", "xylophone", "track 07", "track glissando", "thunder"):
        many = order(query, 62)
        for k in (1, 2, 5, 40):
            assert order(query, k) == many[:k]


def test_moments_and_groups(library: Library) -> None:
    ways: list[dict[str, Any]] = [{"moments": True}, {"group": True}]
    for options in ways:
        hits = library.search("glissando", k=5, **options)
        assert {Path(hit.path).name for hit in hits[:2]} == {"glissando.wav", "Glissando down.wav"}


def test_copies_with_unlike_names(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        vectors = random_units(1, 1)
        made.add("Track_1.wav", vectors, b"one content")
        made.add("woodpecker.wav", vectors, b"one content")
        for i in range(10):
            made.add(f"{i}.wav", random_units(1, i + 10))
        with Library.open(made.directory) as opened:
            grouped = opened.search("woodpecker", k=1, group=True)[0]
            assert Path(grouped.path).name == "woodpecker.wav"
            assert [Path(path).name for path in grouped.copies] == ["Track_1.wav"]
            only = [Path(hit.path).name for hit in opened.search("woodpecker", match="words")]
            assert only == ["woodpecker.wav"]


def test_a_named_sound_of_equal_windows_is_one_hit_at_its_beginning(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        made.add("woodpecker.wav", np.repeat(random_units(1, 1), 3, axis=0))
        made.add("woodpecker 2.wav", random_units(3, 2))
        for i in range(40):
            made.add(f"{i}.wav", random_units(1, i + 10))
        with Library.open(made.directory) as opened:
            for match in MATCHES:
                hits = opened.search("woodpecker", k=2, match=match)
                assert {Path(hit.path).name for hit in hits} == {
                    "woodpecker.wav",
                    "woodpecker 2.wav",
                }
                assert {hit.start for hit in hits if hit.path.endswith("woodpecker.wav")} == {0.0}


def test_fused_key() -> None:
    assert fused_key(0.5, 0.0, 0.3, 0.1) == pytest.approx(2.0)
    assert fused_key(0.5, 1.0, 0.3, 0.1) - fused_key(0.5, 0.5, 0.3, 0.1) == pytest.approx(2.0)
    assert np.isfinite(fused_key(0.5, 0.0, 0.5, 0.0))
