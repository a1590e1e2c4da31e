"""Random scenarios: what the package prints lies within the error it states of what an independent program computes in 50 or 80 digits.

The scenarios come from `independent.dice`: two to six levels, incoherent and coherent couplings, collective jumps, dephasing, up to nine decades of
rates, random labels, collection and start, continuous light, square, Gaussian and instant pulses with detuning, chirp and phase, trains, cavities.
"""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from independent import answer
from independent.dice import KINDS, table

from qdot import InputError, scenario

ATOL = 1e-12
ROUNDING = 2.3e-16
"""What the reference's last rounding to double precision can add."""

QUICK = [
    *(("rate_continuous", s) for s in range(6)),
    *(("rate_stiff", s) for s in range(8)),
    *(("coherent_continuous", s) for s in range(6)),
    *(("coherent_stiff", s) for s in range(4)),
    *(("rate_pulse", s) for s in range(2)),
    *(("rate_pulse_stiff", s) for s in range(6)),
    *(("rate_train", s) for s in range(1)),
    *(("rate_train_stiff", s) for s in range(3)),
    *(("rate_joint", s) for s in range(1)),
    *(("coherent_pulse", s) for s in range(4)),
    *(("coherent_shaped", s) for s in range(2)),
    *(("coherent_train", s) for s in range(3)),
    *(("coherent_joint", s) for s in range(1)),
    *(("cavity_decay", s) for s in (1, 4)),
    *(("cavity_pulse", s) for s in range(2)),
    *(("cavity_continuous", s) for s in range(1)),
]
COSTLY = {
    "rate_train": 12,
    "coherent_shaped": 12,
    "coherent_shaped_larger": 4,
    "coherent_train_shaped": 6,
    "cavity_decay": 5,
    "cavity_pulse": 6,
    "cavity_continuous": 8,
}
"""How many of the kinds that take the reference many seconds."""
SLOW = [(kind, seed) for kind in KINDS for seed in range(100, 100 + COSTLY.get(kind, 30))]


def text_of(kind: str, seed: int) -> str:
    return KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind)]))


def digits_of(kind: str) -> int:
    """Rates over nine decades leave means of 1e-42, whose cube divides the third moment."""
    return 200 if "stiff" in kind and "coherent" not in kind else 50


def flat(v: Any) -> list[float]:
    """All numbers of a result in one order."""
    if isinstance(v, dict):
        return flat(v["value"]) if "value" in v else [x for k in sorted(v) for x in flat(v[k])]
    if isinstance(v, list):
        return [x for w in v for x in flat(w)]
    return [float("nan") if v is None else float(v)]


def bound_of(key: str, errors: dict[str, float]) -> float:
    return max(v for k, v in errors.items() if k == key or k.startswith(key + "["))


def deviations(text: str, reference: dict[str, Any]) -> tuple[dict[str, tuple[float, float]], dict[str, Any]]:
    """{key: (largest |difference| / max(|value|, atol), stated bound)}, and all that was printed."""
    printed, found = scenario.run(scenario.load(text)), {}
    for key, value in reference.items():
        a, b = np.array(flat(printed[key])), np.array(flat(value))
        assert a.shape == b.shape, key
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=key)
        if np.all(np.isnan(b)):
            continue
        found[key] = float(np.max(np.abs(a - b) / np.maximum(np.abs(b), ATOL))), bound_of(key, printed["errors"])
    return found, printed


def check(kind: str, seed: int, picture: str | None = None) -> None:
    """Every number within its stated bound, every bound within the tolerance. A label that stays dark is refused, and nothing else."""
    text, digits = text_of(kind, seed), digits_of(kind)
    reference = answer(text, digits)
    if picture is not None:
        text = text.replace('picture = "rate"', f'picture = "{picture}"')
    if "g2_zero" in reference and abs(reference["mean_photons"]) < 10.0 ** (10 - digits):
        with pytest.raises(InputError, match="emit light"):
            scenario.run(scenario.load(text))
        return
    found, printed = deviations(text, reference)
    broken = {key: pair for key, pair in found.items() if not pair[0] <= pair[1] + ROUNDING}
    assert not broken, f"(deviation, stated bound) {broken}\n{text}"
    asked = tomllib.loads(text)
    for key, (_, bound) in found.items():
        value = np.abs(flat(printed[key]))
        # Lindblad picture: the tolerance applies to the error over the largest value of the curve (of a single figure: over 1 at least)
        top = np.max(value) if len(value) > 1 else max(1.0, float(value[0]))
        room = max(top, ATOL) / max(float(np.min(value)), ATOL) if "lindblad" in (asked["picture"], picture) else 1.0
        assert bound <= asked["compute"].get("rtol", 1e-9) * room, f"{key}: stated bound {bound}\n{text}"


