"""The kinds of values that requests hold, and how much of each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MOST_RESULTS = 1_000
MOST_TERMS = 100
MOST_QUERIES = 100
MOST_CHARACTERS = 10_000

Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
# A request line has room for 64 KB.
Word = Annotated[str, Field(max_length=500)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# Far below what float32 holds.
Coordinate = Annotated[float, Field(ge=-1e30, le=1e30)]
# SQLite's largest row id.
LARGEST_ID = 2**63 - 1
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Number = Annotated[int, Field(ge=0, le=LARGEST_ID)]
