"""What detectors record, as results: rates, click patterns of pulses, coincidences against delay, areas of peaks. Frozen and printable.

Nothing here knows the source; `Experiment` fills them in. The arithmetic of backgrounds and expected counts stands beside the numbers it makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot.data import Histogram
from qdot.errors import bad, number, unknown

STAGE = "recorded"


@dataclass(frozen=True)
class CountRate:
    """Counts per second of one detector.

    photons_per_s: that photons raise; background_per_s: dark counts and leakage; registered_per_s: what is recorded, after dead time and with
    afterpulses, of which there are afterpulses_per_s; dead_time_loss: share of the counts raised by photons and background that dead time hides.
    error_bound: largest relative error of the calculation.
    """

    detector: str
    photons_per_s: float
    background_per_s: float
    registered_per_s: float
    afterpulses_per_s: float
    dead_time_loss: float
    error_bound: float

    @property
    def signal_fraction(self) -> float:
        """Share of photons among the counts raised by photons and background."""
        total = self.photons_per_s + self.background_per_s
        return self.photons_per_s / total if total > 0.0 else 0.0

    def as_dict(self) -> dict[str, float]:
        """Plain values, ready for JSON."""
        return {
            "photons_per_s": self.photons_per_s,
            "background_per_s": self.background_per_s,
            "registered_per_s": self.registered_per_s,
            "afterpulses_per_s": self.afterpulses_per_s,
            "dead_time_loss": self.dead_time_loss,
        }

    def __str__(self) -> str:
        return (
            f"detector {self.detector}: {self.registered_per_s:.8g} counts per s registered ({self.photons_per_s:.6g} raised by photons, "
            f"{self.background_per_s:.6g} by background, {self.dead_time_loss:.3g} lost to dead time)"
        )


@dataclass(frozen=True, eq=False)
class ClickPatterns:
    """Probability of each outcome of all detectors together, per pulse.

    detectors: their names, in the order of the axes; probabilities: one axis for each, outcome 0, 1, ...; the last outcome of a detector means
    that many counts or more (a threshold detector has 0 and 1). period_ns: None for a single pulse. error_bound: largest relative error.
    """

    detectors: tuple[str, ...]
    probabilities: np.ndarray
    window: str
    period_ns: float | None
    error_bound: float
    stage: str = STAGE

    def _axes(self, names: tuple[str, ...]) -> tuple[int, ...]:
        for name in names:
            if name not in self.detectors:
                raise unknown("detector", name, self.detectors)
        if len(set(names)) < len(names):
            raise bad("detectors", "be named once each", ", ".join(names), "name different detectors")
        return tuple(self.detectors.index(name) for name in names)

    def coincidence(self, *names: str) -> float:
        """Probability per pulse that all of these detectors click (others may or may not)."""
        p = self.probabilities
        for axis in self._axes(names):
            p = np.delete(p, 0, axis=axis)
        return float(p.sum())

    def click(self, name: str) -> float:
        """Probability per pulse that this detector clicks."""
        return self.coincidence(name)

    def per_s(self, *names: str) -> float:
        """Coincidences (clicks, for one name) per second of a train."""
        if self.period_ns is None:
            raise bad("a rate", "be asked of a train", "a single pulse", "give the drive a period_ns")
        return self.coincidence(*names) / self.period_ns * 1e9

    def heralding_efficiency(self, herald: str, heralded: str) -> float:
        """Klyshko efficiency: share of the herald's clicks with a click of the other, accidental ones included.

        Source: D. N. Klyshko, Sov. J. Quantum Electron. 10, 1112 (1980).
        """
        return self.coincidence(herald, heralded) / self._lit(herald)

    def g2_zero(self, first: str, second: str) -> float:
        """Coincidences over what independent detectors would have, P(first and second) / (P(first) P(second)).

        The pulsed g2(0) of the light, as far as one detector's second photon and backgrounds can be neglected.
        """
        return self.coincidence(first, second) / (self._lit(first) * self._lit(second))

    def _lit(self, name: str) -> float:
        """Click probability of a detector that clicks at all."""
        p = self.click(name)
        if not p > 0.0:
            raise bad(f"detector {name!r}", "click", "a probability of 0", "check share, efficiency and drive")
        return p

    @property
    def number_of_clicks(self) -> np.ndarray:
        """(k + 1,) probability that k detectors click in one pulse."""
        found = np.zeros(len(self.detectors) + 1)
        for outcome, p in np.ndenumerate(self.probabilities):
            found[sum(n > 0 for n in outcome)] += p
        return found

    def draw(self, pulses: int, rng: np.random.Generator) -> np.ndarray:
        """Random whole numbers of pulses with each outcome, of the shape of `probabilities`; pulses are taken to be independent."""
        p = self.probabilities.ravel()
        return rng.multinomial(pulses, p / p.sum()).reshape(self.probabilities.shape)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        names = self.detectors
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        lit = {name for name in names if self.click(name) > 0.0}
        return {
            "window": self.window,
            "detectors": list(names),
            "patterns": [{"counts": list(map(int, outcome)), "probability": float(p)} for outcome, p in np.ndenumerate(self.probabilities)],
            "click_probability": {name: self.click(name) for name in names},
            "coincidence_probability": {f"{a}&{b}": self.coincidence(a, b) for a, b in pairs},
            "coincidences_per_s": None if self.period_ns is None else {f"{a}&{b}": self.per_s(a, b) for a, b in pairs},
            "heralding_efficiency": {f"{b}|{a}": self.heralding_efficiency(a, b) for a in names for b in names if a != b and a in lit},
            "g2_zero": {f"{a}&{b}": self.g2_zero(a, b) for a, b in pairs if {a, b} <= lit},
        }

    def __str__(self) -> str:
        lines = [f"clicks of {', '.join(self.detectors)} per pulse, {self.window}"]
        lines += [f"  P({', '.join(map(str, outcome))}) = {p:.10g}" for outcome, p in np.ndenumerate(self.probabilities)]
        for name in self.detectors:
            rate = "" if self.period_ns is None else f", {self.per_s(name):.6g} per s"
            lines.append(f"  {name} clicks with {self.click(name):.8g}{rate}")
        return "\n".join([*lines, f"  error bound {self.error_bound:.1e}"])


@dataclass(frozen=True, eq=False)
class CoincidenceHistogram:
    """Coincidences of two detectors against delay, as recorded: mean over each bin, after response, background and afterpulses.

    tau_ns: (n,) centres of the bins, `second` later than `first`; bin_ns: their width, 0 for the value at the delay itself; g2: (n,) normalised to
    the product of the rates; rates: of both detectors. dead_time_error: what dead time may change g2 by, relatively, to first order.
    error_bound: of the calculation, the largest relative error.
    """

    first: CountRate
    second: CountRate
    tau_ns: np.ndarray
    bin_ns: float
    g2: np.ndarray
    dead_time_error: float
    error_bound: float
    stage: str = STAGE

    def expected_counts(self, time_s: float) -> np.ndarray:
        """(n,) mean number of coincidences per bin in an acquisition of this many seconds, all pairs counted."""
        number("time_s", time_s, low=0.0, unit="s")
        if self.bin_ns == 0.0:
            raise bad("bin_ns", "be > 0 for a number of counts", 0, "ask for bins")
        return np.asarray(self.accidentals_per_bin(time_s) * self.g2)

    def accidentals_per_bin(self, time_s: float) -> float:
        """Counts per bin where the detectors know nothing of each other: the product of rates, bin width and time."""
        return self.first.registered_per_s * self.second.registered_per_s * self.bin_ns * 1e-9 * time_s

    def draw(self, time_s: float, rng: np.random.Generator) -> Histogram:
        """A random histogram with Poisson distributed counts."""
        counts = rng.poisson(self.expected_counts(time_s))
        left = self.tau_ns - self.bin_ns / 2.0
        return Histogram(left, self.bin_ns, counts.astype(float), f"simulated: {self.first.detector} and {self.second.detector}, {time_s:g} s")

    def as_dict(self, time_s: float | None = None) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "first": self.first.detector,
            "second": self.second.detector,
            "bin_ns": self.bin_ns,
            "tau_ns": self.tau_ns.tolist(),
            "g2": self.g2.tolist(),
            "time_s": time_s,
            "expected_counts": None if time_s is None else self.expected_counts(time_s).tolist(),
            "signal_fraction": {d.detector: d.signal_fraction for d in (self.first, self.second)},
            "dead_time_error": self.dead_time_error,
        }

    def __str__(self) -> str:
        width = f"bins of {self.bin_ns:g} ns" if self.bin_ns > 0.0 else "no bins"
        lines = [f"recorded g2({self.first.detector}, {self.second.detector}), {width}, error bound {self.error_bound:.1e}"]
        body = [f"{x:14.6g}  {v:.10g}" for x, v in zip(self.tau_ns, self.g2, strict=True)]
        lines += [f"{'tau_ns':>14}  g2", *(body if len(body) <= 24 else [*body[:12], f"{'...':>14}", *body[-11:]])]
        if self.dead_time_error > 0.0:
            lines.append(f"  dead time is in the rates; it may change g2 by {self.dead_time_error:.2g} of itself")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class PeakAreas:
    """Areas of the coincidence peaks of a train at m periods, |tau - m T| < window / 2, background included, over that of a far peak.

    area: (count + 1,), m = 0 first; far_per_pulse: pairs per pulse in a peak far away; dead_time_error as in CoincidenceHistogram.
    """

    first: CountRate
    second: CountRate
    window_ns: float
    period_ns: float
    area: np.ndarray
    far_per_pulse: float
    dead_time_error: float
    error_bound: float
    stage: str = STAGE

    def expected_counts(self, time_s: float) -> np.ndarray:
        """(count + 1,) mean number of coincidences in each peak in an acquisition of this many seconds."""
        number("time_s", time_s, low=0.0, unit="s")
        return np.asarray(self.area * self.far_per_pulse * time_s * 1e9 / self.period_ns)

    def as_dict(self, time_s: float | None = None) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "first": self.first.detector,
            "second": self.second.detector,
            "window_ns": self.window_ns,
            "area": self.area.tolist(),
            "far_per_pulse": self.far_per_pulse,
            "time_s": time_s,
            "expected_counts": None if time_s is None else self.expected_counts(time_s).tolist(),
            "dead_time_error": self.dead_time_error,
        }

    def __str__(self) -> str:
        head = f"areas of the peaks of {self.first.detector} and {self.second.detector}, |tau - m T| < {self.window_ns / 2:g} ns, over a far peak"
        return "\n".join([f"{head}, error bound {self.error_bound:.1e}", *(f"{m:14d}  {v:.10g}" for m, v in enumerate(self.area))])


def diluted(g2: np.ndarray, first: float, second: float) -> np.ndarray:
    """g2 with independent background: 1 + a b (g2 - 1) for the signal fractions a and b of the two detectors.

    >>> float(diluted(np.array([0.0]), 0.9, 0.8)[0])
    0.2799999999999999
    """
    share = first * second
    return np.asarray(share * g2 + (1.0 - share))
