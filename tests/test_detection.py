"""The detection chain, forward: what responses, bins, backgrounds, dead times and splitters make of the light.

Second roads: closed forms, enumeration of where each photon goes, Monte Carlo of photons on detectors, and small programs that build their own matrices
and integrate over time grids. None of them uses the package below what is asked of it.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import erfc, erfcx

import qdot
from qdot import InputError
from qdot.detection import Blinking, Chain, Detector, MeasuredResponse, Transmission, kernels_of, smoothed
from qdot.drive import CW, Instant
from qdot.model import Jump, Model

SIGMA = 1.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))


def two(**fields: object) -> tuple[Detector, Detector]:
    """Two equal detectors behind a 50:50 splitter."""
    return Detector("A", share=0.5, **fields), Detector("B", share=0.5, **fields)  # type: ignore[arg-type]


def cascade(**fields: object) -> qdot.Experiment:
    """A biexciton that decays once, without any drive: exactly one photon XX and one X."""
    jumps = (Jump((("XX", "X"),), (20.0,), photon="XX"), Jump((("X", "G"),), (10.0,), photon="X"))
    return qdot.Experiment(Model(("G", "X", "XX"), start="XX", jumps=jumps), **fields)  # type: ignore[arg-type]


def two_level(pump: float = 0.5, decay: float = 2.0, **fields: object) -> qdot.Experiment:
    """A two-level source under a steady pump: every photon is followed by a waiting time for the pump and one for the decay."""
    jumps = (Jump((("G", "X"),), (pump,)), Jump((("X", "G"),), (decay,), photon="X"))
    return qdot.Experiment(Model(("G", "X"), jumps=jumps), **fields)  # type: ignore[arg-type]


def train(**fields: object) -> qdot.Experiment:
    """A dark-loaded dot under pulses, with memory from pulse to pulse and up to a few photons per pulse."""
    dot = qdot.emitters.DarkLoadedCascade(lifetime_XX_ns=0.1, lifetime_X_ns=0.2, spin_flip_per_ns=1e-3, pump_per_ns_per_uW=5e-2)
    return qdot.Experiment(dot, drive=qdot.drive.Square(power_uW=10.0, duration_ns=1.0, period_ns=12.5), **fields)  # type: ignore[arg-type]


# Responses and bins ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime", "bin_ns", "factors"),
    [
        (0.100, 0.050, (0.884, 0.780, 0.649)),
        (0.100, 0.256, (0.564, 0.554, 0.522)),
        (0.067, 0.050, (0.834, 0.699, 0.545)),
        (0.067, 0.256, (0.446, 0.438, 0.409)),
    ],
)
def test_jitter_and_bin_shrink_a_peak_by_the_known_factors(lifetime: float, bin_ns: float, factors: tuple[float, ...]) -> None:
    """Three printed digits, cut off or rounded."""
    for fwhm, factor in zip((0.0, 0.05, 0.1), factors, strict=True):
        a, b = two(jitter_fwhm_ns=fwhm)
        value, _ = smoothed(lambda u: np.exp(-np.abs(u) / lifetime), np.zeros(1), kernels_of(a, b, bin_ns))
        assert float(value[0]) == pytest.approx(factor, abs=1.05e-3)


@pytest.mark.parametrize("ks", [1e-3, 0.1, 0.7, 3.0, 30.0])
def test_without_a_bin_the_factor_is_a_scaled_error_function(ks: float) -> None:
    a, b = two(jitter_fwhm_ns=0.05)
    k = ks / (math.sqrt(2.0) * 0.05 * SIGMA)
    value, _ = smoothed(lambda u: np.exp(-np.abs(u) * k), np.zeros(1), kernels_of(a, b))
    assert float(value[0]) == pytest.approx(erfcx(ks / math.sqrt(2.0)), rel=1e-11)


def test_a_bin_alone_averages_the_cusp_in_closed_form() -> None:
    k, w = 13.0, 0.3
    tau = np.array([-0.05, 0.0, 0.1, 0.4, 3.0])
    value, _ = smoothed(lambda u: np.exp(-np.abs(u) * k), tau, kernels_of(*two(), w))

    def integral(x: float) -> float:
        return math.copysign(-math.expm1(-k * abs(x)) / k, x)

    exact = [(integral(t + w / 2) - integral(t - w / 2)) / w for t in tau]
    assert value[:4] == pytest.approx(exact[:4], rel=1e-11)
    assert float(value[4]) == pytest.approx(math.exp(-k * 3.0) * 2 * math.sinh(k * w / 2) / (k * w), rel=1e-11)


def test_nine_decades_of_delay_keep_their_digits_through_a_gaussian_response() -> None:
    """A peak of 4000, a dip and a slow tail; the closed form in 60 digits."""
    rates, heights = (10.0, 1e-3, 1e-5), (4000.0, -0.9, -0.05)
    s = math.sqrt(2.0) * 0.1 * SIGMA
    tau = np.concatenate([-np.geomspace(1e-3, 1e6, 40), [0.0], np.geomspace(1e-3, 1e6, 40)])

    def curve(u: np.ndarray) -> np.ndarray:
        return 1.0 + sum(h * np.exp(-np.abs(u) * k) for k, h in zip(rates, heights, strict=True))

    def exact(t: float) -> float:
        with mpmath.workdps(60):
            t, root = abs(mpmath.mpf(t)), mpmath.sqrt(2)
            total = mpmath.mpf(1)
            for k, h in zip(rates, heights, strict=True):
                rise = [mpmath.exp(sign * k * t) * mpmath.erfc((k * s + sign * t / s) / root) for sign in (-1, 1)]
                total += h * mpmath.exp((mpmath.mpf(k) * s) ** 2 / 2) / 2 * sum(rise)
            return float(total)

    value, error = smoothed(curve, tau, kernels_of(*two(jitter_fwhm_ns=0.1)))
    reference = np.array([exact(t) for t in tau])
    assert value == pytest.approx(reference, rel=1e-10)
    assert error < 1e-9 * 4000.0


def test_a_measured_response_is_averaged_step_by_step_and_a_late_second_detector_shifts_to_later_delays() -> None:
    """Against plain quadrature over the histogram; the second detector's lateness adds to the delay, the first's is taken off it."""
    edges, weights = np.array([-0.1, 0.1, 0.3, 0.5]), np.array([1.0, 4.0, 2.0])
    slow, fast = Detector("A", share=0.5, response=MeasuredResponse(edges, weights)), Detector("B", share=0.5)  # type: ignore[arg-type]
    tau = np.array([-0.6, -0.2, 0.0, 0.15, 0.4, 2.0])
    for first, second, sign in ((fast, slow, 1.0), (slow, fast, -1.0)):
        value, _ = smoothed(lambda u: np.exp(-3.0 * np.abs(u)), tau, kernels_of(first, second))
        for t, v in zip(tau, value, strict=True):
            parts = [
                w
                / 7.0
                / 0.2
                * quad(lambda x, t=t, sign=sign: math.exp(-3.0 * abs(t - sign * x)), a, b, points=[sign * t] if a < sign * t < b else None, epsrel=1e-13)[0]
                for a, b, w in zip(edges[:-1], edges[1:], weights, strict=True)
            ]
            assert float(v) == pytest.approx(sum(parts), rel=1e-11)


def test_two_measured_responses_and_a_bin_agree_with_drawn_delays() -> None:
    rng = np.random.default_rng(11)
    a = Detector("A", share=0.5, response=MeasuredResponse(np.linspace(-0.2, 0.3, 6), [1, 3, 2, 1, 0.5]))  # type: ignore[arg-type]
    b = Detector("B", share=0.5, response=MeasuredResponse(np.linspace(-0.1, 0.2, 4), [1, 2, 1]))  # type: ignore[arg-type]
    tau = np.array([-0.3, 0.0, 0.3])
    value, _ = smoothed(lambda u: np.exp(-4.0 * np.abs(u)), tau, kernels_of(a, b, 0.1))
    n = 400_000
    x = b.draw_jitter_ns(n, rng) - a.draw_jitter_ns(n, rng) + 0.1 * (rng.random(n) - 0.5)
    drawn = np.exp(-4.0 * np.abs(tau[:, None] - x))
    assert np.all(np.abs(drawn.mean(axis=1) - value) < 4.0 * drawn.std(axis=1) / math.sqrt(n))


def test_a_curve_with_an_unnamed_jump_is_found_or_refused_and_never_wrong() -> None:
    a, b = two(jitter_fwhm_ns=0.1)
    s = math.sqrt(2.0) * 0.1 * SIGMA
    value, _ = smoothed(lambda u: np.where(u > 0.37, 1.0, 2.0), np.array([0.3, 0.37, 0.5]), kernels_of(a, b))
    assert value == pytest.approx([1.0 + 0.5 * erfc((t - 0.37) / s / math.sqrt(2.0)) for t in (0.3, 0.37, 0.5)], rel=1e-9)
    with pytest.raises(InputError, match="finite"):
        smoothed(lambda u: np.full(u.shape, np.nan), np.zeros(1), kernels_of(a, b))


def test_recorded_g2_of_a_dot_is_the_closed_form_of_its_exponentials() -> None:
    """Own rate matrix and eigenvectors; each exponential through Gaussian, bin and background; offset by the delays of the cables."""
    dot = qdot.emitters.DarkLoadedCascade(lifetime_XX_ns=0.06, lifetime_X_ns=0.10, spin_flip_per_ns=1e-3, pump_per_ns_per_uW=1e-2)
    a = Detector("A", share=0.5, efficiency=0.2, dark_per_s=3e4, jitter_fwhm_ns=0.05)
    b = Detector("B", share=0.4, efficiency=0.3, leakage_per_s=2e4, jitter_fwhm_ns=0.08, delay_ns=1.5)
    e = qdot.Experiment(dot, drive=qdot.drive.CW(power_uW=1.0), collection={"pair": 0.3}, detectors=[a, b])
    names = e.model.levels
    rates = np.zeros((len(names),) * 2)
    photon = np.zeros_like(rates)
    for j in e.model.jumps:
        for (up, down), rate in zip(j.transitions, j.rates_per_ns, strict=True):
            rates[names.index(down), names.index(up)] += rate  # those of the pump at 1 uW
            if j.photon:
                photon[names.index(down), names.index(up)] += rate
    generator = rates - np.diag(rates.sum(axis=0))
    values, vectors = np.linalg.eig(generator)
    steady = np.real(vectors[:, np.argmin(np.abs(values))])
    steady /= steady.sum()
    flux = float(photon.sum(axis=0) @ steady)
    shares = np.linalg.solve(vectors, (photon @ steady).astype(complex)) * (photon.sum(axis=0) @ vectors) / flux**2
    s, width = math.hypot(0.05, 0.08) * SIGMA, 0.1

    def smooth(k: complex, t: float) -> complex:
        t, k = abs(t), mpmath.mpc(k)
        rise = [mpmath.exp(sign * k * t) * mpmath.erfc((k * s + sign * t / s) / mpmath.sqrt(2)) for sign in (-1, 1)]
        return complex(mpmath.exp((k * s) ** 2 / 2) / 2 * sum(rise))

    tau = np.array([1.2, 1.5, 1.62, 4.0])
    nodes, weights = np.polynomial.legendre.leggauss(24)
    expected = []
    for t in tau - 1.5:
        parts = [sum(w / 2 * smooth(-k, t + width / 2 * x) for x, w in zip(nodes, weights, strict=True)) * c for k, c in zip(values, shares, strict=True)]
        expected.append(sum(parts).real)
    signal = [flux * 0.3 * q for q in (0.5 * 0.2, 0.4 * 0.3)]
    rho = signal[0] / (signal[0] + 3e-5) * signal[1] / (signal[1] + 2e-5)
    found = e.recorded_g2(tau, bin_ns=width)
    assert found.g2 == pytest.approx(1.0 + rho * (np.array(expected) - 1.0), rel=1e-9)
    counts = found.expected_counts(60.0)
    assert counts == pytest.approx((signal[0] + 3e-5) * (signal[1] + 2e-5) * 1e9 * width * 60.0 * found.g2, rel=1e-9)
    assert found.error_bound < 1e-9


# Backgrounds -----------------------------------------------------------------------------------------------------------------------------------------


def test_dark_counts_alone_have_a_g2_of_one() -> None:
    dark = two(efficiency=0.0, dark_per_s=1e5)
    cw = two_level(detectors=dark)
    assert cw.recorded_g2([0.0, 1.0], bin_ns=0.1).g2.tolist() == [1.0, 1.0]
    clicks = train(detectors=dark).clicks()
    assert clicks.g2_zero("A", "B") == pytest.approx(1.0, rel=1e-13)
    assert clicks.click("A") == pytest.approx(-math.expm1(-1e5 * 12.5e-9), rel=1e-13)


def test_leakage_fills_the_dip_of_a_single_photon_source() -> None:
    """g2(0) = 1 - (signal / total)^2 for an empty dip."""
    cw = two_level(collection={"X": 0.1}, detectors=two(efficiency=0.5, leakage_per_s=2e6))
    flux = 1.0 / (1.0 / 0.5 + 1.0 / 2.0) * 0.1 * 0.25
    assert float(cw.recorded_g2(0.0).g2[0]) == pytest.approx(1.0 - (flux / (flux + 2e-3)) ** 2, rel=1e-12)


def test_loss_leaves_g2_and_g3_as_they_are_and_turns_a_share_of_pairs_into_its_part() -> None:
    stats = [train(collection={"pair": eta}).photon_numbers("pair") for eta in (1.0, 0.3, 0.01)]
    for s in stats[1:]:
        assert s.g2_zero == pytest.approx(stats[0].g2_zero, rel=1e-11)
        assert s.g3_zero == pytest.approx(stats[0].g3_zero, rel=1e-11)
    pairs = [cascade(collection={"XX": eta, "X": eta}).photon_numbers(("XX", "X")) for eta in (1.0, 0.547)]
    assert pairs[1].photon_fraction_in_pairs == pytest.approx(0.547 * pairs[0].photon_fraction_in_pairs, rel=1e-12)
    assert pairs[1].probabilities[1] == pytest.approx(2 * 0.547 * 0.453, rel=1e-12)  # P(1) = 0.496 behind 0.547
    detected = [two_level(detectors=two(efficiency=eta)).recorded_g2([0.0, 0.3, 2.0]).g2 for eta in (1.0, 1e-3)]
    assert detected[1] == pytest.approx(detected[0], rel=1e-12)


def test_blinking_bunches_by_the_ratio_of_dark_and_bright_times() -> None:
    shutter = Blinking(on_ns=300.0, off_ns=100.0)
    plain, blinking = (two_level(detectors=two(), blinking=b).recorded_g2([0.7, 40.0]).g2 for b in (None, shutter))
    assert blinking / plain == pytest.approx([1.0 + math.exp(-t * (1 / 300.0 + 1 / 100.0)) / 3.0 for t in (0.7, 40.0)], rel=1e-12)
    rates = [two_level(detectors=two(), blinking=b).count_rates()["A"].photons_per_s for b in (None, shutter)]
    assert rates[1] == pytest.approx(0.75 * rates[0], rel=1e-12)
    clicks = [cascade(detectors=two(), blinking=b).clicks() for b in (None, shutter)]
    assert clicks[1].coincidence("A", "B") == pytest.approx(0.75 * clicks[0].coincidence("A", "B"), rel=1e-12)
    assert clicks[1].g2_zero("A", "B") == pytest.approx(clicks[0].g2_zero("A", "B") / 0.75, rel=1e-12)


# Dead time and afterpulses -----------------------------------------------------------------------------------------------------------------------------


def test_dead_time_of_poissonian_counts_gives_the_textbook_rates() -> None:
    rate, tau = 3e6, 80.0
    for kind, expected in (("non_paralysable", rate / (1 + rate * 1e-9 * tau)), ("paralysable", rate * math.exp(-rate * 1e-9 * tau))):
        d = Detector("A", efficiency=0.0, dark_per_s=rate, dead_time_ns=tau, dead_time_kind=kind)
        found = two_level(detectors=d).count_rates()["A"]
        assert found.registered_per_s == pytest.approx(expected, rel=1e-11)
        assert found.dead_time_loss == pytest.approx(1 - expected / rate, rel=1e-9)


@pytest.mark.parametrize("tau", [0.01, 0.7, 5.0, 300.0])
def test_dead_time_of_an_antibunched_source_follows_its_waiting_times(tau: float) -> None:
    """Every photon leaves the ground state: while the detector is dead the state relaxes, then it waits for the pump and the decay."""
    p, g = 0.5, 2.0
    excited = p / (p + g) * -math.expm1(-(p + g) * tau)
    open_again = 1.0 / (tau + 1.0 / g + (1.0 - excited) / p)
    never_disturbed = (g * math.exp(-p * tau) - p * math.exp(-g * tau)) / (g - p) / (1.0 / p + 1.0 / g)
    for kind, expected in (("non_paralysable", open_again), ("paralysable", never_disturbed)):
        d = Detector("A", dead_time_ns=tau, dead_time_kind=kind)
        assert two_level(p, g, detectors=d).count_rates()["A"].registered_per_s == pytest.approx(1e9 * expected, rel=1e-9)


def test_dead_time_takes_more_from_bunched_light_as_drawn_events_say() -> None:
    """Pairs of a slowly pumped cascade on one detector with losses: events drawn one after the other."""
    rng = np.random.default_rng(5)
    n, tau, eta = 200_000, 3.0, 0.4
    gaps = np.stack([rng.exponential(20.0, n), rng.exponential(0.05, n), rng.exponential(0.1, n)], axis=1)
    ends = np.cumsum(gaps.ravel()).reshape(n, 3)
    times = ends[:, 1:].ravel()[rng.random(2 * n) < eta]
    registered, last = 0, -math.inf
    for t in times:
        if t - last >= tau:
            registered, last = registered + 1, t
    jumps = (Jump((("G", "XX"),), (0.05,)), Jump((("XX", "X"),), (20.0,), photon="pair"), Jump((("X", "G"),), (10.0,), photon="pair"))
    e = qdot.Experiment(Model(("G", "X", "XX"), jumps=jumps), detectors=Detector("A", efficiency=eta, dead_time_ns=tau))
    found = e.count_rates()["A"]
    drawn = registered / ends[-1, -1] * 1e9
    assert found.registered_per_s == pytest.approx(drawn, rel=4.0 / math.sqrt(registered))
    poissonian = found.photons_per_s / (1.0 + found.photons_per_s * 1e-9 * tau)
    assert found.registered_per_s < 0.9 * poissonian


def test_a_train_that_outpaces_the_dead_time_loses_whole_pulses() -> None:
    """One photon per pulse at 80 MHz: with a click probability q and K blinded pulses the rate is q / (1 + K q) per pulse."""
    source = qdot.emitters.TwoLevel(lifetime_ns=0.1, rabi_per_ns_per_sqrt_uW=1.0)
    q = 0.3
    for tau, blinded in ((5.0, 0), (30.0, 2), (55.0, 4)):
        d = Detector("A", efficiency=q, dead_time_ns=tau)
        e = qdot.Experiment(source, drive=qdot.drive.Instant(area_pi=1.0, period_ns=12.5), detectors=d)
        assert e.count_rates()["A"].registered_per_s == pytest.approx(q / (1.0 + blinded * q) / 12.5e-9, rel=1e-9)


def test_afterpulses_multiply_a_rate_and_are_late_by_an_exponential_time() -> None:
    """False counts with false counts in turn, drawn as families: one in 1 - p counts is true, and a false one is late by a time of mean time / (1 - p)."""
    p, mean = 0.3, 20.0
    d = Detector("A", dark_per_s=1e4, efficiency=0.0, afterpulse_probability=p, afterpulse_time_ns=mean)
    found = two_level(detectors=d).count_rates()["A"]
    assert found.registered_per_s == pytest.approx(1e4 / (1 - p), rel=1e-12)
    assert found.afterpulses_per_s == pytest.approx(1e4 * p / (1 - p), rel=1e-12)
    rng = np.random.default_rng(3)
    late, alive = [np.zeros(200_000)], np.zeros(200_000)
    while alive.size:
        alive = alive[rng.random(alive.size) < p]
        alive = alive + rng.exponential(mean, alive.size)
        late.append(alive)
    delays = np.concatenate(late)
    tau = np.array([-30.0, 0.0, 15.0, 60.0])
    quiet = Detector("B", share=0.5)
    noisy = Detector("A", share=0.5, afterpulse_probability=p, afterpulse_time_ns=mean)
    value, _ = smoothed(lambda u: np.exp(-0.1 * np.abs(u)), tau, kernels_of(quiet, noisy))
    drawn = np.exp(-0.1 * np.abs(tau[:, None] - delays))
    assert np.all(np.abs(drawn.mean(axis=1) - value) < 5.0 * drawn.std(axis=1) / math.sqrt(delays.size))


# Clicks ----------------------------------------------------------------------------------------------------------------------------------------------


def test_a_threshold_detector_clicks_with_one_minus_every_photon_missed() -> None:
    for eta in (1e-6, 0.3, 1.0):
        clicks = cascade(detectors=Detector("A", efficiency=eta)).clicks()
        assert clicks.click("A") == pytest.approx(-((1 - eta) ** 2 - 1) if eta > 1e-3 else 2 * eta - eta**2, rel=1e-12)


def test_four_detectors_see_two_photons_as_all_their_ways_enumerated() -> None:
    shares, etas, dark = (0.3, 0.25, 0.25, 0.2), (0.9, 0.6, 0.5, 0.8), (0.0, 1e6, 0.0, 2e7)
    detectors = [Detector(n, share=s, efficiency=e, dark_per_s=r) for n, s, e, r in zip("ABCD", shares, etas, dark, strict=True)]
    found = cascade(detectors=detectors).clicks(window_ns=10.0).probabilities
    chances = [s * e for s, e in zip(shares, etas, strict=True)]
    chances.append(1.0 - sum(chances))  # nowhere
    expected = np.zeros((2,) * 4)
    for ways in itertools.product(range(5), repeat=2):
        for darks in itertools.product((0, 1), repeat=4):
            p = chances[ways[0]] * chances[ways[1]]
            for k, one in enumerate(darks):
                p *= -math.expm1(-dark[k] * 1e-8) if one else math.exp(-dark[k] * 1e-8)
            expected[tuple(int(bool(darks[k]) or k in ways) for k in range(4))] += p
    assert found == pytest.approx(expected, rel=1e-11)
    assert found.sum() == pytest.approx(1.0, rel=1e-12)


def test_a_number_resolving_detector_counts_what_a_binomial_leaves_and_its_background_adds() -> None:
    eta, mean = 0.7, 0.02
    d = Detector("A", efficiency=eta, leakage_per_pulse=mean, number_resolving=True)
    found = cascade(detectors=d).clicks(max=3).probabilities
    light = [(1 - eta) ** 2, 2 * eta * (1 - eta), eta**2, 0.0]
    back = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(30)]
    every = np.convolve(light, back)
    assert found == pytest.approx([*every[:3], every[3:].sum()], rel=1e-12)


def test_lights_that_go_to_different_detectors_keep_their_correlation_and_herald_each_other() -> None:
    """XX to one detector, X to another: Klyshko's ratio is the efficiency of the other arm, and coincidences are the product."""
    a, b = Detector("A", sees="XX", efficiency=0.3), Detector("B", sees="X", efficiency=0.45)
    clicks = cascade(collection={"XX": 0.8, "X": 0.9}, detectors=[a, b]).clicks()
    assert clicks.coincidence("A", "B") == pytest.approx(0.24 * 0.405, rel=1e-12)
    assert clicks.heralding_efficiency("A", "B") == pytest.approx(0.405, rel=1e-12)
    assert clicks.heralding_efficiency("B", "A") == pytest.approx(0.24, rel=1e-12)


