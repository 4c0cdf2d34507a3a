"""What everybody who takes attempts does, whoever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.local.scripted_model import ScriptedPrices
from fanfold.agent.attempt import run_attempt
from fanfold.agent.desk import Desk
from fanfold.agent.log import AttemptLog
from fanfold.ports import ModelReply
from fanfold.run.attempt import AttemptLimits, Exit, Usage
from fanfold.run.attempt_fold import fold_told
from fanfold.run.events import AttemptClaimed
from tests.fakes.command_line_agent import CommandLineAgent
from tests.fakes.memory import ManualClock, MemoryEventStore
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import FAKE_SECRET, Blotter, Replies, a_context, reply, use

if TYPE_CHECKING:
    from fanfold.agent.desk import Agent

FILES = {"b.py": b"two\n", "c.py": b"three\n"}
SUMMARY = f"Wrote two files with {FAKE_SECRET}."
Make = Callable[..., tuple["Agent", list[ModelReply]]]


def loop(*, fails: bool = False) -> tuple[Agent, list[ModelReply]]:
    writes = [reply(use("write", file_path=p, content=d.decode())) for p, d in FILES.items()]
    broken = ModelReply("broken", [None], "tool_use", Usage(), "m")  # pyright: ignore[reportArgumentType]
    end = broken if fails else reply(use("submit", status="done", summary=SUMMARY))
    return run_attempt, [*writes, end]


def command_line(*, fails: bool = False) -> tuple[Agent, list[ModelReply]]:
    return CommandLineAgent(FILES, SUMMARY, fails=fails), []


@pytest.fixture(params=[loop, command_line], ids=["loop", "command line"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


class Room:
    """A desk over fakes, and what is left on it."""

    def __init__(
        self, replies: list[ModelReply], stops: Callable[[], Exit | None] = lambda: None
    ) -> None:
        self.workspace = MemoryWorkspace({"a.py": "one\n"})
        self.lines: list[dict[str, Any]] = []
        self.log = AttemptLog(MemoryEventStore(), "run/r/attempt/t1.1")
        self.log.append(AttemptClaimed(1, 1, "test"))
        self.desk = Desk(
            events=self.log,
            workspace=self.workspace,
            model=Replies(replies),
            prices=ScriptedPrices(),
            clock=ManualClock(),
            secrets=Blotter(),
            keep_going=stops,
            transcript=self.lines.append,
        )


def test_work_stands_in_the_workspace_and_the_report_names_its_tree(make: Make) -> None:
    agent, replies = make()
    room = Room(replies)
    report = agent(a_context(), room.desk)
    assert (report.attempt, report.unit) == ("t1.1", "t1")
    assert (report.exit, report.status) == (Exit.SUBMITTED, "done")
    assert {p: room.workspace.read(p) for p in FILES} == FILES
    assert report.tree == room.workspace.tree()
    assert set(report.files) == FILES.keys()


def test_cost_is_what_the_events_say_and_within_the_slice(make: Make) -> None:
    agent, replies = make()
    room = Room(replies)
    report = agent(a_context(), room.desk)
    told = fold_told(room.log.told)
    assert 0 < report.cost == told.cost <= a_context().limits.slice
    assert (report.usage, report.metrics) == (told.usage, told.metrics)


def test_nothing_starts_that_the_slice_does_not_pay(make: Make) -> None:
    agent, replies = make()
    room = Room(replies)
    report = agent(a_context(limits=AttemptLimits(slice=10)), room.desk)
    assert (report.exit, report.cost) == (Exit.BUDGET, 0)
    assert sorted(room.workspace.contents) == ["a.py"]


@pytest.mark.parametrize("told", [Exit.CANCELLED, Exit.INTERRUPTED])
def test_who_is_told_to_stop_spends_nothing_more(make: Make, told: Exit) -> None:
    agent, replies = make()
    room = Room(replies, lambda: told)
    report = agent(a_context(), room.desk)
    assert (report.exit, report.cost) == (told, 0)


def test_an_error_ends_in_a_report_with_what_there_is(make: Make) -> None:
    agent, replies = make(fails=True)
    room = Room(replies)
    report = agent(a_context(), room.desk)
    assert report.exit is Exit.CRASHED
    assert report.tree == room.workspace.tree()
    assert set(room.workspace.contents) > FILES.keys()


def test_no_secret_is_told(make: Make) -> None:
    agent, replies = make()
    room = Room(replies)
    report = agent(a_context(), room.desk)
    assert FAKE_SECRET not in str((report, room.lines, room.log.told))
