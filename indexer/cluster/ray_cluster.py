"""The pool's `Cluster` on Ray. Only `indexer.cluster.bridge` imports this module, in its own process.

Everything that Ray is asked for: to connect or start, the nodes, one function on each node, and
actors that are tied to their node. An actor is never restarted by Ray, and no call is repeated by
it: the pool does both, and so knows which file was in whose hands.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from indexer.cluster.address import AUTO
from indexer.cluster.messages import Message
from indexer.cluster.nodes import Lost, Node
from indexer.cluster.reader import Reader

# Ray's shared memory for outcomes of more than 100 kB, where a cluster is made for one run; the
# vectors of an hour of sound are 0.7 MB.
_STORE = 128 << 20
# Seconds for the head node to answer at all.
_REACHING = 10.0
# Ray speaks gRPC, which is HTTP/2: each side begins with a frame of settings, of which the head (a
# length, a type, flags, a stream) has 9 bytes.
_FRAME, _SETTINGS = 9, b"\x04"
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + bytes(5)


@contextmanager
def connected(head: str | None, local: int | None) -> Iterator[RayCluster]:
    """Connect to the cluster of `head`, or start one with `local` workers on this machine.

    It is left, or stopped, when the block ends. Raises `ConnectionError` with Ray's reason.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    folder = None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if local is None:
        _reach(head or AUTO)
        where: dict[str, Any] = {"address": head}
    else:
        # Ray listens on every interface, and whoever reaches it can run programs. A token that
        # only this process and its children know keeps others out.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        folder = _folder()
        where = {
            "address": "local",
            "num_cpus": local,
            "include_dashboard": False,
            "object_store_memory": _STORE,
            "_temp_dir": folder,
        }
    import ray

    try:
        try:
            ray.init(**where, **quiet)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise ConnectionError(_reason(error)) from error
        yield RayCluster()
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> str:
    """Make a folder for Ray, whose sockets' paths are 80 characters longer; 107 are allowed."""
    usual = tempfile.gettempdir()
    short = usual if len(usual) < 25 or not os.path.isdir("/tmp") else "/tmp"  # noqa: PTH112
    return tempfile.mkdtemp(prefix="ray-", dir=short)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if text.startswith("Could not find any running Ray instance"):
        return "no Ray runs on this machine: ray start makes it a node of a cluster"
    if text.startswith("Version mismatch"):
        return text
    return f"{text} (does it run, and is its token in RAY_AUTH_TOKEN or ~/.ray/auth_token?)"


def _reach(head: str) -> None:
    """Raise `ConnectionError` where nothing answers at an address, or what does is not Ray: Ray
    itself tries for minutes.
    """
    if head == AUTO:
        return
    host, _, port = head.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACHING) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return
            connection.sendall(_HTTP2)
            answer = connection.recv(_FRAME, socket.MSG_WAITALL)
    except OSError as error:
        raise ConnectionError(f"nothing answers there ({error.strerror or error})") from error
    if answer[3:4] != _SETTINGS:
        raise ConnectionError("what answers there is not Ray")


class RayCluster:
    """The connected cluster."""

    async def nodes(self) -> Sequence[Node]:
        """Return the nodes that are alive."""
        import ray

        # In a thread: a head that is gone lets it wait.
        rows = await asyncio.to_thread(ray.nodes)
        return [
            Node(
                row["NodeID"],
                row["NodeManagerAddress"],
                int(row["Resources"].get("CPU", 0)),
                row["Resources"].get("GPU", 0.0),
            )
            for row in rows
            if row["Alive"]
        ]

    async def facts(self, node: Node) -> dict[str, Any]:
        """Return `checks.facts` of a node, or as much as it can say."""
        import ray

        remote = ray.remote(_survey())
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": _on(node)}
        facts: dict[str, Any] = await _called(lambda: remote.options(**options).remote())
        return facts

    def worker(self, node: Node, gpus: float) -> RayWorker:
        """Start a worker on a node."""
        import ray

        options = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        return RayWorker(
            ray.remote(Reader).options(**options, scheduling_strategy=_on(node)).remote()
        )


class RayWorker:
    """See `indexer.cluster.pool.RemoteWorker`."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def prepare(self, setup: dict[str, Any], check: bool) -> Message:
        message: Message = await _called(lambda: self._actor.prepare.remote(setup, check))
        return message

    async def start(self, path: bytes) -> Message:
        message: Message = await _called(lambda: self._actor.start.remote(path))
        return message

    async def go_on(self, decode: bool) -> Message:
        message: Message = await _called(lambda: self._actor.go_on.remote(decode))
        return message

    def kill(self) -> None:
        """End the actor, whatever it is doing; its decoding process ends when its pipe does."""
        import ray

        with suppress(ray.exceptions.RayError, ValueError):
            ray.kill(self._actor)


def _survey() -> Callable[[], dict[str, Any]]:
    # A function within a function travels whole: it also runs where audiosearch is not installed.
    def survey() -> dict[str, Any]:
        import importlib.metadata

        try:
            version = importlib.metadata.version("audiosearch")
            from indexer.cluster.checks import facts
        except importlib.metadata.PackageNotFoundError:
            return {"audiosearch": None}
        except ImportError:  # a version without this module
            return {"audiosearch": version}
        return facts()

    return survey


def _on(node: Node) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node.id, soft=False)


async def _called(call: Callable[[], Awaitable[Any]]) -> Any:
    """Await a call. Raises `Lost` where the worker or its node did not live to answer it."""
    import ray

    try:
        return await call()
    except ray.exceptions.RayTaskError:  # a defect of ours, raised over there
        raise
    except ray.exceptions.RayError as error:
        raise Lost(_line(error)) from error


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
