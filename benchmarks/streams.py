"""How fast photons are sampled: `qdot.simulate_tags` from the experiment to the finished record, photons at emission per second of computing.

    OMP_NUM_THREADS=1 python -m benchmarks.streams [--json]

Each case runs once to warm up and then five times; the time is the median, of the process (`time.process_time`), building of tables included. "photons" are
those emitted, seen or not: loss is thinned out of the rates, which costs nothing. The last row asks QuTiP's mcsolve for a record of the same jumps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import qdot
from qdot.detection import Detector
from qdot.drive import CW, Gaussian, Instant
from qdot.model import Cavity, Coupling, Dephasing, Jump, Model
from qdot.tags.simulation import kernel

DARK = qdot.emitters.DarkLoadedCascade(lifetime_XX_ns=0.06, lifetime_X_ns=0.10, spin_flip_per_ns=1e-4, pump_per_ns_per_uW=1e-3)
"""The source of the README."""
RUNS = 5


class Row(NamedTuple):
    """One case: photons emitted per record, median time, the fastest and the slowest, photons per second."""

    case: str
    photons: float
    seconds: float
    fastest: float
    slowest: float
    per_second: float


def two_level() -> Model:
    """A driven two-level emitter of lifetime 1 ns with dephasing."""
    return Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"),), couplings=(Coupling(("G", "X"), 3.0, "laser"),), dephasings=(Dephasing("X", 0.3),))


def in_cavity() -> Model:
    """A pumped ladder in a cavity of four number states, with a collective decay: 12 states."""
    pumps = (Jump.of("G", "X", 2.4), Jump.of("X", "XX", 1.5))
    light = (Jump.of("X", "G", 1.0, "leak"), Jump((("XX", "X"), ("X", "G")), (0.8, 0.4), "both"))
    return Model(("G", "X", "XX"), jumps=(*pumps, *light), cavities=(Cavity("c", 4, 30.0, (8.0, 6.0), (("XX", "X"), ("X", "G")), 20.0, "mode"),))


def cases() -> dict[str, tuple[qdot.Experiment, float, dict[str, object]]]:
    """{case: (experiment, duration in ns, further arguments)}."""
    cw = qdot.Experiment(DARK, CW(power_uW=100.0))
    ideal = {"channels": {"XX": "XX", "X": "X"}}
    pair = {"channels": {"pair": "pair"}}
    tree = {
        "detectors": [
            Detector(n, sees="pair", share=0.25, efficiency=0.5, dark_per_s=500.0, jitter_fwhm_ns=0.05, dead_time_ns=10.0, delay_ns=1.0) for n in "ABCD"
        ]
    }
    train = qdot.Experiment(DARK, Gaussian(power_uW=200.0, fwhm_ns=0.02, period_ns=12.5))
    fine = {"channels": {"X": "X"}}
    return {
        "dark-loaded cascade, 1 uW continuous": (cw.replace({"drive.power_uW": 1.0}), 5e9, ideal),
        "dark-loaded cascade, 100 uW continuous": (cw, 5e7, ideal),
        "the same behind four detectors": (cw, 5e7, tree),
        "dark-loaded cascade, 80 MHz of 20 ps": (train, 2e7, pair),
        "dark-loaded cascade, 80 MHz of instants": (train.replace(drive=Instant(power_uW=200.0, period_ns=12.5)), 2e7, pair),
        "two-level emitter, continuous laser": (qdot.Experiment(two_level(), CW(power_uW=2.0)), 2e6, fine),
        "two-level emitter, 80 MHz pi pulses of 70 ps": (qdot.Experiment(two_level(), Gaussian(area_pi=1.0, fwhm_ns=0.07, period_ns=12.5)), 5e6, fine),
        "ladder in a cavity, 12 states": (qdot.Experiment(in_cavity(), rtol=1e-2), 2e5, {"channels": {"mode": "mode", "both": "both", "leak": "leak"}}),
    }


def timed(call: Callable[[], object]) -> list[float]:
    """Process times of RUNS calls after one more."""
    call()
    found = []
    for _ in range(RUNS):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return found


def row(case: str, experiment: qdot.Experiment, duration_ns: float, about: dict[str, object]) -> Row:
    """One case, measured."""
    photons = duration_ns * sum(float(experiment.flux_per_ns(line, "emission")) for line in experiment.model.lines)
    seconds = timed(lambda: qdot.simulate_tags(experiment, duration_ns, rng=np.random.default_rng(1), **about))  # type: ignore[arg-type]
    middle = statistics.median(seconds)
    return Row(case, photons, middle, min(seconds), max(seconds), photons / middle)


def mcsolve(duration_ns: float = 2000.0) -> Row:
    """The jumps of the two-level emitter under the continuous laser by QuTiP: one trajectory, default tolerances."""
    import qutip

    lower = qutip.basis(2, 0) * qutip.basis(2, 1).dag()
    h, jumps = 1.5 * np.sqrt(2.0) * (lower + lower.dag()), [lower, np.sqrt(0.6) * lower.dag() * lower]

    def call() -> int:
        options = {"progress_bar": "", "nsteps": 10**9}
        found = qutip.mcsolve(h, qutip.basis(2, 0), [0.0, duration_ns], jumps, ntraj=1, seeds=1, options=options)
        return int(np.count_nonzero(np.array(found.col_which[0]) == 0))

    photons, seconds = call(), timed(call)
    middle = statistics.median(seconds)
    return Row("two-level emitter, continuous laser, by QuTiP's mcsolve", photons, middle, min(seconds), max(seconds), photons / middle)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [*(row(name, *asked) for name, asked in cases().items()), mcsolve()]
    if given.json:
        print(json.dumps([r._asdict() for r in rows]))
        return
    print(f"{os.cpu_count()} cores, kernel {'compiled' if kernel.library() is not None else 'left out'}")
    print("| case | photons | seconds | fastest .. slowest | photons per second |\n|---|---|---|---|---|")
    for r in rows:
        print(f"| {r.case} | {r.photons:.3g} | {r.seconds:.3f} | {r.fastest:.3f} .. {r.slowest:.3f} | {r.per_second:.3g} |")


if __name__ == "__main__":
    main()
