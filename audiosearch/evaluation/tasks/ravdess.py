"""RAVDESS speech (Livingstone and Russo 2018): 1,440 sentences of 24 actors, eight emotions."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below

_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}


def read(path: Path) -> Iterator[Item]:
    """Yield every sentence: ``Actor_12/03-01-06-01-02-01-12.wav`` is of actor 12, fearful."""
    for file in sounds_below(path):
        parts = file.stem.split("-")
        if len(parts) == 7 and parts[:2] == ["03", "01"]:  # sound alone, spoken
            actor = parts[6]
            yield Item(file, [], {_EMOTIONS[parts[2]]}, str(int(actor) % 5 + 1), actor)


TASK = Task(
    name="ravdess",
    title="RAVDESS",
    folders=("Audio_Speech_Actors_01-24", "RAVDESS", "ravdess"),
    marker="Actor_*",
    read=read,
    source="https://zenodo.org/records/1188976",
    size="0.2 GB",
    licence="CC BY-NC-SA 4.0",
    prompt="this person is feeling {}",
    zero_shot=0.160,
    best=0.644,
    note="no official folds: five, by actor",
)
