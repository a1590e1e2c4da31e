"""Reference problems through the same road: NIST's nonlinear regressions, recovery of what made the data, and spectra that were measured."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FITS = Path(__file__).resolve().parent.parent / "fits"


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"validation_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


nist, recovery = module(FITS / "validation" / "nist.py"), module(FITS / "validation" / "recovery.py")


@pytest.mark.parametrize("problem", nist.PROBLEMS, ids=lambda p: p.name)
def test_the_data_have_the_certified_sum_of_squares(problem: nist.Problem) -> None:  # type: ignore[name-defined]
    r = problem.y - problem.model(problem.x, *problem.value)
    assert float(r @ r) == pytest.approx(problem.rss, rel=1e-9)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("problem", nist.PROBLEMS, ids=lambda p: p.name)
def test_certified_values_to_six_digits_and_standard_errors_to_four(problem: nist.Problem, start: int) -> None:  # type: ignore[name-defined]
    result = problem.fitted(start)
    assert result.converged
    for p, certified in zip(result.parameters.values(), problem.value, strict=True):
        assert p.value == pytest.approx(certified, rel=1e-6)
    assert list(result.scaled_errors.values()) == pytest.approx(problem.error, rel=1e-4)
    assert result.chi2 == pytest.approx(problem.rss, rel=1e-8)


def test_where_the_search_gets_stuck_it_says_so() -> None:
    """MGH10 from its far start, without the knowledge that its parameters are positive."""
    assert not nist.MGH10.fitted(0, positive=False).converged


def test_a_series_is_given_back_within_its_intervals() -> None:
    """The first series of the recovery at 2000 counts: within four of its own errors, and drawn again alike from its number."""
    (row, again) = (recovery.one(2000.0, 3) for _ in range(2))
    assert row["converged"]
    for name, true in recovery.TRUTH.items():
        p = row[name]
        assert abs(p["value"] - true) < 4 * max(p["minus"], p["plus"]), name
        assert p["wide"][0] < p["value"] - p["minus"] < p["value"] + p["plus"] < p["wide"][1]
        assert p["value"] == again[name]["value"]


def test_the_summary_counts_what_the_intervals_hold() -> None:
    """Unit normal estimates with the right errors: bias within its own error, shares near 68 and 95 %."""
    rng = np.random.default_rng(1)
    rows = []
    for k in range(2000):
        values = {n: 10 * t + t * rng.standard_normal() for n, t in recovery.TRUTH.items()}
        found = {
            n: {"value": v, "minus": t, "plus": t, "limit": None, "true": 10 * t} for (n, t), v in zip(recovery.TRUTH.items(), values.values(), strict=True)
        }
        for n, t in recovery.TRUTH.items():
            found[n]["wide"] = (values[n] - 1.96 * t, values[n] + 1.96 * t)
        rows.append({"k": k, "converged": True, **found})
    for line in recovery.summary(rows):
        assert abs(line["bias"]) < 4 * line["bias error"]
        assert line["holds 68.27 %"] == pytest.approx(0.6827, abs=0.035)
        assert line["holds 95 %"] == pytest.approx(0.95, abs=0.015)


@pytest.mark.data
def test_line_intensities_rise_with_power(shared_data: Path) -> None:
    """The line at 1320.2 nm against its height above the neighbouring pixels, read by hand, and an exponent that both agree on."""
    spectra = module(FITS / "sps_quality_2023" / "spectra.py")
    found = spectra.read(shared_data / "sps-quality" / "spectra_C41")
    assert list(found) == pytest.approx([1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8])
    line = spectra.line(found, 1320.15, leave_out=(1.2, 2.6))
    heights = []
    for s in found.values():
        k = int(np.argmin(np.abs(s.x - line.centre_nm)))
        heights.append(float(s.value[k - 1 : k + 2].max() - (s.value[k - 4 : k - 2].mean() + s.value[k + 3 : k + 5].mean()) / 2))
    assert np.corrcoef(line.area, heights)[0, 1] > 0.97
    used = ~np.isin(line.power_uW, (1.0, 1.2, 2.6))
    by_hand = np.polyfit(np.log(line.power_uW[used]), np.log(np.array(heights)[used]), 1)[0]
    assert line.exponent[0] == pytest.approx(by_hand, abs=3 * line.exponent[1])
    assert 0.05 < line.exponent[1] < 0.6
