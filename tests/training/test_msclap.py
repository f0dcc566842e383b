"""Training from files of MS-CLAP, small ones of random weights, and from bundles that were made of them."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("transformers", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("onnx", reason="training needs the extra: pip install '.[train]'")

from audiosearch.errors import InvalidQuery, ModelBroken, ModelNotFound  # noqa: E402
from audiosearch.models import msclap_file  # noqa: E402
from audiosearch.models import msclap_towers as towers  # noqa: E402
from audiosearch.models.bundle import read_bundle  # noqa: E402
from audiosearch.models.model import Model, unlike_sounds  # noqa: E402
from audiosearch.models.msclap import add_msclap  # noqa: E402
from audiosearch.training.options import Options  # noqa: E402
from audiosearch.training.run import _write_bundle  # noqa: E402
from audiosearch.training.sources import open_trainee  # noqa: E402
from scripts.random_msclap import make  # noqa: E402
from tests.effort import quick_first, thorough_only  # noqa: E402

torch.set_num_threads(1)  # operators as small as these wait for each other

WORDS = re.compile(r"word_embeddings|\.wte\.")


@pytest.fixture(scope="module", params=quick_first(["2022", "2023"]))
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file and its tokenizer's."""
    folder = tmp_path_factory.mktemp(request.param)
    make(folder, request.param)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of models."""
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "cache"))


def file_in(folder: Path) -> Path:
    (file,) = folder.glob("*.pth")
    return file


def test_it_becomes_a_bundle_and_a_file(files: Path, tmp_path: Path) -> None:
    start, run = file_in(files), tmp_path / "a run"
    trainee = open_trainee(str(start), run / "start", tokenizer=str(files))
    trainee.freeze("none")
    learnt = {name for name, weight in trainee.named_parameters() if weight.requires_grad}
    with torch.no_grad():
        for name, weight in trainee.named_parameters():
            if name in learnt:
                weight.add_(0.02 * (weight.abs().mean() + 0.1) * torch.randn_like(weight))
    weights = {name: value.clone() for name, value in trainee.weights().items()}
    bundle = read_bundle(_write_bundle(trainee, Options(run, name="других")))  # it compares both
    assert Model(bundle).embed_audio(unlike_sounds(bundle)).shape == (2, bundle.dimension)
    # The file is one of MS-CLAP with the trained weights, and all that the original held.
    made = msclap_file.read_file(run / "checkpoint.pth")
    given = msclap_file.read_file(start)
    assert made.keys() == given.keys()
    kept = {name for name in made if torch.equal(made[name], given[name])}
    assert all(msclap_file.UNUSED.search(n) or "running_" in n or WORDS.search(n) for n in kept)
    assert any(WORDS.search(name) for name in kept)  # words' vectors stay as they are
    # Taken up from the bundle, from where the run was moved to, it is what was trained.
    moved = tmp_path / "moved"
    shutil.move(run, moved)
    again = open_trainee(str(moved / "bundle"), tmp_path)
    again.freeze("none")
    assert all(torch.equal(weights[name], value) for name, value in again.weights().items())
    assert again.parts.bundle.front_end == bundle.front_end


@thorough_only
def test_from_a_bundle_in_the_cache_and_from_scratch(
    files: Path, tmp_path: Path, cache: None
) -> None:
    bundle = add_msclap(str(file_in(files)), "mine", "fp32", str(files), lambda step: None)
    trainee = open_trainee("mine", tmp_path)
    from audiosearch.training.batches import Maker

    maker = Maker(trainee, "cpu", "none", 0)
    sounds = unlike_sounds(bundle)
    with torch.no_grad():
        vectors = trainee.embed_pictures(maker.pictures(torch.from_numpy(sounds))).numpy()
    assert np.abs(vectors - Model(bundle).embed_audio(sounds)).max() < 1e-5
    torch.manual_seed(1)
    drawn = open_trainee("mine", tmp_path, scratch=True).weights()
    one = "module.audio.projection.linear1.weight"
    assert drawn[one].shape == trainee.weights()[one].shape
    assert not torch.equal(drawn[one], trainee.weights()[one])


def test_what_freezing_leaves(tmp_path: Path) -> None:
    make(tmp_path, "2022")
    trainee = open_trainee(str(file_in(tmp_path)), tmp_path / "t", tokenizer=str(tmp_path))
    trainee.freeze("both-but-projections")
    learning = {n for n, weight in trainee.named_parameters() if weight.requires_grad}
    assert learning == {"scale"} | {
        f"module.{tower}.projection.{name}"
        for tower in ("audio", "text")
        for name in ("linear1.weight", "linear2.weight", "layer_norm.weight", "layer_norm.bias")
    }


def test_what_cannot_be_trained(tmp_path: Path, cache: None) -> None:
    make(tmp_path, "2022")
    file = file_in(tmp_path)
    with pytest.raises(ModelNotFound, match=r"there is no file .*gone\.pth"):
        open_trainee("gone.pth", tmp_path)
    with pytest.raises(InvalidQuery, match="--tokenizer is for an MS-CLAP file: mini brings"):
        open_trainee("mini", tmp_path, tokenizer=str(tmp_path))
    (tmp_path / "bad.pth").write_bytes(b"no pickle")
    with pytest.raises(ModelBroken, match="cannot be loaded as plain weights"):
        open_trainee(str(tmp_path / "bad.pth"), tmp_path, tokenizer=str(tmp_path))
    trainee = open_trainee(str(file), tmp_path / "t", tokenizer=str(tmp_path))
    from audiosearch.models.msclap import file_of

    bundle = trainee.parts.bundle
    assert file_of(bundle) == file
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ModelNotFound, match=r"was made of another .* than the one there"):
        file_of(bundle)
    file.unlink()
    with pytest.raises(ModelNotFound, match="which is not there: bring it back, or add"):
        file_of(bundle)
    assert file_of(replace(bundle, weights=None)) is None


def test_every_weight_goes_back_under_its_name(tmp_path: Path) -> None:
    """HTS-AT's query, key and value are one matrix in the file and three in transformers."""
    make(tmp_path, "2023")
    path = file_in(tmp_path)
    state = msclap_file.read_file(path)
    sounds, words = towers.build(state, path)
    zeros = {name: torch.zeros_like(value) for name, value in state.items()}
    back = msclap_file.with_weights(zeros, sounds, words)
    for name, value in state.items():
        of_towers = name != "logit_scale" and not msclap_file.UNUSED.search(name)
        assert torch.equal(back[name], value if of_towers else zeros[name]), name
