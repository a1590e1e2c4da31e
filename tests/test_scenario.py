"""Scenario files: what a file means, checked against small programs that build their own matrices, and what it refuses.

`Brute` below is the other road: dense operators written out by hand for each example, column-stacked Liouvillians, matrix exponentials and
fixed-step integration. It imports nothing from the package.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from independent import coherence as second_road
from scipy.integrate import solve_ivp
from scipy.linalg import expm, null_space
from scipy.special import erfc

from qdot import InputError, scenario

EXAMPLES = Path(__file__).parent.parent / "examples"
HBAR = 0.6582119569


def result_of(name: str) -> dict[str, Any]:
    return scenario.run(scenario.load(EXAMPLES / f"{name}.toml"))


def close(value: Any, expected: Any, rtol: Any, atol: float = 0.0) -> None:
    """Every entry within rtol of the expected one (a number, or one for each entry), or within atol."""
    value, expected = np.asarray(value, dtype=float), np.asarray(expected, dtype=float)
    assert value.shape == expected.shape
    wrong = np.abs(value - expected) > atol + np.asarray(rtol) * np.abs(expected)
    assert not wrong.any(), f"{value[wrong]} for {expected[wrong]}"


# The other road -------------------------------------------------------------------------------------------------------------------------------------


def ket_bra(n: int, row: int, column: int, value: complex = 1.0) -> np.ndarray:
    m = np.zeros((n, n), dtype=complex)
    m[row, column] = value
    return m


def commutator(h: np.ndarray) -> np.ndarray:
    one = np.eye(len(h))
    return -1j * (np.kron(one, h) - np.kron(h.T, one))


def click(c: np.ndarray) -> np.ndarray:
    return np.kron(c.conj(), c)


def dissipator(c: np.ndarray) -> np.ndarray:
    one, n = np.eye(len(c)), c.conj().T @ c
    return click(c) - 0.5 * (np.kron(one, n) + np.kron(n.T, one))


def trace_row(n: int) -> np.ndarray:
    return np.eye(n).reshape(-1)


def steady(liouvillian: np.ndarray, trace: np.ndarray) -> np.ndarray:
    x = null_space(liouvillian)[:, 0]
    return x / (trace @ x)


def sectors(a: np.ndarray, j: np.ndarray, count: int) -> np.ndarray:
    """The generator on (photons counted so far) x (state): a without the counted jumps on the diagonal, j one sector up."""
    return np.kron(np.eye(count + 1), a - j) + np.kron(np.eye(count + 1, k=-1), j)


def g2_of(liouvillian: np.ndarray, first: np.ndarray, second: np.ndarray, trace: np.ndarray, tau: list[float]) -> np.ndarray:
    x = steady(liouvillian, trace)
    norm = (trace @ first @ x) * (trace @ second @ x)
    return np.array([(trace @ second @ expm(liouvillian * t) @ first @ x / norm).real for t in tau])


def rate_matrix(levels: list[str], jumps: list[tuple[str, str, Any]], zero: Any = 0.0) -> np.ndarray:
    """dp/dt = W p from (from, to, rate); works for floats and for mpmath numbers."""
    index = {name: i for i, name in enumerate(levels)}
    w = np.full((len(levels), len(levels)), zero, dtype=object if zero != 0.0 or not isinstance(zero, float) else float)
    for a, b, r in jumps:
        w[index[b], index[a]] += r
        w[index[a], index[a]] -= r
    return w


def pulse_counts(
    static: np.ndarray, driven: np.ndarray, jump: np.ndarray, start: np.ndarray, envelope: Any, end: float, tail: float, count: int, d: int
) -> np.ndarray:
    """P(0..count): integrate the sectors through the pulse, then one exponential long enough for everything to decay."""
    quiet, loud = sectors(static, jump, count), np.kron(np.eye(count + 1), driven)
    x0 = np.zeros((count + 1) * d * d, dtype=complex)
    x0[: d * d] = start
    pieces = np.linspace(0.0, end, 17)
    for t0, t1 in itertools.pairwise(pieces):
        solved = solve_ivp(lambda t, x: quiet @ x + envelope(t) * (loud @ x), (t0, t1), x0, method="DOP853", rtol=1e-13, atol=1e-18)
        x0 = solved.y[:, -1]
    x0 = expm(quiet * tail) @ x0
    return (x0.reshape(count + 1, d * d) @ trace_row(d)).real


# The examples ---------------------------------------------------------------------------------------------------------------------------------------


def test_every_example_is_tested_here() -> None:
    named = {name.removeprefix("test_example_") for name in globals() if name.startswith("test_example_")}
    assert {path.stem for path in EXAMPLES.glob("*.toml")} == named


ROOT_HALF = math.sqrt(0.5)
JONES = {
    "H": (1, 0),
    "V": (0, 1),
    "D": (ROOT_HALF, ROOT_HALF),
    "A": (ROOT_HALF, -ROOT_HALF),
    "R": (ROOT_HALF, 1j * ROOT_HALF),
    "L": (ROOT_HALF, -1j * ROOT_HALF),
}


def test_example_entangled_pairs() -> None:
    """P(1, 1) in D and R is what the two-photon matrix says, 1/4 (1 + x / (1 + x^2)) with x = S tau / hbar."""
    result = result_of("entangled_pairs")
    x = 2.0 / HBAR
    close(result["photon_numbers"][1][1], 0.25 * (1 + x / (1 + x * x)), 1e-10)
    rho = second_road.pairs_after_preparation(second_road.polarised_cascade(2.0, 1.0, 2.0))
    close(result["photon_numbers"][1][1], second_road.coincidences(rho, JONES["D"], JONES["R"]), 1e-10)
    close(result["mean_photons"], [0.5, 0.5], 1e-10)


def test_example_entangled_state() -> None:
    """The gated density matrix by an independent program, and its coincidences in every setting."""
    found = result_of("entangled_state")["two_photon_state"]
    rho = second_road.pairs_after_preparation(second_road.polarised_cascade(2.0, 1.0, 2.0), 0.0, 0.05)
    pairs = np.trace(rho).real
    close(found["pairs"], pairs, 1e-10)
    close(found["density_matrix"]["real"], rho.real / pairs, 1e-10, atol=1e-12)
    close(found["density_matrix"]["imag"], rho.imag / pairs, 1e-10, atol=1e-12)
    close(found["concurrence"], second_road.concurrence(rho), 1e-8)
    close(found["fidelity"], second_road.bell_fidelity(rho), 1e-10)
    for a, b in itertools.product("HVDARL", repeat=2):
        close(found["coincidences"][a + b], second_road.coincidences(rho, JONES[a], JONES[b]), 1e-9, atol=1e-13)


def test_example_indistinguishable_photons() -> None:
    """M, g2 and the spectrum by collocation of the two-time functions inside the pulse and closed forms after it."""
    result = result_of("indistinguishable_photons")
    sigma = 0.01 / (2 * math.sqrt(math.log(2)))
    source = second_road.gaussian_pulse(math.pi / (sigma * math.sqrt(2 * math.pi)), sigma, 8 * sigma, 16 * sigma, 0.3)
    c = ket_bra(2, 0, 1)
    expected = second_road.interference(source, c)
    found = result["interference"]
    close([found["mean_photons"], found["g2_zero"], found["indistinguishability"], found["visibility"]], [expected[k] for k in ("mean", "g2", "M", "V")], 1e-8)
    close(result["g2_zero"], expected["g2"], 1e-8)
    close(found["coincidences"], 0.5 * (1 + expected["g2"] - expected["M"]), 1e-8)
    energies = result["spectrum"]["energy_ueV"]
    close(result["spectrum"]["value"], second_road.pulsed_spectrum(source, c, np.array(energies) / HBAR) / HBAR, 1e-8)
    assert result["spectrum"]["unit"] == "1/ueV"


def test_example_resonance_fluorescence_spectrum() -> None:
    """Mollow's closed form, the elastic line, g1 and the correlations behind filters by independent programs."""
    result = result_of("resonance_fluorescence_spectrum")
    energies = np.array(result["spectrum"]["energy_ueV"])
    close(result["spectrum"]["value"], second_road.mollow(8.0, energies / HBAR) / HBAR, 1e-9)
    excited = 64 / 129
    close(result["spectrum"]["photons"], excited, 1e-10)
    close(result["spectrum"]["elastic"][0]["photons"], (8.0 / 129) ** 2, 1e-9)  # |<c>|^2 = (Omega gamma / (gamma^2 + 2 Omega^2))^2
    generator, c = second_road.two_level(8.0), ket_bra(2, 0, 1)
    close(result["g1"]["real"], second_road.first_order(generator, [c], result["g1"]["tau_ns"]).real, 1e-9)
    turns, width = 5.2657 / HBAR, 1.0 / HBAR
    for tau, value in zip(*result["filtered_g2"].values(), strict=True):
        order = (-turns, turns) if tau >= 0 else (turns, -turns)
        close(value, second_road.sensor_g2(generator, c, order, width, abs(tau)), 1e-8)


