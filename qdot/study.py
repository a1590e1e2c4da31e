"""A folder of `fits/` and its verdicts: what a paper published, what qdot computes for it, and whether the two agree.

A study is a folder with `README.md`, `published.toml` (every number with value, uncertainty, unit, place, status) and `study.py` with
`run(data, out) -> list[Verdict]` and, where there are measurements to fit, `fit(data, out) -> dict`. The command line, the notebooks and the
tests all call that `run`. In a checkout the studies lie in `fits/` beside the package; a wheel carries them as `qdot/fits/`.
It knows no physics: a study computes, this file compares and reports.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast, get_args

from qdot.errors import bad, number, unknown

Judgement = Literal["agrees", "differs", "not determined"]
Status = Literal["read", "derived", "recalled"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line of a study's table: a published quantity, its computed value and whether they agree.

    published, uncertainty, computed: in `unit`; None where there is no number (a statement in words, or a quantity that was not published).
    verdict: "agrees" (within the uncertainty), "differs", or "not determined" (the data leave it open; `reason` says what they leave).
    source: where the published number stands. status: "read", "derived" or "recalled". stage: where in the optical path it is meant.
    required: True if a "differs" here makes `qdot reproduce` fail.
    """

    study: str
    quantity: str
    published: float | None
    uncertainty: float | None
    computed: float | None
    verdict: Judgement
    source: str
    status: Status
    stage: str
    required: bool
    reason: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        who = f"Verdict {self.quantity!r}"
        if self.verdict not in get_args(Judgement):
            raise unknown(f"{who} verdict", self.verdict, get_args(Judgement))
        if self.status not in get_args(Status):
            raise unknown(f"{who} status", self.status, get_args(Status))
        for name in ("published", "uncertainty", "computed"):
            value = getattr(self, name)
            if value is not None:
                number(f"{who} {name}", value)
        if self.verdict == "differs" and not self.reason and not self.required:
            raise bad(f"{who} reason", "say why the model does not reach the number", "nothing", "write the reason")

    @property
    def fails(self) -> bool:
        """True if this line makes `qdot reproduce` exit with 1."""
        return self.required and self.verdict == "differs"

    def as_dict(self) -> dict[str, str | float | bool | None]:
        """The line as plain values, ready for JSON."""
        return {
            "study": self.study,
            "quantity": self.quantity,
            "published": self.published,
            "uncertainty": self.uncertainty,
            "computed": self.computed,
            "verdict": self.verdict,
            "source": self.source,
            "status": self.status,
            "stage": self.stage,
            "unit": self.unit,
            "required": self.required,
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True)
class Published:
    """One entry of `published.toml`: a number (or a statement, value None) as the paper gives it.

    uncertainty: the paper's own standard error, or the digitisation error (half a unit of the last digit printed); never a chosen tolerance.
    where: place in the paper. status: "read", "derived" or "recalled". required: must agree for `qdot reproduce` to succeed.
    """

    study: str
    key: str
    quantity: str
    value: float | None
    uncertainty: float | None
    unit: str
    where: str
    status: Status
    stage: str
    required: bool

    def judge(self, computed: float | None, reason: str = "", determined: bool = True, differs: bool = False) -> Verdict:
        """The verdict on a computed value: "agrees" if |computed - value| <= uncertainty, else "differs".

        determined=False gives "not determined" whatever the value (say in `reason` what is left open);
        differs=True is for a statement in words that the model contradicts.

        >>> entry = Published(study="s", key="k", quantity="share", value=0.983, uncertainty=0.001, unit="", where="abstract",
        ...                   status="read", stage="emission", required=True)
        >>> entry.judge(0.9835).verdict, entry.judge(0.98).verdict, entry.judge(0.98).fails
        ('agrees', 'differs', True)
        """
        verdict: Judgement
        if differs:
            verdict = "differs"
        elif not determined or computed is None or self.value is None:
            verdict = "not determined"
        else:
            verdict = "agrees" if abs(computed - self.value) <= (self.uncertainty or 0.0) else "differs"
        return Verdict(
            study=self.study,
            quantity=self.quantity,
            published=self.value,
            uncertainty=self.uncertainty,
            computed=None if computed is None else float(computed),
            verdict=verdict,
            source=self.where,
            status=self.status,
            stage=self.stage,
            required=self.required,
            reason=reason,
            unit=self.unit,
        )


def names() -> list[str]:
    """The studies at hand, in alphabetical order."""
    root = _root()
    return [] if root is None else sorted(p.name for p in root.iterdir() if _is_study(p))


def folder(name: str) -> Path:
    """The folder of a study, by its name or its path. Raises InputError with the nearest name if there is none."""
    if _is_study(Path(name)):
        return Path(name).resolve()
    root = _root()
    known = names()
    if root is None or name not in known:
        raise unknown("study", name, known)
    return root / name


def published(where: Path) -> dict[str, Published]:
    """What a paper states: the [[number]] entries of `where`/published.toml by their key.

    Raises InputError for a missing or unreadable file, a missing or unknown field, a key used twice, or a status that is not one of the three.
    """
    path = where / "published.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "give the folder of a study") from None
    except tomllib.TOMLDecodeError as error:
        raise bad(str(path), "be valid TOML", str(error), "correct that line") from None
    entries: dict[str, Published] = {}
    for i, entry in enumerate(content.get("number", [])):
        one = _entry(f"{path} number[{i}]", where.name, entry)
        if one.key in entries:
            raise bad(f"{path} number[{i}].key", "be used once", repr(one.key), "rename one of them")
        entries[one.key] = one
    return entries


