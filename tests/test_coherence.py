"""First-order coherence, spectra and two-photon interference beside closed forms, QuTiP and models written by hand.

The independent functions (tests/independent) share no code with the package; their own laws are in test_independent_coherence.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import qutip
from independent import coherence as ref
from independent import hand
from independent.digits import Light

import qdot
from qdot.drive import CW, Gaussian, Instant, Measured, Square
from qdot.emitters import BrightCascade, PolarisedCascade, TwoLevel
from qdot.model import Cavity, Coupling, Dephasing, Filter, Jump, JumpOperator, Model

HBAR = ref.HBAR
SIGMA = ref.ket_bra(2, 0, 1)
TAU = np.array([0.0, 0.05, 0.3, 1.0, 4.0])
W = np.array([-7.0, -1.3, 0.0, 0.4, 5.9])


def driven(rabi: float, dephasing: float = 0.0, detuning: float = 0.0, **drive: float) -> qdot.Experiment:
    """A two-level emitter of unit lifetime under a continuous laser of this Rabi frequency, X at `detuning` rad/ns."""
    dot = TwoLevel(dephasing_per_ns=dephasing, rabi_per_ns_per_sqrt_uW=rabi, detuning_ueV=detuning * HBAR)
    return qdot.Experiment(dot, drive=CW(power_uW=1.0, **drive))


def pulsed(drive: Any, dephasing: float = 0.0, detuning: float = 0.0) -> qdot.Experiment:
    return qdot.Experiment(TwoLevel(dephasing_per_ns=dephasing, rabi_per_ns_per_sqrt_uW=1.0, detuning_ueV=detuning * HBAR), drive=drive)


def same(found: Any, expected: dict[str, float], rtol: float) -> None:
    """An Interference beside `ref.interference`."""
    assert found.mean_photons == pytest.approx(expected["mean"], rel=rtol)
    assert found.g2_zero == pytest.approx(expected["g2"], rel=rtol)
    assert found.indistinguishability == pytest.approx(expected["M"], rel=rtol)


def all_energies(centre: float, width: float, panels: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Gauss points and weights over the whole axis, dense within a width of the centre (energies in any unit)."""
    u, weight = ref.panels(np.linspace(-math.pi / 2, math.pi / 2, panels + 1), 12)
    return centre + width * np.tan(u), width * weight / np.cos(u) ** 2


# ---- g1 --------------------------------------------------------------------------------------------------------------------------------------------------


def ladder(collective: bool, shift: float) -> Model:
    steps = (("XX", "X"), ("X", "G"))
    light = (Jump(steps, (2.0, 1.0), "light"),) if collective else tuple(Jump.of(a, b, r, "light") for (a, b), r in zip(steps, (2.0, 1.0), strict=True))
    return Model(("G", "X", "XX"), energies_ueV={"XX": -shift * HBAR}, jumps=(*light, Jump.of("G", "X", 0.4), Jump.of("X", "XX", 0.7)))


@pytest.mark.parametrize("shift", [0.0, 1.7])
@pytest.mark.parametrize("collective", [True, False])
def test_g1_of_a_pumped_ladder(collective: bool, shift: float) -> None:
    found = qdot.Experiment(ladder(collective, shift), picture="lindblad").g1(TAU, "light")
    np.testing.assert_allclose(found.value, ref.first_order_closed(2.0, 1.0, 0.4, 0.7, collective, shift, TAU), rtol=1e-11, atol=1e-13)


def test_collective_and_separate_decay_have_the_same_populations_and_different_coherence() -> None:
    together, apart = (qdot.Experiment(ladder(c, 0.0), picture="lindblad") for c in (True, False))
    np.testing.assert_allclose(list(together.populations().values()), list(apart.populations().values()), rtol=1e-12)
    assert together.flux_per_ns("light") == pytest.approx(apart.flux_per_ns("light"), rel=1e-12)
    assert np.max(np.abs(together.g1(TAU, "light").value - apart.g1(TAU, "light").value)) > 0.05
    width = [e.spectrum([0.0], "light").value[0] for e in (together, apart)]
    assert width[0] > 1.1 * width[1]  # one line that both steps share is narrower than two


@pytest.mark.parametrize("energy", [0.0, 3.0, -5.0])
def test_g1_of_pumped_light_turns_with_the_energy_of_the_level(energy: float) -> None:
    """exp(-(gamma + P)/2 tau - gamma* tau - i E tau / hbar), and the conjugate at negative delays."""
    dot = TwoLevel(lifetime_ns=0.8, dephasing_per_ns=0.3, detuning_ueV=energy, pump_per_ns_per_uW=0.2)
    tau = np.array([-2.0, -0.1, 0.0, 0.1, 2.0])
    found = qdot.Experiment(dot, drive=CW(power_uW=1.0)).g1(tau, "X")
    expected = np.exp(-((1 / 0.8 + 0.2) / 2 + 0.3) * np.abs(tau) - 1j * energy * tau / HBAR)
    np.testing.assert_allclose(found.value, expected, rtol=1e-11)


