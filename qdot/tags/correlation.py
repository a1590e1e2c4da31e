"""The correlator: g2 of two channels from time tags or from the histogram of a card, with its normalisation, its errors and its warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qdot.data import Histogram
from qdot.errors import bad, number
from qdot.tags import normalise as n
from qdot.tags.cards import Snapshots, is_card, read_card
from qdot.tags.counted import Counted, Progress, count, of_histogram
from qdot.tags.files import HISTOGRAM, kind_of, open_tags
from qdot.tags.recording import Recording, of_tags
from qdot.tags.shape import Zero, repeats, zero_of_continuous, zero_of_pulses
from qdot.tags.stream import Tags

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Data = Tags | Recording | Histogram | Snapshots | str | Path


@dataclass(frozen=True)
class Peak:
    """One peak of a pulsed histogram: number of periods from the zero delay, its delay, coincidences |delay - its| < period / 2, and these normalised."""

    index: int
    delay_ns: float
    coincidences: int
    g2: float


@dataclass(frozen=True, eq=False)
class Correlation:
    """g2 of two channels: coincidences by delay, and what they say. `print` gives the lines for the lab book.

    tau_ns: (n,) centres of the bins, delay of the second channel after the first as the instrument saw it (cables included). counts: (n,)
    coincidences with tau - bin / 2 <= delay < tau + bin / 2. g2: (n,) counts over those where g2 = 1. g2_zero: pulsed, area of the peak at the zero delay
    over the area where g2 = 1; continuous, of one bin centred on the zero delay; None where the data do not hold it (a warning says why).
    error: half of interval, the central 68 % one of a Poisson count. upper_limit: of g2_zero at 95 %. level: coincidences of that peak or bin where
    g2 = 1. by: g2_zero by every normalisation that the data allow. zero_delay_how: "given", "found", "assumed", or "exact" (0 of a channel with itself).
    peaks: whole peaks in the range, pulsed only.
    photons: {channel: number}. duration_s: None for histograms. dead_time_ns: seen in an autocorrelation.
    """

    channels: tuple[int, int] | None
    bin_ps: float
    tau_ns: np.ndarray
    counts: np.ndarray
    g2: np.ndarray
    g2_zero: float | None
    error: float | None
    interval: tuple[float, float] | None
    upper_limit: float | None
    coincidences_zero: int | None
    level: float
    normalisation: str
    by: dict[str, float]
    period_ns: float | None
    zero_delay_ns: float
    zero_delay_error_ns: float
    zero_delay_how: str
    peaks: tuple[Peak, ...]
    photons: dict[int, int]
    duration_s: float | None
    dead_time_ns: float | None
    source: str
    warnings: tuple[str, ...]
    versions: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain |= {name: getattr(self, name).tolist() for name in ("tau_ns", "counts", "g2")}
        plain |= {"channels": None if self.channels is None else list(self.channels), "warnings": list(self.warnings)}
        plain |= {"interval": None if self.interval is None else list(self.interval), "photons": {str(c): k for c, k in self.photons.items()}}
        return plain | {"peaks": [vars(p).copy() for p in self.peaks]}

    def __str__(self) -> str:
        who = "histogram" if self.channels is None else f"channels {self.channels[0]} and {self.channels[1]}"
        if self.channels is not None and self.channels[0] == self.channels[1]:
            who = f"channel {self.channels[0]} with itself"
        rows = {"source": self.source or "in memory"}
        if self.duration_s is not None:
            rows["photons"] = ", ".join(f"channel {c}: {k}" for c, k in self.photons.items()) + f", in {self.duration_s:.6g} s"
        rows["delays"] = f"{self.counts.size} bins of {self.bin_ps:g} ps, {self.tau_ns[0]:.6g} .. {self.tau_ns[-1]:.6g} ns, {self.counts.sum()} coincidences"
        rows["period"] = "none (continuous)" if self.period_ns is None else f"{self.period_ns:.6g} ns, {len(self.peaks)} whole peaks"
        middle = [p for p in self.peaks if abs(p.index) <= 3]
        if middle:
            rows[f"{middle[0].index} .. {middle[-1].index}"] = ", ".join(str(p.coincidences) for p in middle) + " coincidences"
        error = f" +- {self.zero_delay_error_ns:.2g}" if self.zero_delay_how == "found" else ""
        rows["zero delay"] = f"{self.zero_delay_ns:.6g}{error} ns ({self.zero_delay_how})"
        if self.dead_time_ns is not None:
            rows["dead time"] = f"{self.dead_time_ns:.6g} ns"
        if self.g2_zero is None or self.interval is None:
            rows["g2(0)"] = "not in the data"
        else:
            rows["g2(0)"] = (
                f"{self.g2_zero:.4g} +- {self.error:.2g} ({self.interval[0]:.4g} .. {self.interval[1]:.4g} at 68 %, < {self.upper_limit:.4g} at 95 %)"
            )
            rows["from"] = f"{self.coincidences_zero} coincidences over {self.level:.5g}, normalised by {self.normalisation}"
            rows["by"] = ", ".join(f"{name} {value:.4g}" for name, value in self.by.items())
        lines = [f"g2 of {who}", *(f"  {name:<11} {value}" for name, value in rows.items())]
        return "\n".join([*lines, *(f"warning: {w}" for w in self.warnings)])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw g2 against delay; returns the axes."""
        from qdot import plot

        return plot.correlation(self, ax)


