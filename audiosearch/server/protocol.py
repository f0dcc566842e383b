"""HTTP on one connection, by uvicorn and httptools: what reaches no application is explained too, and
headers that do not come are not waited for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from audiosearch.server.problems import problem

# From the first byte of a request (of a connection, for the first) to the end of its headers.
HEADER_SECONDS = 15.0


class Protocol(HttpToolsProtocol):
    """One connection."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The headers of the first request are due."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The headers of a request are due."""
        self._await_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """They came."""
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets a problem document."""
        self._refuse(400, "bad-request", msg)

    def _await_headers(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._too_late)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_late(self) -> None:
        self._refuse(408, "too-slow", "the headers of a request did not arrive in time")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        answer: Any = problem(status, code, detail)
        lines = [f"HTTP/1.1 {status} {'Bad Request' if status == 400 else 'Request Timeout'}"]
        lines += [f"{name.decode()}: {value.decode()}" for name, value in answer.raw_headers]
        head = "\r\n".join([*lines, "connection: close", "", ""])
        self.transport.write(head.encode("latin-1") + answer.body)
        self.transport.close()
