"""Two-photon emission by dark-state biexciton loading (Nature Materials, 2026): three published numbers against one dark-loaded dot.

One dot, two experiments: weak continuous light gives g2(0), a train of pulses gives P(n). `dot.py` holds the shown set, `region.py` what else
meets the numbers, `acting_back.py` what a quantised mode adds; README.md says what is stated, fitted, assumed and open.
Run it with `qdot reproduce baqis_2026`, or `run(out=Path("figures"))`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdot.experiment import Experiment
from qdot.results import PhotonNumbers
from qdot.study import Published, Verdict, published

from . import curves
from .acting_back import (
    KINDS,
    PILLAR,
    RESPONSES_NS,
    disguise,
    free_lifetime_ns,
    in_the_cavity,
    kappa_over_gamma,
    late_rate_per_ns,
    pillar_of,
    timing,
    trace,
)
from .closed import Weak
from .dot import (
    BIN_NS,
    COLLECTION,
    JITTER_FWHM_NS,
    ONE,
    PULSE,
    SOURCE,
    TWO,
    CW_POWER_uW,
    continuous,
    g2_after_response,
    schemes,
    shown,
    source,
    train,
)
from .inference import infer
from .region import AXES, BOX, SHARES, Share, Target, accepted_draws

Array = NDArray[np.float64]
HERE = Path(__file__).resolve().parent

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


def run(data: Path | None = None, out: Path | None = None) -> list[Verdict]:
    """Published against computed, with figures in `out` if that is given.

    data: not used; the authors' source data were not available, and their sheets are not guessed.
    """
    entries = published(HERE)
    cw = continuous()
    emitted = train().photon_numbers("pair", max=5, stage="emission")
    collected = train().photon_numbers("pair", max=5)
    loaded = schemes()
    accepted = regions(target(entries))
    rows = [*_three_numbers(entries, cw, emitted, collected), *_readings(entries, cw, emitted), *_acting_back(entries, cw), _freedom(entries)]
    rows += _parameters(entries, accepted)
    rows += _predictions(entries, cw, loaded)
    if out is not None:
        curves.draw(out, entries, cw, emitted, collected, loaded, accepted)
    return rows


def fit(data: Path | None = None, out: Path | None = None) -> dict[str, Any]:
    """The study as inference: what the profile likelihood of each unknown says, in words, and profiles.png in `out`. Takes minutes."""
    found = infer(published(HERE), out)
    rows = [{"reading": reading, "unknown": name, "the numbers say": words} for reading, told in found.items() for name, words in told["unknowns"].items()]
    return {"points": rows, **{f"chi2, {reading}": told["chi2"] for reading, told in found.items()}}


def target(entries: Mapping[str, Published]) -> Target:
    """The three numbers as the region needs them."""
    (g2, dg2), (share, dshare), (pairs, dpairs) = (
        (float(entries[k].value or 0.0), float(entries[k].uncertainty or 0.0)) for k in ("g2_zero_cw", "share", "pair_efficiency")
    )
    return Target(g2, dg2, share, dshare, pairs, dpairs, JITTER_FWHM_NS, BIN_NS, PULSE["period_ns"])


def regions(numbers: Target, draws: int = DRAWS, mu_errors: tuple[float, ...] = (0.0, 0.01, 0.05)) -> dict[tuple[str, int, float], dict[str, Array]]:
    """{(share, pulses per period, calibration error of mu): accepted draws}."""
    rng = np.random.default_rng(SEED)
    return {(share, pulses, e): accepted_draws(numbers, share, pulses == 2, e, draws, rng) for e in mu_errors for share in SHARES for pulses in (1, 2)}


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
            pumped.photon_fraction_in_pairs,
            "whether X absorbs is not known; if it does, XX can be reached again from X within the pulse and only pulses below 6 ps keep the share",
            determined=False,
        ),
        entries["share_mu"].judge(
            rebuilt_share(emitted, 0.01),
            "g2 mu - g3 mu^2 moves by as much as mu: +-0.001 is statistical, or the estimator does not need an absolute mu",
            determined=False,
        ),
    ]


def rebuilt_share(numbers: PhotonNumbers, mu_error: float = 0.0) -> float:
    """Share of photons in pairs as rebuilt from g2, g3 and a mean number that is (1 + mu_error) times the true one: g2 mu - g3 mu^2.

    It takes P(n > 3) as zero.
    """
    mu = (1.0 + mu_error) * numbers.mean_photons
    return float(numbers.g2_zero * mu - numbers.g3_zero * mu * mu)


def _acting_back(entries: Mapping[str, Published], cw: Experiment) -> list[Verdict]:
    """What one cavity mode for both lines makes of the delay, in the assumed cavity, and what does not need it."""
    one, separate, single = (timing(kind) for kind in KINDS)
    lossless = [timing(kind, pillar_of(kappa_over_gamma())) for kind in KINDS[:2]]
    detuned = [timing(kind, binding_ueV=PILLAR.kappa_ueV) for kind in KINDS[:2]]
    fall, lifetime = trace(train(), "pair").fall_ns, SOURCE["lifetime_X_ns"]
    rows = [
        (
            "stimulated",
            one.mean_ns / separate.mean_ns,
            f"one mode for both lines in the assumed cavity gives {1e3 * one.mean_ns:.1f} ps, a mode each {1e3 * separate.mean_ns:.1f} ps. The direction "
            "is that of the words at any kappa/Gamma_P above 0.44; the size is not published, nor what the delay was compared with; a decay trace, slowed by "
            f"feeding, differs from it by more without any light acting back. In rate equations it is {_rate_delay(cw):.3f} tau_X by construction",
        ),
        (
            "light_kappa",
            kappa_over_gamma(),
            f"F_P = {PILLAR.largest_purcell_factor:g} read and Q = {PILLAR.quality_factor:g} recalled from other pillars of the group, wavelength assumed; "
            f"without the cavity the exciton would live {free_lifetime_ns():.2f} ns",
        ),
        (
            "light_single",
            one.mean_ns / single.mean_ns,
            f"separate modes, where no photon meets the other, give {separate.mean_ns / single.mean_ns:.3f}: light is in the cavity already when the first "
            "photon is detected",
        ),
        (
            "light_last",
            lossless[0].mean_last_ns / lossless[1].mean_last_ns,
            "nothing lost to the side; the dot stays 1.5/kappa less in X and 0.5/kappa more in XX where the cavity is fast",
        ),
        ("light_late", late_rate_per_ns(one) / late_rate_per_ns(separate), "after a detection one excitation is left, and it leaves by the same equation"),
        (
            "light_zero",
            one.zero() / separate.zero(),
            f"bunching, within some 2/kappa = {2e3 / PILLAR.kappa_per_ns:.0f} ps; 2 in a fast cavity, within ever less",
        ),
        ("light_mean_50", one.mean_recorded_ns(0.05) / separate.mean_recorded_ns(0.05), "mean recorded delay, 50 ps FWHM each"),
        ("light_detuned", detuned[0].mean_ns / detuned[1].mean_ns, f"XX lower by hbar kappa = {PILLAR.kappa_ueV:.0f} ueV, same pillar"),
        (
            "light_trace",
            fall / lifetime,
            f"XX and X together, shown train, rate equations: {1e3 * fall:.0f} ps against {1e3 * lifetime:.0f} ps: feeding and relaxation alone",
        ),
    ]
    for r in RESPONSES_NS[1:]:
        jitter = f"{1e3 * r:.0f}"
        looks = disguise(one, separate, r, lifetime=True, response=True)
        rows.append((f"light_zero_{jitter}", one.zero(r) / separate.zero(r), f"recorded density at zero delay, {jitter} ps FWHM each"))
        rows.append(
            (
                f"light_counts_{jitter}",
                disguise(one, separate, r).coincidences,
                f"if lifetime and response are known; {looks.coincidences:.2g} if neither is, because separate modes then look like one mode "
                f"behind {1e3 * looks.jitter_fwhm_ns:.0f} ps detectors",
            )
        )
    quantised, rates = g2_after_response(in_the_cavity("modes"), label="mode"), g2_after_response(in_the_cavity("rates"))
    judged = [entries[key].judge(value, text, determined=False) for key, value, text in rows]
    return [*judged, entries["g2_zero_mode"].judge(quantised, f"same power; rate equations give {rates:.0f}")]


def _rate_delay(cw: Experiment) -> float:
    """Decay time of the peak of g2(tau) over tau_X: in rate equations the delay is the exciton's lifetime, whatever was emitted before."""
    delays = np.array([0.02, 0.2])
    peak = np.asarray(cw.g2(delays, "pair", "pair")) - np.asarray(cw.g2([1.0], "pair", "pair"))
    return float((delays[1] - delays[0]) / math.log(peak[0] / peak[1]) / SOURCE["lifetime_X_ns"])


