"""Learning of layers from vectors and labels: logistic regression, with or without one hidden layer.

Conventions: `vectors` (n, d) are unit vectors, `truth` (n, labels) is bool. With `multi`, each
label is a question of its own (a sigmoid each); otherwise labels exclude each other (a softmax).
The loss is the weighted mean of the cross-entropy plus ``strength / 2`` times the squared weights.
Vectors are centred and scaled to a mean squared value of 1, so that one range of strengths fits
every model; the layers that are returned take vectors as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiosearch.heads.lbfgs import minimise

Layer = tuple[np.ndarray, np.ndarray]  # weights (inputs, outputs), biases (outputs,)

# For fits that are too small to choose their own. Chosen on sounds of mini's corpus, not on ESC-10.
STRENGTH = 1.0
# The part of the zero-shot weights that a blended head starts from, chosen on the same sounds.
BLEND = 0.5
# From this one on, `training` chooses by held-out groups.
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)


@dataclass(frozen=True)
class Layers:
    """One layer, or a hidden layer (tanh) and one on top."""

    layers: tuple[Layer, ...]

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Return (n, labels), float64, of vectors (n, d)."""
        values = np.asarray(vectors, dtype=np.float64)
        *hidden, (weights, biases) = self.layers
        for inner, shifts in hidden:
            values = np.tanh(values @ inner + shifts)
        result: np.ndarray = values @ weights + biases
        return result


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis, in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: np.ndarray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    result: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return result


def example_weights(truth: np.ndarray, multi: bool, balanced: bool) -> np.ndarray:
    """Return the weights of examples, (n, 1), or with `multi` of their labels, (n, labels).

    With `balanced`, each class weighs as much as any other; with `multi`, the sounds with a label
    weigh as much as those without. The mean weight is 1.
    """
    count = truth.shape[0]
    if not balanced:
        return np.ones((count, 1))
    positive = np.maximum(truth.sum(axis=0), 1)
    if multi:
        negative = np.maximum(count - truth.sum(axis=0), 1)
        by_label: np.ndarray = np.where(truth, count / (2 * positive), count / (2 * negative))
        return by_label
    weights = (truth / positive).sum(axis=1, keepdims=True)
    result: np.ndarray = weights * count / weights.sum()
    return result


def loss_of(
    logits: np.ndarray, truth: np.ndarray, multi: bool, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the weighted mean cross-entropy, and its gradient by the logits (n, labels)."""
    count = len(logits)
    if multi:
        losses = np.logaddexp(0.0, logits) - truth * logits
        errors = sigmoid(logits) - truth
    else:
        # A sound with several classes counts for each of them in equal parts.
        share = truth / truth.sum(axis=1, keepdims=True)
        top = logits.max(axis=1, keepdims=True)
        log_sum = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        losses = share * (log_sum - logits)
        errors = np.exp(logits - log_sum) - share
    value = float((weights * losses).sum() / count)
    return value, weights * errors / count


def fit(
    vectors: np.ndarray,
    truth: np.ndarray,
    *,
    multi: bool = False,
    hidden: int = 0,
    strength: float = STRENGTH,
    balanced: bool = False,
    prior: np.ndarray | None = None,
    seed: int = 0,
) -> Layers:
    """Return the layers that fit the labels best.

    `hidden` is the number of units of the hidden layer; 0 is none. `prior` (d, labels) are weights
    to start from: the penalty pulls towards them instead of zero, so that few examples change them
    little. It goes with a linear head. `seed` draws the first weights of a hidden layer.
    """
    if prior is not None and hidden:
        raise ValueError("a prior goes with a linear head")
    raw = np.asarray(vectors, dtype=np.float64)
    centre = raw.mean(axis=0)
    centred = raw - centre
    scale = float(np.sqrt((centred**2).mean())) or 1.0
    inputs, axes = _spanned(centred / scale)
    given = np.zeros(truth.shape) if prior is None else raw @ prior
    weights = example_weights(truth, multi, balanced)
    shapes = _shapes(inputs.shape[1], hidden, truth.shape[1])
    start = _first(shapes, np.random.default_rng(seed))

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        layers = _unpacked(point, shapes)
        values = [inputs]
        for inner, shifts in layers[:-1]:
            values.append(np.tanh(values[-1] @ inner + shifts))
        last, biases = layers[-1]
        value, errors = loss_of(values[-1] @ last + biases + given, truth, multi, weights)
        gradients: list[np.ndarray] = []
        for index in range(len(layers) - 1, -1, -1):
            matrix = layers[index][0]
            value += 0.5 * strength * float((matrix**2).sum())
            gradients[:0] = [values[index].T @ errors + strength * matrix, errors.sum(axis=0)]
            if index:
                errors = (errors @ matrix.T) * (1 - values[index] ** 2)
        return value, np.concatenate([gradient.ravel() for gradient in gradients])

    learned = _unpacked(minimise(objective, start), shapes)
    first, shifts = learned[0]
    first = (first if axes is None else axes @ first) / scale
    layers = [(first, shifts - centre @ first), *learned[1:]]
    if prior is not None:
        layers[-1] = (layers[-1][0] + prior, layers[-1][1])
    return Layers(tuple(layers))


def _spanned(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return fewer inputs (n, r) that say the same, and their axes (d, r).

    With fewer examples than dimensions, weights across the examples' span would stay zero: they
    change no logit, and the penalty is on them. The axes are `None` where nothing is saved.
    """
    count, dimension = inputs.shape
    if count >= dimension:
        return inputs, None
    left, sizes, axes = np.linalg.svd(inputs, full_matrices=False)
    return left * sizes, axes.T


def _shapes(inputs: int, hidden: int, labels: int) -> list[tuple[int, int]]:
    return [(inputs, hidden), (hidden, labels)] if hidden else [(inputs, labels)]


def _first(shapes: list[tuple[int, int]], rng: np.random.Generator) -> np.ndarray:
    """Return the first weights: zero for a linear head, random for a hidden layer."""
    parts = []
    for rows, columns in shapes:
        spread = 1 / np.sqrt(rows) if len(shapes) > 1 else 0.0
        parts += [rng.normal(0.0, 1.0, rows * columns) * spread, np.zeros(columns)]
    return np.concatenate(parts)


def _unpacked(point: np.ndarray, shapes: list[tuple[int, int]]) -> list[Layer]:
    layers, at = [], 0
    for rows, columns in shapes:
        matrix = point[at : at + rows * columns].reshape(rows, columns)
        at += rows * columns
        layers.append((matrix, point[at : at + columns]))
        at += columns
    return layers
