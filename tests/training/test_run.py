"""Whole runs, on a tiny checkpoint of random weights and sounds of four kinds."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("transformers", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("onnx", reason="training needs the extra: pip install '.[train]'")

from audiosearch.errors import AudioSearchError, InvalidQuery, ModelBroken  # noqa: E402
from audiosearch.models.registry import load_model  # noqa: E402
from audiosearch.training import checkpoint, loop, loss, steps  # noqa: E402
from audiosearch.training.batches import Batch, Maker  # noqa: E402
from audiosearch.training.options import Options, Progress, TrainingFailed  # noqa: E402
from audiosearch.training.pairs import Pairs  # noqa: E402
from audiosearch.training.run import Outcome, train  # noqa: E402
from audiosearch.training.sources import open_trainee  # noqa: E402
from audiosearch.training.trainee import Trainee  # noqa: E402
from scripts.random_checkpoint import TINY, make  # noqa: E402
from tests.effort import thorough_only  # noqa: E402
from tests.training.sounds import pairs as make_pairs  # noqa: E402

torch.set_num_threads(1)  # operators as small as these wait for each other


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("checkpoint") / "tiny"
    make(where, TINY)
    return where


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    return make_pairs(tmp_path_factory.mktemp("in the fields"))


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> Options:
    return Options(tmp_path / "a run", str(tiny), epochs=3, batch=8, rate=1e-3, held_out=0.2)


class Talk(Progress):
    """Keeps the lines; stops as Ctrl-C does where `stop` says so."""

    def __init__(self, stop: Callable[[str, int], bool] = lambda phase, count: False) -> None:
        self.lines: list[str] = []
        self.phase, self.count, self.stop = "", 0, stop

    def tell(self, line: str) -> None:
        self.lines.append(line)
        self._look(line)

    def begin(self, phase: str, total: int, done: int = 0) -> None:
        self.phase, self.count = phase, done

    def advance(self, figures: str = "") -> None:
        self.count += 1
        self._look(self.phase)

    def _look(self, phase: str) -> None:
        if self.stop(phase, self.count):
            raise KeyboardInterrupt


def weights(run: Path, name: str = "best") -> dict[str, bytes]:
    tensors, _ = checkpoint.load(run / f"{name}.safetensors")
    return {key: value.numpy().tobytes() for key, value in tensors.items()}


@pytest.fixture(scope="module")
def whole(
    tiny: Path, pairs: Pairs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome]:
    """A run that nothing stopped."""
    run = tmp_path_factory.mktemp("whole") / "a run"
    return run, train(pairs, Options(run, str(tiny), epochs=3, batch=8, rate=1e-3, held_out=0.2))


def test_a_run_leaves_a_model_and_says_how_it_came_about(
    whole: tuple[Path, Outcome], tiny: Path
) -> None:
    run, outcome = whole
    model = load_model(str(outcome.bundle))
    assert model.embed_text(["a low tone"]).shape == (1, TINY["projection_dim"])
    about = json.loads((run / "run.json").read_text())
    assert about["settings"]["sounds"] == 32
    assert {"torch", "numpy"} <= about["versions"].keys()
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == [0, 1, 2, 3]
    assert log[3]["loss"] < log[1]["loss"]
    assert (run / "curves.svg").read_text().startswith("<svg")
    parts = [line.split(",")[1] for line in (run / "split.csv").read_text().splitlines()[1:]]
    assert sorted({*parts}) == ["held_out", "test", "train"]
    assert len(outcome.changes) == 8
    for change in outcome.changes:
        assert 0 <= change.before <= 1
        assert change.change == pytest.approx(change.after - change.before)
        assert change.change_interval[0] <= change.change <= change.change_interval[1]
    # The bundle's checkpoint is one, and the model goes on from it.
    assert (run / "checkpoint" / "config.json").is_file()
    assert not (run / "sounds").exists()


@pytest.mark.parametrize(
    "stop",
    [
        lambda phase, count: phase.startswith("loading"),
        lambda phase, count: phase == "decoding" and count == 7,
        lambda phase, count: phase == "measuring before",
        lambda phase, count: phase == "training" and count == 4,
        lambda phase, count: phase == "measuring after",
        lambda phase, count: phase == "writing the bundle",
    ],
    ids=["start", "decoding", "before", "training", "after", "bundle"],
)
def test_a_run_that_was_stopped_ends_with_the_same_bits(
    whole: tuple[Path, Outcome], options: Options, pairs: Pairs, stop: Callable[[str, int], bool]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(pairs, options, Talk(stop))
    assert not (options.run / "bundle").exists()
    outcome = train(pairs, options)
    assert weights(options.run) == weights(whole[0])
    assert weights(options.run, "last") == weights(whole[0], "last")
    assert outcome.changes == whole[1].changes
    assert (options.run / "log.jsonl").read_text() == (whole[0] / "log.jsonl").read_text()


def test_a_finished_run_and_another_command(
    whole: tuple[Path, Outcome], options: Options, pairs: Pairs
) -> None:
    with pytest.raises(TrainingFailed, match="is finished: choose another folder"):
        train(pairs, replace(options, run=whole[0]))
    with pytest.raises(KeyboardInterrupt):
        train(pairs, options, Talk(lambda phase, count: phase == "decoding"))
    with pytest.raises(TrainingFailed, match=r"was begun with rate 0\.001, not 0\.01: repeat"):
        train(pairs, replace(options, rate=0.01))
    with pytest.raises(TrainingFailed, match="was begun with data"):
        train(Pairs((*pairs.pairs[1:], pairs.pairs[0]), ()), options)
    (options.run.parent / "mine").mkdir()
    (options.run.parent / "mine" / "a.txt").touch()
    with pytest.raises(TrainingFailed, match="is no run and not empty"):
        train(pairs, replace(options, run=options.run.parent / "mine"))


def test_a_checkpoint_of_another_architecture(
    whole: tuple[Path, Outcome], options: Options, pairs: Pairs
) -> None:
    stop = Talk(lambda phase, count: phase == "training" and count == 1)
    with pytest.raises(KeyboardInterrupt):
        train(pairs, options, stop)
    tensors, facts = checkpoint.load(options.run / "last.safetensors")
    changed = {
        k: v[:-1] if k.endswith("projection.linear1.bias") else v for k, v in tensors.items()
    }
    checkpoint.save(options.run / "last.safetensors", changed, facts)
    with pytest.raises(
        TrainingFailed, match=r"is of another architecture than tiny: its .*linear1"
    ):
        train(pairs, options)
    (options.run / "last.safetensors").write_bytes(pickle.dumps(print))
    with pytest.raises(TrainingFailed, match="is not a checkpoint of a run, or is damaged"):
        train(pairs, options)


class Boom:
    """A pickle that would write a file."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, ("ran", "w"))


