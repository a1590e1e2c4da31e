"""How an emitter declares its parameters: default, unit, bounds, meaning and source, in one place each."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qdot.errors import bad, number

LASER = "laser"
"""Name of the drive that every emitter listens to."""
PAIR = {"pair": ("XX", "X")}
"""The group of both lines of the cascade."""


class Parameter(NamedTuple):
    """One declared parameter of an emitter."""

    name: str
    unit: str
    default: Any
    low: float
    high: float
    meaning: str
    source: str


def parameter(default: Any, unit: str, low: float, high: float, meaning: str, source: str = "", above: bool = False) -> Any:
    """A dataclass field with unit, bounds [low, high] (above: low itself excluded), meaning and source of the default."""
    metadata = {"unit": unit, "low": low, "high": high, "meaning": meaning, "source": source, "above": above}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Emitter:
    """What all emitters share: every field is checked against its declaration. Subclasses are final and give `model()`."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value, who = getattr(self, f.name), f"{type(self).__name__}.{f.name}"
            if isinstance(f.default, bool):
                if not isinstance(value, bool):
                    raise bad(who, "be True or False", repr(value))
            elif isinstance(f.default, int):
                if isinstance(value, bool) or not isinstance(value, int) or not f.metadata["low"] <= value <= f.metadata["high"]:
                    raise bad(who, f"be a whole number from {f.metadata['low']} to {f.metadata['high']}", repr(value))
            else:
                number(who, value, f.metadata["low"], f.metadata["high"], f.metadata["above"], f.metadata["unit"])

    def finer(self) -> Emitter | None:
        """The same source with fewer states cut off, to measure what the cut costs; None where nothing is cut off."""
        return None

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Every declared parameter, in order."""
        return tuple(
            Parameter(f.name, f.metadata["unit"], f.default, f.metadata["low"], f.metadata["high"], f.metadata["meaning"], f.metadata["source"])
            for f in dataclasses.fields(cls)
        )


INFINITE = math.inf
