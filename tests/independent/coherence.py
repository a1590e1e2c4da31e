"""Coherence, light acting back, tomography: a second road written with NumPy and SciPy alone. Nothing here imports the package under test.

Every function builds its own H and jump operators. Rates are in 1/ns and energies in ueV where a name says so; elsewhere any unit of time will do.
A density matrix is stacked by columns: entry (i, j) at i + d j, so that A rho B becomes (B^T (x) A) vec(rho). Jump operators carry the root of their rate.

Times after the last pulse are integrated in closed form (Sylvester equations, resolvents). Inside a pulse `march` collocates at Gauss points until nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov

HBAR = 0.6582119569  # ueV ns

# ---- operators ---------------------------------------------------------------------------------------------------------------------------------------


def ket_bra(d: int, i: int, j: int) -> np.ndarray:
    """|i><j| of d levels."""
    m = np.zeros((d, d), dtype=complex)
    m[i, j] = 1.0
    return m


def lowering(fock: int) -> np.ndarray:
    """Photon annihilation on the number states 0 .. fock - 1."""
    return np.diag(np.sqrt(np.arange(1.0, fock)), 1).astype(complex)


def product(*factors: np.ndarray) -> np.ndarray:
    """Tensor product."""
    out = np.eye(1)
    for f in factors:
        out = np.kron(out, f)
    return out


def left(a: np.ndarray) -> np.ndarray:
    """rho -> a rho."""
    return np.kron(np.eye(len(a)), a)


def right(b: np.ndarray) -> np.ndarray:
    """rho -> rho b."""
    return np.kron(b.T, np.eye(len(b)))


def sandwich(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """rho -> a rho b^+."""
    return np.kron(b.conj(), a)


def commutator(h: np.ndarray) -> np.ndarray:
    """rho -> -i [h, rho]."""
    return -1j * (left(h) - right(h))


def dissipator(c: np.ndarray) -> np.ndarray:
    """rho -> c rho c^+ - (c^+ c rho + rho c^+ c) / 2."""
    n = c.conj().T @ c
    return sandwich(c, c) - 0.5 * (left(n) + right(n))


def liouvillian(h: np.ndarray, jumps: Sequence[np.ndarray]) -> np.ndarray:
    """-i [h, .] and the dissipators of all jumps, (d^2, d^2)."""
    return commutator(h) + sum(dissipator(c) for c in jumps)


def trace_row(d: int) -> np.ndarray:
    """Trace as a row on stacked matrices."""
    return np.eye(d).reshape(-1)


def density(d: int, level: int) -> np.ndarray:
    """|level><level|, stacked."""
    return ket_bra(d, level, level).reshape(-1)


def steady(generator: np.ndarray) -> np.ndarray:
    """Null vector of unit trace."""
    row = trace_row(math.isqrt(len(generator)))
    return np.linalg.solve(generator - np.outer(row, row), -row.astype(complex))  # the trace of L x is 0, so row x = 1 and L x = 0


def decaying(generator: np.ndarray) -> np.ndarray:
    """The generator with its steady state's eigenvalue 0 moved to -1: the same on traceless matrices, and invertible."""
    return generator - np.outer(steady(generator), trace_row(math.isqrt(len(generator))))


# ---- integrals ----------------------------------------------------------------------------------------------------------------------------------------


