"""Model functions for other fitters: f(x, a, b, ...) with named arguments, as lmfit.Model and scipy.optimize.curve_fit take them.

    lmfit.Model(qdot.fitting.model_function(cw, series, ["source.spin_flip_per_ns"], label="pair"))
    scipy.optimize.curve_fit(qdot.fitting.model_function(cw, series, ["source.spin_flip_per_ns"], label="pair"), series.x, series.value, p0=[1e-4])

A dot in a name becomes an underscore: `source_spin_flip_per_ns`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qdot.data import Histogram, Measured, Series
from qdot.errors import bad, short
from qdot.experiment import Experiment
from qdot.fitting.answers import Label
from qdot.fitting.observables import Observation
from qdot.fitting.request import Request

Model = Callable[..., np.ndarray]


def model_function(
    experiment: Experiment | Request, data: Measured | Observation | None = None, names: Sequence[str] | Mapping[str, Any] = (), label: Label | None = None
) -> Model:
    """f(x, *parameters) -> what is expected of the measurement at x: powers, delays, or the centres of a histogram's bins.

    data: the measurement, which says what is seen; names: parameters in the order of the arguments (or `vary` of a fit). A click fraction is a
    number of clicks where x holds the settings of the data, as its values are. Beyond the declared bounds of a parameter f stays as it is at the bound.
    """
    if isinstance(experiment, Request):
        request = experiment
    else:
        start = dict(names) if isinstance(names, Mapping) else {n: _present(experiment, n) for n in names}
        request = Request.of(experiment, [data], start, label, None, None, (), None)
    observation = request.observations[0]
    # a fitter that knows no bounds steps below 0, where a source is dark and has no correlation: it is kept just above
    lowest = [1e-9 * abs(p.start) if p.low == 0.0 else p.low for p in request.space.parameters]
    arguments = [n.replace(".", "_") for n in request.space.names]

    def f(x: Any, *values: float, **named: float) -> np.ndarray:
        given = [*values, *(named[a] for a in arguments[len(values) :])]
        at = _at(observation.data, np.atleast_1d(np.asarray(x, dtype=float)))
        one = replace(request, observations=(replace(observation, data=at),))
        within = np.clip(np.array(given, dtype=float), lowest, [p.high for p in request.space.parameters])
        found = one.values(one.space.expand(within))[0]
        return found * at.trials if isinstance(at, Series) and at.trials is not None else found

    f.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ["x", *arguments]]
    )
    f.__name__ = "qdot_model"
    return f


def _present(experiment: Experiment, name: str) -> float:
    head, _, tail = name.partition(".")
    if head == "source":
        return float(getattr(experiment.source, tail, 1.0))
    if head == "drive" and experiment.drives:
        return float(getattr(experiment.drives[0], tail, None) or 1.0)
    return float(experiment.collection.get(tail, 1.0)) if head == "collection" else 1.0


def _at(d: Measured, x: np.ndarray) -> Measured:
    """The measurement with other settings and values that do not matter."""
    if isinstance(d, Histogram):
        width = d.bin_width_ns
        if x.size < 2 or np.abs(np.diff(x) - width).max() > 1e-6 * width:
            raise bad("x", f"be centres of neighbouring bins of {width:g} ns", short(x.tolist()), "give left_ns + bin_width_ns / 2")
        return replace(d, left_ns=x - width / 2, counts=np.zeros(x.size))
    if d.trials is not None:
        trials = d.trials if np.array_equal(x, d.x) else np.ones(x.size)
        return replace(d, x=x, value=np.zeros(x.size), minus=np.ones(x.size), plus=np.ones(x.size), trials=trials)
    return replace(d, x=x, value=np.zeros(x.size), minus=np.ones(x.size), plus=np.ones(x.size))
