"""Two-photon emission by dark-state biexciton loading (Nature Materials, 2026): three published numbers against one dark-loaded dot.

One dot, two experiments: weak continuous light gives g2(0), a train of pulses gives P(n). The parameters below are *a* set that meets the three
numbers, not *the* set: `region.py` maps what else does. See README.md for what is stated, fitted, assumed and open.
Run it with `qdot reproduce baqis_2026`, or `run(out=Path("figures"))` from Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from qdot.drive import CW, Gaussian, Instant
from qdot.emitters import DarkLoadedCascade
from qdot.experiment import Experiment
from qdot.results import PhotonNumbers
from qdot.study import Published, Verdict, published

from . import figures
from .closed import Weak, response_factor
from .region import AXES, BOX, LEAK, SHARES, Target, largest_flip_per_ns, region

Array = NDArray[np.float64]
HERE = Path(__file__).resolve().parent

SOURCE: Mapping[str, float] = {
    "lifetime_XX_ns": 0.062,  # assumed: one polarisation enhanced 11-fold, the other not
    "lifetime_X_ns": 0.067,  # assumed: recalled from micropillars of the same group
    "pump_per_ns_per_uW": 0.02,  # only pump times power matters
    "pump_ratio": 1.0,  # assumed
    "selectivity": 0.9698,  # fitted to the share, given the rest
    "spin_flip_per_ns": 5e-4,  # assumed; D -> X is 0.48 of it at 4 K
    "dark_decay_per_ns": 1e-4,  # assumed
    "relaxation_ns": 0.02,  # assumed: tens of picoseconds
    "relaxation_XX_ns": 0.02,
}
"""The dot of both experiments."""
CW_POWER_uW = 0.061
"""Fitted to g2(0) = 3966 after the response."""
PULSE: Mapping[str, float] = {"power_uW": 20.0, "fwhm_ns": 0.01, "period_ns": 12.5}
"""Assumed: 80 MHz, 10 ps, five absorptions per pulse if G were not emptied."""
COLLECTION = 0.711
"""Fitted to the pair efficiency: probability that a photon reaches the first lens."""
JITTER_FWHM_NS, BIN_NS = 0.05, 0.05
"""Assumed detection: Gaussian jitter of each detector, full width of a coincidence bin."""
ONE = {"selectivity": 0.96958, "collection": 0.78285}
"""The same dot under one instant pulse per period (at most one exciton): what the share and the efficiency then need."""
TWO = {"selectivity": 0.96673, "collection": 0.56063}
"""The same under two instant pulses GAP_NS apart."""
GAP_NS = 0.1
FREE = (
    "lifetime_XX_ns",
    "lifetime_X_ns",
    "pump times continuous power",
    "pump_ratio",
    "selectivity",
    "spin_flip_per_ns",
    "temperature over splitting",
    "dark_decay_per_ns",
    "relaxation_ns",
    "relaxation_XX_ns",
    "collection",
    "pump times pulse energy",
    "pulse length",
    "repetition period",
    "jitter",
    "bin",
)
"""What the three numbers would have to determine."""
DRAWS = 8000
"""Random draws per reading of the numbers in the region."""
SEED = 20260302


def source(**changes: float) -> DarkLoadedCascade:
    """The shown dot, with changes."""
    return DarkLoadedCascade(**{**SOURCE, **changes})


def continuous(power_uW: float = CW_POWER_uW, **changes: float) -> Experiment:
    """The shown dot under continuous light."""
    return Experiment(source(**changes), drive=CW(power_uW=power_uW), collection={"pair": COLLECTION})


def train(period_ns: float = PULSE["period_ns"], fwhm_ns: float = PULSE["fwhm_ns"], **changes: float) -> Experiment:
    """The shown dot under the train of pulses; the pulse energy does not change with the period."""
    energy = PULSE["power_uW"] * PULSE["period_ns"]
    drive = Gaussian(power_uW=energy / period_ns, fwhm_ns=fwhm_ns, period_ns=period_ns)
    return Experiment(source(**changes), drive=drive, collection={"pair": COLLECTION})


def instant_train(starts_ns: tuple[float, ...], selectivity: float, collection: float, period_ns: float = PULSE["period_ns"]) -> Experiment:
    """The shown dot under instant pulses, each of the shown energy: through hot levels each adds at most one exciton."""
    energy = PULSE["power_uW"] * PULSE["period_ns"]
    pulses = tuple(Instant(power_uW=energy / period_ns, start_ns=t, period_ns=period_ns) for t in starts_ns)
    return Experiment(source(selectivity=selectivity), drive=pulses, collection={"pair": collection}, rtol=1e-7)


def g2_after_response(experiment: Experiment, jitter_fwhm_ns: float = JITTER_FWHM_NS, bin_ns: float = BIN_NS) -> float:
    """Continuous-wave g2(0) of the pair light averaged over a bin centred on zero delay, after the jitter of two equal detectors.

    The delay of two detections at equal times has a spread of root 2 times one detector's. Gauss-Legendre quadrature on panels; exact to 1e-9.
    """
    s = math.sqrt(2.0) * jitter_fwhm_ns / math.sqrt(8.0 * math.log(2.0))
    x, w = np.polynomial.legendre.leggauss(24)
    edges = np.linspace(0.0, 0.5 * bin_ns + 9.0 * s, 7)
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[:-1] + edges[1:])[:, None]
    tau, weight = (middle + half * x).ravel(), (half * w).ravel()
    window = (ndtr((tau + 0.5 * bin_ns) / s) - ndtr((tau - 0.5 * bin_ns) / s)) / bin_ns
    return float(2.0 * np.sum(weight * window * np.asarray(experiment.g2(tau, "pair", "pair"))))


def run(data: Path | None = None, out: Path | None = None) -> list[Verdict]:
    """Published against computed, with figures in `out` if that is given.

    data: not used; the authors' source data were not available, and their sheets are not guessed.
    """
    entries = published(HERE)
    cw = continuous()
    emitted = train().photon_numbers("pair", max=5, stage="emission")
    collected = train().photon_numbers("pair", max=5)
    schemes = _schemes()
    accepted = regions(target(entries))
    rows = [*_three_numbers(entries, cw, emitted, collected), *_readings(entries, cw, emitted), _stimulated(entries, cw), _freedom(entries)]
    rows += _parameters(entries, accepted)
    rows += _predictions(entries, cw, schemes)
    if out is not None:
        _draw(out, entries, cw, emitted, collected, schemes, accepted)
    return rows


def target(entries: Mapping[str, Published]) -> Target:
    """The three numbers as the region needs them."""
    g2, share, pairs = (entries[k] for k in ("g2_zero_cw", "share", "pair_efficiency"))
    return Target(*(float(v or 0.0) for e in (g2, share, pairs) for v in (e.value, e.uncertainty)), JITTER_FWHM_NS, BIN_NS, PULSE["period_ns"])


def regions(numbers: Target, draws: int = DRAWS, mu_errors: tuple[float, ...] = (0.0, 0.01, 0.05)) -> dict[tuple[str, int, float], dict[str, Array]]:
    """{(share, pulses per period, calibration error of mu): accepted draws}."""
    rng = np.random.default_rng(SEED)
    return {(share, pulses, e): region(numbers, share, pulses == 2, e, draws, rng) for e in mu_errors for share in SHARES for pulses in (1, 2)}


def _three_numbers(entries: Mapping[str, Published], cw: Experiment, emitted: PhotonNumbers, collected: PhotonNumbers) -> list[Verdict]:
    both = f"P(0..4) at emission {_list(emitted.probabilities[:5])}; at the first lens {_list(collected.probabilities[:5])}"
    ideal, measured = float(cw.g2_zero("pair")), g2_after_response(cw)
    return [
        entries["g2_zero_cw"].judge(
            measured,
            f"response assumed: {1e3 * JITTER_FWHM_NS:.0f} ps FWHM jitter per detector and a bin of {1e3 * BIN_NS:.0f} ps keep {measured / ideal:.3f} of the "
            f"ideal {ideal:.0f}; power {CW_POWER_uW:g} uW fitted",
        ),
        entries["share"].judge(emitted.photon_fraction_in_pairs, f"{both}; selectivity {SOURCE['selectivity']:g} fitted"),
        entries["pair_efficiency"].judge(
            collected.pair_efficiency,
            f"transmission {COLLECTION:g} fitted; P(2) at emission {emitted.pair_efficiency:.4f}; <n(n-1)>/2 at the first lens "
            f"{collected.pair_coincidence_efficiency:.4f}; {both}",
        ),
    ]


def _readings(entries: Mapping[str, Published], cw: Experiment, emitted: PhotonNumbers) -> list[Verdict]:
    g2 = entries["g2_zero_cw"].value or 0.0
    weak = Weak(SOURCE["lifetime_X_ns"], SOURCE["pump_ratio"], 1.0 - SOURCE["selectivity"], source().dark_to_bright_per_ns, SOURCE["dark_decay_per_ns"])
    power = float(weak.pump_at(g2)) / SOURCE["pump_per_ns_per_uW"]
    pumped = train(bright_pump_ratio=1.0).photon_numbers("pair", max=2, stage="emission")
    return [
        entries["g2_zero_ideal"].judge(
            float(cw.g2_zero("pair")), f"not known whether 3966 is raw or corrected; if corrected, {power:.4f} uW gives it on the same dot", determined=False
        ),
        entries["share_events"].judge(
            emitted.event_fraction_of_pairs, "the definition behind 0.983 is not in the abstract; this one asks for a smaller leakage", determined=False
        ),
        entries["share_multiphotons"].judge(
            emitted.pair_share_of_multiphotons,
            "the definition is not in the abstract; this one counts re-excitation only and is 1 for one exciton per pulse, whatever the singles",
            determined=False,
        ),
        entries["share_rebuilt"].judge(
            rebuilt_share(emitted),
            f"moments put P(4) = {emitted.probabilities[4]:.1e} into P(3), which takes 12 P(4)/mu off the share",
        ),
        entries["share_pumped"].judge(
            pumped.photon_fraction_in_pairs, "whether X absorbs is not known; a slightly different selectivity makes up for it", determined=False
        ),
        entries["share_mu"].judge(
            rebuilt_share(emitted, 0.01), "g2 mu - g3 mu^2 moves by as much as mu: +-0.001 is statistical, or the estimator does not need an absolute mu", determined=False
        ),
    ]


def rebuilt_share(numbers: PhotonNumbers, mu_error: float = 0.0) -> float:
    """Share of photons in pairs as rebuilt from g2, g3 and a mean number that is (1 + mu_error) times the true one: g2 mu - g3 mu^2.

    It takes P(n > 3) as zero.
    """
    mu = (1.0 + mu_error) * numbers.mean_photons
    return float(numbers.g2_zero * mu - numbers.g3_zero * mu * mu)


def _stimulated(entries: Mapping[str, Published], cw: Experiment) -> Verdict:
    """In rate equations the delay behind the first photon of a pair is the exciton's lifetime, whatever was emitted before."""
    delays = np.array([0.02, 0.2])
    peak = np.asarray(cw.g2(delays, "pair", "pair")) - np.asarray(cw.g2([1.0], "pair", "pair"))
    decay = math.log(peak[0] / peak[1]) / (delays[1] - delays[0])
    return entries["stimulated"].judge(
        1.0 / (decay * SOURCE["lifetime_X_ns"]),
        "no light acts back in rate equations, so this is 1 by construction; it needs the cavity mode (ratio of mean delays 0.98, 0.88, 0.76 at "
        "kappa/Gamma = 40, 10, 2 against separate modes), where the bad-cavity limit is 1 again",
        differs=True,
    )


