"""Closed forms of dark-state biexciton loading, vectorised, for scanning regions; `study.py` checks them against the engine.

Continuous wave: pumps far below the emission rates, so XX and X are never populated for long. Pulses: each acts at one moment and hot levels
let it add at most one exciton; the dot's fast light is over at the end of the period. Nothing here is used for the shown set itself.
All arguments broadcast; rates in 1/ns, times in ns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
ROOT_8_LN_2 = float(np.sqrt(8.0 * np.log(2.0)))


def response_factor(lifetime_X_ns: ArrayLike, jitter_fwhm_ns: float, bin_ns: float) -> Array:
    """Height that exp(-|tau|/lifetime) keeps in a bin centred on zero delay, after the jitter of two equal detectors.

    jitter_fwhm_ns: Gaussian, of one detector; both detectors give root 2 of it. bin_ns: full width of the bin.
    A double exponential convolved with a Gaussian, integrated over the bin.

    >>> [round(float(response_factor(0.1, jitter, 0.05)), 3) for jitter in (0.0, 0.05, 0.1)]
    [0.885, 0.781, 0.65]
    """
    k = 1.0 / np.asarray(lifetime_X_ns, dtype=float)
    half = bin_ns / 2.0
    if jitter_fwhm_ns == 0.0:
        return np.asarray(-np.expm1(-k * half) / (k * half))
    s = np.sqrt(2.0) * jitter_fwhm_ns / ROOT_8_LN_2
    grown = np.exp(0.5 * (k * s) ** 2)
    # Probability that (double-exponential delay + jitter) falls below `half`, minus one half; twice that is the share inside the bin.
    below = ndtr(half / s) - 0.5 * grown * (np.exp(-k * half) * ndtr(half / s - k * s) - np.exp(k * half) * ndtr(-half / s - k * s))
    return np.asarray((2.0 * below - 1.0) * 2.0 / (k * bin_ns))


@dataclass(frozen=True)
class Weak:
    """A dark-loaded dot under weak continuous light: G -> D at s P, G -> X at (1-s) P, D -> XX at r P, D -> X at k, D -> G in the dark at d.

    lifetime_X_ns; ratio r; leak 1-s; flip_per_ns k (dark to bright); dark_per_ns d. Any shapes that broadcast.
    """

    lifetime_X_ns: ArrayLike
    ratio: ArrayLike = 1.0
    leak: ArrayLike = 0.0
    flip_per_ns: ArrayLike = 0.0
    dark_per_ns: ArrayLike = 0.0

    def _terms(self) -> tuple[Array, Array, Array, Array, Array]:
        """g2(0) = c (alpha P + beta) / (gamma P + delta)^2."""
        t, r, leak, k, d = (np.asarray(x, dtype=float) for x in (self.lifetime_X_ns, self.ratio, self.leak, self.flip_per_ns, self.dark_per_ns))
        s = 1.0 - leak
        return r * s / t, s + r, k + d, 2.0 * r * s + leak * r, k * s + leak * (k + d)

    def g2_zero(self, pump_per_ns: ArrayLike) -> Array:
        """g2(0) without response: pair rate times emission rate over total flux squared.

        >>> round(float(Weak(0.1, flip_per_ns=1e-3).g2_zero(1e-3)), 1)
        3333.3
        """
        c, alpha, beta, gamma, delta = self._terms()
        p = np.asarray(pump_per_ns, dtype=float)
        return np.asarray(c * (alpha * p + beta) / (gamma * p + delta) ** 2)

    def largest_g2_zero(self) -> Array:
        """Largest g2(0) that any pump gives; infinite where nothing but pairs is emitted as the pump vanishes."""
        c, alpha, beta, gamma, delta = self._terms()
        with np.errstate(divide="ignore", invalid="ignore"):
            best = np.where(alpha > 0, np.maximum((alpha * delta - 2.0 * beta * gamma) / (alpha * gamma), 0.0), 0.0)
            return np.asarray(np.where(gamma * best + delta > 0, c * (alpha * best + beta) / (gamma * best + delta) ** 2, np.inf))

    def pump_at(self, g2_zero: ArrayLike) -> Array:
        """The (larger) pump at which g2(0) has this value, 1/ns; nan where it never has."""
        c, alpha, beta, gamma, delta = self._terms()
        g = np.asarray(g2_zero, dtype=float)
        a, b, e = g * gamma**2, 2.0 * g * gamma * delta - c * alpha, g * delta**2 - c * beta
        square = b * b - 4.0 * a * e
        with np.errstate(invalid="ignore"):
            pump = (-b + np.sqrt(square)) / (2.0 * a)
        return np.asarray(np.where(pump > 0, pump, np.nan))

    def pair_flux_fraction(self, pump_per_ns: ArrayLike) -> Array:
        """Fraction of the photons that belong to pairs.

        >>> round(float(Weak(0.1, flip_per_ns=1e-3).pair_flux_fraction(1e-3)), 5)
        0.66667
        """
        _, _, _, gamma, delta = self._terms()
        p, r, leak = np.asarray(pump_per_ns, dtype=float), np.asarray(self.ratio, dtype=float), np.asarray(self.leak, dtype=float)
        return np.asarray(2.0 * r * (1.0 - leak) * p / (gamma * p + delta))


@dataclass(frozen=True)
class Pulsed:
    """A dark-loaded dot under a train of one or two instant pulses per period, each adding at most one exciton.

    first, second: probability that a pulse is absorbed by G and by D. leak: share of first excitons that end bright. flip_per_ns, dark_per_ns:
    decay of D with and without a photon. gap_ns: from the first to the second pulse, None for one pulse per period.
    relaxation_ns, lifetime_X_ns, lifetime_XX_ns decide what the second pulse finds. Flips within the gap are left out (gap far below 1/k).
    """

    first: ArrayLike
    second: ArrayLike
    period_ns: ArrayLike
    leak: ArrayLike = 0.0
    flip_per_ns: ArrayLike = 0.0
    dark_per_ns: ArrayLike = 0.0
    gap_ns: ArrayLike | None = None
    relaxation_ns: ArrayLike = 0.02
    lifetime_X_ns: ArrayLike = 0.067
    lifetime_XX_ns: ArrayLike = 0.062

    def probabilities(self) -> Array:
        """P(0..3) per period in the periodic steady state, (4, ...)."""
        a, b, leak, k, d, period = (
            np.asarray(x, dtype=float) for x in np.broadcast_arrays(self.first, self.second, self.leak, self.flip_per_ns, self.dark_per_ns, self.period_ns)
        )
        s = 1.0 - leak
        stays = np.exp(-(k + d) * period)
        lit = np.where(k + d > 0, (1.0 - stays) * k / np.where(k + d > 0, k + d, 1.0), 0.0)
        # Rows: photons 0..3 emitted; first from what is in the dot until the period ends in G (to_g) or in D (to_d).
        zero, one = np.zeros_like(a), np.ones_like(a)
        ground = _outcome([one, zero, zero, zero], [zero, zero, zero, zero])
        dark = _outcome([1.0 - stays - lit, lit, zero, zero], [stays, zero, zero, zero])
        bright, pair = _emit(ground, 1), _emit(ground, 2)
        hot = s * dark + leak * bright
        last_g, last_d = a * hot + (1.0 - a) * ground, b * pair + (1.0 - b) * dark
        if self.gap_ns is None:
            from_g, from_d = last_g, last_d
        else:
            gap, relax = np.asarray(self.gap_ns, dtype=float), np.asarray(self.relaxation_ns, dtype=float)
            t_x, t_xx = np.asarray(self.lifetime_X_ns, dtype=float), np.asarray(self.lifetime_XX_ns, dtype=float)
            still_hot = np.exp(-gap / relax)
            emptied = _all_done(gap, relax, t_x)
            pair_out = _all_done(gap, relax, t_xx, t_x)
            after_hot = still_hot * hot + s * (1.0 - still_hot) * last_d
            after_hot = after_hot + leak * (emptied * _emit(last_g, 1) + (1.0 - still_hot - emptied) * bright)
            from_g = a * after_hot + (1.0 - a) * last_g
            from_d = b * (pair_out * _emit(last_g, 2) + (1.0 - pair_out) * pair) + (1.0 - b) * last_d
        into_d, out_of_d = from_g[1].sum(axis=0), from_d[0].sum(axis=0)
        in_d = into_d / (into_d + out_of_d)
        return np.asarray((1.0 - in_d) * from_g.sum(axis=0) + in_d * from_d.sum(axis=0))


def leakage_left(flip_times_period: Array, photon_share: float) -> Array:
    """Bright leakage 1 - s that leaves a given photon fraction in pairs, for saturating pulses of one exciton each and no dark decay.

    A loaded D waits one period and flips with f = 1 - exp(-k T), giving one single; leakage gives l/(1 - l) singles per loaded D. Pairs per
    loaded D: 1 - f. So the singles per pair, (f + l/(1 - l)) / (1 - f), must be 2 (1/share - 1); nan where the flips alone are too many.
    """
    f = -np.expm1(-flip_times_period)
    x = 2.0 * (1.0 / photon_share - 1.0) * (1.0 - f) - f
    return np.where(x > 0, x / (1.0 + x), np.nan)


def shares(p: Array) -> dict[str, Array]:
    """The three definitions of a pair share from P(0..N), (N+1, ...); 1 or nan where nothing is counted."""
    n = np.arange(p.shape[0]).reshape((-1,) + (1,) * (p.ndim - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "photon_fraction_in_pairs": 2.0 * p[2] / (n * p).sum(axis=0),
            "event_fraction_of_pairs": p[2] / p[1:].sum(axis=0),
            "pair_share_of_multiphotons": p[2] / p[2:].sum(axis=0),
        }


def collection_for(p: Array, pair_efficiency: ArrayLike) -> Array:
    """Transmission at which P(2) after loss is `pair_efficiency`, the smaller solution; nan where none is <= 1. p: P(0..3), (4, ...)."""
    target = np.asarray(pair_efficiency, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        eta = np.sqrt(target / p[2])
        for _ in range(30):  # Newton steps on eta^2 (P2 + 3 (1 - eta) P3) = target
            f = eta**2 * (p[2] + 3.0 * (1.0 - eta) * p[3]) - target
            eta = eta - f / (2.0 * eta * (p[2] + 3.0 * (1.0 - eta) * p[3]) - 3.0 * eta**2 * p[3])
        return np.asarray(np.where((eta > 0) & (eta <= 1.0), eta, np.nan))


def _outcome(to_g: list[Array], to_d: list[Array]) -> Array:
    """(2, 4, ...): probability of ending the period in G or D with 0..3 photons."""
    return np.stack([np.stack(to_g), np.stack(to_d)])


def _emit(outcome: Array, photons: int) -> Array:
    """The same outcome with `photons` more emitted; more than three do not occur in this model."""
    more = np.zeros_like(outcome)
    more[:, photons:] = outcome[:, : outcome.shape[1] - photons]
    return more


def _all_done(t: Array, *lifetimes: Array) -> Array:
    """Probability that steps with these mean times, one after the other, are all over at t."""
    # Equal lifetimes make the partial fractions singular; a relative offset of 1e-4 per step changes the result by less than 1e-4.
    spread = [np.asarray(x, dtype=float) * (1.0 + 1e-4 * i) for i, x in enumerate(lifetimes)]
    done = np.ones(np.broadcast_shapes(np.shape(t), *(x.shape for x in spread)))
    for i, x in enumerate(spread):
        weight = np.ones_like(done)
        for j, y in enumerate(spread):
            if j != i:
                weight = weight * x / (x - y)
        done = done - weight * np.exp(-t / x)
    return done
