"""HTTP on one connection, by uvicorn and httptools, with limits that they lack.

The head of a request comes in time, and is not larger than any needs. What is no HTTP gets a problem
document. Of connections beyond those that are kept, only probes are answered, so that whoever opens
very many does not make a server look dead. `scope["abort"]()` ends the connection at once, whatever
is still to be sent; `scope["hung_up"]()` says whether the client did.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from audiosearch.server.hands import lane_of
from audiosearch.server.problems import problem

# From the first byte of a request (of a connection, for the first) to the end of its headers.
HEADER_SECONDS = 15.0
# The same of a connection beyond those that are kept.
_HURRIED_SECONDS = 1.0

# Half of them of one address.
CONNECTIONS = 512

# Bytes of a request line and headers. More than one read holds, which may end a body as well.
MOST_HEAD = 400_000

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


class Protocol(HttpToolsProtocol):
    """One connection."""

    _waiting: asyncio.TimerHandle | None = None
    _head = 0
    _beyond = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The headers of the first request are due."""
        super().connection_made(transport)
        self._beyond = self._is_beyond()
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        super().data_received(data)
        if self._waiting is not None:  # still in the head
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._refuse(431, "too-large", "the headers of a request are larger than allowed")

    def on_message_begin(self) -> None:
        """The headers of a request are due."""
        self._await_headers()
        super().on_message_begin()
        own: dict[str, Any] = {"abort": self.transport.abort, "hung_up": self.transport.is_closing}
        self.scope.update(own)  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        """They came."""
        self._stop_waiting()
        self._beyond = self._beyond and self._is_beyond()
        path = self.url.partition(b"?")[0].decode("latin-1")
        full = self._beyond and lane_of("GET", path) != "probes"
        self.app = _full if full else self.config.loaded_app
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets a problem document."""
        self._refuse(400, "bad-request", msg)

    def _is_beyond(self) -> bool:
        """Whether there are more connections than are kept, or more of this address."""
        total = len(self.connections)
        if total <= CONNECTIONS // 2:
            return False
        own = sum(_address(other) == _address(self) for other in self.connections)
        return total > CONNECTIONS or own > CONNECTIONS // 2

    def _await_headers(self) -> None:
        self._stop_waiting()
        self._head = 0
        seconds = _HURRIED_SECONDS if self._beyond else HEADER_SECONDS
        self._waiting = self.loop.call_later(seconds, self._too_late)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # Nothing may come between the parts of an answer that is on its way.
            self._waiting = self.loop.call_later(HEADER_SECONDS, self._too_late)
            return
        self._refuse(408, "too-slow", "the headers of a request did not arrive in time")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self._stop_waiting()
        answer: Any = problem(status, code, detail)
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}"]
        lines += [f"{name.decode()}: {value.decode()}" for name, value in answer.raw_headers]
        head = "\r\n".join([*lines, "connection: close", "", ""])
        self.transport.write(head.encode("latin-1") + answer.body)
        self.transport.close()


def _address(connection: Any) -> str | None:
    """Of the client."""
    return connection.client[0] if connection.client else None


async def _full(scope: Any, receive: Any, send: Any) -> None:
    answer = problem(503, "busy", "too many connections are open: try again", retry=1)
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)
