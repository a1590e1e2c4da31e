"""`qdot correlate`: one JSON document and nothing else, the documented keys, exit codes, one clear message for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from instruments import t2_records, write_phu, write_ptu

from qdot import Tags, correlate, correlate3, save_tags
from qdot.cli import main
from qdot.tags import merged

KEYS = {"g2_zero", "error", "normalisation", "zero_delay_ns", "tau_ns", "counts", "peaks", "warnings", "channels"}


@pytest.fixture(scope="module")
def tags() -> Tags:
    """Three detectors behind a pulsed source, 20 ns and -7 ns of cable."""
    rng = np.random.default_rng(1)
    pulse = np.repeat(np.arange(60_000), rng.choice(4, 60_000, p=(0.3, 0.4, 0.2, 0.1)))
    arrivals, out = np.rint(pulse * 12_500 + rng.exponential(400, pulse.size)).astype(np.int64), rng.integers(0, 3, pulse.size)
    streams = {c: arrivals[out == c] + d for c, d in enumerate((0, 20_000, -7_000))}
    return merged(streams, 60_000 * 12_500 + 10**6, start_ps=-10_000, names={0: "H", 1: "V", 2: "D", 5: "dark"})


@pytest.fixture(scope="module")
def file(tags: Tags, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tags") / "tags.npz"
    save_tags(tags, path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["correlate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_is_all_of_standard_output_and_holds_what_python_gives(tags: Tags, file: Path) -> None:
    asked = ["--channels", "0", "1", "--bin-ps", "250", "--range-ns", "100", "--period-ns", "12.5", "--normalise", "rates", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from qdot.cli import main; sys.exit(main())", "correlate", file, *asked], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert set(found) >= KEYS
    expected = correlate(tags, (0, 1), bin_ps=250, range_ns=100, period_ns=12.5, normalise="rates").as_dict()
    for key in set(expected) - {"source"}:
        assert found[key] == json.loads(json.dumps(expected[key])), key
    assert found["zero_delay_ns"] == pytest.approx(20.0, abs=0.02)
    assert found["normalisation"] == "rates"
    assert len(found["tau_ns"]) == len(found["counts"]) == 800


def test_the_table_says_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--channels", "0", "1", "--bin-ps", "250", "--range-ns", "100", "--period-ns", "12.5")
    code, out, _ = run(capsys, file, *asked)
    g2 = json.loads(run(capsys, file, *asked, "--json")[1])["g2_zero"]
    assert code == 0
    assert f"{g2:.4g}" in out
    assert "normalised by side_peaks" in out


def test_channels_by_name_in_either_order_and_with_themselves(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--bin-ps", "250", "--range-ns", "100", "--period-ns", "12.5", "--json")
    for names, numbers in ((("H", "V"), [0, 1]), (("V", "0"), [1, 0]), (("D", "D"), [2, 2])):
        code, out, _ = run(capsys, file, "--channels", *names, *asked)
        assert (code, json.loads(out)["channels"]) == (0, numbers)


def test_a_third_channel_gives_g3(tags: Tags, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--channels", "H", "V", "--third", "D", "--bin-ps", "500", "--range-ns", "60", "--period-ns", "12.5")
    code, out, _ = run(capsys, file, *asked, "--json")
    expected = correlate3(tags, (0, 1, 2), bin_ps=500, range_ns=60, period_ns=12.5)
    assert code == 0
    assert json.loads(out)["g3_zero"] == expected.g3_zero
    assert json.loads(out)["zero_delays_ns"] == pytest.approx([20.0, -7.0], abs=0.02)
    assert "g3(0)" in run(capsys, file, *asked)[1]


def test_histograms_of_cards_go_the_same_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2)
    delay = np.arange(800) * 0.25
    shape = sum(np.exp(-np.abs(delay - 60.1 - 12.5 * m)) * (0.2 if m == 0 else 1.0) for m in range(-10, 20))
    counts = rng.poisson(shape[:, None] * np.full(20, 4.0))
    counts[:, 6] *= 5
    (tmp_path / "snap.txt").write_text("\n".join("\t".join([f"{d:g}", *map(str, row)]) for d, row in zip(delay, counts.tolist(), strict=True)))
    write_phu(tmp_path / "a.phu", [counts.sum(axis=1), counts[:, 0]], 250e-12)
    code, out, _ = run(capsys, tmp_path / "snap.txt", "--period-ns", "12.5", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["channels"], found["normalisation"]) == (None, "side_peaks")
    assert any("latched" in w and "7 (" in w for w in found["warnings"])
    assert found["zero_delay_ns"] == pytest.approx(60.1, abs=0.15)
    without = json.loads(run(capsys, tmp_path / "snap.txt", "--period-ns", "12.5", "--leave-out", "7", "--json")[1])
    assert sum(without["counts"]) == np.delete(counts, 6, axis=1).sum()
    assert not any("latched" in w for w in without["warnings"])
    phu = json.loads(run(capsys, tmp_path / "a.phu", "--curve", "0", "--period-ns", "12.5", "--json")[1])
    assert phu["counts"] == found["counts"]
    assert phu["g2_zero"] == pytest.approx(found["g2_zero"], rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bin-ps", "250"], "--range-ns must be given for time tags, got nothing; for example --range-ns 500"),
        (["--range-ns", "100"], "--bin-ps must be given for time tags"),
        (["--bin-ps", "250", "--range-ns", "100"], "name 2 of the channels 0, 1, 2"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "4"], "must be one of '0', '1', '2', got '4'"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "5"], "channel 5 of"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "v"], "--channels must be one of 'H', 'V', 'D', 'dark', '0', '1', '2', '5', got 'v'"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "-1", "0"], "got '-1'"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "1", "--normalise", "side_peak"], "did you mean 'side_peaks'?"),
        (
            ["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "1", "--period-ns", "7"],
            "--period-ns must be the repetition period of the data, got 7 ns, but",
        ),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "1", "--period-ns", "7"], "repeat every 12.5"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "1", "--period-ns", "-7"], "qdot: --period-ns must be a finite number > 0 ns, got -7"),
        (["--bin-ps", "10.5", "--range-ns", "100", "--channels", "0", "1"], "qdot: --bin-ps must be a whole number of ps"),
        (["--bin-ps", "250", "--range-ns", "0.1", "--channels", "0", "1"], "qdot: --range-ns must hold at least one bin of 250 ps"),
        (["--bin-ps", "250", "--range-ns", "0.1", "--channels", "0", "1"], "or a smaller --bin-ps"),
        (["--bin-ps", "1", "--range-ns", "1e9", "--channels", "0", "1"], "--bin-ps and --range-ns must make at most"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "1", "--zero-delay-ns", "300"], "qdot: --zero-delay-ns must lie in the range"),
        (["--bin-ps", "250", "--range-ns", "100", "--channels", "0", "1", "--normalise", "side_peaks"], "give --period-ns, or normalise by rates"),
        (["--bin-ps", "250", "--range-ns", "100", "--sync-period-ns", "-3"], "qdot: --sync-period-ns must be a finite number > 0 ns, got -3"),
        (["--bin-ps", "250", "--range-ns", "100"], "for example --channels 0 1"),
        (["--bin-ps", "250", "--range-ns", "100", "--third", "2"], "--third must come with --channels"),
        (["--bin-ps", "250", "--range-ns", "100", "--curve", "0"], "qdot: --curve must come with the histogram of a card"),
        (["--bin-ps", "250", "--range-ns", "100", "--leave-out", "3"], "qdot: --leave-out must come with the histogram of a card"),
        (["--bin-ps", "250", "--range-ns", "100", "--sync-period-ns", "3"], "qdot: --sync-period-ns must come with a PTU file in T3 mode"),
        (["--bin-ps", "x", "--range-ns", "100"], "--bin-ps"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(file: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--json"]):
        code, out, err = run(capsys, file, *arguments, *more)
        assert (code, out) == (2, "")
        assert said in err
        assert err.startswith("qdot: ")
        assert err.count("\n") == 1


def test_warnings_name_options_and_the_document_names_arguments(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = (file, "--channels", "0", "1", "--bin-ps", "250", "--range-ns", "100")
    table, document = run(capsys, *asked)[1], json.loads(run(capsys, *asked, "--json")[1])
    (told,) = [line for line in table.splitlines() if "repeat every" in line]
    assert "g2(0) wants --period-ns 12.5" in told
    assert any("wants period_ns = 12.5" in w for w in document["warnings"])


def test_a_record_without_names_lists_its_channels_and_no_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = np.arange(0, 10**6, 1000)
    save_tags(Tags(time, np.arange(time.size) % 2, 10**6), tmp_path / "bin_ps.npz")
    code, out, err = run(capsys, tmp_path / "bin_ps.npz", "--channels", "a", "b", "--bin-ps", "10", "--range-ns", "3")
    assert (code, out) == (2, "")
    assert err == "qdot: --channels must be one of '0', '1', got 'a'\n"
    err = run(capsys, tmp_path / "bin_ps.npz", "--channels", "0", "7", "--bin-ps", "10", "--range-ns", "3")[2]
    assert f"channel of {tmp_path / 'bin_ps.npz'} must be one of '0', '1', got '7'" in err  # a path is left as it is


def test_files_that_are_none_are_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.ptu").write_bytes(b"")
    (tmp_path / "text.csv").write_text("hello\nworld\n")
    code, out, err = run(capsys, tmp_path / "text.csv", "--channels", "0")
    assert (code, out) == (2, "")
    assert "--channels" in err
    for name, said in (("none.ptu", "readable file"), ("empty.ptu", "empty file"), ("text.csv", "column of times")):
        code, out, err = run(capsys, tmp_path / name, "--bin-ps", "100", "--range-ns", "10")
        assert (code, out) == (2, "")
        assert said in err


def test_the_sync_input_is_a_channel_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ticks, channel = sorted([*range(10_000, 10**7, 10_000), *range(11_234, 10**7, 10_000)]), ["sync", 0] * 999
    path: Any = write_ptu(tmp_path / "a.timeres", "HydraHarp 2 T2", t2_records("HydraHarp 2 T2", ticks[:1998], channel), 1e-12)
    code, out, _ = run(capsys, path, "--channels", "sync", "0", "--bin-ps", "10", "--range-ns", "3", "--json")
    found = json.loads(out)
    assert (code, found["channels"]) == (0, [-1, 0])
    (at,) = np.flatnonzero(found["counts"])
    assert found["tau_ns"][at] == pytest.approx(1.235)


@pytest.mark.data
def test_the_measured_files_on_the_command_line(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hbt = shared_data / "eta" / "200204_HH400_T2_320MHz_HBT.timeres"
    code, out, _ = run(capsys, hbt, "--bin-ps", "256", "--range-ns", "100", "--period-ns", "3.125", "--json")
    found = json.loads(out)
    assert code == 0
    assert round(found["g2_zero"], 4) == 0.0040
    assert any("0.018 by rates" in w for w in found["warnings"])
    wrong = shared_data / "eta" / "200204_HH400_T3_320MHz_HBT.timeres"
    code, out, err = run(capsys, wrong, "--bin-ps", "256", "--range-ns", "100", "--json")
    assert (code, out) == (2, "")
    assert "524.256 ns" in err
