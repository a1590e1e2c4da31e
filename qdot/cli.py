"""The command line: thin commands around `scenario`, `study`, `fitting` and `emitters`.

Exit codes: 0 done, 1 a required number disagrees or a fit failed, 2 bad input (one message on standard error, no traceback).
With --json nothing but one JSON document goes to standard output; progress and notes go to standard error.
What a command needs is imported when it runs, so that `qdot --help` answers at once.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qdot.errors import InputError, bad, unknown

if TYPE_CHECKING:
    from rich.table import Table

DONE, FAILED, BAD_INPUT = 0, 1, 2

app = typer.Typer(
    name="qdot",
    help="Photon statistics of quantum-dot sources: from a level scheme to g2 and P(n), and back from data.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
COMMAND_LINE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
"""What the command-line library raises for an unknown option, a missing argument and the like."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. arguments: without the program's name; those of the process if None."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(app).main(args=given or ["--help"], prog_name="qdot", standalone_mode=False)
    except COMMAND_LINE_ERROR as error:
        return _refuse(f"{error.format_message()} (see qdot --help)")  # type: ignore[attr-defined]
    except InputError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or 'the output'} must be a file or folder that can be used, got: {error.strerror}; check its name and permissions")
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("qdot: interrupted\n")
        return 130
    return code if isinstance(code, int) else DONE


def _refuse(message: str) -> int:
    """One message on standard error, for exit code 2."""
    sys.stderr.write(f"qdot: {' '.join(message.splitlines())}\n")
    return BAD_INPUT


def _version(wanted: bool) -> None:
    if wanted:
        from qdot import __version__

        _print(f"qdot {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    pass


# Commands -------------------------------------------------------------------------------------------------------------------------------------------


@app.command("run")
def _run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A scenario file (TOML).", show_default=False)],
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the JSON document to this file too.", show_default=False)] = None,
) -> None:
    """Compute what a scenario file asks for."""
    from qdot import scenario

    asked = scenario.load(file)
    with _busy(f"computing {file.name}"):
        result = scenario.run(asked)
    if out is not None:
        _write(out, _as_json(result) + "\n")
    _print(_as_json(result) if as_json else _tables(_scenario_tables(result)))


@app.command("reproduce")
def _reproduce(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY ...]", help="Studies to run; all of them if none is named.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of measurements that are not shipped.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the figures; without it none are drawn.", show_default=False)] = None,
) -> None:
    """Compare published numbers with computed ones; exits with 1 if a required number differs."""
    from qdot import study

    known = study.names()
    if not known:
        raise bad("study", "be at hand", "no folder of studies", "install qdot as a package, or run it from its source tree")
    for name in studies or []:
        if name not in known:
            raise unknown("study", name, known)
    verdicts = []
    for name in studies or known:
        with _busy(f"reproducing {name}"):
            verdicts += study.reproduce(name, data=data, out=out / name if out is not None and len(studies or known) > 1 else out)
    if out is not None:
        _note(f"figures in {out}")
    rows = [v.as_dict() for v in verdicts]
    wrong = [v for v in verdicts if v.required and v.verdict == "differs"]
    _print(_as_json(rows) if as_json else _tables(_verdict_tables(rows)))
    if wrong:
        _note(f"{len(wrong)} required number{'s' if len(wrong) > 1 else ''} differ{'' if len(wrong) > 1 else 's'}: " + ", ".join(v.quantity for v in wrong))
        raise typer.Exit(FAILED)


@app.command("emitters")
def _emitters(as_json: AsJson = False) -> None:
    """List the emitters with every parameter: unit, default, bounds and meaning."""
    described = describe_emitters()
    _print(_as_json(described) if as_json else _tables(_emitter_tables(described)))


# Printing -------------------------------------------------------------------------------------------------------------------------------------------


def _print(text: str) -> None:
    """Standard output, in one piece; a reader that has gone away is not an error."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as error:
        _drop_output()
        if not isinstance(error, BrokenPipeError):
            raise


def _drop_output() -> None:
    """Send the rest of standard output nowhere, so that closing it at exit cannot fail either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _note(text: str) -> None:
    sys.stderr.write(f"qdot: {text}\n")


def _busy(what: str) -> AbstractContextManager[Any]:
    """A spinner on standard error while something runs; silent where that is not a terminal."""
    from rich.console import Console

    return Console(stderr=True).status(what)


