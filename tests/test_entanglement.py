"""Photon pairs and their polarisation: density matrix, Bell fidelity, analysed bases, beside closed forms, brute force and models written by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import qutip
from independent import coherence as ref
from independent import hand

import qdot
from qdot.drive import CW, Gaussian, Instant, Measured, Square
from qdot.emitters import PolarisedCascade
from qdot.model import Coupling, Filter, Jump, JumpOperator, Model
from qdot.polarisation import Polarisation, analyser, linear, plate

HBAR = ref.HBAR
JONES = {name: np.array(v) / np.linalg.norm(v) for name, v in {"H": (1, 0), "V": (0, 1), "D": (1, 1), "A": (1, -1), "R": (1, 1j), "L": (1, -1j)}.items()}
OTHER = {"H": "V", "V": "H", "D": "A", "A": "D", "R": "L", "L": "R"}


def prepared(fss_ueV: float, flip: float = 0.0, dephasing: float = 0.0, rate_XX: float = 2.0, rate_X: float = 1.1) -> qdot.Experiment:
    """XX at t = 0, no drive."""
    dot = PolarisedCascade(
        lifetime_XX_ns=1 / rate_XX, lifetime_X_ns=1 / rate_X, fss_ueV=fss_ueV, exciton_flip_per_ns=flip, dephasing_per_ns=dephasing, binding_energy_ueV=0.0
    ).model()
    return qdot.Experiment(replace(dot, start="XX", jumps=tuple(j for j in dot.jumps if j.drive is None)))


def pumped() -> tuple[qdot.Experiment, ref.Polarised]:
    dot = PolarisedCascade(lifetime_XX_ns=0.5, lifetime_X_ns=1 / 1.1, fss_ueV=0.9, exciton_flip_per_ns=0.1, dephasing_per_ns=0.2, pump_per_ns_per_uW=0.06)
    return qdot.Experiment(dot, drive=CW(power_uW=1.0)), ref.polarised_cascade(2.0, 1.1, 0.9, 0.1, 0.2, pump=0.03, pump_XX=0.06)


def same(state: Any, expected: np.ndarray, rtol: float = 1e-10) -> None:
    """A TwoPhotonState beside a density matrix that is not normalised."""
    total = np.trace(expected).real
    assert state.pairs == pytest.approx(total, rel=rtol)
    np.testing.assert_allclose(state.density_matrix, expected / total, rtol=0, atol=rtol)
    assert state.fidelity == pytest.approx(ref.bell_fidelity(expected), rel=rtol)
    assert state.concurrence == pytest.approx(ref.concurrence(expected), abs=1e-7)
    assert state.purity == pytest.approx(np.trace(expected @ expected).real / total**2, rel=rtol)


# ---- the cascade prepared in XX ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fss", "digits"), [(0, 1), (0.5, 0.81705), (1, 0.65114), (2, 0.54886), (5, 0.50852), (10, 0.50216)])
def test_bell_fidelity_against_fine_structure_splitting(fss: float, digits: float) -> None:
    """B14 (formula recalled, Hudson 2007; digits from it): tau_X = 1 ns, F = (1/4)(2 + 2 / (1 + x^2)), x = S tau_X / hbar."""
    found = prepared(fss, rate_X=1.0).two_photon_state()
    assert found.fidelity == pytest.approx(ref.entanglement_closed(1.0, fss), rel=1e-11)
    assert found.fidelity == pytest.approx(digits, abs=5.1e-6)
    assert found.pairs == pytest.approx(1.0, rel=1e-12)
    x = fss / HBAR
    assert found.concurrence == pytest.approx(1 / math.hypot(1, x), abs=2e-8)
    assert found.best_fidelity == pytest.approx((1 + 1 / math.hypot(1, x)) / 2, rel=1e-11)  # a turned Bell state is as good as any


def test_a_gate_of_50_ps_raises_the_fidelity() -> None:
    free, gated = (prepared(2.0, rate_X=1.0).two_photon_state(delay_ns=w) for w in (None, (0.0, 0.05)))
    assert gated.fidelity > 0.99 > 0.6 > free.fidelity
    assert gated.pairs == pytest.approx(-math.expm1(-0.05), rel=1e-11)


@pytest.mark.parametrize("window", [(0.0, math.inf), (0.0, 0.05), (0.3, 2.0), (0.2, math.inf)])
@pytest.mark.parametrize(("fss", "flip", "dephasing"), [(1.3, 0.0, 0.0), (-1.3, 0.2, 0.3), (0.0, 0.5, 0.0)])
def test_flips_dephasing_and_delay_windows_in_closed_form(window: tuple[float, float], fss: float, flip: float, dephasing: float) -> None:
    same(prepared(fss, flip, dephasing).two_photon_state(delay_ns=window), ref.pairs_closed(1.1, fss, flip, dephasing, *window))


def test_negative_delays_are_those_of_an_x_photon_before_the_xx_photon() -> None:
    """None after one preparation; in continuous light those of the next cascade, with the letters exchanged."""
    with pytest.raises(qdot.InputError, match="no coincidences"):
        prepared(1.0).two_photon_state(delay_ns=(-2.0, -0.1))
    same(prepared(1.0).two_photon_state(delay_ns=(-2.0, 0.7)), ref.pairs_closed(1.1, 1.0, begin=0.0, end=0.7))
    exp, dot = pumped()
    turned = replace(dot, first=dot.second, second=dot.first)
    swap = np.eye(4)[[0, 2, 1, 3]]
    before = ref.pairs_in_continuous_light(turned, 0.2, 0.9)
    same(exp.two_photon_state(delay_ns=(-0.9, -0.2)), swap @ before @ swap)
    same(exp.two_photon_state("X", "XX", delay_ns=(0.2, 0.9)), before)
    both = exp.two_photon_state(delay_ns=(-0.3, 0.8))
    same(both, swap @ ref.pairs_in_continuous_light(turned, 0.0, 0.3) @ swap + ref.pairs_in_continuous_light(dot, 0.0, 0.8))


# ---- continuous light ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [(0.0, 0.05), (0.1, 0.9), (3.0, 3.5)])
def test_continuous_light_with_a_delay_window(window: tuple[float, float]) -> None:
    exp, dot = pumped()
    found = exp.two_photon_state(delay_ns=window)
    same(found, ref.pairs_in_continuous_light(dot, *window))
    assert (found.window, found.delay_ns) == ("continuous", window)


def test_accidental_pairs_are_unpolarised() -> None:
    found = pumped()[0].two_photon_state(delay_ns=(300.0, 301.0))
    np.testing.assert_allclose(found.density_matrix, np.eye(4) / 4, atol=1e-9)
    assert found.concurrence == 0.0
    flux = [float(pumped()[0].flux_per_ns(line)) for line in ("XX", "X")]
    assert found.pairs == pytest.approx(flux[0] * flux[1], rel=1e-9)


def test_a_static_drive_is_continuous_light_too() -> None:
    """Pumps without a drive: the window says continuous, and a window of delays is needed."""
    exp, dot = pumped()
    still = replace(exp.model, jumps=tuple(replace(j, drive=None) for j in exp.model.jumps))  # type: ignore[type-var]
    found = qdot.Experiment(still).two_photon_state(delay_ns=(0.1, 0.9))
    same(found, ref.pairs_in_continuous_light(dot, 0.1, 0.9))
    assert found.window == "continuous"
    with pytest.raises(qdot.InputError, match="delay_ns"):
        qdot.Experiment(still).two_photon_state()


@pytest.mark.parametrize("laser", [3.0, -1.0])
def test_the_frame_of_a_detuned_laser_does_not_turn_the_pairs(laser: float) -> None:
    """An H-polarised laser ties X_H and XX, not X_V: the frame must keep the splitting between X_H and X_V, or the pairs would seem to beat."""
    dot = PolarisedCascade(lifetime_XX_ns=0.3, lifetime_X_ns=0.5, fss_ueV=2.0, binding_energy_ueV=10.0, rabi_per_ns_per_sqrt_uW=4.0, exciton_flip_per_ns=0.2)
    found = qdot.Experiment(dot, drive=CW(power_uW=1.0, detuning_ueV=laser)).two_photon_state(delay_ns=(0.0, 1.0))
    by_hand = driven_by_hand(dot, 4.0)
    down = np.diag([0.0, laser, laser, 2 * laser]) / HBAR
    generator = by_hand.still + by_hand.driven - ref.commutator(down)
    same(found, ref.pairs_in_continuous_light(ref.Polarised(generator, *lines(dot)), 0.0, 1.0))
    seen = qdot.Experiment(dot, drive=CW(power_uW=1.0, detuning_ueV=laser)).analysed(XX="D", X="D")
    at_rest = replace(dot.model(), energies_ueV={k: dot.model().energies_ueV.get(k, 0.0) - n * laser for k, n in (("X_H", 1), ("X_V", 1), ("XX", 2))})
    other = qdot.Experiment(at_rest, drive=CW(power_uW=1.0)).analysed(XX="D", X="D")
    np.testing.assert_allclose(seen.g2([0.0, 0.4], "XX:D", "X:D").value, other.g2([0.0, 0.4], "XX:D", "X:D").value, rtol=1e-10)


def test_two_lasers_of_different_colour_make_h_and_v_beat() -> None:
    dot = PolarisedCascade(lifetime_XX_ns=0.3, lifetime_X_ns=0.5).model()
    jumps = (*(j for j in dot.jumps if j.drive is None), Jump.of("X_H", "XX", 0.3))
    model = replace(dot, jumps=jumps, couplings=(Coupling(("G", "X_H"), 2.0, "h"), Coupling(("G", "X_V"), 2.0, "v")))
    exp = qdot.Experiment(model, drive=(CW(name="h", detuning_ueV=1.0), CW(name="v", detuning_ueV=-0.5)))
    with pytest.raises(qdot.InputError, match="one frame for H and V"):
        exp.two_photon_state(delay_ns=(0.0, 1.0))


# ---- driven preparation --------------------------------------------------------------------------------------------------------------------------------


def lines(dot: PolarisedCascade) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Field operators of XX and X; levels G, X_H, X_V, XX."""
    first, second = math.sqrt(0.5 / dot.lifetime_XX_ns), math.sqrt(1 / dot.lifetime_X_ns)
    return (first * ref.ket_bra(4, 1, 3), first * ref.ket_bra(4, 2, 3)), (second * ref.ket_bra(4, 0, 1), second * ref.ket_bra(4, 0, 2))


