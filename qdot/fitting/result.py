"""What a fit found: parameters, intervals, goodness, what stays open. Frozen, printable, and able to be drawn again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qdot.data import Histogram, Measured
from qdot.errors import bad, unknown
from qdot.experiment import Experiment
from qdot.fitting.identify import Direction
from qdot.fitting.intervals import TWO_SIDED_95, Estimate, Profile
from qdot.fitting.likelihoods import counts_of, drawn, expected_chi2, expected_error, law_of, residuals
from qdot.fitting.request import Request

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from qdot.fitting.posterior import Posterior


REJECTED = 1e-3
"""Below this probability of a chi2 as large or larger the data reject the model."""


@dataclass(frozen=True, eq=False)
class Term:
    """One measurement beside its prediction, each array (n,), and its share of chi2. minus, plus: standard errors (root of the expected counts).

    residuals: (n,) signed roots of each point's share of chi2. law: how the values scatter.
    """

    name: str
    x_name: str
    source: str
    x: np.ndarray
    value: np.ndarray
    minus: np.ndarray
    plus: np.ndarray
    predicted: np.ndarray
    chi2: float
    residuals: np.ndarray
    law: str

    @property
    def pulls(self) -> np.ndarray:
        """(value - predicted) / error, with the error of the side on which the prediction lies."""
        return (self.value - self.predicted) / np.where(self.predicted > self.value, self.plus, self.minus)


def term(d: Measured, values: np.ndarray) -> Term:
    """A measurement beside what the fit gives for it."""
    r = residuals(d, values)
    minus, plus = expected_error(d, values)
    shown = values if isinstance(d, Histogram) or d.trials is None else values * d.trials
    if isinstance(d, Histogram):
        name, x_name, x = "counts", d.axis, d.left_ns + d.bin_width_ns / 2
    else:
        name, x_name, x = d.name, d.x_name, d.x
    return Term(name, x_name, d.source, x, counts_of(d), minus, plus, shown, float(r @ r), -r, law_of(d))


class Goodness(NamedTuple):
    """chi2 against what it is expected to be: mean and standard deviation, at low counts too, and the probability of one as large or larger."""

    chi2: float
    expected: float
    spread: float
    p_value: float

    def __str__(self) -> str:
        return f"chi2 {self.chi2:.2f}, expected {self.expected:.1f} +- {self.spread:.1f}, p = {self.p_value:.3g}"


class Bootstrap(NamedTuple):
    """Fits to measurements drawn anew from the fit: names, values (n, p), chi2 (n,), and how many did not converge (they are left out)."""

    names: tuple[str, ...]
    values: np.ndarray
    chi2: np.ndarray
    failed: int

    def interval(self, name: str, share: float = 0.6827) -> tuple[float, float]:
        """Central interval that holds this share of the values."""
        if name not in self.names:
            raise unknown("bootstrap parameter", name, self.names)
        low, high = np.quantile(self.values[:, self.names.index(name)], [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit found. `print` gives the table for the lab book.

    parameters: {name: Estimate}. covariance: (p, p) of the parameters in that order, from the curvature at the best values (rows of a
    parameter at a bound are 0, of one that the data do not determine nan). derived: {name: Estimate} of what was asked to be derived.
    experiment: with the best values in place (None for a fit of a function). undetermined: directions that the data leave open.
    converged: False means that no interval was looked for, and that the values are only where the search stopped. request: what was asked.
    method, versions: what made it.
    """

    experiment: Experiment | None
    parameters: Mapping[str, Estimate]
    covariance: np.ndarray
    chi2: float
    points: int
    terms: tuple[Term, ...]
    converged: bool
    calls: int
    method: str
    versions: Mapping[str, str]
    derived: Mapping[str, Estimate]
    undetermined: tuple[Direction, ...]
    request: Request
    profiles: Profile

    @property
    def dof(self) -> int:
        """Degrees of freedom: measured points less parameters (a prior counts as a point)."""
        return self.points + self.request.space.prior_count - len(self.parameters)

    @property
    def chi2_per_dof(self) -> float:
        """chi2 over the degrees of freedom; nan where there are none."""
        return self.chi2 / self.dof if self.dof > 0 else math.nan

    @property
    def aic(self) -> float:
        """Akaike's criterion, chi2 + 2 p: the smaller of two fits to the same data describes them better for its parameters."""
        return self.chi2 + 2.0 * len(self.parameters)

    @property
    def bic(self) -> float:
        """Bayes's criterion, chi2 + p ln n."""
        return self.chi2 + len(self.parameters) * math.log(self.points)

    @property
    def correlation(self) -> np.ndarray:
        """(p, p) correlations, 0 for a parameter at a bound, nan for one that is not determined."""
        sigma = np.sqrt(np.diag(self.covariance))
        scale = np.where(sigma > 0, 1.0 / np.where(sigma > 0, sigma, 1.0), np.where(np.isnan(sigma), np.nan, 0.0))
        return self.covariance * np.outer(scale, scale)

    @property
    def standard_errors(self) -> dict[str, float]:
        """Roots of the covariance's diagonal."""
        return dict(zip(self.parameters, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    @property
    def scaled_errors(self) -> dict[str, float]:
        """Standard errors times the root of chi2 per degree of freedom: for points whose errors are known up to a common factor only."""
        return {n: e * math.sqrt(self.chi2_per_dof) for n, e in self.standard_errors.items()}

    @cached_property
    def goodness(self) -> Goodness:
        """Does the model describe the data? chi2 beside its mean and spread at the fitted values, which at low counts are not those of chi2."""
        from scipy.special import gammaincc

        pairs = zip(self.request.measured, self.terms, strict=True)
        moments = [expected_chi2(d, t.predicted if t.law != "binomial" else t.predicted / getattr(d, "trials")) for d, t in pairs]  # noqa: B009
        mean, variance = (float(sum(m[k] for m in moments)) for k in (0, 1))
        share = max(self.dof, 0) / max(self.points, 1)  # what the parameters take away
        mean, variance = mean * share, variance * share
        p = float(gammaincc(mean**2 / variance, self.chi2 * mean / variance)) if variance > 0 and mean > 0 else math.nan
        return Goodness(self.chi2, mean, math.sqrt(variance), p)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What makes the parameters doubtful: a model that the data reject, and values that what was measured cannot have."""
        found = []
        g = self.goodness
        if self.dof > 0 and g.p_value < REJECTED:
            found.append(f"the data reject the model: {g}; its intervals mean nothing, look for another model or at the errors of the data")
        if self.experiment is not None and self.request.predict is None:
            for t in self.terms:
                below = np.flatnonzero(t.value < 0.0)
                if below.size:
                    k = int(below[0])
                    more = f" ({below.size} of {t.value.size} values are negative)" if below.size > 1 else ""
                    what = f"{t.source}: {t.name} is {t.value[k]:g} +- {t.plus[k]:.2g} at {t.x_name} = {t.x[k]:g}"
                    found.append(f"{what}, and cannot be negative{more}; look at the background that was subtracted")
        return tuple(found)

    def interval(self, name: str, confidence: float = 0.95) -> tuple[float | None, float | None]:
        """(low, high) of a parameter from its profile at this two-sided confidence, None on an open side."""
        if name not in self.parameters:
            raise unknown("parameter", name, self.parameters)
        if not 0.0 < confidence < 1.0:
            raise bad("confidence", "be between 0 and 1", confidence, "for example 0.95")
        from scipy.special import ndtri

        rise = TWO_SIDED_95 if confidence == 0.95 else float(ndtri((1 + confidence) / 2)) ** 2
        return self.profiles.interval(list(self.parameters).index(name), rise)

    def profile(self, name: str, values: Sequence[float] | np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(values, rise of chi2) of a parameter, chi2 minimal in all others; by default over five standard errors of its interval."""
        if name not in self.parameters:
            raise unknown("parameter", name, self.parameters)
        k, p = list(self.parameters).index(name), self.parameters[name]
        if values is None:
            low, high = self.interval(name)
            space = self.request.space.parameters[k]
            ends = (low if low is not None else max(space.low, p.value / 100), high if high is not None else min(space.high, p.value * 100))
            values = np.geomspace(*ends, 25) if min(ends) > 0 and max(ends) > 10 * min(ends) else np.linspace(*ends, 25)
        chosen = np.asarray(values, dtype=float)
        return chosen, self.profiles.trace(k, chosen)

    def simulate(self, rng: np.random.Generator) -> list[Measured]:
        """The measurements as they would come out again if the fitted values were true."""
        trials = [getattr(d, "trials", None) for d in self.request.measured]
        values = [t.predicted if n is None else t.predicted / n for t, n in zip(self.terms, trials, strict=True)]
        return [drawn(d, v, rng) for d, v in zip(self.request.measured, values, strict=True)]

    def bootstrap(self, count: int, rng: np.random.Generator) -> Bootstrap:
        """Parametric bootstrap: so many sets of measurements drawn from the fit and fitted again from the best values."""
        from qdot.fitting.fitting import refit

        values, chi2, failed = [], [], 0
        for _ in range(count):
            again = refit(self.request.with_data(self.simulate(rng)), [p.value for p in self.parameters.values()])
            if again.converged:
                values.append([p.value for p in again.parameters.values()])
                chi2.append(again.chi2)
            else:
                failed += 1
        return Bootstrap(tuple(self.parameters), np.array(values).reshape(-1, len(self.parameters)), np.array(chi2), failed)

    def sample(self, steps: int, rng: np.random.Generator, walkers: int | None = None) -> Posterior:
        """Samples of the posterior (flat within the bounds, times the priors) with emcee; needs `pip install qdot[posterior]`."""
        from qdot.fitting.posterior import sample

        return sample(self, steps, rng, walkers)

    def model(self) -> Callable[..., np.ndarray]:
        """f(x, *parameters) of the first series, as scipy.optimize.curve_fit and lmfit.Model take it."""
        from qdot.fitting.interop import model_function

        return model_function(self.request)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        g = self.goodness
        return {
            "chi2": self.chi2,
            "dof": self.dof,
            "chi2_per_dof": self.chi2_per_dof if self.dof > 0 else None,
            "p_value": None if math.isnan(g.p_value) else g.p_value,
            "expected_chi2": g.expected,
            "aic": self.aic,
            "bic": self.bic,
            "converged": self.converged,
            "parameters": {name: p.as_dict() for name, p in self.parameters.items()},
            "derived": {name: p.as_dict() for name, p in self.derived.items()},
            "covariance": [[None if math.isnan(v) else v for v in row] for row in self.covariance.tolist()],
            "undetermined": [d.as_dict() for d in self.undetermined],
            "terms": [
                {
                    "name": t.name,
                    "source": t.source,
                    "chi2": t.chi2,
                    "x": t.x.tolist(),
                    "value": t.value.tolist(),
                    "predicted": t.predicted.tolist(),
                    "residuals": t.residuals.tolist(),
                }
                for t in self.terms
            ],
            "warnings": list(self.warnings),
            "left_out": [f"{d.source}: {out}" for d in self.request.measured for out in d.left_out],
            "method": self.method,
            "versions": dict(self.versions),
        }

    def __str__(self) -> str:
        per = f" = {self.chi2_per_dof:.3f} per degree of freedom" if self.dof > 0 else ""
        lines = [f"chi2 {self.chi2:.2f} for {self.points} points and {len(self.parameters)} parameters{per}"]
        if self.dof > 0:
            lines.append(f"  expected {self.goodness.expected:.1f} +- {self.goodness.spread:.1f}, p = {self.goodness.p_value:.3g}; AIC {self.aic:.2f}")
        if not self.converged:
            lines.append("  DID NOT CONVERGE: start nearer to a solution, vary fewer parameters or bound them")
        lines += [f"  WARNING: {one}" for one in self.warnings]
        width = max(len(name) for name in [*self.parameters, *self.derived])
        lines += [f"  {name:<{width}}  {p}" for name, p in self.parameters.items()]
        if self.derived:
            lines += ["  derived", *(f"  {name:<{width}}  {p}" for name, p in self.derived.items())]
        lines += [f"  {d}" for d in self.undetermined]
        lines += [f"  {t.name}: chi2 {t.chi2:.2f} of {t.value.size} points, {t.source}" for t in self.terms]
        lines += [f"  {d.source}: {out}" for d in self.request.measured for out in d.left_out]
        return "\n".join([*lines, f"  {self.method}; " + ", ".join(f"{k} {v}" for k, v in self.versions.items())])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw data, fit and residuals; returns the axes."""
        from qdot import plot

        return plot.fit_result(self, ax)

    def write(self, folder: str | Path) -> list[Path]:
        """Write report (text, JSON, HDF5), figure and everything needed to repeat the fit into a folder; returns the files."""
        from qdot.fitting.record import write

        return write(self, Path(folder))
