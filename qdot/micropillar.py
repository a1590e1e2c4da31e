"""A micropillar around a source: Purcell-enhanced rates where the cavity is fast, quantised modes where light acts back on the dot.

The cavity's field decays at kappa/2, photons leave at kappa = E / (hbar Q). A transition of free rate r (1/lifetime without the cavity) that is aligned
with a mode and lies Delta from it emits into the mode at F r / (1 + (2 Delta / kappa)^2) and elsewhere at side_emission r; with quantised modes
g = root(F r kappa) / 2, so that 4 g^2 / kappa = F r. The rate picture holds where F r is far below kappa.
Sources: Gerard et al., Phys. Rev. Lett. 81, 1110 (1998), for the Purcell factor; Reitzenstein, Forchel, J. Phys. D 43, 033001 (2010), for losses.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from qdot.errors import bad, number, unknown
from qdot.model import Cavity, Jump, Model
from qdot.units import HBAR_UEV_NS, HC_UEV_NM

FASTEST = 0.1
"""Largest ratio of the rate into the mode to kappa for which Purcell-enhanced rates are used without a warning."""
SIDE = "side"
"""The line of light that misses the mode."""


class RatePictureWarning(UserWarning):
    """Purcell-enhanced rates used where the cavity is not fast."""


@dataclass(frozen=True, kw_only=True)
class Micropillar:
    """A cavity of two orthogonal modes, H and V, by what is measured on it.

    quality_factor, wavelength_nm: of the mode. purcell_factor: largest Purcell factor of an aligned transition on resonance, or mode_volume in
    (wavelength / refractive_index)^3, from which F = 3 Q / (4 pi^2 V) follows; exactly one of the two.
    detuning_ueV: energy of the modes (mean of H and V) above the frame's energy of one excitation; hv_splitting_ueV: mode H minus mode V.
    side_emission: emission into everything but the mode over the free rate. side_leakage, bottom_loss: shares of kappa that leave through the side
    walls (and absorption) and through the bottom mirror. Raises InputError for numbers that make no sense.
    """

    quality_factor: float = 9350.0
    wavelength_nm: float = 900.0
    purcell_factor: float | None = None
    mode_volume: float | None = None
    detuning_ueV: float = 0.0
    hv_splitting_ueV: float = 0.0
    side_emission: float = 1.0
    side_leakage: float = 0.0
    bottom_loss: float = 0.0

    def __post_init__(self) -> None:
        for name, unit in (("quality_factor", ""), ("wavelength_nm", "nm")):
            number(f"Micropillar.{name}", getattr(self, name), low=0.0, open_low=True, unit=unit)
        if (self.purcell_factor is None) == (self.mode_volume is None):
            got = "neither" if self.purcell_factor is None else "both"
            raise bad("Micropillar", "have exactly one of purcell_factor and mode_volume", got, "give the one that was measured or simulated")
        for name in ("purcell_factor", "mode_volume"):
            if getattr(self, name) is not None:
                number(f"Micropillar.{name}", getattr(self, name), low=0.0, open_low=True)
        for name in ("detuning_ueV", "hv_splitting_ueV"):
            number(f"Micropillar.{name}", getattr(self, name), unit="ueV")
        number("Micropillar.side_emission", self.side_emission, low=0.0)
        for name in ("side_leakage", "bottom_loss"):
            number(f"Micropillar.{name}", getattr(self, name), low=0.0, high=1.0)
        lost = self.side_leakage + self.bottom_loss
        if lost > 1.0:
            raise bad("Micropillar.side_leakage + bottom_loss", "be at most 1, being shares of kappa", lost, "lower one of them")

    @property
    def kappa_ueV(self) -> float:
        """Full width of the mode, ueV."""
        return HC_UEV_NM / self.wavelength_nm / self.quality_factor

    @property
    def kappa_per_ns(self) -> float:
        """Rate at which photons leave, 1/ns."""
        return self.kappa_ueV / HBAR_UEV_NS

    @property
    def largest_purcell_factor(self) -> float:
        """F of an aligned transition on resonance.

        >>> round(Micropillar(quality_factor=10000, mode_volume=70.0).largest_purcell_factor, 3)
        10.856
        """
        return self.purcell_factor if self.purcell_factor is not None else 0.75 * self.quality_factor / (math.pi**2 * float(self.mode_volume or math.nan))

    @property
    def top_share(self) -> float:
        """Share of the mode's photons that leave through the top."""
        return 1.0 - self.side_leakage - self.bottom_loss

    def mode_energy_ueV(self, polarisation: str) -> float:
        """Energy of the mode of one polarisation ("H", "V", or "" for their mean) above the frame's energy of one excitation."""
        return self.detuning_ueV + {"H": 0.5, "V": -0.5}.get(polarisation, 0.0) * self.hv_splitting_ueV

    def purcell(self, detuning_ueV: float = 0.0) -> float:
        """Rate into the mode over the free rate, for a line detuned from its mode."""
        number("detuning_ueV", detuning_ueV, unit="ueV")
        return self.largest_purcell_factor / (1.0 + (2.0 * detuning_ueV / self.kappa_ueV) ** 2)

    def beta(self, detuning_ueV: float = 0.0) -> float:
        """Fraction of a detuned line's photons that are emitted into the mode."""
        into = self.purcell(detuning_ueV)
        return into / (into + self.side_emission)

    def extraction_efficiency(self, detuning_ueV: float = 0.0) -> float:
        """Fraction of a detuned line's photons that leave through the top."""
        return self.beta(detuning_ueV) * self.top_share

    def g_per_ns(self, lifetime_ns: float) -> float:
        """Coupling of a transition whose lifetime without the cavity is lifetime_ns, rad/ns."""
        number("lifetime_ns", lifetime_ns, low=0.0, open_low=True, unit="ns")
        return 0.5 * math.sqrt(self.largest_purcell_factor * self.kappa_per_ns / lifetime_ns)

    def adiabatic_ratio(self, lifetime_ns: float) -> float:
        """(4 g^2 / kappa) / kappa: rates are a good picture where it is far below 1."""
        return 4.0 * (self.g_per_ns(lifetime_ns) / self.kappa_per_ns) ** 2

    def report(self, lifetime_ns: float, detuning_ueV: float = 0.0) -> str:
        """Everything about one line, as a table."""
        rows = {
            "kappa": f"{self.kappa_ueV:.5g} ueV, {self.kappa_per_ns:.5g} per ns",
            "g": f"{self.g_per_ns(lifetime_ns):.5g} rad/ns",
            "Purcell factor": f"{self.purcell(detuning_ueV):.5g} (on resonance {self.largest_purcell_factor:.5g})",
            "beta": f"{self.beta(detuning_ueV):.5g}",
            "extraction efficiency": f"{self.extraction_efficiency(detuning_ueV):.5g}",
            "adiabatic ratio": f"{self.adiabatic_ratio(lifetime_ns):.5g}" + ("" if self.adiabatic_ratio(lifetime_ns) <= FASTEST else ": use quantised modes"),
        }
        return "\n".join(f"{name:<22} {value}" for name, value in rows.items())

    # -------------------------------------------------------------------------------------------------------------- sources

    def with_rates(self, model: Model, lines: Sequence[str] | None = None) -> Model:
        """The model with Purcell-enhanced rates: light of the lines (default: all) goes into the mode, the rest into the line "side".

        Each transition is enhanced by its own energy and polarisation. Warns where the cavity is not fast enough for rates.
        """
        jumps: list[Jump] = []
        fastest = 0.0
        for j in model.jumps:
            if not self._meets(j, self._lines(model, lines)):
                jumps.append(j)  # type: ignore[arg-type]
                continue
            assert isinstance(j, Jump)
            factors = [self.purcell(_energy(model, t) - self.mode_energy_ueV(j.polarisation)) for t in j.transitions]
            into = tuple(r * f for r, f in zip(j.rates_per_ns, factors, strict=True))
            fastest = max(fastest, *into)
            jumps.append(replace(j, rates_per_ns=into))
            jumps += self._side(j)
        if fastest > FASTEST * self.kappa_per_ns:
            share = fastest / self.kappa_per_ns
            text = f"the rate into the mode, {fastest:.3g} per ns, is {share:.2g} of kappa: light acts back on the dot; use quantised modes"
            warnings.warn(text, RatePictureWarning, stacklevel=2)
        return replace(model, jumps=tuple(jumps))

    def with_modes(self, model: Model, lines: Sequence[str] | None = None, fock: int = 3, photon: str = "mode") -> Model:
        """The model with one quantised mode for each polarisation of the lines (default: all): their photons leave as the line `photon`.

        fock: number states 0 .. fock-1. Transitions of one polarisation share a mode, whatever line they belonged to. Raises InputError if a line that
        does not meet the cavity is called like the mode's.
        """
        chosen = self._lines(model, lines)
        if photon in set(model.lines) - set(chosen):
            raise bad("the line of the mode", "have a name of its own", repr(photon), "rename the source's line, or let it meet the cavity")
        jumps: list[Any] = []
        couplings: dict[str, dict[tuple[str, str], float]] = {}
        for j in model.jumps:
            if not self._meets(j, chosen):
                jumps.append(j)
                continue
            assert isinstance(j, Jump)
            for t, rate in zip(j.transitions, j.rates_per_ns, strict=True):
                mine = couplings.setdefault(j.polarisation, {})
                mine[t] = math.hypot(mine.get(t, 0.0), 0.5 * math.sqrt(self.largest_purcell_factor * rate * self.kappa_per_ns))
            jumps += self._side(j)
        cavities = tuple(
            Cavity(p or "mode", fock, self.kappa_per_ns, tuple(g.values()), tuple(g), self.mode_energy_ueV(p), photon, p) for p, g in couplings.items()
        )
        kept = {j.photon for j in jumps} | {photon}
        groups = {name: members for name, members in model.groups.items() if set(members) <= kept and name != photon}
        return replace(model, jumps=tuple(jumps), cavities=(*model.cavities, *cavities), groups=groups)

    def _side(self, j: Jump) -> list[Jump]:
        """What a transition emits elsewhere."""
        if self.side_emission == 0.0:
            return []
        return [Jump.of(*t, self.side_emission * r, SIDE, j.polarisation) for t, r in zip(j.transitions, j.rates_per_ns, strict=True)]

    @staticmethod
    def _lines(model: Model, lines: Sequence[str] | None) -> tuple[str, ...]:
        for line in lines or ():
            if line not in model.lines:
                raise unknown("lines (of the source)", line, model.lines)
        return model.lines if lines is None else tuple(lines)

    @staticmethod
    def _meets(j: Any, lines: Sequence[str]) -> bool:
        if j.photon not in lines or j.drive is not None:
            return False
        if not isinstance(j, Jump):
            raise bad("a source in a micropillar", "have jumps between levels", "a jump operator given as a matrix", "write it with transitions and rates")
        return True


