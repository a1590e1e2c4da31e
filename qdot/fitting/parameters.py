"""Parameters of a fit: start, bounds from their declaration, ties, priors, and the coordinates in which a search moves.

A name with a dot belongs to the experiment (`source.`, `drive.`, `collection.`) or to the measurement (`histogram.zero_delay_ns`,
`calibration.power`, a data set's own name). A parameter tied by an expression follows others; one that is not named is fixed where it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qdot.errors import bad, number, unknown
from qdot.experiment import Experiment
from qdot.fitting.expressions import Value, evaluate

Vary = Mapping[str, float | tuple[float | None, ...]]
OF_EXPERIMENT = ("source", "drive", "collection", "detectors", "blinking")
"""Heads of names that belong to the experiment; all others belong to the measurement."""
CLOSE_TO_OPEN = 1e-9
"""An excluded bound of 0 becomes this fraction of the start value, so that the search moves in logarithms."""


class Parameter(NamedTuple):
    """One parameter that varies: name, start, bounds (infinite where there are none), and what it means."""

    name: str
    start: float
    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter beforehand, as a Gaussian: value with standard errors downwards and upwards. It adds one term to chi2."""

    value: float
    minus: float
    plus: float

    def residual(self, x: float) -> tuple[float, float]:
        """(residual, its derivative)."""
        error = self.plus if x > self.value else self.minus
        return (x - self.value) / error, 1.0 / error


@dataclass(frozen=True, eq=False)
class JointPrior:
    """Correlated knowledge of several parameters, such as calibrations that share an error: values (k,) and their covariance (k, k)."""

    names: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        values, covariance = np.asarray(self.values, dtype=float), np.asarray(self.covariance, dtype=float)
        k = len(self.names)
        if values.shape != (k,) or covariance.shape != (k, k) or not np.allclose(covariance, covariance.T):
            raise bad("JointPrior", f"have {k} values and a symmetric {k} x {k} covariance", f"{values.shape} and {covariance.shape}", "give one of each name")
        try:
            root = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            raise bad("JointPrior.covariance", "be positive definite", "another matrix", "check variances and correlations") from None
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_whiten", np.linalg.inv(root))

    @property
    def whiten(self) -> np.ndarray:
        """(k, k) matrix that makes the deviations independent with errors of 1."""
        return self._whiten  # type: ignore[attr-defined]


Priors = Mapping[str, "Prior | tuple[float, float]"] | Sequence["JointPrior"] | tuple[()]


