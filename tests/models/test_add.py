"""Models that come in ONNX, from a stand-in of the hub, without PyTorch."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosearch.errors import AudioSearchError, InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models import fetch, hub_http, layout, place, precision
from audiosearch.models.add import add_model
from audiosearch.models.bundle import MANIFEST, read_bundle, verify_files
from audiosearch.models.fetch import list_repository
from audiosearch.models.frontend import log_mel
from audiosearch.models.known import KNOWN
from audiosearch.models.model import Model
from audiosearch.models.registry import check_bundle, load_model
from scripts.hub_layout import LONG
from scripts.random_checkpoint import TEXTS, sounds
from tests.effort import quick_first
from tests.hub import Hub, hub, unpack

NAME = "laion/clap-htsat-unfused"
REPOSITORY = KNOWN[NAME].repository
TEXT, AUDIO = "onnx/text_model.onnx", "onnx/audio_model.onnx"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory) -> Path:
    return unpack(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def micro(unpacked, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(unpacked / "micro", tmp_path / "micro"))


@pytest.fixture(autouse=True)
def _without_pytorch(monkeypatch, request):
    """Nor does the processor decide what is kept, nor a wait what a test takes."""
    if "pytorch" not in request.fixturenames:
        for package in ("torch", "transformers", "onnx"):
            monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(precision, "LEAST_GAIN", math.inf)
    monkeypatch.setattr(precision, "_RUNS", 1)
    monkeypatch.setattr(fetch, "_PAUSE", 0.0)


@pytest.fixture
def pytorch() -> None:
    """For tests beside the compiler."""
    for package in ("torch", "transformers", "onnx"):
        pytest.importorskip(package, reason="compiling needs the extra: pip install '.[clap]'")


@pytest.fixture
def served(unpacked, monkeypatch, tmp_path) -> Iterator[Hub]:
    """The stand-in, which holds a known model at its commit."""
    from huggingface_hub import constants

    with hub() as running:
        running.add(REPOSITORY, unpacked / "micro", KNOWN[NAME].commit)
        monkeypatch.setattr(constants, "ENDPOINT", running.address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "client"))
        monkeypatch.setenv("NO_PROXY", "*")
        yield running


def add(source, **options):
    """Add a model in fp32, which takes no comparing."""
    return add_model(str(source), precision="fp32", **options)


def refused(source, cache, what, error=ModelNotFound, **options):
    with pytest.raises(error, match=what) as caught:
        add_model(str(source), **{"precision": "fp32", **options})
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("[!.]*"))


# -- what comes of it ----------------------------------------------------------------------------


def test_a_known_name_is_added(served, cache):
    steps: list[str] = []
    counts: list[tuple[int, int]] = []
    bundle = add_model(NAME, on_progress=steps.append, on_bytes=lambda *count: counts.append(count))
    assert bundle.directory == cache / "laion--clap-htsat-unfused"
    assert (bundle.name, bundle.revision) == (NAME, KNOWN[NAME].commit)
    assert bundle.origin == f"https://huggingface.co/{REPOSITORY}"
    assert bundle.licence == "apache-2.0"
    assert (bundle.precision, bundle.dimension, bundle.window_seconds) == ("fp32", 16, 1.0)
    assert bundle.query_template == "This is a sound of {}."
    verify_files(bundle)
    check_bundle(NAME)
    assert [path.name for path in cache.iterdir()] == [bundle.directory.name]
    assert sorted(path.name for path in bundle.directory.iterdir()) == sorted(
        [MANIFEST, *bundle.files]
    )
    assert any("int8" in step for step in steps)
    done, total = zip(*counts, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == total[-1] == total[0]


@pytest.fixture(params=["micro", "masked"])
def added(request, unpacked, cache) -> Model:
    """A model whose text tower has no mask, or one."""
    return load_model(add(unpacked / request.param).name)


def test_its_vectors_are_those_of_transformers(added, unpacked):
    """The file was made beside the towers by transformers' own calls."""
    golden = np.load(unpacked / "golden.npz")
    bundle = added.bundle
    windows = sounds(bundle.window_samples, bundle.front_end.sampling_rate)
    features = log_mel(windows[:4], bundle.front_end)[:, ::10]
    assert np.abs(features - golden["features"]).max() < 1e-4
    audio, text = added.embed_audio(windows), added.embed_text([*TEXTS, LONG])
    for ours, theirs in ((audio, golden["audio"]), (text, golden["text"])):
        assert (theirs[:4] @ theirs[:4].T)[
            ~np.eye(4, dtype=bool)
        ].max() < 0.5  # else it says nothing
        assert np.linalg.norm(ours - theirs, axis=1).max() < 1e-4


