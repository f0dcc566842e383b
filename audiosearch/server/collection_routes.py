"""Favourites, named collections and saved searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.catalog.collecting import exported
from audiosearch.catalog.collections import FAVOURITES, Collection, SavedSearch
from audiosearch.catalog.records import Sound
from audiosearch.library import Library
from audiosearch.server.addressing import SoundId, SoundKey, id_of, ids_of, known_ids
from audiosearch.server.answers import (
    TheLibrary,
    ThePools,
    as_json,
    some_fields,
    tagged,
    unless_known,
)
from audiosearch.server.problems import Problem
from audiosearch.server.sound_routes import SoundPage, SparseSoundPage
from audiosearch.server.types import LARGEST_ID, Fields

router = APIRouter(prefix="/v1", tags=["collections"])

_MOST_AT_ONCE = 1_000
_TYPES = {
    "paths": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "m3u8": "application/vnd.apple.mpegurl",
}
_SUFFIXES = {"paths": "txt"}

CollectionId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="1: the favourites.")]
SearchId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Harbour"])]
IfMatch = Annotated[
    str | None, Header(description="Only where it has this ETag: nobody changed it since.")
]


class Named(BaseModel):
    """A name."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class CollectionAddition(BaseModel):
    """Sounds to add, or to move, before the sound `before`, which is none of them, or to the end."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"ids": [1]}})

    ids: Annotated[list[SoundKey], Field(min_length=1, max_length=_MOST_AT_ONCE)]
    before: SoundKey | None = None


class CollectionRemoval(BaseModel):
    """Sounds to take out; those that are not in it are passed over."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"ids": [1]}})

    ids: Annotated[list[SoundKey], Field(min_length=1, max_length=_MOST_AT_ONCE)]


class NewSavedSearch(Named):
    """A query to keep under a name: an object of the page's own."""

    query: dict[str, Any]


