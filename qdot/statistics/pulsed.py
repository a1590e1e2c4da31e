"""Light under pulses: photon numbers, factorial moments, trains in their periodic steady state.

Photons are counted by sectors: x_n is the part of x with n photons so far, and J lifts it to x_{n+1}. Written out for all n at once this is
again a linear system, on (number of photons) x (entries of x). Expanding in (z - 1) instead of counting gives the factorial moments,
independent of any largest photon number. After the last pulse everything to infinity is one row of numbers (evolve.tail_rows).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.errors import bad
from qdot.evolve import Driven, NotUnique, along, drive_through, fixed_point, propagator, relevant, restrict, tail_rows
from qdot.evolve.reduction import Matrix, pattern, separate_parts
from qdot.generator import Stretch, Timeline
from qdot.model import Channel
from qdot.statistics.continuous import Light

MOMENTS = 3
"""Highest factorial moment that is carried along."""
Jumps = Mapping[Channel, Matrix]


@dataclass(frozen=True, eq=False)
class _Counter:
    """A way of counting: which light on which axis, to which degree, by sectors of photon number or in powers of (z - 1)."""

    axes: tuple[Light, ...] = ()
    degrees: tuple[int, ...] = ()
    is_moments: bool = True

    @property
    def listed(self) -> int:
        """Sectors that are asked for."""
        return math.prod(n + 1 for n in self.degrees)

    @property
    def sectors(self) -> int:
        """Sectors that are carried: counting keeps one more, for all larger photon numbers, so that nothing is lost."""
        return self.listed if self.is_moments else self.listed + 1

    def gains(self, jumps: Jumps, like: Matrix) -> list[Matrix]:
        """For each axis what it counts: the weighted sum of its channels."""
        return [sum((w * jumps[c] for c, w in light.items() if c in jumps and w > 0), sp.csr_array(like.shape)).tocsr() for light in self.axes]

    def rest(self, silent: Matrix, jumps: Jumps) -> Matrix:
        """What stays in a sector: everything when expanding in (z - 1), everything not counted when counting."""
        a = silent
        for c, j in jumps.items():
            missed = 1.0 if self.is_moments else 1.0 - sum(light.get(c, 0.0) for light in self.axes)
            if missed > 0:
                a = a + (j if missed == 1.0 else missed * j)
        return a.tocsr()

    def lift(self, silent: Matrix, jumps: Jumps) -> Matrix:
        """The matrix on (sector) x (entry): the counted part of each axis moves one sector up."""
        a, gains = self.rest(silent, jumps), self.gains(jumps, silent)
        lifted = sp.kron(sp.diags_array(self._is_listed()), a, format="csr")
        for axis, j in enumerate(gains):
            if j.nnz:
                lifted = lifted + sp.kron(self._shift(axis), j, format="csr")
        if not self.is_moments:  # the last sector goes on without telling numbers apart
            last = sp.coo_array(([1.0], ([self.sectors - 1], [self.sectors - 1])), shape=(self.sectors, self.sectors))
            lifted = lifted + sp.kron(last, sum(gains, a), format="csr")
        return sp.csr_array(lifted)

    def _is_listed(self) -> np.ndarray:
        return (np.arange(self.sectors) < self.listed).astype(float)

    def _shift(self, axis: int) -> Matrix:
        """One photon more on an axis: (sectors, sectors); past the largest number it leads to the last sector, or nowhere for moments."""
        shape = tuple(n + 1 for n in self.degrees)
        source = np.arange(self.listed)
        numbers = np.array(np.unravel_index(source, shape))
        numbers[axis] += 1
        inside = numbers[axis] <= self.degrees[axis]
        target = np.full(self.listed, self.sectors - 1)
        target[inside] = np.ravel_multi_index(tuple(numbers[:, inside]), shape)
        kept = inside if self.is_moments else np.ones(self.listed, dtype=bool)
        return sp.csr_array((np.ones(int(kept.sum())), (target[kept], source[kept])), shape=(self.sectors, self.sectors))


class _Counted(NamedTuple):
    """state: (degrees + 1, d) after the last stretch; beyond: (d,) with larger photon numbers; rows: what the tail adds, as in tail_rows."""

    state: np.ndarray
    beyond: np.ndarray
    rows: np.ndarray | None

    def total(self, trace: np.ndarray) -> np.ndarray:
        """(degrees + 1) probabilities, or factorial moments over k!: what has been counted and what is to come."""
        if self.rows is None:
            return self.state @ trace
        shape = self.rows.shape[:-1]
        result = np.zeros(shape)
        for done in np.ndindex(*shape):
            for more in np.ndindex(*(n - k for n, k in zip(shape, done, strict=True))):
                result[tuple(i + k for i, k in zip(done, more, strict=True))] += self.rows[more] @ self.state[done]
        return result


@dataclass(frozen=True, eq=False)
class PulsedLight:
    """A timeline reduced to what its start reaches and its photons see, with the state at the start (train: at the period start).

    keep: indices into the full x; trace, state: (d,); period_map: (d, d) of a train, else None.
    """

    timeline: Timeline
    keep: np.ndarray
    trace: np.ndarray
    state: np.ndarray
    period_map: np.ndarray | None
    stretch: float

    def populations(self) -> np.ndarray:
        """(number of levels,) populations at the start, light traced out."""
        return self.timeline.generator.levels[:, self.keep] @ self.state

    def probabilities(self, axes: Sequence[Light], degrees: Sequence[int]) -> np.ndarray:
        """P(n) or joint P(n, m, ...), shape degrees + 1: exactly n photons per period of a train, or after one pulse to infinity.

        axes: the light counted on each axis; photons of channels on no axis are not counted. Raises evolve.Endless if the light never stops.
        """
        return self._count(_Counter(tuple(axes), tuple(degrees), False)).total(self.trace)

    def distribution(self, light: Light, top: int) -> tuple[np.ndarray, np.ndarray]:
        """(P(n), P(at least n)), n = 0 .. top, of one light; the second as sums of positive terms, never 1 - P(0) - ...

        Raises evolve.Endless if the light never stops.
        """
        counter = _Counter((light,), (top,), False)
        counted = self._count(counter)
        whole = np.append(counted.state @ self.trace, counted.beyond @ self.trace)
        at_least = np.cumsum(whole[::-1])[::-1][:-1]
        if counted.rows is not None:  # k or more are yet to come: the recursion of `rows`, started from certainty
            more = self._tail(counter, from_certainty=True)
            at_least = at_least + [sum((more[n - k] @ counted.state[k] for k in range(n)), 0.0) for n in range(top + 1)]
        return counted.total(self.trace), at_least

    def factorial_moments(self, light: Light) -> np.ndarray:
        """(4,) <1>, <n>, <n(n-1)>, <n(n-1)(n-2)> from derivatives at z = 1. Raises evolve.Endless if the light never stops."""
        taylor = self._count(_Counter((light,), (MOMENTS,), True)).total(self.trace)
        return taylor * np.array([math.factorial(k) for k in range(MOMENTS + 1)])

    def mixed_moment(self, first: Light, second: Light) -> float:
        """<n m> of two lights that share no photon. Raises evolve.Endless if the light never stops."""
        return float(self._count(_Counter((first, second), (1, 1), True)).total(self.trace)[1, 1])

    def correlations(self, light: Light, count: int) -> np.ndarray:
        """(count+1,) <n(n-1)>, <n_0 n_1>, ..., <n_0 n_count> of a train."""
        if self.period_map is None:
            raise bad("correlations from pulse to pulse", "be asked of a train", "a single pulse", "give the drive a period_ns")
        d = self.state.size
        y = np.zeros((2 * d, d))
        y[:d] = np.eye(d)
        slope = self._through_all(_Counter((light,), (1,), True), y)[d:]
        values = [self.factorial_moments(light)[2]]
        row, after = self.trace @ slope, slope @ self.state
        for _ in range(count):
            values.append(row @ after)
            after = self.period_map @ after
        return np.array(values)

    def profile(self, light: Light, times: np.ndarray) -> np.ndarray:
        """(n,) flux in 1/ns at times (n,) >= 0 from the start of the period (up to its end) or of the single pulse."""
        flux = np.zeros(times.shape)
        stretches = list(self.timeline.stretches)
        if self.timeline.period_ns is None:
            stretches.append(replace(self.timeline.rest, start_ns=stretches[-1].end_ns if stretches else 0.0))
        y = self.state[:, None]
        for i, s in enumerate(stretches):
            is_last = i == len(stretches) - 1
            inside = np.flatnonzero((times >= s.start_ns) & ((times <= s.end_ns) if is_last else (times < s.end_ns)))
            if inside.size and not s.is_instant:
                flux[inside] = self._inside(s, y, times[inside] - s.start_ns, light)
            if not is_last or s.is_instant:
                y = _through(s, _Counter(), y, self.trace, self.stretch)
        return flux

    # --------------------------------------------------------------------------------------------------------------------

    def _through_all(self, counter: _Counter, y: np.ndarray) -> np.ndarray:
        for s in self.timeline.stretches:
            y = _through(s, counter, y, self.trace, self.stretch)
        return y

    def _count(self, counter: _Counter) -> _Counted:
        d = self.state.size
        y = np.zeros((counter.sectors * d, 1))
        y[:d, 0] = self.state
        y = self._through_all(counter, y)[:, 0]
        state = y[: counter.listed * d].reshape(*(n + 1 for n in counter.degrees), d)
        beyond = np.zeros(d) if counter.is_moments else y[counter.listed * d :]
        return _Counted(state, beyond, None if self.period_map is not None else self._tail(counter))

    def _tail(self, counter: _Counter, from_certainty: bool = False) -> np.ndarray:
        rest = self.timeline.rest
        a, gains = counter.rest(rest.silent, rest.jumps), counter.gains(rest.jumps, rest.silent)
        return tail_rows(a, gains, self.trace, counter.degrees, counter.is_moments, from_certainty)

    def _inside(self, s: Stretch, y: np.ndarray, times: np.ndarray, light: Light) -> np.ndarray:
        """Flux at times after the start of one stretch, y (d, 1) being the state there."""
        look, plain = _Counter((light,), (0,)), _Counter()
        row = self.trace @ look.gains(s.jumps, s.silent)[0]
        if not s.driven:
            x = along(plain.rest(s.silent, s.jumps), y[:, 0], times, self.trace, None, self.stretch)
            return np.asarray(row @ x)
        driven_rows = [(d.series, self.trace @ look.gains(jumps, d.matrix)[0]) for d, jumps in s.driven]
        values = np.zeros(times.shape)
        at = 0.0
        for k in np.argsort(times):
            if times[k] > at:
                y = _through(s, plain, y, self.trace, self.stretch, at, float(times[k]))
                at = float(times[k])
            values[k] = (row + sum(series(at, 0.0, 1)[0] * r for series, r in driven_rows)) @ y[:, 0]
        return values


def pulsed_light(timeline: Timeline, stretch: float = 1.0) -> PulsedLight:
    """The reduced timeline and its start state. Raises evolve.NotUnique with indices into the full x if a train has several steady states."""
    g = timeline.generator
    keep = relevant(timeline.matrices(), g.start != 0, g.trace != 0)
    small, trace = timeline.mapped(lambda m: restrict(m, keep)), g.trace[keep]
    if timeline.period_ns is None:
        return PulsedLight(small, keep, trace, g.start[keep], None, stretch)
    m = np.eye(keep.size)
    for s in small.stretches:
        m = _through(s, _Counter(), m, trace, stretch)
    try:
        state = fixed_point(m, trace, pattern(small.matrices()))
    except NotUnique as e:
        raise NotUnique([keep[c] for c in e.classes]) from None
    return PulsedLight(small, keep, trace, state, m, stretch)


def _through(s: Stretch, counter: _Counter, y: np.ndarray, trace: np.ndarray, stretch: float, begin: float = 0.0, end: float | None = None) -> np.ndarray:
    """Carry the columns of y (sectors * d, n) through one stretch, or from one time after its start to another."""
    end = s.duration_ns if end is None else end
    if s.driven:
        terms = [Driven(counter.lift(d.matrix, jumps), d.series) for d, jumps in s.driven]
        return drive_through(counter.lift(s.silent, s.jumps), terms, begin, end, s.feature_ns, y, stretch)
    # Undriven, coherences often part company with populations: each part by itself is smaller, and populations alone are Metzler.
    after = np.zeros(y.shape)
    d = trace.size
    for part in separate_parts(pattern([s.silent, *s.jumps.values()])):
        index = (np.arange(counter.sectors)[:, None] * d + part).ravel()
        if not y[index].any():
            continue
        a = counter.lift(restrict(s.silent, part), {c: restrict(j, part) for c, j in s.jumps.items()})
        kept, blocks = np.tile(trace[part], counter.sectors), counter.sectors if counter.is_moments else 1
        after[index] = propagator(a, 1.0 if s.is_instant else end - begin, y[index], kept, stretch, blocks)
    return after