def driven_by_hand(dot: PolarisedCascade, rabi: float, envelope: Any = np.ones_like, edges: Any = (0.0, 1.0)) -> ref.Pulsed:
    """G-X and X-XX driven with one Rabi frequency by a laser at an angle; X lies half the binding energy above the virtual level."""
    k = {(i, j): ref.ket_bra(4, i, j) for i in range(4) for j in range(4)}
    x, s = dot.binding_energy_ueV / 2, dot.fss_ueV / 2
    h = np.diag([0.0, x + s, x - s, 0.0]) / HBAR
    flip = math.sqrt(dot.exciton_flip_per_ns)
    jumps = [*itertools.chain(*lines(dot)), flip * k[1, 2], flip * k[2, 1]]
    angle = math.pi * dot.drive_angle_pi
    up = math.cos(angle) * (k[1, 0] + k[3, 1]) + math.sin(angle) * (k[2, 0] + k[3, 2])
    return hand.pulsed(h, jumps, rabi / 2 * up, envelope, np.asarray(edges))


DRIVEN = PolarisedCascade(
    lifetime_XX_ns=0.3, lifetime_X_ns=0.5, fss_ueV=2.0, binding_energy_ueV=40.0, rabi_per_ns_per_sqrt_uW=1.0, drive_angle_pi=0.15, exciton_flip_per_ns=0.3
)
"""Light that is polarised between H and V: every entry of the density matrix is different."""


