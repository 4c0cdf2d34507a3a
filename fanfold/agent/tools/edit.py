"""edit: replace a passage of a file."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from fanfold.agent.paths import normal
from fanfold.agent.tools.base import Result, Tool, ToolFailure
from fanfold.agent.tools.bench import checked, must_know, shown
from fanfold.agent.tools.ladder import NoMatch, edit
from fanfold.agent.tools.read import lines_of, numbered
from fanfold.run.access import Operation

if TYPE_CHECKING:
    from fanfold.agent.tools.bench import Bench

GIVE_FILE_AFTER = 3
MOST_PLACES, MOST_EQUAL = 20, 200


class EditArguments(msgspec.Struct, frozen=True):
    file_path: str
    old_string: Annotated[str, Meta(description="Exact text; must be unique in the file.")]
    new_string: str
    replace_all: bool = False


def run(bench: Bench, arguments: EditArguments) -> Result:
    path = normal(arguments.file_path)
    old = checked(arguments.old_string, "old_string")
    new = checked(arguments.new_string, "new_string")
    if not old:
        raise ToolFailure("old_string is empty; use write to create or replace a whole file")
    if old == new:
        raise ToolFailure("old_string and new_string are the same; nothing to do")
    text = bench.read(path)
    must_know(text, old, "old_string")
    must_know(text, new, "new_string")
    try:
        edited = edit(text, old, new, replace_all=arguments.replace_all)
    except NoMatch as miss:
        told = bench.redact(shown(text))
        raise ToolFailure(_failure(bench, path, told, arguments, miss)) from miss
    if edited.text == text:
        raise ToolFailure(f"{path} would not change: the edit is already applied")
    bench.write(path, edited.text)
    bench.edit_failures.pop(path, None)
    how = "" if edited.rung == "exact" else f" (matched by forgiving {edited.rung})"
    times = f", {edited.count} times" if edited.count > 1 else ""
    return Result(f"Edited {path} at line {edited.line}{times}{how}.", written=(path,))


def _failure(bench: Bench, path: str, text: str, arguments: EditArguments, miss: NoMatch) -> str:
    failures = bench.edit_failures[path] = bench.edit_failures.get(path, 0) + 1
    said = f"{path} was not changed: {_reason(text, arguments, miss)}"
    if failures < GIVE_FILE_AFTER:
        return said
    lines = lines_of(text)
    return f"{said}\nThat is {failures} failures on this file. It now reads:\n" + numbered(
        lines, 1, len(lines)
    )


def _reason(text: str, arguments: EditArguments, miss: NoMatch) -> str:
    old, new = arguments.old_string, arguments.new_string
    if miss.lines:
        places = ", ".join(map(str, miss.lines[:MOST_PLACES]))
        places += ", …" * (len(miss.lines) > MOST_PLACES)
        return (
            f"old_string matches {len(miss.lines)} times, at lines {places}; add surrounding lines"
            " to make it unique, or pass replace_all."
        )
    if new.strip() and new in text:
        line = text.count("\n", 0, text.index(new)) + 1
        return (
            f"old_string is not in it, and new_string is, at line {line}: the edit seems to be"
            " applied already."
        )
    lines = lines_of(text)
    size = old.removesuffix("\n").count("\n") + 1
    at = _nearest(lines, old)
    if at is None:
        return "old_string is not in it, nor anything close; read it again."
    region = numbered(lines, at + 1, min(at + size, len(lines)))
    return f"old_string is not in it. These lines are nearly the same:\n{region}"


def _nearest(lines: list[str], old: str) -> int | None:
    """Where most lines of `old` stand at their distance, else where its first line nearly is."""
    wanted = [line.strip() for line in old.removesuffix("\n").split("\n")]
    index: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        if line.strip():
            index.setdefault(line.strip(), []).append(i)
    telling = {line: found for line, found in index.items() if len(found) <= MOST_EQUAL}
    votes: Counter[int] = Counter(
        max(i - k, 0) for k, line in enumerate(wanted) for i in telling.get(line, ())
    )
    if votes:
        return min(votes, key=lambda at: (-votes[at], at))
    first = next((line for line in wanted if line), "")
    close = difflib.get_close_matches(first[:500], list(index)[:5000], n=1)
    return index[close[0]][0] if close else None


TOOL = Tool(
    "edit",
    "Replace old_string by new_string in a file. Copy old_string exactly from the file, without "
    "line numbers, with enough lines around it to be unique.",
    Operation.WRITE,
    EditArguments,
    run,
    lambda arguments: (arguments.file_path,),
)
