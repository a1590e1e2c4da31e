"""From an experiment to a record of time tags: who sees which light, where the stream begins and ends, which picture samples it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from qdot.detection import Blinking, Detector
from qdot.drive import Drive, Pulse
from qdot.errors import InputError, bad, number, unknown
from qdot.generator import Timeline, between_jumps
from qdot.model import Channel, Model
from qdot.polarisation import Polarisation
from qdot.tags.simulation import detecting
from qdot.tags.simulation.chain import Chain, chain_of, divided, walked
from qdot.tags.simulation.trajectory import Trajectory, followed, trajectory_of
from qdot.tags.stream import CHANNELS, LARGEST_PS, PS_PER_NS, Tags, merged

Label = str | Sequence[str]
STARTS = ("steady", "start")


class Experiment(Protocol):
    """What is needed of a qdot.Experiment."""

    @property
    def source(self) -> Any: ...
    @property
    def detectors(self) -> Sequence[Detector]: ...
    @property
    def blinking(self) -> Blinking | None: ...
    @property
    def model(self) -> Model: ...
    @property
    def drives(self) -> tuple[Drive, ...]: ...
    @property
    def analysis(self) -> Mapping[str, Polarisation]: ...
    @property
    def timeline(self) -> Timeline: ...
    @property
    def period_ns(self) -> float | None: ...
    @property
    def is_pulsed(self) -> bool: ...
    def collected(self, label: Label, stage: str | None = None) -> dict[Channel, float]: ...
    def steady_vector(self) -> np.ndarray: ...
    def replace(self, *, detectors: Sequence[Detector]) -> Experiment: ...


def simulate_tags(
    experiment: Experiment,
    duration_ns: float,
    channels: Mapping[str | int, Label] | None = None,
    rng: np.random.Generator | None = None,
    detectors: Detector | Sequence[Detector] | None = None,
    *,
    blinking: Blinking | None = None,
    start: str = "steady",
    repeat_ns: float | None = None,
    stage: str | None = None,
) -> Tags:
    """The photons of an experiment as time tags, drawn from its exact statistics: continuous or pulsed, in either picture, with all memory.

    duration_ns: length of the record, which begins at 0. channels: {name or number: label of the light that it sees}; names are numbered from 0 in
    their order. A photon goes to one channel only: light that k channels name goes to each of them with probability 1/k. rng: where all randomness
    comes from; the same state gives the same record.
    detectors: one or several, in place of ideal channels (default: those of the experiment; () for ideal channels all the same). Detector i, under
    its own name, is channel i, and its share, efficiency and everything else are its own; `channels` then says what a detector sees that does not say
    so itself, by its name or number. blinking: a shutter in front of the source, common to all channels (default: that of the experiment).
    start: "steady" (the steady state; the detectors have been on for a while) or "start" (source and detectors begin at time 0, the source in its
    start state). repeat_ns: every so often the source begins anew in its start state: a single pulse, or a decay, repeated.
    stage: where the light is looked at (default: the last of the collection).
    Emission is rounded down to whole ps, delays of detectors to the nearest.
    Raises InputError for labels that nobody emits, light that is given away more than once, a source whose steady state is not unique.
    """
    if not isinstance(rng, np.random.Generator):
        raise bad("simulate_tags rng", "be a NumPy generator", type(rng).__name__, "give for example np.random.default_rng(1)")
    duration_ps = round(number("simulate_tags duration_ns", duration_ns, 0.5 / PS_PER_NS, LARGEST_PS / PS_PER_NS, unit="ns") * PS_PER_NS)
    if start not in STARTS:
        raise unknown("simulate_tags start", start, STARTS)
    if blinking is not None and not isinstance(blinking, Blinking):
        raise bad("simulate_tags blinking", "be a qdot.detection.Blinking", type(blinking).__name__)
    if repeat_ns is not None:
        _check_repeat(experiment, number("simulate_tags repeat_ns", repeat_ns, 0.0, open_low=True, unit="ns"))
    elif experiment.is_pulsed and experiment.period_ns is None:
        raise bad("simulate_tags repeat_ns", "be given for a single pulse", "none", "say after how many ns it comes again, or give the drive a period_ns")
    period_ns = experiment.period_ns if repeat_ns is None else repeat_ns
    _check_channels(channels or {})
    blinking = experiment.blinking if blinking is None else blinking
    given = experiment.detectors if detectors is None else [detectors] if isinstance(detectors, Detector) else list(detectors)
    numbers, chain = _detectors(experiment, channels or {}, given) if given else _ideal(channels or {})
    sent = _sent(experiment, chain, not given, stage)

    earliest, latest = zip(*map(detecting.delays_ns, chain), strict=True)
    lead_ns = max(0.0, max(latest) + max(map(detecting.memory_ns, chain))) if start == "steady" else 0.0
    end_ps = duration_ps + math.ceil(max(0.0, -min(earliest)) * PS_PER_NS)
    begin_ps, blocks = _emitted(experiment, sent, lead_ns, end_ps, start, repeat_ns, rng)
    found = list(blocks)
    times, seen = (np.concatenate([block[i] for block in found]) for i in (0, 1))
    if blinking is not None:
        bright = detecting.is_bright(blinking, times, begin_ps, end_ps, rng)
        times, seen = times[bright], seen[bright]
    about: dict[str, Any] = {
        "period_ps": None if period_ns is None else period_ns * PS_PER_NS,
        "names": {k: d.name for k, d in zip(numbers, chain, strict=True)},
        "source": f"simulated: {type(experiment.source).__name__}",
    }
    if all(_is_prompt(d) for d in chain):
        inside = slice(*np.searchsorted(times, (0, duration_ps)))
        return Tags(times[inside], np.array(numbers, dtype=np.int16)[seen[inside]], duration_ps, **about)
    fires = _fires(experiment, begin_ps, end_ps, period_ns) if any(d.leakage_per_pulse for d in chain) else np.empty(0, np.int64)
    streams = {}
    for k, d in enumerate(chain):
        counts = np.concatenate([times[seen == k], detecting.beside(d, begin_ps, end_ps, fires, rng)])
        counts = detecting.registered(d, np.sort(counts, kind="stable"), end_ps, rng)
        tags = detecting.told(d, counts, rng)
        streams[numbers[k]] = tags[slice(*np.searchsorted(tags, (0, duration_ps)))]
    return merged(streams, duration_ps, **about)


def _check_repeat(experiment: Experiment, repeat_ns: float) -> None:
    if experiment.period_ns is not None:
        raise bad("simulate_tags repeat_ns", "be left out for a train", repeat_ns, "the drive has a period_ns, with memory from pulse to pulse")
    over = max((s.end_ns for s in experiment.timeline.stretches), default=0.0)
    if over > repeat_ns:
        raise bad("simulate_tags repeat_ns", f"be at least {over:g} ns, when the last pulse is over", repeat_ns, "wait longer, or shorten the pulse")


def _check_channels(channels: Mapping[str | int, Label]) -> None:
    example = 'for example {"A": "XX", 1: ["XX", "X"]}'
    if not isinstance(channels, Mapping):
        raise bad("simulate_tags channels", "be {name or number: label}", type(channels).__name__, example)
    for key, label in channels.items():
        if isinstance(key, bool) or not isinstance(key, str | int | np.integer):
            raise bad("simulate_tags channels", "be {name or number: label}", f"a key {key!r}", example)
        if not isinstance(key, str) and not CHANNELS[0] <= key <= CHANNELS[1]:
            raise bad("simulate_tags channels", f"have numbers between {CHANNELS[0]} and {CHANNELS[1]}", key)
        if not isinstance(label, str) and not (isinstance(label, Sequence) and label and all(isinstance(one, str) for one in label)):
            raise bad(f"simulate_tags channels[{key!r}]", "be the label of the light that it sees, or several", repr(label), example)


def _ideal(channels: Mapping[str | int, Label]) -> tuple[list[int], list[Detector]]:
    """(numbers, detectors) of ideal channels, named ones numbered from 0."""
    if not channels:
        raise bad("simulate_tags channels", "name at least one channel", "none", 'for example {0: "XX", 1: "X"}')
    taken = {int(k) for k in channels if not isinstance(k, str)}
    free = (i for i in range(CHANNELS[1]) if i not in taken)
    numbers = [next(free) if isinstance(k, str) else int(k) for k in channels]
    return numbers, [Detector(k if isinstance(k, str) else _name(label), sees=label) for k, label in channels.items()]


def _detectors(experiment: Experiment, channels: Mapping[str | int, Label], given: Sequence[Detector]) -> tuple[list[int], list[Detector]]:
    """(numbers, detectors), each with what it sees; checked by the experiment."""
    if not all(isinstance(d, Detector) for d in given):
        raise bad("simulate_tags detectors", "be a qdot.detection.Detector or several", "something else", 'for example qdot.detection.Detector("A", share=0.5)')
    found, names = list(given), [d.name for d in given]
    for key, label in channels.items():
        if (key not in names) if isinstance(key, str) else not 0 <= key < len(given):
            raise unknown("simulate_tags channels (a name or number of a detector)", key, names)
        k = names.index(key) if isinstance(key, str) else int(key)
        sees = given[k].sees
        if sees is not None and _name(sees) != _name(label):
            raise bad(f"simulate_tags channels[{key!r}]", f"agree with the detector, which sees {_name(sees)!r}", repr(label), "leave one of them out")
        found[k] = replace(given[k], sees=label)
    experiment.replace(detectors=found)
    return list(range(len(found))), found


def _name(label: Label) -> str:
    return label if isinstance(label, str) else " + ".join(map(str, label))


def _sent(experiment: Experiment, detectors: Sequence[Detector], is_ideal: bool, stage: str | None) -> dict[Channel, np.ndarray]:
    """{channel of light: (detectors,) probability that its photon raises a count in each}."""
    if not experiment.model.lines:
        raise bad("simulate_tags", "be asked of a source that emits light", "a model without a jump that has a photon", "name the photon of a jump")
    collected = [experiment.collected(experiment.model.lines if d.sees is None else d.sees, stage) for d in detectors]
    sent = {c: np.zeros(len(detectors)) for one in collected for c in one}
    for c, p in sent.items():
        seers = [k for k, one in enumerate(collected) if c in one]
        shares = np.array([1.0 / len(seers) if is_ideal else detectors[k].share for k in seers])
        for k, share in zip(seers, shares / max(1.0, shares.sum()), strict=True):  # shares of 0.1 add up to 1 but for round-off
            p[k] = collected[k][c] * share * detectors[k].efficiency
    return sent


def _emitted(
    experiment: Experiment, sent: Mapping[Channel, np.ndarray], lead_ns: float, end_ps: int, start: str, repeat_ns: float | None, rng: np.random.Generator
) -> tuple[int, Iterator[tuple[np.ndarray, np.ndarray]]]:
    """(when the stream begins, in ps; blocks of (times in ps, detectors) from there to end_ps)."""
    timeline, period_ns = experiment.timeline, experiment.period_ns
    is_steady = start == "steady" and repeat_ns is None
    x = experiment.steady_vector() if is_steady else timeline.generator.start
    if timeline.generator.picture == "rate":
        c = chain_of(timeline, sent, period_ns, repeat_ns)
        begin = -math.ceil(lead_ns * PS_PER_NS / (c.period_ps + c.period_fraction_ps))
        return _clock(c, begin), walked(c, x, begin, end_ps, rng)
    between, jumps = between_jumps(experiment.model, experiment.drives, experiment.analysis)
    duration_ns = lead_ns + end_ps / PS_PER_NS
    t = trajectory_of(between, jumps, sent, experiment.model.operators().start, duration_ns, period_ns, repeat_ns)
    begin = -math.ceil(lead_ns * PS_PER_NS / (t.period_ps + t.period_fraction_ps))
    return _clock(t, begin), followed(t, _density(x), begin, end_ps, rng)


def _clock(c: Chain | Trajectory, period: int) -> int:
    return period * c.period_ps + math.floor(period * c.period_fraction_ps)


def _density(x: np.ndarray) -> np.ndarray:
    """(n, n) density matrix of the real coordinates rho_ii, Re rho_ij, Im rho_ij (i < j)."""
    n = math.isqrt(x.size)
    upper = np.zeros((n, n), dtype=complex)
    real, imaginary = np.split(x[n:], 2)
    upper[np.triu_indices(n, 1)] = real + 1j * imaginary
    return np.diag(x[:n]) + upper + upper.conj().T


def _is_prompt(d: Detector) -> bool:
    return not (d.dark_per_s or d.leakage_per_s or d.leakage_per_pulse or d.dead_time_ns or d.afterpulse_probability or d.jitter_fwhm_ns or d.delay_ns) and (
        d.response is None
    )


def _fires(experiment: Experiment, begin_ps: int, end_ps: int, period_ns: float | None) -> np.ndarray:
    """Times in ps of the starts of the pulses within [begin_ps, end_ps)."""
    starts = [d.start_ns for d in experiment.drives if isinstance(d, Pulse)]
    if not starts or period_ns is None:
        raise InputError("leakage_per_pulse must come with a pulsed drive, got none; use leakage_per_s for a continuous laser")
    whole, fraction = divided(period_ns)
    periods = np.arange(begin_ps // max(whole, 1) - 1, end_ps // max(whole, 1) + 2)
    fires = periods * whole + np.floor(min(starts) * PS_PER_NS + periods * fraction).astype(np.int64)
    return fires[(fires >= begin_ps) & (fires < end_ps)]
