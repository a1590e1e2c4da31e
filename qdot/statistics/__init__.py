"""Every definition of photon statistics, written once, for both pictures.

`continuous`: populations, flux, g2(tau), g3 in the steady state. `pulsed`: photon numbers, moments and side peaks under pulses.
`figures`: what is read off photon-number distributions and moments. Losses enter as weights of the jumps; detectors live elsewhere.
"""

from qdot.statistics.continuous import SteadyLight, stacked_light, steady_light
from qdot.statistics.figures import (
    event_fraction_of_pairs,
    g2_zero,
    g3_zero,
    mean_photons,
    pair_share_of_multiphotons,
    photon_fraction_in_pairs,
)
from qdot.statistics.pulsed import Counts, PulsedLight, pulsed_light

__all__ = [
    "Counts",
    "PulsedLight",
    "SteadyLight",
    "event_fraction_of_pairs",
    "g2_zero",
    "g3_zero",
    "mean_photons",
    "pair_share_of_multiphotons",
    "photon_fraction_in_pairs",
    "pulsed_light",
    "stacked_light",
    "steady_light",
]
