"""g2 from coincidences: three normalisations, the error of each, and what there is to warn of. One page of formulas: docs/tags.md.

Every normalisation states the coincidences where g2 = 1: of one whole peak where the light is pulsed, of one ps of delay where it is continuous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qdot.errors import InputError, bad, unknown
from qdot.tags import poisson
from qdot.tags.counted import Counted
from qdot.tags.shape import Shape, Zero, areas, between, fastest_ps, modulation, repeats

Normalisation = Literal["side_peaks", "rates", "long_delay"]
NORMALISATIONS: tuple[Normalisation, ...] = ("side_peaks", "rates", "long_delay")
APART = 4.0
"""Standard errors from which two numbers are said to differ."""
FAR = 0.75
"""Share of the longest delay beyond which a delay is long."""
PARTS = 8
"""Parts of the long delays whose scatter tells what blinking adds to Poisson errors."""
RESOLVED = 5.0
"""Bins that the fastest feature should have."""
FILLED = 0.1
"""Coincidences between the peaks, over their mean, from which they matter."""
SEEN = 5.0
"""Standard errors from which a modulation is there."""


@dataclass(frozen=True)
class Level:
    """Coincidences where g2 = 1 and their relative standard error."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Peaks:
    """Whole peaks of a pulsed histogram: numbers m, coincidences, share of the acquisition of each; usable: those that no dead time touches."""

    m: np.ndarray
    counts: np.ndarray
    edge: np.ndarray
    usable: np.ndarray
    is_auto: bool

    @property
    def sides(self) -> np.ndarray:
        """Places of the side peaks; of an autocorrelation those after the first photon, which hold the same pairs as those before it."""
        return np.flatnonzero(((self.m > 0) if self.is_auto else (self.m != 0)) & self.usable)

    @property
    def far(self) -> np.ndarray:
        """Places of the side peaks at long delays."""
        return self.sides[np.abs(self.m[self.sides]) >= FAR * np.abs(self.m[self.sides]).max(initial=0)]

    @property
    def zero(self) -> int:
        """Place of the central peak."""
        return int(np.flatnonzero(self.m == 0)[0])


def peaks_of(counted: Counted, zero: Zero, period_ps: float) -> Peaks:
    """Areas of the peaks; raises InputError where the central one is not in the histogram as a whole."""
    m, counts = areas(counted.shape, zero.delay_ps, period_ps)
    if not np.any(m == 0):
        need = (abs(zero.delay_ps) + period_ps / 2) / 1000
        must = f"hold the whole peak at zero delay, {zero.delay_ps / 1000:.6g} +- {period_ps / 2000:.6g} ns"
        raise bad("range_ns", must, f"{counted.shape.low_ps / 1000:g} .. {counted.shape.high_ps / 1000:g} ns", f"give at least {need:.6g}")
    usable = (np.abs(m) - 0.5) * period_ps >= counted.dead_ps
    return Peaks(m, counts, counted.edge(zero.delay_ps + m * period_ps), usable | (m == 0), counted.is_auto)


def peak_levels(counted: Counted, peaks: Peaks, period_ps: float) -> dict[Normalisation, Level]:
    """Coincidences of a peak where g2 = 1, by every normalisation that the data allow."""
    found: dict[Normalisation, Level] = {}
    for name, places in (("side_peaks", peaks.sides), ("long_delay", peaks.far if peaks.sides.size >= 4 else peaks.far[:0])):
        if places.size and peaks.counts[places].sum():
            found[name] = _mean(peaks.counts[places], peaks.edge[places])  # type: ignore[index]
    if counted.rate_per_ps:
        found["rates"] = Level(counted.rate_per_ps * period_ps, counted.rate_error)
    return {name: found[name] for name in NORMALISATIONS if name in found}


def bin_levels(counted: Counted, zero: Zero) -> dict[Normalisation, Level]:
    """Coincidences of one ps of delay where g2 = 1, by every normalisation that the data allow."""
    found: dict[Normalisation, Level] = {}
    if counted.rate_per_ps:
        found["rates"] = Level(counted.rate_per_ps, counted.rate_error)
    far = _far_bins(counted, zero, FAR, 1.0)
    if far is not None:
        found["long_delay"] = far
    return found


def _far_bins(counted: Counted, zero: Zero, low: float, high: float) -> Level | None:
    """Level of the delays between these shares of the longest one, None where they hold nothing; its error not below the scatter of its parts."""
    away = np.abs(counted.shape.delay_ps - zero.delay_ps)
    inside = (away >= low * away.max()) & (away <= high * away.max()) & (away > 2 * counted.dead_ps)
    if counted.is_auto:
        inside &= counted.shape.delay_ps > 0
    counts = counted.shape.counts[inside].astype(float)
    edge = counted.edge(counted.shape.delay_ps[inside])
    total, width = float(counts.sum()), float(edge.sum()) * counted.shape.width_ps
    if total <= 0:
        return None
    order = np.argsort(away[inside], kind="stable")
    parts = [counts[p].sum() / edge[p].sum() for p in np.array_split(order, PARTS) if p.size]
    scatter = float(np.std(parts, ddof=1) / np.mean(parts)) / math.sqrt(len(parts)) if len(parts) > 1 else 0.0
    return Level(total / width, max(1 / math.sqrt(total), scatter))


