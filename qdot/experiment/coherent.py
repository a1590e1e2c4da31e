"""An experiment whose light interferes: g1, spectra, two-photon interference, polarisation of photon pairs. Always in the Lindblad picture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self, TypeVar

import numpy as np

from qdot.drive import CW
from qdot.errors import bad, number, short
from qdot.evolve import NotUnique, TooManySteps
from qdot.evolve.tail import Endless
from qdot.experiment.setup import EPS, OTHER_STEPS, Label, delays_of, name_of, times_of, two_of
from qdot.experiment.timed import POINTS, Timed
from qdot.generator import stokes_jumps
from qdot.repeats import Repeats
from qdot.results import Curve, Interference, Spectrum, TwoPhotonState
from qdot.statistics import (
    BELL,
    LARGEST,
    PulsedFields,
    Sensor,
    SteadyFields,
    TooLarge,
    best_fidelity,
    concurrence,
    density_matrix,
    pulsed_fields,
    pulsed_stokes,
    sensor_g2,
    steady_fields,
    steady_stokes,
)

T = TypeVar("T")
Fields = TypeVar("Fields", SteadyFields, PulsedFields)


@dataclass(frozen=True, eq=False)
class Coherent(Timed):
    """What rests on fields and not on photon numbers alone. See Experiment."""

    @cached_property
    def _lindblad(self) -> Self:
        """This experiment in the Lindblad picture."""
        return self if self.timeline.generator.operators is not None else dataclasses.replace(self, picture="lindblad")

    def _fieldwise(self, what: str) -> Self:
        """This experiment in the Lindblad picture, if it was not asked to be a rate equation."""
        if self.picture == "rate":
            raise bad(
                what, "be asked of the Lindblad picture: rate equations hold no fields", "picture 'rate'", "leave picture out, or ask for g2 and photon_numbers"
            )
        return self._lindblad

    def _of_fields(self, make: Callable[..., Fields], compute: Callable[[Fields], T], what: str) -> Repeats[T]:
        """One quantity of the fields by every calculation."""

        def told(role: str, less: int = 0) -> T:
            key: Any = (make, role, less)
            try:
                if key not in self._made:
                    timeline, stretch = self._cut(role, less), 1.0
                    if role == "moved":
                        timeline, stretch = timeline.jittered(EPS, np.random.default_rng(20260302)), OTHER_STEPS
                    self._made[key] = make(timeline, stretch)
                return compute(self._made[key])
            except NotUnique as e:
                raise self._not_unique(e) from None
            except TooManySteps:
                raise self._too_many_steps() from None
            except TooLarge as e:
                must = f"be asked of a system that is small enough ({LARGEST} unknowns) for |G1|^2 under pulses"
                raise bad(what, must, f"{e.unknowns} unknowns", "lower fock, leave out a mode, or use Purcell-enhanced rates") from None
            except Endless:
                again = "a source whose continuous part excites it again for ever, or keeps a coherence for ever"
                raise bad(
                    what, "be an integral over a finite amount of light", again, "give a pulsed drive a period_ns, or ask for it under continuous light"
                ) from None

        lower = tuple(told("lower", k) for k in self._lower(self.timeline.generator.dimension))
        return Repeats(told("given"), told("moved"), lower, None if self._raised is None else cache(lambda: told("raised")))

    def _steadily(self, compute: Callable[[SteadyFields], T], what: str, instead: str) -> Repeats[T]:
        if self._is_counted_to_the_end():
            raise bad(what, "be asked of a continuous drive", "a pulsed one" if self.is_pulsed else "a source without any drive", instead)
        return self._of_fields(steady_fields, compute, what)

    def _in_pulses(self, compute: Callable[[PulsedFields], T], what: str, instead: str) -> Repeats[T]:
        if not self._is_counted_to_the_end():
            raise bad(what, "be asked of a pulsed drive, or of a decay without any drive", "a continuous drive", instead)
        return self._of_fields(pulsed_fields, compute, what)

    def _is_counted_to_the_end(self) -> bool:
        """True under pulses, and for a source that only decays."""
        return self.is_pulsed or (not any(isinstance(d, CW) for d in self.drives) and self._decays_only())

    @property
    def window_of_light(self) -> str:
        """What `window` says, but for a source that a static term drives for ever."""
        return self.window if self._is_counted_to_the_end() else "continuous"

    # ------------------------------------------------------------------------------------------------------------ first order

    def g1(self, tau_ns: Any, label: Label) -> Curve:
        """g1(tau) = <c^dag(0) c(tau)> / <c^dag c> of continuous light: complex, 1 at 0, turning as exp(-i E tau / hbar), E above the frame.

        Lines and polarisations in one label are modes that can be told apart: their coherences add, weighted with their flux.
        """
        return self._fieldwise("g1")._g1(delays_of(tau_ns), label)

    def _g1(self, tau: np.ndarray, label: Label) -> Curve:
        light = self._bright(label, None)

        def see(s: SteadyFields) -> np.ndarray:
            fields = s.fields(light)
            value = s.first_order(fields, tau) / self._positive(s.flux(fields), label)
            return np.array([value.real, value.imag])

        runs = self._steadily(see, "g1", "ask for spectrum or interference of the pulses")
        values, bound = self._measure(runs, f"g1 of {label}")
        return Curve("tau_ns", tau, values[0] + 1j * values[1], bound, f"g1({name_of(label)})", self.stages[-1])

    def hom_g2(self, tau_ns: Any, label: Label) -> Curve:
        """Coincidences at delay tau after a balanced splitter on which continuous light meets itself after a delay far beyond its memory.

        (g2(tau) + 1 - |g1(tau)|^2) / 2 for equal polarisations, without interference (g2(tau) + 1) / 2. Far away 1, or 1 - e^2 / 2 where the share e
        of the light is one elastic line, whose g1 does not fall. The light of the label is taken as one mode for each line and polarisation.
        """
        tau, me = delays_of(tau_ns), self._fieldwise("hom_g2")
        light = me._bright(label, None)

        def see(s: SteadyFields) -> np.ndarray:
            overlap = np.zeros(tau.size)
            fields = s.fields(light)
            flux = me._positive(s.flux(fields), label)
            for f in fields:
                overlap += np.abs(s.first_order([f], tau) / flux) ** 2
            return 0.5 * (s.counted.g2(tau, light, light)[0] + 1.0 - overlap)

        values, bound = me._measure(me._steadily(see, "hom_g2", "ask for interference of the pulses"), f"hom_g2 of {label}")
        return Curve("tau_ns", tau, values, bound, f"HOM g2({name_of(label)})", me.stages[-1])

    def spectrum(self, energy_ueV: Any, label: Label, stage: str | None = None) -> Spectrum:
        """Emission spectrum at energies above the frame, in photons per ns and ueV; under pulses integrated over time, photons per pulse and ueV.

        Continuous light: the elastic line of a laser stands apart. A train: both times of <c^dag(t1) c(t2)> within one period.
        """
        energies = times_of("energy_ueV", energy_ueV, "ueV")
        if energies.ndim != 1 or energies.size == 0 or not np.all(np.isfinite(energies)):
            raise bad("energy_ueV", "be a non-empty list of finite energies in ueV", short(energy_ueV), "for example np.linspace(-20.0, 20.0, 81)")
        return self._fieldwise("spectrum")._spectrum(energies, label, stage)

    def _spectrum(self, energies: np.ndarray, label: Label, stage: str | None) -> Spectrum:
        light = self._bright(label, stage)
        elastic: tuple[tuple[float, float], ...] = ()
        runs: Repeats[Any]
        if self._is_counted_to_the_end():
            photons = float(self._measure(self._means(light), f"mean photons of {label}")[0][0])
            runs = self._in_pulses(lambda p: p.spectrum(p.fields(light), energies), "spectrum", "")
        else:
            lines = self._steadily(lambda s: (s.flux(s.fields(light)), s.elastic(s.fields(light))), "spectrum", "")
            photons, elastic = lines.given[0], tuple(lines.given[1])
            runs = self._steadily(lambda s: s.spectrum(s.fields(light), energies), "spectrum", "")
        self._positive(photons, label)
        values, bound = self._measure(runs, f"spectrum of {label}")
        return Spectrum(name_of(label), stage or self.stages[-1], self.window_of_light, energies, values, elastic, photons, bound)

    def filtered_g2(
        self, tau_ns: Any, energies_ueV: tuple[float, float], fwhm_ueV: float | tuple[float, float], first: Label, second: Label | None = None
    ) -> Curve:
        """g2(tau) of continuous light behind two narrow filters, Lorentzian, at two energies above the frame: `second` passes the second filter tau later.

        fwhm_ueV: full width of both filters, or one for each. By sensors of vanishing coupling: exact for light that the filters share out.
        """
        tau = delays_of(tau_ns)
        at = two_of("energies_ueV", energies_ueV, "ueV")
        widths = two_of("fwhm_ueV", fwhm_ueV if np.ndim(fwhm_ueV) else (fwhm_ueV, fwhm_ueV), "ueV")
        for e, w in zip(at, widths, strict=True):
            number("energies_ueV", e, unit="ueV")
            number("fwhm_ueV", w, low=0.0, open_low=True, unit="ueV")
        me, second = self._fieldwise("filtered_g2"), first if second is None else second
        a, b = me._bright(first, None), me._bright(second, None)
        sensors = (Sensor(at[0], widths[0]), Sensor(at[1], widths[1]))
        runs = me._steadily(lambda s: sensor_g2(s, s.fields(a), s.fields(b), sensors, tau), "filtered_g2", "put Filters into the light: filtered(...)")
        if np.isnan(runs.given).any():
            me._positive(0.0, first)
        values, bound = me._measure(runs, f"filtered g2 of {first} and {second}")
        return Curve("tau_ns", tau, values, bound, f"filtered g2({name_of(first)}, {name_of(second)})", me.stages[-1])

    # ------------------------------------------------------------------------------------------------------------ two photons

    def interference(
        self, label: Label, gate_ns: tuple[float, float] | None = None, reflectivity: float = 0.5, contrast: float = 1.0, stage: str | None = None
    ) -> Interference:
        """Two photons from two independent pulses on a beam splitter: indistinguishability M, g2 and the visibility of their interference.

        gate_ns: both detectors are open from one time to the other, counted from the start (of the period); reflectivity of the splitter;
        contrast: overlap of the two beams' amplitudes. Modes that can be told apart (lines, polarisations) interfere each with itself. A train: both
        photons within a period. The phase between pulses is taken as random.
        """
        number("interference reflectivity", reflectivity, 0.0, 1.0)
        number("interference contrast", contrast, 0.0, 1.0)
        gate = None if gate_ns is None else self._gate(gate_ns)
        return self._fieldwise("interference")._interference(label, gate, reflectivity, contrast, stage)

    def _interference(self, label: Label, gate: tuple[float, float] | None, reflectivity: float, contrast: float, stage: str | None) -> Interference:
        light = self._bright(label, stage)
        begin, end = (0.0, math.inf) if gate is None else gate
        overlap = self._in_pulses(lambda p: p.overlap(p.fields(light), begin, end), "interference", "ask for hom_g2")
        counts = self._arrivals(lambda a: a.pairs(light, light, begin, end), "interference")
        mean = counts.given[0]
        if gate is not None and not mean**2 >= np.finfo(float).tiny:
            got = f"a mean of {mean:.2g} photons of {name_of(label)} from {begin:g} to {end:g} ns"
            raise bad("gate_ns", "be a time in which there is light", got, "open the gate later or longer: arrival_times says when photons come")
        self._positive(mean, label)
        r, t = reflectivity, 1.0 - reflectivity

        def figures(pair: tuple[float, np.ndarray]) -> np.ndarray:
            mean, g2 = pair[1][0], pair[1][2] / pair[1][0] ** 2
            m = pair[0] / mean**2
            apart = 2 * r * t * g2 + r * r + t * t
            together = apart - 2 * r * t * contrast**2 * m
            return np.array([mean, g2, m, together, apart, 1.0 - 2.0 * together, 1.0 - together / apart])

        names = ["mean_photons", "g2_zero", "indistinguishability", "coincidences", "coincidences_distinguishable", "visibility", "relative_visibility"]
        runs = overlap.together(counts).map(figures)
        values, bounds = self._measure_each(runs, [f"{n} of {label}" for n in names], np.array([0.0, 1, 1, 1, 1, 1, 1]), np.ones(7, dtype=bool))
        found = dict(zip(names, values.tolist(), strict=True))
        return Interference(name_of(label), stage or self.stages[-1], self.window, gate, **found, errors=dict(zip(names, bounds.tolist(), strict=True)))

    def two_photon_state(self, first: str = "XX", second: str = "X", delay_ns: tuple[float, float] | None = None, stage: str | None = None) -> TwoPhotonState:
        """Polarisation state of pairs of photons, one of line `first` and one of line `second`: density matrix, concurrence, fidelities, coincidences.

        delay_ns: only pairs whose second photon comes from low to high ns after the first (negative: before it). Under pulses the default is any
        delay (a train: both photons within a period); continuous light needs a window. Lines need jumps of polarisation H or V, and must not be
        analysed.
        """
        me = self._fieldwise("two_photon_state")
        steady = not me._is_counted_to_the_end()
        if delay_ns is None and steady:
            raise bad("delay_ns", "be a window of delays under continuous light", "none", "for example delay_ns=(0, 1)")
        low, high = (-math.inf, math.inf) if delay_ns is None else me._window(delay_ns, steady)
        return me._two_photon_state(first, second, None if delay_ns is None else (low, high), low, high, stage)

    def _two_photon_state(self, first: str, second: str, delay: tuple[float, float] | None, low: float, high: float, stage: str | None) -> TwoPhotonState:
        eta = self._transmission(stage)
        for argument, line in (("first", first), ("second", second)):
            if not isinstance(line, str) or line not in self.model.lines:
                raise bad(argument, "name one line", repr(line), f"choose from {', '.join(map(repr, self.model.lines))}")

        def see(fields: Any) -> np.ndarray:
            a, b = ([eta[line] * s for s in stokes_jumps(fields.timeline.generator, line)] for line in (first, second))
            if isinstance(fields, SteadyFields):
                return steady_stokes(fields, a, b, low, high)
            return pulsed_stokes(fields, a, b, low, high, POINTS[0] if fields.stretch == 1.0 else POINTS[1])

        runs: Repeats[np.ndarray]
        runs = (
            self._steadily(see, "two_photon_state", "")
            if delay is not None and not self._is_counted_to_the_end()
            else self._in_pulses(see, "two_photon_state", "")
        )
        stokes, bound = self._measure(runs, f"coincidences of {first} and {second}", over_largest=True)
        if not stokes[0, 0] > 0.0:
            raise bad(f"lines {first!r} and {second!r}", "come in pairs in this window", "no coincidences", "check drive, collection and delay_ns")
        rho = density_matrix(stokes)
        bell = BELL["phi+"]
        return TwoPhotonState(
            first,
            second,
            stage or self.stages[-1],
            self.window_of_light,
            delay,
            rho,
            stokes,
            float(stokes[0, 0]),
            concurrence(rho),
            float((bell @ rho @ bell).real),
            best_fidelity(rho),
            float(np.trace(rho @ rho).real),
            {"stokes": bound},
        )

    # ------------------------------------------------------------------------------------------------------------ arguments

    def _gate(self, gate_ns: tuple[float, float]) -> tuple[float, float]:
        """A gate inside the time in which photons are counted."""
        limit = math.inf if self.period_ns is None else self.period_ns
        begin, end = two_of("gate_ns", gate_ns)
        if not 0.0 <= begin < end <= limit:
            raise bad("gate_ns", f"be two times 0 <= from < to <= {limit:g} ns", gate_ns, "count them from the start of the period")
        return begin, end

    def _window(self, delay_ns: tuple[float, float], finite: bool) -> tuple[float, float]:
        """A window of delays."""
        low, high = two_of("delay_ns", delay_ns)
        if not low < high or (finite and not (math.isfinite(low) and math.isfinite(high))):
            raise bad("delay_ns", "be two delays from < to" + (", both finite under continuous light" if finite else ""), delay_ns)
        return low, high

    @staticmethod
    def _positive(amount: float, label: Label) -> float:
        if not amount > 0.0:
            raise bad(f"label {label!r}", "emit light under this drive", "none", "check drive, start state and collection")
        return amount
