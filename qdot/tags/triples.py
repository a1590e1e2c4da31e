"""g3 of three channels from time tags: all triples of photons by their two delays from the first one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qdot.errors import bad, number, unknown
from qdot.tags.correlation import Correlation, correlate
from qdot.tags.counted import Progress, channels_of, check_channels, check_range, first_block, parts_of, window_of
from qdot.tags.files import open_tags
from qdot.tags.normalise import Level, differ, value_of
from qdot.tags.pairs import Window, add_triples, carried
from qdot.tags.recording import BLOCK, Ending, Reading, Recording, of_tags
from qdot.tags.shape import whole_peaks
from qdot.tags.stream import Tags

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 4096
"""Bins of each of the two delays at most."""
FINE = 2048
"""Bins of each delay that are counted at most where those asked for are fewer."""


@dataclass(frozen=True, eq=False)
class TripleCorrelation:
    """g3 of three channels. `print` gives the lines for the lab book.

    tau_ns: (n,) centres of the bins of either delay, from the photon of channels[0]. counts: (n, n) triples, by the delay of channels[1] and of
    channels[2]. g3: (n, n) counts over those where g3 = 1. g3_zero: pulsed, triples of one pulse over those where g3 = 1; continuous, of one bin square
    centred on the zero delays; None where the data do not hold it. error: half of interval, the central 68 % one of a Poisson count; upper_limit: at
    95 %. zero_delays_ns: of channels[1] and channels[2]. periods: (k,) and peaks: (k, k) triples by periods between the photons, pulsed only.
    """

    channels: tuple[int, int, int]
    bin_ps: int
    tau_ns: np.ndarray
    counts: np.ndarray
    g3: np.ndarray
    g3_zero: float | None
    error: float | None
    interval: tuple[float, float] | None
    upper_limit: float | None
    coincidences_zero: int | None
    level: float
    normalisation: str
    period_ns: float | None
    zero_delays_ns: tuple[float, float]
    periods: tuple[np.ndarray, np.ndarray]
    peaks: np.ndarray
    photons: dict[int, int]
    duration_s: float
    source: str
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain |= {name: getattr(self, name).tolist() for name in ("tau_ns", "counts", "g3", "peaks")}
        plain |= {"channels": list(self.channels), "zero_delays_ns": list(self.zero_delays_ns), "warnings": list(self.warnings)}
        plain |= {"interval": None if self.interval is None else list(self.interval), "photons": {str(c): k for c, k in self.photons.items()}}
        return plain | {"periods": [p.tolist() for p in self.periods]}

    def __str__(self) -> str:
        rows = {
            "source": self.source or "in memory",
            "photons": ", ".join(f"channel {c}: {k}" for c, k in self.photons.items()) + f", in {self.duration_s:.6g} s",
            "delays": f"{self.tau_ns.size} x {self.tau_ns.size} bins of {self.bin_ps} ps, {self.counts.sum()} triples",
            "period": "none (continuous)" if self.period_ns is None else f"{self.period_ns:.6g} ns",
            "zero delays": f"{self.zero_delays_ns[0]:.6g} and {self.zero_delays_ns[1]:.6g} ns",
            "g3(0)": "not in the data",
        }
        if self.g3_zero is not None and self.interval is not None:
            low, high = self.interval
            rows["g3(0)"] = f"{self.g3_zero:.4g} +- {self.error:.2g} ({low:.4g} .. {high:.4g} at 68 %, < {self.upper_limit:.4g} at 95 %)"
            rows["from"] = f"{self.coincidences_zero} triples over {self.level:.5g}, normalised by {self.normalisation}"
        lines = [f"g3 of channels {', '.join(map(str, self.channels))}", *(f"  {name:<11} {value}" for name, value in rows.items())]
        return "\n".join([*lines, *(f"warning: {w}" for w in self.warnings)])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw g3 over both delays; returns the axes."""
        from qdot import plot

        return plot.triple_correlation(self, ax)


