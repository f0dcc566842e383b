"""A library in a folder: its database is a file of SQLite, its locks are files.

The operating system locks an open file. The lock ends with the process, however the process ends,
so nobody has to clean up a stale lock. The note beside the writer's lock (pid, host) serves
messages only.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from audiosearch.catalog import database
from audiosearch.catalog.store import Role
from audiosearch.errors import AudioSearchError, LibraryBusy, LibraryNotFound, LibraryReadOnly

_LOCKS: dict[Role, str] = {"writer": "writer.lock", "watcher": "watch.lock"}
_HOLDER = "writer.json"


@dataclass(frozen=True)
class SqliteStore:
    """The library in `directory`; see `audiosearch.catalog.store.Store`."""

    directory: Path

    @property
    def name(self) -> str:
        """The folder, as the caller named it."""
        return str(self.directory)

    @property
    def database(self) -> str:
        """The path of the file."""
        return str(self.directory / database.DATABASE)

    def exists(self) -> bool:
        """Return whether the folder holds a database with tables, or one that cannot be read."""
        try:
            database.reader(self.directory).dispose()
        except LibraryNotFound:
            return False
        except AudioSearchError:
            return True
        return True

    def make(self) -> None:
        """Make the folder."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryReadOnly(
                f"cannot make the library {self.name}: {error.strerror or error}"
            ) from error

    def reader(self) -> Engine:
        """Return an engine that cannot write (see `audiosearch.catalog.database`)."""
        return database.reader(self.directory)

    def writer(self, *, create: bool = False) -> Engine:
        """Return an engine that writes, and makes the file with `create`."""
        return database.writer(self.directory, create=create)

    @contextmanager
    def lock(self, wait: float | None = 0.0, role: Role = "writer") -> Iterator[SqliteStore]:
        """Hold the lock of that role. Raises `LibraryBusy` or `LibraryReadOnly`."""
        import filelock

        file = self.directory / _LOCKS[role]
        # A generator that watches may be closed by another thread than the one that took the lock.
        lock = filelock.FileLock(
            file, timeout=-1 if wait is None else wait, thread_local=role == "writer"
        )
        try:
            lock.acquire()
            if role == "writer":
                self._sign()
        except filelock.Timeout as error:
            raise LibraryBusy(self._busy(role)) from error
        except OSError as error:
            lock.release()
            raise LibraryReadOnly(
                f"cannot write the library {self.name}: {error.strerror or error}"
            ) from error
        try:
            yield self
        finally:
            if role == "writer":
                (self.directory / _HOLDER).unlink(missing_ok=True)
            lock.release()

    def _sign(self) -> None:
        note = {"pid": os.getpid(), "host": socket.gethostname()}
        # In one piece: whoever finds the note can read it.
        fresh = self.directory / f".{_HOLDER}.{os.getpid()}"
        fresh.write_text(json.dumps(note))
        fresh.replace(self.directory / _HOLDER)

    def _busy(self, role: Role) -> str:
        if role == "watcher":
            return (
                f"another program watches for the library {self.name} already: end that one first"
            )
        try:
            note = json.loads((self.directory / _HOLDER).read_text())
            holder = f"process {int(note['pid'])} on {note['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            holder = "another process"
        return (
            f"the library {self.name} is being written by {holder}: "
            "try again later, or wait for it with --wait"
        )

    def translating(self) -> AbstractContextManager[None]:
        """Turn SQLite's errors inside the block into errors of audiosearch."""
        return database.translating(self.directory)

    def error(self, error: Exception) -> AudioSearchError:
        """Return SQLite's error with its remedy."""
        return database.library_error(error, self.directory / database.DATABASE)

    def merge_log(self, engine: Engine) -> None:
        """Merge the write-ahead log into the file."""
        database.merge_log(engine)

    def size(self) -> int:
        """Return the size of the file."""
        try:
            return (self.directory / database.DATABASE).stat().st_size
        except OSError:
            return 0
