"""A task: a public dataset with its official layout, parts, metric, class names and prompt.

Each module of `audiosearch.evaluation.tasks` defines one in `TASK`; that is all a new one needs.
The figures of the paper are those of CLAP (Elizalde et al. 2022, arXiv 2206.04769).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from audiosearch.evaluation.items import Item

# The prompt of the paper where it names no other.
PROMPT = "this is a sound of {}"

Metric = Literal["accuracy", "mAP", "retrieval"]


@dataclass(frozen=True)
class Task:
    """A dataset and how it is measured.

    `folders` are the names under which it lies in a folder of datasets; `marker` is a glob below
    one of them that is there if the dataset is. `read` yields its sounds with their split: a fold
    (``1``, ``2``, ...), or ``train``, ``valid`` or ``test``. `source` is the page that offers it.
    `zero_shot` and `best` are the paper's figures. `note` says what is not official.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    marker: str
    read: Callable[[Path], Iterator[Item]]
    source: str
    size: str
    licence: str
    metric: Metric = "accuracy"
    multi: bool = False
    prompt: str = PROMPT
    zero_shot: float | None = None
    best: float | None = None
    note: str = ""

    def is_at(self, path: Path) -> bool:
        """Return whether the dataset is at a path."""
        return path.is_dir() and next(path.glob(self.marker), None) is not None

    def root(self, folder: Path) -> Path | None:
        """Return where the dataset is: a sub-folder of `folder`, or the folder itself."""
        places = [folder / name for name in self.folders]
        return next((place for place in (*places, folder) if self.is_at(place)), None)

    def measured(self, path: Path) -> Iterator[Item]:
        """Yield the sounds that figures are of: every fold, or the test part."""
        return (item for item in self.read(path) if item.split not in ("train", "valid"))


def all_tasks() -> dict[str, Task]:
    """Return the tasks by name, in the order of their modules' names."""
    from audiosearch.evaluation import tasks

    tasks_by_name: dict[str, Task] = {}
    for module in iter_modules(tasks.__path__, f"{tasks.__name__}."):
        task: Task = import_module(module.name).TASK
        tasks_by_name[task.name] = task
    return tasks_by_name


# -- what readers share -----------------------------------------------------------------------


def spoken(name: str) -> str:
    """Return the name of a class as people say it: ``dog_bark`` is "dog bark"."""
    return " ".join(name.replace("_", " ").split())


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a csv file with a header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def plain_rows(path: Path, delimiter: str = "\t") -> Iterator[list[str]]:
    """Yield the rows of a file without a header; lines that begin with # do not count."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file, delimiter=delimiter, skipinitialspace=True):
            if row and not row[0].startswith("#"):
                yield row


def is_sound(path: Path) -> bool:
    """Return whether the indexer reads a file with this name."""
    from indexer.scan import is_sound_name

    return not path.name.startswith(".") and is_sound_name(os.fsencode(path.name))


def sounds_below(path: Path) -> list[Path]:
    """Return the sounds at any depth below a folder, ordered by path."""
    return sorted(file for file in path.rglob("*") if is_sound(file))


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Return sounds by their names without suffix."""
    return {path.stem: path for path in paths}
