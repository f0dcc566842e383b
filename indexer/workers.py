"""The indexer's side of its decoding processes: start, ask, and bury them when they die or hang."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from audiosearch.audio.loudness import Loudness
from audiosearch.models.bundle import Bundle
from indexer.protocol import receive, send

# A process that reads or decodes, at whatever pace, says so. One that is silent so long has hung.
HUNG_SECONDS = 120.0

# How often it says so, of that.
_PULSE = 1 / 24


# The niceness of a process that decodes beside others' work: those that search have the processor
# first, and on an idle machine it changes nothing.
_GENTLE = 10

# Signals that come from outside: the system is short of memory, or somebody stopped it.
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM} if os.name == "posix" else set[int]()


class WorkerDied(Exception):
    """The process ended in the middle of a file; the message says how.

    `kind`, as in `audiosearch.errors.AudioRejected`: ``hung`` where that may pass (it was stopped
    for its silence, or killed from outside), else ``undecodable``.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Hashed:
    """The file was read: its hash, and size and mtime as they were then."""

    hash: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Windows:
    """Log-mel pictures (n, frames, mels) float32, or samples (n, window_samples) for an encoder that
    takes those, and their times in seconds."""

    values: np.ndarray
    times: list[tuple[float, float]]


@dataclass(frozen=True)
class Done:
    """The file is through; `info` holds the fields of `audiosearch.audio.decode.AudioInfo`."""

    duration: float
    info: dict[str, Any]
    tags: dict[str, Any]
    truncated: str | None
    notices: list[str] = field(default_factory=list)
    loudness: Loudness = field(default_factory=Loudness)


@dataclass(frozen=True)
class Rejected:
    """No embedding can be made of the file."""

    kind: str
    reason: str


Message = Hashed | Windows | Done | Rejected


class Worker:
    """One decoding process, started at first use and again after it died. `samples`: it is to send
    those, not log-mel pictures. `gentle`: its priority is low, where the system has priorities."""

    program = "indexer.worker"
    gentle = False

    def __init__(self, bundle: Bundle, *, samples: bool = False, gentle: bool = False) -> None:
        self.gentle = gentle
        self._config = {
            "samples": samples,
            "front_end": asdict(bundle.front_end),
            "length": bundle.window_samples,
            "hop": bundle.hop_samples,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._hung = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def read(self, path: bytes, should_decode: Callable[[Hashed], bool]) -> Iterator[Message]:
        """Yield the messages about one file. Once its hash is known, `should_decode` says whether the
        file is decoded.

        The last message is `Done` or `Rejected`, or `Hashed` for a file that is not decoded. Raises
        `WorkerDied`. A caller that stops half-way must `stop` the worker.
        """
        process = self._started()
        assert process.stdin and process.stdout
        try:
            send(process.stdin, {"path": path.hex()})
            while True:
                head, body = self._next(process)
                if head["is"] == "alive":
                    continue
                message = _message(head, body)
                yield message
                if isinstance(message, Hashed):
                    decode = should_decode(message)
                    send(process.stdin, {"decode": decode})
                    if not decode:
                        return
                elif not isinstance(message, Windows):
                    return
        except (BrokenPipeError, OSError) as error:
            raise self._death(process) from error

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    # What was still to be flushed has nobody to read it.
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is not None:
            self.stop()  # it was killed while it had nothing to do: no file's fault
        if self._process is None:
            self._hung = False
            config = {**self._config, "alive": HUNG_SECONDS * _PULSE}
            environment = dict(os.environ)
            # What this program can import, its workers can; not what lies in the current directory.
            environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
            # One thread each: there is a process for every processor already.
            environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self.program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=os.sep,  # Python does not start in a directory that was removed
                start_new_session=True,  # Ctrl-C in the terminal is for the parent
            )
            if self.gentle and hasattr(os, "setpriority"):
                # A higher priority than its own is not for a program to give.
                priority = max(_GENTLE, os.getpriority(os.PRIO_PROCESS, 0))
                os.setpriority(os.PRIO_PROCESS, self._process.pid, priority)
            assert self._process.stdin
            send(self._process.stdin, config)
        return self._process

    def _next(self, process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytes]:
        assert process.stdout
        alarm = threading.Timer(HUNG_SECONDS, self._give_up, [process])
        alarm.daemon = True
        alarm.start()
        try:
            received = receive(process.stdout)
        finally:
            alarm.cancel()
        if received is None:
            raise self._death(process)
        return received

    def _give_up(self, process: subprocess.Popen[bytes]) -> None:
        self._hung = True
        process.kill()

    def _death(self, process: subprocess.Popen[bytes]) -> WorkerDied:
        hung = self._hung
        try:
            code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        self.stop()
        if hung:
            return WorkerDied("hung", f"its decoder hung for {HUNG_SECONDS:.0f} s")
        if code in _FROM_OUTSIDE:
            return WorkerDied("hung", f"its decoder was killed (signal {-code})")
        if code < 0:
            return WorkerDied("undecodable", f"its decoder crashed (signal {-code})")
        return WorkerDied("undecodable", f"its decoder ended unexpectedly (exit code {code})")


def _message(head: dict[str, Any], body: bytes) -> Message:
    what = head["is"]
    if what == "hashed":
        return Hashed(bytes.fromhex(head["hash"]), head["size"], head["mtime_ns"])
    if what == "windows":
        values = np.frombuffer(body, dtype="<f4").reshape(head["shape"])
        return Windows(values, [(start, end) for start, end in head["times"]])
    if what == "done":
        return Done(
            head["duration"],
            head["info"],
            head["tags"],
            head["truncated"],
            head["notices"],
            Loudness(**head["loudness"]),
        )
    return Rejected(head["kind"], head["reason"])