def test_a_pickle_with_code_is_refused(
    tiny: Path, options: Options, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = shutil.copytree(tiny, options.run.parent / "bad")
    (bad / "model.safetensors").unlink()
    torch.save({"logit_scale_a": Boom()}, bad / "pytorch_model.bin")
    monkeypatch.chdir(options.run.parent)
    with pytest.raises(ModelBroken, match="cannot be loaded: it holds code, which is never run"):
        train(pairs, replace(options, start=str(bad)))
    assert not Path("ran").exists()


def test_one_group(options: Options, pairs: Pairs) -> None:
    one = Pairs(tuple(replace(pair, group="the same day") for pair in pairs.pairs), ())
    with pytest.raises(TrainingFailed, match="the 32 sounds are of 1 group: 6 are needed"):
        train(one, options)


def test_copies_are_never_measured_on_what_was_learnt(options: Options, pairs: Pairs) -> None:
    """The same bytes under other names are one sound, with the captions of all."""
    folder = options.run.parent / "copies"
    folder.mkdir()
    more = []
    for i, pair in enumerate(pairs.pairs):
        shutil.copy(pair.path, folder / f"{i}.wav")
        more.append(replace(pair, path=folder / f"{i}.wav", captions=("a copy",), group=f"c{i}"))
    broken = folder / "broken.wav"
    broken.write_bytes(b"no sound")
    more.append(replace(pairs.pairs[0], path=broken, group="b"))
    talk = Talk(lambda phase, count: phase == "measuring before")
    with pytest.raises(KeyboardInterrupt):
        train(Pairs((*pairs.pairs, *more), ()), options, talk)
    rows = (options.run / "split.csv").read_text().splitlines()[1:]
    assert len(rows) == 32
    assert all(row.endswith(",3") for row in rows)
    assert any(line.startswith(f"left out: {broken}: ") for line in talk.lines)


def test_a_loss_that_is_no_number(
    options: Options, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        steps,
        "symmetric_cross_entropy",
        lambda *args: loss.symmetric_cross_entropy(*args) * float("nan"),
    )
    with pytest.raises(TrainingFailed, match=r"no number any more at step 1: try a lower --rate"):
        train(pairs, options)
    assert all(
        np.isfinite(np.frombuffer(v, np.float32)).all() for v in weights(options.run).values()
    )


@pytest.fixture
def small_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A device where no more than so many pairs fit while a gradient is wanted."""
    most = [3]
    original = Trainee.embed_pictures

    def embed(self: Trainee, pictures: Any) -> Any:
        if torch.is_grad_enabled() and len(pictures) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, pictures)

    monkeypatch.setattr(Trainee, "embed_pictures", embed)
    yield most


def test_a_smaller_micro_batch_is_said(
    options: Options, pairs: Pairs, small_device: list[int]
) -> None:
    talk = Talk()
    train(pairs, replace(options, epochs=1), talk)
    told = [line for line in talk.lines if "do not fit" in line]
    assert [line.split()[0] for line in told] == ["6"]  # what is learnt is three batches of 6
    assert "going on with 3 at once; the loss is over the whole batch" in told[-1]


def test_a_full_memory_of_a_processor_is_one_too() -> None:
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**50)
    with pytest.raises(RuntimeError) as other:
        torch.empty(2) @ torch.empty(3)
    assert loop._is_full(full.value)
    assert not loop._is_full(other.value)


def test_a_step_that_is_no_number_is_not_taken() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    stepper = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.tensor([3.0, float("nan")])
    assert not steps.descend([stepper], [weight], 1.0)
    assert weight.tolist() == [1.0, 1.0]
    weight.grad = torch.tensor([30.0, 40.0])
    assert steps.descend([stepper], [weight], 1.0)
    assert weight.tolist() == pytest.approx([0.4, 0.2], abs=1e-5)


def seven_pairs(tiny: Path, tmp_path: Path) -> tuple[Trainee, Batch]:
    """Towers to train, and a batch for them."""
    trainee = open_trainee(str(tiny), tmp_path)
    trainee.freeze("none")
    trainee.learn(False)  # dropout would draw otherwise
    maker = Maker(trainee, "cpu", "none", 0)
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 0.1, (7, trainee.parts.bundle.window_samples)).astype(np.float32)
    pictures = maker.pictures(torch.from_numpy(windows * np.arange(1, 8)[:, None] ** 2))
    ids, mask = maker.tokens([f"words {'and more ' * i}" for i in range(7)])
    return trainee, Batch(pictures, ids, mask, torch.eye(7, dtype=torch.bool))


def test_bf16_is_what_towers_compute_in_and_not_what_they_are(tiny: Path, tmp_path: Path) -> None:
    trainee, batch = seven_pairs(tiny, tmp_path)
    kinds: set[Any] = set()
    for layer in trainee.module.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(lambda _, __, made: kinds.add(made.dtype))
    gradients = []
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        kinds.clear()
        trainee.zero_grad()
        assert np.isfinite(steps.backward(trainee, batch, 3, 0, "cpu", precision))
        assert kinds == {kind}
        learning = [weight for weight in trainee.parameters() if weight.grad is not None]
        assert {weight.dtype for weight in learning} == {torch.float32}
        gradients.append(torch.cat([w.grad.flatten() for w in learning if w.grad is not None]))
    whole, half = gradients
    assert float(torch.nn.functional.cosine_similarity(whole, half, dim=0)) > 0.95
    # It is asked for by name alone: where a processor only emulates it, it is slow.
    assert steps.precision_of("cpu", "auto") == "fp32"
    assert steps.precision_of("cpu", "bf16") == "bf16"


def test_a_micro_batch_has_the_gradient_of_the_batch(tiny: Path, tmp_path: Path) -> None:
    trainee, batch = seven_pairs(tiny, tmp_path)
    made = []
    for micro in (7, 3, 1):
        trainee.zero_grad()
        value = steps.backward(trainee, batch, micro, 0, "cpu", "fp32")
        gradients = [w.grad.flatten() for w in trainee.parameters() if w.grad is not None]
        made.append((value, torch.cat(gradients)))
    for value, gradient in made[1:]:
        assert value == pytest.approx(made[0][0], rel=1e-5)
        assert float((gradient - made[0][1]).norm() / made[0][1].norm()) < 1e-4


def test_not_even_one_pair_fits(options: Options, pairs: Pairs, small_device: list[int]) -> None:
    small_device[0] = 0
    with pytest.raises(TrainingFailed, match="one sound at a time does not fit the memory of cpu"):
        train(pairs, options)


@pytest.mark.parametrize(
    ("freeze", "learnt"),
    [
        ("audio", {"text_model", "audio_projection", "text_projection"}),
        ("text", {"audio_model", "audio_projection", "text_projection"}),
        ("both-but-projections", {"audio_projection", "text_projection"}),
    ],
)
def test_frozen_towers_stay_as_they_are(
    tiny: Path, options: Options, pairs: Pairs, freeze: str, learnt: set[str]
) -> None:
    train(pairs, replace(options, freeze=freeze, epochs=1))
    from safetensors.torch import load_file

    before = load_file(tiny / "model.safetensors")
    after, _ = checkpoint.load(options.run / "last.safetensors")
    changed = {
        name.partition(".")[0]
        for name, value in before.items()
        if not torch.equal(value, after.get(f"module.{name}", value))
    }
    assert changed == learnt


@thorough_only
def test_from_scratch(options: Options, tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path / "more", 64)  # of 32 only seven are measured: that shows nothing
    outcome = train(pairs, replace(options, scratch=True, epochs=25, patience=25, rate=3e-3))
    gained = {(c.way, c.figure): c.change for c in outcome.changes}
    assert gained["text to audio", "mAP@10"] > 0.1
    assert gained["audio to text", "mAP@10"] > 0.1


def test_options_without_meaning(tmp_path: Path) -> None:
    for values in (
        {"held_out": 0.5, "test": 0.5},
        {"rate": 0.0},
        {"freeze": "everything"},
        {"scratch": True, "freeze": "audio"},
    ):
        with pytest.raises(InvalidQuery):
            Options(tmp_path, **values)


def test_a_model_of_graphs_alone(options: Options, pairs: Pairs) -> None:
    with pytest.raises(AudioSearchError, match="there is no model nonsuch"):
        train(pairs, replace(options, start="nonsuch"))
    # Nothing was begun: the same folder takes another start.
    assert list(options.run.iterdir()) == []
