"""Light under pulses: photon numbers, factorial moments, trains in their periodic steady state.

Photons advance a register: x_n is the part of x with n photons so far, and what lies beyond the largest number asked for is carried as powers of
(z - 1), so that the factorial moments know no largest photon number. One pass gives both. After the last pulse everything to infinity is one
row of numbers (evolve.tail_rows, evolve.tail_powers).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from qdot.errors import bad
from qdot.evolve import (
    Driven,
    Flow,
    Matrix,
    NotUnique,
    Register,
    carry,
    dense,
    drive_through,
    fixed_point,
    is_compiled,
    joint_numbers,
    nothing_counted,
    numbers,
    part_of,
    pattern,
    powers,
    relevant,
    restrict,
    tail_powers,
    tail_rows,
)
from qdot.generator import Stretch, Timeline
from qdot.model import Channel
from qdot.statistics.continuous import Light

MOMENTS = 3
"""Highest factorial moment that is carried along."""
Jumps = Mapping[Channel, Matrix]


class Counts(NamedTuple):
    """probabilities, at_least: (top + 1,) of n, or of n and more photons; moments: (MOMENTS + 1,) <1>, <n>, <n(n-1)>, <n(n-1)(n-2)>."""

    probabilities: np.ndarray
    at_least: np.ndarray
    moments: np.ndarray


def counted(axes: Sequence[Light], jumps: Jumps, like: Matrix) -> tuple[Matrix, ...]:
    """For each axis what it counts: the weighted sum of its channels."""
    nothing = 0.0 * like
    return tuple(sum((w * jumps[c] for c, w in light.items() if c in jumps and w > 0), nothing) for light in axes)


def uncounted(axes: Sequence[Light], silent: Matrix, jumps: Jumps) -> Matrix:
    """What advances no register: everything but the counted share of each channel."""
    a = silent
    for c, j in jumps.items():
        missed = 1.0 - sum(light.get(c, 0.0) for light in axes)
        if missed > 0:
            a = a + (j if missed == 1.0 else missed * j)
    return a


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

    @property
    def names(self) -> tuple[str, ...]:
        """The levels, in the order of `populations`."""
        return self.timeline.generator.model.levels

    @property
    def methods(self) -> dict[str, str]:
        """{part of the calculation: how it is done}."""
        steps = "compiled kernel" if is_compiled() else "NumPy"
        found = {}
        for s in self.timeline.stretches:
            if s.is_instant:
                found[f"at {s.start_ns:g} ns"] = "exponential of all doses and areas"
            elif s.pieces_ns is not None:
                found[f"{s.start_ns:g} to {s.end_ns:g} ns"] = f"Taylor series to round-off on at least {s.pieces_ns.size} steps, {steps}"
            else:
                found[f"{s.start_ns:g} to {s.end_ns:g} ns"] = "exponential, by squaring or by Taylor steps, whichever is cheaper"
        if self.period_map is None:
            found["afterwards"] = "linear solves to infinite time"
        else:
            found["period"] = "fixed point of the one-period map"
        return found

    def populations(self) -> np.ndarray:
        """(number of levels,) populations at the start, light traced out."""
        return self.timeline.generator.levels[:, self.keep] @ self.state

    def count(self, light: Light, top: int) -> Counts:
        """Photon numbers and moments of one light, per period of a train or after one pulse to infinity.

        `at_least` is a sum of positive terms, never 1 - P(0) - ...; the moments do not depend on `top`. Raises evolve.Endless if the light never stops.
        """
        register = numbers(top, MOMENTS)
        x = self._through_all((light,), register, self.state[:, None])[:, 0]
        listed, moments = x[:, : top + 1].T, register.moments_of(x, MOMENTS)
        whole = np.append(listed @ self.trace, x[:, top + 1] @ self.trace)
        at_least = np.cumsum(whole[::-1])[::-1][:-1]
        if self.period_map is not None:
            return Counts(whole[:-1], at_least, moments @ self.trace * _factorials(MOMENTS))
        rest = self.timeline.rest
        a, gains = uncounted((light,), rest.silent, rest.jumps), counted((light,), rest.jumps, rest.silent)
        tail = tail_rows(a, gains, self.trace, (top,))
        exactly, more = tail.exactly @ listed.T, tail.at_least @ listed.T  # [photons to come, photons so far]
        # so far k, to come n - k, is the n-th anti-diagonal
        probabilities = np.array([exactly[::-1].diagonal(n - top).sum() for n in range(top + 1)])
        at_least = at_least + np.array([sum(more[n - k, k] for k in range(n)) for n in range(top + 1)])
        later = tail_powers(a, gains, self.trace, (MOMENTS,)) @ moments.T
        total = np.array([later[::-1].diagonal(n - MOMENTS).sum() for n in range(MOMENTS + 1)])
        return Counts(probabilities, at_least, total * _factorials(MOMENTS))

    def joint(self, axes: Sequence[Light], tops: Sequence[int]) -> np.ndarray:
        """P(n, m, ...), shape tops + 1, of lights that share no photon. Raises evolve.Endless if the light never stops."""
        register = joint_numbers(tuple(tops))
        x = self._through_all(axes, register, self.state[:, None])[:, 0, :-1].T.reshape(*register.listed, -1)
        if self.period_map is not None:
            return x @ self.trace
        rest = self.timeline.rest
        rows = tail_rows(uncounted(axes, rest.silent, rest.jumps), counted(axes, rest.jumps, rest.silent), self.trace, tops).exactly
        return _together(rows, x)

    def moments(self, axes: Sequence[Light], degrees: Sequence[int]) -> np.ndarray:
        """Factorial moments <n!/(n-j)! m!/(m-k)! ...>, shape degrees + 1. Raises evolve.Endless if the light never stops."""
        register = powers(tuple(degrees))
        x = self._through_all(axes, register, self.state[:, None])[:, 0].T.reshape(*register.listed, -1)
        if self.period_map is not None:
            found = x @ self.trace
        else:
            rest = self.timeline.rest
            a, gains = uncounted(axes, rest.silent, rest.jumps), counted(axes, rest.jumps, rest.silent)
            found = _together(tail_powers(a, gains, self.trace, degrees), x)
        for axis, n in enumerate(degrees):
            found = found * _factorials(n).reshape([-1 if k == axis else 1 for k in range(len(degrees))])
        return found

    def correlations(self, light: Light, count: int) -> np.ndarray:
        """(count+1,) <n(n-1)>, <n_0 n_1>, ..., <n_0 n_count> of a train, over its squared mean; nan where it is dark."""
        if self.period_map is None:
            raise bad("correlations from pulse to pulse", "be asked of a train", "a single pulse", "give the drive a period_ns")
        now = self._through_all((light,), powers((2,)), self.state[:, None])[:, 0]  # <.>, <n .> and <n(n-1) .>/2 at the end of this period
        mean = float(self.trace @ now[:, 1])
        if mean <= 0.0:
            return np.full(count + 1, np.nan)
        values = [2.0 * float(self.trace @ now[:, 2])]
        if count:
            after = [now[:, 1]]
            for _ in range(count - 1):
                after.append(self.period_map @ after[-1])
            later = self._through_all((light,), powers((1,)), np.array(after).T)
            values.extend(self.trace @ later[:, :, 1])
        return np.array(values) / mean**2

    def profile(self, light: Light, times: np.ndarray) -> np.ndarray:
        """(n,) flux in 1/ns at times (n,) >= 0 from the start of the period (up to its end) or of the single pulse."""
        flux = np.zeros(times.shape)
        stretches = list(self.timeline.stretches)
        if self.timeline.period_ns is None:
            stretches.append(replace(self.timeline.rest, start_ns=stretches[-1].end_ns if stretches else 0.0))
        x = self.state[:, None]
        for i, s in enumerate(stretches):
            is_last = i == len(stretches) - 1
            inside = np.flatnonzero((times >= s.start_ns) & ((times <= s.end_ns) if is_last else (times < s.end_ns)))
            if inside.size and not s.is_instant:
                flux[inside] = self._inside(s, x, times[inside] - s.start_ns, light)
            if not is_last or s.is_instant:
                x = through(s, (), nothing_counted(), x[..., None], self.trace, self.stretch)[..., 0]
        return flux

    def between(self, begin_ns: float, end_ns: float, axes: Sequence[Light], register: Register, y: np.ndarray) -> np.ndarray:
        """(d, n, m) of a register at end_ns, from the columns y (d, n) at begin_ns with nothing counted, both within one period of a train."""
        x = register.start(y)
        for s in self.timeline.stretches:
            low, high = max(begin_ns - s.start_ns, 0.0), min(end_ns - s.start_ns, s.duration_ns)
            if s.is_instant:
                if begin_ns <= s.start_ns < end_ns:
                    x = through(s, axes, register, x, self.trace, self.stretch)
            elif low < high:
                x = through(s, axes, register, x, self.trace, self.stretch, low, high)
        return x

    def emission(self, time_ns: float, light: Light) -> np.ndarray:
        """(d, d) J(t) of this light at a time within a period of a train: the state after a photon, times its density in 1/ns."""
        s = next(s for s in self.timeline.stretches if not s.is_instant and s.start_ns <= time_ns <= s.end_ns)
        total = dense(counted((light,), s.jumps, s.silent)[0])
        if s.pieces_ns is not None:
            total = total + sum(d.height(s.pieces_ns, time_ns - s.start_ns) * dense(counted((light,), d.light, d.matrix)[0]) for d in s.driven)
        return np.asarray(total)

    # --------------------------------------------------------------------------------------------------------------------

    def _through_all(self, axes: Sequence[Light], register: Register, y: np.ndarray) -> np.ndarray:
        """(d, n, m) at the end of the last stretch from the columns of y (d, n)."""
        x = register.start(y)
        for s in self.timeline.stretches:
            x = through(s, axes, register, x, self.trace, self.stretch)
        return x

    def _inside(self, s: Stretch, y: np.ndarray, times: np.ndarray, light: Light) -> np.ndarray:
        """Flux at times after the start of one stretch, y (d, 1) being the state there."""
        row = self.trace @ counted((light,), s.jumps, s.silent)[0]
        if s.pieces_ns is None:
            return np.asarray(Flow(dense(uncounted((), s.silent, s.jumps)), self.trace, None, self.stretch).along(row[None], y[:, 0], times)[0])
        driven_rows = [(d, self.trace @ counted((light,), d.light, d.matrix)[0]) for d in s.driven]
        values = np.zeros(times.shape)
        at = 0.0
        x = y[..., None]
        for k in np.argsort(times):
            if times[k] > at:
                x = through(s, (), nothing_counted(), x, self.trace, self.stretch, at, float(times[k]))
                at = float(times[k])
            values[k] = (row + sum(d.height(s.pieces_ns, at) * r for d, r in driven_rows)) @ x[:, 0, 0]
        return values


def _factorials(highest: int) -> np.ndarray:
    return np.array([math.factorial(k) for k in range(highest + 1)], dtype=float)


def _together(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(degrees + 1) sum over what has been counted, x (degrees + 1, d), and what is to come, rows (degrees + 1, d)."""
    shape = rows.shape[:-1]
    result = np.zeros(shape)
    for done in np.ndindex(*shape):
        for more in np.ndindex(*(n - k for n, k in zip(shape, done, strict=True))):
            result[tuple(i + k for i, k in zip(done, more, strict=True))] += rows[more] @ x[done]
    return result


