"""From photons to counts: detectors, what they make of photon numbers, and what of g2(tau).

`detector`: the record of one detector. `response`: the distribution of its delays. `blinking`: a source that goes dark at times.
`chain`: transmissions with their uncertainties. `patterns`: clicks of a pulse from P(n). `smoothing`, `pieces`: averages of g2(tau) over responses
and bins. `dead_time`: registered rates. `recorded`: the results. docs/detection.md says what is exact, what approximate and what refused.
"""

from qdot.detection.blinking import Blinking
from qdot.detection.chain import Chain, Transmission
from qdot.detection.dead_time import Rates, afterpulses_per_pulse, blind_pulses, registered_per_ns, registered_per_period
from qdot.detection.detector import Detector, splits_of
from qdot.detection.patterns import outcome_shape, patterns_of, response_matrix, with_background
from qdot.detection.recorded import ClickPatterns, CoincidenceHistogram, CountRate, PeakAreas, diluted
from qdot.detection.response import MeasuredResponse
from qdot.detection.smoothing import kernels_of, smoothed

__all__ = [
    "Blinking",
    "Chain",
    "ClickPatterns",
    "CoincidenceHistogram",
    "CountRate",
    "Detector",
    "MeasuredResponse",
    "PeakAreas",
    "Rates",
    "Transmission",
    "afterpulses_per_pulse",
    "blind_pulses",
    "diluted",
    "kernels_of",
    "outcome_shape",
    "patterns_of",
    "registered_per_ns",
    "registered_per_period",
    "response_matrix",
    "smoothed",
    "splits_of",
    "with_background",
]
