"""`python -m benchmarks [CASE ...] [--json | --profile]`: each method of each case in a process of its own, one after the other.

seconds: median of the warm runs (one warm-up, then at least 5; a method whose first run exceeds 20 s is run once, cold).
memory_mb: peak resident memory of the process, imports included. error: see cases.py. lines: code lines of the method's functions,
without blanks, comments and docstrings. Times of different machines do not compare; ratios of one run do.
dynamiqs runs in the Python that the environment variable QDOT_BENCH_DYNAMIQS names; without it its rows are empty.
`--readme FILE.json ...` writes what `--json` gave into the table of README.md. `--sizes` measures qdot against size (sizes.py).
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
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, GOOD

PACKAGES = ("qutip", "scipy", "numpy", "python-flint")
FAMILIES = ("floors", "methods_qdot", "methods_qutip", "methods_scipy", "methods_dynamiqs")
ELSEWHERE = {"methods_dynamiqs": ("QDOT_BENCH_DYNAMIQS", ("dynamiqs", "jax"))}
"""Families that another interpreter runs: the environment variable that names it, and packages whose versions are told."""
ZPGENERATOR = {"W2-pi": (0.114, 0.032), "W2-2pi": (0.097, 0.016), "W3": (18.8, 1.54)}
"""Seconds of ZPGenerator, which is on no package index, and of QuTiP's best method, both on another machine."""
ONE_RUN_S, BUDGET_S, RUNS = 20.0, 2.0, 5
LIMIT_S = 600
README = Path(__file__).parent / "README.md"
MARKS = ("<!-- table -->\n", "<!-- end of table -->\n")


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
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
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
    if values is not None:  # a floor has nothing to compare
        np.save(out, np.asarray(values, dtype=float))
    print(json.dumps({"times": times or [first], "first": first, "memory_mb": peak_memory_mb()}))


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


def empty(case: str, method: str) -> dict[str, Any]:
    """The keys of every row."""
    return {"case": case, "method": method, "seconds": None, "error": None, "memory_mb": None, "lines": None}


def row(family: str, case: str, method: str, functions: Sequence[Callable[..., Any]]) -> dict[str, Any]:
    """One row of the table, measured in a new process."""
    found = empty(case, method) | {"lines": None if family == "floors" else code_lines(functions)}
    python = sys.executable
    if family in ELSEWHERE:
        variable = ELSEWHERE[family][0]
        if not os.environ.get(variable):
            return found | {"note": f"skipped: {variable} names no Python"}
        python = os.environ[variable]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "values.npy"
        command = [python, "-m", "benchmarks", "--worker", family, case, method, str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=os.environ | {"OMP_NUM_THREADS": "1"})
        except subprocess.TimeoutExpired:
            return found | {"note": f"stopped after {LIMIT_S} s"}
        except OSError as e:
            return found | {"note": f"failed: {e.strerror}"}
        if done.returncode != 0:
            return found | {"note": "failed: " + (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]}
        told, values = json.loads(done.stdout), np.load(out) if out.exists() else None
    found |= {"seconds": statistics.median(told["times"]), "memory_mb": told["memory_mb"], "runs": len(told["times"])}
    notes = []
    if values is not None:
        found |= dict(zip(("error", "error_absolute", "error_relative"), CASES[case].errors(values), strict=True))
        missing = int(np.sum(~np.isfinite(values)))
        if missing:
            notes.append(f"{missing} of {values.size} numbers missing")
    if family == "methods_qdot" and values is not None and CASES[case].wide is not None:
        found["error_wide"] = CASES[case].errors(values, wide=True)[0]
        notes.append(f"error {small(found['error_wide'])} for the pulse cut at 8 sigma, as qdot takes it")
    if family in ELSEWHERE:
        notes.append(f"first run {told['first']:.2g} s, compilation included")
    if len(told["times"]) < RUNS:
        notes.append(f"{len(told['times'])} run, cold")
    return found | ({"note": ", ".join(notes)} if notes else {})


def rows_of(case: str) -> Iterator[dict[str, Any]]:
    """All rows of a case: measured ones, then those that only say why there is no number."""
    best: float | None = None
    for family in FAMILIES:
        for method, functions in methods(family, case).items():
            found = row(family, case, method, functions)
            if family == "methods_qutip" and found["seconds"] is not None:
                best = found["seconds"] if best is None or "(best)" in method else best
            yield found
        for method, note in getattr(import_module(f"benchmarks.{family}"), "NOT_RUN", {}).get(case, {}).items():
            yield empty(case, method) | {"note": note}
    if case in ZPGENERATOR:
        its, qutips = ZPGENERATOR[case]
        note = f"{its / qutips:.3g} times QuTiP's best: {its:g} s against {qutips:g} s on another machine"
        method, seconds = "ZPGenerator (ratio to QuTiP from WORKLOADS.md, not run here)", None if best is None else best * its / qutips
        yield empty(case, method) | {"seconds_by_ratio": seconds, "note": note}


