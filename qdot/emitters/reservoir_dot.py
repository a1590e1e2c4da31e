"""A dot fed from a reservoir: a pulse leaves Poisson-distributed pairs, which the dot captures one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qdot.emitters.base import INFINITE, LASER, PAIR, Emitter, parameter
from qdot.model import Jump, Model


@dataclass(frozen=True, kw_only=True)
class ReservoirDot(Emitter):
    """States "Rk,m": k pairs in the reservoir, m = 0, 1 or 2 in the dot; lines "XX" (m 2 -> 1) and "X" (m 1 -> 0), counted separately.

    Every reservoir pair finds the dot by itself, so the dot captures at k times `capture_per_ns`. An `Instant` drive adds a Poisson number of
    pairs of mean pairs_per_fJ * energy; whatever would exceed max_pairs stays at max_pairs, see `truncated_weight`.
    """

    lifetime_XX_ns: float = parameter(0.5, "ns", 0, INFINITE, "lifetime of XX, which emits an XX photon", "assumed, half that of X", above=True)
    lifetime_X_ns: float = parameter(1.0, "ns", 0, INFINITE, "radiative lifetime of X", "typical of InGaAs dots", above=True)
    capture_per_ns: float = parameter(10.0, "1/ns", 0, INFINITE, "capture rate of each reservoir pair by an empty dot", "assumed")
    second_capture: float = parameter(1.0, "", 0, INFINITE, "capture rate by a dot that holds one pair, relative to an empty one", "assumed")
    reservoir_decay_per_ns: float = parameter(1.0, "1/ns", 0, INFINITE, "loss rate of each reservoir pair", "assumed")
    pairs_per_fJ: float = parameter(1.0, "1/fJ", 0, INFINITE, "mean number of pairs that a pulse leaves, per fJ", "assumed")
    max_pairs: int = parameter(12, "", 1, 200, "largest number of pairs in the reservoir")

    def model(self) -> Model:
        """Levels and jumps of the emitter."""
        jumps: list[Jump] = []
        for k in range(self.max_pairs + 1):
            for m in range(3):
                here = f"R{k},{m}"
                if k < self.max_pairs:
                    jumps.append(Jump.of(here, f"R{k + 1},{m}", self.pairs_per_fJ, drive=LASER))
                if k > 0:
                    jumps.append(Jump.of(here, f"R{k - 1},{m}", k * self.reservoir_decay_per_ns))
                    if m < 2:
                        jumps.append(Jump.of(here, f"R{k - 1},{m + 1}", k * self.capture_per_ns * (self.second_capture if m else 1.0)))
            jumps += [
                Jump.of(f"R{k},2", f"R{k},1", 1 / self.lifetime_XX_ns, photon="XX"),
                Jump.of(f"R{k},1", f"R{k},0", 1 / self.lifetime_X_ns, photon="X"),
            ]
        levels = tuple(f"R{k},{m}" for k in range(self.max_pairs + 1) for m in range(3))
        return Model(levels, "R0,0", {}, tuple(j for j in jumps if j.rates_per_ns[0] > 0), groups=PAIR)

    def truncated_weight(self, pulse_energy_fJ: float) -> float:
        """Probability that a pulse of this energy leaves more pairs than max_pairs in an empty reservoir: the size of the truncation error."""
        from scipy.special import pdtrc

        return float(pdtrc(self.max_pairs, self.pairs_per_fJ * pulse_energy_fJ))

    def finer(self) -> ReservoirDot:
        """The same source with room for a quarter more pairs."""
        return replace(self, max_pairs=self.max_pairs + max(1, self.max_pairs // 4))
