"""A model under its drives: stretches of time between which nothing changes its formula, which the statistics follow.

Continuous drives become part of the constant generator, in a frame in which they are static; pulses become polynomials on pieces of time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.drive import CW, DEGREE, Drive, Instant, Kind, Pulse
from qdot.errors import bad, unknown
from qdot.evolve import Matrix, TooManySteps, is_zero
from qdot.evolve.reduction import nothing
from qdot.generator.fields import analysed
from qdot.generator.pictures import Generator, Picture, classical_moves, from_moves, lindblad, rate
from qdot.model import Channel, Model, Operators
from qdot.polarisation import Polarisation


class DrivenPart(NamedTuple):
    """What one envelope multiplies: matrix (d, d) without emission, light {channel: (d, d)}, polynomials (pieces, DEGREE + 1) of the envelope."""

    matrix: Matrix
    light: Mapping[Channel, Matrix]
    polynomials: np.ndarray

    def height(self, pieces_ns: np.ndarray, at_ns: float) -> float:
        """The envelope at a time after the start of its stretch, whose pieces have these lengths (all equal)."""
        piece = min(int(at_ns / pieces_ns[0]), pieces_ns.size - 1)
        return float(np.polyval(self.polynomials[piece, ::-1], at_ns / pieces_ns[0] - piece))


@dataclass(frozen=True, eq=False)
class Stretch:
    """A stretch of time with the same terms throughout: constant matrices, or some multiplied by envelopes.

    silent: (d, d) constant part without emission; jumps: the part that emits, by channel; driven: what envelopes multiply, as polynomials on
    pieces_ns (pieces,). An instant has duration 0 and acts as exp(silent + jumps).
    """

    start_ns: float
    duration_ns: float
    silent: Matrix
    jumps: Mapping[Channel, Matrix]
    driven: tuple[DrivenPart, ...] = ()
    pieces_ns: np.ndarray | None = None
    is_instant: bool = False

    @property
    def end_ns(self) -> float:
        """When it ends."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True, eq=False)
class Timeline:
    """A generator under its drives: the stretches of one period (or until the last pulse ends), then `rest` for ever.

    period_ns: None for a single pulse, or where nothing is pulsed.
    """

    generator: Generator
    stretches: tuple[Stretch, ...]
    rest: Stretch
    period_ns: float | None
    is_pulsed: bool

    def mapped(self, change: Callable[[Matrix], Matrix]) -> Timeline:
        """The same timeline with every matrix replaced, each of them once."""
        known: dict[int, Matrix] = {}

        def once(m: Matrix) -> Matrix:
            if id(m) not in known:
                known[id(m)] = change(m)
            return known[id(m)]

        def light(jumps: Mapping[Channel, Matrix]) -> dict[Channel, Matrix]:
            return {c: once(j) for c, j in jumps.items()}

        def stretch(s: Stretch) -> Stretch:
            driven = tuple(DrivenPart(once(d.matrix), light(d.light), d.polynomials) for d in s.driven)
            return replace(s, silent=once(s.silent), jumps=light(s.jumps), driven=driven)

        return replace(self, stretches=tuple(stretch(s) for s in self.stretches), rest=stretch(self.rest))

    def assembled(self, change: Callable[[Matrix, Mapping[Channel, Matrix]], Matrix], constant: Matrix | None = None) -> Timeline:
        """A larger system over the same stretches: `change` makes its matrices from each (silent part, its light), and must be linear in the two.

        constant: added to the generator wherever time goes on, that is, not to instants. The new system counts nothing.
        """

        def stretch(s: Stretch) -> Stretch:
            silent = change(s.silent, s.jumps)
            if constant is not None and not s.is_instant:
                silent = silent + constant
            driven = tuple(DrivenPart(change(d.matrix, d.light), {}, d.polynomials) for d in s.driven)
            return replace(s, silent=silent, jumps={}, driven=driven)

        return replace(self, stretches=tuple(stretch(s) for s in self.stretches), rest=stretch(self.rest))

    def jittered(self, relative: float, rng: np.random.Generator) -> Timeline:
        """The same timeline with every matrix entry moved by `relative` of itself, up or down: how much do rounded inputs matter?"""

        def move(m: Matrix) -> Matrix:
            if isinstance(m, np.ndarray):
                return m * (1.0 + relative * (2.0 * rng.integers(0, 2, m.shape) - 1.0))
            m = m.copy()
            m.data = m.data * (1.0 + relative * (2.0 * rng.integers(0, 2, m.data.shape) - 1.0))
            return m

        return self.mapped(move)

    def matrices(self) -> list[Matrix]:
        """Every matrix that ever acts, each of them once."""
        found: dict[int, Matrix] = {}
        for s in (self.rest, *self.stretches):
            for m in (s.silent, *s.jumps.values(), *(m for d in s.driven for m in (d.matrix, *d.light.values()))):
                found[id(m)] = m
        return list(found.values())


