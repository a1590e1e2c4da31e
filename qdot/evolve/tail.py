"""What happens from now to infinity under a constant generator, as rows acting on today's x: linear solves, no time grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from qdot.evolve.reduction import closed_classes, is_metzler, pattern, reach
from qdot.evolve.steady import DENSE_LIMIT, Solve, apply_extended, dense_solvers, inverse_norm, keeps_trace


class Endless(ArithmeticError):
    """The tail never ends: the part from which things can happen is never left."""


def tail_rows(
    a: sp.csr_array, gains: Sequence[sp.csr_array], trace: np.ndarray, degrees: Sequence[int], kept: bool, from_certainty: bool = False
) -> np.ndarray:
    """Rows r_k, shape (degrees + 1 along each axis, d), with r_k A + sum_a r_{k - e_a} B_a = 0 and r_0 the limit of trace e^{At}.

    gains: the B_a, one for each axis. kept=True: A keeps the trace, and r_k x is the k-th factorial moment over k!.
    kept=False: A + sum B_a keeps the trace, and r_k x is the probability that k more events happen; with from_certainty r_0 is the trace
    itself, and (on one axis) r_k x the probability that k or more happen.
    Raises Endless if the part from which gains can happen does not empty.
    """
    d = a.shape[0]
    rows = np.zeros((*(n + 1 for n in degrees), d))
    origin = (0,) * len(degrees)
    rows[origin] = trace
    sources = np.zeros(d, dtype=bool)
    for b in gains:
        sources |= np.asarray(abs(b).sum(axis=0)).ravel() > 0
    if not sources.any():
        return rows
    live = reach(pattern([a, *gains]).T.tocsr(), sources)
    loss = np.zeros(d) if kept else sum((trace @ b for b in gains), np.zeros(d))
    outside = np.where(live, 0.0, trace)
    solve, trapped = _solver(a, trace, loss, live, outside @ a)
    if trapped is not None and any(np.any(np.abs((trace @ b)[live] @ trapped) > 1e-9 * abs(b).max()) for b in gains):
        raise Endless
    if not kept and not from_certainty:
        rows[origin] = outside
        rows[origin][live] = solve((outside @ a)[live]) + (0.0 if trapped is None else trace[live] @ trapped)
    for k in itertools.product(*(range(n + 1) for n in degrees)):
        if k == origin:
            continue
        source = np.zeros(d)
        for axis, b in enumerate(gains):
            if k[axis]:
                source += rows[(*k[:axis], k[axis] - 1, *k[axis + 1 :])] @ b
        rows[k][live] = solve(source[live])
    return rows


def _solver(a: sp.csr_array, trace: np.ndarray, loss: np.ndarray, live: np.ndarray, outflow: np.ndarray) -> tuple[Solve, np.ndarray | None]:
    """(solve r (-A) = s on the live indices, projector on what is trapped there or None).

    loss, outflow: what leaves each column by events and to the other indices.
    """
    block = a[live][:, live].tocsr()
    if is_metzler(block) and np.all(trace[live] == 1.0):
        leak = (loss + outflow)[live]
        if any(not np.any(leak[c] > 0.0) for c in closed_classes(block)):
            raise Endless
        if block.shape[0] <= DENSE_LIMIT:
            return _positive_solver(block.toarray().T, leak), None
    exact = keeps_trace(a, trace, loss).tocsr()[live][:, live].tocoo()
    return _refined_solver(exact)


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


def _refined_solver(exact: sp.coo_array) -> tuple[Solve, np.ndarray | None]:
    """LU of a block given in extended precision, with residuals in extended precision; a trapped part is taken out first."""
    d = exact.shape[0]
    block = sp.csc_array((exact.data.astype(float), (exact.row, exact.col)), shape=exact.shape)
    if d <= DENSE_LIMIT:
        forward, backward = dense_solvers(block.toarray())
    else:
        try:
            factor = splu(block)
        except RuntimeError:
            raise Endless from None
        forward, backward = factor.solve, lambda r: factor.solve(r, trans="T")
    if not inverse_norm(forward, backward, d) * float(abs(block).sum(axis=0).max()) < 0.05 / np.finfo(float).eps:
        return _beside_the_trapped(block.toarray())
    transposed = exact.T.tocoo()

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
    if block.shape[0] > DENSE_LIMIT:
        raise Endless
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
