"""The joint fit of one dot directly to the histograms: every bin of all eight settings in one Poisson likelihood, no summary numbers in between.

Shared: the dot's five parameters, one zero delay (a cable) and, if asked for, the width of the detectors' response. Each setting has its own side-peak
area and background. The peaks are those of `peaks.coincidences`, integrated over the bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from qdot.emitters import ReservoirDot
from qdot.experiment import Experiment
from qdot.fitting import FitResult, Observation
from qdot.fitting import fit as fit_all

from .peaks import Peaks, Rates, coincidences
from .points import PERIOD_NS, Points, Setting

KEPT = 64
"""So many sources are remembered: slopes ask each histogram for the same neighbours."""


class Combs:
    """Coincidences against delay of a source at every power that was measured: density per ns in units of the side peaks' area, and its integral."""

    def __init__(self, powers_uW: np.ndarray, max_pairs: int) -> None:
        self.powers, self.rates = np.unique(powers_uW), Rates(max_pairs)
        self.known: dict[ReservoirDot, tuple[Peaks, Any, Any]] = {}

    def _of(self, source: ReservoirDot) -> tuple[Peaks, Any, Any]:
        if source not in self.known:
            if len(self.known) >= KEPT:
                self.known.pop(next(iter(self.known)))
            p = coincidences(source, self.powers, PERIOD_NS, self.rates)
            self.known[source] = p, CubicSpline(p.tau_ns, p.side, axis=0), CubicSpline(p.tau_ns, p.central, axis=0)
        return self.known[source]

    def _index(self, e: Experiment) -> int:
        return int(np.argmin(np.abs(self.powers - e.drives[0].power_uW)))

    def density(self, e: Experiment, tau_ns: np.ndarray) -> np.ndarray:
        """(n,) at delays (n,)."""
        (_, side, central), k = self._of(e.source), self._index(e)
        m = np.round(tau_ns / PERIOD_NS)
        offset = np.abs(tau_ns - m * PERIOD_NS)
        return np.where(m == 0, central(offset)[:, k], side(offset)[:, k])

    def integral(self, e: Experiment, tau_ns: np.ndarray) -> np.ndarray:
        """(n,) from 0 to delays (n,)."""
        (_, side, central), k = self._of(e.source), self._index(e)
        far, near, half = side.antiderivative(), central.antiderivative(), PERIOD_NS / 2
        m = np.round(tau_ns / PERIOD_NS)
        u = tau_ns - m * PERIOD_NS
        within = np.sign(u) * np.where(m == 0, near(np.abs(u))[:, k], far(np.abs(u))[:, k])
        return within + 2 * m * far(half)[k] + np.sign(m) * (near(half) - far(half))[k]


def fit_histograms(start: Experiment, found: list[Setting], measured: Points, vary: Mapping[str, Any], response: bool = False, **more: Any) -> FitResult:
    """The fit. start: the dot; vary: its parameters; measured: where areas, backgrounds and the zero delay begin; response: free its width, too."""
    combs = Combs(measured.power_uW, start.source.max_pairs)
    shared = {"histogram.zero_delay_ns": (measured.zero_delay_ns, measured.zero_delay_ns - 1.0, measured.zero_delay_ns + 1.0)}
    if response:
        shared["histogram.fwhm_ns"] = (0.4, 0.02, 3.0)
    own: dict[str, Any] = {}
    observations = []
    for i, setting in enumerate(found):
        width, name = setting.histogram.bin_width_ns, "s" + setting.name
        own[f"{name}.counts_per_bin"] = (float(measured.side_area[i]) * width, 1.0, None)
        own[f"{name}.background_per_bin"] = (float(measured.background_per_ns[i]) * width, 1e-3, None)
        at = {"drive.power_uW": setting.power_uW}
        observations.append(Observation(data=setting.histogram, name=name, label="X", at=at, curve=combs.density, integral=combs.integral))
    return fit_all(start, observations, vary={**vary, **shared, **own}, label="X", **more)
