"""How photon statistics change with the parameters of a timeline: the same solves, differentiated.

A timeline is read off as matrices by name; differences of these entries with respect to each parameter come in, exact derivatives of what
follows from them go out. Every stretch is put on a duration of 1 first, so that durations are part of the entries.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.errors import bad
from qdot.evolve import (
    Driven,
    Matrix,
    NotUnique,
    Register,
    TangentFlow,
    carry,
    dense,
    drive_through,
    fixed_point,
    nothing_counted,
    numbers,
    pattern,
    powers,
    relevant,
    restrict,
    steady_slopes,
    steady_state,
    tail_powers_and_slopes,
    tail_rows,
    with_slopes,
)
from qdot.evolve.reduction import nothing
from qdot.evolve.steady import keeps_trace
from qdot.evolve.tail import Slope
from qdot.generator import Timeline
from qdot.model import Channel
from qdot.statistics.continuous import Light
from qdot.statistics.pulsed import MOMENTS, Counts, _factorials, counted, uncounted

GROUP = 3
"""Parameters that are carried along together: each adds its columns to all others' work."""
SMALL = 0.1
"""Size that derivatives are scaled to, over what they are derivatives of, so that they need no steps of their own."""

Parts = dict[Hashable, Matrix]
"""All entries of a timeline by name: (stretch or "rest", part, channel or kind)."""


def parts_of(timeline: Timeline) -> Parts:
    """The entries of a timeline, each stretch on a duration of 1. What leaves a level goes unsaid: it follows from what arrives elsewhere."""
    traced = timeline.generator.trace != 0
    found: Parts = {("rest", "", c): j for c, j in timeline.rest.jumps.items()}
    found["rest", "", "silent"] = _without_diagonal(timeline.rest.silent, traced)
    for i, s in enumerate(timeline.stretches):
        pieces = 0 if s.pieces_ns is None else s.pieces_ns.size
        scale = 1.0 if s.is_instant else s.duration_ns / max(1, pieces)
        found[i, "", "silent"] = scale * _without_diagonal(s.silent, traced)
        found.update({(i, "", c): scale * j for c, j in s.jumps.items()})
        for k, d in enumerate(s.driven):
            found[i, k, "silent"] = _without_diagonal(d.matrix, traced)
            found.update({(i, k, c): j for c, j in d.light.items()})
            found[i, k, "polynomials"] = scale * d.polynomials
    return found


def _without_diagonal(m: Matrix, chosen: np.ndarray) -> Matrix:
    diagonal = np.where(chosen, m.diagonal(), 0.0)
    return m - np.diag(diagonal) if isinstance(m, np.ndarray) else sp.csr_array(m - sp.diags_array(diagonal))


class TangentLight(NamedTuple):
    """Which light is looked at, and how its weights change with each parameter."""

    weights: Light
    slopes: tuple[Light, ...]


class Block(NamedTuple):
    """One matrix with the light it emits; polynomials (pieces, degree + 1) where an envelope multiplies it."""

    silent: Matrix
    jumps: Mapping[Channel, Matrix]
    polynomials: np.ndarray

    def system(self, axes: Sequence[TangentLight]) -> Slope:
        """What advances no axis, and what each axis counts."""
        lights = [light.weights for light in axes]
        return Slope(uncounted(lights, self.silent, self.jumps), counted(lights, self.jumps, self.silent))


class TangentBlock(NamedTuple):
    """A block and its derivatives with respect to each parameter."""

    block: Block
    slopes: tuple[Block, ...]

    def slope(self, axes: Sequence[TangentLight], q: int) -> Slope:
        """Derivative of the block's system, polynomials apart."""
        a, gains = self.slopes[q].system(axes)
        gained = list(gains)
        for k, light in enumerate(axes):
            for c, w in light.slopes[q].items():
                if w != 0.0 and c in self.block.jumps:
                    a, gained[k] = a - w * self.block.jumps[c], gained[k] + w * self.block.jumps[c]
        return Slope(a, tuple(gained))


class TangentStretch(NamedTuple):
    """A stretch of duration 1, or of `pieces` pieces of 1 each where something is driven."""

    constant: TangentBlock
    driven: tuple[TangentBlock, ...]
    pieces: int


