"""`python -m benchmarks.correlator [--json] [--readme FILE.json]`: all pairs of ten million photons, qdot beside pycorrelate.

Two detectors, 1 million photons per second in all for 10 s, delays of +-500 ns in bins of 256 ps. seconds: median of the warm runs of a process of its own
(one warm-up; 5, or the one run of a method that takes more than 20 s). cpu_seconds: time that the process computed, which other work on the machine
does not lengthen much; ratios are of these. error: bins that differ from the reference, which counts by other means.
Making the photons, starting Python and compiling (numba) are not counted; splitting the record by channel is, and so is all that qdot does besides
counting: zero delay, normalisation, errors, warnings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

PHOTONS, DURATION_PS = 10_000_000, 10**13
BIN_PS, RANGE_NS = 256, 500
EDGES_PS = BIN_PS * np.arange(-1954, 1955)
"""From -500.224 to 500.224 ns: the range rounded up to whole bins."""
ONE_RUN_S, RUNS = 20.0, 5
README = Path(__file__).parent / "README.md"
MARKS = ("<!-- correlator -->\n", "<!-- end of correlator -->\n")


def photons() -> tuple[np.ndarray, np.ndarray]:
    """(times in ps, channels) of uncorrelated light."""
    rng = np.random.default_rng(7)
    return np.sort(rng.integers(0, DURATION_PS, PHOTONS)), rng.integers(0, 2, PHOTONS).astype(np.int16)


def reference(time_ps: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Coincidences by differences of every photon and its k-th successor, for k = 1, 2, .. until none is near enough."""
    counts = np.zeros(EDGES_PS.size - 1, np.int64)
    for k in range(1, time_ps.size):
        apart = time_ps[k:] - time_ps[:-k]
        near = (apart < EDGES_PS[-1] + BIN_PS) & (channel[k:] != channel[:-k])
        if not np.any(apart < EDGES_PS[-1] + BIN_PS):
            return counts
        delay = np.where(channel[k:] == 1, apart, -apart)[near]
        delay = delay[(delay >= EDGES_PS[0]) & (delay < EDGES_PS[-1])]
        counts += np.bincount((delay - EDGES_PS[0]) // BIN_PS, minlength=counts.size)
    return counts


def qdot_correlate(time_ps: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """The public function, on a record that is in memory."""
    import qdot

    tags = qdot.Tags(time_ps, channel, DURATION_PS)
    return qdot.correlate(tags, (0, 1), bin_ps=BIN_PS, range_ns=RANGE_NS).counts


def pycorrelate_pcorrelate(time_ps: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Laurence's algorithm, compiled by numba; it returns counts over the width of a bin."""
    from pycorrelate import pcorrelate

    found = pcorrelate(time_ps[channel == 0], time_ps[channel == 1], EDGES_PS)
    return np.rint(found * BIN_PS).astype(np.int64)


METHODS: dict[str, tuple[Callable[..., np.ndarray], dict[str, str], str]] = {
    "qdot, compiled": (qdot_correlate, {}, "qdot"),
    "qdot, NumPy": (qdot_correlate, {"QDOT_PURE": "1"}, "qdot"),
    "pycorrelate, pcorrelate": (pycorrelate_pcorrelate, {}, "pycorrelate"),
}


def worker(method: str) -> dict[str, Any]:
    """Times, memory and wrong bins of one method, in this process."""
    from benchmarks.__main__ import code_lines, peak_memory_mb

    run = METHODS[method][0]
    data = photons()
    warm = slice(0, 1000)
    run(data[0][warm] + (DURATION_PS - 10**10) * (np.arange(1000) // 999), data[1][warm])  # compiles and imports
    times: list[float] = []
    spent: list[float] = []
    while len(times) < RUNS and (not times or times[0] < ONE_RUN_S):
        start, worked = time.perf_counter(), time.process_time()
        counts = run(*data)
        times.append(time.perf_counter() - start)
        spent.append(time.process_time() - worked)
    memory = peak_memory_mb()
    wrong = int(np.count_nonzero(counts != reference(*data)))
    return {
        "seconds": statistics.median(times),
        "spread": max(times) - min(times),
        "cpu_seconds": statistics.median(spent),
        "runs": len(times),
        "error": wrong,
        "memory_mb": memory,
        "lines": code_lines([run]),
    }


def measure(method: str) -> dict[str, Any]:
    """One row, by a process of its own."""
    _, variables, package = METHODS[method]
    empty = {"case": "correlator", "method": method, "seconds": None, "error": None, "memory_mb": None, "lines": None, "cpu_seconds": None}
    if package != "qdot":
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            return empty | {"note": f"skipped: {package} is not installed"}
    command = [sys.executable, "-m", "benchmarks.correlator", "--worker", method]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"} | variables, check=False)
    if done.returncode:
        return empty | {"note": "failed: " + (done.stderr.strip() or "no message").splitlines()[-1]}
    return empty | json.loads(done.stdout)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown lines."""
    fastest = next((r["cpu_seconds"] for r in rows if r["method"] == "qdot, compiled"), None)
    lines = ["| method | seconds | slowest - fastest | CPU seconds | times qdot | wrong bins | memory MB | lines | runs |", "|" + "---|" * 9]
    for r in rows:
        if r["seconds"] is None:
            lines.append(f"| {r['method']}: {r['note']} | | | | | | | | |")
            continue
        ratio = f"{r['cpu_seconds'] / fastest:.3g}" if fastest else ""
        cells = [r["method"], f"{r['seconds']:.3g}", f"{r['spread']:.2g}", f"{r['cpu_seconds']:.3g}", ratio, str(r["error"]), f"{r['memory_mb']:.0f}"]
        lines.append("| " + " | ".join([*cells, str(r["lines"]), str(r["runs"])]) + " |")
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.correlator", description="All pairs of ten million photons")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--readme", metavar="FILE.json", help="write what --json gave into README.md, and measure nothing")
    parser.add_argument("--worker", choices=METHODS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(worker(args.worker)))
        return
    if args.readme:
        found = json.loads(Path(args.readme).read_text())
        said = "`python -m benchmarks.correlator`; " + ", ".join(f"{k} {v}" for k, v in found["versions"].items()) + "."
        before, rest = README.read_text().split(MARKS[0])
        README.write_text(before + MARKS[0] + "\n".join([said, "", *table(found["rows"])]) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])
        return
    versions = {"python": sys.version.split()[0]} | {k: metadata.version(k) for k in ("qdot", "numpy", "numba", "pycorrelate") if _is_there(k)}
    rows = [measure(method) for method in METHODS]
    print(json.dumps({"versions": versions, "rows": rows}, indent=1) if args.json else "\n".join(table(rows)))


def _is_there(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
