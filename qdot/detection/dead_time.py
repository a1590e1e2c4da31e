"""How often a detector with a dead time registers a count, exactly, for any source.

After a registered count the detector is blind for a fixed time while the source goes on; then it waits for the next count. What has the source in
its state *while the detector is live* is the null vector of K + e^{L tau} J, K = L - J being the source without counts: counts take the source out of
there, and it comes back a dead time later. With rho the rate of counts in that state the registered rate is rho / (1 + rho tau), the textbook's
formula with a live rate; for Poissonian light rho is the rate of the light. Bunched light loses more: partners fall into each other's dead time.
Source: J. W. Mueller, Nucl. Instrum. Methods 112, 47 (1973), for the two kinds of dead time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qdot.detection.detector import Detector
from qdot.errors import bad
from qdot.evolve import Matrix, carry, dense, fixed_point, joint_numbers, nothing_counted, steady_state
from qdot.evolve.reduction import pattern


class Rates(NamedTuple):
    """Counts per ns of one detector: raised by photons; registered; and how many of these are afterpulses."""

    photons: float
    registered: float
    afterpulses: float = 0.0


def registered_per_ns(generator: Matrix, jump: Matrix, trace: np.ndarray, state: np.ndarray, detector: Detector, jumps: Sequence[Matrix] = ()) -> Rates:
    """Rates of a detector under continuous light.

    generator: (d, d) of the source, light included; jump: (d, d) what raises a count, efficiency included; trace, state: (d,) row and steady
    state; jumps: all (d, d) that the generator is a sum of, where parts may cancel (what two polarisations do to a coherence).
    Afterpulses: exact without a dead time, else to first order in their probability times the share of time that is dead.
    """
    background, tau, p = detector.background_per_ns, detector.dead_time_ns, detector.afterpulse_probability
    photons = float(trace @ (jump @ state))
    raised = photons + background
    if raised == 0.0:
        return Rates(0.0, 0.0)
    if tau == 0.0:
        return Rates(photons, raised / (1.0 - p), raised * p / (1.0 - p))
    counts = dense(jump) + background * np.eye(trace.size)
    waiting = dense(generator) - counts
    if detector.dead_time_kind == "paralysable":
        refuse_paralysable_afterpulses(detector)
        after = joint_numbers((0,)).start((counts @ state)[:, None])
        unseen = carry(waiting, [counts], joint_numbers((0,)), tau, after, trace)[:, 0, 0]
        return Rates(photons, float(trace @ unseen))
    back = carry(dense(generator), (), nothing_counted(), tau, counts[..., None], trace)[..., 0]
    live = steady_state(waiting + back, trace, pattern([waiting, back, counts, *map(dense, jumps)]))
    rho = float(trace @ (counts @ live)) / float(trace @ live)
    # r = (1 - r tau)(rho + p r): false counts fall into live times as often as others do
    b = 1.0 - p + rho * tau
    r = 2.0 * rho / (b + float(np.sqrt(b * b + 4.0 * p * tau * rho)))
    return Rates(photons, r, r - rho * (1.0 - r * tau) if p > 0.0 else 0.0)


def registered_per_period(
    none: np.ndarray, some: np.ndarray, trace: np.ndarray, state: np.ndarray, mean_per_ns: float, detector: Detector, period_ns: float, edges: Matrix
) -> Rates:
    """Rates of a detector with a dead time under a train of pulses: any number of photons in one pulse is one click.

    none, some: (d, d) one-period maps without and with a detected photon; state: (d,) at the period start; mean_per_ns: photon counts per ns
    without a dead time; edges: (d, d) pattern of all that the source is made of, where parts of the maps may cancel. A dead time blinds the detector for
    the whole pulses that it covers, `blind_pulses` of them; what photons late in one pulse do to early ones of the next is left out.
    Afterpulses are background of the pulses that follow, to first order in their probability.
    """
    blind = blind_pulses(detector, period_ns)
    mean = detector.leakage_per_pulse + detector.background_per_ns * period_ns
    silent = float(np.exp(-mean))
    seen = some - float(np.expm1(-mean)) * none
    q = float(trace @ (seen @ state))
    if q == 0.0:
        return Rates(mean_per_ns, 0.0)
    if detector.dead_time_kind == "paralysable":
        refuse_paralysable_afterpulses(detector)
        after = seen @ state
        for _ in range(blind):
            after = silent * (none @ after)
        return Rates(mean_per_ns, float(trace @ after) / period_ns)
    if blind:
        moved = seen
        for _ in range(blind):
            moved = (none + some) @ moved
        step = silent * none + moved
        live = fixed_point(step, trace, pattern([step, edges]))
        q = float(trace @ (seen @ live)) / float(trace @ live)
    click = r = q / (1.0 + blind * q)
    for _ in range(200 if detector.afterpulse_probability > 0.0 else 0):
        more = q - (1.0 - q) * float(np.expm1(-afterpulses_per_pulse(r, detector, period_ns)))
        r = more / (1.0 + blind * more)
    return Rates(mean_per_ns, r / period_ns, max(r - click, 0.0) / period_ns)


def blind_pulses(detector: Detector, period_ns: float) -> int:
    """How many whole pulses the dead time after a click covers."""
    return int(np.floor(detector.dead_time_ns / period_ns * (1.0 + 1e-12)))


def afterpulses_per_pulse(click: float, detector: Detector, period_ns: float) -> float:
    """Mean number of false counts that clicks of probability `click` per pulse send into later pulses; those into their own change nothing."""
    if detector.afterpulse_probability == 0.0:
        return 0.0
    rest = max(period_ns - detector.dead_time_ns, 0.0)
    return detector.afterpulse_probability * click * float(np.exp(-rest / detector.afterpulse_time_ns))


def refuse_paralysable_afterpulses(detector: Detector) -> None:
    """A false count that starts the dead time again makes its own rate depend on all earlier ones."""
    if detector.afterpulse_probability > 0.0:
        here = f"detector {detector.name!r}"
        raise bad(here, "have no afterpulses where its dead time is paralysable", detector.afterpulse_probability, "simulate a stream of tags instead")
