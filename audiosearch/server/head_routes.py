"""Heads: classifiers that were trained on labelled sounds of the library; listed, trained, removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from audiosearch.library import Library
from audiosearch.library_heads import TAG, HeadSummary
from audiosearch.server.answers import TheLibrary, ThePools, as_json
from audiosearch.server.types import Word

router = APIRouter(prefix="/v1/heads", tags=["model"])

HeadName = Annotated[str, Path(min_length=1, max_length=80, examples=["animals"])]


class HeadTraining(BaseModel):
    """How to train a head on a field in the metadata or tags of the library's sounds."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"field": "category", "balanced": True}}
    )

    field: Annotated[Word, Field(min_length=1, description="Its values are the labels.")]
    group: Annotated[
        Word | None,
        Field(description="`file`, `folder`, or another field: what belongs together."),
    ] = None
    multi: Annotated[StrictBool, Field(description="Labels may occur together.")] = False
    hidden: Annotated[
        int, Field(strict=True, ge=0, le=1024, description="Units of a hidden layer.")
    ] = 0
    balanced: StrictBool = False
    blend: Annotated[StrictBool, Field(description="Start from the labels' names.")] = False
    folds: Annotated[int, Field(strict=True, ge=2, le=20)] = 5


@dataclass(frozen=True)
class HeadList:
    """The heads of the library, ordered by name."""

    heads: tuple[HeadSummary, ...]


@router.get("", response_model=HeadList, summary="The heads of the library.")
def list_heads(library: TheLibrary) -> Response:
    return as_json(HeadList(tuple(library.heads.all())))


@router.get(
    "/{name}", response_model=HeadSummary, summary="How a head was trained, and its figures."
)
def get_head(library: TheLibrary, name: HeadName) -> Response:
    return as_json(_summary(library, name))


def _summary(library: Library, name: str) -> HeadSummary:
    head = library.heads.get(name)  # raises where there is none, or where it is damaged
    return next(one for one in library.heads.all() if one.name == head.name)


@router.put(
    "/{name}",
    response_model=HeadSummary,
    summary="Train a head on a field of the sounds, and keep it.",
)
async def train_head(
    library: TheLibrary, pools: ThePools, name: HeadName, asked: HeadTraining
) -> Response:
    """A head of that name is replaced. Paths on the server's disk are not taken."""

    def trained() -> HeadSummary:
        library.heads.train(
            name,
            TAG + asked.field,
            group=asked.group,
            multi=asked.multi or None,
            hidden=asked.hidden,
            balanced=asked.balanced,
            blend=asked.blend,
            folds=asked.folds,
        )
        return _summary(library, name)

    return as_json(await pools.write(trained))


@router.delete("/{name}", status_code=204, summary="Remove a head.")
async def remove_head(library: TheLibrary, pools: ThePools, name: HeadName) -> Response:
    await pools.write(library.heads.remove, name)
    return Response(status_code=204)