def test_pairs_on_a_half_and_half_splitter_coincide_at_half_of_their_detected_rate() -> None:
    source = qdot.emitters.BrightCascade(pump_per_ns_per_uW=2e-3)
    e = qdot.Experiment(source, drive=qdot.drive.Gaussian(power_uW=50.0, fwhm_ns=0.01, period_ns=12.5), detectors=two(efficiency=0.2), collection={"pair": 0.5})
    clicks, light = e.clicks(), e.photon_numbers("pair", max=8, stage="emission")
    p = light.probabilities
    eta = 0.5 * 0.2
    # n photons: 1 - 2 (1 - eta/2)^n + (1 - eta)^n
    expected = sum(x * (1 - 2 * (1 - eta / 2) ** n + (1 - eta) ** n) for n, x in enumerate(p))
    assert clicks.coincidence("A", "B") == pytest.approx(expected, rel=1e-8)
    assert clicks.per_s("A", "B") == pytest.approx(expected / 12.5e-9, rel=1e-8)
    assert p[2] * eta**2 / 2 <= clicks.coincidence("A", "B")


def test_weak_detection_recovers_g2_and_rare_fourfold_clicks_keep_their_digits() -> None:
    """Coincidences over clicks tend to <n(n-1)>/mu^2, linearly in the efficiency; a fourfold click to mu_4 times the product of the chances."""
    e = train()
    g2 = e.photon_numbers("pair").g2_zero
    ratio = [train(detectors=two(efficiency=eta)).clicks().g2_zero("A", "B") for eta in (1e-3, 5e-4)]
    assert 2 * ratio[1] - ratio[0] == pytest.approx(g2, rel=1e-6)
    four = [train(detectors=[Detector(n, share=0.25, efficiency=eta) for n in "ABCD"]).clicks() for eta in (1e-4, 5e-5)]
    p = e.photon_numbers("pair", max=12).probabilities
    moment = sum(x * n * (n - 1) * (n - 2) * (n - 3) for n, x in enumerate(p))
    scaled = [c.coincidence(*"ABCD") / (0.25 * eta) ** 4 for c, eta in zip(four, (1e-4, 5e-5), strict=True)]
    assert 2 * scaled[1] - scaled[0] == pytest.approx(moment, rel=1e-5)


