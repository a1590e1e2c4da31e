"""The command line: exit codes, one clear message for every bad input, nothing but JSON under --json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qdot import cli, emitters, study

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

CW = """
picture = "rate"
levels = ["G", "D", "X"]
start = "G"
[energy_ueV]
X = 1.0
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "X"
[[jump]]
from = "G"
to = "X"
rate_per_ns = 0.5
drive = "laser"
[[jump]]
from = "X"
to = "D"
rate_per_ns = 0.1
[[jump]]
from = "D"
to = "G"
lifetime_ns = 5.0
[[dephasing]]
level = "X"
rate_per_ns = 0.1
[[drive]]
name = "laser"
shape = "cw"
[collect]
X = 0.5
[compute]
flux = true
g2 = { tau_ns = [0.0, 1.0], first = "X", second = "X" }
"""

PULSED = """
levels = ["G", "X", "XX"]
[[jump]]
transitions = [["XX", "X"], ["X", "G"]]
rates_per_ns = [2.0, 1.0]
photon = "mode"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 0.1
photon = "side"
[[coupling]]
between = ["G", "X"]
rabi_per_ns = 1.0
drive = "laser"
[[cavity]]
name = "c"
fock = 2
kappa_per_ns = 10.0
g_per_ns = 1.0
transitions = [["X", "G"]]
photon = "cavity"
[[drive]]
name = "laser"
shape = "gaussian"
fwhm_ns = 0.01
area_pi = 1.0
period_ns = 12.5
[compute]
photon_numbers = { max = 2, label = "mode" }
"""

SECOND = '[[coupling]]\nbetween = ["X", "XX"]\nrabi_per_ns = 1.0\ndrive = "other"\n[[drive]]\nname = "other"\nshape = "square"\nduration_ns = 0.1\n'

# what is replaced by what in which file, the argument that the message must name, and words that it must hold
BAD: list[tuple[str, str, str, str, str]] = [
    (CW, "levels =", "level =", "level", "'levels'"),
    (CW, "rate_per_ns = 1.0", "rate_per_n = 1.0", "jump[0].rate_per_n", "'rate_per_ns'"),
    (CW, "flux = true", "fluxes = true", "compute.fluxes", "'flux'"),
    (CW, "second =", "secnd =", "compute.g2.secnd", "'second'"),
    (CW, 'shape = "cw"', 'shape = "cw"\nrtol = 1e-9', "drive[0].rtol", "key of [compute]"),
    (CW, "[[jump]]", "[[jumps]]", "jumps", "'jump'"),
    (CW, "[[dephasing]]", "[dephasing]", "dephasing", "[[dephasing]]"),
    (CW, "[compute]", "[[compute]]", "compute", "be a table"),
    (CW, 'picture = "rate"', 'picture = "rates"', "picture", "did you mean 'rate'"),
    (CW, 'picture = "rate"', "picture = 1", "picture", "'lindblad'"),
    (CW, 'levels = ["G", "D", "X"]', "levels = []", "levels", "at least one"),
    (CW, 'levels = ["G", "D", "X"]', 'levels = ["G", "D", "X", "G"]', "levels[3]", "'G'"),
    (CW, 'levels = ["G", "D", "X"]', 'levels = "GDX"', "levels", "square brackets"),
    (CW, 'levels = ["G", "D", "X"]', 'levels = ["G", "D", 3]', "levels[2]", "text in quotes"),
    (CW, 'levels = ["G", "D", "X"]', 'levels = ["G", "D", "X", ""]', "levels[3]", "at least one character"),
    (CW, 'start = "G"', 'start = "g"', "start", "'G'"),
    (CW, "X = 1.0", "XX = 1.0", "energy_ueV.XX", "did you mean 'X'"),
    (CW, "X = 1.0", "X = nan", "energy_ueV.X", "finite"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = -1.0", "jump[0].rate_per_ns", ">= 0, got -1.0"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = inf", "jump[0].rate_per_ns", "finite"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = true", "jump[0].rate_per_ns", "got true"),
    (CW, "rate_per_ns = 1.0", 'rate_per_ns = "1.0"', "jump[0].rate_per_ns", "without quotes"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = 1" + "0" * 400, "jump[0].rate_per_ns", "finite"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = 2026-03-02", "jump[0].rate_per_ns", "got 2026-03-02"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = 1.0\nlifetime_ns = 1.0", "jump[0]", "exactly one of rate_per_ns and lifetime_ns"),
    (CW, "rate_per_ns = 1.0\n", "", "jump[0]", "exactly one of rate_per_ns and lifetime_ns"),
    (CW, "lifetime_ns = 5.0", "lifetime_ns = 0.0", "jump[3].lifetime_ns", "> 0"),
    (CW, "lifetime_ns = 5.0", "lifetime_ns = 1e-320", "jump[3].lifetime_ns", "longer"),
    (CW, 'from = "X"\nto = "G"', 'from = "Y"\nto = "G"', "jump[0].from", "'X'"),
    (CW, 'from = "X"\nto = "G"', 'from = "X"', "jump[0].to", "got nothing"),
    (CW, 'from = "X"\nto = "G"', 'from = "X"\nto = "X"', "jump[0].to", "[[dephasing]]"),
    (CW, "rate_per_ns = 1.0", "rates_per_ns = [1.0]", "jump[0].from", "collective"),
    (CW, 'level = "X"', 'level = "Y"', "dephasing[0].level", "'X'"),
    (CW, 'drive = "laser"', 'drive = "lasser"', "jump[1].drive", "did you mean 'laser'"),
    (CW, 'drive = "laser"\n', "", "drive[0].name", "'laser'"),
    (CW, 'shape = "cw"', 'shape = "cv"', "drive[0].shape", "'cw'"),
    (CW, 'shape = "cw"', 'shape = "cw"\nperiod_ns = 1.0', "drive[0].period_ns", "absent for shape 'cw'"),
    (CW, 'shape = "cw"', 'shape = "cw"\narea_pi = 1.0', "drive[0].area_pi", "absent for shape 'cw'"),
    (CW, 'shape = "cw"', 'shape = "cw"\ndetuning_ueV = 1.0', "drive[0].detuning_ueV", "[[coupling]]"),
    (CW, 'shape = "cw"', 'shape = "square"', "drive[0].duration_ns", "got nothing"),
    (CW, 'shape = "cw"', 'shape = "square"\nduration_ns = 1.0\narea_pi = 1.0', "drive[0].area_pi", "[[coupling]]"),
    (CW, 'shape = "cw"', 'shape = "instant"', "drive[0].dose_ns", "jump[1]"),
    (CW, 'shape = "cw"', 'shape = "square"\nduration_ns = 1.0', "compute.flux", "single pulse"),
    (CW, 'shape = "cw"', 'shape = "square"\nduration_ns = 1.0\nperiod_ns = 9.0', "compute.g2", "side_peaks"),
    (CW, 'shape = "cw"', 'shape = "square"\nduration_ns = 1.0\nperiod_ns = 0.5', "drive[0]", "shorter than its period"),
    (CW, "X = 0.5", "Y = 0.5", "collect.Y", "'X'"),
    (CW, "X = 0.5", "X = 1.5", "collect.X", "<= 1"),
    (CW, "X = 0.5", "X = 0.0", "compute.g2", "> 0"),
    (CW, 'first = "X"', 'first = "XX"', "compute.g2.first", "did you mean 'X'"),
    (CW, 'second = "X"', "second = []", "compute.g2.second", "at least one label"),
    (CW, "tau_ns = [0.0, 1.0]", "tau_ns = []", "compute.g2.tau_ns", "at least one delay"),
    (CW, "tau_ns = [0.0, 1.0]", "tau_ns = 1.0", "compute.g2.tau_ns", "square brackets"),
    (CW, "tau_ns = [0.0, 1.0]", "tau_ns = [0.0, inf]", "compute.g2.tau_ns[1]", "finite"),
    (CW, "flux = true", "flux = 1", "compute.flux", "true or false"),
    (CW, "flux = true", "rtol = 0.0", "compute.rtol", "> 0"),
    (CW, "flux = true", "rtol = 1e-19", "rtol", "1e-19"),
    (CW, "flux = true", "photon_numbers = { max = 2 }", "compute.photon_numbers", "continuous"),
    (CW, "flux = true", "side_peaks = 3", "compute.side_peaks", "period_ns"),
    (CW, "flux = true\ng2 =", "# g2 =", "compute", "at least one of"),
    (CW, 'photon = "X"\n', "", "collect.X", "nothing"),
    (CW, "lifetime_ns = 5.0", "rate_per_ns = 0.0", "label 'X'", "flux of 0"),
    (CW, '"rate"', '"rate"\nlevels = 3', "line 4", "valid TOML"),
    (CW, 'levels = ["G", "D", "X"]', 'levels = ["G", "D", "X"', "line", "valid TOML"),
    (CW, "rate_per_ns = 1.0", "rate_per_ns = 1.0.0", "line 10", "valid TOML"),
    (CW, 'picture = "rate"', "x = " + "[" * 5000, "valid TOML", "nested"),
    (PULSED, 'levels = ["G"', 'picture = "rate"\nlevels = ["G"', "picture", '"lindblad"'),
    (PULSED, "rates_per_ns = [2.0, 1.0]", "rates_per_ns = [2.0]", "jump[0].rates_per_ns", "each of the 2 transitions"),
    (PULSED, "rates_per_ns = [2.0, 1.0]", "rates_per_ns = [2.0, -1.0]", "jump[0].rates_per_ns[1]", ">= 0"),
    (PULSED, '[["XX", "X"], ["X", "G"]]', '[["XX", "X"], ["X", "G", "G"]]', "jump[0].transitions[1]", "[from, to]"),
    (PULSED, '[["XX", "X"], ["X", "G"]]', '[["XX", "X"], ["X", "Q"]]', "jump[0].transitions[1][1]", "'Q'"),
    (PULSED, '[["XX", "X"], ["X", "G"]]', '[["X", "G"], ["X", "G"]]', "jump[0].transitions[1]", "once"),
    (PULSED, 'between = ["G", "X"]', 'between = ["G"]', "coupling[0].between", "two levels"),
    (PULSED, 'between = ["G", "X"]', 'between = ["G", "Y"]', "coupling[0].between[1]", "'X'"),
    (PULSED, "rabi_per_ns = 1.0", "rabi_per_ns = 0.0", "coupling[0].rabi_per_ns", "area_pi"),
    (PULSED, "fock = 2", "fock = 1", "cavity[0].fock", ">= 2"),
    (PULSED, "fock = 2", "fock = 2.0", "cavity[0].fock", "whole number"),
    (PULSED, "fock = 2", "fock = 900", "cavity[0].fock", "at most"),
    (PULSED, "g_per_ns = 1.0", "g_per_ns = [1.0, 2.0]", "cavity[0].g_per_ns", "each of the 1 transitions"),
    (PULSED, "kappa_per_ns = 10.0\n", "", "cavity[0].kappa_per_ns", "got nothing"),
    (PULSED, 'transitions = [["X", "G"]]', "transitions = []", "cavity[0].transitions", "at least one"),
    (PULSED, "area_pi = 1.0", "area_pi = -1.0", "drive[0].area_pi", "phase_pi"),
    (PULSED, "area_pi = 1.0", "duration_ns = 1.0", "drive[0].duration_ns", "'square'"),
    (PULSED, "area_pi = 1.0", "start_ns = 12.5", "drive[0].start_ns", "< period_ns"),
    (PULSED, "period_ns = 12.5\n", "period_ns = 12.5\n" + SECOND, "drive[1].period_ns", "share one period"),
    (PULSED, "period_ns = 12.5\n", "period_ns = 12.5\n" + SECOND + "period_ns = 6.25\n", "drive[1].period_ns", "6.25"),
    (PULSED, "[compute]", '[[drive]]\nname = "laser"\nshape = "cw"\n[compute]', "drive[0].name", "rename"),
    (PULSED, 'label = "mode"', 'label = "mod"', "compute.photon_numbers.label", "did you mean 'mode'"),
    (PULSED, 'label = "mode"', 'label = "mode", labels = ["mode", "side"]', "compute.photon_numbers", "one of label and labels"),
    (PULSED, 'label = "mode"', 'labels = ["mode"]', "compute.photon_numbers.labels", "two labels"),
    (PULSED, 'label = "mode"', 'labels = ["mode", ["side", "mode"]]', "compute.photon_numbers.labels", "'mode' in both"),
    (PULSED, "max = 2", "max = 0", "compute.photon_numbers.max", ">= 1"),
    (PULSED, "max = 2", "max = true", "compute.photon_numbers.max", "whole number"),
    (PULSED, "photon_numbers =", "side_peaks = 2.5 #", "compute.side_peaks", "whole number"),
    (PULSED, "photon_numbers =", "side_peaks = -1 #", "compute.side_peaks", ">= 0"),
    (PULSED, "photon_numbers =", 'side_peaks = { count = 2, label = "x" } #', "compute.side_peaks.label", "'mode'"),
    (PULSED, "photon_numbers =", "side_peaks = { label = 'mode' } #", "compute.side_peaks.count", "got nothing"),
    (PULSED, "period_ns = 12.5\n[compute]\nphoton_numbers =", "[compute]\nside_peaks = 2 #", "compute.side_peaks", "single pulse"),
]


@pytest.mark.parametrize(("base", "old", "new", "argument", "words"), BAD, ids=[f"{i}-{b[3]}" for i, b in enumerate(BAD)])
def test_bad_input_is_one_message_that_names_the_argument_and_exit_code_2(
    base: str, old: str, new: str, argument: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in base
    path = tmp_path / "scenario.toml"
    path.write_text(base.replace(old, new, 1))
    assert cli.main(["run", str(path), "--json"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("qdot: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    message = error.split("scenario.toml", 1)[1]
    assert argument in message
    assert words in message
    assert " must " in message
    assert ", got " in message
    assert len(error) < 600


@pytest.mark.parametrize("base", [CW, PULSED.replace("fock = 2", "fock = 5").replace("[compute]", "[compute]\nrtol = 1e-6")])
def test_the_files_that_are_spoilt_above_are_sound(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(base)
    assert cli.main(["run", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stage"] == "collected"


def test_a_truncated_cavity_is_an_error_that_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(PULSED)
    assert cli.main(["run", str(path)]) == 2
    error = capsys.readouterr().err
    assert "fock" in error
    assert "raise fock" in error


REPUMPED = """
levels = ["G", "X"]
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "X"
[[jump]]
from = "G"
to = "X"
rate_per_ns = 0.1
[compute]
photon_numbers = { max = 2, label = "X" }
"""
TRAPPED = """
levels = ["G", "X", "A", "B"]
[[jump]]
from = "G"
to = "X"
rate_per_ns = 1.0
[[jump]]
from = "X"
to = "A"
rate_per_ns = 1.0
photon = "X"
[[jump]]
from = "X"
to = "B"
rate_per_ns = 1.0
photon = "X"
[compute]
flux = true
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (REPUMPED, ["compute.photon_numbers", "finite number of photons"]),
        (
            REPUMPED.replace(
                "[compute]",
                '[[coupling]]\nbetween = ["G", "X"]\nrabi_per_ns = 1.0\ndrive = "l"\n[[drive]]\nname = "l"\nshape = "instant"\narea_pi = 1.0\n[compute]',
            ),
            ["finite number of photons"],
        ),
        (TRAPPED, ["compute.flux", "unique", "A", "B"]),
        (REPUMPED.replace("rate_per_ns = 0.1", "rate_per_ns = 0.0"), ["compute.photon_numbers", "emit light"]),
        (
            REPUMPED.replace("rate_per_ns = 0.1", "rate_per_ns = 0.0").replace("photon_numbers = { max = 2, label", "g2 = { tau_ns = [0.0], first"),
            ["compute.g2", "emit light"],
        ),
    ],
    ids=["diverging", "diverging after a pulse", "two ends", "dark", "dark in the steady state"],
)
def test_what_the_physics_refuses_is_also_exit_code_2(text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    assert cli.main(["run", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def test_files_that_cannot_be_read_are_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"levels = \xff\xfe")
    for path, words in ((tmp_path / "none.toml", "existing file"), (tmp_path, "directory"), (binary, "UTF-8"), (binary / "below", "scenario")):
        assert cli.main(["run", str(path)]) == 2
        out, error = capsys.readouterr()
        assert (out, error.count("\n")) == ("", 1)
        assert words in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "FILE"),
        (["runs"], "run"),
        (["run", "x.toml", "--jason"], "--json"),
        (["emitters", "extra"], "extra"),
        (["--vers"], "--version"),
        (["reproduce", "nobody_1900"], "nobody_1900"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("qdot: ")
    assert error.count("\n") == 1
    assert words in error


def test_json_is_the_whole_of_standard_output_and_out_writes_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "result.json"
    assert cli.main(["run", str(EXAMPLES / "dark_loaded_cascade_cw.toml"), "--json", "--out", str(target)]) == 0
    out, error = capsys.readouterr()
    result = json.loads(out)
    assert result == json.loads(target.read_text())
    assert {"stage", "populations", "flux_per_ns", "g2", "error_bound", "errors"} <= set(result)
    assert str(target) in error
    assert cli.main(["run", str(EXAMPLES / "dark_loaded_cascade_cw.toml"), "--out", str(tmp_path / "none" / "r.json")]) == 2


@pytest.mark.parametrize("name", ["dark_loaded_cascade_cw", "joint_photon_numbers", "train_long_memory", "stiff_dark_loop_cw"])
def test_without_json_there_is_a_table_for_the_lab_book(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(EXAMPLES / f"{name}.toml")]) == 0
    out, error = capsys.readouterr()
    assert error == ""
    assert "stage: collected" in out
    assert "error_bound" in out


def test_tables_say_whose_light_and_in_which_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = 'spectrum = { energy_ueV = [0.0], label = "X" }\narrival_times = { label = "X" }\nphoton_numbers = { max = 1, labels = ["X", "Y"] }\n'
    decay = '[[jump]]\nfrom = "X"\nto = "D"\nrate_per_ns = 1.0\nphoton = "X"\n[[jump]]\nfrom = "D"\nto = "G"\nrate_per_ns = 1.0\nphoton = "Y"\n'
    (tmp_path / "decay.toml").write_text(f'levels = ["G", "D", "X"]\nstart = "X"\n{decay}[compute]\n{asked}')
    (tmp_path / "elastic.toml").write_text(ELASTIC.replace("rabi_per_ns = 0.0", "rabi_per_ns = 1.0"))
    assert cli.main(["run", str(tmp_path / "decay.toml")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("stage: collected, window: all times after the start ")
    for words in ("spectrum of X: photons", "photons 1 per pulse", "mean_first_ns 1 ns", "arrival times of X", "n of X down, m of Y across"):
        assert words in printed
    assert printed.count("spectrum of X ") == 1
    assert cli.main(["run", str(tmp_path / "elastic.toml")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[-1] for line in lines if line[:1] in (["photons"], ["elastic"])] == ["1/ns", "1/ns"]


def test_emitters_are_listed_with_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["emitters", "--json"]) == 0
    listed = {e["emitter"]: [p["name"] for p in e["parameters"]] for e in json.loads(capsys.readouterr().out)}
    assert listed == {kind.__name__: [p.name for p in kind.parameters()] for kind in emitters.ALL}
    assert cli.main(["emitters"]) == 0
    out = capsys.readouterr().out
    for kind in emitters.ALL:
        assert kind.__name__ in out
        for p in kind.parameters():
            assert p.name in out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    from qdot import __version__

    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"qdot {__version__}\n"
    for arguments in ([], ["--help"]):
        assert cli.main(arguments) == 0
        out = capsys.readouterr().out
        for command in ("run", "reproduce", "fit", "emitters"):
            assert command in out


SWEEP = str(EXAMPLES / "dark_loaded_cascade_cw.toml")


ELASTIC = """
levels = ["G", "X"]
[[jump]]
from = "X"
to = "G"
rate_per_ns = 1.0
photon = "X"
[[coupling]]
between = ["G", "X"]
rabi_per_ns = 0.0
drive = "laser"
[[jump]]
from = "G"
to = "X"
rate_per_ns = 0.5
[[drive]]
name = "laser"
shape = "cw"
[compute]
spectrum = { energy_ueV = [0.0] }
"""


def _columns(printed: str) -> list[dict[str, str]]:
    """The rows of a printed table by their headings."""
    heads, _, *rows = (line.split() for line in printed.splitlines()[1:] if line.strip())
    return [dict(zip(heads, row, strict=True)) for row in rows]


def test_the_columns_of_a_sweep_are_filled_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elastic.toml").write_text(ELASTIC)
    arguments = ["sweep", str(tmp_path / "elastic.toml"), "--vary", "coupling[0].rabi_per_ns=0:1:2"]
    assert cli.main([*arguments, "--json"]) == 0
    wanted = [point["result"] for point in json.loads(capsys.readouterr().out)["points"]]
    assert [len(one["spectrum"]["elastic"]) for one in wanted] == [0, 1]
    assert cli.main(arguments) == 0
    found = _columns(capsys.readouterr().out)
    assert [row["spectrum.elastic[0].photons"] for row in found] == ["-", f"{wanted[1]['spectrum']['elastic'][0]['photons']:.8g}"]
    assert [float(row["error_bound"]) for row in found] == pytest.approx([one["error_bound"] for one in wanted], rel=1e-6)
    assert [float(row["spectrum.value[0]"]) for row in found] == pytest.approx([one["spectrum"]["value"][0] for one in wanted], rel=1e-6)


def test_a_sweep_of_matrices_shows_scalars_and_points_to_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", str(EXAMPLES / "entangled_state.toml"), "--vary", "jump[0].rate_per_ns=1:2:2"]) == 0
    printed = capsys.readouterr().out
    assert "--json has them" in printed.splitlines()[0]
    assert set(_columns(printed)[0]) >= {"jump[0].rate_per_ns", "two_photon_state.concurrence", "error_bound"}
    assert len(_columns(printed)[0]) < 12


def test_a_sweep_is_the_scenario_at_every_point_of_the_grid(capsys: pytest.CaptureFixture[str]) -> None:
    """g2(0) = gX / (s + 2 P) for equal pumps far below the radiative rates, at every spin flip s."""
    assert cli.main(["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=1e-5:1e-3:3:log", "--vary", "jump[3].lifetime_ns=0.1:0.2:2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["vary"]["jump[4].rate_per_ns"] == pytest.approx([1e-5, 1e-4, 1e-3], rel=1e-12)
    assert found["vary"]["jump[3].lifetime_ns"] == [0.1, 0.2]
    assert len(found["points"]) == 6
    for point in found["points"]:
        s, lifetime = point["at"]["jump[4].rate_per_ns"], point["at"]["jump[3].lifetime_ns"]
        p = 1e-3
        weak = p * (2 * p + s) / (lifetime * p * (2 * p + s) ** 2)
        assert point["result"]["g2"]["value"][0] == pytest.approx(weak, rel=2e-3)
    assert cli.main(["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=1e-5:1e-3:2"]) == 0
    assert "flux_per_ns.pair" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", SWEEP], "--vary"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_ns"], "FROM:TO:N"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=1:2"], "FROM:TO:N"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=a:2:3"], "'a'"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=0:2:3:log"], "> 0"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=-1:2:3"], "jump[4].rate_per_ns must be a finite number >= 0, got -1.0"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_n=1:2:3"], "'rate_per_ns'"),
        (["sweep", SWEEP, "--vary", "jump[4].rate_per_ns=1:2:0"], "whole number >= 1"),
        (["sweep", "none.toml", "--vary", "jump[4].rate_per_ns=1:2:3"], "none.toml"),
        (["fit"], "DATA must be given (or --study NAME)"),
        (["fit", "x.csv"], "--emitter"),
        (["fit", "x.csv", "--emitter", "TwoLevel"], "--vary"),
        (["fit", "x.csv", "--emitter", "TwoLevels", "--vary", "lifetime_ns=1"], "did you mean 'TwoLevel'"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns"], "NAME=VALUE"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=1:2"], "START:LOW:HIGH"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=1:2:3"], "inside its limits"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=one"], "'one'"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime=1"], "lifetime_ns"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=-1"], "> 0"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=1", "--drive", "gaussian"], "fwhm_ns"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=1", "--drive", "cv"], "'cw'"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=1", "--drive", "square:fwhm_ns=1"], "duration_ns"),
        (["fit", "x.csv", "--emitter", "TwoLevel", "--vary", "lifetime_ns=1", "--data", "."], "--study"),
        (["fit", "x.csv", "--study", "s"], "stand alone"),
        (["fit", "--study", "nobody_1900"], "nobody_1900"),
    ],
)
def test_wrong_sweeps_and_fits_are_one_message_and_exit_code_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert words in error


