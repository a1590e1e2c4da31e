"""Sources whose jumps are neither real nor diagonal: a cavity, a collective decay, and the traps they set for transposed or unconjugated matrices.

Two independent roads: matrices written out by hand here (SciPy), and QuTiP with its own H and c_ops.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np
import pytest
import qutip
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply, splu

import qdot
from qdot.drive import CW, Instant, Square
from qdot.model import Cavity, Coupling, Dephasing, HamiltonianOperator, Jump, JumpOperator, Model

HBAR = 0.6582119569


def liouvillian(h: Any, jumps: list[Any]) -> Any:
    """Column-stacked -i[h, .] + sum of dissipators, sparse."""
    h, one = sp.csr_array(h), sp.eye_array(h.shape[0])
    total = -1j * (sp.kron(one, h) - sp.kron(h.T, one))
    for c in map(sp.csr_array, jumps):
        n = c.conj().T @ c
        total = total + sp.kron(c.conj(), c) - 0.5 * (sp.kron(one, n) + sp.kron(n.T, one))
    return sp.csc_array(total)


def click(c: Any) -> Any:
    """Column-stacked c . c^+."""
    return sp.kron(sp.csr_array(c).conj(), sp.csr_array(c)).tocsc()


def trace_row(d: int) -> np.ndarray:
    return np.eye(d).reshape(-1)


def steady(generator: Any, d: int) -> np.ndarray:
    """Null vector of unit trace, by replacing one balance equation."""
    m = sp.lil_array(generator)
    m[0, :] = trace_row(d)
    right = np.zeros(d * d, dtype=complex)
    right[0] = 1.0
    return splu(sp.csc_array(m)).solve(right)


def dense_g2(generator: Any, first: Any, second: Any, tau: np.ndarray, d: int) -> np.ndarray:
    """tr B exp(L tau) A rho / (tr A rho tr B rho)."""
    x, row = steady(generator, d), trace_row(d)
    a, b = first @ x, row @ second
    return np.array([(b @ (expm(generator.toarray() * t) @ a)).real for t in tau]) / ((row @ a) * (b @ x)).real


def dense_numbers(generator: Any, count: Any, start: np.ndarray, top: int, d: int) -> np.ndarray:
    """P(0..top) of a decay that cannot emit more than `top`, from the generating function at the roots of unity."""
    z = np.exp(2j * np.pi * np.arange(top + 1) / (top + 1))
    values = [trace_row(d) @ expm((generator + (w - 1) * count).toarray() * 400.0) @ start for w in z]
    return (np.fft.fft(values) / (top + 1)).real


def ket_bra(n: int, i: int, j: int) -> np.ndarray:
    m = np.zeros((n, n), dtype=complex)
    m[i, j] = 1.0
    return m


def lowering(fock: int) -> np.ndarray:
    return np.diag(np.sqrt(np.arange(1.0, fock)), 1).astype(complex)


# ---- one emitter in one cavity -----------------------------------------------------------------------------------------------------------------------

FOCK, G, KAPPA, GAMMA, PUMP, DEPHASE, SHIFT = 8, 3.0, 4.0, 0.5, 0.05, 0.3, 1.2


def pumped_cavity(fock: int = FOCK) -> Model:
    return Model(
        levels=("G", "X"),
        energies_ueV={"X": 0.4 * HBAR},
        jumps=(Jump.of("G", "X", PUMP), Jump.of("X", "G", GAMMA, "side")),
        dephasings=(Dephasing("X", DEPHASE),),
        cavities=(Cavity("H", fock, KAPPA, (G,), (("X", "G"),), SHIFT * HBAR, "mode"),),
    )


def pumped_cavity_by_hand(fock: int = FOCK) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
    """H, all jumps, the mode's jump, the emitter's jump, on emitter (x) mode."""
    one, a = np.eye(fock), np.kron(np.eye(2), lowering(fock))
    s = np.kron(ket_bra(2, 0, 1), one)
    up = s.conj().T @ s
    h = 0.4 * up + SHIFT * a.conj().T @ a + G * (a.conj().T @ s + s.conj().T @ a)
    mode, side = math.sqrt(KAPPA) * a, math.sqrt(GAMMA) * s
    return h, [math.sqrt(PUMP) * s.conj().T, side, math.sqrt(2 * DEPHASE) * up, mode], mode, side


TAU = np.array([0.0, 0.05, 0.3, 1.0, 3.0, 20.0])


@pytest.mark.parametrize(("first", "second"), [("mode", "mode"), ("side", "mode"), ("mode", "side")])
def test_pumped_emitter_in_a_cavity_against_dense_matrices(first: str, second: str) -> None:
    h, jumps, mode, side = pumped_cavity_by_hand()
    by_name = {"mode": click(mode), "side": click(side)}
    expected = dense_g2(liouvillian(h, jumps), by_name[first], by_name[second], TAU, 2 * FOCK)
    curve = qdot.Experiment(pumped_cavity()).g2(TAU, first, second)
    np.testing.assert_allclose(curve.value, expected, rtol=1e-10)


def test_pumped_emitter_in_a_cavity_against_qutip() -> None:
    a = qutip.tensor(qutip.qeye(2), qutip.destroy(FOCK))
    s = qutip.tensor(qutip.basis(2, 0) * qutip.basis(2, 1).dag(), qutip.qeye(FOCK))
    h = 0.4 * s.dag() * s + SHIFT * a.dag() * a + G * (a.dag() * s + s.dag() * a)
    c_ops = [math.sqrt(PUMP) * s.dag(), math.sqrt(GAMMA) * s, math.sqrt(2 * DEPHASE) * s.dag() * s, math.sqrt(KAPPA) * a]
    rho = qutip.steadystate(h, c_ops)
    flux = qutip.expect(a.dag() * a, rho) * KAPPA
    generator = qutip.liouvillian(h, c_ops)
    after = qutip.operator_to_vector(a * rho * a.dag())
    g2 = [qutip.expect(a.dag() * a, qutip.vector_to_operator((generator * t).expm() * after)) * KAPPA**2 / flux**2 for t in TAU]
    exp = qdot.Experiment(pumped_cavity())
    np.testing.assert_allclose(exp.g2(TAU, "mode").value, g2, rtol=1e-8)
    assert exp.flux_per_ns("mode") == pytest.approx(flux, rel=1e-10)
    populations = np.diag(rho.ptrace(0).full()).real
    np.testing.assert_allclose([exp.populations()["G"], exp.populations()["X"]], populations, rtol=1e-10)


def test_a_cavity_cut_too_low_is_an_error_that_says_so() -> None:
    with pytest.raises(qdot.InputError, match="fock"):
        qdot.Experiment(pumped_cavity(fock=3)).g2(TAU, "mode")


CASCADE = Model(
    levels=("G", "X", "XX"),
    energies_ueV={"X": 1.0 * HBAR, "XX": 1.5 * HBAR},
    jumps=(Jump.of("XX", "X", 0.7), Jump.of("X", "G", 0.4)),
    dephasings=(Dephasing("X", 0.2),),
    cavities=(Cavity("H", 3, 2.5, (1.5, 2.0), (("XX", "X"), ("X", "G")), 0.3 * HBAR, "mode"),),
    start="XX",
)


def cascade_by_hand() -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    one, a = np.eye(3), np.kron(np.eye(3), lowering(3))
    up, down = np.kron(ket_bra(3, 1, 2), one), np.kron(ket_bra(3, 0, 1), one)
    middle = np.kron(ket_bra(3, 1, 1), one)
    h = 1.0 * middle + 1.5 * np.kron(ket_bra(3, 2, 2), one) + 0.3 * a.conj().T @ a
    emit = a.conj().T @ (1.5 * up + 2.0 * down)
    mode = math.sqrt(2.5) * a
    return h + emit + emit.conj().T, [math.sqrt(0.7) * up, math.sqrt(0.4) * down, math.sqrt(0.4) * middle, mode], mode


def test_photon_numbers_of_a_cascade_through_one_mode() -> None:
    h, jumps, mode = cascade_by_hand()
    start = np.zeros(81, dtype=complex)
    start[6 * 9 + 6] = 1.0  # XX with an empty mode
    generator = liouvillian(h, jumps)
    expected = dense_numbers(generator, click(mode), start, 3, 9)
    n = qdot.Experiment(CASCADE).photon_numbers("mode", max=3)
    np.testing.assert_allclose(n.probabilities, expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(n.mean_photons, expected @ np.arange(4), rtol=1e-10)


def test_photon_numbers_of_a_cascade_against_qutip() -> None:
    """QuTiP's own Liouvillian and jump superoperator, integrated to 400 ns at four values of the counting variable."""
    a = qutip.tensor(qutip.qeye(3), qutip.destroy(3))
    up = qutip.tensor(qutip.basis(3, 1) * qutip.basis(3, 2).dag(), qutip.qeye(3))
    down = qutip.tensor(qutip.basis(3, 0) * qutip.basis(3, 1).dag(), qutip.qeye(3))
    middle = down.dag() * down
    emit = a.dag() * (1.5 * up + 2.0 * down)
    h = middle + 1.5 * up.dag() * up + 0.3 * a.dag() * a + emit + emit.dag()
    mode = math.sqrt(2.5) * a
    generator = qutip.liouvillian(h, [math.sqrt(0.7) * up, math.sqrt(0.4) * down, math.sqrt(0.4) * middle, mode])
    count = qutip.sprepost(mode, mode.dag())
    start = qutip.operator_to_vector(qutip.ket2dm(qutip.tensor(qutip.basis(3, 2), qutip.basis(3, 0))))
    z = np.exp(2j * np.pi * np.arange(4) / 4)
    values = [qutip.vector_to_operator(((generator + (w - 1) * count) * 400.0).expm() * start).tr() for w in z]
    n = qdot.Experiment(CASCADE).photon_numbers("mode", max=3)
    np.testing.assert_allclose(n.probabilities, (np.fft.fft(values) / 4).real, rtol=1e-9, atol=1e-12)