def test_texts_together_are_texts_alone(added):
    texts = [*TEXTS, LONG]
    np.testing.assert_allclose(
        added.embed_text_together(texts), added.embed_text(texts), rtol=0, atol=1e-5
    )


def test_one_sound_has_one_vector_whatever_is_beside_it(added):
    windows = np.random.default_rng(5).normal(0, 0.1, (4, 16_000)).astype(np.float32)
    alone = np.concatenate([added.embed_audio(windows[i : i + 1]) for i in range(4)])
    assert added.embed_audio(windows).tobytes() == alone.tobytes()


def test_it_is_what_the_compiler_makes_of_the_checkpoint(pytorch, cache, tmp_path):
    from audiosearch.models.compile import compile_checkpoint
    from scripts.hub_layout import write
    from scripts.random_checkpoint import TINY, make

    make(tmp_path / "checkpoint", TINY, seed=1)
    write(tmp_path / "checkpoint", tmp_path / "ready", lower=False)
    ready = load_model(add(tmp_path / "ready").name)
    compiled = load_model(compile_checkpoint(str(tmp_path / "checkpoint"), precision="fp32").name)
    for field in ("front_end", "window_samples", "hop_samples", "max_tokens", "dimension"):
        assert getattr(ready.bundle, field) == getattr(compiled.bundle, field)
    windows = sounds(ready.bundle.window_samples, ready.bundle.front_end.sampling_rate)
    pairs = [
        (ready.embed_audio(windows), compiled.embed_audio(windows)),
        (ready.embed_text([*TEXTS, LONG, ""]), compiled.embed_text([*TEXTS, LONG, ""])),
    ]
    for ours, theirs in pairs:
        assert (ours[:4] @ theirs[:4].T)[~np.eye(4, dtype=bool)].max() < 0.9
        assert np.linalg.norm(ours - theirs, axis=1).max() < 1e-4


def test_a_directory_may_go_by_another_name(unpacked, cache):
    bundle = add(unpacked / "micro", name="mine/own")
    assert (bundle.name, bundle.directory.name) == ("mine/own", "mine--own")
    assert bundle.origin == str(unpacked / "micro")
    assert read_bundle(bundle.directory) == bundle
    with pytest.raises(InvalidQuery, match="there is a model mine/own already, from"):
        add(unpacked / "masked", name="mine/own")


def test_any_id_in_the_layout_is_added_at_its_newest_commit(served, unpacked, cache):
    commit = served.add("owner/ears", unpacked / "micro")
    served.licences["owner/ears"] = "cc-by-4.0"
    bundle = add("owner/ears")
    assert (bundle.revision, bundle.licence) == (commit, "cc-by-4.0")
    again = add("owner/ears", revision=commit)
    assert again.identity == bundle.identity
    refused("owner/ears", cache / "none", "has no revision v9", revision="v9")


# -- downloads -----------------------------------------------------------------------------------


def ranges(served, path):
    return [headers.get("Range") for headers in served.asked(path)]


def test_a_cut_is_gone_over(served, cache):
    served.cuts[TEXT] = [1_000, 50_000]
    add(NAME)
    assert ranges(served, TEXT) == [None, "bytes=1000-", "bytes=51000-"]