def _write(path: Path, text: str) -> None:
    if path.is_dir() or not path.parent.is_dir():
        raise bad("--out", "be a file in a folder that exists", str(path), "make the folder or choose another name")
    path.write_text(text, encoding="utf-8")
    _note(f"wrote {path}")


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False)


def _tables(tables: Iterable[Table]) -> str:
    """Rich tables as text: as wide as the terminal, or as wide as they need where there is none."""
    from rich.console import Console

    console = Console() if sys.stdout is not None and sys.stdout.isatty() else Console(width=200, color_system=None)
    with console.capture() as captured:
        for one in tables:
            console.print(one.title, markup=False, highlight=False)
            one.title = None
            console.print(one)
    return captured.get()


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _number(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


UNITS = {"flux_per_ns": "1/ns"}


def _scenario_tables(result: Mapping[str, Any]) -> Iterable[Table]:
    """The lab-book view of a scenario's result."""
    single = _table(f"stage: {result['stage']}" + (f", window: {result['window']}" if "window" in result else ""), "quantity", "value", "unit")
    for key in ("populations", "flux_per_ns"):
        for name, value in result.get(key, {}).items():
            single.add_row(f"{key}.{name}", _number(value), UNITS.get(key, ""))
    numbers = result.get("photon_numbers", [])
    joint = bool(numbers) and isinstance(numbers[0], list)
    for n, p in enumerate([] if joint else numbers):
        single.add_row(f"P({n})", _number(p), "")
    skip = {"stage", "window", "populations", "flux_per_ns", "g2", "photon_numbers", "side_peaks", "errors"}
    for key, value in result.items():
        if key in skip:
            continue
        for place, one in [(key, value)] if not isinstance(value, list) else [(f"{key}[{i}]", v) for i, v in enumerate(value)]:
            single.add_row(place, _number(one), "")
    yield single
    if joint:
        table = _table("joint photon numbers P(n, m): n down, m across", "n", *(str(m) for m in range(len(numbers[0]))))
        for n, row in enumerate(numbers):
            table.add_row(str(n), *(_number(p) for p in row))
        yield table
    curves = result.get("g2", [])
    for i, curve in enumerate(curves if isinstance(curves, list) else [curves]):
        table = _table("g2" if not isinstance(curves, list) else f"g2[{i}]", "tau (ns)", "g2")
        for tau, value in zip(curve["tau_ns"], curve["value"], strict=True):
            table.add_row(_number(tau), _number(value))
        yield table
    if "side_peaks" in result:
        table = _table("side peaks, <n_0 n_m> / mu^2 (m = 0: <n(n-1)> / mu^2)", "m", "g2[m]")
        for m, value in enumerate(result["side_peaks"]):
            table.add_row(str(m), _number(value))
        yield table


def _verdict_tables(rows: Sequence[Mapping[str, Any]]) -> Iterable[Table]:
    for name in dict.fromkeys(row["study"] for row in rows):
        table = _table(str(name), "quantity", "stage", "published", "uncertainty", "computed", "verdict", "required", "status", "source")
        for row in rows:
            if row["study"] == name:
                cells = [_number(row[k]) for k in ("quantity", "stage", "published", "uncertainty", "computed", "verdict")]
                table.add_row(*cells, "yes" if row.get("required") else "no", _number(row["status"]), _number(row["source"]))
        yield table


def describe_emitters() -> list[dict[str, Any]]:
    """Every emitter with its parameters, as plain values; None for a bound that is infinite."""
    from qdot import emitters

    return [
        {
            "emitter": kind.__name__,
            "meaning": (kind.__doc__ or "").strip().splitlines()[0],
            "parameters": [
                {**p._asdict(), "low": _bound(p.low), "high": _bound(p.high), "default": p.default if isinstance(p.default, bool | int) else _bound(p.default)}
                for p in kind.parameters()
            ],
        }
        for kind in emitters.ALL
    ]


def _bound(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _emitter_tables(described: Sequence[Mapping[str, Any]]) -> Iterable[Table]:
    for one in described:
        table = _table(f"{one['emitter']}: {one['meaning']}", "parameter", "default", "unit", "from", "to", "meaning", "source of the default")
        for p in one["parameters"]:
            limits = [_number(p["low"]), "inf" if p["high"] is None else _number(p["high"])]
            table.add_row(p["name"], _number(p["default"]), p["unit"], *limits, p["meaning"], p["source"])
        yield table
