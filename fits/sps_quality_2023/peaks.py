"""From a ReservoirDot under a pulse train to what the laboratory reads off a coincidence histogram: g2(0) and the decay time of the peaks.

The X light of the train gives coincidences against delay, and `read_off` fits to them, by the same Poisson likelihood and with the same bins and
background, the two-sided exponentials that were fitted to the measured histograms. Data and model are thus compared in the same two numbers,
although neither has peaks that are exactly exponential. Rate equations only; the detectors' response is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import expm, solve_triangular
from scipy.stats import poisson

from qdot.emitters import ReservoirDot
from qdot.errors import bad

from .shapes import neighbours, two_sided

STEPS = 256
"""Steps per period; `read_off` moves by less than 0.02 standard errors of the measured points when they are doubled (tested)."""
TRUNCATION = 1e-6
"""Largest probability of more pairs than `max_pairs` that is accepted."""
EMPTY = 1e-13
"""Population above which a reservoir level is still followed."""
PEAKS_PER_WINDOW = 39.0
"""Side peaks in the 500 ns of a histogram, beside the central one."""


@dataclass(frozen=True, eq=False)
class Peaks:
    """Coincidences of the X line against delay, for several powers.

    tau_ns: (m,) delays from 0 to half a period. side, central: (m, p) density per ns of a far side peak and around zero delay, the area of a far
    side peak being 1; the neighbouring peaks' wings are in both. mean_photons: (p,) X photons per period.
    left_over: (p,) probability that dot and reservoir are not empty when the next pulse comes.
    """

    tau_ns: np.ndarray
    period_ns: float
    side: np.ndarray
    central: np.ndarray
    mean_photons: np.ndarray
    left_over: np.ndarray

    @property
    def g2_zero(self) -> np.ndarray:
        """(p,) area of the central peak, |tau| < half a period, over that of a far side peak."""
        return 2 * np.asarray(CubicSpline(self.tau_ns, self.central, axis=0).integrate(0.0, self.period_ns / 2))


class Rates:
    """The rate matrix of a ReservoirDot as a sum of its parameters times constant matrices, made once for many parameter values.

    Every matrix is upper triangular with levels in the order k, m: pairs only get fewer between pulses, so fewer pairs are a leading block.
    """

    def __init__(self, max_pairs: int) -> None:
        self.max_pairs = max_pairs
        base = ReservoirDot(max_pairs=max_pairs, lifetime_XX_ns=1.0, lifetime_X_ns=1.0, capture_per_ns=1.0, second_capture=1.0, reservoir_decay_per_ns=1.0)
        total = static_rates(base)
        self.decay_XX = static_rates(replace(base, lifetime_XX_ns=0.5)) - total
        self.decay_X = static_rates(replace(base, lifetime_X_ns=0.5)) - total
        self.loss = static_rates(replace(base, reservoir_decay_per_ns=2.0)) - total
        self.second = static_rates(replace(base, second_capture=2.0)) - total
        self.first = static_rates(replace(base, capture_per_ns=2.0)) - total - self.second

    def matrix(self, source: ReservoirDot, pairs: int) -> np.ndarray:
        """(d, d) rates of a source between pulses, for up to so many pairs."""
        captures = source.capture_per_ns, source.capture_per_ns * source.second_capture
        factors = (1 / source.lifetime_XX_ns, 1 / source.lifetime_X_ns, source.reservoir_decay_per_ns, *captures)
        parts = (self.decay_XX, self.decay_X, self.loss, self.first, self.second)
        d = 3 * (pairs + 1)
        total = np.zeros((d, d))
        for factor, part in zip(factors, parts, strict=True):
            total += factor * part[:d, :d]
        return total


def static_rates(source: ReservoirDot) -> np.ndarray:
    """(d, d) rate matrix dp/dt = L p of a source between pulses, from the jumps of its model."""
    model = source.model()
    index = {name: i for i, name in enumerate(model.levels)}
    rates = np.zeros((len(index), len(index)))
    for jump in model.jumps:
        if jump.drive is None:
            for (a, b), r in zip(jump.transitions, jump.rates_per_ns, strict=True):
                rates[index[b], index[a]] += r
                rates[index[a], index[a]] -= r
    return rates


def pairs_needed(mean: float) -> int:
    """Largest number of pairs worth keeping for a mean number of pairs: beyond, a Poisson distribution has less than 1e-6."""
    return int(np.ceil(mean + 5.2 * np.sqrt(mean) + 6))


def coincidences(source: ReservoirDot, power_uW: np.ndarray, period_ns: float, rates: Rates | None = None, steps: int = STEPS) -> Peaks:
    """Coincidences of the X line of a train against delay, at each power.

    The state at the pulse is the periodic one; photons of different periods are taken as independent, which leaves out correlations of the size
    of `left_over`. Raises InputError if source.max_pairs cuts off more than TRUNCATION of the pairs, or `rates` is too small for the source.
    """
    power = np.asarray(power_uW, dtype=float)
    means = source.pairs_per_fJ * power * period_ns
    if poisson.sf(source.max_pairs, means.max()) > TRUNCATION:
        must = f"keep all but {TRUNCATION:g} of the pairs (mean {means.max():.3g})"
        raise bad("ReservoirDot.max_pairs", must, source.max_pairs, f"set it to {pairs_needed(float(means.max()))} or more, or lower pairs_per_fJ")
    top = min(source.max_pairs, pairs_needed(float(means.max())))
    rates = Rates(top) if rates is None else rates
    if rates.max_pairs < top:
        raise bad("rates", f"hold {top} pairs", rates.max_pairs, "make Rates(max_pairs) larger")
    d = 3 * (top + 1)
    decay = rates.matrix(source, top)
    h, half = period_ns / steps, steps // 2
    step = expm(decay * h)
    x_emission = np.zeros(d)
    x_emission[1::3] = 1.0 / source.lifetime_X_ns

    before = np.zeros((d, power.size))  # at the moment of the pulse: empty at first, then the periodic state
    before[0] = 1.0
    for _ in range(20):
        path = _through_period(step, _pulse(before, means), steps)
        change = float(np.abs(path[-1] - before).max())
        before = path[-1]
        if change < 1e-5:  # g2(0) moves by about as much
            break
    # photons in each step, from the integral of c e^{Lt}; state 0 is empty and dark, and left out of the inverse
    flow = decay[1:, 1:]
    counted = solve_triangular(flow, (step.T @ x_emission - x_emission)[1:], trans="T")
    photons = counted @ path[:-1, 1:]
    wave = np.fft.rfft(photons, axis=0)
    far = np.fft.irfft(np.abs(wave) ** 2, n=steps, axis=0) / h
    far = far - (np.roll(far, 1, axis=0) - 2 * far + np.roll(far, -1, axis=0)) / 12  # both photons were averaged over a step

    rows = np.empty((half + 1, d))
    rows[0] = x_emission
    for j in range(half):
        rows[j + 1] = rows[j] @ step
    after = np.zeros_like(rows)
    after[:, 1::3] = rows[:, 0::3] / source.lifetime_X_ns  # one X photon earlier
    first = solve_triangular(flow, after[:, 1:].T, trans="T").T  # integral over the time of the first photon
    late = path[steps - np.arange(half + 1), 1:]
    same = np.einsum("jd,jdp->jp", first, late - path[0, 1:])
    other = np.array([np.sum(photons[steps - j :] * photons[:j], axis=0) for j in range(half + 1)]) / h
    mean = photons.sum(axis=0)
    return Peaks(np.arange(half + 1) * h, period_ns, far[: half + 1] / mean**2, (same + other) / mean**2, mean, 1.0 - before[0])


def _pulse(before: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Add a Poisson number of pairs of each mean to the reservoir, at most up to the last level."""
    d, p = before.shape
    levels = d // 3
    added = poisson.pmf(np.arange(levels)[:, None], means)
    after = np.zeros((levels, 3, p))
    old = before.reshape(levels, 3, p)
    for k in np.flatnonzero(np.abs(old).max(axis=(1, 2)) > EMPTY):
        after[k:] += old[k][None] * added[: levels - k, None]
        after[-1] += old[k] * (1.0 - added[: levels - k].sum(axis=0))
    return after.reshape(d, p)


