"""The map that attunes the texts of mini to sounds that its audio tower never heard."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the recipe trains with PyTorch")
pytest.importorskip("onnx", reason="the recipe writes graphs with onnx")

from audiosearch.models.bundle import read_bundle  # noqa: E402
from scripts.mini.attune import Fold, Heard, chances, fit, log_prior, write  # noqa: E402
from scripts.mini.bundle import Bundle  # noqa: E402
from scripts.mini.metrics import accuracy, recalls  # noqa: E402
from scripts.mini.queryside import unit  # noqa: E402
from scripts.mini.train import PACKAGED, Texts  # noqa: E402

torch.set_num_threads(1)  # operators as small as these wait for each other
SIZE, CLASSES = 512, 527


def near_still(share: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    random = rng.normal(size=(SIZE, SIZE)) / np.sqrt(SIZE)
    return (np.eye(SIZE) + share * random).astype(np.float32)


def test_a_folded_tower_says_what_the_map_makes_of_the_texts(tmp_path: Path) -> None:
    turn, said = near_still(0.1), ["rain", "a dog barks far away", "UI click, short"]
    write(turn, argparse.Namespace(start=PACKAGED, to=tmp_path, revision="6"))
    before, after = Bundle(PACKAGED).embed_texts(said), Bundle(tmp_path).embed_texts(said)
    assert (after * unit(before @ turn.T)).sum(1).min() > 0.9999
    assert (after * before).sum(1).max() < 0.999
    ours, theirs = read_bundle(tmp_path), read_bundle(PACKAGED)
    assert ours.revision == "6"
    # What heard the sounds of a library is the same.
    assert ours.identity == theirs.identity


def test_a_map_is_found_that_brings_texts_to_the_sounds_they_mean() -> None:
    rng = np.random.default_rng(0)
    names = unit(rng.normal(size=(CLASSES, SIZE))).astype(np.float32)
    heard_as = unit(names @ near_still(0.7).T)
    number = rng.integers(0, CLASSES, 9_000)
    sounds = unit(heard_as[number] + 0.25 * rng.normal(size=(9_000, SIZE)))
    logits = np.full((9_000, CLASSES), -6, np.float32)
    logits[np.arange(9_000), number] = 4
    none = np.full((9_000, 3), -1)
    said = none.copy()
    said[:, 0] = number
    heard = Heard(torch.from_numpy(sounds.astype(np.float32)), torch.from_numpy(logits), none, said)
    texts = Texts(
        torch.from_numpy(names)[:, None],
        torch.from_numpy(names)[:, None],
        torch.eye(CLASSES),
        np.zeros(0, int),
        np.arange(CLASSES),
        np.zeros(0, int),
    )
    args = argparse.Namespace(
        seed=0, steps=100, captions=1.0, classes=1.0, still=0.05, balance=0.0, prior=0.0
    )
    turn = fit(heard, np.arange(8_000), texts, args)
    scores = [sounds[8_000:] @ text.T for text in (names, unit(names @ turn.T))]
    relevant = logits[8_000:] > 0
    before, after = (accuracy(score, relevant) for score in scores)
    assert 0.2 < before < 0.8
    assert after > before + 0.03


def test_figures_of_a_fold_whose_texts_lie_where_its_sounds_do() -> None:
    texts, own = np.eye(SIZE, dtype=np.float32)[:40], np.eye(40, dtype=bool)
    fold = Fold(
        texts[[0, 1, 1, 2]],
        np.array([0, 1, 1, 2]),
        texts[:3],
        np.eye(3, dtype=bool),
        texts.repeat(6, 0),
        np.where(own, 4.0, -6.0).repeat(6, 0),
    )
    still = np.eye(SIZE, dtype=np.float32)
    assert fold.figures(still, texts).tolist() == [1, 1, 1, 1]
    # The first two texts change places: each finds its sound second, and two classes in 40 are wrong.
    swapped = still[[1, 0, *range(2, SIZE)]]
    assert fold.figures(swapped, texts).round(3).tolist() == [0.667, 0.967, 0.95, 0.95]


def test_rare_classes_are_drawn_more_and_their_prior_is_small() -> None:
    logits = np.full((110, CLASSES), -6, np.float32)
    logits[:90, 3], logits[90:, 5] = 4, 4
    none = np.full((110, 3), -1)
    heard = Heard(torch.zeros(110, SIZE), torch.from_numpy(logits), none, none)
    rows = np.arange(110)
    assert chances(heard, rows, 0.0) == pytest.approx(1 / 110)
    assert chances(heard, rows, 1.0)[:90].sum() == pytest.approx(0.5)
    prior = log_prior(heard, rows)
    assert float((prior[3] - prior[5]).exp()) == pytest.approx(90 / 20, rel=0.02)
    assert float(prior.mean()) == pytest.approx(0, abs=1e-5)


def test_each_class_counts_alike_among_the_classes_of_a_set() -> None:
    logits = np.array([[3, -1, 9], [2, -1, 9], [2, -1, 9], [2, -1, 9], [-1, 1, 9], [-1, -1, 9]])
    scores = np.array([[3, 2, 9], [3, 2, 9], [3, 2, 9], [2, 3, 9], [2, 3, 9], [2, 3, 9]])
    values = recalls(scores, logits, np.array([[0, 1]]))
    # The third class is in no set, and the last sound is of no class of it.
    assert values.tolist()[:2] == [0.75, 1.0]
    assert np.isnan(values[2])
