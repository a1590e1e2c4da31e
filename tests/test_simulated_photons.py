"""Simulated streams of photons against exact numbers: waiting times, flux, g2, photon numbers, memory from pulse to pulse, in both pictures.

Every comparison states its deviation in standard errors (tests/streams.py); seeds are fixed. Closed forms and a Liouvillian written here share nothing
with qdot; what else is exact comes from `Experiment`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import scipy.linalg
from streams import BLOCKS, SIGMAS, by_blocks, count_sigmas, largest_gap, pairs_expected, pairs_per_block, per_period, sigmas

import qdot
from qdot.drive import CW, Gaussian, Instant, Measured, Sech, Square
from qdot.model import Cavity, Coupling, Dephasing, Filter, Jump, JumpOperator, Model
from qdot.tags.simulation import kernel

SOURCE = qdot.emitters.DarkLoadedCascade(lifetime_XX_ns=0.06, lifetime_X_ns=0.10, spin_flip_per_ns=1e-4, pump_per_ns_per_uW=1e-3)
LINES = {0: "XX", 1: "X"}
KOLMOGOROV = 2.3


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_level(dephasing: float = 0.0, gamma: float = 1.0, rabi: float = 1.0, energy_ueV: float = 0.0) -> Model:
    return Model(
        ("G", "X"),
        energies_ueV={"X": energy_ueV},
        jumps=(Jump.of("X", "G", gamma, "X"),),
        couplings=(Coupling(("G", "X"), rabi, "laser"),),
        dephasings=(Dephasing("X", dephasing),),
    )


def pumped(pump: float = 0.7, gamma: float = 2.0, picture=None) -> qdot.Experiment:
    return qdot.Experiment(Model(("G", "X"), jumps=(Jump.of("G", "X", pump), Jump.of("X", "G", gamma, "X"))), picture=picture)


# ------------------------------------------------------------------------------------------------------ waiting times


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_a_pumped_emitter_waits_for_two_exponential_times(picture) -> None:
    pump, gamma = 0.7, 2.0
    tags = qdot.simulate_tags(pumped(pump, gamma, picture), 1e5, {0: "X"}, rng(11))
    waits = np.diff(tags.time_ps) / 1e3

    def cumulative(t):
        return 1 - (gamma * np.exp(-pump * t) - pump * np.exp(-gamma * t)) / (gamma - pump)

    assert waits.size > 5e4
    assert largest_gap(waits, cumulative) < KOLMOGOROV
    assert largest_gap(waits, lambda t: 1 - (gamma * np.exp(-t / pump) - np.exp(-gamma * t) / pump) / (gamma - 1 / pump)) > 10  # a rate for a lifetime
    assert abs(np.corrcoef(waits[1:], waits[:-1])[0, 1]) * math.sqrt(waits.size) < SIGMAS  # renewals are independent


def test_resonance_fluorescence_waits_as_carmichael_and_others_say() -> None:
    """w(t) = gamma rabi^2 / (4 m^2) exp(-gamma t / 2) 4 sin^2(m t / 2) / 1, m^2 = rabi^2 - gamma^2 / 4; Carmichael et al., Phys. Rev. A 39, 1200 (1989)."""
    gamma, rabi = 1.0, 3.0
    m = math.sqrt(rabi**2 - gamma**2 / 4)
    tags = qdot.simulate_tags(qdot.Experiment(two_level(gamma=gamma, rabi=rabi), CW()), 1e5, {0: "X"}, rng(12))
    waits = np.diff(tags.time_ps) / 1e3

    def cumulative(t):
        return 1 - np.exp(-gamma * t / 2) * ((rabi**2 - gamma**2 / 4 * np.cos(m * t)) / m**2 + gamma / (2 * m) * np.sin(m * t))

    assert abs(cumulative(np.array([0.0]))[0]) < 1e-12
    assert waits.size > 4e4
    assert largest_gap(waits, cumulative) < KOLMOGOROV


def test_a_jump_that_nobody_sees_still_changes_what_comes_next() -> None:
    """With dephasing the waits between photons are not those of the undephased emitter; the exact ones follow from a Liouvillian without the emission."""
    gamma, rabi, dephasing = 1.0, 3.0, 0.8
    tags = qdot.simulate_tags(qdot.Experiment(two_level(dephasing, gamma, rabi), CW()), 1e5, {0: "X"}, rng(13))
    waits = np.diff(tags.time_ps) / 1e3
    h = 0.5 * rabi * np.array([[0, 1], [1, 0]])
    x = np.diag([0.0, 1.0])
    eye = np.eye(2)
    left = -1j * h - 0.5 * (gamma + 2 * dephasing) * x
    silent = np.kron(eye, left) + np.kron(left.conj(), eye) + 2 * dephasing * np.kron(x, x)  # column-stacked
    values, vectors = np.linalg.eig(silent)
    weight = np.linalg.solve(vectors, np.array([1, 0, 0, 0], dtype=complex)) * (np.eye(2).ravel() @ vectors)

    def cumulative(t):
        return 1 - sum(w * np.exp(v * t) for w, v in zip(weight, values, strict=True)).real

    assert largest_gap(waits, cumulative) < KOLMOGOROV


# ------------------------------------------------------------------------------------------------------ continuous light


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_the_dark_loaded_cascade_has_its_flux_and_its_correlations(picture) -> None:
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0), collection={"XX": 0.9, "X": 0.5}, picture=picture)
    duration_ns = 2e7 if picture == "rate" else 2e6
    tags = qdot.simulate_tags(cw, duration_ns, LINES, rng(21))
    times = {"XX": tags.times(0), "X": tags.times(1)}
    flux = {line: cw.flux_per_ns(line) for line in times}
    for line, t in times.items():
        assert abs(sigmas(np.histogram(t, 64, (0, tags.duration_ps))[0], flux[line] * duration_ns / 64)) < SIGMAS
    windows = [(1, 51), (100, 150), (500, 1500), (20_000, 60_000)]
    for a, b in (("XX", "X"), ("X", "XX"), ("X", "X"), ("XX", "XX")):
        for low, high in windows:
            exact = pairs_expected(lambda t, a=a, b=b: np.array(cw.g2(t, a, b)), flux[a] * flux[b], low, high, tags.duration_ps)
            counted = pairs_per_block(times[a], times[b], low, high, tags.duration_ps)
            assert abs(count_sigmas(counted, exact)) < SIGMAS, (a, b, low)


def test_a_lifetime_for_a_rate_would_be_seen() -> None:
    """The check above has power: the same counts against a source whose X lives 1/0.10 as long fail by far."""
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0))
    wrong = cw.replace({"source.lifetime_X_ns": 1 / 0.10})
    tags = qdot.simulate_tags(wrong, 2e6, LINES, rng(22))
    exact = pairs_expected(lambda t: np.array(cw.g2(t, "XX", "X")), cw.flux_per_ns("XX") * cw.flux_per_ns("X"), 1, 51, tags.duration_ps)
    assert abs(count_sigmas(pairs_per_block(tags.times(0), tags.times(1), 1, 51, tags.duration_ps), exact)) > 10


def by_hand() -> tuple[Model, np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """An emitter in a cavity with a collective decay and a pump; beside the model its Liouvillian, its emissions and its trace, written from the equations."""
    fock, g, kappa, detuning = 3, 6.0, 25.0, 15.0
    pump, leak, r1, r2 = 1.5, 0.6, 0.9, 0.5
    model = Model(
        ("G", "X", "XX"),
        jumps=(
            Jump.of("G", "X", pump),
            Jump.of("X", "XX", pump),
            Jump.of("X", "G", leak, "leak"),
            Jump((("XX", "X"), ("X", "G")), (r1, r2), "both"),
        ),
        cavities=(Cavity("c", fock, kappa, (g, g), (("XX", "X"), ("X", "G")), detuning, photon="mode"),),
    )
    level = np.eye(3)
    a = np.kron(np.eye(3), np.diag(np.sqrt(np.arange(1.0, fock)), 1))

    def move(to, origin):
        return np.kron(np.outer(level[to], level[origin]), np.eye(fock))

    down = move(1, 2) + move(0, 1)
    h = g * (a.T @ down + a @ down.T) + detuning / 0.6582119569 * a.T @ a
    emit = {"leak": math.sqrt(leak) * move(0, 1), "both": math.sqrt(r1) * move(1, 2) + math.sqrt(r2) * move(0, 1), "mode": math.sqrt(kappa) * a}
    jumps = [math.sqrt(pump) * move(1, 0), math.sqrt(pump) * move(2, 1), *emit.values()]
    eye = np.eye(len(h))
    left = -1j * h - 0.5 * sum(c.T @ c for c in jumps)
    whole = np.kron(eye, left) + np.kron(left.conj(), eye) + sum(np.kron(c, c) for c in jumps)
    return model, whole, {k: np.kron(c, c) for k, c in emit.items()}, eye.ravel()


def test_cavity_and_collective_light_agree_with_a_liouvillian_written_here() -> None:
    model, whole, emit, trace = by_hand()
    steady = scipy.linalg.null_space(whole)[:, 0]
    steady = steady / (trace @ steady)
    duration_ns = 1e5
    names = list(emit)
    tags = qdot.simulate_tags(qdot.Experiment(model, rtol=1e-2), duration_ns, dict(enumerate(names)), rng(31))
    times = {n: tags.times(i) for i, n in enumerate(names)}
    values, right = np.linalg.eig(whole)
    inverse = np.linalg.inv(right)
    flux = {n: (trace @ j @ steady).real for n, j in emit.items()}
    for n in names:
        assert abs(sigmas(np.histogram(times[n], 64, (0, tags.duration_ps))[0], flux[n] * duration_ns / 64)) < SIGMAS
    for a, b in (("mode", "mode"), ("mode", "both"), ("both", "mode"), ("both", "both"), ("leak", "mode")):
        left, after = (trace @ emit[b] @ right), inverse @ (emit[a] @ steady)
        for low, high in ((5, 25), (60, 90), (200, 400), (1500, 2500)):
            exact = pairs_expected(lambda t, left=left, after=after: (np.exp(np.outer(t, values)) @ (left * after)).real, 1.0, low, high, tags.duration_ps)
            counted = pairs_per_block(times[a], times[b], low, high, tags.duration_ps)
            assert abs(count_sigmas(counted, exact)) < SIGMAS, (a, b, low)


def test_light_behind_a_narrow_filter_has_its_flux_and_its_correlation() -> None:
    light = qdot.Experiment(two_level(rabi=2.0), CW(), rtol=1e-3).filtered(Filter("narrow", "X", fwhm_ueV=1.5, centre_ueV=1.0, fock=4))
    tags = qdot.simulate_tags(light, 2e5, {0: "narrow"}, rng(32))
    flux = light.flux_per_ns("narrow")
    assert abs(sigmas(np.histogram(tags.time_ps, 64, (0, tags.duration_ps))[0], flux * 2e5 / 64)) < SIGMAS
    for low, high in ((1, 101), (450, 550), (1950, 2050)):
        exact = pairs_expected(lambda t: np.array(light.g2(t, "narrow")), flux**2, low, high, tags.duration_ps)
        assert abs(count_sigmas(pairs_per_block(tags.time_ps, tags.time_ps, low, high, tags.duration_ps), exact)) < SIGMAS


# ------------------------------------------------------------------------------------------------------ pulses

PULSES = {
    "gaussian": Gaussian(power_uW=60.0, fwhm_ns=0.02, period_ns=12.5),
    "long gaussian": Gaussian(power_uW=200.0, fwhm_ns=0.3, period_ns=7.0),
    "sech": Sech(power_uW=60.0, fwhm_ns=0.02, period_ns=12.5, start_ns=3.0),
    "square": Square(power_uW=100.0, duration_ns=0.5, start_ns=12.2, period_ns=12.5),  # lights the beginning of the next period, too
    "instant": Instant(power_uW=60.0, period_ns=12.5, start_ns=1.0),
    "measured": Measured(power_uW=80.0, times_ns=(0.0, 0.1, 0.15, 0.5), intensity=(0.0, 1.0, 0.2, 0.0), period_ns=1e4 / 760),
    "two": (Instant(power_uW=30.0, period_ns=12.5), Gaussian(power_uW=30.0, fwhm_ns=0.05, start_ns=1.0, period_ns=12.5)),
}


def check_train(train: qdot.Experiment, label: str, periods: int, seed: int, simulated: qdot.Experiment | None = None) -> None:
    """Photon numbers, side peaks and the decay trace of a simulated train against the exact ones."""
    tags = qdot.simulate_tags(simulated or train, periods * train.period_ns, {0: label}, rng(seed))
    period_ps = train.period_ns * 1e3
    n = per_period(tags.time_ps, period_ps, periods).astype(float)
    exact = train.photon_numbers(label, max=3)
    for k, p in enumerate(exact.probabilities):
        if p * periods > 25.0:
            assert abs(sigmas(by_blocks(n == k), p)) < SIGMAS, f"P({k})"
    mu = exact.mean_photons
    peaks = np.array(train.side_peaks(3, label)) * mu**2
    assert abs(sigmas(by_blocks(n), mu)) < SIGMAS
    assert abs(sigmas(by_blocks(n * (n - 1)), peaks[0])) < SIGMAS
    for m in (1, 2, 3):
        assert abs(sigmas(by_blocks(n[m:] * n[:-m]), peaks[m])) < SIGMAS, f"side peak {m}"
    phase = tags.time_ps % period_ps / 1e3
    edges = np.linspace(0.0, train.period_ns, 9)
    x, w = np.polynomial.legendre.leggauss(200)
    for low, high in itertools.pairwise(edges):
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        inside = per_period(tags.time_ps[(phase >= low) & (phase < high)], period_ps, periods)
        mean = half * np.sum(w * np.array(train.emission_profile(middle + half * x, label)))
        assert abs(count_sigmas(by_blocks(inside) * (periods // BLOCKS), mean * (periods // BLOCKS))) < SIGMAS, (low, high)


@pytest.mark.parametrize("name", PULSES)
def test_a_train_has_its_photon_numbers_its_memory_and_its_decay(name) -> None:
    train = qdot.Experiment(SOURCE, PULSES[name], collection={"pair": 0.8})
    check_train(train, "pair", 400_000, 41)


@pytest.mark.parametrize("name", ["gaussian", "square", "instant"])
def test_both_pictures_sample_the_same_train(name) -> None:
    train = qdot.Experiment(SOURCE, PULSES[name], picture="lindblad")
    check_train(train, "pair", 40_000, 42)


def test_missing_memory_between_pulses_would_be_seen() -> None:
    train = qdot.Experiment(SOURCE, PULSES["gaussian"])
    periods = 100_000
    steady = train.populations()
    chosen = rng(43).permutation(periods)  # the same periods in another order have the same P(n) and no memory
    tags = qdot.simulate_tags(train, periods * 12.5, {0: "pair"}, rng(43))
    n = per_period(tags.time_ps, 12500, periods)[chosen].astype(float)
    exact = train.photon_numbers("pair")
    peaks = np.array(train.side_peaks(1, "pair"))
    assert steady["D"] > 0.05
    assert abs(sigmas(by_blocks(n == 2), exact.probabilities[2])) < SIGMAS
    assert abs(sigmas(by_blocks(n[1:] * n[:-1]), peaks[1] * exact.mean_photons**2)) > 10


COHERENT = {
    "pi pulse": Gaussian(area_pi=1.0, fwhm_ns=0.3, period_ns=4.0),
    "chirped": Sech(area_pi=2.0, fwhm_ns=0.2, period_ns=15.0, detuning_ueV=1.0, chirp_per_ns2=3.0),
    "square": Square(area_pi=3.0, duration_ns=0.7, period_ns=3.0, phase_pi=0.3),
    "instant": Instant(area_pi=0.5, period_ns=2.0),
    "measured": Measured(area_pi=1.5, times_ns=(0.0, 0.2, 0.3, 0.9), intensity=(0.0, 1.0, 0.3, 0.0), period_ns=5.0),
}


@pytest.mark.parametrize("name", COHERENT)
def test_a_driven_emitter_has_its_photon_numbers_and_its_coherence_from_pulse_to_pulse(name) -> None:
    check_train(qdot.Experiment(two_level(0.2, energy_ueV=0.8), COHERENT[name]), "X", 40_000, 44)


def test_a_continuous_laser_beside_the_pulses_is_followed() -> None:
    model = Model(
        ("G", "X", "XX"),
        jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("XX", "X", 2.0, "XX"), Jump.of("G", "X", 0.05, drive="pump")),
        couplings=(Coupling(("G", "XX"), 1.0, "laser", "intensity"),),
    )
    train = qdot.Experiment(model, [Gaussian(area_pi=1.0, fwhm_ns=0.1, period_ns=6.0), CW(name="pump", power_uW=2.0)])
    check_train(train, ("X", "XX"), 40_000, 45)


def test_a_driven_jump_acts_in_the_lindblad_picture_as_in_the_rate_picture() -> None:
    """A pumped, undriven coherence: rates times the envelope, in a model that needs the wave function."""
    model = Model(
        ("G", "X", "D"),
        jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("G", "X", 1.0, "absorbed", drive="laser")),
        couplings=(Coupling(("X", "D"), 2.0),),
    )
    check_train(qdot.Experiment(model, Gaussian(power_uW=0.5, fwhm_ns=0.4, period_ns=9.0)), "X", 40_000, 46)


# ------------------------------------------------------------------------------------------------------ shots and starts


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_a_single_pulse_repeated_has_the_photon_numbers_of_one_and_no_memory(picture) -> None:
    source = qdot.emitters.DarkLoadedCascade(**{**dataclasses.asdict(SOURCE), "spin_flip_per_ns": 0.0, "selectivity": 0.8})  # no light after microseconds
    single = qdot.Experiment(source, Gaussian(pulse_energy_fJ=3000.0, fwhm_ns=0.05), picture=picture)
    shots = 200_000 if picture == "rate" else 20_000
    tags = qdot.simulate_tags(single, shots * 60.0, {0: "pair"}, rng(51), repeat_ns=60.0)
    assert tags.period_ps == 60_000.0
    n = per_period(tags.time_ps, 60_000, shots).astype(float)
    exact = single.photon_numbers("pair", max=3)
    for k in range(3):
        assert abs(sigmas(n == k, exact.probabilities[k])) < SIGMAS
    assert abs(sigmas(n[1:] * n[:-1], exact.mean_photons**2)) < SIGMAS


def test_a_decay_without_any_drive_is_repeated_from_its_start_state() -> None:
    model = Model(("XX", "X", "G"), jumps=(Jump.of("XX", "X", 2.0, "XX"), Jump.of("X", "G", 1.0, "X")))
    tags = qdot.simulate_tags(qdot.Experiment(model), 5e5, LINES, rng(52), repeat_ns=50.0)
    assert tags.counts == {0: 10_000, 1: 10_000}
    assert largest_gap(tags.times(0) % 50_000 / 1e3, lambda t: 1 - np.exp(-2 * t)) < KOLMOGOROV
    assert largest_gap((tags.times(1) - tags.times(0)) / 1e3, lambda t: 1 - np.exp(-t)) < KOLMOGOROV


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_a_stream_begins_in_the_steady_state_or_in_the_start_state(picture) -> None:
    first = {}
    for start in ("steady", "start"):
        for seed in range(400):
            tags = qdot.simulate_tags(pumped(0.7, 2.0, picture), 50.0, {0: "X"}, rng(seed), start=start)
            first.setdefault(start, []).append(tags.time_ps[0] / 1e3)
    pump, gamma = 0.7, 2.0
    from_start = 1 / pump + 1 / gamma
    from_steady = gamma / (pump + gamma) * from_start + pump / (pump + gamma) / gamma
    assert abs(sigmas(np.array(first["start"]), from_start)) < SIGMAS
    assert abs(sigmas(np.array(first["steady"]), from_steady)) < SIGMAS


def test_a_superposition_as_start_state_is_sampled() -> None:
    """(|A> + i|B>)/root 2 decays through one collective operator: half the shots emit at 2 g if the phase adds up, none if it cancels."""
    for sign, probability in ((1.0, 1.0), (-1.0, 0.0)):
        psi = np.array([0.0, 1.0, 1j * sign]) / math.sqrt(2)
        collective = JumpOperator(np.outer([1.0, 0, 0], [0.0, 1.0, -1j]), photon="X")
        model = Model(("G", "A", "B"), np.outer(psi, psi.conj()), jumps=(collective,))
        tags = qdot.simulate_tags(qdot.Experiment(model), 1e4, {0: "X"}, rng(53), repeat_ns=20.0)
        assert len(tags) == 500 * probability
        if probability:
            assert largest_gap(tags.time_ps % 20_000 / 1e3, lambda t: 1 - np.exp(-2 * t)) < KOLMOGOROV


def test_polarisations_of_a_pair_beat_with_the_fine_structure() -> None:
    """XX in D, then X in R or L: P(R at t) = (1 + sin(s t)) / 2 exp(-t / lifetime) / lifetime, s the splitting; the formula is that of two beating levels."""
    lifetime, splitting = 0.24, 2.0 / 0.6582119569
    light = [Jump.of("XX", f"X_{p}", 4.0, "XX", p) for p in "HV"] + [Jump.of(f"X_{p}", "G", 1 / lifetime, "X", p) for p in "HV"]
    model = Model(("XX", "X_H", "X_V", "G"), energies_ueV={"X_H": 1.0, "X_V": -1.0}, jumps=tuple(light))
    decay = qdot.Experiment(model, picture="lindblad").analysed(XX="D", X="R")
    tags = qdot.simulate_tags(decay, 1e6, {"D": "XX:D", "A": "XX:A", "R": "X:R", "L": "X:L"}, rng(54), repeat_ns=20.0)
    first, second = tags.channel.reshape(-1, 2).T  # 50 000 decays, XX then X
    assert set(first) == {0, 1}
    assert set(second) == {2, 3}
    delay = np.diff(tags.time_ps.reshape(-1, 2), axis=1)[:, 0] / 1e3
    beat = splitting * lifetime / (1 + (splitting * lifetime) ** 2)
    same = (first == 0) == (second == 2)
    sign = 1.0 if same.mean() > 0.5 else -1.0  # which circular polarisation leads is a convention
    assert abs(sigmas(same, 0.5 * (1 + sign * beat))) < SIGMAS

    def cumulative(t):
        wave = (1 - np.exp(-t / lifetime) * (np.cos(splitting * t) + np.sin(splitting * t) / (splitting * lifetime))) * beat
        return (1 - np.exp(-t / lifetime) + sign * wave) / (1 + sign * beat)

    assert largest_gap(delay[same], cumulative) < KOLMOGOROV
    exact = decay.joint_photon_numbers(("XX:D", "X:R"), max=1).probabilities[1, 1]
    assert abs(sigmas((first == 0) & (second == 2), exact)) < SIGMAS


# ------------------------------------------------------------------------------------------------------ clock, twins, rng


def test_hours_keep_every_picosecond() -> None:
    """2.8 hours of a train whose pulses hardly ever excite, at a period that is no whole number of ps: the decay is as sharp at the end as at the start."""
    gamma, period_ns = 10.0, 1e3 / 76.0
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", gamma, "X"), Jump.of("G", "X", 1.0, drive="laser")))
    weak = qdot.Experiment(model, Instant(dose_ns=2e-8, period_ns=period_ns))
    tags = qdot.simulate_tags(weak, 1e13, {0: "X"}, rng(61))
    assert abs(len(tags) - 1e13 / period_ns * 2e-8) < SIGMAS * math.sqrt(1e13 / period_ns * 2e-8)
    assert tags.duration_ps == 10**16
    assert tags.time_ps[-1] > 0.99e16
    numbers = tags.time_ps.astype(object) * 76  # in units of period / 10^6: whole numbers of any size
    delay_ns = np.array([int(n % 10**6) for n in numbers]) / 76e3
    for half in np.array_split(delay_ns, 2):
        assert largest_gap(half + 0.0005, lambda t: 1 - np.exp(-gamma * t)) < KOLMOGOROV
    rare = qdot.simulate_tags(pumped(1e-9, 1e-9), 1e13, {0: "X"}, rng(62))
    assert len(rare) > 4000
    assert np.unique(rare.time_ps % 1000).size > 900


@pytest.mark.parametrize(
    "experiment",
    [
        qdot.Experiment(SOURCE, CW(power_uW=300.0)),
        *(qdot.Experiment(SOURCE, pulse) for pulse in PULSES.values()),
        qdot.Experiment(two_level(0.3), CW(power_uW=4.0)),
        *(qdot.Experiment(two_level(0.3), pulse) for pulse in COHERENT.values()),
        qdot.Experiment(by_hand()[0], rtol=1e-2),
    ],
    ids=lambda e: f"{type(e.source).__name__} {type(e.drives[0]).__name__ if e.drives else ''}",
)
def test_the_compiled_kernel_and_the_python_beside_it_draw_the_same_stream(experiment, monkeypatch) -> None:
    if kernel.library() is None:
        pytest.skip("the kernel was not compiled")
    lines = {line: line for line in experiment.model.lines}
    duration_ns = 600.0 if experiment.timeline.generator.picture == "lindblad" else 2e4
    compiled = qdot.simulate_tags(experiment, duration_ns, lines, rng(63))
    monkeypatch.setattr(kernel, "library", lambda: None)
    pure = qdot.simulate_tags(experiment, duration_ns, lines, rng(63))
    assert len(compiled) > 5
    assert compiled.channel.tolist() == pure.channel.tolist()
    largest = 0 if experiment.timeline.generator.picture == "rate" else 1
    assert np.abs(compiled.time_ps - pure.time_ps).max() <= largest


def test_one_state_of_the_generator_gives_one_record_and_nothing_else_is_seeded() -> None:
    train = qdot.Experiment(SOURCE, PULSES["gaussian"])
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (qdot.simulate_tags(train, 1e5, LINES, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.time_ps, same.time_ps)
    assert np.array_equal(one.channel, same.channel)
    assert not np.array_equal(one.time_ps[:50], other.time_ps[:50])
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    going_on = rng(1)
    assert not np.array_equal(qdot.simulate_tags(train, 1e5, LINES, going_on).time_ps, qdot.simulate_tags(train, 1e5, LINES, going_on).time_ps)


# ------------------------------------------------------------------------------------------------------ channels


def test_channels_have_numbers_names_and_shares_of_the_light() -> None:
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0), collection={"pair": 0.5})
    tags = qdot.simulate_tags(cw, 1e6, {"A": "pair", 7: "pair", "B": "X", 0: ["XX", "X"]}, rng(71))
    assert tags.channels == (0, 1, 2, 7)
    assert tags.names == {0: "XX + X", 1: "A", 2: "B", 7: "pair"}
    xx, x = (cw.flux_per_ns(line) * 1e6 for line in ("XX", "X"))
    assert tags.period_ps is None
    for number, exact in {1: xx / 3 + x / 4, 7: xx / 3 + x / 4, 2: x / 4, 0: xx / 3 + x / 4}.items():
        assert abs(tags.counts[number] - exact) < 5 * math.sqrt(exact)
    assert qdot.simulate_tags(cw, 1e6, {0: "pair"}, rng(71), stage="emission").counts[0] == pytest.approx(2e6 * cw.flux_per_ns("pair"), rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rng": 7}, "simulate_tags rng must be a NumPy generator, got int"),
        ({"rng": None}, "simulate_tags rng must be a NumPy generator, got NoneType"),
        ({"duration_ns": 0.0}, "simulate_tags duration_ns must be a finite number >= 0.0005"),
        ({"duration_ns": 1e18}, "simulate_tags duration_ns must be a finite number"),
        ({"channels": {}}, "simulate_tags channels must name at least one channel"),
        ({"channels": {0: "Y"}}, "'XX', 'X', 'pair', 'all', got 'Y'"),
        ({"channels": {1.5: "X"}}, "simulate_tags channels must be {name or number: label}"),
        ({"channels": {70_000: "X"}}, "have numbers between"),
        ({"channels": {"XX": 0}}, "simulate_tags channels['XX'] must be the label of the light that it sees, or several, got 0"),
        ({"channels": ["XX", "X"]}, "simulate_tags channels must be {name or number: label}, got list"),
        ({"start": "begin"}, "simulate_tags start must be one of 'steady', 'start'"),
        ({"stage": "fibre"}, "stage must be one of 'emission'"),
        ({"repeat_ns": 20.0}, "simulate_tags repeat_ns must be left out for a train"),
        ({"blinking": 0.5}, "simulate_tags blinking must be a qdot.detection.Blinking"),
        ({"experiment": qdot.Experiment(SOURCE, Gaussian(pulse_energy_fJ=60.0, fwhm_ns=0.05))}, "repeat_ns must be given for a single pulse"),
        ({"experiment": qdot.Experiment(SOURCE, Square(duration_ns=9.0)), "repeat_ns": 5.0}, "repeat_ns must be at least 9 ns"),
        ({"experiment": qdot.Experiment(Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0),)))}, "be asked of a source that emits light"),
    ],
)
def test_bad_input_is_told(change, message) -> None:
    asked = {"experiment": qdot.Experiment(SOURCE, PULSES["gaussian"]), "duration_ns": 1e3, "channels": LINES, "rng": rng(1)} | change
    with pytest.raises(qdot.InputError) as found:
        qdot.simulate_tags(**asked)
    assert message in str(found.value)


def test_a_steady_state_that_is_not_unique_is_refused_and_a_start_state_is_not() -> None:
    model = Model(("G", "A", "B"), jumps=(Jump.of("G", "A", 1.0, "a"), Jump.of("G", "B", 1.0, "b")))
    with pytest.raises(qdot.InputError, match="steady state"):
        qdot.simulate_tags(qdot.Experiment(model), 1e3, {0: "a"}, rng(1))
    tags = qdot.simulate_tags(qdot.Experiment(model), 1e3, {0: "a", 1: "b"}, rng(1), start="start")
    assert len(tags) == 1
