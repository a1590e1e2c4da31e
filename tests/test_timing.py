"""First photon, delay to the second and G2(t1, t2): light acting back (REFERENCE A.9), pulses, trains, beside closed forms and brute force by hand."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
from independent import coherence as ref
from independent import hand
from scipy.integrate import solve_ivp

import qdot
from qdot.drive import CW, Gaussian, Instant, Measured, Square, sequence
from qdot.emitters import TwoLevel
from qdot.model import Cavity, Coupling, Jump, Model

HBAR = ref.HBAR
SIGMA = ref.ket_bra(2, 0, 1)
STEPS = (("XX", "X"), ("X", "G"))


def ladder(kappa: float, shared: bool, purcell: float = 1.0, shift: float = 0.0, start: str = "XX", fock: int | None = None) -> qdot.Experiment:
    """XX - X - G in one cavity mode, or in one for each transition; 4 g^2 / kappa = purcell per ns, no other loss; XX -> X lower by `shift` (rad/ns)."""
    g = math.sqrt(purcell * kappa) / 2
    if shared:
        cavities: tuple[Cavity, ...] = (Cavity("c", fock or 3, kappa, (g, g), STEPS, photon="light"),)
    else:
        cavities = tuple(Cavity(name, fock or 2, kappa, (g,), (step,), photon="light") for name, step in zip("ab", STEPS, strict=True))
    return qdot.Experiment(Model(("G", "X", "XX"), start=start, energies_ueV={"XX": -shift * HBAR}, cavities=cavities))


def two_level(drive: Any, dephasing: float = 0.0) -> qdot.Experiment:
    return qdot.Experiment(TwoLevel(rabi_per_ns_per_sqrt_uW=1.0, dephasing_per_ns=dephasing), drive=drive)


def integral(curve: Any, panels: tuple[float, ...], order: int = 16) -> float:
    """Of curve(times) over panels between these times."""
    t, weight = ref.panels(panels, order)
    return float(weight @ np.asarray(curve(t)))


# ---- light acting back -----------------------------------------------------------------------------------------------------------------------------------

TABLE = {
    (40.0, True): (1.0738, 0.9771, 0.9717),
    (40.0, False): (1.0619, 1.0130, 0.4918),
    (10.0, True): (1.2821, 0.9313, 0.8955),
    (10.0, False): (1.2406, 1.0570, 0.4687),
    (2.0, True): (2.1842, 1.0526, 0.6316),
    (2.0, False): (2.0625, 1.3906, 0.3750),
}
"""REFERENCE A.9 (derived): mean first time, mean delay, density at zero delay, in 1/Gamma_P."""


@pytest.mark.parametrize(("kappa", "shared"), [*TABLE, (1.0, True), (1.0, False)])
def test_times_of_a_ladder_in_a_cavity(kappa: float, shared: bool) -> None:
    """A.9 to its digits, and the rational functions of kappa behind it."""
    exp, closed = ladder(kappa, shared), ref.ladder_times_closed(kappa, shared)
    times, zero = exp.arrival_times("light"), exp.delay_distribution([0.0], "light").value[0]
    np.testing.assert_allclose([times.mean_first_ns, times.mean_delay_ns, zero], [closed[k] for k in ("mean_first", "mean_delay", "zero_delay")], rtol=1e-11)
    np.testing.assert_allclose([times.probability_first, times.probability_second], 1.0, rtol=1e-12)
    if (kappa, shared) in TABLE:
        np.testing.assert_allclose([times.mean_first_ns, times.mean_delay_ns, zero], TABLE[kappa, shared], atol=0.51e-4)


def test_acceleration_and_bunching_of_a_shared_mode() -> None:
    """Ratio of mean delays 0.965, 0.881, 0.757 (A.9), towards 1 for a bad cavity; the factor 2 at zero delay stays in that limit."""
    ratio = [ladder(k, True).arrival_times("light").mean_delay_ns / ladder(k, False).arrival_times("light").mean_delay_ns for k in (40.0, 10.0, 2.0, 4000.0)]
    np.testing.assert_allclose(ratio[:3], [0.965, 0.881, 0.757], atol=5e-4)
    assert ratio[3] == pytest.approx(1.0, abs=1e-3)
    zero = [ladder(4000.0, shared).delay_distribution([0.0], "light").value[0] for shared in (True, False)]
    assert zero[0] / zero[1] == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize("kappa", [40.0, 2.0])
def test_the_single_exciton_through_the_same_cavity(kappa: float) -> None:
    exp, t = ladder(kappa, True, start="X"), np.array([0.0, 0.3, 1.0, 3.0])
    assert exp.arrival_times("light").mean_first_ns == pytest.approx(1 + 2 / kappa, rel=1e-12)
    np.testing.assert_allclose(exp.first_photon(t, "light").value, ref.single_exciton_density(ref.Ladder(kappa, True), t), rtol=1e-9, atol=1e-14)
    with pytest.raises(qdot.InputError, match="second photon"):
        exp.delay_distribution(t, "light")


@pytest.mark.parametrize(
    ("kappa", "shared", "purcell", "shift"), [(10.0, True, 1.0, 0.0), (3.0, True, 1.3, 0.7), (3.0, False, 1.3, 0.7), (1.0, True, 1.0, 2.5)]
)
def test_densities_and_maps_of_a_detuned_biexciton(kappa: float, shared: bool, purcell: float, shift: float) -> None:
    """First photon, delay and G2(t1, t2) against state vectors that know no Liouvillian."""
    exp, independent, t = ladder(kappa, shared, purcell, shift), ref.Ladder(kappa, shared, purcell, shift), np.array([0.0, 0.1, 0.4, 1.1, 4.0])
    np.testing.assert_allclose(exp.first_photon(t, "light").value, ref.first_photon_density(independent, t), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(exp.delay_distribution(t, "light").value, ref.delay_density(independent, t), rtol=1e-9, atol=1e-13)
    times = ref.ladder_times(independent)
    found = exp.arrival_times("light")
    np.testing.assert_allclose([found.mean_first_ns, found.mean_delay_ns], [times["mean_first"], times["mean_delay"]], rtol=1e-10)
    seen = exp.correlation_map(t, "light")
    for i in range(len(t)):
        row = ref.first_and_delay_density(independent, t[i], t[i:] - t[i])[0]
        np.testing.assert_allclose(seen.value[i, i:], row, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(seen.value[i:, i], row, rtol=1e-9, atol=1e-13)


def test_two_modes_tell_the_lines_apart_and_one_does_not() -> None:
    """Densities of the first XX and the first X photon where each has its mode and its line; X comes after XX, and its map is one-sided."""
    g = math.sqrt(3.0) / 2
    modes = tuple(Cavity(line, 2, 3.0, (g,), (step,), photon=line) for line, step in zip(("XX", "X"), STEPS, strict=True))
    exp = qdot.Experiment(Model(("G", "X", "XX"), start="XX", cavities=modes))
    independent = ref.Ladder(3.0, False)
    t = np.array([0.1, 0.7, 1.9])
    one, two = (exp.correlation_map(t, *pair).value for pair in (("XX", "X"), ("X", "XX")))
    np.testing.assert_allclose(one, two.T, rtol=1e-10, atol=1e-14)
    both = exp.correlation_map(t, ["XX", "X"]).value
    np.testing.assert_allclose(both[np.triu_indices(3, 1)], (one + two)[np.triu_indices(3, 1)], rtol=1e-10)
    np.testing.assert_allclose(both[0, 1:], ref.first_and_delay_density(independent, t[0], t[1:] - t[0])[0], rtol=1e-9)


# ---- integrals ----------------------------------------------------------------------------------------------------------------------------------------


def test_densities_integrate_to_their_probabilities() -> None:
    """A driven emitter: the first photon to P(n >= 1), delays to 1, their means to `arrival_times`."""
    exp = two_level(Square(duration_ns=0.8, area_pi=1.3), 0.2)
    marks = (0.0, 0.4, 0.8, 2.0, 4.0, 8.0, 14.0, 24.0, 40.0)
    found, numbers = exp.arrival_times("X"), exp.photon_numbers("X")
    first = integral(lambda t: exp.first_photon(t, "X").value, marks)
    assert first == pytest.approx(found.probability_first, rel=1e-10)
    assert found.probability_first == pytest.approx(1 - numbers.probabilities[0], rel=1e-11)
    assert found.probability_second == pytest.approx(1 - numbers.probabilities[:2].sum(), rel=1e-11)
    mean = integral(lambda t: t * exp.first_photon(t, "X").value, marks)
    assert mean / first == pytest.approx(found.mean_first_ns, rel=1e-10)
    assert integral(lambda t: exp.delay_distribution(t, "X").value, marks, 8) == pytest.approx(1.0, rel=1e-8)
    assert integral(lambda t: t * exp.delay_distribution(t, "X").value, marks, 8) == pytest.approx(found.mean_delay_ns, rel=1e-8)


def test_the_map_integrates_to_the_second_moment() -> None:
    """int int G2 = <n(n-1)> = g2 mu^2; the map is symmetric for one label, with a kink on the diagonal that panels of both times respect."""
    exp = two_level(Square(duration_ns=0.5, area_pi=1.3))
    marks = np.array([0.0, 0.25, 0.5, 1.2, 2.5, 5.0, 9.0, 15.0, 26.0])
    order, total = 7, 0.0
    t, w = ref.panels(marks, order)
    seen = exp.correlation_map(t, "X").value
    np.testing.assert_allclose(seen, seen.T, rtol=1e-10, atol=1e-18)
    block = np.arange(t.size) // order
    total = np.sum((np.outer(w, w) * seen)[block[:, None] != block])
    for a, b in itertools.pairwise(marks):
        for t1, w1 in zip(*ref.panels([a, b], order), strict=True):
            inner, v = ref.panels([t1, b], order)
            total += 2 * w1 * v @ exp.correlation_map([t1, *inner], "X").value[0, 1:]
    numbers = exp.photon_numbers("X")
    assert total == pytest.approx(numbers.g2_zero * numbers.mean_photons**2, rel=1e-7)


# ---- pulses ----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["square", "two squares", "corners", "gaussian"])
def test_first_photon_and_delay_under_a_pulse_against_brute_force(shape: str) -> None:
    """Complex H and jumps; delays within the pulse, beyond it, and equal to the time between two pulses, where the integrand jumps."""
    h, c_ops, a = hand.decaying_model(np.random.default_rng(5), 3)
    delays = np.array([0.0, 0.1, 0.35, 0.7, 3.0])
    if shape == "square":
        drive: Any = Square(duration_ns=0.5, start_ns=0.1)
        envelope, edges = hand.square(0.1, 0.5), hand.cuts(0.0, 0.1, 0.6, step=0.18)
    elif shape == "two squares":
        drive = sequence([Square(duration_ns=0.2), Square(duration_ns=0.15, start_ns=0.7)])
        envelope, edges = (lambda t: hand.square(0.0, 0.2)(t) + hand.square(0.7, 0.15)(t)), hand.cuts(0.0, 0.2, 0.7, 0.85, step=0.18)
    elif shape == "corners":
        drive = Measured(times_ns=(0.0, 0.2, 0.5), intensity=(0.0, 1.0, 0.0))
        envelope, edges = (lambda t: np.interp(t, [0.0, 0.2, 0.5], [0.0, 1.0, 0.0])), hand.cuts(0.0, 0.2, 0.5, step=0.15)
        delays = delays[:4]
    else:
        drive = Gaussian(fwhm_ns=0.1)
        envelope, edges = hand.gaussian(drive.sigma_ns), hand.cuts(0.0, 16 * drive.sigma_ns, step=0.09)
        delays = delays[[0, 2]]
    source = hand.pulsed(h, c_ops, a, envelope, edges)
    one = drive[0] if isinstance(drive, tuple) else drive
    exp = qdot.from_qutip([h, [a, one]], c_ops, {"a": [0], "b": [1]}).replace(drive=drive)
    count = ref.click(c_ops[0])
    np.testing.assert_allclose(exp.first_photon(delays, "a").value, hand.first_density(source, count, delays), rtol=1e-9, atol=1e-13)
    both = exp.arrival_times("a").probability_second
    np.testing.assert_allclose(exp.delay_distribution(delays, "a").value * both, hand.delay_density(source, count, delays, 9), rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("seed", range(2))
def test_maps_of_random_models(seed: int) -> None:
    h, c_ops, a = hand.decaying_model(np.random.default_rng(30 + seed), 3)
    t = np.array([0.05, 0.3, 0.7, 1.7, 2.5])
    source = hand.pulsed(h, c_ops, a, hand.square(0.0, 0.7), hand.cuts(0.0, 0.7, step=0.1))
    exp = qdot.from_qutip([h, [a, Square(duration_ns=0.7)]], c_ops, {"a": [0], "b": [1, 2]})
    np.testing.assert_allclose(exp.correlation_map(t, "a").value, ref.correlation_maps(source, c_ops[0], t)["G2"], rtol=1e-9, atol=1e-13)
    one, two = ref.click(c_ops[0]), ref.click(c_ops[1]) + ref.click(c_ops[2])
    row, found = ref.trace_row(3), exp.correlation_map(t, "a", "b").value
    for i in range(5):
        x = hand.propagator(source, 0.0, t[i]) @ source.start
        for j in range(i + 1, 5):
            u = hand.propagator(source, t[i], t[j])
            assert found[i, j] == pytest.approx((row @ two @ u @ one @ x).real, rel=1e-9)
            assert found[j, i] == pytest.approx((row @ one @ u @ two @ x).real, rel=1e-9)
        assert found[i, i] == pytest.approx((row @ two @ one @ x).real, rel=1e-9)  # on the diagonal `second` comes just after `first`


def after_two_instants(tau: np.ndarray, dt: float) -> np.ndarray:
    """Delays after two pi pulses dt apart: the first photon before the second pulse, the second after it, both decaying at 1."""
    late = np.maximum(dt - tau, 0.0)
    return np.exp(dt - tau) * (np.exp(-2 * late) - math.exp(-2 * dt)) / 2 / -math.expm1(-dt)


def test_instants_are_before_what_is_seen_at_their_moment() -> None:
    """Two pi pulses 0.8 ns apart: exponentials between them, P(2) = 1 - exp(-0.8) (B9), the delay's density with a jump at 0.8."""
    dt = 0.8
    exp = two_level(sequence([Instant(area_pi=1.0), Instant(area_pi=1.0, start_ns=dt)]))
    found = exp.arrival_times("X")
    assert found.probability_second == pytest.approx(-math.expm1(-dt), rel=1e-12)
    t = np.array([0.0, 0.5, 0.8, 1.3])
    np.testing.assert_allclose(exp.first_photon(t, "X").value, np.where(t < dt, np.exp(-t), 0.0), rtol=1e-12, atol=1e-15)
    # first at t1 < 0.8, second at t2 > 0.8 from X prepared anew
    tau = np.array([0.1, 0.5, 0.8, 1.0, 3.0])
    np.testing.assert_allclose(exp.delay_distribution(tau, "X").value, after_two_instants(tau, dt), rtol=1e-9)
    seen = exp.correlation_map([0.3, 0.8, 1.1], "X").value
    np.testing.assert_allclose(seen[0], [0.0, math.exp(-0.3), math.exp(-0.6)], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("shape", ["square", "gaussian"])
def test_a_train_is_watched_for_one_period(shape: str) -> None:
    """Memory between pulses; both photons within the period, and nothing beyond its end."""
    h, c_ops, a = hand.decaying_model(np.random.default_rng(9), 3)
    period = 1.1
    delays = np.array([0.0, 0.2, 0.6, 1.0, period])
    if shape == "square":
        drive: Any = Square(duration_ns=0.3, start_ns=0.1, period_ns=period)
        envelope, edges = hand.square(0.1, 0.3), hand.cuts(0.0, 0.1, 0.4, period, step=0.2)
    else:
        drive, delays = Gaussian(fwhm_ns=0.06, period_ns=period), delays[[1, 3]]
        envelope, edges = hand.gaussian(drive.sigma_ns), hand.cuts(0.0, 16 * drive.sigma_ns, period, step=0.09)
    source = hand.in_a_train(hand.pulsed(h, c_ops, a, envelope, edges))
    exp, count = qdot.from_qutip([h, [a, drive]], c_ops, {"a": [0], "b": [1]}), ref.click(c_ops[0])
    np.testing.assert_allclose(exp.first_photon(delays, "a").value, hand.first_density(source, count, delays), rtol=1e-9, atol=1e-13)
    found = exp.arrival_times("a")
    density = hand.delay_density(source, count, delays, 9)
    np.testing.assert_allclose(exp.delay_distribution(delays, "a").value * found.probability_second, density, rtol=1e-8, atol=1e-12)
    numbers = exp.photon_numbers("a")
    assert found.probability_second == pytest.approx(1 - numbers.probabilities[:2].sum(), rel=1e-10)


def test_a_train_of_instants_in_closed_form() -> None:
    """G and XX exchanged at the start of each period, which lasts one lifetime: the periodic steady state by rates, then exponentials."""
    period = 1.1
    model = Model(("G", "X", "XX"), jumps=(Jump.of("XX", "X", 2.0, "a"), Jump.of("X", "G", 0.9, "a")), couplings=(Coupling(("G", "XX"), 1.0, "laser"),))
    exp = qdot.Experiment(model, drive=Instant(area_pi=1.0, period_ns=period))
    g = [math.exp(-2.0 * period), math.exp(-0.9 * period)]
    fed = 2.0 / (2.0 - 0.9) * (g[1] - g[0])  # X at the end from XX at the start
    up = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # G, X, XX
    decay = np.array([[1.0, 1 - g[1], 1 - g[0] - fed], [0.0, g[1], fed], [0.0, 0.0, g[0]]])
    values, vectors = np.linalg.eig(decay @ up)
    x = vectors[:, np.argmin(np.abs(values - 1))].real
    start = up @ (x / x.sum())
    t = np.array([0.0, 0.3, 0.9])
    first = start[2] * np.exp(-2.0 * t) * 2.0 + start[1] * np.exp(-0.9 * t) * 0.9
    np.testing.assert_allclose(exp.first_photon(t, "a").value, first, rtol=1e-10)
    tau = np.array([0.0, 0.4, 1.0])
    density = start[2] * -np.expm1(-2.0 * (period - tau)) * 0.9 * np.exp(-0.9 * tau)  # XX photon before period - tau
    second = exp.arrival_times("a").probability_second
    np.testing.assert_allclose(exp.delay_distribution(tau, "a").value * second, density, rtol=1e-9)


@pytest.mark.parametrize(
    ("period", "rate"), [(20.0, 1e-6), (20.0, 1e-3), (20.0, 0.3), (1e4, 1e-6), (1e4, 1e-3), (1e4, 0.3), (1e7, 1e-3), (1e7, 0.3), (1e10, 1e-3), (1e10, 0.3)]
)
def test_delays_in_a_train_keep_their_digits_however_long_its_period(period: float, rate: float) -> None:
    """A dark level, which the pulse exchanges with the ground state, leaks into a cascade: the first photon is long awaited, the second is not."""
    jumps = (Jump.of("D", "XX", rate), Jump.of("XX", "X", 2.0, "a"), Jump.of("X", "G", 0.9, "a"))
    exp = qdot.Experiment(
        Model(("G", "X", "XX", "D"), jumps=jumps, couplings=(Coupling(("G", "D"), 1.0, "laser"),)), drive=Instant(period_ns=period, area_pi=1)
    )
    one, two, slow = math.exp(-0.9 * period), math.exp(-2.0 * period), math.exp(-rate * period)
    xx = rate / (2.0 - rate) * (slow - two)  # left in XX from D; in X from XX and from D
    x = np.array([2.0 / (2.0 - 0.9) * (one - two), 2.0 * rate / (2.0 - rate) * ((slow - one) / (0.9 - rate) - (one - two) / (2.0 - 0.9))])
    after = np.array([[1.0, 1 - one, 1 - two - x[0], -math.expm1(-rate * period) - xx - x[1]], [0.0, one, x[0], x[1]], [0.0, 0.0, two, xx], [0, 0, 0, slow]])
    values, vectors = np.linalg.eig(after[:, [3, 1, 2, 0]])  # the pulse exchanges G and D
    steady = vectors[:, np.argmin(np.abs(values - 1))].real
    start = (steady / steady.sum())[[3, 1, 2, 0]]
    tau = np.array([0.0, 0.5, 3.0])
    watched = period - tau
    leaked = (-2.0 * np.expm1(-rate * watched) + rate * np.expm1(-2.0 * watched)) / (2.0 - rate)  # from D to a first photon
    density = (start[3] * leaked + start[2] * -np.expm1(-2.0 * watched)) * 0.9 * np.exp(-0.9 * tau)
    found = exp.delay_distribution(tau, "a")
    np.testing.assert_allclose(found.value * exp.arrival_times("a").probability_second, density, rtol=1e-10)


@pytest.mark.parametrize("period", [12.5, 1e4, 1e7])
def test_a_weak_pulse_now_and_then_gives_the_delay_of_one_pulse(period: float) -> None:
    """Two photons only where the second excitation comes within the same pulse, of constant rate: one integral over the time of the first photon."""
    pump, width, tau = 1e-6, 0.5, np.array([0.6, 1.0, 4.0])
    model = Model(("G", "X"), start="G", jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("G", "X", pump, drive="laser")))
    exp = qdot.Experiment(model, drive=Square(duration_ns=width, period_ns=period))
    t, weight = ref.panels((0.0, width), 40)

    def excited(time: np.ndarray) -> np.ndarray:
        return pump / (1 - pump) * np.exp(-pump * time) * -np.expm1(-(1 - pump) * time)  # X from G, no photon until then

    density = np.array([float(weight @ (excited(t) * excited(width - t) * np.exp(-(one - width + t)))) for one in tau])
    found = exp.delay_distribution(tau, "X").value * exp.arrival_times("X").probability_second
    left = math.exp(-(period - width))  # what the last pulse left behind, at most
    np.testing.assert_allclose(found, density, rtol=1e-9 + 10 * left / pump)


