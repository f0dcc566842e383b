"""After a run: what made-up texts reach in the library (`audiosearch.search.chance`)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.records import StoredModel
from audiosearch.models.model import Model, apply_template
from audiosearch.search import chance
from audiosearch.search.sample import Sample
from audiosearch.vectors.cachefile import SnapshotTooOld
from audiosearch.vectors.window_search import SearchState
from indexer.meta import set_meta


def renew_chance(directory: Path, engine: Engine, stored: StoredModel, model: Model) -> None:
    """Measure it where the library has grown or shrunk by more than a tenth since.

    `model` is the loaded one, of the same digest as `stored`. It takes as long as a hundred searches.
    """
    with engine.connect() as connection:
        windows = window_reading.count_windows(connection, stored.id)
        enough = reading.count_sounds(connection) >= chance.LEAST_SOUNDS
        if not enough or not chance.is_stale(chance.stored_chance(connection, model), windows):
            return
        try:
            search = SearchState(directory).current(connection, stored)
        except SnapshotTooOld:  # the next run measures
            return
        sample = Sample(connection, stored.id, stored.dimension)
        template = model.bundle.query_template
        margins = []
        for text in chance.made_up_texts():
            vector = model.embed_text([apply_template(template, text)])[0]
            _, scores = search.nearest(connection, vector, 1)
            margins.append(float(scores[0]) - sample.spread(vector)[0])
    with engine.begin() as connection:
        set_meta(connection, chance.KEY, chance.chance_of(model, windows, margins).stored)
