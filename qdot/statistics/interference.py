"""Fields under pulses: how alike photons are, and their spectra, integrated over all times.

Everything is one linear system that runs beside the source, with no grid of two times: with P = x x^T, K = int dt1 G(t, t1) G(t, t1)^dag of what
rho(t1) c^dag has become, int int |<c^dag(t1) c(t2)>|^2 is a row acting on (P, K), and int int exp(i w (t2 - t1)) <c^dag(t1) c(t2)> one acting on
what rho c^dag has become in a frame that turns with w. After the last pulse both have closed forms (Lyapunov equations, resolvents).
Source: Kiraz, Atature, Imamoglu, Phys. Rev. A 69, 032305 (2004), for indistinguishability from <c^dag(t1) c(t2)>.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from qdot.evolve import Matrix, Resolvent, both_sides, dense, gram_to_infinity, pattern, placed, reach, relevant, restrict, seen_by, to_infinity
from qdot.generator import Coordinates, Field, Timeline, fields_of
from qdot.model import Channel
from qdot.statistics.beside import Jumps, beside, carried, everything
from qdot.statistics.pulsed import pulsed_light
from qdot.units import HBAR_UEV_NS

BATCH = 4000
"""Unknowns of one pass over many energies."""
LARGEST = 1_000_000
"""Largest number of unknowns of the doubled system."""


class TooLarge(ArithmeticError):
    """The doubled system has more than LARGEST unknowns."""

    def __init__(self, unknowns: int) -> None:
        super().__init__(f"{unknowns} unknowns")
        self.unknowns = unknowns


@dataclass(frozen=True, eq=False)
class PulsedFields:
    """A timeline in the Lindblad picture with the state (d,) at its start (train: at the period start in the periodic steady state)."""

    timeline: Timeline
    state: np.ndarray
    stretch: float

    @cached_property
    def coordinates(self) -> Coordinates:
        """How matrices are written as coordinates."""
        return Coordinates(round(self.state.size**0.5))

    @property
    def end_ns(self) -> float:
        """When photons are no longer counted: the end of the period, or never."""
        return math.inf if self.timeline.period_ns is None else self.timeline.period_ns

    def fields(self, light: Mapping[Channel, float]) -> list[Field]:
        """The field operators of a light."""
        return fields_of(self.timeline.generator, light)

    @cached_property
    def _reached(self) -> np.ndarray:
        return reach(pattern(self.timeline.matrices()), self.state != 0.0)

    def _sectors(self, field: Field) -> tuple[np.ndarray, np.ndarray, sp.csr_array, np.ndarray]:
        """(entries of the state that matter, entries of rho c^dag that c sees again, the map between them, the row Tr c .)."""
        matrices = self.timeline.matrices()
        into, row = self.coordinates.both_sides(None, field.operator), self.coordinates.trace_with(field.operator)
        later = relevant(matrices, (abs(into) @ self._reached.astype(float)) > 0.0, row != 0.0)
        feeds = np.zeros(row.size, dtype=bool)
        feeds[into[later].tocoo().col] = True
        now = relevant(matrices, self.state != 0.0, feeds)
        return now, later, sp.csr_array(into[later][:, now]), row[later]

    def overlap(self, fields: Sequence[Field], begin: float = 0.0, end: float = math.inf) -> float:
        """int int |<c^dag(t1) c(t2)>|^2 dt1 dt2 over both times from begin to end, summed over modes."""
        return float(sum(2.0 * f.weight**2 * self._ordered_overlap(f, begin, min(end, self.end_ns)) for f in fields))

    def _ordered_overlap(self, field: Field, begin: float, end: float) -> float:
        """The same of one mode with t1 < t2."""
        now, later, into, row = self._sectors(field)
        if not now.size or not later.size:
            return 0.0
        n, m = now.size, later.size
        if self.timeline.stretches and n * n + 2 * m * m > LARGEST:
            raise TooLarge(n * n + 2 * m * m)
        real, imag, kr, ki, total = into.real.tocsr(), into.imag.tocsr(), n * n, n * n + m * m, n * n + 2 * m * m
        parts: list[tuple[int, int, Matrix]] = [
            (kr, 0, sp.csr_array(sp.kron(real, real) + sp.kron(imag, imag))),
            (ki, 0, sp.csr_array(sp.kron(imag, real) - sp.kron(real, imag))),
            (total, kr, sp.csr_array((np.kron(row.real, row.real) + np.kron(row.imag, row.imag))[None])),
            (total, ki, sp.csr_array((np.kron(row.real, row.imag) - np.kron(row.imag, row.real))[None])),
        ]

        def change(silent: Matrix, jumps: Jumps) -> Matrix:
            whole = everything(silent, jumps)
            p, k = both_sides(restrict(whole, now)), both_sides(restrict(whole, later))
            return placed([(0, 0, p), (kr, kr, k), (ki, ki, k)], total + 1)

        state = self.state[now] if begin <= 0.0 else carried(self.timeline, self.state[:, None], -math.inf, begin, self.stretch)[now, 0]
        start = np.zeros(total + 1)
        start[: n * n] = np.outer(state, state).ravel()
        x = beside(self.timeline.assembled(change, placed(parts, total + 1)), start, total, begin, end, self.stretch)
        if end < math.inf:
            return float(x[total])
        rest = everything(self.timeline.rest.silent, self.timeline.rest.jumps)
        live = seen_by(restrict(rest, later), row != 0.0)
        gram = np.zeros((m, m), dtype=complex)
        gram[np.ix_(live, live)] = gram_to_infinity(dense(restrict(rest, later[live])), np.outer(row[live].conj(), row[live]))
        feed = np.asarray(into.conj().T @ (into.T @ gram.T).T).real
        feed = 0.5 * (feed + feed.T)
        lit = seen_by(restrict(rest, now), feed.any(axis=0))
        before = gram_to_infinity(dense(restrict(rest, now[lit])), feed[np.ix_(lit, lit)])
        p, k_real, k_imag = (x[a:b].reshape(s, s) for a, b, s in ((0, kr, n), (kr, ki, m), (ki, total, m)))
        # Tr X K of two Hermitian matrices: their imaginary parts are antisymmetric
        return float(x[total] + np.sum(gram.real * k_real) + np.sum(gram.imag * k_imag) + np.sum(before * p[np.ix_(lit, lit)]))

    def spectrum(self, fields: Sequence[Field], energies_ueV: np.ndarray) -> np.ndarray:
        """(n,) photons per pulse (train: per period) and ueV."""
        found = np.zeros(energies_ueV.size)
        for f in fields:
            w = energies_ueV / HBAR_UEV_NS - f.frame_per_ns
            now, later, into, row = self._sectors(f)
            if not now.size or not later.size:
                continue
            each = max(1, BATCH // (2 * later.size + 1))
            for chosen in np.array_split(np.argsort(np.abs(w)), math.ceil(w.size / each)):
                found[chosen] += f.weight * self._turning(now, later, into, row, w[chosen]) / (math.pi * HBAR_UEV_NS)
        return found

    def _turning(self, now: np.ndarray, later: np.ndarray, into: sp.csr_array, row: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(n,) Re int int_{t2 > t1} exp(i w (t2 - t1)) <c^dag(t1) c(t2)> for a batch of w (n,)."""
        n, m, count = now.size, later.size, w.size
        total = n + 2 * m * count
        one = sp.eye_array(m, format="csr")
        parts: list[tuple[int, int, Matrix]] = []
        for k, frequency in enumerate(w):
            a, b = n + 2 * m * k, n + 2 * m * k + m  # real and imaginary part
            parts += [(a, 0, sp.csr_array(into.real)), (b, 0, sp.csr_array(into.imag)), (a, b, -frequency * one), (b, a, frequency * one)]
            parts += [(total + k, a, sp.csr_array(row.real[None])), (total + k, b, sp.csr_array(-row.imag[None]))]

        def change(silent: Matrix, jumps: Jumps) -> Matrix:
            whole = everything(silent, jumps)
            small = restrict(whole, later)
            return placed([(0, 0, restrict(whole, now)), *((n + m * k, n + m * k, small) for k in range(2 * count))], total + count)

        start = np.zeros(total + count)
        start[:n] = self.state[now]
        x = beside(self.timeline.assembled(change, placed(parts, total + count)), start, total, 0.0, self.end_ns, self.stretch)
        if self.end_ns < math.inf:
            return x[total:]
        rest = everything(self.timeline.rest.silent, self.timeline.rest.jumps)
        live = np.flatnonzero(seen_by(restrict(rest, later), row != 0.0))
        rows = np.zeros((count, m), dtype=complex)
        rows[:, live] = Resolvent.of(dense(restrict(rest, later[live]))).rows(row[live], w)
        halves = x[n:total].reshape(count, 2, m)
        gathered = to_infinity(restrict(rest, now), np.vstack([(rows @ into).real])) @ x[:n]
        return np.asarray(x[total:] + (rows * (halves[:, 0] + 1j * halves[:, 1])).sum(axis=1).real + gathered)


def pulsed_fields(timeline: Timeline, stretch: float = 1.0) -> PulsedFields:
    """A timeline in the Lindblad picture with its start state. Raises evolve.NotUnique if a train has several periodic steady states."""
    light = pulsed_light(timeline, stretch)
    if timeline.period_ns is None:
        return PulsedFields(timeline, timeline.generator.start, stretch)
    state = np.zeros(timeline.generator.dimension)
    state[light.keep] = light.state
    reached = reach(pattern(timeline.matrices()), state != 0.0)
    beside = np.flatnonzero(reached & ~np.isin(np.arange(state.size), light.keep))
    if beside.size:  # coherences that never come back to the populations, but fields may see them
        both = np.flatnonzero(reached)
        small = timeline.mapped(lambda m: restrict(m, both))
        apart = np.isin(both, beside)
        after = carried(small, np.column_stack([np.where(apart, 0.0, state[both]), np.eye(both.size)[:, apart]]), -math.inf, timeline.period_ns, stretch)
        state[beside] = np.linalg.solve(np.eye(beside.size) - after[apart, 1:], after[apart, 0])
    return PulsedFields(timeline, state, stretch)
