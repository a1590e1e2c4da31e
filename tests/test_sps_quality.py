"""The measured power series: points from the histograms, the model's peaks against the engine, the joint fit, and bad data."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.integrate as si
from scipy.interpolate import CubicSpline
from scipy.stats import poisson

from qdot import Experiment, InputError
from qdot import study as studies
from qdot.data import Histogram
from qdot.drive import Instant
from qdot.emitters import ReservoirDot
from qdot.evolve import dense
from qdot.generator import rate

study: Any = studies.module("sps_quality_2023")
points, peaks = study.points, study.coincidences.__globals__
DOT = ReservoirDot(pairs_per_fJ=0.09, capture_per_ns=4.0, lifetime_X_ns=1.0, lifetime_XX_ns=0.4, second_capture=0.7, reservoir_decay_per_ns=0.8, max_pairs=12)


@pytest.fixture(scope="module")
def measured() -> Any:
    return points.read()


@pytest.fixture(scope="module")
def result(measured: Any) -> Any:
    return study.joint_fit(measured)


@pytest.mark.data
def test_g2_from_the_histograms_is_within_one_error_of_the_table(shared_data: Path) -> None:
    folder = shared_data / "sps-quality"
    found = points.derive(points.settings(folder))
    rows = [line for line in (folder / "power_series_g2.csv").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    table = list(csv.DictReader(rows))
    assert [float(r["power_uW"]) for r in table] == found.power_uW.tolist()
    for i, r in enumerate(table):
        assert abs(found.g2_zero[i] - float(r["g2_0"])) < 0.1 * float(r["err_minus"]), r["label"]
        assert [found.g2_minus[i], found.g2_plus[i]] == pytest.approx([float(r["err_minus"]), float(r["err_plus"])], abs=1.6e-3)
        assert 0.001 < float(r["peak_decay_ns"]) - found.decay_ns[i] < 0.009  # the table's bins are not integrated over
    shipped = points.read()
    assert found.g2_zero == pytest.approx(shipped.g2_zero, abs=1e-5)
    assert found.decay_ns == pytest.approx(shipped.decay_ns, abs=1e-5)
    assert found.zero_delay_chi2 < 18.5  # 99 % of chi2 with 7 degrees of freedom: one cable delay


def test_expected_counts_are_the_integral_of_the_peaks_over_each_bin() -> None:
    h = Histogram(np.arange(40) * 0.7, 0.7, np.zeros(40), "axis")
    p = (13.1, 500.0, 0.4, 2.0, 1.3)
    mu, slopes = points.expected(h, *p)

    def density(t: float) -> float:
        m = np.arange(-30, 31)
        return float(np.sum(np.where(m == 0, p[2], 1.0) * p[1] * np.exp(-np.abs(t - p[0] - 12.5 * m) / p[4]) / (2 * p[4]))) + p[3]

    for i in (0, 17, 18, 19, 36):
        cusp = [c for c in (p[0] - 12.5, p[0], p[0] + 12.5) if h.left_ns[i] < c < h.left_ns[i] + 0.7]
        assert mu[i] == pytest.approx(si.quad(density, h.left_ns[i], h.left_ns[i] + 0.7, points=cusp or None, epsabs=0, epsrel=1e-11)[0], rel=1e-9)
    for k in range(5):
        step = 1e-6 * p[k]
        up, down = ([*p[:k], p[k] + s, *p[k + 1 :]] for s in (step, -step))
        assert slopes[k] == pytest.approx((points.expected(h, *up)[0] - points.expected(h, *down)[0]) / (2 * step), rel=1e-5, abs=1e-6)


def test_the_rates_of_the_study_are_those_of_the_generator() -> None:
    rates = peaks["Rates"](DOT.max_pairs)
    assert rates.matrix(DOT, DOT.max_pairs) == pytest.approx(dense(rate(DOT.model()).static), rel=1e-12, abs=1e-12)


def test_a_pulse_leaves_a_poisson_number_of_pairs() -> None:
    start = np.zeros((39, 1))
    start[0] = 1.0
    after = peaks["_pulse"](start, np.array([2.0])).reshape(13, 3)
    assert after[:12, 0] == pytest.approx(poisson.pmf(np.arange(12), 2.0), rel=1e-12)
    assert after.sum() == pytest.approx(1.0, rel=1e-12)


def test_areas_of_the_peaks_are_those_of_the_engine() -> None:
    """Mean photons and g2(0) of the X line per period against photon_numbers, which counts by period instead of by delay."""
    fast = dataclasses.replace(DOT, lifetime_X_ns=0.4, lifetime_XX_ns=0.2)  # so that no peak reaches half a period
    one = study.coincidences(fast, np.array([1.5]), 12.5)
    exact = Experiment(fast, drive=Instant(power_uW=1.5, period_ns=12.5), rtol=1e-6).photon_numbers("X", max=3)
    assert one.mean_photons[0] == pytest.approx(exact.mean_photons, rel=2e-5)
    assert one.g2_zero[0] == pytest.approx(exact.g2_zero, rel=5e-4)


def test_coincidences_are_those_of_a_plain_integration_of_the_rate_equations() -> None:
    """The same numbers from an ODE solver: emission profile from an empty start, then the dot after an X photon, photon by photon."""
    static = dense(rate(DOT.model()).static)
    start = np.zeros(39)
    start[0::3] = poisson.pmf(np.arange(13), 0.09 * 1.5 * 12.5)
    flux = np.zeros(39)
    flux[1::3] = 1.0 / DOT.lifetime_X_ns

    def evolve(x: np.ndarray, times: np.ndarray) -> np.ndarray:
        return np.asarray(si.solve_ivp(lambda t, y: static @ y, (0, times[-1]), x, "LSODA", times, rtol=1e-10, atol=1e-13).y)

    t = np.linspace(0, 12.5, 2501)
    path = evolve(start, t)
    mean = si.simpson(flux @ path, x=t)
    after = np.zeros(39)
    after[0::3] = si.simpson(path[1::3], x=t) / DOT.lifetime_X_ns
    tau = np.array([0.0, 0.25, 0.5, 1.0, 2.0])
    central = flux @ evolve(after, tau) / mean**2  # no second photon after the end of the period: as good as all of them
    one = study.coincidences(DOT, np.array([1.5]), 12.5)
    assert np.interp(tau, one.tau_ns, one.central[:, 0])[[0]] == pytest.approx([0.0], abs=1e-6)
    assert CubicSpline(one.tau_ns, one.central[:, 0])(tau[1:]) == pytest.approx(central[1:], rel=2e-3)
    f = CubicSpline(t, flux @ path)
    for delay in (0.5, 1.0, 2.0):
        s = np.linspace(0, 12.5 - delay, 2501)
        far = si.simpson(f(s) * f(s + delay), x=s) / mean**2
        assert float(CubicSpline(one.tau_ns, one.side[:, 0])(delay)) == pytest.approx(far, rel=2e-3)


def test_exponential_peaks_are_read_off_unchanged() -> None:
    tau = np.arange(129) * 12.5 / 256
    own = np.exp(-tau / 1.2) / 2.4
    wings = sum(np.exp(-(12.5 * m - s * tau) / 1.2) / 2.4 for m in range(1, 5) for s in (1, -1))
    made = peaks["Peaks"](tau, 12.5, (own + wings)[:, None], (0.4 * own + wings)[:, None], np.ones(1), np.zeros(1))
    g2, decay = study.read_off(made, np.zeros(2, dtype=int), np.array([0.02, 0.08]), np.array([0.256, 0.128]))
    assert g2 == pytest.approx([0.4, 0.4], rel=1e-4)
    assert decay == pytest.approx([1.2, 1.2], rel=1e-4)


def test_the_joint_fit_describes_both_trends(result: Any, measured: Any) -> None:
    assert result.converged
    assert result.points == 16
    assert len(result.parameters) == 5
    assert 0.5 < result.chi2_per_dof < 1.5
    assert result.chi2 == pytest.approx(11.7, abs=0.1)
    loss = result.parameters["source.reservoir_decay_per_ns"]
    assert loss.minus is None
    assert loss.limit.side == "upper"
    assert loss.limit.value == pytest.approx(2.85, rel=0.05)
    assert result.parameters["source.lifetime_X_ns"].value == pytest.approx(0.992, abs=0.01)
    rows = study.verdicts(measured, result)
    assert not studies.failed(rows)
    assert len(rows) == 22
    assert [r.verdict for r in rows[:8]] == ["agrees"] * 8


def test_what_is_read_off_does_not_depend_on_the_step(result: Any, measured: Any) -> None:
    index = np.arange(8)
    level = measured.background_per_ns / measured.side_area
    found = [
        study.read_off(study.coincidences(result.experiment.source, measured.power_uW, 12.5, steps=n), index, level, measured.bin_width_ns) for n in (256, 512)
    ]
    assert np.abs((found[0][0] - found[1][0]) / measured.g2_minus).max() < 0.03
    assert np.abs((found[0][1] - found[1][1]) / measured.decay_minus_ns).max() < 0.03


@pytest.mark.slow
def test_an_xx_of_half_a_nanosecond_fits_as_well_without_a_second_capture(measured: Any) -> None:
    other = study.joint_fit(measured, alternative=True)
    assert other.chi2 == pytest.approx(10.5, abs=0.3)
    assert other.parameters["source.second_capture"].value < 0.02


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(InputError, match=r"max_pairs.*set it to"):
        study.coincidences(DOT, np.array([30.0]), 12.5)
    assert DOT.truncated_weight(30 * 12.5) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("name", "text"), [(None, ""), ("10uW_6000cps.csv", ""), ("10uW_6000cps.csv", "delay_ns,counts\n0,a\n1,2\n"), ("other.csv", "1,2\n")])
def test_bad_folders_are_refused(tmp_path: Path, name: str | None, text: str) -> None:
    if name:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="must"):
        study.fit(tmp_path)


@pytest.mark.slow
@pytest.mark.data
def test_one_dot_describes_all_histograms_bin_by_bin(shared_data: Path) -> None:
    """The joint Poisson fit: it meets the counts better than the peaks of the summary fit do, and a response of half a nanosecond better still."""
    import importlib

    joint = importlib.import_module(f"{study.__name__}.joint")
    found = points.settings(shared_data / "sps-quality")
    measured = points.derive(found)
    summary = study.joint_fit(measured)
    _, own = study.shapes(summary, found, measured)
    plain = joint.fit_histograms(study.experiment(), found, measured, study.START, intervals=False)
    assert plain.converged
    assert plain.chi2 < own.sum() - 10
    assert plain.goodness.p_value > 0.01
    smeared = joint.fit_histograms(study.experiment(), found, measured, study.START, response=True, intervals=False)
    assert plain.chi2 - smeared.chi2 > 40
    assert smeared.parameters["histogram.fwhm_ns"].value == pytest.approx(0.545, abs=0.1)


def test_the_comb_of_all_peaks_is_the_derivative_of_its_integral() -> None:
    """Density against differences of the integral, at both sides of every kind of peak; far peaks have area 1 per period."""
    import importlib

    joint = importlib.import_module(f"{study.__name__}.joint")
    combs = joint.Combs(np.array([0.5, 1.5]), 12)
    e = Experiment(DOT, drive=Instant(power_uW=1.5, period_ns=12.5))
    at = np.array([-30.1, -12.6, -0.7, 0.4, 6.2, 12.4, 13.3, 131.0])
    step = 1e-4
    slope = (combs.integral(e, at + step) - combs.integral(e, at - step)) / (2 * step)
    assert combs.density(e, at) == pytest.approx(slope, rel=1e-6)
    ends = combs.integral(e, np.array([-6.25 - 12.5, -6.25, 6.25, 18.75, 31.25]))
    central = peaks["coincidences"](DOT, np.array([1.5]), 12.5).g2_zero[0]
    assert np.diff(ends) == pytest.approx([1.0, central, 1.0, 1.0], rel=2e-4)
