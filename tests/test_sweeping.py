"""Sweeps: the same numbers as one experiment at a time, whatever road they take; labelled; and told where a point has no answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

import qdot
from qdot import InputError, drive
from qdot.model import Coupling, Jump, Model

DOT = qdot.emitters.DarkLoadedCascade(bright_pump_ratio=0.3, selectivity=0.8)
CW = qdot.Experiment(DOT, drive.CW(), collection={"pair": 0.4})
OVER = {"drive.power_uW": np.geomspace(1e-3, 50.0, 5), "source.spin_flip_per_ns": [0.0, 1e-5, 1e-3]}
TAU = [-3.0, 0.0, 0.2, 1e3]


def test_a_stack_gives_the_numbers_of_each_experiment_alone_and_in_the_order_of_its_axes() -> None:
    found = qdot.sweep(
        CW, OVER, g2=("g2", TAU, "XX", "X"), zero=("g2_zero", "pair"), flux=("flux_per_ns", "pair"), share=("pair_flux_fraction",), levels="populations"
    )
    for i, power in enumerate(OVER["drive.power_uW"]):
        for k, flip in enumerate(OVER["source.spin_flip_per_ns"]):
            one = CW.replace({"drive.power_uW": float(power), "source.spin_flip_per_ns": flip})
            np.testing.assert_allclose(found["g2"][i, k], one.g2(TAU, "XX", "X"), rtol=1e-12)
            np.testing.assert_allclose(found["zero"][i, k], one.g2_zero("pair"), rtol=1e-12)
            np.testing.assert_allclose(found["flux"][i, k], one.flux_per_ns("pair"), rtol=1e-12)
            np.testing.assert_allclose(found["share"][i, k], one.pair_flux_fraction(), rtol=1e-12)
            np.testing.assert_allclose(found["levels"][i, k], list(one.populations().values()), rtol=1e-12)
    turned = qdot.sweep(CW, dict(reversed(OVER.items())), zero=("g2_zero", "pair"))
    np.testing.assert_array_equal(turned["zero"].shape, (3, 5))
    np.testing.assert_allclose(turned["zero"].T, found["zero"], rtol=1e-12)
    assert all(np.all(b < 1e-11) and b.shape == (5, 3) for b in found.error_bounds.values())


def test_what_cannot_be_stacked_is_calculated_point_by_point_with_the_same_meaning() -> None:
    train = CW.replace(drive=drive.Gaussian(power_uW=1.0, fwhm_ns=0.02, period_ns=12.5))
    over = {"drive.power_uW": [1.0, 4.0]}
    asked = {
        "numbers": ("photon_numbers.probabilities", "pair", 3),
        "efficiency": ("photon_numbers.pair_efficiency", "pair"),
        "flux": "flux_per_ns",
        "mine": lambda e: e.photon_numbers("X").mean_photons,
    }
    alone = qdot.sweep(train, over, **asked)
    with ThreadPoolExecutor(2) as pool:
        together = qdot.sweep(train, over, pool, **asked)
    expected = [train.replace({"drive.power_uW": p}).photon_numbers("pair", max=3) for p in over["drive.power_uW"]]
    np.testing.assert_allclose(alone["numbers"], [e.probabilities for e in expected], rtol=1e-12)
    np.testing.assert_allclose(alone["efficiency"], [e.pair_efficiency for e in expected], rtol=1e-12)
    assert alone["flux"].shape == (2, 2)
    assert alone.inner["flux"][0].values == ("XX", "X")
    for name in asked:
        np.testing.assert_array_equal(alone[name], together[name])
    assert np.all(alone.error_bounds["numbers"] < 1e-9)
    assert np.all(np.isnan(alone.error_bounds["mine"]))


def test_the_same_rates_in_the_lindblad_picture_give_the_same_sweep() -> None:
    over = {"drive.power_uW": [0.1, 3.0]}
    rates = qdot.sweep(CW, over, zero=("g2_zero", "pair"))["zero"]
    full = qdot.sweep(replace(CW, picture="lindblad"), over, zero=("g2_zero", "pair"))["zero"]
    np.testing.assert_allclose(full, rates, rtol=1e-9)


def test_coherent_sources_are_swept_too() -> None:
    dot = Model(("G", "X"), jumps=(Jump.of("X", "G", 1.0, "X"),), couplings=(Coupling(("G", "X"), 1.0, "laser"),))
    powers = np.array([0.04, 1.0, 25.0])
    found = qdot.sweep(qdot.Experiment(dot, drive.CW()), {"drive.power_uW": powers}, flux=("flux_per_ns", "X"))
    s = 2 * powers  # Omega^2 / (gamma^2 / 2): saturation of a resonantly driven two-level emitter
    np.testing.assert_allclose(found["flux"], s / (2 * (1 + s)), rtol=1e-12)


@dataclass(frozen=True)
class Odd:
    """A source whose transitions come and go with its parameter."""

    way_out: float = 1.0

    def model(self) -> Model:
        jumps = (Jump.of("G", "X", 1.0, drive="laser"), Jump.of("X", "G", 2.0, "X"), Jump.of("X", "D", 0.1), Jump.of("D", "G", self.way_out))
        return Model(("G", "X", "D"), jumps=jumps)


def test_a_point_without_an_answer_is_named() -> None:
    e = qdot.Experiment(Odd(), drive.CW())
    assert np.all(qdot.sweep(e, {"source.way_out": [1e-6, 1.0]}, flux=("flux_per_ns", "X"))["flux"] > 0)
    with pytest.raises(InputError, match=r"at source\.way_out = 0: label 'X' must emit light in the steady state"):
        qdot.sweep(e, {"source.way_out": [1.0, 0.0]}, zero=("g2_zero", "X"))


@pytest.mark.parametrize(
    ("over", "asked", "message"),
    [
        ({}, {"flux": ("flux_per_ns", "pair")}, "at least one parameter"),
        ({"drive.power_uW": [1.0]}, {}, "at least one parameter"),
        ({"drive.power_uW": []}, {"flux": "flux_per_ns"}, "list of finite numbers"),
        ({"drive.powr_uW": [1.0]}, {"flux": "flux_per_ns"}, "power_uW"),
        ({"drive.power_uW": [1.0]}, {"flux": "fluxx"}, "flux_per_ns"),
        ({"drive.power_uW": [1.0]}, {"p": ("photon_numbers.mean", "pair")}, "continuous drive|mean_photons"),
        ({"drive.power_uW": [-1.0]}, {"flux": ("flux_per_ns", "pair")}, ">= 0"),
    ],
)
def test_bad_sweeps_are_told(over, asked, message: str) -> None:
    with pytest.raises(InputError, match=message):
        qdot.sweep(CW, over, **asked)


def test_a_sweep_has_labels() -> None:
    xarray = pytest.importorskip("xarray")
    found = qdot.sweep(CW, OVER, g2=("g2", TAU, "pair"), levels="populations")
    data = found.to_xarray()
    assert isinstance(data, xarray.Dataset)
    assert data["g2"].dims == ("drive.power_uW", "source.spin_flip_per_ns", "g2.tau_ns")
    assert float(data["levels"].sel({"levels.level": "G"})[0, 1]) == found["levels"][0, 1, 0]
    assert "drive.power_uW (5) x source.spin_flip_per_ns (3)" in str(found)
    with pytest.raises(InputError, match="levels"):
        found["level"]