@pytest.mark.parametrize(("kind", "seed"), QUICK)
def test_deviation_from_the_independent_program_is_below_the_stated_bound(kind: str, seed: int) -> None:
    check(kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), SLOW)
def test_deviation_from_the_independent_program_is_below_the_stated_bound_for_many_models(kind: str, seed: int) -> None:
    check(kind, seed)


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS if kind.startswith("rate") and "train" not in kind for seed in (50, 51)])
def test_the_master_equation_of_a_rate_model_stays_within_its_bound(kind: str, seed: int) -> None:
    """The package solves density matrices, the independent program rate equations."""
    check(kind, seed, "lindblad")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS if kind.startswith("rate") for seed in range(60, 70)])
def test_the_master_equation_of_many_rate_models_stays_within_its_bound(kind: str, seed: int) -> None:
    check(kind, seed, "lindblad")


def test_a_train_that_remembers_for_a_thousand_periods() -> None:
    """Benchmark: one sudden pump per period of 12.5 ns on G -> D and D -> XX, a dark exciton that decays in 12 000 ns; P(n) and ten side peaks."""
    jumps = [("G", "D", 0.3, None, "laser"), ("D", "XX", 0.8, None, "laser"), ("XX", "X", 10.0, "pair", None), ("X", "G", 5.0, "pair", None)]
    jumps += [("D", "G", 8e-5, None, None), ("D", "X", 1e-5, None, None)]
    text = 'picture = "rate"\nlevels = ["G", "D", "X", "XX"]\n'
    text += "".join(table("jump", from_=a, to=b, rate_per_ns=r, photon=photon, drive=drive) for a, b, r, photon, drive in jumps)
    text += table("drive", name="laser", shape="instant", dose_ns=1.0, period_ns=12.5)
    text += '[compute]\npopulations = true\nflux = true\nphoton_numbers = { max = 4, label = "pair" }\nside_peaks = 10\n'
    found, printed = deviations(text, answer(text))
    assert all(deviation <= bound + ROUNDING for deviation, bound in found.values()), found
    assert printed["error_bound"] < 1e-9


@pytest.mark.parametrize(("kind", "seed"), [("coherent_continuous", 1), ("rate_train_stiff", 1), ("coherent_pulse", 1), ("rate_joint", 0)])
def test_the_independent_program_has_converged(kind: str, seed: int) -> None:
    """With half as many digits again nothing changes in double precision."""
    text, digits = text_of(kind, seed), digits_of(kind)
    for value, better in zip(flat(answer(text, digits)), flat(answer(text, digits + 30)), strict=True):
        assert value == pytest.approx(better, rel=ROUNDING, abs=1e-26, nan_ok=True)


def test_the_independent_program_knows_resonance_fluorescence() -> None:
    """g2(tau) = 1 - exp(-3 gamma tau/4) (cos(m tau) + 3 gamma/(4 m) sin(m tau)), m^2 = Omega^2 - gamma^2/16.

    Source: Carmichael and Walls, J. Phys. B 9, 1199 (1976).
    """
    gamma, rabi, tau = 2.0, 5.0, [0.0, 0.1, 0.7, 3.0]
    text = f"""
        levels = ["G", "X"]
        jump = [{{ from = "X", to = "G", rate_per_ns = {gamma}, photon = "x" }}]
        coupling = [{{ between = ["G", "X"], rabi_per_ns = {rabi} }}]
        compute.g2 = {{ tau_ns = {tau}, first = "x" }}
    """
    m = np.sqrt(rabi**2 - gamma**2 / 16)
    t = np.array(tau)
    exact = 1 - np.exp(-0.75 * gamma * t) * (np.cos(m * t) + 0.75 * gamma / m * np.sin(m * t))
    np.testing.assert_allclose(answer(text)["g2"][0], exact, rtol=1e-14, atol=1e-15)
