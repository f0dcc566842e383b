"""Libraries of synthetic vectors. The indexer's own functions write real rows, without audio."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, select, update

from audiosearch.catalog import reading, schema
from audiosearch.catalog.dialect import on_postgresql
from audiosearch.catalog.folded_paths import fold_roots
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.store import store_at
from audiosearch.models.embedding import mean_of
from audiosearch.models.registry import load_model
from audiosearch.vectors.codec import unit
from indexer import roots, store
from indexer.belongings import Belongings
from indexer.cache import refresh_cache
from indexer.deletion import delete_sounds
from indexer.meta import next_generation, set_meta
from indexer.pipeline import Embedded, Failed
from indexer.plan import FileTask
from indexer.workers import Done, Hashed

DIMENSION = 512


def random_units(count: int, seed: int) -> np.ndarray:
    """Return (count, 512) float32 unit vectors."""
    return unit(np.random.default_rng(seed).normal(size=(count, DIMENSION)))


def moved(library: Path, to: Path, *, root: Path) -> None:
    """Copy a library of one root to `to`, with `root` as its root.

    The copy equals an index of a copy of the sounds (with the same times), and costs no time.
    """
    shutil.copytree(library, to)
    engine = store_at(to).writer()
    with engine.begin() as connection:
        assert connection.execute(update(schema.roots).values(path=os.fsencode(root))).rowcount == 1
        if on_postgresql(connection):
            fold_roots(connection)
    engine.dispose()


def state(library: Path) -> object:
    """Return all that a library's database holds: SQLite's file to the byte, or PostgreSQL's rows."""
    file = library / "library.db"
    if file.exists():
        return file.read_bytes()
    engine = store_at(library).reader()
    with engine.connect() as connection:
        rows = [connection.execute(select(table)).all() for table in schema.metadata.sorted_tables]
    engine.dispose()
    return [sorted(map(repr, each)) for each in rows]


@dataclass
class Synthetic:
    """A library in `directory`, with one root; sounds are added as vectors."""

    directory: Path
    root: Path
    engine: Engine
    model_id: int
    root_id: int
    made: int = field(default=0)

    def add(
        self, name: str | bytes, vectors: np.ndarray, content: bytes | None = None, **values: Any
    ) -> None:
        """Add a sound whose windows have the vectors (n, d) and last a second each. `content` is
        its hash.
        """
        belongings = Belongings(values.pop("external_id", None), values.pop("metadata", None))
        outcome = self.outcome(name, vectors, content, **values)
        with self.engine.begin() as connection:
            store.store_batch(connection, [outcome], self.model_id, set(), belongings)

    def outcome(
        self, name: str | bytes, vectors: np.ndarray, content: bytes | None = None, **values: Any
    ) -> Embedded:
        """Return such a sound as the indexer gets it, without storing it."""
        self.made += 1
        count = len(vectors)
        task = self._task(name, values.pop("mtime_ns", self.made))
        info = {"sample_rate": 48_000, "channels": 1, "format": "wav", "subtype": "pcm_16"}
        tags = values.pop("tags", {})
        starts, ends = [float(i) for i in range(count)], [float(i + 1) for i in range(count)]
        duration = values.pop("duration", float(count))
        return Embedded(
            task,
            Hashed(content or self.made.to_bytes(32, "big"), task.size, task.mtime_ns),
            Done(duration, info | values, tags, None),
            unit(vectors),
            starts,
            ends,
            mean_of(vectors),
        )

    def fail(self, name: str, kind: str = "undecodable", reason: str = "no sound") -> None:
        """Add a file that could not be embedded."""
        outcome = Failed(self._task(name, 1), kind, reason)
        with self.engine.begin() as connection:
            store.store_batch(connection, [outcome], self.model_id, set(), Belongings())

    def _task(self, name: str | bytes, mtime_ns: int) -> FileTask:
        raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        return FileTask(bytes(self.root) + b"/" + raw, self.root_id, raw, 1, mtime_ns, None)

    def delete(self, ids: Sequence[int]) -> None:
        with self.engine.begin() as connection:
            next_generation(connection)
            delete_sounds(connection, ids)

    def refresh(self) -> None:
        """Bring the vector cache up to date."""
        refresh_cache(self.directory, self.engine, self.model)

    @property
    def model(self) -> StoredModel:
        with self.engine.connect() as connection:
            model = reading.active_model(connection)
        assert model
        return model

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        engine = store_at(self.directory).reader()
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


@contextmanager
def synthetic(where: Path | str, root: Path | None = None) -> Iterator[Synthetic]:
    """Make an empty library for mini's vectors, with the root `root` (default: beside it). `where`
    is a folder, or an address in PostgreSQL.
    """
    place = store_at(where)
    root = root or place.directory.parent / "sounds"
    root.mkdir(exist_ok=True)
    store.create_library(place)
    engine = place.writer()
    try:
        with engine.begin() as connection:
            model_id = store.ensure_model(connection, load_model())
            set_meta(connection, "active_model", model_id)
            (scan,) = roots.plan_scans(connection, [str(root)])
        yield Synthetic(place.directory, root, engine, model_id, scan.root_id)
    finally:
        engine.dispose()
