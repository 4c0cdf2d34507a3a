"""What an attempt may do: default deny, role → tools → operations → paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.agent.paths import insane, normal
from fanfold.agent.tools.spill import PREFIX
from fanfold.patch.globs import any_matches
from fanfold.run.access import Decision, Operation, Refusal
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


class Policy:
    """The one judge of an attempt's tool calls."""

    def __init__(self, role: Role, context: Context, *, shell: bool) -> None:
        self._role, self._context = role, context
        self._operations = _operations(context, role, shell=shell)
        self._tools = frozenset(role.tools) | ALWAYS
        self._hosts = context.hosts if Operation.RUN in self._operations else ()

    def tools(self, known: dict[str, Tool[Any]]) -> list[Tool[Any]]:
        """Those of `known` that the attempt may use at all, in their order."""
        return [t for t in known.values() if self._may(t)]

    def granted(self) -> AccessGranted:
        """All that the attempt may do, for the log."""
        context, role = self._context, self._role
        return AccessGranted(
            role=role.name,
            tools=tuple(self._names()),
            operations=tuple(sorted(operation.value for operation in self._operations)),
            source=context.role_file[0] if context.role_file else "",
            reads=role.readable,
            writes=context.writes if role.writes is None else role.writes,
            hosts=self._hosts,
        )

    def decide(self, tool: Tool[Any], paths: tuple[str, ...]) -> Decision:
        if not self._may(tool):
            return self._no_tool(tool)
        for path in paths:
            denied = self._path_problem(tool, path)
            if denied is not None:
                return denied
        return Decision(True, f"{self._role.name} may {tool.operation.value}")

    def _may(self, tool: Tool[Any]) -> bool:
        return tool.name in self._tools and tool.operation in self._operations

    def _no_tool(self, tool: Tool[Any]) -> Decision:
        if tool.operation not in self._operations:
            said = f"{tool.name} is not available here: this attempt may only {self._allowed()}"
            return Decision(False, said, Refusal.OPERATION)
        said = f"the role {self._role.name} has no {tool.name}; it has {', '.join(self._names())}"
        return Decision(False, said, Refusal.TOOL)

    def _allowed(self) -> str:
        return ", ".join(sorted(operation.value for operation in self._operations))

    def _names(self) -> list[str]:
        return sorted(self._tools)

    def _path_problem(self, tool: Tool[Any], raw: str) -> Decision | None:
        problem = insane(raw)
        if problem:
            return Decision(False, problem, Refusal.PATH)
        path = normal(raw)
        if ".git" in map(_folded, path.split("/")):
            return Decision(False, f"{path!r} belongs to git; {self._of_git()}", Refusal.GIT)
        if tool.operation is Operation.WRITE:
            return self._write_problem(path)
        if path and any_matches(self._context.context_deny, path):
            return _hidden(path)
        return None if tool.searches else self._read_problem(path)

    def _of_git(self) -> str:
        shell = Operation.RUN in self._operations
        told = "`git log` and `git diff` show its history" if shell else "all other files are open"
        return f"nobody reads or writes it here; {told}"

    def _read_problem(self, path: str) -> Decision | None:
        """Searches are not asked: they go through what may be read alone."""
        readable = self._role.readable
        if readable is None or path.startswith(PREFIX) or any_matches(readable, path):
            return None
        return _outside(path, f"the role {self._role.name} may read", readable)

    def _write_problem(self, path: str) -> Decision | None:
        context, mine = self._context, self._role.writes
        if not path:
            return Decision(False, "a path is needed", Refusal.INPUT)
        if _folded(path.split("/", 1)[0]) == WORKSPACE or any_matches(context.control_files, path):
            return Decision(False, f"{path!r} is a control file: {TICKS}", Refusal.CONTROL)
        if path.startswith(PREFIX):
            said = f"{path!r} holds the output of a tool and cannot be written"
            return Decision(False, said, Refusal.OUTPUT)
        if any_matches(context.context_deny, path):
            return _hidden(path)
        if context.writes is not None and not any_matches(context.writes, path):
            return _outside(path, "this task may write", context.writes)
        if mine is not None and not any_matches(mine, path):
            return _outside(path, f"the role {self._role.name} may write", mine)
        return None


def _hidden(path: str) -> Decision:
    said = f"{path!r} is kept from agents by [context] deny of the project"
    return Decision(False, said, Refusal.HIDDEN)


def _outside(path: str, bound: str, globs: Sequence[str]) -> Decision:
    said = f"{path!r} is outside what {bound}: {', '.join(globs) or 'nothing'}"
    return Decision(False, said, Refusal.SCOPE)


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


def _folded(name: str) -> str:
    """A name as a case-folding file system would see it."""
    return name.rstrip(". ").casefold()
