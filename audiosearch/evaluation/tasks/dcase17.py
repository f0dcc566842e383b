"""DCASE 2017 task 4 (Mesaros et al. 2017): 10 s of YouTube, 17 sounds of vehicles and warnings."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, by_stem, plain_rows, sounds_below

_TRAIN, _TEST = (
    "groundtruth_weak_label_training_set.csv",
    "groundtruth_weak_label_testing_set.csv",
)
_EVALUATION = "groundtruth_release/groundtruth_weak_label_evaluation_set.csv"


def read(path: Path) -> Iterator[Item]:
    """Yield the training set, and the evaluation set, or the testing set where that is missing.

    A line has the clip's name, start, end and one label, separated by tabs; a clip has a line for
    each label. Audio files are named as the clips are, with or without a leading Y.
    """
    files = by_stem(sounds_below(path))
    tests = _EVALUATION if (path / _EVALUATION).is_file() else _TEST
    for name, split in ((tests, "test"), (_TRAIN, "train")):
        labels: dict[str, set[str]] = {}
        for row in plain_rows(path / name) if (path / name).is_file() else ():
            labels.setdefault(row[0].removesuffix(".wav"), set()).add(row[3])
        for clip, classes in labels.items():
            file = files.get(clip) or files.get(f"Y{clip}") or path / f"Y{clip}.wav"
            yield Item(file, [], classes, split)


TASK = Task(
    name="dcase17",
    title="DCASE17 task 4",
    folders=(
        "dcase17",
        "Task-4-Large-scale-weakly-supervised-sound-event-detection-for-smart-cars",
    ),
    marker="groundtruth_weak_label_testing_set.csv",
    read=read,
    source="https://dcase.community/challenge2017/task-large-scale-sound-event-detection",
    size="90 GB",
    licence="labels CC BY 4.0; clips as on YouTube",
    metric="mAP",
    multi=True,
    zero_shot=0.300,
    best=0.594,
    note="the paper's figure may be of another metric: it is not comparable where it is not mAP",
)
