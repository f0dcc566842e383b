"""What roots remember: patterns and links, by folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from audiosearch import Library
from audiosearch.catalog.folder_options import FolderRule
from audiosearch.errors import InvalidQuery, SoundNotFound
from audiosearch.models.registry import load_model
from indexer.rules import Rules
from tests.e2e.conftest import tone, write
from tests.effort import thorough_only
from tests.libraries import moved

RULES = Rules(
    (
        FolderRule(b"", ("*_draft*", "old/*"), True),
        FolderRule(b"a", ("b",), None),
        FolderRule(b"a/c", (), False),
    )
)


@pytest.mark.parametrize(
    ("path", "out"),
    [
        (b"x.wav", False),
        (b"deep/x_draft.wav", True),
        (b"old/x.wav", True),
        (b"older/x.wav", False),
        (b"b/x.wav", False),
        (b"a/b/x.wav", True),  # its folder is left out
        (b"ab/b", False),
        (b"a", False),
        (b"a/c/b/\xff.wav", True),  # by name, at any depth
        (b"", False),
    ],
)
def test_leave_out(path: bytes, out: bool) -> None:
    assert RULES.leave_out(path) is out


def test_the_innermost_folder_decides_on_links() -> None:
    assert RULES.follow(b"x")
    assert RULES.follow(b"a/x")
    assert not RULES.follow(b"a/c/x")
    assert not Rules().follow(b"x")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sounds, and the library that holds them, indexed once."""
    place = tmp_path_factory.mktemp("made")
    folder = place / "Geräusche 'n' more"
    write(folder / "a.wav", tone(300, 0.2))
    write(folder / "b_draft.wav", tone(500, 0.2))
    for name in ("deep/c.wav", "deep/old/d.wav"):
        write(folder / name, tone(700 + len(name), 0.2))
    write(place / "elsewhere" / "e.wav", tone(1100, 0.2))
    (folder / "link").symlink_to(Path("..") / "elsewhere")
    with Library.open(place / "library", create=True) as opened:
        opened.add(folder, exclude=["*_draft*"], follow_symlinks=True, workers=1)
    return place


@pytest.fixture
def sounds(tmp_path: Path, made: Path) -> Path:
    for name in ("Geräusche 'n' more", "elsewhere"):
        shutil.copytree(made / name, tmp_path / name, symlinks=True)
    return tmp_path / "Geräusche 'n' more"


@pytest.fixture
def library(tmp_path: Path, made: Path, sounds: Path) -> Iterator[Library]:
    moved(made / "library", tmp_path / "library", root=sounds)
    with Library.open(tmp_path / "library", model=load_model()) as opened:
        yield opened


def names(library: Library) -> set[str]:
    return {Path(sound.path).name for sound in library.sounds()}


def test_later_runs_keep_to_it(library: Library, sounds: Path) -> None:
    everything = {"a.wav", "c.wav", "d.wav", "e.wav"}
    assert names(library) == everything
    for what in ([], [sounds], [sounds / "deep"], [sounds / "a.wav"]):
        summary = library.add(what, workers=1)
        assert (summary.added, summary.removed, summary.gone) == (0, 0, 0)
        assert names(library) == everything
    (root,) = library.status().roots
    assert (root.exclude, root.follow_symlinks, root.parts) == (("*_draft*",), True, ())


def test_what_is_set_holds_from_the_next_run_on(library: Library, sounds: Path) -> None:
    rehearsed = library.set_root(sounds, exclude=["old"], dry_run=True)
    assert (rehearsed.exclude, rehearsed.leaves_out) == (("old",), 1)
    assert library.status().roots[0].exclude == ("*_draft*",)
    library.set_root(sounds, exclude=["old", "*_draft*"], follow_symlinks=False)
    assert names(library) == {"a.wav", "c.wav", "d.wav", "e.wav"}
    assert library.add(workers=1).removed == 2
    assert names(library) == {"a.wav", "c.wav"}
    library.set_root(sounds, exclude=["*.wav"])
    summary = library.add(workers=1)  # all that is left: as with files that are gone
    assert (summary.removed, summary.gone) == (0, 2)
    assert "--prune" in summary.notices[-1]


@thorough_only
def test_what_is_no_longer_left_out_comes_back(library: Library, sounds: Path) -> None:
    library.set_root(sounds, exclude=[])
    assert library.add(workers=1).added == 1
    assert "b_draft.wav" in names(library)


