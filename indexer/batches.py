"""The batches of finished files. One transaction commits a batch, and a kill costs at most one
batch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from audiosearch import paths
from audiosearch.catalog import reading, window_reading
from audiosearch.results import Failure, Remark
from indexer.belongings import Belongings
from indexer.cache import is_far_behind, prepare_for_many, refresh_cache
from indexer.pipeline import Embedded, Failed, Outcome
from indexer.plan import FileTask
from indexer.store import store_batch
from indexer.summary import Summary

# A batch is committed when it holds this many files or windows, or has this age in seconds.
_FILES = 64
_WINDOWS = 512
_SECONDS = 2.0

# After so many windows a run is taken for a long one.
_MANY = 2_000


@dataclass
class Batches:
    """The collector of outcomes. It commits them, and keeps the summary up to date, and in a long
    run the cache.

    `again` are files to read once more: the library held their content when they were read, and has
    deleted it since.
    """

    directory: Path
    engine: Engine
    model_id: int
    missing: set[int]
    belongings: Belongings
    summary: Summary
    again: list[FileTask] = field(default_factory=list)
    _batch: list[Outcome] = field(default_factory=list)
    _windows: int = 0
    _since: float = field(default_factory=time.monotonic)
    _behind: int = 0
    _apart: bool = False

    def add(self, outcome: Outcome) -> None:
        """Add one finished file, and commit the batch if it is due."""
        self._batch.append(outcome)
        if isinstance(outcome, Embedded):
            self._windows += len(outcome.vectors)
            self.summary.seconds += outcome.done.duration
            self.summary.truncated += outcome.done.truncated is not None
            self._remark(outcome)
        due = time.monotonic() - self._since > _SECONDS
        if due or self._windows >= _WINDOWS or len(self._batch) >= _FILES:
            self.commit()

    def _remark(self, outcome: Embedded) -> None:
        done = outcome.done
        texts = [*done.notices, *([f"truncated: {done.truncated}"] if done.truncated else [])]
        path = paths.usable(outcome.task.path)
        self.summary.remarks += [Remark(path, text) for text in texts]

    def commit(self) -> None:
        """Write the batch in one transaction."""
        if self._batch:
            with self.engine.begin() as connection:
                stored = store_batch(
                    connection, self._batch, self.model_id, self.missing, self.belongings
                )
            self.again += stored.again
            self.summary.added += stored.added
            self.summary.updated += stored.updated
            self.summary.moved += stored.moved
            self.summary.copied += stored.copied
            self.summary.unchanged += stored.unchanged
            self.summary.windows += self._windows
            self.summary.failures += [
                Failure(paths.usable(outcome.task.path), outcome.kind, outcome.reason)
                for outcome in self._batch
                if isinstance(outcome, Failed)
            ]
            self._batch.clear()
            self._behind += self._windows
            if self._behind >= _MANY and not self._apart:
                prepare_for_many(self.engine, self.model_id)
                self._apart = True
            if is_far_behind(self._behind, 0):
                self._renew_cache()
        self._windows, self._since = 0, time.monotonic()

    def _renew_cache(self) -> None:
        with self.engine.connect() as connection:
            active = reading.active_model(connection)
            if active is None or active.id != self.model_id:
                return  # no reader uses a model before its build is finished
            covered = window_reading.count_windows(connection, active.id) - self._behind
        if is_far_behind(self._behind, covered):
            refresh_cache(self.directory, self.engine, active)
            self._behind = 0
