"""A model as one linear system dx/dt = [S + sum_j f_j(t) D_j + sum_k (z_k - 1) J_k] x, in two pictures.

rate(model): x holds the populations. lindblad(model): x holds the density matrix as real numbers, rho_ii, then Re rho_ij and
Im rho_ij for i < j; a Lindblad equation is real in these coordinates, and whatever a start cannot reach is dropped later.
What a field operator does to a state is complex: see fields. Nothing is solved here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from qdot.errors import bad
from qdot.evolve import Matrix
from qdot.evolve.reduction import entries, gathered, nothing
from qdot.model import Channel, Coupling, Jump, Model, Operators

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
    top_fock: (d,) True for populations in which some cavity is full. operators: what the Lindblad picture was made of, in its frame; frame_per_ns:
    for each of its jumps, by how much the frame lowers the frequency of its photons.
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
    operators: Operators | None = None
    frame_per_ns: tuple[float, ...] = ()

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
    if coupled or model.filters or any(g != 0.0 for c in model.cavities for g in c.g_per_ns):
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
    return from_moves(model, moves)


def from_moves(model: Model, moves: Moves) -> Generator:
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
    return Generator("rate", model, filed.silent, filed.driven, filed.jumps, filed.driven_jumps, trace, row, level_rows(level_of, n), top)


def lindblad(model: Model, ops: Operators | None = None, frame_per_ns: Sequence[float] = ()) -> Generator:
    """The Lindblad equation drho/dt = -i[H, rho] + sum c rho c^dag - {c^dag c, rho}/2 in real coordinates.

    ops: the model's operators, if they are not its own; frame_per_ns: see Generator.
    """
    ops = model.operators() if ops is None else ops
    n = ops.start.shape[0]
    eye: Matrix = np.eye(n) if n <= FEW_STATES else sp.eye_array(n, format="csr")

    def array(m: sp.csr_array) -> Matrix:
        """Dense for few states, where sparse bookkeeping costs more than the arithmetic."""
        return m.toarray() if n <= FEW_STATES else m

    def both_sides(g: Matrix) -> Matrix:
        """rho -> g rho + rho g^dag."""
        return superoperator([(g, eye), (eye, g)], n)

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
            filed.add(None, channel, None, superoperator([(c, c)], n))
        else:
            filed.add(j.drive, channel, both_sides(square), superoperator([(c, c)], n))
    filed.silent = filed.silent + both_sides(quiet)
    filed.keep_populations(n)
    diagonal = np.zeros(n * n)
    diagonal[:n] = 1.0
    levels = np.zeros((len(model.levels), n * n))
    levels[:, :n] = level_rows(ops.level_of, n)
    top = np.zeros(n * n, dtype=bool)
    top[:n] = ops.top_fock
    upper = ops.start[np.triu_indices(n, 1)]
    start = np.concatenate([np.diag(ops.start).real, upper.real, upper.imag])
    frame = tuple(frame_per_ns) or (0.0,) * len(ops.jumps)
    return Generator("lindblad", model, filed.silent, filed.driven, filed.jumps, filed.driven_jumps, diagonal, start, levels, top, ops, frame)


class _Filed:
    """The matrices of a generator while it is put together, each where it belongs."""

    def __init__(self, d: int) -> None:
        self.silent = nothing(d)
        self.driven: dict[tuple[str, Part], Matrix] = {}
        self.jumps: dict[Channel, Matrix] = {}
        self.driven_jumps: dict[tuple[str, Channel], Matrix] = {}

    def keep_populations(self, n: int) -> None:
        """Make populations, the first n entries, leave at exactly the rates at which they arrive elsewhere."""
        self.silent = _without_rounding(self.silent, list(self.jumps.values()), n)
        for drive, part in list(self.driven):
            if part == "intensity":
                light = [j for (name, _), j in self.driven_jumps.items() if name == drive]
                self.driven[drive, part] = _without_rounding(self.driven[drive, part], light, n)

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


def _without_rounding(silent: Matrix, jumps: Sequence[Matrix], n: int) -> Matrix:
    """The silent part with the diagonal of the first n columns, populations, set to what leaves them for elsewhere.

    What a jump takes from a level and gives back to it (dephasing) would leave its rounding there, far above slow rates beside it.
    """
    rows, columns, values = entries(silent)
    elsewhere = (rows != columns) | (rows >= n)
    rows, columns, values = rows[elsewhere], columns[elsewhere], values[elsewhere]
    leaves = np.zeros(n)
    for r, c, v in ((rows, columns, values), *map(entries, jumps)):
        inside = (r < n) & (c < n)
        np.add.at(leaves, c[inside], v[inside])
    diagonal = np.flatnonzero(leaves)
    return gathered(np.concatenate([rows, diagonal]), np.concatenate([columns, diagonal]), np.concatenate([values, -leaves[diagonal]]), silent.shape[0])


def level_rows(level_of: np.ndarray, n: int) -> np.ndarray:
    """(levels, n) rows of populations, from the level (n,) of each state."""
    rows = np.zeros((int(level_of.max()) + 1, n))
    rows[level_of, np.arange(n)] = 1.0
    return rows


def superoperator(pairs: Sequence[tuple[Matrix, Matrix]], n: int) -> Matrix:
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
