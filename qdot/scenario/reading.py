"""A scenario and how it is read: TOML text, tables, then a source with its drives, collection and detectors."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qdot.detection import Blinking, Detector
from qdot.drive import Drive, Pulse
from qdot.errors import bad, unknown
from qdot.model import Dephasing, Filter, Model
from qdot.polarisation import NAMED
from qdot.scenario.asked import check_compute, check_recorded
from qdot.scenario.messages import checked, in_words_of_the_file, named
from qdot.scenario.source import cavity_of, check_levels, couplings_of, detector_of, drives_of, jump_of, level_in
from qdot.scenario.tables import MAX_STATES, STAGE, ComputeTable, FileTable

if TYPE_CHECKING:
    from qdot.experiment import Experiment


@dataclass(frozen=True)
class Scenario:
    """A checked scenario: the source, its drives, the collection and what is asked of them.

    picture: "rate", "lindblad" or None (rate where nothing is coherent). collect: {label: probability}. where: the file's name, "" for a text.
    analyse: {line: polarisation}. detectors, blinking: what records the light behind the collection.
    """

    model: Model
    drives: tuple[Drive, ...]
    collect: Mapping[str, float]
    compute: ComputeTable
    picture: Literal["rate", "lindblad"] | None = None
    where: str = field(default="", compare=False)
    detectors: tuple[Detector, ...] = ()
    blinking: Blinking | None = None
    analyse: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pulsed(self) -> bool:
        """True if any drive is a pulse."""
        return any(isinstance(d, Pulse) for d in self.drives)

    @property
    def is_train(self) -> bool:
        """True if the pulses repeat."""
        return any(isinstance(d, Pulse) and d.period_ns is not None for d in self.drives)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that the source emits."""
        return self.model.lines

    def experiment(self) -> Experiment:
        """The experiment that the file describes, light counted after collection."""
        from qdot.experiment import Experiment

        return Experiment(
            self.model,
            drive=self.drives or None,
            collection={STAGE: dict(self.collect)},
            picture=self.picture,
            rtol=self.compute.rtol,
            detectors=self.detectors,
            blinking=self.blinking,
            analysis={line: NAMED[p] for line, p in self.analyse.items()},
        )


def load(path_or_text: str | Path) -> Scenario:
    """Read and check a scenario file.

    path_or_text: a path, or the text of a scenario (any `str` with a line break in it).
    Raises InputError for a file that cannot be read, TOML that cannot be parsed, an unknown key, and anything that makes no sense; the message
    names the key by its place in the file, for example jump[1].rate_per_ns (tables of one kind are counted from 0).
    """
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        return from_table(_parse(path_or_text, "the scenario"))
    return from_table(read_table(path_or_text), str(path_or_text))


def read_table(path: str | Path) -> dict[str, Any]:
    """A scenario file as dictionaries and lists, parsed but not checked. Raises InputError if it cannot be read or is not TOML."""
    return _parse(_read(Path(path)), str(path))


def replaced(table: Mapping[str, Any], name: str, value: float) -> dict[str, Any]:
    """A copy of a parsed scenario with one number replaced; `name` is its place, for example jump[0].rate_per_ns or drive[0].area_pi.

    Raises InputError if there is no such place; whether the number makes sense is checked by `from_table`.
    """
    steps = re.findall(r"[^.\[\]]+|\[\d+\]", name)
    if not steps or "".join(s if s[0] == "[" else f".{s}" for s in steps).removeprefix(".") != name:
        raise bad("the name of a varied number", "be a place in the file such as jump[0].rate_per_ns", repr(name), "use dots and [index]")
    copy: dict[str, Any] = deepcopy(dict(table))
    inside: Any = copy
    for k, step in enumerate(steps):
        last, here = k == len(steps) - 1, "".join(s if s[0] == "[" else f".{s}" for s in steps[: k + 1]).removeprefix(".")
        if step[0] == "[":
            key: Any = int(step[1:-1])
            if not isinstance(inside, list) or key >= len(inside):
                known = f"one of 0 .. {len(inside) - 1}" if isinstance(inside, list) and inside else "absent"
                raise bad(here, f"have an index that is {known}", key, "tables of one kind are counted from 0")
        else:
            key = step
            if not isinstance(inside, dict) or (not last and key not in inside):
                raise unknown(here, key, inside if isinstance(inside, dict) else [])
        if last:
            old = inside[key] if isinstance(inside, list) else inside.get(key, value)
            if isinstance(old, bool) or not isinstance(old, int | float):
                raise bad(here, "be a number in the file", repr(old), "vary a number")
            inside[key] = int(value) if isinstance(old, int) and float(value).is_integer() else value
        else:
            inside = inside[key]
    return copy


