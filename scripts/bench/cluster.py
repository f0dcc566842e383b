"""What a cluster costs, beside one machine: seconds to start, and CPU time for every file.

    python -m scripts.bench.cluster          two sizes of a folder, here and with --cluster local:N

The difference of two sizes divides what is paid once from what is paid for every file. The workers
of a cluster are processes on this machine, so nothing is gained here: the table gives the overhead,
and from it by arithmetic the number of files from which a second machine pays. Sounds are those of
`scripts.bench.indexing`: effects of 0.5 to 6 s. CPU seconds are those of the command and all its
children; runs take turns (A B A B).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.bench import measure
from scripts.bench.indexing import short_files
from scripts.figures import COMMAND, pss, tree


@dataclass(frozen=True)
class Run:
    """One run of the command. `memory` is the peak of the whole tree in MB, `coordinator` that of
    the process that holds the library.
    """

    wall: float
    cpu: float
    memory: float
    coordinator: float


def _cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used, or 0 for one that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def run(folder: Path, library: Path, options: list[str]) -> Run:
    """Index a folder, and watch the processes that do it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [COMMAND, "index", "-L", library, folder, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    used: dict[int, float] = {}
    memory = coordinator = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal memory, coordinator
        while not done.wait(0.25):
            pids = tree(process.pid)
            for pid in pids:
                used[pid] = max(used.get(pid, 0.0), _cpu(pid))
            sizes = [pss(pid) for pid in pids]
            memory, coordinator = max(memory, sum(sizes)), max(coordinator, sizes[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - began
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"{process.args!r} ended with {code}")
    return Run(wall, sum(used.values()), memory, coordinator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs=2, default=(200, 800))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(measure.machine())
    ways = {
        "one machine": ["--workers", str(args.workers)],
        f"--cluster local:{args.workers}": ["--cluster", f"local:{args.workers}"],
    }
    rows, once, each = [], list[float](), list[float]()
    with tempfile.TemporaryDirectory() as work:
        for count in args.files:
            short_files(Path(work) / str(count), count)
        runs: dict[tuple[str, int], list[Run]] = {}
        for turn in range(args.rounds):
            for count in args.files:
                for way, options in ways.items():
                    library = Path(work) / f"{way}-{count}-{turn}"
                    made = run(Path(work) / str(count), library, options)
                    runs.setdefault((way, count), []).append(made)
    few, many = args.files
    for way in ways:
        cpu = [statistics.median(r.cpu for r in runs[way, count]) for count in (few, many)]
        wall = [statistics.median(r.wall for r in runs[way, count]) for count in (few, many)]
        each.append((cpu[1] - cpu[0]) / (many - few))
        once.append(cpu[0] - each[-1] * few)
        start = wall[0] - (wall[1] - wall[0]) / (many - few) * few
        peak = max(r.memory for r in runs[way, many])
        holder = max(r.coordinator for r in runs[way, many])
        rows.append(
            [
                *(way, f"{wall[0]:.1f}", f"{wall[1]:.1f}", f"{start:.1f}", f"{once[-1]:.1f}"),
                *(f"{1000 * each[-1]:.1f}", f"{peak:.0f}", f"{holder:.0f}"),
            ]
        )
    head = ["", f"{few} files, s", f"{many} files, s", "start, s", "start, CPU s"]
    measure.table([*head, "CPU ms a file", "peak, MB", "of it the coordinator, MB"], rows)
    print(f"a file costs {each[1] / each[0]:.2f} of what it costs without a cluster")
    for cores in (
        2,
        8,
        32,
    ):  # n files take n * each[0] / cores here, and with a second such machine
        gain = each[0] / cores - each[1] / (2 * cores)  # once + n * each[1] / (2 * cores)
        if gain > 0:
            print(
                f"computed: a second machine of {cores} cores pays from {once[1] / gain:.0f} files on"
            )


if __name__ == "__main__":
    main()
