"""How wrong is a number? The same calculation repeated: with every rate moved in its last digits, with lower and with higher cut-offs.

What changes, times a margin, bounds the error. It knows no physics: what is cut off, and how it is calculated, is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")
S = TypeVar("S")
MARGIN = 20.0
"""What the change from rounded inputs, other steps and other round-off is multiplied by."""
BEYOND = 4.0
"""What the change from a cut-off is multiplied by."""
STEADILY = 0.5
"""Lower cut-offs are trusted where each further one changes the result by at most this much of the change before."""
SUDDENLY = 0.1
"""They are not where the last change falls this much faster than the one before: it may be small by chance."""
FAST = 0.01
"""Where every change is at most this much of the one before, those still to come are taken to be smaller than the last."""


@dataclass(frozen=True, eq=False)
class Repeats(Generic[T]):
    """One quantity by several calculations.

    given: as asked for; moved: with every rate moved in its last digits and, where rates set them, with other steps; lower: with cut-offs one, two and three
    lower (none where nothing is cut, or where it is cheaper to go up); raised: with higher cut-offs, calculated when first asked for, None
    where nothing is cut.
    """

    given: T
    moved: T
    lower: tuple[T, ...] = ()
    raised: Callable[[], T] | None = None

    def map(self, change: Callable[[T], S]) -> Repeats[S]:
        """The same of something read off each calculation."""
        raised = self.raised
        return Repeats(
            change(self.given),
            change(self.moved),
            tuple(change(v) for v in self.lower),
            None if raised is None else cache(lambda: change(raised())),
        )

    def together(self, other: Repeats[S]) -> Repeats[tuple[T, S]]:
        """Pairs of two quantities, calculation by calculation."""
        mine, theirs = self.raised, other.raised
        raised = None if mine is None or theirs is None else cache(lambda: (mine(), theirs()))
        lower = tuple(zip(self.lower, other.lower, strict=True)) if len(self.lower) == len(other.lower) else ()
        return Repeats((self.given, other.given), (self.moved, other.moved), lower, raised)


def errors(repeats: Repeats[np.ndarray], is_enough: Callable[[np.ndarray], bool]) -> tuple[np.ndarray, np.ndarray]:
    """(numeric, cut) bounds of the absolute error, of the values' shape. is_enough: does a total error meet the tolerance?"""
    numeric = MARGIN * np.abs(repeats.moved - repeats.given)
    if repeats.raised is None:
        return numeric, np.zeros_like(numeric)
    lowered = _from_lower(repeats)
    if lowered is not None and is_enough(numeric + lowered):
        return numeric, lowered
    return numeric, BEYOND * np.abs(repeats.raised() - repeats.given)


def _from_lower(repeats: Repeats[np.ndarray]) -> np.ndarray | None:
    """Bound of what is cut off, from what lower cut-offs change; None where these changes do not fall steadily.

    If each change is at most half of the one before, all changes still to come add up to no more than the last; if they fall much faster, to
    less, and they are taken to go on falling at a tenth of the slowest pace so far.
    """
    runs = (repeats.given, *repeats.lower)
    if len(runs) < 4:
        return None
    changes = [np.abs(b - a) for a, b in pairwise(runs)]
    sizes = [float(c.max(initial=0.0)) for c in changes]
    roundoff = 1e-14 * float(np.abs(runs[0]).max(initial=0.0))
    if any(now > max(STEADILY * before, roundoff) for now, before in pairwise(sizes)):
        return None
    pace = [now / before if before > 0.0 else 0.0 for now, before in pairwise(sizes)]
    came_suddenly = sizes[0] > roundoff and pace[0] < SUDDENLY * pace[1]
    ended_suddenly = sizes[1] <= roundoff and sizes[2] > 1e6 * roundoff
    if came_suddenly or ended_suddenly:
        return None
    return BEYOND * (10.0 * max(pace) if max(pace) <= FAST else 1.0) * np.maximum(changes[0], max(pace) * changes[1])
