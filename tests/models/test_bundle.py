import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosearch.errors import ModelBroken
from audiosearch.models.bundle import (
    MANIFEST,
    FrontEnd,
    ModelIdentity,
    read_bundle,
    verify_files,
)
from audiosearch.models.registry import find_bundle

MANIFEST_OF_MINI: dict[str, Any] = json.loads((find_bundle("mini") / MANIFEST).read_text())
FILES = ("audio.onnx", "text.onnx", "tokenizer.json")
DIGEST_OF_REVISION_3 = "71480c0689dff08701b798c3cde33665"


def test_mini_is_whole(mini):
    verify_files(mini.bundle)
    assert mini.bundle.name == "mini"
    assert mini.bundle.licence == "Apache-2.0"
    assert mini.bundle.window_samples == round(
        mini.bundle.window_seconds * mini.bundle.front_end.sampling_rate
    )
    assert 0 < mini.bundle.hop_samples <= mini.bundle.window_samples
    assert "{}" in mini.bundle.query_template


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(exchange, name):
    directory = exchange({})
    (directory / name).unlink()
    with pytest.raises(ModelBroken, match=f"incomplete.*{name}"):
        read_bundle(directory)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(exchange, name):
    directory = exchange({})
    whole = (directory / name).read_bytes()
    (directory / name).unlink()
    (directory / name).write_bytes(whole[:1000])
    with pytest.raises(ModelBroken, match=rf"{name} has 1000 bytes instead of {len(whole)}"):
        read_bundle(directory)


def test_an_altered_file_is_found_by_its_hash(exchange):
    directory = exchange({"tokenizer.json": b"one"})
    verify_files(read_bundle(directory))
    (directory / "tokenizer.json").write_bytes(b"two")
    with pytest.raises(ModelBroken, match=r"tokenizer\.json is not the file"):
        verify_files(read_bundle(directory))


def test_a_directory_without_manifest_is_no_bundle(tmp_path):
    with pytest.raises(ModelBroken, match=r"not a model bundle.*no model\.json"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"{", b"[]", b"null", b'"x"', b"{}", b"[" * 100_000, b'{"format": 2}'],
    ids=["empty", "no text", "cut", "list", "null", "text", "object", "nested", "newer"],
)
def test_garbage_is_refused_in_one_line(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ModelBroken) as caught:
        read_bundle(tmp_path)
    assert str(tmp_path / MANIFEST) in str(caught.value)
    assert "\n" not in str(caught.value)


