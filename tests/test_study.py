"""A study's folder, its published numbers and its verdicts: what agrees, what differs, what fails, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qdot import InputError, study
from qdot.cli import main

ENTRY = """
[[number]]
key = "share"
quantity = "share of pairs"
value = 0.983
uncertainty = 0.001
where = "abstract"
status = "read"
stage = "emission"
required = true
"""
RUN = """
from pathlib import Path
from qdot.study import published
from .values import COMPUTED

def run(data, out):
    if out is not None:
        (out / "figure.txt").write_text("drawn")
    return [published(Path(__file__).parent)["share"].judge(COMPUTED, "as given")]
"""


def make(root: Path, name: str, computed: float, entry: str = ENTRY, more: str = "") -> Path:
    """A study folder whose run() computes a given number."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "published.toml").write_text(entry)
    (folder / "values.py").write_text(f"COMPUTED = {computed}\n")
    (folder / "study.py").write_text(RUN + more)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `fits` folder beside an empty package, as in a checkout."""
    (tmp_path / "qdot").mkdir()
    monkeypatch.setattr(study, "__file__", str(tmp_path / "qdot" / "study.py"))
    return tmp_path / "fits"


@pytest.mark.parametrize(("computed", "verdict"), [(0.983, "agrees"), (0.98399, "agrees"), (0.98201, "agrees"), (0.9841, "differs"), (0.9819, "differs")])
def test_a_number_agrees_within_the_published_uncertainty_and_not_beyond(tmp_path: Path, computed: float, verdict: str) -> None:
    entry = study.published(make(tmp_path, "s", computed))["share"]
    assert entry.judge(computed).verdict == verdict
    assert entry.judge(computed).fails == (verdict == "differs")


def test_without_an_uncertainty_only_the_number_itself_agrees(tmp_path: Path) -> None:
    entry = study.published(make(tmp_path, "s", 0.5, ENTRY.replace("uncertainty = 0.001\n", "")))["share"]
    assert entry.uncertainty is None
    assert entry.judge(0.983).verdict == "agrees"
    assert entry.judge(0.9830001).verdict == "differs"


def test_what_the_numbers_leave_open_is_not_determined_whatever_its_value(tmp_path: Path) -> None:
    entry = study.published(make(tmp_path, "s", 0.5))["share"]
    assert entry.judge(0.5, "a region is left", determined=False).verdict == "not determined"
    assert not entry.judge(0.5, "a region is left", determined=False).fails
    assert entry.judge(None, "no model").verdict == "not determined"
    assert replace(entry, value=None, uncertainty=None).judge(0.5).verdict == "not determined"


def test_only_a_required_number_that_differs_fails(tmp_path: Path) -> None:
    entry = study.published(make(tmp_path, "s", 0.5))["share"]
    optional = replace(entry, required=False)
    assert not study.failed([entry.judge(0.983), optional.judge(0.5, "the model has no such process")])
    assert study.failed([entry.judge(0.983), entry.judge(0.5)])


def test_a_difference_that_is_not_required_must_say_why(tmp_path: Path) -> None:
    entry = replace(study.published(make(tmp_path, "s", 0.5))["share"], required=False)
    with pytest.raises(InputError, match="reason must say why"):
        entry.judge(0.5)
    assert entry.judge(0.5, "published in words, contradicted", differs=True).verdict == "differs"


def test_a_verdict_as_plain_values_has_every_field_and_survives_json(tmp_path: Path) -> None:
    row = study.published(make(tmp_path, "s", 0.983))["share"].judge(0.983, "why").as_dict()
    assert {"study", "quantity", "published", "uncertainty", "computed", "verdict", "source", "status", "stage", "required", "reason", "unit"} == set(row)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["study"], row["source"], row["status"], row["stage"], row["published"]) == ("s", "abstract", "read", "emission", 0.983)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.98"])
def test_a_verdict_holds_finite_numbers_only(tmp_path: Path, value: object) -> None:
    good = study.published(make(tmp_path, "s", 0.983))["share"].judge(0.983)
    with pytest.raises(InputError, match="computed must be a finite number"):
        replace(good, computed=value)


def test_a_verdict_and_a_status_are_one_of_three_words(tmp_path: Path) -> None:
    good = study.published(make(tmp_path, "s", 0.983))["share"].judge(0.983)
    with pytest.raises(InputError, match="did you mean 'agrees'"):
        replace(good, verdict="agree")
    with pytest.raises(InputError, match="status must be one of 'read', 'derived', 'recalled'"):
        replace(good, status="remembered")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (ENTRY.replace('status = "read"', 'status = "known"'), "status must be one of"),
        (ENTRY.replace("uncertainty", "uncertianty"), "did you mean 'uncertainty'"),
        (ENTRY.replace("0.001", "-0.001"), "uncertainty must be a finite number >= 0"),
        (ENTRY.replace("0.983", '"0.983"'), "value must be a finite number"),
        (ENTRY.replace("0.983", "nan"), "value must be a finite number"),
        (ENTRY.replace('where = "abstract"\n', ""), "where must be given"),
        (ENTRY.replace("required = true", 'required = "yes"'), "required must be a true or false"),
        (ENTRY + ENTRY, "key must be used once"),
        ("[[number", "must be valid TOML"),
    ],
)
def test_a_published_table_that_makes_no_sense_is_refused(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        study.published(make(tmp_path, "s", 1.0, entry))


def test_a_missing_published_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"published\.toml must be a readable file"):
        study.published(tmp_path)


def test_studies_are_found_beside_the_package_and_inside_a_wheel(checkout: Path) -> None:
    assert study.names() == []
    make(checkout, "b_2002", 1.0)
    make(checkout, "a_2001", 1.0)
    (checkout / "not_a_study").mkdir()
    assert study.names() == ["a_2001", "b_2002"]
    assert study.folder("a_2001") == checkout / "a_2001"
    installed = checkout.parent / "qdot" / "fits"
    make(installed, "c_2003", 1.0)
    assert study.names() == ["c_2003"]
    assert study.folder("c_2003") == installed / "c_2003"


def test_an_unknown_study_is_refused_with_the_nearest_name() -> None:
    assert "baqis_2026" in study.names()
    with pytest.raises(InputError, match="did you mean 'baqis_2026'"):
        study.folder("baqis2026")
    with pytest.raises(InputError, match="study must be one of"):
        study.reproduce("../somewhere")


def test_a_study_imports_the_files_beside_it_and_draws_only_where_told(checkout: Path, tmp_path: Path) -> None:
    make(checkout, "drawn_2001", 0.9835)
    (row,) = study.reproduce("drawn_2001")
    assert (row.verdict, row.computed) == ("agrees", 0.9835)
    out = tmp_path / "new" / "figures"
    study.reproduce("drawn_2001", out=str(out))
    assert (out / "figure.txt").read_text() == "drawn"


def test_data_that_do_not_exist_and_a_file_for_a_folder_are_refused(checkout: Path, tmp_path: Path) -> None:
    make(checkout, "refuses_2001", 0.9835)
    with pytest.raises(InputError, match="data must be a folder or file that exists"):
        study.reproduce("refuses_2001", data=tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="out must be a folder"):
        study.reproduce("refuses_2001", out=tmp_path / "file")


def test_a_fit_is_the_study_s_own_and_is_refused_where_there_is_none(checkout: Path) -> None:
    make(checkout, "only_run_2001", 0.9835)
    make(checkout, "with_fit_2002", 0.9835, more="\ndef fit(data, out):\n    return {'chi2_per_dof': 1.0}\n")
    assert study.fit("with_fit_2002") == {"chi2_per_dof": 1.0}
    with pytest.raises(InputError, match=r"measurements to fit \(with_fit_2002\), got 'only_run_2001'"):
        study.fit("only_run_2001")


def test_a_study_that_does_not_import_can_be_mended_and_imported_again(checkout: Path) -> None:
    folder = make(checkout, "broken_2001", 0.9835)
    text = (folder / "study.py").read_text()
    (folder / "study.py").write_text("raise ValueError('broken')\n")
    with pytest.raises(ValueError, match="broken"):
        study.reproduce("broken_2001")
    (folder / "study.py").write_text(text + "# mended\n")
    assert study.reproduce("broken_2001")[0].verdict == "agrees"


def test_the_table_prints_every_number_with_its_verdict_and_reason(tmp_path: Path) -> None:
    entry = study.published(make(tmp_path, "s", 0.983))["share"]
    text = study.table([entry.judge(0.98305, "because"), replace(entry, quantity="tiny", value=None, unit="1/ns", required=False).judge(2.5e-7, "left open")])
    lines = text.splitlines()
    assert lines[0].split() == ["quantity", "stage", "published", "computed", "verdict"]
    assert "0.983 +- 0.001" in lines[2]
    assert "0.98305" in lines[2]
    assert "agrees" in lines[2]
    assert lines[3].strip() == "because"
    assert "2.5000e-07 1/ns" in lines[4]
    assert lines[4].endswith("not determined  (not required)")


@pytest.mark.parametrize(("computed", "code"), [(0.9835, 0), (0.97, 1)])
def test_reproduce_exits_with_1_if_a_required_number_differs(checkout: Path, capsys: pytest.CaptureFixture[str], computed: float, code: int) -> None:
    make(checkout, f"exits_{code}", computed)
    assert main(["reproduce", f"exits_{code}", "--json"]) == code
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdict"] == ("differs" if code else "agrees")
    assert row["required"] is True


def test_reproduce_exits_with_2_for_an_unknown_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "baqis_2025"]) == 2
    assert "did you mean 'baqis_2026'" in capsys.readouterr().err
