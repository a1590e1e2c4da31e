"""From counts back to photon numbers: closed forms, another optimiser, exact binomial intervals, and simulated measurements.

What is drawn is drawn from formulas that stand here (binomials, inclusion and exclusion), not from the package's own response of detectors.
"""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

import qdot
from qdot import InputError
from qdot.data import Series
from qdot.detection import Chain, Detector, Transmission
from qdot.inversion import Inversion, click_patterns, covariance, from_clicks, from_moments, from_series, from_tags, ratios, thinned
from qdot.inversion.clicks import Likelihood
from qdot.inversion.simplex import Mixture


def tree(n: int, efficiency: float = 1.0, dark_per_s: float = 0.0) -> list[Detector]:
    """n threshold detectors that share the light evenly."""
    return [Detector(name, share=1.0 / n, efficiency=efficiency, dark_per_s=dark_per_s) for name in "ABCD"[:n]]


def pattern_chances(p: np.ndarray, chances: list[float], dark: float = 0.0) -> np.ndarray:
    """(2, 2, ...) by inclusion and exclusion: the detectors of a set S stay silent with sum_n p_n (1 - q_S)^n e^{-dark |S|}."""

    def silent(chosen: list[int]) -> float:
        seen = sum(chances[k] for k in chosen)
        return math.exp(-dark * len(chosen)) * sum(x * (1.0 - seen) ** n for n, x in enumerate(p))

    found = np.zeros((2,) * len(chances))
    for pattern in itertools.product((0, 1), repeat=len(chances)):
        clicked, quiet = ([k for k in range(len(chances)) if pattern[k] == one] for one in (1, 0))
        subsets = [some for size in range(len(clicked) + 1) for some in itertools.combinations(clicked, size)]
        found[pattern] = sum((-1) ** len(some) * silent([*quiet, *some]) for some in subsets)
    return found


PAIRS = np.array([0.70, 0.01, 0.285, 0.005])


# Moments ---------------------------------------------------------------------------------------------------------------------------------------------


def test_the_published_triples_come_out_of_the_moments() -> None:
    r = from_moments((0.6083, 0.0), (1.616, 0.0), (0.0, 0.0), stage="first_lens")
    assert r["P(2)"].value == pytest.approx(0.299, abs=5e-5)
    assert r["photon_fraction_in_pairs"].value == pytest.approx(0.983, abs=5e-5)
    assert r["event_fraction_of_pairs"].value == pytest.approx(0.9666, abs=5e-5)
    other = from_moments((0.6032, 0.0), (1.644, 0.0), (0.0, 0.0))
    assert other["event_fraction_of_pairs"].value == pytest.approx(0.983, abs=5e-4)
    assert other["photon_fraction_in_pairs"].value == pytest.approx(0.9914, abs=5e-4)
    assert r.stage == "first_lens"


def test_moments_of_a_distribution_give_it_back_whatever_the_loss() -> None:
    n = np.arange(4)
    for eta in (1.0, 0.37, 0.01):
        mean = eta * float(n @ PAIRS)
        g2 = float((n * (n - 1)) @ PAIRS) / (mean / eta) ** 2
        g3 = float((n * (n - 1) * (n - 2)) @ PAIRS) / (mean / eta) ** 3
        r = from_moments((mean, 0.0), (g2, 0.0), (g3, 0.0), efficiency=(eta, 0.0))
        assert r.probabilities == pytest.approx(PAIRS, rel=1e-11)
        assert r["pair_coincidence_efficiency"].value == pytest.approx(0.285 + 3 * 0.005, rel=1e-12)


