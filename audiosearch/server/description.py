"""What `/openapi.json` says beyond the routes, for those who make clients of it.

Names of operations; which keys are shown where; and schemas from which good types are made: of what
answers hold, every field is there, and fields that may be left out of a request say in words what
they then are. (A generator takes a field with a default for one that is always there, and would have
clients send them all.)
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
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
    "duplicates": "list_duplicates",
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


Schemas = dict[str, dict[str, Any]]

_TAGS = {
    "search": "Sounds by what is heard, by words, and by other sounds.",
    "sounds": "What is known of sounds: read, described, removed, followed and copied.",
    "uploads": "Sounds in the body of a request.",
    "jobs": "Index runs.",
    "model": "Labels and vectors.",
    "collections": "Favourites, named collections and saved searches.",
    "library": "What there is.",
    "health": "For those who watch the server. Probes need no key.",
}
# Of these a client has one type each, and not one for each place.
_SHARED: Schemas = {
    "Fields": {
        "type": "object",
        "title": "Fields",
        "additionalProperties": True,
        "description": "Fields of any kind: metadata of the embedding program, tags of a file.",
    },
    "Counts": {
        "type": "object",
        "title": "Counts",
        "additionalProperties": {"type": "integer"},
        "description": "How many there are of each.",
    },
}
_WORDS = ("title", "description", "default", "examples")
_REF = "#/components/schemas/"
# The answers with `fields`, and what they hold a part of.
_SPARSE = {
    "SparseHitPage": ("hits", "SparseHit", "Hit"),
    "SparseSoundPage": ("sounds", "SparseSound", "Sound"),
}


def describe_once(app: FastAPI) -> None:
    """Complete the description of the application that FastAPI makes, when it is first asked for."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(make())
        schema: dict[str, Any] = app.openapi_schema or {}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(described: dict[str, Any]) -> None:
    parts = described.setdefault("components", {})
    parts["schemas"] = {**_name_shared(parts.get("schemas", {})), **deepcopy(_SHARED)}
    schemas: Schemas = parts["schemas"]
    schemas["Problem"] = PROBLEM
    schemas["DescriptionPatch"] = _patch(schemas["Description"])
    operations = [o for path in described["paths"].values() for o in path.values()]
    asked = _reached(schemas, (o.get("requestBody") for o in operations))
    answered = _reached(schemas, (o["responses"] for o in operations))
    for name in answered - asked - {"Problem"}:
        _always_there(schemas[name])
    schemas["Health"]["required"] = ["status"]  # the one that leaves a field out
    for name in asked - answered:
        _default_in_words(schemas[name])
    for page, (field, sparse, whole) in _SPARSE.items():
        schemas[sparse] = _part_of(schemas[whole], whole)
        schemas[page]["properties"][field]["items"] = {"$ref": _REF + sparse}
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "audiosearch_key"},
    }
    # On this machine alone no key is needed.
    described["security"] = [{}, {"key": []}, {"cookie": []}]
    for name in ("/healthz", "/readyz"):
        described["paths"][name]["get"]["security"] = []
    described["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]


def _name_shared(value: Any) -> Any:
    """The same with references to the shared schemas, where they stand."""
    if isinstance(value, list):
        return [_name_shared(part) for part in value]
    if not isinstance(value, dict):
        return value
    bare = {key: part for key, part in value.items() if key not in _WORDS}
    for name, shared in _SHARED.items():
        if bare == {key: part for key, part in shared.items() if key not in _WORDS}:
            return {"$ref": _REF + name} | {k: v for k, v in value.items() if k in _WORDS}
    return {key: _name_shared(part) for key, part in value.items()}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_REF)
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _reached(schemas: Schemas, beginnings: Iterator[Any]) -> set[str]:
    """The names of the schemas that these refer to, also through others."""
    left = {name for beginning in beginnings for name in _references(beginning)}
    reached: set[str] = set()
    while left:
        name = left.pop()
        reached.add(name)
        left |= {*_references(schemas[name])} - reached
    return reached


def _always_there(schema: dict[str, Any]) -> None:
    if "properties" in schema:
        schema["required"] = [*schema["properties"]]
        for field in schema["properties"].values():
            field.pop("default", None)


def _default_in_words(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        default = field.pop("default", None)
        if default is None or default in ([], {}) or isinstance(default, dict):
            continue
        text = str(default).lower() if isinstance(default, bool) else str(default)
        known = field.get("description", "")
        field["description"] = f"{known} Default: {text}.".strip()


def _part_of(schema: dict[str, Any], name: str) -> dict[str, Any]:
    part = deepcopy(schema)
    part.pop("required", None)
    part["title"] = f"Sparse{name}"
    part["description"] = f"Those fields of a `{name}` that were asked for."
    return part


def _patch(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a description that is merged; the same fields, of which null removes."""
    patch = deepcopy(schema)
    patch["title"] = "DescriptionPatch"
    patch["description"] = (
        "A merge patch (RFC 7396) of external id and metadata: what is null is removed, what is left "
        "out stays."
    )
    patch["example"] = {"metadata": {"rights": "cleared", "take": None}}
    return patch
