"""What the routes share: the open library, its jobs, and JSON in which any path survives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from audiosearch.library import Library
from audiosearch.server.jobs import Jobs


def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


TheLibrary = Annotated[Library, Depends(_library)]
TheJobs = Annotated[Jobs, Depends(_jobs)]


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Dataclasses as JSON in ASCII: a name that is not UTF-8 comes as surrogate escapes."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    body = json.dumps(value, allow_nan=False)
    return Response(body, status, headers, "application/json")