def test_errors_of_moments_are_those_of_the_formulas_and_a_percent_of_efficiency_is_a_percent_of_the_share() -> None:
    m, g2, g3, eta = 0.12, 1.6, 0.2, 0.2
    r = from_moments((m, 1e-4), (g2, 2e-3), (g3, 1e-2), efficiency=(eta, 0.01 * eta))
    mu = m / eta
    share = r["photon_fraction_in_pairs"]
    slopes = (g2 - 2 * g3 * mu) / eta * 1e-4, mu * 2e-3, mu**2 * 1e-2
    assert share.value == pytest.approx(g2 * mu - g3 * mu**2, rel=1e-12)
    assert share.statistical == pytest.approx(math.hypot(*slopes), rel=1e-8)
    assert share.calibration == pytest.approx(0.01 * abs(g2 * mu - 2 * g3 * mu**2), rel=1e-8)
    assert r["g2_zero"].calibration == 0.0
    assert r["P(3)"].statistical == pytest.approx(math.hypot(g3 * mu**2 / 2 / eta * 1e-4, mu**3 / 6 * 1e-2), rel=1e-8)
    drawn = from_moments((m, 1e-4), (g2, 2e-3), (g3, 1e-2), efficiency=(eta, 0.01 * eta), draws=4000, rng=np.random.default_rng(2))
    assert drawn["photon_fraction_in_pairs"].statistical == pytest.approx(share.statistical, rel=0.05)


def test_a_calibration_moves_all_points_together() -> None:
    points = [from_moments((m, 1e-3 * m), (1.6, 0.01), (0.1, 0.01), efficiency=(0.3, 0.006)) for m in (0.05, 0.1, 0.15)]
    c = covariance(points, "P(2)")
    shift = np.array([p["P(2)"].shifts["efficiency"] for p in points])
    assert c[0, 1] == pytest.approx(shift[0] * shift[1], rel=1e-12)
    assert np.diag(c) == pytest.approx([p["P(2)"].statistical ** 2 + p["P(2)"].calibration ** 2 for p in points], rel=1e-12)
    assert c[0, 2] > 0.0


def test_series_are_inverted_point_by_point() -> None:
    power = np.array([1.0, 2.0])
    mean, g2 = (Series(power, v, 0.01 * v, 0.03 * v, "power_uW", name, "hand") for name, v in (("mean", np.array([0.05, 0.1])), ("g2", np.array([3.0, 1.6]))))
    points = from_series(mean, g2, efficiency=(0.3, 0.006), stage="fibre")
    assert [p["P(2)"].value for p in points] == [from_moments((m, 0.0), (g, 0.0), efficiency=0.3)["P(2)"].value for m, g in ((0.05, 3.0), (0.1, 1.6))]
    assert points[1]["mean_photons"].statistical == pytest.approx(0.02 * 0.1 / 0.3, rel=1e-9)
    with pytest.raises(InputError, match="same settings"):
        from_series(mean, Series(power[:1], [1.0], [0.1], [0.1], "power_uW", "g2", "hand"))  # type: ignore[arg-type]


def test_the_truncation_error_of_the_moments_holds_the_truth_whatever_comes_beyond_three_photons() -> None:
    rng = np.random.default_rng(8)
    for _ in range(200):
        p = rng.dirichlet(5.0 * np.exp(-0.7 * np.arange(9)) + 0.5)
        n = np.arange(9)
        f = [float(w @ p) for w in (n, n * (n - 1), n * (n - 1) * (n - 2))]
        for knows in (True, False):
            r = from_moments((f[0], 0.0), (f[1] / f[0] ** 2, 0.0), (f[2] / f[0] ** 3, 0.0) if knows else None)
            truth = {"P(0)": p[0], "P(1)": p[1], "P(2)": p[2], "photon_fraction_in_pairs": 2 * p[2] / f[0], "event_fraction_of_pairs": p[2] / (1 - p[0])}
            truth |= {"pair_share_of_multiphotons": p[2] / p[2:].sum(), "pair_coincidence_efficiency": f[1] / 2}
            for name, true in truth.items():
                if r[name].truncation is None:  # 0/0 under the assumption
                    continue
                low, high = r[name].truncation
                assert r[name].value + low - 1e-12 <= true <= r[name].value + high + 1e-12, name


