"""Numerics of linear systems dx/dt = A(t) x with real x: reduction, steady states, exponentials, driven steps, tails to infinity.

No physics word lives here. Matrices act on columns and have shape (d, d): dense arrays where they are small, csr arrays beyond. A `trace` is a
row that the exact system keeps constant. "Metzler" means non-negative off the diagonal: there every sum is a sum of positive terms and
results are accurate entry by entry.
"""

from qdot.evolve.driven import Driven, TooManySteps, drive_through, part_of
from qdot.evolve.exponential import Exponential, Flow, carry
from qdot.evolve.kernel import is_compiled
from qdot.evolve.reduction import (
    Matrix,
    both_sides,
    closed_classes,
    dense,
    is_metzler,
    is_zero,
    pattern,
    placed,
    reach,
    relevant,
    restrict,
    seen_by,
    separate_parts,
)
from qdot.evolve.register import Register, joint_numbers, nothing_counted, numbers, powers, with_slopes
from qdot.evolve.resolvent import Resolvent, gram_to_infinity
from qdot.evolve.steady import NotUnique, fixed_point, steady_state
from qdot.evolve.tail import Endless, NoDerivative, tail_powers, tail_powers_and_slopes, tail_rows, to_infinity
from qdot.evolve.tangent import TangentFlow, derivative, steady_slopes

__all__ = [
    "Driven",
    "Endless",
    "Exponential",
    "Flow",
    "Matrix",
    "NoDerivative",
    "NotUnique",
    "Register",
    "Resolvent",
    "TangentFlow",
    "TooManySteps",
    "both_sides",
    "carry",
    "closed_classes",
    "dense",
    "derivative",
    "drive_through",
    "fixed_point",
    "gram_to_infinity",
    "is_compiled",
    "is_metzler",
    "is_zero",
    "joint_numbers",
    "nothing_counted",
    "numbers",
    "part_of",
    "pattern",
    "placed",
    "powers",
    "reach",
    "relevant",
    "restrict",
    "seen_by",
    "separate_parts",
    "steady_slopes",
    "steady_state",
    "tail_powers",
    "tail_powers_and_slopes",
    "tail_rows",
    "to_infinity",
    "with_slopes",
]
