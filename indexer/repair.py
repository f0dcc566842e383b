"""The repair of the errors that `audiosearch.care.doctor` reports: it drops contradictory rows, and
the next run reads their files again.
"""

from __future__ import annotations

from sqlalchemy import Connection

from audiosearch.care.doctor import cache_findings, damaged_contents
from audiosearch.catalog import migrations, reading
from audiosearch.catalog.dialect import IDS, ids_parameter, on_postgresql, portable
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.store import Address, store_at
from audiosearch.catalog.words import index_words
from audiosearch.vectors.cachefile import CACHE
from indexer.cache import refresh_cache
from indexer.deletion import drop_orphans
from indexer.lock import writing
from indexer.meta import next_generation

# Each entry is a message and the rows to drop. A sound whose content is dropped has neither content
# nor failure: it is dropped as well, and the next run takes its file for a new one.
_STEPS = (
    (
        "sounds with both content and failure: the failure forgotten",
        "DELETE FROM failures WHERE sound_id IN "
        "(SELECT id FROM sounds WHERE content_id IS NOT NULL)",
    ),
    (
        "embeddings of contents that are gone",
        "DELETE FROM embeddings WHERE content_id NOT IN (SELECT id FROM contents)",
    ),
    (
        "windows that belong to no embedding",
        "DELETE FROM windows WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE "
        "e.content_id = windows.content_id AND e.model_id = windows.model_id)",
    ),
    (
        "embeddings without windows",
        "DELETE FROM embeddings WHERE NOT EXISTS (SELECT 1 FROM windows w WHERE "
        "w.content_id = embeddings.content_id AND w.model_id = embeddings.model_id)",
    ),
    (
        "failures of no sound",
        "DELETE FROM failures WHERE sound_id NOT IN (SELECT id FROM sounds)",
    ),
    (
        "sounds with neither content nor failure: the next index run reads them again",
        "DELETE FROM sounds WHERE root_id NOT IN (SELECT id FROM roots) "
        "OR (content_id IS NULL AND id NOT IN (SELECT sound_id FROM failures)) "
        "OR (content_id IS NOT NULL AND content_id NOT IN (SELECT content_id FROM embeddings))",
    ),
)

# Sounds without words, and words without a sound.
_UNEVEN_WORDS = (
    "SELECT id FROM sounds WHERE content_id IS NOT NULL AND id NOT IN (SELECT rowid FROM words) "
    "UNION SELECT rowid FROM words WHERE rowid NOT IN "
    "(SELECT id FROM sounds WHERE content_id IS NOT NULL)"
)


def repair(where: Address) -> list[str]:
    """Repair a library, and return a line for each repair.

    Raises `LibraryDamaged` for a database that cannot be read.
    """
    store = store_at(where)
    done: list[str] = []
    with writing(store) as engine:
        migrations.migrate(engine, store.name)
        with engine.begin() as connection:
            next_generation(connection)
            model = reading.active_model(connection)
            if model:
                bad = _drop_bad_vectors(connection, model)
                if bad:
                    done.append(
                        f"{bad} sounds with damaged vectors: embedded again by the next run"
                    )
            for what, statement in _STEPS:
                count = connection.execute(portable(statement)).rowcount
                if count:
                    done.append(f"{count} {what}")
            every = [row[0] for row in connection.execute(portable("SELECT id FROM contents"))]
            count = drop_orphans(connection, every)
            if count:
                done.append(f"{count} windows of contents that no sound has")
            strays = connection.execute(portable(_UNEVEN_WORDS)).scalars().all()
            if strays:
                index_words(connection, strays)
                done.append(f"the words of {len(strays)} sounds written anew")
            lies = (
                model
                and not on_postgresql(connection)
                and any(
                    finding.code == "cache"
                    for finding in cache_findings(connection, store.directory, model, quick=False)
                )
            )
        if done or lies:
            (store.directory / CACHE).unlink(missing_ok=True)
        if model and refresh_cache(store.directory, engine, model):
            done.append("the vector cache written anew")
        store.merge_log(engine)
    return done


def _drop_bad_vectors(connection: Connection, model: StoredModel) -> int:
    """Drop all vectors of each content that has a damaged vector."""
    bad = damaged_contents(connection, model)
    values = ids_parameter(bad)
    for table in ("windows", "embeddings"):
        connection.execute(
            portable(f"DELETE FROM {table} WHERE content_id IN {IDS} AND model_id = :m"),
            {**values, "m": model.id},
        )
    return len(bad)
