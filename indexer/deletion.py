"""The deletion of sounds, and of what no sound needs any more: contents, windows, models, roots.

Deleted windows leave tombstones: readers of an older vector cache mask these windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, delete, select

from audiosearch.catalog import reading
from audiosearch.catalog.dialect import IDS, ids_parameter, portable
from audiosearch.catalog.folder_options import folder_options
from audiosearch.catalog.schema import contents, embeddings, models, roots, sounds, windows


def hashes_of_sounds(connection: Connection, sound_ids: Iterable[int]) -> set[bytes]:
    """Return the hashes of the contents of these sounds."""
    query = portable(
        "SELECT DISTINCT c.hash FROM sounds s JOIN contents c ON c.id = s.content_id "
        f"WHERE s.id IN {IDS}"
    )
    return {row[0] for row in connection.execute(query, ids_parameter(sound_ids))}


def unused_hashes(connection: Connection, hashes: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the hashes whose content the library does not hold."""
    for content in hashes:
        if not connection.execute(select(contents.c.id).where(contents.c.hash == content)).first():
            yield content


def delete_sounds(connection: Connection, sound_ids: Iterable[int]) -> int:
    """Delete sounds, and the contents that no other sound has. Return the number of deleted
    windows.
    """
    values = ids_parameter(sound_ids)
    touched = connection.execute(
        portable(
            f"SELECT DISTINCT content_id FROM sounds WHERE id IN {IDS} AND content_id IS NOT NULL"
        ),
        values,
    )
    content_ids = [row[0] for row in touched]
    connection.execute(portable(f"DELETE FROM sounds WHERE id IN {IDS}"), values)
    connection.execute(portable(f"DELETE FROM words WHERE rowid IN {IDS}"), values)
    return drop_orphans(connection, content_ids)


def drop_orphans(connection: Connection, content_ids: Iterable[int]) -> int:
    """Delete the contents that no sound has, with their windows, and return the number of windows.

    The transaction must have raised the generation, since the tombstones carry it.
    """
    values = ids_parameter(content_ids)
    rows = connection.execute(
        portable(
            f"SELECT id FROM contents WHERE id IN {IDS} "
            "AND NOT EXISTS (SELECT 1 FROM sounds WHERE sounds.content_id = contents.id)"
        ),
        values,
    )
    values = ids_parameter(row[0] for row in rows)
    connection.execute(
        portable(
            "INSERT INTO tombstones (window_id, generation) SELECT id, :generation FROM windows "
            f"WHERE content_id IN {IDS}"
        ),
        {**values, "generation": reading.generation(connection)},
    )
    gone = connection.execute(portable(f"DELETE FROM windows WHERE content_id IN {IDS}"), values)
    connection.execute(portable(f"DELETE FROM embeddings WHERE content_id IN {IDS}"), values)
    connection.execute(portable(f"DELETE FROM contents WHERE id IN {IDS}"), values)
    return gone.rowcount


def drop_model(connection: Connection, model_id: int) -> None:
    """Delete a model that no longer answers, and all its vectors."""
    connection.execute(delete(windows).where(windows.c.model_id == model_id))
    connection.execute(delete(embeddings).where(embeddings.c.model_id == model_id))
    connection.execute(delete(models).where(models.c.id == model_id))


def forget_empty_roots(connection: Connection) -> None:
    """Delete roots that hold no sounds, unless something was set for them."""
    holds = select(sounds.c.id).where(sounds.c.root_id == roots.c.id).exists()
    remembers = (
        select(folder_options.c.below).where(folder_options.c.root_id == roots.c.id).exists()
    )
    connection.execute(delete(roots).where(~holds, ~remembers))
