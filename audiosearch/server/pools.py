"""Threads for what waits, apart from those for what does not.

A thread that waits for a decoder or for the writer's lock is of no use to anyone. What waits has
threads of its own, as many as there are decoders, and one for the one writer; requests beyond wait
without a thread, in their order. The shared pool is left to what answers at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from audiosearch.errors import LibraryBusy
from audiosearch.server.clients import check_waiting

Result = TypeVar("Result")

# For the turn to write; then the lock may take as long again. In seconds.
_PATIENCE = 30.0


def _in_turn(work: Callable[..., Result], *args: Any, **named: Any) -> Result:
    check_waiting()
    return work(*args, **named)


def _processors() -> CapacityLimiter:
    return CapacityLimiter(os.cpu_count() or 1)


@dataclass(frozen=True)
class Pools:
    """To be made where the event loop runs."""

    # As many searches at once as there are cores: more only pass the interpreter's lock around
    # (with 8 at once on 2 cores, 135 searches a second in place of 150).
    searchers: CapacityLimiter = field(default_factory=_processors)
    # Texts that wait go through the text tower together, and sixteen take half as long each as one
    # alone; so they wait here, and not for a turn to search.
    texts: CapacityLimiter = field(default_factory=partial(CapacityLimiter, 16))
    decoders: CapacityLimiter = field(default_factory=_processors)
    writing: asyncio.Semaphore = field(default_factory=asyncio.Semaphore)
    writers: CapacityLimiter = field(default_factory=partial(CapacityLimiter, 1))

    async def embed(self, work: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """What `work` returns, which waits for the text tower."""
        return await to_thread.run_sync(partial(_in_turn, work, *args, **named), limiter=self.texts)

    async def search(self, work: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """What `work` returns, which computes and waits for nobody."""
        return await to_thread.run_sync(
            partial(_in_turn, work, *args, **named), limiter=self.searchers
        )

    async def decode(self, work: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """What `work` returns, which may wait for a decoding process."""
        return await to_thread.run_sync(
            partial(_in_turn, work, *args, **named), limiter=self.decoders
        )

    async def write(self, work: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """What `work` returns, which may wait for the writer's lock.

        Raises `LibraryBusy` where others' changes do not let it have its turn.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.writing.acquire()
        except TimeoutError as error:
            raise LibraryBusy("the library is being written: try again later") from error
        try:
            return await to_thread.run_sync(partial(work, *args, **named), limiter=self.writers)
        finally:
            self.writing.release()
