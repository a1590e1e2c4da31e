"""Driven stretches: dx/dt = (A + sum_m e_m(t) M_m) x with each e_m known as a Taylor series on every step.

The solution's own Taylor series follows from a recursion (x_{k+1} = [A x_k + sum_m M_m sum_i e_{m,i} x_{k-i}] / (k + 1)), summed until its
terms fall below round-off. Steps are bounded by the features of the envelopes and by the norm of the generator, so none is stepped over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

ORDER = 40
"""Highest order of the series; terms fall below round-off well before."""
REACH = 2.0
"""Largest step times norm of the generator."""
DENSE_LIMIT = 120
"""Up to this dimension matrices are applied as dense arrays."""

Series = Callable[[float, float, int], np.ndarray]


class Driven(NamedTuple):
    """One term e(t) M: the matrix (d, d) and a function (t, h, order) -> (order+1,) real Taylor coefficients of e(t + s h) in s."""

    matrix: sp.csr_array
    series: Series


def drive_through(
    a: sp.csr_array, terms: Sequence[Driven], start: float, end: float, feature: float, y: np.ndarray, stretch: float = 1.0
) -> np.ndarray:
    """(d, n) solution at `end` from the columns of y (d, n) at `start`.

    feature: longest step on which every series converges to round-off; stretch <= 1 shortens all steps.
    """
    d = a.shape[0]
    norms = [float(abs(m).sum(axis=0).max()) if m.nnz else 0.0 for m in (a, *(t.matrix for t in terms))]
    side_by_side = sp.hstack([a, *(t.matrix for t in terms)], format="csr")
    applied = side_by_side.toarray() if d <= DENSE_LIMIT else side_by_side
    feature = min(feature, end - start) * stretch
    x = y.astype(float)
    t = start
    while t < end:
        step = min(feature, end - t)
        while True:
            at = [max(abs(term.series(t + f * step, step, 1)[0]) for f in (0.0, 0.5, 1.0)) for term in terms]
            norm = norms[0] + sum(e * n for e, n in zip(at, norms[1:], strict=True))
            if step * norm <= 2.0 * REACH * stretch:
                break
            step = REACH * stretch / norm
        if end - (t + step) < 1e-9 * step:
            step = end - t
        x = _taylor_step(applied, np.array([term.series(t, step, ORDER) for term in terms]), step, x)
        t = end if step == end - t else t + step
    return x


def _taylor_step(matrices: np.ndarray | sp.csr_array, series: np.ndarray, step: float, x: np.ndarray) -> np.ndarray:
    """One step with all matrices side by side, (d, (1 + terms) d), and their series, (terms, order + 1)."""
    terms = np.zeros((ORDER + 1, x.size))
    terms[0] = x.ravel()
    total = terms[0].copy()
    small = 0
    for k in range(ORDER):
        mixed = np.concatenate([terms[k][None], series[:, k::-1] @ terms[: k + 1]])
        terms[k + 1] = (matrices @ mixed.reshape(-1, x.shape[1])).ravel() * (step / (k + 1))
        total += terms[k + 1]
        # a sector of photon number n starts only at order n, so nothing may stop the series before its slowest entry settles
        small = small + 1 if np.all(np.abs(terms[k + 1]) <= 1e-17 * np.abs(total)) else 0
        if small == 3 or (k > 24 and np.abs(terms[k + 1]).max() <= 1e-20 * np.abs(total).max()):
            break
    return total.reshape(x.shape)