def test_photons_thrown_on_detectors_one_by_one_give_the_same_patterns() -> None:
    """Monte Carlo: photon numbers drawn from P(n), each photon sent at random; every pattern within four standard errors."""
    rng = np.random.default_rng(17)
    detectors = [
        Detector("A", share=0.5, efficiency=0.8),
        Detector("B", share=0.3, efficiency=0.9, dark_per_s=5e6),
        Detector("C", share=0.2, number_resolving=True),
    ]
    e = train(detectors=detectors)
    clicks = e.clicks(max=3)
    assert clicks.probabilities.shape == (2, 2, 4)
    p = e.photon_numbers("pair", max=10).probabilities
    pulses = 400_000
    n = rng.choice(p.size, size=pulses, p=p / p.sum())
    went = np.stack([rng.multinomial(k, [0.4, 0.27, 0.2, 0.13]) for k in range(p.size) for _ in range(int((n == k).sum()))])
    seen = np.stack([went[:, 0] > 0, (went[:, 1] + rng.poisson(5e6 * 12.5e-9, pulses)) > 0, np.minimum(went[:, 2], 3)], axis=1).astype(int)
    drawn = np.zeros((2, 2, 4))
    np.add.at(drawn, tuple(seen.T), 1)
    sigma = np.sqrt(clicks.probabilities * pulses) + 1.0
    assert np.all(np.abs(drawn - pulses * clicks.probabilities) < 4.0 * sigma)


