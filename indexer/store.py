"""The writing of the catalog: one transaction for each batch, so nothing is half done.

Every transaction that changes sounds or windows raises the library's generation by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from audiosearch.catalog import migrations, reading
from audiosearch.catalog.dialect import portable, upsert
from audiosearch.catalog.schema import (
    contents,
    embeddings,
    failures,
    models,
    sounds,
    windows,
)
from audiosearch.catalog.store import Address, Store, store_at
from audiosearch.catalog.ucs import index_names
from audiosearch.catalog.words import index_words
from audiosearch.models.model import Model
from audiosearch.vectors.codec import to_blob
from indexer.belongings import Belongings
from indexer.deletion import drop_orphans
from indexer.meta import next_generation
from indexer.pipeline import Embedded, Failed, Known, Outcome
from indexer.plan import FileTask


def create_library(where: Address) -> None:
    """Make the place and an empty library in it, unless it holds one."""
    store = store_at(where)
    store.make()
    if not store.exists():
        with store.lock(wait=30.0):
            upgrade_library(store, create=True)


def upgrade_library(store: Store, *, create: bool = False) -> None:
    """Bring the library's schema up to date."""
    with store.translating():
        engine = store.writer(create=create)
        try:
            migrations.migrate(engine, store.name)
        finally:
            engine.dispose()


def ensure_model(connection: Connection, model: Model) -> int:
    """Return the id of a model's row; make the row where there is none."""
    digest = model.identity.digest
    row = {
        "name": model.bundle.name,
        "digest": digest,
        "identity": json.dumps(model.identity.to_json()),
        "dimension": model.bundle.dimension,
    }
    connection.execute(
        upsert(connection, models).values(row).on_conflict_do_nothing(index_elements=["digest"])
    )
    model_id: int = connection.execute(
        select(models.c.id).where(models.c.digest == digest)
    ).scalar_one()
    return model_id


def has_embedding(connection: Connection, content_hash: bytes, model_id: int) -> bool:
    """Return whether the store holds the model's vectors of a content."""
    query = (
        select(embeddings.c.content_id)
        .join(contents)
        .where(contents.c.hash == content_hash, embeddings.c.model_id == model_id)
    )
    return connection.execute(query).first() is not None


