"""ESC-50 (Piczak 2015): 2,000 environmental recordings of 5 s, 50 classes, five official folds."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, csv_rows, spoken


def read(path: Path) -> Iterator[Item]:
    """Yield every clip; clips of one source recording are a group."""
    for row in csv_rows(path / "meta" / "esc50.csv"):
        file, classes = path / "audio" / row["filename"], {spoken(row["category"])}
        yield Item(file, [], classes, row.get("fold", ""), row.get("src_file", ""))


TASK = Task(
    name="esc50",
    title="ESC-50",
    folders=("ESC-50-master", "ESC-50", "esc50"),
    marker="meta/esc50.csv",
    read=read,
    source="https://github.com/karolpiczak/ESC-50",
    size="0.6 GB",
    licence="CC BY-NC 3.0",
    zero_shot=0.826,
    best=0.967,
)
