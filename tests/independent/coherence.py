"""Coherence, light acting back, tomography: a second road written with NumPy and SciPy alone. Nothing here imports the package under test.

Every function builds its own H and jump operators. Rates are in 1/ns and energies in ueV where a name says so; elsewhere any unit of time will do.
A density matrix is stacked by columns: entry (i, j) at i + d j, so that A rho B becomes (B^T (x) A) vec(rho).
Jump operators carry the root of their rate.

Times after the last pulse are integrated in closed form (Sylvester equations, resolvents).
Inside a pulse `march` collocates at Gauss points until nothing changes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.optimize import minimize_scalar
from scipy.special import erf

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


def march(slope: Callable[[np.ndarray, np.ndarray], np.ndarray], x: np.ndarray, edges: Any, order: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """x' = slope(t, x), affine in x: states at the nodes of `panels` (nodes, ...) and at the last edge.

    slope takes all nodes of a panel at once, t (order,) and x (order, ...). Collocation at the Gauss points of each panel, iterated until it
    repeats itself: exact to round-off for panels of length times rate below about 2.
    """
    nodes, _ = panels([0, 1], order)
    powers = np.polynomial.legendre.legvander(2 * nodes - 1, order)
    integrals = np.array([np.polynomial.legendre.legint(row, lbnd=-1) for row in np.eye(order)])  # of P_0 .. P_(order-1) from -1
    to_nodes = powers @ integrals.T @ np.linalg.inv(powers[:, :order]) / 2  # from slopes at the nodes to increments there
    to_end = panels([0, 1], order)[1]
    seen = []
    for a, b in itertools.pairwise(edges):
        y = np.repeat(x[None], order, axis=0)
        for _ in range(80):
            k = (b - a) * slope(a + (b - a) * nodes, y)
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


# ---- pulses --------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pulsed:
    """A source whose Liouvillian is still + envelope(t) driven, on the panels `edges` from the stacked state `start`; afterwards `still` for ever.

    envelope takes an array of times. With `endless` False nothing is counted after the last edge.
    """

    still: np.ndarray
    driven: np.ndarray
    envelope: Callable[[np.ndarray], np.ndarray]
    start: np.ndarray
    edges: np.ndarray
    endless: bool = True

    def generator(self, t: np.ndarray) -> np.ndarray:
        """Liouvillians at the times t, (..., d^2, d^2)."""
        return self.still + self.envelope(t)[..., None, None] * self.driven


RABI = commutator(np.array([[0, 0.5], [0.5, 0]]))  # per unit of Rabi frequency of a two-level emitter


def two_level(rabi: float, dephasing: float = 0.0, detuning: float = 0.0) -> np.ndarray:
    """Liouvillian of an emitter that lives for one unit of time: H = detuning |X><X| + (rabi / 2)(|G><X| + h.c.); coherences lose `dephasing` besides 1/2."""
    x = ket_bra(2, 1, 1)
    h = detuning * x + rabi / 2 * np.array([[0, 1], [1, 0]])
    return liouvillian(h, [ket_bra(2, 0, 1), math.sqrt(2 * dephasing) * x])


def prepared(still: np.ndarray, level: int) -> Pulsed:
    """In `level` at t = 0, undriven."""
    return Pulsed(still, 0 * still, np.zeros_like, density(math.isqrt(len(still)), level), np.array([0.0, 0.0]))


def ideal_pulse(dephasing: float = 0.0) -> Pulsed:
    """X prepared at once."""
    return prepared(two_level(0.0, dephasing), 1)


def square_pulse(area: float, duration: float, dephasing: float = 0.0) -> Pulsed:
    """Rabi frequency area / duration from 0 to duration."""
    edges = np.linspace(0, duration, 2 + int(3 * (area + duration * (1 + dephasing))))
    return Pulsed(two_level(0.0, dephasing), RABI, lambda t: area / duration * (t < duration), density(2, 0), edges)


def gaussian_pulse(peak: float, sigma: float, centre: float, until: float, dephasing: float = 0.0, detuning: float = 0.0) -> Pulsed:
    """Rabi frequency peak exp(-(t - centre)^2 / (2 sigma^2)) from 0 to `until`, where it is cut off."""
    fine = np.arange(max(0.0, centre - 9 * sigma), min(until, centre + 9 * sigma), 0.5 / (peak + 1 + dephasing + abs(detuning) + 1 / sigma))
    edges = np.unique(np.concatenate([np.arange(0, until, 0.5), fine, [until]]))
    return Pulsed(two_level(0.0, dephasing, detuning), peak * RABI, lambda t: np.exp(-((t - centre) ** 2) / (2 * sigma**2)) * (t < until), density(2, 0), edges)


def finer(edges: np.ndarray, step: float) -> np.ndarray:
    """The same panels cut into equal parts no longer than step."""
    cuts = [np.linspace(a, b, 1 + max(1, math.ceil((b - a) / step)))[:-1] for a, b in itertools.pairwise(edges)]
    return np.concatenate([*cuts, edges[-1:]])


def apply(m: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Matrices on as many vectors."""
    return np.einsum("...ij,...j->...i", m, x)


def click(c: np.ndarray) -> np.ndarray:
    """rho -> c rho c^+."""
    return sandwich(c, c)


