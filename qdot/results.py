"""What a calculation returns: frozen, printable, with its error bound, stage and window. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Number(float):
    """A float that knows its error: error_bound is the largest |error| / max(|value|, atol)."""

    error_bound: float

    def __new__(cls, value: float, error_bound: float) -> Number:
        self = super().__new__(cls, value)
        self.error_bound = error_bound
        return self


@dataclass(frozen=True, eq=False)
class Curve:
    """Values on an axis: g2 against delay, side peaks against period, flux against time.

    argument: name of the axis with its unit; x, value: arrays of one shape; x2: second axis of g3.
    error_bound: largest |error| / max(|value|, atol) over the curve.
    """

    argument: str
    x: np.ndarray
    value: np.ndarray
    error_bound: float
    quantity: str
    stage: str
    x2: np.ndarray | None = None

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
        lines = [f"{self.quantity} at stage {self.stage}, error bound {self.error_bound:.1e}", f"{self.argument:>14}  value"]
        shown = list(zip(self.x.ravel(), self.value.ravel(), strict=True))
        body = [f"{x:14.6g}  {v:.10g}" for x, v in shown]
        return "\n".join(lines + (body if len(body) <= 24 else [*body[:12], f"{'...':>14}", *body[-11:]]))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve; returns the axes."""
        from qdot import plot

        return plot.curve(self, ax)


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
