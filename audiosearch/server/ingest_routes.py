"""Many files in one job, each with the embedding program's id and metadata."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from audiosearch.server.answers import TheJobs, TheLibrary, as_json
from audiosearch.server.job_view import JobStatus
from audiosearch.server.jobs import inside_roots
from audiosearch.server.types import ExternalId, Metadata, Text

router = APIRouter(prefix="/v1/ingest", tags=["jobs"])


class IngestItem(BaseModel):
    """A file, and what the embedding program knows of it."""

    model_config = ConfigDict(extra="forbid")

    path: Text
    external_id: ExternalId | None = None
    metadata: Metadata | None = None


class IngestRequest(BaseModel):
    """Files to index in one job."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"items": [{"path": "/sounds/door.wav", "external_id": "A-7"}]}
        },
    )

    items: Annotated[list[IngestItem], Field(min_length=1, max_length=1_000)]
    retry: Annotated[StrictBool, Field(description="Try failed files again.")] = False


@router.post(
    "",
    response_model=JobStatus,
    status_code=202,
    summary="Index many files, each with its id.",
)
def ingest(request: Request, library: TheLibrary, jobs: TheJobs, batch: IngestRequest) -> Response:
    """One job. A file that is not there, or holds no sound, is a failure of its own in the job's
    summary (`item_failures`) and keeps no other out.
    """
    paths = [item.path for item in batch.items]
    allowed = inside_roots(library, paths, request.app.state.settings)
    items = tuple(
        {**item.model_dump(), "path": path} for item, path in zip(batch.items, allowed, strict=True)
    )
    job = jobs.add((), options={"retry": batch.retry}, items=items)
    return as_json(job, 202, {"Location": f"/v1/jobs/{job.id}"})
