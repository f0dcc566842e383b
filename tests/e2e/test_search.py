"""Finding: every way to ask, every form of the answer, over sample_library with the bundled model."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosearch import Library, Term
from tests.e2e.conftest import COMMAND, SAMPLES, Shell

CAMPFIRE = str(SAMPLES / "fire" / "campfire.ogg")


def test_campfire(sample_shell: Shell) -> None:
    """The README's first promise."""
    first = sample_shell("query", "campfire crackling", "-k", "1", "--json").objects[0]
    assert first["path"] == CAMPFIRE
    assert first["rank"] == 1
    assert 0 <= first["start"] < first["end"] <= first["duration"]
    assert 99 <= first["percentile"] <= 100


def test_table_fits_80_columns(sample_shell: Shell) -> None:
    lines = sample_shell("query", "campfire crackling").text.splitlines()
    assert len(lines) == 11
    assert max(len(line) for line in lines) <= 80
    assert lines[0].split() == ["#", "score", "pct", "heard", "at", "length", "sound"]
    assert lines[1].endswith("campfire.ogg [name]")


def test_forms_agree(sample_shell: Shell) -> None:
    found = [hit["path"] for hit in sample_shell("query", "rain", "--json").objects]
    assert sample_shell("query", "rain", "--paths").text.splitlines() == found
    assert sample_shell("query", "rain", "-0").text.split("\0")[:-1] == found
    with Library.open(sample_shell.library) as library:
        hits = library.search("rain")
    assert [hit.path for hit in hits] == found
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, 11))


def test_not_moves_away(sample_shell: Shell) -> None:
    def rank(*extra: str) -> int:
        found = sample_shell("query", "water", "-k", "100", "--json", *extra).objects
        return next(h["rank"] for h in found if h["path"].endswith("weather/downpour.ogg"))

    assert rank("--not", "heavy rain") > rank()


def test_like_and_similar(sample_shell: Shell) -> None:
    same = sample_shell("similar", CAMPFIRE, "--json").objects
    assert same[0]["path"] == CAMPFIRE
    liked = sample_shell("query", "--like", CAMPFIRE, "--json").objects
    assert [h["path"] for h in liked] == [h["path"] for h in same]
    mixed = sample_shell("query", "rain", "--like", CAMPFIRE, "--term", "0.5:wind", "--json")
    assert len(mixed.objects) == 10
    assert "WEIGHT:TEXT" in sample_shell("query", "--term", "loud", code=2).talk


def test_part_of_a_file(sample_shell: Shell) -> None:
    """The dogs of the evening bark late: the part is more like dogs than the whole is."""
    scene = SAMPLES / "scenes" / "wet-evening.ogg"
    late = sample_shell("similar", scene, "--from", "14", "--to", "19", "--json").objects
    assert late[0]["path"] == str(scene)
    assert late[0]["start"] >= 10
    ran = sample_shell("similar", scene, "--from", "500", code=1)
    assert "ends before" in ran.talk
    assert sample_shell("similar", scene, "--from", "5", "--to", "2", code=1).talk


def test_moments(sample_shell: Shell) -> None:
    """Each sound's best moment is where its best window is, and its moments do not overlap much."""
    best = sample_shell("query", "dog barking", "--json", "-k", "200").objects
    every = sample_shell("query", "dog barking", "--json", "-k", "200", "--moments").objects
    assert len(every) > len(best)
    assert {h["path"]: h["score"] for h in reversed(every)} == {h["path"]: h["score"] for h in best}
    by_path: dict[str, list[dict[str, float]]] = {}
    for hit in every:
        by_path.setdefault(hit["path"], []).append(hit)
    for hits in by_path.values():
        hits.sort(key=lambda h: h["start"])
        for one, two in itertools.pairwise(hits):
            assert one["end"] <= two["start"]


@pytest.fixture(scope="module")
def every(sample_shell: Shell) -> list[dict[str, Any]]:
    """All sounds, as they come for rain."""
    return sample_shell("query", "rain", "-k", "1000", "--json").objects


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        (["--min-duration", "5"], lambda h: h["duration"] >= 5),
        (["--max-duration", "2"], lambda h: h["duration"] <= 2),
        (["--path", "*/animals/*"], lambda h: "/animals/" in h["path"]),
        (["--format", "wav", "--format", "flac"], lambda h: h["format"] in ("wav", "flac")),
        (["--channels", "1"], lambda h: h["channels"] == 1),
        (["--rate", "44100"], lambda h: h["sample_rate"] == 44_100),
        (["--root", str(SAMPLES)], lambda h: True),
        (["--since", "2000-01-01"], lambda h: True),
    ],
)
def test_filters(
    sample_shell: Shell, every: list[dict[str, Any]], options: list[str], passes: object
) -> None:
    found = sample_shell("query", "rain", "-k", "1000", "--json", *options).objects
    assert callable(passes)
    expected = [h["path"] for h in every if passes(h)]
    assert [h["path"] for h in found] == expected
    assert expected
    # A filter leaves scores and percentiles as they are.
    scores = {h["path"]: (h["score"], h["percentile"]) for h in every}
    assert all((h["score"], h["percentile"]) == scores[h["path"]] for h in found)


