"""`audiosearch duplicates` and `--group near` on copies of real sounds."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch import Library
from audiosearch.errors import InvalidQuery
from tests.e2e.conftest import SAMPLES, Shell

COPIES = ("dogs.mp3", "dogs quieter.flac", "Hunde ж, cut.wav", "again.mp3")
OTHERS = ("cough-1.wav", "cough-2.wav", "kitten.wav")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A library of a sound, three copies of it, and others that are none."""
    shell = Shell(tmp_path_factory.mktemp("copies"))
    folder = shell.home / "my sounds"
    folder.mkdir()
    samples, rate = soundfile.read(SAMPLES / "animals" / "dogs.mp3", dtype="float32")
    for name in ("dogs.mp3", "again.mp3"):
        shutil.copyfile(SAMPLES / "animals" / "dogs.mp3", folder / name)
    soundfile.write(folder / "dogs quieter.flac", samples / 4, rate, "PCM_16")
    cut = samples[rate : 5 * rate]
    soundfile.write(folder / "Hunde ж, cut.wav", np.stack([cut, cut], axis=1), rate, "PCM_16")
    for name in OTHERS[:2]:
        shutil.copyfile(SAMPLES / "human" / name, folder / name)
    shutil.copyfile(SAMPLES / "animals" / "kitten.wav", folder / "kitten.wav")
    with Library.open(shell.library, create=True) as library:
        library.add(folder)
    return shell


def test_the_table_and_the_paths(copies: Shell) -> None:
    table = copies("duplicates")
    assert table.text.splitlines() == [
        "1. my sounds/Hunde ж, cut.wav",
        "     best copy: 48 kHz, 16 bit, lossless, stereo (0:04.0)",
        *table.text.splitlines()[2:],
    ]
    assert "same sound: flac, mono, 12 dB quieter, 1.0 s more before it" in table.text
    assert all(len(line) <= 80 for line in table.text.splitlines())
    assert "1 group; copies beside the best: 3" in table.talk
    paths = copies("duplicates", "-0").out.split(b"\0")
    folder = os.fsencode(copies.home / "my sounds") + b"/"
    assert sorted(paths) == sorted(
        [b"", *(folder + os.fsencode(name) for name in COPIES if name != "Hunde ж, cut.wav")]
    )


def test_json_is_what_python_gives(copies: Shell) -> None:
    (line,) = copies("duplicates", "--json", "--path", "*dogs*").objects
    with Library.open(copies.library) as library:
        (group,) = library.duplicates(where={"path": "*dogs*"})
        assert library.duplicates(where={"path": "*cough*"}) == []
        assert len(library.duplicates(threshold=1.0)[0].sounds) == 2  # identical content
    expected = asdict(group)
    assert line == {"group": 1, "bytes": group.bytes, "sounds": list(expected["sounds"])}
    best, copy = line["sounds"]
    assert (Path(best["path"]).name, best["by"]) == ("dogs quieter.flac", "best")
    assert copy["by"] == "sound"
    assert 0.95 < copy["score"] <= 1


def test_hits_are_folded(copies: Shell) -> None:
    with Library.open(copies.library) as library:
        text = "dogs bark"
        alone = library.search(text, k=3, match="sound")
        assert {Path(hit.path).name for hit in alone} <= set(COPIES)
        hits = library.search(text, k=3, match="sound", group="near")
        assert [hit.rank for hit in hits] == [1, 2, 3]
        assert hits[0].score == alone[0].score
        names = {Path(path).name for path in (hits[0].path, *hits[0].copies)}
        assert names == set(COPIES)
        assert all(hit.copies == () for hit in hits[1:])
        similar = library.similar(copies.home / "my sounds" / "dogs.mp3", k=2, group="near")
        assert len(similar[0].copies) == 3
        for wrong in ({"group": "nearly"}, {"group": "near", "moments": True}):
            with pytest.raises(InvalidQuery, match="near"):
                library.search(text, **wrong)


def test_what_is_no_threshold(copies: Shell) -> None:
    ran = copies("duplicates", "--threshold", "2", code=1)
    assert ran.talk == ("audiosearch: error: the threshold must be above 0 and at most 1, not 2\n")


def test_a_file_that_is_gone(copies: Shell, tmp_path: Path) -> None:
    """Its fingerprint is kept: it is still compared, and comes last."""
    folder = copies.home / "my sounds"
    with Library.open(copies.library) as library:
        library.duplicates()
        (folder / "Hunde ж, cut.wav").rename(tmp_path / "elsewhere")
        try:
            (group,) = library.duplicates()
        finally:
            (tmp_path / "elsewhere").rename(folder / "Hunde ж, cut.wav")
    best, *others = group.sounds
    assert Path(best.path).name == "dogs quieter.flac"
    (gone,) = [sound for sound in others if sound.missing]
    assert gone.by == "sound"
    assert gone.reason.endswith("missing on the disk")
