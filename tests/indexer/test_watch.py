"""Watching folders: what is found, what waits, and what is kept."""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audiosearch import Library
from audiosearch.errors import InvalidQuery, LibraryBusy, SoundNotFound
from indexer.lock import writer_lock
from indexer.plan import Scan
from indexer.watching import folders, hints, loop
from indexer.watching.events import WatchEvent
from indexer.watching.mounts import is_silent, parsed
from indexer.watching.pending import Pending
from indexer.watching.places import NO_ROOT, Place, scans_of, unit_of
from indexer.watching.settling import GONE, Settling
from tests.documents import ROOT
from tests.e2e.conftest import tone, write
from tests.effort import thorough_only

pytest.importorskip("watchfiles")


class Watched:
    """A watch in a thread, and what it tells."""

    def __init__(self, library: Library, *folders: Path, **options: float) -> None:
        self.cancel = threading.Event()
        self._told: queue.SimpleQueue[WatchEvent | BaseException] = queue.SimpleQueue()
        options = {"settle": 0.2, **options}
        self._events = library.watch(folders, workers=1, cancel=self.cancel, **options)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for event in self._events:
                self._told.put(event)
        except BaseException as error:  # noqa: BLE001 (raised again in the test)
            self._told.put(error)

    def __call__(self, kind: str) -> WatchEvent:
        """The next event of that kind."""
        while True:
            event = self._told.get()
            if isinstance(event, BaseException):
                raise event
            if event.kind == kind:
                return event

    def notice(self, words: str) -> None:
        """Wait for a notice that holds these words. A look that was under way may come before it."""
        while words not in self("notice").text:
            pass

    def counts(self, **expected: int) -> WatchEvent:
        """Wait until these counts have been told, in one event or several."""
        left = dict(expected)
        while any(left.values()):
            event = self("indexed")
            assert event.summary
            for name in left:
                left[name] -= getattr(event.summary, name)
            assert min(left.values()) >= 0, event
        return event


