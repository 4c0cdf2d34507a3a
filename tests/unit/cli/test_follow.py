"""Following a run that somebody else drives."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import pytest

from fanfold.cli.board import Board
from fanfold.cli.feed import Feed
from fanfold.cli.follow import UNHEARD_S, Follower, Pace
from fanfold.errors import CloudUnavailable
from fanfold.run.attempt import Exit, Purpose, Usage
from fanfold.run.events import (
    AttemptDispatched,
    AttemptFinished,
    ModelCalled,
    RunAdmitted,
    RunCompleted,
    RunLimits,
    RunQueued,
    RunRequested,
    TaskSpec,
    UnitSpec,
    attempt_stream,
    run_stream,
)
from tests.fakes.memory import ManualClock, MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

RUN, TREE = "3fa9c01b22", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
PACE = Pace(look_s=1.0, quiet_s=10.0, patience_s=30.0)
REQUESTED = RunRequested(RUN, "plan.md", "0" * 64, "base")
ADMITTED = RunAdmitted(
    TREE,
    (UnitSpec("1.1", ("1.1",), title="Write"),),
    (TaskSpec("1.1", "Write", "1", "work", "open", 3),),
    RunLimits(5_000_000),
)
DISPATCHED = AttemptDispatched(
    attempt="1.1.1",
    unit="1.1",
    number=1,
    role="implementer",
    purpose=Purpose.WORK,
    placement="fargate",
    slice=1_000_000,
    base_tree=TREE,
    generation=1,
)
CALLED = ModelCalled(1, "msg", Usage(input=100, output=10), 5_000, 10)
FINISHED = AttemptFinished("1.1.1", "1.1", Exit.SUBMITTED, 5_000, tree=TREE, epoch=1)


class Away:
    """An engine whose store is out of reach while `lost`; `script` acts before each look."""

    def __init__(self) -> None:
        self.events, self.pace, self.driven = self, PACE, True
        self.store, self.clock = MemoryEventStore(), ManualClock()
        self.lost, self.looks = False, 0
        self.script: dict[int, Callable[[], object]] = {}

    def read(self, stream: str, after: int = 0) -> Any:
        if stream == run_stream(RUN):
            self.looks += 1
            self.script.get(self.looks, lambda: None)()
        if self.lost:
            raise CloudUnavailable("cannot read: no route")
        return self.store.read(stream, after)

    def is_driven(self, run_id: str) -> bool:
        return self.driven

    def add(self, *events: Any) -> None:
        at = len(self.store.read(run_stream(RUN)))
        self.store.append(run_stream(RUN), at, events)

    def lose(self, lost: bool) -> Callable[[], None]:
        return lambda: setattr(self, "lost", lost)

    def follower(self) -> Follower:
        return Follower(cast("Any", self), RUN, self.clock)


def test_a_lost_connection_is_told_once_and_borne_with(capsys: pytest.CaptureFixture[str]) -> None:
    away = Away()
    away.add(REQUESTED, ADMITTED)
    away.script[2], away.script[20] = away.lose(True), away.lose(False)
    away.script[21] = lambda: away.add(RunCompleted(True))
    assert away.follower().follow()
    assert capsys.readouterr().err.count("the connection is lost") == 1


def test_patience_has_an_end() -> None:
    away = Away()
    away.add(REQUESTED, ADMITTED)
    away.lost = True
    follower = away.follower()
    with pytest.raises(CloudUnavailable):
        follower.follow()
    assert PACE.patience_s < away.clock.monotonic() < PACE.patience_s + 5


def test_nobody_at_work_is_seen_after_some_silence() -> None:
    away = Away()
    away.add(REQUESTED, ADMITTED)
    away.driven = False
    assert not away.follower().follow()
    assert away.clock.monotonic() == pytest.approx(PACE.quiet_s, abs=2)


def test_a_request_that_nothing_takes_up_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    away = Away()
    queued = RunQueued("every slot is taken")
    away.script[round(UNHEARD_S) + 5] = lambda: away.add(REQUESTED, queued)
    away.script[100] = lambda: away.add(ADMITTED, RunCompleted(True))
    assert away.follower().follow()
    said = capsys.readouterr().err
    assert said.count("not taken up yet") == 1
    assert "queued: every slot is taken" in said


def test_what_an_attempt_spent_counts_once() -> None:
    away = Away()
    away.add(REQUESTED, ADMITTED, DISPATCHED, FINISHED)
    away.store.append(attempt_stream(RUN, "1.1.1"), 0, [CALLED])
    board = Board(RUN)
    feed = Feed(away.store, board, Lock(), board.run_id)
    assert feed.look()
    assert not feed.look()
    assert board.rows["1.1"].spent == 5_000
    assert any("110 tokens, $0.005" in news.text for news in board.news)
