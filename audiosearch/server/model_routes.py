"""What the model says: how labels fit sounds, and the vectors of texts and sounds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from audiosearch.errors import InvalidQuery
from audiosearch.library import Library
from audiosearch.results import Classification
from audiosearch.server.addressing import SoundKey, external_key, ids_of
from audiosearch.server.answers import TheLibrary, ThePools, as_json
from audiosearch.server.types import ExternalId, Text, Word
from audiosearch.server.upload_routes import BODY, TheUpload

router = APIRouter(prefix="/v1", tags=["model"])


class ClassifyRequest(BaseModel):
    """Stored sounds and the labels to try on them."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"ids": [1], "labels": ["dog", "rain"]}}
    )

    ids: Annotated[list[SoundKey], Field(max_length=100)] = []
    external_ids: Annotated[list[ExternalId], Field(max_length=100)] = []
    labels: Annotated[
        list[Word] | None, Field(min_length=1, max_length=100, description="Or a head.")
    ] = None
    head: Annotated[Word | None, Field(description="A trained head, in place of labels.")] = None
    template: Text | None = None
    multi: StrictBool = False


@dataclass(frozen=True)
class StoredClassification(Classification):
    """The same of the stored sound with that id."""

    id: int


@dataclass(frozen=True)
class Classifications:
    """One for each sound, in the order in which they were first named."""

    sounds: tuple[StoredClassification, ...]


@router.post("/classify", response_model=Classifications, summary="How labels fit stored sounds.")
async def classify(library: TheLibrary, pools: ThePools, asked: ClassifyRequest) -> Response:
    return as_json(await pools.decode(_classify, library, asked))


def _classify(library: Library, asked: ClassifyRequest) -> Classifications:
    ids = ids_of(library, [*asked.ids, *map(external_key, asked.external_ids)])
    if not ids:
        raise InvalidQuery("there are no sounds to classify: give their ids or external_ids")
    classifications = library.classify(
        ids, asked.labels, head=asked.head, template=asked.template, multi=asked.multi
    )
    return Classifications(
        tuple(
            StoredClassification(**vars(classification), id=sound_id)
            for sound_id, classification in zip(ids, classifications, strict=True)
        )
    )


class EmbedRequest(BaseModel):
    """Texts to make vectors of."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"texts": ["a door slams"]}}
    )

    texts: Annotated[list[Text], Field(min_length=1, max_length=100)]
    template: Text | None = None


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors, and the model in whose space they lie."""

    vectors: tuple[tuple[float, ...], ...]
    model: str


@dataclass(frozen=True)
class Embedding:
    """The unit vector of a sound of `duration` seconds, and the model in whose space it lies."""

    vector: tuple[float, ...]
    duration: float
    model: str


@router.post("/embed", response_model=Embeddings, summary="Texts as vectors.")
def embed(library: TheLibrary, asked: EmbedRequest) -> Response:
    vectors = library.embed_text(asked.texts, template=asked.template)
    return as_json(Embeddings(tuple(map(tuple, vectors.tolist())), library.model.bundle.name))


@router.post(
    "/embed/audio",
    response_model=Embedding,
    summary="The vector of the sound in the body.",
    openapi_extra=BODY,
)
async def embed_audio(library: TheLibrary, pools: ThePools, upload: TheUpload) -> Response:
    async with upload.file() as path:
        sound = await pools.decode(library.embed_windows, path)
    name = library.model.bundle.name
    return as_json(Embedding(tuple(sound.mean.tolist()), sound.duration, name))


@router.post(
    "/classify/audio",
    response_model=Classification,
    summary="How labels fit the sound in the body.",
    openapi_extra=BODY,
)
async def classify_audio(
    library: TheLibrary,
    pools: ThePools,
    upload: TheUpload,
    label: Annotated[
        list[Word] | None, Query(min_length=1, max_length=50, examples=[["dog", "rain"]])
    ] = None,
    head: Annotated[Word | None, Query(description="A trained head, in place of labels.")] = None,
    template: str | None = None,
    multi: bool = False,
) -> Response:
    def classified(path: Path) -> Classification:
        (classification,) = library.classify(
            [path], label, head=head, template=template, multi=multi
        )
        return dataclasses.replace(classification, path="")

    async with upload.file() as path:
        return as_json(await pools.decode(classified, path))
