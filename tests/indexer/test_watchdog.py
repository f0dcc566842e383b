"""What is slow is not hung, and what may pass is tried again."""

from __future__ import annotations

import errno
import io
import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from audiosearch.audio import splice
from audiosearch.audio.decode import open_audio
from audiosearch.errors import AudioRejected
from audiosearch.models.registry import load_model
from indexer import workers
from indexer.encoder import PictureEncoder
from indexer.options import Options
from indexer.pipeline import Failed, read_one
from indexer.plan import FileTask, _Stored, _unchanged
from indexer.protocol import receive, send
from indexer.scan import Found
from indexer.worker import content_hash, pulse, serve
from indexer.workers import Done, Hashed, Worker
from tests.audio.made import RATE, muxed, tone
from tests.e2e.conftest import write
from tests.effort import thorough_only


def messages(path: Path, every: float) -> list[str]:
    """What a worker says of a file."""
    bundle = load_model().bundle
    incoming, outgoing = io.BytesIO(), io.BytesIO()
    config = {
        "samples": False,
        "front_end": asdict(bundle.front_end),
        "length": bundle.window_samples,
        "hop": bundle.hop_samples,
        "alive": every,
    }
    for head in (config, {"path": bytes(path).hex()}, {"decode": True}):
        send(incoming, head)
    incoming.seek(0)
    serve(incoming, outgoing)
    outgoing.seek(0)
    found = []
    while (message := receive(outgoing)) is not None:
        found.append(message[0]["is"])
    return found


@thorough_only
def test_hashing_and_silence_are_signs_of_life(tmp_path: Path) -> None:
    silent = np.zeros((300 * RATE, 1), np.float32)
    silent[-RATE:] = tone(400, 1)
    write(tmp_path / "a.wav", silent[:, 0], RATE)
    said = messages(tmp_path / "a.wav", 0.0)
    hashed = said.index("hashed")
    assert said[:hashed] == ["alive"] * hashed
    assert hashed >= 14  # megabytes
    assert said[hashed + 1 :].count("alive") >= 20
    assert said[-2:] == ["windows", "done"]
    assert "alive" not in messages(tmp_path / "a.wav", 1e9)


def test_a_silent_track_is_a_sign_of_life(tmp_path: Path) -> None:
    """It is decoded to its end before the next one is heard."""
    rate = 48_000
    tracks = [(np.zeros((60 * rate, 1), np.float32), rate), (tone(400, 2, rate), rate)]
    (tmp_path / "a.mov").write_bytes(muxed(tracks, "mov", "pcm_s16le"))
    beats = []
    with open_audio(tmp_path / "a.mov", lambda: beats.append(1)):
        assert len(beats) >= 10


def test_the_pulse_is_bounded() -> None:
    beats: list[int] = []
    alive = pulse(1e9, lambda: beats.append(1))
    content_hash(io.BytesIO(bytes(5 << 20)), alive)
    assert beats == []


def test_signs_of_life_are_not_for_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_PULSE", 0.0)
    write(tmp_path / "a.wav", tone(400, 20)[:, 0], RATE)
    with Worker(load_model().bundle) as worker:
        first, *_, last = worker.read(bytes(tmp_path / "a.wav"), lambda hashed: True)
    assert isinstance(first, Hashed)
    assert isinstance(last, Done)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGSTOP, "hung"), (signal.SIGKILL, "hung"), (signal.SIGSEGV, "undecodable")],
)
def test_what_may_pass_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: str
) -> None:
    write(tmp_path / "a.wav", tone(400, 2)[:, 0], RATE)
    path, model = bytes(tmp_path / "a.wav"), load_model()

    def strike(content: bytes) -> bool:
        assert worker._process
        monkeypatch.setattr(workers, "HUNG_SECONDS", 1.0)
        os.kill(worker._process.pid, number)
        return False

    with Worker(model.bundle) as worker:
        outcome = read_one(
            FileTask(path, 0, path, 0, 0, None),
            worker,
            PictureEncoder(model),
            strike,
            lambda: False,
        )
    assert isinstance(outcome, Failed)
    assert outcome.kind == kind


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        ("hung", True),
        ("unreadable", True),
        ("changed", True),
        ("undecodable", False),
        ("silent", False),
        ("refused", False),
    ],
)
def test_what_may_pass_is_tried_again(kind: str, again: bool) -> None:
    row = _Stored(1, 10, 20, kind, False)
    assert _unchanged(Found(b"a.wav", 10, 20), row, Options()) is not again
    assert not _unchanged(Found(b"a.wav", 11, 20), row, Options())


class Failing(io.FileIO):
    """A file on a disk that fails after 20 kB."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 20_000:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size) or b""


@pytest.mark.parametrize("form", ["adts", "mpegts", "matroska"])
def test_a_disk_that_fails_is_no_verdict_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.2, (10 * 48_000, 1)).astype(np.float32)
    (tmp_path / "a").write_bytes(muxed([(sound, 48_000)], form, "aac"))

    def failing(source: splice.Source) -> IO[bytes]:
        return Failing(source.path)

    monkeypatch.setattr(splice.Source, "open", failing)
    with pytest.raises(AudioRejected) as caught, open_audio(tmp_path / "a") as stream:
        list(stream.blocks())
    assert caught.value.kind == "unreadable"
    assert str(caught.value) == "input/output error"
