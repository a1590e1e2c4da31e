"""What stands beside the arrays of tags in a file of NumPy, HDF5 or text: how long the acquisition was, the period, names of channels."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdot.errors import bad, number
from qdot.tags.recording import Ending
from qdot.tags.stream import CHANNELS, LARGEST_PS, Tags, whole


@dataclass(frozen=True)
class Header:
    """duration_ps, start_ps, period_ps: None where the file does not say. names: {channel: name}."""

    path: Path
    duration_ps: float | None
    start_ps: float | None
    period_ps: float | None
    names: Mapping[int, str]


def header_of(path: Path, entries: Mapping[str, Any]) -> Header:
    """Checked entries of a file; those it does not know are left alone."""
    return Header(
        path,
        _scalar(path, entries, "duration_ps", 1.0),
        _scalar(path, entries, "start_ps", -LARGEST_PS),
        _scalar(path, entries, "period_ps", 0.0, open_low=True),
        _names(path, entries),
    )


def entries_of(tags: Tags) -> dict[str, Any]:
    """What a file says beside times and channels; NumPy and HDF5 keep each as a scalar."""
    found: dict[str, Any] = {"duration_ps": tags.duration_ps, "start_ps": tags.start_ps}
    if tags.period_ps is not None:
        found["period_ps"] = tags.period_ps
    if tags.names:
        found["names"] = json.dumps({str(c): n for c, n in tags.names.items()})
    return found


def ending_of(header: Header, first: int | None, last: int | None, warnings: tuple[str, ...] = ()) -> Ending:
    """Length and begin of the acquisition: what the file says, else from the first photon to the last."""
    duration, start = header.duration_ps, header.start_ps
    if first is None or last is None:
        return Ending(int(duration or 1), int(start or 0), warnings)
    if duration is None:
        return Ending(max(1, last - first), first, warnings)
    begin = (0 if first >= 0 and last <= duration else first) if start is None else int(start)
    if first < begin or last > begin + duration:
        where = f"photons at {first} .. {last} ps in {begin} .. {begin + int(duration)} ps"
        raise bad(f"{header.path}: duration_ps", "hold every photon", where, "correct duration_ps and start_ps, or leave them out")
    return Ending(int(duration), begin, warnings)


def _scalar(path: Path, about: Mapping[str, Any], key: str, low: float, open_low: bool = False) -> float | None:
    if key not in about:
        return None
    value = np.asarray(about[key]).item() if np.asarray(about[key]).size == 1 else None
    with contextlib.suppress(TypeError, ValueError):
        value = int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value) else float(value) if isinstance(value, str) else value
    number(f"{path} {key}", value, low, open_low=open_low, unit="ps")
    return value


def _names(path: Path, about: Mapping[str, Any]) -> dict[int, str]:
    if "names" not in about:
        return {}
    try:
        return {int(c): str(n) for c, n in json.loads(str(np.asarray(about["names"]).item())).items()}
    except (ValueError, AttributeError):
        raise bad(f"{path} names", 'be written like {"0": "H", "1": "V"}', about["names"], "correct or remove it") from None


def channels_of(path: Path, channel: np.ndarray) -> np.ndarray:
    numbers = whole(f"{path} channel", channel)
    if numbers.size and (numbers.min() < CHANNELS[0] or numbers.max() > CHANNELS[1]):
        most = numbers.min() if numbers.min() < CHANNELS[0] else numbers.max()
        raise bad(f"{path} channel", f"lie between {CHANNELS[0]} and {CHANNELS[1]}", most, "number the channels from 0")
    return numbers.astype(np.int16)