def _mean(counts: np.ndarray, edge: np.ndarray) -> Level:
    """Mean of several peaks; where they scatter more than Poisson counts, so does it."""
    total = float(counts.sum())
    spread = 1.0 if counts.size < 2 else max(1.0, _chi2(counts) / (counts.size - 1))
    return Level(float(np.mean(counts / edge)), math.sqrt(spread / total))


def _chi2(counts: np.ndarray) -> float:
    return float(np.sum((counts - counts.mean()) ** 2) / counts.mean())


def chosen_level(levels: dict[Normalisation, Level], asked: str | None, counted: Counted, is_pulsed: bool) -> Normalisation:
    """The normalisation asked for, or the usual one: side peaks of pulsed light, else rates, else long delays. Raises InputError where it cannot be had."""
    if asked is not None and asked not in NORMALISATIONS:
        raise unknown("normalise", asked, NORMALISATIONS)
    name: Normalisation = "side_peaks" if is_pulsed else "rates" if counted.rate_per_ps else "long_delay"
    name = next((n for n in NORMALISATIONS if n == asked), name)
    if name in levels:
        return name
    if name == "side_peaks" and not is_pulsed:
        period = repeats(counted.shape.coarser(counted.factor), counted.dead_ps, counted.is_auto)
        seen = f"none (the coincidences repeat every {period / 1000:.6g} ns)" if period else "none, and the coincidences do not repeat"
        raise bad("period_ns", "be given for the normalisation by side peaks", seen, "give period_ns, or normalise by rates or long_delay")
    if name == "rates":
        raise bad("normalise", "be side_peaks or long_delay for a histogram", "rates", "a histogram does not hold the rates of the detectors")
    which = "whole side peaks with coincidences" if name == "side_peaks" else "coincidences at long delays"
    raise bad(
        "range_ns",
        f"reach {which}",
        "none in the range",
        "give a longer range, at least two periods beyond the zero delay" if is_pulsed else "give a longer range",
    )


def value_of(coincidences: int, level: float, error: float, fold: int = 1) -> tuple[float, float, tuple[float, float], float]:
    """(g2, its standard error, its 68 % interval, its upper limit at 95 %) of a Poisson count over a level with a relative error.

    The interval is Garwood's, widened by the error of the level; the error is half of it, and of a count of 0 the upper limit at 68 %.
    fold: how often each pair (or triple) stands in the count.
    """
    pairs = coincidences // fold
    g2, (low, high) = coincidences / level, poisson.interval(pairs)
    below, above = (math.hypot(g2 - low * fold / level, g2 * error), math.hypot(high * fold / level - g2, g2 * error))
    interval = max(0.0, g2 - below), g2 + above
    half = (interval[1] - interval[0]) / 2 if pairs else interval[1]
    limit = g2 + math.hypot(poisson.upper_limit(pairs) * fold / level - g2, 1.645 * g2 * error)
    return g2, half, interval, limit


# ---- warnings ------------------------------------------------------------------------------------------------------------------------------------------


def of_levels(levels: dict[Normalisation, Level], coincidences: int | None, width: float) -> list[str]:
    """The normalisations differ beyond their errors. coincidences: at zero delay, None where they do not say g2(0)."""
    names = list(levels)
    apart = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if differ(levels[a], levels[b])]
    if not apart:
        return []
    said = "the normalisations differ beyond their errors: "
    if coincidences is None:
        said += "g2 = 1 is " + ", ".join(f"{levels[n].value * width:.4g} coincidences by {n}" for n in names)
    else:
        said += "g2(0) = " + ", ".join(f"{coincidences / (levels[n].value * width):.2g} by {n}" for n in names)
    if "rates" in levels:
        other = names[0] if names[0] != "rates" else names[-1]
        ratio = levels[other].value / levels["rates"].value
        why = "the emitter blinks or drifts more slowly than this range" if ratio > 1 else "light is missing at these delays (memory, dead time, drift)"
        said += f"; coincidences by {other} are {ratio:.3g} times the level of the rates: {why}"
    return [said]


def differ(a: Level, b: Level) -> bool:
    """True if two levels are apart beyond their errors."""
    return abs(math.log(a.value / b.value)) > APART * math.hypot(a.error, b.error)


