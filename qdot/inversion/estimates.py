"""What an inversion returns: figures with their errors kept apart, at a stated stage, and what the data do not tell.

Statistical errors come from the counts; calibration errors from what is known of the detection, the same for all points measured with it, so that
they move all points together; the truncation error from photon numbers that were left out. The three are never added up silently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qdot.errors import bad, unknown

CONFIDENCE = 0.95
LIMIT = 2.705543454095404
"""Rise of the deviance at a one-sided limit of 95 %: the square of the normal distribution's 95 % quantile."""
TWO_SIDED = 3.841458820694124
"""The same at the ends of a two-sided interval of 95 %."""


class Limit(NamedTuple):
    """A one-sided limit: the figure is below ("upper") or above ("lower") `value` at this confidence."""

    side: str
    value: float
    confidence: float = CONFIDENCE

    def __str__(self) -> str:
        return f"{'<' if self.side == 'upper' else '>'} {self.value:.4g} ({100 * self.confidence:g} %)"


Spread = tuple[float | None, float | None, tuple[float | None, float | None], Limit | None]
"""minus, plus, interval_95 and limit of an Estimate."""


class Estimate(NamedTuple):
    """One figure: best value, distances to the ends of its 68.3 % statistical interval (None on a side that the data leave open), limit.

    interval_95: ends of the 95 % statistical interval, None where open; limit: one-sided, at 95 %, where a side of the 68.3 % interval is open.
    shifts: {calibration: change of the value when that calibration is one standard error higher}. truncation: (lowest, highest) change of the value by
    photon numbers that were left out, None where nothing bounds it.
    """

    value: float
    minus: float | None
    plus: float | None
    interval_95: tuple[float | None, float | None]
    limit: Limit | None
    shifts: Mapping[str, float]
    truncation: tuple[float, float] | None

    @property
    def statistical(self) -> float:
        """Half the width of the 68.3 % interval; nan where a side is open."""
        return (self.minus + self.plus) / 2.0 if self.minus is not None and self.plus is not None else math.nan

    @property
    def calibration(self) -> float:
        """Standard error from all calibrations, which are taken to be independent of each other."""
        return math.sqrt(sum(s * s for s in self.shifts.values()))

    @property
    def is_determined(self) -> bool:
        """True if the data bound the figure on both sides."""
        return self.minus is not None and self.plus is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; None for what is open or 0/0."""
        return {
            "value": _plain(self.value),
            "minus": self.minus,
            "plus": self.plus,
            "interval_95": list(self.interval_95),
            "limit": None if self.limit is None else dict(self.limit._asdict()),
            "calibration": _plain(self.calibration),
            "shifts": {k: _plain(v) for k, v in self.shifts.items()},
            "truncation": None if self.truncation is None else [_plain(v) for v in self.truncation],
        }

    def __str__(self) -> str:
        low = "open" if self.minus is None else f"-{self.minus:.2g}"
        high = "open" if self.plus is None else f"+{self.plus:.2g}"
        cut = "unknown" if self.truncation is None else f"{self.truncation[0]:+.2g} .. {self.truncation[1]:+.2g}"
        return f"{self.value:.6g}  {low} {high} (statistical)  +-{self.calibration:.2g} (calibration)  {cut} (truncation)" + (
            f"  {self.limit}" if self.limit else ""
        )


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class Inversion:
    """Photon numbers at a stage, from what was counted behind it. `print` gives the table.

    figures: {name: Estimate}, P(0), P(1), ... and every pair figure of docs/definitions.md; stage: where they hold. deviance, dof: how well the counts
    are described (nan, 0 where there is nothing to compare). warnings: what the data do not determine, and what does not fit together.
    """

    figures: Mapping[str, Estimate]
    stage: str
    method: str
    warnings: tuple[str, ...]
    deviance: float = math.nan
    dof: int = 0

    def __getitem__(self, name: str) -> Estimate:
        if name not in self.figures:
            raise unknown("figure", name, self.figures)
        return self.figures[name]

    @property
    def probabilities(self) -> np.ndarray:
        """P(0), P(1), ..., as far as they were asked for."""
        return np.array([e.value for name, e in self.figures.items() if name.startswith("P(")])

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "stage": self.stage,
            "figures": {name: e.as_dict() for name, e in self.figures.items()},
            "deviance": _plain(self.deviance),
            "dof": self.dof,
            "method": self.method,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        width = max(map(len, self.figures))
        lines = [f"photon numbers at stage {self.stage}; {self.method}"]
        lines += [f"  {name:<{width}}  {e}" for name, e in self.figures.items()]
        if self.dof > 0:
            lines.append(f"  deviance {self.deviance:.2f} for {self.dof} degrees of freedom")
        return "\n".join([*lines, *(f"  WARNING: {w}" for w in self.warnings)])


def covariance(points: Sequence[Inversion], name: str) -> np.ndarray:
    """(n, n) covariance of one figure over points that share their calibrations: statistical variances on the diagonal, calibrations everywhere.

    Raises InputError if a point leaves the figure open on a side: then it has no variance.
    """
    found = [p[name] for p in points]
    if any(not e.is_determined for e in found):
        raise bad(f"the covariance of {name}", "be asked of points that determine it on both sides", "a one-sided limit", "leave that point out")
    total = np.diag([e.statistical**2 for e in found])
    for calibration in dict.fromkeys(c for e in found for c in e.shifts):
        shift = np.array([e.shifts.get(calibration, 0.0) for e in found])
        total += np.outer(shift, shift)
    return total
