"""The cost of a growing library: to build, open, query, filter, add and delete.

`python -m scripts.bench.scale --windows 10000 100000 1000000` makes a synthetic library of each size
(see `make_library`; four windows a sound) in a temporary folder and prints a table. Queries are
sentences through mini's text tower; recall@10 is against exact search over all windows.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from audiosearch import Library
from audiosearch.catalog import reading, window_reading
from audiosearch.vectors import kinds
from audiosearch.vectors.stored import batches
from scripts.bench import measure
from scripts.bench.make_library import SAMPLES, make
from scripts.processes import pss

PER_SOUND = 4
# A sound's number decides its format and rate: half of the sounds are wav, a sixth are mp3. These
# filters allow about 50 %, 10 % and 1 % of the windows.
FILTERS = {"50 %": {"format": "wav"}, "10 %": {"path": "*7 *"}, "1 %": {"path": "*77 *"}}


def queries() -> list[str]:
    """Return the short queries of sample_library, and its descriptions."""
    texts = []
    for name, column in (("queries.csv", "query"), ("manifest.csv", "description")):
        with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
            texts += [row[column] for row in csv.DictReader(file)]
    return texts


def recall(library: Library, texts: list[str], k: int = 10) -> float:
    """Return the part (0..1) of the k nearest windows that the search returns."""
    parts = []
    with library._reader.snapshot() as connection:
        stored = reading.active_model(connection)
        assert stored
        search = library._engine._state.current(connection, stored)
        ids, vectors = [], []
        rows = window_reading.vectors_after(connection, stored.id, 0)
        for some, their in batches(rows, stored.dimension):
            ids.append(some)
            vectors.append(their.astype(np.float16))
        every = np.concatenate(ids)
        for query in library.embed_text(texts):
            exact = np.concatenate([v.astype(np.float32) @ query for v in vectors])
            best = set(every[np.argpartition(-exact, k)[:k]].tolist())
            got, _ = search.nearest(connection, query, k)
            parts.append(len(best & set(got.tolist())) / k)
    return statistics.mean(parts)


def measure_one(directory: Path, windows: int, rounds: int) -> dict[str, str]:
    """Return one column of the table."""
    sounds, row = windows // PER_SOUND, {}
    began = time.perf_counter()
    make(directory, sounds, PER_SOUND)
    row["build, s"] = f"{time.perf_counter() - began:.0f}"
    texts = queries()
    began = time.perf_counter()
    with Library.open(directory) as library:
        library.model.embed_text(["warm"])
        row["open and load model, ms"] = f"{1000 * (time.perf_counter() - began):.0f}"
        began = time.perf_counter()
        library.search("campfire crackling")
        row["first query, ms"] = f"{1000 * (time.perf_counter() - began):.0f}"
        status = library.status()
        row["windows"], row["index"] = str(status.windows), str(status.index_kind)
        # Each text gets a number, since the library remembers the vectors of texts.
        repeated = [f"{t} {number}" for number in range(rounds) for t in texts]
        row["query p50 / p95, ms"] = measure.p50_p95(
            [_time(partial(library.search, t)) for t in repeated]
        )
        # The vectors of these texts are remembered by now.
        by_sound = [_time(partial(library.search, t, match="sound")) for t in repeated]
        by_both = [_time(partial(library.search, t)) for t in repeated]
        added = statistics.median(by_both) - statistics.median(by_sound)
        row["of which words beside sound, ms"] = f"{1000 * added:.1f}"
        encode = [_time(partial(library.model.embed_text, [t])) for t in texts]
        row["of which the text tower, ms"] = f"{1000 * statistics.median(encode):.1f}"
        vectors = library.embed_text(texts)
        row["search alone p50 / p95, ms"] = measure.p50_p95(
            [_time(partial(library.search, v)) for v in vectors]
        )
        row["recall@10"] = f"{recall(library, texts[:50]):.4f}"
        for name, where in FILTERS.items():
            part = library.facets(where).sounds / status.sounds
            assert 0.5 < part / (float(name.split()[0]) / 100) < 2, f"{name}: {part:.3f}"
            library.search("warm", where=where)
            filtered = [_time(partial(library.search, v, where=where)) for v in vectors]
            row[f"the same, filter of {name}, ms"] = measure.p50_p95(filtered)
    row["memory (PSS), MB"] = f"{pss(os.getpid()):.0f}"
    for name in ("library.db", "vectors.faiss"):
        row[f"{name}, MB"] = f"{(directory / name).stat().st_size / 1e6:.0f}"
    began = time.perf_counter()
    make(directory, sounds // 100, PER_SOUND, first=sounds)
    row["add 1 %, s"] = f"{time.perf_counter() - began:.1f}"
    began = time.perf_counter()
    with Library.open(directory) as library:
        library.remove(list(range(1, sounds // 100 + 1)))
    row["delete 1 %, s"] = f"{time.perf_counter() - began:.1f}"
    return row


def _time(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--flat-upto", type=int, help="move the crossover, to find it")
    args = parser.parse_args()
    if args.flat_upto is not None:
        kinds.FLAT_UPTO = args.flat_upto
    print(measure.machine())
    columns = []
    for windows in args.windows:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(measure_one(Path(folder) / "library", windows, args.rounds))
    measure.table(["", *args.windows], [[key, *(c[key] for c in columns)] for key in columns[0]])


if __name__ == "__main__":
    main()
