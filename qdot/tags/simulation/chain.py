"""Rate equations as a Markov chain, sampled event by event: when the state changes next, and which photon that sends where.

The hazard of each state, integrated over one period, is known exactly: straight lines where the rates stand still, polynomials of the envelopes
where they do not, and steps at instants. One exponential number is the hazard until the next change; its place in the period is found by inverting
the integral (Newton inside a bracket), and whole periods in which nothing happens are skipped by one division. So there is no time step and no
pulse can be missed. Continuous light is a period of any length in which the rates stand still.
Photons that are lost are thinned out of the rates: a move whose photon is collected with probability p is two moves, at p and 1 - p of its rate.
Source: Gillespie, J. Comput. Phys. 22, 403 (1976), for the direct method.
"""

from __future__ import annotations

import bisect
import ctypes
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from qdot.drive import DEGREE
from qdot.evolve.reduction import Matrix, entries
from qdot.generator import Stretch, Timeline
from qdot.model import Channel
from qdot.tags.simulation import kernel

DRAWS = 1 << 16
"""Random numbers drawn at once."""
NEGLIGIBLE = 1e-17
"""Coefficients of an envelope this much smaller than the largest of all its pieces are left out, from the highest power on."""
STEPS = 100
"""Most steps of one inversion; halving alone needs 53."""
CLOSE = 1e-9
"""A step of Newton's, as a fraction of a segment or leaf, whose square is below round-off."""
PARTS = 8
"""Parts of a piece of an envelope; more cost memory only."""
STILL_PS = 1 << 20
"""Length of the period that stands for continuous light."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The tables of a chain over one period, cut into segments.

    group (S,): which set of rates holds; degree (S,): of the envelopes, -1 where rates stand still; begin_ps, length_ps (S,): on the clock, 0 long
    for an instant; scale (S,): what rates are multiplied by, ns or 1 for an instant; envelope, integral (S, T, width): polynomials in the fraction u
    of a segment, and those of their integrals over u; level (n, S + 1): hazard of each state at the start of each segment;
    guide (n, 2 S): a segment from which on to look for a fraction of the period's hazard; leave (G, n, 1 + T):
    total rate out of a state, constant and by envelope;
    once (n,), stay (G, n): one over the hazard of a period and over the constant rate; first (G n + 1), to, seen (M,), rate (M, 1 + T): the moves;
    start (n,): cumulated probabilities of the start of a shot; resets: every period is a shot of its own.
    """

    group: np.ndarray
    degree: np.ndarray
    begin_ps: np.ndarray
    length_ps: np.ndarray
    scale: np.ndarray
    envelope: np.ndarray
    integral: np.ndarray
    level: np.ndarray
    guide: np.ndarray
    leave: np.ndarray
    once: np.ndarray
    stay: np.ndarray
    first: np.ndarray
    to: np.ndarray
    seen: np.ndarray
    rate: np.ndarray
    start: np.ndarray
    resets: bool
    period_ps: int
    period_fraction_ps: float


def chain_of(timeline: Timeline, sent: Mapping[Channel, np.ndarray], period_ns: float | None, shot_ns: float | None) -> Chain:
    """The chain of a timeline in the rate picture.

    sent: {channel of light: probability of a photon to be seen by each detector}. period_ns: of a train; shot_ns: instead, every so often the
    source begins anew in its start state; neither: continuous light.
    """
    stretches = stretches_of(timeline, period_ns, shot_ns)
    length_ns = period_ns or shot_ns or STILL_PS / 1000.0
    terms = max(len(s.driven) for s in stretches)
    groups = [_moves(s, sent, terms) for s in stretches]
    n = timeline.generator.dimension
    leave = np.zeros((len(groups), n, 1 + terms))
    for g, (_, origin, _, rates) in enumerate(groups):
        np.add.at(leave[g], origin, rates)
    first = np.concatenate([[0], np.cumsum(np.concatenate([np.bincount(m[1], minlength=n) for m in groups]))])
    tables = [short(*pieces_of(s, terms)) for s in stretches]
    group = np.repeat(np.arange(len(tables)), [len(t[0]) for t in tables])
    begin, length, scale, envelope = (np.concatenate(parts) for parts in zip(*tables, strict=True))
    envelope, degree = trimmed(envelope)
    integral = envelope / np.arange(1, envelope.shape[2] + 1)
    climbed = scale[:, None] * (leave[group, :, 0] + np.einsum("snt,st->sn", leave[group, :, 1:], integral.sum(axis=2)))
    level = np.concatenate([np.zeros((1, n)), np.cumsum(climbed, axis=0)]).T
    to, _, seen, rate = (np.concatenate(parts) for parts in zip(*groups, strict=True))
    whole, fraction = divided(length_ns)
    return Chain(
        group=group.astype(np.int32),
        degree=degree.astype(np.int32),
        begin_ps=begin.copy(),
        length_ps=length.copy(),
        scale=scale.copy(),
        envelope=np.ascontiguousarray(envelope),
        integral=np.ascontiguousarray(integral),
        level=np.ascontiguousarray(level),
        guide=_guide(level),
        leave=leave,
        once=_inverse_of(level[:, -1]),
        stay=_inverse_of(leave[..., 0]),
        first=first.astype(np.int32),
        to=to.astype(np.int32),
        seen=seen.astype(np.int32),
        rate=np.ascontiguousarray(rate),
        start=np.cumsum(timeline.generator.start),
        resets=shot_ns is not None,
        period_ps=whole,
        period_fraction_ps=fraction,
    )


