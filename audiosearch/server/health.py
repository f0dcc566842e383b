"""Is the process alive, can it answer, and what does it hold?"""

from __future__ import annotations

from fastapi import APIRouter, Response

from audiosearch.results import Status
from audiosearch.server.answers import TheLibrary, as_json

router = APIRouter()


@router.get("/healthz", tags=["health"], summary="The process is alive.")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], summary="The library can be searched.")
def readyz(library: TheLibrary) -> dict[str, str]:
    library.embed_text(["ready"])  # loads the model, once
    library.status()
    return {"status": "ready"}


@router.get(
    "/v1/status", tags=["library"], response_model=Status, summary="What the library holds."
)
def status(library: TheLibrary) -> Response:
    return as_json(library.status())
