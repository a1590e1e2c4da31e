"""A source that goes dark at times, by itself: a random shutter in front of it, independent of the photons.

The shutter is a telegraph process: open for exponentially distributed times of mean `on_ns`, shut for `off_ns`. It hides photons and leaves the
source's own dynamics alone. Source: Santori et al., Phys. Rev. B 69, 205324 (2004), for the side peaks of a blinking dot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdot.errors import number


@dataclass(frozen=True)
class Blinking:
    """Mean duration of a bright and of a dark time, ns."""

    on_ns: float
    off_ns: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_ns", number("Blinking.on_ns", self.on_ns, low=0.0, open_low=True, unit="ns"))
        object.__setattr__(self, "off_ns", number("Blinking.off_ns", self.off_ns, low=0.0, unit="ns"))

    @property
    def on_fraction(self) -> float:
        """Share of the time in which the source is bright."""
        return self.on_ns / (self.on_ns + self.off_ns)

    @property
    def rate_per_ns(self) -> float:
        """How fast the shutter forgets: 1/on_ns + 1/off_ns."""
        return 1.0 / self.on_ns + 1.0 / self.off_ns

    def correlation(self, tau_ns: np.ndarray) -> np.ndarray:
        """g2 of the shutter, 1 + (off/on) exp(-|tau| (1/on + 1/off)): what g2(tau) of the source is multiplied by."""
        tau = np.abs(np.asarray(tau_ns, dtype=float))
        if self.off_ns == 0.0:
            return np.ones(tau.shape)
        return 1.0 + self.off_ns / self.on_ns * np.exp(-tau * self.rate_per_ns)