def test_a_bound_inside_the_interval_makes_a_limit_and_what_does_not_fit_is_told() -> None:
    r = from_moments((0.6, 1e-4), (1.6, 1e-3), (0.001, 0.01))
    three = r["P(3)"]
    assert three.minus is None
    assert three.interval_95[0] is None
    assert three.limit is not None
    assert three.limit.value == pytest.approx((0.001 + 1.644854 * 0.01) * 0.6**3 / 6, rel=1e-6)
    assert any("do not fit together" in w for w in from_moments((0.6, 1e-4), (0.2, 1e-3), (3.0, 0.01)).warnings)
    assert any("g3 is not known" in w for w in from_moments((0.6, 1e-4), (1.6, 1e-3)).warnings)
    with pytest.raises(InputError, match="efficiency"):
        from_moments(0.6, 1.6, 0.0, efficiency=0.0)
    with pytest.raises(InputError, match="rng"):
        from_moments((0.6, 0.1), 1.6, 0.0, draws=100)


def test_loss_thins_a_distribution_as_photons_do_one_by_one() -> None:
    """P(2) = 1 behind eta = 0.547 has P(1) = 0.496; two stages are their product."""
    assert thinned(np.array([0.0, 0.0, 1.0]), 0.547)[1] == pytest.approx(0.4956, abs=1e-4)
    assert thinned(thinned(PAIRS, 0.4), 0.7) == pytest.approx(thinned(PAIRS, 0.28), rel=1e-12)


def test_a_loss_budget_feeds_the_inversion() -> None:
    chain = Chain([Transmission("first_lens", "pair", 0.5, 0.01), Transmission("fibre", "pair", 0.6, 0.03)])
    r = from_moments((0.1, 1e-3), (1.0, 0.01), (0.0, 0.01), efficiency=(chain.total("pair"), chain.error("pair")))
    assert r["mean_photons"].calibration / r["mean_photons"].value == pytest.approx(math.hypot(0.02, 0.05), rel=1e-6)


# Clicks ----------------------------------------------------------------------------------------------------------------------------------------------


def test_one_threshold_detector_gives_the_binomial_estimate_and_interval() -> None:
    """c clicks of M: P(1) = c/(M eta); the interval is where the binomial likelihood ratio rises by 1."""
    c, pulses, eta = 37, 10_000, 0.4
    r = from_clicks(np.array([pulses - c, c]), tree(1, eta), efficiency=(1.0, 0.0), top=1, calibrations={"A.efficiency": 0.02})
    one = r["P(1)"]
    assert one.value == pytest.approx(c / pulses / eta, rel=1e-6)

    def rise(q: float) -> float:
        best = c / pulses
        return 2 * (c * math.log(best / q) + (pulses - c) * math.log((1 - best) / (1 - q))) - 1.0

    low, high = brentq(rise, 1e-4, c / pulses), brentq(rise, c / pulses, 0.1)
    assert one.minus == pytest.approx(one.value - low / eta, rel=3e-3)
    assert one.plus == pytest.approx(high / eta - one.value, rel=3e-3)
    assert one.calibration == pytest.approx(one.value * 0.02 / eta, rel=5e-3)
    assert one.shifts["A.efficiency"] < 0.0


def test_no_coincidence_at_all_gives_the_poissonian_limit() -> None:
    """Two detectors, no double click in M pulses: P(2) q^2/2 M < 2.71/2 at 95 %, by the likelihood ratio."""
    pulses, q = 10**8, 0.2
    chances = pattern_chances(np.array([0.9, 0.1, 0.0]), [q / 2, q / 2])
    counts = np.round(pulses * chances)
    assert counts[1, 1] == 0
    two = from_clicks(counts, tree(2, q), top=2)["P(2)"]
    assert two.minus is None
    assert two.limit is not None
    assert two.limit.side == "upper"
    assert two.limit.value == pytest.approx(2.705543 / 2 / pulses / (q**2 / 2), rel=5e-3)


