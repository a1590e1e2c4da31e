"""What the figures show: computes every curve with the engine (or, for regions, with the checked closed forms) and hands it to `figures.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from qdot.experiment import Experiment
from qdot.results import PhotonNumbers
from qdot.study import Published

from . import acting_back_figures, figures
from .acting_back import (
    KINDS,
    PILLAR,
    RESPONSES_NS,
    Kind,
    Timing,
    Trace,
    disguise,
    kappa_over_gamma,
    largest_return_per_ns,
    pillar_of,
    returning,
    timing,
    trace,
)
from .closed import Weak, leakage_left, response_factor
from .dot import (
    BIN_NS,
    COLLECTION,
    GAP_NS,
    JITTER_FWHM_NS,
    ONE,
    PULSE,
    SOURCE,
    TWO,
    CW_POWER_uW,
    instant_train,
    power_series,
    shown,
    train,
)
from .region import AXES, BOX, LEAK, largest_flip_per_ns

Array = NDArray[np.float64]


def draw(
    out: Path,
    entries: Mapping[str, Published],
    cw: Experiment,
    emitted: PhotonNumbers,
    collected: PhotonNumbers,
    schemes: Mapping[str, Experiment],
    accepted: Mapping[tuple[str, int, float], Mapping[str, Array]],
) -> None:
    """Compute every curve and draw every figure of the study into the folder `out`."""
    with figures.style():
        level, error = float(entries["g2_zero_cw"].value or 0.0), float(entries["g2_zero_cw"].uncertainty or 0.0)
        _draw_correlation(out, cw, level, error)
        power = np.geomspace(1e-4, 1e2, 16)  # beyond, a bright XX is pumped again before its X photon and the pair flux fraction loses its meaning
        series = {
            "dark loading, selectivity 0.97 (shown set)": power_series(power),
            "selectivity 0.5": power_series(power, selectivity=0.5),
            "bright ladder": power_series(power, selectivity=0.0, bright_pump_ratio=1.0, spin_flip_per_ns=0.0),
        }
        lines = {name: (s.g2_zero, s.flux_per_ns, s.pair_fraction) for name, s in series.items()}
        figures.power(power, lines, CW_POWER_uW, level, error, out / "power.png")
        figures.photon_numbers({"emission": emitted.probabilities[:5], "first lens": collected.probabilities[:5]}, out / "photon_numbers.png")
        _draw_region_continuous(out, level, error)
        _draw_region_pulsed(out, entries, accepted)
        _draw_ranges(out, accepted)
        _draw_predictions(out, schemes)
        _draw_acting_back(out)


def _draw_acting_back(out: Path) -> None:
    assumed = {kind: timing(kind) for kind in KINDS}
    _draw_delays(out, assumed)
    _draw_times(out, assumed)
    t = np.linspace(0.0, 0.3, 101)
    maps = {kind: np.asarray(assumed[kind].experiment.correlation_map(t, "mode")) for kind in KINDS[:2]}
    first = {kind: np.asarray(assumed[kind].experiment.first_photon(t, "mode")) for kind in KINDS}
    acting_back_figures.maps(t, maps, first, out / "acting_back_map.png")
    _draw_traces(out, assumed)


def _draw_delays(out: Path, assumed: Mapping[Kind, Timing]) -> None:
    delays = 1e-3 * np.arange(201)
    rows: dict[str, list[dict[str, Array]]] = {}
    for name, lights in (
        (r"$\kappa/\Gamma_P$ = 40", {kind: timing(kind, pillar_of(40.0)) for kind in KINDS}),
        (rf"$\kappa/\Gamma_P$ = {kappa_over_gamma():.1f}, assumed", assumed),
        (r"$\kappa/\Gamma_P$ = 2", {kind: timing(kind, pillar_of(2.0)) for kind in KINDS}),
    ):
        rows[name] = [{kind: light.recorded(delays, r) for kind, light in lights.items()} for r in RESPONSES_NS]
    closest = disguise(assumed["one mode"], assumed["separate modes"], RESPONSES_NS[-1], lifetime=True, response=True)
    passes = assumed["one mode"].sampled.stretched(closest.lifetime).recorded(delays, closest.jitter_fwhm_ns)
    label = f"one mode, {1e3 * closest.jitter_fwhm_ns:.0f} ps per detector"
    acting_back_figures.delays(delays, rows, [words(r) for r in RESPONSES_NS], (1, 2, label, passes), out / "acting_back_delays.png")


def words(jitter_fwhm_ns: float) -> str:
    """A response in words."""
    return "ideal detectors" if jitter_fwhm_ns == 0.0 else f"{1e3 * jitter_fwhm_ns:.0f} ps per detector"


def _draw_times(out: Path, assumed: Mapping[Kind, Timing]) -> None:
    ratio = np.geomspace(1.0, 40.0, 13)
    lights = [{kind: timing(kind, pillar_of(float(k))) for kind in KINDS} for k in ratio]
    means = {kind: np.array([one[kind].mean_ns for one in lights]) for kind in KINDS}
    pairs = [(one["one mode"], one["separate modes"]) for one in lights]
    quotients = {f"mean delay, {words(r)}": np.array([one.mean_recorded_ns(r) / two.mean_recorded_ns(r) for one, two in pairs]) for r in RESPONSES_NS}
    quotients["mean time of the last photon"] = np.array([one.mean_last_ns / two.mean_last_ns for one, two in pairs])
    quotients["mean delay, over the single exciton's time"] = means["one mode"] / means["single exciton"]
    heights = {words(r): np.array([one.zero(r) / two.zero(r) for one, two in pairs]) for r in RESPONSES_NS}
    bindings = PILLAR.kappa_ueV * np.linspace(0.0, 5.0, 11)
    apart = [(timing("one mode", PILLAR, float(b)), timing("separate modes", PILLAR, float(b))) for b in bindings]
    detuned = {f"density at zero, {words(r)}": np.array([one.zero(r) / two.zero(r) for one, two in apart]) for r in RESPONSES_NS}
    detuned["mean delay, ideal detectors"] = np.array([one.mean_ns / two.mean_ns for one, two in apart])
    one, two = assumed["one mode"], assumed["separate modes"]
    star = (kappa_over_gamma(), one.mean_ns / two.mean_ns, one.zero() / two.zero())
    acting_back_figures.times(ratio, means, quotients, heights, bindings, PILLAR.kappa_ueV, detuned, star, out / "acting_back_times.png")


def _draw_traces(out: Path, assumed: Mapping[Kind, Timing]) -> None:
    delays = 1e-3 * np.arange(1501)
    clicked = Trace(delays, assumed["one mode"].density(delays))
    shown_train = train()
    most = largest_return_per_ns()
    short = {
        "delay after the first photon": clicked,
        "decay trace, XX and X together": trace(shown_train, "pair"),
        "decay trace, X alone (fed from XX)": trace(shown_train, "X"),
    }
    long = {
        "delay after the first photon": clicked,
        "no return from D": trace(returning(0.0), "pair"),
        f"D returns at {1e3 * shown()['flip_per_ns']:.2f} per µs (shown set)": trace(shown_train, "pair"),
        f"at {1e3 * most:.1f} per µs (largest left)": trace(returning(most), "pair"),
    }
    acting_back_figures.traces(short, long, out / "decay_traces.png")


def _draw_correlation(out: Path, cw: Experiment, level: float, error: float) -> None:
    step, reach, shown_to = 5e-4, 0.5, 0.25
    tau = np.arange(-round(reach / step), round(reach / step) + 1) * step
    ideal = np.asarray(cw.g2(np.abs(tau), "pair", "pair"))
    s = math.sqrt(2.0) * JITTER_FWHM_NS / math.sqrt(8.0 * math.log(2.0))
    window = (ndtr((tau + 0.5 * BIN_NS) / s) - ndtr((tau - 0.5 * BIN_NS) / s)) / BIN_NS
    measured = np.convolve(ideal, window * step, mode="same")
    near = np.abs(tau) <= shown_to + 0.5 * step
    long = np.geomspace(1e-3, 1e5, 300)
    dip = np.asarray(cw.g2(long, "pair", "pair"))
    response = f"{1e3 * JITTER_FWHM_NS:.0f} ps jitter, {1e3 * BIN_NS:.0f} ps bin"
    figures.correlation(tau[near], ideal[near], measured[near], long, dip, level, error, response, out / "g2_tau.png")


def _draw_region_continuous(out: Path, level: float, error: float) -> None:
    factor = {t: float(response_factor(t, JITTER_FWHM_NS, BIN_NS)) for t in (0.067, 0.1, 0.3)}
    p2 = np.geomspace(1e-5, 1e-1, 200)
    leak, flip, dark = shown()["leak"], shown()["flip_per_ns"], shown()["dark_per_ns"]
    bands = []
    for t in factor:
        grid = np.geomspace(1e-6, 3e-1, 4000)
        p1, second = np.meshgrid(grid, p2)
        g2 = Weak(t, second / p1, leak, flip, dark).g2_zero(p1) * factor[t]
        inside = np.abs(g2 - level) <= error
        low = np.where(inside.any(axis=1), np.where(inside, p1, np.inf).min(axis=1), np.nan)
        high = np.where(inside.any(axis=1), np.where(inside, p1, -np.inf).max(axis=1), np.nan)
        bands.append((rf"$\tau_X$ = {1e3 * t:.0f} ps", p2, low, high))
    ratio = np.geomspace(1e-2, 1e2, 200)
    bounds = {rf"$\tau_X$ = {1e3 * t:.0f} ps": largest_flip_per_ns(np.asarray(t), ratio, (level - error) / factor[t]) for t in factor}
    pump = CW_POWER_uW * SOURCE["pump_per_ns_per_uW"]
    point = (shown()["pump_ratio"], flip)
    figures.region_continuous(bands, ratio, bounds, (pump, pump * SOURCE["pump_ratio"]), point, out / "region_continuous.png")


def _draw_region_pulsed(out: Path, entries: Mapping[str, Published], accepted: Mapping[tuple[str, int, float], Mapping[str, Array]]) -> None:
    share, pairs = float(entries["share"].value or 0.0), float(entries["pair_efficiency"].value or 0.0)
    flips = np.geomspace(1e-5, 0.3, 300)
    leaks = {"photon fraction in pairs": leakage_left(flips, share), "event fraction of pairs": leakage_left(flips, 2.0 * share / (1.0 + share))}
    band = (np.zeros_like(flips), leakage_left(flips, share / 1.05))  # a share of 1 lies within 5 %, so no leakage at all is left too
    fwhm = np.array([0.001, 0.003, 0.006, 0.015, 0.03, 0.06])
    needed, reached = {}, {}
    for relaxation in (0.005, 0.02, 0.08):
        numbers = [
            train(fwhm_ns=float(w), selectivity=1.0, spin_flip_per_ns=0.0, relaxation_ns=relaxation, relaxation_XX_ns=relaxation).photon_numbers(
                "pair", max=2, stage="emission"
            )
            for w in fwhm
        ]
        name = f"{1e3 * relaxation:.0f} ps"
        needed[name] = np.array([math.sqrt(pairs / n.pair_efficiency) for n in numbers])
        reached[name] = np.array([n.photon_fraction_in_pairs for n in numbers])
    point = (shown()["flip_per_ns"] * PULSE["period_ns"], shown()["leak"])
    figures.region_pulsed(flips, leaks, band, point, fwhm, needed, reached, (PULSE["fwhm_ns"], COLLECTION), share, out / "region_pulsed.png")


def _draw_ranges(out: Path, accepted: Mapping[tuple[str, int, float], Mapping[str, Array]]) -> None:
    short = {"photon_fraction_in_pairs": "photons", "event_fraction_of_pairs": "events", "pair_share_of_multiphotons": "multiphotons"}
    cases = {
        f"{short[share]}, {'one pulse' if pulses == 1 else 'two pulses'}" + (rf", $\mu\pm${100 * e:.0f} %" if e else ""): values
        for (share, pulses, e), values in accepted.items()
    }
    titles = {
        "lifetime_X_ns": r"$\tau_X$ (ns)",
        "pump_ratio": r"$P_2/P_1$",
        "flip_per_ns": r"spin flip D $\rightarrow$ X (ns$^{-1}$)",
        "dark_per_ns": r"dark decay (ns$^{-1}$)",
        "leak": "1 - selectivity",
        "relaxation_ns": "hot relaxation (ns)",
        "collection": "transmission to lens",
    }
    box = {**BOX, "leak": LEAK, "collection": (0.5, 1.0)}
    figures.region_ranges([(key, titles[key]) for key in AXES], cases, box, shown(), out / "region_ranges.png")
    planes = (
        ("lifetime_X_ns", "flip_per_ns"),
        ("pump_ratio", "flip_per_ns"),
        ("flip_per_ns", "leak"),
        ("pump_ratio", "collection"),
        ("relaxation_ns", "collection"),
        ("dark_per_ns", "collection"),
    )
    one, two = (accepted["photon_fraction_in_pairs", pulses, 0.0] for pulses in (1, 2))
    figures.region_pairs(one, two, planes, titles, shown(), out / "region_pairs.png")


def _draw_predictions(out: Path, schemes: Mapping[str, Experiment]) -> None:
    peaks = {name: np.asarray(e.side_peaks(6, "pair")) for name, e in schemes.items()}
    period = np.array([3.0, 12.5, 50.0, 200.0, 1000.0])
    shares, pairs = {}, {}
    starts = ((0.0,), (0.0, GAP_NS))
    for name, numbers in zip(
        schemes,
        (
            [train(float(t)).photon_numbers("pair", max=2, stage="emission") for t in period],
            *(
                [instant_train(s, period_ns=float(t), **c).photon_numbers("pair", max=2, stage="emission") for t in period]
                for s, c in zip(starts, (ONE, TWO), strict=True)
            ),
        ),
        strict=True,
    ):
        shares[name] = np.array([n.photon_fraction_in_pairs for n in numbers])
        pairs[name] = np.array([n.pair_efficiency for n in numbers])
    figures.predictions(peaks, period, shares, pairs, PULSE["period_ns"], out / "predictions.png")
