"""Minimisation of smooth functions by L-BFGS (Liu and Nocedal 1989), with a backtracking search."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]

_MEMORY = 10
_ARMIJO = 1e-4
_SHORTEST_STEP = 1e-10


def minimise(
    objective: Objective, start: np.ndarray, *, most: int = 200, tolerance: float = 1e-4
) -> np.ndarray:
    """Return the point (p,) at which `objective` is least, from `start` downhill.

    `objective` returns the value and the gradient (p,) at a point. The search ends where no part of
    the gradient is above `tolerance`, after `most` steps, or where no step goes down any more.
    """
    point = start.astype(np.float64)
    value, gradient = objective(point)
    pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=_MEMORY)
    for _ in range(most):
        if np.abs(gradient).max() <= tolerance:
            break
        direction = -_times_inverse_hessian(gradient, pairs)
        slope = float(direction @ gradient)
        if slope >= 0:  # rounding: the steepest way always leads down
            pairs.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        step = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        while True:
            following = point + step * direction
            next_value, next_gradient = objective(following)
            if next_value <= value + _ARMIJO * step * slope:
                break
            step /= 2
            if step < _SHORTEST_STEP:
                return point
        moved, bent = following - point, next_gradient - gradient
        curvature = float(moved @ bent)
        if curvature > 1e-12 * float(bent @ bent):
            pairs.append((moved, bent, 1.0 / curvature))
        point, value, gradient = following, next_value, next_gradient
    return point


def _times_inverse_hessian(
    gradient: np.ndarray, pairs: deque[tuple[np.ndarray, np.ndarray, float]]
) -> np.ndarray:
    """Return the gradient times the approximate inverse Hessian: the two-loop recursion."""
    result = gradient.copy()
    shares = []
    for moved, bent, rho in reversed(pairs):
        share = rho * float(moved @ result)
        shares.append(share)
        result -= share * bent
    if pairs:
        moved, bent, rho = pairs[-1]
        result /= rho * float(bent @ bent)
    for (moved, bent, rho), share in zip(pairs, reversed(shares), strict=True):
        result += (share - rho * float(bent @ result)) * moved
    return result