def states(source: Pulsed) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, weights, states at the nodes of the panels, and the state at the last edge."""
    times, weights = panels(source.edges, 20)
    return times, weights, *march(lambda t, x: apply(source.generator(t), x), source.start, source.edges)


def effects(source: Pulsed, later: np.ndarray, slope: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Backward solution of -dE/dt = slope(L(t), E) with E = `later` at the last edge, at the nodes of the panels in order of time.

    slope gets as many L as E, one per node of a panel.
    """
    end = source.edges[-1]
    backward, _ = march(lambda s, e: slope(source.generator(end - s), e), later, (end - source.edges)[::-1])
    return backward[::-1]


def total(source: Pulsed, jumps: Sequence[np.ndarray], opens: float = -math.inf) -> float:
    """Mean number of photons through all these jump operators after `opens`."""
    times, weights, x, last = states(source)
    row = trace_row(len(jumps[0])) @ sum(click(c) for c in jumps)
    inside = float(np.real(weights[times > opens] @ (x[times > opens] @ row)))
    return inside + float(np.real(row @ np.linalg.solve(-decaying(source.still), last))) if source.endless else inside


def pair_integral(source: Pulsed, jumps: Sequence[np.ndarray], opens: float = -math.inf) -> float:
    """Integral of G2(t1, t2) over both times, <n(n-1)> of the photons through all these jump operators, from the mean number to come after a click."""
    count = sum(click(c) for c in jumps)
    row, rest = trace_row(len(jumps[0])) @ count, decaying(source.still)
    later = np.linalg.solve(-rest.T, row) if source.endless else np.zeros_like(row)
    ahead = effects(source, later, lambda generator, e: apply(generator.swapaxes(-1, -2), e) + row)
    times, weights, x, last = states(source)
    keep = times > opens
    inside = np.einsum("n,ni,ij,nj->", weights[keep], ahead[keep], count, x[keep])
    return float(2 * np.real(inside + later @ count @ np.linalg.solve(-rest, last)))  # later is 0 unless endless


def g2_zero(source: Pulsed, jumps: Sequence[np.ndarray]) -> float:
    """<n(n-1)>/mean^2 of the photons through all these jump operators."""
    return pair_integral(source, jumps) / total(source, jumps) ** 2


def coherence_integral(source: Pulsed, c: np.ndarray, opens: float = -math.inf) -> float:
    """Integral of |G1(t1, t2)|^2 = |<c^+(t1) c(t2)>|^2 over both times.

    For t2 > t1 G1 = p U(t2, t1) y with y = vec(rho(t1) c^+) and the row p = tr c. The form Q(t) = integral over t2 > t of (p U)^+ (p U) obeys
    -dQ/dt = L^+ Q + Q L + p^+ p, so that the double integral is one integral of y^+ Q y, twice.
    """
    p, turn = trace_row(len(c)) @ left(c), right(c.conj().T)
    seen = np.outer(p.conj(), p)
    rest = decaying(source.still)
    later = solve_continuous_lyapunov(rest.conj().T, -seen) if source.endless else np.zeros_like(seen)
    ahead = effects(source, later, lambda generator, q: generator.conj().swapaxes(-1, -2) @ q + q @ generator + seen)
    times, weights, x, last = states(source)
    keep = times > opens
    y = x[keep] @ turn.T
    inside = np.einsum("n,ni,nij,nj->", weights[keep], y.conj(), ahead[keep], y)
    fading = last - steady(source.still)  # the steady state is dark: turn takes it to 0
    w = solve_continuous_lyapunov(rest, -np.outer(fading, fading.conj()))
    return float(2 * np.real(inside + np.trace(later @ turn @ w @ turn.conj().T)))


def interference(source: Pulsed, c: np.ndarray, opens: float = -math.inf) -> dict[str, float]:
    """mean photons, g2 = <n(n-1)>/mean^2, M = integral |G1|^2/mean^2, V = M - g2.

    V is the contrast of the central peak of two equal sources (or two pulses of one) on a 50:50 beam splitter with a random phase between them:
    coincidences (1 - V)/2 in units of mean^2, against those of photons that do not interfere. A gate [opens, last edge] holds for both photons.
    """
    mean = total(source, [c], opens)
    g2, m = pair_integral(source, [c], opens) / mean**2, coherence_integral(source, c, opens) / mean**2
    return {"mean": mean, "g2": g2, "M": m, "V": m - g2}


def gated(source: Pulsed, opens: float, closes: float) -> Pulsed:
    """The source watched until `closes` only, with an edge at `opens`: `interference(gated(source, a, b), c, a)`."""
    after = np.arange(source.edges[-1], closes, 0.1)
    return replace(source, edges=np.unique(np.concatenate([source.edges[source.edges < closes], after, [opens, closes]])), endless=False)