def test_drawn_click_patterns_have_the_probabilities_and_come_again_with_the_seed() -> None:
    clicks = cascade(detectors=two(efficiency=0.5)).clicks()
    one, again = (clicks.draw(100_000, np.random.default_rng(4)) for _ in range(2))
    assert one.tolist() == again.tolist()
    assert one.sum() == 100_000
    assert np.all(np.abs(one - 1e5 * clicks.probabilities) < 4.0 * np.sqrt(1e5 * clicks.probabilities))


# Peaks -----------------------------------------------------------------------------------------------------------------------------------------------


def own_peaks(pump: float, decay: float, pulse: float, period: float, window: float, count: int, steps: int) -> np.ndarray:
    """Areas of the peaks of a two-level source under square pulses, over the square of the mean: sums over a grid of times, midpoints.

    The grid divides pulse, period and half the window evenly; pairs at the rim of a window count half.
    """
    h = period / steps
    off, on = (np.array([[-p, decay], [p, -decay]]) for p in (0.0, pump))
    maps = [expm((on if (i + 0.5) * h < pulse else off) * h) for i in range(steps)]
    halves = [expm((on if (i + 0.5) * h < pulse else off) * h / 2) for i in range(steps)]
    whole = np.eye(2)
    for m in maps:
        whole = m @ whole
    values, vectors = np.linalg.eig(whole)
    x = np.real(vectors[:, np.argmax(np.real(values))])
    x = x / x.sum()
    flux, mean, states = [], 0.0, []
    for i in range(steps):
        middle = halves[i] @ x
        flux.append(decay * middle[1])
        x = maps[i] @ x
        states.append(i)
    mean = sum(flux) * h
    length = round((count + 0.5) * steps) + 1
    pairs = np.zeros(length)  # by number of steps between the two photons
    for i in range(steps):
        y = np.array([flux[i], 0.0])
        y = halves[i] @ y  # to the end of its own step
        for k in range(1, length):
            j = (i + k) % steps
            pairs[k] += decay * (halves[j] @ y)[1] * h * h
            y = maps[j] @ y
    rim = round(window / 2 / h)
    areas = []
    for m in range(count + 1):
        low, high = m * steps - rim, m * steps + rim
        inside = sum(pairs[abs(k)] for k in range(low + 1, high))
        areas.append(inside + 0.5 * (pairs[abs(low)] + pairs[abs(high)]))
    return np.array(areas) / mean**2


