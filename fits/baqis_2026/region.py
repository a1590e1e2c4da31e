"""What the three published numbers leave open: random draws of everything unknown, each solved for the numbers, kept where a solution exists.

Each draw of (emission times, P2/P1, spin flip, dark decay, hot relaxation, pulse absorption, pulse gap, calibration error of mu) is solved for three
quantities: the bright leakage that gives the share, the transmission that gives the pair efficiency, and the pump that gives the continuous-wave g2(0).
So three numbers fix three quantities at every point, and the draws that have a solution are the region. Uses the closed forms, not the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .closed import Pulsed, Weak, collection_for, response_factor, shares

Array = NDArray[np.float64]
Share = Literal["photon_fraction_in_pairs", "event_fraction_of_pairs", "pair_share_of_multiphotons"]
SHARES: tuple[Share, ...] = ("photon_fraction_in_pairs", "event_fraction_of_pairs", "pair_share_of_multiphotons")

BOX: dict[str, tuple[float, float]] = {
    "lifetime_X_ns": (0.03, 1.0),
    "pump_ratio": (0.03, 30.0),
    "flip_per_ns": (1e-6, 1e-1),
    "dark_per_ns": (1e-6, 1e-1),
    "relaxation_ns": (0.003, 0.1),
    "dose": (0.3, 10.0),
    "gap_ns": (0.03, 1.0),
}
"""Where unknown parameters are drawn, uniformly in their logarithm. dose: absorptions per pulse that an undepleted G would make."""
LEAK = (1e-5, 0.5)
"""Bright leakage 1 - selectivity is looked for between these."""
WEAK = 0.1
"""The pump counts as weak up to this fraction of the exciton's decay rate."""
AXES = ("lifetime_X_ns", "pump_ratio", "flip_per_ns", "dark_per_ns", "leak", "relaxation_ns", "collection")


@dataclass(frozen=True)
class Target:
    """The three numbers, with their uncertainties, and the conditions under which they are read."""

    g2_zero: float
    g2_zero_error: float
    share: float
    share_error: float
    pair_efficiency: float
    pair_efficiency_error: float
    jitter_fwhm_ns: float
    bin_ns: float
    period_ns: float


def share_behind(share: Share, seen: Array, mu_error: Array) -> Array:
    """The true share when moments are inverted with a mean number (1 + mu_error) times too large and `seen` comes out.

    The correlations g2 and g3 need no calibration, so P(2) scales as (1 + e)^2 and P(3) as (1 + e)^3; P(3) is neglected against P(2).

    >>> round(float(share_behind("photon_fraction_in_pairs", np.array(0.983), np.array(0.01))), 4)
    0.9733
    """
    if share == "photon_fraction_in_pairs":
        return np.asarray(seen / (1.0 + mu_error))
    if share == "event_fraction_of_pairs":
        per_photon = seen / (1.0 + seen) / (1.0 + mu_error)  # P2 / mu
        return np.asarray(per_photon / (1.0 - per_photon))
    more = (1.0 - seen) / seen / (1.0 + mu_error)
    return np.asarray(1.0 / (1.0 + more))


def accepted_draws(target: Target, share: Share, two_pulses: bool, mu_error: float, draws: int, rng: np.random.Generator) -> dict[str, Array]:
    """The accepted draws: every axis of AXES, and pump_per_ns, dose, gap_ns, lifetime_XX_ns, mu_error,
    each (accepted,), with their probabilities (4, accepted).

    two_pulses: two instant pulses per period instead of one (each adds at most one exciton). mu_error: largest relative calibration error of mu.
    """
    x = {name: np.exp(rng.uniform(np.log(low), np.log(high), draws)) for name, (low, high) in BOX.items()}
    x["lifetime_XX_ns"] = x["lifetime_X_ns"] * rng.uniform(0.4, 1.0, draws)
    x["mu_error"] = e = rng.uniform(-mu_error, mu_error, draws)
    seen = target.share + rng.uniform(-1.0, 1.0, draws) * target.share_error
    efficiency = (target.pair_efficiency + rng.uniform(-1.0, 1.0, draws) * target.pair_efficiency_error) / (1.0 + e) ** 2
    height = target.g2_zero + rng.uniform(-1.0, 1.0, draws) * target.g2_zero_error
    wanted = share_behind(share, seen, e)

    def probabilities(leak: Array, keep: NDArray[np.bool_]) -> Array:
        y = {name: v[keep] for name, v in x.items()}
        return Pulsed(
            -np.expm1(-y["dose"]),
            -np.expm1(-y["dose"] * y["pump_ratio"]),
            target.period_ns,
            leak,
            y["flip_per_ns"],
            y["dark_per_ns"],
            y["gap_ns"] if two_pulses else None,
            y["relaxation_ns"],
            y["lifetime_X_ns"],
            y["lifetime_XX_ns"],
        ).probabilities()

    everything = np.ones(draws, dtype=bool)
    low, high = np.full(draws, LEAK[0]), np.full(draws, LEAK[1])
    above = shares(probabilities(low, everything))[share] - wanted
    below = shares(probabilities(high, everything))[share] - wanted
    keep = (above >= 0.0) & (below <= 0.0)
    # Illinois steps in log(leak), the share falls as the leakage grows.
    a, b, fa, fb = np.log(low[keep]), np.log(high[keep]), above[keep], below[keep]
    middle = a
    for _ in range(14):
        middle = b - fb * (b - a) / (fb - fa - 1e-300)
        f = shares(probabilities(np.exp(middle), keep))[share] - wanted[keep]
        upper = f * fa > 0
        fb = np.where(upper, 0.5 * fb, f)
        fa = np.where(upper, f, 0.5 * fa)
        a, b = np.where(upper, middle, a), np.where(upper, b, middle)
    leak = np.exp(middle)
    p = probabilities(leak, keep)
    solved = np.abs(shares(p)[share] - wanted[keep]) < 0.1 * target.share_error
    collection = collection_for(p, efficiency[keep])
    height_without_response = height[keep] / response_factor(x["lifetime_X_ns"][keep], target.jitter_fwhm_ns, target.bin_ns)
    weak = Weak(x["lifetime_X_ns"][keep], x["pump_ratio"][keep], leak, x["flip_per_ns"][keep], x["dark_per_ns"][keep])
    pump = weak.pump_at(height_without_response)
    accepted = solved & np.isfinite(collection) & np.isfinite(pump) & (pump * x["lifetime_X_ns"][keep] < WEAK)
    found = {name: v[keep][accepted] for name, v in x.items()}
    return found | {"leak": leak[accepted], "collection": collection[accepted], "pump_per_ns": pump[accepted], "probabilities": p[:, accepted]}


def largest_flip_per_ns(lifetime_X_ns: Array, pump_ratio: Array, g2_zero: float) -> Array:
    """Largest spin flip (dark to bright) with which continuous light still reaches g2(0), without leakage and dark decay.

    g2(0) <= f(r) / (tau_X k), f = r for r >= 1/3 and (1 + r)^2 / (8 (1 - r)) below, reached at vanishing pump or at P = k (1 - 3 r) / (2 r (1 + r)).
    """
    r = np.asarray(pump_ratio, dtype=float)
    low = np.minimum(r, 1.0 / 3.0)
    f = np.where(r >= 1.0 / 3.0, r, (1.0 + low) ** 2 / (8.0 * (1.0 - low)))
    return np.asarray(f / (g2_zero * np.asarray(lifetime_X_ns, dtype=float)))
