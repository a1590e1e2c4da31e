"""The direction of imports, held by walking the syntax trees: a room imports only from lower floors or from itself, lazily or not.

Nothing is executed to find an import, so that one inside a function counts like one at the top. The last test starts Python and looks at what it loaded.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "qdot"
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "units"),
    ("model", "polarisation", "drive", "evolve", "data"),
    ("generator", "emitters", "micropillar", "phonons"),
    ("statistics", "detection", "repeats", "results"),
    ("experiment", "tags"),
    ("sensitivity",),
    ("fitting", "inversion", "sweeping", "scenario", "study"),
    ("plot", "cli"),
)
"""The rooms by floor: errors, units, repeats and results stand beside the rooms of the design."""
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
LAZY_UPWARDS = {("results", "plot"), ("fitting", "plot"), ("tags", "plot")}
"""`result.plot()` may import `plot`, inside a function; nothing else may import upwards. The command line uses the public face as any user does."""
HEAVY = ("qutip", "matplotlib", "pydantic", "iminuit", "pandas", "typer", "rich", "IPython")


class Imports(ast.NodeVisitor):
    """Every qdot module that a file imports: (dotted name, line, inside a function)."""

    def __init__(self, package: str) -> None:
        self.package, self.depth = package, 0
        self.found: list[tuple[str, int, bool]] = []

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [(a.name, node.lineno, self.depth > 0) for a in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parts = self.package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        self.found += [(f"{base}.{a.name}", node.lineno, self.depth > 0) for a in node.names]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1


def room_of(path: Path, package: Path) -> str:
    """The room a file belongs to, "" for the package's own __init__.py."""
    first = path.relative_to(package).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(source: str, package: str) -> list[tuple[str, int, bool]]:
    """(room, line, lazy) of every import of a qdot room; the public face (`import qdot`, `from qdot import Experiment`) counts as room ""."""
    visitor = Imports(package)
    visitor.visit(ast.parse(source))
    rooms = []
    for name, line, lazy in visitor.found:
        parts = name.split(".")
        if parts[0] == "qdot" and parts[1:] != ["__version__"]:  # the version is a plain text that stands in no room
            face = len(parts) == 1 or (parts[1] not in FLOOR and not (PACKAGE / parts[1]).exists() and not (PACKAGE / f"{parts[1]}.py").exists())
            rooms.append(("" if face else parts[1], line, lazy))
    return rooms


def faults(source: str, room: str, package: str) -> list[str]:
    """What a file of a room imports and may not."""
    wrong = []
    for other, line, lazy in imports(source, package):
        if other == room or (lazy and (room, other) in LAZY_UPWARDS) or (room, other) == ("cli", ""):
            continue
        if other == "":
            wrong.append(f"line {line}: {room} imports the package's public face, which imports it")
        elif other not in FLOOR:
            wrong.append(f"line {line}: qdot.{other} is on no floor")
        elif FLOOR[other] >= FLOOR[room]:
            wrong.append(f"line {line}: {room} (floor {FLOOR[room]}) imports {other} (floor {FLOOR[other]})")
    return wrong


def files() -> list[Path]:
    """Every Python file of the package but its own __init__.py, the public face."""
    return [p for p in sorted(PACKAGE.rglob("*.py")) if room_of(p, PACKAGE) not in ("", "fits")]


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_import_goes_up_the_list_of_rooms(path: Path) -> None:
    room = room_of(path, PACKAGE)
    assert room in FLOOR, f"{room} is on no floor; give it one here and in the design"
    package = ".".join(("qdot", *path.relative_to(PACKAGE).parts[:-1]))
    assert faults(path.read_text(encoding="utf-8"), room, package) == []


def test_the_public_face_imports_neither_plots_nor_the_command_line() -> None:
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert {room for room, _, _ in imports(source, "qdot")} & {"plot", "cli"} == set()


def test_a_wrong_import_would_be_seen_wherever_it_hides() -> None:
    lazy = "def f():\n    from qdot.experiment import Experiment\n"
    assert faults(lazy, "statistics", "qdot") == ["line 2: statistics (floor 3) imports experiment (floor 4)"]
    assert faults("from . import cli", "fitting", "qdot") == ["line 1: fitting (floor 6) imports cli (floor 7)"]
    assert faults("from ..cli import main", "statistics", "qdot.statistics") == ["line 1: statistics (floor 3) imports cli (floor 7)"]
    assert faults("import qdot.plot as p", "results", "qdot") == ["line 1: results (floor 3) imports plot (floor 7)"]
    assert faults("def f():\n    from qdot import plot", "results", "qdot") == []
    assert faults("def f():\n    from qdot import plot", "experiment", "qdot") == ["line 2: experiment (floor 4) imports plot (floor 7)"]
    face = ["line 1: study imports the package's public face, which imports it"]
    assert faults("from qdot import Experiment", "study", "qdot") == face
    assert faults("import qdot", "study", "qdot") == face
    assert faults("def f():\n    import qdot", "cli", "qdot") == []
    assert faults("from qdot.drive import CW", "model", "qdot") == ["line 1: model (floor 1) imports drive (floor 1)"]
    assert faults("from qdot.evolve.steady import steady_state\nimport numpy", "statistics", "qdot.statistics") == []


def test_only_plot_and_the_command_line_import_matplotlib_typer_and_rich() -> None:
    used = {}
    for path in PACKAGE.rglob("*.py"):
        visitor = Imports("qdot")
        visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
        names = {name.split(".")[0] for name, _, _ in visitor.found} & {"matplotlib", "typer", "rich"}
        if names:
            used[str(path.relative_to(PACKAGE))] = names
    typed_only = {"results.py", "fitting/result.py", "tags/correlation.py", "tags/triples.py"}  # for annotations; the next test sees that nothing is loaded
    assert set(used) - typed_only <= {"plot.py", "cli.py"}, used


def test_importing_qdot_loads_no_plotting_no_qutip_and_no_other_heavy_package() -> None:
    code = f"import sys, qdot; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rooms_that_are_loaded_late_are_attributes_of_the_package() -> None:
    code = "import qdot; print(qdot.fitting.model_function, qdot.tags.merged, qdot.sweeping.Sweep, qdot.inversion.from_clicks)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
