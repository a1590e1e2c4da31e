"""The numerics by themselves: stated errors against true ones, steps, pulses that come late, registers, both roads of the stepper, cut-offs.

References: the independent program in many digits, exponentials of brute-force block matrices in 60 digits (python-flint), closed forms.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from independent import answer
from independent.dice import KINDS, table, toml
from scipy.linalg import expm
from test_random_models import bound_of, digits_of, flat, text_of

import qdot
from qdot import InputError, scenario
from qdot.drive import CW, Drive, Gaussian, Instant, Measured, Pulse, Sech, Square
from qdot.evolve import (
    Driven,
    Exponential,
    Flow,
    Register,
    TooManySteps,
    carry,
    drive_through,
    is_compiled,
    joint_numbers,
    kernel,
    nothing_counted,
    numbers,
    part_of,
    powers,
)
from qdot.evolve.exponential import _squared
from qdot.generator import lindblad
from qdot.model import Cavity, Coupling, Dephasing, Jump, Model
from qdot.repeats import Repeats, errors

HBAR = 0.6582119569
EPS = 2.0**-52


# ---- stated error over true error -------------------------------------------------------------------------------------------------------------------

CHEAP = (
    "rate_continuous",
    "rate_stiff",
    "coherent_continuous",
    "coherent_stiff",
    "rate_pulse_stiff",
    "rate_train_stiff",
    "rate_joint",
    "coherent_pulse",
    "coherent_train",
    "coherent_joint",
    "cavity_decay",
    "cavity_pulse",
    "cavity_continuous",
)
"""The kinds that take the reference seconds at most."""
FEW = [
    *((kind, seed, None) for kind in CHEAP[:6] for seed in (300, 301, 302)),
    *((kind, seed, None) for kind in CHEAP[6:10] for seed in (300, 301)),
    *((kind, 301, None) for kind in ("cavity_decay", "rate_pulse", "coherent_shaped")),
    *((kind, seed, "lindblad") for kind in ("rate_continuous", "rate_stiff", "rate_pulse_stiff") for seed in (300, 301, 302)),
    ("rate_train", 300, None),
    ("coherent_pulse", 307, None),  # one sudden rotation whose deviation of 9e-15 comes within a factor 1.6 of the floor of the bound
]
MANY = [(kind, seed, None) for kind in CHEAP for seed in range(302, 326)]


@cache
def ratios(kind: str, seed: int, picture: str | None) -> dict[str, float]:
    """{key: stated bound / true error}, the true one taken as one unit in the last place at least; empty where a label stays dark.

    Where entries can cancel, a fifth of the round-off of the largest entry is no error of a small one.
    """
    text = text_of(kind, seed)
    reference = answer(text, digits_of(kind))
    if picture is not None:
        text = text.replace('picture = "rate"', f'picture = "{picture}"')
    if "g2_zero" in reference and abs(reference["mean_photons"]) < 10.0 ** (10 - digits_of(kind)):
        with pytest.raises(InputError, match="emit light"):
            scenario.run(scenario.load(text))
        return {}
    printed, found = scenario.run(scenario.load(text)), {}
    for key, value in reference.items():
        a, b = np.array(flat(printed[key])), np.array(flat(value))
        known = ~np.isnan(b)
        if known.any():
            cancelled = 0.2 * EPS * float(np.abs(b[known]).max()) if "lindblad" in text.split("\n", 1)[0] else 0.0
            off = np.maximum(np.abs(a - b)[known] - cancelled, 0.0) / np.maximum(np.abs(b[known]), 1e-12)
            found[key] = bound_of(key, printed["errors"]) / max(EPS, float(off.max()))
    return found


@pytest.mark.parametrize(("kind", "seed", "picture"), FEW)
def test_a_stated_error_is_never_below_the_true_one(kind: str, seed: int, picture: str | None) -> None:
    assert all(ratio >= 1.0 for ratio in ratios(kind, seed, picture).values()), (ratios(kind, seed, picture), text_of(kind, seed))


def test_stated_errors_are_within_three_decades_of_the_true_ones_in_the_median() -> None:
    found = [ratio for model in FEW for ratio in ratios(*model).values()]
    assert len(FEW) >= 40
    assert len({kind for kind, _, _ in FEW} & set(KINDS)) >= 12
    assert min(found) >= 1.0
    assert np.median(found) < 1e3


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed", "picture"), MANY)
def test_a_stated_error_is_never_below_the_true_one_in_many_models(kind: str, seed: int, picture: str | None) -> None:
    assert all(ratio >= 1.0 for ratio in ratios(kind, seed, picture).values()), (ratios(kind, seed, picture), text_of(kind, seed))


@pytest.mark.slow
def test_stated_errors_of_many_models_are_within_three_decades_of_the_true_ones_in_the_median() -> None:
    found = [ratio for model in MANY for ratio in ratios(*model).values()]
    assert len(found) > 1000
    assert np.median(found) < 1e3


# ---- generators, registers and their exponentials in 60 digits ---------------------------------------------------------------------------------------


@pytest.fixture
def _sixty_digits() -> Iterator[None]:
    before = ctx.dps
    ctx.dps = 60
    yield
    ctx.dps = before


def exact_exponential(m: np.ndarray, time: float, x: np.ndarray) -> np.ndarray:
    """e^{m t} x in 60 digits, by squaring what is near the identity; every entry of m and x is taken as it stands."""
    n = m.shape[0]
    whole = arb_mat(n, n, [arb(float(v)) for v in m.ravel()]) * arb(float(time))
    halvings = max(0, math.ceil(math.log2(max(float(np.abs(m).sum(axis=0).max()) * time, 1.0))))
    e = (whole * arb(2) ** -halvings).exp().mid()
    for _ in range(halvings):
        e = (e * e).mid()
    columns = x.reshape(n, -1)
    out = e * arb_mat(n, columns.shape[1], [arb(float(v)) for v in columns.ravel()])
    return np.array([float(v.mid()) for v in out.entries()]).reshape(x.shape)


def balanced(m: np.ndarray) -> np.ndarray:
    """The same with integer multiples of 2^-20 as entries and columns that sum to zero exactly."""
    m = np.round(m * 2.0**20) / 2.0**20
    np.fill_diagonal(m, 0.0)
    return m - np.diag(m.sum(axis=0))


def positive_system(rng: np.random.Generator, d: int, axes: int, decades: float = 3.0) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """(silent, gains, trace) of random rate equations; some transitions are counted."""
    rates = 10.0 ** rng.uniform(-decades / 2, decades / 2, (d, d)) * (rng.random((d, d)) < 0.7)
    rates += np.diag(np.ones(d - 1), 1) + np.diag(np.ones(1), -(d - 1)).T[:d, :d] if d > 1 else 0.0
    whole = balanced(rates)
    share = rng.integers(0, axes + 1, (d, d))
    gains = [np.where((share == k + 1) & ~np.eye(d, dtype=bool), whole, 0.0) for k in range(axes)]
    return whole - sum(gains, np.zeros((d, d))), gains, np.ones(d)


def turning_system(rng: np.random.Generator, d: int, axes: int, turning: float = 4.0) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """(silent, gains, trace) of a system that is not Metzler: populations and coherences that turn into each other, the trace kept."""
    p = (d + 1) // 2
    a, gains, _ = positive_system(rng, p, axes, 1.0)
    whole = np.zeros((d, d))
    whole[:p, :p] = a
    mix = rng.normal(size=(d - p, p)) * turning
    mix[:, -1] -= mix.sum(axis=1)  # what drives coherences; its transpose feeds populations and keeps their sum
    whole[p:, :p], whole[:p, p:] = mix, -mix.T
    whole[p:, p:] -= np.diag(rng.uniform(0.5, 2.0, d - p) * turning / 4)
    trace = np.zeros(d)
    trace[:p] = 1.0
    whole = np.round(whole * 2.0**20) / 2.0**20
    whole[0] -= trace @ (whole + sum((np.pad(g, ((0, d - p), (0, d - p))) for g in gains), np.zeros((d, d))))
    return whole, [np.pad(g, ((0, d - p), (0, d - p))) for g in gains], trace


SYSTEMS = {"positive": positive_system, "turning": turning_system}
REGISTERS: dict[str, tuple[Register, int]] = {
    "nothing": (nothing_counted(), 0),
    "numbers": (numbers(3, 3), 1),
    "numbers without moments": (numbers(2, 0), 1),
    "joint numbers": (joint_numbers((2, 1)), 2),
    "three axes": (joint_numbers((1, 1, 1)), 3),
    "powers": (powers((3,)), 1),
    "powers of two axes": (powers((2, 1)), 2),
}


def lifted(a: np.ndarray, gains: Sequence[np.ndarray], register: Register) -> np.ndarray:
    """One matrix on (state of the register, entry of x): an event moves x_from to x_to with what the register's matrix says."""
    return np.kron(np.eye(register.size), a) + sum(
        (np.kron(step.T, g) for step, g in zip(register.advance, gains, strict=True)), np.zeros((register.size * a.shape[0],) * 2)
    )


