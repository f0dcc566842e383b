"""The composition of a query: its terms become one vector in the space of one library.

A query vector is the sum of its terms' unit vectors times their weights, scaled to unit length.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.records import StoredModel
from audiosearch.errors import InvalidQuery
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.search.query import Term
from audiosearch.vectors.codec import from_blobs, unit

# A sum shorter than this means that the terms cancel each other: the direction of the rest is
# rounding noise.
_CANCELLED = 1e-3

EmbedTexts = Callable[[Sequence[str]], np.ndarray]
EmbedAudio = Callable[[str, float, float | None], np.ndarray]


def query_vector(
    connection: Connection,
    terms: Sequence[Term],
    stored: StoredModel,
    embed_texts: EmbedTexts,
    embed_audio: EmbedAudio,
) -> np.ndarray:
    """Return the unit vector (d,) of the terms. Stored sounds are not decoded again.

    `embed_texts`: texts -> (n, d); `embed_audio`: path, start, end -> (d,). Raises `InvalidQuery`,
    `SoundNotFound`, and the errors of these two functions.
    """
    texts = [term.text for term in terms if term.text is not None]
    embedded = iter(embed_texts(texts) if texts else ())
    vectors = [
        next(embedded)
        if term.text is not None
        else _term_vector(connection, term, stored, embed_audio)
        for term in terms
    ]
    return compose(vectors, [term.weight for term in terms])


def _term_vector(
    connection: Connection, term: Term, stored: StoredModel, embed_audio: EmbedAudio
) -> np.ndarray:
    if term.vector is not None:
        if np.shape(term.vector) != (stored.dimension,):
            raise InvalidQuery(
                f"a query vector has shape {np.shape(term.vector)}, "
                f"this library's have ({stored.dimension},)"
            )
        return term.vector
    whole = term.start == 0 and term.end is None
    if term.id is not None:
        if not whole:
            return embed_audio(path_of(connection, term.id), term.start, term.end)
        vector = _stored_mean(connection, term.id, stored)
        if vector is None:
            sound = reading.known_sound(connection, term.id)
            why = f": {sound.reason}" if sound.reason else ""
            raise InvalidQuery(f"{sound.path} has no embedding{why}")
        return vector
    assert term.path is not None
    sound_id = _unchanged(connection, term.path) if whole else None
    vector = _stored_mean(connection, sound_id, stored) if sound_id else None
    return embed_audio(term.path, term.start, term.end) if vector is None else vector


def _unchanged(connection: Connection, path: str) -> int | None:
    """Return the id of the stored sound at a path, if the file has not changed since it was
    indexed.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)
    try:
        now = os.stat(absolute)  # noqa: PTH116
    except OSError:
        return None  # the decoder will report the reason
    sound = reading.sound_by_path(connection, absolute)
    if sound and (sound.size, sound.mtime_ns) == (now.st_size, now.st_mtime_ns):
        return sound.id
    return None


def stored_windows(
    connection: Connection, which: int | str, stored: StoredModel
) -> EmbeddedFile | None:
    """Return the stored windows of a sound: by its id, or by the path of an unchanged file.

    `None` means that the library has no such windows.
    """
    sound_id = which if isinstance(which, int) else _unchanged(connection, which)
    content = reading.content_of_sound(connection, sound_id) if sound_id else None
    rows = window_reading.windows_of_contents(connection, [content], stored.id) if content else []
    if not rows:
        return None
    vectors = dict(window_reading.vectors_by_id(connection, [row.id for row in rows]))
    return EmbeddedFile(
        from_blobs([vectors[row.id] for row in rows], stored.dimension),
        np.array([row.start for row in rows]),
        np.array([row.end for row in rows]),
        rows[-1].end,
    )


def _stored_mean(connection: Connection, sound_id: int, stored: StoredModel) -> np.ndarray | None:
    content = reading.content_of_sound(connection, sound_id)
    blob = window_reading.mean_vector(connection, content, stored.id) if content else None
    return from_blobs([blob], stored.dimension)[0] if blob else None


def compose(vectors: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the unit vector (d,) of the weighted sum of vectors (d,).

    Raises `InvalidQuery` where they cancel each other.
    """
    total = np.zeros_like(vectors[0], dtype=np.float32)
    for vector, weight in zip(vectors, weights, strict=True):
        total += np.float32(weight) * unit(vector)
    if not np.isfinite(total).all():
        raise InvalidQuery("a term's vector holds NaN or infinite values")
    if np.linalg.norm(total) < _CANCELLED:
        raise InvalidQuery("the terms of the query cancel each other out: change one of them")
    return unit(total)


def path_of(connection: Connection, sound: int | str) -> str:
    """Return the path of a stored sound by its id, or the path itself."""
    return sound if isinstance(sound, str) else reading.known_sound(connection, sound).path
