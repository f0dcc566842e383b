"""Sounds of the library by id: what is known of them, what is like them, and how they sound."""

from __future__ import annotations

import mimetypes
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from audiosearch.catalog.records import Sound
from audiosearch.errors import InvalidQuery, SoundNotFound
from audiosearch.library import Library
from audiosearch.search.query import Term
from audiosearch.server.addressing import SoundId
from audiosearch.server.answers import (
    TheLibrary,
    ThePools,
    as_json,
    some_fields,
    tagged,
    unless_known,
)
from audiosearch.server.problems import Problem
from audiosearch.server.renderings import Renderings
from audiosearch.server.search_models import AskedBySound, Filters, HitPage, SparseHitPage
from audiosearch.server.search_routes import answer
from audiosearch.server.types import LARGEST_ID, AudioForm, Fields

if TYPE_CHECKING:
    from audiosearch.audio.peaks import Peaks

router = APIRouter(prefix="/v1", tags=["sounds"])

MOST_COLUMNS = 65_536

_BYTES = {"schema": {"type": "string", "format": "binary"}}

# Of a long sound a part of up to so many seconds is decoded again to be drawn finely.
_FINE_SECONDS = 120.0
_FINEST_FRAMES = 256

Until = Annotated[float | None, Query(gt=0, le=1e9, allow_inf_nan=False)]
Seconds = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)]


class Walk(Filters):
    """Filters, and where the last page ended."""

    after: Annotated[int, Field(ge=0, le=LARGEST_ID, description="The last id seen.")] = 0
    k: Annotated[int, Field(ge=1, le=1_000)] = 100
    fields: Fields = None


@dataclass(frozen=True)
class SoundPage:
    """Sounds by id, or in the order of their collection; `next` is the `after` of the next page, if
    there is one.
    """

    sounds: tuple[Sound, ...]
    next: int | None


@dataclass(frozen=True)
class SparseSoundPage:
    """The same with those fields that were asked for."""

    sounds: tuple[dict[str, Any], ...]
    next: int | None


@dataclass(frozen=True)
class Outline:
    """Lowest and highest sample of each bucket of `seconds` seconds from `start` on; full scale is
    127."""

    start: float
    seconds: float
    low: tuple[int, ...]
    high: tuple[int, ...]


@router.get(
    "/sounds", response_model=SoundPage | SparseSoundPage, summary="All sounds, page by page."
)
def sounds(library: TheLibrary, walk: Annotated[Walk, Query()]) -> Response:
    page = library.page(walk.after, walk.k, where=walk.given() or None)
    after = page[-1].id if len(page) == walk.k else None
    if walk.fields:
        return as_json(SparseSoundPage(some_fields(page, walk.fields, Sound), after))
    return as_json(SoundPage(tuple(page), after))


@router.get("/sounds/{sound_id}", response_model=Sound, summary="What is known of a sound.")
def sound(request: Request, library: TheLibrary, sound_id: SoundId) -> Response:
    return unless_known(request, tagged(library.sound(sound_id)))


@router.get(
    "/sounds/{sound_id}/similar",
    response_model=HitPage | SparseHitPage,
    summary="Sounds like a sound.",
)
async def similar(
    library: TheLibrary,
    pools: ThePools,
    sound_id: SoundId,
    asked: Annotated[AskedBySound, Query()],
) -> Response:
    pool = pools.decode if asked.group == "near" else pools.search
    return await pool(answer, library, [Term(id=sound_id)], asked.given(), asked)


