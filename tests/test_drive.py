"""Envelopes: Taylor series against direct evaluation, integrals against quadrature, power against height."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from qdot import InputError, drive

SHAPES = [
    drive.Gaussian(fwhm_ns=0.1, start_ns=0.2, detuning_ueV=20.0, chirp_per_ns2=150.0, phase_pi=0.3),
    drive.Sech(fwhm_ns=0.1, start_ns=0.2, detuning_ueV=-20.0, chirp_per_ns2=80.0),
    drive.Square(duration_ns=0.1, start_ns=0.2, detuning_ueV=20.0, chirp_per_ns2=150.0),
    drive.Measured(times_ns=(1.0, 1.02, 1.07, 1.1), intensity=(0.0, 3.0, 2.0, 0.5), start_ns=0.2, detuning_ueV=15.0),
]


def field(p: drive.Pulse, t: float) -> complex:
    """The envelope from its definition."""
    u = t - p.start_ns - p.length_ns / 2
    if isinstance(p, drive.Gaussian):
        sigma = p.fwhm_ns / (2 * math.sqrt(math.log(2)))
        shape = math.exp(-u * u / (2 * sigma**2))
    elif isinstance(p, drive.Sech):
        shape = 1 / math.cosh(u * 2 * math.acosh(math.sqrt(2)) / p.fwhm_ns)
    elif isinstance(p, drive.Measured):
        shape = float(np.interp(t - p.start_ns, np.array(p.times_ns) - p.times_ns[0], np.sqrt(np.array(p.intensity) / max(p.intensity))))
    else:
        shape = 1.0
    detuning = p.detuning_ueV / 0.6582119569
    return shape * np.exp(-1j * (detuning * t + p.chirp_per_ns2 * u * u / 2 + math.pi * p.phase_pi))


@pytest.mark.parametrize("p", SHAPES, ids=lambda p: type(p).__name__)
def test_a_series_is_its_envelope_on_the_whole_step(p: drive.Pulse) -> None:
    breaks = p.start_ns + np.array(p.breaks_ns())
    for start, end in pairwise(breaks):
        h = min(p.longest_step_ns, end - start)
        for t in np.linspace(start, end - h, 5):
            for kind, power in (("field", 1), ("two_photon", 2)):
                c = p.series(kind, np.array([t - p.start_ns]), h, drive.DEGREE)[0]
                for s in (0.0, 0.37, 1.0):
                    expected = field(p, t + s * h)
                    assert np.polyval(c[::-1], s) == pytest.approx(expected**power, rel=1e-11, abs=1e-13)
            intensity = p.series("intensity", np.array([t - p.start_ns]), h, drive.DEGREE)[0]
            assert np.polyval(intensity[::-1], 0.6) == pytest.approx(abs(field(p, t + 0.6 * h)) ** 2, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("p", SHAPES, ids=lambda p: type(p).__name__)
def test_integrals_are_those_of_the_shape(p: drive.Pulse) -> None:
    points = sorted([*(p.start_ns + np.array(p.breaks_ns())), p.start_ns + p.length_ns / 2])
    area = sum(quad(lambda t: abs(field(p, t)), a, b, epsabs=1e-14)[0] for a, b in pairwise(points))
    energy = sum(quad(lambda t: abs(field(p, t)) ** 2, a, b, epsabs=1e-14)[0] for a, b in pairwise(points))
    assert p.field_integral_ns == pytest.approx(area, rel=1e-10)
    assert p.intensity_integral_ns == pytest.approx(energy, rel=1e-10)


@pytest.mark.parametrize("kind", [drive.Gaussian, drive.Sech])
def test_fwhm_is_that_of_the_intensity(kind) -> None:
    p = kind(fwhm_ns=0.1)
    assert abs(field(p, p.start_ns + p.length_ns / 2 + 0.05)) ** 2 == pytest.approx(0.5, rel=1e-12)
    assert p.series("intensity", np.array([p.length_ns / 2 + 0.05]), 1e-3, 2)[0, 0] == pytest.approx(0.5, rel=1e-12)


def test_power_is_the_time_average() -> None:
    train = drive.Gaussian(power_uW=3.0, fwhm_ns=0.1, period_ns=12.5)
    single = drive.Gaussian(pulse_energy_fJ=37.5, fwhm_ns=0.1)
    assert train.peak_intensity * train.intensity_integral_ns / 12.5 == pytest.approx(3.0, rel=1e-14)
    assert single.peak_intensity == pytest.approx(train.peak_intensity, rel=1e-14)
    assert drive.Instant(power_uW=3.0, period_ns=12.5).dose == pytest.approx(37.5)
    assert train.peak_field(1.0, "field") ** 2 == pytest.approx(train.peak_field(1.0, "two_photon"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: drive.Gaussian(fwhm_ns=0.0), "fwhm_ns must be a finite number > 0"),
        (lambda: drive.Gaussian(fwhm_ns=0.1, power_uW=1.0), "pulse_energy_fJ"),
        (lambda: drive.Gaussian(fwhm_ns=0.1, power_uW=1.0, area_pi=1.0, period_ns=1.0), "at most one"),
        (lambda: drive.Gaussian(fwhm_ns=0.1, start_ns=-1.0), "start_ns"),
        (lambda: drive.Gaussian(fwhm_ns=0.1, start_ns=3.0, period_ns=2.0), "period_ns"),
        (lambda: drive.Instant(), "dose_ns"),
        (lambda: drive.Instant(dose_ns=math.inf), "dose_ns"),
        (lambda: drive.CW(power_uW=-1.0), "power_uW"),
        (lambda: drive.Measured(times_ns=(0.0, 0.0), intensity=(1.0, 1.0)), "increasing"),
        (lambda: drive.Measured(times_ns=(0.0, 1.0), intensity=(0.0, -1.0)), "intensity"),
        (lambda: drive.sequence([]), "at least one"),
    ],
)
def test_bad_drives_are_told(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
