"""The cascade through both bright excitons: G, X_H, X_V, XX with fine-structure splitting."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qdot.emitters.base import INFINITE, LASER, PAIR, Emitter, parameter
from qdot.model import Coupling, Dephasing, Jump, Model


@dataclass(frozen=True, kw_only=True)
class PolarisedCascade(Emitter):
    """XX -> X_H, X_V -> G in polarisations H and V, lines "XX" and "X" (group "pair"), energies in the frame of half the biexciton.

    collective=True: XX and X are degenerate and share a mode, so that each polarisation has one operator
    root(1/(2 tau_XX))|X_p><XX| + root(1/tau_X)|G><X_p| and one line "pair"; otherwise the four transitions are told apart.
    The laser, linear at drive_angle_pi * pi from H, drives G-X and X-XX with the same Rabi frequency (one-photon coupling, root of power),
    far from resonance with X by half the binding energy: two-photon excitation of XX follows from it.
    Source: Hanschke et al., npj Quantum Inf. 4, 43 (2018), for levels and two-photon driving.
    """

    lifetime_XX_ns: float = parameter(0.12, "ns", 0, INFINITE, "radiative lifetime of XX, shared by both branches", "Hanschke 2018", above=True)
    lifetime_X_ns: float = parameter(0.24, "ns", 0, INFINITE, "radiative lifetime of X_H and of X_V", "Hanschke 2018", above=True)
    fss_ueV: float = parameter(0.0, "ueV", -INFINITE, INFINITE, "fine-structure splitting, energy of X_H minus that of X_V")
    binding_energy_ueV: float = parameter(4000.0, "ueV", -INFINITE, INFINITE, "biexciton binding energy, E_XH + E_XV - E_XX", "Hanschke 2018")
    exciton_flip_per_ns: float = parameter(0.0, "1/ns", 0, INFINITE, "spin flips X_H <-> X_V, each way")
    dephasing_per_ns: float = parameter(0.0, "1/ns", 0, INFINITE, "pure dephasing of each level but G")
    pump_per_ns_per_uW: float = parameter(0.0, "1/ns/uW", 0, INFINITE, "capture of a pair per uW: G -> X_H and X_V at half of it, X -> XX at all of it")
    rabi_per_ns_per_sqrt_uW: float = parameter(0.0, "rad/ns/uW^(1/2)", 0, INFINITE, "one-photon Rabi frequency at 1 uW")
    drive_angle_pi: float = parameter(0.0, "pi", -1, 1, "polarisation of the laser against H")
    collective: bool = parameter(False, "", 0, 1, "one jump operator per polarisation (degenerate lines in one mode)")

    def model(self) -> Model:
        """Levels, jumps and couplings of the emitter."""
        half, full = 0.5 / self.lifetime_XX_ns, 1 / self.lifetime_X_ns
        jumps: list[Jump] = []
        for p in ("H", "V"):
            x = f"X_{p}"
            if self.collective:
                jumps.append(Jump((("XX", x), (x, "G")), (half, full), "pair", p))
            else:
                jumps += [Jump.of("XX", x, half, "XX", p), Jump.of(x, "G", full, "X", p)]
        if self.exciton_flip_per_ns > 0:
            jumps += [Jump.of("X_H", "X_V", self.exciton_flip_per_ns), Jump.of("X_V", "X_H", self.exciton_flip_per_ns)]
        pump = self.pump_per_ns_per_uW
        for x in ("X_H", "X_V"):
            jumps += [Jump.of("G", x, pump / 2, drive=LASER), Jump.of(x, "XX", pump, drive=LASER)]
        couplings: list[Coupling] = []
        if self.rabi_per_ns_per_sqrt_uW > 0:
            for x, share in (("X_H", math.cos(math.pi * self.drive_angle_pi)), ("X_V", math.sin(math.pi * self.drive_angle_pi))):
                if abs(share) > 1e-15:
                    rabi = share * self.rabi_per_ns_per_sqrt_uW
                    couplings += [Coupling(("G", x), rabi, LASER), Coupling((x, "XX"), rabi, LASER)]
        middle = 0.5 * self.binding_energy_ueV
        energies = {"X_H": middle + 0.5 * self.fss_ueV, "X_V": middle - 0.5 * self.fss_ueV}
        dephasings = tuple(Dephasing(x, self.dephasing_per_ns) for x in ("X_H", "X_V", "XX")) if self.dephasing_per_ns > 0 else ()
        groups = {} if self.collective else PAIR
        return Model(("G", "X_H", "X_V", "XX"), "G", energies, tuple(jumps), tuple(couplings), dephasings, groups=groups)
