"""What a detector makes of the photons that reach it, as a stream: counts beside them, dead time and false counts, jitter.

In the order of the physics: photons that raise a count (loss is thinned out before), dark counts and leakage of the laser beside them; dead time
and afterpulses among the true times of the counts; then each count is told later by its delay. Times are whole ps.
"""

from __future__ import annotations

import heapq
import math

import numpy as np

from qdot.detection import Blinking, Detector
from qdot.tags.simulation import kernel

DRAWS = 1 << 16
"""Random numbers drawn at once."""
SIGMAS = 9.0
"""A Gaussian delay is taken to be within this many standard deviations (but for 1e-19) where the edges of a record are made good."""
DEAD_TIMES, AFTERPULSE_TIMES = 20.0, 40.0
"""A detector is switched on this many of its own times before the record begins."""


def delays_ns(detector: Detector) -> tuple[float, float]:
    """The least and the largest delay between a count and its tag."""
    if detector.response is not None:
        return detector.delay_ns + detector.response.edges_ns[0], detector.delay_ns + detector.response.edges_ns[-1]
    half = SIGMAS * detector.jitter_sigma_ns
    return detector.delay_ns - half, detector.delay_ns + half


def memory_ns(detector: Detector) -> float:
    """How long before the record the detector is switched on, so that it forgets its first moment."""
    return DEAD_TIMES * detector.dead_time_ns + AFTERPULSE_TIMES * detector.afterpulse_time_ns * (detector.afterpulse_probability > 0.0)


def beside(detector: Detector, begin_ps: int, end_ps: int, pulses_ps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(k,) times in ps, unsorted, of dark counts and leakage in [begin_ps, end_ps); pulses_ps: when the laser fires."""
    steady = rng.poisson(detector.background_per_ns * (end_ps - begin_ps) / 1000.0)
    found = [rng.integers(begin_ps, end_ps, steady)]
    if detector.leakage_per_pulse > 0.0:
        found.append(np.repeat(pulses_ps, rng.poisson(detector.leakage_per_pulse, pulses_ps.size)))
    return np.concatenate(found)


def registered(detector: Detector, counts: np.ndarray, end_ps: int, rng: np.random.Generator) -> np.ndarray:
    """The counts (n,), in the order of time, that a detector with a dead time registers, with its false counts; in the order of time."""
    if detector.dead_time_ns == 0.0 and detector.afterpulse_probability == 0.0:
        return counts
    counts = np.ascontiguousarray(counts, dtype=np.int64)
    dead = round(detector.dead_time_ns * 1000.0)
    lowest = int(counts[0]) if counts.size else 0
    at = np.array([0, lowest, 0, 0], dtype=np.int64)  # next count, when free, false counts that wait, 1 at the end
    waiting = np.empty(0, np.int64)
    found = []
    run = _register if kernel.library() is None else _compiled
    p, mean_ps, is_paralysable = detector.afterpulse_probability, detector.afterpulse_time_ns * 1000.0, detector.dead_time_kind == "paralysable"
    while not at[3]:
        uniform, exponential = rng.random(DRAWS), rng.standard_exponential(DRAWS)
        waiting = np.concatenate([waiting[: at[2]], np.empty(DRAWS, np.int64)])
        found.append(run(counts, uniform, exponential, p, mean_ps, dead, is_paralysable, end_ps, at, waiting))
    return np.concatenate(found)


def told(detector: Detector, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) times in ps at which counts are told, in the order of time."""
    if detector.response is None and detector.jitter_fwhm_ns == 0.0:
        return counts + round(detector.delay_ns * 1000.0)
    late = np.rint(1000.0 * detector.draw_jitter_ns(counts.size, rng)).astype(np.int64)
    return np.sort(counts + late, kind="stable")


def is_bright(blinking: Blinking, times: np.ndarray, begin_ps: int, end_ps: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) True where the shutter is open, at times in [begin_ps, end_ps) in order; it is in its steady state at begin_ps."""
    if blinking.off_ns == 0.0:
        return np.ones(times.shape, dtype=bool)
    opens = bool(rng.random() < blinking.on_fraction)
    means = 1000.0 * np.array([blinking.on_ns, blinking.off_ns] if opens else [blinking.off_ns, blinking.on_ns])
    pairs = max(16, math.ceil(1.1 * (end_ps - begin_ps) / means.sum()))
    changes = [np.array([begin_ps], dtype=np.int64)]
    while changes[-1][-1] < end_ps:
        lengths = np.floor(rng.standard_exponential((pairs, 2)) * means + rng.random((pairs, 2))).astype(np.int64)
        changes.append(changes[-1][-1] + np.cumsum(lengths.ravel()))
    passed = np.searchsorted(np.concatenate(changes)[1:], times, side="right")
    return (passed % 2 == 0) == opens


def _register(
    counts: np.ndarray,
    uniform: np.ndarray,
    exponential: np.ndarray,
    probability: float,
    mean_ps: float,
    dead_ps: int,
    is_paralysable: bool,
    end_ps: int,
    at: np.ndarray,
    waiting: np.ndarray,
) -> np.ndarray:
    """Registering in Python, statement by statement that of events.c; `at` and `waiting` are moved on."""
    following, free, size, _ = (int(v) for v in at)
    heap = waiting[:size].tolist()
    heapq.heapify(heap)
    given, n = counts[following:].tolist(), counts.size
    first = following
    found: list[int] = []
    for chance, length in zip(uniform.tolist(), exponential.tolist(), strict=True):
        now = None
        while now is None or now < free:  # to the next count that is registered
            if heap and (following == n or heap[0] <= given[following - first]):
                now = heapq.heappop(heap)
            elif following < n:
                now = given[following - first]
                following += 1
            else:
                break
            if now < free and is_paralysable:
                free = now + dead_ps
        else:
            later = length * mean_ps
            if chance < probability and later < end_ps - now:
                heapq.heappush(heap, now + dead_ps + math.floor(later))
            found.append(now)
            free = now + dead_ps
            continue
        at[3] = 1
        break
    at[:3] = following, free, len(heap)
    waiting[: len(heap)] = heap
    return np.array(found, dtype=np.int64)


def _compiled(
    counts: np.ndarray,
    uniform: np.ndarray,
    exponential: np.ndarray,
    probability: float,
    mean_ps: float,
    dead_ps: int,
    is_paralysable: bool,
    end_ps: int,
    at: np.ndarray,
    waiting: np.ndarray,
) -> np.ndarray:
    found = np.empty(uniform.size, np.int64)
    draws = (counts.ctypes.data, counts.size, uniform.size, uniform.ctypes.data, exponential.ctypes.data)
    kept = (at.ctypes.data, waiting.ctypes.data, found.ctypes.data)
    n = kernel.library().detector_register(*draws, probability, mean_ps, dead_ps, int(is_paralysable), end_ps, *kept)  # type: ignore[union-attr]
    return found[:n]
