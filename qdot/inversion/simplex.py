"""Least deviance of counts under a mixture of known distributions, over weights >= 0 that sum to 1: a convex problem, solved by an interior path.

counts (S,) are multinomial with probabilities T p; T (S, N) holds one distribution in each column. The deviance 2 sum [c ln(c / (M T p)) - c + M T p]
is convex in p, so its least value is found whatever the start, also where weights are 0 there. One linear constraint w p = r may be added, which is all
that profiles need. No physics and no derivative by hand beyond these lines.

Source: S. Boyd and L. Vandenberghe, Convex Optimization (Cambridge, 2004), section 11.3, for the barrier method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SMALLEST = 1e-5
"""Gap between the deviance reached and the least one, per weight, at which the path ends."""
SHRINK = 0.02
"""How much smaller the barrier is made in one go."""
STEPS = 60
"""Newton steps at one barrier, at most."""
WARM = 10.0
"""First barrier where a good start is known."""
TINY = 1e-150
"""A constraint that only weights smaller than this can satisfy counts as one that none can."""
SPARE = 1e-4
"""Least weight of a start, over the number of weights."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """counts: (S,); columns: (S, N), each column summing to 1 over all S."""

    counts: np.ndarray
    columns: np.ndarray

    @property
    def total(self) -> float:
        """Number of trials."""
        return float(self.counts.sum())

    def deviance(self, p: np.ndarray) -> float:
        """-2 log likelihood, 0 for probabilities that equal the frequencies."""
        mean = self.total * (self.columns @ p)
        seen = self.counts > 0
        c, m = self.counts[seen], mean[seen]
        u = (m - c) / c
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(np.abs(u) < 1e-4, u * u * (0.5 - u / 3.0 + u * u / 4.0), u - np.log1p(u))  # without losing digits where they agree
        return float(2.0 * (c @ parts + mean[~seen].sum())) if np.all(m > 0.0) else np.inf

    def best(self) -> np.ndarray:
        """(N,) the weights of least deviance."""
        n = self.columns.shape[1]
        return self._path(np.full(n, 1.0 / n), np.ones((1, n)), max(0.1 * self.total, 1.0))

    def best_with(self, w: np.ndarray, r: float, near: np.ndarray) -> np.ndarray | None:
        """The same with w p = r; None if no weights > 0 satisfy it. near: (N,) a guess, such as the weights without the constraint."""
        start = tilted(np.maximum(near, SPARE / near.size), w, r)
        if start is None or not start.min() > TINY:
            return None
        if np.ptp(w) == 0.0:
            return self.best()
        return self._path(start, np.stack([np.ones(w.size), w / np.abs(w).max()]), WARM)

    def _path(self, p: np.ndarray, equal: np.ndarray, t: float) -> np.ndarray:
        """From p > 0 that satisfies equal p = const, with smaller and smaller barriers -t sum log p."""
        while True:
            p = self._centre(p, equal, t)
            if t <= SMALLEST:
                return p
            t = max(SHRINK * t, SMALLEST)

    def _centre(self, p: np.ndarray, equal: np.ndarray, t: float) -> np.ndarray:
        """Newton's method for half the deviance plus the barrier, scaled by p so that weights near 0 are as well conditioned as others."""
        k, n = equal.shape
        seen = self.counts > 0
        columns, counts = self.columns[seen], self.counts[seen]
        system, right = np.zeros((n + k, n + k)), np.zeros(n + k)
        value = self._barrier(p, t)
        for _ in range(STEPS):
            mean = columns @ p
            slope = (self.total * self.columns.sum(axis=0) - columns.T @ (counts / mean)) * p - t
            root = columns * (np.sqrt(counts) / mean)[:, None] * p
            system[:n, :n] = root.T @ root
            system[np.arange(n), np.arange(n)] += t
            scale = np.sqrt(np.diag(system)[:n])
            system[:n, :n] /= np.outer(scale, scale)
            system[n:, :n] = equal * p / scale
            system[n:, :n] /= np.abs(system[n:, :n]).max(axis=1, keepdims=True)
            system[:n, n:] = system[n:, :n].T
            right[:n] = -slope / scale
            try:
                move = np.linalg.solve(system, right)[:n] / scale
            except np.linalg.LinAlgError:
                move = np.linalg.lstsq(system, right, rcond=1e-15)[0][:n] / scale
            gain = float(-slope @ move)
            length = min(1.0, 0.99 / max(float(-move.min(initial=0.0)), 1e-300))
            while length > 1e-10:
                trial = p * (1.0 + length * move)
                reached = self._barrier(trial, t)
                if reached <= value - 0.1 * length * gain + 1e-13 * abs(value):
                    break
                length *= 0.5
            if length <= 1e-10:
                break
            p, value = trial, reached
            if gain < 0.01 * t:
                break
        return p

    def _barrier(self, p: np.ndarray, t: float) -> float:
        return self.deviance(p) / 2.0 - t * float(np.log(p).sum()) if np.all(p > 0.0) else np.inf


def tilted(p: np.ndarray, w: np.ndarray, r: float) -> np.ndarray | None:
    """Weights p e^{l w} / sum with w p = r, for the one number l that gives it; None if r is not inside the range of w.

    >>> tilted(np.array([0.5, 0.25, 0.25]), np.array([0.0, 1.0, 0.0]), 0.5).round(12).tolist()
    [0.333333333333, 0.5, 0.166666666667]
    """
    if np.ptp(w) == 0.0:
        return p / p.sum() if abs(r - w[0]) <= 1e-12 * max(abs(r), 1.0) else None
    v = (w - w.min()) / np.ptp(w)
    wanted = (r - w.min()) / np.ptp(w)
    if not 0.0 < wanted < 1.0:
        return None
    log_p, at = np.log(p / p.sum()), 0.0
    low, high = -np.inf, np.inf
    for _ in range(200):
        exponent = log_p + at * v
        q = np.exp(exponent - exponent.max())
        q /= q.sum()
        mean = float(v @ q)
        # compare on the side that is small, so that values near an end keep their digits
        gap = math.log(mean / wanted) if wanted < 0.5 else math.log((1.0 - wanted) / float((1.0 - v) @ q))
        if abs(gap) < 1e-14:
            break
        low, high = (at, high) if gap < 0.0 else (low, at)
        variance = float((v - mean) ** 2 @ q)
        step = -gap * (mean if wanted < 0.5 else 1.0 - mean) / max(variance, 1e-300)
        at = (
            at + step
            if low < at + step < high
            else (low + high) / 2.0
            if np.isfinite(low) and np.isfinite(high)
            else at + np.sign(-gap) * 2.0 * (abs(at) + 1.0)
        )
        if np.isfinite(low) and np.isfinite(high) and high - low <= 1e-15 * max(abs(low), abs(high)):
            break
    return np.asarray(q)
