"""Registers that events advance: photon numbers, or powers of (z - 1), as a small commutative algebra.

A system dx/dt = (A + sum_a z_a G_a) x splits by powers of z into one vector per state of a register; an event on axis a advances the register by
a matrix N_a >= 0. All that a stretch of time can do to (x, register) is a polynomial in the N_a, hence known from what it does to an empty register.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True, eq=False)
class Register:
    """advance: one (m, m) matrix for each axis, [from, to]; weight: (m,) what adds up to the whole; products: (m, m, m), see below.

    listed: shape of the states that are told apart; the others follow them. moments: highest power carried for what lies beyond, -1 if none is.
    products[b]: the polynomial that takes an empty register to state b, as a matrix [from, to].
    """

    advance: np.ndarray
    weight: np.ndarray
    products: np.ndarray
    listed: tuple[int, ...]
    moments: int

    @property
    def size(self) -> int:
        """Number of states, m."""
        return int(self.weight.size)

    def start(self, y: np.ndarray) -> np.ndarray:
        """(d, n, m) of the columns y (d, n) with an empty register."""
        x = np.zeros((*y.shape, self.size))
        x[..., 0] = y
        return x

    def moments_of(self, x: np.ndarray, highest: int) -> np.ndarray:
        """(highest + 1, d): coefficients of (z - 1)^k, from states (d, m) of a register of `numbers` with moments >= highest.

        Every term of the sums is a state times a positive whole number.
        """
        top = self.listed[0] - 1
        found = np.zeros((highest + 1, x.shape[0]))
        for k in range(highest + 1):
            number = np.array(
                [math.comb(n, k) for n in range(top + 1)] + [math.comb(top + 1, k - j) if j <= k else 0 for j in range(self.moments + 1)], dtype=float
            )
            found[k] = x @ number
        return found


@cache
def nothing_counted() -> Register:
    """One state, no axis."""
    return Register(np.zeros((0, 1, 1)), np.ones(1), np.ones((1, 1, 1)), (1,), -1)


@cache
def numbers(top: int, moments: int) -> Register:
    """0 .. top events told apart; all larger numbers together, with powers 0 .. moments of (z - 1) for the excess over top + 1.

    So P(n) and the factorial moments, whatever the largest number told apart, come from one calculation and from sums of positive terms.
    """
    m = top + 1 + moments + 1
    step = np.eye(m, k=1)
    beyond = np.arange(top + 1, m)
    step[beyond, beyond] = 1.0
    over = np.linalg.matrix_power(step, top + 1)
    products = [np.linalg.matrix_power(step, n) for n in range(top + 1)]
    products += [over @ np.linalg.matrix_power(step - np.eye(m), k) for k in range(moments + 1)]
    weight = np.ones(m)
    weight[top + 2 :] = 0.0
    return Register(step[None], weight, np.array(products), (top + 1,), moments)


@cache
def joint_numbers(tops: tuple[int, ...]) -> Register:
    """Every combination of 0 .. top events on several axes, and one state for all that lies beyond."""
    shape = tuple(n + 1 for n in tops)
    listed = math.prod(shape)
    places = np.array(np.unravel_index(np.arange(listed), shape))
    advance = np.zeros((len(tops), listed + 1, listed + 1))
    for axis in range(len(tops)):
        advance[axis, listed, listed] = 1.0
        for k in range(listed):
            advance[axis, k, _next(places[:, k], axis, shape, listed)] = 1.0
    everything = np.zeros((listed + 1, listed + 1))
    everything[:, listed] = 1.0
    return Register(advance, np.ones(listed + 1), np.array([*_monomials(advance, shape), everything]), shape, -1)


@cache
def powers(degrees: tuple[int, ...]) -> Register:
    """Powers 0 .. degree of (z - 1) on each axis: factorial moments over k!."""
    shape = tuple(n + 1 for n in degrees)
    m = math.prod(shape)
    places = np.array(np.unravel_index(np.arange(m), shape))
    up = np.zeros((len(degrees), m, m + 1))
    for axis in range(len(degrees)):
        for k in range(m):
            up[axis, k, _next(places[:, k], axis, shape, m)] = 1.0
    weight = np.zeros(m)
    weight[0] = 1.0
    return Register(up[:, :, :m] + np.eye(m), weight, np.array(_monomials(up[:, :, :m], shape)), shape, -1)


@cache
def with_slopes(register: Register, parameters: int) -> Register:
    """The register times (1, d/dtheta_1, ..., d/dtheta_p), first order only: state b (1 + p) + q is state b differentiated by parameter q.

    Axes: those of the register; then one for each parameter, by which d(silent) moves a state to its derivative; then, for each parameter in
    turn, one for each axis of the register, by which d(what it counts) does both. Only what is not differentiated has weight.
    """
    nilpotent = np.zeros((parameters, 1 + parameters, 1 + parameters))
    nilpotent[np.arange(parameters), 0, 1 + np.arange(parameters)] = 1.0
    one = np.eye(1 + parameters)
    advance = [np.kron(step, one) for step in register.advance]
    advance += [np.kron(np.eye(register.size), to) for to in nilpotent]
    advance += [np.kron(step, to) for to in nilpotent for step in register.advance]
    m = register.size * (1 + parameters)
    products = [np.kron(product, to) for product in register.products for to in (one, *nilpotent)]
    weight = np.kron(register.weight, np.eye(1, 1 + parameters)[0])
    return Register(np.array(advance).reshape(-1, m, m), weight, np.array(products), (*register.listed, 1 + parameters), register.moments)


def _next(place: np.ndarray, axis: int, shape: tuple[int, ...], beyond: int) -> int:
    """Index of the state one further on an axis, or `beyond`."""
    moved = place.copy()
    moved[axis] += 1
    return int(np.ravel_multi_index(tuple(moved), shape)) if moved[axis] < shape[axis] else beyond


def _monomials(steps: Sequence[np.ndarray] | np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Products of powers of the steps, each made from the one before: a step leads from a state to few others, so they are multiplied as sparse."""
    by = [sp.csr_array(step) for step in steps]
    found: dict[tuple[int, ...], sp.csr_array] = {(0,) * len(shape): sp.eye_array(steps[0].shape[0], format="csr")}
    for exponents in np.ndindex(*shape):
        axis = next((k for k, n in enumerate(exponents) if n), None)
        if axis is not None:
            found[exponents] = found[(*exponents[:axis], exponents[axis] - 1, *exponents[axis + 1 :])] @ by[axis]
    return [m.toarray() for m in found.values()]
