"""Side-by-side measurements of qdot, QuTiP and plain SciPy on the same cases: `python -m benchmarks [CASE ...] [--json]`."""