def test_example_dark_loaded_cascade_cw() -> None:
    """g2(0) = R gX / I^2, flux 2 R + s n_D, and the curve from a plain matrix exponential."""
    result = result_of("dark_loaded_cascade_cw")
    w = rate_matrix(["G", "D", "X", "XX"], [("G", "D", 1e-3), ("D", "XX", 1e-3), ("XX", "X", 20.0), ("X", "G", 10.0), ("D", "X", 1e-3)])
    p = steady(w, np.ones(4))
    close(list(result["populations"].values()), p, 1e-10)
    emit = np.zeros((4, 4))
    emit[2, 3], emit[0, 2] = 20.0, 10.0
    flux = 20.0 * p[3] + 10.0 * p[2]
    close(result["flux_per_ns"]["pair"], 0.6 * flux, 1e-10)
    close(result["g2"]["value"][0], 20.0 * p[3] * 10.0 / flux**2, 1e-9)
    close(result["g2"]["value"][0], 3333.61, 2e-6)
    tau = result["g2"]["tau_ns"]
    close(result["g2"]["value"], g2_of(w, emit, emit, np.ones(4), tau), 1e-9)
    assert result["error_bound"] < 1e-9
    assert set(result["errors"]) == {"populations", "flux_per_ns", "g2"}
    assert result["stage"] == "collected"


def test_example_stiff_dark_loop_cw() -> None:
    """Entry by entry to 1e-8 against fifty digits, over nine decades of delay."""
    result = result_of("stiff_dark_loop_cw")
    with mpmath.workdps(60):
        f = mpmath.mpf
        rates = {("G", "D"): f(1e-6), ("D", "XX"): f(1e-6), ("D", "G"): f(1e-7), ("XX", "X"): f(500), ("X", "G"): f(200)}
        names = ["G", "D", "X", "XX"]
        w = mpmath.matrix(4, 4)
        for (a, b), r in rates.items():
            i, k = names.index(a), names.index(b)
            w[k, i] += r
            w[i, i] -= r
        square, right = w.copy(), mpmath.matrix(4, 1)
        for k in range(4):
            square[0, k] = 1
        right[0] = 1
        p = mpmath.lu_solve(square, right)
        light = {"XX": (3, 2, f(500)), "X": (2, 0, f(200))}
        values, left = mpmath.eig(w)
        inverse = left**-1

        def g2(first: list[str], second: list[str], tau: float) -> Any:
            if tau < 0:
                first, second = second, first
            after = mpmath.matrix(4, 1)
            for name in first:
                start, end, rate = light[name]
                after[end] += rate * p[start]
            decay = mpmath.diag([mpmath.exp(v * abs(f(tau))) for v in values])
            later = left * decay * inverse * after
            flux_a = sum(light[n][2] * p[light[n][0]] for n in first)
            flux_b = sum(light[n][2] * p[light[n][0]] for n in second)
            return float(mpmath.re(sum(light[n][2] * later[light[n][0]] for n in second) / flux_a / flux_b))

        both, cross = result["g2"]
        close(both["value"], [g2(["XX", "X"], ["XX", "X"], t) for t in both["tau_ns"]], 1e-9)
        close(cross["value"], [g2(["XX"], ["X"], t) for t in cross["tau_ns"]], 1e-9)
        close(result["flux_per_ns"]["XX"], float(500 * p[3]), 1e-10)
    assert set(result["errors"]) == {"flux_per_ns", "g2[0]", "g2[1]"}


def test_example_resonance_fluorescence_cw() -> None:
    """The steady state's closed form, with detuning and dephasing; the curve from a dense Liouvillian; loss leaves g2 alone."""
    result = result_of("resonance_fluorescence_cw")
    gamma, dephasing, rabi, delta = 2.0, 0.3, 6.0, 2.0 / HBAR
    k = gamma / 2 + dephasing
    w = rabi**2 * k / (gamma * (k**2 + delta**2))
    close(result["populations"]["X"], 0.5 * w / (1 + w), 1e-12)
    close(result["flux_per_ns"]["X"], 0.25 * gamma * 0.5 * w / (1 + w), 1e-12)
    c = ket_bra(2, 0, 1, math.sqrt(gamma))
    h = ket_bra(2, 1, 1, -delta) + rabi / 2 * (ket_bra(2, 0, 1) + ket_bra(2, 1, 0))
    big = commutator(h) + dissipator(c) + dissipator(ket_bra(2, 1, 1, math.sqrt(2 * dephasing)))
    close(result["g2"]["value"], g2_of(big, click(c), click(c), trace_row(2), result["g2"]["tau_ns"]), 1e-9, atol=1e-12)
    assert abs(result["g2"]["value"][0]) < 1e-12


def test_example_collective_decay_cw() -> None:
    """One operator for both steps: against a dense Liouvillian; two separate jumps would give something else by more than a tenth."""
    result = result_of("collective_decay_cw")
    c = ket_bra(3, 1, 2, math.sqrt(2.0)) + ket_bra(3, 0, 1, 1.0)
    h = ket_bra(3, 1, 1, 1.0 / HBAR) + 0.75 * (ket_bra(3, 0, 1) + ket_bra(3, 1, 0)) + 0.6 * (ket_bra(3, 1, 2) + ket_bra(3, 2, 1))
    big, trace = commutator(h) + dissipator(c), trace_row(3)
    x = steady(big, trace)
    close(list(result["populations"].values()), x.reshape(3, 3).diagonal().real, 1e-11)
    close(result["flux_per_ns"]["mode"], (trace @ click(c) @ x).real, 1e-11)
    close(result["g2"]["value"], g2_of(big, click(c), click(c), trace, result["g2"]["tau_ns"]), 1e-10)
    one, two = ket_bra(3, 1, 2, math.sqrt(2.0)), ket_bra(3, 0, 1, 1.0)
    apart = commutator(h) + dissipator(one) + dissipator(two)
    assert abs(g2_of(apart, click(one) + click(two), click(one) + click(two), trace, [0.0])[0] / result["g2"]["value"][0] - 1) > 0.1


