"""What a scenario file may hold: one class per table, read strictly. The description of a field is an example of how to write it, shown in errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

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
    polarisation: Literal["H", "V"] | None = Field(None, description='polarisation = "H" of its photon')
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
    polarisation: Literal["H", "V"] | None = Field(None, description='polarisation = "H" of its photon')


class FilterTable(Table):
    """[[filter]]"""

    name: Name = Field(description='name = "narrow", the line that passes')
    line: Name = Field(description='line = "X", the line that is filtered')
    fwhm_ueV: Positive = Field(description="fwhm_ueV = 5.0 (ueV)")
    centre_ueV: float = Field(0.0, description="centre_ueV = 0.0 (ueV above the frame)")
    share: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="share = 1.0 of the line's light that goes this way")
    polarisation: Literal["H", "V"] | None = Field(None, description='polarisation = "H" of the light that is filtered')
    fock: int = Field(3, ge=2, le=MAX_STATES, description="fock = 3 (number states 0 .. 2)")


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


class G1Table(Table):
    """compute.g1"""

    tau_ns: tuple[float, ...] = Field(min_length=1, description="tau_ns = [0.0, 0.1, 1.0] (ns)")
    label: Label | None = Field(None, description='label = "X", or a list of labels; all light where it is left out')


class SpectrumTable(Table):
    """compute.spectrum"""

    energy_ueV: tuple[float, ...] = Field(min_length=1, description="energy_ueV = [-5.0, 0.0, 5.0] (ueV above the frame)")
    label: Label | None = Field(None, description='label = "X", or a list of labels; all light where it is left out')


class InterferenceTable(Table):
    """compute.interference"""

    label: Label | None = Field(None, description='label = "X", or a list of labels; all light where it is left out')
    gate_ns: tuple[float, ...] | None = Field(None, min_length=2, max_length=2, description="gate_ns = [0.0, 1.0] (ns, both detectors open)")
    reflectivity: Share = Field(0.5, description="reflectivity = 0.5 of the beam splitter")
    contrast: Share = Field(1.0, description="contrast = 1.0 of the interferometer")


class TwoPhotonStateTable(Table):
    """compute.two_photon_state"""

    first: Name = Field(description='first = "XX", a line with jumps of polarisation H and V')
    second: Name = Field(description='second = "X", a line with jumps of polarisation H and V')
    delay_ns: tuple[float, ...] | None = Field(None, min_length=2, max_length=2, description="delay_ns = [0.0, 0.05] (ns, the second after the first)")


class ArrivalTimesTable(Table):
    """compute.arrival_times"""

    label: Label | None = Field(None, description='label = "pair", or a list of labels; all light where it is left out')


class DelaysTable(Table):
    """compute.delay_distribution"""

    tau_ns: tuple[NotNegative, ...] = Field(min_length=1, description="tau_ns = [0.0, 0.1, 1.0] (ns)")
    label: Label | None = Field(None, description='label = "pair", or a list of labels; all light where it is left out')


class FilteredG2Table(Table):
    """compute.filtered_g2"""

    tau_ns: tuple[float, ...] = Field(min_length=1, description="tau_ns = [0.0, 0.1, 1.0] (ns)")
    energies_ueV: tuple[float, ...] = Field(min_length=2, max_length=2, description="energies_ueV = [0.0, 5.0] (ueV above the frame)")
    fwhm_ueV: OneOrManyNumbers = Field(description="fwhm_ueV = 2.0 (ueV), or one for each filter")
    first: Label = Field(description='first = "X", or a list of labels for their sum')
    second: Label | None = Field(None, description='second = "X"; the same as first where it is left out')


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
    g1: G1Table | None = Field(None, description='g1 = { tau_ns = [0.0, 0.1, 1.0], label = "X" }')
    spectrum: SpectrumTable | None = Field(None, description='spectrum = { energy_ueV = [-5.0, 0.0, 5.0], label = "X" }')
    filtered_g2: FilteredG2Table | None = Field(None, description='filtered_g2 = { tau_ns = [0.0], energies_ueV = [0.0, 5.0], fwhm_ueV = 2.0, first = "X" }')
    interference: InterferenceTable | None = Field(None, description='interference = { label = "X" }')
    two_photon_state: TwoPhotonStateTable | None = Field(None, description='two_photon_state = { first = "XX", second = "X" }')
    arrival_times: ArrivalTimesTable | None = Field(None, description='arrival_times = { label = "pair" }')
    delay_distribution: DelaysTable | None = Field(None, description='delay_distribution = { tau_ns = [0.0, 0.1, 1.0], label = "pair" }')
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
    filter: tuple[FilterTable, ...] = Field((), description='[[filter]] with name = "narrow", line = "X", fwhm_ueV = 5.0')
    analyse: dict[str, Literal["H", "V", "D", "A", "R", "L"]] = Field(
        {}, description='[analyse] with one line X = "D": tells "X:D" from "X:A" instead of "X:H" from "X:V"'
    )
    drive: tuple[DriveTable, ...] = Field((), description='[[drive]] with name = "laser", shape = "cw"')
    collect: dict[str, Share] = Field({}, description="[collect] with one line pair = 0.6 (between 0 and 1) for each label")
    detector: tuple[DetectorTable, ...] = Field((), description='[[detector]] with name = "A", share = 0.5, efficiency = 0.6')
    blinking: BlinkingTable | None = Field(None, description="[blinking] with on_ns = 2000.0, off_ns = 500.0")
    compute: ComputeTable = Field(description="[compute] with at least one of populations, flux, g2, photon_numbers, side_peaks and the others")
