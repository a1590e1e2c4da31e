"""Light acting back on the dot: the same two photons through one cavity mode, through a mode each, and a single exciton's photon beside them.

"One mode" is what XX and X of equal energy and polarisation share; the comparison, "separate modes", are two modes of the same pillar with one line in
each, so that no photon meets the other. All of it starts in |XX> (the single exciton in |X>) with empty modes: weak continuous light
prepares nothing else, and g2(tau) beside zero delay is then the density of delays. What a lab calls the decay trace is `traces`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from qdot import InMicropillar, Micropillar
from qdot.drive import CW, Gaussian
from qdot.experiment import Experiment
from qdot.model import Jump, Model
from qdot.results import ArrivalTimes

from .closed import response_factor
from .dot import BIN_NS, JITTER_FWHM_NS, SOURCE, CW_POWER_uW, source, train
from .region import largest_flip_per_ns
from .response import Sampled

Array = NDArray[np.float64]
Kind = Literal["one mode", "separate modes", "single exciton"]
KINDS: tuple[Kind, ...] = ("one mode", "separate modes", "single exciton")

PILLAR = Micropillar(quality_factor=9350.0, wavelength_nm=900.0, purcell_factor=10.9)
"""Assumed: F_P read and Q recalled from micropillars of the same group, not of this dot; wavelength assumed; side emission as without a cavity."""
LIFETIME_NS = SOURCE["lifetime_X_ns"]
"""Of the exciton in the cavity."""
RESPONSES_NS = (0.0, 0.02, 0.05)
"""Gaussian jitter (FWHM) of each detector."""
LONG = 30.0
"""Mean delays after which nothing is left, at the ratios kappa / Gamma_P >= 1 that are looked at."""


def pillar_of(kappa_over_gamma: float) -> Micropillar:
    """A pillar into whose modes everything goes, at Gamma_P = 1/LIFETIME_NS, and out of them at this multiple of it."""
    narrower = PILLAR.kappa_per_ns * LIFETIME_NS / kappa_over_gamma
    return Micropillar(quality_factor=narrower * PILLAR.quality_factor, wavelength_nm=PILLAR.wavelength_nm, purcell_factor=1.0, side_emission=0.0)


def free_lifetime_ns(pillar: Micropillar = PILLAR) -> float:
    """Lifetime without the cavity of a dot that emits in LIFETIME_NS with it."""
    return LIFETIME_NS * (pillar.largest_purcell_factor + pillar.side_emission)


def kappa_over_gamma(pillar: Micropillar = PILLAR) -> float:
    """kappa over the rate into the mode."""
    return pillar.kappa_per_ns * free_lifetime_ns(pillar) / pillar.largest_purcell_factor


def ladder(kind: Kind, pillar: Micropillar = PILLAR, binding_ueV: float = 0.0) -> Experiment:
    """XX -> X -> G in a pillar, started once. X is on resonance with the modes, XX -> X lies lower by the binding energy.

    Separate modes: the photons of XX are polarised along H and those of X along V, and each polarisation has its own mode.
    """
    rate = 1.0 / free_lifetime_ns(pillar)
    second = "V" if kind == "separate modes" else "H"
    jumps = (Jump.of("XX", "X", rate, "XX", "H"), Jump.of("X", "G", rate, "X", second))
    start = "X" if kind == "single exciton" else "XX"
    dot = Model(("G", "X", "XX"), start, {"XX": -binding_ueV}, jumps)
    return Experiment(InMicropillar(source=dot, pillar=pillar))


@dataclass(frozen=True, eq=False)
class Timing:
    """When the light of one experiment comes: the delay between its two photons, or the time of a single exciton's photon, as if a click had started it."""

    experiment: Experiment

    @cached_property
    def _times(self) -> ArrivalTimes:
        return self.experiment.arrival_times("mode")

    @property
    def _is_pair(self) -> bool:
        return self._times.probability_second > 0.0

    @property
    def mean_first_ns(self) -> float:
        """Mean time of the first photon."""
        return self._times.mean_first_ns

    @property
    def mean_ns(self) -> float:
        """Mean delay."""
        return self._times.mean_delay_ns if self._is_pair else self._times.mean_first_ns

    @property
    def mean_last_ns(self) -> float:
        """Mean time of the last photon, where none is lost."""
        return self._times.mean_first_ns + self.mean_ns

    def density(self, delays_ns: Array) -> Array:
        """(n,) density of the delay in 1/ns, ideal detectors; its integral is 1."""
        if self._is_pair:
            return np.asarray(self.experiment.delay_distribution(delays_ns, "mode"))
        return np.asarray(self.experiment.first_photon(delays_ns, "mode")) / self._times.probability_first

    @cached_property
    def sampled(self) -> Sampled:
        """The density on quadrature points, fine enough for every response that is looked at."""
        return Sampled.of(self.density, self.experiment.source.pillar.kappa_per_ns, LONG * self.mean_ns, min(r for r in RESPONSES_NS if r > 0.0))

    def recorded(self, delays_ns: Array, jitter_fwhm_ns: float) -> Array:
        """(n,) density of the recorded delay in 1/ns, each detector with this jitter."""
        return self.density(delays_ns) if jitter_fwhm_ns == 0.0 else self.sampled.recorded(delays_ns, jitter_fwhm_ns)

    def mean_recorded_ns(self, jitter_fwhm_ns: float) -> float:
        """Mean of the recorded delay."""
        return self.mean_ns if jitter_fwhm_ns == 0.0 else self.sampled.mean_ns(jitter_fwhm_ns)

    def zero(self, jitter_fwhm_ns: float = 0.0) -> float:
        """Density of the recorded delay at zero, 1/ns."""
        return float(self.recorded(np.zeros(1), jitter_fwhm_ns)[0])


