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
    found = load(Path(__file__).parent, "taylor", VERSION)
    if found is None:
        return None
    try:
        found.taylor_through.restype = ctypes.c_longlong
        found.taylor_through.argtypes = [ctypes.c_void_p] * 17
        found.squares_along.argtypes = [ctypes.c_void_p] * 7
        found.squares_of.argtypes = [ctypes.c_void_p] * 6
    except AttributeError:
        return None
    return found


def load(folder: Path, name: str, version: int) -> ctypes.CDLL | None:
    """The library that hatch_build.py made of `name`.c in a folder; None where there is none of this version, or the environment has QDOT_PURE.

    Its function `name`_version() tells the version of its arguments.
    """
    path = folder / f"_{name}{'.dll' if os.name == 'nt' else '.so'}"
    if os.environ.get("QDOT_PURE") or not path.exists():
        return None
    try:
        found = ctypes.CDLL(str(path))
        return found if getattr(found, f"{name}_version")() == version else None
    except (OSError, AttributeError):
        return None


def is_compiled() -> bool:
    """True if the compiled kernel is used."""
    return library() is not None
