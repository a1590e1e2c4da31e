"""How late a detector tells of a photon: a response is the distribution of that delay, as a density in 1/ns.

Gaussian from its width, or measured as a histogram. What responses do to g2(tau) is in `smoothing`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdot.errors import bad, short

SIGMA_PER_FWHM = 1.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))
"""Standard deviation of a Gaussian of full width at half maximum 1."""
UNIFORM = 1e-6
"""Edges of a measured response are even if their steps agree to this fraction."""


@dataclass(frozen=True)
class MeasuredResponse:
    """A measured response: a histogram of delays, constant within each bin, with a total of 1 after division by its sum.

    edges_ns: n + 1 edges, evenly spaced and rising; weights: n numbers >= 0, not all zero, background taken off. The origin of the delays
    counts: a response that is not centred shifts what the detector records.
    """

    edges_ns: Sequence[float]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        edges, weights = (np.asarray(v, dtype=float) for v in (self.edges_ns, self.weights))
        if edges.ndim != 1 or edges.size < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0.0):
            raise bad("MeasuredResponse.edges_ns", "be at least 2 finite edges in ns, rising", f"shape {edges.shape}", "give the edges of the histogram")
        steps = np.diff(edges)
        if np.any(np.abs(steps - steps.mean()) > UNIFORM * steps.mean()):
            raise bad("MeasuredResponse.edges_ns", "be evenly spaced", f"steps from {steps.min():g} to {steps.max():g} ns", "give bins of one width")
        if weights.shape != steps.shape:
            raise bad("MeasuredResponse.weights", f"hold one number for each of the {steps.size} bins", f"shape {weights.shape}", "one fewer than edges")
        if not np.all(np.isfinite(weights)) or np.any(weights < 0.0) or not weights.sum() > 0.0:
            raise bad("MeasuredResponse.weights", "be finite numbers >= 0, not all zero", short(weights.tolist()), "take off the background, but not below 0")
        object.__setattr__(self, "edges_ns", tuple(edges.tolist()))
        object.__setattr__(self, "weights", tuple((weights / weights.sum()).tolist()))

    @property
    def bin_width_ns(self) -> float:
        """Width of a bin."""
        return (self.edges_ns[-1] - self.edges_ns[0]) / len(self.weights)

    @property
    def mean_ns(self) -> float:
        """Mean delay."""
        edges = np.array(self.edges_ns)
        return float(np.array(self.weights) @ (edges[1:] + edges[:-1])) / 2.0

    def centred(self) -> MeasuredResponse:
        """The same shape with mean delay 0."""
        return MeasuredResponse(np.array(self.edges_ns) - self.mean_ns, self.weights)  # type: ignore[arg-type]

    def draw_ns(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """(size,) random delays in ns."""
        edges, weights = np.array(self.edges_ns), np.array(self.weights)
        which = rng.choice(weights.size, size=size, p=weights)
        return np.asarray(edges[which] + self.bin_width_ns * rng.random(size))
