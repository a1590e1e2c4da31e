"""An experiment whose photons are counted: populations, flux, correlations and photon numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot.errors import bad, short
from qdot.evolve import is_metzler
from qdot.experiment.setup import Label, Setup, count_of, delays_of, flat, name_of, times_of
from qdot.model import Channel
from qdot.repeats import Repeats
from qdot.results import Curve, Explanation, JointPhotonNumbers, Number, Numbers, PhotonNumbers
from qdot.statistics import Counts, PulsedLight, SteadyLight

FIGURES: Mapping[str, Callable[[Counts], float]] = {
    "mean_photons": lambda c: c.moments[1],
    "g2_zero": lambda c: c.moments[2] / c.moments[1] ** 2,
    "g3_zero": lambda c: c.moments[3] / c.moments[1] ** 3,
    "photon_fraction_in_pairs": lambda c: 2 * c.probabilities[2] / c.moments[1],
    "event_fraction_of_pairs": lambda c: c.probabilities[2] / c.at_least[1],
    "pair_efficiency": lambda c: c.probabilities[2],
    "pair_coincidence_efficiency": lambda c: c.moments[2] / 2,
    "pair_share_of_multiphotons": lambda c: c.probabilities[2] / c.at_least[2],
}
"""What is read off photon numbers."""


@dataclass(frozen=True, eq=False)
class Counted(Setup):
    """What photon counting sees, in either picture. See Experiment."""

    # -------------------------------------------------------------------------------------------------------- continuous

    def populations(self) -> Numbers:
        """{level: population}: steady state (continuous) or at the period start, before any pulse there (train); light traced out."""
        if self.period_ns is not None:
            runs = self._run(self._populations, "populations")
        else:
            instead = "give the train a period_ns: after a single pulse they depend on time"
            runs = self._continuous(self.view("populations"), "populations", instead)
        values, bound = self._measure(runs, "populations")
        when = "steady state" if self.period_ns is None else f"at the start of a period of {self.period_ns:g} ns"
        return Numbers({name: Number(v, bound) for name, v in zip(self.model.levels, values, strict=True)}, f"populations, {when}")

    def _populations(self, light: SteadyLight | PulsedLight) -> np.ndarray:
        """(..., levels) in the order of the model's levels; a finer model may have more."""
        return light.populations()[..., [light.names.index(name) for name in self.model.levels]]

    def flux_per_ns(self, label: Label | None = None, stage: str | None = None) -> Any:
        """Photons per ns: Number of one label, or {line: Number} of all. Continuous drive, or the time average of a train."""
        if label is None:
            window = "continuous" if self.period_ns is None else self.window
            head = f"flux at stage {self.stages[-1] if stage is None else stage}, {window}"
            return Numbers({line: self.flux_per_ns(line, stage) for line in self.model.lines}, head, "1/ns")
        period = self.period_ns
        runs: Repeats[Any]
        if period is not None:
            runs = self._means(self._light(label, stage)).map(lambda m: m / period)
        else:
            instead = "give the train a period_ns: a single pulse has a number of photons, not a flux"
            runs = self._continuous(self.view("flux_per_ns", label, stage), "flux_per_ns", instead)
        values, bound = self._measure(runs, f"flux of {label}")
        return Number(values[0], bound)

    def view(self, quantity: str, *args: Any) -> Callable[[SteadyLight], np.ndarray]:
        """How a method of this experiment with these arguments reads its result off a stack of steady light: (B, ...) of a stack of B.

        quantity: "populations", "flux_per_ns", "g2", "g2_zero" or "pair_flux_fraction"; everything but `populations` names its labels.
        Raises InputError for arguments that make no sense; what is returned does where the light is dark.
        """
        return _VIEWS[quantity](self, *args)

    def _view_flux(self, label: Label, stage: str | None = None) -> Callable[[SteadyLight], np.ndarray]:
        light = self._light(label, stage)
        return lambda s: s.flux(light)

    def _view_g2(self, tau_ns: Any, first: Label, second: Label | None = None) -> Callable[[SteadyLight], np.ndarray]:
        tau, second = delays_of(tau_ns), first if second is None else second
        a, b = self._light(first, None, "first"), self._light(second, None, "second")
        return lambda s: s.g2(tau, lit_by(s, a, first), lit_by(s, b, second))

    def _view_g2_zero(self, label: Label, second: Label | None = None) -> Callable[[SteadyLight], np.ndarray]:
        other = label if second is None else second
        a, b = self._light(label, None), self._light(other, None)
        return lambda s: s.g2_zero(lit_by(s, a, label), lit_by(s, b, other))

    def _view_pair_flux_fraction(self, first: Label = "XX", second: Label = "X", stage: str | None = None) -> Callable[[SteadyLight], np.ndarray]:
        both = [*flat(first), *flat(second)]
        a, b = self._light(first, stage), self._light(both, stage)
        return lambda s: 2 * s.flux(a) / s.flux(lit_by(s, b, both))

    def g2(self, tau_ns: Any, first: Label, second: Label | None = None) -> Curve:
        """g2(tau) for `second` (default: `first`) detected tau after `first`; continuous drive, unchanged by loss.

        tau_ns: delays in ns, negative ones exchange the labels. Several labels in a list are added.
        """
        second = first if second is None else second
        see, instead = self.view("g2", tau_ns, first, second), "ask for side_peaks (g2[m] of the pulse train) or photon_numbers"
        values, bound = self._measure(self._continuous(see, "g2(tau)", instead), f"g2 of {first} and {second}")
        return Curve("tau_ns", delays_of(tau_ns), values, bound, f"g2({name_of(first)}, {name_of(second)})", self.stages[-1])

    def g3(self, tau1_ns: Any, tau2_ns: Any, label: Label | tuple[Label, Label, Label]) -> Curve:
        """g3(tau1, tau2), both delays >= 0 from the first photon; label: one for all three, or (first, second, third).

        Shapes of the delays are broadcast; the curve's values have the broadcast shape.
        """
        three = tuple(label) if isinstance(label, tuple) and len(label) == 3 else (label, label, label)
        tau1, tau2 = np.broadcast_arrays(np.asarray(tau1_ns, dtype=float), np.asarray(tau2_ns, dtype=float))
        if tau1.size == 0 or not (np.all(np.isfinite(tau1)) and np.all(np.isfinite(tau2)) and np.all(tau1 >= 0) and np.all(tau2 >= 0)):
            got = f"{short(tau1_ns)} and {short(tau2_ns)}"
            raise bad("tau1_ns and tau2_ns", "be finite delays >= 0 in ns from the first photon", got, "reorder the labels for a negative delay")
        instead = "ask for photon_numbers, whose g3_zero is that of the pulses"
        if self.is_pulsed:
            raise bad("g3", "be asked of a continuous drive", "a pulsed one", instead)
        lights = [self._light(one, None) for one in three]

        def see(s: SteadyLight) -> np.ndarray:
            return s.g3(tau1.ravel(), tau2.ravel(), *(lit_by(s, light, one) for light, one in zip(lights, three, strict=True)))

        values, bound = self._measure(self._continuous(see, "g3", instead), "g3")
        return Curve("tau1_ns", tau1, values.reshape(tau1.shape), bound, f"g3({', '.join(name_of(one) for one in three)})", self.stages[-1], tau2)

    def g2_zero(self, label: Label, second: Label | None = None) -> Number:
        """g2(0) under continuous drive; under pulses <n(n-1)>/<n>^2 of one label."""
        if self.is_pulsed or (not self.drives and second is None and self._decays_only()):
            numbers = self.photon_numbers(label, max=2)
            return Number(numbers.g2_zero, numbers.errors["g2_zero"])
        values, bound = self._measure(self._continuous(self.view("g2_zero", label, second), "g2(0)", ""), f"g2(0) of {label}")
        return Number(values[0], bound)

    def pair_flux_fraction(self, first: Label = "XX", second: Label = "X", stage: str | None = None) -> Number:
        """2 flux(XX) / flux(XX + X): the share of photons that come in pairs where every XX photon is followed by an X photon."""
        instead = "ask for photon_numbers, whose photon_fraction_in_pairs is that of the pulses"
        runs = self._continuous(self.view("pair_flux_fraction", first, second, stage), "pair_flux_fraction", instead)
        values, bound = self._measure(runs, "pair_flux_fraction")
        return Number(values[0], bound)

    # ------------------------------------------------------------------------------------------------------------ report

    def explain(self) -> Explanation:
        """How this experiment is calculated: size before and after reduction, methods, cut-offs and error bounds."""
        pulsed = self.is_pulsed or (not self.drives and self._decays_only())
        light = self._pulsed("given") if pulsed else self._steady("given")
        g = self.timeline.generator
        bounds = {}
        if pulsed and self.model.lines:
            everything = self._light(self.model.lines, None)
            counts = self._run(lambda p: p.count(everything, 2), "explain")
            bounds["P(n) of all light"] = self._measure(counts.map(lambda c: c.probabilities), "P(n)", checked=False)[1]
            bounds["its mean"] = self._measure(counts.map(lambda c: c.moments[1]), "mean photons", checked=False)[1]
        elif not pulsed:
            bounds = {"populations": max(p.error_bound for p in self.populations().values())}
        if self._raised is None:
            cut = "none"
        elif not self.model.modes:
            cut = "measured by raising it"
        elif self._lower(light.keep.size):
            cut = "number states, measured by lowering them by one, two and three"
        else:
            cut = "number states, measured by raising them by a third"
        return Explanation(
            picture=g.picture,
            hilbert=g.levels.shape[1] if g.picture == "rate" else round(g.dimension**0.5),
            entries=g.dimension,
            kept=light.keep.size,
            is_positive=all(is_metzler(m) for m in self.timeline.matrices()) if g.picture == "rate" else False,
            methods=light.methods,
            cut_off=cut,
            error_bounds=bounds,
        )

    # ------------------------------------------------------------------------------------------------------------ pulsed

    def photon_numbers(self, label: Label, max: int = 6, stage: str | None = None) -> PhotonNumbers:
        """P(0..max) of a label and every figure read off it, at a stage (default: the last of the collection).

        Train: per period in the periodic steady state. Single pulse, or no drive at all: to infinity, from the start state.
        The moments do not depend on `max`. Raises InputError if the count diverges or the label stays dark.
        """
        top = count_of(max)
        stage = self.stages[-1] if stage is None else stage
        light = self._light(label, stage)
        counts = self._run(lambda p: p.count(light, int(np.maximum(top, 2))), "photon_numbers")
        if not any(light.values()) or not counts.given.moments[1] > 0.0:
            raise bad(f"label {label!r} at stage {stage!r}", "emit light under this drive", "mean photon number 0", "check drive, start state and collection")
        probabilities, bound = self._measure(counts.map(lambda c: c.probabilities[: top + 1]), f"P(n) of {label}")
        names = [name for name in FIGURES if name != "pair_share_of_multiphotons" or counts.given.at_least[2] > 0.0]
        scale = np.array([0.0 if name == "mean_photons" else 1.0 for name in names])
        read = counts.map(lambda c: np.array([FIGURES[name](c) for name in names]))
        of_label = [f"{name} of {label}" for name in names]
        values, found = self._measure_each(read, of_label, scale, np.array([name != "pair_share_of_multiphotons" for name in names]))
        figures = dict.fromkeys(FIGURES, float("nan")) | dict(zip(names, values.tolist(), strict=True))
        bounds = {"photon_numbers": bound, **dict(zip(names, found.tolist(), strict=True))}
        if self._lines(label) == {"XX", "X"} and ":" not in name_of(label):
            eta = self._transmission(stage)
            prepared = self._means(self._light("XX", "emission")).map(lambda m: m * eta["XX"] * eta["X"])
            measured, bounds["prepared_pair_efficiency"] = self._measure(prepared, f"prepared_pair_efficiency of {label}")
            figures["prepared_pair_efficiency"] = float(measured[0])
        return PhotonNumbers(
            label=name_of(label),
            stage=stage,
            window=self.window,
            probabilities=probabilities,
            errors=bounds,
            again=lambda other: self.photon_numbers(label, max=top, stage=other),
            **figures,
        )

    def joint_photon_numbers(self, labels: tuple[Label, Label] = ("XX", "X"), max: int = 6, stage: str | None = None) -> JointPhotonNumbers:
        """Joint P(n, m) of two labels, both up to max, per period of a train or to infinity after one pulse."""
        top = count_of(max)
        if isinstance(labels, str) or len(labels) != 2:
            raise bad("labels", "name two labels", labels, 'for example ["XX", "X"]')
        stage = self.stages[-1] if stage is None else stage
        lights = [self._light(one, stage, "labels") for one in labels]
        shared = set(lights[0]) & set(lights[1])
        if shared:
            raise bad("labels", "share no line", " and ".join(name_of(one) for one in labels), "count each photon once")
        runs = self._run(lambda p: p.joint(lights, [top, top]), "photon_numbers")
        probabilities, bound = self._measure(runs, f"P(n, m) of {labels}")
        moments = self._run(lambda p: p.moments(lights, [1, 1]), "photon_numbers")
        means, mean_bound = self._measure(moments.map(lambda m: np.array([m[1, 0], m[0, 1]])), "mean_photons")
        bounds = {"photon_numbers": bound, "mean_photons": mean_bound}
        value = float("nan")
        if means.all():
            measured, bounds["cross_g2_zero"] = self._measure(moments.map(lambda m: m[1, 1] / (m[1, 0] * m[0, 1])), "cross_g2_zero")
            value = float(measured[0])
        return JointPhotonNumbers((name_of(labels[0]), name_of(labels[1])), stage, self.window, probabilities, means, value, bounds)

    def side_peaks(self, count: int, label: Label, stage: str | None = None) -> Curve:
        """g2[m] = <n_0 n_m>/mu^2 of a train, m = 0 .. count, with <n(n-1)>/mu^2 at m = 0; far peaks tend to 1."""
        if self.period_ns is None:
            raise bad("side_peaks", "be asked of a train", "a drive without period_ns", "add period_ns")
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise bad("side_peaks count", "be a whole number >= 0", count)
        light = self._light(label, stage)
        runs = self._run(lambda p: p.correlations(light, count), "side_peaks")
        if np.any(np.isnan(runs.given)):
            raise bad(f"label {label!r}", "emit light under this drive", "mean photon number 0", "check the drive and the collection")
        values, bound = self._measure(runs, "side_peaks")
        return Curve("period", np.arange(count + 1.0), values, bound, f"g2[m]({name_of(label)})", stage or self.stages[-1])

    def emission_profile(self, t_ns: Any, label: Label, stage: str | None = None) -> Curve:
        """Flux in 1/ns at times t after the period start (train, 0 <= t <= period) or after t = 0 (single pulse): the decay trace."""
        t = times_of("t_ns", t_ns)
        limit = np.inf if self.period_ns is None else self.period_ns
        if t.ndim != 1 or t.size == 0 or not np.all(np.isfinite(t)) or np.any(t < 0) or np.any(t > limit):
            raise bad("t_ns", f"be times in ns between 0 and {limit:g}", short(t_ns), "count them from the start of the period")
        light = self._light(label, stage)
        runs = self._run(lambda p: p.profile(light, t), "emission_profile")
        values, bound = self._measure(runs, "emission_profile")
        return Curve("t_ns", t, values, bound, f"flux({name_of(label)})", stage or self.stages[-1], unit="1/ns")


_VIEWS: Mapping[str, Callable[..., Callable[[SteadyLight], np.ndarray]]] = {
    "populations": lambda experiment: experiment._populations,
    "flux_per_ns": Counted._view_flux,
    "g2": Counted._view_g2,
    "g2_zero": Counted._view_g2_zero,
    "pair_flux_fraction": Counted._view_pair_flux_fraction,
}


def lit_by(steady: SteadyLight, light: Mapping[Channel, float], label: Label) -> Mapping[Channel, float]:
    """The light, if every source of the stack emits it."""
    if not any(light.values()):
        raise bad(f"collection of {label!r}", "be > 0 for a correlation", 0, "collect some of its light")
    if not np.all(steady.flux(light) > 0.0):
        raise bad(f"label {label!r}", "emit light in the steady state", "a flux of 0", "drive the source so that it returns to the emitting level")
    return light
