"""Build hook: compiles the kernels where a C compiler is at hand. Without one, or where compiling fails, qdot is built all the same, in pure Python.

ctypes loads a library, so that a wheel with one fits every Python 3 of the platform (py3-none-<platform>); one without any is py3-none-any.
A wheel takes them from a temporary folder; an editable install has them beside their sources. `python hatch_build.py` puts them there too, after a change.
QDOT_PURE, set to any text, skips compiling. CC names the compiler.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, or by the tests
    BuildHookInterface = object

KERNELS = (Path("qdot", "evolve", "taylor.c"), Path("qdot", "tags", "pairs.c"), Path("qdot", "tags", "simulation", "events.c"))
"""The sources; `taylor.c` becomes `_taylor.so` in the same folder."""
ENDING = ".dll" if sys.platform == "win32" else ".so"
FLAGS = ("-O3", "-fPIC", "-shared", "-std=c99", "-ffp-contract=off")
"""Digits must not depend on the machine: no fused multiply-adds, no -ffast-math; and wheels travel: no -march=native."""


def library(source: Path) -> Path:
    """Where the library of a source belongs."""
    return source.with_name(f"_{source.stem}{ENDING}")


def compiler() -> list[str]:
    """The words that call the C compiler: the environment's CC, else the first found of Python's own, cc, gcc and clang; empty where there is none."""
    named = os.environ.get("CC", "").strip()
    if named:
        return [named] if shutil.which(named) else shlex.split(named)
    own = (sysconfig.get_config_var("CC") or "").split()[:1]
    return [found for found in map(shutil.which, [*own, "cc", "gcc", "clang"]) if found][:1]


def command(words: list[str], source: Path, target: Path) -> list[str]:
    """The command that compiles `source` to the shared library `target`."""
    return [*words, *FLAGS, "-o", str(target), str(source), "-lm"]


def fault(source: Path, target: Path) -> str:
    """Compile; empty where that succeeded, else one line that says why not. The target appears complete or not at all."""
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        words = compiler()
        if not words:
            return "no C compiler found"
        done = subprocess.run(command(words, source, part), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0 or not part.is_file():
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            said = [line for line in said if "error" in line] or said or [f"no library, exit code {done.returncode}"]
            return f"{shlex.join(words)}: {said[0][:200]}"
        os.replace(part, target)
    except (OSError, ValueError) as error:  # no such compiler, unbalanced quotes in CC, a folder that may not be written
        return f"{error}"
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return ""


def build(source: Path, target: Path, warn: Callable[[str], object]) -> Path | None:
    """The compiled library; None where it is not wanted, or cannot be made, which is one warning. Then no library of an earlier build stays either."""
    if source.is_file() and not os.environ.get("QDOT_PURE"):
        why = fault(source, target)
        if not why:
            return target
        warn(f"qdot: {source.name} is not compiled ({why}); qdot works without it, slower")
    with suppress(OSError):
        target.unlink(missing_ok=True)
    return None


class KernelHook(BuildHookInterface):
    """Hatchling calls this around every build of a wheel, the one of an editable install included."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the wheel that it holds the libraries and fits this platform only."""
        root = Path(self.root)
        if version == "editable":
            for source in KERNELS:
                build(root / source, root / library(source), self.app.display_warning)
            return
        self.scratch = tempfile.TemporaryDirectory(prefix="qdot-")
        made = {source: build(root / source, Path(self.scratch.name) / library(source).name, self.app.display_warning) for source in KERNELS}
        included = {str(where): library(source).as_posix() for source, where in made.items() if where is not None}
        if not included:
            return
        from packaging.tags import platform_tags  # hatchling depends on it

        platform = next(tag for tag in platform_tags() if "manylinux" not in tag and "musllinux" not in tag)  # built here, audited by nobody
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["force_include"] |= included

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if version != "editable":
            self.scratch.cleanup()


if __name__ == "__main__":
    for one in KERNELS:
        here = Path(__file__).resolve().parent / one
        print(build(here, library(here), lambda text: print(text, file=sys.stderr)) or f"no library of {one.name}")