def square_pulse(period_ns: float | None = None) -> tuple[Square, ref.Pulsed]:
    """A pulse of area 2 pi on G-X_H, by both roads."""
    length, area = 0.1, 2.0
    edges = np.linspace(0.0, length, 7)
    if period_ns is not None:
        edges = np.append(edges, np.linspace(length, period_ns, 5)[1:])
    source = driven_by_hand(DRIVEN, area * math.pi / length / math.cos(0.15 * math.pi), hand.square(0.0, length), edges)
    return Square(duration_ns=length, area_pi=area, period_ns=period_ns), source


@pytest.mark.parametrize("window", [(0.0, math.inf), (0.0, 0.04), (0.06, 0.3)])
def test_pairs_of_a_two_photon_pulse_against_brute_force(window: tuple[float, float]) -> None:
    """A window shorter than the pulse, and one that begins within it: the first photon's time is summed over Gauss points by hand."""
    drive, source = square_pulse()
    found = qdot.Experiment(DRIVEN, drive=drive).two_photon_state(delay_ns=window)
    expected = hand.two_photon_matrix(source, *lines(DRIVEN), *window)
    assert np.min(np.abs(expected)) > 1e-6
    same(found, expected, 1e-9)


def test_negative_delays_under_a_pulse_against_brute_force() -> None:
    """X first, then XX from a second excitation."""
    drive, source = square_pulse()
    first, second = lines(DRIVEN)
    swap = np.eye(4)[[0, 2, 1, 3]]
    expected = swap @ hand.two_photon_matrix(source, second, first, 0.0, math.inf) @ swap
    same(qdot.Experiment(DRIVEN, drive=drive).two_photon_state(delay_ns=(-math.inf, 0.0)), expected, 1e-9)
    whole = expected + hand.two_photon_matrix(source, first, second, 0.0, math.inf)
    same(qdot.Experiment(DRIVEN, drive=drive).two_photon_state(), whole, 1e-9)


