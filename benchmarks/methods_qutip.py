"""The cases in QuTiP 5: its best solver for each, and its default where that ends within a minute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import qutip as q

from benchmarks import cases as c


def collapse(rates: c.Rates) -> list[q.Qobj]:
    return [math.sqrt(r) * q.basis(4, to) * q.basis(4, start).dag() for start, to, r in rates]


def w1(pump: float, options: dict[str, Any]) -> np.ndarray:
    h, jumps = q.qzero(4), collapse(c.w1_rates(pump))
    steady = q.steadystate(h, jumps)
    x, xx = jumps[3], jumps[2]
    seen, tau = x.dag() * x, np.concatenate([[0.0], c.DELAYS])
    curves = []
    for first in (x, xx):
        flux = q.expect(first.dag() * first, steady) * q.expect(seen, steady)
        try:
            curve = q.correlation_3op_1t(h, steady, tau, jumps, first.dag(), seen, first, options=options)[1:].real / flux
        except q.IntegratorException:
            curve = np.full(c.DELAYS.size, np.nan)
        curves.append(curve)
    return np.concatenate([steady.diag(), *curves])


def w1_single_diag() -> np.ndarray:
    return w1(c.PUMP, {"method": "diag"})


def w1_single_default() -> np.ndarray:
    return w1(c.PUMP, {})


def w1_sweep_diag() -> np.ndarray:
    return np.concatenate([w1(float(p), {"method": "diag"}) for p in c.PUMPS])


def w1_sweep_default() -> np.ndarray:
    return np.concatenate([w1(float(p), {}) for p in c.PUMPS])


def figures(p: np.ndarray) -> np.ndarray:
    n = np.arange(p.size)
    return np.array([*p[:5], n @ p, (n * (n - 1)) @ p / (n @ p) ** 2])


def w2(area_pi: float, options: dict[str, Any]) -> np.ndarray:
    """A register counts the photons; 30 lifetimes after the pulse nothing is left."""
    count, end = 8, 6 * c.SIGMA
    lower, up = q.basis(2, 0) * q.basis(2, 1).dag(), q.qdiags([1.0] * (count - 1), -1)
    peak = area_pi * math.pi / (c.SIGMA * math.sqrt(2 * math.pi))
    drive = q.tensor(0.5 * (lower + lower.dag()), q.qeye(count))
    jump = q.tensor(lower, up)
    h = q.QobjEvo([[drive, lambda t: peak * math.exp(-0.5 * (t / c.SIGMA) ** 2)]])
    start = q.ket2dm(q.tensor(q.basis(2, 0), q.basis(count, 0)))
    pulsed = q.mesolve(h, start, [-end, end], [jump], options=options | {"max_step": c.SIGMA}).final_state
    done = q.mesolve(0 * drive, pulsed, [0.0, 30.0], [jump], options=options).final_state
    return figures(done.ptrace(1).diag())


def w2_pi_tight() -> np.ndarray:
    return w2(1.0, {"atol": 1e-10, "rtol": 1e-8})


def w2_pi_default() -> np.ndarray:
    return w2(1.0, {})


def w2_2pi_tight() -> np.ndarray:
    return w2(2.0, {"atol": 1e-10, "rtol": 1e-8})


def w2_2pi_default() -> np.ndarray:
    return w2(2.0, {})


def w3(in_pulse: dict[str, Any], after: dict[str, Any]) -> np.ndarray:
    """Characteristic function at 8 points of the unit circle (4 by symmetry), pulse and tail one after the other."""
    a = q.tensor(q.qeye(4), q.destroy(c.FOCK))

    def op(to: int, start: int) -> q.Qobj:
        return q.tensor(q.basis(4, to) * q.basis(4, start).dag(), q.qeye(c.FOCK))

    couple = c.G_CAVITY * a.dag() * (op(0, 1) + op(1, 3))
    h = c.E_H * (op(1, 1) + a.dag() * a) + c.E_V * op(2, 2) + couple + couple.dag()
    drive = q.liouvillian(0.5 * (op(0, 1) + op(1, 0) + op(1, 3) + op(3, 1)))
    jumps = [math.sqrt(c.KAPPA) * a, op(1, 3), op(2, 3), op(0, 1), op(0, 2)]
    light, still = q.sprepost(jumps[0], jumps[0].dag()), q.liouvillian(h, jumps)
    start, end = q.ket2dm(q.tensor(q.basis(4, 0), q.basis(c.FOCK, 0))), 6 * c.SIGMA_3
    chi = [1.0 + 0j]
    for k in range(1, 5):
        tilted = still + (np.exp(2j * np.pi * k / 8) - 1) * light
        pulse = q.QobjEvo([tilted, [drive, lambda t: c.RABI * math.exp(-0.5 * (t / c.SIGMA_3) ** 2)]])
        pulsed = q.mesolve(pulse, start, [-end, end], options=in_pulse | {"normalize_output": False}).final_state
        left = q.mesolve(tilted, pulsed, [0.0, 50.0], options=after | {"normalize_output": False}).final_state
        chi.append(np.trace(left.full()))  # Qobj.tr() came back without its imaginary part
    return figures(np.fft.irfft(np.conj(chi), 8))


def w3_best() -> np.ndarray:
    return w3({"method": "vern9", "atol": 1e-11, "rtol": 1e-9, "nsteps": 1_000_000}, {"method": "diag"})


def w3_default() -> np.ndarray:
    return w3({"nsteps": 10_000_000}, {"nsteps": 10_000_000})  # with the default of 2500 steps it gives up


def w5() -> np.ndarray:
    """Superoperators of one period at 8 points of the unit circle; their Fourier transform sorts them by photon number."""
    jumps = collapse(c.W5_STATIC)
    kick = q.liouvillian(q.qzero(4), collapse(c.W5_KICK)).expm()
    light = sum(q.sprepost(j, j.dag()) for j in jumps[:2])
    still = q.liouvillian(q.qzero(4), jumps)
    tilted = [((still + (np.exp(-2j * np.pi * k / 8) - 1) * light) * c.PERIOD).expm().full() for k in range(8)]
    sector = np.fft.ifft(tilted, axis=0).real
    u, k, n = sector.sum(axis=0), kick.full().real, np.arange(8)
    first, second = np.tensordot(n, sector, 1), np.tensordot(n * (n - 1), sector, 1)
    trace = np.eye(4).ravel()
    x = k @ q.operator_to_vector(q.propagator_steadystate(q.Qobj(u @ k, dims=kick.dims))).full().real.ravel()
    y, mean = first @ x, trace @ first @ x
    peaks = [trace @ second @ x]
    for _ in range(10):
        peaks.append(trace @ first @ k @ y)
        y = u @ k @ y
    return np.array([*(sector[:5] @ x @ trace), *(np.array(peaks) / mean**2)])


def w6() -> np.ndarray:
    rows, h = [], q.qzero(4)
    for p in c.GRID_PUMPS:
        for f in c.GRID_FLIPS:
            jumps = collapse(c.w1_rates(float(p), float(f)))
            steady = q.steadystate(h, jumps)
            xx, x = jumps[2], jumps[3]
            from_xx, from_x = q.expect(xx.dag() * xx, steady), q.expect(x.dag() * x, steady)
            flux = from_xx + from_x
            both = sum(q.expect(a.dag() * b.dag() * b * a, steady) for a in (xx, x) for b in (xx, x))
            rows.append((both / flux**2, flux, 2 * from_xx / flux))
    return np.array(rows).ravel()


def w7() -> np.ndarray:
    """Superoperators and sparse solves to infinity; the density by mesolve's best method from the state after the first photon."""
    h, jumps = w7_parts()
    still, light = q.liouvillian(h, jumps), [q.sprepost(j, j.dag()) for j in jumps[:2]]
    both = light[0] + light[1]
    start, trace = q.operator_to_vector(q.ket2dm(q.tensor(q.basis(4, 3), q.basis(3, 0), q.basis(3, 0)))), np.eye(36).ravel()
    ground = q.operator_to_vector(q.ket2dm(q.tensor(q.basis(4, 0), q.basis(3, 0), q.basis(3, 0)))).full().ravel()

    def summed(generator: q.Qobj, x: np.ndarray) -> np.ndarray:
        """The integral of e^{generator t} x without what ends in the ground state."""
        m = generator.full() - np.outer(ground, trace)
        return np.linalg.solve(-m, x) - ground * (trace @ np.linalg.solve(-m, x))

    x, p = start.full().ravel(), []
    for _ in range(2):
        x = light[0].full() @ summed(still - light[0], x)
        p.append((trace @ x).real)
    x0 = summed(still - both, start.full().ravel())
    x1 = both.full() @ x0
    y = summed(still - both, x1)
    seen = trace @ both.full()
    first, second = (seen @ x0).real, (seen @ y).real
    times = [(seen @ summed(still - both, x0)).real / first, (seen @ summed(still - both, y)).real / second]
    after = q.vector_to_operator(q.Qobj(x1, dims=start.dims))
    states = q.mesolve(still - both, after, c.DELAYS_7, options={"method": "diag", "normalize_output": False}).states
    density = [(seen @ q.operator_to_vector(s).full().ravel()).real / second for s in states]
    return np.array([1 - p[0], p[0] - p[1], p[1], *times, *density])


