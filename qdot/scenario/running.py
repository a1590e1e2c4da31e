"""What a scenario asks for, computed: plain floats, lists and dictionaries, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qdot.experiment.setup import name_of
from qdot.scenario.asked import g2_requests
from qdot.scenario.messages import in_range, in_words_of_the_file, named
from qdot.scenario.tables import STAGE, ClicksTable, ComputeTable, G2Table, SidePeaksTable

if TYPE_CHECKING:
    from qdot.experiment import Experiment
    from qdot.scenario.reading import Scenario


def run(scenario: Scenario) -> dict[str, Any]:
    """Compute what the scenario asks for: one dictionary of plain floats, lists and dictionaries, ready for JSON.

    Keys: stage, window, populations, flux_per_ns, g2, photon_numbers with its figures, side_peaks, g1, spectrum, filtered_g2, interference,
    two_photon_state, arrival_times, delay_distribution (those asked for), recorded (where there are detectors), error_bound and errors by key.
    A figure that is 0/0 is None. Raises InputError for what the model cannot answer, for example a count of photons that diverges.
    """
    ask = scenario.compute
    result: dict[str, Any] = {"stage": STAGE}
    errors: dict[str, float] = {}
    with named(scenario.where), in_words_of_the_file(), in_range():
        experiment = scenario.experiment()
        result["window"] = _window(scenario, experiment)
        if ask.populations:
            with named("compute.populations"):
                populations = experiment.populations()
            result["populations"] = {k: float(v) for k, v in populations.items()}
            errors["populations"] = max(float(v.error_bound) for v in populations.values())
        if ask.flux:
            with named("compute.flux"):
                flux = experiment.flux_per_ns()
            result["flux_per_ns"] = {k: float(v) for k, v in flux.items()}
            errors["flux_per_ns"] = max(float(v.error_bound) for v in flux.values())
        if ask.g2 is not None:
            _run_g2(experiment, ask.g2, result, errors)
        if ask.photon_numbers is not None:
            with named("compute.photon_numbers"):
                if ask.photon_numbers.labels is not None:
                    _run_joint(experiment, ask.photon_numbers.labels, ask.photon_numbers.max, result, errors)
                else:
                    label = scenario.labels if ask.photon_numbers.label is None else ask.photon_numbers.label
                    _run_photon_numbers(experiment, _label(label), ask.photon_numbers.max, result, errors)
        if ask.side_peaks is not None:
            with named("compute.side_peaks"):
                peaks = experiment.side_peaks(_peak_count(ask), _side_peak_label(scenario))
            result["side_peaks"] = _floats(peaks.value)
            errors["side_peaks"] = float(peaks.error_bound)
        for key, ask_for in FIELDS.items():
            table = getattr(ask, key)
            if table is not None:
                label = _label(scenario.labels if getattr(table, "label", None) is None else table.label)
                with named(f"compute.{key}"):
                    result[key], errors[key] = ask_for(experiment, table, label)
        if scenario.detectors:
            result["recorded"] = _run_recorded(scenario, experiment, errors)
    result["error_bound"] = max(errors.values())
    result["errors"] = errors
    return result


def _window(scenario: Scenario, experiment: Experiment) -> str:
    """What photons are counted in. Without any drive what is asked tells: a static term may drive the source for ever."""
    ask = scenario.compute
    counted = (ask.photon_numbers, ask.clicks, ask.interference, ask.arrival_times, ask.delay_distribution)
    if scenario.drives or any(one not in (None, False) for one in counted):
        return experiment.window
    return "continuous" if ask.spectrum is None and ask.two_photon_state is None else experiment.window_of_light


def _run_g2(experiment: Experiment, asked: G2Table | tuple[G2Table, ...], result: dict[str, Any], errors: dict[str, float]) -> None:
    """One curve for a table, a list of curves for an array of tables."""
    curves = []
    for place, one in g2_requests(asked):
        with named(f"compute.{place}"):
            curve = experiment.g2(list(one.tau_ns), _label(one.first), _label(one.first if one.second is None else one.second))
        curves.append({"tau_ns": _floats(curve.tau_ns), "value": _floats(curve.value)})
        errors[place] = float(curve.error_bound)
    result["g2"] = curves if isinstance(asked, tuple) else curves[0]


def _run_photon_numbers(experiment: Experiment, label: str | tuple[str, ...], most: int, result: dict[str, Any], errors: dict[str, float]) -> None:
    numbers = experiment.photon_numbers(label, max=most)
    result["photon_numbers"] = _floats(numbers.probabilities)
    result |= {name: _defined(value) for name, value in numbers.figures().items()}
    errors |= {key: float(value) for key, value in numbers.errors.items()}


def _run_joint(experiment: Experiment, labels: tuple[str | tuple[str, ...], ...], most: int, result: dict[str, Any], errors: dict[str, float]) -> None:
    first, second = map(_label, labels)
    joint = experiment.joint_photon_numbers((first, second), max=most)
    result["labels"] = list(joint.labels)
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
        with named("detector"):
            rates = experiment.count_rates()
        found["counts_per_s"] = {name: rate.as_dict() for name, rate in rates.items()}
        errors["recorded.counts_per_s"] = max(rate.error_bound for rate in rates.values())
    if asks_clicks:
        with named("compute.clicks"):
            clicks = experiment.clicks(clicks_of.max, clicks_of.window_ns)
        found["clicks"] = clicks.as_dict()
        errors["recorded.clicks"] = clicks.error_bound
    if ask.coincidences is not None:
        c = ask.coincidences
        side = int(c.range_ns / c.bin_ns * (1.0 + 1e-12))
        with named("compute.coincidences"):
            histogram = experiment.recorded_g2(c.offset_ns + c.bin_ns * np.arange(-side, side + 1), c.first, c.second, c.bin_ns)
        found["coincidences"] = histogram.as_dict(c.time_s)
        errors["recorded.coincidences"] = histogram.error_bound
    if ask.peaks is not None:
        with named("compute.peaks"):
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


def _g1(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    curve = experiment.g1(list(table.tau_ns), label)
    return {"tau_ns": _floats(curve.x), "real": _floats(curve.value.real), "imag": _floats(curve.value.imag)}, float(curve.error_bound)


def _spectrum(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    found = experiment.spectrum(list(table.energy_ueV), label)
    lines = [{"energy_ueV": e, "photons": v} for e, v in found.elastic]
    value: dict[str, Any] = {"label": found.label, "energy_ueV": _floats(found.energy_ueV), "value": _floats(found.value), "unit": found.unit}
    return value | {"photons": found.photons, "photons_unit": found.photons_unit, "elastic": lines}, float(found.error_bound)


def _filtered_g2(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    second = table.first if table.second is None else table.second
    curve = experiment.filtered_g2(list(table.tau_ns), table.energies_ueV, table.fwhm_ueV, _label(table.first), _label(second))
    return {"tau_ns": _floats(curve.x), "value": _floats(curve.value)}, float(curve.error_bound)


def _interference(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    found = experiment.interference(label, table.gate_ns, table.reflectivity, table.contrast)
    return {"label": found.label} | {name: _defined(value) for name, value in found.figures().items()}, float(found.error_bound)


def _two_photon_state(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    found = experiment.two_photon_state(table.first, table.second, table.delay_ns)
    rho = found.density_matrix
    value: dict[str, Any] = {"first": found.first, "second": found.second, **found.figures()}
    value["density_matrix"] = {"basis": ["HH", "HV", "VH", "VV"], "real": rho.real.tolist(), "imag": rho.imag.tolist()}
    value["coincidences"] = {a + b: v for (a, b), v in found.settings().items()}
    return value, float(found.error_bound)


def _arrival_times(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    found = experiment.arrival_times(label)
    return {"label": found.label} | {name: _defined(value) for name, value in found.figures().items()}, float(found.error_bound)


def _delay_distribution(experiment: Experiment, table: Any, label: Any) -> tuple[dict[str, Any], float]:
    curve = experiment.delay_distribution(list(table.tau_ns), label)
    return {"label": name_of(label), "tau_ns": _floats(curve.x), "value": _floats(curve.value)}, float(curve.error_bound)


FIELDS: dict[str, Callable[[Experiment, Any, Any], tuple[dict[str, Any], float]]] = {
    "g1": _g1,
    "spectrum": _spectrum,
    "filtered_g2": _filtered_g2,
    "interference": _interference,
    "two_photon_state": _two_photon_state,
    "arrival_times": _arrival_times,
    "delay_distribution": _delay_distribution,
}
"""What rests on fields or on the time of photons: (experiment, table, label) to (value, error bound)."""
