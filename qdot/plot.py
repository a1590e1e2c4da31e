"""Results and data drawn on axes: thin functions that take `ax=None`, return the axes, put units on them and compute nothing.

Only this file and the command line use matplotlib; results reach it through their `plot()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from qdot.data import Series, split_unit
from qdot.results import Curve, PhotonNumbers

if TYPE_CHECKING:
    from qdot.fitting import FitResult
    from qdot.tags.correlation import Correlation
    from qdot.tags.triples import TripleCorrelation

DECADES = 2.0
"""An axis whose values are positive and span more than this many powers of ten is logarithmic."""
BAR = 0.3
"""Width of a bar, in photons."""
WORDS = {"g2_zero": "g2(0)", "tau": r"delay $\tau$", "tau1": r"delay $\tau_1$", "tau2": r"delay $\tau_2$", "t": "time"}


def curve(result: Curve, ax: Axes | None = None) -> Axes:
    """A curve against its axis: a line over delays or times, points over periods, a map for g3 on a grid of two delays."""
    ax = _axes(ax)
    ax.set_xlabel(axis_label(result.argument))
    if result.x2 is not None and result.value.ndim == 2:
        mesh = ax.pcolormesh(result.x, result.x2, result.value, shading="nearest")
        ax.set_ylabel(axis_label("tau2_ns"))
        ax.figure.colorbar(mesh, ax=ax, label=result.quantity)
        return ax
    marker = "o" if result.argument == "period" or result.x.size == 1 else ""
    ax.plot(result.x, result.value, marker=marker, label=f"{result.quantity}, {result.stage}")
    if _wide(result.x):
        ax.set_xscale("log")
    if _wide(result.value):
        ax.set_yscale("log")
    ax.set_ylabel(f"{result.quantity} (1/ns)" if result.quantity.startswith("flux") else result.quantity)
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
    ax.legend()
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

    Without ax, every measured quantity gets a panel with its residuals, in standard errors, below it; the uppermost panel is returned.
    With ax, all quantities are drawn there, without residuals.
    """
    names = list(dict.fromkeys(term.name for term in result.terms))
    upper, lower = _panels(len(names)) if ax is None else ([ax] * len(names), [None] * len(names))
    for panel, below, name in zip(upper, lower, names, strict=True):
        for term in (t for t in result.terms if t.name == name):
            points = panel.errorbar(term.x, term.value, yerr=[term.minus, term.plus], fmt="o", capsize=2, label=f"{axis_label(name)}, measured")
            order, colour = np.argsort(term.x, kind="stable"), points[0].get_color()
            panel.plot(term.x[order], term.predicted[order], color=colour, label=f"{axis_label(name)}, fit")
            if below is not None:
                below.plot(term.x, term.pulls, "o", color=colour)
        lowest = panel if below is None else below
        lowest.set_xlabel(axis_label(result.terms[0].x_name))
        if _wide(result.terms[0].x):
            lowest.set_xscale("log")
        panel.set_ylabel(axis_label(name) if ax is None else ", ".join(axis_label(n) for n in names))
        panel.legend()
        if below is not None:
            below.axhline(0.0, color="0.6", lw=0.8)
            below.set_ylabel("residual\n(std. errors)")
    return upper[0]


def _panels(count: int) -> tuple[list[Axes], list[Axes]]:
    """A tall and a low panel for each of `count` quantities, one above the other, on one horizontal axis."""
    figure = plt.figure(layout="constrained", figsize=(6.4, 4.0 * count))
    axes = figure.subplots(2 * count, 1, sharex=True, squeeze=False, height_ratios=[3, 1] * count)[:, 0]
    return list(axes[::2]), list(axes[1::2])


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
