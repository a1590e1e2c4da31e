"""Sweeps: quantities of an experiment on a grid of its parameters, with labelled axes and an error bound at every point.

Rate equations under continuous drive are calculated all at once, as one stack of small systems; everything else point by point, in this process or
through an executor (a process pool, or Dask's `Client.get_executor()`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qdot.drive import CW
from qdot.errors import InputError, bad, short, unknown
from qdot.evolve import NotUnique, dense
from qdot.experiment import EPS, FLOOR, Experiment
from qdot.generator import Generator, classical_moves, rate
from qdot.model import Channel
from qdot.repeats import MARGIN
from qdot.statistics import stacked_light

if TYPE_CHECKING:
    import xarray

Asked = str | tuple[Any, ...] | Callable[[Experiment], Any]
CHUNK_NUMBERS = 2_000_000
"""How many numbers one stack of a quantity may hold."""
AT_ONCE = ("populations", "flux_per_ns", "g2", "g2_zero", "pair_flux_fraction")
"""Methods of an Experiment that are read off a whole stack of steady light."""


class Inner(NamedTuple):
    """An axis that a quantity has beside those of the sweep: its name and where its values lie."""

    name: str
    values: Sequence[Any]


@dataclass(frozen=True, eq=False)
class Sweep:
    """Quantities on a grid. `sweep["g2_zero"]` is an array with the axes of the sweep in order, then the quantity's own.

    axes: {parameter: values}; values: {quantity: array}; inner: {quantity: its own axes}; error_bounds: {quantity: array over the grid} of the
    largest |error| / max(|value|, atol), nan where a function of the user's said nothing of its error.
    """

    axes: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    inner: Mapping[str, tuple[Inner, ...]]
    error_bounds: Mapping[str, np.ndarray]

    def __getitem__(self, quantity: str) -> np.ndarray:
        if quantity not in self.values:
            raise unknown("quantity of the sweep", quantity, list(self.values))
        return self.values[quantity]

    def to_xarray(self) -> xarray.Dataset:
        """The same as an xarray Dataset (pip install xarray), error bounds as <quantity>_error_bound."""
        import xarray

        grid = list(self.axes)
        data: dict[str, Any] = {}
        coordinates: dict[str, Any] = {k: list(v) for k, v in self.axes.items()}
        for name, values in self.values.items():
            own = self.inner[name]
            data[name] = ([*grid, *(f"{name}.{i.name}" for i in own)], values)
            coordinates |= {f"{name}.{i.name}": list(i.values) for i in own}
            data[f"{name}_error_bound"] = (grid, self.error_bounds[name])
        return xarray.Dataset(data, coordinates)

    def __str__(self) -> str:
        shape = " x ".join(f"{name} ({v.size})" for name, v in self.axes.items())
        lines = [f"sweep of {shape}"]
        for name, values in self.values.items():
            bound = float(np.max(self.error_bounds[name]))
            lines.append(f"  {name:<28} {np.min(values):.6g} .. {np.max(values):.6g}, error bound {bound:.1e}")
        return "\n".join(lines)


def sweep(experiment: Experiment, over: Mapping[str, Sequence[float]], executor: Executor | None = None, **quantities: Asked) -> Sweep:
    """Quantities of an experiment for every combination of parameters.

    over: {dotted name as in Experiment.replace: values}. quantities: name = method of the experiment, with its arguments in a tuple:
    flux=("flux_per_ns", "pair"), g2=("g2", tau_ns, "X"), efficiency=("photon_numbers.pair_efficiency", "pair"), or a function of an experiment.
    executor: where points are calculated one by one, calculates several at the same time. Raises InputError as the methods do.

    >>> import qdot
    >>> cw = qdot.Experiment(qdot.emitters.DarkLoadedCascade(), qdot.drive.CW())
    >>> found = qdot.sweep(cw, {"drive.power_uW": [0.1, 1.0, 10.0]}, g2_zero=("g2_zero", "pair"), populations="populations")
    >>> found["g2_zero"].shape, found["populations"].shape
    ((3,), (3, 6))
    """
    if not isinstance(experiment, Experiment):
        raise bad("sweep experiment", "be an Experiment", short(experiment), "for example qdot.Experiment(source, drive)")
    axes = {name: _axis(name, values) for name, values in over.items()}
    if not axes or not quantities:
        raise bad(
            "sweep", "be given at least one parameter and one quantity", "none", 'for example sweep(e, {"drive.power_uW": [1, 2]}, flux=("flux_per_ns", "X"))'
        )
    asked = {name: _Question.of(name, q) for name, q in quantities.items()}
    stack = _stack(experiment, axes) if all(q.is_at_once for q in asked.values()) else None
    answers = _one_by_one(experiment, axes, asked, executor) if stack is None else _at_once(experiment, axes, asked, stack)
    shape = tuple(v.size for v in axes.values())
    values = {name: a.values.reshape(*shape, *a.values.shape[1:]) for name, a in answers.items()}
    return Sweep(axes, values, {name: a.inner for name, a in answers.items()}, {name: a.bounds.reshape(shape) for name, a in answers.items()})


def _axis(name: str, values: Sequence[float]) -> np.ndarray:
    axis = np.atleast_1d(np.asarray(values, dtype=float))
    if axis.ndim != 1 or axis.size == 0 or not np.all(np.isfinite(axis)):
        raise bad(f"sweep over {name!r}", "be a list of finite numbers", repr(values), "for example np.geomspace(0.1, 10, 20)")
    return axis


class _Answer(NamedTuple):
    """values: (points, ...); bounds: (points,); inner: the axes beside that of the points."""

    values: np.ndarray
    bounds: np.ndarray
    inner: tuple[Inner, ...]


class _Question(NamedTuple):
    """A method of Experiment, the attribute read off what it returns ("" for all of it) and its arguments; or a function of the user's."""

    method: str
    attribute: str
    args: tuple[Any, ...]
    function: Callable[[Experiment], Any] | None = None

    @staticmethod
    def of(name: str, asked: Asked) -> _Question:
        if callable(asked):
            return _Question("", "", (), asked)
        head, *args = (asked,) if isinstance(asked, str) else asked
        if not isinstance(head, str):
            raise bad(f"sweep quantity {name!r}", "begin with the name of a method", repr(head), 'for example ("g2_zero", "pair")')
        method, _, attribute = head.partition(".")
        known = [*AT_ONCE, "g3", "photon_numbers", "joint_photon_numbers", "side_peaks", "emission_profile"]
        if method not in known:
            raise unknown(f"sweep quantity {name!r}", method, known)
        return _Question(method, attribute, tuple(args))

    @property
    def is_at_once(self) -> bool:
        """True if a whole stack of steady light answers it."""
        return self.method in AT_ONCE and not self.attribute and (bool(self.args) or self.method not in ("flux_per_ns",))

    def inner(self, experiment: Experiment) -> tuple[Inner, ...]:
        """The axes of its answer."""
        if self.method == "populations":
            return (Inner("level", experiment.model.levels),)
        if self.method == "flux_per_ns" and not self.args:
            return (Inner("line", experiment.model.lines),)
        return (Inner("tau_ns", np.atleast_1d(self.args[0]).tolist()),) if self.method == "g2" else ()

    def ask(self, experiment: Experiment) -> tuple[np.ndarray, float]:
        """(values, error bound) of one experiment."""
        found = self.function(experiment) if self.function else getattr(experiment, self.method)(*self.args)
        bound = getattr(found, "error_bound", math.nan)
        if self.attribute:
            if not hasattr(found, self.attribute):
                raise unknown(f"sweep quantity {self.method}.", self.attribute, [n for n in dir(found) if not n.startswith("_")])
            bound = getattr(found, "errors", {}).get({"probabilities": "photon_numbers"}.get(self.attribute, self.attribute), bound)
            found = getattr(found, self.attribute)
        elif hasattr(found, "probabilities"):
            found = found.probabilities
        if isinstance(found, Mapping):
            bound = max((float(getattr(v, "error_bound", math.nan)) for v in found.values()), default=math.nan)
            found = list(found.values())
        return np.asarray(found, dtype=float), float(bound)


