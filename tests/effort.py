"""How hard the tests try: a newcomer waits for them, a release can.

`AUDIOSEARCH_TESTS=thorough` (which `.ci/run` sets for its second part) makes many more examples of what
is made up: hypothesis's, and the short forms of `tests.torture`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

THOROUGH = os.environ.get("AUDIOSEARCH_TESTS") == "thorough"


def tries(quick: int, thorough: int) -> int:
    """The number of examples, rounds or mutations to make."""
    return thorough if THOROUGH else quick


# For a test that takes long and covers again, at greater length, what quicker ones cover.
thorough_only = pytest.mark.skipif(not THOROUGH, reason="runs with AUDIOSEARCH_TESTS=thorough")


def quick_first(cases: Sequence[Any], quick: int = 1) -> list[Any]:
    """The cases of `pytest.mark.parametrize`: the first `quick` always run, the others when thorough."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*row, marks=[] if place < quick else thorough_only)
        for place, row in enumerate(rows)
    ]
