"""Measured series and histograms with their uncertainties, units and source, and the readers of their files.

Reads, never computes. A column's name ends in its unit (`delay_ns`, `power_uW`, `flux_per_ns`); other units of the same kind are converted.
"""

from qdot.data.measured import DataWarning, Histogram, Law, LeftOut, Measured, Series
from qdot.data.reading import read_histogram, read_measured, read_series
from qdot.data.units import UNITS, split_unit

__all__ = ["UNITS", "DataWarning", "Histogram", "Law", "LeftOut", "Measured", "Series", "read_histogram", "read_measured", "read_series", "split_unit"]
