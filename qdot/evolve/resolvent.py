"""(A + i w)^{-1} at many w: one Schur form, then a triangular solve for each; and integrals of squares by Lyapunov equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl

from qdot.evolve.tail import Endless


@dataclass(frozen=True, eq=False)
class Resolvent:
    """A = Z T Z^dag of a real dense A (d, d), T upper triangular."""

    triangle: np.ndarray
    vectors: np.ndarray

    @staticmethod
    def of(a: np.ndarray) -> Resolvent:
        """Prepare A."""
        triangle, vectors = sl.schur(a, output="complex")
        return Resolvent(triangle, vectors)

    def rows(self, row: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(n, d) integral of row e^{(A + i w) t} dt from 0 to infinity, for a row (d,), complex, and w (n,)."""
        t, b = self.triangle, row @ self.vectors
        found = np.empty((w.size, b.size), dtype=complex)
        for k in range(b.size):
            found[:, k] = -(b[k] + found[:, :k] @ t[:k, k]) / (t[k, k] + 1j * w)
        return found @ self.vectors.conj().T

    def seen(self, row: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(n,) integral of row e^{(A + i w) t} y dt."""
        return self.rows(row, w) @ y


def gram_to_infinity(a: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(d, d) integral of e^{A^T t} Q e^{At} dt for a real A (d, d) and a Hermitian Q, refined with residuals in extended precision.

    Raises Endless if A does not decay.
    """
    if not a.size:
        return np.zeros(q.shape, dtype=q.dtype)
    if np.linalg.eigvals(a).real.max() >= 0.0:
        raise Endless
    exact = a.astype(np.longdouble)
    x = _lyapunov(a, q)
    for _ in range(2):
        x = x + _lyapunov(a, (q + (exact.T @ x + x @ exact)).astype(q.dtype))
    return 0.5 * (x + x.conj().T)


def _lyapunov(a: np.ndarray, q: np.ndarray) -> np.ndarray:
    """X with A^T X + X A = -Q; the real and the imaginary part apart, because SciPy solves a complex Q with a real A wrongly."""
    found = sl.solve_continuous_lyapunov(a.T, -q.real)
    return found + 1j * sl.solve_continuous_lyapunov(a.T, -q.imag) if np.iscomplexobj(q) else found
