"""Larger linear systems that run beside a source: clocks, integrals over two times, light that has been changed on its way.

A quantity that is an integral over one or two times is an entry of such a system at the end; none of them needs a grid of times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from qdot.evolve import Flow, Matrix, TooManySteps, dense, nothing_counted, pattern, reach, relevant, restrict, seen_by
from qdot.generator import Stretch, Timeline
from qdot.model import Channel
from qdot.statistics.pulsed import through

Jumps = Mapping[Channel, Matrix]
ALIVE = 40.0
"""What has fallen by exp(-ALIVE) no longer bounds the distance of points in time."""
RADIANS = 3.0
"""Largest rate times length of a panel of points."""
CONTINUOUS = 1e-9
"""Largest relative change of the generator at a border where it counts as continuous, as at the far wings of a Gaussian."""
MOST_PANELS = 5000
"""Largest number of panels."""


def everything(silent: Matrix, jumps: Jumps) -> Matrix:
    """The generator with its light left uncounted."""
    return sum(jumps.values(), silent)


def stretches_between(timeline: Timeline, begin: float, end: float) -> list[tuple[Stretch, float, float]]:
    """[(stretch, from, to)] after one time and up to another, both counted from the start of each stretch; an instant at `begin` is left out, one at
    `end` is not.

    begin = -inf: from the very start; end = inf: until the last pulse has passed, the rest being left to closed forms.
    """
    stretches = list(timeline.stretches)
    if timeline.period_ns is None and end < math.inf:
        stretches.append(replace(timeline.rest, start_ns=stretches[-1].end_ns if stretches else 0.0))
    found = []
    for s in stretches:
        if s.is_instant:
            if begin < s.start_ns <= end:
                found.append((s, 0.0, 0.0))
        elif s.end_ns > begin and s.start_ns < end:
            found.append((s, max(begin - s.start_ns, 0.0), min(end, s.end_ns) - s.start_ns))
    return found


def carried(timeline: Timeline, x: np.ndarray, begin: float, end: float, stretch: float = 1.0, trace: np.ndarray | None = None) -> np.ndarray:
    """(d, n) the columns of x (d, n) carried from one time of a timeline to another as in `stretches_between`, light uncounted.

    trace: the row that the timeline keeps, if it keeps one.
    """
    kept = np.zeros(x.shape[0]) if trace is None else trace
    for s, low, high in stretches_between(timeline, begin, end):
        x = through(s, (), nothing_counted(), x[..., None], kept, stretch, low, None if s.is_instant else high)[..., 0]
    return x


def visited(timeline: Timeline, x: np.ndarray, begin: float, times: np.ndarray, stretch: float = 1.0, trace: np.ndarray | None = None) -> np.ndarray:
    """(d, n) what x (d,) at `begin` has become at later times (n,), increasing and finite. trace: see `carried`."""
    found = np.empty((x.size, times.size))
    kept = np.zeros(x.size) if trace is None else trace
    done, x = 0, x[:, None]
    for s, low, high in stretches_between(timeline, begin, float(times[-1])):
        until = done + int(np.searchsorted(times[done:], s.start_ns + high, side="left"))
        inside = times[done:until] - s.start_ns
        if s.pieces_ns is None and inside.size:
            flow = Flow(dense(everything(s.silent, s.jumps)), trace, None, stretch)
            found[:, done:until] = flow.along(np.eye(x.size), x[:, 0], np.maximum(inside - low, 0.0))
        elif inside.size:
            at, y = low, x
            for k, t in enumerate(inside):
                if t > at:
                    y = through(s, (), nothing_counted(), y[..., None], kept, stretch, at, float(t))[..., 0]
                    at = float(t)
                found[:, done + k] = y[:, 0]
        x = through(s, (), nothing_counted(), x[..., None], kept, stretch, low, None if s.is_instant else high)[..., 0]
        done = until
    found[:, done:] = x
    return found


def points_in(timeline: Timeline, probes: np.ndarray, end: float, count: int, ahead: Sequence[float] | np.ndarray = ()) -> tuple[np.ndarray, np.ndarray]:
    """(times, weights) of Gauss-Legendre points from the start to `end`, `count` on each panel, for what is seen by the probes (d,) bool.

    Panels end where the formula of the generator changes, and one of the delays `ahead` before it jumps; they are at most RADIANS over the largest rate on
    pulses, and between pulses over the largest rate that the probes see and that has not yet died out.
    """
    node, weight = np.polynomial.legendre.leggauss(count)
    edges: list[tuple[float, float]] = []
    changes = np.unique(np.subtract.outer(_jumps(timeline), np.asarray(ahead, dtype=float)))
    for s, low, high in stretches_between(timeline, -math.inf, end):
        if s.is_instant:
            continue
        whole = everything(s.silent, s.jumps)
        if s.pieces_ns is None:
            seen = np.flatnonzero(seen_by(whole, probes))
            rates = np.linalg.eigvals(dense(restrict(whole, seen)))
            at = low
            while at < high:
                alive = np.abs(rates[-rates.real * (at - low) < ALIVE]).max(initial=0.0)
                to = min(high, at + (RADIANS / alive if alive > 0.0 else math.inf))
                edges += _cut(s.start_ns + at, s.start_ns + to, changes)
                at = to
                if len(edges) > MOST_PANELS:
                    raise TooManySteps
            continue
        starts = np.concatenate([[0.0], np.cumsum(s.pieces_ns)])
        for k, (a, b) in enumerate(itertools.pairwise(starts)):
            size = _largest(whole) + sum(float(np.abs(d.polynomials[k]).sum()) * _largest(everything(d.matrix, d.light)) for d in s.driven)
            parts = max(1, math.ceil(size * (b - a) / RADIANS))
            marks = np.clip(np.linspace(a, b, parts + 1), low, high)
            edges += [cut for u, v in itertools.pairwise(marks) if v > u for cut in _cut(s.start_ns + u, s.start_ns + v, changes)]
            if len(edges) > MOST_PANELS:
                raise TooManySteps
    if not edges:
        return np.zeros(0), np.zeros(0)
    begin, half = np.array([e[0] for e in edges]), np.array([0.5 * (e[1] - e[0]) for e in edges])
    return (begin[:, None] + half[:, None] * (1.0 + node)).ravel(), (half[:, None] * weight).ravel()


def settled_ns(timeline: Timeline) -> float:
    """From when on nothing changes any more: the end of the last pulse or, in a period, the beginning of its last stretch without an envelope."""
    if not timeline.stretches:
        return 0.0
    last = timeline.stretches[-1]
    return last.start_ns if timeline.period_ns is not None and last.pieces_ns is None and not last.is_instant else last.end_ns


def _jumps(timeline: Timeline) -> np.ndarray:
    """Times at which the generator or its slope jumps: instants, borders of stretches where they are not continuous, and the end of a period."""
    found = [s.start_ns for s in timeline.stretches if s.is_instant]
    lasting = [s for s in timeline.stretches if not s.is_instant]
    if timeline.period_ns is None:
        lasting.append(replace(timeline.rest, start_ns=lasting[-1].end_ns if lasting else 0.0))
    else:
        found.append(timeline.period_ns)
    for before, after in itertools.pairwise(lasting):
        scale = max(_largest(before.silent), *(float(np.abs(d.polynomials).max()) * _largest(d.matrix) for d in (*before.driven, *after.driven)), 1e-300)
        for left, right, unit in zip(_generator_at(before, -1), _generator_at(after, 0), (1.0, _length(before, after)), strict=True):
            if unit * _largest(left - right) > CONTINUOUS * scale and after.start_ns not in found:
                found.append(after.start_ns)
    return np.unique(found)


def _length(before: Stretch, after: Stretch) -> float:
    """Length of the shortest piece on both sides of a border, ns: that in which a slope is counted."""
    return min(float(s.pieces_ns[0]) if s.pieces_ns is not None else s.duration_ns for s in (before, after))


def _generator_at(s: Stretch, piece: int) -> tuple[Matrix, Matrix]:
    """The generator and its slope at the end (-1) or at the beginning (0) of a stretch."""
    total, slope = everything(s.silent, s.jumps), 0.0 * s.silent
    for d in s.driven:
        if s.pieces_ns is not None:
            c, whole = np.polynomial.Polynomial(d.polynomials[piece]), everything(d.matrix, d.light)
            at = 1.0 if piece else 0.0
            total, slope = total + float(c(at)) * whole, slope + float(c.deriv()(at)) / s.pieces_ns[piece] * whole
    return total, slope


def _cut(begin: float, end: float, at: np.ndarray) -> list[tuple[float, float]]:
    """A panel in parts that end at the times (n,), increasing, that lie in it."""
    inside = at[(at > begin) & (at < end)]
    return list(itertools.pairwise([begin, *inside.tolist(), end]))


def _largest(m: Matrix) -> float:
    """Size of the largest entry: the fastest that anything turns."""
    return float(abs(m).max())


def beside(larger: Timeline, start: np.ndarray, total: int, begin: float, end: float, stretch: float) -> np.ndarray:
    """(d,) the larger system at `end` (inf: when the last pulse has passed) from `start` at `begin`, 0 being before any instant there.

    total: index of the first sum that is asked for; the sums come last, and only what they see, now or after the last pulse, is calculated.
    """
    matrices = larger.matrices()
    sums = np.arange(start.size) >= total
    edges = pattern(matrices)
    is_reached = reach(edges, start != 0.0)
    keep = np.union1d(relevant(matrices, start != 0.0, sums), np.flatnonzero(sums & is_reached))
    x = np.zeros(start.size)
    if keep.size:
        small = larger.mapped(lambda m: restrict(m, keep))
        x[keep] = carried(small, start[keep, None], begin if begin > 0.0 else -math.inf, end, stretch)[:, 0]
    return x
