"""The folders of the library over HTTP: their state, and what they leave out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from audiosearch.errors import InvalidQuery
from audiosearch.library import Library
from audiosearch.results import RootStatus
from audiosearch.server.answers import TheLibrary, ThePools, as_json
from audiosearch.server.types import Word

router = APIRouter(prefix="/v1", tags=["library"])

MOST_PATTERNS = 100


@dataclass(frozen=True)
class RootList:
    """The folders of the library, ordered by path."""

    roots: tuple[RootStatus, ...]


class RootOptions(BaseModel):
    """What to set for a folder of the library, or one inside it; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"path": "/sounds", "exclude": ["*_draft*"]}},
    )

    path: Annotated[str, Field(min_length=1, max_length=4_096, description="It is absolute.")]
    exclude: Annotated[
        list[Annotated[Word, Field(min_length=1)]] | None,
        Field(max_length=MOST_PATTERNS, description="Shell patterns of names or relative paths."),
    ] = None
    follow_symlinks: Annotated[
        StrictBool | None,
        Field(
            description="Only false: to follow links, which may lead anywhere, takes the command."
        ),
    ] = None


@dataclass(frozen=True)
class RootOptionsSet:
    """What is set for the folder now. The next run forgets `leaves_out` sounds."""

    path: str
    exclude: tuple[str, ...]
    follow_symlinks: bool | None
    leaves_out: int
    dry_run: bool


@router.get("/roots", response_model=RootList, summary="The folders of the library.")
def roots(library: TheLibrary) -> Response:
    return as_json(RootList(library.status().roots))


@router.patch("/roots", response_model=RootOptionsSet, summary="Set what a folder leaves out.")
async def set_root(library: TheLibrary, pools: ThePools, options: RootOptions) -> Response:
    """The patterns take the place of those that the folder had. The next job forgets the sounds that
    are left out, as if their files were gone, and adds those that no longer are.
    """
    return as_json(await pools.write(_set_root, library, options))


def _set_root(library: Library, options: RootOptions) -> object:
    if not os.path.isabs(options.path):  # noqa: PTH117
        raise InvalidQuery("path must be absolute")
    if options.follow_symlinks:
        raise InvalidQuery(
            "links may lead out of the library's folders: to follow them, say so on the server's "
            "machine: audiosearch roots set FOLDER --follow-symlinks"
        )
    return library.set_root(
        options.path, exclude=options.exclude, follow_symlinks=options.follow_symlinks
    )
