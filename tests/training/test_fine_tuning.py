"""Fine-tuning on a public task: ESC-50's layout with small sounds, and a small checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("transformers", reason="training needs the extra: pip install '.[train]'")
pytest.importorskip("onnx", reason="training needs the extra: pip install '.[train]'")

from audiosearch.evaluation.examples import Examples  # noqa: E402
from audiosearch.evaluation.task import all_tasks  # noqa: E402
from audiosearch.evaluation.task_run import TaskResult, read_task, run_task  # noqa: E402
from audiosearch.heads.fit import Layers  # noqa: E402
from audiosearch.models.registry import load_model  # noqa: E402
from audiosearch.training import classes, fine_tuning  # noqa: E402
from audiosearch.training.fine_tuning import fine_tuned_logits  # noqa: E402
from audiosearch.training.options import Options, Progress, TrainingFailed  # noqa: E402
from audiosearch.training.run import _write_bundle  # noqa: E402
from audiosearch.training.sources import open_trainee  # noqa: E402
from audiosearch.training.steps import device_of  # noqa: E402
from scripts.random_checkpoint import TINY, make  # noqa: E402
from tests.effort import thorough_only  # noqa: E402
from tests.training.sounds import KINDS, write  # noqa: E402
from tests.training.test_run import Talk  # noqa: E402

torch.set_num_threads(1)  # operators as small as these wait for each other

TASK = all_tasks()["esc50"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle of a small checkpoint, which lies beside it."""
    folder = tmp_path_factory.mktemp("a model")
    make(folder / "tiny", TINY)
    options = Options(folder, str(folder / "tiny"))
    return str(_write_bundle(open_trainee(options.start, folder / "start"), options))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two sounds of four kinds in two folds, two of each recording."""
    root = tmp_path_factory.mktemp("ESC-50-master")
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for i in range(32):
        write(root / "audio" / f"{i}.wav", i % 4, i)
        rows.append(f"{i}.wav,{i // 16 + 1},{i % 4},{KINDS[i % 4]},True,{i // 8}-{i % 4},A")
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def fewer_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**fine_tuning.SETTINGS, "epochs": 3, "batch": 8}
    monkeypatch.setattr(fine_tuning, "SETTINGS", settings)


def measure(data: Path, model: str, folder: Path, progress: Progress | None = None) -> TaskResult:
    def tune(examples: Examples) -> np.ndarray:
        return fine_tuned_logits(examples, model, folder, progress or Progress())

    return run_task(TASK, read_task(TASK, data), load_model(model), tune=tune)


def test_each_fold_is_learnt_from_the_others(data: Path, model: str, tmp_path: Path) -> None:
    result = measure(data, model, tmp_path / "w")
    assert result.tuned
    assert result.head
    assert result.tuned.value >= 0.75  # of four kinds that are nothing alike
    (place,) = (tmp_path / "w").glob("esc50-*")
    about = json.loads((place / "task.json").read_text())
    assert about["classes"] == sorted(KINDS)
    for fold in "12":
        log = [json.loads(line) for line in (place / fold / "log.jsonl").read_text().splitlines()]
        assert [row["epoch"] for row in log] == [0, 1, 2, 3]
        assert sorted(p.name for p in (place / fold).iterdir()) == [
            "log.jsonl",
            "logits.safetensors",
        ]
    assert not (place / "sounds").exists()
    # What is finished is not done again; other sounds are another matter.
    talk = Talk()
    assert measure(data, model, tmp_path / "w", talk).tuned == result.tuned
    assert talk.lines == []


@thorough_only
def test_a_stopped_run_ends_with_the_same_figures(data: Path, model: str, tmp_path: Path) -> None:
    whole = measure(data, model, tmp_path / "whole")
    for stop in ("decoding", 5), ("training", 4):
        with pytest.raises(KeyboardInterrupt):
            measure(data, model, tmp_path / "w", Talk(lambda *now, stop=stop: now == stop))
    assert measure(data, model, tmp_path / "w").tuned == whole.tuned
    (one,), (other,) = ((tmp_path / name).glob("esc50-*/2/log.jsonl") for name in ("whole", "w"))
    assert one.read_text() == other.read_text()


def examples_of(groups: list[int], splits: list[str]) -> Examples:
    count = len(groups)
    truth = np.eye(2, dtype=bool)[np.arange(count) % 2]
    paths = tuple(Path(f"{i}.wav") for i in range(count))
    vectors = np.zeros((count, 4))
    return Examples(TASK, paths, ("a", "b"), vectors, truth, np.array(groups), np.array(splits))


def test_whole_groups_choose_the_epoch() -> None:
    examples = examples_of([i // 2 for i in range(32)], ["1"] * 16 + ["2"] * 16)
    ((_, inside, outside), _) = examples.parts()
    held_out = fine_tuning._held_out(examples, inside)
    assert 0 < held_out.sum() < 8
    assert not (held_out & outside).any()
    inner = set(examples.groups[held_out])
    assert inner.isdisjoint(examples.groups[inside & ~held_out])
    official = examples_of(list(range(6)), ["train", "train", "valid", "valid", "test", "test"])
    ((name, inside, _),) = official.parts()
    assert name == "test"
    assert fine_tuning._held_out(official, inside).tolist() == [0, 0, 1, 1, 0, 0]
    with pytest.raises(TrainingFailed, match="are of one group"):
        fine_tuning._held_out(examples_of([0] * 4, ["1", "1", "2", "2"]), np.ones(4, dtype=bool))


def test_the_whole_audio_tower_learns_and_the_text_tower_does_not(
    model: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    layers = Layers(((rng.normal(size=(TINY["projection_dim"], 3)), np.zeros(3)),))
    trainee, top = classes.with_layer(open_trainee(model, tmp_path), layers)
    trainee.freeze("none")
    frames = trainee.parts.bundle.front_end.frame_count(trainee.parts.bundle.window_samples)
    pictures = torch.from_numpy(rng.normal(-40, 10, (4, 1, frames, 32)).astype(np.float32))
    vectors = trainee.embed_pictures(pictures)
    expected = vectors.detach().numpy() @ layers.layers[0][0]
    assert top(vectors).detach().numpy() == pytest.approx(expected, abs=1e-4)
    classes._loss(top(vectors), torch.eye(3)[[0, 1, 2, 0]], multi=False).backward()
    learnt = {
        name.removeprefix("module.").removeprefix("towers.").partition(".")[0]
        for name, weight in trainee.named_parameters()
        if weight.grad is not None and weight.grad.abs().sum() > 0
    }
    assert learnt == {"audio_model", "audio_projection", "top"}
    assert not any("text" in name for name in trainee.weights())


@pytest.mark.parametrize("multi", [False, True])
def test_fewer_at_once_have_the_gradient_of_the_batch(
    multi: bool, model: str, tmp_path: Path
) -> None:
    layers = Layers(((np.ones((TINY["projection_dim"], 3)), np.zeros(3)),))
    trainee, top = classes.with_layer(open_trainee(model, tmp_path), layers)
    trainee.freeze("none")
    trainee.learn(False)  # dropout would draw otherwise
    frames = trainee.parts.bundle.front_end.frame_count(trainee.parts.bundle.window_samples)
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.normal(-40, 10, (5, 1, frames, 32)).astype(np.float32))
    truth = torch.eye(3)[[0, 1, 2, 0, 1]]
    none: Any = None  # nothing is drawn or measured here
    lesson = classes.Classes(trainee, top, none, none, none, none, none, multi, 5, "cpu", "fp32")
    made = []
    for micro in (5, 2):
        trainee.zero_grad()
        value = lesson.backward((pictures, truth), micro, 0)
        gradients = [w.grad.flatten() for w in trainee.parameters() if w.grad is not None]
        made.append((value, torch.cat(gradients)))
    assert made[1][0] == pytest.approx(made[0][0], rel=1e-5)
    assert float((made[1][1] - made[0][1]).norm() / made[0][1].norm()) < 1e-4


def test_a_gpu_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(TrainingFailed, match="there is no GPU that PyTorch can use"):
        device_of("cuda")
