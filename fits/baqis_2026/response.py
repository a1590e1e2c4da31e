"""What the jitter of two detectors makes of a distribution of delays |t2 - t1|, by quadrature.

With p the density of the delay on [0, inf), the signed delay is p(|T|)/2; the recorded one is that plus a Gaussian error of root 2 times one
detector's spread. So the density of its modulus is q(T) = int p(t) [N(T - t) + N(T + t)] dt, and with s the spread of the error the mean modulus
of a delay t becomes s root(2/pi) exp(-t^2/(2 s^2)) + t erf(t/(s root 2)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from .closed import ROOT_8_LN_2

Array = NDArray[np.float64]
POINTS = 16
"""Gauss-Legendre points on a panel: exact to round-off for panels of 1.5 spreads, or 4 times of the fastest exponential."""
FADED = 40.0
"""Times of an exponential beyond which there is nothing."""


def spread_ns(jitter_fwhm_ns: float) -> float:
    """Standard deviation of the delay between two detectors, each with a Gaussian jitter of this FWHM."""
    return math.sqrt(2.0) * jitter_fwhm_ns / ROOT_8_LN_2


@dataclass(frozen=True, eq=False)
class Sampled:
    """A density of delays on quadrature points: nodes_ns (n,), and masses (n,), density times weight."""

    nodes_ns: Array
    masses: Array

    @classmethod
    def of(cls, density: Callable[[Array], Array], fastest_per_ns: float, end_ns: float, jitter_fwhm_ns: float) -> Sampled:
        """Look at a density once.

        fastest_per_ns: rate of its fastest exponential; end_ns: beyond it there is nothing; jitter_fwhm_ns: the smallest that will be asked for.
        """
        wide = 1.5 * spread_ns(jitter_fwhm_ns)
        fine = min(wide, 4.0 / fastest_per_ns)
        turn = min(FADED / fastest_per_ns, end_ns)
        edges = np.concatenate([np.linspace(0.0, turn, 1 + math.ceil(turn / fine)), np.linspace(turn, end_ns, 1 + math.ceil((end_ns - turn) / wide))[1:]])
        x, w = np.polynomial.legendre.leggauss(POINTS)
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[:-1] + edges[1:])[:, None]
        nodes = (middle + half * x).ravel()
        return cls(nodes, (half * w).ravel() * np.asarray(density(nodes)))

    def stretched(self, factor: float) -> Sampled:
        """The density with every time this many times longer."""
        return Sampled(factor * self.nodes_ns, self.masses)

    def recorded(self, delays_ns: Array, jitter_fwhm_ns: float) -> Array:
        """(m,) density of the recorded delay at delays >= 0 (m,), in 1/ns."""
        s = spread_ns(jitter_fwhm_ns)
        t = np.asarray(delays_ns, dtype=float)[:, None]
        window = np.exp(-0.5 * ((t - self.nodes_ns) / s) ** 2) + np.exp(-0.5 * ((t + self.nodes_ns) / s) ** 2)
        return np.asarray(window @ self.masses / (s * math.sqrt(2.0 * math.pi)))

    def mean_ns(self, jitter_fwhm_ns: float) -> float:
        """Mean of the recorded delay."""
        t = self.nodes_ns
        if jitter_fwhm_ns > 0.0:
            s = spread_ns(jitter_fwhm_ns)
            t = s * math.sqrt(2.0 / math.pi) * np.exp(-0.5 * (t / s) ** 2) + t * erf(t / (s * math.sqrt(2.0)))
        return float(t @ self.masses)
