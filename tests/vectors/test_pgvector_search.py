"""A search in PostgreSQL has the hits of one in SQLite, over the same vectors: the scores to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text

from audiosearch.catalog import schema, vector_type, window_reading
from audiosearch.catalog.dialect import follow_ids
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import StoredModel
from audiosearch.search import ranking
from audiosearch.search.sample import Sample
from audiosearch.vectors import pgvector_search
from audiosearch.vectors.codec import to_blob, unit
from audiosearch.vectors.pgvector_search import Range, index_names, indexed_ranges
from audiosearch.vectors.window_index import WindowSearch
from audiosearch.vectors.window_search import SearchState
from indexer.pgvector_index import keep_apart, renew_index
from tests.postgres_server import empty_database, postgres_engine

DIMENSION = 24
PER_SOUND = 4
MODEL = StoredModel(1, "made", "digest", {}, DIMENSION)

# Of the sounds, by their durations 0..99: 1 %, 10 %, 50 %.
FILTERS = [None, *(Filter(max_duration=last) for last in (0, 9, 49))]


@dataclass
class Pair:
    """The same rows in SQLite and in PostgreSQL."""

    sqlite: Engine
    postgres: Engine
    directory: Path

    def both(self, answer: Any) -> tuple[Any, Any]:
        """Return what `answer(connection, search)` is in each."""
        answers = []
        for engine in (self.sqlite, self.postgres):
            with engine.connect() as connection:
                search = SearchState(self.directory).current(connection, MODEL)
                answers.append(answer(connection, search))
        return answers[0], answers[1]


def vectors(count: int, seed: int) -> np.ndarray:
    """Return (count, d) unit vectors about 40 centres, every tenth equal to the one before it."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(40, DIMENSION))
    made = centres[rng.integers(0, 40, count)] + 0.7 * rng.normal(size=(count, DIMENSION))
    made[9::10] = made[8::10][: len(made[9::10])]
    return unit(made)