@pytest.mark.parametrize("window", [8.0, 4.0])
def test_areas_of_peaks_that_run_into_each_other_agree_with_sums_over_a_time_grid(window: float) -> None:
    """A decay of 3 ns at a period of 8 ns; the grid's error falls with the square of its step, so two grids are extrapolated."""
    pump, decay, pulse, period = 1.5, 1.0 / 3.0, 1.0, 8.0
    coarse, fine = (own_peaks(pump, decay, pulse, period, window, 1, n) for n in (128, 256))
    jumps = (Jump((("G", "X"),), (pump,), drive="laser"), Jump((("X", "G"),), (decay,), photon="X"))
    drive = qdot.drive.Square(duration_ns=pulse, period_ns=period)
    e = qdot.Experiment(Model(("G", "X"), jumps=jumps), drive=drive, detectors=two())
    found = e.recorded_peaks(1, window_ns=window)
    mean = e.photon_numbers("X").mean_photons
    assert found.area * found.far_per_pulse / (0.5 * mean) ** 2 == pytest.approx((4 * fine - coarse) / 3, rel=2e-5)
    if window == period:
        assert found.far_per_pulse == pytest.approx((0.5 * mean) ** 2, rel=1e-10)
        assert np.all(np.abs(found.area / np.asarray(e.side_peaks(1, "X")) - 1.0) > 1e-2)


