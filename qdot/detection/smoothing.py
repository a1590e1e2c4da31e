"""What responses, afterpulses and bins do to g2(tau): averages of the curve over the distribution of what is added to a delay.

A delay recorded between two detectors is tau + x, with x = (lateness of the second) - (lateness of the first); a histogram then averages over a
bin. So the recorded value at tau is the integral of g2(tau - x) K(x), and K the convolution of a few kernels, each of which is applied to pieces of
polynomials (see `pieces`) by Gauss and Legendre, in the order that keeps the work small.

For exp(-k|tau|) without a bin the value at zero is exp((k s)^2/2) erfc(k s/sqrt 2), s the standard deviation of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qdot.detection.detector import Detector
from qdot.detection.pieces import NODES, Curve, Pieces, integrals, pieces_of
from qdot.detection.response import MeasuredResponse

REACH = 9.0
"""Standard deviations of a Gaussian beyond which there is nothing: 1e-19 of it."""
FADED = 42.0
"""Mean times of an exponential beyond which there is nothing: 1e-18 of it."""
CHUNK = 1.5
"""Width of one quadrature, in units of a kernel's scale."""
ORDER = 16
"""Points of one quadrature: exact for a polynomial of degree 15 times what a Gaussian or an exponential is within a chunk, to round-off."""
FINER = 1.0
"""First pieces beside a cusp, as a fraction of the finest kernel."""
MOST_BREAKS = 4000
"""Beyond this many places where an average is not quite smooth they are found by halving instead of named."""


