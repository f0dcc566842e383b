"""Files that are not stored: decoded elsewhere, and what becomes of those that kill their decoder."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosearch import AudioSearchError, Library
from audiosearch.audio import peaks, render
from audiosearch.audio.reader import read_windows
from audiosearch.errors import AudioRejected, InvalidQuery
from audiosearch.models.registry import find_bundle, load_model
from audiosearch.search.classification import classify
from indexer import workers
from indexer.isolated import IsolatedReader
from indexer.workers import Worker
from tests.e2e.conftest import SAMPLES, tone, write
from tests.effort import quick_first

CAMPFIRE = SAMPLES / "fire" / "campfire.ogg"


@pytest.fixture(scope="module")
def reader() -> Iterator[IsolatedReader]:
    with IsolatedReader() as opened:
        yield opened


@pytest.mark.parametrize(("start", "end"), [(0.0, None), (1.5, 7.25), (4.0, None)])
def test_windows_are_those_of_this_process(
    reader: IsolatedReader, start: float, end: float | None
) -> None:
    model = load_model()
    bundle = model.bundle
    length, hop = bundle.window_samples, bundle.hop_samples
    rate = bundle.front_end.sampling_rate
    with read_windows(CAMPFIRE, rate=rate, length=length, hop=hop, start=start, end=end) as (
        reading,
        windows,
    ):
        expected = list(windows)
    embedded = reader.embed(model, CAMPFIRE, start, end)
    assert embedded.starts.tolist() == [window.start for window in expected]
    assert embedded.ends.tolist() == [window.end for window in expected]
    assert embedded.duration == reading.duration
    vectors = model.embed_audio(np.stack([window.samples for window in expected]))
    assert np.array_equal(embedded.vectors, vectors)


def test_a_relative_path_is_of_the_current_directory(
    reader: IsolatedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CAMPFIRE.parent)
    assert reader.embed(load_model(), CAMPFIRE.name).duration > 10
    assert reader.peaks(CAMPFIRE.name).frames > 0


def test_outlines_and_renderings_are_those_of_this_process(
    reader: IsolatedReader, tmp_path: Path
) -> None:
    drawn, expected = reader.peaks(CAMPFIRE), peaks.compute(CAMPFIRE)
    assert (drawn.frames, drawn.sample_rate) == (expected.frames, expected.sample_rate)
    assert np.array_equal(drawn.levels, expected.levels)
    for name in ("here.wav", "there.wav"):
        if name == "here.wav":
            render.render(CAMPFIRE, tmp_path / name, "wav", 1.0, 2.0)
        else:
            reader.render(CAMPFIRE, tmp_path / name, "wav", 1.0, 2.0)
    assert (tmp_path / "here.wav").read_bytes() == (tmp_path / "there.wav").read_bytes()


def test_verdicts_are_those_of_this_process(reader: IsolatedReader, tmp_path: Path) -> None:
    model = load_model()
    (tmp_path / "text.wav").write_bytes(b"no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "silent.wav", np.zeros(10_000), 8_000)
    kinds = {"text": "undecodable", "empty": "empty", "silent": "silent", "gone": "unreadable"}
    for name, kind in kinds.items():
        with pytest.raises(AudioRejected) as caught:
            reader.embed(model, tmp_path / f"{name}.wav")
        assert caught.value.kind == kind
    with pytest.raises(InvalidQuery, match="ends before"):
        reader.embed(model, CAMPFIRE, 10_000.0)
    with pytest.raises(InvalidQuery, match="no sound"):
        reader.embed(model, CAMPFIRE, 2.0, 1.0)
    with pytest.raises(InvalidQuery, match="rendered as"):
        reader.render(CAMPFIRE, tmp_path / "x", "mp3")
    with pytest.raises(AudioRejected, match="no samples"):
        reader.render(CAMPFIRE, tmp_path / "x", "wav", 10_000.0)
    assert not (tmp_path / "x").exists()
    with pytest.raises(AudioSearchError, match="cannot write"):
        reader.render(CAMPFIRE, tmp_path / "nowhere" / "x", "wav")
    # And it goes on.
    assert len(reader.embed(model, CAMPFIRE).vectors)


def test_a_model_is_named_by_each_call(reader: IsolatedReader, tmp_path: Path) -> None:
    """What one process answers for one model does not depend on those that it served before."""
    shutil.copytree(find_bundle("mini"), tmp_path / "other")
    manifest = json.loads((tmp_path / "other" / "model.json").read_text())
    manifest |= {"revision": "other", "hop_seconds": manifest["window_seconds"]}
    (tmp_path / "other" / "model.json").write_text(json.dumps(manifest))
    mini, other = load_model(), load_model(str(tmp_path / "other"))
    counts = [len(reader.embed(model, CAMPFIRE).vectors) for model in (mini, other, mini)]
    assert counts[0] == counts[2] > counts[1]


Ask = Callable[[Library, Path], Any]
ASKED: dict[str, Ask] = {
    "similar": lambda library, file: library.similar(file),
    "part": lambda library, file: library.similar(file, start=1.0, end=110.0),
    "embed": lambda library, file: library.embed_audio(file),
    "classify": lambda library, file: list(library.classify([file], ["a", "b"])),
    "classify alone": lambda library, file: list(classify(library.model, [str(file)], ["a"])),
    "peaks": lambda library, file: library.peaks(CAMPFIRE),
    "render": lambda library, file: library.render(
        CAMPFIRE, file.with_suffix(".opus"), kind="opus"
    ),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library.open(tmp_path_factory.mktemp("library"), create=True) as opened:
        opened.add(CAMPFIRE)
        yield opened


@pytest.mark.parametrize("how", quick_first([signal.SIGKILL, signal.SIGSEGV]))
@pytest.mark.parametrize("what", quick_first(list(ASKED), 3))
def test_a_decoder_that_dies_in_mid_file_is_a_rejected_file(
    library: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    how: signal.Signals,
) -> None:
    """Whatever was asked of it; and the next file has a decoder again."""
    shutil.rmtree(library.directory / peaks.FOLDER, ignore_errors=True)
    write(tmp_path / "long.wav", tone(seconds=120))
    real = Worker._next
    seen: list[Any] = []

    def killed(worker: Worker, process: Any) -> Any:
        # Behind the first windows, where there are some, else at once.
        if seen or what in ("peaks", "render"):
            os.kill(process.pid, how)
            process.stdout.read()  # what it had sent already, on a machine that is slow to ask
        seen.append(process.pid)
        return real(worker, process)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_next", killed)
        with pytest.raises(AudioRejected, match=f"signal {int(how)}"):
            ASKED[what](library, tmp_path / "long.wav")
    assert seen
    assert not (tmp_path / "long.opus").exists()
    assert ASKED[what](library, tmp_path / "long.wav") is not False


def test_a_decoder_that_died_of_nothing_is_replaced(reader: IsolatedReader) -> None:
    """Killed between two files, for want of memory: the next file is not to blame."""
    model = load_model()
    first = reader.embed(model, CAMPFIRE).vectors
    (decoder,) = reader._decoders
    assert decoder._process
    decoder._process.kill()
    decoder._process.wait()
    assert np.array_equal(reader.embed(model, CAMPFIRE).vectors, first)


def test_a_decoder_that_hangs_is_a_rejected_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "HUNG_SECONDS", 0.5)
    with IsolatedReader() as reader:
        (decoder,) = reader._decoders
        os.kill(decoder._started().pid, signal.SIGSTOP)
        with pytest.raises(AudioRejected, match="hung"):
            reader.peaks(CAMPFIRE)


def test_an_answer_that_was_given_up_is_not_the_next_ones(
    reader: IsolatedReader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = load_model()
    write(tmp_path / "long.wav", tone(seconds=120))
    with monkeypatch.context() as patch:
        real = type(model).embed_features

        def fail(self: Any, features: np.ndarray) -> np.ndarray:
            if len(features):
                raise KeyboardInterrupt
            return real(self, features)

        patch.setattr(type(model), "embed_features", fail)
        with pytest.raises(KeyboardInterrupt):
            reader.embed(model, tmp_path / "long.wav")
    assert np.array_equal(reader.peaks(CAMPFIRE).levels, peaks.compute(CAMPFIRE).levels)


def test_classes_of_stored_sounds_are_not_decoded(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By path or by id; the scores are those of the file, but for the rounding of what is stored."""
    (sound,) = library.sounds()
    labels = ["campfire", "rain", "a dog"]
    (decoded,) = classify(library.model, [str(CAMPFIRE)], labels)

    def refuse(*args: Any) -> Any:
        raise AssertionError("it is decoded")

    monkeypatch.setattr(Worker, "_next", refuse)
    by_path, by_id = library.classify([CAMPFIRE, sound.id], labels)
    assert by_path == by_id
    assert by_path.path == decoded.path
    for one, other in zip(by_path.labels, decoded.labels, strict=True):
        assert one.label == other.label
        assert one.score == pytest.approx(other.score, abs=1e-3)


def test_a_library_starts_no_decoder_until_it_decodes(library: Library) -> None:
    with Library.open(library.directory) as again:
        again.search("fire")
        again.similar(CAMPFIRE)
        assert again._decoding._reader is None
        again.embed_audio(CAMPFIRE)
        (decoder,) = again._decoding.reader._decoders
        process = decoder._process
        assert process
    assert process.poll() is not None  # it goes with the library
