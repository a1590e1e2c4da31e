"""The fit itself: a search, MIGRAD, and intervals. It knows no emitter and no observable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from iminuit import Minuit

from qdot.data import Measured
from qdot.errors import InputError, bad
from qdot.experiment import Experiment
from qdot.fitting.answers import Label
from qdot.fitting.expressions import evaluate
from qdot.fitting.identify import directions
from qdot.fitting.intervals import Estimate, Profile, derived_estimate
from qdot.fitting.observables import Observation
from qdot.fitting.parameters import Vary
from qdot.fitting.request import Function, Prediction, Request
from qdot.fitting.result import FitResult, term
from qdot.fitting.search import NO_ANSWER, Problem

LAST = 1e-8
"""From where MIGRAD ends, steps go on as long as another would lower chi2 by more than this: to a ten-thousandth of the errors."""
BEST_STARTS = 3
"""So many of the scanned points are descended from."""
DAMPINGS = (1e-3, 1e2, 1e4)
"""A plain function is searched boldly and carefully from the same start: a bold first step may end on a plateau."""
WIDE = 1e3
"""A scan without a bound goes this factor beyond the start."""


def fit(
    experiment: Experiment | Function,
    data: Sequence[Measured | Observation] | Measured | Observation,
    vary: Vary,
    label: Label | None = None,
    predict: Prediction | None = None,
    *,
    tie: Mapping[str, str] | None = None,
    priors: Any = (),
    derive: Mapping[str, Any] | None = None,
    scan: int = 0,
    intervals: bool = True,
) -> FitResult:
    """The parameters of an experiment that describe all measurements at once.

    experiment: an Experiment, or a function f(x, **parameters). data: Series, Histograms, and Observations that say more about one.
    vary: {dotted name: (start, low, high)} as in `Experiment.replace`, bounds None where only those of the declaration hold; a bare number
    starts there. label: whose light was measured (default: every line together). predict: a function (experiment, measurements) -> one array
    per measurement, for what no observable describes. tie: {name: expression} of parameters that follow others. priors: {name: (value, error)},
    or a list of these and of JointPrior. derive: {name: expression, or function of the experiment} with intervals. scan: descend from the best
    of so many space-filling points within the bounds. intervals: False leaves them out.
    Intervals: chi2 minimal in all other parameters rises by 1; limits: by 2.71. Raises InputError for an unknown parameter, a start outside its
    bounds or more parameters than points. See `FitResult.converged`.
    """
    request = Request.of(experiment, data, vary, label, predict, tie, priors, derive, scan)
    return solve(request, request.space.start, scan, intervals)


def fit_file(path: str | Path, intervals: bool = True) -> FitResult:
    """The fit that a fit file asks for."""
    from qdot.fitting.files import read_fit

    request = read_fit(path)
    return solve(request, request.space.start, request.scan, intervals)


def refit(request: Request, start: Sequence[float]) -> FitResult:
    """The same fit again from another start, without intervals: for measurements drawn anew."""
    return solve(request, np.array(start), 0, False)


def solve(request: Request, start: np.ndarray, scan: int, intervals: bool) -> FitResult:
    """Least chi2, and what there is to say about it."""
    names, parameters = request.space.names, request.space.parameters
    is_function = not isinstance(request.source, Experiment)
    bounds = [(None if p.low == -np.inf else p.low, None if p.high == np.inf else p.high) for p in parameters]
    exact = request.slopes if request.predict is None and not is_function else None
    problem = Problem(request.residuals, bounds, exact, is_cheap=is_function)
    every = np.ones(len(names), dtype=bool)

    def near(values: np.ndarray) -> Any:
        inner = problem.inner(values)
        if is_function:
            small = np.where(problem.logarithmic | (inner == 0), 0.1, 0.1 * np.abs(inner))
            return min((problem.marquardt(inner, small, damping) for damping in DAMPINGS), key=lambda p: p.chi2)
        return problem.descend(inner, np.where(problem.logarithmic | (inner == 0), 0.1, 0.1 * np.abs(inner)), every)

    point = near(start)
    if scan:
        point = min([point, *map(near, _scanned(problem, start, scan))], key=lambda p: p.chi2)
    widths = point.widths()
    m = Minuit(problem.chi2, *point.x, name=names, grad=problem.gradient(widths))
    m.errordef, m.strategy, m.print_level, m.tol = Minuit.LEAST_SQUARES, 0, 0, 1.0
    for k, (name, width) in enumerate(zip(names, widths, strict=True)):
        m.limits[name] = (problem.low[k], problem.high[k])
        m.errors[name] = width
    m.migrad()
    tolerance = LAST * min(1.0, max(m.fval, 1e-300) / max(sum(len(d) for d in request.measured), 1))
    best = np.array(m.values) if m.fval <= point.chi2 else point.x
    found = problem.polish(best, widths, 60) if is_function else problem.descend(best, widths, every, tolerance=tolerance).x
    profile = Profile(problem, widths, found)
    return _told(request, problem, profile, _is_least(m, profile, is_function), intervals)


def _is_least(m: Minuit, profile: Profile, is_cheap: bool) -> bool:
    """MIGRAD's own verdict, or, where only its seed was poor, that another step from here would gain nothing; of a plain function always the latter."""
    best = profile.best
    if not np.isfinite(best.chi2) or np.any(np.abs(best.residuals) >= NO_ANSWER):
        return False
    if m.valid and not is_cheap:
        return True
    a = best.slopes * profile.widths
    inside = (best.x > profile.problem.low) & (best.x < profile.problem.high)
    step = np.linalg.lstsq(a[:, inside], -best.residuals, rcond=1e-13)[0]
    gain = best.chi2 - float(np.sum((best.residuals + a[:, inside] @ step) ** 2))
    return gain < 1e-3 * min(1.0, best.chi2 / max(best.residuals.size, 1)) or gain < 1e-12 * best.chi2


