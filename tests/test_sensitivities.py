"""Derivatives with respect to parameters: against closed forms, Euler's identity, conservation of probability, and differences of whole results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import qdot
from qdot import Experiment, InputError
from qdot.drive import CW, Gaussian, Instant, Pulse, Sech, Square, sequence
from qdot.emitters import BrightCascade, DarkLoadedCascade, PolarisedCascade, ReservoirDot, TwoLevel
from qdot.evolve import derivative
from qdot.fitting import NUISANCES
from qdot.model import Cavity, Dephasing, Jump, Model

CENTRAL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
UPWARDS = np.array([-761 / 280, 8, -14, 56 / 3, -35 / 2, 56 / 5, -14 / 3, 8 / 7, -1 / 8])
TAU = np.array([-3.0, -0.2, 0.0, 0.01, 0.3, 2.0, 40.0])
Read = Callable[[Any], Any]


def differences(e: Experiment, name: str, read: Read, step: float = 0.02, weights: np.ndarray = CENTRAL) -> np.ndarray:
    """Differences of order 8 of a whole result, in steps relative to the parameter (1 where it is 0)."""
    head, _, tail = name.partition(".")
    at = e.collection[tail] if head == "collection" else getattr(e.source if head == "source" else e.drives[0], tail)
    h = step * (abs(at) or 1.0)
    offsets = range(-4, 5) if weights is CENTRAL else range(9)
    return sum(w * np.asarray(read(e.replace({name: at + k * h})), dtype=float) for w, k in zip(weights, offsets, strict=True) if w) / h


def compare(e: Experiment, names: Sequence[str], read: Read, slopes: Read, rtol: float = 1e-9, **how: Any) -> None:
    """Every derivative against differences, over its own largest value; `noise` of the differences themselves apart."""
    found = np.asarray(slopes(qdot.sensitivities(e, names)))
    noise = 1e-12 * max(1.0, float(np.abs(np.asarray(read(e), dtype=float)).max()))
    for name, mine in zip(names, found, strict=True):
        head, _, tail = name.partition(".")
        expected = differences(e, name, read, **how)
        at = 1.0 if head == "collection" else abs(getattr(e.source if head == "source" else e.drives[0], tail)) or 1.0
        np.testing.assert_allclose(mine, expected, rtol=0, atol=rtol * float(np.abs(expected).max()) + noise / at, err_msg=name)


def named(*names: str) -> list[str]:
    return [f"source.{n}" for n in names]


def numbers_of(e: Any) -> np.ndarray:
    n = e.photon_numbers("pair", max=4)
    return np.concatenate([n.probabilities, [v for v in n.figures().values()]])


def slopes_of(s: Any) -> np.ndarray:
    n = s.photon_numbers("pair", max=4)
    return np.concatenate([n.probabilities, np.array(list(n.figures().values())).T], axis=1)


DARK = DarkLoadedCascade(
    pump_per_ns_per_uW=0.02, bright_pump_ratio=0.3, selectivity=0.8, spin_flip_per_ns=0.02, dark_decay_per_ns=0.1, dark_bright_splitting_ueV=400.0
)
DARK_NAMES = named("lifetime_XX_ns", "lifetime_X_ns", "pump_per_ns_per_uW", "selectivity", "spin_flip_per_ns", "temperature_K", "relaxation_ns")
FILTER = {"XX": 0.6, "X": 0.3}


# ---- closed forms ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_a_pumped_two_level_emitter_is_its_closed_form(picture: Any) -> None:
    """g2 = 1 - exp(-s tau), flux = p gamma / s, with s = p + gamma, gamma = 1/lifetime, p = pump times power."""
    gamma, a, power = 1 / 0.7, 0.4, 1.5
    p, s = a * power, a * power + gamma
    e = Experiment(TwoLevel(lifetime_ns=0.7, pump_per_ns_per_uW=a), drive=CW(power_uW=power), picture=picture, collection={"X": 0.25})
    found = qdot.sensitivities(e, ["source.lifetime_ns", "source.pump_per_ns_per_uW", "drive.power_uW", "collection.X"])
    tau = np.array([0.0, 1e-6, 1e-3, 0.1, 1.0, 5.0, 1e3])
    by_s = tau * np.exp(-s * tau)
    expected = np.array([-(gamma**2) * by_s, power * by_s, a * by_s, 0 * tau])
    np.testing.assert_allclose(found.g2(tau, "X"), expected, rtol=1e-11, atol=1e-14)
    flux = 0.25 * np.array([-(gamma**2) * p**2 / s**2, power * gamma**2 / s**2, a * gamma**2 / s**2, 4 * p * gamma / s])
    np.testing.assert_allclose(found.flux_per_ns("X"), flux, rtol=1e-12)
    np.testing.assert_allclose(found.populations()["X"], [p * gamma**2 / s**2, power * gamma / s**2, a * gamma / s**2, 0], rtol=1e-12, atol=1e-16)


def test_a_rotation_by_a_pulse_is_its_closed_form() -> None:
    """An instant of area A excites sin^2(A pi / 2), all of which is emitted."""
    e = Experiment(TwoLevel(rabi_per_ns_per_sqrt_uW=1.0), drive=Instant(area_pi=0.3), collection={"X": 0.5})
    found = qdot.sensitivities(e, ["drive.area_pi", "collection.X", "source.lifetime_ns"]).photon_numbers("X")
    p, by_area = np.sin(0.15 * np.pi) ** 2, np.pi / 2 * np.sin(0.3 * np.pi)
    np.testing.assert_allclose(found.mean_photons, [0.5 * by_area, p, 0.0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.probabilities[:, :2], [[-0.5 * by_area, 0.5 * by_area], [-p, p], [0, 0]], rtol=1e-12, atol=1e-13)


def test_a_slow_and_stiff_cascade_keeps_its_digits() -> None:
    """Rates over nine decades: the flux through a bottleneck f follows f, whatever else there is."""

    @dataclass(frozen=True, kw_only=True)
    class Bottleneck:
        slow: float = 1e-6
        fast: float = 1e3

        def model(self) -> Model:
            return Model(("G", "D", "X"), "G", {}, (Jump.of("G", "D", self.fast), Jump.of("D", "X", self.slow), Jump.of("X", "G", self.fast, photon="X")))

    s, f = 1e-6, 1e3
    found = qdot.sensitivities(Experiment(Bottleneck()), ["source.slow", "source.fast"])
    total = 1 / s + 2 / f
    np.testing.assert_allclose(found.flux_per_ns("X"), [1 / (s * total) ** 2, 2 / (f * total) ** 2], rtol=1e-11, atol=1e-24)


def test_rare_shelving_keeps_its_digits_at_long_times() -> None:
    """A bright cycle at 1e3 per ns that is shelved for milliseconds: bunching that lasts 1e6 times longer than anything bright."""

    @dataclass(frozen=True, kw_only=True)
    class Shelved:
        pump: float = 2.0
        decay: float = 1e3
        shelve: float = 4e-6
        back: float = 1e-6

        def model(self) -> Model:
            cycle = (Jump.of("G", "X", self.pump), Jump.of("X", "G", self.decay, photon="X"))
            return Model(("G", "X", "D"), "G", {}, (*cycle, Jump.of("G", "D", self.shelve), Jump.of("D", "G", self.back)))

    def read(e: Any) -> Any:
        return e.g2(np.geomspace(1e3, 1e7, 9), "X")

    compare(Experiment(Shelved()), named("pump", "decay", "shelve", "back"), read, read)


# ---- laws ----------------------------------------------------------------------------------------------------------------------------------------------

SINGLE = Gaussian(pulse_energy_fJ=5.0, fwhm_ns=0.2, start_ns=0.1)
TRAIN = Gaussian(power_uW=10.0, fwhm_ns=0.05, start_ns=0.1, period_ns=3.0)


@pytest.mark.parametrize("drive", [SINGLE, TRAIN, Square(pulse_energy_fJ=5.0, duration_ns=0.3, start_ns=0.2)], ids=["single", "train", "square"])
def test_probability_is_conserved(drive: Pulse) -> None:
    e = Experiment(DARK, drive=drive, collection=FILTER)
    names = [*DARK_NAMES, "drive.start_ns", "collection.XX", "drive.fwhm_ns" if isinstance(drive, Gaussian) else "drive.duration_ns"]
    for top in (0, 1, 3):
        n = qdot.sensitivities(e, names).photon_numbers("pair", max=top)
        assert n.probabilities.shape == (len(names), top + 1)
        scale = np.abs(n.probabilities).max(axis=1)
        np.testing.assert_allclose(n.probabilities.sum(axis=1) + n.rest, 0.0, atol=1e-12 * max(scale))
        np.testing.assert_allclose(n.at_least[:, 0], 0.0, atol=1e-12 * max(scale))


def test_what_scales_with_time_obeys_euler() -> None:
    """With all times t -> k t (rates by 1/k) photon numbers stay and fluxes fall by k: sum of parameter times derivative is 0, or minus the flux."""
    source = DarkLoadedCascade(lifetime_XX_ns=0.3, lifetime_X_ns=0.5, pump_per_ns_per_uW=0.02, spin_flip_per_ns=0.1, dark_decay_per_ns=0.05, selectivity=0.7)
    times = [*named("lifetime_XX_ns", "lifetime_X_ns", "relaxation_ns", "relaxation_XX_ns"), "drive.fwhm_ns", "drive.period_ns", "drive.start_ns"]
    rates = named("pump_per_ns_per_uW", "spin_flip_per_ns", "dark_decay_per_ns")
    e = Experiment(source, drive=TRAIN)
    weights = np.array([getattr(source if n.startswith("source") else TRAIN, n.split(".")[1]) for n in times + rates])
    weights[len(times) :] *= -1
    s = qdot.sensitivities(e, times + rates)
    n = s.photon_numbers("pair")
    terms = weights[:, None] * n.probabilities
    np.testing.assert_allclose(terms.sum(axis=0), 0.0, atol=1e-12 * np.abs(terms).max())
    assert np.abs(terms).max() > 0.01
    np.testing.assert_allclose(weights @ s.flux_per_ns("pair"), -float(e.flux_per_ns("pair")), rtol=1e-11)
    peaks = weights[:, None] * s.side_peaks(3, "pair")
    np.testing.assert_allclose(peaks.sum(axis=0), 0.0, atol=1e-11 * np.abs(peaks).max())


def test_two_pictures_agree() -> None:
    for drive, what in ((CW(power_uW=3.0), lambda s: s.g2(TAU, "XX", "X")), (TRAIN, lambda s: s.photon_numbers("pair", max=2).probabilities)):
        one, other = (what(qdot.sensitivities(Experiment(DARK, drive=drive, picture=p), DARK_NAMES)) for p in ("rate", "lindblad"))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * np.abs(one).max(axis=1, keepdims=True).max())


# ---- differences of whole results ---------------------------------------------------------------------------------------------------------------------


def test_steady_light_of_rate_equations() -> None:
    e = Experiment(DARK, drive=CW(power_uW=3.0), collection=FILTER)
    names = [*DARK_NAMES, "drive.power_uW", "collection.XX"]
    compare(e, names, lambda e: e.g2(TAU, "pair"), lambda s: s.g2(TAU, "pair"))
    compare(e, names, lambda e: e.g2(TAU, "XX", "pair"), lambda s: s.g2(TAU, "XX", "pair"))
    compare(e, names, lambda e: e.flux_per_ns("pair"), lambda s: s.flux_per_ns("pair"))
    compare(e, names, lambda e: e.pair_flux_fraction(), lambda s: s.pair_flux_fraction())
    compare(e, names, lambda e: e.g2_zero("pair"), lambda s: s.g2_zero("pair"))
    compare(e, names, lambda e: list(e.populations().values()), lambda s: np.array(list(s.populations().values())).T)


def test_steady_light_under_a_detuned_laser() -> None:
    source = PolarisedCascade(rabi_per_ns_per_sqrt_uW=6.0, fss_ueV=3.0, binding_energy_ueV=15.0, drive_angle_pi=0.2, dephasing_per_ns=0.3)
    e = Experiment(source, drive=CW(power_uW=2.0, detuning_ueV=1.5))
    names = [*named("lifetime_X_ns", "fss_ueV", "binding_energy_ueV", "dephasing_per_ns", "rabi_per_ns_per_sqrt_uW", "drive_angle_pi"), "drive.detuning_ueV"]
    compare(e, names[3:], lambda e: e.g2(TAU, "XX", "X"), lambda s: s.g2(TAU, "XX", "X"), rtol=1e-8)
    compare(e, names, lambda e: e.flux_per_ns("X"), lambda s: s.flux_per_ns("X"), rtol=1e-8)


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A pumped emitter in a cavity: jumps that are neither real nor diagonal."""

    g: float = 3.0
    kappa: float = 4.0
    pump: float = 0.05
    shift_ueV: float = 0.8
    dephase: float = 0.3
    fock: int = 4
    start: str = "G"

    def model(self) -> Model:
        jumps = (Jump.of("G", "X", self.pump), Jump.of("X", "G", 0.5, "side"))
        cavity = Cavity("H", self.fock, self.kappa, (self.g,), (("X", "G"),), self.shift_ueV, "mode")
        return Model(("G", "X"), self.start, {"X": 0.3}, jumps, (), (Dephasing("X", self.dephase),), (cavity,))


