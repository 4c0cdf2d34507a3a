"""read: a text file with line numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fanfold.agent.paths import normal
from fanfold.agent.tools.base import Result, Tool, ToolFailure
from fanfold.agent.tools.told import UNCHANGED
from fanfold.run.access import Operation

if TYPE_CHECKING:
    from fanfold.agent.tools.bench import Bench

LIMIT = 20_000
LINE_LIMIT = 2_000
NUMBERED_EVERY = 10
WORTH_SAVING = 400


class ReadArguments(msgspec.Struct, frozen=True):
    file_path: str
    view_range: (
        Annotated[list[int], Meta(description="[first, last] line, from 1; last -1: the end.")]
        | UnsetType
    ) = UNSET


def run(bench: Bench, arguments: ReadArguments) -> Result:
    path = normal(arguments.file_path)
    whole = bench.told(path)
    lines = lines_of(whole)
    if not lines:
        return Result(f"{path} is empty.", read=(path,))
    first, last = _range(arguments, len(lines))
    text = numbered(lines, first, last)
    if WORTH_SAVING < len(text) <= LIMIT and not bench.known.tell(path, whole, first, last):
        return Result(UNCHANGED, read=(path,), means=text)
    return Result(text, read=(path,))


def lines_of(text: str) -> list[str]:
    """Lines as they are numbered and shown: without their ends, none after the last one."""
    return text.removesuffix("\n").split("\n") if text else []


def _range(arguments: ReadArguments, count: int) -> tuple[int, int]:
    if isinstance(arguments.view_range, UnsetType):
        return 1, count
    if len(arguments.view_range) != 2:
        raise ToolFailure("view_range takes two numbers: [first, last]")
    first, last = arguments.view_range
    last = count if last == -1 else min(last, count)
    if not 1 <= first <= last:
        raise ToolFailure(
            f"view_range {arguments.view_range} is outside: the file has 1 to {count}"
        )
    return first, last


def numbered(lines: list[str], first: int, last: int) -> str:
    """Lines `first` to `last` (from 1) behind a margin, as far as 20,000 characters go.

    The margin has the number of the first line and of every tenth: all of them would be a fifth of
    what a model reads.
    """
    shown_lines: list[str] = []
    room = LIMIT
    for number in range(first, last + 1):
        margin = number if number == first or number % NUMBERED_EVERY == 0 else ""
        line = f"{margin}\t{_cut(lines[number - 1].rstrip(chr(13)))}"
        room -= len(line) + 1
        if room < 0 and shown_lines:
            shown_lines.append(
                f"[lines {first} to {number - 1} of {len(lines)}; read on with view_range]"
            )
            break
        shown_lines.append(line)
    return "\n".join(shown_lines)


def _cut(line: str) -> str:
    if len(line) <= LINE_LIMIT:
        return line
    return f"{line[:LINE_LIMIT]}[… {len(line) - LINE_LIMIT} characters of this line left out]"


TOOL = Tool(
    "read",
    "Read a text file. Each line stands behind a tab, every tenth with its number before it; "
    "neither is part of the file.",
    Operation.READ,
    ReadArguments,
    run,
    lambda arguments: (arguments.file_path,),
)
