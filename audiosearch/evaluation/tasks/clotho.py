"""Clotho (Drossos et al. 2020): 15 to 30 s of Freesound with five captions; the evaluation part."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, csv_rows


def read(path: Path) -> Iterator[Item]:
    """Yield the sounds of the evaluation part, with their captions."""
    for row in csv_rows(path / "clotho_captions_evaluation.csv"):
        captions = [row[f"caption_{number}"] for number in range(1, 6)]
        yield Item(path / "evaluation" / row["file_name"], captions, split="test")


TASK = Task(
    name="clotho",
    title="Clotho",
    folders=("clotho", "Clotho"),
    marker="clotho_captions_evaluation.csv",
    read=read,
    source="https://zenodo.org/records/4783391",
    size="1.6 GB (evaluation part)",
    licence="captions: Tampere University, non-commercial; clips CC0, CC BY, CC BY-NC",
    metric="retrieval",
    prompt="{}",
)