def _through_period(step: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """(steps+1, d, p) populations at each step; levels that have emptied are dropped, since none fills again before the next pulse."""
    path = np.zeros((steps + 1, *start.shape))
    path[0] = start
    d = len(start)
    for i in range(steps):
        if i % 4 == 0:
            d = 3 * (int(np.flatnonzero(path[i].max(axis=1) > EMPTY)[-1]) // 3 + 1)
        path[i + 1, :d] = step[:d, :d] @ path[i, :d]
    return path


class Averages:
    """Averages of a curve over bins of some widths, made once for many curves on the same delays."""

    def __init__(self, bin_width_ns: np.ndarray, period_ns: float, steps: int = STEPS) -> None:
        self.tau_ns = np.arange(steps // 2 + 1) * (period_ns / steps)
        self.of = {w: _bin_average(self.tau_ns, period_ns, w) for w in set(map(float, bin_width_ns))}


def read_off(
    peaks: Peaks, index: np.ndarray, background_per_ns: np.ndarray, bin_width_ns: np.ndarray, averages: Averages | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(g2(0), decay time in ns), each (n,): what the Poisson fit of two-sided exponentials finds in a histogram with these expected counts.

    index: (n,) which power of `peaks` each histogram belongs to; background_per_ns: (n,) in units of the side peaks' area; bin_width_ns: (n,).
    The fit has a side area, g2(0), background and decay time, as the one of the measured histograms; the measured number of counts does not matter.
    Bins at every position relative to the peaks take part equally. Raises InputError if the fit does not settle.
    """
    n, period = len(index), peaks.period_ns
    h = peaks.tau_ns[1]
    smear = (averages or Averages(bin_width_ns, period, 2 * (peaks.tau_ns.size - 1))).of
    inside = peaks.tau_ns <= period / 2 - max(smear) / 2 + 1e-12
    tau = peaks.tau_ns[inside]
    weight = np.full(tau.size, 2 * h)
    weight[0] = h
    spread = [smear[float(w)][inside] for w in bin_width_ns]
    background = np.asarray(background_per_ns, dtype=float)
    seen = np.empty((n, 2, tau.size))  # expected counts, all side peaks together and the central one
    for i, k in enumerate(index):
        seen[i, 0] = spread[i] @ peaks.side[:, k] + background[i]
        seen[i, 1] = spread[i] @ peaks.central[:, k] + background[i]
    often = np.array([PEAKS_PER_WINDOW, 1.0])[:, None] * weight
    left = tau - np.asarray(bin_width_ns)[:, None] / 2
    right = tau + np.asarray(bin_width_ns)[:, None] / 2
    p = np.stack([np.ones(n), peaks.g2_zero[index], background, np.full(n, 1.1)], axis=1)
    expected, slopes = _exponentials(p, left, right, period)
    misfit = _misfit(expected, seen, often)
    for _ in range(60):
        gradient = np.einsum("iqst,ist->iq", slopes, often * (seen / expected - 1.0))
        weighted = slopes * np.sqrt(often / expected)[:, None]
        flat = weighted.reshape(n, 4, -1)
        move = np.linalg.solve(flat @ flat.transpose(0, 2, 1), gradient[..., None])[..., 0]
        for _ in range(30):
            trial = p + move
            allowed = (trial[:, 0] > 0) & (trial[:, 3] > 0.02) & (trial[:, 3] < period)
            expected, slopes = _exponentials(np.where(allowed[:, None], trial, p), left, right, period)
            now = _misfit(expected, seen, often)
            worse = ~allowed | ~(now <= misfit + 1e-12)
            if not worse.any():
                break
            move[worse] /= 2
        p, misfit = trial, now
        if np.abs(move).max() < 1e-6:  # converges quadratically
            return p[:, 1], p[:, 3]
    raise bad("the peaks' fit", "settle", f"steps of {np.abs(move).max():.2g} after 60 rounds", "choose parameters for which neighbouring peaks are apart")


def _misfit(expected: np.ndarray, seen: np.ndarray, often: np.ndarray) -> np.ndarray:
    """(n,) minus log likelihood, up to a constant; infinite where a bin expects nothing."""
    positive = np.all(expected > 0, axis=(1, 2))
    safe = np.where(expected > 0, expected, 1.0)
    return np.where(positive, np.sum(often * (safe - seen * np.log(safe)), axis=(1, 2)), np.inf)


def _exponentials(p: np.ndarray, left: np.ndarray, right: np.ndarray, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Density per ns, averaged over bins, (n, 2, t) of (side, central) peaks, and its slopes (n, 4, 2, t) in area, g2, background and decay."""
    area, g2, level, decay = (p[:, k, None] for k in range(4))
    width = right - left
    (a, a_bend), (b, b_bend) = two_sided(right, decay), two_sided(left, decay)
    (c, c_bend), (d, d_bend) = neighbours(right, decay, period), neighbours(left, decay, period)
    middle, middle_bend = (a - b) / width, (a_bend - b_bend) / width
    whole, bend = middle + (c - d) / width, middle_bend + (c_bend - d_bend) / width
    central, central_bend = whole + (g2 - 1.0) * middle, bend + (g2 - 1.0) * middle_bend
    n, t = whole.shape
    slopes = np.zeros((n, 4, 2, t))
    slopes[:, 0, 0], slopes[:, 0, 1] = whole, central
    slopes[:, 1, 1] = area * middle
    slopes[:, 2] = 1.0
    slopes[:, 3, 0], slopes[:, 3, 1] = area * bend, area * central_bend
    return np.stack([area * whole + level, area * central + level], axis=1), slopes


def _bin_average(tau: np.ndarray, period: float, width: float) -> np.ndarray:
    """(m, m) matrix that averages an even curve, given on tau from 0 to half a period, over bins of this width centred on tau.

    Bins that reach beyond half a period are not meaningful and must be left out.
    """
    total = CubicSpline(tau, np.eye(tau.size), axis=0).antiderivative()  # one side only: the curve may have a cusp at 0
    high, low = np.minimum(tau + width / 2, period / 2), tau - width / 2
    return np.asarray((total(high) - np.sign(low)[:, None] * total(np.abs(low))) / width)