def exactly(a: np.ndarray, gains: Sequence[np.ndarray], register: Register, time: float, x: np.ndarray) -> np.ndarray:
    """(d, n, m) from x (d, n, m)."""
    d, n, m = x.shape
    return exact_exponential(lifted(a, gains, register), time, x.transpose(2, 0, 1).reshape(m * d, n)).reshape(m, d, n).transpose(1, 2, 0)


def start(rng: np.random.Generator, d: int, n: int, register: Register, kind: str) -> np.ndarray:
    x = rng.random((d, n, register.size)) if kind == "positive" else rng.normal(size=(d, n, register.size))
    return np.round(x * 2.0**20) / 2.0**20


def off(a: np.ndarray, b: np.ndarray) -> float:
    """Largest deviation, over the largest entry of each column of (d, n, m) or (d, n)."""
    top = np.abs(b).max(axis=0)
    return float(np.max(np.abs(a - b).max(axis=0) / np.where(top > 0, top, 1.0)))


@pytest.mark.usefixtures("_sixty_digits")
@pytest.mark.parametrize("time", [0.3, 8.0, 400.0])
@pytest.mark.parametrize("of", REGISTERS)
@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_counting_stretch_is_the_exponential_of_the_lifted_matrix(kind: str, of: str, time: float) -> None:
    """By steps, by squaring and by the road that is chosen; also against an exponential of another library."""
    register, axes = REGISTERS[of]
    rng = np.random.default_rng([5, len(of), axes])
    a, gains, trace = SYSTEMS[kind](rng, 5, axes)
    x = start(rng, 5, 2, register, kind)
    expected = exactly(a, gains, register, time, x)
    by_squaring = _squared(a, gains, register, time, x, trace, kind == "positive", 1.0)
    tolerance = 2e-13
    for found in (by_squaring, carry(a, gains, register, time, x, trace)):
        assert off(found, expected) < tolerance
    if time < 100:  # beyond, thousands of steps add up, and small columns of a turning system are good to the largest one only
        assert off(drive_through(a, gains, [], np.array([time]), register, x, trace), expected) < tolerance
    assert off(_squared(a, gains, register, time, x, trace, kind == "positive", 0.79), expected) < tolerance
    if time < 100:
        d, n, m = x.shape
        other = (expm(lifted(a, gains, register) * time) @ x.transpose(2, 0, 1).reshape(m * d, n)).reshape(m, d, n).transpose(1, 2, 0)
        assert off(other, expected) < 1e-11


@pytest.mark.usefixtures("_sixty_digits")
@pytest.mark.parametrize("of", ["numbers", "joint numbers", "three axes", "powers", "powers of two axes"])
@pytest.mark.parametrize("time", [1e-3, 1.0, 50.0])
def test_a_positive_counting_stretch_is_right_entry_by_entry(of: str, time: float) -> None:
    """Seven decades of rates, an empty register, one start: entries of 1e-20 and less are as good as the largest."""
    register, axes = REGISTERS[of]
    rng = np.random.default_rng([6, axes])
    a, gains, trace = positive_system(rng, 4, axes, 7.0)
    x = register.start(np.eye(4)[:, :1])
    expected = exactly(a, gains, register, time, x)
    roads = [_squared(a, gains, register, time, x, trace, True, 1.0)]
    if time < 10 or is_compiled():  # else a hundred thousand steps in NumPy
        roads.append(drive_through(a, gains, [], np.array([time]), register, x, trace))
    for found in roads:
        small = expected > 1e-24 * expected.max()
        assert np.max(np.abs(found / np.where(small, expected, 1.0) - 1.0)[small]) < 1e-11


