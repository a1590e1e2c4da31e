"""What a photon source is made of: levels, cavity modes, Hamiltonian terms and jumps with the light they emit.

A `Model` is a frozen description; it knows no solver, no laser power and no detector. Its operators act on
(level) x (Fock states of each cavity), in the order in which they are listed.
Rates are in 1/ns (1/lifetime), energies in ueV, angular frequencies in rad/ns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.errors import bad, number, unknown
from qdot.units import HBAR_UEV_NS

if TYPE_CHECKING:
    import qutip


class Channel(NamedTuple):
    """Where a photon goes: the line that emits it and its polarisation ("" where none is told apart)."""

    line: str
    polarisation: str = ""


@dataclass(frozen=True)
class Jump:
    """One jump operator sum_i sqrt(rate_i)|to_i><from_i|, incoherent with every other jump.

    One transition is the usual case; several make one collective operator, whose photons cannot be told apart.
    transitions: ((from, to), ...); rates_per_ns: as many, in 1/ns (per unit of the drive's intensity if `drive` is named).
    photon: line that the light belongs to; None for a dark jump.
    """

    transitions: tuple[tuple[str, str], ...]
    rates_per_ns: tuple[float, ...]
    photon: str | None = None
    polarisation: str = ""
    drive: str | None = None

    @staticmethod
    def of(start: str, to: str, rate_per_ns: float, photon: str | None = None, polarisation: str = "", drive: str | None = None) -> Jump:
        """The jump from one level to one other."""
        return Jump(((start, to),), (rate_per_ns,), photon, polarisation, drive)


@dataclass(frozen=True)
class Dephasing:
    """Jump operator sqrt(2 rate)|level><level|: coherences of this level with others decay at `rate_per_ns`."""

    level: str
    rate_per_ns: float


@dataclass(frozen=True)
class Coupling:
    """H = (rabi_per_ns / 2)(|upper><lower| e + h.c.), e = 1 or the complex envelope of the named drive.

    between: (lower, upper); the drive's detuning turns the phase of |upper><lower| as exp(-i detuning t).
    envelope: "field" (one-photon driving, Rabi frequency as the root of power) or "intensity" (effective two-photon driving,
    linear in power; the phase then turns twice as fast).
    """

    between: tuple[str, str]
    rabi_per_ns: float
    drive: str | None = None
    envelope: str = "field"


@dataclass(frozen=True)
class Cavity:
    """One quantised mode: H = sum g (a^dag |to><from| + h.c.) + detuning a^dag a; photons leave at kappa.

    fock: number states 0 .. fock-1. transitions: ((from, to), ...) and one `g_per_ns` for each.
    detuning_ueV: cavity energy minus the frame's energy of one excitation.
    """

    name: str
    fock: int
    kappa_per_ns: float
    g_per_ns: tuple[float, ...]
    transitions: tuple[tuple[str, str], ...]
    detuning_ueV: float = 0.0
    photon: str | None = None
    polarisation: str = ""


@dataclass(frozen=True)
class Filter:
    """A spectral filter, two equal mirrors, in the light of one line: Lorentzian transmission of full width fwhm_ueV, 1 at its centre.

    What passes is the line `name`; what is reflected is lost. centre_ueV: above the frame. share: part of the line's light that goes this way, the
    rest staying in the line. polarisation: of the light that is filtered; one name may stand for H and for V. fock: number states 0 .. fock-1 of the
    light inside.
    The filter is driven by the source and never acts back on it (a cascaded system).
    Source: Carmichael, Phys. Rev. Lett. 70, 2273 (1993); Gardiner, ibid. 2269.
    """

    name: str
    line: str
    fwhm_ueV: float
    centre_ueV: float = 0.0
    share: float = 1.0
    polarisation: str = ""
    fock: int = 3

    @property
    def photon(self) -> str:
        """The line that leaves it."""
        return self.name


def operator(matrix: Any, argument: str) -> sp.csr_array:
    """A square operator, from a QuTiP Qobj or any array, as a sparse complex matrix. Raises InputError if it is not square and finite."""
    if isinstance(matrix, sp.csr_array) and matrix.dtype == complex and matrix.shape[0] == matrix.shape[1] and np.all(np.isfinite(matrix.data)):
        return matrix
    m = matrix.full() if hasattr(matrix, "full") else matrix
    m = m if sp.issparse(m) else np.asarray(m, dtype=complex)
    if m.ndim != 2 or m.shape[0] != m.shape[1]:
        raise bad(argument, "be a square matrix", f"shape {m.shape}")
    found = sp.csr_array(m).astype(complex)
    if not np.all(np.isfinite(found.data)):
        raise bad(argument, "hold finite numbers", "nan or infinity")
    return found


@dataclass(frozen=True, eq=False)
class HamiltonianOperator:
    """A Hamiltonian term given as a matrix or Qobj (rad/ns); with a drive: (matrix e + h.c.) with e its complex envelope."""

    matrix: Any
    drive: str | None = None
    envelope: str = "field"

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", operator(self.matrix, "HamiltonianOperator.matrix"))


@dataclass(frozen=True, eq=False)
class JumpOperator:
    """A jump operator given as a matrix or Qobj (root of 1/ns)."""

    matrix: Any
    photon: str | None = None
    polarisation: str = ""
    drive: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", operator(self.matrix, "JumpOperator.matrix"))


class Operators(NamedTuple):
    """A model written out as matrices on its Hilbert space of dimension n."""

    hamiltonian: sp.csr_array  # (n, n) complex, rad/ns
    driven: tuple[HamiltonianOperator, ...]  # each enters as matrix * e(t) + h.c.
    jumps: tuple[JumpOperator, ...]
    start: np.ndarray  # (n, n) density matrix
    level_of: np.ndarray  # (n,) index of the level of each basis state
    top_fock: np.ndarray  # (n,) True where some cavity holds its largest number of photons


@dataclass(frozen=True, eq=False)
class Model:
    """A source: levels (the first is the start unless `start` names another), what couples them and what light they emit.

    filters: spectral filters that light meets on its way. groups: names for sets of lines, for example {"pair": ("XX", "X")}.
    time_resolution_ns: processes faster than this were left out when the model was made (0: none); pulses must be longer.
    Raises InputError for an unknown level, a rate that is negative or not finite, a cavity with fewer than two number states.
    """

    levels: tuple[str, ...]
    start: str | np.ndarray | None = None
    energies_ueV: Mapping[str, float] = field(default_factory=dict)
    jumps: tuple[Jump | JumpOperator, ...] = ()
    couplings: tuple[Coupling | HamiltonianOperator, ...] = ()
    dephasings: tuple[Dephasing, ...] = ()
    cavities: tuple[Cavity, ...] = ()
    filters: tuple[Filter, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    time_resolution_ns: float = 0.0

    def __post_init__(self) -> None:
        check(self)

    @property
    def modes(self) -> tuple[Cavity | Filter, ...]:
        """Everything that holds photons and is cut off somewhere, in the order of the operators' factors."""
        return (*self.cavities, *self.filters)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that emit light, in order of appearance."""
        names = [j.photon for j in self.jumps] + [m.photon for m in self.modes]
        return tuple(dict.fromkeys(n for n in names if n is not None))

    @property
    def drives(self) -> tuple[str, ...]:
        """The drives that the model names, in order of appearance."""
        names = [c.drive for c in self.couplings] + [j.drive for j in self.jumps]
        return tuple(dict.fromkeys(n for n in names if n is not None))

    @property
    def acting_drives(self) -> tuple[str, ...]:
        """The drives without which something would be missing: those that multiply more than zeros."""
        found = [c.drive for c in self.couplings if isinstance(c, HamiltonianOperator) or c.rabi_per_ns != 0.0]
        found += [j.drive for j in self.jumps if isinstance(j, JumpOperator) or any(r > 0.0 for r in j.rates_per_ns)]
        return tuple(dict.fromkeys(n for n in found if n is not None))

    def lines_of(self, label: str | Sequence[str], argument: str = "label") -> tuple[str, ...]:
        """The lines behind a label: a line, a group, or a list of them (their sum). Raises InputError if nobody emits it."""
        if not isinstance(label, str):
            if len(label) == 0:
                raise bad(argument, "name at least one label", "an empty list", f"choose from {', '.join(map(repr, self.lines))}")
            return tuple(dict.fromkeys(line for one in label for line in self.lines_of(one, argument)))
        if label in self.groups:
            return tuple(line for line in self.groups[label] if line in self.lines) or self._nobody(label, argument)
        return (label,) if label in self.lines else self._nobody(label, argument)

    def _nobody(self, label: str, argument: str) -> tuple[str, ...]:
        raise unknown(argument + " (a label that the source emits)", label, [*self.lines, *self.groups])

    def with_more_fock(self) -> Model:
        """The same model with a third more number states in every mode, at least two: enough to see a slowly falling tail."""
        if self.cavities and isinstance(self.start, np.ndarray):
            raise bad("Model.start", "be a level name for a model with cavities", "a matrix", "name the level; cavities start empty")
        return self._with_fock(lambda fock: fock + max(2, fock // 3))

    def with_fewer_fock(self, less: int) -> Model:
        """The same model with `less` number states less in every mode."""
        return self._with_fock(lambda fock: fock - less)

    def _with_fock(self, change: Callable[[int], int]) -> Model:
        cavities = tuple(replace(m, fock=change(m.fock)) for m in self.cavities)
        return replace(self, cavities=cavities, filters=tuple(replace(m, fock=change(m.fock)) for m in self.filters))

    def operators(self) -> Operators:
        """All operators as sparse matrices on (level) x (Fock) x ..."""
        return _filtered(_write_out(self), self.filters)

    def first_rabi_per_ns(self, drive: str) -> float:
        """Rabi frequency of the first-listed coupling of a drive at unit envelope, in rad/ns; 0 if it drives none."""
        for c in self.couplings:
            if c.drive == drive:
                if isinstance(c, Coupling):
                    return abs(c.rabi_per_ns)
                return 2.0 * float(np.max(np.abs((c.matrix + c.matrix.conj().T).toarray())))
        return 0.0

    def to_qutip(self) -> QutipModel:
        """The model as QuTiP objects: H in rad/ns, jump operators, start state, and the driven terms by name of drive."""
        import qutip

        ops = self.operators()
        dims = [[len(self.levels), *(m.fock for m in self.modes)]] * 2
        dims = [[d for d in side if d > 1] or [1] for side in dims]

        def q(m: Any) -> qutip.Qobj:
            return qutip.Qobj(sp.csr_matrix(m), dims=dims)

        driven = tuple((str(d.drive), d.envelope, q(d.matrix)) for d in ops.driven)
        channels: dict[str, list[int]] = {}
        for k, j in enumerate(ops.jumps):
            if j.photon is not None:
                channels.setdefault(j.photon, []).append(k)
        return QutipModel(q(ops.hamiltonian), driven, [q(j.matrix) for j in ops.jumps], [j.drive for j in ops.jumps], channels, q(ops.start))


class QutipModel(NamedTuple):
    """What `Model.to_qutip` returns."""

    H: qutip.Qobj
    """Static Hamiltonian, rad/ns."""
    driven: tuple[tuple[str, str, qutip.Qobj], ...]
    """(drive, "field" or "intensity", A): the Hamiltonian also holds A e(t) + h.c. with e the drive's complex envelope."""
    c_ops: list[qutip.Qobj]
    """Jump operators, root of 1/ns (per root of the drive's intensity where `c_drives` names one)."""
    c_drives: list[str | None]
    channels: dict[str, list[int]]
    """{line: indices into c_ops}."""
    start: qutip.Qobj
    """Density matrix of the start state."""


def check(model: Model) -> None:
    """Raise InputError at the first thing in a model that makes no sense."""
    levels = model.levels
    if isinstance(levels, str) or len(levels) == 0:
        raise bad("levels", "be a list of at least one name", repr(levels), 'for example ["G", "X"]')
    for name in levels:
        if not isinstance(name, str) or not name:
            raise bad("levels", "hold non-empty names", repr(name), 'for example ["G", "X"]')
    known = frozenset(levels)
    if len(known) < len(levels):
        twice = next(name for name in levels if levels.count(name) > 1)
        raise bad("levels", "name each level once", f"{twice!r} {levels.count(twice)} times", "rename one of them")

    def level(argument: str, name: str) -> None:
        if name not in known:
            raise unknown(argument, name, levels)

    if isinstance(model.start, str):
        level("start", model.start)
    for name, energy in model.energies_ueV.items():
        level("energy_ueV", name)
        number(f"energy_ueV.{name}", energy, unit="ueV")
    n = len(levels) * math.prod(c.fock for c in model.cavities if isinstance(c.fock, int))
    for what, terms in (("jumps", model.jumps), ("couplings", model.couplings)):
        for i, term in enumerate(terms):
            if isinstance(term, JumpOperator | HamiltonianOperator) and term.matrix.shape[0] != n:
                raise bad(f"{what}[{i}]", f"act on (levels) x (number states) = {n} states", f"a matrix of {term.matrix.shape[0]}")
    if isinstance(model.start, np.ndarray) and model.start.shape != (n, n):
        raise bad("start", f"be a level name or a density matrix of shape ({n}, {n})", f"shape {model.start.shape}")
    for i, c in enumerate(model.couplings):
        if isinstance(c, HamiltonianOperator) and c.drive is None and abs(c.matrix - c.matrix.conj().T).max() > 1e-12 * max(abs(c.matrix).max(), 1e-300):
            raise bad(f"couplings[{i}]", "be Hermitian where no drive multiplies it", "a matrix that is not", "check the coupling terms and their conjugates")
    for i, j in enumerate(model.jumps):
        if isinstance(j, JumpOperator):
            continue
        if len(j.transitions) == 0 or len(j.transitions) != len(j.rates_per_ns):
            raise bad(f"jump[{i}].rates_per_ns", f"hold one rate for each of the {len(j.transitions)} transitions (at least one)", list(j.rates_per_ns))
        if len(set(j.transitions)) < len(j.transitions):
            raise bad(f"jump[{i}].transitions", "name each transition once", list(j.transitions), "add the amplitudes into one rate")
        for (a, b), rate in zip(j.transitions, j.rates_per_ns, strict=True):
            if type(rate) is float and 0.0 <= rate < math.inf and a != b and a in known and b in known:
                continue  # large models are made of many good jumps
            level(f"jump[{i}].from", a)
            level(f"jump[{i}].to", b)
            if a == b:
                raise bad(f"jump[{i}]", "join two different levels", f"{a!r} -> {b!r}", "use [[dephasing]] for a process that keeps the level")
            number(f"jump[{i}] {a}->{b} rate_per_ns", rate, low=0.0, unit="1/ns")
    for i, c in enumerate(model.couplings):
        if c.envelope not in ("field", "intensity"):
            raise unknown(f"coupling[{i}].envelope", c.envelope, ["field", "intensity"])
        if isinstance(c, HamiltonianOperator):
            continue
        for name in c.between:
            level(f"coupling[{i}].between", name)
        if len(c.between) != 2 or c.between[0] == c.between[1]:
            raise bad(f"coupling[{i}].between", "name two different levels", list(c.between))
        number(f"coupling[{i}].rabi_per_ns", c.rabi_per_ns, unit="rad/ns")
    for i, d in enumerate(model.dephasings):
        level(f"dephasing[{i}].level", d.level)
        number(f"dephasing[{i}].rate_per_ns", d.rate_per_ns, low=0.0, unit="1/ns")
    names = [c.name for c in model.cavities]
    for i, cav in enumerate(model.cavities):
        if names.count(cav.name) > 1:
            raise bad(f"cavity[{i}].name", "differ from the other cavities' names", repr(cav.name), "rename one of them")
        if isinstance(cav.fock, bool) or not isinstance(cav.fock, int) or cav.fock < 2:
            raise bad(f"cavity[{i}].fock", "be a whole number >= 2 (number states 0 .. fock-1)", cav.fock)
        number(f"cavity[{i}].kappa_per_ns", cav.kappa_per_ns, low=0.0, unit="1/ns")
        number(f"cavity[{i}].detuning_ueV", cav.detuning_ueV, unit="ueV")
        if len(cav.g_per_ns) != len(cav.transitions):
            raise bad(f"cavity[{i}].g_per_ns", f"be one number or hold one for each of the {len(cav.transitions)} transitions", list(cav.g_per_ns))
        for (a, b), g in zip(cav.transitions, cav.g_per_ns, strict=True):
            level(f"cavity[{i}].transitions from", a)
            level(f"cavity[{i}].transitions to", b)
            number(f"cavity[{i}].g_per_ns", g, unit="rad/ns")
            if a == b:
                raise bad(f"cavity[{i}].transitions", "join two different levels", f"{a!r} -> {b!r}")
    _check_filters(model)
    told_apart = {f"{e.photon}:{e.polarisation}": e for e in (*model.jumps, *model.modes) if e.photon is not None and e.polarisation}
    for name in (*model.lines, *model.groups):
        if name in told_apart:
            e = told_apart[name]
            must = f"differ from line {e.photon!r} in polarisation {e.polarisation}, which has this name"
            raise bad(f"line {name!r}", must, "one name for both", "rename the line")
    for group, members in model.groups.items():
        if group in model.lines:
            raise bad(f"groups.{group}", "differ from every line's name", repr(group), "rename the group")
        if not members:
            raise bad(f"groups.{group}", "hold at least one line", "nothing")
    number("time_resolution_ns", model.time_resolution_ns, low=0.0, unit="ns")


def _check_filters(model: Model) -> None:
    """Raise InputError for a filter that nothing can pass, or that is asked for more light than there is."""
    emitted = {e.photon for e in (*model.jumps, *model.cavities) if e.photon is not None}
    taken = emitted | {c.name for c in model.cavities}
    for i, f in enumerate(model.filters):
        here = f"filters[{i}]"
        if f.line not in emitted:
            raise unknown(f"{here}.line (a line that the source emits)", f.line, sorted(emitted))
        others = {g.polarisation for j, g in enumerate(model.filters) if g.name == f.name and j != i}
        if f.name in taken or "" in others or (others and f.polarisation in ("", *others)):
            must = "be a new name, or that of the same filter in the other polarisation: light that has passed is a line of its own"
            raise bad(f"{here}.name", must, repr(f.name), "rename the filter")
        number(f"{here}.fwhm_ueV", f.fwhm_ueV, low=0.0, open_low=True, unit="ueV")
        number(f"{here}.centre_ueV", f.centre_ueV, unit="ueV")
        number(f"{here}.share", f.share, low=0.0, high=1.0, open_low=True)
        if isinstance(f.fock, bool) or not isinstance(f.fock, int) or f.fock < 2:
            raise bad(f"{here}.fock", "be a whole number >= 2 (number states 0 .. fock-1)", f.fock)
        together = sum(g.share for g in model.filters if (g.line, g.polarisation) == (f.line, f.polarisation))
        if together > 1.0 + 1e-12:
            raise bad(f"{here}.share", "add up to at most 1 over the filters of a line", together, "lower the shares: light is split before it is filtered")


class _Entries:
    """Entries of an operator on (level) x (number states), collected before one sparse matrix is made of them."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.rows: list[np.ndarray] = []
        self.columns: list[np.ndarray] = []
        self.values: list[np.ndarray] = []

    def add(self, rows: np.ndarray, columns: np.ndarray, values: Any, hermitian: bool = False) -> None:
        """Entries at (rows, columns); with `hermitian` also their conjugates across the diagonal."""
        values = np.broadcast_to(np.asarray(values, dtype=complex), rows.shape)
        for r, c, v in ((rows, columns, values), (columns, rows, values.conj()))[: 2 if hermitian else 1]:
            self.rows.append(r)
            self.columns.append(c)
            self.values.append(v)

    def matrix(self) -> sp.csr_array:
        """The operator, repeated entries added."""
        if not self.rows:
            return sp.csr_array((self.n, self.n), dtype=complex)
        where = (np.concatenate(self.rows), np.concatenate(self.columns))
        return sp.coo_array((np.concatenate(self.values), where), shape=(self.n, self.n)).tocsr()


def _write_out(model: Model) -> Operators:
    """Assemble every operator of the model. Symbolic terms act on the level; each cavity adds a tensor factor."""
    n_levels = len(model.levels)
    focks = [c.fock for c in model.cavities]
    n_fock = math.prod(focks)
    n = n_levels * n_fock
    index = {name: i for i, name in enumerate(model.levels)}
    photons = np.arange(n_fock)
    occupation = np.array(np.unravel_index(photons, focks)) if focks else np.zeros((0, 1), dtype=int)
    strides = [math.prod(focks[k + 1 :]) for k in range(len(focks))]

    def at(level: str) -> np.ndarray:
        """The basis states of a level, one for each set of photon numbers."""
        return index[level] * n_fock + photons

    h = _Entries(n)
    for name, energy in model.energies_ueV.items():
        h.add(at(name), at(name), energy / HBAR_UEV_NS)
    driven: list[HamiltonianOperator] = []
    given: list[sp.csr_array] = []
    for c in model.couplings:
        if isinstance(c, HamiltonianOperator):
            if c.drive is None:
                given.append(c.matrix)
            else:
                driven.append(c)
            continue
        lower, upper = c.between
        if c.drive is None:
            h.add(at(upper), at(lower), c.rabi_per_ns / 2, hermitian=True)
        else:
            raising = _Entries(n)
            raising.add(at(upper), at(lower), c.rabi_per_ns / 2)
            driven.append(HamiltonianOperator(raising.matrix(), c.drive, c.envelope))

    jumps: list[JumpOperator] = []
    for j in model.jumps:
        if isinstance(j, JumpOperator):
            jumps.append(j)
            continue
        collective = _Entries(n)
        for (a, b), rate in zip(j.transitions, j.rates_per_ns, strict=True):
            collective.add(at(b), at(a), math.sqrt(rate))
        jumps.append(JumpOperator(collective.matrix(), j.photon, j.polarisation, j.drive))
    for d in model.dephasings:
        kept = _Entries(n)
        kept.add(at(d.level), at(d.level), math.sqrt(2 * d.rate_per_ns))
        jumps.append(JumpOperator(kept.matrix()))
    for k, cav in enumerate(model.cavities):
        number_of = occupation[k]
        everywhere = np.arange(n)
        h.add(everywhere, everywhere, np.tile(cav.detuning_ueV / HBAR_UEV_NS * number_of, n_levels))
        filled = number_of < cav.fock - 1  # a^dag leads from here to one photon more
        for (upper, lower), g in zip(cav.transitions, cav.g_per_ns, strict=True):
            h.add(at(lower)[filled] + strides[k], at(upper)[filled], g * np.sqrt(number_of[filled] + 1.0), hermitian=True)
        leaving = _Entries(n)
        from_here = np.flatnonzero(np.tile(number_of > 0, n_levels))
        leaving.add(from_here - strides[k], from_here, np.sqrt(cav.kappa_per_ns * np.tile(number_of, n_levels)[from_here]))
        jumps.append(JumpOperator(leaving.matrix(), cav.photon, cav.polarisation))
    hamiltonian = sum(given, h.matrix())

    if isinstance(model.start, np.ndarray):
        start = np.asarray(model.start, dtype=complex)
    else:
        start = np.zeros((n, n), dtype=complex)
        vacuum = index[model.levels[0] if model.start is None else model.start] * n_fock
        start[vacuum, vacuum] = 1.0
    level_of = np.repeat(np.arange(n_levels), n_fock)
    top = np.any(occupation == (np.array(focks, dtype=int)[:, None] - 1), axis=0) if focks else np.zeros(1, dtype=bool)
    return Operators(sp.csr_array(hamiltonian), tuple(driven), tuple(jumps), start, level_of, np.tile(top, n_levels))


def _filtered(ops: Operators, filters: Sequence[Filter]) -> Operators:
    """The operators with filters in the light: each adds a mode that a share of one field operator c drives and that never acts back.

    In series, with root(k/2) a leaving each mirror: H = (root(k/2) / 2i)(a^dag c - c^dag a), reflected c + root(k/2) a, transmitted root(k/2) a.
    """
    for i, f in enumerate(filters):
        n, eye = ops.start.shape[0], sp.eye_array(f.fock, format="csr", dtype=complex)
        mine = [k for k, j in enumerate(ops.jumps) if (j.photon, j.polarisation) == (f.line, f.polarisation)]
        if len(mine) != 1 or ops.jumps[mine[0]].drive is not None:
            light = f"line {f.line!r}" + (f" in polarisation {f.polarisation!r}" if f.polarisation else "")
            must = f"filter {light} that one undriven jump emits, because modes that can be told apart need a filter each"
            raise bad(f"filters[{i}]", must, f"{len(mine)} such jumps", "name one polarisation, or give the source one line for each transition")

        def wide(m: sp.csr_array, eye: sp.csr_array = eye) -> sp.csr_array:
            return sp.csr_array(sp.kron(m, eye, format="csr"))

        before = sum(g.share for g in filters[:i] if (g.line, g.polarisation) == (f.line, f.polarisation))
        # what earlier filters have left of the line, and this one's part of it
        c = wide(ops.jumps[mine[0]].matrix * math.sqrt(f.share / (1.0 - before)))
        left = math.sqrt(max(0.0, (1.0 - before - f.share) / (1.0 - before)))
        lower = sp.kron(sp.eye_array(n), sp.diags_array(np.sqrt(np.arange(1.0, f.fock)), offsets=1), format="csr").astype(complex)
        number_of = sp.kron(sp.eye_array(n), sp.diags_array(np.arange(f.fock) * f.centre_ueV / HBAR_UEV_NS), format="csr")
        out = sp.csr_array(lower * math.sqrt(0.5 * f.fwhm_ueV / HBAR_UEV_NS))
        drive = (out.conj().T @ c) * -0.5j
        jumps = [JumpOperator(wide(j.matrix) * (left if k in mine else 1.0), j.photon, j.polarisation, j.drive) for k, j in enumerate(ops.jumps)]
        jumps = [j for k, j in enumerate(jumps) if left > 0.0 or k not in mine]
        jumps += [JumpOperator(sp.csr_array(c + out)), JumpOperator(out, f.name, f.polarisation)]
        driven = tuple(HamiltonianOperator(wide(d.matrix), d.drive, d.envelope) for d in ops.driven)
        vacuum = np.zeros((f.fock, f.fock))
        vacuum[0, 0] = 1.0
        top = np.arange(f.fock) == f.fock - 1
        ops = Operators(
            sp.csr_array(wide(ops.hamiltonian) + number_of + drive + drive.conj().T),
            driven,
            tuple(jumps),
            np.kron(ops.start, vacuum),
            np.repeat(ops.level_of, f.fock),
            (ops.top_fock[:, None] | top).ravel(),
        )
    return ops
