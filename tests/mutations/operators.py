"""Small changes of the code inside functions that a test should notice."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from typing import NamedTuple

SWAPS = [
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.In, ast.NotIn),
    (ast.Is, ast.IsNot),
    (ast.Add, ast.Sub),
    (ast.Mult, ast.Div),
    (ast.And, ast.Or),
    (ast.BitAnd, ast.BitOr),
]
OTHER = {a: b for pair in SWAPS for a, b in (pair, pair[::-1])}
OTHER |= {ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv}
# Messages; f-strings, whose parts have no places before Python 3.12
SKIPPED = (ast.Raise, ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "bases"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """A change; its first six fields find it again when lines have moved."""

    function: str  # qualified name
    operator: str
    statement: str  # first line of the enclosing one, as `ast` writes it
    before: str
    after: str
    nth: int  # equal changes before it in the function
    lines: tuple[int, int]  # whose run reaches the change
    place: tuple[int, int]  # bytes of the source


def mutants(source: str) -> list[Mutant]:
    """Returns every change of a source file."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    seen, found = Counter(), []
    for functions, statement, lines, node in _nodes(ast.parse(source)):
        for operator, after in _changes(node, functions[-1][1]):
            name = functions[-1][0]
            key = (name, operator, statement, ast.unparse(node), after)
            place = (
                starts[node.lineno - 1] + node.col_offset,
                starts[node.end_lineno - 1] + node.end_col_offset,
            )
            found.append(Mutant(*key, seen[key], lines, place))
            seen[key] += 1
    return found


def applied(source: str, mutant: Mutant) -> str:
    """Returns the source with the change."""
    whole, (start, end) = source.encode(), mutant.place
    plain = mutant.operator in ("statement removed", "return None", "text")
    after = mutant.after if plain else f"({mutant.after})"
    return (whole[:start] + after.encode() + whole[end:]).decode()


def _nodes(node, names=(), functions=(), statement="", lines=(0, 0)):
    """Yields the functions around a node, its statement, lines and itself."""
    if isinstance(node, SKIPPED):
        return
    if isinstance(node, ast.stmt):
        text = ast.unparse(node).splitlines()
        start = ("def ", "async ") if isinstance(node, Function) else ""
        statement = next(line for line in text if line.startswith(start))
        body = getattr(node, "body", None)
        lines = node.lineno, body[0].lineno if body else node.end_lineno
    match node:
        # Comparisons, `and`, `or` and `not` change by themselves.
        case ast.If(test=test) | ast.IfExp(test=test) if isinstance(
            test, ast.Name | ast.Attribute | ast.Call
        ):
            test.is_condition = True
    if functions:
        yield functions, statement, lines, node
    if isinstance(node, Function | ast.ClassDef):
        names = (*names, node.name)
    if isinstance(node, Function):
        functions = (*functions, (".".join(names), node))
        # Defaults act where the body runs.
        lines = node.body[0].lineno, node.body[-1].end_lineno
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and field not in SKIPPED_FIELDS:
                yield from _nodes(child, names, functions, statement, lines)


def _changes(node, function):
    """Yields operator and text of each change of one node."""

    def changed(**fields):
        other = copy.copy(node)
        vars(other).update(fields)
        return ast.unparse(other)

    match node:
        case ast.Compare(ops=[op, *others]):
            yield "comparison", changed(ops=[OTHER[type(op)](), *others])
        case ast.BinOp(op=op) if type(op) in OTHER and not _has_text(node):
            yield "arithmetic", changed(op=OTHER[type(op)]())
        case ast.BoolOp(op=op):
            yield "and/or", changed(op=OTHER[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not removed", ast.unparse(operand)
        case ast.Constant(value=bool() as value):
            yield "boolean", str(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", repr(value + 1)
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            other = {"min": "max", "max": "min"}[name]
            yield "min/max", changed(func=ast.Name(other))
        case ast.Return(value=ast.expr()) if ast.unparse(node)[7:] != "None":
            returns = ast.unparse(function.returns or ast.Constant(...))
            if {"None", "bool"} & set(returns.split(" | ")):
                yield "return None", "return None"
        case (
            ast.Expr(value=ast.Call())
            | ast.AugAssign()
            | ast.Assign(targets=[ast.Attribute() | ast.Subscript()])
        ):
            yield "statement removed", "pass"
    if hasattr(node, "is_condition"):
        yield "condition negated", f"not {ast.unparse(node)}"


def _has_text(node):
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.walk(node)
    )
