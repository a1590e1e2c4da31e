"""Closed forms, and numbers that two independent calculations gave: rate models under continuous light, two-level emitters and cascades under pulses.

Every number below was computed again for this file with 50 digits by the program in `tests/independent` or by a formula written here, and is given
to more digits than the catalogue it came from. Limits are reached by extrapolation over several values, not at one small value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

import qdot
from qdot.drive import Drive, Gaussian, Instant, Square
from qdot.model import Cavity, Coupling, Jump, Model

PAIR = ("XX", "X")
SIGMA_TO_FWHM = 2.0 * math.sqrt(math.log(2.0))


def light(levels: str, jumps: Sequence[tuple[str, str, float] | tuple[str, str, float, str]], start: str | None = None) -> qdot.Experiment:
    """Rate equations from (from, to, rate) or (from, to, rate, photon); no drive but the rates."""
    return qdot.Experiment(Model(levels=tuple(levels.split()), start=start, jumps=tuple(Jump.of(*j) for j in jumps)))


def two_level(*drive: Drive, gamma: float = 1.0) -> qdot.Experiment:
    """Resonantly driven two-level emitter that decays at gamma."""
    model = Model(levels=("G", "X"), jumps=(Jump.of("X", "G", gamma, "x"),), couplings=(Coupling(("G", "X"), 1.0, "laser"),))
    return qdot.Experiment(model, drive=drive)


def two_photon_driven(drive: Drive, rate_XX: float = 2.0, rate_X: float = 1.0) -> qdot.Experiment:
    """G coupled to XX by one effective Rabi frequency, XX -> X -> G."""
    jumps = (Jump.of("XX", "X", rate_XX, "XX"), Jump.of("X", "G", rate_X, "X"))
    return qdot.Experiment(Model(levels=("G", "X", "XX"), jumps=jumps, couplings=(Coupling(("G", "XX"), 1.0, "laser"),)), drive=drive)


def at_zero(x: Sequence[float], y: Sequence[float]) -> float:
    """Polynomial through all points, at x = 0 (Neville)."""
    t = np.array(y, dtype=float)
    for k in range(1, len(x)):
        for i in range(len(x) - k):
            t[i] = (x[i + k] * t[i] - x[i] * t[i + 1]) / (x[i + k] - x[i])
    return float(t[0])


def close(value: object, expected: object, rtol: float = 1e-12, atol: float = 0.0) -> None:
    np.testing.assert_allclose(np.asarray(value, dtype=float), np.asarray(expected, dtype=float), rtol=rtol, atol=atol)


# ---- dark-state loading under continuous light ----------------------------------------------------------------------------------------------------


def dark_loading(p1: float, p2: float, flip: float, dark: float = 0.0, rate_XX: float = 20.0, rate_X: float = 10.0) -> qdot.Experiment:
    jumps: list[tuple[str, str, float] | tuple[str, str, float, str]] = [("G", "D", p1), ("D", "XX", p2), ("XX", "X", rate_XX, "XX"), ("X", "G", rate_X, "X")]
    jumps += [("D", "X", flip)] if flip else []
    jumps += [("D", "G", dark)] if dark else []
    return light("G D XX X", jumps)


DARK_SETS = [
    ((1e-3, 1e-3, 1e-3, 0.0), 3333.611111111111, 0.6666666666666666),
    ((6.3e-4, 0.1, 1e-3, 0.0), 3993.2813622796543, 0.9950248756218905),
    ((1.2597e-3, 1.2597e-3, 4.2e-5, 0.0), 3904.485804214205, 0.9836027172639963),
    ((1e-3, 5e-4, 1e-3, 2e-4), 3375.21875, 0.5),
]


@pytest.mark.parametrize(("rates", "g2", "fraction"), DARK_SETS)
def test_dark_loading_bunches_as_R_gX_over_I_squared(rates: tuple[float, ...], g2: float, fraction: float) -> None:
    exp = dark_loading(*rates)
    pairs, total = exp.flux_per_ns("XX"), exp.flux_per_ns(PAIR)
    close(exp.g2_zero(PAIR), g2)
    close(exp.g2_zero(PAIR), pairs * 10.0 / total**2)
    close(exp.pair_flux_fraction(), fraction)
    assert exp.g3(0.0, 0.0, PAIR).value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("rates", [s[0] for s in DARK_SETS])
def test_dark_loading_far_below_saturation(rates: tuple[float, float, float, float]) -> None:
    """g2(0) = gX P2 (P1 + P2 + gsf + gD) / [P1 (2 P2 + gsf)^2] and F = 2 P2/(2 P2 + gsf), approached as all slow rates shrink together."""
    scales = [0.5, 0.35, 0.25, 0.15, 0.1]
    ratios, fractions = [], []
    for s in scales:
        p1, p2, flip, dark = (s * r for r in rates)
        exp = dark_loading(p1, p2, flip, dark)
        ratios.append(exp.g2_zero(PAIR) * p1 * (2 * p2 + flip) ** 2 / (10.0 * p2 * (p1 + p2 + flip + dark)))
        fractions.append(exp.pair_flux_fraction() * (2 * p2 + flip) / (2 * p2))
    close(at_zero(scales, ratios), 1.0, rtol=1e-10)
    close(fractions, np.ones(len(scales)), rtol=1e-12)


def test_pure_pairs_bunch_as_gX_over_four_R() -> None:
    exp = dark_loading(1e-3, 2e-3, 0.0)
    close(exp.g2_zero(PAIR), 10.0 / (4 * exp.flux_per_ns("XX")))


@pytest.mark.parametrize("ratio", [0.3, 1.0, 4.0])
def test_bright_ladder_bunches_as_the_ratio_of_its_pumps_at_weak_light(ratio: float) -> None:
    pumps = [1e-2, 6e-3, 3e-3, 1e-3]
    g2 = [light("G X XX", [("G", "X", p), ("X", "XX", ratio * p), ("XX", "X", 20.0, "XX"), ("X", "G", 10.0, "X")]).g2_zero(PAIR) for p in pumps]
    close(at_zero(pumps, g2), ratio, rtol=1e-10)


@pytest.mark.parametrize("selectivity", [0.5, 0.9, 0.99, 0.999])
def test_selectivity_sets_the_pair_fraction(selectivity: float) -> None:
    """G->D at sP, D->XX at P, G->X at (1-s)P, D->X at gsf: F = 2P / (P + (P + gsf)/s); four levels in balance, from the flux through D and through X."""
    p, flip, s = 1e-2, 1e-4, selectivity
    base = [("G", "D", s * p), ("D", "XX", p), ("XX", "X", 20.0, "XX"), ("X", "G", 10.0, "X"), ("D", "X", flip), ("G", "X", (1 - s) * p)]
    close(light("G D XX X", base).pair_flux_fraction(), 2 * p / (p + (p + flip) / s))
    pumped = {0.5: 0.6631458428468375, 0.9: 0.9429673314111386, 0.99: 0.9905097925547599, 0.999: 0.9950298754732564}
    close(light("G D XX X", [*base, ("X", "XX", p)]).pair_flux_fraction(), pumped[s])


def test_the_dip_after_a_pair() -> None:
    g2 = dark_loading(1.26e-3, 1.26e-3, 0.0).g2([0.0, 5.0, 50.0, 500.0, 2000.0], PAIR)
    close(g2, [3968.628968253968, 0.012148701077103783, 0.11806226365152458, 0.7162725014779605, 0.9935268882060078], rtol=1e-11)


# ---- one step per pulse: the side peaks remember -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b", "peaks"), [(0.5, 0.5, [2, 0, 1, 1, 1]), (1.0, 1.0, [1, 0, 2, 0, 2]), (0.3, 0.6, None)])
def test_at_most_one_exciton_per_pulse(a: float, b: float, peaks: list[float] | None) -> None:
    """D -> XX with probability b, then G -> D with probability a, within 1e-9 ns: pairs per pulse ab/(a+b), and a chain that remembers D."""

    def dose(probability: float) -> float:
        return 60.0 if probability == 1.0 else -math.log1p(-probability)

    jumps = (Jump.of("D", "XX", 1.0, drive="second"), Jump.of("G", "D", 1.0, drive="first"), Jump.of("XX", "X", 1.0, "XX"), Jump.of("X", "G", 1.0, "X"))
    drives = (Instant(name="second", dose_ns=dose(b), period_ns=80.0), Instant(name="first", dose_ns=dose(a), start_ns=1e-9, period_ns=80.0))
    exp = qdot.Experiment(Model(levels=("G", "D", "X", "XX"), jumps=jumps), drive=drives)
    numbers = exp.photon_numbers(PAIR, max=3)
    close(numbers.probabilities, [1 - a * b / (a + b), 0.0, a * b / (a + b), 0.0], rtol=1e-10, atol=1e-16)
    # the chain of G and D at the pulses: click matrix and no-click matrix
    click, quiet = np.array([[0.0, b], [0.0, 0.0]]), np.array([[1 - a, 0.0], [a, 1 - b]])
    state = np.array([b, a]) / (a + b)
    mean = 2 * np.sum(click @ state)
    expected, after = [2 * np.sum(click @ state) / mean**2], 2 * click @ state
    for _ in range(4):
        expected.append(2 * np.sum(click @ after) / mean**2)
        after = (click + quiet) @ after
    close(exp.side_peaks(4, PAIR), expected, rtol=1e-10, atol=1e-15)
    if peaks is not None:
        close(expected, peaks, atol=1e-15)


# ---- reading photon numbers off measured moments -----------------------------------------------------------------------------------------------------


def test_three_probabilities_follow_from_three_moments() -> None:
    """P3 = g3 mu^3/6, P2 = g2 mu^2/2 - 3 P3, P1 = mu - 2 P2 - 3 P3 where no more than three photons come."""
    jumps = [("C", "B", 3.0, "x"), ("C", "B", 1.0), ("B", "A", 2.0, "x"), ("B", "A", 0.7), ("A", "G", 1.0, "x"), ("A", "G", 0.5)]
    n = light("G A B C", jumps, start="C").photon_numbers("x", max=4)
    p3 = n.g3_zero * n.mean_photons**3 / 6
    p2 = n.g2_zero * n.mean_photons**2 / 2 - 3 * p3
    close(n.probabilities[1:4], [n.mean_photons - 2 * p2 - 3 * p3, p2, p3])
    close(n.probabilities[3], 0.75 * (2.0 / 2.7) * (1.0 / 1.5))
    close(n.photon_fraction_in_pairs, n.g2_zero * n.mean_photons - n.g3_zero * n.mean_photons**2)
    assert n.probabilities[4] == pytest.approx(0.0, abs=1e-15)


def test_loss_makes_singles_of_pairs() -> None:
    """P2 = 1 behind a transmission of 0.547: P2 = 0.299209, P1 = 0.495582; a share s becomes eta s."""
    exp = light("G X XX", [("XX", "X", 20.0, "XX"), ("X", "G", 10.0, "X")], start="XX").replace(collection={"first_lens": {"XX": 0.547, "X": 0.547}})
    n = exp.photon_numbers(PAIR, max=2)
    close(n.probabilities, [0.453**2, 0.495582, 0.299209])
    close([n.photon_fraction_in_pairs, n.pair_efficiency, n.g2_zero], [0.547, 0.299209, 0.5])
    close(exp.photon_numbers(PAIR, max=2, stage="emission").probabilities, [0.0, 0.0, 1.0], atol=1e-15)


# ---- two-level emitter, square pulses ----------------------------------------------------------------------------------------------------------------


def test_square_pulse_of_ten_pi() -> None:
    """Numbers of Wein, arXiv:2307.16591, found again here."""
    p = two_level(Square(duration_ns=2.0, area_pi=10.0)).photon_numbers("x", max=6).probabilities
    first = [0.3676696534878473, 0.0925184559635365, 0.39255037245458413, 0.09567822259508904]
    close(p, [*first, 0.04140436181229831, 0.008321043393002222, 0.0015910611400041259], rtol=1e-12)


def test_square_pulse_of_one_pi() -> None:
    n = two_level(Square(duration_ns=1.0, area_pi=1.0)).photon_numbers("x", max=4)
    close(n.probabilities, [0.01991407194326619, 0.8876107753983976, 0.09100692737794429, 0.0014605674146978842, 7.640048504317788e-06], rtol=1e-11)
    close([n.mean_photons, n.g2_zero], [1.074036981700356, 0.16546174556729787])


SHORT = [0.02, 0.03, 0.045, 0.06, 0.08, 0.1]


def test_short_square_pi_pulse_re_excites_as_a_quarter_of_its_length() -> None:
    """g2 -> gamma T/4. Source: Fischer et al., Quantum 2, 69 (2018)."""
    close(at_zero(SHORT, [two_level(Square(duration_ns=t, area_pi=1.0)).g2_zero("x") / t for t in SHORT]), 0.25, rtol=1e-8)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_short_square_pulse_of_whole_turns_emits_pairs(turns: int) -> None:
    """P2/(P1+P2) -> 3/4 and g2 gamma T -> 48/49, whatever the number of turns. Source: Fischer et al., Nat. Phys. 13, 649 (2017)."""
    share, scaled = [], []
    for t in SHORT:
        n = two_level(Square(duration_ns=t, area_pi=2.0 * turns)).photon_numbers("x", max=2)
        share.append(n.probabilities[2] / (n.probabilities[1] + n.probabilities[2]))
        scaled.append(n.g2_zero * t)
    close(at_zero(SHORT, share), 3 / 4, rtol=1e-8)
    close(at_zero(SHORT, scaled), 48 / 49, rtol=1e-8)


def test_square_pulse_of_two_pi() -> None:
    n = two_level(Square(duration_ns=0.1, area_pi=2.0)).photon_numbers("x", max=3)
    close(n.probabilities, [0.9512279090847408, 0.011893803903805941, 0.03642567414534341, 0.00045133577288847834], rtol=1e-11)
    close(n.g2_zero, 10.193587548083372, rtol=1e-11)


# ---- two-level emitter, Gaussian pulses --------------------------------------------------------------------------------------------------------------

NARROW = [0.01, 0.015, 0.022, 0.03, 0.04, 0.05]


def test_short_gaussian_pi_pulse() -> None:
    """g2 -> 0.728609 gamma sigma."""
    g2 = [two_level(Gaussian(fwhm_ns=s * SIGMA_TO_FWHM, area_pi=1.0)).g2_zero("x") / s for s in NARROW]
    close(at_zero(NARROW, g2), 0.728608646, rtol=1e-7)


def test_short_gaussian_two_pi_pulse() -> None:
    """P2/(P1+P2) -> 0.697354 and g2 gamma sigma -> 0.332211."""
    share, scaled = [], []
    for s in NARROW:
        n = two_level(Gaussian(fwhm_ns=s * SIGMA_TO_FWHM, area_pi=2.0)).photon_numbers("x", max=2)
        share.append(n.probabilities[2] / (n.probabilities[1] + n.probabilities[2]))
        scaled.append(n.g2_zero * s)
    close(at_zero(NARROW, share), 0.69735386488, rtol=1e-8)
    close(at_zero(NARROW, scaled), 0.332211072, rtol=1e-7)


GAUSSIAN = [
    (0.1, 1.0, [0.000950528272193594, 0.9785185328169085, 0.02045938041354043, 7.147296904380095e-05], 0.03977013621614654, 0.00040645514503466734),
    (0.1, 2.0, [0.9161935747329439, 0.02430892101251743, 0.057998144918923474, 0.0014898786252447954], 5.9630463878636375, 3.0188355952655272),
    # the pulse of the benchmarks: 0.1 wide in the field
    (
        0.1 / math.sqrt(2),
        1.0,
        [4.824207914904525e-04, 0.9847285615617082, 0.01475233404889292, 3.665247665024482e-05],
        0.0288902492095599,
        2.1143313469504846e-04,
    ),
    (0.1 / math.sqrt(2), 2.0, [0.9399892510137022, 0.0176199174723267, 0.04162453203290398, 7.628544781659363e-04], 8.254876968292438, 4.2433822016555665),
]


@pytest.mark.parametrize(("fwhm", "area", "probabilities", "g2", "g3"), GAUSSIAN)
def test_gaussian_pulse(fwhm: float, area: float, probabilities: list[float], g2: float, g3: float) -> None:
    n = two_level(Gaussian(fwhm_ns=fwhm, area_pi=area)).photon_numbers("x", max=3)
    close(n.probabilities, probabilities, rtol=1e-10)
    close([n.g2_zero, n.g3_zero], [g2, g3], rtol=1e-10)


# ---- continuous light ------------------------------------------------------------------------------------------------------------------------------


def through_bright_and_dark(p: float, flip: float = 0.01) -> qdot.Experiment:
    jumps = [("G", "B", p / 2), ("G", "D", p / 2), ("D", "XX", p), ("B", "XX", p), ("D", "B", flip), ("XX", "B", 20.0, "XX"), ("B", "G", 10.0, "X")]
    return light("G B D XX", jumps)  # type: ignore[arg-type]


def test_unselective_dark_path() -> None:
    """g2(0) -> gX/(2 gamma_S) at weak pump. Source of the scheme: Kamide, Iwamoto and Arakawa, arXiv:1405.2661."""
    table = {1e-5: 500.2501241886556, 1e-4: 493.6010118174704, 1e-3: 435.69840418740256, 1e-2: 200.65961651142715}
    for p, g2 in table.items():
        close(through_bright_and_dark(p).g2_zero(PAIR), g2)
    # the weak-pump limit at gX far above the flip: both small parameters to zero together
    eps = [0.02, 0.03, 0.045, 0.06, 0.08]
    g2 = []
    for e in eps:
        flip = 10.0 * e
        g2.append(through_bright_and_dark(1e-3 * e * flip, flip).g2_zero(PAIR) * 2 * flip / 10.0)
    close(at_zero(eps, g2), 1.0, rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_circular_cascade(n: int) -> None:
    """g2(tau) = sum_p z^p exp(-gamma tau (1 - z^p)), z = exp(2 pi i/N). Source: Palomo Marcos et al., arXiv:2408.02068."""
    names = [f"L{i}" for i in range(n)]
    exp = light(" ".join(names), [(names[i], names[(i + 1) % n], 1.0, f"line{i}") for i in range(n)])
    tau = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 10.0])
    z = np.exp(2j * np.pi * np.arange(n) / n)
    for line in ("line0", f"line{n - 1}"):
        close(exp.g2(tau, line), np.sum(z[:, None] ** 0 * np.exp(-tau * (1 - z[:, None])) * z[:, None], axis=0).real, rtol=1e-10, atol=1e-14)
    if n == 3:
        close(exp.g2([0.5, 1.0, 2.0], "line0"), [0.22792302577665258, 0.5610435474298091, 0.922878648208573])


@pytest.mark.parametrize("x", [0.1, 1.0, 3.0])
def test_degenerate_bright_ladder(x: float) -> None:
    """g2(0) = (1 + x + x^2 gX/gXX)/(1 + x)^2; the cross g2 jumps to 1/n_X after XX and vanishes before. Source: Wu et al., arXiv:1509.06819."""
    exp = light("G X XX", [("G", "X", x), ("X", "XX", x), ("XX", "X", 2.0, "XX"), ("X", "G", 1.0, "X")])
    close(exp.g2_zero(PAIR), (1 + x + x * x / 2) / (1 + x) ** 2)
    close(exp.g2([0.0], "XX", "X"), [1 / exp.populations()["X"]])
    assert exp.g2([0.0], "X", "XX").value[0] == 0.0
    if x == 1.0:
        close(exp.g2([0.0, 0.5, 1.0, 2.0, 5.0], PAIR), [0.625, 0.8281969000110162, 0.9165502771095214, 0.9793343984931419, 0.9996734233627358])
    if x == 0.1:
        close(exp.g2([0.0], "XX", "X"), [11.05])


# ---- two-photon excitation ---------------------------------------------------------------------------------------------------------------------------


def test_two_photon_excitation_suppresses_re_excitation() -> None:
    """g2 of the X line -> 0.0473576 gXX gX T^2 (square) and 0.418920 gXX gX sigma^2 (Gaussian). Source: Hanschke et al., npj Quantum Inf. 4, 43 (2018)."""
    square = [two_photon_driven(Square(duration_ns=t, area_pi=1.0)).g2_zero("X") / (2 * t * t) for t in SHORT]
    close(at_zero(SHORT, square), 0.0473576327, rtol=1e-7)
    gauss = [two_photon_driven(Gaussian(fwhm_ns=s * SIGMA_TO_FWHM, area_pi=1.0)).g2_zero("X") / (2 * s * s) for s in NARROW]
    close(at_zero(NARROW, gauss), 0.4189199442, rtol=1e-6)


def test_two_photon_gaussian_pulse() -> None:
    n = two_photon_driven(Gaussian(fwhm_ns=0.05 * SIGMA_TO_FWHM, area_pi=1.0)).photon_numbers("X", max=2)
    close(n.probabilities, [0.002548248545131298, 0.996524771620784, 0.0009269115935246384], rtol=1e-10)
    close(n.g2_zero, 0.0018602594551757586, rtol=1e-10)


@pytest.mark.parametrize("area", [0.5, 1.0, 1.3])
def test_sudden_two_photon_pulse(area: float) -> None:
    """g2 of the pair = 1/(2 sin^2(A/2)), unchanged by loss."""
    exp = two_photon_driven(Instant(area_pi=area)).replace(collection={"fibre": {"XX": 0.3, "X": 0.3}})
    close(exp.g2_zero(PAIR), 1 / (2 * math.sin(area * math.pi / 2) ** 2))


@pytest.mark.parametrize("dt", [0.3, math.log(2), 2.0])
def test_two_sudden_pi_pulses(dt: float) -> None:
    """P0 = exp(-gamma dt), P1 = 0, P2 = 1 - exp(-gamma dt); at dt = ln 2/gamma g2 = 1. Source: Wein, Loredo et al., Nat. Photon. 16, 374 (2022)."""
    n = two_level(Instant(area_pi=1.0), Instant(area_pi=1.0, start_ns=dt)).photon_numbers("x", max=3)
    close(n.probabilities, [math.exp(-dt), 0.0, -math.expm1(-dt), 0.0], atol=1e-15)
    close(n.g2_zero, 0.5 / -math.expm1(-dt))


# ---- a cavity, a pulse -------------------------------------------------------------------------------------------------------------------------------


def test_biexciton_in_a_cavity_under_a_two_photon_pulse() -> None:
    """Benchmark: 20 states, detuned by 1519 rad/ns. Numbers from counting sectors on 20 x 20 matrices with an eighth-order stepper at 1e-13."""
    hbar, split, g = 0.6582119569, 15.19 / 2, 40 * math.pi
    jumps = [Jump.of(a, b, 1.0) for a, b in (("XX", "X_H"), ("XX", "X_V"), ("X_H", "G"), ("X_V", "G"))]
    model = Model(
        levels=("G", "X_H", "X_V", "XX"),
        energies_ueV={"X_H": hbar * (1519.27 + split), "X_V": hbar * (1519.27 - split)},
        jumps=tuple(jumps),
        couplings=(Coupling(("G", "X_H"), 1126.0, "laser"), Coupling(("X_H", "XX"), 1126.0, "laser")),
        cavities=(Cavity("H", 5, 5 * g, (g, g), (("X_H", "G"), ("XX", "X_H")), hbar * (1519.27 + split), "H"),),
    )
    field_sigma = 0.010 / (2 * math.sqrt(2 * math.log(2)))
    n = qdot.Experiment(model, drive=Gaussian(fwhm_ns=field_sigma * SIGMA_TO_FWHM)).photon_numbers("H", max=4)
    close(n.probabilities, [0.358484620597, 0.314956038858, 0.325323837061, 1.22241287297e-3, 1.30204923023e-5], rtol=1e-11)
    close([n.mean_photons, n.g2_zero], [0.9693233844, 0.70045586541], rtol=4e-11)
