"""CREMA-D (Cao et al. 2014): 7,442 spoken sentences of 91 actors, six emotions."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below

_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}


def read(path: Path) -> Iterator[Item]:
    """Yield every sentence: ``1001_DFA_ANG_XX.wav`` is of actor 1001, angry."""
    for file in sounds_below(path / "AudioWAV"):
        actor, _, emotion, _ = file.stem.split("_")
        yield Item(file, [], {_EMOTIONS[emotion]}, str(int(actor) % 5 + 1), actor)


TASK = Task(
    name="crema-d",
    title="CREMA-D",
    folders=("CREMA-D", "crema-d"),
    marker="AudioWAV",
    read=read,
    source="https://github.com/CheyneyComputerScience/CREMA-D",
    size="0.6 GB",
    licence="ODbL 1.0",
    prompt="this person is feeling {}",
    zero_shot=0.178,
    best=0.683,
    note="no official folds: five, by actor",
)
