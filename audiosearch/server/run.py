"""Running the service with uvicorn."""

from __future__ import annotations

import socket
from pathlib import Path

import uvicorn

from audiosearch.errors import AudioSearchError
from audiosearch.library import Library
from audiosearch.server.app import make_app

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(directory: Path, host: str = "127.0.0.1", port: int = 8321) -> None:
    """Serve the library in `directory` until interrupted (SIGINT, SIGTERM: requests in hand are
    finished).

    Raises `AudioSearchError` for an address that is not this machine's own or a port that is taken,
    and what `Library.open` raises.
    """
    if host not in _LOOPBACK:
        raise AudioSearchError(
            f"{host} is not an address of this machine alone: without keys only {_LOOPBACK[0]} is "
            "served; for others, put a proxy with authentication in front"
        )
    with Library.open(directory):
        pass  # its errors before any server starts
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise AudioSearchError(
                f"cannot listen on {host}:{port}: {error.strerror}: choose another with --port"
            ) from error
        config = uvicorn.Config(make_app(directory), log_level="warning", lifespan="on")
        uvicorn.Server(config).run([listening])
