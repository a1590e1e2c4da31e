"""Steady states of dx/dt = A x and fixed points of x -> M x.

Metzler systems: elimination without subtraction (Grassmann, Taksar, Heyman, Oper. Res. 33, 1107 (1985)), accurate entry by entry.
Others: LU with residuals in extended precision, with the kept trace restored exactly in every column.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from qdot.evolve.reduction import closed_classes, is_metzler, pattern, restrict

Solve = Callable[[np.ndarray], np.ndarray]
DENSE_LIMIT = 800
"""Above this dimension linear systems are factorised as sparse."""


class NotUnique(ArithmeticError):
    """More than one steady state can be reached; `classes` holds index arrays where they are known."""

    def __init__(self, classes: list[np.ndarray]) -> None:
        super().__init__("more than one steady state")
        self.classes = classes


def steady_state(a: sp.csr_array, trace: np.ndarray) -> np.ndarray:
    """(d,) x with A x = 0 and trace x = 1. Every index must be reachable from the start and seen by the trace. Raises NotUnique."""
    c = _only_class(pattern([a]))
    x = np.zeros(a.shape[0])
    block = restrict(a, c)
    x[c] = subtraction_free(block.toarray()) if is_metzler(block) and np.all(trace[c] == 1.0) else _null_vector(block, trace[c])
    return x / (trace @ x)


def fixed_point(m: np.ndarray, trace: np.ndarray, edges: sp.csr_array) -> np.ndarray:
    """(d,) x with M x = x and trace x = 1 for a dense M (d, d) that keeps the trace. `edges`: pattern of all that M is made of."""
    c = _only_class(edges)
    x = np.zeros(m.shape[0])
    flow = m[np.ix_(c, c)] - np.eye(c.size)
    off = flow - np.diag(np.diag(flow))
    x[c] = subtraction_free(off) if np.all(off >= 0.0) and np.all(trace[c] == 1.0) else _null_vector(sp.csr_array(flow), trace[c])
    return x / (trace @ x)


def _only_class(edges: sp.csr_array) -> np.ndarray:
    """The one set of indices that is never left; outside it a steady state vanishes."""
    classes = closed_classes(edges)
    if len(classes) > 1:
        raise NotUnique(classes)
    return classes[0]


def subtraction_free(a: np.ndarray) -> np.ndarray:
    """(d,) x > 0 with A x = 0, sum 1, for an irreducible A (d, d) with non-negative entries off the diagonal, whose columns sum to zero.

    The diagonal is never read. Every entry of x is good to a few d round-offs, whatever the spread of the rates.
    """
    q = a.T.astype(float).copy()  # q[i, j]: rate from i to j
    d = q.shape[0]
    for k in range(d - 1, 0, -1):
        out = q[k, :k].sum()
        q[:k, k] /= out
        q[:k, :k] += np.outer(q[:k, k], q[k, :k])
    x = np.zeros(d)
    x[0] = 1.0
    for k in range(1, d):
        x[k] = x[:k] @ q[:k, k]
    return x / x.sum()


def keeps_trace(a: sp.csr_array, trace: np.ndarray, loss: np.ndarray | None = None) -> sp.coo_array:
    """A in extended precision with the diagonal of each traced column set so that trace A = -loss (default 0) exactly there.

    In double precision the diagonal of a stiff column is rounded by more than its slow rates; this restores them.
    """
    coo = a.tocoo()
    data = coo.data.astype(np.longdouble)
    traced = trace != 0
    diagonal = (coo.row == coo.col) & traced[coo.col]
    data[diagonal] = 0
    totals = np.zeros(a.shape[1], dtype=np.longdouble) if loss is None else loss.astype(np.longdouble)
    np.add.at(totals, coo.col, data * trace.astype(np.longdouble)[coo.row])
    fix = np.flatnonzero(traced)
    rows, columns = np.concatenate([coo.row[~diagonal], fix]), np.concatenate([coo.col[~diagonal], fix])
    return sp.coo_array((np.concatenate([data[~diagonal], -totals[fix] / trace[fix]]), (rows, columns)), shape=a.shape)


def apply_extended(a: sp.coo_array, x: np.ndarray) -> np.ndarray:
    """A x with every product and sum in extended precision."""
    y = np.zeros(a.shape[0], dtype=np.longdouble)
    np.add.at(y, a.row, a.data * x[a.col])
    return y


def _null_vector(a: sp.csr_array, trace: np.ndarray) -> np.ndarray:
    """Null vector of unit trace by a bordered LU, refined with residuals in extended precision."""
    d = a.shape[0]
    exact = keeps_trace(a, trace)
    rounded = sp.csr_array((exact.data.astype(float), (exact.row, exact.col)), shape=a.shape)
    scale = float(np.max(np.abs(a.data), initial=1.0))
    if d <= DENSE_LIMIT:
        border = np.where(trace != 0, scale / np.count_nonzero(trace), 0.0)
        m = rounded.toarray() + np.outer(border, trace)
        forward, backward = dense_solvers(m)
        norm = float(np.abs(m).sum(axis=0).max())
    else:
        border = np.zeros(d)
        border[np.flatnonzero(trace)[0]] = scale  # one dense row keeps the factors sparse
        bordered = (rounded + sp.csr_array(border[:, None]) @ sp.csr_array(trace[None, :])).tocsc()
        factor = splu(bordered)
        forward, backward = factor.solve, lambda r: factor.solve(r, trans="T")
        norm = float(abs(bordered).sum(axis=0).max())
    size = inverse_norm(forward, backward, d)
    if not np.isfinite(size) or size * norm > 0.05 / np.finfo(float).eps:
        raise NotUnique([])
    x = forward(border).astype(np.longdouble)
    t = trace.astype(np.longdouble)
    for _ in range(12):
        residual = -apply_extended(exact, x)  # without the border: its rounded trace would swamp small entries
        largest = int(np.argmax(np.abs(x) * (trace != 0)))  # and so would the rounded trace of the residual, were it not left to the largest entry
        residual[largest] -= (t @ residual) / t[largest]
        step = forward(residual.astype(float))
        x = x + step
        if np.all(np.abs(step) <= 1e-18 * np.abs(x)):
            break
    return (x / (t @ x)).astype(float)


def dense_solvers(m: np.ndarray) -> tuple[Solve, Solve]:
    """(solve m x = r, solve m^T x = r) from one LU factorisation. Singular matrices give solutions that are not finite."""
    lu, pivots, _ = sl.lapack.dgetrf(m)

    def forward(r: np.ndarray) -> np.ndarray:
        return sl.lapack.dgetrs(lu, pivots, r)[0]

    def backward(r: np.ndarray) -> np.ndarray:
        return sl.lapack.dgetrs(lu, pivots, r, trans=1)[0]

    return forward, backward


def inverse_norm(solve: Solve, solve_t: Solve, d: int) -> float:
    """Estimate of the 1-norm of an inverse from its action and its transpose's."""
    with np.errstate(all="ignore"):
        x = np.full(d, 1.0 / d)
        best = 0.0
        for _ in range(5):
            y = solve(x)
            size = float(np.abs(y).sum())
            if not np.isfinite(size):
                return np.inf
            best = max(best, size)
            z = solve_t(np.where(y >= 0, 1.0, -1.0))
            j = int(np.argmax(np.abs(z)))
            x = np.zeros(d)
            x[j] = 1.0
        return best
