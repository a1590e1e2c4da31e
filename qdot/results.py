"""What a calculation returns: frozen, printable, with its error bound, stage and window. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qdot.errors import bad
from qdot.polarisation import Polarisation, polarisation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Number(float):
    """A float that knows its error: error_bound is the largest |error| / max(|value|, atol)."""

    error_bound: float

    def __new__(cls, value: float, error_bound: float) -> Number:
        self = super().__new__(cls, value)
        self.error_bound = error_bound
        return self

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]
        return float(self), self.error_bound


class Numbers(dict[str, Number]):
    """Numbers by name, a dictionary that prints as a table. head: what they are and where; unit: of all of them."""

    def __init__(self, values: Mapping[str, Number], head: str = "", unit: str = "") -> None:
        super().__init__(values)
        self.head, self.unit = head, unit

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        unit = f" {self.unit}" if self.unit else ""
        return "\n".join([self.head, *(f"  {name:<{width}} = {v:.10g}{unit}, error bound {v.error_bound:.1e}" for name, v in self.items())])


@dataclass(frozen=True, eq=False)
class Curve:
    """Values on an axis: g2 against delay, side peaks against period, flux against time; complex for g1.

    argument: name of the axis with its unit; x, value: arrays of one shape; x2, argument2: second axis of g3 and of G2(t1, t2); unit: of the value.
    error_bound: largest |error| / max(|value|, atol) over the curve.
    """

    argument: str
    x: np.ndarray
    value: np.ndarray
    error_bound: float
    quantity: str
    stage: str
    x2: np.ndarray | None = None
    argument2: str = "tau2_ns"
    unit: str = ""

    @property
    def tau_ns(self) -> np.ndarray:
        """The delays in ns."""
        return self.x

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype) if copy or dtype is not None else self.value

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __str__(self) -> str:
        axes = {self.argument: self.x} if self.x2 is None else {self.argument: self.x, self.argument2: self.x2}
        heads = "".join(f"{name:>14}" for name in axes) + "  value" + (f" ({self.unit})" if self.unit else "")
        lines = [f"{self.quantity} at stage {self.stage}, error bound {self.error_bound:.1e}", heads]
        shown = zip(*(x.ravel() for x in axes.values()), self.value.ravel(), strict=True)
        body = ["".join(f"{x:14.6g}" for x in at) + f"  {v:.10g}" for *at, v in shown]
        return "\n".join(lines + (body if len(body) <= 24 else [*body[:12], f"{'...':>14}", *body[-11:]]))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve; returns the axes."""
        from qdot import plot

        return plot.curve(self, ax)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Emission spectrum of a label at a stage, energies above the frame in ueV.

    value: (n,) photons per ns and ueV of continuous light, per pulse (train: per period) and ueV under pulses, without elastic lines.
    elastic: ((energy_ueV, photons per ns), ...) of what a continuous laser scatters without broadening. photons: all light, elastic lines
    included, in the same unit without the ueV. error_bound: largest error over the largest value.
    """

    label: str
    stage: str
    window: str
    energy_ueV: np.ndarray
    value: np.ndarray
    elastic: tuple[tuple[float, float], ...]
    photons: float
    error_bound: float

    @property
    def unit(self) -> str:
        """Unit of `value`."""
        return "1/(ns ueV)" if self.window == "continuous" else "1/ueV"

    @property
    def photons_unit(self) -> str:
        """Unit of `photons` and of the elastic lines."""
        return "1/ns" if self.window == "continuous" else "per period" if "period" in self.window else "per pulse"

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype) if copy or dtype is not None else self.value

    def __str__(self) -> str:
        lines = [f"spectrum of {self.label} at stage {self.stage}, {self.window}, error bound {self.error_bound:.1e}"]
        lines += [f"  all light: {self.photons:.10g} {self.photons_unit}"] + [
            f"  elastic line at {e:.6g} ueV: {v:.10g} {self.photons_unit}" for e, v in self.elastic
        ]
        lines += [f"{'energy_ueV':>14}  value ({self.unit})"]
        body = [f"{x:14.6g}  {v:.10g}" for x, v in zip(self.energy_ueV, self.value, strict=True)]
        return "\n".join(lines + (body if len(body) <= 24 else [*body[:12], f"{'...':>14}", *body[-11:]]))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the spectrum; returns the axes."""
        from qdot import plot

        return plot.spectrum(self, ax)


class Figures:
    """What prints as a table of figures with one error bound."""

    errors: dict[str, float]

    @property
    def error_bound(self) -> float:
        """The largest of `errors`."""
        return max(self.errors.values())

    def _table(self, head: str, figures: dict[str, float]) -> str:
        lines = [f"  {name:<34}= {value:.10g}" for name, value in figures.items()]
        return "\n".join([head, *lines, f"  error bound {self.error_bound:.1e}"])


