"""VocalSound (Gong et al. 2022): 21,024 recordings of six sounds that people make."""

import json
from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task

_SPOKEN = {"throatclearing": "throat clearing"}
_PARTS = {"te": "test", "val": "valid", "tr": "train"}


def read(path: Path) -> Iterator[Item]:
    """Yield the official parts: ``f0003_0_cough.wav`` is a cough of the speaker f0003."""
    audio = next(path / name for name in ("audio_44k", "audio_16k") if (path / name).is_dir())
    for name, split in _PARTS.items():
        listed = path / "datafiles" / f"{name}.json"
        if split != "test" and not listed.is_file():
            continue
        for entry in json.loads(listed.read_text(encoding="utf-8"))["data"]:
            file = audio / Path(entry["wav"]).name
            speaker, _, label = file.stem.split("_")
            yield Item(file, [], {_SPOKEN.get(label, label)}, split, speaker)


TASK = Task(
    name="vocalsound",
    title="VocalSound",
    folders=("vs_release_44k", "vs_release_16k", "vocalsound"),
    marker="datafiles/te.json",
    read=read,
    source="https://github.com/YuanGongND/vocalsound",
    size="1.7 GB (16 kHz) or 4.5 GB (44.1 kHz)",
    licence="CC BY-SA 4.0",
    zero_shot=0.495,
    best=0.980,
)
