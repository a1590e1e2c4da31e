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
    """A root that holds only the kernels: each a source, and the library of an earlier build."""
    for source in hook.KERNELS:
        (tmp_path / source).parent.mkdir(parents=True)
        (tmp_path / source).write_text("double twice(double x) { return 2.0 * x; }\n", encoding="utf-8")
        (tmp_path / hook.library(source)).write_bytes(b"of an earlier build")
    return tmp_path


def files(root: Path) -> set[Path]:
    return {p.relative_to(root) for p in root.rglob("*") if p.is_file()}


def initialize(hook: ModuleType, root: Path, version: str) -> tuple[dict[str, Any], list[str], SimpleNamespace]:
    """What the hook puts into a build, and its warnings."""
    warnings: list[str] = []
    build: dict[str, Any] = {"pure_python": True, "force_include": {}}
    state = SimpleNamespace(root=str(root), app=SimpleNamespace(display_warning=warnings.append))
    hook.KernelHook.initialize(state, version, build)
    return build, warnings, state


def twice(library: Path | str) -> float:
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
    build, warnings, state = initialize(hook, tree, version)
    assert build == {"pure_python": True, "force_include": {}}
    assert len(warnings) == len(hook.KERNELS)
    for warning in warnings:
        assert "\n" not in warning
        assert "qdot works without it" in warning
        assert ("this is no compiler" in warning) == (cc == NO_COMPILER)
    hook.KernelHook.finalize(state, version, build, "")
    kept = {*hook.KERNELS, *map(hook.library, hook.KERNELS)} if version == "standard" else {*hook.KERNELS}  # nothing stale beside the sources
    assert files(tree) == kept


@pytest.mark.parametrize("reason", ["asked for", "no source"])
def test_no_compiling_and_no_warning_where_it_is_not_wanted(hook: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    if reason == "asked for":
        monkeypatch.setenv("QDOT_PURE", "1")
    else:
        for source in hook.KERNELS:
            (tree / source).unlink()
    build, warnings, _ = initialize(hook, tree, "editable")
    assert (build, warnings) == ({"pure_python": True, "force_include": {}}, [])
    assert not [p for p in files(tree) if p not in hook.KERNELS]


def is_working(hook: ModuleType, tree: Path) -> bool:
    """True if the compiler that the hook finds compiles."""
    words, out = hook.compiler(), tree.parent / "twice.o"
    return bool(words) and subprocess.run([*words, "-c", str(tree / hook.KERNELS[0]), "-o", str(out)], capture_output=True, check=False).returncode == 0


def test_a_compiled_library_is_in_the_wheel_or_beside_the_source(hook: ModuleType, tree: Path) -> None:
    if not is_working(hook, tree):
        pytest.skip("no C compiler that works")
    build, warnings, state = initialize(hook, tree, "standard")
    assert (warnings, build["pure_python"]) == ([], False)
    assert build["tag"].startswith("py3-none-")
    assert not build["tag"].endswith("any")
    assert set(build["force_include"].values()) == {hook.library(source).as_posix() for source in hook.KERNELS}
    for library, place in build["force_include"].items():
        assert twice(library) == 3.0
        assert (tree / place).read_bytes() == b"of an earlier build"  # a wheel leaves the tree alone
    hook.KernelHook.finalize(state, "standard", build, "")
    assert not [library for library in build["force_include"] if Path(library).exists()]

    build, warnings, _ = initialize(hook, tree, "editable")
    assert (build, warnings) == ({"pure_python": True, "force_include": {}}, [])
    assert [twice(tree / hook.library(source)) for source in hook.KERNELS] == [3.0] * len(hook.KERNELS)
    assert files(tree) == {*hook.KERNELS, *map(hook.library, hook.KERNELS)}


def test_a_kernel_that_does_not_compile_leaves_the_others_in_the_wheel(hook: ModuleType, tree: Path) -> None:
    if not is_working(hook, tree):
        pytest.skip("no C compiler that works")
    broken, *others = hook.KERNELS
    (tree / broken).write_text("this is no C\n", encoding="utf-8")
    build, warnings, state = initialize(hook, tree, "standard")
    assert len(warnings) == 1
    assert broken.name in warnings[0]
    assert set(build["force_include"].values()) == {hook.library(source).as_posix() for source in others}
    hook.KernelHook.finalize(state, "standard", build, "")
