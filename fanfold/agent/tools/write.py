"""write: a whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from fanfold.agent.paths import normal
from fanfold.agent.redaction import MARK
from fanfold.agent.tools.base import Result, Tool
from fanfold.agent.tools.bench import checked, must_know
from fanfold.run.access import Operation

if TYPE_CHECKING:
    from fanfold.agent.tools.bench import Bench


class WriteArguments(msgspec.Struct, frozen=True):
    file_path: str
    content: Annotated[str, Meta(description="The whole file.")]


def run(bench: Bench, arguments: WriteArguments) -> Result:
    path, content = normal(arguments.file_path), checked(arguments.content, "content")
    known = bench.exists(path)
    if known and MARK in content:
        must_know(bench.read(path), content, "content")
    if known and bench.workspace.read(path) == content.encode():
        return Result(f"{path} already has exactly this content.")
    bench.write(path, content)
    bench.edit_failures.pop(path, None)
    lines = content.count("\n") + (not content.endswith("\n") and content != "")
    said = f"{'Replaced' if known else 'Created'} {path}: {lines} lines."
    if path not in bench.workspace.files():
        said += " It is ignored by git, so it will not be part of your patch."
    return Result(said, written=(path,))


TOOL = Tool(
    "write",
    "Create a file, or replace one wholly. Use edit for changes to a file that exists.",
    Operation.WRITE,
    WriteArguments,
    run,
    lambda arguments: (arguments.file_path,),
)
