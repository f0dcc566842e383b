"""Compiled checkpoints against transformers, on tiny ones with random weights."""

import json
import math
import os
import pickle
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiosearch.errors import AudioSearchError, InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models import precision
from audiosearch.models.bundle import MANIFEST, read_bundle, verify_files
from audiosearch.models.compile import compile_checkpoint
from audiosearch.models.frontend import log_mel
from audiosearch.models.model import Model
from audiosearch.models.registry import cached_bundle, list_bundles, load_model

REASON = "compiling needs the extra: pip install '.[clap]'"
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from scripts.random_checkpoint import TEXTS, TINY, UNLIKE, make, sounds  # noqa: E402

torch.set_num_threads(1)  # operators as small as these wait for each other
LONG = " and ".join(TEXTS * 10)


@pytest.fixture(autouse=True)
def _whole(monkeypatch):
    """What int8 gains is a matter of the processor: here nothing, but where a test says so."""
    monkeypatch.setattr(precision, "LEAST_GAIN", math.inf)


@pytest.fixture(scope="module", params=["unfused", "fused"])
def compiled(request, tmp_path_factory):
    """(checkpoint, compiled model) of a tiny architecture."""
    where = tmp_path_factory.mktemp(request.param)
    make(where / "tiny", TINY, fusion=request.param == "fused")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSEARCH_CACHE", str(where / "cache"))
        bundle = compile_checkpoint(str(where / "tiny"), precision="fp32")
        return where / "tiny", load_model(bundle.name)


@pytest.fixture(scope="module")
def reference(compiled):
    """What transformers makes of (windows, texts), by its own public calls."""
    checkpoint, _ = compiled
    clap = transformers.ClapModel.from_pretrained(checkpoint).eval()
    processor = transformers.ClapProcessor.from_pretrained(checkpoint)

    def embed(windows, texts):
        features = processor.feature_extractor(
            list(windows),
            sampling_rate=processor.feature_extractor.sampling_rate,
            return_tensors="pt",
        )
        # The extractor tosses a coin for it where fusion is on; no window is longer than a window.
        features["is_longer"] = torch.zeros((len(windows), 1), dtype=torch.bool)
        with torch.no_grad():
            audio = clap.get_audio_features(**features).pooler_output.numpy()
            rows = []
            for text in texts:
                tokens = processor.tokenizer(
                    text, truncation=True, max_length=77, return_tensors="pt"
                )
                rows.append(clap.get_text_features(**tokens).pooler_output.numpy()[0])
        return features["input_features"][:, 0].numpy(), audio, np.array(rows)

    return embed


@pytest.fixture(scope="module")
def both(compiled, reference):
    """Windows and texts, and what transformers makes of them."""
    bundle = compiled[1].bundle
    windows = sounds(bundle.window_samples, bundle.front_end.sampling_rate)
    texts = [*TEXTS, LONG]
    return windows, texts, *reference(windows, texts)


def distance(vectors):
    """The least between the vectors of unlike inputs, of which there are four."""
    cosines = (vectors[:4] @ vectors[:4].T)[~np.eye(4, dtype=bool)]
    assert cosines.max() < UNLIKE  # else nothing below would mean anything
    return float(np.sqrt(2 - 2 * cosines.max()))


def off(ours, theirs):
    return float(np.linalg.norm(ours - theirs, axis=1).max())


def test_the_front_end_is_that_of_the_checkpoint(compiled, both):
    windows, _, features, _, _ = both
    assert np.abs(log_mel(windows, compiled[1].bundle.front_end) - features).max() < 1e-4


def test_sounds_are_embedded_as_transformers_does(compiled, both):
    windows, _, _, audio, _ = both
    assert off(compiled[1].embed_audio(windows), audio) < 1e-3 * distance(audio)


def test_texts_are_embedded_as_transformers_does(compiled, both, caplog):
    _, texts, _, _, text = both
    assert off(compiled[1].embed_text(texts), text) < 1e-3 * distance(text)
    assert "77 tokens" in caplog.text  # of the long one


