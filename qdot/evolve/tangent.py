"""Derivatives: of entries with respect to a number they depend on, of steady states and of exponentials with respect to their entries.

Only entries are differenced, in high order and where they are smooth; everything that follows from them is differentiated exactly: a linear
solve with the factors of the original one, or the pair (E, E') of an exponential and its derivative carried along together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

import numpy as np
import scipy.sparse as sp

from qdot.evolve.exponential import EXTENDED_LIMIT, NEAR, TERMS, WORST_EIGENVECTORS
from qdot.evolve.reduction import DENSE_LIMIT as DENSE_ENTRIES
from qdot.evolve.reduction import Matrix, dense, entries, is_metzler
from qdot.evolve.steady import DENSE_LIMIT, Extended, Solve, apply_extended, dense_solvers, inverse_norm, keeps_trace, sparse_solvers
from qdot.evolve.tail import NoDerivative

EPS = float(np.finfo(float).eps)
STEP = 2.0**-7
"""First step of differences, relative to the parameter (to 1 where that is 0)."""
FINE = 1e-11
"""Differences of entries are taken with other steps until their error, over the largest entry of the same matrix, is below this."""
ENOUGH = 1e-9
"""Where no step reaches that, this is enough not to try differences on the other side."""
COARSE = 1e-6
"""Above this there is taken to be no derivative."""
DOUBLE = 1e4
"""Up to this product of norm and time the pair (E, E') of a positive system is squared in double precision."""
CLOSE = 1e-2
"""Eigenvalues whose difference times time is smaller are joined by a series, not by a difference quotient."""

Entries = Mapping[Hashable, Matrix]
"""Matrices and arrays by name: all that depends on a parameter."""


# ------------------------------------------------------------------------------------------------------------- entries


def derivative(evaluate: Callable[[float], Entries | None], at: float, products: Callable[[Hashable], bool]) -> dict[Hashable, Matrix]:
    """Derivatives at `at` of all entries that evaluate gives, central or one-sided; names with no entry that changes are left out.

    evaluate: entries at a value, None where there are none to compare. What is missing in one of them is zero there. products: names whose
    entries are products of what varies, so that changes within round-off are none; in sums they may be small beside something else.
    Raises NoDerivative where no differences of up to 8 steps settle.
    """
    known: dict[float, Entries | None] = {}

    def sample(value: float) -> Entries | None:
        if value not in known:
            known[value] = evaluate(value)
        return known[value]

    best: _Slopes | None = None
    h = first = STEP * (abs(at) if at != 0.0 else 1.0)
    for side in (0, 1, -1):
        h = max(h, first)
        for _ in range(5):
            found = _differences(sample, at, h, side)
            if found is None:
                break
            best = found if best is None else best.with_better(found)
            if best.error(products) <= FINE:
                return best.matrices()
            h = h * (16.0 if found.is_rounded() else 0.25)
        if best is not None and best.error(products) <= ENOUGH:
            return best.matrices()
    if best is None or best.error(lambda _: True) > COARSE:
        raise NoDerivative
    return best.matrices()


@dataclass(frozen=True, eq=False)
class _Slopes:
    """Derivatives by name: places (n,) in a flattened array of `shape`, values (n,), and their errors by truncation and by round-off (n,)."""

    shapes: dict[Hashable, tuple[int, ...]]
    places: dict[Hashable, np.ndarray]
    values: dict[Hashable, np.ndarray]
    cut: dict[Hashable, np.ndarray]
    rounded: dict[Hashable, np.ndarray]

    def error(self, products: Callable[[Hashable], bool]) -> float:
        """Largest error over the largest value of the same name; names with changes within round-off count unless they are products."""
        found = 0.0
        for k, v in self.values.items():
            size, error, least = float(np.abs(v).max()), float((self.cut[k] + self.rounded[k]).max()), float(self.rounded[k].max())
            if error > 0.0 and not (products(k) and max(size, error) <= 16.0 * least):
                found = max(found, error / max(size, 1e-300))
        return found

    def is_rounded(self) -> bool:
        """True if round-off, not truncation, limits the worst value."""

        def worst(errors: Mapping[Hashable, np.ndarray]) -> float:
            return max((float(errors[k].max()) / max(float(np.abs(v).max()), 1e-300) for k, v in self.values.items() if v.any()), default=0.0)

        return worst(self.rounded) > worst(self.cut)

    def with_better(self, other: _Slopes) -> _Slopes:
        """Of each value the one with the smaller error."""
        shapes, places, values, cut, rounded = ({**getattr(self, f)} for f in ("shapes", "places", "values", "cut", "rounded"))
        for k, shape in other.shapes.items():
            if k not in places or not np.array_equal(places[k], other.places[k]):
                if k in places and float((cut[k] + rounded[k]).max()) <= float((other.cut[k] + other.rounded[k]).max()):
                    continue
                shapes[k], places[k], values[k], cut[k], rounded[k] = shape, other.places[k], other.values[k], other.cut[k], other.rounded[k]
                continue
            mine = cut[k] + rounded[k] <= other.cut[k] + other.rounded[k]
            values[k] = np.where(mine, values[k], other.values[k])
            cut[k] = np.where(mine, cut[k], other.cut[k])
            rounded[k] = np.where(mine, rounded[k], other.rounded[k])
        return _Slopes(shapes, places, values, cut, rounded)

    def matrices(self) -> dict[Hashable, Matrix]:
        """The derivatives in the shapes of what was differentiated, without the names where nothing changes."""
        found: dict[Hashable, Matrix] = {}
        for k, v in self.values.items():
            kept = np.abs(v) > self.cut[k] + self.rounded[k]
            if not kept.any():
                continue
            shape, place = self.shapes[k], self.places[k][kept]
            if len(shape) == 2 and shape[0] == shape[1] > DENSE_ENTRIES:
                found[k] = sp.coo_array((v[kept], (place // shape[1], place % shape[1])), shape=shape).tocsr()
            else:
                flat = np.zeros(math.prod(shape))
                flat[place] = v[kept]
                found[k] = flat.reshape(shape)
        return found


def _differences(sample: Callable[[float], Entries | None], at: float, h: float, side: int) -> _Slopes | None:
    """Differences with steps h: 2 or 4 of them if more would change nothing, else 8. side: 0 central, 1 upwards, -1 downwards. None if one is missing."""
    found = None
    for steps in (2, 4, 8) if side or at else (4, 8):  # around 0 two would take any odd function for a straight line
        offsets = range(-steps // 2, steps // 2 + 1) if side == 0 else range(0, side * (steps + 1), side)
        farthest_first = sorted(offsets, key=lambda k: -abs(k))
        taken = {}
        for k in farthest_first:
            one = sample(at + k * h)
            if one is None:
                return None
            taken[k] = one
        found = _slopes_of([taken[k] for k in offsets], tuple(offsets), h)
        if all(np.all(found.cut[k] <= 4.0 * found.rounded[k]) for k in found.values):
            return found
    return found


def _slopes_of(samples: Sequence[Entries], offsets: tuple[int, ...], h: float) -> _Slopes:
    weights = _weights(offsets)
    inner = offsets[:2] if len(offsets) == 3 else offsets[1:-1] if 0 not in (offsets[0], offsets[-1]) else offsets[:-2]  # fewer tell how much is cut off
    fewer = np.zeros(len(offsets))
    fewer[[offsets.index(k) for k in inner]] = _weights(inner)
    shapes, places, values, cut, rounded = {}, {}, {}, {}, {}
    for name in dict.fromkeys(k for s in samples for k in s):
        given = [s.get(name) for s in samples]
        shape = next(g.shape for g in given if g is not None)
        place, stacked = _stacked(given, shape)
        if not place.size:
            continue
        size = np.abs(stacked).max(axis=0)
        shapes[name], places[name] = shape, place
        values[name] = weights @ stacked / h
        cut[name] = np.abs(values[name] - fewer @ stacked / h)
        rounded[name] = EPS * float(np.abs(weights).sum()) * size / h
        still = np.ptp(stacked, axis=0) == 0.0
        values[name][still] = cut[name][still] = rounded[name][still] = 0.0
    return _Slopes(shapes, places, values, cut, rounded)


def _stacked(given: Sequence[Matrix | None], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(places in the flattened array where any sample is not zero (n,), values (samples, n))."""
    if all(g is None or isinstance(g, np.ndarray) for g in given):
        flat = np.array([np.zeros(math.prod(shape)) if g is None else g.ravel() for g in given])
        place = np.flatnonzero(flat.any(axis=0))
        return place, flat[:, place]
    parts = [(np.zeros(0, dtype=np.int64), np.zeros(0)) if g is None else _flat(g) for g in given]
    place = np.unique(np.concatenate([p for p, _ in parts]))
    stacked = np.zeros((len(given), place.size))
    for row, (p, v) in zip(stacked, parts, strict=True):
        row[np.searchsorted(place, p)] = v
    return place, stacked


def _flat(m: Matrix) -> tuple[np.ndarray, np.ndarray]:
    rows, columns, values = entries(m)
    return rows.astype(np.int64) * m.shape[1] + columns, values


@cache
def _weights(offsets: tuple[int, ...]) -> np.ndarray:
    """(n,) weights of the values at offsets (in steps) whose sum is the derivative at 0, exact for polynomials of degree < n."""
    found = []
    for k in offsets:
        others = [j for j in offsets if j != k]
        total = Fraction(0)
        for left in others:  # derivative at 0 of the Lagrange polynomial of offset k
            product = Fraction(1, k - left)
            for j in others:
                if j != left:
                    product *= Fraction(-j, k - j)
            total += product
        found.append(float(total))
    return np.array(found)


# -------------------------------------------------------------------------------------------------------- steady states


def steady_slopes(a: Matrix, trace: np.ndarray, x: np.ndarray, sources: Sequence[np.ndarray]) -> np.ndarray:
    """(parameters, d) x' with A x' = -s for each source s = A' x (d,) and trace x' = 0, where A x = 0 and trace x = 1.

    Elimination without subtraction where A is Metzler, else a bordered LU; residuals in extended precision. Raises NoDerivative if x is not unique.
    """
    if not sources:
        return np.zeros((0, x.size))
    exact, t = keeps_trace(a, trace), trace.astype(np.longdouble)
    largest = int(np.argmax(np.abs(x) * (trace != 0)))
    solve = _eliminated(dense(a), largest) if a.shape[0] <= DENSE_LIMIT and is_metzler(a) and np.all(trace == 1.0) else _bordered(exact, trace)
    found = np.empty((len(sources), x.size))
    for row, s in zip(found, sources, strict=True):
        wanted = -s.astype(np.longdouble)
        wanted[largest] -= (t @ wanted) / t[largest]
        y = np.zeros(x.size, dtype=np.longdouble)
        for _ in range(8):
            residual = wanted - apply_extended(exact, y)
            residual[largest] -= (t @ residual) / t[largest]
            step = solve(residual.astype(float))
            if not np.all(np.isfinite(step)):
                raise NoDerivative
            y = y + step
            if np.all(np.abs(step) <= 1e-17 * np.abs(y)):
                break
        row[:] = y - x * (t @ y)
    return found


def _eliminated(a: np.ndarray, reference: int) -> Solve:
    """Solve A y = s for s that sums to zero, with y = 0 at the reference, for Metzler A whose columns sum to zero; the diagonal is never read."""
    rest = np.delete(np.arange(a.shape[0]), reference)
    q = a[np.ix_(rest, rest)].T.copy()  # q[i, j]: rate from i to j
    leak = a[reference, rest].copy()
    np.fill_diagonal(q, 0.0)
    d = rest.size
    out = np.zeros(d)
    for k in range(d - 1, -1, -1):
        out[k] = q[k, :k].sum() + leak[k]
        if out[k] <= 0.0:
            raise NoDerivative
        q[:k, k] /= out[k]
        leak[:k] += q[:k, k] * leak[k]
        q[:k, :k] += np.outer(q[:k, k], q[k, :k])
        np.fill_diagonal(q, 0.0)

    def solve(s: np.ndarray) -> np.ndarray:
        s = -s[rest]
        for k in range(d - 1, 0, -1):
            s[:k] += q[k, :k] * (s[k] / out[k])
        y = np.zeros(d)
        for k in range(d):
            y[k] = s[k] / out[k] + q[:k, k] @ y[:k]
        return np.insert(y, reference, 0.0)

    return solve


def _bordered(exact: Extended, trace: np.ndarray) -> Solve:
    """Solve A y = s with trace y = 0 for s of zero trace."""
    d = exact.shape[0]
    scale = max(1.0, float(abs(exact).max()))
    if d <= DENSE_LIMIT:
        border = np.where(trace != 0, scale / np.count_nonzero(trace), 0.0)
        m = (exact if isinstance(exact, np.ndarray) else exact.toarray()).astype(float) + np.outer(border, trace)
        forward, backward = dense_solvers(m)
        norm = float(np.abs(m).sum(axis=0).max())
    else:
        border = np.zeros(d)
        border[np.flatnonzero(trace)[0]] = scale  # one dense row keeps the factors sparse
        bordered = (sp.csr_array(exact.astype(float)) + sp.csr_array(border[:, None]) @ sp.csr_array(trace[None, :])).tocsc()
        try:
            forward, backward = sparse_solvers(bordered)
        except RuntimeError:
            raise NoDerivative from None
        norm = float(abs(bordered).sum(axis=0).max())
    if not inverse_norm(forward, backward, d) * norm < 0.05 / EPS:
        raise NoDerivative
    return forward


# ---------------------------------------------------------------------------------------------------------- exponentials


@dataclass(frozen=True, eq=False)
class TangentFlow:
    """e^{At} and its derivatives along matrices A'_1 .. A'_p (p, d, d), prepared once for any number of times and vectors.

    steady, slopes: null vector of A of unit trace (d,) and its derivatives (p, d); they are taken out, so that long times keep their digits.
    """

    a: np.ndarray
    moved: np.ndarray
    trace: np.ndarray
    steady: np.ndarray
    slopes: np.ndarray

    def along(self, row: np.ndarray, rows: np.ndarray, y: np.ndarray, ys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) row e^{A t_i} y and its derivatives (p, n) at times (n,) >= 0; row, y (d,) have the derivatives rows, ys (p, d)."""
        weight, weights = self.trace @ y, ys @ self.trace
        value, found = np.empty(times.size), np.empty((len(rows), times.size))
        near = times * float(np.abs(self.a).sum(axis=0).max()) <= NEAR
        if near.any():
            state, states = self._near.act(y, ys, times[near])
            value[near], found[:, near] = row @ state, row @ states + rows @ state
        if not near.all():
            far = np.flatnonzero(~near)
            rest = y.astype(np.longdouble) - self.steady * weight
            rests = ys.astype(np.longdouble) - self.slopes * weight - np.outer(weights, self.steady)
            if self.a.shape[0] > EXTENDED_LIMIT and self._eigen is not None:
                value[far], found[:, far] = self._eigen.along(row, rows, rest.astype(float), rests.astype(float), times[far])
            else:
                is_exact = not self._is_positive or float(np.abs(self.a).sum(axis=0).max() * times.max()) > DOUBLE
                state, states = (self._far_extended if is_exact else self._far).act(rest, rests, times[far])
                value[far], found[:, far] = row @ state, row @ states + rows @ state
            value[far] += row @ self.steady * weight
            found[:, far] += (rows @ self.steady * weight + self.slopes @ row * weight + row @ self.steady * weights)[:, None]
        return value, found

    @cached_property
    def _is_positive(self) -> bool:
        return is_metzler(self.a)

    @cached_property
    def _near(self) -> _Pair:
        return _Pair.of(self._exact(self.a), np.array([self._exact(m) for m in self.moved]).reshape(self.moved.shape), float)

    @cached_property
    def _far(self) -> _Pair:
        return self._apart(float)

    @cached_property
    def _far_extended(self) -> _Pair:
        return self._apart(np.longdouble if self.a.shape[0] <= EXTENDED_LIMIT else float)

    def _exact(self, m: np.ndarray) -> np.ndarray:
        return np.asarray(keeps_trace(m, self.trace))

    def _apart(self, dtype: type) -> _Pair:
        """With the steady state taken out: whatever it is, what has no trace moves as before, and so do its derivatives."""
        scale = np.abs(np.diag(self.a)).max()
        a = self._exact(self.a) - scale * np.outer(self.steady, self.trace)
        return _Pair.of(a, np.array([self._exact(m) for m in self.moved]).reshape(self.moved.shape), dtype)

    @cached_property
    def _eigen(self) -> _Eigen | None:
        """None where the eigenvectors are too nearly dependent."""
        values, vectors = np.linalg.eig(self.a)
        vectors = vectors.astype(complex)
        forward, backward = dense_solvers(vectors)
        condition = inverse_norm(forward, backward, self.a.shape[0]) * float(np.abs(vectors).sum(axis=0).max())
        if not condition <= WORST_EIGENVECTORS:
            return None
        steady = int(np.argmin(np.abs(values)))
        between = np.array([forward(m @ vectors) for m in self.moved]).reshape(self.moved.shape)
        between[:, steady, :] = 0.0  # the trace of A' vanishes, and the steady state is taken out
        between[:, :, steady] = 0.0
        return _Eigen(values.astype(complex), vectors, forward, between, steady)


@dataclass(frozen=True, eq=False)
class _Eigen:
    """Eigenvalues, eigenvectors, solver for them, and the A' between them (p, d, d); the steady one is left out."""

    values: np.ndarray
    vectors: np.ndarray
    forward: Solve
    between: np.ndarray
    steady: int

    def along(self, row: np.ndarray, rows: np.ndarray, y: np.ndarray, ys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in TangentFlow, for y and ys of zero trace."""
        share, shares = self.forward(y.astype(complex)), np.array([self.forward(v.astype(complex)) for v in ys]).reshape(ys.shape)
        share[self.steady], shares[:, self.steady] = 0.0, 0.0
        seen, seens = row @ self.vectors, rows @ self.vectors
        growth = np.exp(self.values[:, None] * times)
        value = ((seen * share) @ growth).real
        found = ((seens * share + seen * shares) @ growth).real
        weights = (seen[:, None] * self.between * share).reshape(len(rows), -1)
        difference = self.values[:, None] - self.values
        for k, t in enumerate(times):
            z = difference * t
            small = np.abs(z) < CLOSE
            quotient = (growth[:, k, None] - growth[:, k]) / np.where(small, 1.0, difference)
            w = z[small] / 2
            middle = np.exp(np.add.outer(self.values, self.values)[small] * t / 2)
            quotient[small] = t * middle * (1 + w * w / 6 * (1 + w * w / 20))
            found[:, k] += (weights @ quotient.ravel()).real
        return value, found


@dataclass(frozen=True, eq=False)
class _Pair:
    """e^{A h 2^k} (d, d) and its derivatives (p, d, d) for k = 0, 1, ..., made on demand by squaring: (E E)' = E' E + E E'."""

    a: np.ndarray
    moved: np.ndarray
    step: float
    squares: list[tuple[np.ndarray, np.ndarray]]

    @staticmethod
    def of(a: np.ndarray, moved: np.ndarray, dtype: type) -> _Pair:
        """Prepare the pair; the elementary step is a power of two."""
        reach = float(np.abs(a).sum(axis=0).max(initial=0.0))
        step = 2.0 ** min(math.floor(-math.log2(max(reach, 1e-300))), 900)
        return _Pair(a.astype(dtype), moved.astype(dtype), step, [])

    def square(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """e^{A h 2^k} and its derivatives."""
        if not self.squares:
            self.squares.append(self._series(np.eye(len(self.a), dtype=self.a.dtype), np.zeros_like(self.moved), 1.0))
        while len(self.squares) <= k:
            e, slopes = self.squares[-1]
            self.squares.append((e @ e, slopes @ e + e @ slopes))
        return self.squares[k]

    def _series(self, y: np.ndarray, ys: np.ndarray, fraction: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """After a fraction (n,) of the elementary step, from y (d, n) and its derivatives (p, d, n)."""
        total, totals = y.copy(), ys.copy()
        for k in range(1, TERMS):
            by = fraction * self.step / k
            y, ys = (self.a @ y) * by, (self.a @ ys + self.moved @ y) * by
            total, totals = total + y, totals + ys
        return total, totals

    def act(self, y: np.ndarray, ys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(d, n) e^{A t_i} y and its derivatives (p, d, n), from y (d,) and its derivatives ys (p, d)."""
        steps = times / self.step
        whole = np.floor(steps)
        start = np.repeat(y[:, None], times.size, axis=1).astype(self.a.dtype)
        out, outs = self._series(start, np.repeat(ys[..., None], times.size, axis=2).astype(self.a.dtype), (steps - whole).astype(self.a.dtype))
        for k in range(math.frexp(float(whole.max(initial=0.0)))[1]):
            chosen = np.flatnonzero(whole % 2.0)
            if chosen.size:
                e, slopes = self.square(k)
                mine = out[:, chosen]
                outs[:, :, chosen] = e @ outs[:, :, chosen] + slopes @ mine
                out[:, chosen] = e @ mine
            whole = np.floor(whole / 2.0)
        return out, outs
