"""A measured power series (UTS-CASLab, 2023): g2(0) and peak decay of one InGaAs/GaAs dot at 8 settings, against a dot fed from a reservoir.

`points.py` derives g2(0) and decay times from the coincidence histograms, `peaks.py` gives what the model predicts for the same analysis, and
`run` compares and fits. Without the histograms the study starts from its own table derived_points.csv. README.md says what is assumed and open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qdot.data import Histogram, Series
from qdot.drive import Instant
from qdot.emitters import ReservoirDot
from qdot.experiment import Experiment
from qdot.fitting import FitResult, Prediction
from qdot.fitting import fit as fit_series
from qdot.study import Verdict, published

from . import drawing, points
from .peaks import Averages, Peaks, Rates, coincidences, read_off

HERE = Path(__file__).resolve().parent
MAX_PAIRS = 132
"""Enough for the largest coupling below at 30 uW."""
START = {
    "source.pairs_per_fJ": (0.07, 0.002, 0.2),
    "source.capture_per_ns": (5.0, 0.1, 100.0),
    "source.lifetime_X_ns": (0.98, 0.2, 3.0),
    "source.lifetime_XX_ns": (0.009, 0.0002, 3.0),
    "source.reservoir_decay_per_ns": (0.2, 0.0, 20.0),
}
"""The five parameters: start, lower and upper bound. pairs_per_fJ counts energy before the sample, 12.5 fJ per pulse and uW."""
ALTERNATIVE = {
    "source.pairs_per_fJ": (0.14, 0.002, 0.2),
    "source.capture_per_ns": (2.8, 0.1, 300.0),
    "source.lifetime_X_ns": (1.0, 0.2, 3.0),
    "source.second_capture": (0.01, 0.0, 10.0),
    "source.reservoir_decay_per_ns": (4.4, 0.0, 20.0),
}
"""Another reading of the same data: an XX that lives half as long as X, 0.5 ns, and a second capture that may be slower than the first."""


def run(data: Path | None = None, out: Path | None = None) -> list[Verdict]:
    """The study's table: points against the reference table, the joint fit, and what it leaves open. Figures go to `out`."""
    found, measured = measurements(data)
    result = joint_fit(measured)
    if out is not None:
        _draw(result, measured, found, out)
    return verdicts(measured, result)


def fit(data: Path | None = None, out: Path | None = None) -> dict[str, Any]:
    """The joint fit as plain values: chi2_per_dof, points, parameters, and what belongs to them. Figures and derived_points.csv go to `out`."""
    found, measured = measurements(data)
    result = joint_fit(measured)
    g2, decay = (t.predicted for t in result.terms)
    answer: dict[str, Any] = {
        "chi2_per_dof": result.chi2_per_dof,
        "chi2": result.chi2,
        "dof": result.dof,
        "converged": result.converged,
        "points": [
            {
                "power_uW": float(measured.power_uW[i]),
                "g2_zero": float(measured.g2_zero[i]),
                "error": float((measured.g2_minus[i] + measured.g2_plus[i]) / 2),
                "g2_zero_fit": float(g2[i]),
                "decay_ns": float(measured.decay_ns[i]),
                "decay_error_ns": float((measured.decay_minus_ns[i] + measured.decay_plus_ns[i]) / 2),
                "decay_fit_ns": float(decay[i]),
            }
            for i in range(len(measured.names))
        ],
        "parameters": {name.removeprefix("source."): p.as_dict() for name, p in result.parameters.items()},
        "data": measured.source,
        "method": result.method,
        "versions": dict(result.versions),
    }
    if found:
        simple, model = shapes(result, found, measured)
        answer["deviance_two_sided_exponentials"], answer["deviance_model_peaks"] = float(simple.sum()), float(model.sum())
        answer["bins"] = int(measured.bins.sum())
    if out is not None:
        _draw(result, measured, found, out)
        points.write(measured, out / "derived_points.csv")
    return answer


def experiment() -> Experiment:
    """The dot under the 80 MHz train, pulses far shorter than anything the dot does."""
    source = ReservoirDot(max_pairs=MAX_PAIRS)
    return Experiment(source, drive=Instant(power_uW=1.0, period_ns=points.PERIOD_NS))


def joint_fit(measured: points.Points, alternative: bool = False) -> FitResult:
    """g2(0) and decay times of all settings, fitted with one ReservoirDot: 16 points, five parameters.

    alternative: with the XX lifetime held at 0.5 ns and the second capture free instead.
    """
    start = experiment().replace({"source.lifetime_XX_ns": 0.5}) if alternative else experiment()
    return fit_series(start, measured.series(), vary=ALTERNATIVE if alternative else START, predict=prediction(measured))


