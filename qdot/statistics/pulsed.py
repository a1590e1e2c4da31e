"""Light under pulses: photon numbers, factorial moments, trains in their periodic steady state.

Photons are counted by sectors: x_n is the part of x with n photons so far, and J lifts it to x_{n+1}. Written out for all n at once this is
again a linear system, on (number of photons) x (entries of x). Expanding in (z - 1) instead of counting gives the factorial moments,
independent of any largest photon number. After the last pulse everything to infinity is one row of numbers (evolve.tail_rows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from qdot.evolve import Driven, Endless, NotUnique, along, drive_through, fixed_point, propagator, relevant, restrict, tail_rows
from qdot.evolve.reduction import Matrix, pattern
from qdot.generator import Stretch, Timeline
from qdot.statistics.continuous import Light

MOMENTS = 3
"""Highest factorial moment that is carried along."""


@dataclass(frozen=True, eq=False)
class _Counting:
    """One way of counting on the reduced system: which light on which axis, to which degree, by sectors or by moments."""

    timeline: Timeline
    keep: np.ndarray
    axes: tuple[Light, ...]
    degrees: tuple[int, ...]
    is_moments: bool
    stretch: float

    @property
    def trace(self) -> np.ndarray:
        return self.timeline.generator.trace[self.keep]

    @property
    def sectors(self) -> int:
        return math.prod(n + 1 for n in self.degrees)

    def emit(self, stretch_jumps: object, light: Light) -> Matrix:
        """J of one axis, restricted, from {channel: matrix}."""
        j = sp.csr_array((self.keep.size, self.keep.size))
        for channel, weight in light.items():
            if channel in stretch_jumps:  # type: ignore[operator]
                j = j + weight * restrict(stretch_jumps[channel], self.keep)  # type: ignore[index]
        return j.tocsr()

    def lift(self, matrix: Matrix, jumps: object) -> Matrix:
        """The matrix on (sector) x (entry): the emitting part of each axis moves one sector up."""
        a = restrict(matrix, self.keep)
        gains = [self.emit(jumps, light) for light in self.axes]
        if not self.is_moments:
            for j in gains:
                a = a - j
        lifted = sp.kron(sp.eye_array(self.sectors), a, format="csr")
        for axis, j in enumerate(gains):
            if j.nnz:
                lifted = lifted + sp.kron(self._shift(axis), j, format="csr")
        return lifted.tocsr()

    def _shift(self, axis: int) -> Matrix:
        shift = sp.eye_array(1)
        for k, n in enumerate(self.degrees):
            one = sp.eye_array(n + 1, k=-1) if k == axis else sp.eye_array(n + 1)
            shift = sp.kron(shift, one, format="csr")
        return shift.tocsr()

    def through(self, s: Stretch, y: np.ndarray, until: float | None = None) -> np.ndarray:
        """Carry the columns of y (sectors * d, n) through a stretch, or to a time inside it."""
        end = s.end_ns if until is None else until
        a = self.lift(s.generator, s.jumps)
        if s.is_instant:
            return propagator(a, 1.0, y, self._kept(), self.stretch)
        if not s.driven:
            return propagator(a, end - s.start_ns, y, self._kept(), self.stretch)
        terms = [Driven(self.lift(d.matrix, light), d.series) for d, light in s.driven]
        return drive_through(a, terms, s.start_ns, end, s.feature_ns, y, self.stretch)

    def _kept(self) -> np.ndarray | None:
        return self.trace if self.sectors == 1 else None

    def place(self, x: np.ndarray) -> np.ndarray:
        """(sectors * d, n) with the columns of x (d, n) where nothing has been counted yet."""
        y = np.zeros((self.sectors * self.keep.size, x.shape[1]))
        y[: self.keep.size] = x
        return y


def _reduced(timeline: Timeline) -> np.ndarray:
    g = timeline.generator
    matrices = [*timeline.matrices(), *timeline.emitting(_channels(timeline))]
    return relevant(matrices, g.start != 0, g.trace != 0)


def _channels(timeline: Timeline) -> list:  # type: ignore[type-arg]
    g = timeline.generator
    return list(dict.fromkeys([*g.jumps, *(c for _, c in g.driven_jumps)]))


def periodic_state(timeline: Timeline, stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(keep, M, x) of a train: kept indices, the one-period map (d, d) on them, and its fixed point, the state at the period start.

    Raises evolve.NotUnique with indices into the full x.
    """
    keep = _reduced(timeline)
    plain = _Counting(timeline, keep, (), (), True, stretch)
    m = np.eye(keep.size)
    for s in timeline.stretches:
        m = plain.through(s, m)
    edges = restrict(pattern(timeline.matrices()), keep)
    try:
        return keep, m, fixed_point(m, plain.trace, edges)
    except NotUnique as e:
        raise NotUnique([keep[c] for c in e.classes]) from None