def test_example_dark_loaded_one_mode_cw() -> None:
    """Against a dense Liouvillian; with a mode for each line the peak would be half as high, with Purcell-enhanced rates a tenth higher."""
    result = result_of("dark_loaded_one_mode_cw")
    g, d, x, xx = range(4)
    dark = [(g, d, 1e-3), (d, xx, 1e-3), (d, x, 2.5e-4), (xx, x, 1.25), (x, g, 1.25)]

    def solved(modes: list[np.ndarray], kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Liouvillian, click of all modes and trace; the first mode takes XX -> X, the last X -> G."""
        emit = 27.66 * (modes[0].T @ np.kron(ket_bra(4, x, xx), kept) + modes[-1].T @ np.kron(ket_bra(4, g, x), kept))
        leaks = [math.sqrt(223.84) * a for a in modes]
        jumps = [np.kron(ket_bra(4, j, i, math.sqrt(r)), kept) for i, j, r in dark]
        return commutator(emit + emit.conj().T) + sum(dissipator(c) for c in [*jumps, *leaks]), sum(click(c) for c in leaks), trace_row(len(emit))

    photons, two = np.diag(np.sqrt([1.0, 2.0, 3.0]), 1), np.diag([1.0], 1)
    big, mode, trace = solved([np.kron(np.eye(4), photons)], np.eye(4))
    close(result["flux_per_ns"]["mode"], (trace @ mode @ steady(big, trace)).real, 1e-9)
    close(result["g2"]["value"], g2_of(big, mode, mode, trace, result["g2"]["tau_ns"]), 1e-8)
    apart = solved([np.kron(np.eye(4), np.kron(two, np.eye(2))), np.kron(np.eye(4), np.kron(np.eye(2), two))], np.eye(4))
    zero = result["g2"]["value"][0]
    assert 0.5 < g2_of(apart[0], apart[1], apart[1], apart[2], [0.0])[0] / zero < 0.54
    purcell = 4 * 27.66**2 / 223.84
    names = ["G", "D", "X", "XX"]
    w = rate_matrix(names, [(names[i], names[j], r) for i, j, r in dark])
    emitted = np.zeros((4, 4))
    emitted[x, xx] = emitted[g, x] = purcell
    fast = w + emitted - np.diag(emitted.sum(axis=0))
    assert g2_of(fast, emitted, emitted, np.ones(4), [0.0])[0] / zero == pytest.approx(1.08, abs=0.01)


def gaussian(sigma: float) -> Any:
    return lambda t: math.exp(-((t - 8 * sigma) ** 2) / (2 * sigma**2))


def test_example_pi_pulse_gaussian() -> None:
    """Photon-counting sectors integrated step by step, and the published benchmark values."""
    result = result_of("pi_pulse_gaussian")
    sigma = 0.1 / (2 * math.sqrt(2 * math.log(2)))
    c = ket_bra(2, 0, 1)
    rabi = math.pi / (sigma * math.sqrt(2 * math.pi))
    drive = commutator(rabi / 2 * (ket_bra(2, 0, 1) + ket_bra(2, 1, 0)))
    p = pulse_counts(dissipator(c), drive, click(c), ket_bra(2, 0, 0).reshape(-1), gaussian(sigma), 16 * sigma, 60.0, 5, 2)
    close(result["photon_numbers"], p[:5], 1e-7)
    close(result["photon_numbers"][:4], [4.824208512e-4, 0.98472856176, 0.01475233399, 3.66524763e-5], 1e-6)
    close(result["mean_photons"], 1.01434331147, 1e-9)
    close(result["g2_zero"], 0.02889024910, 1e-7)


def test_example_ten_pi_pulse_square() -> None:
    """Wein, arXiv:2307.16591, to the digits given."""
    result = result_of("ten_pi_pulse_square")
    p = [0.36766965348784736, 0.09251845596353651, 0.39255037245458413, 0.09567822259508904, 0.04140436181229831, 0.008321043393002221, 0.001591061140004126]
    close(result["photon_numbers"], p, 1e-12)
    close(result["event_fraction_of_pairs"], p[2] / (1 - p[0]), 1e-12)
    close(result["photon_fraction_in_pairs"], 2 * p[2] / result["mean_photons"], 1e-12)


def test_example_two_pulses_time_bin() -> None:
    """P(0) = exp(-gamma dt), P(1) = 0, P(2) = 1 - exp(-gamma dt)."""
    result = result_of("two_pulses_time_bin")
    close(result["photon_numbers"], [0.5, 0.0, 0.5, 0.0], 1e-12, atol=1e-12)
    close([result["g2_zero"], result["pair_share_of_multiphotons"], result["photon_fraction_in_pairs"]], [1.0, 1.0, 1.0], 1e-12)


def test_example_two_photon_biexciton() -> None:
    """X-line photon numbers of the effective two-photon model: sectors integrated step by step, and the digits given."""
    result = result_of("two_photon_biexciton")
    sigma, rabi = 0.05, math.pi / (0.05 * math.sqrt(2 * math.pi))
    xx, x = ket_bra(3, 1, 2, math.sqrt(2.0)), ket_bra(3, 0, 1)
    drive = commutator(rabi / 2 * (ket_bra(3, 0, 2) + ket_bra(3, 2, 0)))
    p = pulse_counts(dissipator(xx) + dissipator(x), drive, click(x), ket_bra(3, 0, 0).reshape(-1), gaussian(sigma), 16 * sigma, 60.0, 4, 3)
    close(result["photon_numbers"], p[:4], 1e-7)
    close(result["photon_numbers"][:3], [0.0025482, 0.9965248, 0.00092691], 3e-5)
    close(result["g2_zero"], 0.0018603, 3e-5)


def test_example_joint_photon_numbers() -> None:
    """Half of the pulses make one photon in each line; each is lost on its own."""
    result = result_of("joint_photon_numbers")
    both = 0.5 * 0.5 * 0.8
    close(result["photon_numbers"], [[1 - 0.25 - 0.4 + both, 0.4 - both, 0.0], [0.25 - both, both, 0.0], [0.0, 0.0, 0.0]], 1e-11, atol=1e-14)
    close(result["mean_photons"], [0.25, 0.4], 1e-12)
    close(result["cross_g2_zero"], 2.0, 1e-12)


def test_example_biexciton_in_a_cavity() -> None:
    """Photons through the mode from the start state: sectors and one long exponential of a dense Liouvillian."""
    result = result_of("biexciton_in_a_cavity")
    a = np.kron(np.eye(4), np.diag([1.0, math.sqrt(2.0)], 1))

    def level(to: int, start: int) -> np.ndarray:
        return np.kron(ket_bra(4, to, start), np.eye(3))

    emit = a.conj().T @ (level(1, 3) + level(0, 1))
    h = 10.0 * (level(1, 1) + level(2, 2)) + emit + emit.conj().T
    mode = math.sqrt(0.5) * a
    leaks = [0.1 * level(1, 3), 0.1 * level(2, 3), 0.1 * level(0, 1), 0.1 * level(0, 2)]
    big = commutator(h) + dissipator(mode) + sum(dissipator(c) for c in leaks)
    p = [mode_photons(big, click(mode), z, 12, 9) for z in np.exp(2j * np.pi * np.arange(4) / 4)]
    close(result["photon_numbers"], np.fft.fft(p).real[:3] / 4, 1e-8)
    close(result["photon_numbers"], [0.178748, 0.077018, 0.744234], 1e-5)


def mode_photons(big: np.ndarray, jump: np.ndarray, z: complex, d: int, start: int) -> complex:
    """sum P(n) z^n after everything has decayed."""
    x = np.zeros(d * d, dtype=complex)
    x[start + d * start] = 1.0
    e = expm((big + (z - 1) * jump) * 16.0)
    for _ in range(10):  # 16 * 2^10 ns
        e = e @ e
    return complex(trace_row(d) @ e @ x)


def test_example_biexciton_cavity_pulse() -> None:
    """The published benchmark values, computed by an independent program."""
    result = result_of("biexciton_cavity_pulse")
    close(result["photon_numbers"], [0.3584846206, 0.3149560389, 0.3253238371, 0.0012224129, 1.30205e-5], [3e-8, 3e-8, 3e-8, 1e-7, 4e-6])
    close([result["mean_photons"], result["g2_zero"]], [0.9693233844, 0.7004558652], 3e-8)


def train_brute(
    levels: list[str], rest: list[tuple[str, str, float]], pumped: list[tuple[str, str, float]], lit: list[tuple[str, str]], period: float, peaks: int
) -> Any:
    """P(n), side peaks and the state at the period start of an instant-pulse train, from dense exponentials of sectors."""
    n, top = len(levels), 6
    w, kick = rate_matrix(levels, rest), rate_matrix(levels, pumped)
    jump = np.zeros((n, n))
    for a, b, r in rest:
        if (a, b) in lit:
            jump[levels.index(b), levels.index(a)] = r
    one_period = expm(w * period) @ expm(kick)
    x = steady(one_period - np.eye(n), np.ones(n))
    counted = expm(sectors(w, jump, top) * period) @ np.kron(np.eye(top + 1), expm(kick))
    start = np.zeros((top + 1) * n)
    start[:n] = x
    p = (counted @ start).reshape(top + 1, n).sum(axis=1)
    blocks = counted[:, :n].reshape(top + 1, n, n)  # state after a period in which k photons were counted
    mean = sum(k * b for k, b in enumerate(blocks))
    mu = float(np.arange(top + 1) @ p)
    side = [float((np.arange(top + 1) * (np.arange(top + 1) - 1)) @ p) / mu**2]
    after = mean @ x
    for _ in range(peaks):
        side.append(float(np.ones(n) @ mean @ after) / mu**2)
        after = one_period @ after
    return p, side, x, mu


def test_example_train_long_memory() -> None:
    """A dark exciton that outlives thousands of periods: photon numbers and ten side peaks from dense exponentials."""
    result = result_of("train_long_memory")
    p, side, x, mu = train_brute(
        ["G", "D", "X", "XX"],
        [("XX", "X", 10.0), ("X", "G", 5.0), ("D", "G", 8e-5), ("D", "X", 1e-5)],
        [("G", "D", 0.3), ("D", "XX", 0.8)],
        [("XX", "X"), ("X", "G")],
        12.5,
        10,
    )
    close(result["photon_numbers"][:3], p[:3], 1e-9)
    assert max(map(abs, result["photon_numbers"][3:])) < 1e-15
    close(result["side_peaks"], side, 1e-9)
    close(list(result["populations"].values())[:2], x[:2], 1e-10)
    close(result["flux_per_ns"]["pair"], mu / 12.5, 1e-10)
    close(result["g2_zero"], side[0], 1e-10)


def test_example_train_one_step_per_pulse() -> None:
    """a = b = 1/2: pairs in a quarter of the periods, g2[m] = 2, 0, 1, 1, 1."""
    result = result_of("train_one_step_per_pulse")
    close(result["photon_numbers"], [0.75, 0.0, 0.25, 0.0], 1e-11, atol=1e-12)
    close(result["side_peaks"], [2.0, 0.0, 1.0, 1.0, 1.0], 1e-10, atol=1e-12)
    close([result["populations"]["G"], result["populations"]["D"]], [0.5, 0.5], 1e-11)


def smoothed_exponential(rate: complex, t: float, s: float) -> complex:
    """exp(-rate |t|) after a Gaussian of standard deviation s."""
    t = abs(t)
    sides = [np.exp(sign * rate * t) * erfc((rate * s + sign * t / s) / math.sqrt(2)) for sign in (-1, 1)]
    return 0.5 * np.exp((rate * s) ** 2 / 2) * sum(sides)


def test_example_hanbury_brown_twiss_cw() -> None:
    """Exponentials of the rate matrix through Gaussian, measured response, bin and background; dead time by the mean time until the next count."""
    recorded = result_of("hanbury_brown_twiss_cw")["recorded"]
    levels = ["G", "D", "X", "XX"]
    w = rate_matrix(levels, [("G", "D", 1e-3), ("D", "XX", 1e-3), ("XX", "X", 20.0), ("X", "G", 10.0), ("D", "X", 1e-4)])
    light = rate_matrix(levels, [("XX", "X", 20.0), ("X", "G", 10.0)])
    light = light - np.diag(np.diag(light))
    p, one = steady(w, np.ones(4)), np.ones(4)
    flux = one @ light @ p
    photons = [0.3 * 0.5 * eta * flux for eta in (0.6, 0.5)]
    counts = 0.3 * 0.5 * 0.6 * light + 1e-7 * np.eye(4)
    wait, blind = np.linalg.inv(counts - w), expm(20.0 * w)
    y = p
    for _ in range(400):
        y = blind @ counts @ wait @ y
    registered = 1e9 / (20.0 + one @ wait @ y)
    close(recorded["counts_per_s"]["A"]["registered_per_s"], registered, 1e-9)
    close(recorded["counts_per_s"]["B"]["registered_per_s"], 1e9 * (photons[1] + 2e-5), 1e-11)
    values, vectors = np.linalg.eig(w)
    heights = np.linalg.solve(vectors, light @ p) * (one @ light @ vectors) / flux**2
    nodes, weights = np.polynomial.legendre.leggauss(30)
    s = 0.05 / (2 * math.sqrt(2 * math.log(2)))
    rho = photons[0] / (photons[0] + 1e-7) * photons[1] / (photons[1] + 2e-5)
    found = recorded["coincidences"]
    close(found["tau_ns"], 0.1 * np.arange(-10, 11), 1e-12, 1e-15)
    for k in (0, 9, 13, 15, 20):
        total = 0j
        for step, share in enumerate((1 / 9, 4 / 9, 3 / 9, 1 / 9)):
            for x, wx in zip(nodes, weights, strict=True):
                for b, wb in zip(nodes, weights, strict=True):
                    t = found["tau_ns"][k] + 0.05 * b - 0.5 - (-0.1 + 0.05 * (step + 0.5 + 0.5 * x))
                    total += share * wx * wb / 4 * sum(h * smoothed_exponential(-v, t, s) for v, h in zip(values, heights, strict=True))
        close(found["g2"][k], 1 + rho * (total.real - 1), 1e-8)
        close(found["expected_counts"][k], registered * 1e9 * (photons[1] + 2e-5) * 1e-10 * 600 * found["g2"][k], 1e-9)


def test_example_four_detector_tree() -> None:
    """Photon numbers by sectors; a set of detectors stays silent with sum_n P(n) (1 - q)^n, and patterns follow by inclusion and exclusion."""
    result = result_of("four_detector_tree")
    recorded = result["recorded"]
    levels = ["G", "X", "XX"]
    quiet = rate_matrix(levels, [("XX", "X", 2.5), ("X", "G", 1.25)])
    loud = quiet + rate_matrix(levels, [("G", "XX", 1.5)])
    j = quiet - np.diag(np.diag(quiet))
    period = expm(12.0 * quiet) @ expm(0.5 * loud)
    x = np.zeros(3 * 15)
    x[:3] = steady(period - np.eye(3), np.ones(3))
    numbers = (expm(12.0 * sectors(quiet, j, 14)) @ expm(0.5 * sectors(loud, j, 14)) @ x).reshape(15, 3).sum(axis=1)
    chances = [0.5 * s * e for s, e in zip((0.25, 0.25, 0.25, 0.2), (0.8, 0.7, 0.6, 0.6), strict=True)]
    dark = [1000.0 * 12.5e-9, 0.0, 1e-3, 0.0]

    def silent(chosen: list[int]) -> float:
        n = np.arange(15)
        return math.exp(-sum(dark[k] for k in chosen)) * float(numbers @ (1 - sum(chances[k] for k in chosen)) ** n)

    for one in recorded["clicks"]["patterns"]:
        clicked, still = ([k for k in range(4) if one["counts"][k] == c] for c in (1, 0))
        subsets = [list(c) for size in range(len(clicked) + 1) for c in itertools.combinations(clicked, size)]
        close(one["probability"], sum((-1) ** len(c) * silent(still + c) for c in subsets), 1e-9)
    both = 1 - silent([0]) - silent([1]) + silent([0, 1])
    close(recorded["clicks"]["coincidences_per_s"]["A&B"], both / 12.5e-9, 1e-10)
    close(recorded["clicks"]["heralding_efficiency"]["B|A"], both / (1 - silent([0])), 1e-10)
    mean = float(numbers @ np.arange(15))
    close([recorded["counts_per_s"][n]["photons_per_s"] for n in "ABCD"], mean * np.array(chances) / 12.5e-9, 1e-10)
    # nearly nothing is emitted 6 ns after the pulse, so that areas are those by period, with background
    by_period = result["g2_zero"]
    share = mean * chances[0] / (mean * chances[0] + dark[0])
    close(recorded["peaks"]["area"][0], 1 + share * (by_period - 1), 2e-4)
    per_pulse = (mean * chances[0] + dark[0]) * mean * chances[1]
    close(recorded["peaks"]["expected_counts"][2], per_pulse * 60 / 12.5e-9, 1e-4)


def test_example_heralded_cascade() -> None:
    """One photon of each line: the herald's dark counts dilute, and the other arm's efficiency is Klyshko's ratio."""
    clicks = result_of("heralded_cascade")["recorded"]["clicks"]
    one, other = 1 - (1 - 0.42) * math.exp(-5e5 * 5e-9), 0.4
    close(clicks["click_probability"]["herald"], one, 1e-12)
    close(clicks["heralding_efficiency"]["heralded|herald"], other, 1e-12)
    close([p["probability"] for p in clicks["patterns"] if p["counts"][1] < 2], np.outer([1 - one, one], [1 - other, other]).ravel(), 1e-12)


# What a file means ----------------------------------------------------------------------------------------------------------------------------------

TWO_LEVEL = """
levels = ["G", "X"]
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "X"
"""


def ask(text: str) -> dict[str, Any]:
    return scenario.run(scenario.load(text))


def driven(
    shape: str, coupling: str = 'between = ["G", "X"]\nrabi_per_ns = 3.0', compute: str = 'photon_numbers = { max = 3, label = "X" }', more: str = ""
) -> str:
    return TWO_LEVEL + f'[[coupling]]\n{coupling}\ndrive = "laser"\n{more}[[drive]]\nname = "laser"\n{shape}\n[compute]\n{compute}\n'


def test_lifetime_is_one_over_rate() -> None:
    flux = '[[jump]]\nfrom = "G"\nto = "X"\nrate_per_ns = 0.3\n[compute]\nflux = true\n'
    slow = TWO_LEVEL.replace("rate_per_ns = 1.0", "lifetime_ns = 4.0") + flux
    close(ask(slow)["flux_per_ns"]["X"], 0.3 * 0.25 / 0.55, 1e-13)


def test_labels_in_a_list_are_added_and_several_jumps_may_share_one() -> None:
    """Two decays of X with one label or with two labels: the same total light."""
    text = """
levels = ["G", "X"]
start = "X"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "a"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 3.0
photon = "{}"
[collect]
a = 0.5
[compute]
photon_numbers = {{ max = 2, label = {} }}
"""
    close(ask(text.format("a", '"a"'))["photon_numbers"], [0.5, 0.5, 0.0], 1e-12, atol=1e-15)
    close(ask(text.format("b", '["a", "b"]'))["photon_numbers"], [0.125, 0.875, 0.0], 1e-12, atol=1e-15)
    close(ask(text.format("b", '"b"'))["photon_numbers"], [0.25, 0.75, 0.0], 1e-12, atol=1e-15)


def test_one_collective_operator_interferes_and_separate_jumps_do_not() -> None:
    """Two degenerate excitons, each also lost at 0.5: with one operator sqrt(3)|G><A| + |G><B| only the bright part 3/4 of A emits, 4 against 0.5."""
    text = """
levels = ["G", "A", "B"]
start = "A"
{}
[[jump]]
from = "A"
to = "G"
rate_per_ns = 0.5
[[jump]]
from = "B"
to = "G"
rate_per_ns = 0.5
[compute]
photon_numbers = {{ max = 1, label = "mode" }}
"""
    together = '[[jump]]\ntransitions = [["A", "G"], ["B", "G"]]\nrates_per_ns = [3.0, 1.0]\nphoton = "mode"'
    apart = "".join(f'[[jump]]\nfrom = "{x}"\nto = "G"\nrate_per_ns = {r}\nphoton = "mode"\n' for x, r in (("A", 3.0), ("B", 1.0)))
    close(ask(text.format(together))["photon_numbers"], [1 / 3, 2 / 3], 1e-12)
    close(ask(text.format(apart))["photon_numbers"], [0.5 / 3.5, 3.0 / 3.5], 1e-12)


def test_dephasing_broadens_the_response_and_rates_of_two_levels_add() -> None:
    """Weak-drive population is set by the total coherence decay: 0.2 on X plus 0.5 on G acts as 0.7 on X."""

    def population(extra: str) -> float:
        return float(ask(driven('shape = "cw"', compute="populations = true", more=extra))["populations"]["X"])

    split = '[[dephasing]]\nlevel = "X"\nrate_per_ns = 0.2\n[[dephasing]]\nlevel = "G"\nrate_per_ns = 0.5\n'
    together = '[[dephasing]]\nlevel = "X"\nrate_per_ns = 0.7\n'
    k = 0.5 + 0.7
    w = 9.0 / k
    close([population(split), population(together)], [0.5 * w / (1 + w)] * 2, 1e-12)


@pytest.mark.parametrize("between", ['["G", "X"]', '["X", "G"]'])
def test_the_emitting_level_is_the_upper_one_in_whatever_order_a_coupling_names_it(between: str) -> None:
    """Exciton 3 ueV above the frame: a laser 3 ueV above it is resonant, one 3 ueV below is not."""

    def population(detuning: float) -> float:
        text = "[energy_ueV]\nX = 3.0\n" + driven(
            f'shape = "cw"\ndetuning_ueV = {detuning}', coupling=f"between = {between}\nrabi_per_ns = 0.2", compute="populations = true"
        )
        text = text.replace('levels = ["G", "X"]\n', "")
        return float(ask('levels = ["G", "X"]\n' + text)["populations"]["X"])

    for detuning in (3.0, -3.0):
        delta = (detuning - 3.0) / HBAR
        w = 0.04 * 0.5 / (0.25 + delta**2)
        close(population(detuning), 0.5 * w / (1 + w), 1e-10)


def test_a_coupling_follows_emission_in_several_steps_and_else_the_listed_order() -> None:
    ladder = """
levels = ["G", "X", "XX", "D"]
[[jump]]
from = "XX"
to = "X"
rate_per_ns = 1.0
photon = "XX"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "X"
[[coupling]]
between = {}
rabi_per_ns = 1.0
[compute]
flux = true
"""

    def pair(between: str) -> tuple[str, str]:
        return scenario.load(ladder.format(between)).model.couplings[0].between  # type: ignore[union-attr]

    assert pair('["XX", "G"]') == pair('["G", "XX"]') == ("G", "XX")
    assert pair('["D", "X"]') == ("D", "X")
    assert pair('["X", "D"]') == ("X", "D")


def test_area_scales_the_first_coupling_and_the_others_keep_their_ratio() -> None:
    """Instant pulse of area pi on G-A with G-B at half the strength: a rotation by root(1 + 1/4) pi to the bright superposition."""
    text = """
levels = ["G", "A", "B"]
[[jump]]
from = "A"
to = "G"
rate_per_ns = 1.0
photon = "A"
[[jump]]
from = "B"
to = "G"
rate_per_ns = 1.0
photon = "B"
[[coupling]]
between = ["G", "A"]
rabi_per_ns = 4.0
drive = "laser"
[[coupling]]
between = ["G", "B"]
rabi_per_ns = 2.0
drive = "laser"
[[drive]]
name = "laser"
shape = "instant"
area_pi = 1.0
[compute]
photon_numbers = { max = 1, labels = ["A", "B"] }
"""
    up = math.sin(math.pi * math.sqrt(1.25) / 2) ** 2
    close(ask(text)["mean_photons"], [0.8 * up, 0.2 * up], 1e-12)


def test_a_square_pulse_without_area_has_the_rabi_frequency_of_the_coupling() -> None:
    """Omega = 3 per ns for 0.4 ns, against dense exponentials."""
    c = ket_bra(2, 0, 1)
    big = dissipator(c) + commutator(1.5 * (ket_bra(2, 0, 1) + ket_bra(2, 1, 0)))
    count = 5
    x = np.zeros(4 * (count + 1), dtype=complex)
    x[0] = 1.0
    x = expm(sectors(dissipator(c), click(c), count) * 60.0) @ expm(sectors(big, click(c), count) * 0.4) @ x
    p = (x.reshape(count + 1, 4) @ trace_row(2)).real
    close(ask(driven('shape = "square"\nduration_ns = 0.4'))["photon_numbers"], p[:4], 1e-9)


def test_driven_jumps_follow_the_intensity_envelope_at_peak_one_and_their_photons_are_counted() -> None:
    """A pump G -> X that itself emits: at most one pump photon before X, area rate * sigma root(pi) of a Gaussian intensity."""
    text = """
levels = ["G", "S"]
[[jump]]
from = "G"
to = "S"
rate_per_ns = 2.0
drive = "laser"
photon = "pump"
[[drive]]
name = "laser"
shape = "gaussian"
fwhm_ns = 0.3
[compute]
photon_numbers = { max = 1, label = "pump" }
"""
    sigma = 0.3 / (2 * math.sqrt(math.log(2)))
    p0 = math.exp(-2.0 * sigma * math.sqrt(math.pi))
    close(ask(text)["photon_numbers"], [p0, 1 - p0], 1e-11)
    w = 0.3 / (2 * math.acosh(math.sqrt(2)))
    p0 = math.exp(-2.0 * 2.0 * w)
    close(ask(text.replace("gaussian", "sech"))["photon_numbers"], [p0, 1 - p0], 1e-11)


def test_a_detuned_square_pulse_rotates_about_a_tilted_axis_and_its_phase_alone_changes_nothing() -> None:
    """(Omega/W)^2 sin^2(W T/2), W^2 = Omega^2 + delta^2, decay far slower."""
    delta = 4.0 / HBAR
    text = driven('shape = "square"\nduration_ns = 0.4\ndetuning_ueV = 4.0').replace("rate_per_ns = 1.0", "rate_per_ns = 1e-9")
    whole = math.hypot(3.0, delta)
    up = (3.0 / whole) ** 2 * math.sin(whole * 0.4 / 2) ** 2
    close(ask(text)["mean_photons"], up, 1e-8)
    turned = text.replace("detuning_ueV = 4.0", "detuning_ueV = 4.0\nphase_pi = 0.3")
    close(ask(turned)["mean_photons"], up, 1e-8)


def test_a_pulse_is_above_the_frame_by_its_detuning_and_sweeps_up_with_its_chirp() -> None:
    """Amplitudes of a ladder under phase = detuning t + chirp (t - centre)^2 / 2; reversing the sign of either changes the answer.

    A ladder and not two levels, which cannot tell an up-chirp from a down-chirp of a symmetric pulse.
    """
    text = """
levels = ["G", "X", "XX"]
[energy_ueV]
X = 1.5
XX = 1.0
[[jump]]
from = "XX"
to = "X"
rate_per_ns = 1e-9
photon = "XX"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1e-9
photon = "X"
[[coupling]]
between = ["G", "X"]
rabi_per_ns = 5.0
drive = "laser"
[[coupling]]
between = ["X", "XX"]
rabi_per_ns = 4.0
drive = "laser"
[[drive]]
name = "laser"
shape = "square"
duration_ns = 0.8
start_ns = 0.1
detuning_ueV = DETUNING
chirp_per_ns2 = CHIRP
phase_pi = 0.4
[compute]
photon_numbers = { max = 1, label = "XX" }
"""

    def excited(detuning: float, chirp: float) -> float:
        def amplitude(t: float, y: np.ndarray) -> np.ndarray:
            e = np.exp(-1j * (detuning / HBAR * t + chirp * (t - 0.5) ** 2 / 2 + 0.4 * math.pi))
            h = ket_bra(3, 1, 0, 2.5 * e) + ket_bra(3, 2, 1, 2.0 * e)
            return -1j * (h + h.conj().T + np.diag([0.0, 1.5, 1.0]) / HBAR) @ y

        y = solve_ivp(amplitude, (0.1, 0.9), np.array([1, 0, 0], dtype=complex), method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        return float(abs(y[2]) ** 2)

    answers = {(d, c): excited(d, c) for d in (0.8, -0.8) for c in (10.0, -10.0)}
    for (d, c), up in answers.items():
        close(ask(text.replace("DETUNING", str(d)).replace("CHIRP", str(c)))["mean_photons"], up, 1e-7)
    for other in ((-0.8, 10.0), (0.8, -10.0)):
        assert abs(answers[other] / answers[0.8, 10.0] - 1) > 0.01


def test_a_collective_jump_may_be_driven() -> None:
    """A dose of 0.5 ns at 2 per ns: 1 - exp(-1) of the pulses excite."""
    text = (
        TWO_LEVEL
        + """
[[jump]]
transitions = [["G", "X"]]
rates_per_ns = [2.0]
drive = "laser"
[[drive]]
name = "laser"
shape = "instant"
dose_ns = 0.5
[compute]
photon_numbers = { max = 1, label = "X" }
"""
    )
    close(ask(text)["photon_numbers"], [math.exp(-1), 1 - math.exp(-1)], 1e-12)


def test_a_cavity_takes_one_g_for_all_transitions_or_one_for_each() -> None:
    """Two levels and a mode at kappa >> g: photons per decay kappa_eff / (kappa_eff + gamma) by an exact 3 x 3 problem."""
    text = """
levels = ["G", "X"]
start = "X"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "side"
[[cavity]]
name = "m"
fock = 2
kappa_per_ns = 7.0
detuning_ueV = 1.0
g_per_ns = {}
transitions = [["X", "G"]]
photon = "mode"
[compute]
photon_numbers = {{ max = 1, label = "mode" }}
"""
    a = np.array([[-0.5, -2.5j], [-2.5j, -3.5 - 1j / HBAR]])  # amplitudes of |X, 0>, |G, 1>
    from scipy.linalg import solve_continuous_lyapunov

    area = solve_continuous_lyapunov(a, -np.diag([1.0 + 0j, 0.0]))
    light = 7.0 * area[1, 1].real
    for g in ("2.5", "[2.5]"):
        close(ask(text.format(g))["photon_numbers"], [1 - light, light], 1e-10)


def test_negative_delay_exchanges_first_and_second() -> None:
    text = (EXAMPLES / "stiff_dark_loop_cw.toml").read_text()
    head = text[: text.index("[compute]")]
    asked = 'g2 = [{{ tau_ns = [{0}], first = "XX", second = "X" }}, {{ tau_ns = [{1}], first = "X", second = "XX" }}]'
    one, other = ask(head + "[compute]\n" + asked.format("-0.02, 300.0", "0.02, -300.0"))["g2"]
    close(one["value"], other["value"], 1e-12)


def test_g2_takes_a_table_or_an_array_of_tables_and_second_is_first_where_left_out() -> None:
    pumped = TWO_LEVEL + '[[jump]]\nfrom = "G"\nto = "X"\nrate_per_ns = 2.0\n[compute]\ng2 = {}\n'
    one = '{ tau_ns = [0.3], first = "X" }'
    single, listed = ask(pumped.format(one)), ask(pumped.format(f"[{one}]"))
    close(single["g2"]["value"], [1 - math.exp(-0.9)], 1e-12)
    assert listed["g2"] == [single["g2"]]
    assert set(single["errors"]) == {"g2"}
    assert set(listed["errors"]) == {"g2[0]"}


def test_loss_thins_counts_and_flux_and_leaves_populations_and_g2_alone() -> None:
    text = (EXAMPLES / "train_long_memory.toml").read_text()
    full, half = ask(text), ask(text + "\n[collect]\npair = 0.5\n")
    p = np.array(full["photon_numbers"])
    close(half["photon_numbers"][:3], [p[0] + p[1] / 2 + p[2] / 4, p[1] / 2 + p[2] / 2, p[2] / 4], 1e-9)
    close(half["flux_per_ns"]["pair"], full["flux_per_ns"]["pair"] / 2, 1e-10)
    close(half["g2_zero"], full["g2_zero"], 1e-10)
    close(half["side_peaks"], full["side_peaks"], 1e-9)
    assert half["populations"] == full["populations"]


def test_side_peaks_count_the_light_that_is_named_with_them_or_with_photon_numbers_or_all() -> None:
    text = (EXAMPLES / "train_long_memory.toml").read_text().replace("populations = true\nflux = true\n", "")
    text = text[: text.index("[compute]")].replace('to = "X"\nrate_per_ns = 10.0\nphoton = "pair"', 'to = "X"\nrate_per_ns = 10.0\nphoton = "XX"')
    assert 'photon = "XX"' in text
    everything = ask(text + "[compute]\nside_peaks = 2\n")["side_peaks"]
    named = ask(text + '[compute]\nside_peaks = { count = 2, label = "XX" }\nphoton_numbers = { max = 2, label = "pair" }\n')["side_peaks"]
    along = ask(text + '[compute]\nside_peaks = 2\nphoton_numbers = { max = 2, label = "XX" }\n')["side_peaks"]
    assert everything[0] > 1.0
    assert abs(named[0]) < 1e-12
    assert named == along


def test_both_pictures_agree_where_nothing_is_coherent() -> None:
    for name in ("dark_loaded_cascade_cw", "train_long_memory"):
        text = (EXAMPLES / f"{name}.toml").read_text()
        rate, lindblad = ask(text), ask(text.replace('picture = "rate"', 'picture = "lindblad"'))
        default = ask(text.replace('picture = "rate"\n', ""))
        for key in ("flux_per_ns", "populations", "mean_photons", "g2_zero", "side_peaks"):
            if key in rate:
                flat = [list(r[key].values()) if isinstance(r[key], dict) else r[key] for r in (rate, lindblad, default)]
                close(flat[1], flat[0], 1e-9, atol=1e-14)
                assert flat[2] == flat[0]


def test_a_result_is_plain_json_and_its_error_bound_is_the_largest_of_errors() -> None:
    for name in ("joint_photon_numbers", "stiff_dark_loop_cw", "two_photon_biexciton", "train_long_memory"):
        result = result_of(name)
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert result["error_bound"] == max(result["errors"].values()) < 1e-8


def test_several_pulses_of_one_laser_share_its_name() -> None:
    loaded = scenario.load(EXAMPLES / "two_pulses_time_bin.toml")
    assert [(d.name, getattr(d, "start_ns", None)) for d in loaded.drives] == [("laser", 0.0), ("laser", 0.6931471805599453)]


def test_start_names_the_level_that_the_source_starts_in() -> None:
    decay = TWO_LEVEL + '[compute]\nphoton_numbers = { max = 1, label = "X" }\n'
    close(ask(decay.replace("levels", 'start = "X"\nlevels', 1))["photon_numbers"], [0.0, 1.0], 1e-12, atol=1e-14)
    close(ask(decay.replace('["G", "X"]', '["X", "G"]'))["photon_numbers"], [0.0, 1.0], 1e-12, atol=1e-14)


def test_a_path_and_its_text_are_the_same_scenario(tmp_path: Path) -> None:
    path = EXAMPLES / "two_photon_biexciton.toml"
    assert ask(path.read_text()) == scenario.run(scenario.load(str(path)))
    copy = tmp_path / "s=1.toml"
    copy.write_text(path.read_text())
    assert scenario.load(copy).compute == scenario.load(path).compute


def test_errors_of_a_file_name_the_file_and_errors_of_a_text_do_not(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(TWO_LEVEL + "[compute]\nflux = 1\n")
    with pytest.raises(InputError, match=r"^.*wrong\.toml: compute\.flux must be true or false, got 1; for example flux = true$"):
        scenario.load(path)
    with pytest.raises(InputError, match=r"^compute\.flux must"):
        scenario.load(path.read_text())


def test_a_number_replaced_by_its_place_is_the_file_with_that_number() -> None:
    path = EXAMPLES / "dark_loaded_cascade_cw.toml"
    table = scenario.read_table(path)
    changed = scenario.from_table(scenario.replaced(table, "jump[4].rate_per_ns", 2e-3))
    by_hand = path.read_text()[::-1].replace("rate_per_ns = 1e-3"[::-1], "rate_per_ns = 2e-3"[::-1], 1)[::-1]
    assert scenario.run(changed) == ask(by_hand)
    assert scenario.from_table(table).model.jumps == scenario.load(path).model.jumps
    for place, words in (
        ("jump[9].rate_per_ns", r"jump\[9\].*0 \.\. 4, got 9"),
        ("jmup[0].rate_per_ns", "did you mean 'jump'"),
        ("jump[0].from", "number in the file"),
        ("jump[0]..from", "place in the file"),
        ("levels[0]", "number in the file"),
        ("levels.x", "levels.x"),
    ):
        with pytest.raises(InputError, match=words):
            scenario.replaced(table, place, 1.0)


def test_what_rests_on_fields_is_refused_where_there_are_none_and_labels_are_checked() -> None:
    pulsed = (EXAMPLES / "indistinguishable_photons.toml").read_text()
    steady = (EXAMPLES / "resonance_fluorescence_spectrum.toml").read_text()
    pairs = (EXAMPLES / "entangled_pairs.toml").read_text()
    rate = TWO_LEVEL.replace("levels", 'picture = "rate"\nstart = "X"\nlevels', 1) if "picture" not in TWO_LEVEL else TWO_LEVEL
    for text, words in (
        (pulsed + "g1 = { tau_ns = [0.0] }\n", r"compute\.g1 must be asked under continuous light"),
        (steady + 'interference = { label = "X" }\n', r"compute\.interference must be asked of pulses.*ask for g1"),
        (steady + "arrival_times = {}\n", r"compute\.arrival_times must be asked of pulses"),
        (pulsed + 'arrival_times = { label = "Y" }\n', r"compute\.arrival_times\.label.*'X'"),
        (pulsed + "interference = { gate_ns = [1.0] }\n".replace("interference", "delay_distribution"), "unknown key"),
        (pulsed.replace('interference = { label = "X" }', "interference = { gate_ns = [1.0, 0.5] }"), r"compute\.interference: gate_ns must be two times"),
        (pairs.replace('["XX:D", "X:R"]', '["XX:H", "X:R"]'), r"XX:H.*told apart: XX:D, XX:A"),
        (pairs.replace('XX = "D"', 'XY = "D"'), r"analyse.*XY"),
        (pairs.replace('XX = "D"', 'XX = "Q"'), r"analyse\.XX"),
        (pairs.replace('polarisation = "H"', 'polarisation = "h"', 1), r"jump\[0\]\.polarisation must be one of 'H', 'V'"),
        (pairs.replace('photon = "XX"\n', "", 1), r"jump\[0\]\.polarisation must belong to a photon"),
        (rate + "[compute]\nspectrum = { energy_ueV = [0.0] }\n", "rate equations hold no fields"),
        (pulsed + '[[filter]]\nname = "f"\nline = "Z"\nfwhm_ueV = 1.0\n', r"filter\[0\]\.line"),
    ):
        with pytest.raises(InputError, match=words):
            ask(text)


def test_a_filter_passes_what_its_lorentzian_leaves_of_the_spectrum() -> None:
    """k / (k + gamma) of the photon of a decay, widths k and gamma, on resonance; what passes is a line of its own."""
    start = TWO_LEVEL.replace("levels", 'start = "X"\nlevels', 1)
    for width in (1e4, 1.0, 0.01):
        table = f'[[filter]]\nname = "f"\nline = "X"\nfwhm_ueV = {width}\nfock = 2\n'
        result = ask(start + table + '[compute]\nphoton_numbers = { max = 1, label = "f" }\n')
        close(result["mean_photons"], width / HBAR / (width / HBAR + 1.0), 1e-9)


DECAY_OF_TWO = """
levels = ["G", "X", "XX"]
start = "XX"
[[jump]]
from = "XX"
to = "X"
rate_per_ns = 2.0
photon = "XX"
polarisation = "H"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "X"
polarisation = "H"
[compute]
"""
ASKED_OF_DECAY = {
    "spectrum": ('{ energy_ueV = [0.0], label = "X" }', {"label": "X", "photons_unit": "per pulse"}),
    "interference": ('{ label = ["X"] }', {"label": "X"}),
    "two_photon_state": ('{ first = "XX", second = "X" }', {"first": "XX", "second": "X"}),
    "arrival_times": ("{}", {"label": "XX + X"}),
    "delay_distribution": ("{ tau_ns = [0.0] }", {"label": "XX + X"}),
}


@pytest.mark.parametrize("key", ASKED_OF_DECAY)
def test_every_result_says_its_window_and_whose_light_it_is(key: str) -> None:
    asked, said = ASKED_OF_DECAY[key]
    result = scenario.run(scenario.load(f"{DECAY_OF_TWO}{key} = {asked}\n"))
    assert (result["stage"], result["window"]) == ("collected", "all times after the start")
    assert said.items() <= result[key].items()


def test_the_window_of_a_static_drive_is_continuous_and_of_a_train_its_period() -> None:
    static = DECAY_OF_TWO.replace("[compute]", '[[coupling]]\nbetween = ["G", "XX"]\nrabi_per_ns = 1.0\n[compute]')
    found = scenario.run(scenario.load(static + "spectrum = { energy_ueV = [0.0] }\n"))
    assert (found["window"], found["spectrum"]["photons_unit"]) == ("continuous", "1/ns")
    pump = '[[jump]]\nfrom = "G"\nto = "XX"\nrate_per_ns = 1.0\ndrive = "laser"\n'
    laser = '[[drive]]\nname = "laser"\nshape = "instant"\ndose_ns = 1.0\nperiod_ns = 5.0\n'
    train = DECAY_OF_TWO.replace("[compute]", f"{pump}{laser}[compute]")
    assert scenario.run(scenario.load(train + "flux = true\n"))["window"] == "one period of 5 ns in the periodic steady state"
