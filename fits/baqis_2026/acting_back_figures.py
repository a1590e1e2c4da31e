"""The figures of light acting back: draws what `curves.py` computed and computes nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter
from numpy.typing import NDArray

from .figures import BLUE, GREEN, GREY, ORANGE, RED, save

Array = NDArray[np.float64]
LOOKS = {"one mode": (BLUE, "-"), "separate modes": (ORANGE, "--"), "single exciton": (GREEN, "-.")}
BEHIND = ("-", "--", ":")
"""Ideal detectors, and the two responses."""


class Trace(Protocol):
    """Light against time."""

    times_ns: Array
    flux_per_ns: Array


def delays(
    delays_ns: Array,
    rows: Mapping[str, Sequence[Mapping[str, Array]]],
    responses: Sequence[str],
    disguise: tuple[int, int, str, Array],
    path: Path,
) -> Path:
    """Densities of the recorded delay: a row for each cavity, a column for each response. disguise: (row, column, label, curve)."""
    fig = Figure(figsize=(8.2, 6.6), layout="constrained")
    axes = fig.subplots(len(rows), len(responses), sharex=True, sharey="row")
    for i, (name, columns) in enumerate(rows.items()):
        for j, curves in enumerate(columns):
            ax = axes[i, j]
            for kind, y in curves.items():
                ax.plot(1e3 * delays_ns, y, color=LOOKS[kind][0], ls=LOOKS[kind][1], label=kind)
            if (i, j) == disguise[:2]:
                ax.plot(1e3 * delays_ns[::8], disguise[3][::8], ".", ms=4, color="k", label=disguise[2])
                ax.legend(handles=[ax.lines[-1]], frameon=False, loc="upper right")
            ax.set_xlim(0.0, 1e3 * delays_ns[-1])
            ax.set_ylim(0.0, None)
        axes[i, 0].set_ylabel(f"{name}\ndensity (1/ns)")
    for j, response in enumerate(responses):
        axes[0, j].set_title(response)
        axes[-1, j].set_xlabel(r"recorded delay $|t_2 - t_1|$ (ps)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return save(fig, path)


def times(
    ratio: Array,
    means_ns: Mapping[str, Array],
    quotients: Mapping[str, Array],
    heights: Mapping[str, Array],
    binding_ueV: Array,
    kappa_ueV: float,
    detuned: Mapping[str, Array],
    star: tuple[float, float, float],
    path: Path,
) -> Path:
    """Against kappa/Gamma_P: mean delays, what one mode makes of them, the density at zero delay; and all of it against the biexciton's detuning."""
    fig = Figure(figsize=(8.2, 6.2), layout="constrained")
    (mean, quotient), (height, shifted) = fig.subplots(2, 2)
    for kind, y in means_ns.items():
        mean.plot(ratio, 1e3 * y, color=LOOKS[kind][0], ls=LOOKS[kind][1], label=kind)
    mean.set(ylabel=r"mean delay (ps), $1/\Gamma_P$ = 67 ps", ylim=(0, None), title="delay to the second photon")
    mean.legend(frameon=False)
    for (name, y), colour, dash in zip(quotients.items(), (BLUE, BLUE, BLUE, RED, GREEN), (*BEHIND, "-", "-."), strict=True):
        quotient.plot(ratio, y, color=colour, ls=dash, label=name)
    quotient.plot(star[0], star[1], "k*", ms=9)
    quotient.set(ylabel="ratio", ylim=(0.2, 1.04), title="speed-up: one mode over separate modes")
    quotient.legend(frameon=False, loc="lower right", fontsize=7.5)
    for (name, y), dash in zip(heights.items(), BEHIND, strict=True):
        height.plot(ratio, y, color=BLUE, ls=dash, label=name)
    height.plot(star[0], star[2], "k*", ms=9, label="assumed cavity, ideal detectors")
    height.set(ylabel="one mode over separate modes", ylim=(0.9, 2.1), title="density at zero delay")
    height.legend(frameon=False, loc="lower left", fontsize=7.5)
    for ax in (mean, quotient, height):
        ax.set(xscale="log", xlabel=r"$\kappa/\Gamma_P$", xlim=(ratio[0], ratio[-1]))
        ax.xaxis.set_major_locator(FixedLocator([1, 2, 4, 10, 20, 40]))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    for ax in (quotient, height, shifted):
        ax.axhline(1.0, color=GREY, lw=0.8, ls=":")
    for (name, y), colour, dash in zip(detuned.items(), (BLUE, BLUE, BLUE, ORANGE), (*BEHIND, "-"), strict=True):
        shifted.plot(binding_ueV, y, color=colour, ls=dash, label=name)
    shifted.axvline(kappa_ueV, color=GREY, lw=0.8, ls=":")
    shifted.annotate(r"$\hbar\kappa$", (kappa_ueV, 1.5), xytext=(3, 0), textcoords="offset points", fontsize=8, color="0.35")
    shifted.set(xlabel=r"X line minus XX line ($\mu$eV)", ylabel="one mode over separate modes", xlim=(0, binding_ueV[-1]), ylim=(0.9, 2.1))
    shifted.set_title("detuned biexciton, assumed cavity")
    shifted.legend(frameon=False, loc="center right", fontsize=7.5)
    return save(fig, path)


