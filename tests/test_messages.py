"""What is wrong is told in one message: the argument, what it must be, what it was and what to do. No raw traceback, no name of another language."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import qdot
from qdot import InputError, scenario
from qdot.detection import Detector
from qdot.drive import CW, Square
from qdot.emitters import TwoLevel
from qdot.model import Filter, Jump, Model

POLARISED = Model(("G", "H", "V"), start="H", jumps=(Jump.of("H", "G", 1.0, "X", "H"), Jump.of("V", "G", 1.0, "X", "V")))


def cw(**fields: object) -> qdot.Experiment:
    return qdot.Experiment(TwoLevel(pump_per_ns_per_uW=1.0), drive=CW(power_uW=1.0), **fields)  # type: ignore[arg-type]


TAGS = qdot.Tags([0, 10], [0, 1], 100, names={0: "A", 1: "B"})
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "collection": (lambda: cw(collection=0.5), 'Experiment.collection must be a mapping of labels, got 0.5; for example {"X": 0.5}'),
    "class": (lambda: qdot.Experiment(TwoLevel), "Experiment.source must be an emitter or a Model, got the class TwoLevel; make one: TwoLevel()"),  # type: ignore[arg-type]
    "drive": (lambda: qdot.Experiment(TwoLevel(), drive=3), "Experiment.drive must be a drive of qdot.drive or a sequence of them, got 3"),  # type: ignore[arg-type]
    "detectors": (lambda: cw(detectors=["A"]), "Experiment.detectors[0] must be a Detector, got 'A'; for example qdot.detection.Detector("),
    "analysis": (lambda: cw(analysis="D"), "Experiment.analysis must be a mapping of labels, got 'D'"),
    "filter": (lambda: cw().filtered("n"), "Experiment.filters[0] must be a Filter, got 'n'; for example qdot.Filter("),  # type: ignore[arg-type]
    "fwhm": (lambda: cw().filtered(Filter("n", "X", fwhm_ueV=-1.0)), "filters[0].fwhm_ueV must be a finite number > 0 ueV, got -1.0"),
    "line": (lambda: cw().filtered(Filter("n", "Y", fwhm_ueV=1.0)), "filters[0].line (a line that the source emits) must be one of 'X', got 'Y'"),
    "near": (lambda: cw().replace(powr=3), "got 'powr'; did you mean {'drive.power_uW': ...}?"),
    "nearer": (lambda: cw().replace(drve=3), "got 'drve'; did you mean 'drive'?"),
    "changes": (lambda: cw().replace(3), "replace must be given {dotted name: value}, got 3"),  # type: ignore[arg-type]
    "channels": (lambda: qdot.correlate(TAGS, 0, bin_ps=1, range_ns=0.01), "channels must be 2 numbers of channels, got 0; for example channels=(0, 1)"),  # type: ignore[arg-type]
    "tags": (lambda: qdot.inversion.from_tags(np.arange(3), [Detector("A")], 1.0), "tags must be a record of time tags, got ndarray; for arrays: qdot.Tags("),
    "names": (lambda: qdot.inversion.from_clicks(np.array([3, 1]), ["A"]), "detectors[0] must be a Detector, got 'A'"),
    "sweep": (lambda: qdot.sweep(3, {"a": [1.0]}, flux="flux_per_ns"), "sweep experiment must be an Experiment, got 3"),  # type: ignore[arg-type]
    "g3": (lambda: cw().g3([-1.0], [2.0], "X"), "must be finite delays >= 0 in ns from the first photon, got [-1.0] and [2.0]"),
    "energies": (lambda: cw().spectrum([], "X"), "energy_ueV must be a non-empty list of finite energies in ueV, got []"),
    "long": (lambda: cw().g2([np.nan] * 999, "X"), "tau_ns must be a non-empty list of finite delays in ns, got [nan, nan, "),
    "clicks": (
        lambda: cw(detectors=[Detector("A", dark_per_s=1.0)]).clicks(),
        "clicks must be asked of a pulsed drive, or of a decay without any drive, got a cont",
    ),
    "basis": (lambda: qdot.Experiment(POLARISED).photon_numbers("X:q"), "got q; choose one of them, or look at it in another basis: analysed(X='D')"),
    "twice": (
        lambda: qdot.Experiment(Model(("G", "H"), start="H", jumps=(Jump.of("H", "G", 1.0, "X", "H"), Jump.of("H", "G", 1.0, "X:H")))).model,
        "line 'X:H' must differ from line 'X' in polarisation H, which has this name, got one name for both; rename the line",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_type_or_value_is_told_by_name_with_what_to_do(case: str) -> None:
    call, said = WRONG[case]
    with pytest.raises(InputError) as found:
        call()
    assert said in str(found.value)
    assert len(str(found.value)) < 400


def test_an_analysed_line_may_not_have_the_name_of_another() -> None:
    model = Model(("G", "H"), start="H", jumps=(Jump.of("H", "G", 1.0, "X", "H"), Jump.of("H", "G", 1.0, "X:D")))
    with pytest.raises(InputError, match="line 'X:D' must differ from line 'X' in a polarisation that is told apart"):
        qdot.Experiment(model).analysed(X="D")


@pytest.mark.parametrize("gate", [(0.0, 1.0), (380.0, 381.0), (3000.0, 3001.0)])
def test_a_gate_without_light_says_so(gate: tuple[float, float]) -> None:
    pulse = qdot.Experiment(TwoLevel(rabi_per_ns_per_sqrt_uW=1.0), drive=Square(duration_ns=0.1, area_pi=1.0, start_ns=2.0))
    with pytest.raises(InputError, match="gate_ns must be a time in which there is light, got a mean of "):
        pulse.interference("X", gate_ns=gate)


FILE = """
levels = ["G", "H"]
start = "H"
[[jump]]
from = "H"
to = "G"
rate_per_ns = 1.0
photon = "X"
polarisation = "H"
"""
FILES = {
    '[[filter]]\nname = "n"\nline = "Y"\nfwhm_ueV = 1.0\n[compute]\nflux = true\n': "filter[0].line (a line that the source emits) must be one of 'X', got 'Y'",
    '[[detector]]\nname = "A"\nshare = 0.5\n' * 2 + "[compute]\nclicks = true\n": "detector[1].name must differ from the other detectors, got 'A'",
    '[analyse]\nY = "D"\n[compute]\nclicks = true\n': "analyse.Y (a line that the source emits) must be one of 'X', got 'Y'",
    "[compute]\nclicks = true\n": "compute.clicks must be asked where there is a [[detector]]",
    '[compute]\nphoton_numbers = { label = "X:D" }\n': """look at it in another basis: [analyse] X = "D\"""",
    "[compute]\n": "populations, flux, g2, photon_numbers, side_peaks, g1, spectrum, filtered_g2, interference, two_photon_state, ",
    '[[drive]]\nname = "l"\nshape = "cw"\npower_uW = 1.0\n[compute]\nflux = true\n': "drive[0].power_uW must be absent: the strength of a drive is rate_per_ns",
}


@pytest.mark.parametrize("text", FILES)
def test_a_file_is_told_in_its_own_words(text: str) -> None:
    with pytest.raises(InputError) as found:
        scenario.load(FILE + text)
    said = str(found.value)
    assert FILES[text] in said
    assert "Experiment" not in said
    assert "analysed(" not in said
    assert "filters" not in said
