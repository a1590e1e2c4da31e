"""Steady light under continuous drive: populations, flux, g2(tau) and g3(tau1, tau2) by the regression theorem.

G2_ab(tau) = trace J_b e^{L tau} J_a x_ss, and g2 = G2 / (I_a I_b); delays are in ns, fluxes in 1/ns.
Source: Carmichael, Statistical Methods in Quantum Optics 1 (Springer, 1999), for the regression of photon counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from qdot.evolve import NotUnique, along, relevant, restrict, steady_state
from qdot.generator import Timeline
from qdot.model import Channel

Light = Mapping[Channel, float]
"""Which light is looked at: {channel: probability that its photons are collected}."""


@dataclass(frozen=True, eq=False)
class SteadyLight:
    """A generator reduced to what its start reaches and its photons see, with its steady state.

    keep: indices into the full x; generator: (d, d); trace, state: (d,); jumps: {channel: (d, d)}.
    """

    keep: np.ndarray
    generator: sp.csr_array
    trace: np.ndarray
    state: np.ndarray
    jumps: Mapping[Channel, sp.csr_array]
    levels: np.ndarray
    stretch: float

    def populations(self) -> np.ndarray:
        """(number of levels,) steady-state populations, light traced out."""
        return self.levels @ self.state

    def _after(self, light: Light, x: np.ndarray) -> np.ndarray:
        """J x: the (unnormalised) state after a photon of this light."""
        return sum((w * (self.jumps[c] @ x) for c, w in light.items() if c in self.jumps), np.zeros(x.shape))

    def _seen(self, light: Light) -> np.ndarray:
        """(d,) the row trace J."""
        return sum((w * (self.trace @ self.jumps[c]) for c, w in light.items() if c in self.jumps), np.zeros(self.trace.shape))

    def flux(self, light: Light) -> float:
        """Photons per ns."""
        return float(self._seen(light) @ self.state)

    def _follow(self, y: np.ndarray, delays: np.ndarray) -> np.ndarray:
        return along(self.generator, y, delays, self.trace, self.state, self.stretch)

    def g2(self, tau: np.ndarray, first: Light, second: Light) -> np.ndarray:
        """(n,) g2(tau) for `second` detected tau after `first`; negative delays exchange the two."""
        values = np.empty(tau.shape)
        for a, b, chosen in ((first, second, tau >= 0), (second, first, tau < 0)):
            if chosen.any():
                after = self._follow(self._after(a, self.state), np.abs(tau[chosen]))
                values[chosen] = self._seen(b) @ after
        return values / (self.flux(first) * self.flux(second))

    def g3(self, tau1: np.ndarray, tau2: np.ndarray, first: Light, second: Light, third: Light) -> np.ndarray:
        """(n,) g3 for `second` tau1 after `first` and `third` tau2 after `first`, both >= 0."""
        values = np.empty(tau1.shape)
        start = self._after(first, self.state)
        for near, far, b, c, chosen in ((tau1, tau2, second, third, tau1 <= tau2), (tau2, tau1, third, second, tau1 > tau2)):
            index = np.flatnonzero(chosen)
            if not index.size:
                continue
            delays, which = np.unique(near[index], return_inverse=True)
            between = self._after(b, self._follow(start, delays))
            row = self._seen(c)
            for k in range(delays.size):
                mine = index[which == k]
                values[mine] = row @ self._follow(between[:, k], far[mine] - near[mine])
        return values / (self.flux(first) * self.flux(second) * self.flux(third))


def steady_light(timeline: Timeline, stretch: float = 1.0) -> SteadyLight:
    """The steady state of a continuous timeline, on the reduced system. Raises evolve.NotUnique with indices into the full x."""
    g, rest = timeline.generator, timeline.rest
    keep = relevant([rest.silent, *rest.jumps.values()], g.start != 0, g.trace != 0)
    generator, trace = restrict(sp.csr_array(sum(rest.jumps.values(), rest.silent)), keep), g.trace[keep]
    try:
        state = steady_state(generator, trace)
    except NotUnique as e:
        raise NotUnique([keep[c] for c in e.classes]) from None
    jumps = {c: restrict(j, keep) for c, j in rest.jumps.items()}
    return SteadyLight(keep, generator, trace, state, jumps, g.levels[:, keep], stretch)