def fill(engine: Engine, every: np.ndarray) -> None:
    """Write sounds of four windows each."""
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        for key, value in (("generation", "1"), ("tombstone_floor", "0"), ("library_id", "x")):
            connection.execute(insert(schema.meta).values(key=key, value=value))
        model = {"id": 1, "name": "made", "digest": "digest", "identity": "{}"}
        connection.execute(insert(schema.models).values(**model, dimension=DIMENSION))
        connection.execute(insert(schema.roots).values(id=1, path=b"/made", whole=1))
        ids = range(1, len(every) // PER_SOUND + 1)
        connection.execute(
            insert(schema.contents),
            [
                {
                    "id": i,
                    "hash": (i * 7_919 % 65_537).to_bytes(32, "big"),
                    "duration": i * 37 % 100,
                    "sample_rate": 48_000,
                    "channels": 1,
                    "format": "wav",
                    "tags": "{}",
                }
                for i in ids
            ],
        )
        sound = {"root_id": 1, "size": 1, "mtime_ns": 1}
        rows = [{"id": i, "path": b"%d.wav" % i, "content_id": i, **sound} for i in ids]
        connection.execute(insert(schema.sounds), rows)
        connection.execute(
            insert(schema.embeddings),
            [{"content_id": i, "model_id": 1, "mean": b"", "windows": PER_SOUND} for i in ids],
        )
        connection.execute(
            insert(schema.windows),
            [
                {
                    "id": i + 1,
                    "content_id": i // PER_SOUND + 1,
                    "model_id": 1,
                    "position": i % PER_SOUND,
                    "start": i % PER_SOUND,
                    "end": i % PER_SOUND + 1,
                    "vector": to_blob(vector),
                }
                for i, vector in enumerate(every)
            ],
        )


def prepare(raw: Any, _: Any) -> None:
    """Let the planner take an index where there is one: of so few rows it would read all."""
    vector_type.prepare(raw)
    raw.execute("SET enable_seqscan = off")
    raw.execute("SET enable_sort = off")
    raw.commit()


@contextmanager
def a_pair(directory: Path, server: str, windows: int) -> Iterator[Pair]:
    directory.mkdir(exist_ok=True)
    with empty_database(server) as url:
        made = Pair(create_engine(f"sqlite:///{directory}/a.db"), postgres_engine(url), directory)
        event.listen(made.postgres, "connect", prepare)
        with made.postgres.begin() as connection:
            connection.execute(text("CREATE EXTENSION vector"))
        for engine in (made.sqlite, made.postgres):
            fill(engine, vectors(windows, 1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("indexer.pgvector_index.INDEX_FROM", 500)
            assert renew_index(made.postgres, MODEL)
        yield made
        made.sqlite.dispose()
        made.postgres.dispose()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Pair]:
    """2,000 windows in each, to be read: so few are compared one by one."""
    with a_pair(tmp_path_factory.mktemp("pair"), postgres_server, 2_000) as made:
        yield made


@pytest.fixture
def indexed(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The same, as if they were many."""
    monkeypatch.setattr(pgvector_search, "INDEX_FROM", 500)
    return pair


@pytest.fixture
def own(tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A pair of 600 windows that a test may change."""
    monkeypatch.setattr(pgvector_search, "INDEX_FROM", 500)
    monkeypatch.setattr("indexer.pgvector_index.INDEX_FROM", 500)
    with a_pair(tmp_path, postgres_server, 600) as made:
        yield made


@pytest.fixture(params=[20_000, 0])
def _kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters pass few contents, which are remembered; they pass many, and are asked again."""
    monkeypatch.setattr(pgvector_search, "_CONTENTS_KEPT", request.param)


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("excluded", [[], [1, 3, 5, 100]])
def test_a_comparison_of_all_is_that_of_sqlite(pair: Pair, excluded: list[int]) -> None:
    for query in vectors(5, 2):
        for where in FILTERS:
            ours, theirs = pair.both(
                lambda connection, search, query=query, where=where: search.nearest(
                    connection, query, 10, where, excluded
                )
            )
            assert ours[0].tolist() == theirs[0].tolist()
            assert ours[1].tobytes() == theirs[1].tobytes()
            assert theirs[1].dtype == np.float32


@pytest.mark.usefixtures("_kept")
def test_what_the_index_proposes_is_scored_exactly(indexed: Pair) -> None:
    recalls = []
    for query in vectors(10, 3):
        for where in FILTERS:
            ours, theirs = indexed.both(
                lambda connection, search, query=query, where=where: search.nearest(
                    connection, query, 10, where, [7, 8]
                )
            )
            scores = dict(zip(ours[0].tolist(), ours[1].tolist(), strict=True))
            recalls.append(len(scores.keys() & set(theirs[0].tolist())) / 10)
            assert (np.diff(theirs[1]) <= 0).all()
            for window, score in zip(theirs[0].tolist(), theirs[1].tolist(), strict=True):
                assert scores.get(window, score) == score
    assert np.mean(recalls) >= 0.98


@pytest.mark.parametrize(("set_by_others", "walked"), [(40, 200), (700, 700)])
def test_an_administrator_may_set_more_candidates(
    indexed: Pair, set_by_others: int, walked: int
) -> None:
    with indexed.postgres.connect() as connection:
        connection.execute(text(f"SET hnsw.ef_search = {set_by_others}"))
        search = SearchState(Path()).current(connection, MODEL)
        search.nearest(connection, vectors(1, 4)[0], 10)
        now = connection.execute(text("SHOW hnsw.ef_search")).scalar_one()
        connection.execute(text("RESET hnsw.ef_search"))
    assert int(now) == walked


def plan(engine: Engine, where: Filter | None) -> str:
    """Return the plan of the first statement that compares vectors."""
    plans = []
    with engine.connect() as connection:
        search = SearchState(Path()).current(connection, MODEL)

        def explain(_: Any, cursor: Any, statement: str, values: Any, *others: Any) -> None:
            if "<#>" in statement:
                cursor.execute("EXPLAIN " + statement, values)
                plans.append("\n".join(row[0] for row in cursor.fetchall()))

        event.listen(engine, "before_cursor_execute", explain)
        try:
            search.nearest(connection, vectors(1, 4)[0], 10, where)
        finally:
            event.remove(engine, "before_cursor_execute", explain)
    return plans[0]


@pytest.mark.usefixtures("_kept")
def test_few_windows_are_compared_and_many_come_by_the_index(indexed: Pair) -> None:
    for where, way in zip(FILTERS, (True, False, False, True), strict=True):
        assert ("windows_hnsw_1" in plan(indexed.postgres, where)) is way, where


def test_moments_percentiles_and_all_above_are_those_of_sqlite(pair: Pair) -> None:
    query = vectors(1, 5)[0]

    def answers(connection: Connection, search: WindowSearch) -> list[Any]:
        sample = Sample(connection, MODEL.id, DIMENSION)
        ids, _ = search.above(connection, query, 0.3, 10)
        return [
            sorted(ranking.best_moments(connection, search, query, 30, None), key=repr),
            sorted(ranking.best_moments(connection, search, query, 30, FILTERS[2]), key=repr),
            sorted(ranking.all_moments(connection, search, query, 30, None, 0.1), key=repr),
            sample.percentiles(query, np.array([0.1, 0.5, 0.9], np.float32)).tolist(),
            sample.contents.tolist(),
            sorted(ids.tolist()),
            len(search.above(connection, query, 1.1, 10)[0]),
            search.scores_of(connection, query, np.array([9, 3, 700])).tolist(),
            search.count,
        ]

    ours, theirs = pair.both(answers)
    assert ours == theirs
    assert len(ours[5]) > 10 and ours[6] == 10


def test_a_vector_comes_back_as_the_bytes_that_went_in(pair: Pair) -> None:
    odd = np.zeros(DIMENSION, np.float16)
    odd[:6] = [1, -0.0, 6e-8, -65_504, 1e-7, 0.333]
    with pair.postgres.connect() as connection:
        values = {"content_id": 1, "model_id": 1, "position": 9, "start": 0, "end": 1}
        row = insert(schema.windows).values(**values, id=9_999, vector=to_blob(odd))
        connection.execute(row)
        query = select(schema.windows.c.vector).where(schema.windows.c.id == 9_999)
        assert connection.execute(query).scalar_one() == to_blob(odd)
        damaged = to_blob(odd)[:-1] + b"x"
        with pytest.raises(Exception, match="the stored vector is damaged"):
            connection.execute(row.values(id=10_000, vector=damaged))
    with pair.postgres.connect() as connection, pair.sqlite.connect() as other:
        theirs = list(window_reading.vectors_after(connection, 1, 0))
        assert theirs == list(window_reading.vectors_after(other, 1, 0))


def test_the_index_is_made_once_and_goes_with_its_model(own: Pair) -> None:
    engine = own.postgres
    assert not renew_index(engine, MODEL)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tombstones VALUES (1, 1)"))
        for table in ("windows", "embeddings", "models"):
            connection.execute(text(f"DELETE FROM {table}"))
    assert not renew_index(engine, StoredModel(2, "other", "other", {}, DIMENSION))
    with engine.connect() as connection:
        assert index_names(connection) == []
        assert connection.execute(text("SELECT count(*) FROM tombstones")).scalar() == 0


def test_a_snapshot_is_one_state(own: Pair) -> None:
    query = vectors(1, 6)[0]
    reader = own.postgres.execution_options(isolation_level="REPEATABLE READ")
    with reader.connect() as connection:
        search = SearchState(Path()).current(connection, MODEL)
        before, _ = search.nearest(connection, query, 10)
        with own.postgres.begin() as writer:
            writer.execute(text("DELETE FROM windows WHERE id = :id"), {"id": int(before[0])})
        again, _ = search.nearest(connection, query, 10)
        assert again.tolist() == before.tolist()
    with reader.connect() as connection:
        later, _ = SearchState(Path()).current(connection, MODEL).nearest(connection, query, 10)
        assert before[0] not in later


def add(made: Pair, every: np.ndarray) -> None:
    """Add the windows of one more sound to both, with the ids that PostgreSQL gives them."""
    with made.postgres.begin() as connection:
        content = connection.execute(text("SELECT max(id) + 1 FROM contents")).scalar_one()
        query = text(
            "SELECT nextval(pg_get_serial_sequence('windows', 'id')) FROM generate_series(1, :n)"
        )
        ids = [row[0] for row in connection.execute(query, {"n": len(every)})]
    rows = [
        {
            "id": window,
            "content_id": content,
            "model_id": 1,
            "position": n,
            "start": n,
            "end": n + 1,
            "vector": to_blob(vector),
        }
        for n, (window, vector) in enumerate(zip(ids, every, strict=True))
    ]
    kinds = {"duration": 5, "sample_rate": 48_000, "channels": 1, "format": "wav", "tags": "{}"}
    file = {"root_id": 1, "path": b"%d.wav" % content, "size": 1, "mtime_ns": 1}
    size = {"content_id": content, "model_id": 1, "mean": b"", "windows": len(every)}
    for engine in (made.sqlite, made.postgres):
        with engine.begin() as connection:
            hash_ = content.to_bytes(32, "little")
            connection.execute(insert(schema.contents).values(id=content, hash=hash_, **kinds))
            connection.execute(insert(schema.sounds).values(content_id=content, **file))
            connection.execute(insert(schema.embeddings).values(**size))
            connection.execute(insert(schema.windows), rows)


def ranges(made: Pair) -> list[Range]:
    with made.postgres.connect() as connection:
        return list(indexed_ranges(connection, 1))


def test_many_windows_come_apart_from_the_index_and_get_one_of_their_own(own: Pair) -> None:
    with own.postgres.begin() as connection:
        follow_ids(connection, schema.sounds, schema.windows)
    [first] = ranges(own)
    assert first == Range(0, 600 + 500)
    add(own, vectors(40, 7))  # few: they go into the index
    second, third = Range(1_100, 1_700 + 500), Range(2_200, 2_800)
    for batch, more, expected in (
        (200, False, [first]),  # too few for an index
        (400, False, [first, second]),
        (600, True, [first, second, third]),  # more follow: they begin after it anyway
        (3_000, False, [Range(0, 5_800 + 1_210)]),  # so many that the others are made anew
    ):
        keep_apart(own.postgres, 1)
        add(own, vectors(batch, batch))
        compared(own, Filter(max_duration=50))
        before = ranges(own)
        assert renew_index(own.postgres, MODEL, more=more) == (before != expected)
        assert ranges(own) == expected
        with own.postgres.connect() as connection:
            assert len(index_names(connection)) == len(expected)
        compared(own, None)


def test_an_index_that_a_reader_holds_stays_until_next_time(own: Pair) -> None:

    def hurry(raw: Any, _: Any) -> None:
        # Longer than the second after which PostgreSQL ends its own cleaning for those that wait.
        raw.execute("SET lock_timeout = 2000")
        raw.commit()

    event.listen(own.postgres, "connect", hurry)
    [old] = ranges(own)
    with own.postgres.begin() as connection:
        follow_ids(connection, schema.sounds, schema.windows)
    keep_apart(own.postgres, 1)
    add(own, vectors(900, 12))
    with own.postgres.connect() as reader:
        reader.execute(text("SELECT count(*) FROM windows")).all()
        assert renew_index(own.postgres, MODEL)
        assert len(index_names(reader)) == 2
        assert [part.after for part in ranges(own)] == [0]
        compared(own, None)
    assert not renew_index(own.postgres, MODEL)
    with own.postgres.connect() as connection:
        [name] = index_names(connection)
    assert name != old.index_name(1)


def compared(made: Pair, where: Filter | None) -> None:
    """Compare what both find, also of windows that have no index: the best are the same."""
    for query in vectors(5, 11):
        ours, theirs = made.both(
            lambda connection, search, query=query: search.nearest(connection, query, 10, where)
        )
        assert len(set(ours[0].tolist()) & set(theirs[0].tolist())) >= 9
        assert ours[1][:3].tobytes() == theirs[1][:3].tobytes()
