"""UrbanSound8K (Salamon et al. 2014): 8,732 excerpts up to 4 s, 10 classes, ten official folds."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, csv_rows, spoken


def read(path: Path) -> Iterator[Item]:
    """Yield every excerpt; excerpts of one recording are a group."""
    for row in csv_rows(path / "metadata" / "UrbanSound8K.csv"):
        file = path / "audio" / f"fold{row['fold']}" / row["slice_file_name"]
        yield Item(file, [], {spoken(row["class"])}, row["fold"], row.get("fsID", ""))


TASK = Task(
    name="urbansound8k",
    title="UrbanSound8K",
    folders=("UrbanSound8K", "urbansound8k"),
    marker="metadata/UrbanSound8K.csv",
    read=read,
    source="https://zenodo.org/records/1203745",
    size="6 GB",
    licence="CC BY-NC 3.0",
    zero_shot=0.732,
    best=0.880,
)
