"""Jobs on the disk: a file `jobs/ID.json` each in the library's folder of files, replaced as a whole.

One server of a library does its jobs: the one that holds the lock `jobs/.lock`. Any other can read
them, and takes them over when the holder has ended.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock

from audiosearch.errors import LibraryReadOnly
from audiosearch.server.job_view import JobOptions, JobSummary
from audiosearch.server.types import JobState

log = logging.getLogger(__name__)

FINISHED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """An index run. `paths`: what to index, all folders of the library for none. `progress` as in
    `indexer.progress.Progress`, `summary` as in `indexer.summary.Summary` once it is done, `error`
    where it failed. `items`: files with an id and metadata each, as in `ingest`. Times are in UTC."""

    id: str
    paths: tuple[str, ...] = ()
    external_id: str | None = None
    metadata: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    items: tuple[dict[str, Any], ...] = ()
    state: JobState = "queued"
    progress: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    error: str | None = None
    made: str = ""
    finished: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED


class JobStore:
    """The jobs of the library in `directory`. Close it when done."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "jobs"
        # Whichever thread takes it, another gives it back.
        self._lock = filelock.FileLock(self._folder / ".lock", timeout=0, thread_local=False)

    def own(self) -> bool:
        """Whether this server may do the jobs, which no other then may.

        Raises `LibraryReadOnly` where nothing can be written.
        """
        if self._lock.is_locked:
            return True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout:
            return False
        except OSError as error:
            raise LibraryReadOnly(
                f"jobs cannot be kept in {self._folder}: {error.strerror or error}"
            ) from error
        return True

    def save(self, job: Job) -> None:
        """Keep the state of a job. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f"{job.id}.new"
        try:
            fresh.write_text(json.dumps(asdict(job)), encoding="utf-8")
            fresh.replace(self._folder / f"{job.id}.json")
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise

    def load(self) -> dict[str, Job]:
        """Every job that can be read, by id, the oldest first."""
        jobs = (_read(path) for path in sorted(self._folder.glob("*.json")))
        return {job.id: job for job in jobs if job}

    def forget(self, job_id: str) -> None:
        """Delete a job, if the disk lets it."""
        with suppress(OSError):
            (self._folder / f"{job_id}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Let another server do the jobs."""
        self._lock.release()


def _read(path: Path) -> Job | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = stored | {name: tuple(stored.get(name, ())) for name in ("paths", "items")}
        # Older versions counted less.
        known["options"] = asdict(JobOptions()) | stored["options"]
        if stored["summary"]:
            known["summary"] = asdict(JobSummary()) | stored["summary"]
        job = Job(**known)
    except FileNotFoundError:  # forgotten meanwhile
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the job %s cannot be read and is left out: %s", path, error)
        return None
    return job if job.id == path.stem else None