def test_expected_counts_of_four_detectors_give_the_photon_numbers_back() -> None:
    shares, etas = (0.3, 0.3, 0.2, 0.2), (0.6, 0.5, 0.7, 0.4)
    detectors = [Detector(n, share=s, efficiency=e, dark_per_s=5e3) for n, s, e in zip("ABCD", shares, etas, strict=True)]
    chances = pattern_chances(PAIRS, [0.5 * s * e for s, e in zip(shares, etas, strict=True)], 5e3 * 12.5e-9)
    r = from_clicks(np.round(1e14 * chances), detectors, efficiency=0.5, period_ns=12.5, top=3, stage="first_lens")
    assert r.probabilities == pytest.approx(PAIRS, rel=1e-4)
    assert r.warnings == ()
    assert r.dof == 12
    n = np.arange(4)
    mean = float(n @ PAIRS)
    assert r["mean_photons"].value == pytest.approx(mean, rel=1e-6)
    assert r["g2_zero"].value == pytest.approx(float((n * (n - 1)) @ PAIRS) / mean**2, rel=1e-5)
    assert r["photon_fraction_in_pairs"].value == pytest.approx(0.57 / mean, rel=1e-5)
    assert r["event_fraction_of_pairs"].value == pytest.approx(0.285 / 0.3, rel=1e-5)
    assert r["pair_share_of_multiphotons"].value == pytest.approx(0.285 / 0.29, rel=1e-5)
    assert "photon numbers at stage first_lens" in str(r)
    assert r.as_dict()["figures"]["P(2)"]["value"] == pytest.approx(0.285, rel=1e-4)


