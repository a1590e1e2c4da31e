"""NIST StRD nonlinear regression, higher difficulty: the same `fit` gives the certified values from both certified starts.

Source: NIST Statistical Reference Datasets, Nonlinear Regression (itl.nist.gov/div898/strd), public domain. Data, starts and certified values stand below;
the data are checked against the certified residual sum of squares, which no mistyped point survives. Points carry no errors, so that standard
errors are `FitResult.scaled_errors`: with the residual standard deviation, as NIST certifies them.

    python fits/validation/nist.py
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qdot.data import Series
from qdot.fitting import FitResult, fit


@dataclass(frozen=True, eq=False)
class Problem:
    """One reference data set. value, error: certified parameters and their standard deviations; rss: certified residual sum of squares."""

    name: str
    model: Callable[..., np.ndarray]
    x: np.ndarray
    y: np.ndarray
    starts: tuple[tuple[float, ...], tuple[float, ...]]
    value: tuple[float, ...]
    error: tuple[float, ...]
    rss: float

    def series(self) -> Series:
        """The data, each point with an error of 1."""
        one = np.ones(self.x.size)
        return Series(self.x, self.y, one, one, "x", "y", f"NIST StRD {self.name}")

    def fitted(self, start: int, positive: bool = True) -> FitResult:
        """The fit from one of the two certified starts; positive: every parameter is known to be > 0, as all of these are, and searched in its logarithm."""
        vary = {f"b{k}": (b, POSITIVE if positive else None, None) for k, b in enumerate(self.starts[start], start=1)}
        return fit(self.model, self.series(), vary, intervals=False)

    def digits(self, result: FitResult) -> tuple[float, float]:
        """Correct digits of the worst value and of the worst standard error."""
        found = [p.value for p in result.parameters.values()]
        return _digits(found, self.value), _digits(list(result.scaled_errors.values()), self.error)


def _digits(found: list[float], certified: tuple[float, ...]) -> float:
    return min(-math.log10(max(abs(f - c) / abs(c), 1e-11)) for f, c in zip(found, certified, strict=True))


POSITIVE = 1e-9
"""Lower bound of parameters that are known to be positive."""


def _numbers(text: str) -> np.ndarray:
    return np.array([float(v) for v in text.split()])


MGH09 = Problem(
    "MGH09",
    lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    _numbers("4.0 2.0 1.0 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625"),
    _numbers("1.957e-1 1.947e-1 1.735e-1 1.6e-1 8.44e-2 6.27e-2 4.56e-2 3.42e-2 3.23e-2 2.35e-2 2.46e-2"),
    ((25.0, 39.0, 41.5, 39.0), (0.25, 0.39, 0.415, 0.39)),
    (1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01),
    (1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02),
    3.0750560385e-04,
)

BOXBOD = Problem(
    "BoxBOD",
    lambda x, b1, b2: b1 * (1 - np.exp(-b2 * x)),
    _numbers("1 2 3 5 7 10"),
    _numbers("109 149 149 191 213 224"),
    ((1.0, 1.0), (100.0, 0.75)),
    (2.1380940889e02, 5.4723748542e-01),
    (1.2354515176e01, 1.0455993237e-01),
    1.1680088766e03,
)

RAT42 = Problem(
    "Rat42",
    lambda x, b1, b2, b3: b1 / (1 + np.exp(b2 - b3 * x)),
    _numbers("9 14 21 28 42 57 63 70 79"),
    _numbers("8.93 10.80 18.59 22.33 39.35 56.11 61.73 64.62 67.08"),
    ((100.0, 1.0, 0.1), (75.0, 2.5, 0.07)),
    (7.2462237576e01, 2.6180768402e00, 6.7359200066e-02),
    (1.7340283401e00, 8.8295217536e-02, 3.4465663377e-03),
    8.0565229338e00,
)

MGH10 = Problem(
    "MGH10",
    lambda x, b1, b2, b3: b1 * np.exp(b2 / (x + b3)),
    50.0 + 5.0 * np.arange(16),
    _numbers("34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872"),
    ((2.0, 400000.0, 25000.0), (0.02, 4000.0, 250.0)),
    (5.6096364710e-03, 6.1813463463e03, 3.4522363462e02),
    (1.5687892471e-04, 2.3309021107e01, 7.8486103508e-01),
    8.7945855171e01,
)

ECKERLE4 = Problem(
    "Eckerle4",
    lambda x, b1, b2, b3: b1 / b2 * np.exp(-0.5 * ((x - b3) / b2) ** 2),
    _numbers(
        "400 405 410 415 420 425 430 435 436.5 438 439.5 441 442.5 444 445.5 447 448.5 450 451.5 453 454.5 456 457.5 459 460.5 462 463.5 465 470 475 480 485"
        " 490 495 500"
    ),
    _numbers(
        "0.0001575 0.0001699 0.0002350 0.0003102 0.0004917 0.0008710 0.0017418 0.0046400 0.0065895 0.0097302 0.0149002 0.0237310 0.0401683 0.0712559 0.1264458"
        " 0.2073413 0.2902366 0.3445623 0.3698049 0.3668534 0.3106727 0.2078154 0.1164354 0.0616764 0.0337200 0.0194023 0.0117831 0.0074357 0.0022732 0.0008800"
        " 0.0004579 0.0002345 0.0001586 0.0001143 0.0000710"
    ),
    ((1.0, 10.0, 500.0), (1.5, 5.0, 450.0)),
    (1.5543827178e00, 4.0888321754e00, 4.5154121844e02),
    (1.5408051163e-02, 4.6803020753e-02, 4.6800518816e-02),
    1.4635887487e-03,
)

RAT43 = Problem(
    "Rat43",
    lambda x, b1, b2, b3, b4: b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4),
    np.arange(1.0, 16.0),
    _numbers("16.08 33.83 65.80 97.20 191.55 326.20 386.87 520.53 590.03 651.92 724.93 699.56 689.96 637.56 717.41"),
    ((100.0, 10.0, 1.0, 1.0), (700.0, 5.0, 0.75, 1.3)),
    (6.9964151270e02, 5.2771253025e00, 7.5962938329e-01, 1.2792483859e00),
    (1.6302297817e01, 2.0828735829e00, 1.9566123451e-01, 6.8761936385e-01),
    8.7864049080e03,
)

THURBER = Problem(
    "Thurber",
    lambda x, b1, b2, b3, b4, b5, b6, b7: (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3),
    _numbers(
        "-3.067 -2.981 -2.921 -2.912 -2.840 -2.797 -2.702 -2.699 -2.633 -2.481 -2.363 -2.322 -1.501 -1.460 -1.274 -1.212 -1.100 -1.046 -0.915 -0.714"
        " -0.566 -0.545 -0.400 -0.309 -0.109 -0.103 0.010 0.119 0.377 0.790 0.963 1.006 1.115 1.572 1.841 2.047 2.200"
    ),
    _numbers(
        "80.574 84.248 87.264 87.195 89.076 89.608 89.868 90.101 92.405 95.854 100.696 101.060 401.672 390.724 567.534 635.316 733.054 759.087 894.206"
        " 990.785 1090.109 1080.914 1122.643 1178.351 1260.531 1273.514 1288.339 1327.543 1353.863 1414.509 1425.208 1421.384 1442.962 1464.350 1468.705"
        " 1447.894 1457.628"
    ),
    ((1000.0, 1000.0, 400.0, 40.0, 0.7, 0.3, 0.03), (1300.0, 1500.0, 500.0, 75.0, 1.0, 0.4, 0.05)),
    (1.2881396800e03, 1.4910792535e03, 5.8323836877e02, 7.5416644291e01, 9.6629502864e-01, 3.9797285797e-01, 4.9727297349e-02),
    (4.6647963344e00, 3.9571156086e01, 2.8698696102e01, 5.5675370270e00, 3.1333340687e-02, 1.4984928198e-02, 6.5842344623e-03),
    5.6427082397e03,
)

PROBLEMS = (MGH09, BOXBOD, RAT42, MGH10, ECKERLE4, RAT43, THURBER)


def main() -> None:
    """Print the table of README.md."""
    print("| problem | start | bounds | converged | digits of the values | of the standard errors | of the sum of squares |\n|---|---|---|---|---|---|---|")
    for p in PROBLEMS:
        for start in (0, 1):
            for positive in (True, False):
                result = p.fitted(start, positive)
                values, errors = p.digits(result)
                found = f"{result.converged} | {values:.1f} | {errors:.1f} | {_digits([result.chi2], (p.rss,)):.1f}"
                print(f"| {p.name} | {start + 1} | {'> 0' if positive else 'none'} | {found} |")


if __name__ == "__main__":
    main()
