"""`qdot simulate`: a scenario's tags in a file, one seed one record, and one clear message for what cannot be done."""

from __future__ import annotations

import json

import numpy as np
import pytest

import qdot
from qdot import cli, scenario

TRAIN = """
levels = ["G", "X"]
[[jump]]
from = "X"
to = "G"
lifetime_ns = 1.0
photon = "X"
[[coupling]]
between = ["G", "X"]
rabi_per_ns = 1.0
drive = "laser"
[[drive]]
name = "laser"
shape = "square"
duration_ns = 0.1
area_pi = 1.0
period_ns = 12.5
[collect]
X = 0.5
[compute]
flux = true
"""
SINGLE = TRAIN.replace("period_ns = 12.5\n", "").replace("flux = true", "photon_numbers = { max = 2 }")
HBT = """
[[detector]]
name = "A"
share = 0.5
[[detector]]
name = "B"
share = 0.5
dark_per_s = 1e5
"""


@pytest.fixture
def files(tmp_path):
    """Scenario files: a train, the same behind two detectors, and a single pulse."""
    for name, text in (("train", TRAIN), ("hbt", TRAIN + HBT), ("single", SINGLE)):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


def call(*arguments) -> int:
    return cli.main(["simulate", *map(str, arguments)])


def test_a_file_holds_the_record_of_its_scenario_and_seed(files, capsys) -> None:
    out = files / "tags.npz"
    assert call(files / "hbt.toml", "--duration-ms", 0.2, "--seed", 5, "--out", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    back = qdot.read_tags(out)
    same = qdot.simulate_tags(scenario.load(files / "hbt.toml").experiment(), 0.2e6, None, np.random.default_rng(5))
    assert np.array_equal(back.time_ps, same.time_ps)
    assert np.array_equal(back.channel, same.channel)
    assert [(c["channel"], c["name"], c["photons"]) for c in told["channels"]] == [(0, "A", back.counts[0]), (1, "B", back.counts[1])]
    assert (told["duration_s"], told["period_ps"], told["seed"]) == (2e-4, 12500.0, 5)


def test_without_detectors_each_line_has_a_channel_and_channels_can_be_named(files, capsys) -> None:
    out = files / "tags.csv"
    assert call(files / "train.toml", "--duration-ms", 0.05, "--seed", 1, "--out", out) == 0
    assert "channel 0 (X)" in capsys.readouterr().out
    assert call(files / "single.toml", "--duration-ms", 0.05, "--seed", 1, "--out", out, "--channel", "A=X", "--channel", "7=X", "--repeat-ns", 20) == 0
    back = qdot.read_tags(out)
    assert back.names == {0: "A", 7: "X"}
    assert back.period_ps == 20_000.0
    assert call(files / "hbt.toml", "--duration-ms", 0.05, "--seed", 1, "--out", out, "--channel", "A=X") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("single.toml", "--duration-ms", 1, "--seed", 1, "--out", "o.npz"), "qdot: --repeat-ns must be given for a single pulse"),
        (("train.toml", "--duration-ms", 1, "--seed", -1, "--out", "o.npz"), "--seed must be a whole number >= 0, got -1"),
        (("train.toml", "--duration-ms", 1, "--seed", 1, "--out", "o.txt"), "--out must end in .npz"),
        (("train.toml", "--duration-ms", 1, "--seed", 1, "--out", "o.npz", "--channel", "A"), "--channel must be NAME=LABEL, got 'A'"),
        (("train.toml", "--duration-ms", 1, "--seed", 1, "--out", "o.npz", "--channel", "A=Y"), "got 'Y'"),
        (("train.toml", "--duration-ms", -1, "--seed", 1, "--out", "o.npz"), "qdot: --duration-ms must be a finite number"),
        (("none.toml", "--duration-ms", 1, "--seed", 1, "--out", "o.npz"), "none.toml"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_writes_nothing(files, capsys, monkeypatch, arguments, message) -> None:
    monkeypatch.chdir(files)
    assert call(*arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(files.glob("o.*"))
