"""Do the intervals of an inversion of click patterns hold what they promise? Simulated measurements, drawn and inverted.

Four threshold detectors with dark counts behind a lossy path, a source of pairs. The patterns are drawn from a formula that stands below
(inclusion and exclusion), not from the package. Three cases:

    interior      every P(n) of the source is well away from 0; the source is known to send at most three photons
    bound         P(1) = 0: the bound is met in half of the measurements, so that a region around the truth is one-sided
    calibration   the efficiency was measured with an error of its own, so that statistical and calibration errors belong together

    python fits/validation/click_patterns.py --case interior --first 0 --many 1200 --out interior.json       # a chunk; any number of them
    python fits/validation/click_patterns.py --table *.json                                                  # what click_patterns.md shows

Measurement number k of a case is drawn from the seed (number of the case, k), so that chunks can be made in any order and anywhere.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qdot.detection import Detector
from qdot.inversion import Inversion, Likelihood, from_clicks, ratios
from qdot.inversion.simplex import Mixture

TRUTH = {"interior": (0.70, 0.01, 0.285, 0.005), "bound": (0.70, 0.0, 0.295, 0.005), "calibration": (0.70, 0.01, 0.285, 0.005)}
"""P(0), P(1), ... at the first lens."""
PULSES = 10_000_000
PATH, PATH_ERROR = 0.55, 0.002
"""Transmission from the first lens to the splitter, and its standard error in the case `calibration`."""
SHARES, EFFICIENCIES, DARK_PER_S, PERIOD_NS = (0.25, 0.25, 0.25, 0.25), (0.60, 0.50, 0.55, 0.50), 200.0, 12.5
ONE_SIDED = {"68 %": 0.2187, "95 %": 2.7055}
"""Rise of the deviance at which the region around a truth at the bound holds that share: in half of all measurements there is no rise."""
NOMINAL = {"68 %": 0.6827, "95 %": 0.95}
AT_THE_END = {"68 %": 0.8413, "95 %": 0.975}
"""What the two-sided regions hold of a truth that lies at the end of the figure's range: one side of them is always right."""
REGION = "P(1), one-sided region"


def detectors() -> list[Detector]:
    """The four detectors."""
    return [Detector(name, share=s, efficiency=e, dark_per_s=DARK_PER_S) for name, s, e in zip("ABCD", SHARES, EFFICIENCIES, strict=True)]


def chances(p: Sequence[float], path: float) -> np.ndarray:
    """(2, 2, 2, 2) probability of each pattern: detectors of a set S stay silent with sum_n p_n (1 - q_S)^n times no dark count in any of them."""
    dark = DARK_PER_S * 1e-9 * PERIOD_NS

    def silent(chosen: Sequence[int]) -> float:
        seen = sum(path * SHARES[k] * EFFICIENCIES[k] for k in chosen)
        return math.exp(-dark * len(chosen)) * sum(x * (1.0 - seen) ** n for n, x in enumerate(p))

    found = np.zeros((2,) * 4)
    for pattern in itertools.product((0, 1), repeat=4):
        clicked, quiet = [k for k in range(4) if pattern[k]], [k for k in range(4) if not pattern[k]]
        found[pattern] = sum((-1) ** size * silent([*quiet, *some]) for size in range(len(clicked) + 1) for some in itertools.combinations(clicked, size))
    return found


def true_figures(p: Sequence[float]) -> dict[str, float]:
    """The figures of the source, written out."""
    n, x = np.arange(len(p)), np.array(p)
    mean, pairs, threes = float(n @ x), float((n * (n - 1)) @ x), float((n * (n - 1) * (n - 2)) @ x)
    return {f"P({k})": float(v) for k, v in enumerate(p)} | {
        "mean_photons": mean,
        "g2_zero": pairs / mean**2,
        "g3_zero": threes / mean**3,
        "photon_fraction_in_pairs": 2 * p[2] / mean,
        "event_fraction_of_pairs": p[2] / (1 - p[0]),
        "pair_share_of_multiphotons": p[2] / sum(p[2:]),
        "pair_efficiency": p[2],
        "pair_coincidence_efficiency": pairs / 2,
    }


