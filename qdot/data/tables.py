"""Files as tables of text cells with their rows: CSV, TSV and semicolons, HDF5, the cards that correlators write, and what `qdot correlate --json`
printed. Nothing is interpreted here.

A text table has comment lines that start with "#" or "%", then one line of column names, then the rows. A comment `# drive.power_uW = 2.5` (or with a
colon) states a setting of the experiment. In HDF5 every one-dimensional dataset of a group is a column and numbers among the attributes are settings;
`file.h5::group` names a group other than the root.
"""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qdot.errors import bad

SETTING = re.compile(r"[#%]\s*((?:source|drive|collection)\.\w+|power_\w+)\s*[:=]\s*([-+.\deE]+)\s*$")
"""A comment that states a setting of the experiment."""
HDF5 = (".h5", ".hdf5", ".hdf", ".nxs")
"""Endings of HDF5 files."""
RESOLUTION = re.compile(r"#\s*(ns|ps)\s*/\s*(?:channel|bin)", re.IGNORECASE)
"""The line of a correlator's card below which the bin width stands."""


class Row(NamedTuple):
    """One row: where it stands, and its cells."""

    where: str
    cells: list[str]


class Table(NamedTuple):
    """Column names, rows, settings that the file states, and whether names were there (a correlator's card has none)."""

    path: str
    names: list[str]
    rows: list[Row]
    settings: dict[str, float]
    is_card: bool = False
    width_ns: float | None = None


def read_table(path: str | Path) -> Table:
    """The table that a file holds. Raises InputError for a file that cannot be read or holds no rows."""
    file, _, group = str(path).partition("::")
    if Path(file).suffix.lower() in HDF5:
        return _hdf5(Path(file), group)
    return _correlation(Path(file)) if Path(file).suffix.lower() == ".json" else _text(Path(file))


def is_number(cell: str) -> bool:
    """True for a cell that reads as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def decimals(cell: str) -> int:
    """Digits written after the decimal point of a number without exponent; 16 where there is an exponent."""
    return 16 if "e" in cell.lower() else len(cell.partition(".")[2])


def _text(path: Path) -> Table:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "check the path") from None
    except UnicodeDecodeError:
        raise bad(str(path), "be a text file in UTF-8", "other bytes", "export it as CSV") from None
    lines = text.splitlines()
    settings = {m[1]: float(m[2]) for m in map(SETTING.match, lines) if m and is_number(m[2])}
    settings = {("drive.power_uW" if k == "power_uW" else k): v for k, v in settings.items()}
    kept = [(i, line) for i, line in enumerate(lines, start=1) if line.strip() and line[0] not in "#%"]
    if not kept:
        raise bad(str(path), "hold a line of column names and rows of numbers", "an empty file", "export the data again")
    resolution = next((i for i, line in enumerate(lines) if RESOLUTION.match(line)), None)
    if resolution is not None:
        return _channels(path, lines, resolution, settings)
    mark = next((m for m in ("\t", ";", ",") if m in kept[0][1]), None)
    cells = [(i, line.split() if mark is None else [c.strip() for c in next(csv.reader([line], delimiter=mark))]) for i, line in kept]
    if mark == "\t" and all(is_number(c) for c in cells[0][1] if c) and len(cells[0][1]) > 1:
        return _snapshots(path, cells, settings)
    (first, names), rows = cells[0], [Row(f"line {i}", c) for i, c in cells[1:]]
    if all(is_number(c) for c in names):
        raise bad(f"{path} line {first}", "name the columns", ", ".join(names), "put a line such as delay_ns,counts before the numbers")
    if len(set(names)) < len(names):
        raise bad(f"{path} line {first}", "name every column once", ", ".join(names), "rename one of them")
    if not rows:
        raise bad(str(path), "hold rows of numbers below the column names", "none", "export the data again")
    for row in rows:
        if len(row.cells) != len(names):
            raise bad(f"{path} {row.where}", f"hold {len(names)} columns ({', '.join(names)})", f"{len(row.cells)}", "complete that row")
    return Table(str(path), names, rows, settings)


def _correlation(path: Path) -> Table:
    """What `qdot correlate --json` printed: centres of the bins in tau_ns, counts, and the width of a bin in bin_ps."""
    must = "be what `qdot correlate --json` prints, with tau_ns, counts and bin_ps"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "check the path") from None
    except ValueError as error:
        raise bad(str(path), must, str(error), "write its output into the file again") from None
    if not isinstance(found, dict) or not {"tau_ns", "counts", "bin_ps"} <= found.keys():
        raise bad(str(path), must, ", ".join(found) if isinstance(found, dict) else type(found).__name__, "write its output into the file again")
    tau, counts, width = found["tau_ns"], found["counts"], float(found["bin_ps"]) / 1000.0
    if len(tau) != len(counts) or not tau:
        raise bad(str(path), "hold as many delays as counts, at least one", f"{len(tau)} and {len(counts)}", "write its output into the file again")
    rows = [Row(f"entry {i}", [repr(float(t) - 0.5 * width), str(n)]) for i, (t, n) in enumerate(zip(tau, counts, strict=True))]
    return Table(str(path), ["delay_ns", "counts"], rows, {}, width_ns=width)


def _snapshots(path: Path, cells: list[tuple[int, list[str]]], settings: dict[str, float]) -> Table:
    """A correlator's card without names: delay in ns in the first column, then the counts of one snapshot after the other."""
    n = len(cells[0][1])
    for i, row in cells:
        if len(row) != n:
            raise bad(f"{path} line {i}", f"hold {n} columns like the first row", f"{len(row)}", "complete that row")
    names = ["delay_ns", *(f"snapshot_{k}" for k in range(1, n))]
    return Table(str(path), names, [Row(f"line {i}", c) for i, c in cells], settings, is_card=True)


