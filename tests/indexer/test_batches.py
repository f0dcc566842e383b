"""A run that stores many windows into a library in PostgreSQL goes past the index of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from audiosearch import Library
from audiosearch.catalog import schema
from audiosearch.catalog.store import store_at
from audiosearch.vectors import pgvector_search
from audiosearch.vectors.pgvector_search import Range, indexed_ranges
from indexer import batches, pgvector_index
from indexer.belongings import Belongings
from indexer.cache import renew_cache
from indexer.summary import Summary
from tests.libraries import random_units, synthetic
from tests.postgres_server import postgres_url  # noqa: F401


def test_many_windows_are_stored_beside_the_index(
    tmp_path: Path,
    postgres_url: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (pgvector_search, pgvector_index):
        monkeypatch.setattr(module, "INDEX_FROM", 50)
    monkeypatch.setattr(batches, "_MANY", 9)
    monkeypatch.setattr(batches, "_FILES", 1)
    with synthetic(postgres_url, tmp_path / "sounds") as made:
        made.add("first.wav", random_units(60, 0))
        directory = store_at(postgres_url).directory
        renew_cache(directory, made.engine, made.model)
        summary = Summary()
        run = batches.Batches(directory, made.engine, made.model_id, set(), Belongings(), summary)
        for number in range(8):
            run.add(made.outcome(f"{number}.wav", random_units(3, number + 1)))
        run.commit()
        with made.engine.connect() as connection:
            assert indexed_ranges(connection, made.model_id) == (Range(0, 110),)
            ids = [row.id for row in connection.execute(select(schema.windows.c.id).order_by("id"))]
        # Nine were not yet many.
        assert ids == [*range(1, 70), *range(111, 126)]
        assert summary.windows == 24
        for number in range(8):
            with Library.open(postgres_url) as library:
                hits = library.search(random_units(3, number + 1)[1], k=1, match="sound")
            assert hits[0].path.endswith(f"/{number}.wav") and hits[0].score > 0.999