def w7_parts() -> tuple[q.Qobj, list[q.Qobj]]:
    def level(to: int, start: int) -> q.Qobj:
        return q.tensor(q.basis(4, to) * q.basis(4, start).dag(), q.qeye(3), q.qeye(3))

    a = [q.tensor(q.qeye(4), q.destroy(3), q.qeye(3)), q.tensor(q.qeye(4), q.qeye(3), q.destroy(3))]
    h = c.SPLITTING_7 / c.HBAR / 2 * (level(1, 1) - level(2, 2))
    jumps = [math.sqrt(c.KAPPA_7) * one for one in a]
    for k in range(2):
        for start, to in ((3, 1 + k), (1 + k, 0)):
            h += c.G_7 * (a[k].dag() * level(to, start) + a[k] * level(start, to))
            jumps.append(math.sqrt(c.RATE_7) * level(to, start))
    return h, jumps


METHODS = {
    "W1-single": {"QuTiP, diag (best)": (w1_single_diag, w1, collapse), "QuTiP, default (adams)": (w1_single_default, w1, collapse)},
    "W1-sweep": {"QuTiP, diag (best)": (w1_sweep_diag, w1, collapse), "QuTiP, default (adams)": (w1_sweep_default, w1, collapse)},
    "W2-pi": {"QuTiP, counter register, 1e-8 (best)": (w2_pi_tight, w2, figures), "QuTiP, counter register, default": (w2_pi_default, w2, figures)},
    "W2-2pi": {"QuTiP, counter register, 1e-8 (best)": (w2_2pi_tight, w2, figures), "QuTiP, counter register, default": (w2_2pi_default, w2, figures)},
    "W3": {
        "QuTiP, characteristic function, vern9 and diag (best)": (w3_best, w3, figures),
        "QuTiP, characteristic function, default (adams)": (w3_default, w3, figures),
    },
    "W5": {"QuTiP, superoperator exponentials (best)": (w5, collapse)},
    "W6": {"QuTiP, steadystate (best and default)": (w6, collapse)},
    "W7": {"QuTiP, superoperators, dense solves and diag": (w7, w7_parts)},
}
