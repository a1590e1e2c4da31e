"""The compiled kernel (taylor.c), where it was built: the same steps and sums as the NumPy code beside each call, only faster."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

VERSION = 4
"""Of the arguments that the kernel takes; a library left over from another version is not called."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it was not built or the environment asks for the pure road (QDOT_PURE)."""
    path = Path(__file__).parent / ("_taylor.dll" if os.name == "nt" else "_taylor.so")
    if os.environ.get("QDOT_PURE") or not path.exists():
        return None
    try:
        found = ctypes.CDLL(str(path))
        if found.taylor_version() != VERSION:
            return None
        found.taylor_through.restype = ctypes.c_longlong
        found.taylor_through.argtypes = [ctypes.c_void_p] * 17
        found.squares_along.argtypes = [ctypes.c_void_p] * 7
        found.squares_of.argtypes = [ctypes.c_void_p] * 6
    except (OSError, AttributeError):
        return None
    return found


def is_compiled() -> bool:
    """True if the compiled kernel is used."""
    return library() is not None
