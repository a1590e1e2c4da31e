"""Least chi2 over parameters within bounds: steps of Levenberg and Marquardt that keep their slopes, and MIGRAD beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from qdot.errors import InputError

Residuals = Callable[[np.ndarray], np.ndarray]


class Point(NamedTuple):
    """Where a descent has come to: parameters, residuals, and their slopes (points, parameters), exact or updated on the way."""

    x: np.ndarray
    residuals: np.ndarray
    slopes: np.ndarray

    @property
    def chi2(self) -> float:
        return float(self.residuals @ self.residuals)

    def widths(self) -> np.ndarray:
        """Standard errors from the slopes, a tenth of the value where these see nothing."""
        norms = np.linalg.norm(self.slopes, axis=0)
        scale = np.where(norms > 0, norms, 1.0)
        scaled = self.slopes / scale
        covariance = np.linalg.pinv(scaled.T @ scaled, rcond=1e-12) / np.outer(scale, scale)
        blind = 0.1 * np.where(self.x != 0, np.abs(self.x), 1.0)
        sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        return np.where((sigma > 0) & (norms > 0), sigma, blind)


NO_ANSWER = 1e6
"""The residual where the model gives no number."""
HUGE = 1e100
"""Residuals beyond this are no place to go to."""
FINE = 1e-3
"""Largest step of central differences, relative to the parameter."""
ALMOST = 1e-12
"""A step that is foretold to lower chi2 by less than this fraction is left to the last, plain steps."""
FAR = 300
"""Most steps of a search that starts far away."""


class Problem:
    """chi2 as a sum of squared residuals within bounds, searched in logarithms where a lower bound is > 0. Counts its evaluations.

    exact: derivatives of the residuals (n, p), where they are known; where it raises InputError, and without it, differences stand in.
    Residuals cost one evaluation of the model, so the descent keeps its slopes from step to step (Broyden, Math. Comp. 19, 577 (1965)) and takes
    them anew only where a step fails: profiles then need a few evaluations each. is_cheap: differences may take four evaluations instead of one.
    """

    def __init__(
        self, residuals: Residuals, bounds: Sequence[tuple[float | None, float | None]], exact: Residuals | None = None, is_cheap: bool = False
    ) -> None:
        self.of, self.exact, self.is_cheap, self.calls = residuals, exact, is_cheap, 0
        self.points: int | None = None
        self.logarithmic = np.array([low is not None and low > 0 for low, _ in bounds])
        low = np.array([-np.inf if b is None else b for b, _ in bounds], dtype=float)
        high = np.array([np.inf if b is None else b for _, b in bounds], dtype=float)
        self.low, self.high = self.inner(low), self.inner(high)

    def inner(self, values: np.ndarray) -> np.ndarray:
        """Coordinates of the search: logarithms where the lower bound is > 0."""
        return np.where(self.logarithmic, np.log(np.where(self.logarithmic, values, 1.0)), values)

    def outer(self, x: np.ndarray) -> np.ndarray:
        """The parameters themselves, within their bounds to the last digit."""
        values = np.where(self.logarithmic, np.exp(np.where(self.logarithmic, x, 0.0)), x)
        ends = [np.where(self.logarithmic, np.exp(np.where(self.logarithmic, b, 0.0)), b) for b in (self.low, self.high)]
        return np.clip(values, *ends)

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """(n,) residuals; large where the model gives none, or refuses the parameters (a pump of 0, say). At the start a refusal is an error."""
        self.calls += 1
        try:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # far from the data a function may overflow
                r = self.of(self.outer(x))
        except InputError:
            if self.points is None:
                raise
            r = np.full(self.points, np.inf)
        self.points = r.size
        return np.where(np.isfinite(r), r, NO_ANSWER)

    def chi2(self, *x: float) -> float:
        """Sum of their squares."""
        r = self.residuals(np.array(x))
        with np.errstate(over="ignore"):
            return float(r @ r)

    def gradient(self, widths: np.ndarray) -> Callable[..., np.ndarray]:
        """The function that gives the slopes of chi2."""

        def of(*values: float) -> np.ndarray:
            x = np.array(values)
            r = self.residuals(x)
            return np.asarray(2 * r @ self.slopes(x, r, widths))

        return of

    def slopes(self, x: np.ndarray, r: np.ndarray, widths: np.ndarray) -> np.ndarray:
        """(n, p) exact derivatives, or differences of a hundredth of the widths, away from the bounds."""
        if self.exact is not None and not np.any(r == NO_ANSWER):
            values = self.outer(x)
            try:
                exact = self.exact(values) * np.where(self.logarithmic, values, 1.0)
                if np.all(np.isfinite(exact)):
                    return exact
            except (InputError, np.linalg.LinAlgError):
                pass  # a parameter that has no derivative here, or none at all
        columns = []
        for k in range(x.size):
            h = 0.01 * widths[k]
            if self.is_cheap and x[k] != 0:
                h = min(h, FINE * abs(x[k]))
            if self.is_cheap and self.low[k] + 2 * h < x[k] < self.high[k] - 2 * h:
                columns.append(self._central(x, k, h))
                continue
            h = -h if x[k] + h > self.high[k] else h
            moved = x.copy()
            moved[k] += h
            columns.append((self.residuals(moved) - r) / h)
        return np.stack(columns, axis=1)

    def _central(self, x: np.ndarray, k: int, h: float) -> np.ndarray:
        """(n,) difference of the fourth order."""
        step = h * np.eye(x.size)[k]
        near, far = (self.residuals(x + m * step) - self.residuals(x - m * step) for m in (1, 2))
        return (8 * near - far) / (12 * h)

    def marquardt(self, x: np.ndarray, widths: np.ndarray, damping: float, moving: np.ndarray | None = None) -> Point:
        """Least chi2 with fresh slopes at every step, from far away: for functions that cost next to nothing. moving: (p,) bool, default all.

        The scale of each parameter is the largest norm that its column of slopes has had, the damping follows how well steps are foretold.
        Source: J. J. More, Lecture Notes in Mathematics 630, 105 (1978); H. B. Nielsen, report IMM-REP-1999-05, Lyngby (1999).
        """
        r = self.residuals(x)
        j = self.slopes(x, r, widths)
        scale, growth = np.zeros(x.size), 2.0
        for _ in range(FAR):
            scale = np.maximum(scale, np.linalg.norm(j, axis=0))
            scale = np.where(scale > 0, scale, 1.0)
            free = ~((x <= self.low) & (j.T @ r > 0)) & ~((x >= self.high) & (j.T @ r < 0)) & (True if moving is None else moving)
            if not free.any():
                break
            step = np.zeros(x.size)
            system = np.vstack([j[:, free], np.diag(np.sqrt(damping) * scale)[:, free]])
            step[free] = np.linalg.lstsq(system, np.append(-r, np.zeros(x.size)), rcond=1e-15)[0]
            trial = np.clip(x + step, self.low, self.high)
            foretold = float(r @ r - np.sum((r + j @ (trial - x)) ** 2))
            if foretold <= ALMOST * float(r @ r) or not np.isfinite(foretold):
                break
            new = self.residuals(trial)
            possible = not np.any(new == NO_ANSWER) and float(np.abs(new).max()) < HUGE
            share = float(r @ r - new @ new) / foretold if possible else -1.0
            if share > 0.0:
                x, r = trial, new
                j = self.slopes(x, r, np.where(x != 0, 0.1 * np.abs(x), widths))
                damping, growth = damping * max(1.0 / 3.0, 1.0 - (2.0 * share - 1.0) ** 3), 2.0
            else:
                damping, growth = damping * growth, 2.0 * growth
        return Point(x, r, j)

    def polish(self, x: np.ndarray, widths: np.ndarray, rounds: int) -> np.ndarray:
        """Steps of Gauss and Newton with fresh slopes, until they are below 1e-11 of the widths or no longer lower chi2."""
        r = self.residuals(x)
        for _ in range(rounds):
            a = self.slopes(x, r, widths) * widths
            blocked = (x <= self.low) | (x >= self.high)
            step = np.zeros(x.size)
            step[~blocked] = np.linalg.lstsq(a[:, ~blocked], -r, rcond=1e-13)[0]
            trial = np.clip(x + widths * step, self.low, self.high)
            new = self.residuals(trial)
            if not new @ new <= (r @ r) * (1 + 1e-13):
                break
            x, r = trial, new
            if np.abs(step).max() < 1e-11:
                break
        return x

    def descend(self, x: np.ndarray, widths: np.ndarray, free: np.ndarray, slopes: np.ndarray | None = None, tolerance: float = 1e-3) -> Point:
        """Least chi2 over the free parameters (Levenberg, Marquardt), until another step would gain less than `tolerance`.

        widths: scale of each parameter. slopes: those of a point nearby, if known.
        """
        r = self.residuals(x)
        is_fresh, steps = slopes is None, 0
        j = self.slopes(x, r, widths) if slopes is None else slopes.copy()
        damping = 0.0 if slopes is not None else 1e-3
        for _ in range(200):
            scaled = j * widths
            downhill = -(scaled.T @ r)
            moving = free & ~((x <= self.low) & (downhill < 0)) & ~((x >= self.high) & (downhill > 0))
            if not moving.any():
                break
            a = scaled[:, moving]
            curvature = a.T @ a
            step = np.zeros(x.size)
            step[moving] = np.linalg.lstsq(curvature + damping * np.diag(np.diag(curvature) + 1e-12), downhill[moving], rcond=1e-13)[0]
            trial = np.clip(x + widths * step, self.low, self.high)
            move = (trial - x) / widths
            gain = float(r @ r - np.sum((r + scaled @ move) ** 2))
            if gain < tolerance:
                if is_fresh or (slopes is not None and steps <= 2):
                    break
                j, is_fresh, damping = self.slopes(x, r, widths), True, 0.0
                continue
            new = self.residuals(trial)
            if np.any(new == NO_ANSWER) and damping < 1e12:  # no slope to learn from such a point, only that the step was too long
                damping = max(10 * damping, 1e-2)
                continue
            j = j + np.outer(new - r - scaled @ move, move / widths) / (move @ move)
            better = new @ new < r @ r
            if better:
                damping = damping / 10 if float(r @ r - new @ new) > 0.5 * gain else damping
                x, r, is_fresh, steps = trial, new, False, steps + 1
            elif not is_fresh and damping == 0.0:
                j, is_fresh = self.slopes(x, r, widths), True
                damping = 1e-2
            else:
                damping = max(10 * damping, 1e-2)
        return Point(x, r, j)