def test_areas_of_peaks_far_from_each_other_are_those_counted_by_period_and_background_fills_them() -> None:
    e = train(detectors=two(efficiency=0.2)).replace({"source.spin_flip_per_ns": 0.0})  # a flip would send a photon at any time
    by_period, plain = np.asarray(e.side_peaks(3, "pair")), e.recorded_peaks(3).area
    assert plain == pytest.approx(by_period, rel=1e-9)  # e^{-6.25 / 0.2} of the light crosses the border
    dark = e.replace({"detectors.dark_per_s": 1e6, "detectors.leakage_per_pulse": 0.01})
    s = e.photon_numbers("pair").mean_photons * 0.1
    share = (s / (s + 0.0125 + 0.01)) ** 2
    assert dark.recorded_peaks(3).area == pytest.approx(1.0 + share * (plain - 1.0), rel=1e-9)
    blinking = e.replace(blinking=Blinking(on_ns=200.0, off_ns=50.0))
    factor = 1.0 + 0.25 * np.exp(-np.arange(4) * 12.5 * (1 / 200.0 + 1 / 50.0))
    assert blinking.recorded_peaks(3).area == pytest.approx(plain * factor, rel=1e-9)


def test_expected_counts_of_peaks_are_pairs_per_pulse_times_pulses() -> None:
    e = train(detectors=two(efficiency=0.01)).replace({"source.spin_flip_per_ns": 0.0})
    peaks = e.recorded_peaks(0)
    mu = e.photon_numbers("pair")
    per_pulse = mu.g2_zero * (mu.mean_photons * 0.005) ** 2
    assert peaks.expected_counts(10.0)[0] == pytest.approx(per_pulse * 10.0 / 12.5e-9, rel=1e-9)


# Records and refusals ----------------------------------------------------------------------------------------------------------------------------------


