"""What the page shows beside the results: folders, tags, and what its user may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from audiosearch.catalog.folders import Folder
from audiosearch.catalog.tag_values import Tag
from audiosearch.server.answers import TheLibrary, as_json, tagged, unless_known
from audiosearch.server.settings import Settings
from audiosearch.server.types import Text

router = APIRouter(prefix="/v1", tags=["library"])


@dataclass(frozen=True)
class FolderList:
    """Folders by name."""

    folders: tuple[Folder, ...]


@dataclass(frozen=True)
class TagList:
    """Fields of tags, the most frequent first."""

    tags: tuple[Tag, ...]


@dataclass(frozen=True)
class Session:
    """What this client may do. `add_folders`: the folders at and below which jobs take new paths."""

    scope: Literal["read", "write"]
    add_folders: tuple[str, ...]
    uploads: bool


@router.get("/folders", response_model=FolderList, summary="The folders below one, with counts.")
def list_folders(
    request: Request,
    library: TheLibrary,
    parent: Annotated[
        Text | None, Query(description="An absolute path; without it, the library's own folders.")
    ] = None,
) -> Response:
    return unless_known(request, tagged(FolderList(tuple(library.folders(parent)))))


@router.get("/tags", response_model=TagList, summary="The fields of tags, and their values.")
def list_tags(
    request: Request,
    library: TheLibrary,
    k: Annotated[int, Query(ge=1, le=100, description="At most so many values of each.")] = 20,
) -> Response:
    return unless_known(request, tagged(TagList(tuple(library.tags(k)))))


@router.get("/session", response_model=Session, summary="What this client may do.", tags=["health"])
def get_session(request: Request) -> Response:
    settings: Settings = request.app.state.settings
    scope: Literal["read", "write"] = request.scope.get("key_scope", "write")
    folders = tuple(map(str, settings.folders)) if scope == "write" else ()
    return as_json(Session(scope, folders, settings.uploads is not None))