def verdict(judgement: str, required: bool) -> study.Verdict:
    return study.Verdict(
        study="one",
        quantity="g2(0)",
        published=3966.0,
        uncertainty=324.0,
        computed=4000.0,
        verdict=judgement,  # type: ignore[arg-type]
        source="abstract",
        status="read",
        stage="detector",
        required=required,
        reason="because",
    )


@pytest.mark.parametrize(("judgement", "required", "code"), [("agrees", True, 0), ("not determined", True, 0), ("differs", False, 0), ("differs", True, 1)])
def test_reproduce_exits_with_1_only_if_a_required_number_differs(
    judgement: str, required: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study, "names", lambda: ["one"])
    monkeypatch.setattr(study, "reproduce", lambda name, data=None, out=None: [verdict(judgement, required)])
    assert cli.main(["reproduce", "--json"]) == code
    rows = json.loads(capsys.readouterr().out)
    assert {"study", "quantity", "published", "uncertainty", "computed", "verdict", "source", "status", "stage"} <= set(rows[0])
    assert rows[0]["verdict"] == judgement
    assert cli.main(["reproduce", "one"]) == code
    assert "3966" in capsys.readouterr().out
    assert cli.main(["reproduce", "two"]) == 2
    assert "two" in capsys.readouterr().err