def correlation_maps(source: Pulsed, c: np.ndarray, times: Sequence[float]) -> dict[str, np.ndarray]:
    """n(t) (times,), G1[i, j] = <c^+(t_i) c(t_j)> and G2[i, j] (times, times), on increasing times from the first edge on, by propagators between them."""
    d = len(c)
    p, row, turn = trace_row(d) @ left(c), trace_row(d) @ click(c), right(c.conj().T)
    x, here, steps, at = [], source.start, [], source.edges[0]
    for t in times:
        cuts = np.unique(np.concatenate([[at, t], source.edges[(source.edges > at) & (source.edges < t)], np.arange(at, t, 0.1)]))
        whole = np.eye(d * d, dtype=complex)
        if t > at:
            _, whole = march(lambda s, u: source.generator(s) @ u, whole, cuts)
        here, at = whole @ here, t
        steps.append(whole)
        x.append(here)
    n = np.array([row @ y for y in x]).real
    g1, g2 = np.zeros((len(x), len(x)), dtype=complex), np.zeros((len(x), len(x)))
    for i, y in enumerate(x):
        one, two = turn @ y, click(c) @ y
        for j in range(i, len(x)):
            if j > i:
                one, two = steps[j] @ one, steps[j] @ two
            g1[i, j], g2[i, j] = p @ one, (row @ two).real
            g1[j, i], g2[j, i] = g1[i, j].conjugate(), g2[i, j]
    return {"n": n, "G1": g1, "G2": g2}


def photon_numbers(source: Pulsed, clicks: Sequence[np.ndarray], top: int, long: float = 400.0) -> np.ndarray:
    """P(0..top) of the photons through all jump operators of `clicks`, up to `long` after the pulse.

    States x_n that have emitted n: x_n' = (L - J) x_n + J x_(n-1).
    """
    count = sum(click(c) for c in clicks)
    size = len(count)

    def slope(t: np.ndarray, x: np.ndarray) -> np.ndarray:
        emitted = x @ count.T
        gained = np.concatenate([np.zeros_like(emitted[..., :1, :]), emitted[..., :-1, :]], axis=-2)
        return x @ source.generator(t).swapaxes(-1, -2) - emitted + gained

    start = np.zeros((top + 1, size), dtype=complex)
    start[0] = source.start
    _, x = march(slope, start, source.edges)
    if source.endless:
        tower = np.kron(np.eye(top + 1), source.still - count) + np.kron(np.eye(top + 1, k=-1), count)
        x = (expm(tower * long) @ x.ravel()).reshape(x.shape)
    return (x @ trace_row(math.isqrt(size))).real


def through_filter(source: Pulsed, c: np.ndarray, width: float, centre: float = 0.0, entrance: float = 1e-3) -> tuple[Pulsed, np.ndarray]:
    """The source behind a Lorentzian filter of this full width: a cavity that its light drives one way. The new source and the filtered light's operator.

    Ratios such as M and g2 do not depend on `entrance` (the mirror's share of the cavity's loss); it keeps three number states enough.
    """
    fock = 3
    one, a = np.eye(fock), np.kron(np.eye(len(c)), lowering(fock))

    def widened(generator: np.ndarray) -> np.ndarray:
        """The source's own superoperator beside the cavity: entry (i n, j m) from (k n, l m)."""
        d = len(c)
        small = generator.reshape(d, d, d, d)  # column j, row i; column l, row k
        big = np.einsum("jilk,mM,nN->jminlMkN", small, one, one)
        return big.reshape((d * fock) ** 2, -1)

    big, up = np.kron(c, one), a.conj().T
    drive = left(up @ big) - left(big) @ right(up) + right(big.conj().T @ a) - left(a) @ right(big.conj().T)
    still = widened(source.still) + liouvillian(centre * up @ a, [math.sqrt(width) * a]) - math.sqrt(entrance * width) * drive
    start = np.einsum("ji,m,n->jmin", source.start.reshape(len(c), -1), one[0], one[0]).ravel()
    step = 1 / (width + abs(centre) + 1)
    return Pulsed(still, widened(source.driven), source.envelope, start, finer(source.edges, step), source.endless), math.sqrt(width) * a


# ---- spectra -------------------------------------------------------------------------------------------------------------------------------------------


def pulsed_spectrum(source: Pulsed, c: np.ndarray, omega: Any) -> np.ndarray:
    """Time-integrated spectrum of c at angular frequencies in the frame of H; its integral over omega is the mean number of photons.

    S(omega) = (1/pi) Re of the integral over t and tau > 0 of <c^+(t) c(t + tau)> exp(i omega tau). The row E(t) = integral over tau of p U(t + tau, t)
    exp(i omega tau) obeys -dE/dt = E (L + i omega) + p.
    """
    omega = np.atleast_1d(np.asarray(omega, dtype=float))
    source = replace(source, edges=finer(source.edges, 1 / max(1.0, np.max(np.abs(omega)))))
    p, turn = trace_row(len(c)) @ left(c), right(c.conj().T)
    rest, one = decaying(source.still), np.eye(len(source.still))
    later = np.array([np.linalg.solve(-(rest + 1j * w * one).T, p) for w in omega])
    ahead = effects(source, later, lambda generator, e: e @ generator + 1j * omega[:, None] * e + p)
    _, weights, x, last = states(source)
    inside = np.einsum("n,nwi,ni->w", weights, ahead, x @ turn.T)
    return np.real(inside + later @ turn @ np.linalg.solve(-rest, last - steady(source.still))) / math.pi


def fluctuation(generator: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, complex]:
    """(rho - tr) c^+ without its elastic part, stacked and traceless, and the mean field <c> of the steady state."""
    x = steady(generator)
    field = trace_row(len(c)) @ left(c) @ x
    return right(c.conj().T) @ x - np.conj(field) * x, complex(field)


