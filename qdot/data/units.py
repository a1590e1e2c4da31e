"""Units at the end of a column's name, and what they are inside qdot: ns, 1/ns, uW, fJ, ueV."""

from __future__ import annotations

from typing import NamedTuple

UNITS = {
    "per_ns": "1/ns",
    "per_us": "1/us",
    "per_ms": "1/ms",
    "per_s": "1/s",
    "cps": "1/s",
    "kcps": "1/ms",
    "ns": "ns",
    "ps": "ps",
    "us": "us",
    "ms": "ms",
    "uW": "uW",
    "nW": "nW",
    "mW": "mW",
    "fJ": "fJ",
    "pJ": "pJ",
    "ueV": "ueV",
    "meV": "meV",
    "nm": "nm",
    "K": "K",
    "s": "s",
}
"""Endings of a column's name and the unit they stand for."""


class Inside(NamedTuple):
    """The ending that a unit has inside qdot, and the factor that takes values there."""

    ending: str
    factor: float


INSIDE = {
    "ps": Inside("ns", 1e-3),
    "us": Inside("ns", 1e3),
    "ms": Inside("ns", 1e6),
    "nW": Inside("uW", 1e-3),
    "mW": Inside("uW", 1e3),
    "pJ": Inside("fJ", 1e3),
    "meV": Inside("ueV", 1e3),
    "per_us": Inside("per_ns", 1e-3),
    "per_ms": Inside("per_ns", 1e-6),
    "kcps": Inside("per_ns", 1e-6),
    "per_s": Inside("per_ns", 1e-9),
    "cps": Inside("per_ns", 1e-9),
}
"""What is converted when a file is read; a unit that is not listed stays. Seconds stay: they are exposures, not delays."""


def ending_of(column: str) -> str:
    """The unit's ending of a column's name, "" where there is none.

    >>> ending_of("delay_ps"), ending_of("flux_per_s"), ending_of("g2_zero")
    ('ps', 'per_s', '')
    """
    found = [e for e in UNITS if column.endswith("_" + e) and len(column) > len(e) + 1]
    return max(found, key=len, default="")


def split_unit(column: str) -> tuple[str, str]:
    """(quantity, unit) of a column's name.

    >>> split_unit("peak_decay_ns"), split_unit("flux_per_ns"), split_unit("g2_zero")
    (('peak_decay', 'ns'), ('flux', '1/ns'), ('g2_zero', ''))
    """
    ending = ending_of(column)
    return (column[: -len(ending) - 1], UNITS[ending]) if ending else (column, "")


def inside(column: str) -> tuple[str, float]:
    """(name with the unit used inside, factor that takes values there).

    >>> inside("delay_ps"), inside("power_mW"), inside("g2_zero")
    (('delay_ns', 0.001), ('power_uW', 1000.0), ('g2_zero', 1.0))
    """
    ending = ending_of(column)
    if ending not in INSIDE:
        return column, 1.0
    return column[: -len(ending)] + INSIDE[ending].ending, INSIDE[ending].factor