@pytest.mark.parametrize("laser", [-2.0, 1.5])
def test_the_frame_of_a_detuned_laser_is_not_seen(laser: float) -> None:
    """A laser detuned from the frame against the same laser at rest with all energies counted from it: light is shifted by the laser's energy."""
    given = driven(2.0, 0.3, 0.9, detuning_ueV=laser * HBAR)
    turned = driven(2.0, 0.3, 0.9 - laser)
    generator = ref.two_level(2.0, 0.3, 0.9 - laser)
    phase = np.exp(-1j * laser * TAU)
    np.testing.assert_allclose(given.g1(TAU, "X").value, ref.first_order(generator, [SIGMA], TAU) * phase, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(given.g1(TAU, "X").value, turned.g1(TAU, "X").value * phase, rtol=1e-11, atol=1e-13)
    seen = given.spectrum(W * HBAR, "X")
    np.testing.assert_allclose(seen.value * HBAR, ref.steady_spectrum(generator, SIGMA, W - laser), rtol=1e-11)
    assert seen.elastic[0][0] == pytest.approx(laser * HBAR, rel=1e-14)
    delays, width = [-0.4, 0.0, 0.7], 0.8 * HBAR
    near = given.filtered_g2(delays, (2.0 * HBAR, -HBAR), width, "X")
    other = turned.filtered_g2(delays, ((2.0 - laser) * HBAR, (-1.0 - laser) * HBAR), width, "X")
    np.testing.assert_allclose(near.value, other.value, rtol=1e-10)
    np.testing.assert_allclose(given.hom_g2(TAU, "X").value, turned.hom_g2(TAU, "X").value, rtol=1e-10, atol=1e-13)


def test_a_laser_on_one_transition_leaves_the_frame_of_a_collective_jump_one() -> None:
    """XX is tied to nothing by the laser: its part of the frame turns with the light that it shares with X."""
    jumps = (Jump((("XX", "X"), ("X", "G")), (2.0, 1.0), "light"), Jump.of("X", "XX", 0.3))
    laser, model = 1.3, Model(("G", "X", "XX"), energies_ueV={"XX": 0.7 * HBAR}, jumps=jumps, couplings=(Coupling(("G", "X"), 2.0, "laser"),))
    found = qdot.Experiment(model, drive=CW(detuning_ueV=laser * HBAR)).g1(TAU, "light")
    h = ref.ket_bra(3, 1, 0) + ref.ket_bra(3, 0, 1) + np.diag([0.0, -laser, 0.7 - 2 * laser])
    light = math.sqrt(2.0) * ref.ket_bra(3, 1, 2) + ref.ket_bra(3, 0, 1)
    generator = ref.liouvillian(h, [light, math.sqrt(0.3) * ref.ket_bra(3, 2, 1)])
    np.testing.assert_allclose(found.value, ref.first_order(generator, [light], TAU) * np.exp(-1j * laser * TAU), rtol=1e-11, atol=1e-13)


# ---- spectra ---------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_the_line_after_an_ideal_pulse_is_a_lorentzian_at_the_energy_of_the_level(dephasing: float) -> None:
    """Full width gamma + 2 gamma*, above the frame where the level is; all its energies together hold the photon."""
    exp, width, centre = pulsed(Instant(area_pi=1.0), dephasing, 2.0), 1 + 2 * dephasing, 2.0
    w = np.array([-3.0, 1.5, 2.0, 2.2, 9.0])
    found = exp.spectrum(w * HBAR, "X")
    np.testing.assert_allclose(found.value * HBAR, width / 2 / math.pi / ((w - centre) ** 2 + width**2 / 4), rtol=1e-11)
    assert (found.photons, found.unit, found.elastic) == (pytest.approx(1.0, rel=1e-12), "1/ueV", ())
    e, weight = all_energies(centre * HBAR, width * HBAR, 4)
    assert weight @ exp.spectrum(e, "X").value == pytest.approx(1.0, rel=1e-11)


@pytest.mark.parametrize("rabi", [0.1, 0.25, 0.8, 6.0])
def test_the_mollow_spectrum_with_the_elastic_line_apart(rabi: float) -> None:
    """Closed form (0.25 is where the generator cannot be diagonalised), QuTiP's `spectrum`, and both parts of the light."""
    found = driven(rabi).spectrum(W * HBAR, "X")
    np.testing.assert_allclose(found.value * HBAR, ref.mollow(rabi, W), rtol=1e-10)
    assert found.elastic[0] == (0.0, pytest.approx(rabi**2 / (1 + 2 * rabi**2) ** 2, rel=1e-12))
    assert (found.photons, found.unit) == (pytest.approx(rabi**2 / (1 + 2 * rabi**2), rel=1e-12), "1/(ns ueV)")
    sm, w = qutip.Qobj(SIGMA), W[[0, 1, 3, 4]]  # at 0 QuTiP's holds the elastic part
    peer = qutip.spectrum(rabi / 2 * (sm + sm.dag()), w, [sm], sm.dag(), sm, solver="pi")
    np.testing.assert_allclose(found.value[[0, 1, 3, 4]] * HBAR * 2 * math.pi, peer, rtol=1e-8)
    e, weight = all_energies(0.0, max(1.0, rabi) * HBAR)
    scattered = weight @ driven(rabi).spectrum(e, "X").value
    assert scattered + found.elastic[0][1] == pytest.approx(found.photons, rel=1e-9)


def test_the_mollow_triplet_has_its_positions_widths_and_heights() -> None:
    """Side lines at +- Omega of full width 3/2 gamma and a third of the height of the middle one, of full width gamma."""
    rabi = 400.0
    spectrum = lambda w: driven(rabi).spectrum(np.atleast_1d(w) * HBAR, "X").value  # noqa: E731
    for centre, width in ((-rabi, 1.5), (0.0, 1.0), (rabi, 1.5)):
        below, top, above, half_below, half_above = spectrum([centre - 0.01, centre, centre + 0.01, centre - width / 2, centre + width / 2])
        assert top > max(below, above)
        assert (half_below + half_above) / 2 / top == pytest.approx(0.5, rel=1e-4)
    low, middle, high = spectrum([-rabi, 0.0, rabi])
    np.testing.assert_allclose([middle / low, middle / high], 3.0, rtol=1e-4)


@pytest.mark.parametrize(("dephasing", "detuning"), [(0.4, 0.0), (0.0, 2.3), (0.4, -2.3)])
def test_spectrum_of_a_detuned_dephased_emitter(dephasing: float, detuning: float) -> None:
    found = driven(3.0, dephasing, detuning).spectrum(W * HBAR, "X")
    np.testing.assert_allclose(found.value * HBAR, ref.steady_spectrum(ref.two_level(3.0, dephasing, detuning), SIGMA, W), rtol=1e-10)
    assert np.ptp(found.value / found.value[::-1]) > 0.1  # the axis has a direction


@pytest.mark.parametrize("line", ["XX", "X"])
def test_lines_of_a_cascade_after_a_pulse(line: str) -> None:
    """XX is as wide as both levels decay, X as X alone; trace purity gXX / (gXX + gX) of either (B13)."""
    dot = replace(
        BrightCascade(lifetime_XX_ns=1 / 2.3, lifetime_X_ns=1 / 0.9).model(), start="XX", couplings=(), energies_ueV={"X": 1.2 * HBAR, "XX": 0.5 * HBAR}
    )
    dot = replace(dot, jumps=tuple(j for j in dot.jumps if j.drive is None))
    exp, width, centre = qdot.Experiment(dot), {"XX": 3.2, "X": 0.9}[line], {"XX": -0.7, "X": 1.2}[line]
    w = np.array([-4.0, -0.7, 0.0, 1.2, 4.0])
    np.testing.assert_allclose(exp.spectrum(w * HBAR, line).value * HBAR, width / 2 / math.pi / ((w - centre) ** 2 + width**2 / 4), rtol=1e-11)
    assert exp.interference(line).indistinguishability == pytest.approx(2.3 / 3.2, rel=1e-12)


def test_trace_purity_is_two_thirds_where_the_exciton_lives_twice_as_long() -> None:
    """B13, and for other rates against the independent integral of |G1|^2."""
    for rate_XX, rate_X in ((2.0, 1.0), (0.7, 3.1)):
        model = Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", rate_XX, "XX"), Jump.of("X", "G", rate_X, "X")))
        found = [qdot.Experiment(model).interference(line).indistinguishability for line in ("XX", "X")]
        np.testing.assert_allclose(found, rate_XX / (rate_XX + rate_X), rtol=1e-12)
        np.testing.assert_allclose(found, list(ref.trace_purity(rate_XX, rate_X).values()), rtol=1e-11)


def test_spectrum_and_overlap_under_a_pulse_against_double_integrals_over_time() -> None:
    """int int exp(i w (t2 - t1)) <c^+(t1) c(t2)> and int int |.|^2 from exponentials at Gauss points of both times, cut along the diagonal."""
    length, rabi, dephasing, detuning = 0.8, 3.4, 0.25, 1.1
    lit, rest = ref.two_level(rabi, dephasing, detuning), ref.two_level(0.0, dephasing, detuning)
    p, row = ref.trace_row(2) @ ref.left(SIGMA), ref.trace_row(2) @ ref.click(SIGMA)

    def along(generator: np.ndarray, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        return np.array([ref.expm(generator * t) @ x for t in times])

    marks = np.concatenate([np.linspace(0, length, 4), length + np.arange(1.0, 15.0), length + np.arange(16.0, 46.0, 3.0)])
    values, vectors = np.linalg.eig(rest)  # after the pulse
    w = np.array([-2.0, 0.0, 1.1, 3.0])
    spectrum, overlap, mean, pairs = np.zeros(4), 0.0, 0.0, 0.0
    at_end = ref.expm(lit * length) @ ref.density(2, 0)
    for t1, w1 in zip(*ref.panels(marks, 12), strict=True):
        x = ref.expm(lit * t1) @ ref.density(2, 0) if t1 < length else ref.expm(rest * (t1 - length)) @ at_end
        mean += w1 * (row @ x).real
        t2, w2 = ref.panels(np.append(t1, marks[marks > t1]), 12)
        inside = t2 < length
        for y, kind in ((ref.right(SIGMA.T) @ x, "one"), (ref.click(SIGMA) @ x, "two")):
            z = along(lit, y, t2[inside] - t1)
            border = ref.expm(lit * (length - t1)) @ y if t1 < length else y
            late = np.exp(np.outer(t2[~inside] - max(t1, length), values)) * np.linalg.solve(vectors, border) @ vectors.T
            later = np.concatenate([z.reshape(-1, 4), late])
            if kind == "one":
                g = later @ p
                spectrum += w1 * (np.exp(1j * np.outer(w, t2 - t1)) * g).real @ w2 / math.pi
                overlap += 2 * w1 * np.abs(g) ** 2 @ w2
            else:
                pairs += 2 * w1 * (later @ row).real @ w2
    exp = pulsed(Square(duration_ns=length, area_pi=rabi * length / math.pi), dephasing, detuning)
    np.testing.assert_allclose(exp.spectrum(w * HBAR, "X").value * HBAR, spectrum, rtol=1e-9)
    found = exp.interference("X")
    np.testing.assert_allclose([found.mean_photons, found.g2_zero, found.indistinguishability], [mean, pairs / mean**2, overlap / mean**2], rtol=1e-9)


def test_energies_of_a_pulsed_spectrum_hold_all_photons() -> None:
    """A chirped, detuned pulse; far away the spectrum falls as 1 / E^2, which a substitution turns into a constant."""
    exp = pulsed(Gaussian(fwhm_ns=0.3, area_pi=2.0, detuning_ueV=1.0, chirp_per_ns2=3.0), 0.1, 2.0)
    e, weight = all_energies(2.0 * HBAR, 6.0 * HBAR, 20)
    found = exp.spectrum(e, "X")
    assert weight @ found.value == pytest.approx(found.photons, rel=1e-8)
    assert found.photons == pytest.approx(exp.photon_numbers("X").mean_photons, rel=1e-12)


# ---- two-photon interference -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dephasing", [0.0, 0.3, 0.5, 2.0])
def test_indistinguishability_after_an_ideal_pulse(dephasing: float) -> None:
    """M = gamma / (gamma + 2 gamma*), from a rotation, from a start in X, and after loss."""
    m = 1 / (1 + 2 * dephasing)
    found = pulsed(Instant(area_pi=1.0), dephasing).interference("X")
    assert found.indistinguishability == pytest.approx(m, rel=1e-12)
    assert (found.visibility, found.g2_zero) == (pytest.approx(m, rel=1e-12), pytest.approx(0.0, abs=1e-14))
    assert found.relative_visibility == pytest.approx(m, rel=1e-12)
    model = Model(("G", "X"), start="X", jumps=(Jump.of("X", "G", 1.0, "X"),), dephasings=(Dephasing("X", dephasing),))
    lost = qdot.Experiment(model, collection={"X": 0.3}).interference("X")
    assert (lost.indistinguishability, lost.mean_photons) == (pytest.approx(m, rel=1e-12), pytest.approx(0.3, rel=1e-12))


def test_re_excitation_is_not_separable_noise() -> None:
    """B15 (M, V, g2 derived, two calculations) and B1: the formula for separable noise, (V + g2)/(1 - g2), leaves the physical range."""
    found = pulsed(Square(duration_ns=1.0, area_pi=1.0)).interference("X")
    digits = (found.indistinguishability, found.visibility, found.g2_zero, found.mean_photons)
    np.testing.assert_allclose(digits, (0.865354, 0.699893, 0.165462, 1.074037), atol=5.1e-7)
    expected = ref.interference(ref.square_pulse(math.pi, 1.0), SIGMA)
    np.testing.assert_allclose(digits, [expected[k] for k in ("M", "V", "g2", "mean")], rtol=1e-11)
    assert found.visibility == pytest.approx(found.indistinguishability - found.g2_zero, rel=1e-13)
    separable = (found.visibility + found.g2_zero) / (1 - found.g2_zero)
    assert separable == pytest.approx(1.0369, abs=5.1e-5)
    assert separable > 1.0 > found.indistinguishability


def test_a_long_gaussian_pulse_cut_by_its_window() -> None:
    """B3 (parameters read in the authors' notebooks, digits derived): Omega = 0.702 exp(-(t - 5)^2 / (2 2^2)) in the window [0, 13], cut at both ends.

    The pulse is sampled, its field joined by straight lines; the independent calculation takes the same lines, the digits those of the curve.
    """
    t = np.linspace(0.0, 13.0, 521)
    field = 0.702 * np.exp(-((t - 5.0) ** 2) / 8.0)
    drive = Measured(times_ns=tuple(t), intensity=tuple(field**2), area_pi=np.trapezoid(field, t) / math.pi)
    found = pulsed(drive).interference("X", gate_ns=(0.0, 13.0))
    lines = ref.Pulsed(ref.two_level(0.0), ref.RABI, lambda s: np.interp(s, t, field), ref.density(2, 0), t[::2], endless=False)
    expected = ref.interference(lines, SIGMA)
    same(found, expected, 1e-7)
    assert (round(found.mean_photons, 4), round(found.g2_zero, 4)) == (0.9973, 0.4364)


def test_a_short_gaussian_pulse_seen_through_a_gate() -> None:
    """B3: Omega = 19.40 exp(-(t - 0.405)^2 / (2 0.060^2)) in the window [0, 13]; here the pulse begins 8 sigma before its centre, and a gate is the window."""
    sigma, peak = 0.060, 19.40
    drive = Gaussian(fwhm_ns=2 * sigma * math.sqrt(math.log(2)), area_pi=peak * sigma * math.sqrt(2 / math.pi))
    shift = 8 * sigma - 0.405
    found = pulsed(drive).interference("X", gate_ns=(shift, 13.0 + shift))
    expected = ref.interference(replace(ref.gaussian_pulse(peak, sigma, 0.405, 13.0), endless=False), SIGMA)
    same(found, expected, 1e-8)
    assert (round(found.mean_photons, 4), round(found.g2_zero, 4)) == (0.9970, 0.0331)


@pytest.mark.parametrize("dephasing", [0.0, 0.3, 2.0])
def test_a_time_gate_on_both_photons(dephasing: float) -> None:
    """The double integral of exp(-t1 - t2 - 2 dephasing |t1 - t2|) over a square of side w: a short gate makes photons alike."""
    w, d, opens = 1.5, 2 * dephasing, 0.2
    found = pulsed(Instant(area_pi=1.0), dephasing).interference("X", gate_ns=(opens, opens + w))
    square = 2 / (1 + d) * (-math.expm1(-2 * w) / 2 + math.exp(-(1 + d) * w) * math.expm1(-(1 - d) * w) / (1 - d))
    assert found.indistinguishability == pytest.approx(square / math.expm1(-w) ** 2, rel=1e-11)
    assert found.mean_photons == pytest.approx(math.exp(-opens) * -math.expm1(-w), rel=1e-12)
    short = pulsed(Instant(area_pi=1.0), dephasing).interference("X", gate_ns=(0.0, 1e-4))
    assert short.indistinguishability == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("reflectivity", [0.5, 0.37])
def test_coincidences_behind_a_splitter_are_those_of_two_emitters_on_it(reflectivity: float) -> None:
    """Two equal emitters under two pulses whose phase is averaged over, their light mixed before it is counted: <n_c n_d> / mu^2, g2 and all."""
    area, length, dephasing = 2.2, 0.6, 0.2
    r, t = math.sqrt(reflectivity), math.sqrt(1 - reflectivity)
    one = np.eye(2)
    a, b = np.kron(SIGMA, one), np.kron(one, SIGMA)
    c, d = t * a + r * b, r * a - t * b
    still = ref.liouvillian(np.zeros((4, 4)), [c, d, *(math.sqrt(2 * dephasing) * m.T @ m for m in (a, b))])
    start, found = ref.density(4, 0), 0.0
    for phase in np.arange(4) * math.pi / 2:  # what interferes turns once or not at all with the phase, or twice
        h = area / length / 2 * (a + a.T + np.exp(1j * phase) * b.T + np.exp(-1j * phase) * b)
        source = ref.Pulsed(still, ref.commutator(h), hand.square(0.0, length), start, hand.cuts(0.0, length, step=0.12))
        both = ref.pair_integral(source, [c, d]) - ref.pair_integral(source, [c]) - ref.pair_integral(source, [d])
        mean = ref.total(source, [a])
        found += both / 2 / mean**2 / 4
    exp = pulsed(Square(duration_ns=length, area_pi=area / math.pi), dephasing)
    seen = exp.interference("X", reflectivity=reflectivity)
    assert seen.coincidences == pytest.approx(found, rel=1e-10)
    assert seen.visibility == pytest.approx(1 - 2 * found, rel=1e-10)


def test_contrast_of_the_splitter_lowers_what_interferes_only() -> None:
    exp = pulsed(Square(duration_ns=0.6, area_pi=0.9), 0.2)
    ideal, blurred = exp.interference("X"), exp.interference("X", contrast=0.9)
    assert blurred.coincidences_distinguishable == ideal.coincidences_distinguishable
    lost = [e.coincidences_distinguishable - e.coincidences for e in (ideal, blurred)]
    assert lost[1] == pytest.approx(0.81 * lost[0], rel=1e-12)
    none = exp.interference("X", contrast=0.0)
    assert none.relative_visibility == pytest.approx(0.0, abs=1e-14)
    through = exp.interference("X", reflectivity=0.0)
    assert through.coincidences == pytest.approx(1.0, rel=1e-13)


@pytest.mark.parametrize(("dephasing", "width", "centre"), [(0.0, 0.7, 0.0), (0.6, 0.7, 0.3), (0.6, 3.0, 1.0)])
def test_indistinguishability_behind_a_filter(dephasing: float, width: float, centre: float) -> None:
    """An ideal photon behind a Lorentzian filter, in the frequency plane: the emitter's two-frequency correlation in closed form."""
    exp = pulsed(Instant(area_pi=1.0), dephasing).filtered(Filter("narrow", "X", width * HBAR, centre * HBAR, fock=2))
    found = exp.interference("narrow")
    u, weight = ref.panels(np.linspace(-math.pi / 2, math.pi / 2, 25), 16)
    w, weight = np.tan(u), weight / np.cos(u) ** 2
    passed = weight * (width**2 / 4) / ((w - centre) ** 2 + width**2 / 4)
    amplitude = 1 / (0.5 + dephasing - 1j * w)
    both = (amplitude[:, None] + amplitude.conj()[None, :]) / (1 - 1j * (w[:, None] - w[None, :])) / (2 * math.pi)
    mean = passed @ both.diagonal().real
    assert found.mean_photons == pytest.approx(mean, rel=1e-8)
    assert found.indistinguishability == pytest.approx(passed @ np.abs(both) ** 2 @ passed / mean**2, rel=1e-7)


def test_gates_and_stages_do_not_mix() -> None:
    """Loss changes neither M nor g2, a gate and a filter do."""
    exp = pulsed(Square(duration_ns=0.8, area_pi=0.8), 0.2)
    full, lost = exp.interference("X"), exp.replace(collection={"X": 0.2}).interference("X")
    for name in ("indistinguishability", "g2_zero", "visibility"):
        assert lost.figures()[name] == pytest.approx(full.figures()[name], rel=1e-12), name
    assert lost.mean_photons == pytest.approx(0.2 * full.mean_photons, rel=1e-12)
    assert (lost.stage, full.stage) == ("first_lens", "emission")
    assert exp.replace(collection={"X": 0.2}).interference("X", stage="emission").mean_photons == pytest.approx(full.mean_photons, rel=1e-13)


def test_lines_that_can_be_told_apart_interfere_each_with_itself() -> None:
    """M of two lines together is the sum of their |G1|^2 over the square of all photons."""
    model = Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 2.0, "XX"), Jump.of("X", "G", 1.0, "X")))
    source, lines = ref.cascade(2.0, 1.0)
    expected = sum(ref.coherence_integral(source, c) for c in lines.values()) / 4
    assert qdot.Experiment(model).interference(["XX", "X"]).indistinguishability == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("dephasing", "detuning"), [(0.0, 0.0), (0.3, 1.5)])
