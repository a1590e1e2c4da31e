"""The micropillar: closed forms, rates against quantised modes as the cavity gets faster, two-photon Purcell emission, and what it refuses."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from independent import coherence as ref

import qdot
from qdot import InMicropillar, Micropillar
from qdot.drive import CW, Square
from qdot.emitters import PolarisedCascade, TwoLevel
from qdot.micropillar import RatePictureWarning
from qdot.model import Cavity, Jump, JumpOperator, Model

HBAR = ref.HBAR
ENERGY_900 = 1.2398419843320026e9 / 900.0  # ueV


def quality(kappa_per_ns: float) -> float:
    """Of a mode at 900 nm that loses photons at this rate."""
    return ENERGY_900 / HBAR / kappa_per_ns


def exciton(energy: float = 0.0, rate: float = 1.0) -> Model:
    """X at an energy in rad/ns, starting excited."""
    return Model(("G", "X"), start="X", energies_ueV={"X": energy * HBAR}, jumps=(Jump.of("X", "G", rate, "X"),))


def prepared(dot: PolarisedCascade) -> Model:
    model = dot.model()
    return replace(model, start="XX", jumps=tuple(j for j in model.jumps if j.drive is None))


def through(pillar: Micropillar, model: Model, light: Any = "modes", **more: Any) -> qdot.Experiment:
    return qdot.Experiment(InMicropillar(source=model, pillar=pillar, light=light, **more))


# ---- closed forms ----------------------------------------------------------------------------------------------------------------------------------


def test_width_of_the_published_cavity() -> None:
    """REFERENCE A: Q = 9350 at 900 nm is kappa = 147 ueV."""
    pillar = Micropillar(quality_factor=9350, wavelength_nm=900.0, purcell_factor=10.9)
    assert pillar.kappa_ueV == pytest.approx(147.0, abs=0.5)
    assert pillar.kappa_ueV == pytest.approx(ENERGY_900 / 9350, rel=1e-14)
    assert pillar.kappa_per_ns == pytest.approx(pillar.kappa_ueV / HBAR, rel=1e-14)


def test_purcell_factor_of_a_mode_volume() -> None:
    """F = (3 / 4 pi^2) Q / V, V in cubic wavelengths of the material; the two ways to give it are one cavity."""
    pillar = Micropillar(quality_factor=9350, mode_volume=17.0)
    assert pillar.largest_purcell_factor == pytest.approx(3 / (4 * math.pi**2) * 9350 / 17.0, rel=1e-14)
    same = Micropillar(quality_factor=9350, purcell_factor=pillar.largest_purcell_factor)
    assert same.g_per_ns(0.7) == pytest.approx(pillar.g_per_ns(0.7), rel=1e-14)


def test_coupling_enhancement_and_efficiency() -> None:
    """4 g^2 / kappa = F r; F / (1 + (2 Delta / kappa)^2); beta = F / (F + side); extraction = beta times what leaves through the top."""
    pillar = Micropillar(quality_factor=9350, purcell_factor=10.9, side_emission=0.8, side_leakage=0.1, bottom_loss=0.15)
    g, kappa = pillar.g_per_ns(0.73), pillar.kappa_per_ns
    assert 4 * g**2 / kappa == pytest.approx(10.9 / 0.73, rel=1e-13)
    assert pillar.adiabatic_ratio(0.73) == pytest.approx(10.9 / 0.73 / kappa, rel=1e-13)
    half = pillar.kappa_ueV / 2
    assert pillar.purcell(half) == pytest.approx(10.9 / 2, rel=1e-13)
    assert pillar.purcell(-3 * half) == pytest.approx(10.9 / 10, rel=1e-13)
    assert pillar.beta() == pytest.approx(10.9 / 11.7, rel=1e-13)
    assert pillar.extraction_efficiency(half) == pytest.approx(0.75 * 5.45 / (5.45 + 0.8), rel=1e-13)
    text = pillar.report(0.73)
    assert "147.34 ueV" in text
    assert "use quantised modes" not in text
    assert "use quantised modes" in pillar.report(0.05)


def test_a_photon_of_a_resonant_emitter_in_closed_form() -> None:
    """P(1) = 4 g^2 kappa / ((kappa + gamma)(4 g^2 + kappa gamma)), gamma what goes to the side."""
    kappa, rate, enhancement, side = 7.0, 0.9, 3.0, 0.6
    pillar = Micropillar(quality_factor=quality(kappa), purcell_factor=enhancement, side_emission=side)
    g, gamma = pillar.g_per_ns(1 / rate), side * rate
    found = through(pillar, exciton(rate=rate))
    expected = 4 * g**2 * kappa / ((kappa + gamma) * (4 * g**2 + kappa * gamma))
    assert found.photon_numbers("mode").mean_photons == pytest.approx(expected, rel=1e-11)
    assert found.photon_numbers("side").mean_photons == pytest.approx(1 - expected, rel=1e-11)


# ---- rates and modes -------------------------------------------------------------------------------------------------------------------------------


def by_rates_and_modes(kappa: float, model: Model, read: Any, detuned: float = 0.0, **pillar: float) -> tuple[float, float]:
    """One figure by Purcell-enhanced rates and by quantised modes; the cavity above the transition by `detuned` kappa."""
    cavity = Micropillar(quality_factor=quality(kappa), detuning_ueV=detuned * kappa * HBAR, **pillar)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RatePictureWarning)
        rates = read(through(cavity, model, "rates"))
    return rates, read(through(cavity, model))


FIGURES = {
    "mean time": (lambda e: e.arrival_times(e.model.lines[:1] if "mode" not in e.model.lines else "mode").mean_first_ns, 1),
    "share": (lambda e: 1 - e.photon_numbers("side").mean_photons, 1),
}


@pytest.mark.parametrize("detuned", [0.0, 0.4, -1.1])
@pytest.mark.parametrize("name", FIGURES)
def test_modes_tend_to_rates_as_the_cavity_gets_faster(name: str, detuned: float) -> None:
    """The deviation falls as 1 / kappa at fixed F and Delta / kappa, and extrapolates to nothing: Richardson on four cavities, to 1e-6."""
    read, order = FIGURES[name]
    kappas = [400.0 * 2**k for k in range(4)]
    both = [by_rates_and_modes(k, exciton(), read, detuned, purcell_factor=4.0) for k in kappas]
    deviation = np.array([modes - rates for rates, modes in both])
    np.testing.assert_allclose(deviation[:-1] / deviation[1:], 2.0**order, rtol=0.05)
    table = deviation
    for k in range(order, order + 3):  # of orders 1, 2, 3 in 1 / kappa
        table = (2**k * table[1:] - table[:-1]) / (2**k - 1)
    assert abs(table[0]) < 1e-6 * abs(deviation[0]) + 1e-10


@pytest.mark.parametrize("detuned", [0.0, 0.6])
def test_a_detuned_line_emits_as_its_lorentzian_says(detuned: float) -> None:
    """Far in the rate limit: the decay of the excited level at F r / (1 + (2 Delta/kappa)^2) + r, from the trace of the side light."""
    kappa, enhancement = 4e4, 4.0
    pillar = Micropillar(quality_factor=quality(kappa), purcell_factor=enhancement, detuning_ueV=detuned * kappa * HBAR)
    rate = 1 + enhancement / (1 + (2 * detuned) ** 2)
    assert pillar.purcell(detuned * pillar.kappa_ueV) + 1 == pytest.approx(rate, rel=1e-13)
    early, late = through(pillar, exciton()).emission_profile([0.1, 0.4], "side").value
    assert math.log(early / late) / 0.3 == pytest.approx(rate, rel=2e-4)


def test_each_polarisation_meets_its_own_mode() -> None:
    """H and V modes split by hv, X_H and X_V by the fine structure: shares of H and V by rates, from each line's own detuning."""
    dot = PolarisedCascade(lifetime_XX_ns=0.5, lifetime_X_ns=0.8, fss_ueV=30.0, binding_energy_ueV=80.0)
    pillar = Micropillar(quality_factor=9350, purcell_factor=3.0, detuning_ueV=12.0, hv_splitting_ueV=-50.0, side_emission=0.7)
    exp = through(pillar, prepared(dot), "rates")

    def enhanced(energy: float, mode: float) -> float:
        return 3.0 / (1 + (2 * (energy - mode) / pillar.kappa_ueV) ** 2)

    middle = dot.binding_energy_ueV / 2
    modes = {"H": 12.0 - 25.0, "V": 12.0 + 25.0}
    x = {p: middle + s * 15.0 for p, s in (("H", 1), ("V", -1))}
    first = {p: enhanced(-x[p], modes[p]) for p in "HV"}  # XX lies at 0
    second = {p: enhanced(x[p], modes[p]) for p in "HV"}
    away = sum(f + 0.7 for f in first.values())
    for p in "HV":
        assert exp.photon_numbers(f"XX:{p}").mean_photons == pytest.approx(first[p] / away, rel=1e-11)
        branch = (first[p] + 0.7) / away
        assert exp.photon_numbers(f"X:{p}").mean_photons == pytest.approx(branch * second[p] / (second[p] + 0.7), rel=1e-11)
    fast = replace(pillar, quality_factor=9350 / 400, detuning_ueV=12.0 * 400, hv_splitting_ueV=-50.0 * 400)
    scaled = replace(dot, fss_ueV=30.0 * 400, binding_energy_ueV=80.0 * 400)
    quantised = through(fast, prepared(scaled))
    share = [quantised.photon_numbers(f"mode:{p}").mean_photons for p in "HV"]
    expected = [sum(exp.photon_numbers(f"{line}:{p}").mean_photons for line in ("XX", "X")) for p in "HV"]
    np.testing.assert_allclose(share, expected, rtol=2e-3)


