"""The shown dot and its experiments: one source, continuous light on one day and pulses on another, and what a real detector makes of a peak.

The parameters are *a* set that meets the three published numbers, not *the* set; `region.py` maps what else does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from qdot.drive import CW, Gaussian, Instant
from qdot.emitters import DarkLoadedCascade
from qdot.experiment import Experiment

Array = NDArray[np.float64]

SOURCE: Mapping[str, float] = {
    "lifetime_XX_ns": 0.062,  # assumed: one polarisation enhanced 11-fold, the other not
    "lifetime_X_ns": 0.067,  # assumed: recalled from micropillars of the same group
    "pump_per_ns_per_uW": 0.02,  # only pump times power matters
    "pump_ratio": 1.0,  # assumed
    "selectivity": 0.9698,  # fitted to the share, given the rest
    "spin_flip_per_ns": 5e-4,  # assumed; D -> X is 0.48 of it at 4 K
    "dark_decay_per_ns": 1e-4,  # assumed
    "relaxation_ns": 0.02,  # assumed: tens of picoseconds
    "relaxation_XX_ns": 0.02,
}
"""The dot of both experiments."""
CW_POWER_uW = 0.061
"""Fitted to g2(0) = 3966 after the response."""
PULSE: Mapping[str, float] = {"power_uW": 20.0, "fwhm_ns": 0.01, "period_ns": 12.5}
"""Assumed: 80 MHz, 10 ps, five absorptions per pulse if G were not emptied."""
COLLECTION = 0.711
"""Fitted to the pair efficiency: probability that a photon reaches the first lens."""
JITTER_FWHM_NS, BIN_NS = 0.05, 0.05
"""Assumed detection: Gaussian jitter of each detector, full width of a coincidence bin."""
ONE = {"selectivity": 0.96958, "collection": 0.78285}
"""The same dot under one instant pulse per period (at most one exciton): what the share and the efficiency then need."""
TWO = {"selectivity": 0.96673, "collection": 0.56063}
"""The same under two instant pulses GAP_NS apart."""
GAP_NS = 0.1


def source(**changes: float) -> DarkLoadedCascade:
    """The shown dot, with changes."""
    return DarkLoadedCascade(**{**SOURCE, **changes})


def continuous(power_uW: float = CW_POWER_uW, **changes: float) -> Experiment:
    """The shown dot under continuous light."""
    return Experiment(source(**changes), drive=CW(power_uW=power_uW), collection={"pair": COLLECTION})


def train(period_ns: float = PULSE["period_ns"], fwhm_ns: float = PULSE["fwhm_ns"], **changes: float) -> Experiment:
    """The shown dot under the train of pulses; the pulse energy does not change with the period."""
    energy = PULSE["power_uW"] * PULSE["period_ns"]
    drive = Gaussian(power_uW=energy / period_ns, fwhm_ns=fwhm_ns, period_ns=period_ns)
    return Experiment(source(**changes), drive=drive, collection={"pair": COLLECTION})


def instant_train(starts_ns: tuple[float, ...], selectivity: float, collection: float, period_ns: float = PULSE["period_ns"]) -> Experiment:
    """The shown dot under instant pulses, each of the shown energy: through hot levels each adds at most one exciton."""
    energy = PULSE["power_uW"] * PULSE["period_ns"]
    pulses = tuple(Instant(power_uW=energy / period_ns, start_ns=t, period_ns=period_ns) for t in starts_ns)
    return Experiment(source(selectivity=selectivity), drive=pulses, collection={"pair": collection}, rtol=1e-7)


def g2_after_response(experiment: Experiment, jitter_fwhm_ns: float = JITTER_FWHM_NS, bin_ns: float = BIN_NS, label: str = "pair") -> float:
    """Continuous-wave g2(0) of a label averaged over a bin centred on zero delay, after the jitter of two equal detectors.

    The delay of two detections at equal times has a spread of root 2 times one detector's. Gauss-Legendre quadrature on panels; exact to 1e-9.
    """
    s = math.sqrt(2.0) * jitter_fwhm_ns / math.sqrt(8.0 * math.log(2.0))
    x, w = np.polynomial.legendre.leggauss(24)
    edges = np.linspace(0.0, 0.5 * bin_ns + 9.0 * s, 7)
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[:-1] + edges[1:])[:, None]
    tau, weight = (middle + half * x).ravel(), (half * w).ravel()
    window = (ndtr((tau + 0.5 * bin_ns) / s) - ndtr((tau - 0.5 * bin_ns) / s)) / bin_ns
    return float(2.0 * np.sum(weight * window * np.asarray(experiment.g2(tau, label, label))))


def schemes() -> dict[str, Experiment]:
    """Three ways to load the same dot, each with the selectivity that gives the share."""
    return {
        "one 10 ps pulse (shown set)": train(),
        "one short pulse: one exciton": instant_train((0.0,), **ONE),
        "two short pulses": instant_train((0.0, GAP_NS), **TWO),
    }


def shown() -> dict[str, float]:
    """The shown set on the axes of the region."""
    return {
        "lifetime_X_ns": SOURCE["lifetime_X_ns"],
        "pump_ratio": SOURCE["pump_ratio"],
        "flip_per_ns": source().dark_to_bright_per_ns,
        "dark_per_ns": SOURCE["dark_decay_per_ns"],
        "leak": 1.0 - SOURCE["selectivity"],
        "relaxation_ns": SOURCE["relaxation_ns"],
        "collection": COLLECTION,
    }


@dataclass(frozen=True)
class PowerSeries:
    """Continuous-wave observables against power: g2(0) after the response, emitted flux of pair light in 1/ns, pair flux fraction."""

    power_uW: Array
    g2_zero: Array
    flux_per_ns: Array
    pair_fraction: Array


def power_series(power_uW: Array, **changes: float) -> PowerSeries:
    """The power series of the shown dot, with changes."""
    runs = [continuous(float(p), **changes) for p in power_uW]
    return PowerSeries(
        power_uW,
        np.array([g2_after_response(r) for r in runs]),
        np.array([r.flux_per_ns("pair", stage="emission") for r in runs]),
        np.array([r.pair_flux_fraction() for r in runs]),
    )
