"""Coincidences of two channels counted in bins, with what their normalisation and their errors need: rates, dead time, steps of the clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot.data import Histogram
from qdot.errors import bad, number, unknown
from qdot.tags.pairs import Window, add_pairs, carried
from qdot.tags.recording import BLOCK, Ending, Reading, Recording, nothing, tally
from qdot.tags.shape import Shape

FINE = 2**20
"""Bins in which the coincidences of pulsed light are counted at most where those asked for are fewer: with bins of 1 ps the areas of peaks are exact."""
PARTS = 16
"""Parts of a bin in which the coincidences of continuous light are counted: they centre a bin on the zero delay."""
MOST = 2 * 10**7
"""Bins that a result may have."""
CLOSEST = 200
"""Smallest distances of successive photons that tell whether a detector was dead in between."""
Progress = Callable[[float], object]


@dataclass(frozen=True, eq=False)
class Counted:
    """Coincidences and what belongs to them.

    shape: counts in fine bins; factor: how many of them make one bin of the result. channels: None for the histogram of a card. photons: by channel.
    rate_per_ps: coincidences per ps of delay that uncorrelated light of the same rates gives, None where they are not known; rate_error: its
    relative standard error. dead_ps: delays below this cannot occur in one channel (0: no dead time seen).
    """

    shape: Shape
    factor: int
    channels: tuple[int, int] | None
    photons: dict[int, int]
    duration_ps: int | None
    rate_per_ps: float | None
    rate_error: float
    dead_ps: int
    period_ps: float | None
    source: str
    warnings: tuple[str, ...]

    @property
    def is_auto(self) -> bool:
        """True for a channel with itself: every pair stands at its delay and at the opposite one."""
        return self.channels is not None and self.channels[0] == self.channels[1]

    def edge(self, delay_ps: Any) -> Any:
        """Share of the acquisition in which a pair of this delay can begin: 1 - |delay| / duration."""
        return 1.0 - np.abs(delay_ps) / (math.inf if self.duration_ps is None else self.duration_ps)


def window_of(bin_ps: float, range_ns: float) -> Window:
    """The bins from -range to +range, with an edge at delay 0; a range that is no multiple of the bin is rounded up."""
    width = number("bin_ps", bin_ps, 1.0, unit="ps")
    if width != round(width):
        raise bad("bin_ps", "be a whole number of ps", bin_ps, "tags are whole picoseconds: round it")
    reach = number("range_ns", range_ns, 0.0, 1e15, open_low=True, unit="ns") * 1000
    if reach < width:
        raise bad("range_ns", f"hold at least one bin of {width:g} ps", f"{range_ns:g} ns", "give a longer range or a smaller bin_ps")
    half = math.ceil(reach / width - 1e-9)
    if 2 * half > MOST:
        raise bad("bin_ps and range_ns", f"make at most {MOST:.0e} bins", f"{2.0 * half:.2g}", "give larger bins or a shorter range")
    return Window(-half * int(width), int(width), 2 * half)


def parts_of(window: Window, most: int) -> int:
    """Equal parts of whole ps that a bin is cut into, as many as go."""
    return next(f for f in range(min(window.width_ps, most), 0, -1) if window.width_ps % f == 0)


def channels_of(asked: Sequence[int] | None, count: int, found: dict[int, int]) -> tuple[int, ...]:
    """The channels asked for, or those that the first block holds if there are as many; one channel alone is taken with itself."""
    lit = [c for c, n in found.items() if n]
    if asked is None:
        if len(lit) == count:
            return tuple(lit)
        if len(lit) == 1 and count == 2:
            return lit[0], lit[0]
        raise bad("channels", f"name {count} of the channels {', '.join(map(str, lit))}", "none", f"for example channels=({', '.join(map(str, lit[:count]))})")
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise bad("channels", f"be {count} numbers of channels", repr(asked), f"for example channels=({', '.join(map(str, (lit * count)[:count]))})")
    asked = list(asked)
    if len(asked) != count:
        raise bad("channels", f"name {count} channels", f"{len(asked)}: {', '.join(map(str, asked))}", "name one twice to correlate it with itself")
    chosen = []
    for c in asked:
        if isinstance(c, bool) or not isinstance(c, int | np.integer):
            raise bad("channels", "be whole numbers", repr(c), f"the file has {', '.join(map(str, found))}")
        chosen.append(int(c))
    return tuple(chosen)


def check_channels(channels: tuple[int, ...], asked: object, photons: dict[int, int], source: str) -> None:
    """Once all is read: every channel that was correlated has photons, and if none was asked for there is no other one."""
    lit = [str(c) for c, n in photons.items() if n]
    for c in channels:
        if c not in photons:
            raise unknown(f"channel of {source or 'the record'}", str(c), lit)
        if not photons[c]:
            raise bad(f"channel {c} of {source or 'the record'}", "hold photons", "none", f"those with photons: {', '.join(lit)}")
    if asked is None and len(lit) > len(set(channels)):
        raise bad("channels", f"be named where there are more than two: {', '.join(lit)}", "none", f"for example channels=({lit[0]}, {lit[1]})")


def check_range(window: Window, ending: Ending) -> None:
    """Delays are shorter than the acquisition; raises InputError where they are not."""
    if window.high_ps >= ending.duration_ps:
        must = f"be shorter than the acquisition, {ending.duration_ps / 1000:.6g} ns"
        raise bad("range_ns", must, f"{window.high_ps / 1000:.6g} ns", "give a shorter range, or a longer record")


def first_block(reading: Reading) -> tuple[Any, dict[int, int], int]:
    """(all blocks, photons by channel in the first, largest step that divides all times of it); raises InputError where there is no photon."""
    blocks = iter(reading)
    head = next(blocks, None)
    if head is None:
        raise nothing(reading.recording.source, reading.ending.warnings)
    time, channel = head
    step = int(np.gcd.reduce(np.diff(time[:100_000]))) if time.size > 1 else 1
    return itertools.chain([head], blocks), {**dict.fromkeys(reading.recording.names, 0), **tally(channel)}, max(step, 1)


def count(
    recording: Recording,
    channels: Sequence[int] | None,
    bin_ps: float,
    range_ns: float,
    is_pulsed: bool = False,
    progress: Progress | None = None,
    block: int = BLOCK,
) -> Counted:
    """All pairs of a photon of channels[0] and one of channels[1], by delay (second minus first), in one passage through the recording."""
    window = window_of(bin_ps, range_ns)
    factor = parts_of(window, max(1, FINE // window.bins if is_pulsed else min(PARTS, FINE // window.bins)))
    fine = Window(window.low_ps, window.width_ps // factor, window.bins * factor)
    reading = Reading(recording, block, progress)
    blocks, found, step = first_block(reading)
    chosen = channels_of(channels, 2, found)
    pair = chosen[0], chosen[1]
    counts, closest = np.zeros(fine.bins, np.int64), np.empty(0, np.int64)
    last: np.ndarray = np.empty(0, np.int64)
    for ready in carried(blocks, pair, fine):
        add_pairs(ready, fine, counts)
        if pair[0] == pair[1] and ready.start.size:
            closest, last = _closest(closest, np.concatenate([last, ready.start])), ready.start[-1:]
    check_channels(pair, channels, reading.photons, recording.source)
    ending, (a, b) = reading.ending, (reading.photons[c] for c in pair)
    check_range(fine, ending)
    rate = a * (b - (pair[0] == pair[1])) / ending.duration_ps
    error = 2 / math.sqrt(a) if pair[0] == pair[1] else math.sqrt(1 / a + 1 / b)
    delays = fine.low_ps + fine.width_ps * np.arange(fine.bins) + (fine.width_ps - 1) / 2
    shape = Shape(delays, fine.width_ps, counts, fine.low_ps, fine.high_ps)
    warnings = [*ending.warnings, *_steps(step, window.width_ps)]
    dead = _dead(closest, rate)
    return Counted(shape, factor, pair, reading.photons, ending.duration_ps, rate, error, dead, recording.period_ps, recording.source, tuple(warnings))


def of_histogram(histogram: Histogram, bin_ps: float | None, range_ns: float | None, period_ps: float | None = None, warnings: tuple[str, ...] = ()) -> Counted:
    """The histogram of a card, its bins joined to `bin_ps` and cut to |delay| <= `range_ns` where these are given."""
    own = histogram.bin_width_ns * 1000
    factor = 1 if bin_ps is None else round(number("bin_ps", bin_ps, 0.0, open_low=True, unit="ps") / own)
    if bin_ps is not None and (factor < 1 or abs(factor * own - bin_ps) > 0.02 * own):
        raise bad("bin_ps", f"be a multiple of the bins of the histogram, {own:g} ps", f"{bin_ps:g}", "give such a width, or none")
    left, counts = histogram.left_ns * 1000, histogram.counts.astype(np.int64)
    if range_ns is not None:
        reach = number("range_ns", range_ns, 0.0, open_low=True, unit="ns") * 1000
        inside = (left > -reach - 0.5 * own) & (left + own < reach + 0.5 * own)
        left, counts = left[inside], counts[inside]
    n = left.size // factor * factor
    if n < 2 * factor:
        raise bad("range_ns", "leave at least two bins", f"{left.size // factor}", "give a longer range or smaller bins")
    shape = Shape(left[:n] + own / 2, own, counts[:n], float(left[0]), float(left[0] + n * own))
    return Counted(shape, factor, None, {}, None, None, 0.0, 0, period_ps, histogram.source, warnings)


def _closest(known: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The smallest distances of successive photons, in order, so far and in some more."""
    every = np.concatenate([known, np.diff(times)])
    return np.sort(np.partition(every, CLOSEST)[:CLOSEST] if every.size > CLOSEST else every)


def _dead(closest: np.ndarray, rate_per_ps: float) -> int:
    """The shortest distance of two photons if it is a dead time: nothing below it, and at once the usual density above it.

    Light that is antibunched without a dead time has few close pairs, too, but their density grows slowly from 0.
    """
    if closest.size < 20 or closest[0] * rate_per_ps < 10:
        return 0
    usual = rate_per_ps * float(closest[-1] - closest[0])
    return int(closest[0]) if usual < 3 * closest.size else 0


def _steps(step: int, width: int) -> list[str]:
    if step == 1 or width % step == 0 or width > 20 * step:
        return []
    multiple = step * max(1, round(width / step))
    return [f"times come in steps of {step} ps: bins of {width} ps hold now more, now fewer of them; bin_ps = {multiple} would not"]
