"""The figures of the README: retrieval on sample_library, speed, memory and size.

`python -m scripts.figures` prints them, with the installed `audiosearch` command and the bundled
model. Times are medians of several whole processes; memory is the peak of `scripts.processes`.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import numpy as np

from scripts.processes import watched

SAMPLES = Path(__file__).parents[1] / "sample_library"
COMMAND = Path(sysconfig.get_path("scripts")) / "audiosearch"
LOOK = 0.02  # seconds between two looks at the memory of a command


def median_seconds(command: list[str | Path], runs: int) -> float:
    """Return the median seconds of a command, without a watch on its memory."""

    def once() -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(runs))


def installed_megabytes() -> float:
    """Return the size of the base install in MB, from the records of its distributions.

    It does not count bytecode, which Python writes later.
    """
    from importlib.metadata import distribution

    from packaging.requirements import Requirement

    seen, waiting, total = set(), ["audiosearch"], 0
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        record = distribution(name)
        total += sum(
            path.stat().st_size
            for file in record.files or ()
            if (path := Path(str(record.locate_file(file)))).is_file() and path.suffix != ".pyc"
        )
        needs = [Requirement(text) for text in record.requires or ()]
        waiting += [n.name for n in needs if n.marker is None or n.marker.evaluate({"extra": ""})]
    package = Path(__file__).parents[1] / "audiosearch"
    if not any("models/mini" in str(file) for file in distribution("audiosearch").files or ()):
        files = (path for path in package.rglob("*") if path.suffix != ".pyc")
        total += sum(path.stat().st_size for path in files if path.is_file())
    return total / 1e6


def retrieval() -> None:
    """Print the figures of retrieval on sample_library, by its descriptions and by short queries."""
    from audiosearch.evaluation import datasets, measuring
    from audiosearch.evaluation import retrieval as measure
    from audiosearch.models.model import apply_template
    from audiosearch.models.registry import load_model

    model = load_model()
    sounds = measuring.embed_sounds(model, datasets.read_dataset(SAMPLES))
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as file:
        kinds = {str(SAMPLES / row["file"]): row["kind"] for row in csv.DictReader(file)}
    with (SAMPLES / "queries.csv").open(encoding="utf-8", newline="") as file:
        queries = list(csv.DictReader(file))

    def scores(texts: list[str]) -> np.ndarray:
        template = model.bundle.query_template
        return sounds.best_windows(model.embed_text([apply_template(template, t) for t in texts]))

    figures = measure.evaluate(
        scores([item.captions[0] for item in sounds.items]), np.eye(len(sounds.items), dtype=bool)
    )
    print(f"descriptions: {len(sounds.items)} queries, one sound each")
    print(f"  recall@1 {figures.recall_at_1:.3f}")
    print(f"  recall@5 {figures.recall_at_5:.3f}")
    print(f"  mAP@10   {figures.map_at_10:.3f}")
    best = scores([query["query"] for query in queries]).argmax(axis=1)
    first = [
        kinds[str(sounds.items[index].path)] == query["kind"]
        for index, query in zip(best, queries, strict=True)
    ]
    print(f"short queries: {len(queries)}; the first hit is of the kind meant")
    print(f"  top-1    {statistics.mean(first):.3f}")
    for query, right in zip(queries, first, strict=True):
        if not right:
            print(f"  missed: {query['query']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="runs of which the median is given")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        indexing = watched([COMMAND, "index", "-L", library, SAMPLES], LOOK)
        retrieval()
        query: list[str | Path] = [COMMAND, "query", "-L", library, "campfire crackling"]
        print(f"processor: {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
        print(f"index sample_library    {indexing.seconds:6.2f} s   peak {indexing.peak:4.0f} MB")
        peak = watched(query, LOOK).peak
        print(f"query, whole process    {median_seconds(query, runs):6.2f} s   peak {peak:4.0f} MB")
        help_time = median_seconds([COMMAND, "--help"], runs)
        python = median_seconds([sys.executable, "-c", "pass"], runs)
        print(f"audiosearch --help      {help_time:6.2f} s   (python alone {python:.2f} s)")
        print(f"base install            {installed_megabytes():6.0f} MB")


if __name__ == "__main__":
    main()
