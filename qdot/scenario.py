"""The scenario file: any level scheme, what drives it, what is collected and detected and what to compute, as TOML.

`load` reads and checks a file, `run` computes what its `[compute]` table asks for. The file is checked here, down to the key that is wrong;
all physics is `Model`, `Drive` and `Experiment`.

Two rules the file leaves open are fixed here. `between = [a, b]` of a coupling is (lower, upper), except where the scheme itself says which of the two
emits: if light (undriven jumps with a photon, cavity transitions) leads from one of them to the other and not back, the emitting one is the upper.
The order matters only for the sign of a drive's detuning. Several `[[drive]]` tables of one name are several pulses of one laser.
"""

from __future__ import annotations

import datetime
import difflib
import math
import re
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic.fields import FieldInfo

from qdot.detection import Blinking, Detector, MeasuredResponse
from qdot.drive import CW, Drive, Gaussian, Instant, Pulse, Sech, Square
from qdot.errors import InputError, bad, number, unknown
from qdot.model import Cavity, Coupling, Dephasing, Jump, Model

if TYPE_CHECKING:
    from qdot.experiment import Experiment

STAGE = "collected"
"""The stage of every printed number: after [collect]."""
MAX_STATES = 2000
"""Largest Hilbert space (levels times Fock states) that a file may ask for; beyond it a density matrix has millions of entries."""
MAX_PHOTONS = 200
"""Largest photon number that photon_numbers.max may ask for."""
MAX_PEAKS = 100_000
"""Largest number of side peaks."""

MAX_BINS = 1_000_000
"""Largest number of bins of a coincidence histogram."""


# What a file may hold -------------------------------------------------------------------------------------------------------------------------------
# One class per table. The description of a field is an example of how to write it; it ends up in the error messages.