def _freedom(entries: Mapping[str, Published]) -> Verdict:
    return entries["freedom"].judge(
        3 - len(FREE), f"three numbers, {len(FREE)} free parameters ({', '.join(FREE)}): agreement proves nothing by itself", determined=False
    )


def _parameters(entries: Mapping[str, Published], accepted: Mapping[tuple[str, int, float], Mapping[str, Array]]) -> list[Verdict]:
    rows = []
    words = dict(zip(SHARES, ("photons", "events", "multiphotons"), strict=True))
    for key in AXES:

        def left(share: Share, e: float = 0.0, key: str = key) -> str:
            return " | ".join(_range(key, accepted[share, pulses, e][key]) for pulses in (1, 2))

        by_definition = "; ".join(f"share of {words[share]} {left(share)}" for share in SHARES)
        searched = f"; searched {BOX[key][0]:g} to {BOX[key][1]:g}" if key in BOX else ""
        reason = (
            f"left by the three numbers (one exciton per pulse | two pulses per period): {by_definition}; share of photons and mu within 5 % "
            f"{left(SHARES[0], 0.05)}{searched}; ranges of random draws, inner bounds"
        )
        rows.append(entries[key].judge(shown()[key], reason, determined=False))
    need = "the share then needs a selectivity of {selectivity:.4f}"
    rows.append(entries["collection_one"].judge(ONE["collection"], need.format(**ONE) + "; never below 0.773, since P(2) <= 1/2", determined=False))
    rows.append(entries["collection_two"].judge(TWO["collection"], need.format(**TWO) + "; never below 0.547, since P(2) <= 1", determined=False))
    return rows


