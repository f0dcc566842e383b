"""The sample for percentiles, read anew and brought up to date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiosearch.catalog import reading
from audiosearch.catalog.reader import CatalogReader
from audiosearch.search import sample
from audiosearch.search.sample import Sample
from tests.libraries import DIMENSION, random_units, synthetic


def test_brought_up_to_date_it_equals_one_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where contents came in between, fell out of the sample or went."""
    monkeypatch.setattr(sample, "SAMPLE_SOUNDS", 6)
    query, scores = random_units(1, 99)[0], np.array([-0.1, 0.0, 0.05, 0.1], np.float32)
    with synthetic(tmp_path / "library") as made:
        reader = CatalogReader(made.directory)
        kept: Sample | None = None
        for number in range(5):
            hashes = [bytes([200 - 20 * number + i]) * 32 for i in range(4)]
            for i, content in enumerate(hashes):
                made.add(f"{number} {i}.wav", random_units(3, 10 * number + i), content)
            if number == 3:
                made.delete([1, 5, 13])
            with reader.snapshot() as connection:
                active = reading.active_model(connection)
                assert active
                anew = Sample(connection, active.id, DIMENSION)
                kept = Sample(connection, active.id, DIMENSION, kept)
            assert (
                kept.percentiles(query, scores).tolist() == anew.percentiles(query, scores).tolist()
            )
            assert kept.spread(query) == pytest.approx(anew.spread(query), abs=1e-6)
            assert len(kept._content) == len(anew._content)
        reader.close()
