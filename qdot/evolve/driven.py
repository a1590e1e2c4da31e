"""Driven stretches: dx/dt = (A + sum_m e_m(t) M_m) x with each e_m known as a Taylor series on every step.

The solution's own Taylor series follows from a recursion (x_{k+1} = [A x_k + sum_m M_m sum_i e_{m,i} x_{k-i}] / (k + 1)), summed until its
terms fall below round-off. Steps are bounded by the features of the envelopes and by the norm of the generator, so none is stepped over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

ORDER = 48
"""Highest order of the series; terms fall below round-off before."""
REACH = 4.0
"""Largest step times norm of the generator."""
NEGLIGIBLE = 1e-24
"""Terms this much smaller than the sum end the series: far below round-off, because high photon numbers are small entries of one vector."""
DENSE_LIMIT = 120
"""Up to this dimension matrices are applied as dense arrays."""


class TooManySteps(ArithmeticError):
    """The rates times the length of a driven stretch ask for more than LIMIT steps."""

    LIMIT = 100_000


Series = Callable[[float, float, int], np.ndarray]


class Driven(NamedTuple):
    """One term e(t) M: the matrix (d, d) and a function (t, h, order) -> (order+1,) real Taylor coefficients of e(t + s h) in s."""

    matrix: sp.csr_array
    series: Series


def drive_through(a: sp.csr_array, terms: Sequence[Driven], start: float, end: float, feature: float, y: np.ndarray, stretch: float = 1.0) -> np.ndarray:
    """(d, n) solution at `end` from the columns of y (d, n) at `start`.

    feature: longest step on which every series converges to round-off; stretch <= 1 shortens all steps. Raises TooManySteps.
    """
    d = a.shape[0]
    norms = np.array([float(abs(m).sum(axis=0).max()) if m.nnz else 0.0 for m in (a, *(t.matrix for t in terms))])
    side_by_side = sp.hstack([a, *(t.matrix for t in terms)], format="csr")
    applied = side_by_side.toarray() if d <= DENSE_LIMIT else side_by_side
    feature = min(feature, end - start) * stretch
    x = y.astype(float)
    t = start
    for _ in range(TooManySteps.LIMIT if norms[0] * (end - start) < REACH * TooManySteps.LIMIT else 0):
        if t >= end:
            return x
        step = min(feature, end - t)
        series = np.array([term.series(t, step, ORDER) for term in terms])
        while True:
            norm = norms[0] + float(np.abs(series).sum(axis=1) @ norms[1:])
            shorter = min(1.0, REACH * stretch / max(step * norm, 1e-300))
            if shorter > 0.9:
                break
            shorter = max(shorter, 0.25)
            step *= shorter
            series = series * shorter ** np.arange(ORDER + 1)
        if end - t > step * TooManySteps.LIMIT:
            break
        x = _taylor_step(applied, series, step, x)
        t = end if end - (t + step) < 1e-9 * step else t + step
    raise TooManySteps


def _taylor_step(matrices: np.ndarray | sp.csr_array, series: np.ndarray, step: float, x: np.ndarray) -> np.ndarray:
    """One step with all matrices side by side, (d, (1 + terms) d), and their series, (terms, order + 1)."""
    terms = np.empty((ORDER + 1, x.size))
    terms[0] = x.ravel()
    total = terms[0].copy()
    for k in range(ORDER):
        mixed = np.empty((1 + len(series), x.size))
        mixed[0] = terms[k]
        np.dot(series[:, k::-1], terms[: k + 1], out=mixed[1:])
        terms[k + 1] = (matrices @ mixed.reshape(-1, x.shape[1])).ravel()
        terms[k + 1] *= step / (k + 1)
        total += terms[k + 1]
        if k > 12 and k % 2 and np.abs(terms[k : k + 2]).max() <= NEGLIGIBLE * np.abs(total).max():
            break
    return total.reshape(x.shape)