REQUIRED = [
    "format",
    "name",
    "revision",
    "dimension",
    "front_end",
    "window_seconds",
    "hop_seconds",
    "max_tokens",
    "query_template",
    "licence",
    "precision",
    "files",
]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_value_is_named(exchange, key):
    directory = exchange({})
    manifest = json.loads((directory / MANIFEST).read_text())
    del manifest[key]
    (directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelBroken, match=f"'{key}' is missing"):
        read_bundle(directory)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("dimension", 0),
        ("dimension", "512"),
        ("dimension", True),
        ("max_tokens", 1),
        ("window_seconds", 0),
        ("window_seconds", float("nan")),
        ("window_seconds", 10**400),
        ("hop_seconds", 60),
        ("hop_seconds", 1e-9),
        ("query_template", "a sound"),
        ("logit_scale", -1),
        ("bf16_from", 0),  # and no copy of the checkpoint
        ("bf16_from", "2"),
        ("files", {}),
        ("files", []),
    ],
)
def test_a_value_out_of_range_is_named(exchange, key, value):
    with pytest.raises(ModelBroken, match=r"model\.json"):
        read_bundle(exchange({}, **{key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sampling_rate", 0),
        ("sampling_rate", 32000.5),
        ("fft_window_size", 1023),
        ("hop_length", 0),
        ("hop_length", 4096),
        ("feature_size", 0),
        ("frequency_min", -1),
        ("frequency_min", 14_000),
        ("frequency_max", 20_000),
        ("mel_scale", "bark"),
        ("norm", "l2"),
        ("floor", 0),
        ("offset", float("inf")),
        ("center", False),
        ("pad_mode", "edge"),
        ("frames", "some"),
        ("padding", "stretch"),
    ],
)
def test_a_front_end_out_of_range_is_named(exchange, key, value):
    front_end = MANIFEST_OF_MINI["front_end"] | {key: value}
    with pytest.raises(ModelBroken, match=key):
        read_bundle(exchange({}, front_end=front_end))


@pytest.mark.parametrize("name", ["../audio.onnx", "/etc/passwd", "sub/file", ".."])
def test_no_file_outside_the_bundle_is_named(exchange, name):
    files = MANIFEST_OF_MINI["files"] | {name: {"bytes": 1, "blake2b": "00", "crc32": 0}}
    with pytest.raises(ModelBroken, match="must lie in the bundle's directory"):
        read_bundle(exchange({}, files=files))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(
    section=st.sampled_from(["", "front_end", "files"]),
    choice=st.integers(0, 30),
    value=JSON,
)
def test_any_value_anywhere_is_read_or_refused(tmp_path_factory, section, choice, value):
    manifest = copy.deepcopy(MANIFEST_OF_MINI)
    where = manifest[section] if section else manifest
    where[sorted(where)[choice % len(where)]] = value
    directory = tmp_path_factory.mktemp("bundle")
    for name in FILES:
        (directory / name).symlink_to(find_bundle("mini") / name)
    (directory / MANIFEST).write_text(json.dumps(manifest))
    try:
        bundle = read_bundle(directory)
    except ModelBroken as error:
        assert "\n" not in str(error)
    else:  # it can be worked with
        assert bundle.window_samples > 0
        assert bundle.identity.digest


def test_the_identity_survives_json(mini):
    stored = json.loads(json.dumps(mini.identity.to_json()))
    assert ModelIdentity.from_json(stored) == mini.identity
    assert ModelIdentity.from_json(stored).digest == mini.identity.digest


def test_the_identity_is_what_vectors_depend_on(mini):
    bundle = mini.bundle
    digest = bundle.identity.digest
    assert replace(bundle, name="other", directory=Path("elsewhere")).identity.digest == digest
    front_end = replace(bundle.front_end, mel_scale="htk")
    for other in (
        replace(bundle, front_end=front_end),
        replace(bundle, window_seconds=10.0),
        replace(bundle, hop_seconds=1.0),
        replace(bundle, precision="int8"),
        replace(bundle, vectors_of=None),
        replace(bundle, vectors_of=None, revision="another"),
        replace(bundle, vectors_of=None, weights="those of somebody else"),
        replace(bundle, files={**bundle.files, "audio.onnx": bundle.files["text.onnx"]}),
    ):
        assert other.identity.digest != digest


def test_new_words_for_the_same_ears_keep_the_identity(mini):
    """Libraries of revision 3 need no new vectors."""
    bundle = mini.bundle
    assert (bundle.revision, bundle.identity.revision) == ("5", "3")
    assert bundle.identity.digest == DIGEST_OF_REVISION_3
    new_words = {**bundle.files, "text.onnx": bundle.files["tokenizer.json"]}
    assert replace(bundle, revision="6", files=new_words).identity == bundle.identity
    new_ears = {**bundle.files, "audio.onnx": bundle.files["tokenizer.json"]}
    assert replace(bundle, files=new_ears).identity.revision == "5"


def test_whole_and_broken_numbers_make_one_identity(exchange, tmp_path):
    values = [
        {**MANIFEST_OF_MINI["front_end"], "frequency_min": number, "scale": scale}
        for number, scale in ((50, 1), (50.0, 1.0))
    ]
    one, other = (
        read_bundle(exchange({}, at=tmp_path / str(i), front_end=value))
        for i, value in enumerate(values)
    )
    assert one.identity == other.identity


def test_the_identity_is_short_to_read(mini):
    commit = replace(
        mini.bundle,
        name="laion/clap-htsat-unfused",
        revision="8fa0f1c6d0433df6e97c",
        vectors_of=None,
    )
    assert (
        str(replace(commit, precision="fp32").identity)
        == "laion/clap-htsat-unfused (8fa0f1c6d043, fp32)"
    )


@pytest.mark.parametrize(("frames", "count"), [("all", 501), ("whole", 500)])
def test_frames_are_counted(frames, count):
    front_end = FrontEnd(32_000, 1024, 320, 64, 50.0, 14_000.0, frames=frames)
    assert front_end.frame_count(160_000) == count
