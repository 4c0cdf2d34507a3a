"""A script played over HTTP: which attempt a request belongs to is read from the prompt."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

from fanfold.adapters.local.script import ANY_TASK, Conversation, Script, Turn
from fanfold.adapters.local.scripted_model import LAST_WORDS, content_blocks
from fanfold.run.attempt import Purpose
from tests.fakes.messages_api import request_of
from tests.fakes.messages_wire import Answer, Refusal, Reply


class ScriptedAgents:
    """Plays the task that the opening message names last; another opening is a new attempt."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._openings: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> Answer:
        request = request_of(body)
        opening = _opening(request.messages)
        task = self._task(opening)
        digest = hashlib.sha256(opening.encode()).hexdigest()
        number = self._number(task, digest)
        turns = self._script.find({task}, _purpose(opening), number)
        if turns is None:
            return Refusal(400, "invalid_request_error", "the script names no task of this request")
        conversation = Conversation(request)
        index = conversation.turn
        step = turns[index] if index < len(turns) else LAST_WORDS
        turn = step if isinstance(step, Turn) else step(conversation)
        seed = f"{digest}/{index}"
        return Reply(
            content_blocks(turn, seed),
            stop_reason=turn.stop_reason,
            message_id=f"msg_{hashlib.sha256(seed.encode()).hexdigest()[:24]}",
            pause_s=turn.delay_s,
        )

    def _task(self, opening: str) -> str:
        places = {
            part.task: opening.rfind(part.task)
            for part in self._script.parts
            if part.task != ANY_TASK
        }
        found = max(places, key=lambda task: (places[task], len(task)), default=ANY_TASK)
        return found if places.get(found, -1) >= 0 else ANY_TASK

    def _number(self, task: str, digest: str) -> int:
        with self._lock:
            openings = self._openings.setdefault(task, [])
            if digest not in openings:
                openings.append(digest)
            return openings.index(digest) + 1


def _opening(messages: list[dict[str, Any]]) -> str:
    content = messages[0]["content"] if messages else ""
    return (
        content if isinstance(content, str) else "\n".join(str(b.get("text", "")) for b in content)
    )


def _purpose(opening: str) -> Purpose:
    return next((p for p in Purpose if f"purpose: {p.value}" in opening.casefold()), Purpose.WORK)
