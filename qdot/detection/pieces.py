"""A curve of delay as polynomials on pieces: made once to near round-off from as few values as it takes, then averaged over any kernel.

Pieces begin at the points where the curve may have a cusp or a jump and grow away from them by factors of two, so that nine decades of delay take
some thirty pieces; those that a polynomial does not describe are halved. No grid of even steps, hence nothing that a narrow peak could fall between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from qdot.errors import bad

Curve = Callable[[np.ndarray], np.ndarray]
"""(n,) delays -> (n,) values, or (B, n) of a stack of B curves."""
NODES = 16
"""Values per piece; the polynomials are of degree 15."""
TAIL = 3
"""This many last coefficients must be small."""
CLOSE = 1e-12
"""Small: relative to the largest value on the piece,"""
FLOOR = 1e-14
"""or relative to the largest value of all, below which the curve itself is not better known."""
NOISE = 1e-10
"""Relative to the largest value of all: what does not get smaller by halving a piece, and is below this, is noise of the curve."""
MOST = 200_000
"""Largest number of pieces."""
DEEPEST = 60
"""How often a piece may be halved."""
AT_ONCE = 1 << 19
"""Quadrature points that are handled in one go."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """edges: (p + 1,) rising; coefficients: (NODES, B, p) of Chebyshev polynomials on each piece; breaks: edges where the curve is not smooth.

    error: largest absolute error of the polynomials, from their last coefficients.
    """

    edges: np.ndarray
    coefficients: np.ndarray
    breaks: np.ndarray
    error: float

    def on(self, piece: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(B, r, m) values at m points x (r, m) of each of the pieces (r,), by Clenshaw's recursion."""
        low, high = self.edges[piece, None], self.edges[piece + 1, None]
        t = (2.0 * x - low - high) / (high - low)
        twice = 2.0 * t
        c = self.coefficients[:, :, piece, None]
        now = np.broadcast_to(c[-1], (c.shape[1], *x.shape))
        before: np.ndarray | float = 0.0
        for k in range(NODES - 2, 0, -1):
            now, before = c[k] + twice * now - before, now
        return np.asarray(c[0] + t * now - before)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(B, n) values at points (n,) within the edges; on an edge, of the piece to its right."""
        piece = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.edges.size - 2)
        return self.on(piece, x[:, None])[..., 0]


def pieces_of(curve: Curve, low: float, high: float, breaks: np.ndarray, finest: float) -> Pieces:
    """The curve between low and high, to near round-off. breaks: where it is not smooth; finest: the smallest scale that matters near them.

    Raises InputError if the curve has no finite values, or is not smooth between the breaks.
    """
    breaks = np.unique(breaks[(breaks > low) & (breaks < high)])
    edges = _graded(low, high, breaks, finest)
    a, b = edges[:-1], edges[1:]
    angles = np.pi * (np.arange(NODES) + 0.5) / NODES
    nodes = np.cos(angles)
    to_coefficients = np.cos(np.outer(np.arange(NODES), angles)) * (2.0 / NODES)
    to_coefficients[0] /= 2.0
    done: list[tuple[np.ndarray, np.ndarray]] = []
    largest, error, count = 0.0, 0.0, 0
    parents = np.full(a.size, np.inf)
    for _ in range(DEEPEST):
        x = (a + b)[:, None] / 2.0 + (b - a)[:, None] / 2.0 * nodes
        values = np.atleast_2d(np.asarray(curve(x.ravel()), dtype=float))
        if values.shape[-1] != x.size or not np.all(np.isfinite(values)):
            got = "nan or infinity" if values.shape[-1] == x.size else f"shape {values.shape} for {x.size} delays"
            raise bad("the curve", "return one finite number for each delay", got, "check it")
        values = values.reshape(values.shape[0], a.size, NODES)
        found = np.einsum("kn,bpn->kbp", to_coefficients, values)
        sizes = np.abs(values).max(axis=2)  # (B, pieces)
        largest = max(largest, float(sizes.max()))
        tails = np.abs(found[-TAIL:]).max(axis=0)
        good = np.all((tails <= CLOSE * sizes) | (tails <= FLOOR * largest), axis=0)
        worst = tails.max(axis=0)
        good |= (worst <= NOISE * largest) & (worst > 0.5 * parents)
        # a piece as short as the last digits of its place cannot be halved any more
        good |= (b - a) <= 64.0 * np.finfo(float).eps * np.maximum(np.abs(a), np.abs(b))
        error = max(error, float(tails[:, good].max(initial=0.0)))
        done.append((a[good], found[..., good]))
        count += int(good.sum())
        if good.all():
            break
        middle = (a[~good] + b[~good]) / 2.0
        a, b, parents = np.concatenate([a[~good], middle]), np.concatenate([middle, b[~good]]), np.tile(worst[~good], 2)
        if count + a.size > MOST:
            raise bad("the curve", f"be smooth between its breaks, on at most {MOST} pieces", "more", "name the delays at which it has cusps or jumps")
    else:
        raise bad("the curve", "be smooth between its breaks", "a cusp or jump elsewhere", "name the delays at which it has cusps or jumps")
    starts = np.concatenate([s for s, _ in done])
    order = np.argsort(starts)
    return Pieces(np.append(starts[order], high), np.concatenate([c for _, c in done], axis=2)[..., order], breaks, error)


def _graded(low: float, high: float, breaks: np.ndarray, finest: float) -> np.ndarray:
    """Edges at the breaks and at distances finest 2^k from them."""
    steps = finest * 2.0 ** np.arange(np.ceil(np.log2(max((high - low) / finest, 2.0))) + 1)
    marks = [low, high]
    between = np.concatenate([[low], breaks, [high]]) if breaks.size else np.array([low, high])
    for left, right in pairwise(between):
        half = (right - left) / 2.0
        near = steps[steps < half]
        marks += [left, right, *(left + near), *(right - near)]
    found = np.unique(np.array(marks))
    return found[np.concatenate([[True], np.diff(found) > 1e-12 * (high - low) * np.finfo(float).eps])]


def integrals(pieces: Pieces, at: np.ndarray, low: float, high: float, chunk: float, order: int, weight: Curve | None) -> np.ndarray:
    """(B, n) integrals over d of curve(at + d) weight(d) from low to high, at places (n,), by Gauss and Legendre on the pieces.

    chunk: longest stretch in one quadrature of `order` points, on which the weight is smooth; without a weight it is 1.
    Distances d are kept apart from the places, so that they have all their digits far out.
    """
    last_piece = pieces.edges.size - 2
    first = np.clip(np.searchsorted(pieces.edges, at + low, side="right") - 1, 0, last_piece)
    last = np.clip(np.searchsorted(pieces.edges, at + high, side="left") - 1, first, last_piece)
    nodes, weights = np.polynomial.legendre.leggauss(order)
    total = np.zeros((pieces.coefficients.shape[1], at.size))
    sizes = np.cumsum((last - first + 1) + (high - low) / chunk) * order * pieces.coefficients.shape[1]
    for one in np.split(np.arange(at.size), np.searchsorted(sizes, np.arange(AT_ONCE, sizes[-1], AT_ONCE))):
        if not one.size:
            continue
        which, piece = _runs(one, first[one], last[one])
        a = np.where(piece == first[which], low, pieces.edges[piece] - at[which])
        b = np.where(piece == last[which], high, pieces.edges[piece + 1] - at[which])
        parts = np.maximum(np.ceil((b - a) / chunk - 1e-9), 1.0).astype(int)
        row, part = _runs(np.arange(which.size), np.zeros(which.size, dtype=int), parts - 1)
        h = ((b - a) / parts)[row]
        d = (a[row] + h * (part + 0.5))[:, None] + h[:, None] / 2.0 * nodes
        values = pieces.on(piece[row], at[which[row], None] + d)
        summed = (values if weight is None else values * weight(d)) @ weights * (h / 2.0)
        total[:, one] = np.add.reduceat(summed, np.searchsorted(which[row], one), axis=1)
    return total


def _runs(labels: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each label repeated, beside the whole numbers from its first to its last."""
    lengths = last - first + 1
    ends = np.cumsum(lengths)
    return np.repeat(labels, lengths), np.arange(ends[-1]) - np.repeat(ends - lengths - first, lengths)
