"""Coherence of steady light in fifty digits: how wrong is a double-precision answer really? mpmath alone, stacking as in `coherence`."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp
import numpy as np

DIGITS = 50


def _kron(a: mp.matrix, b: mp.matrix) -> mp.matrix:
    out = mp.zeros(a.rows * b.rows, a.cols * b.cols)
    for i in range(a.rows):
        for j in range(a.cols):
            if a[i, j] != 0:
                for k in range(b.rows):
                    for m in range(b.cols):
                        out[i * b.rows + k, j * b.cols + m] = a[i, j] * b[k, m]
    return out


class Light:
    """The steady light of one operator c of a small Lindblad model: G1 and spectrum, in 1/ns and of angular frequencies."""

    def __init__(self, h: np.ndarray, jumps: Sequence[np.ndarray], c: np.ndarray) -> None:
        with mp.workdps(DIGITS):
            h, one = mp.matrix(h.tolist()), mp.eye(len(h))
            self.generator = -1j * (_kron(one, h) - _kron(h.T, one))
            for jump in jumps:
                j = mp.matrix(jump.tolist())
                lost = j.H * j
                self.generator += _kron(j.apply(mp.conj), j) - (_kron(one, lost) + _kron(lost.T, one)) / 2
            row = mp.matrix([[1 if i == j else 0 for j in range(h.rows) for i in range(h.rows)]])
            x = mp.lu_solve(self.generator - row.T * row, -row.T)
            c = mp.matrix(c.tolist())
            self.seen, self.start = row * _kron(one, c), _kron(c.H.T, one) * x
            self.flux = (self.seen * self.start)[0]
            field = (self.seen * x)[0]
            self.moving, self.settled = self.start - mp.conj(field) * x, self.generator - x * row
            self.elastic = float(abs(field) ** 2)

    def g1(self, tau: Sequence[float]) -> np.ndarray:
        """Complex, 1 at 0."""
        with mp.workdps(DIGITS):
            return np.array([complex((self.seen * (mp.expm(self.generator * t) * self.start))[0] / self.flux) for t in tau])

    def spectrum(self, omega: Sequence[float]) -> np.ndarray:
        """Without the elastic line."""
        with mp.workdps(DIGITS):
            one = mp.eye(self.generator.rows)
            found = [-(self.seen * mp.lu_solve(self.settled + 1j * mp.mpf(float(w)) * one, self.moving))[0] for w in omega]
            return np.array([float(mp.re(f) / mp.pi) for f in found])
