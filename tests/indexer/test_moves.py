"""Roots that were moved, renamed, or are reached by links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.errors import InvalidQuery, SoundNotFound
from indexer.options import Options
from indexer.run import index
from tests.e2e.conftest import tone, write


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.wav", "deep/b.wav", "deep/er/c.wav")):
        (tmp_path / "old" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "old" / name, tone(300 + 200 * number, seconds=1))
    return tmp_path / "old"


@pytest.fixture
def library(tmp_path: Path, sounds: Path) -> Iterator[Library]:
    index(tmp_path / "library", [str(sounds)], Options(workers=1))
    with Library.open(tmp_path / "library") as opened:
        yield opened


def add(library: Library, *folders: Path) -> Any:
    return index(library.directory, [str(folder) for folder in folders], Options(workers=1))


def paths(library: Library) -> list[str]:
    return [sound.path for sound in library.sounds()]


def consistent(library: Library) -> bool:
    return [f for f in check(library.directory) if f.level == "error"] == []


def test_a_renamed_root(library: Library, sounds: Path) -> None:
    library.describe(sounds / "a.wav", external_id="A", metadata={"take": 1})
    ids = [sound.id for sound in library.sounds()]
    new = sounds.rename(sounds.with_name("new"))
    assert library.status().roots[0].state == "missing"
    rehearsed = library.move_root(sounds, new, dry_run=True)
    assert (rehearsed.moved, rehearsed.merged) == (3, 0)
    assert library.status().roots[0].state == "missing"
    summary = library.move_root(sounds, new)
    assert (summary.old, summary.new, summary.moved) == (str(sounds), str(new), 3)
    assert [sound.id for sound in library.sounds()] == ids
    assert all(Path(path).is_file() for path in paths(library))
    assert library.sound(new / "a.wav").external_id == "A"
    again = add(library, new)
    assert (again.unchanged, again.added, again.copied, again.windows) == (3, 0, 0, 0)
    assert consistent(library)


def test_a_renamed_root_that_was_indexed_anew(library: Library, sounds: Path) -> None:
    """The two become one; what was set on the old rows is not lost."""
    library.describe(sounds / "a.wav", external_id="A", metadata={"take": 1})
    new = sounds.rename(sounds.with_name("new"))
    write(new / "more.wav", tone(2_000, seconds=1))
    (new / "deep" / "b.wav").unlink()
    assert add(library, new).copied == 2
    hits = library.search("a tone", k=99)
    there = [Path(hit.path).exists() for hit in hits if hit.copies or hit.path.endswith("a.wav")]
    assert there[0]
    summary = library.move_root(sounds, new)
    assert (summary.moved, summary.merged) == (3, 2)
    names = [os.path.relpath(path, new) for path in paths(library)]
    assert names == ["a.wav", "deep/b.wav", "deep/er/c.wav", "more.wav"]
    assert library.sound(new / "a.wav").external_id == "A"
    assert library.sound(new / "a.wav").metadata == {"take": 1}
    assert [root.path for root in library.status().roots] == [str(new)]
    assert consistent(library)


def test_into_another_root_and_around_one(library: Library, sounds: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other / "x.wav", tone(1_500, seconds=1))
    add(library, other)
    inside = sounds.rename(other / "sub")
    assert library.move_root(sounds, inside).moved == 3
    assert [root.path for root in library.status().roots] == [str(other)]
    assert str(inside / "deep" / "er" / "c.wav") in paths(library)
    assert add(library, other).unchanged == 4
    # Words of the folders above are words of the sounds.
    assert library.search("sub", k=9)
    assert consistent(library)


def test_what_cannot_be_moved(library: Library, sounds: Path, tmp_path: Path) -> None:
    before = paths(library)
    for old, new, kind in (
        (tmp_path / "nowhere", sounds, SoundNotFound),
        (sounds / "deep", sounds, SoundNotFound),
        (sounds, tmp_path / "nowhere", SoundNotFound),
        (sounds, "", InvalidQuery),
        ("", sounds, InvalidQuery),
    ):
        with pytest.raises(kind) as caught:
            library.move_root(old, new)
        assert "\n" not in str(caught.value)
    assert paths(library) == before


def test_a_root_by_another_name_is_the_same(library: Library, sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(sounds)
    (tmp_path / "parent").symlink_to(tmp_path)
    for name in ("link", "link/deep", "parent/old", "parent/old/deep/er"):
        summary = add(library, tmp_path / name)
        assert (summary.added, summary.copied, summary.moved) == (0, 0, 0), name
        assert summary.unchanged
    assert [root.path for root in library.status().roots] == [str(sounds)]
    assert len(paths(library)) == 3


def test_states(library: Library, sounds: Path) -> None:
    def state() -> str:
        (root,) = library.status().roots
        return root.state

    assert state() == "present"
    away = sounds.rename(sounds.with_name("away"))
    assert state() == "missing"
    sounds.mkdir()
    assert state() == "empty"
    sounds.rmdir()
    sounds.write_bytes(b"")
    assert state() == "missing"
    assert away.is_dir()


def test_copies_that_are_there_come_first(library: Library, sounds: Path, tmp_path: Path) -> None:
    """Of equal content, in every form of answer; the name alone would put the dead ones first."""
    new = sounds.rename(sounds.with_name("zzz"))
    add(library, new)
    flat = library.search("a tone", k=99)
    grouped = library.search("a tone", k=99, group=True)
    assert [Path(hit.path).exists() for hit in grouped] == [True] * len(grouped)
    for first, second in zip(flat[::2], flat[1::2], strict=True):
        assert first.content == second.content
        assert Path(first.path).exists()
        assert not Path(second.path).exists()


def test_metadata_nested_without_end(library: Library, sounds: Path) -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    for metadata in (deep, {"a": [deep]}):
        with pytest.raises(InvalidQuery) as caught:
            library.describe(sounds / "a.wav", metadata=metadata)
        assert "\n" not in str(caught.value)