def steady_spectrum(generator: np.ndarray, c: np.ndarray, omega: Any) -> np.ndarray:
    """Incoherent spectrum of continuous light; its integral over omega is <c^+ c> - |<c>|^2. The elastic line is |<c>|^2 delta(omega)."""
    y, _ = fluctuation(generator, c)
    p, moved, one = trace_row(len(c)) @ left(c), decaying(generator), np.eye(len(generator))
    return np.array([np.real(p @ np.linalg.solve(-(moved + 1j * w * one), y)) for w in np.atleast_1d(omega)]) / math.pi


def spectral_lines(generator: np.ndarray, c: np.ndarray) -> list[tuple[float, float, complex]]:
    """(position, full width, weight) of each line of the incoherent spectrum, S = sum (1/pi) Re[weight / (width/2 - i (omega - position))].

    Only where the generator can be diagonalised.
    """
    y, _ = fluctuation(generator, c)
    values, vectors = np.linalg.eig(generator)
    weights = (trace_row(len(c)) @ left(c) @ vectors) * np.linalg.solve(vectors, y)
    lines = [(float(-v.imag), float(-2 * v.real), complex(w)) for v, w in zip(values, weights, strict=True) if abs(w) > 1e-13]
    return sorted(lines, key=lambda line: line[0])


def mollow(rabi: float, omega: Any) -> np.ndarray:
    """Incoherent spectrum of the resonantly driven two-level emitter without extra dephasing, closed form (Mollow 1969); <c^+ c> = rabi^2/(1 + 2 rabi^2)."""
    w = np.asarray(omega, dtype=float)
    excited = rabi**2 / (1 + 2 * rabi**2)
    shape = (w**2 + rabi**2 / 2 + 1) / ((w**2 + 0.25) * np.abs((1j * w + 0.5) * (1j * w + 1) + rabi**2) ** 2)
    return excited * rabi**2 / (2 * math.pi) * shape


# ---- the cascade's two lines -----------------------------------------------------------------------------------------------------------------------------


def cascade(rate_XX: float, rate_X: float) -> tuple[Pulsed, dict[str, np.ndarray]]:
    """XX -> X -> G prepared in XX at t = 0: the source and the jump operator of each line."""
    lines = {"XX": math.sqrt(rate_XX) * ket_bra(3, 1, 2), "X": math.sqrt(rate_X) * ket_bra(3, 0, 1)}
    return prepared(liouvillian(np.zeros((3, 3)), list(lines.values())), 2), lines


def trace_purity(rate_XX: float, rate_X: float) -> dict[str, float]:
    """Tr rho^2 of either photon's temporal mode = integral |G1|^2 (mean 1); rate_XX/(rate_XX + rate_X) for both (B13)."""
    source, lines = cascade(rate_XX, rate_X)
    return {name: coherence_integral(source, c) for name, c in lines.items()}


# ---- polarisation-entangled pairs ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Polarised:
    """Levels G, X_H, X_V, XX = 0..3; photon operators of the two lines by polarisation H, V."""

    generator: np.ndarray
    first: tuple[np.ndarray, np.ndarray]
    second: tuple[np.ndarray, np.ndarray]


def polarised_cascade(
    rate_XX: float, rate_X: float, fss_ueV: float, flip: float = 0.0, dephasing: float = 0.0, pump: float = 0.0, pump_XX: float = 0.0
) -> Polarised:
    """XX decays to X_H and X_V at rate_XX / 2 each, both to G at rate_X; E(X_H) - E(X_V) = fss_ueV.

    `flip`: X_H -> X_V and X_V -> X_H, each. `dephasing`: coherences of X_H, and those of X_V, lose this rate, so X_H-X_V loses twice as much.
    `pump`: G -> X_H, and G -> X_V; `pump_XX`: X_H -> XX, and X_V -> XX.
    """

    def step(to: int, start: int, rate: float) -> np.ndarray:
        return math.sqrt(rate) * ket_bra(4, to, start)

    first, second = (step(1, 3, rate_XX / 2), step(2, 3, rate_XX / 2)), (step(0, 1, rate_X), step(0, 2, rate_X))
    dark = [step(2, 1, flip), step(1, 2, flip), step(1, 1, 2 * dephasing), step(2, 2, 2 * dephasing)]
    dark += [step(1, 0, pump), step(2, 0, pump), step(3, 1, pump_XX), step(3, 2, pump_XX)]
    h = fss_ueV / HBAR / 2 * (ket_bra(4, 1, 1) - ket_bra(4, 2, 2))
    return Polarised(liouvillian(h, [*first, *second, *dark]), first, second)


def window_integral(generator: np.ndarray, begin: float, end: float) -> np.ndarray:
    """Integral of e^{L tau} from begin to end; for end = inf on states that end dark."""
    if math.isinf(end):
        return np.linalg.solve(-decaying(generator), expm(generator * begin))
    n = len(generator)
    both = expm(np.block([[generator, np.eye(n)], [np.zeros((n, 2 * n))]]) * (end - begin))
    return both[:n, n:] @ expm(generator * begin)


