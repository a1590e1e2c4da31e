"""Every definition of photon statistics, written once, for both pictures.

`continuous`: populations, flux, g2(tau), g3 in the steady state. `pulsed`: photon numbers, moments and side peaks under pulses.
`delays`: pairs of a train by their delay. `figures`: what is read off photon-number distributions and moments.
`tangents`: how all of it changes with the parameters. Losses enter as weights of the jumps; detectors live elsewhere.
"""

from qdot.statistics.continuous import SteadyLight, stacked_light, steady_light
from qdot.statistics.delays import peak_areas
from qdot.statistics.figures import (
    event_fraction_of_pairs,
    g2_zero,
    g3_zero,
    mean_photons,
    pair_share_of_multiphotons,
    photon_fraction_in_pairs,
)
from qdot.statistics.pulsed import Counts, PulsedLight, pulsed_light
from qdot.statistics.tangents import PulsedTangents, SteadyTangents, TangentLight, parts_of, tangent_timeline

__all__ = [
    "Counts",
    "PulsedLight",
    "PulsedTangents",
    "SteadyLight",
    "SteadyTangents",
    "TangentLight",
    "event_fraction_of_pairs",
    "g2_zero",
    "g3_zero",
    "mean_photons",
    "pair_share_of_multiphotons",
    "parts_of",
    "peak_areas",
    "photon_fraction_in_pairs",
    "pulsed_light",
    "stacked_light",
    "steady_light",
    "tangent_timeline",
]
