"""What all tests share: where the measured data lie, and plots that need no screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("MPLBACKEND", "Agg")
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # small matrices: more threads only wait for each other


def shared_folder() -> Path | None:
    """The folder of third-party measurements: QDOT_SHARED, or `shared` beside the repository; None where there is none."""
    named = os.environ.get("QDOT_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder if (folder / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder `data` of the third-party measurements; skips with a reason where it is absent."""
    folder = shared_folder()
    if folder is None:
        pytest.skip(f"no measured data: set QDOT_SHARED, or put the folder shared beside {ROOT}")
    return folder / "data"
