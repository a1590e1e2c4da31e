"""The table of transmissions from the source to the counts, with the uncertainty of each: a loss budget.

Each row is one stage of the path for one label. A `Chain` is the `collection` of an Experiment: the means act there stage by stage, the
uncertainties are for whoever takes the loss out again (`qdot.inversion`). Uncertainties of different rows are independent; one row is the same for
every point measured through it, and its error moves all points together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qdot.errors import bad, number, unknown


@dataclass(frozen=True)
class Transmission:
    """One row: at `stage`, light of `label` gets through with probability `value`, known with standard error `error`."""

    stage: str
    label: str
    value: float
    error: float = 0.0

    def __post_init__(self) -> None:
        here = f"transmission {self.stage!r} of {self.label!r}"
        if not self.stage or self.stage == "emission":
            raise bad("Transmission.stage", "be a place behind the emission", repr(self.stage), 'for example "first_lens"')
        object.__setattr__(self, "value", number(here, self.value, low=0.0, high=1.0))
        object.__setattr__(self, "error", number(f"{here}: error", self.error, low=0.0))


class Chain(Mapping[str, "dict[str, float]"]):
    """Rows in the order of the light, as {stage: {label: value}} for `Experiment(collection=...)`; `print` gives the table.

    >>> chain = Chain([Transmission("first_lens", "pair", 0.55, 0.02), Transmission("fibre", "pair", 0.7, 0.03)])
    >>> round(chain.total("pair"), 6), round(chain.error("pair"), 6)
    (0.385, 0.021639)
    """

    def __init__(self, rows: Sequence[Transmission]) -> None:
        self.rows = tuple(rows)
        self._stages: dict[str, dict[str, float]] = {}
        for row in self.rows:
            if not isinstance(row, Transmission):
                raise bad("Chain", "hold Transmissions", type(row).__name__, 'for example Transmission("fibre", "pair", 0.7, 0.03)')
            if self._stages and row.stage != list(self._stages)[-1] and row.stage in self._stages:
                raise bad(f"Chain stage {row.stage!r}", "stand in one block", "it twice", "put its rows together, in the order of the light")
            labels = self._stages.setdefault(row.stage, {})
            if row.label in labels:
                raise bad(f"Chain stage {row.stage!r}", f"name label {row.label!r} once", "it twice", "remove one row")
            labels[row.label] = row.value
        if not self.rows:
            raise bad("Chain", "hold at least one Transmission", "none", "leave the collection out instead")

    def __getitem__(self, stage: str) -> dict[str, float]:
        if stage not in self._stages:
            raise KeyError(stage)
        return dict(self._stages[stage])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    def _path(self, label: str, to: str | None, start: str) -> list[Transmission]:
        stages = ["emission", *self._stages]
        for name in (start, to):
            if name is not None and name not in stages:
                raise unknown("stage", name, stages)
        passed = stages[stages.index(start) + 1 : len(stages) if to is None else stages.index(to) + 1]
        if label not in {row.label for row in self.rows}:
            raise unknown("label", label, dict.fromkeys(row.label for row in self.rows))
        return [row for row in self.rows if row.stage in passed and row.label == label]

    def total(self, label: str, to: str | None = None, start: str = "emission") -> float:
        """Transmission of a label from one stage to another (default: through the whole chain)."""
        return math.prod(row.value for row in self._path(label, to, start))

    def error(self, label: str, to: str | None = None, start: str = "emission") -> float:
        """Standard error of the total: relative errors of the rows added in squares."""
        path = self._path(label, to, start)
        if any(row.value == 0.0 for row in path):
            raise bad(f"the error of the transmission of {label!r}", "belong to rows > 0", 0, "a chain that lets nothing through has no calibration")
        return self.total(label, to, start) * math.sqrt(sum((row.error / row.value) ** 2 for row in path))

    def __str__(self) -> str:
        lines = [f"{'stage':<14}{'label':<10}transmission"]
        lines += [f"{row.stage:<14}{row.label:<10}{row.value:.6g} +- {row.error:.2g}" for row in self.rows]
        for label in dict.fromkeys(row.label for row in self.rows):
            if self.total(label) > 0.0:
                lines.append(f"{'all':<14}{label:<10}{self.total(label):.6g} +- {self.error(label):.2g}")
        return "\n".join(lines)
