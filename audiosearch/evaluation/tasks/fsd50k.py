"""FSD50K (Fonseca et al. 2022): 51,197 clips of Freesound, 200 classes, several of them each."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, csv_rows, spoken

_PARTS = {"train": "train", "val": "valid"}


def read(path: Path) -> Iterator[Item]:
    """Yield the evaluation part, and the development part where it is there.

    A row's labels look like "Crash_cymbal,Cymbal,Percussion"; "and" joins parts that AudioSet
    separates by commas.
    """
    truth = path / "FSD50K.ground_truth"
    for name, audio in (("eval", "FSD50K.eval_audio"), ("dev", "FSD50K.dev_audio")):
        if name == "dev" and not (truth / "dev.csv").is_file():
            continue
        for row in csv_rows(truth / f"{name}.csv"):
            classes = {spoken(label) for label in row["labels"].split(",")}
            split = "test" if name == "eval" else _PARTS[row["split"]]
            yield Item(path / audio / f"{row['fname']}.wav", [], classes, split)


TASK = Task(
    name="fsd50k",
    title="FSD50K",
    folders=("FSD50K", "fsd50k"),
    marker="FSD50K.ground_truth/eval.csv",
    read=read,
    source="https://zenodo.org/records/4060432",
    size="33 GB",
    licence="CC BY 4.0; clips CC0, CC BY, CC BY-NC, Sampling+",
    metric="mAP",
    multi=True,
    zero_shot=0.302,
    best=0.586,
)