# ---- collective decay, driven and detuned: the trap ----------------------------------------------------------------------------------------------------

COLLECTIVE = {"g1": 2.0, "g2": 1.0, "rabi1": 1.7, "rabi2": 2.3, "shift1": 1.1, "shift2": -0.8, "phase": 0.3}


def collective(drive: Any) -> qdot.Experiment:
    p = COLLECTIVE
    model = Model(
        levels=("G", "X", "XX"),
        energies_ueV={"X": p["shift1"] * HBAR, "XX": p["shift2"] * HBAR},
        jumps=(Jump((("XX", "X"), ("X", "G")), (p["g1"], p["g2"]), "mode"), Jump.of("XX", "G", 0.3, "other")),
        couplings=(Coupling(("G", "X"), p["rabi1"], "one"), Coupling(("X", "XX"), p["rabi2"], "two")),
    )
    return qdot.Experiment(model, drive=drive)


def collective_by_hand(phase: float, scale: tuple[float, float] = (1.0, 1.0)) -> tuple[np.ndarray, list[np.ndarray]]:
    p = COLLECTIVE
    drive = p["rabi1"] / 2 * scale[0] * ket_bra(3, 1, 0) + p["rabi2"] / 2 * scale[1] * cmath.exp(-1j * math.pi * phase) * ket_bra(3, 2, 1)
    h = np.diag([0.0, p["shift1"], p["shift2"]]).astype(complex) + drive + drive.conj().T
    return h, [math.sqrt(p["g1"]) * ket_bra(3, 1, 2) + math.sqrt(p["g2"]) * ket_bra(3, 0, 1), math.sqrt(0.3) * ket_bra(3, 0, 2)]


