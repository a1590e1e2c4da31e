"""The cases in plain NumPy and SciPy, as a good user would write them for one model: no error bound, no checks; only cavities are reduced."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.sparse.csgraph import breadth_first_order
from scipy.sparse.linalg import splu

from benchmarks import cases as c


def rate_matrix(rates: c.Rates) -> np.ndarray:
    m = np.zeros((4, 4))
    for start, to, rate in rates:
        m[to, start] += rate
        m[start, start] -= rate
    return m


def stationary(m: np.ndarray) -> np.ndarray:
    a = m.copy()
    a[..., -1, :] = 1.0
    return np.linalg.solve(a, np.array([[0.0], [0.0], [0.0], [1.0]]))[..., 0]


def w1(pump: float, propagate: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    m = rate_matrix(c.w1_rates(pump))
    x = stationary(m)
    u = propagate(m)
    return np.concatenate([x, u[:, c.X, c.G] / x[c.X], u[:, c.X, c.X] / x[c.X]])


def by_expm(m: np.ndarray) -> np.ndarray:
    return sl.expm(m * c.DELAYS[:, None, None])


def by_eig(m: np.ndarray) -> np.ndarray:
    w, v = np.linalg.eig(m)
    return ((v * np.exp(np.outer(c.DELAYS, w))[:, None, :]) @ np.linalg.inv(v)).real


def w1_single_expm() -> np.ndarray:
    return w1(c.PUMP, by_expm)


def w1_single_eig() -> np.ndarray:
    return w1(c.PUMP, by_eig)


def w1_sweep_expm() -> np.ndarray:
    return np.concatenate([w1(float(p), by_expm) for p in c.PUMPS])


def w1_sweep_eig() -> np.ndarray:
    return np.concatenate([w1(float(p), by_eig) for p in c.PUMPS])


def figures(p: np.ndarray) -> np.ndarray:
    n = np.arange(p.size)
    return np.array([*p[:5], n @ p, (n * (n - 1)) @ p / (n @ p) ** 2])


def w2(area_pi: float) -> np.ndarray:
    peak = area_pi * math.pi / (c.SIGMA * math.sqrt(2 * math.pi))

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        g, e, coherence = y.reshape(3, -1)
        w = peak * math.exp(-0.5 * (t / c.SIGMA) ** 2)
        d = np.stack([w * coherence, -e - w * coherence, -coherence / 2 + w * (e - g) / 2])
        d[0, 1:] += e[:-1]
        return d.ravel()

    end = 6 * c.SIGMA
    y = solve_ivp(slope, (-end, end), np.eye(1, 24)[0], method="DOP853", rtol=1e-10, atol=1e-13, max_step=c.SIGMA).y[:, -1]
    g, e, _ = y.reshape(3, -1)
    return figures(g + np.concatenate([[0.0], e[:-1]]))


def w2_pi() -> np.ndarray:
    return w2(1.0)


def w2_2pi() -> np.ndarray:
    return w2(2.0)


def cavity_operators(modes: str = "H") -> tuple[sp.csr_array, sp.csr_array, list[sp.csr_array]]:
    """Static H, drive operator, jumps with the modes first; levels G, X_H, X_V, XX and one or two modes."""
    f, many = c.FOCK, c.FOCK ** len(modes)
    one = sp.diags_array(np.sqrt(np.arange(1.0, f)), offsets=1, shape=(f, f))
    in_modes = [one] if modes == "H" else [sp.kron(one, sp.eye_array(f)), sp.kron(sp.eye_array(f), one)]
    lowering = [sp.kron(sp.eye_array(4), a, format="csr") for a in in_modes]

    def op(to: int, start: int) -> sp.csr_array:
        return sp.kron(sp.coo_array(([1.0], ([to], [start])), shape=(4, 4)), sp.eye_array(many), format="csr")

    h = c.E_H * op(1, 1) + c.E_V * op(2, 2)
    for a, level in zip(lowering, (1, 2), strict=False):
        couple = c.G_CAVITY * a.T @ (op(0, level) + op(level, 3))
        h = h + c.E_H * a.T @ a + couple + couple.T
    drive = 0.5 * (op(0, 1) + op(1, 0) + op(1, 3) + op(3, 1))
    return h, drive, [*(math.sqrt(c.KAPPA) * a for a in lowering), op(1, 3), op(2, 3), op(0, 1), op(0, 2)]


def lindblad(h: sp.csr_array, jumps: list[sp.csr_array]) -> sp.csr_array:
    """Generator on row after row of the density matrix."""
    eye = sp.eye_array(h.shape[0])
    m = -1j * (sp.kron(h, eye) - sp.kron(eye, h.T))
    for jump in jumps:
        dd = jump.T @ jump
        m = m + sp.kron(jump, jump) - 0.5 * (sp.kron(dd, eye) + sp.kron(eye, dd.T))
    return sp.csr_array(m)


def needed(m: sp.csr_array, populations: np.ndarray, from_start: bool) -> np.ndarray:
    """Entries that lead to a population (and that the ground state, entry 0, leads to): the others do not matter."""
    pattern = sp.csr_array(abs(m) > 0)
    reached = breadth_first_order(pattern.T, 0, return_predecessors=False) if from_start else np.arange(m.shape[0])
    some = sp.vstack([pattern, sp.csr_array((np.ones(populations.size), (np.zeros(populations.size, int), populations)), shape=(1, m.shape[0]))])
    seen = breadth_first_order(sp.csr_array(sp.hstack([some, sp.csr_array((m.shape[0] + 1, 1))])), m.shape[0], return_predecessors=False)
    return np.intersect1d(reached, seen)


def after_pulse(modes: str, mode: int, count: int) -> np.ndarray:
    """P(0..count-1) of one mode's light: counting sectors through the pulse, then the tail to infinity."""
    h, drive, jumps = cavity_operators(modes)
    still, driven, light = lindblad(h, jumps), lindblad(drive, []), sp.csr_array(sp.kron(jumps[mode], jumps[mode]))
    size = h.shape[0]
    keep = needed(abs(still) + abs(driven), np.arange(size) * (size + 1), from_start=True)
    populations = np.flatnonzero(np.isin(keep, np.arange(size) * (size + 1)))
    still, driven, light = (m[keep][:, keep] for m in (still, driven, light))
    silent = still - light
    n = keep.size

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        x = y.reshape(n, count)
        d = silent @ x + c.RABI * math.exp(-0.5 * (t / c.SIGMA_3) ** 2) * (driven @ x)
        d[:, 1:] += light @ x[:, :-1]
        return d.ravel()

    start = np.zeros((n, count), dtype=complex)
    start[0, 0] = 1.0
    end = 6 * c.SIGMA_3
    x = solve_ivp(slope, (-end, end), start.ravel(), method="DOP853", rtol=1e-9, atol=1e-12).y[:, -1].reshape(n, count)
    later = needed(still, populations, from_start=False)
    x, silent, light = x[later], silent[later][:, later], light[later][:, later]
    tail = splu(sp.csc_matrix(-silent[1:, 1:]))
    p, row = np.zeros(count), silent[[0], 1:].toarray()[0]
    for k in range(count):  # what is left without a further photon ends in the ground state; each photon feeds the next sector
        stay = tail.solve(np.ascontiguousarray(x[1:, k]))
        p[k] = (x[0, k] + row @ stay).real
        if k + 1 < count:
            x[:, k + 1] += light[:, 1:] @ stay
    return p


