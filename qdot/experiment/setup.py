"""What an experiment is made of, and how each of its numbers is calculated several times to bound its error.

Every number comes with `error_bound`, the largest |error| / max(|value|, atol): the calculation is repeated with other step sizes and every rate
moved in its last digits, and with other cut-offs where there are any; what changes, times a margin, is the bound (see repeats).
An error above `rtol` is refused: entry by entry in the rate picture, over the largest value of the curve in the Lindblad picture.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from qdot import detection
from qdot.detection import Blinking, Detector
from qdot.drive import CW, Drive, Pulse
from qdot.errors import InputError, bad, number, short, unknown
from qdot.evolve import Endless, NotUnique, TooManySteps, reach
from qdot.evolve.reduction import pattern
from qdot.generator import Picture, Timeline, under
from qdot.model import Channel, Filter, Model
from qdot.polarisation import NAMED, Polarisation, polarisation
from qdot.repeats import BEYOND, Repeats, errors
from qdot.statistics import PulsedLight, SteadyLight, pulsed_light, steady_light

T = TypeVar("T")
Label = str | Sequence[str]
EPS = float(np.finfo(float).eps)
FLOOR = 64.0 * EPS
"""Smallest bound: the round-off of the last few products and quotients, which two runs may share."""
COHERENT_FLOOR = 384.0 * EPS
"""The same where entries can cancel: the two runs may come close to each other by chance, and further from the truth."""
OTHER_STEPS = 0.79
"""How much shorter the steps of the repeated calculation are."""
MIDDLING = 150
"""From this many entries on, cut-offs are lowered rather than raised to see what they change."""
LARGE = 1000
"""From this many entries on, the calculations under pulses go on at the same time on several cores."""
MOST_FOCK = 16
"""Largest number of number states that is tried where the number is left open."""
CORES = min(4, os.cpu_count() or 1)


@runtime_checkable
class Source(Protocol):
    """Anything that can say what it is made of."""

    def model(self) -> Model: ...


@dataclass(frozen=True, eq=False)
class Setup:
    """What every experiment has: source, drives, collection, calculations and their error bounds. See Experiment."""

    source: Any
    drive: Drive | Sequence[Drive] | None = None
    collection: Mapping[str, Any] = field(default_factory=dict)
    picture: Picture | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    analysis: Mapping[str, Polarisation] = field(default_factory=dict)
    filters: Sequence[Filter] = ()
    detectors: Sequence[Detector] = ()
    blinking: Blinking | None = None

    def __post_init__(self) -> None:
        if isinstance(self.source, type) or not isinstance(self.source, Model | Source):
            remedy = f"make one: {self.source.__name__}()" if isinstance(self.source, type) else "see `qdot emitters`"
            raise bad("Experiment.source", "be an emitter or a Model", _called(self.source), remedy)
        for d in _each(self.drive):
            if not isinstance(d, Drive):
                raise bad("Experiment.drive", "be a drive of qdot.drive or a sequence of them", _called(d), "for example qdot.drive.CW(power_uW=1.0)")
        for name, example in (("collection", '{"X": 0.5}'), ("analysis", '{"X": qdot.polarisation.linear(45.0)}')):
            if not isinstance(getattr(self, name), Mapping):
                raise bad(f"Experiment.{name}", "be a mapping of labels", _called(getattr(self, name)), f"for example {example}")
        for argument, given, kind, example in (
            ("filters", self.filters, Filter, 'qdot.Filter("narrow", "X", fwhm_ueV=5.0)'),
            ("detectors", self.detectors, Detector, 'qdot.detection.Detector("A", share=0.5)'),
        ):
            object.__setattr__(self, argument, tuple(_each(given)))
            for i, one in enumerate(getattr(self, argument)):
                if not isinstance(one, kind):
                    raise bad(f"Experiment.{argument}[{i}]", f"be a {kind.__name__}", _called(one), f"for example {example}")
        if self.filters:
            source: Any = self.source
            source = dataclasses.replace(source, fock=3) if getattr(source, "asks_for_fock", False) else source
            self._behind_filters(source if isinstance(source, Model) else source.model())
        if self.picture not in (None, "rate", "lindblad"):
            raise unknown("Experiment.picture", self.picture, ["rate", "lindblad"])
        number("rtol", self.rtol, low=0.0, open_low=True)
        number("atol", self.atol, low=0.0, open_low=True)
        for line in self.analysis:
            if line not in self.model.lines:
                raise unknown("Experiment.analysis (a line that the source emits)", line, self.model.lines)
            for name in (f"{line}:{c.polarisation}" for c in self._channels(line)):
                if name in self.model.lines or name in self.model.groups:
                    raise bad(f"line {name!r}", f"differ from line {line!r} in a polarisation that is told apart", "one name for both", "rename the line")
        if self.collection:
            self._transmission(self.stages[-1])
        if self.blinking is not None and not isinstance(self.blinking, Blinking):
            raise bad("Experiment.blinking", "be a Blinking", type(self.blinking).__name__, "for example qdot.detection.Blinking(on_ns=1e4, off_ns=1e3)")
        if self.detectors:
            detection.check_together(self.detectors, self._seen)

    # ------------------------------------------------------------------------------------------------------------ set-up

    @property
    def drives(self) -> tuple[Drive, ...]:
        """The drives as a tuple."""
        if self.drive is None:
            return ()
        return (self.drive,) if isinstance(self.drive, Drive) else tuple(self.drive)

    @cached_property
    def model(self) -> Model:
        """The source's model, with the filters that its light meets and as many number states as the tolerance needs where that is left open."""
        source = self._with_enough_fock() if getattr(self.source, "asks_for_fock", False) else self.source
        return self._behind_filters(source if isinstance(source, Model) else source.model())

    def _with_enough_fock(self) -> Any:
        """The source with the fewest number states from which all further ones change flux, moments and g2 by less than the tolerance."""
        before, change = np.array(np.nan), np.array(np.inf)
        for fock in range(3, MOST_FOCK + 1):
            source = dataclasses.replace(self.source, fock=fock)
            probe = dataclasses.replace(self, source=source, collection={}, rtol=1.0, analysis={}, filters=(), detectors=(), blinking=None)
            now = probe._figures_of_light()
            last, change = change, np.abs(now - before)
            fall = np.clip(change / np.where(last > 0.0, last, np.inf), 0.0, 0.9)  # what further states change adds up to change / (1 - fall)
            if np.all(BEYOND * change / (1.0 - fall) <= 0.5 * self.rtol * np.abs(now)):
                return dataclasses.replace(self.source, fock=fock - 1)
            before = now
        must = f"suffice below {MOST_FOCK} for a relative error of rtol = {self.rtol:g}"
        raise bad("the number states of the modes", must, "more", "raise rtol, or drive less")

    def _figures_of_light(self) -> np.ndarray:
        """(n,) moments, or flux and g2, of all light and of what each mode emits, without error bounds."""
        lights = [self._light(label, None) for label in (self.model.lines, *dict.fromkeys(m.photon for m in self.model.modes if m.photon is not None))]
        try:
            if self.is_pulsed or not any(isinstance(d, CW) for d in self.drives):
                return np.concatenate([self._pulsed("given").moments((light,), (3,))[1:] for light in lights])
        except NotUnique as e:
            raise self._not_unique(e) from None
        except TooManySteps:
            raise self._too_many_steps() from None
        except Endless:  # a static term drives it for ever
            pass
        steady = self._steady("given")
        fluxes = [steady.flux(light)[0] for light in lights]
        return np.array([*fluxes, *(steady.g2_zero(light, light)[0] for light, flux in zip(lights, fluxes, strict=True) if flux > 0.0)])

    def _behind_filters(self, model: Model) -> Model:
        return dataclasses.replace(model, filters=(*model.filters, *self.filters)) if self.filters else model

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

    def replace(self, changes: Mapping[str, Any] | None = None, **fields: Any) -> Self:
        """A new experiment with fields changed: replace(drive=...), or by dotted name, replace({"source.spin_flip_per_ns": 1e-4})."""
        new: dict[str, Any] = dict(fields)
        if changes is not None and not isinstance(changes, Mapping):
            raise bad("replace", "be given {dotted name: value}", _called(changes), 'for example replace({"drive.power_uW": 2.0}) or replace(rtol=1e-8)')
        known = [f.name for f in dataclasses.fields(self)]
        for name in fields:
            if name not in known:
                raise self._no_field(name, known)
        for name, value in (changes or {}).items():
            head, _, tail = name.partition(".")
            if head not in known:
                raise self._no_field(name, known)
            if not tail:
                new[head] = value
                continue
            part = new.get(head, getattr(self, head))
            if head == "collection":
                new[head] = {**part, tail: value}
            elif head == "detectors":
                new[head] = detection.replaced(part, tail, value)
            elif head == "drive" and not isinstance(part, Drive):
                new[head] = tuple(_with(d, tail, value, head) for d in part)
            else:
                new[head] = _with(part, tail, value, head)
        return dataclasses.replace(self, **new)

    def _no_field(self, name: str, known: Sequence[str]) -> InputError:
        """The error for a name that no field has; a field of the source or of a drive is reached by its dotted name."""
        parts = [("source", self.source), *(("drive", d) for d in self.drives[:1])]
        inner = [f"{head}.{f.name}" for head, part in parts if dataclasses.is_dataclass(part) for f in dataclasses.fields(part)]
        near = difflib.get_close_matches(name, [*known, *(one.partition(".")[2] for one in inner)], n=1)
        dotted = [one for one in inner if near and one.partition(".")[2] == near[0]]
        if not dotted or near[0] in known:
            return unknown("replace", name, known)
        return bad("replace", f"be one of {', '.join(map(repr, known))}, or a dotted name", repr(name), f"did you mean {{{dotted[0]!r}: ...}}?")

    def filtered(self, *filters: Filter) -> Self:
        """The same experiment with spectral filters in the light: qdot.model.Filter("narrow", "X", fwhm_ueV=5.0); what passes is the line "narrow"."""
        return dataclasses.replace(self, filters=(*self.filters, *filters))

    def analysed(self, analysis: Mapping[str, str | Polarisation] | None = None, **lines: str | Polarisation) -> Self:
        """The same experiment with lines looked at in another basis than H and V: analysed(XX="D", X="R") tells "XX:D" from "XX:A", and "X:R" from "X:L".

        Jones vectors: qdot.polarisation.Polarisation, linear, analyser. The dynamics stay; the Lindblad picture is needed.
        """
        asked = {line: polarisation(p, f"analysed({line}=...)") for line, p in {**(analysis or {}), **lines}.items()}
        return dataclasses.replace(self, analysis={**self.analysis, **asked})

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
                if ":" in label:
                    must = "name a line or a group, not a polarisation: what is collected is lost alike from both"
                    raise bad(f"collection {label!r}", must, label, f'let a detector see it: qdot.detection.Detector("A", sees={label!r})')
                for line in self.model.lines_of(label, "collection"):
                    if line in seen:
                        raise bad(f"collection {label!r}", f"not name line {line!r} a second time", f"also in {seen[line]!r}", "give each line one probability")
                    seen[line] = label
                    total[line] *= float(eta)
        return total

    def _channels(self, line: str) -> tuple[Channel, ...]:
        """The channels of a line: its polarisations as the source names them, or as they are analysed."""
        if line in self.analysis:
            return tuple(Channel(line, p.name) for p in (self.analysis[line], self.analysis[line].orthogonal))
        emitters = [*self.model.jumps, *self.model.modes]
        return tuple(dict.fromkeys(Channel(line, e.polarisation) for e in emitters if e.photon == line))

    def _split(self, label: str) -> tuple[str, str]:
        """(line or group, polarisation or "") of one label."""
        if label in self.model.lines or label in self.model.groups:
            return label, ""
        name, _, polarisation = label.rpartition(":")
        return (name, polarisation) if name else (label, "")

    def _seen(self, detector: Detector) -> dict[Channel, float]:
        """{channel of light that a detector looks at: probability that its photon reaches the last stage}."""
        return self._light(self.model.lines if detector.sees is None else detector.sees, None, f"detector {detector.name!r}: sees")

    def _lines(self, label: Label) -> set[str]:
        """The lines behind a label, whatever their polarisation."""
        return {line for one in flat(label) for line in self.model.lines_of(self._split(one)[0])}

    def channels(self, label: Label, argument: str = "label") -> tuple[Channel, ...]:
        """The channels behind a label. Raises InputError, which names the argument, if nobody emits it."""
        return tuple(self._light(label, None, argument))

    def _light(self, label: Label, stage: str | None, argument: str = "label") -> dict[Channel, float]:
        """{channel: weight} of a label at a stage: "X", "X:H" for one polarisation, a group, or several of them in a list."""
        eta = self._transmission(stage)
        found: dict[Channel, float] = {}
        for one in flat(label):
            name, polarisation = self._split(one)
            for line in self.model.lines_of(name, argument):
                channels = self._channels(line)
                chosen = [c for c in channels if not polarisation or c.polarisation == polarisation]
                if not chosen:
                    known = [f"{line}:{c.polarisation}" for c in channels if c.polarisation]
                    another = f"look at it in another basis: analysed({line}={polarisation if polarisation in NAMED else 'D'!r})"
                    remedy = another if polarisation in NAMED else f"choose one of them, or {another}"
                    remedy = remedy if known else "this line does not tell polarisations apart"
                    raise bad(
                        f"{argument} {one!r}",
                        "name a polarisation that " + (f"is told apart: {', '.join(known)}" if known else "there is"),
                        polarisation,
                        remedy,
                    )
                found |= {c: eta[line] for c in chosen}
        if not found:
            self.model.lines_of(label, argument)
        return found

    def collected(self, label: Label, stage: str | None = None) -> dict[Channel, float]:
        """{channel of light: probability that its photon reaches a stage (default: the last)}, of the channels behind a label."""
        return self._light(label, stage)

    def steady_vector(self) -> np.ndarray:
        """(d,) x of the generator in the steady state: of continuous light, or at the start of a period of a train."""
        x = np.zeros(self.timeline.generator.dimension)
        if not self.is_pulsed:
            steady = self._steady("given")
            x[steady.keep] = steady.state[0]
            return x
        if self.period_ns is None:
            raise bad("the steady state", "be asked of a train or of continuous light", "a single pulse", "give the drive a period_ns")
        try:
            train = self._pulsed("given")
        except NotUnique as e:
            raise self._not_unique(e) from None
        except TooManySteps:
            raise self._too_many_steps() from None
        x[train.keep] = train.state
        return x

    # ------------------------------------------------------------------------------------------------------------ errors

    @cached_property
    def timeline(self) -> Timeline:
        """The generator of the source bound to its drives."""
        try:
            return under(self.model, self.drives, self.picture, analysis=self.analysis)
        except TooManySteps:
            raise self._too_many_steps() from None

    @cached_property
    def _made(self) -> dict[tuple[type, str, int], Any]:
        """Reduced systems that have been made: {(kind, role, how much is cut): PulsedLight or SteadyLight}."""
        return {}

    def _cut(self, role: str, less: int) -> Timeline:
        """The timeline as given, or with another cut-off: `less` number states less in each cavity, or more (role "raised")."""
        if role != "raised" and not less:
            return self.timeline
        model = (self._raised or self.model) if role == "raised" else self.model.with_fewer_fock(less)
        return under(model, self.drives, self.picture, analysis=self.analysis)

    @cached_property
    def _raised(self) -> Model | None:
        """The model with more number states in each cavity, or the emitter's finer one; None where no cut is felt."""
        if self.model.modes:
            t = self.timeline
            is_felt = np.any(reach(pattern(t.matrices()), t.generator.start != 0) & t.generator.top_fock)
            return self.model.with_more_fock() if is_felt else None
        finer = None if isinstance(self.source, Model) else getattr(self.source, "finer", lambda: None)()
        return None if finer is None else self._behind_filters(finer.model())

    def _pulsed(self, role: str, less: int = 0) -> PulsedLight:
        """The light under pulses by one of the calculations: "given", "moved" or "raised"."""
        key = (PulsedLight, role, less)
        if key not in self._made:
            timeline, stretch = self._cut(role, less), 1.0
            if role == "moved":
                timeline, stretch = timeline.jittered(EPS, np.random.default_rng(20260302)), OTHER_STEPS
            self._made[key] = pulsed_light(timeline, stretch)
        return self._made[key]

    def _steady(self, role: str, less: int = 0) -> SteadyLight:
        """The steady light; "given": as given and moved, in one stack."""
        key = (SteadyLight, role, less)
        if key not in self._made:
            try:
                timelines = [self._cut(role, less)]
                if role == "given":
                    timelines.append(timelines[0].jittered(EPS, np.random.default_rng(20260302)))
                self._made[key] = steady_light(timelines, (1.0, OTHER_STEPS))
            except NotUnique as e:
                raise self._not_unique(e) from None
        return self._made[key]

    def _lower(self, dimension: int) -> range:
        """By how many number states each cavity is lowered to see its cut-off: where going up would cost more."""
        focks = [c.fock for c in self.model.modes]
        return range(1, 4) if dimension >= MIDDLING and focks and min(focks) >= 5 and self._raised is not None else range(0)

    def _continuous(self, compute: Callable[[SteadyLight], np.ndarray], what: str, instead: str) -> Repeats[np.ndarray]:
        """One quantity of the steady light by every calculation; compute gives (B, ...) of a stack of B."""
        if self.is_pulsed:
            raise bad(what, "be asked of a continuous drive", "a pulsed one", instead)
        both = compute(self._steady("given"))
        lower = tuple(compute(self._steady("lower", k))[0] for k in self._lower(self._steady("given").keep.size))
        raised = None if self._raised is None else cache(lambda: compute(self._steady("raised"))[0])
        return Repeats(both[0], both[1], lower, raised)

    def _check_counted(self, what: str) -> None:
        """Raise InputError where photons come for ever."""
        if not self.is_pulsed and any(isinstance(d, CW) for d in self.drives):
            instead = "ask for count_rates and recorded_g2" if what == "clicks" else "ask for g2 and flux"
            raise bad(what, "be asked of a pulsed drive, or of a decay without any drive", "a continuous drive", instead)

    def _run(self, compute: Callable[[PulsedLight], T], what: str) -> Repeats[T]:
        """One quantity under pulses by every calculation, on several cores where the system is large."""
        self._check_counted(what)

        def told(role: str, less: int = 0) -> T:
            try:
                return compute(self._pulsed(role, less))
            except NotUnique as e:
                raise self._not_unique(e) from None
            except TooManySteps:
                raise self._too_many_steps() from None
            except Endless:
                again = "a source whose continuous part excites it again for ever"
                remedy = "give a pulsed drive a period_ns, or ask for g2 and flux of the continuous light"
                raise bad(what, "count a finite number of photons", again, remedy) from None

        raised = None if self._raised is None else cache(lambda: told("raised"))
        try:
            dimension = self._pulsed("given").keep.size
        except (NotUnique, TooManySteps):
            dimension = 0
        roles = [("given", 0), ("moved", 0), *(("lower", k) for k in self._lower(dimension))]
        if dimension < LARGE:
            found = [told(*r) for r in roles]
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(CORES) as pool:
                found = list(pool.map(lambda r: told(*r), roles))
        return Repeats(found[0], found[1], tuple(found[2:]), raised)

    def _not_unique(self, e: NotUnique) -> InputError:
        levels = self.timeline.generator.levels
        names = [[self.model.levels[i] for i in np.flatnonzero(levels[:, c].any(axis=1))] for c in e.classes]
        ends = (
            " or ".join("{" + ", ".join(n) + "}" for n in names) if names else "more than one state (a superposition is trapped, or a rate is too slow to tell)"
        )
        remedy = "add the missing transition, remove one branch or choose another start"
        kept = ", each of which keeps the population that it once has" if names else ""
        return bad("the steady state", "be unique from the start state", f"a source that ends in {ends}{kept}", remedy)

    def _measure(self, runs: Repeats[Any], what: str, checked: bool = True, over_largest: bool = False) -> tuple[np.ndarray, float]:
        """(values, bound) of one quantity; raises InputError where the error is above the tolerance.

        The bound is entry by entry. In the rate picture so is the tolerance; in the Lindblad picture, where entries can cancel, the tolerance
        applies to the error over the largest value of the curve. over_largest: the bound is over the largest value, too.
        """
        runs = runs.map(lambda v: np.atleast_1d(np.asarray(v, dtype=float)))
        floor = np.maximum(np.abs(runs.given), self.atol)
        unit = np.full(floor.shape, floor.max(initial=0.0)) if self.timeline.generator.picture == "lindblad" else floor
        value, bounds = self._bounded(runs, unit, [what], np.full(1, checked), floor.max() if over_largest else 0.0)
        return value, float(bounds.max(initial=0.0))

    def _measure_each(self, runs: Repeats[np.ndarray], names: Sequence[str], scale: np.ndarray, checked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(values, bounds) of several figures (n,), each for itself; in the Lindblad picture relative to `scale` (n,) where they are smaller."""
        unit = np.maximum(np.abs(runs.given), self.atol)
        if self.timeline.generator.picture == "lindblad":
            unit = np.maximum(unit, scale)
        return self._bounded(runs, unit, names, checked)

    def _bounded(
        self, runs: Repeats[np.ndarray], unit: np.ndarray, names: Sequence[str], checked: np.ndarray, least_value: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """(values, bounds entry by entry), the tolerance applied to errors over `unit`; names: of each entry, or one for all.

        least_value: smaller entries count as that large in the bounds.
        """
        value = runs.given
        if not np.all(np.isfinite(value)):
            what = names[int(np.argmin(np.isfinite(value))) if len(names) > 1 else 0]
            raise bad(what, "be finite", "an overflow", "check rates, delays and powers: some are too large or too small to calculate with")
        held = np.broadcast_to(checked, value.shape)
        numeric, cut = errors(runs, lambda error: bool(np.all((error <= self.rtol * unit)[held])))
        asked = np.where(held, (numeric + cut) / unit, 0.0)
        if not np.all(asked <= self.rtol):
            worst = np.unravel_index(int(np.argmax(asked)), asked.shape)
            what, error = names[int(worst[0]) if len(names) > 1 else 0], float(asked[worst])
            if cut[worst] > 0.5 * (numeric + cut)[worst]:
                must, got = f"be large enough for a relative error of rtol = {self.rtol:g}", f"error {error:.2g}"
                if not self.model.modes:
                    raise bad(f"the cut-off of {type(self.source).__name__} ({what})", must, got, "raise its largest number (max_pairs) or rtol")
                focks = ", ".join(f"{c.name!r}: {c.fock}" for c in self.model.modes)
                raise bad(f"cavity fock ({what})", must, f"{focks}, {got}", "raise fock (each by one or more) or rtol")
            raise bad(f"rtol ({what})", "be above what double precision reaches here", f"{self.rtol:g} for an error bound of {error:.2g}", "raise rtol")
        least = COHERENT_FLOOR if self.timeline.generator.picture == "lindblad" else FLOOR
        return value, (numeric + cut) / np.maximum(np.abs(value), max(self.atol, least_value)) + least

    def _decays_only(self) -> bool:
        """True if nothing drives the source in its steady state, so that only its start state's light can be meant."""
        light = self._light(self.model.lines, None) if self.model.lines else {}
        try:
            return not self._steady("given").flux(light)[0] > 0.0
        except InputError:  # it ends in one of several states: are they all dark?
            try:
                return bool(np.isfinite(self._pulsed("given").moments((light,), (1,))[1]))
            except Endless:
                return False

    def _too_many_steps(self) -> InputError:
        remedy = "shorten the pulse, lower the rates, or use a square or instant pulse, which need no steps"
        return bad("the pulse", f"take at most {TooManySteps.LIMIT} steps", "a product of rates (or Rabi frequency or detuning) and length beyond it", remedy)

    def _means(self, light: Mapping[Channel, float]) -> Repeats[float]:
        return self._run(lambda p: float(p.moments((light,), (1,))[1]), "photon_numbers")


def _each(given: Any) -> list[Any]:
    """One thing, several, or none, as a list; whatever is no sequence is one thing."""
    return [] if given is None else list(given) if isinstance(given, list | tuple) else [given]


def _called(given: object) -> str:
    """What was given, short: a class by its name."""
    return f"the class {given.__name__}" if isinstance(given, type) else short(given)


def delays_of(tau_ns: Any) -> np.ndarray:
    tau = times_of("tau_ns", tau_ns)
    if tau.ndim != 1 or tau.size == 0 or not np.all(np.isfinite(tau)):
        raise bad("tau_ns", "be a non-empty list of finite delays in ns", short(tau_ns))
    return tau


def _with(part: Any, name: str, value: Any, head: str) -> Any:
    """A part with a field replaced, or a field of its field by a dotted name."""
    outer, _, inner = name.partition(".")
    if inner and dataclasses.is_dataclass(part) and outer in {f.name for f in dataclasses.fields(part)}:
        return _with(part, outer, _with(getattr(part, outer), inner, value, f"{head}.{outer}"), head)
    names = [f.name for f in dataclasses.fields(part)] if dataclasses.is_dataclass(part) else []
    if name not in names:
        raise unknown(f"{head}.{name}", name, names)
    return dataclasses.replace(part, **{name: value})


def times_of(argument: str, given: Any, unit: str = "ns") -> np.ndarray:
    """An array of real numbers of an argument."""
    try:
        if np.asarray(given).dtype.kind in "biufO":
            return np.atleast_1d(np.asarray(given, dtype=float))
        raise TypeError
    except (TypeError, ValueError):
        raise bad(argument, f"be numbers in {unit}", repr(given), "give one number or a list of them; labels come after") from None


def two_of(argument: str, given: Any, unit: str = "ns") -> tuple[float, float]:
    """Two numbers of an argument."""
    two = times_of(argument, given, unit)
    if two.shape != (2,) or np.any(np.isnan(two)):
        raise bad(argument, f"be two numbers in {unit}", repr(given), f"for example {argument}=(0.0, 0.05)")
    return float(two[0]), float(two[1])


def name_of(label: Label) -> str:
    return label if isinstance(label, str) else " + ".join(label)


def flat(label: Label) -> list[str]:
    """The labels of a label or a list of them. Raises InputError for anything else."""
    found = [label] if isinstance(label, str) or not isinstance(label, Iterable) else list(label)
    for one in found:
        if not isinstance(one, str):
            raise bad("label", "be a label or a list of labels", repr(label), 'for example "X" or ["XX", "X"]')
    return found


def count_of(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise bad("photon_numbers max", "be a whole number >= 0", value)
    return int(value)
