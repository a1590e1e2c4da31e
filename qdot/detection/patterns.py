"""Which detectors click in one pulse: from photon numbers P(n), or joint P(n, m, ...) of lights that are split differently, to click patterns.

Each photon goes its own way, so the detected photons of one light fall into the detectors as into urns. The sum over photon numbers is carried
photon by photon and has positive terms only, so that a fourfold coincidence of 1e-12 is as accurate as P(0). Nothing here knows when a photon
comes: dead time within a pulse is what a threshold detector has anyway, and what outlasts a pulse is refused by the caller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qdot.detection.detector import Detector


def outcome_shape(detectors: Sequence[Detector], most: int) -> tuple[int, ...]:
    """Outcomes of each detector: 0 or 1 click, or 0 .. most counts; the last one of each means that many or more."""
    return tuple(most + 1 if d.number_resolving else 2 for d in detectors)


def patterns_of(numbers: np.ndarray, splits: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """(shape) probabilities of the outcomes, from numbers (N_1, N_2, ...), the joint distribution of *detected* photons of several lights.

    splits: for each light, (detectors,) probabilities that a detected photon is that detector's, summing to 1 (or all 0 for a light that none
    sees). What `numbers` leaves out is missing from the sum of the result.
    """
    rest = np.asarray(numbers, dtype=float)
    nothing = np.zeros(tuple(shape))
    nothing[(0,) * len(shape)] = 1.0
    return _fill(rest, list(splits), nothing)


def _fill(numbers: np.ndarray, splits: list[np.ndarray], start: np.ndarray) -> np.ndarray:
    """Sum over the first light's photon number, adding photon after photon; then over the others', from there."""
    if numbers.ndim == 0:
        return float(numbers) * start
    total = np.zeros_like(start)
    state = start
    for n in range(numbers.shape[0]):
        if n:
            state = one_photon_more(state, splits[0])
        if np.any(numbers[n] != 0.0):
            total += _fill(numbers[n], splits[1:], state)
    return total


def one_photon_more(outcomes: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Probabilities of the outcomes after one more detected photon; the last outcome of each detector stays where it is.

    outcomes: (shape). split: (detectors,) where the photon goes; what is missing to 1 goes nowhere.
    """
    found = max(1.0 - float(np.sum(split)), 0.0) * outcomes if np.sum(split) < 1.0 - 1e-15 else np.zeros_like(outcomes)
    for axis, q in enumerate(split):
        if q > 0.0:
            found += q * _advanced(outcomes, axis)
    return found


def _advanced(outcomes: np.ndarray, axis: int) -> np.ndarray:
    """Every outcome one further along an axis, the last one kept."""
    x = np.moveaxis(outcomes, axis, 0)
    found = np.zeros_like(x)
    found[1:] = x[:-1]
    found[-1] += x[-1]
    return np.moveaxis(found, 0, axis)


def with_background(outcomes: np.ndarray, means: Sequence[float]) -> np.ndarray:
    """The same with Poisson distributed counts of mean (detectors,) added to each detector, independent of the light and of each other."""
    found = outcomes
    for axis, mean in enumerate(means):
        if mean <= 0.0:
            continue
        x = np.moveaxis(found, axis, 0)
        size = x.shape[0]
        terms = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(size)]
        more = np.zeros_like(x)
        for start in range(size):
            for k in range(size - 1 - start):
                more[start + k] += terms[k] * x[start]
            more[-1] += at_least(size - 1 - start, mean) * x[start]
        found = np.moveaxis(more, 0, axis)
    return found


def at_least(k: int, mean: float) -> float:
    """Probability of k or more counts of a Poisson distribution, as a sum of positive terms where it is small.

    >>> round(at_least(1, 0.1), 12) == round(1 - math.exp(-0.1), 12), at_least(0, 3.0)
    (True, 1.0)
    """
    if k <= 0:
        return 1.0
    if mean > k:
        return 1.0 - sum(math.exp(j * math.log(mean) - mean - math.lgamma(j + 1)) for j in range(k))
    term = math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) if mean > 0.0 else 0.0
    total, j = 0.0, k
    while term > 1e-18 * total:
        total += term
        j += 1
        term *= mean / j
    return total


def response_matrix(shape: Sequence[int], split: np.ndarray, means: Sequence[float], top: int) -> np.ndarray:
    """(outcomes, top + 1) probability of each outcome for exactly n = 0 .. top photons in front of the splitter, background included.

    split: (detectors,) probability that a photon raises a count there; outcomes in the order of a flattened array of `shape`.
    """
    state = np.zeros(tuple(shape))
    state[(0,) * len(shape)] = 1.0
    columns = [state]
    for _ in range(top):
        columns.append(one_photon_more(columns[-1], split))
    return np.stack([with_background(c, means).ravel() for c in columns], axis=1)
