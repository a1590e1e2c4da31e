"""Pairs of photons of a train by their delay: the area of the peak at m periods as a laboratory counts it, |tau - m T| < window / 2.

`PulsedLight.correlations` counts by period: both photons between two pulses. Where emission crosses the border of a period the two differ. Here the
first photon's time is integrated over one period by Gauss and Legendre, on panels that end wherever a pulse begins or ends, or would end a window;
the photons that follow are counted by the register, without any grid.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from qdot.errors import bad
from qdot.evolve import dense, powers
from qdot.generator import Stretch
from qdot.statistics.continuous import Light
from qdot.statistics.pulsed import PulsedLight

POINTS = (12, 15)
"""Points of one panel: of the calculation as given, and of the one that measures its error."""
FINEST = 0.25
"""First panel after a change of the generator, in units of its shortest lifetime."""
SAME = 1e-14
"""Times closer than this fraction of a period are one time."""


def peak_areas(light: PulsedLight, first: Light, second: Light, count: int, window_ns: float) -> np.ndarray:
    """(count + 2,) mean number of pairs per period with `second` m = 0 .. count periods after `first`, give or take half a window; last, m = infinity.

    Over the product of the mean photon numbers, so that the last is 1 for a window of one period. m = 0 takes both orders within half a window.
    window_ns: at most the period. nan where either is dark. Raises InputError for a light that an instant pulse emits at one moment.
    """
    period = light.timeline.period_ns
    if period is None:
        raise bad("the areas of peaks", "be asked of a train", "a single pulse", "give the drive a period_ns")
    for s in light.timeline.stretches:
        if s.is_instant and any(_is_lit(s, one) for one in (first, second)):
            raise bad("the areas of peaks", "be asked of light that takes some time", "photons emitted by an instant pulse", "use a square pulse")
    half = window_ns / 2.0
    times, weights = _nodes(light, period, half)
    means = [float(light.moments((one,), (1,))[1]) for one in (first, second)]
    if min(means) <= 0.0:
        return np.full(count + 2, np.nan)
    found = _followers(light, first, second, times, half, period, count) @ weights
    areas, far = found[:, 0], found[0, 1]
    if first == second:
        areas[0], far = 2.0 * areas[0], 2.0 * far
    else:
        back = _followers(light, second, first, times, half, period, 0)[0] @ weights
        areas[0], far = areas[0] + back[0], far + back[1]
    return np.append(areas, far) / (means[0] * means[1])


def _is_lit(s: Stretch, light: Light) -> bool:
    jumps = [s.jumps, *(d.light for d in s.driven)]
    return any(w > 0 and c in j and abs(j[c]).max() > 0.0 for j in jumps for c, w in light.items())


def _nodes(light: PulsedLight, period: float, half: float) -> tuple[np.ndarray, np.ndarray]:
    """Times of the first photon within a period, and their weights."""
    marks = [0.0, period]
    for s in light.timeline.stretches:
        if s.is_instant:
            marks.append(s.start_ns)
        elif s.pieces_ns is not None:
            marks += [s.start_ns, *(s.start_ns + np.cumsum(s.pieces_ns)[1::2]), s.end_ns]
        else:
            fastest = float(np.abs(dense(s.silent).diagonal()).max(initial=0.0))
            first = FINEST / fastest if fastest > 0.0 else s.duration_ns
            marks += [s.start_ns, s.end_ns, *(s.start_ns + first * 2.0 ** np.arange(60)[first * 2.0 ** np.arange(60) < s.duration_ns])]
    at = np.array(marks)
    edges = np.unique(np.concatenate([at, (at - half) % period, (at + half) % period, [0.0, period]]))
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-13 * period])]
    edges[-1] = period
    x, w = np.polynomial.legendre.leggauss(POINTS[0] if light.stretch == 1.0 else POINTS[1])
    h = np.diff(edges)
    return ((edges[:-1] + h / 2.0)[:, None] + h[:, None] / 2.0 * x).ravel(), (h[:, None] / 2.0 * w).ravel()


def _followers(light: PulsedLight, first: Light, second: Light, times: np.ndarray, half: float, period: float, count: int) -> np.ndarray:
    """(count + 1, 2, n) how many of the second follow a first photon at each time, times its density, in each window; m = 0 opens with the photon.

    [:, 0]: of the source as it is; [:, 1]: of one that the first photon says nothing about.
    """
    opens, closes = (times - half) % period, (times + half) % period
    stops = np.unique(np.concatenate([[0.0], times, opens, closes, [period]]))
    stops = stops[np.concatenate([[True], np.diff(stops) > SAME * period])]
    starts, opening_at, closing_at = (np.searchsorted(stops, t - SAME * period) % (stops.size - 1) for t in (times, opens, closes))
    starting, opening, closing = ([np.flatnonzero(at == i) for i in range(stops.size - 1)] for at in (starts, opening_at, closing_at))
    d, n = light.trace.size, times.size
    one, register = np.eye(d), powers((1,))
    steps = [np.moveaxis(light.between(a, b, (second,), register, one), 2, 0) for a, b in pairwise(stops)]
    both = [np.block([[s, np.zeros((d, d))], [c, s]]) for s, c in steps]  # of the state, and of the state times what has been counted
    z, found = np.zeros((2 * d, 2 * n)), np.zeros((count + 1, 2, n))
    opened, closed = np.full(n, -1), np.full(n, -1)  # the last window that has opened, and closed
    state, turn = light.state, 0
    while np.any(closed < count):
        for i, step in enumerate(both):
            if closing[i].size:
                shut = closing[i][opened[closing[i]] > closed[closing[i]]]
                inside = shut[opened[shut] <= count]
                found[opened[inside], 0, inside] = light.trace @ z[d:, inside]
                found[opened[inside], 1, inside] = light.trace @ z[d:, n + inside]
                closed[shut] = opened[shut]
            if opening[i].size:
                fresh = opening[i][(opened[opening[i]] >= 0) & (opened[opening[i]] == closed[opening[i]])]
                opened[fresh] += 1
                z[d:, fresh] = z[d:, n + fresh] = 0.0
            if turn == 0:
                for k in starting[i]:
                    z[:d, k] = light.emission(times[k], first) @ state
                    z[:d, n + k] = (light.trace @ z[:d, k]) * state
                opened[starting[i]] = 0
                state = steps[i][0] @ state
            z = step @ z
        turn += 1
    return found
