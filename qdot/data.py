"""Measured series and histograms with their uncertainties, units and source, read from CSV files.

A file is comma-separated: comment lines start with "#", then one line of column names, then the rows. A column's name ends in its unit
(`delay_ns`, `power_uW`, `flux_per_ns`). Reads, never computes: no sum, no background, no normalisation; nothing is skipped or repaired.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdot.errors import bad, unknown

UNITS = {"per_ns": "1/ns", "ns": "ns", "ps": "ps", "us": "us", "uW": "uW", "nW": "nW", "mW": "mW", "fJ": "fJ", "ueV": "ueV", "nm": "nm", "K": "K", "s": "s"}
"""Endings of a column's name and the unit they stand for."""
UNIFORM = 1e-6
"""A delay axis is uniform if its steps agree to this fraction of the bin width plus the rounding of the digits written in the file."""


@dataclass(frozen=True, eq=False)
class Series:
    """A quantity measured at several settings: value against x with standard errors, downwards and upwards.

    x, value, minus, plus: (n,); all finite, minus and plus > 0. x_name, name: column names, which end in their units. source: where it comes from.
    """

    x: np.ndarray
    value: np.ndarray
    minus: np.ndarray
    plus: np.ndarray
    x_name: str
    name: str
    source: str

    def __post_init__(self) -> None:
        for field in ("x", "value", "minus", "plus"):
            array = np.asarray(getattr(self, field), dtype=float)
            if array.ndim != 1 or array.size == 0 or array.shape != np.shape(self.x):
                raise bad(f"Series.{field}", "be a non-empty list as long as x", f"shape {array.shape}", "give one entry for each x")
            if not np.all(np.isfinite(array)):
                raise bad(f"Series.{field}", "be finite", "nan or infinity", "remove that point")
            object.__setattr__(self, field, array)
        if np.any(self.minus <= 0) or np.any(self.plus <= 0):
            raise bad("Series.minus and Series.plus", "be > 0 (standard errors)", "an error of zero or less", "give every point its uncertainty")

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
        return "\n".join([head, *(f"{x:12g}  {v:.6g} -{a:.2g} +{b:.2g}" for x, v, a, b in zip(self.x, self.value, self.minus, self.plus, strict=True))])


@dataclass(frozen=True, eq=False)
class Histogram:
    """Coincidences against delay: integer counts in bins of one width.

    left_ns: (n,) left edges of the bins; bin_width_ns: their width; counts: (n,) whole numbers >= 0, Poisson distributed. source: where it comes from.
    """

    left_ns: np.ndarray
    bin_width_ns: float
    counts: np.ndarray
    source: str

    def __post_init__(self) -> None:
        left, counts = np.asarray(self.left_ns, dtype=float), np.asarray(self.counts, dtype=float)
        if left.ndim != 1 or left.size < 2 or counts.shape != left.shape:
            raise bad("Histogram.counts", "be as long as left_ns, at least 2 bins", f"{counts.shape} and {left.shape}", "give one count for each bin")
        if not np.all(np.isfinite(left)) or not math.isfinite(self.bin_width_ns) or self.bin_width_ns <= 0:
            raise bad("Histogram.left_ns and bin_width_ns", "be finite, the width > 0 ns", self.bin_width_ns, "give the left edges of the bins")
        if not np.all(np.isfinite(counts)) or np.any(counts < 0) or np.any(counts != np.round(counts)):
            raise bad("Histogram.counts", "be whole numbers >= 0", "others", "give raw counts, not normalised ones")
        object.__setattr__(self, "left_ns", left)
        object.__setattr__(self, "counts", counts)

    @property
    def edges_ns(self) -> np.ndarray:
        """(n+1,) edges of the bins."""
        return np.append(self.left_ns, self.left_ns[-1] + self.bin_width_ns)

    def __len__(self) -> int:
        return int(self.counts.size)

    def __str__(self) -> str:
        return f"{len(self)} bins of {self.bin_width_ns:g} ns from {self.left_ns[0]:g} ns, {self.counts.sum():.0f} counts, {self.source}"


def split_unit(column: str) -> tuple[str, str]:
    """(quantity, unit) of a column's name.

    >>> split_unit("peak_decay_ns"), split_unit("flux_per_ns"), split_unit("g2_zero")
    (('peak_decay', 'ns'), ('flux', '1/ns'), ('g2_zero', ''))
    """
    for ending, unit in UNITS.items():
        if column.endswith("_" + ending) and len(column) > len(ending) + 1:
            return column[: -len(ending) - 1], unit
    return column, ""


