"""What drives a source: continuous or pulsed envelopes, single, in sequence or as a train, and how power sets their height.

An envelope has an intensity I(t) and a complex field e(t) = root(I) exp(-i phase), phase = detuning t + chirp (t - centre)^2 / 2 + pi phase_pi,
with t counted from the start of the period. Jumps are driven by I, couplings by e (one photon) or I exp(-2 i phase) (two photons).
Power is what the power meter reads, the time average in uW: a train has I(t) = power * period * f(t) / integral f, a single pulse
I(t) = pulse_energy_fJ * f(t) / integral f (1 uW ns = 1 fJ), f the shape peaked at 1. Without power, energy or area the envelope peaks at 1.
Every envelope is given to the solver as Taylor series on short steps, so that none can be stepped over.
It does not know levels or rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from qdot.errors import bad, number
from qdot.units import HBAR_UEV_NS

Kind = Literal["intensity", "field", "two_photon"]
DEGREE = 32
"""Degree of the polynomials that stand for an envelope, one on each piece of time."""
GAUSSIAN_HALF_WIDTH = 8.0
"""A Gaussian pulse is taken from -8 to +8 sigma around its centre; beyond, its field is below 1.3e-14 of the peak."""
SECH_HALF_WIDTH = 36.0
"""A sech pulse is taken from -36 to +36 widths; beyond, its field is below 5e-16 of the peak."""


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What every drive has: the name by which a model refers to it, power, detuning (laser minus frame) and phase."""

    power_uW: float | None = None
    detuning_ueV: float = 0.0
    phase_pi: float = 0.0
    name: str = "laser"

    def __post_init__(self) -> None:
        who = f"drive {self.name!r}"
        if self.power_uW is not None:
            number(f"{who} power_uW", self.power_uW, low=0.0, unit="uW")
        number(f"{who} detuning_ueV", self.detuning_ueV, unit="ueV")
        number(f"{who} phase_pi", self.phase_pi)

    @property
    def detuning_per_ns(self) -> float:
        """Detuning as an angular frequency, rad/ns."""
        return self.detuning_ueV / HBAR_UEV_NS


@dataclass(frozen=True, kw_only=True)
class CW(Drive):
    """Continuous light of constant power; its intensity is power_uW (1 where no power is given)."""

    @property
    def peak_intensity(self) -> float:
        """Intensity in uW, or 1."""
        return 1.0 if self.power_uW is None else self.power_uW