def test_a_loss_budget_is_the_collection_of_an_experiment_and_adds_relative_errors_in_squares() -> None:
    chain = Chain([Transmission("first_lens", "pair", 0.5, 0.01), Transmission("fibre", "pair", 0.6, 0.03), Transmission("detector", "pair", 0.8, 0.04)])
    e = train(collection=chain)
    assert e.stages == ("emission", "first_lens", "fibre", "detector")
    mean = {stage: e.photon_numbers("pair", stage=stage).mean_photons for stage in e.stages}
    assert mean["detector"] == pytest.approx(0.24 * mean["emission"], rel=1e-11)
    assert chain.total("pair", "fibre") == pytest.approx(0.3)
    assert chain.error("pair") == pytest.approx(0.24 * math.sqrt(0.02**2 + 0.05**2 + 0.05**2), rel=1e-12)
    assert chain.total("pair", "detector", start="fibre") == pytest.approx(0.8)
    with pytest.raises(InputError, match="first_lens"):
        chain.total("pair", "first lens")
    with pytest.raises(InputError, match="twice"):
        Chain([Transmission("fibre", "pair", 0.5), Transmission("fibre", "pair", 0.5)])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"efficiency": 1.2}, "efficiency"),
        ({"share": -0.1}, "share"),
        ({"dark_per_s": math.nan}, "dark_per_s"),
        ({"dead_time_kind": "paralyzable"}, "did you mean 'paralysable'"),
        ({"afterpulse_probability": 0.1}, "afterpulse_time_ns"),
        ({"afterpulse_probability": 1.0, "afterpulse_time_ns": 1.0}, "afterpulse_probability"),
        ({"jitter_fwhm_ns": 0.1, "response": MeasuredResponse([0.0, 1.0], [1.0])}, "one of jitter_fwhm_ns and response"),
        ({"number_resolving": 1}, "number_resolving"),
    ],
)
def test_a_detector_out_of_bounds_is_refused_by_name(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match="'A'") as error:
        Detector("A", **fields)  # type: ignore[arg-type]
    assert said in str(error.value)


def test_what_detectors_cannot_tell_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match="add up to at most 1"):
        two_level(detectors=[Detector("A"), Detector("B", share=0.5)])
    with pytest.raises(InputError, match="differ from the other"):
        two_level(detectors=[Detector("A", share=0.5), Detector("A", share=0.5)])
    with pytest.raises(InputError, match="'X'"):
        two_level(detectors=Detector("A", sees="Y"))
    with pytest.raises(InputError, match="two different detectors"):
        two_level(detectors=two()).recorded_g2([0.0], "A", "A")
    with pytest.raises(InputError, match="one of 'A', 'B'"):
        two_level(detectors=two()).recorded_g2([0.0], "A", "C")
    with pytest.raises(InputError, match="recorded_peaks"):
        train(detectors=two()).recorded_g2([0.0])
    with pytest.raises(InputError, match="recorded_g2"):
        two_level(detectors=two()).recorded_peaks(2)
    with pytest.raises(InputError, match="count_rates"):
        train(detectors=two(dead_time_ns=40.0)).clicks()
    with pytest.raises(InputError, match="window_ns"):
        cascade(detectors=two(dark_per_s=1.0)).clicks()
    with pytest.raises(InputError, match="paralysable"):
        two_level(detectors=two(dead_time_ns=1.0, dead_time_kind="paralysable", afterpulse_probability=0.1, afterpulse_time_ns=1.0)).count_rates()
    with pytest.raises(InputError, match=r"detectors\.A\.eficiency.*did you mean 'efficiency'"):
        two_level(detectors=two()).replace({"detectors.A.eficiency": 0.5})


def test_a_detector_that_records_nothing_has_no_correlation() -> None:
    with pytest.raises(InputError, match="'A' must record something"):
        two_level(detectors=two(efficiency=0.0)).recorded_g2([0.0])
    with pytest.raises(InputError, match="'A' must click"):
        cascade(detectors=two(efficiency=0.0)).clicks().heralding_efficiency("A", "B")
    with pytest.raises(InputError, match="see some light"):
        train(detectors=two(efficiency=0.0)).recorded_peaks(1)


def test_detectors_can_be_replaced_one_by_one_or_all_together() -> None:
    e = two_level(detectors=two())
    assert [d.efficiency for d in e.replace({"detectors.A.efficiency": 0.5}).detectors] == [0.5, 1.0]
    assert [d.dark_per_s for d in e.replace({"detectors.dark_per_s": 7}).detectors] == [7.0, 7.0]


def test_results_print_and_go_to_plain_values() -> None:
    e = train(detectors=two(efficiency=0.3, dark_per_s=100.0, dead_time_ns=5.0))
    assert "counts per s registered" in str(e.count_rates()["A"])
    assert "A clicks with" in str(e.clicks())
    assert "areas of the peaks" in str(e.recorded_peaks(1))
    cw = two_level(detectors=two(dead_time_ns=1.0))
    shown = cw.recorded_g2(np.arange(-3, 4) * 0.5, bin_ns=0.5)
    assert "dead time" in str(shown)
    assert shown.as_dict(10.0)["expected_counts"][0] > 0.0
    drawn = shown.draw(1e-3, np.random.default_rng(1))
    assert drawn.bin_width_ns == 0.5
    assert drawn.left_ns[0] == -1.75


# ---- behind polarisers ---------------------------------------------------------------------------------------------------------------------------------

FSS_UEV, DECAY = 0.9, 1.1
BEATEN = 1.0 / (1.0 + (FSS_UEV / 0.6582119569 / DECAY) ** 2)
"""What the fine structure leaves of the interference of HH and VV, summed over all delays: Re of decay / (decay + i S / hbar), whose square it is."""