def pulsed_light(timeline: Timeline, stretch: float = 1.0) -> PulsedLight:
    """The reduced timeline and its start state. Raises evolve.NotUnique with indices into the full x if a train has several steady states."""
    g = timeline.generator
    keep = relevant(timeline.matrices(), g.start != 0, g.trace != 0)
    small, trace = timeline.mapped(lambda m: restrict(m, keep)), g.trace[keep]
    if timeline.period_ns is None:
        return PulsedLight(small, keep, trace, g.start[keep], None, stretch)
    x = nothing_counted().start(np.eye(keep.size))
    for s in small.stretches:
        x = through(s, (), nothing_counted(), x, trace, stretch)
    m = x[:, :, 0]
    try:
        state = fixed_point(m, trace, pattern(small.matrices()))
    except NotUnique as e:
        raise NotUnique([keep[c] for c in e.classes]) from None
    return PulsedLight(small, keep, trace, state, m, stretch)


def through(
    s: Stretch, axes: Sequence[Light], register: Register, x: np.ndarray, trace: np.ndarray, stretch: float, begin: float = 0.0, end: float | None = None
) -> np.ndarray:
    """Carry x (d, n, m) through one stretch, or from one time after its start to another."""
    a, gains = uncounted(axes, s.silent, s.jumps), counted(axes, s.jumps, s.silent)
    end = s.duration_ns if end is None else end
    if s.pieces_ns is not None:
        lengths, polynomials = s.pieces_ns, [d.polynomials for d in s.driven]
        if begin > 0.0 or end < s.duration_ns:
            lengths, polynomials = part_of(lengths, polynomials, begin, end)
        terms = [Driven(uncounted(axes, d.matrix, d.light), counted(axes, d.light, d.matrix), p) for d, p in zip(s.driven, polynomials, strict=True)]
        return drive_through(a, gains, terms, lengths, register, x, trace, stretch)
    return carry(a, gains, register, 1.0 if s.is_instant else end - begin, x, trace, stretch)
