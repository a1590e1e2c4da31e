"""Numerics of linear systems dx/dt = A(t) x with real x: reduction, steady states, exponentials, driven steps, tails to infinity.

No physics word lives here. Matrices are scipy.sparse csr arrays of shape (d, d) acting on columns; a `trace` is a row that the
exact system keeps constant. "Metzler" means non-negative off the diagonal: there every sum is a sum of positive terms and
results are accurate entry by entry.
"""

from qdot.evolve.driven import Driven, TooManySteps, drive_through
from qdot.evolve.exponential import Exponential, along, propagator
from qdot.evolve.reduction import closed_classes, is_metzler, reach, relevant, restrict
from qdot.evolve.steady import NotUnique, fixed_point, steady_state
from qdot.evolve.tail import Endless, tail_rows

__all__ = [
    "Driven",
    "Endless",
    "Exponential",
    "NotUnique",
    "TooManySteps",
    "along",
    "closed_classes",
    "drive_through",
    "fixed_point",
    "is_metzler",
    "propagator",
    "reach",
    "relevant",
    "restrict",
    "steady_state",
    "tail_rows",
]
