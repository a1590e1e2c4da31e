"""Which of two models do the data ask for? Likelihood ratio, Akaike's criterion, and a p-value from measurements drawn from the simpler one.

The p-value answers: if the null were true, how often would the alternative improve chi2 by as much as it did? Wilks's theorem gives it only for
nested models away from bounds; the parametric bootstrap gives it for any two, such as a dark path against an unequally pumped bright ladder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdot.errors import bad
from qdot.experiment import Experiment
from qdot.fitting.fitting import refit
from qdot.fitting.request import Request
from qdot.fitting.result import FitResult


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two fits to the same measurements. `print` gives the verdict in words.

    gain: chi2 of the null less that of the alternative; more: how many parameters the alternative has more; aic_gain: AIC of the null less that of
    the alternative. p_wilks: from chi2 with `more` degrees of freedom where the null is a special case of the alternative, else None.
    p_bootstrap: share of the drawn gains (with the measured one) that are as large; gains: (n,) drawn; failed: fits that did not converge.
    """

    null: str
    alternative: str
    gain: float
    more: int
    aic_gain: float
    p_wilks: float | None
    p_bootstrap: float | None
    gains: np.ndarray
    failed: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        names = ("null", "alternative", "gain", "more", "aic_gain", "p_wilks", "p_bootstrap", "failed")
        return {**{n: getattr(self, n) for n in names}, "drawn": int(self.gains.size)}

    def __str__(self) -> str:
        lines = [
            f"{self.alternative} against {self.null} (null)",
            f"  chi2 falls by {self.gain:.2f} for {self.more:+d} parameters; AIC falls by {self.aic_gain:.2f}",
        ]
        if self.p_wilks is not None:
            lines.append(f"  p = {self.p_wilks:.3g} by Wilks's theorem (nested, away from bounds)")
        if self.p_bootstrap is not None:
            drawn = f"{self.gains.size} drawn from the null, their gains {np.median(self.gains):.2f} (median) to {self.gains.max():.2f}"
            lines.append(f"  p = {self.p_bootstrap:.3g} by parametric bootstrap: {drawn}" + (f", {self.failed} failed" if self.failed else ""))
        p = self.p_bootstrap if self.p_bootstrap is not None else self.p_wilks
        if p is not None:
            lines.append(f"  {self.alternative} is {'needed' if p < 0.01 else 'not needed'} at the 1 % level")
        return "\n".join(lines)


def compare(null: FitResult, alternative: FitResult, draws: int = 0, rng: np.random.Generator | None = None) -> Comparison:
    """The alternative against the null, both fitted to the same measurements. draws: size of the parametric bootstrap, which needs `rng`.

    Each drawn set is fitted with both models, from their best values and from their first starts.
    """
    a, b = null.request, alternative.request
    if len(a.measured) != len(b.measured) or any(m is not n for m, n in zip(a.measured, b.measured, strict=True)):
        raise bad("compare", "have two fits to the same measurements", "fits to different ones", "give both fits the same objects")
    if draws and rng is None:
        raise bad("compare rng", "be given with draws", "None", "for example np.random.default_rng(1)")
    gain = null.chi2 - alternative.chi2
    more = len(alternative.parameters) - len(null.parameters)
    p_wilks = None
    if _is_nested(a, b) and more > 0:
        from scipy.special import gammaincc

        p_wilks = float(gammaincc(more / 2, max(gain, 0.0) / 2))
    gains, failed = [], 0
    for _ in range(draws):
        drawn = null.simulate(rng)  # type: ignore[arg-type]
        one, other = (_again(r, drawn) for r in (null, alternative))
        if math.isfinite(one) and math.isfinite(other):
            gains.append(one - other)
        else:
            failed += 1
    found = np.array(gains)
    p_bootstrap = float((1 + np.sum(found >= gain)) / (1 + found.size)) if found.size else None
    return Comparison(_name(a), _name(b), gain, more, null.aic - alternative.aic, p_wilks, p_bootstrap, found, failed)


def _again(result: FitResult, drawn: Any) -> float:
    """Least chi2 of a model on drawn measurements."""
    request = result.request.with_data(drawn)
    starts = [[p.value for p in result.parameters.values()], request.space.start.tolist()]
    fits = [refit(request, s) for s in starts]
    return min((f.chi2 for f in fits if f.converged), default=math.inf)


def _is_nested(a: Request, b: Request) -> bool:
    """True if the alternative frees parameters that the null holds, and nothing else differs."""
    if not isinstance(a.source, Experiment) or not isinstance(b.source, Experiment):
        return False
    return type(a.source.source) is type(b.source.source) and set(a.space.names) < set(b.space.names)


def _name(request: Request) -> str:
    source = request.source.source if isinstance(request.source, Experiment) else request.source
    kind = getattr(source, "__name__", type(source).__name__)
    return f"{kind}({', '.join(n.removeprefix('source.') for n in request.space.names)})"
