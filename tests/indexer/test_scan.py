"""Which files a walk finds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiosearch.catalog.folder_options import FolderRule
from indexer.rules import Rules, is_excluded
from indexer.scan import Walk, is_sound_name


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def found(folder: Path, *rules: FolderRule) -> list[str]:
    walk = Walk(os.fsencode(folder), Rules(rules))
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
    assert found(tmp_path / "in", FolderRule(follow_symlinks=True)) == ["a.wav", "out/b.wav"]


def test_special_files_are_no_sounds(tmp_path: Path) -> None:
    """A pipe would be waited on for ever."""
    os.mkfifo(tmp_path / "pipe.wav")
    touch(tmp_path / "a.wav")
    assert found(tmp_path) == ["a.wav"]


def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    walk = Walk(os.fsencode(tmp_path / "nowhere"))
    assert list(walk) == []
    assert walk.unreadable == [(b"", "No such file or directory")]


@pytest.mark.parametrize(
    "suffix",
    ["weba", "amb", "m4r", "m4b", "qt", "vob", "3g2", "ogx", "dsf", "dff", "caf", "mpc", "W64"],
)
def test_whatever_can_be_decoded_is_found(suffix: str) -> None:
    assert is_sound_name(b"a." + suffix.encode())


def test_what_is_no_sound_is_counted(tmp_path: Path) -> None:
    for name in ("a.wav", "b.txt", "c.TXT", "deep/d.pdf", "noend", ".hidden.txt", "e.\u00fc"):
        touch(tmp_path / name)
    walk = Walk(os.fsencode(tmp_path), Rules((FolderRule(exclude=("*.pdf",)),)))
    assert [f.path for f in walk] == [b"a.wav"]
    assert walk.passed_over == {"txt": 2, "": 1, "\\xc3\\xbc": 1}


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder for more folders than Python can delete."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_folders_as_deep_as_they_come(deep: Path) -> None:
    """A thousand and more below each other; what is too deep to be named costs itself alone."""
    tmp_path, here = deep, os.open(deep, os.O_RDONLY)
    for _ in range(2_500):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("d/a.wav", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    touch(tmp_path / "z.wav")
    walk = Walk(os.fsencode(tmp_path))
    found = [f.path for f in walk]
    assert len(found) > 1_500
    assert found[-1] == b"z.wav"
    assert found[1_000] == b"d/" * 1_001 + b"a.wav"
    assert {reason for _, reason in walk.unreadable} <= {"File name too long"}


def test_a_folder_that_cannot_be_read_costs_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/x.wav", "b/y.wav", "c/z.wav"):
        touch(tmp_path / name)
    real = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"/b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    walk = Walk(os.fsencode(tmp_path))
    assert [f.path for f in walk] == [b"a/x.wav", b"c/z.wav"]
    assert walk.unreadable == [(b"b", "Permission denied")]


@pytest.mark.parametrize("year", [1601, 2300, 9999])
def test_times_that_sqlite_cannot_hold_are_clamped(tmp_path: Path, year: int) -> None:
    touch(tmp_path / "a.wav")
    nanoseconds = (year - 1970) * 31_556_952 * 10**9
    os.utime(tmp_path / "a.wav", ns=(0, nanoseconds))
    (found,) = Walk(os.fsencode(tmp_path))
    assert abs(found.mtime_ns) < 1 << 63
    assert (found.mtime_ns > 0) == (year > 1970)
