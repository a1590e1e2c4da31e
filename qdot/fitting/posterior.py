"""Samples of the posterior with emcee: prior flat within the bounds of each parameter, times the priors of the fit.

emcee is loaded when it is used. Where neither data nor bounds limit a parameter there is no such posterior, and the samples wander: see the
autocorrelation, and bound the parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qdot.errors import InputError, bad, unknown

if TYPE_CHECKING:
    from qdot.fitting.result import FitResult

BURN = 0.3
"""Share of the steps that are thrown away at the start."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples (n, p) of the parameters in the order of names. acceptance: share of steps taken; autocorrelation: (p,) steps, nan where too few."""

    names: tuple[str, ...]
    samples: np.ndarray
    acceptance: float
    autocorrelation: np.ndarray

    def interval(self, name: str, share: float = 0.6827) -> tuple[float, float]:
        """Central interval that holds this share of the samples."""
        if name not in self.names:
            raise unknown("posterior parameter", name, self.names)
        low, high = np.quantile(self.samples[:, self.names.index(name)], [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)

    def __str__(self) -> str:
        lines = [f"{len(self.samples)} samples, acceptance {self.acceptance:.2f}"]
        for k, name in enumerate(self.names):
            low, middle, high = np.quantile(self.samples[:, k], [0.15865, 0.5, 0.84135])
            lines.append(f"  {name}  {middle:.5g} -{middle - low:.3g} +{high - middle:.3g}, autocorrelation {self.autocorrelation[k]:.0f} steps")
        return "\n".join(lines)


def sample(result: FitResult, steps: int, rng: np.random.Generator, walkers: int | None = None) -> Posterior:
    """Walkers that start at the best values and take so many steps each. Moves in the coordinates of the search; the prior is flat in the parameters."""
    try:
        import emcee
    except ImportError:
        raise bad("sample", "have emcee", "it is not installed", "pip install qdot[posterior]") from None
    problem, best, widths = result.profiles.problem, result.profiles.best.x, result.profiles.widths
    p = best.size
    n = max(2 * p + 2, 16) if walkers is None else walkers
    if n < 2 * p:
        raise bad("walkers", f"be at least {2 * p}", n, "twice the number of parameters")
    if steps < 10:
        raise bad("steps", "be at least 10", steps)

    def height(x: np.ndarray) -> float:
        if np.any(x < problem.low) or np.any(x > problem.high):
            return -np.inf
        try:
            return -0.5 * problem.chi2(*x) + float(np.sum(x[problem.logarithmic]))  # flat in the parameters, not in their logarithms
        except InputError:
            return -np.inf

    start = np.clip(best + 0.3 * widths * rng.standard_normal((n, p)), problem.low, problem.high)
    start += 1e-6 * widths * rng.uniform(0.1, 1.0, (n, p)) * np.where(start >= problem.high, -1.0, 1.0)
    sampler: Any = emcee.EnsembleSampler(n, p, height)
    sampler.random_state = np.random.RandomState(int(rng.integers(2**31))).get_state()
    sampler.run_mcmc(start, steps, progress=False)
    chain = sampler.get_chain(discard=int(BURN * steps), flat=True)
    samples = np.array([problem.outer(x) for x in chain])
    with np.errstate(all="ignore"):
        times = np.asarray(sampler.get_autocorr_time(quiet=True, tol=0))
    return Posterior(tuple(result.parameters), samples, float(np.mean(sampler.acceptance_fraction)), times)