@dataclass(frozen=True, eq=False)
class TangentTimeline:
    """A timeline reduced to what its start reaches and its probes see, with derivatives along `parameters` parameters, each scaled by `scale`.

    keep: indices into the full x; reached: those of them that matter before anything moves; trace, start: (d,); levels: rows of populations;
    scale: (parameters,) by which derivatives are multiplied.
    """

    stretches: tuple[TangentStretch, ...]
    rest: TangentBlock
    keep: np.ndarray
    reached: np.ndarray
    trace: np.ndarray
    start: np.ndarray
    levels: np.ndarray
    names: tuple[str, ...]
    is_train: bool
    scale: np.ndarray

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return int(self.scale.size)


def tangent_timeline(timeline: Timeline, slopes: Sequence[Mapping[Hashable, Matrix]]) -> TangentTimeline:
    """Put a timeline and the derivatives of its parts together. slopes: for each parameter, as `parts_of` names them."""
    g = timeline.generator
    moved = [m for found in slopes for k, m in found.items() if isinstance(k, tuple) and k[2] != "polynomials"]
    keep = relevant([*timeline.matrices(), *moved], g.start != 0, g.trace != 0)
    reached = np.flatnonzero(np.isin(keep, relevant(timeline.matrices(), g.start != 0, g.trace != 0)))
    trace, zero = g.trace[keep], restrict(nothing(g.dimension), keep)
    none = np.zeros((0, 0))

    def block(i: Hashable, k: Hashable, silent: Matrix, jumps: Mapping[Channel, Matrix], polynomials: np.ndarray) -> TangentBlock:
        channels = dict.fromkeys([*jumps, *(n[2] for found in slopes for n in found if isinstance(n, tuple) and n[:2] == (i, k) and isinstance(n[2], Channel))])
        base = Block(restrict(silent, keep), {c: restrict(jumps[c], keep) if c in jumps else zero for c in channels}, polynomials)
        turned = []
        for found in slopes:
            light = {c: restrict(found[i, k, c], keep) for c in channels if (i, k, c) in found}
            quiet = restrict(found[i, k, "silent"], keep) if (i, k, "silent") in found else zero
            if light or quiet is not zero:
                quiet = _keeping(quiet, light, trace)
            how = np.asarray(found.get((i, k, "polynomials"), np.zeros(polynomials.shape)))
            turned.append(Block(quiet, light, how))
        return TangentBlock(base, tuple(turned))

    stretches = []
    for i, s in enumerate(timeline.stretches):
        pieces = 0 if s.pieces_ns is None else s.pieces_ns.size
        scale = 1.0 if s.is_instant else s.duration_ns / max(1, pieces)
        constant = block(i, "", scale * s.silent, {c: scale * j for c, j in s.jumps.items()}, none)
        driven = tuple(block(i, k, d.matrix, d.light, scale * d.polynomials) for k, d in enumerate(s.driven))
        stretches.append(TangentStretch(constant, driven, pieces))
    rest = block("rest", "", timeline.rest.silent, timeline.rest.jumps, none)
    scales = np.array([_scale(stretches, q) for q in range(len(slopes))])
    scaled = tuple(TangentStretch(_scaled(s.constant, scales), tuple(_scaled(d, scales) for d in s.driven), s.pieces) for s in stretches)
    period = timeline.period_ns is not None
    return TangentTimeline(scaled, _scaled(rest, scales), keep, reached, trace, g.start[keep], g.levels[:, keep], g.model.levels, period, scales)


def _keeping(silent: Matrix, jumps: Mapping[Channel, Matrix], trace: np.ndarray) -> Matrix:
    """The derivative of a silent part with its diagonal set so that it keeps the trace together with the light."""
    exact = keeps_trace(silent, trace, sum((trace @ j for j in jumps.values()), np.zeros(trace.size)))
    return exact.astype(float) if isinstance(exact, np.ndarray) else sp.csr_array(exact.astype(float))


def _norm(m: Matrix) -> float:
    return float(abs(m).sum(axis=0).max())


def _height(polynomials: np.ndarray) -> float:
    return float(np.abs(polynomials).sum(axis=1).max(initial=0.0))


def _scale(stretches: Sequence[TangentStretch], q: int) -> float:
    """What makes the derivatives with respect to a parameter small beside what they are derivatives of."""
    largest = 0.0
    for s in stretches:
        base, moved = _norm(s.constant.block.silent), _norm(s.constant.slopes[q].silent)
        for d in s.driven:
            norm, height = _norm(d.block.silent), _height(d.block.polynomials)
            base += norm * height
            moved += _norm(d.slopes[q].silent) * height + norm * _height(d.slopes[q].polynomials)
        largest = max(largest, moved / max(base, 1.0))
    return SMALL / largest if largest > 0.0 else 1.0


