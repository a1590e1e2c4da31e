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
        found = _unlimited(light, one, other) if a == 0.0 and b == math.inf else _limited(light, one, other, a, b, points)
        total += found.T if turned else found
    return total


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


def _limited(light: PulsedFields, first: Line, second: Line, a: float, b: float, points: int) -> np.ndarray:
    """Second photons from a to b after the first: points in time under the pulses, closed afterwards."""
    keep = _reduced(light, first, second)
    trace, d = light.timeline.generator.trace, keep.size
    rows = np.array([(trace @ s)[keep] for s in second])
    gains = [restrict(s, keep) for s in first]
    alone = light.timeline.assembled(lambda silent, jumps: restrict(everything(silent, jumps), keep))

    def change(silent: Matrix, jumps: Jumps) -> Matrix:
        return placed([(0, 0, restrict(everything(silent, jumps), keep))], d + 4)

    summed = light.timeline.assembled(change, placed([(d, 0, rows)], d + 4))
    settled = settled_ns(alone)
    total = np.zeros((4, 4))
    x, at = light.state[keep][:, None], -math.inf
    for time, weight in zip(*points_in(alone, settled, points, (a, b)), strict=True):
        x, at = carried(alone, x, at, time, light.stretch), time
        after = np.column_stack([g @ x[:, 0] for g in gains])
        begin, end = min(time + a, light.end_ns), min(time + b, light.end_ns)
        y = np.vstack([carried(alone, after, time, begin, light.stretch), np.zeros((4, 4))])
        y = carried(summed, y, begin, end, light.stretch)
        sums = y[d:]
        if end == math.inf:
            sums = sums + to_infinity(alone.rest.silent, rows) @ y[:d]
        total += weight * sums.T
    if light.end_ns < math.inf:
        if settled < light.end_ns:
            x = carried(alone, x, at, settled, light.stretch)
            total += _until_the_end(dense(alone.stretches[-1].silent), [dense(g) for g in gains], rows, x[:, 0], light.end_ns - settled, a, b, light.stretch)
        return total
    x = carried(alone, x, at, math.inf, light.stretch)
    rest = dense(alone.rest.silent)
    lit = np.flatnonzero(seen_by(rest, (np.vstack([dense(g) for g in gains]) != 0.0).any(axis=0)))
    if not lit.size:
        return total
    before = to_infinity(rest[np.ix_(lit, lit)].T, x[lit, 0][None])[0]  # the integral of x from now on
    after = np.column_stack([dense(g)[:, lit] @ before for g in gains])
    later, flow = to_infinity(rest, rows), Flow(rest, None, None, light.stretch)
    for m in range(4):
        seen = flow.along(later, after[:, m], np.array([a, b] if b < math.inf else [a]))
        total[m] += seen[:, 0] - (seen[:, 1] if b < math.inf else 0.0)
    return total


def _until_the_end(
    rest: np.ndarray, gains: Sequence[np.ndarray], rows: np.ndarray, x: np.ndarray, length: float, a: float, b: float, stretch: float
) -> np.ndarray:
    """(4, 4) of first photons in a stretch at the end of a period, length in ns, from x (d,) at its beginning: both photons come before it is over."""
    d, total = x.size, np.zeros((4, 4))
    if length <= a:
        return total
    whole = np.zeros((10 * d, 10 * d))  # x, then x since the start, then for each Stokes jump what follows its photon, and that summed over time
    whole[:d, :d] = rest
    whole[d : 2 * d, :d] = np.eye(d)
    for m, gain in enumerate(gains):
        mine, summed = slice((2 + m) * d, (3 + m) * d), slice((6 + m) * d, (7 + m) * d)
        whole[mine, mine], whole[mine, :d], whole[summed, mine] = rest, gain, np.eye(d)
    free = max(0.0, length - b)  # until then the window ends before the period does
    early = Flow(whole[: 2 * d, : 2 * d], None, None, stretch).along(np.eye(2 * d), np.append(x, np.zeros(d)), np.array([free]))[:, 0]
    late = Flow(whole, None, None, stretch).along(np.eye(4 * d, 10 * d, 6 * d), np.append(early[:d], np.zeros(9 * d)), np.array([length - a - free]))[:, 0]
    larger = np.block([[rest, np.zeros((d, 4))], [rows, np.zeros((4, 4))]])
    window, flow = Flow(larger, None, None, stretch), Flow(rest, None, None, stretch)
    for m, gain in enumerate(gains):
        total[m] = flow.along(rows, late[m * d : (m + 1) * d], np.array([a]))[:, 0]
        if free > 0.0:
            seen = window.along(np.eye(4, d + 4, d), np.append(gain @ early[d:], np.zeros(4)), np.array([a, b]))
            total[m] += seen[:, 1] - seen[:, 0]
    return total
