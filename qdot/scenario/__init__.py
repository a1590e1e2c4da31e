"""The scenario file: any level scheme, what drives it, what is collected and detected and what to compute, as TOML.

`load` reads and checks a file, `run` computes what its `[compute]` table asks for. The file is checked here, down to the key that is wrong;
all physics is `Model`, `Drive` and `Experiment`. `tables`: the keys. `messages`: errors. `source`: from tables to levels and light.
`asked`: what may be computed. `reading`, `running`: the two verbs.

Two rules the file leaves open are fixed here. `between = [a, b]` of a coupling is (lower, upper), except where the scheme itself says which of the two
emits: if light (undriven jumps with a photon, cavity transitions) leads from one of them to the other and not back, the emitting one is the upper.
The order matters only for the sign of a drive's detuning. Several `[[drive]]` tables of one name are several pulses of one laser.
"""

from qdot.scenario.reading import Scenario, from_table, load, read_table, replaced
from qdot.scenario.running import run
from qdot.scenario.tables import MAX_PEAKS, MAX_PHOTONS, MAX_STATES, STAGE

__all__ = ["MAX_PEAKS", "MAX_PHOTONS", "MAX_STATES", "STAGE", "Scenario", "from_table", "load", "read_table", "replaced", "run"]
