"""Errors of small counts: what a Poisson count says about its mean."""

from __future__ import annotations

ONE_SIGMA = 0.6827
"""Confidence of an interval of one standard error."""


def interval(count: int, confidence: float = ONE_SIGMA) -> tuple[float, float]:
    """Central confidence interval of the mean of a Poisson count (Garwood); of a count of 0 the one-sided upper limit of the same confidence.

    Covers the mean with at least the stated confidence at any count; for large counts it is count +- root(count).
    Source: Garwood, Biometrika 28, 437 (1936).

    >>> [round(x, 3) for x in interval(2)], [round(x, 3) for x in interval(0)]
    ([0.708, 4.638], [0.0, 1.148])
    """
    from scipy.special import gammaincinv

    if count == 0:
        return 0.0, float(gammaincinv(1.0, confidence))
    outside = (1 - confidence) / 2
    return float(gammaincinv(count, outside)), float(gammaincinv(count + 1, 1 - outside))


def upper_limit(count: int, confidence: float = 0.95) -> float:
    """One-sided upper limit of the mean of a Poisson count.

    >>> round(upper_limit(0), 3), round(upper_limit(2), 3)
    (2.996, 6.296)
    """
    from scipy.special import gammaincinv

    return float(gammaincinv(count + 1, confidence))
