"""P(n) from mean, g2 and g3 of the counts, the loss taken out: what the study of pairs by dark-state loading did.

With mu the mean photon number at the stage, P(3) = g3 mu^3/6, P(2) = g2 mu^2/2 - 3 P(3), P(1) = mu - 2 P(2) - 3 P(3), if no pulse holds more than three
photons. Without that assumption the factorial moments still bound each P(n), from above and below in turn (Bonferroni): that is the truncation error.
g2 and g3 know no loss; mu is the mean count over the transmission, whose error moves every point alike.
"""

from __future__ import annotations

import math

import numpy as np

from qdot.data import Series
from qdot.errors import bad, number
from qdot.inversion.estimates import LIMIT, TWO_SIDED, Estimate, Inversion, Limit, Spread
from qdot.inversion.figures import Ratio, ratios

Measured = float | tuple[float, float]
"""A value, or (value, standard error)."""
NOISE = 1e-9
"""Relative derivatives below this are differences of rounding."""
TWO = math.sqrt(TWO_SIDED)
"""Standard errors to the ends of a 95 % interval."""
ROUNDING = 1e-12
"""A figure this far outside its range is rounding, and so is a change by this fraction of it."""
INCONSISTENT = 3.0
"""Standard errors below 0 from which a probability is reported as impossible."""


def from_moments(
    mean_photons: Measured,
    g2_zero: Measured,
    g3_zero: Measured | None = None,
    efficiency: Measured = 1.0,
    stage: str = "emission",
    draws: int = 0,
    rng: np.random.Generator | None = None,
) -> Inversion:
    """Photon numbers and pair figures at a stage from the moments of the counts per pulse.

    mean_photons: detected photons per pulse (background taken off), g2_zero, g3_zero: each (value, standard error); without g3 no pulse is taken to
    hold more than two photons. efficiency: transmission from `stage` to the counts, with its standard error. draws, rng: intervals from that many random
    moments (parametric bootstrap) instead of first-order propagation; needed where errors are not small.
    Raises InputError for values that cannot be moments, or a bootstrap without rng.
    """
    m, m_error = _measured("mean_photons", mean_photons, open_low=True)
    g2, g2_error = _measured("g2_zero", g2_zero)
    g3, g3_error = (0.0, 0.0) if g3_zero is None else _measured("g3_zero", g3_zero)
    eta, eta_error = _measured("efficiency", efficiency, open_low=True, high=1.0)
    if draws and rng is None:
        raise bad("rng", "be given with draws", "nothing", "for example np.random.default_rng(1)")
    top = 2 if g3_zero is None else 3
    given = np.array([m, g2, g3, eta])
    errors = np.array([m_error, g2_error, g3_error, eta_error])
    known = ratios(top)
    best = _figures(given, top)
    slopes = _slopes(given, top)
    low, high = _truncation(given, g3_zero is not None)
    warnings = _warnings(given, top, g3_zero is not None)
    samples = _drawn(given, errors, top, draws, rng) if rng is not None and draws else None
    figures = {}
    for name, value in best.items():
        if not math.isfinite(value):  # 0/0, such as the share of pairs among multiphotons where there are none
            figures[name] = Estimate(value, None, None, (None, None), None, {}, None)
            continue
        sigma = math.sqrt(sum((slopes[name][i] * errors[i]) ** 2 for i in range(3)))
        spread = (sigma, sigma, value - TWO * sigma, value + TWO * sigma) if samples is None else _quantiles(samples[name], value)
        shifts = {"efficiency": slopes[name][3] * eta_error} if eta_error > 0.0 else {}
        cut = None if name not in low else (_change(low[name], value), _change(high[name], value))
        figures[name] = Estimate(value, *_bounded(value, sigma, spread, known[name]), shifts, cut)
        beyond = max(known[name].low - value, value - known[name].high)
        total = math.hypot(sigma, figures[name].calibration)
        if beyond > max(INCONSISTENT * total, ROUNDING):
            by = f"{beyond / total:.1f} standard errors" if total > 0.0 else f"{beyond:.2g}"
            warnings.append(f"{name} = {value:.4g} is {by} outside {known[name].low:g} .. {known[name].high:g}: the moments do not fit together")
    method = "moments of the counts, errors " + ("to first order" if samples is None else f"from {draws} random moments")
    if samples is None and (m_error > 0.1 * m or eta_error > 0.1 * eta):
        warnings.append("the mean or the efficiency is known to more than 10 %: first-order errors are rough, give draws and rng")
    return Inversion(figures, stage, method, tuple(dict.fromkeys(warnings)))


