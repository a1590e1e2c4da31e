"""From the tables of a file to levels, light, drives and detectors; whatever does not fit together is an error at its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qdot.detection import Detector, MeasuredResponse
from qdot.drive import CW, Drive, Gaussian, Instant, Pulse, Sech, Square
from qdot.errors import bad, number, unknown
from qdot.model import Cavity, Coupling, Jump, Model
from qdot.scenario.messages import keys_of, named
from qdot.scenario.tables import CavityTable, DetectorTable, DriveTable, FileTable, JumpTable


def detector_of(i: int, d: DetectorTable, check: Callable[[str, str], object]) -> Detector:
    """check: refuses a label (the first argument) that nobody emits, and names its place (the second)."""
    here = f"detector[{i}]"
    for k, label in enumerate(() if d.sees is None else [d.sees] if isinstance(d.sees, str) else d.sees):
        check(label, f"{here}.sees" + ("" if isinstance(d.sees, str) else f"[{k}]"))
    given = d.model_dump()
    if d.response is not None:
        with named(f"{here}.response"):
            edges = d.response.start_ns + d.response.bin_ns * np.arange(len(d.response.weights) + 1)
            given["response"] = MeasuredResponse(edges.tolist(), d.response.weights)
    with named(here):
        return Detector(**given)


def check_levels(file: FileTable) -> None:
    if not file.levels:
        raise bad("levels", "hold at least one name", "an empty list", 'for example levels = ["G", "X"]')
    for i, name in enumerate(file.levels):
        if name in file.levels[:i]:
            raise bad(f"levels[{i}]", "differ from the other levels", repr(name), "rename one of them")
    if file.start is not None:
        level_in("start", file.start, file.levels)
    for name in file.energy_ueV:
        level_in(f"energy_ueV.{name}", name, file.levels)


def level_in(argument: str, name: str, levels: Sequence[str]) -> str:
    if name not in levels:
        raise unknown(f"{argument} (a level)", name, levels)
    return name


def _transition(argument: str, pair: Sequence[str], levels: Sequence[str]) -> tuple[str, str]:
    """[from, to] as two different known levels."""
    if len(pair) != 2:
        raise bad(argument, "be two levels, [from, to]", list(pair), 'for example ["X", "G"]')
    a, b = (level_in(f"{argument}[{k}]", name, levels) for k, name in enumerate(pair))
    if a == b:
        raise bad(argument, "join two different levels", list(pair), "use [[dephasing]] for a process that keeps the level")
    return a, b


def _transitions(argument: str, pairs: Sequence[Sequence[str]], levels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if not pairs:
        raise bad(argument, "hold at least one [from, to]", "an empty list", 'for example [["X", "G"]]')
    found: list[tuple[str, str]] = []
    for i, pair in enumerate(pairs):
        t = _transition(f"{argument}[{i}]", pair, levels)
        if t in found:
            raise bad(f"{argument}[{i}]", "differ from the other transitions", list(t), "name each transition once")
        found.append(t)
    return tuple(found)


def jump_of(i: int, j: JumpTable, levels: Sequence[str]) -> Jump:
    """One transition with a rate or a lifetime, or several transitions as one collective operator."""
    here = f"jump[{i}]"
    if j.transitions is not None or j.rates_per_ns is not None:
        single = {"from": j.from_, "to": j.to, "rate_per_ns": j.rate_per_ns, "lifetime_ns": j.lifetime_ns}
        extra = [k for k, v in single.items() if v is not None]
        if extra:
            raise bad(
                f"{here}.{extra[0]}", "be absent in a collective jump (transitions with rates_per_ns)", single[extra[0]], "remove it, or write two [[jump]]"
            )
        if j.transitions is None or j.rates_per_ns is None:
            absent = "transitions" if j.transitions is None else "rates_per_ns"
            raise bad(
                f"{here}.{absent}", "be given: a collective jump has transitions and rates_per_ns", "nothing", JumpTable.model_fields[absent].description or ""
            )
        pairs = _transitions(f"{here}.transitions", j.transitions, levels)
        if len(j.rates_per_ns) != len(pairs):
            raise bad(f"{here}.rates_per_ns", f"hold one rate for each of the {len(pairs)} transitions", list(j.rates_per_ns), "add or remove rates")
        return Jump(pairs, j.rates_per_ns, j.photon, _polarisation(here, j), j.drive)
    if j.from_ is None or j.to is None:
        key = "from" if j.from_ is None else "to"
        raise bad(f"{here}.{key}", "be given", "nothing", f"for example {keys_of(JumpTable)[key].description}")
    pair = level_in(f"{here}.from", j.from_, levels), level_in(f"{here}.to", j.to, levels)
    if j.from_ == j.to:
        raise bad(f"{here}.to", "differ from its `from`", repr(j.to), "use [[dephasing]] for a process that keeps the level")
    return Jump((pair,), (_rate(here, j),), j.photon, _polarisation(here, j), j.drive)


def _polarisation(here: str, t: JumpTable | CavityTable) -> str:
    if t.polarisation is not None and t.photon is None:
        raise bad(f"{here}.polarisation", "belong to a photon", repr(t.polarisation), 'add photon = "X", or remove it')
    return t.polarisation or ""


def _rate(here: str, j: JumpTable) -> float:
    """The rate of a single jump, 1/ns, from the one of rate_per_ns and lifetime_ns that is given."""
    if j.rate_per_ns is not None and j.lifetime_ns is not None:
        raise bad(here, "have exactly one of rate_per_ns and lifetime_ns", f"rate_per_ns = {j.rate_per_ns!r} and lifetime_ns = {j.lifetime_ns!r}", "remove one")
    if j.rate_per_ns is not None:
        return j.rate_per_ns
    if j.lifetime_ns is None:
        raise bad(here, "have exactly one of rate_per_ns and lifetime_ns", "neither", "add one, for example rate_per_ns = 1.0 (1/ns)")
    rate = 1.0 / j.lifetime_ns
    if not math.isfinite(rate):
        raise bad(f"{here}.lifetime_ns", "be long enough for its rate to be finite", j.lifetime_ns, "give a longer lifetime")
    return rate


def cavity_of(i: int, c: CavityTable, levels: Sequence[str]) -> Cavity:
    here = f"cavity[{i}]"
    pairs = _transitions(f"{here}.transitions", c.transitions, levels)
    if isinstance(c.g_per_ns, tuple) and len(c.g_per_ns) != len(pairs):
        raise bad(f"{here}.g_per_ns", f"be one number or hold one for each of the {len(pairs)} transitions", list(c.g_per_ns), "add or remove numbers")
    g = c.g_per_ns if isinstance(c.g_per_ns, tuple) else (c.g_per_ns,) * len(pairs)
    return Cavity(c.name, c.fock, c.kappa_per_ns, g, pairs, detuning_ueV=c.detuning_ueV, photon=c.photon, polarisation=_polarisation(here, c))


def couplings_of(file: FileTable) -> tuple[Coupling, ...]:
    found = []
    for i, c in enumerate(file.coupling):
        here = f"coupling[{i}].between"
        if len(c.between) != 2:
            raise bad(here, "name two levels", list(c.between), 'for example between = ["G", "X"]')
        a, b = (level_in(f"{here}[{k}]", name, file.levels) for k, name in enumerate(c.between))
        if a == b:
            raise bad(here, "name two different levels", list(c.between), "shift a level with [energy_ueV]")
        found.append(Coupling(_lower_upper(a, b, file), c.rabi_per_ns, c.drive))
    return tuple(found)


def _lower_upper(a: str, b: str, file: FileTable) -> tuple[str, str]:
    """(lower, upper) of a coupling: as listed, unless light leads from the first to the second and not back."""
    emits: dict[str, set[str]] = {}
    for j in file.jump:
        if j.photon is not None and j.drive is None:
            for pair in j.transitions or ((j.from_, j.to),):
                emits.setdefault(str(pair[0]), set()).add(str(pair[1]))
    for c in file.cavity:
        for pair in c.transitions:
            emits.setdefault(pair[0], set()).add(pair[1])

    def direct(x: str, y: str) -> bool:
        return y in emits.get(x, ())

    def leads(x: str, y: str) -> bool:
        seen, todo = {x}, [x]
        while todo:
            for z in emits.get(todo.pop(), ()):
                if z not in seen:
                    seen.add(z)
                    todo.append(z)
        return y in seen

    for rule in (direct, leads):
        if rule(a, b) != rule(b, a):
            return (b, a) if rule(a, b) else (a, b)
    return a, b


SHAPE_KEYS: Mapping[str, tuple[str, ...]] = {
    "cw": (),
    "square": ("duration_ns", "area_pi", "start_ns", "period_ns", "chirp_per_ns2"),
    "gaussian": ("fwhm_ns", "area_pi", "start_ns", "period_ns", "chirp_per_ns2"),
    "sech": ("fwhm_ns", "area_pi", "start_ns", "period_ns", "chirp_per_ns2"),
    "instant": ("dose_ns", "area_pi", "start_ns", "period_ns"),
}
"""Which keys a shape takes beside name, shape, detuning_ueV and phase_pi."""


def drives_of(file: FileTable, model: Model) -> tuple[Drive, ...]:
    names = [d.name for d in file.drive]
    named = [(f"jump[{i}]", j.drive) for i, j in enumerate(file.jump)] + [(f"coupling[{i}]", c.drive) for i, c in enumerate(file.coupling)]
    for place, drive in named:
        if drive is not None and drive not in names:
            raise unknown(f"{place}.drive (the name of a [[drive]])", drive, dict.fromkeys(names))
    drives = tuple(_drive(i, d, file) for i, d in enumerate(file.drive))
    for i, d in enumerate(drives):
        if d.name not in model.drives:
            raise bad(
                f"drive[{i}].name", "be named by a jump or a coupling", repr(d.name), f"add drive = {d.name!r} to the jump or coupling it drives, or remove it"
            )
        if names.count(d.name) > 1 and any(isinstance(other, CW) for other in drives if other.name == d.name):
            raise bad(f"drive[{i}].name", "belong to one continuous drive or to pulses only", repr(d.name), "rename one of them")
    pulses = [(i, d) for i, d in enumerate(drives) if isinstance(d, Pulse)]
    for i, d in pulses:
        first, period = pulses[0][0], pulses[0][1].period_ns
        if d.period_ns != period:
            got = "none" if d.period_ns is None else d.period_ns
            raise bad(
                f"drive[{i}].period_ns", f"equal drive[{first}].period_ns = {period if period is not None else 'none'}", got, "pulsed drives share one period"
            )
        if period is not None and d.length_ns > period * (1 + 1e-12):
            raise bad(
                f"drive[{i}]",
                f"be shorter than its period of {period:g} ns, from first to last light",
                f"a {file.drive[i].shape} pulse of {d.length_ns:g} ns",
                "shorten the pulse (a Gaussian is taken over 16 sigma = 9.6 fwhm_ns) or lengthen period_ns",
            )
    return drives


def _drive(i: int, d: DriveTable, file: FileTable) -> Drive:
    here = f"drive[{i}]"
    takes = SHAPE_KEYS[d.shape]
    for key in dict.fromkeys(k for keys in SHAPE_KEYS.values() for k in keys):
        if key not in takes and getattr(d, key) is not None:
            known = [s for s, keys in SHAPE_KEYS.items() if key in keys]
            remedy = "remove it; rabi_per_ns of the coupling sets the strength" if key == "area_pi" else "remove it, or choose a shape that has it"
            raise bad(f"{here}.{key}", f"be absent for shape {d.shape!r} (it belongs to {', '.join(map(repr, known))})", getattr(d, key), remedy)
    couplings = [(k, c) for k, c in enumerate(file.coupling) if c.drive == d.name]
    jumps = [k for k, j in enumerate(file.jump) if j.drive == d.name]
    for key in ("duration_ns", "fwhm_ns"):
        if key in takes and getattr(d, key) is None:
            raise bad(f"{here}.{key}", f"be given for shape {d.shape!r}", "nothing", f"for example {DriveTable.model_fields[key].description}")
    if d.area_pi is not None:
        if not couplings:
            raise bad(f"{here}.area_pi", f"belong to a drive that a [[coupling]] names (drive = {d.name!r})", d.area_pi, "add the coupling or remove area_pi")
        if couplings[0][1].rabi_per_ns == 0.0:
            first = f"coupling[{couplings[0][0]}].rabi_per_ns"
            raise bad(
                first, f"differ from 0: {here}.area_pi scales it to the area asked", 0.0, "give the ratio of this coupling to the others, for example 1.0"
            )
    coherent = {"detuning_ueV": d.detuning_ueV, "phase_pi": d.phase_pi, "chirp_per_ns2": d.chirp_per_ns2 or 0.0}
    for key, value in coherent.items():
        if value != 0.0 and not couplings:
            raise bad(f"{here}.{key}", "be 0 or absent: this drive drives no [[coupling]]", value, "only coherent driving has a frequency and a phase")
    if d.shape == "instant":
        if jumps and d.dose_ns is None:
            raise bad(
                f"{here}.dose_ns", f"be given: jump[{jumps[0]}] is driven by {d.name!r}", "nothing", "it is the integral of the intensity envelope, in ns"
            )
        if couplings and d.area_pi is None:
            raise bad(f"{here}.area_pi", f"be given: coupling[{couplings[0][0]}] is driven by {d.name!r}", "nothing", "for example area_pi = 1.0")
        if d.dose_ns is not None and not jumps:
            raise bad(f"{here}.dose_ns", f"belong to a drive that a [[jump]] names (drive = {d.name!r})", d.dose_ns, "add drive to the jump, or remove dose_ns")
    common: dict[str, Any] = {"name": d.name, "detuning_ueV": d.detuning_ueV, "phase_pi": d.phase_pi}
    if d.shape == "cw":
        return CW(**common)
    common |= {"area_pi": d.area_pi, "start_ns": d.start_ns or 0.0, "period_ns": d.period_ns}
    if d.period_ns is not None and (d.start_ns or 0.0) >= d.period_ns:
        raise bad(f"{here}.start_ns", f"be < period_ns = {d.period_ns:g} ns", d.start_ns, "count it from the start of the period")
    if d.shape == "instant":
        return Instant(dose_ns=d.dose_ns, **common)
    common["chirp_per_ns2"] = d.chirp_per_ns2 or 0.0
    if d.shape == "square":
        return Square(duration_ns=number(f"{here}.duration_ns", d.duration_ns), **common)
    shape: type[Gaussian | Sech] = Gaussian if d.shape == "gaussian" else Sech
    return shape(fwhm_ns=number(f"{here}.fwhm_ns", d.fwhm_ns), **common)
