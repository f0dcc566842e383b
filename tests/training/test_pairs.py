"""Pairs: what is read, what is left out and said, what is refused. Files here are empty: none is opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiosearch.catalog.records import Sound
from audiosearch.errors import InvalidQuery
from audiosearch.evaluation.datasets import DatasetError
from audiosearch.training.pairs import LEAST, library_pairs, read_pairs


def sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def table(root: Path, rows: list[str], head: str = "file,caption,group") -> Path:
    text(root / "pairs.csv", "\n".join([head, *rows]) + "\n")
    return root / "pairs.csv"


def many(root: Path, count: int = LEAST) -> list[str]:
    for i in range(count):
        sound(root / f"{i}.wav")
    return [f"{i}.wav,caption {i},take {i // 2}" for i in range(count)]


def test_captions_of_a_csv(tmp_path: Path) -> None:
    rows = [*many(tmp_path), "3.wav,another  caption,other"]
    read = read_pairs(table(tmp_path, rows))
    assert len(read.pairs) == LEAST
    assert read.notices == ()
    assert read.pairs[3].captions == ("caption 3", "another caption")
    assert [pair.group for pair in read.pairs[:4]] == ["take 0", "take 0", "take 1", "take 1"]
    # A sound without a group is one of its own.
    alone = read_pairs(table(tmp_path, [row.rpartition(",")[0] for row in rows], "file,caption"))
    assert len({pair.group for pair in alone.pairs}) == LEAST


def test_a_class_counts_where_there_is_no_caption(tmp_path: Path) -> None:
    many(tmp_path)
    rows = [f"{i}.wav,{'a dog' if i else ''},dog_bark" for i in range(LEAST)]
    read = read_pairs(table(tmp_path, rows, "file,caption,label"))
    assert [pair.captions for pair in read.pairs[:2]] == [("dog bark",), ("a dog",)]


def test_groups_by_column_and_by_folder(tmp_path: Path) -> None:
    many(tmp_path)
    rows = [f"{i}.wav,caption {i},{i % 3}" for i in range(LEAST)]
    made = table(tmp_path, rows, "file,caption,day")
    assert {pair.group for pair in read_pairs(made, group="day").pairs} == {"0", "1", "2"}
    assert {p.group for p in read_pairs(made, group="folder").pairs} == {str(tmp_path)}
    with pytest.raises(DatasetError, match="no column hour"):
        read_pairs(made, group="hour")
    with pytest.raises(InvalidQuery, match="only a csv"):
        read_pairs(made, "folder", group="day")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    rows = [*many(tmp_path, LEAST + 1), "gone.wav,a sound that is not there,x"]
    rows[4] = "4.wav,,take 2"
    read = read_pairs(table(tmp_path, rows))
    assert len(read.pairs) == LEAST
    assert [line.split(", such as ")[0] for line in read.notices] == [
        "left out: 1 caption names a file that does not exist",
        "left out: 1 sound has no caption",
    ]
    assert "gone.wav" in read.notices[0]
    assert "4.wav" in read.notices[1]


def folder(root: Path) -> None:
    for i in range(LEAST):
        sound(root / ("dog_bark" if i % 2 else "rain") / f"{i}.wav")


def audiocaps(root: Path) -> None:
    rows = ["audiocap_id,youtube_id,start_time,caption"]
    for i in range(LEAST):
        sound(root / "audio" / f"Yvideo{i}_30.flac")
        rows.append(f"{i},video{i},30,a dog barks {i}")
    text(root / "train.csv", "\n".join(rows) + "\n")


def clotho(root: Path) -> None:
    rows = ["file_name," + ",".join(f"caption_{n}" for n in range(1, 6))]
    for i in range(LEAST):
        sound(root / "development" / f"Santa Motor {i}.wav")
        rows.append(f"Santa Motor {i}.wav,a{i},b,c,d,e")
    text(root / "clotho_captions_development.csv", "\n".join(rows) + "\n")


def fsd50k(root: Path) -> None:
    rows = ["fname,labels,mids,split"]
    for i in range(LEAST):
        sound(root / "FSD50K.dev_audio" / f"{i}.wav")
        rows.append(f'{i},"Electric_guitar,Guitar{i % 2}","/m/02sgy,/m/0342h",train')
    text(root / "FSD50K.ground_truth" / "dev.csv", "\n".join(rows) + "\n")
    people = {str(i): {"uploader": f"person {i % 3}"} for i in range(LEAST - 1)}
    text(root / "FSD50K.metadata" / "dev_clips_info_FSD50K.json", json.dumps(people))


@pytest.mark.parametrize(
    ("make", "captions", "groups"),
    [
        (folder, {"dog bark", "rain"}, LEAST),
        (audiocaps, {f"a dog barks {i}" for i in range(LEAST)}, LEAST),
        (clotho, {*"bcde", *(f"a{i}" for i in range(LEAST))}, LEAST),
        (fsd50k, {"electric guitar, guitar0", "electric guitar, guitar1"}, 4),
    ],
    ids=["folder", "audiocaps", "clotho", "fsd50k"],
)
def test_layouts(
    tmp_path: Path, make: Callable[[Path], None], captions: set[str], groups: int
) -> None:
    make(tmp_path)
    read = read_pairs(tmp_path)
    assert len(read.pairs) == LEAST
    assert {caption for pair in read.pairs for caption in pair.captions} == captions
    assert len({pair.group for pair in read.pairs}) == groups
    assert all(pair.path.is_file() for pair in read.pairs)


def test_too_little(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"10 pairs are too few .* at least 20"):
        read_pairs(table(tmp_path, many(tmp_path, 10)))
    gone = [f"no/{i}.wav,caption {i},x" for i in range(30)]
    with pytest.raises(DatasetError, match="30 captions name a file that does not exist, such as"):
        read_pairs(table(tmp_path, gone))
    bare = [f"{i}.wav,,x" for i in range(10)]
    with pytest.raises(DatasetError, match="10 sounds have no caption, such as"):
        read_pairs(table(tmp_path, bare))
    for i in range(30):
        sound(tmp_path / "classes" / "rain" / f"{i}.wav")
    with pytest.raises(DatasetError, match=r"every sound .* has the caption 'rain'"):
        read_pairs(tmp_path / "classes")
    with pytest.raises(DatasetError, match="holds sounds but no captions"):
        read_pairs(tmp_path / "classes" / "rain")
    with pytest.raises(DatasetError, match="there is no file or folder"):
        read_pairs(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no layout nonsuch"):
        read_pairs(tmp_path, "nonsuch")
    with pytest.raises(
        DatasetError, match="is not in the layout csv: it has no column file, but sound, caption"
    ):
        read_pairs(table(tmp_path, ["a,b"], "sound,caption"))


def test_a_library_gives_its_own_descriptions(tmp_path: Path) -> None:
    def catalogued(i: int, **values: Any) -> Sound:
        path = str(sound(tmp_path / f"{i}.wav"))
        return Sound(i, path, str(tmp_path), 0, 0, content=f"hash {i // 2}", **values)

    sounds = [catalogued(i, tags={"description": f"said {i}"}) for i in range(LEAST)]
    sounds.append(catalogued(90, tags={"description": "in the file"}, metadata={"caption": "ours"}))
    sounds.append(catalogued(91, tags={"title": "a title is no description"}))
    read = library_pairs(sounds, "the library")
    assert read.pairs[0].captions == ("said 0",)
    assert read.pairs[0].group == read.pairs[1].group != read.pairs[2].group  # copies go together
    assert read.pairs[-1].captions == ("ours",)
    assert "1 sound has no caption" in read.notices[0]
