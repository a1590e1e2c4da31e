"""Simulated time tags: the photons of an experiment, one by one, as its detectors would tell them.

`chain` samples rate equations, `trajectory` wave functions, `detecting` turns photons into counts; all without a time step. `events.c` is their
compiled twin.
"""

from qdot.tags.simulation.simulate import simulate_tags

__all__ = ["simulate_tags"]