def _channels(path: Path, lines: list[str], at: int, settings: dict[str, float]) -> Table:
    """A card that states ns per channel and then the counts of each channel, one curve in each column."""
    scale = 1.0 if "ns" in lines[at].lower() else 1e-3
    below = [(i, line.split()) for i, line in enumerate(lines[at + 1 :], start=at + 2) if line.strip() and line[0] not in "#%"]
    if not below or not all(is_number(c) for c in below[0][1]):
        raise bad(f"{path} line {at + 1}", "be followed by the width of a channel", "nothing", "export the data again")
    widths = {float(c) for c in below[0][1]}
    start = next((i for i, line in enumerate(lines) if line.lower().startswith("#counts")), at + 1)
    rows = [(i, c) for i, c in below[1:] if i > start + 1]
    if len(widths) != 1 or not rows or not min(widths) > 0 or not math.isfinite(min(widths)):
        raise bad(f"{path} line {below[0][0]}", "state one width > 0 for all curves, and counts below", ", ".join(below[0][1]), "export one curve")
    width = scale * min(widths)
    names = ["delay_ns", *(f"snapshot_{k}" for k in range(1, len(rows[0][1]) + 1))]
    return Table(str(path), names, [Row(f"line {i}", [repr(k * width), *c]) for k, (i, c) in enumerate(rows)], settings, is_card=True, width_ns=width)


def _hdf5(path: Path, group: str) -> Table:
    try:
        import h5py
    except ImportError:
        raise bad(str(path), "be read with h5py", "it is not installed", "pip install h5py, or export the data as CSV") from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise bad(str(path), "be a readable HDF5 file", str(error).partition("(")[2].rstrip(")") or "nothing", "check the path") from None
    with file:
        if group and group not in file:
            raise bad(f"{path}::{group}", "be a group of the file", f"groups {', '.join(k for k in file) or 'none'}", "name one of them after ::")
        place = file[group] if group else file
        columns = {k: v for k, v in place.items() if isinstance(v, h5py.Dataset) and v.ndim == 1}
        settings = {k: float(v) for k, v in place.attrs.items() if isinstance(v, int | float | np.integer | np.floating)}
        if not columns:
            raise bad(str(path), "hold one-dimensional datasets", ", ".join(place) or "nothing", "name the group after the file: file.h5::group")
        read = {k: [c.decode() if isinstance(c, bytes) else str(c) if isinstance(c, str) else repr(float(c)) for c in v[()]] for k, v in columns.items()}
    lengths = {k: len(v) for k, v in read.items()}
    if {"edges_ns", "counts"} <= lengths.keys() and lengths["edges_ns"] == lengths["counts"] + 1 and "delay_ns" not in lengths:
        read["delay_ns"] = read.pop("edges_ns")[:-1]
        lengths = {k: len(v) for k, v in read.items()}
    if len(set(lengths.values())) > 1:
        raise bad(str(path), "hold datasets of one length", ", ".join(f"{k}: {n}" for k, n in lengths.items()), "put others into a group of their own")
    first = [k for k in ("power_uW", "delay_ns", "tau_ns", "time_ns") if k in read]
    names = [*first, *(k for k in read if k not in first)]
    rows = [Row(f"entry {i}", list(cells)) for i, cells in enumerate(zip(*(read[k] for k in names), strict=True))]
    if not rows:
        raise bad(str(path), "hold rows of numbers", "none", "export the data again")
    known = {"power_uW": "drive.power_uW"}
    return Table(str(path), names, rows, {known.get(k, k): v for k, v in settings.items() if k == "power_uW" or "." in k})
