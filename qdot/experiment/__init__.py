"""One experiment: source, drive and collection, and what it yields. The only place that chains the pipeline.

`counted`: what photon counting sees. `coherent`: what rests on fields. `experiment`: the class that users make.
"""

from qdot.experiment.counted import EPS, FLOOR, Label
from qdot.experiment.experiment import Experiment

__all__ = ["EPS", "FLOOR", "Experiment", "Label"]
