"""The closed loop: photons of the dot of `baqis_2026`, one by one, through a chain of detectors, counted, and inverted back to what was put in.

The dot under its train of pulses sends light through a lens, a fibre and a tree of four threshold detectors with loss, jitter, dead time, dark counts
and cable delay. Each repeat is a record of time tags (`qdot.simulate_tags`). Two roads lead back from it:

    clicks    how often each pattern of clicks was seen in a period, by maximum likelihood (`qdot.inversion.from_clicks`)
    moments   g2(0) of two halves of the tree by the correlator (`qdot.correlate`) and the rate, to P(n) (`qdot.inversion.from_moments`)

The truth is P(n) of the same experiment without a detector (`Experiment.photon_numbers`). Repeat number k is drawn from the seed (2026, k).

    python fits/validation/closed_loop.py --first 0 --many 1200 --out loop.json     # a chunk; any number of them
    python fits/validation/closed_loop.py --table loop*.json                        # what closed_loop.md shows
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import qdot
from qdot.detection import Detector
from qdot.inversion import Estimate, Inversion, from_clicks, from_moments, ratios
from qdot.study import module

PULSES = 700_000
LENS, FIBRE, EFFICIENCY = 0.711, 0.4, 0.5
"""Transmissions to the first lens and to the splitter, and efficiency of each detector."""
DARK_PER_S, JITTER_FWHM_NS, DEAD_TIME_NS, DELAY_NS = 500.0, 0.05, 10.0, 1.0
STAGES = {"emission": LENS * FIBRE, "first_lens": FIBRE}
"""Stages and the transmission from each to the splitter."""
TOP = 3
"""Largest photon number of the inversion; the dot sends four in 6e-5 of all periods."""
ASSUMED = ("g3_zero", "pair_share_of_multiphotons")
"""What the moments without g3 take for granted."""
NOMINAL = {"68 %": 0.6827, "95 %": 0.95}


class Region(NamedTuple):
    """One figure of one repeat: best value, ends of the 68.3 % and 95 % intervals (infinite where open), one-sided 95 % limit."""

    value: float
    low: float
    high: float
    low_95: float
    high_95: float
    side: str
    limit: float


def detectors() -> list[Detector]:
    """Four equal detectors behind a splitter."""
    about = {"dark_per_s": DARK_PER_S, "jitter_fwhm_ns": JITTER_FWHM_NS, "dead_time_ns": DEAD_TIME_NS, "delay_ns": DELAY_NS}
    return [Detector(name, sees="pair", share=0.25, efficiency=EFFICIENCY, **about) for name in "ABCD"]


def experiment() -> qdot.Experiment:
    """The dot of the study, its light path and its detectors."""
    train: qdot.Experiment = module("baqis_2026").train()
    return train.replace(collection={"first_lens": {"pair": LENS}, "fibre": {"pair": FIBRE}}, detectors=detectors())


def truth(source: qdot.Experiment) -> dict[str, dict[str, float]]:
    """{stage: {figure: exact value}}; P(n) beyond the largest of the inversion are left out of P(n), not of the moments."""
    found = {}
    for stage in STAGES:
        numbers = source.photon_numbers("pair", max=8, stage=stage)
        figures = {name: ratio(numbers.probabilities) for name, ratio in ratios(numbers.probabilities.size - 1).items()}
        found[stage] = {name: value for name, value in figures.items() if not name.startswith("P(") or int(name[2:-1]) <= TOP}
    return found


def patterns(tags: qdot.Tags, pulses: int) -> np.ndarray:
    """(2, 2, 2, 2) periods with each pattern of clicks. The delay of the cables keeps the light of a pulse away from the border of its period."""
    clicked = np.zeros((pulses, 4), dtype=bool)
    clicked[(tags.time_ps // (tags.period_ps or 0.0)).astype(np.int64), tags.channel] = True
    return np.bincount(clicked @ np.array([8, 4, 2, 1]), minlength=16).reshape((2,) * 4)


def moments(tags: qdot.Tags, pulses: int, transmission: float, stage: str) -> Inversion:
    """The other road: both halves of the tree correlated; the rate corrected for the second photon that a detector with a dead time misses.

    g2 is C / (n1 n2 / pulses), and every coincidence is one of the n1 and one of the n2 counts: its relative variance is 1/C - 1/n1 - 1/n2, and it does not
    vary with the rate. The correlator takes C and the rates to be independent, which is the same where hardly any pair is seen, and wider here.
    """
    halves = qdot.Tags(tags.time_ps, tags.channel // 2, tags.duration_ps, period_ps=tags.period_ps)
    found = qdot.correlate(halves, (0, 1), bin_ps=500, range_ns=200.0, normalise="rates", zero_delay_ns=0.0)
    assert found.coincidences_zero
    assert found.g2_zero is not None
    pairs, counted = found.coincidences_zero, np.array(list(halves.counts.values()), dtype=float)
    dark = 2 * DARK_PER_S * 1e-9 * tags.duration_ps / 1e3
    photons = counted - dark + pairs / 4  # of each half: pairs meet in one detector half as often as in the two halves
    mean, error = photons.sum() / pulses, math.sqrt(counted.sum()) / pulses
    g2 = float(np.prod(counted / photons)) * found.g2_zero
    g2_error = g2 * math.sqrt(1 / pairs - float(np.sum(1 / counted)))
    return from_moments((float(mean), error), (g2, g2_error), efficiency=transmission * EFFICIENCY, stage=stage)


def repeated(source: qdot.Experiment, k: int, pulses: int = PULSES) -> dict[str, Inversion]:
    """Repeat k: {road, stage: what came back}."""
    period_ns = source.period_ns or 0.0
    tags = qdot.simulate_tags(source, pulses * period_ns, rng=np.random.default_rng((2026, k)))
    found = {"clicks, emission": from_clicks(patterns(tags, pulses), detectors(), STAGES["emission"], period_ns=period_ns, top=TOP)}
    return found | {f"moments, {stage}": moments(tags, pulses, transmission, stage) for stage, transmission in STAGES.items()}


def region(e: Estimate) -> Region:
    """An estimate as plain numbers."""
    low, high = (math.inf if side is None else side for side in (e.minus, e.plus))
    low_95, high_95 = (sign * math.inf if end is None else end for sign, end in zip((-1, 1), e.interval_95, strict=True))
    side, limit = ("", math.nan) if e.limit is None else (e.limit.side, e.limit.value)
    return Region(e.value, e.value - low, e.value + high, low_95, high_95, side, limit)


def table(chunks: Sequence[Mapping[str, Any]]) -> str:
    """What came back beside the truth, and how often the intervals held it, in binomial standard errors from nominal.

    `pull`: standard deviation of (value - truth) / half the 68 % interval, 1 where the intervals are as wide as the scatter. `limits`: one-sided 95 % limits
    that hold, of those given: for a figure at a bound.
    """
    exact = chunks[0]["truth"]
    rows = [row for c in chunks for row in c["rows"]]
    lines = ["| road, stage | figure | truth | mean of repeats | scatter | pull | 68 % | off | 95 % | off | limits |", "|" + "---|" * 11]
    for road in rows[0]:
        for name in rows[0][road]:
            true = exact[road.split(", ")[1]][name]
            found = [Region(*row[road][name]) for row in rows]
            n = len(found)
            values = np.array([r.value for r in found])
            widths = np.array([(r.high - r.low) / 2 for r in found])
            closed = np.isfinite(widths) & (widths > 0.0)
            pull = np.std((values - true)[closed] / widths[closed]) if closed.sum() > n / 2 else math.nan
            shares = {"68 %": np.mean([r.low <= true <= r.high for r in found]), "95 %": np.mean([r.low_95 <= true <= r.high_95 for r in found])}
            cells = [f"{shares[level]:.4f} | {(shares[level] - p) / math.sqrt(p * (1 - p) / n):+.1f}" for level, p in NOMINAL.items()]
            given = [r for r in found if r.side]
            good = sum(true <= r.limit if r.side == "upper" else true >= r.limit for r in given)
            limits = f"{good} of {len(given)}" if given else ""
            means = f"{values.mean():.6g} +- {values.std() / math.sqrt(n):.1g} | {values.std():.2g} | {pull:.3f}"
            lines.append(f"| {road} | {name} | {true:.6g} | {means} | {' | '.join(cells)} | {limits} |")
    return "\n".join(lines)


def main() -> None:
    """Make a chunk, or the table of several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--many", type=int, default=1200)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path, nargs="*")
    given = parser.parse_args()
    if given.table:
        print(table([json.loads(path.read_text(encoding="utf-8")) for path in given.table]))
        return
    source = experiment()
    rows = []
    for k in range(given.first, given.first + given.many):
        roads = repeated(source, k)
        rows.append({road: {n: region(e) for n, e in found.figures.items() if n not in ASSUMED or "moments" not in road} for road, found in roads.items()})
    chunk = {"first": given.first, "truth": truth(source), "rows": rows}
    if given.out is not None:
        given.out.write_text(json.dumps(chunk), encoding="utf-8")
    print(table([chunk]))


if __name__ == "__main__":
    main()
