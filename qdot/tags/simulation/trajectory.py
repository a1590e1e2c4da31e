"""Quantum jumps without a time step: a wave function between jumps, and the exact time at which the next one comes.

Between jumps psi obeys dpsi/dt = (-iH - sum c^dag c / 2) psi, and |psi|^2 is the probability that none has come. One uniform number is the survival
at the next jump. Its time is found by carrying psi over 1, 2, 4, ... leaves of time (or periods) while the survival stays above that number, and then
downwards; inside the last leaf psi is its own Taylor series, whose square is solved for the time to round-off. What kind of jump it is follows from
|c_k psi|^2 there. Leaves are as short as the generator and the envelopes ask for, so that no pulse can be missed; long waits cost their logarithm.
Where every jump resets the state (a two-level emitter, a cascade) this is sampling of the waiting times from their own distribution; elsewhere
(collective decay, cavities) psi remembers. Every jump is sampled, those that emit nothing or whose photon is lost, too.
Sources: Dalibard, Castin, Molmer, Phys. Rev. Lett. 68, 580 (1992); Carmichael, An Open Systems Approach to Quantum Optics (Springer, 1993).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from qdot.errors import bad
from qdot.evolve import reach
from qdot.evolve.reduction import pattern
from qdot.generator import Stretch, Timeline
from qdot.model import Channel, JumpOperator
from qdot.tags.simulation import kernel
from qdot.tags.simulation.chain import CLOSE, divided, part, pieces_of, shifted, stretches_of, trimmed

DRAWS = 1 << 14
"""Random numbers drawn at once."""
REACH = 1.0
"""Longest leaf of constant terms, times the norm of the generator."""
DRIVEN_REACH = 2.0
"""The same where envelopes vary."""
ORDER = 100
"""Highest order of the series of psi in a leaf; with these leaves some 25 are used."""
LARGEST_BYTES = 2**31
"""Most memory for propagators."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The tables of a wave function over one period, cut into spans of 2^depth leaves.

    group, degree, depth, rung (S,): set of generators; degree of the envelopes (-1: constant); leaves as a power of two; first of the span's
    propagators. begin_ps, length_ps, scale (S,): on the clock, and what generators are multiplied by, the last two of one leaf; envelope (S, T, width);
    generator (G, 1 + T, n, n); propagator (X, n, n): over 1, 2, 4, .. leaves of each span; rest (S, n, n): from a span's start to the period's end;
    periods (L, n, n): over 1, 2, 4, .. periods; first (K + 1), row, column, value: entries of the jump operators; weight (G, K, 1 + T): how strongly
    they act; sent (K, detectors): cumulated probabilities of their photons; start (N, n), chance (N,): states at the start of a shot and their
    cumulated probabilities; resets: every period is a shot of its own; kept (n,): states of the model that are ever occupied.
    """

    group: np.ndarray
    degree: np.ndarray
    depth: np.ndarray
    rung: np.ndarray
    begin_ps: np.ndarray
    length_ps: np.ndarray
    scale: np.ndarray
    envelope: np.ndarray
    generator: np.ndarray
    propagator: np.ndarray
    rest: np.ndarray
    periods: np.ndarray
    first: np.ndarray
    row: np.ndarray
    column: np.ndarray
    value: np.ndarray
    weight: np.ndarray
    sent: np.ndarray
    start: np.ndarray
    chance: np.ndarray
    resets: bool
    period_ps: int
    period_fraction_ps: float
    kept: np.ndarray


def trajectory_of(
    timeline: Timeline,
    jumps: Sequence[JumpOperator],
    sent: Mapping[Channel, np.ndarray],
    start: np.ndarray,
    duration_ns: float,
    period_ns: float | None,
    shot_ns: float | None,
) -> Trajectory:
    """The tables of a timeline made by `between_jumps`, with its jump operators.

    sent: {channel of light: probability of a photon to be seen by each detector}; start: (n, n) density matrix with which each shot begins;
    duration_ns: how far it will be followed; period_ns, shot_ns: as in `chain_of`. Raises InputError if it asks for too much memory.
    """
    stretches = stretches_of(timeline, period_ns, shot_ns)
    terms = max(len(s.driven) for s in stretches)
    matrices = [m for s in stretches for m in (s.silent, *(d.matrix for d in s.driven))]
    operators = [j.matrix.toarray() for j in jumps]
    kept = np.flatnonzero(reach(pattern([*matrices, *operators]), np.abs(start).sum(axis=1) > 0.0))
    n = kept.size
    generator = np.zeros((len(stretches), 1 + terms, n, n), dtype=complex)
    weight = np.zeros((len(stretches), len(jumps), 1 + terms))
    for g, stretch in enumerate(stretches):
        for t, (m, light) in enumerate([(stretch.silent, stretch.jumps), *((d.matrix, d.light) for d in stretch.driven)]):
            generator[g, t] = np.asarray(m)[np.ix_(kept, kept)]
            for channel, strength in light.items():
                weight[g, int(channel.line), t] = strength[0, 0]
    still_ps = 0.0
    if period_ns is None and shot_ns is None:  # continuous light: a period of one leaf, a power of two in ps so that its multiples are exact
        still_ps = 2.0 ** math.floor(math.log2(1000.0 * REACH / max(_norm(generator[-1, 0]), 1e-9)))
        stretches = [Stretch(0.0, still_ps / 1000.0, stretches[-1].silent, stretches[-1].jumps)]
    leaves = [(g, depth, *leaf) for g, s in enumerate(stretches) for depth, *leaf in _leaves(s, generator[g], terms)]
    group, depth = (np.array([leaf[i] for leaf in leaves], dtype=np.int32) for i in (0, 1))
    begin, length, scale = np.array([leaf[2:5] for leaf in leaves]).T
    envelope, degree = trimmed(np.array([leaf[5] for leaf in leaves]))
    length_ns = period_ns or shot_ns or still_ps / 1000.0
    rungs = 0 if shot_ns is not None else max(1, math.ceil(math.log2(duration_ns / length_ns + 2.0)) + 1)
    size = 16 * n * n * (int(depth.sum()) + 2 * depth.size + rungs)
    if size > LARGEST_BYTES:
        must, remedy = f"need at most {LARGEST_BYTES / 1e9:.1f} GB of propagators", "take fewer number states, or a shorter pulse"
        raise bad("the wave function between jumps", must, f"{size / 1e9:.3g} GB ({n} states, {depth.size} pieces of time)", remedy)
    ladders = [_ladder(generator[g], e[:, : d + 1], c, m) for g, e, d, c, m in zip(group, envelope, degree, scale, depth, strict=True)]
    rest = np.empty((depth.size, n, n), dtype=complex)
    after = np.eye(n, dtype=complex)
    for s in range(depth.size - 1, -1, -1):
        after = after @ ladders[s][-1]
        rest[s] = after
    periods = np.empty((rungs, n, n), dtype=complex)
    for m in range(rungs):
        periods[m] = after
        after = after @ after
    entries = [_entries(m[np.ix_(kept, kept)]) for m in operators]
    first = np.concatenate([[0], np.cumsum([len(v) for *_, v in entries])]).astype(np.int32)
    row, column, value = (np.concatenate([e[i] for e in entries]) if entries else np.zeros(0) for i in range(3))
    seers = max((len(v) for v in sent.values()), default=0)
    cumulated = np.zeros((len(jumps), seers))
    for k, j in enumerate(jumps):
        if j.photon is not None:
            cumulated[k] = np.cumsum(sent.get(Channel(j.photon, j.polarisation), np.zeros(seers)))
    vectors, chance = unravelled(start[np.ix_(kept, kept)])
    whole, fraction = (int(still_ps), still_ps % 1.0) if still_ps else divided(length_ns)
    return Trajectory(
        group=group,
        degree=degree.astype(np.int32),
        depth=depth,
        rung=np.concatenate([[0], np.cumsum(depth + 1)[:-1]]).astype(np.int32),
        begin_ps=begin.copy(),
        length_ps=length.copy(),
        scale=scale.copy(),
        envelope=np.ascontiguousarray(envelope),
        generator=generator,
        propagator=np.concatenate(ladders),
        rest=rest,
        periods=periods,
        first=first,
        row=row.astype(np.int32),
        column=column.astype(np.int32),
        value=value.astype(complex),
        weight=weight,
        sent=cumulated,
        start=vectors,
        chance=chance,
        resets=shot_ns is not None,
        period_ps=whole,
        period_fraction_ps=fraction,
        kept=kept,
    )


def unravelled(rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, n) wave functions and their cumulated probabilities (N,), whose mixture is a density matrix (n, n)."""
    shares, vectors = np.linalg.eigh(rho)
    live = shares > 1e-15 * shares.max()
    return np.ascontiguousarray(vectors.T[live]), np.cumsum(shares[live] / shares[live].sum())


