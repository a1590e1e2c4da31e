"""From counts back to photon numbers: P(n) and the pair figures at a stage, with errors that say where they come from.

`from_moments`, `from_series`: from mean, g2 and g3. `from_clicks`: from click patterns, by maximum likelihood; `from_tags`: from those of a record of time
tags. `covariance`: of one figure over points that share their calibrations. A result holds statistical, calibration and truncation errors apart, and
warns where the data do not determine the answer.
"""

from qdot.inversion.clicks import Likelihood, from_clicks
from qdot.inversion.estimates import Estimate, Inversion, Limit, covariance
from qdot.inversion.figures import ratios
from qdot.inversion.moments import from_moments, from_series, thinned
from qdot.inversion.windows import click_patterns, from_tags

__all__ = [
    "Estimate",
    "Inversion",
    "Likelihood",
    "Limit",
    "click_patterns",
    "covariance",
    "from_clicks",
    "from_moments",
    "from_series",
    "from_tags",
    "ratios",
    "thinned",
]
