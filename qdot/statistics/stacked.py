"""Steady light of one source at many settings at once, with its derivatives: fluxes, g2(tau) and its integral over delays.

The generators are rate equations of one pattern, A = S + P D for powers P; a derivative is a matrix A' beside each. Values are those of `continuous`;
derivatives carry the pair (E, E') of the exponential along in double precision: (E E)' = E' E + E E'. Integrals over delays are one more entry of the
state, z' = row y, so that a bin of a histogram is the difference of two values and needs no quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdot.evolve import Flow, NotUnique, relevant, steady_state
from qdot.evolve.reduction import closed_classes, pattern
from qdot.model import Channel

TERMS = 24
"""Terms of the series of one elementary step, whose norm is at most 2: 2^24/24! is below 1e-16."""
UNIFORM = 1e-9
"""Delays are taken as uniform if their steps agree to this fraction of a step."""

Weights = Mapping[Channel, float]


@dataclass(frozen=True, eq=False)
class StackedLight:
    """Generators (B, d, d) of one pattern with their light, and derivatives of both along p parameters.

    whole: (B, d, d), columns summing to zero; jumps: {channel: (B, d, d)}; moved: (p, B, d, d); moved_jumps: {channel: (p, B, d, d)}.
    """

    whole: np.ndarray
    jumps: Mapping[Channel, np.ndarray]
    moved: np.ndarray
    moved_jumps: Mapping[Channel, np.ndarray]

    @property
    def parameters(self) -> int:
        """Number of parameters p."""
        return int(self.moved.shape[0])

    @cached_property
    def state(self) -> np.ndarray:
        """(B, d) steady states. Raises evolve.NotUnique."""
        return steady_state(self.whole, np.ones(self.whole.shape[-1]))

    @cached_property
    def states(self) -> np.ndarray:
        """(p, B, d) their derivatives: A x' = -A' x with sum x' = 0, by a rank-one change of A that leaves x' alone, refined once."""
        x = self.state
        d = x.shape[-1]
        scale = np.abs(np.einsum("bii->bi", self.whole)).max(axis=-1)
        a = self.whole - scale[:, None, None] * x[..., None] * np.ones(d)
        wanted = -np.einsum("pbij,bj->bip", self.moved, x)
        found = np.linalg.solve(a, wanted)
        rest = wanted.astype(np.longdouble) - np.einsum("bij,bjp->bip", a.astype(np.longdouble), found.astype(np.longdouble))
        return np.moveaxis(found + np.linalg.solve(a, rest.astype(float)), -1, 0)

    def _jump(self, light: Weights) -> np.ndarray:
        """(B, d, d) J of this light."""
        return sum((w * self.jumps[c] for c, w in light.items() if c in self.jumps), np.zeros(self.whole.shape))

    def _jump_slopes(self, light: Weights, slopes: Sequence[Weights]) -> np.ndarray:
        """(p, B, d, d) derivatives of J; slopes: of the weights by each parameter."""
        total = sum((w * self.moved_jumps[c] for c, w in light.items() if c in self.moved_jumps), np.zeros(self.moved.shape))
        for q, changed in enumerate(slopes):
            for c, w in changed.items():
                if c in self.jumps and w != 0.0:
                    total[q] += w * self.jumps[c]
        return np.asarray(total)

    def _seen(self, light: Weights) -> np.ndarray:
        """(B, d) sum J: the rate at which each state emits this light."""
        return self._jump(light).sum(axis=-2)

    def _seen_slopes(self, light: Weights, slopes: Sequence[Weights]) -> np.ndarray:
        return self._jump_slopes(light, slopes).sum(axis=-2)

    def _after(self, light: Weights) -> np.ndarray:
        """(B, d) J x."""
        return np.einsum("bij,bj->bi", self._jump(light), self.state)

    def _after_slopes(self, light: Weights, slopes: Sequence[Weights]) -> np.ndarray:
        direct = np.einsum("pbij,bj->pbi", self._jump_slopes(light, slopes), self.state)
        return direct + np.einsum("bij,pbj->pbi", self._jump(light), self.states)

    def flux(self, light: Weights) -> np.ndarray:
        """(B,) photons per ns."""
        return np.einsum("bi,bi->b", self._seen(light), self.state)

    def flux_slopes(self, light: Weights, slopes: Sequence[Weights]) -> np.ndarray:
        """(p, B)."""
        own = np.einsum("pbi,bi->pb", self._seen_slopes(light, slopes), self.state)
        return own + np.einsum("bi,pbi->pb", self._seen(light), self.states)

    def g2_zero(self, first: Weights, second: Weights) -> np.ndarray:
        """(B,) g2 at zero delay."""
        return np.einsum("bi,bi->b", self._seen(second), self._after(first)) / (self.flux(first) * self.flux(second))

    def g2_zero_slopes(self, first: Weights, second: Weights, firsts: Sequence[Weights], seconds: Sequence[Weights]) -> np.ndarray:
        """(p, B)."""
        moved = np.einsum("pbi,bi->pb", self._seen_slopes(second, seconds), self._after(first))
        moved = moved + np.einsum("bi,pbi->pb", self._seen(second), self._after_slopes(first, firsts))
        return self._normalised(moved, self.g2_zero(first, second), first, second, firsts, seconds)

    def _normalised(
        self, moved: np.ndarray, g2: np.ndarray, first: Weights, second: Weights, firsts: Sequence[Weights], seconds: Sequence[Weights]
    ) -> np.ndarray:
        """(p, B, ...) derivatives of G2 / (I I), from those of G2 and g2 itself."""
        one, two = self.flux(first), self.flux(second)
        relative = self.flux_slopes(first, firsts) / one + self.flux_slopes(second, seconds) / two
        shape = (-1,) + (1,) * (g2.ndim - 1)
        return moved / (one * two).reshape(shape) - relative.reshape(*relative.shape, *shape[1:]) * g2

    def g2(self, tau: np.ndarray, first: Weights, second: Weights, integrated: bool = False) -> np.ndarray:
        """(B, n) g2(tau), `second` detected tau after `first`; integrated: its integral from 0 to tau instead (negative for tau < 0)."""
        found = np.empty((self.whole.shape[0], tau.size))
        for a, b, chosen, sign in self._halves(tau, first, second):
            if not chosen.any():
                continue
            row, y, times = self._seen(b), self._after(a), np.abs(tau[chosen])
            if integrated:
                flow = Flow(_with_integral(self.whole, row), np.append(np.ones(y.shape[-1]), 0.0), None)
                seen = flow.along(np.broadcast_to(np.eye(y.shape[-1] + 1)[-1], (*y.shape[:-1], 1, y.shape[-1] + 1)), _extended(y), times)
            else:
                seen = self._flow.along(row[:, None], y, times)
            found[:, chosen] = (sign if integrated else 1.0) * seen[:, 0]
        return found / (self.flux(first) * self.flux(second))[:, None]

    @cached_property
    def _flow(self) -> Flow:
        return Flow(self.whole, np.ones(self.whole.shape[-1]), None)

    def g2_slopes(
        self, tau: np.ndarray, first: Weights, second: Weights, firsts: Sequence[Weights], seconds: Sequence[Weights], integrated: bool = False
    ) -> np.ndarray:
        """(p, B, n) derivatives of `g2`."""
        moved, value = np.empty((self.parameters, self.whole.shape[0], tau.size)), self.g2(tau, first, second, integrated)
        for (a, b, chosen, sign), (da, db) in zip(self._halves(tau, first, second), ((firsts, seconds), (seconds, firsts)), strict=True):
            if not chosen.any():
                continue
            row, rows, y, ys = self._seen(b), self._seen_slopes(b, db), self._after(a), self._after_slopes(a, da)
            times = np.abs(tau[chosen])
            if integrated:
                whole = _with_integral(self.whole, row)
                turned = np.stack([_with_integral(m, r) for m, r in zip(self.moved, rows, strict=True)]) if self.parameters else np.zeros((0, *whole.shape))
                _, outs = pairs_along(whole, turned, _extended(y), _extended(ys), times)
                moved[:, :, chosen] = sign * outs[:, :, -1]
            else:
                out, outs = pairs_along(self.whole, self.moved, y, ys, times)
                moved[:, :, chosen] = np.einsum("bi,pbin->pbn", row, outs) + np.einsum("pbi,bin->pbn", rows, out)
        return self._normalised(moved, value, first, second, firsts, seconds)

    @staticmethod
    def _halves(tau: np.ndarray, first: Weights, second: Weights) -> tuple[tuple[Weights, Weights, np.ndarray, float], ...]:
        """Delays of either sign: what is detected first, what second, which delays, sign of the integral."""
        return (first, second, tau >= 0, 1.0), (second, first, tau < 0, -1.0)


def stacked(
    static: np.ndarray,
    driven: np.ndarray,
    jumps: Mapping[Channel, tuple[np.ndarray, np.ndarray]],
    slopes: Sequence[tuple[np.ndarray, np.ndarray, Mapping[Channel, tuple[np.ndarray, np.ndarray]]]],
    along_power: Sequence[float | np.ndarray],
    powers: np.ndarray,
    start: np.ndarray,
) -> StackedLight:
    """The light at powers (B,) of a source whose generator is static + P driven; diagonals of what is given are not read.

    jumps: {channel: (J, J per power)}. slopes: for each of p parameters the derivatives of (static, driven, jumps); along_power: of each the
    derivative of the logarithm of the power, a number or (B,). Raises evolve.NotUnique.
    """
    at = powers[:, None, None]
    along = [np.broadcast_to(np.asarray(f, dtype=float), powers.shape)[:, None, None] for f in along_power]

    def settled(m: np.ndarray) -> np.ndarray:
        off = m * (1.0 - np.eye(m.shape[-1]))
        return off - np.eye(m.shape[-1]) * off.sum(axis=-2)[..., None, :]

    whole = settled(static + at * driven)
    moved = np.array([settled(s + at * d) + f * settled(at * driven) for (s, d, _), f in zip(slopes, along, strict=True)]).reshape(-1, *whole.shape)
    union = (np.abs(whole).max(axis=0) + np.abs(moved).max(axis=(0, 1), initial=0.0)) * (1.0 - np.eye(whole.shape[-1]))
    keep = relevant([union], start != 0, np.ones(start.size) != 0)
    classes = closed_classes(pattern([whole[0][np.ix_(keep, keep)]]))
    if len(classes) > 1:
        raise NotUnique([keep[c] for c in classes])
    grid = (..., keep[:, None], keep)
    light = {c: (j + at * d) for c, (j, d) in jumps.items()}
    turned = {}
    for c in dict.fromkeys([*jumps, *(c for _, _, moved_light in slopes for c in moved_light)]):
        none = np.zeros((2, *static.shape))
        parts = [moved_light.get(c, none) for _, _, moved_light in slopes]
        base = at * jumps[c][1] if c in jumps else 0.0 * at * static
        turned[c] = np.array([j + at * d + f * base for (j, d), f in zip(parts, along, strict=True)]).reshape(-1, *whole.shape)[grid]
    return StackedLight(whole[grid], {c: j[grid] for c, j in light.items()}, moved[grid], turned)


def pairs_along(a: np.ndarray, moved: np.ndarray, y: np.ndarray, ys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """e^{A t} y (B, d, n) and its derivatives (p, B, d, n) at times (n,) >= 0, for A (B, d, d), A' (p, B, d, d), y (B, d), y' (p, B, d).

    For A that is Metzler: e^{At} = e^{-qt} e^{(A + q)t} sums positive terms.
    """
    d = a.shape[-1]
    q = 2.0 * np.maximum(-np.einsum("bii->bi", a).min(axis=-1), 1e-300)
    m = a + q[:, None, None] * np.eye(d)
    reach = float(np.maximum(np.abs(m).sum(axis=-2).max(), 1e-300))
    gaps = np.diff(times)
    if times.size > 8 and np.all(np.abs(gaps - gaps[0]) <= UNIFORM * abs(gaps[0]) + 4e-16 * np.abs(times).max()) and gaps[0] != 0:
        turned = times[::-1] if gaps[0] < 0 else times
        out, outs = _uniform(m, q, moved, y, ys, turned, reach)
        return (out[..., ::-1], outs[..., ::-1]) if gaps[0] < 0 else (out, outs)
    h = 2.0 ** math.floor(1.0 - math.log2(reach))
    whole = np.floor(times / h)
    out, outs = _fraction(m, q, moved, y, ys, times / h - whole, h)
    e, es = _step(m, q, moved, h)
    while np.any(whole > 0):
        chosen = np.flatnonzero(whole % 2.0)
        if chosen.size:
            outs[..., chosen] = e @ outs[..., chosen] + es @ out[..., chosen]
            out[..., chosen] = e @ out[..., chosen]
        whole = np.floor(whole / 2.0)
        e, es = e @ e, es @ e + e @ es
    return out, outs


def _uniform(m: np.ndarray, q: np.ndarray, moved: np.ndarray, y: np.ndarray, ys: np.ndarray, times: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The same at ascending times of one step: every product with a square doubles the number of times that are done."""
    width = (times[-1] - times[0]) / (times.size - 1)
    halvings = max(0, math.ceil(math.log2(max(width * reach / 2.0, 1e-300))))
    e, es = _step(m, q, moved, width / 2.0**halvings)
    for _ in range(halvings):
        e, es = e @ e, es @ e + e @ es
    first, firsts = pairs_along(m - q[:, None, None] * np.eye(m.shape[-1]), moved, y, ys, times[:1])
    n = times.size
    out, outs = np.empty((*y.shape, n)), np.empty((*ys.shape, n))
    out[..., :1], outs[..., :1] = first, firsts
    done = 1
    while done < n:
        more = min(done, n - done)
        outs[..., done : done + more] = e @ outs[..., :more] + es @ out[..., :more]
        out[..., done : done + more] = e @ out[..., :more]
        done += more
        if done < n:
            e, es = e @ e, es @ e + e @ es
    return out, outs