def test_hom_of_continuous_light_is_that_of_two_emitters_on_a_splitter(dephasing: float, detuning: float) -> None:
    """Two driven emitters whose phase is averaged over, their light mixed by half: the cross-correlation of the outputs."""
    rabi, one = 1.7, np.eye(2)
    a, b = np.kron(SIGMA, one), np.kron(one, SIGMA)
    c, d = (a + b) / math.sqrt(2), (a - b) / math.sqrt(2)
    g2, flux = np.zeros(len(TAU)), 0.0
    row = ref.trace_row(4)
    for phase in np.arange(4) * math.pi / 2:
        h = rabi / 2 * (a + a.T + np.exp(1j * phase) * b.T + np.exp(-1j * phase) * b) + detuning * (a.T @ a + b.T @ b)
        generator = ref.liouvillian(h, [c, d, *(math.sqrt(2 * dephasing) * m.T @ m for m in (a, b))])
        x = ref.steady(generator)
        flux = (row @ ref.click(a) @ x).real
        g2 += np.array([(row @ ref.click(d) @ ref.expm(generator * t) @ ref.click(c) @ x).real for t in TAU]) / flux**2 / 4
    found = driven(rabi, dephasing, detuning).hom_g2(TAU, "X")
    np.testing.assert_allclose(found.value, g2, rtol=1e-10, atol=1e-12)


