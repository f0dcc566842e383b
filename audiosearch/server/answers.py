"""What the routes share: the open library, its jobs, and JSON in which any path survives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from audiosearch.library import Library
from audiosearch.server.jobs import Jobs
from audiosearch.server.pools import Pools


def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


def _pools(request: Request) -> Pools:
    pools: Pools = request.app.state.pools
    return pools


TheLibrary = Annotated[Library, Depends(_library)]
TheJobs = Annotated[Jobs, Depends(_jobs)]
ThePools = Annotated[Pools, Depends(_pools)]


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Dataclasses as JSON in ASCII: a name that is not UTF-8 comes as surrogate escapes."""
    body = json.dumps(value, allow_nan=False, default=vars)
    return Response(body, status, headers, "application/json")
