"""The writer's lock: one writer at a time, any number of readers.

The operating system locks an open file. The lock ends with the process, however the process ends,
so nobody has to clean up a stale lock. The text of the file (pid, host) serves messages only.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from audiosearch.errors import LibraryBusy, LibraryReadOnly

LOCK = "writer.lock"
_HOLDER = "writer.json"


@contextmanager
def writer_lock(directory: Path, wait: float | None = 0.0) -> Iterator[None]:
    """Hold the lock of the library in `directory`.

    The wait for it lasts at most `wait` seconds; `None` is for ever.

    Raises `LibraryBusy`, naming the holder, or `LibraryReadOnly`.
    """
    lock = filelock.FileLock(directory / LOCK, timeout=-1 if wait is None else wait)
    try:
        lock.acquire()
        note = {"pid": os.getpid(), "host": socket.gethostname()}
        # In one piece: whoever finds the note can read it.
        fresh = directory / f".{_HOLDER}.{os.getpid()}"
        fresh.write_text(json.dumps(note))
        fresh.replace(directory / _HOLDER)
    except filelock.Timeout as error:
        raise LibraryBusy(
            f"the library {directory} is being written by {_holder(directory)}: "
            "try again later, or wait for it with --wait"
        ) from error
    except OSError as error:
        lock.release()
        raise LibraryReadOnly(
            f"cannot write the library {directory}: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        (directory / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(directory: Path) -> str:
    try:
        note = json.loads((directory / _HOLDER).read_text())
        return f"process {int(note['pid'])} on {note['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
