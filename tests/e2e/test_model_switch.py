"""`index --model NEW`: the new vectors are built beside the old ones, which answer until all are there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from audiosearch import Library
from audiosearch.models.registry import find_bundle
from tests.e2e.conftest import Indexed, Shell
from tests.effort import thorough_only


@pytest.fixture
def other(shell: Shell) -> Path:
    """A bundle of its own: mini's towers, but windows that do not overlap."""
    directory = shell.home / "other model"
    shutil.copytree(find_bundle("mini"), directory)
    manifest = json.loads((directory / "model.json").read_text())
    del manifest["vectors_of"]  # its vectors are its own
    manifest |= {"revision": "other", "hop_seconds": manifest["window_seconds"]}
    (directory / "model.json").write_text(json.dumps(manifest))
    return directory


@pytest.fixture
def folder(indexed: Indexed) -> Path:
    return indexed("in", ["a.wav", "b.wav", "c.wav"], rate=1_500)  # 21 s: several windows


def status(shell: Shell) -> dict[str, object]:
    found: dict[str, object] = shell("status", "--json").objects[0]
    return found


@thorough_only
def test_switch(shell: Shell, folder: Path, other: Path) -> None:
    before, old = status(shell), shell("query", "noise", "--json").objects
    talk = shell("index", "--model", other).talk
    assert "the new model answers" in talk
    after = status(shell)
    assert after["model"] != before["model"]
    assert "other" in str(after["model"])
    assert int(str(after["windows"])) < int(str(before["windows"]))
    new = shell("query", "noise", "--json").objects
    assert {hit["path"] for hit in new} == {hit["path"] for hit in old}
    assert "3 unchanged" in shell("index", folder).talk  # with the library's own model
    shell("doctor")
    # And back again.
    shell("index", "--model", "mini")
    again = shell("query", "noise", "--json").objects
    assert [(h["path"], h["score"]) for h in again] == [(h["path"], h["score"]) for h in old]


@thorough_only
def test_an_open_library_follows(shell: Shell, folder: Path, other: Path) -> None:
    manifest = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps(manifest | {"query_template": "{}"}))

    def scores(library: Library) -> list[tuple[str, float]]:
        return [(hit.path, hit.score) for hit in library.search("noise")]

    with Library.open(shell.library) as opened:
        before, old = scores(opened), opened.model.identity
        shell("index", "--model", other)
        with Library.open(shell.library) as fresh:
            assert scores(fresh) != before
            assert scores(opened) == scores(fresh)
            assert opened.embed_text(["noise"]).tolist() == fresh.embed_text(["noise"]).tolist()
        assert opened.model.identity != old
        assert opened.add(folder).unchanged == 3  # with the model that the library has now


def test_old_answers_until_the_new_is_complete(shell: Shell, folder: Path, other: Path) -> None:
    old = shell("query", "noise", "--json").out
    gone = folder.rename(shell.home / "unplugged")
    talk = shell("index", "--model", other).talk
    assert "the old one keeps answering" in talk
    assert shell("query", "noise", "--json").out == old
    assert "other" in str(status(shell)["building"])
    gone.rename(folder)
    assert "the new model answers" in shell("index", "--model", other).talk
    assert status(shell)["building"] is None


def test_another_model_is_an_error(shell: Shell, folder: Path, other: Path) -> None:
    """A query cannot mix spaces: the error names both models and the remedy."""
    from audiosearch.errors import ModelMismatch

    with pytest.raises(ModelMismatch, match=r"mini.*other.*audiosearch index --model"):
        Library.open(shell.library, model=str(other))


def test_model_that_changed_under_its_name(shell: Shell, folder: Path, other: Path) -> None:
    shell("index", "--model", other)
    manifest = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps(manifest | {"revision": "yet another"}))
    for command in (["query", "noise"], ["index", folder]):
        ran = shell(*command, code=1)
        assert len(ran.talk.strip().splitlines()) == 1
        assert "other" in ran.talk
        assert "yet another" in ran.talk
        assert "index --model" in ran.talk


def test_model_that_is_gone(shell: Shell, folder: Path, other: Path) -> None:
    shell("index", "--model", other)
    shutil.rmtree(other)
    talk = shell("query", "noise", code=1).talk
    assert len(talk.strip().splitlines()) == 1
    assert "there is no model" in talk
    assert status(shell)["sounds"] == 3  # what needs no model still works
    shell("index", "--model", "mini")
    assert len(shell.sounds()) == 3
