"""Every definition of photon statistics, written once, for both pictures.

`continuous`: populations, flux, g2(tau), g3 in the steady state. `pulsed`: photon numbers, moments and side peaks under pulses.
`timing`: when photons come. `delays`: pairs of a train by their delay. `coherence`, `interference`, `entanglement`, `filtered`: what rests on fields, in
the Lindblad picture only. `figures`: what is read off photon-number distributions and moments. `tangents`: how all of it changes with the parameters;
`stacked`: the steady light of many settings at once, with its derivatives.
Losses enter as weights of the jumps; detectors live elsewhere.
"""

from qdot.statistics.coherence import SteadyFields, steady_fields
from qdot.statistics.continuous import SteadyLight, stacked_light, steady_light
from qdot.statistics.delays import peak_areas
from qdot.statistics.entanglement import BELL, best_fidelity, concurrence, density_matrix, pulsed_stokes, steady_stokes
from qdot.statistics.figures import (
    event_fraction_of_pairs,
    g2_zero,
    g3_zero,
    mean_photons,
    pair_share_of_multiphotons,
    photon_fraction_in_pairs,
)
from qdot.statistics.filtered import Sensor, sensor_g2
from qdot.statistics.interference import LARGEST, PulsedFields, TooLarge, pulsed_fields
from qdot.statistics.pulsed import Counts, PulsedLight, pulsed_light
from qdot.statistics.stacked import StackedLight, stacked
from qdot.statistics.tangents import PulsedTangents, SteadyTangents, TangentLight, parts_of, tangent_timeline
from qdot.statistics.timing import ArrivalLight

__all__ = [
    "BELL",
    "LARGEST",
    "ArrivalLight",
    "Counts",
    "PulsedFields",
    "PulsedLight",
    "PulsedTangents",
    "Sensor",
    "StackedLight",
    "SteadyFields",
    "SteadyLight",
    "SteadyTangents",
    "TangentLight",
    "TooLarge",
    "best_fidelity",
    "concurrence",
    "density_matrix",
    "event_fraction_of_pairs",
    "g2_zero",
    "g3_zero",
    "mean_photons",
    "pair_share_of_multiphotons",
    "parts_of",
    "peak_areas",
    "photon_fraction_in_pairs",
    "pulsed_fields",
    "pulsed_light",
    "pulsed_stokes",
    "sensor_g2",
    "stacked",
    "stacked_light",
    "steady_fields",
    "steady_light",
    "steady_stokes",
    "tangent_timeline",
]
