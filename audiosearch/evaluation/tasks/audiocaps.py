"""AudioCaps (Kim et al. 2019): 10 s of YouTube with captions; the test part, five captions each."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, by_stem, csv_rows, sounds_below


def read(path: Path) -> Iterator[Item]:
    """Yield the sounds of the test part, with their captions.

    The name of a sound is the video's id, with or without a prefix Y and the start. A sound has
    five rows.
    """
    files = by_stem(sounds_below(path))
    items: dict[str, Item] = {}
    for row in csv_rows(path / "test.csv"):
        video, start = row["youtube_id"], row["start_time"]
        names = (video, f"Y{video}", f"{video}_{start}", f"Y{video}_{start}", row["audiocap_id"])
        sound = next((files[name] for name in names if name in files), path / f"{video}.wav")
        item = items.setdefault(f"{video} {start}", Item(sound, split="test"))
        item.captions.append(row["caption"])
    yield from items.values()


TASK = Task(
    name="audiocaps",
    title="AudioCaps",
    folders=("audiocaps", "AudioCaps"),
    marker="test.csv",
    read=read,
    source="https://github.com/cdjkim/audiocaps",
    size="1 GB (test part, from YouTube)",
    licence="captions MIT; clips as on YouTube",
    metric="retrieval",
    prompt="{}",
)
