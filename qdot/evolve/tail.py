"""What happens from now to infinity under a constant generator, as rows acting on today's x: linear solves, no time grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.evolve.reduction import Matrix, closed_classes, dense, entries, is_metzler, is_zero, pattern, restrict, seen_by
from qdot.evolve.steady import DENSE_LIMIT, Extended, Solve, apply_extended, dense_solvers, inverse_norm, keeps_trace, sparse_solvers


class Endless(ArithmeticError):
    """The tail never ends: the part from which things can happen is never left."""


class NoDerivative(ArithmeticError):
    """The derivative does not exist, or cannot be told from what is known."""


class Slope(NamedTuple):
    """How a system changes with one parameter: derivatives of its silent part and of each of its gains."""

    a: Matrix
    gains: tuple[Matrix, ...]


class TailRows(NamedTuple):
    """exactly, at_least: (degrees + 1 along each axis, d) rows whose product with x is the probability of k more events, or of k or more.

    slopes: (parameters, 2, degrees + 1 along each axis, d) derivatives of the two.
    """

    exactly: np.ndarray
    at_least: np.ndarray
    slopes: np.ndarray


class TailPowers(NamedTuple):
    """rows: (degrees + 1 along each axis, d) as in `tail_powers`; slopes: (parameters, degrees + 1 along each axis, d) their derivatives."""

    rows: np.ndarray
    slopes: np.ndarray


def tail_rows(a: Matrix, gains: Sequence[Matrix], trace: np.ndarray, degrees: Sequence[int], slopes: Sequence[Slope] = ()) -> TailRows:
    """How many events are still to come; a + sum of gains keeps the trace. `at_least` has its meaning on one axis only.

    Rows r_k with r_k A + sum_a r_{k - e_a} G_a = 0, r_0 the limit of trace e^{At}, or the trace itself for `at_least`; their derivatives solve
    the differentiated equations with the same factors. Raises Endless if the part from which events can happen does not empty, NoDerivative
    if part of it is trapped for ever.
    """
    d = a.shape[0]
    first = (0,) * len(degrees)
    exactly = np.zeros((*(n + 1 for n in degrees), d))
    exactly[first] = trace
    at_least = exactly.copy()
    turned = np.zeros((len(slopes), 2, *exactly.shape))
    live = _live(a, gains, slopes)
    if live is None:
        return TailRows(exactly, at_least, turned)
    loss = sum((trace @ g for g in gains), np.zeros(d))
    outside = np.where(live, 0.0, trace)
    solve, trapped = _solver(a, gains, trace, loss, live, outside @ a)
    if trapped is not None and slopes:
        raise NoDerivative
    exactly[first] = outside
    exactly[first][live] = solve((outside @ a)[live]) + (0.0 if trapped is None else trace[live] @ trapped)
    for q, s in enumerate(slopes):
        turned[(q, 0, *first)][live] = solve((exactly[first] @ s.a)[live])
    for which, rows in enumerate((exactly, at_least)):
        _climb(rows, turned[:, which], gains, live, solve, slopes)
    return TailRows(exactly, at_least, turned)


def tail_powers(a: Matrix, gains: Sequence[Matrix], trace: np.ndarray, degrees: Sequence[int]) -> np.ndarray:
    """(degrees + 1 along each axis, d) rows whose product with x is the factorial moment over k! of the events still to come.

    a + sum of gains keeps the trace, and r_k (A + sum G) + sum_a r_{k - e_a} G_a = 0 with r_0 the trace. Raises Endless as `tail_rows` does.
    """
    return tail_powers_and_slopes(a, gains, trace, degrees, ()).rows


def tail_powers_and_slopes(a: Matrix, gains: Sequence[Matrix], trace: np.ndarray, degrees: Sequence[int], slopes: Sequence[Slope]) -> TailPowers:
    """The same with derivatives. Raises Endless and NoDerivative as `tail_rows` does."""
    d = a.shape[0]
    rows = np.zeros((*(n + 1 for n in degrees), d))
    rows[(0,) * len(degrees)] = trace
    turned = np.zeros((len(slopes), *rows.shape))
    live = _live(a, gains, slopes)
    if live is None:
        return TailPowers(rows, turned)
    whole = sum(gains, a)
    outside = np.where(live, 0.0, trace)
    solve, trapped = _solver(whole, gains, trace, np.zeros(d), live, outside @ whole)
    if trapped is not None and slopes:
        raise NoDerivative
    _climb(rows, turned, gains, live, solve, [Slope(sum(s.gains, s.a), s.gains) for s in slopes])
    return TailPowers(rows, turned)


def to_infinity(a: Matrix, rows: np.ndarray) -> np.ndarray:
    """(k, d) integral of row e^{At} dt from 0 to infinity for rows (k, d). Raises Endless if part of what they see never decays."""
    live = seen_by(a, (rows != 0).any(axis=0))
    found = np.zeros(rows.shape)
    if not live.any():
        return found
    keep = np.flatnonzero(live)
    block = restrict(a, keep)
    solve, trapped = _refined_solver(block.astype(np.longdouble) if isinstance(block, np.ndarray) else block.astype(np.longdouble).tocoo())
    if trapped is not None:
        raise Endless
    found[:, keep] = [solve(row) for row in rows[:, keep]]
    return found


def _climb(rows: np.ndarray, turned: np.ndarray, gains: Sequence[Matrix], live: np.ndarray, solve: Solve, slopes: Sequence[Slope]) -> None:
    """Fill rows (degrees + 1, d) and their derivatives (parameters, degrees + 1, d) from those of no event upwards."""
    for k in itertools.product(*(range(n) for n in rows.shape[:-1])):
        if not any(k):
            continue
        before = [(axis, (*k[:axis], k[axis] - 1, *k[axis + 1 :])) for axis in range(len(gains)) if k[axis]]
        rows[k][live] = solve(sum(rows[i] @ gains[axis] for axis, i in before)[live])
        for s, of in zip(slopes, turned, strict=True):
            source = rows[k] @ s.a + sum(of[i] @ gains[axis] + rows[i] @ s.gains[axis] for axis, i in before)
            of[k][live] = solve(source[live])


def _live(a: Matrix, gains: Sequence[Matrix], slopes: Sequence[Slope] = ()) -> np.ndarray | None:
    """(d,) bool: from where an event can happen, now or as soon as a parameter moves; None if from nowhere."""
    sources = np.zeros(a.shape[0], dtype=bool)
    counted = [*gains, *(g for s in slopes for g in s.gains)]
    for g in counted:
        sources[entries(g)[1]] = True
    if not sources.any():
        return None
    return seen_by(pattern([a, *counted, *(s.a for s in slopes)]), sources)


def _solver(a: Matrix, gains: Sequence[Matrix], trace: np.ndarray, loss: np.ndarray, live: np.ndarray, outflow: np.ndarray) -> tuple[Solve, np.ndarray | None]:
    """(solve r (-A) = s on the live indices, projector on what is trapped there or None).

    loss, outflow: what leaves each column by events and to the other indices. Raises Endless, also where what is trapped goes on emitting.
    """
    block = a[live][:, live]
    if is_metzler(block) and np.all(trace[live] == 1.0):
        leak = (loss + outflow)[live]
        if any(not np.any(leak[c] > 0.0) for c in closed_classes(block)):
            raise Endless
        if block.shape[0] <= DENSE_LIMIT:
            return _positive_solver(dense(block).T, leak), None
    exact = keeps_trace(a, trace, loss)
    solve, trapped = _refined_solver(exact[live][:, live] if isinstance(exact, np.ndarray) else exact.tocsr()[live][:, live].tocoo())
    if trapped is not None and any(np.any(np.abs((trace @ g)[live] @ trapped) > 1e-9 * abs(g).max()) for g in gains if not is_zero(g)):
        raise Endless
    return solve, trapped


def _positive_solver(rates: np.ndarray, leak: np.ndarray) -> Solve:
    """Solve (leak_i + sum_j q_ij) r_i = s_i + sum_j q_ij r_j, q = rates off the diagonal (from i to j), without subtraction."""
    d = rates.shape[0]
    q, leak = rates.copy(), leak.copy()
    np.fill_diagonal(q, 0.0)
    out = np.zeros(d)
    for k in range(d - 1, -1, -1):
        out[k] = q[k, :k].sum() + leak[k]
        q[:k, k] /= out[k]
        leak[:k] += q[:k, k] * leak[k]
        q[:k, :k] += np.outer(q[:k, k], q[k, :k])
        np.fill_diagonal(q, 0.0)

    def solve(s: np.ndarray) -> np.ndarray:
        s = s.copy()
        for k in range(d - 1, 0, -1):
            s[:k] += q[:k, k] * s[k]
        r = np.zeros(d)
        for k in range(d):
            r[k] = (s[k] + q[k, :k] @ r[:k]) / out[k]
        return r

    return solve


def _refined_solver(exact: Extended) -> tuple[Solve, np.ndarray | None]:
    """LU of a block given in extended precision, with residuals in extended precision; a trapped part is taken out first."""
    d = exact.shape[0]
    if d <= DENSE_LIMIT:
        full = (exact if isinstance(exact, np.ndarray) else exact.toarray()).astype(float)
        forward, backward = dense_solvers(full)
        norm = float(np.abs(full).sum(axis=0).max())
    else:
        block = sp.csc_array(exact.astype(float))
        try:
            forward, backward = sparse_solvers(block)
        except RuntimeError:
            raise Endless from None
        norm = float(abs(block).sum(axis=0).max())
    if not inverse_norm(forward, backward, d) * norm < 0.05 / np.finfo(float).eps:
        if d > DENSE_LIMIT:
            raise Endless
        return _beside_the_trapped(full)
    transposed = exact.T if isinstance(exact, np.ndarray) else exact.T.tocoo()

    def solve(s: np.ndarray) -> np.ndarray:
        r = -backward(s).astype(np.longdouble)
        for _ in range(6):
            step = backward((-s - apply_extended(transposed, r)).astype(float))
            r = r + step
            if np.all(np.abs(step) <= 1e-18 * np.abs(r)):
                break
        return r.astype(float)

    return solve, None


def _beside_the_trapped(block: np.ndarray) -> tuple[Solve, np.ndarray]:
    """The same for a singular block: solve on what decays, and the projector on what stays for ever. Raises Endless if it is defective."""
    left, sizes, right = np.linalg.svd(block)
    stays = sizes <= 1e-13 * sizes[0]
    v, w = right[stays].T, left[:, stays]
    overlap = w.T @ v
    if not stays.any() or np.linalg.cond(overlap) > 1e6:
        raise Endless
    projector = v @ np.linalg.solve(overlap, w.T)
    inverse = np.linalg.inv(sizes[0] * projector - block)

    def solve(s: np.ndarray) -> np.ndarray:
        return s @ inverse @ (np.eye(len(block)) - projector)

    return solve, projector
