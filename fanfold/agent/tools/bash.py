"""bash: a command in the sandbox, at the root of the checkout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fanfold.agent.tools.base import Result, Tool
from fanfold.run.access import Operation
from fanfold.run.incidents import hosts

if TYPE_CHECKING:
    from fanfold.agent.tools.bench import Bench

_WAITING = re.compile(r"(?:^|[;&|(]\s*|\bdo\s+)(?:sleep|wait)\b")


class BashArguments(msgspec.Struct, frozen=True):
    command: str
    timeout_ms: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


def run(bench: Bench, arguments: BashArguments) -> Result:
    limit = bench.command_s
    if isinstance(arguments.timeout_ms, int):
        limit = min(limit, arguments.timeout_ms / 1000)
    result = bench.run(arguments.command, limit)
    if result.stopped:
        ending = "[stopped: the attempt must end]"
    elif result.timed_out:
        ending = f"[stopped after {limit:g} s: the time a command may take]"
    else:
        ending = f"[exit code {result.exit_code}]"
    output = bench.spill.squeeze(result.output.rstrip("\n"))
    waiting = _WAITING.search(arguments.command.strip()) is not None
    if denied := hosts(result.incidents):
        allowed = ", ".join(bench.hosts) or "none"
        ending += f"\n[not reached: {', '.join(denied)}; hosts that commands may reach: {allowed}]"
    return Result(f"{output}\n{ending}" if output else ending, waiting=waiting)


TOOL = Tool(
    "bash",
    "Run a shell command at the repository root: tests, builds, searches. No network. Processes "
    "left running are ended with the command.",
    Operation.RUN,
    BashArguments,
    run,
)