@pytest.mark.usefixtures("_sixty_digits")
@pytest.mark.parametrize(("kind", "d"), [("positive", 4), ("positive", 7), ("turning", 5), ("turning", 9), ("turning", 60)])
def test_exponentials_at_many_times(kind: str, d: int) -> None:
    rng = np.random.default_rng([7, d])
    a, _, trace = SYSTEMS[kind](rng, d, 0)
    y = start(rng, d, 1, nothing_counted(), kind)[:, :, 0]
    times = np.array([0.0, 1e-4, 0.03, 0.5, 3.0, 40.0]) if d < 20 else np.array([0.0, 0.03, 3.0])
    expected = np.array([exact_exponential(a, t, y)[:, 0] for t in times]).T
    tolerance = 1e-13 if d < 48 else 1e-10  # beyond 48 entries the squaring is in double precision
    for stretch in (1.0, 0.79):
        e = Exponential.of(a, trace, None, stretch)
        assert off(np.asarray(e.act(y[:, 0], times), dtype=float), expected) < tolerance
        np.testing.assert_allclose(np.asarray(e.square(3), dtype=float), expm(a * e.step * 8), rtol=0, atol=1e-13 * float(np.abs(expm(a * e.step * 8)).max()))
        assert off(Flow(a, trace, None, stretch).along(np.eye(d), y[:, 0], times), expected) < tolerance


# ---- steps -----------------------------------------------------------------------------------------------------------------------------------------------


def driven_case(kind: str, of: str, seed: int = 0, pieces: int = 3) -> tuple:
    """(matrices, gains of each, polynomials, lengths, trace): a constant part and two envelopes, one of them negative at times where that is allowed."""
    axes = REGISTERS[of][1]
    rng = np.random.default_rng([seed, 11, axes])
    parts = [SYSTEMS[kind](rng, 5, axes) for _ in range(3)]
    polynomials = [rng.uniform(0.1, 1.0, (pieces, 6)) for _ in range(2)]
    if kind != "positive":
        polynomials[1] -= 0.6
    return [p[0] for p in parts], [p[1] for p in parts], polynomials, rng.uniform(0.2, 1.5, pieces), parts[0][2]


def through(case: tuple, register: Register, x: np.ndarray, stretch: float = 1.0, begin: float | None = None, end: float | None = None) -> np.ndarray:
    matrices, gains, polynomials, lengths, trace = case
    if end is not None:
        lengths, polynomials = part_of(lengths, polynomials, begin or 0.0, end)
    terms = [Driven(m, tuple(g), p) for m, g, p in zip(matrices[1:], gains[1:], polynomials, strict=True)]
    return drive_through(matrices[0], gains[0], terms, lengths, register, x, trace, stretch)


@pytest.mark.parametrize("of", REGISTERS)
@pytest.mark.parametrize("kind", SYSTEMS)
def test_shorter_steps_change_nothing(kind: str, of: str) -> None:
    """Terms are summed to round-off, so the result knows no step: 2, 4 and 8 times shorter ones agree."""
    register, _ = REGISTERS[of]
    x = start(np.random.default_rng(1), 5, 2, register, kind)
    case = driven_case(kind, of)
    case = (*case[:3], case[3] / 10, case[4])  # few steps, so that rounding does not add up
    whole = through(case, register, x)
    for stretch in (0.5, 0.25, 0.125):
        assert off(through(case, register, x, stretch), whole) < 1e-13


@pytest.mark.usefixtures("_sixty_digits")
@pytest.mark.parametrize("of", REGISTERS)
@pytest.mark.parametrize("kind", SYSTEMS)
def test_driven_steps_agree_with_a_product_of_exponentials(kind: str, of: str) -> None:
    """A fourth-order Magnus product over 2^k steps in 60 digits, extrapolated: no power series in time."""
    register = REGISTERS[of][0]
    matrices, gains, polynomials, lengths, trace = driven_case(kind, of, 3, 1)
    polynomials, lengths = [p[:, :3] for p in polynomials], lengths / 100
    x = start(np.random.default_rng(2), 5, 1, register, kind)
    n = register.size * 5
    big = [arb_mat(n, n, [arb(float(v)) for v in lifted(m, g, register).ravel()]) for m, g in zip(matrices, gains, strict=True)]

    def at(s: arb) -> arb_mat:
        return big[0] + sum(
            (b * sum((arb(float(c)) * s**k for k, c in enumerate(p[0])), arb(0)) for b, p in zip(big[1:], polynomials, strict=True)), arb_mat(n, n)
        )

    def product(steps: int) -> arb_mat:
        h, root = arb(1) / steps, arb(3).sqrt() / 6
        y = arb_mat(n, 1, [arb(float(v)) for v in x.transpose(2, 0, 1).ravel()])
        for k in range(steps):
            one, two = at(h * (k + arb("0.5") - root)), at(h * (k + arb("0.5") + root))
            scale = h * arb(float(lengths[0]))
            y = (((one + two) * (scale / 2) + (two * one - one * two) * (scale * scale * arb(3).sqrt() / 12)).exp() * y).mid()
        return y

    rows = [product(k) for k in (2, 4, 8, 16)]
    for order in (4, 6, 8):
        rows = [(fine * arb(2) ** order - coarse) * (arb(1) / (arb(2) ** order - 1)) for coarse, fine in pairwise(rows)]
    expected = np.array([float(v.mid()) for v in rows[0].entries()]).reshape(register.size, 5, 1).transpose(1, 2, 0)
    found = drive_through(
        matrices[0], gains[0], [Driven(m, tuple(g), p) for m, g, p in zip(matrices[1:], gains[1:], polynomials, strict=True)], lengths, register, x, trace
    )
    assert off(found, expected) < 1e-12


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_driven_stretch_can_be_cut_anywhere(kind: str) -> None:
    register, _ = REGISTERS["numbers"]
    x = start(np.random.default_rng(3), 5, 2, register, kind)
    case = driven_case(kind, "numbers", 4)
    total = float(case[3].sum())
    for share in (1e-6, 0.2, 0.61, 0.999):
        halves = through(case, register, through(case, register, x, end=share * total), begin=share * total, end=total)
        assert off(halves, through(case, register, x)) < 1e-13


