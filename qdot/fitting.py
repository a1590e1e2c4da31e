"""Fits of an experiment's parameters to measured series and histograms: one likelihood, best values, covariance, profile intervals, limits.

Summary points enter as Gaussian terms with their own errors, downwards and upwards; histograms as Poisson terms. Both are on the scale of chi2
(-2 log likelihood, least value 0 for a model that hits everything), so they add. Minimisation and intervals: iminuit.
A parameter that the data bound on one side only gets a one-sided limit instead of an interval. Slopes are exact (see sensitivity) where the
prediction is `predicted`, else differences. It knows no emitter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from iminuit import Minuit

from qdot.data import Histogram, Series
from qdot.errors import InputError, bad, number, unknown
from qdot.experiment import Experiment
from qdot.sensitivity import Sensitivities, sensitivities

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measured = Series | Histogram
Prediction = Callable[[Experiment, Sequence[Measured]], Sequence[np.ndarray | None]]
Label = str | Sequence[str]
Vary = Mapping[str, float | tuple[float | None, ...]]
Residuals = Callable[[np.ndarray], np.ndarray]

ONE_SIGMA = 1.0
"""Rise of chi2, minimal in all other parameters, at the ends of the 68.3 % interval of one parameter."""
LIMIT = 2.705543454095404
"""The same at a one-sided limit of 95 %: the square of the normal distribution's 95 % quantile."""
CONFIDENCE = 0.95
LAST = 1e-8
"""From where MIGRAD ends, steps go on as long as another would lower chi2 by more than this: to a ten-thousandth of the errors."""
CLOSE = 0.06
"""How near to the end of an interval, as a fraction of it, chi2 is calculated; the last step is a straight line through its root."""
NUISANCES = ("histogram.zero_delay_ns", "histogram.counts_per_bin", "histogram.background_per_bin")
"""Parameters of the detection, not of the experiment, that a histogram of g2(tau) needs: zero delay, counts per bin where g2 = 1, background."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)


class Limit(NamedTuple):
    """A one-sided limit: the parameter is below ("upper") or above ("lower") `value` at this confidence."""

    side: str
    value: float
    confidence: float = CONFIDENCE

    def __str__(self) -> str:
        return f"{'<' if self.side == 'upper' else '>'} {self.value:.4g} ({100 * self.confidence:g} %)"


class Estimate(NamedTuple):
    """One fitted parameter: best value and the distances to the ends of its 68.3 % profile interval, None on a side that the data leave open."""

    value: float
    minus: float | None
    plus: float | None
    limit: Limit | None

    @property
    def is_determined(self) -> bool:
        """True if the data bound the parameter on both sides."""
        return self.minus is not None and self.plus is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; limit: None or {side, value, confidence}."""
        return {"value": self.value, "minus": self.minus, "plus": self.plus, "limit": None if self.limit is None else dict(self.limit._asdict())}


