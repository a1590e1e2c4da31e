"""P(n) from click patterns of several detectors, by maximum likelihood with P(n) >= 0.

The counts of each pattern are multinomial with probabilities T p, T the response of the detectors to exactly n photons (see `detection.response_matrix`),
background included: the loss is taken out inside the likelihood, never by inverting a matrix. Intervals are profile likelihoods of each figure;
a figure that the bound P(n) >= 0 cuts off, or that the data leave open on a side, gets a one-sided limit.
Source of the estimator: K. Banaszek, Phys. Rev. A 57, 5013 (1998); of the intervals: S. S. Wilks, Ann. Math. Stat. 9, 60 (1938).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdot.detection import Detector, background_means, replaced, response_matrix
from qdot.errors import bad, number, short, unknown
from qdot.inversion.estimates import LIMIT, TWO_SIDED, Estimate, Inversion, Limit, Spread
from qdot.inversion.figures import Ratio, ratios
from qdot.inversion.simplex import Mixture

UNKNOWN: Spread = (None, None, (None, None), None)
"""The errors of a figure about which nothing is said."""
ONE_SIGMA = 1.0
"""Rise of the deviance at the ends of the 68.3 % interval."""
BLIND = 1e-9
"""Singular values of the response, over the largest, below which it tells nothing."""
WIDE = 0.5
"""A probability whose interval is wider than this is hardly determined."""
AMPLIFIED = 100.0
"""How much larger than by counting the photons themselves an error may be before a warning says so."""
STRAIGHT = 1e-6
"""How near the touching point of a tangent must be to the solution; what is left is of second order."""
LINES = 20
"""Tangents that are tried."""
FOUND = 3e-3
"""Ends of intervals are found to this fraction of their distance."""
EDGE = 1e-9
"""How near to the ends of its range a figure is tried, over the range."""
CALIBRATED = ("share", "efficiency", "dark_per_s", "leakage_per_s", "leakage_per_pulse")
"""Numbers of a detector whose errors move the photon numbers."""
MOST_FREE = 40
"""Largest photon number that can be asked for."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Counts of click patterns, and how they depend on P(0) .. P(top)."""

    mixture: Mixture

    @cached_property
    def best(self) -> np.ndarray:
        """(top + 1,) the photon numbers of least deviance."""
        return self.mixture.best()

    @cached_property
    def least(self) -> float:
        """The least deviance."""
        return self.mixture.deviance(self.best)

    def rise(self, figure: Ratio, value: float) -> float:
        """How much the deviance rises, least in all else, with a figure held at a value; infinite if it cannot be.

        Figures with a power of the mean below are held along a tangent, until it touches at the solution itself.
        """
        if figure.k < 2:
            p = self._held(figure, value, float(figure.b @ self.best), self.best)
            return math.inf if p is None else max(self.mixture.deviance(p) - self.least, 0.0)
        p, d, known = self.best, float(figure.b @ self.best), list[tuple[float, float]]()
        for _ in range(LINES):
            found = self._held(figure, value, d, p)
            if found is None:
                return math.inf
            p = found
            off = float(figure.b @ p) - d
            if abs(off) <= STRAIGHT * d:
                break
            known.append((d, off))
            last = known[-2] if len(known) > 1 and known[-2][1] != off else None
            d = d + off if last is None else max(d - off * (d - last[0]) / (off - last[1]), 0.5 * d)
        return max(self.mixture.deviance(p) - self.least, 0.0)

    def _held(self, figure: Ratio, value: float, d: float, near: np.ndarray) -> np.ndarray | None:
        """Photon numbers of least deviance with a p = value (b p)^k, that power taken along its tangent at b p = d."""
        w, r = figure.a, value
        if figure.k:
            w, r = figure.a - value * figure.k * d ** (figure.k - 1) * figure.b, value * (1 - figure.k) * d**figure.k
        return self.mixture.best_with(w, r, near)

    def end(self, figure: Ratio, direction: int, rise: float, guess: float) -> float | None:
        """Value of a figure at which the deviance has risen by `rise`; None if it does not before the end of its range."""
        start, target = figure(self.best), math.sqrt(rise)
        bound = figure.high if direction > 0 else figure.low
        room = abs(bound - start) if math.isfinite(bound) else 1e6 * (abs(start) + 1.0)
        room -= EDGE * (figure.high - figure.low) if math.isfinite(figure.high) else EDGE * room
        if room <= 0.0:
            return None
        inner, inner_root, step = 0.0, 0.0, min(max(guess * target, 1e-9 * room), room)
        while True:
            root = math.sqrt(self.rise(figure, start + direction * step))
            if root >= target:
                break
            if step >= room:
                return None
            inner, inner_root = step, root
            step = min(step * min(4.0, max(1.2, 1.1 * target / max(root, 1e-3))), room)
        outer, outer_root = step, root
        for i in range(80):
            if outer - inner <= FOUND * outer:
                break
            at = math.sqrt(inner * outer) if inner > 0.0 else 0.1 * outer
            if i % 3 < 2 and outer_root < 10.0 * target:  # near the end the root of the rise is nearly straight
                at = inner + (target - inner_root) * (outer - inner) / (outer_root - inner_root)
                at = min(max(at, inner + 0.3 * FOUND * outer), outer - 0.3 * FOUND * outer)
            root = math.sqrt(self.rise(figure, start + direction * at))
            if root < target:
                inner, inner_root = at, root
            else:
                outer, outer_root = at, root
            if abs(root - target) < FOUND * target:
                return start + direction * at
        return start + direction * (inner + outer) / 2.0