def from_table(table: Mapping[str, Any], where: str = "") -> Scenario:
    """Check a scenario that is already parsed into dictionaries and lists. where: the file's name, for the messages."""
    with named(where), in_words_of_the_file():
        return scenario_of(checked(table), where)


def scenario_of(file: FileTable, where: str) -> Scenario:
    check_levels(file)
    model = Model(
        levels=file.levels,
        start=file.start,
        energies_ueV=dict(file.energy_ueV),
        jumps=tuple(jump_of(i, j, file.levels) for i, j in enumerate(file.jump)),
        couplings=couplings_of(file),
        dephasings=tuple(Dephasing(level_in(f"dephasing[{i}].level", d.level, file.levels), d.rate_per_ns) for i, d in enumerate(file.dephasing)),
        cavities=tuple(cavity_of(i, c, file.levels) for i, c in enumerate(file.cavity)),
        filters=tuple(Filter(f.name, f.line, f.fwhm_ueV, f.centre_ueV, f.share, f.polarisation or "", f.fock) for f in file.filter),
    )
    states = len(file.levels) * math.prod(m.fock for m in model.modes)
    if states > MAX_STATES:
        raise bad("cavity[0].fock", f"leave at most {MAX_STATES} states (levels times Fock states of every cavity)", states, "lower fock")
    if file.picture == "rate" and (file.coupling or file.cavity or file.filter or file.analyse):
        what = "[[coupling]]" if file.coupling else "[[cavity]]" if file.cavity else "[[filter]]" if file.filter else "[analyse]"
        raise bad("picture", f'be "lindblad" for a scenario with {what}, which is coherent', '"rate"', 'write picture = "lindblad"')
    drives = drives_of(file, model)
    for line in file.analyse:
        if line not in model.lines:
            raise unknown(f"analyse.{line} (a line that the source emits)", line, model.lines)
    for label in file.collect:
        if ":" in label and label not in model.lines:
            must = "name a line, not a polarisation: what is collected is lost alike from both"
            raise bad(f"collect.{label}", must, repr(label), f'let a [[detector]] see it: sees = "{label}"')
        if label not in model.lines:
            raise unknown(f"collect.{label} (a label that the source emits)", label, model.lines)
    bare = Scenario(model, drives, dict(file.collect), file.compute, file.picture, where, analyse=dict(file.analyse))
    detectors = tuple(detector_of(i, d, bare.experiment().channels) for i, d in enumerate(file.detector))
    if file.blinking is not None and not detectors:
        raise bad("blinking", "come with at least one [[detector]], the only ones that see it", "no detector", 'add [[detector]] with name = "A"')
    blinking = None if file.blinking is None else Blinking(file.blinking.on_ns, file.blinking.off_ns)
    scenario = replace(bare, detectors=detectors, blinking=blinking)
    check_compute(scenario)
    check_recorded(scenario)
    return scenario


def _read(path: Path) -> str:
    if path.is_dir():
        raise bad("scenario", "be a TOML file", f"the directory {path}", "name a file in it")
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise bad("scenario", "be an existing file", str(path), "check the name and the directory") from None
    except OSError as error:
        raise bad("scenario", "be a readable file", f"{path} ({error.strerror})", "check its permissions") from None
    except UnicodeDecodeError as error:
        raise bad("scenario", "be a text file in UTF-8", f"{path} (byte {error.start} is not)", "save it as UTF-8") from None
    except ValueError:  # a null byte in the name
        raise bad("scenario", "be an existing file", repr(str(path)), "check the name") from None


def _parse(text: str, where: str) -> dict[str, Any]:
    """TOML text as dictionaries and lists; a syntax error names its line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise bad(where, "be valid TOML", str(error)[:1].lower() + str(error)[1:], "correct that line") from None
    except RecursionError:
        raise bad(where, "be valid TOML", "brackets nested too deeply", "a scenario needs three levels") from None
    except ValueError as error:  # a date that does not exist, a whole number of thousands of digits
        raise bad(where, "be valid TOML", str(error), "correct that value") from None