@dataclass
class Stored:
    """The outcome of a batch, in files. The files in `again` must be read once more: their content
    was deleted before they were stored.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    copied: int = 0
    unchanged: int = 0
    again: list[FileTask] = field(default_factory=list)


def store_batch(
    connection: Connection,
    outcomes: Sequence[Outcome],
    model_id: int,
    missing: set[int],
    belongings: Belongings,
) -> Stored:
    """Write finished files in this transaction.

    `missing` are rows whose files are gone. A new file with the content of such a row is that
    sound, moved: its row, with its id and metadata, takes the new path and leaves `missing`.
    """
    stored = Stored()
    placed: list[int] = []
    next_generation(connection)
    for outcome in outcomes:
        if isinstance(outcome, Embedded):
            content_id = _store_content(connection, outcome, model_id)
            placed.append(_place(connection, outcome, content_id, missing, belongings, stored))
        elif isinstance(outcome, Known):
            stored_id = _content_id(connection, outcome.read.hash)
            if stored_id is not None and has_embedding(connection, outcome.read.hash, model_id):
                placed.append(_place(connection, outcome, stored_id, missing, belongings, stored))
            else:
                stored.again.append(outcome.task)
        elif isinstance(outcome, Failed):
            placed.append(_store_failure(connection, outcome, belongings))
    index_words(connection, placed)
    index_names(connection, placed)
    return stored


def _content_id(connection: Connection, content_hash: bytes) -> int | None:
    return connection.execute(select(contents.c.id).where(contents.c.hash == content_hash)).scalar()


def _loudness(file: Embedded) -> dict[str, float | None]:
    return {"loudness": file.done.loudness.integrated, "peak": file.done.loudness.peak}


def is_measured(connection: Connection, content_hash: bytes) -> bool:
    """Return whether the content's loudness was measured: what is stored is heard, so it has a
    peak.
    """
    query = select(contents.c.peak).where(contents.c.hash == content_hash)
    return connection.execute(query).scalar() is not None


def _store_content(connection: Connection, file: Embedded, model_id: int) -> int:
    content_id = _content_id(connection, file.read.hash)
    if content_id is None:
        content_id = connection.execute(
            insert(contents)
            .values(
                hash=file.read.hash,
                duration=file.done.duration,
                sample_rate=file.done.info["sample_rate"],
                channels=file.done.info["channels"],
                format=file.done.info["format"],
                subtype=file.done.info["subtype"],
                tags=json.dumps(file.done.tags, ensure_ascii=False),
                truncated=file.done.truncated,
                notices=json.dumps(file.done.notices, ensure_ascii=False),
                **_loudness(file),
            )
            .returning(contents.c.id)
        ).scalar_one()
    else:
        connection.execute(
            update(contents).where(contents.c.id == content_id).values(_loudness(file))
        )
    row = upsert(connection, embeddings).values(
        content_id=content_id,
        model_id=model_id,
        mean=to_blob(file.mean),
        windows=len(file.vectors),
    )
    fresh = connection.execute(
        # A driver may not know how many rows were written.
        row.on_conflict_do_nothing(index_elements=["content_id", "model_id"]).returning(
            embeddings.c.content_id
        )
    )
    if fresh.first():  # else a copy came first
        connection.execute(
            insert(windows),
            [
                {
                    "content_id": content_id,
                    "model_id": model_id,
                    "position": position,
                    "start": start,
                    "end": end,
                    "vector": to_blob(vector),
                }
                for position, (vector, start, end) in enumerate(
                    zip(file.vectors, file.starts, file.ends, strict=True)
                )
            ],
        )
    return content_id


def _place(
    connection: Connection,
    outcome: Embedded | Known,
    content_id: int,
    missing: set[int],
    belongings: Belongings,
    stored: Stored,
) -> int:
    """Point the file's row at its content, and return the row's id.

    A file without a row gets a new one, or that of a moved file.
    """
    task = outcome.task
    values = {
        "root_id": task.root_id,
        "path": task.relative,
        "size": outcome.read.size,
        "mtime_ns": outcome.read.mtime_ns,
        "content_id": content_id,
        **belongings.values(),
    }
    sound_id = task.sound_id
    if sound_id is None:
        sound_id = _moved_from(connection, content_id, missing)
        if sound_id is not None:
            missing.discard(sound_id)
            stored.moved += 1
        elif isinstance(outcome, Known):
            stored.copied += 1
        else:
            stored.added += 1
    before = None
    if sound_id is None:
        sound_id = connection.execute(
            insert(sounds).values(values).returning(sounds.c.id)
        ).scalar_one()
    else:
        before = reading.content_of_sound(connection, sound_id)
        connection.execute(update(sounds).where(sounds.c.id == sound_id).values(values))
        connection.execute(delete(failures).where(failures.c.sound_id == sound_id))
    if task.sound_id is not None:
        if before == content_id:
            stored.unchanged += 1
        else:
            stored.updated += 1
    if before is not None and before != content_id:
        drop_orphans(connection, [before])
    return sound_id


def _moved_from(connection: Connection, content_id: int, missing: set[int]) -> int | None:
    if not missing:
        return None
    holders = connection.execute(
        select(sounds.c.id).where(sounds.c.content_id == content_id).order_by(sounds.c.id)
    )
    return next((row.id for row in holders if row.id in missing), None)


def _store_failure(connection: Connection, failed: Failed, belongings: Belongings) -> int:
    task: FileTask = failed.task
    values = {
        "root_id": task.root_id,
        "path": task.relative,
        "size": task.size,
        "mtime_ns": task.mtime_ns,
        "content_id": None,
        **belongings.values(),
    }
    before = None
    if task.sound_id is None:
        sound_id: int = connection.execute(
            insert(sounds).values(values).returning(sounds.c.id)
        ).scalar_one()
    else:
        sound_id = task.sound_id
        before = reading.content_of_sound(connection, sound_id)
        connection.execute(update(sounds).where(sounds.c.id == sound_id).values(values))
    reason = {"kind": failed.kind, "reason": failed.reason}
    row = upsert(connection, failures).values(sound_id=sound_id, **reason)
    connection.execute(row.on_conflict_do_update(index_elements=["sound_id"], set_=reason))
    if before is not None:
        drop_orphans(connection, [before])
    return sound_id


def without_embedding(connection: Connection, model_id: int) -> int:
    """Return the number of sounds with a content that the model has not embedded."""
    count: int = connection.execute(
        portable(
            "SELECT count(*) FROM sounds WHERE content_id IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM embeddings e WHERE e.content_id = sounds.content_id "
            "AND e.model_id = :model)"
        ),
        {"model": model_id},
    ).scalar_one()
    return count
