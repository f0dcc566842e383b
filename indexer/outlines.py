"""Outlines and spectrograms (`audiosearch.audio`) of contents that the library no longer has."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select

from audiosearch.audio import spectrogram
from audiosearch.audio.peaks import FOLDER
from audiosearch.catalog.schema import contents

# A temporary file of this age, in seconds, belongs to no running process.
_ABANDONED_SECONDS = 3600.0


def drop_outlines(directory: Path, content_hashes: Iterable[bytes]) -> None:
    """Delete the outlines and spectrograms of these contents."""
    for content in content_hashes:
        name = content.hex()
        with suppress(OSError):
            (directory / FOLDER / name[:2] / f"{name}.npz").unlink()
        for picture in (directory / spectrogram.FOLDER / name[:2]).glob(f"{name}-*.png"):
            with suppress(OSError):
                picture.unlink()


def sweep_outlines(directory: Path, connection: Connection) -> None:
    """Delete the outlines and spectrograms of contents that are gone.

    Each is named by its content. One that cannot be deleted takes room, but is never shown
    for another sound.
    """
    query = select(contents.c.id)
    drawn = (directory / folder for folder in (FOLDER, spectrogram.FOLDER))
    for path in (path for folder in drawn for path in folder.glob("??/*")):
        with suppress(OSError):
            named = re.fullmatch(r"([0-9a-f]{64})(\.npz|-.*\.png)", path.name)
            if named:
                content = query.where(contents.c.hash == bytes.fromhex(named[1]))
                going = connection.execute(content).first() is None
            else:
                going = time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
            if going:
                path.unlink()
