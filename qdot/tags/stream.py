"""A record of photon arrivals: times in whole picoseconds and the channel of each, in the order of time.

Reads no file format of an instrument and counts nothing; `plain` keeps records in NPZ, CSV and HDF5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qdot.errors import bad, number, unknown

PS_PER_NS = 1000
PS_PER_S = 10**12
LARGEST_PS = 2**62
"""Times stay within +-2^62 ps (53 days), so that no difference of two of them can overflow."""
SYNC = -1
"""Channel of what came in at the sync input of an instrument that has numbered inputs."""
CHANNELS = (-(2**15), 2**15 - 1)
"""Numbers that a channel may have (16 bits)."""


@dataclass(frozen=True, eq=False)
class Tags:
    """Time tags: photon i arrived at time_ps[i] in channel[i].

    time_ps: (n,) int64, non-decreasing, in [start_ps, start_ps + duration_ps]; whole numbers of another type are taken where they are exact.
    channel: (n,) int16. duration_ps: length of the acquisition, > 0. period_ps: repetition period of the laser, None where it is not known.
    names: {channel: name}; a channel named here belongs to the record even if it saw nothing. source: where it comes from.
    warnings: what the reader of a file has to tell. start_ps: when the acquisition began on the clock of time_ps.
    n = 0 is a measurement in which nothing arrived. Raises InputError for times that go backwards, lie outside the acquisition, are not finite,
    not whole or beyond 2^62 ps; nothing is sorted, cut or rounded.

    >>> print(Tags([0, 1500, 2000], [0, 1, 0], duration_ps=10_000))
    3 photons in 1e-08 s: channel 0: 2, channel 1: 1
    """

    time_ps: np.ndarray
    channel: np.ndarray
    duration_ps: int
    period_ps: float | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""
    warnings: tuple[str, ...] = ()
    start_ps: int = 0

    def __post_init__(self) -> None:
        time, channel = whole("Tags.time_ps", self.time_ps), whole("Tags.channel", self.channel)
        if channel.shape != time.shape:
            raise bad("Tags.channel", "have one entry for each time", f"{channel.size} for {time.size} times", "give the channel of every photon")
        low, high = (channel.min(), channel.max()) if channel.size else (0, 0)
        if low < CHANNELS[0] or high > CHANNELS[1]:
            raise bad("Tags.channel", f"lie between {CHANNELS[0]} and {CHANNELS[1]}", low if low < CHANNELS[0] else high, "number the channels from 0")
        number("Tags.start_ps", self.start_ps, -LARGEST_PS, LARGEST_PS, unit="ps")
        number("Tags.duration_ps", self.duration_ps, 1, 2 * LARGEST_PS, unit="ps")
        start, duration = (int(np.rint(x)) if isinstance(x, float) else int(x) for x in (self.start_ps, self.duration_ps))
        backwards = np.flatnonzero(time[1:] < time[:-1])
        if backwards.size:
            i = int(backwards[0])
            where = f"{time[i + 1]} ps after {time[i]} ps (record {i + 1} of {time.size}, {backwards.size} such steps)"
            raise bad("Tags.time_ps", "not go backwards", where, "sort by time if the order carries no meaning, or repair the overflows of the clock")
        if time.size and (time[0] < start or time[-1] > start + duration):
            where = f"{time[0]} .. {time[-1]} ps in {start} .. {start + duration} ps"
            raise bad("Tags.time_ps", "lie within the acquisition", where, "give start_ps and duration_ps of the acquisition")
        if self.period_ps is not None:
            object.__setattr__(self, "period_ps", number("Tags.period_ps", self.period_ps, 0.0, open_low=True, unit="ps"))
        object.__setattr__(self, "time_ps", time)
        object.__setattr__(self, "channel", channel.astype(np.int16, copy=False))
        object.__setattr__(self, "duration_ps", duration)
        object.__setattr__(self, "start_ps", start)
        object.__setattr__(self, "names", {int(c): str(n) for c, n in sorted(self.names.items())})
        object.__setattr__(self, "warnings", tuple(self.warnings))

    @property
    def counts(self) -> dict[int, int]:
        """{channel: photons}, of every channel of the record; 0 for one that is named and saw nothing."""
        found = dict.fromkeys(self.names, 0)
        if self.channel.size:
            lowest = int(self.channel.min())
            seen = np.bincount(self.channel.astype(np.intp) - lowest)
            found.update({lowest + int(i): int(seen[i]) for i in np.flatnonzero(seen)})
        return dict(sorted(found.items()))

    @property
    def channels(self) -> tuple[int, ...]:
        """Every channel of the record, in ascending order."""
        return tuple(self.counts)

    @property
    def duration_s(self) -> float:
        """Length of the acquisition in s."""
        return self.duration_ps / PS_PER_S

    def times(self, channel: int) -> np.ndarray:
        """(k,) times in ps of one channel; raises InputError for a channel that the record does not have."""
        if channel not in self.counts:
            raise unknown("channel", channel, [str(c) for c in self.channels])
        return self.time_ps[self.channel == channel]

    def rate_per_ns(self, channel: int) -> float:
        """Photons per ns of one channel, averaged over the acquisition."""
        return self.times(channel).size * PS_PER_NS / self.duration_ps

    def __len__(self) -> int:
        return int(self.time_ps.size)

    def __str__(self) -> str:
        name = {c: f"channel {c}" + (f" ({self.names[c]})" if self.names.get(c) else "") for c in self.channels}
        lines = [f"{len(self)} photons in {self.duration_s:.6g} s: " + ", ".join(f"{name[c]}: {n}" for c, n in self.counts.items())]
        lines[0] += f"; period {self.period_ps:.6g} ps" if self.period_ps is not None else ""
        lines[0] += f"; {self.source}" if self.source else ""
        return "\n".join([*lines, *(f"warning: {w}" for w in self.warnings)])


def merged(streams: Mapping[int, Any], duration_ps: int, **about: Any) -> Tags:
    """One record from the times of each channel: {channel: (k,) times in ps}, each in any order; photons of one time keep the order of the mapping.

    about: the other fields of Tags. Channels without a photon stay in the record.

    >>> merged({1: [5, 9], 0: [7]}, duration_ps=10).time_ps.tolist()
    [5, 7, 9]
    """
    parts = [whole(f"times of channel {c}", t) for c, t in streams.items()]
    time = np.concatenate(parts) if parts else np.empty(0, np.int64)
    channel = np.repeat(np.fromiter(streams, np.int64, len(streams)), [p.size for p in parts]) if parts else np.empty(0, np.int64)
    order = np.argsort(time, kind="stable")
    names = {c: "" for c in streams} | dict(about.pop("names", {}))
    return Tags(time[order], channel[order], duration_ps, names=names, **about)


def whole(argument: str, values: Any) -> np.ndarray:
    """(n,) int64 of whole numbers within +-2^62; raises InputError for anything else, NaN and fractions included.

    >>> whole("time_ps", [1.0, 2.0]).tolist()
    [1, 2]
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise bad(argument, "be a list of whole numbers", "lists of unequal length", "give one flat list") from None
    if array.ndim != 1:
        raise bad(argument, "be one flat list", f"an array of shape {array.shape}", "give one entry for each photon")
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind == "O" and all(isinstance(v, int) for v in array.tolist()):  # Python integers that fit no machine type
        raise bad(argument, "lie within +-2^62", max(array.tolist(), key=abs), "count from the start of the acquisition")
    if array.dtype.kind not in "iuf":
        raise bad(argument, "be whole numbers", f"entries of type {array.dtype}", "give integers")
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)):
            raise bad(argument, "be finite", f"nan or infinity at place {int(np.flatnonzero(~np.isfinite(array))[0])}", "remove that record")
        bits = np.finfo(array.dtype).nmant + 1
        if np.any(np.abs(array) > 2.0**bits):
            raise bad(argument, "be exact", f"{np.abs(array).max():g} as {array.dtype}, which holds whole numbers up to 2^{bits} only", "give integers")
        if np.any(array != np.rint(array)):
            i = int(np.flatnonzero(array != np.rint(array))[0])
            raise bad(argument, "be whole numbers", f"{array[i]!r} at place {i}", "round to whole units yourself, or give integers")
    elif array.dtype.itemsize >= 8:
        low, high = int(array.min()), int(array.max())
        if low < -LARGEST_PS or high > LARGEST_PS:
            raise bad(argument, "lie within +-2^62", high if high > LARGEST_PS else low, "count from the start of the acquisition")
    return np.ascontiguousarray(array, dtype=np.int64)
