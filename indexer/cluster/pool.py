"""The workers of a cluster at work: which nodes take part, who reads which file, and what becomes of
files whose worker was lost.

A file that was given to a worker that died is given to another; after `_ATTEMPTS` of them it is a
failure. A file is in one pair of hands at a time, so it has one outcome. Nodes may come and go. The
pool runs in one event loop and knows Ray only as a `Cluster`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosearch import paths
from indexer.cluster import checks
from indexer.cluster.messages import Message
from indexer.cluster.nodes import Cluster, Hopeless, Lost, Node, Refused, RemoteWorker

# A file whose workers died so often is at fault itself, as far as anybody can know.
_ATTEMPTS = 3
# A node whose workers die so often, and finish no file in between, is left aside: more often than a
# few bad files in a row can be the reason.
_DEATHS = 10
# Seconds between two looks at the nodes.
_LOOK = 2.0
# Seconds without any worker after which a run gives up.
PATIENCE = 300.0


@dataclass
class _File:
    id: int
    path: bytes
    attempts: int = 0


@dataclass
class _Place:
    """A node and what works on it."""

    node: Node
    job: asyncio.Task[None]
    ready: int = 0
    deaths: int = 0


class Pool:
    """The pool. `say` sends a message to the coordinator; `setup` is what `Reader.prepare` takes,
    with the coordinator's "facts" and "fp32" beside it. `limit` is the greatest number of workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        setup: dict[str, Any],
        reference: np.ndarray,
        say: Callable[[dict[str, Any], bytes], None],
        limit: int | None = None,
    ) -> None:
        self._cluster = cluster
        self._setup = setup
        self._reference = reference
        self._say = say
        self._limit = limit
        self._places: dict[str, _Place] = {}
        # Files that were in lost hands come first.
        self._waiting: asyncio.PriorityQueue[tuple[int, int, _File]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        self._answers: dict[int, asyncio.Future[bool]] = {}
        self._refusals: list[str] = []
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- from the coordinator -----------------------------------------------------------------

    def read(self, file: int, path: bytes) -> None:
        """Take a file to read."""
        self._put(_File(file, path), 1)

    def answer(self, file: int, yes: bool) -> None:
        """Take the answer to a question about a file."""
        future = self._answers.pop(file, None)
        if future and not future.done():
            future.set_result(yes)

    # -- the nodes ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled. Raises `Hopeless`, and what a worker raises that is a defect."""
        loop = asyncio.get_running_loop()
        alone = loop.time()
        try:
            while True:
                nodes = await self._cluster.nodes()
                self._look(nodes)
                if any(place.ready for place in self._places.values()):
                    alone = loop.time()
                elif self._places and all(place.job.done() for place in self._places.values()):
                    raise Hopeless(self._refusals[-1] if self._refusals else "no node is left")
                elif loop.time() - alone > PATIENCE:
                    raise Hopeless(
                        f"no worker started in {PATIENCE:.0f} s: is every processor of its "
                        f"{len(nodes)} nodes taken by other work? (see: ray status)"
                    )
                jobs = [place.job for place in self._places.values() if not place.job.done()]
                await asyncio.wait(
                    [self._failure, *jobs], timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED
                )
                if self._failure.done():
                    self._failure.result()
        finally:
            for place in self._places.values():
                place.job.cancel()
            await asyncio.gather(
                *(place.job for place in self._places.values()), return_exceptions=True
            )

    def _look(self, nodes: Sequence[Node]) -> None:
        """Begin with new nodes, and leave those that are gone."""
        present = {node.id: node for node in nodes if node.processors > 0}
        for id_, place in list(self._places.items()):
            if id_ not in present:
                if not place.job.done():
                    self._say_of(place.node, "is gone: others go on with its files")
                    place.job.cancel()
                del self._places[id_]
        share = -(-self._limit // max(1, len(present))) if self._limit else None
        for id_, node in present.items():
            if id_ not in self._places:
                job = asyncio.create_task(self._take_part(node, share))
                self._places[id_] = _Place(node, job)

    async def _take_part(self, node: Node, share: int | None) -> None:
        """Check a node, and let its workers work."""
        try:
            await self._work(node, share)
        except asyncio.CancelledError:
            raise
        except Lost as lost:
            if node.id in {other.id for other in await self._cluster.nodes()}:
                self._leave(node, f"its workers died {_DEATHS} times in a row ({lost})")
            else:
                self._say_of(node, "is gone: others go on with its files")
        except Refused as refused:
            self._leave(node, str(refused))
        except Exception as error:  # noqa: BLE001 - a defect: it is raised in `run`
            if not self._failure.done():
                self._failure.set_exception(error)

    def _leave(self, node: Node, reason: str) -> None:
        self._refusals.append(f"the node {node.name} cannot take part: {reason}")
        self._say_of(node, f"cannot take part: {reason}")

    def _say_of(self, node: Node, text: str) -> None:
        self._say({"is": "notice", "text": f"the node {node.name} {text}"}, b"")

    async def _work(self, node: Node, share: int | None) -> None:
        mine, theirs = self._setup["facts"], await self._cluster.facts(node)
        reason = checks.other_version(mine, theirs)
        if self._setup["gpu"] and not node.gpus:
            reason = reason or "it has no GPU, and the model is one for a GPU"
        if reason:
            raise Refused(reason)
        count = min(node.processors, share or node.processors)
        gpus = node.gpus / count if self._setup["gpu"] else 0.0
        first = _Lane(self, node, gpus)
        try:
            await self._check(first, (mine, theirs))
            async with asyncio.TaskGroup() as group:
                group.create_task(first.work())
                for _ in range(count - 1):
                    group.create_task(_Lane(self, node, gpus).work())
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None
        finally:
            first.stop()

    async def _check(self, lane: _Lane, facts: tuple[dict[str, Any], dict[str, Any]]) -> None:
        head, body = await lane.open(check=True)
        theirs = np.frombuffer(body, dtype="<f4").reshape(head["shape"])
        judgement = checks.judge(self._reference, theirs, self._setup["fp32"], facts)
        if judgement.refusal:
            raise Refused(judgement.refusal)
        if judgement.notice:
            self._say_of(lane.node, f"takes part, but {judgement.notice}")

    # -- the files ----------------------------------------------------------------------------

    def _put(self, file: _File, rank: int) -> None:
        self._waiting.put_nowait((rank, next(self._order), file))

    async def _get(self) -> _File:
        return (await self._waiting.get())[-1]

    def _ready(self, node: Node, change: int) -> None:
        """Count the workers of a node, and tell the coordinator how many files they can have: one in
        hand and one to come for each.
        """
        if node.id in self._places:
            self._places[node.id].ready += change
        ready = sum(place.ready for place in self._places.values())
        self._say({"is": "room", "files": 2 * ready, "workers": ready}, b"")

    def _alive(self, node: Node) -> None:
        if node.id in self._places:
            self._places[node.id].deaths = 0

    def _died(self, node: Node) -> bool:
        """Count a death. Return whether the node is to be left aside."""
        place = self._places.get(node.id)
        if place is None:
            return True
        place.deaths += 1
        return place.deaths >= _DEATHS

    async def _ask(self, file: _File, message: dict[str, Any]) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers[file.id] = future
        self._say({**message, "file": file.id}, b"")
        return await future

    async def _outcome(self, file: _File, worker: RemoteWorker) -> None:
        """See a file through: one outcome is said, or `Lost` or `Refused` is raised."""
        head, body = await worker.start(file.path)
        if head["is"] == "hashed":
            head, body = await worker.go_on(await self._ask(file, head))
        if head["is"] == "vanished" and not await self._ask(file, {"is": "gone?"}):
            # Others see it: the folder is no longer mounted on that node.
            raise Refused(f"it does not see {paths.shown(file.path)}, which this machine sees")
        self._say({**head, "file": file.id}, body)

    def _return(self, file: _File, lost: Lost | None) -> None:
        """Give a file to the next worker, or up."""
        file.attempts += lost is not None
        if file.attempts >= _ATTEMPTS:
            reason = f"its worker died {_ATTEMPTS} times ({lost})"
            self._say({"is": "failed", "kind": "hung", "reason": reason, "file": file.id}, b"")
        else:
            self._put(file, 0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class _Lane:
    """A worker of a node, and the next one where it dies."""

    def __init__(self, pool: Pool, node: Node, gpus: float) -> None:
        self.node = node
        self._pool = pool
        self._gpus = gpus
        self._worker: RemoteWorker | None = None

    async def open(self, *, check: bool) -> Message:
        """Start a worker. Raises `Lost` and `Refused`."""
        pool = self._pool
        self._worker = pool._cluster.worker(self.node, self._gpus)
        head, body = await self._worker.prepare(pool._setup, check)
        if head["is"] == "refused":
            raise Refused(head["reason"])
        return head, body

    def stop(self) -> None:
        """End the worker."""
        worker, self._worker = self._worker, None
        if worker:
            worker.kill()

    async def work(self) -> None:
        """Read files until cancelled. Raises `Lost` where no worker lives, and `Refused`."""
        while True:
            try:
                if self._worker is None:
                    await self.open(check=False)
                self._pool._ready(self.node, 1)
                try:
                    while True:
                        await self._one()
                        self._pool._alive(self.node)
                finally:
                    self._pool._ready(self.node, -1)
            except Lost:
                if self._pool._died(self.node):
                    raise
            finally:
                self.stop()

    async def _one(self) -> None:
        assert self._worker
        file = await self._pool._get()
        try:
            await self._pool._outcome(file, self._worker)
        except Lost as lost:
            self._pool._return(file, lost)
            raise
        except (Refused, asyncio.CancelledError):  # the node leaves: no fault of the file
            self._pool._return(file, None)
            raise
        finally:
            self._pool._answers.pop(file.id, None)
