"""Two-sided exponential peaks repeated every period: integrals and their slopes, shared by the fit of the data and the reading of the model."""

from __future__ import annotations

import numpy as np


def two_sided(u_ns: np.ndarray, decay_ns: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Integral from 0 to u of exp(-|u|/decay)/(2 decay), and its slope in the decay time.

    >>> float(two_sided(np.array([1e3]), 1.0)[0][0])
    0.5
    """
    size = np.abs(u_ns) / decay_ns
    fall = np.exp(-size)
    return 0.5 * np.sign(u_ns) * (1.0 - fall), -0.5 * np.sign(u_ns) * size * fall / decay_ns


def neighbours(u_ns: np.ndarray, decay_ns: np.ndarray | float, period_ns: float) -> tuple[np.ndarray, np.ndarray]:
    """The same integral over the wings of the peaks at all multiples of the period except 0, for |u| <= period, and its slope.

    A geometric series over m = 1, 2, ... of exp(-(m period - u)/decay) + exp(-(m period + u)/decay).
    """
    z, q = u_ns / decay_ns, np.exp(-period_ns / decay_ns)
    ratio, slope = q / (1.0 - q), q / (1.0 - q) ** 2 * period_ns / decay_ns**2
    return np.sinh(z) * ratio, np.sinh(z) * slope - np.cosh(z) * z / decay_ns * ratio


def poisson_deviance(counts: np.ndarray, mu: np.ndarray) -> float:
    """-2 log of the Poisson likelihood over that of a model that expects every count as it is; mu > 0.

    >>> poisson_deviance(np.array([3.0, 0.0]), np.array([3.0, 0.5]))
    1.0
    """
    some = counts > 0
    return float(2 * np.sum(mu - counts) + 2 * np.sum(counts[some] * np.log(counts[some] / mu[some])))