def _told(request: Request, problem: Problem, profile: Profile, converged: bool, intervals: bool) -> FitResult:
    """The result: estimates, what is derived, what stays open."""
    names, parameters = request.space.names, request.space.parameters
    given = request.space.expand(profile.values)
    values = request.values(given)
    outwards = np.where(problem.logarithmic, profile.values, 1.0)
    margin = 1e-2 * profile.widths
    at_bound = (profile.best.x <= problem.low + margin) | (profile.best.x >= problem.high - margin)
    open_ones = directions(parameters, profile.values, profile.best.slopes / np.where(outwards == 0, 1.0, outwards), at_bound)
    if converged and intervals:
        flat = {n for d in open_ones if d.is_flat for n in d.weights}
        found = {name: profile.estimate(k) for k, name in enumerate(names)}
        # of a flat direction both ends of an interval only say where other parameters meet their bounds; one end alone is a limit
        estimates = {n: Estimate(p.value, None, None, None) if n in flat and p.is_determined else p for n, p in found.items()}
        derived = {name: _derived(request, problem, profile, name) for name in request.derive}
    else:
        estimates = {name: Estimate(value, None, None, None) for name, value in zip(names, profile.values.tolist(), strict=True)}
        derived = {}
    covariance = profile.covariance()
    lost = [k for k, n in enumerate(names) if any(d.is_flat and n in d.weights for d in open_ones)]
    covariance[lost], covariance[:, lost] = np.nan, np.nan
    return FitResult(
        experiment=request.experiment(given) if isinstance(request.source, Experiment) else None,
        parameters=estimates,
        covariance=covariance,
        chi2=profile.best.chi2,
        points=sum(len(d) for d in request.measured),
        terms=tuple(term(d, v) for d, v in zip(request.measured, values, strict=True)),
        converged=converged,
        calls=problem.calls,
        method="MIGRAD, profile likelihood intervals (68.3 %) and one-sided limits (95 %)",
        versions={package: _version(package) for package in ("qdot", "iminuit", "numpy", "scipy")},
        derived=derived,
        undetermined=open_ones,
        request=request,
        profiles=profile,
    )


def _derived(request: Request, problem: Problem, profile: Profile, name: str) -> Estimate:
    """One derived quantity: an expression has exact derivatives, a function of the experiment differences."""
    what = request.derive[name]
    outwards = problem.logarithmic

    def plain(x: np.ndarray) -> float:
        return float(what(request.experiment(request.space.expand(problem.outer(x)))))

    def quantity(x: np.ndarray) -> tuple[float, np.ndarray]:
        values = problem.outer(x)
        if isinstance(what, str):
            given = request.space.expand(values)
            zero = np.zeros(values.size)
            known = {k: type(next(iter(given.values())))(v, zero) for k, v in request.space.known.items()}
            found = evaluate(what, {**known, **given}, f"derive {name!r}")
            return found.value, found.slopes * np.where(outwards, values, 1.0)
        h = 0.02 * profile.widths
        rows = []
        for k in range(x.size):
            step = h[k] * np.eye(x.size)[k]
            up, down = np.minimum(x + step, problem.high), np.maximum(x - step, problem.low)
            rows.append((plain(up) - plain(down)) / max(up[k] - down[k], 1e-300))
        return plain(x), np.array(rows)

    return derived_estimate(profile, quantity)


def _scanned(problem: Problem, start: np.ndarray, count: int) -> list[np.ndarray]:
    """The best starts among `count` points that fill the space within the bounds (Sobol); without a bound it reaches a factor WIDE beyond the start."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise bad("scan", "be a whole number of points >= 0", count, "for example 64")
    from scipy.stats import qmc

    inner = problem.inner(start)
    reach = np.where(problem.logarithmic, np.log(WIDE), 10.0 * np.abs(inner) + 1.0)
    low, high = np.maximum(problem.low, inner - reach), np.minimum(problem.high, inner + reach)
    sampler = qmc.Sobol(inner.size, scramble=True, rng=np.random.default_rng(20260302))
    places = low + (high - low) * sampler.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    heights = []
    for x in places:
        try:
            heights.append(problem.chi2(*x))
        except InputError:
            heights.append(np.inf)
    return [problem.outer(places[k]) for k in np.argsort(heights)[:BEST_STARTS]]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