@pytest.mark.parametrize(
    "mistake",
    [{"mel_scale": "bark"}, {"frequency_min": 0.0}, {"norm": "other"}, {"frequency_max": 6_900.0}],
    ids=["other scale", "lowest frequency", "other norm", "highest frequency"],
)
def test_a_wrong_front_end_would_be_seen(compiled, both, mistake):

    windows, _, _, audio, _ = both
    _, model = compiled
    right = model.bundle.front_end
    if "mel_scale" in mistake:
        mistake = {"mel_scale": "htk" if right.mel_scale == "slaney" else "slaney"}
    if "norm" in mistake:
        mistake = {"norm": None if right.norm else "slaney"}
    wrong = model.embed_features(log_mel(windows, replace(right, **mistake)))
    assert off(wrong, audio) > 1e-3 * distance(audio)


def test_a_batch_of_8_has_the_bits_of_8_batches_of_1(compiled):
    _, model = compiled
    size = model.bundle.window_samples
    windows = np.random.default_rng(5).normal(0, 0.1, (8, size)).astype(np.float32)
    one_by_one = [model.embed_audio(windows[i : i + 1])[0] for i in range(8)]
    assert model.embed_audio(windows).tobytes() == np.stack(one_by_one).tobytes()
    again = Model(model.bundle)
    assert again.embed_audio(windows).tobytes() == model.embed_audio(windows).tobytes()


def test_the_bundle_says_what_the_checkpoint_is(compiled):
    checkpoint, model = compiled
    bundle = model.bundle
    verify_files(bundle)
    assert bundle.name == "tiny"
    assert bundle.origin == str(checkpoint)
    assert bundle.dimension == TINY["projection_dim"]
    assert (bundle.window_seconds, bundle.window_samples) == (2.0, 32_000)
    assert bundle.precision == "fp32"
    assert bundle.max_tokens == 77
    assert bundle.query_template == "This is a sound of {}."
    clap = transformers.ClapModel.from_pretrained(checkpoint)
    assert bundle.logit_scale == pytest.approx(float(clap.logit_scale_a.detach().exp()))


# -- lower precision ------------------------------------------------------------------------------


@pytest.mark.parametrize(("cosine", "kept"), [(-1.0, "int8 audio, fp32 text"), (1.1, "fp32")])
def test_int8_is_kept_where_it_is_good(compiled, monkeypatch, tmp_path, cosine, kept):
    checkpoint, whole = compiled
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "LEAST_COSINE", cosine)
    monkeypatch.setattr(precision, "LEAST_GAIN", 0.0)
    steps: list[str] = []
    bundle = compile_checkpoint(str(checkpoint), name="lower", on_progress=steps.append)
    assert bundle.precision == kept
    assert re.search(r"int8 is [\d.]+ times as fast, at a cosine of [\d.]+ to fp32", steps[-1])
    verify_files(bundle)
    model = Model(bundle)
    model.check()
    windows = sounds(bundle.window_samples, bundle.front_end.sampling_rate)
    ours, theirs = model.embed_audio(windows), whole.embed_audio(windows)
    assert (ours.tobytes() == theirs.tobytes()) == (kept == "fp32")
    assert (ours * theirs).sum(1).min() > 0.98
    # It is another model: a library of the one is not asked with the other.
    same = bundle.identity == replace(whole.bundle, name="lower").identity
    assert same == (kept == "fp32")
    one_by_one = [model.embed_audio(windows[i : i + 1])[0] for i in range(len(windows))]
    assert ours.tobytes() == np.stack(one_by_one).tobytes()


# -- what goes on in the cache -------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoint") / "tiny"
    make(directory, TINY)
    return directory


