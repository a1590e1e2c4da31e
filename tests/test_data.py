"""Reading measured files: what is accepted comes back unchanged, everything else is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qdot import InputError
from qdot.data import Histogram, Series, read_histogram, read_series, split_unit

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