def _predictions(entries: Mapping[str, Published], cw: Experiment, loaded: Mapping[str, Experiment]) -> list[Verdict]:
    peaks = [float(e.side_peaks(1, "pair").value[1]) for e in loaded.values()]
    dip = np.asarray(cw.g2(np.geomspace(0.2, 20.0, 81), "pair", "pair"))
    step = 1.01
    slope = math.log(g2_after_response(continuous(CW_POWER_uW * step)) / g2_after_response(continuous(CW_POWER_uW / step))) / (2.0 * math.log(step))
    slow = train(10.0 * PULSE["period_ns"]).photon_numbers("pair", max=2, stage="emission")
    tests = (
        ("side_peak_shown", peaks[0], "below 1: a dark exciton left behind answers the next pulse"),
        ("side_peak_one", peaks[1], "nearly vanishes, and m = 2 nearly doubles: if measured flat, the dot takes more than one exciton per period"),
        ("side_peak_two", peaks[2], "flat: if measured below 1, at most one exciton fits into a period"),
        ("dip", float(dip.min()), "no dip, or one refilled within nanoseconds, rules out loading through a long-lived state"),
        (
            "slope",
            slope,
            "near -1 where dark loading is faster than the spin flip; 0 for a bright ladder at any power, and for a dark path at pumps below its flip rate",
        ),
        ("slow_train", slow.photon_fraction_in_pairs, "falls as the dark exciton flips or dies between pulses; no change with the period rules out the memory"),
    )
    return [entries[key].judge(value, f"not published; {text}", determined=False) for key, value, text in tests]


def _list(values: Array) -> str:
    return ", ".join(f"{v:.4f}" if v >= 1e-4 else f"{v:.1e}" for v in values)


def _range(key: str, values: Array) -> str:
    """The range of accepted draws; of rates and leakage only the upper end means something, the lower one is that of the search."""
    if values.size == 0:
        return "excluded"
    return f"up to {values.max():.2g}" if key in ("flip_per_ns", "dark_per_ns", "leak") else f"{values.min():.2g} to {values.max():.2g}"
