"""Line intensities of the spectra C41 against power: areas of single lines by least squares, then the exponent of a power law, with intervals.

Ten spectra of one dot sample, 1.0 to 2.8 uW, 5 s each. A line is a Gaussian on a straight baseline within a window; its centre and width come from
the sum of all spectra and are then held, so that an area is linear in the counts. Points carry no errors: those of an area come from the scatter
around its own fit, those of the exponent from the scatter of the areas around the power law.

    python -m qdot_fits ... is not needed: `lines(folder)` and `table(folder)` from Python, or this file with the folder as its argument
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdot.data import Series, read_series
from qdot.errors import bad
from qdot.fitting import FitResult, fit

FILE_NAME = re.compile(r"C41_exc787_(\d+)p(\d+)uW_30K_5s\.dat")
LINES_NM = (1289.4, 1291.8, 1315.7, 1320.15, 1330.3)
"""Lines that stand alone within the window."""
WINDOW_NM = 1.2
"""Half width of the window around a line: five pixels on either side."""


@dataclass(frozen=True, eq=False)
class Line:
    """One line: areas (n,) in counts nm at powers (n,), and the fit of the power law to them."""

    centre_nm: float
    sigma_nm: float
    power_uW: np.ndarray
    area: np.ndarray
    area_error: np.ndarray
    law: FitResult

    @property
    def exponent(self) -> tuple[float, float]:
        """(value, standard error), the latter from the scatter of the areas around the power law where that is larger than their errors say."""
        factor = max(1.0, np.sqrt(self.law.chi2_per_dof))
        return self.law.parameters["exponent"].value, self.law.standard_errors["exponent"] * factor


def peak(x: np.ndarray, centre: float, sigma: float, area: float, base: float, tilt: float) -> np.ndarray:
    """Gaussian of an area on a straight baseline."""
    middle = float(np.mean(x))
    return area / (sigma * np.sqrt(2 * np.pi)) * np.exp(-(((x - centre) / sigma) ** 2) / 2) + base + tilt * (x - middle)


def power_law(x: np.ndarray, at_2uW: float, exponent: float) -> np.ndarray:
    """area = at_2uW (P / 2 uW)^exponent."""
    return at_2uW * (x / 2.0) ** exponent


def read(folder: Path) -> dict[float, Series]:
    """{power in uW: spectrum}, in order of power."""
    found = {}
    for path in sorted(folder.glob("*.dat")):
        match = FILE_NAME.fullmatch(path.name)
        if match:
            names = path.read_text(encoding="utf-8").splitlines()[0].split("\t")
            found[float(f"{match[1]}.{match[2]}")] = read_series(path, names[1], names[0], are_counts=True)
    if not found:
        raise bad(str(folder), "hold spectra named like C41_exc787_1p0uW_30K_5s.dat", "none", "give sps-quality/spectra_C41")
    return dict(sorted(found.items()))


def _window(s: Series, counts: np.ndarray, near: float) -> Series:
    inside = np.abs(s.x - near) <= WINDOW_NM
    one = np.ones(int(inside.sum()))
    return Series(s.x[inside], counts[inside], one, one, "wavelength_nm", "counts", s.source)


def line(spectra: dict[float, Series], near: float, leave_out: tuple[float, ...] = ()) -> Line:
    """One line at all powers but those that are left out."""
    first = next(iter(spectra.values()))
    total = _window(first, np.sum([s.value for s in spectra.values()], axis=0), near)
    height = float(np.ptp(total.value))
    vary = {"centre": (near, near - 0.5, near + 0.5), "sigma": (0.2, 0.05, 1.0), "area": height * 0.5, "base": float(total.value.min()), "tilt": 0.0}
    shape = fit(peak, total, vary, intervals=False)
    centre, sigma = (shape.parameters[n].value for n in ("centre", "sigma"))

    def held(x: np.ndarray, area: float, base: float, tilt: float) -> np.ndarray:
        return peak(x, centre, sigma, area, base, tilt)

    powers, areas, errors = [], [], []
    for power, s in spectra.items():
        one = fit(held, _window(s, s.value, near), {"area": 100.0, "base": float(s.value.min()), "tilt": 0.0}, intervals=False)
        powers.append(power)
        areas.append(one.parameters["area"].value)
        errors.append(one.scaled_errors["area"])
    p, a, e = (np.array(v) for v in (powers, areas, errors))
    used = ~np.isin(p, leave_out)
    data = Series(p[used], a[used], e[used], e[used], "power_uW", "area", f"line at {centre:.2f} nm")
    law = fit(power_law, data, {"at_2uW": (float(np.median(a)), 1e-3, None), "exponent": 3.0})
    return Line(centre, sigma, p, a, e, law)


def table(folder: Path) -> str:
    """Areas and exponents of all lines, with and without the two settings that break the order of powers."""
    spectra = read(folder)
    rows = ["| line (nm) | sigma (nm) | exponent, all | chi2/dof | exponent, without 1.2 and 2.6 uW | chi2/dof |", "|---|---|---|---|---|---|"]
    for near in LINES_NM:
        every, clean = line(spectra, near), line(spectra, near, (1.2, 2.6))
        cells = [f"{c.exponent[0]:.2f} +- {c.exponent[1]:.2f} | {c.law.chi2_per_dof:.1f}" for c in (every, clean)]
        rows.append(f"| {every.centre_nm:.2f} | {every.sigma_nm:.3f} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
