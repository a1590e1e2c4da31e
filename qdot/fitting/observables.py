"""What a measurement should show: one model function per observable, from the answers of an experiment and the parameters of the measurement.

A series: a figure against power, g2 against delay, P(n) against n, side peaks against their period, times a scale that may be a parameter. A histogram:
counts_per_bin * mean of g2(tau) (or of the decay, or of any curve) over each bin, seen through the response, plus background_per_bin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from qdot.data import Histogram, Measured, Series
from qdot.drive import Drive
from qdot.errors import bad, unknown
from qdot.experiment import Experiment
from qdot.fitting.answers import POWER, Ask, Label, Setting
from qdot.fitting.response import PER_FWHM, Response

HISTOGRAM = "histogram"
"""Head of the names of parameters that all histograms share."""
OF_HISTOGRAM = ("zero_delay_ns", "counts_per_bin", "background_per_bin", "fwhm_ns")
"""Parameters of the detection, not of the experiment, of a histogram: zero delay, counts per bin where g2 = 1, background, response."""
NUISANCES = tuple(f"{HISTOGRAM}.{n}" for n in OF_HISTOGRAM)
"""The same for all histograms; a histogram's own begin with its name instead."""
SIMPLE = ("g2_zero", "flux", "pair_flux_fraction")
"""Quantities of continuous light by the name of their column."""
Curve = Callable[[Experiment, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observation:
    """One measurement, and how the experiment shows in it.

    label: whose light (default: that of the fit); second: the other label of a cross-correlation, detected after `label`.
    at: {dotted name: value} of the experiment in this measurement; drive: another drive. quantity: what a series is, if its column does not say.
    response: of the instrument. scale: a number, or the name of a parameter, that multiplies what is predicted ("calibration.flux");
    power_scale: the name of a parameter that multiplies the power ("calibration.power"). curve: a function (experiment, tau_ns) -> values for a
    histogram of something else; integral: that over tau, where it is known better than by three points in each bin.
    detectors: names of the two that made a histogram (or of the one whose count rate a series is), with all that they do to the light.
    name: head of the names of its own parameters.
    """

    data: Measured
    label: Label | None = None
    second: Label | None = None
    at: Mapping[str, float] = field(default_factory=dict)
    drive: Drive | None = None
    quantity: str | None = None
    response: Response | None = None
    scale: float | str = 1.0
    power_scale: str | None = None
    curve: Curve | None = None
    integral: Curve | None = None
    detectors: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, Series | Histogram):
            raise bad("Observation.data", "be a Series or a Histogram", type(self.data).__name__, "read it with read_series or read_histogram")
        if "." in self.name or self.name in ("source", "drive", "collection"):
            raise bad("Observation.name", "be one word that is not source, drive or collection", repr(self.name), "for example day1")
        if self.integral is not None and self.curve is None:
            raise bad("Observation.integral", "come with its curve", "no curve", "give Observation(curve=...) too")
        for what, value in (("scale", self.scale), ("power_scale", self.power_scale)):
            if isinstance(value, str) and "." not in value:
                raise bad(f"Observation.{what}", "be the dotted name of a parameter", repr(value), "for example calibration.flux")

    @property
    def heads(self) -> set[str]:
        """Heads of the names that belong to this measurement."""
        mine = {self.name} if self.name else set()
        named = {s.partition(".")[0] for s in (self.scale, self.power_scale) if isinstance(s, str)}
        return {*mine, *named, *((HISTOGRAM,) if isinstance(self.data, Histogram) else ())}

    def parameter(self, key: str, given: Mapping[str, float]) -> str | None:
        """The name under which a parameter of this histogram varies: its own before the shared one; None if neither does."""
        return next((n for n in (f"{self.name}.{key}", f"{HISTOGRAM}.{key}") if n in given), None)


def observed(data: Sequence[Measured | Observation]) -> list[Observation]:
    """Each measurement as an observation, with the settings that its file states."""
    return [d if isinstance(d, Observation) else Observation(data=d) for d in data]


def fold(experiment: Experiment, label: Label | None, own: Label | None) -> Label:
    """The label of a measurement: its own, that of the fit, or every line together."""
    chosen = own if own is not None else label
    return list(experiment.model.lines) if chosen is None else chosen


@dataclass(frozen=True, eq=False)
class Predictor:
    """One observation bound to an experiment: what it asks, and what becomes of the answers. given: parameters of the measurement by name."""

    observation: Observation
    label: Label | None

    def _setting(self, power: float | None, given: Mapping[str, float]) -> Setting:
        o = self.observation
        stated = {**o.data.settings, **o.at}
        nominal = power if power is not None else stated.pop(POWER, None)
        stated.pop(POWER, None)
        scale = 1.0 if o.power_scale is None else given[o.power_scale]
        return Setting(None if nominal is None else nominal * scale, tuple(sorted(stated.items())), o.drive)

    def _has_power(self) -> bool:
        """True if the measurement says at what power it was made."""
        o = self.observation
        return (isinstance(o.data, Series) and o.data.x_name == "power_uW") or POWER in {**o.data.settings, **o.at}

    def asks(self, e: Experiment, given: Mapping[str, float]) -> list[Ask]:
        """What it asks of the experiment."""
        o = self.observation
        light = fold(e, self.label, o.label)
        if isinstance(o.data, Histogram):
            return [self._of_histogram(e, o.data, light, given)]
        s = o.data
        if s.x_name == "tau_ns" or s.x_name == "delay_ns":
            if self._quantity() not in ("g2", "value"):
                raise unknown(f"{s.source} column", s.name, ["g2"])
            return [Ask(self._setting(None, given), "g2", light, o.second, s.x)]
        if s.x_name in ("n", "peak"):
            return [Ask(self._setting(None, given), "probabilities" if s.x_name == "n" else "side_peaks", light, None, s.x)]
        if s.x_name == "power_uW":
            return [self._of_series(e, s, self._setting(float(p), given), light) for p in np.unique(s.x)]
        name = s.x_name if "." in s.x_name else next((f"{h}.{s.x_name}" for h in ("source", "drive") if _has(e, h, s.x_name)), None)
        if name is None:
            must = "be power_uW, tau_ns, n, peak or a field of source or drive"
            raise bad(f"{s.source} column {s.x_name!r}", must, s.x_name, "rename it, or give fit(predict=...) a function")
        base = self._setting(None, given)
        return [self._of_series(e, s, base._replace(changes=(*base.changes, (name, float(v)))), light) for v in np.unique(s.x)]

    def _quantity(self) -> str:
        o = self.observation
        return (o.quantity or (o.data.quantity if isinstance(o.data, Series) else "")).removesuffix("_per_ns")

    def _of_series(self, e: Experiment, s: Series, setting: Setting, light: Label) -> Ask:
        quantity = self._quantity()
        if quantity == "g2_zero":
            return Ask(setting, "g2_zero", light, self.observation.second)
        if quantity == "count_rate":
            if len(self.observation.detectors) != 1:
                raise bad(f"{s.source} column {s.name!r}", "come with the detector that counted", "none", 'give Observation(detectors=("A",))')
            return Ask(setting, "count_rate", light, self.observation.detectors[0])
        if quantity in SIMPLE:
            return Ask(setting, "flux_per_ns" if quantity == "flux" else quantity, light)
        if quantity == "counts":
            if self.observation.scale == 1.0:
                raise bad(f"{s.source} column {s.name!r}", "come with the counts that one photon per ns gives", "no scale", "give Observation(scale=...)")
            return Ask(setting, "figures.mean_photons" if e.is_pulsed else "flux_per_ns", light)
        if not setting.of(e).is_pulsed:
            raise unknown(f"{s.source} column", s.name, ["g2_zero", "flux_per_ns", "pair_flux_fraction", "counts"])
        if quantity == "clicks":
            return Ask(setting, "figures.clicks", light)
        figures = setting.of(e).photon_numbers(light).figures()
        if quantity not in figures:
            raise unknown(f"{s.source} column", s.name, [*SIMPLE, "clicks", "counts", *figures])
        return Ask(setting, f"figures.{quantity}", light)

    # --------------------------------------------------------------------------------------------------------- histograms

    def _of_histogram(self, e: Experiment, h: Histogram, light: Label, given: Mapping[str, float]) -> Ask:
        o = self.observation
        missing = [k for k in OF_HISTOGRAM[:2] if o.parameter(k, given) is None]
        if missing:
            must = f"hold {' and '.join(f'{o.name or HISTOGRAM}.{k}' for k in OF_HISTOGRAM[:2])} for a histogram"
            raise bad("vary", must, f"nothing of {' and '.join(missing)}", "add them with start values (or tie them to numbers), or give predict=")
        setting, grid = self._setting(None, given), self._grid(given).delays
        if len(o.detectors) == 2:
            a, b = o.detectors
            return Ask(setting, "integral", light, o.second, grid, lambda e, tau: e.recorded_g2(tau, a, b).g2)
        if o.integral is not None:
            return Ask(setting, "curve", light, o.second, grid, o.integral)
        if o.curve is not None:
            return Ask(setting, "integral", light, o.second, grid, o.curve)
        if h.axis == "time_ns":
            return Ask(setting, "emission_profile", light, None, grid)
        if e.is_pulsed if o.drive is None else setting.of(e).is_pulsed:
            raise bad(f"{h.source}", "be a histogram under continuous light", "a pulsed drive", "give Observation(curve=...) the coincidences of a train")
        return Ask(setting, "g2_integral", light, o.second, grid)

    def _grid(self, given: Mapping[str, float]) -> _Grid:
        """Delays at which the integral of the curve is needed, and how the bins follow from it."""
        h, o = cast(Histogram, self.observation.data), self.observation
        zero = given[str(o.parameter("zero_delay_ns", given))]
        name = o.parameter("fwhm_ns", given)
        response = o.response if name is None else Response(fwhm_ns=given[name])
        edges = h.edges_ns - zero
        if response is None:
            return _Grid(edges, np.ones(1), np.zeros(1), 1, len(h))
        steps = response.steps(h.bin_width_ns)
        step = h.bin_width_ns / steps
        k, weights, moved = response.weights(step)
        # a delay seen at u was really at u - s: the grid reaches from the first edge less the largest offset to the last less the smallest
        delays = edges[0] + step * np.arange(-k[-1], len(h) * steps - k[0] + 1)
        return _Grid(delays, weights, moved, steps, len(h))

    def values(self, answers: Sequence[np.ndarray], given: Mapping[str, float]) -> np.ndarray:
        """(n,) what is expected."""
        o, scale = self.observation, self._scale(given)
        if isinstance(o.data, Histogram):
            level, below = self._levels(given)
            return scale * level / o.data.bin_width_ns * self._grid(given).bins(answers[0]) + below
        return scale * self._spread(answers)

    def _spread(self, answers: Sequence[np.ndarray]) -> np.ndarray:
        """(..., n) answers at the different settings, put where each belongs."""
        s = cast(Series, self.observation.data)
        if len(answers) == 1 and answers[0].shape[-1] == len(s):
            return answers[0]
        which = np.unique(s.x, return_inverse=True)[1]
        return np.stack([a[..., 0] for a in answers], axis=-1)[..., which]

    def _scale(self, given: Mapping[str, float]) -> float:
        scale = self.observation.scale
        return given[scale] if isinstance(scale, str) else float(scale)

    def _levels(self, given: Mapping[str, float]) -> tuple[float, float]:
        o = self.observation
        below = o.parameter("background_per_bin", given)
        return given[str(o.parameter("counts_per_bin", given))], 0.0 if below is None else given[below]

    def curve(self, e: Experiment, given: Mapping[str, float], names: Sequence[str]) -> Ask | None:
        """What it asks besides where a zero delay among `names` moves its bins: the curve itself."""
        o = self.observation
        if not isinstance(o.data, Histogram) or o.parameter("zero_delay_ns", given) not in names:
            return None
        one = self.asks(e, given)[0]
        kind = {"g2_integral": "g2", "integral": "curve", "curve": "curve", "emission_profile": "flux"}[one.kind]
        return replace(one, kind=kind, curve=one.curve if o.curve is None else o.curve)

    def slopes(
        self,
        answers: Sequence[np.ndarray],
        turned: Sequence[np.ndarray],
        curve: np.ndarray | None,
        inner: Sequence[str],
        names: Sequence[str],
        given: Mapping[str, float],
    ) -> np.ndarray:
        """(len(names), n) derivatives of `values`. turned: of the answers by `inner` (p, n); curve: that of a histogram itself at `delays`."""
        o, scale = self.observation, self._scale(given)
        values = self.values(answers, given)
        found = np.zeros((len(names), values.size))
        per_answer, level, below, grid = 1.0, 1.0, 0.0, None
        if isinstance(o.data, Histogram):
            level, below = self._levels(given)
            grid = self._grid(given)
            per_answer = scale * level / o.data.bin_width_ns
            shape = [per_answer * grid.bins(t) for t in turned]
        else:
            shape = [scale * self._spread(turned)] if turned and turned[0].size else []
        for k, name in enumerate(names):
            if name in inner and shape and not (name == POWER and self._has_power()):
                found[k] += shape[0][inner.index(name)]
            if name == o.power_scale and shape:
                found[k] += shape[0][inner.index(POWER)] * self._nominal(given)
            if name == o.scale:
                found[k] += (values - below) / scale
            if grid is not None:
                if name == o.parameter("zero_delay_ns", given) and curve is not None:
                    found[k] -= per_answer * grid.bins(curve)
                elif name == o.parameter("counts_per_bin", given):
                    found[k] += (values - below) / level
                elif name == o.parameter("background_per_bin", given):
                    found[k] += 1.0
                elif name == o.parameter("fwhm_ns", given):
                    found[k] += per_answer * grid.bins(answers[0], by_width=True)
        return found

    def _nominal(self, given: Mapping[str, float]) -> np.ndarray | float:
        """The power that the measurement states, by which the derivative along the power becomes one along its scale."""
        o = self.observation
        if isinstance(o.data, Series) and o.data.x_name == "power_uW":
            return o.data.x
        return float({**o.data.settings, **o.at}[POWER])


@dataclass(frozen=True, eq=False)
class _Grid:
    """Delays of one step, weights of the response on them and their derivatives by its width; every `steps`-th is an edge of one of n bins."""

    delays: np.ndarray
    weights: np.ndarray
    moved: np.ndarray
    steps: int
    n: int

    def bins(self, integral: np.ndarray, by_width: bool = False) -> np.ndarray:
        """(..., n) what falls into each bin, from the integral of the curve up to each delay (..., len(delays))."""
        weights = self.moved if by_width else self.weights
        if self.weights.size == 1:
            return np.diff(integral, axis=-1)
        # differences over a bin first: the integral itself is large, and its convolution would lose digits
        over = integral[..., self.steps :] - integral[..., : -self.steps]
        smeared = np.apply_along_axis(np.convolve, -1, over, weights, "valid")
        return np.asarray(smeared[..., :: self.steps][..., : self.n])


def sigma_ns(fwhm_ns: float) -> float:
    """Standard deviation of a Gaussian of this full width at half maximum."""
    return fwhm_ns * PER_FWHM


def _has(e: Experiment, head: str, name: str) -> bool:
    part: Any = e.source if head == "source" else (e.drives[0] if e.drives else None)
    return hasattr(part, name) and isinstance(getattr(part, name), int | float)
