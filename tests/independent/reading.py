"""From scenario text to matrices: Hamiltonian, jumps, light pulses, all in many-digit numbers.

Operators are dictionaries {(row, column): value}; superoperators act on the column-stacked density matrix, entry (i, j) at i + d j.
"""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass, field
from typing import Any

from flint import acb, acb_mat, arb

Operator = dict[tuple[int, int], acb]
HBAR = 0.6582119569  # ueV ns


@dataclass
class Light:
    """One pulse or one continuous beam. The field is height * shape * exp(-i phase); intensities peak at 1."""

    name: str
    shape: str
    start: arb
    end: arb
    centre: arb
    sigma: arb | None
    height: arb  # of the field; for "instant" the factor that turns the first coupling's Rabi frequency into its area
    dose: arb
    detuning: arb
    chirp: arb
    phase: arb


@dataclass
class Case:
    """A scenario as numbers. Superoperators are (size, size) matrices; `counted` ones hold the photon-emitting part, per label and weighted by collection."""

    picture: str
    levels: list[str]
    size: int
    start: acb_mat
    trace: acb_mat
    level_sums: dict[str, acb_mat]
    static: acb_mat
    static_counted: dict[str, acb_mat]
    lights: list[Light]
    field_up: dict[str, acb_mat]  # multiplies e(t)
    field_down: dict[str, acb_mat]  # multiplies conj e(t)
    intensity: dict[str, acb_mat]
    intensity_counted: dict[str, dict[str, acb_mat]]
    period: arb | None
    labels: list[str]
    compute: dict[str, Any] = field(default_factory=dict)


def times(a: Operator, b: Operator) -> Operator:
    """Matrix product of two dictionaries."""
    out: Operator = {}
    rows: dict[int, list[tuple[int, acb]]] = {}
    for (i, j), v in b.items():
        rows.setdefault(i, []).append((j, v))
    for (i, k), v in a.items():
        for j, w in rows.get(k, []):
            out[i, j] = out.get((i, j), acb(0)) + v * w
    return out


def plus(*operators: Operator) -> Operator:
    """Sum of dictionaries."""
    out: Operator = {}
    for o in operators:
        for key, v in o.items():
            out[key] = out.get(key, acb(0)) + v
    return out


def scaled(a: Operator, factor: Any) -> Operator:
    """Number times dictionary."""
    return {key: v * acb(factor) for key, v in a.items()}


def dagger(a: Operator) -> Operator:
    """Adjoint."""
    return {(j, i): v.conjugate() for (i, j), v in a.items()}


def sandwich(left: Operator, right: Operator, d: int) -> Operator:
    """rho -> left rho right on the stacked columns: right^T (x) left."""
    return {(i + d * n, j + d * m): v * w for (i, j), v in left.items() for (m, n), w in right.items()}


def unit(d: int) -> Operator:
    """Identity."""
    return {(i, i): acb(1) for i in range(d)}


def commutator(h: Operator, d: int) -> Operator:
    """rho -> -i (h rho - rho h); h need not be Hermitian."""
    return plus(scaled(sandwich(h, unit(d), d), acb(0, -1)), scaled(sandwich(unit(d), h, d), acb(0, 1)))


def decay(c: Operator, d: int) -> Operator:
    """rho -> c rho c^+ - (c^+ c rho + rho c^+ c)/2."""
    n = scaled(times(dagger(c), c), 0.5)
    return plus(sandwich(c, dagger(c), d), scaled(plus(sandwich(n, unit(d), d), sandwich(unit(d), n, d)), -1))


def dense(a: Operator, rows: int, columns: int) -> acb_mat:
    """Dictionary to matrix."""
    m = acb_mat(rows, columns)
    for (i, j), v in a.items():
        m[i, j] = v
    return m


def exact(x: Any) -> arb:
    """The double-precision number that the text stands for, exactly."""
    return arb(float(x))


