"""Figures of the study: points, fit and residuals against power, and the histograms with both descriptions of their peaks. Computes nothing new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qdot.fitting import FitResult

from .peaks import Peaks
from .points import PERIOD_NS, Points, Setting, expected, shape_deviance


def power_series(result: FitResult, measured: Points, powers_uW: np.ndarray, curve: tuple[np.ndarray, np.ndarray], path: Path) -> None:
    """g2(0) and decay time against power: points, fitted model, pulls below."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    names = ("g2(0), X line", "decay time of the peaks (ns)")
    for k, (term, line, name) in enumerate(zip(result.terms, curve, names, strict=True)):
        top, bottom = axes[0, k], axes[1, k]
        top.errorbar(term.x, term.value, [term.minus, term.plus], fmt="o", ms=4, capsize=2, label="from the histograms")
        top.plot(powers_uW, line, label="fitted ReservoirDot, median background")
        top.plot(term.x, term.predicted, "_", color="C1", ms=9, label="the same, on each setting's own background")
        top.set_ylabel(name)
        top.legend()
        bottom.axhline(0, lw=0.8, color="0.5")
        bottom.errorbar(term.x, term.pulls, 1.0, fmt="o", ms=4, capsize=2)
        bottom.set_ylim(-4, 4)
        bottom.set_ylabel("(data - fit) / error")
        bottom.set_xlabel("power (uW)")
        bottom.set_xscale("log")
        bottom.set_xticks([1, 2, 5, 10, 20, 30], ["1", "2", "5", "10", "20", "30"])
        bottom.minorticks_off()
    figure.suptitle(f"chi2 = {result.chi2:.1f} for {result.dof} degrees of freedom ({result.points} points, {len(result.parameters)} parameters)")
    figure.savefig(path, dpi=130)


def histograms(found: list[Setting], measured: Points, peaks: Peaks, path: Path) -> None:
    """Counts of every setting, folded: the central peak and the mean side peak, with two-sided exponentials and the fitted dot's own peaks."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4, sharex=True).ravel()
    for i, (setting, ax) in enumerate(zip(found, axes, strict=False)):
        h = setting.histogram
        p = (measured.zero_delay_ns, measured.side_area[i], measured.g2_zero[i], measured.background_per_ns[i], measured.decay_ns[i])
        exponentials, _ = expected(h, *p)
        _, dot = shape_deviance(h, peaks.tau_ns, peaks.side[:, i], peaks.central[:, i], measured.zero_delay_ns)
        u = h.left_ns + h.bin_width_ns / 2 - measured.zero_delay_ns
        m = np.round(u / PERIOD_NS)
        edges = np.linspace(-PERIOD_NS / 2, PERIOD_NS / 2, 50)
        middle = (edges[1:] + edges[:-1]) / 2
        for chosen, colour, name in ((m == 0, "C0", "central"), (m != 0, "C2", "side, mean")):
            # mean per bin, so that positions which hold one bin more do not stand out
            at = np.clip(np.digitize((u - m * PERIOD_NS)[chosen], edges) - 1, 0, middle.size - 1)
            bins = np.maximum(np.bincount(at, minlength=middle.size), 1)
            y, smooth, black = (np.bincount(at, c[chosen], middle.size) / bins for c in (h.counts, exponentials, dot))
            ax.errorbar(middle, y, np.sqrt(np.maximum(y, 0.3) / bins), fmt=".", ms=4, lw=0.8, color=colour, label=name)
            ax.plot(middle, smooth, color=colour, lw=0.9, ls="--")
            ax.plot(middle, black, color="k", lw=0.9)
        ax.set_title(f"{setting.name}, g2(0) = {measured.g2_zero[i]:.3f}", fontsize=9)
    for ax in axes[4:]:
        ax.set_xlabel("delay from the peak's centre (ns)")
    for ax in axes[::4]:
        ax.set_ylabel(f"counts per bin of {found[0].histogram.bin_width_ns:g} or {found[-1].histogram.bin_width_ns:g} ns")
    axes[0].legend(fontsize=8)
    figure.suptitle("points: data; dashed: fitted two-sided exponentials; black: peaks of the dot fitted to g2(0) and decay time")
    figure.savefig(path, dpi=110)