def _freedom(entries: Mapping[str, Published]) -> Verdict:
    return entries["freedom"].judge(
        3 - len(FREE), f"three numbers, {len(FREE)} free parameters ({', '.join(FREE)}): agreement proves nothing by itself", determined=False
    )


def _parameters(entries: Mapping[str, Published], accepted: Mapping[tuple[str, int, float], Mapping[str, Array]]) -> list[Verdict]:
    rows = []
    for key in AXES:
        left = []
        for pulses, name in ((1, "one exciton per pulse"), (2, "two pulses per period")):
            values = [accepted["photon_fraction_in_pairs", pulses, e][key] for e in (0.0, 0.05)]
            left.append(f"{name} {_range(values[0])} (mu within 5 %: {_range(values[1])})")
        searched = "" if key not in BOX else f"; searched {_range(np.array(BOX[key]))}"
        rows.append(entries[key].judge(shown()[key], f"left by the three numbers: {'; '.join(left)}{searched}", determined=False))
    need = "the share then needs a selectivity of {selectivity:.4f}"
    rows.append(entries["collection_one"].judge(ONE["collection"], need.format(**ONE) + "; never below 0.773, since P(2) <= 1/2", determined=False))
    rows.append(entries["collection_two"].judge(TWO["collection"], need.format(**TWO) + "; never below 0.547, since P(2) <= 1", determined=False))
    return rows


