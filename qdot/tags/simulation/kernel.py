"""The compiled sampling (events.c), where it was built: the same draws and sums as the Python code beside each call, only faster."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from qdot.evolve.kernel import load

VERSION = 3
"""Of the arguments that the library takes; one left over from another version is not called."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled sampling, or None where it was not built or the environment asks for the pure road (QDOT_PURE)."""
    found = load(Path(__file__).parent, "events", VERSION)
    if found is None:
        return None
    whole, place = ctypes.c_longlong, ctypes.c_void_p
    walk: list[type] = [place, whole, place, place, whole, whole]
    try:
        found.chain_walk.argtypes = [*walk, *[place] * 5]
        found.trajectory_follow.argtypes = [*walk, *[place] * 6]
        number = ctypes.c_double
        found.detector_register.argtypes = [place, whole, whole, place, place, number, number, whole, whole, whole, place, place, place]
        for function in (found.chain_walk, found.trajectory_follow, found.detector_register):
            function.restype = whole
    except AttributeError:
        return None
    return found