def test_a_cavity() -> None:
    names = named("g", "kappa", "shift_ueV", "dephase", "pump")
    steady = Experiment(Mode(), rtol=0.1)
    compare(steady, names[:3], lambda e: e.g2(TAU, "mode", "side"), lambda s: s.g2(TAU, "mode", "side"))
    compare(steady, names, lambda e: e.flux_per_ns("mode"), lambda s: s.flux_per_ns("mode"))
    decay = Experiment(Mode(pump=0.0, fock=3, start="X"))
    both = ["mode", "side"]
    compare(decay, names[:4], lambda e: e.photon_numbers(both).probabilities, lambda s: s.photon_numbers(both).probabilities)
    compare(decay, names[:4], lambda e: e.photon_numbers("mode").mean_photons, lambda s: s.photon_numbers("mode").mean_photons)


RABI = BrightCascade(two_photon_rabi_per_ns_per_uW=1.0, two_photon_detuning_ueV=2.0, dephasing_per_ns=0.4)
RABI_NAMES = named("lifetime_XX_ns", "lifetime_X_ns", "two_photon_detuning_ueV", "dephasing_per_ns")


def driven(*names: str) -> list[str]:
    return [f"drive.{n}" for n in names]


@pytest.mark.parametrize(
    ("source", "drive", "names"),
    [
        (DARK, SINGLE, [*DARK_NAMES[:4], *driven("fwhm_ns", "pulse_energy_fJ", "start_ns")]),
        (DARK, TRAIN, [*DARK_NAMES[5:], *driven("fwhm_ns", "period_ns", "start_ns")]),
        (DARK, Square(power_uW=9.0, duration_ns=0.4, period_ns=2.0, start_ns=1.8), [DARK_NAMES[6], *driven("duration_ns", "period_ns", "start_ns")]),
        (DARK, Instant(power_uW=9.0, period_ns=2.0, start_ns=0.3), [DARK_NAMES[2], *driven("power_uW", "period_ns", "start_ns")]),
        (RABI, Gaussian(area_pi=0.9, fwhm_ns=0.02, chirp_per_ns2=900.0, detuning_ueV=4.0), driven("area_pi", "fwhm_ns", "chirp_per_ns2", "detuning_ueV")),
        (RABI, Sech(area_pi=1.3, fwhm_ns=0.01, period_ns=1.0, phase_pi=0.2), [RABI_NAMES[2], *driven("fwhm_ns")]),
        (RABI, Square(area_pi=1.2, duration_ns=0.05, detuning_ueV=3.0), [RABI_NAMES[0], RABI_NAMES[3], *driven("area_pi", "duration_ns", "detuning_ueV")]),
        (RABI, Instant(area_pi=0.7, period_ns=0.8), [RABI_NAMES[2], *driven("area_pi", "period_ns")]),
        (RABI, sequence([Square(area_pi=0.5, duration_ns=0.01), Square(area_pi=0.5, duration_ns=0.01, start_ns=0.03)], 2.0), driven("duration_ns")),
    ],
    ids=["gaussian", "gaussian train", "wrapped square train", "instant train", "chirped", "sech train", "detuned square", "rotations", "two squares"],
)
def test_light_under_pulses(source: Any, drive: Any, names: list[str]) -> None:
    e = Experiment(source, drive=drive, collection=FILTER)
    if e.period_ns is None:
        compare(e, [*names, "collection.X"], numbers_of, slopes_of, rtol=1e-8, step=0.01)
        return

    def everything(e: Any) -> np.ndarray:
        return np.concatenate([numbers_of(e), e.side_peaks(2, "pair"), list(e.populations().values())])

    def slopes(s: Any) -> np.ndarray:
        return np.concatenate([slopes_of(s), s.side_peaks(2, "pair"), np.array(list(s.populations().values())).T], axis=1)

    compare(e, [*names, "collection.X"], everything, slopes, rtol=1e-7, step=0.005)