def in_frame(ops: Operators, drives: Sequence[Drive]) -> tuple[Operators, tuple[float, ...]]:
    """(operators in the frame in which every continuous drive is static and pulsed drives keep their detuning, and by how much it turns).

    The second: for each jump, by how much the frame lowers the frequency of its photons, rad/ns. Raises InputError if there is no such frame: the
    steady state would then depend on time, or on how pulses and laser are locked in phase.
    """
    turning = {d.name: d.detuning_per_ns for d in drives if isinstance(d, CW) and d.detuning_ueV != 0.0}
    if not turning:
        return ops, (0.0,) * len(ops.jumps)
    n = ops.start.shape[0]
    edges: list[list[tuple[int, float]]] = [[] for _ in range(n)]

    def join(matrix: sp.csr_array, frequency: float) -> None:
        m = matrix.tocoo()
        for upper, lower, value in zip(m.row, m.col, m.data, strict=True):
            if value != 0 and upper != lower:
                edges[lower].append((upper, frequency))
                edges[upper].append((lower, -frequency))

    for term in ops.driven:
        if any(isinstance(d, CW) and d.name == term.drive for d in drives):
            join(term.matrix, turning.get(str(term.drive), 0.0) * (1.0 if term.envelope == "field" else 2.0))
    joined_by_static = sp.triu(ops.hamiltonian, 1).tocsr()
    join(joined_by_static, 0.0)
    refusal = bad(
        "drive detuning_ueV",
        "allow one rotating frame in which every continuous coupling is constant",
        ", ".join(f"{k}: {v:g} rad/ns" for k, v in turning.items()),
        "give the drives of one transition one detuning, or put it into energy_ueV",
    )
    largest = max(abs(v) for v in turning.values())
    w, part = np.full(n, np.nan), np.zeros(n, dtype=int)
    for root in range(n):
        if not np.isnan(w[root]):
            continue
        w[root], part[root] = 0.0, root
        stack = [root]
        while stack:
            i = stack.pop()
            for k, frequency in edges[i]:
                if np.isnan(w[k]):
                    w[k], part[k] = w[i] + frequency, root
                    stack.append(k)
                elif not math.isclose(w[k], w[i] + frequency, rel_tol=1e-12, abs_tol=1e-12 * largest):
                    raise refusal
    w = _together(w, part, ops, turning)

    def shift(matrix: sp.csr_array) -> float:
        shifts = _shifts(w, matrix)
        if shifts.size and np.ptp(shifts) > 1e-9 * largest:
            raise refusal
        return float(shifts[0]) if shifts.size else 0.0

    lowered = tuple(-shift(j.matrix) for j in ops.jumps)
    for term in ops.driven:
        if str(term.drive) not in turning and shift(term.matrix) != 0.0:
            raise bad(
                f"drive {term.drive!r}",
                "not share transitions with a detuned continuous drive, whose phase against the pulses nothing fixes",
                "one that does",
                "take the frame of the continuous laser (its detuning_ueV 0, energies and the pulses' detunings relative to it)",
            )
    frame = sp.diags_array(w.astype(complex)).tocsr()
    return ops._replace(hamiltonian=(ops.hamiltonian - frame).tocsr()), lowered