def test_the_next_run_goes_on_where_the_last_was_cut(served, cache):
    served.cuts[AUDIO] = [100_000, *[0] * 5]
    refused(NAME, cache, r"stopped at 0 of 0 MB of onnx/audio_model\.onnx .*goes on from there")
    before = len(ranges(served, TEXT)), len(ranges(served, AUDIO))
    counts: list[tuple[int, int]] = []
    add(NAME, on_bytes=lambda *count: counts.append(count))
    assert ranges(served, AUDIO)[before[1] :] == ["bytes=100000-"]
    assert len(ranges(served, TEXT)) == before[0]  # that one was whole
    assert counts[-1][0] == counts[-1][1]


def test_a_hub_that_sends_the_whole_again_is_understood(served, cache):
    served.whole_only = True
    served.cuts[TEXT] = [1_000]
    counts: list[tuple[int, int]] = []
    add(NAME, on_bytes=lambda *count: counts.append(count))
    assert counts[-1][0] == counts[-1][1]
    check_bundle(NAME)


def test_an_answer_of_trouble_is_waited_for(served, cache):
    served.failing[TEXT] = [503, 429]
    check_bundle(add(NAME).name)


def test_lasting_trouble_is_said(served, cache):
    served.failing[TEXT] = [500] * 5
    refused(NAME, cache, "the hub answered 500.*goes on from there")


@pytest.mark.parametrize("path", [TEXT, "tokenizer.json"], ids=["SHA-256", "git's hash"])
def test_what_came_spoilt_is_not_kept(served, cache, path):
    served.spoilt.add(path)
    refused(NAME, cache, f"{path} of {REPOSITORY} did not come as the hub lists it")
    served.spoilt.clear()
    check_bundle(add(NAME).name)


def test_a_file_without_a_checksum_is_not_trusted(served, cache, monkeypatch):
    parse = fetch._parse

    def parse_without(name, stored):
        for entry in stored["siblings"]:
            entry.pop("blobId")
        return parse(name, stored)

    monkeypatch.setattr(fetch, "_parse", parse_without)
    refused(NAME, cache, "did not come as the hub lists it")


def test_the_token_goes_to_the_hub_alone(served, cache, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    add(NAME)
    hosts = {host: "Bearer hf_secret" in headers.values() for _, host, _, headers in served.log}
    assert hosts == {"127.0.0.1": True, "localhost": False}
    agents = {headers["User-Agent"] for *_, headers in served.log}
    assert {agent.partition("/")[0] for agent in agents} == {"audiosearch"}


def test_no_room_is_said_before_anything_large_comes(served, cache, monkeypatch):
    usage = shutil.disk_usage(cache.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000_000 - 1))
    monkeypatch.setattr(fetch, "_MARGIN", 20_000_000)
    refused(
        NAME, cache, r"disk is too full for .*: 0 MB are missing, 20 MB are free", AudioSearchError
    )
    assert ranges(served, TEXT) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_fills_up_is_said(served, cache):
    folder = cache / f"{place.DOWNLOADS}Xenova--clap-htsat-unfused-{KNOWN[NAME].commit[:12]}"
    folder.mkdir(parents=True)
    (folder / "text.onnx.part").symlink_to("/dev/full")
    refused(NAME, cache, "the disk is full: .*: what came is kept", AudioSearchError)


def test_two_at_once_are_one(served, cache):
    import filelock

    folder = cache / f"{place.DOWNLOADS}Xenova--clap-htsat-unfused-{KNOWN[NAME].commit[:12]}"
    folder.mkdir(parents=True)
    with filelock.FileLock(f"{folder}.lock"):
        refused(NAME, cache, "is being added by another program", AudioSearchError)
    add(NAME)
    assert len(list(cache.iterdir())) == 1


