"""The cases: what is computed, in which order the numbers are returned, and an independent reference for each.

Every method of a case returns one flat array in the order given here. Rates in 1/ns, times in ns.
The references use none of the methods' code: ball arithmetic of python-flint at 400 bits for the constant generators, a Taylor series
at 200 bits for the pulsed two-level emitter, and stored digits of benchmarks/references.py for the cavities.
Pulses are cut at -6 and +6 sigma, as the cases are defined; `wide` is the same for a pulse cut at 8 sigma, which is what qdot takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Rates = list[tuple[int, int, Any]]
"""(from, to, rate)."""

# W1 and W6: levels G, D, X, XX
G, D, X, XX = range(4)
DELAYS = np.logspace(-3, 3, 500)
PUMP = 0.05
PUMPS = np.logspace(-6, 1, 60)
GRID_PUMPS = np.logspace(-6, 1, 100)
GRID_FLIPS = np.logspace(-6, -1, 100)

# W2: the Rabi envelope is a Gaussian of unit lifetime's tenth (FWHM of the field)
SIGMA = 0.1 / (2 * math.sqrt(2 * math.log(2)))

# W3: biexciton in a cavity
G_CAVITY = 2 * math.pi * 20
KAPPA = 5 * G_CAVITY
E_H, E_V = 1519.27 + 15.19 / 2, 1519.27 - 15.19 / 2
RABI = 1126.0
SIGMA_3 = 0.010 / (2 * math.sqrt(2 * math.log(2)))
FOCK = 5

# W4: a second mode; in continuous light four pumps of the same rate
PUMP_4 = 0.01
CW_DELAYS = np.logspace(-4, 2, 500)

# W5: a train with a long memory
PERIOD = 12.5
W5_STATIC: Rates = [(XX, X, 10.0), (X, G, 5.0), (D, G, 8e-5), (D, X, 1e-5)]
W5_KICK: Rates = [(G, D, 0.3), (D, XX, 0.8)]


# W7: a biexciton in a micropillar with two modes, by what is measured on it
LIFETIMES_7 = 0.4, 0.8  # of XX and X without the cavity
SPLITTING_7, QUALITY_7, WAVELENGTH_7, PURCELL_7 = 5.0, 9350.0, 900.0, 10.9  # ueV, nm
HBAR, HC = 0.6582119569, 1.2398419843320026e9  # ueV ns, ueV nm
KAPPA_7 = HC / WAVELENGTH_7 / QUALITY_7 / HBAR
RATE_7 = 1 / LIFETIMES_7[1]  # of each of the four transitions
G_7 = 0.5 * math.sqrt(PURCELL_7 * RATE_7 * KAPPA_7)
DELAYS_7 = np.concatenate([[0.0], 2.0 ** np.arange(-12, 0)])
STATES_7 = [(3, 0, 0), *((k, n, 1 - n) for k in (1, 2) for n in (1, 0)), (0, 2, 0), (0, 1, 1), (0, 0, 2), (1, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)]
"""(level G, X_H, X_V, XX; photons in H; photons in V): all that two excitations reach."""


def w1_rates(pump: Any, flip: Any = 1e-4) -> Rates:
    """Dark-loaded cascade (numbers, or arrays of them); transition 2 (XX -> X) and 3 (X -> G) emit."""
    return [(G, D, pump), (D, XX, pump / 2), (XX, X, 10.0), (X, G, 5.0), (D, X, flip)]


@cache
def _once(reference: Callable[[], np.ndarray]) -> np.ndarray:
    return reference()


@dataclass(frozen=True)
class Case:
    """One case.

    relative: the error is |value - reference| / |reference| everywhere (absolute where the reference is 0); else over max(|reference|, 1).
    wide: the reference for a pulse cut at 8 sigma. All references are good to the rounding of a double (GOOD).
    """

    what: str
    returns: str
    reference: Callable[[], np.ndarray]
    source: str
    relative: bool
    wide: Callable[[], np.ndarray] | None = None

    def errors(self, values: np.ndarray, wide: bool = False) -> tuple[float, float, float]:
        """(error as the case defines it, largest absolute, largest relative), infinite where a method returned no number."""
        ref = _once(self.wide if wide and self.wide is not None else self.reference)
        if values.shape != ref.shape:
            raise ValueError(f"a method returned {values.shape} numbers, the reference has {ref.shape}")
        off = np.where(np.isfinite(values), np.abs(values - ref), math.inf)
        relative = off / np.where(ref == 0.0, 1.0, np.abs(ref))
        scaled = relative if self.relative else off / np.maximum(np.abs(ref), 1.0)
        return float(scaled.max()), float(off.max()), float(relative.max())


# ------------------------------------------------------------------------------------------- ball arithmetic (python-flint)


def _balls(rates: Rates, size: int = 4) -> object:
    """Generator of rate equations as an arb_mat; rates enter as the doubles that the methods get."""
    import flint

    flint.ctx.prec = 400
    m = flint.arb_mat(size, size)
    for start, to, rate in rates:
        m[to, start] += flint.arb(rate)
        m[start, start] -= flint.arb(rate)
    return m


def _stationary(m: object) -> object:
    """The vector of sum 1 in the kernel of m (in place of the last row stands the sum)."""
    import flint

    a, b = flint.arb_mat(m), flint.arb_mat(4, 1)  # type: ignore[call-overload]
    for j in range(4):
        a[3, j] = 1
    b[3, 0] = 1
    return a.solve(b)


def _w1(pump: float) -> list[float]:
    import flint

    m = _balls(w1_rates(pump))
    x = _stationary(m)
    flux_xx, flux_x = 10 * x[XX, 0], 5 * x[X, 0]
    rows = [float(x[i, 0]) for i in range(4)]
    auto, cross = [], []
    for tau in DELAYS:
        u = (m * flint.arb(float(tau))).exp()
        # after an X photon the dot is in G, after an XX photon in X
        auto.append(float(5 * u[X, G] / flux_x))
        cross.append(float(5 * u[X, X] / flux_x))
    if not flux_xx > 0:
        raise ValueError("the reference emits no light")
    return rows + auto + cross


def w1_single() -> np.ndarray:
    """Populations, g2 of X, g2 of X after XX."""
    return np.array(_w1(PUMP))


def w1_sweep() -> np.ndarray:
    """The same for every pump."""
    return np.array([_w1(float(p)) for p in PUMPS]).ravel()


def w5() -> np.ndarray:
    """Sectors of 0 to 4 photons, and exact moments, from block-triangular exponentials."""
    import flint

    s, light = _balls(W5_STATIC), flint.arb_mat(4, 4)
    for start, to, rate in W5_STATIC[:2]:
        light[to, start] = flint.arb(rate)
    kick = _balls(W5_KICK).exp()
    t = flint.arb(PERIOD)

    def blocks(diagonal: object, count: int) -> list[object]:
        big = flint.arb_mat(4 * count, 4 * count)
        for n in range(count):
            for i in range(4):
                for j in range(4):
                    big[4 * n + i, 4 * n + j] = diagonal[i, j]
                    if n:
                        big[4 * n + i, 4 * n - 4 + j] = light[i, j]
        e = (big * t).exp()
        return [flint.arb_mat(4, 4, [e[4 * n + i, j] for i in range(4) for j in range(4)]) for n in range(count)]

    moments, sectors = blocks(s, 3), blocks(s - light, 5)
    one_period = moments[0] * kick
    eye = flint.arb_mat(4, 4, [int(i == j) for i in range(4) for j in range(4)])
    x = _stationary(one_period - eye)

    def total(v: object) -> object:
        return v[0, 0] + v[1, 0] + v[2, 0] + v[3, 0]

    lit = kick * x
    found = [total(u * lit) for u in sectors]
    mean = total(moments[1] * lit)
    peaks = [2 * total(moments[2] * lit) / mean**2]
    y = moments[1] * lit
    for _ in range(10):
        peaks.append(total(moments[1] * kick * y) / mean**2)
        y = one_period * y
    return np.array([float(v) for v in [*found, *peaks]])


def w6() -> np.ndarray:
    """g2(0) of all light, flux, pair flux fraction on the grid."""
    rows = []
    for p in GRID_PUMPS:
        for f in GRID_FLIPS:
            x = _stationary(_balls(w1_rates(float(p), float(f))))
            flux_xx, flux_x = 10 * x[XX, 0], 5 * x[X, 0]
            flux = flux_xx + flux_x
            rows.append((float(5 * flux_xx / flux**2), float(flux), float(2 * flux_xx / flux)))
    return np.array(rows).ravel()


def w7_operators() -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """(H, field operators of the modes H and V, jumps beside them) on STATES_7."""
    index = {state: i for i, state in enumerate(STATES_7)}
    n = len(STATES_7)
    h, modes, sides = np.zeros((n, n)), [np.zeros((n, n)) for _ in range(2)], [np.zeros((n, n)) for _ in range(4)]
    for (level, *photons), i in index.items():
        h[i, i] += SPLITTING_7 / HBAR / 2 * ((level == 1) - (level == 2))
        for k in range(2):
            if photons[k]:
                less = [m - (j == k) for j, m in enumerate(photons)]
                modes[k][index[level, *less], i] = math.sqrt(KAPPA_7 * photons[k])
            more = tuple(m + (j == k) for j, m in enumerate(photons))
            for side, (start, to) in enumerate(((3, 1 + k), (1 + k, 0))):
                if level == start:
                    sides[2 * k + side][index[to, *photons], i] = math.sqrt(RATE_7)
                    h[index[to, *more], i] = h[i, index[to, *more]] = G_7 * math.sqrt(photons[k] + 1)
    return h, modes, sides


def w7() -> np.ndarray:
    """P(0..2) of mode H, mean time of the first photon of both modes, mean delay to the second and its density at DELAYS_7."""
    import flint

    flint.ctx.prec = 200
    h, modes, sides = w7_operators()
    n = len(h)
    one = np.eye(n)

    def acb(m: np.ndarray) -> object:
        return flint.acb_mat(m.shape[0], m.shape[1], [flint.acb(complex(v).real, complex(v).imag) for v in m.ravel()])

    def click(c: np.ndarray) -> np.ndarray:
        return np.kron(c, c)

    quiet = -1j * h - 0.5 * sum(c.T @ c for c in (*modes, *sides))
    silent = np.kron(quiet, one) + np.kron(one, quiet.conj()) + sum(map(click, sides))
    live = [i for i in range(n * n) if i != n * n - 1]  # all but the empty ground state, which nothing leaves

    def tail(m: np.ndarray) -> np.ndarray:
        return m[np.ix_(live, live)]

    start = acb(np.eye(1, n * n)[:, live].T)

    def exits(m: np.ndarray) -> object:
        """Row of what a jump brings to any state, the empty one included."""
        return acb((one.ravel() @ m)[None, live])

    jump = {k: click(c) for k, c in enumerate(modes)}
    both, v = jump[0] + jump[1], silent + jump[1]
    # photons of H: sectors of 0, 1, 2 by solves
    at, x, p = acb(tail(v)), start, []
    for _ in range(2):
        x = at.solve(-1 * x)  # integral of the sector
        p.append((exits(jump[0]) * x)[0, 0].real)
        x = acb(tail(jump[0])) * x
    probabilities = [1 - p[0], p[0] - p[1], p[1]]
    at, arrive = acb(tail(silent)), exits(both)
    x0 = at.solve(-1 * start)
    first = (arrive * x0)[0, 0].real
    mean_first = (arrive * at.solve(-1 * x0))[0, 0].real / first
    x1 = acb(tail(both)) * x0
    y = at.solve(-1 * x1)
    second = (arrive * y)[0, 0].real
    mean_delay = (arrive * at.solve(-1 * y))[0, 0].real / second
    density, step = [(arrive * x1)[0, 0].real / second], (at * flint.acb(float(DELAYS_7[1]))).exp()
    for _ in DELAYS_7[1:]:
        density.append((arrive * step * x1)[0, 0].real / second)
        step = step * step
    return np.array([float(q) for q in [*probabilities, mean_first, mean_delay, *density]])


# ------------------------------------------------------------------------------------------- Taylor series (python-flint)


def w2(area_pi: int, half_width: int = 6) -> np.ndarray:
    """P(0..4), mean and g2: sectors of 0 to 9 photons of (g, e, Im coherence), order 40, 96 steps, 200 bits, then the tail in closed form.

    The envelope is cut at -half_width and +half_width sigma and its height belongs to the area of the uncut Gaussian.
    """
    import flint

    flint.ctx.prec = 200
    arb, sectors, order, steps = flint.arb, 10, 40, 96
    sigma = arb(1) / 10 / (2 * (2 * arb(2).log()).sqrt())
    peak = area_pi * arb.pi() / (sigma * (2 * arb.pi()).sqrt())
    none = np.array([arb(0)])
    g, e, c = (np.array([arb(0)] * sectors) for _ in range(3))
    g[0] = arb(1)
    h = 2 * half_width * sigma / steps
    for step in range(steps):
        u, k = -half_width + arb(2 * half_width) * step / steps, h / sigma
        w = [peak * (-u * u / 2).exp()]
        w.append(-u * k * w[0])
        for n in range(1, order):
            w.append((-u * k * w[n] - k * k * w[n - 1]) / (n + 1))
        gs, es, cs = [g], [e], [c]
        for n in range(order):
            driven_c = sum(w[j] * cs[n - j] for j in range(n + 1))
            driven_z = sum(w[j] * (es[n - j] - gs[n - j]) for j in range(n + 1))
            emitted = np.concatenate([none, es[n][:-1]])
            gs.append(h * (emitted + driven_c) / (n + 1))
            es.append(h * (-es[n] - driven_c) / (n + 1))
            cs.append(h * (-cs[n] / 2 + driven_z / 2) / (n + 1))
        g, e, c = (np.array([x.mid() for x in sum(v)]) for v in (gs, es, cs))
    p = g + np.concatenate([none, e[:-1]])
    mean = sum(n * p[n] for n in range(sectors))
    pairs = sum(n * (n - 1) * p[n] for n in range(sectors))
    return np.array([float(v) for v in [*p[:5], mean, pairs / mean**2]])


# ------------------------------------------------------------------------------------------- stored digits (references.py)


def w3(half_width: int = 6) -> np.ndarray:
    """P(0..4), mean, g2."""
    if half_width == 8:
        p = [3.58484620597427133e-01, 3.14956038858393173e-01, 3.25323837061093004e-01, 1.22241287297228451e-03, 1.30204923023138405e-05]
        return np.array([*p, 9.69323384402707542e-01, 7.00455865411427062e-01])
    p = [3.58484620598010641e-01, 3.14956038858283430e-01, 3.25323837060883255e-01, 1.22241287270985758e-03, 1.30204923007307949e-05]
    return np.array([*p, 9.69323384401384652e-01, 7.00455865411196322e-01])


def w4_pulse(half_width: int = 6) -> np.ndarray:
    """P(0..4) of mode H, then of mode V."""
    if half_width == 8:
        h = [5.24836021600824259e-01, 2.34682019215005714e-01, 2.39574664952517047e-01, 8.97725548551870662e-04, 9.51749206753657401e-06]
        v = [5.25761082670869446e-01, 2.30858376268478617e-01, 2.43340150592754604e-01, 2.60231650262997420e-05, 1.43670567941453442e-05]
        return np.array([*h, *v])
    h = [5.24836021601396681e-01, 2.34682019214832494e-01, 2.39574664952312963e-01, 8.97725548357925230e-04, 9.51749206637143469e-06]
    v = [5.25761082671164070e-01, 2.30858376268337100e-01, 2.43340150592602408e-01, 2.60231650257661361e-05, 1.43670567937678684e-05]
    return np.array([*h, *v])


def w4_cw() -> np.ndarray:
    """g2 of mode H at CW_DELAYS."""
    return np.loadtxt(Path(__file__).parent / "w4_cw_g2.txt")


GOOD = 2.3e-16
"""Estimated relative error of every reference: what is lost by rounding it to a double. In the table a smaller error is shown as below this."""
FLINT = "ball arithmetic (python-flint), 400 bits"
SERIES = "Taylor series of order 40 (python-flint), 200 bits"
STORED = "references.py: counting sectors, Taylor series in extended precision, digits stored"
STORED_BALLS = "references.py: ball arithmetic (python-flint), 128 bits, digits stored"
BALLS_7 = "ball arithmetic (python-flint), 200 bits, on the 13 states that two excitations reach"
CASES: dict[str, Case] = {
    "W1-single": Case("stiff continuous wave, one pump, 500 delays", "4 populations, g2 of X, g2 of X after XX", w1_single, FLINT, True),
    "W1-sweep": Case("the same for 60 pumps from 1e-6 to 10 per ns", "as W1-single for each pump", w1_sweep, FLINT, True),
    "W2-pi": Case("two-level emitter, Gaussian pi pulse", "P(0..4), mean, g2", lambda: w2(1), SERIES, False, lambda: w2(1, 8)),
    "W2-2pi": Case("two-level emitter, Gaussian 2 pi pulse", "P(0..4), mean, g2", lambda: w2(2), SERIES, False, lambda: w2(2, 8)),
    "W3": Case("biexciton in a cavity (20 states), two-photon pulse", "P(0..4), mean, g2 of the mode's light", w3, STORED, False, lambda: w3(8)),
    "W4-pulse": Case("W3 with two modes (100 states), pulsed", "P(0..4) of each mode", w4_pulse, STORED, False, lambda: w4_pulse(8)),
    "W4-cw": Case("two modes (100 states), continuous pumps", "g2 of mode H at 500 delays", w4_cw, STORED_BALLS, True),
    "W5": Case("a train whose dark state lives 1000 periods", "P(0..4) per period, g2[0..10]", w5, FLINT, True),
    "W6": Case("10 000 points: pump times spin flip", "g2(0) of all light, flux, pair flux fraction", w6, FLINT, True),
    "W7": Case("biexciton in a micropillar with two modes", "P(0..2) of mode H, mean first time, mean delay, its density at 13 delays", w7, BALLS_7, False),
}
