"""The scores of a head over a large library: computed when they are asked for, or stored in a table.

`python -m scripts.bench.heads --sounds 100000` makes a library of synthetic sounds of one window,
and compares in one process, A B A B, the CPU seconds of a filter by a head (10 labels) whose scores
are computed from the stored vectors with one that reads a table of scores, and the bytes of that
table. It prints what the warm filter costs too.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from sqlalchemy import insert, select

from audiosearch import Library
from audiosearch.catalog import reading
from audiosearch.catalog.schema import contents, embeddings, sounds, windows
from audiosearch.heads.calibration import Calibration
from audiosearch.heads.fit import Layers
from audiosearch.heads.head import Head
from audiosearch.heads.scores import HeadScores, compute_scores
from audiosearch.vectors.codec import to_blob
from tests.libraries import DIMENSION, random_units, synthetic

LABELS = tuple(f"label {number}" for number in range(10))


def fill(directory: Path, count: int) -> Head:
    """Make the library, and a head of ten labels for it."""
    with synthetic(directory) as library, library.engine.begin() as connection:
        for first in range(0, count, 10_000):
            numbers = range(first + 1, min(first + 10_000, count) + 1)
            blobs = [to_blob(vector) for vector in random_units(len(numbers), first)]
            audio = {"sample_rate": 48_000, "channels": 1, "format": "wav", "tags": "{}"}
            connection.execute(
                insert(contents),
                [
                    {"id": n, "hash": n.to_bytes(32, "big"), "duration": 5.0, **audio}
                    for n in numbers
                ],
            )
            connection.execute(
                insert(sounds),
                [
                    {"id": n, "root_id": library.root_id, "path": f"{n}.wav".encode(), "size": 1,
                     "mtime_ns": 1, "content_id": n}
                    for n in numbers
                ],
            )  # fmt: skip
            model = {"model_id": library.model_id}
            rows = list(zip(numbers, blobs, strict=True))
            connection.execute(
                insert(embeddings),
                [{"content_id": n, "mean": blob, "windows": 1, **model} for n, blob in rows],
            )
            window = {"position": 0, "start": 0.0, "end": 5.0, **model}
            connection.execute(
                insert(windows), [{"content_id": n, "vector": blob, **window} for n, blob in rows]
            )
        digest = reading.active_model(connection)
    assert digest
    weights = np.random.default_rng(0).normal(0, 8, size=(DIMENSION, len(LABELS)))
    layers = Layers(((weights, np.zeros(len(LABELS))),))
    facts = {"multi": False}
    return Head("ten", LABELS, False, digest.digest, "mini", layers, Calibration(), facts)


def store_scores(directory: Path, head: Head) -> int:
    """Write a table of every score, as an index run would, and return its bytes."""
    with Library.open(directory) as library, library._reader.snapshot() as connection:
        stored = reading.active_model(connection)
        assert stored
        scores = compute_scores(connection, head, stored)
    before = (directory / "library.db").stat().st_size
    with closing(sqlite3.connect(directory / "library.db")) as connection_:
        connection_.execute("CREATE TABLE scores (label INTEGER, content INTEGER, score REAL)")
        for index in range(len(LABELS)):
            column = scores.probabilities[:, index].astype(float)
            rows = zip(
                [index] * len(column), scores.contents.tolist(), column.tolist(), strict=True
            )
            connection_.executemany("INSERT INTO scores VALUES (?, ?, ?)", rows)
        connection_.execute("CREATE INDEX scores_by_label ON scores (label, score, content)")
        connection_.commit()
        connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (directory / "library.db").stat().st_size - before


def seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of some work, and what it returns."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "library"
        head = fill(directory, args.sounds)
        with Library.open(directory) as library:
            library.heads.keep(head)
            size = store_scores(directory, head)
            where = {"head": "ten=label 3>0.3"}

            def computed() -> int:
                library._head_scores = HeadScores()
                return sum(1 for _ in passing())

            def passing() -> list[int]:
                from audiosearch.catalog.filters import make_filter

                with library._reader.snapshot() as connection:
                    bound = library._head_scores.resolved(connection, make_filter(where)).head[0]
                assert bound.contents is not None
                return [int(number) for number in bound.contents]

            def read() -> int:
                with library._reader.snapshot() as connection:
                    rows = connection.exec_driver_sql(
                        "SELECT content FROM scores WHERE label = 3 AND score > 0.3"
                    ).all()
                    return len(rows)

            def allowed() -> int:
                with library._reader.snapshot() as connection:
                    return len(connection.execute(select(contents.c.id)).all())

            times: dict[str, list[float]] = {"computed": [], "warm": [], "table": [], "all ids": []}
            count = 0
            for _ in range(args.rounds):
                for name, work in (
                    ("computed", computed),
                    ("warm", lambda: len(passing())),
                    ("table", read),
                    ("all ids", allowed),
                ):
                    took, count_ = seconds(work)
                    times[name].append(took)
                    count = count_ if name == "computed" else count
        print(
            f"{args.sounds} sounds, {len(LABELS)} labels, {count} pass; CPU seconds, best of rounds"
        )
        for name, taken in times.items():
            print(f"  {name:10} {min(taken):.3f}  (median {np.median(taken):.3f})")
        print(f"  the table and its index take {size / 1e6:.0f} MB beside the vectors")


if __name__ == "__main__":
    main()