def pairs_after_preparation(dot: Polarised, begin: float = 0.0, end: float = math.inf) -> np.ndarray:
    """Two-photon matrix (4, 4), not normalised, of one run from XX, all times of the XX photon, X photon later by begin .. end. Basis HH, HV, VH, VV.

    rho[pq, rs] = integral of <c_r^+(t) d_s^+(t + tau) d_q(t + tau) c_p(t)>: its trace is the number of pairs in the window.
    """
    return two_photon_matrix(dot, np.linalg.solve(-decaying(dot.generator), density(4, 3)), begin, end)


def pairs_in_continuous_light(dot: Polarised, begin: float, end: float) -> np.ndarray:
    """The same per unit of time in the pumped steady state: accidental pairs of different cascades included."""
    return two_photon_matrix(dot, steady(dot.generator), begin, end)


def two_photon_matrix(dot: Polarised, x: np.ndarray, begin: float, end: float) -> np.ndarray:
    """rho[pq, rs] from the stacked state x (or its time integral)."""
    later = window_integral(dot.generator, begin, end)
    rho = np.empty((2, 2, 2, 2), dtype=complex)  # p, q, r, s
    for p, r in itertools.product(range(2), repeat=2):
        y = later @ sandwich(dot.first[p], dot.first[r]) @ x
        for q, s in itertools.product(range(2), repeat=2):
            rho[p, q, r, s] = trace_row(4) @ sandwich(dot.second[q], dot.second[s]) @ y
    return rho.reshape(4, 4)


def pairs_closed(rate_X: float, fss_ueV: float, flip: float = 0.0, dephasing: float = 0.0, begin: float = 0.0, end: float = math.inf) -> np.ndarray:
    """The matrix after preparation of XX in closed form.

    While the dot waits in X the polarisations' correlation decays at 2 flip, the X_H-X_V coherence at flip + 2 dephasing and turns at S/hbar.
    """

    def integral(rate: complex) -> complex:
        late = 0.0 if math.isinf(end) else np.exp(-rate * end)
        return rate_X * (np.exp(-rate * begin) - late) / rate

    same, other = (integral(rate_X) + sign * integral(rate_X + 2 * flip) for sign in (1, -1))
    across = integral(rate_X + flip + 2 * dephasing + 1j * fss_ueV / HBAR)
    rho = np.diag([same / 4, other / 4, other / 4, same / 4]).astype(complex)
    rho[0, 3], rho[3, 0] = across / 2, np.conj(across) / 2
    return rho


def coincidences(rho: np.ndarray, first: Any, second: Any) -> float:
    """<ef| rho |ef> for Jones vectors e, f of the two analysers, (H, V) components: what coincidence counts are proportional to."""
    e = np.kron(first, second)
    return float(np.real(np.conj(e) @ rho @ e))


def bell_fidelity(rho: np.ndarray, vector: Any = (1, 0, 0, 1)) -> float:
    """<v| rho |v> / (<v|v> tr rho); (|HH> + |VV>)/root 2 unless given."""
    v = np.asarray(vector, dtype=complex)
    return float(np.real(v.conj() @ rho @ v / (v.conj() @ v) / np.trace(rho)))


def concurrence(rho: np.ndarray) -> float:
    """Wootters, PRL 80, 2245 (1998), of rho / tr rho."""
    rho = rho / np.trace(rho)
    turn = np.fliplr(np.diag([-1.0, 1.0, 1.0, -1.0]))
    roots = np.sort(np.sqrt(np.abs(np.linalg.eigvals(rho @ turn @ rho.conj() @ turn))))
    return float(max(0.0, roots[3] - roots[:3].sum()))


def concurrence_closed(rho: np.ndarray) -> float:
    """For matrices whose only off-diagonal entry is HH-VV: 2 max(0, |rho_HHVV| - root(rho_HVHV rho_VHVH))."""
    return float(2 * max(0.0, abs(rho[0, 3]) - math.sqrt(rho[1, 1].real * rho[2, 2].real)) / np.trace(rho).real)


def entanglement_closed(lifetime_X_ns: float, fss_ueV: float) -> float:
    """Bell fidelity (1/4)[2 + 2/(1 + x^2)], x = S tau_X / hbar (B14)."""
    x = fss_ueV * lifetime_X_ns / HBAR
    return 0.25 * (2 + 2 / (1 + x**2))


# ---- frequency-filtered correlations -----------------------------------------------------------------------------------------------------------------------


