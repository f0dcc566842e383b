"""Spectrograms."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from audiosearch.audio.spectrogram import COLUMNS, FOLDER, ROWS, file_of, load, part_of
from audiosearch.library import Library
from audiosearch.server.addressing import SoundId
from audiosearch.server.answers import TheLibrary, ThePools, unless_known
from audiosearch.server.types import Finite

router = APIRouter(prefix="/v1", tags=["sounds"])

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_HEADERS = ("X-Start", "X-End", "X-Lowest-Hz", "X-Highest-Hz")


class Drawn(BaseModel):
    """Which part, and how large the picture is."""

    model_config = ConfigDict(extra="forbid")

    columns: Annotated[int, Field(ge=COLUMNS.start, lt=COLUMNS.stop)] = 1_024
    rows: Annotated[int, Field(ge=ROWS.start, lt=ROWS.stop)] = 128
    start: Annotated[Finite, Field(ge=0, le=1e9)] = 0.0
    end: Annotated[Finite | None, Field(gt=0, le=1e9)] = None


@router.get(
    "/sounds/{sound_id}/spectrogram",
    response_class=Response,
    # Generators of clients know how to keep an octet-stream; a png they leave out.
    responses={200: {"content": {"image/png": _BYTES, "application/octet-stream": _BYTES}}},
    summary="Its spectrogram, or that of a part, in grey.",
)
async def get_spectrogram(
    request: Request,
    library: TheLibrary,
    pools: ThePools,
    sound_id: SoundId,
    drawn: Annotated[Drawn, Query()],
) -> Response:
    """White is the loudest, black 90 dB below; the top row is the highest frequency, the scale is mel.
    `X-Start`, `X-End` (seconds), `X-Lowest-Hz` and `X-Highest-Hz` say what is shown.
    """
    png = await run_in_threadpool(_kept, library, sound_id, drawn)
    if png is None:
        png = await pools.decode(library.spectrogram, sound_id, **drawn.model_dump())
    part = (repr(round(number, 6)) for number in part_of(png))
    headers = dict(zip(_HEADERS, part, strict=True))
    headers["ETag"] = f'"{hashlib.blake2b(png, digest_size=16).hexdigest()}"'
    return unless_known(request, Response(png, headers=headers, media_type="image/png"))


def _kept(library: Library, sound_id: int, drawn: Drawn) -> bytes | None:
    content = library.sound(sound_id).content
    if not content:
        return None
    return load(file_of(library.directory / FOLDER, content, **drawn.model_dump()))
