"""TUT acoustic scenes 2017 (Mesaros et al. 2016): 4,680 segments of 10 s, 15 scenes, four folds."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, plain_rows, spoken


def read(path: Path) -> Iterator[Item]:
    """Yield the development set; the fold of a segment is the one that evaluates on it.

    A line of ``meta.txt`` has a file, its scene and its recording.
    """
    fold_of: dict[str, str] = {}
    for fold in "1234":
        for row in plain_rows(path / "evaluation_setup" / f"fold{fold}_evaluate.txt"):
            fold_of[row[0]] = fold
    for file, scene, recording in plain_rows(path / "meta.txt"):
        classes = {spoken(scene.replace("/", " or "))}
        yield Item(path / file, [], classes, fold_of[file], recording)


TASK = Task(
    name="tut17",
    title="TUT 2017",
    folders=("TUT-acoustic-scenes-2017-development", "tut17"),
    marker="evaluation_setup/fold1_evaluate.txt",
    read=read,
    source="https://zenodo.org/records/400515",
    size="10 GB",
    licence="TUT: free for non-commercial research",
    zero_shot=0.296,
    best=0.746,
)