def correlate(
    data: Data,
    channels: Sequence[int] | None = None,
    *,
    bin_ps: float | None = None,
    range_ns: float | None = None,
    period_ns: float | None = None,
    normalise: str | None = None,
    zero_delay_ns: float | None = None,
    progress: Progress | None = None,
) -> Correlation:
    """g2(tau) of two channels from all pairs of photons, second detected tau after first.

    data: tags, a file of tags (read in blocks, it need not fit into memory), the histogram of a correlator card, or a file of one.
    channels: (first, second); one twice is an autocorrelation. Left out: the two, or the one, that there are.
    bin_ps, range_ns: whole ps, and delays from -range to +range rounded up to whole bins; needed for tags. A histogram keeps its bins, or joins them.
    period_ns: of the laser; by default that of the data, None for continuous light. normalise: "side_peaks" (default of pulsed light), "rates"
    (default of continuous light) or "long_delay". zero_delay_ns: cable delay; by default found. progress: called with the share that has been read.
    Raises InputError for channels without photons, a period that the data contradict, and a range without what the normalisation needs.
    """
    given_ps = None if period_ns is None else 1000 * number("period_ns", period_ns, 0.0, open_low=True, unit="ns")
    counted = _counted(data, channels, bin_ps, range_ns, given_ps, progress)
    period_ps = counted.period_ps
    return _pulsed(counted, period_ps, normalise, zero_delay_ns) if period_ps is not None else _continuous(counted, normalise, zero_delay_ns)


