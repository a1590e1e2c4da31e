"""Files as instruments write them, made by hand from the published record layouts: nothing here uses qdot or ptufile."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

INT, FLOAT, FLAG, TEXT = 0x10000008, 0x20000008, 0x00000008, 0x4001FFFF
RECORD = {"PicoHarp T2": 0x10203, "HydraHarp 1 T2": 0x10204, "HydraHarp 2 T2": 0x1010204, "MultiHarp T2": 0x10207}
RECORD |= {"PicoHarp T3": 0x10303, "HydraHarp 1 T3": 0x10304, "HydraHarp 2 T3": 0x1010304, "MultiHarp T3": 0x10307}
WRAP = {"PicoHarp T2": 210698240, "HydraHarp 1 T2": 33552000, "HydraHarp 2 T2": 1 << 25, "MultiHarp T2": 1 << 25}
WRAP |= {"PicoHarp T3": 1 << 16, "HydraHarp 1 T3": 1 << 10, "HydraHarp 2 T3": 1 << 10, "MultiHarp T3": 1 << 10}


def tag(name: str, value: Any, index: int = -1) -> bytes:
    """One entry of a unified header."""
    if isinstance(value, bool):
        kind, body = FLAG, struct.pack("<q", value)
    elif isinstance(value, int):
        kind, body = INT, struct.pack("<q", value)
    elif isinstance(value, float):
        kind, body = FLOAT, struct.pack("<d", value)
    else:
        text = value.encode() + b"\0" * (8 - len(value) % 8)
        kind, body = TEXT, struct.pack("<q", len(text)) + text
    return struct.pack("<32siI", name.encode(), index, kind) + body


def header(magic: bytes, entries: dict[str, Any]) -> bytes:
    tags = b"".join(tag(k, v, i) for k, value in entries.items() for i, v in ([(-1, value)] if not isinstance(value, list) else enumerate(value)))
    return magic.ljust(8, b"\0") + b"1.0.00\0\0" + tags + struct.pack("<32siI8s", b"Header_End", -1, 0xFFFF0008, b"\0" * 8)


def write_ptu(path: Path, kind: str, records: Iterable[int], unit_s: float, fine_s: float = 1e-12, count: int | None = None, **more: Any) -> Path:
    """A PTU file of one kind of records. count: what the header says; by default the truth."""
    raw = np.array(list(records), dtype="<u4")
    entries = {
        "Measurement_Mode": 3 if kind.endswith("T3") else 2,
        "Measurement_SubMode": 0,
        "TTResultFormat_TTTRRecType": RECORD[kind],
        "TTResultFormat_BitsPerRecord": 32,
        "MeasDesc_Resolution": fine_s,
        "MeasDesc_GlobalResolution": unit_s,
        "TTResult_SyncRate": round(1 / unit_s) if unit_s > 0 else 0,
        "TTResult_NumberOfRecords": raw.size if count is None else count,
        **more,
    }
    path.write_bytes(header(b"PQTTTR", entries) + raw.tobytes())
    return path


def t2_records(kind: str, ticks: Iterable[int], channels: Iterable[int | str], markers: Iterable[int] = ()) -> list[int]:
    """Records of photons in order; channel "sync" is the sync input; markers: ticks at which a marker comes."""
    found, wraps, wrap = [], 0, WRAP[kind]
    events = sorted([(t, c) for t, c in zip(ticks, channels, strict=True)] + [(t, "marker") for t in markers], key=lambda e: e[0])
    for t, c in events:
        ahead = t // wrap - wraps
        if kind in ("HydraHarp 2 T2", "MultiHarp T2") and ahead:
            found.append(0xFE000000 | ahead)  # one record for several
        elif kind == "HydraHarp 1 T2":
            found += [0xFE000000] * ahead
        elif kind == "PicoHarp T2":
            found += [0xF0000000] * ahead
        wraps, rest = t // wrap, t % wrap
        if kind == "PicoHarp T2":
            found.append(0xF0000000 | (rest & ~0xF) | 1 if c == "marker" else (int(c) << 28) | rest)
        elif c in ("sync", "marker"):
            found.append(0x80000000 | ((1 if c == "marker" else 0) << 25) | rest)
        else:
            found.append((int(c) << 25) | rest)
    return found


def t3_records(kind: str, syncs: Iterable[int], since: Iterable[int], channels: Iterable[int]) -> list[int]:
    """Records of photons in the order of their syncs."""
    found, wraps, wrap = [], 0, WRAP[kind]
    for n, d, c in zip(syncs, since, channels, strict=True):
        ahead = n // wrap - wraps
        if kind in ("HydraHarp 2 T3", "MultiHarp T3") and ahead:
            found.append(0xFE000000 | ahead)
        elif kind == "HydraHarp 1 T3":
            found += [0xFE000000] * ahead
        elif kind == "PicoHarp T3":
            found += [0xF0000000] * ahead
        wraps, rest = n // wrap, n % wrap
        found.append(((int(c) + 1) << 28) | (d << 16) | rest if kind == "PicoHarp T3" else (int(c) << 25) | (d << 10) | rest)
    return found


def write_phu(path: Path, curves: list[np.ndarray], resolution_s: float) -> Path:
    """A PHU file of several curves, each with its counts behind the header."""

    def head(start: int) -> bytes:
        sizes = [c.size for c in curves]
        places = [start + 4 * sum(sizes[:i]) for i in range(len(curves))]
        entries = {
            "Measurement_Mode": 0,
            "Measurement_SubMode": 2,
            "MeasDesc_Resolution": resolution_s,
            "HW_BaseResolution": resolution_s / 4,
            "HistoResult_NumberOfCurves": len(curves),
            "HistResDscr_MDescResolution": [resolution_s] * len(curves),
            "HistResDscr_HistogramBins": sizes,
            "HistResDscr_DataOffset": places,
        }
        return header(b"PQHISTO", entries)

    path.write_bytes(head(len(head(0))) + b"".join(c.astype("<u4").tobytes() for c in curves))
    return path
