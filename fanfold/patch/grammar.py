"""Whether a file still parses, where its grammar is known."""

from __future__ import annotations

import ast
import json
import tomllib
import warnings
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOCKS = frozenset(
    (
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "pipfile.lock",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "cargo.lock",
        "composer.lock",
        "gemfile.lock",
        "go.sum",
        "flake.lock",
        "packages.lock.json",
    )
)
BRACKETS = ((b"(", b")"), (b"[", b"]"), (b"{", b"}"))
CODE = (
    *(".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".swift"),
    *(".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".php", ".rb", ".scala", ".dart"),
    *(".css", ".scss", ".less"),
)


def is_lock(path: str) -> bool:
    """Whether a tool writes the file whole: lines of two versions never make a third."""
    return path.rpartition("/")[2].lower() in LOCKS


def still_parses(path: str, merged: bytes, sides: tuple[bytes, bytes]) -> bool:
    """Whether `merged` parses, or where no parser is at hand, its brackets balance like a side's.

    Text without a known grammar always passes.
    """
    check = _CHECKS.get(path.rpartition(".")[2].lower())
    if check is not None:
        return check(merged)
    if path.lower().endswith(CODE):
        return _imbalance(merged) in (*map(_imbalance, sides), [0, 0, 0])
    return True


def _imbalance(data: bytes) -> list[int]:
    return [data.count(opening) - data.count(closing) for opening, closing in BRACKETS]


def _parses_as_python(data: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not any(_doubled(node) for node in ast.walk(module))


def _doubled(node: ast.AST) -> bool:
    """Whether a module or class defines a plain name twice in a row of definitions."""
    if not isinstance(node, ast.Module | ast.ClassDef):
        return False
    names = Counter(
        child.name
        for child in node.body
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not child.decorator_list
    )
    return any(count > 1 for count in names.values())


def _parses_as_json(data: bytes) -> bool:
    try:
        json.loads(data, object_pairs_hook=_without_double_keys)
    except (ValueError, RecursionError):
        return False
    return True


def _without_double_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _parses_as_toml(data: bytes) -> bool:
    try:
        tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return True


_CHECKS: dict[str, Callable[[bytes], bool]] = {
    "py": _parses_as_python,
    "pyi": _parses_as_python,
    "json": _parses_as_json,
    "toml": _parses_as_toml,
}
