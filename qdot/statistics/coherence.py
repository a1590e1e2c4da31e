"""First-order coherence of steady light: g1(tau), spectra, and what interferes behind a beam splitter.

G1(tau) = <c^dag(0) c(tau)> = Tr c e^{L tau}(rho c^dag), turning as exp(-i E tau / hbar) for light of energy E above the frame; the spectrum is
S(E) = 1/(pi hbar) Re int_0^inf exp(i E tau / hbar) (G1(tau) - |<c>|^2) dtau, with the elastic line |<c>|^2 apart. Modes that can be told apart add.
Source: Carmichael, Statistical Methods in Quantum Optics 1 (Springer, 1999), chapter 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdot.evolve import Flow, Matrix, Resolvent, dense, pattern, reach, relevant, restrict
from qdot.generator import Coordinates, Field, Timeline, fields_of
from qdot.model import Channel
from qdot.statistics.continuous import SteadyLight, steady_light
from qdot.units import HBAR_UEV_NS


@dataclass(frozen=True, eq=False)
class Sector:
    """What one field operator's correlation needs: the part of rho c^dag that c sees again.

    keep: indices into the full x; start: (d,) complex rho c^dag; row: (d,) complex Tr c .; generator: (d, d); steady: (d,) and trace: (d,), None
    where the sector keeps no trace; amplitude: <c>.
    """

    keep: np.ndarray
    start: np.ndarray
    row: np.ndarray
    generator: np.ndarray
    steady: np.ndarray | None
    trace: np.ndarray | None
    amplitude: complex


@dataclass(frozen=True, eq=False)
class SteadyFields:
    """The steady state (d,) of a timeline in the Lindblad picture, its generator (d, d), and which entries of the state there can be.

    counted: the same light for what photon counting sees.
    """

    timeline: Timeline
    counted: SteadyLight
    whole: Matrix
    state: np.ndarray
    reached: np.ndarray
    stretch: float

    @cached_property
    def coordinates(self) -> Coordinates:
        """How matrices are written as coordinates."""
        return Coordinates(round(self.state.size**0.5))

    def fields(self, light: Mapping[Channel, float]) -> list[Field]:
        """The field operators of a light."""
        return fields_of(self.timeline.generator, light)

    def flux(self, fields: Sequence[Field]) -> float:
        """Photons per ns."""
        c = self.coordinates
        return float(sum(f.weight * (c.trace_with((f.operator.conj().T @ f.operator).tocsr()) @ self.state).real for f in fields))

    def sector(self, field: Field) -> Sector | None:
        """The part of x that a field's correlation lives in; None if the field is dark."""
        into, row = self.coordinates.both_sides(None, field.operator), self.coordinates.trace_with(field.operator)
        keep = relevant([self.whole], (abs(into) @ self.reached.astype(float)) > 0.0, row != 0.0)
        if not keep.size:
            return None
        generator, trace = dense(restrict(self.whole, keep)), self.timeline.generator.trace[keep]
        keeps = bool(trace.any() and np.all(np.abs(trace @ generator) <= 1e-12 * np.abs(generator).max()))
        start = (into @ self.state)[keep]
        if not keeps:
            return Sector(keep, start, row[keep], generator, None, None, 0.0)
        return Sector(keep, start, row[keep], generator, self.state[keep], trace, complex(row @ self.state))

    def first_order(self, fields: Sequence[Field], tau: np.ndarray) -> np.ndarray:
        """(n,) complex G1(tau) in 1/ns, tau of any sign, in the frame of the model."""
        total = np.zeros(tau.size, dtype=complex)
        for f in fields:
            s = self.sector(f)
            if s is None:
                continue
            flow = Flow(s.generator, s.trace, s.steady, self.stretch)
            rows = np.array([s.row.real, s.row.imag])
            real, imag = (flow.along(rows, part, np.abs(tau)) for part in (s.start.real, s.start.imag))
            forward = (real[0] - imag[1] + 1j * (real[1] + imag[0])) * np.exp(-1j * f.frame_per_ns * np.abs(tau))
            total += f.weight * np.where(tau >= 0.0, forward, forward.conj())
        return total

    def spectrum(self, fields: Sequence[Field], energies_ueV: np.ndarray) -> np.ndarray:
        """(n,) photons per ns and ueV, without the elastic line."""
        total = np.zeros(energies_ueV.size)
        for f in fields:
            s = self.sector(f)
            if s is None:
                continue
            start, generator = s.start, s.generator
            if s.steady is not None and s.trace is not None:  # the steady state is where the elastic line comes from: taken out
                start = start - s.steady * (s.trace @ start)
                generator = generator - np.outer(s.steady, s.trace) * np.abs(np.diag(generator)).max()
            turned = Resolvent.of(generator).seen(s.row, start, energies_ueV / HBAR_UEV_NS - f.frame_per_ns)
            total += f.weight * turned.real / (np.pi * HBAR_UEV_NS)
        return total

    def elastic(self, fields: Sequence[Field]) -> list[tuple[float, float]]:
        """[(energy in ueV, photons per ns)] of each field that has an elastic line."""
        found: dict[float, float] = {}
        for f in fields:
            amplitude = complex(self.coordinates.trace_with(f.operator) @ self.state)
            if abs(amplitude) > 0.0:
                energy = f.frame_per_ns * HBAR_UEV_NS
                found[energy] = found.get(energy, 0.0) + f.weight * abs(amplitude) ** 2
        return sorted(found.items())


def steady_fields(timeline: Timeline, stretch: float = 1.0) -> SteadyFields:
    """The steady state of a continuous timeline in the Lindblad picture. Raises evolve.NotUnique."""
    steady = steady_light([timeline], (stretch,))
    whole = timeline.rest.silent + sum(timeline.rest.jumps.values())
    state, reached = np.zeros(timeline.generator.dimension), np.zeros(timeline.generator.dimension, dtype=bool)
    state[steady.keep], reached[steady.keep] = steady.state[0], True
    fed = reach(pattern([whole]), reached)
    beside = np.flatnonzero(fed & ~reached)  # coherences that never come back to the populations
    if beside.size:
        source = (whole @ state)[beside]
        state[beside] = np.linalg.solve(dense(restrict(whole, beside)), -source)
    return SteadyFields(timeline, steady, whole, state, fed, stretch)
