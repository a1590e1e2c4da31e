"""The one error a user meets: it names the argument, what it must be, what it was and what to do.

It knows no physics and no file format; every room may raise it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable


class InputError(ValueError):
    """Something that was asked for cannot be done as asked; the message says what to change."""


def bad(argument: str, must: str, got: object, remedy: str = "") -> InputError:
    """The error with its four parts: argument, expectation, value, remedy.

    >>> str(bad("TwoLevel.lifetime_ns", "be > 0 ns", -1, "give a lifetime, not a rate"))
    'TwoLevel.lifetime_ns must be > 0 ns, got -1; give a lifetime, not a rate'
    """
    return InputError(f"{argument} must {must}, got {got}" + (f"; {remedy}" if remedy else ""))


def short(given: object) -> str:
    """What was given, on one line that can be read.

    >>> short(range(3)), len(short(list(range(100))))
    ('range(0, 3)', 80)
    """
    text = " ".join(repr(given).split())
    return text if len(text) <= 80 else text[:77] + "..."


def unknown(argument: str, name: object, known: Iterable[str]) -> InputError:
    """A name that is not among the known ones, with the nearest of them.

    >>> str(unknown("start", "Y", ["G", "X"]))
    "start must be one of 'G', 'X', got 'Y'"
    >>> str(unknown("key", "picure", ["picture", "levels"]))
    "key must be one of 'picture', 'levels', got 'picure'; did you mean 'picture'?"
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    names = ", ".join(repr(k) for k in known) if known else "nothing (there are none)"
    return bad(argument, f"be one of {names}", repr(name), f"did you mean {near[0]!r}?" if near else "")


def number(argument: str, value: object, low: float = -math.inf, high: float = math.inf, open_low: bool = False, unit: str = "") -> float:
    """`value` as a float if it is a finite number in [low, high] (or (low, high]); otherwise the error that says so."""
    limits = []
    if low > -math.inf:
        limits.append(f"{'>' if open_low else '>='} {low:g}")
    if high < math.inf:
        limits.append(f"<= {high:g}")
    must = "be a finite number" + (" " + " and ".join(limits) if limits else "") + (f" {unit}" if unit else "")
    if isinstance(value, bool | str):
        raise bad(argument, must, repr(value), "write it as a number")
    try:
        x = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise bad(argument, must, repr(value), "write it as a number") from None
    if not math.isfinite(x) or x < low or x > high or (open_low and x <= low):
        raise bad(argument, must, value, "give a value inside these limits")
    return x
