"""Time tags: records of photon arrivals, their files, and the correlations counted from them."""

from __future__ import annotations

from qdot.tags.cards import Snapshots, read_card
from qdot.tags.correlation import Correlation, Peak, correlate
from qdot.tags.files import open_tags, read_tags, save_tags
from qdot.tags.stream import Tags, merged

__all__ = ["Correlation", "Peak", "Snapshots", "Tags", "correlate", "merged", "open_tags", "read_card", "read_tags", "save_tags"]
