"""A model as one linear system dx/dt = [S + sum_j f_j(t) D_j + sum_k (z_k - 1) J_k] x, in two pictures.

`pictures`: rate equations and the Lindblad equation in real coordinates. `timeline`: a generator bound to its drives. `fields`: what field
operators do to a state, and mixing of polarisations before light is counted. `between_jumps`: wave functions between quantum jumps.
`from_qutip`: operators that users bring.
"""

from qdot.generator.between_jumps import between_jumps
from qdot.generator.fields import Coordinates, Field, fields_of, stokes_jumps
from qdot.generator.from_qutip import from_qutip
from qdot.generator.pictures import Generator, Picture, classical_moves, lindblad, rate
from qdot.generator.timeline import DrivenPart, Stretch, Timeline, under

__all__ = [
    "Coordinates",
    "DrivenPart",
    "Field",
    "Generator",
    "Picture",
    "Stretch",
    "Timeline",
    "between_jumps",
    "classical_moves",
    "fields_of",
    "from_qutip",
    "lindblad",
    "rate",
    "stokes_jumps",
    "under",
]
