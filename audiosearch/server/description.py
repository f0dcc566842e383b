"""What `/openapi.json` says beyond the routes: names of operations, errors, and how to show a key."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from audiosearch.server.problems import PROBLEM

# A client's methods go by these; the functions' names are read where they stand.
_NAMES = {
    "session": "keep_key",
    "healthz": "is_alive",
    "readyz": "is_ready",
    "metrics": "get_metrics",
    "status": "get_status",
    "facets": "get_facets",
    "facets_of_mixture": "get_facets_of_mixture",
    "upload": "upload_sound",
    "sounds": "list_sounds",
    "sound": "get_sound",
    "similar": "find_similar",
    "audio": "get_audio",
    "peaks": "get_peaks",
    "classify": "classify_sounds",
    "embed": "embed_texts",
    "describe_many": "describe_sounds",
    "describe": "describe_sound",
    "forget": "forget_sound",
    "changes": "list_changes",
    "failures": "list_failures",
    "retry": "retry_failures",
    "export": "export_sounds",
    "start": "start_job",
    "ingest": "ingest_files",
    "every": "list_jobs",
    "one": "get_job",
    "cancel": "cancel_job",
    "events": "watch_job",
    "roots": "list_roots",
    "set_root": "set_root_options",
}


def operation_id(route: APIRoute) -> str:
    """The name of a route's operation."""
    return _NAMES.get(route.name, route.name)


def describe_once(app: FastAPI) -> None:
    """Complete the description of the application that FastAPI makes, when it is first asked for."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = make()
            parts = described.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = PROBLEM
            parts["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "audiosearch_key"},
            }
            # On this machine alone no key is needed.
            described["security"] = [{}, {"key": []}, {"cookie": []}]
        schema: dict[str, Any] = app.openapi_schema or {}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
