"""Intervals: where chi2, minimal in all other parameters, has risen by 1 (68.3 %), one-sided limits where the data bound one side only (95 %).

The same for quantities derived from the parameters. A side on which chi2 does not rise that far before the bound stays open: no error bar is made up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qdot.fitting.search import Point, Problem

ONE_SIGMA = 1.0
"""Rise of chi2, minimal in all other parameters, at the ends of the 68.3 % interval of one parameter."""
LIMIT = 2.705543454095404
"""The same at a one-sided limit of 95 %: the square of the normal distribution's 95 % quantile."""
TWO_SIDED_95 = 3.841458820694124
"""The same at the ends of a 95 % interval."""
CONFIDENCE = 0.95
CLOSE = 0.06
"""How near to the end of an interval, as a fraction of it, chi2 is calculated; the last step is a straight line through its root."""
DOUBT = 0.25
"""A rise above which a plain function is searched again, from further away."""
STIFF = 100.0
"""How much more than chi2 the condition counts under which a derived quantity is profiled, in its standard errors."""


class Limit(NamedTuple):
    """A one-sided limit: the parameter is below ("upper") or above ("lower") `value` at this confidence."""

    side: str
    value: float
    confidence: float = CONFIDENCE

    def __str__(self) -> str:
        return f"{'<' if self.side == 'upper' else '>'} {self.value:.4g} ({100 * self.confidence:g} %)"


class Estimate(NamedTuple):
    """One fitted parameter: best value and the distances to the ends of its 68.3 % profile interval, None on a side that the data leave open."""

    value: float
    minus: float | None
    plus: float | None
    limit: Limit | None

    @property
    def is_determined(self) -> bool:
        """True if the data bound the parameter on both sides."""
        return self.minus is not None and self.plus is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; limit: None or {side, value, confidence}."""
        return {"value": self.value, "minus": self.minus, "plus": self.plus, "limit": None if self.limit is None else dict(self.limit._asdict())}

    def __str__(self) -> str:
        low = "open" if self.minus is None else f"-{self.minus:.3g}"
        high = "open" if self.plus is None else f"+{self.plus:.3g}"
        note = f"  {self.limit}" if self.limit else "" if self.is_determined else "  not determined"
        return f"{self.value:.5g}  {low} {high}{note}"


class Profile:
    """chi2 as a function of one parameter, minimal in all others, and where it has risen by a given amount."""

    def __init__(self, problem: Problem, widths: np.ndarray, x: np.ndarray) -> None:
        self.problem = problem
        r = problem.residuals(x)
        self.best = Point(x, r, problem.slopes(x, r, widths))
        self.widths = self.best.widths()
        self.known: dict[int, dict[float, Point]] = {k: {float(x[k]): self.best} for k in range(x.size)}

    @property
    def values(self) -> np.ndarray:
        """(p,) the best parameters."""
        return self.problem.outer(self.best.x)

    def covariance(self) -> np.ndarray:
        """(p, p) inverse of half the curvature of chi2 (slopes of the residuals squared), rows of parameters at a bound 0."""
        x, margin = self.best.x, 1e-2 * self.widths
        inside = (x > self.problem.low + margin) & (x < self.problem.high - margin)
        scale = self.widths[inside]
        a = self.best.slopes[:, inside] * scale
        outwards = np.where(self.problem.logarithmic, self.values, 1.0)[inside]
        full = np.zeros((x.size, x.size))
        full[np.ix_(inside, inside)] = np.linalg.pinv(a.T @ a, rcond=1e-13) * np.outer(scale * outwards, scale * outwards)
        return full

    def root(self, k: int, value: float) -> float:
        """Root of the rise of chi2 above its least value with parameter k held at `value`."""
        known = self.known[k]
        if value not in known:
            nearest = known[min(known, key=lambda v: abs(v - value))]
            free = np.arange(self.best.x.size) != k
            x = nearest.x.copy()
            x[k] = value
            # follow the valley: the others move so that the residuals change least
            a = nearest.slopes[:, free] * self.widths[free]
            change = nearest.residuals + nearest.slopes[:, k] * (value - nearest.x[k])
            x[free] += self.widths[free] * np.linalg.lstsq(a, -change, rcond=1e-10)[0]
            x = np.clip(x, self.problem.low, self.problem.high)
            found = self.problem.descend(x, self.widths, free, nearest.slopes, tolerance=3e-3)
            if (
                self.problem.is_cheap and found.chi2 > self.best.chi2 + DOUBT
            ):  # the valley may bend away from where it pointed: look again from what is known on this side
                starts = [found.x, np.where(free, nearest.x, x)]
                found = min((self.problem.marquardt(s, self.widths, 1e-3, free) for s in starts), key=lambda p: p.chi2)
            known[value] = found
        return math.sqrt(max(known[value].chi2 - self.best.chi2, 0.0))

    def end(self, k: int, direction: int, rise: float) -> float | None:
        """Value of parameter k at which chi2 has risen by `rise`; None if it does not before the bound, or within a factor 1000 without one."""
        distance = self._distance(k, direction, rise)
        if distance is None:
            return None
        x = self.best.x.copy()
        x[k] += direction * distance
        return float(self.problem.outer(x)[k])

    def _distance(self, k: int, direction: int, rise: float) -> float | None:
        value, sigma = float(self.best.x[k]), float(self.widths[k])
        bound = self.problem.high[k] if direction > 0 else self.problem.low[k]
        unbounded = math.log(1e3) if self.problem.logarithmic[k] else 1e3 * (abs(value) + sigma)
        farthest = float(abs(bound - value)) if np.isfinite(bound) else unbounded
        target = math.sqrt(rise)
        if farthest <= 0:
            return None
        inner, inner_root, outer, outer_root = 0.0, 0.0, math.inf, math.inf
        for known in sorted(self.known[k]):  # what another interval of this parameter has met already
            distance = direction * (known - value)
            if distance > 0:
                root = self.root(k, known)
                if root < target and distance > inner:
                    inner, inner_root = distance, root
                elif root >= target and distance < outer:
                    outer, outer_root = distance, root
        step = min(target * sigma, farthest) if inner == 0.0 else min(inner * min(1.5, 1.05 * target / max(inner_root, 1e-9)), farthest)
        for _ in range(60):
            if outer < math.inf:
                break
            root = self.root(k, value + direction * step)
            if root >= target:
                outer, outer_root = step, root
            elif step >= farthest:
                return None
            else:
                inner, inner_root = step, root
                step = min(step * min(1.7, max(1.1, 1.05 * target / max(root, 1e-9))), farthest)
        else:
            return None
        for i in range(30):  # between inner and outer the root of chi2 is nearly straight
            straight = inner + (target - inner_root) * (outer - inner) / (outer_root - inner_root)
            if min(target - inner_root, outer_root - target) < CLOSE * target or outer - inner < CLOSE * outer:
                break
            step = straight if i < 3 else (inner + outer) / 2
            root = self.root(k, value + direction * step)
            if root < target:
                inner, inner_root = step, root
            else:
                outer, outer_root = step, root
        return straight

    def estimate(self, k: int) -> Estimate:
        """Interval of parameter k, or a one-sided limit on the side that the data do bound."""
        value = float(self.values[k])
        low, high = self.end(k, -1, ONE_SIGMA), self.end(k, 1, ONE_SIGMA)
        limit = None
        if low is None and high is not None:
            up = self.end(k, 1, LIMIT)
            limit = None if up is None else Limit("upper", up)
        elif high is None and low is not None:
            down = self.end(k, -1, LIMIT)
            limit = None if down is None else Limit("lower", down)
        return Estimate(value, None if low is None else value - low, None if high is None else high - value, limit)

    def interval(self, k: int, rise: float) -> tuple[float | None, float | None]:
        """(low, high) of parameter k at another rise of chi2, for example TWO_SIDED_95; None on an open side."""
        return self.end(k, -1, rise), self.end(k, 1, rise)

    def curve(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(values, rise of chi2) of parameter k wherever its profile has been calculated, in order."""
        inner = sorted(self.known[k])
        found = []
        for x in inner:
            full = self.best.x.copy()
            full[k] = x
            found.append(float(self.problem.outer(full)[k]))
        return np.array(found), np.array([self.root(k, x) ** 2 for x in inner])

    def trace(self, k: int, values: np.ndarray) -> np.ndarray:
        """(n,) rise of chi2 at given values of parameter k, all others refitted."""
        order = np.argsort(np.abs(values - self.values[k]))
        found = np.empty(values.size)
        for i in order:
            full = self.values.copy()
            full[k] = values[i]
            found[i] = self.root(k, float(np.clip(self.problem.inner(full)[k], self.problem.low[k], self.problem.high[k]))) ** 2
        return found


