"""Plots: they return the axes they were given, show the numbers of the result and carry units."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qdot
from qdot import plot
from qdot.data import Series
from qdot.fitting import FitResult


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cw() -> qdot.Experiment:
    return qdot.Experiment(qdot.emitters.DarkLoadedCascade(), drive=qdot.drive.CW(power_uW=1.0), collection={"pair": 0.55})


@pytest.fixture(scope="module")
def train(cw: qdot.Experiment) -> qdot.Experiment:
    return cw.replace(drive=qdot.drive.Instant(power_uW=5.0, period_ns=12.5))


def test_a_curve_is_drawn_on_the_given_axes_with_its_own_values_and_units(cw: qdot.Experiment) -> None:
    g2 = cw.g2(np.geomspace(1e-3, 1e4, 30), "pair")
    ax = plt.subplots()[1]
    assert g2.plot(ax) is ax
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), g2.tau_ns)
    np.testing.assert_array_equal(line.get_ydata(), g2.value)
    assert ax.get_xlabel() == r"delay $\tau$ (ns)"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


@pytest.mark.parametrize("delays", [np.linspace(-1, 1, 5), np.linspace(1, 90, 5), [0.0, 1.0, 1e4], [1.0]], ids=["negative", "short", "zero", "one"])
def test_delays_that_are_not_positive_or_span_less_than_two_decades_are_linear(cw: qdot.Experiment, delays: list[float]) -> None:
    assert cw.g2(delays, "pair").plot().get_xscale() == "linear"


def test_side_peaks_are_points_against_the_period(train: qdot.Experiment) -> None:
    peaks = train.side_peaks(3, "pair")
    (line,) = peaks.plot().get_lines()
    assert line.get_marker() == "o"
    np.testing.assert_array_equal(line.get_ydata(), peaks.value)


def test_a_flux_against_time_carries_both_units(train: qdot.Experiment) -> None:
    ax = train.emission_profile([0.0, 0.1, 1.0], "pair").plot()
    assert ax.get_xlabel() == "time (ns)"
    assert ax.get_ylabel() == "flux(pair) (1/ns)"


def test_g3_on_a_grid_of_delays_is_a_map(cw: qdot.Experiment) -> None:
    tau = np.array([0.01, 0.1, 1.0])
    ax = cw.g3(tau[:, None], tau[None, :], "pair").plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"delay $\tau_1$ (ns)", r"delay $\tau_2$ (ns)")
    assert len(ax.collections) == 1


def test_photon_numbers_are_bars_of_the_probabilities_two_stages_on_one_axes(train: qdot.Experiment) -> None:
    stats = train.photon_numbers("pair", max=3)
    ax = stats.plot()
    assert stats.at("emission").plot(ax) is ax
    heights = np.array([bar.get_height() for bar in ax.patches])
    np.testing.assert_array_equal(heights, np.concatenate([stats.probabilities, stats.at("emission").probabilities]))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["pair, first_lens", "pair, emission"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("photons n", "probability P(n)")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("power_uW", "power (µW)"),
        ("pulse_energy_fJ", "pulse energy (fJ)"),
        ("tau_ns", r"delay $\tau$ (ns)"),
        ("flux_per_ns", "flux (1/ns)"),
        ("period", "period"),
    ],
)
def test_the_unit_of_a_field_name_becomes_that_of_the_axis(name: str, label: str) -> None:
    assert plot.axis_label(name) == label


def test_a_measured_series_is_drawn_with_both_of_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "decay.csv"
    path.write_text("power_uW,decay_ns,decay_minus_ns,decay_plus_ns\n1,1.5,0.1,0.2\n2,1.4,0.1,0.3\n")
    ax = plot.series(qdot.read_series(path))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("power (µW)", "decay (ns)")
    (bars,) = ax.containers
    ends = [segment[:, 1].tolist() for segment in bars[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[1.4, 1.7], [1.3, 1.7]], rtol=1e-14)


def fitted(cw: qdot.Experiment) -> FitResult:
    """A fit of two quantities against power; the second has no model but a straight line."""
    power = np.array([1.0, 300.0, 3.0])
    g2 = Series(power, [5.0, 1.0, 3.0], [0.1] * 3, [0.2] * 3, "power_uW", "g2_zero", "made up")
    decay = Series(power, [1.0, 2.0, 1.5], [0.1] * 3, [0.1] * 3, "power_uW", "decay_ns", "made up")
    pump = "source.pump_per_ns_per_uW"
    return qdot.fit(cw, [g2, decay], vary={pump: (3.0, 0.1, 9.0)}, predict=lambda e, d: [np.full(3, e.source.pump_per_ns_per_uW), np.full(3, 1.4)])


def test_a_fit_is_drawn_with_residuals_below_each_quantity(cw: qdot.Experiment) -> None:
    result = fitted(cw)
    top = result.plot()
    g2, residuals, decay, _ = top.figure.axes
    assert top is g2
    assert (g2.get_ylabel(), decay.get_ylabel(), residuals.get_ylabel()) == ("g2(0)", "decay (ns)", "residual\n(std. errors)")
    assert g2.get_xscale() == "log"
    np.testing.assert_array_equal(residuals.get_lines()[0].get_ydata(), result.terms[0].pulls)
    line = next(one for one in g2.get_lines() if "fit" in str(one.get_label()))
    np.testing.assert_array_equal(line.get_xdata(), [1.0, 3.0, 300.0])


def test_a_fit_on_given_axes_names_every_quantity(cw: qdot.Experiment) -> None:
    ax = plt.subplots()[1]
    assert fitted(cw).plot(ax) is ax
    assert ax.get_ylabel() == "g2(0), decay (ns)"


def test_the_legend_of_a_measured_g2_lies_outside_of_the_picture() -> None:
    rng = np.random.default_rng(5)
    time = np.sort(rng.integers(0, 10**8, 4000))
    ax = qdot.correlate(qdot.Tags(time, rng.integers(0, 2, 4000), 10**8), (0, 1), bin_ps=1000, range_ns=50.0).plot()
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1