def test_a_number_resolving_detector_is_inverted_through_its_binomial() -> None:
    eta = 0.6
    light = np.array([sum(PAIRS[n] * math.comb(n, k) * eta**k * (1 - eta) ** (n - k) for n in range(k, 4)) for k in range(4)])
    r = from_clicks(np.round(1e12 * light), [Detector("A", efficiency=eta, number_resolving=True)])
    assert r.probabilities == pytest.approx(PAIRS, rel=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_another_optimiser_finds_the_same_least_deviance(seed: int) -> None:
    """SciPy's sequential quadratic programming on the likelihood written out, with and without a constraint; also where weights are 0."""
    rng = np.random.default_rng(seed)
    p = np.array([[0.7, 0.01, 0.29, 0.0], [0.5, 0.3, 0.15, 0.05], [0.95, 0.05, 0.0, 0.0], [0.2, 0.0, 0.8, 0.0]][seed])
    q = [0.15, 0.1, 0.2, 0.12]
    columns = np.stack([pattern_chances(np.eye(4)[n], q, 1e-4).ravel() for n in range(4)], axis=1)
    counts = rng.multinomial(10_000, columns @ p).astype(float)
    fit = Likelihood(Mixture(counts, columns))

    def half(x: np.ndarray) -> float:
        return -float(counts @ np.log(np.maximum(columns @ x, 1e-300))) / 1e4

    def slope(x: np.ndarray) -> np.ndarray:
        return -(columns.T @ (counts / (columns @ x))) / 1e4

    simplex = {"type": "eq", "fun": lambda x: x.sum() - 1.0, "jac": np.ones_like}
    options = {"ftol": 1e-15, "maxiter": 2000}
    found = minimize(half, np.full(4, 0.25), jac=slope, bounds=[(0.0, 1.0)] * 4, constraints=[simplex], method="SLSQP", options=options)
    assert half(fit.best) * 2e4 == pytest.approx(half(found.x) * 2e4, abs=2e-3)
    share = ratios(3)["photon_fraction_in_pairs"]
    value = 0.9 * share(fit.best) + 0.05
    held = {"type": "eq", "fun": lambda x: 2 * x[2] - value * (x[1] + 2 * x[2] + 3 * x[3])}
    near = np.array([0.6, 0.4 * (1 - value), 0.2 * value, 0.01])
    there = minimize(half, near / near.sum(), jac=slope, bounds=[(0.0, 1.0)] * 4, constraints=[simplex, held], method="SLSQP", options=options)
    assert fit.rise(share, value) == pytest.approx(2e4 * (half(there.x) - half(found.x)), rel=1e-2, abs=5e-3)


def test_profiles_of_g2_hold_the_ratio_and_touch_the_best_value() -> None:
    columns = np.stack([pattern_chances(np.eye(4)[n], [0.1] * 4, 1e-5).ravel() for n in range(4)], axis=1)
    counts = np.random.default_rng(3).multinomial(10**6, columns @ PAIRS).astype(float)
    fit, figures = Likelihood(Mixture(counts, columns)), ratios(3)
    for name in ("g2_zero", "g3_zero"):
        best = figures[name](fit.best)
        assert fit.rise(figures[name], best) < 1e-3
        rises = [fit.rise(figures[name], best * (1 + x)) for x in (0.01, 0.02)]
        assert rises[1] > 3.0 * rises[0] > 0.0


def test_two_threshold_detectors_do_not_determine_a_third_photon_and_the_result_says_so() -> None:
    counts = np.round(1e9 * pattern_chances(np.array([0.7, 0.1, 0.17, 0.03]), [0.1, 0.1]))
    r = from_clicks(counts, tree(2, 0.2), top=3)
    assert any("do not determine" in w and "P(3)" in w for w in r.warnings)
    three = r["P(3)"]
    low = 0.0 if three.minus is None else three.value - three.minus
    assert low < 0.03 < three.value + (three.plus or 1.0)
    assert (three.plus or 1.0) + (three.minus or three.value) > 0.02
    only_two = from_clicks(counts, tree(2, 0.2))
    cut = only_two["P(2)"].truncation
    assert cut is not None
    assert only_two["P(2)"].value + cut[0] - 1e-4 <= 0.17 <= only_two["P(2)"].value + cut[1] + 1e-4


def test_a_low_efficiency_amplifies_errors_and_a_warning_tells() -> None:
    rng = np.random.default_rng(1)
    chances = np.maximum(pattern_chances(PAIRS, [0.002] * 4), 0.0)  # differences of ones, good to round-off
    r = from_clicks(rng.multinomial(10**7, chances.ravel()).reshape((2,) * 4), tree(4, 0.008), top=3)
    assert any("do not determine photon_fraction_in_pairs" in w for w in r.warnings)
    more = from_clicks(rng.multinomial(10**10, chances.ravel()).reshape((2,) * 4), tree(4, 0.008), top=3)
    assert any("amplifies" in w for w in more.warnings)
    wrong = from_clicks(np.round(1e6 * pattern_chances(PAIRS, [0.1, 0.2, 0.05, 0.15])), tree(4, 0.5), top=3)
    assert any("do not fit these detectors" in w for w in wrong.warnings)


@pytest.mark.parametrize(
    ("counts", "detectors", "said"),
    [
        (np.array([[90, 5], [5, 1]]), tree(2), "be 0: up to 1 photons cannot give it"),
        (np.array([90.5, 9.5]), tree(1), "whole numbers"),
        (np.array([90, 10, 1]), tree(1), "length 2"),
        (np.array([90, 10]), tree(2), "one axis per detector"),
        ({(0, 2): 5}, tree(2), "zeros and ones"),
        (np.array([90, 10]), [Detector("A", dark_per_s=10.0)], "window_ns"),
        (np.zeros(2), tree(1), "not all 0"),
    ],
)
def test_counts_that_these_detectors_cannot_have_given_are_refused(counts: object, detectors: list[Detector], said: str) -> None:
    with pytest.raises(InputError) as error:
        from_clicks(counts, detectors, top=1)  # type: ignore[arg-type]
    assert said in str(error.value)


def test_an_unknown_calibration_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean 'A\.efficiency'"):
        from_clicks(np.array([90, 10]), tree(1), calibrations={"A.eficiency": 0.1})


def test_patterns_may_be_named_and_simulated_measurements_give_the_intervals_of_the_profiles() -> None:
    rng = np.random.default_rng(6)
    chances = pattern_chances(np.array([0.6, 0.3, 0.1]), [0.25, 0.25])
    counts = rng.multinomial(20_000, chances.ravel()).reshape(2, 2)
    named = {(i, j): int(counts[i, j]) for i in (0, 1) for j in (0, 1)}
    profile = from_clicks(named, tree(2, 0.5))
    drawn = from_clicks(counts, tree(2, 0.5), draws=400, rng=np.random.default_rng(7))
    for name in ("P(1)", "P(2)", "photon_fraction_in_pairs", "g2_zero"):
        assert drawn[name].value == profile[name].value
        assert drawn[name].statistical == pytest.approx(profile[name].statistical, rel=0.15)


def test_regions_hold_the_truth_as_often_as_they_say() -> None:
    """300 simulated measurements: 68.3 and 95 % regions of three figures, within three binomial standard errors; P(1) = 0 as one-sided regions."""
    columns = np.stack([pattern_chances(np.eye(4)[n], [0.12, 0.1, 0.11, 0.1], 1e-5).ravel() for n in range(4)], axis=1)
    figures, repeats = ratios(3), 300
    for case, truth in ((0, PAIRS), (1, np.array([0.7, 0.0, 0.295, 0.005]))):
        names = ("photon_fraction_in_pairs", "P(1)", "mean_photons") if case == 0 else ("P(1)",)
        levels = ((1.0, 0.6827), (3.8415, 0.95)) if case == 0 else ((0.2187, 0.68), (2.7055, 0.95))
        rises: dict[str, list[float]] = {name: [] for name in names}
        for k in range(repeats):
            counts = np.random.default_rng((20260302, case, k)).multinomial(10**7, columns @ truth).astype(float)
            fit = Likelihood(Mixture(counts, columns))
            for name in names:
                rises[name].append(fit.rise(figures[name], max(figures[name](truth), 1e-9)))
        for name in names:
            for rise, nominal in levels:
                held = np.mean(np.array(rises[name]) <= rise)
                assert abs(held - nominal) <= 3.0 * math.sqrt(nominal * (1 - nominal) / repeats), (name, rise, held)


# From the source to the counts and back ----------------------------------------------------------------------------------------------------------------


def dot(**fields: object) -> qdot.Experiment:
    source = qdot.emitters.DarkLoadedCascade(lifetime_XX_ns=0.06, lifetime_X_ns=0.10, spin_flip_per_ns=1e-4, pump_per_ns_per_uW=5e-2)
    return qdot.Experiment(source, drive=qdot.drive.Gaussian(power_uW=20.0, fwhm_ns=0.05, period_ns=12.5), **fields)  # type: ignore[arg-type]


def test_the_photon_numbers_of_a_dot_come_back_from_clicks_drawn_behind_a_lossy_chain() -> None:
    detectors = [Detector(n, share=0.25, efficiency=0.6, dark_per_s=300.0, dead_time_ns=5.0) for n in "ABCD"]
    e = dot(collection={"first_lens": {"pair": 0.6}, "fibre": {"pair": 0.7}}, detectors=detectors)
    counts = e.clicks().draw(50_000_000, np.random.default_rng(9))
    r = from_clicks(counts, detectors, (0.7, 0.007), period_ns=12.5, stage="first_lens")
    truth = e.photon_numbers("pair", max=4, stage="first_lens")
    assert isinstance(r, Inversion)
    for name in ("P(1)", "P(2)", "mean_photons", "photon_fraction_in_pairs", "g2_zero", "event_fraction_of_pairs"):
        true = truth.probabilities[int(name[2])] if name.startswith("P(") else getattr(truth, name)
        assert abs(r[name].value - true) < 4.0 * r[name].statistical, name
    for name in ("mean_photons", "P(2)"):
        assert 0.0 < r[name].calibration < 0.03 * r[name].value


def test_tags_are_counted_pulse_by_pulse_whatever_the_phase_of_the_record() -> None:
    """Clicks placed by hand: the patterns come back, several tags in a pulse are one click, cables may be of different lengths."""
    rng = np.random.default_rng(4)
    pulses, period, delay = 5_000, 12_500, 3_000
    hits = {name: np.flatnonzero(rng.random(pulses) < chance) for name, chance in (("A", 0.2), ("B", 0.1))}
    late = {name: rng.exponential(100.0, h.size).astype(np.int64) for name, h in hits.items()}
    start = 11_900  # the pulses come just before the period would wrap
    times = {name: start + hits[name] * period + late[name] + (delay if name == "B" else 0) for name in hits}
    times["A"] = np.sort(np.concatenate([times["A"], times["A"][:50] + 30]))
    record = SimpleNamespace(period_ps=float(period), duration_ps=(pulses + 2) * period, start_ps=0, names={0: "A", 1: "B"}, times=lambda c: times["AB"[c]])
    detectors = [Detector("A", share=0.5, efficiency=0.5), Detector("B", share=0.5, efficiency=0.4, delay_ns=3.0)]
    counts = click_patterns(record, detectors)
    a, b = (np.isin(np.arange(pulses), hits[name]) for name in "AB")
    assert counts[1, 1] == np.sum(a & b)
    assert counts[1, 0] == np.sum(a & ~b)
    assert counts[0, 1] == np.sum(~a & b)
    assert abs(counts.sum() - pulses) <= 2
    r = from_tags(record, detectors, stage="fibre")
    assert r["mean_photons"].value == pytest.approx(hits["A"].size / pulses / 0.25, rel=0.25)
    with pytest.raises(InputError, match="'C'"):
        click_patterns(record, [Detector("C")])
    with pytest.raises(InputError, match="period_ns"):
        click_patterns(SimpleNamespace(period_ps=None, duration_ps=10, start_ps=0, names={0: "A"}, times=lambda c: times["A"]), detectors[:1])


def test_simulated_tags_lead_back_to_the_photon_numbers_and_to_the_efficiency() -> None:
    """The whole loop: a dot, a lossy chain with jitter, dead time, dark counts and cables, a record of tags, and P(n) of the dot from it."""
    pytest.importorskip("qdot.tags.simulation", reason="streams of tags are not here")
    detectors = [Detector(n, share=0.25, efficiency=0.6, dark_per_s=3e3, dead_time_ns=4.0, jitter_fwhm_ns=0.05, delay_ns=k) for k, n in enumerate("ABCD")]
    e = dot(collection={"first_lens": {"pair": 0.6}, "fibre": {"pair": 0.7}}, detectors=detectors)
    tags = qdot.simulate_tags(e, 1e7, rng=np.random.default_rng(12))  # type: ignore[attr-defined]
    r = from_tags(tags, detectors, efficiency=(0.7, 0.007), stage="first_lens")
    truth = e.photon_numbers("pair", max=4, stage="first_lens")
    assert r.deviance < r.dof + 4.0 * math.sqrt(2.0 * r.dof)
    for name in ("P(0)", "P(1)", "P(2)", "mean_photons", "photon_fraction_in_pairs", "g2_zero"):
        true = truth.probabilities[int(name[2])] if name.startswith("P(") else getattr(truth, name)
        assert abs(r[name].value - true) < 4.0 * r[name].statistical, name
    clicks, counts = e.clicks(), click_patterns(tags, detectors)
    both, one = counts[1, 1].sum(), counts[1].sum()
    assert both / one == pytest.approx(clicks.heralding_efficiency("A", "B"), abs=4.0 * math.sqrt(both) / one)


def test_what_is_not_known_is_not_printed_as_zero_and_rounding_is_not_printed_as_truncation() -> None:
    """Without g3 there is no g3_zero; P(2) = g2 mu^2 / 2 is its own upper bound, so that nothing left out can raise it."""
    for mean in (0.03, 0.0762, 1e-6):
        found = from_moments((mean, 1e-4 * mean), (1.616, 0.004), efficiency=(0.125, 0.002))
        assert "g3_zero" not in found.figures
        assert found["P(2)"].truncation is not None
        assert found["P(2)"].truncation[1] == 0.0
        assert [e.truncation for e in found.figures.values() if e.truncation and 0.0 < max(map(abs, e.truncation)) < 1e-13 * abs(e.value)] == []
        assert "-0.0 " not in str(found)
    known = from_moments((1e-6, 1e-10), (1.5, 0.004), (2.0, 0.1))
    assert known["g3_zero"].value == pytest.approx(2.0)
    assert known["P(2)"].truncation == (pytest.approx(0.0, abs=1e-30), pytest.approx(1e-18, rel=1e-6))


def test_two_threshold_detectors_say_that_they_cannot_tell_three_photons() -> None:
    two = [Detector("A", share=0.5), Detector("B", share=0.5)]
    found = from_clicks(np.array([[9000, 450], [450, 100]]), two)
    assert any("cannot tell P(3) from fewer photons" in w for w in found.warnings)
    assert "g3_zero" not in found.figures
    four = [Detector(n, share=0.25) for n in "ABCD"]
    counts = np.zeros((2, 2, 2, 2))
    counts[0, 0, 0, 0], counts[1, 0, 0, 0], counts[0, 1, 1, 0] = 9000, 800, 200
    assert not any("cannot tell" in w for w in from_clicks(counts, four).warnings)
