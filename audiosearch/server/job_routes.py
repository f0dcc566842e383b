"""Index runs over HTTP: started, watched by polling or by events, cancelled."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from audiosearch.errors import InvalidQuery
from audiosearch.server.answers import TheJobs, TheLibrary, as_json, streamed
from audiosearch.server.job_store import Job
from audiosearch.server.job_view import JobStatus
from audiosearch.server.jobs import Jobs, inside_roots
from audiosearch.server.problems import Problem
from audiosearch.server.types import ExternalId, Metadata

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(pattern="^[0-9a-f-]{1,64}$")]

# Between two events; faster than anyone reads.
_TICK = 0.3
# Proxies hang up on a connection that says nothing for a minute.
_HEARTBEAT = 15.0


class JobRequest(BaseModel):
    """What to index: files and folders under the library's own; none for all of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"paths": ["/sounds/new"], "metadata": {"project": "X"}}},
    )

    paths: Annotated[list[str], Field(max_length=10_000)] = []
    external_id: Annotated[
        ExternalId | None, Field(description="Of the one file that `paths` names.")
    ] = None
    metadata: Metadata | None = None
    retry: Annotated[StrictBool, Field(description="Try failed files again.")] = False
    rehash: Annotated[
        StrictBool, Field(description="Compare contents, whatever size and time.")
    ] = False
    prune: Annotated[StrictBool, Field(description="Even if most of the library would go.")] = False


@dataclass(frozen=True)
class JobList:
    """Jobs, the newest first."""

    jobs: tuple[JobStatus, ...]


def _get(jobs: Jobs, job_id: str) -> Job:
    job = jobs.get(job_id)
    if job is None:
        raise Problem(404, "job-not-found", f"there is no job {job_id}")
    return job


@router.post("", response_model=JobStatus, status_code=202, summary="Index, or index again.")
def start(request: Request, library: TheLibrary, jobs: TheJobs, run: JobRequest) -> Response:
    paths = inside_roots(library, run.paths, request.app.state.settings)
    _check_sounds(paths, run.external_id)
    options = {name: getattr(run, name) for name in ("retry", "rehash", "prune")}
    job = jobs.add(paths, run.external_id, run.metadata, options)
    return as_json(job, 202, {"Location": f"/v1/jobs/{job.id}"})


def _check_sounds(paths: tuple[str, ...], external_id: str | None) -> None:
    """Raises `InvalidQuery` where files are no sounds by their names, or an id is not of one."""
    from indexer.scan import is_sound_name

    for path in paths:
        if os.path.isfile(path) and not is_sound_name(os.fsencode(path)):  # noqa: PTH113
            raise InvalidQuery(f"{path} is not a sound: its name has no suffix of one")
    if external_id is not None and (len(paths) != 1 or os.path.isdir(paths[0])):  # noqa: PTH112
        raise InvalidQuery("an external_id is one file's: name the file in paths, and no other")


@router.get("", response_model=JobList, summary="The jobs, the newest first.")
def every(jobs: TheJobs, k: Annotated[int, Query(ge=1, le=1_000)] = 100) -> Response:
    return as_json({"jobs": jobs.all()[:k]})


@router.get("/{job_id}", response_model=JobStatus, summary="How far a job is.")
def one(jobs: TheJobs, job_id: JobId) -> Response:
    return as_json(_get(jobs, job_id))


@router.delete("/{job_id}", response_model=JobStatus, summary="End a job after the batch in hand.")
def cancel(jobs: TheJobs, job_id: JobId) -> Response:
    _get(jobs, job_id)
    try:
        return as_json(jobs.cancel(job_id))
    except InvalidQuery as error:
        raise Problem(409, "job-over", str(error)) from error


@router.get(
    "/{job_id}/events",
    summary="The same as server-sent events, until the job is over.",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
def events(request: Request, jobs: TheJobs, job_id: JobId) -> Response:
    _get(jobs, job_id)
    stopping: asyncio.Event = request.app.state.stopping
    parts = _events(jobs, job_id, stopping)
    return streamed(request, parts, "text/event-stream", **{"Cache-Control": "no-store"})


async def _events(jobs: Jobs, job_id: str, stopping: asyncio.Event) -> AsyncIterator[str]:
    sent, silent = None, 0.0
    while not stopping.is_set():
        job = jobs.get(job_id)
        if job is None:
            return
        if job != sent:
            yield f"event: {job.state}\ndata: {json.dumps(asdict(job))}\n\n"
            sent, silent = job, 0.0
        elif silent >= _HEARTBEAT:
            yield ":\n\n"
            silent = 0.0
        if job.over:
            return
        silent += _TICK
        try:
            await asyncio.wait_for(stopping.wait(), _TICK)
        except TimeoutError:
            continue
