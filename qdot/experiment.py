"""One experiment: source, drive and collection, and what it yields. The only place that chains the pipeline.

Every number comes with `error_bound`, the largest |error| / max(|value|, atol): the calculation is done a second time with other step sizes and
with every rate moved in its last digits, and once more with a third more number states in each cavity; what changes, times a margin, is the bound.
An error above `rtol` is refused: entry by entry in the rate picture, over the largest value of the curve in the Lindblad picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from qdot.drive import CW, Drive, Pulse
from qdot.errors import InputError, bad, number, unknown
from qdot.evolve import Endless, NotUnique, TooManySteps, reach
from qdot.evolve.reduction import pattern
from qdot.generator import Picture, Timeline, under
from qdot.model import Channel, Model
from qdot.results import Curve, JointPhotonNumbers, Number, PhotonNumbers
from qdot.statistics import PulsedLight, SteadyLight, pulsed_light, steady_light

T = TypeVar("T")
Label = str | Sequence[str]
EPS = float(np.finfo(float).eps)
MARGIN = 20.0
"""What the measured change is multiplied by to make a bound."""
FLOOR = 64.0 * EPS
"""Smallest bound: the round-off of the last few products and quotients, which two runs may share."""


@runtime_checkable
class Source(Protocol):
    """Anything that can say what it is made of."""

    def model(self) -> Model: ...


@dataclass(frozen=True, eq=False)
class Experiment:
    """A source under a drive, seen through a collection.

    source: an emitter of qdot.emitters or a qdot.model.Model. drive: a drive or several; pulses of one laser share its name.
    collection: {label: probability} for the stage "first_lens", or {stage: {label: probability}} for a chain, each stage after the one before.
    picture: "rate", "lindblad", or None for rate equations wherever nothing is coherent.
    Raises InputError for anything that does not fit together.
    """

    source: Any
    drive: Drive | Sequence[Drive] | None = None
    collection: Mapping[str, Any] = field(default_factory=dict)
    picture: Picture | None = None
    rtol: float = 1e-9
    atol: float = 1e-12

    def __post_init__(self) -> None:
        if not isinstance(self.source, Model) and not isinstance(self.source, Source):
            raise bad("Experiment.source", "be an emitter or a Model", type(self.source).__name__, "see `qdot emitters`")
        for d in self.drives:
            if not isinstance(d, Drive):
                raise bad("Experiment.drive", "be a drive of qdot.drive or a sequence of them", type(d).__name__, "for example qdot.drive.CW(power_uW=1.0)")
        if self.picture not in (None, "rate", "lindblad"):
            raise unknown("Experiment.picture", self.picture, ["rate", "lindblad"])
        number("rtol", self.rtol, low=0.0, open_low=True)
        number("atol", self.atol, low=0.0, open_low=True)
        if self.collection:
            self._transmission(self.stages[-1])

    # ------------------------------------------------------------------------------------------------------------ set-up

    @property
    def drives(self) -> tuple[Drive, ...]:
        """The drives as a tuple."""
        if self.drive is None:
            return ()
        return (self.drive,) if isinstance(self.drive, Drive) else tuple(self.drive)

    @cached_property
    def model(self) -> Model:
        """The source's model."""
        return self.source if isinstance(self.source, Model) else self.source.model()

    @property
    def is_pulsed(self) -> bool:
        """True if any drive is a pulse."""
        return any(isinstance(d, Pulse) for d in self.drives)

    @property
    def period_ns(self) -> float | None:
        """Repetition period of a train, else None."""
        return next((d.period_ns for d in self.drives if isinstance(d, Pulse)), None)

    @property
    def window(self) -> str:
        """What photons are counted in: part of every pulsed result."""
        if self.period_ns is not None:
            return f"one period of {self.period_ns:g} ns in the periodic steady state"
        return "all times after the start" if self.is_pulsed or not self.drives else "continuous"

    def replace(self, changes: Mapping[str, Any] | None = None, **fields: Any) -> Experiment:
        """A new experiment with fields changed: replace(drive=...), or by dotted name, replace({"source.spin_flip_per_ns": 1e-4})."""
        new: dict[str, Any] = dict(fields)
        for name, value in (changes or {}).items():
            head, _, tail = name.partition(".")
            if head not in {f.name for f in dataclasses.fields(self)}:
                raise unknown("replace", name, [f.name for f in dataclasses.fields(self)])
            if not tail:
                new[head] = value
                continue
            part = new.get(head, getattr(self, head))
            if head == "collection":
                new[head] = {**part, tail: value}
            elif head == "drive" and not isinstance(part, Drive):
                new[head] = tuple(_with(d, tail, value, head) for d in part)
            else:
                new[head] = _with(part, tail, value, head)
        return dataclasses.replace(self, **new)

    @property
    def stages(self) -> tuple[str, ...]:
        """Where light can be looked at, "emission" first."""
        if not self.collection:
            return ("emission",)
        if all(isinstance(v, Mapping) for v in self.collection.values()):
            return ("emission", *self.collection)
        return ("emission", "first_lens")

    def _transmission(self, stage: str | None) -> dict[str, float]:
        """{line: probability that its photon reaches the stage}."""
        stage = self.stages[-1] if stage is None else stage
        if stage not in self.stages:
            raise unknown("stage", stage, self.stages)
        lines = self.model.lines
        total = dict.fromkeys(lines, 1.0)
        nested = len(self.stages) > 1 and all(isinstance(v, Mapping) for v in self.collection.values())
        chain = self.collection if nested else {"first_lens": self.collection}
        for name in self.stages[1 : self.stages.index(stage) + 1]:
            seen: dict[str, str] = {}
            for label, eta in chain[name].items():
                number(f"collection {label!r}", eta, low=0.0, high=1.0)
                for line in self.model.lines_of(label, "collection"):
                    if line in seen:
                        raise bad(f"collection {label!r}", f"not name line {line!r} a second time", f"also in {seen[line]!r}", "give each line one probability")
                    seen[line] = label
                    total[line] *= float(eta)
        return total

    def _light(self, label: Label, stage: str | None, argument: str = "label") -> dict[Channel, float]:
        """{channel: weight} of a label at a stage."""
        eta = self._transmission(stage)
        lines = self.model.lines_of(label, argument)
        emitters = [*self.model.jumps, *self.model.cavities]
        channels = dict.fromkeys(Channel(e.photon, e.polarisation) for e in emitters if e.photon is not None)
        return {c: eta[c.line] for c in channels if c.line in lines}

    # ------------------------------------------------------------------------------------------------------------ errors

    @cached_property
    def timeline(self) -> Timeline:
        """The generator of the source bound to its drives."""
        return under(self.model, self.drives, self.picture)

    @cached_property
    def _variants(self) -> list[tuple[Timeline, float]]:
        """(timeline, stretch) to calculate with: as given, moved in the last digits with other steps, with larger cavities."""
        base = self.timeline
        found = [(base, 1.0), (base.jittered(EPS, np.random.default_rng(20260302)), 0.79)]
        larger = self._with_less_cut_off()
        if larger is not None:
            found.append((under(larger, self.drives, self.picture), 1.0))
        return found

    def _with_less_cut_off(self) -> Model | None:
        """The model with more number states in each cavity, or the emitter's finer one; None where no cut is felt."""
        if self.model.cavities:
            return self.model.with_more_fock() if self._fills_a_cavity(self.timeline) else None
        finer = None if isinstance(self.source, Model) else getattr(self.source, "finer", lambda: None)()
        return None if finer is None else finer.model()

    def _fills_a_cavity(self, t: Timeline) -> bool:
        if not self.model.cavities:
            return False
        return bool(np.any(reach(pattern(t.matrices()), t.generator.start != 0) & t.generator.top_fock))

    @cached_property
    def _steady(self) -> list[SteadyLight]:
        try:
            return [steady_light(t, stretch) for t, stretch in self._variants]
        except NotUnique as e:
            raise self._not_unique(e) from None

    def _not_unique(self, e: NotUnique) -> InputError:
        levels = self.timeline.generator.levels
        names = [[self.model.levels[i] for i in np.flatnonzero(levels[:, c].any(axis=1))] for c in e.classes]
        ends = (
            " or ".join("{" + ", ".join(n) + "}" for n in names) if names else "more than one state (a superposition is trapped, or a rate is too slow to tell)"
        )
        remedy = "add the missing transition, remove one branch or choose another start"
        return bad("the steady state", "be unique from the start state", f"a source that ends in {ends}", remedy)

    def _measure(self, runs: Sequence[np.ndarray], what: str, scale: float = 0.0, checked: bool = True) -> tuple[np.ndarray, float]:
        """(values, bound) of several calculations of one quantity; raises InputError where the error is above the tolerance.

        The bound is entry by entry. In the rate picture so is the tolerance; in the Lindblad picture, where entries can cancel, the tolerance
        applies to the error over the largest value of the curve, or `scale` where that is larger.
        """
        value = np.asarray(runs[0], dtype=float)
        floor = np.maximum(np.abs(value), self.atol)
        numeric = MARGIN * np.abs(runs[1] - value)
        cut = 2.0 * np.abs(runs[2] - value) if len(runs) > 2 else np.zeros_like(value)
        bound = float(np.max((numeric + cut) / floor + FLOOR, initial=0.0))
        asked = bound
        if self.timeline.generator.picture == "lindblad":
            asked = float(np.max(numeric + cut, initial=0.0) / max(float(np.max(floor, initial=0.0)), scale))
        if not np.all(np.isfinite(value)):
            raise bad(what, "be finite", "an overflow", "check rates, delays and powers: some are too large or too small to calculate with")
        if checked and not asked <= self.rtol:
            if float(np.max(cut / floor, initial=0.0)) > 0.5 * asked:
                must, got = f"be large enough for a relative error of rtol = {self.rtol:g}", f"error {asked:.2g}"
                if not self.model.cavities:
                    raise bad(f"the cut-off of {type(self.source).__name__} ({what})", must, got, "raise its largest number (max_pairs) or rtol")
                focks = ", ".join(f"{c.name!r}: {c.fock}" for c in self.model.cavities)
                raise bad(f"cavity fock ({what})", must, f"{focks}, {got}", "raise fock (each by one or more) or rtol")
            raise bad(f"rtol ({what})", "be above what double precision reaches here", f"{self.rtol:g} for an error bound of {asked:.2g}", "raise rtol")
        return value, bound

    # -------------------------------------------------------------------------------------------------------- continuous

    def _continuous(self, what: str, instead: str) -> list[SteadyLight]:
        if self.is_pulsed:
            raise bad(what, "be asked of a continuous drive", "a pulsed one", instead)
        return self._steady

    def populations(self) -> dict[str, Number]:
        """{level: population}: steady state (continuous) or at the period start, before any pulse there (train); light traced out."""
        if self.period_ns is not None:
            found = [(t.generator.model.levels, p.populations()) for (t, _), p in zip(self._variants, self._pulsed, strict=True)]
        else:
            steady = self._continuous("populations", "give the train a period_ns: after a single pulse they depend on time")
            found = [(t.generator.model.levels, s.populations()) for (t, _), s in zip(self._variants, steady, strict=True)]
        runs = [np.array([p[levels.index(name)] for name in self.model.levels]) for levels, p in found]
        values, bound = self._measure(runs, "populations")
        return {name: Number(v, bound) for name, v in zip(self.model.levels, values, strict=True)}

    @cached_property
    def _pulsed(self) -> list[PulsedLight]:
        try:
            return [pulsed_light(t, stretch) for t, stretch in self._variants]
        except NotUnique as e:
            raise self._not_unique(e) from None
        except TooManySteps:
            raise self._too_many_steps() from None

    def _too_many_steps(self) -> InputError:
        remedy = "shorten the pulse, lower the rates, or use a square or instant pulse, which need no steps"
        return bad("the pulse", f"take at most {TooManySteps.LIMIT} steps", "a product of rates (or Rabi frequency or detuning) and length beyond it", remedy)

    def flux_per_ns(self, label: Label | None = None, stage: str | None = None) -> Any:
        """Photons per ns: Number of one label, or {line: Number} of all. Continuous drive, or the time average of a train."""
        if label is None:
            return {line: self.flux_per_ns(line, stage) for line in self.model.lines}
        if self.period_ns is not None:
            light = self._light(label, stage)
            runs = [np.array([m[1] / self.period_ns]) for m in self._moments(light)]
        else:
            steady = self._continuous("flux_per_ns", "give the train a period_ns: a single pulse has a number of photons, not a flux")
            light = self._light(label, stage)
            runs = [np.array([s.flux(light)]) for s in steady]
        values, bound = self._measure(runs, f"flux of {label}")
        return Number(values[0], bound)

    def _lit(self, light: Mapping[Channel, float], label: Label) -> None:
        if not any(light.values()):
            raise bad(f"collection of {label!r}", "be > 0 for a correlation", 0, "collect some of its light")
        if not self._steady[0].flux(light) > 0.0:
            raise bad(f"label {label!r}", "emit light in the steady state", "a flux of 0", "drive the source so that it returns to the emitting level")

    def g2(self, tau_ns: Any, first: Label, second: Label | None = None) -> Curve:
        """g2(tau) for `second` (default: `first`) detected tau after `first`; continuous drive, unchanged by loss.

        tau_ns: delays in ns, negative ones exchange the labels. Several labels in a list are added.
        """
        second = first if second is None else second
        tau = _times("tau_ns", tau_ns)
        if tau.ndim != 1 or tau.size == 0 or not np.all(np.isfinite(tau)):
            raise bad("tau_ns", "be a non-empty list of finite delays in ns", tau_ns if np.size(tau_ns) < 6 else f"{np.shape(tau_ns)} values")
        steady = self._continuous("g2(tau)", "ask for side_peaks (g2[m] of the pulse train) or photon_numbers")
        a, b = self._light(first, None, "first"), self._light(second, None, "second")
        self._lit(a, first)
        self._lit(b, second)
        runs = [s.g2(tau, a, b) for s in steady]
        values, bound = self._measure(runs, f"g2 of {first} and {second}")
        return Curve("tau_ns", tau, values, bound, f"g2({_name(first)}, {_name(second)})", self.stages[-1])

    def g3(self, tau1_ns: Any, tau2_ns: Any, label: Label | tuple[Label, Label, Label]) -> Curve:
        """g3(tau1, tau2), both delays >= 0 from the first photon; label: one for all three, or (first, second, third).

        Shapes of the delays are broadcast; the curve's values have the broadcast shape.
        """
        three = tuple(label) if isinstance(label, tuple) and len(label) == 3 else (label, label, label)
        tau1, tau2 = np.broadcast_arrays(np.asarray(tau1_ns, dtype=float), np.asarray(tau2_ns, dtype=float))
        if tau1.size == 0 or not (np.all(np.isfinite(tau1)) and np.all(np.isfinite(tau2)) and np.all(tau1 >= 0) and np.all(tau2 >= 0)):
            raise bad("tau1_ns and tau2_ns", "be finite delays >= 0 in ns from the first photon", "others", "reorder the labels for a negative delay")
        steady = self._continuous("g3", "ask for photon_numbers, whose g3_zero is that of the pulses")
        lights = [self._light(one, None) for one in three]
        for light, one in zip(lights, three, strict=True):
            self._lit(light, one)
        runs = [s.g3(tau1.ravel(), tau2.ravel(), *lights) for s in steady]
        values, bound = self._measure(runs, "g3")
        return Curve("tau1_ns", tau1, values.reshape(tau1.shape), bound, f"g3({', '.join(_name(one) for one in three)})", self.stages[-1], tau2)

    def g2_zero(self, label: Label, second: Label | None = None) -> Number:
        """g2(0) under continuous drive; under pulses <n(n-1)>/<n>^2 of one label."""
        if self.is_pulsed or (not self.drives and second is None and not self.model.drives and self._decays_only()):
            numbers = self.photon_numbers(label, max=2)
            return Number(numbers.g2_zero, numbers.errors["g2_zero"])
        curve = self.g2([0.0], label, second)
        return Number(curve.value[0], curve.error_bound)

    def _decays_only(self) -> bool:
        """True if nothing drives the source in its steady state, so that only its start state's light can be meant."""
        light = self._light(self.model.lines, None) if self.model.lines else {}
        return not any(s.flux(light) > 0.0 for s in self._steady[:1])

    def pair_flux_fraction(self, first: Label = "XX", second: Label = "X", stage: str | None = None) -> Number:
        """2 flux(XX) / flux(XX + X): the share of photons that come in pairs where every XX photon is followed by an X photon."""
        steady = self._continuous("pair_flux_fraction", "ask for photon_numbers, whose photon_fraction_in_pairs is that of the pulses")
        a, b = self._light(first, stage), self._light([*_flat(first), *_flat(second)], stage)
        self._lit(b, [*_flat(first), *_flat(second)])
        values, bound = self._measure([np.array([2 * s.flux(a) / s.flux(b)]) for s in steady], "pair_flux_fraction")
        return Number(values[0], bound)

    # ------------------------------------------------------------------------------------------------------------ pulsed

    def _countable(self, what: str) -> None:
        if not self.is_pulsed and any(isinstance(d, CW) for d in self.drives):
            raise bad(what, "be asked of a pulsed drive, or of a decay without any drive", "a continuous drive", "ask for g2 and flux")

    def _run(self, compute: Callable[[PulsedLight], T], what: str) -> list[T]:
        self._countable(what)
        try:
            return [compute(p) for p in self._pulsed]
        except TooManySteps:
            raise self._too_many_steps() from None
        except Endless:
            again = "a source whose continuous part excites it again for ever"
            raise bad(
                what, "count a finite number of photons", again, "give a pulsed drive a period_ns, or ask for g2 and flux of the continuous light"
            ) from None

    def _moments(self, light: Mapping[Channel, float]) -> list[np.ndarray]:
        return self._run(lambda p: p.factorial_moments(light), "photon_numbers")

    def photon_numbers(self, label: Label, max: int = 6, stage: str | None = None) -> PhotonNumbers:
        """P(0..max) of a label and every figure read off it, at a stage (default: the last of the collection).

        Train: per period in the periodic steady state. Single pulse, or no drive at all: to infinity, from the start state.
        The moments do not depend on `max`. Raises InputError if the count diverges or the label stays dark.
        """
        top = _count(max)
        stage = self.stages[-1] if stage is None else stage
        light = self._light(label, stage)
        moments = self._moments(light)
        if not any(light.values()) or not moments[0][1] > 0.0:
            raise bad(f"label {label!r} at stage {stage!r}", "emit light under this drive", "mean photon number 0", "check drive, start state and collection")
        both = self._run(lambda p: p.distribution(light, int(np.maximum(top, 2))), "photon_numbers")
        runs, at_least = [p for p, _ in both], [q for _, q in both]
        probabilities, bound = self._measure([r[: top + 1] for r in runs], f"P(n) of {label}")
        errors = {"photon_numbers": bound}
        figures: dict[str, float] = {}

        def keep(name: str, values: Sequence[float], scale: float = 0.0, checked: bool = True) -> None:
            measured, errors[name] = self._measure([np.array([v]) for v in values], f"{name} of {label}", scale, checked)
            figures[name] = float(measured[0])

        keep("mean_photons", [m[1] for m in moments])
        keep("g2_zero", [m[2] / m[1] ** 2 for m in moments], scale=1.0)
        keep("g3_zero", [m[3] / m[1] ** 3 for m in moments], scale=1.0)
        keep("photon_fraction_in_pairs", [2 * p[2] / m[1] for p, m in zip(runs, moments, strict=True)], scale=1.0)
        keep("event_fraction_of_pairs", [p[2] / q[1] for p, q in both], scale=1.0)
        keep("pair_efficiency", [p[2] for p in runs], scale=1.0)
        keep("pair_coincidence_efficiency", [m[2] / 2 for m in moments], scale=1.0)
        if at_least[0][2] > 0.0:
            keep("pair_share_of_multiphotons", [p[2] / q[2] for p, q in both], checked=False)
        else:
            figures["pair_share_of_multiphotons"] = float("nan")
        if set(self.model.lines_of(label)) == {"XX", "X"}:
            eta = self._transmission(stage)
            keep("prepared_pair_efficiency", [m[1] * eta["XX"] * eta["X"] for m in self._moments(self._light("XX", "emission"))])
        return PhotonNumbers(
            label=_name(label),
            stage=stage,
            window=self.window,
            probabilities=probabilities,
            errors=errors,
            again=lambda other: self.photon_numbers(label, max=top, stage=other),
            **figures,
        )

    def joint_photon_numbers(self, labels: tuple[Label, Label] = ("XX", "X"), max: int = 6, stage: str | None = None) -> JointPhotonNumbers:
        """Joint P(n, m) of two labels, both up to max, per period of a train or to infinity after one pulse."""
        top = _count(max)
        if isinstance(labels, str) or len(labels) != 2:
            raise bad("labels", "name two labels", labels, 'for example ["XX", "X"]')
        stage = self.stages[-1] if stage is None else stage
        lights = [self._light(one, stage, "labels") for one in labels]
        shared = set(lights[0]) & set(lights[1])
        if shared:
            raise bad("labels", "share no line", " and ".join(_name(one) for one in labels), "count each photon once")
        runs = self._run(lambda p: p.probabilities(lights, [top, top]), "photon_numbers")
        probabilities, bound = self._measure(runs, f"P(n, m) of {labels}")
        mixed = self._run(lambda p: p.mixed_moment(lights[0], lights[1]), "photon_numbers")
        singles = [self._moments(light) for light in lights]
        means, mean_bound = self._measure([np.array([a[1], b[1]]) for a, b in zip(*singles, strict=True)], "mean_photons")
        errors = {"photon_numbers": bound, "mean_photons": mean_bound}
        cross = [nm / (a[1] * b[1]) if a[1] * b[1] > 0 else np.nan for nm, a, b in zip(mixed, *singles, strict=True)]
        value = float("nan")
        if np.isfinite(cross[0]):
            measured, errors["cross_g2_zero"] = self._measure([np.array([c]) for c in cross], "cross_g2_zero")
            value = float(measured[0])
        return JointPhotonNumbers((_name(labels[0]), _name(labels[1])), stage, self.window, probabilities, means, value, errors)

    def side_peaks(self, count: int, label: Label, stage: str | None = None) -> Curve:
        """g2[m] = <n_0 n_m>/mu^2 of a train, m = 0 .. count, with <n(n-1)>/mu^2 at m = 0; far peaks tend to 1."""
        if self.period_ns is None:
            raise bad("side_peaks", "be asked of a train", "a drive without period_ns", "add period_ns")
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise bad("side_peaks count", "be a whole number >= 0", count)
        light = self._light(label, stage)
        moments = self._moments(light)
        if not moments[0][1] > 0.0:
            raise bad(f"label {label!r}", "emit light under this drive", "mean photon number 0", "check the drive and the collection")
        runs = self._run(lambda p: p.correlations(light, count), "side_peaks")
        values, bound = self._measure([r / m[1] ** 2 for r, m in zip(runs, moments, strict=True)], "side_peaks")
        return Curve("period", np.arange(count + 1.0), values, bound, f"g2[m]({_name(label)})", stage or self.stages[-1])

    def emission_profile(self, t_ns: Any, label: Label, stage: str | None = None) -> Curve:
        """Flux in 1/ns at times t after the period start (train, 0 <= t <= period) or after t = 0 (single pulse): the decay trace."""
        t = _times("t_ns", t_ns)
        limit = np.inf if self.period_ns is None else self.period_ns
        if t.ndim != 1 or t.size == 0 or not np.all(np.isfinite(t)) or np.any(t < 0) or np.any(t > limit):
            raise bad("t_ns", f"be times in ns between 0 and {limit:g}", "others", "count them from the start of the period")
        light = self._light(label, stage)
        runs = self._run(lambda p: p.profile(light, t), "emission_profile")
        values, bound = self._measure(runs, "emission_profile")
        return Curve("t_ns", t, values, bound, f"flux({_name(label)})", stage or self.stages[-1])


def _with(part: Any, name: str, value: Any, head: str) -> Any:
    names = [f.name for f in dataclasses.fields(part)] if dataclasses.is_dataclass(part) else []
    if name not in names:
        raise unknown(f"{head}.{name}", name, names)
    return dataclasses.replace(part, **{name: value})


def _times(argument: str, given: Any) -> np.ndarray:
    try:
        return np.atleast_1d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        raise bad(argument, "be numbers in ns", repr(given), "give one delay or a list of them; labels come after") from None


def _name(label: Label) -> str:
    return label if isinstance(label, str) else " + ".join(label)


def _flat(label: Label) -> list[str]:
    return [label] if isinstance(label, str) else list(label)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise bad("photon_numbers max", "be a whole number >= 0", value)
    return int(value)
