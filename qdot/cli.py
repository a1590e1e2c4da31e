"""The command line: thin commands around `scenario`, `study`, `fitting` and `emitters`.

Exit codes: 0 done, 1 a required number disagrees or a fit failed, 2 bad input (one message on standard error, no traceback).
With --json nothing but one JSON document goes to standard output; progress and notes go to standard error.
What a command needs is imported when it runs, so that `qdot --help` answers at once.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from threadpoolctl import threadpool_limits

from qdot.errors import InputError, bad, number, unknown

if TYPE_CHECKING:
    from rich.table import Table

    from qdot.fitting import FitResult

T = TypeVar("T")
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
    _one_thread()
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


def _one_thread() -> None:
    """One BLAS thread: the matrices are small, and more threads only wait for each other. Importing this module has loaded the libraries."""
    threadpool_limits(limits=1, user_api="blas")


def _refuse(message: str) -> int:
    """One message on standard error, for exit code 2."""
    sys.stderr.write(f"qdot: {' '.join(message.splitlines())}\n")
    return BAD_INPUT


def _with_options(text: str, options: Mapping[str, str]) -> str:
    """A message about the arguments {name: option} of a function in the words of the command line: "period_ns = 12.5" becomes "--period-ns 12.5".

    Names that are plain words, as channels, are replaced where the message begins with them or gives them a value. Parts of paths stay as they are.
    """
    for name, option in options.items():
        text = re.sub(rf"(?<![\w./\\-]){name} ?= ?\(([^(),]*), ([^(),]*)\)", rf"{option} \1 \2", text)
        text = re.sub(rf"(?<![\w./\\-]){name} ?= ?(?=[-+\d])", f"{option} ", text)
        text = re.sub(rf"(?<![\w./\\-]){name}(?![\w/\\-]|\.\w)" if re.search(r"[_ ]", name) else rf"^{name}(?= must )", option, text)
    return text


@contextmanager
def _in_options(options: Mapping[str, str]) -> Iterator[None]:
    """Errors that name arguments of a function name options of the command instead."""
    try:
        yield
    except InputError as error:
        raise InputError(_with_options(str(error), options)) from None


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
    explain: Annotated[bool, typer.Option("--explain", help="Say how it is calculated: size before and after reduction, methods, cut-offs.")] = False,
) -> None:
    """Compute what a scenario file asks for."""
    from qdot import scenario

    asked = scenario.load(file)
    with _busy(f"computing {file.name}"):
        result = scenario.run(asked)
        report = asked.experiment().explain() if explain else None
    if report is not None:
        result["explain"] = dataclasses.asdict(report)
    if out is not None:
        _write(out, _as_json(result) + "\n")
    if as_json:
        _print(_as_json(result))
        return
    _print(_tables(_scenario_tables({k: v for k, v in result.items() if k != "explain"})))
    if report is not None:
        _print(str(report))


@app.command("reproduce")
def _reproduce(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY ...]", help="Studies to run; all of them if none is named.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of measurements that are not shipped.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for figures; default qdot-figures, with --json none.", show_default=False)
    ] = None,
) -> None:
    """Compare published numbers with computed ones and draw the figures; exits with 1 if a required number differs."""
    from qdot import study

    known = study.names()
    if not known:
        raise bad("study", "be at hand", "no folder of studies", "install qdot as a package, or run it from its source tree")
    for name in studies or []:
        if name not in known:
            raise unknown("study", name, known)
    if out is None and not as_json:
        out = Path("qdot-figures")
    chosen = list(dict.fromkeys(studies or known))
    with _busy(f"reproducing {', '.join(chosen)}"):
        verdicts = [v for found in _each(study.reproduce, [(name, data, None if out is None else out / name) for name in chosen]) for v in found]
    if out is not None:
        _note(f"figures in {out}")
    wrong = [v for v in verdicts if v.required and v.verdict == "differs"]
    by_study = [f"{name}\n\n{study.table([v for v in verdicts if v.study == name])}" for name in dict.fromkeys(v.study for v in verdicts)]
    _print(_as_json([v.as_dict() for v in verdicts]) if as_json else "\n\n".join(by_study))
    if wrong:
        _note(f"{len(wrong)} required number{'s' if len(wrong) > 1 else ''} differ{'' if len(wrong) > 1 else 's'}: " + ", ".join(v.quantity for v in wrong))
        raise typer.Exit(FAILED)


def _each(call: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """call(*a) for each a, in order; several at once in processes of their own where there are several."""
    if len(arguments) == 1:
        return [call(*arguments[0])]
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    workers = min(len(arguments), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _one_thread) as pool:
        return [job.result() for job in [pool.submit(call, *a) for a in arguments]]


@app.command("fit")
def _fit(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA ...]", help="Measured series and histograms, fitted together (FILE or FILE:COLUMN), or one fit file (TOML).", show_default=False
        ),
    ] = None,
    study_name: Annotated[str | None, typer.Option("--study", metavar="NAME", help="Run the fit of a study instead.", show_default=False)] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="With --study: folder of its measurements.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for report, figure and record.", show_default=False)] = None,
    new: Annotated[str | None, typer.Option("--new", metavar="AUTHOR_YEAR", help="Start a study from a template, in fits/.", show_default=False)] = None,
    emitter: Annotated[str | None, typer.Option("--emitter", metavar="NAME", help="The source to fit; see `qdot emitters`.", show_default=False)] = None,
    vary: Annotated[
        list[str] | None, typer.Option("--vary", metavar="NAME=START[:LOW:HIGH]", help="A parameter to fit, with start and limits.", show_default=False)
    ] = None,
    fixed: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter to hold at this value.", show_default=False)] = None,
    drive: Annotated[str, typer.Option("--drive", metavar="SHAPE[:KEY=VALUE,...]", help="For example gaussian:fwhm_ns=0.01,period_ns=12.5.")] = "cw",
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="Whose light was measured; all of it if left out.", show_default=False)
    ] = None,
    tie: Annotated[
        list[str] | None, typer.Option("--tie", metavar="NAME=EXPRESSION", help="A parameter that follows others, as 0.6*source.x.", show_default=False)
    ] = None,
    scan: Annotated[int, typer.Option("--scan", metavar="N", min=0, help="Start from the best of N points that fill the bounds.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit a source to measured data (or as a fit file says), run the fit of a study, or start a new study; exits with 1 if the fit fails."""
    own = (("DATA", files), ("--emitter", emitter), ("--vary", vary), ("--set", fixed), ("--tie", tie), ("--label", labels), ("--scan", scan))
    if new is not None:
        given = [name for name, value in (*own, ("--study", study_name), ("--data", data), ("--out", out)) if value]
        if given:
            raise bad("--new", "stand alone", f"it together with {', '.join(given)}", "fill in the template first")
        from qdot.fitting.template import new_study

        made = new_study(new, Path("fits"))
        _print(_as_json({"study": str(made)}) if as_json else f"{made}: fill in README.md, published.toml and fit.toml, then qdot fit --study {made}")
        return
    if study_name is not None:
        given = [name for name, value in own if value]
        if given:
            raise bad(
                "--study", "stand alone (a study brings its own source, parameters and data)", f"it together with {', '.join(given)}", "use one of the two"
            )
        from qdot import study

        with _busy(f"fitting {study_name}"):
            found = study.fit(study_name, data, out)
        if out is not None:
            _note(f"figures in {out}")
    else:
        if data is not None:
            raise bad("--data", "come with --study", f"{data} without it", "name the data files as arguments")
        is_file = bool(files) and str((files or [""])[0]).endswith(".toml")
        if is_file:
            given = [name for name, value in own[1:] if value] + (["more DATA"] if len(files or []) > 1 else [])
            if given:
                raise bad("a fit file", "stand alone (it says all of that)", f"it together with {', '.join(given)}", "write it into the file")
        for name, missing, example in (
            ("DATA", not files, "g2_vs_power.csv"),
            ("--emitter", emitter is None, "--emitter DarkLoadedCascade"),
            ("--vary", not vary, "--vary spin_flip_per_ns=1e-4:0:"),
        ):
            if missing and not is_file:
                raise bad(name, "be given (or --study NAME)", "nothing", f"for example {example}")
        from qdot import fitting

        with _warnings_as_notes(), _busy(f"fitting {', '.join(files or [])}"):
            if is_file:
                result = fitting.fit_file((files or [""])[0])
            else:
                result = _fit_series(files or [], emitter or "", vary or [], fixed or [], drive, labels or [], tie or [], scan)
            if out is not None:
                result.write(out)
        if out is not None:
            _note(f"report, figure and record in {out}")
        found = result.as_dict()
    _print(_as_json(found) if as_json else _tables(_fit_tables(found)))
    for one in found.get("warnings", ()):
        _note(f"warning: {one}")
    if found.get("converged") is False:
        _note("the fit did not converge: start nearer to a solution, vary fewer parameters or bound them")
        raise typer.Exit(FAILED)


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """What is odd about data goes to standard error as one line each."""
    from qdot.data import DataWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        yield
    for one in caught:
        if issubclass(one.category, DataWarning):
            _note(f"warning: {one.message}")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _fit_series(
    files: Sequence[str],
    emitter: str,
    vary: Sequence[str],
    fixed: Sequence[str],
    drive: str,
    labels: Sequence[str],
    tie: Sequence[str],
    scan: int,
) -> FitResult:
    """The fit of one emitter to several files."""
    import qdot
    from qdot import emitters

    kinds = {kind.__name__: kind for kind in emitters.ALL}
    if emitter not in kinds:
        raise unknown("--emitter", emitter, kinds)
    start = {name: _start_and_limits(name, text) for name, text in _named_values("--vary", vary)}
    held = {name: _plain(f"--set {name}", text) for name, text in _named_values("--set", fixed)}
    both = sorted(start.keys() & held.keys())
    if both:
        raise bad("--set", "hold a parameter that is not varied", f"{both[0]} in --vary and in --set", "remove one of them")
    experiment = qdot.Experiment(kinds[emitter](), drive=_drive(drive)).replace(held)
    tied = dict(_named_values("--tie", tie))
    of_source = {name: value for name, (value, _, _) in start.items() if name.partition(".")[0] in ("source", "drive", "collection")}
    experiment.replace(of_source)  # refuses what no such source has
    measured = [_read(text) for text in files]
    return qdot.fit(experiment, measured, vary=start, label=list(labels) or None, tie=tied, scan=scan)