class Table(BaseModel):
    """A table of the file: no unknown keys, no conversions (a text is not a number, true is not 1), no infinities."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _one_or_many(value: object) -> str:
    return "<many>" if isinstance(value, tuple) else "<one>"


def _plain_or_table(value: object) -> str:
    return "<table>" if isinstance(value, dict) else "<plain>"


Name = Annotated[str, Field(min_length=1)]
Pair = tuple[Name, ...]  # [from, to]; the length is checked with the path of the pair
Label = Annotated[Annotated[Name, Tag("<one>")] | Annotated[tuple[Name, ...], Tag("<many>")], Discriminator(_one_or_many)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
OneOrManyNumbers = Annotated[Annotated[float, Tag("<one>")] | Annotated[tuple[float, ...], Tag("<many>")], Discriminator(_one_or_many)]


class JumpTable(Table):
    """[[jump]]"""

    from_: Name | None = Field(None, alias="from", description='from = "X"')
    to: Name | None = Field(None, description='to = "G"')
    rate_per_ns: NotNegative | None = Field(None, description="rate_per_ns = 1.0 (1/ns)")
    lifetime_ns: Positive | None = Field(None, description="lifetime_ns = 0.5 (ns)")
    transitions: tuple[Pair, ...] | None = Field(None, description='transitions = [["XX", "X"], ["X", "G"]]')
    rates_per_ns: tuple[NotNegative, ...] | None = Field(None, description="rates_per_ns = [2.0, 1.0] (1/ns)")
    photon: Name | None = Field(None, description='photon = "pair"; leave the key out for a jump without light')
    drive: Name | None = Field(None, description='drive = "laser"; leave the key out for a jump that is always on')


class DephasingTable(Table):
    """[[dephasing]]"""

    level: Name = Field(description='level = "X"')
    rate_per_ns: NotNegative = Field(description="rate_per_ns = 0.5 (1/ns)")


class CouplingTable(Table):
    """[[coupling]]"""

    between: Pair = Field(description='between = ["G", "X"]')
    rabi_per_ns: float = Field(description="rabi_per_ns = 1.0 (rad/ns)")
    drive: Name | None = Field(None, description='drive = "laser"; leave the key out for a coupling that is always on')


class CavityTable(Table):
    """[[cavity]]"""

    name: Name = Field(description='name = "H"')
    fock: int = Field(ge=2, le=MAX_STATES, description="fock = 4 (number states 0 .. 3)")
    kappa_per_ns: NotNegative = Field(description="kappa_per_ns = 100.0 (1/ns)")
    detuning_ueV: float = Field(0.0, description="detuning_ueV = 0.0 (ueV)")
    g_per_ns: OneOrManyNumbers = Field(description="g_per_ns = 20.0 (rad/ns), or one number for each transition")
    transitions: tuple[Pair, ...] = Field(description='transitions = [["XX", "X"], ["X", "G"]]')
    photon: Name | None = Field(None, description='photon = "pair"; leave the key out for light that nobody detects')


class DriveTable(Table):
    """[[drive]]"""

    name: Name = Field(description='name = "laser"')
    shape: Literal["cw", "square", "gaussian", "sech", "instant"] = Field(description='shape = "gaussian"')
    duration_ns: Positive | None = Field(None, description="duration_ns = 0.01 (ns)")
    fwhm_ns: Positive | None = Field(None, description="fwhm_ns = 0.01 (ns)")
    dose_ns: NotNegative | None = Field(None, description="dose_ns = 1.0 (ns)")
    area_pi: NotNegative | None = Field(None, description="area_pi = 1.0; turn the phase with phase_pi = 1.0 instead of a negative area")
    start_ns: NotNegative | None = Field(None, description="start_ns = 0.0 (ns)")
    period_ns: Positive | None = Field(None, description="period_ns = 12.5 (ns)")
    detuning_ueV: float = Field(0.0, description="detuning_ueV = 0.0 (ueV)")
    chirp_per_ns2: float | None = Field(None, description="chirp_per_ns2 = 0.0 (1/ns^2)")
    phase_pi: float = Field(0.0, description="phase_pi = 0.0")


class G2Table(Table):
    """compute.g2"""

    tau_ns: tuple[float, ...] = Field(description="tau_ns = [0.0, 0.1, 1.0] (ns)")
    first: Label = Field(description='first = "pair", or a list of labels for their sum')
    second: Label | None = Field(None, description='second = "pair", or a list of labels for their sum; the same as first where it is left out')


class PhotonNumbersTable(Table):
    """compute.photon_numbers"""

    max: int = Field(6, ge=1, le=MAX_PHOTONS, description="max = 6")
    label: Label | None = Field(None, description='label = "pair", or a list of labels for their sum; all light where it is left out')
    labels: tuple[Label, ...] | None = Field(None, description='labels = ["XX", "X"]')


Count = Annotated[int, Field(ge=0, le=MAX_PEAKS)]


class SidePeaksTable(Table):
    """compute.side_peaks"""

    count: Count = Field(description="count = 4")
    label: Label | None = Field(None, description='label = "pair", or a list of labels for their sum; all light where it is left out')


class ResponseTable(Table):
    """detector.response"""

    start_ns: float = Field(description="start_ns = -0.2 (ns), the left edge of the first bin")
    bin_ns: Positive = Field(description="bin_ns = 0.004 (ns)")
    weights: tuple[NotNegative, ...] = Field(description="weights = [0.0, 1.0, 3.0, 1.5, 0.0], background taken off")


class DetectorTable(Table):
    """[[detector]]"""

    name: Name = Field(description='name = "A"')
    sees: Label | None = Field(None, description='sees = "pair", or a list of labels; all light where it is left out')
    share: Share = Field(1.0, description="share = 0.5 (of this light, behind a 50:50 splitter)")
    efficiency: Share = Field(1.0, description="efficiency = 0.6 (between 0 and 1)")
    dark_per_s: NotNegative = Field(0.0, description="dark_per_s = 100.0 (1/s)")
    leakage_per_s: NotNegative = Field(0.0, description="leakage_per_s = 50.0 (counts per s of a continuous laser)")
    leakage_per_pulse: NotNegative = Field(0.0, description="leakage_per_pulse = 1e-4 (counts per pulse of a pulsed laser)")
    dead_time_ns: NotNegative = Field(0.0, description="dead_time_ns = 20.0 (ns)")
    dead_time_kind: Literal["non_paralysable", "paralysable"] = Field("non_paralysable", description='dead_time_kind = "non_paralysable"')
    afterpulse_probability: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="afterpulse_probability = 0.01")
    afterpulse_time_ns: NotNegative = Field(0.0, description="afterpulse_time_ns = 30.0 (ns)")
    jitter_fwhm_ns: NotNegative = Field(0.0, description="jitter_fwhm_ns = 0.05 (ns)")
    response: ResponseTable | None = Field(None, description="response = { start_ns = -0.2, bin_ns = 0.1, weights = [0.2, 1.0, 0.6, 0.1] }")
    delay_ns: float = Field(0.0, description="delay_ns = 0.0 (ns)")
    number_resolving: bool = Field(False, description="number_resolving = true")


class BlinkingTable(Table):
    """[blinking]"""

    on_ns: Positive = Field(description="on_ns = 2000.0 (ns)")
    off_ns: NotNegative = Field(description="off_ns = 500.0 (ns)")


class ClicksTable(Table):
    """compute.clicks"""

    max: int = Field(4, ge=1, le=MAX_PHOTONS, description="max = 4")
    window_ns: NotNegative | None = Field(None, description="window_ns = 10.0 (ns), for the background after a single pulse")


class CoincidencesTable(Table):
    """compute.coincidences"""

    first: Name | None = Field(None, description='first = "A"')
    second: Name | None = Field(None, description='second = "B"')
    bin_ns: Positive = Field(description="bin_ns = 0.05 (ns)")
    range_ns: Positive = Field(description="range_ns = 10.0 (ns, to both sides)")
    offset_ns: float = Field(0.0, description="offset_ns = 0.0 (ns, the centre of one bin)")
    time_s: NotNegative | None = Field(None, description="time_s = 600.0 (s), for the expected counts")


class PeaksTable(Table):
    """compute.peaks"""

    count: int = Field(ge=0, le=1000, description="count = 4")
    first: Name | None = Field(None, description='first = "A"')
    second: Name | None = Field(None, description='second = "B"')
    window_ns: Positive | None = Field(None, description="window_ns = 5.0 (ns, at most the period)")
    time_s: NotNegative | None = Field(None, description="time_s = 600.0 (s), for the expected counts")


class ComputeTable(Table):
    """[compute]"""

    rtol: Annotated[float, Field(gt=0, lt=1)] = Field(1e-9, description="rtol = 1e-9")
    populations: bool = Field(False, description="populations = true")
    flux: bool = Field(False, description="flux = true")
    g2: Annotated[Annotated[G2Table, Tag("<one>")] | Annotated[tuple[G2Table, ...], Tag("<many>")], Discriminator(_one_or_many)] | None = Field(
        None, description='g2 = { tau_ns = [0.0, 0.1, 1.0], first = "pair", second = "pair" }, or an array of such tables'
    )
    photon_numbers: PhotonNumbersTable | None = Field(None, description='photon_numbers = { max = 6, label = "pair" }')
    side_peaks: Annotated[Annotated[Count, Tag("<plain>")] | Annotated[SidePeaksTable, Tag("<table>")], Discriminator(_plain_or_table)] | None = Field(
        None, description='side_peaks = 4, or side_peaks = { count = 4, label = "pair" }'
    )
    clicks: Annotated[Annotated[bool, Tag("<plain>")] | Annotated[ClicksTable, Tag("<table>")], Discriminator(_plain_or_table)] | None = Field(
        None, description="clicks = true, or clicks = { max = 4, window_ns = 10.0 }"
    )
    coincidences: CoincidencesTable | None = Field(
        None, description='coincidences = { first = "A", second = "B", bin_ns = 0.05, range_ns = 10.0, time_s = 600.0 }'
    )
    peaks: PeaksTable | None = Field(None, description='peaks = { count = 4, first = "A", second = "B" }')


class FileTable(Table):
    """the file"""

    picture: Literal["rate", "lindblad"] | None = Field(None, description='picture = "lindblad" or "rate"')
    levels: tuple[Name, ...] = Field(description='levels = ["G", "X"]')
    start: Name | None = Field(None, description='start = "G"')
    energy_ueV: dict[str, float] = Field({}, description="[energy_ueV] with one line X = 0.0 (ueV) for each level")
    jump: tuple[JumpTable, ...] = Field((), description='[[jump]] with from = "X", to = "G", rate_per_ns = 1.0, photon = "X"')
    dephasing: tuple[DephasingTable, ...] = Field((), description='[[dephasing]] with level = "X", rate_per_ns = 0.5')
    coupling: tuple[CouplingTable, ...] = Field((), description='[[coupling]] with between = ["G", "X"], rabi_per_ns = 1.0')
    cavity: tuple[CavityTable, ...] = Field(
        (), description='[[cavity]] with name = "H", fock = 4, kappa_per_ns = 100.0, g_per_ns = 20.0, transitions = [["X", "G"]]'
    )
    drive: tuple[DriveTable, ...] = Field((), description='[[drive]] with name = "laser", shape = "cw"')
    collect: dict[str, Share] = Field({}, description="[collect] with one line pair = 0.6 (between 0 and 1) for each label")
    detector: tuple[DetectorTable, ...] = Field((), description='[[detector]] with name = "A", share = 0.5, efficiency = 0.6')
    blinking: BlinkingTable | None = Field(None, description="[blinking] with on_ns = 2000.0, off_ns = 500.0")
    compute: ComputeTable = Field(description="[compute] with at least one of populations, flux, g2, photon_numbers, side_peaks")


# What a file means ----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """A checked scenario: the source, its drives, the collection and what is asked of them.

    picture: "rate", "lindblad" or None (rate where nothing is coherent). collect: {label: probability}. where: the file's name, "" for a text.
    detectors, blinking: what records the light behind the collection.
    """

    model: Model
    drives: tuple[Drive, ...]
    collect: Mapping[str, float]
    compute: ComputeTable
    picture: Literal["rate", "lindblad"] | None = None
    where: str = field(default="", compare=False)
    detectors: tuple[Detector, ...] = ()
    blinking: Blinking | None = None

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
    with _named(where):
        return _scenario(_checked(table), where)


def run(scenario: Scenario) -> dict[str, Any]:
    """Compute what the scenario asks for: one dictionary of plain floats, lists and dictionaries, ready for JSON.

    Keys: stage, populations, flux_per_ns, g2, photon_numbers with its window and figures, side_peaks (those asked for), recorded (where there are
    detectors), error_bound and errors by key.
    A figure that is 0/0 is None. Raises InputError for what the model cannot answer, for example a count of photons that diverges.
    """
    ask = scenario.compute
    result: dict[str, Any] = {"stage": STAGE}
    errors: dict[str, float] = {}
    with _named(scenario.where), _in_range():
        experiment = scenario.experiment()
        if ask.populations:
            with _named("compute.populations"):
                populations = experiment.populations()
            result["populations"] = {k: float(v) for k, v in populations.items()}
            errors["populations"] = max(float(v.error_bound) for v in populations.values())
        if ask.flux:
            with _named("compute.flux"):
                flux = experiment.flux_per_ns()
            result["flux_per_ns"] = {k: float(v) for k, v in flux.items()}
            errors["flux_per_ns"] = max(float(v.error_bound) for v in flux.values())
        if ask.g2 is not None:
            _run_g2(experiment, ask.g2, result, errors)
        if ask.photon_numbers is not None:
            with _named("compute.photon_numbers"):
                if ask.photon_numbers.labels is not None:
                    _run_joint(experiment, ask.photon_numbers.labels, ask.photon_numbers.max, result, errors)
                else:
                    label = scenario.labels if ask.photon_numbers.label is None else ask.photon_numbers.label
                    _run_photon_numbers(experiment, _label(label), ask.photon_numbers.max, result, errors)
        if ask.side_peaks is not None:
            with _named("compute.side_peaks"):
                peaks = experiment.side_peaks(_peak_count(ask), _side_peak_label(scenario))
            result["side_peaks"] = _floats(peaks.value)
            errors["side_peaks"] = float(peaks.error_bound)
        if scenario.detectors:
            result["recorded"] = _run_recorded(scenario, experiment, errors)
    result["error_bound"] = max(errors.values())
    result["errors"] = errors
    return result


def _run_g2(experiment: Experiment, asked: G2Table | tuple[G2Table, ...], result: dict[str, Any], errors: dict[str, float]) -> None:
    """One curve for a table, a list of curves for an array of tables."""
    curves = []
    for place, one in _g2_requests(asked):
        with _named(f"compute.{place}"):
            curve = experiment.g2(list(one.tau_ns), _label(one.first), _label(one.first if one.second is None else one.second))
        curves.append({"tau_ns": _floats(curve.tau_ns), "value": _floats(curve.value)})
        errors[place] = float(curve.error_bound)
    result["g2"] = curves if isinstance(asked, tuple) else curves[0]


def _run_photon_numbers(experiment: Experiment, label: str | tuple[str, ...], most: int, result: dict[str, Any], errors: dict[str, float]) -> None:
    numbers = experiment.photon_numbers(label, max=most)
    result["window"] = numbers.window
    result["photon_numbers"] = _floats(numbers.probabilities)
    result |= {name: _defined(value) for name, value in numbers.figures().items()}
    errors |= {key: float(value) for key, value in numbers.errors.items()}


def _run_joint(experiment: Experiment, labels: tuple[str | tuple[str, ...], ...], most: int, result: dict[str, Any], errors: dict[str, float]) -> None:
    first, second = map(_label, labels)
    joint = experiment.joint_photon_numbers((first, second), max=most)
    result["window"] = joint.window
    result["photon_numbers"] = [_floats(row) for row in joint.probabilities]
    result["mean_photons"] = _floats(joint.mean_photons)
    result["cross_g2_zero"] = _defined(joint.cross_g2_zero)
    errors |= {key: float(value) for key, value in joint.errors.items()}


def _run_recorded(scenario: Scenario, experiment: Experiment, errors: dict[str, float]) -> dict[str, Any]:
    """What the detectors record: rates of continuous light and of trains, clicks of pulses, and coincidences and peaks if asked for."""
    ask, found = scenario.compute, dict[str, Any]()
    clicks_of = ask.clicks if isinstance(ask.clicks, ClicksTable) else ClicksTable.model_validate({})
    is_decay = not scenario.drives and ask.photon_numbers is not None
    asks_clicks = ask.clicks not in (None, False) or (ask.clicks is None and (scenario.is_pulsed or is_decay))
    if scenario.is_train or not (scenario.is_pulsed or is_decay or asks_clicks):
        with _named("detector"):
            rates = experiment.count_rates()
        found["counts_per_s"] = {name: rate.as_dict() for name, rate in rates.items()}
        errors["recorded.counts_per_s"] = max(rate.error_bound for rate in rates.values())
    if asks_clicks:
        with _named("compute.clicks"):
            clicks = experiment.clicks(clicks_of.max, clicks_of.window_ns)
        found["clicks"] = clicks.as_dict()
        errors["recorded.clicks"] = clicks.error_bound
    if ask.coincidences is not None:
        c = ask.coincidences
        side = int(c.range_ns / c.bin_ns * (1.0 + 1e-12))
        with _named("compute.coincidences"):
            histogram = experiment.recorded_g2(c.offset_ns + c.bin_ns * np.arange(-side, side + 1), c.first, c.second, c.bin_ns)
        found["coincidences"] = histogram.as_dict(c.time_s)
        errors["recorded.coincidences"] = histogram.error_bound
    if ask.peaks is not None:
        with _named("compute.peaks"):
            peaks = experiment.recorded_peaks(ask.peaks.count, ask.peaks.first, ask.peaks.second, ask.peaks.window_ns)
        found["peaks"] = peaks.as_dict(ask.peaks.time_s)
        errors["recorded.peaks"] = peaks.error_bound
    return found


def _defined(value: float) -> float | None:
    """A figure as a plain float; None where it is 0/0, for example the share of pairs among multiphotons where there are none."""
    return None if math.isnan(value) else float(value)


def _label(label: str | Sequence[str]) -> str | tuple[str, ...]:
    """A label as `Experiment` takes it: one name, or several to be summed."""
    if isinstance(label, str):
        return label
    return label[0] if len(label) == 1 else tuple(label)


def _floats(values: Any) -> list[float]:
    return [float(v) for v in values]


def _peak_count(ask: ComputeTable) -> int:
    asked = ask.side_peaks
    return asked.count if isinstance(asked, SidePeaksTable) else int(asked or 0)


def _side_peak_label(scenario: Scenario) -> str | tuple[str, ...]:
    """Whose side peaks: the label named with them, else the one of photon_numbers, else all light."""
    ask = scenario.compute
    if isinstance(ask.side_peaks, SidePeaksTable) and ask.side_peaks.label is not None:
        return _label(ask.side_peaks.label)
    if ask.photon_numbers is not None and ask.photon_numbers.label is not None:
        return _label(ask.photon_numbers.label)
    return _label(scenario.labels)


def _g2_requests(asked: G2Table | tuple[G2Table, ...]) -> list[tuple[str, G2Table]]:
    """Every curve asked for with its place below [compute]."""
    return [(f"g2[{i}]", one) for i, one in enumerate(asked)] if isinstance(asked, tuple) else [("g2", asked)]


# From the file's tables to model and drives ---------------------------------------------------------------------------------------------------------


def _scenario(file: FileTable, where: str) -> Scenario:
    _check_levels(file)
    model = Model(
        levels=file.levels,
        start=file.start,
        energies_ueV=dict(file.energy_ueV),
        jumps=tuple(_jump(i, j, file.levels) for i, j in enumerate(file.jump)),
        couplings=_couplings(file),
        dephasings=tuple(Dephasing(_level(f"dephasing[{i}].level", d.level, file.levels), d.rate_per_ns) for i, d in enumerate(file.dephasing)),
        cavities=tuple(_cavity(i, c, file.levels) for i, c in enumerate(file.cavity)),
    )
    states = len(file.levels) * math.prod(c.fock for c in file.cavity)
    if states > MAX_STATES:
        raise bad("cavity[0].fock", f"leave at most {MAX_STATES} states (levels times Fock states of every cavity)", states, "lower fock")
    if file.picture == "rate" and (file.coupling or file.cavity):
        what = "[[coupling]]" if file.coupling else "[[cavity]]"
        raise bad("picture", f'be "lindblad" for a scenario with {what}, which is coherent', '"rate"', 'write picture = "lindblad"')
    drives = _drives(file, model)
    for label in file.collect:
        if label not in model.lines:
            raise unknown(f"collect.{label} (a label that the source emits)", label, model.lines)
    detectors = tuple(_detector(i, d, model) for i, d in enumerate(file.detector))
    if file.blinking is not None and not detectors:
        raise bad("blinking", "come with at least one [[detector]], the only ones that see it", "no detector", 'add [[detector]] with name = "A"')
    blinking = None if file.blinking is None else Blinking(file.blinking.on_ns, file.blinking.off_ns)
    scenario = Scenario(model, drives, dict(file.collect), file.compute, file.picture, where, detectors, blinking)
    _check_compute(scenario)
    _check_recorded(scenario)
    return scenario


def _detector(i: int, d: DetectorTable, model: Model) -> Detector:
    here = f"detector[{i}]"
    for k, label in enumerate(() if d.sees is None else [d.sees] if isinstance(d.sees, str) else d.sees):
        model.lines_of(label, f"{here}.sees" + ("" if isinstance(d.sees, str) else f"[{k}]"))
    given = d.model_dump()
    if d.response is not None:
        with _named(f"{here}.response"):
            edges = d.response.start_ns + d.response.bin_ns * np.arange(len(d.response.weights) + 1)
            given["response"] = MeasuredResponse(edges.tolist(), d.response.weights)
    with _named(here):
        return Detector(**given)


def _check_levels(file: FileTable) -> None:
    if not file.levels:
        raise bad("levels", "hold at least one name", "an empty list", 'for example levels = ["G", "X"]')
    for i, name in enumerate(file.levels):
        if name in file.levels[:i]:
            raise bad(f"levels[{i}]", "differ from the other levels", repr(name), "rename one of them")
    if file.start is not None:
        _level("start", file.start, file.levels)
    for name in file.energy_ueV:
        _level(f"energy_ueV.{name}", name, file.levels)


def _level(argument: str, name: str, levels: Sequence[str]) -> str:
    if name not in levels:
        raise unknown(f"{argument} (a level)", name, levels)
    return name


def _transition(argument: str, pair: Sequence[str], levels: Sequence[str]) -> tuple[str, str]:
    """[from, to] as two different known levels."""
    if len(pair) != 2:
        raise bad(argument, "be two levels, [from, to]", list(pair), 'for example ["X", "G"]')
    a, b = (_level(f"{argument}[{k}]", name, levels) for k, name in enumerate(pair))
    if a == b:
        raise bad(argument, "join two different levels", list(pair), "use [[dephasing]] for a process that keeps the level")
    return a, b


def _transitions(argument: str, pairs: Sequence[Sequence[str]], levels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if not pairs:
        raise bad(argument, "hold at least one [from, to]", "an empty list", 'for example [["X", "G"]]')
    found: list[tuple[str, str]] = []
    for i, pair in enumerate(pairs):
        t = _transition(f"{argument}[{i}]", pair, levels)
        if t in found:
            raise bad(f"{argument}[{i}]", "differ from the other transitions", list(t), "name each transition once")
        found.append(t)
    return tuple(found)


def _jump(i: int, j: JumpTable, levels: Sequence[str]) -> Jump:
    """One transition with a rate or a lifetime, or several transitions as one collective operator."""
    here = f"jump[{i}]"
    if j.transitions is not None or j.rates_per_ns is not None:
        single = {"from": j.from_, "to": j.to, "rate_per_ns": j.rate_per_ns, "lifetime_ns": j.lifetime_ns}
        extra = [k for k, v in single.items() if v is not None]
        if extra:
            raise bad(
                f"{here}.{extra[0]}", "be absent in a collective jump (transitions with rates_per_ns)", single[extra[0]], "remove it, or write two [[jump]]"
            )
        if j.transitions is None or j.rates_per_ns is None:
            absent = "transitions" if j.transitions is None else "rates_per_ns"
            raise bad(
                f"{here}.{absent}", "be given: a collective jump has transitions and rates_per_ns", "nothing", JumpTable.model_fields[absent].description or ""
            )
        pairs = _transitions(f"{here}.transitions", j.transitions, levels)
        if len(j.rates_per_ns) != len(pairs):
            raise bad(f"{here}.rates_per_ns", f"hold one rate for each of the {len(pairs)} transitions", list(j.rates_per_ns), "add or remove rates")
        return Jump(pairs, j.rates_per_ns, photon=j.photon, drive=j.drive)
    if j.from_ is None or j.to is None:
        key = "from" if j.from_ is None else "to"
        raise bad(f"{here}.{key}", "be given", "nothing", f"for example {_keys(JumpTable)[key].description}")
    pair = _level(f"{here}.from", j.from_, levels), _level(f"{here}.to", j.to, levels)
    if j.from_ == j.to:
        raise bad(f"{here}.to", "differ from its `from`", repr(j.to), "use [[dephasing]] for a process that keeps the level")
    return Jump((pair,), (_rate(here, j),), photon=j.photon, drive=j.drive)


def _rate(here: str, j: JumpTable) -> float:
    """The rate of a single jump, 1/ns, from the one of rate_per_ns and lifetime_ns that is given."""
    if j.rate_per_ns is not None and j.lifetime_ns is not None:
        raise bad(here, "have exactly one of rate_per_ns and lifetime_ns", f"rate_per_ns = {j.rate_per_ns!r} and lifetime_ns = {j.lifetime_ns!r}", "remove one")
    if j.rate_per_ns is not None:
        return j.rate_per_ns
    if j.lifetime_ns is None:
        raise bad(here, "have exactly one of rate_per_ns and lifetime_ns", "neither", "add one, for example rate_per_ns = 1.0 (1/ns)")
    rate = 1.0 / j.lifetime_ns
    if not math.isfinite(rate):
        raise bad(f"{here}.lifetime_ns", "be long enough for its rate to be finite", j.lifetime_ns, "give a longer lifetime")
    return rate


def _cavity(i: int, c: CavityTable, levels: Sequence[str]) -> Cavity:
    here = f"cavity[{i}]"
    pairs = _transitions(f"{here}.transitions", c.transitions, levels)
    if isinstance(c.g_per_ns, tuple) and len(c.g_per_ns) != len(pairs):
        raise bad(f"{here}.g_per_ns", f"be one number or hold one for each of the {len(pairs)} transitions", list(c.g_per_ns), "add or remove numbers")
    g = c.g_per_ns if isinstance(c.g_per_ns, tuple) else (c.g_per_ns,) * len(pairs)
    return Cavity(c.name, c.fock, c.kappa_per_ns, g, pairs, detuning_ueV=c.detuning_ueV, photon=c.photon)


def _couplings(file: FileTable) -> tuple[Coupling, ...]:
    found = []
    for i, c in enumerate(file.coupling):
        here = f"coupling[{i}].between"
        if len(c.between) != 2:
            raise bad(here, "name two levels", list(c.between), 'for example between = ["G", "X"]')
        a, b = (_level(f"{here}[{k}]", name, file.levels) for k, name in enumerate(c.between))
        if a == b:
            raise bad(here, "name two different levels", list(c.between), "shift a level with [energy_ueV]")
        found.append(Coupling(_lower_upper(a, b, file), c.rabi_per_ns, c.drive))
    return tuple(found)


def _lower_upper(a: str, b: str, file: FileTable) -> tuple[str, str]:
    """(lower, upper) of a coupling: as listed, unless light leads from the first to the second and not back."""
    emits: dict[str, set[str]] = {}
    for j in file.jump:
        if j.photon is not None and j.drive is None:
            for pair in j.transitions or ((j.from_, j.to),):
                emits.setdefault(str(pair[0]), set()).add(str(pair[1]))
    for c in file.cavity:
        for pair in c.transitions:
            emits.setdefault(pair[0], set()).add(pair[1])

    def direct(x: str, y: str) -> bool:
        return y in emits.get(x, ())

    def leads(x: str, y: str) -> bool:
        seen, todo = {x}, [x]
        while todo:
            for z in emits.get(todo.pop(), ()):
                if z not in seen:
                    seen.add(z)
                    todo.append(z)
        return y in seen

    for rule in (direct, leads):
        if rule(a, b) != rule(b, a):
            return (b, a) if rule(a, b) else (a, b)
    return a, b


SHAPE_KEYS: Mapping[str, tuple[str, ...]] = {
    "cw": (),
    "square": ("duration_ns", "area_pi", "start_ns", "period_ns", "chirp_per_ns2"),
    "gaussian": ("fwhm_ns", "area_pi", "start_ns", "period_ns", "chirp_per_ns2"),
    "sech": ("fwhm_ns", "area_pi", "start_ns", "period_ns", "chirp_per_ns2"),
    "instant": ("dose_ns", "area_pi", "start_ns", "period_ns"),
}
"""Which keys a shape takes beside name, shape, detuning_ueV and phase_pi."""


def _drives(file: FileTable, model: Model) -> tuple[Drive, ...]:
    names = [d.name for d in file.drive]
    named = [(f"jump[{i}]", j.drive) for i, j in enumerate(file.jump)] + [(f"coupling[{i}]", c.drive) for i, c in enumerate(file.coupling)]
    for place, drive in named:
        if drive is not None and drive not in names:
            raise unknown(f"{place}.drive (the name of a [[drive]])", drive, dict.fromkeys(names))
    drives = tuple(_drive(i, d, file) for i, d in enumerate(file.drive))
    for i, d in enumerate(drives):
        if d.name not in model.drives:
            raise bad(
                f"drive[{i}].name", "be named by a jump or a coupling", repr(d.name), f"add drive = {d.name!r} to the jump or coupling it drives, or remove it"
            )
        if names.count(d.name) > 1 and any(isinstance(other, CW) for other in drives if other.name == d.name):
            raise bad(f"drive[{i}].name", "belong to one continuous drive or to pulses only", repr(d.name), "rename one of them")
    pulses = [(i, d) for i, d in enumerate(drives) if isinstance(d, Pulse)]
    for i, d in pulses:
        first, period = pulses[0][0], pulses[0][1].period_ns
        if d.period_ns != period:
            got = "none" if d.period_ns is None else d.period_ns
            raise bad(
                f"drive[{i}].period_ns", f"equal drive[{first}].period_ns = {period if period is not None else 'none'}", got, "pulsed drives share one period"
            )
        if period is not None and d.length_ns > period * (1 + 1e-12):
            raise bad(
                f"drive[{i}]",
                f"be shorter than its period of {period:g} ns, from first to last light",
                f"a {file.drive[i].shape} pulse of {d.length_ns:g} ns",
                "shorten the pulse (a Gaussian is taken over 16 sigma = 9.6 fwhm_ns) or lengthen period_ns",
            )
    return drives


def _drive(i: int, d: DriveTable, file: FileTable) -> Drive:
    here = f"drive[{i}]"
    takes = SHAPE_KEYS[d.shape]
    for key in dict.fromkeys(k for keys in SHAPE_KEYS.values() for k in keys):
        if key not in takes and getattr(d, key) is not None:
            known = [s for s, keys in SHAPE_KEYS.items() if key in keys]
            remedy = "remove it; rabi_per_ns of the coupling sets the strength" if key == "area_pi" else "remove it, or choose a shape that has it"
            raise bad(f"{here}.{key}", f"be absent for shape {d.shape!r} (it belongs to {', '.join(map(repr, known))})", getattr(d, key), remedy)
    couplings = [(k, c) for k, c in enumerate(file.coupling) if c.drive == d.name]
    jumps = [k for k, j in enumerate(file.jump) if j.drive == d.name]
    for key in ("duration_ns", "fwhm_ns"):
        if key in takes and getattr(d, key) is None:
            raise bad(f"{here}.{key}", f"be given for shape {d.shape!r}", "nothing", f"for example {DriveTable.model_fields[key].description}")
    if d.area_pi is not None:
        if not couplings:
            raise bad(f"{here}.area_pi", f"belong to a drive that a [[coupling]] names (drive = {d.name!r})", d.area_pi, "add the coupling or remove area_pi")
        if couplings[0][1].rabi_per_ns == 0.0:
            first = f"coupling[{couplings[0][0]}].rabi_per_ns"
            raise bad(
                first, f"differ from 0: {here}.area_pi scales it to the area asked", 0.0, "give the ratio of this coupling to the others, for example 1.0"
            )
    coherent = {"detuning_ueV": d.detuning_ueV, "phase_pi": d.phase_pi, "chirp_per_ns2": d.chirp_per_ns2 or 0.0}
    for key, value in coherent.items():
        if value != 0.0 and not couplings:
            raise bad(f"{here}.{key}", "be 0 or absent: this drive drives no [[coupling]]", value, "only coherent driving has a frequency and a phase")
    if d.shape == "instant":
        if jumps and d.dose_ns is None:
            raise bad(
                f"{here}.dose_ns", f"be given: jump[{jumps[0]}] is driven by {d.name!r}", "nothing", "it is the integral of the intensity envelope, in ns"
            )
        if couplings and d.area_pi is None:
            raise bad(f"{here}.area_pi", f"be given: coupling[{couplings[0][0]}] is driven by {d.name!r}", "nothing", "for example area_pi = 1.0")
        if d.dose_ns is not None and not jumps:
            raise bad(f"{here}.dose_ns", f"belong to a drive that a [[jump]] names (drive = {d.name!r})", d.dose_ns, "add drive to the jump, or remove dose_ns")
    common: dict[str, Any] = {"name": d.name, "detuning_ueV": d.detuning_ueV, "phase_pi": d.phase_pi}
    if d.shape == "cw":
        return CW(**common)
    common |= {"area_pi": d.area_pi, "start_ns": d.start_ns or 0.0, "period_ns": d.period_ns}
    if d.period_ns is not None and (d.start_ns or 0.0) >= d.period_ns:
        raise bad(f"{here}.start_ns", f"be < period_ns = {d.period_ns:g} ns", d.start_ns, "count it from the start of the period")
    if d.shape == "instant":
        return Instant(dose_ns=d.dose_ns, **common)
    common["chirp_per_ns2"] = d.chirp_per_ns2 or 0.0
    if d.shape == "square":
        return Square(duration_ns=number(f"{here}.duration_ns", d.duration_ns), **common)
    shape: type[Gaussian | Sech] = Gaussian if d.shape == "gaussian" else Sech
    return shape(fwhm_ns=number(f"{here}.fwhm_ns", d.fwhm_ns), **common)


def _check_compute(scenario: Scenario) -> None:
    """Refuse what this kind of experiment does not have, and labels that nobody emits."""
    ask = scenario.compute
    pulsed, train = scenario.is_pulsed, scenario.is_train
    if ask.g2 == ():
        raise bad("compute.g2", "be a table or hold at least one", "an empty list", "add { tau_ns = [...], first = ... } or leave g2 out")
    if not (ask.populations or ask.flux or ask.g2 or ask.photon_numbers or ask.side_peaks is not None or scenario.detectors):
        raise bad("compute", "ask for at least one of populations, flux, g2, photon_numbers and side_peaks", "none of them", "for example flux = true")

    def check(argument: str, label: str | Sequence[str] | None) -> None:
        if label is not None:
            scenario.model.lines_of(label, argument)

    if not scenario.labels and (ask.flux or ask.g2 or ask.photon_numbers or ask.side_peaks is not None):
        key = next(k for k in ("flux", "g2", "photon_numbers", "side_peaks") if getattr(ask, k) not in (False, None, ()))
        raise bad(
            f"compute.{key}", "be asked of a source that emits light", "a scheme in which no jump and no cavity has `photon`", 'add photon = "X" to the jump'
        )
    if pulsed and not train:
        for key, asked, instead in (("populations", ask.populations, ""), ("flux", ask.flux, "ask for photon_numbers, whose mean_photons counts the light; ")):
            if asked:
                raise bad(
                    f"compute.{key}",
                    "be asked under continuous light or of a train: after a single pulse the source only returns to rest",
                    "a single pulse",
                    instead + "give the drive a period_ns, or remove this key",
                )
    if ask.g2:
        for place, one in _g2_requests(ask.g2):
            if pulsed:
                instead = "ask for side_peaks" + ("" if train else " (with a period_ns) or photon_numbers")
                raise bad(f"compute.{place}", "be asked under continuous light: under pulses g2 depends on two times", "a pulsed scenario", instead)
            if not one.tau_ns:
                raise bad(f"compute.{place}.tau_ns", "hold at least one delay", "an empty list", "for example tau_ns = [0.0, 1.0]")
            check(f"compute.{place}.first", one.first)
            check(f"compute.{place}.second", one.second)
    if ask.photon_numbers:
        _check_photon_numbers(scenario, ask.photon_numbers, check)
    if ask.side_peaks is not None:
        if not train:
            got = "a single pulse" if pulsed else "no pulsed drive"
            raise bad("compute.side_peaks", "be asked of a train of pulses", got, "give every pulsed drive the same period_ns")
        check("compute.side_peaks.label", ask.side_peaks.label if isinstance(ask.side_peaks, SidePeaksTable) else None)


def _check_recorded(scenario: Scenario) -> None:
    """Refuse what detectors do not record under this kind of light."""
    ask, names = scenario.compute, [d.name for d in scenario.detectors]
    for key, asked, kind in (
        ("clicks", ask.clicks, scenario.is_pulsed or not scenario.drives),
        ("coincidences", ask.coincidences, not scenario.is_pulsed),
        ("peaks", ask.peaks, scenario.is_train),
    ):
        if asked is None or asked is False:
            continue
        if not names:
            raise bad(f"compute.{key}", "be asked where there is a [[detector]]", "none", 'add [[detector]] with name = "A", share = 0.5')
        if not kind:
            light = "a train of pulses" if scenario.is_train else "a single pulse" if scenario.is_pulsed else "continuous light"
            instead = "peaks" if scenario.is_train else "clicks" if scenario.is_pulsed else "coincidences"
            must = {"clicks": "pulses", "coincidences": "continuous light", "peaks": "a train of pulses"}[key]
            raise bad(f"compute.{key}", f"be asked under {must}", light, f"ask for {instead}")
        for place in ("first", "second"):
            name = getattr(asked, place, None)
            if name is not None and name not in names:
                raise unknown(f"compute.{key}.{place} (a detector)", name, names)
    if ask.coincidences is not None and 2 * ask.coincidences.range_ns / ask.coincidences.bin_ns > MAX_BINS:
        raise bad("compute.coincidences.bin_ns", f"leave at most {MAX_BINS} bins within range_ns", ask.coincidences.bin_ns, "widen it")
    if names:
        with _named("detector"):
            scenario.experiment()


def _check_photon_numbers(scenario: Scenario, asked: PhotonNumbersTable, check: Callable[[str, str | Sequence[str] | None], None]) -> None:
    here = "compute.photon_numbers"
    if not scenario.is_pulsed and scenario.drives:
        raise bad(here, "be asked of pulses, or of a source without any drive", "a continuous drive, under which photons come for ever", "ask for flux and g2")
    if asked.label is not None and asked.labels is not None:
        raise bad(here, "have one of label and labels", "both", "label gives P[n], labels gives the joint P[n][m]")
    check(f"{here}.label", asked.label)
    if asked.labels is None:
        return
    if len(asked.labels) != 2:
        raise bad(
            f"{here}.labels", "be two labels (each a name or a list of names)", [_thawed(one) for one in asked.labels], 'for example labels = ["XX", "X"]'
        )
    for k, one in enumerate(asked.labels):
        check(f"{here}.labels[{k}]", one)
    lines = [set(scenario.model.lines_of(one)) for one in asked.labels]
    if lines[0] & lines[1]:
        common = sorted(lines[0] & lines[1])
        raise bad(f"{here}.labels", "name different light", f"{common[0]!r} in both", "use label for the photon numbers of one label")


# Errors: from pydantic's report to one message ------------------------------------------------------------------------------------------------------


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Put the place in front of the message of an InputError that passes through."""
    try:
        yield
    except InputError as error:
        if not place or str(error).startswith(place):
            raise
        raise InputError(f"{place}: {error}") from error