def drawn(case: str, k: int) -> np.ndarray:
    """(2, 2, 2, 2) counts of measurement k of a case."""
    rng = np.random.default_rng((list(TRUTH).index(case), k))
    return rng.multinomial(PULSES, chances(TRUTH[case], PATH).ravel()).reshape((2,) * 4)


def measured(case: str, k: int) -> Inversion:
    """Measurement k of a case, drawn and inverted."""
    # what the calibration gives for the path: the truth, or a value with its error
    off = float(np.random.default_rng((list(TRUTH).index(case), k, 1)).standard_normal()) if case == "calibration" else 0.0
    known = PATH + PATH_ERROR * off
    return from_clicks(drawn(case, k), detectors(), (known, PATH_ERROR if case == "calibration" else 0.0), period_ns=PERIOD_NS, top=3, stage="first_lens")


def held(case: str, found: Inversion) -> dict[str, dict[str, bool]]:
    """{figure: {level: whether the region of that level holds the truth}}."""
    result = {}
    for name, truth in true_figures(TRUTH[case]).items():
        e = found[name]
        if case == "calibration":
            if not e.is_determined:
                continue
            total = math.hypot(e.statistical, e.calibration)
            result[name] = {"68 %": abs(e.value - truth) <= total, "95 %": abs(e.value - truth) <= 1.959964 * total}
            continue
        low = -math.inf if e.minus is None else e.value - e.minus
        high = math.inf if e.plus is None else e.value + e.plus
        low_95, high_95 = (f * math.inf if v is None else v for f, v in zip((-1, 1), e.interval_95, strict=True))
        result[name] = {"68 %": low <= truth <= high, "95 %": low_95 <= truth <= high_95}
    return result


def at_the_bound(case: str, k: int) -> dict[str, bool]:
    """Whether the one-sided regions of P(1) hold the truth 0: the deviance rises from its least value to that at P(1) = 0 by less than the level says."""
    counts = drawn(case, k)
    columns = np.stack([chances(np.eye(4)[n].tolist(), PATH).ravel() for n in range(4)], axis=1)
    fit = Likelihood(Mixture(counts.ravel().astype(float), columns))
    rise = fit.rise(ratios(3)["P(1)"], 1e-9)
    return {level: rise <= most for level, most in ONE_SIDED.items()}


def table(chunks: Sequence[dict[str, Any]]) -> str:
    """Coverage by case, figure and level, with its distance from the nominal value in binomial standard errors."""
    lines = ["| case | figure | level | nominal | held | of | coverage | standard errors off |", "|---|---|---|---|---|---|---|---|"]
    for case in TRUTH:
        rows = [row for c in chunks if c["case"] == case for row in c["rows"]]
        for name in dict.fromkeys(n for row in rows for n in row):
            for level in dict.fromkeys(k for row in rows for k in row.get(name, {})):
                found = [row[name][level] for row in rows if level in row.get(name, {})]
                nominal = (AT_THE_END if case == "bound" and name == "P(1)" else {**NOMINAL, "68 %": 0.68} if name == REGION else NOMINAL)[level]
                share, n = sum(found) / len(found), len(found)
                off = (share - nominal) / math.sqrt(nominal * (1 - nominal) / n)
                lines.append(f"| {case} | {name} | {level} | {nominal} | {sum(found)} | {n} | {share:.4f} | {off:+.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Make a chunk, or the table of several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(TRUTH), default="interior")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--many", type=int, default=1200)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path, nargs="*")
    given = parser.parse_args()
    if given.table:
        print(table([json.loads(path.read_text(encoding="utf-8")) for path in given.table]))
        return
    rows = []
    for k in range(given.first, given.first + given.many):
        row = held(given.case, measured(given.case, k))
        if given.case == "bound":
            row[REGION] = at_the_bound(given.case, k)
        rows.append(row)
    chunk = {"case": given.case, "first": given.first, "rows": rows}
    if given.out is not None:
        given.out.write_text(json.dumps(chunk), encoding="utf-8")
    print(table([chunk]))


if __name__ == "__main__":
    main()
