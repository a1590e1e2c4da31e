"""Time tags: records of photon arrivals, their files, and the correlations counted from them."""

from __future__ import annotations

from qdot.tags.cards import Snapshots, read_card
from qdot.tags.correlation import Correlation, Peak, correlate, open_data
from qdot.tags.files import open_tags, read_tags, save_tags
from qdot.tags.recording import Recording
from qdot.tags.stream import Tags, merged
from qdot.tags.triples import TripleCorrelation, correlate3

__all__ = [
    "Correlation",
    "Peak",
    "Recording",
    "Snapshots",
    "Tags",
    "TripleCorrelation",
    "correlate",
    "correlate3",
    "merged",
    "open_data",
    "open_tags",
    "read_card",
    "read_tags",
    "save_tags",
]
