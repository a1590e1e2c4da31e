"""One experiment: source, drive and collection, and what it yields. The only place that chains the pipeline."""

from qdot.experiment.experiment import EPS, FLOOR, Experiment, Label

__all__ = ["EPS", "FLOOR", "Experiment", "Label"]
