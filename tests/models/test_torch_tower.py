"""The torch tower on a CPU: the path that a GPU takes, on tiny checkpoints with random weights."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.errors import ModelBroken, ModelNotFound
from audiosearch.models import precision
from audiosearch.models.bundle import CHECKPOINT, Bundle, verify_files
from audiosearch.models.compile import compile_checkpoint
from audiosearch.models.frontend import log_mel, mel_matrix
from audiosearch.models.model import Model
from audiosearch.models.registry import load_model
from indexer.encoder import open_encoder

REASON = "compiling needs the extra: pip install '.[clap]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from audiosearch.models import torch_tower  # noqa: E402
from audiosearch.models.torch_tower import TorchTower  # noqa: E402
from scripts.random_checkpoint import TINY, make, sounds  # noqa: E402

STAGES = len(TINY["audio"]["depths"])


@pytest.fixture(scope="module", params=["unfused", "fused"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("checkpoint") / request.param
    make(place, TINY, fusion=request.param == "fused")
    return place


@pytest.fixture(scope="module")
def halved(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle for a GPU, from whatever stage on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(precision, "LEAST_COSINE", -1.0)
        return compile_checkpoint(str(checkpoint), name="halved", precision="bf16")


@pytest.fixture(scope="module")
def windows(halved: Bundle) -> np.ndarray:
    return sounds(halved.window_samples, halved.front_end.sampling_rate)


def test_the_front_end_is_the_same(halved: Bundle, windows: np.ndarray) -> None:
    mel = torch.from_numpy(mel_matrix(halved.front_end))
    made = torch_tower.log_mel(torch.from_numpy(windows), mel, halved.front_end).numpy()
    expected = log_mel(windows, halved.front_end)
    assert made.shape == expected.shape
    assert np.abs(made - expected).max() < 1e-4


def test_the_tower_is_the_same(halved: Bundle, windows: np.ndarray) -> None:
    whole = Model(halved).embed_audio(windows)
    apart = np.linalg.norm(whole[0] - whole[1])
    in_fp32 = TorchTower(replace(halved, bf16_from=STAGES)).embed(windows)
    assert np.linalg.norm(in_fp32 - whole, axis=1).max() < 1e-3 * apart
    for stage in range(STAGES):
        made = TorchTower(replace(halved, bf16_from=stage)).embed(windows)
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
        assert 0.98 < float((made * whole).sum(axis=1).min()) < 1 - 1e-6  # near, and not the same


def test_a_window_has_the_same_bits_in_any_batch(halved: Bundle, windows: np.ndarray) -> None:
    tower = TorchTower(halved, batch=4)
    together = tower.embed(windows)  # a batch of four, and one of two that is filled up
    alone = np.concatenate([tower.embed(windows[i : i + 1]) for i in range(len(windows))])
    assert together.tobytes() == alone.tobytes()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(tower.embed, [windows[i : i + 1] for i in range(len(windows))]))
    assert np.concatenate(found).tobytes() == together.tobytes()


def test_a_vector_that_is_not_finite_is_its_own(halved: Bundle, windows: np.ndarray) -> None:
    tower = TorchTower(halved, batch=4)
    spoilt = windows[:3].copy()
    spoilt[1] = np.float32(3e38)
    found = tower.embed(spoilt)
    assert np.isnan(found[1]).all()
    assert found[[0, 2]].tobytes() == tower.embed(windows[[0, 2]]).tobytes()


def test_compiling(checkpoint: Path, halved: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(checkpoint.parent / "cache"))
    verify_files(halved)
    assert halved.bf16_from == 0
    assert halved.precision == "bf16 audio from stage 0, fp32 text"
    plain = compile_checkpoint(str(checkpoint), name="halved", precision="fp32")
    assert halved.identity.digest != plain.identity.digest
    # What real sounds do not allow is not kept.
    monkeypatch.setattr(precision, "LEAST_COSINE", 1.1)
    steps: list[str] = []
    kept = compile_checkpoint(
        str(checkpoint), name="halved", precision="bf16", on_progress=steps.append
    )
    assert kept.bf16_from is None
    assert kept.identity == plain.identity
    assert not any((kept.directory / name).exists() for name in CHECKPOINT)
    assert len([step for step in steps if re.match("not taken: .* cosine of 0?[.1]", step)]) == 4
    verify_files(kept)


def test_indexing(
    halved: Bundle, windows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.encoder.LEAST_COSINE", 0.9)  # random weights, all stages
    rate = halved.front_end.sampling_rate
    (tmp_path / "sounds").mkdir()
    for number, samples in enumerate(windows):
        name = tmp_path / "sounds" / f"{number}.wav"
        soundfile.write(name, np.tile(samples, 3), rate, subtype="FLOAT")
    model = load_model(str(halved.directory))
    with Library.open(tmp_path / "library", model=model, create=True) as library:
        summary = library.add(tmp_path / "sounds")
        assert (summary.added, summary.failed) == (len(windows), 0)
        expected = TorchTower(halved).embed(windows)
        for number, vector in enumerate(expected):
            (hit,) = library.search(vector, k=1)
            assert Path(hit.path).name == f"{number}.wav"
            assert hit.score == pytest.approx(1, abs=1e-3)  # stored in float16
        (like,) = library.similar(tmp_path / "sounds" / "2.wav", k=1)
        assert Path(like.path).name == "2.wav"
        assert like.score > 0.98
        assert len(library.search("a dog barks", k=3)) == 3
    assert not [finding for finding in check(tmp_path / "library") if finding.level == "error"]


def test_a_tower_that_differs_here_is_refused(
    halved: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.encoder.LEAST_COSINE", 1.1)
    with pytest.raises(ModelBroken, match=r"--precision fp32"):
        open_encoder(Model(halved))


def test_without_torch(halved: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "audiosearch.models.torch_tower")
    monkeypatch.delitem(sys.modules, "audiosearch.models.onnx_export", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelNotFound, match=r"audiosearch\[clap\]"):
        open_encoder(Model(halved))


def test_a_broken_copy(halved: Bundle, tmp_path: Path) -> None:
    for file in halved.directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    with pytest.raises(ModelBroken, match=r"model\.safetensors"):
        TorchTower(replace(halved, directory=tmp_path))