def test_light_that_the_pulse_itself_makes() -> None:
    """A transition stimulated by the pulse emits while it lasts: the envelope's own derivative counts photons."""

    @dataclass(frozen=True, kw_only=True)
    class Stimulated:
        stimulated: float = 3.0
        decay: float = 1.0

        def model(self) -> Model:
            back = Jump.of("X", "G", self.decay, "pair")
            return Model(("G", "X"), "G", {}, (Jump.of("G", "X", 2.0, drive="laser"), Jump.of("X", "G", self.stimulated, "pair", drive="laser"), back))

    names = [*named("stimulated", "decay"), *driven("fwhm_ns", "power_uW")]
    train = Experiment(Stimulated(), drive=Gaussian(power_uW=4.0, fwhm_ns=0.1, period_ns=2.0), collection={"pair": 0.7})
    compare(train, [*names, "collection.pair"], lambda e: e.side_peaks(1, "pair"), lambda s: s.side_peaks(1, "pair"))
    compare(train, [*names, "collection.pair"], numbers_of, slopes_of)


def test_the_pairs_of_a_reservoir() -> None:
    e = Experiment(ReservoirDot(max_pairs=5), drive=Instant(pulse_energy_fJ=0.4), rtol=0.1)
    names = [*named("capture_per_ns", "second_capture", "reservoir_decay_per_ns"), "drive.pulse_energy_fJ"]
    compare(e, names, numbers_of, slopes_of)


