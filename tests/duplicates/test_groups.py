"""Which copy is the best, what a chain becomes, and what the reasons say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiosearch.catalog.records import Sound
from audiosearch.duplicates.comparison import Agreement
from audiosearch.duplicates.groups import clusters, components, make_group
from audiosearch.duplicates.matching import Match
from audiosearch.duplicates.quality import depth, is_lossless, preference

WAV = Sound(
    1, __file__, "/", 100, 1, "aa", 10.0, 48_000, 2, "wav", "pcm_24"
)  # a file that is there


def made(**values: object) -> Sound:
    return replace(WAV, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"path": "/not/there"}),
        ({}, {"sample_rate": 44_100}),
        ({}, {"subtype": "pcm_16"}),
        ({"sample_rate": 44_100, "subtype": "pcm_16"}, {"format": "ogg", "subtype": "opus"}),
        ({"format": "ogg", "subtype": "opus"}, {"sample_rate": 11_025, "subtype": "pcm_u8"}),
        ({}, {"channels": 1}),
        ({}, {"duration": 8.0}),
        ({"format": "flac", "duration": 10.01}, {"duration": 9.0}),
    ],
)
def test_the_better_copy(better: dict[str, object], worse: dict[str, object]) -> None:
    assert preference(made(**better)) < preference(made(**worse))


@pytest.mark.parametrize(
    ("subtype", "bits"),
    [
        ("pcm_16", 16),
        ("pcm_s24le", 24),
        ("float", 32),
        ("double", 64),
        ("alac_20", 20),
        ("flac", 16),
        ("mpeg_layer_iii", 0),
        ("ms_adpcm", 0),
        ("opus", 0),
        ("ulaw", 0),
        (None, 0),
    ],
)
def test_depth(subtype: str | None, bits: int) -> None:
    sound = made(subtype=subtype)
    assert (depth(sound), is_lossless(sound)) == (bits, bits > 0)


def test_components() -> None:
    assert components([(1, 2), (5, 6), (2, 3), (6, 5)]) == [[1, 2, 3], [5, 6]]


def test_a_chain_is_not_one_group() -> None:
    """1 is like 2, 2 like 3, 3 like 4, and no others."""
    sounds = {number: [made(id=number, duration=20.0 - number)] for number in (1, 2, 3, 4)}

    def compare(one: int, two: int) -> Match | None:
        return Match(0.9, Agreement(0.9, 0, 9, 0)) if abs(one - two) == 1 else None

    divided = clusters([4, 3, 2, 1], sounds, compare)
    assert [(best, list(matches)) for best, matches in divided] == [(1, [2]), (3, [4])]


def test_reasons() -> None:
    copies = {
        1: [WAV, made(id=2)],
        2: [made(id=3, format="ogg", subtype="opus", channels=1, duration=7.5)],
        3: [made(id=4, subtype="pcm_16", duration=12.0, path="/not/there")],
        4: [made(id=5)],
        5: [made(id=6)],
    }
    matches = {
        2: Match(0.9, Agreement(0.9, 1.5, 7.5, -6.2)),
        3: Match(0.95, Agreement(0.95, -0.5, 10, 3)),
        4: Match(0.995, None, "it is not there"),
        5: Match(0.8, Agreement(0.8, 0.02, 10, 0.5)),
    }
    group = make_group(1, matches, copies)
    assert group
    assert [(sound.id, sound.by, sound.reason) for sound in group.sounds] == [
        (1, "best", "best copy: 48 kHz, 24 bit, lossless, stereo"),
        (2, "content", "identical content"),
        (5, "vectors", "nearly the same vectors; not compared: it is not there"),
        (
            4,
            "sound",
            "same sound: 16 bit, 3 dB louder, 0.5 s more before it, 1.5 s more after it, "
            "missing on the disk",
        ),
        (
            3,
            "sound",
            "same sound: opus, mono, 6 dB quieter, first 1.5 s cut off, last 1.0 s cut off",
        ),
        (6, "sound", "same sound in other bytes"),
    ]
    assert group.bytes == 500
    assert make_group(4, {}, copies) is None
