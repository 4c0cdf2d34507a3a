"""Attempts in a whole run: broken off anywhere they end alike, and money stops at the cap."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.bootstrap import holder, local, open_project
from fanfold.cli.main import command_parser
from fanfold.cli.plans import read_plan
from fanfold.cli.request import build_request
from fanfold.engine import Interrupted, LocalEngine
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import Exit, Usage
from fanfold.run.attempt_fold import attempt_cost
from fanfold.run.events import attempt_stream, recorded
from fanfold.run.state import Outcome
from fanfold.settings import Limits, Model
from fanfold.steps.request import submit
from tests.fakes.projects import PLAN, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.bootstrap import Project
    from fanfold.run.state import RunState

PARTS = 4
TASKS = 6
CAP, SLICE = 400_000, 150_000
ONE = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write the parts\n"
MANY = "# Plan\n\n## Phase 1: Many\n<!-- execution: parallel -->\n\n" + "".join(
    f"- [ ] Task: Write part {n}\n" for n in range(TASKS)
)


class Builder:
    """Looks what is there, writes what is missing one by one, submits; knows what it saw."""

    def __init__(self, at: int = 0, stop: Callable[[], None] = lambda: None) -> None:
        self.calls, self._at, self._stop = 0, at, stop

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        self.calls += 1
        if self.calls == self._at:
            self._stop()
        seen = str(request.messages[1:])
        missing = [n for n in range(PARTS) if f"parts/{n}.txt" not in seen]
        if len(request.messages) == 1:
            name, given = "glob", {"pattern": "parts/*"}
        elif missing:
            n = missing[0]
            name, given = "write", {"file_path": f"parts/{n}.txt", "content": f"part {n}\n"}
        else:
            name, given = "submit", {"status": "done", "summary": "All parts are written."}
        return _reply(request, self.calls, name, given, Usage(input=1_000, output=100))


class Circler:
    """Makes the same call for ever."""

    def __init__(self, at: int, stop: Callable[[], None]) -> None:
        self._calls, self._at, self._stop = 0, at, stop

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        self._calls += 1
        if self._calls == self._at:
            self._stop()
        usage = Usage(input=1_000, output=100)
        return _reply(request, self._calls, "glob", {"pattern": "parts/*"}, usage)


class Glutton:
    """Looks on for ever, and uses all that it is given; or `explodes`, far beyond that."""

    def __init__(self, *, explodes: bool = False) -> None:
        self._explodes, self._lock, self._calls = explodes, threading.Lock(), 0

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        with self._lock:
            self._calls += 1
            number = self._calls
        size = len(msgspec.json.encode([request.system, request.tools, request.messages]))
        usage = Usage(cache_write_5m=size // 4, output=request.max_tokens)
        if self._explodes:
            usage = Usage(input=9_000_001, output=7_001)
        return _reply(request, number, "grep", {"pattern": f"never {number}"}, usage)


def _reply(
    request: ModelRequest, number: int, name: str, given: dict[str, Any], usage: Usage
) -> ModelReply:
    use = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}
    return ModelReply(f"msg_{number}_{id(request)}", [use], "tool_use", usage, request.model)


def _project(root: Path, plan: str, *, made: bool) -> Project:
    project = open_project(root if made else make_repository(root, {PLAN: plan}))
    settings = msgspec.structs.replace(
        project.settings,
        model=Model(provider="scripted"),
        limits=Limits(attempt_usd=SLICE / 1e6, concurrency=TASKS),
    )
    return replace(project, settings=settings)


def _request(root: Path, plan: str) -> str:
    project = _project(root, plan, made=False)
    project.prepare()
    args = command_parser("run").parse_args([PLAN, "--unit", "task", "--no-sandbox"])
    read = read_plan(project, PLAN)
    request = build_request(project, read, args, CAP)
    submit(project.events, project.artifacts, request, read.data)
    return request.run_id


def _engine(root: Path, plan: str, make: Callable[[Callable[[], None]], Any]) -> LocalEngine:
    project = _project(root, plan, made=True)
    stop = threading.Event()
    model = make(stop.set)
    wiring = local(project, sandbox=False, models=lambda _: model, prices=ModelPrices())
    return LocalEngine(replace(wiring, stop=stop), holder())


def _assert_paid(root: Path, state: RunState) -> None:
    """The ledger is what the attempts' own streams say."""
    store = open_project(root).events
    tries = [t for u in state.units.values() for t in u.tries]
    for tried in tries:
        stream = store.read(attempt_stream(state.run_id, tried.attempt))
        assert tried.cost == attempt_cost([r for e in stream if (r := recorded(e)) is not None])
    assert state.spent == sum(t.cost for t in tries)
    assert state.reserved == 0


