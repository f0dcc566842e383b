import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from audiosearch.errors import InvalidQuery, ModelBroken
from audiosearch.models.bundle import read_bundle
from audiosearch.models.frontend import log_mel
from audiosearch.models.model import Model, apply_template
from audiosearch.models.registry import load_model

TEXTS = ["a dog barks", "rain", "campfire crackling", "ein Hund", "犬の鳴き声", "🔥", "", "?!"]


def assert_unit(vectors, count, model):
    assert vectors.shape == (count, model.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1.0, atol=1e-6)


def test_mini_works(mini):
    mini.check()


def test_texts_and_sounds_are_unit_vectors_of_one_space(mini, windows):
    assert_unit(mini.embed_text(TEXTS), len(TEXTS), mini)
    assert_unit(mini.embed_audio(windows), len(windows), mini)


def test_nothing_is_embedded_as_nothing(mini, windows):
    assert mini.embed_text([]).shape == (0, mini.dimension)
    assert mini.embed_audio(windows[:0]).shape == (0, mini.dimension)


def test_a_batch_of_8_has_the_bits_of_8_batches_of_1(mini, windows):
    one_by_one = [mini.embed_audio(windows[i : i + 1])[0] for i in range(8)]
    assert mini.embed_audio(windows).tobytes() == np.stack(one_by_one).tobytes()
    assert mini.embed_text(TEXTS).tobytes() == b"".join(
        mini.embed_text([text]).tobytes() for text in TEXTS
    )


def test_another_load_has_the_same_bits(mini, windows):
    again = load_model("mini")
    assert again.identity == mini.identity
    assert again.embed_audio(windows).tobytes() == mini.embed_audio(windows).tobytes()
    assert again.embed_text(TEXTS).tobytes() == mini.embed_text(TEXTS).tobytes()


def test_embed_audio_is_front_end_and_tower(mini, windows):
    features = log_mel(windows, mini.bundle.front_end)
    assert mini.embed_features(features).tobytes() == mini.embed_audio(windows).tobytes()


def test_threads_share_a_model_and_get_the_same_bits(windows):
    model = load_model("mini")  # not opened yet: they race for it
    with ThreadPoolExecutor(8) as pool:
        sounds = list(pool.map(lambda _: model.embed_audio(windows[:2]).tobytes(), range(8)))
        texts = list(pool.map(lambda _: model.embed_text(TEXTS[:2]).tobytes(), range(8)))
    assert set(sounds) == {model.embed_audio(windows[:2]).tobytes()}
    assert set(texts) == {model.embed_text(TEXTS[:2]).tobytes()}


def test_unlike_things_are_apart(mini, windows):
    for vectors in (mini.embed_text(TEXTS[:3]), mini.embed_audio(windows[:3])):
        cosines = vectors @ vectors.T
        assert cosines[~np.eye(3, dtype=bool)].max() < 0.9


def test_mini_hears_what_a_text_says(mini):
    """The least that a CLAP must do: hiss and beep, told apart by words."""
    rate, size = mini.bundle.front_end.sampling_rate, mini.bundle.window_samples
    hiss = np.random.default_rng(1).normal(0, 0.1, size)
    beep = (
        0.3
        * np.sin(2 * np.pi * 1000 / rate * np.arange(size))
        * (np.arange(size) % rate < rate / 4)
    )
    sounds = mini.embed_audio(np.stack([hiss, beep]).astype(np.float32))
    texts = mini.embed_text(
        [apply_template(mini.bundle.query_template, t) for t in ("white noise hiss", "beep tone")]
    )
    scores = sounds @ texts.T
    assert scores[0, 0] > scores[1, 0]
    assert scores[1, 1] > scores[0, 1]


def test_a_long_text_is_cut_with_a_notice(mini, caplog):
    long = "campfire crackling and " * 500
    with caplog.at_level(logging.WARNING, logger="audiosearch"):
        (vector,) = mini.embed_text([long[:10_000]])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{mini.bundle.max_tokens} tokens" in caplog.text
    # What is read is the beginning: another end changes nothing.
    assert (mini.embed_text([long[:9_000] + "dog " * 50]) == vector).all()
    caplog.clear()
    mini.embed_text(["campfire crackling"])
    assert not caplog.records


def test_undecodable_bytes_of_a_command_line_are_read_as_something(mini):
    assert_unit(mini.embed_text(["\udcff\udc80", "rain \udcff"]), 2, mini)


def test_one_text_is_not_a_list_of_texts(mini):
    with pytest.raises(TypeError, match="sequence of texts"):
        mini.embed_text("rain")


def test_a_window_without_a_vector_spoils_no_other(mini, windows):
    spoilt = windows[:3].copy()
    spoilt[1, 100] = np.nan
    vectors = mini.embed_audio(spoilt)
    assert np.isnan(vectors[1]).all()
    assert vectors[[0, 2]].tobytes() == mini.embed_audio(windows[[0, 2]]).tobytes()