def driven_collective() -> qdot.Experiment:
    return collective((CW(name="one"), CW(name="two", phase_pi=COLLECTIVE["phase"])))


def test_a_transposed_hamiltonian_would_show() -> None:
    """The right matrices agree; with H transposed (the sign of the phase lost), or two jumps for the collective one, g2 moves by more than 5 per cent."""
    h, (together, other) = collective_by_hand(COLLECTIVE["phase"])
    exp = driven_collective()
    right = dense_g2(liouvillian(h, [together, other]), click(together), click(together), TAU, 3)
    np.testing.assert_allclose(exp.g2(TAU, "mode").value, right, rtol=1e-11)
    generator = liouvillian(h, [together, other])
    flux = (trace_row(3) @ click(together) @ steady(generator, 3)).real
    assert exp.flux_per_ns("mode") == pytest.approx(flux, rel=1e-12)
    transposed = liouvillian(h.T, [together, other])
    wrong = dense_g2(transposed, click(together), click(together), TAU, 3)
    assert np.max(np.abs(wrong / right - 1)) > 0.05
    assert abs((trace_row(3) @ click(together) @ steady(transposed, 3)).real / flux - 1) > 0.005
    separate = [math.sqrt(2.0) * ket_bra(3, 1, 2), ket_bra(3, 0, 1), other]
    apart = liouvillian(h, separate)
    assert np.max(np.abs(dense_g2(apart, click(separate[0]) + click(separate[1]), click(separate[0]) + click(separate[1]), TAU, 3) / right - 1)) > 0.05