def followed(c: Trajectory, rho: np.ndarray, begin: int, end_ps: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (times in ps, detectors) from the start of period `begin` until end_ps; rho (n, n) of all states at that start (a shot has its own)."""
    vectors, chance = (c.start, c.chance) if c.resets else unravelled(rho[np.ix_(c.kept, c.kept)])
    psi = vectors[min(int(np.searchsorted(chance, rng.random(), side="right")), len(chance) - 1)].copy()
    at, place = np.array([begin, 0, 0, 0], dtype=np.int64), np.zeros(1)
    last = math.ceil(end_ps / (c.period_ps + c.period_fraction_ps)) + 1
    library = kernel.library()
    run = _Follow(c) if library is None else _CompiledFollow(c, library)
    while not at[3]:
        yield run(rng.random(DRAWS), rng.random(DRAWS), end_ps, last, at, place, psi)


def _norm(m: np.ndarray) -> float:
    return float(np.abs(m).sum(axis=0).max(initial=0.0))


def _leaves(s: Stretch, generator: np.ndarray, terms: int) -> Iterator[tuple[int, float, float, float, np.ndarray]]:
    """(depth, begin in ps, and of one leaf: length in ps, factor of the generator, envelopes) of each span of a stretch."""
    for begin, length, scale, envelope in zip(*pieces_of(s, terms), strict=True):
        heights = np.abs(envelope).sum(axis=1)
        norm = scale * (_norm(generator[0]) + sum(h * _norm(m) for h, m in zip(heights, generator[1:], strict=True)))
        if s.pieces_ns is None:
            depth = max(0, math.ceil(math.log2(norm / REACH))) if norm > 0.0 else 0
            yield depth, begin, length / 2**depth, scale / 2**depth, envelope
            continue
        count = max(1, math.ceil(norm / DRIVEN_REACH))
        for k in range(count):
            yield 0, begin + k * length / count, length / count, scale / count, part(envelope, k, count)


def expanded(generator: np.ndarray, envelope: np.ndarray, scale: float, x: np.ndarray) -> np.ndarray:
    """(K + 1, n, m) Taylor series over a leaf of what begins as x (n, m); generator (1 + T, n, n), envelope (T, degree + 1), empty if constant."""
    series = [x]
    most, small, degree = max(np.abs(x.real).max(initial=0.0), np.abs(x.imag).max(initial=0.0)), 0, envelope.shape[-1] - 1
    for k in range(ORDER):
        term = generator[0] @ series[k]
        for m, p in zip(generator[1:], envelope, strict=False):
            if p.size:
                term = term + m @ sum(p[j] * series[k - j] for j in range(min(k + 1, p.size)))
        term = term * (scale / (k + 1))
        series.append(term)
        small = small + 1 if max(np.abs(term.real).max(initial=0.0), np.abs(term.imag).max(initial=0.0)) <= 1e-18 * most else 0
        if small > (degree >= 0) and k >= degree:  # an envelope may begin with powers that are zero
            break
    return np.array(series)


def summed(series: np.ndarray, w: float) -> tuple[np.ndarray, np.ndarray]:
    """The sum of a Taylor series at w, and its slope there."""
    value, slope = series[-1], np.zeros_like(series[-1])
    for term in series[-2::-1]:
        slope = slope * w + value
        value = value * w + term
    return value, slope


def _ladder(generator: np.ndarray, envelope: np.ndarray, scale: float, depth: int) -> np.ndarray:
    """(depth + 1, n, n) propagators over 1, 2, 4, .. leaves."""
    if envelope.shape[1]:
        return np.array([expanded(generator, envelope, scale, np.eye(generator.shape[1], dtype=complex)).sum(axis=0)])
    found = [scipy.linalg.expm(scale * generator[0])]
    for _ in range(depth):
        found.append(found[-1] @ found[-1])
    return np.array(found)


def _entries(m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    row, column = np.nonzero(m)
    return row, column, m[row, column]


class _Follow:
    """Following in Python, statement by statement that of events.c."""

    def __init__(self, c: Trajectory) -> None:
        self.c = c
        self.spans = c.depth.size
        self.operators = []
        for k in range(c.weight.shape[1]):
            mine = slice(c.first[k], c.first[k + 1])
            m = np.zeros(c.generator.shape[2:], dtype=complex)
            m[c.row[mine], c.column[mine]] = c.value[mine]
            self.operators.append(m)

    def __call__(
        self, uniform: np.ndarray, which: np.ndarray, end_ps: int, last: int, at: np.ndarray, place: np.ndarray, psi: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Follow the wave function while draws last. at: period, span, leaf, 1 once the end is reached; place: fraction of the leaf; psi: normalised."""
        c = self.c
        self.period, self.s, self.leaf, self.v, self.psi = int(at[0]), int(at[1]), int(at[2]), float(place[0]), psi.copy()
        is_over = False
        found: list[tuple[int, int]] = []
        for u, chance in zip(uniform.tolist(), which.tolist(), strict=True):
            limit = 1.0 - u
            holds = self._next(limit, last)
            if self.period > last:
                is_over = True
                break
            if not holds:  # the next shot
                self.psi = c.start[min(int(np.searchsorted(c.chance, chance, side="right")), len(c.chance) - 1)].copy()
                continue
            s, v = self.s, self.v
            now = self.period * c.period_ps + math.floor(c.begin_ps[s] + (self.leaf + v) * c.length_ps[s] + self.period * c.period_fraction_ps)
            if now >= end_ps:
                is_over = True
                break
            weights = c.weight[c.group[s]]
            strength = weights[:, 0].copy()
            if c.degree[s] >= 0:
                strength += weights[:, 1:] @ np.array([np.polyval(p[c.degree[s] :: -1], v) for p in c.envelope[s]])
            after = [m @ self.psi for m in self.operators]
            strength = np.maximum(strength, 0.0) * [_square(y) for y in after]
            live = np.flatnonzero(strength > 0.0)
            if not live.size:  # the survival fell by round-off alone: draw again
                self.psi = self.psi / math.sqrt(_square(self.psi))
                continue
            left = chance * float(strength.sum())
            for k in live:
                chosen = k
                if left < strength[k]:
                    break
                left -= strength[k]
            seers = np.flatnonzero(left / strength[chosen] < c.sent[chosen])
            self.psi = after[chosen] / math.sqrt(_square(after[chosen]))
            if seers.size:
                found.append((now, int(seers[0])))
        at[:], place[0], psi[:] = (self.period, self.s, self.leaf, is_over), self.v, self.psi
        times, seen = zip(*found, strict=True) if found else ((), ())
        return np.array(times, dtype=np.int64), np.array(seen, dtype=np.int16)

    def _next(self, limit: float, last: int) -> bool:
        """Go on to the next jump (True), to the start of the next shot, or beyond the last period."""
        c = self.c
        while True:
            if self._at_start(0) and not c.resets:
                self._skip(limit, last - self.period + 1)
                if self.period > last:
                    return False
            while self.s < self.spans:
                if self._at_start(self.s) and self._survives(c.rest[self.s], limit):
                    break
                if self._span_holds(limit):
                    return True
                self.s, self.leaf, self.v = self.s + 1, 0, 0.0
            self.period, self.s, self.leaf, self.v = self.period + 1, 0, 0, 0.0
            if c.resets or self.period > last:
                return False

    def _at_start(self, s: int) -> bool:
        return self.s == s and self.leaf == 0 and self.v == 0.0

    def _survives(self, m: np.ndarray, limit: float) -> bool:
        after = m @ self.psi
        if not _square(after) > limit:
            return False
        self.psi = after
        return True

    def _skip(self, limit: float, most: int) -> None:
        """Whole periods in which nothing happens."""
        done, rises, m = 0, True, 0
        while m >= 0 and done < most:
            if done + (1 << m) <= most and self._survives(self.c.periods[m], limit):
                done += 1 << m
                m = min(m + 1, len(self.c.periods) - 1) if rises else m - 1
            else:
                rises, m = False, m - 1
        self.period += done

    def _span_holds(self, limit: float) -> bool:
        """To the end of the span, or to the jump in it: powers of two of leaves, upwards while nothing happens, then downwards."""
        depth, rung = int(self.c.depth[self.s]), int(self.c.rung[self.s])
        if self.v > 0.0:
            if self._leaf_holds(limit):
                return True
            self.leaf, self.v = self.leaf + 1, 0.0
        rises = self.leaf > 0
        m = 0 if rises else depth
        while self.leaf < 1 << depth:
            if self.leaf + (1 << m) <= 1 << depth and self._survives(self.c.propagator[rung + m], limit):
                self.leaf += 1 << m
                rises = rises or m == 0
                m = min(m + 1, depth) if rises else m - 1
            elif m > 0:
                rises, m = False, m - 1
            else:
                if self._leaf_holds(limit):
                    return True
                self.leaf, rises = self.leaf + 1, True
        return False

    def _leaf_holds(self, limit: float) -> bool:
        """From a fraction of a leaf to where |psi|^2 falls to `limit`, or to the end of the leaf."""
        c, s = self.c, self.s
        envelope = shifted(c.envelope[s][:, : c.degree[s] + 1], self.v) if c.degree[s] >= 0 else np.empty((0, 0))
        series = expanded(c.generator[c.group[s]], envelope, float(c.scale[s]), self.psi[:, None])[..., 0]
        length = 1.0 - self.v
        at_start, at_end = _square(self.psi), _square(summed(series, length)[0])
        if at_end > limit:
            self.psi = summed(series, length)[0]
            return False
        low, high, w = 0.0, length, length * (at_start - limit) / (at_start - at_end) if at_start > at_end else 0.0
        for _ in range(100):
            if not low < w < high:
                w = 0.5 * (low + high)
            self.psi, slope = summed(series, w)
            miss = _square(self.psi) - limit
            fall = 2.0 * float((self.psi.conj() @ slope).real)
            low, high = (w, high) if miss > 0.0 else (low, w)
            step = -miss / fall if fall < 0.0 else -2.0
            if high - low <= 1e-16:
                break
            if abs(step) <= CLOSE:  # the next step would be its square
                self.psi, w = self.psi + step * slope, min(max(w + step, 0.0), length)
                break
            w += step
        self.v += w
        return True


def _square(psi: np.ndarray) -> float:
    return float(np.vdot(psi, psi).real)


class _Tables(ctypes.Structure):
    """`Trajectory` of events.c."""

    _fields_ = (
        *((name, ctypes.c_longlong) for name in ("states", "spans", "terms", "width", "jumps", "detectors", "ladder", "order", "starts")),
        *((name, ctypes.c_void_p) for name in ("group", "degree", "depth", "rung", "begin_ps", "length_ps", "scale", "envelope")),
        *((name, ctypes.c_void_p) for name in ("begins", "beside", "generator")),
        *((name, ctypes.c_void_p) for name in ("propagator", "rest", "periods", "first", "row", "column", "value", "weight", "sent", "start", "chance")),
        *((name, ctypes.c_longlong) for name in ("resets", "period_ps")),
        ("period_fraction_ps", ctypes.c_double),
    )


class _CompiledFollow:
    """Following in C. Keeps the tables, to whose arrays it points."""

    def __init__(self, c: Trajectory, library: ctypes.CDLL) -> None:
        self.c, self.library = c, library
        n, (terms, width), (jumps, seers) = c.generator.shape[2], c.envelope.shape[1:], c.sent.shape
        sizes = (n, c.depth.size, terms, width, jumps, seers, len(c.periods), ORDER, len(c.start))
        stacked = c.generator.reshape(-1, n)
        rows, columns = np.nonzero(stacked)
        begins = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(stacked)))]).astype(np.int32)
        self.compressed = {"begins": begins, "beside": columns.astype(np.int32), "generator": stacked[rows, columns]}
        given = [self.compressed.get(field[0], getattr(c, field[0], None)) for field in _Tables._fields_[9:]]
        self.tables = _Tables(*sizes, *(v.ctypes.data if isinstance(v, np.ndarray) else v for v in given))
        self.work = np.empty(2 * n * (ORDER + 4) + terms * (1 + width) + jumps)

    def __call__(
        self, uniform: np.ndarray, which: np.ndarray, end_ps: int, last: int, at: np.ndarray, place: np.ndarray, psi: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        times, seen = np.empty(uniform.size, np.int64), np.empty(uniform.size, np.int32)
        kept = (v.ctypes.data for v in (at, place, psi, self.work, times, seen))
        draws = (uniform.size, uniform.ctypes.data, which.ctypes.data)
        found = self.library.trajectory_follow(ctypes.addressof(self.tables), *draws, end_ps, last, *kept)
        return times[:found], seen[:found].astype(np.int16)
