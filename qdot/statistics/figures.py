"""Figures of merit of one photon-number distribution P(n), n = 0 .. N-1, complete and summing to 1.

Loss changes all of them but g2 and g3, so each belongs to the stage at which P(n) is taken.
"""

from __future__ import annotations

import numpy as np

from qdot.errors import bad


def _distribution(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if p.ndim != 1 or p.size == 0 or not np.all(np.isfinite(p)) or np.any(p < 0):
        raise bad("probabilities", "be a one-dimensional array of finite numbers >= 0", p)
    return np.arange(p.size), p


def mean_photons(probabilities: np.ndarray) -> float:
    """Mean photon number sum n P(n).

    >>> mean_photons(np.array([0.5, 0.0, 0.5]))
    1.0
    """
    n, p = _distribution(probabilities)
    return float(n @ p)


def _moment_ratio(probabilities: np.ndarray, order: int) -> float:
    n, p = _distribution(probabilities)
    mean = float(n @ p)
    if mean == 0.0:
        raise bad("probabilities", "describe a source that emits", "mean photon number 0", "check the drive")
    factorial = np.ones_like(p)
    for k in range(order):
        factorial = factorial * (n - k)
    return float(factorial @ p) / mean**order


def g2_zero(probabilities: np.ndarray) -> float:
    """Pulsed g2(0) = <n(n-1)> / <n>^2 of one photon-number distribution.

    probabilities: (N,) of n = 0..N-1 photons in the window, summing to 1.
    Unchanged by loss; dark counts pull it towards 1. Raises InputError if the source emits nothing.
    Source: Glauber, Phys. Rev. 130, 2529 (1963).

    >>> g2_zero(np.array([0.6, 0.4]))
    0.0
    """
    return _moment_ratio(probabilities, 2)


def g3_zero(probabilities: np.ndarray) -> float:
    """Pulsed g3(0) = <n(n-1)(n-2)> / <n>^3, unchanged by loss. Raises InputError if the source emits nothing."""
    return _moment_ratio(probabilities, 3)


def photon_fraction_in_pairs(probabilities: np.ndarray, mean: float | None = None) -> float:
    """Share of the photons that come in pairs, 2 P(2) / sum n P(n).

    mean: sum n P(n), where the distribution is cut off. Transmission eta turns a share s into eta s if P(n > 2) = 0.

    >>> round(photon_fraction_in_pairs(np.array([0.7, 0.01, 0.29])), 5)
    0.98305
    """
    _, p = _distribution(probabilities)
    total = mean_photons(p) if mean is None else mean
    if total == 0.0:
        raise bad("probabilities", "describe a source that emits", "mean photon number 0", "check the drive")
    return float(2.0 * p[2] / total) if p.size > 2 else 0.0


def event_fraction_of_pairs(probabilities: np.ndarray) -> float:
    """Share of the pulses with light that hold exactly two photons, P(2) / (1 - P(0)).

    >>> round(event_fraction_of_pairs(np.array([0.7, 0.01, 0.29])), 5)
    0.96667
    """
    _, p = _distribution(probabilities)
    if p[0] == 1.0:
        raise bad("probabilities", "describe a source that emits", "P(0) = 1", "check the drive")
    return float(p[2] / (1.0 - p[0])) if p.size > 2 else 0.0


def pair_share_of_multiphotons(probabilities: np.ndarray) -> float:
    """Share of the pulses with two or more photons that hold exactly two, P(2) / P(n >= 2); nan if there are none."""
    _, p = _distribution(probabilities)
    several = 1.0 - p[0] - p[1] if p.size > 1 else 0.0
    return float(p[2] / several) if several > 0.0 and p.size > 2 else float("nan")