def _predictions(entries: Mapping[str, Published], cw: Experiment, schemes: Mapping[str, Experiment]) -> list[Verdict]:
    peaks = [float(e.side_peaks(1, "pair").value[1]) for e in schemes.values()]
    dip = np.asarray(cw.g2(np.geomspace(0.2, 20.0, 81), "pair", "pair"))
    step = 1.01
    slope = math.log(g2_after_response(continuous(CW_POWER_uW * step)) / g2_after_response(continuous(CW_POWER_uW / step))) / (2.0 * math.log(step))
    slow = train(10.0 * PULSE["period_ns"]).photon_numbers("pair", max=2, stage="emission")
    tests = (
        ("side_peak_shown", peaks[0], "below 1: a dark exciton left behind answers the next pulse"),
        ("side_peak_one", peaks[1], "nearly vanishes, and m = 2 nearly doubles: if measured flat, the dot takes more than one exciton per period"),
        ("side_peak_two", peaks[2], "flat: if measured below 1, at most one exciton fits into a period"),
        ("dip", float(dip.min()), "no dip, or one refilled within nanoseconds, rules out loading through a long-lived state"),
        ("slope", slope, "near -1 for selective dark loading, 0 for a bright ladder or an unselective dark path"),
        ("slow_train", slow.photon_fraction_in_pairs, "falls as the dark exciton flips or dies between pulses; no change with the period rules out the memory"),
    )
    return [entries[key].judge(value, f"not published; {text}", determined=False) for key, value, text in tests]