# ---- parameters at 0 ------------------------------------------------------------------------------------------------------------------------------------


def test_parameters_at_their_bounds_have_one_sided_derivatives() -> None:
    source = DarkLoadedCascade(pump_per_ns_per_uW=0.05, selectivity=1.0, spin_flip_per_ns=0.02)
    e = Experiment(source, drive=CW(power_uW=3.0))
    names = named("dark_decay_per_ns", "bright_pump_ratio")
    compare(e, names, lambda e: e.g2(TAU, "pair"), lambda s: s.g2(TAU, "pair"), rtol=1e-7, weights=UPWARDS, step=2e-3)
    compare(e, named("selectivity"), lambda e: e.flux_per_ns("pair"), lambda s: s.flux_per_ns("pair"), rtol=1e-7, weights=UPWARDS, step=-2e-3)


def test_light_that_a_parameter_switches_on_is_counted() -> None:
    """The dark exciton does not emit at a radiative rate of 0; its flux rises with its population."""
    e = Experiment(DARK, drive=CW(power_uW=3.0))
    found = qdot.sensitivities(e, "source.dark_radiative_per_ns").flux_per_ns("all")
    alone = qdot.sensitivities(e, "source.dark_decay_per_ns").flux_per_ns("pair")
    np.testing.assert_allclose(found, alone + float(e.populations()["D"]), rtol=1e-12)


