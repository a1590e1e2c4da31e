"""Histograms of correlator cards: raw snapshots, sums in CSV, PicoQuant PHU. Snapshots in which a detector latched are found and told, never dropped unasked.

A file of snapshots has no header: column 1 is the left edge of each bin in ns, every further column the counts of one snapshot. The delay axis is
that of the card; its zero delay (cables) is found by the correlator, not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdot.data import Histogram, read_histogram
from qdot.errors import InputError, bad, short, unknown

APART = 5.0
"""Standard errors by which the counts of a snapshot must leave those of its neighbours."""
NEIGHBOURS = 7
"""Snapshots on either side that tell how many counts are usual."""


@dataclass(frozen=True)
class Unusual:
    """A snapshot whose counts are far from its neighbours': number counts from 1; apart is in standard errors of a Poisson count."""

    number: int
    counts: int
    usual: float
    apart: float

    def __str__(self) -> str:
        return f"{self.number} ({self.counts} counts, usual there {self.usual:.0f})"


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Coincidences against delay in consecutive snapshots.

    left_ns: (n,) left edges of the bins. counts: (n, k) whole numbers >= 0. source: where they come from.
    """

    left_ns: np.ndarray
    bin_width_ns: float
    counts: np.ndarray
    source: str

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.ndim != 2 or counts.shape[1] == 0:
            raise bad("Snapshots.counts", "have shape (bins, snapshots)", counts.shape, "give one column for each snapshot")
        whole = Histogram(self.left_ns, self.bin_width_ns, counts.sum(axis=1), self.source)
        if np.any(counts < 0) or np.any(counts != np.rint(counts)):
            raise bad("Snapshots.counts", "be whole numbers >= 0", short(counts.tolist()), "give raw counts")
        object.__setattr__(self, "left_ns", whole.left_ns)
        object.__setattr__(self, "counts", counts.astype(np.int64))

    @property
    def totals(self) -> np.ndarray:
        """(k,) counts of each snapshot."""
        return self.counts.sum(axis=0)

    @property
    def glitches(self) -> tuple[Unusual, ...]:
        """Snapshots with far more counts than those around them, the strongest first: a detector latched, or light came in."""
        return tuple(sorted((u for u in self._unusual() if u.apart > 0), key=lambda u: -u.apart))

    @property
    def short(self) -> tuple[Unusual, ...]:
        """Snapshots with far fewer counts than those around them: cut short, or the emitter was lost."""
        return tuple(u for u in self._unusual() if u.apart < 0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to tell about single snapshots."""
        many, few = "far more counts than their neighbours (a latched detector?)", "far fewer counts than their neighbours (cut short?)"
        told = []
        for found, what in ((self.glitches, many), (self.short, few)):
            if found:
                share = sum(u.counts for u in found) / max(1, int(self.totals.sum()))
                named = ", ".join(map(str, found))
                told.append(
                    f"snapshots with {what}: {named}, of {self.totals.size}; they are summed in and hold {share:.2g} of all counts (leave_out= leaves them out)"
                )
        return tuple(told)

    def histogram(self, leave_out: Iterable[int] = ()) -> Histogram:
        """The sum of the snapshots without those of these numbers (from 1), which the source of the sum then names."""
        numbers = sorted(set(leave_out))
        for number in numbers:
            if not 1 <= number <= self.totals.size:
                raise bad("leave_out", f"be numbers of snapshots, 1 .. {self.totals.size}", number, "they count from 1")
        if len(numbers) == self.totals.size:
            raise bad("leave_out", "leave a snapshot", "all of them", "name fewer")
        kept = np.delete(self.counts, [n - 1 for n in numbers], axis=1)
        without = f" without snapshots {', '.join(map(str, numbers))}" if numbers else ""
        return Histogram(self.left_ns, self.bin_width_ns, kept.sum(axis=1), self.source + without)

    def __str__(self) -> str:
        head = f"{self.totals.size} snapshots of {self.left_ns.size} bins of {self.bin_width_ns:g} ns from {self.left_ns[0]:g} ns, "
        return "\n".join([f"{head}{self.totals.sum()} counts, {self.source}", *(f"warning: {w}" for w in self.warnings)])

    def _unusual(self) -> list[Unusual]:
        """Every snapshot against the median of its neighbours; the spread of all deviations widens the error where counts are not Poissonian."""
        totals = self.totals.astype(float)
        if totals.size < 4:
            return []
        usual = np.array([np.median(np.delete(totals, i)[max(0, i - NEIGHBOURS) : i + NEIGHBOURS]) for i in range(totals.size)])
        apart = (totals - usual) / np.sqrt(np.maximum(usual, 1.0))
        spread = max(1.0, 1.4826 * float(np.median(np.abs(apart - np.median(apart)))))
        return [Unusual(int(i) + 1, int(totals[i]), float(usual[i]), float(apart[i] / spread)) for i in np.flatnonzero(np.abs(apart) > APART * spread)]


