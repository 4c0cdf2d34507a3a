"""The subagent: query, charge, execute, observe, until it submits or must stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from fanfold.agent.broker import Broker
from fanfold.agent.calls import MAX_OUTPUT, Caller
from fanfold.agent.compaction import SUMMARY_TOKENS, Compactor
from fanfold.agent.exits import (
    BudgetSpent,
    ContextFull,
    Halted,
    LimitReached,
    NoSubmit,
    Refused,
    StuckLoop,
    Submitted,
)
from fanfold.agent.history import History
from fanfold.agent.policy import Policy
from fanfold.agent.prompt import render
from fanfold.agent.stuck import ADVICE
from fanfold.agent.tools import TOOLS
from fanfold.agent.tools.bench import Bench, Submission
from fanfold.agent.transcript import Transcript
from fanfold.run.attempt import ACCEPT, JUDGING, SEND_BACK, Purpose, ToolCall
from fanfold.run.circles import CircleDetector
from fanfold.run.circles import Stop as Circle
from fanfold.run.events import LoopNudged, LoopStopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.agent.broker import Outcome
    from fanfold.agent.calls import Answer
    from fanfold.agent.desk import Desk
    from fanfold.agent.history import Block
    from fanfold.agent.purse import Purse
    from fanfold.agent.roles import Role
    from fanfold.agent.timing import Timing
    from fanfold.run.attempt import Context

WHOLE_TURNS = frozenset({"tool_use", "end_turn", "stop_sequence", "pause_turn"})
BARE_ENDS = CUT_OFFS = 3
LAST_STEPS, LAST_SECONDS = 3, 60
LAST_WORDS = 2_000
TELL_AFTER_MS = 500
NO_TOOL_CALL, CUT_OFF = "no_tool_call", "cut_off"


class Loop:
    """One attempt at work. `run` and `step` leave by raising a `Stop`."""

    def __init__(
        self, context: Context, role: Role, desk: Desk, timing: Timing, purse: Purse
    ) -> None:
        self.context, self.desk, self.timing, self.purse = context, desk, timing, purse
        self.steps = 0
        self.written: set[str] = set()
        self.last_words = ""
        self.bench = _bench(context, role, desk)
        policy = Policy(role, context, shell=desk.workspace.has_shell)
        desk.events.append(policy.granted())
        prompt = render(context, role, desk.workspace.files(), desk.workspace.read)
        for name, text in prompt.spills.items():
            self.bench.spill.put(name, text)
        self.cuts = prompt.cuts
        tools = [tool.definition(_unused(context)) for tool in policy.tools(TOOLS)]
        self._history = History(prompt.system, tools, prompt.task)
        self._broker = Broker(self.bench, policy, TOOLS, desk.clock, self._guard)
        self._caller = Caller(context, desk, purse, timing, self._history, self._guard)
        self._compactor = Compactor(self._history, self._caller, desk.events, purse.room)
        self._circles = CircleDetector(context.circles)
        self._transcript = Transcript(desk.transcript, desk.secrets)
        self._transcript.line("prompt", system=prompt.system, tools=tools, task=prompt.task)
        self._bare_ends = self._cut_offs = 0
        self._warned = False

    def run(self) -> None:
        try:
            while True:
                self.step()
        finally:
            self._caller.close()

    def step(self) -> None:
        self.make_room()
        answer = self.query()
        self.charge(answer)
        results = self.execute(answer)
        self.observe(answer, results)

    def make_room(self) -> None:
        """Near the window or a price step, one call is spent on a summary to go on from."""
        if not self._compactor.begin():
            return
        answer = self.query(SUMMARY_TOKENS)
        self.charge(answer)
        notes = self._compactor.finish(answer.reply)
        self._transcript.line("compacted", step=self.steps, content=notes)
        self._circles.forget()
        self.bench.known.forget()

    def query(self, wish: int = MAX_OUTPUT) -> Answer:
        if self.steps >= self.context.limits.steps:
            raise LimitReached(f"{self.steps} steps without a submit")
        return self._caller.query(wish)

    def charge(self, answer: Answer) -> None:
        self._caller.charge(answer)
        self.steps += 1
        reply = answer.reply
        self.last_words = _words(reply.content) or self.last_words
        self._transcript.line(
            "assistant", step=self.steps, content=reply.content, stop_reason=reply.stop_reason
        )

    def execute(self, answer: Answer) -> list[Block]:
        """What the model hears next; tool calls run only in a turn that came to its own end."""
        reply = answer.reply
        if reply.stop_reason == "refusal":
            raise Refused("the model declined to go on")
        if reply.stop_reason == "model_context_window_exceeded":
            raise ContextFull("the conversation fills the model's context window")
        calls = _tool_calls(reply.content)
        if reply.stop_reason not in WHOLE_TURNS:
            return self._cut_off(answer, calls)
        if not calls:
            return self._bare_end()
        self._bare_ends = self._cut_offs = 0
        return self._carry_out(calls)

    def observe(self, answer: Answer, results: list[Block]) -> None:
        blocks = [*results, *self._notices(answer.max_tokens)]
        self._history.add_user(blocks)
        self._transcript.line("user", step=self.steps, content=blocks)

    def _guard(self) -> None:
        told = self.desk.keep_going()
        if told is not None:
            raise Halted(told, "stopped from outside")
        self.timing.check()
        self.bench.command_s = min(self.context.limits.command_s, self.timing.left)

    def _carry_out(self, calls: Sequence[ToolCall]) -> list[Block]:
        outcomes: list[Outcome] = []
        told = 0
        try:
            for outcome in self._broker.execute(calls):
                outcomes.append(outcome)
                self.written.update(outcome.event.written)
                if outcome.event.duration_ms > TELL_AFTER_MS:
                    self._tell(outcomes[told:])
                    told = len(outcomes)
        finally:
            self._tell(outcomes[told:])
        if self.bench.submission is not None:
            self._transcript.line("submitted", content=[outcome.block() for outcome in outcomes])
            raise Submitted
        return [*(outcome.block() for outcome in outcomes), *self._watch(outcomes)]

    def _tell(self, outcomes: list[Outcome]) -> None:
        self.desk.events.append(*(event for outcome in outcomes for event in outcome.events))

    def _watch(self, outcomes: list[Outcome]) -> list[Block]:
        """Nudges for this turn; a stop only for a signal that the model has heard of before."""
        verdicts = [self._circles.observe(outcome.event) for outcome in outcomes]
        signals: dict[str, int] = {}
        for verdict in filter(None, verdicts):
            if isinstance(verdict, Circle) and self._circles.nudged(verdict.signal):
                self._stop(verdict)
            signals[verdict.signal] = verdict.count
        for signal in signals:
            self._circles.nudge(signal)
        return [self._nudge(signal, count, ADVICE[signal]) for signal, count in signals.items()]

    def _nudge(self, signal: str, count: int, advice: str) -> Block:
        self.desk.events.append(LoopNudged(signal=signal, count=count))
        return _text(advice)

    def _stop(self, verdict: Circle) -> None:
        self.desk.events.append(LoopStopped(signal=verdict.signal, count=verdict.count))
        raise StuckLoop(f"{verdict.signal}, {verdict.count} times; a nudge did not help")

    def _cut_off(self, answer: Answer, calls: Sequence[ToolCall]) -> list[Block]:
        self._cut_offs += 1
        reason = answer.reply.stop_reason
        if self._cut_offs >= CUT_OFFS:
            if answer.max_tokens < MAX_OUTPUT:
                raise BudgetSpent(f"the slice pays for no more than {answer.max_tokens} tokens")
            self.desk.events.append(LoopStopped(signal=CUT_OFF, count=self._cut_offs))
            raise StuckLoop(f"{self._cut_offs} turns in a row were cut off ({reason})")
        said = f"Your turn was cut off ({reason}) and nothing of it was run. Use smaller steps."
        return [
            *(_not_run(call, said) for call in calls),
            self._nudge(CUT_OFF, self._cut_offs, said),
        ]

    def _bare_end(self) -> list[Block]:
        self._bare_ends += 1
        if self._bare_ends < BARE_ENDS:
            advice = (
                "You ended your turn without a tool call. Go on with the task, or call submit when"
                " it is done or cannot be done."
            )
            return [self._nudge(NO_TOOL_CALL, self._bare_ends, advice)]
        self.desk.events.append(LoopStopped(signal=NO_TOOL_CALL, count=self._bare_ends))
        if self.context.purpose in JUDGING or not self._changed():
            raise NoSubmit(f"{self._bare_ends} turns ended without a tool call and a change")
        self.bench.submission = Submission("done", self.last_words)
        self.bench.check_results = tuple(self.bench.check()) if self.bench.check else ()
        raise Submitted("submitted by the harness")

    def _changed(self) -> bool:
        return self.desk.workspace.tree() != self.context.base_tree

    def _notices(self, granted_tokens: int) -> list[Block]:
        """Once, when the end is near: steps, money or time."""
        steps_left = self.context.limits.steps - self.steps
        tight = granted_tokens < MAX_OUTPUT // 2 or self.timing.left < LAST_SECONDS
        if self._warned or not (tight or steps_left <= LAST_STEPS):
            return []
        self._warned = True
        what = f"{steps_left} steps, ${self.purse.left / 1e6:.2f} and {self.timing.left:.0f} s"
        return [_text(f"Of this attempt at most {what} are left. Finish what you can and submit.")]


def _bench(context: Context, role: Role, desk: Desk) -> Bench:
    return Bench(
        desk.workspace,
        command_s=context.limits.command_s,
        max_file_bytes=context.limits.max_file_bytes,
        denied=(*context.context_deny, ".git/**"),
        only=role.readable,
        choices=_choices(context),
        check=None if context.purpose in JUDGING else desk.check,
        tasks=_still_to_do(context),
        redact=desk.secrets.redact,
        stop=lambda: desk.keep_going() is not None,
        hosts=context.hosts,
    )


def _unused(context: Context) -> tuple[str, ...]:
    """Properties of tools that this attempt has no use for."""
    unused = () if context.purpose in JUDGING else ("choice",)
    return unused if len(_still_to_do(context)) > 1 else (*unused, "task")


def _choices(context: Context) -> list[str]:
    if context.purpose is Purpose.REVIEW:
        return [ACCEPT, SEND_BACK]
    return [c.attempt for c in context.candidates] if context.purpose is Purpose.PICK else []


def _still_to_do(context: Context) -> list[str]:
    finished = {each.task for each in context.finished}
    return [task.id for task in context.tasks if task.id not in finished]


def _words(content: list[Block]) -> str:
    texts = (str(block.get("text", "")) for block in content if block.get("type") == "text")
    return "\n".join(texts).strip()[:LAST_WORDS]


def _tool_calls(content: list[Block]) -> list[ToolCall]:
    return [
        ToolCall(str(block.get("id", "")), str(block.get("name", "")), _input(block.get("input")))
        for block in content
        if block.get("type") == "tool_use"
    ]


def _input(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _not_run(call: ToolCall, said: str) -> Block:
    return {"type": "tool_result", "tool_use_id": call.id, "content": said, "is_error": True}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