def module(name: str) -> ModuleType:
    """A study's `study.py`, imported from its path as a package, so that it may import the files beside it.

    Notebooks and tests reach the study's own parts through it. Raises InputError for an unknown study.
    """
    where = folder(name)
    package, path = f"qdot_fits_{where.name}", where / "study.py"
    loaded = sys.modules.get(package)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = importlib.util.spec_from_file_location(package, path, submodule_search_locations=[str(where)])
    if spec is None or spec.loader is None:
        raise bad("study", "have a study.py that Python can import", str(path), "restore the file")
    made = importlib.util.module_from_spec(spec)
    sys.modules[package] = made
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[package]
        raise
    return made


def reproduce(name: str, data: str | Path | None = None, out: str | Path | None = None) -> list[Verdict]:
    """Published against computed for one study, one Verdict per quantity.

    data: folder with measurements that are not shipped (a study says which; without them it uses what it has).
    out: folder for the study's figures, made if it is missing; None draws nothing. Raises InputError for an unknown study or missing data.
    """
    return cast(list[Verdict], module(name).run(_existing(data), _made(out)))


def fit(name: str, data: str | Path | None = None, out: str | Path | None = None) -> dict[str, Any]:
    """The fit of a study to its measurements, as plain values. Raises InputError if the study has nothing to fit."""
    chosen = module(name)
    if not hasattr(chosen, "fit"):
        able = [n for n in names() if hasattr(module(n), "fit")]
        raise bad("study", f"be one with measurements to fit ({', '.join(able) or 'there is none'})", repr(name), "use `qdot reproduce` for this one")
    return cast(dict[str, Any], chosen.fit(_existing(data), _made(out)))


def failed(verdicts: Iterable[Verdict]) -> bool:
    """True if a required number differs: `qdot reproduce` then exits with 1."""
    return any(v.fails for v in verdicts)


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a text table for the lab book, reasons below their lines."""
    head = ("quantity", "stage", "published", "computed", "verdict")
    lines = [(v.quantity, v.stage, _with_error(v), "-" if v.computed is None else _short(v.computed, v.unit), v.verdict) for v in verdicts]
    widths = [max(len(row[i]) for row in [head, *lines]) for i in range(len(head))]

    def row(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip()

    text = [row(head), row(["-" * w for w in widths])]
    for v, cells in zip(verdicts, lines, strict=True):
        text.append(row(cells) + ("" if v.required else "  (not required)"))
        if v.reason:
            text.append(textwrap.fill(v.reason, 150, initial_indent="    ", subsequent_indent="    "))
    return "\n".join(text)


def _with_error(v: Verdict) -> str:
    """Published value with its uncertainty."""
    if v.published is None:
        return "-"
    return _short(v.published, "") + (f" +- {v.uncertainty:g}" if v.uncertainty else "") + (f" {v.unit}" if v.unit else "")


def _short(value: float, unit: str) -> str:
    """Five significant digits and the unit."""
    text = f"{value:.5g}" if 1e-3 <= abs(value) < 1e6 or value == 0 or not math.isfinite(value) else f"{value:.4e}"
    return text + (f" {unit}" if unit else "")


_FIELDS = {"key": str, "quantity": str, "value": float, "uncertainty": float, "unit": str, "where": str, "status": str, "stage": str, "required": bool}
_OPTIONAL = {"value", "uncertainty", "unit"}


def _entry(who: str, study: str, entry: Mapping[str, Any]) -> Published:
    """One checked [[number]]."""
    for key in entry:
        if key not in _FIELDS:
            raise unknown(f"{who} key", key, _FIELDS)
    values: dict[str, Any] = {"value": None, "uncertainty": None, "unit": ""}
    for key, kind in _FIELDS.items():
        if key not in entry:
            if key in _OPTIONAL:
                continue
            raise bad(f"{who}.{key}", "be given", "nothing", "add it")
        got = entry[key]
        if kind is float:
            values[key] = number(f"{who}.{key}", got, low=0.0 if key == "uncertainty" else -math.inf)
        elif not isinstance(got, kind):
            raise bad(f"{who}.{key}", f"be a {'text' if kind is str else 'true or false'}", repr(got))
        else:
            values[key] = got
    if values["status"] not in get_args(Status):
        raise unknown(f"{who}.status", values["status"], get_args(Status))
    return Published(study=study, **values)


def _is_study(path: Path) -> bool:
    return (path / "study.py").is_file() and (path / "published.toml").is_file()


def _root() -> Path | None:
    """`qdot/fits` of an installed wheel, or `fits` of the checkout the package lies in."""
    here = Path(__file__).resolve().parent
    for root in (here / "fits", here.parent / "fits"):
        if root.is_dir() and any(_is_study(p) for p in root.iterdir()):
            return root
    return None


def _existing(data: str | Path | None) -> Path | None:
    """`data` as a path that exists."""
    if data is None:
        return None
    path = Path(data)
    if not path.exists():
        raise bad("data", "be a folder or file that exists", str(path), "give the path of the measurements")
    return path


def _made(out: str | Path | None) -> Path | None:
    """`out` as a folder, made if missing."""
    if out is None:
        return None
    path = Path(out)
    if path.exists() and not path.is_dir():
        raise bad("out", "be a folder", f"the file {path}", "give another name")
    path.mkdir(parents=True, exist_ok=True)
    return path