@dataclass(frozen=True, eq=False)
class Term:
    """One measurement beside its prediction, each array (n,), and its share of chi2. minus, plus: standard errors (root of the expected counts)."""

    name: str
    x_name: str
    source: str
    x: np.ndarray
    value: np.ndarray
    minus: np.ndarray
    plus: np.ndarray
    predicted: np.ndarray
    chi2: float

    @property
    def pulls(self) -> np.ndarray:
        """(value - predicted) / error, with the error of the side on which the prediction lies."""
        return (self.value - self.predicted) / np.where(self.predicted > self.value, self.plus, self.minus)


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit found. `print` gives the table for the lab book.

    parameters: {name: Estimate}. covariance: (p, p) of the parameters in that order, from the curvature at the best values (rows of a
    parameter at a bound are 0). experiment: with the best values in place. converged: False means that no interval was looked for, and that
    the values are only where the search stopped. method, versions: what made it.
    """

    experiment: Experiment
    parameters: Mapping[str, Estimate]
    covariance: np.ndarray
    chi2: float
    points: int
    terms: tuple[Term, ...]
    converged: bool
    calls: int
    method: str
    versions: Mapping[str, str]

    @property
    def dof(self) -> int:
        """Degrees of freedom: measured points less parameters."""
        return self.points - len(self.parameters)

    @property
    def chi2_per_dof(self) -> float:
        """chi2 over the degrees of freedom; nan where there are none."""
        return self.chi2 / self.dof if self.dof > 0 else math.nan

    @property
    def correlation(self) -> np.ndarray:
        """(p, p) correlations, 0 for a parameter at a bound."""
        sigma = np.sqrt(np.diag(self.covariance))
        scale = np.where(sigma > 0, 1.0 / np.where(sigma > 0, sigma, 1.0), 0.0)
        return self.covariance * np.outer(scale, scale)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "chi2": self.chi2,
            "dof": self.dof,
            "chi2_per_dof": self.chi2_per_dof if self.dof > 0 else None,
            "converged": self.converged,
            "parameters": {name: p.as_dict() for name, p in self.parameters.items()},
            "covariance": self.covariance.tolist(),
            "terms": [
                {"name": t.name, "source": t.source, "chi2": t.chi2, "x": t.x.tolist(), "value": t.value.tolist(), "predicted": t.predicted.tolist()}
                for t in self.terms
            ],
            "method": self.method,
            "versions": dict(self.versions),
        }

    def __str__(self) -> str:
        per = f" = {self.chi2_per_dof:.3f} per degree of freedom" if self.dof > 0 else ""
        lines = [f"chi2 {self.chi2:.2f} for {self.points} points and {len(self.parameters)} parameters{per}"]
        if not self.converged:
            lines.append("  DID NOT CONVERGE: start nearer to a solution, vary fewer parameters or bound them")
        width = max(len(name) for name in self.parameters)
        for name, p in self.parameters.items():
            low = "open" if p.minus is None else f"-{p.minus:.3g}"
            high = "open" if p.plus is None else f"+{p.plus:.3g}"
            note = f"  {p.limit}" if p.limit else "" if p.is_determined else "  not determined"
            lines.append(f"  {name:<{width}}  {p.value:.5g}  {low} {high}{note}")
        lines += [f"  {t.name}: chi2 {t.chi2:.2f} of {t.value.size} points, {t.source}" for t in self.terms]
        return "\n".join([*lines, f"  {self.method}; " + ", ".join(f"{k} {v}" for k, v in self.versions.items())])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw data, fit and residuals; returns the axes."""
        from qdot import plot

        return plot.fit_result(self, ax)


