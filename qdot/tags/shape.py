"""What a histogram of coincidences shows by itself: where its zero delay lies, whether it repeats, how fast its fastest feature is.

Works on delays in ps and counts; knows no rates, no files, no normalisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SURE = 4.0
"""Standard errors by which one peak must stand out to be taken for the central one."""
SURE_ANYWHERE = 6.0
"""The same for a feature of continuous light, which is looked for at every delay and on every scale."""
LINE = 0.05
"""Modulation from which a histogram is said to repeat."""
PERIODS = 3
"""Whole periods that each side of the outer part holds at least."""
SLACK = 0.25
"""What may be missing of the last of them: a period is not known to better from a few."""
DEPTH = 0.75
"""Smallest modulation anywhere in the outer part, over its mean."""
FEW = 8
"""Bins that a side of the outer part has at least."""
MOST_LINES = 20
"""Lines of a spectrum that are looked at."""
ENOUGH = 256
"""Bins in a period that are enough for the place and the shape of a peak."""
MANY = 2**20
"""Bins of which a spectrum is taken at most."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Counts in bins of one width.

    delay_ps: (n,) mean delay of what a bin may hold, in uniform steps of width_ps. low_ps, high_ps: from the first edge to the last.
    """

    delay_ps: np.ndarray
    width_ps: float
    counts: np.ndarray
    low_ps: float
    high_ps: float

    def within(self, low_ps: float, high_ps: float) -> tuple[int, float]:
        """(counts with low <= delay < high, width of their bins together)."""
        i, j = np.searchsorted(self.delay_ps, [low_ps, high_ps])
        return int(self.counts[i:j].sum()), float(j - i) * self.width_ps

    def coarser(self, factor: int) -> Shape:
        """`factor` bins in one, as far as they go."""
        if factor <= 1:
            return self
        n = self.counts.size // factor
        counts = self.counts[: n * factor].reshape(n, factor).sum(axis=1)
        delay = self.delay_ps[0] + self.width_ps * ((factor - 1) / 2 + factor * np.arange(n))
        return Shape(delay, factor * self.width_ps, counts, self.low_ps, self.low_ps + n * factor * self.width_ps)


@dataclass(frozen=True)
class Zero:
    """A zero delay with its standard error, and how it came about: "given", "found", "assumed" or "exact"."""

    delay_ps: float
    error_ps: float
    how: str


# ---- pulses --------------------------------------------------------------------------------------------------------------------------------------------


def whole_peaks(low_ps: float, high_ps: float, zero_ps: float, period_ps: float) -> tuple[np.ndarray, np.ndarray]:
    """(numbers m, edges zero + (m - 1/2) period with the last one) of the peaks that lie in a range as a whole."""
    slack = 1e-9
    first, last = math.ceil((low_ps - zero_ps) / period_ps + 0.5 - slack), math.floor((high_ps - zero_ps) / period_ps - 0.5 + slack)
    m = np.arange(first, last + 1)
    return m, zero_ps + period_ps * (np.arange(first, first + m.size + 1) - 0.5)


def areas(shape: Shape, zero_ps: float, period_ps: float) -> tuple[np.ndarray, np.ndarray]:
    """(numbers m, counts) of the peaks at zero + m period, |delay - zero - m period| < period / 2, that lie in the histogram as a whole."""
    m, edges = whole_peaks(shape.low_ps, shape.high_ps, zero_ps, period_ps)
    return m, np.diff(np.concatenate([[0], np.cumsum(shape.counts)])[np.searchsorted(shape.delay_ps, edges)])


def modulation(shape: Shape, period_ps: float) -> tuple[complex, float]:
    """(sum of exp(2 pi i delay / period) over all coincidences, number of them): how well they repeat, and at which delay."""
    return complex(np.sum(shape.counts * np.exp(2j * np.pi * (shape.delay_ps / period_ps % 1.0)))), float(shape.counts.sum())


def zero_of_pulses(shape: Shape, period_ps: float) -> Zero:
    """The zero delay of a pulsed histogram: the comb of peaks says it up to whole periods, the one peak unlike its neighbours says which.

    Where no peak stands out by SURE standard errors (uncorrelated light, few counts) it is the one nearest to 0, "assumed".
    """
    comb = shape.coarser(int(period_ps / shape.width_ps / ENOUGH))
    offset, everywhere = _phase(comb, period_ps)
    m, counts = areas(shape, offset, period_ps)
    outlier = _outlier(counts)
    place = int(np.argmin(np.abs(offset + period_ps * m))) if outlier is None and m.size else outlier
    if place is None:
        return Zero(offset, period_ps, "assumed")
    zero, around = offset + period_ps * int(m[place]), min(place, m.size - 1 - place)
    low, high = np.searchsorted(comb.delay_ps, [zero - (around + 0.5) * period_ps, zero + (around + 0.5) * period_ps])
    near = Shape(comb.delay_ps[low:high], comb.width_ps, comb.counts[low:high], zero, zero)
    shift, error = 0.0, everywhere
    if around:  # as many peaks on either side: a period slightly off shifts the comb as a whole, but not these
        local, larger = _phase(near, period_ps, zero)
        shift, error = (local, larger) if abs(local) > 3 * math.hypot(larger, everywhere) else (shift, error)
    return Zero(zero + shift, error, "assumed" if outlier is None else "found")


def _phase(shape: Shape, period_ps: float, origin_ps: float = 0.0) -> tuple[float, float]:
    """(delay of the comb of peaks from the origin, within half a period; its standard error)."""
    wave, total = modulation(shape, period_ps)
    wave *= complex(np.exp(-2j * math.pi * origin_ps / period_ps))
    error = period_ps / (2 * math.pi) / max(abs(wave) / math.sqrt(total / 2), 1.0) if total else period_ps
    return float(np.angle(wave)) / (2 * math.pi) * period_ps, error


def between(shape: Shape, zero_ps: float, period_ps: float) -> float:
    """Density of coincidences midway between the peaks, a tenth of a period wide, over the mean density."""
    place = (shape.delay_ps - zero_ps) / period_ps % 1.0
    inside = np.abs(place - 0.5) < 0.05
    total = float(shape.counts.mean())
    return float(shape.counts[inside].mean()) / total if total and inside.any() else 0.0


def _outlier(counts: np.ndarray) -> int | None:
    """The place of the peak that differs most, beyond doubt, from the median of its two neighbours on either side."""
    if counts.size < 4:
        return None
    padded = np.concatenate([[np.nan] * 2, counts.astype(float), [np.nan] * 2])
    usual = np.nanmedian([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]], axis=0)
    usual = np.maximum(usual, 0.5)
    # deviance of a Poisson count; the median of four is uncertain, too
    deviance = 2 * (np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / usual), 0.0) - (counts - usual))
    apart = np.sqrt(np.maximum(deviance, 0.0) / 1.4)
    best = int(np.argmax(apart))
    others = np.delete(apart, best)
    return best if apart[best] > SURE and apart[best] > 1.3 * others.max() else None


def repeats(shape: Shape, dead_ps: float = 0.0, is_auto: bool = False) -> float | None:
    """The period in ps with which the histogram repeats beyond its middle quarter, None if it does not.

    dead_ps: delays below it hold no pair, because of a dead time. They and the middle quarter are left out, so that a hole, a dip, a peak or an oscillation
    around the zero delay does not count as a period. is_auto: the two sides are the same pairs.
    A period shows as a line in the spectrum, and everywhere alike: PERIODS whole ones on each side, equally deep. The border of a hole, a decay and a
    damped oscillation have lines, too, but not everywhere.
    """
    part = shape if shape.counts.size <= MANY else shape.coarser(-(-shape.counts.size // MANY))
    n, middle, half = part.counts.size, 0.5 * (part.low_ps + part.high_ps), 0.5 * (part.high_ps - part.low_ps)
    is_open = np.abs(part.delay_ps) > (dead_ps + part.width_ps if dead_ps else -1.0)
    is_out = is_open & (np.abs(part.delay_ps - middle) >= 0.25 * half)
    low, high = np.flatnonzero(is_out & (part.delay_ps < middle)), np.flatnonzero(is_out & (part.delay_ps > middle))
    sides = [side for side in ((high,) if is_auto else (low, high)) if side.size >= FEW]
    total = float(sum(part.counts[side].sum() for side in sides))
    if total < 100:
        return None
    bare = np.zeros(n)  # counts without their slope and bend on each side
    for side in sides:
        place = np.linspace(-1.0, 1.0, side.size)
        counts = part.counts[side].astype(float)
        bare[side] = counts - np.polynomial.legendre.legval(place, np.polynomial.legendre.legfit(place, counts, 2))
    wave = np.abs(np.fft.rfft(bare, 2 * n)) / total
    strong = max(LINE, math.sqrt(40 / total))
    lines = np.flatnonzero(wave >= max(strong, 0.3 * wave.max()))
    lines = lines[lines >= 2 * (PERIODS - SLACK) * n / max(side.size for side in sides)]
    outer = Shape(part.delay_ps, part.width_ps, bare, part.low_ps, part.high_ps)
    for _ in range(MOST_LINES):
        if not lines.size:
            break
        first = int(lines[0])
        k = first + int(np.argmax(wave[first : first + 9]))  # the line has side lines, because the middle is missing
        period = _refined(outer, 2 * n * part.width_ps / k)
        if _is_everywhere(part, bare, sides, period):
            is_apart = is_auto and high.size * part.width_ps < dead_ps  # two short sides far apart would fit many periods equally well
            is_used = is_open & (part.delay_ps > 0.0) if is_apart else is_open
            above = np.where(is_used, part.counts - _floor(part, is_open, period), 0.0)
            return _refined(Shape(part.delay_ps, part.width_ps, above, part.low_ps, part.high_ps), period)
        lines = lines[lines >= first + 9]
    return None


def _is_everywhere(shape: Shape, bare: np.ndarray, sides: list[np.ndarray], period_ps: float) -> bool:
    """True if the coincidences repeat equally deeply, as far as their number tells, in up to 4 stretches of whole periods on each side.

    Where there are two sides one stretch may differ: cables may have moved the peak at the zero delay, which photons one by one lack, into it.
    """
    waves, counts = [], []
    for side in sides:
        whole = math.floor(side.size * shape.width_ps / period_ps + SLACK)
        if whole < PERIODS:
            return False
        parts = min(whole, 4)
        low = shape.delay_ps[side[0]] - 0.5 * shape.width_ps
        which = np.floor((shape.delay_ps[side] - low) / (period_ps * (whole // parts))).astype(int)
        inside = which < parts
        turned = bare[side] * np.exp(2j * np.pi * (shape.delay_ps[side] / period_ps % 1.0))
        waves += [turned[inside & (which == k)].sum() for k in range(parts)]
        counts += [float(shape.counts[side][inside & (which == k)].sum()) for k in range(parts)]
    number = np.maximum(np.array(counts), 1.0)
    mean = np.sum(waves) / number.sum()
    depth = np.real(np.array(waves) / number * np.conj(mean)) / max(abs(mean), 1e-300)
    lacking = depth < DEPTH * abs(mean) - 2 / np.sqrt(2 * number)
    return bool(abs(mean) >= LINE and lacking.sum() <= len(sides) - 1)


def _floor(shape: Shape, where: np.ndarray, period_ps: float) -> float:
    """Counts of a bin between the peaks: the least by its place in the period."""
    parts = max(1, min(16, int(period_ps / shape.width_ps)))
    place = (shape.delay_ps[where] / period_ps % 1.0 * parts).astype(int) % parts
    number = np.bincount(place, minlength=parts)
    return float((np.bincount(place, shape.counts[where], parts)[number > 0] / number[number > 0]).min())


def _refined(shape: Shape, period_ps: float) -> float:
    """The period nearby at which all coincidences repeat best."""
    span = shape.high_ps - shape.low_ps
    frequency = 1 / period_ps
    for step in (0.25 / span, 0.05 / span, 0.01 / span):
        tried = frequency + step * np.arange(-5, 6)
        frequency = float(tried[np.argmax([abs(modulation(shape, 1 / f)[0]) for f in tried])])
    return 1 / frequency


# ---- continuous light ----------------------------------------------------------------------------------------------------------------------------------


def zero_of_continuous(shape: Shape) -> Zero:
    """The zero delay of a histogram of continuous light: the middle of its sharpest feature, about which it is symmetric; 0, "assumed", where it has none.

    Every stretch of 1, 2, 4 .. bins is compared with the two beside it; within the most significant one sharper ones are looked for. Of a
    cross-correlation of two lines, which is not symmetric, it is the middle of the feature and not the moment of emission: give the delay then.
    """
    found = _feature(shape.counts, 0, shape.counts.size, shape.counts.size // 8)
    if found is None:
        return Zero(0.0, 0.0, "assumed")
    start, size = found
    while size > 4:
        sharper = _feature(shape.counts, max(0, start - size), min(shape.counts.size, start + 2 * size), size // 4)
        if sharper is None:
            break
        start, size = sharper
    return _mirrored(shape, start + (size - 1) / 2, size)


def _feature(counts: np.ndarray, low: int, high: int, largest: int) -> tuple[int, int] | None:
    """(first bin, bins) of the stretch within [low, high) that differs most from the two beside it; None where none does beyond doubt."""
    sums = np.concatenate([[0], np.cumsum(counts[low:high])]).astype(float)
    best, found, size = SURE_ANYWHERE, None, 1
    while size <= largest:
        blocks = sums[size:] - sums[:-size]
        if blocks.size <= 2 * size:
            break
        beside, inside = blocks[: -2 * size] + blocks[2 * size :], blocks[size:-size]
        usual = np.maximum((beside + inside) / 3, 1.0)
        apart = np.abs(inside - beside / 2) / np.sqrt(1.5 * usual)
        i = int(np.argmax(apart))
        if apart[i] > best:
            best, found = float(apart[i]), (low + i + size, size)
        size *= 2
    return found


def _mirrored(shape: Shape, centre: float, size: int) -> Zero:
    """The delay near bin `centre` about which the counts within 2 * size bins are most nearly the same on both sides."""
    counts, n = shape.counts.astype(float), shape.counts.size
    reach = 2 * size + 2
    tried = np.arange(math.floor(2 * (centre - size)) - 1, math.ceil(2 * (centre + size)) + 2)  # sums i + j of the places of two mirrored bins
    tried = tried[(tried // 2 - reach >= 0) & (tried // 2 + reach + 1 < n)]
    if not tried.size:
        return Zero(float(shape.delay_ps[0] + shape.width_ps * centre), shape.width_ps * size, "found")
    k = np.arange(reach)
    left, right = counts[(tried[:, None] // 2) - k], counts[((tried[:, None] + 1) // 2) + k]
    chi2 = np.sum((left - right) ** 2 / np.maximum(left + right, 1.0), axis=1)
    i = int(np.argmin(chi2))
    place, error = float(tried[i]), 1.0
    if 0 < i < tried.size - 1 and np.ptp(np.diff(tried[i - 1 : i + 2])) == 0:
        bend = chi2[i - 1] - 2 * chi2[i] + chi2[i + 1]
        if bend > 0:
            place += 0.5 * (chi2[i - 1] - chi2[i + 1]) / bend
            error = max(math.sqrt(2 / bend), 0.1)
    return Zero(float(shape.delay_ps[0] + shape.width_ps * place / 2), shape.width_ps * error / 2, "found")


# ---- the fastest feature -------------------------------------------------------------------------------------------------------------------------------


def fastest_ps(shape: Shape, zero_ps: float, period_ps: float | None) -> float | None:
    """Time constant of the fastest feature: half its area over its height, which of exp(-|delay| / t) is t; None where nothing is seen.

    Pulsed: of the peaks, laid over each other. Continuous: of the dip or peak at the zero delay. A feature narrower than a bin looks as wide as half of it.
    """
    if period_ps is not None:
        shape = shape.coarser(int(period_ps / shape.width_ps / ENOUGH))
        parts = max(4, math.floor(period_ps / shape.width_ps))
        place = ((shape.delay_ps - zero_ps) / period_ps + 0.5) % 1.0
        folded = np.bincount((place * parts).astype(int) % parts, weights=shape.counts, minlength=parts)
        floor, top = float(np.sort(folded)[: parts // 4].mean()), float(folded.max())
        if top - floor < SURE * math.sqrt(top + 1):
            return None
        return float((folded - floor).sum() / (top - floor) * period_ps / parts / 2)
    away = np.abs(shape.delay_ps - zero_ps) / shape.width_ps
    reach = int(min(away[0], away[-1]))
    folded = np.bincount(np.minimum(away.astype(int), reach), weights=shape.counts, minlength=reach + 1)[:reach]
    number = np.bincount(np.minimum(away.astype(int), reach), minlength=reach + 1)[:reach]
    near = 1
    while 4 * near < reach:
        inside, beside = folded[:near].sum(), folded[near : 4 * near].sum()
        usual = beside / max(number[near : 4 * near].sum(), 1)
        off = inside - usual * number[:near].sum()
        if abs(off) > SURE_ANYWHERE * math.sqrt(max(usual * number[:near].sum(), inside, 1.0)):
            break
        near *= 2
    else:
        return None
    far = min(reach, 64 * near)
    level = folded[far // 2 : far].sum() / max(number[far // 2 : far].sum(), 1)
    height = folded[:near].sum() / number[:near].sum() - level
    area = float((folded[:far] - level * number[:far]).sum()) / 2
    return float(max(area / height, 0.5 * near) * shape.width_ps) if height else None
