"""The cases in plain NumPy and SciPy, as a good user would write them for one model: no error bound, no reduction, no checks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from scipy.integrate import solve_ivp
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


def cavity_operators() -> tuple[sp.csr_array, sp.csr_array, list[sp.csr_array]]:
    """Static H, drive operator, jumps with the mode first; levels G, X_H, X_V, XX."""
    f = c.FOCK
    a = sp.kron(sp.eye_array(4), sp.diags_array(np.sqrt(np.arange(1.0, f)), offsets=1, shape=(f, f)), format="csr")

    def op(to: int, start: int) -> sp.csr_array:
        return sp.kron(sp.coo_array(([1.0], ([to], [start])), shape=(4, 4)), sp.eye_array(f), format="csr")

    couple = c.G_CAVITY * a.T @ (op(0, 1) + op(1, 3))
    h = c.E_H * (op(1, 1) + a.T @ a) + c.E_V * op(2, 2) + couple + couple.T
    drive = 0.5 * (op(0, 1) + op(1, 0) + op(1, 3) + op(3, 1))
    return h, drive, [math.sqrt(c.KAPPA) * a, op(1, 3), op(2, 3), op(0, 1), op(0, 2)]


def w3() -> np.ndarray:
    h, drive, jumps = cavity_operators()
    eye, n = sp.eye_array(20), 400
    commute = [-1j * (sp.kron(m, eye) - sp.kron(eye, m.T)) for m in (h, drive)]
    silent = commute[0]
    for k, jump in enumerate(jumps):
        dd = jump.T @ jump
        silent = silent - 0.5 * (sp.kron(dd, eye) + sp.kron(eye, dd.T)) + (sp.kron(jump, jump) if k else 0)
    silent, driven, light = (sp.csr_array(m) for m in (silent, commute[1], sp.kron(jumps[0], jumps[0])))
    count = 8

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        x = y.reshape(n, count)
        d = silent @ x + c.RABI * math.exp(-0.5 * (t / c.SIGMA_3) ** 2) * (driven @ x)
        d[:, 1:] += light @ x[:, :-1]
        return d.ravel()

    start = np.zeros((n, count), dtype=complex)
    start[0, 0] = 1.0
    end = 6 * c.SIGMA_3
    x = solve_ivp(slope, (-end, end), start.ravel(), method="DOP853", rtol=1e-9, atol=1e-12).y[:, -1].reshape(n, count)
    tail = splu(sp.csc_matrix(-silent[1:, 1:]))
    p, row = np.zeros(count), silent[[0], 1:].toarray()[0]
    for k in range(count):  # what is left without a further photon ends in the ground state; each photon feeds the next sector
        stay = tail.solve(np.ascontiguousarray(x[1:, k]))
        p[k] = (x[0, k] + row @ stay).real
        if k + 1 < count:
            x[:, k + 1] += light[:, 1:] @ stay
    return figures(p)


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
    "W3": {"SciPy, counting sectors, DOP853, tail by splu": (w3, cavity_operators, figures)},
    "W5": {"SciPy, block exponentials": (w5, rate_matrix, stationary)},
    "W6": {"NumPy, batched solve": (w6, stationary)},
}
