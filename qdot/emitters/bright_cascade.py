"""The bright cascade G, X, XX: pairs loaded through the bright exciton, or by two-photon excitation."""

from __future__ import annotations

from dataclasses import dataclass

from qdot.emitters.base import INFINITE, LASER, PAIR, Emitter, parameter
from qdot.model import Coupling, Dephasing, Jump, Model


@dataclass(frozen=True, kw_only=True)
class BrightCascade(Emitter):
    """XX -> X -> G with lines "XX" and "X" (group "pair"); incoherent ladder pumping, or coherent two-photon driving G <-> XX.

    The weak-pump g2(0) of the degenerate lines is pump_ratio, whatever the power: the null hypothesis against a dark path.
    The two-photon coupling is H = (Omega(t)/2)(|XX><G| + h.c.) with Omega linear in power.
    Source: Wu et al., arXiv:1509.06819 (ladder); Hanschke et al., npj Quantum Inf. 4, 43 (2018) (two-photon driving).
    """

    lifetime_XX_ns: float = parameter(0.12, "ns", 0, INFINITE, "radiative lifetime of XX", "Hanschke 2018", above=True)
    lifetime_X_ns: float = parameter(0.24, "ns", 0, INFINITE, "radiative lifetime of X", "Hanschke 2018", above=True)
    pump_per_ns_per_uW: float = parameter(0.0, "1/ns/uW", 0, INFINITE, "capture of the first pair, G -> X, per uW")
    pump_ratio: float = parameter(1.0, "", 0, INFINITE, "capture of the second pair X -> XX over that of the first")
    two_photon_rabi_per_ns_per_uW: float = parameter(0.0, "rad/ns/uW", 0, INFINITE, "two-photon Rabi frequency at 1 uW; linear in power")
    two_photon_detuning_ueV: float = parameter(0.0, "ueV", -INFINITE, INFINITE, "energy of XX minus that of two laser photons")
    dephasing_per_ns: float = parameter(0.0, "1/ns", 0, INFINITE, "pure dephasing of XX against G")

    def model(self) -> Model:
        """Levels, jumps and coupling of the emitter."""
        jumps = (
            Jump.of("XX", "X", 1 / self.lifetime_XX_ns, photon="XX"),
            Jump.of("X", "G", 1 / self.lifetime_X_ns, photon="X"),
            Jump.of("G", "X", self.pump_per_ns_per_uW, drive=LASER),
            Jump.of("X", "XX", self.pump_ratio * self.pump_per_ns_per_uW, drive=LASER),
        )
        rabi = self.two_photon_rabi_per_ns_per_uW
        couplings = (Coupling(("G", "XX"), rabi, LASER, "intensity"),) if rabi > 0 else ()
        dephasings = (Dephasing("XX", self.dephasing_per_ns),) if self.dephasing_per_ns > 0 else ()
        return Model(("G", "X", "XX"), "G", {"XX": self.two_photon_detuning_ueV}, jumps, couplings, dephasings, groups=PAIR)
