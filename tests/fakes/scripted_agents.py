"""A script played over HTTP: which attempt a request belongs to is read from the prompt."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from fanfold.adapters.local.script import ANY_TASK, Conversation, Script, Turn
from fanfold.adapters.local.scripted_model import LAST_WORDS, content_blocks
from fanfold.errors import ModelDenied, ModelError, ModelUnavailable, StreamDropped
from fanfold.run.attempt import Purpose
from tests.fakes.messages_wire import Answer, Cut, Refusal, Reply, request_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.adapters.local.script import Step

TASKS = '<task name="task '
PURPOSE = re.compile(r"^Purpose: (\w+)$", re.MULTILINE)


class ScriptedAgents:
    """Plays the task that the opening message names last, whole agents at a time.

    An opening that was answered once begins another attempt when it comes again; later requests
    are told apart by the ids of the calls in their history.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._attempts: Counter[str] = Counter()
        self._of_call: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> Answer:
        conversation = Conversation(request_of(body))
        opening = _opening(conversation)
        task, purpose = self._task(opening), _purpose(opening)
        number = self._number(task, conversation)
        turns = self._script.find({task}, purpose, number)
        if turns is None:
            return Refusal(400, "invalid_request_error", f"the script has no {purpose} of {task}")
        try:
            turn = _turn(turns, conversation)
        except ModelError as error:
            self._take_back(task, conversation)
            return _as_answer(error)
        return self._reply(turn, f"{task}/{purpose}/{number}/{conversation.turn}", number)

    def _reply(self, turn: Turn, seed: str, number: int) -> Reply:
        content = content_blocks(turn, seed)
        with self._lock:
            self._of_call.update({block["id"]: number for block in content if "id" in block})
        return Reply(
            content,
            stop_reason=turn.stop_reason,
            message_id=f"msg_{hashlib.sha256(seed.encode()).hexdigest()[:24]}",
            silence_s=turn.delay_s,
        )

    def _task(self, opening: str) -> str:
        """The script's task whose id or text stands last in the tasks of the opening."""
        tasks = opening[max(opening.find(TASKS), 0) :]
        places = {
            part.task: max(tasks.rfind(part.task), tasks.rfind(f'{TASKS}{part.task}">'))
            for part in self._script.parts
            if part.task != ANY_TASK
        }
        found = max(places, key=lambda task: (places[task], len(task)), default=ANY_TASK)
        return found if places.get(found, -1) >= 0 else ANY_TASK

    def _number(self, task: str, conversation: Conversation) -> int:
        calls = _call_ids(conversation)
        with self._lock:
            if conversation.turn == 0:
                self._attempts[task] += 1
            return (
                next((self._of_call[i] for i in calls if i in self._of_call), 0)
                or (self._attempts[task])
            )

    def _take_back(self, task: str, conversation: Conversation) -> None:
        if conversation.turn == 0:
            with self._lock:
                self._attempts[task] -= 1


def _turn(turns: Sequence[Step], conversation: Conversation) -> Turn:
    index = conversation.turn
    step = turns[index] if index < len(turns) else LAST_WORDS
    return step if isinstance(step, Turn) else step(conversation)


def _as_answer(error: ModelError) -> Answer:
    """What the API would have sent for this error to come out."""
    match error:
        case StreamDropped():
            return Reply([{"type": "text", "text": str(error)}], cut=Cut.MID_TEXT)
        case ModelUnavailable():
            wait = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
            return Refusal(529, "overloaded_error", str(error), wait)
        case ModelDenied():
            return Refusal(403, "permission_error", str(error))
        case _:
            return Refusal(400, "invalid_request_error", str(error))


def _opening(conversation: Conversation) -> str:
    messages = conversation.request.messages
    content: Any = messages[0]["content"] if messages else ""
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content)


def _call_ids(conversation: Conversation) -> list[str]:
    return [
        block["id"]
        for message in conversation.request.messages
        if message["role"] == "assistant" and not isinstance(message["content"], str)
        for block in message["content"]
        if block.get("type") == "tool_use"
    ]


def _purpose(opening: str) -> Purpose:
    named = PURPOSE.search(opening)
    return Purpose(named[1]) if named and named[1] in set(Purpose) else Purpose.WORK
