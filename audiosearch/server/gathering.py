"""Short searches that wait are answered together: one thread, one state of the library, one run of the
text tower, one call of the index.

A search that comes alone goes at once, by itself; nobody waits for others to come.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TypeAlias

from fastapi import Response
from starlette.requests import ClientDisconnect

from audiosearch.errors import AudioSearchError
from audiosearch.library import Library
from audiosearch.results import Hit
from audiosearch.search.query import Match, Term
from audiosearch.server.clients import hung_up
from audiosearch.server.pools import Pools

# With sixteen the scan takes half as long each as with eight, with more the first waits long for the
# last.
_TOGETHER = 16

# What a query of its own makes wrong, whatever the others are.
_OF_ONE = (AudioSearchError, UnicodeEncodeError)

_Outcome: TypeAlias = Response | BaseException


@dataclass(frozen=True)
class Options:
    """What searches that are answered together have in common; as in `Library.search`."""

    k: int
    template: str | None
    group: bool
    match: Match


@dataclass(frozen=True)
class _Waiting:
    terms: Sequence[Term]
    options: Options
    answer: Callable[[list[Hit]], Response]
    future: asyncio.Future[Response]
    hung_up: Callable[[], bool]


class Gathering:
    """The short searches of one library; to be used where the event loop runs."""

    def __init__(self, library: Library, pools: Pools) -> None:
        self._library = library
        self._pools = pools
        self._waiting: deque[_Waiting] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._most_workers = os.cpu_count() or 1

    async def search(
        self, terms: Sequence[Term], options: Options, answer: Callable[[list[Hit]], Response]
    ) -> Response:
        """What `answer` makes of the hits, in another thread.

        Raises what `Library.search` and `answer` raise, and `UnicodeEncodeError`.
        """
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(terms, options, answer, future, hung_up.get()))
        if len(self._workers) < self._most_workers:
            # It works for others too, who have not hung up when this client does.
            worker = asyncio.create_task(self._work(), context=Context())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await future

    async def _work(self) -> None:
        # Those whose answers went out together ask again together.
        await asyncio.sleep(0)
        while batch := self._next_batch():
            outcomes: Sequence[_Outcome]
            try:
                outcomes = await self._pools.search(self._outcomes, batch)
            except BaseException as error:  # noqa: BLE001 - it is raised again where they wait
                outcomes = [error] * len(batch)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if waiting.future.cancelled():
                    continue
                if isinstance(outcome, BaseException):
                    waiting.future.set_exception(outcome)
                else:
                    waiting.future.set_result(outcome)

    def _next_batch(self) -> list[_Waiting]:
        """Those that waited longest, as far as they have the same options."""
        batch: list[_Waiting] = []
        # A core that idles has its share.
        idle = self._most_workers - len(self._workers)
        most = min(_TOGETHER, math.ceil(len(self._waiting) / (1 + idle)))
        while self._waiting and len(batch) < most:
            if batch and self._waiting[0].options != batch[0].options:
                break
            waiting = self._waiting.popleft()
            if waiting.future.cancelled():
                continue
            if waiting.hung_up():
                waiting.future.set_exception(ClientDisconnect())
                continue
            batch.append(waiting)
        return batch

    def _outcomes(self, batch: Sequence[_Waiting]) -> list[_Outcome]:
        options = batch[0].options
        try:
            answers = self._library.search_many(
                [waiting.terms for waiting in batch],
                options.k,
                template=options.template,
                group=options.group,
                match=options.match,
            )
        except _OF_ONE as error:
            if len(batch) == 1:
                return [error]
            return [outcome for waiting in batch for outcome in self._outcomes([waiting])]
        return [_answered(waiting, hits) for waiting, hits in zip(batch, answers, strict=True)]


def _answered(waiting: _Waiting, hits: list[Hit]) -> _Outcome:
    try:
        return waiting.answer(hits)
    except AudioSearchError as error:
        return error
