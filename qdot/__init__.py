"""qdot: from the microscopic parameters of a quantum-dot photon source to what the laboratory measures, and back."""

from __future__ import annotations

from typing import Any

from qdot import detection, drive, emitters, model, polarisation
from qdot.errors import InputError
from qdot.experiment import Experiment
from qdot.generator import lindblad, rate
from qdot.micropillar import InMicropillar, Micropillar
from qdot.model import Filter, Model
from qdot.polarisation import Polarisation

__version__ = "0.1.0"
__all__ = [
    "Correlation",
    "Experiment",
    "Filter",
    "FitResult",
    "Histogram",
    "InMicropillar",
    "InputError",
    "Micropillar",
    "Model",
    "Polarisation",
    "Series",
    "Sweep",
    "Tags",
    "__version__",
    "correlate",
    "correlate3",
    "detection",
    "drive",
    "emitters",
    "fit",
    "fitting",
    "from_qutip",
    "inversion",
    "lindblad",
    "model",
    "open_tags",
    "polarisation",
    "rate",
    "read_card",
    "read_histogram",
    "read_series",
    "read_tags",
    "save_tags",
    "sensitivities",
    "simulate_tags",
    "sweep",
    "sweeping",
    "tags",
]


def from_qutip(H: Any, c_ops: Any, channels: Any, start: Any = None, **options: Any) -> Experiment:
    """An experiment from QuTiP operators: H in rad/ns, jump operators in root of 1/ns.

    channels: {label: indices into c_ops} of the jumps whose photons are counted; start: ket or density matrix (default: the first basis
    state); options: collection, rtol, atol of the Experiment. A driven term is [A, drive] in a list H, with a drive of qdot.drive:
    A Re e(t) if A is Hermitian and A e(t) + h.c. otherwise.
    """
    from qdot import generator

    source, drives = generator.from_qutip(H, c_ops, channels, start)
    return Experiment(source, drives or None, **options)


def __getattr__(name: str) -> Any:
    """Fitting and reading data are loaded when first used."""
    if name in ("fit", "FitResult"):
        from qdot import fitting

        return getattr(fitting, name)
    if name in ("sweep", "Sweep"):
        from qdot import sweeping

        return getattr(sweeping, name)
    if name in ("read_series", "read_histogram", "Series", "Histogram"):
        from qdot import data

        return getattr(data, name)
    if name == "simulate_tags":
        from qdot.tags import simulation

        return simulation.simulate_tags
    if name in ("Tags", "read_tags", "open_tags", "save_tags", "read_card", "correlate", "correlate3", "Correlation"):
        from qdot import tags

        return getattr(tags, name)
    if name == "sensitivities":
        from qdot import sensitivity

        return sensitivity.sensitivities
    if name in ("fitting", "inversion", "sweeping", "tags"):
        import importlib

        return importlib.import_module(f"qdot.{name}")
    raise AttributeError(f"module 'qdot' has no attribute {name!r}")