def prediction(measured: points.Points) -> Prediction:
    """What the analysis of the histograms would find in the model's light: (g2(0), decay time) at the powers of the points."""
    rates, averages = Rates(MAX_PAIRS), Averages(measured.bin_width_ns, points.PERIOD_NS)
    powers, index = np.unique(measured.power_uW, return_inverse=True)
    level = measured.background_per_ns / measured.side_area

    def predict(one: Experiment, data: Sequence[Series | Histogram]) -> list[np.ndarray]:
        return list(read_off(coincidences(one.source, powers, points.PERIOD_NS, rates), index, level, measured.bin_width_ns, averages))

    return predict


def model_peaks(result: FitResult, powers_uW: np.ndarray) -> Peaks:
    """Coincidences of the fitted dot at these powers."""
    return coincidences(result.experiment.source, powers_uW, points.PERIOD_NS)


def shapes(result: FitResult, found: list[points.Setting], measured: points.Points) -> tuple[np.ndarray, np.ndarray]:
    """Deviance of each histogram under two-sided exponentials, and under the fitted dot's own peak shapes, each (n,).

    The second has no free shape: only side area and background of each histogram are free, at the zero delay found before.
    """
    peaks = model_peaks(result, measured.power_uW)
    own = [points.shape_deviance(s.histogram, peaks.tau_ns, peaks.side[:, i], peaks.central[:, i], measured.zero_delay_ns)[0] for i, s in enumerate(found)]
    return measured.deviance, np.array(own)


def verdicts(measured: points.Points, result: FitResult) -> list[Verdict]:
    """One row per entry of published.toml."""
    table = published(HERE)
    rows = []
    centre = "the reference table evaluates the peaks at the bin centre; integrated over the bins the decay is 0.002 ns (0.128 ns bins) to 0.008 ns shorter"
    for i, name in enumerate(measured.names):
        low, high = measured.g2_minus[i], measured.g2_plus[i]
        rows.append(table[f"g2_{name}"].judge(float(measured.g2_zero[i]), f"-{low:.3f} +{high:.3f} here; {measured.source}"))
    for i, name in enumerate(measured.names):
        error = (measured.decay_minus_ns[i] + measured.decay_plus_ns[i]) / 2
        rows.append(table[f"decay_{name}"].judge(float(measured.decay_ns[i]), f"+-{error:.3f} here; {centre}"))
    pulls = np.concatenate([t.pulls for t in result.terms])
    worst = int(np.argmax(np.abs(pulls)))
    where = f"{('g2(0)', 'decay')[worst // len(measured.names)]} at {measured.names[worst % len(measured.names)]}"
    fitted = f"chi2 {result.chi2:.2f}, {result.points} points, {len(result.parameters)} parameters; largest pull {pulls[worst]:+.1f}, {where}"
    rows.append(table["chi2_per_dof"].judge(result.chi2_per_dof, fitted))
    for name, p in result.parameters.items():
        if p.is_determined:
            left = f"-{p.minus:.3g} +{p.plus:.3g} within this model; the alternative in README.md has other values at the same chi2"
        else:
            left = f"{p.limit}" if p.limit else "open on both sides"
        rows.append(table[name.removeprefix("source.")].judge(p.value, left, determined=False))
    return rows


def measurements(data: Path | None = None) -> tuple[list[points.Setting], points.Points]:
    """The settings if there are histograms (else none), and the points; data: where the histograms are, None to look for them."""
    where = _beside() if data is None else data
    if where is None:
        return [], points.read()
    found = points.settings(where)
    return found, points.derive(found)


def _beside() -> Path | None:
    """The measurements in the folder QDOT_SHARED, or in `shared` beside the checkout; None where there are none."""
    shared = Path(os.environ.get("QDOT_SHARED") or HERE.parent.parent.parent / "shared")
    where = shared / "data" / "sps-quality"
    return where if (where / "power_series").is_dir() else None


def curve(result: FitResult, measured: points.Points, powers_uW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(g2(0), decay time in ns) of the fitted dot at any powers, read off in bins of 0.256 ns on the median background of the measurements."""
    level = np.full(powers_uW.size, float(np.median(measured.background_per_ns / measured.side_area)))
    return read_off(model_peaks(result, powers_uW), np.arange(powers_uW.size), level, np.full(powers_uW.size, 0.256))


def _draw(result: FitResult, measured: points.Points, found: list[points.Setting], out: Path) -> None:
    powers = np.geomspace(1.0, 32.0, 24)
    drawing.power_series(result, measured, powers, curve(result, measured, powers), out / "power_series.png")
    if found:
        drawing.histograms(found, measured, model_peaks(result, measured.power_uW), out / "histograms.png")