def test_an_attempt_that_is_stopped_at_any_step_ends_with_the_same_patch(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    undisturbed = Builder()
    run_id = _request(whole, ONE)
    state = _engine(whole, ONE, lambda _: undisturbed).resume(run_id)
    assert state.outcome is Outcome.COMPLETED
    assert undisturbed.calls == PARTS + 2
    for at in range(1, undisturbed.calls):
        root = tmp_path / f"stopped-{at}"
        run_id = _request(root, ONE)
        with pytest.raises(Interrupted):
            _engine(root, ONE, lambda stop, at=at: Builder(at, stop)).resume(run_id)
        again = Builder()
        ended = _engine(root, ONE, lambda _, again=again: again).resume(run_id)
        (unit,) = ended.units.values()
        assert [t.outcome for t in unit.tries] == [Exit.INTERRUPTED, Exit.SUBMITTED]
        assert (ended.outcome, ended.tree) == (Outcome.COMPLETED, state.tree)
        assert again.calls == undisturbed.calls - max(at - 2, 0)
        _assert_paid(root, ended)


def test_circles_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    run_id = _request(tmp_path, ONE)
    with pytest.raises(Interrupted):
        _engine(tmp_path, ONE, lambda stop: Circler(4, stop)).resume(run_id)
    state = _engine(tmp_path, ONE, lambda stop: Circler(0, stop)).resume(run_id)
    (unit,) = state.units.values()
    stopped, again, *_ = unit.tries
    assert (stopped.outcome, stopped.metrics.steps) == (Exit.INTERRUPTED, 4)
    assert stopped.circles.same_count == 4
    assert (again.outcome, again.metrics.steps) == (Exit.STUCK, 1)
    assert [t.metrics.steps for t in unit.tries[2:]] == [5, 5]
    assert state.gates[unit.spec.id].reason.startswith("3 attempts ended alike (stuck: same_call,")


def test_a_fan_out_that_takes_all_it_is_given_stops_at_the_cap(tmp_path: Path) -> None:
    run_id = _request(tmp_path, MANY)
    state = _engine(tmp_path, MANY, lambda _: Glutton()).resume(run_id)
    tries = [t for u in state.units.values() for t in u.tries]
    assert state.outcome is Outcome.INCOMPLETE
    assert {t.outcome for t in tries} == {Exit.BUDGET}
    assert all(t.cost <= t.dispatched.slice for t in tries)
    assert CAP - SLICE < state.spent <= CAP
    _assert_paid(tmp_path, state)


def test_usage_beyond_all_that_was_asked_for_starts_nothing_more(tmp_path: Path) -> None:
    """What an API bills past the cap is told truly; the attempts in flight were the last ones."""
    run_id = _request(tmp_path, MANY)
    state = _engine(tmp_path, MANY, lambda _: Glutton(explodes=True)).resume(run_id)
    tries = [t for u in state.units.values() for t in u.tries]
    each = ModelPrices().cost("claude-sonnet-5-5", Usage(input=9_000_001, output=7_001))
    assert each == 18_070_012
    assert [t.cost for t in tries] == [each] * (CAP // SLICE)
    _assert_paid(tmp_path, state)
