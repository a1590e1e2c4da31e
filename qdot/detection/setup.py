"""Several detectors together: what fits together, and what a source's light becomes at them. The substance of `Experiment`'s recorded quantities.

The light comes as the objects of `statistics`, of which only what the two protocols below name is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from qdot.detection.blinking import Blinking
from qdot.detection.dead_time import Rates, afterpulses_per_pulse, blind_pulses, registered_per_ns, registered_per_period
from qdot.detection.detector import Detector
from qdot.detection.patterns import patterns_of, with_background
from qdot.detection.recorded import CountRate
from qdot.errors import bad, number, unknown
from qdot.evolve import Matrix, Register, joint_numbers
from qdot.evolve.reduction import pattern
from qdot.model import Channel

Light = Mapping[Channel, float]
SHARES = 1e-12
"""Shares may add up to 1 and this much more, which is rounding."""


class Steady(Protocol):
    """Steady light of a stack of B sources: what a rate needs of it."""

    @property
    def generators(self) -> Sequence[Matrix] | np.ndarray: ...
    @property
    def trace(self) -> np.ndarray: ...
    @property
    def state(self) -> np.ndarray: ...
    @property
    def jumps(self) -> Mapping[Channel, Sequence[Matrix] | np.ndarray]: ...


class Source(Protocol):
    """What a source is made of, as matrices."""

    def matrices(self) -> Sequence[Matrix]: ...


class Pulsed(Protocol):
    """Light of a train: what a rate needs of it."""

    @property
    def timeline(self) -> Source: ...
    @property
    def trace(self) -> np.ndarray: ...
    @property
    def state(self) -> np.ndarray: ...
    def moments(self, axes: Sequence[Light], degrees: Sequence[int]) -> np.ndarray: ...
    def between(self, begin_ns: float, end_ns: float, axes: Sequence[Light], register: Register, y: np.ndarray) -> np.ndarray: ...


def check_together(detectors: Sequence[Detector], seen: Callable[[Detector], Iterable[Channel]]) -> None:
    """Names differ, and no channel of light is shared out more than once. seen: the channels that a detector looks at."""
    for i, d in enumerate(detectors):
        if not isinstance(d, Detector):
            raise bad(f"Experiment.detectors[{i}]", "be a Detector", repr(d), 'for example qdot.detection.Detector("A", share=0.5)')
        if d.name in [other.name for other in detectors[:i]]:
            raise bad(f"Experiment.detectors[{i}].name", "differ from the other detectors", repr(d.name), "rename one of them")
    channels = [tuple(seen(d)) for d in detectors]
    for channel in dict.fromkeys(c for light in channels for c in light):
        seeing = [d for d, light in zip(detectors, channels, strict=True) if channel in light]
        total = sum(d.share for d in seeing)
        if total > 1.0 + SHARES:
            where = f"line {channel.line!r}" + (f" in polarisation {channel.polarisation}" if channel.polarisation else "")
            got = f"{total:g} for {where} (" + ", ".join(f"{d.name!r}: {d.share:g}" for d in seeing) + ")"
            raise bad("the shares of the detectors", "add up to at most 1 for each line", got, "give each what the splitter sends there, 0.5 if it is 50:50")


def replaced(detectors: Sequence[Detector], name: str, value: Any) -> tuple[Detector, ...]:
    """The detectors with one field changed: of one ("A.efficiency"), or of all ("efficiency")."""
    fields = [f.name for f in dataclasses.fields(Detector)]
    who, _, field = name.rpartition(".")
    if field not in fields:
        raise unknown(f"detectors.{name}", field, fields)
    if who and who not in [d.name for d in detectors]:
        raise unknown(f"detectors.{name}", who, [d.name for d in detectors])
    return tuple(dataclasses.replace(d, **{field: value}) if who in ("", d.name) else d for d in detectors)


def continuous_rates(steady: Steady, light: Light, detector: Detector, on: float) -> np.ndarray:
    """(B, 3) photons, registered and afterpulses per ns of each source of a stack. light: {channel: probability to raise a count}.

    on: share of the time in which the source is bright. A dead time is taken to be short beside the times of blinking.
    """
    found = []
    for b in range(steady.state.shape[0]):
        generator = steady.generators[b]
        nothing = 0.0 * generator
        jump = sum((w * steady.jumps[c][b] for c, w in light.items() if c in steady.jumps), nothing)
        every = [of_all[b] for of_all in steady.jumps.values()]
        bright = registered_per_ns(generator, jump, steady.trace, steady.state[b], detector, every)
        dark = registered_per_ns(generator, nothing, steady.trace, steady.state[b], detector, every) if on < 1.0 else bright
        found.append(_mixed(bright, dark, on))
    return np.array(found)


def train_rates(pulsed: Pulsed, light: Light, detector: Detector, on: float, period_ns: float) -> np.ndarray:
    """(3,) the same of a train. Without a dead time every photon is a count; with one, a pulse is one click, and pulses covered by it are lost."""
    if detector.dead_time_ns == 0.0:
        mean, p = float(pulsed.moments((light,), (1,))[1]) / period_ns, detector.afterpulse_probability
        background = detector.background_per_ns + detector.leakage_per_pulse / period_ns
        registered = (on * mean + background) / (1.0 - p)
        return np.array([on * mean, registered, p * registered])
    maps = pulsed.between(0.0, period_ns, (light,), joint_numbers((0,)), np.eye(pulsed.trace.size))
    none, some = maps[..., 0], maps[..., 1]
    mean = float(pulsed.moments((light,), (1,))[1]) / period_ns

    edges = pattern(pulsed.timeline.matrices())

    def rates(none: np.ndarray, some: np.ndarray, mean: float) -> Rates:
        return registered_per_period(none, some, pulsed.trace, pulsed.state, mean, detector, period_ns, edges)

    bright = rates(none, some, mean)
    return _mixed(bright, rates(none + some, 0.0 * some, 0.0) if on < 1.0 else bright, on)


def _mixed(bright: Rates, dark: Rates, on: float) -> np.ndarray:
    return on * np.array(bright) + (1.0 - on) * np.array(dark)


def background_means(detectors: Sequence[Detector], period_ns: float | None, window_ns: float | None) -> list[float]:
    """Mean number of background counts per pulse of each detector. Raises InputError for what the click patterns of one pulse cannot hold."""
    if window_ns is not None:
        number("window_ns", window_ns, low=0.0, unit="ns")
        if period_ns is not None:
            raise bad("window_ns", "be left out for a train, whose background counts over its period", window_ns, "photons outside a gate are not in P(n)")
    for d in detectors:
        here = f"detector {d.name!r}"
        if period_ns is not None and blind_pulses(d, period_ns) > 0:
            remedy = "ask for count_rates, or simulate a stream of tags: one pulse's pattern depends on the pulses before"
            raise bad(f"{here}: dead_time_ns", f"be shorter than the period of {period_ns:g} ns for click patterns", d.dead_time_ns, remedy)
        if d.number_resolving and d.afterpulse_probability > 0.0:
            raise bad(f"{here}: afterpulse_probability", "be 0 where it resolves numbers", d.afterpulse_probability, "simulate a stream of tags instead")
        if period_ns is None and window_ns is None and d.background_per_ns > 0.0:
            raise bad("window_ns", f"be given: {here} has background, which counts for a time", "nothing", "say for how long after the pulse counts are taken")
    time = window_ns if period_ns is None else period_ns
    return [d.leakage_per_pulse + d.background_per_ns * (time or 0.0) for d in detectors]


def recorded_patterns(
    numbers: np.ndarray,
    splits: Sequence[np.ndarray],
    shape: Sequence[int],
    detectors: Sequence[Detector],
    means: Sequence[float],
    period_ns: float | None,
    blinking: Blinking | None,
) -> np.ndarray:
    """(shape) probabilities of the outcomes: photons as in `patterns_of`, dark for a share of the pulses, then background and afterpulses."""
    found = patterns_of(numbers, splits, shape)
    if blinking is not None:
        found = blinking.on_fraction * found
        found[(0,) * found.ndim] += 1.0 - blinking.on_fraction
    total = list(means)
    for axis, d in enumerate(detectors):
        if period_ns is None or d.afterpulse_probability == 0.0:
            continue
        quiet = float(np.moveaxis(found, axis, 0)[0].sum())
        more = 0.0
        for _ in range(200):
            more = afterpulses_per_pulse(1.0 - quiet * float(np.exp(-means[axis] - more)), d, period_ns)
        total[axis] += more
    return with_background(found, total)


def peak_shares(
    first: Detector, second: Detector, rates: Sequence[CountRate], window_ns: float, period_ns: float, blinking: Blinking | None
) -> Callable[[np.ndarray], np.ndarray]:
    """From the source's areas over the product of its means (m = 0, 1, .., infinity) to those recorded over a far one's; last, that one's pairs per pulse."""
    share = window_ns / period_ns
    if share < 1.0 and (first.leakage_per_pulse > 0.0 or second.leakage_per_pulse > 0.0):
        raise bad("window_ns", "be the period where laser light leaks with the pulses", window_ns, "leave it out: where a window cuts that light is not known")
    photons = [1e-9 * r.photons_per_s * period_ns for r in rates]
    background = [1e-9 * r.background_per_s * period_ns for r in rates]
    recorded = [r.registered_per_s / (r.photons_per_s + r.background_per_s) if r.registered_per_s > 0.0 else 0.0 for r in rates]
    beside = share * (photons[0] * background[1] + background[0] * photons[1] + background[0] * background[1])

    def recorded_areas(raw: np.ndarray) -> np.ndarray:
        periods = np.append(np.arange(raw.size - 1.0), np.inf) * period_ns
        together = 1.0 if blinking is None else blinking.correlation(periods)
        pairs = photons[0] * photons[1] * raw * together + beside
        return np.append(pairs[:-1] / pairs[-1], pairs[-1] * recorded[0] * recorded[1])

    return recorded_areas