def test_a_missed_conjugate_would_show() -> None:
    """A collective jump with complex amplitudes, given as a matrix: c rho c^+, not c rho c^T, and c^+ c, not c^T c."""
    h, (together, other) = collective_by_hand(COLLECTIVE["phase"])
    together = together * np.exp(1j * np.array([[0.0], [0.9], [0.0]]))
    model = Model(
        levels=("G", "X", "XX"),
        jumps=(JumpOperator(sp.csr_array(together), "mode"), JumpOperator(sp.csr_array(other), "other")),
        couplings=(HamiltonianOperator(sp.csr_array(h)),),
    )
    exp = qdot.Experiment(model)
    right = dense_g2(liouvillian(h, [together, other]), click(together), click(together), TAU, 3)
    np.testing.assert_allclose(exp.g2(TAU, "mode").value, right, rtol=1e-11)
    wrong = dense_g2(liouvillian(h, [together.conj(), other]), click(together.conj()), click(together.conj()), TAU, 3)
    assert np.max(np.abs(wrong / right - 1)) > 0.05


def test_driven_collective_decay_against_qutip() -> None:
    h, jumps = collective_by_hand(COLLECTIVE["phase"])
    q, c_ops = qutip.Qobj(h), [qutip.Qobj(c) for c in jumps]
    rho, number = qutip.steadystate(q, c_ops), c_ops[0].dag() * c_ops[0]
    generator, after = qutip.liouvillian(q, c_ops), qutip.operator_to_vector(c_ops[0] * rho * c_ops[0].dag())
    flux = qutip.expect(number, rho)
    g2 = [qutip.expect(number, qutip.vector_to_operator((generator * t).expm() * after)) / flux**2 for t in TAU]
    exp = driven_collective()
    np.testing.assert_allclose(exp.g2(TAU, "mode").value, g2, rtol=1e-9)
    np.testing.assert_allclose([exp.populations()[n] for n in ("G", "X", "XX")], rho.diag(), rtol=1e-10)


def test_phase_between_two_lasers_has_the_stated_sign() -> None:
    """e(t) = f(t) exp(-i (delta t + pi phase)) on |upper><lower|: phase and detuning of a pulse against a stepper that knows neither frame nor series."""
    p, delta, length = COLLECTIVE, 2.1, 0.9
    drives = (Square(name="one", duration_ns=length), Square(name="two", duration_ns=length, phase_pi=p["phase"], detuning_ueV=delta * HBAR))
    n = collective(drives).photon_numbers("mode", max=4)
    rest, jumps = collective_by_hand(0.0, (0.0, 0.0))
    z = 0.6 * np.exp(2j * np.pi * np.arange(16) / 16)
    static, count = liouvillian(rest, jumps).toarray(), click(jumps[0]).toarray()
    up_one, up_two = p["rabi1"] / 2 * ket_bra(3, 1, 0), p["rabi2"] / 2 * ket_bra(3, 2, 1)
    one = liouvillian(up_one + up_one.T, []).toarray()
    up, down = (liouvillian(m, []).toarray() for m in (up_two, up_two.T))

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        x = y.reshape(9, 16)
        e = cmath.exp(-1j * (delta * t + math.pi * p["phase"]))
        return ((static + one + e * up + e.conjugate() * down) @ x + (count @ x) * (z - 1)).ravel()

    start = np.zeros((9, 16), dtype=complex)
    start[0] = 1.0
    x = solve_ivp(slope, (0, length), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-15).y[:, -1].reshape(9, 16)
    values = [trace_row(3) @ expm((static + (w - 1) * count) * 400.0) @ x[:, k] for k, w in enumerate(z)]
    expected = (np.fft.fft(values)[:5] / 16).real / 0.6 ** np.arange(5)
    np.testing.assert_allclose(n.probabilities, expected, rtol=1e-9, atol=1e-12)


