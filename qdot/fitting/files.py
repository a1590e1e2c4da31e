"""Fit files (TOML): the emitter, its drive, the data sets with what is special about each, and the parameters. Read and written here.

emitter = "DarkLoadedCascade"
label = "pair"
[source]                                  # numbers that are held; everything else is the emitter's default
temperature_K = 5.0
[drive]
shape = "cw"                              # or square, gaussian, sech, instant with their own fields
power_uW = 1.0
[collection]
pair = 0.55
[vary]                                    # start, or [start, low, high] with inf where there is no bound
"source.spin_flip_per_ns" = [1e-4, 0.0, inf]
[tie]
"source.lifetime_XX_ns" = "0.6 * source.lifetime_X_ns"
[prior]                                   # [value, error] or [value, minus, plus]
"calibration.power" = [1.0, 0.05]
[derive]
bright_share = "1 - source.selectivity"
[[data]]
file = "g2_vs_power.csv"                  # beside the fit file
value = "g2_zero"
power_scale = "calibration.power"
[[data]]
file = "histogram_3uW.csv"
name = "low"                              # its own parameters: low.counts_per_bin, ...
at = { "drive.power_uW" = 3.0 }
response = { fwhm_ns = 0.35 }
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qdot import drive as drives
from qdot import emitters
from qdot.data import Histogram, Measured, Series, read_histogram, read_measured, read_series
from qdot.errors import bad, unknown
from qdot.experiment import Experiment
from qdot.fitting.observables import Observation
from qdot.fitting.parameters import JointPrior
from qdot.fitting.request import Request
from qdot.fitting.response import Response

SHAPES = {"cw": drives.CW, "square": drives.Square, "gaussian": drives.Gaussian, "sech": drives.Sech, "instant": drives.Instant}
"""Drives by the name of their shape."""
KEYS = ("emitter", "label", "source", "drive", "collection", "vary", "tie", "prior", "joint_prior", "derive", "scan", "data")
OF_FILE = ("file", "kind", "value", "x", "error", "between", "skip_bad", "skip_glitches")
OF_DATA = (*OF_FILE, "label", "second", "at", "quantity", "response", "scale", "power_scale", "detectors", "name")


def read_fit(path: str | Path) -> Request:
    """The fit that a file asks for. Raises InputError with the file's name for unknown keys (with the nearest) and for everything that is wrong."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad(str(path), "be valid TOML", str(error), "correct that line") from None
    for key in table:
        if key not in KEYS:
            raise unknown(f"{path} key", key, KEYS)
    kinds = {kind.__name__: kind for kind in emitters.ALL}
    if table.get("emitter") not in kinds:
        raise unknown(f"{path} emitter", table.get("emitter"), kinds)
    source = _made(f"{path} [source]", kinds[str(table["emitter"])], _table(path, table, "source"))
    experiment = Experiment(source, drive=_drive(path, table), collection=_table(path, table, "collection"))
    entries = table.get("data", [])
    if not isinstance(entries, list) or not entries:
        raise bad(f"{path} data", "be one or more [[data]]", "nothing", "name the files of the measurements")
    data = [_observation(path, i, entry) for i, entry in enumerate(entries)]
    vary = {n: tuple(v) if isinstance(v, list) else v for n, v in _table(path, table, "vary").items()}
    joint = [JointPrior(tuple(j["names"]), np.array(j["values"]), np.array(j["covariance"])) for j in table.get("joint_prior", [])]
    priors: Any = [_table(path, table, "prior"), *joint] if joint else _table(path, table, "prior")
    tie, derive, scan = _table(path, table, "tie"), _table(path, table, "derive"), table.get("scan", 0)
    return Request.of(experiment, data, vary, table.get("label"), None, tie, priors, derive, scan)


