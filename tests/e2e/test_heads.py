"""`audiosearch head`, and the commands that use heads and vocabularies."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from audiosearch import Library
from audiosearch.errors import InvalidQuery
from audiosearch.search.phrases import read_vocabulary
from indexer.isolated import IsolatedReader
from tests.e2e.conftest import SAMPLES, Ran, Shell, tone, write
from tests.effort import thorough_only
from tests.libraries import moved

# Sounds of sample_library that several recordings share a kind with.
KINDS = {
    "animal": ("animals/cattle.mp3", "animals/dogs.mp3", "animals/ewe.mp3", "animals/wolf.wav"),
    "вода": ("water/drop.mp3", "water/flow.mp3", "weather/downpour.ogg", "scenes/wet-evening.ogg"),
}


@pytest.fixture
def user(shell: Shell, sample_directory: Path) -> Shell:
    """A user whose library holds sample_library, and who has a csv of some of its sounds."""
    moved(sample_directory, shell.library, root=SAMPLES)
    with (shell.home / "my labels.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "label", "place"))
        for kind, names in KINDS.items():
            rows.writerows((SAMPLES / name, kind, number % 2) for number, name in enumerate(names))
        rows.writerow(("gone.wav", "animal", 1))
        rows.writerow((SAMPLES / "water" / "drop.mp3", "", 1))
    return shell


def head(shell: Shell, *words: str | Path) -> Ran:
    """Run a command of `audiosearch head` on the shell's library."""
    return shell("head", words[0], "-L", shell.library, *words[1:], library=False)


def test_train_use_and_remove(user: Shell) -> None:
    ran = head(user, "train", "мои", "--from", "my labels.csv", "--confusion", "c.svg")
    assert "left out 1 sound, such as gone.wav: there is no such file" in ran.talk
    assert "8 sounds in 8 groups, 4 folds" in ran.text
    assert max(map(len, ran.text.splitlines())) <= 80
    assert (user.home / "c.svg").read_text(encoding="utf-8").startswith("<svg")
    (classified,) = user(
        "classify", SAMPLES / "animals/dogs.mp3", "--head", "мои", "--json"
    ).objects
    best = classified["labels"][0]
    assert best["label"] == "animal"
    assert best["probability"] > 0.5
    hits = user("query", "x", "--where", "head:мои=вода>0.5", "-k", "99", "--json").objects
    assert 0 < len(hits) < 61
    assert {"flow.mp3"} <= {Path(hit["path"]).name for hit in hits}


def test_stored_vectors_are_not_made_again(user: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sounds of the library need no decoder."""

    def embed(*_: object) -> None:
        raise AssertionError("a sound of the library is embedded again")

    monkeypatch.setattr(IsolatedReader, "embed", embed)
    with Library.open(user.library) as library:
        trained = library.heads.train("places", user.home / "my labels.csv", group="place")
    assert trained.figures.groups == 2
    assert trained.figures.sounds == 8


@thorough_only
def test_list_show_and_remove(user: Shell) -> None:
    head(user, "train", "x", "--from", "my labels.csv")
    (listed,) = head(user, "list", "--json").objects
    assert listed["labels"] == sorted(KINDS)
    assert "ready" in head(user, "list").text
    assert "measured on 8 sounds" in head(user, "show", "x").text
    head(user, "remove", "x", "--dry-run")
    head(user, "remove", "x")
    assert head(user, "list").text == ""


@thorough_only
def test_files_beside_the_library(shell: Shell) -> None:
    """A folder of labels whose sounds are in no library is embedded afresh; a broken one is left."""
    Library.open(shell.library, create=True).close()
    for label, hz in (("low", 80.0), ("high", 3_000.0)):
        for number in range(2):
            write(shell.home / "mine" / label / f"{number}.wav", tone(hz * (1 + number / 9)))
    (shell.home / "mine" / "low" / "broken.wav").write_bytes(b"no sound")
    write(shell.home / "mine" / "loose.wav", tone())
    ran = head(shell, "train", "pitch", "--from", "mine", "--folds", "2", "--json")
    (record,) = ran.objects
    assert record["figures"]["sounds"] == 4
    assert "loose.wav: it is in no folder of a class" in ran.talk
    assert "broken.wav" in ran.talk


@thorough_only
@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["head", "train", "x", "--from", "nowhere.csv"], 1, "there is no dataset nowhere.csv"),
        (["head", "train", "x", "--from", "mood"], 1, "has a field 'mood'"),
        (["head", "train", "a b", "--from", "mood"], 1, "cannot name a head"),
        (["head", "show", "x"], 1, "there is no head 'x'"),
        (["head", "remove", "x"], 1, "there is no head 'x'"),
        (["query", "x", "--where", "head:x=dog>0.8"], 1, "there is no head 'x'"),
        (["query", "x", "--where", "dog>0.8"], 1, "cannot read --where 'dog>0.8'"),
        (["classify", SAMPLES / "animals/dogs.mp3"], 2, "one of --labels, --head and --vocabulary"),
        (["classify", SAMPLES / "animals/dogs.mp3", "--head", "x", "--multi"], 2, "its own labels"),
    ],
)
def test_errors(sample_shell: Shell, arguments: list[str | Path], code: int, line: str) -> None:
    words = 2 if arguments[0] == "head" else 1  # `-L` follows the name of the command
    where: list[str | Path] = ["-L", sample_shell.library]
    ran = sample_shell(*arguments[:words], *where, *arguments[words:], library=False, code=code)
    assert line in ran.talk
    assert len(ran.talk.splitlines()) <= (1 if code == 1 else 4)


def test_vocabulary(shell: Shell) -> None:
    """The nearest of a list of phrases, from a file and from the package."""
    shutil.copy(SAMPLES / "animals" / "dogs.mp3", shell.home / "a dog.mp3")
    (shell.home / "words.txt").write_text("# mine\na dog barks\n\nrain\na church bell\n")
    ran = shell("classify", "a dog.mp3", "--vocabulary", "words.txt", "-k", "2", library=False)
    assert "the nearest 2 of 3 phrases of words.txt: looked up, not made up" in ran.text
    assert "a dog barks" in ran.text.splitlines()[2]


def test_vocabularies(tmp_path: Path) -> None:
    names = read_vocabulary("audioset")
    assert len(names) == 527
    assert {"Speech", "Bark", "Fire engine, fire truck (siren)"} <= set(names)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    for name, match in (
        ("empty.txt", "holds no phrases"),
        ("none.txt", "cannot read"),
        ("latin.txt", "not a text file in UTF-8"),
    ):
        with pytest.raises(InvalidQuery, match=match):
            read_vocabulary(str(tmp_path / name))


@thorough_only
def test_audioset(shell: Shell) -> None:
    ran = shell(
        "classify", SAMPLES / "animals" / "dogs.mp3", "--vocabulary", "audioset", "--json",
        library=False,
    )  # fmt: skip
    (named,) = ran.objects
    assert len(named["labels"]) == 10
    assert {"Dog", "Bark"} & {label["label"] for label in named["labels"][:5]}