def test_downloads_that_nobody_takes_up_again_are_cleared(served, cache, unpacked):
    for name, days in ((f"{place.DOWNLOADS}old", 8), (f"{place.DOWNLOADS}new", 6)):
        (cache / name).mkdir(parents=True)
        then = (cache / name).stat().st_mtime - days * 86_400
        os.utime(cache / name, (then, then))
    add(unpacked / "micro")
    assert sorted(p.name for p in cache.iterdir()) == [f"{place.DOWNLOADS}new", "micro"]


# -- what cannot be had --------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["", "not an id", "a/b/c", "~nobody-here", "x" * 5_000, "a..b"])
def test_what_is_no_id_is_said(served, cache, source):
    refused(source, cache, "neither a directory nor a hub id")
    assert served.log == []


def test_an_id_that_nobody_holds_is_said(served, cache):
    refused(
        "owner/nothing", cache, "no model owner/nothing on the Hugging Face hub, or it is private"
    )


def test_a_gated_model_is_said(served, cache):
    served.gated.add(REPOSITORY)
    refused(
        NAME, cache, rf"gated: ask for access at {served.address}/{REPOSITORY}, tell .* HF_TOKEN"
    )


def test_no_network_is_said(served, cache, monkeypatch):
    from huggingface_hub import constants

    what = f"hub cannot be reached, so {REPOSITORY} was not added: connect"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(NAME, cache, what)
    assert served.log == []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # where nobody answers
    refused(NAME, cache, what)


@pytest.mark.parametrize(
    "address",
    ["http://huggingface.co", "http://10.0.0.1", "ftp://127.0.0.1", "https://", "http://["],
)
def test_only_this_machine_is_asked_without_encryption(cache, monkeypatch, address):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    refused(NAME, cache, "is not https: unset HF_ENDPOINT")


@pytest.mark.parametrize("address", ["http://127.0.0.1:80", "http://[::1]:80", "http://localhost"])
def test_this_machine_may_be_asked_without(monkeypatch, address):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    assert hub_http.hub_address() == address


def test_nor_is_a_redirect_to_elsewhere_followed(served, cache):
    served.elsewhere = "http://192.0.2.1"
    refused(NAME, cache, "the hub sends on to 192.0.2.1, which is not https")


def test_what_is_no_hub_is_said(served, cache, monkeypatch):
    monkeypatch.setattr(fetch, "read", lambda url: b"<html>")
    refused(NAME, cache, "gave no list of the files")


def test_without_pytorch_a_bare_checkpoint_says_what_it_needs(served, unpacked, cache, tmp_path):
    (tmp_path / "bare").mkdir()
    shutil.copy(unpacked / "micro" / "config.json", tmp_path / "bare")
    served.add("owner/bare", tmp_path / "bare")
    refused("owner/bare", cache, r"holds no CLAP in ONNX .* is needed: pip install")
    refused(tmp_path / "bare", cache, "to compile a checkpoint, .* is needed")
    (tmp_path / "bare" / "config.json").unlink()
    refused(tmp_path / "bare", cache, "has no config.json")


def test_with_pytorch_it_is_compiled(pytorch, served, cache, tmp_path, monkeypatch):
    from huggingface_hub import constants

    from scripts.random_checkpoint import TINY, make

    template = served.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    make(tmp_path / "bare", TINY)
    commit = served.add("owner/bare", tmp_path / "bare")
    bundle = add("owner/bare")
    assert (bundle.name, bundle.revision) == ("owner/bare", commit)
    check_bundle("owner/bare")


@pytest.mark.parametrize(("options"), [{"revision": "main"}, {"precision": "bf16"}])
def test_a_checkpoint_of_ones_own_choice_is_compiled(served, cache, monkeypatch, options):
    refused(NAME, cache, "to compile a checkpoint, .* is needed", **options)
    assert served.log == []


# -- what cannot be used -------------------------------------------------------------------------


