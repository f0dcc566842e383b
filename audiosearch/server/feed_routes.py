"""What programs that keep a copy need: changes since, failures, and everything as lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.catalog.changes import Change
from audiosearch.catalog.records import Sound
from audiosearch.server.addressing import SoundKey, ids_of
from audiosearch.server.answers import TheJobs, TheLibrary, as_json, streamed
from audiosearch.server.job_view import JobStatus
from audiosearch.server.search_models import Filters
from audiosearch.server.types import LARGEST_ID

router = APIRouter(prefix="/v1", tags=["sounds"])

_PAGE = 1_000


@dataclass(frozen=True)
class ChangePage:
    """Changes in order. `next` is the `since` that goes on, also where there is nothing more yet;
    `more`: whether there is.
    """

    changes: tuple[Change, ...]
    next: int
    more: bool


@dataclass(frozen=True)
class FailurePage:
    """Sounds without embedding, by id; `next` is the `after` of the next page, if there is one."""

    sounds: tuple[Sound, ...]
    next: int | None


class RetryRequest(BaseModel):
    """Which failures to try again; none for all."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"ids": []}})

    ids: Annotated[list[SoundKey], Field(max_length=1_000)] = []


@router.get("/changes", response_model=ChangePage, summary="What changed since, and goes on.")
def changes(
    library: TheLibrary,
    since: Annotated[
        int, Query(ge=0, le=LARGEST_ID, description="`next` of the last answer; 0 for everything.")
    ] = 0,
    k: Annotated[int, Query(ge=1, le=10_000)] = _PAGE,
) -> Response:
    """Each sound comes once, with its last change. A sound that is changed is to be read again, if
    it is still there.
    """
    page = library.changes(since, k + 1)
    part = page[:k]
    return as_json(ChangePage(tuple(part), part[-1].number if part else since, len(page) > k))


@router.get("/failures", response_model=FailurePage, summary="Files that could not be embedded.")
def failures(
    library: TheLibrary,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    k: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    page = library.failed_page(after, k)
    return as_json(FailurePage(tuple(page), page[-1].id if len(page) == k else None))


@router.post(
    "/failures/retry", response_model=JobStatus, status_code=202, summary="Try failed files again."
)
def retry(library: TheLibrary, jobs: TheJobs, again: RetryRequest) -> Response:
    paths = tuple(library.sound(number).path for number in ids_of(library, again.ids))
    job = jobs.add(paths, options={"retry": True})
    return as_json(job, 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get(
    "/export",
    summary="Every sound that passes, as JSON lines.",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
)
def export(request: Request, library: TheLibrary, where: Annotated[Filters, Query()]) -> Response:
    """A line is what `/v1/sounds/{sound_id}` says of a sound, failed ones among them, by id."""
    given = where.given() or None
    first = library.page(0, _PAGE, where=given)  # what is wrong with the filter is said at once

    def lines() -> Iterator[str]:
        page = first
        while page:
            yield "".join(json.dumps(vars(sound)) + "\n" for sound in page)
            page = library.page(page[-1].id, _PAGE, where=given) if len(page) == _PAGE else []

    return streamed(request, lines(), "application/x-ndjson")