def _shifts(w: np.ndarray, matrix: sp.csr_array) -> np.ndarray:
    """By how much each entry of an operator turns in a frame w (n,), rad/ns."""
    m = matrix.tocoo()
    rows, columns = m.row[m.data != 0], m.col[m.data != 0]
    return np.asarray(w[rows] - w[columns])


def _together(w: np.ndarray, part: np.ndarray, ops: Operators, turning: Mapping[str, float]) -> np.ndarray:
    """The frame (n,) with the free offsets of its parts chosen so that what has a phase together turns together.

    part: (n,) the same number for states whose frequencies nothing frees. Where they can, the transitions of one jump turn alike and those of pulses
    not at all; if then they still can, the polarisations of one mode turn alike, whose coherence is seen.
    """
    names, number_of = np.unique(part, return_inverse=True)
    if names.size == 1:
        return w
    eye = np.eye(names.size)

    def rows(matrix: sp.csr_array) -> np.ndarray:
        """(entries, parts + 1) how offsets shift each entry, and its shift so far."""
        m = matrix.tocoo()
        live = m.data != 0
        return np.column_stack([eye[number_of[m.row[live]]] - eye[number_of[m.col[live]]], _shifts(w, matrix)])

    by: dict[tuple[str, str | None], dict[str, list[np.ndarray]]] = {}
    needed = [rows(t.matrix) for t in ops.driven if str(t.drive) not in turning]
    for j in ops.jumps:
        mine = rows(j.matrix)
        needed.append(mine[1:] - mine[:1])
        if j.photon is not None and mine.size:
            by.setdefault((j.photon, j.drive), {}).setdefault(j.polarisation, []).append(mine[:1])
    wished = [h - v for line in by.values() for h, v in zip(line.get("H", ()), line.get("V", ()), strict=False)]
    for equations in (np.concatenate([*needed, *wished]), np.concatenate(needed)):
        if not np.any(equations[:, -1]):
            return w
        offsets = np.linalg.lstsq(equations[:, :-1], -equations[:, -1])[0]
        if np.all(np.abs(equations @ np.append(offsets, 1.0)) <= 1e-9 * max(abs(v) for v in turning.values())):
            return np.asarray(w + offsets[number_of])
    return w


def under(
    model: Model,
    drives: Sequence[Drive],
    picture: Picture | None = None,
    like: Sequence[int] | None = None,
    analysis: Mapping[str, Polarisation] | None = None,
) -> Timeline:
    """The model under its drives. picture None: rate equations where nothing is coherent, else Lindblad.

    analysis: {line: polarisation} in which lines are looked at instead of H and V; needs the Lindblad picture.

    like: make timelines of nearby parameters comparable part by part: stretches of no length and driven parts of no height stay, and stretch i
    has like[i] pieces (0, or beyond the end of `like`: as many as it needs).
    Raises InputError for a drive that the model does not know, one that is missing, pulses of different periods or longer than their
    period, pulses faster than the model's time resolution, and continuous detunings without a common frame.
    """
    _match(model, drives)
    pulses = [d for d in drives if isinstance(d, Pulse)]
    _period(pulses)
    for p in pulses:
        if 0 < model.time_resolution_ns >= _fwhm(p):
            raise bad(
                f"drive {p.name!r}",
                f"be longer than {model.time_resolution_ns:g} ns, the time resolution of a source without hot levels",
                f"{_fwhm(p):g} ns",
                "give the source a finite relaxation_ns, so that one pulse cannot load it twice before it relaxes",
            )
    moves = classical_moves(model) if picture is None and not analysis else None
    if picture == "rate":
        if analysis:
            raise bad("picture", "be 'lindblad' to look at polarisations other than H and V", "'rate'", "leave picture out")
        generator = rate(model)
    elif moves is not None:
        generator = from_moves(model, moves)
    else:
        generator = lindblad(model, *in_frame(analysed(model.operators(), analysis or {}), drives))
    return bound(generator, model, drives, like)


def bound(generator: Generator, model: Model, drives: Sequence[Drive], like: Sequence[int] | None = None) -> Timeline:
    """A generator under drives that suit it."""
    pulses = [d for d in drives if isinstance(d, Pulse)]
    static, jumps = generator.silent, dict(generator.jumps)
    for d in drives:
        if isinstance(d, CW):
            static, jumps = _add_steady(generator, d, static, jumps)
    return _timeline(generator, model, pulses, static, jumps, _period(pulses), like)


