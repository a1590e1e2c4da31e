"""Exact reduction: which entries of x a start can reach and a probe can see, read off the sparsity pattern alone.

Matrices are dense arrays or scipy.sparse csr arrays; every function takes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

Matrix: TypeAlias = "np.ndarray | sp.csr_array"
DENSE_LIMIT = 96
"""Up to this dimension matrices are kept as dense arrays: there sparse bookkeeping costs more than the arithmetic."""


def entries(m: Matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, columns, values) of the entries that are not zero."""
    if isinstance(m, np.ndarray):
        rows, columns = np.nonzero(m)
        return rows, columns, m[rows, columns]
    rows = np.repeat(np.arange(m.shape[0]), np.diff(m.indptr)) if m.format == "csr" else m.tocoo().row
    columns, values = (m.indices, m.data) if m.format == "csr" else (m.tocoo().col, m.tocoo().data)
    live = values != 0
    return (rows, columns, values) if live.all() else (rows[live], columns[live], values[live])


def gathered(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, d: int) -> Matrix:
    """(d, d) matrix of entries, repeated ones added; dense up to DENSE_LIMIT."""
    if d <= DENSE_LIMIT:
        return np.bincount(rows * d + columns, values, minlength=d * d).astype(float).reshape(d, d)
    m = sp.coo_array((values, (rows, columns)), shape=(d, d)).tocsr()
    m.eliminate_zeros()
    return m


def placed(parts: Sequence[tuple[int, int, Matrix]], d: int) -> Matrix:
    """(d, d) matrix that holds others, each at its (first row, first column); they may overlap and add."""
    found = [(r + rows, c + columns, values) for r, c, m in parts for rows, columns, values in (entries(m),)]
    if not found:
        return nothing(d)
    rows, columns, values = (np.concatenate(f) for f in zip(*found, strict=True))
    return gathered(rows, columns, values, d)


def both_sides(m: Matrix) -> sp.csr_array:
    """(d^2, d^2) of X -> M X + X M^T, X in row-major order."""
    m, eye = sp.csr_array(m), sp.eye_array(m.shape[0], format="csr")
    return (sp.kron(m, eye) + sp.kron(eye, m)).tocsr()


def nothing(d: int) -> Matrix:
    """(d, d) zeros."""
    return np.zeros((d, d)) if d <= DENSE_LIMIT else sp.csr_array((d, d))


def is_zero(m: Matrix) -> bool:
    """True if no entry differs from zero."""
    return not m.any() if isinstance(m, np.ndarray) else m.count_nonzero() == 0


def pattern(matrices: Sequence[Matrix]) -> Matrix:
    """The union of the non-zero patterns, as a matrix of ones."""
    if all(isinstance(m, np.ndarray) for m in matrices):
        total = matrices[0] != 0
        for m in matrices[1:]:
            total |= m != 0
        return total.astype(float)
    found = [entries(m) for m in matrices]
    rows, columns = np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])
    union = sp.coo_array((np.ones(rows.size), (rows, columns)), shape=matrices[0].shape).tocsr()
    union.data[:] = 1.0
    return union


def reach(edges: Matrix, seeds: np.ndarray) -> np.ndarray:
    """(d,) bool: indices reached from the seeds (d,) bool along j -> i wherever edges[i, j] is non-zero."""
    seen = seeds.copy()
    front = seen
    while front.any() and not seen.all():
        front = ((edges @ front.astype(float)) > 0) & ~seen
        seen = seen | front
    return seen


def seen_by(matrix: Matrix, probes: np.ndarray) -> np.ndarray:
    """(d,) bool: indices that the probes (d,) bool see sooner or later."""
    back = pattern([matrix]).T
    return reach(back if isinstance(back, np.ndarray) else back.tocsr(), probes)


def relevant(matrices: Sequence[Matrix], starts: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Indices, increasing, that are reached from the starts (d,) bool and seen by the probes (d,) bool; nothing else can matter."""
    edges = pattern(matrices)
    return np.flatnonzero(reach(edges, starts) & seen_by(edges, probes))


def restrict(matrix: Matrix, keep: np.ndarray) -> Matrix:
    """The block of a matrix on the kept indices (increasing), dense where it is small."""
    if isinstance(matrix, np.ndarray):
        return matrix if keep.size == matrix.shape[0] else matrix[keep[:, None], keep]
    if keep.size == matrix.shape[0] and keep.size > DENSE_LIMIT:
        return matrix
    block = matrix if keep.size == matrix.shape[0] else sp.csr_array(matrix[keep][:, keep])
    return block.toarray() if keep.size <= DENSE_LIMIT else block


def dense(matrix: Matrix) -> np.ndarray:
    """The matrix as a dense array."""
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def is_metzler(matrix: Matrix) -> bool:
    """True if no entry off the diagonal is negative."""
    if isinstance(matrix, np.ndarray):
        negative = matrix < 0.0
        return int(np.count_nonzero(negative)) == int(np.count_nonzero(negative.diagonal()))
    coo = matrix.tocoo()
    return bool(np.all(coo.data[coo.row != coo.col] >= 0.0))


def _components(edges: Matrix, directed: bool) -> tuple[int, np.ndarray]:
    """(number, (d,) label) of the strongly connected sets of indices, or of those that no edge joins."""
    from scipy.sparse.csgraph import connected_components  # for larger systems only: not worth its time on import

    count, label = connected_components(sp.csr_array(edges), directed=directed, connection="strong")
    return int(count), label


def closed_classes(edges: Matrix) -> list[np.ndarray]:
    """Strongly connected sets of indices that no edge leaves (edges[i, j] non-zero is j -> i)."""
    d = edges.shape[0]
    if isinstance(edges, np.ndarray) and d <= DENSE_LIMIT:
        return _closed_classes_of_few(edges)
    count, label = _components(edges, directed=True)
    rows, columns, _ = entries(edges)
    is_left = np.zeros(count, dtype=bool)
    is_left[label[columns[label[rows] != label[columns]]]] = True
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1]) if d else []
    return [g for k, g in enumerate(groups) if not is_left[k]]


def _closed_classes_of_few(edges: np.ndarray) -> list[np.ndarray]:
    """The same by reachability: i is in a closed class if everything that it leads to leads back to it."""
    leads = (edges != 0) | np.eye(edges.shape[0], dtype=bool)  # leads[i, j]: j leads to i
    while True:
        further = leads.astype(float) @ leads > 0
        if np.array_equal(further, leads):
            break
        leads = further
    closed = ~(leads & ~leads.T).any(axis=0)
    found: list[np.ndarray] = []
    for j in np.flatnonzero(closed):
        members = np.flatnonzero(leads[:, j])
        if members[0] == j:
            found.append(members)
    return found


def separate_parts(edges: Matrix) -> list[np.ndarray]:
    """Sets of indices that no edge joins to each other, each increasing."""
    count, label = _components(edges, directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1]) if count else []