def read(text: str) -> Case:
    """The numbers behind a scenario file, at the working precision now set."""
    s = tomllib.loads(text)
    levels: list[str] = s["levels"]
    cavities = s.get("cavity", [])
    focks = [c["fock"] for c in cavities]
    states = list(itertools.product(range(len(levels)), *(range(f) for f in focks)))
    where = {state: i for i, state in enumerate(states)}
    d = len(states)
    number = {name: i for i, name in enumerate(levels)}

    def flip(pairs: list[tuple[str, str, Any]]) -> Operator:
        """sum value |to><from| from (from, to, value); modes untouched."""
        out: Operator = {}
        for a, b, v in pairs:
            for state, i in where.items():
                if state[0] == number[a]:
                    key = (where[(number[b], *state[1:])], i)
                    out[key] = out.get(key, acb(0)) + acb(v)
        return out

    def lowering(k: int) -> Operator:
        """Photon annihilation of cavity k."""
        out: Operator = {}
        for state, i in where.items():
            if state[1 + k] > 0:
                lower = list(state)
                lower[1 + k] -= 1
                out[where[tuple(lower)], i] = acb(arb(state[1 + k]).sqrt())
        return out

    # jumps: (operator, label, drive)
    jumps: list[tuple[Operator, str | None, str | None]] = []
    plain: list[tuple[str, str, arb, str | None, str | None]] = []
    emits: set[tuple[str, str]] = set()
    for j in s.get("jump", []):
        if "transitions" in j:
            pairs = [(a, b, exact(r).sqrt()) for (a, b), r in zip(j["transitions"], j["rates_per_ns"], strict=True)]
        else:
            rate = exact(j["rate_per_ns"]) if "rate_per_ns" in j else 1 / exact(j["lifetime_ns"])
            pairs = [(j["from"], j["to"], rate.sqrt())]
            plain.append((j["from"], j["to"], rate, j.get("photon"), j.get("drive")))
        if j.get("photon") is not None and j.get("drive") is None:
            emits |= {(a, b) for a, b, _ in pairs}
        jumps.append((flip(pairs), j.get("photon"), j.get("drive")))
    for c in s.get("dephasing", []):
        jumps.append((flip([(c["level"], c["level"], (2 * exact(c["rate_per_ns"])).sqrt())]), None, None))

    hamiltonian = flip([(name, name, exact(e) / exact(HBAR)) for name, e in s.get("energy_ueV", {}).items()])
    modes: list[tuple[Operator, list[tuple[str, str]]]] = []
    for k, c in enumerate(cavities):
        a = lowering(k)
        strengths = c["g_per_ns"] if isinstance(c["g_per_ns"], list) else [c["g_per_ns"]] * len(c["transitions"])
        emit = times(dagger(a), flip([(x, y, exact(g)) for (x, y), g in zip(c["transitions"], strengths, strict=True)]))
        hamiltonian = plus(hamiltonian, emit, dagger(emit), scaled(times(dagger(a), a), exact(c.get("detuning_ueV", 0.0)) / exact(HBAR)))
        jumps.append((scaled(a, exact(c["kappa_per_ns"]).sqrt()), c.get("photon"), None))
        emits |= {(x, y) for x, y in c["transitions"]}
        modes.append((a, [tuple(t) for t in c["transitions"]]))

    # couplings: |upper><lower| turns with the drive's phase
    up: dict[str, Operator] = {}
    first_rabi: dict[str, arb] = {}
    constant: list[tuple[Operator, None]] = []
    links: list[tuple[str, str, str | None]] = []
    for c in s.get("coupling", []):
        lower, upper = ordered(c["between"], emits)
        name = c.get("drive")
        raising = flip([(lower, upper, exact(c["rabi_per_ns"]) / 2)])
        links.append((lower, upper, name))
        if name is None:
            constant.append((raising, None))
        else:
            up[name] = plus(up.get(name, {}), raising)
            first_rabi.setdefault(name, abs(exact(c["rabi_per_ns"])))
    for raising, _ in constant:
        hamiltonian = plus(hamiltonian, raising, dagger(raising))

    period = None
    lights: list[Light] = []
    steady: dict[str, Light] = {}
    for g in s.get("drive", []):
        light = pulse(g, first_rabi.get(g["name"]))
        if g.get("period_ns") is not None:
            period = exact(g["period_ns"])
        if light.shape == "cw":
            steady[light.name] = light
        else:
            lights.append(light)

    # continuous beams join the static part; a detuned one means the frame that turns with it
    turning = {n: light.detuning for n, light in steady.items()}
    for name, light in steady.items():
        if name in up:
            phasor = acb(0, -light.phase).exp()
            part = scaled(up.pop(name), phasor)
            hamiltonian = plus(hamiltonian, part, dagger(part))
    if any(v != 0 for v in turning.values()):
        if lights:
            raise ValueError("a detuned continuous beam beside pulses is not covered here")
        hamiltonian = plus(hamiltonian, frame(levels, links, modes, jumps, turning, states))
    jumps = [(o, label, None if name in steady else name) for o, label, name in jumps]

    picture = s.get("picture", "lindblad")
    collect = {k: exact(v) for k, v in s.get("collect", {}).items()}
    labels = list(dict.fromkeys(label for _, label, _ in jumps if label is not None))
    if picture == "rate":
        size = len(levels)

        def of(c: Operator) -> tuple[Operator, Operator]:
            gain: Operator = {}
            loss: Operator = {}
            for (b, a), v in c.items():
                if a != b:
                    gain[b, a] = v * v.conjugate()
                    loss[a, a] = loss.get((a, a), acb(0)) - v * v.conjugate()
            return plus(gain, loss), gain

        total: Operator = {}
        start_at, place = 1, {name: [number[name]] for name in levels}
    else:
        size = d * d
        total = commutator(hamiltonian, d)
        start_at, place = d, {name: [i + d * i for i, state in enumerate(states) if state[0] == number[name]] for name in levels}

        def of(c: Operator) -> tuple[Operator, Operator]:
            return decay(c, d), sandwich(c, dagger(c), d)

    counted: dict[str, Operator] = {}
    driven: dict[str, Operator] = {}
    driven_counted: dict[str, dict[str, Operator]] = {}
    for c, label, name in jumps:
        whole, click = of(c)
        if name is None:
            total = plus(total, whole)
            if label is not None:
                counted[label] = plus(counted.get(label, {}), scaled(click, collect.get(label, arb(1))))
        else:
            driven[name] = plus(driven.get(name, {}), whole)
            if label is not None:
                into = driven_counted.setdefault(name, {})
                into[label] = plus(into.get(label, {}), scaled(click, collect.get(label, arb(1))))

    first = number[s.get("start", levels[0])]
    i = where[(first, *([0] * len(focks)))] if picture != "rate" else first
    start: Operator = {(i + start_at * i if picture != "rate" else i, 0): acb(1)}
    sums = {name: dense({(0, p): acb(1) for p in spots}, 1, size) for name, spots in place.items()}
    trace: Operator = {(0, p): acb(1) for spots in place.values() for p in spots}

    def full(o: Operator) -> acb_mat:
        return dense(o, size, size)

    return Case(
        picture=picture,
        levels=levels,
        size=size,
        start=dense(start, size, 1),
        trace=dense(trace, 1, size),
        level_sums=sums,
        static=full(total),
        static_counted={k: full(v) for k, v in counted.items()},
        lights=lights,
        field_up={k: full(commutator(v, d)) for k, v in up.items()},
        field_down={k: full(commutator(dagger(v), d)) for k, v in up.items()},
        intensity={k: full(v) for k, v in driven.items()},
        intensity_counted={k: {m: full(w) for m, w in v.items()} for k, v in driven_counted.items()},
        period=period,
        labels=labels,
        compute=s.get("compute", {}),
    )


