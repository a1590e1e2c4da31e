"""Tags as text: comment lines such as "# duration_ps = 1000000", a line of column names, one row for each photon.

Cells are separated by commas, semicolons or white space. The column of times ends in its unit (time_ps, time_ns, time_us, time_s); a file without
the column `channel` has one channel, 0. Numbers are taken as they are written, to the picosecond.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from qdot.data import split_unit
from qdot.errors import bad, unknown
from qdot.tags.header import channels_of, ending_of, entries_of, header_of
from qdot.tags.recording import Block, Ending, Recording
from qdot.tags.stream import LARGEST_PS, Tags

PS_OF = {"ps": 1, "ns": 10**3, "us": 10**6, "s": 10**12}
EXACT = 2.0**50
"""Picoseconds below which a double times a unit, rounded, is the number that was written."""
LINES = 2**18
"""Lines that are read at a time, at most."""


@dataclass(frozen=True)
class Columns:
    """Where a file has its numbers: places of time and channel (None: it has no channels), how many columns, unit of time in ps, name of the times."""

    path: Path
    time: int
    channel: int | None
    width: int
    unit_ps: int
    name: str


def save_csv(tags: Tags, path: Path) -> None:
    """Write a record as text."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"# {key} = {value}\n" for key, value in entries_of(tags).items())
        file.write("time_ps,channel\n")
        for start in range(0, len(tags), 2**18):
            rows = zip(tags.time_ps[start : start + 2**18].tolist(), tags.channel[start : start + 2**18].tolist(), strict=True)
            file.writelines(f"{t},{c}\n" for t, c in rows)


def open_csv(path: Path) -> Recording:
    """The recording of a text file; raises InputError with file and line for what is not as the beginning of this file says."""
    entries, names, skip = _preamble(path)
    times = [n for n in names if split_unit(n)[1] in PS_OF]
    if len(times) != 1:
        must = "have one column of times whose name ends in its unit, such as time_ps or time_ns"
        raise bad(f"{path} line {skip}", must, ", ".join(names), "put a line such as time_ps,channel before the numbers")
    if "channel" not in names and len(names) > 1:
        raise unknown(f"{path} column", "channel", names)
    header, unit = header_of(path, entries), PS_OF[split_unit(times[0])[1]]
    columns = Columns(path, names.index(times[0]), names.index("channel") if "channel" in names else None, len(names), unit, times[0])

    def blocks(size: int) -> Generator[Block, None, Ending]:
        first = last = None
        is_rounded, total, line = False, max(1, path.stat().st_size), skip
        with _text(path) as file:
            read = sum(map(len, itertools.islice(file, skip)))
            while lines := list(itertools.islice(file, min(size, LINES))):
                time, channel, rounded = _parsed(columns, lines, line)
                line, is_rounded, read = line + len(lines), is_rounded or rounded, read + sum(map(len, lines))
                if time.size:
                    first, last = int(time[0]) if first is None else first, int(time[-1])
                yield time, channel, min(1.0, read / total)
        told = (f"{columns.name} holds fractions of a picosecond: times were rounded to whole ones",) if is_rounded else ()
        return ending_of(header, first, last, told)

    return Recording(str(path), blocks, header.period_ps, header.names)


@contextlib.contextmanager
def _text(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            yield file
    except UnicodeDecodeError:
        raise bad(str(path), "be a text file in UTF-8, or of a known format of tags", "other bytes", "see docs/tags.md for the formats") from None


def _preamble(path: Path) -> tuple[dict[str, str], list[str], int]:
    """(comments "key = value", column names, lines up to and with the column names)."""
    entries: dict[str, str] = {}
    with _text(path) as file:
        for i, line in enumerate(file, start=1):
            text = line.strip()
            if text.startswith("#"):
                found = re.fullmatch(r"#\s*(\w+)\s*[=:]\s*(.+)", text)
                if found:
                    entries[found[1]] = found[2]
            elif text:
                names = [c.strip().strip('"') for c in _split(text)]
                if any(re.fullmatch(r"[-+.\deE]+", n) for n in names):
                    raise bad(f"{path} line {i}", "name the columns", text[:60], "put a line such as time_ps,channel before the numbers")
                return entries, names, i
    raise bad(str(path), "hold a line of column names and rows of numbers", "an empty file", "export the tags again")


def _split(line: str) -> list[str]:
    """Cells of a line: separated by a comma, a semicolon, or white space."""
    for mark in (",", ";"):
        if mark in line:
            return line.split(mark)
    return line.split()


def _parsed(columns: Columns, lines: list[str], before: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """(times in ps, channels, True if fractions of a ps were rounded) of some lines; before: number of the line ahead of them."""
    kept = [columns.time] if columns.channel is None else [columns.time, columns.channel]
    mark = next((m for m in (",", ";") if m in lines[0]), None)
    with contextlib.suppress(ValueError, Warning), warnings.catch_warnings():
        warnings.simplefilter("error")  # a whole number written as 12.0 would go through a double
        table = np.loadtxt(lines, np.int64 if columns.unit_ps == 1 else float, delimiter=mark, usecols=kept, ndmin=2)
        numbers = np.zeros(len(table), np.int64) if columns.channel is None else channels_of(columns.path, table[:, 1])
        if columns.unit_ps == 1:
            return table[:, 0], numbers, False
        ps = table[:, 0] * columns.unit_ps
        largest = float(np.abs(ps).max(initial=0))
        if largest < EXACT:  # false of nan
            off = float(np.abs(ps - np.rint(ps)).max(initial=0))
            return np.rint(ps).astype(np.int64), numbers, off > 1e-6 + 1e-15 * largest
    return _slowly(columns, lines, before)


def _slowly(columns: Columns, lines: list[str], before: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """The same number by number, in decimal arithmetic, and with the line of what is wrong."""
    times, channels, is_rounded = [], [], False
    for i, line in enumerate(lines, start=before + 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        place, cells = f"{columns.path} line {i}", [c.strip() for c in _split(text)]
        if len(cells) != columns.width:
            raise bad(place, f"hold {columns.width} column{'s' if columns.width > 1 else ''}", f"{len(cells)}: {text[:60]}", "complete or remove that line")
        exact = _decimal(f"{place} {columns.name}", cells[columns.time]) * columns.unit_ps
        if abs(exact) > LARGEST_PS:
            raise bad(f"{place} {columns.name}", "lie within 2^62 ps (53 days)", cells[columns.time], "count from the start of the acquisition")
        channel = Decimal(0) if columns.channel is None else _decimal(f"{place} channel", cells[columns.channel])
        if channel != channel.to_integral_value():
            raise bad(f"{place} channel", "be a whole number", channel, "number the channels from 0")
        times.append(int(exact.to_integral_value()))
        channels.append(int(channel))
        is_rounded |= exact != times[-1]
    return np.array(times, np.int64), channels_of(columns.path, np.array(channels)), is_rounded


def _decimal(argument: str, cell: str) -> Decimal:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        raise bad(argument, "be a finite number", repr(cell), "correct or remove that line") from None
    if not value.is_finite():
        raise bad(argument, "be a finite number", cell, "correct or remove that line")
    return value
