"""Short searches that wait are answered together, and nobody notices."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.errors import InvalidQuery
from audiosearch.results import Hit
from audiosearch.search.query import Term
from audiosearch.server.answers import as_json
from audiosearch.server.gathering import Gathering, Options
from audiosearch.server.pools import Pools

OPTIONS = Options(3, None, False, "both")
TEXTS = ["rain", "wind", "a dog", "a door", "footsteps"]


class Counted:
    """A library that counts how many queries come at once, and lets the first ones wait."""

    def __init__(self, library: Library, waiting: int) -> None:
        self._library, self._first = library, waiting
        self.go = threading.Event()
        self.sizes: list[int] = []

    def search_many(self, queries: Sequence[Any], k: int, **options: Any) -> list[list[Hit]]:
        self.sizes.append(len(queries))
        if len(self.sizes) <= self._first:
            self.go.wait(600)
        return self._library.search_many(queries, k, **options)


async def answers(counted: Counted, asked: Sequence[tuple[str, Options]]) -> list[Any]:
    """The answers to searches that come while every worker has one in hand."""
    gathering = Gathering(counted, Pools())  # type: ignore[arg-type]

    def ask(text: str, options: Options) -> asyncio.Task[Any]:
        return asyncio.create_task(gathering.search([Term(text=text)], options, as_json))

    workers = os.cpu_count() or 1
    first = []
    for _ in range(workers):
        first.append(ask("warm", OPTIONS))
        while len(counted.sizes) < len(first):
            await asyncio.sleep(0)
    others = [ask(text, options) for text, options in asked]
    await asyncio.sleep(0)
    others[-1].cancel()
    counted.go.set()
    return await asyncio.gather(*others, return_exceptions=True)


def test_those_that_wait_go_together(directory: Path) -> None:
    with Library.open(directory) as library:
        counted = Counted(library, os.cpu_count() or 1)
        asked = [(text, OPTIONS) for text in TEXTS]
        asked += [("rain", Options(5, None, False, "sound")), ("gone", OPTIONS)]
        outcomes = asyncio.run(answers(counted, asked))
        pages = [json.loads(outcome.body) for outcome in outcomes[:-1]]
        alone = [library.search(text, k=3) for text in TEXTS]
        alone.append(library.search("rain", k=5, match="sound"))
        assert [[hit["id"] for hit in page] for page in pages] == [
            [hit.id for hit in hits] for hits in alone
        ]
    # Who has other options goes apart, and who hung up not at all.
    assert sorted(counted.sizes[os.cpu_count() or 1 :]) == [1, len(TEXTS)]
    assert isinstance(outcomes[-1], asyncio.CancelledError)


def test_a_bad_one_is_bad_alone(directory: Path) -> None:
    with Library.open(directory) as library:
        counted = Counted(library, os.cpu_count() or 1)
        bad = Options(3, "no place", False, "both")
        asked = [("rain", bad), ("rain", OPTIONS), ("\ud800 lone", OPTIONS), ("last", OPTIONS)]
        wrong, good, odd, _ = asyncio.run(answers(counted, asked))
        assert isinstance(wrong, InvalidQuery)
        assert len(json.loads(good.body)) == 3
        assert isinstance(odd, Exception) or len(json.loads(odd.body)) == 3


def test_over_http(client: TestClient, directory: Path) -> None:
    """Many clients at once get what each gets alone, and the one that asks wrongly its own error."""

    def ask(text: str) -> Any:
        return client.get("/v1/search", params={"q": text, "k": 3})

    texts = [*TEXTS, "..."] * 4
    with ThreadPoolExecutor(len(texts)) as threads:
        together = list(threads.map(ask, texts))
    for text, answer in zip(texts, together, strict=True):
        assert (answer.status_code == 422) == (text == "...")
        if text != "...":
            ids = [hit["id"] for hit in ask(text).json()["hits"]]
            assert [hit["id"] for hit in answer.json()["hits"]] == ids


@pytest.mark.parametrize("more", [{"fields": "id"}, {"offset": 2}, {"group": "true"}])
def test_pages_are_those_of_longer_searches(client: TestClient, more: dict[str, Any]) -> None:
    """`min_score` makes a search a long one."""
    asked = {"q": "a dog barks", "k": 3, **more}
    short = client.get("/v1/search", params=asked).json()
    longer = client.get("/v1/search", params={**asked, "min_score": -1}).json()
    assert short == longer
    assert len(short["hits"]) == 3
