"""Correlations of light behind narrow filters, by sensors whose coupling vanishes: g2(tau) at two chosen energies.

A sensor of width Gamma at energy w follows s' = -(i w + Gamma/2) s - i c. With X_lr the sensors' partial traces (l powers of s to the left, r of s^dag to
the right, each 0 or 1), to lowest order in the coupling each follows from the ones below:
X' = (L - i w (l - r) - Gamma (l + r)/2) X - i l c X_{l-1} + i r X_{r-1} c^dag, summed over the sensors. So no coupling needs to be chosen.
Source: del Valle, Gonzalez-Tudela, Laussy, Tejedor, Hartmann, Phys. Rev. Lett. 109, 183601 (2012).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdot.evolve import Flow, dense, relevant, restrict
from qdot.generator import Field
from qdot.statistics.coherence import SteadyFields
from qdot.units import HBAR_UEV_NS


@dataclass(frozen=True)
class Sensor:
    """Energy above the frame and full width of a filter, ueV."""

    energy_ueV: float
    fwhm_ueV: float


@dataclass(frozen=True, eq=False)
class _Seen:
    """One sensor on one mode: turning and width in 1/ns, and what c X does to the coordinates (d, d)."""

    turning: float
    width: float
    left: np.ndarray


def _seen(light: SteadyFields, field: Field, sensor: Sensor, keep: np.ndarray) -> _Seen:
    left = light.coordinates.both_sides(field.operator, None)[keep][:, keep].toarray() * np.sqrt(field.weight)
    return _Seen(sensor.energy_ueV / HBAR_UEV_NS - field.frame_per_ns, sensor.fwhm_ueV / HBAR_UEV_NS, left)


def sensor_g2(light: SteadyFields, first: Sequence[Field], second: Sequence[Field], sensors: tuple[Sensor, Sensor], tau: np.ndarray) -> np.ndarray:
    """(n,) g2(tau) of the fields behind two filters, the second photon tau after the first, tau of any sign. nan if no light passes."""
    values = np.zeros(tau.size)
    flux = np.zeros(2)
    for i, (fields, sensor) in enumerate(zip((first, second), sensors, strict=True)):
        flux[i] = sum(_pair(light, f, f, (sensor, sensor), np.zeros(0))[0] for f in fields)
    for f, g in itertools.product(first, second):
        for a, b, both, chosen in ((f, g, sensors, tau >= 0.0), (g, f, sensors[::-1], tau < 0.0)):
            if chosen.any():
                values[chosen] += _pair(light, a, b, (both[0], both[1]), np.abs(tau[chosen]))[1]
    return values / flux.prod() if flux.all() else np.full(tau.size, np.nan)


def _pair(light: SteadyFields, first: Field, second: Field, sensors: tuple[Sensor, Sensor], tau: np.ndarray) -> tuple[float, np.ndarray]:
    """(signal of the first sensor, its coincidences with the second tau >= 0 later), one mode each."""
    lefts = [light.coordinates.both_sides(f.operator, None) for f in (first, second)]
    moves = [light.whole, *(m for left in lefts for m in (abs(left), abs(left)))]
    trace = light.timeline.generator.trace
    keep = relevant(moves, light.reached, trace != 0.0)
    whole, trace, d = dense(restrict(light.whole, keep)).astype(complex), trace[keep], keep.size
    a, b = (_seen(light, f, s, keep) for f, s in zip((first, second), sensors, strict=True))
    x: dict[tuple[int, ...], np.ndarray] = {(0, 0, 0, 0): light.state[keep].astype(complex)}
    depth = 4 if tau.size else 2
    for state in sorted(itertools.product((0, 1), repeat=4), key=sum):
        la, ra, lb, rb = state
        mirrored = (ra, la, rb, lb)
        if state in x or (depth == 2 and (lb or rb)):
            continue
        if mirrored in x:
            x[state] = x[mirrored].conj()
            continue
        source = np.zeros(d, dtype=complex)
        for k, (sensor, left, right) in enumerate(((a, la, ra), (b, lb, rb))):
            if left:
                source += -1j * (sensor.left @ x[(*state[: 2 * k], 0, *state[2 * k + 1 :])])
            if right:
                source += 1j * (sensor.left.conj() @ x[(*state[: 2 * k + 1], 0, *state[2 * k + 2 :])])
        shift = sum(-1j * s.turning * (left - right) - 0.5 * s.width * (left + right) for s, left, right in ((a, la, ra), (b, lb, rb)))
        x[state] = np.linalg.solve(whole + shift * np.eye(d), -source)
    signal = float((trace @ x[(1, 1, 0, 0)]).real)
    if not tau.size:
        return signal, np.zeros(0)
    # after a click of the first sensor: the source alone, with the second sensor's amplitude (real and imaginary part), with its light
    one, two = np.eye(d), whole.real
    c = -1j * b.left
    feed = -2.0 * b.left.conj().imag, -2.0 * b.left.conj().real  # X_11 gains 2 Re(i conj(left) X_10)
    later = np.zeros((4 * d, 4 * d))
    later[:d, :d] = two
    later[d : 2 * d, d : 2 * d] = later[2 * d : 3 * d, 2 * d : 3 * d] = two - 0.5 * b.width * one
    later[d : 2 * d, 2 * d : 3 * d], later[2 * d : 3 * d, d : 2 * d] = b.turning * one, -b.turning * one
    later[d : 2 * d, :d], later[2 * d : 3 * d, :d] = c.real, c.imag
    later[3 * d :, 3 * d :] = two - b.width * one
    later[3 * d :, d : 2 * d], later[3 * d :, 2 * d : 3 * d] = feed
    start = np.concatenate([x[(1, 1, 0, 0)].real, x[(1, 1, 1, 0)].real, x[(1, 1, 1, 0)].imag, x[(1, 1, 1, 1)].real])
    row = np.concatenate([np.zeros(3 * d), trace])
    return signal, Flow(later, None, None, light.stretch).along(row[None], start, tau)[0]
