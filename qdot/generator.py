"""A model as one linear system dx/dt = [S + sum_j f_j(t) D_j + sum_k (z_k - 1) J_k] x, in two pictures.

rate(model): x holds the populations. lindblad(model): x holds the density matrix as real numbers, rho_ii, then Re rho_ij and
Im rho_ij for i < j; a Lindblad equation is real in these coordinates, and whatever a start cannot reach is dropped later.
`under` binds a generator to its drives and gives the timeline that the statistics follow. Nothing is solved here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.drive import CW, DEGREE, Drive, Instant, Kind, Pulse
from qdot.errors import InputError, bad, unknown
from qdot.evolve import Matrix, TooManySteps, is_zero
from qdot.evolve.reduction import entries, gathered, nothing
from qdot.model import Channel, Coupling, HamiltonianOperator, Jump, JumpOperator, Model, Operators, operator

Picture = Literal["rate", "lindblad"]
FEW_STATES = 48
"""Up to this many states operators are dense arrays while a generator is made of them."""
Part = Literal["intensity", "field_re", "field_im", "two_photon_re", "two_photon_im"]


@dataclass(frozen=True, eq=False)
class Generator:
    """The linear system of one model in one picture; every matrix is real, of shape (d, d), 1/ns: dense if small, else a csr array.

    silent: S without the jumps that emit; driven: {(drive, part): D} likewise; jumps: {channel: J}, driven_jumps: {(drive, channel): J}.
    Keeping them apart leaves S - J exact: no entry is the difference of two rounded ones.
    trace: (d,) row of total probability; start: (d,); levels: (number of levels, d) rows of populations, light traced out;
    top_fock: (d,) True for populations in which some cavity is full.
    """

    picture: Picture
    model: Model
    silent: Matrix
    driven: Mapping[tuple[str, Part], Matrix]
    jumps: Mapping[Channel, Matrix]
    driven_jumps: Mapping[tuple[str, Channel], Matrix]
    trace: np.ndarray
    start: np.ndarray
    levels: np.ndarray
    top_fock: np.ndarray

    @property
    def static(self) -> Matrix:
        """S, with every undriven jump."""
        return sum(self.jumps.values(), self.silent)

    @property
    def dimension(self) -> int:
        """Length of x before any reduction."""
        return int(self.trace.size)


Moves = dict[tuple[str | None, Channel | None], np.ndarray]
"""{(drive, channel): (3, n) array of to, from, rate}: all that rate equations need of a model."""


def classical_moves(model: Model) -> Moves | None:
    """The transitions of a model whose populations form a closed system: diagonal H, no jump that makes or sees a coherence; else None."""
    ops = None
    coupled = any(isinstance(c, Coupling) and c.rabi_per_ns != 0.0 for c in model.couplings)
    if coupled or any(g != 0.0 for c in model.cavities for g in c.g_per_ns):
        return None
    named = all(isinstance(j, Jump) for j in model.jumps) and not isinstance(model.start, np.ndarray)
    if model.cavities or any(not isinstance(c, Coupling) for c in model.couplings) or not named:
        ops = model.operators()
        h = ops.hamiltonian.tocoo()
        off_diagonal_start = ops.start - np.diag(np.diag(ops.start))
        if np.any(h.data[h.row != h.col] != 0) or any(t.matrix.count_nonzero() for t in ops.driven) or off_diagonal_start.any():
            return None
    index = {name: i for i, name in enumerate(model.levels)}
    found: dict[tuple[str | None, Channel | None], list[np.ndarray]] = {}
    for j in model.jumps if ops is None else ops.jumps:
        if isinstance(j, Jump):
            filled = [(index[b], index[a], r) for (a, b), r in zip(j.transitions, j.rates_per_ns, strict=True) if r > 0]
            to, start, rates = np.array(filled, dtype=float).reshape(-1, 3).T
        else:
            m = j.matrix.tocoo()
            m.eliminate_zeros()
            to, start, rates = m.row.astype(float), m.col.astype(float), np.abs(m.data) ** 2
        if rates.size > 1 and (np.unique(to).size < to.size or np.unique(start).size < start.size):
            return None
        channel = Channel(j.photon, j.polarisation) if j.photon is not None else None
        moves = np.full(to.size, True) if channel is not None else to != start  # light may leave the state as it is
        found.setdefault((j.drive, channel), []).append(np.array([to[moves], start[moves], rates[moves]]))
    return {key: np.concatenate(parts, axis=1) for key, parts in found.items()}


def rate(model: Model) -> Generator:
    """The rate equations of a model: dp/dt = (W - diag(column sums of W)) p.

    Raises InputError if the model holds a coherence that populations cannot carry (couplings, cavities, jumps into superpositions).
    """
    moves = classical_moves(model)
    if moves is None:
        coherent = "be 'lindblad' for a model with coherent terms (couplings, cavities or jumps that see a coherence)"
        raise bad("picture", coherent, "'rate'", "set picture = 'lindblad'")
    return _from_moves(model, moves)


def _from_moves(model: Model, moves: Moves) -> Generator:
    n = len(model.levels) * math.prod(c.fock for c in model.cavities)
    filed = _Filed(n)
    for (drive, channel), (to, start, rates) in moves.items():
        rows, columns = to.astype(int), start.astype(int)
        filed.add(drive, channel, gathered(columns, columns, rates, n), gathered(rows, columns, rates, n))
    if isinstance(model.start, str) or model.start is None:
        row = np.zeros(n)
        row[(model.levels.index(model.start) if model.start else 0) * (n // len(model.levels))] = 1.0
    else:
        row = np.diag(model.start).real.copy()
    level_of = np.repeat(np.arange(len(model.levels)), n // len(model.levels))
    trace, top = np.ones(n), np.zeros(n, dtype=bool)
    return Generator("rate", model, filed.silent, filed.driven, filed.jumps, filed.driven_jumps, trace, row, _level_rows(level_of, n), top)


def lindblad(model: Model, ops: Operators | None = None) -> Generator:
    """The Lindblad equation drho/dt = -i[H, rho] + sum c rho c^dag - {c^dag c, rho}/2 in real coordinates."""
    ops = model.operators() if ops is None else ops
    n = ops.start.shape[0]
    eye: Matrix = np.eye(n) if n <= FEW_STATES else sp.eye_array(n, format="csr")

    def array(m: sp.csr_array) -> Matrix:
        """Dense for few states, where sparse bookkeeping costs more than the arithmetic."""
        return m.toarray() if n <= FEW_STATES else m

    def both_sides(g: Matrix) -> Matrix:
        """rho -> g rho + rho g^dag."""
        return _superoperator([(g, eye), (eye, g)], n)

    filed = _Filed(n * n)
    quiet = -1j * array(ops.hamiltonian)
    for term in ops.driven:
        a = array(term.matrix)
        kind = "field" if term.envelope == "field" else "two_photon"
        for part, h in (("re", a + a.conj().T), ("im", 1j * (a - a.conj().T))):
            key: tuple[str, Part] = (str(term.drive), f"{kind}_{part}")  # type: ignore[assignment]
            commutator = both_sides(-1j * h)
            filed.driven[key] = filed.driven[key] + commutator if key in filed.driven else commutator
    for j in ops.jumps:
        c = array(j.matrix)
        channel = Channel(j.photon, j.polarisation) if j.photon is not None else None
        square = 0.5 * (c.conj().T @ c)
        if j.drive is None:  # what leaves goes into one non-Hermitian Hamiltonian
            quiet = quiet - square
            filed.add(None, channel, None, _superoperator([(c, c)], n))
        else:
            filed.add(j.drive, channel, both_sides(square), _superoperator([(c, c)], n))
    filed.silent = filed.silent + both_sides(quiet)
    diagonal = np.zeros(n * n)
    diagonal[:n] = 1.0
    levels = np.zeros((len(model.levels), n * n))
    levels[:, :n] = _level_rows(ops.level_of, n)
    top = np.zeros(n * n, dtype=bool)
    top[:n] = ops.top_fock
    upper = ops.start[np.triu_indices(n, 1)]
    start = np.concatenate([np.diag(ops.start).real, upper.real, upper.imag])
    return Generator("lindblad", model, filed.silent, filed.driven, filed.jumps, filed.driven_jumps, diagonal, start, levels, top)


class _Filed:
    """The matrices of a generator while it is put together, each where it belongs."""

    def __init__(self, d: int) -> None:
        self.silent = nothing(d)
        self.driven: dict[tuple[str, Part], Matrix] = {}
        self.jumps: dict[Channel, Matrix] = {}
        self.driven_jumps: dict[tuple[str, Channel], Matrix] = {}

    def add(self, drive: str | None, channel: Channel | None, leave: Matrix | None, arrive: Matrix) -> None:
        """A jump, by what leaves (None: accounted for elsewhere) and what arrives."""
        quiet = None if leave is None else -leave
        if channel is None:
            quiet = arrive if quiet is None else arrive + quiet
        if drive is None:
            if channel is not None:
                self.jumps[channel] = self.jumps[channel] + arrive if channel in self.jumps else arrive
            if quiet is not None:
                self.silent = self.silent + quiet
            return
        key: tuple[str, Part] = (drive, "intensity")
        if quiet is not None:
            self.driven[key] = self.driven[key] + quiet if key in self.driven else quiet
        if channel is not None:
            where = (drive, channel)
            self.driven_jumps[where] = self.driven_jumps[where] + arrive if where in self.driven_jumps else arrive


def _level_rows(level_of: np.ndarray, n: int) -> np.ndarray:
    rows = np.zeros((int(level_of.max()) + 1, n))
    rows[level_of, np.arange(n)] = 1.0
    return rows


def _superoperator(pairs: Sequence[tuple[Matrix, Matrix]], n: int) -> Matrix:
    """rho -> sum A rho B^dag over pairs (A, B), for a sum that keeps rho Hermitian, between coordinates rho_ii, Re rho_ij, Im rho_ij (i < j)."""
    found: list[tuple[np.ndarray, ...]] = []
    for a, b in pairs:
        (*first, left), (*second, right) = entries(a), entries(b)
        here = [np.repeat(v, right.size) for v in first] + [np.tile(v, left.size) for v in second]
        found.append((*here, np.repeat(left, right.size) * np.tile(right.conj(), left.size)))
    i, k, j, m, v = (np.concatenate(parts) for parts in zip(*found, strict=True))  # v rho_km arrives at rho_ij
    upper = (i <= j) & (v != 0.0)
    i, j, k, m, v = i[upper].astype(np.int64), j[upper], k[upper].astype(np.int64), m[upper], v[upper]

    def place(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Position of the pair i < j among all."""
        return i * n - i * (i + 1) // 2 + (j - i - 1)

    # rho_km = R + i sign I, with R and I those of the ordered pair
    sign = np.sign(m - k)
    from_pair = n + place(np.minimum(k, m), np.maximum(k, m))
    to_pair = n + place(i, j)
    pairs_in_all = n * (n - 1) // 2
    real_from, to_real = np.where(sign == 0, k, from_pair), np.where(i == j, i, to_pair)
    imag_from, to_imag = from_pair + pairs_in_all, to_pair + pairs_in_all
    off, coherent = i != j, sign != 0
    both = off & coherent
    rows = [to_real, to_real[coherent], to_imag[off], to_imag[both]]
    columns = [real_from, imag_from[coherent], real_from[off], imag_from[both]]
    values = [v.real, -sign[coherent] * v.imag[coherent], v.imag[off], sign[both] * v.real[both]]
    return gathered(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), n * n)