@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        ("this is a sound of {}", "rain", "this is a sound of rain"),
        ("{}", "rain", "rain"),
        ("{}", "{0} {x!r} {}", "{0} {x!r} {}"),
        ("{a} {} {}", "rain", "{a} rain {}"),
    ],
)
def test_a_template_is_taken_literally(template, text, expected):
    assert apply_template(template, text) == expected


@pytest.mark.parametrize("template", ["", "a sound", "{text}", "{ }"])
def test_a_template_without_a_place_is_refused(template):
    with pytest.raises(InvalidQuery, match=r"has no \{\}"):
        apply_template(template, "rain")


# -- broken bundles ------------------------------------------------------------------------------


def assert_broken(directory, use, what):
    model = Model(read_bundle(directory))
    with pytest.raises(ModelBroken, match=what) as caught:
        use(model)
    assert "\n" not in str(caught.value)


def embed_text(model):
    model.embed_text(["rain"])


def embed_audio(model):
    model.embed_audio(np.zeros((1, model.bundle.window_samples), np.float32))


USES = {"audio.onnx": embed_audio, "text.onnx": embed_text, "tokenizer.json": embed_text}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"{}", b"\x08\x07" * 50])
def test_a_garbage_file_is_named(exchange, name, content, capfd):
    assert_broken(exchange({name: content}), USES[name], name)
    assert capfd.readouterr().err == ""  # nor does a C library talk


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_truncated_file_with_a_manifest_that_agrees_is_named(exchange, mini, name, part):
    whole = (mini.bundle.directory / name).read_bytes()
    assert_broken(exchange({name: whole[: int(len(whole) * part)]}), USES[name], name)


def test_the_towers_exchanged_are_found(exchange, mini):
    text = (mini.bundle.directory / "text.onnx").read_bytes()
    assert_broken(exchange({"audio.onnx": text}), embed_audio, r"audio\.onnx: its inputs are")


@pytest.mark.parametrize("use", [embed_audio, embed_text])
def test_another_dimension_than_the_manifest_says_is_found(exchange, use):
    assert_broken(exchange({}, dimension=100), use, r"it gives float32 .*, not float32 \(1, 100\)")


def test_another_number_of_mels_than_the_tower_takes_is_found(exchange, mini):
    from dataclasses import asdict

    front_end = asdict(mini.bundle.front_end) | {"feature_size": 40}
    assert_broken(exchange({}, front_end=front_end), embed_audio, r"audio\.onnx")


def graph(inputs: dict[str, int], rows: list[list[float]], table: str = "float32") -> bytes:
    """A tower that gives the first row, nearly whatever comes: all inputs pull it by 1e-6."""
    onnx = pytest.importorskip("onnx", reason="graphs are made with onnx: pip install '.[clap]'")
    from onnx import TensorProto, helper, numpy_helper

    given = [
        helper.make_tensor_value_info(
            name,
            TensorProto.FLOAT if name == "input_features" else TensorProto.INT64,
            [None] * rank,
        )
        for name, rank in inputs.items()
    ]
    constant = numpy_helper.from_array(np.array(rows, dtype=table), "constant")
    small = numpy_helper.from_array(np.array(1e-6, dtype=np.float32), "small")
    nodes = [
        helper.make_node("Cast", [next(iter(inputs))], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "small"], ["pull"]),
        helper.make_node("Add", ["constant", "pull"], ["embedding"]),
    ]
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, len(rows[0])])
    made = helper.make_graph(nodes, "tower", given, [out], [constant, small])
    opsets = [helper.make_opsetid("", 13)]
    return onnx.ModelProto.SerializeToString(
        helper.make_model(made, opset_imports=opsets, ir_version=8)
    )


TEXT_INPUTS = {"input_ids": 2, "attention_mask": 2}


def test_a_collapsed_text_tower_is_refused(exchange):
    text = graph(TEXT_INPUTS, [[1.0, 2.0, 3.0, 4.0]])
    directory = exchange({"text.onnx": text}, dimension=4)
    what = "mini cannot be used: its text tower gives unlike texts one vector"
    assert_broken(directory, embed_text, what)
    assert_broken(directory, Model.check, what)


def test_a_collapsed_audio_tower_is_found_by_check(exchange):
    audio = graph({"input_features": 4}, [np.arange(1.0, 513.0).tolist()])
    what = "its audio tower gives unlike sounds one vector"
    assert_broken(exchange({"audio.onnx": audio}), Model.check, what)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_text_tower_without_direction_is_refused(exchange, value):
    text = graph(TEXT_INPUTS, [[value] * 4])
    directory = exchange({"text.onnx": text}, dimension=4)
    # What is pulled out of 0 by the input alone has one direction.
    what = "one vector" if value == 0.0 else "no finite vector"
    assert_broken(directory, embed_text, what)
