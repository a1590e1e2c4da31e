"""Random models beside QuTiP: operators made here from the scenario's text, QuTiP's own Liouvillian, steady state, exponential and solver.

The second road shares no qdot code below the scenario text. QuTiP works in double precision, so agreement is asked relative to the largest value.
"""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from independent.dice import KINDS

from qdot import scenario

qutip = pytest.importorskip("qutip")
pytestmark = pytest.mark.peer
HBAR_UEV_NS = 0.6582119569
TOLERANCE = 2e-8
"""Of QuTiP's steady states and exponentials over nine decades of rates, relative to the largest value of a curve."""


class Written:
    """A continuous scenario as QuTiP operators: H, [(c, label or None)], levels' projectors."""

    def __init__(self, text: str) -> None:
        asked = tomllib.loads(text)
        self.levels = asked["levels"]
        cavities = asked.get("cavity", [])
        sizes = [len(self.levels), *(c["fock"] for c in cavities)]
        pulses = {d["name"]: d for d in asked.get("drive", [])}

        def on(factor: int, operator: Any) -> Any:
            return qutip.tensor([operator if k == factor else qutip.qeye(n) for k, n in enumerate(sizes)])

        def move(to: str, start: str) -> Any:
            n = len(self.levels)
            return on(0, qutip.basis(n, self.levels.index(to)) * qutip.basis(n, self.levels.index(start)).dag())

        self.h = 0 * on(0, qutip.qeye(sizes[0]))
        for level, energy in asked.get("energy_ueV", {}).items():
            self.h += energy / HBAR_UEV_NS * move(level, level)
        self.jumps: list[tuple[Any, str | None]] = []
        emits = set()
        for j in asked.get("jump", []):
            if "transitions" in j:
                pairs, rates = j["transitions"], j["rates_per_ns"]
            else:
                pairs, rates = [[j["from"], j["to"]]], [j["rate_per_ns"] if "rate_per_ns" in j else 1 / j["lifetime_ns"]]
            self.jumps.append((sum(np.sqrt(r) * move(b, a) for (a, b), r in zip(pairs, rates, strict=True)), j.get("photon")))
            if "photon" in j:
                emits |= {tuple(p) for p in pairs}
        for d in asked.get("dephasing", []):
            self.jumps.append((np.sqrt(2 * d["rate_per_ns"]) * move(d["level"], d["level"]), None))
        self.is_plain = True
        for c in asked.get("coupling", []):
            phase = 0.0
            if "drive" in c:
                light = pulses[c["drive"]]
                self.is_plain &= light["shape"] == "cw" and light.get("detuning_ueV", 0.0) == 0.0
                phase = np.pi * light.get("phase_pi", 0.0)
                lower, upper = c["between"]
                emitting = {(lower, upper), (upper, lower)} & emits
                if emitting == {(lower, upper)}:  # the emitting level is the upper one
                    lower, upper = upper, lower
                elif len(emitting) != 1:
                    self.is_plain &= phase == 0.0  # emission both ways, or only through a chain: left to the many-digit program
            else:
                lower, upper = c["between"]
            raising = c["rabi_per_ns"] / 2 * np.exp(-1j * phase) * move(upper, lower)
            self.h += raising + raising.dag()
        for k, c in enumerate(cavities):
            a = on(k + 1, qutip.destroy(c["fock"]))
            self.h += c.get("detuning_ueV", 0.0) / HBAR_UEV_NS * a.dag() * a
            for (start, to), g in zip(c["transitions"], np.broadcast_to(c["g_per_ns"], len(c["transitions"])), strict=True):
                self.h += g * (a.dag() * move(to, start) + a * move(start, to))
            self.jumps.append((np.sqrt(c["kappa_per_ns"]) * a, c.get("photon")))
        self.projectors = [move(name, name) for name in self.levels]
        self.weights = asked.get("collect", {})
        self.compute = asked["compute"]

    def after(self, label: str | list[str], rho: Any) -> Any:
        """J rho of a label, losses included."""
        names = [label] if isinstance(label, str) else label
        return sum((self.weights.get(p, 1.0) * c * rho * c.dag() for c, p in self.jumps if p in names), 0 * rho)


