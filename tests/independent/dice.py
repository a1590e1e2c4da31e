"""Seeded random scenarios that make sense: a steady state that is reached, a count that ends.

Every kind is a function of a random generator that returns scenario text; `KINDS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LABELS = ("a", "b")


def table(kind: str, **entries: Any) -> str:
    """One [[kind]] table; a trailing underscore is dropped from keys."""
    return f"[[{kind}]]\n" + "".join(f"{k.rstrip('_')} = {toml(v)}\n" for k, v in entries.items() if v is not None)


def toml(v: Any) -> str:
    """A value as TOML text."""
    if isinstance(v, bool):
        return str(v).lower()
    if isinstance(v, str):
        return f'"{v}"'
    if isinstance(v, dict):
        return "{ " + ", ".join(f"{k} = {toml(w)}" for k, w in v.items()) + " }"
    if isinstance(v, (list, tuple, np.ndarray)):
        return "[" + ", ".join(toml(w) for w in v) + "]"
    return repr(float(v)) if isinstance(v, (float, np.floating)) else repr(int(v))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A positive number with four digits, even on a logarithmic axis."""
    return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.4g}")


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number with four digits."""
    return float(f"{rng.uniform(low, high):.4g}")


def head(levels: list[str], picture: str, rng: np.random.Generator, start: str | None = None) -> str:
    """First lines of a scenario."""
    start = start or str(rng.choice(levels))
    return f"picture = {toml(picture)}\nlevels = {toml(levels)}\nstart = {toml(start)}\n"


def energies(levels: list[str], rng: np.random.Generator, width_ueV: float) -> str:
    """[energy_ueV] of all but the first level."""
    return "[energy_ueV]\n" + "".join(f"{name} = {uniform(rng, -width_ueV, width_ueV)}\n" for name in levels[1:])


def some_label(rng: np.random.Generator, share: float = 0.5) -> str | None:
    """A label, or none."""
    return str(rng.choice(LABELS)) if rng.random() < share else None


def collect(rng: np.random.Generator, labels: set[str]) -> str:
    """[collect] for some of the labels that are emitted."""
    rows = [f"{name} = {uniform(rng, 0.05, 1.0)}\n" for name in sorted(labels) if rng.random() < 0.5]
    return "[collect]\n" + "".join(rows) if rows else ""


def delays(rng: np.random.Generator, slowest: float, fastest: float) -> list[float]:
    """Six delays: zero, both signs, from the fastest process to far beyond the slowest."""
    span = np.exp(np.linspace(np.log(0.1 / fastest), np.log(3 / slowest), 5))
    return [0.0, *(float(f"{t * s:.5g}") for t, s in zip(span, rng.choice([-1.0, 1.0], 5), strict=True))]


def ring(levels: list[str], rng: np.random.Generator, low: float, high: float) -> tuple[list[dict[str, Any]], set[str]]:
    """Jumps around all levels and a few across, at least one of each label."""
    jumps = [{"from_": a, "to": b} for a, b in zip(levels, levels[1:] + levels[:1], strict=True)]
    for _ in range(int(rng.integers(0, len(levels) + 1))):
        a, b = rng.choice(levels, 2, replace=False)
        jumps.append({"from_": str(a), "to": str(b)})
    labels = set()
    for i, j in enumerate(jumps):
        rate = log_uniform(rng, low, high)
        if rng.random() < 0.3:
            j["lifetime_ns"] = float(f"{1 / rate:.4g}")
        else:
            j["rate_per_ns"] = rate
        photon = LABELS[i] if i < 2 else some_label(rng)
        j["photon"] = photon
        if photon:
            labels.add(photon)
    return jumps, labels


def continuous(
    rng: np.random.Generator, picture: str, sizes: tuple[int, int], decades: tuple[float, float], extra: Callable[[list[str]], str] | None = None
) -> str:
    """A steady state, its light and g2 of each label, of both, and across."""
    levels = [f"L{i}" for i in range(int(rng.integers(sizes[0], sizes[1] + 1)))]
    jumps, labels = ring(levels, rng, *decades)
    text = head(levels, picture, rng)
    text += energies(levels, rng, 5.0) if extra is not None else ""
    if rng.random() < 0.5:
        for j in jumps:
            if rng.random() < 0.3:
                j["drive"] = "pump"
    text += "".join(table("jump", **j) for j in jumps)
    if any("drive" in j for j in jumps):
        text += table("drive", name="pump", shape="cw")
    if extra is not None:
        text += extra(levels)
    rates = [j["rate_per_ns"] if "rate_per_ns" in j else 1 / j["lifetime_ns"] for j in jumps]
    tau = delays(rng, min(rates), max(rates))
    asked = [{"tau_ns": tau, "first": "a", "second": "b"}, {"tau_ns": tau, "first": list(LABELS), "second": list(LABELS)}, {"tau_ns": tau, "first": "b"}]
    return text + collect(rng, labels) + f"[compute]\npopulations = true\nflux = true\ng2 = {toml(asked)}\n"


def rate_continuous(rng: np.random.Generator) -> str:
    """Rate equations, three decades."""
    return continuous(rng, "rate", (2, 6), (0.03, 30.0))


def rate_stiff(rng: np.random.Generator) -> str:
    """Rate equations, nine decades."""
    return continuous(rng, "rate", (3, 6), (1e-6, 1e3))


def coherence(rng: np.random.Generator, levels: list[str], detuned: bool) -> str:
    """Couplings along the ladder, dephasing and a collective jump."""
    text = ""
    n = int(rng.integers(1, len(levels)))
    chosen = sorted(rng.choice(len(levels) - 1, size=min(n, len(levels) - 1), replace=False))
    laser = detuned or rng.random() < 0.3
    for i in chosen:
        pair = [levels[i], levels[i + 1]]
        text += table("coupling", between=pair if rng.random() < 0.5 else pair[::-1], rabi_per_ns=uniform(rng, 0.2, 6.0), drive="laser" if laser else None)
    if laser:
        text += table("drive", name="laser", shape="cw", detuning_ueV=uniform(rng, -4, 4) if detuned else 0.0, phase_pi=uniform(rng, 0, 2))
    if rng.random() < 0.6:
        text += table("dephasing", level=str(rng.choice(levels)), rate_per_ns=uniform(rng, 0.05, 2.0))
    return text


def coherent_continuous(rng: np.random.Generator) -> str:
    """Master equation: driven, dephased, with collective jumps where no beam is detuned."""
    detuned = rng.random() < 0.4

    def extra(levels: list[str]) -> str:
        text = coherence(rng, levels, detuned)
        if not detuned and len(levels) > 2 and rng.random() < 0.7:
            pairs = [[levels[2], levels[1]], [levels[1], levels[0]]]
            text += table("jump", transitions=pairs, rates_per_ns=[uniform(rng, 0.2, 3.0) for _ in pairs], photon=str(rng.choice(LABELS)))
        return text

    return continuous(rng, "lindblad", (2, 4), (0.1, 10.0), extra)


def coherent_stiff(rng: np.random.Generator) -> str:
    """Master equation with seven decades of rates."""
    return continuous(rng, "lindblad", (3, 4), (1e-4, 1e3), lambda levels: coherence(rng, levels, False))


def ladder(rng: np.random.Generator, low: float, high: float, sizes: tuple[int, int]) -> tuple[list[str], list[dict[str, Any]], set[str]]:
    """Levels whose undriven jumps only lead down: every photon count ends."""
    levels = [f"L{i}" for i in range(int(rng.integers(sizes[0], sizes[1] + 1)))]
    jumps, labels = [], set()
    for i in range(1, len(levels)):
        for k, j in enumerate(rng.permutation(i)[: 1 + int(rng.random() < 0.3)]):
            photon = LABELS[i % 2] if k == 0 else some_label(rng)
            jumps.append({"from_": levels[i], "to": levels[int(j)], "rate_per_ns": log_uniform(rng, low, high), "photon": photon})
            if photon:
                labels.add(photon)
    return levels, jumps, labels


def emitted(jumps: list[dict[str, Any]], couplings: list[list[str]], start: str) -> set[str]:
    """Labels of the light that can be emitted from a start level."""
    reached, before = {start}, set()
    while reached != before:
        before = set(reached)
        reached |= {j["to"] for j in jumps if j["from_"] in reached} | {b for pair in couplings for b in pair if set(pair) & reached}
    return {j["photon"] for j in jumps if j["photon"] and j["from_"] in reached}


def envelope(
    rng: np.random.Generator, shape: str, name: str, start: float, area: float | None, jumps: bool, coherent: bool, period: float | None, scale: float
) -> str:
    """One pulsed [[drive]]."""
    entries: dict[str, Any] = {"name": name, "shape": shape, "start_ns": start, "area_pi": area, "period_ns": period}
    if shape == "square":
        entries["duration_ns"] = uniform(rng, 0.05, 0.5) * scale
    elif shape == "gaussian":
        entries["fwhm_ns"] = uniform(rng, 0.02, 0.06) * scale
    elif jumps:
        entries["dose_ns"] = uniform(rng, 0.1, 2.0)
    if coherent and rng.random() < 0.6:
        entries["phase_pi"] = uniform(rng, 0, 2)
        entries["detuning_ueV"] = uniform(rng, -6, 6)
        if shape != "instant" and rng.random() < 0.5:
            entries["chirp_per_ns2"] = uniform(rng, -20, 20)
    return table("drive", **entries)


def pulsed(
    rng: np.random.Generator, picture: str, sizes: tuple[int, int], decades: tuple[float, float], shapes: tuple[str, ...], train: bool, joint: bool = False
) -> str:
    """Photon numbers under one or two drives; a train also has populations, flux and side peaks."""
    coherent = picture == "lindblad"
    levels, jumps, labels = ladder(rng, *decades, sizes)
    start = levels[0] if train else str(rng.choice(levels))
    pairs: list[list[str]] = []
    text = energies(levels, rng, 3.0) if coherent else ""
    if train and rng.random() < 0.5:
        jumps.append({"from_": levels[0], "to": levels[-1], "rate_per_ns": log_uniform(rng, 1e-3, 0.1), "photon": None})
    period = uniform(rng, 3.0, 9.0) if train else None
    pumped = [False, False]
    names = ["laser", "second"] if rng.random() < 0.4 else ["laser"]
    for k, name in enumerate(names):
        if not coherent or rng.random() < 0.4:
            up = sorted(rng.choice(len(levels), 2, replace=False)) if k else [0, int(rng.integers(1, len(levels)))]
            photon = some_label(rng, 0.2)
            labels |= {photon} if photon else set()
            jumps.append({"from_": levels[up[0]], "to": levels[up[1]], "rate_per_ns": log_uniform(rng, 0.5, 20.0), "photon": photon, "drive": name})
            pumped[k] = True
    text += "".join(table("jump", **j) for j in jumps)
    for k, name in enumerate(names):
        if coherent:
            i = int(rng.integers(0, len(levels) - 1))
            if k == 0:
                i = 0
            pair = [levels[i], levels[i + 1]]
            pairs.append(pair)
            text += table("coupling", between=pair if rng.random() < 0.5 else pair[::-1], rabi_per_ns=uniform(rng, 0.5, 2.0), drive=name)
            if len(levels) > 2 and rng.random() < 0.5:
                pairs.append(levels[1:3])
                text += table("coupling", between=levels[1:3], rabi_per_ns=uniform(rng, 0.5, 2.0), drive=name)
    if coherent and rng.random() < 0.4:
        text += table("dephasing", level=str(rng.choice(levels)), rate_per_ns=uniform(rng, 0.05, 2.0))
    if coherent and len(levels) > 2 and rng.random() < 0.4:
        both = [[levels[2], levels[1]], [levels[1], levels[0]]]
        photon = str(rng.choice(LABELS))
        jumps += [{"from_": a, "to": b, "photon": photon} for a, b in both]
        text += table("jump", transitions=both, rates_per_ns=[uniform(rng, 0.2, 3.0) for _ in both], photon=photon)
    if train and coherent and rng.random() < 0.3:
        text += table("coupling", between=levels[:2], rabi_per_ns=uniform(rng, 0.1, 1.0), drive="steady") + table(
            "drive", name="steady", shape="cw", phase_pi=uniform(rng, 0, 2)
        )
    for k, name in enumerate(names):
        for pulse in range(1 + int(rng.random() < 0.2)):
            shape = str(rng.choice(shapes))
            begins = uniform(rng, 0.0, 1.0) if k + pulse or rng.random() < 0.5 else 0.0
            area = uniform(rng, 0.3, 3.0) if coherent and (shape == "instant" or rng.random() < 0.8) else None
            text += envelope(rng, shape, name, begins, area, pumped[k], coherent, period, 1.0)
    labels = emitted(jumps, pairs, start)
    if not labels or (joint and labels != set(LABELS)):
        start = levels[-1]
        labels = emitted(jumps, pairs, start)
    text = head(levels, picture, rng, start) + text
    label = "a" if "a" in labels else "b"
    ask: dict[str, Any] = {"max": int(rng.integers(2, 7)), "label": label}
    if rng.random() < 0.3 and labels == set(LABELS):
        ask["label"] = list(LABELS)
    if joint and labels == set(LABELS):
        ask = {"max": 2, "labels": list(LABELS)}
    text += collect(rng, labels) + f"[compute]\nphoton_numbers = {toml(ask)}\n"
    if train:
        text += "populations = true\nflux = true\n" + ("side_peaks = 3\n" if "label" in ask else "")
    return text


def rate_pulse(rng: np.random.Generator) -> str:
    """Rate equations, one pulse of any shape."""
    return pulsed(rng, "rate", (2, 6), (0.1, 20.0), ("square", "gaussian", "instant"), False)


def rate_pulse_stiff(rng: np.random.Generator) -> str:
    """Rate equations over nine decades, one pulse."""
    return pulsed(rng, "rate", (3, 6), (1e-6, 1e3), ("square", "instant"), False)


def rate_train(rng: np.random.Generator) -> str:
    """Rate equations, a train with memory."""
    return pulsed(rng, "rate", (2, 5), (1e-2, 20.0), ("square", "instant", "gaussian"), True)


def rate_train_stiff(rng: np.random.Generator) -> str:
    """Rate equations, a train whose memory lasts for up to a million periods."""
    return pulsed(rng, "rate", (3, 5), (1e-6, 1e2), ("square", "instant"), True)


def rate_joint(rng: np.random.Generator) -> str:
    """Rate equations, joint numbers of two labels."""
    return pulsed(rng, "rate", (3, 4), (0.1, 20.0), ("square", "instant"), False, joint=True)


def coherent_pulse(rng: np.random.Generator) -> str:
    """Master equation, one pulse without time structure inside."""
    return pulsed(rng, "lindblad", (2, 4), (0.1, 10.0), ("instant",), False)


def coherent_shaped(rng: np.random.Generator) -> str:
    """Master equation, shaped pulses with detuning, chirp and phase."""
    return pulsed(rng, "lindblad", (2, 3), (0.1, 10.0), ("square", "gaussian", "instant"), False)


def coherent_shaped_larger(rng: np.random.Generator) -> str:
    """The same with four and five levels."""
    return pulsed(rng, "lindblad", (4, 5), (0.1, 10.0), ("square", "gaussian"), False)


def coherent_train(rng: np.random.Generator) -> str:
    """Master equation, a train."""
    return pulsed(rng, "lindblad", (2, 3), (0.1, 10.0), ("instant", "square"), True)


def coherent_train_shaped(rng: np.random.Generator) -> str:
    """Master equation, a train of Gaussian pulses on two levels."""
    return pulsed(rng, "lindblad", (2, 2), (0.3, 5.0), ("gaussian",), True)


def coherent_joint(rng: np.random.Generator) -> str:
    """Master equation, joint numbers of two labels."""
    return pulsed(rng, "lindblad", (3, 3), (0.3, 10.0), ("instant",), False, joint=True)


def cavity_decay(rng: np.random.Generator) -> str:
    """An excited ladder that decays through a cavity, beside it and with dephasing; enough number states to be exact."""
    levels, jumps, labels = ladder(rng, 0.2, 5.0, (2, 3))
    start = levels[-1]
    fock = len(levels)
    text = head(levels, "lindblad", rng, start) + energies(levels, rng, 3.0) + "".join(table("jump", **j) for j in jumps)
    steps = [[levels[i + 1], levels[i]] for i in range(len(levels) - 1)]
    g = [uniform(rng, 0.5, 6.0) for _ in steps]
    kappa, detuning = uniform(rng, 1.0, 10.0), uniform(rng, -2, 2)
    text += table("cavity", name="H", fock=fock, kappa_per_ns=kappa, detuning_ueV=detuning, g_per_ns=g, transitions=steps, photon="c")
    text += table("dephasing", level=levels[-1], rate_per_ns=uniform(rng, 0.05, 2.0)) if rng.random() < 0.5 else ""
    return (
        text
        + collect(rng, {*labels, "c"})
        + "[compute]\n"
        + f"photon_numbers = {toml({'max': fock, 'label': 'c' if rng.random() < 0.6 else ['c', *sorted(labels)]})}\n"
    )


def cavity_pulse(rng: np.random.Generator) -> str:
    """A two-level emitter in a cavity after one sudden rotation, counted to infinity."""
    text = head(["G", "X"], "lindblad", rng, "G") + energies(["G", "X"], rng, 3.0)
    text += table("jump", from_="X", to="G", rate_per_ns=uniform(rng, 0.1, 2.0), photon="a")
    text += table(
        "cavity",
        name="H",
        fock=2,
        kappa_per_ns=uniform(rng, 1, 10),
        detuning_ueV=uniform(rng, -2, 2),
        g_per_ns=uniform(rng, 0.5, 5),
        transitions=[["X", "G"]],
        photon="c",
    )
    text += table("coupling", between=["G", "X"], rabi_per_ns=1.0, drive="laser")
    text += table("drive", name="laser", shape="instant", area_pi=uniform(rng, 0.2, 0.99), phase_pi=uniform(rng, 0, 2), start_ns=uniform(rng, 0, 1))
    return text + collect(rng, {"a", "c"}) + f"[compute]\nphoton_numbers = {toml({'max': 2, 'labels': ['a', 'c']})}\n"


def cavity_continuous(rng: np.random.Generator) -> str:
    """A weakly pumped two-level emitter in a cavity; compared at the number of states it is given."""
    text = head(["G", "X"], "lindblad", rng, "G") + energies(["G", "X"], rng, 2.0)
    text += table("jump", from_="G", to="X", rate_per_ns=log_uniform(rng, 1e-3, 1e-1))
    text += table("jump", from_="X", to="G", rate_per_ns=uniform(rng, 0.1, 1.0), photon="a")
    text += table("dephasing", level="X", rate_per_ns=uniform(rng, 0.1, 1.0))
    text += table(
        "cavity",
        name="H",
        fock=4,
        kappa_per_ns=uniform(rng, 5, 20),
        detuning_ueV=uniform(rng, -2, 2),
        g_per_ns=uniform(rng, 1, 4),
        transitions=[["X", "G"]],
        photon="c",
    )
    asked = [{"tau_ns": [0.0, 0.1, -0.5, 3.0], "first": "a", "second": "c"}, {"tau_ns": [0.05, 1.0], "first": ["a", "c"]}]
    return text + collect(rng, {"a", "c"}) + f"[compute]\nrtol = 1e-3\npopulations = true\nflux = true\ng2 = {toml(asked)}\n"


KINDS: dict[str, Callable[[np.random.Generator], str]] = {
    f.__name__: f
    for f in (
        rate_continuous,
        rate_stiff,
        coherent_continuous,
        coherent_stiff,
        rate_pulse,
        rate_pulse_stiff,
        rate_train,
        rate_train_stiff,
        rate_joint,
        coherent_pulse,
        coherent_shaped,
        coherent_shaped_larger,
        coherent_train,
        coherent_train_shaped,
        coherent_joint,
        cavity_decay,
        cavity_pulse,
        cavity_continuous,
    )
}
