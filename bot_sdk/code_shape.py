"""What is left of a bot's code when its names, values, comments and layout are taken away.

Two files that differ in nothing else have the same shape, and parts that were copied show in it wherever they
stand. It is a set of numbers, each the hash of a short run of the syntax tree, so that sets tell how much two
files have in common. Standard library only.
"""

import ast
import hashlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain

RUN_NODES = 16  # of the syntax tree in one number: about two statements
MOST_NUMBERS = (
    8000  # kept of a larger shape, the lowest: as good as drawn at random, and the same in all files
)
NUMBER_BYTES = 4

_ARRAY_TYPE = "I"  # whole numbers of so many bytes

_LEFT_OUT = (ast.Import, ast.ImportFrom, ast.Pass, ast.expr_context)
_NOTES = frozenset({"annotation", "returns", "type_comment", "type_params"})


def shape_of(source: str) -> list[int]:
    """Return the shape of Python code, ascending. Raises SyntaxError and ValueError for what is none.

    Parsing hostile text can go wrong in other ways too: do it in a process that may die.
    """
    tree = ast.parse(source)
    words = list(_words(tree, _own_attributes(tree)))
    runs = {" ".join(words[begin : begin + RUN_NODES]) for begin in range(max(len(words) - RUN_NODES + 1, 0))}
    return sorted({_number(run) for run in runs})[:MOST_NUMBERS]


def packed(numbers: Sequence[int]) -> bytes:
    """Return a shape's numbers in NUMBER_BYTES each."""
    return array(_ARRAY_TYPE, numbers).tobytes()


def unpacked(shape: bytes) -> Sequence[int]:
    """Return the numbers of a shape that was packed."""
    return array(_ARRAY_TYPE, shape)


def _number(run: str) -> int:
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=NUMBER_BYTES).digest())


def _own_attributes(tree: ast.Module) -> frozenset[str]:
    """Return the attributes that the file itself names, and could name otherwise."""
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own.add(node.name)
    return frozenset(own)


def _words(tree: ast.Module, own: frozenset[str]) -> Iterator[str]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _LEFT_OUT) or _is_text_alone(node):
            continue
        if isinstance(node, ast.JoinedStr):
            yield "Constant:str"  # what a text says is as free as a name
            continue
        yield _word(node, own)
        waiting.extend(reversed(_children(node)))


def _word(node: ast.AST, own: frozenset[str]) -> str:
    kind = type(node).__name__
    if isinstance(node, ast.Constant):
        return "Number" if isinstance(node.value, int | float) else f"{kind}:{type(node.value).__name__}"
    if isinstance(node, ast.Attribute):
        return kind if node.attr in own else f"{kind}:{node.attr}"
    return "Assign" if isinstance(node, ast.AnnAssign) else kind


def _is_text_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.JoinedStr)


def _children(node: ast.AST) -> list[ast.AST]:
    values = (value for name, value in ast.iter_fields(node) if name not in _NOTES)
    parts = chain.from_iterable(value if isinstance(value, list) else [value] for value in values)
    return [part for part in parts if isinstance(part, ast.AST)]
