"""Cost of qdot against size, through its public face: `python -m benchmarks --sizes [--out FILE.png] [--limit SECONDS] [--json]`.

seconds: median of three runs after one warm-up; a point whose warm-up exceeds 5 s is that one run. A curve ends with the first point beyond the limit,
and a point that qdot refuses (a cut-off too low for its tolerance, say) carries its message and no time.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import qdot
from benchmarks import cases as c
from benchmarks.methods_qdot import FIELD_TO_FWHM, cavity_model, dark_loop
from qdot.model import Coupling, Jump, Model

RUNS, ONE_RUN_S = 3, 5.0
Point = tuple[int, Callable[[], Any]]


def with_fock(modes: str, fock: int, driven: bool) -> Model:
    model = cavity_model(modes, driven=driven)
    return replace(model, cavities=tuple(replace(cavity, fock=fock) for cavity in model.cavities))


def counted_in_cavities(modes: str, fock: int) -> Callable[[], Any]:
    """P(0..4) of one mode after the pulse of W3; without a mode, of the XX line of the bare levels."""
    model, label = with_fock(modes, fock, True), modes[:1]
    if not modes:
        line = [replace(j, photon="XX") if "XX" in {a for a, _ in j.transitions} else j for j in model.jumps if isinstance(j, Jump)]
        model, label = replace(model, jumps=tuple(line)), "XX"
    pulse = qdot.drive.Gaussian(fwhm_ns=c.SIGMA_3 * FIELD_TO_FWHM)
    return lambda: qdot.Experiment(model, drive=pulse).photon_numbers(label, max=4)


def correlated_in_cavities(fock: int) -> Callable[[], Any]:
    """g2 of mode H of W4-cw."""
    model = with_fock("HV", fock, False)
    return lambda: qdot.Experiment(model).g2(c.CW_DELAYS, "H")


def delays(count: int) -> Callable[[], Any]:
    """g2 of the X line of W1."""
    tau = np.logspace(-3, 3, count)
    return lambda: qdot.Experiment(dark_loop(c.PUMP)).g2(tau, "X")


def emitter() -> Model:
    return Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"),), couplings=(Coupling(("G", "X"), 1.0, "laser"),))


def largest_number(top: int) -> Callable[[], Any]:
    """P(0..top) of the 2 pi pulse of W2."""
    pulse = qdot.drive.Gaussian(fwhm_ns=c.SIGMA * FIELD_TO_FWHM, area_pi=2.0)
    return lambda: qdot.Experiment(emitter(), drive=pulse).photon_numbers("X", max=top)


def largest_number_in_a_train(top: int) -> Callable[[], Any]:
    """P(0..top) of the train of W5."""
    jumps = [Jump.of("G", "D", 0.3, drive="laser"), Jump.of("D", "XX", 0.8, drive="laser"), Jump.of("D", "G", 8e-5), Jump.of("D", "X", 1e-5)]
    jumps += [Jump.of("XX", "X", 10.0, "pair"), Jump.of("X", "G", 5.0, "pair")]
    train = qdot.drive.Instant(dose_ns=1.0, period_ns=c.PERIOD)
    return lambda: qdot.Experiment(Model(("G", "D", "X", "XX"), jumps=tuple(jumps)), drive=train).photon_numbers("pair", max=top)


def pulses(count: int) -> Callable[[], Any]:
    """P(0..4) of the emitter of W2 after a sequence of pi pulses 2 lifetimes apart."""
    one = qdot.drive.Gaussian(fwhm_ns=c.SIGMA * FIELD_TO_FWHM, area_pi=1.0)
    drive = qdot.drive.sequence([replace(one, start_ns=2.0 * k) for k in range(count)])
    return lambda: qdot.Experiment(emitter(), drive=drive).photon_numbers("X", max=4)


def kicks(count: int) -> Callable[[], Any]:
    """The same with instant pulses."""
    drive = qdot.drive.sequence([qdot.drive.Instant(area_pi=1.0, start_ns=2.0 * k) for k in range(count)])
    return lambda: qdot.Experiment(emitter(), drive=drive).photon_numbers("X", max=4)


FOCKS = {"H": (4, 5, 10, 20, 40, 70, 100), "HV": (5, 6, 7, 8, 10)}
"""From the smallest that the tolerance allows."""
COUNTS = {"delays": (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000), "photons": (1, 2, 3, 5, 7, 10, 14, 20), "pulses": (1, 2, 3, 5, 7, 10, 20, 30, 50)}
PANELS: dict[str, dict[str, list[Point]]] = {
    "Hilbert dimension": {
        "pulse, one mode, P(0..4)": [(4, counted_in_cavities("", 1)), *((4 * f, counted_in_cavities("H", f)) for f in FOCKS["H"])],
        "pulse, two modes, P(0..4)": [(4 * f * f, counted_in_cavities("HV", f)) for f in FOCKS["HV"]],
        "continuous, two modes, g2 at 500 delays": [(4 * f * f, correlated_in_cavities(f)) for f in FOCKS["HV"]],
    },
    "number of delays": {"W1, g2 of X": [(n, delays(n)) for n in COUNTS["delays"]]},
    "largest photon number": {
        "W2, 2 pi pulse": [(n, largest_number(n)) for n in COUNTS["photons"]],
        "W5, train": [(n, largest_number_in_a_train(n)) for n in COUNTS["photons"]],
    },
    "pulses in a sequence": {
        "W2, Gaussian pi pulses": [(n, pulses(n)) for n in COUNTS["pulses"]],
        "W2, instant pi pulses": [(n, kicks(n)) for n in COUNTS["pulses"]],
    },
}


def timed(run: Callable[[], Any]) -> list[float]:
    times: list[float] = []
    for _ in range(1 + RUNS):
        t = time.perf_counter()
        run()
        times.append(time.perf_counter() - t)
        if times[0] > ONE_RUN_S:
            return times
    return times[1:]


def measure(limit: float) -> list[dict[str, Any]]:
    """Rows {panel, curve, size, seconds, runs}, with a note where qdot refused; each is told on standard error as it comes."""
    rows = []
    for panel, curves in PANELS.items():
        for curve, points in curves.items():
            for size, run in points:
                found: dict[str, Any] = {"panel": panel, "curve": curve, "size": size, "seconds": None, "runs": 0}
                try:
                    times = timed(run)
                    found |= {"seconds": statistics.median(times), "runs": len(times)}
                except qdot.InputError as e:
                    found["note"] = str(e)
                rows.append(found)
                told = found.get("note", "") if found["seconds"] is None else f"{found['seconds']:.3g} s"
                print(f"{panel}, {curve}, {size}: {told}", file=sys.stderr, flush=True)
                if found["seconds"] is not None and found["seconds"] > limit:
                    break
    return rows


def draw(rows: list[dict[str, Any]], path: str) -> None:
    """Four panels, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    for ax, (panel, curves) in zip(axes.ravel(), PANELS.items(), strict=True):
        for curve in curves:
            xy = [(r["size"], r["seconds"]) for r in rows if r["panel"] == panel and r["curve"] == curve and r["seconds"] is not None]
            if xy:
                ax.loglog(*zip(*xy, strict=True), "o-", markersize=4, label=curve)
        low, high = ax.get_ylim()
        ax.set(xlabel=panel, ylabel="seconds", ylim=(low / 2, high * 2))
        ax.grid(alpha=0.3)
        ax.legend(frameon=False, fontsize=8)
    figure.suptitle(f"Time for one result in qdot {qdot.__version__}, error bound included", fontsize=11)
    figure.savefig(path, dpi=120)
