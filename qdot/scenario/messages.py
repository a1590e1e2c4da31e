"""From pydantic's report to one message that names the place in the file, what it must be, what it was and what to write."""

from __future__ import annotations

import datetime
import difflib
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from qdot.errors import InputError, bad, unknown
from qdot.scenario import tables
from qdot.scenario.tables import FileTable, Table


@contextmanager
def named(place: str) -> Iterator[None]:
    """Put the place in front of the message of an InputError that passes through."""
    try:
        yield
    except InputError as error:
        if not place or str(error).startswith(place):
            raise
        raise InputError(f"{place}: {error}") from error


IN_PYTHON = (
    (re.compile(r"\bfilters\["), "filter["),
    (re.compile(r"\bExperiment\.detectors\["), "detector["),
    (re.compile(r"\bExperiment\.detectors\b"), "[[detector]]"),
    (re.compile(r"\bdetector: (?=detector\[)"), ""),
    (re.compile(r"qdot\.detection\.Detector\((.*?)\)"), r"[[detector]] with \1"),
    (re.compile(r"analysed\((\w+)='(\w)'\)"), r'[analyse] \1 = "\2"'),
    (re.compile(r"analysed\((\w+)=\.\.\.\)"), r"analyse.\1"),
)
"""How what experiments and models say is called in a file."""


@contextmanager
def in_words_of_the_file() -> Iterator[None]:
    """Call what an error is about by its key in the file instead of its name in Python."""
    try:
        yield
    except InputError as error:
        text = str(error)
        for python, file in IN_PYTHON:
            text = python.sub(file, text)
        if text == str(error):
            raise
        raise InputError(text) from error


@contextmanager
def in_range() -> Iterator[None]:
    """An overflow or 0/0 inside a calculation as an InputError, so that no number comes from it."""
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        remedy = "look for a rate, energy, delay or pulse that is many orders of magnitude from the others"
        raise bad("the scenario", "stay within the range of double precision", str(error), remedy) from None


def checked(table: Mapping[str, Any]) -> FileTable:
    try:
        return FileTable.model_validate(frozen(dict(table)))
    except ValidationError as error:
        found = error.errors(include_url=False)
    # an unknown key is often a mistyped one and explains the missing key beside it: report it first
    worst = min(found, key=lambda e: e["type"] != "extra_forbidden")
    message = _message(worst["type"], worst["loc"], worst["input"], worst.get("ctx", {}))
    more = f" ({len(found) - 1} more wrong in the file)" if len(found) > 1 else ""
    raise InputError(str(message) + more)


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {k: frozen(v) for k, v in value.items()}
    return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value


def thawed(value: Any) -> Any:
    return [thawed(v) for v in value] if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    """A value as it stands in the file, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table (" + ", ".join(map(str, list(value)[:4])) + ")" if value else "an empty table"
    if isinstance(value, datetime.date | datetime.time):
        return str(value)
    if isinstance(value, tuple):
        if value and isinstance(value[0], dict):
            return "an array of tables"
        text = str(thawed(value))
    elif isinstance(value, int) and abs(value) >= 10**20:
        return "a whole number of more than 20 digits"
    else:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def keys_of(table: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in table.model_fields.items()}


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The table class inside an annotation, if there is one."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias) and issubclass(annotation, BaseModel):
        return annotation
    return next((t for t in map(_table_in, get_args(annotation)) if t is not None), None)


def _limits(annotation: Any, metadata: Sequence[Any] = ()) -> list[str]:
    """Limits on a number, from anywhere inside an annotation."""
    signs = {"gt": ">", "ge": ">=", "le": "<=", "lt": "<"}
    found = []
    for m in metadata:
        if isinstance(m, FieldInfo):
            found += _limits(None, m.metadata)
        found += [f"{sign} {getattr(m, name):g}" for name, sign in signs.items() if getattr(m, name, None) is not None]
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return found + _limits(inner[0], inner[1:])
    return found + [limit for one in inner for limit in _limits(one)]


def _place(loc: Sequence[int | str]) -> tuple[str, type[BaseModel], FieldInfo | None]:
    """(path in the file, table class that holds the last key, that key's field) of pydantic's location."""
    path, table = "", FileTable
    info: FieldInfo | None = None
    owner: type[BaseModel] = FileTable
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):
            path += f".{part}" if path else part
            if table is None:
                continue
            owner, info = table, keys_of(table).get(part)
            table = _table_in(info.annotation) if info is not None else None  # type: ignore[assignment]
    return path, owner, info


def _title(table: type[BaseModel]) -> str:
    return (table.__doc__ or "").strip()


def _message(kind: str, loc: Sequence[int | str], value: object, context: Mapping[str, Any]) -> InputError:
    path, owner, info = _place(loc)
    example = f"for example {info.description}" if info is not None and info.description else ""
    got = _shown(value)
    if kind == "extra_forbidden":
        return _unknown_key(path, str(loc[-1]), owner)
    if kind == "missing":
        return bad(path, "be given", "nothing", example)
    if kind == "literal_error" and info is not None:
        choices = [c for c in _literals(info.annotation)]
        return unknown(path, value, choices) if isinstance(value, str) else bad(path, "be one of " + ", ".join(map(repr, choices)), got, example)
    if kind == "string_too_short":
        return bad(path, "be a name of at least one character", "an empty text", example)
    musts = {
        "string_type": "be a text in quotes",
        "bool_type": "be true or false",
        "tuple_type": "be a list in square brackets",
        "model_type": "be a table",
        "dict_type": "be a table",
    }
    must = musts.get(kind, "be a whole number" if kind.startswith("int_") or (info is not None and _is_whole(info.annotation)) else "be a finite number")
    if "number" in must and info is not None:
        limits = list(dict.fromkeys(_limits(info.annotation, info.metadata)))
        must += " " + " and ".join(limits) if limits else ""
    if "number" in must and isinstance(value, str):
        example = "write the number without quotes" + (f", {example}" if example else "")
    if kind == "tuple_type" and info is not None and (info.description or "").startswith("[["):
        return bad(path, f"be an array of tables, each headed [[{path}]]", got, example)
    return bad(path, must, got, example)


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [c for one in get_args(annotation) for c in _literals(one)]


def _is_whole(annotation: Any) -> bool:
    return annotation is int or any(map(_is_whole, get_args(annotation)))


OWNERS = tuple(t for t in vars(tables).values() if isinstance(t, type) and issubclass(t, Table) and t is not Table)
"""Tables that a key may have been meant for."""


def _unknown_key(path: str, key: str, owner: type[BaseModel]) -> InputError:
    """An unknown key with the nearest valid one, or with the table that it belongs to."""
    if owner is tables.DriveTable and key in ("power_uW", "pulse_energy_fJ"):
        must = "be absent: the strength of a drive is rate_per_ns of the [[jump]], or rabi_per_ns of the [[coupling]], that names it"
        return bad(path, must, "a power", "write the rate at this power there (area_pi sets the area of a pulse)")
    keys = list(keys_of(owner))
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.0)[0]
    others = [_title(t) for t in OWNERS if t is not owner and key in keys_of(t)]
    remedy = f"the nearest valid key is {near!r}"
    if others and difflib.SequenceMatcher(None, key, near).ratio() < 0.8:
        remedy += f", and {key!r} is a key of {' and '.join(others)}"
    return bad(path, f"be a key of {_title(owner)} ({', '.join(keys)})", "an unknown key", remedy)