@pytest.fixture
def checkpoint(tiny, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


def test_steps_are_told_and_the_model_is_there_by_name(checkpoint, cache):
    steps: list[str] = []
    bundle = compile_checkpoint(str(checkpoint), name="mine/own", on_progress=steps.append)
    assert len(steps) >= 4
    assert bundle.directory == cached_bundle("mine/own")
    assert load_model("mine/own").bundle == bundle
    assert [model.name for model in list_bundles()] == ["mini", "mine/own"]
    assert [path.name for path in cache.iterdir()] == ["mine--own"]  # and nothing else is left


def test_what_killed_runs_left_is_cleared(checkpoint, cache):
    for name, age in ((".compiling-old", 100_000), (".compiling-new", 1_000)):
        (cache / name).mkdir(parents=True)
        (cache / name / "audio.onnx").write_bytes(b"half")
        then = (cache / name).stat().st_mtime - age
        os.utime(cache / name, (then, then))
    compile_checkpoint(str(checkpoint), precision="fp32")
    assert sorted(path.name for path in cache.iterdir()) == [".compiling-new", "tiny"]


def test_a_model_is_what_the_checkpoint_is(checkpoint, cache, tmp_path):
    one = compile_checkpoint(str(checkpoint))
    copy = compile_checkpoint(str(shutil.copytree(checkpoint, tmp_path / "copy")))
    assert (one.name, copy.name) == ("tiny", "copy")
    assert copy.identity.digest == one.identity.digest  # wherever it was compiled
    make(checkpoint, TINY, seed=1)
    other = compile_checkpoint(str(checkpoint))
    assert other.directory == one.directory  # in its place
    assert other.identity.digest != one.identity.digest
    assert sorted(path.name for path in cache.iterdir()) == ["copy", "tiny"]


def test_a_name_in_use_is_not_taken_by_chance(checkpoint, cache, tmp_path):
    compile_checkpoint(str(checkpoint))
    other = shutil.copytree(checkpoint, tmp_path / "elsewhere" / "tiny")
    with pytest.raises(InvalidQuery, match=f"tiny already, from {checkpoint}.*--name"):
        compile_checkpoint(str(other))
    with pytest.raises(InvalidQuery, match="name mini is taken"):
        compile_checkpoint(str(other), name="mini")


# -- what cannot be compiled ---------------------------------------------------------------------


def assert_refused(source, cache, what, error=ModelBroken):
    with pytest.raises(error, match=what) as caught:
        compile_checkpoint(str(source))
    assert "\n" not in str(caught.value)
    assert not cache.exists() or list(cache.iterdir()) == []


def respell(path: Path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def save_weights(checkpoint: Path, change) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(checkpoint / "model.safetensors")
    change(weights)
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})


def test_a_collapsed_text_tower_is_refused(checkpoint, cache):
    """As laion/larger_clap_music has: whatever the text, nearly the same vector."""

    def collapse(weights):
        weights["text_projection.linear2.weight"] *= 1e-3
        weights["text_projection.linear2.bias"] += 1.0

    save_weights(checkpoint, collapse)
    assert_refused(checkpoint, cache, "its text tower gives unlike texts one vector")


@pytest.mark.parametrize(
    ("name", "error", "what"),
    [
        ("config.json", ModelNotFound, "it has no config.json"),
        ("model.safetensors", ModelNotFound, "has no weights"),
        ("preprocessor_config.json", ModelBroken, "cannot be loaded"),
    ],
)
def test_a_missing_file_is_named(checkpoint, cache, name, error, what):
    (checkpoint / name).unlink()
    assert_refused(checkpoint, cache, what, error)


def test_a_checkpoint_without_tokenizer_is_refused(checkpoint, cache):
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (checkpoint / name).unlink()
    assert_refused(checkpoint, cache, "its tokenizer is missing")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"model_type": "bert"}', b"[" * 100_000])
def test_what_is_no_clap_is_refused_by_its_config(checkpoint, cache, content):
    (checkpoint / "config.json").write_bytes(content)
    assert_refused(checkpoint, cache, "ClapModel|cannot be read")