def test_two_modes_against_state_vectors_made_by_hand() -> None:
    """XX through both excitons into an H and a V mode, split and detuned, with side light: P(n, m) by waiting for one photon after the other."""
    kappa, enhancement, side = 6.0, 2.5, 0.4
    dot = PolarisedCascade(lifetime_XX_ns=0.5, lifetime_X_ns=0.8, fss_ueV=0.9 * HBAR, binding_energy_ueV=2.6 * HBAR)
    pillar = Micropillar(quality_factor=quality(kappa), purcell_factor=enhancement, detuning_ueV=0.3 * HBAR, hv_splitting_ueV=0.8 * HBAR, side_emission=side)
    one, low = np.eye(3), ref.lowering(3)
    modes = {"H": ref.product(np.eye(4), low, one), "V": ref.product(np.eye(4), one, low)}

    def step(to: int, start: int) -> np.ndarray:
        return ref.product(ref.ket_bra(4, to, start), one, one)

    energies = {1: 1.3 + 0.45, 2: 1.3 - 0.45}
    h = sum(e * step(x, x) for x, e in energies.items())
    jumps, counted = [], []
    for x, p, centre in ((1, "H", 0.3 + 0.4), (2, "V", 0.3 - 0.4)):
        a = modes[p]
        h = h + centre * a.T @ a
        for to, start, rate in ((x, 3, 1.0), (0, x, 1.25)):
            emit = math.sqrt(enhancement * rate * kappa) / 2 * a.T @ step(to, start)
            h = h + emit + emit.T
            jumps.append(math.sqrt(side * rate) * step(to, start))
        counted.append(math.sqrt(kappa) * a)
    end = ref.ket_bra(36, 0, 0)
    still = -1j * h - sum(c.conj().T @ c for c in (*jumps, *counted)) / 2 - end
    expected = np.zeros((3, 3))
    for path in itertools.product((None, "H", "V"), repeat=2):
        rho = ref.ket_bra(36, 27, 27)
        for which in path:
            mixed = ref.waiting(still, rho)
            clicks = jumps if which is None else [counted["HV".index(which)]]
            rho = sum(c @ mixed @ c.conj().T for c in clicks)
        expected[path.count("H"), path.count("V")] += np.trace(rho).real
    found = through(pillar, prepared(dot)).joint_photon_numbers(("mode:H", "mode:V"), max=2)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-11)
    assert found.probabilities[2, 0] > 0.01
    assert abs(found.probabilities[2, 0] / found.probabilities[0, 2] - 1) > 0.05


