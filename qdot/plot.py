"""Results drawn on axes: thin functions that take `ax=None`, return the axes, put units on them and compute nothing.

Only this file and the command line use matplotlib; results reach it through their `plot()`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from qdot.results import Curve, PhotonNumbers

DECADES = 2.0
"""An axis whose values are positive and span more than this many powers of ten is logarithmic."""
UNITS = {
    "ns": "ns",
    "ps": "ps",
    "uW": "µW",
    "fJ": "fJ",
    "ueV": "µeV",
    "K": "K",
    "per_ns": "1/ns",
}
WORDS = {"tau": r"delay $\tau$", "tau1": r"delay $\tau_1$", "tau2": r"delay $\tau_2$", "t": "time", "period": "period"}


def curve(result: Curve, ax: Axes | None = None) -> Axes:
    """A curve against its axis: a line over delays or times, points over periods, a map for g3 on a grid of two delays."""
    ax = _axes(ax)
    ax.set_xlabel(axis_label(result.argument))
    if result.x2 is not None and result.value.ndim == 2:
        mesh = ax.pcolormesh(result.x, result.x2, result.value, shading="nearest")
        ax.set_ylabel(axis_label("tau2_ns"))
        ax.figure.colorbar(mesh, ax=ax, label=_quantity(result.quantity))
        return ax
    marker = "o" if result.argument == "period" or result.x.size == 1 else ""
    ax.plot(result.x, result.value, marker=marker, label=f"{result.quantity}, {result.stage}")
    if _wide(result.x):
        ax.set_xscale("log")
    if _wide(result.value):
        ax.set_yscale("log")
    ax.set_ylabel(_quantity(result.quantity))
    return ax


def photon_numbers(result: PhotonNumbers, ax: Axes | None = None) -> Axes:
    """P(n) as bars, translucent so that another stage can be drawn on the same axes."""
    ax = _axes(ax)
    ax.bar(np.arange(result.probabilities.size), result.probabilities, alpha=0.6, label=f"{result.label}, {result.stage}")
    ax.set_xticks(np.arange(result.probabilities.size))
    ax.set_xlabel("photons n")
    ax.set_ylabel("probability P(n)")
    ax.set_title(result.window, fontsize="small")
    ax.legend()
    return ax


def axis_label(name: str) -> str:
    """A field's name with its unit in the form of an axis label.

    >>> axis_label("power_uW"), axis_label("spin_flip_per_ns"), axis_label("period"), axis_label("g2_zero")
    ('power (µW)', 'spin flip (1/ns)', 'period', 'g2 zero')
    """
    for suffix in sorted(UNITS, key=len, reverse=True):
        if name.endswith("_" + suffix):
            head = name[: -len(suffix) - 1]
            return f"{WORDS.get(head, head.replace('_', ' '))} ({UNITS[suffix]})"
    return WORDS.get(name, name.replace("_", " "))


def _quantity(name: str) -> str:
    """Correlations are ratios; a flux is in photons per ns."""
    return f"{name} (1/ns)" if name.startswith("flux") else name


def _wide(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return finite.size > 1 and bool(np.all(finite > 0)) and float(finite.max()) > 10.0**DECADES * float(finite.min())


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots(layout="constrained")[1] if ax is None else ax
