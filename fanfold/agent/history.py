"""The conversation: append-only, so that each request begins with the one before, byte for byte.

Cache breakpoints are put on copies when a request is made. They alone move between requests.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fanfold.agent.strings import encodable, map_strings
from fanfold.ports import ModelRequest

Block = dict[str, Any]

FIVE_MINUTES: Block = {"type": "ephemeral"}
ONE_HOUR: Block = {"type": "ephemeral", "ttl": "1h"}
KNOWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
NOTHING_SAID: Block = {"type": "text", "text": "(no answer)"}


class History:
    """Tools, system and messages of one attempt; `system` already has its breakpoint.

    `shared` is what stands up to that, the same for others of the role; it `lasts` an hour or five
    minutes.
    """

    def __init__(self, system: list[Block], tools: list[Block], task: str) -> None:
        self.system, self.tools = system, tools
        self.messages: list[Block] = [text_message(task)]
        marked = [i for i, block in enumerate(system) if "cache_control" in block]
        self.shared = msgspec.json.encode([tools, system[: max(marked, default=-1) + 1]])
        self.lasts = any(block.get("cache_control") == ONE_HOUR for block in system)
        self._head = _size([system, tools])
        self.characters = self._head + _size(self.messages)

    def add_reply(self, content: list[Block]) -> None:
        """Blocks of unknown types are dropped: the API would not take them back."""
        kept = [_sendable(block) for block in content if _keep(block)]
        self._add({"role": "assistant", "content": kept or [NOTHING_SAID]})

    def add_user(self, blocks: list[Block]) -> None:
        self._add({"role": "user", "content": blocks})

    def add_to_last(self, block: Block) -> None:
        """One more block in the user's turn that was not sent yet."""
        last = self.messages.pop()
        self.characters -= _size(last)
        self._add({**last, "content": [*last["content"], block]})

    def restart(self, notes: str) -> None:
        """The conversation anew: the task, and what the agent noted for itself."""
        task = self.messages[0]["content"][:1]
        self.messages = []
        self.characters = self._head
        self._add({"role": "user", "content": [*task, {"type": "text", "text": notes}]})

    def request(self, model: str, max_tokens: int, effort: str | None) -> ModelRequest:
        """With breakpoints on the last block and on that of the user turn before it."""
        messages = list(self.messages)
        for index in (len(messages) - 1, len(messages) - 3):
            if index >= 0:
                messages[index] = _marked(messages[index])
        return ModelRequest(
            model=model,
            system=self.system,
            tools=self.tools,
            messages=messages,
            max_tokens=max_tokens,
            effort=effort,
        )

    def _add(self, message: Block) -> None:
        message = map_strings(message, encodable)
        self.messages.append(message)
        self.characters += _size(message)


def text_message(text: str) -> Block:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _sendable(block: Block) -> Block:
    """The block as the API takes it back: the input of a call is an object."""
    if block["type"] == "tool_use" and not isinstance(block.get("input"), dict):
        block = {**block, "input": {}}
    return block


def _keep(block: Block) -> bool:
    kind = block.get("type")
    return kind in KNOWN_BLOCKS and not (kind == "text" and not block.get("text", "").strip())


def _marked(message: Block) -> Block:
    *rest, last = message["content"]
    return {**message, "content": [*rest, {**last, "cache_control": FIVE_MINUTES}]}


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))
