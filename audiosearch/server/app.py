"""The ASGI application: one open `Library`, shared by all requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from audiosearch import __version__
from audiosearch.catalog.store import Address, store_at
from audiosearch.library import Library
from audiosearch.remote.keys import KeyRing
from audiosearch.server import (
    collection_routes,
    describe_routes,
    duplicate_routes,
    facet_routes,
    feed_routes,
    folder_routes,
    head_routes,
    health_routes,
    ingest_routes,
    job_routes,
    model_routes,
    picture_routes,
    root_routes,
    search_routes,
    sound_routes,
    suggestion_routes,
    ucs_routes,
    upload_routes,
)
from audiosearch.server.compression import Compression
from audiosearch.server.description import describe_once, operation_id
from audiosearch.server.gathering import Gathering
from audiosearch.server.guard import COOKIE, Guard
from audiosearch.server.jobs import Jobs
from audiosearch.server.metrics import Metrics
from audiosearch.server.pools import Pools
from audiosearch.server.problems import DOCUMENTED, handle_problems
from audiosearch.server.renderings import Renderings
from audiosearch.server.settings import Settings
from audiosearch.server.watching import Watching

_ROUTES = (
    health_routes,
    search_routes,
    upload_routes,
    sound_routes,
    model_routes,
    describe_routes,
    duplicate_routes,
    collection_routes,
    picture_routes,
    suggestion_routes,
    folder_routes,
    facet_routes,
    feed_routes,
    ingest_routes,
    job_routes,
    head_routes,
    root_routes,
    ucs_routes,
)
_MONTH = 30 * 24 * 3600


def make_app(where: Address, settings: Settings | None = None) -> Guard:
    """The application for the library at a place, which is opened when the server starts.

    Raises (at start) what `Library.open` raises.
    """
    settings, store = settings or Settings(), store_at(where)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Library.open(store, shared=True) as library:
            cores = os.cpu_count() or 1
            # More threads than the cores can serve only wait for each other.
            current_default_thread_limiter().total_tokens = max(8, 2 * cores)
            state = app.state
            state.library, state.settings, state.metrics = library, settings, metrics
            state.stopping = asyncio.Event()
            state.pools = Pools()
            state.gathering = Gathering(library, state.pools)
            state.duplicates = duplicate_routes.LatestDuplicates(library, state.stopping)
            state.renderings = Renderings(library)
            state.jobs = Jobs(library, state.hands.let_searches_go_first)
            state.watching = Watching(library, settings.poll) if settings.watch else None
            try:
                yield
            finally:
                state.stopping.set()
                if state.watching:
                    await run_in_threadpool(state.watching.stop)
                await run_in_threadpool(state.jobs.stop)
                state.renderings.close()

    app = FastAPI(
        title="audiosearch",
        version=__version__,
        description="Find sounds by describing what you hear. Errors are problem documents "
        "(RFC 9457) with a stable `code`.",
        lifespan=lifespan,
        responses=DOCUMENTED,
        separate_input_output_schemas=False,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        generate_unique_id_function=operation_id,
        docs_url=None,  # the usual page loads its scripts from elsewhere
        redoc_url=None,
    )

    @app.post("/v1/session", status_code=204, tags=["health"], summary="A key as a cookie.")
    def session(request: Request) -> Response:
        """For the page, since players and links send no header."""
        answer = Response(status_code=204)
        secret = request.headers.get("authorization", "").partition(" ")[2].strip()
        if secret:
            answer.set_cookie(COOKIE, secret, max_age=_MONTH, httponly=True, samesite="strict")
        return answer

    routers = [part.router for part in _ROUTES]
    handle_problems(app, [*app.routes, *(route for router in routers for route in router.routes)])
    for router in routers:
        app.include_router(router)
    page = Path(str(files("audiosearch.server") / "page"))
    app.mount("/", StaticFiles(directory=page, html=True), name="page")
    describe_once(app)
    guard = Guard(Compression(app), settings, KeyRing(store.directory), metrics)
    app.state.hands = guard.hands
    return guard
