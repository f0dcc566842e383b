"""Filters speak the language of whoever types them, and take no value that SQL cannot hold."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audiosearch import Library
from audiosearch.catalog.filters import Filter, make_filter
from audiosearch.errors import InvalidQuery
from tests.libraries import Synthetic, random_units, synthetic


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Synthetic]:
    with synthetic(tmp_path / "library") as library:
        yield library


@pytest.fixture
def library(made: Synthetic) -> Iterator[Library]:
    with Library.open(made.directory) as opened:
        yield opened


def names(library: Library, where: dict[str, Any]) -> set[str]:
    return {Path(sound.path).name for sound in library.sounds(where)}


def test_format_is_container_encoding_or_suffix(made: Synthetic, library: Library) -> None:
    for number, (name, form) in enumerate(
        {
            "a.wav": "wav",
            "b.wav": "wavex",
            "c.wav": "rf64",
            "d.rf64": "rf64",
            "e.aif": "aiff",
            "f.m4b": "mov",
            "g.m4r": "mov",
            "h.weba": "mkv",
            "i.MP3": "mp3",
        }.items()
    ):
        made.add(name, random_units(1, number), format=form)
    for asked, expected in {
        "wav": {"a.wav", "b.wav", "c.wav", "d.rf64"},
        "WAV": {"a.wav", "b.wav", "c.wav", "d.rf64"},
        "rf64": {"c.wav", "d.rf64"},
        "aiff": {"e.aif"},
        "aif": {"e.aif"},
        "m4b": {"f.m4b"},
        ".m4r": {"g.m4r"},
        "mov": {"f.m4b", "g.m4r"},
        "weba": {"h.weba"},
        "mkv": {"h.weba"},
        "mp3": {"i.MP3"},
        "pcm_16": set(),
        "%": set(),
    }.items():
        assert names(library, {"format": asked}) == expected or asked == "pcm_16", asked


PATHS = [
    "Kick [Hard].wav",
    "Büro/Gerät.wav",
    unicodedata.normalize("NFD", "Café/Tür.wav"),
    "ÉTÉ.wav",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_printed_path_matches_itself(made: Synthetic, library: Library, path: str) -> None:
    for number, each in enumerate([*PATHS, "Kick h.wav", "other.wav"]):
        made.add(each, random_units(1, number))
    name = {Path(path).name}
    absolute = str(made.root) + "/" + path
    for form in ("NFC", "NFD"):
        for text in (path, absolute, path.upper(), path.lower(), Path(path).name):
            assert names(library, {"path": unicodedata.normalize(form, text)}) >= name
            if "[" not in path:
                assert names(library, {"path": unicodedata.normalize(form, text)}) == name


def test_patterns_still_are_patterns(made: Synthetic, library: Library) -> None:
    for number, name in enumerate(["Kick H.wav", "Kick [Hard].wav", "deep/Über Uns.wav"]):
        made.add(name, random_units(1, number))
    assert names(library, {"path": "kick [Hx].wav"}) == {"Kick H.wav"}
    assert names(library, {"path": "Kick [[]*"}) == {"Kick [Hard].wav"}
    assert names(library, {"path": "*/über*"}) == {"Über Uns.wav"}
    assert names(library, {"path": "deep/?ber *.WAV"}) == {"Über Uns.wav"}


def test_bytes_that_are_no_text(made: Synthetic, library: Library) -> None:
    name = os.fsdecode(b"caf\xe9 \xc3\xbc.wav")
    made.add(name, random_units(1, 1))
    made.add("other.wav", random_units(1, 2))
    assert names(library, {"path": name}) == {name}
    assert names(library, {"path": os.fsdecode(b"*\xe9 \xc3\x9c*")}) == {name}


def test_root_is_any_folder(
    made: Synthetic, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(["a.wav", "deep/b.wav", "deep/er/c.wav", "deeper/d.wav"]):
        made.add(name, random_units(1, number))
    root = Path(os.fsdecode(made.root))
    root.mkdir(parents=True, exist_ok=True)
    (root / "deep").mkdir(exist_ok=True)
    monkeypatch.chdir(root)
    (tmp_path / "link").symlink_to(root)
    everything = {"a.wav", "b.wav", "c.wav", "d.wav"}
    for folder, expected in {
        str(root): everything,
        str(root) + "/": everything,
        ".": everything,
        "deep/..": everything,
        str(root.parent): everything,
        "/": everything,
        "deep": {"b.wav", "c.wav"},
        str(root / "deep" / "er"): {"c.wav"},
        str(tmp_path / "link"): everything,
        str(tmp_path / "link" / "deep"): {"b.wav", "c.wav"},
        str(root / "dee"): set(),
        str(root) + "x": set(),
    }.items():
        assert names(library, {"root": folder}) == expected, folder


@pytest.mark.parametrize(
    "where",
    [
        {"since": "9999-12-31"},
        {"metadata": {"take": 1 << 62}},
        {"min_duration": "inf"},
    ],
)
def test_numbers_beyond_what_sql_holds_find_nothing(
    made: Synthetic, library: Library, where: dict[str, Any]
) -> None:
    made.add("a.wav", random_units(1, 1))
    assert names(library, where) == set()


@pytest.mark.parametrize(
    "where",
    [
        {"min_duration": "nan"},
        {"duration": (float("nan"), None)},
        {"duration": ("a", "b")},
        {"channels": 10**20},
        {"rate": [10**30]},
        {"channels": float("inf")},
        {"channels": float("nan")},
        {"tag": "\udcff"},
        {"tag": "key=\udcff"},
        {"format": "\udcff"},
        {"external_id": "\udcff"},
        {"metadata": {"\udcff": 1}},
        {"metadata": {"a": "\udcff"}},
        {"metadata": {"a": 10**20}},
        {"metadata": {"a": float("nan")}},
        {"root": ""},
    ],
)
def test_values_that_cannot_be_are_one_line(where: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery) as caught:
        make_filter(where)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()  # it can be printed


def test_a_filter_made_by_hand_is_as_safe(made: Synthetic, library: Library) -> None:
    made.add("a.wav", random_units(1, 1))
    with pytest.raises(InvalidQuery):
        list(library.sounds(Filter(channels=(10**20,))))
