"""What a measurement should show, against roads of their own: quadrature, convolution by hand, differences, and the exact derivatives one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

import qdot
from qdot import Experiment, InputError
from qdot.data import Histogram, Series
from qdot.drive import CW, Gaussian
from qdot.emitters import BrightCascade, DarkLoadedCascade, TwoLevel
from qdot.fitting import JointPrior, Observation, Response
from qdot.fitting.answers import Ask, Setting, slopes, values
from qdot.fitting.likelihoods import binomial_deviances, expected_chi2, residual_slopes, residuals
from qdot.fitting.request import Request
from qdot.statistics.stacked import pairs_along

DARK = Experiment(DarkLoadedCascade(pump_per_ns_per_uW=2e-2, spin_flip_per_ns=3e-3, selectivity=0.9, relaxation_XX_ns=0.02), drive=CW(power_uW=2.0))
RATES = ["source.pump_per_ns_per_uW", "source.spin_flip_per_ns", "source.lifetime_X_ns", "source.lifetime_XX_ns", "source.selectivity", "drive.power_uW"]
EVEN, UNEVEN = np.linspace(-3.1, 7.3, 53), np.concatenate([-np.geomspace(1e-3, 50.0, 9), np.geomspace(1e-3, 3000.0, 14)])


def request(e: Experiment, data: Any, vary: dict[str, Any], label: Any = "pair", **more: Any) -> Request:
    return Request.of(e, data, vary, label, None, more.pop("tie", None), more.pop("priors", ()), None)


@pytest.mark.parametrize("tau", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_the_stack_gives_what_each_experiment_gives(tau: np.ndarray) -> None:
    """Values and exact derivatives of every continuous quantity at several powers, against Experiment and sensitivities one by one."""
    e = DARK.replace(collection={"XX": 0.4, "X": 0.7})
    names = [*RATES, "collection.XX"]
    powers = [0.3, 2.0, 11.0]
    asks = [Ask(Setting(p), "g2", ["XX", "X"], "X", tau) for p in powers]
    asks += [Ask(Setting(p), kind, "pair") for p in powers for kind in ("g2_zero", "flux_per_ns", "pair_flux_fraction")]
    found, turned = values(e, asks), slopes(e, asks, names)
    for ask, value, slope in zip(asks, found, turned, strict=True):
        here = ask.setting.of(e)
        s = qdot.sensitivities(here, names)
        plain = {
            "g2": lambda: (np.asarray(here.g2(tau, ["XX", "X"], "X")), s.g2(tau, ["XX", "X"], "X")),  # noqa: B023
            "g2_zero": lambda: (here.g2_zero("pair"), s.g2_zero("pair")[:, None]),  # noqa: B023
            "flux_per_ns": lambda: (here.flux_per_ns("pair"), s.flux_per_ns("pair")[:, None]),  # noqa: B023
            "pair_flux_fraction": lambda: (here.pair_flux_fraction(), s.pair_flux_fraction()[:, None]),  # noqa: B023
        }[ask.kind]()
        np.testing.assert_allclose(value, np.atleast_1d(plain[0]), rtol=1e-11)
        np.testing.assert_allclose(slope, plain[1], rtol=1e-7, atol=1e-9 * np.abs(plain[1]).max(axis=1, keepdims=True).max())


def test_the_integral_over_delays_is_that_of_the_curve() -> None:
    edges = np.array([-2.0, -0.3, 0.0, 0.07, 1.9, 400.0])
    found = values(DARK, [Ask(Setting(), "g2_integral", "XX", "X", edges)])[0]
    for k, (a, b) in enumerate(pairwise(edges)):
        expected = quad(lambda t: float(DARK.g2([t], "XX", "X")[0]), a, b, epsabs=0, epsrel=1e-9, limit=400)[0]
        assert found[k + 1] - found[k] == pytest.approx(expected, rel=1e-7)


def test_pairs_of_exponentials_are_those_of_block_matrices() -> None:
    """exp of [[A, 0], [A', A]] holds the derivative in its corner."""
    from scipy.linalg import expm

    rng = np.random.default_rng(3)
    a = rng.uniform(0, 2, (2, 4, 4))
    a -= np.einsum("bij,ij->bij", a, np.eye(4)) + np.eye(4) * (a * (1 - np.eye(4))).sum(axis=1)[:, None, :]
    moved, y, ys = rng.normal(size=(3, 2, 4, 4)), rng.uniform(size=(2, 4)), rng.normal(size=(3, 2, 4))
    for times in (np.array([0.0, 0.013, 2.1, 9.7]), np.linspace(0.4, 6.0, 21), np.linspace(6.0, 0.4, 21)):
        out, outs = pairs_along(a, moved, y, ys, times)
        for k in (0, 3, times.size - 1):
            for b in range(2):
                for p in range(3):
                    block = np.block([[a[b], np.zeros((4, 4))], [moved[p, b], a[b]]])
                    expected = expm(block * times[k]) @ np.concatenate([y[b], ys[p, b]])
                    assert out[b, :, k] == pytest.approx(expected[:4], rel=1e-10, abs=1e-12)
                    assert outs[p, b, :, k] == pytest.approx(expected[4:], rel=1e-9, abs=1e-11)


def test_a_histogram_is_the_curve_through_the_response_over_each_bin() -> None:
    """Expected counts against a double integral over bin and Gaussian response, and against the sum over a measured response."""
    h = Histogram(np.arange(-6, 7) * 0.1, 0.1, np.zeros(13), "axis")
    given = {"histogram.zero_delay_ns": 0.037, "histogram.counts_per_bin": 50.0, "histogram.background_per_bin": 2.0}
    sigma = 0.12 / np.sqrt(8 * np.log(2))

    def mean(a: float, b: float, weight: Any, reach: float) -> float:
        u = np.linspace(-reach, reach, 4001)
        edges = np.concatenate([a - 0.037 - u, b - 0.037 - u])
        total = values(DARK, [Ask(Setting(), "g2_integral", "pair", None, edges)])[0]
        w = weight(u)
        return float(np.sum(w * (total[u.size :] - total[: u.size])) / np.sum(w)) / (b - a)

    one = request(DARK, Observation(data=h, response=Response(fwhm_ns=0.12)), given)
    found = one.values(one.space.expand(one.space.start))[0]
    for k in (0, 5, 6, 7, 12):
        expected = mean(h.left_ns[k], h.left_ns[k] + 0.1, lambda u: np.exp(-((u / sigma) ** 2) / 2), 0.5)
        assert found[k] == pytest.approx(50 * expected + 2, rel=2e-4)
    peak = found[6]
    sharp = request(DARK, Observation(data=h), given)
    assert sharp.values(sharp.space.expand(sharp.space.start))[0][6] > 1.15 * peak  # the response lowers the peak
    lopsided = Response(offset_ns=np.array([0.0, 0.1, 0.2]), weight=np.array([1.0, 0.0, 3.0]))
    two = request(DARK, Observation(data=h, response=lopsided), given)
    plain = request(DARK, Observation(data=Histogram(np.arange(-8, 7) * 0.1, 0.1, np.zeros(15), "axis")), given)
    bins = plain.values(plain.space.expand(plain.space.start))[0]
    assert two.values(two.space.expand(two.space.start))[0] == pytest.approx(0.25 * bins[2:] + 0.75 * bins[:-2], rel=1e-12)  # it comes later


POWERS = np.array([0.4, 1.7, 1.7])


def series(name: str, value: float, x: np.ndarray = POWERS, x_name: str = "power_uW") -> Series:
    return Series(x, np.full(x.size, value), np.full(x.size, 0.1), np.full(x.size, 0.2), x_name, name, "h")


def _cases() -> dict[str, Request]:
    left = np.arange(-8, 8) * 0.3
    h = Histogram(left, 0.3, np.full(16, 30.0), "h")
    own = {"a.zero_delay_ns": 0.13, "a.counts_per_bin": 35.0, "histogram.background_per_bin": 3.0, "histogram.fwhm_ns": 0.2}
    rates = {RATES[0]: 3e-2, RATES[1]: 2e-3, RATES[2]: 0.12}
    shared = JointPrior(("calibration.flux", "calibration.power"), np.array([1.0, 1.1]), np.array([[0.01, 0.006], [0.006, 0.02]]))
    cw = request(
        DARK,
        [
            Observation(data=h, name="a", at={"drive.power_uW": 3.0}, label="X", second="XX", power_scale="calibration.power"),
            Observation(data=h, name="b", response=Response(fwhm_ns=0.1)),
            Observation(data=series("flux_per_ns", 0.02), scale="calibration.flux", power_scale="calibration.power"),
            series("g2", 0.9, np.array([-1.0, 0.2, 3.0]), "tau_ns"),
            Observation(data=Series.of_counts(POWERS, np.array([30.0, 0.0, 90.0]), "power_uW", "counts", "h"), scale="calibration.exposure"),
            series("g2_zero", 3.0, np.array([3.0, 5.0]), "temperature_K"),
        ],
        {**rates, **own, "b.zero_delay_ns": -0.1, "b.counts_per_bin": 30.0, "calibration.flux": 1.1, "calibration.power": 0.9, "calibration.exposure": 3e3},
        tie={"source.lifetime_XX_ns": "0.6 * source.lifetime_X_ns", "source.relaxation_ns": "0.02 + 0.1 * source.lifetime_X_ns"},
        priors=[{"source.lifetime_XX_ns": (0.07, 0.01, 0.02)}, shared],
    )
    pulsed = Experiment(BrightCascade(pump_per_ns_per_uW=0.4), drive=Gaussian(power_uW=1.0, fwhm_ns=0.05, period_ns=3.0), collection={"pair": 0.6})
    decay = Histogram(np.arange(12) * 0.5, 0.5, np.full(12, 30.0), "h", "time_ns")
    train = request(
        pulsed,
        [
            Observation(data=Series.of_clicks(POWERS, np.array([30, 0, 1000]), np.full(3, 1000), "power_uW", "clicks", "h")),
            series("mean_photons", 0.3),
            series("g2_zero", 0.3),
            series("probability", 0.3, np.array([0.0, 1.0, 2.0]), "n"),
            series("g2", 0.9, np.array([0.0, 1.0, -2.0]), "peak"),
            Observation(data=decay, label="X", name="d"),
        ],
        {"source.lifetime_X_ns": 0.5, "source.pump_per_ns_per_uW": 0.4, "collection.pair": 0.5, "d.zero_delay_ns": 0.21, "d.counts_per_bin": 90.0},
    )
    return {"continuous": cw, "pulsed": train}


@pytest.mark.parametrize("case", ["continuous", "pulsed"])
def test_slopes_of_every_observable_are_those_of_differences(case: str) -> None:
    """Exact derivatives of all residuals, ties, priors, calibrations and responses included, against differences of the residuals."""
    one = _cases()[case]
    x = one.space.start
    exact = one.slopes(x)
    for k, name in enumerate(one.space.names):
        h = 1e-3 * abs(x[k]) * np.eye(x.size)[k]
        near = [(one.residuals(x + j * h) - one.residuals(x - j * h)) / (2e-3 * abs(x[k]) * j) for j in (1, 2, 3)]
        expected = 1.5 * near[0] - 0.6 * near[1] + 0.1 * near[2]
        # the trapezoidal rule of a decay that jumps at the pulse, and of a response, is as good as its step
        tolerance = 2e-3 if name in ("d.zero_delay_ns", "histogram.fwhm_ns") else 2e-6
        np.testing.assert_allclose(exact[:, k], expected, rtol=0, atol=tolerance * np.abs(exact[:, k]).max() + 1e-9, err_msg=name)


def test_residuals_and_their_slopes_belong_together_for_every_law() -> None:
    k, n = np.array([0.0, 3.0, 50.0, 100.0, 40.0]), np.full(5, 100.0)
    clicks = Series.of_clicks(np.arange(5.0), k, n, "power_uW", "clicks", "h")
    counts = Series.of_counts(np.arange(5.0), k, "power_uW", "counts", "h")
    for data, at in ((clicks, np.array([0.02, 0.05, 0.50003, 0.97, 0.4])), (counts, np.array([0.3, 2.0, 50.002, 90.0, 40.0]))):
        h = 1e-5 * at
        steps = [(residuals(data, at + j * h) - residuals(data, at - j * h)) / (2 * j * h) for j in (8, 16)]
        assert residual_slopes(data, at) == pytest.approx((4 * steps[0] - steps[1]) / 3, rel=2e-6)
    shares = residuals(clicks, np.array([0.02, 0.05, 0.5, 0.97, 0.3])) ** 2
    p = np.array([0.02, 0.05, 0.5, 0.97, 0.3])
    from scipy.stats import binom

    best = binom.logpmf(k, n, k / n)
    assert shares == pytest.approx(2 * (best - binom.logpmf(k, n, p)), rel=1e-9, abs=1e-9)
    assert binomial_deviances(np.array([1.0]), np.array([5.0]), np.array([0.0]))[0] == np.inf


def test_the_expected_chi2_of_few_counts_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(11)
    mu = np.array([0.05, 0.4, 1.3, 6.0, 300.0])
    for rate in mu:
        h = Histogram(np.arange(2.0), 1.0, np.zeros(2), "h")
        mean, variance = expected_chi2(h, np.full(2, rate))
        draws = residuals(Series.of_counts(np.arange(40000.0), rng.poisson(rate, 40000), "power_uW", "counts", "h"), np.full(40000, rate)) ** 2
        assert mean / 2 == pytest.approx(draws.mean(), abs=5 * draws.std() / 200)
        assert variance / 2 == pytest.approx(draws.var(), rel=0.08)


def test_counts_per_flux_click_fractions_and_decays_give_back_what_made_them() -> None:
    """A pumped two-level emitter under pulses and its decay: lifetime from the trace, pump from click fractions, both at once."""
    truth = Experiment(TwoLevel(lifetime_ns=0.8, pump_per_ns_per_uW=0.3), drive=Gaussian(power_uW=1.0, fwhm_ns=0.02, period_ns=12.5), collection={"X": 0.3})
    rng = np.random.default_rng(5)
    powers = np.array([0.2, 4.0])
    p = [1 - float(truth.replace({"drive.power_uW": w}).photon_numbers("X").probabilities[0]) for w in powers]
    clicks = Series.of_clicks(powers, rng.binomial(200000, p), np.full(2, 200000), "power_uW", "clicks", "drawn")
    left = np.arange(0, 40) * 0.25
    inside = np.linspace(0.00125, 0.24875, 100)
    flux = np.asarray(truth.emission_profile(np.mod((left[:, None] + inside - 1.0).ravel(), 12.5), "X")).reshape(40, 100).mean(axis=1)
    h = Histogram(left, 0.25, rng.poisson(3000 * flux + 1).astype(float), "drawn", "time_ns")
    vary = {
        "source.lifetime_ns": (1.1, 0.1, 5.0),
        "source.pump_per_ns_per_uW": 0.1,
        "histogram.zero_delay_ns": 0.9,
        "histogram.counts_per_bin": 2000.0,
        "histogram.background_per_bin": 2.0,
    }
    result = qdot.fit(truth, [clicks, h], vary, label="X")
    for name, true in zip(vary, (0.8, 0.3, 1.0, 3000.0, 1.0), strict=True):
        q = result.parameters[name]
        assert abs(q.value - true) < 4 * max(q.minus or 0.0, q.plus or 0.0), name
    assert result.goodness.p_value > 1e-3


@pytest.mark.parametrize(
    ("data", "vary", "more", "said"),
    [
        (Observation(data=series("counts", 3.0)), {RATES[0]: 1.0}, {}, "Observation(scale=...)"),
        (series("g2_zero", 0.3, POWERS, "humidity"), {RATES[0]: 1.0}, {}, "humidity"),
        (series("g2_zero", 0.3), {"source.selectivity": 1.3}, {}, "declared from 0 to 1"),
        (series("g2_zero", 0.3), {RATES[0]: 1.0}, {"tie": {RATES[1]: "2 * source.spin_flop_per_ns"}}, "spin_flop_per_ns"),
        (series("g2_zero", 0.3), {RATES[0]: 1.0}, {"tie": {RATES[1]: "__import__('os')"}}, "function"),
        (series("g2_zero", 0.3), {RATES[0]: 1.0}, {"tie": {RATES[0]: "2"}}, "not varied"),
        (series("g2_zero", 0.3), {RATES[0]: 1.0}, {"priors": {RATES[1]: (1.0, 0.1)}}, "prior of"),
        (series("g2_zero", 0.3), {RATES[0]: 1.0}, {"priors": {RATES[0]: (1.0, -0.1)}}, "error of the prior"),
        (series("g2_zero", 0.3), {"calibrations.power": 1.0}, {}, "calibration"),
        (Histogram(np.arange(3.0), 1.0, np.ones(3), "h"), {RATES[0]: 1.0}, {}, "histogram.zero_delay_ns"),
    ],
)
def test_what_cannot_be_fitted_is_refused(data: Any, vary: dict[str, Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        qdot.fit(DARK, data, vary, label="pair", **more)
    assert said in str(error.value)


def test_fields_of_detectors_are_parameters() -> None:
    """A histogram of two jittering detectors and a count rate: jitter and dark counts that made them, without noise."""
    two = [qdot.detection.Detector("A", share=0.5, dark_per_s=2e6, jitter_fwhm_ns=0.3), qdot.detection.Detector("B", share=0.5, jitter_fwhm_ns=0.3)]
    truth = Experiment(TwoLevel(lifetime_ns=0.5, pump_per_ns_per_uW=0.02), drive=CW(power_uW=1.0), detectors=two)
    left = np.arange(-12, 12) * 0.2
    mean = np.asarray(truth.recorded_g2(left + 0.1, "A", "B", bin_ns=0.2).g2)
    h = Histogram(left, 0.2, np.round(1e6 * mean), "computed")
    powers = np.array([0.5, 2.0])
    rates = np.array([truth.replace({"drive.power_uW": p}).count_rates()["A"].registered_per_s for p in powers])
    s = Series(powers, 1e-9 * rates, 1e-12 * rates, 1e-12 * rates, "power_uW", "count_rate_per_ns", "computed")
    data = [Observation(data=h, detectors=("A", "B")), Observation(data=s, detectors=("A",))]
    vary = {"detectors.jitter_fwhm_ns": (0.2, 0.01, 2.0), "detectors.A.dark_per_s": 1e6, "histogram.counts_per_bin": 9e5}
    result = qdot.fit(truth, data, vary, tie={"histogram.zero_delay_ns": "0"}, intervals=False)
    assert result.parameters["detectors.jitter_fwhm_ns"].value == pytest.approx(0.3, rel=2e-2)
    assert result.parameters["detectors.A.dark_per_s"].value == pytest.approx(2e6, rel=1e-2)
    assert result.experiment is not None
    assert result.experiment.detectors[1].jitter_fwhm_ns == result.experiment.detectors[0].jitter_fwhm_ns