def check(kind: str, seed: int) -> bool:
    """True if the scenario is of the kind that is written out here."""
    text = KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind)]))
    theirs = Written(text)
    if not theirs.is_plain:
        return False
    ours = scenario.run(scenario.load(text))
    liouvillian = qutip.liouvillian(theirs.h, [c for c, _ in theirs.jumps])
    rho = qutip.steadystate(theirs.h, [c for c, _ in theirs.jumps], method="direct", solver="solve", sparse=False)
    populations = [qutip.expect(p, rho) for p in theirs.projectors]
    np.testing.assert_allclose(list(ours["populations"].values()), populations, rtol=0, atol=TOLERANCE)
    flux = {label: theirs.after(label, rho).tr() for label in ours["flux_per_ns"]}
    np.testing.assert_allclose(list(ours["flux_per_ns"].values()), list(flux.values()), rtol=0, atol=TOLERANCE * max(flux.values()))
    curves = ours["g2"] if isinstance(ours["g2"], list) else [ours["g2"]]
    tables = theirs.compute["g2"] if isinstance(theirs.compute["g2"], list) else [theirs.compute["g2"]]
    for curve, asked in zip(curves, tables, strict=True):
        first, second = asked["first"], asked.get("second", asked["first"])
        norm = theirs.after(first, rho).tr() * theirs.after(second, rho).tr()
        expected = []
        for tau in asked["tau_ns"]:
            a, b = (first, second) if tau >= 0 else (second, first)
            then = qutip.vector_to_operator((liouvillian * abs(tau)).expm() * qutip.operator_to_vector(theirs.after(a, rho)))
            expected.append((theirs.after(b, then).tr() / norm).real)
        np.testing.assert_allclose(curve["value"], expected, rtol=0, atol=1e-6 * max(1.0, np.max(np.abs(expected))))
    return True


KINDS_HERE = ("rate_continuous", "coherent_continuous", "cavity_continuous")


@pytest.mark.parametrize("seed", range(8))
def test_steady_light_of_random_models_is_that_of_qutip(seed: int) -> None:
    found = [check(kind, 10 * seed + k) for kind in KINDS_HERE[:2] for k in range(3)]
    assert any(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_steady_light_of_many_random_models_is_that_of_qutip(seed: int) -> None:
    found = [check(kind, 10 * seed + k) for kind in KINDS_HERE for k in range(2)]
    assert any(found)


@pytest.mark.parametrize("seed", range(6))
def test_photons_of_a_random_driven_ladder_are_those_of_a_counter_register(seed: int) -> None:
    """Two or three levels, Gaussian pulse with detuning and phase, a register that counts the photons in mesolve."""
    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(2, 4)), 7
    rates, rabi, sigma = rng.uniform(0.3, 2.0, n - 1), rng.uniform(0.5, 2.0, n - 1), float(rng.uniform(0.05, 0.2))
    area, detuning, phase = float(rng.uniform(0.5, 2.0)), float(rng.uniform(-2, 2)), float(rng.uniform(0, 2))
    levels = [f"L{k}" for k in range(n)]
    text = f'picture = "lindblad"\nlevels = {levels}\n'.replace("'", '"')
    for k in range(n - 1):
        text += f'[[jump]]\nfrom = "L{k + 1}"\nto = "L{k}"\nrate_per_ns = {rates[k]}\nphoton = "x"\n'
        text += f'[[coupling]]\nbetween = ["L{k}", "L{k + 1}"]\nrabi_per_ns = {rabi[k]}\ndrive = "laser"\n'
    fwhm = sigma * 2 * np.sqrt(np.log(2))
    text += f'[[drive]]\nname = "laser"\nshape = "gaussian"\nfwhm_ns = {fwhm}\narea_pi = {area}\ndetuning_ueV = {detuning}\nphase_pi = {phase}\n'
    text += '[compute]\nphoton_numbers = { max = 4, label = "x" }\n'
    ours = scenario.run(scenario.load(text))

    up = qutip.qdiags([1.0] * (count - 1), -1)
    lower = [qutip.basis(n, k) * qutip.basis(n, k + 1).dag() for k in range(n - 1)]
    jumps = [np.sqrt(r) * qutip.tensor(c, up) for r, c in zip(rates, lower, strict=True)]
    raising = qutip.tensor(sum(w / 2 * c.dag() for w, c in zip(rabi, lower, strict=True)), qutip.qeye(count))
    peak, centre = area * np.pi / (rabi[0] * sigma * np.sqrt(2 * np.pi)), 8 * sigma

    def envelope(t: float) -> complex:
        return peak * np.exp(-0.5 * ((t - centre) / sigma) ** 2 - 1j * (detuning / HBAR_UEV_NS * t + np.pi * phase))

    h = qutip.QobjEvo([[raising, envelope], [raising.dag(), lambda t: np.conj(envelope(t))]])
    start = qutip.ket2dm(qutip.tensor(qutip.basis(n, 0), qutip.basis(count, 0)))
    options = {"atol": 1e-12, "rtol": 1e-10, "max_step": sigma / 2, "nsteps": 1_000_000, "method": "vern9"}
    middle = qutip.mesolve(h, start, [0.0, 16 * sigma], jumps, options=options).final_state
    end = qutip.mesolve(0 * raising, middle, [0.0, 120.0], jumps, options=options | {"max_step": 1.0}).final_state
    np.testing.assert_allclose(ours["photon_numbers"], end.ptrace(1).diag()[:5].real, rtol=0, atol=3e-9)
