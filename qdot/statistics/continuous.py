"""Steady light under continuous drive: populations, flux, g2(tau) and g3(tau1, tau2) by the regression theorem.

G2_ab(tau) = trace J_b e^{L tau} J_a x_ss, and g2 = G2 / (I_a I_b); delays are in ns, fluxes in 1/ns. Everything is calculated for a stack of
generators of one pattern at once: several powers, or the same generator with its last digits moved.
Source: Carmichael, Statistical Methods in Quantum Optics 1 (Springer, 1999), for the regression of photon counting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdot.evolve import Flow, Matrix, NotUnique, dense, is_metzler, pattern, relevant, restrict, steady_state
from qdot.generator import Generator, Timeline
from qdot.model import Channel

Light = Mapping[Channel, float]
"""Which light is looked at: {channel: probability that its photons are collected}."""


@dataclass(frozen=True, eq=False)
class SteadyLight:
    """A stack of generators of one pattern, reduced to what their start reaches and their photons see, with the steady states.

    keep: indices into the full x; generator: (B, d, d) dense, or None where a sparse steady state is all that is wanted; trace: (d,);
    state: (B, d); after: {channel: (B, d)} J x; seen: {channel: (B, d)} trace J; jumps: {channel: (B, d, d) or one csr for each of B}.
    """

    keep: np.ndarray
    generators: Sequence[Matrix] | np.ndarray
    trace: np.ndarray
    state: np.ndarray
    jumps: Mapping[Channel, Sequence[Matrix] | np.ndarray]
    levels: np.ndarray
    names: tuple[str, ...]
    stretches: tuple[float, ...]

    @property
    def methods(self) -> dict[str, str]:
        """{part of the calculation: how it is done}."""
        positive = isinstance(self.generators, np.ndarray) and is_metzler_all(self.generators)
        steady = "elimination without subtraction" if positive else "LU, refined with residuals in extended precision"
        return {"steady state": steady, "delays": self.flows[0].method}

    def populations(self) -> np.ndarray:
        """(B, number of levels) steady-state populations, light traced out."""
        return self.state @ self.levels.T

    def _after(self, light: Light, x: np.ndarray) -> np.ndarray:
        """(B, d[, n]) J x: the (unnormalised) states after a photon of this light."""
        total = np.zeros(x.shape)
        for c, w in light.items():
            if c in self.jumps:
                j = self.jumps[c]
                if isinstance(j, np.ndarray):
                    total += w * (j @ x if x.ndim == 3 else (j @ x[..., None])[..., 0])
                else:
                    total += w * np.array([one @ y for one, y in zip(j, x, strict=True)])
        return total

    def _seen(self, light: Light) -> np.ndarray:
        """(B, d) the row trace J."""
        total = np.zeros(self.state.shape)
        for c, w in light.items():
            if c in self.jumps:
                j = self.jumps[c]
                total += w * (self.trace @ j if isinstance(j, np.ndarray) else np.array([self.trace @ one for one in j]))
        return total

    def flux(self, light: Light) -> np.ndarray:
        """(B,) photons per ns."""
        return (self._seen(light) * self.state).sum(axis=-1)

    @cached_property
    def flows(self) -> list[Flow]:
        """e^{L t}: of the whole stack where it is Metzler, else one by one."""
        g = self.generators
        if isinstance(g, np.ndarray) and is_metzler_all(g):
            return [Flow(g, self.trace, None, min(self.stretches))]
        return [Flow(dense(a), self.trace, s, h) for a, s, h in zip(g, self.state, self.stretches, strict=False)]

    def _along(self, row: np.ndarray, y: np.ndarray, delays: np.ndarray) -> np.ndarray:
        """(B, k, n) row e^{L t} y for rows (B, k, d) and y (B, d)."""
        if len(self.flows) == 1:
            flow = self.flows[0]
            return flow.along(row, y, delays) if flow.a.ndim > 2 else flow.along(row[0], y[0], delays)[None]
        return np.array([flow.along(r, v, delays) for flow, r, v in zip(self.flows, row, y, strict=True)])

    def g2(self, tau: np.ndarray, first: Light, second: Light) -> np.ndarray:
        """(B, n) g2(tau) for `second` detected tau after `first`; negative delays exchange the two."""
        values = np.empty((self.state.shape[0], tau.size))
        for a, b, chosen in ((first, second, tau >= 0), (second, first, tau < 0)):
            if chosen.any():
                values[:, chosen] = self._along(self._seen(b)[:, None], self._after(a, self.state), np.abs(tau[chosen]))[:, 0]
        return values / (self.flux(first) * self.flux(second))[:, None]

    def g2_zero(self, first: Light, second: Light) -> np.ndarray:
        """(B,) g2 at zero delay, `second` after `first`: no propagation."""
        return (self._seen(second) * self._after(first, self.state)).sum(axis=-1) / (self.flux(first) * self.flux(second))

    def g3(self, tau1: np.ndarray, tau2: np.ndarray, first: Light, second: Light, third: Light) -> np.ndarray:
        """(B, n) g3 for `second` tau1 after `first` and `third` tau2 after `first`, both >= 0."""
        values = np.empty((self.state.shape[0], tau1.size))
        start = self._after(first, self.state)
        everything = np.broadcast_to(np.eye(self.trace.size), (self.state.shape[0], self.trace.size, self.trace.size))
        for near, far, b, c, chosen in ((tau1, tau2, second, third, tau1 <= tau2), (tau2, tau1, third, second, tau1 > tau2)):
            index = np.flatnonzero(chosen)
            if not index.size:
                continue
            delays, which = np.unique(near[index], return_inverse=True)
            between = self._after(b, self._along(everything, start, delays))
            row = self._seen(c)[:, None]
            for k in range(delays.size):
                mine = index[which == k]
                values[:, mine] = self._along(row, between[:, :, k], far[mine] - near[mine])[:, 0]
        return values / (self.flux(first) * self.flux(second) * self.flux(third))[:, None]


def is_metzler_all(stack: np.ndarray) -> bool:
    """True if no generator of a stack has a negative entry off the diagonal."""
    return all(is_metzler(a) for a in stack) if stack.shape[0] < 4 else is_metzler(stack.min(axis=0))


def stacked_light(generator: Generator, silent: np.ndarray, jumps: Mapping[Channel, np.ndarray]) -> SteadyLight:
    """The steady light of a stack of rate equations: silent (B, n, n), jumps {channel: (B, n, n)}, all of one pattern.

    generator: any of theirs, for start, trace and levels. Raises evolve.NotUnique with indices into the full x.
    """
    whole = sum(jumps.values(), silent)
    keep = relevant([whole[0]], generator.start != 0, generator.trace != 0)

    def small(m: np.ndarray) -> np.ndarray:
        return m if keep.size == m.shape[-1] else np.ascontiguousarray(m[:, keep[:, None], keep])

    generators, trace = small(whole), generator.trace[keep]
    try:
        state = steady_state(generators, trace)
    except NotUnique as e:
        raise NotUnique([keep[c] for c in e.classes]) from None
    levels, names = generator.levels[:, keep], generator.model.levels
    return SteadyLight(keep, generators, trace, state, {c: small(j) for c, j in jumps.items()}, levels, names, (1.0,))


def steady_light(timelines: Sequence[Timeline], stretches: Sequence[float]) -> SteadyLight:
    """The steady states of continuous timelines of one pattern, on the reduced system. Raises evolve.NotUnique with indices into the full x."""
    g, rest = timelines[0].generator, timelines[0].rest
    keep = relevant([rest.silent, *rest.jumps.values()], g.start != 0, g.trace != 0)
    trace = g.trace[keep]

    def stacked(matrices: list[Matrix]) -> Sequence[Matrix] | np.ndarray:
        small = [restrict(m, keep) for m in matrices]
        return np.array(small) if all(isinstance(m, np.ndarray) for m in small) else small

    jumps = {c: stacked([t.rest.jumps[c] for t in timelines]) for c in rest.jumps}
    generators = stacked([t.rest.silent + sum(t.rest.jumps.values()) for t in timelines])
    try:
        if isinstance(generators, np.ndarray) and is_metzler_all(generators) and np.all(trace == 1.0):
            state = steady_state(generators, trace)
        else:
            edges = pattern([restrict(m, keep) for m in (rest.silent, *rest.jumps.values())])  # in the sum what jumps do to a coherence may cancel
            state = np.array([steady_state(a, trace, edges) for a in generators])
    except NotUnique as e:
        raise NotUnique([keep[c] for c in e.classes]) from None
    return SteadyLight(keep, generators, trace, state, jumps, g.levels[:, keep], g.model.levels, tuple(stretches))
