"""The attempt's log, and what a fold of it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.agent.log import AttemptLog
from fanfold.errors import StreamConflict
from fanfold.run.attempt import Exit, Usage
from fanfold.run.attempt_fold import AttemptFold, attempt_cost, fold_attempt
from fanfold.run.events import (
    AttemptClaimed,
    AttemptEnded,
    EventData,
    LoopNudged,
    ModelCalled,
    ModelCallStarted,
    PatchProduced,
)
from tests.fakes.memory import MemoryEventStore

if TYPE_CHECKING:
    from fanfold.run.events import Envelope

CLAIM = AttemptClaimed(epoch=1, generation=2, holder="me")


def started(call: int, worst_case: int) -> ModelCallStarted:
    return ModelCallStarted(call=call, model="m", worst_case=worst_case, max_tokens=1)


def called(call: int, cost: int, message: str = "") -> ModelCalled:
    usage = Usage(input=cost)
    return ModelCalled(call=call, message_id=message, usage=usage, cost=cost, latency_ms=1)


def folded(*events: EventData) -> AttemptFold:
    log = AttemptLog(MemoryEventStore(), "s")
    log.append(*events)
    assert attempt_cost(log.read()) == fold_attempt(log.read()).cost
    return fold_attempt(log.read())


def test_appends_behind_what_it_knows() -> None:
    store = MemoryEventStore()
    log = AttemptLog(store, "s")
    log.append(CLAIM)
    log.append()
    log.append(started(1, 5), called(1, 3))
    assert log.version == 3
    assert [e.data for e in AttemptLog.resume(store, "s").read()] == [
        CLAIM,
        started(1, 5),
        called(1, 3),
    ]
    assert AttemptLog.resume(store, "s").version == 3


def test_another_writer_is_a_conflict() -> None:
    store = MemoryEventStore()
    mine, theirs = AttemptLog(store, "s"), AttemptLog(store, "s")
    theirs.append(CLAIM)
    with pytest.raises(StreamConflict):
        mine.append(CLAIM)


def test_progress_hears_of_every_event() -> None:
    heard: list[str] = []

    def progress(stream: str, events: list[Envelope]) -> None:
        heard.extend(f"{stream} {e.event_type}" for e in events)

    log = AttemptLog(MemoryEventStore(), "s", progress=progress)  # pyright: ignore[reportArgumentType]
    log.append(CLAIM, LoopNudged(signal="x", count=1))
    assert heard == ["s attempt_claimed", "s loop_nudged"]


def test_an_empty_stream_is_not_claimed() -> None:
    assert not folded().claimed
    assert folded() == AttemptFold()


def test_open_calls_count_in_full_and_ended_ones_at_cost() -> None:
    fold = folded(CLAIM, started(1, 100), called(1, 30), started(2, 200))
    assert (fold.cost, fold.metrics.steps, fold.usage) == (230, 1, Usage(input=30))


def test_a_call_without_a_start_counts_too() -> None:
    assert folded(CLAIM, called(7, 30)).cost == 30


def test_a_message_counts_once() -> None:
    fold = folded(CLAIM, called(1, 30, "msg"), called(2, 30, "msg"), called(3, 5, "other"))
    assert (fold.cost, fold.metrics.steps) == (35, 2)


def test_failed_calls_without_a_message_all_count() -> None:
    assert folded(CLAIM, called(1, 30), called(2, 30)).cost == 60


def test_an_open_call_of_an_earlier_epoch_stays_open() -> None:
    again = AttemptClaimed(epoch=2, generation=2, holder="other")
    fold = folded(CLAIM, started(1, 100), again, started(1, 10), called(1, 3))
    assert (fold.epoch, fold.holder, fold.cost) == (2, "other", 103)


def test_the_end_with_patch_choice_and_detail() -> None:
    patch = PatchProduced(key="k", sha256="s", tree="t", paths=("a",))
    end = AttemptEnded(outcome=Exit.PICKED, cost=3, detail="d", choice="t1.2")
    fold = folded(CLAIM, patch, end)
    assert (fold.ended, fold.patch, fold.choice, fold.detail) == (Exit.PICKED, patch, "t1.2", "d")
