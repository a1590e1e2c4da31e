"""Likelihoods that add: each point's share of chi2 = -2 log(L / L of a model that hits every point), as the square of a signed residual.

Summary points are Gaussian with their own errors, downwards and upwards; counts are Poisson and clicks among trials binomial, never with roots of
the counts as errors. All three are on the scale of chi2, so they add. Also: measurements drawn anew, and what chi2 is expected to be at low counts.
Source: S. Baker and R. D. Cousins, Nucl. Instrum. Methods 221, 437 (1984).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdot.data import Histogram, Measured, Series
from qdot.errors import bad

NEAR = 1e-3
"""Below this relative distance from the counts the deviance is a series: there it loses its digits."""
SURELY = 1e4
"""Counts expected above which a deviance has the mean and variance of chi2 with one degree of freedom, to 1e-4."""


def gaussian_chi2(series: Series, values: np.ndarray) -> float:
    """sum ((predicted - value)/error)^2 with the error of the side on which the prediction lies.

    >>> gaussian_chi2(Series([1.0], [2.0], [0.5], [1.0], "power_uW", "g2_zero", "example"), np.array([3.0]))
    1.0
    """
    error = np.where(values > series.value, series.plus, series.minus)
    return float(np.sum(((values - series.value) / error) ** 2))


def poisson_chi2(histogram: Histogram, expected: np.ndarray) -> float:
    """Poisson deviance 2 sum [mu - n + n log(n/mu)]; infinite where counts fell on bins that expect none."""
    return float(np.sum(deviances(histogram.counts, expected)))


def counts_of(measurement: Measured) -> np.ndarray:
    """(n,) what was measured."""
    return measurement.counts if isinstance(measurement, Histogram) else measurement.value


def law_of(measurement: Measured) -> str:
    """How it scatters: "normal", "poisson" or "binomial"."""
    return "poisson" if isinstance(measurement, Histogram) else measurement.law


def deviances(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(n,) Poisson deviance of each bin; infinite where counts fell on a bin that expects none."""
    possible = (expected > 0) | ((expected == 0) & (counts == 0))
    ratio = np.where((counts > 0) & (expected > 0), counts / np.where(expected > 0, expected, 1.0), 1.0)
    return np.where(possible, 2 * (expected - counts + counts * np.log(ratio)), np.inf)