def test_negative_delays_under_a_laser_that_favours_no_axis() -> None:
    """Continuous driving between H and V: the tensor of an X photon before an XX photon is not symmetric, so that its letters must be exchanged."""
    dot = replace(DRIVEN, rabi_per_ns_per_sqrt_uW=9.0)
    source, (first, second) = driven_by_hand(dot, 9.0), lines(dot)
    generator, swap = source.still + source.driven, np.eye(4)[[0, 2, 1, 3]]
    before = ref.pairs_in_continuous_light(ref.Polarised(generator, second, first), 0.1, 0.4)
    assert np.max(np.abs(swap @ before @ swap - before)) > 0.01 * np.trace(before).real
    same(qdot.Experiment(dot, drive=CW(power_uW=1.0)).two_photon_state(delay_ns=(-0.4, -0.1)), swap @ before @ swap)


@pytest.mark.slow
@pytest.mark.parametrize("window", [(0.0, math.inf), (0.0, 0.05)])
def test_pairs_of_a_gaussian_two_photon_pulse_against_brute_force(window: tuple[float, float]) -> None:
    drive = Gaussian(fwhm_ns=0.03, area_pi=2.0)
    rabi = 2.0 * math.pi / drive.field_integral_ns / math.cos(0.15 * math.pi)
    source = driven_by_hand(DRIVEN, rabi, hand.gaussian(drive.sigma_ns), hand.cuts(0.0, 16 * drive.sigma_ns, step=0.01))
    found = qdot.Experiment(DRIVEN, drive=drive).two_photon_state(delay_ns=window)
    same(found, hand.two_photon_matrix(source, *lines(DRIVEN), *window), 1e-9)


@pytest.mark.parametrize("window", [(0.0, math.inf), (0.03, 0.2)])
def test_pairs_of_a_train_come_from_one_period(window: tuple[float, float]) -> None:
    """Period of three X lifetimes, both photons within it, against the periodic steady state made by hand."""
    period = 0.6
    drive, source = square_pulse(period)
    found = qdot.Experiment(DRIVEN, drive=drive).two_photon_state(delay_ns=window)
    expected = hand.two_photon_matrix(hand.in_a_train(source), *lines(DRIVEN), *window)
    if math.isinf(window[1]):
        same(qdot.Experiment(DRIVEN, drive=drive).two_photon_state(delay_ns=(0.0, period)), expected, 1e-9)
    same(found, expected, 1e-9)


def test_a_slow_train_of_instants_repeats_the_single_preparation() -> None:
    """The last stretch of a period in closed form, whatever the gate: after it nothing is left."""
    model = replace(prepared(1.3, 0.2).model, start="G", couplings=(Coupling(("G", "XX"), 1.0, "laser"),))
    for window in ((0.0, 0.05), (0.3, 2.0), (0.0, math.inf)):
        found = qdot.Experiment(model, drive=Instant(area_pi=1.0, period_ns=80.0)).two_photon_state(delay_ns=window)
        same(found, ref.pairs_closed(1.1, 1.3, 0.2, 0.0, *window))


def test_a_gate_on_a_train_of_picosecond_pulses_is_calculated() -> None:
    """80 MHz, 4 ps, 4 meV of binding energy: optical coherences turn 3000 times per ns for the whole period, which no grid of times could follow."""
    dot = PolarisedCascade(fss_ueV=2.0, rabi_per_ns_per_sqrt_uW=1.0)
    drive = Square(duration_ns=0.004, area_pi=6.6)
    once, train = (qdot.Experiment(dot, drive=replace(drive, period_ns=p), rtol=1e-6).two_photon_state(delay_ns=(0.02, 0.05)) for p in (None, 12.5))
    np.testing.assert_allclose(train.density_matrix, once.density_matrix, atol=1e-9)
    assert train.pairs == pytest.approx(once.pairs, rel=1e-9)


# ---- bases -----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("D", "D"), ("D", "A"), ("R", "R"), ("R", "L"), ("L", "D"), ("H", "R")])
def test_analysed_coincidences_are_those_of_the_density_matrix(first: str, second: str) -> None:
    """<n m> of photons counted behind analysers, in four settings each, against <ef| rho |ef> of the state and of the closed form."""
    exp = prepared(1.3, 0.2, 0.1)
    rho, state = ref.pairs_closed(1.1, 1.3, 0.2, 0.1), exp.two_photon_state()
    seen = exp.analysed(XX=first, X=second)
    for e, f in itertools.product((first, OTHER[first]), (second, OTHER[second])):
        joint = seen.joint_photon_numbers((f"XX:{e}", f"X:{f}"), max=2)
        n = np.arange(3)
        assert n @ joint.probabilities @ n == pytest.approx(ref.coincidences(rho, JONES[e], JONES[f]), rel=1e-10)
        assert state.coincidences(e, f) == pytest.approx(ref.coincidences(rho, JONES[e], JONES[f]), rel=1e-10)


