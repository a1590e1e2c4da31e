"""What a case cannot do without: its factorisations and products alone, on reduced matrices that are ready made (the warm-up run makes them).

No set-up, no error bound, each calculation once. A floor returns nothing to compare. It belongs to one way of calculating; another may have a lower one.
Pulses: the products of as many right-hand sides as DOP853 takes at rtol 1e-9, one LU of the tail and a solve for each of five sectors; that for each mode
whose light is counted.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.sparse import _sparsetools
from scipy.sparse.linalg import splu

from benchmarks import cases as c
from benchmarks.references import Scheme, equations

SECTORS = 5


# ------------------------------------------------------------------------------------------------- rate equations


def rate_matrices(pumps: Any, flips: Any) -> np.ndarray:
    m = np.zeros((np.size(pumps), 4, 4))
    for start, to, rate in c.w1_rates(pumps, flips):
        m[:, to, start] += rate
        m[:, start, start] -= rate
    return m


def closed(m: np.ndarray) -> np.ndarray:
    """The sum in place of the last equation."""
    a = m.copy()
    a[..., -1, :] = 1.0
    return a


LAST = np.array([[0.0], [0.0], [0.0], [1.0]])


@cache
def w1_matrices(sweep: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pumps = c.PUMPS if sweep else np.array([c.PUMP])
    m = rate_matrices(pumps, 1e-4)
    return m, closed(m), np.tile(np.eye(4)[:, [c.G, c.X]], (pumps.size, 1, 1))


def w1(sweep: bool) -> None:
    """Steady states by elimination, eigenvectors, and one product with the exponentials for both curves."""
    m, a, starts = w1_matrices(sweep)
    np.linalg.solve(a, LAST)
    w, v = np.linalg.eig(m)
    weights = v[:, c.X, :, None] * np.linalg.solve(v, starts)
    np.exp(c.DELAYS[:, None] * w[:, None, :]) @ weights


@cache
def w5_matrices() -> tuple[np.ndarray, ...]:
    s, kick, light = (np.zeros((4, 4)) for _ in range(3))
    for rates, m in ((c.W5_STATIC, s), (c.W5_KICK, kick)):
        for start, to, rate in rates:
            m[to, start] += rate
            m[start, start] -= rate
    for start, to, rate in c.W5_STATIC[:2]:
        light[to, start] = rate

    def chain(diagonal: np.ndarray, count: int) -> np.ndarray:
        return (np.kron(np.eye(count), diagonal) + np.kron(np.eye(count, k=-1), light)) * c.PERIOD

    counted, moments = chain(s - light, 5), chain(s, 3)
    turn = sl.expm(moments[:4, :4]) @ sl.expm(kick)
    return kick, counted, moments, closed(turn - np.eye(4)), turn


def w5() -> None:
    """Three exponentials, one elimination, ten powers."""
    kick, counted, moments, a, turn = w5_matrices()
    for m in (kick, counted, moments):
        sl.expm(m)
    y = np.linalg.solve(a, LAST)
    for _ in range(10):
        y = turn @ y


@cache
def w6_matrices() -> np.ndarray:
    p, f = (a.ravel() for a in np.meshgrid(c.GRID_PUMPS, c.GRID_FLIPS, indexing="ij"))
    return closed(rate_matrices(p, f))


def w6() -> None:
    """Ten thousand eliminations."""
    np.linalg.solve(w6_matrices(), LAST)


# ------------------------------------------------------------------------------------------------- pulses


class Pulse:
    """Counting sectors of real equations: a right-hand side is one product of [silent + envelope driven, light] with the sectors above the shifted sectors."""

    def __init__(self, silent: sp.coo_array, driven: sp.coo_array, light: sp.coo_array, start: int, envelope: Any, end: float) -> None:
        n, wide = silent.shape[0], 2 * silent.shape[0]
        parts = [sp.csr_array(sp.hstack([a, b], format="csr")) for a, b in ((silent, light), (driven, sp.coo_array((n, n))))]
        places = [np.repeat(np.arange(n), np.diff(m.indptr)) * wide + m.indices for m in parts]
        both = np.unique(np.concatenate(places))
        self.indptr = np.searchsorted(both, np.arange(n + 1) * wide).astype(np.int32)
        self.indices = (both % wide).astype(np.int32)
        self.still, self.moving = np.zeros(both.size), np.zeros(both.size)
        for data, place, m in zip((self.still, self.moving), places, parts, strict=True):
            data[np.searchsorted(both, place)] = m.data
        self.n, self.envelope, self.data, self.stacked, self.out = n, envelope, np.empty(both.size), np.zeros((wide, SECTORS)), np.empty((n, SECTORS))
        self.flat_stacked, self.flat_out = self.stacked.ravel(), self.out.ravel()
        x = np.zeros((n, SECTORS))
        x[start, 0] = 1.0
        self.products: int = solve_ivp(self.flat_slope, (-end, end), x.ravel(), method="DOP853", rtol=1e-9, atol=1e-12).nfev

    def product(self) -> None:
        _sparsetools.csr_matvecs(self.n, 2 * self.n, SECTORS, self.indptr, self.indices, self.data, self.flat_stacked, self.flat_out)

    def slope(self, t: float, x: np.ndarray) -> np.ndarray:
        np.multiply(self.moving, self.envelope(t), out=self.data)
        self.data += self.still
        self.stacked[: self.n] = x
        self.stacked[self.n :, 1:] = x[:, :-1]
        self.out[:] = 0.0
        self.product()
        return self.out

    def flat_slope(self, t: float, y: np.ndarray) -> np.ndarray:
        return self.slope(t, y.reshape(self.n, SECTORS)).ravel().copy()

    def through(self) -> None:
        """The products of the whole pulse."""
        for _ in range(self.products):
            self.out.fill(0.0)
            self.product()


@cache
def emitter(area_pi: float) -> tuple[Pulse, sp.csc_array]:
    peak = area_pi * math.pi / (c.SIGMA * math.sqrt(2 * math.pi))
    silent = sp.coo_array(([-1.0, -0.5], ([1, 2], [1, 2])), shape=(3, 3))
    driven = sp.coo_array(([1.0, -1.0, 0.5, -0.5], ([0, 1, 2, 2], [2, 2, 1, 0])), shape=(3, 3))
    light = sp.coo_array(([1.0], ([0], [1])), shape=(3, 3))
    return Pulse(silent, driven, light, 0, lambda t: peak * math.exp(-0.5 * (t / c.SIGMA) ** 2), 6 * c.SIGMA), sp.csc_array([[1.0]])


@cache
def cavity(modes: str, mode: str) -> tuple[Pulse, sp.csc_array]:
    scheme = Scheme(modes, 0.0, float, math.sqrt)
    eq = equations(scheme, driven=True)
    silent = ("static", *(m for m in modes if m != mode))
    still, driven, light = (eq.matrix(*names).astype(float).tocoo() for names in (silent, ("driven",), (mode,)))
    pulse = Pulse(still, driven, light, eq.ground, lambda t: c.RABI * math.exp(-0.5 * (t / c.SIGMA_3) ** 2), 6 * c.SIGMA_3)
    after = equations(scheme, driven=False, start=set(eq.entries))
    rest = [k for k in range(len(after.entries)) if k != after.ground]
    return pulse, sp.csc_array(-after.matrix(*silent).astype(float)[rest][:, rest])


def counted(pulse: Pulse, tail: sp.csc_array) -> None:
    pulse.through()
    lu = splu(tail)
    b = np.ones(tail.shape[0])
    for _ in range(SECTORS):
        lu.solve(b)


def w2(area_pi: float) -> None:
    counted(*emitter(area_pi))


def w3() -> None:
    counted(*cavity("H", "H"))


def w4_pulse() -> None:
    for mode in "HV":
        counted(*cavity("HV", mode))


@cache
def w4_matrices() -> tuple[sp.csc_array, np.ndarray, np.ndarray]:
    scheme = Scheme("HV", c.PUMP_4, float, math.sqrt)
    eq = equations(scheme, driven=False)
    still, light = eq.matrix("static", *scheme.modes).astype(float), eq.matrix("H").astype(float)
    a = still.tolil()
    trace = np.zeros(len(eq.entries))
    trace[eq.trace] = 1.0
    a[eq.ground] = trace
    return sp.csc_array(a), still.toarray(), light @ trace


def w4_cw() -> None:
    """Steady state by a sparse LU, eigenvectors, and one product with the exponentials."""
    a, still, start = w4_matrices()
    splu(a).solve(start)
    w, v = np.linalg.eig(still)
    weights = v[0] * np.linalg.solve(v, start)
    np.exp(np.outer(c.CW_DELAYS, w)) @ weights


def w1_single() -> None:
    w1(False)


def w1_sweep() -> None:
    w1(True)


def w2_pi() -> None:
    w2(1.0)


def w2_2pi() -> None:
    w2(2.0)


METHODS: dict[str, dict[str, tuple[Any, ...]]] = {
    "W1-single": {"floor": (w1_single, w1)},
    "W1-sweep": {"floor": (w1_sweep, w1)},
    "W2-pi": {"floor": (w2_pi, counted, Pulse.through, Pulse.product)},
    "W2-2pi": {"floor": (w2_2pi, counted, Pulse.through, Pulse.product)},
    "W3": {"floor": (w3, counted, Pulse.through, Pulse.product)},
    "W4-pulse": {"floor": (w4_pulse, counted, Pulse.through, Pulse.product)},
    "W4-cw": {"floor": (w4_cw,)},
    "W5": {"floor": (w5,)},
    "W6": {"floor": (w6,)},
}