def read_series(path: str | Path, value: str | None = None, x: str | None = None, error: str | tuple[str, str] | None = None) -> Series:
    """One measured quantity against another from a CSV file.

    x: column of the setting (default: the first). value: column of the quantity (default: the first one after x that has an uncertainty).
    error: its standard error, one column or (downwards, upwards); by default the columns named like the value with `_error`, or with `_minus` and
    `_plus`, before the unit: `decay_ns` has `decay_error_ns`. Other columns may hold anything.
    Raises InputError with file and line for a missing or empty file, a missing column, and an entry that is not a finite number.
    """
    names, rows = _table(Path(path))
    x = names[0] if x is None else x
    if value is None:
        value = next((n for n in names if n != x and _error_columns(n, names)), None)
        if value is None:
            must = "hold a quantity with an uncertainty, for example g2_zero and g2_zero_error"
            raise bad(f"{path}", must, ", ".join(names), "rename the columns; in Python, read_series takes value= and error= as well")
    errors = _error_columns(value, names) if error is None else (error, error) if isinstance(error, str) else error
    for column in (x, value):
        if column not in names:
            raise unknown(f"{path} column", column, names)
    if not errors:
        raise bad(f"{path}", f"hold the uncertainty of {value!r}", ", ".join(names), "name its column with error=")
    for column in errors:
        if column not in names:
            raise unknown(f"{path} column", column, names)
    columns = [_numbers(path, names, rows, c, low_open=c in errors) for c in (x, value, *errors)]
    return Series(columns[0], columns[1], columns[2], columns[3], x, value, str(path))


def read_histogram(path: str | Path) -> Histogram:
    """A coincidence histogram from a CSV file with the columns delay_ns (left bin edge) and counts.

    Raises InputError with file and line for a missing or empty file, an entry that is not a finite number, counts that are negative or not
    whole, and a delay axis that is not uniform.
    """
    names, rows = _table(Path(path))
    for column in ("delay_ns", "counts"):
        if column not in names:
            raise unknown(f"{path} column", column, names)
    left = _numbers(path, names, rows, "delay_ns")
    counts = _numbers(path, names, rows, "counts")
    for i in np.flatnonzero((counts < 0) | (counts != np.round(counts))):
        raise bad(f"{path} line {rows[i][0]} counts", "be a whole number >= 0", f"{counts[i]:g}", "give raw counts, without background subtracted")
    if left.size < 2:
        raise bad(f"{path}", "hold at least 2 bins", f"{left.size}", "give the whole histogram")
    width = float(left[-1] - left[0]) / (left.size - 1)
    digits = max(_decimals(cells[names.index("delay_ns")]) for _, cells in rows)
    wrong = np.abs(np.diff(left) - width) > UNIFORM * abs(width) + 1.01 * 10.0**-digits
    if width <= 0 or np.any(wrong):
        at = int(np.flatnonzero(wrong)[0]) + 1 if np.any(wrong) else 1
        must = f"follow the one before by the bin width {width:g} ns" if width > 0 else "be larger than the one before"
        raise bad(f"{path} line {rows[at][0]} delay_ns", must, f"{left[at]:g} after {left[at - 1]:g}", "give every bin once, in order")
    return Histogram(left, width, counts, str(path))


def _error_columns(value: str, names: list[str]) -> tuple[str, str] | None:
    """Columns that hold the errors of `value`, downwards and upwards, by their names."""
    quantity, unit = split_unit(value)
    ending = value[len(quantity) :] if unit else ""
    for low, high in ((f"{quantity}_error{ending}",) * 2, (f"{quantity}_minus{ending}", f"{quantity}_plus{ending}")):
        if low in names and high in names:
            return low, high
    return None


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(column names, [(line number, cells)]) of a CSV file. Raises InputError for a file that cannot be read or holds no rows."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "check the path") from None
    except UnicodeDecodeError:
        raise bad(str(path), "be a text file in UTF-8", "other bytes", "export it as CSV") from None
    kept = [(i, line) for i, line in enumerate(text.splitlines(), start=1) if line.strip() and not line.startswith("#")]
    lines = [(i, [c.strip() for c in next(csv.reader([line]))]) for i, line in kept]
    if not lines:
        raise bad(str(path), "hold a line of column names and rows of numbers", "an empty file", "export the data again")
    (first, names), rows = lines[0], lines[1:]
    if all(_is_number(c) for c in names):
        raise bad(f"{path} line {first}", "name the columns", ", ".join(names), "put a line such as delay_ns,counts before the numbers")
    if len(set(names)) < len(names):
        raise bad(f"{path} line {first}", "name every column once", ", ".join(names), "rename one of them")
    if not rows:
        raise bad(str(path), "hold rows of numbers below the column names", "none", "export the data again")
    for number, cells in rows:
        if len(cells) != len(names):
            raise bad(f"{path} line {number}", f"hold {len(names)} columns ({', '.join(names)})", f"{len(cells)}", "complete that row")
    return names, rows


def _numbers(path: str | Path, names: list[str], rows: list[tuple[int, list[str]]], column: str, low_open: bool = False) -> np.ndarray:
    """One column as finite floats (> 0 if low_open)."""
    at = names.index(column)
    values = np.empty(len(rows))
    must = "be a finite number" + (" > 0" if low_open else "")
    for i, (number, cells) in enumerate(rows):
        try:
            values[i] = float(cells[at])
        except ValueError:
            raise bad(f"{path} line {number} {column}", must, repr(cells[at]), "correct or remove that row") from None
        if not math.isfinite(values[i]) or (low_open and values[i] <= 0):
            raise bad(f"{path} line {number} {column}", must, cells[at], "correct or remove that row")
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _decimals(cell: str) -> int:
    """Digits written after the decimal point of a number without exponent; 16 where there is an exponent."""
    if "e" in cell.lower():
        return 16
    return len(cell.partition(".")[2])
