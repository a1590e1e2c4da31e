"""The figures that are read off photon numbers P(0) .. P(N), each as (a p) / (b p)^k: what a profile needs to hold one of them fixed."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Ratio(NamedTuple):
    """(a p) / (b p)^k of photon numbers p (N,); low, high: what it can be."""

    a: np.ndarray
    b: np.ndarray
    k: int
    low: float
    high: float

    @property
    def is_fixed(self) -> bool:
        """True if it is the same whatever p."""
        return not self.a.any() or (self.k == 1 and bool(np.all(self.a == self.b)))

    def __call__(self, p: np.ndarray) -> float:
        below = float(self.b @ p)
        if self.k == 0:
            return float(self.a @ p)
        return float(self.a @ p) / below**self.k if below > 0.0 else math.nan


def ratios(top: int) -> dict[str, Ratio]:
    """{name: figure} for P(0) .. P(top), with the names and definitions of docs/definitions.md; without those that so few photons leave at 0.

    >>> round(ratios(3)["photon_fraction_in_pairs"](np.array([0.7, 0.01, 0.29, 0.0])), 5)
    0.98305
    """
    n = np.arange(top + 1.0)
    one = np.ones(top + 1)

    def only(k: int) -> np.ndarray:
        return (n == k).astype(float)

    falling = n * (n - 1.0)
    found = {f"P({k})": Ratio(only(k), one, 0, 0.0, 1.0) for k in range(top + 1)}
    found |= {
        "mean_photons": Ratio(n, one, 0, 0.0, float(top)),
        "g2_zero": Ratio(falling, n, 2, 0.0, math.inf),
        "g3_zero": Ratio(falling * (n - 2.0), n, 3, 0.0, math.inf),
        "photon_fraction_in_pairs": Ratio(2.0 * only(2), n, 1, 0.0, 1.0),
        "event_fraction_of_pairs": Ratio(only(2), 1.0 - only(0), 1, 0.0, 1.0),
        "pair_share_of_multiphotons": Ratio(only(2), (n >= 2).astype(float), 1, 0.0, 1.0),
        "pair_efficiency": Ratio(only(2), one, 0, 0.0, 1.0),
        "pair_coincidence_efficiency": Ratio(falling / 2.0, one, 0, 0.0, float(top * (top - 1) / 2)),
    }
    return {name: figure for name, figure in found.items() if figure.a.any()}
