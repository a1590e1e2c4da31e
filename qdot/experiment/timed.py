"""An experiment whose photons are looked at in time: first photon, delay to the second, and G2(t1, t2) under pulses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot.errors import bad, short
from qdot.experiment.counted import Counted
from qdot.experiment.setup import Label, name_of, times_of
from qdot.model import Channel
from qdot.repeats import Repeats
from qdot.results import ArrivalTimes, Curve
from qdot.statistics import ArrivalLight

POINTS = (8, 10)
"""Gauss-Legendre points on a panel of time, as asked for and in the repeated calculation."""


@dataclass(frozen=True, eq=False)
class Timed(Counted):
    """Photons in time; all of it under pulses, or of a source that starts excited. See Experiment."""

    def _arrivals(self, compute: Callable[[ArrivalLight], Any], what: str) -> Repeats[Any]:
        """One quantity of the light in time by every calculation."""
        return self._run(lambda p: compute(ArrivalLight(p, POINTS[0] if p.stretch == 1.0 else POINTS[1])), what)

    def arrival_times(self, label: Label, stage: str | None = None) -> ArrivalTimes:
        """Mean time of the first photon and mean delay to the second, after a pulse or from an excited start; a train: within a period.

        The first is whichever photon of the label comes first. Raises InputError if the label stays dark.
        """
        light = self._bright(label, stage)
        names = ("probability_first", "probability_second", "mean_first_ns", "mean_delay_ns")
        runs = self._arrivals(lambda a: np.array(a.arrivals(light)), "arrival_times")
        if not runs.given[0] > 0.0:
            raise bad(f"label {label!r}", "emit light under this drive", "none", "check drive, start state and collection")
        known = np.isfinite(runs.given)
        values, bounds = self._measure_each(runs.map(lambda v: np.where(known, v, 0.0)), [f"{n} of {label}" for n in names], np.zeros(4), known)
        figures = {n: float(v) if k else float("nan") for n, v, k in zip(names, values, known, strict=True)}
        return ArrivalTimes(name_of(label), stage or self.stages[-1], self.window, **figures, errors=dict(zip(names, bounds.tolist(), strict=True)))

    def first_photon(self, t_ns: Any, label: Label, stage: str | None = None) -> Curve:
        """Density of the first photon in 1/ns at times t after the start; its integral is the probability that there is one."""
        t, light = self._inside("t_ns", t_ns), self._bright(label, stage)
        values, bound = self._measure(self._arrivals(lambda a: a.first(light, t), "first_photon"), "first_photon")
        return Curve("t_ns", t, values, bound, f"density of the first photon of {name_of(label)}", stage or self.stages[-1], unit="1/ns")

    def delay_distribution(self, tau_ns: Any, label: Label, stage: str | None = None) -> Curve:
        """Density in 1/ns of the delay tau >= 0 between first and second photon, given that both come: its integral is 1.

        Under pulses the time of the first photon is summed over Gauss-Legendre points, whose number the error bound measures.
        """
        tau, light = self._inside("tau_ns", tau_ns), self._bright(label, stage)

        def see(a: ArrivalLight) -> np.ndarray:
            both = a.sums(2, [(1, 0, 0)], [(1, 0)], (light,), True)[0]
            if not both > 0.0:
                raise bad(f"label {label!r}", "emit a second photon", "a source that emits one at most", "name all the lines of the pair")
            return a.delays(light, tau) / both

        values, bound = self._measure(self._arrivals(see, "delay_distribution"), "delay_distribution")
        return Curve("tau_ns", tau, values, bound, f"density of the delay in {name_of(label)}", stage or self.stages[-1], unit="1/ns")

    def correlation_map(self, t_ns: Any, first: Label, second: Label | None = None, stage: str | None = None) -> Curve:
        """G2(t1, t2) in 1/ns^2 under pulses: a photon of `first` at t1 and one of `second` at t2, for all pairs of the times t_ns (n,), increasing.

        The curve holds x = t1, x2 = t2 and value, each (n, n) with t1 along the rows' index; on the diagonal `second` comes just after `first`.
        """
        t = self._inside("t_ns", t_ns)
        if np.any(np.diff(t) <= 0.0):
            raise bad("t_ns", "be increasing", short(t_ns), "sort them and remove repeats")
        second = first if second is None else second
        a, b = self._bright(first, stage), self._bright(second, stage)
        values, bound = self._measure(self._arrivals(lambda one: one.joint(a, b, t), "correlation_map"), "correlation_map")
        t1, t2 = np.meshgrid(t, t, indexing="ij")
        return Curve("t1_ns", t1, values, bound, f"G2({name_of(first)}, {name_of(second)})", stage or self.stages[-1], t2, "t2_ns", "1/ns^2")

    def _inside(self, argument: str, given: Any) -> np.ndarray:
        """Times from 0 to the end of the period."""
        t = times_of(argument, given)
        limit = np.inf if self.period_ns is None else self.period_ns
        if t.ndim != 1 or t.size == 0 or not np.all(np.isfinite(t)) or np.any(t < 0) or np.any(t > limit):
            raise bad(
                argument,
                f"be times in ns between 0 and {limit:g}",
                short(given),
                "count them from the start of the pulse's period, delays from the first photon",
            )
        return t

    def _bright(self, label: Label, stage: str | None) -> Mapping[Channel, float]:
        """The light of a label, if some of it is collected."""
        light = self._light(label, stage)
        if not any(light.values()):
            raise bad(f"collection of {label!r}", "be > 0", 0, "collect some of its light")
        return light