def test_a_slow_train_repeats_the_single_pulse() -> None:
    once, slow = (two_level(Square(duration_ns=0.5, area_pi=1.2, period_ns=p)) for p in (None, 60.0))
    t = [0.0, 0.2, 0.5, 2.0]
    np.testing.assert_allclose(slow.first_photon(t, "X").value, once.first_photon(t, "X").value, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(slow.delay_distribution(t, "X").value, once.delay_distribution(t, "X").value, rtol=1e-8, atol=1e-12)
    for name, value in once.arrival_times("X").figures().items():
        assert slow.arrival_times("X").figures()[name] == pytest.approx(value, rel=1e-9), name


# ---- rates -----------------------------------------------------------------------------------------------------------------------------------------------


def test_both_pictures_agree_where_nothing_is_coherent() -> None:
    jumps = (
        Jump.of("XX", "X", 2.0, "XX"),
        Jump.of("X", "G", 1.0, "X"),
        Jump.of("X", "D", 0.2),
        Jump.of("D", "X", 0.05),
        Jump.of("G", "X", 1.5, drive="laser"),
        Jump.of("X", "XX", 2.5, drive="laser"),
    )
    model, t = Model(("G", "D", "X", "XX"), jumps=jumps), np.array([0.0, 0.2, 0.45, 1.0])
    for drive in (Square(duration_ns=0.3), Gaussian(fwhm_ns=0.05), Square(duration_ns=0.3, period_ns=2.0)):
        one, two = (qdot.Experiment(model, drive=drive, picture=p) for p in ("rate", "lindblad"))
        for name in ("pair", "X"):
            label: Any = ["XX", "X"] if name == "pair" else name
            np.testing.assert_allclose(one.first_photon(t, label).value, two.first_photon(t, label).value, rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(one.correlation_map(t[1:], label).value, two.correlation_map(t[1:], label).value, rtol=1e-10, atol=1e-14)
            for key, value in one.arrival_times(label).figures().items():
                assert two.arrival_times(label).figures()[key] == pytest.approx(value, rel=1e-10), key
        if isinstance(drive, Square):
            np.testing.assert_allclose(one.delay_distribution(t, ["XX", "X"]).value, two.delay_distribution(t, ["XX", "X"]).value, rtol=1e-8, atol=1e-13)


def test_the_decay_of_a_cascade_in_closed_form() -> None:
    """XX then X at other rates: first photon 2 exp(-2t), delay exp(-tau), and lost photons that change who is first."""
    model = Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 2.0, "XX"), Jump.of("X", "G", 1.0, "X")))
    exp, t = qdot.Experiment(model), np.array([0.0, 0.4, 3.0])
    np.testing.assert_allclose(exp.first_photon(t, ["XX", "X"]).value, 2 * np.exp(-2 * t), rtol=1e-13)
    np.testing.assert_allclose(exp.delay_distribution(t, ["XX", "X"]).value, np.exp(-t), rtol=1e-13)
    lost = exp.replace(collection={"XX": 0.3, "X": 0.5})
    x = 2 * (np.exp(-t) - np.exp(-2 * t))
    np.testing.assert_allclose(lost.first_photon(t, ["XX", "X"]).value, 0.3 * 2 * np.exp(-2 * t) + 0.7 * 0.5 * x, rtol=1e-12)
    found = lost.arrival_times(["XX", "X"])
    assert (found.probability_first, found.probability_second) == (pytest.approx(0.3 + 0.7 * 0.5, rel=1e-12), pytest.approx(0.15, rel=1e-12))
    assert found.mean_first_ns == pytest.approx((0.3 * 0.5 + 0.35 * 1.5) / 0.65, rel=1e-12)
    assert found.mean_delay_ns == pytest.approx(1.0, rel=1e-12)


