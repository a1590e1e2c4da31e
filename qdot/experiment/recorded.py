"""An experiment as detectors record it: count rates, coincidences, areas of peaks, click patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot import detection
from qdot.detection import ClickPatterns, CoincidenceHistogram, CountRate, Detector, PeakAreas
from qdot.errors import bad, number, unknown
from qdot.experiment.coherent import Coherent
from qdot.experiment.counted import lit_by
from qdot.experiment.setup import count_of, delays_of, name_of
from qdot.model import Channel
from qdot.repeats import Repeats
from qdot.statistics import Counts, SteadyLight, peak_areas

MOST_NUMBERS = (128, 32)
"""Largest photon number behind click patterns, of one light and of several that are split differently."""
NEGLIGIBLE = 1e-24
"""Probability of photon numbers that may be left out behind click patterns."""


@dataclass(frozen=True, eq=False)
class Recorded(Coherent):
    """What stands behind the last stage of the collection. See Experiment."""

    def _detected(self, detector: Detector) -> dict[Channel, float]:
        """{channel: probability that a photon emitted there raises a count of this detector}."""
        factor = detector.share * detector.efficiency
        return {c: factor * w for c, w in self._seen(detector).items()}

    def _two(self, first: str | None, second: str | None) -> tuple[Detector, Detector]:
        """Two different detectors by their names; by default the first two."""
        known = {d.name: d for d in self.detectors}
        if len(known) < 2:
            raise bad("Experiment.detectors", "be at least two for coincidences", len(known), "two with share=0.5 stand behind a 50:50 splitter")
        names = [name if name is not None else list(known)[k] for k, name in enumerate((first, second))]
        for name in names:
            if name not in known:
                raise unknown("detector", name, known)
        if names[0] == names[1]:
            raise bad("coincidences", "be asked of two different detectors", repr(names[0]), "dead time hides what follows in the same one")
        return known[names[0]], known[names[1]]

    def count_rates(self) -> dict[str, CountRate]:
        """{detector: counts per s}, raised and registered: exact with dead time for any source (see docs/detection.md for trains and afterpulses)."""
        return {d.name: self._count_rate(d) for d in self.detectors}

    def _count_rate(self, detector: Detector) -> CountRate:
        light, period, on = self._detected(detector), self.period_ns, 1.0 if self.blinking is None else self.blinking.on_fraction
        background = detector.background_per_ns + (0.0 if period is None else detector.leakage_per_pulse / period)
        if period is None:
            if detector.leakage_per_pulse > 0.0:
                raise bad(f"detector {detector.name!r}: leakage_per_pulse", "be 0 without a train", detector.leakage_per_pulse, "give leakage_per_s")
            instead = "give the train a period_ns: a single pulse has clicks, not a rate"
            rates = self._continuous(lambda s: detection.continuous_rates(s, light, detector, on), "count_rates", instead)
        else:
            rates = self._run(lambda p: detection.train_rates(p, light, detector, on, period), "count_rates")
        values, bound = self._measure(rates, f"counts of detector {detector.name!r}")
        photons, registered, false = (1e9 * values).tolist()
        raised = photons + 1e9 * background
        lost = 1.0 - (registered - false) / raised if detector.dead_time_ns > 0.0 and raised > 0.0 else 0.0
        return CountRate(detector.name, photons, 1e9 * background, registered, false, lost, bound)

    def recorded_g2(self, tau_ns: Any, first: str | None = None, second: str | None = None, bin_ns: float = 0.0) -> CoincidenceHistogram:
        """g2(tau) as two detectors record it under continuous light: response, background, blinking, afterpulses, averaged over bins centred at tau_ns.

        bin_ns: width of the bins, 0 for the value at the delay. Its `expected_counts(time_s)` are all pairs of an acquisition.
        """
        a, b = self._two(first, second)
        tau, width = delays_of(tau_ns), number("bin_ns", bin_ns, low=0.0, unit="ns")
        lights = self._detected(a), self._detected(b)
        rates = self._count_rate(a), self._count_rate(b)
        lit = [name_of(self.model.lines if d.sees is None else d.sees) for d in (a, b)]
        blinking, worst = self.blinking, 0.0
        for d, rate in zip((a, b), rates, strict=True):
            if rate.registered_per_s == 0.0:
                raise bad(f"detector {d.name!r}", "record something", "no light in the steady state and no background", "check drive, efficiency and share")

        def see(s: SteadyLight) -> np.ndarray:
            nonlocal worst
            if rates[0].signal_fraction * rates[1].signal_fraction == 0.0:
                return np.ones((s.state.shape[0], tau.size))
            one, two = (lit_by(s, light, name) for light, name in zip(lights, lit, strict=True))

            def curve(u: np.ndarray) -> np.ndarray:
                return s.g2(u, one, two) * (1.0 if blinking is None else blinking.correlation(u))

            values, error = detection.smoothed(curve, tau - (b.delay_ns - a.delay_ns), detection.kernels_of(a, b, width))
            worst = max(worst, error)
            return detection.diluted(values, rates[0].signal_fraction, rates[1].signal_fraction)

        values, bound = self._measure(self._continuous(see, "recorded_g2", "ask for recorded_peaks, the areas of the peaks"), "recorded g2")
        bound = max(bound + worst / float(np.abs(values).max()), *(r.error_bound for r in rates))
        return CoincidenceHistogram(*rates, tau, width, values, sum(r.dead_time_loss for r in rates), bound)

    def recorded_peaks(self, count: int, first: str | None = None, second: str | None = None, window_ns: float | None = None) -> PeakAreas:
        """Areas of the coincidence peaks of a train as a laboratory counts them, |tau - m T| < window_ns / 2 (default: the period), m = 0 .. count."""
        period = self.period_ns
        if period is None:
            raise bad("recorded_peaks", "be asked of a train", "light without period_ns", "ask for recorded_g2 under continuous light, or add period_ns")
        a, b = self._two(first, second)
        window = period if window_ns is None else number("window_ns", window_ns, low=0.0, high=period, open_low=True, unit="ns")
        lights = self._detected(a), self._detected(b)
        rates = self._count_rate(a), self._count_rate(b)
        shares = detection.peak_shares(a, b, rates, window, period, self.blinking)
        if not all(any(light.values()) for light in lights):
            raise bad("the detectors", "see some light", "none", "check efficiency, share and collection")
        raw = self._run(lambda p: shares(peak_areas(p, *lights, count_of(count), window)), "recorded_peaks")
        if np.any(np.isnan(raw.given)):
            raise bad("the detectors", "see light under this drive", "mean photon number 0", "check the drive and the collection")
        values, bound = self._measure(raw, "areas of the peaks")
        bound = max(bound, *(r.error_bound for r in rates))
        return PeakAreas(*rates, window, period, values[:-1], float(values[-1]), sum(r.dead_time_loss for r in rates), bound)

    def clicks(self, max: int = 4, window_ns: float | None = None) -> ClickPatterns:
        """Probabilities of the click patterns of all detectors per pulse, exact from P(n) at the detectors.

        max: largest outcome of a number-resolving detector, which means that many or more. window_ns: how long after a single pulse background
        counts; a train counts it over its period. Raises InputError for what photon numbers cannot tell (see docs/detection.md).
        """
        top = count_of(max)
        self._check_counted("clicks")
        if not self.detectors:
            raise bad("Experiment.detectors", "be at least one for clicks", 0, 'for example detectors=[qdot.detection.Detector("A", share=0.5)]')
        shape = detection.outcome_shape(self.detectors, int(np.maximum(top, 1)))
        means = detection.background_means(self.detectors, self.period_ns, window_ns)
        groups = detection.splits_of(self.detectors, [self._seen(d) for d in self.detectors])
        lights, splits = [light for light, _ in groups], [split for _, split in groups]
        runs, beyond = self._detected_numbers(lights, sum(shape))
        patterns = runs.map(lambda p: detection.recorded_patterns(p, splits, shape, self.detectors, means, self.period_ns, self.blinking))
        values, bound = self._measure(patterns.map(np.ravel), "click patterns")
        smallest = float(values[values > 0.0].min(initial=1.0))
        window = self.window if window_ns is None or self.period_ns is not None else f"{self.window}, background over {window_ns:g} ns"
        return ClickPatterns(tuple(d.name for d in self.detectors), values.reshape(shape), window, self.period_ns, bound + beyond / smallest)

    def _counts(self, light: Mapping[Channel, float], top: int) -> Repeats[Counts]:
        return self._run(lambda p: p.count(light, top), "clicks")

    def _detected_numbers(self, lights: Sequence[Mapping[Channel, float]], least: int) -> tuple[Repeats[np.ndarray], float]:
        """(joint distribution of the detected photons of these lights, probability of more than it holds)."""
        if not lights:
            return self._run(lambda p: np.array(1.0), "clicks"), 0.0
        top = int(np.maximum(8, least))
        while True:
            counts = [self._counts(light, top) for light in lights]
            beyond = float(sum(c.given.at_least[top] for c in counts))
            if beyond <= NEGLIGIBLE or 2 * top > MOST_NUMBERS[len(lights) > 1]:
                break
            top *= 2
        if len(lights) == 1:
            return counts[0].map(lambda c: c.probabilities[:top]), beyond
        return self._run(lambda p: p.joint(lights, [top] * len(lights)), "clicks"), beyond