# ---------------------------------------------------------------------------------------------------------------- drives


class DrivenPart(NamedTuple):
    """What one envelope multiplies: matrix (d, d) without emission, light {channel: (d, d)}, polynomials (pieces, DEGREE + 1) of the envelope."""

    matrix: Matrix
    light: Mapping[Channel, Matrix]
    polynomials: np.ndarray


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


def in_frame(ops: Operators, drives: Sequence[Drive]) -> Operators:
    """Operators in the frame in which every continuous drive is static, and in which pulsed drives keep their detuning.

    Raises InputError if there is no such frame: the steady state would then depend on time, or on how pulses and laser are locked in phase.
    """
    turning = {d.name: d.detuning_per_ns for d in drives if isinstance(d, CW) and d.detuning_ueV != 0.0}
    if not turning:
        return ops
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
    w = np.full(n, np.nan)
    for root in range(n):
        if not np.isnan(w[root]):
            continue
        w[root] = 0.0
        stack = [root]
        while stack:
            i = stack.pop()
            for k, frequency in edges[i]:
                if np.isnan(w[k]):
                    w[k] = w[i] + frequency
                    stack.append(k)
                elif not math.isclose(w[k], w[i] + frequency, rel_tol=1e-12, abs_tol=1e-12 * max(abs(v) for v in turning.values())):
                    raise refusal

    def shift(matrix: sp.csr_array) -> float:
        m = matrix.tocoo()
        rows, columns = m.row[m.data != 0], m.col[m.data != 0]
        shifts = w[rows] - w[columns]
        if shifts.size and np.ptp(shifts) > 1e-9 * max(abs(v) for v in turning.values()):
            raise refusal
        return float(shifts[0]) if shifts.size else 0.0

    for j in ops.jumps:
        shift(j.matrix)
    for term in ops.driven:
        if str(term.drive) not in turning and shift(term.matrix) != 0.0:
            raise bad(
                f"drive {term.drive!r}",
                "not share transitions with a detuned continuous drive, whose phase against the pulses nothing fixes",
                "one that does",
                "take the frame of the continuous laser (its detuning_ueV 0, energies and the pulses' detunings relative to it)",
            )
    frame = sp.diags_array(w.astype(complex)).tocsr()
    return ops._replace(hamiltonian=(ops.hamiltonian - frame).tocsr())


