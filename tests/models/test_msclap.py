"""MS-CLAP files as bundles, on small ones of random weights. `scripts.training.msclap_check` compares
the towers with the package `msclap`, at their real size.
"""

from pathlib import Path

import numpy as np
import pytest

from audiosearch.errors import InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models.add import add_model
from audiosearch.models.bundle import FrontEnd
from audiosearch.models.model import unlike_sounds
from audiosearch.models.registry import find_bundle, load_model

torch = pytest.importorskip("torch", reason="compiling needs the extra: pip install '.[clap]'")
pytest.importorskip("transformers", reason="compiling needs the extra: pip install '.[clap]'")
pytest.importorskip("onnx", reason="compiling needs the extra: pip install '.[clap]'")

from tokenizers import ByteLevelBPETokenizer, Tokenizer  # noqa: E402
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model  # noqa: E402

from audiosearch.models import msclap_file  # noqa: E402
from audiosearch.models import msclap_towers as towers  # noqa: E402
from audiosearch.models.msclap import VERSIONS, add_msclap  # noqa: E402
from tests.effort import thorough_only  # noqa: E402

SIZE = 16


def state_2022():
    torch.manual_seed(0)
    config = BertConfig(vocab_size=30522, hidden_size=64, num_hidden_layers=1, intermediate_size=32,
                        num_attention_heads=1)  # fmt: skip
    sounds = towers.Sounds(towers.Cnn14(64, (4, 4, 8, 8, 8, 32)), towers.Projection(32, SIZE))
    words = towers.Words(BertModel(config), towers.Projection(64, SIZE))
    return stated(sounds, words)


def stated(sounds, words):
    with torch.no_grad():
        for tower in (sounds, words):
            for weight in tower.parameters():
                weight.mul_(4.0) if weight.ndim > 1 else weight.add_(0.2 * torch.randn_like(weight))
    state = {f"audio_encoder.{name}": value for name, value in sounds.state_dict().items()}
    state |= {f"caption_encoder.{name}": value for name, value in words.state_dict().items()}
    state["audio_encoder.base.fc_audioset.weight"] = torch.zeros(527, 32)  # not used
    state["logit_scale"] = torch.tensor(3.0)
    return state


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save({"model": state_2022()}, tmp_path / "мой.pth")
    return tmp_path / "мой.pth"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Mini's tokenizer is BERT's, uncased."""
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "tokenizer.json").write_bytes(
        (find_bundle("mini") / "tokenizer.json").read_bytes()
    )
    return tmp_path / "words"


@thorough_only
def test_a_file_becomes_a_bundle(file: Path, words: Path, cache: Path) -> None:
    bundle = add_model(str(file), precision="fp32", tokenizer=str(words))
    model = load_model("мой")
    assert (bundle.window_seconds, bundle.max_tokens, bundle.dimension) == (5.0, 100, SIZE)
    assert bundle.front_end == VERSIONS["2022"].front_ends[0]
    assert model.embed_audio(unlike_sounds(bundle)).shape == (2, SIZE)
    assert bundle.logit_scale == pytest.approx(np.exp(3.0))


def test_another_file_is_named_with_its_first_and_last_layers(file: Path) -> None:
    state = state_2022()
    state["caption_encoder.projection.layer_norm.bias"] = torch.zeros(3)
    state["audio_encoder.base.bn0.extra"] = torch.zeros(3)
    with pytest.raises(ModelBroken, match=r"is not the MS-CLAP of 2022 .* base\.bn0\.extra"):
        towers.build(state, file)
    with pytest.raises(
        ModelBroken, match=r"neither an MS-CLAP .* begins with a\.b and ends with c"
    ):
        towers.build({"a.b": torch.zeros(1), "c": torch.zeros(1)}, file)
    del state["audio_encoder.projection.linear1.weight"]
    with pytest.raises(ModelBroken, match=r"it lacks 'audio_encoder\.projection\.linear1\.weight'"):
        towers.build(state, file)


@pytest.mark.parametrize("part", ["audio_encoder", "caption_encoder"])
def test_a_projection_that_does_not_fit_its_tower(file: Path, part: str) -> None:
    state = state_2022()
    name = f"{part}.projection.linear1.weight"
    leaving, entering = state[name].shape
    state[name] = torch.zeros(leaving, entering + 1)
    with pytest.raises(
        ModelBroken, match=rf"{part}\.projection makes {leaving} values of {entering + 1}, where"
    ):
        towers.build(state, file)


class Boom:
    def __reduce__(self):
        return (open, ("ran", "w"))


def test_a_pickle_with_code_is_refused(tmp_path: Path, words: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Boom()}, "bad.pth")
    with pytest.raises(ModelBroken, match="cannot be loaded as plain weights"):
        msclap_file.read_file(Path("bad.pth"))
    assert not Path("ran").exists()
    torch.save([1, 2], "list.pth")
    with pytest.raises(ModelBroken, match="holds no weights under 'model'"):
        msclap_file.read_file(Path("list.pth"))


def test_what_cannot_be_added(file: Path, tmp_path: Path, cache: Path) -> None:
    def add(source: str, precision: str = "fp32", tokenizer: str | None = None) -> None:
        add_msclap(source, None, precision, tokenizer, lambda step: None)

    with pytest.raises(ModelNotFound, match="there is no file"):
        add("nowhere.pth")
    with pytest.raises(InvalidQuery, match="in auto or fp32, not in bf16"):
        add(str(file), "bf16")
    with pytest.raises(ModelNotFound, match=r"holds no tokenizer\.json: give that of bert"):
        add(str(file), tokenizer=str(tmp_path))
    with pytest.raises(InvalidQuery, match="--tokenizer is for an MS-CLAP file"):
        add_model("mini", tokenizer=str(tmp_path))


def test_gpt2_reads_its_end_behind_a_space() -> None:
    """As `"a dog <|endoftext|>"` is read by the original: the space is a token."""
    from audiosearch.models.msclap import _tokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["a dog barks"] * 3, 300, special_tokens=["<|endoftext|>"])
    whole = Tokenizer.from_str(trained._tokenizer.to_str())
    expected = whole.encode("a dog <|endoftext|>").tokens
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        trained._tokenizer.save(f"{made}/tokenizer.json")
        ours = _tokenizer("2023", VERSIONS["2023"], made, lambda step: None)
    assert ours.encode("a dog").tokens == expected
    assert expected[-2:] == ["Ġ", "<|endoftext|>"]


def test_models_without_a_rate_of_their_own_filters_are_who_they_were() -> None:
    front_end = FrontEnd(44_100, 1024, 320, 64, 50.0, 14_000.0)
    other = FrontEnd(44_100, 1024, 320, 64, 50.0, 14_000.0, filter_rate=32_000)
    assert front_end.digest != other.digest
    assert load_model("mini").identity.front_end == "6641d2ac1d715a6104e3edb73e259920"


def test_gpt2_chooses_the_last_token() -> None:
    torch.manual_seed(0)
    base = GPT2Model(GPT2Config(n_layer=1, n_embd=64, n_head=1, vocab_size=50)).eval()
    tower = towers.Words(base, towers.Projection(64, SIZE)).eval()
    ids = torch.tensor([[5, 6, 7, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0, 0]])
    with torch.no_grad():
        alone = tower(ids[:, :3], mask[:, :3])
        assert float((tower(ids, mask) - alone).abs().max()) < 1e-5
        assert float((tower(ids[:, :2], mask[:, :2]) - alone).abs().max()) > 1e-3
