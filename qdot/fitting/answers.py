"""What an experiment gives at the settings of many measurements, with derivatives: all at once where it is one small system of rates, else one by one.

An `Ask` is one quantity at one setting. Rate equations under one continuous drive are solved for all powers in one stack, and so are their exact
derivatives; everything else goes through `Experiment` and `sensitivities`, and through differences where there is no derivative.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qdot.drive import CW, Drive, Pulse
from qdot.errors import InputError
from qdot.evolve import Matrix, NoDerivative, NotUnique, dense, derivative
from qdot.experiment import Experiment
from qdot.generator import classical_moves, rate
from qdot.model import Channel
from qdot.sensitivity import Sensitivities, sensitivities
from qdot.statistics import StackedLight, stacked

Label = str | Sequence[str]
POWER = "drive.power_uW"
AT_ONCE = ("flux_per_ns", "g2_zero", "g2", "g2_integral", "pair_flux_fraction")
"""Quantities that the stack gives."""
DIFFERENCED = ("integral", "curve", "emission_profile", "flux", "count_rate")
"""Quantities without exact derivatives."""
SEEN = ("detectors.", "blinking.")
"""What light does not depend on before it is detected."""
STEP = 2e-4
"""Step of central differences where nothing exact is known, relative to the parameter."""
THROUGH_PULSE = 6
"""Panels in which a pulse is integrated over."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)


