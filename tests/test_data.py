"""Reading measured files: what is accepted comes back unchanged, everything else is refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qdot import InputError, cli
from qdot.data import DataWarning, Histogram, Series, read_histogram, read_measured, read_series, split_unit

HISTOGRAM = "# source: somewhere\ndelay_ns,counts\n0.000,5\n0.256,0\n0.512,7\n"
SERIES = (
    "# note\npower_uW,setting,g2_zero,g2_zero_minus,g2_zero_plus,decay_ns,decay_error_ns\n1.2,a,0.22,0.021,0.022,1.05,0.01\n2.5,b,0.31,0.024,0.025,1.07,0.02\n"
)


def written(folder: Path, text: str) -> Path:
    path = folder / "some.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_histogram_keeps_left_edges_width_and_counts(tmp_path: Path) -> None:
    h = read_histogram(written(tmp_path, HISTOGRAM))
    assert h.counts.tolist() == [5, 0, 7]
    assert h.bin_width_ns == pytest.approx(0.256, rel=1e-12)
    assert h.edges_ns == pytest.approx([0, 0.256, 0.512, 0.768], rel=1e-12)
    assert "some.csv" in h.source
    assert "12 counts" in str(h)


def test_a_series_takes_units_and_errors_from_column_names(tmp_path: Path) -> None:
    path = written(tmp_path, SERIES)
    g2, decay = read_series(path), read_series(path, "decay_ns")
    assert (g2.name, g2.unit, g2.x_unit) == ("g2_zero", "", "uW")
    assert g2.minus.tolist() == [0.021, 0.024]
    assert g2.plus.tolist() == [0.022, 0.025]
    assert (decay.quantity, decay.unit) == ("decay", "ns")
    assert decay.minus.tolist() == decay.plus.tolist() == [0.01, 0.02]
    assert read_series(path, "g2_zero", error="decay_error_ns").plus.tolist() == [0.01, 0.02]
    assert "1.2" in str(g2)


@pytest.mark.parametrize(("name", "expected"), [("flux_per_ns", ("flux", "1/ns")), ("ns", ("ns", "")), ("fss_ueV", ("fss", "ueV")), ("counts", ("counts", ""))])
def test_units_are_the_end_of_a_name(name: str, expected: tuple[str, str]) -> None:
    assert split_unit(name) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty file"),
        ("# only a comment\n", "empty file"),
        ("delay_ns,counts\n", "rows of numbers"),
        ("0.0,5\n0.256,3\n", "name the columns"),
        ("delay,counts\n0,1\n1,1\n", "delay_ns"),
        ("delay_ns,counts\n0,1\n0.256,abc\n0.512,1\n", "line 3 counts"),
        ("delay_ns,counts\n0,1\n0.256,\n0.512,1\n", "line 3 counts"),
        ("delay_ns,counts\n0,1\n0.256,nan\n0.512,1\n", "line 3 counts"),
        ("delay_ns,counts\n0,1\n0.256,-2\n0.512,1\n", "line 3 counts"),
        ("delay_ns,counts\n0,1\n0.256,1.5\n0.512,1\n", "line 3 counts"),
        ("delay_ns,counts\n0,1\n0.256,1\n0.900,1\n", "delay_ns"),
        ("delay_ns,counts\n0.5,1\n0.256,1\n0.0,1\n", "line 3 delay_ns"),
        ("delay_ns,counts\n0,1\n0.256\n", "line 3"),
        ("delay_ns,counts\n0,1\n", "at least 2 bins"),
        ("counts,counts\n0,1\n", "once"),
    ],
)
def test_a_bad_histogram_is_refused_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=r"some\.csv") as error:
        read_histogram(written(tmp_path, text))
    assert said in str(error.value)


def test_a_missing_file_and_a_binary_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv must be a readable file"):
        read_histogram(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00delay")
    with pytest.raises(InputError, match="UTF-8"):
        read_series(tmp_path / "binary.csv")


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("power_uW,g2_zero\n1,0.2\n", None, "uncertainty"),
        ("power_uW,g2_zero\n1,0.2\n", "g2_zero", "uncertainty"),
        (SERIES, "g2_zeros", "did you mean 'g2_zero'"),
        (SERIES.replace("0.022", "0"), None, "line 3 g2_zero_plus"),
        (SERIES.replace("0.31", "x"), None, "line 4 g2_zero"),
        (SERIES.replace("0.31", "inf"), None, "line 4 g2_zero"),
    ],
)
def test_a_bad_series_is_refused(tmp_path: Path, text: str, value: str | None, said: str) -> None:
    with pytest.raises(InputError) as error:
        read_series(written(tmp_path, text), value)
    assert said in str(error.value)


def test_objects_made_by_hand_are_checked_too() -> None:
    with pytest.raises(InputError, match="whole numbers"):
        Histogram(np.array([0.0, 1.0]), 1.0, np.array([0.5, 1.0]), "hand")
    with pytest.raises(InputError, match="standard errors"):
        Series(np.array([1.0]), np.array([1.0]), np.array([0.0]), np.array([1.0]), "power_uW", "g2_zero", "hand")
    with pytest.raises(InputError, match="as long as x"):
        Series(np.array([1.0, 2.0]), np.array([1.0]), np.array([1.0]), np.array([1.0]), "power_uW", "g2_zero", "hand")


# Other files, other laws, and the account of what was left out ----------------------------------------------------------------------------------------


def test_tabs_semicolons_and_other_units_say_the_same(tmp_path: Path) -> None:
    rows = [("power_mW", "flux_kcps", "flux_error_cps"), ("0.0012", "30", "200"), ("0.0025", "55", "300")]
    for mark in ("\t", ";", ","):
        s = read_series(written(tmp_path, "\n".join(mark.join(r) for r in rows)))
        assert (s.x_name, s.name, s.unit) == ("power_uW", "flux_per_ns", "1/ns")
        assert s.x == pytest.approx([1.2, 2.5], rel=1e-12)
        assert s.value == pytest.approx([30e-6, 55e-6], rel=1e-12)
        assert s.plus == pytest.approx([200e-9, 300e-9], rel=1e-12)


def test_picoseconds_become_nanoseconds(tmp_path: Path) -> None:
    h = read_histogram(written(tmp_path, "# drive.power_uW = 2.5\ndelay_ps,counts\n-512,5\n-256,0\n0,7\n"))
    assert h.left_ns == pytest.approx([-0.512, -0.256, 0.0], rel=1e-12)
    assert h.bin_width_ns == pytest.approx(0.256, rel=1e-12)
    assert h.settings == {"drive.power_uW": 2.5}
    assert read_histogram(written(tmp_path, HISTOGRAM.replace("delay_ns", "time_ns"))).axis == "time_ns"


def test_hdf5_holds_the_same_columns(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "some.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("run 1")
        group["edges_ns"], group["counts"] = [0.0, 0.5, 1.0], [3, 4]
        group.attrs["power_uW"] = 2.5
        file["g2_zero"], file["power_uW"], file["g2_zero_error"] = [0.2, 0.3], [1.0, 2.0], [0.01, 0.02]
    h = read_histogram(f"{path}::run 1")
    assert h.counts.tolist() == [3, 4]
    assert h.settings == {"drive.power_uW": 2.5}
    assert h.bin_width_ns == 0.5
    s = read_series(path)
    assert (s.x_name, s.value.tolist()) == ("power_uW", [0.2, 0.3])
    with pytest.raises(InputError, match="run 1"):
        read_histogram(f"{path}::run 2")
    with h5py.File(path, "w") as file:
        file["delay_ns"], file["counts"] = [0.0, 1.0, 2.0], [3, -4, 1]
    with pytest.raises(InputError, match=r"some\.h5 entry 1 counts"):
        read_histogram(path)


def test_a_card_of_snapshots_is_added_up_and_glitches_are_named(tmp_path: Path) -> None:
    rows = [[3, 4, 2, 90], [2, 5, 4, 80], [4, 3, 3, 99]]
    path = written(tmp_path, "\n".join("\t".join(map(str, [0.256 * i, *r])) for i, r in enumerate(rows)) + "\n")
    with pytest.warns(DataWarning, match=r"some\.csv snapshot 4 \(column 5\)"):
        assert read_histogram(path).counts.tolist() == [99, 91, 109]
    h = read_histogram(path, skip_glitches=True)
    assert h.counts.tolist() == [9, 11, 10]
    assert "snapshot 4" in str(h)
    assert len(h.left_out) == 1


def test_a_card_of_channels_states_its_width(tmp_path: Path) -> None:
    card = "#HydraHarp histogram data\n#display curve no.\n\t0\t1\n#ns/channel\n\t0.064\t0.064\n#counts\n\t1\t2\n\t3\t4\n\t0\t5\n"
    h = read_histogram(written(tmp_path, card))
    assert h.counts.tolist() == [3, 7, 5]
    assert h.bin_width_ns == 0.064


@pytest.mark.data
def test_the_raw_card_of_a_measurement_holds_the_counts_of_its_sum(shared_data: Path) -> None:
    folder = shared_data / "sps-quality"
    raw, summed = read_histogram(folder / "snapshots" / "10uW_12000cps.txt"), read_histogram(folder / "power_series" / "10uW_12000cps.csv")
    assert raw.counts.tolist() == summed.counts.tolist()
    assert raw.left_ns == pytest.approx(summed.left_ns, abs=1e-9)


def test_counts_without_errors_are_poisson_and_clicks_binomial(tmp_path: Path) -> None:
    counts = read_series(written(tmp_path, "power_uW,counts\n1,100\n2,0\n"))
    assert (counts.law, counts.plus.tolist()) == ("poisson", [10, 1])
    clicks = read_series(written(tmp_path, "power_uW,clicks,trials\n1,10,1000\n2,20,1000\n"))
    assert clicks.law == "binomial"
    assert clicks.trials is not None
    assert clicks.trials.tolist() == [1000, 1000]
    with pytest.raises(InputError, match=r"some\.csv line 3 counts must be a whole number"):
        read_series(written(tmp_path, "power_uW,counts\n1,100\n2,-3\n"))
    with pytest.raises(InputError, match=r"some\.csv line 2 trials"):
        read_series(written(tmp_path, "power_uW,clicks,trials\n1,10,9\n2,20,1000\n"))


def test_rows_are_left_out_only_when_asked_and_each_is_accounted_for(tmp_path: Path) -> None:
    path = written(tmp_path, "power_uW,g2_zero,g2_zero_error\n1,0.2,0.01\n2,nan,0.01\n3,0.3,0.01\n9,0.4,0.01\n")
    with pytest.raises(InputError, match=r"some\.csv line 3 g2_zero"):
        read_series(path)
    s = read_series(path, skip_bad=True, between=(0, 5))
    assert s.x.tolist() == [1, 3]
    assert [str(out) for out in s.left_out] == ["left out line 3: g2_zero is nan", "left out line 5: power_uW is 9, outside 0 to 5"]
    assert "left out line 5" in str(s)
    h = read_histogram(written(tmp_path, HISTOGRAM), between=(0.256, 1.0))
    assert h.counts.tolist() == [0, 7]
    assert "1 bins" in str(h.left_out[0])


def test_mixed_units_and_decimal_commas_are_refused_with_row_and_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"some\.csv line 3 power_uW .*one unit"):
        read_series(written(tmp_path, "power_uW,g2_zero,g2_zero_error\n1,0.2,0.01\n2 mW,0.3,0.01\n"))
    with pytest.raises(InputError, match=r"line 2 g2_zero .*decimal point"):
        read_series(written(tmp_path, "power_uW;g2_zero;g2_zero_error\n1;0,2;0.01\n"))
    with pytest.raises(InputError, match=r"some\.csv column decay_error_uW must have the unit of decay_ns"):
        read_series(written(tmp_path, "power_uW,decay_ns,decay_error_uW\n1,0.2,0.01\n"), "decay_ns")


def test_a_setting_that_is_there_twice_and_a_single_point_are_warned_of(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match=r"some\.csv line 4: power_uW = 1 is in line 2 already"):
        assert len(read_series(written(tmp_path, "power_uW,g2_zero,g2_zero_error\n1,0.2,0.01\n2,0.3,0.01\n1,0.3,0.01\n"))) == 3
    with pytest.warns(DataWarning, match=r"some\.csv line 2: one point only"):
        read_series(written(tmp_path, "power_uW,g2_zero,g2_zero_error\n1,0.2,0.01\n"))
    read_series(written(tmp_path, SERIES.replace("2.5,b", "1.2,b")))  # a column of words tells the two apart


def test_the_row_that_breaks_a_delay_axis_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"some\.csv line 5 delay_ns must follow the one before by the bin width 1, got 7 after 2"):
        read_histogram(written(tmp_path, "delay_ns,counts\n0,1\n1,1\n2,1\n7,1\n8,2\n9,2\n"))


def test_a_file_is_read_as_what_it_is(tmp_path: Path) -> None:
    assert isinstance(read_measured(written(tmp_path, HISTOGRAM)), Histogram)
    assert isinstance(read_measured(written(tmp_path, SERIES)), Series)
    assert isinstance(read_measured(written(tmp_path, "delay_ns,g2,g2_error\n0,0.1,0.1\n1,0.9,0.1\n")), Series)


def test_what_the_correlator_printed_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`qdot correlate TAGS --json > g2.json` is a histogram: left edges half a bin below the printed centres, the same counts."""
    rng = np.random.default_rng(4)
    times = [np.sort(rng.integers(0, 10**9, 4000)) for _ in range(2)]
    tags = np.concatenate(times), np.repeat([0, 1], 4000)
    order = np.argsort(tags[0], kind="stable")
    np.savez(tmp_path / "tags.npz", time_ps=tags[0][order], channel=tags[1][order])
    assert cli.main(["correlate", str(tmp_path / "tags.npz"), "--bin-ps", "500", "--range-ns", "50", "--json"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "g2.json").write_text(printed)
    found, expected = read_histogram(tmp_path / "g2.json"), json.loads(printed)
    np.testing.assert_array_equal(found.counts, expected["counts"])
    np.testing.assert_allclose(found.left_ns + 0.25, expected["tau_ns"], rtol=0, atol=1e-9)
    assert found.bin_width_ns == pytest.approx(0.5)
    (tmp_path / "other.json").write_text('{"tau_ns": [1.0]}')
    with pytest.raises(InputError, match=r"other\.json must be what `qdot correlate --json` prints"):
        read_histogram(tmp_path / "other.json")


@pytest.mark.parametrize("name", ["flux_error_per_us", "flux_per_us_error", "flux_error_per_ns"])
def test_an_error_is_named_before_or_after_the_unit_of_its_value(tmp_path: Path, name: str) -> None:
    """After the unit it is in that unit; before another unit, in its own."""
    error = 2e-4 if name.endswith("ns") else 0.2
    with pytest.warns(DataWarning, match="one point"):
        series = read_series(written(tmp_path, f"power_uW,flux_per_us,{name}\n1,4,{error}\n"))
    assert series.value == pytest.approx([4e-3], rel=1e-14)
    assert (series.minus, series.plus) == (pytest.approx([2e-4], rel=1e-14), pytest.approx([2e-4], rel=1e-14))


def test_two_sided_errors_after_the_unit_are_in_it(tmp_path: Path) -> None:
    series = read_series(written(tmp_path, "power_uW,decay_ps,decay_ps_minus,decay_ps_plus\n1,400,10,20\n2,300,10,20\n"))
    assert np.ravel([series.minus, series.plus]) == pytest.approx([0.01, 0.01, 0.02, 0.02], rel=1e-14)


def test_a_missing_error_and_a_negative_power_are_told_by_name_and_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="flux_per_ns wants flux_error_per_ns or flux_per_ns_error"):
        read_series(written(tmp_path, "power_uW,flux_per_ns\n1,0.2\n"))
    with pytest.raises(InputError, match="name its column g2_zero_error, or give it as error="):
        read_series(written(tmp_path, "power_uW,g2_zero\n1,0.2\n"), "g2_zero")
    with pytest.raises(InputError, match=r"\.csv row 3 power_mW must be >= 0, got -2|\.csv line 3 power_mW must be >= 0, got -2"):
        read_series(written(tmp_path, "power_mW,g2_zero,g2_zero_error\n1,0.2,0.01\n-2,0.3,0.01\n"))
