"""A search has the hits of a comparison of every vector, whatever the cache holds."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import text

from audiosearch import Library
from audiosearch.catalog import window_reading
from audiosearch.catalog.filters import Filter
from audiosearch.vectors import kinds
from audiosearch.vectors.cachefile import CACHE
from audiosearch.vectors.codec import STORED
from audiosearch.vectors.window_search import FaissSearch, SearchState
from tests.effort import tries
from tests.libraries import Synthetic, random_units, synthetic

pytestmark = pytest.mark.sqlite("it is about FAISS")


def brute_force(
    library: Synthetic, query: np.ndarray, k: int, allowed: np.ndarray | None
) -> list[int]:
    """Return the ids of the k nearest windows, from the database alone."""
    with library.reading() as connection:
        rows = connection.execute(text("SELECT id, vector FROM windows ORDER BY id")).all()
    scored = []
    for window_id, blob in rows:
        if allowed is None or window_id in allowed:
            vector = np.frombuffer(blob, STORED, count=query.size).astype(np.float64)
            scored.append((-np.float32(vector @ query.astype(np.float64)), window_id))
    return [window_id for _, window_id in sorted(scored)[:k]]


class Life(RuleBasedStateMachine):
    """Sounds come and go, and the cache is renewed, damaged or lost. One reader stays open
    throughout.
    """

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.context = synthetic(Path(self.folder.name) / "library")
        self.library = self.context.__enter__()
        self.state = SearchState(self.library.directory)
        self.seed = 0

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)
        self.folder.cleanup()

    @rule(sounds=st.integers(1, 4), windows=st.integers(1, 3))
    def add(self, sounds: int, windows: int) -> None:
        for _ in range(sounds):
            self.seed += 1
            self.library.add(f"{self.seed}.wav", random_units(windows, self.seed))

    @rule(part=st.floats(0.1, 1.0), seed=st.integers(0, 99))
    def delete(self, part: float, seed: int) -> None:
        with self.library.reading() as connection:
            ids = [row[0] for row in connection.execute(text("SELECT id FROM sounds"))]
        if ids:
            count = max(1, int(len(ids) * part))
            self.library.delete(np.random.default_rng(seed).choice(ids, count, False).tolist())

    @rule()
    def refresh(self) -> None:
        self.library.refresh()

    @rule()
    def lose_the_cache(self) -> None:
        (self.library.directory / CACHE).unlink(missing_ok=True)

    @rule(place=st.floats(0, 0.999))
    def damage_the_cache(self, place: float) -> None:
        path = self.library.directory / CACHE
        if path.exists():
            data = bytearray(path.read_bytes())
            data[int(place * len(data))] ^= 0xFF
            # A program that writes in place, without a rename, would do this.
            (path.parent / "damaged").write_bytes(data)
            (path.parent / "damaged").replace(path)

    @invariant()
    def search_is_exact(self) -> None:
        query = random_units(1, 12_345)[0]
        with self.library.reading() as connection:
            ids = [row[0] for row in connection.execute(text("SELECT id FROM windows"))]
            search = self.state.current(connection, self.library.model)
            assert search.count == len(ids)
            long = Filter(min_duration=2)  # of two or three windows
            allowed = window_reading.allowed_windows(connection, long, self.library.model_id)
            for where, passing in ((None, None), (long, allowed)):
                hits, scores = search.nearest(connection, query, 5, where)
                assert hits.tolist() == brute_force(self.library, query, 5, passing)
                assert (np.diff(scores) <= 0).all()
            rows = connection.execute(text("SELECT id, content_id FROM windows")).all()
            excluded = sorted({row.content_id for row in rows})[::3]
            rest = np.array([row.id for row in rows if row.content_id not in excluded], np.int64)
            for where, passing in ((None, rest), (long, np.intersect1d(rest, allowed))):
                hits, _ = search.nearest(connection, query, 5, where, excluded)
                assert hits.tolist() == brute_force(self.library, query, 5, passing)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=tries(8, 25), stateful_step_count=12, deadline=None)


@pytest.fixture
def clustered() -> np.ndarray:
    """Return (4000, 512): 80 clusters of 50 vectors, about as close as takes of one sound."""
    centres = np.repeat(random_units(80, 1), 50, axis=0)
    return centres + 0.6 * random_units(4_000, 2)


def test_inverted_lists(
    tmp_path: Path, clustered: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the threshold the cache is IVF: recall, exact scores, filters, deletion, growth."""
    monkeypatch.setattr(kinds, "FLAT_UPTO", 1_000)
    monkeypatch.setattr("audiosearch.vectors.window_search._EXACT_UPTO", 10)
    with synthetic(tmp_path / "library") as library:
        for i in range(0, 4_000, 40):
            library.add(f"{i}.wav", clustered[i : i + 40], channels=1 + i // 40 % 3)
        library.refresh()
        state = SearchState(library.directory)
        recalls = []
        with library.reading() as connection:
            search = state.current(connection, library.model)
            assert isinstance(search, FaissSearch)
            assert search.base.kind == "ivf"
            third = Filter(channels=(2,))
            passing = window_reading.allowed_windows(connection, third, library.model_id)
            for i in range(0, 4_000, 400):
                query = clustered[i] / np.linalg.norm(clustered[i])
                for where, allowed in ((None, None), (third, passing)):
                    ids, scores = search.nearest(connection, query, 10, where)
                    expected = brute_force(library, query, 10, allowed)
                    recalls.append(len(set(ids.tolist()) & set(expected)) / 10)
                    if ids[0] == expected[0]:
                        exact = (
                            clustered[ids[0] - 1] @ query / np.linalg.norm(clustered[ids[0] - 1])
                        )
                        assert scores[0] == pytest.approx(exact, abs=1e-3)
        assert np.mean(recalls) >= 0.98
        library.delete(list(range(1, 11)))  # ten sounds of forty windows
        library.add("new.wav", clustered[:5])
        library.refresh()
        with library.reading() as connection:
            search = state.current(connection, library.model)
            assert search.count == 4_000 - 400 + 5
            ids, _ = search.nearest(connection, clustered[0] / np.linalg.norm(clustered[0]), 3)
            assert ids.min() > 400


def test_cache_is_what_search_reads(tmp_path: Path) -> None:
    """A cache of another library, or of another model, is not taken for ours."""
    with (
        synthetic(tmp_path / "one") as one,
        synthetic(tmp_path / "two") as two,
    ):
        one.add("a.wav", random_units(1, 1))
        two.add("b.wav", random_units(1, 2))
        one.refresh()
        two.refresh()
        (two.directory / CACHE).write_bytes((one.directory / CACHE).read_bytes())
        with two.reading() as connection:
            search = SearchState(two.directory).current(connection, two.model)
            _, scores = search.nearest(connection, random_units(1, 2)[0], 1)
            assert scores[0] == pytest.approx(1, abs=1e-3)


def test_readers_while_a_writer_writes(tmp_path: Path) -> None:
    """Every answer is that of one state: whole sounds, and never fewer than before."""
    failures: list[str] = []
    done = threading.Event()
    with synthetic(tmp_path / "library") as made, Library.open(made.directory) as library:
        query = random_units(1, 7)[0]

        def look() -> None:
            most = 0
            while not done.is_set():
                hits = library.search(query, k=1_000)
                paths = [hit.path for hit in hits]
                if len(set(paths)) != len(paths) or len(paths) < most:
                    failures.append(f"{len(paths)} after {most}")
                most = len(paths)

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(60):
            made.add(f"{i}.wav", random_units(2, i))
            if i % 20 == 19:
                made.refresh()
        done.set()
        for thread in threads:
            thread.join()
        assert not failures
        assert len(library.search(query, k=1_000)) == 60
