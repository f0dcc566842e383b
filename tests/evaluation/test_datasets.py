"""Layouts, on stand-ins of a few files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audiosearch.evaluation.datasets import DatasetError, read_dataset
from audiosearch.evaluation.task import spoken
from tests.e2e.conftest import SAMPLES


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def folder(root: Path) -> None:
    for name in ("dog_bark/1.wav", "dog_bark/deep/2.flac", "rain/3.mp3", "rain/notes.txt"):
        sound(root / name)
    sound(root / ".hidden" / "4.wav")


def esc50(root: Path) -> None:
    sound(root / "audio" / "1-100-A-0.wav")
    text(
        root / "meta" / "esc50.csv",
        "filename,fold,target,category,esc10,src_file,take\n1-100-A-0.wav,1,0,dog,True,100,A\n",
    )


def urbansound8k(root: Path) -> None:
    sound(root / "audio" / "fold5" / "100032-3-0-0.wav")
    text(
        root / "metadata" / "UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark\n",
    )


def fsd50k(root: Path) -> None:
    sound(root / "FSD50K.eval_audio" / "37199.wav")
    text(
        root / "FSD50K.ground_truth" / "eval.csv",
        'fname,labels,mids\n37199,"Electric_guitar,Guitar","/m/02sgy,/m/0342h"\n',
    )


def clotho(root: Path) -> None:
    sound(root / "evaluation" / "Santa Motor.wav")
    text(
        root / "clotho_captions_evaluation.csv",
        "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\nSanta Motor.wav,a,b,c,d,e\n",
    )


def audiocaps(root: Path) -> None:
    sound(root / "audio" / "Yabc_30.wav")
    text(
        root / "test.csv",
        "audiocap_id,youtube_id,start_time,caption\n1,abc,30,a dog\n2,abc,30,a bark\n",
    )


def manifest(root: Path) -> None:
    sound(root / "a.wav")
    text(root / "manifest.csv", "file,caption,label\na.wav,a door,door_knock\na.wav,a knock,\n")


@pytest.mark.parametrize(
    ("make", "layout", "expected"),
    [
        (
            folder,
            "folder",
            [
                ("1.wav", [], {"dog bark"}),
                ("2.flac", [], {"dog bark"}),
                ("3.mp3", [], {"rain"}),
            ],
        ),
        (esc50, "esc50", [("1-100-A-0.wav", [], {"dog"})]),
        (urbansound8k, "urbansound8k", [("100032-3-0-0.wav", [], {"dog bark"})]),
        (fsd50k, "fsd50k", [("37199.wav", [], {"Electric guitar", "Guitar"})]),
        (clotho, "clotho", [("Santa Motor.wav", ["a", "b", "c", "d", "e"], set())]),
        (audiocaps, "audiocaps", [("Yabc_30.wav", ["a dog", "a bark"], set())]),
        (manifest, "csv", [("a.wav", ["a door", "a knock"], {"door knock"})]),
    ],
)
def test_layouts(
    tmp_path: Path,
    make: Callable[[Path], None],
    layout: str,
    expected: list[tuple[str, list[str], set[str]]],
) -> None:
    make(tmp_path)
    found = read_dataset(tmp_path)
    assert found.layout == layout
    assert [(i.path.name, i.captions, i.classes) for i in found.items] == expected
    assert all(item.path.exists() for item in found.items)
    assert read_dataset(tmp_path, layout).items == found.items


def test_sample_library() -> None:
    found = read_dataset(SAMPLES)
    assert len(found.items) >= 40
    assert len(found.classes) >= 25
    assert len(found.captions) == len(found.items)


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no dataset"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="none of the layouts"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="there is no layout"):
        read_dataset(tmp_path, "nonsuch")
    with pytest.raises(DatasetError, match="not in the layout esc50"):
        read_dataset(tmp_path, "esc50")
    text(tmp_path / "manifest.csv", "name,caption\na.wav,b\n")
    with pytest.raises(DatasetError, match="no column file"):
        read_dataset(tmp_path)


def test_names_as_one_says_them() -> None:
    assert spoken("Crash_cymbal ") == "Crash cymbal"