def shown() -> dict[str, float]:
    """The shown set on the axes of the region."""
    return {
        "lifetime_X_ns": SOURCE["lifetime_X_ns"],
        "pump_ratio": SOURCE["pump_ratio"],
        "flip_per_ns": source().dark_to_bright_per_ns,
        "dark_per_ns": SOURCE["dark_decay_per_ns"],
        "leak": 1.0 - SOURCE["selectivity"],
        "relaxation_ns": SOURCE["relaxation_ns"],
        "collection": COLLECTION,
    }


def _schemes() -> dict[str, Experiment]:
    """Three ways to load the same dot, each with the selectivity that gives the share."""
    return {
        "one 10 ps pulse (shown set)": train(),
        "one short pulse: one exciton": instant_train((0.0,), **ONE),
        "two short pulses": instant_train((0.0, GAP_NS), **TWO),
    }


# ------------------------------------------------------------------------------------------------------------------ figures


@dataclass(frozen=True)
class PowerSeries:
    """Continuous-wave observables against power: g2(0) after the response, emitted flux of pair light in 1/ns, pair flux fraction."""

    power_uW: Array
    g2_zero: Array
    flux_per_ns: Array
    pair_fraction: Array


def power_series(power_uW: Array, **changes: float) -> PowerSeries:
    """The power series of the shown dot, with changes."""
    runs = [continuous(float(p), **changes) for p in power_uW]
    return PowerSeries(
        power_uW,
        np.array([g2_after_response(r) for r in runs]),
        np.array([r.flux_per_ns("pair", stage="emission") for r in runs]),
        np.array([r.pair_flux_fraction() for r in runs]),
    )


