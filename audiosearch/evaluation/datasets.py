"""The reading of datasets on a disk: sounds with captions, with classes, or with both.

Layouts: ``folder`` (each class a folder of sounds), ``csv`` (a file, or ``manifest.csv`` in a folder,
with a column ``file`` and one of ``caption`` or ``description`` and/or one of ``label``, ``kind`` or
``category``; several rows of one file are several captions), ``esc50``, ``urbansound8k``,
``fsd50k`` (the evaluation part), ``clotho`` (the evaluation part) and ``audiocaps`` (test).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audiosearch.errors import AudioSearchError
from audiosearch.evaluation.items import Item


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


def spoken(name: str) -> str:
    """Return the name of a class as people say it: ``dog_bark`` is "dog bark"."""
    return " ".join(name.replace("_", " ").split())


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
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is not in the layout {layout_name}: {error}") from error
    if not items:
        raise DatasetError(f"there are no sounds in {path} (layout {layout_name})")
    return Dataset(path.resolve().name, layout_name, tuple(items))


def detect(path: Path) -> str | None:
    """Return the layout of the dataset at a path, or None where it has none of `LAYOUTS`."""
    return next((name for name, layout in LAYOUTS.items() if layout.is_at(path)), None)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


# -- layouts ----------------------------------------------------------------------------------


def _csv_at(path: Path) -> Path:
    return path / "manifest.csv" if path.is_dir() else path


def _is_csv(path: Path) -> bool:
    where = _csv_at(path)
    return where.suffix == ".csv" and where.is_file()


def _read_csv(path: Path) -> Iterator[Item]:
    where = _csv_at(path)
    items: dict[str, Item] = {}
    for row in _rows(where):
        if row.get("file") is None:
            raise KeyError(f"{where.name} has no column file")
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


def is_sound(path: Path) -> bool:
    """Return whether the indexer reads a file with this name."""
    from indexer.scan import is_sound_name

    return not path.name.startswith(".") and is_sound_name(os.fsencode(path.name))


def _read_folder(path: Path) -> Iterator[Item]:
    for folder in _folders(path):
        for file in sorted(folder.rglob("*")):
            if is_sound(file) and file.is_file():
                yield Item(file, classes={spoken(folder.name)})


def _read_esc50(path: Path) -> Iterator[Item]:
    for row in _rows(path / "meta" / "esc50.csv"):
        yield Item(path / "audio" / row["filename"], classes={spoken(row["category"])})


def _read_urbansound8k(path: Path) -> Iterator[Item]:
    for row in _rows(path / "metadata" / "UrbanSound8K.csv"):
        file = path / "audio" / f"fold{row['fold']}" / row["slice_file_name"]
        yield Item(file, classes={spoken(row["class"])})


def _read_fsd50k(path: Path) -> Iterator[Item]:
    # A row's labels look like "Crash_cymbal,Cymbal,Percussion"; "and" joins parts that AudioSet
    # separates by commas.
    for row in _rows(path / "FSD50K.ground_truth" / "eval.csv"):
        file = path / "FSD50K.eval_audio" / f"{row['fname']}.wav"
        yield Item(file, classes={spoken(label) for label in row["labels"].split(",")})


def _clotho_csv(path: Path) -> Path:
    return path / "clotho_captions_evaluation.csv"


def _read_clotho(path: Path) -> Iterator[Item]:
    for row in _rows(_clotho_csv(path)):
        captions = [row[f"caption_{number}"] for number in range(1, 6)]
        yield Item(path / "evaluation" / row["file_name"], captions)


def _audiocaps_csv(path: Path) -> Path:
    return path / "test.csv"


def _read_audiocaps(path: Path) -> Iterator[Item]:
    """The name of a sound is the video's id, with or without a prefix Y and the start. A sound has
    five rows.
    """
    files: dict[str, Path] = {}
    for file in sorted(path.rglob("*")):
        if is_sound(file):
            files[file.stem] = file
    items: dict[str, Item] = {}
    for row in _rows(_audiocaps_csv(path)):
        video, start = row["youtube_id"], row["start_time"]
        names = (video, f"Y{video}", f"{video}_{start}", f"Y{video}_{start}", row["audiocap_id"])
        sound = next((files[name] for name in names if name in files), path / f"{video}.wav")
        items.setdefault(f"{video} {start}", Item(sound)).captions.append(row["caption"])
    yield from items.values()


def _audiocaps_at(path: Path) -> bool:
    if not _audiocaps_csv(path).is_file():
        return False
    first = next(_rows(_audiocaps_csv(path)), {})
    return {"audiocap_id", "youtube_id", "caption"} <= set(first)


@dataclass(frozen=True)
class _Layout:
    is_at: Callable[[Path], bool]
    read: Callable[[Path], Iterator[Item]]


# The order matters: a dataset of any of the first layouts has folders of sounds too.
LAYOUTS = {
    "esc50": _Layout(lambda path: (path / "meta" / "esc50.csv").is_file(), _read_esc50),
    "urbansound8k": _Layout(
        lambda path: (path / "metadata" / "UrbanSound8K.csv").is_file(), _read_urbansound8k
    ),
    "fsd50k": _Layout(
        lambda path: (path / "FSD50K.ground_truth" / "eval.csv").is_file(), _read_fsd50k
    ),
    "clotho": _Layout(lambda path: _clotho_csv(path).is_file(), _read_clotho),
    "audiocaps": _Layout(_audiocaps_at, _read_audiocaps),
    "csv": _Layout(_is_csv, _read_csv),
    "folder": _Layout(_is_folder, _read_folder),
}
