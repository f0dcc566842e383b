"""What the pool of workers knows of a cluster: nodes, workers on them, and how they are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from indexer.cluster.messages import Message


class Lost(Exception):
    """A worker or its node is gone; the message says how."""


class Refused(Exception):
    """A node cannot take part; the message says why."""


class Hopeless(Exception):
    """The run cannot go on; the message is for the user."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    processors: int
    gpus: float = 0.0


class RemoteWorker(Protocol):
    """A worker on a node: `indexer.cluster.reader.Reader` from afar. Calls raise `Lost`."""

    async def prepare(self, setup: dict[str, Any], check: bool) -> Message: ...
    async def start(self, path: bytes) -> Message: ...
    async def go_on(self, decode: bool) -> Message: ...
    def kill(self) -> None: ...


class Cluster(Protocol):
    """What the pool needs of Ray."""

    async def nodes(self) -> Sequence[Node]: ...
    async def facts(self, node: Node) -> dict[str, Any]: ...
    def worker(self, node: Node, gpus: float) -> RemoteWorker: ...