def test_a_collective_jump_and_repeated_transitions_share_the_mode() -> None:
    """Both steps by one jump, or each by two jumps of half the rate: the same couplings."""
    pillar = Micropillar(quality_factor=quality(5.0), purcell_factor=2.0)
    steps = (("XX", "X"), ("X", "G"))
    variants = (
        (Jump(steps, (2.0, 1.0), "light"),),
        (Jump.of("XX", "X", 2.0, "light"), Jump.of("X", "G", 1.0, "light")),
        (Jump.of("XX", "X", 1.5, "light"), Jump.of("XX", "X", 0.5, "light"), Jump.of("X", "G", 1.0, "light")),
    )
    found = [pillar.with_modes(Model(("G", "X", "XX"), start="XX", jumps=j)) for j in variants]
    for model in found:
        np.testing.assert_allclose(model.cavities[0].g_per_ns, [math.sqrt(2.0 * r * 5.0) / 2 for r in (2.0, 1.0)], rtol=1e-12)
    times = [qdot.Experiment(m).arrival_times("mode").mean_delay_ns for m in found]
    np.testing.assert_allclose(times, times[0], rtol=1e-11)


def test_only_the_lines_that_are_named_meet_the_cavity() -> None:
    model = Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 2.0, "XX"), Jump.of("X", "G", 1.0, "X")), groups={"pair": ("XX", "X")})
    pillar = Micropillar(quality_factor=quality(300.0), purcell_factor=3.0)
    exp = through(pillar, model, "rates", lines=("X",))
    np.testing.assert_allclose([exp.photon_numbers(n).mean_photons for n in ("XX", "X", "side")], [1.0, 0.75, 0.25], rtol=1e-12)
    assert exp.arrival_times("XX").mean_first_ns == pytest.approx(0.5, rel=1e-12)
    quantised = through(pillar, model, lines=("X",))
    assert set(quantised.model.lines) == {"XX", "side", "mode"}
    assert quantised.model.groups == {}


