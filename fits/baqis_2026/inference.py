"""What do the three published numbers determine? The profile likelihood of every unknown, all others free, with the closed forms as the model.

Nine unknowns meet three numbers, so each also carries a prior: Gaussian in its logarithm, twice as wide as the range that is searched, too weak to
decide anything. A curve that stays at zero over the whole range is a parameter that the numbers leave open; one that rises is bounded where it does.
Two readings: one pulse per period, or two, which stand for two excitons per period.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdot.data import Series
from qdot.fitting import FitResult, fit
from qdot.study import Published

from .closed import Pulsed, Weak, response_factor, shares
from .dot import BIN_NS, JITTER_FWHM_NS, PULSE
from .region import BOX, LEAK

Array = NDArray[np.float64]
RANGES: Mapping[str, tuple[float, float]] = {**BOX, "leak": LEAK, "collection": (0.3, 1.0), "pump_per_ns": (1e-6, 1e-1)}
"""Where each unknown is searched."""
ALIKE = 0.925
"""Lifetime of XX over that of X: that of the shown set, held."""
WEAK = 2.0
"""Width of each prior over the length of its range."""
STEPS = 13
RISE = 1.0
"""A parameter is bounded on a side where the profile rises by this before the range ends."""


def three(x: Array, two_pulses: bool = False, **logs: float) -> Array:
    """(g2(0) after response and bin, share, pair efficiency) at x = 0, 1, 2; logs: natural logarithms of the unknowns."""
    y = {name: np.exp(v) for name, v in logs.items()}
    weak = Weak(y["lifetime_X_ns"], y["pump_ratio"], y["leak"], y["flip_per_ns"], y["dark_per_ns"])
    height = weak.g2_zero(y["pump_per_ns"]) * response_factor(y["lifetime_X_ns"], JITTER_FWHM_NS, BIN_NS)
    p = Pulsed(
        -np.expm1(-y["dose"]),
        -np.expm1(-y["dose"] * y["pump_ratio"]),
        PULSE["period_ns"],
        y["leak"],
        y["flip_per_ns"],
        y["dark_per_ns"],
        y["gap_ns"] if two_pulses else None,
        y.get("relaxation_ns", 0.02),
        y["lifetime_X_ns"],
        ALIKE * y["lifetime_X_ns"],
    ).probabilities()
    eta = y["collection"]
    efficiency = eta**2 * (p[2] + 3.0 * (1.0 - eta) * p[3])
    every = np.array([height, shares(p)["photon_fraction_in_pairs"], efficiency], dtype=float)
    return every[np.round(x).astype(int)]


def joint(numbers: Mapping[str, Published], two_pulses: bool) -> FitResult:
    """The fit of all unknowns to the three numbers. Raises nothing for what stays open: the result names it."""
    entries = [numbers[k] for k in ("g2_zero_cw", "share", "pair_efficiency")]
    value, error = (np.array([float(getattr(e, f) or 0.0) for e in entries]) for f in ("value", "uncertainty"))
    data = Series(np.arange(3.0), value, error, error, "x", "number", "abstract")
    unknowns = {n: r for n, r in RANGES.items() if two_pulses or n not in ("gap_ns", "relaxation_ns")}
    start = {"lifetime_X_ns": 0.067, "pump_ratio": 1.0, "flip_per_ns": 3e-4, "dark_per_ns": 1e-4, "leak": 0.02, "relaxation_ns": 0.02, "pump_per_ns": 1e-3}
    start |= {"dose": 4.0, "gap_ns": 0.1, "collection": 0.8}
    vary = {n: (float(np.log(start[n])), float(np.log(low)), float(np.log(high))) for n, (low, high) in unknowns.items()}
    priors = {n: (float(np.log(low * high) / 2), WEAK * float(np.log(high / low))) for n, (low, high) in unknowns.items()}
    return fit(partial(three, two_pulses=two_pulses), data, vary, priors=priors, scan=64, intervals=False)


def profiles(result: FitResult) -> dict[str, tuple[Array, Array]]:
    """{unknown: (values, rise of chi2)} over the whole range of each."""
    found = {}
    for p in result.request.space.parameters:
        logs, rise = result.profile(p.name, np.linspace(p.low, p.high, STEPS))
        found[p.name] = np.exp(logs), rise
    return found


def told(curve: tuple[Array, Array]) -> str:
    """In words what a profile says."""
    x, rise = curve
    inside = np.flatnonzero(rise < RISE)
    if not inside.size:
        return "narrower than the steps of the profile"
    low, high = (float(x[inside[0]]) if inside[0] > 0 else None), (float(x[inside[-1]]) if inside[-1] < x.size - 1 else None)
    if low is None and high is None:
        return "not determined"
    if low is None:
        return f"bounded above, about {high:.2g}"
    return f"bounded below, about {low:.2g}" if high is None else f"determined, about {low:.2g} to {high:.2g}"


def infer(numbers: Mapping[str, Published], out: Path | None = None) -> dict[str, Any]:
    """Both readings: what each unknown's profile says, and the figure profiles.png in `out`."""
    curves, answer = {}, {}
    for name, two in (("one pulse per period", False), ("two pulses per period", True)):
        result = joint(numbers, two)
        curves[name] = profiles(result)
        answer[name] = {"chi2": result.chi2, "unknowns": {n: told(c) for n, c in curves[name].items()}, "open": [str(d) for d in result.undetermined]}
    if out is not None:
        from .figures import profiles as draw

        draw(curves, out / "profiles.png")
    return answer