def test_classify(sample_shell: Shell) -> None:
    args = ("classify", SAMPLES / "animals" / "dogs.mp3", "--labels", "dog,rain,piano")
    ran = sample_shell(*args, library=False)
    assert "this is a sound of" in ran.text
    (found,) = sample_shell(*args, "--json", library=False).objects
    assert found["labels"][0]["label"] == "dog"
    assert sum(label["probability"] for label in found["labels"]) == pytest.approx(1.0)
    ran = sample_shell(*args, "--multi", "--template", "{}", "--json", library=False)
    assert {label["label"] for label in ran.objects[0]["labels"]} == {"dog", "rain", "piano"}
    assert "{}" in sample_shell(*args, "--template", "no place", code=1, library=False).talk


def test_export(sample_shell: Shell, tmp_path: Path) -> None:
    sample_shell("export", tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz") as file:
        vectors = file["vector"]
        assert len(file["path"]) == len(vectors)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-3)
    assert "npz" in sample_shell("export", tmp_path / "vectors.txt", code=1).talk


def test_python_api(sample_shell: Shell) -> None:
    with Library.open(sample_shell.library) as library:
        text = library.embed_text(["campfire crackling"])
        assert text.shape == (1, 512)
        assert np.linalg.norm(text) == pytest.approx(1.0)
        by_text = library.search("campfire crackling")
        assert [h.path for h in library.search(text[0])] == [h.path for h in by_text]
        audio = library.embed_audio(CAMPFIRE)
        assert audio @ text[0] > 0.2
        by_id = library.similar(library.sound(CAMPFIRE).id)
        assert by_id[0].path == CAMPFIRE
        doubled = library.search([Term("rain", weight=2.0), Term(path=CAMPFIRE, weight=-1.0)])
        assert doubled[0].path != CAMPFIRE
        assert len(list(library.sounds({"duration": (5, None)}))) > 3


def test_broken_pipe(sample_shell: Shell) -> None:
    """`audiosearch query ... | head -1` ends quietly."""
    with subprocess.Popen(
        f"'{COMMAND}' query -L '{sample_shell.library}' rain -k 60 --json | head -c 10",
        shell=True,
        env=sample_shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        out, err = process.communicate()
    assert out == b'{"rank": 1'
    assert err == b""


def test_play_without_a_player(sample_shell: Shell) -> None:
    environment = {**sample_shell.environment, "PATH": "/nonexistent"}
    done = subprocess.run(
        [COMMAND, "query", "-L", sample_shell.library, "rain", "--json", "--play"],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"player" in done.stderr
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 10


def test_help(shell: Shell) -> None:
    """Help is there for every command, and says what each option is for."""
    done = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    commands = ["index", "query", "similar", "classify", "status", "remove", "doctor", "export"]
    for command in [*commands, "models"]:
        assert f"\n  {command} " in done.stdout
    for command in commands:
        text = shell(command, "--help", library=False).text
        assert "Usage" in text
        assert max(len(line) for line in text.splitlines()) <= 80


def test_ucs(sample_shell: Shell, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shutil.copytree(sample_shell.library, shell.library)
    listed = tmp_path / "my list.csv"
    listed.write_text("Category,SubCategory,CatID\nANIMALS,DOG,ANMLDog\nRAIN,MISC,RAINMisc\n")
    ran = shell("ucs", "--ucs-list", listed, "--suggest", "--path", "dogs.mp3")
    assert ran.text.splitlines()[0].split() == ["score", "suggested", "category", "sound"]
    assert ran.text.splitlines()[1].split()[1:3] == ["ANMLDog", "ANIMALS-DOG"]
    assert "2 categories" in ran.talk
    assert shell("ucs", "--json").objects == [
        {"ucs": {}, "ucs_category": {}, "ucs_subcategory": {}}
    ]
    here = ("--path", "dogs.mp3")
    assert "kept: 0" in shell("ucs", "--suggest", "--keep", "--min-score", "1", *here).talk
    assert "kept: 1" in shell("ucs", "--suggest", "--keep", *here).talk
    assert shell("ucs", "--json").objects[0]["ucs_subcategory"] == {"ANIMALS-DOG": 1}
    [hit] = shell("query", "a dog", "--ucs-category", "ANMLDog", "--json").objects
    assert (hit["ucs"]["cat_id"], hit["ucs"]["source"]) == ("ANMLDog", "kept")
    assert "taken back: 1" in shell("ucs", "--take-back", *here).talk
    assert shell("ucs", "--json").objects[0]["ucs"] == {}
    assert "need --suggest" in shell("ucs", "--keep", code=2).talk
    assert "do not go together" in shell("ucs", "--suggest", "--take-back", code=2).talk


def test_facets(sample_shell: Shell) -> None:
    counts = sample_shell("facets", "dog barking", "--format", "mp3", "--json").objects[0]
    with Library.open(sample_shell.library) as library:
        expected = library.facets({"format": "mp3"}, query="dog barking")
    assert counts["sounds"] == expected.sounds
    assert counts["format"] == expected.format
    assert counts["channels"] == {str(n): count for n, count in expected.channels.items()}
    lines = sample_shell("facets", "dog barking").text.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "with scores from 0." in lines[0]
    nothing = sample_shell("facets", "--path", "nowhere")
    assert nothing.text.splitlines()[0] == "0 sounds"
