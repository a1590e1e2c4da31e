"""The picture of the README: run `python docs/picture.py` in the environment of the tests to draw docs/picture.png again."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from qdot import plot, study

matplotlib.use("Agg")
ORANGE = "C1"


def draw(path: Path) -> Path:
    """g2(tau) of the dark-loaded dot, its photon numbers at two stages, and the fit of a measured power series."""
    dot = study.module("baqis_2026").dot
    with plt.rc_context({"font.size": 9.0, "axes.titlesize": 9.0, "legend.fontsize": 8.0}):
        figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.1), layout="constrained")
        dot.continuous().g2(np.geomspace(1e-3, 1e5, 300), "pair").plot(axes[0])
        axes[0].axhline(1.0, color="0.6", lw=0.8, ls=":")
        axes[0].set_title("continuous light: bunched pairs, then a long dip")
        numbers = dot.train().photon_numbers("pair", max=4)
        numbers.at("emission").plot(axes[1])
        numbers.plot(axes[1])
        axes[1].set_title("pulses: photons per period at two stages")
        sps = study.module("sps_quality_2023")
        _, measured = sps.measurements()
        result = sps.joint_fit(measured)
        powers_uW = np.geomspace(1.0, 32.0, 24)
        g2 = measured.series()[0]
        plot.series(g2, axes[2]).plot(powers_uW, sps.curve(result, measured, powers_uW)[0], color=ORANGE, label="joint fit, ReservoirDot")
        axes[2].set_title(f"measured power series: chi2/dof = {result.chi2_per_dof:.2f}")
        axes[2].legend(loc="lower right")
        figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


if __name__ == "__main__":
    draw(Path(__file__).with_name("picture.png"))
