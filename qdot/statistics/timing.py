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

from qdot.evolve import Endless, Flow, Matrix, dense, placed, seen_by, to_infinity
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
        """Integrals of tr J x, each given as (copy of the state, index of the light), over a gate. Links lead to later copies.

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
        rest = self.timeline.rest
        own = uncounted((lights[0],), rest.silent, rest.jumps) if ends else everything(rest.silent, rest.jumps)
        gains = counted(lights, rest.jumps, rest.silent)
        rows = np.zeros((copies, len(sums), d))
        for k, (copy, which) in enumerate(sums):
            rows[copy, k] = trace @ gains[which]
        for copy in reversed(range(copies)):  # what a copy leads to lies above it; one after the other, so that long times are not squared
            for to, start_of, what in links:
                if start_of == copy:
                    rows[copy] += rows[to] if what == "clock" else rows[to] @ gains[what]
            rows[copy] = to_infinity(own, rows[copy])
        return np.asarray(x[total:] + np.einsum("ckd,cd->k", rows, x[:total].reshape(copies, d)))

    def pairs(self, first: Light, second: Light, begin: float = 0.0, end: float = math.inf) -> np.ndarray:
        """(3,) mean photons of two lights and <n m> of the two, <n (n-1)> if they are one, all times within a gate."""
        n, m, forward, backward = self.sums(3, [(1, 0, 0), (2, 0, 1)], [(0, 0), (0, 1), (1, 1), (2, 0)], (first, second), False, begin, end)
        return np.array([n, m, forward + backward])

    def arrivals(self, light: Light) -> Arrivals:
        """First photon and delay to the second."""
        links: list[Link] = [(1, 0, "clock"), (2, 0, 0), (3, 2, "clock")]
        p1, t1, p2, t2 = self.sums(4, links, [(0, 0), (1, 0), (2, 0), (3, 0)], (light,), True)
        return Arrivals(float(p1), float(p2), float(t1 / p1) if p1 > 0.0 else math.nan, float(t2 / p2) if p2 > 0.0 else math.nan)

    @property
    def _kept(self) -> np.ndarray:
        """(d + 1,) what a system keeps in which the last entry holds photons: total probability."""
        return np.append(self.light.trace, 1.0)

    def _until_a_photon(self, light: Light) -> Timeline:
        """The timeline (d + 1,) on which a photon of the light ends everything, and is kept as the last entry: so slow losses keep their digits."""
        d, trace = self.light.trace.size, self.light.trace

        def change(silent: Matrix, jumps: Jumps) -> Matrix:
            gain = counted((light,), jumps, silent)[0]
            return placed([(0, 0, uncounted((light,), silent, jumps)), (d, 0, (trace @ gain)[None])], d + 1)

        return self.timeline.assembled(change)

    def _gain(self, light: Light, time: float) -> Matrix:
        """J at a time, after any instant there."""
        past = stretches_between(self.timeline, -math.inf, np.nextafter(time, math.inf))
        s = next(s for s, _, _ in reversed(past) if not s.is_instant)
        gain = counted((light,), s.jumps, s.silent)[0]
        for d in s.driven:
            if d.light and s.pieces_ns is not None:
                gain = gain + d.height(s.pieces_ns, time - s.start_ns) * counted((light,), d.light, d.matrix)[0]
        return gain

    def _density(self, alone: Timeline, light: Light, x: np.ndarray, begin: float, times: np.ndarray) -> np.ndarray:
        """(n,) tr J x at times (n,) after `begin`, from x (d,) there, until a photon comes; 0 beyond the end of a period."""
        order, found = np.argsort(times), np.zeros(times.size)
        inside = order[times[order] <= self.end_ns]
        if inside.size:
            states = visited(alone, np.append(x, 0.0), begin, times[inside], self.light.stretch, self._kept)[:-1]
            last = np.nextafter(self.end_ns, 0.0)
            found[inside] = [(self.light.trace @ self._gain(light, min(t, last))) @ y for t, y in zip(times[inside], states.T, strict=True)]
        return found

    def first(self, light: Light, times: np.ndarray) -> np.ndarray:
        """(n,) density of the first photon in 1/ns at times (n,); its integral is the probability that there is one."""
        return self._density(self._until_a_photon(light), light, self.light.state, -math.inf, times)

    def delays(self, light: Light, delays: np.ndarray) -> np.ndarray:
        """(n,) density in 1/ns of the delay (n,) >= 0 between first and second photon; its integral is the probability that both come."""
        alone, step = self._until_a_photon(light), self.light.stretch
        d, settled, is_train = self.light.trace.size, settled_ns(self.timeline), self.end_ns < math.inf
        found = np.zeros(delays.size)
        x, at = np.append(self.light.state, 0.0)[:, None], -math.inf
        flashes = np.zeros((d + 1, 0))  # what first photons leave behind, carried on together until all is settled
        waiting: list[tuple[float, float]] = []  # their (times, weights)
        for time, weight in zip(*points_in(alone, np.append(self.light.trace, 0.0) != 0.0, settled, self.points, delays), strict=True):
            both = carried(alone, np.column_stack([x, flashes]), at, time, step, self._kept)
            x, flashes, at = both[:, :1], both[:, 1:], time
            flash = self._gain(light, time) @ x[:d]
            soon = time + delays < settled
            if soon.any():
                found[soon] += weight * self._density(alone, light, flash[:, 0], time, time + delays[soon])
            if not soon.all():
                flashes = np.column_stack([flashes, np.append(flash, 0.0)])
                waiting.append((time, weight))
        if settled == self.end_ns:
            return found
        both = carried(alone, np.column_stack([x, flashes]), at, settled if is_train else math.inf, step, self._kept)
        x, flashes = both[:d, 0], both[:, 1:]
        gain, whole = dense(self._gain(light, settled)), dense((alone.stretches[-1] if is_train else alone.rest).silent)
        row, length = np.append(self.light.trace @ gain, 0.0)[None], self.end_ns - settled
        rest, flow = whole[:d, :d], Flow(whole, self._kept, None, step)
        for (time, weight), flash in zip(waiting, flashes.T, strict=True):
            late = (time + delays >= settled) & (time + delays <= self.end_ns)
            found[late] += weight * flow.along(row, flash, time + delays[late] - settled)[0]
        keep = np.flatnonzero(seen_by(rest, (gain != 0.0).any(axis=0)))  # what no photon comes from need not be summed: it may stay for ever
        if is_train and keep.size:
            for k in np.flatnonzero(delays < length):  # both photons come before the period is over
                before = self._summed(flow, keep, x, length - delays[k])
                found[k] += flow.along(row, np.append(gain[:, keep] @ before, 0.0), delays[k : k + 1])[0, 0]
        elif keep.size:
            before = to_infinity(rest[np.ix_(keep, keep)].T, x[keep][None])[0]  # the integral of x from now on
            found += flow.along(row, np.append(gain[:, keep] @ before, 0.0), delays)[0]
        return found

    def _summed(self, flow: Flow, keep: np.ndarray, x: np.ndarray, length: float) -> np.ndarray:
        """(k,) the kept entries of the integral of x (d,) over a time of constant rates, `flow` (d + 1, d + 1); nothing leads to them but they themselves.

        Squaring loses as many digits as rates times time has; the integral for ever less that of what is then left loses those of their ratio to
        the difference, and is the better road wherever most has decayed.
        """
        block, now, n = flow.a[np.ix_(keep, keep)], x[keep], keep.size
        larger = np.block([[block, np.zeros((n, n))], [np.eye(n), np.zeros((n, n))]])
        left = flow.along(np.eye(flow.a.shape[0])[keep], np.append(x, 0.0), np.array([length]))[:, 0]
        try:
            for_ever, found = to_infinity(block.T, np.stack([now, now - left]))
        except Endless:
            for_ever, found = np.full(n, math.inf), now
        if np.abs(for_ever).sum() <= float(np.abs(block).sum(axis=0).max()) * length * np.abs(found).sum():
            return found
        return Flow(larger, None, None, self.light.stretch).along(np.eye(n, 2 * n, n), np.append(now, np.zeros(n)), np.array([length]))[:, 0]

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
                    found[k, :k] = seen[:k]  # the diagonal is that of `second` just after `first`
        return found
