"""What the tests of simulated streams share: counting without qdot, and how far a mean is from the exact number in standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCKS = 64
SIGMAS = 4.5
"""Largest deviation in standard errors: beyond it lie 3e-5 of all draws (Student's t of 63 degrees of freedom); seeds are fixed."""


def sigmas(samples: np.ndarray, exact: float) -> float:
    """(mean - exact) / standard error of the mean, from independent samples (n,)."""
    miss, error = float(np.mean(samples)) - exact, float(np.std(samples, ddof=1)) / np.sqrt(len(samples))
    return miss / error if error > 0.0 else (0.0 if miss == 0.0 else np.inf)


def count_sigmas(counts: np.ndarray, exact: float) -> float:
    """The same for counts (n,) of a mean that may be so small that they do not scatter: the standard error is at least that of independent events."""
    n = len(counts)
    error = max(float(np.std(counts, ddof=1)) / np.sqrt(n), float(np.sqrt(exact / n)))
    return (float(np.mean(counts)) - exact) / error


def blocks_of(times: np.ndarray, duration_ps: int, weights: np.ndarray | None = None) -> np.ndarray:
    """(BLOCKS,) sum of weights (default: number) of the times in each of equal blocks of the record: far longer than any correlation in it."""
    return np.histogram(times, bins=BLOCKS, range=(0, duration_ps), weights=weights)[0]


def pairs_per_block(first: np.ndarray, second: np.ndarray, low_ps: int, high_ps: int, duration_ps: int) -> np.ndarray:
    """(BLOCKS,) pairs with low <= t2 - t1 < high by the block of t1."""
    found = np.searchsorted(second, first + high_ps) - np.searchsorted(second, first + low_ps)
    return blocks_of(first, duration_ps, found)


def integral(f: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """Gauss-Legendre with 40 points: the functions here are smooth within the ranges asked for."""
    x, w = np.polynomial.legendre.leggauss(40)
    half = 0.5 * (high - low)
    return float(half * np.sum(w * f(0.5 * (low + high) + half * x)))


def pairs_expected(g2: Callable[[np.ndarray], np.ndarray], rates: float, low_ps: int, high_ps: int, duration_ps: int) -> float:
    """Mean of `pairs_per_block`; rates: product of both fluxes, 1/ns^2. Times rounded down move the window by half a ps."""
    return rates * integral(g2, (low_ps - 0.5) / 1e3, (high_ps - 0.5) / 1e3) * duration_ps / 1e3 / BLOCKS


def per_period(times: np.ndarray, period_ps: float, periods: int) -> np.ndarray:
    """(periods,) photons in each period."""
    return np.bincount((times // period_ps).astype(np.int64), minlength=periods)[:periods]


def by_blocks(values: np.ndarray) -> np.ndarray:
    """(BLOCKS,) means of neighbouring values (n,), the last n mod BLOCKS left out: correlations between neighbours then hardly matter."""
    size = len(values) // BLOCKS
    return values[: size * BLOCKS].reshape(BLOCKS, size).mean(axis=1)


def largest_gap(samples: np.ndarray, cumulative: Callable[[np.ndarray], np.ndarray]) -> float:
    """Kolmogorov's root(n) max |F_n - F| of independent samples: above 2.3 in 5e-5 of all draws."""
    x = np.sort(samples)
    f = cumulative(x)
    n = x.size
    return float(np.sqrt(n) * max(np.max(np.arange(1, n + 1) / n - f), np.max(f - np.arange(n) / n)))
