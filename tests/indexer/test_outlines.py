"""Outlines of contents that went go with them, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from audiosearch import Library
from audiosearch.audio.peaks import FOLDER


def write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 0.1, 8_000)
    soundfile.write(path, noise, 8_000, subtype="FLOAT")


def outlines(library: Path) -> set[str]:
    return {path.stem for path in (library / FOLDER).glob("??/*")}


def test_outlines_go_with_their_contents(tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    for number in range(4):
        write(sounds / f"{number}.wav", number)
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(sounds)
        content = {Path(s.path).name: s.content for s in library.sounds()}
        for name in content:
            library.peaks(sounds / name)
        folder = tmp_path / "library" / FOLDER
        (folder / "ab").mkdir(exist_ok=True)
        for name, age in (("tmpnew", 0), ("tmpold", 7_200)):
            file = folder / "ab" / name
            file.write_bytes(b"unfinished")
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - age))
        library.remove([str(sounds / "0.wav")])
        assert outlines(tmp_path / "library") == {
            *(content[name] for name in ("1.wav", "2.wav", "3.wav")),
            "tmpnew",
            "tmpold",  # goes at the next walk over a folder: a removal does not list them all
        }
        (sounds / "1.wav").unlink()
        write(sounds / "2.wav", 7)
        library.add(sounds)
        assert outlines(tmp_path / "library") == {content["3.wav"], "tmpnew"}
        # A content that another file still has keeps its outline.
        (sounds / "copy.wav").write_bytes((sounds / "3.wav").read_bytes())
        library.add(sounds)
        library.remove([str(sounds / "3.wav")])
        assert content["3.wav"] in outlines(tmp_path / "library")
