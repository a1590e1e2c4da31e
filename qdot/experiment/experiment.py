"""The experiment that users make: source, drive and collection."""

from __future__ import annotations

from dataclasses import dataclass

from qdot.experiment.coherent import Coherent


@dataclass(frozen=True, eq=False)
class Experiment(Coherent):
    """A source under a drive, seen through a collection.

    source: an emitter of qdot.emitters or a qdot.model.Model. drive: a drive or several; pulses of one laser share its name.
    collection: {label: probability} for the stage "first_lens", or {stage: {label: probability}} for a chain, each stage after the one before.
    picture: "rate", "lindblad", or None for rate equations wherever nothing is coherent.
    analysis: {line: polarisation}, see `analysed`; filters: see `filtered`. rtol, atol: what error_bound must meet.
    Raises InputError for anything that does not fit together.
    """
