"""Sounds decoded once for a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch.audio.reader import read_windows
from audiosearch.models.registry import load_model
from audiosearch.training.decoded import decode
from audiosearch.training.options import Progress
from tests.training.sounds import RATE, write


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [write(tmp_path / "in" / f"{i}.wav", i % 4, i, 1 + 5 * i) for i in range(3)]
    (tmp_path / "in" / "broken.wav").write_bytes(b"no sound")
    soundfile.write(tmp_path / "in" / "silence.wav", np.zeros(RATE), RATE)
    return [made[0], tmp_path / "in" / "broken.wav", *made[1:], tmp_path / "in" / "silence.wav"]


class Counting(Progress):
    """Stops after `most` files, as Ctrl-C does."""

    def __init__(self, most: int = 99) -> None:
        self.files, self.most, self.before = 0, most, 0

    def begin(self, phase: str, total: int, done: int = 0) -> None:
        self.before = done

    def advance(self, figures: str = "") -> None:
        self.files += 1
        if self.files == self.most:
            raise KeyboardInterrupt


def test_the_windows_are_those_of_the_indexer(files: list[Path], tmp_path: Path) -> None:
    bundle = load_model("mini").bundle
    made = decode(files, bundle, 8.0, tmp_path / "sounds", Progress())
    assert made.count.tolist() == [1, 0, 2, 2, 0]  # of 1, 6 and 11 s; no more than 8 s are heard
    assert made.first.tolist() == [0, 1, 1, 3, 5]
    assert made.failed[1] is not None
    assert "silent" in str(made.failed[4])
    with read_windows(
        files[2],
        rate=bundle.front_end.sampling_rate,
        length=bundle.window_samples,
        hop=bundle.hop_samples,
        padding=bundle.front_end.padding,
    ) as (_, windows):
        for number, window in enumerate(windows):
            assert np.abs(made.window(1 + number) - window.samples).max() < 2e-5


def test_decoding_goes_on_where_it_was_stopped(files: list[Path], tmp_path: Path) -> None:
    bundle = load_model("mini").bundle
    whole = decode(files, bundle, 60.0, tmp_path / "whole", Progress())
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        decode(files, bundle, 60.0, folder, Counting(3))
    # Killed in the middle of a row: samples without their line, and half a line.
    with (folder / "samples.i16").open("ab") as file:
        file.write(b"\1" * 1001)
    with (folder / "index.jsonl").open("ab") as file:
        file.write(b'{"path": "x", "pea')
    talk = Counting()
    again = decode(files, bundle, 60.0, folder, talk)
    assert (talk.before, talk.files) == (3, 2)
    assert np.array_equal(again.samples, whole.samples)
    assert again.hashes == whole.hashes
    # Samples that were lost are decoded again.
    with (folder / "samples.i16").open("ab") as file:
        file.truncate(5)
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    assert np.array_equal(decode(files, bundle, 60.0, folder, Progress()).samples, whole.samples)
    assert rows[0]["path"] == str(files[0])
