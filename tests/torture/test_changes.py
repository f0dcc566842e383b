"""Short form of `changes`."""

from __future__ import annotations

from tests.torture.changes import Changes, live


def test_random_changes() -> None:
    before = dict(Changes.counts)
    live(6, 30, derandomize=True)  # the long form looks for what nobody has seen
    assert Changes.counts["runs"] > before["runs"] + 20
