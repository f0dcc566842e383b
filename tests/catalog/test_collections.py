"""Collections keep their order, and outlast what happens to their sounds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from audiosearch import Library
from audiosearch.catalog.collecting import exported
from audiosearch.catalog.collections import FAVOURITES, with_moved
from audiosearch.catalog.records import Sound
from audiosearch.errors import CollectionNotFound, InvalidQuery, NameTaken, SoundNotFound
from indexer.lock import writer_lock
from tests.e2e.conftest import SAMPLES


def test_an_order_changes_as_asked() -> None:
    assert with_moved([1, 2, 3], [4, 2, 4], None) == [1, 3, 4, 2]
    assert with_moved([1, 2, 3], [3, 4], 1) == [3, 4, 1, 2]
    assert with_moved([1, 2, 3], [2], 2) == [1, 3, 2]


def test_what_a_collection_outlasts(sample_directory: Path, tmp_path: Path) -> None:
    """Index runs, moves, other content; what is removed leaves it."""
    from tests.libraries import moved

    folder = tmp_path / "sounds"
    shutil.copytree(SAMPLES, folder)
    moved(sample_directory, tmp_path / "library", root=folder)
    with Library.open(tmp_path / "library") as library:
        dogs, bee = folder / "animals" / "dogs.mp3", folder / "animals" / "bee.ogg"
        fire = folder / "fire" / "campfire.ogg"
        ids = [library.sound(path).id for path in (fire, dogs, bee)]
        marked = library.collections
        calm = marked.make("  Calm\tplaces ")
        assert (calm.name, calm.kind, calm.sounds) == ("Calm places", "collection", 0)
        with writer_lock(tmp_path / "library"):  # while an index run goes on
            assert marked.add(calm.id, ids).sounds == 3
            marked.add(FAVOURITES, ids[:1])
        assert [one.name for one in marked.holding(ids[0])] == ["Calm places", "Favourites"]
        dogs.rename(folder / "hounds.mp3")
        shutil.copy(fire, bee)  # other content under the same name
        summary = library.add(folder)
        assert (summary.moved, summary.updated) == (1, 1)
        assert [sound.id for sound in marked.sounds("Calm places")] == ids
        assert marked.sounds(calm.id)[1].path == str(folder / "hounds.mp3")
        fire.unlink()
        library.add(folder)
        assert [sound.id for sound in marked.sounds(calm.id)] == ids[1:]
        assert marked.get(FAVOURITES).sounds == 0
        page, after = marked.page(calm.id, k=1)
        assert ([sound.id for sound in page], after is not None) == (ids[1:2], True)
        assert [sound.id for sound in marked.page(calm.id, after or 0, k=1)[0]] == ids[2:]


def test_what_is_refused(sample_directory: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_directory, tmp_path / "library")
    with Library.open(tmp_path / "library") as library:
        marked = library.collections
        calm = marked.make("Calm")
        for name in ("", " ", "x" * 201, "a\0b", "12"):
            with pytest.raises(InvalidQuery):
                marked.make(name)
        with pytest.raises(NameTaken):
            marked.make("Calm")
        with pytest.raises(NameTaken):
            marked.rename(calm.id, "Favourites")
        for change in (marked.delete, lambda which: marked.rename(which, "Mine")):
            with pytest.raises(InvalidQuery):
                change(FAVOURITES)
        with pytest.raises(SoundNotFound):
            marked.add(calm.id, [1, 10**6])
        with pytest.raises(SoundNotFound):
            marked.add(calm.id, [1], before=2)
        assert marked.get("Calm") == calm  # nothing of it was done
        with pytest.raises(CollectionNotFound):
            marked.add(99, [1])
        search = marked.save_search("rain", {"q": "rain"})
        assert marked.change_search(search.id, query={"q": "hail"}).query == {"q": "hail"}
        with pytest.raises(NameTaken):
            marked.save_search("rain", {})
        with pytest.raises(InvalidQuery):
            marked.save_search("much", {"q": "x" * 20_001})
        with pytest.raises(InvalidQuery):
            marked.save_search("odd", {"q": float("nan")})
        marked.delete_search(search.id)
        assert marked.searches() == []


def test_exports_keep_odd_names() -> None:
    odd = Sound(1, "/s/r\udce4in, \u97f3.wav", "/s", 1, 1, duration=1.6)
    raw = "/s/r\udce4in, \u97f3.wav".encode("utf-8", "surrogateescape")
    assert exported([odd], "paths") == raw + b"\n"
    playlist = exported([odd], "m3u8").splitlines()
    assert playlist == [b"#EXTM3U", b"#EXTINF:2," + raw.removeprefix(b"/s/"), raw]
    assert b'1,"' + raw + b'",1.6,' in exported([odd], "csv")
    with pytest.raises(InvalidQuery, match="line break"):
        exported([Sound(1, "/s/a\nb.wav", "/s", 1, 1)], "m3u8")
    with pytest.raises(InvalidQuery, match="paths, csv, m3u8"):
        exported([odd], "xspf")