@dataclass(frozen=True, kw_only=True)
class Pulse(Drive):
    """A pulse, alone or repeated every period_ns. At most one of power_uW, pulse_energy_fJ and area_pi sets its height.

    area_pi: pulse area (integral of the Rabi frequency, in units of pi) of the model's first-listed coupling to this drive;
    the drive's intensity then still peaks at 1. start_ns: when it begins, counted from the start of the period.
    """

    pulse_energy_fJ: float | None = None
    area_pi: float | None = None
    start_ns: float = 0.0
    period_ns: float | None = None
    chirp_per_ns2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        who = f"drive {self.name!r}"
        heights = {k: v for k, v in (("power_uW", self.power_uW), ("pulse_energy_fJ", self.pulse_energy_fJ), ("area_pi", self.area_pi)) if v is not None}
        if len(heights) > 1:
            raise bad(f"{who}", "have at most one of power_uW, pulse_energy_fJ and area_pi", ", ".join(heights), "remove all but one")
        if self.pulse_energy_fJ is not None:
            number(f"{who} pulse_energy_fJ", self.pulse_energy_fJ, low=0.0, unit="fJ")
        if self.area_pi is not None:
            number(f"{who} area_pi", self.area_pi, low=0.0)
        number(f"{who} start_ns", self.start_ns, low=0.0, unit="ns")
        number(f"{who} chirp_per_ns2", self.chirp_per_ns2, unit="1/ns^2")
        if self.period_ns is not None:
            number(f"{who} period_ns", self.period_ns, low=0.0, open_low=True, unit="ns")
            if self.start_ns >= self.period_ns:
                raise bad(f"{who} start_ns", f"be < period_ns = {self.period_ns:g} ns", self.start_ns, "count it from the start of the period")
        if self.power_uW is not None and self.period_ns is None:
            raise bad(f"{who} power_uW", "come with period_ns (power is the time average of a train)", "no period", "give pulse_energy_fJ for a single pulse")

    @property
    def energy(self) -> float | None:
        """Energy of one pulse in fJ (uW ns), None where the height is not set by power."""
        if self.power_uW is not None and self.period_ns is not None:
            return self.power_uW * self.period_ns
        return self.pulse_energy_fJ

    @property
    def peak_intensity(self) -> float:
        """Largest intensity, in uW where power or energy is given, else 1."""
        return 1.0 if self.energy is None else self.energy / self.intensity_integral_ns

    def peak_field(self, rabi_per_ns: float, kind: Kind) -> float:
        """Factor in front of the shape of the field (kind "field") or of the two-photon envelope.

        rabi_per_ns: Rabi frequency of the first-listed coupling at unit envelope; used where area_pi sets the height.
        """
        if self.area_pi is None:
            return math.sqrt(self.peak_intensity) if kind == "field" else self.peak_intensity
        if rabi_per_ns <= 0.0:
            raise bad(f"drive {self.name!r} area_pi", "belong to a drive with a coupling", "a drive that couples no levels", "remove area_pi or add a coupling")
        integral = self.field_integral_ns if kind == "field" else self.intensity_integral_ns
        return self.area_pi * math.pi / (rabi_per_ns * integral)

    # What a shape must say of itself; the final classes below do.
    @property
    def intensity_integral_ns(self) -> float:
        """Integral of the intensity shape (peak 1) over time."""
        raise TypeError(f"{type(self).__name__} is abstract")

    @property
    def field_integral_ns(self) -> float:
        """Integral of the field shape (peak 1) over time."""
        raise TypeError(f"{type(self).__name__} is abstract")

    @property
    def length_ns(self) -> float:
        """How long the pulse lasts, from start_ns on."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def breaks_ns(self) -> tuple[float, ...]:
        """Times after start_ns between which the envelope is one analytic function, from first to last light."""
        return (0.0, self.length_ns)

    @property
    def feature_ns(self) -> float:
        """Longest piece of time on which a Taylor polynomial of degree DEGREE is the shape to round-off."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def shape_series(self, kind: Kind, t_ns: np.ndarray, h_ns: float, order: int) -> np.ndarray:
        """(n, order+1) real Taylor coefficients in s of the shape's intensity or field at t_ns (n,) + s h_ns after start_ns, peak 1."""
        raise TypeError(f"{type(self).__name__} is abstract")

    @property
    def is_constant(self) -> bool:
        """True if intensity and field are constant from start to end."""
        return False

    @property
    def longest_step_ns(self) -> float:
        """Longest step on which the series of the envelope converge fast: a fraction of the shape's feature and of a turn of its phase."""
        turning = abs(self.detuning_per_ns) + 0.5 * abs(self.chirp_per_ns2) * self.length_ns
        return min(self.feature_ns, 1.0 / turning) if turning > 0 else self.feature_ns

    def series(self, kind: Kind, t_ns: np.ndarray, h_ns: float, order: int) -> np.ndarray:
        """(n, order+1) Taylor coefficients in s of the envelope at t_ns (n,) + s h_ns, peak 1; complex unless kind is "intensity".

        t_ns counts from start_ns, so that a late pulse keeps all its digits.
        """
        if kind == "intensity":
            return self.shape_series("intensity", t_ns, h_ns, order)
        turns = 1.0 if kind == "field" else 2.0
        shape = self.shape_series("field" if kind == "field" else "intensity", t_ns, h_ns, order)
        if self.detuning_ueV == 0.0 and self.chirp_per_ns2 == 0.0:
            return shape * np.exp(-1j * turns * math.pi * self.phase_pi)
        u = t_ns - self.length_ns / 2
        phase = self.detuning_per_ns * (self.start_ns + t_ns) + 0.5 * self.chirp_per_ns2 * u * u + math.pi * self.phase_pi
        slope = -1j * turns * (self.detuning_per_ns + self.chirp_per_ns2 * u) * h_ns
        curvature = -1j * turns * self.chirp_per_ns2 * h_ns * h_ns
        return series_product(shape, exponential_series(np.exp(-1j * turns * phase), slope, curvature, order))


def exponential_series(value: np.ndarray, slope: np.ndarray, curvature: complex, order: int) -> np.ndarray:
    """(n, order+1) Taylor coefficients in s of value * exp(slope s + curvature s^2 / 2), value and slope (n,).

    >>> exponential_series(np.ones(1), np.ones(1), 0.0, 3).real * np.array([1, 1, 2, 6])
    array([[1., 1., 1., 1.]])
    """
    c = np.zeros((value.size, order + 1), dtype=np.result_type(value, slope, curvature))
    c[:, 0] = value
    c[:, 1:2] = (slope * value)[:, None]
    for k in range(1, order):
        c[:, k + 1] = (slope * c[:, k] + curvature * c[:, k - 1]) / (k + 1)
    return c


