"""Carries out the tool calls of a turn: judge, run, record; reads side by side, others in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.agent.strings import encodable, map_strings
from fanfold.agent.tools.base import Result, ToolFailure, digest
from fanfold.errors import WorkspaceError
from fanfold.run.access import Decision, Operation, Refusal
from fanfold.run.attempt import ToolCall
from fanfold.run.events import AccessDecided, CommandContained, EventData, ToolCalled
from fanfold.run.incidents import IncidentKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fanfold.agent.policy import Policy
    from fanfold.agent.tools.base import Tool
    from fanfold.agent.tools.bench import Bench
    from fanfold.ports import Clock
    from fanfold.run.incidents import Incident

READERS = 8
COMMANDS = "commands"
LONGEST_SUBJECT = 300


class Outcome(msgspec.Struct, frozen=True):
    """A call that was answered: what the model hears, and what the log says."""

    call: ToolCall
    result: Result
    event: ToolCalled
    around: tuple[EventData, ...] = ()

    @property
    def events(self) -> tuple[EventData, ...]:
        return (self.event, *self.around)

    def block(self) -> dict[str, Any]:
        answer = {"type": "tool_result", "tool_use_id": self.call.id, "content": self.result.text}
        return answer if self.result.ok else {**answer, "is_error": True}


class _Judged(msgspec.Struct, frozen=True):
    """A call with its verdict; `tool` and `arguments` are there when it may run."""

    call: ToolCall
    decision: Decision
    tool: Any = None
    arguments: Any = None

    @property
    def allowed(self) -> bool:
        return self.decision.allowed

    @property
    def reads(self) -> bool:
        return not self.allowed or self.tool.operation is Operation.READ


class Broker:
    """The one way from a tool call to the workspace. `guard` is asked before every write."""

    def __init__(
        self,
        bench: Bench,
        policy: Policy,
        tools: dict[str, Tool[Any]],
        clock: Clock,
        guard: Callable[[], None],
    ) -> None:
        self._bench, self._policy, self._clock, self._guard = bench, policy, clock, guard
        self._tools = tools
        self._usable = [tool.name for tool in policy.tools(tools)]

    def execute(self, calls: Sequence[ToolCall]) -> Iterator[Outcome]:
        """Outcomes in the order of the calls; nothing is run after a submit that was taken.

        What `guard` raises, and a bug in a tool, goes through.
        """
        self._bench.known.turn()
        failed = self._bench.submit_blocked = False
        for reads, group in groupby(map(self._judge, calls), lambda judged: judged.reads):
            judged = list(group)
            for outcome in self._together(judged) if reads else map(self._alone, judged):
                failed = failed or (outcome.event.allowed and not outcome.result.ok)
                self._bench.submit_blocked = failed
                yield outcome
                if self._bench.submission is not None:
                    return

    def _together(self, judged: list[_Judged]) -> Iterator[Outcome]:
        if len(judged) == 1:
            yield self._perform(judged[0])
            return
        with ThreadPoolExecutor(min(READERS, len(judged))) as pool:
            yield from pool.map(self._perform, judged)

    def _alone(self, judged: _Judged) -> Outcome:
        """A submit is taken even when time is over: the work is done."""
        if judged.tool.operation is not Operation.SUBMIT:
            self._guard()
        return self._perform(judged)

    def _judge(self, call: ToolCall) -> _Judged:
        tool = self._tools.get(call.name)
        if tool is None:
            usable = ", ".join(self._usable)
            said = f"there is no tool {call.name!r}; there are {usable}"
            return _Judged(call, Decision(False, said, Refusal.TOOL))
        try:
            arguments = tool.parse(call.input)
        except msgspec.ValidationError as error:
            return _Judged(call, Decision(False, f"malformed input: {error}", Refusal.INPUT))
        return _Judged(call, self._policy.decide(tool, tool.paths(arguments)), tool, arguments)

    def _perform(self, judged: _Judged) -> Outcome:
        started, decision = self._clock.monotonic(), judged.decision
        denied = Result(f"Not run: {decision.why}", ok=False)
        result = self._run(judged) if decision.allowed else denied
        redact = self._bench.redact
        result = msgspec.structs.replace(result, text=redact(result.text))
        event = ToolCalled(
            name=redact(judged.call.name),
            allowed=decision.allowed,
            why=redact(decision.why),
            arguments=_fingerprint(judged.call),
            result=result.digest,
            ok=result.ok,
            duration_ms=round((self._clock.monotonic() - started) * 1000),
            read=tuple(map(redact, result.read)),
            written=tuple(map(redact, result.written)),
            waiting=result.waiting,
            subject=_subject(judged, redact),
            refusal=decision.refusal,
        )
        around = () if judged.reads else tuple(map(self._told, self._bench.take_incidents()))
        return Outcome(judged.call, result, event, around)

    def _told(self, incident: Incident) -> EventData:
        subject = self._bench.redact(incident.subject)
        if incident.kind is not IncidentKind.REACHED:
            return CommandContained(incident.kind, subject)
        return AccessDecided(Operation.CONNECT, subject, by=COMMANDS, allowed=True)

    def _run(self, judged: _Judged) -> Result:
        try:
            return judged.tool.run(self._bench, judged.arguments)
        except (ToolFailure, WorkspaceError) as failure:
            paths = tuple(path for path in judged.tool.paths(judged.arguments) if path)
            return Result(str(failure), ok=False, read=paths)


def _subject(judged: _Judged, redact: Callable[[str], str]) -> str:
    """What the call was about: the command, or the paths it named."""
    if judged.tool is None or judged.arguments is None:
        return ""
    told = getattr(judged.arguments, "command", "") or " ".join(judged.tool.paths(judged.arguments))
    return redact(encodable(told))[:LONGEST_SUBJECT]


def _fingerprint(call: ToolCall) -> str:
    arguments = map_strings(call.input, encodable)
    return digest(msgspec.json.encode(arguments, order="sorted").decode())