def _draw(
    out: Path,
    entries: Mapping[str, Published],
    cw: Experiment,
    emitted: PhotonNumbers,
    collected: PhotonNumbers,
    schemes: Mapping[str, Experiment],
    accepted: Mapping[tuple[str, int, float], Mapping[str, Array]],
) -> None:
    level, error = float(entries["g2_zero_cw"].value or 0.0), float(entries["g2_zero_cw"].uncertainty or 0.0)
    _draw_correlation(out, cw, level, error)
    power = np.geomspace(1e-4, 1e2, 25)
    series = {
        "dark loading, selectivity 0.97 (shown set)": power_series(power),
        "selectivity 0.5": power_series(power, selectivity=0.5),
        "bright ladder": power_series(power, selectivity=0.0, bright_pump_ratio=1.0),
    }
    lines = {name: (s.g2_zero, s.flux_per_ns, s.pair_fraction) for name, s in series.items()}
    figures.power(power, lines, CW_POWER_uW, level, error, out / "power.png")
    figures.photon_numbers({"emission": emitted.probabilities[:5], "first lens": collected.probabilities[:5]}, out / "photon_numbers.png")
    _draw_region_continuous(out, level, error)
    _draw_region_pulsed(out, entries, accepted)
    _draw_ranges(out, accepted)
    _draw_predictions(out, schemes)


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
    band = (leakage_left(flips, min(1.0, share * 1.05)), leakage_left(flips, share / 1.05))
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


def leakage_left(flip_times_period: Array, photon_share: float) -> Array:
    """Bright leakage 1 - s that leaves a given photon fraction in pairs, for saturating pulses of one exciton each and no dark decay.

    A loaded D waits one period and flips with f = 1 - exp(-k T), giving one single; leakage gives l/(1 - l) singles per loaded D. Pairs per
    loaded D: 1 - f. So the singles per pair, (f + l/(1 - l)) / (1 - f), must be 2 (1/share - 1); nan where the flips alone are too many.
    """
    f = -np.expm1(-flip_times_period)
    x = 2.0 * (1.0 / photon_share - 1.0) * (1.0 - f) - f
    return np.where(x > 0, x / (1.0 + x), np.nan)


def _draw_ranges(out: Path, accepted: Mapping[tuple[str, int, float], Mapping[str, Array]]) -> None:
    short = {"photon_fraction_in_pairs": "photons", "event_fraction_of_pairs": "events", "pair_share_of_multiphotons": "multiphotons"}
    cases = {
        f"{short[share]}, {'one pulse' if pulses == 1 else 'two pulses'}" + (rf", $\mu$ {100 * e:.0f} %" if e else ""): values
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
            *([instant_train(s, period_ns=float(t), **c).photon_numbers("pair", max=2, stage="emission") for t in period] for s, c in zip(starts, (ONE, TWO), strict=True)),
        ),
        strict=True,
    ):
        shares[name] = np.array([n.photon_fraction_in_pairs for n in numbers])
        pairs[name] = np.array([n.pair_efficiency for n in numbers])
    figures.predictions(peaks, period, shares, pairs, PULSE["period_ns"], out / "predictions.png")


def _list(values: Array) -> str:
    return ", ".join(f"{v:.4f}" if v >= 1e-4 else f"{v:.1e}" for v in values)


def _range(values: Array) -> str:
    return "none" if values.size == 0 else f"{values.min():.2g} to {values.max():.2g}"