# ---- trains ----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["square", "gaussian"])
def test_a_train_that_remembers_against_one_made_by_hand(shape: str) -> None:
    """A period of 1.3 lifetimes, complex H and jumps: M, g2 and spectra of one period of the periodic steady state."""
    h, c_ops, a = hand.decaying_model(np.random.default_rng(101 if shape == "square" else 103), 3)
    period = 1.3
    if shape == "square":
        drive: Any = Square(duration_ns=0.5, start_ns=0.2, period_ns=period)
        envelope, edges = hand.square(0.2, 0.5), hand.cuts(0.0, 0.2, 0.7, period, step=0.04)
    else:
        drive = Gaussian(fwhm_ns=0.08, start_ns=0.1, period_ns=period)
        width = 16 * drive.sigma_ns
        envelope, edges = hand.gaussian(drive.sigma_ns, 0.1), hand.cuts(0.0, 0.1, 0.1 + width, period, step=0.04)
    source = hand.in_a_train(hand.pulsed(h, c_ops, a, envelope, edges))
    exp = qdot.from_qutip([h, [a, drive]], c_ops, {"a": [0], "b": [1]})
    for line, c in (("a", c_ops[0]), ("b", c_ops[1])):
        found, expected = exp.interference(line), ref.interference(source, c)
        same(found, expected, 1e-10)
        np.testing.assert_allclose(exp.spectrum(W * HBAR, line).value * HBAR, hand.spectrum_in_a_period(source, c, W), rtol=1e-9)
    gate, expected = exp.interference("a", gate_ns=(0.3, 0.9)), ref.interference(ref.gated(source, 0.3, 0.9), c_ops[0], 0.3)
    same(gate, expected, 1e-10)