def maps(times_ns: Array, joint: Mapping[str, Array], first: Mapping[str, Array], path: Path) -> Path:
    """G2(t1, t2) of the light of one mode and of separate modes, and the density of the first photon."""
    fig = Figure(figsize=(9.0, 3.1), layout="constrained")
    axes = fig.subplots(1, 3)
    t = 1e3 * times_ns
    top = max(float(y.max()) for y in joint.values())
    for ax, (kind, y) in zip(axes, joint.items(), strict=False):
        image = ax.pcolormesh(t, t, y.T, vmin=0.0, vmax=top, cmap="viridis", shading="nearest", rasterized=True)
        ax.set(xlabel=r"$t_1$ (ps)", ylabel=r"$t_2$ (ps)", aspect="equal", title=rf"$G^{{(2)}}(t_1, t_2)$, {kind}")
    fig.colorbar(image, ax=list(axes[:2]), label=r"ns$^{-2}$", shrink=0.9)
    for kind, y in first.items():
        axes[2].plot(t, y, color=LOOKS[kind][0], ls=LOOKS[kind][1], label=kind)
    axes[2].set(xlabel="time after the preparation (ps)", ylabel="density (1/ns)", title="the first photon", xlim=(0, t[-1]), ylim=(0, None), box_aspect=1)
    axes[2].legend(frameon=False)
    return save(fig, path)


def traces(short: Mapping[str, Trace], long: Mapping[str, Trace], path: Path) -> Path:
    """Decay traces beside the delay after a photon, each over its largest value; on the right one whole period."""
    fig = Figure(figsize=(8.2, 3.3), layout="constrained")
    left, right = fig.subplots(1, 2)
    for (name, one), colour, dash in zip(short.items(), (BLUE, ORANGE, RED), ("-", "--", "-."), strict=True):
        left.semilogy(1e3 * one.times_ns, one.flux_per_ns / one.flux_per_ns.max(), color=colour, ls=dash, label=name)
    left.axhline(np.exp(-1.0), color=GREY, lw=0.8, ls=":")
    left.annotate("1/e", (0.98, np.exp(-1.0)), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8, color="0.35")
    left.set(xlabel="delay, or time after the pulse (ps)", ylabel="light over its largest value", xlim=(0, 600), ylim=(1e-4, 30))
    left.set_title("slowed by feeding and relaxation")
    left.legend(frameon=False, loc="upper right")
    for (name, one), colour, dash in zip(long.items(), (BLUE, GREEN, ORANGE, RED), ("-", "-.", "-", "--"), strict=True):
        right.semilogy(one.times_ns, one.flux_per_ns / one.flux_per_ns.max(), color=colour, ls=dash, label=name)
    right.set(xlabel="time after the pulse (ns)", xlim=(0, max(one.times_ns[-1] for one in long.values())), ylim=(1e-7, 300))
    right.set_title("XX and X together: slowed by return from D")
    right.legend(frameon=False, loc="upper right")
    return save(fig, path)
