"""`audiosearch roots`, and what `index` says of files that are no sounds."""

from __future__ import annotations

import os
from pathlib import Path

from audiosearch import Library
from tests.e2e.conftest import Indexed, Shell, tone, write
from tests.effort import thorough_only


@thorough_only
def test_a_renamed_folder(shell: Shell, tmp_path: Path) -> None:
    old, new = tmp_path / "my sounds", tmp_path / "ältere Klänge"
    old.mkdir()
    write(old / "a.wav", tone(440))
    write(old / "b.wav", tone(880))
    shell("index", old)
    (root,) = shell("roots", "--json").objects
    assert root == {
        "path": str(old),
        "sounds": 2,
        "present": True,
        "state": "present",
        "exclude": [],
        "follow_symlinks": False,
        "parts": [],
    }
    old.rename(new)
    assert "missing" in shell("roots").text
    assert "roots move" in shell("index").talk
    assert "2 copies" in shell("index", new).talk
    paths = shell("query", "a tone", "--paths").out.splitlines()
    assert paths[0] == os.fsencode(new / "a.wav") or paths[0] == os.fsencode(new / "b.wav")
    assert paths[2].startswith(os.fsencode(old)) or paths[1].startswith(os.fsencode(old))
    assert "2 sounds would be moved" in shell("roots", "move", old, new, "--dry-run").talk
    assert len(shell("roots", "--json").objects) == 2
    done = shell("roots", "move", old, new)
    assert "2 sounds moved to" in done.talk
    assert "2 of them were there already" in done.talk
    (root,) = shell("roots", "--json").objects
    assert (root["path"], root["sounds"]) == (str(new), 2)
    assert len(shell.sounds()) == 2
    assert "2 unchanged" in shell("index").talk


@thorough_only
def test_roots_that_cannot_be_moved(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    write(tmp_path / "s" / "a.wav", tone(440))
    shell("index", tmp_path / "s")
    for old, new in ((tmp_path / "x", tmp_path / "s"), (tmp_path / "s", tmp_path / "x"), ("", "y")):
        ran = shell("roots", "move", old, new, code=1)
        assert ran.talk.count("\n") == 1
        assert ran.talk.startswith("audiosearch: error: ")


def test_other_files_are_counted(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    write(folder / "a.wav", tone(440))
    for name in ("b.txt", "c.TXT", "d.xyz", "none"):
        (folder / name).write_bytes(b"x")
    rehearsal = shell("index", folder, "--dry-run").talk
    assert "passed over: 2 files with .txt" in rehearsal
    assert "passed over: 1 files with .xyz" in rehearsal
    assert "passed over: 1 files with no suffix" in rehearsal
    assert "4 other files passed over" in shell("index", folder).talk


def test_a_remark_is_shown(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    write(folder / "a.wav", tone(440))
    data = (folder / "a.wav").read_bytes()
    at = data.index(b"data") + 4
    (folder / "a.wav").write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    assert "a.wav: its header declares 0 bytes of sound" in shell("index", folder).talk


def test_options_are_shown_and_set(shell: Shell, indexed: Indexed) -> None:
    folder = indexed("Geräusche 1", ["a.wav", "b_draft.wav", "old/c.wav"])
    talk = shell("index", folder, "--exclude", "*_draft*").talk
    assert f"from now on {folder} leaves out *_draft*" in talk
    assert "2 unchanged, 1 removed" in talk
    with Library.open(shell.library) as library:
        library.set_root(folder / "old", follow_symlinks=True)
    table = shell("roots").text
    assert "  leaves out *_draft*\n" in table
    assert "  old: leaves nothing out, follows links\n" in table
    done = shell("roots", "set", folder, "--exclude", "old", "--json")
    (record,) = done.objects
    assert (record["exclude"], record["leaves_out"]) == (["old"], 1)
    assert "the next index forgets 1 sound" in done.talk
    both = shell("roots", "set", folder, "--exclude", "y", "--no-exclude", code=2)
    assert "contradict" in both.talk


@thorough_only
def test_options_that_make_no_sense(shell: Shell, tmp_path: Path) -> None:
    write(tmp_path / "s" / "a.wav", tone(440))
    shell("index", tmp_path / "s")
    wrong = shell("roots", "set", tmp_path / "x", "--exclude", "y", code=1).talk
    assert wrong.startswith("audiosearch: error: ")
    assert wrong.count("\n") == 1
    assert "empty" in shell("roots", "set", tmp_path / "s", "--exclude", "", code=1).talk
    assert "say what to set" in shell("roots", "set", tmp_path / "s", code=2).talk
