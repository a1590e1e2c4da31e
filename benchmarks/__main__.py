"""`python -m benchmarks [CASE ...] [--json] [--profile]`: each method of each case in a process of its own, one after the other.

seconds: median of the warm runs (one warm-up, then at least 5; a method whose first run exceeds 20 s is run once, cold).
memory_mb: peak resident memory of the process, imports included. error: see cases.py. lines: code lines of the method's functions,
without blanks, comments and docstrings. Times of different machines do not compare; ratios of one run do.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES

PACKAGES = ("qutip", "scipy", "numpy", "python-flint")
FAMILIES = ("methods_qdot", "methods_qutip", "methods_scipy")
ONE_RUN_S, BUDGET_S, RUNS = 20.0, 2.0, 5
LIMIT_S = 600


def methods(family: str, case: str) -> dict[str, tuple[Callable[..., Any], ...]]:
    """{method: (function, its helpers ...)} of one family for one case."""
    return import_module(f"benchmarks.{family}").METHODS.get(case, {})


def code_lines(functions: Sequence[Callable[..., Any]]) -> int:
    """Lines that hold code: no blanks, comments or docstrings."""
    total = 0
    for f in functions:
        source = textwrap.dedent(inspect.getsource(f))
        node = ast.parse(source).body[0]
        doc = set()
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            doc = set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
        lines = enumerate(source.splitlines(), start=1)
        total += sum(1 for i, line in lines if i not in doc and line.strip() and not line.strip().startswith("#"))
    return total


def peak_memory_mb() -> float:
    """Peak resident memory of this process (Linux: VmHWM, which does not count what the parent held before exec)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(family: str, case: str, method: str, out: str) -> None:
    """In the worker: run one method, write times and memory to standard output and the numbers to a file."""
    run = methods(family, case)[method][0]
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        t = time.perf_counter()
        values = run()
        first = time.perf_counter() - t
        times: list[float] = []
        while first <= ONE_RUN_S and (len(times) < RUNS or (sum(times) < BUDGET_S and len(times) < 50)):
            t = time.perf_counter()
            values = run()
            times.append(time.perf_counter() - t)
    np.save(out, np.asarray(values, dtype=float))
    print(json.dumps({"times": times or [first], "memory_mb": peak_memory_mb()}))


def profile(case: str, top: int = 8) -> list[str]:
    """The functions in which qdot spends its time, by own time, after one warm-up."""
    import cProfile
    import pstats

    run = methods("methods_qdot", case)["qdot"][0]
    run()
    p = cProfile.Profile()
    p.runcall(run)
    stats = pstats.Stats(p)
    rows = sorted(stats.stats.items(), key=lambda kv: -kv[1][2])[:top]  # type: ignore[attr-defined]
    whole = stats.total_tt  # type: ignore[attr-defined]
    return [f"{100 * v[2] / whole:4.0f} % own, {100 * v[3] / whole:4.0f} % with callees, {v[1]:7d} calls  {Path(k[0]).name}:{k[1]} {k[2]}" for k, v in rows]


def row(family: str, case: str, method: str, functions: Sequence[Callable[..., Any]]) -> dict[str, Any]:
    """One row of the table, measured in a new process."""
    found: dict[str, Any] = {"case": case, "method": method, "seconds": None, "error": None, "memory_mb": None, "lines": code_lines(functions)}
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "values.npy")
        command = [sys.executable, "-m", "benchmarks", "--worker", family, case, method, out]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=os.environ | {"OMP_NUM_THREADS": "1"})
        except subprocess.TimeoutExpired:
            return found | {"note": f"stopped after {LIMIT_S} s"}
        if done.returncode != 0:
            return found | {"note": "failed: " + done.stderr.strip().splitlines()[-1]}
        told, values = json.loads(done.stdout), np.load(out)
    errors = CASES[case].errors(values)
    found |= {"seconds": statistics.median(told["times"]), "memory_mb": told["memory_mb"], "runs": len(told["times"])}
    if errors is not None:
        found |= dict(zip(("error", "error_absolute", "error_relative"), errors, strict=True))
    missing = int(np.sum(~np.isfinite(values)))
    notes = [f"{missing} of {values.size} numbers missing"] if missing else []
    if len(told["times"]) < RUNS:
        notes.append(f"{len(told['times'])} run, cold")
    return found | ({"note": ", ".join(notes)} if notes else {})


def number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="qdot, QuTiP and SciPy side by side")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="of " + ", ".join(CASES))
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--profile", action="store_true", help="where qdot spends its time, instead of the table")
    parser.add_argument("--worker", nargs=4, metavar=("FAMILY", "CASE", "METHOD", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        measure(*args.worker)
        return
    unknown = [name for name in args.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; choose from {', '.join(CASES)}")
    chosen = args.cases or list(CASES)
    os.environ["OMP_NUM_THREADS"] = "1"
    if args.profile:
        for case in chosen:
            print(case, *profile(case), sep="\n  ", flush=True)
        return
    versions = {"python": sys.version.split()[0], "qdot": import_module("qdot").__version__} | {name: metadata.version(name) for name in PACKAGES}
    command = " ".join(["OMP_NUM_THREADS=1 python -m benchmarks", *args.cases])
    if not args.json:
        print(command, ", ".join(f"{k} {v}" for k, v in versions.items()), "", sep="\n")
        print("| case | method | seconds | error | absolute | relative | memory MB | lines | runs | times qdot | note |")
        print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for case in chosen:
        mine: float | None = None
        for family in FAMILIES:
            for method, functions in methods(family, case).items():
                r = row(family, case, method, functions)
                rows.append(r)
                mine = r["seconds"] if method == "qdot" else mine
                if not args.json:
                    cells = [case, method, number(r["seconds"], ".3g"), *(number(r.get(k), ".1e") for k in ("error", "error_absolute", "error_relative"))]
                    cells += [number(r["memory_mb"], ".0f"), str(r["lines"]), str(r.get("runs", ""))]
                    cells += [number(r["seconds"] / mine, ".3g") if r["seconds"] and mine else "", r.get("note", "")]
                    print("| " + " | ".join(cells) + " |", flush=True)
    if args.json:
        print(json.dumps({"command": command, "versions": versions, "references": {k: CASES[k].source for k in chosen}, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
