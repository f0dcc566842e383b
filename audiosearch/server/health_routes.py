"""Is the process alive, can it answer, what does it hold, and how busy is it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request, Response

from audiosearch.results import Status
from audiosearch.server.answers import TheJobs, TheLibrary, as_json
from audiosearch.server.metrics import CONTENT_TYPE, Metrics

router = APIRouter()


@dataclass(frozen=True)
class Health:
    """`ok` where the process is alive, `ready` where it can answer; `watch` with `serve --watch`."""

    status: Literal["ok", "ready"]
    watch: str | None = None


@router.get("/healthz", response_model=Health, tags=["health"], summary="The process is alive.")
async def healthz(request: Request) -> Response:
    """With `serve --watch`, `watch` says how that is: `starting`, `watching`, `standby` (another
    program watches for this library) or `failed: ` and why.
    """
    watching = request.app.state.watching
    return as_json({"status": "ok", "watch": watching.state} if watching else {"status": "ok"})


@router.get(
    "/readyz", response_model=Health, tags=["health"], summary="The library can be searched."
)
def readyz(library: TheLibrary) -> Response:
    library.embed_text(["ready"])  # loads the model, once
    library.status()
    return as_json({"status": "ready"})


@router.get("/metrics", tags=["health"], summary="For Prometheus.", response_class=Response)
def metrics(request: Request, library: TheLibrary, jobs: TheJobs) -> Response:
    kept: Metrics = request.app.state.metrics
    in_hand = request.app.state.hands.counts()
    return Response(kept.text(library.status(), jobs.counts(), in_hand), media_type=CONTENT_TYPE)


@router.get(
    "/v1/status", tags=["library"], response_model=Status, summary="What the library holds."
)
def status(library: TheLibrary) -> Response:
    return as_json(library.status())
