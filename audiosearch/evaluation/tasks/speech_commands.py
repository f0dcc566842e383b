"""Speech Commands 2 (Warden 2018): words of 1 s; ten commands, silence, and other words."""

from collections.abc import Iterator
from pathlib import Path

from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import Task, is_sound, sounds_below

_TRAIN, _TEST = "speech_commands_v0.02", "speech_commands_test_set_v0.02"
_COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
_OTHERS = {"_silence_": "silence", "_background_noise_": "silence"}


def read(path: Path) -> Iterator[Item]:
    """Yield the official test set, and the training and validation parts where they are there.

    Both archives unpack into folders of words. ``validation_list.txt`` and ``testing_list.txt``
    name files of the larger one; the latter are left out, for the test set holds them.
    """
    lists = {
        name: set((path / _TRAIN / f"{name}_list.txt").read_text(encoding="utf-8").split())
        if (path / _TRAIN).is_dir()
        else set[str]()
        for name in ("validation", "testing")
    }
    for root in (path / _TEST, path / _TRAIN):
        for file in filter(is_sound, sounds_below(root)):
            word, name = file.parent.name, file.relative_to(root).as_posix()
            if root.name == _TRAIN and name in lists["testing"]:
                continue
            part = "valid" if name in lists["validation"] else "train"
            label = word if word in _COMMANDS else _OTHERS.get(word, "an unknown word")
            split = "test" if root.name == _TEST else part
            yield Item(file, [], {label}, split, file.stem.partition("_nohash_")[0])


TASK = Task(
    name="speech-commands",
    title="Speech Commands",
    folders=("speech_commands",),
    marker=f"{_TEST}/*/*.wav",
    read=read,
    source="http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz and "
    "speech_commands_v0.02.tar.gz beside it, each unpacked into a folder of its name",
    size="2.4 GB",
    licence="CC BY 4.0",
    zero_shot=0.106,
    best=0.968,
)
