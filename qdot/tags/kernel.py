"""The compiled counting (pairs.c), where it was built: the same whole numbers as the NumPy code beside each call, only faster."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from qdot.evolve.kernel import load

VERSION = 1
"""Of the arguments that the library takes; one left over from another version is not called."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled counting, or None where it was not built or the environment asks for the pure road (QDOT_PURE)."""
    found = load(Path(__file__).parent, "pairs", VERSION)
    if found is None:
        return None
    whole, place = ctypes.c_int64, ctypes.c_void_p
    try:
        found.pairs_count.argtypes = [place, whole, place, whole, whole, whole, whole, whole, place]
        found.pairs_count.restype = None
        found.pairs_count_three.argtypes = [place, whole, place, whole, place, whole, whole, whole, ctypes.c_int, whole, whole, whole, place]
        found.pairs_count_three.restype = None
        found.pairs_pick.argtypes = [place, place, whole, ctypes.c_int16, place]
        found.pairs_pick.restype = whole
    except AttributeError:
        return None
    return found
