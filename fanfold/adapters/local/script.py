"""Scripts: what a scripted model answers, by task and attempt, in Python or as JSON."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from fanfold.errors import InvalidSettings, ModelError
from fanfold.ports import ModelRequest
from fanfold.run.attempt import Context, Purpose

ANY_TASK = "*"


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call, in the shapes that the agent's tools take."""

    name: str
    input: dict[str, Any] = {}


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reply: text, then tool calls. Without `stop_reason` it stops as a model would."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    stop_reason: str | None = None
    delay_s: float = 0.0


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool gave back to the model."""

    text: str
    is_error: bool = False


class Conversation(msgspec.Struct, frozen=True):
    """What a turn that is a function may look at: the request so far."""

    request: ModelRequest

    @property
    def turn(self) -> int:
        """How many replies the model has given, hence the index of the next."""
        return sum(message.get("role") == "assistant" for message in self.request.messages)

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """The results of the tool calls of the last turn, in their order."""
        last: Any = self.request.messages[-1]["content"] if self.request.messages else ""
        blocks: list[dict[str, Any]] = [] if isinstance(last, str) else last
        return tuple(
            ToolResult(_text(block.get("content")), bool(block.get("is_error")))
            for block in blocks
            if block.get("type") == "tool_result"
        )


Step = Turn | Callable[[Conversation], Turn]
Key = str | tuple[str, Purpose | None, int | None]


class Part(msgspec.Struct, frozen=True):
    """Turns of the attempts that `task` (unit id, task id, title or `*`) and the rest name."""

    task: str
    turns: tuple[Step, ...]
    purpose: Purpose | None = None
    number: int | None = None


class Script:
    """Parts; played is the one that names an attempt most closely, the first among equals."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)

    @classmethod
    def of(cls, parts: Mapping[Key, Sequence[Step]]) -> Script:
        """From turns by task, or by task, purpose and number, where None means any."""
        named = [
            ((key, None, None) if isinstance(key, str) else key, turns)
            for key, turns in parts.items()
        ]
        return cls(
            Part(task, tuple(turns), purpose, number) for (task, purpose, number), turns in named
        )

    @classmethod
    def from_json(cls, data: bytes) -> Script:
        """From `{"attempts": [{"task", "purpose"?, "number"?, "turns"? | "files"?, "submit"?}]}`.

        `files` (text by path) and `submit` (a summary) stand for turns that write them and submit.
        Raises `InvalidSettings` with the place of what is wrong.
        """
        try:
            form = msgspec.json.decode(data, type=_ScriptForm)
        except msgspec.MsgspecError as error:
            raise InvalidSettings(f"model script: {error}") from None
        return cls(part.part() for part in form.attempts)

    def turns_for(self, context: Context) -> tuple[Step, ...] | None:
        """The turns of this attempt; None where no part names it."""
        names = {context.unit, *(t.id for t in context.tasks), *(t.title for t in context.tasks)}
        number = context.attempt.rpartition(".")[2]
        return self.find(names, context.purpose, int(number) if number.isdecimal() else 1)

    def find(
        self, names: Collection[str], purpose: Purpose, number: int
    ) -> tuple[Step, ...] | None:
        """The turns of the closest part that fits one of `names`, the purpose and the number."""
        plain = {_plain(name) for name in names}
        fitting = [
            part
            for part in self.parts
            if (part.task == ANY_TASK or _plain(part.task) in plain)
            and part.purpose in {None, purpose}
            and part.number in {None, number}
        ]
        return max(fitting, key=_closeness).turns if fitting else None


class _PartForm(msgspec.Struct, forbid_unknown_fields=True):
    task: str = ANY_TASK
    purpose: Purpose | None = None
    number: int | None = None
    turns: tuple[Turn, ...] = ()
    files: dict[str, str] = {}
    submit: str | None = None

    def part(self) -> Part:
        turns = list(self.turns)
        if self.files:
            turns.append(write_files(self.files))
        if self.submit is not None:
            turns.append(submit(self.submit))
        return Part(self.task, tuple(turns), self.purpose, self.number)


class _ScriptForm(msgspec.Struct, forbid_unknown_fields=True):
    attempts: tuple[_PartForm, ...]
    schema: Literal[1] = 1


def say(text: str, *, stop_reason: str | None = None) -> Turn:
    """Words without a tool call."""
    return Turn(text, stop_reason=stop_reason)


def use(name: str, **tool_input: Any) -> Turn:
    """One call of one tool."""
    return Turn(calls=(Call(name, tool_input),))


def write_files(files: Mapping[str, str]) -> Turn:
    """Writes all of them at once, as parallel calls."""
    return Turn(
        calls=tuple(Call("write", {"file_path": p, "content": text}) for p, text in files.items())
    )


def submit(summary: str = "Done.", *, status: str = "done", **more: Any) -> Turn:
    return use("submit", status=status, summary=summary, **more)


def write_and_submit(files: Mapping[str, str], summary: str = "Done.") -> tuple[Turn, ...]:
    return (write_files(files), submit(summary))


def failing(turn: Turn, *errors: ModelError) -> Step:
    """Raises each of `errors` once, in order, then gives `turn`."""
    waiting, lock = list(errors), threading.Lock()

    def play(_: Conversation) -> Turn:
        with lock:
            if waiting:
                raise waiting.pop(0)
        return turn

    return play


def _closeness(part: Part) -> tuple[bool, bool, bool]:
    return (part.task != ANY_TASK, part.purpose is not None, part.number is not None)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text", "")) for block in content or ())
