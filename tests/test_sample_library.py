"""sample_library: what its manifest and queries promise is there, and its makers make it."""

from __future__ import annotations

import csv
import io
import re
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts.sample_library.build import LICENCE_URLS, build
from scripts.sample_library.packages import opensfx_entry
from scripts.sample_library.scenes import RATE as SCENE_RATE
from scripts.sample_library.scenes import SCENES, render
from scripts.sample_library.synthesise import RATE, SOUNDS

REPOSITORY = Path(__file__).parents[1]
LIBRARY = REPOSITORY / "sample_library"
CORPUS = REPOSITORY.parent / "shared/data/corpus"
TEXTS = {"README.md", "manifest.csv", "queries.csv"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


MANIFEST = rows(LIBRARY / "manifest.csv")
QUERIES = rows(LIBRARY / "queries.csv")


@cache
def samples(name: str) -> tuple[np.ndarray, int]:
    """A sound of the library: (frames, channels) and its rate."""
    return soundfile.read(LIBRARY / name, always_2d=True)


def test_every_file_is_listed_once_and_no_other_is_there() -> None:
    present = {p.relative_to(LIBRARY).as_posix() for p in LIBRARY.rglob("*") if p.is_file()}
    listed = [row["file"] for row in MANIFEST]
    assert len(set(listed)) == len(listed)
    assert set(listed) == present - TEXTS


def test_it_is_large_enough_to_show_something_and_small_enough_to_ship() -> None:
    assert len(MANIFEST) >= 40
    assert len({row["kind"] for row in MANIFEST}) >= 25
    assert "campfire" in {row["kind"] for row in MANIFEST}
    assert sum(p.stat().st_size for p in LIBRARY.rglob("*") if p.is_file()) <= 12_000_000


@pytest.mark.parametrize("row", MANIFEST, ids=lambda row: row["file"])
def test_a_sound_is_credited_described_and_audible(row: dict[str, str]) -> None:
    assert row["licence"] in LICENCE_URLS
    assert row["licence_url"] == LICENCE_URLS[row["licence"]]
    assert row["author"]
    assert row["source"]
    assert row["changes"]
    assert row["kind"]
    assert 3 <= len(row["description"].split()) <= 10
    assert row["description"] != Path(row["file"]).stem.replace("-", " ")
    data, rate = samples(row["file"])
    assert np.isfinite(data).all()
    assert np.abs(data).max() > 0.05  # -26 dBFS
    assert 0.3 <= len(data) / rate <= 30


def test_recordings_have_a_source_that_can_be_looked_up() -> None:
    for row in MANIFEST:
        if row["author"] != "audiosearch contributors" and not row["events"]:
            assert re.search(r"package \S+ \d|https?://", row["source"]), row["file"]


def test_licences_of_a_scene_allow_what_its_parts_allow() -> None:
    by_file = {row["file"]: row for row in MANIFEST}
    strictness = list(LICENCE_URLS)
    for name, scene in SCENES.items():
        (row,) = [row for row in MANIFEST if row["source"].endswith(name)]
        parts = [by_file[scene.bed], by_file[scene.event]]
        assert row["licence"] == max((p["licence"] for p in parts), key=strictness.index)
        for part in parts:
            assert part["author"] in row["author"]
            assert part["group"] in row["group"].split(";")


def test_events_lie_inside_the_file_and_stand_out() -> None:
    rows_with_events = [row for row in MANIFEST if row["events"]]
    assert rows_with_events
    for row in rows_with_events:
        event = re.fullmatch(r"(.+)@([\d.]+)-([\d.]+)", row["events"])
        assert event
        label, start, end = event.groups()
        data, rate = samples(row["file"])
        assert label
        assert 10 <= float(start) < float(end) <= len(data) / rate
        before = data[: int(float(start) * rate)]
        during = data[int(float(start) * rate) : int(float(end) * rate)]
        assert np.sqrt(np.mean(during**2)) > 2 * np.sqrt(np.mean(before**2))


def test_queries_are_short_and_cover_every_kind() -> None:
    kinds = {row["kind"] for row in MANIFEST}
    assert len(QUERIES) >= 30
    assert len({row["query"] for row in QUERIES}) == len(QUERIES)
    assert {row["kind"] for row in QUERIES} == kinds
    for row in QUERIES:
        assert 1 <= len(row["query"].split()) <= 3
    counts = [sum(row["kind"] == kind for row in QUERIES) for kind in kinds]
    assert max(counts) <= 2


def test_groups_are_those_of_the_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the training corpus is not beside this checkout")
    groups = {row["group"] for row in rows(CORPUS / "manifest.csv")}
    named = {group for row in MANIFEST for group in row["group"].split(";") if group}
    assert named <= groups


# What the formulas give: seconds into the sound, and the frequency there in hertz.
PITCHES = {
    "siren_wail": [(0.1, 602), (2.0, 1350), (4.1, 602), (6.0, 1350)],
    "siren_two_tone": [(0.25, 435), (0.75, 580), (5.25, 435)],
    "smoke_alarm": [(0.25, 3100), (2.25, 3100), (4.25, 3100)],
}


@pytest.mark.parametrize("name", SOUNDS)
def test_synthesis_gives_the_pitches_it_promises(name: str) -> None:
    sound = SOUNDS[name]()
    assert np.abs(sound).max() == pytest.approx(0.5)
    for seconds, expected in PITCHES[name]:
        piece = sound[round((seconds - 0.05) * RATE) : round((seconds + 0.05) * RATE)]
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), n=1 << 16))
        assert np.argmax(spectrum) * RATE / (1 << 16) == pytest.approx(expected, abs=12)