@dataclass(frozen=True, eq=False)
class Space:
    """The parameters that vary, what follows them, and what is known of them.

    tied: {name: expression}; known: names an expression may use besides, with their values; priors, joint: see Prior and JointPrior.
    """

    parameters: tuple[Parameter, ...]
    tied: Mapping[str, str]
    known: Mapping[str, float]
    priors: Mapping[str, Prior]
    joint: tuple[JointPrior, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what varies, in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def start(self) -> np.ndarray:
        """(p,) start values."""
        return np.array([p.start for p in self.parameters])

    @property
    def prior_count(self) -> int:
        """How many residuals the priors add."""
        return len(self.priors) + sum(len(j.names) for j in self.joint)

    def expand(self, values: np.ndarray) -> dict[str, Value]:
        """Every varied and tied parameter with its derivatives by the varied ones."""
        p = len(self.parameters)
        found = {name: Value(float(v), row) for name, v, row in zip(self.names, values, np.eye(p), strict=True)}
        every = {**{n: Value(v, np.zeros(p)) for n, v in self.known.items()}, **found}
        return {**found, **{name: evaluate(text, every, f"tie {name!r}") for name, text in self.tied.items()}}

    def prior_residuals(self, given: Mapping[str, Value]) -> tuple[np.ndarray, np.ndarray]:
        """(residuals (k,), derivatives by the varied parameters (k, p))."""
        residuals: list[float] = []
        rows: list[np.ndarray] = []
        for name, prior in self.priors.items():
            r, slope = prior.residual(given[name].value)
            residuals.append(r)
            rows.append(slope * given[name].slopes)
        for one in self.joint:
            deviation = np.array([given[n].value for n in one.names]) - one.values
            residuals += (one.whiten @ deviation).tolist()
            rows += list(one.whiten @ np.array([given[n].slopes for n in one.names]))
        return np.array(residuals), np.array(rows).reshape(len(residuals), len(self.parameters))

    def is_natural(self) -> np.ndarray:
        """(p,) True for a parameter that cannot be negative, so that it changes by factors."""
        return np.array([p.low >= 0.0 for p in self.parameters])


def space(experiment: Experiment | None, vary: Vary, heads: Sequence[str], tie: Mapping[str, str] | None = None, priors: Any = ()) -> Space:
    """Checked parameters of an experiment (None: of a plain function, whose names are free). heads: those of names that belong to measurements."""
    if not vary:
        raise bad("vary", "name at least one parameter", "none", 'for example {"source.pump_per_ns_per_uW": (1e-3, 0, None)}')
    tied = dict(tie or {})
    for name in tied:
        if name in vary:
            raise bad(f"tie {name!r}", "name a parameter that is not varied", "one in vary", "remove it from one of the two")
    parameters = []
    for name, given in vary.items():
        entry = given if isinstance(given, tuple | list) else (given, None, None)
        if len(entry) != 3 or entry[0] is None:
            raise bad(f"vary {name!r}", "be (start, low, high)", given, "write None for a bound that does not exist")
        start = number(f"vary {name!r} start", entry[0])
        given_low, given_high = (None if b is None or abs(b) == math.inf else number(f"vary {name!r} bound", b) for b in entry[1:])
        low, high, meaning = (-math.inf, math.inf, name) if experiment is None else _declared(experiment, name, heads, start)
        low, high = low if given_low is None else given_low, high if given_high is None else given_high
        if start < low or start > high or low >= high:
            told = given if given_low is not None or given_high is not None else f"{start:g}, declared from {low:g} to {high:g}"
            raise bad(f"vary {name!r}", "start within its bounds, low < high", told, "move the start or a bound")
        parameters.append(Parameter(name, start, low, high, meaning))
    known = _values(experiment) if experiment is not None else {}
    if experiment is not None:
        for name in tied:
            _declared(experiment, name, heads, 1.0)
    listed = list(priors) if not isinstance(priors, Mapping) else []
    singles = {n: _prior(n, p) for n, p in priors.items()} if isinstance(priors, Mapping) else {}
    for one in listed:
        if isinstance(one, Mapping):
            singles.update({n: _prior(n, p) for n, p in one.items()})
        elif not isinstance(one, JointPrior):
            raise bad("priors", "be {name: (value, error)} or a list of JointPrior", type(one).__name__, "see qdot.fitting.JointPrior")
    joint = tuple(j for j in listed if isinstance(j, JointPrior))
    made = Space(tuple(parameters), tied, {k: v for k, v in known.items() if k not in vary and k not in tied}, singles, joint)
    varied = {*made.names, *tied}
    for name in [*singles, *(n for j in joint for n in j.names)]:
        if name not in varied:
            raise unknown("prior of", name, sorted(varied))
    started = made.expand(made.start)
    if experiment is not None:
        experiment.replace({n: v.value for n, v in started.items() if n.partition(".")[0] in OF_EXPERIMENT})
    return made


def _prior(name: str, given: Any) -> Prior:
    if isinstance(given, Prior):
        return given
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise bad(f"prior of {name!r}", "be (value, error) or (value, minus, plus)", given, "give what is known beforehand")
    value, minus, plus = number(f"prior of {name!r}", given[0]), given[1], given[-1]
    return Prior(
        value, number(f"error of the prior of {name!r}", minus, 0.0, open_low=True), number(f"error of the prior of {name!r}", plus, 0.0, open_low=True)
    )


def _declared(experiment: Experiment, name: str, heads: Sequence[str], start: float) -> tuple[float, float, str]:
    """(low, high, meaning) that the declaration of a parameter gives."""
    head, _, tail = name.partition(".")
    if head not in OF_EXPERIMENT:
        if head not in heads or not tail:
            experiment.replace({name: start})
            raise unknown("vary", name, [*OF_EXPERIMENT, *heads])
        return (0.0 if tail.endswith(("per_bin", "fwhm_ns")) or head == "calibration" else -math.inf), math.inf, f"{tail.replace('_', ' ')} of {head}"
    if head == "collection":
        return 0.0, 1.0, f"probability that a photon of {tail} is collected"
    if head == "detectors":
        probability = tail.rpartition(".")[2] in ("share", "efficiency", "afterpulse_probability")
        low = -math.inf if tail.endswith("delay_ns") else 0.0
        return low, 1.0 if probability else math.inf, f"{tail.rpartition('.')[2].replace('_', ' ')} of {tail.rpartition('.')[0] or 'all detectors'}"
    if head == "source" and dataclasses.is_dataclass(experiment.source):
        field = next((f for f in dataclasses.fields(experiment.source) if f.name == tail), None)
        if field is not None and "low" in field.metadata:
            m = field.metadata
            low = CLOSE_TO_OPEN * abs(start) if m["above"] and m["low"] == 0 and start > 0 else float(m["low"])
            return low, float(m["high"]), str(m["meaning"])
    positive = tail in ("power_uW", "pulse_energy_fJ", "fwhm_ns", "duration_ns", "dose_ns", "start_ns", "area_pi")
    return (0.0 if positive else -math.inf), math.inf, name


def _values(experiment: Experiment) -> dict[str, float]:
    """Every number of the experiment by its dotted name."""
    found: dict[str, float] = {}
    parts = [("source", experiment.source), *(("drive", d) for d in experiment.drives[:1])]
    for head, part in parts:
        for f in dataclasses.fields(part) if dataclasses.is_dataclass(part) else ():
            v = getattr(part, f.name)
            if isinstance(v, int | float) and not isinstance(v, bool):
                found[f"{head}.{f.name}"] = float(v)
    found.update({f"collection.{k}": float(v) for k, v in experiment.collection.items() if isinstance(v, int | float)})
    return found
