"""A new study from a template: a folder with README, table of published numbers, fit file and `study.py`, which runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from qdot.errors import bad

NAME = re.compile(r"[a-z][a-z0-9_]*_\d{4}")
"""author_year."""

README = """# {name}

Citation, DOI, and what is reproduced. Data: where they come from, and their licence.

    qdot fit --study {folder} --out OUT
    qdot fit {folder}/fit.toml --out OUT

## Stated, fitted, assumed, open

**Stated**: read in the paper, with the place.

**Fitted**: see `fit.toml`.

**Assumed**: and why.

**Open**: what the data leave undetermined. `qdot fit` names it.
"""

PUBLISHED = """# Every number that is published, and where. status: read, derived or recalled. required = true makes `qdot reproduce` fail if it differs.

[paper]
title = ""
doi = ""
read = "nothing yet"

[[number]]
key = "spin_flip_per_ns"
quantity = "spin-flip rate X to D"
value = 1e-4
uncertainty = 2e-5
unit = "1/ns"
where = "an example: the value that simulated g2_vs_power.csv"
status = "derived"
stage = "emission"
required = true
"""

FIT = """emitter = "DarkLoadedCascade"
label = "pair"

[drive]
shape = "cw"
power_uW = 1.0

[vary]                                    # start, or [start, low, high]; bounds of the declaration hold besides
"source.pump_per_ns_per_uW" = [3e-3, 0.0, inf]
"source.spin_flip_per_ns" = [3e-4, 0.0, inf]

[derive]
flips_per_pump = "source.spin_flip_per_ns / source.pump_per_ns_per_uW"

[[data]]
file = "g2_vs_power.csv"
value = "g2_zero"
"""

DATA = """# An example, to be replaced: g2(0) of DarkLoadedCascade with its defaults, pump 1e-3 per ns and uW, spin flip 1e-4 per ns, errors of 3 % (simulated).
power_uW,g2_zero,g2_zero_error
0.01,1.4268e+05,4.28e+03
0.03,92902,2.79e+03
0.1,37965,1.14e+03
0.3,16069,482
1,4975.9,149
3,1639.4,49.2
10,494.67,14.8
30,168.61,5.06
"""

STUDY = '''"""{name}: what is published, and what the fit of its data finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qdot.fitting import FitResult, fit_file
from qdot.study import Verdict, published

HERE = Path(__file__).resolve().parent


def joint_fit() -> FitResult:
    """The fit that fit.toml describes."""
    return fit_file(HERE / "fit.toml")


def fit(data: Path | None = None, out: Path | None = None) -> dict[str, Any]:
    """The fit as plain values; report, figure and record go to `out`."""
    result = joint_fit()
    if out is not None:
        result.write(out)
    return result.as_dict()


def run(data: Path | None = None, out: Path | None = None) -> list[Verdict]:
    """Published against fitted numbers."""
    result, table = joint_fit(), published(HERE)
    if out is not None:
        result.write(out)
    found = result.parameters["source.spin_flip_per_ns"]
    return [table["spin_flip_per_ns"].judge(found.value, str(found))]
'''


def new_study(name: str, where: Path) -> Path:
    """Make the folder `where`/name and return it. Raises InputError for a name that is not author_year, and for a folder that is there already."""
    if not NAME.fullmatch(name):
        raise bad("--new", "be AUTHOR_YEAR in lower case", repr(name), "for example smith_2024")
    folder = where / name
    if folder.exists():
        raise bad("--new", "name a study that is not there yet", str(folder), "choose another name, or remove that folder")
    folder.mkdir(parents=True)
    files = {"README.md": README, "published.toml": PUBLISHED, "fit.toml": FIT, "g2_vs_power.csv": DATA, "study.py": STUDY}
    for file, text in files.items():
        (folder / file).write_text(text.replace("{name}", name).replace("{folder}", str(folder)), encoding="utf-8")
    return folder
