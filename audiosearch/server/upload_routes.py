"""Sounds in the body of a request: heard, or kept and indexed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from audiosearch.errors import AudioSearchError, InvalidQuery, LibraryReadOnly
from audiosearch.server.answers import TheJobs, as_json
from audiosearch.server.job_view import JobStatus
from audiosearch.server.problems import Problem
from audiosearch.server.settings import Settings
from audiosearch.server.types import ExternalId, small_enough

router = APIRouter(prefix="/v1", tags=["uploads"])

_LONGEST_NAME = 200  # bytes; file systems take 255, and the indexer's siblings want some

BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The bytes of a sound file.",
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _refuse_forms(request: Request) -> None:
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise Problem(
            415, "unsupported-media-type", "send the bytes of the sound alone, and not as a form"
        )


async def _receive(request: Request, target: Path) -> None:
    """Write the body to a file, which holds what fits in memory at no time."""
    size = 0
    with target.open("xb") as file:
        async for part in request.stream():
            size += len(part)
            await run_in_threadpool(file.write, part)
    if not size:
        raise InvalidQuery("the body is empty: it is to hold a sound file")


class Upload:
    """The sound in the body of a request, once the rest of the request was checked."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @asynccontextmanager
    async def file(self) -> AsyncIterator[Path]:
        """A file that holds it, for as long as the block lasts."""
        with tempfile.TemporaryDirectory(prefix="audiosearch-") as folder:
            path = Path(folder) / "sound"
            _refuse_forms(self._request)
            await _receive(self._request, path)
            yield path


TheUpload = Annotated[Upload, Depends()]


def _free_name(folder: Path, name: str) -> Path:
    """Where a file of that name goes. Raises `Problem` for a name that is more than a name."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError as error:
        raise InvalidQuery("the name is no text") from error
    wrong = not name.isprintable() or name.startswith(".") or {"/", "\\", ":"} & set(name)
    if not name or wrong or len(raw) > _LONGEST_NAME:
        raise InvalidQuery(
            f"a name is a file's name alone, of at most {_LONGEST_NAME} bytes: {name[:40]!r} is not"
        )
    from indexer.scan import is_sound_name

    if not is_sound_name(raw):
        raise InvalidQuery(f"{name[:40]!r} is not a sound: its name has no suffix of one")
    return folder / name


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        value = None if text is None else json.loads(text)
    except ValueError as error:
        raise InvalidQuery(f"metadata must be a JSON object: {error}") from error
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidQuery("metadata must be a JSON object")
    try:
        return small_enough(value)
    except ValueError as error:
        raise InvalidQuery(str(error)) from error


@router.post(
    "/uploads",
    response_model=JobStatus,
    status_code=202,
    summary="Keep a sound file and index it.",
    openapi_extra=BODY,
)
async def upload(
    request: Request,
    jobs: TheJobs,
    name: Annotated[str, Query(examples=["door slam.wav"])],
    external_id: ExternalId | None = None,
    metadata: Annotated[
        str | None, Query(description="A JSON object.", examples=['{"take": 3}'])
    ] = None,
    replace: Annotated[bool, Query(description="Put it in the place of another.")] = False,
) -> Response:
    about = _object(metadata)
    settings: Settings = request.app.state.settings
    if settings.uploads is None:
        raise Problem(403, "uploads-off", "this server takes no uploads: see serve --uploads")
    target = _free_name(settings.uploads, name)
    _refuse_forms(request)
    await run_in_threadpool(jobs.check)
    try:
        await _keep(request, target, replace)
    except OSError as error:
        raise LibraryReadOnly(f"the sound cannot be kept: {error.strerror or error}") from error
    try:
        job = await run_in_threadpool(jobs.add, (str(target),), external_id, about)
    except AudioSearchError:
        if not replace:  # the client comes again, and then its name is to be free
            target.unlink(missing_ok=True)
        raise
    return as_json(job, 202, {"Location": f"/v1/jobs/{job.id}"})


async def _keep(request: Request, target: Path, replace: bool) -> None:
    """Write the body to that file, which is there as a whole or not at all. Raises `OSError`, and
    `Problem` where there is one already and it is not to be replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A hidden name is not indexed, and the rename is in one piece.
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=target.parent) as folder:
        whole = Path(folder) / "sound"
        await _receive(request, whole)
        if replace:
            whole.replace(target)
            return
        try:
            os.link(whole, target)
        except FileExistsError as error:
            text = f"there is a sound named {target.name!r} already"
            raise Problem(409, "exists", text) from error
