"""The generator against QuTiP's own operators, frames against explicit energies, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import qutip
import scipy.linalg

import qdot
from qdot import Experiment, InputError, drive, lindblad
from qdot.model import Cavity, Coupling, Dephasing, HamiltonianOperator, Jump, JumpOperator, Model
from qdot.units import HBAR_UEV_NS


def lambda_model(**changes) -> Model:
    """Complex, collective and detuned: a transposed H or a missed conjugate changes what is seen."""
    fields = {
        "levels": ("G", "A", "B", "E"),
        "energies_ueV": {"A": 0.4, "B": -0.9, "E": 0.3},
        "jumps": (
            Jump((("E", "A"), ("E", "B")), (0.8, 0.5), "up"),
            Jump((("A", "G"), ("B", "G")), (0.3, 0.9), "low"),
            Jump.of("G", "A", 0.2),
        ),
        "couplings": (Coupling(("G", "A"), 0.7, "one"), Coupling(("B", "E"), 0.5, "two"), Coupling(("G", "E"), 0.4)),
        "dephasings": (Dephasing("E", 0.15),),
    }
    return Model(**{**fields, **changes})


DRIVES = (drive.CW(name="one", phase_pi=0.3), drive.CW(name="two", phase_pi=-0.55))


def by_hand() -> tuple[qutip.Qobj, list[qutip.Qobj]]:
    """The same model written for QuTiP from the equations, not from qdot."""
    g, a, b, e = (qutip.basis(4, k) for k in range(4))
    h = (0.4 * a * a.dag() - 0.9 * b * b.dag() + 0.3 * e * e.dag()) / 0.6582119569
    for low, up, rabi, phase in ((g, a, 0.7, 0.3), (b, e, 0.5, -0.55), (g, e, 0.4, 0.0)):
        term = 0.5 * rabi * np.exp(-1j * np.pi * phase) * up * low.dag()
        h = h + term + term.dag()
    up = math.sqrt(0.8) * a * e.dag() + math.sqrt(0.5) * b * e.dag()
    low = math.sqrt(0.3) * g * a.dag() + math.sqrt(0.9) * g * b.dag()
    return h, [up, low, math.sqrt(0.2) * a * g.dag(), math.sqrt(0.3) * e * e.dag()]


def test_complex_coherences_agree_with_qutip() -> None:
    h, c_ops = by_hand()
    rho = qutip.steadystate(h, c_ops, method="direct")
    e = Experiment(lambda_model(), DRIVES)
    np.testing.assert_allclose(list(e.populations().values()), rho.diag().real, rtol=1e-10)
    taus = np.array([0.0, 0.1, 0.7, 3.0, 20.0])
    liouvillian = qutip.liouvillian(h, c_ops)
    for first, second in ((0, 1), (1, 0), (1, 1)):
        a, b = c_ops[first], c_ops[second]
        after = a * rho * a.dag()
        steps = [((liouvillian * t).expm() * qutip.operator_to_vector(after)) for t in taus]
        expected = [qutip.expect(b.dag() * b, qutip.vector_to_operator(v)) for v in steps]
        expected = np.real(expected) / (qutip.expect(a.dag() * a, rho) * qutip.expect(b.dag() * b, rho))
        labels = ("up", "low")
        np.testing.assert_allclose(e.g2(taus, labels[first], labels[second]).value, expected, rtol=1e-9)


def test_qutip_operators_in_and_out_give_the_same_light() -> None:
    h, c_ops = by_hand()
    given = qdot.from_qutip(h, c_ops, channels={"up": [0], "low": [1]})
    own = Experiment(lambda_model(), DRIVES)
    taus = np.array([0.0, 0.3, 2.0])
    np.testing.assert_allclose(given.g2(taus, "up", "low").value, own.g2(taus, "up", "low").value, rtol=1e-12)
    out = lambda_model().to_qutip()
    assert out.channels == {"up": [0], "low": [1]}
    total = out.H
    for name, envelope, operator in out.driven:
        assert envelope == "field"
        phase = next(d.phase_pi for d in DRIVES if d.name == name)
        total = total + operator * np.exp(-1j * np.pi * phase) + operator.dag() * np.exp(1j * np.pi * phase)
    assert (total - h).norm() < 1e-12
    for mine, theirs in zip(out.c_ops, c_ops, strict=True):
        assert (mine - theirs).norm() < 1e-12


def test_a_cavity_from_qutip_is_a_tensor_product() -> None:
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 0.3, "leak"),), cavities=(Cavity("c", 3, 2.0, (0.8,), (("X", "G"),), 0.2, "mode"),), start="X")
    out = model.to_qutip()
    a = qutip.tensor(qutip.qeye(2), qutip.destroy(3))
    lower = qutip.tensor(qutip.basis(2, 0) * qutip.basis(2, 1).dag(), qutip.qeye(3))
    h = 0.8 * (a.dag() * lower + lower.dag() * a) + 0.2 / HBAR_UEV_NS * a.dag() * a
    assert (out.H - h).norm() < 1e-12
    given = qdot.from_qutip(
        h, [math.sqrt(2.0) * a, math.sqrt(0.3) * lower], channels={"mode": [0], "leak": [1]}, start=qutip.tensor(qutip.basis(2, 1), qutip.basis(3, 0))
    )
    mine, theirs = Experiment(model).photon_numbers("mode", max=2), given.photon_numbers("mode", max=2)
    np.testing.assert_allclose(mine.probabilities, theirs.probabilities, rtol=1e-12, atol=1e-15)
    assert mine.mean_photons == pytest.approx(1 - Experiment(model).photon_numbers("leak").mean_photons, rel=1e-12)


def test_qutip_operators_build_models() -> None:
    a, n = qutip.destroy(3), qutip.num(3)
    fields = {"jumps": (JumpOperator(math.sqrt(0.7) * a, "mode"),), "couplings": (HamiltonianOperator(0.4 * (a + a.dag())), HamiltonianOperator(0.2 * n))}
    model = Model(("0", "1", "2"), **fields)
    rho = qutip.steadystate(0.4 * (a + a.dag()) + 0.2 * n, [math.sqrt(0.7) * a], method="direct")
    np.testing.assert_allclose(list(Experiment(model).populations().values()), rho.diag().real, rtol=1e-10)
    with pytest.raises(InputError, match="2 states"):
        Model(("0", "1"), **fields)


def test_a_pulsed_qutip_model_takes_a_drive() -> None:
    sm = qutip.basis(2, 0) * qutip.basis(2, 1).dag()
    pulse = drive.Square(duration_ns=1.0, area_pi=1.0)
    both = [
        qdot.from_qutip([0 * sm, [operator, pulse]], [sm], channels={"X": [0]}).photon_numbers("X", max=3).probabilities
        for operator in (0.5 * sm.dag(), sm + sm.dag())
    ]
    np.testing.assert_allclose(both[0], [0.0199140719, 0.8876107754, 0.0910069274, 0.0014605674], rtol=0, atol=5.1e-11)
    np.testing.assert_allclose(both[1], both[0], rtol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_detuned_laser_is_a_shifted_level(sign: float) -> None:
    def ladder(energy: float) -> Model:
        jumps = (Jump.of("X", "G", 1.0, "X"), Jump.of("XX", "X", 2.0, "XX"))
        couplings = (Coupling(("G", "X"), 0.8, "laser"), Coupling(("X", "XX"), 0.8, "laser"))
        return Model(("G", "X", "XX"), energies_ueV={"X": energy, "XX": 2 * energy - 0.7}, jumps=jumps, couplings=couplings)

    detuned = Experiment(ladder(0.0), drive.CW(detuning_ueV=sign * 0.9))
    shifted = Experiment(ladder(-sign * 0.9), drive.CW())
    np.testing.assert_allclose(list(detuned.populations().values()), list(shifted.populations().values()), rtol=1e-12)
    pulse = {"fwhm_ns": 0.4, "area_pi": 0.8}
    detuned = Experiment(ladder(0.0), drive.Gaussian(detuning_ueV=sign * 0.9, **pulse))
    shifted = Experiment(ladder(-sign * 0.9), drive.Gaussian(**pulse))
    np.testing.assert_allclose(detuned.photon_numbers(["XX", "X"]).probabilities, shifted.photon_numbers(["XX", "X"]).probabilities, rtol=1e-10)


def test_pulses_beside_a_detuned_continuous_laser_are_refused_where_their_phase_is_not_fixed() -> None:
    couplings = (Coupling(("G", "X"), 0.5, "cw"), Coupling(("G", "X"), 1.0, "pulse"))
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"),), couplings=couplings)
    pulse = drive.Gaussian(name="pulse", fwhm_ns=0.3, area_pi=1.3, period_ns=6.0, detuning_ueV=-0.5)
    with pytest.raises(InputError, match="frame of the continuous laser"):
        Experiment(model, (drive.CW(name="cw", detuning_ueV=0.9), pulse)).photon_numbers("X")
    assert Experiment(model, (drive.CW(name="cw"), pulse)).photon_numbers("X").mean_photons > 0


def test_a_cavity_with_a_slowly_falling_tail_states_its_cutoff_error() -> None:
    """One-atom laser above threshold: photon numbers fall off slowly, so that one more number state changes little of what is missing."""

    def light(fock: int, rtol: float) -> Experiment:
        jumps = (Jump.of("X", "G", 10.0), Jump.of("G", "X", 10.0))
        return Experiment(Model(("G", "X"), jumps=jumps, cavities=(Cavity("c", fock, 0.02, (1.0,), (("X", "G"),), photon="c"),)), rtol=rtol)

    exact = float(light(80, 1e-6).flux_per_ns("c"))
    for fock in (14, 20, 30):
        cut = light(fock, 1.0).flux_per_ns("c")
        assert abs(cut - exact) <= cut.error_bound * exact
    with pytest.raises(InputError, match="fock"):
        light(20, 1e-9).flux_per_ns("c")


def test_instants_of_one_moment_act_together_whatever_their_order() -> None:
    jumps = (Jump.of("G", "D", 0.7, drive="a"), Jump.of("D", "X", 0.4, drive="b"), Jump.of("X", "G", 2.0, "X"), Jump.of("D", "G", 0.1))
    model = Model(("G", "D", "X"), jumps=jumps)
    both = [drive.Instant(name="a", dose_ns=1.3, start_ns=0.5), drive.Instant(name="b", dose_ns=2.1, start_ns=0.5)]
    w = np.zeros((3, 3))
    w[1, 0], w[2, 1] = 0.7 * 1.3, 0.4 * 2.1
    loaded = scipy.linalg.expm(w - np.diag(w.sum(axis=0)))[:, 0]
    for order in (both, both[::-1]):
        assert Experiment(model, order).photon_numbers("X").probabilities[1] == pytest.approx(loaded[2], rel=1e-12)


def test_two_lasers_of_different_colour_on_one_transition_have_no_steady_state() -> None:
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"),), couplings=(Coupling(("G", "X"), 1.0, "a"), Coupling(("G", "X"), 1.0, "b")))
    with pytest.raises(InputError, match="rotating frame"):
        Experiment(model, (drive.CW(name="a", detuning_ueV=1.0), drive.CW(name="b"))).populations()


@pytest.mark.parametrize("picture", ["rate", "lindblad"])
def test_light_that_leaves_the_state_as_it_is_is_counted_in_both_pictures(picture) -> None:
    probe = JumpOperator(np.diag([0.0, np.sqrt(0.7)]), photon="probe")
    model = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, photon="X"), Jump.of("G", "X", 0.5), probe))
    assert qdot.Experiment(model, picture=picture).flux_per_ns("probe") == pytest.approx(0.7 / 3.0, rel=1e-12)


def test_a_lindblad_generator_is_real_and_keeps_the_trace() -> None:
    g = lindblad(lambda_model())
    assert g.static.dtype == float
    assert np.abs(g.trace @ g.static).max() < 1e-15
    for part in g.driven.values():
        assert np.abs(g.trace @ part).max() < 1e-15


@pytest.mark.parametrize(
    ("bad_input", "message"),
    [
        (lambda: qdot.from_qutip(qutip.destroy(2), [], {}), "Hermitian"),
        (lambda: qdot.from_qutip(qutip.sigmax(), [qutip.destroy(2)], {"a": [1]}), "c_ops"),
        (lambda: qdot.from_qutip(qutip.sigmax(), [qutip.destroy(3)], {"a": [0]}), "shape"),
        (lambda: qdot.from_qutip(qutip.sigmax(), [qutip.destroy(2)], {"a": [0], "b": [0]}), "once"),
        (lambda: qdot.from_qutip([qutip.sigmax(), [qutip.sigmax(), "cos(t)"]], [], {}), "drive"),
        (lambda: qdot.from_qutip(qutip.sigmax(), [qutip.destroy(2)], {"a": [0]}, start=qutip.basis(2, 0) * 2), "normalised"),
        (lambda: Experiment(lambda_model()).populations(), "be given"),
        (lambda: Experiment(lambda_model(), (*DRIVES, drive.CW(name="three"))).populations(), "three"),
        (lambda: Experiment(lambda_model(), (*DRIVES, drive.CW(name="two"))).populations(), "alone"),
    ],
)
def test_bad_input_is_told(bad_input, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bad_input()
