"""Models written down by hand for two roads at once, and brute force over two times under pulses. NumPy and SciPy alone, as in `coherence`.

Stacking, units and operators are those of `coherence`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import expm

from independent import coherence as ref

# ---- random models --------------------------------------------------------------------------------------------------------------------------------------


def complex_normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def dense_model(rng: np.random.Generator, n: int, jumps: int, decades: float = 0.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Hermitian H and jump operators with no zero anywhere, all of them complex; rates spread over as many decades both ways."""
    h = complex_normal(rng, n, n)
    return h + h.conj().T, [complex_normal(rng, n, n) / 2 * 10 ** (decades / 2 * rng.uniform(-1, 1)) for _ in range(jumps)]


def sparse_model(rng: np.random.Generator, n: int, jumps: int, share: float = 0.3) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same with most entries 0, and a closed round of jumps so that the steady state is unique; a jump may lead into a superposition."""
    h = complex_normal(rng, n, n) * (rng.random((n, n)) < share / 2)
    c_ops = [complex_normal(rng, n, n) * (rng.random((n, n)) < share) for _ in range(jumps)]
    return h + h.conj().T, [*c_ops, *(ref.ket_bra(n, (k + 1) % n, k) * (0.3 + rng.random()) for k in range(n))]


def decaying_model(rng: np.random.Generator, n: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """H within the excited levels, three jump operators that lead down and one that dephases, and what a pulse multiplies: all complex; level 0 is dark."""
    h = np.zeros((n, n), dtype=complex)
    excited = complex_normal(rng, n - 1, n - 1)
    h[1:, 1:] = excited + excited.conj().T
    down = [np.triu(complex_normal(rng, n, n), 1) * size for size in (1.0, 1.0, 0.5)]
    return h, [*down, np.diag(np.append(0.0, rng.standard_normal(n - 1))).astype(complex)], complex_normal(rng, n, n)


# ---- pulses ----------------------------------------------------------------------------------------------------------------------------------------------


def pulsed(h: np.ndarray, jumps: Sequence[np.ndarray], drive: np.ndarray, envelope: Callable[[np.ndarray], np.ndarray], edges: np.ndarray) -> ref.Pulsed:
    """A source from level 0 under drive e(t) + h.c., e real."""
    return ref.Pulsed(ref.liouvillian(h, jumps), ref.commutator(drive + drive.conj().T), envelope, ref.density(len(h), 0), edges)


def square(begin: float, length: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: 1.0 * ((t > begin) & (t < begin + length))


def gaussian(sigma: float, begin: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """Peak 1, centred 8 sigma after `begin`, cut 8 sigma before and after its centre."""
    return lambda t: np.exp(-(((t - begin) / sigma - 8) ** 2) / 2) * ((t > begin) & (t < begin + 16 * sigma))


def cuts(*marks: float, step: float) -> np.ndarray:
    """Edges at the marks and between them, none further apart than step."""
    return ref.finer(np.array(marks), step)


def in_a_train(source: ref.Pulsed) -> ref.Pulsed:
    """The source in its periodic steady state, the last edge being the end of the period, and watched for one period."""
    n = len(source.start)
    _, whole = ref.march(lambda t, u: source.generator(t) @ u, np.eye(n, dtype=complex), source.edges)
    row = ref.trace_row(math.isqrt(n))
    start = np.linalg.solve(whole - np.eye(n) - np.outer(row, row), -row.astype(complex))
    return replace(source, start=start, endless=False)


def spectrum_in_a_period(source: ref.Pulsed, c: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """As `ref.pulsed_spectrum`, both times before the last edge."""
    source = replace(source, edges=ref.finer(source.edges, 1 / max(1.0, np.max(np.abs(omega)))))
    p, turn = ref.trace_row(len(c)) @ ref.left(c), ref.right(c.conj().T)
    ahead = ref.effects(source, np.zeros((omega.size, len(source.start)), dtype=complex), lambda generator, e: e @ generator + 1j * omega[:, None] * e + p)
    _, weights, x, _ = ref.states(source)
    return np.einsum("n,nwi,ni->w", weights, ahead, x @ turn.T).real / math.pi


def propagator(source: ref.Pulsed, begin: float, end: float) -> np.ndarray:
    """U(end, begin): exponentials where the envelope is constant, else collocation on panels no longer than those of the source."""
    last, whole = source.edges[-1], np.eye(len(source.start), dtype=complex)
    inside = source.edges[(source.edges > begin) & (source.edges < min(end, last))]
    marks = [begin, *inside, min(end, last)] if begin < last else [begin]
    pieces: list[list[float]] = []  # [from, to, constant height or nan]
    for a, b in itertools.pairwise(marks):
        heights = source.envelope(a + (b - a) * np.array([0.1, 0.5, 0.9]))
        height = float(heights[0]) if np.ptp(heights) == 0.0 else math.nan
        if pieces and pieces[-1][2] == height:
            pieces[-1][1] = b
        else:
            pieces.append([a, b, height])
    if end > last:
        pieces.append([max(begin, last), end, 0.0])
    for a, b, height in pieces:
        if math.isnan(height):
            whole = ref.march(lambda t, u: source.generator(t) @ u, whole, np.array([a, b]), order=12)[1]
        else:
            whole = expm((source.still + height * source.driven) * (b - a)) @ whole
    return whole


def without(source: ref.Pulsed, count: np.ndarray) -> ref.Pulsed:
    """The source as long as no photon of `count` comes."""
    return replace(source, still=source.still - count)


def first_density(source: ref.Pulsed, count: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """Density of the first photon of `count`, a superoperator that no drive multiplies."""
    alone, row = without(source, count), ref.trace_row(math.isqrt(len(count))) @ count
    return np.array([(row @ propagator(alone, source.edges[0], t) @ source.start).real for t in times])


def delay_density(source: ref.Pulsed, count: np.ndarray, delays: Sequence[float], order: int = 10) -> np.ndarray:
    """Density of the delay from the first to the second photon, not normalised: the first photon's time summed over Gauss points by hand.

    A single pulse starts in level 0, which is dark. A train (`endless` False): both before the last edge.
    """
    alone, row, last = without(source, count), ref.trace_row(math.isqrt(len(count))) @ count, source.edges[-1]
    found = []
    for delay in delays:
        marks = np.append(source.edges, source.edges - delay)
        until = last if source.endless else last - delay
        if until <= source.edges[0]:
            found.append(0.0)
            continue
        marks = np.unique(np.append(marks[(marks >= source.edges[0]) & (marks <= until)], until))
        total, x, at = 0.0, source.start, source.edges[0]
        for t, w in zip(*ref.panels(marks, order), strict=True):
            x, at = propagator(alone, at, t) @ x, t
            total += w * (row @ propagator(alone, t, t + delay) @ count @ x).real
        if source.endless:
            x = propagator(alone, at, last) @ x
            moved = alone.still - np.outer(source.start, source.start)  # level 0 is dark and is where all ends: its eigenvalue 0 becomes -1
            total += (row @ expm(alone.still * delay) @ count @ np.linalg.solve(-moved, x)).real
        found.append(total)
    return np.array(found)


# ---- two photons -----------------------------------------------------------------------------------------------------------------------------------------


def two_photon_matrix(
    source: ref.Pulsed, first: Sequence[np.ndarray], second: Sequence[np.ndarray], begin: float = 0.0, end: float = math.inf, order: int = 8
) -> np.ndarray:
    """rho[pq, rs] as in `ref.two_photon_matrix`, summed over all times of the first photon under a pulse, the second begin .. end later.

    A train (`endless` False): both before the last edge.
    """
    d, last = len(first[0]), source.edges[-1]
    emit = np.array([ref.sandwich(first[p], first[r]) for p in range(2) for r in range(2)])
    rows = np.array([ref.trace_row(d) @ ref.sandwich(second[q], second[s]) for q in range(2) for s in range(2)])
    size = d * d
    larger = replace(source, still=np.block([[source.still, np.zeros((size, 4))], [rows, np.zeros((4, 4))]]), driven=np.pad(source.driven, (0, 4)))
    larger = replace(larger, start=np.zeros(size + 4))
    marks = np.concatenate([source.edges, source.edges - begin, source.edges - (0.0 if math.isinf(end) else end)])
    marks = np.unique(marks[(marks >= source.edges[0]) & (marks <= last)])
    total, x, at = np.zeros((4, 4), dtype=complex), source.start, source.edges[0]  # [pr, qs]
    stop = math.inf if source.endless else last
    for t, w in zip(*ref.panels(marks, order), strict=True):
        x, at = propagator(source, at, t) @ x, t
        low, high = min(t + begin, stop), min(t + end, stop)
        y = np.vstack([propagator(source, t, low) @ (emit @ x).T, np.zeros((4, 4))])
        if math.isinf(high):
            y = propagator(larger, low, max(low, last)) @ y
            y[size:] += rows @ np.linalg.solve(-ref.decaying(source.still), y[:size])
        else:
            y = propagator(larger, low, high) @ y
        total += w * y[size:].T
    if source.endless:
        x = propagator(source, at, last) @ x
        later = ref.window_integral(source.still, begin, end) @ (emit @ np.linalg.solve(-ref.decaying(source.still), x - ref.steady(source.still))).T
        total += (rows @ later).T
    return total.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4)