def of_baseline(counted: Counted, zero: Zero, peaks: Peaks | None, period_ps: float | None) -> list[str]:
    """g2 is not flat, or not 1, at the end of the range."""
    if peaks is not None and period_ps is not None:
        sides = peaks.sides
        if sides.size < 4:
            return []
        away = np.abs(peaks.m[sides])
        nearer = sides[(away < FAR * away.max()) & (away >= (2 * FAR - 1) * away.max())]
        pair = [_mean(peaks.counts[p], peaks.edge[p]) if p.size and peaks.counts[p].sum() else None for p in (peaks.far, nearer)]
        rate = None if counted.rate_per_ps is None else counted.rate_per_ps * period_ps
    else:
        pair, rate = [_far_bins(counted, zero, FAR, 1.0), _far_bins(counted, zero, 2 * FAR - 1, FAR)], counted.rate_per_ps
    far, near = pair
    if far is None:
        return []
    found = []
    if rate and differ(far, Level(rate, counted.rate_error)):
        found.append(f"it is {far.value / rate:.3g} there by the rates")
    if near is not None and differ(far, near):
        found.append(f"it still changes by {abs(far.value / near.value - 1):.1%} from the third quarter of the delays to the last")
    end = max(abs(counted.shape.low_ps - zero.delay_ps), abs(counted.shape.high_ps - zero.delay_ps)) / 1000
    return [f"g2 has not reached its baseline within {end:.4g} ns of the zero delay: {' and '.join(found)}; extend range_ns"] if found else []


def of_side_peaks(peaks: Peaks) -> list[str]:
    """The side peaks are not equal."""
    sides = peaks.sides
    counts = peaks.counts[sides]
    if sides.size < 3 or not counts.sum():
        return []
    chi2, free = _chi2(counts), sides.size - 1
    if (chi2 - free) / math.sqrt(2 * free) < APART:
        return []
    away = np.abs(peaks.m[sides])
    near, far = counts[away <= max(1, away.max() // 4)].mean(), counts[away >= FAR * away.max()].mean()
    return [
        f"the side peaks are not equal (chi2 {chi2:.4g} for {free} degrees of freedom; near ones hold {near:.5g}, far ones {far:.5g}): "
        "g2 has a memory over several periods, or the peaks overlap, and their mean depends on the range; compare with long_delay"
    ]


def of_overlap(shape: Shape, zero: Zero, period_ps: float) -> list[str]:
    """What lies between the peaks counts into their areas."""
    share = between(shape, zero.delay_ps, period_ps)
    if share < FILLED:
        return []
    said = f"midway between the peaks the coincidences are still {share:.0%} of their mean"
    return [f"{said}: peaks that overlap, or a background, count into the areas and draw g2(0) towards 1"]


def of_bins(counted: Counted, zero: Zero, period_ps: float | None) -> list[str]:
    """The bins are too wide for what they show."""
    width = counted.shape.width_ps * counted.factor
    fastest = fastest_ps(counted.shape, zero.delay_ps, period_ps)
    if fastest is None or width * RESOLVED <= fastest * 1.05:
        return []
    about = "at most " if fastest < width else ""
    said = f"bins of {width:g} ps are wider than a fifth of the fastest feature (time constant {about}{fastest / 1000:.3g} ns): they wash it out"
    return [said + (", areas of peaks excepted" if period_ps is not None and counted.factor > 1 else "")]


def of_period(counted: Counted, shape: Shape, period_ps: float) -> list[str]:
    """The histogram does not repeat as it was said to; raises InputError where it clearly repeats otherwise."""
    found = repeats(shape, counted.dead_ps, counted.is_auto)
    wave, total = modulation(shape, period_ps)
    if found is None:
        if abs(wave) < SEEN * math.sqrt(max(total, 1.0)):
            return [f"the coincidences show no pulses with a period of {period_ps / 1000:.6g} ns: is the light pulsed, and the period right?"]
        return []
    ratio = period_ps / found
    slip = abs(ratio - 1) * max(abs(shape.low_ps), abs(shape.high_ps)) / found
    if slip < 0.1:
        return []
    strength = abs(wave) / max(abs(modulation(shape, found)[0]), 1.0)
    if strength > 0.5 and abs(ratio - 1) < 0.1:
        return [f"a period of {period_ps / 1000:.6g} ns slips by {slip:.2g} periods over the range: the coincidences repeat every {found / 1000:.6g} ns"]
    if ratio > 1.5 and abs(ratio - round(ratio)) < 0.02:
        if strength > 0.3:  # an overtone: narrow pulses have many
            return []
        return [f"the coincidences repeat {round(ratio)} times within a period of {period_ps / 1000:.6g} ns, every {found / 1000:.6g} ns"]
    raise _wrong_period(period_ps, found)


def _wrong_period(period_ps: float, found: float) -> InputError:
    got = f"{period_ps / 1000:.6g} ns, but the coincidences repeat every {found / 1000:.6g} ns"
    return bad("period_ns", "be the repetition period of the data", got, "give that one, or none for continuous light")