def fit(experiment: Experiment, data: Sequence[Measured] | Measured, vary: Vary, label: Label | None = None, predict: Prediction | None = None) -> FitResult:
    """The parameters of an experiment that describe all measurements at once.

    data: Series and Histograms. vary: {dotted name: (start, low, high)} as in `Experiment.replace`, bounds None where there are none; a bare
    number starts there without bounds. label: whose light was measured (default: every line together). predict: a function (experiment, data)
    -> one array per measurement, for what `predicted` does not know. Intervals: chi2 minimal in all other parameters rises by 1; limits: by 2.71.
    Raises InputError for an unknown parameter, a start outside its bounds or more parameters than points. See `FitResult.converged`.
    """
    measured: list[Measured] = [data] if isinstance(data, Series | Histogram) else list(data)
    names, start, bounds = _checked(experiment, measured, vary)
    model: Prediction = predict or (lambda e, d: predicted(e, d, label))
    fixed: dict[str, float] = {}

    def evaluate(values: np.ndarray) -> tuple[Experiment, list[np.ndarray]]:
        given = dict(zip(names, map(float, values), strict=True))
        with_values = experiment.replace({n: v for n, v in given.items() if n not in NUISANCES})
        raw = model(with_values, measured)
        fixed.update({n: v for n, v in given.items() if n in NUISANCES})
        if len(raw) != len(measured):
            raise bad("predict", f"return one array for each of the {len(measured)} measurements", len(raw), "return them in the order of data")
        made = [_counts(m, with_values, fixed, label, predict) if r is None else np.asarray(r, dtype=float) for m, r in zip(measured, raw, strict=True)]
        return with_values, made

    def residuals(values: np.ndarray) -> np.ndarray:
        return np.concatenate([_residuals(m, p) for m, p in zip(measured, evaluate(values)[1], strict=True)])

    def slopes(values: np.ndarray) -> np.ndarray:
        """(n, p) derivatives of the residuals by the parameters."""
        with_values, made = evaluate(values)
        known: dict[float | None, Sensitivities] = {}
        parts = [_prediction_slopes(m, with_values, names, fixed, label, known) for m in measured]
        return np.concatenate([_residual_slopes(m, p)[:, None] * d.T for m, p, d in zip(measured, made, parts, strict=True)])

    problem = _Problem(residuals, bounds, slopes if predict is None else None)
    inner = problem.inner(np.array(start))
    near = problem.descend(inner, np.where(problem.logarithmic | (inner == 0), 0.1, 0.1 * np.abs(inner)), np.ones(len(names), dtype=bool))
    m = Minuit(problem.chi2, *near.x, name=names, grad=problem.gradient(near.widths()))
    m.errordef, m.strategy, m.print_level, m.tol = Minuit.LEAST_SQUARES, 0, 0, 1.0
    for k, (name, width) in enumerate(zip(names, near.widths(), strict=True)):
        m.limits[name] = (problem.low[k], problem.high[k])
        m.errors[name] = width
    m.migrad()
    found = problem.descend(np.array(m.values), near.widths(), np.ones(len(names), dtype=bool), tolerance=LAST)
    profile = _Profile(problem, near.widths(), found.x)
    best, values = evaluate(profile.values)
    if m.valid:
        parameters = {name: profile.estimate(k) for k, name in enumerate(names)}
    else:
        parameters = {name: Estimate(value, None, None, None) for name, value in zip(names, profile.values.tolist(), strict=True)}
    return FitResult(
        experiment=best,
        parameters=parameters,
        covariance=profile.covariance(),
        chi2=profile.best.chi2,
        points=sum(len(d) for d in measured),
        terms=tuple(_term(d, p) for d, p in zip(measured, values, strict=True)),
        converged=bool(m.valid),
        calls=problem.calls,
        method="MIGRAD, profile likelihood intervals (68.3 %) and one-sided limits (95 %)",
        versions={package: _version(package) for package in ("qdot", "iminuit", "numpy", "scipy")},
    )


def predicted(experiment: Experiment, data: Sequence[Measured], label: Label | None = None) -> list[np.ndarray | None]:
    """What the experiment gives for each measurement; None for a histogram, whose zero delay and scale are parameters of the fit.

    A Series against power_uW: g2_zero, flux_per_ns, mean_photons, pair_flux_fraction or any other figure of `photon_numbers`, by its column's
    name, at each power of the drive. A Series of g2 against tau_ns: g2(tau). label: default every line together.
    """
    light = list(experiment.model.lines) if label is None else label
    return [_series(experiment, d, light) if isinstance(d, Series) else None for d in data]


def _series(experiment: Experiment, series: Series, label: Label) -> np.ndarray:
    if series.x_name == "tau_ns":
        if series.quantity not in ("g2", "value"):
            raise unknown(f"{series.source} column", series.name, ["g2"])
        return np.asarray(experiment.g2(series.x, label))
    if series.x_name != "power_uW":
        raise bad(f"{series.source} column {series.x_name!r}", "be power_uW or tau_ns", series.x_name, "rename it, or give fit(predict=...) a function")
    values = {p: _figure(experiment.replace({"drive.power_uW": float(p)}), series, label) for p in np.unique(series.x)}
    return np.array([values[p] for p in series.x])


def _figure(experiment: Experiment, series: Series, label: Label) -> float:
    simple: dict[str, Callable[[], Any]] = {
        "g2_zero": lambda: experiment.g2_zero(label),
        "flux": lambda: experiment.flux_per_ns(label),
        "pair_flux_fraction": experiment.pair_flux_fraction,
    }
    if series.quantity in simple:
        return float(simple[series.quantity]())
    if not experiment.is_pulsed:
        raise unknown(f"{series.source} column", series.name, ["g2_zero", "flux_per_ns", "pair_flux_fraction"])
    figures = experiment.photon_numbers(label).figures()
    if series.quantity not in figures:
        raise unknown(f"{series.source} column", series.name, [*simple, *figures])
    return figures[series.quantity]