def ordered(between: list[str], emits: set[tuple[str, str]]) -> tuple[str, str]:
    """(lower, upper): as listed, unless light leads from the first to the second, directly or else by steps, and not back."""

    def path(a: str, b: str) -> bool:
        known, before = {a}, set()
        while known != before:
            before = set(known)
            known |= {y for x, y in emits if x in known}
        return b in known

    a, b = between
    for rule in (lambda x, y: (x, y) in emits, path):
        if rule(a, b) != rule(b, a):
            return (b, a) if rule(a, b) else (a, b)
    return a, b


def pulse(g: dict[str, Any], rabi: arb | None) -> Light:
    """One [[drive]] table; rabi: Rabi frequency of its first-listed coupling."""
    shape = g["shape"]
    start = exact(g.get("start_ns", 0.0))
    sigma, end, area_shape = None, start, arb(1)
    if shape == "gaussian":
        sigma = exact(g["fwhm_ns"]) / (2 * arb(2).log().sqrt())
        end = start + 16 * sigma
        area_shape = sigma * (2 * arb.pi()).sqrt()
    elif shape == "square":
        end = start + exact(g["duration_ns"])
        area_shape = exact(g["duration_ns"])
    height = arb(1)
    if "area_pi" in g and rabi is not None:
        height = exact(g["area_pi"]) * arb.pi() / (rabi * area_shape)
    return Light(
        name=g["name"],
        shape=shape,
        start=start,
        end=end,
        centre=(start + end) / 2,
        sigma=sigma,
        height=height,
        dose=exact(g.get("dose_ns", 0.0)),
        detuning=exact(g.get("detuning_ueV", 0.0)) / exact(HBAR),
        chirp=exact(g.get("chirp_per_ns2", 0.0)),
        phase=arb.pi() * exact(g.get("phase_pi", 0.0)),
    )


