"""Short form of `changes`."""

from __future__ import annotations

from tests.effort import thorough_only, tries
from tests.torture.changes import Changes, live


@thorough_only
def test_random_changes() -> None:
    before = dict(Changes.counts)
    # The long form looks for what nobody has seen.
    live(tries(2, 6), 30, derandomize=True)
    assert Changes.counts["runs"] > before["runs"] + tries(6, 20)
