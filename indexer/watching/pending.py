"""What a look at watched folders finds, until it is complete and a run has taken it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from audiosearch.catalog import reading
from audiosearch.catalog.store import Store
from indexer import roots
from indexer.options import Options
from indexer.plan import Scan, compare
from indexer.scan import stamp
from indexer.summary import Summary
from indexer.watching.places import Place
from indexer.watching.selection import Selection
from indexer.watching.settling import GONE, Settling, State


@dataclass
class Pending:
    """The files that differ from the catalog of a library."""

    store: Store
    settling: Settling = field(default_factory=Settling)
    # What a run could not do. It is not tried again before it changes, or is forgotten here.
    _undone: dict[bytes, State] = field(default_factory=dict)

    def look(self, scans: list[Scan]) -> Sequence[str]:
        """Compare parts of roots with the catalog, without the writer's lock. Returns notices."""
        engine = self.store.reader()
        try:
            with self.store.translating(), engine.connect() as connection:
                active = reading.active_model(connection)
                model_id = active.id if active else None
                plan = compare(connection, scans, model_id, Options(), lambda files: None)
        finally:
            engine.dispose()
        now = time.monotonic()
        for task in plan.tasks:
            self._note(task.path, (task.size, task.mtime_ns), now)
        for path in plan.gone.values():
            self._note(path, GONE, now)
        return plan.notices

    def _note(self, path: bytes, state: State, now: float) -> None:
        if self._undone.get(path) != state:
            self.settling.note(path, state, now)

    def complete(
        self, places: Sequence[Place], seconds: float, unmounted: set[bytes]
    ) -> dict[bytes, State]:
        """Return the files that have been in one state for so long, and still are.

        What went away with a disk (`unmounted`: mount points) is not gone.
        """
        now = time.monotonic()
        ready: dict[bytes, State] = {}
        for path, state in self.settling.of_age(seconds, now).items():
            actual = _state(places, path)
            if actual is None or (actual == GONE and _was_on(path, unmounted)):
                self.settling.drop([path])
            elif actual == state:
                ready[path] = state
            else:
                self.settling.note(path, actual, now)
        return ready

    def done(self, places: Sequence[Place], selection: Selection, summary: Summary) -> None:
        """A run took the selection: keep what it left."""
        self.settling.drop(selection.states)
        now = time.monotonic()
        for path in selection.again:
            state = _state(places, path)
            if state is not None:
                self.settling.note(path, state, now)
        if summary.gone:
            self._undone |= {p: state for p, state in selection.states.items() if state == GONE}
        for failure in summary.failures:
            path = os.fsencode(failure.path)
            if path in selection.states:
                self._undone[path] = selection.states[path]

    def try_again(self) -> None:
        """Take up once more what runs could not do."""
        self._undone.clear()


def _state(places: Sequence[Place], path: bytes) -> State | None:
    """The state of a file as a walk would see it; `None` where nothing is watched, or known."""
    for place in places:
        relative = roots.inside(path, place.root)
        if not relative:
            continue
        if place.files is None and not place.rules.meet(place.root, relative):
            return GONE
        try:
            status = os.stat(path)  # noqa: PTH116 (bytes)
        except (FileNotFoundError, NotADirectoryError):
            return GONE
        except OSError:
            return None
        return status.st_size, stamp(status.st_mtime_ns)
    return None


def _was_on(path: bytes, points: set[bytes]) -> bool:
    if not points:
        return False
    folder, name = os.path.split(path)
    real = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118 (bytes)
    return any(roots.inside(real, point) is not None for point in points)
