"""The reading of datasets on a disk: sounds with captions, with classes, or with both.

Layouts: ``folder`` (each class a folder of sounds), ``csv`` (a file, or ``manifest.csv`` in a folder,
with a column ``file`` and one of ``caption`` or ``description`` and/or one of ``label``, ``kind`` or
``category``; several rows of one file are several captions), ``esc50``, ``urbansound8k``,
``fsd50k`` (the evaluation part), ``clotho`` (the evaluation part) and ``audiocaps`` (test). Those of
public datasets are the readers of `audiosearch.evaluation.tasks`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audiosearch.errors import AudioSearchError
from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, csv_rows, is_sound, spoken
from audiosearch.evaluation.tasks import audiocaps, clotho, esc50, fsd50k, urbansound8k


class DatasetError(AudioSearchError):
    """The dataset cannot be read. The message says where, why, and what a dataset looks like."""


@dataclass(frozen=True)
class Dataset:
    """Sounds in a fixed order; `classes` in alphabetical order."""

    name: str
    layout: str
    items: tuple[Item, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted(set().union(*(item.classes for item in self.items))))

    @property
    def captions(self) -> tuple[str, ...]:
        """Every caption once, in the order of the sounds."""
        return tuple(dict.fromkeys(caption for item in self.items for caption in item.captions))


_CAPTION = ("caption", "description")
_LABEL = ("label", "kind", "category")


def read_dataset(where: str | os.PathLike[str], layout: str | None = None) -> Dataset:
    """Read the dataset at a path. Raises `DatasetError`.

    `layout` is one of `LAYOUTS`; without it, the function recognises the layout.
    """
    path = Path(where)
    if not path.exists():
        raise DatasetError(f"there is no dataset {path}")
    layout_name = layout or detect(path)
    if layout_name is None:
        raise DatasetError(
            f"{path} is in none of the layouts known ({', '.join(LAYOUTS)}): a dataset is a folder "
            "with a folder of sounds for each class, or a csv with columns file and caption or label"
        )
    if layout_name not in LAYOUTS:
        raise DatasetError(f"there is no layout {layout_name}: there is {', '.join(LAYOUTS)}")
    try:
        items = list(LAYOUTS[layout_name].read(path))
    except OSError as error:
        raise DatasetError(
            f"{path} is not in the layout {layout_name}: {error.filename or path}: {error.strerror}"
        ) from error
    except (KeyError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is not in the layout {layout_name}: {error}") from error
    if not items:
        raise DatasetError(f"there are no sounds in {path} (layout {layout_name})")
    return Dataset(path.resolve().name, layout_name, tuple(items))


def detect(path: Path) -> str | None:
    """Return the layout of the dataset at a path, or None where it has none of `LAYOUTS`."""
    return next((name for name, layout in LAYOUTS.items() if layout.is_at(path)), None)


# -- layouts ----------------------------------------------------------------------------------


def _csv_at(path: Path) -> Path:
    return path / "manifest.csv" if path.is_dir() else path


def _is_csv(path: Path) -> bool:
    where = _csv_at(path)
    return where.suffix == ".csv" and where.is_file()


def _read_csv(path: Path) -> Iterator[Item]:
    where = _csv_at(path)
    items: dict[str, Item] = {}
    for row in csv_rows(where):
        if row.get("file") is None:
            raise ValueError("it has no column file")
        item = items.setdefault(row["file"], Item(where.parent / row["file"], row=row))
        item.captions += [row[name] for name in _CAPTION if row.get(name)]
        item.classes |= {spoken(row[name]) for name in _LABEL if row.get(name)}
    yield from items.values()


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and any(
        is_sound(file) for folder in _folders(path) for file in folder.iterdir()
    )


def _read_folder(path: Path) -> Iterator[Item]:
    for folder in _folders(path):
        for file in sorted(folder.rglob("*")):
            if is_sound(file) and file.is_file():
                yield Item(file, classes={spoken(folder.name)})


def _audiocaps_at(path: Path) -> bool:
    if not audiocaps.TASK.is_at(path):
        return False
    first = next(csv_rows(path / audiocaps.TASK.marker), {})
    return {"audiocap_id", "youtube_id", "caption"} <= set(first)


@dataclass(frozen=True)
class _Layout:
    is_at: Callable[[Path], bool]
    read: Callable[[Path], Iterator[Item]]


def _public(task: Task) -> _Layout:
    return _Layout(task.is_at, task.measured)


# The order matters: a dataset of any of the first layouts has folders of sounds too.
LAYOUTS = {
    "esc50": _public(esc50.TASK),
    "urbansound8k": _public(urbansound8k.TASK),
    "fsd50k": _public(fsd50k.TASK),
    "clotho": _public(clotho.TASK),
    "audiocaps": _Layout(_audiocaps_at, audiocaps.TASK.measured),
    "csv": _Layout(_is_csv, _read_csv),
    "folder": _Layout(_is_folder, _read_folder),
}
