"""The board that live displays show."""

from __future__ import annotations

import pytest

from fanfold.cli.board import Board, clock
from fanfold.cli.money import about, up_to_cents
from fanfold.run.attempt import Exit, Purpose, Usage
from fanfold.run.events import (
    AttemptDispatched,
    AttemptFinished,
    ModelCalled,
    ModelCallStarted,
    RunAdmitted,
    RunLimits,
    RunRequested,
    TaskSpec,
    UnitSpec,
    attempt_stream,
    run_stream,
)
from tests.fakes.memory import MemoryEventStore

RUN = "3fa9c01b22"
TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0:00"), (7.9, "0:07"), (75, "1:15"), (3661, "1:01:01")]
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("micros", "shown"),
    [(0, "$0.00"), (4_321, "$0.004"), (999_000, "$0.999"), (1_005_000, "$1.00")],
)
def test_about(micros: int, shown: str) -> None:
    assert about(micros) == shown


@pytest.mark.parametrize(("micros", "cap"), [(1, 10_000), (10_000, 10_000), (10_001.5, 20_000)])
def test_up_to_cents(micros: float, cap: int) -> None:
    assert up_to_cents(micros) == cap


@pytest.fixture
def store() -> MemoryEventStore:
    """A run with one attempt at work, that has made one call."""
    store = MemoryEventStore()
    dispatched = AttemptDispatched(
        attempt="1.1.1",
        unit="1.1",
        number=1,
        role="tester",
        purpose=Purpose.WORK,
        placement="local",
        slice=1_000_000,
        base_tree=TREE,
        generation=1,
    )
    store.append(
        run_stream(RUN),
        0,
        [
            RunRequested(run_id=RUN, plan="plan.md", plan_sha256="", base=""),
            RunAdmitted(
                base_tree=TREE,
                units=(UnitSpec(id="1.1", tasks=("1.1",), title="Write alpha"),),
                tasks=(TaskSpec("1.1", "Write alpha", "1", "work", "open", 3),),
                limits=RunLimits(cap=5_000_000),
            ),
            dispatched,
        ],
    )
    store.append(
        attempt_stream(RUN, "1.1.1"),
        0,
        [
            ModelCallStarted(call=1, model="m", worst_case=500_000, max_tokens=9),
            ModelCalled(1, "msg", Usage(input=1000, output=234), cost=4_000, latency_ms=1),
        ],
    )
    return store


def fed(store: MemoryEventStore) -> Board:
    board = Board(RUN)
    for stream in (run_stream(RUN), attempt_stream(RUN, "1.1.1"), "run/another"):
        board.feed(stream, store.read(stream))
    return board


def test_a_row_tells_what_its_attempt_does(store: MemoryEventStore) -> None:
    (row,) = fed(store).rows.values()
    assert (row.state, row.role, row.step) == ("running", "tester", "working")
    assert (row.tokens, row.spent) == (1234, 4_000)


def test_money_counts_what_is_still_running(store: MemoryEventStore) -> None:
    assert fed(store).money() == (4_000, 1_000_000, 5_000_000)
    assert fed(store).money_line() == "$0.004 of $5.00 spent, $1.00 reserved"


def test_what_an_attempt_cost_is_told_when_it_ends(store: MemoryEventStore) -> None:
    finished = AttemptFinished(
        attempt="1.1.1", unit="1.1", outcome=Exit.SUBMITTED, cost=4_000, tree=TREE, patch="sha"
    )
    store.append(run_stream(RUN), 3, [finished])
    news = [n.text for n in fed(store).news]
    assert news[0].endswith("1.1 running as tester: Write alpha")
    assert "1.1 patched after 0:0" in news[1]
    assert fed(store).money_line() == "$0.004 of $5.00 spent"
