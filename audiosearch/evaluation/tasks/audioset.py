"""AudioSet (Gemmeke et al. 2017): 10 s of YouTube, 527 classes, several of them each."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, by_stem, csv_rows, plain_rows, sounds_below


def read(path: Path) -> Iterator[Item]:
    """Yield the evaluation segments, and the balanced training segments where they are there.

    Audio files are named by the video: ID, YID, or either with _START (seconds), in any folder.
    Segments whose video is gone have no file, and are left out.
    """
    names = {row["mid"]: row["display_name"] for row in csv_rows(path / "class_labels_indices.csv")}
    files = by_stem(sounds_below(path))
    for name, split in (("eval_segments", "test"), ("balanced_train_segments", "train")):
        if not (path / f"{name}.csv").is_file():
            continue
        for video, start, _, labels in plain_rows(path / f"{name}.csv", ","):
            stems = (video, f"Y{video}", f"{video}_{start}", f"Y{video}_{start}")
            file = next((files[stem] for stem in stems if stem in files), None)
            if file:
                yield Item(file, [], {names[mid] for mid in labels.split(",")}, split)


TASK = Task(
    name="audioset",
    title="AudioSet",
    folders=("AudioSet", "audioset"),
    marker="eval_segments.csv",
    read=read,
    source="https://research.google.com/audioset/download.html",
    size="20 GB (evaluation and balanced training, from YouTube)",
    licence="labels CC BY 4.0; clips as on YouTube",
    metric="mAP",
    multi=True,
    zero_shot=0.058,
    note="the head learns from the balanced part alone",
)