def _fwhm(p: Pulse) -> float:
    return float(getattr(p, "fwhm_ns", p.length_ns))


def _match(model: Model, drives: Sequence[Drive]) -> None:
    known = model.drives
    names = {d.name for d in drives}
    for d in drives:
        if d.name not in known:
            raise unknown("drive name (one that the model's jumps or couplings use)", d.name, known)
    for name in model.acting_drives:
        if name not in names:
            raise bad(f"drive {name!r}", "be given, because the source is driven by it", "no such drive", f"add a drive named {name!r}")
    for d in drives:
        if isinstance(d, CW) and sum(e.name == d.name for e in drives) > 1:
            raise bad(f"drive {d.name!r}", "stand alone under its name when it is continuous", "several drives of that name", "give one of them another name")


def _period(pulses: Sequence[Pulse]) -> float | None:
    periods = {p.period_ns for p in pulses}
    if len(periods) > 1:
        listed = ", ".join(f"{p.name!r}: {p.period_ns}" for p in pulses)
        raise bad("drive period_ns", "be the same for all pulsed drives", listed, "give every pulsed drive the same period_ns")
    period = periods.pop() if periods else None
    for p in pulses:
        if period is not None and p.length_ns > period:
            raise bad(
                f"drive {p.name!r} (a pulse from first to last light)",
                f"be shorter than its period of {period:g} ns",
                f"{p.length_ns:g} ns",
                "shorten the pulse or lengthen period_ns",
            )
    return period


def model_envelope(model: Model, drive: str) -> str:
    """ "field" or "intensity": how the first-listed coupling of a drive follows it."""
    return next((c.envelope for c in model.couplings if c.drive == drive), "field")


def _add_steady(g: Generator, d: CW, static: Matrix, jumps: dict[Channel, Matrix]) -> tuple[Matrix, dict[Channel, Matrix]]:
    amplitude = math.sqrt(d.peak_intensity) * np.exp(-1j * math.pi * d.phase_pi)
    square = amplitude * amplitude
    factors = {
        "intensity": d.peak_intensity,
        "field_re": amplitude.real,
        "field_im": amplitude.imag,
        "two_photon_re": square.real,
        "two_photon_im": square.imag,
    }
    for (name, part), m in g.driven.items():
        if name == d.name and factors[part] != 0.0:
            static = static + factors[part] * m
    for (name, channel), m in g.driven_jumps.items():
        if name == d.name:
            jumps[channel] = jumps[channel] + d.peak_intensity * m if channel in jumps else d.peak_intensity * m
    return static, jumps


def _driven_parts(g: Generator, model: Model, p: Pulse, times: np.ndarray, h: float, degree: int, every: bool = False) -> list[DrivenPart]:
    """What a pulse drives, with its envelopes as polynomials on pieces of length h that begin at `times` after the pulse's start.

    every: also where the envelope is 0.
    """
    found = []
    rabi, envelope = model.first_rabi_per_ns(p.name), model_envelope(model, p.name)
    known: dict[Kind, np.ndarray] = {}
    for (name, part), m in g.driven.items():
        if name != p.name:
            continue
        kind: Kind = "intensity" if part == "intensity" else ("field" if part.startswith("field") else "two_photon")
        if kind not in known:
            known[kind] = p.series(kind, times, h, degree)
        if part == "intensity":
            light = {c: j for (n, c), j in g.driven_jumps.items() if n == name}
            found.append(DrivenPart(m, light, p.peak_intensity * known[kind].real))
            continue
        follows = envelope if p.area_pi is not None else ("field" if kind == "field" else "intensity")
        height = p.peak_field(rabi, "field" if follows == "field" else "two_photon")
        c = known[kind].imag if part.endswith("_im") else known[kind].real
        if every or c.any():
            found.append(DrivenPart(m, {}, height * c))
    return found


