"""What is asked of a fit, bound together: experiment, observations and parameters give residuals and their slopes. Can be drawn and fitted again."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qdot.data import Histogram, Measured, Series
from qdot.errors import bad
from qdot.experiment import Experiment
from qdot.fitting import answers
from qdot.fitting.answers import POWER, Label
from qdot.fitting.expressions import Value
from qdot.fitting.likelihoods import residual_slopes, residuals
from qdot.fitting.observables import Observation, Predictor, observed
from qdot.fitting.parameters import OF_EXPERIMENT, Space, Vary, space

Prediction = Callable[[Experiment, Sequence[Measured]], Sequence[np.ndarray | None]]
Function = Callable[..., np.ndarray]


@dataclass(frozen=True, eq=False)
class Request:
    """One fit as it was asked for. source: an Experiment, or a function f(x, **parameters) of the settings of each series.

    predict: a function (experiment, measurements) -> one array per measurement (None: the one that belongs to it), for what no observable describes.
    scan: descend from the best of so many points.
    """

    source: Experiment | Function
    observations: tuple[Observation, ...]
    vary: Vary
    label: Label | None = None
    predict: Prediction | None = None
    tie: Mapping[str, str] = field(default_factory=dict)
    priors: Any = ()
    derive: Mapping[str, Any] = field(default_factory=dict)
    scan: int = 0

    @staticmethod
    def of(source: Any, data: Any, vary: Vary, label: Label | None, predict: Prediction | None, tie: Any, priors: Any, derive: Any, scan: int = 0) -> Request:
        """The checked request."""
        listed = [data] if isinstance(data, Series | Histogram | Observation) else list(data)
        if not listed or not all(isinstance(d, Series | Histogram | Observation) for d in listed):
            got = [type(d).__name__ for d in listed] or "nothing"
            raise bad("data", "be a list of Series, Histograms and Observations", got, "read them with read_series and read_histogram")
        if not isinstance(source, Experiment) and not callable(source):
            raise bad("experiment", "be an Experiment or a function of x and the parameters", type(source).__name__, "see qdot.Experiment")
        made = Request(source, tuple(observed(listed)), vary, label, predict, dict(tie or {}), priors, dict(derive or {}), scan)
        if len(listed) > 1:
            made._names_are_unique()
        points = sum(len(o.data) for o in made.observations)
        needed = len(made.space.names) - made.space.prior_count
        if points < needed:
            raise bad("vary", f"hold at most as many parameters as there are points ({points})", needed, "vary fewer parameters or add measurements")
        for name, text in made.derive.items():
            if not isinstance(text, str) and not callable(text):
                raise bad(f"derive {name!r}", "be an expression or a function of the experiment", type(text).__name__, "for example 'source.a * source.b'")
        return made

    def _names_are_unique(self) -> None:
        own = [o.name for o in self.observations if o.name]
        twice = next((n for n in own if own.count(n) > 1), None)
        if twice is not None:
            raise bad("Observation.name", "be used once", repr(twice), "give each measurement a name of its own")

    @property
    def measured(self) -> list[Measured]:
        """The measurements themselves."""
        return [o.data for o in self.observations]

    @property
    def space(self) -> Space:
        """The parameters."""
        if "_space" not in self.__dict__:
            experiment = self.source if isinstance(self.source, Experiment) else None
            if experiment is None:
                self._function_takes(list(self.vary))
            heads = sorted({"calibration", "free", *(h for o in self.observations for h in o.heads)})
            object.__setattr__(self, "_space", space(experiment, self.vary, heads, self.tie, self.priors))
        return self.__dict__["_space"]

    def _function_takes(self, names: Sequence[str]) -> None:
        """A function says by its arguments which parameters it has."""
        try:
            known = inspect.signature(self.source).parameters  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
            return
        from qdot.errors import unknown

        for name in [*names, *self.tie]:
            if name not in list(known)[1:]:
                raise unknown("vary", name, list(known)[1:])

    def with_data(self, data: Sequence[Measured]) -> Request:
        """The same request on other measurements of the same kind."""
        return dataclasses.replace(self, observations=tuple(dataclasses.replace(o, data=d) for o, d in zip(self.observations, data, strict=True)))

    # --------------------------------------------------------------------------------------------------------- predictions

    def experiment(self, given: Mapping[str, Value]) -> Experiment:
        """The experiment with the values in place."""
        if not isinstance(self.source, Experiment):
            raise bad("experiment", "be there", "a fit of a function", "evaluate the function instead")
        return self.source.replace({n: v.value for n, v in given.items() if n.partition(".")[0] in OF_EXPERIMENT})

    def _own(self, given: Mapping[str, Value]) -> dict[str, float]:
        """Parameters of the measurements."""
        return {n: v.value for n, v in given.items() if n.partition(".")[0] not in OF_EXPERIMENT}

    def _predicted(self, e: Experiment) -> list[np.ndarray | None]:
        """What `predict` gives, None for the measurements that are left to their observables."""
        if self.predict is None:
            return [None] * len(self.observations)
        made = list(self.predict(e, self.measured))
        if len(made) != len(self.observations):
            raise bad("predict", f"return one array for each of the {len(self.observations)} measurements", len(made), "return them in the order of data")
        return [None if m is None else np.asarray(m, dtype=float) for m in made]

    def values(self, given: Mapping[str, Value]) -> list[np.ndarray]:
        """What is expected of each measurement."""
        if not isinstance(self.source, Experiment):
            numbers = {n: v.value for n, v in given.items()}
            return [np.asarray(self.source(_x(d), **numbers), dtype=float) for d in self.measured]
        e, own = self.experiment(given), self._own(given)
        made = self._predicted(e)
        predictors = [Predictor(o, self.label) for o in self.observations]
        asks = [p.asks(e, own) if m is None else [] for p, m in zip(predictors, made, strict=True)]
        flat = iter(answers.values(e, [a for some in asks for a in some]))
        return [p.values([next(flat) for _ in some], own) if m is None else m for p, m, some in zip(predictors, made, asks, strict=True)]

    def values_and_slopes(self, given: Mapping[str, Value]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Expected values (n,), and their derivatives by the varied parameters (p, n). Where everything is an observable of the experiment."""
        e, own = self.experiment(given), self._own(given)
        names = list(given)
        inner = [n for n in names if n.partition(".")[0] in OF_EXPERIMENT]
        if any(o.power_scale in names for o in self.observations) and POWER not in inner:
            inner.append(POWER)
        predictors = [Predictor(o, self.label) for o in self.observations]
        asks = [p.asks(e, own) for p in predictors]
        every = [a for some in asks for a in some]
        found, turned = iter(answers.values(e, every)), iter(answers.slopes(e, every, inner) if inner else [np.zeros((0, 1))] * len(every))
        curves = [p.curve(e, own, names) for p in predictors]
        drawn = iter(answers.values(e, [c for c in curves if c is not None]))
        by_varied = np.array([v.slopes for v in given.values()])
        made, slopes = [], []
        for p, some, c in zip(predictors, asks, curves, strict=True):
            mine, theirs = [next(found) for _ in some], [next(turned) for _ in some]
            made.append(p.values(mine, own))
            slopes.append(by_varied.T @ p.slopes(mine, theirs, None if c is None else next(drawn), inner, names, own))
        return made, slopes

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """(n,) signed roots of the shares of chi2, priors last."""
        given = self.space.expand(x)
        parts = [residuals(d, v) for d, v in zip(self.measured, self.values(given), strict=True)]
        return np.concatenate([*parts, self.space.prior_residuals(given)[0]])

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """(n, p) their derivatives."""
        given = self.space.expand(x)
        made, turned = self.values_and_slopes(given)
        parts = [residual_slopes(d, v)[:, None] * t.T for d, v, t in zip(self.measured, made, turned, strict=True)]
        return np.concatenate([*parts, self.space.prior_residuals(given)[1]])


def _x(d: Measured) -> np.ndarray:
    return d.x if isinstance(d, Series) else d.left_ns + d.bin_width_ns / 2
