"""Metric math: CloudWatch's expressions over series, those with arithmetic and the common functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from statistics import fmean

Series = dict[int, float]
Value = float | Series | list["Value"]

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_OVER_SERIES: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum, "AVG": fmean, "MIN": min, "MAX": max,
}  # fmt: skip


class BadExpression(Exception):
    """An expression that is wrong, or beyond what is known here."""


def evaluate(expression: str, series: Mapping[str, Series]) -> Series:
    """An expression's values by time. Points that lack an operand, or divide by zero, are left out."""
    try:
        tree = ast.parse(expression.replace("^", "**"), mode="eval")
    except (SyntaxError, ValueError) as why:
        raise BadExpression(f"Error in expression '{expression}': {why}") from why
    value = _value(tree.body, series)
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        raise BadExpression(f"Error in expression '{expression}': it gives several series")
    return dict.fromkeys(sorted({at for one in series.values() for at in one}), value)


def _value(node: ast.expr, series: Mapping[str, Series]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            if name not in series:
                raise BadExpression(f"Undefined variable '{name}'")
            return series[name]
        case ast.List(elts=elements):
            return [_value(element, series) for element in elements]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _combined(operator.mul, -1.0, _value(operand, series))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _combined(_OPERATORS[type(op)], _value(left, series), _value(right, series))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, [_value(one, series) for one in arguments], series)
    raise BadExpression(f"Unsupported in an expression: {ast.unparse(node)}")


def _combined(act: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list) or isinstance(right, list):
        raise BadExpression("Arithmetic takes series and numbers, not arrays")
    if isinstance(left, float) and isinstance(right, float):
        return act(left, right)
    times = [set(one) for one in (left, right) if isinstance(one, dict)]
    found: Series = {}
    for at in sorted(set.intersection(*times)):
        try:
            found[at] = float(act(_at(left, at), _at(right, at)))
        except (ZeroDivisionError, OverflowError):
            continue
    return found


def _at(value: float | Series, at: int) -> float:
    return value[at] if isinstance(value, dict) else value


def _called(name: str, arguments: list[Value], series: Mapping[str, Series]) -> Value:
    match name, arguments:
        case ("FILL", [dict() as filled, float() as other]):
            times = sorted({at for one in series.values() for at in one})
            return {at: filled.get(at, other) for at in times}
        case ("ABS", [dict() as one]):
            return {at: abs(value) for at, value in one.items()}
        case ("SUM" | "AVG" | "MIN" | "MAX", [list() as several]):
            return _over(_OVER_SERIES[name], [one for one in several if isinstance(one, dict)])
        case ("SUM" | "AVG" | "MIN" | "MAX", [dict() as one]):
            return _OVER_SERIES[name](list(one.values())) if one else 0.0
    raise BadExpression(f"Unsupported function: {name}")


def _over(act: Callable[[list[float]], float], several: list[Series]) -> Series:
    times = sorted({at for one in several for at in one})
    return {at: act([one[at] for one in several if at in one]) for at in times}