def w3() -> np.ndarray:
    return figures(after_pulse("H", 0, 8))


def w4_pulse() -> np.ndarray:
    return np.concatenate([after_pulse("HV", mode, 5) for mode in (0, 1)])


def w4_cw() -> np.ndarray:
    h, _, jumps = cavity_operators("HV")
    still = lindblad(h, jumps + [math.sqrt(c.PUMP_4) * jump.T for jump in jumps[2:]])
    size = h.shape[0]
    keep = needed(still, np.arange(size) * (size + 1), from_start=True)
    trace = np.isin(keep, np.arange(size) * (size + 1)).astype(float)
    still, light = still[keep][:, keep], sp.csr_array(sp.kron(jumps[0], jumps[0]))[keep][:, keep]
    closed = sp.vstack([sp.csr_array(trace[None, :]), still[1:]], format="csc")
    steady = splu(closed).solve(np.eye(1, keep.size, dtype=complex)[0])
    w, v = np.linalg.eig(still.toarray())
    seen = trace @ light
    weights = (seen @ v) * np.linalg.solve(v, light @ steady)
    return (np.exp(np.outer(c.CW_DELAYS, w)) @ weights).real / (seen @ steady).real ** 2


def w5() -> np.ndarray:
    s, light = rate_matrix(c.W5_STATIC), np.zeros((4, 4))
    light[c.X, c.XX], light[c.G, c.X] = 10.0, 5.0
    kick = sl.expm(rate_matrix(c.W5_KICK))
    counted = sl.expm((np.kron(np.eye(5), s - light) + np.kron(np.eye(5, k=-1), light)) * c.PERIOD)[:, :4].reshape(5, 4, 4)
    moment = sl.expm((np.kron(np.eye(3), s) + np.kron(np.eye(3, k=-1), light)) * c.PERIOD)[:, :4].reshape(3, 4, 4)
    x = kick @ stationary(moment[0] @ kick - np.eye(4))
    y = moment[1] @ x
    mean, peaks = y.sum(), [2 * (moment[2] @ x).sum()]
    for _ in range(10):
        peaks.append((moment[1] @ kick @ y).sum())
        y = moment[0] @ kick @ y
    return np.concatenate([(counted @ x).sum(axis=1), np.array(peaks) / mean**2])