# ---- warnings and number states --------------------------------------------------------------------------------------------------------------------


def test_rates_warn_where_light_acts_back() -> None:
    """A rate into the mode above a tenth of kappa warns and says the share; below it does not."""
    for kappa, warned in ((9.9, True), (10.1, False)):
        pillar = Micropillar(quality_factor=quality(kappa), purcell_factor=1.0)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            pillar.with_rates(exciton())
        assert [w.category for w in seen] == ([RatePictureWarning] if warned else [])
        if warned:
            assert "of kappa" in str(seen[0].message)
    with pytest.warns(RatePictureWarning, match="use quantised modes"):
        through(Micropillar(quality_factor=quality(1.0), purcell_factor=5.0), exciton(), "rates").photon_numbers("X")


@pytest.mark.parametrize("rtol", [1e-3, 1e-9])
@pytest.mark.parametrize("kappa", [10.0, 1.5])
def test_number_states_are_chosen_to_the_tolerance(kappa: float, rtol: float) -> None:
    """A pumped emitter, up to a one-atom laser: enough states for flux and g2 within the bound, and no more than a few too many."""
    dot, pillar = TwoLevel(pump_per_ns_per_uW=1.0), Micropillar(quality_factor=quality(kappa), purcell_factor=5.0)
    exp = qdot.Experiment(InMicropillar(source=dot, pillar=pillar), drive=CW(power_uW=3.0), rtol=rtol)
    fixed = qdot.Experiment(InMicropillar(source=dot, pillar=pillar, fock=30), drive=CW(power_uW=3.0), rtol=1e-6)
    for read in (lambda e: e.flux_per_ns("mode"), lambda e: e.g2_zero("mode"), lambda e: e.flux_per_ns("side")):
        found, exact = read(exp), float(read(fixed))
        assert abs(found / exact - 1) <= found.error_bound
        assert found.error_bound <= rtol
    assert exp.model.cavities[0].fock < (9 if rtol == 1e-3 else 16)


