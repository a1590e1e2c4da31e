"""The closed loop on a small scale: tags of the central study's dot through a tree of detectors, correlated and inverted, give back what was put in.

`fits/validation/closed_loop.py` does it 1200 times; its table stands beside it. Here one record with a fixed seed, and what must fail.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

import qdot
from qdot.inversion import from_moments

ROOT = Path(__file__).resolve().parent.parent
PULSES = 600_000
SIGMAS = 4.0
AT_A_BOUND = ("P(3)", "g3_zero", "pair_share_of_multiphotons")
"""What so few triple clicks leave open on one side."""


@pytest.fixture(scope="module")
def loop():
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("closed_loop", ROOT / "fits" / "validation" / "closed_loop.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules["closed_loop"] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def returned(loop):
    """What came back from one record."""
    return loop.repeated(loop.experiment(), 5000, PULSES)


def test_photon_numbers_share_and_efficiency_come_back(loop, returned) -> None:
    truth = loop.truth(loop.experiment())
    for road, found in returned.items():
        for name, e in found.figures.items():
            true = truth[road.split(", ")[1]][name]
            if name in AT_A_BOUND:
                if e.limit is not None:
                    assert (true <= e.limit.value) if e.limit.side == "upper" else (true >= e.limit.value), (road, name)
                continue
            width = max(e.minus or 0.0, e.plus or 0.0)
            assert 0.0 < width < 0.05
            assert abs(e.value - true) < SIGMAS * width, (road, name)
    lens = returned["moments, first_lens"]["pair_efficiency"]
    assert lens.value == pytest.approx(0.2990, abs=SIGMAS * lens.statistical)  # what the study states


def test_both_roads_agree_far_within_their_errors(returned) -> None:
    """They see the same record, so that they differ by what they make of it only: P(3), and pairs that meet in one detector."""
    for name in ("P(0)", "P(2)", "mean_photons", "pair_efficiency"):
        clicks, moments = (returned[f"{road}, emission"][name] for road in ("clicks", "moments"))
        assert abs(clicks.value - moments.value) < 1.5 * clicks.statistical, name


def test_a_wrong_efficiency_and_a_forgotten_second_photon_would_be_seen(loop) -> None:
    source = loop.experiment()
    truth = loop.truth(source)["emission"]
    tags = qdot.simulate_tags(source, PULSES * source.period_ns, rng=np.random.default_rng(5001))
    wrong = loop.moments(tags, PULSES, 1.02 * loop.STAGES["emission"], "emission")["mean_photons"]
    assert abs(wrong.value - truth["mean_photons"]) > 4 * wrong.statistical
    patterns = loop.patterns(tags, PULSES)
    number = np.indices(patterns.shape).sum(axis=0)
    clicks = float((patterns * number).sum()) / patterns.sum()
    naive = from_moments((clicks, math.sqrt(clicks / PULSES)), 0.8, efficiency=loop.STAGES["emission"] * loop.EFFICIENCY)["mean_photons"]
    assert abs(naive.value - truth["mean_photons"]) > 4 * naive.statistical


def test_the_table_tells_coverage_from_the_intervals(loop) -> None:
    """Regions made by hand: three of four hold the truth at 68 %, all at 95 %, one limit of two."""
    regions = [(1.0, 0.5, 1.5, 0.0, 2.0, "", math.nan), (1.0, 0.5, 1.5, 0.0, 2.0, "", math.nan)]
    regions += [(0.4, -math.inf, 1.2, -math.inf, 1.5, "upper", 1.4), (0.3, -math.inf, 0.8, -math.inf, 1.1, "upper", 0.9)]
    chunk = {"truth": {"emission": {"P(1)": 1.0}}, "rows": [{"clicks, emission": {"P(1)": list(r)}} for r in regions]}
    row = loop.table([chunk]).splitlines()[-1]
    cells = [c.strip() for c in row.split("|")[1:-1]]
    assert cells[:3] == ["clicks, emission", "P(1)", "1"]
    assert cells[6:] == ["0.7500", "+0.3", "1.0000", "+0.5", "1 of 2"]


@pytest.mark.slow
def test_sixty_repeats_hold_the_truth_as_often_as_they_say(loop) -> None:
    """Coverage of the mean and of P(2) within 3 binomial standard errors of 68 and 95 %."""
    source = loop.experiment()
    truth = loop.truth(source)["emission"]
    held = {level: [] for level in loop.NOMINAL}
    for k in range(60):
        found = loop.repeated(source, 6000 + k, 200_000)["moments, emission"]
        for name in ("mean_photons", "P(2)"):
            r = loop.region(found[name])
            held["68 %"].append(r.low <= truth[name] <= r.high)
            held["95 %"].append(r.low_95 <= truth[name] <= r.high_95)
    for level, p in loop.NOMINAL.items():
        assert abs(np.mean(held[level]) - p) < 3 * math.sqrt(p * (1 - p) / len(held[level]))
