"""Exponentials of constant generators at many times: scaling and squaring that keeps signs where signs are known.

Metzler: e^{At} = e^{-qt} e^{(A+q)t} sums positive terms only, and where a trace is kept the columns are brought back to it at every
squaring, so that round-off does not grow with q t. Others: extended precision up to EXTENDED_LIMIT dimensions, with the kept trace exact
and the steady state taken out, so that slow decay beside fast rates keeps its digits; beyond, eigenvectors, or squaring where these are bad.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.linalg as sl

from qdot.evolve import kernel
from qdot.evolve.driven import drive_through
from qdot.evolve.reduction import Matrix, dense, entries, is_metzler, pattern, restrict, separate_parts
from qdot.evolve.register import Register
from qdot.evolve.steady import Solve, dense_solvers, inverse_norm, keeps_trace

EXTENDED_LIMIT = 48
"""Up to this dimension a system that is not Metzler is exponentiated in extended precision."""
NEAR = 30.0
"""Up to this many elementary steps the steady state is left in."""
FIRST = 8.0
"""Norm times time of the stretch that the compiled kernel steps through before squaring begins."""
TERMS = 28
"""Terms of the series of the elementary step, whose norm is at most 1: 1/28! is far below round-off even for entries that start late."""
STEPPED = 1000.0
"""Largest norm times time of a small system that is not Metzler for which steps in double precision are as good as squaring."""
MOST_COMPILED = 64
"""Largest dimension that the compiled kernel follows along many times."""
WORST_EIGENVECTORS = 2e7
"""Largest condition number of eigenvectors that are used."""


@dataclass(frozen=True, eq=False)
class Exponential:
    """e^{A h 2^k} for k = 0, 1, 2, ... of a stack of dense generators, made on demand by squaring.

    matrix: (..., d, d), already shifted by `shift` (...) on its diagonal; step: h, one for all; trace: (d,) of zeros and ones or None;
    squares, made: what has been squared so far, here one by one or by the compiled kernel.
    """

    matrix: np.ndarray
    shift: np.ndarray
    step: float
    trace: np.ndarray | None
    squares: list[np.ndarray] = field(default_factory=list)
    made: list[np.ndarray] = field(default_factory=list)

    @staticmethod
    def of(a: np.ndarray, trace: np.ndarray | None = None, steady: np.ndarray | None = None, stretch: float = 1.0) -> Exponential:
        """Prepare e^{At}; the elementary step is a power of two.

        trace: row kept by A; steady: the unit-trace null vector of A (d, d), taken out of e^{At}.
        stretch <= 1 shortens the elementary step; two values give two calculations with different round-off.
        """
        d = a.shape[-1]
        if is_metzler_stack(a):
            kept = trace if _is_zero_or_one(trace) else None
            m, shift = _shifted(a, kept, None)
            reach = float(m.sum(axis=-2).max(initial=0.0))
        else:
            kept, shift = None, np.zeros(a.shape[:-2])
            m = keeps_trace(a, trace) if trace is not None and np.any(trace) else a.astype(np.longdouble)
            if steady is not None and trace is not None:
                m = m - np.outer(steady, trace) * np.abs(np.diag(m)).max()
            if d > EXTENDED_LIMIT:
                m = m.astype(float)
            reach = float(np.abs(m).sum(axis=-2).max(initial=0.0))
        power = math.floor(-math.log2(max(reach, 1e-300))) - (1 if stretch < 1.0 else 0)
        return Exponential(m, shift, 2.0 ** min(power, 900), kept)

    def series(self, y: np.ndarray) -> np.ndarray:
        """(..., d, TERMS) Taylor series of e^{A h s} y in s, without the factor of the shift, for y (..., d)."""
        terms = np.empty((*y.shape, TERMS), dtype=self.matrix.dtype)
        terms[..., 0] = y
        for k in range(1, TERMS):
            terms[..., k] = (self.matrix @ terms[..., k - 1, None])[..., 0] * (self.step / k)
        return terms

    def short(self, y: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        """(..., d, n) e^{A h fraction_i} y for y (..., d) and fractions (n,) in [0, 1]."""
        terms = self.series(y)
        powers = np.ones((TERMS, fraction.size), dtype=self.matrix.dtype)
        powers[1:] = fraction
        return terms @ np.cumprod(powers, axis=0) * np.exp(-self.step * self.shift[..., None, None] * fraction)

    def square(self, k: int) -> np.ndarray:
        """(..., d, d) e^{A h 2^k}."""
        if not self.squares:
            scaled = self.matrix * self.matrix.dtype.type(self.step)
            if self.trace is None and scaled.dtype == float and scaled.ndim == 2:  # no signs to keep: fewer products
                self.squares.append(sl.expm(scaled))
                return self.square(k)
            term = np.broadcast_to(np.eye(scaled.shape[-1], dtype=self.matrix.dtype), scaled.shape)
            total = term.copy()
            for j in range(1, TERMS):
                term = term @ scaled / j
                total += term
            self.squares.append(self._settle(total * np.exp(-self.step * self.shift)[..., None, None]))
        while len(self.squares) <= k:
            self.squares.append(self._settle(self.squares[-1] @ self.squares[-1]))
        return self.squares[k]

    def _settle(self, e: np.ndarray) -> np.ndarray:
        """Bring the columns back to their sum, so that round-off does not grow from squaring to squaring."""
        return e if self.trace is None else e / np.where(self.trace == 1.0, self.trace @ e, 1.0)[..., None, :]

    def seen(self, row: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(..., k, n) row e^{A t_i} y for row (..., k, d), y (..., d) and times (n,)."""
        library, d = kernel.library(), self.matrix.shape[-1]
        if library is None or self.matrix.dtype != float or d > MOST_COMPILED:
            return np.asarray(row @ self.act(y, times))
        steps = times / self.step
        levels = math.frexp(float(np.floor(steps.max(initial=0.0))))[1]
        terms, rows = np.ascontiguousarray(np.swapaxes(self.series(y), -1, -2)), np.ascontiguousarray(row, dtype=float)
        squares = self._compiled_squares(levels)
        fall = np.ascontiguousarray(self.step * np.broadcast_to(self.shift, y.shape[:-1]))
        found = np.empty((*row.shape[:-1], times.size))
        sizes = np.array([y.size // d, d, times.size, levels, TERMS, row.shape[-2]], dtype=np.int64)
        library.squares_along(*(v.ctypes.data for v in (sizes, terms, squares, fall, steps, rows, found)))
        return found

    def _compiled_squares(self, levels: int) -> np.ndarray:
        """(levels, ..., d, d) of `square` by the compiled kernel; kept for further calls that need no more of them."""
        if not self.made or self.made[0].shape[0] < levels:
            library, d = kernel.library(), self.matrix.shape[-1]
            fall = np.ascontiguousarray(self.step * np.broadcast_to(self.shift, self.matrix.shape[:-2]))
            kept = np.zeros(d) if self.trace is None else np.ascontiguousarray(self.trace, dtype=float)
            sizes = np.array([self.matrix.size // d**2, d, levels, TERMS], dtype=np.int64)
            made = np.empty((levels, *self.matrix.shape))
            given = (sizes, np.ascontiguousarray(self.matrix), np.array([self.step]), fall, kept, made)
            library.squares_of(*(v.ctypes.data for v in given))  # type: ignore[union-attr]
            self.made[:] = [made]
        return self.made[0]

    def act(self, y: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(..., d, n) e^{A t_i} y for y (..., d) and times (n,)."""
        steps = times / self.step
        whole = np.floor(steps)
        out = self.short(y, steps - whole)
        for k in range(math.frexp(float(whole.max(initial=0.0)))[1]):
            chosen = np.flatnonzero(whole % 2.0)
            if chosen.size:
                out[..., chosen] = self.square(k) @ out[..., chosen]
            whole = np.floor(whole / 2.0)
        return out


def is_metzler_stack(a: np.ndarray) -> bool:
    """True if no matrix of the stack (..., d, d) has a negative entry off its diagonal."""
    negative = a < 0.0
    return int(np.count_nonzero(negative)) == int(np.count_nonzero(np.diagonal(negative, axis1=-2, axis2=-1)))


def _is_zero_or_one(trace: np.ndarray | None) -> bool:
    return trace is not None and bool(np.all((trace == 1.0) | (trace == 0.0)))


def _shifted(a: np.ndarray, trace: np.ndarray | None, loss: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(A + q, q) with q twice the largest rate of leaving; for traced columns that rate is what goes elsewhere, exact for slow columns."""
    m = a.copy()
    diagonal = np.einsum("...ii->...i", m)
    out = -diagonal.copy()
    diagonal[...] = 0.0
    if trace is not None:
        out = np.where(trace == 1.0, trace @ m + (0.0 if loss is None else loss), out)
    q = 2.0 * np.maximum(out.max(axis=-1, initial=0.0), 1e-300)
    diagonal[...] = q[..., None] - out
    return m, np.asarray(q)


@dataclass(frozen=True, eq=False)
class Flow:
    """e^{At} of one dense generator (d, d), or of a stack (..., d, d) of Metzler ones, prepared once for any number of times and vectors.

    trace, steady: the row that A keeps and its steady state of unit trace, where there are such; they buy accuracy at long times.
    """

    a: np.ndarray
    trace: np.ndarray | None = None
    steady: np.ndarray | None = None
    stretch: float = 1.0

    def along(self, row: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(..., k, n) row e^{A t_i} y at all times (n,) >= 0, for row (..., k, d) and y (..., d)."""
        if times.size == 0:
            return np.zeros((*row.shape[:-1], 0))
        if self.steady is None or self.trace is None or self._is_metzler:
            return np.asarray(self._near.seen(row, y, times), dtype=float)
        weight = self.trace @ y
        if self._eigenvectors is not None:
            values, vectors, forward = self._eigenvectors
            share = forward((y - self.steady * weight).astype(complex))
            share[np.argmin(np.abs(values))] = 0.0  # the steady state itself, taken out before
            upper = values.imag >= 0.0  # of two conjugate terms one is enough
            share = share * np.where(values.imag > 0.0, 2.0, 1.0)
            moving = ((row @ vectors[:, upper]) * share[upper]) @ np.exp(values[upper, None] * times)
            return np.asarray(moving.real + (row @ self.steady * weight)[:, None])
        # Taking the steady state out costs digits where the result is far below it, and saves them at long times: each where it is better.
        near = times * float(np.abs(self.a).sum(axis=0).max()) <= NEAR
        out = np.empty((row.shape[0], times.size))
        if near.any():
            out[:, near] = row @ self._near.act(y, times[near])
        if not near.all():
            rest = y.astype(np.longdouble) - self.steady * weight.astype(np.longdouble)
            out[:, ~near] = row @ self._far.act(rest, times[~near]) + (row @ self.steady * weight)[:, None]
        return out

    @cached_property
    def _is_metzler(self) -> bool:
        return is_metzler_stack(self.a)

    @cached_property
    def _near(self) -> Exponential:
        return Exponential.of(self.a, self.trace, None, self.stretch)

    @cached_property
    def _far(self) -> Exponential:
        return Exponential.of(self.a, self.trace, self.steady, self.stretch)

    @cached_property
    def _eigenvectors(self) -> tuple[np.ndarray, np.ndarray, Solve] | None:
        """(values, vectors, solver) of a large system; None for a small one, or where the eigenvectors are too nearly dependent."""
        if self.a.shape[0] <= EXTENDED_LIMIT:
            return None
        values, vectors = np.linalg.eig(self.a)
        forward, backward = dense_solvers(vectors.astype(complex))
        condition = inverse_norm(forward, backward, self.a.shape[0]) * float(np.abs(vectors).sum(axis=0).max())
        return (values, vectors, forward) if condition <= WORST_EIGENVECTORS else None

    @property
    def method(self) -> str:
        """How it is calculated, in words."""
        if self._is_metzler:
            return "positive series and squaring, columns brought back to their sum"
        if self._eigenvectors is not None:
            return "eigenvectors, steady state apart"
        return f"squaring in {'extended' if self.a.shape[0] <= EXTENDED_LIMIT else 'double'} precision, steady state apart"


def carry(a: Matrix, gains: Sequence[Matrix], register: Register, time: float, x: np.ndarray, trace: np.ndarray, stretch: float = 1.0) -> np.ndarray:
    """(d, n, m) after a constant stretch of `time`, from x (d, n, m); gains: what each axis of the register counts, not part of a.

    trace: kept by a and gains together. By steps where rates times time are moderate or the system is large, else by squaring.
    """
    # Coherences often part company with populations: each part by itself is smaller, and populations alone are Metzler.
    parts = [] if is_metzler(a) else separate_parts(pattern([a, *gains]))
    if len(parts) <= 1:
        return _carry_together(a, gains, register, time, x, trace, stretch)
    after = np.zeros(x.shape)
    for part in parts:
        if x[part].any():
            after[part] = _carry_together(restrict(a, part), [restrict(g, part) for g in gains], register, time, x[part], trace[part], stretch)
    return after


def _carry_together(a: Matrix, gains: Sequence[Matrix], register: Register, time: float, x: np.ndarray, trace: np.ndarray, stretch: float) -> np.ndarray:
    """The same of one part."""
    if time == 0.0 or not (any(entries(m)[2].size for m in (a, *gains)) and x.any()):
        return x
    d, n, m = x.shape
    norm = (float(abs(a).sum(axis=0).max()) + sum(float(abs(g).sum(axis=0).max()) for g in gains)) * time
    is_positive = is_metzler(a)
    entries_all = sum(entries(g)[2].size for g in (a, *gains))
    by_squaring = 2e-10 * (m * d) ** 2 * d * (TERMS / m + math.log2(2 + norm)) * (20 if d <= EXTENDED_LIMIT and not is_positive else 1)
    by_steps = (norm / 5 + 1) * 30 * ((1e-9 if kernel.is_compiled() else 2e-9) * entries_all * n * m + (1e-7 if kernel.is_compiled() else 5e-5))
    if by_steps < by_squaring and (is_positive or d > EXTENDED_LIMIT or norm <= STEPPED):
        return drive_through(a, gains, [], np.array([time]), register, x, trace, stretch)
    return _squared(dense(a), [dense(g) for g in gains], register, time, x, trace, is_positive, stretch)


def _squared(
    a: np.ndarray, gains: Sequence[np.ndarray], register: Register, time: float, x: np.ndarray, trace: np.ndarray, is_positive: bool, stretch: float
) -> np.ndarray:
    """The same by scaling and squaring of what happens to an empty register: (m, d, d), one matrix for each state it may end in."""
    d, n, m = x.shape
    loss = sum((trace @ g for g in gains), np.zeros(d))
    kept = trace if is_positive and _is_zero_or_one(trace) else None
    shift = 0.0
    if is_positive:
        silent, q = _shifted(a, kept, loss)
        shift = float(q)
    else:
        silent = keeps_trace(a, trace, loss) if trace.any() else a.astype(np.longdouble)
        silent = silent if d <= EXTENDED_LIMIT else silent.astype(float)
    counted = [g.astype(silent.dtype) for g in gains]
    reach = float((np.abs(silent) + sum((np.abs(g) for g in counted), np.zeros((d, d)))).sum(axis=0).max())
    is_stepped = kernel.is_compiled() and silent.dtype == float
    doublings = max(0, math.ceil(math.log2(max(time * reach / (FIRST if is_stepped else 1.0), 1e-300)))) + (1 if stretch < 1.0 else 0)

    # What nothing leaves, such as a sum, stays as it is to the last digit: the shift would wear it down by round-off times the shift times the time.
    still = np.flatnonzero(sum((np.abs(g).sum(axis=0) for g in gains), np.abs(a).sum(axis=0)) == 0.0) if is_positive else np.zeros(0, dtype=int)
    at_first = register.start(np.eye(d)).transpose(2, 0, 1)[:, :, still]

    def settled(e: np.ndarray) -> np.ndarray:
        e[:, :, still] = at_first
        if kept is None:
            return e
        sums = np.einsum("m,i,mij->j", register.weight, kept, e)
        return e / np.where((kept == 1.0) & (sums > 0.0), sums, 1.0)

    if is_stepped:
        step = drive_through(a, gains, [], np.array([time / 2.0**doublings]), register, register.start(np.eye(d)), trace, stretch)
        total = np.ascontiguousarray(step.transpose(2, 0, 1))
    else:
        h = silent.dtype.type(time / 2.0**doublings)
        term = np.zeros((m, d, d), dtype=silent.dtype)
        term[0] = np.eye(d)
        total = term.copy()
        for k in range(1, TERMS + m + min(d, TERMS)):  # entries that start late, too
            new = silent @ term
            for g, advance in zip(counted, register.advance, strict=True):
                new += np.tensordot(advance.T, g @ term, axes=1)
            term = new * (h / k)
            total += term
        total = total * np.exp(-shift * h)
    total = settled(total)
    for _ in range(doublings):
        total = settled((_full(total, register) @ total.reshape(m * d, d)).reshape(m, d, d))
    return np.asarray((_full(total, register) @ x.transpose(2, 0, 1).reshape(m * d, n)).reshape(m, d, n).transpose(1, 2, 0), dtype=float)


def _full(e: np.ndarray, register: Register) -> np.ndarray:
    """(m d, m d) [to, from] of what a stretch does, from what it does to an empty register (m, d, d)."""
    m, d = e.shape[:2]
    return np.tensordot(register.products.astype(e.dtype), e, axes=(0, 0)).transpose(1, 2, 0, 3).reshape(m * d, m * d)
