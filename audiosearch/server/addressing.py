"""Which sound a request means: by its id, or by the embedding program's own.

A path and a body write the second as `external:` and that id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Path, Request
from pydantic import Discriminator, Field, Tag, WithJsonSchema
from starlette.concurrency import run_in_threadpool

from audiosearch.errors import SoundNotFound
from audiosearch.library import Library
from audiosearch.server.answers import TheLibrary
from audiosearch.server.exchange import Message
from audiosearch.server.problems import Problem
from audiosearch.server.types import LARGEST_ID, Id

_EXTERNAL = "external:"
_ANY = r"[\s\S]"  # a dot leaves out the end of a line
_EXTERNAL_PATTERN = rf"^external:{_ANY}{{1,1000}}$"
_PATTERN = rf"^([1-9][0-9]{{0,18}}|external:{_ANY}{{1,1000}})$"
_BELOW = "/v1/sounds/"
# What stands for a slash of an id until the route is known.
_SLASH = "\0"
# A client has ids as numbers.
_DESCRIBED = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
            {"type": "string", "pattern": _EXTERNAL_PATTERN},
        ]
    }
)


def _kind(value: Any) -> str:
    return "external" if isinstance(value, str) else "id"


# In a body.
SoundKey = Annotated[
    Annotated[Id, Tag("id")] | Annotated[str, Field(pattern=_EXTERNAL_PATTERN), Tag("external")],
    Discriminator(_kind),
    Field(description="The id, or `external:` and the external id of the one sound that has it."),
]


def routed(scope: Message) -> Message:
    """The scope, in whose path no slash of an id (written as ``%2F``) parts anything."""
    raw = scope.get("raw_path") or b""
    if b"%2" not in raw or not scope["path"].startswith(_BELOW) or b"%2f" not in raw.lower():
        return scope
    parts = (unquote(part).replace("/", _SLASH) for part in raw.decode("latin-1").split("/"))
    return {**scope, "path": "/".join(parts)}


def by_external_id(library: Library, external_id: str) -> int:
    """The id of the one sound with that external id.

    Raises `SoundNotFound`, and `Problem` 409 where several have it: nothing keeps a program from
    giving one id to all copies of a file.
    """
    known = library.page(0, 2, where={"external_id": external_id})
    if not known:
        raise SoundNotFound(f"there is no sound with the external id {external_id!r}")
    if len(known) > 1:
        raise Problem(409, "ambiguous", f"several sounds have the external id {external_id!r}")
    return known[0].id


def id_of(library: Library, key: int | str) -> int:
    """The id of the sound that a `SoundKey` names. Raises as `by_external_id` does."""
    return by_external_id(library, key.removeprefix(_EXTERNAL)) if isinstance(key, str) else key


def ids_of(library: Library, keys: Iterable[int | str]) -> list[int]:
    """The ids of the sounds that these name, in their order. Raises as `by_external_id` does."""
    return [id_of(library, key) for key in keys]


async def _sound_id(
    request: Request,
    library: TheLibrary,
    sound_id: Annotated[
        str,
        Path(
            pattern=_PATTERN,
            description="The id, or `external:` and the external id of the one sound that has it.",
            examples=["1"],
        ),
        _DESCRIBED,
    ],
) -> int:
    if sound_id.startswith(_EXTERNAL):
        if _SLASH in sound_id:
            raw = request.scope["raw_path"].decode("latin-1")
            sound_id = unquote(raw.split("/")[_BELOW.count("/")])
        return await run_in_threadpool(by_external_id, library, sound_id[len(_EXTERNAL) :])
    if not re.fullmatch("[0-9]+", sound_id) or int(sound_id) > LARGEST_ID:
        raise Problem(422, "invalid-request", f"path.sound_id: {sound_id} is larger than any id")
    return int(sound_id)


SoundId = Annotated[int, Depends(_sound_id)]