SHAPES: dict[str, Pulse] = {
    "gaussian": Gaussian(fwhm_ns=0.3, detuning_ueV=2.0, chirp_per_ns2=30.0, phase_pi=0.4),
    "sech": Sech(fwhm_ns=0.3, detuning_ueV=-1.0, chirp_per_ns2=10.0),
    "square": Square(duration_ns=0.8, detuning_ueV=3.0, chirp_per_ns2=20.0),
}


@pytest.mark.parametrize("order", [4, 6])
@pytest.mark.parametrize("kind", ["intensity", "field", "two_photon"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_envelope_cut_at_a_power_is_wrong_by_the_next_power_of_the_step(shape: str, kind: str, order: int) -> None:
    """Against the formula of the envelope in closed form; the slope of error against step is order + 1."""
    pulse = SHAPES[shape]
    if kind == "intensity" and shape == "square":
        pytest.skip("constant: no error at any order")
    where = 0.465 * pulse.length_ns  # beside the centre, where no coefficient vanishes

    def formula(t: float) -> complex:
        u = t - pulse.length_ns / 2
        width = {"gaussian": lambda: math.exp(-0.5 * (u / pulse.sigma_ns) ** 2), "sech": lambda: 1 / math.cosh(u / pulse.width_ns), "square": lambda: 1.0}[
            shape
        ]()
        turns = {"intensity": 0, "field": 1, "two_photon": 2}[kind]
        phase = pulse.detuning_ueV / HBAR * t + 0.5 * pulse.chirp_per_ns2 * u * u + math.pi * pulse.phase_pi
        return width ** (1 if kind == "field" else 2) * np.exp(-1j * turns * phase)

    steps = pulse.longest_step_ns * np.array([1.0, 0.5])
    wrong = [abs(pulse.series(kind, np.array([where]), h, order)[0].sum() - formula(where + h)) for h in steps]
    assert min(wrong) > 1e-13
    assert math.log2(wrong[0] / wrong[1]) == pytest.approx(order + 1, abs=0.5)
    assert abs(pulse.series(kind, np.array([where]), steps[0], 32)[0].sum() - formula(where + steps[0])) < 1e-14


# ---- compiled and pure --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("of", REGISTERS)
@pytest.mark.parametrize("kind", SYSTEMS)
def test_the_compiled_and_the_pure_road_give_the_same_digits(kind: str, of: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_compiled():
        pytest.skip("the compiled kernel was not built")
    register, _ = REGISTERS[of]
    x = start(np.random.default_rng([4, n]), 5, n, register, kind)
    cases = [driven_case(kind, of, seed) for seed in range(3)]
    cases = [(*case[:3], case[3] / 20, case[4]) for case in cases]  # few steps, so that rounding does not add up
    compiled = [through(case, register, x) for case in cases]
    monkeypatch.setattr(kernel, "library", lambda: None)
    assert not is_compiled()
    for case, fast in zip(cases, compiled, strict=True):
        assert off(fast, through(case, register, x)) < 1e-14


def test_results_do_not_depend_on_the_road(monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_compiled():
        pytest.skip("the compiled kernel was not built")
    pulse = Gaussian(fwhm_ns=0.05, area_pi=2.3, detuning_ueV=4.0, chirp_per_ns2=30.0)
    fast = qdot.Experiment(coherent(), drive=pulse).photon_numbers("x", max=6)
    monkeypatch.setattr(kernel, "library", lambda: None)
    slow = qdot.Experiment(coherent(), drive=pulse).photon_numbers("x", max=6)
    np.testing.assert_allclose(slow.probabilities, fast.probabilities, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose([slow.mean_photons, slow.g2_zero, slow.g3_zero], [fast.mean_photons, fast.g2_zero, fast.g3_zero], rtol=1e-13)


@pytest.mark.parametrize("pure", [False, True])
def test_too_long_a_stretch_is_told_on_both_roads(pure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if pure:
        monkeypatch.setattr(kernel, "library", lambda: None)
    monkeypatch.setattr(TooManySteps, "LIMIT", 100)
    a, _, trace = positive_system(np.random.default_rng(0), 3, 0)
    with pytest.raises(TooManySteps):
        drive_through(a, [], [], np.array([1e4]), nothing_counted(), np.ones((3, 1, 1)), trace)


@pytest.mark.parametrize("pure", [False, True])
def test_a_leftover_of_a_piece_does_not_shorten_the_steps_after_it(pure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch cut within round-off of the end of a piece: the few steps of the whole one do for the rest."""
    if pure:
        monkeypatch.setattr(kernel, "library", lambda: None)
    case, register = driven_case("turning", "numbers"), REGISTERS["numbers"][0]
    x = start(np.random.default_rng(1), 5, 2, register, "turning")
    border, end = float(case[3][0]), float(case[3].sum())
    whole = through(case, register, x, begin=border, end=end)
    monkeypatch.setattr(TooManySteps, "LIMIT", 500)
    for before in (border - np.spacing(border), border * (1 - 1e-13)):
        assert off(through(case, register, x, begin=float(before), end=end), whole) < 1e-11


# ---- the algebra of registers -------------------------------------------------------------------------------------------------------------------------

ALGEBRAS = {
    **{k: v[0] for k, v in REGISTERS.items()},
    "large numbers": numbers(12, 3),
    "large joint numbers": joint_numbers((3, 4)),
    "large powers": powers((3, 2, 1)),
}


@pytest.mark.parametrize("of", ALGEBRAS)
def test_a_product_takes_an_empty_register_to_its_state(of: str) -> None:
    register = ALGEBRAS[of]
    np.testing.assert_array_equal(register.products[:, 0], np.eye(register.size))


@pytest.mark.parametrize("of", ALGEBRAS)
def test_products_follow_from_the_advance(of: str) -> None:
    """products[b] N = sum_c N[b, c] products[c]; products commute; two of them multiply like the states they lead to."""
    r = ALGEBRAS[of]
    for step in r.advance:
        np.testing.assert_array_equal(r.products @ step, np.tensordot(step, r.products, axes=1))
        np.testing.assert_array_equal(r.products @ step, step @ r.products)
    twice = np.einsum("bij,cjk->bcik", r.products, r.products)
    np.testing.assert_array_equal(twice, twice.swapaxes(0, 1))
    np.testing.assert_array_equal(twice, np.einsum("bci,ijk->bcjk", twice[:, :, 0], r.products))


@pytest.mark.parametrize("of", ALGEBRAS)
def test_an_event_keeps_the_weight(of: str) -> None:
    r = ALGEBRAS[of]
    assert np.all(r.advance >= 0.0)
    for step in r.advance:
        np.testing.assert_array_equal(step @ r.weight, r.weight)


def poisson(mean: float, top: int) -> np.ndarray:
    return np.array([math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(top + 1)])


@pytest.mark.parametrize("mean", [1e-3, 0.4, 7.0])
@pytest.mark.parametrize("top", [0, 2, 9, 20])
@pytest.mark.parametrize("road", ["carry", "steps", "squaring"])
def test_a_poisson_process_has_its_numbers_and_its_moments(road: str, top: int, mean: float) -> None:
    """One entry that events leave as it is: P(n) = mean^n e^-mean / n!, <n!/(n-k)!> = mean^k, whatever is told apart."""
    register, time, rate, one = numbers(top, 3), 2.0, np.array([[mean / 2.0]]), np.ones(1)
    x = register.start(np.ones((1, 1)))
    if road == "squaring":
        y = _squared(-rate, [rate], register, time, x, one, True, 1.0)
    elif road == "steps":
        y = drive_through(-rate, [rate], [], np.array([time]), register, x, one)
    else:
        y = carry(-rate, [rate], register, time, x, one)
    many = poisson(mean, 80)
    np.testing.assert_allclose(y[0, 0, : top + 1], many[: top + 1], rtol=1e-12, atol=1e-24)
    beyond = [sum(math.comb(n - top - 1, k) * many[n] for n in range(top + 1, 81)) for k in range(4)]
    np.testing.assert_allclose(y[0, 0, top + 1 :], beyond, rtol=1e-12, atol=1e-24)
    exact = [mean**k / math.factorial(k) for k in range(4)]
    np.testing.assert_allclose(register.moments_of(y[:, 0], 3)[:, 0], exact, rtol=1e-12)
    listed = np.array([[math.comb(n, k) for n in range(81)] for k in range(4)]) @ many
    np.testing.assert_allclose(register.moments_of(y[:, 0], 3)[:, 0], listed, rtol=1e-12)
    sums = carry(-rate, [rate], powers((3,)), time, powers((3,)).start(np.ones((1, 1))), one)[0, 0]
    np.testing.assert_allclose(sums, exact, rtol=1e-12)


@pytest.mark.parametrize("time", [0.2, 3.0])
def test_two_poisson_processes_are_independent(time: float) -> None:
    a, b, one = np.array([[0.7]]), np.array([[1.9]]), np.ones(1)
    register = joint_numbers((4, 3))
    x = carry(-a - b, [a, b], register, time, register.start(np.ones((1, 1))), one)[0, 0]
    np.testing.assert_allclose(x[:-1].reshape(5, 4), np.outer(poisson(0.7 * time, 4), poisson(1.9 * time, 3)), rtol=1e-12)
    assert x.sum() == pytest.approx(1.0, rel=1e-14)
    moments = carry(-a - b, [a, b], powers((2, 2)), time, powers((2, 2)).start(np.ones((1, 1))), one)[0, 0].reshape(3, 3)
    np.testing.assert_allclose(moments, np.outer(*([m**k / math.factorial(k) for k in range(3)] for m in (0.7 * time, 1.9 * time))), rtol=1e-12)


def test_a_two_level_cycle_counts_as_a_renewal_process() -> None:
    """Pump p, decay r: the waiting time of photon n is a sum of n exponentials of each; for p = r, P(n) sums two Poisson terms."""
    rate, time = 1.3, 4.0
    a = np.array([[-rate, 0.0], [rate, -rate]])
    gain = np.array([[0.0, rate], [0.0, 0.0]])
    register = numbers(6, 3)
    x = carry(a, [gain], register, time, register.start(np.eye(2)[:, :1]), np.ones(2))[:, 0].sum(axis=0)
    steps = poisson(rate * time, 60)
    np.testing.assert_allclose(x[:7], [steps[2 * n] + steps[2 * n + 1] for n in range(7)], rtol=1e-12)
    full = np.array([steps[2 * n] + steps[2 * n + 1] for n in range(30)])
    moments = register.moments_of(carry(a, [gain], register, time, register.start(np.eye(2)[:, :1]), np.ones(2))[:, 0], 3).sum(axis=1)
    np.testing.assert_allclose(moments, [sum(math.comb(n, k) * p for n, p in enumerate(full)) for k in range(4)], rtol=1e-12)


# ---- pulses that come late ------------------------------------------------------------------------------------------------------------------------------


def pumped(decay: float = 1.0) -> Model:
    """Rate equations: a pump into XX and one across, a cascade of one label."""
    jumps = (
        Jump.of("G", "XX", 60.0, drive="laser"),
        Jump.of("G", "X", 25.0, "x", drive="laser"),
        Jump.of("XX", "X", 2.0 * decay, "x"),
        Jump.of("X", "G", decay, "x"),
    )
    return Model(levels=("G", "X", "XX"), jumps=jumps)


def coherent(decay: float = 1.0) -> Model:
    """Driven ladder with dephasing and a collective decay."""
    jumps = (Jump((("XX", "X"), ("X", "G")), (2.0 * decay, decay), "x"), Jump.of("XX", "G", 0.3 * decay, "x"))
    couplings = (Coupling(("G", "X"), 1.0, "laser"), Coupling(("X", "XX"), 1.3, "laser"))
    return Model(levels=("G", "X", "XX"), energies_ueV={"X": 0.8, "XX": -1.1}, jumps=jumps, couplings=couplings, dephasings=(Dephasing("X", 0.3 * decay),))


def shapes(length: float, **entries: float) -> dict[str, Pulse]:
    """Pulses of one length from first to last light."""
    samples = (0.0, 0.1, 0.35, 0.6, 1.0)
    return {
        "gaussian": Gaussian(fwhm_ns=length / 16 * 2 * math.sqrt(math.log(2.0)), **entries),
        "square": Square(duration_ns=length, **entries),
        "sech": Sech(fwhm_ns=length / 72 * 2 * math.acosh(math.sqrt(2.0)), **entries),
        "measured": Measured(times_ns=tuple(length * s for s in samples), intensity=(0.0, 0.7, 1.0, 0.2, 0.0), **entries),
    }


def figures(n: qdot.results.PhotonNumbers) -> list[float]:
    return [*n.probabilities, n.mean_photons, n.g2_zero, n.g3_zero]


@pytest.mark.parametrize("shape", shapes(1.0))
@pytest.mark.parametrize("kind", ["incoherent", "coherent"])
def test_a_pulse_late_by_ten_thousand_of_its_lengths_is_found(kind: str, shape: str) -> None:
    """From the ground state nothing happens before; a detuned, chirped pulse only meets another overall phase."""
    length = 0.04
    light: dict[str, float] = {} if kind == "incoherent" else {"area_pi": 1.7, "detuning_ueV": 12.0, "chirp_per_ns2": 800.0}
    model = pumped() if kind == "incoherent" else coherent()
    early, late = (qdot.Experiment(model, drive=shapes(length, start_ns=t, **light)[shape]).photon_numbers("x", max=4) for t in (0.0, 1e4 * length))
    assert early.mean_photons > 0.05
    np.testing.assert_allclose(figures(late), figures(early), rtol=1e-12)


@pytest.mark.parametrize("shape", shapes(1.0))
@pytest.mark.parametrize("kind", ["incoherent", "coherent"])
def test_a_short_pulse_late_in_the_period_of_a_train_is_found(kind: str, shape: str) -> None:
    """The pulse is 1e-4 of the period long; a source that forgets before the period ends counts as after a single pulse."""
    period, length, decay = 12.0, 12e-4, 80.0
    light: dict[str, float] = {} if kind == "incoherent" else {"area_pi": 1.7, "detuning_ueV": 200.0}
    model = pumped(decay) if kind == "incoherent" else coherent(decay)
    late = qdot.Experiment(model, drive=shapes(length, start_ns=0.91 * period, period_ns=period, **light)[shape]).photon_numbers("x", max=4)
    alone = qdot.Experiment(model, drive=shapes(length, **light)[shape]).photon_numbers("x", max=4)
    assert late.mean_photons > 1e-3
    np.testing.assert_allclose(figures(late), figures(alone), rtol=1e-12, atol=1e-30)


@pytest.mark.parametrize("shape", shapes(1.0))
@pytest.mark.parametrize("kind", ["incoherent", "coherent"])
def test_the_mean_of_a_train_with_memory_does_not_know_where_its_period_begins(kind: str, shape: str) -> None:
    period = 3.0
    light: dict[str, float] = {} if kind == "incoherent" else {"area_pi": 1.7}
    model = pumped(0.05) if kind == "incoherent" else coherent(0.05)
    means = [
        float(qdot.Experiment(model, drive=shapes(3e-4, start_ns=t, period_ns=period, **light)[shape]).flux_per_ns("x")) * period
        for t in (0.0, 1.37, 2.99, 2.9998)
    ]  # the last one reaches into the next period
    assert means[0] > 1e-3
    np.testing.assert_allclose(means[1:], means[0], rtol=1e-12)


# ---- moments and the largest photon number ---------------------------------------------------------------------------------------------------------

LIGHTS: dict[str, Callable[[float | None], Drive]] = {
    "gaussian": lambda period: Gaussian(fwhm_ns=0.3, period_ns=period),
    "square": lambda period: Square(duration_ns=2.0, period_ns=period),
    "instant": lambda period: Instant(dose_ns=0.05, period_ns=period),
}


@pytest.mark.parametrize("period", [None, 6.0])
@pytest.mark.parametrize("drive", LIGHTS)
@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_moments_do_not_know_the_largest_number_asked_for(picture: str, drive: str, period: float | None) -> None:
    """Many photons come from one pulse, so that P(n > 3) is not small; thinned light, too."""
    exp = qdot.Experiment(pumped(3.0), drive=LIGHTS[drive](period), collection={"x": 0.8}, picture=picture)  # type: ignore[arg-type]
    found = {top: exp.photon_numbers("x", max=top) for top in (1, 2, 3, 5, 9, 14, 20)}
    last = found[20]
    for top, n in found.items():
        np.testing.assert_allclose([n.mean_photons, n.g2_zero, n.g3_zero], [last.mean_photons, last.g2_zero, last.g3_zero], rtol=1e-13, err_msg=str(top))
        np.testing.assert_allclose(n.probabilities, last.probabilities[: top + 1], rtol=1e-13, err_msg=str(top))
    n = np.arange(21)
    if last.probabilities[-1] < 1e-18:
        np.testing.assert_allclose(n @ last.probabilities, last.mean_photons, rtol=1e-12)


@pytest.mark.parametrize("period", [None, 6.0])
def test_moments_under_a_coherent_drive_do_not_know_the_largest_number_asked_for(period: float | None) -> None:
    exp = qdot.Experiment(coherent(), drive=Square(duration_ns=3.0, period_ns=period, area_pi=6.0, detuning_ueV=1.0))
    found = {top: exp.photon_numbers("x", max=top) for top in (1, 2, 3, 7, 20)}
    last = found[20]
    for top, n in found.items():
        np.testing.assert_allclose([n.mean_photons, n.g2_zero, n.g3_zero], [last.mean_photons, last.g2_zero, last.g3_zero], rtol=1e-13, err_msg=str(top))
    np.testing.assert_allclose(found[3].probabilities, last.probabilities[:4], rtol=1e-13)


# ---- photons that need many events ------------------------------------------------------------------------------------------------------------------------


def chain(levels: int, drive: Pulse, rtol: float = 1e-9) -> qdot.results.PhotonNumbers:
    """All jumps but the last are driven at 1/ns, the last emits: k photons from one pulse need at least k times as many jumps as there are levels, less one."""
    names = tuple(f"L{i}" for i in range(levels))
    jumps = [Jump.of(a, b, 1.0, drive="laser") for a, b in pairwise(names)] + [Jump.of(names[-1], names[0], 1.0, "x")]
    return qdot.Experiment(Model(levels=names, jumps=tuple(jumps)), drive=drive, rtol=rtol).photon_numbers("x", max=3)


def exact_chain(levels: int, length: float) -> tuple[float, float]:
    names = [f"L{i}" for i in range(levels)]
    text = f'picture = "rate"\nlevels = {toml(names)}\n'
    text += "".join(table("jump", from_=a, to=b, rate_per_ns=1.0, drive="laser") for a, b in pairwise(names))
    text += table("jump", from_=names[-1], to=names[0], rate_per_ns=1.0, photon="x") + table("drive", name="laser", shape="square", duration_ns=length)
    found = answer(text + '[compute]\nphoton_numbers = { max = 3, label = "x" }\n', 200)
    return found["g2_zero"], found["g3_zero"]


def holds(n: qdot.results.PhotonNumbers, exact: tuple[float, float]) -> bool:
    pairs = ((n.g2_zero, exact[0], n.errors["g2_zero"]), (n.g3_zero, exact[1], n.errors["g3_zero"]))
    return all(abs(a - b) <= error * max(b, 1e-12) for a, b, error in pairs)


@pytest.mark.parametrize(("levels", "length"), [(3, 0.1), (3, 1.0), (4, 1.0), (5, 2.0), (6, 3.0)])
def test_photons_at_the_end_of_a_chain(levels: int, length: float) -> None:
    assert holds(chain(levels, Square(duration_ns=length)), exact_chain(levels, length))


@pytest.mark.parametrize(("levels", "length", "shape"), [(5, 0.1, "measured"), (6, 0.02, "measured"), (8, 0.05, "measured")])
def test_rare_photons_at_the_end_of_a_chain_under_a_short_pulse(levels: int, length: float, shape: str) -> None:
    assert holds(chain(levels, Measured(times_ns=(0.0, length / 2, length), intensity=(1.0, 1.0, 1.0)), rtol=0.9), exact_chain(levels, length))


SHORT = [(4, 0.003), (5, 0.003), (5, 0.1), (5, 0.3), (6, 0.02), (8, 0.05)]


@pytest.mark.parametrize(("levels", "length"), SHORT)
def test_rare_photons_at_the_end_of_a_chain_under_a_short_square_pulse(levels: int, length: float) -> None:
    assert holds(chain(levels, Square(duration_ns=length)), exact_chain(levels, length))


@pytest.mark.parametrize(("levels", "length"), SHORT)
def test_rare_photons_at_the_end_of_a_chain_by_the_pure_road(levels: int, length: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "library", lambda: None)
    assert holds(chain(levels, Square(duration_ns=length)), exact_chain(levels, length))


# ---- cut-offs ---------------------------------------------------------------------------------------------------------------------------------------------


def by_cutting(value: Callable[[int], float], fock: int) -> tuple[float, float]:
    """(bound from a cut, true error) of a made-up quantity of the cut-off, by what the package does with its calculations."""
    given = np.array([value(fock)])
    runs = Repeats(given, given, tuple(np.array([value(fock - k)]) for k in (1, 2, 3)), lambda: np.array([value(fock + max(2, fock // 3))]))
    numeric, cut = errors(runs, lambda error: True)
    assert numeric[0] == 0.0
    return float(cut[0]), abs(value(400) - value(fock))


def test_a_stated_error_is_ten_times_what_a_repeated_calculation_moves_and_more() -> None:
    """Two calculations may share most of their error: their difference alone bounds nothing."""
    given, moved = np.array([1.0, 2.0, -3.0]), np.array([1.0 + 1e-12, 2.0, -3.0 - 2e-13])
    numeric, cut = errors(Repeats(given, moved), lambda error: True)
    assert np.all(numeric >= 10.0 * np.abs(moved - given))
    assert not cut.any()


SEQUENCES: dict[str, Callable[[int], float]] = {
    "falling to a tenth": lambda f: 1.0 - 0.1**f,
    "falling to 0.3": lambda f: 1.0 - 0.3**f,
    "falling to 0.49": lambda f: 1.0 - 0.49**f,
    "falling to 0.6": lambda f: 1.0 - 0.6**f,
    "alternating, 0.3": lambda f: 1.0 - (-0.3) ** f,
    "alternating, 0.6": lambda f: 1.0 - (-0.6) ** f,
    "by twos, 0.3": lambda f: 1.0 - 0.3 ** (f // 2 * 2),
    "by twos, 0.49": lambda f: 1.0 - 0.49 ** (f // 2 * 2),
    "faster and faster": lambda f: 1.0 - 0.5 ** (f * f / 4),
    "never cut": lambda f: 1.0,
}


@pytest.mark.parametrize("fock", range(5, 13))
@pytest.mark.parametrize("name", SEQUENCES)
def test_the_error_of_a_cut_off_is_bounded(name: str, fock: int) -> None:
    bound, true = by_cutting(SEQUENCES[name], fock)
    assert bound >= true - 4 * EPS


@pytest.mark.parametrize(
    ("value", "fock"),
    [
        (lambda f: 1.0 - 0.3 ** (f // 3 * 3), 5),  # nothing changes from 3 to 5, then by threes
        (lambda f: 1.0 - 0.01**f - 1e-9 * 0.6**f, 6),  # fast, then slow
        (lambda f: sum(change for k, change in ((5, 1e-2), (6, 1e-4), (7, 1e-11), (8, 1e-8)) if f >= k), 7),  # the last change happens to be small
    ],
)
def test_the_error_of_a_cut_off_that_falls_unevenly_is_bounded(value: Callable[[int], float], fock: int) -> None:
    bound, true = by_cutting(value, fock)
    assert bound >= true - 4 * EPS


def cavity(fock: int, p: dict) -> Model:
    """Two or three levels in a cavity, driven, dephased and pumped."""
    levels, steps = (("G", "X"), (("X", "G"),)) if len(p["g"]) == 1 else (("G", "X", "XX"), (("XX", "X"), ("X", "G")))
    jumps = [Jump.of("X", "G", p["side"], "side")]
    if len(levels) == 3:
        jumps.append(Jump.of("XX", "X", p["side_XX"], "side"))
    if p.get("pump"):
        jumps.append(Jump.of("G", levels[-1], p["pump"]))
    return Model(
        levels=levels,
        energies_ueV={"X": p["shift"] * HBAR},
        jumps=tuple(jumps),
        couplings=(Coupling(("G", levels[-1]), p["rabi"], "laser"),),
        dephasings=(Dephasing("X", p["dephasing"]),),
        cavities=(Cavity("H", fock, p["kappa"], p["g"], steps, p["detuning"] * HBAR, "mode"),),
    )


def look(fock: int, p: dict, rtol: float) -> dict[str, tuple[np.ndarray, float]]:
    """{quantity: (values, stated bound)} under continuous light."""
    exp = qdot.Experiment(cavity(fock, p), drive=CW(), rtol=rtol)
    mode, side, there, twice = exp.flux_per_ns("mode"), exp.flux_per_ns("side"), exp.populations(), exp.g2_zero("mode")
    found = {"mode": (mode, mode.error_bound), "side": (side, side.error_bound), "g2": (twice, twice.error_bound)}
    return {
        **{k: (np.array([float(v)]), e) for k, (v, e) in found.items()},
        "populations": (np.array([float(v) for v in there.values()]), there["G"].error_bound),
    }


def compare(fock: int, p: dict, higher: int = 6) -> dict[str, tuple[float, float]]:
    """{quantity: (true error, stated bound)}, with whatever bound is stated."""
    given, better = look(fock, p, 0.5), look(fock + higher, p, 1e9)
    return {k: (float(np.max(np.abs(v - better[k][0]) / np.maximum(np.abs(better[k][0]), 1e-12))), e) for k, (v, e) in given.items()}


CAVITIES: dict[str, dict] = {
    "weakly driven": {"g": (3.0,), "kappa": 6.0, "side": 0.5, "rabi": 0.8, "dephasing": 0.2, "shift": 0.5, "detuning": -1.0},
    "slowly falling": {"g": (2.5,), "kappa": 1.5, "side": 0.3, "rabi": 1.5, "dephasing": 0.4, "shift": 0.0, "detuning": 0.0, "pump": 1.0},
    "cascade": {"g": (2.0, 3.0), "kappa": 4.0, "side": 0.4, "side_XX": 0.7, "rabi": 1.0, "dephasing": 0.3, "shift": 2.0, "detuning": 0.5},
    "two-photon steps": {"g": (4.0, 4.0), "kappa": 6.0, "side": 0.3, "side_XX": 0.5, "rabi": 0.8, "dephasing": 0.2, "shift": 20.0, "detuning": 0.0},
}


@pytest.mark.parametrize(("name", "fock"), [("weakly driven", 5), ("weakly driven", 8), ("slowly falling", 8), ("slowly falling", 11)]
    + [(name, fock) for name in ("cascade", "two-photon steps") for fock in (4, 5, 6, 7)])  # fmt: skip
def test_more_number_states_change_less_than_the_stated_error(name: str, fock: int) -> None:
    """From lower cut-offs where the reduced system is large, from a higher one elsewhere."""
    found = compare(fock, CAVITIES[name])
    assert all(true <= bound for true, bound in found.values()), found


UNEVEN: dict[str, tuple[dict, int, float]] = {
    "two-photon resonance": (
        {"g": (7.69, 0.867), "kappa": 1.04, "side": 0.3866, "side_XX": 0.5939, "rabi": 0.5371, "dephasing": 0.27, "shift": 28.0, "detuning": 0.7955},
        7,
        1e-9,
    ),
    "sign change": ({"g": (2.289,), "kappa": 1.0426, "side": 0.3461, "rabi": 7.379, "dephasing": 0.1847, "shift": -0.9933, "detuning": -2.298}, 11, 1e-8),
}


@pytest.mark.parametrize("name", UNEVEN)
def test_an_error_that_changes_sign_with_the_number_states_is_bounded(name: str) -> None:
    p, fock, rtol = UNEVEN[name]
    label = "mode" if name == "two-photon resonance" else "side"
    better = qdot.Experiment(cavity(fock + 6, p), drive=CW()).flux_per_ns(label)
    bound = 0.0
    with contextlib.suppress(InputError):  # refused rather than understated
        given = qdot.Experiment(cavity(fock, p), drive=CW(), rtol=rtol).flux_per_ns(label)
        bound = given.error_bound
    assert bound == 0.0 or abs(given / better - 1.0) <= bound


@pytest.mark.parametrize(("name", "fock"), [("slowly falling", 5), ("slowly falling", 8), ("cascade", 4), ("cascade", 5), ("two-photon steps", 5)])
def test_a_cavity_with_too_few_number_states_is_named(name: str, fock: int) -> None:
    with pytest.raises(InputError, match="cavity fock.*'H': " + str(fock)):
        qdot.Experiment(cavity(fock, CAVITIES[name]), drive=CW()).flux_per_ns("mode")


@pytest.mark.parametrize(("name", "fock"), [("weakly driven", 8), ("cascade", 5), ("two-photon steps", 6)])
def test_more_number_states_change_less_than_the_stated_error_under_a_pulse(name: str, fock: int) -> None:
    drive = Square(duration_ns=0.6)
    given, better = (qdot.Experiment(cavity(f, CAVITIES[name]), drive=drive, rtol=r).photon_numbers("mode", max=3) for f, r in ((fock, 0.5), (fock + 3, 1e9)))
    for key, a, b in (
        ("photon_numbers", given.probabilities, better.probabilities),
        ("mean_photons", given.mean_photons, better.mean_photons),
        ("g2_zero", given.g2_zero, better.g2_zero),
    ):
        true = float(np.max(np.abs(np.asarray(a) - b) / np.abs(b)))
        assert true <= given.errors[key], key


def test_a_long_stiff_coherent_stretch_keeps_the_whole_probability() -> None:
    """Rabi frequency 333 beside a leak of 1e-7 over 1e5 ns: double precision alone loses more; coherences with the shelf stand apart."""
    jumps = (Jump.of("X", "G", 1.0 / 3.0, "x"), Jump.of("X", "S", 1e-7), Jump.of("S", "G", 1e-6 / 3.0))
    g = lindblad(Model(("G", "X", "S"), jumps=jumps, couplings=(Coupling(("G", "X"), 1000.0 / 3.0),)))
    light = next(iter(g.jumps.values()))
    register = numbers(2, 1)
    after = carry(g.silent, [light], register, 1e5, register.start(g.start[:, None]), g.trace)
    assert abs(g.trace @ after[:, 0] @ register.weight - 1.0) < 2e-11
