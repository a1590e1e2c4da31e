"""Steady states of dx/dt = A x and fixed points of x -> M x.

Metzler systems: elimination without subtraction (Grassmann, Taksar, Heyman, Oper. Res. 33, 1107 (1985)), accurate entry by entry.
Others: LU with residuals in extended precision, with the kept trace restored exactly in every column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp

from qdot.evolve.reduction import Matrix, closed_classes, dense, entries, is_metzler, pattern, restrict

Solve = Callable[[np.ndarray], np.ndarray]
DENSE_LIMIT = 800
"""Above this dimension linear systems are factorised as sparse."""


class NotUnique(ArithmeticError):
    """More than one steady state can be reached; `classes` holds index arrays where they are known."""

    def __init__(self, classes: list[np.ndarray]) -> None:
        super().__init__("more than one steady state")
        self.classes = classes


def steady_state(a: Matrix, trace: np.ndarray, edges: Matrix | None = None) -> np.ndarray:
    """(..., d) x with A x = 0 and trace x = 1, for A (d, d) or a stack (..., d, d) of one Metzler pattern.

    edges: pattern of all that A is a sum of, where parts of it may cancel. Every index must be reachable from the start and seen by the trace along
    its edges. Raises NotUnique.
    """
    if edges is None:
        edges = pattern([a if a.ndim == 2 else (a != 0).any(axis=tuple(range(a.ndim - 2))).astype(float)])
    c = _only_class(edges)
    if a.ndim > 2 or (is_metzler(a) and np.all(trace[c] == 1.0)):
        block = dense(a) if a.ndim == 2 else np.asarray(a)
        found = subtraction_free(block[..., c[:, None], c])
    else:
        found = _null_vector(restrict(a, c), trace[c])
    x = np.zeros(found.shape[:-1] + trace.shape)
    x[..., c] = found
    return np.asarray(x / (x @ trace)[..., None])


def fixed_point(m: np.ndarray, trace: np.ndarray, edges: Matrix) -> np.ndarray:
    """(d,) x with M x = x and trace x = 1 for a dense M (d, d) that keeps the trace. `edges`: pattern of all that M is made of."""
    c = _only_class(edges)
    x = np.zeros(m.shape[0])
    flow = m[np.ix_(c, c)] - np.eye(c.size)
    off = flow - np.diag(np.diag(flow))
    x[c] = subtraction_free(off) if np.all(off >= 0.0) and np.all(trace[c] == 1.0) else _null_vector(flow, trace[c])
    return x / (trace @ x)


def _only_class(edges: Matrix) -> np.ndarray:
    """The one set of indices that is never left; outside it a steady state vanishes."""
    classes = closed_classes(edges)
    if len(classes) > 1:
        raise NotUnique(classes)
    return classes[0]


def subtraction_free(a: np.ndarray) -> np.ndarray:
    """(..., d) x > 0 with A x = 0, sum 1, for irreducible A (..., d, d) with non-negative entries off the diagonal, whose columns sum to zero.

    The diagonal is never read. Every entry of x is good to a few d round-offs, whatever the spread of the rates.
    """
    q = np.swapaxes(a, -1, -2).astype(float)  # q[i, j]: rate from i to j
    d = q.shape[-1]
    for k in range(d - 1, 0, -1):
        q[..., :k, k] /= q[..., k, :k].sum(axis=-1)[..., None]
        q[..., :k, :k] += q[..., :k, k, None] * q[..., k, None, :k]
    x = np.zeros(q.shape[:-1])
    x[..., 0] = 1.0
    for k in range(1, d):
        x[..., k] = (x[..., :k] * q[..., :k, k]).sum(axis=-1)
    return x / x.sum(axis=-1, keepdims=True)


Extended: TypeAlias = "np.ndarray | sp.coo_array"
"""A matrix in extended precision, dense or as entries."""


def keeps_trace(a: Matrix, trace: np.ndarray, loss: np.ndarray | None = None) -> Extended:
    """A in extended precision with the diagonal of each traced column set so that trace A = -loss (default 0) exactly there.

    In double precision the diagonal of a stiff column is rounded by more than its slow rates; this restores them.
    """
    traced = trace != 0
    t = trace.astype(np.longdouble)
    totals = np.zeros(a.shape[1], dtype=np.longdouble) if loss is None else loss.astype(np.longdouble)
    if isinstance(a, np.ndarray):
        m = a.astype(np.longdouble)
        k = np.flatnonzero(traced)
        m[k, k] = 0
        m[k, k] = -(totals + t @ m)[k] / t[k]
        return m
    rows, columns, values = entries(a)
    data = values.astype(np.longdouble)
    diagonal = (rows == columns) & traced[columns]
    data[diagonal] = 0
    np.add.at(totals, columns, data * t[rows])
    fix = np.flatnonzero(traced)
    rows, columns = np.concatenate([rows[~diagonal], fix]), np.concatenate([columns[~diagonal], fix])
    return sp.coo_array((np.concatenate([data[~diagonal], -totals[fix] / t[fix]]), (rows, columns)), shape=a.shape)


def apply_extended(a: Extended, x: np.ndarray) -> np.ndarray:
    """A x with every product and sum in extended precision."""
    if isinstance(a, np.ndarray):
        return np.asarray(a @ x)
    y = np.zeros(a.shape[0], dtype=np.longdouble)
    np.add.at(y, a.row, a.data * x[a.col])
    return y


def _null_vector(a: Matrix, trace: np.ndarray) -> np.ndarray:
    """Null vector of unit trace by a bordered LU, refined with residuals in extended precision."""
    d = a.shape[0]
    exact = keeps_trace(a, trace)
    scale = max(1.0, float(abs(a).max()))
    if d <= DENSE_LIMIT:
        border = np.where(trace != 0, scale / np.count_nonzero(trace), 0.0)
        m = (exact.astype(float) if isinstance(exact, np.ndarray) else exact.toarray().astype(float)) + np.outer(border, trace)
        forward, backward = dense_solvers(m)
        norm = float(np.abs(m).sum(axis=0).max())
    else:
        rounded = sp.csr_array(exact.astype(float))
        border = np.zeros(d)
        border[np.flatnonzero(trace)[0]] = scale  # one dense row keeps the factors sparse
        bordered = (rounded + sp.csr_array(border[:, None]) @ sp.csr_array(trace[None, :])).tocsc()
        forward, backward = sparse_solvers(bordered)
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
    factorise, solve = sl.get_lapack_funcs(("getrf", "getrs"), (m,))
    lu, pivots, _ = factorise(m)

    def forward(r: np.ndarray) -> np.ndarray:
        return solve(lu, pivots, r)[0]

    def backward(r: np.ndarray) -> np.ndarray:
        return solve(lu, pivots, r, trans=1)[0]

    return forward, backward


def sparse_solvers(m: sp.csc_array) -> tuple[Solve, Solve]:
    """The same of a sparse matrix. Raises RuntimeError if it is exactly singular."""
    from scipy.sparse.linalg import splu  # for larger systems only: not worth its time on import

    factor = splu(m)
    return factor.solve, lambda r: factor.solve(r, trans="T")


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
            z = solve_t(np.where(y.real >= 0, 1.0, -1.0))
            j = int(np.argmax(np.abs(z)))
            x = np.zeros(d)
            x[j] = 1.0
        return best