def series_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, order+1) of the product of two functions with series (n, order+1)."""
    product = np.zeros(a.shape, dtype=np.result_type(a, b))
    for k in range(a.shape[1]):
        product[:, k:] += a[:, k, None] * b[:, : a.shape[1] - k]
    return product


@dataclass(frozen=True, kw_only=True)
class Square(Pulse):
    """Constant from start_ns for duration_ns."""

    duration_ns: float

    def __post_init__(self) -> None:
        super().__post_init__()
        number(f"drive {self.name!r} duration_ns", self.duration_ns, low=0.0, open_low=True, unit="ns")

    @property
    def intensity_integral_ns(self) -> float:
        return self.duration_ns

    @property
    def field_integral_ns(self) -> float:
        return self.duration_ns

    @property
    def length_ns(self) -> float:
        return self.duration_ns

    @property
    def feature_ns(self) -> float:
        return self.duration_ns

    @property
    def is_constant(self) -> bool:
        return self.detuning_ueV == 0.0 and self.chirp_per_ns2 == 0.0

    def shape_series(self, kind: Kind, t_ns: np.ndarray, h_ns: float, order: int) -> np.ndarray:
        return np.repeat(np.eye(1, order + 1), t_ns.size, axis=0)


@dataclass(frozen=True, kw_only=True)
class Gaussian(Pulse):
    """Intensity exp(-t^2/sigma^2), field exp(-t^2/(2 sigma^2)); fwhm_ns = 2 sigma root(ln 2) is the width of the intensity.

    It begins at start_ns and is centred 8 sigma later.
    """

    fwhm_ns: float

    def __post_init__(self) -> None:
        super().__post_init__()
        number(f"drive {self.name!r} fwhm_ns", self.fwhm_ns, low=0.0, open_low=True, unit="ns")

    @property
    def sigma_ns(self) -> float:
        """Standard deviation of the Rabi envelope."""
        return self.fwhm_ns / (2.0 * math.sqrt(math.log(2.0)))

    @property
    def intensity_integral_ns(self) -> float:
        return self.sigma_ns * math.sqrt(math.pi)

    @property
    def field_integral_ns(self) -> float:
        return self.sigma_ns * math.sqrt(2.0 * math.pi)

    @property
    def length_ns(self) -> float:
        return 2.0 * GAUSSIAN_HALF_WIDTH * self.sigma_ns

    @property
    def feature_ns(self) -> float:
        return self.sigma_ns / 4.0

    def shape_series(self, kind: Kind, t_ns: np.ndarray, h_ns: float, order: int) -> np.ndarray:
        power = 2.0 if kind == "intensity" else 1.0
        u, h = (t_ns - self.length_ns / 2) / self.sigma_ns, h_ns / self.sigma_ns
        return exponential_series(np.exp(-0.5 * power * u * u), -power * u * h, -power * h * h, order)


@dataclass(frozen=True, kw_only=True)
class Sech(Pulse):
    """Field sech(t/w), intensity sech^2(t/w); fwhm_ns = 2 w arcosh(root 2) is the width of the intensity."""

    fwhm_ns: float

    def __post_init__(self) -> None:
        super().__post_init__()
        number(f"drive {self.name!r} fwhm_ns", self.fwhm_ns, low=0.0, open_low=True, unit="ns")

    @property
    def width_ns(self) -> float:
        """w of sech(t/w)."""
        return self.fwhm_ns / (2.0 * math.acosh(math.sqrt(2.0)))

    @property
    def intensity_integral_ns(self) -> float:
        return 2.0 * self.width_ns

    @property
    def field_integral_ns(self) -> float:
        return math.pi * self.width_ns

    @property
    def length_ns(self) -> float:
        return 2.0 * SECH_HALF_WIDTH * self.width_ns

    @property
    def feature_ns(self) -> float:
        return self.width_ns / 4.0  # the nearest pole lies pi/2 widths away

    def shape_series(self, kind: Kind, t_ns: np.ndarray, h_ns: float, order: int) -> np.ndarray:
        u, h = (t_ns - self.length_ns / 2) / self.width_ns, h_ns / self.width_ns
        y, tanh = np.zeros((2, t_ns.size, order + 1))
        y[:, 0], tanh[:, 0] = 1.0 / np.cosh(u), np.tanh(u)
        for k in range(order):  # y' = -y tanh, tanh' = y^2
            y[:, k + 1] = -h * (y[:, : k + 1] * tanh[:, k::-1]).sum(axis=1) / (k + 1)
            tanh[:, k + 1] = h * (y[:, : k + 1] * y[:, k::-1]).sum(axis=1) / (k + 1)
        return y if kind == "field" else series_product(y, y)


@dataclass(frozen=True, kw_only=True)
class Instant(Pulse):
    """Everything at one moment, start_ns: a jump acts as exp(D dose), a coupling as a rotation by its area.

    dose_ns: integral of the intensity, for jumps (with power or energy given, that is the pulse energy in uW ns).
    """

    dose_ns: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        who = f"drive {self.name!r}"
        if self.dose_ns is not None:
            number(f"{who} dose_ns", self.dose_ns, low=0.0, unit="ns")
            if self.energy is not None:
                raise bad(f"{who}", "have one of dose_ns, power_uW and pulse_energy_fJ", "two of them", "remove one")
        elif self.energy is None and self.area_pi is None:
            raise bad(f"{who}", "have dose_ns (for jumps) or area_pi (for couplings)", "neither", "add the one it needs")

    @property
    def dose(self) -> float:
        """Integral of the intensity: ns for a shape peaked at 1, uW ns with power or energy; 0 where only area_pi is given."""
        return self.dose_ns if self.dose_ns is not None else (self.energy or 0.0)

    @property
    def intensity_integral_ns(self) -> float:
        return 1.0

    @property
    def field_integral_ns(self) -> float:
        return 1.0

    @property
    def length_ns(self) -> float:
        return 0.0

    @property
    def feature_ns(self) -> float:
        return math.inf


@dataclass(frozen=True, kw_only=True)
class Measured(Pulse):
    """A sampled pulse: times_ns increasing from any origin (the first sample falls on start_ns) and intensity >= 0 in any unit.

    The field, root of the intensity, is joined by straight lines and scaled to peak at 1.
    """

    times_ns: tuple[float, ...]
    intensity: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        who = f"drive {self.name!r}"
        t, y = np.asarray(self.times_ns, dtype=float), np.asarray(self.intensity, dtype=float)
        if t.ndim != 1 or t.shape != y.shape or t.size < 2:
            raise bad(f"{who} intensity", "be as long as times_ns, at least 2 samples", f"{y.shape} and {t.shape}")
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) <= 0):
            raise bad(f"{who} times_ns", "be finite and strictly increasing", "other values", "sort the samples and remove repeats")
        if not np.all(np.isfinite(y)) or np.any(y < 0) or not np.any(y > 0):
            raise bad(f"{who} intensity", "be finite, >= 0 and not all zero", "other values", "subtract the background first")
        object.__setattr__(self, "times_ns", tuple(float(v) for v in t))
        object.__setattr__(self, "intensity", tuple(float(v) for v in y))

    def _field(self) -> np.ndarray:
        y = np.sqrt(np.asarray(self.intensity))
        return y / y.max()

    @property
    def intensity_integral_ns(self) -> float:
        f, dt = self._field(), np.diff(self.times_ns)
        return float(np.sum(dt * (f[1:] ** 2 + f[1:] * f[:-1] + f[:-1] ** 2) / 3))

    @property
    def field_integral_ns(self) -> float:
        return float(np.trapezoid(self._field(), self.times_ns))

    @property
    def length_ns(self) -> float:
        return self.times_ns[-1] - self.times_ns[0]

    @property
    def feature_ns(self) -> float:
        return math.inf

    def breaks_ns(self) -> tuple[float, ...]:
        return tuple(t - self.times_ns[0] for t in self.times_ns)

    def shape_series(self, kind: Kind, t_ns: np.ndarray, h_ns: float, order: int) -> np.ndarray:
        knots, f = np.asarray(self.breaks_ns()), self._field()
        i = np.clip(np.searchsorted(knots, t_ns + 0.5 * h_ns) - 1, 0, knots.size - 2)
        slope = (f[i + 1] - f[i]) / (knots[i + 1] - knots[i])
        line = np.zeros((t_ns.size, order + 1))
        line[:, 0], line[:, 1] = f[i] + slope * (t_ns - knots[i]), slope * h_ns
        return line if kind == "field" else series_product(line, line)


def sequence(pulses: Sequence[Pulse], period_ns: float | None = None) -> tuple[Pulse, ...]:
    """Several pulses of one drive, for example two per period; each keeps its own height and start.

    period_ns: the period given to all of them (power_uW of each is then its own time average).
    """
    if not pulses:
        raise bad("drive.sequence pulses", "hold at least one pulse", "none")
    return tuple(replace(p, period_ns=period_ns) if period_ns is not None else p for p in pulses)