def respell(path: Path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


EXTRACTOR = [
    ({"truncation": "fusion"}, "is a fused model"),
    ({"truncation": "other"}, "truncation 'other' is not known"),
    ({"feature_size": 16}, "16 mel bands are made, 32 are read"),
    ({"max_length_s": 2}, "nb_max_samples is not max_length_s"),
    ({"max_length_s": 2, "nb_max_samples": 32_000}, "201 frames are made, 128 at most are read"),
    ({"top_db": 80}, "top_db is not null"),
    ({"padding_value": 1.0}, "padding_value is not 0"),
    ({"feature_extractor_type": "MSClapFeatureExtractor"}, "made by MSClapFeatureExtractor"),
    ({"sampling_rate": "much"}, "sampling_rate must be a whole number"),
    ({"hop_length": 0}, "cannot be fed"),
    ({"padding": "other"}, "padding must be repeatpad"),
]


@pytest.mark.parametrize(("values", "what"), EXTRACTOR)
def test_pictures_that_the_front_end_does_not_make_are_refused(micro, cache, values, what):
    respell(micro / "preprocessor_config.json", **values)
    refused(micro, cache, what, ModelBroken)


def test_a_fused_model_is_refused_before_it_is_downloaded(served, micro, cache):
    audio = json.loads((micro / "config.json").read_text())["audio_config"]
    respell(micro / "config.json", audio_config={**audio, "enable_fusion": True})
    served.add("owner/fused", micro)
    refused("owner/fused", cache, "is a fused model.*compile its checkpoint", ModelBroken)
    assert ranges(served, TEXT) == []
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b'{"model_type": "clip"}'])
def test_what_is_no_clap_is_refused(micro, cache, content):
    (micro / "config.json").write_bytes(content)
    refused(micro, cache, "is not a CLAP|cannot be read|no JSON object", ModelBroken)


def test_towers_exchanged_are_refused(micro, cache):
    shutil.copy(micro / AUDIO, micro / TEXT)
    refused(micro, cache, r"text\.onnx: its inputs are \['input_features'\]", ModelBroken)


def test_another_dimension_is_refused(micro, cache):
    respell(micro / "config.json", projection_dim=8)
    refused(micro, cache, r"it gives float32 \(1, 16\), not float32 \(1, 8\)", ModelBroken)


@pytest.mark.parametrize("path", [TEXT, AUDIO, "tokenizer.json"])
def test_garbage_is_refused(micro, cache, path):
    (micro / path).write_bytes(b"garbage" * 1000)
    refused(micro, cache, "the model is broken", ModelBroken)


def test_a_collapsed_text_tower_is_refused_before_the_audio_tower_comes(served, micro, cache):
    """Whatever the text, one vector: that of a tower whose vocabulary is one word."""
    tokenizer = json.loads((micro / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    tokenizer["pre_tokenizer"] = None
    tokenizer["model"]["vocab"] = dict.fromkeys(tokenizer["model"]["vocab"], 7)
    tokenizer["model"]["merges"] = []
    tokenizer["truncation"] = None
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"Regex": ".+"}, "content": "a"}
    (micro / "tokenizer.json").write_text(json.dumps(tokenizer))
    served.add("owner/collapsed", micro)
    refused("owner/collapsed", cache, "text tower gives unlike texts one vector", ModelBroken)
    assert ranges(served, AUDIO) == []
    assert list(cache.iterdir()) == []


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(
    config=st.dictionaries(
        st.sampled_from(["projection_dim", "text_config", "audio_config"]), WILD, max_size=3
    ),
    extractor=st.dictionaries(
        st.sampled_from(sorted(layout._EXTRACTOR_DEFAULTS)), WILD, max_size=4
    ),
)
def test_any_configuration_is_read_or_refused(tmp_path_factory, config, extractor):
    folder = tmp_path_factory.mktemp("wild")
    (folder / "config.json").write_text(json.dumps({"model_type": "clap", **config}))
    wild = {"truncation": "rand_trunc", **extractor}
    (folder / "preprocessor_config.json").write_text(json.dumps(wild))
    try:
        assert layout.describe(folder, "wild").max_tokens <= 77
    except ModelBroken as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None)
