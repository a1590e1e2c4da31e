"""Spectral filters in the light and sensors of vanishing coupling, beside cascaded cavities, weak sensors and spectra written by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from independent import coherence as ref
from independent import hand

import qdot
from qdot.drive import CW, Gaussian, Instant, Square
from qdot.emitters import PolarisedCascade, TwoLevel
from qdot.model import Cavity, Filter, Jump, Model

HBAR = ref.HBAR
SIGMA = ref.ket_bra(2, 0, 1)
RABI = 5.0
TAU = np.array([-0.8, 0.0, 0.3, 2.0])


def driven(rabi: float = RABI, dephasing: float = 0.0, detuning: float = 0.0, **more: Any) -> qdot.Experiment:
    dot = TwoLevel(dephasing_per_ns=dephasing, rabi_per_ns_per_sqrt_uW=rabi, detuning_ueV=detuning * HBAR)
    return qdot.Experiment(dot, drive=CW(power_uW=1.0), **more)


def pulsed(drive: Any, dephasing: float = 0.0, detuning: float = 0.0, **more: Any) -> qdot.Experiment:
    dot = TwoLevel(dephasing_per_ns=dephasing, rabi_per_ns_per_sqrt_uW=1.0, detuning_ueV=detuning * HBAR)
    return qdot.Experiment(dot, drive=drive, **more)


def transmission(w: np.ndarray, width: float, centre: float) -> np.ndarray:
    """Lorentzian of this full width, 1 at its centre."""
    return (width**2 / 4) / ((w - centre) ** 2 + width**2 / 4)


# ---- what passes a filter ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "centre", "share"), [(0.7, 0.0, 1.0), (3.0, -1.2, 0.4), (0.2, 0.6, 0.25)])
def test_the_mean_that_passes_is_the_spectrum_times_the_transmission(width: float, centre: float, share: float) -> None:
    """After an ideal pulse: a Lorentzian through a Lorentzian, in closed form; what the filter is not shown stays in the line."""
    dephasing, detuning = 0.3, 0.4
    exp = pulsed(Instant(area_pi=1.0), dephasing, detuning).filtered(Filter("narrow", "X", width * HBAR, centre * HBAR, share=share, fock=2))
    line = 1 + 2 * dephasing
    both = (line + width) / 2
    expected = share * width / 2 * both / ((centre - detuning) ** 2 + both**2)
    assert exp.photon_numbers("narrow").mean_photons == pytest.approx(expected, rel=1e-11)
    if share < 1.0:
        assert exp.photon_numbers("X").mean_photons == pytest.approx(1 - share, rel=1e-11)
        assert exp.interference("X").indistinguishability == pytest.approx(1 / line, rel=1e-11)  # never acted back on
    else:
        assert exp.model.lines == ("X", "narrow")
        with pytest.raises(qdot.InputError, match="emit light"):
            exp.photon_numbers("X")


@pytest.mark.parametrize(("width", "centre"), [(0.7, 0.0), (2.0, 3.1), (30.0, 0.0)])
def test_flux_and_spectrum_behind_a_filter_in_continuous_light(width: float, centre: float) -> None:
    """The Mollow spectrum times the transmission, the elastic line too."""
    exp = driven(2.0, rtol=1e-7).filtered(Filter("narrow", "X", width * HBAR, centre * HBAR, share=1e-4, fock=3))
    w = np.array([-3.0, -0.2, 0.4, 2.1, 5.0])
    found = exp.spectrum(w * HBAR, "narrow")
    expected = 1e-4 * ref.mollow(2.0, w) * transmission(w, width, centre)
    np.testing.assert_allclose(found.value * HBAR, expected, rtol=1e-8, atol=1e-8 * expected.max())
    elastic = 2.0**2 / (1 + 2 * 2.0**2) ** 2
    assert found.elastic[0][1] == pytest.approx(1e-4 * elastic * transmission(np.zeros(1), width, centre)[0], rel=1e-9)
    u, weight = ref.panels(np.linspace(-math.pi / 2, math.pi / 2, 60), 12)
    everywhere, weight = 3 * np.tan(u), 3 * weight / np.cos(u) ** 2
    passed = weight @ (ref.mollow(2.0, everywhere) * transmission(everywhere, width, centre))
    assert exp.flux_per_ns("narrow") == pytest.approx(1e-4 * (passed + elastic * transmission(np.zeros(1), width, centre)[0]), rel=1e-8)


@pytest.mark.parametrize(("width", "centre"), [(0.8, 0.5), (4.0, 0.0)])
def test_pulsed_light_behind_a_filter_against_a_cavity_driven_one_way(width: float, centre: float) -> None:
    """M, g2 and mean of a re-excited emitter behind a filter, `through_filter` being written with superoperators of its own."""
    entrance = 1e-4
    source, light = ref.through_filter(ref.square_pulse(2.5, 0.8, 0.2), SIGMA, width, centre, entrance)
    expected = ref.interference(source, light)
    exp = pulsed(Square(duration_ns=0.8, area_pi=2.5 / math.pi), 0.2, rtol=1e-6)
    found = exp.filtered(Filter("narrow", "X", width * HBAR, centre * HBAR, share=1e-4, fock=3)).interference("narrow")
    assert found.indistinguishability == pytest.approx(expected["M"], rel=1e-6)
    assert found.g2_zero == pytest.approx(expected["g2"], rel=1e-6)
    # width entrance^(1/2) enters there, half the width times the root of the share here: both mirrors of a symmetric filter
    assert found.mean_photons == pytest.approx(expected["mean"] / entrance * 1e-4 / 4, rel=1e-6)


def test_a_wide_filter_passes_the_light_as_it_is() -> None:
    """All of it, and as alike, up to what is cut off in the wings: the deviation falls with the inverse width."""
    lost = []
    for width in (2e3, 4e3):
        found = pulsed(Instant(area_pi=1.0), 0.3).filtered(Filter("wide", "X", width * HBAR, fock=2)).interference("wide")
        lost.append([1 - found.mean_photons, found.indistinguishability - 1 / 1.6])
        assert found.g2_zero == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(np.array(lost[0]) / np.array(lost[1]), 2.0, rtol=2e-3)
    assert max(map(abs, lost[1])) < 1e-3


def test_two_filters_share_a_line() -> None:
    """Red and blue side lines of the triplet in two filters at once; each sees what it would see alone, and together they are the sensors.

    What two number states cut off is of first order in the share, and extrapolated away.
    """
    width, expected = 1.5, [ref.sensor_g2(ref.two_level(RABI), SIGMA, (-5.0, 5.0), 1.5, t) for t in (0.0, 0.6)]

    def both(share: float) -> qdot.Experiment:
        filters = (Filter(name, "X", width * HBAR, centre * HBAR, share=share, fock=2) for name, centre in (("red", -5.0), ("blue", 5.0)))
        return driven(rtol=1e-2).filtered(*filters)

    exp, alone = both(1e-4), driven(rtol=1e-2).filtered(both(1e-4).filters[1])
    assert exp.flux_per_ns("blue") == pytest.approx(float(alone.flux_per_ns("blue")), rel=1e-9)
    assert exp.flux_per_ns("red") == pytest.approx(float(exp.flux_per_ns("blue")), rel=1e-9)
    assert exp.flux_per_ns("X") == pytest.approx((1 - 2e-4) * float(driven().flux_per_ns("X")), rel=1e-9)
    coarse, fine = (both(s).g2([0.0, 0.6], "red", "blue").value for s in (2e-4, 1e-4))
    np.testing.assert_allclose(2 * fine - coarse, expected, rtol=1e-6)


def test_a_filter_behind_a_cavity_and_on_one_polarisation() -> None:
    """In the light of a mode, and in one of two polarisations: the mean behind it from the spectrum in front of it."""
    model = Model(("G", "X"), start="X", jumps=(Jump.of("X", "G", 0.3),), cavities=(Cavity("c", 2, 4.0, (1.5,), (("X", "G"),), 0.7 * HBAR, "mode"),))
    polarised = Model(
        ("G", "XH", "XV", "P"),
        start="P",
        energies_ueV={"XH": 0.8 * HBAR, "XV": -0.8 * HBAR},
        jumps=(Jump.of("P", "XH", 2.0), Jump.of("P", "XV", 1.0), Jump.of("XH", "G", 1.0, "X", "H"), Jump.of("XV", "G", 1.0, "X", "V")),
    )
    u, weight = ref.panels(np.linspace(-math.pi / 2, math.pi / 2, 60), 12)
    w, weight = 3 * np.tan(u), 3 * weight / np.cos(u) ** 2
    for source, line, polarisation, label in ((model, "mode", "", "mode"), (polarised, "X", "H", "X:H")):
        bare = qdot.Experiment(source)
        behind = bare.filtered(Filter("narrow", line, 1.1 * HBAR, 0.5 * HBAR, polarisation=polarisation, fock=2))
        passed = weight @ (bare.spectrum(w * HBAR, label).value * HBAR * transmission(w, 1.1, 0.5))
        assert behind.photon_numbers("narrow").mean_photons == pytest.approx(passed, rel=1e-9)
        assert behind.arrival_times("narrow").mean_first_ns > bare.arrival_times(label).mean_first_ns  # filtering takes time


@pytest.mark.parametrize("seed", range(2))
def test_a_filter_in_a_random_model(seed: int) -> None:
    """Complex H and jumps: g2(0) of both lines and of what passed, against the same cascade built with superoperators."""
    rng = np.random.default_rng(70 + seed)
    h, c_ops, a = hand.decaying_model(rng, 3)
    width, centre = 1.4, 0.7
    source = hand.pulsed(h, c_ops, a, hand.square(0.0, 0.4), hand.cuts(0.0, 0.4, step=0.05))
    filtered, light = ref.through_filter(source, c_ops[0], width, centre, 1e-5)
    exp = qdot.from_qutip([h, [a, Square(duration_ns=0.4)]], c_ops, {"a": [0], "b": [1]}, rtol=10.0)  # g3 is cut off
    found = exp.filtered(Filter("narrow", "a", width * HBAR, centre * HBAR, share=1e-5, fock=3)).photon_numbers("narrow")
    assert found.g2_zero == pytest.approx(ref.g2_zero(filtered, [light]), rel=1e-5)
    mean = ref.total(filtered, [light])
    assert found.mean_photons == pytest.approx(mean / 4, rel=1e-5)


# ---- sensors -----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("energies", [(0.0, 0.0), (5.0, 5.0), (-5.0, 5.0), (5.0, 0.0), (2.5, -2.5), (1.0, 3.0)])
def test_filtered_correlations_of_the_mollow_triplet(energies: tuple[float, float]) -> None:
    """At zero delay: vanishing coupling exactly, weak real sensors extrapolated, and two cascaded filter cavities."""
    found = driven().filtered_g2([0.0], tuple(e * HBAR for e in energies), 0.7 * HBAR, "X").value[0]
    h = RABI / 2 * (SIGMA + SIGMA.T)
    assert found == pytest.approx(ref.sensor_g2(ref.two_level(RABI), SIGMA, energies, 0.7), rel=1e-10)
    assert found == pytest.approx(ref.sensor_g2_weak(h, [SIGMA], SIGMA, energies, 0.7, 0.02), rel=3e-6)
    if energies in ((-5.0, 5.0), (1.0, 3.0)):
        assert found == pytest.approx(ref.filter_g2(h, [SIGMA], SIGMA, energies, 0.7), rel=1e-6)


@pytest.mark.parametrize(("dephasing", "detuning"), [(0.0, 2.0), (0.4, -1.0)])
def test_filtered_correlations_at_a_delay(dephasing: float, detuning: float) -> None:
    """A detuned drive tells which sideband came first; negative delays exchange the two, and widths may differ."""
    exp, generator = driven(RABI, dephasing, detuning), ref.two_level(RABI, dephasing, detuning)
    energies = (4.0 * HBAR, -5.0 * HBAR)
    found = exp.filtered_g2(TAU, energies, 1.5 * HBAR, "X").value
    expected = [ref.sensor_g2(generator, SIGMA, (4.0, -5.0) if t >= 0 else (-5.0, 4.0), 1.5, abs(t)) for t in TAU]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert abs(found[0] - exp.filtered_g2([0.8], energies, 1.5 * HBAR, "X").value[0]) > 0.01
    h = RABI / 2 * (SIGMA + SIGMA.T) + detuning * SIGMA.T @ SIGMA
    if dephasing == 0.0:
        assert found[3] == pytest.approx(ref.filter_g2(h, [SIGMA], SIGMA, (4.0, -5.0), 1.5, 2.0), rel=1e-6)
    uneven = exp.filtered_g2([0.4], energies, (1.5 * HBAR, 0.6 * HBAR), "X").value[0]
    other = exp.filtered_g2([-0.4], energies[::-1], (0.6 * HBAR, 1.5 * HBAR), "X").value[0]
    assert uneven == pytest.approx(other, rel=1e-11)
    assert uneven != pytest.approx(exp.filtered_g2([0.4], energies, 1.5 * HBAR, "X").value[0], rel=1e-2)


def test_filters_far_wider_than_the_light_leave_its_correlation() -> None:
    """The deviation falls with the inverse square of the width, the filters being centred; behind narrow ones little of the antibunching is left."""
    exp = driven()
    tau = np.array([0.0, 0.2, 0.7, 3.0])
    bare = exp.g2(tau, "X").value
    deviation = [exp.filtered_g2(tau, (0.0, 0.0), w * HBAR, "X").value - bare for w in (2e3, 4e3)]
    assert np.max(np.abs(deviation[1])) < 1e-3
    np.testing.assert_allclose(deviation[0] / deviation[1], 4.0, rtol=1e-2)
    assert exp.filtered_g2([0.0], (0.0, 0.0), 0.05 * HBAR, "X").value[0] > 0.9


def test_loss_leaves_filtered_correlations() -> None:
    full, lost = driven(), driven().replace(collection={"X": 0.03})
    energies = (2.0 * HBAR, -5.0 * HBAR)
    np.testing.assert_allclose(lost.filtered_g2(TAU, energies, HBAR, "X").value, full.filtered_g2(TAU, energies, HBAR, "X").value, rtol=1e-11)


def test_filtered_correlations_between_the_lines_of_a_cascade() -> None:
    """XX behind one filter and X behind another, in both orders; and both lines behind both: modes that can be told apart add."""
    pump, pump_XX = 0.4, 0.9
    jumps = (Jump.of("XX", "X", 2.0, "XX"), Jump.of("X", "G", 1.0, "X"), Jump.of("G", "X", pump), Jump.of("X", "XX", pump_XX))
    exp = qdot.Experiment(Model(("G", "X", "XX"), energies_ueV={"X": 0.5 * HBAR, "XX": -0.4 * HBAR}, jumps=jumps), picture="lindblad")
    generator, emit = ref.pumped_ladder(2.0, 1.0, pump, pump_XX, False)
    generator = generator + ref.commutator(np.diag([0.0, 0.5, -0.4]))
    omega, width = (-0.9, 0.5), 0.8
    found = exp.filtered_g2([-0.6, 0.0, 0.6], tuple(w * HBAR for w in omega), width * HBAR, "XX", "X").value
    same = [behind_cavities(generator, emit if t >= 0 else emit[::-1], omega if t >= 0 else omega[::-1], width, abs(t)) for t in (-0.6, 0.0, 0.6)]
    np.testing.assert_allclose(found, [both / one / two for both, one, two in same], rtol=2e-6)
    assert found[2] > found[1] > 1.0 > found[0]
    together = exp.filtered_g2([0.6], tuple(w * HBAR for w in omega), width * HBAR, ["XX", "X"]).value[0]
    parts = np.array([behind_cavities(generator, [a, b], omega, width, 0.6) for a in emit for b in emit]).sum(axis=0)
    assert together == pytest.approx(parts[0] / (parts[1] / 2) / (parts[2] / 2), rel=2e-6)  # each signal comes up with both partners
    share = {"XX": 0.3, "X": 0.8}
    lost = exp.replace(collection=share).filtered_g2([0.6], tuple(w * HBAR for w in omega), width * HBAR, ["XX", "X"]).value[0]
    pairs = {(a, b): behind_cavities(generator, [emit[i], emit[k]], omega, width, 0.6) for i, a in enumerate(share) for k, b in enumerate(share)}
    coincidences = sum(share[a] * share[b] * found[0] for (a, b), found in pairs.items())
    signals = [sum(share[n] * pairs[n, n][1 + k] for n in share) for k in range(2)]
    assert lost == pytest.approx(coincidences / math.prod(signals), rel=2e-6)  # unequal loss changes what is seen of both lines
    assert lost != pytest.approx(together, rel=1e-2)


def behind_cavities(generator: np.ndarray, emit: list[np.ndarray], omega: tuple[float, float], width: float, tau: float) -> np.ndarray:
    """Coincidences, the second tau later, and both signals of two cavities, each driven one way by an operator of its own (Gardiner 1993).

    Two number states each; what they cut off is of first order in the mirrors' transmission, and extrapolated away.
    """

    def at(entrance: float) -> np.ndarray:
        d, one, a = len(emit[0]), np.eye(2), ref.lowering(2)
        small = generator.reshape(d, d, d, d)
        big = np.einsum("jilk,mM,nN->jminlMkN", small, np.eye(4), np.eye(4)).reshape((4 * d) ** 2, -1)
        modes = (ref.product(np.eye(d), a, one), ref.product(np.eye(d), one, a))
        for w, u, c in zip(omega, modes, (ref.product(e, one, one) for e in emit), strict=True):
            up = u.T
            drive = ref.left(up @ c) - ref.left(c) @ ref.right(up) + ref.right(c.conj().T @ u) - ref.left(u) @ ref.right(c.conj().T)
            big = big + ref.liouvillian(w * up @ u, [math.sqrt(width) * u]) - math.sqrt(entrance * width) * drive
        x, row, clicks = ref.steady(big), ref.trace_row(4 * d), [ref.click(u) for u in modes]
        after = ref.expm(big * tau) @ clicks[0] @ x if tau else clicks[0] @ x
        return np.real([row @ clicks[1] @ after / entrance**2, *(row @ c @ x / entrance for c in clicks)])

    return 2 * at(1e-4) - at(2e-4)


@pytest.mark.parametrize("seed", range(3))
def test_filtered_correlations_of_random_models(seed: int) -> None:
    rng = np.random.default_rng(80 + seed)
    h, c_ops = hand.dense_model(rng, 2 + seed, 2)
    generator = ref.liouvillian(h, c_ops)
    found = qdot.from_qutip(h, c_ops, {"a": [0], "b": [1]}).filtered_g2(TAU, (1.0 * HBAR, -2.0 * HBAR), 0.7 * HBAR, "a").value
    expected = [ref.sensor_g2(generator, c_ops[0], (1.0, -2.0) if t >= 0 else (-2.0, 1.0), 0.7, abs(t)) for t in TAU]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


# ---- what is refused --------------------------------------------------------------------------------------------------------------------------------------


def test_a_filter_that_needs_more_number_states_says_so() -> None:
    with pytest.raises(qdot.InputError, match="fock"):
        pulsed(Gaussian(fwhm_ns=0.5, area_pi=1.0)).filtered(Filter("narrow", "X", HBAR, fock=2)).photon_numbers("narrow")


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ((Filter("narrow", "Y", 1.0),), "line"),
        ((Filter("X", "X", 1.0),), "new name"),
        ((Filter("narrow", "X", 1.0, share=0.5), Filter("narrow", "X", 2.0, share=0.5)), "new name"),
        ((Filter("narrow", "X", 0.0),), "fwhm_ueV"),
        ((Filter("narrow", "X", math.nan),), "fwhm_ueV"),
        ((Filter("narrow", "X", 1.0, math.inf),), "centre_ueV"),
        ((Filter("narrow", "X", 1.0, share=0.0),), "share"),
        ((Filter("narrow", "X", 1.0, share=1.2),), "share"),
        ((Filter("a", "X", 1.0, share=0.7), Filter("b", "X", 1.0, share=0.7)), "add up"),
        ((Filter("narrow", "X", 1.0, fock=1),), "fock"),
        ((Filter("narrow", "X", 1.0, fock=2.5),), "fock"),  # type: ignore[arg-type]
    ],
)
def test_filters_that_make_no_sense_are_told(filters: tuple[Filter, ...], message: str) -> None:
    with pytest.raises(qdot.InputError, match=message):
        pulsed(Square(duration_ns=0.5, area_pi=1.0)).filtered(*filters).photon_numbers(filters[0].name)


def test_light_of_several_modes_needs_a_filter_each() -> None:
    exp = qdot.Experiment(PolarisedCascade(pump_per_ns_per_uW=0.1), drive=CW(power_uW=1.0))
    with pytest.raises(qdot.InputError, match="one undriven jump"):
        exp.filtered(Filter("narrow", "X", 1.0)).flux_per_ns("narrow")
    two = Model(("G", "X", "Y"), jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("Y", "G", 1.0, "X"), Jump.of("G", "X", 0.1), Jump.of("G", "Y", 0.1)))
    with pytest.raises(qdot.InputError, match="2 such jumps"):
        qdot.Experiment(two).filtered(Filter("narrow", "X", 1.0)).flux_per_ns("narrow")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.filtered_g2([], (0.0, 0.0), 1.0, "X"), "tau_ns"),
        (lambda e: e.filtered_g2([0.0], 1.0, 1.0, "X"), "energies_ueV"),
        (lambda e: e.filtered_g2([0.0], (0.0, math.inf), 1.0, "X"), "energies_ueV"),
        (lambda e: e.filtered_g2([0.0], ("0", "1"), 1.0, "X"), "energies_ueV"),
        (lambda e: e.filtered_g2([0.0], (0.0, 0.0), 0.0, "X"), "fwhm_ueV"),
        (lambda e: e.filtered_g2([0.0], (0.0, 0.0), (1.0, -1.0), "X"), "fwhm_ueV"),
        (lambda e: e.filtered_g2([0.0], (0.0, 0.0), (1.0, 1.0, 1.0), "X"), "fwhm_ueV"),
        (lambda e: e.filtered_g2([0.0], (0.0, 0.0), "wide", "X"), "fwhm_ueV"),
        (lambda e: e.filtered_g2([0.0], (0.0, 0.0), 1.0, "Y"), "Y"),
        (lambda e: e.filtered_g2([0.0], (0.0, 0.0), 1.0, "X", "Y"), "Y"),
        (lambda e: e.replace(drive=Square(duration_ns=0.5, area_pi=1.0)).filtered_g2([0.0], (0.0, 0.0), 1.0, "X"), "continuous"),
        (lambda e: e.replace(drive=CW(power_uW=0.0)).filtered_g2([0.0], (0.0, 0.0), 1.0, "X"), "emit light"),
        (lambda e: e.replace(collection={"X": 0.0}).filtered_g2([0.0], (0.0, 0.0), 1.0, "X"), "collect"),
    ],
)
def test_wrong_arguments_are_told(ask: Any, message: str) -> None:
    with pytest.raises(qdot.InputError, match=message):
        ask(driven())


def test_one_width_may_be_any_kind_of_number() -> None:
    one, two = (driven().filtered_g2([0.0], (0.0, 1.0), w, "X").value[0] for w in (2, np.int64(2)))
    assert one == pytest.approx(two, rel=1e-13)