def from_series(mean_photons: Series, g2_zero: Series, g3_zero: Series | None = None, efficiency: Measured = 1.0, stage: str = "emission") -> list[Inversion]:
    """The same for each setting of a series (a power, say); `covariance` tells how the calibration ties the points together.

    All series have the same settings; of unequal errors downwards and upwards the mean is taken. Raises InputError otherwise.
    """
    for name, other in (("g2_zero", g2_zero), ("g3_zero", g3_zero)):
        if other is not None and (other.x.shape != mean_photons.x.shape or not np.array_equal(other.x, mean_photons.x)):
            raise bad(f"{name}.x", f"be the settings of mean_photons ({mean_photons.x.size})", other.x.size, "measure both at the same settings")

    def at(series: Series, k: int) -> tuple[float, float]:
        return float(series.value[k]), float(series.minus[k] + series.plus[k]) / 2.0

    points = range(mean_photons.x.size)
    return [from_moments(at(mean_photons, k), at(g2_zero, k), None if g3_zero is None else at(g3_zero, k), efficiency, stage) for k in points]


def _change(end: float, value: float) -> float:
    """From a value to an end of what it can be; 0 where the two differ by rounding."""
    change = end - value
    return 0.0 if abs(change) <= ROUNDING * max(abs(end), abs(value)) else change


def _bounded(value: float, sigma: float, spread: tuple[float, float, float, float], figure: Ratio) -> Spread:
    """(minus, plus, 95 % interval, limit): a bound inside the interval makes it one-sided, and the limit is measured from what is possible."""
    minus, plus, low_95, high_95 = spread
    interval = (None if low_95 < figure.low else low_95, None if high_95 > figure.high else high_95)
    far = math.sqrt(LIMIT) * sigma
    if sigma > 0.0 and value - minus < figure.low:
        return None, plus, interval, Limit("upper", figure.low + _limit(value - figure.low, far))
    if sigma > 0.0 and value + plus > figure.high:
        return minus, None, interval, Limit("lower", figure.high - _limit(figure.high - value, far))
    return minus, plus, interval, None


def _limit(distance: float, far: float) -> float:
    """Distance of a one-sided limit from a bound at which the deviance is `distance` away from its least value, or `-distance` beyond the bound."""
    return distance + far if distance >= 0.0 else distance + math.sqrt(distance * distance + far * far)


def _measured(name: str, given: object, open_low: bool = False, high: float = math.inf) -> tuple[float, float]:
    value, error = given if isinstance(given, tuple) and len(given) == 2 else (given, 0.0)
    if isinstance(given, tuple) and len(given) != 2:
        raise bad(name, "be a value or (value, standard error)", given)
    return number(name, value, low=0.0, high=high, open_low=open_low), number(f"the error of {name}", error, low=0.0)


def _photon_numbers(given: np.ndarray, top: int) -> np.ndarray:
    """P(0) .. P(top) from (mean count, g2, g3, efficiency)."""
    m, g2, g3, eta = given
    mu = m / eta
    p3 = g3 * mu**3 / 6.0
    p2 = g2 * mu**2 / 2.0 - 3.0 * p3
    p1 = mu - 2.0 * p2 - 3.0 * p3
    return np.array([1.0 - p1 - p2 - p3, p1, p2, p3])[: top + 1]


def _figures(given: np.ndarray, top: int) -> dict[str, float]:
    p = _photon_numbers(given, top)
    found = {name: ratio(p) for name, ratio in ratios(top).items()}
    return found