def test_smoke_alarm_pauses_where_the_standard_says() -> None:
    sound = SOUNDS["smoke_alarm"]()
    heard = [bool(np.abs(half).max() > 0.1) for half in sound.reshape(-1, RATE // 2)]
    assert heard == [True, False, True, False, True, False, False, False] * 2


@pytest.mark.parametrize("name", SOUNDS)
def test_synthesised_files_hold_what_the_formulas_give(name: str) -> None:
    (row,) = [row for row in MANIFEST if row["source"].endswith(f"synthesise.py, {name}")]
    data, rate = samples(row["file"])
    assert rate == RATE
    np.testing.assert_allclose(data[:, 0], SOUNDS[name](), atol=1 / 32768)


@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_made_of_the_sounds_they_name(name: str) -> None:
    (row,) = [row for row in MANIFEST if row["source"].endswith(f"scenes.py, {name}")]
    made, events = render(SCENES[name], LIBRARY)
    data, rate = samples(row["file"])
    assert (rate, len(data)) == (SCENE_RATE, len(made))
    assert row["events"] == events
    # Vorbis at the default quality: close, not equal.
    assert np.corrcoef(data[:, 0], made)[0, 1] > 0.99


def test_catalogue_entry_is_found_behind_its_credit() -> None:
    wav = io.BytesIO()
    soundfile.write(wav, np.full(8, 0.25), 8000, format="WAV", subtype="PCM_16")
    credits = [b'"Bell". By A. License: CC0.\0', b'"Horn". By B.\0']
    entries = [bytes([len(credit)]) + credit + wav.getvalue() for credit in credits]
    size = len(wav.getvalue())
    offsets = [16, 16 + len(entries[0])]
    table = struct.pack("<IIII", offsets[0] | 0x80000000, size, offsets[1], size)
    catalogue = table + b"".join(entries)
    credit, data = opensfx_entry(catalogue, 1)
    assert credit == '"Horn". By B.'
    assert data == wav.getvalue()
    with pytest.raises(ValueError, match="not a wav"):
        opensfx_entry(catalogue.replace(b"RIFF", b"XXXX"), 0)


def test_rebuilding_without_the_corpus_keeps_its_sounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the rows that need neither packages nor corpus are made; the corpus sounds stay."""
    import shutil

    sources = rows(REPOSITORY / "scripts/sample_library/sources.csv")
    offline = [r for r in sources if r["origin"] in {"corpus", "synthesised"}]
    here = tmp_path / "script"
    here.mkdir()
    with (here / "sources.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(sources[0]))
        writer.writeheader()
        writer.writerows(offline)
    monkeypatch.setattr("scripts.sample_library.build.HERE", here)
    library = tmp_path / "library"
    shutil.copytree(LIBRARY, library)
    bytes_before = {r["file"]: (library / r["file"]).read_bytes() for r in offline}
    made = build(library, tmp_path / "no corpus", tmp_path)
    assert made == [row for row in MANIFEST if row["file"] in bytes_before]
    assert bytes_before == {name: (library / name).read_bytes() for name in bytes_before}
    assert "kept as it is" in capsys.readouterr().out
    (library / "fire/campfire.ogg").unlink()
    with pytest.raises(SystemExit, match="use --corpus"):
        build(library, tmp_path / "no corpus", tmp_path)
