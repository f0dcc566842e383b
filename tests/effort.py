"""How hard the tests try: a newcomer waits for them, a release can.

`AUDIOSEARCH_TESTS=thorough` (which `.ci/run` sets for its second part) makes many more examples of what
is made up: hypothesis's, and the short forms of `tests.torture`.
"""

from __future__ import annotations

import os

import pytest

THOROUGH = os.environ.get("AUDIOSEARCH_TESTS") == "thorough"


def tries(quick: int, thorough: int) -> int:
    """The number of examples, rounds or mutations to make."""
    return thorough if THOROUGH else quick


# For a test that takes long and covers again, at greater length, what quicker ones cover.
thorough_only = pytest.mark.skipif(not THOROUGH, reason="runs with AUDIOSEARCH_TESTS=thorough")