def is_card(path: Path) -> bool:
    """True for a text file that holds a histogram and not tags: a line of column names with delay_ns, or rows of numbers without one."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            rows = [line for _, line in zip(range(200), file, strict=False) if line.strip() and not line.startswith("#")][:2]
    except (OSError, UnicodeDecodeError):
        return False
    if rows and "delay_ns" in [c.strip() for c in rows[0].split(",")]:
        return True
    cells = [_numbers(row) for row in rows]
    return len(cells) == 2 and all(c is not None for c in cells) and len(cells[0] or ()) >= 2 and (len(cells[0] or ()) > 2 or "." in rows[1].split()[0])


def read_card(path: str | Path, curve: int | None = None) -> Snapshots:
    """The histogram of a correlator card: a file of snapshots, a sum in CSV (delay_ns, counts), or PicoQuant PHU.

    curve: number of the curve of a PHU file, from 0; needed where more than one holds counts.
    Raises InputError with file and line for counts that are no whole numbers >= 0 and for delays that are not uniform.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            is_phu = file.read(7) == b"PQHISTO"
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "check the path") from None
    if is_phu:
        return _phu(path, curve)
    if curve is not None:
        raise bad("curve", "come with a PHU file", f"{path}, which is none", "leave it out")
    try:
        lines = [(i, line) for i, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1) if line.strip() and not line.startswith("#")]
    except UnicodeDecodeError:
        raise bad(str(path), "be a text file in UTF-8 or PHU", "other bytes", "export it as text") from None
    if lines and _numbers(lines[0][1]) is None:
        found = read_histogram(path)
        return Snapshots(found.left_ns, found.bin_width_ns, found.counts[:, None], found.source)
    return _snapshots(path, lines)


def _numbers(line: str) -> list[float] | None:
    """The numbers of a line, None if it holds anything else."""
    try:
        return [float(c) for c in line.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return None


def _snapshots(path: Path, lines: list[tuple[int, str]]) -> Snapshots:
    rows: list[list[float]] = []
    for i, line in lines:
        cells = _numbers(line)
        if cells is None or not np.all(np.isfinite(cells)):
            raise bad(f"{path} line {i}", "hold finite numbers only", line[:60], "correct or remove that line")
        if rows and len(cells) != len(rows[0]):
            raise bad(f"{path} line {i}", f"hold {len(rows[0])} columns", len(cells), "complete or remove that line")
        if min(cells[1:], default=-1.0) < 0 or any(c != round(c) for c in cells[1:]):
            raise bad(f"{path} line {i}", "hold a delay and whole counts >= 0", line[:60], "give raw counts")
        rows.append(cells)
    if len(rows) < 2:
        raise bad(str(path), "hold at least 2 bins", len(rows), "give the whole histogram")
    table = np.array(rows)
    left = table[:, 0]
    width = float(left[-1] - left[0]) / (left.size - 1)
    wrong = np.flatnonzero(np.abs(np.diff(left) - width) > 1e-3 * abs(width))
    if width <= 0 or wrong.size:
        at = int(wrong[0]) + 1 if wrong.size else 1
        raise bad(
            f"{path} line {lines[at][0]}", f"follow the bin before by {width:g} ns", f"{left[at]:g} after {left[at - 1]:g}", "give every bin once, in order"
        )
    return Snapshots(left, width, table[:, 1:], str(path))


def _phu(path: Path, curve: int | None) -> Snapshots:
    from qdot.tags.picoquant import library

    try:
        with library().PhuFile(path) as file:
            curves, tags = [np.array(h) for h in file.histograms()], file.tags
            stated = [int(b) for b in tags["HistResDscr_HistogramBins"]]
            resolutions = tags.get("HistResDscr_MDescResolution") or [tags["MeasDesc_Resolution"]] * len(curves)
    except InputError:
        raise
    except Exception as error:  # whatever ptufile meets in a broken file
        raise bad(str(path), "be a complete PHU file", f"{type(error).__name__}: {error}", "copy it again from the instrument") from None
    lit = [i for i, h in enumerate(curves) if h.any()]
    if curve is None and len(lit) != 1:
        if not lit:
            raise bad(str(path), "hold counts", f"{len(curves)} empty curves", "check that the detectors were on")
        raise bad("curve", f"choose one of the curves with counts, {', '.join(map(str, lit))}", "none", "curve= in qdot.read_card, --curve")
    chosen = lit[0] if curve is None else curve
    if not 0 <= chosen < len(curves):
        raise unknown("curve", str(chosen), [str(i) for i in range(len(curves))])
    counts, width = curves[chosen], float(resolutions[chosen]) * 1e9
    if counts.size < stated[chosen]:
        raise bad(str(path), f"hold {stated[chosen]} bins", counts.size, "the file is cut short: copy it again")
    return Snapshots(width * np.arange(counts.size), width, counts.astype(np.int64)[:, None], f"{path}, curve {chosen}")