def _slopes(given: np.ndarray, top: int) -> dict[str, np.ndarray]:
    """{figure: (4,) derivatives}, by central differences of polynomials and ratios: good to 1e-9."""
    columns = []
    for i, x in enumerate(given):
        h = 6e-6 * (abs(x) if x != 0.0 else 1.0)
        moved = [given.copy(), given.copy()]
        moved[0][i] += h
        moved[1][i] -= h
        up, down = (_figures(one, top) for one in moved)
        slopes = {name: (up[name] - down[name]) / (2.0 * h) for name in up}
        columns.append({name: v if abs(v * x) > NOISE * max(abs(up[name]), abs(down[name])) else 0.0 for name, v in slopes.items()})
    return {name: np.array([c[name] for c in columns]) for name in columns[0]}


def _drawn(given: np.ndarray, errors: np.ndarray, top: int, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """{figure: (draws,) values} of random moments; the efficiency stays, its error is not statistical."""
    moved = given + errors * np.array([1.0, 1.0, 1.0, 0.0]) * rng.standard_normal((draws, 4))
    found = [_figures(one, top) for one in moved]
    return {name: np.array([f[name] for f in found]) for name in found[0]}


def _quantiles(sample: np.ndarray, value: float) -> tuple[float, float, float, float]:
    """Distances to the ends of the 68.3 % interval, and the ends of the 95 % one."""
    low, high, low_95, high_95 = (float(q) for q in np.quantile(sample, [0.158655, 0.841345, 0.025, 0.975]))
    return max(value - low, 0.0), max(high - value, 0.0), low_95, high_95


def _truncation(given: np.ndarray, knows_g3: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest that P(n) and what follows from it alone can be, whatever the larger photon numbers."""
    m, g2, g3, eta = given
    mu = m / eta
    f2, f3 = g2 * mu**2, g3 * mu**3
    three = f3 if knows_g3 else math.inf  # f3 unknown: the bounds that need it are those of a probability
    low = {"P(0)": max(1.0 - mu, 1.0 - mu + f2 / 2.0 - three / 6.0), "P(1)": mu - f2, "P(2)": f2 / 2.0 - three / 2.0, "P(3)": 0.0}
    high = {"P(0)": 1.0 - mu + f2 / 2.0, "P(1)": min(mu, mu - f2 + three / 2.0), "P(2)": f2 / 2.0, "P(3)": three / 6.0}
    low = {k: max(v, 0.0) for k, v in low.items()}
    high = {k: min(v, 1.0) for k, v in high.items()}
    if low["P(0)"] < 1.0 and high["P(0)"] < 1.0:
        low["event_fraction_of_pairs"] = low["P(2)"] / (1.0 - low["P(0)"])
        high["event_fraction_of_pairs"] = min(high["P(2)"] / (1.0 - high["P(0)"]), 1.0)
    if f2 > 0.0:
        low["pair_share_of_multiphotons"], high["pair_share_of_multiphotons"] = 2.0 * low["P(2)"] / f2, 1.0
    for side in (low, high):
        side["pair_efficiency"] = side["P(2)"]
        side["photon_fraction_in_pairs"] = 2.0 * side["P(2)"] / mu
        side |= {"mean_photons": mu, "g2_zero": g2, "g3_zero": g3, "pair_coincidence_efficiency": f2 / 2.0}
    return low, high


def _warnings(given: np.ndarray, top: int, knows_g3: bool) -> list[str]:
    m, _, _, eta = given
    found = []
    if not knows_g3:
        found.append("g3 is not known: pulses with more than two photons are taken not to occur, P(2) is an upper bound")
    if m / eta > top:
        found.append(f"the mean photon number {m / eta:.3g} is above the largest photon number {top}: the efficiency is too low, or more photons come")
    return found


def thinned(p: np.ndarray, transmission: float) -> np.ndarray:
    """P(n) behind a transmission, from P(n) in front of it: binomial loss, exact.

    >>> thinned(np.array([0.0, 0.0, 1.0]), 0.5)
    array([0.25, 0.5 , 0.25])
    """
    number("transmission", transmission, low=0.0, high=1.0)
    n = np.arange(p.size)
    matrix = np.array([[math.comb(int(k), int(j)) * transmission**j * (1.0 - transmission) ** (k - j) if j <= k else 0.0 for k in n] for j in n])
    return np.asarray(matrix @ p)