@pytest.mark.parametrize(("first", "second"), [("D", "D"), ("R", "L"), ("H", "A"), ("L", "R")])
def test_analysed_g2_of_continuous_light(first: str, second: str) -> None:
    """g2(tau) between analysed lines, both orders, against mixed jump operators in QuTiP; both lines analysed at once."""
    exp, dot = pumped()
    tau = np.array([-0.7, 0.0, 0.2, 1.5])
    mixed = []
    for name, pair in ((first, dot.first), (second, dot.second)):
        mixed.append(qutip.Qobj(sum(np.conj(a) * m for a, m in zip(JONES[name], pair, strict=True))))
    generator = qutip.Qobj(dot.generator, dims=[[[4], [4]], [[4], [4]]])
    state = qutip.steadystate(generator)
    flux = [qutip.expect(c.dag() * c, state) for c in mixed]
    expected = []
    for t in tau:
        c, d = mixed if t >= 0 else mixed[::-1]
        after = (generator * abs(t)).expm() * qutip.operator_to_vector(c * state * c.dag())
        expected.append(qutip.expect(d.dag() * d, qutip.vector_to_operator(after)) / flux[0] / flux[1])
    found = exp.analysed(XX=first, X=second).g2(tau, f"XX:{first}", f"X:{second}")
    np.testing.assert_allclose(found.value, expected, rtol=1e-9)


def test_analysis_sees_a_coherence_that_the_jumps_together_do_not() -> None:
    """XX -> (X_H + X_V) / root 2 without light: X is D at first and beats with the splitting; summed over both polarisations nothing is seen of it."""
    s, rate = 2.0, 1.0
    jumps = (
        JumpOperator(math.sqrt(0.5) * (ref.ket_bra(4, 1, 3) + ref.ket_bra(4, 2, 3))),
        Jump.of("X_H", "G", rate, "X", "H"),
        Jump.of("X_V", "G", rate, "X", "V"),
        Jump.of("G", "XX", 0.6),
    )
    model = Model(("G", "X_H", "X_V", "XX"), energies_ueV={"X_H": s / 2, "X_V": -s / 2}, jumps=jumps)
    exp = qdot.Experiment(model, picture="lindblad").analysed(X="D")
    h = s / 2 / HBAR * (ref.ket_bra(4, 1, 1) - ref.ket_bra(4, 2, 2))
    c_ops = [jumps[0].matrix.toarray(), ref.ket_bra(4, 0, 1), ref.ket_bra(4, 0, 2), math.sqrt(0.6) * ref.ket_bra(4, 3, 0)]
    x, diagonal = ref.steady(ref.liouvillian(h, c_ops)), math.sqrt(0.5) * (c_ops[1] + c_ops[2])
    expected = (ref.trace_row(4) @ ref.click(diagonal) @ x).real
    assert exp.flux_per_ns("X:D") == pytest.approx(expected, rel=1e-11)
    assert exp.flux_per_ns("X:D") > 1.15 * exp.flux_per_ns("X:A")  # 1 / (1 + (S / hbar rate)^2) is left of the contrast
    contrast = (exp.flux_per_ns("X:D") - exp.flux_per_ns("X:A")) / exp.flux_per_ns("X")
    assert contrast == pytest.approx(1 / (1 + (s / HBAR) ** 2), rel=1e-10)


def test_photon_numbers_in_any_basis_under_a_pulse() -> None:
    """P(n) of one polarisation: the first moment and <n(n-1)> against the Stokes parameters' own brute force."""
    drive, source = square_pulse()
    exp = qdot.Experiment(DRIVEN, drive=drive)
    fine = replace(source, edges=hand.cuts(0.0, 0.1, step=0.012))
    for name in ("D", "L"):
        field = sum(np.conj(a) * m for a, m in zip(JONES[name], lines(DRIVEN)[1], strict=True))
        found = exp.analysed(X=name).photon_numbers(f"X:{name}")
        assert found.mean_photons == pytest.approx(ref.total(fine, [field]), rel=1e-10)
        assert found.g2_zero == pytest.approx(ref.g2_zero(fine, [field]), rel=1e-9)
        other = exp.analysed(X=name).photon_numbers(f"X:{OTHER[name]}")
        assert found.mean_photons + other.mean_photons == pytest.approx(exp.photon_numbers("X").mean_photons, rel=1e-12)


def test_cross_polarised_detection_against_a_model_made_by_hand() -> None:
    """The laser at an angle, light counted in the polarisation orthogonal to it and along it: g2 of one dot in two bases."""
    drive, source = square_pulse()
    fine = replace(source, edges=hand.cuts(0.0, 0.1, step=0.012))
    laser = linear(0.15)
    exp = qdot.Experiment(DRIVEN, drive=drive).analysed(X=laser, XX=laser)
    for p in (laser, laser.orthogonal):
        fields = [sum(np.conj(a) * m for a, m in zip(p.jones, pair, strict=True)) for pair in lines(DRIVEN)]
        found = exp.photon_numbers([f"XX:{p.name}", f"X:{p.name}"])
        assert found.mean_photons == pytest.approx(ref.total(fine, fields), rel=1e-10)
        assert found.g2_zero == pytest.approx(ref.g2_zero(fine, fields), rel=1e-9)
    quiet, loud = (exp.photon_numbers(f"XX:{p.name}").g2_zero for p in (laser.orthogonal, laser))
    assert quiet < 0.5 * loud  # repeated emission is along the laser


