"""Driven stretches: dx/dt = (A + sum_t e_t(t) M_t) x, while events advance a register, with each e_t a polynomial on every piece of time.

The solution's own Taylor series is summed until its terms fall below round-off. Pieces are bounded by the features of the envelopes, steps by the
norm of the generator (Metzler: there the diagonal is taken out, so that all is a sum of positive terms) or by what the terms turn out to be.
The steps are taken by a compiled kernel (taylor.c) where it was built, else by NumPy: the same steps and the same sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.evolve import kernel
from qdot.evolve.reduction import Matrix, entries, is_metzler
from qdot.evolve.register import Register

ORDER = 64
"""Highest order of the solution's series."""
POSITIVE_ORDER = 128
"""The same where all is a sum of positive terms: there rare entries, which begin at a high order, are summed to their own round-off."""
REACH = 10.0
"""Metzler: largest step times norm of the generator."""
FAR = 60.0
"""Others: the same; steps are shortened further where the terms grow by more than GROWTH before they fall."""
GROWTH = 30.0
BELOW_ROUNDOFF = 1e-18
"""Terms this much smaller than the sum, column by column, end the series."""
LEAST = 1e-12
"""Columns smaller than this, over the largest, count as that large: far below, all photons to come are still to come."""
RARE = 1e-200
"""Metzler: every entry's own terms fall below its round-off, down to entries this much smaller than the largest."""


class TooManySteps(ArithmeticError):
    """The rates times the length of a driven stretch ask for more than LIMIT steps."""

    LIMIT = 1_000_000


class Driven(NamedTuple):
    """One term e(t) M with the events it drives: matrix (d, d), gains (d, d) for each axis, polynomials (pieces, degree + 1) of e.

    A polynomial is in the fraction of its piece, lowest power first.
    """

    matrix: Matrix
    gains: tuple[Matrix, ...]
    polynomials: np.ndarray


def drive_through(
    a: Matrix, gains: Sequence[Matrix], terms: Sequence[Driven], lengths: np.ndarray, register: Register, x: np.ndarray, trace: np.ndarray, stretch: float = 1.0
) -> np.ndarray:
    """(d, n, m) after all pieces, lengths (pieces,), from x (d, n, m): n vectors, m states of the register.

    gains: what each axis of the register counts, not part of `a`. trace: kept by a and gains together. stretch <= 1 shortens all steps.
    Raises TooManySteps.
    """
    terms = [t for t in terms if t.polynomials.any()]
    axes = range(len(gains))
    matrices, gained = [a, *(t.matrix for t in terms)], [[g, *(t.gains[k] for t in terms)] for k, g in enumerate(gains)]
    is_positive = all(is_metzler(m) for m in matrices)
    decay = np.zeros(len(matrices))
    if is_positive:
        decay = np.array([max(0.0, -float(m.diagonal().min(initial=0.0))) for m in matrices])
    d = a.shape[0]
    compressed = [_side_by_side(matrices, decay), *(_side_by_side(g, None) for g in gained)]
    norms = np.array([_norm(m, q) + sum(_norm(gained[k][i], 0.0) for k in axes) for i, (m, q) in enumerate(zip(matrices, decay, strict=True))])
    polynomials = np.zeros((lengths.size, len(terms), max((t.polynomials.shape[1] for t in terms), default=1)))
    for i, t in enumerate(terms):
        polynomials[:, i, : t.polynomials.shape[1]] = t.polynomials
    kept = trace if is_positive and _keeps(matrices, gained, trace) else np.zeros(d)
    entrywise = is_positive and all(entries(m)[2].min(initial=0.0) >= 0.0 for g in gained for m in g)
    settings = np.array([(REACH if is_positive else FAR) * stretch, BELOW_ROUNDOFF, GROWTH * stretch, RARE if entrywise else LEAST])
    given = _System(compressed, settings, norms, decay, polynomials, np.ascontiguousarray(lengths, dtype=float), register, kept, is_positive, entrywise)
    taken = _compiled_steps(given, x) if kernel.library() is not None else None
    return _steps(given, x) if taken is None else taken


