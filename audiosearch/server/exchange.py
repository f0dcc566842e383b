"""One request and its answer on their way through the guard: in time, no larger than allowed, and the
same kind of error document whoever made it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from audiosearch.server.problems import problem
from audiosearch.server.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# The page loads nothing from elsewhere, runs no script but its own, and is framed by nobody.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# Bytes a second of a body, on average; less is a client that only keeps its place.
_SLOWEST = 1_000

# What frameworks answer in plain text.
_PLAIN = {400: "bad-request", 404: "not-found", 416: "range-not-satisfiable", 500: "error"}


class Exchange:
    """One request and its answer, watched."""

    def __init__(self, scope: Message, receive: Receive, send: Send, settings: Settings) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._stalled = settings.stalled
        self._body: bytes | None = None
        self._arrived = False
        self._waited, self._taken = 0.0, 0  # seconds for a body, and its bytes so far
        self._problem: Message | None = None
        self.method: str = scope["method"]
        self.headers = Headers(scope=scope)
        self.client = f"address {(scope.get('client') or ('?',))[0]}"
        self.answer_headers = dict(_HEADERS)
        self.left = settings.most_body
        self.status = 0
        self.audit: dict[str, Any] = {}

    @property
    def route(self) -> str:
        """The pattern of the path, of which there are few; not the path."""
        route = self._scope.get("route")
        return str(getattr(route, "path", "")) or "other"

    @property
    def has_body(self) -> bool:
        """Whether the request says that it has one."""
        length = self.headers.get("content-length", "0")
        return length != "0" or "transfer-encoding" in self.headers

    def line(self, seconds: float) -> dict[str, Any]:
        """What the log says of it: no query, which is nobody's business, and no key. `code` where it
        was refused, `scope` of the key, `changes` where it was to change something.
        """
        return {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "client": self.client,
            "method": self.method,
            "path": self._scope["path"],
            "status": self.status,
            "ms": round(1000 * seconds, 1),
            **self.audit,
        }

    async def read_body(self) -> None:
        """Take the whole body in, which then waits for the application: a client that is slow holds
        nothing but its own connection.

        Raises `HTTPException` 408 where it takes longer than a client may stall, 413, and
        `ClientDisconnect`: what came of it may say something else than the whole.
        """
        parts = []
        try:
            async with asyncio.timeout(self._stalled):
                while True:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    parts.append(message.get("body", b""))
                    if not message.get("more_body"):
                        break
        except TimeoutError as error:
            raise _too_slow() from error
        self._body = b"".join(parts)

    async def receive(self) -> Message:
        """A part of the body, if it comes in time and there is not more than allowed.

        Raises `HTTPException` 408 and 413.
        """
        if self._body is not None:
            whole, self._body = self._body, None
            return {"type": "http.request", "body": whole, "more_body": False}
        if self.status or self._arrived:  # it waits for the client to hang up
            return await self._receive()
        asked = time.monotonic()
        try:
            async with asyncio.timeout(self._stalled):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow() from error
        size = len(message.get("body", b""))
        self._taken += size
        self._waited += time.monotonic() - asked
        if self._waited > self._stalled + self._taken / _SLOWEST:
            raise _too_slow()
        self.left -= size
        if self.left < 0:
            raise HTTPException(413, "the body is larger than allowed")
        self._arrived = not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer, if the client takes it in time."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self.answer_headers.items():
                headers[name] = value
            plain = headers.get("content-type", "text/plain").startswith("text/plain")
            if self.status in _PLAIN and plain:
                self._problem = message
                return
        elif self._problem is not None:
            message = await self._explained(self._problem, message)
        elif self.status >= 400 and message["type"] == "http.response.body":
            self._note_code(message)
        if self.method == "HEAD" and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        async with asyncio.timeout(self._stalled):
            await self._send(message)

    def _note_code(self, message: Message) -> None:
        """The code of a problem, for the log: what was refused, and why."""
        with suppress(ValueError, KeyError, TypeError):  # it is none of ours
            self.audit["code"] = json.loads(message["body"])["code"]

    async def _explained(self, start: Message, body: Message) -> Message:
        """The body of a problem document in place of a plain text, its start sent already."""
        self._problem = None
        text = body.get("body", b"").decode("utf-8", "replace")
        code = _PLAIN[start["status"]]
        document = problem(start["status"], code, text or "no such range of bytes").body
        headers = MutableHeaders(scope=start)
        headers["content-type"] = "application/problem+json"
        headers["content-length"] = str(len(document))
        async with asyncio.timeout(self._stalled):
            await self._send(start)
        return {"type": "http.response.body", "body": document, "more_body": False}


def _too_slow() -> HTTPException:
    return HTTPException(408, "the request did not arrive in time")