def panels(edges: Any, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights of all panels between the edges, in one row each."""
    u, w = np.polynomial.legendre.leggauss(order)
    edges = np.asarray(edges, dtype=float)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + u)).ravel(), (half * w).ravel()


def march(slope: Callable[[float, np.ndarray], np.ndarray], x: np.ndarray, edges: Any, order: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """x' = slope(t, x), affine in x: states at the nodes of `panels` (nodes, ...) and at the last edge.

    Collocation at the Gauss points of each panel, iterated until it repeats itself: exact to round-off for panels of length times rate below about 2.
    """
    nodes, _ = panels([0, 1], order)
    powers = np.polynomial.legendre.legvander(2 * nodes - 1, order)
    integrals = np.array([np.polynomial.legendre.legint(row, lbnd=-1) for row in np.eye(order)])  # of P_0 .. P_(order-1) from -1
    to_nodes = powers @ integrals.T @ np.linalg.inv(powers[:, :order]) / 2  # from slopes at the nodes to increments there
    to_end = panels([0, 1], order)[1]
    seen = []
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        y = np.repeat(x[None], order, axis=0)
        for _ in range(80):
            k = (b - a) * np.array([slope(a + (b - a) * u, state) for u, state in zip(nodes, y, strict=True)])
            y, last = x + np.tensordot(to_nodes, k, 1), y
            if np.max(np.abs(y - last)) < 1e-15 * max(np.max(np.abs(y)), 1e-3):
                break
        else:
            raise ArithmeticError(f"a panel from {a} to {b} is too long")
        seen.append(y)
        x = x + np.tensordot(to_end, k, 1)
    return np.concatenate(seen), x


# ---- light acting back: a ladder in a cavity -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ladder:
    """XX - X - G and its light in one mode (`shared`) or in one mode per transition, prepared in |XX, 0>, no loss but the cavity's.

    4 g^2 / kappa = purcell on both transitions; X -> G in resonance with its mode, XX -> X lower by `shift` (angular frequency).
    States are state vectors: until the next photon leaves, psi decays under -i H - sum c^+ c / 2 = `still`.
    """

    kappa: float
    shared: bool
    purcell: float = 1.0
    shift: float = 0.0

    @property
    def modes(self) -> list[np.ndarray]:
        one, two, dot = np.eye(2), lowering(2), np.eye(3)
        return [product(dot, lowering(3))] if self.shared else [product(dot, two, one), product(dot, one, two)]

    @property
    def jumps(self) -> list[np.ndarray]:
        return [math.sqrt(self.kappa) * a for a in self.modes]

    @property
    def hamiltonian(self) -> np.ndarray:
        """Levels G, X, XX = 0, 1, 2."""
        rest, g = np.eye(3 if self.shared else 4), math.sqrt(self.purcell * self.kappa) / 2
        emit = g * (self.modes[0].T @ np.kron(ket_bra(3, 1, 2), rest) + self.modes[-1].T @ np.kron(ket_bra(3, 0, 1), rest))
        return emit + emit.conj().T - self.shift * np.kron(ket_bra(3, 2, 2), rest)

    @property
    def still(self) -> np.ndarray:
        clicks = sum(c.conj().T @ c for c in self.jumps)
        end = ket_bra(len(clicks), 0, 0)  # |G, 0>, never reached without a click; its -1 only keeps the equations solvable
        return -1j * self.hamiltonian - clicks / 2 - end

    def start(self, level: int) -> np.ndarray:
        """|level, 0><level, 0|."""
        d = len(self.modes[0])
        return ket_bra(d, level * d // 3, level * d // 3)


def waiting(still: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Integral over all times of e^{K t} rho e^{K^+ t}."""
    return solve_continuous_lyapunov(still, -rho)


def after_first_photon(ladder: Ladder) -> np.ndarray:
    """Density matrix at the moment after the first photon, whatever that moment was; unit trace."""
    mixed = waiting(ladder.still, ladder.start(2))
    return sum(c @ mixed @ c.conj().T for c in ladder.jumps)


def emission_density(ladder: Ladder, rho: np.ndarray, times: Any) -> np.ndarray:
    """Density of the next photon's time from rho, one value per time (purcell = 1: in 1/lifetime)."""
    clicks = sum(c.conj().T @ c for c in ladder.jumps)
    forward = expm(ladder.still * np.atleast_1d(times)[:, None, None])
    return np.einsum("ij,njk,kl,nil->n", clicks, forward, rho, forward.conj()).real


def first_photon_density(ladder: Ladder, times: Any) -> np.ndarray:
    """Density of min(t1, t2)."""
    return emission_density(ladder, ladder.start(2), times)


def delay_density(ladder: Ladder, delays: Any) -> np.ndarray:
    """Density of |t2 - t1| on [0, inf), integral 1."""
    return emission_density(ladder, after_first_photon(ladder), delays)


def single_exciton_density(ladder: Ladder, times: Any) -> np.ndarray:
    """Density of the photon's time from |X, 0> through the same cavity."""
    return emission_density(ladder, ladder.start(1), times)


def first_and_delay_density(ladder: Ladder, first: Any, delays: Any) -> np.ndarray:
    """Density of (first time, delay), (first, delay); with first = t1 and delay = t2 - t1 this is G2(t1, t2) above the diagonal."""
    rows = []
    for t in np.atleast_1d(first):
        u = expm(ladder.still * t)
        rho = u @ ladder.start(2) @ u.conj().T
        rows.append(emission_density(ladder, sum(c @ rho @ c.conj().T for c in ladder.jumps), delays))
    return np.array(rows)


def ladder_times(ladder: Ladder) -> dict[str, float]:
    """Mean first time, mean delay, delay density at zero, mean time of a single exciton's photon (REFERENCE A.9)."""
    after = after_first_photon(ladder)
    return {
        "mean_first": np.trace(waiting(ladder.still, ladder.start(2))).real,  # the mean is the integral of the survival probability
        "mean_delay": np.trace(waiting(ladder.still, after)).real,
        "zero_delay": emission_density(ladder, after, 0.0)[0],
        "single_exciton": np.trace(waiting(ladder.still, ladder.start(1))).real,
    }


def ladder_times_closed(kappa: float, shared: bool) -> dict[str, float]:
    """The same for purcell = 1 and no shift: rational functions of kappa, from the moment equations by computer algebra."""
    k = kappa
    if shared:
        first, delay, zero = (6 * k**2 + 25 * k + 9) / (k * (6 * k + 7)), (6 * k**2 + k + 14) / (k * (6 * k + 7)), 6 * k / (6 * k + 7)
    else:
        first, delay = (6 * k**2 + 19 * k + 4) / (2 * k * (3 * k + 2)), (12 * k**2 + 14 * k + 13) / (4 * k * (3 * k + 2))
        zero = 3 * k / (2 * (3 * k + 2))
    return {"mean_first": first, "mean_delay": delay, "zero_delay": zero, "single_exciton": 1 + 2 / k}


def seen_through_jitter(ladder: Ladder, delays: Any, fwhm: float) -> np.ndarray:
    """Density of |t2 - t1| as measured, when each of the two detectors adds an independent Gaussian error of this FWHM to its time.

    The difference of the errors, u, has sigma = sqrt(2) fwhm / 2.3548. With p the true density on [0, inf), that of the signed difference is p(|T|) / 2, and
    the modulus is taken after the jitter: q(T) = integral of N(u) p(|T - u|) du over all u, N the normal density. One detector alone: fwhm / sqrt(2) here.
    """
    sigma = math.sqrt(2) * fwhm / (2 * math.sqrt(2 * math.log(2)))
    step = min(sigma, 4 / ladder.kappa)
    out = []
    for delay in np.atleast_1d(delays):
        kink = min(delay, 9 * sigma)  # p(|T - u|) has a kink at u = T
        pieces = [(-9 * sigma, kink), (kink, 9 * sigma)]
        u, w = np.hstack([panels(np.linspace(a, b, 2 + int((b - a) / step)), 16) for a, b in pieces if b > a])
        out.append(np.exp(-(u**2) / (2 * sigma**2)) @ (w * delay_density(ladder, np.abs(delay - u))) / (sigma * math.sqrt(2 * math.pi)))
    return np.array(out)
