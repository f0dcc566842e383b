"""Mini's towers as they are trained: equal to the bundle, able to learn, and a bundle again."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("transformers", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("onnx", reason="training needs the extra: pip install '.[train]'")

from audiosearch.models.bundle import read_bundle  # noqa: E402
from audiosearch.models.model import Model, unlike_sounds  # noqa: E402
from audiosearch.models.registry import find_bundle  # noqa: E402
from audiosearch.training.batches import Learnt, Maker  # noqa: E402
from audiosearch.training.contrast import Contrast  # noqa: E402
from audiosearch.training.decoded import decode  # noqa: E402
from audiosearch.training.embedding import retrieve  # noqa: E402
from audiosearch.training.loop import Loop  # noqa: E402
from audiosearch.training.options import Options, Progress, TrainingFailed  # noqa: E402
from audiosearch.training.run import _write_bundle  # noqa: E402
from audiosearch.training.sources import open_trainee  # noqa: E402
from audiosearch.training.trainee import Trainee  # noqa: E402
from tests.effort import thorough_only  # noqa: E402

torch.set_num_threads(1)  # more wait for each other

SAMPLES = Path(__file__).parents[2] / "sample_library"
TEXTS = ["a dog barks", "Rain falls on a tin roof at night, and thunder rolls far away.", "ü"]


@pytest.fixture
def trainee(tmp_path: Path) -> Trainee:
    return open_trainee("mini", tmp_path)


def vectors(trainee: Trainee) -> tuple[np.ndarray, np.ndarray]:
    maker = Maker(trainee, "cpu", "none", 0)
    sounds = unlike_sounds(trainee.parts.bundle)
    trainee.learn(False)
    with torch.no_grad():
        audio = trainee.embed_pictures(maker.pictures(torch.from_numpy(sounds)))
        text = trainee.embed_tokens(*maker.tokens(TEXTS))
    return audio.numpy(), text.numpy()


def test_the_towers_are_the_bundle(trainee: Trainee) -> None:
    model = Model(trainee.parts.bundle)
    audio, text = vectors(trainee)
    assert np.abs(audio - model.embed_audio(unlike_sounds(model.bundle))).max() < 1e-5
    assert np.abs(text - model.embed_text(TEXTS)).max() < 1e-5


def test_a_bundle_that_was_trained_can_be_trained_again(trainee: Trainee, tmp_path: Path) -> None:
    with torch.no_grad():
        for weight in trainee.parameters():
            weight.add_(weight.std() * 0.05 * torch.randn_like(weight) if weight.ndim > 1 else 0)
    audio, text = vectors(trainee)
    (tmp_path / "run").mkdir()
    bundle = read_bundle(_write_bundle(trainee, Options(tmp_path / "run", name="других")))
    assert bundle.name == "других"
    assert bundle.front_end == read_bundle(find_bundle("mini")).front_end
    again = vectors(open_trainee(str(bundle.directory), tmp_path))
    assert np.abs(again[0] - audio).max() < 2e-3  # its weights have 16 bits
    assert np.abs(again[1] - text).max() < 2e-3
    assert np.abs(text - Model(read_bundle(find_bundle("mini"))).embed_text(TEXTS)).max() > 0.01


def test_a_bundle_of_other_graphs_is_refused(tmp_path: Path) -> None:
    other = shutil.copytree(find_bundle("mini"), tmp_path / "other")
    swapped = (other / "audio.onnx").read_bytes()
    (other / "text.onnx").write_bytes(swapped)
    from audiosearch.models.compile import _rewrite

    manifest = (other / "model.json").read_text().replace("24157553", str(len(swapped)))
    (other / "model.json").write_text(manifest)
    _rewrite(read_bundle(other), ["text.onnx"])
    with pytest.raises(TrainingFailed, match="cannot be trained: it holds graphs alone"):
        open_trainee(str(other), tmp_path)


@thorough_only
def test_it_learns_32_pairs_by_heart(trainee: Trainee, tmp_path: Path) -> None:
    """Captions that say nothing of the sounds: only what was learnt can find them."""
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as file:
        paths = [SAMPLES / row["file"] for row in csv.DictReader(file)][:32]
    words = ["amber", "birch", "cobalt", "dune", "ember", "fjord", "grape", "hazel"]
    captions = [[f"{words[i % 8]} {words[7 - i // 8]} number {i}"] for i in range(32)]
    decoded = decode(paths, trainee.parts.bundle, 5.0, tmp_path / "sounds", Progress())
    assert decoded.count.tolist() == [1] * 32  # one window each
    pairs = Learnt(decoded, np.arange(32), captions)
    # Each six times in an epoch: measuring costs as much as a step.
    learnt = Learnt(decoded, np.tile(np.arange(32), 6), captions * 6)
    # Projections alone: half the time of whole towers, and they need fewer steps.
    options = Options(
        tmp_path,
        epochs=16,
        batch=32,
        rate=2e-2,
        patience=16,
        augment="none",
        freeze="both-but-projections",
    )
    maker = Maker(trainee, "cpu", "none", 0)
    before = retrieve(trainee, maker, pairs, "cpu")
    assert before.to_audio["recall@1"].mean() < 0.2
    assert before.to_text["recall@1"].mean() < 0.2
    lesson = Contrast(trainee, maker, learnt, pairs, options.batch, "cpu", "fp32")
    Loop(trainee, lesson, options, device="cpu", progress=Progress()).run()
    after = retrieve(trainee, maker, pairs, "cpu")
    assert after.to_audio["recall@1"].mean() == after.to_text["recall@1"].mean() == 1