def sensor_g2(generator: np.ndarray, s: np.ndarray, omega: tuple[float, float], width: float, tau: float = 0.0) -> float:
    """g2 of two sensors of full width `width` at angular frequencies omega, the second seen tau >= 0 after the first, at vanishing coupling.

    del Valle et al., PRL 109, 183601 (2012): H = eps (s v^+ + h.c.) to each sensor v. To leading order in eps the operators
    X[a, b, c, e] = Tr_sensors(v1^b v2^e rho v1^+a v2^+c), indices 0 or 1, obey
    dX/dt = [L - i omega1 (b - a) - i omega2 (e - c) - width (a + b + c + e)/2] X - i s (b X[b - 1] + e X[e - 1]) + i (a X[a - 1] + c X[c - 1]) s^+ (eps = 1).
    """
    one = np.eye(len(generator))
    up, down = -1j * left(s), 1j * right(s.conj().T)
    x: dict[tuple[int, int, int, int], np.ndarray] = {}
    for index in sorted(itertools.product(range(2), repeat=4), key=sum):
        a, b, c, e = index
        if sum(index) == 0:
            x[index] = steady(generator)
            continue
        source = sum(m @ x[lower(index, k)] for k, m in enumerate((down, up, down, up)) if index[k])
        rate = -1j * (omega[0] * (b - a) + omega[1] * (e - c)) - width * sum(index) / 2
        x[index] = np.linalg.solve(-(generator + rate * one), source)
    row = trace_row(math.isqrt(len(generator)))
    both = np.concatenate([x[1, 1, c, e] for c in range(2) for e in range(2)])  # after the first click only the second sensor is followed
    blocks = [generator, generator - (1j * omega[1] + width / 2) * one, generator + (1j * omega[1] - width / 2) * one, generator - width * one]
    tower = np.kron(np.diag([1.0, 0, 0, 0]), blocks[0]) + sum(np.kron(np.diag(np.eye(4)[k]), blocks[k]) for k in (1, 2, 3))
    tower = tower + np.kron(ket_bra(4, 1, 0) + ket_bra(4, 3, 2), up) + np.kron(ket_bra(4, 2, 0) + ket_bra(4, 3, 1), down)
    seen = row @ (expm(tower * tau) @ both)[3 * len(generator) :]
    return float(np.real(seen / ((row @ x[1, 1, 0, 0]) * (row @ x[0, 0, 1, 1]))))


def lower(index: tuple[int, ...], k: int) -> tuple[int, ...]:
    """The index with its k-th entry reduced by one."""
    return tuple(n - (i == k) for i, n in enumerate(index))


def sensor_g2_weak(h: np.ndarray, jumps: Sequence[np.ndarray], s: np.ndarray, omega: tuple[float, float], width: float, eps: float) -> float:
    """The same at tau = 0 with two real two-level sensors of coupling eps, extrapolated from eps and eps / root 2 (errors of order eps^2 cancel)."""

    def at(coupling: float) -> float:
        one, d, v = np.eye(2), len(h), ket_bra(2, 0, 1)
        sensors = [product(np.eye(d), v, one), product(np.eye(d), one, v)]
        big = product(h, one, one)
        for w, u in zip(omega, sensors, strict=True):
            emit = coupling * u.conj().T @ product(s, one, one)
            big = big + w * u.conj().T @ u + emit + emit.conj().T
        x = steady(liouvillian(big, [*(product(c, one, one) for c in jumps), *(math.sqrt(width) * u for u in sensors)]))
        rho = x.reshape(4 * d, 4 * d).T
        n = [u.conj().T @ u for u in sensors]
        return float(np.real(np.trace(n[0] @ n[1] @ rho) / (np.trace(n[0] @ rho) * np.trace(n[1] @ rho))))

    return 2 * at(eps / math.sqrt(2)) - at(eps)


def filter_g2(
    h: np.ndarray, jumps: Sequence[np.ndarray], s: np.ndarray, omega: tuple[float, float], width: float, tau: float = 0.0, entrance: float = 1e-3
) -> float:
    """The same by two cavities that the light of s drives one way, through a beam splitter: cascaded systems (Gardiner, PRL 70, 2269 (1993)).

    A cavity of loss `width` takes in the light through a mirror of loss entrance * width; -root(k)([a^+, c rho] + [rho c^+, a]) leaves the emitter undisturbed.
    With three number states the cut-off is of second order in `entrance`.
    """
    d, fock = len(h), 3
    one, a = np.eye(fock), lowering(fock)
    c = product(s, one, one) / math.sqrt(2)
    generator = liouvillian(product(h, one, one), [product(j, one, one) for j in jumps])
    modes = []
    for w, u in zip(omega, (product(np.eye(d), a, one), product(np.eye(d), one, a)), strict=True):
        up = u.conj().T
        drive = left(up @ c) - left(c) @ right(up) + right(c.conj().T @ u) - left(u) @ right(c.conj().T)
        generator = generator + liouvillian(w * up @ u, [math.sqrt(width) * u]) - math.sqrt(entrance * width) * drive
        modes.append(u)
    x, row, (one_click, two_click) = steady(generator), trace_row(d * fock**2), [click(u) for u in modes]
    both = row @ two_click @ expm(generator * tau) @ one_click @ x
    return float(np.real(both / ((row @ one_click @ x) * (row @ two_click @ x))))


# ---- two-photon excitation (B7), two-photon Purcell (B10), bundles (B16), collective decay --------------------------------------------------------------


def two_photon_driven(rate_XX: float, rate_X: float, area: float, sigma: float) -> tuple[Pulsed, dict[str, np.ndarray]]:
    """Effective model of Hanschke et al. (2018): H = (Omega(t)/2)(|XX><G| + h.c.), Gaussian Omega of this area, centred 9 sigma after the start, cut there."""
    _, lines = cascade(rate_XX, rate_X)
    peak = area / sigma / math.sqrt(2 * math.pi)
    drive = peak / 2 * commutator(ket_bra(3, 2, 0) + ket_bra(3, 0, 2))
    edges = np.linspace(0, 18 * sigma, 30 + int(6 * area))
    still = liouvillian(np.zeros((3, 3)), list(lines.values()))
    return Pulsed(still, drive, lambda t: np.exp(-((t / sigma - 9) ** 2) / 2) * (t < 18 * sigma), density(3, 0), edges), lines


