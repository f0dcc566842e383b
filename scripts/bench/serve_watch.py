"""How long searches take while `serve --watch` takes in new sounds.

`python -m scripts.bench.serve_watch -L LIBRARY --files 2000` copies a library that `make_library`
made, serves it with `--watch` on an empty folder, and sends one text search after another, none of
them twice. Meanwhile so many short sounds, each of its own, appear in the folder in two bursts. It
prints the latency of searches while nothing changes, and from each burst on until its last sound is
in the library, by turns in one run, and the ratios of the medians. Other work on the machine slows
both.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import httpx
import numpy as np

from scripts.bench import measure
from scripts.bench.scale import queries
from scripts.bench.serve import effects
from scripts.figures import COMMAND

_QUIET_SECONDS = 8.0
_BURSTS = 2


def texts() -> Iterator[str]:
    """Yield texts, none of them twice."""
    for one, two in product(queries(), repeat=2):
        yield f"{one}, then {two}"


def latencies(client: httpx.Client, asked: Iterator[str], until: Callable[[], bool]) -> np.ndarray:
    """Return (n,): the milliseconds of searches, one after another, until it is over."""
    took = []
    while not until():
        began = time.perf_counter()
        client.get("/v1/search", params={"q": next(asked)}).raise_for_status()
        took.append(1000 * (time.perf_counter() - began))
    return np.array(took)


def counted(library: Path) -> Callable[[], int]:
    """Return a function that counts the library's sounds at most every tenth of a second."""
    last, count = 0.0, 0

    def count_now() -> int:
        nonlocal last, count
        if time.perf_counter() - last > 0.1:
            with closing(sqlite3.connect(f"file:{library}/library.db?mode=ro", uri=True)) as db:
                (count,) = db.execute("SELECT count(*) FROM sounds").fetchone()
            last = time.perf_counter()
        return count

    return count_now


def _past(moment: float) -> bool:
    return time.perf_counter() > moment


def _reached(count: Callable[[], int], target: int) -> bool:
    return count() >= target


def measured(port: int, library: Path, folder: Path, files: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the latencies (n,) of quiet times, and (m,) of bursts."""
    quiet, busy, asked, sounds = [], [], texts(), counted(library)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        while client.get("/healthz").json().get("watch") != "watching":
            time.sleep(0.2)
        latencies(client, asked, partial(_past, time.perf_counter() + 2.0))  # what it makes once
        for number in range(_BURSTS):
            over = time.perf_counter() + _QUIET_SECONDS
            quiet.append(latencies(client, asked, partial(_past, over)))
            target = sounds() + files // _BURSTS
            effects(folder / f"burst {number}", files // _BURSTS)
            busy.append(latencies(client, asked, partial(_reached, sounds, target)))
    return np.concatenate(quiet), np.concatenate(busy)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-L", "--library", type=Path, required=True)
    parser.add_argument("--files", type=int, default=2_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        library, folder = Path(made) / "library", Path(made) / "sounds"
        shutil.copytree(args.library, library)
        folder.mkdir()
        effects(folder, 1)
        subprocess.run([COMMAND, "index", "-L", library, folder], check=True, capture_output=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        line: list[str | Path] = [COMMAND, "serve", "--watch", "-L", library, "--port", str(port)]
        with subprocess.Popen(line, stderr=subprocess.DEVNULL) as server:
            try:
                wait(port)
                quiet, busy = measured(port, library, folder, args.files)
            finally:
                server.terminate()
    print(measure.machine())
    rows = [
        [name, str(len(took)), *(f"{np.percentile(took, p):.1f}" for p in (50, 95))]
        for name, took in (("nothing changes", quiet), ("it indexes", busy))
    ]
    ratios = [f"{np.percentile(busy, p) / np.percentile(quiet, p):.2f}" for p in (50, 95)]
    measure.table(["while", "searches", "p50, ms", "p95, ms"], [*rows, ["ratio", "", *ratios]])


def wait(port: int) -> None:
    """Wait until the server answers."""
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
