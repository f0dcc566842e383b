"""The user's cache of models: where one goes, what killed runs have left there, and its `model.json`."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from audiosearch.errors import InvalidQuery, ModelBroken
from audiosearch.models.bundle import FORMAT, MANIFEST, Bundle, file_entry, read_bundle
from audiosearch.models.registry import BUNDLED, cached_bundle

UNFINISHED = ".compiling-"
# What came of a model before its download was cut; the same command goes on from there.
DOWNLOADS = ".downloading-"
# No run takes a day; a download may be taken up again for a week.
_ABANDONED_SECONDS = {UNFINISHED: 86_400.0, DOWNLOADS: 604_800.0}

# The wording that suits LAION's checkpoints best: 91.6 % on ESC-50, against 81.5 % for "a sound of X".
TEMPLATE = "This is a sound of {}."


def free_place(name: str, origin: str) -> Path:
    """Where the bundle goes; a model of another origin is not replaced by chance.

    Raises `InvalidQuery`.
    """
    if name == BUNDLED:
        raise InvalidQuery(f"the name {BUNDLED} is taken: choose another with --name")
    place = cached_bundle(name)
    if (place / MANIFEST).is_file():
        try:
            other = read_bundle(place).origin
        except ModelBroken:
            return place
        if other != origin:
            raise InvalidQuery(
                f"there is a model {name} already, from {other}: remove it first (audiosearch "
                f"models remove {name}), or choose a name with --name"
            )
    return place


def clear_abandoned(folder: Path) -> None:
    """Delete what runs that were killed have left, half a gigabyte each."""
    for prefix, seconds in _ABANDONED_SECONDS.items():
        for left in folder.glob(f"{prefix}*"):
            if time.time() - left.stat().st_mtime > seconds:
                shutil.rmtree(left, ignore_errors=True)


def put_in_place(directory: Path, target: Path) -> Bundle:
    """Move a finished bundle to its place, and what was there before away."""
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target.parent) as aside:
        if target.exists():
            target.rename(Path(aside) / "replaced")
        directory.rename(target)
    return read_bundle(target)


def write_manifest(directory: Path, values: Mapping[str, object], files: Iterable[str]) -> Bundle:
    """Write `model.json`, with length and hash of each file, and read it back.

    Raises `ModelBroken` for values that make no bundle.
    """
    entries = {name: asdict(file_entry(directory / name)) for name in files}
    manifest = {"format": FORMAT, **values, "files": entries}
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return read_bundle(directory)
