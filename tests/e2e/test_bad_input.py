"""What people have on their disks and type into their terminals: each gets a clear word, and nothing
else is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch import Library
from tests.e2e.conftest import COMMAND, SAMPLES, Shell, tone, write
from tests.effort import quick_first, thorough_only
from tests.waiting import wait_until

GOOD = "good.wav"


def one_line(talk: str) -> str:
    """The error, which is one line that names the program."""
    lines = talk.strip().splitlines()
    assert len(lines) == 1, talk
    assert lines[0].startswith("audiosearch: error: "), talk
    return lines[0]


def index_with(shell: Shell, folder: Path) -> str:
    """Index `folder`, in which a good sound was put; the talk."""
    write(folder / GOOD)
    talk = shell("index", folder).talk
    assert GOOD in shell.sounds()
    return talk


def failure(shell: Shell, name: str) -> dict[str, str]:
    """The stored failure of a file."""
    found = shell("status", "--failed", "--json").objects
    return next(f for f in found if Path(f["path"]).name == name)


def test_no_library(shell: Shell) -> None:
    for command in (["query", "rain"], ["status"], ["similar", SAMPLES / "water/drop.mp3"]):
        line = one_line(shell(*command, code=1).talk)
        assert "audiosearch index FOLDER" in line


def test_empty_folder(shell: Shell) -> None:
    (shell.home / "empty").mkdir()
    talk = shell("index", shell.home / "empty").talk
    assert "no sounds" in talk
    ran = shell("query", "rain")
    assert ran.out == b""
    assert "audiosearch index FOLDER" in ran.talk


def test_folder_that_is_not_there_or_is_a_file(shell: Shell) -> None:
    assert "there is no folder" in one_line(shell("index", shell.home / "nowhere", code=1).talk)
    write(shell.home / "a.wav")
    assert "is a file" in one_line(shell("index", shell.home / "a.wav", code=1).talk)
    assert not shell.library.exists()


NO_SOUNDS = [
    ("zero.wav", b"", "empty"),
    ("text.wav", b"Dear diary, today I renamed a text to a sound.\n" * 40, "undecodable"),
    ("header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "undecodable"),
    ("list.mp3", b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n", "undecodable"),
    ("picture.flac", b"\x89PNG\r\n\x1a\n" + bytes(300), "undecodable"),
]


def test_what_is_no_sound(shell: Shell) -> None:
    folder = shell.home / "in"
    folder.mkdir()
    for name, content, _ in NO_SOUNDS:
        (folder / name).write_bytes(content)
    talk = index_with(shell, folder)
    assert "1 added" in talk
    assert "5 failed" in talk
    failures = shell("status", "--failed", "--json").objects
    by_name = {Path(f["path"]).name: f for f in failures}
    for name, _, kind in NO_SOUNDS:
        assert name in talk
        assert by_name[name]["kind"] == kind
        assert by_name[name]["reason"]
    # They are not tried again until they change.
    assert "5 failed before" in shell("index", folder).talk


@thorough_only
def test_nan_and_silence(shell: Shell) -> None:
    folder = shell.home / "in"
    broken = tone(seconds=2.0)
    broken[40_000] = np.nan
    write(folder / "nan.wav", broken, subtype="FLOAT")
    write(folder / "silent.wav", np.zeros(64_000, dtype=np.float32))
    index_with(shell, folder)
    assert failure(shell, "nan.wav")["kind"] == "nan"
    assert "1.250 s" in failure(shell, "nan.wav")["reason"]
    assert failure(shell, "silent.wav")["kind"] == "silent"


@thorough_only
def test_unusual_sounds_are_sounds(shell: Shell) -> None:
    folder = shell.home / "in"
    write(folder / "three samples.wav", tone(seconds=1.0)[10:13])
    write(folder / "eight channels.wav", np.stack([tone()] * 8, axis=1))
    write(folder / "192 kHz.wav", tone(rate=192_000), 192_000)
    write(folder / "8 kHz.wav", tone(rate=8_000), 8_000)
    index_with(shell, folder)
    found = shell.sounds()
    assert len(found) == 5
    assert found["eight channels.wav"]["channels"] == 8
    assert found["192 kHz.wav"]["sample_rate"] == 192_000
    assert found["three samples.wav"]["duration"] == pytest.approx(3 / 32_000)
    for hit in found.values():
        assert 0 <= hit["start"] < hit["end"] <= hit["duration"]


@thorough_only
def test_truncated(shell: Shell) -> None:
    folder = shell.home / "in"
    write(folder / "whole.wav", tone(seconds=10.0))
    whole = (folder / "whole.wav").read_bytes()
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    assert "1 truncated" in index_with(shell, folder)
    found = shell.sounds()
    assert found["cut.wav"]["duration"] == pytest.approx(5.0, abs=0.01)
    with Library.open(shell.library) as library:
        assert library.sound(folder / "cut.wav").truncated == "declared 10.0 s, decoded 5.0 s"
        assert library.sound(folder / "whole.wav").truncated is None


@thorough_only
def test_ten_hours(shell: Shell) -> None:
    """A night in the field: two minutes of sound, ten hours apart (8 kHz: 290 MB of samples)."""
    folder = shell.home / "in"
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 480_000).astype(np.float32)
    with soundfile.SoundFile(folder / "a night.wav", "w", 8_000, 1, subtype="PCM_U8") as file:
        for minute in range(600):
            file.write(noise if minute in (0, 599) else np.zeros_like(noise))
    shell("index", folder)
    moments = shell("query", "noise", "--moments", "--json").objects
    assert {moment["duration"] for moment in moments} == {36_000}
    assert min(moment["start"] for moment in moments) < 60
    assert max(moment["end"] for moment in moments) > 35_940
    # Silence has no windows: 24 of 2.5 s in each minute, and one or two that reach into it.
    assert 46 <= shell("status", "--json").objects[0]["windows"] <= 54


NAMES = [
    b"with space.wav",
    b'it\'s "quoted".wav',
    b"new\nline.wav",
    "kampfläuten 焚き火 🔥.wav".encode(),
    b"latin-1 \xe9t\xe9.wav",
    b"-dash.wav",
    b"percent %s %00.wav",
    b"semi;colon $(x) `y` \\.wav",
]


@thorough_only
def test_names(shell: Shell) -> None:
    folder = os.fsencode(shell.home / "füße & hände")
    for name in NAMES:
        write(os.path.join(folder, name))  # noqa: PTH118 (bytes)
    shell("index", folder)
    expected = sorted(os.path.join(folder, name) for name in NAMES)  # noqa: PTH118 (bytes)
    ran = shell("query", "noise", "-k", "100", "-0")
    assert sorted(ran.out.split(b"\0")[:-1]) == expected
    hits = shell("query", "noise", "-k", "100", "--json").objects
    assert sorted(os.fsencode(hit["path"]) for hit in hits) == expected
    table = shell("query", "noise", "-k", "100").text
    assert len(table.splitlines()) == 1 + len(NAMES)  # a newline in a name makes no row
    for path in expected:
        assert shell("similar", path, "-k", "1", "--json").objects[0]["score"] > 0.99
    assert len(shell("query", "noise", "-k", "9", "--path", "*焚き火*", "--json").objects) == 1
    assert "8 unchanged" in shell("index", folder).talk


@thorough_only
def test_symlink_loop(shell: Shell) -> None:
    folder = shell.home / "in"
    write(folder / "deep" / GOOD)
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "itself").symlink_to(folder / "itself")
    write(shell.home / "elsewhere" / "linked.wav")
    (folder / "link").symlink_to(shell.home / "elsewhere")
    shell("index", folder)
    assert set(shell.sounds()) == {GOOD}
    shell("index", folder, "--follow-symlinks")
    assert set(shell.sounds()) == {GOOD, "linked.wav"}


@thorough_only
def test_no_permission(shell: Shell) -> None:
    folder = shell.home / "in"
    write(folder / "closed.wav")
    write(folder / "room" / "inside.wav")
    (folder / "closed.wav").chmod(0)
    (folder / "room").chmod(0)
    if os.access(folder / "closed.wav", os.R_OK):  # a superuser: let go of what makes one
        shell.through = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if not shutil.which("setpriv"):
            pytest.skip("permissions do not bind a superuser, and there is no setpriv")
    talk = index_with(shell, folder)
    assert failure(shell, "closed.wav")["kind"] == "unreadable"
    assert "room cannot be looked into" in " ".join(talk.split())
    (folder / "closed.wav").chmod(0o644)
    (folder / "room").chmod(0o755)
    shell("index", folder)
    assert set(shell.sounds()) == {GOOD, "closed.wav", "inside.wav"}
    # What was known of a room that closes is kept.
    (folder / "room").chmod(0)
    shell("index", folder)
    assert set(shell.sounds()) == {GOOD, "closed.wav", "inside.wav"}
    (folder / "room").chmod(0o755)


@thorough_only
def test_file_that_grows_during_the_run(shell: Shell) -> None:
    """A recording in progress: whatever was read, the next run knows that it is not the same now."""
    folder = shell.home / "in"
    write(folder / GOOD)
    with soundfile.SoundFile(folder / "growing.wav", "w", 32_000, 1) as file:
        file.write(tone(seconds=5.0))
        file.flush()
        process = subprocess.Popen(
            [COMMAND, "index", "-L", shell.library, folder],
            env=shell.environment,
            stderr=subprocess.PIPE,
        )
        more = tone(seconds=0.1)
        while process.poll() is None:
            file.write(more)
            file.flush()
            time.sleep(0.01)  # ten times as fast as a recorder
        assert process.returncode == 0
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()
        process.stderr.close()
    shell("index", folder)
    with soundfile.SoundFile(folder / "growing.wav") as file:
        duration = file.frames / 32_000
    assert shell.sounds()["growing.wav"]["duration"] == pytest.approx(duration)


@thorough_only
def test_files_that_go_during_the_run(shell: Shell) -> None:
    folder = shell.home / "in"
    for i in range(60):
        write(folder / f"{i:02}.wav")
    process = subprocess.Popen(
        [COMMAND, "index", "-L", shell.library, folder, "--workers", "1"],
        env=shell.environment,
        stderr=subprocess.PIPE,
    )
    wait_until(shell.library.exists, process)
    for i in range(30, 60):
        (folder / f"{i:02}.wav").unlink()
    talk = process.communicate()[1].decode()
    assert process.returncode == 0, talk
    assert "Traceback" not in talk
    shell("index", folder)
    assert set(shell.sounds()) == {f"{i:02}.wav" for i in range(30)}


def test_unknown_model(shell: Shell) -> None:
    write(shell.home / "in" / GOOD)
    line = one_line(shell("index", shell.home / "in", "--model", "nonsuch", code=1).talk)
    assert "nonsuch" in line
    assert "audiosearch models" in line


@pytest.mark.sqlite("it opens the file of SQLite itself")
@thorough_only
def test_library_of_a_newer_version(shell: Shell) -> None:
    index_with(shell, shell.home / "in")
    with sqlite3.connect(shell.library / "library.db") as database:
        database.execute("UPDATE migrations SET number = 999 WHERE number = 1")
    for command in (["query", "rain"], ["index", shell.home / "in"], ["status"]):
        line = one_line(shell(*command, code=1).talk)
        assert "newer" in line
        assert "upgrade" in line


@pytest.mark.sqlite("what it mounts is the folder of SQLite's file")
@thorough_only
def test_read_only_library(shell: Shell) -> None:
    """A library on a medium that nobody can write still answers."""
    index_with(shell, shell.home / "in")
    before = shell("query", "rain", "--json").out
    disk = shell.home / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-o", "bind,ro", shell.library, disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("read-only mounts are not to be had here")
    try:
        ran = shell("query", "-L", disk, "rain", "--json", library=False)
        assert ran.out == before
        shell("status", "-L", disk, library=False)
        shell("doctor", "-L", disk, library=False)
        write(shell.home / "in" / "new.wav")
        line = one_line(shell("index", "-L", disk, shell.home / "in", library=False, code=1).talk)
        assert "read-only" in line.lower()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("text", quick_first(["", "   ", "?!... --", "\t\n"]))
def test_query_without_words(sample_shell: Shell, text: str) -> None:
    one_line(sample_shell("query", "--", text, code=1).talk)


def test_very_long_query(sample_shell: Shell) -> None:
    ran = sample_shell("query", "rain on a tent " * 667, "--json")
    assert len(ran.objects) == 10
    assert "token" in ran.talk  # that it was cut short


@pytest.mark.parametrize("k", ["0", "-3", "many"])
def test_k_that_is_no_count(sample_shell: Shell, k: str) -> None:
    assert "-k" in sample_shell("query", "rain", "-k", k, code=2).talk


def test_k_beyond_the_library(sample_shell: Shell) -> None:
    status = sample_shell("status", "--json").objects[0]
    assert len(sample_shell("query", "rain", "-k", "100000", "--json").objects) == status["sounds"]


def test_filter_that_matches_nothing(sample_shell: Shell) -> None:
    ran = sample_shell("query", "rain", "--min-duration", "9999", "--json")
    assert ran.out == b""
    assert "filter" in ran.talk


@thorough_only
def test_query_is_never_parsed(sample_shell: Shell) -> None:
    """Operators, quotes and SQL are just words."""
    for text in ("rain AND NOT thunder", "'; DROP TABLE sounds; --", 'a "quoted" {} thing %s'):
        assert len(sample_shell("query", text, "--json").objects) == 10
    assert sample_shell("doctor").code == 0
