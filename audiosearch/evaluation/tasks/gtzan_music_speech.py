"""GTZAN music and speech (Tzanetakis 1999): 128 tracks of 30 s, half of them speech."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, sounds_below


def read(path: Path) -> Iterator[Item]:
    """Yield every track, in ten folds by its place in its folder."""
    for folder, label in (("music_wav", "music"), ("speech_wav", "speech")):
        for number, file in enumerate(sounds_below(path / folder)):
            yield Item(file, [], {label}, str(number % 10 + 1))


TASK = Task(
    name="gtzan-music-speech",
    title="GTZAN music speech",
    folders=("music_speech", "gtzan_music_speech"),
    marker="speech_wav",
    read=read,
    source="http://marsyas.info/downloads/datasets.html",
    size="0.3 GB",
    licence="no licence stated",
    zero_shot=1.0,
    best=1.0,
    note="no official folds: ten, by place in the folder",
)
