"""From photons to counts: detectors, what they make of photon numbers, and what of g2(tau).

`detector`: the record of one detector. `response`: the distribution of its delays. `blinking`: a source that goes dark at times.
"""

from qdot.detection.blinking import Blinking
from qdot.detection.detector import Detector
from qdot.detection.response import MeasuredResponse

__all__ = ["Blinking", "Detector", "MeasuredResponse"]
