"""The cost of one more file in a large library, and of the windows behind the cache in a search.

`python -m scripts.bench.adding --sounds 100000` makes a synthetic library (see `make_library`) in a
temporary folder, or takes and changes the one of `-L`. Its root becomes an empty folder. There the
script adds files of a second one by one to the open library, describes and removes them. It prints
the times, and whether the cache was rewritten. A second table gives, for several numbers of windows
behind the cache, the time to read them at opening and to compare them in a search. Set
OMP_NUM_THREADS=1, since a search in the program has one thread of FAISS too.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from sqlalchemy import update

from audiosearch import Library
from audiosearch.catalog import database, reading, window_reading
from audiosearch.catalog.schema import roots
from audiosearch.vectors.cachefile import CACHE
from audiosearch.vectors.codec import unit
from audiosearch.vectors.stored import batches
from audiosearch.vectors.validity import usable_footer
from audiosearch.vectors.window_search import FaissSearch, SearchState
from indexer.cache import refresh_cache
from scripts.bench import measure
from scripts.bench.make_library import make

TAILS = (250, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
_AS_NEW = 10_000_000  # this makes ids of windows that the cache does not hold


def timed(call: Callable[[], Any]) -> float:
    """Return seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def move_root(directory: Path, folder: Path) -> None:
    """Make `folder` the library's only root, so that new files there join its sounds."""
    engine = database.writer(directory)
    with engine.begin() as connection:
        connection.execute(update(roots).values(path=bytes(folder)))
    engine.dispose()


def adding(directory: Path, folder: Path, files: int) -> None:
    """Print the times of adding, describing and removing `files` files."""
    rng = np.random.default_rng(0)
    paths = [folder / f"new{number}.wav" for number in range(files + 1)]
    for path in paths:
        soundfile.write(path, rng.normal(0, 0.1, 32_000).astype(np.float32), 32_000)
    before = (directory / CACHE).stat()
    with Library.open(directory) as library:
        library.search("rain")
        first = timed(partial(library.add, paths[0]))
        query = unit(rng.normal(size=512))
        columns: dict[str, list[float]] = {
            "add": [],
            "search after it": [],
            "describe": [],
            "remove": [],
        }
        for path in paths[1:]:
            columns["add"].append(timed(partial(library.add, path)))
            columns["search after it"].append(timed(partial(library.search, query)))
        for path in paths[1:]:
            columns["describe"].append(timed(partial(library.describe, path, external_id="x")))
            columns["remove"].append(timed(partial(library.remove, path)))
        print(f"the first add, which opens the model and starts a process: {1000 * first:.0f} ms\n")
    rows = [[name, measure.p50_p95(seconds)] for name, seconds in columns.items()]
    measure.table(["one file", "p50 / p95, ms"], rows)
    after = (directory / CACHE).stat()
    rewritten = (after.st_ino, after.st_mtime_ns) != (before.st_ino, before.st_mtime_ns)
    print(
        f"the cache of {before.st_size / 1e6:.0f} MB was {'' if rewritten else 'not '}rewritten\n"
    )


def tails(directory: Path, rounds: int) -> None:
    """Print the cost of windows behind the cache, and that of a new cache."""
    engine = database.reader(directory)
    rng = np.random.default_rng(1)
    with engine.connect() as connection:
        model = reading.active_model(connection)
        assert model
        search = SearchState(directory).current(connection, model)
        assert isinstance(search, FaissSearch)
        last = window_reading.last_window(connection, model.id)
        queries = unit(rng.normal(size=(rounds, model.dimension)))
        rows = []
        for size in TAILS:
            began = time.perf_counter()
            after = window_reading.vectors_after(connection, model.id, last - size)
            read = list(batches(after, model.dimension))
            opening = time.perf_counter() - began
            behind = dataclasses.replace(
                search,
                tail_ids=np.concatenate([ids for ids, _ in read]) + _AS_NEW,
                tail=np.concatenate([vectors for _, vectors in read]),
            )
            with_tail = [timed(partial(behind._in_tail, q, 50, None, None)) for q in queries]
            rows.append([size, f"{1000 * opening:.1f}", measure.p50_p95(with_tail)])
        measure.table(
            ["windows behind", "read at opening, ms", "compared in a search p50 / p95, ms"], rows
        )
        base = [timed(partial(search._in_base, q, 66, None, None)) for q in queries]
        print(f"the cache in the same search: {measure.p50_p95(base)} ms")
    engine.dispose()
    writing = database.writer(directory)
    with writing.connect() as connection:
        covered = usable_footer(connection, directory, model).count
    seconds = timed(partial(refresh_cache, directory, writing, model))
    print(f"rewritten with a few more than {covered} windows: {seconds:.2f} s")
    writing.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-L", "--library", type=Path, help="a synthetic library; it is changed")
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    print(measure.machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        directory = args.library or folder / "library"
        if args.library is None:
            make(directory, args.sounds, 1)
        (folder / "sounds").mkdir()
        move_root(directory, folder / "sounds")
        adding(directory, folder / "sounds", args.files)
        tails(directory, args.rounds)


if __name__ == "__main__":
    main()