def _energy(model: Model, transition: tuple[str, str]) -> float:
    """Energy of a transition's photon above the frame, ueV."""
    start, to = transition
    return model.energies_ueV.get(start, 0.0) - model.energies_ueV.get(to, 0.0)


@dataclass(frozen=True, kw_only=True)
class InMicropillar:
    """An emitter in a micropillar, as a source of experiments; lifetimes of the emitter are those without the cavity.

    source: an emitter or a Model. light: "rates" (Purcell-enhanced) or "modes" (quantised, one for each polarisation). fock: number states of each
    mode; None: as many as the tolerance of the experiment asks for. lines: those that meet the cavity, None for all. start: a level instead of the
    emitter's own.
    """

    source: Any
    pillar: Micropillar
    light: Literal["rates", "modes"] = "modes"
    fock: int | None = None
    lines: tuple[str, ...] | None = None
    start: str | None = None

    def __post_init__(self) -> None:
        if self.light not in ("rates", "modes"):
            raise unknown("InMicropillar.light", self.light, ["rates", "modes"])
        if not isinstance(self.source, Model) and not callable(getattr(self.source, "model", None)):
            raise bad("InMicropillar.source", "be an emitter or a Model", type(self.source).__name__, "see `qdot emitters`")
        if not isinstance(self.pillar, Micropillar):
            raise bad("InMicropillar.pillar", "be a Micropillar", type(self.pillar).__name__)

    @property
    def asks_for_fock(self) -> bool:
        """True if whoever calculates has to choose the number of number states."""
        return self.light == "modes" and self.fock is None

    def model(self) -> Model:
        """The emitter's model with the cavity; fewest number states where they are left open."""
        model = self.source if isinstance(self.source, Model) else self.source.model()
        if self.start is not None:
            model = replace(model, start=self.start)
        if self.light == "rates":
            return self.pillar.with_rates(model, self.lines)
        return self.pillar.with_modes(model, self.lines, 2 if self.fock is None else self.fock)
