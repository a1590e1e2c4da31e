"""Arithmetic of parameters in words: `0.5 * source.lifetime_X_ns`, with its derivatives. Numbers, dotted names, + - * / **, and a few functions."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from qdot.errors import bad, unknown

FUNCTIONS: Mapping[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "exp": (math.exp, math.exp),
    "log": (math.log, lambda x: 1.0 / x),
    "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
}
"""Function and derivative."""


class Value(NamedTuple):
    """A number and its derivatives (p,)."""

    value: float
    slopes: np.ndarray


def evaluate(text: str, known: Mapping[str, Value], argument: str) -> Value:
    """The value of an expression and its derivatives; known: {dotted name: value}. Raises InputError for what is not arithmetic of known names.

    >>> one = Value(2.0, np.array([1.0]))
    >>> float(evaluate("0.5 * source.x ** 2", {"source.x": one}, "tie").slopes[0])
    2.0
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise bad(argument, "be arithmetic of parameters", repr(text), "for example 0.5 * source.lifetime_X_ns") from None
    size = next(iter(known.values())).slopes.size if known else 0
    try:
        return _of(tree, known, argument, np.zeros(size))
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        if isinstance(error, ValueError) and type(error) is not ValueError:
            raise
        raise bad(argument, "have a finite value", f"{text!r}: {error}", "move the start or the bounds") from None


def names(text: str) -> set[str]:
    """The dotted names that an expression holds.

    >>> sorted(names("2 * source.a + exp(source.b)"))
    ['source.a', 'source.b']
    """
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return set()
    functions = {n.func for n in ast.walk(tree) if isinstance(n, ast.Call)}
    inner = {n.value for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    return {_name(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute | ast.Name) and n not in functions and n not in inner}


def _name(node: ast.expr) -> str:
    return f"{_name(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else "?"


def _of(node: ast.expr, known: Mapping[str, Value], argument: str, zero: np.ndarray) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return Value(float(node.value), zero)
    if isinstance(node, ast.Attribute | ast.Name):
        if _name(node) not in known:
            raise unknown(f"{argument} name", _name(node), known)
        return known[_name(node)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        v, sign = _of(node.operand, known, argument, zero), -1.0 if isinstance(node.op, ast.USub) else 1.0
        return Value(sign * v.value, sign * v.slopes)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        if node.func.id not in FUNCTIONS:
            raise unknown(f"{argument} function", node.func.id, FUNCTIONS)
        v, (f, slope) = _of(node.args[0], known, argument, zero), FUNCTIONS[node.func.id]
        return Value(f(v.value), slope(v.value) * v.slopes)
    if isinstance(node, ast.BinOp):
        a, b = _of(node.left, known, argument, zero), _of(node.right, known, argument, zero)
        if isinstance(node.op, ast.Add):
            return Value(a.value + b.value, a.slopes + b.slopes)
        if isinstance(node.op, ast.Sub):
            return Value(a.value - b.value, a.slopes - b.slopes)
        if isinstance(node.op, ast.Mult):
            return Value(a.value * b.value, a.slopes * b.value + a.value * b.slopes)
        if isinstance(node.op, ast.Div):
            return Value(a.value / b.value, a.slopes / b.value - a.value / b.value**2 * b.slopes)
        if isinstance(node.op, ast.Pow):
            power = a.value**b.value
            slopes = b.value * a.value ** (b.value - 1.0) * a.slopes
            return Value(power, slopes + power * math.log(a.value) * b.slopes if np.any(b.slopes) else slopes)
    raise bad(argument, "hold numbers, names, + - * / **, exp, log and sqrt", ast.unparse(node), "write it with these")
