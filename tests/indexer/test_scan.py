"""Which files a walk finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indexer.scan import Walk, is_excluded, is_sound_name


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def found(folder: Path, **options: object) -> list[str]:
    walk = Walk(os.fsencode(folder), **options)  # type: ignore[arg-type]
    return [os.fsdecode(f.path) for f in walk]


def test_only_sounds_in_a_fixed_order(tmp_path: Path) -> None:
    for name in (
        "b.WAV",
        "a.mp3",
        "notes.txt",
        "wav",
        "deep/c.flac",
        ".h.wav",
        "._a.mp3",
        ".d/e.wav",
    ):
        touch(tmp_path / name)
    assert found(tmp_path) == ["a.mp3", "b.WAV", "deep/c.flac"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [(b"a.wav", True), (b"a.tar.OGG", True), (b"a", False), (b"wav", False), (b"a.\xff", False)],
)
def test_names(name: bytes, expected: bool) -> None:
    assert is_sound_name(name) is expected


def test_exclude() -> None:
    assert is_excluded(b"old/deep", ["old/*"])
    assert is_excluded(b"x/old", ["old"])
    assert is_excluded(b"x/a_draft.wav", ["*_draft*"])
    assert not is_excluded(b"older/a.wav", ["old"])


def test_links(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.wav")
    touch(tmp_path / "out" / "b.wav")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "twice").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    assert found(tmp_path / "in") == ["a.wav"]
    assert found(tmp_path / "in", follow_symlinks=True) == ["a.wav", "out/b.wav"]


def test_special_files_are_no_sounds(tmp_path: Path) -> None:
    """A pipe would be waited on for ever."""
    os.mkfifo(tmp_path / "pipe.wav")
    touch(tmp_path / "a.wav")
    assert found(tmp_path) == ["a.wav"]


def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    walk = Walk(os.fsencode(tmp_path / "nowhere"))
    assert list(walk) == []
    assert walk.unreadable == [(b"", "No such file or directory")]