def test_the_fit_of_a_study_prints_what_it_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "chi2_per_dof": 1.1,
        "points": [{"power_uW": 1.2, "g2_zero": 0.22, "error": 0.02}],
        "parameters": {"capture_per_ns": {"value": 1.0, "minus": 0.1, "plus": None, "limit": {"side": "lower", "value": 0.8, "confidence": 0.95}}},
    }
    monkeypatch.setattr(study, "fit", lambda name, data=None, out=None: found)
    assert cli.main(["fit", "--study", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert cli.main(["fit", "--study", "one"]) == 0
    out = capsys.readouterr().out
    for words in ("capture_per_ns", "0.22", "> 0.8 (95%)"):
        assert words in out


def measured(path: Path, header: str, rows: list[tuple[float, ...]]) -> str:
    path.write_text(header + "\n" + "\n".join(",".join(map(repr, row)) for row in rows) + "\n")
    return str(path)


def test_a_fit_recovers_what_made_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pumped two-level emitter: flux w P gamma / (w P + gamma); g2(tau) 1 - exp(-(w P + gamma) tau) at 1 uW."""
    powers = [0.1, 0.3, 1.0, 3.0, 10.0]
    flux = measured(tmp_path / "flux.csv", "power_uW,flux_per_ns,flux_error_per_ns", [(p, 0.5 * p * 2 / (0.5 * p + 2), 0.01) for p in powers])
    arguments = [
        "fit",
        flux,
        "--emitter",
        "TwoLevel",
        "--vary",
        "pump_per_ns_per_uW=0.3:0:",
        "--vary",
        "lifetime_ns=0.8:0.01:10",
    ]
    assert cli.main([*arguments, "--json"]) == 0
    out, error = capsys.readouterr()
    assert error == ""
    found = json.loads(out)
    assert found["parameters"]["source.pump_per_ns_per_uW"]["value"] == pytest.approx(0.5, rel=1e-4)
    assert found["parameters"]["source.lifetime_ns"]["value"] == pytest.approx(0.5, rel=1e-4)
    assert cli.main(arguments) == 0
    assert "source.lifetime_ns" in capsys.readouterr().out


def test_a_csv_that_cannot_be_used_is_one_message_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, words, gap = tmp_path / "empty.csv", tmp_path / "words.csv", tmp_path / "gap.csv"
    empty.write_text("")
    words.write_text("power_uW,g2_zero,g2_zero_error\n1.0,high,0.1\n")
    gap.write_text("delay_ns,counts\n0.0,1\n1.0,2.5\n2.0,3\n")
    for path in (empty, words, gap, tmp_path / "none.csv", tmp_path):
        assert cli.main(["fit", str(path), "--emitter", "TwoLevel", "--vary", "lifetime_ns=1"]) == 2
        out, error = capsys.readouterr()
        assert (out, error.count("\n")) == ("", 1)
        assert str(path) in error


def test_a_fit_that_the_data_reject_says_so_and_which_value_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "g2.csv"
    data.write_text("power_uW,g2_zero,g2_zero_error\n1,-0.5,0.001\n2,0.9,0.001\n4,0.1,0.001\n")
    options = ["--emitter", "DarkLoadedCascade", "--vary", "pump_per_ns_per_uW=1e-2:1e-4:1", "--label", "X", "--json"]
    assert cli.main(["fit", str(data), *options]) == 0
    out, error = capsys.readouterr()
    assert json.loads(out)["warnings"] == [line.removeprefix("qdot: warning: ") for line in error.splitlines()]
    assert "the data reject the model: chi2" in error
    assert "p = 0" in error
    assert "g2.csv: g2_zero is -0.5 +- 0.001 at power_uW = 1, and cannot be negative" in error


def test_a_fit_that_does_not_converge_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = {"chi2_per_dof": None, "converged": False, "parameters": {"x": {"value": 1.0, "minus": None, "plus": None, "limit": None}}}
    monkeypatch.setattr(study, "fit", lambda name, data=None, out=None: found)
    assert cli.main(["fit", "--study", "one", "--json"]) == 1
    out, error = capsys.readouterr()
    assert json.loads(out) == found
    assert error.startswith("qdot: the fit did not converge")


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", "import sys; from qdot.cli import main; sys.exit(main())", *arguments]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_reader_that_goes_away_is_not_an_error() -> None:
    """`qdot run ... | true`: nothing on standard error, no traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(program("run", str(EXAMPLES / "dark_loaded_cascade_cw.toml")), stdout=write, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 0


def test_the_program_exits_with_the_code_and_prints_errors_on_standard_error() -> None:
    done = subprocess.run(program("run", "no such file.toml", "--json"), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "qdot: scenario must be an existing file, got no such file.toml; check the name and the directory\n"


def test_help_loads_no_heavy_library() -> None:
    code = "import sys; from qdot.cli import main; main(['--help']); print(sorted({'matplotlib', 'qutip', 'iminuit', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--vary", "spin_flip_per_ns=1e-4", "--set", "spin_flip_per_ns=1"], "not varied"),
        (["--vary", "spin_flip_per_ns=1e-4", "--vary", "source.spin_flip_per_ns=2e-4"], "once"),
        (["--vary", "spin_flip_per_ns=1e-4", "--set", "temperature_K=4", "--set", "temperature_K=5"], "once"),
    ],
)
def test_arguments_of_a_fit_that_contradict_each_other_are_refused(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fit", str(ROOT / "examples" / "g2_vs_power.csv"), "--emitter", "DarkLoadedCascade", *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_run_can_explain_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(CW)
    assert cli.main(["run", str(path)]) == 0
    plain = capsys.readouterr().out
    assert cli.main(["run", str(path), "--explain"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(plain)
    assert " before reduction, " in told
    assert cli.main(["run", str(path), "--explain", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["explain"]
    assert report["kept"] <= report["entries"]
    assert set(report["methods"]) == {"steady state", "delays"}