def w6() -> np.ndarray:
    p, f = (a.ravel() for a in np.meshgrid(c.GRID_PUMPS, c.GRID_FLIPS, indexing="ij"))
    m = np.zeros((p.size, 4, 4))
    for start, to, rate in c.w1_rates(p, f):
        m[:, to, start] += rate
        m[:, start, start] -= rate
    x = stationary(m)
    from_xx, from_x = 10 * x[:, c.XX], 5 * x[:, c.X]
    flux = from_xx + from_x
    return np.stack([5 * from_xx / flux**2, flux, 2 * from_xx / flux], axis=1).ravel()


METHODS = {
    "W1-single": {
        "SciPy, expm of all delays": (w1_single_expm, w1, by_expm, rate_matrix, stationary),
        "NumPy, eig": (w1_single_eig, w1, by_eig, rate_matrix, stationary),
    },
    "W1-sweep": {
        "SciPy, expm of all delays": (w1_sweep_expm, w1, by_expm, rate_matrix, stationary),
        "NumPy, eig": (w1_sweep_eig, w1, by_eig, rate_matrix, stationary),
    },
    "W2-pi": {"SciPy, counting sectors, DOP853": (w2_pi, w2, figures)},
    "W2-2pi": {"SciPy, counting sectors, DOP853": (w2_2pi, w2, figures)},
    "W3": {"SciPy, counting sectors, reduced, DOP853, tail by splu": (w3, after_pulse, cavity_operators, lindblad, needed, figures)},
    "W4-pulse": {"SciPy, counting sectors, reduced, DOP853, tail by splu": (w4_pulse, after_pulse, cavity_operators, lindblad, needed)},
    "W4-cw": {"SciPy, reduced, splu and eig": (w4_cw, cavity_operators, lindblad, needed)},
    "W5": {"SciPy, block exponentials": (w5, rate_matrix, stationary)},
    "W6": {"NumPy, batched solve": (w6, stationary)},
}
