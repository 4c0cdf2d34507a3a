"""What an attempt's stream says: who claimed it, what it spent, how it ended, what it left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.attempt import Exit, Usage
from fanfold.run.events import (
    AttemptClaimed,
    AttemptEnded,
    CommandContained,
    ModelCalled,
    ModelCallStarted,
    PatchProduced,
    ToolCalled,
)
from fanfold.run.incidents import IncidentKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.run.events import EventData, Recorded


class AttemptFold(msgspec.Struct, frozen=True):
    """An attempt as its events tell it.

    `cost` in micro-dollars: answered calls at their cost, calls without an answer at their worst
    case. `ended` is None while it runs, or when it was lost. `steps` counts replies of the model.
    """

    epoch: int = 0
    generation: int = 0
    holder: str = ""
    ended: Exit | None = None
    cost: int = 0
    steps: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    patch: PatchProduced | None = None
    choice: str | None = None
    detail: str = ""
    denied_hosts: tuple[str, ...] = ()

    @property
    def claimed(self) -> bool:
        return self.epoch > 0


class _Ledger:
    """The money of the calls; a message is paid for once, however often it is told."""

    def __init__(self) -> None:
        self.open: dict[tuple[int, int], int] = {}
        self.messages: set[str] = set()
        self.cost = 0
        self.steps = 0
        self.usage = Usage()

    def start(self, epoch: int, event: ModelCallStarted) -> None:
        self.open[epoch, event.call] = event.worst_case

    def end(self, epoch: int, event: ModelCalled) -> None:
        self.open.pop((epoch, event.call), None)
        if event.message_id and event.message_id in self.messages:
            return
        self.messages.add(event.message_id)
        self.cost += event.cost
        self.usage += event.usage
        self.steps += event.error is None


def fold_attempt(events: Sequence[Recorded]) -> AttemptFold:
    """The state after `events`, which are one attempt's stream from its first version on."""
    ledger, fold = _Ledger(), AttemptFold()
    for event in events:
        fold = _step(ledger, fold, event.data)
    return msgspec.structs.replace(
        fold,
        cost=ledger.cost + sum(ledger.open.values()),
        steps=ledger.steps,
        usage=ledger.usage,
    )


def attempt_cost(events: Sequence[Recorded]) -> int:
    """Micro-dollars: ended calls at cost, open starts at their worst case."""
    return fold_attempt(events).cost


def _step(ledger: _Ledger, fold: AttemptFold, data: EventData) -> AttemptFold:
    replace = msgspec.structs.replace
    match data:
        case AttemptClaimed(epoch=epoch, generation=generation, holder=holder):
            return replace(fold, epoch=epoch, generation=generation, holder=holder, ended=None)
        case ModelCallStarted():
            ledger.start(fold.epoch, data)
        case ModelCalled():
            ledger.end(fold.epoch, data)
        case ToolCalled():
            return replace(fold, tool_calls=fold.tool_calls + 1)
        case CommandContained(kind=IncidentKind.HOST, subject=host):
            return replace(fold, denied_hosts=tuple(sorted({*fold.denied_hosts, host})))
        case PatchProduced():
            return replace(fold, patch=data)
        case AttemptEnded(outcome=outcome, detail=detail, choice=choice):
            return replace(fold, ended=outcome, detail=detail, choice=choice)
        case _:
            pass
    return fold
