"""The notebooks: text and notebook are the same cells, they run from a clean kernel, and no model is built in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
NAMES = ("01_dark_loading", "02_fit_a_power_series")
MODEL_CODE = re.compile(
    r"\b(Model|Jump|Coupling|Dephasing|Cavity|Qobj|from_qutip|lindblad)\(|linalg|\bexpm\b|\bsolve_ivp\b|\bodeint\b|\bclass\b|\bqutip\b|\b(minimize|curve_fit|least_squares|Minuit)\b|np\.exp\("
)


def read(name: str) -> Any:
    """The .ipynb as it is shipped."""
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def test_every_notebook_is_tested() -> None:
    assert sorted(p.stem for p in NOTEBOOKS.iterdir() if p.suffix in (".py", ".ipynb")) == sorted(2 * NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_and_the_notebook_are_the_same_cells_and_carry_no_outputs(name: str) -> None:
    text, shipped = jupytext.read(NOTEBOOKS / f"{name}.py"), read(name)
    assert [(c.cell_type, c.source) for c in shipped.cells] == [(c.cell_type, c.source) for c in text.cells], f"run jupytext --sync notebooks/{name}.py"
    for cell in shipped.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.parametrize("name", NAMES)
def test_no_code_cell_builds_a_model_or_a_solver(name: str) -> None:
    for cell in read(name).cells:
        if cell.cell_type == "code":
            assert MODEL_CODE.findall(cell.source) == [], cell.source


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_runs_from_a_clean_kernel_without_warnings_and_draws(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = read(name)
    # the client now and then sleeps through the kernel's answer until its timeout, and then finds it: so not longer than any cell needs
    NotebookClient(notebook, timeout=90, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    outputs += [o for widget in widgets.values() for o in widget["state"].get("outputs", ())]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []
    assert [o for o in outputs if o.output_type == "error"] == []  # inside a slider's output an error does not stop the notebook
    assert any("image/png" in o.get("data", {}) for o in outputs)