def under(model: Model, drives: Sequence[Drive], picture: Picture | None = None, like: Sequence[int] | None = None) -> Timeline:
    """The model under its drives. picture None: rate equations where nothing is coherent, else Lindblad.

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
    moves = classical_moves(model) if picture is None else None
    if picture == "rate":
        generator = rate(model)
    elif moves is not None:
        generator = _from_moves(model, moves)
    else:
        generator = lindblad(model, in_frame(model.operators(), drives))
    return _bound(generator, model, drives, like)


def _bound(generator: Generator, model: Model, drives: Sequence[Drive], like: Sequence[int] | None = None) -> Timeline:
    """A generator under drives that suit it."""
    pulses = [d for d in drives if isinstance(d, Pulse)]
    static, jumps = generator.silent, dict(generator.jumps)
    for d in drives:
        if isinstance(d, CW):
            static, jumps = _add_steady(generator, d, static, jumps)
    return _timeline(generator, model, pulses, static, jumps, _period(pulses), like)


def between_jumps(model: Model, drives: Sequence[Drive]) -> tuple[Timeline, tuple[JumpOperator, ...]]:
    """The wave function of a model between two quantum jumps, dpsi/dt = (-iH - sum c^dag c / 2) psi, and the jump operators c.

    In the timeline x is psi (n,), complex: `silent` and what envelopes multiply are (n, n); the light of Channel(str(k)) is how strongly jump k
    acts, a (1, 1) matrix. drives: as `under` took them for the same model. Source: Dalibard, Castin, Molmer, Phys. Rev. Lett. 68, 580 (1992).
    """
    ops = in_frame(model.operators(), drives)
    n = ops.start.shape[0]
    silent = -1j * ops.hamiltonian.toarray()
    driven: dict[tuple[str, Part], Matrix] = {}
    weights: dict[Channel, Matrix] = {}
    driven_weights: dict[tuple[str, Channel], Matrix] = {}

    def add(drive: str | None, part: Part, m: np.ndarray) -> None:
        if drive is not None:
            driven[drive, part] = driven[drive, part] + m if (drive, part) in driven else m

    for term in ops.driven:
        a = term.matrix.toarray()
        kind = "field" if term.envelope == "field" else "two_photon"
        add(str(term.drive), f"{kind}_re", -1j * (a + a.conj().T))  # type: ignore[arg-type]
        add(str(term.drive), f"{kind}_im", a - a.conj().T)  # type: ignore[arg-type]
    for k, j in enumerate(ops.jumps):
        c, number = j.matrix.toarray(), Channel(str(k))
        loss = -0.5 * (c.conj().T @ c)
        if j.drive is None:
            silent = silent + loss
            weights[number] = np.ones((1, 1))
        else:
            add(j.drive, "intensity", loss)
            driven_weights[j.drive, number] = np.ones((1, 1))
    level_of = _level_rows(ops.level_of, n)
    start = np.diag(ops.start).real.copy()
    generator = Generator("lindblad", model, silent, driven, weights, driven_weights, np.ones(n), start, level_of, ops.top_fock)
    return _bound(generator, model, drives), ops.jumps


def _fwhm(p: Pulse) -> float:
    return float(getattr(p, "fwhm_ns", p.length_ns))


def _match(model: Model, drives: Sequence[Drive]) -> None:
    known = model.drives
    names = {d.name for d in drives}
    for d in drives:
        if d.name not in known:
            raise unknown("drive name (one that the model's jumps or couplings use)", d.name, known)
    for name in known:
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


# ------------------------------------------------------------------------------------------------------------------ QuTiP


def from_qutip(H: Any, c_ops: Sequence[Any], channels: Mapping[str, Sequence[int]], start: Any = None) -> tuple[Model, tuple[Drive, ...]]:
    """A model from QuTiP operators: H in rad/ns (a Qobj, or a list [H0, [A, drive], ...]), c_ops in root of 1/ns.

    A driven term is A Re e(t) if A is Hermitian and A e(t) + h.c. otherwise, e the drive's complex envelope.

    channels: {label: indices into c_ops} of the jumps whose photons are counted; start: ket or density matrix (default: the first basis state).
    Returns the model, whose levels are the basis states "0", "1", ..., and the drives found in H.
    """
    parts = list(H) if isinstance(H, list | tuple) else [H]
    drives: list[Drive] = []
    h0 = None
    couplings: list[HamiltonianOperator] = []
    for part in parts:
        if isinstance(part, list | tuple):
            given, d = part
            if not isinstance(d, Drive):
                must = "give each time-dependent term as [operator, qdot drive]"
                raise bad("from_qutip H", must, type(d).__name__, "use for example qdot.drive.Gaussian(...)")
            if any(d.name == e.name and d is not e for e in drives):
                raise bad("from_qutip H", "use a different name for each drive", repr(d.name), "set name=...")
            if d not in drives:
                drives.append(d)
            a = operator(given, "from_qutip H")
            is_hermitian = abs(a - a.conj().T).max() <= 1e-14 * abs(a).max()
            couplings.append(HamiltonianOperator((a / 2 if is_hermitian else a).tocsr(), d.name))
        else:
            m = operator(part, "from_qutip H")
            h0 = m if h0 is None else h0 + m
    size = couplings[0].matrix.shape[0] if h0 is None and couplings else (h0.shape[0] if h0 is not None else 0)
    if h0 is None:
        h0 = sp.csr_array((size, size), dtype=complex)
    named: dict[int, str] = {}
    for label, indices in channels.items():
        if isinstance(indices, int | str):
            raise bad(f"from_qutip channels[{label!r}]", "be a list of indices into c_ops", repr(indices), f"for example [{indices}]")
        for k in indices:
            if not 0 <= k < len(c_ops):
                raise bad(f"from_qutip channels[{label!r}]", f"hold indices 0 .. {len(c_ops) - 1} into c_ops", k)
            if k in named:
                raise InputError(f"from_qutip channels must use each jump once, got c_ops[{k}] in {named[k]!r} and {label!r}; remove one of them")
            named[k] = label
    jumps = []
    for k, c in enumerate(c_ops):
        m = operator(c, f"from_qutip c_ops[{k}]")
        if m.shape != h0.shape:
            raise bad(f"from_qutip c_ops[{k}]", f"have the shape of H, {h0.shape}", m.shape)
        jumps.append(JumpOperator(m, named.get(k)))
    rho = None
    if start is not None:
        full = np.asarray(start.full() if hasattr(start, "full") else start, dtype=complex)
        rho = full @ full.conj().T if full.shape[1] == 1 else full
        if rho.shape != h0.shape or not np.isclose(np.trace(rho).real, 1.0, rtol=1e-9, atol=0):
            raise bad("from_qutip start", f"be a normalised ket or density matrix of dimension {size}", f"shape {rho.shape}, trace {np.trace(rho).real:g}")
    static = (HamiltonianOperator(h0.tocsr()),)
    return Model(tuple(str(i) for i in range(size)), rho, jumps=tuple(jumps), couplings=(*couplings, *static)), tuple(drives)
