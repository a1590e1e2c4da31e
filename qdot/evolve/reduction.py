"""Exact reduction: which entries of x a start can reach and a probe can see, read off the sparsity pattern alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

Matrix: TypeAlias = sp.csr_array


def pattern(matrices: Sequence[Matrix]) -> Matrix:
    """The union of the non-zero patterns, as a matrix of ones."""
    coos = [m.tocoo() for m in matrices]
    rows, columns = np.concatenate([c.row[c.data != 0] for c in coos]), np.concatenate([c.col[c.data != 0] for c in coos])
    total = sp.coo_array((np.ones(rows.size), (rows, columns)), shape=matrices[0].shape).tocsr()
    total.data[:] = 1.0
    return total


def reach(edges: Matrix, seeds: np.ndarray) -> np.ndarray:
    """(d,) bool: indices reached from the seeds (d,) bool along j -> i wherever edges[i, j] is non-zero."""
    if seeds.all():
        return seeds
    seen = seeds.copy()
    front = seen
    while front.any():
        front = ((edges @ front.astype(float)) > 0) & ~seen
        seen = seen | front
    return seen


def relevant(matrices: Sequence[Matrix], starts: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Indices, increasing, that are reached from the starts (d,) bool and seen by the probes (d,) bool; nothing else can matter."""
    edges = pattern(matrices)
    return np.flatnonzero(reach(edges, starts) & reach(edges.T.tocsr(), probes))


def restrict(matrix: Matrix, keep: np.ndarray) -> Matrix:
    """The block of a matrix on the kept indices."""
    return matrix if keep.size == matrix.shape[0] else sp.csr_array(matrix[keep][:, keep])


def is_metzler(matrix: Matrix) -> bool:
    """True if no entry off the diagonal is negative."""
    coo = matrix.tocoo()
    return bool(np.all(coo.data[coo.row != coo.col] >= 0.0))


def closed_classes(edges: Matrix) -> list[np.ndarray]:
    """Strongly connected sets of indices that no edge leaves (edges[i, j] non-zero is j -> i)."""
    d = edges.shape[0]
    count, label = connected_components(edges, directed=True, connection="strong")
    coo = edges.tocoo()
    live = (coo.data != 0) & (label[coo.row] != label[coo.col])
    is_left = np.zeros(count, dtype=bool)
    is_left[label[coo.col[live]]] = True
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1]) if d else []
    return [g for k, g in enumerate(groups) if not is_left[k]]


def separate_parts(edges: Matrix) -> list[np.ndarray]:
    """Sets of indices that no edge joins to each other, each increasing."""
    count, label = connected_components(edges, directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1]) if count else []
