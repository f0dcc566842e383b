"""The ASGI application: one open `Library`, shared by all requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

from audiosearch import __version__
from audiosearch.library import Library
from audiosearch.server import health, search, sounds
from audiosearch.server.problems import handle_problems

# A page that is tricked into asking us by another name (DNS rebinding) gets nothing.
_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

# The page loads nothing from elsewhere, runs no script but its own, and is framed by nobody.
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"


def make_app(directory: Path) -> FastAPI:
    """The application for the library in `directory`, which is opened when the server starts.

    Raises (at start) what `Library.open` raises.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Library.open(directory) as library:
            app.state.library = library
            yield

    app = FastAPI(
        title="audiosearch",
        version=__version__,
        description="Find sounds by describing what you hear.",
        lifespan=lifespan,
        docs_url=None,  # the usual page loads its scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)

    @app.middleware("http")
    async def _headers(
        request: Request, following: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await following(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    handle_problems(app)
    for part in (health, search, sounds):
        app.include_router(part.router)
    page = Path(str(files("audiosearch.server") / "page"))
    app.mount("/", StaticFiles(directory=page, html=True), name="page")
    return app