@contextmanager
def watching(library: Library, *folders: Path, **options: float) -> Iterator[Watched]:
    watched = Watched(library, *folders, **options)
    try:
        yield watched
    finally:
        watched.cancel.set()
        watched.thread.join()


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "Geräusche 'n' more"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """One for all, since its decoding process is started once: each test has contents of its own."""
    with Library.open(tmp_path_factory.mktemp("all") / "library", create=True) as opened:
        yield opened


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Library]:
    """One of the test's own."""
    with Library.open(tmp_path / "library", create=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test needs not wait as long as a user may."""
    monkeypatch.setattr(loop, "_TICK", 0.1)
    monkeypatch.setattr(loop, "_PATIENCE", 0.1)
    monkeypatch.setattr(folders, "_POLL", 0.2)
    monkeypatch.setattr(hints, "_QUIET_MS", 50)


def names(library: Library, *folders: Path) -> set[bytes]:
    """The names of the library's sounds in these folders."""
    found = library.sounds(where={"root": [str(folder) for folder in folders]})
    return {os.fsencode(sound.path).rpartition(b"/")[2] for sound in found}


def test_a_day(library: Library, sounds: Path) -> None:
    """Sounds come, move and go. Nothing is embedded twice, and what was set stays."""
    with watching(library, sounds, settle=0.5) as watched:
        assert watched("watching").folders == (str(sounds),)
        write(sounds / "a.wav", tone(300, 0.2))
        watched.counts(added=1)
        for name in ("deep/b.wav", "deep/er/c.wav"):
            write(sounds / name, tone(500 + 10 * len(name), 0.2))
        watched.counts(added=2)
        library.describe(sounds / "deep" / "er" / "c.wav", external_id="C")
        (sounds / "deep").rename(sounds / "tief")
        event = watched.counts(moved=2)
        assert event.summary
        assert event.summary.windows == 0
        assert library.sound(sounds / "tief" / "er" / "c.wav").external_id == "C"
        write(sounds / ".hidden" / "x.wav", tone(900, 0.2))
        (sounds / "notes.txt").write_text("x")
        os.unlink(sounds / "tief" / "b.wav")  # noqa: PTH108
        watched.counts(removed=1)
        assert names(library, sounds) == {b"a.wav", b"c.wav"}
        with writer_lock(library.directory):
            write(sounds / "d.wav", tone(1000, 0.2))
            assert "is being written by process" in watched("waiting").text
        watched.counts(added=1)


def test_names_that_are_not_text(library: Library, sounds: Path) -> None:
    """`watchfiles` gives up on them; the watch looks for itself, and goes on."""
    with watching(library, sounds) as watched:
        watched("watching")
        write(os.fsencode(sounds) + b"/\xff\xfe.wav", tone(310, 0.2))
        watched.counts(added=1)
        write(os.fsencode(sounds) + b"/d\xe9/a.wav", tone(410, 0.2))
        watched.counts(added=1)
        write(sounds / "b.wav", tone(610, 0.2))
        watched.counts(added=1)
        assert names(library, sounds) == {b"\xff\xfe.wav", b"a.wav", b"b.wav"}
    assert hints.in_words('Unable to decode path "/x/\\xFF" to string').endswith(" is not UTF-8")


def test_a_disk_that_goes_and_comes(library: Library, sounds: Path) -> None:
    write(sounds / "a.wav", tone(320, 0.2))
    library.add(sounds, workers=1)
    with watching(library, sounds) as watched:
        watched("watching")
        away = sounds.rename(sounds.with_name("away"))
        watched.notice("is not there")
        sounds.mkdir()
        watched.notice("is empty")
        assert names(library, sounds) == {b"a.wav"}
        sounds.rmdir()
        away.rename(sounds)
        write(sounds / "b.wav", tone(420, 0.2))
        watched.counts(added=1)
        assert names(library, sounds) == {b"a.wav", b"b.wav"}


@thorough_only
def test_options_and_folders_that_change_meanwhile(own: Library, sounds: Path) -> None:
    for name in ("a.wav", "b.wav", "c_draft.wav"):
        write(sounds / name, tone(300 + 50 * len(name) + 9 * ord(name[0]), 0.2))
    own.add(sounds, workers=1)
    with watching(own, poll=0.1) as watched:
        assert watched("watching").polled == (str(sounds),)
        own.set_root(sounds, exclude=["*_draft*"])
        watched.counts(removed=1)
        write(sounds / "d_draft.wav", tone(2000, 0.2))
        other = sounds.with_name("other")
        write(other / "e.wav", tone(2200, 0.2))
        own.add(other, workers=1)
        assert len(watched("watching").folders) == 2
        write(other / "f.wav", tone(2400, 0.2))
        watched.counts(added=1)
        assert names(own, sounds, other) == {b"a.wav", b"b.wav", b"e.wav", b"f.wav"}


@thorough_only
def test_a_folder_that_was_emptied_fills_again(own: Library, sounds: Path) -> None:
    other = sounds.with_name("archive")
    write(other / "z.wav", tone(3000, 0.2))
    write(sounds / "a.wav", tone(300, 0.2))
    (sounds / "readme.txt").write_text("it is not empty")
    own.add([sounds, other], workers=1)
    with watching(own) as watched:
        watched("watching")
        (sounds / "a.wav").rename(other / "a.wav")
        # A move, or a sound that goes and one that comes, where one folder is looked at much later.
        while [root.path for root in own.status().roots] != [str(other)]:
            watched("indexed")
        write(sounds / "b.wav", tone(500, 0.2))
        while names(own, sounds, other) != {b"a.wav", b"b.wav", b"z.wav"}:
            watched("indexed")


def test_one_watches(library: Library, sounds: Path) -> None:
    with watching(library, sounds) as watched:
        watched("watching")
        with pytest.raises(LibraryBusy, match="another program watches"):
            next(library.watch(sounds))
    watched.cancel.clear()
    event = next(library.watch(sounds))  # it may now
    assert event.kind == "watching"


def test_bad_input(library: Library, sounds: Path) -> None:
    with pytest.raises(SoundNotFound, match="there is no folder"):
        next(library.watch(sounds / "nonsuch"))
    for wrong in ({"poll": 0.0}, {"settle": -1.0}, {"poll": float("nan")}):
        with pytest.raises(InvalidQuery, match="must be a number of seconds"):
            next(library.watch(sounds, **wrong))  # type: ignore[arg-type]


def test_a_file_settles() -> None:
    settling = Settling()
    settling.note(b"a", (1, 1), 10.0)
    settling.note(b"a", (1, 1), 11.0)
    assert settling.next_due(2.0) == 12.0
    assert settling.of_age(2.0, 11.9) == {}
    settling.note(b"a", (2, 1), 11.9)  # it grows
    assert settling.of_age(2.0, 13.0) == {}
    assert settling.of_age(2.0, 13.9) == {b"a": (2, 1)}
    settling.note(b"a", GONE, 14.0)
    assert settling.of_age(2.0, 15.0) == {}
    settling.drop([b"a", b"b"])
    assert settling.next_due(2.0) is None


def test_the_halves_of_a_rename_settle_together() -> None:
    """Also where one was seen before the other. What goes on changing keeps them no longer than that."""
    for first, second in ((GONE, (1, 1)), ((1, 1), GONE)):
        settling = Settling()
        settling.note(b"a", first, 10.0)
        settling.note(b"b", second, 11.5)
        assert settling.of_age(2.0, 13.0) == {}
        assert settling.next_due(2.0) == 13.5
        assert settling.of_age(2.0, 13.5) == {b"a": first, b"b": second}
        settling.note(b"c", second, 13.4)
        assert settling.of_age(2.0, 14.0) == {b"a": first, b"b": second}


def test_a_half_written_file_waits(library: Library, sounds: Path) -> None:
    """It has no row, not even a failed one, until it is what it was a while ago."""
    place = Place(os.fsencode(sounds), NO_ROOT, os.fsencode(sounds))
    pending = Pending(library.store)
    path = os.fsencode(sounds / "a.wav")
    (sounds / "a.wav").write_bytes(b"RIFF")
    pending.look([Scan(NO_ROOT, place.root)])
    (sounds / "a.wav").write_bytes(b"RIFF....")
    assert pending.complete([place], 0.0, set()) == {}
    ready = pending.complete([place], 0.0, set())
    assert ready[path][0] == 8
    (sounds / "a.wav").unlink()
    assert pending.complete([place], 0.0, set()) == {}
    assert pending.complete([place], 0.0, set()) == {path: GONE}
    # What lay on a disk below the root is not gone with the disk.
    assert pending.complete([place], 0.0, {os.fsencode(sounds.resolve())}) == {}


def test_what_a_hint_is_about(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    place = Place(root, 1, root)
    (tmp_path / "deep").mkdir()
    (tmp_path / "x.txt").touch()
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    assert unit_of(place, root + b"/deep") == (b"deep", True)
    assert unit_of(place, root + b"/deep/a.WAV") == (b"deep", False)
    assert unit_of(place, root + b"/a.wav") == (b"", False)
    assert unit_of(place, root + b"/was") == (b"was", True)  # a folder, perhaps
    for nothing in (b"/x.txt", b"/.h/a.wav", b"/link/a.wav", b""):
        assert unit_of(place, root + nothing) is None
    parts = {b"deep": True, b"deep/er": True, b"deep/x": False, b"y": False, b"": False}
    scans = {(scan.below, scan.deep) for scan in scans_of(place, parts)}
    assert scans == {(b"deep", True), (b"y", False), (b"", False)}
    assert scans_of(place, {b"": True, b"y": False}) == [Scan(1, root)]


MOUNTS = rb"""27 1 254:0 / / rw - ext4 /dev/vda rw
30 27 0:41 / /mnt/a\040share rw shared:1 - nfs4 host:/x rw
31 27 0:42 / /media/usb rw - fuseblk /dev/sdb1 rw
32 27 0:43 / /home/me/cloud rw - fuse.rclone remote: rw
"""


def test_file_systems_that_say_nothing() -> None:
    known = parsed(MOUNTS)
    assert known[b"/mnt/a share"] == "nfs4"
    for silent in (b"/mnt/a share/fx", b"/mnt", b"/home/me", b"/home/me/cloud"):
        assert is_silent(silent, known)
    for local in (b"/media/usb/x", b"/home/you", b"/mnt2", b"/var"):
        assert not is_silent(local, known)
    assert not is_silent(b"/x", {})


CONFINED = """
import sys, threading
from audiosearch import Library
stop = threading.Event()
with Library.open(sys.argv[1], create=True) as library:
    for event in library.watch(sys.argv[2], settle=0.2, workers=1, cancel=stop):
        print(event.kind, event.text, flush=True)
        if event.kind == "indexed":
            stop.set()
"""


UNMOUNTED = """
import subprocess, sys, threading
from pathlib import Path
from audiosearch import Library
from tests.documents import ROOT
from tests.e2e.conftest import tone, write
from tests.effort import thorough_only
root, stop = Path(sys.argv[2]), threading.Event()
write(root / "a.wav", tone(300, 0.2))
for name in "bc":
    write(root / "disk" / (name + ".wav"), tone(ord(name), 0.2))
with Library.open(sys.argv[1], create=True) as library:
    library.add(root, workers=1)
    for event in library.watch(settle=0.2, workers=1, cancel=stop):
        print(event.kind, event.text, flush=True)
        if event.kind == "watching":
            subprocess.run(["umount", root / "disk"], check=True)
            write(root / "disk" / "d.wav", tone(900, 0.2))
        elif event.kind == "indexed":
            stop.set()
    print(sorted(Path(sound.path).name for sound in library.sounds()))
"""


def confined(setup: str, *args: Path, code: str = CONFINED) -> subprocess.CompletedProcess[str]:
    """Run a watch where root of a name space of its own did `setup` before."""
    shell = shutil.which("unshare")
    allowed = shell and subprocess.run([shell, "-Urm", "true"], check=False).returncode == 0
    if not allowed:
        pytest.skip("name spaces cannot be made here")
    script = f'{setup} && exec "$0" "$@"'
    command = ["unshare", "-Urm", "sh", "-c", script, sys.executable, "-c", code]
    command += [str(arg) for arg in args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@thorough_only
def test_the_limit_of_inotify(tmp_path: Path, sounds: Path) -> None:
    for number in range(9):
        write(sounds / str(number) / "a.wav", tone(300 + 50 * number, 0.1))
    limit = "echo 5 > /proc/sys/user/max_inotify_watches"
    ran = confined(limit, tmp_path / "library", sounds)
    assert ran.returncode == 0, ran.stderr
    (notice,) = [line for line in ran.stdout.splitlines() if line.startswith("notice")]
    assert "sudo sysctl fs.inotify.max_user_watches=" in notice
    assert "is looked at every now and then" in notice
    assert "indexed 9 added" in ran.stdout


@thorough_only
def test_a_disk_below_a_root_is_unmounted(tmp_path: Path, sounds: Path) -> None:
    """Its sounds are kept, also where its mount point is in use."""
    (sounds / "disk").mkdir()
    mount = f"mount -t tmpfs none {shlex.quote(str(sounds / 'disk'))}"
    ran = confined(mount, tmp_path / "library", sounds, code=UNMOUNTED)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "['a.wav', 'b.wav', 'c.wav', 'd.wav']"
