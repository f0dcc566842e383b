"""What a cluster costs, beside one machine: seconds to start, and processor time for every file.

    python -m scripts.bench.cluster       two sizes of a folder: here, --cluster local:2, two nodes

The difference of two sizes divides what is paid once from what is paid for every file. The workers
of a cluster are processes on this machine, so nothing is gained here: the table gives the overhead,
and from it by arithmetic the number of files from which a second machine pays. Sounds are those of
`scripts.bench.indexing`: effects of 0.5 to 6 s. The two nodes run before the command starts; what
they use while it runs counts. Each way has two workers; runs take turns (A B C A B C).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from scripts.bench import measure
from scripts.bench.indexing import short_files
from scripts.figures import COMMAND
from scripts.processes import Use, watched
from scripts.ray_nodes import Nodes


@dataclass(frozen=True)
class Way:
    """A way to index: its options, and what is used for each of two numbers of files."""

    name: str
    options: list[str]
    uses: tuple[list[Use], list[Use]]


def run(way: Way, folder: Path, library: Path, nodes: Nodes) -> Use:
    """Index a folder, and watch the processes that do it."""
    beside = [nodes.head.pid, nodes.other.pid] if nodes.address in way.options else []
    command: list[str | Path] = [COMMAND, "index", "-L", library, folder, *way.options]
    return watched(command, 0.25, beside, nodes.environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs=2, default=(200, 800))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(measure.machine())
    few, many = args.files
    with tempfile.TemporaryDirectory() as work, closing(Nodes()) as nodes:
        folders = [Path(work) / str(count) for count in (few, many)]
        for folder, count in zip(folders, (few, many), strict=True):
            short_files(folder, count)
        ways = [
            Way("one machine", ["--workers", "2"], ([], [])),
            Way("`--cluster local:2`", ["--cluster", "local:2"], ([], [])),
            Way("two nodes of one processor", ["--cluster", nodes.address], ([], [])),
        ]
        for turn in range(args.rounds):
            for size, folder in enumerate(folders):
                for place, way in enumerate(ways):
                    library = Path(work) / f"{place}-{size}-{turn}"
                    way.uses[size].append(run(way, folder, library, nodes))
    rows, once, each = [], list[float](), list[float]()
    for way in ways:
        less, more = (statistics.median(use.processor for use in uses) for uses in way.uses)
        quick, slow = (statistics.median(use.seconds for use in uses) for uses in way.uses)
        each.append((more - less) / (many - few))
        once.append(less - each[-1] * few)
        start = quick - (slow - quick) / (many - few) * few
        peak = max(use.peak for use in way.uses[1])
        own = max(use.own_peak for use in way.uses[1])
        times = [f"{value:.1f}" for value in (quick, slow, start, once[-1], 1000 * each[-1])]
        rows.append([way.name, *times, f"{peak:.0f}", f"{own:.0f}"])
    head = ["", f"{few} files, s", f"{many} files, s", "start, s", "start, CPU s"]
    measure.table([*head, "CPU ms a file", "peak, MB", "of it the command, MB"], rows)
    print(f"a file costs {each[1] / each[0]:.2f} of what it costs without a cluster")
    for cores in (2, 8, 32):
        # n files take n * each[0] / cores here, and with a second such machine
        # once[1] + n * each[1] / (2 * cores).
        gain = each[0] / cores - each[1] / (2 * cores)
        if gain > 0:
            print(
                f"computed: a second machine of {cores} cores pays from {once[1] / gain:.0f} files on"
            )


if __name__ == "__main__":
    main()
