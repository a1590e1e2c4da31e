"""Photon sources: one frozen class each, with physical parameters and `.model()`; adding a source is adding a class."""

from qdot.emitters.base import Emitter, Parameter
from qdot.emitters.bright_cascade import BrightCascade
from qdot.emitters.dark_loaded_cascade import DarkLoadedCascade
from qdot.emitters.polarised_cascade import PolarisedCascade
from qdot.emitters.reservoir_dot import ReservoirDot
from qdot.emitters.two_level import TwoLevel

ALL: tuple[type[Emitter], ...] = (TwoLevel, BrightCascade, PolarisedCascade, DarkLoadedCascade, ReservoirDot)
"""Every emitter, in the order in which they are listed."""

__all__ = ["ALL", "BrightCascade", "DarkLoadedCascade", "Emitter", "Parameter", "PolarisedCascade", "ReservoirDot", "TwoLevel"]