def open_data(
    path: str | Path, sync_period_ps: float | None = None, curve: int | None = None, leave_out: Sequence[int] = ()
) -> Recording | Snapshots | Histogram:
    """What a file holds, by its content: tags to be read in blocks, or the histogram of a card.

    sync_period_ps: as in `read_tags`. curve: as in `read_card`. leave_out: numbers of snapshots, from 1, that are not summed.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == HISTOGRAM or (kind == "text" and is_card(path)):
        if sync_period_ps is not None:
            raise bad("sync_period_ps", "come with time tags", f"{path}, a histogram", "leave it out")
        card = read_card(path, curve)
        return card.histogram(leave_out) if leave_out else card
    for name, value in (("curve", curve), ("leave_out", leave_out or None)):
        if value is not None:
            raise bad(name, "come with the histogram of a card", f"{path}, which holds tags", "leave it out")
    return open_tags(path, sync_period_ps)


def _counted(
    data: Data, channels: Sequence[int] | None, bin_ps: float | None, range_ns: float | None, period_ps: float | None, progress: Progress | None
) -> Counted:
    if isinstance(data, str | Path):
        data = open_data(data)
    if isinstance(data, Histogram | Snapshots):
        if channels is not None:
            raise bad("channels", "be left out for a histogram", list(channels), "its channels were chosen when it was measured")
        histogram, told = (data.histogram(), data.warnings) if isinstance(data, Snapshots) else (data, ())
        return of_histogram(histogram, bin_ps, range_ns, period_ps, told)
    recording = of_tags(data) if isinstance(data, Tags) else data
    if not isinstance(recording, Recording):
        raise bad("data", "be tags, a histogram or the path of a file", type(data).__name__, "for arrays: qdot.Tags(time_ps, channel, duration_ps)")
    for name, value, example in (("bin_ps", bin_ps, "256"), ("range_ns", range_ns, "500")):
        if value is None:
            raise bad(name, "be given for time tags", "none", f"for example {name}={example}")
    recording = recording if period_ps is None else replace(recording, period_ps=period_ps)
    return count(recording, channels, bin_ps or 0.0, range_ns or 0.0, recording.period_ps is not None, progress)


def _zero(counted: Counted, given_ns: float | None, period_ps: float | None) -> Zero:
    """The zero delay: given, 0 of a channel with itself, else found."""
    if given_ns is not None:
        delay = 1000 * number("zero_delay_ns", given_ns, unit="ns")
        if not counted.shape.low_ps <= delay <= counted.shape.high_ps:
            span = f"{counted.shape.low_ps / 1000:g} .. {counted.shape.high_ps / 1000:g} ns"
            raise bad("zero_delay_ns", f"lie in the range, {span}", f"{given_ns:g}", "give a longer range_ns")
        return Zero(delay, 0.0, "given")
    if counted.is_auto:
        return Zero(0.0, 0.0, "exact")
    shape = counted.shape.coarser(counted.factor)
    return zero_of_continuous(shape) if period_ps is None else zero_of_pulses(counted.shape, period_ps)


def _pulsed(counted: Counted, period_ps: float, normalise: str | None, given_ns: float | None) -> Correlation:
    shape = counted.shape.coarser(counted.factor)
    if period_ps < 2 * shape.width_ps:
        raise bad("bin_ps", f"be less than half a period of {period_ps / 1000:.6g} ns", f"{shape.width_ps:g}", "give smaller bins")
    warnings = [*n.of_period(counted, shape, period_ps), *counted.warnings]
    zero = _zero(counted, given_ns, period_ps)
    if zero.how == "assumed":
        warnings.append(
            f"no peak stands out from its neighbours: the one nearest to 0, at {zero.delay_ps / 1000:.4g} ns, was taken for the zero delay; "
            "give zero_delay_ns, or a range that holds the cable delay"
        )
    peaks = n.peaks_of(counted, zero, period_ps)
    levels = n.peak_levels(counted, peaks, period_ps)
    name = n.chosen_level(levels, normalise, counted, True)
    level, place = levels[name], peaks.zero
    edge = float(peaks.edge[place])
    coincidences = int(peaks.counts[place])
    if counted.dead_ps:
        warnings.append(_dead(counted, "peak"))
    known = None if counted.dead_ps else coincidences
    warnings += n.of_levels(levels, known, edge)
    warnings += [*n.of_overlap(counted.shape, zero, period_ps), *(n.of_side_peaks(peaks) if name == "side_peaks" else [])]
    warnings += [*n.of_baseline(counted, zero, peaks, period_ps), *n.of_bins(counted, zero, period_ps)]
    if counted.shape.width_ps > period_ps / 20 and counted.shape.width_ps > 1:
        warnings.append(f"bins of {counted.shape.width_ps:g} ps do not resolve the borders between peaks: areas are uncertain by what lies there")
    parts = [Peak(int(m), float((zero.delay_ps + m * period_ps) / 1000), int(k), float(k / (level.value * e))) for m, k, e in _rows(peaks)]
    unit = level.value / period_ps
    return _result(counted, zero, name, levels, level, coincidences, edge, unit, period_ps, parts, warnings, known)


def _rows(peaks: n.Peaks) -> list[tuple[int, int, float]]:
    return list(zip(peaks.m.tolist(), peaks.counts.tolist(), np.broadcast_to(peaks.edge, peaks.m.shape).tolist(), strict=True))


def _continuous(counted: Counted, normalise: str | None, given_ns: float | None) -> Correlation:
    shape = counted.shape.coarser(counted.factor)
    warnings = list(counted.warnings)
    period = repeats(shape, counted.dead_ps, counted.is_auto)
    zero = Zero(0.0, 0.0, "assumed") if period is not None and given_ns is None and not counted.is_auto else _zero(counted, given_ns, None)
    if period is not None:
        warnings.append(f"the coincidences repeat every {period / 1000:.6g} ns: the light is pulsed, and g2(0) wants period_ns = {period / 1000:.6g}")
    elif zero.how == "assumed":
        warnings.append("no dip or peak stands out: 0 was taken for the zero delay; give zero_delay_ns, or a range that holds the cable delay")
    levels = n.bin_levels(counted, zero)
    name = n.chosen_level(levels, normalise, counted, False)
    level = levels[name]
    coincidences, width = counted.shape.within(zero.delay_ps - shape.width_ps / 2, zero.delay_ps + shape.width_ps / 2)
    is_inside = width > shape.width_ps / 2
    if not is_inside and zero.how != "assumed":
        raise bad("zero_delay_ns", "lie inside the range by half a bin", f"{zero.delay_ps / 1000:g} ns", "give a longer range_ns")
    edge = float(counted.edge(zero.delay_ps)) * (width if is_inside else shape.width_ps)
    if counted.dead_ps:
        warnings.append(_dead(counted, "delay"))
    known = coincidences if is_inside and not counted.dead_ps and period is None else None
    warnings += n.of_levels(levels, known, edge) if period is None else []
    warnings += n.of_baseline(counted, zero, None, None)
    warnings += n.of_bins(counted, zero, None) if period is None and not counted.dead_ps else []
    return _result(counted, zero, name, levels, level, coincidences, edge, level.value, None, [], warnings, known)


def _dead(counted: Counted, what: str) -> str:
    channel = counted.channels[0] if counted.channels else 0
    return (
        f"channel {channel} with itself holds no pair closer than {counted.dead_ps / 1000:.6g} ns: the dead time of its detector hides the {what} at zero, "
        "and delays soon after it may hold afterpulses; g2(0) wants two detectors"
    )


def _result(
    counted: Counted,
    zero: Zero,
    name: n.Normalisation,
    levels: dict[n.Normalisation, n.Level],
    level: n.Level,
    coincidences: int,
    width: float,
    per_ps: float,
    period_ps: float | None,
    peaks: list[Peak],
    warnings: list[str],
    known: int | None,
) -> Correlation:
    """The result; width: what the level is multiplied with; known: the coincidences at zero if they say g2(0)."""
    from qdot import __version__

    fine = counted.shape
    shape = fine.coarser(counted.factor)
    centre = shape.low_ps + shape.width_ps * (np.arange(shape.counts.size) + 0.5)
    found = None if known is None else n.value_of(coincidences, level.value * width, level.error, 2 if counted.is_auto else 1)
    return Correlation(
        channels=counted.channels,
        bin_ps=int(shape.width_ps) if counted.channels else shape.width_ps,
        tau_ns=centre / 1000,
        counts=shape.counts,
        g2=shape.counts / (per_ps * shape.width_ps * counted.edge(centre)),
        g2_zero=found[0] if found else None,
        error=found[1] if found else None,
        interval=found[2] if found else None,
        upper_limit=found[3] if found else None,
        coincidences_zero=known,
        level=level.value * width,
        normalisation=name,
        by={} if known is None else {k: coincidences / (v.value * width) for k, v in levels.items()},
        period_ns=None if period_ps is None else period_ps / 1000,
        zero_delay_ns=zero.delay_ps / 1000,
        zero_delay_error_ns=zero.error_ps / 1000,
        zero_delay_how=zero.how,
        peaks=tuple(peaks),
        photons=counted.photons,
        duration_s=None if counted.duration_ps is None else counted.duration_ps / 1e12,
        dead_time_ns=counted.dead_ps / 1000 if counted.dead_ps else None,
        source=counted.source,
        warnings=tuple(warnings),
        versions={"qdot": __version__, "numpy": np.__version__},
    )
