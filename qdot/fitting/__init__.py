"""Fits of an experiment's parameters to measured series and histograms: likelihoods that add, intervals, limits, and what stays open.

`observables`: one model function per observable; `likelihoods`: Gaussian, Poisson, binomial; `parameters`, `expressions`: bounds, ties, priors;
`answers`: what an experiment gives at many settings, with exact derivatives; `search`, `intervals`, `identify`: least chi2, profiles, directions that
the data leave open; `compare`: between models; `record`, `files`, `template`: what is written and read; `posterior`, `interop`: emcee, lmfit, scipy.
It knows no emitter.
"""

from qdot.data import Measured
from qdot.fitting.compare import Comparison, compare
from qdot.fitting.fitting import fit, fit_file
from qdot.fitting.interop import model_function
from qdot.fitting.intervals import LIMIT, Estimate, Limit
from qdot.fitting.likelihoods import gaussian_chi2, poisson_chi2
from qdot.fitting.observables import NUISANCES, Observation
from qdot.fitting.parameters import JointPrior, Prior
from qdot.fitting.request import Prediction, Request
from qdot.fitting.response import Response
from qdot.fitting.result import Bootstrap, FitResult, Goodness, Term

__all__ = [
    "LIMIT",
    "NUISANCES",
    "Bootstrap",
    "Comparison",
    "Estimate",
    "FitResult",
    "Goodness",
    "JointPrior",
    "Limit",
    "Measured",
    "Observation",
    "Prediction",
    "Prior",
    "Request",
    "Response",
    "Term",
    "compare",
    "fit",
    "fit_file",
    "gaussian_chi2",
    "model_function",
    "poisson_chi2",
]