def test_a_slow_train_repeats_the_single_pulse() -> None:
    once, train = pulsed(Square(duration_ns=0.5, area_pi=1.0)), pulsed(Square(duration_ns=0.5, area_pi=1.0, period_ns=60.0))
    for name, value in once.interference("X").figures().items():
        assert train.interference("X").figures()[name] == pytest.approx(value, rel=1e-10), name
    np.testing.assert_allclose(train.spectrum(W, "X").value, once.spectrum(W, "X").value, rtol=1e-10)


# ---- operators with phases, jumps into superpositions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_continuous_light_of_a_random_complex_model(seed: int) -> None:
    """g1, spectra, filtered g2 and HOM, H and all jumps complex without a zero: no transposed operator and no missed conjugate goes unseen."""
    rng = np.random.default_rng(seed)
    n = 2 + seed % 3
    h, c_ops = hand.dense_model(rng, n, 3)
    exp, generator = qdot.from_qutip(h, c_ops, {"a": [0], "b": [1, 2]}), ref.liouvillian(h, c_ops)
    np.testing.assert_allclose(exp.g1(TAU, "a").value, ref.first_order(generator, c_ops[:1], TAU), atol=1e-11)
    np.testing.assert_allclose(exp.g1(-TAU, "b").value, ref.first_order(generator, c_ops[1:], TAU).conj(), atol=1e-11)
    for label, emit in (("a", c_ops[:1]), ("b", c_ops[1:])):
        found = exp.spectrum(W * HBAR, label)
        expected = sum(ref.steady_spectrum(generator, c, W) for c in emit)
        np.testing.assert_allclose(found.value * HBAR, expected, rtol=1e-10, atol=1e-12 * expected.max())
        assert found.elastic[0][1] == pytest.approx(sum(abs(ref.fluctuation(generator, c)[1]) ** 2 for c in emit), rel=1e-10)
        assert found.window == "continuous"  # H may hold the laser
    wrong = ref.liouvillian(h.T, c_ops), ref.liouvillian(h, [c.conj() for c in c_ops])
    for other, emit in zip(wrong, (c_ops[:1], [c_ops[0].conj()]), strict=True):
        assert np.max(np.abs(ref.first_order(other, emit, TAU) - ref.first_order(generator, c_ops[:1], TAU))) > 1e-3
    np.testing.assert_allclose(
        exp.hom_g2(TAU, "a").value, (exp.g2(TAU, "a").value + 1 - np.abs(ref.first_order(generator, c_ops[:1], TAU)) ** 2) / 2, atol=1e-11
    )