def test_stiff_rates_keep_their_digits() -> None:
    """Rates from 1e-6 to 1e3 per ns: every value to 1e-11 of itself, over nine decades of time."""
    slow, fast, middle = 1e-6, 1e3, 0.5
    model = Model(("G", "D", "X", "XX"), start="D", jumps=(Jump.of("D", "XX", slow), Jump.of("XX", "X", fast, "XX"), Jump.of("X", "G", middle, "X")))
    exp = qdot.Experiment(model)
    t = np.array([1e-4, 1e-2, 1.0, 1e3, 1e6])
    first = slow * fast / (fast - slow) * -np.expm1(-(fast - slow) * t) * np.exp(-slow * t)
    np.testing.assert_allclose(exp.first_photon(t, ["XX", "X"]).value, first, rtol=1e-11)
    np.testing.assert_allclose(exp.delay_distribution(t[:3], ["XX", "X"]).value, middle * np.exp(-middle * t[:3]), rtol=1e-11)
    found = exp.arrival_times(["XX", "X"])
    np.testing.assert_allclose([found.mean_first_ns, found.mean_delay_ns], [1 / slow + 1 / fast, 1 / middle], rtol=1e-12)


def test_light_that_a_pulse_drives_itself() -> None:
    """Stimulated emission counted as light: J follows the envelope; the first photon against a stepper."""
    jumps = (Jump.of("X", "G", 3.0, "X", drive="laser"), Jump.of("G", "X", 0.5, drive="laser"))
    drive = Gaussian(fwhm_ns=0.5)
    exp = qdot.Experiment(Model(("G", "X"), start="X", jumps=jumps), drive=drive)
    t = np.linspace(0.0, drive.length_ns, 41)

    def height(s: float) -> float:
        return math.exp(-(((s - drive.length_ns / 2) / drive.sigma_ns) ** 2))

    solved = solve_ivp(lambda s, y: [height(s) * (0.5 * y[1] - 3 * y[0]), -0.5 * height(s) * y[1]], (0, t[-1]), [1.0, 0.0], "DOP853", t, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(exp.first_photon(t, "X").value, [3 * height(s) * y for s, y in zip(t, solved.y[0], strict=True)], atol=1e-10)


def test_an_endless_source_has_a_first_photon_and_a_delay() -> None:
    """Pumped for ever after a pulse: there is always a second photon, whose mean delay is that of a renewal, 1/pump + 1/gamma."""
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"), Jump.of("G", "X", 0.3)), couplings=(Coupling(("G", "X"), 1.0, "laser"),))
    found = qdot.Experiment(model, drive=Instant(area_pi=1.0)).arrival_times("X")
    np.testing.assert_allclose([found.probability_first, found.probability_second], 1.0, rtol=1e-12)
    np.testing.assert_allclose([found.mean_first_ns, found.mean_delay_ns], [1.0, 1 / 0.3 + 1.0], rtol=1e-12)


# ---- errors ----------------------------------------------------------------------------------------------------------------------------------------------


def test_the_error_bound_covers_what_is_wrong() -> None:
    """Against closed forms: A.9 in a cavity and its densities, all within the bounds that they state."""
    for kappa, shared in TABLE:
        closed, found = ref.ladder_times_closed(kappa, shared), ladder(kappa, shared).arrival_times("light")
        assert abs(found.mean_first_ns / closed["mean_first"] - 1) <= found.errors["mean_first_ns"]
        assert abs(found.mean_delay_ns / closed["mean_delay"] - 1) <= found.errors["mean_delay_ns"]
    dt = 0.8
    tau = np.array([0.1, 0.5, 1.0, 3.0])
    seen = two_level(sequence([Instant(area_pi=1.0), Instant(area_pi=1.0, start_ns=dt)])).delay_distribution(tau, "X")
    assert np.max(np.abs(seen.value / after_two_instants(tau, dt) - 1)) <= seen.error_bound


def test_a_cavity_cut_too_low_is_told() -> None:
    with pytest.raises(qdot.InputError, match="fock"):
        ladder(2.0, True, fock=2).arrival_times("light")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.first_photon([], "X"), "t_ns"),
        (lambda e: e.first_photon([-1.0], "X"), "t_ns"),
        (lambda e: e.first_photon([math.nan], "X"), "t_ns"),
        (lambda e: e.first_photon([1j], "X"), "t_ns"),
        (lambda e: e.first_photon("X", [0.0]), "t_ns"),
        (lambda e: e.first_photon([9.0], "X"), "between 0 and 3"),
        (lambda e: e.first_photon([0.0], "Y"), "Y"),
        (lambda e: e.first_photon([0.0], None), "label"),
        (lambda e: e.delay_distribution([-0.1], "X"), "tau_ns"),
        (lambda e: e.delay_distribution([math.inf], "X"), "tau_ns"),
        (lambda e: e.delay_distribution(["0.1"], "X"), "tau_ns"),
        (lambda e: e.correlation_map([0.2, 0.1], "X"), "increasing"),
        (lambda e: e.correlation_map([0.1, 0.1], "X"), "increasing"),
        (lambda e: e.correlation_map([[0.1]], "X"), "t_ns"),
        (lambda e: e.correlation_map([0.1], "X", "Y"), "Y"),
        (lambda e: e.arrival_times("X", stage="fibre"), "stage"),
        (lambda e: e.arrival_times(7), "label"),
        (lambda e: e.replace(drive=CW(power_uW=1.0)).arrival_times("X"), "pulsed"),
        (lambda e: e.replace(drive=CW(power_uW=1.0)).correlation_map([0.0], "X"), "pulsed"),
        (lambda e: e.replace(collection={"X": 0.0}).first_photon([0.0], "X"), "collect"),
        (lambda e: e.replace(drive=Square(duration_ns=0.5, area_pi=0.0)).arrival_times("X"), "emit light"),
        (lambda e: e.replace(drive=Square(duration_ns=0.5, area_pi=0.0)).delay_distribution([0.0], "X"), "second photon"),
    ],
)
def test_wrong_arguments_are_told(ask: Any, message: str) -> None:
    with pytest.raises(qdot.InputError, match=message):
        ask(two_level(Square(duration_ns=0.5, area_pi=1.0, period_ns=3.0)))


