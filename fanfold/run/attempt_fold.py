"""What an attempt's stream says: who claimed it, what it spent, how it ended, what it left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.attempt import Exit, Metrics, Usage
from fanfold.run.circles import CircleDetector, Circles
from fanfold.run.events import (
    AttemptClaimed,
    AttemptEnded,
    CommandContained,
    ContextCompacted,
    LoopNudged,
    ModelCalled,
    ModelCallStarted,
    PatchProduced,
    ToolCalled,
)
from fanfold.run.incidents import IncidentKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanfold.run.events import EventData, Recorded


class AttemptFold(msgspec.Struct, frozen=True):
    """An attempt as its events tell it.

    `cost` in micro-dollars: answered calls at their cost, calls without an answer at their worst
    case, which `unsure` is the part of. `ended` is None while it runs, or when it was lost.
    """

    epoch: int = 0
    generation: int = 0
    holder: str = ""
    ended: Exit | None = None
    cost: int = 0
    unsure: int = 0
    patch: PatchProduced | None = None
    choice: str | None = None
    detail: str = ""
    denied_hosts: tuple[str, ...] = ()
    metrics: Metrics = Metrics()
    circles: Circles = Circles()

    @property
    def claimed(self) -> bool:
        return self.epoch > 0

    @property
    def usage(self) -> Usage:
        return self.metrics.usage


class _Ledger:
    """The money of the calls; a message is paid for once, however often it is told."""

    def __init__(self) -> None:
        self.open: dict[tuple[int, int], int] = {}
        self.messages: set[str] = set()
        self.cost = 0
        self.steps = self.retries = 0
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
        self.retries += event.error is not None


class _Work:
    """What was done, and how often in circles."""

    def __init__(self) -> None:
        self.detector = CircleDetector()
        self.calls = self.errors = self.denied = self.nudges = self.compactions = 0

    def see(self, data: EventData) -> None:
        match data:
            case AttemptClaimed(circles=circles):
                self.detector = CircleDetector(circles)
            case ToolCalled():
                self.calls += 1
                self.errors += not data.ok
                self.denied += not data.allowed
                self.detector.observe(data)
            case LoopNudged(signal=signal):
                self.nudges += 1
                self.detector.nudge(signal)
            case ContextCompacted():
                self.compactions += 1
                self.detector.forget()
            case _:
                pass


def fold_attempt(events: Sequence[Recorded]) -> AttemptFold:
    """The state after `events`, which are one attempt's stream from its first version on."""
    return fold_told(event.data for event in events)


def fold_told(told: Iterable[EventData]) -> AttemptFold:
    """The same, of the events' data."""
    ledger, work, fold = _Ledger(), _Work(), AttemptFold()
    for data in told:
        work.see(data)
        fold = _step(ledger, fold, data)
    metrics = Metrics(
        steps=ledger.steps,
        retries=ledger.retries,
        tool_calls=work.calls,
        tool_errors=work.errors,
        denied=work.denied,
        repeats=work.detector.repeats,
        nudges=work.nudges,
        compactions=work.compactions,
        usage=ledger.usage,
    )
    unsure = sum(ledger.open.values())
    return msgspec.structs.replace(
        fold,
        cost=ledger.cost + unsure,
        unsure=unsure,
        metrics=metrics,
        circles=work.detector.circles,
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
        case CommandContained(kind=IncidentKind.HOST, subject=host):
            return replace(fold, denied_hosts=tuple(sorted({*fold.denied_hosts, host})))
        case PatchProduced():
            return replace(fold, patch=data)
        case AttemptEnded(outcome=outcome, detail=detail, choice=choice):
            return replace(fold, ended=outcome, detail=detail, choice=choice)
        case _:
            pass
    return fold