@pytest.mark.parametrize("label", ["X:D", "X:R"])
def test_fields_of_analysed_lines(label: str) -> None:
    """g1, spectrum and filtered g2 of one polarisation of continuous light, from its mixed operator."""
    exp, dot = pumped()
    c = sum(np.conj(a) * m for a, m in zip(JONES[label[-1]], dot.second, strict=True))
    exp = exp.analysed(X=label[-1])
    tau, w = np.array([0.0, 0.4, 2.0]), np.array([-1.0, 0.3, 2.0])
    centre = PolarisedCascade().binding_energy_ueV / 2 / HBAR  # the independent model has X at 0
    np.testing.assert_allclose(exp.g1(tau, label).value * np.exp(1j * centre * tau), ref.first_order(dot.generator, [c], tau), atol=1e-9)
    found = exp.spectrum((w + centre) * HBAR, label)
    np.testing.assert_allclose(found.value * HBAR, ref.steady_spectrum(dot.generator, c, w), rtol=1e-9)
    filtered = exp.filtered_g2([0.3], ((0.7 + centre) * HBAR, (-0.7 + centre) * HBAR), 0.9 * HBAR, label)
    assert filtered.value[0] == pytest.approx(ref.sensor_g2(dot.generator, c, (0.7, -0.7), 0.9, 0.3), rel=1e-8)


def test_wave_plates_turn_polarisations() -> None:
    """A half-wave plate at 22.5 degrees makes D of H, a quarter-wave plate at 45 degrees a circular one; any analyser against Jones matrices by hand."""
    assert abs(np.vdot(analyser(plate(1.0, 0.125)).jones, JONES["D"])) == pytest.approx(1.0, rel=1e-14)
    circular = analyser(plate(0.5, 0.25)).jones
    assert max(abs(np.vdot(circular, JONES[k])) for k in "RL") == pytest.approx(1.0, rel=1e-14)

    def by_hand(retardance: float, angle: float) -> np.ndarray:
        fast = np.array([math.cos(math.pi * angle), math.sin(math.pi * angle)])
        along = np.outer(fast, fast)
        return along + np.exp(1j * math.pi * retardance) * (np.eye(2) - along)  # up to a phase, the slow axis is behind

    one, two = (0.5, 0.11), (1.0, -0.27)
    passed = analyser(plate(*one), plate(*two), polariser="V", name="lab")
    amplitude = np.array([0, 1]) @ by_hand(*two) @ by_hand(*one)  # of H and V through the first plate, the second, and the polariser
    for name, jones in JONES.items():
        assert abs(np.vdot(passed.jones, jones)) ** 2 == pytest.approx(abs(amplitude @ jones) ** 2, abs=1e-14), name
    exp = prepared(1.3)
    rho = ref.pairs_closed(1.1, 1.3)
    seen = exp.analysed(XX=passed, X="D").joint_photon_numbers(("XX:lab", "X:D"), max=1).probabilities[1, 1]
    assert seen == pytest.approx(ref.coincidences(rho, amplitude.conj(), JONES["D"]), rel=1e-10)


@pytest.mark.parametrize("count", [36, 16])
def test_tomography_settings_give_the_state_back(count: int) -> None:
    """Linear inversion of coincidences in 36 or 16 settings, of a driven state without symmetry; and each setting as counted behind analysers."""
    drive, _ = square_pulse()
    exp = qdot.Experiment(DRIVEN, drive=drive)
    state = exp.two_photon_state()
    settings = state.settings(count)
    assert len(settings) == count
    kets = np.array([np.kron(JONES[a], JONES[b]) for a, b in settings])
    design = np.einsum("ki,kj->kij", kets.conj(), kets).reshape(count, 16)
    rho = np.linalg.lstsq(design, np.array(list(settings.values()), dtype=complex), rcond=None)[0].reshape(4, 4)
    np.testing.assert_allclose(rho / np.trace(rho), state.density_matrix, atol=1e-12)
    for a, b in (("D", "R"), ("R", "V")):
        counted = exp.analysed(XX=a, X=b)
        joint = counted.joint_photon_numbers((f"XX:{a}", f"X:{b}"), max=8, stage="emission").probabilities
        n = np.arange(9)
        assert settings[a, b] == pytest.approx(n @ joint @ n, rel=1e-8)


