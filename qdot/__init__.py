"""qdot: from the microscopic parameters of a quantum-dot photon source to what the laboratory measures, and back."""

from __future__ import annotations

from typing import Any

from qdot import detection, drive, emitters, model
from qdot.errors import InputError
from qdot.experiment import Experiment
from qdot.generator import lindblad, rate
from qdot.model import Model

__version__ = "0.1.0"
__all__ = [
    "Experiment",
    "FitResult",
    "Histogram",
    "InputError",
    "Model",
    "Series",
    "Sweep",
    "__version__",
    "detection",
    "drive",
    "emitters",
    "fit",
    "from_qutip",
    "inversion",
    "lindblad",
    "model",
    "rate",
    "read_histogram",
    "read_series",
    "sensitivities",
    "sweep",
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
    if name == "sensitivities":
        from qdot import sensitivity

        return sensitivity.sensitivities
    if name == "inversion":
        import importlib

        return importlib.import_module("qdot.inversion")
    raise AttributeError(f"module 'qdot' has no attribute {name!r}")