def _points(axes: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
    return [dict(zip(axes, map(float, values), strict=True)) for values in itertools.product(*axes.values())]


def _one_by_one(experiment: Experiment, axes: Mapping[str, np.ndarray], asked: Mapping[str, _Question], executor: Executor | None) -> dict[str, _Answer]:
    points = _points(axes)
    each = (executor.map if executor is not None else map)(_answer, [experiment] * len(points), points, [asked] * len(points))
    found = list(each)
    answers = {}
    for k, (name, question) in enumerate(asked.items()):
        values = np.array([f[k][0] for f in found])
        inner = question.inner(experiment)
        own = inner if len(inner) == values.ndim - 1 else tuple(Inner(f"index{i}", range(n)) for i, n in enumerate(values.shape[1:]))
        answers[name] = _Answer(values, np.array([f[k][1] for f in found]), own)
    return answers


def _answer(experiment: Experiment, point: Mapping[str, float], asked: Mapping[str, _Question]) -> list[tuple[np.ndarray, float]]:
    """Every quantity at one point, told where it fails."""
    try:
        here = experiment.replace(point)
        return [q.ask(here) for q in asked.values()]
    except InputError as e:
        raise InputError(f"at {', '.join(f'{k} = {v:g}' for k, v in point.items())}: {e}") from None


# ------------------------------------------------------------------------------------------------------------- all at once


class _Stack(NamedTuple):
    """Rate equations of every point: silent (points, n, n), jumps {channel: (points, n, n)}; generator: any of them."""

    generator: Generator
    silent: np.ndarray
    jumps: Mapping[Channel, np.ndarray]


def _stack(experiment: Experiment, axes: Mapping[str, np.ndarray]) -> _Stack | None:
    """Every point's rate equations at once, or None where it is not one small system of rates under continuous drives throughout."""
    heads = {name.partition(".")[0] for name in axes}
    if experiment.is_pulsed or experiment.picture == "lindblad" or not heads <= {"source", "drive"} or any("." not in name for name in axes):
        return None
    if experiment.drives and not all(isinstance(d, CW) for d in experiment.drives):
        return None
    of_source = {name: v for name, v in axes.items() if name.startswith("source.")}
    of_drive = {name: v for name, v in axes.items() if name.startswith("drive.")}
    generators = []
    for point in _points(of_source):
        here = experiment.replace(point)
        if getattr(here.source, "finer", lambda: None)() is not None or classical_moves(here.model) is None:
            return None
        generators.append(rate(here.model))
    first = generators[0]
    if not isinstance(first.silent, np.ndarray) or any(_shape(g) != _shape(first) for g in generators):
        return None
    drives = [[d for d in experiment.replace(point).drives if isinstance(d, CW)] for point in _points(of_drive)]
    _ = experiment.timeline  # every drive belongs to the source
    power = {d.name: np.array([one[k].peak_intensity for one in drives])[None, :, None, None] for k, d in enumerate(drives[0])}

    def of_all(matrices: Sequence[Any]) -> np.ndarray:
        return np.array([dense(m) for m in matrices])[:, None]

    silent = of_all([g.silent for g in generators])
    for name, part in first.driven:
        silent = silent + power[name] * of_all([g.driven[name, part] for g in generators])
    jumps: dict[Channel, np.ndarray] = {c: of_all([g.jumps[c] for g in generators]) for c in first.jumps}
    for name, channel in first.driven_jumps:
        jumps[channel] = jumps.get(channel, 0.0) + power[name] * of_all([g.driven_jumps[name, channel] for g in generators])
    # (source points, drive points, n, n) in the order of the axes
    sizes = [*(v.size for v in of_source.values()), *(v.size for v in of_drive.values())]
    order = [[*of_source, *of_drive].index(name) for name in axes]
    n = first.dimension

    def in_order(m: np.ndarray) -> np.ndarray:
        full = np.broadcast_to(m, (len(generators), len(drives), n, n)).reshape(*sizes, n, n)
        return full.transpose(*order, len(order), len(order) + 1).reshape(-1, n, n)

    return _Stack(first, in_order(silent), {c: in_order(j) for c, j in jumps.items()})


def _shape(g: Generator) -> tuple[Any, ...]:
    return (g.model.levels, g.model.start, tuple(g.driven), tuple(g.jumps), tuple(g.driven_jumps), tuple(g.model.groups.items()))


def _at_once(experiment: Experiment, axes: Mapping[str, np.ndarray], asked: Mapping[str, _Question], stack: _Stack) -> dict[str, _Answer]:
    """All points of one pattern together, each as given and with its last digits moved."""
    rng = np.random.default_rng(20260302)
    views = {name: experiment.view(q.method, *q.args) for name, q in asked.items()}
    most = max([stack.generator.dimension**2, *(np.size(q.args[0]) for q in asked.values() if q.method == "g2")])
    whole = sum(stack.jumps.values(), stack.silent)
    values: dict[str, np.ndarray] = {}
    bounds = {name: np.empty(whole.shape[0]) for name in asked}
    for index in _alike(whole != 0.0, max(1, CHUNK_NUMBERS // most)):
        both = [
            [m[index] * (1.0 + moved * EPS * (2.0 * rng.integers(0, 2, m[index].shape) - 1.0)) for m in (stack.silent, *stack.jumps.values())]
            for moved in (0, 1)
        ]
        silent, *jumps = (np.concatenate(pair) for pair in zip(*both, strict=True))
        try:
            light = stacked_light(stack.generator, silent, dict(zip(stack.jumps, jumps, strict=True)))
            found = {name: see(light) for name, see in views.items()}
        except (NotUnique, InputError):
            points = _points(axes)
            for k in index:  # the first that cannot be answered says so
                _answer(experiment, points[k], asked)
            raise
        for name, run in found.items():
            given, moved = run[: index.size], run[index.size :]
            values.setdefault(name, np.empty((whole.shape[0], *given.shape[1:])))[index] = given
            error = MARGIN * np.abs(moved - given) / np.maximum(np.abs(given), experiment.atol) + FLOOR
            bounds[name][index] = error.reshape(index.size, -1).max(axis=1)
    for name, bound in bounds.items():
        worst = int(np.argmax(np.where(np.isfinite(bound), bound, np.inf)))
        if not bound[worst] <= experiment.rtol:
            at = ", ".join(f"{k} = {v:g}" for k, v in _points(axes)[worst].items())
            raise bad(
                f"rtol ({name} at {at})", "be above what double precision reaches here", f"{experiment.rtol:g} for a bound of {bound[worst]:.2g}", "raise rtol"
            )
    return {name: _Answer(values[name], bounds[name], question.inner(experiment)) for name, question in asked.items()}


def _alike(patterns: np.ndarray, most: int) -> list[np.ndarray]:
    """Indices of the points of each pattern (points, n, n), at most `most` at a time."""
    flat = patterns.reshape(patterns.shape[0], -1)
    which = np.zeros(len(flat), dtype=int) if np.all(flat == flat[0]) else np.unique(flat, axis=0, return_inverse=True)[1].ravel()
    return [part for k in range(int(which.max()) + 1) for part in np.array_split(np.flatnonzero(which == k), math.ceil(np.sum(which == k) / most))]
