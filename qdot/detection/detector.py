"""One detector of a chain: which light it sees, with what share, and what it makes of it.

A frozen record of numbers; what they do to photon numbers, to g2(tau) and to a stream of tags is calculated elsewhere, from this one meaning:
a photon of the light that the detector sees is sent to it with probability `share`, and raises a count with probability `efficiency`.
Dark counts and leakage are counts that come beside, as a Poisson process. A count is told later by `delay_ns` plus a random delay (jitter);
dead time and afterpulses follow the true times of the counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from qdot.detection.response import SIGMA_PER_FWHM, MeasuredResponse
from qdot.errors import bad, number, unknown

T = TypeVar("T")
NS_PER_S = 1e9
DEAD_TIME_KINDS = ("non_paralysable", "paralysable")
MAX_RATE_PER_S = 1e12


@dataclass(frozen=True)
class Detector:
    """A single-photon detector at one output of a splitter.

    name: of the detector, which is the name of its channel in a tag file.
    sees: label of the light that reaches it ("X", or "X:H" behind a polariser), or several, or None for all light.
    share: probability that the splitter sends a photon of this light here; the shares of all detectors that see one line, or one of its
    polarisations, add up to at most 1.
    efficiency: probability that a photon at the detector raises a count.
    dark_per_s: rate of dark counts (1/s), also ambient light. leakage_per_s: rate of counts from a continuous laser (1/s).
    leakage_per_pulse: mean number of counts from the laser at the start of each pulse, Poisson distributed, efficiency included.
    dead_time_ns: time after a count in which no other is registered. dead_time_kind: "non_paralysable" (only registered counts start it) or
    "paralysable" (every count starts it again).
    afterpulse_probability: of one false count after a registered one, at dead_time_ns plus an exponentially distributed time of mean
    afterpulse_time_ns; false counts have false counts in turn.
    jitter_fwhm_ns: full width at half maximum of a Gaussian response; or response: a measured one. delay_ns: by how much this channel is late.
    number_resolving: True if one pulse's counts are told apart by their number; False: any number is one click.
    Raises InputError for a number out of its range, naming it.
    """

    name: str
    sees: str | Sequence[str] | None = None
    share: float = 1.0
    efficiency: float = 1.0
    dark_per_s: float = 0.0
    leakage_per_s: float = 0.0
    leakage_per_pulse: float = 0.0
    dead_time_ns: float = 0.0
    dead_time_kind: str = "non_paralysable"
    afterpulse_probability: float = 0.0
    afterpulse_time_ns: float = 0.0
    jitter_fwhm_ns: float = 0.0
    response: MeasuredResponse | None = None
    delay_ns: float = 0.0
    number_resolving: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise bad("Detector.name", "be a text of at least one character", repr(self.name), 'for example "A"')
        here = f"detector {self.name!r}: "
        if self.sees is not None and not isinstance(self.sees, str):
            labels = tuple(self.sees)
            if not labels or not all(isinstance(one, str) for one in labels):
                raise bad(f"{here}sees", "be a label or several", self.sees, "leave it out for all light")
            object.__setattr__(self, "sees", labels)
        for name, high, unit in (
            ("share", 1.0, ""),
            ("efficiency", 1.0, ""),
            ("dark_per_s", MAX_RATE_PER_S, "1/s"),
            ("leakage_per_s", MAX_RATE_PER_S, "1/s"),
            ("leakage_per_pulse", 1e3, ""),
            ("dead_time_ns", np.inf, "ns"),
            ("afterpulse_time_ns", np.inf, "ns"),
            ("jitter_fwhm_ns", np.inf, "ns"),
        ):
            object.__setattr__(self, name, number(f"{here}{name}", getattr(self, name), low=0.0, high=high, unit=unit))
        object.__setattr__(self, "delay_ns", number(f"{here}delay_ns", self.delay_ns, unit="ns"))
        p = number(f"{here}afterpulse_probability", self.afterpulse_probability, low=0.0, high=1.0)
        if p == 1.0:
            raise bad(f"{here}afterpulse_probability", "be < 1: false counts have false counts in turn", p, "give the probability of one")
        object.__setattr__(self, "afterpulse_probability", p)
        if p > 0.0 and not self.afterpulse_time_ns > 0.0:
            raise bad(f"{here}afterpulse_time_ns", "be > 0 ns where there are afterpulses", self.afterpulse_time_ns, "give the mean delay beyond the dead time")
        if self.dead_time_kind not in DEAD_TIME_KINDS:
            raise unknown(f"{here}dead_time_kind", self.dead_time_kind, DEAD_TIME_KINDS)
        if self.response is not None and not isinstance(self.response, MeasuredResponse):
            raise bad(f"{here}response", "be a MeasuredResponse", type(self.response).__name__, "for a Gaussian one give jitter_fwhm_ns")
        if self.response is not None and self.jitter_fwhm_ns > 0.0:
            raise bad(here.rstrip(": "), "have one of jitter_fwhm_ns and response", "both", "a measured response holds the whole jitter")
        if not isinstance(self.number_resolving, bool):
            raise bad(f"{here}number_resolving", "be True or False", repr(self.number_resolving))

    @property
    def jitter_sigma_ns(self) -> float:
        """Standard deviation of the Gaussian response."""
        return self.jitter_fwhm_ns * SIGMA_PER_FWHM

    @property
    def background_per_ns(self) -> float:
        """Rate of counts in 1/ns that come without a pulse: dark counts and the leakage of a continuous laser."""
        return (self.dark_per_s + self.leakage_per_s) / NS_PER_S

    def draw_jitter_ns(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """(size,) random delays in ns between counts and their tags, delay_ns included."""
        if self.response is not None:
            return self.delay_ns + self.response.draw_ns(size, rng)
        if self.jitter_fwhm_ns == 0.0:
            return np.full(size, self.delay_ns)
        return self.delay_ns + self.jitter_sigma_ns * rng.standard_normal(size)


def splits_of(detectors: Sequence[Detector], seen: Sequence[Mapping[T, float]]) -> list[tuple[dict[T, float], np.ndarray]]:
    """Lights that are split alike: [({channel: probability of being detected}, (detectors,) whose it is then)].

    seen: for each detector, {channel: probability that a photon emitted there arrives at the splitter}. Channels that no detector sees are left out.
    """
    groups: list[tuple[dict[T, float], np.ndarray]] = []
    for channel in dict.fromkeys(c for light in seen for c in light):
        chances = np.array([d.share * d.efficiency * light.get(channel, 0.0) for d, light in zip(detectors, seen, strict=True)])
        total = float(chances.sum())
        if total == 0.0:
            continue
        for light, split in groups:
            if np.allclose(split, chances / total, rtol=1e-12, atol=0.0):
                light[channel] = total
                break
        else:
            groups.append(({channel: total}, chances / total))
    return groups
