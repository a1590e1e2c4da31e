"""Do the fits give back what made the data, with intervals that hold what they promise? Power series of the dark-loaded cascade, drawn and fitted.

One series: counts at 8 powers (intensity), coincidences at zero delay at 8 powers (g2(0)), and two whole histograms of g2(tau) at two of them. Every
number is a Poisson count. "Counts per peak" is what the bunching peak of a histogram, and each coincidence number, holds on average; an intensity
is counted to 100 times as many. Free: pump, spin flip, lifetime of X, collection; and of the histograms one zero delay and a level each.

    python fits/validation/recovery.py --counts 50 --first 0 --many 300 --out recovery_50_0.json      # a chunk; any number of them
    python fits/validation/recovery.py --table recovery_*.json                                        # what README.md shows

Series number k is drawn from the seed (counts, k), so that chunks can be made in any order and anywhere.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import qdot
from qdot.data import Histogram, Series
from qdot.fitting import Observation, Request

TRUTH = {"source.pump_per_ns_per_uW": 0.02, "source.spin_flip_per_ns": 1e-2, "source.lifetime_X_ns": 0.10, "collection.pair": 0.30}
"""What is looked for."""
START = {
    "source.pump_per_ns_per_uW": (0.03, 1e-5, 10.0),
    "source.spin_flip_per_ns": (4e-3, 1e-7, 1.0),
    "source.lifetime_X_ns": (0.15, 1e-3, 10.0),
    "collection.pair": (0.2, 1e-4, 1.0),
}
POWERS_UW = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8])
SHOWN_UW = {"low": 0.4, "high": 3.2}
"""Powers of the two histograms."""
ZERO_NS, BIN_NS, BINS = 0.02, 0.05, 240
PEAK_NS = 0.5
"""The peak is what lies within this of zero delay."""
INTENSITY = 100.0
"""Counts of the brightest intensity over those of a peak."""


def dot() -> qdot.Experiment:
    """The dot that makes the data."""
    source = qdot.emitters.DarkLoadedCascade(pump_per_ns_per_uW=0.02, spin_flip_per_ns=1e-2)
    return qdot.Experiment(source, drive=qdot.drive.CW(power_uW=1.0), collection={"pair": 0.30})


def observations(counts: float) -> tuple[list[Observation], dict[str, Any]]:
    """Empty measurements with the exposures that give so many counts per peak, and the start of every parameter."""
    e = dot()
    flux = np.array([float(e.replace({"drive.power_uW": p}).flux_per_ns("pair")) for p in POWERS_UW])
    g2 = np.array([float(e.replace({"drive.power_uW": p}).g2_zero("pair")) for p in POWERS_UW])
    nothing = np.zeros(POWERS_UW.size)
    intensity = Series.of_counts(POWERS_UW, nothing, "power_uW", "counts", "intensity")
    made = [Observation(data=intensity, quantity="flux_per_ns", scale=float(INTENSITY * counts / flux.max()))]
    for p, height in zip(POWERS_UW, g2, strict=True):
        point = Series.of_counts(np.array([p]), np.zeros(1), "power_uW", "counts", f"coincidences at {p:g} uW")
        made.append(Observation(data=point, quantity="g2_zero", scale=float(counts / height)))
    left = (np.arange(BINS) - BINS // 2) * BIN_NS
    levels = {}
    for name, p in SHOWN_UW.items():
        h = Histogram(left, BIN_NS, np.zeros(BINS), f"histogram at {p:g} uW")
        made.append(Observation(data=h, name=name, at={"drive.power_uW": p}))
        edges = np.linspace(-PEAK_NS, PEAK_NS, 2001)
        area = float(np.trapezoid(np.asarray(e.replace({"drive.power_uW": p}).g2(edges, "pair")), edges))
        levels[f"{name}.counts_per_bin"] = counts / area * BIN_NS
    return made, levels


def drawn(counts: float, k: int) -> tuple[Request, dict[str, float]]:
    """Series number k, and the truth of all its parameters."""
    made, levels = observations(counts)
    truth = {**TRUTH, **levels, "histogram.zero_delay_ns": ZERO_NS}
    start = {**START, **{n: (0.5 * v, 1e-6 * v, 1e4 * v) for n, v in levels.items()}, "histogram.zero_delay_ns": (0.0, -0.3, 0.3)}
    request = Request.of(dot(), made, start, "pair", None, None, (), None)
    expected = request.values(request.space.expand(np.array([truth[n] for n in request.space.names])))
    rng = np.random.default_rng([int(counts), k])
    data = []
    for d, mu in zip(request.measured, expected, strict=True):
        n = rng.poisson(mu).astype(float)
        data.append(Histogram(d.left_ns, d.bin_width_ns, n, d.source) if isinstance(d, Histogram) else Series.of_counts(d.x, n, d.x_name, d.name, d.source))
    return request.with_data(data), truth


def one(counts: float, k: int) -> dict[str, Any]:
    """Series number k fitted: for each parameter of the dot value, ends of both intervals, and the truth."""
    from qdot.fitting.fitting import solve

    request, truth = drawn(counts, k)
    result = solve(request, request.space.start, 0, False)  # intervals only of the four that are looked for
    row: dict[str, Any] = {"k": k, "converged": result.converged, "chi2": result.chi2, "p_value": result.goodness.p_value}
    for name in TRUTH:
        p = result.profiles.estimate(request.space.names.index(name))
        row[name] = {"value": p.value, "minus": p.minus, "plus": p.plus, "limit": p.limit, "wide": result.interval(name, 0.95), "true": truth[name]}
    return row


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each parameter bias in standard deviations, and how often the intervals hold the truth, with their binomial errors."""
    found = []
    for name in TRUTH:
        own = [r[name] for r in rows if r["converged"]]
        values, true = np.array([o["value"] for o in own]), own[0]["true"]
        n = len(own)

        def holds(low: float | None, high: float | None, true: float = true) -> bool:
            return (low is None or low <= true) and (high is None or true <= high)

        narrow = np.mean([holds(None if o["minus"] is None else o["value"] - o["minus"], None if o["plus"] is None else o["value"] + o["plus"]) for o in own])
        wide = np.mean([holds(*o["wide"]) for o in own])
        found.append(
            {
                "parameter": name,
                "fits": n,
                "not converged": len(rows) - n,
                "relative error": float(values.std() / true),
                "bias": float((values.mean() - true) / values.std()),
                "bias error": 1 / math.sqrt(n),
                "holds 68.27 %": float(narrow),
                "in its errors": float((narrow - 0.6827) / math.sqrt(0.6827 * 0.3173 / n)),
                "holds 95 %": float(wide),
                "in its errors ": float((wide - 0.95) / math.sqrt(0.95 * 0.05 / n)),
                "one-sided": sum(o["limit"] is not None for o in own),
            }
        )
    return found


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=float, default=50.0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--many", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path, nargs="+")
    given = parser.parse_args()
    if given.table:
        chunks = [json.loads(p.read_text(encoding="utf-8")) for p in given.table]
        for counts in sorted({c["counts"] for c in chunks}):
            rows = {r["k"]: r for c in chunks if c["counts"] == counts for r in c["rows"]}
            table = summary(list(rows.values()))
            p = np.array([r["p_value"] for r in rows.values()])
            print(f"\n{counts:g} counts per peak, {len(rows)} series; p-values of the fits below 0.05: {np.mean(p < 0.05):.3f}, median {np.median(p):.2f}\n")
            print("| " + " | ".join(table[0]) + " |\n|" + "---|" * len(table[0]))
            for line in table:
                print("| " + " | ".join(v if isinstance(v, str) else f"{v:.4g}" if isinstance(v, float) else str(v) for v in line.values()) + " |")
        return
    rows, begin = [], time.perf_counter()
    for k in range(given.first, given.first + given.many):
        rows.append(one(given.counts, k))
        if time.perf_counter() - begin > given.seconds:
            break
    text = json.dumps({"counts": given.counts, "seconds": time.perf_counter() - begin, "rows": rows})
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    print(f"{len(rows)} series, {(time.perf_counter() - begin) / len(rows):.2f} s each")


if __name__ == "__main__":
    main()
