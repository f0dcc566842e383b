"""LibriCount (Stöter et al. 2018): 5,720 mixtures of 5 s, of none to ten speakers."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below


def label_of(count: int) -> str:
    """Return the class of a number of speakers."""
    return {0: "no speakers", 1: "1 speaker"}.get(count, f"{count} speakers")


def read(path: Path) -> Iterator[Item]:
    """Yield every mixture: ``3_1021.wav`` has three speakers."""
    for number, file in enumerate(sounds_below(path)):
        count = file.stem.partition("_")[0]
        yield Item(file, [], {label_of(int(count))}, str(number % 5 + 1))


TASK = Task(
    name="libricount",
    title="LibriCount",
    folders=("LibriCount10-0dB", "libricount"),
    marker="**/10_*.wav",
    read=read,
    source="https://zenodo.org/records/1216072",
    size="0.9 GB",
    licence="CC BY 4.0",
    zero_shot=0.179,
    best=0.778,
    note="no official folds: five, by place in the folder",
)