def test_number_states_suffice_for_the_light_of_the_mode_alone() -> None:
    """A strongly coupled laser: g2 of the mode needs more states than that of all light, of which little comes from it."""
    dot, pillar = TwoLevel(pump_per_ns_per_uW=1.0), Micropillar(quality_factor=quality(0.52), purcell_factor=5.0)
    found = qdot.Experiment(InMicropillar(source=dot, pillar=pillar), drive=CW(power_uW=3.0)).g2_zero("mode")
    assert found.error_bound <= 1e-9


def test_a_cascade_needs_three_number_states_and_a_single_exciton_two() -> None:
    pillar = Micropillar(quality_factor=quality(5.0), purcell_factor=2.0)
    cascade = Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 2.0, "light"), Jump.of("X", "G", 1.0, "light")))
    assert through(pillar, cascade).model.cavities[0].fock == 3
    assert through(pillar, exciton()).model.cavities[0].fock <= 3


def test_number_states_of_a_source_that_a_static_term_or_a_pulse_drives() -> None:
    """Pumped for ever without a drive; rotated by a pulse, with re-excitation: P(n) as with many more states."""
    pillar = Micropillar(quality_factor=quality(8.0), purcell_factor=3.0)
    still = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("G", "X", 0.4)))
    chosen, many = (through(pillar, still, fock=f).g2_zero("mode") for f in (None, 14))
    assert chosen == pytest.approx(float(many), rel=1e-9)
    dot = TwoLevel(rabi_per_ns_per_sqrt_uW=1.0)
    one, two = (qdot.Experiment(InMicropillar(source=dot, pillar=pillar, fock=f), drive=Square(duration_ns=0.5, area_pi=1.0)) for f in (None, 12))
    np.testing.assert_allclose(one.photon_numbers("mode").probabilities, two.photon_numbers("mode").probabilities, rtol=0, atol=1e-9)


# ---- two-photon Purcell emission -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kappa", "gamma", "digits"), [(0.5, 0.01, (0.178748, 0.077018, 0.744234)), (0.2, 0.001, (0.011539, 0.014500, 0.973961))])
def test_two_photon_purcell_emission(kappa: float, gamma: float, digits: tuple[float, ...]) -> None:
    """B10 (del Valle et al., NJP 13, 113014 (2011); digits derived): an H cavity at half the biexciton, X detuned by chi / 2, side rates gamma.

    As a model with a cavity, and as a pillar around the H transitions alone.
    """
    chi, g = 20.0, 1.0
    steps = (("XX", "X_H"), ("X_H", "G"))
    sides = tuple(Jump.of(a, b, gamma, "side") for a, b in (*steps, ("XX", "X_V"), ("X_V", "G")))
    energies = {"X_H": chi / 2 * HBAR, "X_V": chi / 2 * HBAR}
    levels = ("G", "X_H", "X_V", "XX")
    model = Model(levels, start="XX", energies_ueV=energies, jumps=sides, cavities=(Cavity("H", 3, kappa, (g, g), steps, photon="mode"),))
    found = qdot.Experiment(model).photon_numbers("mode", max=3)
    np.testing.assert_allclose(found.probabilities[:3], digits, atol=5.1e-7)
    np.testing.assert_allclose(found.probabilities, ref.two_photon_cavity(g, chi, kappa, gamma), atol=1e-10)
    bare = (*(Jump.of(*s, gamma, "h") for s in steps), *(Jump.of(*s, gamma, "side") for s in (("XX", "X_V"), ("X_V", "G"))))
    pillar = Micropillar(quality_factor=quality(kappa), purcell_factor=4 * g**2 / (kappa * gamma))
    inside = through(pillar, Model(levels, start="XX", energies_ueV=energies, jumps=bare), lines=("h",))
    np.testing.assert_allclose(inside.photon_numbers("mode", max=3).probabilities, found.probabilities, atol=1e-10)


