"""Index runs that clients ask for: one at a time, in order, kept across restarts.

They are kept by `JobStore`. What was queued or running when the server stopped is queued again when
it starts: an index run takes up where it was. No job is taken that cannot be kept; a later state that cannot (a full
disk) is kept as soon as the disk lets it. Another server of the same library shows the jobs, and
takes none.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from audiosearch.errors import AudioSearchError, InvalidQuery, LibraryBusy, LibraryReadOnly
from audiosearch.library import Library
from audiosearch.server.ingest import index_items
from audiosearch.server.job_store import Job, JobStore
from audiosearch.server.job_view import JobOptions
from audiosearch.server.settings import Settings
from audiosearch.server.types import JobState

log = logging.getLogger(__name__)


# Older finished jobs are forgotten.
_KEPT = 1_000
MOST_WAITING = 1_000

# Between two tries for the lock, and two notes of progress.
_PATIENCE = 1.0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Jobs:
    """The jobs of a library, and the thread that does them."""

    def __init__(self, library: Library, turn: Callable[[], None] | None = None) -> None:
        """`turn` is as in `Library.add`."""
        self._library = library
        self._turn = turn
        self._store = JobStore(library.directory)
        self._owner = False
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._cancel: dict[str, threading.Event] = {}
        self._unsaved: set[str] = set()
        self._stopping = threading.Event()
        # Where another does the jobs, or nothing can be written, it may be searched all the same.
        with suppress(LibraryBusy, LibraryReadOnly):
            self._own()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def add(
        self,
        paths: tuple[str, ...],
        external_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        items: tuple[dict[str, Any], ...] = (),
    ) -> Job:
        """Queue a run. Raises `LibraryBusy` where too many wait or another server does the jobs,
        `LibraryReadOnly` where the job cannot be kept.
        """
        self.check()
        # Ids sort by time.
        number = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}-{secrets.token_hex(4)}"
        chosen = asdict(JobOptions()) | (options or {})
        job = Job(number, paths, external_id, metadata, chosen, items, made=_now())
        try:
            self._store.save(job)
        except OSError as error:
            raise LibraryReadOnly(f"the job cannot be kept: {error.strerror or error}") from error
        self._queue(job)
        return job

    def check(self) -> None:
        """Raise what `add` would raise now."""
        self._own()
        with self._lock:
            waiting = sum(not job.over for job in self._jobs.values())
        if waiting >= MOST_WAITING:
            raise LibraryBusy(f"{waiting} jobs are waiting already: try again later")

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        return self._known().get(job_id)

    def all(self) -> list[Job]:
        """Every job that is remembered, the newest first."""
        return sorted(self._known().values(), key=lambda job: job.id, reverse=True)

    def counts(self) -> dict[str, int]:
        """How many there are in each state."""
        counts = Counter(job.state for job in self.all())
        return {state: counts[state] for state in get_args(JobState.__value__)}

    def cancel(self, job_id: str) -> Job:
        """End a job after the batch in hand. Raises `InvalidQuery` where it is over already,
        `LibraryBusy` where another server does it.
        """
        self._own()
        with self._lock:
            job = self._jobs[job_id]
            if job.over:
                raise InvalidQuery(f"the job {job_id} is {job.state} already")
            self._cancel[job_id].set()
        if job.state == "queued":
            self._change(job_id, state="cancelled", finished=_now())
        return self.get(job_id) or replace(job, state="cancelled")

    def stop(self) -> None:
        """Finish the batch in hand; what is left is done after the next start."""
        self._stopping.set()
        with self._lock:
            for event in self._cancel.values():
                event.set()
        self._waiting.put(None)
        self._thread.join()
        self._store.close()

    def _of(self, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get(job_id)

    def _own(self) -> None:
        """Be the one who does the jobs, and take up those that are not over.

        Raises `LibraryBusy` where another server does them, and `LibraryReadOnly`.
        """
        with self._lock:
            if self._owner:
                return
            if not self._store.own():
                raise LibraryBusy("another server of this library does its jobs: ask that one")
            self._owner = True
            self._jobs = self._store.load()
            waiting = [job for job in self._jobs.values() if not job.over]
        for job in waiting:
            self._queue(replace(job, state="queued", progress=None))
        self._forget()

    def _known(self) -> dict[str, Job]:
        """Every job by id: what this server does, or what the other has kept of them."""
        with self._lock:
            return dict(self._jobs) if self._owner else self._store.load()

    # -- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        while (job_id := self._waiting.get()) is not None and not self._stopping.is_set():
            try:
                job = self._of(job_id)  # forgotten, where it was cancelled long ago
                if job and not job.over:
                    self._run(job)
            except Exception as error:  # no job, whatever it is, may keep the others waiting
                log.exception("the job %s ended in a defect", job_id)
                with suppress(Exception):
                    self._change(job_id, state="failed", error=_named(error), finished=_now())

    def _run(self, job: Job) -> None:
        cancel = self._cancel[job.id]
        self._change(job.id, state="running")
        try:
            summary = self._when_free(job, cancel)
        except AudioSearchError as error:
            self._change(job.id, state="failed", error=str(error), finished=_now())
            return
        except Exception as error:  # a defect: it must not end the thread, nor go unseen
            log.exception("the job %s failed", job.id)
            self._change(job.id, state="failed", error=_named(error), finished=_now())
            return
        if cancel.is_set() and self._stopping.is_set() and (summary or {}).get("interrupted", True):
            self._change(job.id, state="queued", progress=None)
        elif summary is None or summary["interrupted"]:
            self._change(job.id, state="cancelled", summary=summary, finished=_now())
        else:
            self._change(job.id, state="done", summary=summary, finished=_now())

    def _when_free(self, job: Job, cancel: threading.Event) -> dict[str, Any] | None:
        """The run's summary, once nobody else writes; `None` where it was cancelled before."""
        while not cancel.is_set():
            try:
                return index_items(
                    self._library,
                    job,
                    on_progress=lambda progress: self._progress(job.id, asdict(progress)),
                    cancel=cancel,
                    turn=self._turn,
                )
            except LibraryBusy:
                cancel.wait(_PATIENCE)
        return None

    def _progress(self, job_id: str, progress: dict[str, Any]) -> None:
        """Remember, without writing: progress is nothing that a restart needs."""
        with self._lock:
            if job_id in self._jobs:
                self._jobs[job_id] = replace(self._jobs[job_id], progress=progress)

    # -- what is kept -------------------------------------------------------------------------

    def _queue(self, job: Job) -> None:
        with self._lock:
            self._cancel[job.id] = threading.Event()
            self._jobs[job.id] = job
        self._waiting.put(job.id)

    def _change(self, job_id: str, **changes: Any) -> None:
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                return
            self._jobs[job_id] = replace(job, **changes)
            unsaved = {*self._unsaved, job_id}
        for number in sorted(unsaved):
            self._save_if_possible(number)
        self._forget()

    def _save_if_possible(self, job_id: str) -> None:
        """Keep the state of a job; later, where the disk does not let it now."""
        job = self._of(job_id)
        try:
            if job:
                self._store.save(job)
        except OSError as error:
            log.warning("the job %s cannot be kept as it is: %s", job_id, error)
            kept = False
        else:
            kept = True
        with self._lock:
            (self._unsaved.discard if kept else self._unsaved.add)(job_id)

    def _forget(self) -> None:
        with self._lock:
            over = sorted(job.id for job in self._jobs.values() if job.over)
            for job_id in over[: max(0, len(over) - _KEPT)]:
                del self._jobs[job_id]
                self._cancel.pop(job_id, None)
                self._store.forget(job_id)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def inside_roots(library: Library, paths: list[str], settings: Settings) -> tuple[str, ...]:
    """Absolute forms of paths that lie under a folder of the library, under that of uploads, or under
    one that the settings open for adding.

    Links are followed before it is decided. Raises `InvalidQuery` for any other path, whether it
    exists or not, so that nothing is learnt of the rest of the disk.
    """
    more = [*settings.folders, *([settings.uploads] if settings.uploads else [])]
    roots = [root.path for root in library.status().roots] + [str(folder) for folder in more]
    real = [os.path.realpath(root) for root in roots]
    for path in paths:
        followed = _followed(path)
        if not Path(path).is_absolute() or not any(_inside(followed, root) for root in real):
            raise InvalidQuery("only paths under the library's folders can be indexed here")
    return tuple(os.path.normpath(path) for path in paths)


def _followed(path: str) -> str:
    """Where a path leads; nowhere for what is no path."""
    try:
        return os.path.realpath(path)
    except ValueError:  # NUL, or text that no file system holds
        return ""


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
