"""Kill workers, nodes, the head, the command and the database of an index run on two Ray nodes.

The nodes are processes on this machine that `ray start` makes; the library is a folder, or in a
PostgreSQL of its own. A round starts an index run with `--cluster`, disturbs it once it has stored
something, and asks: does it end as it should, does a rerun finish the job, is every file stored once,
and is the outcome to the last bit that of a run on one machine that nobody disturbed?
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from audiosearch.catalog.schema import failures, sounds
from audiosearch.catalog.store import store_at
from scripts.ray_nodes import Nodes
from tests.postgres_server import empty_database, stopped
from tests.torture import kills
from tests.waiting import halted, stored_sounds, wait_until

SOUNDS = 300

Outcome = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]
# It returns the exit code that the command must have.
Disturbance = Callable[["Rig", "subprocess.Popen[str]"], int]


class Rig:
    """Two nodes, a folder of sounds, and what an undisturbed run on one machine makes of it.

    `server` is the URL of a PostgreSQL that `tests.postgres_server` runs, if there is one.
    """

    def __init__(self, work: Path, count: int = SOUNDS, server: str | None = None) -> None:
        self.work, self.folder, self.server = work, work / "in", server
        self.count = count
        kills.make_sounds(self.folder, count)
        kills.run("index", "-L", work / "undisturbed", self.folder)
        self.finished = outcome(work / "undisturbed")
        self.played = 0
        self.nodes = Nodes()
        self.nodes.environment["AUDIOSEARCH_FILES"] = str(work / "files")

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *exception: object) -> None:
        self.nodes.close()

    def rounds(self) -> list[tuple[Disturbance, bool]]:
        """Every disturbance, and whether the library is in PostgreSQL: in both, where both can be."""
        if not self.server:
            return [(disturb, False) for disturb in DISTURBANCES if disturb is not database]
        return [
            (disturb, postgres)
            for postgres in (True, False)
            for disturb in DISTURBANCES
            if postgres or disturb is not database
        ]

    def start(self, library: Path | str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(kills.COMMAND, "index", "-L", library, self.folder),
                *("--cluster", self.nodes.address),
            ],
            env=self.nodes.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def play(self, disturb: Disturbance, after: int = 70, *, postgres: bool = False) -> list[str]:
        """One round, disturbed once so many files are stored. Return what went wrong."""
        self.played += 1
        if postgres:
            assert self.server
            with empty_database(self.server) as url:
                return self._play(disturb, after, url)
        library = self.work / f"round-{self.played}"
        faults = self._play(disturb, after, library)
        shutil.rmtree(library)
        return faults

    def _play(self, disturb: Disturbance, after: int, library: Path | str) -> list[str]:
        def start() -> subprocess.Popen[str]:
            if stored_sounds(library):
                remove: list[str | Path] = [kills.COMMAND, "remove", "-L", library, self.folder]
                subprocess.run(remove, env=self.nodes.environment, capture_output=True, check=True)
            return self.start(library)

        # It stands still while it is disturbed, or it could be done before.
        process = halted(start, lambda: after <= stored_sounds(library) <= self.count - 64)
        expected = disturb(self, process)
        process.send_signal(signal.SIGCONT)
        _, talk = process.communicate()
        faults = []
        if process.returncode != expected or "Traceback" in talk:
            faults.append(f"exit {process.returncode} in place of {expected}: {talk[-500:]}")
        if expected == 1 and not any(clear in talk for clear in ("was lost", "cannot connect")):
            faults.append(f"no clear line: {talk[-500:]}")
        wait_until(lambda: not self.nodes.workers())  # whatever happened, they end with their run
        faults += [f"before the rerun: {error}" for error in kills.inconsistencies(library)]
        if expected == 0 and outcome(library) != self.finished:
            faults.append("the outcome differs from that of an undisturbed run on one machine")
        self.nodes.renew()
        again = self.start(library)
        _, talk = again.communicate()
        if again.returncode:
            faults.append(f"the rerun: exit {again.returncode}: {talk[-500:]}")
        if outcome(library) != self.finished:
            faults.append("the rerun's outcome differs from that of an undisturbed run")
        return faults + kills.inconsistencies(library)


def outcome(library: Path | str) -> Outcome:
    """Every sound with its vectors, and every failure, each in order of path."""
    query = select(sounds.c.path, failures.c.kind, failures.c.reason).join_from(failures, sounds)
    engine = store_at(library).reader()
    with engine.connect() as connection:
        failed = [tuple(row) for row in connection.execute(query.order_by(sounds.c.path))]
    engine.dispose()
    return kills.says(library), failed


def worker(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill a worker."""
    os.kill(random.choice(rig.nodes.workers()), signal.SIGKILL)
    return 0


def node(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill the node that is not the head, with all that runs on it."""
    rig.nodes.end(rig.nodes.other)
    return 0


def interrupt(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)
    return 130


def coordinator(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill the command."""
    process.kill()
    return -signal.SIGKILL


def head(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill the head node, and with it the cluster."""
    rig.nodes.end(rig.nodes.head)
    return 1


def database(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Stop the database at once, as a failing machine does, and start it again when all have
    noticed."""
    assert rig.server
    with stopped(rig.server):
        process.send_signal(signal.SIGCONT)
        process.wait()
    return 1


DISTURBANCES = (database, worker, node, interrupt, coordinator, head)