def part_of(lengths: np.ndarray, polynomials: Sequence[np.ndarray], begin: float, end: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """The pieces between two times, the first and the last cut: (lengths, polynomials) as in `Driven`."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    inside = np.flatnonzero((ends > begin) & (starts < end))
    low = np.maximum((begin - starts[inside]) / lengths[inside], 0.0)
    high = np.minimum((end - starts[inside]) / lengths[inside], 1.0)
    cut = np.flatnonzero((low > 0.0) | (high < 1.0))
    found = []
    for c in polynomials:
        degrees, part = np.arange(c.shape[1]), c[inside]
        exponent = degrees[None, :] - degrees[:, None]
        shift = np.where(exponent >= 0, _binomials(c.shape[1]) * low[cut, None, None] ** np.maximum(exponent, 0), 0.0)
        part[cut] = np.einsum("pkj,pj->pk", shift, part[cut]) * (high - low)[cut, None] ** degrees
        found.append(part)
    return lengths[inside] * (high - low), found


@cache
def _binomials(size: int) -> np.ndarray:
    """(size, size) of j over k at [k, j]."""
    return np.array([[math.comb(j, k) for j in range(size)] for k in range(size)], dtype=float)


class Compressed(NamedTuple):
    """A matrix by compressed rows, and its number of columns."""

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    width: int

    def matrix(self) -> sp.csr_array:
        """The same for SciPy."""
        return sp.csr_array((self.values, self.columns, self.starts), shape=(self.starts.size - 1, self.width))


class _System(NamedTuple):
    """Everything that the steps need: matrices side by side (first the silent ones, then one for each axis), settings (reach, negligible, growth, least)."""

    compressed: list[Compressed]
    settings: np.ndarray
    norms: np.ndarray
    decay: np.ndarray
    polynomials: np.ndarray
    lengths: np.ndarray
    register: Register
    kept: np.ndarray
    is_positive: bool
    entrywise: bool


def _side_by_side(matrices: Sequence[Matrix], shifts: np.ndarray | None) -> Compressed:
    """(d, k d) compressed rows of k matrices, each with a multiple of the identity added."""
    d = matrices[0].shape[0]
    if all(isinstance(m, np.ndarray) for m in matrices):
        beside = np.hstack(matrices)
        for i in range(len(matrices) if shifts is not None else 0):
            beside[np.arange(d), np.arange(d) + i * d] += shifts[i]  # type: ignore[index]
        found_rows, found_columns = np.nonzero(beside)
        starts = np.concatenate([[0], np.cumsum(np.bincount(found_rows, minlength=d))])
        return Compressed(starts, found_columns, beside[found_rows, found_columns], beside.shape[1])
    rows, columns, values = [], [], []
    for i, m in enumerate(matrices):
        r, c, v = entries(m)
        rows.append(r)
        columns.append(c + i * d)
        values.append(v)
        if shifts is not None and shifts[i] != 0.0:
            rows.append(np.arange(d))
            columns.append(np.arange(d) + i * d)
            values.append(np.full(d, shifts[i]))
    whole = sp.coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(d, len(matrices) * d)).tocsr()
    whole.sort_indices()
    return Compressed(whole.indptr, whole.indices, whole.data, whole.shape[1])


def _norm(m: Matrix, shift: float) -> float:
    """Largest column sum of |m + shift|, the shift being at least as large as any negative diagonal entry, or 0."""
    sums = np.asarray(abs(m).sum(axis=0)).ravel()
    if shift:
        diagonal = m.diagonal()
        sums = sums - np.abs(diagonal) + np.abs(diagonal + shift)
    return float(sums.max(initial=0.0))


def _keeps(matrices: Sequence[Matrix], gained: Sequence[Sequence[Matrix]], trace: np.ndarray) -> bool:
    """True if every constant and every driven part, events included, keeps the trace to round-off."""
    for i, m in enumerate(matrices):
        loss = trace @ m + sum((trace @ g[i] for g in gained), np.zeros(trace.size))
        if np.any(np.abs(loss) > 1e-13 * np.abs(m.diagonal()).max(initial=0.0)):
            return False
    return True


def _compiled_steps(given: _System, x: np.ndarray) -> np.ndarray:
    library = kernel.library()
    silent, *gains = given.compressed
    d, n, m = x.shape
    terms, c1 = given.polynomials.shape[1:]
    counts = np.array([g.values.size for g in gains], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]) if gains else counts
    order = POSITIVE_ORDER if given.is_positive else ORDER
    arrays = {
        "sizes": np.array(
            [d, n, m, terms, len(gains), given.lengths.size, c1, order, TooManySteps.LIMIT, 1 if given.entrywise else 2 * given.is_positive], dtype=np.int64
        ),
        "settings": given.settings,
        "start": silent.starts.astype(np.int32),
        "column": silent.columns.astype(np.int32),
        "value": np.ascontiguousarray(silent.values, dtype=float),
        "gain_start": np.concatenate([g.starts + o for g, o in zip(gains, offsets, strict=True)] or [np.zeros(1)]).astype(np.int32),
        "gain_column": np.concatenate([g.columns for g in gains] or [np.zeros(1)]).astype(np.int32),
        "gain_value": np.concatenate([g.values for g in gains] or [np.zeros(1)]).astype(float),
        "next": np.ascontiguousarray(given.register.advance, dtype=float),
        "lengths": given.lengths,
        "polynomials": np.ascontiguousarray(given.polynomials),
        "norms": given.norms,
        "decay": given.decay,
        "kept": np.ascontiguousarray(given.kept, dtype=float),
        "weight": np.ascontiguousarray(given.register.weight, dtype=float),
        "x": np.array(x, dtype=float, order="C"),
        "work": np.empty((order + 3 + terms + len(gains)) * x.size + 4 * n * m + terms * c1),
    }
    taken = library.taylor_through(*(v.ctypes.data for v in arrays.values()))  # type: ignore[union-attr]
    if taken == -1:
        raise TooManySteps
    return np.full(x.shape, np.nan) if taken < 0 else arrays["x"]


def _steps(given: _System, x: np.ndarray) -> np.ndarray:
    """The same in NumPy."""
    silent, *gains = (c.matrix() for c in given.compressed)
    d, n, m = x.shape
    w, c1 = n * m, given.polynomials.shape[2]
    reach, negligible, growth, least = given.settings
    order = POSITIVE_ORDER if given.is_positive else ORDER
    x = x.reshape(d, w).astype(float)
    shifts = [np.kron(np.eye(n), step) for step in given.register.advance]
    binomial = _binomials(c1)
    exponent = np.arange(c1)[None, :] - np.arange(c1)[:, None]
    series = np.empty((order + 1, d * w))
    wished, taken = math.inf, 0
    for length, polynomial in zip(given.lengths, given.polynomials, strict=True):
        norm = given.norms[0] + float(np.abs(polynomial).sum(axis=1) @ given.norms[1:])
        at = 0.0
        while at < 1.0:
            longest = min(reach / norm if norm > 0.0 else math.inf, wished)
            left = 1.0 - at
            count = math.ceil(left * length / longest * (1.0 - 1e-12)) if longest < math.inf else 1
            if count > TooManySteps.LIMIT - taken:
                raise TooManySteps
            h = left / count if count > 1 else left
            shift = binomial * np.where(exponent >= 0, float(at) ** np.maximum(exponent, 0), 0.0)
            e = (polynomial @ shift.T) * h ** np.arange(c1)
            size = np.abs(e) * given.norms[1:, None]
            live = np.flatnonzero((size > 1e-18 * size[:, :1].max(initial=0.0)).any(axis=0))
            deepest = int(live[-1]) if live.size else 0
            step = h * length
            series[0] = x.ravel()
            total = x.copy()
            largest = float(np.abs(x).max(initial=0.0))
            grown, used, is_small, is_done, living, settled = 0.0, 0, False, False, -1, 0
            while used < order and not is_done:
                k = used
                mixed = np.empty((1 + len(e), d * w))
                mixed[0] = series[k]
                back = min(k, deepest)
                np.dot(e[:, : back + 1], series[k::-1][: back + 1], out=mixed[1:])
                stacked = mixed.reshape(-1, w)
                term = silent @ stacked
                for g, advance in zip(gains, shifts, strict=True):
                    term += (g @ stacked) @ advance
                term *= step / (k + 1)
                series[k + 1] = term.ravel()
                total += term
                used = k + 1
                biggest = float(np.abs(term).max(initial=0.0))
                if not biggest < 1e300:
                    return np.full((d, n, m), np.nan)
                if largest > 0.0:
                    grown = max(grown, biggest / largest)
                if given.entrywise:  # every entry to its own round-off, once all have been reached
                    alive = int(np.count_nonzero(total > least * largest))
                    settled, living = (settled + 1 if alive == living else 0), alive
                    now = settled >= 6 and bool(np.all(np.abs(term) <= negligible * np.maximum(total, least * largest)))
                else:
                    of_term, of_total = np.abs(term).max(axis=0), np.abs(total).max(axis=0)
                    now = bool(np.all(of_term <= negligible * np.maximum(of_total, least * of_total.max())))
                is_done = now and is_small and k > 8
                is_small = now
            taken += 1
            if not is_done or (not given.is_positive and grown > growth):
                wished = 0.5 * step
                continue
            if given.is_positive:
                fall = given.decay[0] + float((e / np.arange(1, c1 + 1)).sum(axis=1) @ given.decay[1:])
                before, after = (np.einsum("i,ivq,q->v", given.kept, v.reshape(d, n, m), given.register.weight) for v in (x, total))
                known = (before > 0.0) & (after > 0.0)
                factor = np.where(known, before / np.where(known, after, 1.0), math.exp(-fall * step))
                x, wished = total * np.repeat(factor, m), math.inf
            else:
                x = total
                is_easy = used < 26 and grown < 0.1 * growth  # then a step cut short by its piece says nothing against long ones
                wished = max(wished, 1.5 * step) if is_easy else step * (0.75 if used > 40 or grown > 0.5 * growth else 1.0)
            at = at + h if count > 1 else 1.0
    return x.reshape(d, n, m)
