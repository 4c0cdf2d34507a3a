"""glob: paths by pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from fanfold.agent.paths import normal
from fanfold.agent.tools.base import Result, Tool
from fanfold.patch.globs import matches
from fanfold.run.access import Operation

if TYPE_CHECKING:
    from fanfold.agent.tools.bench import Bench

LIMIT = 200


class GlobArguments(msgspec.Struct, frozen=True):
    pattern: Annotated[str, Meta(description="Such as **/*.py or src/*.ts.")]
    path: Annotated[str, Meta(description="Folder to look in.")] = ""


def run(bench: Bench, arguments: GlobArguments) -> Result:
    folder = normal(arguments.path)
    start = len(folder) + 1 if folder else 0
    found = [p for p in bench.paths(folder) if matches(arguments.pattern, p[start:])]
    if not found:
        return Result(f"No file matches {arguments.pattern!r}.")
    more = f"\n[{len(found) - LIMIT} more; narrow the pattern]" if len(found) > LIMIT else ""
    return Result("\n".join(found[:LIMIT]) + more)


TOOL = Tool(
    "glob",
    "List files whose path matches a pattern; ** crosses folders.",
    Operation.READ,
    GlobArguments,
    run,
    lambda arguments: (arguments.path,),
    searches=True,
)