def test_a_coupling_at_zero_changes_the_picture_and_nothing_else() -> None:
    e = Experiment(TwoLevel(pump_per_ns_per_uW=0.5), drive=CW(power_uW=1.0))
    found = qdot.sensitivities(e, named("rabi_per_ns_per_sqrt_uW", "dephasing_per_ns", "detuning_ueV", "pump_per_ns_per_uW")).flux_per_ns("X")
    np.testing.assert_allclose(found, [0, 0, 0, 1 / 1.5**2], rtol=1e-12, atol=1e-15)


def test_a_detuning_of_zero_and_a_start_at_zero() -> None:
    square = Square(area_pi=0.8, duration_ns=0.05)
    e = Experiment(RABI, drive=square)
    compare(e, ["drive.detuning_ueV"], numbers_of, slopes_of, rtol=1e-8, step=0.2)
    first = Experiment(DARK, drive=Square(power_uW=9.0, duration_ns=0.4, period_ns=2.0))
    assert np.abs(qdot.sensitivities(first, ["drive.start_ns"]).photon_numbers("pair").mean_photons[0]) < 1e-12
    compare(
        first, ["drive.start_ns"], lambda e: list(e.populations().values()), lambda s: np.array(list(s.populations().values())).T, weights=UPWARDS, step=2e-3
    )


