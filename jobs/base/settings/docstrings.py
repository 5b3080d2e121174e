"""Meanings of settings: the docstrings below them, from which the page of settings and comments derive."""

import ast
import inspect
from textwrap import dedent

from jobs.base.settings.base import Settings


def read_docstrings(model: type[Settings]) -> dict[str, str]:
    """The docstring below each setting of a class, in one line."""
    (node,) = ast.parse(dedent(inspect.getsource(model))).body
    body = node.body if isinstance(node, ast.ClassDef) else []
    found = {}
    for setting, text in zip(body, body[1:], strict=False):
        match setting, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = " ".join(words.split()).rstrip(".")
    return found
