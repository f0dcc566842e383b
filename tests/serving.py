"""A server in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from tests.waiting import wait_until

_kept: list[socket.socket] = []


def free_port() -> int:
    """Return a port that nobody listens on. On Linux nobody else is given it before these tests end,
    and a server that sets SO_REUSEADDR, as all of them do, can listen there.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    if sys.platform == "linux":
        _kept.append(probe)
    else:
        probe.close()
    return port


def is_ready(port: int) -> bool:
    """Return whether a server at this port answers that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).is_success
    except httpx.TransportError:
        return False


@contextmanager
def running(command: Sequence[Any], port: int, **process: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run `audiosearch serve` until the block ends. The block begins when the server is ready.

    `process` holds options of `subprocess.Popen`.
    """
    with subprocess.Popen(command, **{"stderr": subprocess.DEVNULL, **process}) as server:
        try:
            wait_until(lambda: is_ready(port), server)
            yield server
        finally:
            server.terminate()