def _scaled(t: TangentBlock, scales: np.ndarray) -> TangentBlock:
    slopes = [Block(f * b.silent, {c: f * j for c, j in b.jumps.items()}, f * b.polynomials) for f, b in zip(scales, t.slopes, strict=True)]
    return TangentBlock(t.block, tuple(slopes))


# ------------------------------------------------------------------------------------------------------------ continuous


@dataclass(frozen=True, eq=False)
class SteadyTangents:
    """The steady light of a timeline and its derivatives: every method returns (value, derivatives (parameters, ...))."""

    timeline: TangentTimeline

    @cached_property
    def _moved(self) -> list[Matrix]:
        """A' of each parameter."""
        return [self.timeline.rest.slope((), q).a for q in range(self.timeline.parameters)]

    @cached_property
    def _a(self) -> Matrix:
        return self.timeline.rest.block.system(()).a

    @cached_property
    def state(self) -> np.ndarray:
        """(d,) steady state. Raises evolve.NotUnique with indices into the full x."""
        t = self.timeline
        state = np.zeros(t.trace.size)
        try:
            state[t.reached] = steady_state(restrict(self._a, t.reached), t.trace[t.reached])
        except NotUnique as e:
            raise NotUnique([t.keep[t.reached[c]] for c in e.classes]) from None
        return state

    @cached_property
    def states(self) -> np.ndarray:
        """(parameters, d) its derivatives."""
        return steady_slopes(self._a, self.timeline.trace, self.state, [m @ self.state for m in self._moved])

    @cached_property
    def _flow(self) -> TangentFlow:
        d = self.state.size
        moved = np.array([dense(m) for m in self._moved]).reshape(-1, d, d)
        return TangentFlow(dense(self._a), moved, self.timeline.trace, self.state, self.states)

    def populations(self) -> tuple[np.ndarray, np.ndarray]:
        """(levels,) populations."""
        levels = self.timeline.levels
        return levels @ self.state, self._unscaled(self.states @ levels.T)

    def _jumps(self, light: TangentLight) -> tuple[Matrix, list[Matrix]]:
        """What this light counts, and its derivatives."""
        rest = self.timeline.rest
        return rest.block.system((light,)).gains[0], [rest.slope((light,), q).gains[0] for q in range(self.timeline.parameters)]

    def _after(self, light: TangentLight) -> tuple[np.ndarray, np.ndarray]:
        """(d,) J x and its derivatives."""
        j, moved = self._jumps(light)
        return j @ self.state, np.array([m @ self.state + j @ x for m, x in zip(moved, self.states, strict=True)]).reshape(self.states.shape)

    def _seen(self, light: TangentLight) -> tuple[np.ndarray, np.ndarray]:
        """(d,) trace J and its derivatives."""
        j, moved = self._jumps(light)
        return self.timeline.trace @ j, np.array([self.timeline.trace @ m for m in moved]).reshape(self.states.shape)

    def _flux(self, light: TangentLight) -> tuple[float, np.ndarray]:
        y, ys = self._after(light)
        return float(self.timeline.trace @ y), ys @ self.timeline.trace

    def _unscaled(self, slopes: np.ndarray) -> np.ndarray:
        return slopes / self.timeline.scale.reshape(-1, *(1,) * (slopes.ndim - 1))

    def flux(self, light: TangentLight) -> tuple[float, np.ndarray]:
        """Photons per ns."""
        value, slopes = self._flux(light)
        return value, self._unscaled(slopes)

    def g2(self, tau: np.ndarray, first: TangentLight, second: TangentLight) -> tuple[np.ndarray, np.ndarray]:
        """(n,) g2(tau) for `second` detected tau after `first`; negative delays exchange the two."""
        value, slopes = np.empty(tau.size), np.empty((self.timeline.parameters, tau.size))
        for a, b, chosen in ((first, second, tau >= 0), (second, first, tau < 0)):
            if not chosen.any():
                continue
            (y, ys), (row, rows) = self._after(a), self._seen(b)
            if np.any(tau[chosen]):
                value[chosen], slopes[:, chosen] = self._flow.along(row, rows, y, ys, np.abs(tau[chosen]))
            else:
                value[chosen], slopes[:, chosen] = row @ y, (rows @ y + ys @ row)[:, None]
        (one, ones), (two, twos) = self._flux(first), self._flux(second)
        g2 = value / (one * two)
        return g2, self._unscaled(slopes / (one * two) - (ones / one + twos / two)[:, None] * g2)


