"""Readers: a file becomes a Series or a Histogram, in the units used inside, or an error that names file and row.

Reads, never computes: no background, no normalisation. Nothing is left out unless it is asked for, and whatever is left out is accounted for.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from qdot.data.measured import DataWarning, Histogram, LeftOut, Measured, Series
from qdot.data.tables import Row, Table, decimals, is_number, read_table
from qdot.data.units import ending_of, inside, split_unit
from qdot.errors import bad, unknown

UNIFORM = 1e-6
"""A delay axis is uniform if its steps agree to this fraction of the bin width plus the rounding of the digits written in the file."""
GLITCH = 10.0
"""A snapshot is a glitch if its counts are this many standard deviations above the median snapshot."""
DELAYS, TIMES = ("delay", "tau"), ("time",)
"""Quantities that are the axis of a histogram of coincidences, and of a decay trace."""


def read_series(
    path: str | Path,
    value: str | None = None,
    x: str | None = None,
    error: str | tuple[str, str] | None = None,
    *,
    between: tuple[float, float] | None = None,
    skip_bad: bool = False,
    are_counts: bool = False,
) -> Series:
    """One measured quantity against another from a CSV, TSV or HDF5 file, in the units used inside (`power_mW` becomes `power_uW`).

    x: column of the setting (default: the first). value: column of the quantity (default: the first one after x that has an uncertainty, or
    that is counted). error: its standard error, one column or (downwards, upwards); by default the columns named like the value with `_error`,
    or with `_minus` and `_plus`, before the unit or after it: `decay_ns` has `decay_error_ns` or `decay_ns_error`.
    Without one, a column named `counts` (or `..._counts`) is
    Poisson distributed, and one named `clicks` beside `trials` binomially; are_counts: the value is counted, whatever its name.
    Other columns may hold anything.
    between: (low, high) of x in the file's own unit, rows outside are left out; skip_bad: leave out rows with entries that are no numbers. Both
    are told in `left_out`. Raises InputError with file and row for a missing or empty file, a missing column, and an entry that is not a finite
    number. Warns (DataWarning) of a setting that is there twice with nothing to tell the rows apart, and of a single point.
    """
    table = read_table(path)
    names = table.names
    x = names[0] if x is None else x
    if value is None:
        value = next((n for n in names if n != x and (_error_columns(n, names) or _law(n, names) != "normal")), None)
        if value is None:
            must = "hold a quantity with an uncertainty, for example g2_zero and g2_zero_error, or counts"
            wanted = f"{names[1]} wants {_wanted_error(names[1])}; " if len(names) > 1 else ""
            raise bad(f"{path}", must, ", ".join(names), f"{wanted}in Python, read_series takes value= and error= as well")
    errors = _error_columns(value, names) if error is None else (error, error) if isinstance(error, str) else error
    for column in (x, value):
        if column not in names:
            raise unknown(f"{path} column", column, names)
    law = "poisson" if are_counts else "normal" if errors else _law(value, names)
    errors = None if are_counts else errors
    if not errors and law == "normal":
        raise bad(f"{path}", f"hold the uncertainty of {value!r}", ", ".join(names), f"name its column {_wanted_error(value)}, or give it as error=")
    for column in errors or ():
        if column not in names:
            raise unknown(f"{path} column", column, names)
        if error is None and ending_of(inside(_united(column, value))[0]) != ending_of(inside(value)[0]):
            raise bad(f"{path} column {column}", f"have the unit of {value}", ending_of(column) or "none", "rename it, or convert its numbers")
    more = (_trials(value, names),) if law == "binomial" else tuple(errors or ())
    positive = {*(errors or ())}
    rows, left_out = _kept(table, (x, value, *more), x, between, positive, skip_bad)
    columns = [_numbers(table, rows, c, c in positive) * inside(_united(c, value))[1] for c in (x, value, *more)]
    if ending_of(inside(x)[0]) in ("uW", "fJ"):
        _not_negative(table, rows, x, columns[0])
    if law != "normal":
        _whole(table, rows, value, columns[1])
    _told(table, rows, x, columns[0])
    x_name, name = inside(x)[0], inside(value)[0]
    if law == "poisson":
        made = Series.of_counts(columns[0], columns[1], x_name, name, str(path))
    elif law == "binomial":
        for row, k, n in zip(rows, columns[1], columns[2], strict=True):
            if n < k or n != round(n):
                raise bad(f"{path} {row.where} {more[0]}", f"be a whole number of at least the {k:g} clicks", f"{n:g}", "correct that row")
        made = Series.of_clicks(columns[0], columns[1], columns[2], x_name, name, str(path))
    else:
        made = Series(columns[0], columns[1], columns[2], columns[-1], x_name, name, str(path))
    return replace(made, settings=table.settings, left_out=tuple(left_out))


def read_histogram(path: str | Path, counts: str | None = None, *, between: tuple[float, float] | None = None, skip_glitches: bool = False) -> Histogram:
    """A histogram of counts from a CSV, TSV or HDF5 file, from a correlator's card, or from what `qdot correlate --json` printed into a `.json` file.

    Columns: `delay_ns` (or `tau_ns`; `time_ns` for a decay trace), left edges of the bins, in any unit of time, and `counts`. A card has no
    names: delay in ns, then one column of counts for each snapshot, which are added up; or channels below a line `#ns/channel`.
    between: (low, high) of the axis in the file's own unit, bins outside are left out; skip_glitches: leave out snapshots that hold far more
    counts than the median one (detectors that latched). Both are told in `left_out`; a glitch that is kept gets a DataWarning.
    Raises InputError with file and row for a missing or empty file, an entry that is not a finite number, counts that are negative or not
    whole, and an axis that is not uniform.
    """
    table = read_table(path)
    names = table.names
    axis = next((n for n in names if split_unit(n)[0] in (*DELAYS, *TIMES) and split_unit(n)[1] in ("ps", "ns", "us", "ms")), None)
    if axis is None:
        raise unknown(f"{path} column", "delay_ns", names)
    wanted = [n for n in names if n.startswith("snapshot_")] if table.is_card and counts is None else ["counts" if counts is None else counts]
    for column in wanted:
        if column not in names:
            raise unknown(f"{path} column", column, names)
    name, factor = inside(axis)
    left = _numbers(table, table.rows, axis) * factor
    columns = []
    for column in wanted:
        one = _numbers(table, table.rows, column)
        for i in np.flatnonzero((one < 0) | (one != np.round(one))):
            must = "be a whole number >= 0"
            raise bad(f"{path} {table.rows[i].where} {column}", must, f"{one[i]:g}", "give raw counts, without background subtracted")
        columns.append(one)
    if left.size < 2:
        raise bad(f"{path}", "hold at least 2 bins", f"{left.size}", "give the whole histogram")
    width = _uniform(table, axis, left, factor)
    left_out: list[LeftOut] = []
    total = _without_glitches(path, columns, left_out, skip_glitches) if len(columns) > 2 else np.sum(columns, axis=0)
    if between is not None:
        low, high = (b * factor for b in between)
        keep = (left >= low - 1e-9 * width) & (left + width <= high + 1e-9 * width)
        if keep.sum() < 2:
            raise bad(f"{path} between", "hold at least 2 bins", f"{keep.sum()}", f"the axis goes from {left[0]:g} to {left[-1] + width:g} ns")
        if not keep.all():
            left_out.append(LeftOut(f"{np.sum(~keep)} bins", f"outside {low:g} to {high:g} ns"))
        left, total = left[keep], total[keep]
    kind = "time_ns" if split_unit(name)[0] in TIMES else "delay_ns"
    return Histogram(left, width, total, str(path), kind, table.settings, tuple(left_out))


def read_measured(path: str | Path) -> Measured:
    """A file as what it is: a histogram if it has an axis of delays and counts without errors, else a series."""
    table = read_table(path)
    axes = [n for n in table.names if split_unit(n)[0] in (*DELAYS, *TIMES)]
    has_counts = "counts" in table.names and not _error_columns("counts", table.names)
    return read_histogram(path) if table.is_card or (axes and has_counts) else read_series(path)


def _law(value: str, names: list[str]) -> str:
    """How a column without errors scatters, by its name."""
    if value.endswith("clicks") and _trials(value, names) in names:
        return "binomial"
    return "poisson" if value == "counts" or value.endswith("_counts") else "normal"


def _trials(value: str, names: list[str]) -> str:
    own = value.removesuffix("clicks") + "trials"
    return own if own in names else "trials"


def _error_columns(value: str, names: list[str]) -> tuple[str, str] | None:
    """Columns that hold the errors of `value`, downwards and upwards, by their names; in the same unit or another of its kind."""
    quantity = split_unit(value)[0]

    def named(part: str) -> str | None:
        alike = [n for n in names if n == f"{value}_{part}" or (split_unit(n)[0] == f"{quantity}_{part}" and n != value)]
        same = [n for n in alike if ending_of(_united(n, value)) == ending_of(value)]
        return next(iter([*same, *alike]), None)

    for low, high in (("error", "error"), ("minus", "plus")):
        found = named(low), named(high)
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    return None


def _united(column: str, value: str) -> str:
    """The column whose name ends in the unit of `column`: an error named after the whole value has the unit of the value."""
    return value if column in (f"{value}_error", f"{value}_minus", f"{value}_plus") else column


def _wanted_error(value: str) -> str:
    """How the error of a column may be named."""
    ending = ending_of(value)
    return f"{value}_error" if not ending else f"{value.removesuffix(f'_{ending}')}_error_{ending} or {value}_error"


def _why_bad(cell: str, positive: bool) -> str | None:
    """What is wrong with a cell, None if it is a number that can be used."""
    if not is_number(cell):
        return repr(cell)
    number = float(cell)
    return cell if not math.isfinite(number) or (positive and number <= 0) else None


def _kept(
    table: Table, columns: tuple[str, ...], x: str, between: tuple[float, float] | None, positive: set[str], skip_bad: bool
) -> tuple[list[Row], list[LeftOut]]:
    """The rows that are used, and the account of the others."""
    rows, left_out = [], []
    for row in table.rows:
        wrong = next(((c, w) for c in columns if (w := _why_bad(row.cells[table.names.index(c)], c in positive)) is not None), None)
        if wrong is not None and skip_bad:
            left_out.append(LeftOut(row.where, f"{wrong[0]} is {wrong[1]}"))
        elif between is not None and wrong is None and not between[0] <= float(row.cells[table.names.index(x)]) <= between[1]:
            left_out.append(LeftOut(row.where, f"{x} is {row.cells[table.names.index(x)]}, outside {between[0]:g} to {between[1]:g}"))
        else:
            rows.append(row)
    if not rows:
        raise bad(table.path, "hold rows that can be used", f"none ({left_out[0]})", "check the file, or what is to be left out")
    return rows, left_out


def _numbers(table: Table, rows: list[Row], column: str, positive: bool = False) -> np.ndarray:
    """One column as finite floats (> 0 if positive)."""
    at = table.names.index(column)
    must = "be a finite number" + (" > 0" if positive else "")
    for row in rows:
        wrong = _why_bad(row.cells[at], positive)
        if wrong is not None:
            remedy = "correct or remove that row"
            if row.cells[at].replace(",", ".", 1) != row.cells[at] and is_number(row.cells[at].replace(",", ".", 1)):
                remedy = "write a decimal point, not a comma"
            elif row.cells[at][:1].isdigit() and row.cells[at][-1:].isalpha():
                remedy = f"one column has one unit, which is the end of its name ({column}): convert that row"
            raise bad(f"{table.path} {row.where} {column}", must, wrong, remedy)
    return np.array([float(row.cells[at]) for row in rows])


def _whole(table: Table, rows: list[Row], column: str, values: np.ndarray) -> None:
    for row, v in zip(rows, values, strict=True):
        if v < 0 or v != round(v):
            raise bad(f"{table.path} {row.where} {column}", "be a whole number >= 0", f"{v:g}", "give raw counts, or their errors in a column of their own")


def _not_negative(table: Table, rows: list[Row], column: str, values: np.ndarray) -> None:
    for row, v in zip(rows, values, strict=True):
        if v < 0:
            raise bad(f"{table.path} {row.where} {column}", "be >= 0", row.cells[table.names.index(column)], "correct or remove that row")


def _told(table: Table, rows: list[Row], x: str, values: np.ndarray) -> None:
    """Warn of settings that are there twice, unless a column of words tells the rows apart, and of a single point."""
    words = [i for i, n in enumerate(table.names) if n != x and any(not is_number(r.cells[i]) for r in rows)]
    seen: dict[tuple[object, ...], Row] = {}
    for row, v in zip(rows, values, strict=True):
        key = (float(v), *(row.cells[i] for i in words))
        if key in seen:
            what = f"{table.path} {row.where}: {x} = {row.cells[table.names.index(x)]} is in {seen[key].where} already"
            warnings.warn(f"{what}; both are kept as measurements of their own", DataWarning, stacklevel=3)
        seen.setdefault(key, row)
    if len(rows) == 1 and len(table.rows) == 1:
        warnings.warn(f"{table.path} {rows[0].where}: one point only, nothing can be told from its dependence on {x}", DataWarning, stacklevel=3)


def _uniform(table: Table, axis: str, left: np.ndarray, factor: float) -> float:
    """The width of the bins. Raises InputError at the first row that does not follow the one before by it."""
    if table.width_ns is not None:
        return table.width_ns
    width = float(left[-1] - left[0]) / (left.size - 1)
    digits = max(decimals(row.cells[table.names.index(axis)]) for row in table.rows)
    typical = float(np.median(np.diff(left)))
    wrong = np.abs(np.diff(left) - width) > UNIFORM * abs(width) + 1.01 * factor * 10.0**-digits
    if width > 0 and not np.any(wrong):
        return width
    if typical > 0:  # the row that breaks the rule, not the first that differs from a mean which it has spoilt
        wrong = np.abs(np.diff(left) - typical) > UNIFORM * typical + 1.01 * factor * 10.0**-digits
    at = int(np.flatnonzero(wrong)[0]) + 1 if np.any(wrong) else 1
    must = f"follow the one before by the bin width {typical / factor:g}" if typical > 0 else "be larger than the one before"
    got = f"{left[at] / factor:g} after {left[at - 1] / factor:g}"
    raise bad(f"{table.path} {table.rows[at].where} {axis}", must, got, "give every bin once, in order")


def _without_glitches(path: str | Path, columns: list[np.ndarray], left_out: list[LeftOut], skip: bool) -> np.ndarray:
    """The sum of the snapshots; without those that hold far more counts than the others, if asked for."""
    totals = np.array([c.sum() for c in columns])
    middle = float(np.median(totals))
    wrong = np.flatnonzero(totals > middle + GLITCH * math.sqrt(max(middle, 1.0)) * 1.5)
    for k in wrong:
        what = f"snapshot {k + 1} (column {k + 2})"
        why = f"{totals[k]:.0f} counts, the median snapshot has {middle:g}"
        if skip:
            left_out.append(LeftOut(what, why))
        else:
            warnings.warn(f"{path} {what}: {why}; skip_glitches=True leaves it out", DataWarning, stacklevel=3)
    keep = np.setdiff1d(np.arange(len(columns)), wrong) if skip else np.arange(len(columns))
    return np.asarray(np.sum([columns[k] for k in keep], axis=0))
