"""A two-level emitter: one exciton line, pumped incoherently or driven by a laser."""

from __future__ import annotations

from dataclasses import dataclass

from qdot.emitters.base import INFINITE, LASER, Emitter, parameter
from qdot.model import Coupling, Dephasing, Jump, Model


@dataclass(frozen=True, kw_only=True)
class TwoLevel(Emitter):
    """Levels G and X: radiative decay X -> G (line "X"), pure dephasing, an incoherent pump and a coherent drive, both by the drive "laser".

    In the frame of the laser at zero detuning, X lies at detuning_ueV. Without coherent drive the rate picture is exact.
    """

    lifetime_ns: float = parameter(1.0, "ns", 0, INFINITE, "radiative lifetime of X", "free-space InGaAs dot, about 1 ns", above=True)
    detuning_ueV: float = parameter(0.0, "ueV", -INFINITE, INFINITE, "energy of X in the frame of the laser")
    dephasing_per_ns: float = parameter(0.0, "1/ns", 0, INFINITE, "pure dephasing: the G-X coherence decays faster by this rate")
    pump_per_ns_per_uW: float = parameter(0.0, "1/ns/uW", 0, INFINITE, "incoherent excitation G -> X per uW")
    rabi_per_ns_per_sqrt_uW: float = parameter(0.0, "rad/ns/uW^(1/2)", 0, INFINITE, "Rabi frequency at 1 uW; it grows as the root of power")

    def model(self) -> Model:
        """Levels, jumps and coupling of the emitter."""
        jumps = (Jump.of("X", "G", 1 / self.lifetime_ns, photon="X"), Jump.of("G", "X", self.pump_per_ns_per_uW, drive=LASER))
        couplings = (Coupling(("G", "X"), self.rabi_per_ns_per_sqrt_uW, LASER),) if self.rabi_per_ns_per_sqrt_uW > 0 else ()
        dephasings = (Dephasing("X", self.dephasing_per_ns),) if self.dephasing_per_ns > 0 else ()
        return Model(("G", "X"), "G", {"X": self.detuning_ueV}, jumps, couplings, dephasings)
