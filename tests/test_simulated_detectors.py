"""Detectors acting on streams: loss, splitters, backgrounds, dead time, afterpulses, jitter, blinking, each against its textbook form.

Deviations are in standard errors (tests/streams.py), seeds are fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr
from streams import SIGMAS, blocks_of, by_blocks, count_sigmas, largest_gap, pairs_expected, pairs_per_block, per_period, sigmas

import qdot
from qdot.detection import Blinking, Detector, MeasuredResponse
from qdot.detection.dead_time import registered_per_ns
from qdot.drive import CW, Gaussian, Instant
from qdot.emitters import DarkLoadedCascade
from qdot.model import Jump, Model
from qdot.tags.simulation import kernel

SOURCE = DarkLoadedCascade(lifetime_XX_ns=0.06, lifetime_X_ns=0.10, spin_flip_per_ns=1e-4, pump_per_ns_per_uW=1e-3)
PUMPED = qdot.Experiment(Model(("G", "X"), jumps=(Jump.of("G", "X", 0.01), Jump.of("X", "G", 2.0, "X"))))
"""Nearly Poissonian light of 1e-2 per ns."""
KOLMOGOROV = 2.3
NS_PER_S = 1e9


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def background(duration_ns: float, seed: int, rate_per_ns: float = 0.02, **detector) -> qdot.tags.Tags:
    """What a detector records of Poissonian light of a given rate alone."""
    blind = Detector("A", efficiency=0.0, leakage_per_s=rate_per_ns * NS_PER_S, **detector)
    return qdot.simulate_tags(PUMPED, duration_ns, None, rng(seed), blind)


# ------------------------------------------------------------------------------------------------------ loss and backgrounds


def test_each_detector_has_its_share_its_efficiency_and_its_background() -> None:
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0), collection={"pair": 0.5})
    detectors = [
        Detector("A", sees="pair", share=0.4, efficiency=0.9, dark_per_s=2e6),
        Detector("B", share=0.6, efficiency=0.5),
        Detector("dark", share=0.0, dark_per_s=3e6),
    ]
    tags = qdot.simulate_tags(cw, 5e6, {"B": "XX"}, rng(1), detectors)
    assert tags.names == {0: "A", 1: "B", 2: "dark"}
    exact = {0: 0.36 * cw.flux_per_ns("pair") + 2e-3, 1: 0.3 * cw.flux_per_ns("XX"), 2: 3e-3}
    for k, rate in exact.items():
        assert abs(sigmas(blocks_of(tags.times(k), tags.duration_ps), rate * 5e6 / 64)) < SIGMAS


def test_loss_leaves_g2_unchanged_and_backgrounds_are_uncorrelated() -> None:
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0))
    detectors = [Detector(n, share=0.5, efficiency=0.5, dark_per_s=2e6) for n in "AB"]
    tags = qdot.simulate_tags(cw, 2e7, {"A": "pair", "B": "pair"}, rng(2), detectors)
    light, dark = 0.25 * cw.flux_per_ns("pair"), 2e-3
    for low, high in ((1, 51), (500, 1500), (20_000, 60_000)):
        exact = pairs_expected(lambda t: light**2 * np.array(cw.g2(t, "pair")) + 2 * light * dark + dark**2, 1.0, low, high, tags.duration_ps)
        assert abs(count_sigmas(pairs_per_block(tags.times(0), tags.times(1), low, high, tags.duration_ps), exact)) < SIGMAS


def test_leakage_comes_with_the_pulses() -> None:
    train = qdot.Experiment(SOURCE, Gaussian(power_uW=1e-6, fwhm_ns=0.02, period_ns=12.5, start_ns=2.0))
    periods = 200_000
    tags = qdot.simulate_tags(train, periods * 12.5, None, rng(3), Detector("A", leakage_per_pulse=0.3))
    n = per_period(tags.time_ps, 12500, periods)
    assert np.all(tags.time_ps % 12500 == 2000)
    for k in range(4):
        assert abs(sigmas(n == k, math.exp(-0.3) * 0.3**k / math.factorial(k))) < SIGMAS
    with pytest.raises(qdot.InputError, match="leakage_per_pulse must come with a pulsed drive"):
        qdot.simulate_tags(PUMPED, 1e3, None, rng(3), Detector("A", leakage_per_pulse=0.3))


# ------------------------------------------------------------------------------------------------------ dead time, afterpulses


@pytest.mark.parametrize("kind", ["non_paralysable", "paralysable"])
def test_dead_time_gives_the_textbook_rate(kind) -> None:
    rate, dead = 0.02, 40.0
    tags = background(5e6, 11, rate, dead_time_ns=dead, dead_time_kind=kind)
    exact = rate / (1 + rate * dead) if kind == "non_paralysable" else rate * math.exp(-rate * dead)
    assert abs(sigmas(blocks_of(tags.time_ps, tags.duration_ps), exact * 5e6 / 64)) < SIGMAS
    waits = np.diff(tags.time_ps) / 1e3
    assert waits.min() >= dead
    if kind == "non_paralysable":
        assert largest_gap(waits - dead, lambda t: 1 - np.exp(-rate * t)) < KOLMOGOROV


@pytest.mark.parametrize("dead_ns", [0.1, 5.0, 300.0])
@pytest.mark.parametrize("kind", ["non_paralysable", "paralysable"])
def test_dead_time_loses_more_of_bunched_light_as_the_exact_rate_says(dead_ns, kind) -> None:
    cw = qdot.Experiment(SOURCE, CW(power_uW=30.0))
    detector = Detector("A", sees="pair", efficiency=0.7, dark_per_s=1e5, dead_time_ns=dead_ns, dead_time_kind=kind)
    rest, g = cw.timeline.rest, cw.timeline.generator
    jump = 0.7 * sum(rest.jumps.values())
    exact = registered_per_ns(rest.silent + sum(rest.jumps.values()), jump, g.trace, cw.steady_vector(), detector).registered
    tags = qdot.simulate_tags(cw, 1e7, None, rng(12), detector)
    assert abs(sigmas(blocks_of(tags.time_ps, tags.duration_ps), exact * 1e7 / 64)) < SIGMAS


def test_afterpulses_follow_their_counts_and_have_afterpulses() -> None:
    """One false count at most from each count, with probability p: r = rate / (1 - p), and after a count the density r + (p / tau) exp(-(1 - p) t / tau)."""
    rate, p, tau = 0.01, 0.3, 20.0
    tags = background(1e7, 13, rate, afterpulse_probability=p, afterpulse_time_ns=tau)
    r = rate / (1 - p)
    assert abs(sigmas(blocks_of(tags.time_ps, tags.duration_ps), r * 1e7 / 64)) < SIGMAS
    for low, high in ((1, 5_000), (20_000, 30_000), (200_000, 300_000)):
        exact = pairs_expected(lambda t: r * (r + p / tau * np.exp(-(1 - p) * t / tau)), 1.0, low, high, tags.duration_ps)
        assert abs(count_sigmas(pairs_per_block(tags.time_ps, tags.time_ps, low, high, tags.duration_ps), exact)) < SIGMAS


def test_an_afterpulse_waits_for_the_end_of_the_dead_time() -> None:
    rate, p, tau, dead = 1e-5, 0.5, 20.0, 50.0
    tags = background(1e9, 14, rate, afterpulse_probability=p, afterpulse_time_ns=tau, dead_time_ns=dead)
    waits = np.diff(tags.time_ps) / 1e3
    false = waits[waits < 1000.0]
    assert waits.min() >= dead
    assert abs(false.size / waits.size - p) < 0.02
    assert largest_gap(false - dead, lambda t: 1 - np.exp(-t / tau)) < KOLMOGOROV


# ------------------------------------------------------------------------------------------------------ jitter


def test_jitter_is_the_response_of_the_detector_and_comes_after_the_dead_time() -> None:
    train = qdot.Experiment(SOURCE, Instant(power_uW=1e-9, period_ns=12.5))
    sigma = 0.3 / (2 * math.sqrt(2 * math.log(2)))
    tags = qdot.simulate_tags(train, 1e6, None, rng(21), Detector("A", leakage_per_pulse=0.5, jitter_fwhm_ns=0.3, delay_ns=4.0))
    late = tags.time_ps % 12500 / 1e3 - 4.0
    assert largest_gap(late + rng(1).uniform(-0.0005, 0.0005, late.size), lambda t: ndtr(t / sigma)) < KOLMOGOROV
    response = MeasuredResponse(np.array([-0.1, 0.0, 0.1, 0.2, 0.3]), np.array([1.0, 5.0, 2.0, 2.0]))
    tags = qdot.simulate_tags(train, 1e6, None, rng(22), Detector("A", leakage_per_pulse=0.5, response=response, delay_ns=4.0))
    late = tags.time_ps % 12500 / 1e3 - 4.0 + rng(2).uniform(-0.0005, 0.0005, len(tags))
    edges, share = np.array(response.edges_ns), np.cumsum([0.0, *response.weights])
    assert largest_gap(late, lambda t: np.interp(t, edges, share)) < KOLMOGOROV
    told = background(1e6, 23, 0.02, dead_time_ns=40.0, jitter_fwhm_ns=5.0)
    assert np.diff(told.time_ps).min() < 38_000
    assert np.all(np.diff(told.time_ps) >= 0)


def test_jitter_widens_the_bunching_peak_as_the_convolution_says() -> None:
    """G2 of XX then X, smoothed by the difference of two Gaussian responses; the convolution is done here on a grid."""
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0))
    sigma = 0.05 / (2 * math.sqrt(2 * math.log(2))) * math.sqrt(2)
    detectors = [Detector("XX", sees="XX", jitter_fwhm_ns=0.05), Detector("X", sees="X", jitter_fwhm_ns=0.05)]
    tags = qdot.simulate_tags(cw, 5e6, None, rng(24), detectors)
    grid = np.arange(-1.0, 1.0, 1e-4) + 5e-5
    g2 = np.array(cw.g2(grid, "XX", "X"))
    rates = cw.flux_per_ns("XX") * cw.flux_per_ns("X")
    for low, high in ((-100, -20), (-20, 20), (20, 60), (100, 200)):
        weight = ndtr((high / 1e3 - 0.0005 - grid) / sigma) - ndtr((low / 1e3 - 0.0005 - grid) / sigma)
        exact = rates * float(np.sum(g2 * weight)) * 1e-4 * 5e6 / 64
        assert abs(count_sigmas(pairs_per_block(tags.times(0), tags.times(1), low, high, tags.duration_ps), exact)) < SIGMAS, (low, high)


# ------------------------------------------------------------------------------------------------------ blinking, edges, twins


def test_blinking_multiplies_the_correlation_and_leaves_backgrounds_alone() -> None:
    blinking = Blinking(on_ns=800.0, off_ns=400.0)
    detectors = [Detector("A", share=0.5), Detector("B", share=0.5), Detector("dark", share=0.0, dark_per_s=1e6)]
    tags = qdot.simulate_tags(PUMPED, 2e7, None, rng(31), detectors, blinking=blinking)
    light = PUMPED.flux_per_ns("X") * 0.5 * 800 / 1200
    assert abs(sigmas(blocks_of(tags.times(0), tags.duration_ps), light * 2e7 / 64)) < SIGMAS
    assert abs(sigmas(blocks_of(tags.times(2), tags.duration_ps), 1e-3 * 2e7 / 64)) < SIGMAS

    def correlation(t):
        return light**2 * np.array(PUMPED.g2(t, "X")) * (1 + 0.5 * np.exp(-t * (1 / 800 + 1 / 400)))

    for low, high in ((1, 10_000), (200_000, 300_000), (1_000_000, 1_200_000)):
        exact = pairs_expected(correlation, 1.0, low, high, tags.duration_ps)
        assert abs(count_sigmas(pairs_per_block(tags.times(0), tags.times(1), low, high, tags.duration_ps), exact)) < SIGMAS


def test_the_first_and_the_last_nanoseconds_of_a_record_are_like_all_others() -> None:
    """With delays, jitter, dead time and afterpulses of many ns nothing is missing at the edges of a record in the steady state."""
    detector = Detector("A", jitter_fwhm_ns=20.0, delay_ns=-15.0, dead_time_ns=30.0, afterpulse_probability=0.2, afterpulse_time_ns=10.0)
    light = qdot.Experiment(Model(("G", "X"), jumps=(Jump.of("G", "X", 0.1), Jump.of("X", "G", 2.0, "X"))))
    counts = np.zeros((1500, 10))
    for seed in range(1500):
        tags = qdot.simulate_tags(light, 100.0, None, rng(seed), detector)
        counts[seed] = np.histogram(tags.time_ps, 10, (0, 100_000))[0]
    long = qdot.simulate_tags(light, 1e7, None, rng(1), detector)
    for column in counts.T:
        assert abs(sigmas(column, len(long) / 1e6)) < SIGMAS
    begun = qdot.simulate_tags(light, 1e3, None, rng(2), Detector("A", delay_ns=500.0), start="start")
    assert begun.time_ps[0] >= 500_000


def test_a_train_through_detectors_keeps_its_clock_and_its_numbers() -> None:
    train = qdot.Experiment(SOURCE, Gaussian(power_uW=60.0, fwhm_ns=0.02, period_ns=1e4 / 760))
    periods = 200_000
    detectors = [Detector(n, sees="pair", share=0.25, efficiency=0.8, jitter_fwhm_ns=0.05, dead_time_ns=5.0, delay_ns=1.0) for n in "ABCD"]
    tags = qdot.simulate_tags(train, periods * train.period_ns, None, rng(32), detectors)
    assert tags.period_ps == pytest.approx(1e7 / 760, rel=1e-15)
    p = train.replace(collection={"pair": 0.8}).photon_numbers("pair", max=4).probabilities
    clicks = np.array([per_period(tags.times(k), tags.period_ps, periods) for k in range(4)])
    assert clicks.max() == 1  # the dead time is longer than the light of one pulse
    two = 1 - 1 / 4
    assert abs(sigmas(by_blocks(clicks.sum(axis=0) == 2), p[2] * two + p[3] * 9 / 16 + p[4] * 21 / 64)) < SIGMAS


# ------------------------------------------------------------------------------------------------------ the forward chain


def test_recorded_coincidences_are_those_that_the_forward_chain_expects() -> None:
    detectors = [
        Detector("A", sees="XX", efficiency=0.6, dark_per_s=2e6, jitter_fwhm_ns=0.08),
        Detector("B", sees="X", efficiency=0.5, jitter_fwhm_ns=0.05, delay_ns=0.3, leakage_per_s=1e6),
    ]
    cw = qdot.Experiment(SOURCE, CW(power_uW=100.0), detectors=detectors, blinking=Blinking(4000.0, 1000.0))
    tags = qdot.simulate_tags(cw, 2e7, None, rng(38))
    width_ns = 0.1
    tau = np.array([-0.5, 0.2, 0.3, 0.4, 0.7, 5.0, 900.0])
    expected = cw.recorded_g2(tau + 0.0005, "A", "B", width_ns).expected_counts(tags.duration_s)  # bins of whole ps, times rounded down
    for t, exact in zip(tau, expected, strict=True):
        low = round((t - width_ns / 2) * 1e3) + 1
        counted = pairs_per_block(tags.times(0), tags.times(1), low, low + 100, tags.duration_ps)
        assert abs(count_sigmas(counted, exact / 64)) < SIGMAS, t


def test_clicks_and_peaks_of_a_train_are_those_that_the_forward_chain_expects() -> None:
    detectors = [Detector(n, sees="pair", share=0.3, efficiency=0.8, dark_per_s=2e6, leakage_per_pulse=0.01) for n in "ABC"]
    train = qdot.Experiment(SOURCE, Gaussian(power_uW=60.0, fwhm_ns=0.02, period_ns=12.5), detectors=detectors, blinking=Blinking(500.0, 200.0))
    periods = 400_000
    tags = qdot.simulate_tags(train, periods * 12.5, None, rng(39))
    clicked = np.array([per_period(tags.times(k), 12500, periods) > 0 for k in range(3)])
    patterns = train.clicks()
    for outcome, p in np.ndenumerate(patterns.probabilities):
        seen = np.all([clicked[k] == outcome[k] for k in range(3)], axis=0)
        assert abs(count_sigmas(by_blocks(seen) * (periods // 64), p * (periods // 64))) < SIGMAS, outcome
    expected = train.recorded_peaks(3, "A", "B").expected_counts(tags.duration_s)
    for m, exact in enumerate(expected):
        counted = pairs_per_block(tags.times(0), tags.times(1), m * 12500 - 6250 + 1, m * 12500 + 6250, tags.duration_ps)
        assert abs(count_sigmas(counted, exact / 64)) < SIGMAS, m


def test_the_compiled_detector_and_the_python_beside_it_register_the_same(monkeypatch) -> None:
    if kernel.library() is None:
        pytest.skip("the kernel was not compiled")
    about = [
        {"dead_time_ns": 30.0},
        {"dead_time_ns": 30.0, "dead_time_kind": "paralysable", "afterpulse_probability": 0.2, "afterpulse_time_ns": 40.0},
        {"afterpulse_probability": 0.6, "afterpulse_time_ns": 500.0, "dead_time_ns": 3.0},
    ]
    compiled = [background(3e5, 33, 0.05, **one) for one in about]
    monkeypatch.setattr(kernel, "library", lambda: None)
    for one, tags in zip(about, compiled, strict=True):
        assert np.array_equal(background(3e5, 33, 0.05, **one).time_ps, tags.time_ps)


def test_the_detectors_and_the_blinking_of_an_experiment_record_its_light() -> None:
    detectors = [Detector("A", sees="XX", efficiency=0.5, dead_time_ns=10.0), Detector("B", sees="X", share=0.3)]
    blinking = Blinking(300.0, 100.0)
    plain = qdot.Experiment(SOURCE, CW(power_uW=50.0))
    with_them = plain.replace(detectors=detectors, blinking=blinking)
    own = qdot.simulate_tags(with_them, 1e5, None, rng(35))
    given = qdot.simulate_tags(plain, 1e5, None, rng(35), detectors, blinking=blinking)
    assert np.array_equal(own.time_ps, given.time_ps)
    rates = with_them.count_rates()
    long = qdot.simulate_tags(with_them, 1e7, None, rng(36))
    assert abs(sigmas(blocks_of(long.times(1), long.duration_ps), rates["B"].registered_per_s * 1e-9 * 1e7 / 64)) < SIGMAS
    assert list(qdot.simulate_tags(with_them, 1e5, {3: "pair"}, rng(37), detectors=()).names) == [3]


@pytest.mark.parametrize("ending", ["npz", "h5", "csv"])
def test_a_simulated_record_written_to_a_file_is_read_back(ending, tmp_path) -> None:
    if ending == "h5":
        pytest.importorskip("h5py")
    train = qdot.Experiment(SOURCE, Gaussian(power_uW=60.0, fwhm_ns=0.02, period_ns=12.5))
    tags = qdot.simulate_tags(train, 1e5, {"XX": "XX", "X": "X"}, rng(34))
    path = tmp_path / f"tags.{ending}"
    qdot.tags.save_tags(tags, path)
    back = qdot.tags.read_tags(path)
    assert np.array_equal(back.time_ps, tags.time_ps)
    assert np.array_equal(back.channel, tags.channel)
    assert (back.duration_ps, back.period_ps, back.names) == (tags.duration_ps, tags.period_ps, tags.names)


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("detectors", "channels", "message"),
    [
        ([Detector("A"), Detector("B")], None, "the shares of the detectors must add up to at most 1 for each line, got 2 for line 'XX'"),
        ([Detector("A"), Detector("A")], None, "must differ from the other detectors, got 'A'"),
        ([], None, "simulate_tags channels must name at least one channel"),
        (["A"], None, "simulate_tags detectors must be a qdot.detection.Detector or several"),
        ([Detector("A", sees="X")], {"A": "XX"}, "simulate_tags channels['A'] must agree with the detector, which sees 'X', got 'XX'"),
        ([Detector("A")], {"B": "X"}, "simulate_tags channels (a name or number of a detector) must be one of 'A', got 'B'"),
        ([Detector("A")], {3: "X"}, "simulate_tags channels (a name or number of a detector) must be one of 'A', got 3"),
        ([Detector("A", sees="Y")], None, "got 'Y'"),
    ],
)
def test_detectors_that_do_not_fit_are_told(detectors, channels, message) -> None:
    with pytest.raises(qdot.InputError) as found:
        qdot.simulate_tags(qdot.Experiment(SOURCE, CW(power_uW=1.0)), 1e3, channels, rng(1), detectors)
    assert message in str(found.value)
