"""PicoQuant PTU files (T2 and T3) in blocks, through the package ptufile.

Channels are numbered from 0 as the inputs of the instrument; what came in at the sync input in T2 mode is channel -1, "sync". Markers are left out and
counted. In T2 a record has its own time. In T3 it has the number of the sync before it and the time since: the time is
number * period + time since, and the header must know the period. ptufile decodes a block from zero; overflows of the clock are carried from block to block.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from qdot.errors import InputError, bad, number
from qdot.tags.recording import Block, Ending, Recording
from qdot.tags.stream import PS_PER_S, SYNC

SYNC_RECORD = 0x80000000, 0xFE000000
"""Value and mask of a T2 record of the sync input: the special bit with channel 0 (not in PicoHarp 300 files, whose sync input is channel 0)."""
PICOHARP_T2 = 0x00010203
LATEST = 1.001
"""A photon may come this many periods after its sync: rates in headers are measured to about a thousandth."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What a header says. unit_ps: of the times in T2, the period of the sync in T3. fine_ps: unit of the time since the sync."""

    path: Path
    tags: dict[str, Any]
    record_type: int
    is_t3: bool
    unit_ps: float
    fine_ps: float
    offset: int
    records: int
    warnings: tuple[str, ...]


def open_ptu(path: Path, sync_period_ps: float | None = None) -> Recording:
    """The recording of a PTU file. sync_period_ps: true period of the sync, where the header of a T3 file states a wrong one.

    Raises InputError for a header that is broken or contradicts the records; a file cut short, or closed without its number of records, is read as far
    as it goes, with a warning.
    """
    layout = _layout(path, sync_period_ps)

    def blocks(size: int) -> Generator[Block, None, Ending]:
        return (yield from (_t3 if layout.is_t3 else _t2)(layout, max(1, size)))

    return Recording(str(path), blocks, layout.unit_ps if layout.is_t3 else None)


def library() -> Any:
    """The package ptufile, loaded when it is first used."""
    try:
        import ptufile
    except ImportError:
        raise bad("PicoQuant files", "be read with the package ptufile", "none installed", "install it: pip install ptufile") from None
    return ptufile


def _layout(path: Path, sync_period_ps: float | None) -> Layout:
    try:
        with library().PtuFile(path) as file:
            tags, offset, is_t3 = dict(file.tags), int(file.record_offset), bool(file.is_t3)
        kind, bits = int(tags["TTResultFormat_TTTRRecType"]), int(tags.get("TTResultFormat_BitsPerRecord", 32))
        unit_ps, fine_ps = float(tags["MeasDesc_GlobalResolution"]) * PS_PER_S, float(tags.get("MeasDesc_Resolution", 0.0)) * PS_PER_S
        stated = int(tags.get("TTResult_NumberOfRecords", 0))
    except InputError:
        raise
    except Exception as error:  # whatever ptufile meets in a broken header
        raise bad(str(path), "have a complete PTU header", f"{type(error).__name__}: {error}", "copy the file again from the instrument") from None
    if bits not in (0, 32):
        raise bad(f"{path} TTResultFormat_BitsPerRecord", "be 32", bits, "export the tags in another format")
    if is_t3 and sync_period_ps is not None:
        unit_ps = number("sync_period_ps", sync_period_ps, 0.0, open_low=True, unit="ps")
    if not 0 < unit_ps < PS_PER_S:
        remedy = "give the period of the sync (sync_period_ps, --sync-period-ns)" if is_t3 else "the header is broken"
        raise bad(f"{path} MeasDesc_GlobalResolution", f"be the {'period of the sync' if is_t3 else 'unit of time'} in s", unit_ps / PS_PER_S, remedy)
    unit_ps, fine_ps = (round(u) if abs(u - round(u)) < 1e-6 and not is_t3 else u for u in (unit_ps, fine_ps))
    held, rest = divmod(path.stat().st_size - offset, 4)
    warnings = []
    if stated > held:
        warnings.append(f"the file is cut short: it holds {held} of {stated} records")
    elif stated <= 0 < held:
        warnings.append(f"the header does not say how many records there are (the measurement was not closed): all {held} are read")
    if rest and stated != held:
        warnings.append("the file ends within a record")
    return Layout(path, tags, kind, is_t3, unit_ps, fine_ps, offset, min(held, stated) if stated > 0 else held, tuple(warnings))


def _decoded(layout: Layout, size: int) -> Generator[tuple[np.ndarray, np.ndarray, int, float], None, None]:
    """`size` records at a time: as ptufile decodes them, with times counted from the start of the file; raw; the clock after them; share of the file."""
    carry = 0
    with library().PtuFile(layout.path) as file:
        for start in range(0, layout.records, size):
            count = min(size, layout.records - start)
            raw = np.fromfile(layout.path, "<u4", count, offset=layout.offset + 4 * start)
            # a record of zeros ends the block: its time is what the overflows before it add up to
            found = file.decode_records(np.append(raw, np.uint32(0)))
            overflow = int(found["time"][-1])
            found = found[:-1]
            found["time"] += np.uint64(carry)
            carry += overflow
            yield found, raw, carry, (start + count) / layout.records


