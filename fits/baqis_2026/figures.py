"""The figures of the study: draws what `study.py` computed and computes nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#7F7F7F"
STYLE = {"font.size": 8.5, "axes.titlesize": 9.0, "legend.fontsize": 8.0, "axes.spines.top": False, "axes.spines.right": False}


def style() -> AbstractContextManager[None]:
    """Fonts and frames of all figures; draw inside `with style():`."""
    return rc_context(STYLE)  # type: ignore[arg-type]


def correlation(short_ns: Array, ideal: Array, measured: Array, long_ns: Array, dip: Array, level: float, error: float, response: str, path: Path) -> Path:
    """g2(tau): the peak, ideal and after the response, and the dip beside it on a logarithmic delay axis."""
    fig = Figure(figsize=(7.2, 3.1), layout="constrained")
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.25))
    left.axhspan(level - error, level + error, color=GREY, alpha=0.3, lw=0)
    left.plot(1e3 * short_ns, ideal, color=BLUE, label="ideal detector")
    left.plot(1e3 * short_ns, measured, color=RED, label=response)
    left.annotate("3966(324)", (0.99, level + error), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8, color="0.3")
    left.set(xlabel=r"delay $\tau$ (ps)", ylabel=r"$g^{(2)}(\tau)$", title="the peak", xlim=(1e3 * short_ns[0], 1e3 * short_ns[-1]))
    left.set_ylim(0, 1.5 * ideal.max())
    left.legend(frameon=False, loc="upper left")
    right.loglog(long_ns, dip, color=BLUE)
    right.axhline(1.0, color=GREY, lw=0.8, ls=":")
    lowest = int(np.argmin(dip))
    right.plot(long_ns[lowest], dip[lowest], "o", color=RED, ms=4)
    right.annotate(
        rf"dip {dip[lowest]:.3f} at {long_ns[lowest]:.2g} ns", (long_ns[lowest], dip[lowest]), xytext=(10, -3), textcoords="offset points", va="top", fontsize=8
    )
    right.set(xlabel=r"delay $\tau$ (ns)", ylabel=r"$g^{(2)}(\tau)$, ideal detector", title="the dip: after a pair the dot is empty")
    right.set_xlim(long_ns[0], long_ns[-1])
    right.set_ylim(0.3 * dip.min(), 3 * dip.max())
    return save(fig, path)


def power(power_uW: Array, series: Mapping[str, tuple[Array, Array, Array]], shown_uW: float, level: float, error: float, path: Path) -> Path:
    """g2(0), flux of pair light (1/ns) and pair flux fraction against continuous-wave power, one line per kind of dot."""
    fig = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = fig.subplots(1, 3)
    colours, dashes = (BLUE, ORANGE, GREEN), ("-", "--", "-.")
    for (name, (g2, flux, pairs)), colour, dash in zip(series.items(), colours, dashes, strict=True):
        for ax, y in zip(axes, (g2, 1e3 * flux, pairs), strict=True):
            ax.plot(power_uW, y, color=colour, ls=dash, label=name)
    axes[0].axhspan(level - error, level + error, color=GREY, alpha=0.35, lw=0)
    axes[0].set(yscale="log", ylabel=r"$g^{(2)}(0)$ after the response")
    axes[1].set(yscale="log", ylabel=r"emitted flux of pair light ($\mu$s$^{-1}$)")
    axes[2].set(ylim=(0, 1.03), ylabel="fraction of photons in pairs")
    for ax in axes:
        ax.set(xscale="log", xlabel=r"power ($\mu$W)", xlim=(power_uW[0], power_uW[-1]))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.axvline(shown_uW, color=GREY, lw=0.8, ls=":")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return save(fig, path)


def photon_numbers(stages: Mapping[str, Array], path: Path) -> Path:
    """P(n) per period at each stage, on linear and logarithmic axes."""
    fig = Figure(figsize=(7.2, 2.9), layout="constrained")
    left, right = fig.subplots(1, 2)
    width = 0.43
    for i, ((stage, p), colour) in enumerate(zip(stages.items(), (BLUE, ORANGE), strict=True)):
        n = np.arange(p.size)
        for ax in (left, right):
            ax.bar(n + (i - 0.5) * width, p, width, color=colour, label=stage)
        for k in range(3):
            left.annotate(f"{p[k]:.3f}", (k + (i - 0.5) * width, p[k]), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=6.8)
    for ax in (left, right):
        ax.set(xlabel="photons per period $n$", ylabel="probability $P(n)$")
        ax.xaxis.set_major_locator(FixedLocator(range(p.size)))
    left.set_ylim(0, 0.8)
    right.set(yscale="log", ylim=(1e-5, 1))
    left.legend(frameon=False)
    return save(fig, path)


def region_continuous(
    pairs: Sequence[tuple[str, Array, Array, Array]],
    ratio: Array,
    bounds: Mapping[str, Array],
    shown_pumps: tuple[float, float],
    shown: tuple[float, float],
    path: Path,
) -> Path:
    """What the continuous-wave number leaves: the plane of the two pumps, and the largest spin flip against P2/P1.

    pairs: (label, P2, lower P1, upper P1) of bands where g2(0) lies within its error.
    """
    fig = Figure(figsize=(7.2, 3.3), layout="constrained")
    left, right = fig.subplots(1, 2)
    for (label, p2, low, high), colour in zip(pairs, (BLUE, ORANGE, GREEN), strict=True):
        left.fill_between(p2, low, high, color=colour, alpha=0.55, lw=0.6, label=label)
    left.plot(*reversed(shown_pumps), "k*", ms=9, label="shown set")
    left.set(xscale="log", yscale="log", xlim=(p2[0], p2[-1]), xlabel=r"$P_2$, D $\rightarrow$ XX (ns$^{-1}$)", ylabel=r"$P_1$, G $\rightarrow$ D (ns$^{-1}$)")
    left.set_title(r"pumps that give $g^{(2)}(0)$ = 3966(324)")
    left.set_ylim(1e-5, 0.1)
    left.legend(frameon=False, loc="lower right")
    for (label, bound), colour in zip(bounds.items(), (BLUE, ORANGE, GREEN), strict=True):
        right.loglog(ratio, bound, color=colour, label=label)
    last = next(iter(bounds.values()))
    right.fill_between(ratio, last, 1.0, color=BLUE, alpha=0.08, lw=0)
    right.annotate("3966 out of reach", (0.05, 0.06), ha="left", fontsize=8, color=BLUE)
    right.plot(*shown, "k*", ms=9)
    right.set(xlabel=r"$P_2/P_1$", ylabel=r"spin flip D $\rightarrow$ X (ns$^{-1}$)", xlim=(ratio[0], ratio[-1]), ylim=(1e-5, 0.3))
    right.set_title("largest spin flip at any power\n(no leakage, no dark decay)")
    right.legend(frameon=False, loc="lower right")
    return save(fig, path)


def region_pulsed(
    flips: Array,
    leaks: Mapping[str, Array],
    error_band: tuple[Array, Array],
    shown: tuple[float, float],
    fwhm_ns: Array,
    needed: Mapping[str, Array],
    reached: Mapping[str, Array],
    point: tuple[float, float],
    share: float,
    path: Path,
) -> Path:
    """What the pulsed numbers leave: leakage against spin flip, transmission and share against the length of the pulse."""
    fig = Figure(figsize=(8.2, 3.1), layout="constrained")
    axes = fig.subplots(1, 3)
    ax = axes[0]
    ax.fill_between(flips, *error_band, color=BLUE, alpha=0.15, lw=0, label=r"photon fraction, $\mu$ within 5 %")
    for (label, leak), colour, dash in zip(leaks.items(), (BLUE, ORANGE), ("-", "--"), strict=True):
        ax.plot(flips, leak, color=colour, ls=dash, label=label)
    ax.set(xscale="log", yscale="log", xlabel=r"spin flip D $\rightarrow$ X, times period", ylabel="bright leakage, 1 - selectivity", ylim=(1e-3, 1.5))
    ax.set_xlim(flips[0], flips[-1])
    ax.plot(*shown, "k*", ms=9)
    ax.set_title("what gives a share of 0.983\n(one exciton per pulse)")
    ax.legend(frameon=False, loc="upper left")
    for (label, y), z, colour, dash in zip(needed.items(), reached.values(), (GREEN, BLUE, RED), ("-.", "-", "--"), strict=True):
        axes[1].semilogx(1e3 * fwhm_ns, y, color=colour, ls=dash, marker=".", label=label)
        axes[2].semilogx(1e3 * fwhm_ns, z, color=colour, ls=dash, marker=".", label=label)
    axes[1].plot(1e3 * point[0], point[1], "k*", ms=9)
    axes[1].axhline(0.773, color=GREY, lw=0.8, ls=":")
    axes[1].axhline(0.547, color=GREY, lw=0.8, ls=":")
    axes[1].annotate("one exciton per pulse", (0.97, 0.775), xycoords=("axes fraction", "data"), fontsize=7.5, color="0.35", va="bottom", ha="right")
    axes[1].annotate("a pair in every period", (0.03, 0.549), xycoords=("axes fraction", "data"), fontsize=7.5, color="0.35", va="bottom", ha="left")
    axes[1].set(xlabel="pulse FWHM (ps)", ylabel="transmission to first lens", ylim=(0.52, 0.82))
    axes[1].set_title("transmission that gives 0.299\n(no leakage, no spin flip)")
    axes[2].legend(title="hot relaxation", title_fontsize=8, frameon=False, loc="lower left")
    axes[2].axhline(share, color=GREY, lw=0.8, ls=":")
    axes[2].annotate("published 0.983", (0.03, share - 0.002), xycoords=("axes fraction", "data"), fontsize=7.5, color="0.35", va="top")
    axes[2].set(xlabel="pulse FWHM (ps)", ylabel="share of photons in pairs", ylim=(0.9, 1.003))
    axes[2].set_title("largest share: re-excitation\n(no leakage, no spin flip)")
    return save(fig, path)


def region_ranges(
    names: Sequence[tuple[str, str]], cases: Mapping[str, Mapping[str, Array]], box: Mapping[str, tuple[float, float]], shown: Mapping[str, float], path: Path
) -> Path:
    """Range of every parameter that the numbers leave, one bar per reading of the numbers; the thick part holds the middle 68 % of the draws."""
    fig = Figure(figsize=(8.6, 6.0), layout="constrained")
    axes = fig.subplots(2, 4).ravel()
    labels = list(cases)
    for ax, (key, title) in zip(axes, names, strict=False):
        low, high = box[key]
        ax.axvspan(low, high, color=GREY, alpha=0.12, lw=0)
        filled = [(i, label) for i, label in enumerate(labels) if cases[label][key].size]
        rows = [i for i, _ in filled]
        q = np.array([np.quantile(cases[label][key], (0.0, 0.16, 0.84, 1.0)) for _, label in filled])
        colours = [ORANGE if "two pulses" in label else BLUE for _, label in filled]
        ax.hlines(rows, q[:, 0], q[:, 3], colors=colours, lw=1.2)
        ax.hlines(rows, q[:, 1], q[:, 2], colors=colours, lw=4.5)
        for i in set(range(len(labels))) - set(rows):
            ax.annotate("excluded", (np.sqrt(low * high), i), ha="center", va="center", fontsize=7.5, color=RED)
        ax.plot([shown[key]] * 2, [-0.6, len(labels) - 0.4], color="k", lw=0.9, ls="--")
        ax.set_title(title, fontsize=8.5)
        ax.set(xscale="log", xlim=(low / 1.3, high * 1.3), ylim=(len(labels) - 0.4, -0.6))
        if key == "collection":
            ax.set(xscale="linear", xlim=(low - 0.02, high + 0.02))
        ax.yaxis.set_major_locator(FixedLocator(range(len(labels))))
        ax.set_yticklabels(labels if ax in (axes[0], axes[4]) else [])
        ax.tick_params(axis="y", length=0, labelsize=7.0)
        ax.xaxis.set_minor_formatter(NullFormatter())
        for boundary in range(6, len(labels), 6):
            ax.axhline(boundary - 0.5, color="white", lw=2)
    axes[-1].set_axis_off()
    axes[-1].plot([], [], color=BLUE, lw=4.5, label="one pulse per period")
    axes[-1].plot([], [], color=ORANGE, lw=4.5, label="two pulses per period")
    axes[-1].plot([], [], color="k", lw=0.9, ls="--", label="shown set")
    axes[-1].fill_between([], [], color=GREY, alpha=0.12, label="range searched")
    axes[-1].legend(frameon=False, loc="center left")
    return save(fig, path)


def region_pairs(
    one: Mapping[str, Array], two: Mapping[str, Array], axes_pairs: Sequence[tuple[str, str]], names: Mapping[str, str], shown: Mapping[str, float], path: Path
) -> Path:
    """Accepted draws in planes of two parameters."""
    fig = Figure(figsize=(8.0, 4.9), layout="constrained")
    axes = fig.subplots(2, 3).ravel()
    for ax, (x, y) in zip(axes, axes_pairs, strict=True):
        ax.plot(two[x], two[y], ".", ms=2.2, mew=0, color=ORANGE, alpha=0.55, label="two pulses", rasterized=True)
        ax.plot(one[x], one[y], ".", ms=2.2, mew=0, color=BLUE, alpha=0.55, label="one pulse, one exciton", rasterized=True)
        ax.plot(shown[x], shown[y], "k*", ms=9, label="shown set (one longer pulse)")
        ax.set(xscale="log" if x != "collection" else "linear", yscale="log" if y != "collection" else "linear", xlabel=names[x], ylabel=names[y])
    handles, labels = axes[0].get_legend_handles_labels()
    legend = fig.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, markerscale=1.0)
    for handle in legend.legend_handles[:2]:
        handle.set(markersize=7, alpha=1.0)  # type: ignore[union-attr]
    return save(fig, path)


def predictions(peaks: Mapping[str, Array], period_ns: Array, shares: Mapping[str, Array], pairs: Mapping[str, Array], shown_ns: float, path: Path) -> Path:
    """What would decide between the readings: side peaks, and how the pulsed figures depend on the repetition period."""
    fig = Figure(figsize=(7.6, 3.1), layout="constrained")
    axes = fig.subplots(1, 3)
    colours, marks, dashes = (BLUE, GREEN, ORANGE), ("o", "s", "^"), ("-", "-.", "--")
    for (name, y), colour, mark, dash in zip(peaks.items(), colours, marks, dashes, strict=True):
        axes[0].plot(np.arange(y.size), y, color=colour, marker=mark, ms=4, lw=0.9, ls=dash, label=name)
        axes[1].semilogx(period_ns, shares[name], color=colour, ls=dash)
        axes[2].semilogx(period_ns, pairs[name], color=colour, ls=dash)
    axes[0].axhline(1.0, color=GREY, lw=0.8, ls=":")
    axes[0].set(xlabel="peak number $m$", ylabel=r"$\langle n_0 n_m\rangle/\mu^2$", ylim=(0, None))
    axes[1].set(xlabel="repetition period (ns)", ylabel="share of photons in pairs")
    axes[2].set(xlabel="repetition period (ns)", ylabel="pairs emitted per period, $P(2)$", ylim=(0, 1))
    for ax in axes[1:]:
        ax.axvline(shown_ns, color=GREY, lw=0.8, ls=":")
        ax.set_xlim(period_ns[0], period_ns[-1])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return save(fig, path)


def profiles(curves: Mapping[str, Mapping[str, tuple[Array, Array]]], path: Path) -> Path:
    """Rise of chi2 of the three numbers against each unknown, all others free: one line per reading, flat where the numbers say nothing."""
    names = list(dict.fromkeys(n for found in curves.values() for n in found))
    fig = Figure(figsize=(7.6, 6.2), layout="constrained")
    axes = fig.subplots(4, 3, sharey=True).ravel()
    for ax, name in zip(axes, names, strict=False):
        for (reading, found), colour, dash in zip(curves.items(), (BLUE, ORANGE), ("-", "--"), strict=True):
            if name in found:
                ax.plot(*found[name], color=colour, ls=dash, label=reading)
        for level in (1.0, 3.84):
            ax.axhline(level, color=GREY, lw=0.7, ls=":")
        ax.set(xscale="log", xlabel=name, ylim=(0, 8))
    for ax in axes[::3]:
        ax.set_ylabel(r"rise of $\chi^2$")
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    axes[0].legend(frameon=False)
    return save(fig, path)


def save(fig: Figure, path: Path) -> Path:
    """Write a figure; no minor ticks."""
    for ax in fig.axes:
        ax.minorticks_off()
    fig.savefig(path, dpi=150)
    return path