def binomial_deviances(clicks: np.ndarray, trials: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(n,) binomial deviance 2 [k log(k / (n p)) + (n - k) log((n - k) / (n (1 - p)))]; infinite where it is impossible."""
    p = np.where((probability > 0) & (probability < 1), probability, 0.5)
    missed = trials - clicks
    one = np.where(clicks > 0, clicks * np.log(np.where(clicks > 0, clicks, 1.0) / (trials * p)), 0.0)
    other = np.where(missed > 0, missed * np.log(np.where(missed > 0, missed, 1.0) / (trials * (1 - p))), 0.0)
    inside = (probability > 0) & (probability < 1)
    sure = ((probability == 0) & (clicks == 0)) | ((probability == 1) & (missed == 0))
    return np.where(inside, 2 * (one + other), np.where(sure, 0.0, np.inf))


def residuals(measurement: Measured, values: np.ndarray) -> np.ndarray:
    """(n,) signed roots of each point's share of chi2. values: expected counts, click probabilities, or the quantity itself."""
    if values.shape != (len(measurement),):
        raise bad("predict", f"return {len(measurement)} values for {measurement.source}", f"shape {values.shape}", "return one array per measurement")
    if isinstance(measurement, Histogram) or measurement.law == "poisson":
        n = counts_of(measurement)
        return np.sign(values - n) * np.sqrt(np.maximum(deviances(n, values), 0.0))
    if measurement.trials is not None:
        shares = binomial_deviances(measurement.value, measurement.trials, values)
        return np.sign(values * measurement.trials - measurement.value) * np.sqrt(np.maximum(shares, 0.0))
    return (values - measurement.value) / np.where(values > measurement.value, measurement.plus, measurement.minus)


def residual_slopes(measurement: Measured, values: np.ndarray) -> np.ndarray:
    """(n,) derivatives of the residuals by the predicted values."""
    if isinstance(measurement, Histogram) or measurement.law == "poisson":
        n = counts_of(measurement)
        positive, many = np.where(values > 0, values, np.nan), np.where(n > 0, n, 1.0)
        u = (values - n) / many
        series = (1 - 2 * u / 3 + 7 * u * u / 12) / np.sqrt(many)
        return _root_slopes(np.sign(values - n) * (1 - n / positive), deviances(n, values), series, (n > 0) & (np.abs(u) < NEAR))
    if measurement.trials is not None:
        k, n = measurement.value, measurement.trials
        inside = (k > 0) & (k < n)
        p, q = np.where((values > 0) & (values < 1), values, np.nan), np.where(inside, k / n, 0.5)
        r = 1 - q
        bend = q * r * (2 / r**2 - 2 / q**2) / 3
        series = np.sqrt(n / (q * r)) * (1 + bend * (values - q))
        half = (n * p - k) / (p * (1 - p))
        close = inside & (np.abs(values - q) < 0.1 * NEAR * q * r)
        return _root_slopes(np.sign(n * values - k) * half, binomial_deviances(k, n, values), series, close)
    return 1.0 / np.where(values > measurement.value, measurement.plus, measurement.minus)


def _root_slopes(half: np.ndarray, shares: np.ndarray, series: np.ndarray, close: np.ndarray) -> np.ndarray:
    """(n,) derivatives of +-sqrt(D) with +-D' = 2 half; a series where D is so small that it has lost its digits."""
    far = half / np.sqrt(np.maximum(shares, 1e-300))
    return np.nan_to_num(np.where(close, series, far), nan=0.0, posinf=0.0, neginf=0.0)


def expected_error(measurement: Measured, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(minus, plus) to draw with a point: its own errors, or those of the expected counts."""
    if isinstance(measurement, Histogram) or measurement.law == "poisson":
        error = np.sqrt(np.maximum(values, 1.0))
        return error, error
    if measurement.trials is not None:
        error = np.sqrt(np.maximum(measurement.trials * values * (1 - values), 1.0))
        return error, error
    return measurement.minus, measurement.plus


def drawn(measurement: Measured, values: np.ndarray, rng: np.random.Generator) -> Measured:
    """A measurement as it would come out again if `values` were true. Gaussian points scatter with the error of the side they fall on."""
    if isinstance(measurement, Histogram):
        return replace(measurement, counts=rng.poisson(values).astype(float))
    if measurement.law == "poisson":
        return replace(measurement, value=rng.poisson(values).astype(float))
    if measurement.trials is not None:
        return replace(measurement, value=rng.binomial(measurement.trials.astype(int), values).astype(float))
    z = rng.standard_normal(values.size)
    return replace(measurement, value=values + z * np.where(z > 0, measurement.minus, measurement.plus))


def expected_chi2(measurement: Measured, values: np.ndarray) -> tuple[float, float]:
    """(mean, variance) of a measurement's chi2 if `values` are true. At low counts the mean of a bin is not 1: summed over the counts here."""
    if isinstance(measurement, Series) and measurement.law == "normal":
        return float(len(measurement)), 2.0 * len(measurement)
    if isinstance(measurement, Series) and measurement.trials is not None:
        return float(len(measurement)), 2.0 * len(measurement)
    rounded, how_often = np.unique(np.round(np.clip(values, 0.0, SURELY), 3), return_counts=True)
    mean, variance = np.ones(rounded.size), np.full(rounded.size, 2.0)
    from scipy.special import gammaln

    for i, mu in enumerate(rounded):
        if mu <= 0.0:
            mean[i] = variance[i] = 0.0
        elif mu < 200.0:
            n = np.arange(int(mu + 12 * np.sqrt(mu) + 20))
            p = np.exp(n * np.log(mu) - mu - gammaln(n + 1))
            d = deviances(n.astype(float), np.full(n.size, mu))
            mean[i] = float(p @ d)
            variance[i] = float(p @ d**2) - mean[i] ** 2
        else:
            mean[i] = 1.0 + 1.0 / (6.0 * mu)
    return float(how_often @ mean), float(how_often @ variance)