class SavedChange(BaseModel):
    """Another name, or query, or both."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    query: dict[str, Any] | None = None


@dataclass(frozen=True)
class CollectionList:
    """Collections, the favourites first."""

    collections: tuple[Collection, ...]


@dataclass(frozen=True)
class SearchList:
    """Saved searches by name."""

    searches: tuple[SavedSearch, ...]


def _matching(if_match: str | None) -> Callable[[Any], None]:
    def check(record: Any) -> None:
        if if_match is None or if_match.strip() == "*":
            return
        tags = [tag.strip().removeprefix("W/") for tag in if_match.split(",")]
        if tagged(record).headers["etag"] not in tags:
            raise Problem(
                412, "changed-meanwhile", f"{record.name} is not as it was: read it again"
            )

    return check


def _check_own(number: int) -> None:
    if number == FAVOURITES:
        raise Problem(409, "favourites-stay", "the favourites stay, under their name")


def _made(record: Collection | SavedSearch, place: str) -> Response:
    answer = tagged(record)
    answer.status_code, answer.headers["location"] = 201, f"/v1/{place}/{record.id}"
    return answer


@router.get("/collections", response_model=CollectionList, summary="The collections.")
def list_collections(request: Request, library: TheLibrary) -> Response:
    return unless_known(request, tagged(CollectionList(tuple(library.collections.all()))))


@router.post("/collections", response_model=Collection, status_code=201, summary="Make one.")
async def make_collection(library: TheLibrary, pools: ThePools, named: Named) -> Response:
    return _made(await pools.search(library.collections.make, named.name), "collections")


@router.get(
    "/collections/{collection_id}", response_model=Collection, summary="What is known of one."
)
def get_collection(request: Request, library: TheLibrary, collection_id: CollectionId) -> Response:
    return unless_known(request, tagged(library.collections.get(collection_id)))


@router.patch("/collections/{collection_id}", response_model=Collection, summary="Rename it.")
async def rename_collection(
    library: TheLibrary,
    pools: ThePools,
    collection_id: CollectionId,
    named: Named,
    if_match: IfMatch = None,
) -> Response:
    _check_own(collection_id)
    check = _matching(if_match)
    return tagged(await pools.search(library.collections.rename, collection_id, named.name, check))


@router.delete("/collections/{collection_id}", status_code=204, summary="Delete it.")
async def delete_collection(
    library: TheLibrary, pools: ThePools, collection_id: CollectionId, if_match: IfMatch = None
) -> Response:
    """Its sounds stay in the library."""
    _check_own(collection_id)
    await pools.search(library.collections.delete, collection_id, _matching(if_match))
    return Response(status_code=204)


@router.get(
    "/collections/{collection_id}/sounds",
    response_model=SoundPage | SparseSoundPage,
    summary="Its sounds, page by page.",
)
def list_collected(
    request: Request,
    library: TheLibrary,
    collection_id: CollectionId,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID, description="`next` of the last page.")] = 0,
    k: Annotated[int, Query(ge=1, le=1_000)] = 100,
    fields: Fields = None,
) -> Response:
    sounds, more = library.collections.page(collection_id, after, k)
    if fields:
        return unless_known(
            request, tagged(SparseSoundPage(some_fields(sounds, fields, Sound), more))
        )
    return unless_known(request, tagged(SoundPage(tuple(sounds), more)))


@router.post(
    "/collections/{collection_id}/sounds",
    response_model=Collection,
    summary="Add sounds, or move them.",
)
async def collect_sounds(
    library: TheLibrary,
    pools: ThePools,
    collection_id: CollectionId,
    adding: CollectionAddition,
    if_match: IfMatch = None,
) -> Response:
    check = _matching(if_match)
    return tagged(await pools.search(_collect, library, collection_id, adding, check))


def _collect(
    library: Library, collection_id: int, adding: CollectionAddition, check: Callable[[Any], None]
) -> Collection:
    check(library.collections.get(collection_id))  # what is wrong with it is said first
    before = None if adding.before is None else id_of(library, adding.before)
    return library.collections.add(collection_id, ids_of(library, adding.ids), before, check)


@router.post(
    "/collections/{collection_id}/remove", response_model=Collection, summary="Take sounds out."
)
async def uncollect_sounds(
    library: TheLibrary,
    pools: ThePools,
    collection_id: CollectionId,
    taking: CollectionRemoval,
    if_match: IfMatch = None,
) -> Response:
    check = _matching(if_match)
    return tagged(await pools.search(_uncollect, library, collection_id, taking, check))


def _uncollect(
    library: Library, collection_id: int, taking: CollectionRemoval, check: Callable[[Any], None]
) -> Collection:
    ids = known_ids(library, taking.ids).values()
    return library.collections.remove(collection_id, ids, check)


@router.get(
    "/collections/{collection_id}/export",
    summary="Its sounds as a file of paths, as csv, or as a playlist.",
    response_class=Response,
    responses={
        200: {"content": {kind: {"schema": {"type": "string"}} for kind in _TYPES.values()}}
    },
)
def export_collection(
    library: TheLibrary,
    collection_id: CollectionId,
    form: Annotated[Literal["paths", "csv", "m3u8"], Query(alias="format")] = "paths",
) -> Response:
    library.collections.get(collection_id)
    body = exported(library.collections.sounds(collection_id), form)
    name = f"collection-{collection_id}.{_SUFFIXES.get(form, form)}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, headers=headers, media_type=_TYPES[form])


@router.get(
    "/sounds/{sound_id}/collections",
    response_model=CollectionList,
    summary="The collections that hold it.",
)
def list_holding(library: TheLibrary, sound_id: SoundId) -> Response:
    library.sound(sound_id)
    return as_json(CollectionList(tuple(library.collections.holding(sound_id))))


@router.get("/searches", response_model=SearchList, summary="The saved searches.")
def list_searches(request: Request, library: TheLibrary) -> Response:
    return unless_known(request, tagged(SearchList(tuple(library.collections.searches()))))


@router.post("/searches", response_model=SavedSearch, status_code=201, summary="Save a search.")
async def save_search(library: TheLibrary, pools: ThePools, saving: NewSavedSearch) -> Response:
    save = library.collections.save_search
    return _made(await pools.search(save, saving.name, saving.query), "searches")


@router.patch("/searches/{search_id}", response_model=SavedSearch, summary="Change one.")
async def change_search(
    library: TheLibrary,
    pools: ThePools,
    search_id: SearchId,
    change: SavedChange,
    if_match: IfMatch = None,
) -> Response:
    set_it, check = library.collections.change_search, _matching(if_match)
    return tagged(await pools.search(set_it, search_id, change.name, change.query, check))


@router.delete("/searches/{search_id}", status_code=204, summary="Forget one.")
async def delete_search(
    library: TheLibrary, pools: ThePools, search_id: SearchId, if_match: IfMatch = None
) -> Response:
    forget, check = library.collections.delete_search, _matching(if_match)
    await pools.search(forget, search_id, check)
    return Response(status_code=204)
