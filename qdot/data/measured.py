"""Measured series and histograms: values with their uncertainties, law, units and source. Frozen; nothing is calculated from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np

from qdot.data.units import split_unit
from qdot.errors import bad, short, unknown

Law = Literal["normal", "poisson", "binomial"]
"""How a value scatters around what is expected: with its standard errors, as counts, or as clicks in so many trials."""


class LeftOut(NamedTuple):
    """Part of a file that was not used, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"left out {self.where}: {self.why}"


class DataWarning(UserWarning):
    """Data that can be read but are probably not what was meant; the text names file and row."""


@dataclass(frozen=True, eq=False)
class Series:
    """A quantity measured at several settings: value against x with standard errors, downwards and upwards.

    x, value, minus, plus: (n,); all finite, minus and plus > 0. x_name, name: column names, which end in their units. source: where it comes from.
    law: "normal"; "poisson" for counts; "binomial" for clicks among `trials` (n,): values are then whole numbers, and minus and plus only serve
    drawings. settings: {dotted name: value} of the experiment that the file states. left_out: rows that were not used, and why.
    """

    x: np.ndarray
    value: np.ndarray
    minus: np.ndarray
    plus: np.ndarray
    x_name: str
    name: str
    source: str
    law: Law = "normal"
    trials: np.ndarray | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        if self.law not in get_args(Law):
            raise unknown("Series.law", self.law, get_args(Law))
        if (self.trials is None) == (self.law == "binomial"):
            raise bad("Series.trials", "be given with law 'binomial' and only there", f"law {self.law!r}", "give the number of trials of each point")
        for name in ("x", "value", "minus", "plus", *(() if self.trials is None else ("trials",))):
            array = np.asarray(getattr(self, name), dtype=float)
            if array.ndim != 1 or array.size == 0 or array.shape != np.shape(self.x):
                raise bad(f"Series.{name}", "be a non-empty list as long as x", f"shape {array.shape}", "give one entry for each x")
            if not np.all(np.isfinite(array)):
                raise bad(f"Series.{name}", "be finite", "nan or infinity", "remove that point")
            object.__setattr__(self, name, array)
        if np.any(self.minus <= 0) or np.any(self.plus <= 0):
            raise bad("Series.minus and Series.plus", "be > 0 (standard errors)", "an error of zero or less", "give every point its uncertainty")
        if self.law != "normal" and (np.any(self.value < 0) or np.any(self.value != np.round(self.value))):
            raise bad("Series.value", "be whole numbers >= 0 where they are counted", short(self.value.tolist()), "give raw counts, not rates")
        if self.trials is not None and np.any((self.trials < self.value) | (self.trials != np.round(self.trials))):
            raise bad("Series.trials", "be whole numbers, at least as many as the clicks", short(self.trials.tolist()), "give the trials of each point")

    @staticmethod
    def of_counts(x: np.ndarray, counts: np.ndarray, x_name: str, name: str, source: str) -> Series:
        """Counts at several settings, Poisson distributed."""
        error = np.sqrt(np.maximum(np.asarray(counts, dtype=float), 1.0))
        return Series(x, counts, error, error, x_name, name, source, "poisson")

    @staticmethod
    def of_clicks(x: np.ndarray, clicks: np.ndarray, trials: np.ndarray, x_name: str, name: str, source: str) -> Series:
        """Clicks among so many trials at several settings, binomially distributed."""
        n, k = np.asarray(trials, dtype=float), np.asarray(clicks, dtype=float)
        error = np.sqrt(np.maximum(k * (1.0 - k / np.maximum(n, 1.0)), 1.0))
        return Series(x, clicks, error, error, x_name, name, source, "binomial", trials)

    @property
    def quantity(self) -> str:
        """Name of the value without its unit."""
        return split_unit(self.name)[0]

    @property
    def unit(self) -> str:
        """Unit of the value ("" where it has none)."""
        return split_unit(self.name)[1]

    @property
    def x_unit(self) -> str:
        """Unit of x."""
        return split_unit(self.x_name)[1]

    def __len__(self) -> int:
        return int(self.x.size)

    def __str__(self) -> str:
        head = f"{self.name} against {self.x_name}, {self.source}"
        rows = [f"{x:12g}  {v:.6g} -{a:.2g} +{b:.2g}" for x, v, a, b in zip(self.x, self.value, self.minus, self.plus, strict=True)]
        return "\n".join([head, *rows, *map(str, self.left_out)])


@dataclass(frozen=True, eq=False)
class Histogram:
    """Coincidences against delay, or photons against time: integer counts in bins of one width.

    left_ns: (n,) left edges of the bins; bin_width_ns: their width; counts: (n,) whole numbers >= 0, Poisson distributed. source: where it comes from.
    axis: "delay_ns" (coincidences) or "time_ns" (a decay trace). settings: {dotted name: value} of the experiment that the file states.
    left_out: parts of the file that were not used, and why.
    """

    left_ns: np.ndarray
    bin_width_ns: float
    counts: np.ndarray
    source: str
    axis: str = "delay_ns"
    settings: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        left, counts = np.asarray(self.left_ns, dtype=float), np.asarray(self.counts, dtype=float)
        if left.ndim != 1 or left.size < 2 or counts.shape != left.shape:
            raise bad("Histogram.counts", "be as long as left_ns, at least 2 bins", f"{counts.shape} and {left.shape}", "give one count for each bin")
        if not np.all(np.isfinite(left)) or not math.isfinite(self.bin_width_ns) or self.bin_width_ns <= 0:
            raise bad("Histogram.left_ns and bin_width_ns", "be finite, the width > 0 ns", self.bin_width_ns, "give the left edges of the bins")
        if not np.all(np.isfinite(counts)) or np.any(counts < 0) or np.any(counts != np.round(counts)):
            raise bad("Histogram.counts", "be whole numbers >= 0", short(counts.tolist()), "give raw counts, not normalised ones")
        if self.axis not in ("delay_ns", "time_ns"):
            raise unknown("Histogram.axis", self.axis, ["delay_ns", "time_ns"])
        object.__setattr__(self, "left_ns", left)
        object.__setattr__(self, "counts", counts)

    @property
    def edges_ns(self) -> np.ndarray:
        """(n+1,) edges of the bins."""
        return np.append(self.left_ns, self.left_ns[-1] + self.bin_width_ns)

    @property
    def name(self) -> str:
        """What the values are."""
        return "counts"

    def __len__(self) -> int:
        return int(self.counts.size)

    def __str__(self) -> str:
        head = f"{len(self)} bins of {self.bin_width_ns:g} ns from {self.left_ns[0]:g} ns, {self.counts.sum():.0f} counts, {self.source}"
        return "\n".join([head, *map(str, self.left_out)])


Measured = Series | Histogram
