"""A joint fit of 60 powers by 500 delays with 5 free parameters: qdot beside lmfit driving QuTiP.

    OMP_NUM_THREADS=1 python -m benchmarks.fits [--powers 60] [--qutip 6]

Histograms of g2(tau) of the dark-loaded cascade, 500 bins of 0.1 ns, Poisson counts drawn with a seed. Free: pump, spin flip, both lifetimes and the
counts per bin. qdot: Poisson likelihood, bins integrated, best values and profile intervals. lmfit with QuTiP: the steady state and e^{L tau} at the bins'
centres from QuTiP, least squares with weights from the counts, best values and covariance only. QuTiP is run on fewer powers: its time is
proportional to their number.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np

import qdot
from qdot.data import Histogram
from qdot.fitting import Observation, fit

TRUTH = {"pump": 1e-2, "flip": 1e-2, "tx": 0.10, "txx": 0.06, "level": 200.0}
START = {"pump": 2e-2, "flip": 2e-2, "tx": 0.15, "txx": 0.04, "level": 150.0}
WIDTH, BINS, BACK = 0.1, 500, float(np.exp(-250.0 / (8.617333262e1 * 4.0)))
"""BACK: detailed balance of the spin flip at 4 K and 250 ueV, as in the emitter."""


def experiment() -> qdot.Experiment:
    """The dot that makes the data."""
    return qdot.Experiment(qdot.emitters.DarkLoadedCascade(pump_per_ns_per_uW=1e-2, spin_flip_per_ns=1e-2), drive=qdot.drive.CW(power_uW=1.0))


def data(powers: np.ndarray) -> list[Observation]:
    """One drawn histogram at each power."""
    left, rng, e = (np.arange(BINS) - BINS // 2) * WIDTH, np.random.default_rng(1), experiment()
    inside = np.linspace(0.005, 0.995, 50) * WIDTH
    made = []
    for p in powers:
        here = e.replace({"drive.power_uW": float(p)})
        mean = np.asarray(here.g2((left[:, None] + inside).ravel(), "pair")).reshape(BINS, -1).mean(axis=1)
        h = Histogram(left, WIDTH, rng.poisson(TRUTH["level"] * mean).astype(float), f"{p:g} uW")
        made.append(Observation(data=h, at={"drive.power_uW": float(p)}))
    return made


def with_qdot(observations: list[Observation]) -> Any:
    """The joint fit with intervals."""
    vary = {
        "source.pump_per_ns_per_uW": (START["pump"], 0.0, None),
        "source.spin_flip_per_ns": (START["flip"], 0.0, None),
        "source.lifetime_X_ns": (START["tx"], 0.01, 1.0),
        "source.lifetime_XX_ns": (START["txx"], 0.01, 1.0),
        "histogram.counts_per_bin": (START["level"], 1.0, None),
    }
    return fit(experiment(), observations, vary, label="pair", tie={"histogram.zero_delay_ns": "0"})


def with_qutip(observations: list[Observation]) -> Any:
    """Weighted least squares with lmfit; model values from QuTiP."""
    import lmfit
    import qutip

    levels = 6  # G, D, X, XX, X*, XX*
    b = [qutip.basis(levels, k) for k in range(levels)]
    powers = [dict(o.at)["drive.power_uW"] for o in observations]
    centres = observations[0].data.left_ns + WIDTH / 2
    counts = np.array([o.data.counts for o in observations])
    weights = 1 / np.sqrt(np.maximum(counts, 1.0))

    def jump(i: int, j: int, rate: float) -> Any:
        return np.sqrt(rate) * b[j] * b[i].dag()

    def g2(power: float, pump: float, flip: float, tx: float, txx: float) -> np.ndarray:
        p, relax = pump * power, 1 / 0.03
        light = [jump(3, 2, 1 / txx), jump(2, 0, 1 / tx)]
        dark = [jump(2, 1, flip), jump(1, 2, flip * BACK), jump(0, 4, p), jump(1, 5, p), jump(4, 1, relax), jump(5, 3, relax)]
        liouvillian = qutip.liouvillian(0 * b[0] * b[0].dag(), [*light, *dark])
        steady = qutip.steadystate(liouvillian)
        after = sum(c * steady * c.dag() for c in light)
        seen = sum(c.dag() * c for c in light)
        late = qutip.mesolve(liouvillian, after, np.abs(centres[BINS // 2 :]), [], e_ops=[seen], options={"atol": 1e-10, "rtol": 1e-8}).expect[0]
        flux = qutip.expect(seen, steady)
        return np.concatenate([late[::-1], late]) / flux**2

    def residual(v: Any) -> np.ndarray:
        given = v.valuesdict()
        level = given.pop("level")
        return np.concatenate([(level * g2(p, **given) - n) * w for p, n, w in zip(powers, counts, weights, strict=True)])

    start = lmfit.Parameters()
    for name, value in START.items():
        start.add(name, value=value, min=1e-6)
    # with the default steps of differences the noise of the integration leaves the fit where it starts
    return lmfit.minimize(residual, start, method="leastsq", epsfcn=1e-8)


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--powers", type=int, default=60)
    parser.add_argument("--qutip", type=int, default=6, help="powers of the run with QuTiP; 0 leaves it out")
    given = parser.parse_args()
    observations = data(np.geomspace(0.1, 30.0, given.powers))
    times, used, result = [], [], None
    for _ in range(6):
        begin, cpu = time.perf_counter(), time.process_time()
        result = with_qdot(observations)
        times.append(time.perf_counter() - begin)
        used.append(time.process_time() - cpu)
    found = {n: [p.value, p.minus, p.plus] for n, p in result.parameters.items()}
    answer: dict[str, Any] = {
        "qdot_s": statistics.median(times[1:]),
        "qdot_cpu_s": statistics.median(used[1:]),
        "qdot_all_s": times,
        "points": result.points,
        "calls": result.calls,
        "found": found,
    }
    if given.qutip:
        fewer = data(np.geomspace(0.1, 30.0, given.qutip))
        begin = time.process_time()  # of the processor: others may be using the machine
        one = with_qdot(fewer)
        middle = time.process_time()
        other = with_qutip(fewer)
        seconds = time.process_time() - middle
        values = {n: [v.value, v.stderr] for n, v in other.params.items()}
        ratio = seconds / (middle - begin)
        answer.update(qutip_powers=given.qutip, qutip_cpu_s=seconds, qutip_calls=other.nfev, qutip_found=values, qdot_same_cpu_s=middle - begin, ratio=ratio)
        answer["qdot_same"] = {n: [p.value, p.minus, p.plus] for n, p in one.parameters.items()}
        answer["qutip_cpu_s_for_all_powers"] = seconds * given.powers / given.qutip
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
