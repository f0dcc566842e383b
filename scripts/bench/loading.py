"""What it takes to load a library: rows in as `index` writes them, and a copy of a whole one.

Times are seconds on the clock and CPU seconds, those of a PostgreSQL server among them where the
process of its `postmaster` is known.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiosearch import Library
from audiosearch.catalog.store import store_at
from indexer.batches import Batches
from indexer.belongings import Belongings
from indexer.cache import renew_cache
from indexer.pipeline import Embedded
from indexer.summary import Summary
from scripts.bench.make_library import Draw, filling, outcomes
from scripts.processes import tree

PER_SOUND = 4


def server_cpu(postmaster: int | None) -> float:
    """Return the CPU seconds of a server's processes so far, with those that ended."""
    if postmaster is None:
        return 0.0
    total = 0
    for pid in tree(postmaster):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11 : 15 if pid == postmaster else 13]))
    return total / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Took:
    """Seconds on the clock, and CPU seconds of this process and of the server."""

    wall: float
    cpu: float

    @classmethod
    def now(cls, postmaster: int | None) -> Took:
        return cls(time.perf_counter(), time.process_time() + server_cpu(postmaster))

    def __sub__(self, other: Took) -> Took:
        return Took(self.wall - other.wall, self.cpu - other.cpu)

    def a_second(self, rows: int) -> str:
        """Return rows a second, and CPU milliseconds a row."""
        return f"{rows / self.wall:,.0f} / {1000 * self.cpu / rows:.2f}"

    def seconds(self) -> str:
        return f"{self.wall:.1f} / {self.cpu:.1f}"


def rows_in(address: str, files: Sequence[Embedded], postmaster: int | None) -> tuple[Took, Took]:
    """Store finished files as `index` does. Return what that took, and the renewal of the cache or
    index in the end.
    """
    store = store_at(address)
    with filling(store) as (engine, active, _):
        batches = Batches(store.directory, engine, active.id, set(), Belongings(), Summary())
        began = Took.now(postmaster)
        for outcome in files:
            batches.add(outcome)
        batches.commit()
        stored = Took.now(postmaster)
        renew_cache(store.directory, engine, active)
        ended = Took.now(postmaster)
    return stored - began, ended - stored


def windows_of(files: Sequence[Embedded]) -> int:
    return sum(len(outcome.vectors) for outcome in files)


def made_files(draw: Draw, first: int, windows: int, root_id: int) -> list[Embedded]:
    """Return files, numbered from `first` on, of about so many windows."""
    return list(outcomes(draw, first, first + windows // PER_SOUND, PER_SOUND, root_id))


def copied(source: str, target: str, postmaster: int | None) -> dict[str, tuple[Took, float]]:
    """Copy a library in a process of its own, and return what each step took (copy, compare, index),
    and its peak memory in MB.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_copy, args=(source, target, postmaster, theirs))
    process.start()
    steps: dict[str, tuple[Took, float]] = ours.recv()
    process.join()
    return steps


def _copy(source: str, target: str, postmaster: int | None, answer: Any) -> None:
    marks = [("", Took.now(postmaster), 0.0)]

    def mark(name: str) -> None:
        marks.append((name, Took.now(postmaster), _peak()))

    def step(progress: Any) -> None:
        if progress.step != marks[-1][0]:
            mark(progress.step)
        if progress.step == "compare" and progress.done == progress.total:
            mark("index")

    with Library.open(source) as library:
        library.copy(target, on_progress=step)
    mark("")
    pairs = itertools.pairwise(marks)
    answer.send({name: (end - begin, peak) for (name, begin, _), (_, end, peak) in pairs if name})


def _peak() -> float:
    """Return the most memory in MB that this process had since it was last asked."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    Path("/proc/self/clear_refs").write_text("5")
    return int(match[1]) / 1024 if match else 0.0