@dataclass(frozen=True, eq=False)
class Interference(Figures):
    """Two photons of one source, from two independent pulses, on a beam splitter (Hong, Ou and Mandel).

    indistinguishability: M = int int |G1(t1, t2)|^2 / mu^2, for a single-photon source the trace purity of its photon; coincidences: between the two
    outputs over mu^2, reflectivity and contrast as given; coincidences_distinguishable: the same for photons that do not interfere;
    visibility: 1 - 2 coincidences, M - g2 for an ideal splitter; relative_visibility: 1 - coincidences / coincidences_distinguishable.
    gate_ns: both photons are detected between these times, or None.
    """

    label: str
    stage: str
    window: str
    gate_ns: tuple[float, float] | None
    mean_photons: float
    g2_zero: float
    indistinguishability: float
    coincidences: float
    coincidences_distinguishable: float
    visibility: float
    relative_visibility: float
    errors: dict[str, float]

    def figures(self) -> dict[str, float]:
        """Every figure by name."""
        names = ("mean_photons", "g2_zero", "indistinguishability", "coincidences", "coincidences_distinguishable", "visibility", "relative_visibility")
        return {n: getattr(self, n) for n in names}

    def __str__(self) -> str:
        gate = "" if self.gate_ns is None else f", gate {self.gate_ns[0]:g} to {self.gate_ns[1]:g} ns"
        return self._table(f"two-photon interference of {self.label} at stage {self.stage}, {self.window}{gate}", self.figures())


@dataclass(frozen=True, eq=False)
class ArrivalTimes(Figures):
    """When the first photon comes and how long the second waits.

    mean_first_ns: mean time of the first photon after the start (train: of the period), given that one comes; mean_delay_ns: mean delay from the
    first to the second, given that both come; probabilities that at least one and two come.
    """

    label: str
    stage: str
    window: str
    probability_first: float
    probability_second: float
    mean_first_ns: float
    mean_delay_ns: float
    errors: dict[str, float]

    def figures(self) -> dict[str, float]:
        """Every figure by name."""
        return {n: getattr(self, n) for n in ("probability_first", "probability_second", "mean_first_ns", "mean_delay_ns")}

    def __str__(self) -> str:
        return self._table(f"arrival times of {self.label} at stage {self.stage}, {self.window}", self.figures())


@dataclass(frozen=True, eq=False)
class TwoPhotonState(Figures):
    """Polarisation of two photons: density matrix (4, 4) on HH, HV, VH, VV, the first letter being that of the first label.

    stokes: (4, 4) tensor of coincidences, of H + V, H - V, D - A, R - L; its first entry is `pairs`, coincidences per pulse, or per ns under
    continuous light. delay_ns: second photon after the first, None: any delay.
    fidelity: with (HH + VV)/root 2; best_fidelity: with the closest maximally entangled state. errors: of the Stokes tensor, over its first entry.
    """

    first: str
    second: str
    stage: str
    window: str
    delay_ns: tuple[float, float] | None
    density_matrix: np.ndarray
    stokes: np.ndarray
    pairs: float
    concurrence: float
    fidelity: float
    best_fidelity: float
    purity: float
    errors: dict[str, float]

    def fidelity_with(self, state: Any) -> float:
        """<state| rho |state> for a ket (4,) on HH, HV, VH, VV, normalised here."""
        ket = np.asarray(state, dtype=complex)
        if ket.shape != (4,) or not np.linalg.norm(ket) > 0.0:
            raise bad("fidelity_with state", "be a ket of four amplitudes on HH, HV, VH, VV", f"shape {ket.shape}")
        ket = ket / np.linalg.norm(ket)
        return float((ket.conj() @ self.density_matrix @ ket).real)

    def coincidences(self, first: str | Polarisation, second: str | Polarisation) -> float:
        """Coincidences of the first photon in one polarisation and the second in another, in the unit of `pairs`."""
        ket = np.kron(polarisation(first, "first").jones, polarisation(second, "second").jones)
        return float(self.pairs * (ket.conj() @ self.density_matrix @ ket).real)

    def settings(self, count: int = 36) -> dict[tuple[str, str], float]:
        """{(first, second): coincidences} of the 36 settings of H, V, D, A, R, L, or of the 16 of H, V, D, R."""
        names = {36: "HVDARL", 16: "HVDR"}.get(count)
        if names is None:
            raise bad("settings count", "be 36 or 16", count)
        return {(a, b): self.coincidences(a, b) for a in names for b in names}

    def figures(self) -> dict[str, float]:
        """Every figure by name."""
        return {n: getattr(self, n) for n in ("pairs", "concurrence", "fidelity", "best_fidelity", "purity")}

    def __str__(self) -> str:
        delay = "any delay" if self.delay_ns is None else f"delay {self.delay_ns[0]:g} to {self.delay_ns[1]:g} ns"
        rounded = np.round(self.density_matrix.real, 5) + 0.0, np.round(self.density_matrix.imag, 5) + 0.0  # + 0.0: no negative zeros
        rows = ["  " + "  ".join(f"{re:+.5f}{im:+.5f}i" for re, im in zip(*row, strict=True)) for row in zip(*rounded, strict=True)]
        head = f"two-photon state of {self.first} and {self.second} at stage {self.stage}, {self.window}, {delay}, on HH, HV, VH, VV"
        return self._table("\n".join([head, *rows]), self.figures())


