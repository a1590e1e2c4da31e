"""The cascade that is loaded through the dark exciton: G -> D -> XX -> X -> G."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qdot.emitters.base import INFINITE, LASER, Emitter, parameter
from qdot.model import Jump, Model
from qdot.units import KB_UEV_PER_K

SHORTEST_PULSE_NS = 0.1
"""Without hot levels the relaxation, tens of ps, is taken as instantaneous: pulses must be longer than this."""


@dataclass(frozen=True, kw_only=True)
class DarkLoadedCascade(Emitter):
    """Levels G, D, X, XX; lines "XX" and "X" (group "pair"), and "D" where the dark exciton emits.

    The first absorbed pair becomes dark with probability `selectivity` and bright otherwise; a dark exciton that absorbs a second pair becomes
    XX, which emits both photons. Absorption goes through hot p-shell levels (X*, XX*) that relax in a finite time and absorb nothing meanwhile,
    so that a pulse shorter than the relaxation adds at most one pair. With relaxation_ns = 0 they are left out and short pulses are refused.
    Spin flips X -> D and D -> X are tied by detailed balance: the upward rate is the downward one times exp(-splitting / kT).
    Source: levels and loading as in the abstract of "Purcell-enhanced two-photon emission from a quantum dot via dark-state biexciton loading",
    Nature Materials (2026); rates are a hypothesis, not the authors' model.
    """

    lifetime_XX_ns: float = parameter(0.06, "ns", 0, INFINITE, "radiative lifetime of XX", "assumed, Purcell-enhanced", above=True)
    lifetime_X_ns: float = parameter(0.10, "ns", 0, INFINITE, "radiative lifetime of X", "assumed, Purcell-enhanced", above=True)
    pump_per_ns_per_uW: float = parameter(1e-3, "1/ns/uW", 0, INFINITE, "absorption of the first pair per uW", "assumed")
    pump_ratio: float = parameter(1.0, "", 0, INFINITE, "absorption of the second pair by D over that of the first by G", "assumed")
    selectivity: float = parameter(1.0, "", 0, 1, "probability that the first pair becomes dark; the rest becomes X", "assumed")
    bright_pump_ratio: float = parameter(0.0, "", 0, INFINITE, "absorption by X (to XX) over that by G; 0 switches it off", "assumed")
    spin_flip_per_ns: float = parameter(1e-4, "1/ns", 0, INFINITE, "spin flip X -> D; D -> X follows from detailed balance", "assumed")
    dark_bright_splitting_ueV: float = parameter(250.0, "ueV", 0, INFINITE, "energy of X above D", "typical of In(Ga)As dots")
    temperature_K: float = parameter(4.0, "K", 0, INFINITE, "lattice temperature in the detailed balance", "typical cryostat", above=True)
    dark_decay_per_ns: float = parameter(0.0, "1/ns", 0, INFINITE, "decay D -> G without light", "assumed")
    dark_radiative_per_ns: float = parameter(0.0, "1/ns", 0, INFINITE, 'decay D -> G with a photon of line "D"', "assumed")
    relaxation_ns: float = parameter(0.03, "ns", 0, INFINITE, "relaxation time of the hot exciton; 0 leaves both hot levels out", "tens of ps")
    relaxation_XX_ns: float = parameter(0.03, "ns", 0, INFINITE, "relaxation time of the hot biexciton; without effect if relaxation_ns = 0", "tens of ps")

    @property
    def dark_to_bright_per_ns(self) -> float:
        """Spin-flip rate D -> X, exp(-splitting / kT) times that of X -> D."""
        return self.spin_flip_per_ns * math.exp(-self.dark_bright_splitting_ueV / (KB_UEV_PER_K * self.temperature_K))

    def model(self) -> Model:
        """Levels and jumps of the emitter."""
        pump, s = self.pump_per_ns_per_uW, self.selectivity
        hot, hot_pair = self.relaxation_ns > 0, self.relaxation_ns > 0 and self.relaxation_XX_ns > 0
        light = [
            Jump.of("XX", "X", 1 / self.lifetime_XX_ns, photon="XX"),
            Jump.of("X", "G", 1 / self.lifetime_X_ns, photon="X"),
            Jump.of("D", "G", self.dark_radiative_per_ns, photon="D"),
        ]
        dark = [
            Jump.of("X", "D", self.spin_flip_per_ns),
            Jump.of("D", "X", self.dark_to_bright_per_ns),
            Jump.of("D", "G", self.dark_decay_per_ns),
        ]
        second = "XX*" if hot_pair else "XX"
        absorption = [
            Jump.of("D", second, self.pump_ratio * pump, drive=LASER),
            Jump.of("X", second, self.bright_pump_ratio * pump, drive=LASER),
        ]
        if hot:
            absorption.append(Jump.of("G", "X*", pump, drive=LASER))
            dark += [Jump.of("X*", "D", s / self.relaxation_ns), Jump.of("X*", "X", (1 - s) / self.relaxation_ns)]
        else:
            absorption += [Jump.of("G", "D", s * pump, drive=LASER), Jump.of("G", "X", (1 - s) * pump, drive=LASER)]
        if hot_pair:
            dark.append(Jump.of("XX*", "XX", 1 / self.relaxation_XX_ns))
        levels = ("G", "D", "X", "XX", *(("X*",) if hot else ()), *(("XX*",) if hot_pair else ()))
        jumps = (*(j for j in (*light, *dark) if j.rates_per_ns[0] > 0), *absorption)
        groups = {"pair": ("XX", "X"), "all": ("XX", "X", "D")}
        return Model(levels, "G", {}, jumps, groups=groups, time_resolution_ns=0.0 if hot else SHORTEST_PULSE_NS)