def correlate3(
    data: Tags | Recording | str | Path,
    channels: Sequence[int] | None = None,
    *,
    bin_ps: float,
    range_ns: float,
    period_ns: float | None = None,
    normalise: str | None = None,
    zero_delays_ns: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> TripleCorrelation:
    """g3(tau1, tau2) of three channels from all triples of photons, both delays from the photon of channels[0].

    Arguments as in `correlate`. normalise: "side_peaks" (default of pulsed light: the mean of the triples from three different pulses) or "rates"
    (default of continuous light). zero_delays_ns: cable delays of channels[1] and channels[2] after channels[0]; by default those that `correlate`
    finds, which goes through the data once for each.
    """
    recording = of_tags(data) if isinstance(data, Tags) else open_tags(data) if isinstance(data, str | Path) else data
    period_ps = recording.period_ps if period_ns is None else 1000 * number("period_ns", period_ns, 0.0, open_low=True, unit="ns")
    window = window_of(bin_ps, range_ns)
    if window.bins > MOST:
        raise bad("bin_ps and range_ns", f"make at most {MOST} bins for each of two delays", window.bins, "give larger bins or a shorter range")
    found = _count(recording, channels, window, progress)
    pairs = _pairs(recording, found.channels, zero_delays_ns, bin_ps=bin_ps, range_ns=range_ns, period_ns=period_ns)
    zeros = _zeros(found.channels, pairs, zero_delays_ns, window)
    at_zero = _continuous(found, zeros) if period_ps is None else _pulsed(found, zeros, period_ps)
    name, level = _chosen(at_zero.levels, normalise, period_ps is not None)

    is_hidden = any(p.dead_time_ns is not None for p in pairs)
    told = [w for p in pairs if p.zero_delay_how == "assumed" for w in p.warnings if "stands out" in w or "repeat" in w]
    warnings = [*found.ending.warnings, *dict.fromkeys(told), *_warnings(at_zero.levels, is_hidden)]
    fold = math.factorial(max(found.channels.count(x) for x in found.channels))
    value = None if is_hidden else value_of(at_zero.triples, level.value, level.error, fold)
    counts = found.counts.reshape(window.bins, found.factor, window.bins, found.factor).sum(axis=(1, 3))
    return TripleCorrelation(
        channels=found.channels,
        bin_ps=window.width_ps,
        tau_ns=(window.low_ps + window.width_ps * (np.arange(window.bins) + 0.5)) / 1000,
        counts=counts,
        g3=counts / (level.value * window.width_ps**2 / at_zero.size_ps2),
        g3_zero=value[0] if value else None,
        error=value[1] if value else None,
        interval=value[2] if value else None,
        upper_limit=value[3] if value else None,
        coincidences_zero=at_zero.triples if value else None,
        level=level.value,
        normalisation=name,
        period_ns=None if period_ps is None else period_ps / 1000,
        zero_delays_ns=zeros,
        periods=at_zero.periods,
        peaks=at_zero.peaks,
        photons=found.photons,
        duration_s=found.ending.duration_ps / 1e12,
        source=recording.source,
        warnings=tuple(warnings),
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """Triples in fine bins; factor: how many of them make one bin of the result, along either delay."""

    channels: tuple[int, int, int]
    window: Window
    factor: int
    counts: np.ndarray
    photons: dict[int, int]
    ending: Ending

    @property
    def delays(self) -> np.ndarray:
        """Mean delay of each fine bin."""
        return self.window.low_ps + self.window.width_ps * np.arange(self.window.bins) + (self.window.width_ps - 1) / 2

    @property
    def rate(self) -> Level:
        """Triples per ps^2 of uncorrelated light of the same rates."""
        photons = [self.photons[c] for c in self.channels]
        apart = [k - self.channels[:i].count(c) for i, (c, k) in enumerate(zip(self.channels, photons, strict=True))]
        return Level(math.prod(apart) / self.ending.duration_ps**2, math.sqrt(sum(1 / k for k in photons)))


@dataclass(frozen=True, eq=False)
class _AtZero:
    """Triples at zero delay, those where g3 = 1, and the ps^2 of delays that both cover; pulsed: triples by periods."""

    triples: int
    levels: dict[str, Level]
    size_ps2: float
    periods: tuple[np.ndarray, np.ndarray]
    peaks: np.ndarray


def _count(recording: Recording, channels: Sequence[int] | None, window: Window, progress: Progress | None) -> _Found:
    factor = parts_of(window, max(1, FINE // window.bins))
    fine = Window(window.low_ps, window.width_ps // factor, window.bins * factor)
    reading = Reading(recording, BLOCK, progress)
    blocks, seen, _ = first_block(reading)
    a, b, c = channels_of(channels, 3, seen)
    counts = np.zeros((fine.bins, fine.bins), np.int64)
    for ready in carried(blocks, (a, b, c), fine):
        add_triples(ready, fine, counts, b == c)
    check_channels((a, b, c), channels, reading.photons, recording.source)
    check_range(fine, reading.ending)
    return _Found((a, b, c), fine, factor, counts, reading.photons, reading.ending)


def _pairs(recording: Recording, channels: tuple[int, int, int], given: tuple[float, float] | None, **asked: Any) -> list[Correlation]:
    """The correlations of two that are needed: of different channels for their zero delays, of one that stands twice for its dead time."""
    a, b, c = channels
    wanted = {pair for pair in ((a, b), (a, c), (b, c)) if pair[0] == pair[1] or (given is None and pair[0] == a)}
    return [correlate(recording, pair, normalise="rates", **asked) for pair in sorted(wanted)]


def _continuous(found: _Found, zeros: tuple[float, float]) -> _AtZero:
    half = found.window.width_ps * found.factor / 2
    i, j = (slice(*np.searchsorted(found.delays, [1000 * z - half, 1000 * z + half])) for z in zeros)
    size = float((i.stop - i.start) * (j.stop - j.start)) * found.window.width_ps**2
    if not size:
        raise bad("zero_delays_ns", "lie inside the range by half a bin", zeros, "give a longer range_ns")
    levels = {"rates": Level(found.rate.value * size, found.rate.error)}
    return _AtZero(int(found.counts[i, j].sum()), levels, size, (np.zeros(0, int), np.zeros(0, int)), np.zeros((0, 0), np.int64))


def _pulsed(found: _Found, zeros: tuple[float, float], period_ps: float) -> _AtZero:
    (m1, m2), peaks = _peaks(found, zeros, period_ps)
    if not (np.any(m1 == 0) and np.any(m2 == 0)):
        raise bad("range_ns", f"hold the whole peaks at {zeros[0]:.6g} and {zeros[1]:.6g} ns", f"+-{found.window.high_ps / 1000:g} ns", "give a longer range")
    levels = {"rates": Level(found.rate.value * period_ps**2, found.rate.error)}
    x, y = np.meshgrid(m1, m2, indexing="ij")
    apart = peaks[(x != 0) & (y != 0) & (x != y)]
    if apart.sum():
        levels["side_peaks"] = Level(float(apart.mean()), 1 / math.sqrt(float(apart.sum())))
    return _AtZero(int(peaks[m1 == 0][:, m2 == 0].item()), levels, period_ps**2, (m1, m2), peaks)


def _chosen(levels: dict[str, Level], asked: str | None, is_pulsed: bool) -> tuple[str, Level]:
    name = asked if asked is not None else "side_peaks" if is_pulsed else "rates"
    if name not in ("side_peaks", "rates"):
        raise unknown("normalise", name, ("side_peaks", "rates"))
    if name not in levels:
        argument, remedy = ("range_ns", "give a longer range") if is_pulsed else ("period_ns", "give period_ns")
        raise bad(argument, "allow triples of three different pulses", "none", f"{remedy}, or normalise by rates")
    return name, levels[name]


def _warnings(levels: dict[str, Level], is_hidden: bool) -> list[str]:
    found = []
    if "side_peaks" in levels and differ(levels["side_peaks"], levels["rates"]):
        ratio = levels["side_peaks"].value / levels["rates"].value
        found.append(
            f"the normalisations differ beyond their errors: triples of different pulses are {ratio:.3g} times the level of the rates (blinking, drift)"
        )
    if is_hidden:
        found.append("one channel stands more than once, and the dead time of its detector hides the triples at zero: g3(0) wants three detectors")
    return found


def _zeros(channels: tuple[int, ...], pairs: list[Correlation], given: tuple[float, float] | None, window: Window) -> tuple[float, float]:
    """Zero delays in ns of the second and third channel after the first."""
    if given is not None:
        if np.shape(given) != (2,):
            raise bad("zero_delays_ns", "be two delays, of the second and the third channel", given, "for example (0.0, 12.3)")
        reach = window.high_ps / 1000
        first, second = (number("zero_delays_ns", z, -reach, reach, unit="ns") for z in given)
        return first, second
    found = {p.channels: p.zero_delay_ns for p in pairs}
    first, second = (found.get((channels[0], x), 0.0) for x in channels[1:])
    return first, second


def _peaks(found: _Found, zeros: tuple[float, float], period_ps: float) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """(periods of both delays, triples by them) of the squares that lie in the range as a whole."""
    window = found.window
    sums = np.zeros((window.bins + 1, window.bins + 1), np.int64)
    sums[1:, 1:] = found.counts.cumsum(axis=0).cumsum(axis=1)
    numbers, edges = [], []
    for zero in (1000 * zeros[0], 1000 * zeros[1]):
        m, at = whole_peaks(window.low_ps, window.high_ps, zero, period_ps)
        numbers.append(m)
        edges.append(np.searchsorted(found.delays, at))
    return (numbers[0], numbers[1]), np.diff(np.diff(sums[np.ix_(*edges)], axis=0), axis=1)