def stretches_of(timeline: Timeline, period_ns: float | None, shot_ns: float | None) -> list[Stretch]:
    """What happens within one period, one shot, or the stretch that stands for continuous light."""
    if period_ns is not None:
        return list(timeline.stretches)
    found = list(timeline.stretches)
    begin = found[-1].end_ns if found else 0.0
    length = STILL_PS / 1000.0 if shot_ns is None else shot_ns - begin
    rest = timeline.rest
    return [*found, Stretch(begin, length, rest.silent, rest.jumps)] if length > 0.0 else found


def divided(length_ns: float) -> tuple[int, float]:
    """A length in ns as whole ps and the rest: multiples of it keep their digits over hours.

    >>> divided(12.5)
    (12500, 0.0)
    """
    whole = math.floor(length_ns * 1000.0 + 0.5)
    fraction = length_ns * 1000.0 - whole
    return whole, fraction if abs(fraction) > 1e-12 * max(whole, 1) else 0.0


def pieces_of(s: Stretch, terms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(begin in ps, length in ps, factor of the rates (P,), envelopes (P, terms, DEGREE + 1)) of the pieces of a stretch."""
    if s.pieces_ns is None:
        length = np.array([0.0 if s.is_instant else s.duration_ns])
        return np.array([1000.0 * s.start_ns]), 1000.0 * length, np.ones(1) if s.is_instant else length, np.zeros((1, terms, DEGREE + 1))
    envelope = np.zeros((s.pieces_ns.size, terms, DEGREE + 1))
    for t, driven in enumerate(s.driven):
        envelope[:, t, : driven.polynomials.shape[1]] = driven.polynomials
    begin = s.start_ns + np.cumsum(s.pieces_ns) - s.pieces_ns
    return 1000.0 * begin, 1000.0 * s.pieces_ns, s.pieces_ns, envelope


def short(begin: np.ndarray, length: np.ndarray, scale: np.ndarray, envelope: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The same pieces; where there is an envelope, cut into PARTS, on which a few powers and a few steps of Newton's are enough."""
    if not envelope.any():
        return begin, length, scale, envelope
    k = np.arange(PARTS)
    parts = np.stack([part(envelope, i, PARTS) for i in range(PARTS)], axis=1).reshape(-1, *envelope.shape[1:])
    return (begin[:, None] + k * length[:, None] / PARTS).ravel(), np.repeat(length / PARTS, PARTS), np.repeat(scale / PARTS, PARTS), parts


def shifted(polynomials: np.ndarray, v: float) -> np.ndarray:
    """(..., degree + 1) coefficients of p(v + w) in w, lowest power first.

    >>> shifted(np.array([0.0, 0.0, 1.0]), 1.0)
    array([1., 2., 1.])
    """
    p = polynomials.copy()
    top = p.shape[-1] - 1
    for k in range(top):
        for j in range(top - 1, k - 1, -1):
            p[..., j] += v * p[..., j + 1]
    return p


def part(polynomials: np.ndarray, k: int, count: int) -> np.ndarray:
    """(..., degree + 1) the k-th of `count` equal parts of polynomials on [0, 1], in the fraction of the part."""
    return shifted(polynomials, k / count) * float(count) ** -np.arange(polynomials.shape[-1])


def _inverse_of(x: np.ndarray) -> np.ndarray:
    """1 / x, infinite for 0."""
    return np.divide(1.0, x, out=np.full(x.shape, np.inf), where=x > 0.0)


def _guide(level: np.ndarray) -> np.ndarray:
    """(n, 2 S) last segment that begins at or before each of as many equal fractions of the hazard of a period, less one for round-off."""
    count = 2 * (level.shape[1] - 1)
    found = [np.searchsorted(row, row[-1] * np.arange(count) / count, side="right") - 2 for row in level]
    return np.ascontiguousarray(np.clip(found, 0, level.shape[1] - 2), dtype=np.int32)


def trimmed(envelope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Envelopes (S, T, width) without powers that add nothing to their largest value, and the degree (S,) of each segment, -1 where nothing varies."""
    size = np.abs(envelope)
    felt = (size > NEGLIGIBLE * size.max(axis=(0, 2), keepdims=True, initial=0.0)).any(axis=1)
    degree = np.where(felt.any(axis=1), felt.shape[1] - 1 - np.argmax(felt[:, ::-1], axis=1), -1)
    width = int(degree.max(initial=-1)) + 1
    return envelope[:, :, : max(width, 1)], degree


def _moves(s: Stretch, sent: Mapping[Channel, np.ndarray], terms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(to, from, seen (-1: not), rates (moves, 1 + terms)) of one stretch, in the order of `from`; moves of one kind are added."""
    found: dict[tuple[int, int, int], np.ndarray] = {}

    def add(m: Matrix, term: int, seen: int, share: float, is_light: bool) -> None:
        for to, origin, value in zip(*entries(m), strict=True):
            if share * value > 0.0 and (is_light or to != origin):
                found.setdefault((int(origin), int(to), seen), np.zeros(1 + terms))[term] += share * value

    for term, (dark, light) in enumerate([(s.silent, s.jumps), *((d.matrix, d.light) for d in s.driven)]):
        add(dark, term, -1, 1.0, False)
        for channel, m in light.items():
            shares = sent.get(channel, np.empty(0))
            for detector, share in enumerate(shares):
                add(m, term, detector, share, True)
            lost = 1.0 - math.fsum(shares)
            add(m, term, -1, lost if lost > 1e-15 else 0.0, True)
    kept = {k: v for k, v in sorted(found.items()) if k[2] >= 0 or k[0] != k[1]}  # a photon that nobody sees and that changes nothing
    keys = np.array(list(kept), dtype=int).reshape(-1, 3)
    return keys[:, 1], keys[:, 0], keys[:, 2], np.array(list(kept.values())).reshape(-1, 1 + terms)


def walked(chain: Chain, populations: np.ndarray, begin: int, end_ps: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (times in ps, detectors) from the start of period `begin` until end_ps; populations (n,) at that start (a shot has its own)."""
    cumulated = chain.start if chain.resets else np.cumsum(populations)
    state = int(np.searchsorted(cumulated[:-1], rng.random() * cumulated[-1], side="right"))
    at = np.array([begin, 0, state, 0], dtype=np.int64)
    place = np.zeros(1)
    last = math.ceil(end_ps / (chain.period_ps + chain.period_fraction_ps)) + 1
    library = kernel.library()
    run = _Walk(chain) if library is None else _CompiledWalk(chain, library)
    while not at[3]:
        yield run(rng.standard_exponential(DRAWS), rng.random(DRAWS), end_ps, last, at, place)


class _Walk:
    """The walk in Python, statement by statement that of events.c."""

    def __init__(self, chain: Chain) -> None:
        self.n, self.segments = chain.level.shape[0], chain.level.shape[1] - 1
        self.terms = range(chain.envelope.shape[1])
        self.group, self.degree, self.scale = chain.group.tolist(), chain.degree.tolist(), chain.scale.tolist()
        self.begin, self.length = chain.begin_ps.tolist(), chain.length_ps.tolist()
        self.envelope, self.integral = chain.envelope.tolist(), chain.integral.tolist()
        self.level, self.leave, self.once, self.stay = chain.level.tolist(), chain.leave.tolist(), chain.once.tolist(), chain.stay.tolist()
        self.first, self.to, self.seen, self.rate = chain.first.tolist(), chain.to.tolist(), chain.seen.tolist(), chain.rate.tolist()
        self.start, self.resets = chain.start.tolist(), chain.resets
        self.period_ps, self.period_fraction_ps = chain.period_ps, chain.period_fraction_ps

    def __call__(
        self, exponential: np.ndarray, uniform: np.ndarray, end_ps: int, last: int, at: np.ndarray, place: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Follow the chain while draws last. at: period, segment, state, 1 once the end is reached; place: fraction of the segment; both are moved on."""
        period, s, state = (int(v) for v in at[:3])
        u, is_over = float(place[0]), False
        found: list[tuple[int, int]] = []
        for wait, chance in zip(exponential.tolist(), uniform.tolist(), strict=True):
            level = self.level[state]
            full, target = level[-1], level[s] + self._climbed(s, state, u) + wait
            if target >= full:
                if self.resets:
                    period, s, u = period + 1, 0, 0.0
                    state = min(bisect.bisect_right(self.start, chance), self.n - 1)
                    is_over = period > last
                else:
                    ratio = target * self.once[state]
                    is_over = not ratio <= last - period + 1.0
                    if not is_over:
                        skipped = int(ratio)
                        period, target = period + skipped, max(target - skipped * full, 0.0)
                if self.resets or is_over:
                    if is_over:
                        break
                    continue
            s = min(bisect.bisect_right(level, target), self.segments) - 1
            while s > 0 and not level[s + 1] > level[s]:
                s -= 1
            u = self._inverse(s, state, target - level[s])
            now = period * self.period_ps + math.floor(self.begin[s] + u * self.length[s] + period * self.period_fraction_ps)
            if now >= end_ps:
                is_over = True
                break
            e = self._envelopes(s, u)
            row = self.group[s] * self.n + state
            left = chance * self._slope(s, self.leave[self.group[s]][state], e)
            k = self.first[row]
            for q in range(k, self.first[row + 1]):
                rate = self._slope(s, self.rate[q], e)
                k = q if rate > 0.0 else k
                left -= rate
                if left < 0.0:
                    break
            state = self.to[k]
            if self.seen[k] >= 0:
                found.append((now, self.seen[k]))
        at[:], place[0] = (period, s, state, is_over), u
        times, seen = zip(*found, strict=True) if found else ((), ())
        return np.array(times, dtype=np.int64), np.array(seen, dtype=np.int16)

    def _climbed(self, s: int, state: int, u: float) -> float:
        """Hazard of a state from the start of a segment to the fraction u of it."""
        leave = self.leave[self.group[s]][state]
        total = leave[0] * u
        if self.degree[s] >= 0:
            for t in self.terms:
                total += leave[1 + t] * u * _horner(self.degree[s], self.integral[s][t], u)
        return total * self.scale[s]

    def _slope(self, s: int, row: list[float], e: list[float]) -> float:
        total = row[0]
        if self.degree[s] >= 0:
            for t in self.terms:
                total += row[1 + t] * e[t]
        return total

    def _envelopes(self, s: int, u: float) -> list[float]:
        return [max(_horner(self.degree[s], self.envelope[s][t], u), 0.0) for t in self.terms] if self.degree[s] >= 0 else []

    def _inverse(self, s: int, state: int, rest: float) -> float:
        """Where in a segment the hazard reaches `rest`: Newton's steps, halved where they leave the bracket."""
        leave = self.leave[self.group[s]][state]
        if self.degree[s] < 0:
            u = rest * self.stay[self.group[s]][state] / self.scale[s]
            return u if u < 1.0 else 1.0
        low, high, u = 0.0, 1.0, rest / (self.level[state][s + 1] - self.level[state][s])
        for _ in range(STEPS):
            if not low < u < high:
                u = 0.5 * (low + high)
            miss = self._climbed(s, state, u) - rest
            low, high = (low, u) if miss > 0.0 else (u, high)
            slope = self._slope(s, leave, self._envelopes(s, u)) * self.scale[s]
            step = -miss / slope if slope > 0.0 else -2.0
            if abs(step) <= CLOSE:  # the next step would be its square
                return min(max(u + step, 0.0), 1.0)
            if high - low <= 1e-16:
                break
            u += step
        return u


def _horner(degree: int, c: list[float], u: float) -> float:
    total = 0.0
    for k in range(degree, -1, -1):
        total = total * u + c[k]
    return total


class _Tables(ctypes.Structure):
    """`Chain` of events.c."""

    _fields_ = (
        *((name, ctypes.c_longlong) for name in ("states", "segments", "terms", "width")),
        *((name, ctypes.c_void_p) for name in ("group", "degree", "begin_ps", "length_ps", "scale", "envelope", "integral", "level")),
        ("guides", ctypes.c_longlong),
        *((name, ctypes.c_void_p) for name in ("guide", "leave", "once", "stay", "first", "to", "seen", "rate", "start")),
        *((name, ctypes.c_longlong) for name in ("resets", "period_ps")),
        ("period_fraction_ps", ctypes.c_double),
    )


class _CompiledWalk:
    """The walk in C. Keeps the chain, whose arrays the tables point to."""

    def __init__(self, chain: Chain, library: ctypes.CDLL) -> None:
        self.chain, self.library = chain, library
        sizes = (chain.level.shape[0], chain.level.shape[1] - 1, *chain.envelope.shape[1:])
        given = [chain.guide.shape[1] if field[0] == "guides" else getattr(chain, field[0]) for field in _Tables._fields_[4:]]
        self.tables = _Tables(*sizes, *(v.ctypes.data if isinstance(v, np.ndarray) else v for v in given))
        self.e = np.empty(max(1, chain.envelope.shape[1]))

    def __call__(
        self, exponential: np.ndarray, uniform: np.ndarray, end_ps: int, last: int, at: np.ndarray, place: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        times, seen = np.empty(exponential.size, np.int64), np.empty(exponential.size, np.int32)
        kept = (v.ctypes.data for v in (at, place, self.e, times, seen))
        draws = (exponential.size, exponential.ctypes.data, uniform.ctypes.data)
        found = self.library.chain_walk(ctypes.addressof(self.tables), *draws, end_ps, last, *kept)
        return times[:found], seen[:found].astype(np.int16)