@pytest.mark.parametrize("seed", range(12))
def test_sparse_models_whose_jumps_prepare_superpositions(seed: int) -> None:
    """Most of the density matrix is never reached, or never comes back to the populations: what is dropped must not be seen."""
    rng = np.random.default_rng(40 + seed)
    h, c_ops = hand.sparse_model(rng, 4, 2)
    generator = ref.liouvillian(h, c_ops)
    exp = qdot.from_qutip(h, c_ops, {"a": [0, 2], "b": [1, 3]})
    for label, emit in (("a", [c_ops[0], c_ops[2]]), ("b", [c_ops[1], c_ops[3]])):
        np.testing.assert_allclose(exp.g1(TAU, label).value, ref.first_order(generator, emit, TAU), atol=1e-11)
        expected = sum(ref.steady_spectrum(generator, c, W) for c in emit)
        np.testing.assert_allclose(exp.spectrum(W * HBAR, label).value * HBAR, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def superposing() -> tuple[Model, list[np.ndarray], np.ndarray]:
    """P -> A + B in one jump. Another one takes B to A and G to itself with one phase: the field of A - G sees rho_AB by it, and no population does."""
    light, other = ref.ket_bra(4, 0, 1), ref.ket_bra(4, 0, 2)
    split = 0.8 * ref.ket_bra(4, 1, 3) + 0.6 * np.exp(0.4j) * ref.ket_bra(4, 2, 3)
    mixed = 0.9 * ref.ket_bra(4, 1, 2) + 0.8j * ref.ket_bra(4, 0, 0)
    feed, h = 0.7 * ref.ket_bra(4, 3, 0), np.diag([0.0, 1.0, 1.7, 0.0]).astype(complex)
    jumps = (JumpOperator(light, "light"), JumpOperator(other, "other"), JumpOperator(split), JumpOperator(mixed))
    return Model(("G", "A", "B", "P"), energies_ueV={"A": HBAR, "B": 1.7 * HBAR}, jumps=jumps), [light, other, split, mixed, feed], h


def test_a_coherence_that_never_comes_back_to_the_populations_is_seen_by_a_field() -> None:
    model, c_ops, h = superposing()
    generator = ref.liouvillian(h, c_ops)
    x = ref.steady(generator)
    assert abs(x[2 * 4 + 1]) > 0.01  # rho_AB
    seen = ref.trace_row(4) @ ref.left(c_ops[0]) @ ref.expm(generator) @ ref.right(c_ops[0].T)
    assert abs(seen[1 * 4 + 2]) > 0.01  # by the field, a while after its other half
    exp = qdot.Experiment(replace(model, jumps=(*model.jumps, JumpOperator(c_ops[-1]))))
    np.testing.assert_allclose(exp.g1(TAU, "light").value, ref.first_order(generator, c_ops[:1], TAU), atol=1e-11)
    np.testing.assert_allclose(exp.spectrum(W * HBAR, "light").value * HBAR, ref.steady_spectrum(generator, c_ops[0], W), rtol=1e-10)


def test_a_train_remembers_such_a_coherence_too() -> None:
    """The same source, fed by the pulses of a train: at the start of a period A and B still have a phase, which no population tells."""
    model, (*c_ops, feed), h = superposing()
    period, length = 0.9, 0.3
    exp = qdot.Experiment(replace(model, jumps=(*model.jumps, JumpOperator(feed, drive="laser"))), drive=Square(duration_ns=length, period_ns=period))
    still, edges = ref.liouvillian(h, c_ops), hand.cuts(0.0, length, period, step=0.15)
    source = hand.in_a_train(ref.Pulsed(still, ref.dissipator(feed), hand.square(0.0, length), ref.density(4, 0), edges))
    assert abs(source.start[2 * 4 + 1]) > 0.01
    same(exp.interference("light"), ref.interference(source, c_ops[0]), 1e-10)
    np.testing.assert_allclose(exp.spectrum(W * HBAR, "light").value * HBAR, hand.spectrum_in_a_period(source, c_ops[0], W), rtol=1e-9)


def test_light_of_a_pulse_beside_a_detuned_laser_has_the_energies_of_the_laboratory() -> None:
    """X prepared by a pulse and dressed by a laser on X-XX, detuned from the frame: XX turns with the laser, the lines stand where they are."""
    laser, rabi = 1.7, 3.0
    jumps = (Jump.of("XX", "X", 1.5, "XX"), Jump.of("X", "G", 1.0, "X"))
    couplings = (Coupling(("G", "X"), 1.0, "pulse"), Coupling(("X", "XX"), rabi, "laser"))
    model = Model(("G", "X", "XX"), energies_ueV={"X": 0.4 * HBAR, "XX": 0.9 * HBAR}, jumps=jumps, couplings=couplings)
    exp = qdot.Experiment(model, drive=(Square(name="pulse", duration_ns=0.5, area_pi=0.8), CW(name="laser", detuning_ueV=laser * HBAR)))
    lines = {"XX": math.sqrt(1.5) * ref.ket_bra(3, 1, 2), "X": ref.ket_bra(3, 0, 1)}
    h = np.diag([0.0, 0.4, 0.9 - laser]) + rabi / 2 * (ref.ket_bra(3, 2, 1) + ref.ket_bra(3, 1, 2))
    pulse = 0.8 * math.pi / 0.5 / 2 * ref.ket_bra(3, 1, 0)
    source = hand.pulsed(h.astype(complex), list(lines.values()), pulse, hand.square(0.0, 0.5), hand.cuts(0.0, 0.5, step=0.1))
    for line, shift in (("XX", laser), ("X", 0.0)):
        found = exp.spectrum(W * HBAR, line)
        np.testing.assert_allclose(found.value * HBAR, ref.pulsed_spectrum(source, lines[line], W - shift), rtol=1e-9)
        same(exp.interference(line), ref.interference(source, lines[line]), 1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_pulsed_light_of_a_random_complex_model(seed: int) -> None:
    """Interference, gated too, and spectra under a Gaussian, a square and a sampled pulse."""
    rng = np.random.default_rng(20 + seed)
    h, c_ops, a = hand.decaying_model(rng, 3)
    if seed == 0:
        drive: Any = Square(duration_ns=0.7)
        envelope, edges = hand.square(0.0, 0.7), hand.cuts(0.0, 0.7, step=0.05)
    elif seed == 1:
        drive = Gaussian(fwhm_ns=0.3)
        envelope, edges = hand.gaussian(drive.sigma_ns), hand.cuts(0.0, 16 * drive.sigma_ns, step=0.06)
    else:
        drive = Measured(times_ns=(0.0, 0.2, 0.5, 0.9), intensity=(0.0, 1.0, 0.5, 0.0))
        envelope = lambda t: np.interp(t, [0.0, 0.2, 0.5, 0.9], np.sqrt([0.0, 1.0, 0.5, 0.0]))  # noqa: E731
        edges = hand.cuts(0.0, 0.2, 0.5, 0.9, step=0.05)
    source = hand.pulsed(h, c_ops, a, envelope, edges)
    exp = qdot.from_qutip([h, [a, drive]], c_ops, {"a": [0], "b": [1]})
    for gate in (None, (0.2, 1.1)):
        found = exp.interference("a", gate_ns=gate)
        watched = source if gate is None else ref.gated(source, *gate)
        expected = ref.interference(watched, c_ops[0], -math.inf if gate is None else gate[0])
        same(found, expected, 1e-10)
    np.testing.assert_allclose(exp.spectrum(W * HBAR, "a").value * HBAR, ref.pulsed_spectrum(source, c_ops[0], W), rtol=1e-9, atol=1e-13)


def test_an_emitter_in_a_detuned_cavity_against_qutip() -> None:
    """g1 and spectrum of the mode and of the side light, couplings with phases, through `from_qutip` and QuTiP's own regression and spectrum."""
    a, s = qutip.tensor(qutip.qeye(2), qutip.destroy(3)), qutip.tensor(qutip.Qobj(SIGMA), qutip.qeye(3))
    lean = 0.6 * np.exp(0.7j)
    h = 1.3 * a.dag() * a - 0.4 * s.dag() * s + lean * a.dag() * s + np.conj(lean) * s.dag() * a + 0.05 * (np.exp(0.3j) * s.dag() + np.exp(-0.3j) * s)
    c_ops = [math.sqrt(1.5) * np.exp(0.2j) * a, math.sqrt(0.8) * s, math.sqrt(0.05) * s.dag()]
    exp = qdot.from_qutip(h, c_ops, {"mode": [0], "side": [1]}, rtol=1e-6)
    rho = qutip.steadystate(h, c_ops)
    generator = qutip.liouvillian(h, c_ops)
    for label, c in (("mode", c_ops[0]), ("side", c_ops[1])):
        after = qutip.operator_to_vector(rho * c.dag())
        raw = [(c * qutip.vector_to_operator((generator * t).expm() * after)).tr() for t in TAU]
        np.testing.assert_allclose(exp.g1(TAU, label).value, np.array(raw) / raw[0], atol=1e-10)
        w = W[W != 0.0]
        peer = qutip.spectrum(h, w, c_ops, c.dag(), c, solver="pi")
        np.testing.assert_allclose(exp.spectrum(w * HBAR, label).value * HBAR * 2 * math.pi, peer, rtol=1e-7, atol=1e-9 * peer.max())


def test_phases_of_levels_are_not_observable() -> None:
    """A diagonal unitary on H, jumps and drive changes nothing that is seen."""
    rng = np.random.default_rng(8)
    h, c_ops, a = hand.decaying_model(rng, 3)
    turn = np.diag(np.exp(1j * rng.uniform(0, 2 * math.pi, 3)))

    def seen(u: np.ndarray) -> np.ndarray:
        m = [u @ c @ u.conj().T for c in c_ops]
        exp = qdot.from_qutip([u @ h @ u.conj().T, [u @ a @ u.conj().T, Square(duration_ns=0.4)]], m, {"a": [0], "b": [1]})
        i = exp.interference("a")
        return np.array([i.mean_photons, i.g2_zero, i.indistinguishability, *exp.spectrum(W, "a").value, *exp.first_photon([0.1, 0.9], "b").value])

    np.testing.assert_allclose(seen(turn), seen(np.eye(3)), rtol=1e-10)


def test_cavity_light_of_a_named_model_against_its_operators_by_hand() -> None:
    """The same cavity by names: detuned, two transitions in one mode."""
    model = Model(
        ("G", "X", "XX"),
        energies_ueV={"X": 1.0 * HBAR, "XX": 1.5 * HBAR},
        jumps=(Jump.of("XX", "X", 0.7, "side"), Jump.of("X", "G", 0.4, "side")),
        dephasings=(Dephasing("X", 0.2),),
        cavities=(Cavity("H", 3, 2.5, (1.5, 2.0), (("XX", "X"), ("X", "G")), 0.3 * HBAR, "mode"),),
        start="XX",
    )
    one, low = np.eye(3), np.kron(np.eye(3), ref.lowering(3))
    up, down, middle = (np.kron(ref.ket_bra(3, i, j), one) for i, j in ((1, 2), (0, 1), (1, 1)))
    h = middle + 1.5 * np.kron(ref.ket_bra(3, 2, 2), one) + 0.3 * low.T @ low
    emit = low.T @ (1.5 * up + 2.0 * down)
    mode = math.sqrt(2.5) * low
    source = ref.prepared(ref.liouvillian(h + emit + emit.T, [math.sqrt(0.7) * up, math.sqrt(0.4) * down, math.sqrt(0.4) * middle, mode]), 6)
    found, expected = qdot.Experiment(model).interference("mode"), ref.interference(source, mode)
    same(found, expected, 1e-10)
    np.testing.assert_allclose(qdot.Experiment(model).spectrum(W * HBAR, "mode").value * HBAR, ref.pulsed_spectrum(source, mode, W), rtol=1e-9)


# ---- errors -----------------------------------------------------------------------------------------------------------------------------------------------


def stiff_model(seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Three levels; every rate, coupling and energy drawn from 1e-6 to 1e3 per ns; every second one with a collective jump."""
    rng = np.random.default_rng(seed)
    rate = lambda: 10 ** rng.uniform(-6, 3)  # noqa: E731
    c_ops = [math.sqrt(rate()) * ref.ket_bra(3, a, b) for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (1, 1))]
    if seed % 2:
        c_ops[0] = c_ops[0] + np.exp(1j) * math.sqrt(rate()) * ref.ket_bra(3, 1, 2)
    h = np.diag(rng.standard_normal(3) * rate()).astype(complex)
    for a, b in ((0, 1), (1, 2)):
        h[a, b] = rate() * np.exp(1j * rng.uniform(0, 6))
        h[b, a] = h[a, b].conjugate()
    return h, c_ops


@pytest.mark.parametrize("seed", [3, 7, *(pytest.param(s, marks=pytest.mark.slow) for s in range(14, 40))])
def test_stiff_models_keep_their_digits_and_state_their_errors(seed: int) -> None:
    """Nine decades of rates against fifty digits: the true error lies within error_bound, up to a round-off of the largest value (docs/definitions.md)."""
    h, c_ops = stiff_model(seed)
    tau, w = np.array([1e-3, 1.0, 1e2, 1e5]), np.array([-1e2, -1.0, 0.0, 1e-3, 20.0])
    light = Light(h, c_ops, c_ops[0])
    exp = qdot.from_qutip(h, c_ops, {"a": [0], "b": [1]}, rtol=1e-7)
    found, exact = exp.g1(tau, "a"), light.g1(tau)
    for a, b in ((found.value.real, exact.real), (found.value.imag, exact.imag)):
        assert np.all(np.abs(a - b) <= found.error_bound * np.maximum(np.abs(b), 1e-12) + 1e-16)
    seen, expected = exp.spectrum(w * HBAR, "a"), light.spectrum(w)
    assert np.all(np.abs(seen.value * HBAR - expected) <= seen.error_bound * np.maximum(np.abs(expected), 1e-12) + 1e-16 * expected.max())
    assert seen.elastic[0][1] == pytest.approx(light.elastic, rel=1e-12)
    assert seen.photons == pytest.approx(float(light.flux.real), rel=1e-12)


def test_error_bounds_cover_what_is_wrong() -> None:
    """Closed forms: spectra of a decay and of the Mollow triplet, M after a pulse, g1 of pumped light."""
    w = np.array([-3.0, 0.1, 2.0])
    seen = driven(0.8).spectrum(w * HBAR, "X")
    assert np.max(np.abs(seen.value * HBAR / ref.mollow(0.8, w) - 1)) <= seen.error_bound
    for dephasing in (0.0, 0.3, 2.0):
        found = pulsed(Instant(area_pi=1.0), dephasing).interference("X")
        assert abs(found.indistinguishability * (1 + 2 * dephasing) - 1) <= found.errors["indistinguishability"]
        assert abs(found.mean_photons - 1) <= found.errors["mean_photons"]
    curve = qdot.Experiment(ladder(True, 1.7), picture="lindblad").g1(TAU, "light")
    exact = ref.first_order_closed(2.0, 1.0, 0.4, 0.7, True, 1.7, TAU)
    assert np.all(np.abs(curve.value - exact) <= curve.error_bound * np.maximum(np.abs(exact), 1e-12) + 1e-16)


# ---- what is refused --------------------------------------------------------------------------------------------------------------------------------------


def test_rate_equations_refuse_what_needs_fields_by_name() -> None:
    dot = PolarisedCascade(pump_per_ns_per_uW=0.1)
    light, pulse = (qdot.Experiment(dot, drive=d, picture="rate") for d in (CW(power_uW=1.0), Square(duration_ns=0.1, pulse_energy_fJ=1.0)))
    asked = {
        "g1": lambda: light.g1([0.0], "X"),
        "hom_g2": lambda: light.hom_g2([0.0], "X"),
        "spectrum": lambda: light.spectrum([0.0], "X"),
        "filtered_g2": lambda: light.filtered_g2([0.0], (0.0, 0.0), 1.0, "X"),
        "interference": lambda: pulse.interference("X"),
        "two_photon_state": lambda: pulse.two_photon_state(),
    }
    for name, ask in asked.items():
        with pytest.raises(qdot.InputError, match=f"{name} must be asked of the Lindblad picture"):
            ask()
    assert abs(qdot.Experiment(dot, drive=CW(power_uW=1.0)).g1([0.0], "X").value[0] - 1) < 1e-12  # unless the picture was asked for, it is changed


def test_light_that_a_drive_makes_has_no_field_of_its_own() -> None:
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X", drive="laser"), Jump.of("G", "X", 0.3)))
    with pytest.raises(qdot.InputError, match="no drive multiplies"):
        qdot.Experiment(model, drive=CW()).g1([0.0], "X")


def test_a_source_that_ends_in_one_of_two_dark_states_has_a_spectrum_and_interferes() -> None:
    """X -> G with a photon or X -> D without: half a photon, as alike as if the other branch were more loss."""
    exp = qdot.Experiment(Model(("G", "D", "X"), start="X", jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("X", "D", 1.0))))
    w = np.array([0.0, 1.5])
    np.testing.assert_allclose(exp.spectrum(w * HBAR, "X").value * HBAR, 0.5 / math.pi / (w**2 + 1), rtol=1e-12)
    found = exp.interference("X")
    assert (found.mean_photons, found.indistinguishability) == (pytest.approx(0.5, rel=1e-12), pytest.approx(1.0, rel=1e-12))


def test_endless_light_has_no_total() -> None:
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("G", "X", 0.3)), couplings=(Coupling(("G", "X"), 1.0, "laser"),))
    exp = qdot.Experiment(model, drive=Square(duration_ns=0.5, area_pi=1.0))
    for ask in (lambda: exp.interference("X"), lambda: exp.spectrum([0.0], "X")):
        with pytest.raises(qdot.InputError, match="period_ns"):
            ask()
    assert exp.interference("X", gate_ns=(0.0, 0.4)).mean_photons > 0.0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e, p: e.g1([0.0, math.nan], "X"), "tau_ns"),
        (lambda e, p: e.g1([], "X"), "tau_ns"),
        (lambda e, p: e.g1([1j], "X"), "tau_ns"),
        (lambda e, p: e.g1(np.array([1j]), "X"), "tau_ns"),
        (lambda e, p: e.g1(["0.1"], "X"), "tau_ns"),
        (lambda e, p: e.g1([0.0], "Y"), "Y"),
        (lambda e, p: e.g1([0.0], None), "label"),
        (lambda e, p: e.g1([0.0], ["X", 1]), "label"),
        (lambda e, p: e.g1([0.0], "X:H"), "polarisation"),
        (lambda e, p: p.g1([0.0], "X"), "continuous"),
        (lambda e, p: p.hom_g2([0.0], "X"), "continuous"),
        (lambda e, p: e.hom_g2([[0.0]], "X"), "tau_ns"),
        (lambda e, p: e.spectrum([], "X"), "energy_ueV"),
        (lambda e, p: e.spectrum("X", [0.0]), "energy_ueV"),
        (lambda e, p: e.spectrum([math.inf], "X"), "energy_ueV"),
        (lambda e, p: e.spectrum([0.0], "X", stage="fibre"), "stage"),
        (lambda e, p: e.interference("X"), "pulsed"),
        (lambda e, p: p.interference("X", gate_ns=(1.0, 0.5)), "gate_ns"),
        (lambda e, p: p.interference("X", gate_ns=(0.0, 9.0)), "gate_ns"),
        (lambda e, p: p.interference("X", gate_ns=(0.0, math.nan)), "gate_ns"),
        (lambda e, p: p.interference("X", gate_ns=1.0), "gate_ns"),
        (lambda e, p: p.interference("X", gate_ns="12"), "gate_ns"),
        (lambda e, p: p.interference("X", reflectivity=1.5), "reflectivity"),
        (lambda e, p: p.interference("X", reflectivity="half"), "reflectivity"),
        (lambda e, p: p.interference("X", contrast=-0.1), "contrast"),
        (lambda e, p: p.interference("Y"), "Y"),
    ],
)
def test_wrong_arguments_are_told(ask: Any, message: str) -> None:
    with pytest.raises(qdot.InputError, match=message):
        ask(driven(1.0), pulsed(Square(duration_ns=0.5, area_pi=1.0, period_ns=8.0)))


def test_dark_light_is_told() -> None:
    dark, never = driven(0.0), pulsed(Square(duration_ns=0.5, area_pi=0.0))
    lost = driven(1.0).replace(collection={"X": 0.0})
    for ask in (lambda: dark.g1([0.0], "X"), lambda: dark.hom_g2([0.0], "X"), lambda: dark.spectrum([0.0], "X"), lambda: never.interference("X")):
        with pytest.raises(qdot.InputError, match="emit light"):
            ask()
    for ask in (lambda: lost.g1([0.0], "X"), lambda: lost.spectrum([0.0], "X")):
        with pytest.raises(qdot.InputError, match="collect"):
            ask()


def test_far_away_photons_of_an_elastic_line_still_interfere() -> None:
    """g1 falls to the elastic share e of the light, so that coincidences of unlike photons level off at 1 - e^2 / 2 (resonant two-level system)."""
    rabi, gamma = 0.8, 1.0
    cw = qdot.Experiment(qdot.emitters.TwoLevel(lifetime_ns=1.0 / gamma, rabi_per_ns_per_sqrt_uW=rabi), drive=qdot.drive.CW(power_uW=1.0))
    share = gamma**2 / (gamma**2 + 2.0 * rabi**2)
    assert cw.hom_g2([80.0], "X").value[0] == pytest.approx(1.0 - share**2 / 2.0, rel=1e-9)
