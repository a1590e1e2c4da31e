"""One experiment: source, drive, collection and detectors, and what it yields. The only place that chains the pipeline.

`setup`: what an experiment is made of, and error bounds. `counted`: what photon counting sees. `timed`: photons in time. `coherent`: what rests on
fields. `recorded`: what detectors record. `experiment`: the class that users make.
"""

from qdot.experiment.experiment import Experiment
from qdot.experiment.setup import EPS, FLOOR, Label

__all__ = ["EPS", "FLOOR", "Experiment", "Label"]
