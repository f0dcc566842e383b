"""Beijing Opera percussion (Tian et al. 2014): 236 strokes, four instruments."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below


def read(path: Path) -> Iterator[Item]:
    """Yield every stroke: ``...__bangu-10.wav`` is a bangu; the last dash parts off the number."""
    for number, file in enumerate(sounds_below(path)):
        instrument = file.stem.rpartition("__")[2].split("-")[-2]
        yield Item(file, [], {instrument.lower()}, str(number % 5 + 1))


TASK = Task(
    name="beijing-opera",
    title="Beijing Opera",
    folders=("beijing_opera_percussion_instrument_1.0", "beijing_opera"),
    marker="*__*-*.wav",
    read=read,
    source="https://zenodo.org/records/1285212",
    size="0.1 GB",
    licence="CC BY-NC 4.0",
    zero_shot=0.475,
    best=0.903,
    note="no official folds: five, by place in the folder",
)