@given(
    listing=WILD
    | st.fixed_dictionaries({"sha": WILD, "siblings": WILD, "cardData": WILD})
    | st.fixed_dictionaries(
        {
            "sha": st.just("a1"),
            "siblings": st.lists(
                st.dictionaries(st.sampled_from(["rfilename", "size", "lfs"]), WILD)
            ),
        }
    )
)
def test_any_list_of_files_is_read_or_refused(listing):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "read", lambda url: json.dumps(listing).encode())
        try:
            assert list_repository("owner/wild").commit
        except ModelNotFound as error:
            assert "\n" not in str(error)


# -- lower precision -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "cosine", "gain", "kept"),
    quick_first(
        [
            ("auto", 0.99, 0.0, "int8 audio, fp32 text"),
            ("auto", 0.99, math.inf, "fp32"),
            ("auto", 1.1, 0.0, "fp32"),
            ("fp32", 0.0, 0.0, "fp32"),
            ("fp16", 0.999, math.inf, "fp16 audio, fp16 text"),
            ("fp16", 1.1, 0.0, "fp32"),
            ("int8", 0.99, math.inf, "int8 audio, int8 text"),
        ],
        quick=2,
    ),
)
def test_lower_precision_is_kept_where_it_is_good(
    unpacked, cache, monkeypatch, chosen, cosine, gain, kept
):
    monkeypatch.setattr(precision, "LEAST_COSINE", cosine)
    monkeypatch.setattr(precision, "LEAST_GAIN", gain)
    whole = load_model(add_model(str(unpacked / "micro"), name="whole", precision="fp32").name)
    bundle = add_model(str(unpacked / "micro"), name="lower", precision=chosen)
    assert bundle.precision == kept
    verify_files(bundle)
    same = bundle.identity.digest == whole.identity.digest
    assert same == (kept == "fp32")  # a library of the one is not asked with the other
    lower, windows = Model(bundle), sounds(16_000, 16_000)
    cosines = (lower.embed_audio(windows) * whole.embed_audio(windows)).sum(1)
    assert cosines.min() > 0.98
    texts = [*TEXTS, LONG]
    np.testing.assert_allclose(
        lower.embed_text_together(texts), lower.embed_text(texts), rtol=0, atol=1e-3
    )


def test_texts_that_differ_beside_others_go_alone(unpacked, cache, monkeypatch):
    """As those of an int8 tower do, whose scales span the batch."""
    texts = list(TEXTS)
    both = Model(add(unpacked / "masked", name="both"))
    assert not both.bundle.texts_alone
    # Whether a text's bits change beside others depends on the processor: here, they always do.
    monkeypatch.setattr(layout, "_BATCH_TOLERANCE", -1.0)
    alone = Model(add(unpacked / "masked", name="alone"))
    assert alone.bundle.texts_alone
    assert alone.embed_text_together(texts).tobytes() == alone.embed_text(texts).tobytes()


def test_a_lower_file_that_does_not_load_leaves_fp32(micro, cache):
    (micro / "onnx" / "audio_model_fp16.onnx").write_bytes(b"garbage")
    steps: list[str] = []
    bundle = add_model(str(micro), precision="fp16", on_progress=steps.append)
    assert bundle.precision == "fp32 audio, fp16 text"
    assert any(step.startswith("kept in fp32: the model is broken") for step in steps)
    verify_files(bundle)


def test_a_precision_that_is_not_there_is_said(micro, cache):
    (micro / "onnx" / "text_model_fp16.onnx").unlink()
    refused(
        micro, cache, r"micro has no onnx/text_model_fp16\.onnx", InvalidQuery, precision="fp16"
    )
    (micro / "onnx" / "audio_model_quantized.onnx").unlink()
    assert add_model(str(micro)).precision == "fp32"
    with pytest.raises(InvalidQuery, match="no precision fp8"):
        add_model(str(micro), precision="fp8")
