"""The files that `indexer.watching.loop` hands to a run, each with the state in which it was complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from audiosearch.catalog.schema import roots
from indexer.pipeline import Failed, Outcome
from indexer.plan import Plan, Scan
from indexer.roots import inside, plan_scans
from indexer.watching.settling import GONE, State


@dataclass
class Selection:
    """Files by absolute path. A file that is in another state by the time of the run, or changes
    while it is read, is left for a later run: such files are in `again`.

    `folders` are roots of the library, made where they are not.
    """

    states: Mapping[bytes, State]
    folders: Sequence[str] = ()
    again: set[bytes] = field(default_factory=set)

    def scans(self, connection: Connection) -> list[Scan]:
        """Return the parts of roots that hold the files."""
        if self.folders:
            plan_scans(connection, self.folders)
        # Of a root and a folder of single files inside it, the inner one knows the file.
        known = sorted(connection.execute(select(roots)), key=lambda root: -len(root.path))
        files: dict[int, list[bytes]] = {}
        for path in self.states:
            for root in known:
                below = inside(path, root.path)
                if below:
                    files.setdefault(root.id, []).append(below)
                    break
        return [
            Scan(root.id, root.path, files=tuple(files[root.id]), as_walked=bool(root.whole))
            for root in known
            if root.id in files
        ]

    def restrict(self, plan: Plan) -> None:
        """Leave out of a plan what is not as it was."""
        tasks = []
        for task in plan.tasks:
            if self.states.get(task.path) == (task.size, task.mtime_ns):
                tasks.append(task)
            else:
                self.again.add(task.path)
        plan.tasks[:] = tasks
        for sound_id, path in plan.gone.items():
            if self.states.get(path) != GONE:
                plan.missing.discard(sound_id)
                self.again.add(path)

    def leaves(self, outcome: Outcome) -> bool:
        """Whether an outcome is left for a later run, since somebody still writes the file."""
        if isinstance(outcome, Failed) and outcome.kind == "changed":
            self.again.add(outcome.task.path)
            return True
        return False