def _timeline(
    g: Generator,
    model: Model,
    pulses: Sequence[Pulse],
    static: Matrix,
    jumps: Mapping[Channel, Matrix],
    period: float | None,
    like: Sequence[int] | None = None,
) -> Timeline:
    """Cut the time axis where a pulse begins, ends or changes its formula. Times are exact fractions: a short pulse may come late."""
    rest = Stretch(0.0, math.inf, static, jumps)
    if not pulses:
        return Timeline(g, (), rest, None, False)
    end_of_period = Fraction(period) if period is not None else None
    # a pulse that outlasts the period lights its beginning, too
    begins = [(p, Fraction(p.start_ns) - (k * end_of_period if end_of_period is not None else 0)) for p in pulses for k in ((0, 1) if period else (0,))]
    marks = [Fraction(0)] if end_of_period is None else [Fraction(0), end_of_period]
    for p, begin in begins:
        marks += [b for b in (begin + Fraction(t) for t in p.breaks_ns()) if b >= 0 and (end_of_period is None or b <= end_of_period)]
    times = sorted(marks if like is not None else set(marks))
    stretches: list[Stretch] = []
    for i, t in enumerate(times):
        is_last = i + 1 == len(times) or times[i + 1] > t
        now = [p for p in pulses if is_last and isinstance(p, Instant) and Fraction(p.start_ns) == t]
        if now:
            stretches.append(_kick(g, now, model))
        if i + 1 == len(times):
            break
        middle, duration = (t + times[i + 1]) / 2, float(times[i + 1] - t)
        active = [(p, float(t - begin)) for p, begin in begins if begin < middle < begin + Fraction(p.length_ns)]
        silent, emitting = static, dict(jumps)
        asked = like[len(stretches)] if like is not None and len(stretches) < len(like) else 0
        varying = [(p, lead) for p, lead in active if asked or not p.is_constant]
        for p, lead in active:
            if asked or not p.is_constant:
                continue
            for m, light, c in _driven_parts(g, model, p, np.array([lead]), duration, 1):
                silent = silent + c[0, 0] * m
                for channel, jump in light.items():
                    emitting[channel] = emitting[channel] + c[0, 0] * jump if channel in emitting else c[0, 0] * jump
        if not varying:
            stretches.append(Stretch(float(t), duration, silent, emitting))
            continue
        pieces = asked or max(1, math.ceil(duration / min(p.longest_step_ns for p, _ in varying)))
        if pieces > TooManySteps.LIMIT:
            raise TooManySteps
        h = duration / pieces
        driven = [part for p, lead in varying for part in _driven_parts(g, model, p, lead + h * np.arange(pieces), h, DEGREE, like is not None)]
        stretches.append(Stretch(float(t), duration, silent, emitting, tuple(driven), np.full(pieces, h)))
    return Timeline(g, tuple(stretches), rest, period, True)


def _kick(g: Generator, instants: Sequence[Instant], model: Model) -> Stretch:
    """Instants of one moment: exp of the sum of all that they multiply, with dose and area in place of envelope times time."""
    total = nothing(g.dimension)
    light: dict[Channel, Matrix] = {}
    for p in instants:
        phase = p.detuning_per_ns * p.start_ns + math.pi * p.phase_pi
        rabi, envelope = model.first_rabi_per_ns(p.name), model_envelope(model, p.name)
        for (name, part), m in g.driven.items():
            if name != p.name or is_zero(m):
                continue
            if part == "intensity":
                if p.dose_ns is None and p.energy is None:
                    raise bad(f"drive {p.name!r} dose_ns", "be given, because this instant drives jumps", "none", "add dose_ns")
                total = total + p.dose * m
                for (other, c), j in g.driven_jumps.items():
                    if other == name:
                        light[c] = light[c] + p.dose * j if c in light else p.dose * j
                continue
            if p.area_pi is None:
                raise bad(f"drive {p.name!r} area_pi", "be given, because this instant drives couplings", "none", "add area_pi")
            strength = p.peak_field(rabi, "field" if envelope == "field" else "two_photon")
            turned = strength * np.exp(-1j * phase * (1.0 if part.startswith("field") else 2.0))
            total = total + (turned.imag if part.endswith("_im") else turned.real) * m
    return Stretch(instants[0].start_ns, 0.0, total, light, is_instant=True)
