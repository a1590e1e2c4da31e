"""The experiment that users make: source, drive and collection."""

from __future__ import annotations

from dataclasses import dataclass

from qdot.experiment.recorded import Recorded


@dataclass(frozen=True, eq=False)
class Experiment(Recorded):
    """A source under a drive, seen through a collection.

    source: an emitter of qdot.emitters or a qdot.model.Model. drive: a drive or several; pulses of one laser share its name.
    collection: {label: probability} for the stage "first_lens", or {stage: {label: probability}} for a chain, each stage after the one before.
    picture: "rate", "lindblad", or None for rate equations wherever nothing is coherent.
    detectors: what stands behind the last stage of the collection; blinking: of the source, seen by the detectors only.
    analysis: {line: polarisation}, see `analysed`; filters: see `filtered`. rtol, atol: what error_bound must meet.
    Raises InputError for anything that does not fit together.
    """