def polarised_pair(pump: bool) -> Model:
    """XX, prepared or pumped from G, that decays through X_H or X_V, which are FSS_UEV apart."""
    halves = [
        Jump.of(a, b, r, photon=p, polarisation=k)
        for a, b, r, p, k in (("XX", "XH", 1.0, "XX", "H"), ("XX", "XV", 1.0, "XX", "V"), ("XH", "G", DECAY, "X", "H"), ("XV", "G", DECAY, "X", "V"))
    ]
    pumps = [Jump.of("G", "XX", 1.0, drive="laser")] if pump else []
    return Model(("G", "XH", "XV", "XX"), start="XX", energies_ueV={"XH": FSS_UEV / 2, "XV": -FSS_UEV / 2}, jumps=(*halves, *pumps))


@pytest.mark.parametrize(("basis", "sees", "sign"), [("D", ("XX:D", "X:D"), 1.0), ("D", ("XX:D", "X:A"), -1.0), ("R", ("XX:R", "X:R"), -1.0)])
def test_detectors_behind_polarisers_click_together_as_the_fine_structure_beats(basis: str, sees: tuple[str, str], sign: float) -> None:
    detectors = Detector("A", sees=sees[0], efficiency=0.8), Detector("B", sees=sees[1], efficiency=0.5)
    decay = qdot.Experiment(polarised_pair(False)).analysed(XX=basis, X=basis).replace(detectors=detectors)
    found = decay.clicks().probabilities
    assert found[1, 1] == pytest.approx(0.8 * 0.5 * 0.25 * (1.0 + sign * BEATEN), rel=1e-9)
    assert found[1].sum() == pytest.approx(0.4, rel=1e-9)
    laser = Instant(name="laser", dose_ns=50.0, period_ns=60.0)
    train = qdot.Experiment(polarised_pair(True), drive=laser).analysed(XX=basis, X=basis).replace(detectors=detectors)
    assert train.count_rates()["A"].registered_per_s == pytest.approx(0.4e9 / 60.0, rel=1e-9)
    assert train.recorded_peaks(1).area == pytest.approx([1.0 + sign * BEATEN, 1.0], rel=1e-9)


def test_detectors_of_one_polarisation_see_its_light_alone_and_share_it() -> None:
    both = Detector("A", sees="X:H"), Detector("B", sees="X:V")
    pair = qdot.Experiment(polarised_pair(False), detectors=both)
    assert pair.clicks().probabilities == pytest.approx(np.array([[0.0, 0.5], [0.5, 0.0]]), abs=1e-12)
    with pytest.raises(InputError, match=r"'X' in polarisation H.*'A': 0.6, 'B': 0.5"):
        pair.replace(detectors=(Detector("A", sees="X:H", share=0.6), Detector("B", sees="X", share=0.5)))
    with pytest.raises(InputError, match="told apart: X:H, X:V, got D"):
        pair.replace(detectors=Detector("A", sees="X:D"))
    with pytest.raises(InputError, match=r"lost alike from both.*Detector"):
        pair.replace(collection={"X:H": 0.5})
    cw = qdot.Experiment(polarised_pair(True), drive=CW(name="laser")).analysed(XX="D", X="D")
    tau = np.array([-0.4, 0.3, 1.0])
    recorded = cw.replace(detectors=(Detector("A", sees="XX:D"), Detector("B", sees="X:D"))).recorded_g2(tau)
    assert recorded.g2 == pytest.approx(cw.g2(tau, "XX:D", "X:D").value, rel=1e-8)


@pytest.mark.parametrize("drive", [CW(name="laser"), Instant(name="laser", dose_ns=0.3, period_ns=3.0)])
@pytest.mark.parametrize("label", ["XX", "X"])
def test_dead_time_takes_as_much_whatever_the_basis_where_the_light_is_unpolarised(drive: qdot.drive.Drive, label: str) -> None:
    """What the other polarisation's photons do to a coherence cancels in their sum: the steady state of the live detector is unique all the same."""
    pair = qdot.Experiment(polarised_pair(True), drive=drive)
    rates = []
    for basis in "HDR":
        one = pair.analysed(XX=basis, X=basis).replace(detectors=Detector("A", sees=f"{label}:{basis}", dead_time_ns=20.0))
        rates.append(one.count_rates()["A"].registered_per_s)
    plain = pair.replace(picture="rate", detectors=Detector("A", sees=f"{label}:H", dead_time_ns=20.0))
    assert rates == pytest.approx([plain.count_rates()["A"].registered_per_s] * 3, rel=1e-9)


def test_simulated_tags_behind_polarisers_coincide_as_often_as_photon_numbers_say() -> None:
    detectors = Detector("A", sees="XX:R"), Detector("B", sees="X:L")
    pair = qdot.Experiment(polarised_pair(False)).analysed(XX="R", X="R").replace(detectors=detectors)
    period, n = 50.0, 4000
    tags = qdot.simulate_tags(pair, period * n, rng=np.random.default_rng(7), repeat_ns=period)
    one, two = (np.unique((np.asarray(tags.times(c)) / (1e3 * period)).astype(int)) for c in (0, 1))
    p = 0.25 * (1.0 + BEATEN)
    assert abs(np.intersect1d(one, two).size - n * p) < 5.0 * math.sqrt(n * p * (1 - p))
    assert abs(one.size - n / 2) < 5.0 * math.sqrt(n / 4)


def test_the_first_snippet_of_the_page_on_detection_runs() -> None:
    text = (Path(__file__).parent.parent / "docs" / "detection.md").read_text(encoding="utf-8")
    known: dict[str, object] = {}
    exec(text.split("```python\n")[1].split("```")[0], known)
    chain, train = known["chain"], known["train"]
    assert isinstance(train, qdot.Experiment)
    assert train.clicks().probabilities.sum() == pytest.approx(1.0, rel=1e-9)
    assert chain.total("pair") == pytest.approx(0.55 * 0.70)  # type: ignore[attr-defined]