def versions(chosen: Sequence[str]) -> dict[str, str]:
    """Of everything that takes part."""
    found = {"python": sys.version.split()[0], "qdot": import_module("qdot").__version__} | {name: metadata.version(name) for name in PACKAGES}
    for family, (variable, packages) in ELSEWHERE.items():
        if os.environ.get(variable) and any(methods(family, case) for case in chosen):
            ask = f"from importlib.metadata import version; print(*(version(name) for name in {packages!r}))"
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                done = subprocess.run([os.environ[variable], "-c", ask], capture_output=True, text=True, check=True)
                found |= dict(zip(packages, done.stdout.split(), strict=True))
    return found


# ------------------------------------------------------------------------------------------- the table


def number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def small(error: float | None) -> str:
    """An error; below what the reference is good for it says so."""
    return f"< {GOOD:.1e}" if error is not None and error < GOOD else number(error, ".1e")


HEADER = ("case", "method", "seconds", "error", "absolute", "relative", "memory MB", "lines", "runs", "times qdot", "times floor", "note")


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Markdown lines of the rows of one case."""
    of = {r["method"]: r["seconds"] for r in rows}
    for r in rows:
        seconds = r["seconds"] if r["seconds"] is not None else r.get("seconds_by_ratio")
        form = "({})" if r["seconds"] is None and seconds is not None else "{}"
        cells = [r["case"], r["method"], form.format(number(seconds, ".3g")), small(r["error"]), number(r.get("error_absolute"), ".1e")]
        cells += [small(r.get("error_relative")), number(r["memory_mb"], ".0f"), number(r["lines"], "d"), number(r.get("runs"), "d")]
        cells += [form.format(number(seconds / of[name], ".3g")) if seconds and of.get(name) else "" for name in ("qdot", "floor")]
        yield "| " + " | ".join([*cells, r.get("note", "")]) + " |"


def heading(command: str, told: dict[str, str]) -> list[str]:
    return [f"`{command}`; " + ", ".join(f"{k} {v}" for k, v in told.items()) + ".", ""]


def write_readme(files: Sequence[str]) -> None:
    """Put the rows of several runs into README.md; a case in more than one file is taken from the last."""
    documents = [json.loads(Path(name).read_text()) for name in files]
    lines = [line for d in documents for line in heading(d["command"], d["versions"])]
    lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    rows = {r["case"]: [x for x in d["rows"] if x["case"] == r["case"]] for d in documents for r in d["rows"]}
    lines += [line for case in CASES if case in rows for line in table(rows[case])]
    before, rest = README.read_text().split(MARKS[0])
    README.write_text(before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="qdot, QuTiP, dynamiqs and SciPy side by side")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="of " + ", ".join(CASES))
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--profile", action="store_true", help="where qdot spends its time, instead of the table")
    parser.add_argument("--readme", nargs="+", metavar="FILE.json", help="write what --json gave into README.md, and measure nothing")
    parser.add_argument("--sizes", action="store_true", help="cost of qdot against size, instead of the cases")
    parser.add_argument("--out", metavar="FILE.png", help="with --sizes: the figure")
    parser.add_argument("--limit", type=float, default=30.0, metavar="SECONDS", help="with --sizes: a curve ends with the first point beyond this")
    parser.add_argument("--worker", nargs=4, metavar=("FAMILY", "CASE", "METHOD", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        measure(*args.worker)
        return
    unknown = [name for name in args.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; choose from {', '.join(CASES)}")
    if args.out and not args.sizes:
        parser.error("--out belongs to --sizes")
    if args.readme:
        write_readme(args.readme)
        return
    chosen = args.cases or list(CASES)
    os.environ["OMP_NUM_THREADS"] = "1"
    command = " ".join(["OMP_NUM_THREADS=1 python -m benchmarks", *args.cases])
    if args.sizes:
        sizes = import_module("benchmarks.sizes")
        rows = sizes.measure(args.limit)
        if args.out:
            sizes.draw(rows, args.out)
        if args.json:
            print(json.dumps({"command": command + " --sizes", "versions": versions([]), "rows": rows}, indent=1))
        return
    if args.profile:
        for case in chosen:
            print(case, *profile(case), sep="\n  ", flush=True)
        return
    told = versions(chosen)
    if not args.json:
        print(*heading(command, told), "| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER), sep="\n", flush=True)
    everything: list[dict[str, Any]] = []
    for case in chosen:
        found = list(rows_of(case))
        everything += found
        if not args.json:
            print(*table(found), sep="\n", flush=True)
    if args.json:
        print(json.dumps({"command": command, "versions": told, "references": {k: CASES[k].source for k in chosen}, "rows": everything}, indent=1))


if __name__ == "__main__":
    main()
