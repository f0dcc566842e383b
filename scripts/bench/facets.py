"""The cost of facets beside that of a search, at 100,000 sounds.

`python -m scripts.bench.facets --sounds 100000` makes a synthetic library (see `make_library`) in a
temporary folder, or takes one by `-L DIR`, and prints a table. Times are processor time of one
thread. "first" is the first call with these filters; "then" is the median of later ones. The
vectors of texts are remembered: the text tower is not part of a figure.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from audiosearch import Library
from scripts.bench import measure
from scripts.bench.make_library import make

QUERIES = ("dog barking", "rain", "noise", "footsteps on gravel", "a door slams")
# A folder holds 1,000 sounds; "7 " ends the number of each tenth sound.
FILTERS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "format": {"format": "mp3"},
    "format, rate and channels": {"format": ["mp3", "wav"], "rate": 44_100, "channels": 1},
    "folder": {"root": "/synthetic/0003"},
    "path": {"path": "*7 *"},
    "tag": {"tag": "rain"},
}


def milliseconds(call: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    began = time.process_time()
    call()
    return 1000 * (time.process_time() - began)


def times(calls: list[Callable[[], object]], rounds: int) -> list[str]:
    """Return the median of the first round and of all others, as cells of a table."""
    every = [[milliseconds(call) for call in calls] for _ in range(rounds + 1)]
    later = [one for some in every[1:] for one in some]
    return [f"{statistics.median(every[0]):.0f}", f"{statistics.median(later):.0f}"]


def measured(directory: Path, rounds: int) -> None:
    """Print the table of one library."""
    with Library.open(directory) as library:
        library.embed_text(QUERIES)
        table = milliseconds(library.facets)
        for text in QUERIES:  # the vectors of texts, the sample
            library.search(text)
        rows = []
        for name, where in FILTERS.items():
            alone = times([partial(library.facets, where)], rounds)
            hits = times([partial(library.facets, where, query=q) for q in QUERIES], rounds)
            search = times([partial(library.search, q, where=where) for q in QUERIES], rounds)
            rows.append([name, *alone, *hits, search[1]])
    print(measure.machine())
    print(f"table of a new state: {table:.0f} ms")
    measure.table(
        ["ms", "library: first", "then", "a query's: first", "then", "its search"],
        rows,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-L", "--library", type=Path)
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.library:
        measured(args.library, args.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "library", args.sounds, 1)
        measured(Path(folder) / "library", args.rounds)


if __name__ == "__main__":
    main()