def _count(timeline: Timeline, axes: Sequence[Light], degrees: Sequence[int], is_moments: bool, stretch: float) -> np.ndarray:
    """Probabilities, or factorial moments over k!, on a grid of shape degrees + 1."""
    if timeline.period_ns is not None:
        keep, _, x = periodic_state(timeline, stretch)
    else:
        keep = _reduced(timeline)
        x = timeline.generator.start[keep]
    c = _Counting(timeline, keep, tuple(axes), tuple(degrees), is_moments, stretch)
    y = c.place(x[:, None])
    for s in timeline.stretches:
        y = c.through(s, y)
    shape = tuple(n + 1 for n in degrees)
    state = y[:, 0].reshape(*shape, keep.size)
    if timeline.period_ns is not None:
        return np.asarray(state @ c.trace)
    gains = [c.emit(timeline.rest.jumps, light) for light in axes]
    a = restrict(timeline.rest.generator, keep)
    if not is_moments:
        for j in gains:
            a = a - j
    rows = tail_rows(a.tocsr(), gains, c.trace, degrees, kept=is_moments)
    result = np.zeros(shape)
    for done in np.ndindex(*shape):
        for more in np.ndindex(*(n - k for n, k in zip(shape, done, strict=True))):
            result[tuple(i + k for i, k in zip(done, more, strict=True))] += rows[more] @ state[done]
    return result


def photon_probabilities(timeline: Timeline, axes: Sequence[Light], degrees: Sequence[int], stretch: float = 1.0) -> np.ndarray:
    """P(n) or joint P(n, m, ...), shape degrees + 1: exactly n photons per period of a train, or after one pulse to infinity.

    axes: the light counted on each axis; photons of channels on no axis are not counted. Raises evolve.Endless if the light never stops.
    """
    return _count(timeline, axes, degrees, False, stretch)


def factorial_moments(timeline: Timeline, light: Light, stretch: float = 1.0) -> np.ndarray:
    """(4,) <1>, <n>, <n(n-1)>, <n(n-1)(n-2)> from derivatives at z = 1. Raises evolve.Endless if the light never stops."""
    taylor = _count(timeline, [light], [MOMENTS], True, stretch)
    return taylor * np.array([math.factorial(k) for k in range(MOMENTS + 1)])


def period_correlations(timeline: Timeline, light: Light, count: int, stretch: float = 1.0) -> np.ndarray:
    """(count+1,) <n(n-1)>, <n_0 n_1>, ..., <n_0 n_count> of a train in its periodic steady state."""
    keep, m, x = periodic_state(timeline, stretch)
    c = _Counting(timeline, keep, (light,), (1,), True, stretch)
    y = c.place(np.eye(keep.size))
    for s in timeline.stretches:
        y = c.through(s, y)
    slope = y[keep.size :]
    values = [factorial_moments(timeline, light, stretch)[2]]
    row, after = c.trace @ slope, slope @ x
    for _ in range(count):
        values.append(row @ after)
        after = m @ after
    return np.array(values)


def profile(timeline: Timeline, light: Light, times: np.ndarray, stretch: float = 1.0) -> np.ndarray:
    """(n,) flux in 1/ns at the times (n,) >= 0 after the period start (trains, up to the period) or after t = 0 (single pulse).

    Raises evolve.NotUnique.
    """
    if timeline.period_ns is not None:
        keep, _, x = periodic_state(timeline, stretch)
    else:
        keep = _reduced(timeline)
        x = timeline.generator.start[keep]
    c = _Counting(timeline, keep, (), (), True, stretch)
    flux = np.zeros(times.shape)
    stretches = list(timeline.stretches)
    if timeline.period_ns is None:
        last = stretches[-1].end_ns if stretches else 0.0
        r = timeline.rest
        stretches.append(Stretch(last, math.inf, r.generator, r.jumps))
    final = len(stretches) - 1
    y = x[:, None]
    for i, s in enumerate(stretches):
        inside = np.flatnonzero((times >= s.start_ns) & ((times < s.end_ns) | ((i == final) & (times == s.end_ns))))
        if s.is_instant:
            y = c.through(s, y)
            continue
        if inside.size:
            flux[inside] = _inside(c, s, y, times[inside], light)
        if i != final:
            y = c.through(s, y)
    return flux


def _inside(c: _Counting, s: Stretch, y: np.ndarray, times: np.ndarray, light: Light) -> np.ndarray:
    row = c.trace @ c.emit(s.jumps, light)
    if not s.driven:
        return np.asarray(row @ along(restrict(s.generator, c.keep), y[:, 0], times - s.start_ns, c.trace, None, c.stretch))
    values = np.zeros(times.shape)
    order = np.argsort(times)
    at = s.start_ns
    a = restrict(s.generator, c.keep)
    terms = [Driven(restrict(d.matrix, c.keep), d.series) for d, _ in s.driven]
    for k in order:
        y = drive_through(a, terms, at, times[k], s.feature_ns, y, c.stretch) if times[k] > at else y
        at = times[k]
        total = row + sum(
            (d.series(at, 1e-12, 1)[0] * (c.trace @ c.emit(emitting, light)) for d, emitting in s.driven),
            np.zeros_like(row),
        )
        values[k] = total @ y[:, 0]
    return values


__all__ = [
    "Endless",
    "NotUnique",
    "factorial_moments",
    "period_correlations",
    "periodic_state",
    "photon_probabilities",
    "profile",
]
