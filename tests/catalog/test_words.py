"""The words of names and metadata are split, stored and matched."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch import Library
from audiosearch.catalog.words import FIELDS, fields_of, sounds_with_word, words_of
from audiosearch.search.words import holders_of, match_words
from tests.libraries import random_units, synthetic


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DoorSlam_02", ["door", "slam", "02"]),
        ("DOORWood_Heavy Slam-BBC.take3", ["door", "wood", "heavy", "slam", "bbc", "take", "3"]),
        ("Forêt d'été", ["foret", "d", "ete"]),
        ("8kHz", ["8", "k", "hz"]),
        ("雨の音", ["雨の音"]),
        ("...", []),
    ],
)
def test_words_of(name: str, words: list[str]) -> None:
    assert words_of(name) == words


@given(st.text())
def test_words_of_words_are_themselves(phrase: str) -> None:
    words = words_of(phrase)
    assert [again for word in words for again in words_of(word)] == words


def test_fields() -> None:
    fields = fields_of(
        b"Doors/Wood/DoorSlam_02.wav",
        {"title": "Big Slam", "keywords": ["barn", "oak"], "category": "DOORS", "take": 4},
        {"project": {"name": "Harbour"}, "cleared": True},
    )
    assert tuple(fields) == FIELDS
    assert fields["name"] == "door slam 02"
    assert fields["folder"] == "doors wood"
    assert (fields["title"], fields["keywords"], fields["category"]) == (
        "big slam",
        "barn oak",
        "doors",
    )
    assert fields["metadata"] == "harbour"


@given(
    st.binary(min_size=1, max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ),
)
def test_any_name_and_metadata_give_words(path: bytes, value: object) -> None:
    for words in fields_of(path, {"title": value}, {"a": value}).values():
        words.encode()  # no lone surrogate: SQLite takes it


def test_words_that_too_many_hold_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with synthetic(tmp_path / "library") as made:
        made.add("dog.wav", random_units(1, 1))
        made.add("dog/dog.wav", random_units(1, 2))
        with Library.open(made.directory) as library, library._reader.snapshot() as connection:
            first, second = (sound.id for sound in library.sounds())
            fields = sounds_with_word(connection, "dog", 2)
            assert {name: ids.tolist() for name, ids in fields.items()} == {
                "name": sorted((first, second)),
                "folder": [second],
            }
            assert len(sounds_with_word(connection, "dog", 1)["name"]) == 1
            assert sounds_with_word(connection, "cat", 1) == {}
            monkeypatch.setattr("audiosearch.search.words.MOST_SOUNDS", 1)
            assert holders_of(connection, "dog") is None


def test_the_words_of_a_sound_come_and_go_with_it(tmp_path: Path) -> None:
    def holders(word: str, prefix: bool = False) -> list[tuple[str, tuple[str, ...]]]:
        with Library.open(made.directory) as library, library._reader.snapshot() as connection:
            by_field = sounds_with_word(connection, word, 100, prefix=prefix)
            fields: dict[str, tuple[str, ...]] = defaultdict(tuple)
            for field, ids in by_field.items():
                for sound_id in ids.tolist():
                    fields[Path(library.sound(sound_id).path).name] += (field,)
            return sorted(fields.items())

    with synthetic(tmp_path / "library") as made:
        made.add("barking dogs.wav", random_units(1, 1))
        made.add("Dog/night.wav", random_units(1, 2))
        assert holders("dog") == [("barking dogs.wav", ("name",)), ("night.wav", ("folder",))]
        assert holders("bark") == holders("barks") == [("barking dogs.wav", ("name",))]  # its stem
        assert holders("nigh") == []
        assert holders("nigh", prefix=True) == [("night.wav", ("name",))]
        with Library.open(made.directory) as library:
            night = next(sound for sound in library.sounds() if sound.path.endswith("night.wav"))
            library.describe(night.id, metadata={"place": "harbour"})
            assert holders("harbour") == [("night.wav", ("metadata",))]
            library.describe(night.id, metadata={})
            assert holders("harbour") == []
            library.remove(night.id)
        assert holders("dog") == [("barking dogs.wav", ("name",))]


def test_rare_words_count_more_and_common_ones_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiosearch.search.words.MOST_SOUNDS", 5)
    with synthetic(tmp_path / "library") as made:
        for i in range(8):
            made.add(f"door {i}{'abcdefgh'[i]}.wav", random_units(1, i))
        made.add("squeaky gate.wav", random_units(1, 20))
        made.add("gate.wav", random_units(1, 21))
        with Library.open(made.directory) as library, library._reader.snapshot() as connection:
            names = {sound.id: Path(sound.path).name for sound in library.sounds()}

            def matches(text: str) -> dict[str, float]:
                return {names[i]: m.score for i, m in match_words(connection, [text], 10).items()}

            assert matches("door") == {}  # every sound's
            assert matches("the sound of a gate") == {"squeaky gate.wav": 1.0, "gate.wav": 1.0}
            squeaky = matches("squeaky gate")
            assert squeaky["squeaky gate.wav"] == pytest.approx(1.0)
            assert squeaky["gate.wav"] < 0.5  # the common half of the question