def re_excitation_law(gaussian: bool) -> float:
    """Limit of g2 / (rate_XX rate_X T^2) for short square pulses of length T, or of g2 / (rate_XX rate_X sigma^2) for Gaussian ones, area pi.

    Two photons of a line need XX at t1, its photon, the X photon at t2, and the rest of the pulse to lead back to XX:
    g2 = 2 rate_XX rate_X integral over t1 < t2 of sin^2(theta(t1)/2) cos^2(theta(t2)/2), theta the area so far.
    """
    edges = np.linspace(-9, 9, 37) if gaussian else np.array([0.0, 1.0])
    outer, w = panels(edges, 24)
    theta = (lambda t: math.pi / 2 * (1 + erf(t / math.sqrt(2)))) if gaussian else (lambda t: math.pi * t)
    up_to = np.array([u @ np.sin(theta(v) / 2) ** 2 for v, u in (panels(np.append(edges[edges < t], t), 24) for t in outer)])
    return float(2 * w @ (up_to * np.cos(theta(outer) / 2) ** 2))


def laser_driven_cascade(
    area: float, fwhm_ps: float, lifetime_XX_ps: float = 120.0, lifetime_X_ps: float = 240.0, binding_meV: float = 4.0
) -> tuple[Pulsed, dict[str, np.ndarray]]:
    """Full model of B7, in ps: G, X_H, X_V, XX; an H-polarised Gaussian laser at half the biexciton drives G-X_H and X_H-XX with the same Rabi frequency.

    X lies above the virtual level by half the binding energy; no fine structure; each branch of XX at half its rate. `area` is that of the one-photon Rabi
    frequency, whose envelope exp(-t^2 / (2 sigma^2)) lasts from -7 to 7 sigma; fwhm of the intensity. Jump operators XX_H, XX_V, X_H, X_V.
    """
    sigma = fwhm_ps / (2 * math.sqrt(math.log(2)))
    detuning = binding_meV * 1000 / 2 / (HBAR * 1000)  # rad/ps
    branch, last = math.sqrt(0.5 / lifetime_XX_ps), math.sqrt(1 / lifetime_X_ps)
    lines = {"XX_H": branch * ket_bra(4, 1, 3), "XX_V": branch * ket_bra(4, 2, 3), "X_H": last * ket_bra(4, 0, 1), "X_V": last * ket_bra(4, 0, 2)}
    still = liouvillian(detuning * (ket_bra(4, 1, 1) + ket_bra(4, 2, 2)), list(lines.values()))
    peak = area / sigma / math.sqrt(2 * math.pi)
    up = ket_bra(4, 1, 0) + ket_bra(4, 3, 1)
    edges = np.linspace(0, 14 * sigma, 2 + int(8 * sigma * (detuning + peak / 2)))
    return Pulsed(still, peak / 2 * commutator(up + up.T), lambda t: np.exp(-((t / sigma - 7) ** 2) / 2) * (t < 14 * sigma), density(4, 0), edges), lines


def best_area(fwhm_ps: float) -> float:
    """The area of `laser_driven_cascade` with the largest P(1) of the XX line (both polarisations): its first maximum."""
    sigma, detuning = fwhm_ps / (2 * math.sqrt(math.log(2))), 2 / HBAR
    guess = math.sqrt(4 * math.pi**1.5 * detuning * sigma)  # where the area of the effective Rabi frequency Omega^2 / (2 detuning) is pi

    def missing(area: float) -> float:
        source, lines = laser_driven_cascade(area, fwhm_ps)
        return -photon_numbers(source, [lines["XX_H"], lines["XX_V"]], 1, long=2e4)[1]

    return float(minimize_scalar(missing, bracket=(0.95 * guess, 1.1 * guess, 1.3 * guess), tol=1e-8).x)


def two_photon_cavity(g: float, chi: float, kappa: float, gamma: float) -> np.ndarray:
    """P(0..3) of the photons that leave an H-polarised cavity at half the biexciton, from |B, 0> (del Valle et al., NJP 13, 113014 (2011), B10).

    H = (chi/2)(|H><H| + |V><V|) + g [a^+ (|G><H| + |H><B|) + h.c.]; `gamma` is the rate of each of B -> H, B -> V, H -> G, V -> G into the side.
    """
    one, a = np.eye(4), np.kron(np.eye(4), lowering(4))
    step = {pair: np.kron(ket_bra(4, *pair), one) for pair in ((0, 1), (0, 2), (1, 3), (2, 3))}  # G, H, V, B
    emit = g * a.T @ (step[0, 1] + step[1, 3])
    h = chi / 2 * np.kron(np.diag([0, 1, 1, 0]), one) + emit + emit.conj().T
    leak = math.sqrt(kappa) * a
    still = liouvillian(h, [leak, *(math.sqrt(gamma) * m for m in step.values())])
    x, choices = density(16, 12), []
    for _ in range(4):  # tr (J R)^k is the mean number of ways to choose k of the clicks
        choices.append(np.real(trace_row(16) @ x))
        x = click(leak) @ np.linalg.solve(-decaying(still), x)
    return np.array([sum((-1) ** (k - n) * math.comb(k, n) * choices[k] for k in range(n, 4)) for n in range(4)])