def timing(kind: Kind, pillar: Micropillar = PILLAR, binding_ueV: float = 0.0) -> Timing:
    """The light of a ladder in time."""
    return Timing(ladder(kind, pillar, binding_ueV))


def late_rate_per_ns(light: Timing, around_ns: float = 0.3) -> float:
    """Decay rate of the density of delays long after the modes have emptied."""
    early, late = 0.9 * around_ns, 1.1 * around_ns
    p = light.density(np.array([early, late]))
    return float(math.log(p[0] / p[1]) / (late - early))


def in_the_cavity(light: Literal["rates", "modes"]) -> Experiment:
    """The shown dot under its weak continuous light, loading included: both lines Purcell-enhanced, or both in one quantised mode (line "mode")."""
    free = free_lifetime_ns()
    dot = source(lifetime_XX_ns=free, lifetime_X_ns=free)
    return Experiment(InMicropillar(source=dot, pillar=PILLAR, light=light, lines=("XX", "X")), drive=CW(power_uW=CW_POWER_uW))


# ------------------------------------------------------------------------------------------------------------- telling one mode from two


@dataclass(frozen=True)
class Disguise:
    """The one-mode curve that comes closest to what separate modes look like behind a response.

    coincidences: so many tell the two apart by five standard errors; lifetime: over the true one; jitter_fwhm_ns: of each detector.
    """

    coincidences: float
    lifetime: float
    jitter_fwhm_ns: float


def disguise(one: Timing, separate: Timing, jitter_fwhm_ns: float, lifetime: bool = False, response: bool = False) -> Disguise:
    """How one mode can pass for separate modes if the lifetime, or the response, is not known otherwise.

    With q the recorded density of separate modes and p that of one mode, n coincidences differ by chi2 = n int (p - q)^2 / q.
    """
    reach = 12.0 * separate.mean_ns
    delays = np.linspace(0.0, reach, 401)
    step = delays[1]
    weight = np.full(delays.size, step)
    weight[0] = weight[-1] = 0.5 * step  # the recorded curve is even and smooth: the trapezoidal rule is exact far below what is printed
    q = separate.recorded(delays, jitter_fwhm_ns)
    root = np.sqrt(weight / q)
    free = np.array([lifetime, response])

    def values(x: Array) -> Array:
        full = np.zeros(2)
        full[free] = x
        return full

    def residual(x: Array) -> Array:
        longer, wider = np.exp(values(x))
        return np.asarray(root * (one.sampled.stretched(longer).recorded(delays, wider * jitter_fwhm_ns) - q))

    x = least_squares(residual, np.full(free.sum(), 0.05), xtol=1e-10).x if free.any() else np.zeros(0)
    longer, wider = np.exp(values(x))
    return Disguise(25.0 / float(np.sum(residual(x) ** 2)), float(longer), float(wider * jitter_fwhm_ns))


# ------------------------------------------------------------------------------------------------------------------ ordinary decay traces


@dataclass(frozen=True, eq=False)
class Trace:
    """Light against time: times_ns (n,), flux_per_ns (n,)."""

    times_ns: Array
    flux_per_ns: Array

    @property
    def peak_ns(self) -> float:
        """When it is brightest."""
        return float(self.times_ns[np.argmax(self.flux_per_ns)])

    @property
    def fall_ns(self) -> float:
        """From the brightest moment until 1/e of it is left."""
        start = int(np.argmax(self.flux_per_ns))
        log = np.log(self.flux_per_ns[start:] / self.flux_per_ns[start])
        end = int(np.argmax(log < -1.0))
        share = (log[end - 1] + 1.0) / (log[end - 1] - log[end])
        t = self.times_ns[start:]
        return float(t[end - 1] + share * (t[end] - t[end - 1]) - t[0])

    @property
    def mean_ns(self) -> float:
        """Mean time of a photon."""
        return float(np.trapezoid(self.times_ns * self.flux_per_ns, self.times_ns) / np.trapezoid(self.flux_per_ns, self.times_ns))


def largest_return_per_ns() -> float:
    """The largest spin flip D -> X that g2(0) = 3966 leaves the shown dot at any power, without leakage and dark decay."""
    factor = float(response_factor(LIFETIME_NS, JITTER_FWHM_NS, BIN_NS))
    return float(largest_flip_per_ns(np.asarray(LIFETIME_NS), np.asarray(SOURCE["pump_ratio"]), 3966.0 / factor))


def returning(per_ns: float) -> Experiment:
    """The shown train with another spin flip D -> X."""
    return train(spin_flip_per_ns=per_ns * SOURCE["spin_flip_per_ns"] / source().dark_to_bright_per_ns)


def trace(experiment: Experiment, line: str, end_ns: float = 0.0) -> Trace:
    """The decay trace of a line at emission; under pulses from their centre to the end of the period, else until end_ns."""
    drive = experiment.drive
    begin, end = (drive.start_ns + 0.5 * drive.length_ns, drive.period_ns or end_ns) if isinstance(drive, Gaussian) else (0.0, end_ns)
    near = begin + 1e-3 * np.arange(1001)
    times = np.concatenate([near, np.linspace(near[-1], end, 400)[1:]])
    return Trace(times - begin, np.asarray(experiment.emission_profile(times, line, stage="emission")))
