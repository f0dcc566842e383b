"""The export of a library's vectors to other programs: to NumPy's ``.npz``, or to Parquet where
pyarrow is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import StoredModel, WindowRow
from audiosearch.errors import AudioSearchError, InvalidQuery
from audiosearch.vectors.stored import vectors_of


def export(connection: Connection, model: StoredModel | None, file: Path, condition: Filter) -> int:
    """Write one row for each window of each sound, and return the number of rows.

    Columns: ``window`` and ``sound`` (ids), ``path``, ``start`` and ``end`` (seconds), ``vector``
    (d, float32, unit length). Raises `InvalidQuery` for another suffix, and `AudioSearchError`
    where the file cannot be written or pyarrow is missing.
    """
    if file.suffix not in (".npz", ".parquet"):
        raise InvalidQuery(f"cannot export to {file}: its name must end in .npz or .parquet")
    columns = _columns(connection, model, condition)
    try:
        if file.suffix == ".npz":
            with file.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **columns)
        else:
            _write_parquet(file, columns)
    except OSError as error:
        raise AudioSearchError(f"cannot write {file}: {error.strerror or error}") from error
    return len(columns["window"])


def _columns(
    connection: Connection, model: StoredModel | None, condition: Filter
) -> dict[str, np.ndarray]:
    dimension = model.dimension if model else 0
    sounds = {s.id: s for s in reading.iterate_sounds(connection, condition, failed=False)}
    contents = reading.contents_of_sounds(connection, sounds)
    of_content: dict[int, list[WindowRow]] = {}
    if model:
        for row in window_reading.windows_of_contents(connection, set(contents.values()), model.id):
            of_content.setdefault(row.content_id, []).append(row)
    rows = [
        (window, sound)
        for sound in sounds.values()
        for window in of_content.get(contents[sound.id], ())
    ]
    ids = np.array([window.id for window, _ in rows], dtype=np.int64)
    stored, vectors = vectors_of(connection, np.unique(ids), dimension)
    return {
        "window": ids,
        "sound": np.array([sound.id for _, sound in rows], dtype=np.int64),
        # Neither format takes lone surrogates, which stand for bytes that are not UTF-8.
        "path": np.array(
            [
                sound.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                for _, sound in rows
            ],
            dtype=str,
        ),
        "start": np.array([window.start for window, _ in rows], dtype=np.float64),
        "end": np.array([window.end for window, _ in rows], dtype=np.float64),
        "vector": vectors[np.searchsorted(stored, ids)],
    }


def _write_parquet(file: Path, columns: dict[str, Any]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise AudioSearchError(
            "writing Parquet needs pyarrow: pip install pyarrow, or export to .npz"
        ) from error
    vectors = columns["vector"]
    flat = pyarrow.array(vectors.reshape(-1))
    table = {name: pyarrow.array(column) for name, column in columns.items() if name != "vector"}
    table["vector"] = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1] or 1)
    pyarrow.parquet.write_table(pyarrow.table(table), file)
