"""Exponentials of constant generators at many times: scaling and squaring that keeps signs where signs are known.

Metzler: e^{At} = e^{-qt} e^{(A+q)t} sums positive terms only, and where a trace is kept the columns are brought back to it at every
squaring, so that round-off does not grow with q t. Others: extended precision up to EXTENDED_LIMIT dimensions, with the kept trace exact
and the steady state taken out, so that slow decay beside fast rates keeps its digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import expm_multiply

from qdot.evolve.reduction import is_metzler
from qdot.evolve.steady import keeps_trace

EXTENDED_LIMIT = 48
"""Up to this dimension a system that is not Metzler is exponentiated in extended precision."""

NEAR = 30.0
"""Up to this many elementary steps the steady state is left in."""
POSITIVE_LIMIT = 2e4
"""Largest norm times time for which a Metzler system may act on vectors; beyond, round-off grows and only squaring holds it down."""
TERMS = 28
"""Terms of the series of the elementary step, whose norm is at most 1: 1/28! is far below round-off even for entries that start late."""


@dataclass(frozen=True, eq=False)
class Exponential:
    """e^{A h 2^k} for k = 0, 1, 2, ... of one dense generator, made on demand by squaring.

    matrix: (d, d), already shifted by `shift` on its diagonal; step: h; trace: (d,) of zeros and ones or None; blocks: into how many equal
    blocks the indices fall. In each diagonal block of e^{At} the traced columns have traced entries that sum to one.
    """

    matrix: np.ndarray
    shift: float
    step: float
    trace: np.ndarray | None
    blocks: int
    squares: list[np.ndarray]

    @staticmethod
    def of(
        a: sp.csr_array,
        longest: float,
        trace: np.ndarray | None = None,
        steady: np.ndarray | None = None,
        stretch: float = 1.0,
        blocks: int = 1,
    ) -> Exponential:
        """Prepare for times up to `longest`.

        trace: row kept by A, or by each of `blocks` equal diagonal blocks of A alone; steady: the unit-trace null vector of A, taken out
        of e^{At}. stretch <= 1 shortens the elementary step; two values give two calculations with different round-off.
        """
        if is_metzler(a):
            m = a.toarray()
            kept = trace if _is_zero_or_one(trace) else None
            out = _leaving(a, kept, blocks)
            shift = 2.0 * float(max(out.max(initial=0.0), 1e-300))
            np.fill_diagonal(m, shift - out)
            reach = float(m.sum(axis=0).max())
        else:
            shift, kept = 0.0, None
            if trace is not None and np.any(trace):
                coo = keeps_trace(a, trace, _gains(a, trace, blocks) if blocks > 1 else None)
                m = np.zeros(a.shape, dtype=np.longdouble)
                np.add.at(m, (coo.row, coo.col), coo.data)
            else:
                m = a.toarray().astype(np.longdouble)
            if steady is not None and trace is not None:
                m = m - np.outer(steady, trace) * np.abs(np.diag(m)).max()
            if m.shape[0] > EXTENDED_LIMIT:
                m = m.astype(float)
            reach = float(np.abs(m).sum(axis=0).max(initial=0.0))
        doublings = max(0, math.ceil(math.log2(max(longest * reach, 1e-300)))) + (1 if stretch < 1.0 else 0)
        return Exponential(m, shift, longest / 2.0**doublings if longest > 0 else 1.0, kept, blocks, [])

    def short(self, y: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        """(d, n) e^{A h fraction_i} y for y (d,) and fractions (n,) in [0, 1]."""
        terms = [y.astype(self.matrix.dtype)]
        for k in range(1, TERMS):
            terms.append(self.matrix @ terms[-1] * (self.step / k))
        powers = fraction[None, :].astype(self.matrix.dtype) ** np.arange(len(terms))[:, None]
        return np.array(terms).T @ powers * np.exp(-self.shift * self.step * fraction)

    def square(self, k: int) -> np.ndarray:
        """(d, d) e^{A h 2^k}."""
        if not self.squares:
            d = self.matrix.shape[0]
            scaled = self.matrix * self.matrix.dtype.type(self.step)
            term = total = np.eye(d, dtype=self.matrix.dtype)
            for j in range(1, TERMS):
                term = term @ scaled / j
                total = total + term
            self.squares.append(self._settle(total * np.exp(-self.shift * self.step)))
        while len(self.squares) <= k:
            self.squares.append(self._settle(self.squares[-1] @ self.squares[-1]))
        return self.squares[k]

    def _settle(self, e: np.ndarray) -> np.ndarray:
        """Bring the columns of each diagonal block back to their sum, so that round-off does not grow from squaring to squaring."""
        if self.trace is None:
            return e
        d = e.shape[0] // self.blocks
        cut = [slice(k * d, (k + 1) * d) for k in range(self.blocks)]
        sums = np.concatenate([self.trace[c] @ e[c, c] for c in cut])
        return e / np.where(self.trace == 1.0, sums, 1.0)

    def act(self, y: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(d, n) e^{A t_i} y for y (d,) and times (n,) up to the longest prepared for."""
        steps = times / self.step
        whole = np.floor(steps)
        out = self.short(y, steps - whole)
        for k in range(math.frexp(float(whole.max(initial=0.0)))[1] - 1, -1, -1):
            chosen = whole >= 2.0**k
            if chosen.any():
                out[:, chosen] = self.square(k) @ out[:, chosen]
                whole = np.where(chosen, whole - 2.0**k, whole)
        return out


