"""What the data do not determine: directions in the space of parameters along which chi2 does not rise, in physical words.

Parameters that cannot be negative change by factors, so that a direction is a product of powers: "only the product of a and b is determined".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot.fitting.parameters import Parameter

LOOSE = 1.0
"""A direction is not determined if a change by a factor e (for others: by the parameter itself) costs less than this in chi2."""
FLAT = 1e-6
"""It is flat, exactly as far as numbers tell, below this fraction of the best determined direction."""
SHARE = 0.2
"""Parameters with a smaller part in a direction are left out of its words."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A combination of parameters that the data leave open. weights: {name: part}, relative changes that go together; spread: standard error of a
    change along it (1 is a factor e), infinite where nothing changes at all."""

    weights: dict[str, float]
    spread: float
    words: str

    @property
    def is_flat(self) -> bool:
        """True if no change along it alters the prediction."""
        return not np.isfinite(self.spread)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; spread: None where it is infinite."""
        return {"weights": self.weights, "spread": None if self.is_flat else self.spread, "words": self.words}

    def __str__(self) -> str:
        how = "without any effect on these data" if self.is_flat else f"to a factor e^{self.spread:.2g} only"
        return f"not determined, {how}: {self.words}"


def directions(parameters: Sequence[Parameter], values: np.ndarray, slopes: np.ndarray, held: np.ndarray) -> tuple[Direction, ...]:
    """Directions that are loose or flat. slopes: (n, p) of the residuals by the parameters; held: (p,) True for those at a bound, which stay there."""
    moving = np.flatnonzero(~held)
    if not moving.size:
        return ()
    scale = np.where(values != 0, np.abs(values), 1.0)
    a = (slopes * scale)[:, moving]
    _, sizes, rows = np.linalg.svd(np.linalg.qr(a, mode="r"))
    sizes = np.concatenate([sizes, np.zeros(moving.size - sizes.size)])  # fewer points than parameters
    natural = np.array([p.low >= 0 for p in parameters])[moving]
    found = []
    for size, row in zip(sizes, rows, strict=True):
        flat = size <= FLAT * sizes.max()
        loose = size < np.sqrt(LOOSE)
        if not (flat or loose):
            continue
        parts = row / row[np.argmax(np.abs(row))]
        chosen = np.abs(parts) >= SHARE
        weights = {parameters[int(k)].name: float(v) for k, v in zip(moving[chosen], parts[chosen], strict=True)}
        all_natural = bool(natural[chosen].all())
        if not flat and not all_natural:
            continue  # a zero delay or an offset has no scale of its own to be loose on
        meanings = {p.name: p.meaning for p in parameters}
        found.append(Direction(weights, float("inf") if flat else 1.0 / float(size), _words(weights, meanings)))
    return tuple(found)


def _words(weights: dict[str, float], meanings: dict[str, str]) -> str:
    """A direction in words."""
    names = list(weights)

    def called(name: str) -> str:
        return f"{name} ({meanings[name]})" if meanings[name] != name else name

    if len(names) == 1:
        return f"{called(names[0])} does not matter here"
    sizes = [abs(w) for w in weights.values()]
    if len(names) == 2 and min(sizes) > 0.9 * max(sizes):
        kind = "product" if weights[names[0]] * weights[names[1]] < 0 else "ratio"
        return f"only the {kind} of {called(names[0])} and {called(names[1])} is determined"
    up = [f"{called(n)}{_power(w)}" for n, w in weights.items() if w > 0]
    down = [f"{called(n)}{_power(w)}" for n, w in weights.items() if w < 0]
    rising = f"{', '.join(up)} rise{'' if len(up) > 1 else 's'}"
    return rising + (f" while {', '.join(down)} fall{'' if len(down) > 1 else 's'}" if down else " together") + ", and the data cannot tell"


def _power(w: float) -> str:
    return "" if abs(w) > 0.9 else f" (by the power {abs(w):.1f})"