def frame(
    levels: list[str],
    links: list[tuple[str, str, str | None]],
    modes: list[tuple[Operator, list[tuple[str, str]]]],
    jumps: list[tuple[Operator, str | None, str | None]],
    turning: dict[str, arb],
    states: list[tuple[int, ...]],
) -> Operator:
    """-sum of frame frequencies: levels w_i and modes v_k with w_upper - w_lower = detuning on driven couplings, w_from - w_to = v_k on cavity ones.

    Every other coupling and every collective jump must keep its form; that is checked by solving exactly in rational multiples.
    """
    import numpy as np

    n, m = len(levels), len(modes)
    index = {name: i for i, name in enumerate(levels)}
    rows, right = [], []
    for lower, upper, name in links:
        row = np.zeros(n + m)
        row[index[upper]] += 1
        row[index[lower]] -= 1
        rows.append(row)
        right.append(float(turning.get(name, arb(0)).mid()) if name is not None else 0.0)
    for k, (_, transitions) in enumerate(modes):
        for a, b in transitions:
            row = np.zeros(n + m)
            row[index[a]] += 1
            row[index[b]] -= 1
            row[n + k] -= 1
            rows.append(row)
            right.append(0.0)
    for operator, _, _ in jumps:
        shifts = sorted({(states[i][0], states[j][0]) for i, j in operator if states[i][0] != states[j][0]})
        for (i1, j1), (i2, j2) in itertools.pairwise(shifts):
            row = np.zeros(n + m)
            for i, sign in ((j1, 1), (i1, -1), (j2, -1), (i2, 1)):
                row[i] += sign
            rows.append(row)
            right.append(0.0)
    # one potential per detuning: the answer is a rational combination of the detunings
    w = [arb(0)] * (n + m)
    matrix = np.array(rows)
    for name, delta in turning.items():
        if delta == 0:
            continue
        share = np.array([1.0 if link[2] == name else 0.0 for link in links] + [0.0] * (len(rows) - len(links)))
        solution = np.linalg.lstsq(matrix, share, rcond=None)[0]
        if np.max(np.abs(matrix @ solution - share)) > 1e-9:
            raise ValueError("no frame turns with every beam")
        whole = np.round(solution * 5040).astype(int)
        if np.any(matrix.astype(int) @ whole != (5040 * share).astype(int)):
            raise ValueError("frame weights are not simple fractions")
        w = [a + arb(int(x)) / 5040 * delta for a, x in zip(w, whole, strict=True)]
    out: Operator = {}
    for i, state in enumerate(states):
        value = w[state[0]]
        for k in range(m):
            value = value + w[n + k] * state[1 + k]
        out[i, i] = acb(-value)
    return out