@contextmanager
def _in_range() -> Iterator[None]:
    """An overflow or 0/0 inside a calculation as an InputError, so that no number comes from it."""
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        remedy = "look for a rate, energy, delay or pulse that is many orders of magnitude from the others"
        raise bad("the scenario", "stay within the range of double precision", str(error), remedy) from None


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


def _checked(table: Mapping[str, Any]) -> FileTable:
    try:
        return FileTable.model_validate(_frozen(dict(table)))
    except ValidationError as error:
        found = error.errors(include_url=False)
    # an unknown key is often a mistyped one and explains the missing key beside it: report it first
    worst = min(found, key=lambda e: e["type"] != "extra_forbidden")
    message = _message(worst["type"], worst["loc"], worst["input"], worst.get("ctx", {}))
    more = f" ({len(found) - 1} more wrong in the file)" if len(found) > 1 else ""
    raise InputError(str(message) + more)


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {k: _frozen(v) for k, v in value.items()}
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _thawed(value: Any) -> Any:
    return [_thawed(v) for v in value] if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    """A value as it stands in the file, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table (" + ", ".join(map(str, list(value)[:4])) + ")" if value else "an empty table"
    if isinstance(value, datetime.date | datetime.time):
        return str(value)
    if isinstance(value, tuple):
        if value and isinstance(value[0], dict):
            return "an array of tables"
        text = str(_thawed(value))
    elif isinstance(value, int) and abs(value) >= 10**20:
        return "a whole number of more than 20 digits"
    else:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _keys(table: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in table.model_fields.items()}


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The table class inside an annotation, if there is one."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias) and issubclass(annotation, BaseModel):
        return annotation
    return next((t for t in map(_table_in, get_args(annotation)) if t is not None), None)


def _limits(annotation: Any, metadata: Sequence[Any] = ()) -> list[str]:
    """Limits on a number, from anywhere inside an annotation."""
    signs = {"gt": ">", "ge": ">=", "le": "<=", "lt": "<"}
    found = []
    for m in metadata:
        if isinstance(m, FieldInfo):
            found += _limits(None, m.metadata)
        found += [f"{sign} {getattr(m, name):g}" for name, sign in signs.items() if getattr(m, name, None) is not None]
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return found + _limits(inner[0], inner[1:])
    return found + [limit for one in inner for limit in _limits(one)]


def _place(loc: Sequence[int | str]) -> tuple[str, type[BaseModel], FieldInfo | None]:
    """(path in the file, table class that holds the last key, that key's field) of pydantic's location."""
    path, table = "", FileTable
    info: FieldInfo | None = None
    owner: type[BaseModel] = FileTable
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):
            path += f".{part}" if path else part
            if table is None:
                continue
            owner, info = table, _keys(table).get(part)
            table = _table_in(info.annotation) if info is not None else None  # type: ignore[assignment]
    return path, owner, info


def _title(table: type[BaseModel]) -> str:
    return (table.__doc__ or "").strip()


def _message(kind: str, loc: Sequence[int | str], value: object, context: Mapping[str, Any]) -> InputError:
    path, owner, info = _place(loc)
    example = f"for example {info.description}" if info is not None and info.description else ""
    got = _shown(value)
    if kind == "extra_forbidden":
        return _unknown_key(path, str(loc[-1]), owner)
    if kind == "missing":
        return bad(path, "be given", "nothing", example)
    if kind == "literal_error" and info is not None:
        choices = [c for c in _literals(info.annotation)]
        return unknown(path, value, choices) if isinstance(value, str) else bad(path, "be one of " + ", ".join(map(repr, choices)), got, example)
    if kind == "string_too_short":
        return bad(path, "be a name of at least one character", "an empty text", example)
    musts = {
        "string_type": "be a text in quotes",
        "bool_type": "be true or false",
        "tuple_type": "be a list in square brackets",
        "model_type": "be a table",
        "dict_type": "be a table",
    }
    must = musts.get(kind, "be a whole number" if kind.startswith("int_") or (info is not None and _is_whole(info.annotation)) else "be a finite number")
    if "number" in must and info is not None:
        limits = list(dict.fromkeys(_limits(info.annotation, info.metadata)))
        must += " " + " and ".join(limits) if limits else ""
    if "number" in must and isinstance(value, str):
        example = "write the number without quotes" + (f", {example}" if example else "")
    if kind == "tuple_type" and info is not None and (info.description or "").startswith("[["):
        return bad(path, f"be an array of tables, each headed [[{path}]]", got, example)
    return bad(path, must, got, example)


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [c for one in get_args(annotation) for c in _literals(one)]


def _is_whole(annotation: Any) -> bool:
    return annotation is int or any(map(_is_whole, get_args(annotation)))


OWNERS = (FileTable, JumpTable, DephasingTable, CouplingTable, CavityTable, DriveTable, DetectorTable, BlinkingTable, ComputeTable)
"""Tables that a key may have been meant for."""


def _unknown_key(path: str, key: str, owner: type[BaseModel]) -> InputError:
    """An unknown key with the nearest valid one, or with the table that it belongs to."""
    keys = list(_keys(owner))
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.0)[0]
    others = [
        _title(t) for t in (FileTable, JumpTable, DephasingTable, CouplingTable, CavityTable, DriveTable, ComputeTable) if t is not owner and key in _keys(t)
    ]
    remedy = f"the nearest valid key is {near!r}"
    if others and difflib.SequenceMatcher(None, key, near).ratio() < 0.8:
        remedy += f", and {key!r} is a key of {' and '.join(others)}"
    return bad(path, f"be a key of {_title(owner)} ({', '.join(keys)})", "an unknown key", remedy)