@router.get(
    "/sounds/{sound_id}/audio",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file, or the part of it.",
            "content": {"audio/*": _BYTES, "application/octet-stream": _BYTES},
        }
    },
    summary="The sound itself, or a part of it; ranges of bytes are served.",
)
async def audio(
    request: Request,
    library: TheLibrary,
    pools: ThePools,
    sound_id: SoundId,
    form: Annotated[
        AudioForm, Query(alias="as", description="wav and opus are made.")
    ] = "original",
    start: Annotated[Seconds, Query(description="Of wav and opus.")] = 0.0,
    end: Until = None,
    *,
    download: Annotated[
        bool, Query(description="As a file to keep, under a name of its own.")
    ] = False,
) -> Response:
    path = (await run_in_threadpool(library.sound, sound_id)).path
    if not await run_in_threadpool(os.path.isfile, path):
        raise SoundNotFound(f"the file of sound {sound_id} is gone, or its disk is not there")
    if form == "original":
        if start or end is not None:
            raise Problem(422, "invalid-request", "a part is given as wav or opus only")
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        # Not inline but for audio: a file is what its owner says, and the page's origin is ours.
        inline = kind.startswith(("audio/", "video/")) and not download
        shown = "inline" if inline else "attachment"
        name = os.path.basename(path).encode("utf-8", "replace").decode()  # noqa: PTH119
        stat = await run_in_threadpool(os.stat, path)
        whole = FileResponse(
            path, media_type=kind, filename=name, content_disposition_type=shown, stat_result=stat
        )
        return unless_known(request, whole)
    renderings: Renderings = request.app.state.renderings
    made = await run_in_threadpool(renderings.made, sound_id, form, start, end)
    if made is None:
        made = await pools.decode(renderings.make, sound_id, form, start, end)
    kind = {"wav": "audio/wav", "opus": "audio/ogg"}[form]
    stat = await run_in_threadpool(os.stat, made)
    kept_as = _part_name(path, form, start, end) if download else None
    return unless_known(
        request, FileResponse(made, media_type=kind, stat_result=stat, filename=kept_as)
    )


def _part_name(path: str, form: str, start: float, end: float | None) -> str:
    """A name for a part of a file that says which: ``door 1.500-2.000.wav``."""
    stem = os.path.splitext(os.path.basename(path))[0].encode("utf-8", "replace").decode()  # noqa: PTH119, PTH122
    until = "" if end is None else f"{end:.3f}"
    part = f" {start:.3f}-{until}" if start or end is not None else ""
    return f"{stem}{part}.{'ogg' if form == 'opus' else form}"


@router.get("/sounds/{sound_id}/peaks", response_model=Outline, summary="Its outline, to draw.")
async def peaks(
    request: Request,
    library: TheLibrary,
    pools: ThePools,
    sound_id: SoundId,
    columns: Annotated[int, Query(ge=1, le=MOST_COLUMNS, description="At most so many.")] = 512,
    start: Seconds = 0.0,
    end: Until = None,
) -> Response:
    whole = await run_in_threadpool(_kept, library, sound_id)
    if whole is None:
        whole = await pools.decode(library.peaks, sound_id)
    if (
        end is not None
        and start < end <= start + _FINE_SECONDS
        and _is_coarse(whole, columns, end - start)
    ):
        part = await pools.decode(library.peaks_of_part, sound_id, start, end)
        drawn = replace(await run_in_threadpool(_outline, part, columns, 0.0, None), start=start)
        return unless_known(request, tagged(drawn))
    drawn = await run_in_threadpool(_outline, whole, columns, start, end)
    return unless_known(request, tagged(drawn))


def _is_coarse(whole: Peaks, columns: int, seconds: float) -> bool:
    """Whether the kept outline of a long sound has fewer buckets than columns in so short a part."""
    return whole.frames > _FINEST_FRAMES and seconds / whole.seconds < columns


def _kept(library: Library, sound_id: int) -> Peaks | None:
    """The outline of a sound that was drawn before."""
    from audiosearch.audio.peaks import FOLDER, load

    content = library.sound(sound_id).content
    return load(library.directory / FOLDER, content) if content else None


def _outline(part: Peaks, columns: int, start: float, end: float | None) -> Outline:
    from audiosearch.audio.peaks import at_most, between

    begins = 0.0
    if start or end is not None:
        if end is not None and not end > start:
            raise InvalidQuery(f"a sound from {start:g} s to {end:g} s is no sound")
        last = len(part.levels) * part.seconds
        part, begins = between(part, start, last if end is None else min(end, last))
    part = at_most(part, columns)
    low, high = part.levels[:, 0].tolist(), part.levels[:, 1].tolist()
    return Outline(begins, part.seconds, tuple(low), tuple(high))
