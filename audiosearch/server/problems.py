"""Errors as problem documents (RFC 9457): a status, a stable `code`, and the error's own line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from audiosearch import errors

# The first that fits decides.
_OF_ERROR: tuple[tuple[type[errors.AudioSearchError], int, str], ...] = (
    (errors.InvalidQuery, 422, "invalid-query"),
    (errors.AudioRejected, 422, "audio-rejected"),
    (errors.SoundNotFound, 404, "sound-not-found"),
    (errors.HeadNotFound, 404, "head-not-found"),
    (errors.HeadMismatch, 409, "head-mismatch"),
    (errors.CollectionNotFound, 404, "collection-not-found"),
    (errors.NameTaken, 409, "name-taken"),
    (errors.LibraryNotFound, 503, "library-not-found"),
    (errors.LibraryBusy, 503, "library-busy"),
    (errors.LibraryUnreachable, 503, "library-unreachable"),
    (errors.LibraryReadOnly, 503, "library-read-only"),
    (errors.LibraryDamaged, 500, "library-damaged"),
    (errors.ModelMismatch, 500, "model-mismatch"),
    (errors.ModelNotFound, 500, "model-not-found"),
    (errors.ModelBroken, 500, "model-broken"),
    (errors.AudioSearchError, 500, "error"),
)
_OF_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    412: "changed-meanwhile",
    413: "too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
}
BUSY_SECONDS = 2


PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A problem document (RFC 9457); `code` is stable.",
    "required": ["type", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Where a request is not of the described form: each place, and what is "
            "wrong there.",
            "items": {
                "type": "object",
                "title": "ProblemPlace",
                "required": ["where", "what"],
                "properties": {
                    "where": {
                        "type": "array",
                        "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                    },
                    "what": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": "about:blank",
        "status": 404,
        "code": "sound-not-found",
        "detail": "there is no sound with id 7",
    },
}

# What OpenAPI says of every answer that is not a success.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document (RFC 9457); `code` is stable.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
}


class Problem(Exception):
    """An error of the service's own, which `Library` does not know."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


def problem(
    status: int, code: str, detail: str, *, retry: int | None = None, **more: Any
) -> Response:
    """A problem document; `retry`: seconds after which to come again."""
    document = {"type": "about:blank", "status": status, "code": code, "detail": detail, **more}
    if status == 503 and retry is None:
        retry = BUSY_SECONDS
    headers = {} if retry is None else {"Retry-After": str(retry)}
    return Response(json.dumps(document), status, headers, "application/problem+json")


def _methods(request: Request, routes: Sequence[BaseRoute]) -> set[str]:
    """Those that some route takes at the request's path."""
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE:
            methods |= route.methods or set()
    return methods


def handle_problems(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of the application, which has these routes, with a problem document."""

    @app.exception_handler(errors.AudioSearchError)
    def _ours(request: Request, error: errors.AudioSearchError) -> Response:
        status, code = next((s, c) for kind, s, c in _OF_ERROR if isinstance(error, kind))
        return problem(status, code, str(error))

    @app.exception_handler(Problem)
    def _own(request: Request, error: Problem) -> Response:
        return problem(error.status, error.code, str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"where": list(e["loc"]), "what": e["msg"]} for e in error.errors()]
        where = ".".join(str(part) for part in wrong[0]["where"])
        return problem(422, "invalid-request", f"{where}: {wrong[0]['what']}", errors=wrong)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        status, detail, methods = error.status_code, str(error.detail), _methods(request, routes)
        if status == 404 and methods:  # the page's files are looked for wherever no route answers
            status, detail = 405, "Method Not Allowed"
        answer = problem(status, _OF_STATUS.get(status, "http-error"), detail)
        answer.headers.update(error.headers or {})
        if status == 405:  # several routes may share a path
            answer.headers["Allow"] = ", ".join(sorted(methods))
        return answer