def test_a9_through_a_pillar() -> None:
    """REFERENCE A.9 with kappa / Gamma_P = 10: 4 g^2 / kappa = 1 per ns on both transitions and no other loss."""
    model = Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 0.1, "XX"), Jump.of("X", "G", 0.1, "X")))
    pillar = Micropillar(quality_factor=quality(10.0), purcell_factor=10.0, side_emission=0.0)
    found, closed = through(pillar, model).arrival_times("mode"), ref.ladder_times_closed(10.0, True)
    np.testing.assert_allclose([found.mean_first_ns, found.mean_delay_ns], [closed["mean_first"], closed["mean_delay"]], rtol=1e-11)


# ---- what is refused -------------------------------------------------------------------------------------------------------------------------------

GOOD = Micropillar(purcell_factor=5.0)


@pytest.mark.parametrize(
    ("ask", "argument"),
    [
        (lambda: Micropillar(), "Micropillar"),
        (lambda: Micropillar(purcell_factor=1.0, mode_volume=2.0), "Micropillar"),
        (lambda: Micropillar(purcell_factor=-1.0), "Micropillar.purcell_factor"),
        (lambda: Micropillar(purcell_factor="ten"), "Micropillar.purcell_factor"),
        (lambda: Micropillar(mode_volume=0.0), "Micropillar.mode_volume"),
        (lambda: Micropillar(purcell_factor=1.0, quality_factor=0.0), "Micropillar.quality_factor"),
        (lambda: Micropillar(purcell_factor=1.0, wavelength_nm=math.nan), "Micropillar.wavelength_nm"),
        (lambda: Micropillar(purcell_factor=1.0, detuning_ueV=math.inf), "Micropillar.detuning_ueV"),
        (lambda: Micropillar(purcell_factor=1.0, hv_splitting_ueV="1"), "Micropillar.hv_splitting_ueV"),
        (lambda: Micropillar(purcell_factor=1.0, side_emission=-0.1), "Micropillar.side_emission"),
        (lambda: Micropillar(purcell_factor=1.0, side_leakage=1.2), "Micropillar.side_leakage"),
        (lambda: Micropillar(purcell_factor=1.0, side_leakage=0.7, bottom_loss=0.5), "Micropillar.side_leakage + bottom_loss"),
        (lambda: GOOD.g_per_ns(0.0), "lifetime_ns"),
        (lambda: GOOD.g_per_ns(math.nan), "lifetime_ns"),
        (lambda: GOOD.purcell("far"), "detuning_ueV"),
        (lambda: GOOD.beta(math.nan), "detuning_ueV"),
        (lambda: GOOD.with_rates(exciton(), ["Y"]), "lines"),
        (lambda: GOOD.with_modes(exciton(), fock=1), "cavity[0].fock"),
        (lambda: InMicropillar(source=exciton(), pillar=GOOD, light="waves"), "InMicropillar.light"),
        (lambda: InMicropillar(source=exciton(), pillar=None), "InMicropillar.pillar"),
        (lambda: InMicropillar(source=3, pillar=GOOD), "InMicropillar.source"),
        (lambda: InMicropillar(source=exciton(), pillar=GOOD, start="Y").model(), "start"),
    ],
)
def test_errors_name_the_argument_what_it_must_be_and_what_it_was(ask: Any, argument: str) -> None:
    with pytest.raises(qdot.InputError) as told:
        ask()
    head, _, rest = str(told.value).partition(" must ")
    assert head.startswith(argument)
    assert ", got " in rest


def test_a_source_given_as_matrices_is_refused() -> None:
    model = Model(("G", "X"), jumps=(JumpOperator(ref.ket_bra(2, 0, 1), "X"),))
    with pytest.raises(qdot.InputError, match="write it with transitions and rates"):
        GOOD.with_modes(model)


def test_a_line_that_stays_outside_may_not_be_called_like_the_mode() -> None:
    model = Model(("G", "X", "Y"), start="X", jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("Y", "G", 1.0, "mode")))
    with pytest.raises(qdot.InputError, match="name of its own"):
        GOOD.with_modes(model, ["X"])
