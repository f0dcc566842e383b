"""One library in SQLite and in PostgreSQL: the same rows, with the same ids, by the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from audiosearch.catalog import migrations, vector_type
from audiosearch.models.registry import load_model
from indexer import roots, store
from indexer.meta import set_meta
from tests.libraries import Synthetic, synthetic

Answer = TypeVar("Answer")


@contextmanager
def postgres_library(url: str) -> Iterator[Engine]:
    """Make an empty library in an empty database."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        connect_args={"options": "-csearch_path=audiosearch,public"},
        poolclass=NullPool,
    )
    event.listen(engine, "connect", lambda raw, _: vector_type.prepare(raw))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA audiosearch")
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    migrations.migrate(engine, "the database")
    yield engine


class Both:
    """The two libraries, in this order: SQLite's and PostgreSQL's."""

    def __init__(self, ours: Synthetic, theirs: Synthetic) -> None:
        self.stores = (ours, theirs)

    def add(self, *values: Any, **more: Any) -> None:
        """Add a sound to both, as `Synthetic.add` does."""
        for each in self.stores:
            each.add(*values, **more)

    def write(self, change: Callable[[Connection], Any]) -> None:
        """Change both, each in one transaction."""
        for each in self.stores:
            with each.engine.begin() as connection:
                change(connection)

    def same(self, ask: Callable[[Connection], Answer]) -> Answer:
        """Return what both answer, which must be equal."""
        answers = []
        for each in self.stores:
            with each.engine.connect() as connection:
                answers.append(ask(connection))
        assert answers[0] == answers[1], f"SQLite: {answers[0]!r}, PostgreSQL: {answers[1]!r}"
        return answers[0]


@contextmanager
def both(directory: Path, url: str, root: Path | None = None) -> Iterator[Both]:
    """Make the two, with the same root."""
    with synthetic(directory, root) as ours, postgres_library(url) as engine:
        with engine.begin() as connection:
            model_id = store.ensure_model(connection, load_model())
            set_meta(connection, "active_model", model_id)
            (scan,) = roots.plan_scans(connection, [str(ours.root)])
        yield Both(ours, Synthetic(directory, ours.root, engine, model_id, scan.root_id))
