"""Running the service with uvicorn."""

from __future__ import annotations

import logging
import socket
import sys
from dataclasses import replace

import uvicorn

from audiosearch.catalog.store import Address, store_at
from audiosearch.errors import AudioSearchError
from audiosearch.library import Library
from audiosearch.remote.keys import load_keys
from audiosearch.server.app import make_app
from audiosearch.server.protocol import Protocol
from audiosearch.server.settings import LOOPBACK, Settings

# How long requests in hand may take to end after SIGTERM; a run of the indexer ends its batch.
_DRAIN_SECONDS = 30

_ANY = ("0.0.0.0", "::")


def serve(
    where: Address,
    host: str = "127.0.0.1",
    port: int = 8321,
    settings: Settings | None = None,
) -> None:
    """Serve a library until interrupted (SIGINT, SIGTERM: requests in hand are
    finished, and an index run ends its batch).

    On any address but this machine's own a key is needed, whatever `settings` say. Raises
    `AudioSearchError` where there is none, for a port that is taken, and what `Library.open` raises.
    """
    settings, store = settings or Settings(), store_at(where)
    if host not in LOOPBACK:
        names = settings.names if host in _ANY else (*settings.names, host)
        settings = replace(settings, need_key=True, names=names)
        if not names:
            raise AudioSearchError(
                f"at {host} say by which name other machines call this one: --name sounds.example"
            )
    if settings.need_key and not load_keys(store.directory):
        raise AudioSearchError(
            f"to serve at {host} a key is needed: make one with audiosearch keys make NAME"
        )
    with Library.open(store):
        pass  # its errors before any server starts
    if settings.access_log:
        _log_to_stderr("audiosearch.access")
    if settings.watch:
        _log_to_stderr("audiosearch.watch", "%(asctime)s %(message)s")
    with listen(host, port) as listening:
        make_server(store, settings).run([listening])


def make_server(where: Address, settings: Settings) -> uvicorn.Server:
    """The server of a library, to be run on a socket."""
    config = uvicorn.Config(
        make_app(where, settings),
        log_level="warning",
        access_log=False,
        lifespan="on",
        http=Protocol,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to that address. Raises `AudioSearchError` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where it sees the protocol named; with it each
    # answer waits 40 ms for the client's delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise AudioSearchError(
            f"cannot listen on {host}:{port}: {error.strerror}: choose another with --port"
        ) from error
    return listening


def _log_to_stderr(name: str, form: str = "%(message)s") -> None:
    logger = logging.getLogger(name)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(form, "%H:%M:%S"))
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
