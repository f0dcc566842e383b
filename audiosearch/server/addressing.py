"""Which sound a request means: by its id, or by the embedding program's own.

A path and a body write the second as `external:` and that id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Path, Request
from pydantic import PlainValidator, WithJsonSchema
from starlette.concurrency import run_in_threadpool

from audiosearch.errors import SoundNotFound
from audiosearch.library import Library
from audiosearch.server.answers import TheLibrary
from audiosearch.server.exchange import Message
from audiosearch.server.problems import Problem
from audiosearch.server.types import LARGEST_ID

_EXTERNAL = "external:"
_OWN = r"external:[\s\S]{1,1000}"  # a dot leaves out the end of a line
_PATTERN = rf"^([1-9][0-9]{{0,18}}|{_OWN})$"
_BELOW = "/v1/sounds/"
# What stands for a slash of an id until the route is known.
_SLASH = "\0"
# A client has ids as numbers.
_FORMS: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
        {"type": "string", "pattern": f"^{_OWN}$"},
    ],
    "description": "The id, or `external:` and the external id of the one sound that has it.",
}


def _key(value: Any) -> int | str:
    if isinstance(value, str) and re.fullmatch(_OWN, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_ID:
        return value
    raise ValueError(
        f"a sound is named by its id, a number from 1 to {LARGEST_ID}, or by a text: external: and "
        "its external id, of 1 to 1000 characters"
    )


# How a body names a sound. It has no name in the description: a generator of clients takes none of
# what is a number or a text.
SoundKey = Annotated[int | str, PlainValidator(_key), WithJsonSchema(_FORMS)]


def routed(scope: Message) -> Message:
    """The scope, in whose path no slash of an id (written as ``%2F``) parts anything."""
    raw = scope.get("raw_path") or b""
    if b"%2" not in raw or not scope["path"].startswith(_BELOW) or b"%2f" not in raw.lower():
        return scope
    parts = (unquote(part).replace("/", _SLASH) for part in raw.decode("latin-1").split("/"))
    return {**scope, "path": "/".join(parts)}


def external_key(external_id: str) -> str:
    """The `SoundKey` of the sound with that external id."""
    return _EXTERNAL + external_id


def by_external_id(library: Library, external_id: str) -> int:
    """The id of the one sound with that external id.

    Raises `SoundNotFound`, and `Problem` 409 where several have it: nothing keeps a program from
    giving one id to all copies of a file.
    """
    return id_of(library, external_key(external_id))


def id_of(library: Library, key: int | str) -> int:
    """The id of the sound that a `SoundKey` names. Raises as `by_external_id` does."""
    [number] = ids_of(library, [key])
    return number


def ids_of(library: Library, keys: Sequence[int | str]) -> list[int]:
    """The ids of the sounds that these name, each once, in their order. Raises as `by_external_id`
    does.
    """
    known = known_ids(library, keys)
    for key in keys:
        if key not in known:
            name = str(key).removeprefix(_EXTERNAL)
            raise SoundNotFound(f"there is no sound with the external id {name!r}")
    return list(dict.fromkeys(known[key] for key in keys))


def known_ids(library: Library, keys: Sequence[int | str]) -> dict[int | str, int]:
    """The ids of the sounds that these name, but for external ids that no sound has. Raises
    `Problem` 409 as `by_external_id` does.
    """
    names = {key: key.removeprefix(_EXTERNAL) for key in keys if isinstance(key, str)}
    by_name = _by_external_ids(library, set(names.values())) if names else {}
    known: dict[int | str, int] = {key: key for key in keys if isinstance(key, int)}
    return known | {key: by_name[name] for key, name in names.items() if name in by_name}


def _by_external_ids(library: Library, names: set[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    # One sound more than there are names: where the page is full, two of its sounds share one.
    for sound in library.page(0, len(names) + 1, where={"external_id": list(names)}):
        name = str(sound.external_id)
        if name in known:
            raise Problem(
                409,
                "ambiguous",
                f"several sounds have the external id {name!r}: name one by its id, such as "
                f"{known[name]} or {sound.id}",
            )
        known[name] = sound.id
    return known


async def _sound_id(
    request: Request,
    library: TheLibrary,
    sound_id: Annotated[
        str,
        Path(
            pattern=_PATTERN,
            description=_FORMS["description"],
            examples=["1"],
        ),
        WithJsonSchema(_FORMS),
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