def test_damaged_weights_are_refused(checkpoint, cache):
    whole = (checkpoint / "model.safetensors").read_bytes()
    (checkpoint / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert_refused(checkpoint, cache, "cannot be loaded")


def test_missing_weights_are_not_made_up(checkpoint, cache):
    save_weights(checkpoint, lambda weights: weights.pop("text_projection.linear1.weight"))
    assert_refused(checkpoint, cache, r"no weights for text_projection\.linear1\.weight")


def test_an_extractor_of_another_size_is_refused(checkpoint, cache):
    respell(checkpoint / "preprocessor_config.json", feature_size=16)
    assert_refused(checkpoint, cache, "16 mel bands are made, 32 are read")


def test_a_window_longer_than_the_tower_reads_is_refused(checkpoint, cache):
    respell(checkpoint / "preprocessor_config.json", max_length_s=20, nb_max_samples=320_000)
    assert_refused(checkpoint, cache, "2001 frames are made, 512 at most are read")


class Malice:
    """What a pickle can do when it is loaded."""

    def __reduce__(self):
        return (Path.touch, (Path(__file__).parent / "malice",))


def test_older_weights_are_loaded_as_tensors_alone(checkpoint, cache):
    from safetensors.torch import load_file

    one = compile_checkpoint(str(checkpoint), name="one")
    weights = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    torch.save(weights, checkpoint / "pytorch_model.bin")
    other = compile_checkpoint(str(checkpoint), name="other")
    ours, theirs = (Model(bundle).embed_text(["rain"]) for bundle in (one, other))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("save", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_code_in_weights_is_not_run(checkpoint, cache, save):
    (checkpoint / "model.safetensors").unlink()
    save({"logit_scale_a": Malice()}, checkpoint / "pytorch_model.bin")
    assert_refused(checkpoint, cache, "cannot be loaded")
    assert not (Path(__file__).parent / "malice").exists()


def test_a_bundle_needs_no_compiling(compiled, cache):
    directory = compiled[1].bundle.directory
    assert read_bundle(directory)
    assert_refused(directory, cache, "is a bundle already", ModelNotFound)


@pytest.mark.parametrize("package", ["torch", "transformers", "onnx"])
def test_without_the_extra_it_says_what_to_install(checkpoint, cache, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    what = rf"{package} is needed: pip install 'audiosearch\[clap\]'"
    assert_refused(checkpoint, cache, what, ModelNotFound)


@pytest.mark.parametrize(
    "source", ["", "not an id", "a/b/c", "~nobody-here", "x" * 5_000, "-/-", "a..b"]
)
def test_what_is_no_id_is_refused(cache, source):
    assert_refused(source, cache, "neither a directory nor a hub id", ModelNotFound)


def test_a_hub_that_cannot_be_reached_is_said_so(cache, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    what = "hub cannot be reached, and laion/clap-htsat-unfused was not downloaded before"
    assert_refused("laion/clap-htsat-unfused", cache, what, ModelNotFound)


def test_a_hub_without_encryption_is_not_asked(cache, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://example.org")
    assert_refused("laion/clap-htsat-unfused", cache, "is not https", ModelNotFound)


def test_a_checkpoint_in_the_hubs_cache_needs_no_network(checkpoint, cache, monkeypatch, tmp_path):
    from huggingface_hub import constants

    card = "---\nlanguage: en\nlicense: cc-by-4.0\ntags: []\n---\n# A model\nlicense: none\n"
    (checkpoint / "README.md").write_text(card)
    commit = "0123456789abcdef0123456789abcdef01234567"
    kept = tmp_path / "hub" / "models--owner--tiny"
    shutil.copytree(checkpoint, kept / "snapshots" / commit)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    bundle = compile_checkpoint("owner/tiny")
    assert (bundle.name, bundle.revision) == ("owner/tiny", commit)
    assert bundle.origin == "https://huggingface.co/owner/tiny"
    assert bundle.licence == "cc-by-4.0"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of a directory")
def test_a_cache_that_cannot_be_written_is_said_so(checkpoint, cache):
    cache.parent.mkdir()
    cache.write_text("a file where the directory should be")
    with pytest.raises(AudioSearchError, match="cannot write"):
        compile_checkpoint(str(checkpoint))
    assert cache.is_file()
    assert not (cache / MANIFEST).exists()
