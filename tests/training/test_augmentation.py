"""Augmentation with torch alone, the loss, and what is said of a torchaudio that does not load."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from audiosearch.training.options import TrainingFailed
from audiosearch.training.rooms_check import check_torchaudio


def test_a_torchaudio_that_does_not_load_is_named_with_the_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text(
        "raise OSError('libcudart.so.13: cannot open shared object file')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(TrainingFailed) as raised:
        check_torchaudio(needed=False)  # it would take transformers down with it
    line = str(raised.value)
    assert "\n" not in line
    assert "libcudart.so.13" in line
    assert "pip install torch==2.9.1 'torchaudio==2.9.*'" in line


def test_a_torchaudio_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    check_torchaudio(needed=False)
    with pytest.raises(TrainingFailed, match="--augment full needs torchaudio"):
        check_torchaudio(needed=True)


torch = pytest.importorskip("torch", reason="training needs the extra: pip install '.[train]'")

from audiosearch.training.augmentation import augment  # noqa: E402
from audiosearch.training.loss import same_pairs, symmetric_cross_entropy  # noqa: E402

SIZE = 32_000


def generators(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


@pytest.fixture
def windows():
    rng = np.random.default_rng(0)
    tones = [np.sin(np.arange(SIZE) * step) for step in (0.05, 0.2, 0.7)]
    return torch.from_numpy(np.stack([0.3 * t + rng.normal(0, 0.01, SIZE) for t in tones])).float()


def test_what_a_window_gets_is_its_own_affair(windows):
    together = augment(windows, windows.flip(0), generators(1, 2, 3))
    alone = augment(windows[1:2], windows.flip(0)[1:2], generators(2))
    assert torch.equal(together[1], alone[0])
    assert torch.equal(together, augment(windows, windows.flip(0), generators(1, 2, 3)))
    assert not torch.equal(together, augment(windows, windows.flip(0), generators(4, 5, 6)))
    assert together.dtype == torch.float32
    assert together.shape == windows.shape


def test_levels_are_within_what_is_promised(windows):
    one, other = windows[:1], windows[1:2]
    changes = []
    for seed in range(200):
        row = augment(one, other, generators(seed))[0]
        changes.append(float(20 * torch.log10(row.std() / one.std())))
        # Shifted around: its spectrum has the same peak, whatever lies behind.
        peak = int(torch.fft.rfft(row).abs().argmax())
        assert peak == int(torch.fft.rfft(one[0]).abs().argmax())
    assert min(changes) < -10 < 4 < max(changes) < 6.5


def test_silence_stays_silent(windows):
    silent = torch.zeros_like(windows)
    assert torch.equal(augment(silent, silent, generators(1, 2, 3)), silent)
    assert torch.isfinite(augment(windows, silent, generators(1, 2, 3))).all()


def test_the_loss_is_the_papers_where_no_two_pairs_say_the_same():
    rng = torch.Generator().manual_seed(0)
    audio, text = (
        torch.nn.functional.normalize(torch.randn(6, 8, generator=rng), dim=1) for _ in range(2)
    )
    scale = torch.tensor(2.0)
    loss = symmetric_cross_entropy(audio, text, scale, torch.eye(6, dtype=torch.bool))
    logits = scale.exp() * audio @ text.T
    right = torch.arange(6)
    cross = torch.nn.functional.cross_entropy
    assert loss == pytest.approx(float(cross(logits, right) + cross(logits.T, right)) / 2)
    # The largest scale is 100.
    sharp = [
        symmetric_cross_entropy(audio, text, torch.tensor(s), torch.eye(6)) for s in (4.7, 9.0)
    ]
    assert sharp[0] == sharp[1]


def test_two_that_say_the_same_are_both_right():
    same = same_pairs(np.array([0, 1, 1, 2]), ["rain", "a dog", "a bark", "rain"])
    assert same.int().tolist() == [[1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]]
    units = torch.eye(4)[[0, 1, 1, 0]]
    perfect = symmetric_cross_entropy(units, units, torch.tensor(4.6), same)
    assert float(perfect) == pytest.approx(np.log(2), abs=1e-3)
    worse = symmetric_cross_entropy(units, units, torch.tensor(4.6), torch.eye(4, dtype=torch.bool))
    assert float(worse) == pytest.approx(np.log(2), abs=1e-3)
    assert symmetric_cross_entropy(units, units[[1, 0, 0, 1]], torch.tensor(4.6), same) > 10
