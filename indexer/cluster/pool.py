"""The workers of a cluster at work: which nodes take part, and what becomes of those that do not fit
or die.

Each node has a number of lanes. A lane has one worker at a time, the next one where it dies. The
first lane of a node tries whether it fits (`indexer.cluster.checks`) before the others begin. Nodes
may come and go. The pool runs in one event loop and knows Ray only as a `Cluster`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexer.cluster import checks
from indexer.cluster.files import Files, Say
from indexer.cluster.nodes import Cluster, Hopeless, Lost, Node, Refused, RemoteWorker

# A node whose workers die so often, and finish no file in between, is left aside: more often than a
# few bad files in a row can be the reason.
_DEATHS = 10
# Seconds between two looks at the nodes.
_LOOK = 2.0
# Seconds without any worker after which a run gives up.
PATIENCE = 300.0


@dataclass(eq=False)
class _Place:
    """A node at work: `ready` workers read files, and `deaths` came since the last file."""

    node: Node
    facts: dict[str, Any] = field(default_factory=dict)
    gpus: float = 0.0  # for each worker
    fits: asyncio.Event = field(default_factory=asyncio.Event)
    ready: int = 0
    deaths: int = 0


class Pool:
    """The pool. `setup` is what `Reader.prepare` takes, with the coordinator's "facts", "fp32" and
    "gpu" beside it; `reference` are its vectors of the probe. `limit` is the greatest number of
    workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        setup: dict[str, Any],
        reference: np.ndarray,
        say: Say,
        limit: int | None = None,
    ) -> None:
        self.files = Files(say)
        self._cluster = cluster
        self._setup = setup
        self._reference = reference
        self._say = say
        self._limit = limit
        self._slots = asyncio.Semaphore(limit) if limit else None
        self._jobs: dict[_Place, asyncio.Task[None]] = {}
        self._refusal = "no node is left"

    async def run(self) -> None:
        """Work until cancelled. Raises `Hopeless`, and what a worker raises that is a defect."""
        loop = asyncio.get_running_loop()
        alone = loop.time()
        try:
            while True:
                nodes = await self._cluster.nodes()
                self._look({node.id: node for node in nodes if node.processors > 0})
                working = [job for job in self._jobs.values() if not job.done()]
                if any(place.ready for place in self._jobs):
                    alone = loop.time()
                elif self._jobs and not working:
                    raise Hopeless(self._refusal)
                elif loop.time() - alone > PATIENCE:
                    raise Hopeless(
                        f"no worker started in {PATIENCE:.0f} s: is every processor of its "
                        f"{len(nodes)} nodes taken by other work? (see: ray status)"
                    )
                look = asyncio.create_task(asyncio.sleep(_LOOK))
                await asyncio.wait([look, *working], return_when=asyncio.FIRST_COMPLETED)
                look.cancel()
                for job in self._jobs.values():
                    if job.done():
                        job.result()
        finally:
            for job in self._jobs.values():
                job.cancel()
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    # -- nodes ----------------------------------------------------------------------------------

    def _look(self, present: dict[str, Node]) -> None:
        """Begin with new nodes, and leave those that are gone."""
        for place, job in list(self._jobs.items()):
            if place.node.id not in present:
                if job.cancel():
                    self._note_gone(place.node)
                del self._jobs[place]
        known = {place.node.id for place in self._jobs}
        for node in present.values():
            if node.id not in known:
                # As even as can be; `_slots` holds the limit where the division leaves a rest.
                share = -(-self._limit // len(present)) if self._limit else node.processors
                place = _Place(node)
                job = asyncio.create_task(self._take_part(place, min(node.processors, share)))
                self._jobs[place] = job

    async def _take_part(self, place: _Place, lanes: int) -> None:
        """Let the workers of a node work, if it fits, until it is gone."""
        try:
            place.facts = await self._cluster.facts(place.node)
            place.gpus = self._gpus(place) / lanes
            async with asyncio.TaskGroup() as group:
                for number in range(lanes):
                    group.create_task(self._lane(place, first=number == 0))
        except* Refused as refused:
            self._leave(place.node, str(refused.exceptions[0]))
        except* Lost as lost:
            if place.node.id in {node.id for node in await self._cluster.nodes()}:
                reason = f"its workers died {_DEATHS} times in a row ({lost.exceptions[0]})"
                self._leave(place.node, reason)
            else:
                self._note_gone(place.node)

    def _gpus(self, place: _Place) -> float:
        """Return the GPUs that the model needs of a node. Raises `Refused`."""
        reason = checks.other_version(self._setup["facts"], place.facts)
        if self._setup["gpu"] and not place.node.gpus:
            reason = reason or "it has no GPU, and the model is one for a GPU"
        if reason:
            raise Refused(reason)
        return place.node.gpus if self._setup["gpu"] else 0.0

    def _leave(self, node: Node, reason: str) -> None:
        self._refusal = f"the node {node.name} cannot take part: {reason}"
        self._note(self._refusal)

    def _note_gone(self, node: Node) -> None:
        self._note(f"the node {node.name} is gone: others go on with its files")

    def _note(self, text: str) -> None:
        self._say({"is": "notice", "text": text}, b"")

    # -- workers --------------------------------------------------------------------------------

    async def _lane(self, place: _Place, *, first: bool) -> None:
        """Read files with one worker after the other, until cancelled. Raises `Lost` where none of
        them lives, and `Refused`.
        """
        if not first:
            await place.fits.wait()
        while True:
            try:
                async with self._worker(place) as worker:
                    while True:
                        await self.files.see_through(worker)
                        place.deaths = 0
            except Lost:
                place.deaths += 1
                if place.deaths >= _DEATHS:
                    raise

    @asynccontextmanager
    async def _worker(self, place: _Place) -> AsyncIterator[RemoteWorker]:
        """A worker of a node that is ready for files, within the limit of workers."""
        async with self._slots or nullcontext():
            worker = self._cluster.worker(place.node, place.gpus)
            try:
                await self._prepare(place, worker)
                self._count(place, 1)
                try:
                    yield worker
                finally:
                    self._count(place, -1)
            finally:
                worker.kill()

    async def _prepare(self, place: _Place, worker: RemoteWorker) -> None:
        """Have a worker load the model, and try whether its node fits where that is not known."""
        check = not place.fits.is_set()
        head, body = await worker.prepare(self._setup, check)
        if head["is"] == "refused":
            raise Refused(head["reason"])
        if check:
            theirs = np.frombuffer(body, dtype="<f4").reshape(head["shape"])
            facts = self._setup["facts"], place.facts
            judgement = checks.judge(self._reference, theirs, self._setup["fp32"], facts)
            if judgement.refusal:
                raise Refused(judgement.refusal)
            if judgement.notice:
                self._note(f"the node {place.node.name} takes part, but {judgement.notice}")
            place.fits.set()

    def _count(self, place: _Place, change: int) -> None:
        """Count the workers of a node, and tell the coordinator how many files all can have: one in
        hand and one to come for each.
        """
        place.ready += change
        ready = sum(each.ready for each in self._jobs)
        self._say({"is": "room", "files": 2 * ready, "workers": ready}, b"")
