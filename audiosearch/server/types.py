"""The kinds of values that requests hold, and how much of each."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

MOST_RESULTS = 1_000
MOST_TERMS = 100
MOST_QUERIES = 100
MOST_BATCH_RESULTS = 5_000
# Of a sound's metadata as JSON: as much as a request line holds, for uploads have it there.
MOST_METADATA = 20_000
MOST_CHARACTERS = 10_000

Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
# A request line has room for 64 KB.
Word = Annotated[str, Field(max_length=500)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# Far below what float32 holds.
Coordinate = Annotated[float, Field(ge=-1e30, le=1e30)]
Fields = Annotated[
    str | None,
    Field(
        description="Only these fields of each, separated by commas.",
        pattern="^[a-z_]+(,[a-z_]+)*$",
        max_length=500,
        examples=["id,path,score"],
    ),
]
# Of a sound in the embedding program.
ExternalId = Annotated[str, Field(min_length=1, max_length=1000)]


def small_enough(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata as it is. Raises `ValueError` where it is larger than any that is taken."""
    size = len(json.dumps(metadata))
    if size > MOST_METADATA:
        raise ValueError(f"metadata of at most {MOST_METADATA} characters is taken, not {size}")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(small_enough)]
# SQLite's largest row id.
LARGEST_ID = 2**63 - 1
# Named, so that a generated client has one type for each and not one for each place.
Matching = TypeAliasType("Matching", Literal["both", "sound", "words"])
AudioForm = TypeAliasType("AudioForm", Literal["original", "wav", "opus"])
JobState = TypeAliasType("JobState", Literal["queued", "running", "done", "failed", "cancelled"])
JobStage = TypeAliasType("JobStage", Literal["scan", "index", "cache"])

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Number = Annotated[int, Field(ge=0, le=LARGEST_ID)]