def _is_zero_or_one(trace: np.ndarray | None) -> bool:
    return trace is not None and bool(np.all((trace == 1.0) | (trace == 0.0)))


def _leaving(a: sp.csr_array, trace: np.ndarray | None, blocks: int) -> np.ndarray:
    """(d,) minus the diagonal, for traced columns as the sum of what goes to traced entries of the same block: exact for slow columns."""
    out = -a.diagonal()
    if trace is None:
        return out
    coo = a.tocoo()
    d = a.shape[0] // blocks
    inside = (coo.row != coo.col) & (coo.row // d == coo.col // d)
    sums = np.bincount(coo.col[inside], (coo.data * trace[coo.row])[inside], minlength=a.shape[0])
    return np.where(trace == 1.0, sums, out)


def _gains(a: sp.csr_array, trace: np.ndarray, blocks: int) -> np.ndarray:
    """(d,) minus the trace of what each column sends to other blocks: its loss, for keeps_trace."""
    d = a.shape[0] // blocks
    coo = a.tocoo()
    other = coo.row // d != coo.col // d
    gained = np.zeros(a.shape[1])
    np.add.at(gained, coo.col[other], (coo.data * trace[coo.row])[other])
    return -gained


def along(
    a: sp.csr_array,
    y: np.ndarray,
    times: np.ndarray,
    trace: np.ndarray | None = None,
    steady: np.ndarray | None = None,
    stretch: float = 1.0,
) -> np.ndarray:
    """(d, n) e^{A t_i} y at all times (n,) >= 0 from one set of squarings.

    trace, steady: the row that A keeps and its steady state of unit trace, where there are such; they buy accuracy at long times.
    """
    if times.size == 0:
        return np.zeros((a.shape[0], 0))
    if is_metzler(a) or steady is None or trace is None:
        return np.asarray(Exponential.of(a, float(times.max()), trace, None, stretch).act(y, times), dtype=float)
    # Taking the steady state out costs digits where the result is far below it, and saves them at long times: each where it is better.
    near = times * float(abs(a).sum(axis=0).max()) <= NEAR
    out = np.empty((a.shape[0], times.size))
    if near.any():
        out[:, near] = Exponential.of(a, float(times[near].max()), trace, None, stretch).act(y, times[near])
    if not near.all():
        weight = trace @ y
        moving = y.astype(np.longdouble) - steady * weight.astype(np.longdouble)
        far = Exponential.of(a, float(times.max()), trace, steady, stretch).act(moving, times[~near])
        out[:, ~near] = far + (steady * weight)[:, None]
    return out


def propagator(a: sp.csr_array, time: float, y: np.ndarray, trace: np.ndarray | None = None, stretch: float = 1.0, blocks: int = 1) -> np.ndarray:
    """(d, n) e^{A t} y for the columns of y (d, n), by squaring or, where that costs less, by acting on the columns directly.

    trace: row kept by A, or by each of `blocks` equal diagonal blocks of A alone.
    """
    if time == 0.0 or a.nnz == 0:
        return y
    d, n = y.shape
    norm = float(abs(a).sum(axis=0).max()) * time
    is_positive = is_metzler(a)
    by_squaring = 2e-10 * d**3 * (TERMS + math.log2(1 + norm)) * (30 if d <= EXTENDED_LIMIT and not is_positive else 1)
    by_action = (norm + 5) * 1.5 * (3e-5 + 2e-9 * a.nnz * n)
    if d > EXTENDED_LIMIT and by_action < by_squaring and not (is_positive and norm > POSITIVE_LIMIT):
        if is_positive:
            return _uniformised(a, time, y, trace, blocks)
        pieces = 1 if stretch == 1.0 else 2
        for _ in range(pieces):
            y = expm_multiply(a.tocsc() * (time / pieces), y, traceA=float(a.diagonal().sum()) * time / pieces)
        return np.asarray(y)
    e = Exponential.of(a, time, trace, None, stretch, blocks)
    return np.asarray(e.square(round(math.log2(time / e.step))) @ y, dtype=float)


def _uniformised(a: sp.csr_array, time: float, y: np.ndarray, trace: np.ndarray | None, blocks: int) -> np.ndarray:
    """e^{A t} y for a Metzler A as e^{-qt} sum (A + q)^k t^k y / k!, a sum of positive terms, in steps of q h <= 100."""
    diagonal = _leaving(a, trace if _is_zero_or_one(trace) else None, blocks)
    q = float(diagonal.max(initial=0.0))
    shifted = (a + sp.diags_array(q - diagonal - a.diagonal())).tocsr()
    steps = max(1, math.ceil(q * time / 100.0))
    h = time / steps
    terms = int(1.3 * float(abs(shifted).sum(axis=0).max()) * h + 60)
    for _ in range(steps):
        term = total = y
        for k in range(1, terms):
            term = (shifted @ term) * (h / k)
            total = total + term
        y = total * math.exp(-q * h)
    return y
