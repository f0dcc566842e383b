"""What every request passes on its way in and out: name, key, limits, headers, counts and log.

Plain ASGI around the application, since the usual middleware costs more than a search. In order: a
name of this machine; no writing by pages of other origins; a key with the scope that the request
needs; no more than a client's rate, the server's hands, or a request's size. Each refusal is a
problem document.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from audiosearch.remote.keys import Key, KeyRing
from audiosearch.server.addressing import routed
from audiosearch.server.clients import hung_up
from audiosearch.server.exchange import App, Exchange, Message, Receive, Send
from audiosearch.server.hands import SAFE, UPLOADS, Hands, HandsFull, Lane, lane_of, reads
from audiosearch.server.metrics import Metrics
from audiosearch.server.problems import problem
from audiosearch.server.settings import LOOPBACK, Settings

access = logging.getLogger("audiosearch.access")

COOKIE = "audiosearch_key"

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "authorization, content-type, range, if-match, if-none-match",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "Location, Retry-After, ETag, Content-Range, Accept-Ranges, Content-Disposition"

_CLIENTS_KEPT = 10_000

# For the log and the counts; nobody gets it.
_HUNG_UP = 499


class Guard:
    """The application, guarded."""

    def __init__(self, app: App, settings: Settings, keys: KeyRing, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._metrics = metrics
        self._names = {*LOOPBACK, *(name.lower() for name in settings.names)}
        self.hands = Hands(settings.concurrent)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._settings)
        began = time.perf_counter()
        try:
            await self._serve(scope, exchange)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.served(exchange.route, exchange.method, exchange.status, seconds)
            if self._settings.access_log:
                access.info(json.dumps(exchange.line(seconds)))

    async def _serve(self, scope: Message, exchange: Exchange) -> None:
        refusal = self._refusal(scope, exchange)
        if not reads(exchange.method, scope["path"]):
            exchange.audit["changes"] = True
        if refusal is not None:
            await refusal(scope, exchange.receive, exchange.send)
            return
        scope["key_scope"] = exchange.audit.get("scope", "write")
        inner = routed(scope)
        lane = lane_of(exchange.method, inner["path"])
        if exchange.method == "HEAD":
            # What a GET would answer, of which only the head is sent.
            inner = {**inner, "asked": "HEAD", "method": "GET"}
        try:
            if exchange.has_body and scope["path"] not in UPLOADS:
                with self.hands.one("receiving", exchange.client):
                    await exchange.read_body()
            if "hung_up" in scope and reads(exchange.method, scope["path"]):
                hung_up.set(scope["hung_up"])
            with self.hands.one(lane, exchange.client):
                await self._app(inner, exchange.receive, exchange.send)
        except HandsFull:
            answer = problem(503, "busy", "the server has its hands full: try again", retry=1)
            await answer(scope, exchange.receive, exchange.send)
        except HTTPException as error:
            if exchange.status:
                raise
            code = {408: "too-slow", 413: "too-large"}.get(error.status_code, "request-aborted")
            answer = problem(error.status_code, code, str(error.detail))
            await answer(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = _HUNG_UP
        except TimeoutError:
            if not exchange.status:
                raise
            if "abort" in scope:  # it would wait for this client to read what was sent
                scope["abort"]()
        finally:
            scope["route"] = inner.get("route")

    def _refusal(self, scope: Message, exchange: Exchange) -> App | None:
        """The answer to a request that is not let in."""
        path, method = scope["path"], scope["method"]
        return (
            self._by_origin(exchange, method)
            or self._without_key(exchange, path, method)
            or self._too_often(exchange.client, lane_of(method, path))
            or self._too_large(exchange, path)
        )

    def _by_origin(self, exchange: Exchange, method: str) -> App | None:
        headers = exchange.headers
        if len(headers.getlist("host")) > 1:
            return problem(400, "bad-request", "a request has one Host header")
        name = _hostname(headers.get("host", ""))
        if name not in self._names:
            return problem(
                421, "wrong-name", f"this server does not go by the name {name!r}: see --name"
            )
        origin = headers.get("origin")
        if origin and origin in self._settings.origins:
            exchange.answer_headers |= {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Expose-Headers": _EXPOSED,
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Vary": "Origin",
            }
            if method == "OPTIONS":
                exchange.answer_headers |= _PREFLIGHT
                return Response(status_code=204)
        elif origin and method not in SAFE and urlsplit(origin).netloc != headers.get("host"):
            return problem(403, "cross-origin", f"pages of {origin} may not change anything here")
        return None

    def _without_key(self, exchange: Exchange, path: str, method: str) -> App | None:
        if not self._settings.need_key or not _guarded(path):
            return None
        secret = _secret(exchange.headers)
        key: Key | None = self._keys.find(secret) if secret else None
        if key is None:
            why = (
                "this key is not known" if secret else "a key is needed: Authorization: Bearer KEY"
            )
            exchange.answer_headers["WWW-Authenticate"] = "Bearer"
            return problem(401, "key-needed", why)
        exchange.client = f"key {key.name}"
        exchange.audit["scope"] = key.scope
        if key.scope != "write" and not (reads(method, path) or path == "/v1/session"):
            return problem(403, "scope", f"the key {key.name} may read only")
        return None

    def _too_often(self, client: str, lane: Lane) -> App | None:
        wait = 0 if lane == "probes" else self._wait(client)
        if not wait:
            return None
        return problem(429, "too-many-requests", "more requests than allowed", retry=wait)

    def _too_large(self, exchange: Exchange, path: str) -> App | None:
        settings = self._settings
        exchange.left = settings.most_upload if path in UPLOADS else settings.most_body
        if path == "/v1/ingest":  # a thousand files, each with an id and metadata
            exchange.left = 10 * settings.most_body
        declared = exchange.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) <= exchange.left:
            return None
        return problem(413, "too-large", f"at most {exchange.left} bytes are taken here")

    def _wait(self, client: str) -> int:
        """Seconds after which a client may come again; 0 for now. A bucket of a second's worth."""
        rate = self._settings.per_second
        if rate is None:
            return 0
        now = time.monotonic()
        full = max(1.0, rate)
        level, then = self._buckets.pop(client, (full, now))
        level = min(full, level + (now - then) * rate)
        self._buckets[client] = (level - 1 if level >= 1 else level, now)
        if len(self._buckets) > _CLIENTS_KEPT:
            self._buckets.popitem(last=False)
        return 0 if level >= 1 else math.ceil((1 - level) / rate)


def _hostname(host: str) -> str:
    """The name in a Host header, in lower case, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _guarded(path: str) -> bool:
    return path.startswith("/v1/") or path == "/metrics"


def _secret(headers: Headers) -> str | None:
    kind, _, secret = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return secret.strip()
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None