def _read(text: str) -> Any:
    """FILE, or FILE:COLUMN for one quantity of several."""
    from qdot.data import read_measured, read_series

    file, colon, column = text.rpartition(":")
    if colon and not file.endswith(":") and not Path(text).exists() and Path(file).exists():
        return read_series(file, column)
    return read_measured(text)


def _named_values(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """NAME=VALUE as (dotted name, value); a bare name is one of the source."""
    found: list[tuple[str, str]] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise bad(option, "be NAME=VALUE", repr(text), f"for example {option} spin_flip_per_ns=1e-4")
        dotted = name.strip() if "." in name else f"source.{name.strip()}"
        if any(dotted == other for other, _ in found):
            raise bad(option, "name each parameter once", f"{name.strip()} twice", "remove one of them")
        found.append((dotted, value))
    return found


def _real(argument: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise bad(argument, "be a number", repr(text), "write it like 1e-4") from None
    if not math.isfinite(value):
        raise bad(argument, "be a finite number", text, "write it like 1e-4")
    return value


def _plain(argument: str, text: str) -> bool | int | float:
    """true, false, a whole number or a number."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else _real(argument, text)


def _start_and_limits(name: str, text: str) -> tuple[float, float | None, float | None]:
    """START[:LOW:HIGH]; an empty limit is none."""
    parts = text.split(":")
    if len(parts) not in (1, 3):
        raise bad(f"--vary {name}", "be START or START:LOW:HIGH (a limit may be left empty)", repr(text), "for example 1e-4:0:")
    low, high = ((_real(f"--vary {name} limit", p) if p.strip() else None) for p in (parts[1:] or ["", ""]))
    value = _real(f"--vary {name} start", parts[0])
    if (low is not None and value < low) or (high is not None and value > high):
        raise bad(f"--vary {name}", "start inside its limits", text, "move the start or the limits")
    return value, low, high


def _drive(text: str) -> Any:
    """SHAPE[:KEY=VALUE,...] as a drive."""
    from qdot import drive as drives

    shapes = {"cw": drives.CW, "square": drives.Square, "gaussian": drives.Gaussian, "sech": drives.Sech, "instant": drives.Instant}
    shape, _, rest = text.partition(":")
    if shape not in shapes:
        raise unknown("--drive", shape, shapes)
    keys = [f.name for f in dataclasses.fields(shapes[shape]) if f.name != "name"]
    values: dict[str, float] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if key not in keys:
            raise unknown(f"--drive {shape}", key, keys)
        values[key] = _real(f"--drive {key}", value if equals else "nothing")
    required = [f.name for f in dataclasses.fields(shapes[shape]) if f.default is dataclasses.MISSING and f.name not in values]
    if required:
        raise bad("--drive", f"have {' and '.join(required)} for shape {shape!r}", repr(text), f"for example {shape}:{required[0]}=0.01")
    return shapes[shape](**values)


@app.command("sweep")
def _sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A scenario file (TOML).", show_default=False)],
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="NAME=FROM:TO:N[:log]", help="A number in the file, by its place, such as jump[0].rate_per_ns.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Run a scenario for a range of one of its numbers; several --vary make a grid."""
    from qdot import scenario

    table = scenario.read_table(file)
    axes = dict(_axis(text) for text in vary)
    if len(axes) < len(vary):
        raise bad("--vary", "name each number once", ", ".join(vary), "remove one")
    grid = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    asked = []
    for point in grid:
        changed: Mapping[str, Any] = table
        for name, value in point.items():
            changed = scenario.replaced(changed, name, value)
        asked.append(scenario.from_table(changed, str(file)))
    points = [{"at": point, "result": scenario.run(one)} for point, one in zip(grid, _progress(asked, f"sweeping {file.name}"), strict=True)]
    _print(_as_json({"vary": axes, "points": points}) if as_json else _tables(_sweep_tables(points), fold=False))


def _axis(text: str) -> tuple[str, list[float]]:
    """NAME=FROM:TO:N[:log] as (name, values)."""
    name, equals, span = text.partition("=")
    parts = span.split(":")
    if not equals or len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise bad("--vary", "be NAME=FROM:TO:N or NAME=FROM:TO:N:log", repr(text), "for example jump[0].rate_per_ns=1e-4:1:20:log")
    low, high = (_real(f"--vary {name}", part) for part in parts[:2])
    if not parts[2].isdecimal() or not 1 <= int(parts[2]) <= 1_000_000:
        raise bad(f"--vary {name} N", "be a whole number >= 1", repr(parts[2]), "for example 20")
    n, log = int(parts[2]), len(parts) == 4
    if log and not (low > 0 and high > 0):
        raise bad(f"--vary {name}", "have both ends > 0 for logarithmic steps", f"{low:g} and {high:g}", "leave :log out or move the ends")
    a, b = (math.log(low), math.log(high)) if log else (low, high)
    steps = [a + (b - a) * k / max(n - 1, 1) for k in range(n)]
    values = [math.exp(v) for v in steps] if log else steps
    values[0] = low
    if n > 1:
        values[-1] = high
    return name.strip(), values


@app.command("correlate")
def _correlate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Time tags (PTU, .ttbin, NPZ, NPY, HDF5, CSV) or a histogram of a card.", show_default=False)],
    channels: Annotated[
        tuple[str, str] | None, typer.Option("--channels", metavar="A B", help="First and second channel, by number or name.", show_default=False)
    ] = None,
    third: Annotated[str | None, typer.Option("--third", metavar="C", help="With --channels: g3 with this third channel.", show_default=False)] = None,
    bin_ps: Annotated[float | None, typer.Option("--bin-ps", metavar="N", help="Width of a bin in ps; needed for tags.", show_default=False)] = None,
    range_ns: Annotated[float | None, typer.Option("--range-ns", metavar="R", help="Delays from -R to R; needed for tags.", show_default=False)] = None,
    period_ns: Annotated[float | None, typer.Option("--period-ns", metavar="T", help="Repetition period of the laser.", show_default=False)] = None,
    normalise: Annotated[str | None, typer.Option("--normalise", metavar="HOW", help="side_peaks, rates or long_delay.", show_default=False)] = None,
    zero_delay_ns: Annotated[float | None, typer.Option("--zero-delay-ns", metavar="Z", help="Cable delay; else it is found.", show_default=False)] = None,
    sync_period_ns: Annotated[float | None, typer.Option("--sync-period-ns", metavar="T", help="True sync period of a T3 file.", show_default=False)] = None,
    curve: Annotated[int | None, typer.Option("--curve", metavar="N", help="Curve of a PHU file, from 0.", show_default=False)] = None,
    leave_out: Annotated[list[int] | None, typer.Option("--leave-out", metavar="N", help="A snapshot to leave out, from 1.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Correlate two channels of time tags: all pairs, normalised, with errors and warnings."""
    from qdot import tags

    sync_ps = None if sync_period_ns is None else 1000 * number("--sync-period-ns", sync_period_ns, 0.0, open_low=True, unit="ns")
    with _in_options(CORRELATE_OPTIONS):
        held = tags.open_data(file, sync_ps, curve, leave_out or ())
    if isinstance(held, tags.Recording):
        for name, value, example in (("--bin-ps", bin_ps, "--bin-ps 256"), ("--range-ns", range_ns, "--range-ns 500")):
            if value is None:
                raise bad(name, "be given for time tags", "nothing", f"for example {example}")
    with _in_options({"channel": "--channels"}):
        chosen = None if channels is None else [held.number(c) if isinstance(held, tags.Recording) else c for c in channels]
    asked = {"bin_ps": bin_ps, "range_ns": range_ns, "period_ns": period_ns, "normalise": normalise}
    with _in_options(CORRELATE_OPTIONS), _share_bar(f"reading {file.name}") as told:
        if third is None:
            found: Any = tags.correlate(held, chosen, zero_delay_ns=zero_delay_ns, progress=told, **asked)  # type: ignore[arg-type]
        else:
            if chosen is None or not isinstance(held, tags.Recording) or zero_delay_ns is not None:
                raise bad("--third", "come with --channels and time tags, without --zero-delay-ns", f"{third}", "for example --channels 0 1 --third 2")
            found = tags.correlate3(held, [*chosen, held.number(third)], progress=told, **asked)  # type: ignore[list-item, arg-type]
    _print(_as_json(found.as_dict()) if as_json else _told_in_options(str(found)))


CORRELATE_OPTIONS = {
    "bin_ps": "--bin-ps",
    "range_ns": "--range-ns",
    "sync_period_ps": "--sync-period-ns",
    "period_ns": "--period-ns",
    "zero_delay_ns": "--zero-delay-ns",
    "leave_out": "--leave-out",
    "normalise": "--normalise",
    "curve": "--curve",
    "channels": "--channels",
}
"""Arguments of `correlate` and `open_data` by the options that give them."""
SIMULATE_OPTIONS = {"simulate_tags repeat_ns": "--repeat-ns", "simulate_tags channels": "--channel"}
"""The same of `simulate_tags`."""


def _told_in_options(printed: str) -> str:
    """A printed correlation whose warnings name options."""
    return "\n".join(_with_options(line, CORRELATE_OPTIONS) if line.startswith("warning: ") else line for line in printed.split("\n"))


@app.command("simulate")
def _simulate(
    file: Annotated[Path, typer.Argument(metavar="SCENARIO.toml", help="The scenario; its detectors record the tags.", show_default=False)],
    duration_ms: Annotated[float, typer.Option("--duration-ms", metavar="T", help="Length of the record in ms.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the random numbers: one seed, one record.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the tags: .npz, .h5 or .csv.", show_default=False)],
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="NAME=LABEL", help="What a channel sees (XX+X: the sum); a detector, or else an ideal channel.", show_default=False),
    ] = None,
    repeat_ns: Annotated[
        float | None, typer.Option("--repeat-ns", metavar="T", help="Begin anew in the start state every T ns: a single pulse, repeated.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate time tags of a scenario and write them to a file; without detectors and --channel, one ideal channel for each line."""
    import numpy as np

    from qdot import scenario, tags
    from qdot.tags.files import WRITERS
    from qdot.tags.simulation import simulate_tags

    if seed < 0:
        raise bad("--seed", "be a whole number >= 0", seed)
    if out.suffix not in WRITERS:
        raise bad("--out", f"end in {', '.join(WRITERS)}", repr(out.name), "the ending chooses the format")
    experiment = scenario.load(file).experiment()
    channels: dict[str | int, Any] = {}
    for text in channel or []:
        name, given, label = text.partition("=")
        if not given or not name or not label:
            raise bad("--channel", "be NAME=LABEL", repr(text), "for example --channel A=X")
        channels[int(name) if name.isdecimal() else name] = label.split("+") if "+" in label else label
    if not channels and not experiment.detectors:
        channels = {line: line for line in experiment.model.lines}
    number("--duration-ms", duration_ms, 0.0, open_low=True, unit="ms")
    with _in_options(SIMULATE_OPTIONS), _busy(f"simulating {duration_ms:g} ms"):
        record = simulate_tags(experiment, 1e6 * duration_ms, channels, np.random.default_rng(seed), repeat_ns=repeat_ns)
        tags.save_tags(record, out)
    about = {"file": str(out), "duration_s": record.duration_s, "period_ps": record.period_ps, "seed": seed}
    photons = [{"channel": c, "name": record.names[c], "photons": n, "per_s": n / record.duration_s} for c, n in record.counts.items()]
    _print(_as_json({**about, "channels": photons}) if as_json else f"{record}\nwritten to {out}")


@contextmanager
def _share_bar(what: str) -> Iterator[Callable[[float], object]]:
    """A bar on standard error, moved by the function that it gives; silent where that is not a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


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


def _progress(items: Sequence[T], what: str) -> Iterable[T]:
    """The items, with a bar on standard error; silent where that is not a terminal."""
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _write(path: Path, text: str) -> None:
    if path.is_dir() or not path.parent.is_dir():
        raise bad("--out", "be a file in a folder that exists", str(path), "make the folder or choose another name")
    path.write_text(text, encoding="utf-8")
    _note(f"wrote {path}")


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False)


def _tables(tables: Iterable[Table], fold: bool = True) -> str:
    """Rich tables as text: folded to the width of a terminal if there is one, else as wide as they need."""
    from rich.console import Console

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console() if is_terminal and fold else Console(width=100_000, color_system=None)
    with console.capture() as captured:
        for one in tables:
            console.print(one.title, markup=False, highlight=False)
            one.title = None
            console.print(one)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


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


UNITS = {"flux_per_ns": "1/ns", "mean_first_ns": "ns", "mean_delay_ns": "ns"}


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
    skip = {"stage", "window", "labels", "populations", "flux_per_ns", "g2", "photon_numbers", "side_peaks", "recorded", "errors", *FIELD_TITLES}
    for key, value in result.items():
        if key in skip:
            continue
        for place, one in [(key, value)] if not isinstance(value, list) else [(f"{key}[{i}]", v) for i, v in enumerate(value)]:
            single.add_row(place, _number(one), "")
    yield single
    if joint:
        first, second = result["labels"]
        table = _table(f"joint photon numbers P(n, m): n of {first} down, m of {second} across", "n", *(str(m) for m in range(len(numbers[0]))))
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
    for key, title in FIELD_TITLES.items():
        if key in result:
            yield from _field_tables(title, result[key])
    yield from _recorded_tables(result.get("recorded", {}))


FIELD_TITLES = {
    "g1": "g1",
    "spectrum": "spectrum",
    "filtered_g2": "g2 behind filters",
    "interference": "two-photon interference",
    "two_photon_state": "two-photon state",
    "arrival_times": "arrival times",
    "delay_distribution": "density of the delay in 1/ns",
}
"""What rests on fields or on the time of photons, with its heading."""


def _field_tables(title: str, found: Mapping[str, Any]) -> Iterable[Table]:
    """Figures, curves and density matrices of one of them."""
    whose = [found[key] for key in ("label", "first", "second") if key in found]
    title = f"{title} of {' and '.join(whose)}" if whose else title
    unit = found.get("photons_unit", "")
    figures = {k: (v, UNITS.get(k, unit if k == "photons" else "")) for k, v in found.items() if v is None or isinstance(v, int | float)}
    figures |= {f"elastic line at {line['energy_ueV']:g} ueV": (line["photons"], unit) for line in found.get("elastic", [])}
    if figures:
        table = _table(title if "value" not in found else f"{title}: photons", "quantity", "value", "unit")
        for name, (value, of_value) in figures.items():
            table.add_row(name, _number(value), of_value)
        yield table
    rho = found.get("density_matrix")
    if rho:
        table = _table(f"{title}: coincidences (first photon down, second across)", "", *"HVDARL")
        for a in "HVDARL":
            table.add_row(a, *(_number(found["coincidences"][a + b]) for b in "HVDARL"))
        yield table
        table = _table(f"{title}: density matrix", "", *rho["basis"])
        for name, real, imag in zip(rho["basis"], rho["real"], rho["imag"], strict=True):
            table.add_row(name, *(f"{re:+.5f} {im:+.5f}i" for re, im in zip(real, imag, strict=True)))
        yield table
    curve = {k: v for k, v in found.items() if k in ("tau_ns", "energy_ueV", "value", "real", "imag")}
    if curve:
        heads = {"tau_ns": "tau (ns)", "energy_ueV": "energy (ueV)", "value": found.get("unit", "value")}
        table = _table(title, *(heads.get(k, k) for k in curve))
        for row in zip(*curve.values(), strict=True):
            table.add_row(*map(_number, row))
        yield table


def _recorded_tables(recorded: Mapping[str, Any]) -> Iterable[Table]:
    """What the detectors record."""
    rates = recorded.get("counts_per_s", {})
    if rates:
        table = _table("recorded: counts per s", "detector", *next(iter(rates.values())))
        for name, rate in rates.items():
            table.add_row(name, *map(_number, rate.values()))
        yield table
    clicks = recorded.get("clicks")
    if clicks:
        table = _table(f"recorded: counts of each detector per pulse, {clicks['window']}", *clicks["detectors"], "probability")
        for pattern in clicks["patterns"]:
            table.add_row(*map(str, pattern["counts"]), _number(pattern["probability"]))
        yield table
        table = _table("recorded: clicks", "quantity", "of", "value")
        for key in ("click_probability", "coincidence_probability", "coincidences_per_s", "heralding_efficiency", "g2_zero"):
            for name, value in (clicks[key] or {}).items():
                table.add_row(key, name, _number(value))
        yield table
    for key, axis, values in (("coincidences", "tau_ns", "g2"), ("peaks", None, "area")):
        one = recorded.get(key)
        if one:
            table = _table(f"recorded: {key} of {one['first']} and {one['second']}", axis or "peak", values, "expected counts")
            places = one[axis] if axis else range(len(one[values]))
            for place, value, count in zip(places, one[values], one["expected_counts"] or [None] * len(one[values]), strict=True):
                table.add_row(_number(place), _number(value), _number(count))
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


def _numbers_in(value: Any, name: str = "") -> Iterable[tuple[str, float | None]]:
    """Every number of a result by its dotted name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("errors", "tau_ns") and not (key == "energy_ueV" and isinstance(inner, list)):
                yield from _numbers_in(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _numbers_in(inner, f"{name}[{i}]")
    elif not isinstance(value, str):
        yield name, value


MOST_COLUMNS = 40
"""From more columns on, the table of a sweep leaves lists and matrices to --json."""


def _sweep_tables(points: Sequence[Mapping[str, Any]]) -> Iterable[Table]:
    """One row for each point; a point without a column's number has a dash there."""
    rows = [{**point["at"], **dict(_numbers_in(point["result"]))} for point in points]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    title = f"{len(rows)} points"
    if len(columns) > MOST_COLUMNS:
        every, varied = len(columns), {name for point in points for name in point["at"]}
        columns = [name for name in columns if name in varied or not ("[" in name or name.startswith("two_photon_state.coincidences."))]
        title += f"; {every - len(columns)} numbers in lists and matrices are left out, --json has them"
    table = _table(title, *columns)
    for row in rows:
        table.add_row(*(_number(row.get(name)) for name in columns))
    yield table


def _fit_tables(found: Mapping[str, Any]) -> Iterable[Table]:
    parameters = _table("parameters", "parameter", "value", "minus", "plus", "limit")
    for name, p in found.get("parameters", {}).items():
        limit = p.get("limit")
        if isinstance(limit, Mapping):
            limit = f"{'<' if limit['side'] == 'upper' else '>'} {_number(limit['value'])} ({limit['confidence']:.0%})"
        parameters.add_row(name, *(_number(p.get(k)) for k in ("value", "minus", "plus")), _number(limit))
    for name, p in found.get("derived", {}).items():
        parameters.add_row(name, *(_number(p.get(k)) for k in ("value", "minus", "plus")), "derived")
    yield parameters
    points = found.get("points", [])
    if points:
        table = _table("points", *points[0])
        for point in points:
            table.add_row(*map(_number, point.values()))
        yield table
    for term in found.get("terms", []):
        table = _table(f"{term['name']}, {term['source']}: chi2 {_number(term['chi2'])}", "x", "measured", "fitted")
        for row in zip(term["x"], term["value"], term["predicted"], strict=True):
            table.add_row(*map(_number, row))
        yield table
    rest = _table("fit", "quantity", "value")
    for direction in found.get("undetermined", []):
        rest.add_row("not determined", direction["words"])
    for out in found.get("left_out", []):
        rest.add_row("left out", out)
    for key, value in found.items():
        if key not in ("parameters", "points") and not isinstance(value, list | dict):
            rest.add_row(key, _number(value))
    yield rest