def _t2(layout: Layout, size: int) -> Generator[Block, None, Ending]:
    last = markers = 0
    for found, raw, clock, share in _decoded(layout, size):
        is_photon = found["channel"] >= 0
        time = found["time"][is_photon]
        channel = found["channel"].astype(np.int16)
        if layout.record_type != PICOHARP_T2:
            channel[(raw & np.uint32(SYNC_RECORD[1])) == SYNC_RECORD[0]] = SYNC
        markers += int(np.count_nonzero(found["marker"]))
        last = max(last, clock, int(time[-1]) if time.size else 0)
        yield _picoseconds(time, layout.unit_ps), channel[is_photon], share
    return _ending(layout, int(last * Fraction(layout.unit_ps)) + 1, markers)


def _t3(layout: Layout, size: int) -> Generator[Block, None, Ending]:
    """Within one sync the records of several channels are in no order: those of the last two syncs of a block wait for the next one."""
    held: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    last = markers = 0
    for found, _, clock, share in _decoded(layout, size):
        is_photon = found["channel"] >= 0
        markers += int(np.count_nonzero(found["marker"]))
        sync, since, channel = (found[name][is_photon] for name in ("time", "dtime", "channel"))
        since = since.view(np.uint16).astype(np.int64)
        _check_period(layout, since)
        if held is not None:
            sync, since, channel = (np.concatenate(parts) for parts in zip(held, (sync, since, channel), strict=True))
        if np.any(sync[1:] < sync[:-1]):
            raise bad(f"{layout.path}: numbers of the sync", "not go backwards", "a step back", "copy the file again from the instrument")
        newest = int(sync[-1]) if sync.size else 0
        last = max(last, clock, newest)
        complete = int(np.searchsorted(sync, max(newest - 1, 0))) if share < 1 else sync.size
        held = sync[complete:], since[complete:], channel[complete:]
        time = _picoseconds(sync[:complete], layout.unit_ps, since[:complete] * layout.fine_ps)
        order = np.argsort(time, kind="stable")
        yield time[order], channel[:complete][order].astype(np.int16), share
    return _ending(layout, int((last + 1) * Fraction(layout.unit_ps)) + 1, markers)


def _check_period(layout: Layout, since: np.ndarray) -> None:
    latest = float(since.max(initial=0)) * layout.fine_ps
    if latest <= LATEST * layout.unit_ps + 2 * layout.fine_ps:
        return
    divider = layout.tags.get("HWSync_Divider", 1)
    stated = f"a sync every {layout.unit_ps / 1000:.6g} ns ({PS_PER_S / layout.unit_ps / 1e6:.4g} MHz"
    stated += f", divider {divider})" if isinstance(divider, int) and divider > 1 else ")"
    raise bad(
        f"{layout.path}: the header",
        "state the sync rate of the data",
        f"{stated}, yet photons come up to {latest / 1000:.6g} ns after theirs",
        "times cannot be told; give the true period of the sync (sync_period_ps, --sync-period-ns) or measure again",
    )


def _ending(layout: Layout, last_ps: int, markers: int) -> Ending:
    """The acquisition lasts as long as the instrument says that it did; a file that is cut short ends with its last record."""
    stated = layout.tags.get("TTResult_StopAfter", 0)
    is_cut = any("cut short" in w for w in layout.warnings)
    duration = last_ps if is_cut or not isinstance(stated, int) else max(last_ps, stated * 10**9)
    told = (f"{markers} marker{' is' if markers == 1 else 's are'} left out: not photons",) if markers else ()
    return Ending(max(1, duration), warnings=layout.warnings + told)


def _picoseconds(ticks: np.ndarray, unit_ps: float, more_ps: np.ndarray | None = None) -> np.ndarray:
    """ticks * unit_ps + more_ps in whole ps, the nearest ones.

    Products go beyond the digits of a double: the upper digits of the ticks are multiplied exactly, so that a time does not depend on its block.
    """
    ticks = ticks.astype(np.int64)
    if isinstance(unit_ps, int) and more_ps is None:
        return ticks * unit_ps
    high = ticks >> 24
    exact = {int(h): divmod((int(h) << 24) * Fraction(unit_ps), 1) for h in np.unique(high)}
    values, place = np.unique(high, return_inverse=True)
    base = np.array([int(exact[int(h)][0]) for h in values], np.int64)
    rest = np.array([float(exact[int(h)][1]) for h in values])
    if not values.size:
        return ticks
    below = (ticks & (2**24 - 1)) * float(unit_ps) + rest[place]
    return base[place] + np.rint(below if more_ps is None else below + more_ps).astype(np.int64)
