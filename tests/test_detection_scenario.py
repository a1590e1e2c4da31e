"""[[detector]] in scenario files: what is printed, that nothing else changes, and every mistake told by its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qdot import InputError, scenario
from qdot.cli import main
from qdot.detection import Detector

EXAMPLES = Path(__file__).parent.parent / "examples"
CW = """
levels = ["G", "X"]
[[jump]]
from = "G"
to = "X"
rate_per_ns = 0.5
[[jump]]
from = "X"
to = "G"
rate_per_ns = 2.0
photon = "X"
[compute]
flux = true
g2 = { tau_ns = [0.0, 0.3], first = "X" }
"""
PULSE = """
levels = ["G", "X"]
[[jump]]
from = "G"
to = "X"
rate_per_ns = 1.0
drive = "laser"
[[jump]]
from = "X"
to = "G"
rate_per_ns = 2.0
photon = "X"
[[drive]]
name = "laser"
shape = "instant"
dose_ns = 1.0
"""
TWO = '[[detector]]\nname = "A"\nshare = 0.5\nefficiency = 0.4\n[[detector]]\nname = "B"\nshare = 0.5\n'


def run(text: str) -> dict:
    return scenario.run(scenario.load(text))


def test_detectors_add_what_they_record_and_change_nothing_else() -> None:
    plain, seen = run(CW), run(CW + TWO)
    recorded = seen.pop("recorded")
    errors = seen.pop("errors")
    assert seen | {"errors": {k: v for k, v in errors.items() if not k.startswith("recorded.")}} == plain | {"error_bound": seen["error_bound"]}
    assert set(recorded) == {"counts_per_s"}
    assert recorded["counts_per_s"]["A"]["photons_per_s"] == pytest.approx(0.2 * 1e9 * plain["flux_per_ns"]["X"], rel=1e-12)
    assert set(recorded["counts_per_s"]["A"]) == {"photons_per_s", "background_per_s", "registered_per_s", "afterpulses_per_s", "dead_time_loss"}


def test_the_file_and_python_give_the_same_numbers() -> None:
    text = CW.replace("[compute]", "[compute]\ncoincidences = { bin_ns = 0.2, range_ns = 0.4, offset_ns = 0.1, time_s = 5.0 }") + TWO
    text += "dark_per_s = 1e6\njitter_fwhm_ns = 0.1\n[blinking]\non_ns = 100.0\noff_ns = 20.0\n"
    found = run(text)["recorded"]["coincidences"]
    e = scenario.load(text).experiment()
    assert e.detectors[1] == Detector("B", share=0.5, dark_per_s=1e6, jitter_fwhm_ns=0.1)
    direct = e.recorded_g2(0.1 + 0.2 * np.arange(-2, 3), bin_ns=0.2)
    assert found["g2"] == direct.g2.tolist()
    assert found["tau_ns"] == pytest.approx([-0.3, -0.1, 0.1, 0.3, 0.5])
    assert found["expected_counts"] == direct.expected_counts(5.0).tolist()


def test_a_single_pulse_or_a_decay_prints_clicks_and_a_train_both() -> None:
    ask = "[compute]\nphoton_numbers = { max = 2 }\n"
    assert set(run(PULSE + ask + TWO)["recorded"]) == {"clicks"}
    decay = PULSE.replace('\ndrive = "laser"', "").split("[[drive]]")[0].replace("rate_per_ns = 1.0", "rate_per_ns = 0.0") + 'start = "X"\n'
    decay = 'start = "X"\n' + decay.replace('start = "X"\n', "")
    assert run(decay + ask + TWO)["recorded"]["clicks"]["click_probability"]["A"] == pytest.approx(0.2, rel=1e-12)
    periodic = PULSE.replace("dose_ns = 1.0", "dose_ns = 1.0\nperiod_ns = 12.5")
    assert set(run(periodic + "[compute]\n" + TWO)["recorded"]) == {"counts_per_s", "clicks"}
    assert set(run(periodic + "[compute]\nclicks = false\n" + TWO)["recorded"]) == {"counts_per_s"}
    assert set(run(periodic + "[compute]\npeaks = { count = 1 }\n" + TWO)["recorded"]) == {"counts_per_s", "clicks", "peaks"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CW + '[[detector]]\nname = "A"\neficiency = 0.4\n', "detector[0].eficiency must be a key of [[detector]]"),
        (CW + '[[detector]]\nname = "A"\nefficiency = 1.4\n', "detector[0].efficiency must be a finite number >= 0 and <= 1"),
        (CW + '[[detector]]\nname = "A"\nefficiency = "high"\n', "detector[0].efficiency"),
        (CW + '[[detector]]\nname = "A"\ndead_time_kind = "paralyzable"\n', "did you mean 'paralysable'"),
        (CW + '[[detector]]\nname = "A"\nsees = "XX"\n', "detector[0].sees (a label that the source emits) must be one of 'X'"),
        (CW + "[[detector]]\nefficiency = 0.4\n", "detector[0].name must be given"),
        (CW + '[[detector]]\nname = "A"\n[[detector]]\nname = "A"\nshare = 0.0\n', "detector[1].name must differ"),
        (CW + '[[detector]]\nname = "A"\n[[detector]]\nname = "B"\n', "add up to at most 1"),
        (CW + '[[detector]]\nname = "A"\nafterpulse_probability = 0.1\n', "afterpulse_time_ns"),
        (CW + '[[detector]]\nname = "A"\nresponse = { start_ns = 0.0, bin_ns = 0.1, weights = [] }\n', "detector[0].response"),
        (CW + '[[detector]]\nname = "A"\nresponse = { start_ns = 0.0, bins_ns = 0.1, weights = [1.0] }\n', "the nearest valid key is 'bin_ns'"),
        (
            CW + '[[detector]]\nname = "A"\njitter_fwhm_ns = 0.1\nresponse = { start_ns = 0.0, bin_ns = 0.1, weights = [1.0] }\n',
            "one of jitter_fwhm_ns and response",
        ),
        (CW + "[blinking]\non_ns = 100.0\noff_ns = 20.0\n", "come with at least one [[detector]]"),
        (CW.replace("flux = true", "clicks = true") + TWO, "compute.clicks"),
        (
            CW.replace("flux = true", "peaks = { count = 2 }") + TWO,
            "compute.peaks must be asked under a train of pulses, got continuous light; ask for coincidences",
        ),
        (CW.replace("flux = true", "coincidences = { bin_ns = 0.1, range_ns = 1.0 }"), "compute.coincidences must be asked where there is a [[detector]]"),
        (
            CW.replace("flux = true", 'coincidences = { first = "C", bin_ns = 0.1, range_ns = 1.0 }') + TWO,
            "compute.coincidences.first (a detector) must be one of 'A', 'B'",
        ),
        (CW.replace("flux = true", "coincidences = { bin_ns = 1e-9, range_ns = 1e3 }") + TWO, "at most 1000000 bins"),
        (PULSE + "[compute]\nphoton_numbers = { max = 2 }\n" + TWO + "dark_per_s = 10.0\n", "window_ns"),
        (PULSE + "[compute]\nclicks = { windows_ns = 3.0 }\n" + TWO, "the nearest valid key is 'window_ns'"),
        (PULSE + "[compute]\n", "ask for at least one"),
    ],
)
def test_mistakes_are_told_by_their_place(text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        run(text)
    assert said in str(error.value)


def test_the_command_line_prints_tables_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(EXAMPLES / "four_detector_tree.toml")
    assert main(["run", path]) == 0
    shown = capsys.readouterr().out
    for part in ("recorded: counts per s", "heralding_efficiency", "recorded: peaks of A and B", "expected counts"):
        assert part in shown
    assert main(["run", path, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["recorded"]["clicks"]["detectors"] == ["A", "B", "C", "D"]
    assert main(["sweep", str(EXAMPLES / "heralded_cascade.toml"), "--vary", "detector[0].efficiency=0.1:0.3:3", "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    clicks = [p["result"]["recorded"]["clicks"]["heralding_efficiency"]["heralded|herald"] for p in points]
    assert clicks == pytest.approx([0.4] * 3, rel=1e-12)


POLARISED = """
levels = ["G", "H", "V"]
start = "H"
[[jump]]
from = "H"
to = "G"
rate_per_ns = 1.0
photon = "X"
polarisation = "H"
[[jump]]
from = "V"
to = "G"
rate_per_ns = 1.0
photon = "X"
polarisation = "V"
[analyse]
X = "R"
[compute]
clicks = true
"""


def test_a_detector_of_a_file_sees_an_analysed_polarisation() -> None:
    clicks = run(POLARISED + '[[detector]]\nname = "A"\nsees = "X:R"\nefficiency = 0.6\n')["recorded"]["clicks"]
    assert clicks["click_probability"]["A"] == pytest.approx(0.3, rel=1e-9)
    with pytest.raises(InputError, match=r"^detector\[0\].sees .X:H. must name a polarisation that is told apart: X:R, X:L, got H"):
        run(POLARISED + '[[detector]]\nname = "A"\nsees = "X:H"\n')
    with pytest.raises(InputError, match=r'^collect.X:R must name a line, not a polarisation.*sees = "X:R"'):
        run(POLARISED.replace("[compute]", '[collect]\n"X:R" = 0.5\n[compute]'))
