"""The files of a run on a cluster: which of them wait, which are in a worker's hands, and the one
outcome of each.

A file is in one pair of hands at a time. One whose worker died goes to another before the others
do; after `_ATTEMPTS` workers it is a failure.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from audiosearch import paths
from indexer.cluster.nodes import Lost, Refused, RemoteWorker

# A file whose workers died so often is at fault itself, as far as anybody can know.
_ATTEMPTS = 3

Say = Callable[[dict[str, Any], bytes], None]


@dataclass
class _File:
    id: int
    path: bytes
    attempts: int = 0


class Files:
    """The files. `say` sends a message to the coordinator."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._waiting: asyncio.PriorityQueue[tuple[int, int, _File]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        self._answers: dict[int, asyncio.Future[bool]] = {}

    def read(self, file: int, path: bytes) -> None:
        """Take a file to read."""
        self._put(_File(file, path), 1)

    def answer(self, file: int, yes: bool) -> None:
        """Take the coordinator's answer to a question about a file."""
        future = self._answers.pop(file, None)
        if future and not future.done():
            future.set_result(yes)

    async def see_through(self, worker: RemoteWorker) -> None:
        """Wait for a file and have a worker read it. Raises `Lost` and `Refused`: others have the
        file then.
        """
        file = (await self._waiting.get())[-1]
        try:
            await self._outcome(file, worker)
        except Lost as lost:
            file.attempts += 1
            if file.attempts < _ATTEMPTS:
                self._put(file, 0)
            else:
                reason = f"its worker died {_ATTEMPTS} times ({lost})"
                self._say({"is": "failed", "kind": "hung", "reason": reason, "file": file.id}, b"")
            raise
        except (Refused, asyncio.CancelledError):  # the node leaves: no fault of the file
            self._put(file, 0)
            raise
        finally:
            self._answers.pop(file.id, None)

    def _put(self, file: _File, rank: int) -> None:
        self._waiting.put_nowait((rank, next(self._order), file))

    async def _outcome(self, file: _File, worker: RemoteWorker) -> None:
        head, body = await worker.start(file.path)
        if head["is"] == "hashed":
            head, body = await worker.go_on(await self._ask(file, head))
        if head["is"] == "vanished" and not await self._ask(file, {"is": "gone?"}):
            # The coordinator sees it: the folder is no longer mounted on that node.
            raise Refused(f"it does not see {paths.shown(file.path)}, which this machine sees")
        self._say({**head, "file": file.id}, body)

    async def _ask(self, file: _File, message: dict[str, Any]) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers[file.id] = future
        self._say({**message, "file": file.id}, b"")
        return await future