class Setting(NamedTuple):
    """How the experiment differs in one measurement: its power, other fields by dotted name, another drive."""

    power_uW: float | None = None
    changes: tuple[tuple[str, float], ...] = ()
    drive: Drive | None = None

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment at this setting."""
        changed = experiment if self.drive is None else experiment.replace(drive=self.drive)
        power = {} if self.power_uW is None else {POWER: self.power_uW}
        return changed.replace({**dict(self.changes), **power}) if self.changes or power else changed


@dataclass(frozen=True, eq=False)
class Ask:
    """One quantity at one setting. kind: a method of Experiment, "g2_integral", or "figures.NAME"; x: delays or the like; curve: for kind "curve"."""

    setting: Setting
    kind: str
    first: Label
    second: Label | None = None
    x: np.ndarray | None = None
    curve: Callable[[Experiment, np.ndarray], np.ndarray] | None = None


def values(experiment: Experiment, asks: Sequence[Ask]) -> list[np.ndarray]:
    """The answers, each (n,)."""
    found: list[np.ndarray | None] = [None] * len(asks)
    stack = _Stack.of(experiment, asks, ())
    if stack is not None:
        for i, answer in stack.values().items():
            found[i] = answer
    made: dict[Hashable, Experiment] = {}
    for i, ask in enumerate(asks):
        if found[i] is None:
            if ask.setting not in made:
                made[ask.setting] = ask.setting.of(experiment)
            found[i] = _value(made[ask.setting], ask)
    return [np.asarray(f) for f in found]


def slopes(experiment: Experiment, asks: Sequence[Ask], names: Sequence[str]) -> list[np.ndarray]:
    """Derivatives of the answers by dotted names of the experiment, each (p, n); a name among a setting's changes moves nothing there.

    By the power: at the power of the setting, whether that is the experiment's own or not.
    """
    found: list[np.ndarray | None] = [None] * len(asks)
    stack = _Stack.of(experiment, asks, names)
    if stack is not None:
        try:
            answers = stack.slopes()
            found = [answers.get(i) for i in range(len(asks))]
        except np.linalg.LinAlgError:
            pass  # rates too far apart for double precision: one by one, in extended precision
    known: dict[Hashable, Sensitivities] = {}
    for i, ask in enumerate(asks):
        if found[i] is None:
            found[i] = _slopes(experiment, ask, names, known)
    return [np.asarray(f) for f in found]


# ------------------------------------------------------------------------------------------------------------- one by one


def _value(e: Experiment, ask: Ask) -> np.ndarray:
    if ask.kind == "curve" and ask.curve is not None:
        return np.asarray(ask.curve(e, np.asarray(ask.x)), dtype=float)
    if ask.kind.startswith("figures."):
        return np.atleast_1d(_figure(e.photon_numbers(ask.first), ask.kind.partition(".")[2]))
    if ask.kind == "probabilities":
        top = int(np.max(np.asarray(ask.x)))
        return np.asarray(e.photon_numbers(ask.first, max=max(top, 2)).probabilities)[np.asarray(ask.x).astype(int)]
    if ask.kind == "side_peaks":
        m = np.abs(np.asarray(ask.x)).astype(int)
        return np.asarray(e.side_peaks(int(m.max()), ask.first).value)[m]
    if ask.kind == "integral" and ask.curve is not None:
        return integral(lambda tau: np.asarray(ask.curve(e, tau)), np.asarray(ask.x))  # type: ignore[misc]
    if ask.kind in ("emission_profile", "flux"):
        return _profile(e, ask)
    if ask.kind == "count_rate":
        return np.atleast_1d(1e-9 * e.count_rates()[str(ask.second)].registered_per_s)
    if ask.kind == "pair_flux_fraction":
        return np.atleast_1d(float(e.pair_flux_fraction()))
    if ask.kind == "flux_per_ns":
        return np.atleast_1d(float(e.flux_per_ns(ask.first)))
    if ask.kind == "g2_zero":
        return np.atleast_1d(float(e.g2_zero(ask.first, ask.second)))
    if ask.kind == "g2_integral":
        return integral(lambda tau: np.asarray(e.g2(tau, ask.first, ask.second)), np.asarray(ask.x))
    return np.asarray(e.g2(ask.x, ask.first, ask.second))


def _figure(numbers: Any, name: str) -> float:
    return float(1.0 - numbers.probabilities[0]) if name == "clicks" else float(numbers.figures()[name])


def _profile(e: Experiment, ask: Ask) -> np.ndarray:
    """Photons up to each time (of a train, any number of periods on), or the flux at it."""
    t, period = np.asarray(ask.x), e.period_ns

    def flux(at: np.ndarray) -> np.ndarray:
        inside = np.clip(at, 0.0, None) if period is None else np.mod(at, period)
        return np.where((at < 0) & (period is None), 0.0, np.asarray(e.emission_profile(inside, ask.first)))

    return flux(t) if ask.kind == "flux" else integral(flux, t, _features(e, float(t.min()), float(t.max())))


def _features(e: Experiment, first: float, last: float) -> np.ndarray:
    """Times between which the emission of a pulsed source is smooth: steps through every pulse, in all periods between two times."""
    pulses = [d for d in e.drives if isinstance(d, Pulse)]
    own = np.concatenate([[0.0], *(d.start_ns + d.length_ns * np.linspace(0.0, 1.0, THROUGH_PULSE + 1) for d in pulses)])
    if e.period_ns is None:
        return own
    periods = np.arange(np.floor(first / e.period_ns), np.floor(last / e.period_ns) + 1)
    return np.asarray(np.add.outer(periods * e.period_ns, own).ravel())


def integral(curve: Callable[[np.ndarray], np.ndarray], at: np.ndarray, marks: np.ndarray | None = None) -> np.ndarray:
    """Integral of a curve up to each of `at` (n,), from the first of them; panels between them are cut at the marks, by default at 0."""
    order = np.argsort(at, kind="stable")
    ends = at[order]
    first, last = float(ends[0]), float(ends[-1])
    marks = np.zeros(1) if marks is None else marks
    edges = np.unique(np.concatenate([ends, marks[(marks > first) & (marks < last)]]))
    low, high = edges[:-1], edges[1:]
    tau = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * NODES
    parts = (np.asarray(curve(tau.ravel())).reshape(tau.shape) @ WEIGHTS) * (high - low) / 2
    total = np.concatenate([[0.0], np.cumsum(parts)])
    found = np.empty(at.size)
    found[order] = total[np.searchsorted(edges, ends)]
    return found


def _slopes(experiment: Experiment, ask: Ask, names: Sequence[str], known: dict[Hashable, Sensitivities]) -> np.ndarray:
    replaced = {n for n, _ in ask.setting.changes}
    own = [k for k, n in enumerate(names) if n not in replaced and not (ask.setting.drive is not None and n.startswith("drive.") and n != POWER)]
    if ask.kind not in DIFFERENCED:
        own = [k for k in own if not names[k].startswith(SEEN)]
    asked = [names[k] for k in own]
    here = ask.setting.of(experiment)
    n = 1 if ask.x is None or ask.kind.startswith("figures.") else np.size(ask.x)
    found = np.zeros((len(names), n))
    if not asked:
        return found
    exact = None
    if ask.kind not in DIFFERENCED:
        try:
            key = (ask.setting, tuple(asked))
            if key not in known:
                known[key] = sensitivities(here, asked)
            exact = _exact(known[key], ask)
        except InputError:
            pass  # a parameter without a derivative
    found[own] = _differences(here, ask, asked) if exact is None else exact
    return found


def _exact(s: Sensitivities, ask: Ask) -> np.ndarray | None:
    """(p, n) derivatives, None where there are only differences."""
    if ask.kind.startswith("figures."):
        name = ask.kind.partition(".")[2]
        numbers = s.photon_numbers(ask.first)
        return (-numbers.probabilities[:, 0] if name == "clicks" else numbers.figures()[name])[:, None]
    if ask.kind == "probabilities":
        x = np.asarray(ask.x).astype(int)
        return s.photon_numbers(ask.first, max=max(int(x.max()), 2)).probabilities[:, x]
    if ask.kind == "side_peaks":
        m = np.abs(np.asarray(ask.x)).astype(int)
        return s.side_peaks(int(m.max()), ask.first)[:, m]
    if ask.kind == "pair_flux_fraction":
        return s.pair_flux_fraction()[:, None]
    if ask.kind == "flux_per_ns":
        return np.asarray(s.flux_per_ns(ask.first))[:, None]
    if ask.kind == "g2_zero":
        return s.g2_zero(ask.first, ask.second)[:, None]
    if ask.kind == "g2":
        return s.g2(ask.x, ask.first, ask.second)
    if ask.kind == "g2_integral":
        at = np.asarray(ask.x)
        return np.array([integral(lambda tau, k=k: s.g2(tau, ask.first, ask.second)[k], at) for k in range(len(s.names))])  # type: ignore[misc]
    return None


def _differences(here: Experiment, ask: Ask, names: Sequence[str]) -> np.ndarray:
    """(p, n) differences of the fourth order, one-sided where the other side is refused."""
    rows = []
    for name in names:
        at = _present(here, name)
        h = STEP * (abs(at) if at else 1.0)

        def of(k: float, name: str = name, at: float = at, h: float = h) -> np.ndarray:
            return _value(here.replace({name: at + k * h}), ask)

        try:
            rows.append((8 * (of(1) - of(-1)) - (of(2) - of(-2))) / (12 * h))
        except InputError:
            try:
                rows.append((-3 * of(0) + 4 * of(1) - of(2)) / (2 * h))
            except InputError:
                rows.append((3 * of(0) - 4 * of(-1) + of(-2)) / (2 * h))
    return np.array(rows)


def _present(e: Experiment, name: str) -> float:
    head, _, tail = name.partition(".")
    if head == "collection":
        return float(e.collection.get(tail, 1.0))
    if head == "detectors":
        who, _, field = tail.rpartition(".")
        return float(next(getattr(d, field) for d in e.detectors if who in ("", d.name)))
    if head == "blinking":
        return float(getattr(e.blinking, tail))
    return float(getattr(e.source if head == "source" else e.drives[0], tail))


# ------------------------------------------------------------------------------------------------------------ all at once


class _Parts(NamedTuple):
    """Rate equations of a source under one drive: what is constant, what its intensity multiplies, and the light in both."""

    static: np.ndarray
    driven: np.ndarray
    jumps: dict[Channel, tuple[np.ndarray, np.ndarray]]
    start: np.ndarray

    @staticmethod
    def of(experiment: Experiment) -> _Parts | None:
        """None where it is not one small system of rates."""
        if classical_moves(experiment.model) is None:
            return None
        g = rate(experiment.model)
        if not isinstance(g.silent, np.ndarray):
            return None
        laser = experiment.drives[0].name
        if {name for name, _ in g.driven} - {laser} or {name for name, _ in g.driven_jumps} - {laser}:
            return None
        off = 1.0 - np.eye(g.dimension)
        zero = np.zeros((g.dimension, g.dimension))
        channels = dict.fromkeys([*g.jumps, *(c for _, c in g.driven_jumps)])
        jumps = {c: (dense(g.jumps[c]) if c in g.jumps else zero, dense(g.driven_jumps[laser, c]) if (laser, c) in g.driven_jumps else zero) for c in channels}
        static = sum((j for j, _ in jumps.values()), dense(g.silent)) * off
        driven = sum((dense(m) for m in g.driven.values()), zero) + sum((d for _, d in jumps.values()), zero)
        return _Parts(static, driven * off, jumps, g.start)

    def entries(self) -> dict[Hashable, Matrix]:
        """All entries by name."""
        light: dict[Hashable, Matrix] = {(c, k): pair[k] for c, pair in self.jumps.items() for k in (0, 1)}
        return {"static": self.static, "driven": self.driven, **light}


@dataclass(frozen=True, eq=False)
class _Stack:
    """The asks that can be answered together: their places, the index of their power, the light at all powers."""

    experiment: Experiment
    asks: Sequence[Ask]
    places: tuple[int, ...]
    index: np.ndarray
    light: StackedLight
    names: tuple[str, ...]

    @staticmethod
    def of(experiment: Experiment, asks: Sequence[Ask], names: Sequence[str]) -> _Stack | None:
        """None where nothing can be stacked."""
        drives = experiment.drives
        if len(drives) != 1 or not isinstance(drives[0], CW) or experiment.picture == "lindblad":
            return None
        if experiment.analysis or experiment.filters:
            return None
        if getattr(experiment.source, "finer", lambda: None)() is not None or any(isinstance(v, Mapping) for v in experiment.collection.values()):
            return None
        places = [i for i, a in enumerate(asks) if a.kind in AT_ONCE and not a.setting.changes and a.setting.drive is None]
        own = drives[0].peak_intensity
        powers = [own if (p := asks[i].setting.power_uW) is None else p for i in places]
        if not places or min(powers) <= 0.0:
            return None
        base = _Parts.of(experiment)
        if base is None:
            return None
        unique, index = np.unique(powers, return_inverse=True)
        try:
            moved = [_moved(experiment, name) for name in names]
            along = [1.0 / unique if name == POWER else 0.0 for name in names]
            light = stacked(base.static, base.driven, base.jumps, moved, along, unique, base.start)
            _ = light.state
        except (NotUnique, NoDerivative, InputError, np.linalg.LinAlgError):
            return None
        return _Stack(experiment, asks, tuple(places), index, light, tuple(names))

    def _weights(self, label: Label) -> tuple[dict[Channel, float], list[dict[Channel, float]]]:
        """The light of a label, and the derivatives of its weights."""
        e = self.experiment
        light = e._light(label, None)
        lines = [set(e.model.lines_of(n.partition(".")[2])) if n.startswith("collection.") else set() for n in self.names]
        return light, [{c: 1.0 for c in light if c.line in chosen} for chosen in lines]

    def _groups(self) -> list[tuple[list[int], Ask]]:
        """Places of asks that differ in power only."""
        found: list[tuple[list[int], Ask]] = []
        for i in self.places:
            a = self.asks[i]
            for members, one in found:
                same_x = a.x is one.x or (a.x is not None and one.x is not None and np.array_equal(a.x, one.x))
                if (a.kind, a.first, a.second) == (one.kind, one.first, one.second) and same_x:
                    members.append(i)
                    break
            else:
                found.append(([i], a))
        return found

    def _of(self, members: Sequence[int]) -> tuple[StackedLight, np.ndarray]:
        """The light at the powers of these asks, and which of them each has."""
        mine = self.index[[self.places.index(i) for i in members]]
        chosen, which = np.unique(mine, return_inverse=True)
        light = self.light
        if chosen.size == light.whole.shape[0]:
            return light, which
        jumps, turned = ({c: j[..., chosen, :, :] for c, j in m.items()} for m in (light.jumps, light.moved_jumps))
        return StackedLight(light.whole[chosen], jumps, light.moved[:, chosen], turned), which

    def values(self) -> dict[int, np.ndarray]:
        """{place: answer (n,)}."""
        found: dict[int, np.ndarray] = {}
        for members, ask in self._groups():
            light, which = self._of(members)
            first = self._lit(light, ask.first)
            second = first if ask.second is None else self._lit(light, ask.second)
            if ask.kind == "flux_per_ns":
                answers = light.flux(first)[:, None]
            elif ask.kind == "pair_flux_fraction":
                answers = 2 * (light.flux(self._lit(light, "XX")) / light.flux(self._lit(light, ("XX", "X"))))[:, None]
            elif ask.kind == "g2_zero":
                answers = light.g2_zero(first, second)[:, None]
            else:
                answers = light.g2(np.asarray(ask.x), first, second, ask.kind == "g2_integral")
            found.update({i: answers[k] for i, k in zip(members, which, strict=True)})
        return found

    def slopes(self) -> dict[int, np.ndarray]:
        """{place: derivatives (p, n)}."""
        found: dict[int, np.ndarray] = {}
        for members, ask in self._groups():
            light, which = self._of(members)
            first, firsts = self._weights(ask.first)
            second, seconds = (first, firsts) if ask.second is None else self._weights(ask.second)
            if ask.kind == "flux_per_ns":
                answers = light.flux_slopes(first, firsts)[..., None]
            elif ask.kind == "pair_flux_fraction":
                (one, ones), (both, boths) = self._weights("XX"), self._weights(("XX", "X"))
                a, b = light.flux(one), light.flux(both)
                answers = 2 * (light.flux_slopes(one, ones) / b - a / b**2 * light.flux_slopes(both, boths))[..., None]
            elif ask.kind == "g2_zero":
                answers = light.g2_zero_slopes(first, second, firsts, seconds)[..., None]
            else:
                answers = light.g2_slopes(np.asarray(ask.x), first, second, firsts, seconds, ask.kind == "g2_integral")
            for i, k in zip(members, which, strict=True):
                found[i] = answers[:, k]
        return found

    def _lit(self, light: StackedLight, label: Label) -> dict[Channel, float]:
        """The light, if it is there."""
        weights = self._weights(label)[0]
        if not any(weights.values()) or not np.all(light.flux(weights) > 0.0):
            self.experiment.g2_zero(label)
        return weights


def _moved(experiment: Experiment, name: str) -> tuple[np.ndarray, np.ndarray, dict[Channel, tuple[np.ndarray, np.ndarray]]]:
    """Derivatives of the rate equations by one parameter."""
    base = _Parts.of(experiment)
    zero = np.zeros_like(base.static) if base is not None else np.zeros((0, 0))
    found: Mapping[Hashable, Matrix] = {}
    if name.startswith("source."):
        field = next((f for f in dataclasses.fields(experiment.source) if f.name == name.partition(".")[2]), None)
        if field is None or "float" not in str(field.type):
            raise NoDerivative

        def neighbour(value: float) -> dict[Hashable, Matrix] | None:
            try:
                near = _Parts.of(experiment.replace({name: value}))
            except InputError:
                return None
            return None if near is None or near.static.shape != zero.shape else near.entries()

        found = derivative(neighbour, _present(experiment, name), lambda _: False)
    elif not name.startswith(("collection.", POWER, *SEEN)):
        raise NoDerivative
    channels = {k[0] for k in found if isinstance(k, tuple)}
    light = {c: (dense(found.get((c, 0), zero)), dense(found.get((c, 1), zero))) for c in channels}
    return dense(found.get("static", zero)), dense(found.get("driven", zero)), light
