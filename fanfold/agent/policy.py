"""What an attempt may do: default deny, role → tools → operations → paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.agent.paths import insane, normal
from fanfold.agent.tools.base import Operation
from fanfold.agent.tools.spill import PREFIX
from fanfold.patch.globs import any_matches
from fanfold.run.attempt import JUDGING
from fanfold.run.events import AccessGranted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.agent.roles import Role
    from fanfold.agent.tools.base import Tool
    from fanfold.run.attempt import Context

ALWAYS = frozenset({"submit"})
TICKS = "fanfold itself ticks the plan and keeps these files; leave them alone"
WORKSPACE = ".ai-workspace"


class Decision(msgspec.Struct, frozen=True):
    """Allowed or not, and why; the reason of a denial is said to the model."""

    allowed: bool
    why: str


class Policy:
    """The one judge of an attempt's tool calls."""

    def __init__(self, role: Role, context: Context, *, shell: bool) -> None:
        self._role, self._context = role, context
        self._operations = _operations(context, role, shell=shell)
        self._tools = frozenset(role.tools) | ALWAYS

    def tools(self, known: dict[str, Tool[Any]]) -> list[Tool[Any]]:
        """Those of `known` that the attempt may use at all, in their order."""
        return [t for t in known.values() if self._may(t)]

    def granted(self) -> AccessGranted:
        """All that the attempt may do, for the log."""
        context, role = self._context, self._role
        may_run = Operation.RUN in self._operations
        return AccessGranted(
            role=role.name,
            tools=tuple(self._names()),
            operations=tuple(sorted(operation.value for operation in self._operations)),
            source=context.role_file[0] if context.role_file else "",
            reads=role.readable,
            writes=context.writes if role.writes is None else role.writes,
            hosts=context.hosts if may_run else (),
        )

    def decide(self, tool: Tool[Any], paths: tuple[str, ...]) -> Decision:
        if not self._may(tool):
            return Decision(False, self._no_tool(tool))
        for path in paths:
            problem = self._path_problem(tool, path)
            if problem:
                return Decision(False, problem)
        return Decision(True, f"{self._role.name} may {tool.operation.value}")

    def _may(self, tool: Tool[Any]) -> bool:
        return tool.name in self._tools and tool.operation in self._operations

    def _no_tool(self, tool: Tool[Any]) -> str:
        if tool.operation not in self._operations:
            return f"{tool.name} is not available here: this attempt may only {self._allowed()}"
        return f"the role {self._role.name} has no {tool.name}; it has {', '.join(self._names())}"

    def _allowed(self) -> str:
        return ", ".join(sorted(operation.value for operation in self._operations))

    def _names(self) -> list[str]:
        return sorted(self._tools)

    def _path_problem(self, tool: Tool[Any], raw: str) -> str | None:
        problem = insane(raw)
        if problem:
            return problem
        path = normal(raw)
        if ".git" in map(_folded, path.split("/")):
            return f"{path!r} belongs to git; nobody reads or writes it here"
        if tool.operation is Operation.WRITE:
            return self._write_problem(path)
        if path and any_matches(self._context.context_deny, path):
            return f"{path!r} is kept from agents by [context] deny of the project"
        return None if tool.searches else self._read_problem(path)

    def _read_problem(self, path: str) -> str | None:
        """Searches are not asked: they go through what may be read alone."""
        readable = self._role.readable
        if readable is None or path.startswith(PREFIX) or any_matches(readable, path):
            return None
        return f"{path!r} is outside what the role {self._role.name} may read: {_listed(readable)}"

    def _write_problem(self, path: str) -> str | None:
        context = self._context
        if not path:
            return "a path is needed"
        if _folded(path.split("/", 1)[0]) == WORKSPACE or any_matches(context.control_files, path):
            return f"{path!r} is a control file: {TICKS}"
        if path.startswith(PREFIX):
            return f"{path!r} holds the output of a tool and cannot be written"
        if any_matches(context.context_deny, path):
            return f"{path!r} is kept from agents by [context] deny of the project"
        if context.writes is not None and not any_matches(context.writes, path):
            return f"{path!r} is outside what this task may write: {_listed(context.writes)}"
        mine = self._role.writes
        if mine is not None and not any_matches(mine, path):
            return f"{path!r} is outside what the role {self._role.name} may write: {_listed(mine)}"
        return None


def _operations(context: Context, role: Role, *, shell: bool) -> frozenset[Operation]:
    """Who judges only looks, so that what is chosen stays what was handed in."""
    allowed = {Operation.READ, Operation.SUBMIT}
    if context.purpose not in JUDGING:
        allowed.add(Operation.WRITE)
    if context.shell and shell:
        allowed.add(Operation.RUN)
    if role.operations is not None:
        allowed &= {Operation.SUBMIT, *map(Operation, role.operations)}
    return frozenset(allowed)


def _listed(globs: Sequence[str]) -> str:
    return ", ".join(globs) or "nothing"


def _folded(name: str) -> str:
    """A name as a case-folding file system would see it."""
    return name.rstrip(". ").casefold()
