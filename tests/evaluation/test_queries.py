"""Figures of short queries: vectors made up, so that every figure is known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiosearch.errors import InvalidQuery
from audiosearch.evaluation.queries import (
    Query,
    occurrences,
    read_queries,
    skewness,
    wording_spread,
)


def unit(*vectors: tuple[float, ...]) -> np.ndarray:
    rows = np.array(vectors)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_spread_is_a_share_of_the_distance_of_unlike_kinds() -> None:
    queries = tuple(Query(*pair) for pair in (("a", "x"), ("b", "y"), ("c", "x")))
    assert wording_spread(queries, unit((1, 0), (0, 1), (1, 0))) == 0
    assert wording_spread(queries, unit((1, 0), (0, 1), (0, 1))) == pytest.approx(1)
    half = wording_spread(queries, unit((1, 0), (0, 1), (1, np.sqrt(3))))
    assert half == pytest.approx(0.5)
    assert wording_spread(queries[:2], unit((1, 0), (0, 1))) is None
    assert wording_spread(queries[::2], unit((1, 0), (0, 1))) is None


def test_a_sound_that_is_always_among_the_first_is_a_hub() -> None:
    scores = np.eye(12)
    scores[:, 0] = 2
    counts = occurrences(scores, k=2)
    # Each other sound comes up for its own query; the first query's second hit is a tie.
    assert counts.tolist() == [12, 2, *[1] * 10]
    assert skewness(counts) > 2
    assert skewness(np.full(5, 3)) == 0


def test_queries_are_read_as_people_write_them(tmp_path: Path) -> None:
    file = tmp_path / "Anfragen ö.csv"
    file.write_text("\ufeffquery,kind\n Hund ,dog_bark\n,dog\n", encoding="utf-8")
    assert read_queries(file, {"dog bark"}) == (Query("Hund", "dog bark"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"query,class\na,b\n", "has no column kind"),
        (b"text\na\n", "has no column query"),
        (b"query,kind\n", "has no queries"),
        (b"query,kind\n ,dog\n", "has no queries"),
        (b"query,kind\nmeow,cat\n", "no sound is of the kind 'cat' of the query 'meow'"),
        (b"\xff\xfe\x00", "not a csv file in UTF-8"),
    ],
)
def test_what_is_no_file_of_queries_is_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "queries.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidQuery, match=message) as caught:
        read_queries(file, {"dog"})
    assert "\n" not in str(caught.value)
