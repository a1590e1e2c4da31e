"""Results and data drawn on axes: thin functions that take `ax=None`, return the axes, put units on them and compute nothing.

Only this file and the command line use matplotlib; results reach it through their `plot()`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from qdot.data import Series, split_unit
from qdot.results import Curve, PhotonNumbers, Spectrum

if TYPE_CHECKING:
    from qdot.fitting import FitResult, Term
    from qdot.tags.correlation import Correlation
    from qdot.tags.triples import TripleCorrelation

DECADES = 2.0
"""An axis whose values are positive and span more than this many powers of ten is logarithmic."""
MANY = 60
"""From this many points on they are drawn small."""
TALL = 4
"""Up to this many panels stand in one column."""
BAR = 0.3
"""Width of a bar, in photons."""
WORDS = {
    "g2_zero": "g2(0)",
    "tau": r"delay $\tau$",
    "tau1": r"delay $\tau_1$",
    "tau2": r"delay $\tau_2$",
    "t": "time",
    "t1": r"time $t_1$",
    "t2": r"time $t_2$",
}


def curve(result: Curve, ax: Axes | None = None) -> Axes:
    """A curve against its axis: a line over delays or times, points over periods, a map for g3 on a grid of two delays."""
    ax = _axes(ax)
    ax.set_xlabel(axis_label(result.argument))
    if result.x2 is not None and result.value.ndim == 2:
        mesh = ax.pcolormesh(result.x, result.x2, result.value, shading="nearest")
        ax.set_ylabel(axis_label(result.argument2))
        ax.figure.colorbar(mesh, ax=ax, label=f"{result.quantity} ({result.unit})" if result.unit else result.quantity)
        return ax
    marker = "o" if result.argument == "period" or result.x.size == 1 else ""
    value, quantity = (np.abs(result.value), f"|{result.quantity}|") if np.iscomplexobj(result.value) else (result.value, result.quantity)
    ax.plot(result.x, value, marker=marker, label=f"{quantity}, {result.stage}")
    if _wide(result.x):
        ax.set_xscale("log")
    if _wide(value):
        ax.set_yscale("log")
    ax.set_ylabel(f"{quantity} ({result.unit})" if result.unit else quantity)
    return ax


def spectrum(result: Spectrum, ax: Axes | None = None) -> Axes:
    """A spectrum against energy, elastic lines as vertical lines with their photons in the legend."""
    ax = _axes(ax)
    ax.plot(result.energy_ueV, result.value, label=f"{result.label}, {result.stage}")
    for energy, photons in result.elastic:
        ax.axvline(energy, linestyle="--", color="0.5", label=f"elastic, {photons:.3g} {result.photons_unit}")
    ax.set_xlabel(axis_label("energy_ueV"))
    ax.set_ylabel(f"photons ({result.unit})")
    return ax


def correlation(result: Correlation, ax: Axes | None = None) -> Axes:
    """Measured g2 against the delay between the detectors as steps; lines at 1 and at the zero delay."""
    ax = _axes(ax)
    half = result.bin_ps / 2000
    edges = [*(result.tau_ns - half), result.tau_ns[-1] + half]
    ax.stairs(result.g2, edges, label=f"g2, normalised by {result.normalisation}")
    ax.axhline(1.0, color="0.6", lw=0.8)
    ax.axvline(result.zero_delay_ns, color="0.6", lw=0.8, ls=":")
    ax.set_xlabel(axis_label("tau_ns"))
    ax.set_ylabel("g2")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, frameon=False)  # above: the dip and the peaks are the picture
    return ax


def triple_correlation(result: TripleCorrelation, ax: Axes | None = None) -> Axes:
    """Measured g3 as a map over the delays of the second and the third channel from the first."""
    ax = _axes(ax)
    mesh = ax.pcolormesh(result.tau_ns, result.tau_ns, result.g3.T, shading="nearest")
    ax.set_xlabel(f"delay of channel {result.channels[1]} (ns)")
    ax.set_ylabel(f"delay of channel {result.channels[2]} (ns)")
    ax.figure.colorbar(mesh, ax=ax, label=f"g3, normalised by {result.normalisation}")
    return ax


def photon_numbers(result: PhotonNumbers, ax: Axes | None = None) -> Axes:
    """P(n) as bars; another stage or source on the same axes stands beside the first."""
    ax = _axes(ax)
    n = np.arange(result.probabilities.size)
    ax.bar(n + BAR * len(ax.containers), result.probabilities, width=BAR, label=f"{result.label}, {result.stage}")
    ax.set_xticks(n)
    ax.set_xlabel("photons n")
    ax.set_ylabel("probability P(n)")
    ax.set_title(result.window, fontsize="small")
    ax.legend()
    return ax


def series(data: Series, ax: Axes | None = None) -> Axes:
    """A measured series as points with their standard errors."""
    ax = _axes(ax)
    ax.errorbar(data.x, data.value, yerr=[data.minus, data.plus], fmt="o", capsize=2, label="measured")
    ax.set_xlabel(axis_label(data.x_name))
    ax.set_ylabel(axis_label(data.name))
    return ax


def fit_result(result: FitResult, ax: Axes | None = None) -> Axes:
    """Data with their standard errors and what the fit predicts at the same settings.

    Without ax, every measured quantity (and every histogram) gets a panel with its residuals, in standard errors, below it; the uppermost panel is
    returned. With ax, all quantities are drawn there, without residuals.
    """
    groups: dict[tuple[str, ...], list[Term]] = {}
    for term in result.terms:
        own = (term.source,) if term.name == "counts" and term.x_name in ("delay_ns", "time_ns") else ()
        groups.setdefault((term.name, term.x_name, *own), []).append(term)
    upper, lower = _panels(len(groups)) if ax is None else ([ax] * len(groups), [None] * len(groups))
    for panel, below, (key, terms) in zip(upper, lower, groups.items(), strict=True):
        name, x_name = key[:2]
        is_dense = any(term.x.size > MANY for term in terms)
        for term in terms:
            style = {"fmt": ".", "ms": 3, "lw": 0.5} if is_dense else {"fmt": "o", "capsize": 2}
            points = panel.errorbar(term.x, term.value, yerr=[term.minus, term.plus], label=f"{axis_label(name)}, measured", **style)  # type: ignore[arg-type]
            order, colour = np.argsort(term.x, kind="stable"), points[0].get_color()
            shown = "k" if is_dense else colour
            panel.plot(term.x[order], term.predicted[order], color=shown, lw=1.0, zorder=3, label=f"{axis_label(name)}, fit")
            if below is not None:
                pulls = term.pulls if term.law == "normal" else term.residuals
                below.plot(term.x, pulls, "." if is_dense else "o", ms=2 if is_dense else 6, color=colour)
        lowest = panel if below is None else below
        lowest.set_xlabel(axis_label(x_name))
        if _wide(terms[0].x):
            lowest.set_xscale("log")
        panel.set_ylabel(axis_label(name) if ax is None else ", ".join(dict.fromkeys(axis_label(k[0]) for k in groups)))
        if len(key) > 2:
            panel.set_title(Path(key[2]).name, fontsize="small")
        panel.legend()
        if below is not None:
            below.axhline(0.0, color="0.6", lw=0.8)
            below.set_ylabel("residual\n(std. errors)")
    return upper[0]


def _panels(count: int) -> tuple[list[Axes], list[Axes]]:
    """A tall and a low panel for each of `count` quantities, the two on one horizontal axis; in one column, or in several where there are many."""
    columns = 1 if count <= TALL else math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    figure = plt.figure(layout="constrained", figsize=(6.4 * columns, 4.0 * rows))
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3, 1] * rows)
    upper, lower = axes[::2].ravel(), axes[1::2].ravel()
    for one, other in zip(upper, lower, strict=True):
        one.sharex(other)
        one.tick_params(labelbottom=False)
    for unused in (*upper[count:], *lower[count:]):
        unused.set_axis_off()
    return list(upper[:count]), list(lower[:count])


def axis_label(name: str) -> str:
    """A field's name, which ends in its unit, as an axis label.

    >>> axis_label("power_uW"), axis_label("spin_flip_per_ns"), axis_label("period"), axis_label("g2_zero")
    ('power (µW)', 'spin flip (1/ns)', 'period', 'g2(0)')
    """
    quantity, unit = split_unit(name)
    words = WORDS.get(quantity, quantity.replace("_", " "))
    return f"{words} ({unit.replace('u', 'µ')})" if unit else words


def _wide(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return finite.size > 1 and bool(np.all(finite > 0)) and float(finite.max()) > 10.0**DECADES * float(finite.min())


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots(layout="constrained")[1] if ax is None else ax