def test_loss_scales_coincidences_and_leaves_the_state() -> None:
    full = prepared(1.3).two_photon_state()
    lost = prepared(1.3).replace(collection={"XX": 0.3, "X": 0.5}).two_photon_state()
    assert lost.pairs == pytest.approx(0.15 * full.pairs, rel=1e-12)
    np.testing.assert_allclose(lost.density_matrix, full.density_matrix, atol=1e-13)
    assert lost.stage == "first_lens"


def test_one_line_that_both_photons_share() -> None:
    """Collective decay into one mode per polarisation: XX and X photons of the line "pair", the first photon being the earlier one."""
    dot = PolarisedCascade(lifetime_XX_ns=0.4, lifetime_X_ns=0.7, fss_ueV=1.1, binding_energy_ueV=0.3, collective=True).model()
    exp = qdot.Experiment(replace(dot, start="XX", jumps=tuple(j for j in dot.jumps if j.drive is None)))
    h = np.diag([0.0, 0.15 + 0.55, 0.15 - 0.55, 0.0]) / HBAR
    field = tuple(math.sqrt(0.5 / 0.4) * ref.ket_bra(4, x, 3) + math.sqrt(1 / 0.7) * ref.ket_bra(4, 0, x) for x in (1, 2))
    generator = ref.liouvillian(h, field)
    for window in ((0.0, math.inf), (0.0, 0.2)):
        x = np.linalg.solve(-ref.decaying(generator), ref.density(4, 3) - ref.steady(generator))
        expected = ref.two_photon_matrix(ref.Polarised(generator, field, field), x, *window)
        same(exp.two_photon_state("pair", "pair", delay_ns=window), expected)


@pytest.mark.parametrize(("width", "centre"), [(0.5, 0.0), (3.0, -0.6)])
def test_a_filter_before_tomography(width: float, centre: float) -> None:
    """One filter for both polarisations of X: the integral over the X photon's frequency of the amplitudes of its two lines, closed (rad/ns)."""
    split, rate = 1.3, 1.0
    both = (Filter("etalon", "X", width * HBAR, centre * HBAR, polarisation=p, fock=2) for p in "HV")
    found = prepared(split * HBAR, rate_X=rate).filtered(*both).two_photon_state("XX", "etalon")
    u, weight = ref.panels(np.linspace(-math.pi / 2, math.pi / 2, 41), 16)
    w, weight = np.tan(u), weight / np.cos(u) ** 2
    passed = weight * (width**2 / 4) / ((w - centre) ** 2 + width**2 / 4) * rate / (2 * math.pi)
    h, v = (1 / (rate / 2 - 1j * (w - e)) for e in (split / 2, -split / 2))
    expected = np.zeros((4, 4), dtype=complex)
    expected[0, 0], expected[3, 3] = (np.sum(passed * np.abs(a) ** 2) / 2 for a in (h, v))
    expected[0, 3] = np.sum(passed * h * v.conj()) / 2
    expected[3, 0] = np.conj(expected[0, 3])
    same(found, expected, 1e-7)
    if width < 1.0:
        assert found.best_fidelity > prepared(split * HBAR, rate_X=rate).two_photon_state().best_fidelity + 0.09
    with pytest.raises(qdot.InputError, match="new name"):
        prepared(1.0).filtered(Filter("etalon", "X", 1.0, polarisation="H"), Filter("etalon", "XX", 1.0, polarisation="H")).model  # noqa: B018


@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_random_models(seed: int) -> None:
    """Complex operators for both polarisations of both lines, a complex H and a complex drive, under a square pulse and in steady light."""
    rng = np.random.default_rng(60 + seed)
    h, c_ops, a = hand.decaying_model(rng, 3)
    fields = [np.triu(hand.complex_normal(rng, 3, 3), 1) for _ in range(4)]
    jumps = (*(JumpOperator(m, line, p) for m, (line, p) in zip(fields, itertools.product(("XX", "X"), "HV"), strict=True)), *map(JumpOperator, c_ops))
    levels = ("0", "1", "2")
    drive = Square(duration_ns=0.3)
    coupling = (qdot.model.HamiltonianOperator(h), qdot.model.HamiltonianOperator(a, "laser"))
    source = hand.pulsed(h, [*fields, *c_ops], a, hand.square(0.0, 0.3), np.linspace(0.0, 0.3, 6))
    exp = qdot.Experiment(Model(levels, jumps=jumps, couplings=coupling), drive=drive)
    for window in ((0.0, math.inf), (0.1, 0.5)):
        same(exp.two_photon_state(delay_ns=window), hand.two_photon_matrix(source, fields[:2], fields[2:], *window), 1e-9)
    steady = qdot.Experiment(Model(levels, jumps=jumps, couplings=coupling), drive=CW())
    light = ref.Polarised(source.still + source.driven, tuple(fields[:2]), tuple(fields[2:]))
    x = ref.steady(light.generator)
    later = ref.window_integral(light.generator, 0.1, 0.5)
    rho = np.empty((2, 2, 2, 2), dtype=complex)
    for p, q, r, s in itertools.product(range(2), repeat=4):
        y = later @ ref.sandwich(fields[p], fields[r]) @ x
        rho[p, q, r, s] = ref.trace_row(3) @ ref.sandwich(fields[2 + q], fields[2 + s]) @ y
    same(steady.two_photon_state(delay_ns=(0.1, 0.5)), rho.reshape(4, 4), 1e-9)