# ---- entries ---------------------------------------------------------------------------------------------------------------------------------------------


def test_entries_are_differentiated_to_eleven_digits() -> None:
    """Powers, exponentials as steep as a splitting of 30 kT, a square root at a bound, and a small rate beside a large one."""

    def slope(f: Callable[[float], float], at: float) -> float:
        return float(derivative(lambda v: {"entry": np.array([[f(v)]])}, at, lambda name: False)["entry"][0, 0])

    assert slope(lambda v: 1 / v, 0.06) == pytest.approx(-1 / 0.06**2, rel=1e-11)
    assert slope(lambda v: np.exp(-30 / v), 1.0) == pytest.approx(30 * np.exp(-30), rel=1e-10)
    assert slope(lambda v: 1e3 + v, 1e-6) == pytest.approx(1.0, rel=1e-9)
    assert slope(lambda v: np.sqrt(v), 2.0) == pytest.approx(0.5 / np.sqrt(2), rel=1e-11)
    with pytest.raises(ArithmeticError):
        derivative(lambda v: {"entry": np.array([v**0.5])} if v >= 0 else None, 0.0, lambda name: False)


# ---- refusals ---------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["source.lifetime_Y_ns"], "lifetime_Y_ns"),
        (["sauce.lifetime_X_ns"], "source"),
        (["source.max_pairs"], "max_pairs"),
        (["drive.name"], "drive.name"),
        (["drive.chirp"], "chirp"),
        (["drive.area_pi"], "set it first"),
        (["source"], "source"),
        (["picture"], "picture"),
        (["rtol"], "rtol"),
        (["collection.Y"], "Y"),
        ([], "at least one"),
        (list(NUISANCES[:1]), "histogram"),
    ],
)
def test_what_cannot_vary_is_refused_by_name(names: list[str], said: str) -> None:
    e = Experiment(ReservoirDot(), drive=Instant(pulse_energy_fJ=0.4))
    with pytest.raises(InputError, match=r".* must .*, got ") as error:
        qdot.sensitivities(e, names)
    assert said in str(error.value)


def test_switches_are_refused_and_so_is_what_the_experiment_refuses() -> None:
    e = Experiment(PolarisedCascade(pump_per_ns_per_uW=1.0), drive=CW(power_uW=1.0))
    with pytest.raises(InputError, match="collective"):
        qdot.sensitivities(e, "source.collective")
    s = qdot.sensitivities(e, "source.lifetime_X_ns")
    with pytest.raises(InputError, match="continuous"):
        s.photon_numbers("pair")
    with pytest.raises(InputError, match="label that the source emits"):
        s.g2(TAU, "Y")
    with pytest.raises(InputError, match="without period"):
        s.side_peaks(3, "pair")
    with pytest.raises(InputError, match="relaxation_ns"):
        qdot.sensitivities(Experiment(DarkLoadedCascade(relaxation_ns=0.0), drive=CW(power_uW=1.0)), "source.relaxation_ns").flux_per_ns("X")


def test_a_table_is_printed() -> None:
    e = Experiment(DARK, drive=TRAIN)
    assert "by drive.fwhm_ns" in str(qdot.sensitivities(e, ["drive.fwhm_ns"]).photon_numbers("pair"))
