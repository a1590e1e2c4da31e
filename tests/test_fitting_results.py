"""What a fit says about itself: intervals of derived quantities, open directions, model choice, the record, and the way to other fitters."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qdot
from qdot import Experiment, InputError, cli, fitting
from qdot.data import Histogram, Series
from qdot.drive import CW
from qdot.emitters import BrightCascade, DarkLoadedCascade, TwoLevel
from qdot.fitting import JointPrior, Observation, Response, compare

X = np.array([0.5, 1.0, 2.0, 3.0, 4.5])
Y = np.array([1.9, 3.2, 4.6, 7.4, 9.7])
E = np.array([0.2, 0.1, 0.3, 0.2, 0.4])
LINE = Series(X, Y, E, E, "power_uW", "height", "by hand")
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "g2_vs_power.csv"
CW_DARK = Experiment(DarkLoadedCascade(), drive=CW(power_uW=1.0), collection={"pair": 0.55})


def straight(x: np.ndarray, a: float, b: float) -> np.ndarray:
    return a + b * x


def test_a_plain_function_is_fitted_by_the_same_road_and_derived_quantities_have_their_own_intervals() -> None:
    """A straight line: a + 2 b has the standard error of linear least squares, whatever the correlation."""
    result = fitting.fit(straight, LINE, {"a": 0.3, "b": 1.0}, derive={"at_two": "a + 2 * b", "ratio": "a / b"})
    design = np.stack([np.ones_like(X), X], axis=1) / E[:, None]
    covariance = np.linalg.inv(design.T @ design)
    best = covariance @ design.T @ (Y / E)
    assert result.parameters["a"].value == pytest.approx(best[0], rel=1e-9)
    assert result.covariance == pytest.approx(covariance, rel=1e-7)
    sigma = math.sqrt(np.array([1, 2]) @ covariance @ np.array([1, 2]))
    assert result.derived["at_two"].value == pytest.approx(best[0] + 2 * best[1], rel=1e-9)
    assert result.derived["at_two"].minus == pytest.approx(sigma, rel=1e-2)
    assert result.derived["at_two"].plus == pytest.approx(sigma, rel=1e-2)
    # Fieller: a/b = q where (a - q b)^2 = var(a - q b)
    q = [result.derived["ratio"].value - (result.derived["ratio"].minus or 0), result.derived["ratio"].value + (result.derived["ratio"].plus or 0)]
    for end in q:
        way = np.array([1.0, -end])
        assert (way @ best) ** 2 == pytest.approx(way @ covariance @ way, rel=3e-2)
    low, high = result.interval("a", 0.95)
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.959964 * math.sqrt(covariance[0, 0]), rel=2e-2)


def test_a_prior_is_one_more_measurement_and_correlated_ones_are_whitened() -> None:
    prior, covariance = np.array([1.0, 2.0]), np.array([[0.04, 0.015], [0.015, 0.01]])
    result = fitting.fit(straight, LINE, {"a": 0.3, "b": 1.0}, priors=[JointPrior(("a", "b"), prior, covariance)])
    design = np.stack([np.ones_like(X), X], axis=1) / E[:, None]
    total = np.linalg.inv(design.T @ design + np.linalg.inv(covariance))
    best = total @ (design.T @ (Y / E) + np.linalg.solve(covariance, prior))
    assert [p.value for p in result.parameters.values()] == pytest.approx(best, rel=1e-8)
    assert result.covariance == pytest.approx(total, rel=1e-6)
    assert result.dof == 5
    one = fitting.fit(straight, LINE, {"a": 0.3, "b": 1.0}, priors={"a": (1.0, 0.2)})
    alone = np.linalg.inv(design.T @ design + np.diag([25.0, 0.0]))
    assert one.covariance == pytest.approx(alone, rel=1e-6)


def test_a_calibration_error_is_shared_by_all_points_of_its_series() -> None:
    """Flux of a pumped emitter far below saturation, with a scale known to 5 %: the pump is known to 5 % too, however small the errors."""
    e = Experiment(TwoLevel(lifetime_ns=1e-3, pump_per_ns_per_uW=0.2), drive=CW(power_uW=1.0))
    x = np.array([0.5, 1.0, 2.0])
    flux = Series(x, 0.2 * x, 1e-4 * x, 1e-4 * x, "power_uW", "flux_per_ns", "computed")
    vary = {"source.pump_per_ns_per_uW": 0.1, "calibration.flux": 1.0}
    result = qdot.fit(e, Observation(data=flux, scale="calibration.flux"), vary, label="X", priors={"calibration.flux": (1.0, 0.05)})
    pump = result.parameters["source.pump_per_ns_per_uW"]
    assert pump.value == pytest.approx(0.2, rel=1e-3)
    assert (pump.minus or 0) + (pump.plus or 0) == pytest.approx(0.2 * 0.1, rel=1e-2)
    assert result.correlation[0, 1] == pytest.approx(-1.0, abs=1e-3)
    assert result.undetermined == ()


def test_what_the_data_do_not_determine_is_named_instead_of_given_an_error_bar() -> None:
    """Flux far below saturation is pump times power times collection: only the product is determined."""
    e = Experiment(TwoLevel(lifetime_ns=1e-12, pump_per_ns_per_uW=0.2), drive=CW(power_uW=1.0), collection={"X": 0.5})
    x = np.array([0.5, 1.0, 2.0])
    flux = Series(x, 0.1 * x, 1e-3 * x, 1e-3 * x, "power_uW", "flux_per_ns", "computed")
    result = qdot.fit(e, flux, {"source.pump_per_ns_per_uW": (0.15, 1e-6, 1e6), "collection.X": (0.4, 1e-6, 1.0)}, label="X")
    (only,) = result.undetermined
    assert "only the product of" in only.words
    assert "source.pump_per_ns_per_uW" in only.words
    assert "collection.X" in only.words
    assert np.all(np.isnan(result.covariance))
    assert not result.parameters["source.pump_per_ns_per_uW"].is_determined
    assert only.words in str(result)
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["undetermined"][0]["words"] == only.words


def test_a_parameter_without_effect_is_named_alone() -> None:
    s = qdot.read_series(EXAMPLE)
    pump, hot = "source.pump_per_ns_per_uW", "source.relaxation_XX_ns"
    result = qdot.fit(CW_DARK.replace({"source.relaxation_ns": 0.0}), s, {pump: 3e-3, hot: 0.03}, label="pair")
    assert any(hot in d.weights and "does not matter" in d.words for d in result.undetermined)
    assert result.parameters[pump].is_determined


def test_a_scan_finds_the_valley_that_the_start_misses() -> None:
    def waves(x: np.ndarray, f: float) -> np.ndarray:
        return np.sin(f * x)

    x = np.linspace(0, 6, 40)
    s = Series(x, waves(x, 5.3), np.full(40, 0.1), np.full(40, 0.1), "x", "height", "computed")
    assert abs(fitting.fit(waves, s, {"f": (1.0, 0.1, 10.0)}).parameters["f"].value - 5.3) > 0.1
    assert fitting.fit(waves, s, {"f": (1.0, 0.1, 10.0)}, scan=64).parameters["f"].value == pytest.approx(5.3, rel=1e-6)


def test_bounds_come_from_the_declaration_and_ties_follow() -> None:
    s = qdot.read_series(EXAMPLE)
    vary = {"source.pump_per_ns_per_uW": 3e-3, "source.spin_flip_per_ns": 3e-4, "source.selectivity": 0.98}
    result = qdot.fit(CW_DARK, s, vary, label="pair", tie={"source.lifetime_XX_ns": "0.6 * source.lifetime_X_ns"})
    assert [(p.low, p.high) for p in result.request.space.parameters] == [(0, math.inf), (0, math.inf), (0, 1)]
    assert result.experiment is not None
    assert result.experiment.source.lifetime_XX_ns == pytest.approx(0.06, rel=1e-12)
    assert result.parameters["source.selectivity"].limit is None or result.parameters["source.selectivity"].limit.side == "lower"


def test_is_a_dark_path_needed() -> None:
    """The power dependence of g2(0) against an unequally pumped bright ladder: needed for a dark dot's data, not for a bright one's."""
    bright = Experiment(BrightCascade(pump_per_ns_per_uW=0.3, pump_ratio=0.6), drive=CW(power_uW=1.0))
    dark = Experiment(DarkLoadedCascade(pump_per_ns_per_uW=0.3, spin_flip_per_ns=0.05), drive=CW(power_uW=1.0))
    powers = np.geomspace(0.1, 30.0, 9)
    rng = np.random.default_rng(4)
    ladder = {"source.pump_per_ns_per_uW": (0.2, 1e-6, 100.0), "source.pump_ratio": (1.0, 1e-3, 1e4)}
    path = {"source.pump_per_ns_per_uW": (0.2, 1e-6, 100.0), "source.spin_flip_per_ns": (0.02, 1e-6, 10.0)}
    verdicts = []
    for truth in (dark, bright):
        value = np.array([float(truth.replace({"drive.power_uW": p}).g2_zero("pair")) for p in powers])
        s = Series(powers, value * (1 + 0.03 * rng.standard_normal(9)), 0.03 * value, 0.03 * value, "power_uW", "g2_zero", "drawn")
        null, alternative = qdot.fit(bright, s, ladder, label="pair"), qdot.fit(dark, s, path, label="pair")
        verdicts.append(compare(null, alternative, draws=9, rng=rng))
    assert verdicts[0].gain > 100
    assert verdicts[0].p_bootstrap == pytest.approx(0.1)  # none of nine drawn gains is as large
    assert verdicts[1].gain < 0
    assert verdicts[1].p_bootstrap is not None
    assert verdicts[1].p_bootstrap > 0.1
    assert verdicts[0].p_wilks is None  # not nested
    assert "BrightCascade(pump_per_ns_per_uW, pump_ratio) (null)" in str(verdicts[0])


def test_wilks_and_the_bootstrap_agree_for_nested_models() -> None:
    rng = np.random.default_rng(8)
    null = fitting.fit(straight, LINE, {"a": 0.3, "b": 1.0})
    again = null.bootstrap(200, rng)
    sigma = null.standard_errors
    assert again.failed == 0
    for name in ("a", "b"):
        low, high = again.interval(name)
        assert (high - low) / 2 == pytest.approx(sigma[name], rel=0.15)
    assert float(np.mean(again.chi2)) == pytest.approx(3.0, abs=0.6)
    s = qdot.read_series(EXAMPLE)
    small = qdot.fit(CW_DARK, s, {"source.pump_per_ns_per_uW": 2e-3}, label="pair")
    large = qdot.fit(CW_DARK, s, {"source.pump_per_ns_per_uW": 2e-3, "source.spin_flip_per_ns": 2e-4}, label="pair")
    found = compare(small, large)
    assert found.more == 1
    assert found.p_wilks == pytest.approx(math.erfc(math.sqrt(found.gain / 2)), rel=1e-6)
    with pytest.raises(InputError, match="same measurements"):
        compare(small, qdot.fit(CW_DARK, qdot.read_series(EXAMPLE), {"source.pump_per_ns_per_uW": 2e-3}, label="pair"))


def test_goodness_at_few_counts_is_not_that_of_chi2() -> None:
    """A flat histogram of 0.1 counts per bin: chi2 of 2000 bins is near 1000, and still a good fit."""

    def flat(x: np.ndarray, level: float) -> np.ndarray:
        return np.full(x.size, level)

    counts = np.random.default_rng(2).poisson(0.1, 2000)
    h = Histogram(np.arange(2000.0), 1.0, counts.astype(float), "drawn")
    result = fitting.fit(flat, h, {"level": (0.5, 1e-6, None)})
    assert result.parameters["level"].value == pytest.approx(counts.mean(), rel=1e-6)
    assert result.chi2_per_dof < 0.6
    assert 0.01 < result.goodness.p_value < 0.99
    wrong = Histogram(np.arange(2000.0), 1.0, np.where(np.arange(2000) < 100, 3.0, counts), "drawn")
    assert fitting.fit(flat, wrong, {"level": (0.5, 1e-6, None)}).goodness.p_value < 1e-6


def test_the_posterior_of_a_line_is_its_gaussian() -> None:
    pytest.importorskip("emcee")
    result = fitting.fit(straight, LINE, {"a": (0.3, -10.0, 10.0), "b": (1.0, -10.0, 10.0)})
    chain = result.sample(400, np.random.default_rng(3))
    assert chain.samples.mean(axis=0) == pytest.approx([p.value for p in result.parameters.values()], abs=0.03)
    assert np.cov(chain.samples.T) == pytest.approx(result.covariance, rel=0.25)
    assert "acceptance" in str(chain)
    again = result.sample(400, np.random.default_rng(3))
    assert np.array_equal(chain.samples, again.samples)


def test_model_functions_go_into_scipy_and_lmfit_in_one_line() -> None:
    from scipy.optimize import curve_fit

    s = qdot.read_series(EXAMPLE)
    names = ["source.pump_per_ns_per_uW", "source.spin_flip_per_ns"]
    result = qdot.fit(CW_DARK, s, {n: v for n, v in zip(names, (3e-3, 3e-4), strict=True)}, label="pair")
    found, covariance = curve_fit(fitting.model_function(CW_DARK, s, names, label="pair"), s.x, s.value, p0=[2e-3, 2e-4], sigma=s.plus, absolute_sigma=True)
    assert found == pytest.approx([p.value for p in result.parameters.values()], rel=1e-4)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(np.sqrt(np.diag(result.covariance)), rel=1e-2)
    lmfit = pytest.importorskip("lmfit")
    model = lmfit.Model(fitting.model_function(CW_DARK, s, names, label="pair"))
    other = model.fit(s.value, x=s.x, source_pump_per_ns_per_uW=2e-3, source_spin_flip_per_ns=2e-4, weights=1 / s.plus)
    assert other.best_values["source_spin_flip_per_ns"] == pytest.approx(result.parameters[names[1]].value, rel=1e-4)
    h = Histogram(np.arange(-5, 5) * 0.5, 0.5, np.ones(10), "h")
    vary = {"source.spin_flip_per_ns": 1e-4, "histogram.zero_delay_ns": 0.1, "histogram.counts_per_bin": 3.0}
    f = fitting.model_function(CW_DARK, h, vary, label="pair")
    assert f(h.left_ns + 0.25, 1e-4, 0.0, 3.0)[5] > 100


# The command line and the record ----------------------------------------------------------------------------------------------------------------------


FIT = """
emitter = "DarkLoadedCascade"
label = "pair"
[drive]
shape = "cw"
power_uW = 1.0
[collection]
pair = 0.55
[vary]
"source.pump_per_ns_per_uW" = [3e-3, 0.0, inf]
"source.spin_flip_per_ns" = [3e-4, 0.0, inf]
"low.counts_per_bin" = 0.5
"calibration.power" = 1.0
[tie]
"low.zero_delay_ns" = "0"
[prior]
"calibration.power" = [1.0, 0.02]
[derive]
flips = "source.spin_flip_per_ns / source.pump_per_ns_per_uW"
[[data]]
file = "series.csv"
value = "g2_zero"
power_scale = "calibration.power"
[[data]]
file = "low.tsv"
name = "low"
at = { "drive.power_uW" = 3.0 }
response = { fwhm_ns = 0.2 }
power_scale = "calibration.power"
"""


def joint(folder: Path) -> Path:
    truth = CW_DARK.replace({"drive.power_uW": 3.0})
    h = Histogram(np.arange(-20, 20) * 0.25, 0.25, np.zeros(40), "axis")
    one = Observation(data=h, response=Response(fwhm_ns=0.2))
    request = fitting.Request.of(truth, one, {"histogram.zero_delay_ns": 0.0, "histogram.counts_per_bin": 0.7}, "pair", None, None, (), None)
    counts = np.random.default_rng(6).poisson(request.values(request.space.expand(request.space.start))[0])
    (folder / "low.tsv").write_text("delay_ps\tcounts\n" + "\n".join(f"{1000 * t:.0f}\t{n}" for t, n in zip(h.left_ns, counts, strict=True)))
    (folder / "series.csv").write_text(EXAMPLE.read_text(encoding="utf-8"))
    (folder / "fit.toml").write_text(FIT)
    return folder / "fit.toml"


def test_a_joint_fit_from_a_file_is_recorded_so_that_it_can_be_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = joint(tmp_path), tmp_path / "out"
    assert cli.main(["fit", str(path), "--json", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert "report, figure and record in" in captured.err
    for name, true in (("source.pump_per_ns_per_uW", 1e-3), ("source.spin_flip_per_ns", 1e-4), ("low.counts_per_bin", 0.7)):
        p = found["parameters"][name]
        assert abs(p["value"] - true) < 4 * max(p["minus"], p["plus"])
    assert found["derived"]["flips"]["value"] == pytest.approx(0.1, rel=0.2)
    assert {f.name for f in out.iterdir()} >= {"report.txt", "report.json", "result.h5", "fit.png", "fit.toml", "data"}
    report = json.loads((out / "report.json").read_text())
    assert report["parameters"] == found["parameters"]
    assert len(report["data"][0]["sha256_of_source"]) == 64
    (tmp_path / "low.tsv").unlink()
    (tmp_path / "series.csv").unlink()
    assert cli.main(["fit", str(out / "fit.toml"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for name, p in found["parameters"].items():
        assert again["parameters"][name]["value"] == pytest.approx(p["value"], rel=1e-6)
    h5py = pytest.importorskip("h5py")
    with h5py.File(out / "result.h5") as file:
        assert file["parameters/value"][0] == found["parameters"]["source.pump_per_ns_per_uW"]["value"]
        assert file["terms/001/residuals"].shape == (40,)


def test_a_new_study_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["fit", "--new", "smith_2024"]) == 0
    assert cli.main(["fit", "--new", "smith_2024"]) == 2
    assert cli.main(["fit", "--new", "Smith"]) == 2
    capsys.readouterr()
    assert cli.main(["fit", "--study", "fits/smith_2024", "--json", "--out", "found"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"]["source.spin_flip_per_ns"]["value"] == pytest.approx(1.034e-4, rel=1e-3)
    assert (tmp_path / "found" / "fit.toml").is_file()
    from qdot import study

    (verdict,) = study.reproduce("fits/smith_2024")
    assert verdict.verdict == "agrees"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("emitter = ", "emiter = "), "did you mean 'emitter'"),
        (("DarkLoadedCascade", "DarkLoaded"), "did you mean 'DarkLoadedCascade'"),
        (('shape = "cw"', 'shape = "cv"'), "'cw'"),
        (('value = "g2_zero"', 'valu = "g2_zero"'), "did you mean 'value'"),
        (("low.tsv", "lov.tsv"), "lov.tsv must be a readable file"),
        (("[vary]", "[vary"), "valid TOML"),
        (('calibration.power" = 1.0', 'calibration.flux" = 1.0'), "calibration.power"),
    ],
)
def test_a_wrong_fit_file_is_one_message(tmp_path: Path, change: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = joint(tmp_path)
    path.write_text(FIT.replace(*change))
    assert cli.main(["fit", str(path)]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert said in error


def test_the_roads_of_the_command_line_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(joint(tmp_path))
    for arguments in (["fit", path, "--vary", "x=1"], ["fit", path, path], ["fit", "--new", "a_2000", "--study", "b"], ["fit", "--study", "b", "--tie", "a=1"]):
        assert cli.main(arguments) == 2
        assert "alone" in capsys.readouterr().err


def test_odd_data_are_noted_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = tmp_path / "twice.csv"
    twice.write_text(EXAMPLE.read_text(encoding="utf-8") + "30,170,5\n")
    arguments: list[Any] = ["fit", f"{twice}:g2_zero", "--emitter", "DarkLoadedCascade", "--vary", "spin_flip_per_ns=2e-4", "--label", "pair", "--json"]
    assert cli.main(arguments) == 0
    out, error = capsys.readouterr()
    assert "twice.csv line 12: power_uW = 30 is in line 11 already" in error
    assert json.loads(out)["converged"]


def test_a_point_that_no_parameter_can_reach_is_no_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """g2(0) far below what the dot can give drives the spin flip to where rates cannot be told apart: an answer or one message, and a warning of the file."""
    path = tmp_path / "one.csv"
    path.write_text("power_uW,g2_zero,g2_zero_error\n1,0.2,0.01\n")
    assert cli.main(["fit", str(path), "--emitter", "DarkLoadedCascade", "--vary", "spin_flip_per_ns=1e-4", "--label", "pair", "--json"]) in (0, 1, 2)
    assert "one.csv line 2: one point only" in capsys.readouterr().err