def _counts(h: Measured, experiment: Experiment, nuisances: Mapping[str, float], label: Label | None, predict: Prediction | None) -> np.ndarray:
    """Expected counts of a histogram of g2(tau): counts_per_bin * mean of g2 over the bin + background_per_bin."""
    missing = [n for n in NUISANCES[:2] if n not in nuisances]
    if not isinstance(h, Histogram) or predict is not None or missing:
        raise bad("vary", f"hold {' and '.join(NUISANCES[:2])} for a histogram of g2(tau)", "nothing of them", "add them with start values, or give predict=")
    light = list(experiment.model.lines) if label is None else label
    total = _over_bins(h.edges_ns - nuisances[NUISANCES[0]], lambda tau: np.asarray(experiment.g2(tau, light)))
    return nuisances[NUISANCES[1]] * total / h.bin_width_ns + nuisances.get(NUISANCES[2], 0.0)


def _prediction_slopes(
    m: Measured,
    experiment: Experiment,
    names: Sequence[str],
    nuisances: Mapping[str, float],
    label: Label | None,
    known: dict[float | None, Sensitivities],
) -> np.ndarray:
    """(parameters, points) exact derivatives of what `predicted` gives, or of the expected counts of a histogram.

    known: sensitivities by power, None the experiment's own; shared by measurements at the same powers.
    """

    def at(power: float | None) -> Sensitivities:
        if power not in known:
            known[power] = sensitivities(experiment if power is None else experiment.replace({"drive.power_uW": power}), asked)
        return known[power]

    light = list(experiment.model.lines) if label is None else label
    found = np.zeros((len(names), len(m)))
    set_by_data = {"drive.power_uW"} if isinstance(m, Series) and m.x_name == "power_uW" else set()
    own = [k for k, n in enumerate(names) if n not in NUISANCES and n not in set_by_data]
    asked = [names[k] for k in own]
    if isinstance(m, Series):
        if asked and m.x_name == "tau_ns":
            found[own] = at(None).g2(m.x, light)
        elif asked:
            slopes = {p: _figure_slopes(at(float(p)), m.quantity, light) for p in np.unique(m.x)}
            found[own] = np.array([slopes[p] for p in m.x]).T
        return found
    scale, width = nuisances[NUISANCES[1]], m.bin_width_ns
    edges = m.edges_ns - nuisances[NUISANCES[0]]
    if asked:
        found[own] = scale / width * _over_bins(edges, lambda tau: at(None).g2(tau, light))
    for k, name in enumerate(names):
        if name == NUISANCES[0]:
            found[k] = -scale / width * np.diff(np.asarray(experiment.g2(edges, light)))
        elif name == NUISANCES[1]:
            found[k] = _over_bins(edges, lambda tau: np.asarray(experiment.g2(tau, light))) / width
        elif name == NUISANCES[2]:
            found[k] = 1.0
    return found


def _figure_slopes(s: Sensitivities, quantity: str, label: Label) -> np.ndarray:
    simple: dict[str, Callable[[], np.ndarray]] = {
        "g2_zero": lambda: s.g2_zero(label),
        "flux": lambda: s.flux_per_ns(label),
        "pair_flux_fraction": s.pair_flux_fraction,
    }
    return simple[quantity]() if quantity in simple else s.photon_numbers(label).figures()[quantity]


