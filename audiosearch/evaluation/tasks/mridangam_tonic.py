"""Mridangam tonics (Anantapadmanabhan et al. 2013): the same 6,977 strokes by tuning, six of them."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below
from audiosearch.evaluation.tasks.mridangam_stroke import TASK as STROKE

_SPOKEN = {"csh": "C sharp", "dsh": "D sharp"}


def read(path: Path) -> Iterator[Item]:
    """Yield every stroke: ``224030__akshaylaya__bheem-b-001.wav`` has the tonic B."""
    for number, file in enumerate(sounds_below(path)):
        tonic = file.stem.rpartition("__")[2].split("-")[1]
        yield Item(file, [], {_SPOKEN.get(tonic, tonic.upper())}, str(number % 5 + 1))


TASK = Task(
    name="mridangam-tonic",
    title="Mridangam tonic",
    folders=STROKE.folders,
    marker=STROKE.marker,
    read=read,
    source=STROKE.source,
    size=STROKE.size,
    licence=STROKE.licence,
    zero_shot=0.197,
    best=0.953,
    note=STROKE.note,
)
