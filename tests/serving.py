"""A server in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[Any], port: int, **process: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run `audiosearch serve`, with these options of a process, until the block ends; it begins
    when the server is ready."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **process) as server:
        try:
            for _ in range(600):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60)
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield server
        finally:
            server.terminate()
