"""Indexing as it goes over the years: files come, change, move, are copied and go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from itertools import count
from pathlib import Path

import pytest

from audiosearch import Library
from indexer.progress import Progress
from tests.e2e.conftest import COMMAND, Indexed, Shell, tone, write
from tests.effort import thorough_only
from tests.libraries import state
from tests.waiting import halted, stored_sounds


@pytest.fixture
def folder(indexed: Indexed) -> Path:
    """Four sounds, indexed."""
    return indexed("my sounds", ["a.wav", "b.wav", "deep/c.wav", "deep/d.flac"])


def test_nothing_to_do(shell: Shell, folder: Path) -> None:
    before = state(shell.library)
    assert "4 unchanged" in shell("index", folder).talk
    assert "4 unchanged" in shell("index").talk  # all folders of the library
    assert state(shell.library) == before


def test_what_an_unchanged_file_belongs_to(shell: Shell, folder: Path) -> None:
    with Library.open(shell.library) as library:
        summary = library.add(folder / "a.wav", external_id="asset-7", metadata={"take": 1})
        assert summary.unchanged == 1
        assert library.sound(folder / "a.wav").external_id == "asset-7"
        assert library.sound(folder / "a.wav").metadata == {"take": 1}
        assert library.sound(folder / "b.wav").external_id is None
        library.add(folder / "a.wav")
        assert library.sound(folder / "a.wav").metadata == {"take": 1}


def test_same_file_same_bits(shell: Shell, folder: Path) -> None:
    once = shell("query", "noise", "--json").out
    shutil.rmtree(shell.library)
    shell("index", folder, "--workers", "1")
    # Ids follow the order in which files finish; everything else is the same to the last bit.
    again = [hit | {"id": 0} for hit in shell("query", "noise", "--json").objects]
    assert again == [json.loads(line) | {"id": 0} for line in once.splitlines()]


def test_edit_touch_rename_copy_delete(shell: Shell, folder: Path) -> None:
    with Library.open(shell.library) as library:
        moved = library.sound(folder / "a.wav")
        library.describe(moved.id, external_id="asset-7")
    (folder / "a.wav").rename(folder / "renamed.wav")
    write(folder / "b.wav", tone())
    shutil.copy(folder / "deep/c.wav", folder / "deep/copy.wav")
    os.utime(folder / "deep/d.flac", (1, 1))
    talk = shell("index", folder).talk
    assert "1 moved" in talk
    assert "1 updated" in talk
    assert "1 copies" in talk
    assert "2 unchanged" in talk
    assert set(shell.sounds()) == {"renamed.wav", "b.wav", "c.wav", "copy.wav", "d.flac"}
    with Library.open(shell.library) as library:
        assert library.sound(folder / "renamed.wav").external_id == "asset-7"
    (folder / "b.wav").unlink()
    assert "1 removed" in shell("index", folder).talk
    assert "b.wav" not in shell.sounds()


@thorough_only
def test_copies_are_one_row_of_a_table(shell: Shell, folder: Path) -> None:
    shutil.copy(folder / "a.wav", folder / "a copy.wav")
    shell("index", folder)
    assert len(shell("query", "noise", "--json").objects) == 5
    table = shell("query", "noise").text
    assert len(table.splitlines()) == 5
    assert "(+1 copies)" in table


@thorough_only
def test_edit_that_keeps_size_and_time_needs_rehash(shell: Shell, folder: Path) -> None:
    path = folder / "a.wav"
    stat = path.stat()
    path.write_bytes((folder / "b.wav").read_bytes())
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert "4 unchanged" in shell("index", folder).talk
    assert "1 updated" in shell("index", folder, "--rehash").talk


def test_sweep_guards(shell: Shell, folder: Path) -> None:
    away = folder.rename(shell.home / "away")
    assert "is not there" in shell("index").talk  # an unplugged disk
    assert len(shell.sounds()) == 4
    folder.mkdir()
    assert "empty" in shell("index").talk  # a mount point without its disk
    assert len(shell.sounds()) == 4
    shutil.copy(away / "a.wav", folder / "a.wav", follow_symlinks=True)
    shutil.copystat(away / "a.wav", folder / "a.wav")
    assert "--prune" in shell("index").talk  # three of four gone
    assert len(shell.sounds()) == 4
    shell("index", "--prune")
    assert set(shell.sounds()) == {"a.wav"}


def test_moved_root(shell: Shell, folder: Path) -> None:
    """A folder that moved as a whole is recognised by its content, not embedded again."""
    new = folder.rename(shell.home / "moved sounds")
    talk = shell("index", new).talk
    assert "4 copies" in talk
    shell("remove", folder)
    assert len(shell.sounds()) == 4
    assert all(hit["path"].startswith(str(new)) for hit in shell.sounds().values())


def test_exclude_hidden_and_resource_forks(shell: Shell, folder: Path) -> None:
    write(folder / ".hidden.wav")
    write(folder / "._fork.wav")
    write(folder / ".git" / "object.wav")
    write(folder / "old" / "e.wav")
    write(folder / "f_draft.wav")
    (folder / "notes.txt").write_text("no sound")
    assert "4 unchanged" in shell("index", folder, "--exclude", "old", "--exclude", "*_draft*").talk
    assert len(shell.sounds()) == 4


@thorough_only
def test_folder_inside_and_around(shell: Shell, folder: Path) -> None:
    assert "2 unchanged" in shell("index", folder / "deep").talk
    write(shell.home / "other" / "x.wav")
    shell("index", shell.home / "other", folder.parent / "my sounds")
    roots = shell("status", "--json").objects[0]["roots"]
    assert [root["path"] for root in roots] == [str(folder), str(shell.home / "other")]


def test_dry_run_changes_nothing(shell: Shell, folder: Path) -> None:
    write(folder / "new.wav")
    (folder / "a.wav").unlink()
    before = state(shell.library)
    talk = shell("index", folder, "--dry-run").talk
    assert "would be: 1 added" in talk
    assert "1 removed" in talk
    assert state(shell.library) == before
    fresh = shell.home / "fresh"
    shell("index", "-L", fresh, folder, "-n", library=False)
    assert not fresh.exists()


def test_remove(shell: Shell, folder: Path) -> None:
    shell("remove", "--dry-run", folder / "a.wav")
    assert len(shell.sounds()) == 4
    shell("remove", folder / "a.wav")
    assert "a.wav" not in shell.sounds()
    shell("remove", folder / "deep")
    assert set(shell.sounds()) == {"b.wav"}
    assert (folder / "a.wav").exists()
    assert "not in the library" in shell("remove", folder / "nonsuch.wav", code=1).talk


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=thorough_only)]
)
def test_interrupt_keeps_what_is_done(shell: Shell, number: int) -> None:
    folder = shell.home / "many"
    for i in range(200):  # the first batch has 64
        write(folder / f"{i:03}.wav", tone(hz=100 + i, seconds=0.1))
    libraries = (shell.home / f"library {number}" for number in count())

    def start() -> subprocess.Popen[bytes]:
        shell.library = next(libraries)
        return subprocess.Popen(
            [COMMAND, "index", "-L", shell.library, folder, "--workers", "1"],
            env=shell.environment,
            stderr=subprocess.PIPE,
        )

    # After the first batch, and before the last.
    process = halted(start, lambda: 0 < stored_sounds(shell.library) <= 128)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    talk = process.communicate()[1].decode()
    assert process.returncode == 130, talk
    assert "interrupted" in talk
    assert "Traceback" not in talk
    done = shell("status", "--json").objects[0]["sounds"]
    assert 0 < done < 200
    assert f"{200 - done} added" in shell("index", folder).talk
    assert len(shell.sounds()) == 200
    shell("doctor")


def test_second_writer(shell: Shell, folder: Path) -> None:
    from indexer.lock import writer_lock

    with writer_lock(shell.library):
        talk = shell("index", folder, code=1).talk
        assert f"process {os.getpid()}" in talk
        assert len(shell.sounds()) == 4  # readers do not care
    shell("index", folder)


@pytest.mark.sqlite("it damages the cache of FAISS")
def test_status_and_doctor(shell: Shell, folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"not a sound at all, not even close")
    shell("index", folder)
    text = shell("status").text
    assert str(folder) in text.replace("\n", "")
    assert "bad.wav" in text
    assert shell("doctor").code == 0  # failed files are no inconsistency
    (shell.library / "vectors.faiss").write_bytes(b"not a cache")
    assert len(shell.sounds()) == 4  # rebuilt in memory
    shell("doctor", "--repair")
    assert "up to date" in shell("status").text


def test_metadata_from_the_library(shell: Shell, folder: Path) -> None:
    """What an embedding program sets is returned and can be filtered by."""
    write(folder / "new.wav")
    with Library.open(shell.library) as library:
        seen: list[Progress] = []
        summary = library.add(
            folder / "new.wav",
            metadata={"project": "Storm"},
            external_id="asset-1",
            on_progress=seen.append,
        )
        assert summary.added == 1
        assert seen[-1].done == 1
        (hit,) = library.search("noise", where={"external_id": "asset-1"})
        assert hit.metadata == {"project": "Storm"}
        (tagged,) = library.search("noise", where={"tag": "project=Storm"})
        assert tagged.path == hit.path == str(folder / "new.wav")
        assert library.remove(hit.path).paths == (hit.path,)
        assert library.search("noise", where={"external_id": "asset-1"}) == []
