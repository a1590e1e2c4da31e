"""How results change with the parameters of source, drive and collection: exact derivatives, not differences of results.

Only the entries of the generator are differenced, to about 1e-11 of the largest; what follows from them (steady states, delays, pulses, tails)
is differentiated in the solves themselves, so that derivatives are about as accurate as the results. Cut-offs (cavity fock, max_pairs) are
kept as given. Parameters have the dotted names of `Experiment.replace`; whole numbers, switches and names have no derivative.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from qdot.drive import CW
from qdot.errors import InputError, bad
from qdot.evolve import Endless, Matrix, NoDerivative, NotUnique, TooManySteps, derivative
from qdot.experiment import Experiment, Label
from qdot.generator import Picture, Timeline, under
from qdot.model import Channel
from qdot.statistics import PulsedTangents, SteadyTangents, TangentLight, parts_of, tangent_timeline

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class PhotonNumberSlopes:
    """Derivatives of P(n) and of the figures of `photon_numbers`. `print` gives the table.

    probabilities, at_least: (names, max+1) of P(n) and of P(n or more); rest: (names,) of P(more than max), so that each row of probabilities
    and rest sums to 0; every figure: (names,), nan where the figure is.
    """

    names: tuple[str, ...]
    label: str
    stage: str
    probabilities: np.ndarray
    at_least: np.ndarray
    rest: np.ndarray
    mean_photons: np.ndarray
    g2_zero: np.ndarray
    g3_zero: np.ndarray
    photon_fraction_in_pairs: np.ndarray
    event_fraction_of_pairs: np.ndarray
    pair_share_of_multiphotons: np.ndarray
    pair_efficiency: np.ndarray
    pair_coincidence_efficiency: np.ndarray
    prepared_pair_efficiency: np.ndarray | None = None

    def figures(self) -> dict[str, np.ndarray]:
        """Derivatives of every figure by name, each (names,)."""
        first = [f.name for f in dataclasses.fields(self)].index("mean_photons")
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)[first:]}
        return {k: v for k, v in found.items() if v is not None}

    def __str__(self) -> str:
        lines = [f"derivatives of the photon numbers of {self.label} at stage {self.stage}"]
        for i, name in enumerate(self.names):
            lines.append(f"  by {name}")
            lines += [f"    P({n}){'':<26}{p:.10g}" for n, p in enumerate(self.probabilities[i])]
            lines += [f"    {figure:<28}  {value[i]:.10g}" for figure, value in self.figures().items()]
        return "\n".join(lines)


def sensitivities(experiment: Experiment, names: Sequence[str] | str) -> Sensitivities:
    """Derivatives of the results of an experiment with respect to its parameters.

    names: dotted names as in `Experiment.replace`, "source.spin_flip_per_ns", "drive.fwhm_ns", "collection.pair"; of several drives all change together.
    At a bound of a parameter (a rate of 0) derivatives are one-sided. Raises InputError for an unknown name, and for a parameter that is not a
    number that can vary.
    """
    listed = (names,) if isinstance(names, str) else tuple(names)
    if not listed:
        raise bad("sensitivities names", "name at least one parameter", "none", 'for example ["source.lifetime_X_ns"]')
    for name in listed:
        experiment = _named(experiment, name)
    return Sensitivities(experiment, listed)


def _named(experiment: Experiment, name: str) -> Experiment:
    """The experiment with a parameter that it leaves open (a label that is not in the collection) set to what it stands for."""
    head, _, tail = str(name).partition(".")
    if head == "collection" and tail:
        if any(isinstance(v, Mapping) for v in experiment.collection.values()):
            raise bad(f"sensitivities {name!r}", "belong to a collection of one stage", "a chain of stages", "give the collection as {label: probability}")
        experiment.model.lines_of(tail, f"sensitivities {name!r}")
        return experiment if tail in experiment.collection else experiment.replace({name: 1.0})
    if head in ("source", "drive") and tail:
        _value(experiment, name)
        return experiment
    if not tail and hasattr(experiment, head):
        raise bad(f"sensitivities {name!r}", "be one number, as in 'source.lifetime_X_ns'", "a whole part of the experiment", f"name a field of {head}")
    return experiment.replace({name: 0.0})  # which says what is known


def _value(experiment: Experiment, name: str) -> float:
    """The present value of a parameter that can vary."""
    head, _, tail = name.partition(".")
    if head == "collection":
        return float(experiment.collection[tail])
    parts: tuple[Any, ...] = experiment.drives if head == "drive" else (experiment.source,)
    values = []
    for part in parts:
        known = {f.name: f for f in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else {}
        if tail not in known:
            experiment.replace({name: 0.0})  # says what is known
        value = getattr(part, tail)
        whole = "float" not in str(known[tail].type) or isinstance(value, bool | str)
        if whole or not isinstance(value, int | float):
            must = "be a number that can vary" if whole else "be given as a number"
            remedy = "whole numbers, switches and names have no derivative" if whole else "set it first"
            raise bad(f"sensitivities {name!r}", must, repr(value), remedy)
        values.append(float(value))
    if not values:
        raise bad(f"sensitivities {name!r}", "belong to a drive", "an experiment without drives", "give it a drive")
    if len(set(values)) > 1:
        raise bad(f"sensitivities {name!r}", "have one value in all drives, which change together", values, "differentiate an experiment with one of them")
    return values[0]


class _Other(Exception):
    """A neighbour needs another layout: its picture, or its number of pieces."""

    def __init__(self, picture: Picture | None, like: list[int]) -> None:
        super().__init__()
        self.picture, self.like = picture, like


class _Entries(NamedTuple):
    """A timeline, the derivatives of its parts by each parameter, and neighbours that emit into more channels."""

    timeline: Timeline
    slopes: list[dict[Hashable, Matrix]]
    wider: list[Experiment]


def _layout(t: Timeline) -> list[tuple[bool, int, int]]:
    return [(s.is_instant, 0 if s.pieces_ns is None else s.pieces_ns.size, len(s.driven)) for s in t.stretches]


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """Derivatives of the results of one experiment: methods as those of `Experiment`, each with a first axis over `names`."""

    experiment: Experiment
    names: tuple[str, ...]

    # ----------------------------------------------------------------------------------------------------------- entries

    @cached_property
    def _entries(self) -> _Entries:
        e = self.experiment
        _ = e.timeline  # raises what is wrong with it
        picture, like = e.picture, [0 if s.pieces_ns is None else s.pieces_ns.size for s in under(e.model, e.drives, e.picture, []).stretches]
        for _ in range(5):
            try:
                return self._entries_with(picture, like)
            except _Other as other:
                picture, like = other.picture, other.like
        raise bad("sensitivities", "be asked where pulses keep their order", "pulses that meet", "move them apart")

    def _entries_with(self, picture: Picture | None, like: list[int]) -> _Entries:
        e = self.experiment
        base = under(e.model, e.drives, picture, like)
        layout, emitted = _layout(base), _channels(e)
        wider: list[Experiment] = []
        slopes: list[dict[Hashable, Matrix]] = []
        for name in self.names:
            if name.startswith("collection."):
                slopes.append({})
                continue
            refused: list[InputError] = []

            def neighbour(value: float, name: str = name, refused: list[InputError] = refused) -> dict[Hashable, Matrix] | None:
                try:
                    near = e.replace({name: value})
                    t = under(e.model if name.startswith("drive.") else near.model, near.drives, picture, like)
                except InputError as error:
                    refused.append(error)
                    return None
                if t.generator.picture != base.generator.picture:
                    raise _Other("lindblad", like)
                if t.generator.trace.shape != base.generator.trace.shape:
                    return None
                found = _layout(t)
                if found != layout:
                    if [f[0] for f in found] == [b[0] for b in layout] and any(f[1] > b[1] for f, b in zip(found, layout, strict=True)):
                        raise _Other(picture, [max(f[1], b[1]) for f, b in zip(found, layout, strict=True)])
                    return None
                if not wider and name.startswith("source.") and _channels(near) - emitted:
                    wider.append(near)
                return parts_of(t)

            value = _value(e, name)
            try:
                slopes.append(derivative(neighbour, value, lambda name: isinstance(name, tuple) and name[2] == "polynomials"))
            except NoDerivative:
                why = f" ({refused[-1]})" if refused else ""
                must = "be where the source changes smoothly, on one side at least"
                raise bad(f"sensitivities {name!r}", must, f"{value:g}{why}", "move it, or leave it out") from None
        return _Entries(base, slopes, wider)

    @cached_property
    def _steady(self) -> SteadyTangents:
        return SteadyTangents(tangent_timeline(self._entries.timeline, self._entries.slopes))

    @cached_property
    def _pulsed(self) -> PulsedTangents:
        return PulsedTangents(tangent_timeline(self._entries.timeline, self._entries.slopes))

    def _light(self, label: Label, stage: str | None, argument: str = "label") -> TangentLight:
        """The light of a label at a stage, with what a neighbour would add to it."""
        e = self.experiment
        weights = e._light(label, stage, argument)
        for near in self._entries.wider:
            weights = {**near._light(label, stage, argument), **weights}
        at_source = (e.stages[-1] if stage is None else stage) == "emission"
        slopes: list[dict[Channel, float]] = []
        for name in self.names:
            head, _, tail = name.partition(".")
            lines = e.model.lines_of(tail) if head == "collection" and not at_source else ()
            slopes.append({c: 1.0 for c in weights if c.line in lines})
        return TangentLight(weights, tuple(slopes))

    def _told(self, compute: Callable[[], T], plainly: Callable[[], Any]) -> T:
        """What is computed; where it cannot be, the error of the experiment's own method, or that there is no derivative."""
        try:
            return compute()
        except (Endless, NotUnique, NoDerivative, TooManySteps):
            plainly()
            must = "be of a result that changes smoothly with them"
            got = "a part of the source that is trapped, or a steady state that is not unique once a parameter moves"
            raise bad(f"sensitivities to {', '.join(self.names)}", must, got, "leave out the parameters that are at a bound, or move them") from None

    # ------------------------------------------------------------------------------------------------------- continuous

    def populations(self) -> dict[str, np.ndarray]:
        """{level: (names,)} derivatives of the steady-state populations, or of those at the period start of a train."""
        e = self.experiment
        if e.period_ns is None and e.is_pulsed:
            e.populations()
        system: SteadyTangents | PulsedTangents = self._steady if e.period_ns is None else self._pulsed
        _, slopes = self._told(system.populations, e.populations)
        names = self._entries.timeline.generator.model.levels
        return {name: slopes[:, names.index(name)] for name in e.model.levels}

    def flux_per_ns(self, label: Label | None = None, stage: str | None = None) -> Any:
        """(names,) derivatives of the flux in 1/ns of one label, or {line: (names,)} of all. Continuous drive, or the time average of a train."""
        e = self.experiment
        if label is None:
            return {line: self.flux_per_ns(line, stage) for line in e.model.lines}
        light, period = self._light(label, stage), e.period_ns
        if period is None:
            if e.is_pulsed:
                e.flux_per_ns(label, stage)
            return self._told(lambda: self._steady.flux(light), lambda: e.flux_per_ns(label, stage))[1]
        counts = self._told(lambda: self._pulsed.count(light, 1), lambda: e.flux_per_ns(label, stage))
        stretched = np.array([float(name == "drive.period_ns") for name in self.names])
        return counts.slopes.moments[:, 1] / period - stretched * counts.counts.moments[1] / period**2

    def g2(self, tau_ns: Any, first: Label, second: Label | None = None) -> np.ndarray:
        """(names, n) derivatives of g2(tau) at delays tau_ns (n,), `second` (default: `first`) detected tau after `first`; continuous drive."""
        e = self.experiment
        second = first if second is None else second
        tau = np.atleast_1d(np.asarray(tau_ns, dtype=float))
        if e.is_pulsed or tau.ndim != 1 or tau.size == 0 or not np.all(np.isfinite(tau)):
            e.g2(tau_ns, first, second)
        a, b = self._light(first, None, "first"), self._light(second, None, "second")
        self._lit(a, lambda: e.g2(tau_ns, first, second))
        self._lit(b, lambda: e.g2(tau_ns, first, second))
        return self._told(lambda: self._steady.g2(tau, a, b), lambda: e.g2(tau_ns, first, second))[1]

    def _lit(self, light: TangentLight, plainly: Callable[[], Any]) -> None:
        """Raise the experiment's own error for light that is not there."""
        if not self._told(lambda: self._steady.flux(light), plainly)[0] > 0.0:
            plainly()
            raise bad("sensitivities of a correlation", "be asked of light that is there", "a flux of 0", "drive the source")

    def g2_zero(self, label: Label, second: Label | None = None) -> np.ndarray:
        """(names,) derivatives of g2(0) under continuous drive, under pulses of <n(n-1)>/<n>^2."""
        e = self.experiment
        if e.is_pulsed or (not e.drives and second is None and not e.model.drives and e._decays_only()):
            return self.photon_numbers(label, max=2).g2_zero
        return self.g2([0.0], label, second)[:, 0]

    def pair_flux_fraction(self, first: Label = "XX", second: Label = "X", stage: str | None = None) -> np.ndarray:
        """(names,) derivatives of 2 flux(XX) / flux(XX + X); continuous drive."""
        e = self.experiment
        if e.is_pulsed:
            e.pair_flux_fraction(first, second, stage)
        both: list[str] = [*([first] if isinstance(first, str) else first), *([second] if isinstance(second, str) else second)]
        a, b = self._light(first, stage), self._light(both, stage)
        self._lit(b, lambda: e.pair_flux_fraction(first, second, stage))
        (one, ones), (all_of_it, slopes) = self._steady.flux(a), self._steady.flux(b)
        return 2.0 * _ratio(one, ones, all_of_it, slopes)

    # ----------------------------------------------------------------------------------------------------------- pulsed

    def photon_numbers(self, label: Label, max: int = 6, stage: str | None = None) -> PhotonNumberSlopes:
        """Derivatives of P(0..max) of a label and of every figure read off it, at a stage (default: the last of the collection)."""
        e = self.experiment
        stage = e.stages[-1] if stage is None else stage
        is_counted = not isinstance(max, bool) and isinstance(max, int | np.integer) and max >= 0
        if not is_counted or (not e.is_pulsed and any(isinstance(d, CW) for d in e.drives)):
            e.photon_numbers(label, max, stage)

        def plainly() -> None:
            e.photon_numbers(label, max, stage)

        light, top = self._light(label, stage), int(np.maximum(max, 2))
        counts, slopes = self._told(lambda: self._pulsed.count(light, top), plainly)
        if not any(light.weights.values()) or not counts.moments[1] > 0.0:
            plainly()
        (p, more, m), (dp, dmore, dm) = counts, (slopes.probabilities, slopes.at_least, slopes.moments)
        mean, dmean = m[1], dm[:, 1]
        several = _ratio(p[2], dp[:, 2], more[2], dmore[:, 2]) if more[2] > 0.0 else np.full(len(self.names), np.nan)
        prepared = None
        if set(e.model.lines_of(label)) == {"XX", "X"}:
            first, firsts = self._told(lambda: self._pulsed.count(self._light("XX", "emission"), 1), plainly)
            eta = e._transmission(stage)
            moved = self._light(["XX", "X"], stage).slopes
            etas = {line: np.array([next((w for c, w in s.items() if c.line == line), 0.0) for s in moved]) for line in ("XX", "X")}
            prepared = firsts.moments[:, 1] * eta["XX"] * eta["X"] + first.moments[1] * (etas["XX"] * eta["X"] + eta["XX"] * etas["X"])
        return PhotonNumberSlopes(
            names=self.names,
            label=label if isinstance(label, str) else " + ".join(label),
            stage=stage,
            probabilities=dp[:, : max + 1],
            at_least=dmore[:, : max + 1],
            rest=dmore[:, max + 1] if max < top else dmore[:, top] - dp[:, top],
            mean_photons=dmean,
            g2_zero=dm[:, 2] / mean**2 - 2.0 * m[2] / mean**3 * dmean,
            g3_zero=dm[:, 3] / mean**3 - 3.0 * m[3] / mean**4 * dmean,
            photon_fraction_in_pairs=2.0 * _ratio(p[2], dp[:, 2], mean, dmean),
            event_fraction_of_pairs=_ratio(p[2], dp[:, 2], more[1], dmore[:, 1]),
            pair_share_of_multiphotons=several,
            pair_efficiency=dp[:, 2],
            pair_coincidence_efficiency=dm[:, 2] / 2,
            prepared_pair_efficiency=prepared,
        )

    def side_peaks(self, count: int, label: Label, stage: str | None = None) -> np.ndarray:
        """(names, count+1) derivatives of g2[m] = <n_0 n_m>/mu^2 of a train, m = 0 .. count."""
        e = self.experiment
        if e.period_ns is None or isinstance(count, bool) or not isinstance(count, int) or count < 0:
            e.side_peaks(count, label, stage)
        light = self._light(label, stage)
        values, slopes = self._told(lambda: self._pulsed.correlations(light, count), lambda: e.side_peaks(count, label, stage))
        if not np.all(np.isfinite(values)):
            e.side_peaks(count, label, stage)
        return slopes


def _ratio(one: float, ones: np.ndarray, other: float, others: np.ndarray) -> np.ndarray:
    """Derivatives of one / other."""
    return np.asarray((ones - one / other * others) / other)


def _channels(experiment: Experiment) -> set[Channel]:
    """Every channel that the experiment's source emits into."""
    model = experiment.model
    return {Channel(e.photon, e.polarisation) for e in (*model.jumps, *model.cavities) if e.photon is not None}
