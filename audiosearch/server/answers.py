"""What the routes share: the open library, its jobs, and JSON in which any path survives."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from audiosearch.errors import InvalidQuery
from audiosearch.library import Library
from audiosearch.server.gathering import Gathering
from audiosearch.server.jobs import Jobs
from audiosearch.server.pools import Pools


# Coroutines, since each plain function would be called in another thread.
async def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


async def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


async def _pools(request: Request) -> Pools:
    pools: Pools = request.app.state.pools
    return pools


async def _gathering(request: Request) -> Gathering:
    gathering: Gathering = request.app.state.gathering
    return gathering


TheLibrary = Annotated[Library, Depends(_library)]
TheJobs = Annotated[Jobs, Depends(_jobs)]
ThePools = Annotated[Pools, Depends(_pools)]
TheGathering = Annotated[Gathering, Depends(_gathering)]


def unless_known(request: Request, answer: Response) -> Response:
    """The answer; 304 where the client holds it already by its ETag, and no file where only the
    head is asked for.
    """
    tag = answer.headers.get("etag", "")
    known = [one.strip().removeprefix("W/") for one in _list(request, "if-none-match")]
    if tag and (tag in known or "*" in known):
        kept = {
            name: answer.headers[name]
            for name in ("etag", "last-modified", "vary")
            if name in answer.headers
        }
        return Response(status_code=304, headers=kept)
    if request.scope.get("asked") == "HEAD" and isinstance(answer, FileResponse):
        return Response(headers=dict(answer.headers))
    return answer


def streamed(
    request: Request, parts: Iterable[str] | AsyncIterable[str], kind: str, **headers: str
) -> Response:
    """An answer that is made while it is sent; nothing is made where only the head is asked for."""
    answer = StreamingResponse(parts, media_type=kind, headers=headers)
    if request.scope.get("asked") == "HEAD":
        head = Response(headers=dict(answer.headers))
        del head.headers["content-length"]
        return head
    return answer


def _list(request: Request, header: str) -> list[str]:
    return request.headers.get(header, "").split(",")


def tagged(value: Any) -> Response:
    """As JSON, with an ETag of what it says."""
    answer = as_json(value)
    digest = hashlib.blake2b(bytes(answer.body), digest_size=16).hexdigest()
    answer.headers["etag"] = f'"{digest}"'
    return answer


def some_fields(records: Sequence[Any], fields: str, kind: type) -> tuple[dict[str, Any], ...]:
    """Records of a dataclass with no more than these fields, separated by commas."""
    names = fields.split(",")
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidQuery(f"there is no field {unknown[0]}: there are {', '.join(sorted(known))}")
    return tuple({name: getattr(record, name) for name in names} for record in records)


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Dataclasses as JSON in ASCII: a name that is not UTF-8 comes as surrogate escapes."""
    body = json.dumps(value, allow_nan=False, default=vars)
    return Response(body, status, headers, "application/json")