def _table(path: Path, table: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise bad(f"{path} {key}", f"be a table [{key}]", repr(found), "write it as [name] with lines name = value")
    return found


def _made(who: str, kind: Any, values: Mapping[str, Any]) -> Any:
    known = [f.name for f in dataclasses.fields(kind)]
    for key in values:
        if key not in known:
            raise unknown(who, key, known)
    missing = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    for name in missing:
        if name not in values:
            raise bad(who, f"have {name}", "nothing", "add it")
    return kind(**values)


def _drive(path: Path, table: Mapping[str, Any]) -> Any:
    values = dict(_table(path, table, "drive"))
    shape = values.pop("shape", "cw")
    if shape not in SHAPES:
        raise unknown(f"{path} drive.shape", shape, SHAPES)
    return _made(f"{path} [drive]", SHAPES[shape], values)


def _observation(path: Path, i: int, entry: Mapping[str, Any]) -> Observation:
    who = f"{path} data[{i}]"
    for key in entry:
        if key not in OF_DATA:
            raise unknown(f"{who} key", key, OF_DATA)
    if "file" not in entry:
        raise bad(f"{who}.file", "be given", "nothing", "name the file of the measurement")
    measured = _read(who, path.parent / str(entry["file"]), entry)
    response = _made(f"{who}.response", Response, entry["response"]) if "response" in entry else None
    named = {k: entry[k] for k in ("label", "second", "at", "quantity", "scale", "power_scale", "name") if k in entry}
    named["detectors"] = tuple(entry.get("detectors", ()))
    return Observation(data=measured, response=response, **named)


def _read(who: str, file: Path, entry: Mapping[str, Any]) -> Measured:
    between = (float(entry["between"][0]), float(entry["between"][1])) if "between" in entry else None
    kind = entry.get("kind")
    if kind not in (None, "series", "histogram"):
        raise unknown(f"{who}.kind", kind, ["series", "histogram"])
    if kind is None:
        kind = "series" if {"value", "x", "error"} & entry.keys() else "histogram" if isinstance(read_measured(file), Histogram) else "series"
    if kind == "histogram":
        return read_histogram(file, between=between, skip_glitches=bool(entry.get("skip_glitches")))
    error = entry.get("error")
    error = tuple(error) if isinstance(error, list) else error
    return read_series(file, entry.get("value"), entry.get("x"), error, between=between, skip_bad=bool(entry.get("skip_bad")))


# -------------------------------------------------------------------------------------------------------------- writing


def written(request: Request, files: Sequence[str]) -> str | None:
    """The fit file of a request whose data stand in `files`; None for what no file can say (functions, models without an emitter)."""
    e = request.source
    if not isinstance(e, Experiment) or request.predict is not None or any(o.curve is not None or o.integral is not None for o in request.observations):
        return None
    shape = next((k for k, kind in SHAPES.items() if len(e.drives) == 1 and type(e.drives[0]) is kind), None)
    if e.detectors or e.blinking is not None or e.analysis or e.filters:
        return None
    if type(e.source) not in emitters.ALL or shape is None or any(callable(v) for v in request.derive.values()) or any(o.drive for o in request.observations):
        return None
    parts = [f"emitter = {_text(type(e.source).__name__)}"]
    if request.label is not None:
        parts.append(f"label = {_text(request.label if isinstance(request.label, str) else list(request.label))}")
    if request.scan:
        parts.append(f"scan = {request.scan}")
    parts.append(_section("source", {f.name: getattr(e.source, f.name) for f in dataclasses.fields(e.source)}))
    fields = {f.name: getattr(e.drives[0], f.name) for f in dataclasses.fields(e.drives[0])}
    parts.append(_section("drive", {"shape": shape, **{k: v for k, v in fields.items() if v is not None}}))
    parts.append(_section("collection", dict(e.collection)))
    parts.append(_section("vary", {p.name: [p.start, p.low, p.high] for p in request.space.parameters}))
    parts.append(_section("tie", dict(request.tie)))
    parts.append(_section("prior", {n: [p.value, p.minus, p.plus] for n, p in request.space.priors.items()}))
    for j in request.space.joint:
        parts.append("[[joint_prior]]\n" + _lines({"names": list(j.names), "values": j.values.tolist(), "covariance": j.covariance.tolist()}))
    parts.append(_section("derive", dict(request.derive)))
    for o, file in zip(request.observations, files, strict=True):
        parts.append("[[data]]\n" + _lines(_entry(o, file)))
    return "\n\n".join(p for p in parts if p) + "\n"


def _entry(o: Observation, file: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": file, "kind": "histogram" if isinstance(o.data, Histogram) else "series"}
    if isinstance(o.data, Series):
        entry.update(x=o.data.x_name, value=o.data.name)
        if o.data.law == "normal":
            entry["error"] = ["minus", "plus"]
    for key, default in (("label", None), ("second", None), ("quantity", None), ("scale", 1.0), ("power_scale", None), ("name", "")):
        value = getattr(o, key)
        if value != default:
            entry[key] = value if isinstance(value, str | float | int) else list(value)
    if o.at or o.data.settings:
        entry["at"] = {**o.data.settings, **o.at}
    if o.response is not None:
        r = o.response
        curve = {"offset_ns": np.asarray(r.offset_ns).tolist(), "weight": np.asarray(r.weight).tolist()}
        entry["response"] = curve if r.fwhm_ns is None else {"fwhm_ns": r.fwhm_ns}
    return entry


def data_text(d: Measured) -> str:
    """A measurement as a CSV file that the readers read back, to the last digit."""
    if isinstance(d, Histogram):
        rows = [f"{d.axis},counts", *(f"{float(t)!r},{int(c)}" for t, c in zip(d.left_ns, d.counts, strict=True))]
    elif d.law == "poisson":
        rows = [f"{d.x_name},{d.name}", *(f"{float(x)!r},{int(v)}" for x, v in zip(d.x, d.value, strict=True))]
    elif d.trials is not None:
        rows = [f"{d.x_name},{d.name},trials", *(f"{float(x)!r},{int(v)},{int(n)}" for x, v, n in zip(d.x, d.value, d.trials, strict=True))]
    else:
        columns = zip(d.x, d.value, d.minus, d.plus, strict=True)
        rows = [f"{d.x_name},{d.name},minus,plus", *(",".join(repr(float(v)) for v in row) for row in columns)]
    return "\n".join([f"# from {d.source}", *(f"# {out}" for out in d.left_out), *rows]) + "\n"


def _section(name: str, values: Mapping[str, Any]) -> str:
    return f"[{name}]\n{_lines(values)}" if values else ""


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{_key(k)} = {_text(v)}" for k, v in values.items())


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'


def _text(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_text(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    if isinstance(value, int):
        return str(value)
    x = float(value)
    return ("-inf" if x < 0 else "inf") if math.isinf(x) else repr(x)
