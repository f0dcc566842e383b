"""GTZAN genres (Tzanetakis and Cook 2002): 1,000 tracks of 30 s, ten genres."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below

_SPOKEN = {"hiphop": "hip hop"}


def read(path: Path) -> Iterator[Item]:
    """Yield every track; ``blues/blues.00042.wav`` is of fold 3 (42 % 10 + 1)."""
    for file in sounds_below(path):
        genre, _, number = file.stem.partition(".")
        if genre == file.parent.name and number.isdigit():
            yield Item(file, [], {_SPOKEN.get(genre, genre)}, str(int(number) % 10 + 1))


TASK = Task(
    name="gtzan-genres",
    title="GTZAN genres",
    folders=("genres", "genres_original", "gtzan_genres"),
    marker="blues/blues.0*",
    read=read,
    source="http://marsyas.info/downloads/datasets.html",
    size="1.2 GB",
    licence="no licence stated",
    zero_shot=0.252,
    best=0.913,
    note="no official folds: ten, by number; some tracks are copies of others (Sturm 2013)",
)