def test_sudden_rotations_with_a_phase_interfere() -> None:
    """Two half-pi rotations with a phase phi and a waiting time t: the excited population after them is that of a Ramsey pair."""
    model = Model(levels=("G", "X"), energies_ueV={"X": 1.3 * HBAR}, jumps=(Jump.of("X", "G", 0.2, "x"),), couplings=(Coupling(("G", "X"), 1.0, "laser"),))
    t, phi = 0.8, 0.37
    drives = (Instant(area_pi=0.5), Instant(area_pi=0.5, start_ns=t, phase_pi=phi))
    n = qdot.Experiment(model, drive=drives).photon_numbers("x", max=2)
    # up to t the excited amplitude decays; photons before t leave G, which the second rotation takes to the equator
    survive, early = 0.5 * math.exp(-0.2 * t), 0.5 * -math.expm1(-0.2 * t)
    coherence = 0.5 * math.exp(-0.1 * t) * math.cos(1.3 * t - math.pi * phi)
    late = 0.5 * (0.5 + survive) + coherence  # excited, no photon before t
    np.testing.assert_allclose(n.probabilities, [0.5 * (0.5 + survive) - coherence, late + 0.5 * early, 0.5 * early], rtol=1e-12)


# ---- five levels, two modes ----------------------------------------------------------------------------------------------------------------------------

LEVELS = ("G", "D", "X_H", "X_V", "XX")
DECAYS = (
    ("XX", "X_H", 0.6),
    ("XX", "X_V", 0.6),
    ("X_H", "G", 0.5),
    ("X_V", "G", 0.5),
    ("D", "G", 0.02),
    ("X_H", "D", 0.03),
    ("X_V", "D", 0.03),
    ("D", "X_H", 0.01),
)
PUMPS = (("G", "X_H", 2e-3), ("G", "X_V", 3e-3), ("X_H", "XX", 2e-3), ("X_V", "XX", 3e-3), ("G", "D", 5e-3))
SHIFTS = {"X_H": 0.9, "X_V": -0.7, "XX": 0.4, "D": -1.5}


def two_modes() -> Model:
    def mode(name: str, detuning: float) -> Cavity:
        steps = (("XX", f"X_{name}"), (f"X_{name}", "G"))
        return Cavity(name, 4, 30.0, (4.0, 5.0), steps, detuning * HBAR, name)

    return Model(
        levels=LEVELS,
        energies_ueV={k: v * HBAR for k, v in SHIFTS.items()},
        jumps=tuple(Jump.of(*j) for j in (*DECAYS, *PUMPS)),
        cavities=(mode("H", 0.6), mode("V", -0.4)),
    )


def two_modes_by_hand() -> tuple[Any, dict[str, Any]]:
    """Liouvillian (6400, 6400) and the click of each mode."""
    index = {name: i for i, name in enumerate(LEVELS)}
    one = np.eye(4)

    def flip(to: str, start: str) -> Any:
        return sp.csr_array(np.kron(ket_bra(5, index[to], index[start]), np.eye(16)))

    modes = {"H": sp.csr_array(np.kron(np.kron(np.eye(5), lowering(4)), one)), "V": sp.csr_array(np.kron(np.kron(np.eye(5), one), lowering(4)))}
    h = sum(v * flip(k, k) for k, v in SHIFTS.items())
    for name, detuning in (("H", 0.6), ("V", -0.4)):
        a = modes[name]
        emit = a.T @ (4.0 * flip(f"X_{name}", "XX") + 5.0 * flip("G", f"X_{name}"))
        h = h + detuning * (a.T @ a) + emit + emit.conj().T
    jumps = [math.sqrt(r) * flip(b, a) for a, b, r in (*DECAYS, *PUMPS)]
    leaks = {k: math.sqrt(30.0) * a for k, a in modes.items()}
    return liouvillian(h, [*jumps, *leaks.values()]), {k: click(c) for k, c in leaks.items()}


def test_five_levels_and_two_modes_in_seconds() -> None:
    """6400 entries of the density matrix: steady state and 200 delays of g2, some of them against a sparse steady state and Krylov exponentials."""
    exp = qdot.Experiment(two_modes())
    tau = np.geomspace(1e-3, 300.0, 200)
    curve = exp.g2(tau, "H", "V")
    generator, clicks = two_modes_by_hand()
    row = trace_row(80)
    x = steady(generator, 80)
    after = clicks["H"] @ x
    norm = ((row @ after) * (row @ clicks["V"] @ x)).real
    for k in (0, 60, 110, 140):
        later = expm_multiply(generator * tau[k], after)
        assert curve.value[k] == pytest.approx((row @ clicks["V"] @ later).real / norm, rel=1e-9)
    assert curve.value[-1] == pytest.approx(1.0, abs=1e-4)
    weights = x.reshape(80, 80).diagonal().real.reshape(5, 16).sum(axis=1)
    np.testing.assert_allclose([exp.populations()[name] for name in LEVELS], weights, rtol=1e-10)