@dataclass(frozen=True, eq=False)
class Explanation:
    """How an experiment is calculated. `print` gives the table.

    hilbert: states of the source (levels times number states); entries: unknowns of the linear system before reduction; kept: those that the
    start reaches and a probe sees; is_positive: True where nothing off the diagonal of the generator is negative, so that every number is
    accurate relative to itself; methods: {part of the calculation: method}; cut_off: what is cut, and how that is measured;
    error_bounds: {quantity: bound} of what was calculated to tell.
    """

    picture: str
    hilbert: int
    entries: int
    kept: int
    is_positive: bool
    methods: dict[str, str]
    cut_off: str
    error_bounds: dict[str, float]

    def __str__(self) -> str:
        accuracy = "every number relative to itself" if self.is_positive else "relative to the largest value of a curve"
        rows = {
            "picture": self.picture,
            "states": f"{self.hilbert}",
            "unknowns": f"{self.entries} before reduction, {self.kept} after",
            "accuracy": accuracy,
            **self.methods,
            "cut-off": self.cut_off,
            **{f"error bound of {k}": f"{v:.1e}" for k, v in self.error_bounds.items()},
        }
        width = max(map(len, rows))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


@dataclass(frozen=True, eq=False)
class PhotonNumbers:
    """P(n) of one label in one window at one stage, and the figures read off it; `at(stage)` gives another stage.

    mean_photons, g2_zero, g3_zero come from factorial moments, not from the probabilities, and so know no largest photon number.
    prepared_pair_efficiency: preparation * eta_XX * eta_X, where the label is the lines XX and X together; preparation is the mean number of
    XX photons per pulse at emission. errors: {figure: largest |error| / max(|value|, atol)}; again: calculates the same at another stage.
    """

    label: str
    stage: str
    window: str
    probabilities: np.ndarray
    mean_photons: float
    g2_zero: float
    g3_zero: float
    photon_fraction_in_pairs: float
    event_fraction_of_pairs: float
    pair_share_of_multiphotons: float
    pair_efficiency: float
    pair_coincidence_efficiency: float
    errors: dict[str, float]
    again: Callable[[str], PhotonNumbers]
    prepared_pair_efficiency: float | None = None

    @property
    def error_bound(self) -> float:
        """The largest of `errors`."""
        return max(self.errors.values())

    def at(self, stage: str) -> PhotonNumbers:
        """The same light at another stage of the collection."""
        return self.again(stage)

    def figures(self) -> dict[str, float]:
        """Every figure by name."""
        names = (
            "mean_photons",
            "g2_zero",
            "g3_zero",
            "photon_fraction_in_pairs",
            "event_fraction_of_pairs",
            "pair_share_of_multiphotons",
            "pair_efficiency",
            "pair_coincidence_efficiency",
        )
        found = {n: getattr(self, n) for n in names}
        return found if self.prepared_pair_efficiency is None else {**found, "prepared_pair_efficiency": self.prepared_pair_efficiency}

    def __str__(self) -> str:
        lines = [f"photons of {self.label} at stage {self.stage}, {self.window}"]
        lines += [f"  P({n}) = {p:.10g}" for n, p in enumerate(self.probabilities)]
        lines += [f"  {name:<28}= {value:.10g}" for name, value in self.figures().items()]
        return "\n".join([*lines, f"  error bound {self.error_bound:.1e}"])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw P(n) as bars; returns the axes."""
        from qdot import plot

        return plot.photon_numbers(self, ax)


@dataclass(frozen=True, eq=False)
class JointPhotonNumbers:
    """Joint P(n, m) of two labels in one window at one stage.

    probabilities: (max+1, max+1); mean_photons: (2,); cross_g2_zero = <n m>/(<n><m>), nan if one label stays dark.
    """

    labels: tuple[str, str]
    stage: str
    window: str
    probabilities: np.ndarray
    mean_photons: np.ndarray
    cross_g2_zero: float
    errors: dict[str, float]

    @property
    def error_bound(self) -> float:
        """The largest of `errors`."""
        return max(self.errors.values())

    def __str__(self) -> str:
        head = f"joint photons of {self.labels[0]} (rows) and {self.labels[1]} at stage {self.stage}, {self.window}"
        rows = ["  " + "  ".join(f"{p:.6g}" for p in row) for row in self.probabilities]
        return "\n".join([head, *rows, f"  cross g2(0) = {self.cross_g2_zero:.10g}, error bound {self.error_bound:.1e}"])
