"""Compaction: near the window or a price step, the agent's own summary replaces the conversation.

Otherwise history is append-only: a cache read is so cheap that trimming costs more than it saves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.agent.exits import ContextFull, Refused, StuckLoop
from fanfold.run.circles import COMPACTION
from fanfold.run.events import ContextCompacted, LoopStopped

if TYPE_CHECKING:
    from fanfold.agent.calls import Caller
    from fanfold.agent.history import History
    from fanfold.agent.log import AttemptLog
    from fanfold.ports import ModelReply

NEARLY = 0.9
LEAST_FREED = 0.2
USELESS = 2
SUMMARY_TOKENS = 4_000
ASK = (
    "There is no more room for this conversation: it will be replaced by what you answer now. Call"
    " no tool. Write in plain text all that you need to go on: what the task still asks for, what"
    " you changed and where, what you found out (names, paths, commands, errors), what you tried in"
    " vain, and the next steps."
)
GOING_ON = "You have worked on this before. Your changes are in the files. Your notes:"


class Compactor:
    """Watches the size of a conversation with `room` for so many tokens."""

    def __init__(self, history: History, caller: Caller, log: AttemptLog, room: int) -> None:
        self._history, self._caller, self._log = history, caller, log
        self._most = int(room * NEARLY)
        self._before = self._useless = 0

    def begin(self) -> bool:
        """Whether the next reply is to be the summary; then the conversation asks for it."""
        self._before = self._caller.tokens
        if self._before <= self._most:
            return False
        self._history.add_to_last({"type": "text", "text": ASK})
        return True

    def finish(self, reply: ModelReply) -> str:
        """The notes with which the conversation starts over. Raises the `Stop` that fits."""
        if reply.stop_reason == "refusal":
            raise Refused("the model declined to sum up")
        notes = _text_of(reply)
        if not notes:
            raise ContextFull("the conversation is full, and the model gave no summary of it")
        self._history.restart(f"{GOING_ON}\n{notes}")
        self._caller.restarted()
        after = self._caller.tokens
        self._log.append(ContextCompacted(self._before, after))
        useless = after > self._most or after > self._before * (1 - LEAST_FREED)
        self._useless = self._useless + 1 if useless else 0
        if self._useless >= USELESS:
            self._log.append(LoopStopped(signal=COMPACTION, count=self._useless))
            raise StuckLoop(f"{COMPACTION}, {self._useless} times without making room")
        return notes


def _text_of(reply: ModelReply) -> str:
    texts = (block.get("text", "") for block in reply.content if block.get("type") == "text")
    return "\n".join(map(str, texts)).strip()