def test_a_part_has_rules_of_its_own(library: Library, sounds: Path) -> None:
    library.add(sounds / "deep", exclude=["old"], workers=1)
    assert names(library) == {"a.wav", "c.wav", "e.wav"}
    (root,) = library.status().roots
    assert root.exclude == ("*_draft*",)
    assert [(part.path, part.exclude) for part in root.parts] == [(str(sounds / "deep"), ("old",))]
    assert library.add(workers=1).added == 0


def test_a_folder_around_keeps_what_was_set_inside(library: Library, sounds: Path) -> None:
    summary = library.add(sounds.parent, exclude=["elsewhere"], workers=1)
    assert (summary.added, summary.removed) == (0, 0)
    (root,) = library.status().roots
    assert root.path == str(sounds.parent)
    assert [(part.exclude, part.follow_symlinks) for part in root.parts] == [(("*_draft*",), True)]


def test_a_moved_root_keeps_it(library: Library, sounds: Path) -> None:
    library.set_root(sounds / "deep", exclude=["old"])
    new = sounds.rename(sounds.with_name("new"))
    library.move_root(sounds, new)
    (root,) = library.status().roots
    assert root.exclude == ("*_draft*",)
    assert root.parts[0].path == str(new / "deep")


@thorough_only
def test_of_two_roots_that_become_one(library: Library, sounds: Path) -> None:
    new = sounds
    library.add(shutil.copytree(new, new.with_name("other")), exclude=["c.wav"], workers=1)
    shutil.rmtree(new.with_name("other"))
    library.move_root(new.with_name("other"), new)  # two become one: what `new` says stays
    (root,) = library.status().roots
    assert root.exclude == ("*_draft*",)


def test_what_is_named_but_left_out(library: Library, sounds: Path) -> None:
    for what in (sounds / "b_draft.wav", sounds / "deep" / "old"):
        library.set_root(sounds, exclude=["*_draft*", "old"])
        summary = library.add(what, workers=1)
        assert summary.added == 0
        assert "is left out by a pattern" in summary.notices[0]


def test_bad_options(library: Library, sounds: Path) -> None:
    for wrong in (sounds.parent, sounds / "nonsuch", sounds / "a.wav"):
        with pytest.raises(SoundNotFound, match="is no folder of the library"):
            library.set_root(wrong, exclude=["x"])
    for change in (
        lambda: library.set_root(sounds, exclude=["x", ""]),
        lambda: library.add(sounds, exclude=[""]),
    ):
        with pytest.raises(InvalidQuery, match="pattern to exclude is empty"):
            change()


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_removing_a_folder_forgets_what_was_set(library: Library, sounds: Path) -> None:
    for _ in range(2):  # with sounds, and without
        library.remove(sounds)
        assert library.status().roots == ()
        with closing(sqlite3.connect(library.directory / "library.db")) as database:
            assert database.execute("SELECT count(*) FROM folder_options").fetchone() == (0,)
        library.add(sounds, exclude=["*"], workers=1)
        (root,) = library.status().roots  # it holds nothing, and is remembered
        assert (root.path, root.sounds) == (os.fspath(sounds), 0)


@pytest.mark.parametrize("inside", [False, True])
def test_a_path_longer_than_a_key(
    library: Library, sounds: Path, tmp_path: Path, inside: bool
) -> None:
    """PostgreSQL's indexes take no key of such a length, be it that of a root or of a folder in it."""
    letters = "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9FFF, 1_000)))
    deep = tmp_path / "root" / Path(*(letters[at : at + 80] for at in range(0, 1_000, 80)))
    assert 2_900 < len(os.fsencode(deep)) < 4_000
    deep.mkdir(parents=True)
    shutil.copy(sounds / "a.wav", deep / "long.wav")
    folder = tmp_path / "root" if inside else deep
    library.add(folder, workers=1)
    assert library.set_root(deep, exclude=["*_draft*"]).exclude == ("*_draft*",)
    library.set_root(deep, exclude=["old"])
    assert library.add(folder, workers=1).unchanged == 1
    (root,) = (root for root in library.status().roots if root.path == str(folder))
    assert (root.parts[0] if inside else root).exclude == ("old",)
    library.remove(folder)
    assert "long.wav" not in names(library)
