"""The decoding process: its protocol, and what becomes of files that kill it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch.models.frontend import log_mel
from audiosearch.models.registry import load_model
from indexer import workers
from indexer.isolated import IsolatedReader
from indexer.options import Options
from indexer.protocol import receive, send
from indexer.run import index
from indexer.workers import Done, Hashed, Rejected, Windows, Worker, WorkerDied
from tests.e2e.conftest import SAMPLES, tone, write


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.binary())
def test_messages_round_trip(head: dict[str, object], body: bytes) -> None:
    stream = io.BytesIO()
    send(stream, head, body)
    send(stream, {}, b"")
    stream.seek(0)
    assert receive(stream) == (head, body)
    assert receive(stream) == ({}, b"")
    assert receive(stream) is None


def test_a_file(tmp_path: Path) -> None:
    model = load_model()
    with Worker(model.bundle) as worker:
        path = SAMPLES / "fire" / "campfire.ogg"
        messages = list(worker.read(bytes(path), lambda hashed: True))
        assert isinstance(messages[0], Hashed)
        done = messages[-1]
        assert isinstance(done, Done)
        features = [m for m in messages[1:-1] if isinstance(m, Windows)]
        assert len(features) == len(messages) - 2
        times = [time for m in features for time in m.times]
        assert times[0] == (0.0, 5.0)
        assert times[-1][1] == pytest.approx(done.duration)
        # The same windows and bits as of a file that is not stored.
        direct = model.embed_features(np.concatenate([m.values for m in features]))
        with IsolatedReader() as reader:
            assert np.array_equal(direct, reader.embed(model, path).vectors)
        # Known content is not decoded.
        (only,) = worker.read(bytes(path), lambda hashed: False)
        assert only == messages[0]


def test_samples_in_place_of_pictures() -> None:
    bundle = load_model().bundle
    path = bytes(SAMPLES / "fire" / "campfire.ogg")
    found = []
    for samples in (False, True):
        with Worker(bundle, samples=samples) as worker:
            messages = [m for m in worker.read(path, lambda hashed: True) if isinstance(m, Windows)]
            found.append(np.concatenate([m.values for m in messages]))
    pictures, windows = found
    assert windows.shape == (len(pictures), bundle.window_samples)
    np.testing.assert_array_equal(log_mel(windows, bundle.front_end), pictures)


def test_rejected_files_leave_the_worker_alive(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_bytes(b"no sound")
    with Worker(load_model().bundle) as worker:
        *_, message = worker.read(bytes(tmp_path / "text.wav"), lambda hashed: True)
        assert isinstance(message, Rejected)
        assert message.kind == "undecodable"
        (gone,) = worker.read(bytes(tmp_path / "nowhere.wav"), lambda hashed: True)
        assert isinstance(gone, Rejected)
        assert gone.kind == "vanished"
        process = worker._process
        *_, done = worker.read(bytes(SAMPLES / "water" / "drop.mp3"), lambda hashed: True)
        assert isinstance(done, Done)
        assert worker._process is process


def test_crash_costs_one_file(tmp_path: Path) -> None:
    """As of a segfault in a decoder: the next file gets a new process."""
    write(tmp_path / "a.wav", tone(seconds=60))
    with Worker(load_model().bundle) as worker:

        def crash(hashed: Hashed) -> bool:
            assert worker._process
            os.kill(worker._process.pid, signal.SIGSEGV)
            return True

        with pytest.raises(WorkerDied, match="signal 11"):
            list(worker.read(bytes(tmp_path / "a.wav"), crash))
        *_, done = worker.read(bytes(tmp_path / "a.wav"), lambda hashed: True)
        assert isinstance(done, Done)


def test_hang_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.wav", tone())
    with Worker(load_model().bundle) as worker:

        def freeze(hashed: Hashed) -> bool:
            assert worker._process
            monkeypatch.setattr(workers, "HUNG_SECONDS", 1.0)  # not before: it may start slowly
            os.kill(worker._process.pid, signal.SIGSTOP)
            return True

        with pytest.raises(WorkerDied, match="hung"):
            list(worker.read(bytes(tmp_path / "a.wav"), freeze))


def test_worker_does_not_outlive_its_parent(tmp_path: Path) -> None:
    worker = Worker(load_model().bundle)
    worker._started()
    process = worker._process
    assert process
    assert process.stdin
    process.stdin.close()
    assert process.wait() == 0
    worker.stop()


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="needs a system with priorities")
@pytest.mark.parametrize("turn", [None, lambda: None])
def test_beside_searches_it_decodes_at_low_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: Callable[[], None] | None
) -> None:
    """An index run that lets others go first starts such processes, any other does not."""
    priorities = []
    started = Worker._started

    def seen(self: Worker) -> subprocess.Popen[bytes]:
        process = started(self)
        priorities.append(os.getpriority(os.PRIO_PROCESS, process.pid))
        return process

    monkeypatch.setattr(Worker, "_started", seen)
    write(tmp_path / "sounds" / "a.wav")
    index(tmp_path / "library", [str(tmp_path / "sounds")], Options(workers=1), turn=turn)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert set(priorities) == {max(10, own) if turn else own}