@dataclass(frozen=True)
class Bundler:
    """A two-level emitter at frequency 0, driven by H = drive (s + s^+) at frequency `laser`, in a cavity at frequency `cavity`; units of the coupling g = 1.

    Sanchez Munoz et al., Nat. Photon. 8, 550 (2014), REFERENCE B16 (kappa and gamma: recalled; the positions do not depend on them).
    """

    drive: float = 32.0
    cavity: float = -60.0
    kappa: float = 0.1
    gamma: float = 0.01
    fock: int = 8

    def matrices(self, laser: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """H in the laser's frame, s, a."""
        one = np.eye(self.fock)
        s, a = np.kron(ket_bra(2, 0, 1), one), np.kron(np.eye(2), lowering(self.fock))
        emit = a.T @ s + self.drive * s
        return emit + emit.conj().T - laser * s.T @ s + (self.cavity - laser) * a.T @ a, s, a

    def closed(self, n: int) -> float:
        """The laser with n |laser - cavity| = root(laser^2 + 4 drive^2), laser above the cavity: n photons join two dressed states."""
        p = np.polynomial.Polynomial([n**2 * self.cavity**2 - 4 * self.drive**2, -2 * n**2 * self.cavity, n**2 - 1])
        return float(max(p.roots().real))

    def gap(self, n: int, laser: float) -> float:
        """Distance of the two eigenvalues that share |upper dressed state, 0> and |lower, n>, or the other way round, most closely."""
        h, _, _ = self.matrices(laser)
        energies, vectors = np.linalg.eigh(h)
        _, dressed = np.linalg.eigh(np.array([[0, self.drive], [self.drive, -laser]]))
        number = np.eye(self.fock)
        pairs = [(np.kron(dressed[:, i], number[0]), np.kron(dressed[:, 1 - i], number[n])) for i in range(2)]
        overlaps = [sum(np.abs(vectors.conj().T @ v) ** 2 for v in pair) for pair in pairs]
        return float(min(abs(np.diff(energies[np.argsort(w)[-2:]]))[0] for w in overlaps))

    def photons(self, n: int, laser: float) -> float:
        """<a^+n a^n> of the steady state."""
        h, s, a = self.matrices(laser)
        rho = steady(liouvillian(h, [math.sqrt(self.kappa) * a, math.sqrt(self.gamma) * s])).reshape(len(h), -1).T
        power = np.linalg.matrix_power(a, n)
        return float(np.real(np.trace(power.conj().T @ power @ rho)))

    def smallest_gap(self, n: int) -> float:
        """The laser at the centre of the n-photon anticrossing."""
        centre = self.closed(n)
        return float(minimize_scalar(lambda w: self.gap(n, w), bounds=(centre - 0.05, centre + 0.05), method="bounded", options={"xatol": 1e-9}).x)

    def brightest(self, n: int) -> float:
        """The laser with the largest <a^+n a^n>. Not that of the largest g(n): where the flux peaks g(2) has a dip."""
        centre = self.closed(n)
        return float(minimize_scalar(lambda w: -math.log(self.photons(n, w)), bounds=(centre - 0.05, centre + 0.05), method="bounded").x)


def pumped_ladder(rate_XX: float, rate_X: float, pump: float, pump_XX: float, collective: bool, shift: float = 0.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """G -> X -> XX pumped without coherence; decay by one operator root(rate_XX)|X><XX| + root(rate_X)|G><X|, or by two.

    XX -> X has the lower frequency, by `shift`. Liouvillian and the operators of the light.
    """
    steps = [math.sqrt(rate_XX) * ket_bra(3, 1, 2), math.sqrt(rate_X) * ket_bra(3, 0, 1)]
    emit = [steps[0] + steps[1]] if collective else steps
    h = -shift * ket_bra(3, 2, 2)
    return liouvillian(h, [*emit, math.sqrt(pump) * ket_bra(3, 1, 0), math.sqrt(pump_XX) * ket_bra(3, 2, 1)]), emit


def first_order(generator: np.ndarray, emit: Sequence[np.ndarray], tau: Any) -> np.ndarray:
    """g1(tau) = sum <c^+ c(tau)> / sum <c^+ c> of the light of all operators together, complex, one value per delay."""
    x = steady(generator)
    parts = [(trace_row(len(c)) @ left(c), right(c.conj().T) @ x) for c in emit]
    raw = np.array([sum(p @ u @ y for p, y in parts) for u in expm(generator * np.append(0.0, tau)[:, None, None])])
    return raw[1:] / raw[0]


def first_order_closed(rate_XX: float, rate_X: float, pump: float, pump_XX: float, collective: bool, shift: float, tau: Any) -> np.ndarray:
    """The same: the XX-X coherence decays at a, the X-G one at b, and a collective emission passes the first on to the second."""
    tau = np.asarray(tau)
    x, xx = pump / rate_X, pump / rate_X * pump_XX / rate_XX  # populations in units of G's
    a, b = (rate_XX + rate_X + pump_XX) / 2 - 1j * shift, (rate_X + pump_XX + pump) / 2
    raw = rate_XX * xx * np.exp(-a * tau) + rate_X * x * np.exp(-b * tau)
    if collective:
        raw = raw + rate_XX * rate_X * xx * (np.exp(-b * tau) - np.exp(-a * tau)) / (a - b)
    return raw / (rate_XX * xx + rate_X * x)