class Kernel(Protocol):
    """One distribution of x. low, high: where it is not zero; scale: its finest feature."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def scale(self) -> float: ...
    def average(self, pieces: Pieces, at: np.ndarray) -> np.ndarray:
        """(B, n) averages of the curve at tau - x, at tau (n,)."""
        ...

    def marks(self) -> np.ndarray:
        """Where its density jumps or has its largest value: beside these points the average of a cusp needs small pieces."""
        ...


@dataclass(frozen=True)
class GaussianKernel:
    """A normal distribution of mean 0."""

    sigma: float

    @property
    def low(self) -> float:
        return -REACH * self.sigma

    @property
    def high(self) -> float:
        return REACH * self.sigma

    @property
    def scale(self) -> float:
        return self.sigma

    def average(self, pieces: Pieces, at: np.ndarray) -> np.ndarray:
        def weight(d: np.ndarray) -> np.ndarray:
            return np.exp(-0.5 * (d / self.sigma) ** 2) / (self.sigma * np.sqrt(2.0 * np.pi))

        return integrals(pieces, at, self.low, self.high, CHUNK * self.sigma, ORDER, weight)

    def marks(self) -> np.ndarray:
        return np.zeros(1)


@dataclass(frozen=True)
class AfterpulseKernel:
    """Lateness by false counts: 0 with probability 1 - share, else exponential of mean `mean_ns` after `dead_ns`; sign -1 for the first detector.

    Each registered count has one false follower with probability p, and that one another: of all counts a share p is false, and where the
    dead time is 0 the delay of a false one behind the true one is exponential of mean time / (1 - p).
    """

    share: float
    mean_ns: float
    dead_ns: float
    sign: int

    @property
    def low(self) -> float:
        return 0.0 if self.sign > 0 else -self.dead_ns - FADED * self.mean_ns

    @property
    def high(self) -> float:
        return -AfterpulseKernel(self.share, self.mean_ns, self.dead_ns, -1).low if self.sign > 0 else 0.0

    @property
    def scale(self) -> float:
        return self.mean_ns

    def average(self, pieces: Pieces, at: np.ndarray) -> np.ndarray:
        def weight(d: np.ndarray) -> np.ndarray:
            return np.exp((self.sign * d + self.dead_ns) / self.mean_ns) / self.mean_ns

        ends = sorted(-self.sign * x for x in (self.dead_ns, self.dead_ns + FADED * self.mean_ns))
        late = integrals(pieces, at, ends[0], ends[1], CHUNK * self.mean_ns, ORDER, weight)
        return np.asarray((1.0 - self.share) * pieces(at) + self.share * late)

    def marks(self) -> np.ndarray:
        return np.array([0.0, self.sign * self.dead_ns])


@dataclass(frozen=True)
class StepKernel:
    """A histogram of x: constant densities between even edges. A bin is one step; a measured response many."""

    edges: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def low(self) -> float:
        return self.edges[0]

    @property
    def high(self) -> float:
        return self.edges[-1]

    @property
    def scale(self) -> float:
        return (self.high - self.low) / len(self.weights)

    def average(self, pieces: Pieces, at: np.ndarray) -> np.ndarray:
        width = self.scale
        total = np.zeros((pieces.coefficients.shape[1], at.size))
        for right, w in zip(self.edges[1:], self.weights, strict=True):
            if w > 0.0:
                total += w / width * integrals(pieces, at, -right, width - right, width, NODES // 2, None)
        return total

    def marks(self) -> np.ndarray:
        return np.array(self.edges)


def kernels_of(first: Detector, second: Detector, bin_ns: float = 0.0) -> list[Kernel]:
    """What is added to a delay between two detectors, and the bin it falls into (centred); delays of the channels are not among it."""
    found: list[Kernel] = []
    sigma = float(np.hypot(first.jitter_sigma_ns, second.jitter_sigma_ns))
    if sigma > 0.0:
        found.append(GaussianKernel(sigma))
    for detector, sign in ((first, -1), (second, 1)):
        p = detector.afterpulse_probability
        if p > 0.0:
            mean = detector.afterpulse_time_ns / (1.0 - p) if detector.dead_time_ns == 0.0 else detector.afterpulse_time_ns
            found.append(AfterpulseKernel(p, mean, detector.dead_time_ns, sign))
    if bin_ns > 0.0:
        found.append(StepKernel((-bin_ns / 2.0, bin_ns / 2.0), (1.0,)))
    found += [_step_kernel(d.response, sign) for d, sign in ((first, -1), (second, 1)) if d.response is not None]
    return found


def _step_kernel(response: MeasuredResponse, sign: int) -> StepKernel:
    edges, weights = np.array(response.edges_ns), np.array(response.weights)
    if sign < 0:
        edges, weights = -edges[::-1], weights[::-1]
    return StepKernel(tuple(edges.tolist()), tuple(weights.tolist()))


def smoothed(curve: Curve, tau_ns: np.ndarray, kernels: Sequence[Kernel], breaks: Sequence[float] = (0.0,)) -> tuple[np.ndarray, float]:
    """(values (n,) or (B, n) averaged over all kernels at delays (n,), largest absolute error of the averaging).

    curve: (n,) delays -> (n,) or (B, n) values, at any delay within reach of the kernels; breaks: where it has cusps or jumps.
    Raises InputError if it is not smooth elsewhere.
    """
    tau = np.asarray(tau_ns, dtype=float)
    if not kernels:
        return np.asarray(curve(tau)), 0.0
    finest = FINER * min(k.scale for k in kernels)
    after_low = [sum(k.high for k in kernels[i:]) for i in range(len(kernels))]
    after_high = [sum(k.low for k in kernels[i:]) for i in range(len(kernels))]
    margin = 1e-9 * finest
    rough = np.asarray(breaks, dtype=float)
    error = 0.0

    def pieces(of: Curve, i: int) -> Pieces:
        low, high = tau.min() - after_low[i] - margin, tau.max() - after_high[i] + margin
        return pieces_of(of, float(low), float(high), rough, finest)

    now = pieces(curve, 0)
    for i, kernel in enumerate(kernels):
        error += now.error
        if i == len(kernels) - 1:
            break
        marks = kernel.marks()
        rough = np.unique(np.add.outer(rough, marks)) if rough.size * marks.size <= MOST_BREAKS else rough
        before = now
        now = pieces(lambda x, k=kernel, p=before: k.average(p, x), i + 1)  # type: ignore[misc]
    values = kernels[-1].average(now, tau)
    is_single = np.ndim(curve(tau[:1])) == 1
    return (values[0] if is_single else values), error
