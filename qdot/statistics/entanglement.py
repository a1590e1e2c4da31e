"""Two photons and their polarisations: the Stokes tensor of coincidences, the density matrix, and what is read off it.

T_mn = int int tr S_n e^{L tau} S_m x is the Stokes parameter m of the first photon with n of the second, all real; the density matrix is
rho = 1/4 sum T_mn sigma_m (x) sigma_n / T_00 on HH, HV, VH, VV. Coincidences in any two polarisations follow from it.
Sources: James et al., Phys. Rev. A 64, 052312 (2001), for tomography; Wootters, Phys. Rev. Lett. 80, 2245 (1998), for the concurrence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qdot.evolve import Flow, Matrix, dense, placed, relevant, restrict, seen_by, to_infinity
from qdot.statistics.beside import Jumps, beside, carried, everything, points_in, settled_ns
from qdot.statistics.coherence import SteadyFields
from qdot.statistics.interference import PulsedFields

PAULI = np.array([[[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]]])
"""Identity, H - V, D - A, R - L."""
BELL = {
    "phi+": np.array([1, 0, 0, 1]) / math.sqrt(2),
    "phi-": np.array([1, 0, 0, -1]) / math.sqrt(2),
    "psi+": np.array([0, 1, 1, 0]) / math.sqrt(2),
    "psi-": np.array([0, 1, -1, 0]) / math.sqrt(2),
}
"""The Bell states on HH, HV, VH, VV."""
Line = Sequence[Matrix]
"""The four Stokes jumps of one line, each weighted with the probability that its photons are collected."""


def density_matrix(stokes: np.ndarray) -> np.ndarray:
    """(4, 4) density matrix on HH, HV, VH, VV, of unit trace, from a Stokes tensor (4, 4)."""
    return np.asarray(np.einsum("mn,mab,ncd->acbd", stokes, PAULI, PAULI).reshape(4, 4) / (4.0 * stokes[0, 0]))


def concurrence(rho: np.ndarray) -> float:
    """Wootters' concurrence of a two-photon density matrix (4, 4): 0 for separable states, 1 for Bell states.

    >>> round(concurrence(np.outer(BELL["psi-"], BELL["psi-"])), 12)
    1.0
    """
    flip = np.kron(PAULI[3], PAULI[3])
    root = np.sqrt(np.maximum(np.sort(np.linalg.eigvals(rho @ flip @ rho.conj() @ flip).real)[::-1], 0.0))
    return float(max(0.0, root[0] - root[1:].sum()))


def best_fidelity(rho: np.ndarray) -> float:
    """Largest overlap of a two-photon density matrix (4, 4) with any maximally entangled state: the largest eigenvalue of Re rho in the magic basis.

    Source: Badziag et al., Phys. Rev. A 62, 012311 (2000).
    """
    magic = np.column_stack([BELL["phi+"], 1j * BELL["phi-"], 1j * BELL["psi+"], BELL["psi-"]])
    return float(np.linalg.eigvalsh((magic.conj().T @ rho @ magic).real)[-1])


def steady_stokes(light: SteadyFields, first: Line, second: Line, low: float, high: float) -> np.ndarray:
    """(4, 4) of steady light in 1/ns, the second photon between low and high after the first; both finite, low < high, negative for before."""
    total = np.zeros((4, 4))
    for one, other, a, b, turned in ((first, second, max(low, 0.0), max(high, 0.0), False), (second, first, max(-high, 0.0), max(-low, 0.0), True)):
        if b <= a:
            continue
        found = _windowed(light, one, other, a, b)
        total += found.T if turned else found
    return total


def _windowed(light: SteadyFields, first: Line, second: Line, a: float, b: float) -> np.ndarray:
    """The same for delays from a to b >= a >= 0: an integral that runs beside."""
    trace = light.timeline.generator.trace
    rows = np.array([trace @ s for s in second])
    after = np.column_stack([s @ light.state for s in first])
    keep = relevant([light.whole], (after != 0.0).any(axis=1) | (sum(abs(s) for s in first) @ light.reached.astype(float) > 0.0), (rows != 0.0).any(axis=0))
    whole, d = dense(restrict(light.whole, keep)), keep.size
    larger = np.zeros((d + 4, d + 4))
    larger[:d, :d], larger[d:, :d] = whole, rows[:, keep]
    start = np.vstack([after[keep], np.zeros((4, 4))])
    sums = np.eye(d + 4)[d:]
    flow = Flow(larger, None, None, light.stretch)
    return np.array([[v[1] - v[0] for v in flow.along(sums, start[:, m], np.array([a, b]))] for m in range(4)])


def pulsed_stokes(light: PulsedFields, first: Line, second: Line, low: float, high: float, points: int) -> np.ndarray:
    """(4, 4) per pulse (train: both photons in one period), the second photon between low and high (inf: any) after the first, negative for before."""
    total = np.zeros((4, 4))
    for one, other, a, b, turned in ((first, second, max(low, 0.0), max(high, 0.0), False), (second, first, max(-high, 0.0), max(-low, 0.0), True)):
        if b <= a:
            continue
        found = _later(light, one, other, a, points) - _later(light, one, other, b, points)
        total += found.T if turned else found
    return total


def _later(light: PulsedFields, first: Line, second: Line, delay: float, points: int) -> np.ndarray:
    """(4, 4) with the second photon `delay` or more after the first."""
    if delay == math.inf:
        return np.zeros((4, 4))
    return _unlimited(light, first, second) if delay == 0.0 else _delayed(light, first, second, delay, points)


def _reduced(light: PulsedFields, first: Line, second: Line) -> np.ndarray:
    """Entries of x that matter before or after the first photon."""
    matrices = [*light.timeline.matrices(), *first]
    rows = sum(np.abs(light.timeline.generator.trace @ s) for s in second)
    return relevant(matrices, light.state != 0.0, np.asarray(rows) != 0.0)


def _unlimited(light: PulsedFields, first: Line, second: Line) -> np.ndarray:
    """All later second photons: sums that run beside the source."""
    keep = _reduced(light, first, second)
    trace, d = light.timeline.generator.trace, keep.size
    total = 5 * d
    links: list[tuple[int, int, Matrix]] = [((1 + m) * d, 0, restrict(s, keep)) for m, s in enumerate(first)]
    links += [(total + 4 * m + n, (1 + m) * d, (trace @ s)[keep][None]) for m in range(4) for n, s in enumerate(second)]

    def change(silent: Matrix, jumps: Jumps) -> Matrix:
        whole = restrict(everything(silent, jumps), keep)
        return placed([(k * d, k * d, whole) for k in range(5)], total + 16)

    larger = light.timeline.assembled(change, placed(links, total + 16))
    start = np.zeros(total + 16)
    start[:d] = light.state[keep]
    x = beside(larger, start, total, 0.0, light.end_ns, light.stretch)
    found = x[total:]
    if light.end_ns == math.inf:  # the second photon of a first one that has come, and of one still to come
        rest = restrict(everything(light.timeline.rest.silent, light.timeline.rest.jumps), keep)
        later = to_infinity(rest, np.array([(trace @ s)[keep] for s in second]))
        both = np.vstack([later @ restrict(s, keep) for s in first])
        found = found + (later @ x[d:total].reshape(4, d).T).T.ravel() + to_infinity(rest, both) @ x[:d]
    return np.asarray(found.reshape(4, 4))


def _delayed(light: PulsedFields, first: Line, second: Line, delay: float, points: int) -> np.ndarray:
    """The same for a delay > 0: points in time for first photons until nothing changes any more, closed afterwards."""
    keep = _reduced(light, first, second)
    trace, d, step = light.timeline.generator.trace, keep.size, light.stretch
    rows, gains = np.array([(trace @ s)[keep] for s in second]), [restrict(s, keep) for s in first]
    alone = light.timeline.assembled(lambda silent, jumps: restrict(everything(silent, jumps), keep))
    summed = light.timeline.assembled(lambda silent, jumps: placed([(0, 0, restrict(everything(silent, jumps), keep))], d + 4), placed([(d, 0, rows)], d + 4))
    settled, is_train = settled_ns(alone), light.end_ns < math.inf
    rest = dense(alone.stretches[-1].silent if is_train and settled < light.end_ns else alone.rest.silent)
    later = np.zeros(rows.shape) if is_train else to_infinity(rest, rows)
    probes = (rows != 0.0).any(axis=0) | (np.vstack([dense(g) for g in gains]) != 0.0).any(axis=0)
    total = np.zeros((4, 4))
    x, at = light.state[keep][:, None], -math.inf
    waiting: list[tuple[float, float]] = []  # (time, weight) of first photons whose partner comes when all is settled: carried there together
    columns = np.zeros((d, 0))
    for time, weight in zip(*points_in(alone, probes, settled, points, (delay,)), strict=True):
        both = carried(alone, np.column_stack([x, columns]), at, time, step)
        x, columns, at = both[:, :1], both[:, 1:], time
        after = np.column_stack([g @ x[:, 0] for g in gains])
        if time + delay < settled:
            y = np.vstack([carried(alone, after, time, time + delay, step), np.zeros((4, 4))])
            y = carried(summed, y, time + delay, light.end_ns, step)
            total += weight * (y[d:] + later @ y[:d]).T
        elif time + delay < light.end_ns:
            waiting.append((time, weight))
            columns = np.column_stack([columns, after])
    both = carried(alone, np.column_stack([x, columns]), at, settled if is_train else math.inf, step)
    x, columns = both[:, 0], both[:, 1:]
    left = light.end_ns - settled
    if waiting:
        times, weights = np.array(waiting).T
        seen = _seen_later(rest, rows, later, times + delay - settled, left, step)
        total += np.einsum("ndk,dkm,k->mn", seen, columns.reshape(d, -1, 4), weights)
    if is_train:
        return total + (_until_the_end(rest, [dense(g) for g in gains], rows, x, left, delay, step) if left > delay else 0.0)
    lit = np.flatnonzero(seen_by(rest, probes))
    if lit.size:
        before = to_infinity(rest[np.ix_(lit, lit)].T, x[lit][None])[0]  # the integral of x from now on
        seen = _seen_later(rest, rows, later, np.array([delay]), left, step)[:, :, 0]
        total += np.array([seen @ (dense(g)[:, lit] @ before) for g in gains])
    return total


def _seen_later(rest: np.ndarray, rows: np.ndarray, later: np.ndarray, times: np.ndarray, left: float, stretch: float) -> np.ndarray:
    """(4, d, n) rows of second photons from the times (n,) on, until `left` (inf: for ever, `later` being those from now on) has passed."""
    d = rest.shape[0]
    if left == math.inf:
        backward = Flow(rest.T, None, None, stretch)
        return np.array([backward.along(np.eye(d), row, times) for row in later])
    summing = Flow(np.block([[rest, np.zeros((d, 4))], [rows, np.zeros((4, 4))]]).T, None, None, stretch)
    found = np.array([summing.along(np.eye(d, d + 4), one, np.append(times, left)) for one in np.eye(4, d + 4, d)])
    return np.asarray(found[:, :, -1:] - found[:, :, :-1])


def _until_the_end(rest: np.ndarray, gains: Sequence[np.ndarray], rows: np.ndarray, x: np.ndarray, left: float, delay: float, stretch: float) -> np.ndarray:
    """(4, 4) of both photons in a stretch at the end of a period, `left` ns long, from x (d,) at its beginning, the second `delay` or more later."""
    d = x.size
    whole = np.zeros((9 * d, 9 * d))  # x, then for each Stokes jump what follows its photon, and that summed over time
    whole[:d, :d] = rest
    for m, gain in enumerate(gains):
        mine, summed = slice((1 + m) * d, (2 + m) * d), slice((5 + m) * d, (6 + m) * d)
        whole[mine, mine], whole[mine, :d], whole[summed, mine] = rest, gain, np.eye(d)
    sums = Flow(whole, None, None, stretch).along(np.eye(4 * d, 9 * d, 5 * d), np.append(x, np.zeros(8 * d)), np.array([left - delay]))[:, 0]
    flow = Flow(rest, None, None, stretch)
    return np.array([flow.along(rows, sums[m * d : (m + 1) * d], np.array([delay]))[:, 0] for m in range(4)])
