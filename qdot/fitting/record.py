"""The record of a fit: report as text, JSON and HDF5, the figure, and a fit file with the data, so that it can be repeated anywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from qdot.data import Histogram
from qdot.errors import bad
from qdot.fitting.files import data_text, written
from qdot.fitting.result import FitResult


def write(result: FitResult, folder: Path) -> list[Path]:
    """Write report.txt, report.json, result.h5 (where h5py is there), fit.png, and fit.toml with the folder data; returns the files.

    `qdot fit FOLDER/fit.toml` repeats it. A fit of a function, or with a function of its own, has no fit.toml, and the report says so.
    """
    if folder.exists() and not folder.is_dir():
        raise bad("out", "be a folder", f"the file {folder}", "give another name")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    names, sources = [], []
    for i, d in enumerate(result.request.measured):
        file = folder / "data" / f"{i:03d}_{'histogram' if isinstance(d, Histogram) else 'series'}.csv"
        file.write_text(data_text(d), encoding="utf-8")
        names.append(f"data/{file.name}")
        origin = Path(d.source.partition("::")[0])
        digest = hashlib.sha256(origin.read_bytes()).hexdigest() if origin.is_file() else None
        sources.append({"file": names[-1], "from": d.source, "sha256_of_source": digest})
    recipe = written(result.request, names)
    files = [folder / n for n in names]
    if recipe is not None:
        (folder / "fit.toml").write_text(recipe, encoding="utf-8")
        files.append(folder / "fit.toml")
    again = "qdot fit fit.toml" if recipe is not None else "not by a file: it uses a function of its own, see the program that made it"
    report = f"{result}\n\ncorrelations ({', '.join(result.parameters)})\n{_matrix(result.correlation)}\n\nrepeat: {again}\n"
    (folder / "report.txt").write_text(report, encoding="utf-8")
    full = {**result.as_dict(), "data": sources, "repeat": again}
    (folder / "report.json").write_text(json.dumps(full, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    files += [folder / "report.txt", folder / "report.json"]
    if _hdf5(result, folder / "result.h5"):
        files.append(folder / "result.h5")
    figure = result.plot().figure
    figure.savefig(folder / "fit.png", dpi=130)  # type: ignore[union-attr]
    files.append(folder / "fit.png")
    return files


def _matrix(m: np.ndarray) -> str:
    return "\n".join("  " + " ".join("    open" if np.isnan(v) else f"{v:+8.3f}" for v in row) for row in m)


def _hdf5(result: FitResult, path: Path) -> bool:
    """True if the file could be written: h5py is an extra."""
    try:
        import h5py
    except ImportError:
        return False
    with h5py.File(path, "w") as file:
        file.attrs.update(chi2=result.chi2, dof=result.dof, converged=result.converged, method=result.method, aic=result.aic)
        for kind, estimates in (("parameters", result.parameters), ("derived", result.derived)):
            group = file.create_group(kind)
            group["name"] = [n.encode() for n in estimates]
            for field in ("value", "minus", "plus"):
                group[field] = np.array([np.nan if getattr(p, field) is None else getattr(p, field) for p in estimates.values()])
        file["covariance"] = result.covariance
        for i, t in enumerate(result.terms):
            group = file.create_group(f"terms/{i:03d}")
            group.attrs.update(name=t.name, x_name=t.x_name, source=t.source, chi2=t.chi2, law=t.law)
            for field in ("x", "value", "minus", "plus", "predicted", "residuals"):
                group[field] = getattr(t, field)
    return True