Quantity = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""A derived quantity: (value, derivatives (p,)) of the coordinates of the search (p,)."""


def derived_estimate(profile: Profile, quantity: Quantity) -> Estimate:
    """A derived quantity with its profile interval: chi2 is minimised under the condition that the quantity has a given value."""
    problem, best = profile.problem, profile.best
    value, slope = quantity(best.x)
    a = best.slopes * profile.widths
    free = (best.x > problem.low) & (best.x < problem.high)
    direction = slope * profile.widths
    sigma = float(np.sqrt(max(direction[free] @ np.linalg.pinv(a[:, free].T @ a[:, free], rcond=1e-12) @ direction[free], 0.0)))
    if sigma == 0.0 or not math.isfinite(sigma):
        return Estimate(value, None, None, None)

    def end(sign: int) -> float | None:
        distance, x = sigma, best.x
        for _ in range(12):
            held = _Held(problem, quantity, value + sign * distance, sigma)
            x = held.descend(x, profile.widths, np.ones(x.size, dtype=bool), tolerance=1e-4).x
            reached, r = quantity(x)[0], problem.residuals(x)
            root = math.sqrt(max(float(r @ r) - best.chi2, 0.0))
            moved = sign * (reached - value)
            if abs(root - 1.0) < CLOSE / 2 and moved > 0:
                return moved / root
            if moved < 0.5 * distance or distance > 1e3 * sigma:
                return None
            distance = moved * min(3.0, max(0.3, 1.0 / max(root, 1e-3)))
        return None

    return Estimate(value, end(-1), end(1), None)


class _Held(Problem):
    """The same chi2 with a derived quantity held at a value."""

    def __init__(self, problem: Problem, quantity: Quantity, value: float, sigma: float) -> None:
        self.inside, self.quantity, self.value, self.sigma = problem, quantity, value, sigma
        self.points, self.low, self.high, self.logarithmic, self.calls = None, problem.low, problem.high, problem.logarithmic, 0
        self.is_cheap = problem.is_cheap

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Those of chi2, and the condition."""
        return np.append(self.inside.residuals(x), STIFF * (self.quantity(x)[0] - self.value) / self.sigma)

    def slopes(self, x: np.ndarray, r: np.ndarray, widths: np.ndarray) -> np.ndarray:
        """Those of chi2, and of the condition."""
        return np.vstack([self.inside.slopes(x, r[:-1], widths), STIFF * self.quantity(x)[1] / self.sigma])