def test_a_gate_that_begins_within_round_off_of_a_step_is_like_any_other() -> None:
    """Pieces of a Gaussian are sigma / 4 long; a leftover of 1e-17 ns must not shorten the steps after it."""
    drive = Gaussian(fwhm_ns=0.12 * math.sqrt(math.log(2)), area_pi=0.9)
    exp = two_level(drive)
    border = 5 * drive.sigma_ns / 4
    seen = [exp.interference("X", gate_ns=(b, 9.0)).mean_photons for b in (np.nextafter(border, 0.0), border, np.nextafter(border, 1.0), border - 1e-10)]
    np.testing.assert_allclose(seen, seen[1], rtol=1e-11)


def test_printed_curves_have_every_axis_and_the_unit_of_their_values() -> None:
    decay = qdot.Experiment(Model(("G", "X", "XX"), start="XX", jumps=(Jump.of("XX", "X", 2.0, "XX"), Jump.of("X", "G", 1.0, "X"))))
    lines = str(decay.correlation_map([0.25, 0.5], "XX", "X")).splitlines()
    assert lines[1].split() == ["t1_ns", "t2_ns", "value", "(1/ns^2)"]
    assert [line.split()[:2] for line in lines[2:]] == [["0.25", "0.25"], ["0.25", "0.5"], ["0.5", "0.25"], ["0.5", "0.5"]]
    assert float(lines[3].split()[2]) == pytest.approx(2.0 * np.exp(-0.5) * np.exp(-0.25), rel=1e-9)
    both = ["XX", "X"]
    for curve in (decay.first_photon([0.5], both), decay.delay_distribution([0.5], both), decay.emission_profile([0.5], both)):
        assert str(curve).splitlines()[1].split()[1:] == ["value", "(1/ns)"]
    cw = qdot.Experiment(Model(("G", "X"), jumps=(Jump.of("G", "X", 1.0), Jump.of("X", "G", 1.0, "X"))))
    assert str(cw.g3([0.1], [0.2], "X")).splitlines()[2].split()[:2] == ["0.1", "0.2"]
    assert "all light: 0.5 1/ns" in str(cw.spectrum([0.0], "X"))


def test_dictionaries_of_numbers_print_with_units_and_error_bounds() -> None:
    cw = qdot.Experiment(Model(("G", "X"), jumps=(Jump.of("G", "X", 1.0), Jump.of("X", "G", 1.0, "X"))), collection={"X": 0.5})
    flux, populations = cw.flux_per_ns(), cw.populations()
    assert flux == {"X": pytest.approx(0.25)}
    assert str(flux).splitlines()[0] == "flux at stage first_lens, continuous"
    assert str(flux).splitlines()[1].startswith("  X = 0.25 1/ns, error bound ")
    assert str(populations).splitlines()[0] == "populations, steady state"
    assert [line.split(",")[0] for line in str(populations).splitlines()[1:]] == ["  G = 0.5", "  X = 0.5"]
    assert pickle.loads(pickle.dumps(flux)).unit == "1/ns"
