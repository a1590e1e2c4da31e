"""From the measured coincidence histograms to g2(0) and the decay time of the peaks at each setting.

One Poisson likelihood for all settings. Model, integrated over every bin: two-sided exponential peaks at zero delay + m * 12.5 ns for every m, side
peaks of equal area, the central one g2(0) times that, on a constant background. Per setting side area, g2(0), background and decay time are
free, and one zero delay for all (a cable): 8 x 4 + 1 = 33 parameters.

`qdot fit --study sps_quality_2023 --data DIR --out OUT` writes the result as OUT/derived_points.csv; the table beside this file was made so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from qdot.data import Histogram, Series, read_histogram, read_series
from qdot.errors import bad

from .shapes import neighbours, poisson_deviance, two_sided

PERIOD_NS = 12.5
"""80 MHz."""
TABLE = Path(__file__).with_name("derived_points.csv")
FILE_NAME = re.compile(r"(?P<power>\d+(?:p\d+)?)uW_(?P<rate>\d+)cps(?:_.*)?\.csv")
COLUMNS = (
    "power_uW,setting,files,bin_width_ns,g2_zero,g2_zero_minus,g2_zero_plus,decay_ns,decay_minus_ns,decay_plus_ns,correlation,"
    "side_area_counts,background_counts_per_ns,zero_delay_ns,deviance,bins"
)


@dataclass(frozen=True, eq=False)
class Setting:
    """All files of one power and count rate: parts of one measurement, added up bin by bin."""

    name: str
    power_uW: float
    files: tuple[str, ...]
    histogram: Histogram


@dataclass(frozen=True, eq=False)
class Points:
    """What the settings yield, each array (n,). correlation: of g2(0) and decay time; side_area in counts; background in counts per ns.

    zero_delay_ns, zero_delay_error_ns: shared by all; own_zero_ns, own_zero_error_ns: (n,) if each setting had its own (nan where unknown).
    deviance: (n,) of Poisson counts in `bins` bins. zero_delay_chi2: what the deviance gains if each setting has its own zero delay, that is
    one parameter less than there are settings; nan where unknown.
    """

    names: tuple[str, ...]
    power_uW: np.ndarray
    files: np.ndarray
    bin_width_ns: np.ndarray
    g2_zero: np.ndarray
    g2_minus: np.ndarray
    g2_plus: np.ndarray
    decay_ns: np.ndarray
    decay_minus_ns: np.ndarray
    decay_plus_ns: np.ndarray
    correlation: np.ndarray
    side_area: np.ndarray
    background_per_ns: np.ndarray
    zero_delay_ns: float
    zero_delay_error_ns: float
    own_zero_ns: np.ndarray
    own_zero_error_ns: np.ndarray
    deviance: np.ndarray
    bins: np.ndarray
    zero_delay_chi2: float
    source: str

    def series(self) -> tuple[Series, Series]:
        """(g2(0), decay time) against power, with their errors."""
        return (
            Series(self.power_uW, self.g2_zero, self.g2_minus, self.g2_plus, "power_uW", "g2_zero", self.source),
            Series(self.power_uW, self.decay_ns, self.decay_minus_ns, self.decay_plus_ns, "power_uW", "decay_ns", self.source),
        )


def settings(folder: Path) -> list[Setting]:
    """The histograms of a folder (or of its power_series/), added up by setting, in order of power.

    Raises InputError for a folder without histograms, or parts of one setting on different delay axes.
    """
    inner = [folder / name for name in ("power_series", "sps-quality/power_series", "data/sps-quality/power_series")]
    where = next((f for f in inner if f.is_dir()), folder)
    if not where.is_dir():
        raise bad(str(folder), "be the folder of the histograms", "a file" if where.is_file() else "nothing", "give sps-quality or sps-quality/power_series")
    found: dict[str, list[Path]] = {}
    for path in sorted(where.glob("*.csv")):
        match = FILE_NAME.fullmatch(path.name)
        if match:
            found.setdefault(f"{match['power']}uW_{match['rate']}cps", []).append(path)
    if not found:
        must = "hold histograms named like 10uW_6000cps.csv"
        raise bad(str(where), must, f"{len(list(where.iterdir()))} other files", "give sps-quality or sps-quality/power_series")
    made = []
    for name, paths in found.items():
        parts = [read_histogram(p) for p in paths]
        one = parts[0]
        for path, part in zip(paths, parts, strict=True):
            if len(part) != len(one) or np.abs(part.left_ns - one.left_ns).max() > 1e-3 * one.bin_width_ns:
                raise bad(str(path), f"share the delay axis of {paths[0].name}: {one}", str(part), "give parts of one measurement in the same bins")
        total = Histogram(one.left_ns, one.bin_width_ns, sum((p.counts for p in parts), np.zeros(len(one))), f"{name}, {len(parts)} files added")
        power = float(name.split("uW")[0].replace("p", "."))
        made.append(Setting(name, power, tuple(p.name for p in paths), total))
    return sorted(made, key=lambda s: (s.power_uW, int(s.name.split("_")[1][:-3])))


class Likelihood:
    """Poisson likelihood of the settings. Parameters: the shared zero delay, then (side area, g2(0), background per ns, decay) of each setting."""

    def __init__(self, histograms: list[Histogram]) -> None:
        self.histograms = histograms

    def start(self) -> np.ndarray:
        """Rough values to start from: the zero delay where peaks folded at the period are highest, nearest to the lowest peak."""
        values = [_zero_delay(self.histograms)]
        for h in self.histograms:
            length = h.edges_ns[-1] - h.edges_ns[0]
            level = np.percentile(h.counts, 10) / h.bin_width_ns
            values += [max(h.counts.sum() - level * length, 1.0) / (length / PERIOD_NS), 0.4, max(level, 1e-3), 1.1]
        return np.array(values)

    def terms(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(deviance of each setting, gradient of the log likelihood, Fisher information)."""
        n = p.size
        deviance, gradient, information = np.zeros(len(self.histograms)), np.zeros(n), np.zeros((n, n))
        for i, h in enumerate(self.histograms):
            own = np.array([0, *range(1 + 4 * i, 5 + 4 * i)])
            mu, slopes = expected(h, *p[own])
            if np.any(mu <= 0):
                deviance[i] = np.inf
                continue
            y = h.counts
            deviance[i] = poisson_deviance(y, mu)
            gradient[own] += slopes @ (y / mu - 1.0)
            information[np.ix_(own, own)] += (slopes / mu) @ slopes.T
        return deviance, gradient, information

    def climb(self, p: np.ndarray, fixed: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(best parameters, deviances, Fisher information) by Fisher scoring, with some parameters held. Raises InputError if it does not settle."""
        free = np.setdiff1d(np.arange(p.size), fixed)
        deviance, gradient, information = self.terms(p)
        for _ in range(60):
            move = np.zeros(p.size)
            move[free] = np.linalg.solve(information[np.ix_(free, free)], gradient[free])
            gain = float(gradient @ move)
            for _ in range(40):
                trial = p + move
                areas_and_decays = np.concatenate([trial[1::4], trial[4::4]])
                if np.all(areas_and_decays > 0):
                    now = self.terms(trial)
                    if now[0].sum() <= deviance.sum() + 1e-9:
                        break
                move = move / 2
            else:
                break
            p, (deviance, gradient, information) = trial, now
            if gain < 1e-9:
                return p, deviance, information
        must = "show peaks every 12.5 ns on a background"
        raise bad("the histograms", must, "a likelihood without a maximum", "check that the files are coincidence histograms")


def expected(h: Histogram, zero: float, area: float, g2: float, level: float, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """(n,) expected counts in each bin, and (5, n) their slopes in the five parameters.

    The integral of all peaks up to delay u: whole periods count one side area each; within a period, the peak itself and the wings of all others.
    """
    u = h.edges_ns - zero
    m = np.round(u / PERIOD_NS)
    near = u - m * PERIOD_NS
    (own, own_bend), (wings, wings_bend), (middle, middle_bend) = two_sided(near, decay), neighbours(near, decay, PERIOD_NS), two_sided(u, decay)
    q = np.exp(-PERIOD_NS / decay)
    density = (np.exp(-np.abs(near) / decay) / 2 + np.cosh(near / decay) * q / (1.0 - q)) / decay
    fall = np.exp(-np.abs(u) / decay) / (2 * decay)
    everywhere, bend = np.diff(m + own + wings), np.diff(own_bend + wings_bend)
    centre, centre_bend = np.diff(middle), np.diff(middle_bend)
    shape = everywhere + (g2 - 1.0) * centre
    slopes = np.array(
        [
            -area * (np.diff(density) + (g2 - 1.0) * np.diff(fall)),
            shape,
            area * centre,
            np.full(len(h), h.bin_width_ns),
            area * (bend + (g2 - 1.0) * centre_bend),
        ]
    )
    return area * shape + level * h.bin_width_ns, slopes


def shape_deviance(h: Histogram, tau_ns: np.ndarray, side: np.ndarray, central: np.ndarray, zero_ns: float) -> tuple[float, np.ndarray]:
    """(deviance, expected counts) of a histogram under peaks of given shape, with side area and background fitted.

    tau_ns: (m,) from 0 to half a period; side, central: (m,) densities per ns in units of the side area, even in the delay, wings included.
    """
    far, near = (CubicSpline(tau_ns, y).antiderivative() for y in (side, central))
    half = PERIOD_NS / 2
    u = h.edges_ns - zero_ns
    m = np.round(u / PERIOD_NS)
    offset = np.abs(u - m * PERIOD_NS)
    sign = np.sign(u - m * PERIOD_NS)
    total = np.where(m == 0, sign * near(offset), 2 * m * far(half) + np.sign(m) * (near(half) - far(half)) + sign * far(offset))
    shape = np.stack([np.diff(total), np.full(len(h), h.bin_width_ns)])
    amounts = np.linalg.lstsq(shape.T, h.counts, rcond=None)[0]
    for _ in range(30):
        mu = np.maximum(amounts @ shape, 1e-6)
        move = np.linalg.solve((shape / mu) @ shape.T, shape @ (h.counts / mu - 1.0))
        amounts = amounts + move
        if np.abs(move).max() < 1e-7 * np.abs(amounts).max():
            break
    mu = np.maximum(amounts @ shape, 1e-6)
    return poisson_deviance(h.counts, mu), mu


def _zero_delay(histograms: list[Histogram]) -> float:
    """Where the counts folded at the period are highest, at the peak with the fewest counts: zero delay to within a bin or two."""
    folded = np.zeros(50)
    for h in histograms:
        middle = h.left_ns + h.bin_width_ns / 2
        folded += np.bincount((middle % PERIOD_NS / PERIOD_NS * 50).astype(int) % 50, h.counts, 50)
    phase = (float(np.argmax(folded)) + 0.5) * PERIOD_NS / 50
    peaks = np.zeros(0)
    for h in histograms:
        middle = h.left_ns + h.bin_width_ns / 2
        m = np.round((middle - phase) / PERIOD_NS).astype(int)
        near = np.abs(middle - phase - m * PERIOD_NS) < 1.5
        areas = np.bincount(m[near & (m >= 0)], h.counts[near & (m >= 0)])
        n = min(areas.size, peaks.size) if peaks.size else areas.size
        peaks = areas[:n] + (peaks[:n] if peaks.size else 0.0)
    inside = peaks[1:-1]
    if inside.size < 3:
        raise bad("the histograms", "span several periods of 12.5 ns", "fewer", "give the whole histograms")
    return phase + (int(np.argmin(inside)) + 1) * PERIOD_NS


def derive(found: list[Setting]) -> Points:
    """g2(0) and decay time of every setting with profile-likelihood errors (Delta deviance = 1), from one fit of all histograms."""
    model = Likelihood([s.histogram for s in found])
    best, deviance, information = model.climb(model.start())
    covariance = np.linalg.inv(information)
    total = deviance.sum()
    sides = {}
    for i in range(len(found)):
        for what, k in (("g2", 2 + 4 * i), ("decay", 4 + 4 * i)):
            for direction in (-1, 1):
                sides[what, i, direction] = _side(model, best, covariance, float(total), k, direction)
    alone = [Likelihood([s.histogram]).climb(best[[0, *range(1 + 4 * i, 5 + 4 * i)]]) for i, s in enumerate(found)]

    def errors(what: str, direction: int) -> np.ndarray:
        return np.array([sides[what, i, direction] for i in range(len(found))])

    g2, decay = 2 + 4 * np.arange(len(found)), 4 + 4 * np.arange(len(found))
    sigma = np.sqrt(np.diag(covariance))
    return Points(
        names=tuple(s.name for s in found),
        power_uW=np.array([s.power_uW for s in found]),
        files=np.array([len(s.files) for s in found]),
        bin_width_ns=np.array([s.histogram.bin_width_ns for s in found]),
        g2_zero=best[g2],
        g2_minus=errors("g2", -1),
        g2_plus=errors("g2", 1),
        decay_ns=best[decay],
        decay_minus_ns=errors("decay", -1),
        decay_plus_ns=errors("decay", 1),
        correlation=covariance[g2, decay] / (sigma[g2] * sigma[decay]),
        side_area=best[g2 - 1],
        background_per_ns=best[g2 + 1],
        zero_delay_ns=float(best[0]),
        zero_delay_error_ns=float(sigma[0]),
        own_zero_ns=np.array([a[0][0] for a in alone]),
        own_zero_error_ns=np.array([np.sqrt(np.linalg.inv(a[2])[0, 0]) for a in alone]),
        deviance=deviance,
        bins=np.array([len(s.histogram) for s in found]),
        zero_delay_chi2=float(total - sum(a[1].sum() for a in alone)),
        source=f"{sum(len(s.files) for s in found)} measured histograms",
    )


def _side(model: Likelihood, best: np.ndarray, covariance: np.ndarray, least: float, k: int, direction: int) -> float:
    """Distance from the best value of parameter k at which the deviance, minimal in all others, has risen by 1."""
    step = float(np.sqrt(covariance[k, k]))
    along = covariance[:, k] / covariance[k, k]
    distance = step
    for _ in range(8):
        _, deviance, _ = model.climb(best + direction * distance * along, fixed=(k,))
        rise = float(deviance.sum()) - least
        nearer = distance / np.sqrt(max(rise, 1e-3))
        if abs(nearer - distance) < 1e-4 * step:
            return float(nearer)
        distance = float(nearer)
    return distance


def write(points: Points, path: Path = TABLE) -> None:
    """Write the points as the study's own table."""
    shared = f"chi2 of sharing it {points.zero_delay_chi2:.2f} for {len(points.names) - 1}"
    lines = [
        "# Derived from the coincidence histograms of UTS-CASLab/sps-quality at 7c2880c (MIT licence, doi:10.1088/2632-2153/ad0d11) by points.py:",
        "# one Poisson likelihood, two-sided exponential peaks integrated over the bins, one zero delay; errors where the deviance rises by 1.",
        f"# zero delay {points.zero_delay_ns:.4f} +- {points.zero_delay_error_ns:.4f} ns, {shared}",
        COLUMNS,
    ]
    for i, name in enumerate(points.names):
        lines.append(
            f"{points.power_uW[i]:g},{name},{points.files[i]},{points.bin_width_ns[i]:.3f},{points.g2_zero[i]:.5f},{points.g2_minus[i]:.5f},{points.g2_plus[i]:.5f},"
            f"{points.decay_ns[i]:.5f},{points.decay_minus_ns[i]:.5f},{points.decay_plus_ns[i]:.5f},{points.correlation[i]:.4f},{points.side_area[i]:.3f},"
            f"{points.background_per_ns[i]:.4f},{points.own_zero_ns[i]:.4f},{points.deviance[i]:.2f},{points.bins[i]}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: Path = TABLE) -> Points:
    """The study's own table: the same points where the histograms are absent."""
    g2, decay = read_series(path, "g2_zero"), read_series(path, "decay_ns")

    def column(name: str) -> np.ndarray:
        return read_series(path, name, error="g2_zero_plus").value

    names = [line.split(",")[1] for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")][1:]
    own = column("zero_delay_ns")
    return Points(
        names=tuple(names),
        power_uW=g2.x,
        files=column("files").astype(int),
        bin_width_ns=column("bin_width_ns"),
        g2_zero=g2.value,
        g2_minus=g2.minus,
        g2_plus=g2.plus,
        decay_ns=decay.value,
        decay_minus_ns=decay.minus,
        decay_plus_ns=decay.plus,
        correlation=column("correlation"),
        side_area=column("side_area_counts"),
        background_per_ns=column("background_counts_per_ns"),
        zero_delay_ns=float(np.mean(own)),
        zero_delay_error_ns=float("nan"),
        own_zero_ns=own,
        own_zero_error_ns=np.full(own.size, np.nan),
        deviance=column("deviance"),
        bins=column("bins").astype(int),
        zero_delay_chi2=float("nan"),
        source=f"{path.name} of the study",
    )
