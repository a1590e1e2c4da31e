"""Rates from 1e-7 to 500 per ns in one model: every delay of g2 to a relative 1e-8 or better, also where g2 << 1.

The reference is made here, with 50 digits: the four (or three) rate equations as a matrix, its null vector by a linear solve, its exponential by
python-flint. It shares nothing with the package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import scipy.linalg as sl
from flint import arb, arb_mat, ctx

import qdot
from qdot.evolve import Flow
from qdot.model import Dephasing, Jump, Model
from qdot.units import HBAR_UEV_NS

Rates = Sequence[tuple[str, str, float] | tuple[str, str, float, str]]

LOOP: Rates = (("G", "D", 1e-6), ("D", "XX", 1e-6), ("D", "G", 1e-7), ("XX", "X", 500.0, "XX"), ("X", "G", 200.0, "X"))
LOOP_ONE_LABEL: Rates = (*LOOP[:3], ("XX", "X", 500.0, "pair"), ("X", "G", 200.0, "pair"))
DELAYS = np.geomspace(1e-3, 1e6, 73)


def benchmark(p: float) -> Rates:
    return (("G", "D", p), ("D", "XX", p / 2), ("XX", "X", 10.0, "XX"), ("X", "G", 5.0, "X"), ("D", "X", 1e-4))


@pytest.fixture(autouse=True)
def _fifty_digits() -> Iterator[None]:
    before = ctx.dps
    ctx.dps = 90  # balls widen in the exponential; 50 digits and more are left
    yield
    ctx.dps = before


def matrices(levels: str, rates: Rates, labels: Sequence[str]) -> tuple[arb_mat, arb_mat]:
    """Generator and the part of it that puts a photon into one of the labels."""
    index = {name: i for i, name in enumerate(levels.split())}
    n = len(index)
    whole, click = arb_mat(n, n), arb_mat(n, n)
    for a, b, rate, *photon in rates:
        i, j = index[b], index[a]
        whole[i, j] += arb(rate)
        whole[j, j] -= arb(rate)
        if photon and photon[0] in labels:
            click[i, j] += arb(rate)
    return whole, click


def steady(whole: arb_mat) -> arb_mat:
    """Null vector of unit sum."""
    n = whole.nrows()
    m, right = arb_mat(whole), arb_mat(n, 1)
    for j in range(n):
        m[0, j] = arb(1)
    right[0, 0] = arb(1)
    return m.solve(right)


def exact_g2(levels: str, rates: Rates, tau: Sequence[float], first: Sequence[str], second: Sequence[str]) -> list[float]:
    """sum J_b exp(L tau) J_a x / (flux_a flux_b); every value checked to carry 50 digits."""
    whole, a = matrices(levels, rates, first)
    _, b = matrices(levels, rates, second)
    x = steady(whole)
    ones = arb_mat(1, x.nrows(), [1] * x.nrows())
    norm = (ones * a * x)[0, 0] * (ones * b * x)[0, 0]
    out = []
    for t in tau:
        early, late = (a, b) if t >= 0 else (b, a)
        value = (ones * late * (whole * arb(abs(float(t)))).exp() * (early * x))[0, 0] / norm
        assert value.rel_accuracy_bits() > 50 * math.log2(10)
        out.append(float(value.mid()))
    return out


def experiment(levels: str, rates: Rates, picture: str | None = None) -> qdot.Experiment:
    return qdot.Experiment(Model(levels=tuple(levels.split()), jumps=tuple(Jump.of(*r) for r in rates)), picture=picture)  # type: ignore[arg-type]


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_g2_of_a_dark_loop_over_nine_decades_of_delay(picture: str) -> None:
    """Both photons in one label, from 1 ps to 1 ms: a peak of 1e8, a dip, and a tail of milliseconds."""
    curve = experiment("G D X XX", LOOP_ONE_LABEL, picture).g2(DELAYS, "pair")
    np.testing.assert_allclose(curve.value, exact_g2("G D X XX", LOOP_ONE_LABEL, DELAYS, ["pair"], ["pair"]), rtol=1e-11)
    assert curve.error_bound < 1e-9
    assert min(curve.value) < 1e-4 < 1e7 < max(curve.value)


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
@pytest.mark.parametrize(("first", "second"), [("XX", "X"), ("X", "XX"), ("XX", "XX"), ("X", "X")])
def test_cross_g2_of_a_dark_loop(first: str, second: str, picture: str) -> None:
    tau = np.concatenate([-DELAYS[::-6], DELAYS[::6]])
    curve = experiment("G D X XX", LOOP, picture).g2(tau, first, second)
    expected = np.array(exact_g2("G D X XX", LOOP, tau, [first], [second]))
    assert np.max(np.abs(curve.value / expected - 1)) <= curve.error_bound < 1e-9


def test_flux_and_populations_of_a_dark_loop() -> None:
    exp = experiment("G D X XX", LOOP)
    x = [float(v.mid()) for v in steady(matrices("G D X XX", LOOP, [])[0]).entries()]
    np.testing.assert_allclose([exp.populations()[n] for n in ("G", "D", "X", "XX")], x, rtol=1e-14)
    np.testing.assert_allclose([exp.flux_per_ns("XX"), exp.flux_per_ns("X")], [500 * x[3], 200 * x[2]], rtol=1e-14)


@pytest.mark.parametrize("p", [1e-6, 1e-3, 0.05, 10.0])
@pytest.mark.parametrize(("first", "second"), [("X", "X"), ("XX", "X")])
def test_benchmark_of_continuous_light_entry_by_entry(p: float, first: str, second: str) -> None:
    """G, D, X, XX with pumps p and p/2 over the whole sweep: every one of 500 delays, of which every seventh is checked, to 1e-9 of itself."""
    tau = np.geomspace(1e-3, 1e3, 500)
    curve = experiment("G D X XX", benchmark(p)).g2(tau, first, second)
    expected = exact_g2("G D X XX", benchmark(p), tau[::7], [first], [second])
    np.testing.assert_allclose(curve.value[::7], expected, rtol=1e-11)
    assert curve.error_bound < 1e-9


def test_the_value_that_default_steppers_miss() -> None:
    """At p = 1e-6 the X line has g2(1 us) = 0.0965; an adaptive stepper at default tolerances has been seen to return 4523."""
    assert experiment("G D X XX", benchmark(1e-6)).g2([1e3], "X").value[0] == pytest.approx(0.09650045219480992, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("p", np.geomspace(1e-6, 10.0, 60))
def test_benchmark_sweep_entry_by_entry(p: float) -> None:
    tau = np.geomspace(1e-3, 1e3, 500)
    exp = experiment("G D X XX", benchmark(p))
    for first in ("X", "XX"):
        np.testing.assert_allclose(exp.g2(tau, first, "X").value, exact_g2("G D X XX", benchmark(p), tau, [first], ["X"]), rtol=1e-11)


def test_a_defective_generator_is_followed_without_its_eigenvectors() -> None:
    """A chain of 60 equal decays is one Jordan block; turned by an orthogonal matrix that keeps the trace it is no rate model any more."""
    n, rng = 60, np.random.default_rng(0)
    chain = np.diag(-np.r_[0.0, np.ones(n - 1)]) + np.diag(np.ones(n - 1), 1)
    basis = sl.qr(np.c_[np.ones(n), rng.normal(size=(n, n - 1))])[0]
    turn = basis @ sl.block_diag(1.0, sl.qr(rng.normal(size=(n - 1, n - 1)))[0]) @ basis.T
    flow = Flow(turn @ chain @ turn.T, np.ones(n), turn[:, 0])
    assert "squaring" in flow.method
    times = np.array([0.1, 1.0, 10.0, 100.0, 1e4])
    found = turn.T @ flow.along(np.eye(n), turn[:, -1], times)
    for k, t in enumerate(times):
        np.testing.assert_allclose(found[:, k], sl.expm(chain * t)[:, -1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rate", [1e-6, 1e-3])
def test_fast_dephasing_takes_no_digits_from_slow_decay(rate: float) -> None:
    """Dephasing a billion times faster than the decay: photons, times, overlap and spectrum by their closed forms."""
    fast = 1e3
    slow = Model(("G", "X"), "X", jumps=(Jump.of("X", "G", rate, "X"),), dephasings=(Dephasing("X", fast),))
    experiment = qdot.Experiment(slow, picture="lindblad")
    whole = experiment.interference("X")
    assert whole.mean_photons == pytest.approx(1.0, rel=1e-13)
    assert whole.indistinguishability == pytest.approx(rate / (rate + 2 * fast), rel=1e-12)
    assert experiment.interference("X", gate_ns=(0.0, 1 / rate)).mean_photons == pytest.approx(1 - np.exp(-1), rel=1e-12)
    assert experiment.arrival_times("X").mean_first_ns * rate == pytest.approx(1.0, rel=1e-13)
    np.testing.assert_allclose(experiment.first_photon([0.0, 1 / rate], "X").value, rate * np.exp([0.0, -1.0]), rtol=1e-12)
    width = HBAR_UEV_NS * (rate + 2 * fast)
    energies = np.array([0.0, width, 1e3 * width])
    lorentzian = 2 / (np.pi * width) / (1 + (2 * energies / width) ** 2)
    np.testing.assert_allclose(experiment.spectrum(energies, "X").value, lorentzian, rtol=1e-11)
