"""Field operators: what c rho c^dag leaves out. Multiplying from one side, Tr c X, and polarisations mixed before light is counted.

A matrix X of n states has n^2 complex coordinates: X_ii, then (X_ij + X_ji)/2 and (X_ij - X_ji)/(2i) for i < j. For a Hermitian X they are the
real coordinates of a generator, which acts on them whatever X is. Operators in one channel are modes that can be told apart, unless the model
gives one operator; the k-th operator of a line in H and the k-th in V belong to one mode, whose polarisations can be mixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from qdot.errors import bad
from qdot.evolve import Matrix
from qdot.generator.pictures import Generator, superoperator
from qdot.model import Channel, JumpOperator, Operators
from qdot.polarisation import Polarisation


class Field(NamedTuple):
    """One mode's field operator (n, n), the probability that its photons are collected, and what the frame took off their frequency, rad/ns."""

    operator: sp.csr_array
    weight: float
    frame_per_ns: float


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The coordinates of n x n matrices."""

    n: int

    @cached_property
    def _from_matrix(self) -> tuple[sp.csr_array, sp.csr_array]:
        """(coordinates from the row-major matrix, and back), each (n^2, n^2)."""
        n = self.n
        i, j = np.triu_indices(n, 1)
        diagonal, pair = np.arange(n), n + np.arange(i.size)
        upper, lower, imaginary, one = i * n + j, j * n + i, pair + i.size, np.ones(i.size)

        def matrix(rows: tuple[np.ndarray, ...], columns: tuple[np.ndarray, ...], values: tuple[np.ndarray, ...]) -> sp.csr_array:
            where = (np.concatenate((diagonal, *rows)), np.concatenate((diagonal * (n + 1), *columns)))
            return sp.csr_array((np.concatenate((np.ones(n), *values)), where), shape=(n * n, n * n), dtype=complex)

        to = matrix((pair, pair, imaginary, imaginary), (upper, lower, upper, lower), (0.5 * one, 0.5 * one, -0.5j * one, 0.5j * one))
        back = matrix((pair, imaginary, pair, imaginary), (upper, upper, lower, lower), (one, 1j * one, one, -1j * one)).T.tocsr()
        return to, back

    def both_sides(self, a: sp.csr_array | None, b: sp.csr_array | None) -> sp.csr_array:
        """(n^2, n^2) complex matrix of X -> a X b^dag; None stands for the identity."""
        eye = sp.eye_array(self.n, format="csr", dtype=complex)
        to, back = self._from_matrix
        found = (to @ sp.kron(eye if a is None else a, eye if b is None else b.conj(), format="csr") @ back).tocsr()
        found.eliminate_zeros()
        return found

    def trace_with(self, a: sp.csr_array) -> np.ndarray:
        """(n^2,) complex row of Tr a X."""
        return np.asarray(self._from_matrix[1].T @ a.T.toarray().ravel())

    def matrix(self, x: np.ndarray) -> np.ndarray:
        """(n, n) X from its coordinates (n^2,)."""
        return np.asarray(self._from_matrix[1] @ x).reshape(self.n, self.n)


def fields_of(generator: Generator, light: Mapping[Channel, float]) -> list[Field]:
    """The field operators of a light {channel: probability that it is collected}; those that the light leaves out are not listed.

    Raises InputError for light that a drive makes: its amplitude is the drive's as well.
    """
    ops = generator.operators
    if ops is None:
        raise bad("picture", "be 'lindblad' for what rests on fields and not on photon numbers", repr(generator.picture), "leave picture out")
    found = []
    for j, frame in zip(ops.jumps, generator.frame_per_ns, strict=True):
        weight = 0.0 if j.photon is None else light.get(Channel(j.photon, j.polarisation), 0.0)
        if weight == 0.0:
            continue
        if j.drive is not None:
            raise bad(f"the field of line {j.photon!r}", "belong to a jump that no drive multiplies", f"a jump driven by {j.drive!r}", "look at photon numbers")
        found.append(Field(j.matrix, weight, frame))
    return found


def analysed(ops: Operators, analysis: Mapping[str, Polarisation]) -> Operators:
    """The same operators with the light of some lines told apart by other polarisations than H and V: {line: one of the two}.

    Raises InputError for a line that does not say which of its light is H and which is V.
    """
    if not analysis:
        return ops
    kept: list[JumpOperator] = []
    split: dict[tuple[str, str | None], dict[str, list[JumpOperator]]] = {}
    for j in ops.jumps:
        if j.photon is not None and j.photon in analysis:
            split.setdefault((j.photon, j.drive), {}).setdefault(j.polarisation, []).append(j)
        else:
            kept.append(j)
    nothing = sp.csr_array(ops.start.shape, dtype=complex)
    for (line, drive), by in split.items():
        if not set(by) <= {"H", "V"}:
            got = ", ".join(repr(p) for p in sorted(by))
            raise bad(f"analysed({line}=...)", "name a line whose jumps have polarisation H or V", got, "give the jumps of the source their polarisation")
        for h, v in zip_longest(by.get("H", ()), by.get("V", ())):
            for p in (analysis[line], analysis[line].orthogonal):
                mixed = np.conj(p.h) * (nothing if h is None else h.matrix) + np.conj(p.v) * (nothing if v is None else v.matrix)
                kept.append(JumpOperator(mixed.tocsr(), line, p.name, drive))
    return ops._replace(jumps=tuple(kept))


def stokes_jumps(generator: Generator, line: str) -> list[Matrix]:
    """The four real jumps of a line whose traces are its Stokes parameters: H + V, H - V, D - A and R - L.

    For field operators h, v of one mode: h X h^dag + v X v^dag, their difference, h X v^dag + v X h^dag, and i (h X v^dag - v X h^dag).
    Raises InputError if the line does not say which of its light is H and which is V, or if two lasers make its H and V beat.
    """
    ops = generator.operators
    if ops is None:
        raise bad("picture", "be 'lindblad' for polarisations", repr(generator.picture), "leave picture out")
    n = ops.start.shape[0]
    by: dict[str, list[sp.csr_array]] = {}
    turning: dict[str, list[float]] = {}
    for j, frame in zip(ops.jumps, generator.frame_per_ns, strict=True):
        if j.photon == line:
            if j.drive is not None:
                raise bad(f"line {line!r}", "be emitted by jumps that no drive multiplies", f"a jump driven by {j.drive!r}")
            by.setdefault(j.polarisation, []).append(j.matrix)
            turning.setdefault(j.polarisation, []).append(frame)
    for h_frame, v_frame in zip(turning.get("H", ()), turning.get("V", ()), strict=False):
        if not math.isclose(h_frame, v_frame, rel_tol=1e-9):
            must = "have one frame for H and V, because their coherence is seen"
            raise bad(f"line {line!r}", must, f"lasers that make them turn at {h_frame:g} and {v_frame:g} rad/ns", "give the lasers one detuning")
    if not by or not set(by) <= {"H", "V"}:
        got = ", ".join(repr(p) for p in sorted(by))
        raise bad(f"line {line!r}", "have jumps of polarisation H or V", got, "give the jumps of the source their polarisation, and do not analyse the line")
    nothing = sp.csr_array((n, n), dtype=complex)
    pairs = [(nothing if h is None else h, nothing if v is None else v) for h, v in zip_longest(by.get("H", ()), by.get("V", ()))]
    return [
        superoperator([two for h, v in pairs for two in ((h, h), (v, v))], n),
        superoperator([(h, h) for h, _ in pairs], n) - superoperator([(v, v) for _, v in pairs], n),
        superoperator([two for h, v in pairs for two in ((h, v), (v, h))], n),
        superoperator([two for h, v in pairs for two in ((1j * h, v), (-1j * v, h))], n),
    ]
