"""What the routes share: the open library, and JSON in which any path survives."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from audiosearch.library import Library


def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


TheLibrary = Annotated[Library, Depends(_library)]


def as_json(value: Any) -> Response:
    """Dataclasses as JSON in ASCII: a name that is not UTF-8 comes as surrogate escapes."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return Response(json.dumps(value, allow_nan=False), media_type="application/json")
