"""Mridangam strokes (Anantapadmanabhan et al. 2013): 6,977 strokes of a drum, ten kinds."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below


def read(path: Path) -> Iterator[Item]:
    """Yield every stroke: ``224030__akshaylaya__bheem-b-001.wav`` is a bheem, at the tonic B."""
    for number, file in enumerate(sounds_below(path)):
        stroke = file.stem.rpartition("__")[2].split("-")[0]
        yield Item(file, [], {stroke}, str(number % 5 + 1))


TASK = Task(
    name="mridangam-stroke",
    title="Mridangam stroke",
    folders=("mridangam_stroke_1.5", "mridangam_stroke"),
    marker="**/*__*-*-*.wav",
    read=read,
    source="https://zenodo.org/records/4068196",
    size="0.2 GB",
    licence="CC BY 3.0",
    zero_shot=0.345,
    best=0.979,
    note="no official folds: five, by place in the folder",
)
