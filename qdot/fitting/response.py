"""The response of an instrument: how far a detected delay lies from the true one. Weights at equal steps, from a width or a measured curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qdot.errors import bad, short

REACH = 6.0
"""A Gaussian response is taken to this many standard deviations on either side."""
FINE = 8.0
"""Steps per standard deviation of a Gaussian, and per median spacing of a measured response."""
PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
"""Standard deviation over full width at half maximum."""


@dataclass(frozen=True, eq=False)
class Response:
    """A Gaussian of fwhm_ns (of the delay: root 2 times that of each of two equal detectors), or a measured curve (offset_ns, weight), each (n,)."""

    fwhm_ns: float | None = None
    offset_ns: np.ndarray | None = None
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        measured = self.offset_ns is not None and self.weight is not None
        if (self.fwhm_ns is None) == (not measured):
            raise bad("Response", "have fwhm_ns, or offset_ns with weight", "neither or both", "for example Response(fwhm_ns=0.05)")
        if self.fwhm_ns is not None and not (math.isfinite(self.fwhm_ns) and self.fwhm_ns > 0):
            raise bad("Response.fwhm_ns", "be > 0 ns", self.fwhm_ns)
        if measured:
            offset, weight = np.asarray(self.offset_ns, dtype=float), np.asarray(self.weight, dtype=float)
            if offset.ndim != 1 or offset.shape != weight.shape or offset.size < 2 or np.any(np.diff(offset) <= 0) or np.any(weight < 0) or weight.sum() <= 0:
                raise bad(
                    "Response.offset_ns and weight",
                    "be as long as each other, offsets increasing, weights >= 0",
                    f"{short(offset.tolist())} and {short(weight.tolist())}",
                    "give the measured curve",
                )
            object.__setattr__(self, "offset_ns", offset)
            object.__setattr__(self, "weight", weight)

    def steps(self, width: float) -> int:
        """Into how many steps a bin is divided."""
        if self.fwhm_ns is not None:
            return max(1, math.ceil(width * FINE / (self.fwhm_ns * PER_FWHM)))
        return max(1, math.ceil(width / float(np.median(np.diff(np.asarray(self.offset_ns))))))

    def weights(self, step: float, fwhm_ns: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(multiples of the step (k,), weights that sum to 1 (k,), derivatives of the weights by fwhm_ns (k,)). fwhm_ns: another width."""
        width = self.fwhm_ns if fwhm_ns is None else fwhm_ns
        if width is not None:
            sigma = width * PER_FWHM
            top = math.ceil(REACH * sigma / step)
            k = np.arange(-top, top + 1)
            s = (k * step / sigma) ** 2
            w = np.exp(-s / 2)
            w = w / w.sum()
            return k, w, w * (s - w @ s) / width
        offset, weight = np.asarray(self.offset_ns, dtype=float), np.asarray(self.weight, dtype=float)
        k = np.arange(math.floor(offset[0] / step), math.ceil(offset[-1] / step) + 1)
        w = np.interp(k * step, offset, weight, left=0.0, right=0.0)
        if w.sum() <= 0:
            raise bad("Response.weight", "be seen on steps of the bins", f"steps of {step:g} ns", "give it on a finer axis")
        return k, w / w.sum(), np.zeros(k.size)
