"""Coincidences counted: all pairs and all triples of photons in a window of delays, by the compiled kernel or by NumPy, with the same numbers.

Nothing is normalised here. Delays are whole picoseconds; a bin holds its left edge and not its right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qdot.tags import kernel

AT_ONCE = 2**20
"""Pairs or triples that the NumPy code expands at a time."""


@dataclass(frozen=True)
class Window:
    """The bins of delays: `bins` of `width_ps` from `low_ps` <= 0 on."""

    low_ps: int
    width_ps: int
    bins: int

    @property
    def high_ps(self) -> int:
        """End of the last bin, > 0."""
        return self.low_ps + self.width_ps * self.bins


@dataclass(frozen=True, eq=False)
class Ready:
    """First photons whose partners are all known.

    start: (n,) times. partners: of every further channel the (k,) times around them. own: the place of start[0] in that list where the channel
    is the first one, -1 where it is another.
    """

    start: np.ndarray
    partners: tuple[np.ndarray, ...]
    own: tuple[int, ...]


def carried(blocks: Iterable[tuple[np.ndarray, np.ndarray]], channels: Sequence[int], window: Window) -> Iterator[Ready]:
    """The photons of channels[0] with those of the other channels around them, across the borders of blocks.

    A photon is handed on when no partner of it can come any more; until then it is kept, and so are the partners that later ones may have: about
    one window of delays. So the counts do not depend on how a record is cut into blocks.
    """
    first, others = channels[0], channels[1:]
    times = {c: np.empty(0, np.int64) for c in channels}
    waiting = 0  # place of the first photon in times[first] that has not been handed on

    def ready(end: int) -> Ready:
        return Ready(times[first][waiting:end], tuple(times[c] for c in others), tuple(waiting if c == first else -1 for c in others))

    for time, channel in blocks:
        for c, kept in times.items():
            new = pick(time, channel, c)
            times[c] = np.concatenate([kept, new]) if kept.size else new
        last = int(time[-1])
        end = int(np.searchsorted(times[first], last - window.high_ps, side="right"))
        yield ready(end)
        edge = (int(times[first][end]) if end < times[first].size else last) + window.low_ps
        waiting = end - int(np.searchsorted(times[first], edge))
        times = {c: kept[np.searchsorted(kept, edge) :] for c, kept in times.items()}
    yield ready(times[first].size)


def pick(time: np.ndarray, channel: np.ndarray, wanted: int) -> np.ndarray:
    """The times of one channel, in order."""
    library = kernel.library()
    if library is None:
        return time[channel == wanted]
    kept = np.empty(time.size, np.int64)
    time, channel = np.ascontiguousarray(time, np.int64), np.ascontiguousarray(channel, np.int16)
    return kept[: library.pairs_pick(time.ctypes.data, channel.ctypes.data, time.size, wanted, kept.ctypes.data)]


def add_pairs(ready: Ready, window: Window, counts: np.ndarray) -> None:
    """Add to counts, (bins,) int64, every pair of a first photon and a partner whose delay, partner minus first, lies in the window."""
    (partners,), (own,) = ready.partners, ready.own
    library = kernel.library()
    if library is None:
        for i, j in _expanded(ready.start, partners, window):
            inside = j != own + i if own >= 0 else slice(None)
            counts += np.bincount((partners[j] - ready.start[i] - window.low_ps)[inside] // window.width_ps, minlength=window.bins)
        return
    a, b = (np.ascontiguousarray(x, np.int64) for x in (ready.start, partners))
    library.pairs_count(a.ctypes.data, a.size, b.ctypes.data, b.size, own, window.low_ps, window.width_ps, window.bins, counts.ctypes.data)


def add_triples(ready: Ready, window: Window, counts: np.ndarray, is_same: bool) -> None:
    """Add to counts, (bins, bins) int64, every triple: the delays of the second and of the third photon, both from the first, lie in the window.

    is_same: second and third channel are one, whose photons are not taken twice.
    """
    (second, third), (own_2, own_3) = ready.partners, ready.own
    library = kernel.library()
    if library is not None:
        a, b, c = (np.ascontiguousarray(x, np.int64) for x in (ready.start, second, third))
        lists = (a.ctypes.data, a.size, b.ctypes.data, b.size, c.ctypes.data, c.size)
        library.pairs_count_three(*lists, own_2, own_3, int(is_same), window.low_ps, window.width_ps, window.bins, counts.ctypes.data)
        return
    flat = counts.reshape(-1)
    for i, j in _expanded(ready.start, second, window):
        if own_2 >= 0:
            i, j = i[j != own_2 + i], j[j != own_2 + i]
        x = (second[j] - ready.start[i] - window.low_ps) // window.width_ps
        for m, k in _expanded(ready.start[i], third, window):
            keep = np.ones(m.size, bool)
            if own_3 >= 0:
                keep &= k != own_3 + i[m]
            if is_same:
                keep &= k != j[m]
            m, k = m[keep], k[keep]
            y = (third[k] - ready.start[i[m]] - window.low_ps) // window.width_ps
            np.add.at(flat, x[m] * window.bins + y, 1)


def _expanded(start: np.ndarray, partners: np.ndarray, window: Window) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places (i, j) of all pairs with partners[j] - start[i] in the window, a million or so at a time."""
    first = np.searchsorted(partners, start + window.low_ps)
    number = np.searchsorted(partners, start + window.high_ps) - first
    hit = np.flatnonzero(number)  # most photons have no partner nearby
    first, number = first[hit], number[hit]
    upto = np.cumsum(number)
    done = 0
    while done < hit.size:
        before = int(upto[done - 1]) if done else 0
        end = max(done + 1, int(np.searchsorted(upto, before + AT_ONCE, side="right")))
        which = np.repeat(np.arange(done, end), number[done:end])
        yield hit[which], np.arange(before, int(upto[end - 1])) - (upto - number - first)[which]
        done = end
