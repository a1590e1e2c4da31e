"""What [compute] may ask of a scenario: refused here where this kind of light does not have it, or nobody emits the label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qdot.errors import bad, unknown
from qdot.scenario.messages import named, thawed
from qdot.scenario.tables import MAX_BINS, G2Table, PhotonNumbersTable, SidePeaksTable

if TYPE_CHECKING:
    from qdot.scenario.reading import Scenario

OF_LIGHT = (
    "flux",
    "g2",
    "photon_numbers",
    "side_peaks",
    "g1",
    "spectrum",
    "filtered_g2",
    "interference",
    "two_photon_state",
    "arrival_times",
    "delay_distribution",
)
"""What is asked of light; each wants a source that emits some."""
CONTINUOUS = {"g1": "interference", "filtered_g2": "photon_numbers of the light behind a [[filter]]"}
"""What is asked of continuous light only, and what to ask for instead under pulses."""
COUNTED = {"interference": "g1 and g2", "arrival_times": "g2", "delay_distribution": "g2"}
"""What is asked of pulses or of a decay only, and what to ask for instead under continuous light."""


def check_compute(scenario: Scenario) -> None:
    """Refuse what this kind of experiment does not have, and labels that nobody emits."""
    ask = scenario.compute
    pulsed, train = scenario.is_pulsed, scenario.is_train
    with named("analyse" if scenario.analyse else ""):
        experiment = scenario.experiment()
    if ask.g2 == ():
        raise bad("compute.g2", "be a table or hold at least one", "an empty list", "add { tau_ns = [...], first = ... } or leave g2 out")
    asked_of_light = [key for key in OF_LIGHT if getattr(ask, key) not in (False, None, ())]
    recorded = scenario.detectors or ask.clicks or ask.coincidences or ask.peaks
    if not (ask.populations or asked_of_light or recorded):
        raise bad("compute", f"ask for at least one of populations, {', '.join(OF_LIGHT)}", "none of them", "for example flux = true")

    def check(argument: str, label: str | Sequence[str] | None) -> None:
        if label is not None:
            experiment.channels(label, argument)

    if not scenario.labels and asked_of_light:
        raise bad(
            f"compute.{asked_of_light[0]}",
            "be asked of a source that emits light",
            "a scheme in which no jump and no cavity has `photon`",
            'add photon = "X" to the jump',
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
        for place, one in g2_requests(ask.g2):
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
    _check_fields(scenario, asked_of_light, check)


def _check_fields(scenario: Scenario, asked: Sequence[str], check: Callable[[str, str | Sequence[str] | None], None]) -> None:
    """What rests on fields or on the time of photons: the kind of light and the labels."""
    for key in asked:
        table = getattr(scenario.compute, key)
        if key in CONTINUOUS and scenario.is_pulsed:
            raise bad(f"compute.{key}", "be asked under continuous light", "a pulsed scenario", f"ask for {CONTINUOUS[key]}")
        if key in COUNTED and scenario.drives and not scenario.is_pulsed:
            raise bad(f"compute.{key}", "be asked of pulses, or of a source without any drive", "a continuous drive", f"ask for {COUNTED[key]}")
        if key not in ("flux", "g2", "photon_numbers", "side_peaks"):
            for name in ("label", "first", "second"):
                check(f"compute.{key}.{name}", getattr(table, name, None))
        if scenario.picture == "rate" and key in ("g1", "spectrum", "filtered_g2", "interference", "two_photon_state"):
            raise bad("picture", f'be "lindblad" for compute.{key}: rate equations hold no fields', '"rate"', 'remove picture, or write picture = "lindblad"')


def check_recorded(scenario: Scenario) -> None:
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
        with named("detector"):
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
        raise bad(f"{here}.labels", "be two labels (each a name or a list of names)", [thawed(one) for one in asked.labels], 'for example labels = ["XX", "X"]')
    for k, one in enumerate(asked.labels):
        check(f"{here}.labels[{k}]", one)
    lines = [set(scenario.experiment().channels(one)) for one in asked.labels]
    if lines[0] & lines[1]:
        common = sorted(lines[0] & lines[1])
        raise bad(f"{here}.labels", "name different light", f"{common[0].line!r} in both", "use label for the photon numbers of one label")


def g2_requests(asked: G2Table | tuple[G2Table, ...]) -> list[tuple[str, G2Table]]:
    """Every curve asked for with its place below [compute]."""
    return [(f"g2[{i}]", one) for i, one in enumerate(asked)] if isinstance(asked, tuple) else [("g2", asked)]