def from_clicks(
    counts: np.ndarray | Mapping[Sequence[int], int],
    detectors: Sequence[Detector],
    efficiency: float | tuple[float, float] = 1.0,
    period_ns: float | None = None,
    window_ns: float | None = None,
    top: int | None = None,
    calibrations: Mapping[str, float] | None = None,
    stage: str = "emission",
    draws: int = 0,
    rng: np.random.Generator | None = None,
    intervals: bool = True,
) -> Inversion:
    """Photon numbers and pair figures at a stage from how often each click pattern was seen.

    counts: whole numbers of pulses with each outcome, pulses without any click included: an array with one axis per detector (outcomes 0 and 1 of a
    threshold detector; 0 .. m of a number-resolving one, the last meaning that many or more), or {(0, 1, ...): pulses} of threshold detectors.
    detectors: all see the same light. efficiency: transmission from `stage` to the splitter, (value, standard error). period_ns or window_ns: for how
    long background counts per pulse. top: largest photon number (default: as many as the detectors can tell apart). calibrations: standard
    errors of the detectors' numbers, {"A.efficiency": 0.01, ...}. draws, rng: intervals from that many simulated measurements (parametric
    bootstrap) instead of profiles; intervals: False for best values only. Raises InputError for counts that the detectors cannot have given.
    """
    eta, eta_error = efficiency if isinstance(efficiency, tuple) else (efficiency, 0.0)
    eta = number("efficiency", eta, low=0.0, high=1.0, open_low=True)
    errors = {"efficiency": number("the error of efficiency", eta_error, low=0.0)} if eta_error else {}
    errors |= {name: number(f"calibrations {name!r}", e, low=0.0) for name, e in (calibrations or {}).items()}
    if not detectors:
        raise bad("detectors", "be at least one", 0, "give those whose clicks were counted")
    for i, d in enumerate(detectors):
        if not isinstance(d, Detector):
            raise bad(f"detectors[{i}]", "be a Detector", repr(d), 'for example qdot.detection.Detector("A", share=0.5)')
    if draws and rng is None:
        raise bad("rng", "be given with draws", "nothing", "for example np.random.default_rng(1)")
    seen = _counts(counts, detectors)
    most = sum(n - 1 for n in seen.shape)
    top = min(most, MOST_FREE) if top is None else int(number("top", top, low=1, high=MOST_FREE))
    setting = _Setting(seen, period_ns, window_ns)
    fit, figures = setting.likelihood(detectors, eta, top), ratios(top)
    best = {name: f(fit.best) for name, f in figures.items()}
    moved = {name: setting.moved(detectors, eta, name, error, top) for name, error in errors.items()}
    cut = _truncation(setting.likelihood(detectors, eta, top + 1), figures, ratios(top + 1), best) if intervals else dict.fromkeys(figures)
    guesses = _guesses(fit, figures)
    spread = _drawn(fit, figures, draws, rng) if rng is not None and draws else None
    estimates = {}
    for name, figure in figures.items():
        shifts = {c: (figure(up) - figure(down)) / 2.0 for c, (up, down) in moved.items()}
        errors_of = UNKNOWN if not intervals else _profiled(fit, figure, guesses[name]) if spread is None else _from_spread(spread[name], best[name], figure)
        estimates[name] = Estimate(best[name], *errors_of, shifts, cut[name])
    columns = fit.mixture.columns
    dof = int(np.count_nonzero(columns.max(axis=1) > 0.0)) - int(np.linalg.matrix_rank(columns, BLIND))
    method = f"maximum likelihood over P(0) .. P({top}) >= 0, " + ("profile intervals" if spread is None else f"intervals from {draws} simulated measurements")
    return Inversion(estimates, stage, method, tuple([*_beyond(most, top), *_warnings(fit, estimates, dof)] if intervals else ()), fit.least, dof)


