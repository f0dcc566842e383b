"""Readers of a library, each a process of its own, as the programs of a team are.

A `Reader` opens a library at an address and searches for vectors (d,) when it is asked to. Several
at once (`at_once`) begin together and search for so many seconds, one query after the other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from scripts.processes import pss

K = 10
# What a search for ten sounds asks its index for.
ROUND = 50


@dataclass(frozen=True)
class Searches:
    """The seconds of each search, and the CPU seconds of the reader in all of them."""

    seconds: list[float]
    cpu: float


class Reader:
    """A process that reads the library at `address`. Use it in a ``with`` block."""

    def __init__(self, address: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._calls, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(address, theirs), daemon=True)
        self._process.start()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._calls.send(None)
        self._process.join()

    def search(self, queries: np.ndarray, where: dict[str, Any] | None = None) -> Searches:
        """Search for each query (n, d) among the sounds that a filter passes."""
        searches: Searches = self._ask("search", queries, where)
        return searches

    def nearest(self, queries: np.ndarray, where: dict[str, Any] | None = None) -> list[np.ndarray]:
        """Return the scores of the nearest windows of each query."""
        scores: list[np.ndarray] = self._ask("nearest", queries, where)
        return scores

    def walk(self, ef: int) -> None:
        """Keep so many candidates in the walk of each index of pgvector from here on."""
        self._ask("walk", ef)

    def memory(self) -> float:
        """Return the reader's proportional set size in MB."""
        return pss(self._process.pid or 0)

    def begin(self, queries: np.ndarray, at: float, seconds: float) -> None:
        """Search from the time `at` on, for so many seconds; `taken` waits for the end."""
        self._calls.send(("load", queries, at, seconds))

    def taken(self) -> list[float]:
        """Return the seconds of each search since `begin`."""
        taken: list[float] = self._calls.recv()
        return taken

    def _ask(self, *call: Any) -> Any:
        self._calls.send(call)
        return self._calls.recv()


def at_once(address: str, clients: int, queries: np.ndarray, seconds: float) -> list[float]:
    """Return the seconds of each search of so many readers that search at once."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Reader(address)) for _ in range(clients)]
        for reader in readers:
            reader.search(queries[:3])
        at = time.time() + 0.5
        for number, reader in enumerate(readers):
            reader.begin(np.roll(queries, 7 * number, axis=0), at, seconds)
        return [each for reader in readers for each in reader.taken()]


def _serve(address: str, calls: Connection) -> None:
    from audiosearch import Library

    kinds: dict[str, Callable[..., Any]] = {
        "search": _search,
        "nearest": _nearest,
        "walk": _walk,
        "load": _load,
    }
    with Library.open(address) as library, contextlib.suppress(EOFError):
        while call := calls.recv():
            calls.send(kinds[call[0]](library, *call[1:]))


def _search(library: Any, queries: np.ndarray, where: dict[str, Any] | None) -> Searches:
    began, seconds = time.process_time(), []
    for query in queries:
        start = time.perf_counter()
        library.search(query, K, where=where, match="sound")
        seconds.append(time.perf_counter() - start)
    return Searches(seconds, time.process_time() - began)


def _nearest(library: Any, queries: np.ndarray, where: dict[str, Any] | None) -> list[np.ndarray]:
    from audiosearch.catalog import reading
    from audiosearch.catalog.filters import make_filter

    condition = make_filter(where) if where else None
    with library._reader.snapshot() as connection:
        stored = reading.active_model(connection)
        search = library._engine._state.current(connection, stored)
        return [search.nearest(connection, query, ROUND, condition)[1][:K] for query in queries]


def _walk(library: Any, ef: int) -> None:
    from audiosearch.vectors import pgvector_search

    pgvector_search._EF = ef


def _load(library: Any, queries: np.ndarray, at: float, seconds: float) -> list[float]:
    time.sleep(max(0.0, at - time.time()))
    taken: list[float] = []
    for query in _forever(queries):
        start = time.perf_counter()
        if time.time() > at + seconds:
            break
        library.search(query, K, match="sound")
        taken.append(time.perf_counter() - start)
    return taken


def _forever(queries: np.ndarray) -> Iterator[np.ndarray]:
    while True:
        yield from queries