def _over_bins(edges: np.ndarray, curve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(..., n) integrals of a curve of tau (..., n) over bins between edges (n + 1,); a bin that holds zero delay is cut at the cusp there."""
    low, high = edges[:-1], edges[1:]
    cut = np.clip(0.0, low, high)
    parts = []
    for a, b in ((low, cut), (cut, high)):
        tau = (a + b)[:, None] / 2 + (b - a)[:, None] / 2 * NODES
        some = b > a
        if some.any():
            values = curve(tau[some].ravel())
            part = np.zeros((*values.shape[:-1], low.size))
            part[..., some] = (values.reshape(*values.shape[:-1], -1, NODES.size) @ WEIGHTS) * (b - a)[some] / 2
            parts.append(part)
    return np.asarray(sum(parts))


def gaussian_chi2(series: Series, values: np.ndarray) -> float:
    """sum ((predicted - value)/error)^2 with the error of the side on which the prediction lies.

    >>> gaussian_chi2(Series([1.0], [2.0], [0.5], [1.0], "power_uW", "g2_zero", "example"), np.array([3.0]))
    1.0
    """
    error = np.where(values > series.value, series.plus, series.minus)
    return float(np.sum(((values - series.value) / error) ** 2))


def poisson_chi2(histogram: Histogram, expected: np.ndarray) -> float:
    """Poisson deviance 2 sum [mu - n + n log(n/mu)]; infinite where counts fell on bins that expect none.

    Source: S. Baker and R. D. Cousins, Nucl. Instrum. Methods 221, 437 (1984).
    """
    return float(np.sum(_deviances(histogram.counts, expected)))


def _residuals(measurement: Measured, values: np.ndarray) -> np.ndarray:
    """(n,) signed roots of each point's share of chi2."""
    if values.shape != (len(measurement),):
        raise bad("predict", f"return {len(measurement)} values for {measurement.source}", f"shape {values.shape}", "return one array per measurement")
    if isinstance(measurement, Series):
        return (values - measurement.value) / np.where(values > measurement.value, measurement.plus, measurement.minus)
    return np.sign(values - measurement.counts) * np.sqrt(np.maximum(_deviances(measurement.counts, values), 0.0))


def _residual_slopes(measurement: Measured, values: np.ndarray) -> np.ndarray:
    """(n,) derivatives of the residuals by the predicted values."""
    if isinstance(measurement, Series):
        return 1.0 / np.where(values > measurement.value, measurement.plus, measurement.minus)
    n = measurement.counts
    many = np.where(n > 0, n, 1.0)
    u = (values - n) / many
    near = (1 - 2 * u / 3 + 7 * u * u / 12) / np.sqrt(many)  # where the deviance itself loses its digits
    positive = np.where(values > 0, values, np.nan)
    root = np.sqrt(np.maximum(_deviances(n, values), 1e-300))
    far = np.sign(values - n) * (1 - n / positive) / root
    return np.nan_to_num(np.where((n > 0) & (np.abs(u) < 1e-3), near, far), nan=0.0, posinf=0.0, neginf=0.0)


def _deviances(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(n,) Poisson deviance of each bin; infinite where counts fell on a bin that expects none."""
    possible = (expected > 0) | ((expected == 0) & (counts == 0))
    ratio = np.where((counts > 0) & (expected > 0), counts / np.where(expected > 0, expected, 1.0), 1.0)
    return np.where(possible, 2 * (expected - counts + counts * np.log(ratio)), np.inf)


def _term(d: Measured, values: np.ndarray) -> Term:
    if isinstance(d, Series):
        return Term(d.name, d.x_name, d.source, d.x, d.value, d.minus, d.plus, values, gaussian_chi2(d, values))
    error = np.sqrt(np.maximum(values, 1.0))
    return Term("counts", "delay_ns", d.source, d.left_ns + d.bin_width_ns / 2, d.counts, error, error, values, poisson_chi2(d, values))


def _checked(experiment: Experiment, data: list[Measured], vary: Vary) -> tuple[list[str], list[float], list[tuple[float | None, float | None]]]:
    """(names, start values, bounds), each checked."""
    if not data or not all(isinstance(d, Series | Histogram) for d in data):
        raise bad("data", "be a list of Series and Histograms", [type(d).__name__ for d in data] or "nothing", "read them with read_series and read_histogram")
    if not vary:
        raise bad("vary", "name at least one parameter", "none", 'for example {"source.pump_per_ns_per_uW": (1e-3, 0, None)}')
    names, starts, bounds = [], [], []
    for name, given in vary.items():
        entry = given if isinstance(given, tuple) else (given, None, None)
        if len(entry) != 3 or entry[0] is None:
            raise bad(f"vary {name!r}", "be (start, low, high)", given, "write None for a bound that does not exist")
        start = number(f"vary {name!r} start", entry[0])
        low, high = (None if b is None or abs(b) == math.inf else number(f"vary {name!r} bound", b) for b in entry[1:])
        if (low is not None and start < low) or (high is not None and start > high) or (low is not None and high is not None and low >= high):
            raise bad(f"vary {name!r}", "start within its bounds, low < high", given, "move the start or a bound")
        names.append(name)
        starts.append(start)
        bounds.append((low, high))
    points = sum(len(d) for d in data)
    if points < len(names):
        raise bad("vary", f"hold at most as many parameters as there are points ({points})", len(names), "vary fewer parameters or add measurements")
    experiment.replace({n: v for n, v in zip(names, starts, strict=True) if n not in NUISANCES})
    return names, starts, bounds


class _Point(NamedTuple):
    """Where a descent has come to: parameters, residuals, and their slopes (points, parameters), exact or updated on the way."""

    x: np.ndarray
    residuals: np.ndarray
    slopes: np.ndarray

    @property
    def chi2(self) -> float:
        return float(self.residuals @ self.residuals)

    def widths(self) -> np.ndarray:
        """Standard errors from the slopes, a tenth of the value where these see nothing."""
        covariance = np.linalg.pinv(self.slopes.T @ self.slopes, rcond=1e-12)
        blind = 0.1 * np.where(self.x != 0, np.abs(self.x), 1.0)
        sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        return np.where(sigma > 0, sigma, blind)


NO_ANSWER = 1e6
"""The residual where the model gives no number."""


class _Problem:
    """chi2 as a sum of squared residuals within bounds, searched in logarithms where a lower bound is > 0. Counts its evaluations.

    exact: derivatives of the residuals (n, p), where they are known; where it raises InputError, and without it, differences stand in.
    Residuals cost one evaluation of the model, so the descent keeps its slopes from step to step (Broyden, Math. Comp. 19, 577 (1965)) and takes
    them anew only where a step fails: profiles then need a few evaluations each.
    """

    def __init__(self, residuals: Residuals, bounds: Sequence[tuple[float | None, float | None]], exact: Residuals | None = None) -> None:
        self.of, self.exact, self.calls = residuals, exact, 0
        self.points: int | None = None
        self.logarithmic = np.array([low is not None and low > 0 for low, _ in bounds])
        low = np.array([-np.inf if b is None else b for b, _ in bounds], dtype=float)
        high = np.array([np.inf if b is None else b for _, b in bounds], dtype=float)
        self.low, self.high = self.inner(low), self.inner(high)

    def inner(self, values: np.ndarray) -> np.ndarray:
        """Coordinates of the search: logarithms where the lower bound is > 0."""
        return np.where(self.logarithmic, np.log(np.where(self.logarithmic, values, 1.0)), values)

    def outer(self, x: np.ndarray) -> np.ndarray:
        """The parameters themselves, within their bounds to the last digit."""
        values = np.where(self.logarithmic, np.exp(np.where(self.logarithmic, x, 0.0)), x)
        ends = [np.where(self.logarithmic, np.exp(np.where(self.logarithmic, b, 0.0)), b) for b in (self.low, self.high)]
        return np.clip(values, *ends)

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """(n,) residuals; large where the model gives none, or refuses the parameters (a pump of 0, say). At the start a refusal is an error."""
        self.calls += 1
        try:
            r = self.of(self.outer(x))
        except InputError:
            if self.points is None:
                raise
            r = np.full(self.points, np.inf)
        self.points = r.size
        return np.where(np.isfinite(r), r, NO_ANSWER)

    def chi2(self, *x: float) -> float:
        """Sum of their squares."""
        r = self.residuals(np.array(x))
        return float(r @ r)

    def gradient(self, widths: np.ndarray) -> Callable[..., np.ndarray]:
        """The function that gives the slopes of chi2."""

        def of(*values: float) -> np.ndarray:
            x = np.array(values)
            r = self.residuals(x)
            return np.asarray(2 * r @ self.slopes(x, r, widths))

        return of

    def slopes(self, x: np.ndarray, r: np.ndarray, widths: np.ndarray) -> np.ndarray:
        """(n, p) exact derivatives, or differences of a hundredth of the widths, away from the bounds."""
        if self.exact is not None and not np.any(r == NO_ANSWER):
            values = self.outer(x)
            try:
                return self.exact(values) * np.where(self.logarithmic, values, 1.0)
            except InputError:
                pass  # a parameter that has no derivative here, or none at all
        columns = []
        for k in range(x.size):
            h = 0.01 * widths[k]
            h = -h if x[k] + h > self.high[k] else h
            moved = x.copy()
            moved[k] += h
            columns.append((self.residuals(moved) - r) / h)
        return np.stack(columns, axis=1)

    def descend(self, x: np.ndarray, widths: np.ndarray, free: np.ndarray, slopes: np.ndarray | None = None, tolerance: float = 1e-3) -> _Point:
        """Least chi2 over the free parameters (Levenberg, Marquardt), until another step would gain less than `tolerance`.

        widths: scale of each parameter. slopes: those of a point nearby, if known.
        """
        r = self.residuals(x)
        is_fresh, steps = slopes is None, 0
        j = self.slopes(x, r, widths) if slopes is None else slopes.copy()
        damping = 0.0 if slopes is not None else 1e-3
        for _ in range(200):
            scaled = j * widths
            downhill = -(scaled.T @ r)
            moving = free & ~((x <= self.low) & (downhill < 0)) & ~((x >= self.high) & (downhill > 0))
            if not moving.any():
                break
            a = scaled[:, moving]
            curvature = a.T @ a
            step = np.zeros(x.size)
            step[moving] = np.linalg.lstsq(curvature + damping * np.diag(np.diag(curvature) + 1e-12), downhill[moving], rcond=1e-13)[0]
            trial = np.clip(x + widths * step, self.low, self.high)
            move = (trial - x) / widths
            gain = float(r @ r - np.sum((r + scaled @ move) ** 2))
            if gain < tolerance:
                if is_fresh or (slopes is not None and steps <= 2):
                    break
                j, is_fresh, damping = self.slopes(x, r, widths), True, 0.0
                continue
            new = self.residuals(trial)
            if np.any(new == NO_ANSWER) and damping < 1e12:  # no slope to learn from such a point, only that the step was too long
                damping = max(10 * damping, 1e-2)
                continue
            j = j + np.outer(new - r - scaled @ move, move / widths) / (move @ move)
            better = new @ new < r @ r
            if better:
                damping = damping / 10 if float(r @ r - new @ new) > 0.5 * gain else damping
                x, r, is_fresh, steps = trial, new, False, steps + 1
            elif not is_fresh and damping == 0.0:
                j, is_fresh = self.slopes(x, r, widths), True
                damping = 1e-2
            else:
                damping = max(10 * damping, 1e-2)
        return _Point(x, r, j)


class _Profile:
    """chi2 as a function of one parameter, minimal in all others, and where it has risen by a given amount."""

    def __init__(self, problem: _Problem, widths: np.ndarray, x: np.ndarray) -> None:
        self.problem = problem
        r = problem.residuals(x)
        self.best = _Point(x, r, problem.slopes(x, r, widths))
        self.widths = self.best.widths()
        self.known: dict[int, dict[float, _Point]] = {k: {float(x[k]): self.best} for k in range(x.size)}

    @property
    def values(self) -> np.ndarray:
        """(p,) the best parameters."""
        return self.problem.outer(self.best.x)

    def covariance(self) -> np.ndarray:
        """(p, p) inverse of half the curvature of chi2 (slopes of the residuals squared), rows of parameters at a bound 0."""
        x, margin = self.best.x, 1e-2 * self.widths
        inside = (x > self.problem.low + margin) & (x < self.problem.high - margin)
        scale = self.widths[inside]
        a = self.best.slopes[:, inside] * scale
        outwards = np.where(self.problem.logarithmic, self.values, 1.0)[inside]
        full = np.zeros((x.size, x.size))
        full[np.ix_(inside, inside)] = np.linalg.pinv(a.T @ a, rcond=1e-13) * np.outer(scale * outwards, scale * outwards)
        return full

    def root(self, k: int, value: float) -> float:
        """Root of the rise of chi2 above its least value with parameter k held at `value`."""
        known = self.known[k]
        if value not in known:
            nearest = known[min(known, key=lambda v: abs(v - value))]
            free = np.arange(self.best.x.size) != k
            x = nearest.x.copy()
            x[k] = value
            # follow the valley: the others move so that the residuals change least
            a = nearest.slopes[:, free] * self.widths[free]
            change = nearest.residuals + nearest.slopes[:, k] * (value - nearest.x[k])
            x[free] += self.widths[free] * np.linalg.lstsq(a, -change, rcond=1e-10)[0]
            x = np.clip(x, self.problem.low, self.problem.high)
            known[value] = self.problem.descend(x, self.widths, free, nearest.slopes, tolerance=3e-3)
        return math.sqrt(max(known[value].chi2 - self.best.chi2, 0.0))

    def end(self, k: int, direction: int, rise: float) -> float | None:
        """Value of parameter k at which chi2 has risen by `rise`; None if it does not before the bound, or within a factor 1000 without one."""
        distance = self._distance(k, direction, rise)
        if distance is None:
            return None
        x = self.best.x.copy()
        x[k] += direction * distance
        return float(self.problem.outer(x)[k])

    def _distance(self, k: int, direction: int, rise: float) -> float | None:
        value, sigma = float(self.best.x[k]), float(self.widths[k])
        bound = self.problem.high[k] if direction > 0 else self.problem.low[k]
        unbounded = math.log(1e3) if self.problem.logarithmic[k] else 1e3 * (abs(value) + sigma)
        farthest = float(abs(bound - value)) if np.isfinite(bound) else unbounded
        target = math.sqrt(rise)
        if farthest <= 0:
            return None
        inner, inner_root, outer, outer_root = 0.0, 0.0, math.inf, math.inf
        for known in sorted(self.known[k]):  # what another interval of this parameter has met already
            distance = direction * (known - value)
            if distance > 0:
                root = self.root(k, known)
                if root < target and distance > inner:
                    inner, inner_root = distance, root
                elif root >= target and distance < outer:
                    outer, outer_root = distance, root
        step = min(target * sigma, farthest) if inner == 0.0 else min(inner * min(1.5, 1.05 * target / max(inner_root, 1e-9)), farthest)
        for _ in range(60):
            if outer < math.inf:
                break
            root = self.root(k, value + direction * step)
            if root >= target:
                outer, outer_root = step, root
            elif step >= farthest:
                return None
            else:
                inner, inner_root = step, root
                step = min(step * min(1.7, max(1.1, 1.05 * target / max(root, 1e-9))), farthest)
        else:
            return None
        for i in range(30):  # between inner and outer the root of chi2 is nearly straight
            straight = inner + (target - inner_root) * (outer - inner) / (outer_root - inner_root)
            if min(target - inner_root, outer_root - target) < CLOSE * target or outer - inner < CLOSE * outer:
                break
            step = straight if i < 3 else (inner + outer) / 2
            root = self.root(k, value + direction * step)
            if root < target:
                inner, inner_root = step, root
            else:
                outer, outer_root = step, root
        return straight

    def estimate(self, k: int) -> Estimate:
        """Interval of parameter k, or a one-sided limit on the side that the data do bound."""
        value = float(self.values[k])
        low, high = self.end(k, -1, ONE_SIGMA), self.end(k, 1, ONE_SIGMA)
        limit = None
        if low is None and high is not None:
            up = self.end(k, 1, LIMIT)
            limit = None if up is None else Limit("upper", up)
        elif high is None and low is not None:
            down = self.end(k, -1, LIMIT)
            limit = None if down is None else Limit("lower", down)
        return Estimate(value, None if low is None else value - low, None if high is None else high - value, limit)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
