"""Fits against closed forms: linear least squares, a parameter at its bound, Poisson counts, and iminuit's own MINOS."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from iminuit import Minuit

from qdot import Experiment, InputError
from qdot.data import Histogram, Series
from qdot.drive import CW, Gaussian
from qdot.emitters import BrightCascade
from qdot.fitting import LIMIT, Measured, fit, gaussian_chi2, poisson_chi2
from qdot.fitting.search import Problem

X = np.array([0.5, 1.0, 2.0, 3.0, 4.5])
Y = np.array([1.9, 3.2, 4.6, 7.4, 9.7])
E = np.array([0.2, 0.1, 0.3, 0.2, 0.4])
DOT = Experiment(BrightCascade(), drive=CW(power_uW=1.0))
A, B = "source.lifetime_X_ns", "source.lifetime_XX_ns"


def series(value: np.ndarray = Y, minus: np.ndarray = E, plus: np.ndarray = E) -> Series:
    return Series(X[: value.size], value, minus, plus, "power_uW", "height", "by hand")


def line(e: Experiment, data: Sequence[Measured]) -> list[np.ndarray]:
    return [e.source.lifetime_X_ns + e.source.lifetime_XX_ns * d.x for d in data if isinstance(d, Series)]


def test_a_straight_line_is_linear_least_squares() -> None:
    result = fit(DOT, [series()], vary={A: (0.5, 1e-3, 10.0), B: (1.0, 1e-3, 10.0)}, predict=line)
    design = np.stack([np.ones_like(X), X], axis=1) / E[:, None]
    covariance = np.linalg.inv(design.T @ design)
    best = covariance @ design.T @ (Y / E)
    assert [result.parameters[n].value for n in (A, B)] == pytest.approx(best, rel=1e-6)
    assert result.covariance == pytest.approx(covariance, rel=5e-3)
    for name, sigma in zip((A, B), np.sqrt(np.diag(covariance)), strict=True):
        assert result.parameters[name].minus == pytest.approx(sigma, rel=1e-2)
        assert result.parameters[name].plus == pytest.approx(sigma, rel=1e-2)
        assert result.parameters[name].limit is None
    assert result.chi2 == pytest.approx(np.sum((Y / E - design @ best) ** 2), rel=1e-9)
    assert result.dof == 3
    assert result.converged
    assert json.loads(json.dumps(result.as_dict()))["parameters"][A]["limit"] is None
    assert "per degree of freedom" in str(result)


def test_costs_of_several_series_add() -> None:
    together = fit(DOT, [series(), series(Y[:3], E[:3], E[:3])], vary={A: (0.5, 1e-3, 10.0), B: (1.0, 1e-3, 10.0)}, predict=line)
    assert together.points == 8
    assert sum(t.chi2 for t in together.terms) == pytest.approx(together.chi2, rel=1e-9)
    assert together.terms[0].pulls == pytest.approx((Y - together.terms[0].predicted) / E, rel=1e-12)


def test_a_parameter_at_its_bound_gets_an_upper_limit() -> None:
    """One point -0.5 +- 1 of a parameter >= 0: chi2 = (x + 0.5)^2, least at 0, up by 2.7055 where (x + 0.5)^2 = 2.9555."""

    def prediction(e: Experiment, data: Sequence[Measured]) -> list[np.ndarray]:
        return [np.array([e.source.pump_per_ns_per_uW])]

    one = series(np.array([-0.5]), np.array([1.0]), np.array([1.0]))
    result = fit(DOT, [one], vary={"source.pump_per_ns_per_uW": (0.4, 0.0, None)}, predict=prediction)
    p = result.parameters["source.pump_per_ns_per_uW"]
    assert p.value == pytest.approx(0.0, abs=1e-6)
    assert p.minus is None
    assert not p.is_determined
    assert p.plus == pytest.approx(math.sqrt(1.25) - 0.5, rel=2e-2)
    assert p.limit is not None
    assert p.limit.side == "upper"
    assert p.limit.value == pytest.approx(math.sqrt(0.25 + LIMIT) - 0.5, rel=2e-2)
    assert "<" in str(result)


def test_a_parameter_that_saturates_gets_a_lower_limit() -> None:
    """y = 1/(1 + 1/x) near 1: large x cannot be told from infinite x."""

    def prediction(e: Experiment, data: Sequence[Measured]) -> list[np.ndarray]:
        return [np.array([1.0 / (1.0 + 1.0 / e.source.lifetime_X_ns)])]

    one = series(np.array([1.0]), np.array([0.1]), np.array([0.1]))
    p = fit(DOT, [one], vary={A: (5.0, 1e-3, 1e5)}, predict=prediction).parameters[A]
    assert p.plus is None
    assert p.limit is not None
    assert p.limit.side == "lower"
    # the best x is at the upper bound, where the pull is 1e-4: chi2 = (10/(1 + x))^2 = 2.7055
    assert p.limit.value == pytest.approx(10 / math.sqrt(LIMIT) - 1, rel=3e-2)


def test_intervals_of_a_curved_problem_are_those_of_minos() -> None:
    def height(a: float, b: float) -> np.ndarray:
        return np.asarray(a * np.exp(-X / b))

    data = series(np.array([2.4, 1.8, 1.3, 0.6, 0.5]), 2 * E, 3 * E)

    def prediction(e: Experiment, measured: Sequence[Measured]) -> list[np.ndarray]:
        return [height(e.source.lifetime_X_ns, e.source.lifetime_XX_ns)]

    result = fit(DOT, [data], vary={A: (2.0, 1e-3, 20.0), B: (2.0, 1e-2, 50.0)}, predict=prediction)
    m = Minuit(lambda a, b: gaussian_chi2(data, height(a, b)), a=2.0, b=2.0)
    m.errordef = 1
    m.migrad()
    m.minos()
    for name, key in ((A, "a"), (B, "b")):
        assert result.parameters[name].value == pytest.approx(m.values[key], abs=5e-3 * m.errors[key])
        assert result.parameters[name].minus == pytest.approx(-m.merrors[key].lower, rel=2e-2)
        assert result.parameters[name].plus == pytest.approx(m.merrors[key].upper, rel=2e-2)


def test_the_poisson_term_is_the_deviance() -> None:
    h = Histogram(np.arange(3.0), 1.0, np.array([0.0, 4.0, 9.0]), "by hand")
    assert poisson_chi2(h, np.array([0.0, 4.0, 9.0])) == 0.0
    assert poisson_chi2(h, np.array([1.0, 2.0, 9.0])) == pytest.approx(2.0 + 2 * (2 - 4 + 4 * math.log(2)), rel=1e-12)
    assert poisson_chi2(h, np.array([0.0, 0.0, 9.0])) == math.inf


def test_a_histogram_of_g2_gives_back_the_parameters_that_made_it() -> None:
    """Counts drawn from g2(tau) of a cascade with a cable delay: lifetime, delay, level and background within 4 errors, chi2 as expected."""
    truth = DOT.replace({A: 0.8, B: 0.3, "source.pump_per_ns_per_uW": 0.4})
    left = np.arange(-80, 90) * 0.1
    nodes = np.linspace(0.0005, 0.0995, 100)
    g2 = np.asarray(truth.g2((left[:, None] + nodes - 0.33).ravel(), "X")).reshape(left.size, -1).mean(axis=1)
    counts = np.random.default_rng(7).poisson(400 * g2 + 20)
    h = Histogram(left, 0.1, counts.astype(float), "drawn")
    vary = {
        A: (0.6, 0.05, 10.0),
        "histogram.zero_delay_ns": (0.2, -1.0, 1.0),
        "histogram.counts_per_bin": (350.0, 1.0, None),
        "histogram.background_per_bin": (30.0, 0.0, None),
    }
    result = fit(truth, [h], vary=vary, label="X")
    for name, true in zip(vary, (0.8, 0.33, 400.0, 20.0), strict=True):
        p = result.parameters[name]
        assert abs(p.value - true) < 4 * max(p.minus or 0.0, p.plus or 0.0), name
    assert result.parameters["histogram.zero_delay_ns"].is_determined
    assert abs(result.chi2 - result.dof) < 4 * math.sqrt(2 * result.dof)


def test_the_default_prediction_is_the_experiment() -> None:
    """g2(0) against power of a cascade, made without noise, is found again."""
    truth = DOT.replace({"source.pump_per_ns_per_uW": 0.3})
    powers = np.array([0.5, 1.0, 2.0, 4.0])
    values = np.array([float(truth.replace({"drive.power_uW": p}).g2_zero("pair")) for p in powers])
    one = Series(powers, values, 0.01 * values, 0.01 * values, "power_uW", "g2_zero", "computed")
    result = fit(DOT, one, vary={"source.pump_per_ns_per_uW": (0.1, 1e-4, 10.0)}, label="pair")
    assert result.parameters["source.pump_per_ns_per_uW"].value == pytest.approx(0.3, rel=1e-6)
    assert result.chi2 < 1e-6


def test_slopes_of_every_residual_are_those_of_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """Series against power and against delay, and a histogram with its nuisance parameters: exact derivatives against central differences."""
    seen: list[Any] = []

    class Stopped(Problem):
        def descend(self, *_: Any, **__: Any) -> Any:
            seen.append(self)
            raise StopIteration

    monkeypatch.setattr("qdot.fitting.fitting.Problem", Stopped)
    powers, tau = np.array([0.5, 2.0, 2.0]), np.array([-1.0, 0.2, 3.0])
    data: list[Measured] = [Series(powers, 0.3 + 0 * powers, 0.1 + 0 * powers, 0.2 + 0 * powers, "power_uW", n, "h") for n in ("g2_zero", "flux_per_ns")]
    data.append(Series(powers, 0.3 + 0 * powers, 0.1 + 0 * powers, 0.2 + 0 * powers, "power_uW", "pair_flux_fraction", "h"))
    data.append(Series(tau, 0.9 + 0 * tau, 0.1 + 0 * tau, 0.2 + 0 * tau, "tau_ns", "g2", "h"))
    data.append(Histogram(np.arange(-8, 8) * 0.3, 0.3, np.array([30.0, 33, 21, 40, 55, 41, 32, 21, 0, 22, 40, 30, 44, 30, 33, 31]), "h"))
    pulsed = DOT.replace(drive=Gaussian(power_uW=1.0, fwhm_ns=0.05, period_ns=3.0))
    figures: list[Measured] = [
        Series(powers, 0.3 + 0 * powers, 0.1 + 0 * powers, 0.2 + 0 * powers, "power_uW", n, "h") for n in ("g2_zero", "mean_photons", "event_fraction_of_pairs")
    ]
    rates = {A: (0.5, 0.01, 10.0), B: (0.3, None, None), "source.pump_per_ns_per_uW": (0.4, 0.0, None), "drive.power_uW": (1.0, 0.0, None)}
    shared = {"histogram.zero_delay_ns": 0.13, "histogram.counts_per_bin": (35.0, 1.0, None), "histogram.background_per_bin": (3.0, 0.0, None)}
    for e, measured, vary in ((DOT, data, {**rates, **shared}), (pulsed, figures, {**rates, "collection.XX": (0.6, 0.0, 1.0)})):
        with pytest.raises(StopIteration):
            fit(e.replace({"drive.power_uW": 1.0}), measured, vary=vary, label=["XX", "X"])
        problem = seen.pop()
        assert problem.exact is not None
        x = problem.inner(np.array([v[0] if isinstance(v, tuple) else v for v in vary.values()]))
        exact = problem.slopes(x, problem.residuals(x), np.ones(x.size))
        for k in range(x.size):
            h = 1e-3 * np.eye(x.size)[k]
            near = [(problem.residuals(x + j * h) - problem.residuals(x - j * h)) / (2e-3 * j) for j in (1, 2, 3)]
            expected = 1.5 * near[0] - 0.6 * near[1] + 0.1 * near[2]
            tolerance = 1e-6 if list(vary)[k] == "histogram.zero_delay_ns" else 1e-8  # there as good as three nodes integrate a bin
            np.testing.assert_allclose(exact[:, k], expected, rtol=0, atol=tolerance * np.abs(exact[:, k]).max() + 1e-9, err_msg=str(k))


@pytest.mark.parametrize(
    ("data", "vary", "said"),
    [
        ([], {A: 1.0}, "data"),
        ([series()], {}, "at least one"),
        ([series()], {"source.lifetime_Y_ns": 1.0}, "lifetime_Y_ns"),
        ([series()], {A: (1.0, 2.0, 3.0)}, "within its bounds"),
        ([series()], {A: (1.0, 2.0)}, "(start, low, high)"),
        ([series()], {A: ("x", 0, 1)}, "finite number"),
        ([series(Y[:1], E[:1], E[:1])], {A: 1.0, B: 1.0}, "at most as many"),
    ],
)
def test_bad_requests_are_refused(data: list[Series], vary: dict, said: str) -> None:
    with pytest.raises(InputError) as error:
        fit(DOT, data, vary=vary, predict=line)
    assert said in str(error.value)


def test_a_column_that_is_no_quantity_is_refused() -> None:
    with pytest.raises(InputError, match="height"):
        fit(DOT, [series()], vary={A: (1.0, 0.1, 10.0)})


def test_where_the_model_gives_no_answer_there_is_no_fit_and_the_rest_goes_on() -> None:
    """A model that cannot be calculated below 0.3 and is best at 0.5 +- 0.1: the interval's lower end would lie beyond."""

    def stops(e: Experiment, data: Sequence[Measured]) -> list[np.ndarray]:
        if e.source.lifetime_X_ns < 0.3:
            raise InputError("the source must emit light, got none; raise the pump")
        return [np.full(len(d), e.source.lifetime_X_ns) for d in data]

    one = series(np.array([0.5]), np.array([0.1]), np.array([0.1]))
    result = fit(DOT, [one], vary={A: (0.9, 1e-3, 10.0)}, predict=stops)
    assert result.parameters[A].value == pytest.approx(0.5, abs=1e-3)
    assert result.parameters[A].minus == pytest.approx(0.1, rel=1e-2)
    with pytest.raises(InputError, match="emit light"):
        fit(DOT, [one], vary={A: (0.1, 1e-3, 10.0)}, predict=stops)
