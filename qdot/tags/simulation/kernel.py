"""The compiled kernel (events.c), where it was built: the same draws and sums as the Python code beside each call, only faster."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

VERSION = 1
"""Of the arguments that the kernel takes; a library left over from another version is not called."""
WALK = (ctypes.c_void_p, ctypes.c_longlong, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_longlong, ctypes.c_longlong, *[ctypes.c_void_p] * 5)
FOLLOW = (*WALK[:6], *[ctypes.c_void_p] * 6)


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it was not built or the environment asks for the pure road (QDOT_PURE)."""
    path = Path(__file__).parent / ("_events.dll" if os.name == "nt" else "_events.so")
    if os.environ.get("QDOT_PURE") or not path.exists():
        return None
    try:
        found = ctypes.CDLL(str(path))
        if found.events_version() != VERSION:
            return None
        for name, arguments in (("chain_walk", WALK), ("trajectory_follow", FOLLOW)):
            getattr(found, name).restype = ctypes.c_longlong
            getattr(found, name).argtypes = arguments
    except (OSError, AttributeError):
        return None
    return found
