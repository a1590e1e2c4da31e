"""Polarisations as Jones vectors (H, V), and what plates and polarisers make of them. It knows no source and no statistics.

D and A are (H + V)/root 2 and (H - V)/root 2, R and L are (H + i V)/root 2 and (H - i V)/root 2.
Source: Collett, Field Guide to Polarization (SPIE, 2005), for the matrices of plates; phases are exp(-i omega t).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qdot.errors import bad, number, unknown

ROOT_HALF = math.sqrt(0.5)


@dataclass(frozen=True)
class Polarisation:
    """A pure polarisation: its name and the amplitudes of H and V, normalised when made. Raises InputError if both vanish.

    >>> Polarisation("p", 1.0, 1.0).jones.real.round(6)
    array([0.707107, 0.707107])
    """

    name: str
    h: complex
    v: complex

    def __post_init__(self) -> None:
        size = math.hypot(abs(self.h), abs(self.v))
        if not (math.isfinite(size) and size > 0.0):
            raise bad(f"Polarisation {self.name!r}", "have finite amplitudes that do not both vanish", f"({self.h}, {self.v})", "give the Jones vector (h, v)")
        if not self.name or ":" in self.name:
            raise bad("Polarisation.name", "be a name without ':'", repr(self.name), 'for example "D"')
        object.__setattr__(self, "h", complex(self.h) / size)
        object.__setattr__(self, "v", complex(self.v) / size)

    @property
    def jones(self) -> np.ndarray:
        """(2,) complex Jones vector (H, V)."""
        return np.array([self.h, self.v])

    @property
    def orthogonal(self) -> Polarisation:
        """What a polarising splitter sends the other way; of a named polarisation the named one."""
        if self.name in OPPOSITE and NAMED[self.name] == self:
            return NAMED[OPPOSITE[self.name]]
        name = self.name.removeprefix("not ") if self.name.startswith("not ") else f"not {self.name}"
        return Polarisation(name, -np.conj(self.v), np.conj(self.h))


NAMED = {
    "H": Polarisation("H", 1.0, 0.0),
    "V": Polarisation("V", 0.0, 1.0),
    "D": Polarisation("D", ROOT_HALF, ROOT_HALF),
    "A": Polarisation("A", ROOT_HALF, -ROOT_HALF),
    "R": Polarisation("R", ROOT_HALF, 1j * ROOT_HALF),
    "L": Polarisation("L", ROOT_HALF, -1j * ROOT_HALF),
}
"""The six polarisations of tomography."""
OPPOSITE = {"H": "V", "V": "H", "D": "A", "A": "D", "R": "L", "L": "R"}


def polarisation(given: object, argument: str = "polarisation") -> Polarisation:
    """A Polarisation from itself or one of the names H, V, D, A, R, L. Raises InputError for anything else."""
    if isinstance(given, Polarisation):
        return given
    if isinstance(given, str) and given in NAMED:
        return NAMED[given]
    if isinstance(given, str):
        raise unknown(argument, given, NAMED)
    raise bad(argument, "be a Polarisation or one of " + ", ".join(map(repr, NAMED)), repr(given), "for example qdot.polarisation.Polarisation('p', 1, 0.5j)")


def linear(angle_pi: float) -> Polarisation:
    """Linear polarisation at angle_pi * pi from H.

    >>> linear(0.5).jones.real.round(9)
    array([0., 1.])
    """
    angle = math.pi * number("linear angle_pi", angle_pi)
    return Polarisation(f"{angle_pi:g} pi", math.cos(angle), math.sin(angle))


def plate(retardance_pi: float, angle_pi: float) -> np.ndarray:
    """(2, 2) Jones matrix of a wave plate whose fast axis lies at angle_pi * pi from H; retardance 1 pi: half-wave, 0.5 pi: quarter-wave.

    >>> (plate(1.0, 0.125) @ [1, 0]).round(6)
    array([0.-0.707107j, 0.-0.707107j])
    """
    half, angle = 0.5 * math.pi * number("plate retardance_pi", retardance_pi), math.pi * number("plate angle_pi", angle_pi)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return turn.T @ np.diag([np.exp(-1j * half), np.exp(1j * half)]) @ turn


def analyser(*plates: np.ndarray, polariser: Polarisation | str = "H", name: str = "analyser") -> Polarisation:
    """The polarisation that passes plates, in the order in which light meets them, and then the polariser.

    >>> analyser(plate(0.5, 0.25), polariser="H").orthogonal.name
    'not analyser'
    """
    vector = polarisation(polariser, "analyser polariser").jones
    for matrix in reversed(plates):
        vector = np.asarray(matrix).conj().T @ vector
    return Polarisation(name, *vector)
