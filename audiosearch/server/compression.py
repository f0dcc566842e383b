"""JSON, compressed for clients that can read it so: a page of hits becomes a fifth.

Lines of JSON are compressed part by part. Files and other streams pass as they are: sounds are
compressed already, ranges count their bytes, and events come one by one.
"""

from __future__ import annotations

import gzip
import zlib

from starlette.datastructures import Headers, MutableHeaders

from audiosearch.server.exchange import App, Message, Receive, Send

# Smaller ones fit a packet anyway.
_LEAST_BYTES = 1_000
# The fastest: higher levels take three times as long for a tenth less.
_LEVEL = 1
_KIND = "application/json"
_LINES = "application/x-ndjson"
_GZIP = 16 + zlib.MAX_WBITS


class Compression:
    """The application, whose JSON may come as gzip."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        accepted = scope["type"] == "http" and _accepts(Headers(scope=scope))
        await self._app(scope, receive, _Squeezed(send).send if accepted else send)


class _Squeezed:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._stream: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            kind = headers.get("content-type", "").partition(";")[0]
            if kind == _KIND and int(headers.get("content-length", "0")) >= _LEAST_BYTES:
                self._start = message
                return
            if kind == _LINES:
                self._stream = zlib.compressobj(_LEVEL, wbits=_GZIP)
                headers = MutableHeaders(raw=message["headers"])
                headers["content-encoding"] = "gzip"
                headers.add_vary_header("Accept-Encoding")
        elif self._stream is not None:
            body = self._stream.compress(message.get("body", b""))
            if not message.get("more_body"):
                body += self._stream.flush()
            message = {**message, "body": body}
        elif self._start is not None:
            start, self._start = self._start, None
            body = gzip.compress(message["body"], _LEVEL, mtime=0)
            headers = MutableHeaders(raw=start["headers"])
            headers["content-encoding"] = "gzip"
            headers["content-length"] = str(len(body))
            headers.add_vary_header("Accept-Encoding")
            if "etag" in headers:  # the same content in other bytes
                headers["etag"] = "W/" + headers["etag"]
            await self._send(start)
            message = {**message, "body": body}
        await self._send(message)


def _accepts(headers: Headers) -> bool:
    offers = headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
    return any(offer.partition(";")[0] in ("gzip", "*") for offer in offers if "q=0" not in offer)
