"""What a command uses, with all the processes that it starts, as Linux's /proc tells it.

Times are in seconds, memory in MB: the proportional set size (PSS), which counts shared pages once.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    pids = [pid]
    for parent in pids:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            for task in tasks:
                pids += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # the process ended meanwhile
    return pids


def pss(pid: int) -> float:
    """Return the proportional set size of a process, or 0 for a process that ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    match = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, or 0 for one that ended. On a busy machine it says
    more than a clock.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Use:
    """What a command used: `seconds` by the clock, processor time (at the last look at each process),
    the memory of all its processes at each look (second, MB), and the most of the first of them.
    """

    seconds: float = 0.0
    processor: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list)
    own_peak: float = 0.0

    @property
    def peak(self) -> float:
        """The most memory that its processes had together."""
        return max((size for _, size in self.curve), default=0.0)


def watched(
    command: Sequence[str | Path],
    every: float,
    beside: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> Use:
    """Run a command and look at its processes every so many seconds; each look costs some time.

    What the processes of `beside`, and those below them, use meanwhile counts too.
    """
    use, done = Use(), threading.Event()
    before = {pid: processor_seconds(pid) for first in beside for pid in tree(first)}
    spent: dict[int, float] = {}
    began = time.perf_counter()
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=nowhere, stderr=nowhere)

    def watch() -> None:
        while not done.wait(every):
            pids = [pid for first in (process.pid, *beside) for pid in tree(first)]
            for pid in pids:
                spent[pid] = max(spent.get(pid, 0.0), processor_seconds(pid) - before.get(pid, 0.0))
            sizes = [pss(pid) for pid in pids]
            use.curve.append((time.perf_counter() - began, sum(sizes)))
            use.own_peak = max(use.own_peak, sizes[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    use.seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"{command} ended with {code}")
    use.processor = sum(spent.values())
    return use