@dataclass(frozen=True, eq=False)
class _Setting:
    """What was counted, and for how long background counts: what all likelihoods of one measurement share."""

    seen: np.ndarray
    period_ns: float | None
    window_ns: float | None

    def likelihood(self, detectors: Sequence[Detector], eta: float, top: int) -> Likelihood:
        """The likelihood of P(0) .. P(top) with these detectors behind this transmission."""
        chances = np.array([eta * d.share * d.efficiency for d in detectors])
        shares = sum(d.share for d in detectors)
        if shares > 1.0 + 1e-12 or chances.sum() > 1.0 + 1e-12:
            raise bad("the shares of the detectors", "add up to at most 1", f"{shares:g}", "0.5 each behind a 50:50 splitter")
        columns = response_matrix(self.seen.shape, chances, background_means(detectors, self.period_ns, self.window_ns), top)
        counts = self.seen.ravel()
        impossible = (columns.max(axis=1) == 0.0) & (counts > 0)
        if impossible.any():
            pattern = tuple(int(i) for i in np.unravel_index(int(np.argmax(impossible)), self.seen.shape))
            raise bad(f"counts of pattern {pattern}", f"be 0: up to {top} photons cannot give it", int(counts[impossible][0]), "raise top, or give dark_per_s")
        return Likelihood(Mixture(counts, columns))

    def moved(self, detectors: Sequence[Detector], eta: float, name: str, error: float, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Best photon numbers with one calibration a standard error higher, and lower; as far as its range goes, scaled to the error."""
        found = []
        for sign in (1.0, -1.0):
            if name == "efficiency":
                found.append(self.likelihood(detectors, min(eta + sign * error, 1.0), top).best)
                continue
            who, _, field = name.rpartition(".")
            value = next((getattr(d, field, None) for d in detectors if d.name == who), None)
            if not isinstance(value, float):
                raise unknown(f"calibrations {name!r}", name, ["efficiency", *(f"{d.name}.{f}" for d in detectors for f in CALIBRATED)])
            high = 1.0 if field in ("efficiency", "share") else math.inf
            found.append(self.likelihood(replaced(detectors, name, min(max(value + sign * error, 0.0), high)), eta, top).best)
        return found[0], found[1]


def _counts(counts: np.ndarray | Mapping[Sequence[int], int], detectors: Sequence[Detector]) -> np.ndarray:
    """Counts as an array with one axis per detector."""
    if isinstance(counts, Mapping):
        if any(d.number_resolving for d in detectors):
            raise bad("counts", "be an array where a detector resolves numbers", "a mapping", "give one axis per detector")
        seen = np.zeros((2,) * len(detectors))
        for pattern, n in counts.items():
            if len(tuple(pattern)) != len(detectors) or not all(k in (0, 1) for k in pattern):
                raise bad("counts", f"name patterns of {len(detectors)} zeros and ones", pattern, "one entry for each detector")
            seen[tuple(int(k) for k in pattern)] = n
    else:
        seen = np.asarray(counts, dtype=float)
    if seen.ndim != len(detectors) or any(n < 2 or (n > 2 and not d.number_resolving) for n, d in zip(seen.shape, detectors, strict=False)):
        raise bad("counts", "have one axis per detector, of length 2 for a threshold detector", f"shape {seen.shape}", "outcome 0 is no click")
    if not np.all(np.isfinite(seen)) or np.any(seen < 0) or np.any(seen != np.round(seen)) or not seen.sum() > 0:
        raise bad("counts", "be whole numbers >= 0, not all 0", short(seen.tolist()), "give numbers of pulses, not probabilities")
    return seen


def _guesses(fit: Likelihood, figures: Mapping[str, Ratio]) -> dict[str, float]:
    """Standard errors from the curvature of the deviance: where to look for the ends of intervals."""
    m, p = fit.mixture, fit.best
    mean = m.total * (m.columns @ p)
    root = m.total * m.columns / np.sqrt(np.where(mean > 0.0, mean, np.inf))[:, None]
    keep = np.eye(p.size) - 1.0 / p.size  # changes of p that keep its sum
    covariance = keep @ np.linalg.pinv(keep @ root.T @ root @ keep, rcond=BLIND**2) @ keep
    found = {}
    for name, f in figures.items():
        below = float(f.b @ p)
        slope = f.a if f.k == 0 else (f.a - f.k * float(f.a @ p) / below * f.b) / below**f.k if below > 0.0 else f.a
        found[name] = math.sqrt(max(float(slope @ covariance @ slope), 0.0))
    return found


def _profiled(fit: Likelihood, figure: Ratio, guess: float) -> Spread:
    """(minus, plus, 95 % interval, limit) of the profile likelihood."""
    value = figure(fit.best)
    if not math.isfinite(value):
        return UNKNOWN
    if figure.is_fixed:
        return 0.0, 0.0, (value, value), None
    ends = []
    for direction in (-1, 1):
        near = fit.end(figure, direction, ONE_SIGMA, guess)
        ends.append((near, None if near is None else fit.end(figure, direction, TWO_SIDED, abs(near - value))))
    (low, low_95), (high, high_95) = ends
    limit = None
    if low is None and high is not None:
        up = fit.end(figure, 1, LIMIT, high - value)
        limit = None if up is None else Limit("upper", up)
    elif high is None and low is not None:
        down = fit.end(figure, -1, LIMIT, value - low)
        limit = None if down is None else Limit("lower", down)
    return None if low is None else value - low, None if high is None else high - value, (low_95, high_95), limit


def _drawn(fit: Likelihood, figures: Mapping[str, Ratio], draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """{figure: (draws,) best values} of measurements simulated with the best photon numbers."""
    m = fit.mixture
    chances = m.columns @ fit.best
    found = [Mixture(rng.multinomial(int(m.total), chances / chances.sum()).astype(float), m.columns).best() for _ in range(draws)]
    return {name: np.array([f(p) for p in found]) for name, f in figures.items()}


def _from_spread(sample: np.ndarray, value: float, figure: Ratio) -> Spread:
    """(minus, plus, 95 % interval, limit) from simulated measurements; open on a side where they pile up at the end of the figure's range."""
    if figure.is_fixed or not math.isfinite(value):
        return (0.0, 0.0, (value, value), None) if figure.is_fixed else UNKNOWN
    low, high, low_95, high_95, up, down = (float(q) for q in np.nanquantile(sample, [0.158655, 0.841345, 0.025, 0.975, 0.95, 0.05]))
    edge = EDGE * (figure.high - figure.low if math.isfinite(figure.high) else 1.0 + abs(value))
    opens_low, opens_high = low <= figure.low + edge, high >= figure.high - edge
    interval = None if low_95 <= figure.low + edge else min(low_95, value), None if high_95 >= figure.high - edge else max(high_95, value)
    limit = Limit("upper", max(up, value)) if opens_low and not opens_high else Limit("lower", min(down, value)) if opens_high and not opens_low else None
    return None if opens_low else max(value - low, 0.0), None if opens_high else max(high - value, 0.0), interval, limit


def _truncation(
    longer: Likelihood, figures: Mapping[str, Ratio], more: Mapping[str, Ratio], best: Mapping[str, float]
) -> dict[str, tuple[float, float] | None]:
    """{figure: lowest and highest change} if one more photon number is allowed, as far up as the data allow it (rise of the deviance 2.71)."""
    last = more[f"P({longer.best.size - 1})"]
    most = longer.end(last, 1, LIMIT, longer.best[-1] + 1e-6)
    far = longer.mixture.best_with(last.a, 1.0 - EDGE if most is None else most, longer.best)
    if most is None or far is None:
        return dict.fromkeys(figures)
    changes = {name: [0.0, more[name](longer.best) - best[name], more[name](far) - best[name]] for name in figures}
    return {name: (float(np.nanmin(c)), float(np.nanmax(c))) for name, c in changes.items()}


def _beyond(most: int, top: int) -> list[str]:
    """A warning where the detectors have no outcome that only three photons give. most: clicks at the same time; top: largest photon number taken."""
    if top > most or most > 2:
        return []
    without = f"pulses with more than {top} photons are taken not to occur, and the truncation error says what one more would change"
    return [f"these detectors cannot tell P({most + 1}) from fewer photons: {without}; add detectors"]


def _warnings(fit: Likelihood, estimates: Mapping[str, Estimate], dof: int) -> list[str]:
    """What the data do not determine, and what does not fit."""
    m, found = fit.mixture, []
    sizes, directions = np.linalg.svd(m.columns / np.linalg.norm(m.columns, axis=0), full_matrices=False)[1:]
    blind = directions[sizes <= BLIND * sizes[0]]
    if blind.size:
        names = [f"P({n})" for n in np.flatnonzero(np.abs(blind).max(axis=0) > 1e-3)]
        found.append(f"the data do not determine {', '.join(names)}: these detectors answer alike to different mixtures of them; lower top or add detectors")
    else:
        wide = [n for n, e in estimates.items() if n.startswith("P(") and (e.plus is None or (e.minus or 0.0) + e.plus > WIDE)]
        if wide:
            found.append(f"the data hardly determine {', '.join(wide)}: their intervals are wider than {WIDE:g}")
        free = [n for n, e in estimates.items() if n not in wide and e.minus is None and e.plus is None]
        if free:
            found.append(f"the data do not determine {', '.join(free)}: open on both sides; count more pulses, or raise the efficiency")
    two = estimates.get("P(2)")
    if two is not None and two.is_determined and 0.0 < two.value < 1.0:
        ideal = math.sqrt(two.value * (1.0 - two.value) / m.total)
        if two.statistical > AMPLIFIED * ideal:
            found.append(f"taking the loss out amplifies the error of P(2) {two.statistical / ideal:.0f} times: the efficiency is low for two-photon events")
    if dof > 0 and fit.least > dof + 5.0 * math.sqrt(2.0 * dof):
        found.append(f"the counts do not fit these detectors: deviance {fit.least:.1f} for {dof} degrees of freedom")
    return found
