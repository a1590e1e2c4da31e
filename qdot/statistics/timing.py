"""When photons come: counts within a gate, the first photon and the delay to the second, and G2(t1, t2) under pulses.

With A the generator without the counted light and J that light: no photon has come yet in x_0' = A x_0, one in x_1' = A x_1 + J x_0, and a clock is
one more copy, q' = A q + x. Means are sums that run beside; densities are tr J x. Only the density of delays under a pulse needs points in time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from qdot.evolve import Flow, Matrix, dense, placed, restrict, seen_by, to_infinity
from qdot.generator import Timeline
from qdot.statistics.beside import Jumps, beside, carried, everything, points_in, settled_ns, stretches_between, visited
from qdot.statistics.continuous import Light
from qdot.statistics.pulsed import PulsedLight, counted, uncounted

Link = tuple[int, int, int | Literal["clock"]]
"""(to copy, from copy, what leads there: the index of a light, or the time that passes)."""


class Arrivals(NamedTuple):
    """Probabilities of at least one and two photons; mean time of the first, given that it comes, and mean delay to the second, given that both do."""

    first: float
    second: float
    mean_first_ns: float
    mean_delay_ns: float


@dataclass(frozen=True, eq=False)
class ArrivalLight:
    """Light under pulses looked at in time, until all is over or until the end of the period of a train.

    points: of Gauss-Legendre on each panel, where points in time are needed.
    """

    light: PulsedLight
    points: int = 8

    @property
    def timeline(self) -> Timeline:
        """Stretches of the reduced system."""
        return self.light.timeline

    @property
    def end_ns(self) -> float:
        """When photons are no longer counted."""
        return math.inf if self.timeline.period_ns is None else self.timeline.period_ns

    def sums(
        self,
        copies: int,
        links: Sequence[Link],
        sums: Sequence[tuple[int, int]],
        lights: Sequence[Light],
        ends: bool,
        begin: float = 0.0,
        end: float = math.inf,
    ) -> np.ndarray:
        """Integrals of tr J x, each given as (copy of the state, index of the light), over a gate.

        The first copy starts in the state at `begin`, the others empty. ends: a photon of lights[0] ends a copy unless a link says where it leads.
        """
        d, trace = self.light.trace.size, self.light.trace
        total, size = copies * d, copies * d + len(sums)

        def change(silent: Matrix, jumps: Jumps) -> Matrix:
            own = uncounted((lights[0],), silent, jumps) if ends else everything(silent, jumps)
            gains = counted(lights, jumps, silent)
            parts: list[tuple[int, int, Matrix]] = [(k * d, k * d, own) for k in range(copies)]
            parts += [(to * d, start * d, gains[what]) for to, start, what in links if what != "clock"]
            parts += [(total + k, copy * d, (trace @ gains[which])[None]) for k, (copy, which) in enumerate(sums)]
            return placed(parts, size)

        clocks = placed([(to * d, start * d, np.eye(d)) for to, start, what in links if what == "clock"], size)
        larger = self.timeline.assembled(change, clocks)
        start = np.zeros(size)
        start[:d] = self.light.state if begin <= 0.0 else carried(self.timeline, self.light.state[:, None], -math.inf, begin, self.light.stretch)[:, 0]
        end = min(end, self.end_ns)
        x = beside(larger, start, total, begin, end, self.light.stretch)
        if end < math.inf:
            return x[total:]
        later = to_infinity(restrict(larger.rest.silent, np.arange(total)), dense(larger.rest.silent)[total:, :total])
        return np.asarray(x[total:] + later @ x[:total])

    def pairs(self, first: Light, second: Light, begin: float = 0.0, end: float = math.inf) -> np.ndarray:
        """(3,) mean photons of two lights and <n m> of the two, <n (n-1)> if they are one, all times within a gate."""
        n, m, forward, backward = self.sums(3, [(1, 0, 0), (2, 0, 1)], [(0, 0), (0, 1), (1, 1), (2, 0)], (first, second), False, begin, end)
        return np.array([n, m, forward + backward])

    def arrivals(self, light: Light) -> Arrivals:
        """First photon and delay to the second."""
        links: list[Link] = [(1, 0, "clock"), (2, 0, 0), (3, 2, "clock")]
        p1, t1, p2, t2 = self.sums(4, links, [(0, 0), (1, 0), (2, 0), (3, 0)], (light,), True)
        return Arrivals(float(p1), float(p2), float(t1 / p1) if p1 > 0.0 else math.nan, float(t2 / p2) if p2 > 0.0 else math.nan)

    def _until_a_photon(self, light: Light) -> Timeline:
        """The timeline on which a photon of the light ends everything."""
        return self.timeline.assembled(lambda silent, jumps: uncounted((light,), silent, jumps))

    def _gain(self, light: Light, time: float) -> Matrix:
        """J at a time, after any instant there."""
        past = stretches_between(self.timeline, -math.inf, np.nextafter(time, math.inf))
        s = next(s for s, _, _ in reversed(past) if not s.is_instant)
        gain = counted((light,), s.jumps, s.silent)[0]
        for d in s.driven:
            if d.light and s.pieces_ns is not None:
                gain = gain + d.height(s.pieces_ns, time - s.start_ns) * counted((light,), d.light, d.matrix)[0]
        return gain

    def _seen(self, light: Light, times: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(n,) tr J x at times (n,) for x (d, n); 0 beyond the end of a period."""
        rows: dict[int, np.ndarray] = {}
        found = np.zeros(times.size)
        for k, t in enumerate(times):
            if t > self.end_ns:
                continue
            gain = self._gain(light, min(t, np.nextafter(self.end_ns, 0.0)))
            if id(gain) not in rows:
                rows[id(gain)] = self.light.trace @ gain
            found[k] = rows[id(gain)] @ x[:, k]
        return found

    def _density(self, alone: Timeline, light: Light, x: np.ndarray, begin: float, times: np.ndarray) -> np.ndarray:
        """(n,) tr J x at times (n,) after `begin`, from x (d,) there, until a photon comes."""
        order = np.argsort(times)
        inside = np.minimum(times[order], self.end_ns)
        found = np.zeros(times.size)
        found[order] = self._seen(light, times[order], visited(alone, x, begin, inside, self.light.stretch))
        return found

    def first(self, light: Light, times: np.ndarray) -> np.ndarray:
        """(n,) density of the first photon in 1/ns at times (n,); its integral is the probability that there is one."""
        return self._density(self._until_a_photon(light), light, self.light.state, -math.inf, times)

    def delays(self, light: Light, delays: np.ndarray) -> np.ndarray:
        """(n,) density in 1/ns of the delay (n,) >= 0 between first and second photon; its integral is the probability that both come."""
        alone, step = self._until_a_photon(light), self.light.stretch
        settled, is_train = settled_ns(self.timeline), self.end_ns < math.inf
        found = np.zeros(delays.size)
        x, at = self.light.state[:, None], -math.inf
        flashes = np.zeros((x.size, 0))  # what first photons leave behind, carried on together until all is settled
        waiting: list[tuple[float, float]] = []  # their (times, weights)
        for time, weight in zip(*points_in(alone, self.light.trace != 0.0, settled, self.points, delays), strict=True):
            both = carried(alone, np.column_stack([x, flashes]), at, time, step)
            x, flashes, at = both[:, :1], both[:, 1:], time
            flash = self._gain(light, time) @ x
            soon = time + delays < settled
            if soon.any():
                found[soon] += weight * self._density(alone, light, flash[:, 0], time, time + delays[soon])
            if not soon.all():
                flashes = np.column_stack([flashes, flash])
                waiting.append((time, weight))
        if settled == self.end_ns:
            return found
        both = carried(alone, np.column_stack([x, flashes]), at, settled if is_train else math.inf, step)
        x, flashes = both[:, 0], both[:, 1:]
        gain, rest = dense(self._gain(light, settled)), dense(alone.stretches[-1].silent if is_train else alone.rest.silent)
        row = self.light.trace @ gain
        backward = Flow(rest.T, None, None, step)  # rows carried back to many delays at once
        for (time, weight), flash in zip(waiting, flashes.T, strict=True):
            late = (time + delays >= settled) & (time + delays <= self.end_ns)
            found[late] += weight * backward.along(flash[None], row, time + delays[late] - settled)[0]
        if is_train:
            return found + self._delays_in(rest, gain, row[None], x, self.end_ns - settled, delays)
        keep = np.flatnonzero(seen_by(rest, (gain != 0.0).any(axis=0)))
        if keep.size:
            before = to_infinity(rest[np.ix_(keep, keep)].T, x[keep][None])[0]  # the integral of x from now on
            found += backward.along((gain[:, keep] @ before)[None], row, delays)[0]
        return found

    def _delays_in(self, rest: np.ndarray, gain: np.ndarray, row: np.ndarray, x: np.ndarray, length: float, delays: np.ndarray) -> np.ndarray:
        """(n,) the same of first photons in a stretch at the end of a period, length in ns: both photons come before it is over."""
        d = x.size
        inside = np.flatnonzero(delays < length)
        clock = Flow(np.block([[rest, np.zeros((d, d))], [np.eye(d), np.zeros((d, d))]]), None, None, self.light.stretch)
        before = clock.along(np.eye(d, 2 * d, d), np.append(x, np.zeros(d)), length - delays[inside])  # integrals of x up to a delay before the end
        flow, found = Flow(rest, None, None, self.light.stretch), np.zeros(delays.size)
        for k, so_far in zip(inside, before.T, strict=True):
            found[k] = flow.along(row, gain @ so_far, delays[k : k + 1])[0, 0]
        return found

    def joint(self, first: Light, second: Light, times: np.ndarray) -> np.ndarray:
        """(n, n) G2(t_i, t_k) in 1/ns^2: a photon of the first light at t_i and one of the second at t_k, times (n,) increasing."""
        states = visited(self.timeline.assembled(everything), self.light.state, -math.inf, times, self.light.stretch)
        found = np.zeros((times.size, times.size))
        rows = [[self.light.trace @ self._gain(one, t) for t in times] for one in (first, second)]
        for which, one in enumerate((first, second)):
            x = np.zeros((self.light.trace.size, 0))
            for k, t in enumerate(times):
                if k:
                    x = carried(self.timeline, x, times[k - 1], t, self.light.stretch)
                x = np.column_stack([x, self._gain(one, t) @ states[:, k]])
                seen = rows[1 - which][k] @ x
                if which == 0:
                    found[: k + 1, k] = seen
                else:
                    found[k, :k] = seen[:k]  # the diagonal is the same from both sides
        return found
