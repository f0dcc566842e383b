"""The standard streams of a command. They may be closed, full, or a pipe that nobody reads.

stdout is data: a failed write ends the command, with exit code 0 where the reader has read enough,
else with 1. stderr is talk: a failed write is dropped, since the work counts more.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO, cast

from audiosearch.errors import AudioSearchError

# With this variable, C libraries keep stderr, and an unexpected error shows its traceback.
TRACEBACK = "AUDIOSEARCH_TRACEBACK"


class ReaderGone(Exception):
    """The program at the other end of stdout has stopped reading."""


class _Raw(io.RawIOBase):
    """A raw stream over another stream; `None` stands for a closed stream."""

    def __init__(self, raw: io.RawIOBase | None) -> None:
        self._raw = raw
        self._failed = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()

    def fileno(self) -> int:
        if self._raw is None:
            raise io.UnsupportedOperation("fileno")
        return self._raw.fileno()

    def write(self, data: Any) -> int | None:
        # After a failure it drops the rest: the interpreter flushes once more at exit.
        if self._failed:
            return memoryview(data).nbytes
        try:
            if self._raw is None:
                raise OSError("it is closed")
            return cast("int | None", self._raw.write(data))
        except OSError as error:
            self._failed = True
            self.failed(error)
            return memoryview(data).nbytes

    def failed(self, error: OSError) -> None:
        """Return the error that a failed write stands for."""


class _Data(_Raw):
    def failed(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        reason = error.strerror or str(error)
        raise AudioSearchError(f"standard output cannot be written: {reason}") from error


def prepare() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams whose failures have messages."""
    _occupy()
    sys.stdout = _stream(_Data(_raw(sys.stdout)), sys.stdout)
    quiet = os.name == "posix" and sys.stderr is not None and TRACEBACK not in os.environ
    sys.stderr = _stream(_Raw(_moved() if quiet else _raw(sys.stderr)), sys.stderr)


def _occupy() -> None:
    """Open the standard descriptors that are closed.

    Else the library's database might take one of them, and a C library would print into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest free number


def _moved() -> io.RawIOBase:
    """Return the program's own stream to stderr.

    C libraries lose stderr: libmpg123 comments on every odd tag.
    """
    own = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    return io.FileIO(own, "w")


def _raw(stream: TextIO | None) -> io.RawIOBase | None:
    if stream is None:
        return None
    return cast("io.RawIOBase", getattr(stream.buffer, "raw", stream.buffer))


def _stream(raw: _Raw, old: TextIO | None) -> TextIO:
    # A path may hold characters that the terminal's encoding lacks; they must not end the program.
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=old.encoding if old else "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
