"""Years of change, in random order: a library against what its folders hold.

After every run the library must equal what a fresh index of the same folders gives, except for what
cannot be known: rows of roots that are missing, empty or unreadable stay as they were, and so do
edits that keep size and mtime, until `--rehash`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np
import soundfile
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.models.registry import load_model
from tests.torture.kills import says

ROOTS = ("one", "two")
NAMES = ("a.wav", "b c.wav", "folder/ä.wav", "folder/deep/d.wav", "folder/e.wav", "f.wav")
BROKEN = 3  # the content that is no sound

roots = st.sampled_from(ROOTS)
names = st.sampled_from(NAMES)
contents = st.integers(0, 6)


def _content(number: int) -> bytes:
    """Sounds of one size, so that an edit can keep it; one of them is none."""
    import io

    buffer = io.BytesIO()
    samples = np.random.default_rng(number).normal(0, 0.1, 900)
    soundfile.write(buffer, samples, 8_000, format="WAV", subtype="PCM_16")
    data = buffer.getvalue()
    return b"x" * len(data) if number == BROKEN else data


CONTENTS = [_content(number) for number in range(7)]


class Changes(RuleBasedStateMachine):
    """Two roots, six names, seven contents."""

    counts: ClassVar[dict[str, int]] = {"runs": 0, "changes": 0, "fresh": 0}

    def __init__(self) -> None:
        super().__init__()
        self.work = Path(tempfile.mkdtemp(prefix="audiosearch-changes-"))
        self.away = self.work / "away"
        self.away.mkdir()
        for root in ROOTS:
            (self.work / root).mkdir()
        # What the library must hold: content by root and name, as of the last run that could know.
        self.known: dict[tuple[str, str], int] = {}
        self.times: dict[tuple[str, str], int] = {}  # of the files, as of then
        self.indexed: set[str] = set()
        self.silent: set[tuple[str, str]] = set()  # edits that nobody can see
        self.closed: set[Path] = set()
        self.clock = 1_600_000_000
        self.model = load_model()
        self.library = Library.open(self.work / "library", model=self.model, create=True)

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.work)

    @initialize(files=st.dictionaries(st.tuples(roots, names), contents, min_size=4))
    def begin(self, files: dict[tuple[str, str], int]) -> None:
        for (root, name), content in files.items():
            self._write(self._path(root, name), content)
        for root in ROOTS:
            self.index(root)

    # -- what happens to files ----------------------------------------------------------------

    def _path(self, root: str, name: str) -> Path:
        return self.work / root / name

    def _write(self, path: Path, content: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENTS[content])
        self.clock += 1
        os.utime(path, (self.clock, self.clock))
        self.counts["changes"] += 1

    def _there(self, root: str) -> bool:
        return not (self.away / root).exists()

    @rule(root=roots, name=names, content=contents)
    def add_or_edit(self, root: str, name: str, content: int) -> None:
        if self._there(root):
            self._write(self._path(root, name), content)
            self.silent.discard((root, name))

    @rule(root=roots, name=names, content=contents)
    def edit_unseen(self, root: str, name: str, content: int) -> None:
        path = self._path(root, name)
        if self._there(root) and path.exists() and (root, name) in self.known:
            before = path.stat()
            path.write_bytes(CONTENTS[content])
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            if before.st_mtime_ns == self.times[root, name]:
                self.silent.add((root, name))
            self.counts["changes"] += 1

    @rule(root=roots, name=names)
    def touch(self, root: str, name: str) -> None:
        path = self._path(root, name)
        if self._there(root) and path.exists():
            self.clock += 1
            os.utime(path, (self.clock, self.clock))
            self.silent.discard((root, name))
            self.counts["changes"] += 1

    @rule(root=roots, name=names, other=roots, to=names, keep=st.booleans())
    def copy_or_rename(self, root: str, name: str, other: str, to: str, keep: bool) -> None:
        source, target = self._path(root, name), self._path(other, to)
        if not (self._there(root) and self._there(other) and source.exists() and source != target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        self.clock += 1
        shutil.copyfile(source, target)
        os.utime(target, (self.clock, self.clock))
        self.silent.discard((other, to))
        if not keep:
            source.unlink()
            self.silent.discard((root, name))
        self.counts["changes"] += 1

    @rule(root=roots, name=names)
    def delete(self, root: str, name: str) -> None:
        if self._there(root):
            self._path(root, name).unlink(missing_ok=True)
            self.silent.discard((root, name))
            self.counts["changes"] += 1

    @rule(root=roots, leave=st.booleans())
    def unmount(self, root: str, leave: bool) -> None:
        """A disk goes; its mount point stays, empty, or does not."""
        if self._there(root):
            (self.work / root).rename(self.away / root)
            if leave:
                (self.work / root).mkdir()
            self.counts["changes"] += 1

    @rule(root=roots)
    def mount(self, root: str) -> None:
        if not self._there(root):
            shutil.rmtree(self.work / root, ignore_errors=True)
            (self.away / root).rename(self.work / root)
            self.counts["changes"] += 1

    @rule(root=roots, part=st.sampled_from(["", "folder", "folder/deep"]))
    def lose_permission(self, root: str, part: str) -> None:
        self.closed.add(self.work / root / part)
        self.counts["changes"] += 1

    @precondition(lambda self: self.closed)
    @rule()
    def regain_permission(self) -> None:
        self.closed.clear()
        self.counts["changes"] += 1

    # -- runs ---------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The system refuses to list closed folders. By a stand-in: to root nothing is closed."""
        real = os.scandir

        def scandir(path: bytes) -> Iterator[os.DirEntry[bytes]]:
            if Path(os.fsdecode(path)) in self.closed:
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        with mock.patch("os.scandir", scandir):
            yield

    def _is_closed(self, root: str, name: str) -> bool:
        path = self._path(root, name)
        return any(folder in self.closed for folder in path.parents)

    def _now(self, root: str) -> dict[str, int]:
        """The contents of a root as its files are."""
        return {
            name: CONTENTS.index(self._path(root, name).read_bytes())
            for name in NAMES
            if self._path(root, name).exists()
        }

    def _expect(self, root: str, rehash: bool) -> None:
        folder = self.work / root
        if not folder.is_dir() or not any(folder.iterdir()):
            return
        now = self._now(root)
        for name in NAMES:
            key = (root, name)
            if self._is_closed(root, name):
                continue
            if name not in now:
                self.known.pop(key, None)
            elif rehash or key not in self.silent:
                self.known[key] = now[name]
                self.times[key] = self._path(root, name).stat().st_mtime_ns
                self.silent.discard(key)

    def _run(self, what: list[Path], rehash: bool) -> None:
        with self._locked():
            self.library.add(what, prune=True, rehash=rehash, workers=1)
        self.counts["runs"] += 1

    @rule(rehash=st.booleans())
    def index_again(self, rehash: bool) -> None:
        if not self.indexed:
            return
        self._run([], rehash)
        for root in self.indexed:
            self._expect(root, rehash)
        self._forget_bare_roots()

    @rule(root=roots)
    def index(self, root: str) -> None:
        if (self.work / root).is_dir():
            self._run([self.work / root], False)
            self.indexed.add(root)
            self._expect(root, False)
            self._forget_bare_roots()

    @rule(root=roots)
    def remove(self, root: str) -> None:
        if any(key[0] == root for key in self.known):
            self.library.remove(self.work / root)
            self.known = {key: value for key, value in self.known.items() if key[0] != root}
            self.silent = {key for key in self.silent if key[0] != root}
            self.indexed.discard(root)

    def _forget_bare_roots(self) -> None:
        """A root of which the library knows no sound is none of its roots."""
        self.indexed = {root for root in self.indexed if any(k[0] == root for k in self.known)}

    # -- what must hold -----------------------------------------------------------------------

    @invariant()
    def the_library_is_what_was_indexed(self) -> None:
        sounds = {sound.path: sound for sound in self.library.sounds()}
        failures = {failure.path for failure in self.library.failures()}
        right = {str(self._path(*key)): content for key, content in self.known.items()}
        assert sounds.keys() | failures == right.keys()
        assert failures == {path for path, content in right.items() if content == BROKEN}
        of_content = {
            right[path]: sound.content for path, sound in sounds.items() if path not in failures
        }
        for path, sound in sounds.items():
            if path not in failures:
                assert sound.content == of_content[right[path]]
        assert len(set(of_content.values())) == len(of_content)

    @invariant()
    def the_library_is_consistent(self) -> None:
        assert [f for f in check(self.library.directory) if f.level == "error"] == []

    @rule()
    def settle(self) -> None:
        """With all disks mounted and all edits seen, bit for bit what a fresh index gives."""
        for root in ROOTS:
            self.mount(root)
        self.closed.clear()
        for root in ROOTS:
            self.index(root)
        self.index_again(True)
        if not self.indexed:
            return
        fresh = self.work / "fresh"
        with Library.open(fresh, model=self.model, create=True) as library:
            library.add([self.work / root for root in sorted(self.indexed)], workers=1)
        try:
            assert says(self.library.directory) == says(fresh)
            self.counts["fresh"] += 1
        finally:
            shutil.rmtree(fresh)


def live(lives: int, steps: int, *, derandomize: bool = False) -> None:
    """Run random sequences; raises where one ends in a library that is not what it should be."""
    run_state_machine_as_test(
        Changes,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=derandomize,
            database=None,
            phases=[Phase.generate],  # a run of seconds is not worth shrinking for hours
        ),
    )
