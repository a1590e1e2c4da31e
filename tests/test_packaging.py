"""The build hook: flags that keep the digits, a wheel of the platform with the compiled library, and a pure one, without an error, where there is none."""

from __future__ import annotations

import ctypes
import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

HOOK = Path(__file__).resolve().parent.parent / "hatch_build.py"
NO_COMPILER = shlex.join([sys.executable, "-c", "import sys; print('this is no compiler', file=sys.stderr); sys.exit(3)"])


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build hook as a module, in an environment that says nothing about compilers."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("QDOT_PURE", raising=False)
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path, hook: ModuleType) -> Path:
    """The folder of the kernel, in a root that holds nothing else: a source, and the library of an earlier build."""
    folder = tmp_path / hook.FOLDER
    folder.mkdir(parents=True)
    (folder / hook.SOURCE).write_text("double twice(double x) { return 2.0 * x; }\n", encoding="utf-8")
    (folder / hook.LIBRARY).write_bytes(b"of an earlier build")
    return folder


def initialize(hook: ModuleType, root: Path, version: str) -> tuple[dict[str, Any], list[str], SimpleNamespace]:
    """What the hook puts into a build, and its warnings."""
    warnings: list[str] = []
    build: dict[str, Any] = {"pure_python": True, "force_include": {}}
    state = SimpleNamespace(root=str(root), app=SimpleNamespace(display_warning=warnings.append))
    hook.KernelHook.initialize(state, version, build)
    return build, warnings, state


def twice(library: Path) -> float:
    function = ctypes.CDLL(str(library)).twice
    function.argtypes, function.restype = [ctypes.c_double], ctypes.c_double
    return function(1.5)


def test_the_flags_keep_the_digits_and_the_wheel_portable(hook: ModuleType) -> None:
    words = hook.command(["cc"], Path("in.c"), Path("out.so"))
    assert words[0] == "cc"
    assert {"-ffp-contract=off", "-std=c99", "-shared", "-fPIC"} <= set(words)
    assert not [w for w in words if w.startswith(("-march", "-mtune", "-Ofast", "-ffast-math", "-funsafe", "-fassociative"))]


def test_the_environment_names_the_compiler(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "ccache 'my cc' -m64")
    assert hook.compiler() == ["ccache", "my cc", "-m64"]
    monkeypatch.delenv("CC")
    monkeypatch.setattr(hook.shutil, "which", lambda name: "/opt/clang" if name == "clang" else None)
    assert hook.compiler() == ["/opt/clang"]


@pytest.mark.parametrize("version", ["standard", "editable"])
@pytest.mark.parametrize("cc", [NO_COMPILER, "no-such-compiler", "unbalanced '", f"{shlex.quote(sys.executable)} --version"])
def test_a_failing_compiler_is_one_warning_and_a_pure_build(hook: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, version: str, cc: str) -> None:
    monkeypatch.setenv("CC", cc)
    build, warnings, state = initialize(hook, tree.parent.parent, version)
    assert build == {"pure_python": True, "force_include": {}}
    assert len(warnings) == 1
    assert "\n" not in warnings[0]
    assert "qdot works without it" in warnings[0]
    assert ("this is no compiler" in warnings[0]) == (cc == NO_COMPILER)
    hook.KernelHook.finalize(state, version, build, "")
    kept = {hook.SOURCE, hook.LIBRARY} if version == "standard" else {hook.SOURCE}  # nothing stale beside the source of an editable install
    assert {p.name for p in tree.iterdir()} == kept


@pytest.mark.parametrize("reason", ["asked for", "no source"])
def test_no_compiling_and_no_warning_where_it_is_not_wanted(hook: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    if reason == "asked for":
        monkeypatch.setenv("QDOT_PURE", "1")
    else:
        (tree / hook.SOURCE).unlink()
    build, warnings, _ = initialize(hook, tree.parent.parent, "editable")
    assert (build, warnings) == ({"pure_python": True, "force_include": {}}, [])
    assert not (tree / hook.LIBRARY).exists()


def test_a_compiled_library_is_in_the_wheel_or_beside_the_source(hook: ModuleType, tree: Path) -> None:
    root = tree.parent.parent
    words = hook.compiler()
    if not words or subprocess.run([*words, "-c", str(tree / hook.SOURCE), "-o", str(root / "twice.o")], capture_output=True, check=False).returncode:
        pytest.skip("no C compiler that works")
    build, warnings, state = initialize(hook, root, "standard")
    assert (warnings, build["pure_python"]) == ([], False)
    assert build["tag"].startswith("py3-none-")
    assert not build["tag"].endswith("any")
    ((library, place),) = build["force_include"].items()
    assert place == f"qdot/evolve/{hook.LIBRARY}"
    assert twice(library) == 3.0
    hook.KernelHook.finalize(state, "standard", build, "")
    assert not Path(library).exists()
    assert (tree / hook.LIBRARY).read_bytes() == b"of an earlier build"  # a wheel leaves the tree alone

    build, warnings, _ = initialize(hook, root, "editable")
    assert (build, warnings) == ({"pure_python": True, "force_include": {}}, [])
    assert twice(tree / hook.LIBRARY) == 3.0
    assert {p.name for p in tree.iterdir()} == {hook.SOURCE, hook.LIBRARY}
