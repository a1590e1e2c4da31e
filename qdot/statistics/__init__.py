"""Every definition of photon statistics, written once, for both pictures.

`continuous`: populations, flux, g2(tau), g3 in the steady state. `pulsed`: photon numbers, moments and side peaks under pulses.
`figures`: what is read off photon-number distributions and moments. `tangents`: how all of it changes with the parameters;
`stacked`: the steady light of many settings at once, with its derivatives.
Losses enter as weights of the jumps; detectors live elsewhere.
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
from qdot.statistics.stacked import StackedLight, stacked
from qdot.statistics.tangents import PulsedTangents, SteadyTangents, TangentLight, parts_of, tangent_timeline

__all__ = [
    "Counts",
    "PulsedLight",
    "PulsedTangents",
    "StackedLight",
    "SteadyLight",
    "SteadyTangents",
    "TangentLight",
    "event_fraction_of_pairs",
    "g2_zero",
    "g3_zero",
    "mean_photons",
    "pair_share_of_multiphotons",
    "parts_of",
    "photon_fraction_in_pairs",
    "pulsed_light",
    "stacked",
    "stacked_light",
    "steady_light",
    "tangent_timeline",
]