def _step(m: np.ndarray, q: np.ndarray, moved: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
    """e^{Ah} (B, d, d) and its derivatives (p, B, d, d) by the series of the shifted generator."""
    term, terms = np.broadcast_to(np.eye(m.shape[-1]), m.shape), np.zeros(moved.shape)
    total, totals = term.copy(), terms.copy()
    for k in range(1, TERMS):
        terms, term = (terms @ m + term @ moved) * (h / k), term @ m * (h / k)
        total, totals = total + term, totals + terms
    fall = np.exp(-q * h)[:, None, None]
    return total * fall, totals * fall


def _fraction(m: np.ndarray, q: np.ndarray, moved: np.ndarray, y: np.ndarray, ys: np.ndarray, fraction: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
    """After fractions (n,) of the step h, from y (B, d) and its derivatives (p, B, d)."""
    term, terms = y[..., None], ys[..., None]
    series, all_series = [term], [terms]
    for k in range(1, TERMS):
        terms, term = (m @ terms + moved @ term) * (h / k), m @ term * (h / k)
        series.append(term)
        all_series.append(terms)
    powers = fraction ** np.arange(TERMS)[:, None] * np.exp(-h * np.multiply.outer(q, fraction))[:, None, :]
    return np.concatenate(series, axis=-1) @ powers, np.concatenate(all_series, axis=-1) @ powers


def _with_integral(a: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(B, d+1, d+1) with one more entry z' = row y."""
    b, d, _ = a.shape
    found = np.zeros((b, d + 1, d + 1))
    found[:, :d, :d], found[:, d, :d] = a, row
    return found


def _extended(y: np.ndarray) -> np.ndarray:
    """(..., d+1) with the integral at 0."""
    return np.concatenate([y, np.zeros((*y.shape[:-1], 1))], axis=-1)
