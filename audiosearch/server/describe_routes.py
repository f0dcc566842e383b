"""What the embedding program says of sounds: its own ids and metadata, set, merged and removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.catalog.records import Sound
from audiosearch.errors import InvalidQuery, SoundNotFound
from audiosearch.library import Library
from audiosearch.server.addressing import SoundId, SoundKey, known_ids
from audiosearch.server.answers import TheLibrary, ThePools, as_json, tagged
from audiosearch.server.problems import Problem
from audiosearch.server.types import ExternalId, Metadata, Text, small_enough

router = APIRouter(prefix="/v1", tags=["sounds"])

MOST_DESCRIBED = 1_000
MERGE = "application/merge-patch+json"
_DELETED = ".deleted"

IfMatch = Annotated[
    str | None, Header(description="Only where the sound has this ETag: nobody changed it since.")
]


class Description(BaseModel):
    """What the embedding program knows of a sound; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"external_id": "A-7", "metadata": {"rights": "cleared"}}},
    )

    external_id: ExternalId | None = None
    metadata: Metadata | None = None


class SoundDescription(Description):
    """The same of the sound with that id or absolute path."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"path": "/sounds/door.wav", "external_id": "A-7"}},
    )

    id: SoundKey | None = None
    path: Text | None = None


class DescriptionBatch(BaseModel):
    """A catalogue's worth."""

    model_config = ConfigDict(extra="forbid")

    sounds: Annotated[list[SoundDescription], Field(min_length=1, max_length=MOST_DESCRIBED)]


@dataclass(frozen=True)
class DescriptionResult:
    """How many of the rows were carried out, and the ids or paths that are not in the library, as
    they were given. An external id names the sound that has it before any row is carried out.
    """

    described: int
    unknown: tuple[int | str, ...]


@router.post(
    "/descriptions", response_model=DescriptionResult, summary="Set ids and metadata of many."
)
async def describe_many(library: TheLibrary, pools: ThePools, many: DescriptionBatch) -> Response:
    return as_json(await pools.write(_describe_many, library, many))


def _describe_many(library: Library, many: DescriptionBatch) -> DescriptionResult:
    known, unknown = [], []
    ids = known_ids(library, [about.id for about in many.sounds if about.id is not None])
    for about in many.sounds:
        if (about.id is None) == (about.path is None):
            raise InvalidQuery("each sound is named by its id or by its path")
        which = about.id if about.id is not None else str(about.path)
        try:
            sound = library.sound(which if about.id is None else ids[about.id])
        except (KeyError, SoundNotFound, UnicodeEncodeError, ValueError):
            unknown.append(which)
        else:
            known.append((sound.id, about.external_id, about.metadata))
    library.describe_many(known)
    return DescriptionResult(len(known), tuple(unknown))


@router.patch(
    "/sounds/{sound_id}",
    response_model=Sound,
    summary="Set its id and metadata.",
    openapi_extra={
        "requestBody": {
            "content": {MERGE: {"schema": {"$ref": "#/components/schemas/DescriptionPatch"}}}
        }
    },
)
async def describe(
    request: Request,
    library: TheLibrary,
    pools: ThePools,
    sound_id: SoundId,
    about: Description,
    if_match: IfMatch = None,
) -> Response:
    """As `application/json`, the metadata takes the place of what was there. As
    `application/merge-patch+json` (RFC 7396), fields are set one by one, and removed where they are
    null; so is the external id.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def change(sound: Sound) -> tuple[str | None, Mapping[str, Any]]:
        check_match(sound, if_match)
        if kind == MERGE:
            return _merged(sound, about)
        external_id = sound.external_id if about.external_id is None else about.external_id
        return external_id, sound.metadata if about.metadata is None else about.metadata

    return tagged(await pools.write(_amend, library, sound_id, change))


def _amend(library: Library, sound_id: int, change: Any) -> Sound:
    from indexer.amend import amend

    return amend(library.store, sound_id, change)


def _merged(sound: Sound, about: Description) -> tuple[str | None, Mapping[str, Any]]:
    given = about.model_fields_set
    external_id = about.external_id if "external_id" in given else sound.external_id
    metadata: Any = sound.metadata
    if "metadata" in given:
        metadata = merged(metadata, about.metadata) if about.metadata is not None else {}
    try:
        return external_id, small_enough(metadata)
    except ValueError as error:
        raise InvalidQuery(str(error)) from error


def merged(target: Any, patch: Any) -> Any:
    """A JSON value after a merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = merged(kept.get(name), value)
    return kept


def check_match(sound: Sound, if_match: str | None) -> None:
    """Raises `Problem` 412 where the sound has none of these ETags."""
    if if_match is None or if_match.strip() == "*":
        return
    tags = [tag.strip().removeprefix("W/") for tag in if_match.split(",")]
    if tagged(sound).headers["etag"] not in tags:
        raise Problem(412, "changed-meanwhile", "the sound is not as it was: read it again")


@router.delete("/sounds/{sound_id}", status_code=204, summary="Forget it.")
async def forget(
    request: Request,
    library: TheLibrary,
    pools: ThePools,
    sound_id: SoundId,
    file: Annotated[bool, Query(description="Delete the file of an upload too.")] = False,
    if_match: IfMatch = None,
) -> Response:
    """A file is left where it is, and comes back with the next job that finds it; that of an upload
    is put away in `.deleted` in the folder of uploads, which no job looks into.
    """
    uploads: Path | None = request.app.state.settings.uploads
    await pools.write(_forget, library, sound_id, uploads, file, if_match)
    return Response(status_code=204)


def _forget(
    library: Library, sound_id: int, uploads: Path | None, delete: bool, if_match: str | None
) -> None:
    sound = library.sound(sound_id)
    check_match(sound, if_match)
    path = Path(sound.path)
    managed = uploads is not None and path.parent.resolve() == uploads.resolve()
    if delete and not managed:
        raise Problem(409, "not-an-upload", "only files that were uploaded here can be deleted")
    library.remove(sound_id)
    if not managed:
        return
    try:
        if delete:
            path.unlink(missing_ok=True)
        elif path.exists():
            (path.parent / _DELETED).mkdir(exist_ok=True)
            path.replace(path.parent / _DELETED / f"{sound_id} {path.name}")
    except OSError as error:
        raise Problem(
            500, "file-stays", f"the sound is forgotten, its file stays: {error.strerror}"
        ) from error
