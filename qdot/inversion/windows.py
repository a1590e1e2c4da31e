"""From time tags to click patterns: which detectors clicked in each period of the laser. Counts, and decides nothing about the source.

The period is cut where the least light falls, just before a pulse, so that a pulse and what it starts stay together. A pulse in which a threshold
detector has several tags is one click.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from qdot.detection import Detector
from qdot.errors import bad, number, unknown
from qdot.inversion.clicks import from_clicks
from qdot.inversion.estimates import Inversion

PHASES = 240
"""Parts of a period among which the cut is looked for."""
QUIET = 12
"""So many of them together must be the emptiest."""
MOST = 4
"""Counts of a number-resolving detector that are told apart: that many or more are the last outcome."""


@runtime_checkable
class Record(Protocol):
    """What is needed of a record of time tags (`qdot.tags.Tags`)."""

    @property
    def period_ps(self) -> float | None: ...
    @property
    def duration_ps(self) -> int: ...
    @property
    def start_ps(self) -> int: ...
    @property
    def names(self) -> Mapping[int, str]: ...
    def times(self, channel: int) -> np.ndarray: ...


def click_patterns(tags: Record, detectors: Sequence[Detector], period_ns: float | None = None, offset_ns: float | None = None) -> np.ndarray:
    """Numbers of pulses with each pattern: one axis per detector, of length 2 (threshold) or 5 (number-resolving, 4 or more last).

    tags: with a channel named like each detector; detectors: their delay_ns is taken off. period_ns: where the record does not hold it.
    offset_ns: where in a period a pulse's window begins (default: where the least light falls). Periods that the acquisition cuts are left out.
    Raises InputError without a period, for a detector that has no channel, and for a record shorter than two periods.
    """
    period = _period(tags, period_ns)
    channels = _channels(tags, detectors)
    times = [tags.times(c) - tags.start_ps - 1e3 * d.delay_ns for c, d in zip(channels, detectors, strict=True)]
    offset = _emptiest(np.concatenate(times), period) if offset_ns is None else 1e3 * number("offset_ns", offset_ns, unit="ns") % period
    pulses = int((tags.duration_ps - offset) // period)
    if pulses < 1:
        raise bad("tags", "last longer than two periods", f"{tags.duration_ps} ps at {period:g} ps", "give the period in ns")
    shape = tuple(MOST + 1 if d.number_resolving else 2 for d in detectors)
    pulse, code = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for axis, t in enumerate(times):
        which = np.floor((t - offset) / period).astype(np.int64)
        seen, counts = np.unique(which[(which >= 0) & (which < pulses)], return_counts=True)
        pulse = np.concatenate([pulse, seen])
        code = np.concatenate([code, np.minimum(counts, shape[axis] - 1) * int(np.prod(shape[axis + 1 :], dtype=np.int64))])
    order = np.argsort(pulse, kind="stable")
    pulse, code = pulse[order], code[order]
    first = np.flatnonzero(np.concatenate([[True], pulse[1:] != pulse[:-1]])) if pulse.size else np.zeros(0, dtype=np.int64)
    patterns = np.add.reduceat(code, first) if pulse.size else code
    found = np.bincount(patterns, minlength=int(np.prod(shape)))
    found[0] = pulses - first.size
    return found.reshape(shape)


def from_tags(tags: Record, detectors: Sequence[Detector], period_ns: float | None = None, offset_ns: float | None = None, **options: Any) -> Inversion:
    """Photon numbers and pair figures at a stage from a record of time tags: the click patterns of its pulses, inverted by `from_clicks`.

    options: those of `from_clicks` beside the period: efficiency, top, calibrations, stage, draws, rng.
    """
    patterns = click_patterns(tags, detectors, period_ns, offset_ns)
    return from_clicks(patterns, detectors, period_ns=_period(tags, period_ns) / 1e3, **options)


def _period(tags: Record, period_ns: float | None) -> float:
    """In ps."""
    if not isinstance(tags, Record):
        raise bad("tags", "be a record of time tags", type(tags).__name__, "for arrays: qdot.Tags(time_ps, channel, duration_ps); for a file: qdot.read_tags")
    if period_ns is None and tags.period_ps is None:
        raise bad("period_ns", "be given: the record does not hold the period of the laser", "nothing", "for example period_ns=12.5")
    return 1e3 * number("period_ns", period_ns, low=0.0, open_low=True, unit="ns") if period_ns is not None else float(tags.period_ps or 0.0)


def _channels(tags: Record, detectors: Sequence[Detector]) -> list[int]:
    by_name = {name: channel for channel, name in tags.names.items() if name}
    for d in detectors:
        if d.name not in by_name:
            raise unknown(f"detector {d.name!r} (the name of a channel of the record)", d.name, by_name)
    return [by_name[d.name] for d in detectors]


def _emptiest(times_ps: np.ndarray, period: float) -> float:
    """Where in a period the least light falls: the middle of the emptiest stretch, in ps."""
    filled = np.bincount((times_ps % period / period * PHASES).astype(int) % PHASES, minlength=PHASES)
    around = np.convolve(np.concatenate([filled, filled[: QUIET - 1]]), np.ones(QUIET), "valid")
    return (int(np.argmin(around)) + QUIET / 2) % PHASES / PHASES * period
