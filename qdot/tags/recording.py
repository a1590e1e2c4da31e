"""A record of tags that is gone through in blocks, so that a file need not fit into memory: what readers make and the correlator takes.

A reader is a generator of blocks; what only the end of a file tells (its length, what was wrong with it) is the value that the generator returns.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from qdot.errors import InputError, bad, unknown
from qdot.tags.stream import LARGEST_PS, SYNC, Tags

BLOCK = 2**20
"""Photons of a block, about."""
Block = tuple[np.ndarray, np.ndarray, float]
"""(k,) times in ps, non-decreasing from block to block, (k,) channels, and the share of the file that has been read."""


@dataclass(frozen=True)
class Ending:
    """What is known when all blocks have been read; the fields are those of Tags."""

    duration_ps: int
    start_ps: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """Where tags come from: what is known beforehand, and how to go through them. names: channels that belong to it even if they saw nothing."""

    source: str
    blocks: Callable[[int], Generator[Block, None, Ending]]
    period_ps: float | None = None
    names: Mapping[int, str] = field(default_factory=dict)

    def number(self, channel: str) -> int:
        """The channel of a number, of a name, or of "sync"; raises InputError for a name that the recording does not have.

        The channels that it then lists are those with a name and those with photons, for which it is read once.
        """
        named = {"sync": SYNC} | {n: c for c, n in self.names.items() if n}
        if channel in named:
            return named[channel]
        try:
            return int(channel)
        except ValueError:
            held = sorted(set(self.names) | self._lit())
            names = [name for name, c in named.items() if c != SYNC or SYNC in held]
            raise unknown("channel", channel, [*names, *(str(c) for c in held if c != SYNC)]) from None

    def _lit(self) -> set[int]:
        """Channels with photons."""
        reading = Reading(self)
        for _ in reading:
            pass
        return {c for c, n in reading.photons.items() if n}


class Reading:
    """One passage through a recording: yields (times, channels), then knows `photons` of every channel and the `ending`.

    Raises InputError where times go backwards, within a block or from one to the next, and where they are too large.
    told: called with the share that has been read.
    """

    def __init__(self, recording: Recording, size: int = BLOCK, told: Callable[[float], object] | None = None) -> None:
        self.recording, self.size, self.told = recording, size, told
        self.photons: dict[int, int] = dict.fromkeys(recording.names, 0)
        self.ending = Ending(1)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        blocks = self.recording.blocks(self.size)
        last, record = -LARGEST_PS, 0
        while True:
            try:
                time, channel, share = next(blocks)
            except StopIteration as end:
                self.ending = end.value
                return
            if time.size:
                self._check(time, last, record)
                last, record = int(time[-1]), record + time.size
                for c, n in tally(channel).items():
                    self.photons[c] = self.photons.get(c, 0) + n
                yield time, channel
            if self.told is not None:
                self.told(share)

    def _check(self, time: np.ndarray, last: int, record: int) -> None:
        source = self.recording.source or "the record"
        steps = time[1:] < time[:-1]
        i = 0 if time[0] < last else int(np.argmax(steps)) + 1 if np.any(steps) else -1
        if i >= 0:
            where = f"{time[i]} ps after {time[i - 1] if i else last} ps at record {record + i}"
            raise bad(f"{source}: times", "not go backwards", where, "sort the file by time, or repair the overflows of its clock")
        if time[-1] > LARGEST_PS or time[0] < -LARGEST_PS:
            most = time[-1] if time[-1] > LARGEST_PS else time[0]
            raise bad(f"{source}: times", "lie within +-2^62 ps (53 days)", f"{most} ps", "count from the start of the acquisition")


def tally(channel: np.ndarray) -> dict[int, int]:
    """{channel: how often it stands in the list}, in ascending order."""
    if not channel.size:
        return {}
    low, high = int(channel.min()), int(channel.max())
    if high - low < 64:
        counts = {c: int(np.count_nonzero(channel == c)) for c in range(low, high + 1)}
        return {c: n for c, n in counts.items() if n}
    values, number = np.unique(channel, return_counts=True)
    return {int(c): int(n) for c, n in zip(values, number, strict=True)}


def of_tags(tags: Tags) -> Recording:
    """A record that is in memory, as one block."""

    def blocks(size: int) -> Generator[Block, None, Ending]:
        yield tags.time_ps, tags.channel, 1.0
        return Ending(tags.duration_ps, tags.start_ps, tags.warnings)

    return Recording(tags.source, blocks, tags.period_ps, tags.names)


def gathered(recording: Recording) -> Tags:
    """The whole recording in memory; raises InputError where it holds no photon."""
    reading = Reading(recording)
    parts = list(reading)
    ending = reading.ending
    if not parts:
        raise nothing(recording.source, ending.warnings)
    time, channel = (np.concatenate(list(p)) if len(p) > 1 else p[0] for p in zip(*parts, strict=True))
    return Tags(time, channel, ending.duration_ps, recording.period_ps, recording.names, recording.source, ending.warnings, ending.start_ps)


def nothing(source: str, warnings: Iterable[str] = ()) -> InputError:
    """The error for a recording without photons."""
    found = "; ".join(["none", *warnings])
    return bad(source or "the record", "hold photons", found, "check that the detectors were on and that the file was written to its end")
