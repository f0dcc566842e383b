"""Fingerprints of stored sounds: computed where the library has none yet, and kept in its catalog.

The sounds are decoded in processes of their own. Each batch is one transaction, under the writer's
lock: an interrupted run keeps what it finished. A library that cannot be written, or that another
program writes to, has its fingerprints for as long as this object lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from sqlalchemy import Connection

from audiosearch.audio.fingerprint import VERSION, Fingerprint
from audiosearch.catalog import reading
from audiosearch.catalog.dialect import IDS, ids_parameter, portable, upsert
from audiosearch.catalog.fingerprints import (
    contents_with_fingerprints,
    fingerprints,
    stored_fingerprints,
)
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.records import Sound
from audiosearch.errors import AudioRejected, LibraryBusy, LibraryReadOnly
from indexer.isolated import IsolatedReader
from indexer.lock import writing

# A fingerprint takes milliseconds, a transaction too: so a batch that is lost is a second of work.
_BATCH = 128
_LOCK_SECONDS = 1.0

OnProgress = Callable[[int, int], None]


class StoredFingerprints:
    """The fingerprints of a library's contents; `decoding` gives the processes, `at_once` is their
    number. It is used by one thread at a time.
    """

    def __init__(
        self, reader: CatalogReader, decoding: Callable[[], IsolatedReader], at_once: int = 1
    ) -> None:
        self._reader = reader
        self._decoding = decoding
        self._at_once = at_once
        self._unstored: dict[int, Fingerprint] = {}
        self._reasons: dict[int, str] = {}

    def read(self, content_ids: Iterable[int]) -> dict[int, Fingerprint]:
        """Return the fingerprints of these contents. Damaged ones are computed anew."""
        content_ids = list(content_ids)
        kept = self._read(content_ids)
        lost = [i for i in content_ids if i not in kept and i not in self._reasons]
        if lost:
            self._compute(lost, lambda done: None)
            kept |= self._read(lost)
        return kept

    def make(
        self, content_ids: Iterable[int], on_progress: OnProgress | None = None
    ) -> dict[int, str]:
        """Compute those that are missing. Returns, for each content without one, the reason.

        `on_progress` receives the number of contents that are done, and of all that were missing.
        """
        content_ids = sorted(content_ids)
        with self._reader.snapshot() as connection:
            known = contents_with_fingerprints(connection, content_ids) | self._unstored.keys()
        missing = [content_id for content_id in content_ids if content_id not in known]
        for begin in range(0, len(missing), _BATCH):

            def report(done: int, before: int = begin) -> None:
                if on_progress:
                    on_progress(before + done, len(missing))

            self._compute(missing[begin : begin + _BATCH], report)
        return {i: self._reasons[i] for i in content_ids if i in self._reasons}

    def _read(self, content_ids: list[int]) -> dict[int, Fingerprint]:
        with self._reader.snapshot() as connection:
            kept = stored_fingerprints(connection, content_ids)
        return kept | {i: self._unstored[i] for i in content_ids if i in self._unstored}

    def _compute(self, content_ids: list[int], report: Callable[[int], None]) -> None:
        """Compute the fingerprints of a batch, and keep them, also where that is interrupted."""
        with self._reader.snapshot() as connection:
            sounds = reading.sounds_of_contents(connection, content_ids)
        # A content that was removed meanwhile has no sounds.
        self._reasons.update({i: "it is not there" for i in content_ids if i not in sounds})
        done: dict[int, Fingerprint] = {}
        try:
            for place, (content_id, outcome) in enumerate(self._decoded(sounds), start=1):
                if isinstance(outcome, Fingerprint):
                    done[content_id] = outcome
                else:
                    self._reasons[content_id] = outcome
                report(place)
        finally:
            self._keep(done)

    def _decoded(
        self, sounds: Mapping[int, Sequence[Sound]]
    ) -> Iterable[tuple[int, Fingerprint | str]]:
        decoders = self._decoding()
        with ThreadPoolExecutor(self._at_once) as pool:
            waiting: dict[Future[Fingerprint | str], int] = {
                pool.submit(_fingerprint, decoders, copies): content_id
                for content_id, copies in sounds.items()
            }
            try:
                for future in as_completed(waiting):
                    yield waiting[future], future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                decoders.close()  # a long file would keep its thread, and the program, waiting
                raise

    def _keep(self, done: Mapping[int, Fingerprint]) -> None:
        """Store these, and what could not be stored before."""
        waiting = {**self._unstored, **done}
        if not waiting:
            return
        store = self._reader.store
        # Whoever writes for longer than a second writes for minutes: later batches do not wait.
        patience = 0.0 if self._unstored else _LOCK_SECONDS
        try:
            with writing(store, wait=patience) as engine, engine.begin() as connection:
                _store(connection, waiting)
        except (LibraryBusy, LibraryReadOnly):
            self._unstored = waiting
        else:
            self._unstored = {}


def _fingerprint(decoders: IsolatedReader, copies: Sequence[Sound]) -> Fingerprint | str:
    """Return the fingerprint of the first copy that can be read, or why there is none."""
    reason = "it is not there"
    for sound in copies:
        try:
            stat = os.stat(sound.path)  # noqa: PTH116 (bytes)
            if (stat.st_size, stat.st_mtime_ns) != (sound.size, sound.mtime_ns):
                reason = "it changed since it was indexed"
                continue
            return decoders.fingerprint(sound.path)
        except AudioRejected as rejected:
            reason = f"it cannot be read ({rejected})"
        except FileNotFoundError:
            reason = "it is not there"
        except OSError as error:
            reason = f"it cannot be read ({error.strerror})"
    return reason


def _store(connection: Connection, done: Mapping[int, Fingerprint]) -> None:
    for content_id in _still_there(connection, done):
        values = {"version": VERSION, "data": done[content_id].to_bytes()}
        row = upsert(connection, fingerprints).values(content_id=content_id, **values)
        connection.execute(row.on_conflict_do_update(index_elements=["content_id"], set_=values))


def _still_there(connection: Connection, content_ids: Iterable[int]) -> list[int]:
    """Return the contents that no other program removed meanwhile."""
    query = portable(f"SELECT id FROM contents WHERE id IN {IDS}")
    return [row[0] for row in connection.execute(query, ids_parameter(content_ids))]
