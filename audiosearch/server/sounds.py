"""Sounds of the library by id: what is known of them, what is like them, and the audio itself."""

from __future__ import annotations

import mimetypes
import os
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse

from audiosearch.catalog.records import Sound
from audiosearch.errors import SoundNotFound
from audiosearch.results import Hit
from audiosearch.server.answers import TheLibrary, as_json
from audiosearch.server.search import MOST_RESULTS, Page

router = APIRouter(prefix="/v1/sounds", tags=["sounds"])

# SQLite's largest row id.
SoundId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/{sound_id}", response_model=Sound, summary="What is known of a sound.")
def sound(library: TheLibrary, sound_id: SoundId) -> Response:
    return as_json(library.sound(sound_id))


@router.get("/{sound_id}/similar", response_model=Page, summary="Sounds like a sound.")
def similar(
    library: TheLibrary,
    sound_id: SoundId,
    k: Annotated[int, Query(ge=1, le=MOST_RESULTS)] = 10,
) -> Response:
    hits: list[Hit] = library.similar(sound_id, k)
    return as_json(Page(tuple(hits), 0, None))


@router.get(
    "/{sound_id}/audio",
    response_class=FileResponse,
    summary="The file as it is; ranges of bytes are served.",
)
def audio(library: TheLibrary, sound_id: SoundId) -> Response:
    path = library.sound(sound_id).path
    if not os.path.isfile(path):  # noqa: PTH113
        raise SoundNotFound(f"the file of sound {sound_id} is gone, or its disk is not there")
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind)
