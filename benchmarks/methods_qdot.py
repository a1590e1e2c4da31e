"""The cases through qdot's public face. Every result is calculated two or three times inside, because that is how its error bound is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

import qdot
from benchmarks import cases as c
from qdot.model import Cavity, Coupling, Jump, Model

HBAR_UEV_NS = 0.6582119569
FIELD_TO_FWHM = 2 * math.sqrt(math.log(2))
"""FWHM of the intensity over sigma of the field."""


def dark_loop(pump: float, flip: float = 1e-4) -> Model:
    jumps = [Jump.of("G", "D", pump), Jump.of("D", "XX", pump / 2), Jump.of("XX", "X", 10.0, "XX"), Jump.of("X", "G", 5.0, "X"), Jump.of("D", "X", flip)]
    return Model(("G", "D", "X", "XX"), jumps=tuple(jumps))


def w1(pump: float) -> np.ndarray:
    exp = qdot.Experiment(dark_loop(pump))
    return np.concatenate([list(exp.populations().values()), exp.g2(c.DELAYS, "X"), exp.g2(c.DELAYS, "XX", "X")])


def w1_single() -> np.ndarray:
    return w1(c.PUMP)


@dataclass(frozen=True)
class DarkLoop:
    """The same source with its pump as a drive and its spin flip as a parameter."""

    flip_per_ns: float = 1e-4

    def model(self) -> Model:
        jumps = [Jump.of("G", "D", 1.0, drive="laser"), Jump.of("D", "XX", 0.5, drive="laser"), Jump.of("D", "X", self.flip_per_ns)]
        return Model(("G", "D", "X", "XX"), jumps=(*jumps, Jump.of("XX", "X", 10.0, "XX"), Jump.of("X", "G", 5.0, "X")))


def w1_sweep() -> np.ndarray:
    exp = qdot.Experiment(DarkLoop(), drive=qdot.drive.CW())
    found = qdot.sweep(exp, {"drive.power_uW": c.PUMPS}, levels="populations", auto=("g2", c.DELAYS, "X"), cross=("g2", c.DELAYS, "XX", "X"))
    return np.concatenate([found["levels"], found["auto"], found["cross"]], axis=1).ravel()


def w2(area_pi: float) -> np.ndarray:
    emitter = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"),), couplings=(Coupling(("G", "X"), 1.0, "laser"),))
    n = qdot.Experiment(emitter, drive=qdot.drive.Gaussian(fwhm_ns=c.SIGMA * FIELD_TO_FWHM, area_pi=area_pi)).photon_numbers("X", max=4)
    return np.array([*n.probabilities, n.mean_photons, n.g2_zero])


def w2_pi() -> np.ndarray:
    return w2(1.0)


def w2_2pi() -> np.ndarray:
    return w2(2.0)


def cavity_model(modes: str, driven: bool) -> Model:
    names = {"H": "X_H", "V": "X_V"}
    jumps = [Jump.of(a, b, 1.0) for a, b in (("XX", "X_H"), ("XX", "X_V"), ("X_H", "G"), ("X_V", "G"))]
    if not driven:
        jumps += [Jump.of(a, b, c.PUMP_4) for a, b in (("G", "X_H"), ("G", "X_V"), ("X_H", "XX"), ("X_V", "XX"))]
    energy = {"X_H": HBAR_UEV_NS * c.E_H, "X_V": HBAR_UEV_NS * c.E_V}
    cavities = [
        Cavity(k, c.FOCK, c.KAPPA, (c.G_CAVITY, c.G_CAVITY), ((names[k], "G"), ("XX", names[k])), detuning_ueV=HBAR_UEV_NS * c.E_H, photon=k) for k in modes
    ]
    couplings = [Coupling(pair, c.RABI, "laser") for pair in (("G", "X_H"), ("X_H", "XX")) if driven]
    return Model(("G", "X_H", "X_V", "XX"), energies_ueV=energy, jumps=tuple(jumps), couplings=tuple(couplings), cavities=tuple(cavities))


def w3() -> np.ndarray:
    pulse = qdot.drive.Gaussian(fwhm_ns=c.SIGMA_3 * FIELD_TO_FWHM)
    n = qdot.Experiment(cavity_model("H", driven=True), drive=pulse).photon_numbers("H", max=4)
    return np.array([*n.probabilities, n.mean_photons, n.g2_zero])


def w4_pulse() -> np.ndarray:
    exp = qdot.Experiment(cavity_model("HV", driven=True), drive=qdot.drive.Gaussian(fwhm_ns=c.SIGMA_3 * FIELD_TO_FWHM))
    return np.concatenate([exp.photon_numbers(mode, max=4).probabilities for mode in "HV"])


def w4_cw() -> np.ndarray:
    return np.asarray(qdot.Experiment(cavity_model("HV", driven=False)).g2(c.CW_DELAYS, "H"))


def w5() -> np.ndarray:
    jumps = [Jump.of("G", "D", 0.3, drive="laser"), Jump.of("D", "XX", 0.8, drive="laser"), Jump.of("D", "G", 8e-5), Jump.of("D", "X", 1e-5)]
    jumps += [Jump.of("XX", "X", 10.0, "pair"), Jump.of("X", "G", 5.0, "pair")]
    dot = Model(("G", "D", "X", "XX"), jumps=tuple(jumps))
    train = qdot.Experiment(dot, drive=qdot.drive.Instant(dose_ns=1.0, period_ns=c.PERIOD))
    return np.concatenate([train.photon_numbers("pair", max=4).probabilities, train.side_peaks(10, "pair")])


def w6() -> np.ndarray:
    exp, both = qdot.Experiment(DarkLoop(), drive=qdot.drive.CW()), ["XX", "X"]
    grid = {"drive.power_uW": c.GRID_PUMPS, "source.flip_per_ns": c.GRID_FLIPS}
    found = qdot.sweep(exp, grid, zero=("g2_zero", both), flux=("flux_per_ns", both), pairs=("pair_flux_fraction",))
    return np.stack([found["zero"], found["flux"], found["pairs"]], axis=-1).ravel()


def w7() -> np.ndarray:
    pillar = qdot.Micropillar(quality_factor=c.QUALITY_7, wavelength_nm=c.WAVELENGTH_7, purcell_factor=c.PURCELL_7)
    dot = qdot.emitters.PolarisedCascade(lifetime_XX_ns=c.LIFETIMES_7[0], lifetime_X_ns=c.LIFETIMES_7[1], fss_ueV=c.SPLITTING_7, binding_energy_ueV=0.0)
    exp = qdot.Experiment(qdot.InMicropillar(source=dot, pillar=pillar, start="XX"))
    times = exp.arrival_times("mode")
    density = exp.delay_distribution(c.DELAYS_7, "mode")
    return np.array([*exp.photon_numbers("mode:H", max=2).probabilities, times.mean_first_ns, times.mean_delay_ns, *density.value])


METHODS = {
    "W1-single": {"qdot": (w1_single, w1, dark_loop)},
    "W1-sweep": {"qdot": (w1_sweep, DarkLoop)},
    "W2-pi": {"qdot": (w2_pi, w2)},
    "W2-2pi": {"qdot": (w2_2pi, w2)},
    "W3": {"qdot": (w3, cavity_model)},
    "W4-pulse": {"qdot": (w4_pulse, cavity_model)},
    "W4-cw": {"qdot": (w4_cw, cavity_model)},
    "W5": {"qdot": (w5,)},
    "W6": {"qdot": (w6, DarkLoop)},
    "W7": {"qdot": (w7,)},
}
