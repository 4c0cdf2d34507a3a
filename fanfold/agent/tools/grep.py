"""grep: lines that match a regular expression."""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from fanfold.agent.paths import normal
from fanfold.agent.tools.base import Result, Tool, ToolFailure
from fanfold.agent.tools.bench import shown
from fanfold.agent.tools.pattern import Pattern
from fanfold.errors import WorkspaceError
from fanfold.patch.globs import matches
from fanfold.run.access import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.agent.tools.bench import Bench

LIMIT = 500
LINE_LIMIT = 300
SECONDS = 10.0


class GrepArguments(msgspec.Struct, frozen=True):
    pattern: Annotated[str, Meta(description="A Python regular expression, matched by line.")]
    path: Annotated[str, Meta(description="File or folder to look in.")] = ""
    glob: Annotated[str, Meta(description="Only files whose path matches, such as **/*.py.")] = ""


def run(bench: Bench, arguments: GrepArguments) -> Result:
    pattern = Pattern(arguments.pattern, SECONDS)
    found = list(islice(_matches(bench, pattern, _candidates(bench, arguments)), LIMIT + 1))
    if not found:
        return Result(f"No line matches {arguments.pattern!r}.")
    lines: list[str] = []
    for path, matches_ in groupby(found[:LIMIT], lambda match: match[0]):
        lines += [path, *(line for _, line in matches_)]
    if len(found) > LIMIT:
        lines.append(f"[more than {LIMIT} matching lines; narrow the pattern, path or glob]")
    return Result(bench.spill.shorten("\n".join(lines)))


def _candidates(bench: Bench, arguments: GrepArguments) -> list[str]:
    paths = bench.paths(normal(arguments.path))
    if not arguments.glob:
        return paths
    wanted = arguments.glob if "/" in arguments.glob else f"**/{arguments.glob}"
    return [path for path in paths if matches(wanted, path)]


def _matches(bench: Bench, pattern: Pattern, paths: list[str]) -> Iterator[tuple[str, str]]:
    """Path and numbered line.

    A line must match as it is told, too: the pattern could ask for a secret otherwise.
    """
    for path in paths:
        try:
            text = shown(bench.read(path))
        except (ToolFailure, WorkspaceError):
            continue
        found = [n for n, line in enumerate(text.split("\n")) if pattern.found_in(line)]
        told = bench.redact(text).split("\n") if found else []
        for number in found:
            line = told[number]
            if pattern.found_in(line):
                yield path, f"{number + 1}:{line.rstrip(chr(13))[:LINE_LIMIT]}"


TOOL = Tool(
    "grep",
    "Search file contents with a regular expression; gives each file's path, then number:text.",
    Operation.READ,
    GrepArguments,
    run,
    lambda arguments: (arguments.path,),
    searches=True,
)
