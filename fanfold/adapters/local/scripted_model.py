"""A model that plays a script instead of thinking: for the demo, and runs without a key."""

from __future__ import annotations

import hashlib
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.adapters.local.script import Call, Conversation, Script, Step, Turn
from fanfold.errors import ModelRejected
from fanfold.ports import ModelFactory, ModelReply, ModelRequest
from fanfold.run.attempt import Context, Usage
from fanfold.run.rates import PriceList, Rate, per_million

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHARACTERS_A_TOKEN = 4
LAST_WORDS = Turn("There is nothing more to do.")


class ScriptedModel:
    """Plays the turns of one attempt; the conversation says which, so a retry gets the same.

    A conversation that outlasts its turns is told that there is nothing more to do.
    """

    def __init__(
        self, turns: Sequence[Step], attempt: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._turns, self._attempt, self._sleep = tuple(turns), attempt, sleep

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:  # noqa: ARG002
        """The next turn as a reply; raises what a turn that is a function raises."""
        conversation = Conversation(request)
        index = conversation.turn
        step = self._turns[index] if index < len(self._turns) else LAST_WORDS
        turn = step if isinstance(step, Turn) else step(conversation)
        if turn.delay_s:
            self._sleep(turn.delay_s)
        seed = f"{self._attempt}/{index}"
        content = content_blocks(turn, seed)
        return ModelReply(
            message_id=f"msg_{_digest(seed)}",
            content=content,
            stop_reason=turn.stop_reason or ("tool_use" if turn.calls else "end_turn"),
            usage=plausible_usage(request, content),
            model=request.model,
            latency_ms=round(turn.delay_s * 1000),
        )


class _Speechless:
    """The model of an attempt that the script does not name."""

    def __init__(self, context: Context) -> None:
        self._problem = (
            f"the model script names neither unit {context.unit!r} nor one of its tasks"
            f" (purpose {context.purpose.value}, attempt {context.attempt})"
        )

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:  # noqa: ARG002
        raise ModelRejected(self._problem)


def scripted(script: Script, sleep: Callable[[float], None] = time.sleep) -> ModelFactory:
    """Models for all attempts of a run; one the script does not name gets `ModelRejected`."""

    def model(context: Context) -> ScriptedModel | _Speechless:
        turns = script.turns_for(context)
        return (
            _Speechless(context) if turns is None else ScriptedModel(turns, context.attempt, sleep)
        )

    return model


class ScriptedPrices:
    """A made-up rate for every model, so that the ledger has something to count.

    Dollars a million tokens: input 2, output 10, cache writes 2.50 (5 min) and 4 (1 h), cache
    reads 0.10.
    """

    _PRICES = PriceList(
        (
            (
                0,
                Rate(
                    input=per_million(Decimal(2)),
                    output=per_million(Decimal(10)),
                    cache_write_5m=per_million(Decimal("2.5")),
                    cache_write_1h=per_million(Decimal(4)),
                    cache_read=per_million(Decimal("0.1")),
                ),
            ),
        )
    )

    def cost(self, model: str, usage: Usage) -> int:  # noqa: ARG002
        return self._PRICES.cost(usage)

    def worst_case(self, model: str, input_tokens: int, max_tokens: int) -> int:  # noqa: ARG002
        return self._PRICES.worst_case(input_tokens, max_tokens)

    def room(self, model: str) -> int:  # noqa: ARG002
        return self._PRICES.room

    def affordable_tokens(self, model: str, input_tokens: int, budget: int) -> int:  # noqa: ARG002
        return self._PRICES.affordable_tokens(input_tokens, budget)


def content_blocks(turn: Turn, seed: str) -> list[dict[str, Any]]:
    """The turn in the API's shape; ids of tool calls follow from `seed` and their place."""
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return [*text, *(_tool_use(call, f"{seed}/{place}") for place, call in enumerate(turn.calls))]


def plausible_usage(request: ModelRequest, content: Sequence[dict[str, Any]]) -> Usage:
    """What the API might count: what the call before has sent is read from the cache."""
    last_reply = max(
        (i for i, message in enumerate(request.messages) if message.get("role") == "assistant"),
        default=-1,
    )
    head = _tokens([request.system, request.tools])
    seen = _tokens(request.messages[: max(last_reply, 0)])
    new = _tokens(request.messages[max(last_reply, 0) :])
    written = _tokens(content)
    if not _has_breakpoint(request):
        return Usage(input=head + seen + new, output=written)
    if last_reply < 0:
        return Usage(cache_write_5m=head + new, output=written)
    return Usage(cache_write_5m=new, cache_read=head + seen, output=written)


def _tool_use(call: Call, seed: str) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": f"toolu_{_digest(seed)}",
        "name": call.name,
        "input": call.input,
    }


def _has_breakpoint(request: ModelRequest) -> bool:
    return b'"cache_control"' in msgspec.json.encode(
        [request.system, request.tools, request.messages]
    )


def _tokens(value: object) -> int:
    return len(msgspec.json.encode(value)) // CHARACTERS_A_TOKEN + 1


def _digest(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:24]