# --------------------------------------------------------------------------------------------------------------- pulsed


class TangentCounts(NamedTuple):
    """Counts and their derivatives, each (parameters, ...)."""

    counts: Counts
    slopes: Counts


@dataclass(frozen=True, eq=False)
class PulsedTangents:
    """The light of a pulsed timeline and its derivatives, per period of a train or to infinity after a single pulse."""

    timeline: TangentTimeline

    @cached_property
    def _period(self) -> tuple[np.ndarray, np.ndarray]:
        """(d, d) map of one period and its derivatives (parameters, d, d)."""
        one = np.eye(self.timeline.trace.size)
        x = self._through_all((), nothing_counted(), one, np.zeros((self.timeline.parameters, *one.shape)))
        return x[:, :, 0, 0], np.moveaxis(x[:, :, 0, 1:], 2, 0)

    @cached_property
    def state(self) -> np.ndarray:
        """(d,) state at the start. Raises evolve.NotUnique with indices into the full x."""
        t = self.timeline
        if not t.is_train:
            return t.start
        everything = [m for s in t.stretches for b in (s.constant.block, *(d.block for d in s.driven)) for m in (b.silent, *b.jumps.values())]
        state, edges = np.zeros(t.trace.size), pattern([t.rest.block.silent, *t.rest.block.jumps.values(), *everything])
        try:
            state[t.reached] = fixed_point(self._period[0][np.ix_(t.reached, t.reached)], t.trace[t.reached], restrict(edges, t.reached))
        except NotUnique as e:
            raise NotUnique([t.keep[t.reached[c]] for c in e.classes]) from None
        return state

    @cached_property
    def states(self) -> np.ndarray:
        """(parameters, d) its derivatives: (1 - M) x' = M' x."""
        t = self.timeline
        if not t.is_train:
            return np.zeros((t.parameters, t.trace.size))
        m, moved = self._period
        return steady_slopes(m - np.eye(len(m)), t.trace, self.state, list(moved @ self.state))

    def populations(self) -> tuple[np.ndarray, np.ndarray]:
        """(levels,) populations at the start."""
        return self.timeline.levels @ self.state, self._unscaled(self.states @ self.timeline.levels.T)

    def count(self, light: TangentLight, top: int) -> TangentCounts:
        """Photon numbers and moments of one light. Raises evolve.Endless if the light never stops, NoDerivative if part of x is trapped."""
        t, p = self.timeline, self.timeline.parameters
        register = numbers(top, MOMENTS)
        x = self._through_all((light,), register, self.state[:, None], self.states[:, :, None])[:, 0]  # (d, m, 1 + p)
        moments = np.array([register.moments_of(x[:, :, q], MOMENTS) for q in range(1 + p)])  # (1 + p, MOMENTS + 1, d)
        whole = np.einsum("d,dmq->qm", t.trace, x[:, : top + 2])
        probabilities, at_least = whole[:, :-1].copy(), np.cumsum(whole[:, ::-1], axis=1)[:, :0:-1].copy()
        found = moments @ t.trace
        if not t.is_train:
            (a, gains), slopes = t.rest.block.system((light,)), [t.rest.slope((light,), q) for q in range(p)]
            tail = tail_rows(a, gains, t.trace, (top,), slopes)
            listed = x[:, : top + 1]
            exactly, more = (np.einsum("kd,dmq->qkm", rows, listed) for rows in (tail.exactly, tail.at_least))  # [to come, so far]
            exactly[1:] += np.einsum("pkd,dm->pkm", tail.slopes[:, 0], listed[..., 0])
            more[1:] += np.einsum("pkd,dm->pkm", tail.slopes[:, 1], listed[..., 0])
            for n in range(top + 1):
                probabilities[:, n] = sum(exactly[:, n - k, k] for k in range(n + 1))
                at_least[:, n] += sum(more[:, n - k, k] for k in range(n))
            powers_to_come = tail_powers_and_slopes(a, gains, t.trace, (MOMENTS,), slopes)
            later = np.einsum("kd,qnd->qkn", powers_to_come.rows, moments)
            later[1:] += np.einsum("pkd,nd->pkn", powers_to_come.slopes, moments[0])
            found = np.array([sum(later[:, n - k, k] for k in range(n + 1)) for n in range(MOMENTS + 1)]).T
        found = found * _factorials(MOMENTS)
        value = Counts(probabilities[0], at_least[0], found[0])
        return TangentCounts(value, Counts(*(self._unscaled(v[1:]) for v in (probabilities, at_least, found))))

    def correlations(self, light: TangentLight, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(count + 1,) <n(n-1)>, <n_0 n_1>, ..., <n_0 n_count> of a train, over its squared mean."""
        t, one = self.timeline, np.eye(self.timeline.trace.size)
        if not t.is_train:
            raise bad("correlations from pulse to pulse", "be asked of a train", "a single pulse", "give the drive a period_ns")
        x = np.moveaxis(self._through_all((light,), powers((2,)), one, np.zeros((t.parameters, *one.shape))), (2, 3), (0, 1))  # (3, 1 + p, d, d)
        once, twice = x[1], 2.0 * x[2]
        row, rows = t.trace @ once[0], t.trace @ once[1:]
        after, afters = once[0] @ self.state, once[1:] @ self.state + self.states @ once[0].T
        mean, means = float(t.trace @ after), afters @ t.trace
        values = [t.trace @ twice[0] @ self.state]
        slopes = [(twice[1:] @ self.state + self.states @ twice[0].T) @ t.trace]
        m, moved = self._period
        for _ in range(count):
            values.append(row @ after)
            slopes.append(rows @ after + afters @ row)
            after, afters = m @ after, moved @ after + afters @ m.T
        value = np.array(values) / mean**2
        return value, self._unscaled(np.array(slopes).T / mean**2 - 2.0 * (means / mean)[:, None] * value)

    # --------------------------------------------------------------------------------------------------------------------

    def _unscaled(self, slopes: np.ndarray) -> np.ndarray:
        return slopes / self.timeline.scale.reshape(-1, *(1,) * (slopes.ndim - 1))

    def _through_all(self, axes: Sequence[TangentLight], register: Register, y: np.ndarray, ys: np.ndarray) -> np.ndarray:
        """(d, n, m, 1 + parameters) at the end of the last stretch, from the columns of y (d, n) and their derivatives ys (parameters, d, n)."""
        p = self.timeline.parameters
        found = np.zeros((*y.shape, register.size, 1 + p))
        for low in range(0, max(p, 1), GROUP):
            group = list(range(low, min(low + GROUP, p)))
            larger = with_slopes(register, len(group))
            x = larger.start(y)
            x[..., 1 : 1 + len(group)] = np.moveaxis(ys[group], 0, 2)
            for s in self.timeline.stretches:
                x = _through(s, axes, group, larger, x, self.timeline.trace)
            split = x.reshape(*y.shape, register.size, 1 + len(group))
            found[..., 0], found[..., 1 + low : 1 + low + len(group)] = split[..., 0], split[..., 1:]
        return found


def _through(s: TangentStretch, axes: Sequence[TangentLight], group: Sequence[int], register: Register, x: np.ndarray, trace: np.ndarray) -> np.ndarray:
    """Carry x (d, n, m) through one stretch, with the derivatives of a group of parameters."""

    def system(block: TangentBlock) -> tuple[Matrix, list[Matrix]]:
        """Silent part and gains, in the order of the register's axes."""
        a, gains = block.block.system(axes)
        slopes = [block.slope(axes, q) for q in group]
        return a, [*gains, *(one.a for one in slopes), *(g for one in slopes for g in one.gains)]

    a, gains = system(s.constant)
    if s.pieces:
        terms = []
        zero = 0.0 * a
        for block in s.driven:
            matrix, gained = system(block)
            terms.append(Driven(matrix, tuple(gained), block.block.polynomials))
            alone, lights = block.block.system(axes)
            for i, q in enumerate(group):  # the envelope's own derivative
                if block.slopes[q].polynomials.any():
                    moved: list[Matrix] = [zero] * len(gained)
                    moved[len(axes) + i] = alone
                    first = len(axes) + len(group) + i * len(axes)
                    moved[first : first + len(axes)] = lights
                    terms.append(Driven(zero, tuple(moved), block.slopes[q].polynomials))
        return drive_through(a, gains, terms, np.ones(s.pieces), register, x, trace)
    return carry(a, gains, register, 1.0, x, trace)