# ---- what is refused --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda p, c: c.two_photon_state(), "delay_ns"),
        (lambda p, c: c.two_photon_state(delay_ns=(0.0, math.inf)), "finite"),
        (lambda p, c: c.two_photon_state(delay_ns=(1.0, 0.0)), "delay_ns"),
        (lambda p, c: p.two_photon_state(delay_ns=(0.0, math.nan)), "delay_ns"),
        (lambda p, c: p.two_photon_state(delay_ns=(0.0, 1j)), "delay_ns"),
        (lambda p, c: p.two_photon_state(delay_ns="12"), "delay_ns"),
        (lambda p, c: p.two_photon_state("pair", "X"), "one line"),
        (lambda p, c: p.two_photon_state("XX", "Y"), "one line"),
        (lambda p, c: p.two_photon_state("XX:H", "X"), "one line"),
        (lambda p, c: p.two_photon_state(["XX"], "X"), "one line"),
        (lambda p, c: p.two_photon_state(stage="fibre"), "stage"),
        (lambda p, c: p.analysed(X="D").two_photon_state(), "do not analyse"),
        (lambda p, c: p.analysed(Y="D"), "Y"),
        (lambda p, c: p.analysed(X="Q"), "Q"),
        (lambda p, c: p.analysed(X=3), "Polarisation"),
        (lambda p, c: p.analysed(X="D").photon_numbers("X:H"), "told apart"),
        (lambda p, c: p.two_photon_state().settings(9), "36 or 16"),
        (lambda p, c: p.two_photon_state().fidelity_with([1, 0]), "four amplitudes"),
        (lambda p, c: Polarisation("p", 0.0, 0.0), "vanish"),
        (lambda p, c: Polarisation("p", math.nan, 0.0), "finite"),
        (lambda p, c: Polarisation("a:b", 1.0, 0.0), "':'"),
        (lambda p, c: plate("half", 0.0), "retardance"),
    ],
)
def test_wrong_arguments_are_told(ask: Any, message: str) -> None:
    with pytest.raises(qdot.InputError, match=message):
        ask(prepared(1.0), pumped()[0])


def test_a_source_without_polarisations_says_so() -> None:
    exp = qdot.Experiment(Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 1.0, "XX"), Jump.of("X", "G", 1.0, "X"))))
    with pytest.raises(qdot.InputError, match="polarisation H or V"):
        exp.two_photon_state()
    with pytest.raises(qdot.InputError, match="polarisation H or V"):
        exp.analysed(X="D").photon_numbers("X:D")


def test_a_fidelity_with_any_state() -> None:
    state, rho = prepared(1.3, 0.2).two_photon_state(), ref.pairs_closed(1.1, 1.3, 0.2)
    ket = np.array([1.0, 0.2j, -0.1, 1.0 + 0.5j])
    assert state.fidelity_with(ket) == pytest.approx(ref.bell_fidelity(rho, ket), rel=1e-11)
    best = max(state.fidelity_with([1, 0, 0, np.exp(1j * phi)]) for phi in np.linspace(-math.pi, math.pi, 20001))
    assert state.best_fidelity == pytest.approx(best, abs=1e-7)


def test_a_measured_pulse_with_a_corner_needs_no_more_points() -> None:
    """The field of a sampled pulse has corners: a window that begins or ends a corner later is cut there."""
    drive = Measured(times_ns=(0.0, 0.04, 0.1), intensity=(0.0, 1.0, 0.0), area_pi=2.0)
    found = qdot.Experiment(DRIVEN, drive=drive).two_photon_state(delay_ns=(0.0, 0.03))
    field = lambda t: np.interp(t, [0.0, 0.04, 0.1], [0.0, 1.0, 0.0])  # noqa: E731
    rabi = 2.0 * math.pi / 0.05 / math.cos(0.15 * math.pi)
    source = driven_by_hand(DRIVEN, rabi, field, hand.cuts(0.0, 0.04, 0.1, step=0.0125))
    same(found, hand.two_photon_matrix(source, *lines(DRIVEN), 0.0, 0.03, order=6), 1e-8)
