"""Contract tests: what must hold for every emitter, whatever it is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from qdot import Experiment, InputError, drive, lindblad, rate
from qdot.drive import Drive
from qdot.emitters import ALL, BrightCascade, DarkLoadedCascade, Emitter, PolarisedCascade, ReservoirDot, TwoLevel
from qdot.model import Coupling, HamiltonianOperator, JumpOperator, Model

CW = drive.CW(power_uW=0.7)
TRAIN = drive.Gaussian(power_uW=30.0, fwhm_ns=0.15, period_ns=3.0)
FLASH = drive.Instant(pulse_energy_fJ=1.3, period_ns=4.0)
PULSE = drive.Gaussian(pulse_energy_fJ=9.0, fwhm_ns=0.12)

# Every emitter with every parameter switched on, and a drive under which each of them matters.
INCOHERENT: list[tuple[Emitter, Drive]] = [
    (TwoLevel(lifetime_ns=0.8, pump_per_ns_per_uW=0.9), CW),
    (BrightCascade(lifetime_XX_ns=0.3, lifetime_X_ns=0.5, pump_per_ns_per_uW=0.4, pump_ratio=0.6), CW),
    (PolarisedCascade(pump_per_ns_per_uW=0.5, exciton_flip_per_ns=0.3, fss_ueV=8.0), CW),
    (PolarisedCascade(pump_per_ns_per_uW=0.5, exciton_flip_per_ns=0.3, collective=True), CW),
    (
        DarkLoadedCascade(
            pump_per_ns_per_uW=0.3, pump_ratio=0.8, selectivity=0.9, bright_pump_ratio=0.7, spin_flip_per_ns=0.2, dark_decay_per_ns=0.05,
            dark_radiative_per_ns=0.04,
        ),
        CW,
    ),
    (DarkLoadedCascade(pump_per_ns_per_uW=0.3, selectivity=0.9, spin_flip_per_ns=0.2, relaxation_ns=0.0), CW),
    (ReservoirDot(max_pairs=3), FLASH),
]  # fmt: skip
COHERENT: list[tuple[Emitter, Drive]] = [
    (TwoLevel(lifetime_ns=0.8, detuning_ueV=0.9, dephasing_per_ns=0.4, pump_per_ns_per_uW=0.2, rabi_per_ns_per_sqrt_uW=2.0), CW),
    (BrightCascade(two_photon_rabi_per_ns_per_uW=3.0, two_photon_detuning_ueV=1.1, dephasing_per_ns=0.5, pump_per_ns_per_uW=0.1), CW),
    (
        PolarisedCascade(
            fss_ueV=3.0, binding_energy_ueV=30.0, exciton_flip_per_ns=0.2, dephasing_per_ns=0.3, pump_per_ns_per_uW=0.1, rabi_per_ns_per_sqrt_uW=9.0,
            drive_angle_pi=0.1,
        ),
        CW,
    ),
    (PolarisedCascade(fss_ueV=3.0, binding_energy_ueV=30.0, rabi_per_ns_per_sqrt_uW=9.0, drive_angle_pi=0.1, collective=True), CW),
]  # fmt: skip
EVERY = INCOHERENT + COHERENT


def ids(cases: list[tuple[Emitter, Drive]]) -> list[str]:
    return [f"{type(e).__name__}-{k}" for k, (e, _) in enumerate(cases)]


def observables(source: Emitter | Model, d: Drive, picture: str | None = None, time: float = 1.0) -> np.ndarray:
    """Dimensionless numbers: populations, ratios of fluxes, g2 of all light, P(n). `time` scales the delays."""
    e = Experiment(source, d, picture=picture, rtol=1e12 if isinstance(source, ReservoirDot) else 1e-9)  # its cut-off is part of the model here
    lines = list(e.model.lines)
    fluxes = np.array([e.flux_per_ns(line) for line in lines])
    found = [np.array(list(e.populations().values())), fluxes * time]
    if e.is_pulsed:
        found += [e.photon_numbers(lines, max=3).probabilities, e.side_peaks(2, lines).value, e.photon_numbers(lines[-1], max=2).probabilities]
    else:
        found += [e.g2(np.array([0.0, 0.05, 0.4, 3.0]) * time, lines).value, e.g2(np.array([-0.3, 0.2]) * time, lines[0], lines[-1]).value]
    return np.concatenate(found)


@pytest.mark.parametrize(("source", "d"), INCOHERENT, ids=ids(INCOHERENT))
def test_both_pictures_agree_where_nothing_is_coherent(source: Emitter, d: Drive) -> None:
    if isinstance(source, ReservoirDot):
        source = dataclasses.replace(source, max_pairs=1)
    np.testing.assert_allclose(observables(source, d, "rate"), observables(source, d, "lindblad"), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("source", "d"), COHERENT, ids=ids(COHERENT))
def test_the_rate_picture_refuses_coherence_and_says_what_to_use(source: Emitter, d: Drive) -> None:
    with pytest.raises(InputError, match="lindblad"):
        rate(source.model())
    with pytest.raises(InputError, match="lindblad"):
        Experiment(source, d, picture="rate").populations()


@pytest.mark.parametrize(("source", "d"), EVERY, ids=ids(EVERY))
def test_phases_of_levels_are_not_observable(source: Emitter, d: Drive) -> None:
    model = source.model()
    ops = model.operators()
    n = ops.start.shape[0]
    turn = np.exp(1j * np.random.default_rng(5).uniform(0, 2 * math.pi, n))

    def rotate(m):
        return (m.multiply(turn[:, None]).multiply(turn.conj()[None, :])).tocsr()

    couplings = [HamiltonianOperator(rotate(ops.hamiltonian))]
    couplings += [HamiltonianOperator(rotate(t.matrix), t.drive, t.envelope) for t in ops.driven]
    jumps = [JumpOperator(rotate(j.matrix), j.photon, j.polarisation, j.drive) for j in ops.jumps]
    rotated = Model(model.levels, model.start, jumps=tuple(jumps), couplings=tuple(couplings), groups=model.groups)
    picture = "lindblad" if not isinstance(source, ReservoirDot) else None
    np.testing.assert_allclose(observables(rotated, d, picture), observables(source, d, picture), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("source", "d"), EVERY, ids=ids(EVERY))
def test_probabilities_sum_to_one(source: Emitter, d: Drive) -> None:
    e = Experiment(source, d, rtol=1e12 if isinstance(source, ReservoirDot) else 1e-9)
    assert sum(e.populations().values()) == pytest.approx(1.0, rel=1e-13)
    assert min(e.populations().values()) >= -1e-15
    lines = list(e.model.lines)
    pulsed = d if isinstance(d, drive.Pulse) else drive.Square(pulse_energy_fJ=0.5, duration_ns=0.2, period_ns=None)
    numbers = e.replace(drive=pulsed).photon_numbers(lines, max=14)
    assert numbers.probabilities.sum() == pytest.approx(1.0, rel=1e-8)
    assert np.arange(15) @ numbers.probabilities == pytest.approx(numbers.mean_photons, rel=1e-6)


@pytest.mark.parametrize(("source", "d"), EVERY, ids=ids(EVERY))
def test_scaling_all_rates_and_time_changes_nothing(source: Emitter, d: Drive) -> None:
    s = 3.7
    changes = {}
    for f in dataclasses.fields(source):
        value = getattr(source, f.name)
        if "_per_sqrt_uW" in f.name or "_per_ns" in f.name or f.name.endswith("_ueV") or f.name == "temperature_K":
            changes[f.name] = value * s
        elif f.name.endswith("_ns"):
            changes[f.name] = value / s
    scaled_drive = dataclasses.replace(d, period_ns=d.period_ns / s) if isinstance(source, ReservoirDot) else d
    np.testing.assert_allclose(observables(dataclasses.replace(source, **changes), scaled_drive, time=1 / s), observables(source, d), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("source", "d", "name"), [(e, d, p.name) for e, d in [EVERY[0], EVERY[4], EVERY[6], *COHERENT[:3]] for p in type(e).parameters() if p.name != "max_pairs"]
)
def test_every_parameter_moves_an_observable(source: Emitter, d: Drive, name: str) -> None:
    declared = {p.name: p for p in type(source).parameters()}[name]
    value = getattr(source, name)
    if isinstance(value, bool):
        changed = not value
    elif declared.high == 1 and value == 1.0:
        changed = 0.9
    else:
        changed = value * 1.1 if value else 0.1
    if isinstance(source, TwoLevel) and name in ("detuning_ueV", "dephasing_per_ns", "rabi_per_ns_per_sqrt_uW"):
        source = COHERENT[0][0]
        value = getattr(source, name)
        changed = value * 1.1
    before, after = (observables(s, d) for s in (source, dataclasses.replace(source, **{name: changed})))
    assert before.shape != after.shape or np.max(np.abs(after - before)) > 1e-6


def test_a_reservoir_that_is_cut_off_too_early_is_refused() -> None:
    flash = drive.Instant(pulse_energy_fJ=4.0, period_ns=12.5)
    with pytest.raises(InputError, match="max_pairs"):
        Experiment(ReservoirDot(max_pairs=4), flash).photon_numbers("X")
    assert Experiment(ReservoirDot(max_pairs=24), flash).photon_numbers("X", max=3).error_bound < 1e-9
    assert ReservoirDot(max_pairs=4).truncated_weight(4.0) == pytest.approx(1 - math.exp(-4.0) * sum(4.0**k / math.factorial(k) for k in range(5)), rel=1e-12)


def test_the_emitters_are_all_under_contract() -> None:
    assert {type(e) for e, _ in EVERY} == set(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_every_parameter_declares_unit_bounds_and_meaning(kind: type[Emitter]) -> None:
    for p in kind.parameters():
        assert p.meaning
        assert p.low <= p.high
        assert isinstance(p.default, bool | int) or p.low <= p.default <= p.high


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "0.1", None, True])
def test_nonsense_is_refused_by_name(kind: type[Emitter], value: object) -> None:
    with pytest.raises(InputError, match=rf"{kind.__name__}\.{kind.parameters()[0].name} must be a finite number > 0"):
        kind(**{kind.parameters()[0].name: value})


def test_detailed_balance_ties_the_spin_flips() -> None:
    e = DarkLoadedCascade(spin_flip_per_ns=1e-2, dark_bright_splitting_ueV=250.0, temperature_K=4.0)
    # the value quoted with the physics: 0.48 at 4 K for 250 ueV
    assert e.dark_to_bright_per_ns / e.spin_flip_per_ns == pytest.approx(math.exp(-250e-6 * 1.602176634e-19 / (1.380649e-23 * 4.0)), rel=1e-9)
    assert e.dark_to_bright_per_ns / e.spin_flip_per_ns == pytest.approx(0.48, abs=0.005)


def test_spin_flips_alone_reach_the_boltzmann_ratio() -> None:
    e = DarkLoadedCascade(lifetime_XX_ns=1e9, lifetime_X_ns=1e9, pump_per_ns_per_uW=1e-7, spin_flip_per_ns=1.0)
    p = Experiment(e, drive.CW(power_uW=1e-3)).populations()
    assert p["X"] / p["D"] == pytest.approx(e.dark_to_bright_per_ns / e.spin_flip_per_ns, rel=1e-6)


def test_short_pulses_need_hot_levels() -> None:
    cold = DarkLoadedCascade(relaxation_ns=0.0)
    with pytest.raises(InputError, match="relaxation_ns"):
        Experiment(cold, drive.Gaussian(pulse_energy_fJ=1.0, fwhm_ns=0.005)).photon_numbers("pair")
    with pytest.raises(InputError, match="relaxation_ns"):
        Experiment(cold, drive.Instant(pulse_energy_fJ=1.0)).photon_numbers("pair")
    assert Experiment(cold, drive.Square(pulse_energy_fJ=100.0, duration_ns=1.0)).photon_numbers("pair").mean_photons > 0


def test_a_pulse_far_shorter_than_the_relaxation_adds_at_most_one_pair() -> None:
    e = DarkLoadedCascade(pump_per_ns_per_uW=1.0, spin_flip_per_ns=0.0, relaxation_ns=0.03)
    excess = []
    for fwhm in (1e-5, 5e-6):
        loaded = Experiment(e, drive.Gaussian(pulse_energy_fJ=50.0, fwhm_ns=fwhm)).photon_numbers
        with pytest.raises(InputError, match="emit light"):
            Experiment(e, drive.Gaussian(pulse_energy_fJ=0.0, fwhm_ns=fwhm)).photon_numbers("pair")
        excess.append(loaded("pair").mean_photons)
    assert excess[1] == pytest.approx(excess[0] / 2, rel=0.05)  # what is left vanishes linearly with the pulse
    assert excess[0] < 0.05


def test_a_collective_decay_has_the_populations_of_separate_decays() -> None:
    together = Experiment(PolarisedCascade(pump_per_ns_per_uW=0.5, collective=True), CW)
    apart = Experiment(PolarisedCascade(pump_per_ns_per_uW=0.5), CW)
    np.testing.assert_allclose(list(together.populations().values()), list(apart.populations().values()), rtol=1e-12)
    assert lindblad(together.model).dimension == 16


def test_two_photon_driving_grows_linearly_and_one_photon_driving_as_the_root_of_power() -> None:
    two = BrightCascade(two_photon_rabi_per_ns_per_uW=1e-3)
    one = TwoLevel(rabi_per_ns_per_sqrt_uW=1e-3)
    for source, line, exponent in ((two, "XX", 2.0), (one, "X", 1.0)):
        flux = [Experiment(source, drive.CW(power_uW=p)).flux_per_ns(line) for p in (1e-3, 2e-3)]
        assert math.log2(flux[1] / flux[0]) == pytest.approx(exponent, abs=1e-5)


def test_couplings_of_an_emitter_are_listed_lower_level_first() -> None:
    for c in PolarisedCascade(rabi_per_ns_per_sqrt_uW=1.0, drive_angle_pi=0.25).model().couplings:
        assert isinstance(c, Coupling)
        assert c.between in {("G", "X_H"), ("X_H", "XX"), ("G", "X_V"), ("X_V", "XX")}


def test_the_prepared_pair_efficiency_is_preparation_times_both_transmissions() -> None:
    e = Experiment(BrightCascade(two_photon_rabi_per_ns_per_uW=1.0), drive.Gaussian(fwhm_ns=0.01, area_pi=1.0), collection={"XX": 0.6, "X": 0.7})
    numbers = e.photon_numbers("pair")
    prepared = e.joint_photon_numbers(stage="emission").mean_photons[0]
    assert numbers.prepared_pair_efficiency == pytest.approx(prepared * 0.6 * 0.7, rel=1e-12)
    assert numbers.pair_efficiency == pytest.approx(numbers.prepared_pair_efficiency, rel=0.05)  # re-excitation is rare
    assert e.photon_numbers("X").prepared_pair_efficiency is None
