"""From photons to counts: detectors, what they make of photon numbers, and what of g2(tau).

`detector`: the record of one detector. `response`: the distribution of its delays. `blinking`: a source that goes dark at times.
`chain`: transmissions with their uncertainties. `patterns`: clicks of a pulse from P(n). `smoothing`, `pieces`: averages of g2(tau) over responses
and bins. `dead_time`: registered rates. `setup`: several detectors together. `recorded`: the results.
docs/detection.md says what is exact, what approximate and what refused.
"""

from qdot.detection.blinking import Blinking
from qdot.detection.chain import Chain, Transmission
from qdot.detection.detector import Detector, splits_of
from qdot.detection.patterns import outcome_shape, response_matrix
from qdot.detection.recorded import ClickPatterns, CoincidenceHistogram, CountRate, PeakAreas, diluted
from qdot.detection.response import MeasuredResponse
from qdot.detection.setup import background_means, check_together, continuous_rates, peak_shares, recorded_patterns, replaced, train_rates
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
    "Transmission",
    "background_means",
    "check_together",
    "continuous_rates",
    "diluted",
    "kernels_of",
    "outcome_shape",
    "peak_shares",
    "recorded_patterns",
    "replaced",
    "response_matrix",
    "smoothed",
    "splits_of",
    "train_rates",
]
