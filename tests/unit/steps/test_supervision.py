"""Starting, queueing, waiting, answering, reaping and handing over: nothing twice, nothing lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fanfold.errors import ArtifactMissing, LeaseLost, UserError
from fanfold.ports import Ending
from fanfold.run.artifacts import QUEUE, WAITING, run_file, snapshot_file, token_file
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.decide import decide
from fanfold.run.events import (
    ApprovalDenied,
    ApprovalGranted,
    ApprovalRequested,
    AttemptClaimed,
    AttemptDispatched,
    AttemptEnded,
    AttemptFinished,
    CancelRequested,
    ConflictFound,
    EventData,
    MergeCompleted,
    PatchGiven,
    RetryRequested,
    RunCancelled,
    RunFailed,
    RunIncomplete,
    RunLimits,
    RunResumed,
    attempt_stream,
    run_stream,
)
from fanfold.run.state import Outcome
from fanfold.run.steps import Ask, Finish
from fanfold.steps.answer import Change, answer
from fanfold.steps.decide import lease_of, outcome_of
from fanfold.steps.hand_over import LONGEST_HISTORY, hand_over, is_superseded
from fanfold.steps.orphan import reap_attempt
from fanfold.steps.reap import reap_all, reap_execution
from fanfold.steps.request import MANIFEST, Request
from fanfold.steps.start import promote, start
from fanfold.steps.wait import wait
from tests.fakes.asking import asking_wiring
from tests.fakes.scripted_world import CENT, admitted, unit
from tests.fakes.supervision import Office, office

NO_WIRING: Any = None
DISPATCHED = AttemptDispatched("a.1", "a", 1, "docs", Purpose.WORK, "lambda", CENT, "base", 1)


def _asked(desk: Office, run_id: str, plan: str = "") -> None:
    """A request for a plan of its own, whose snapshot is there."""
    request = Request(
        run_id=run_id,
        project="demo",
        plan_path=plan or f"{run_id}.md",
        plan_sha256="0" * 64,
        base="c" * 40,
        base_tree="base",
        branch="main",
        author=("Test", "test@localhost"),
        limits=RunLimits(cap=CENT),
    )
    data = msgspec.json.encode(request)
    desk.supervision.artifacts.put(run_file(run_id, MANIFEST), data)
    desk.supervision.artifacts.put(snapshot_file(request.base, "idx"), b"")
    desk.clock.advance(1)


def _log(desk: Office, run_id: str, *events: EventData) -> None:
    journal = desk.supervision.journal(run_id)
    journal.refresh()
    journal.append(*events)


def _kinds(desk: Office, run_id: str) -> list[str]:
    return [e.event_type for e in desk.events.read(run_stream(run_id))]


def _holders(desk: Office) -> list[str]:
    return [slot.run for slot in desk.supervision.slots.taken()]


def _queue(desk: Office) -> list[str]:
    return [key.rpartition("-")[2] for key in desk.supervision.artifacts.list(QUEUE)]


def _over(desk: Office, run_id: str) -> None:
    """The run has ended, and its execution with it."""
    _log(desk, run_id, RunFailed("for this test"))
    desk.executions.over[f"{run_id}-1"] = Ending.SUCCEEDED
    reap_execution(run_id, f"{run_id}-1", desk.supervision)


@pytest.fixture
def desk() -> Office:
    desk = office()
    for run_id in ("r1", "r2", "r3"):
        _asked(desk, run_id)
    return desk


@pytest.fixture
def gated(desk: Office) -> Office:
    """A run that has one gate, was started, and has put it before a person."""
    start("r1", desk.supervision)
    run = admitted(unit("g", kind="gate"), checks=False)
    _log(desk, "r1", run, ApprovalRequested("g", "base", "base"))
    return desk


def _wait(desk: Office, token: str = "t1") -> None:
    """As `wait` does once the result as it stands is written."""
    supervision = desk.supervision
    supervision.slots.release("r1")
    supervision.artifacts.put(token_file("r1"), token.encode())


def test_a_request_that_comes_often_starts_one_execution(desk: Office) -> None:
    assert all(start("r1", desk.supervision) for _ in range(3))
    assert desk.executions.started == ["r1-1"]
    assert _kinds(desk, "r1") == ["run_requested"]
    assert _holders(desk) == ["r1"]


def test_a_run_that_nobody_asked_for_is_an_error(desk: Office) -> None:
    with pytest.raises(ArtifactMissing):
        start("r9", desk.supervision)
    assert _holders(desk) == []


def test_over_the_cap_a_run_waits_and_is_told_so_once(desk: Office) -> None:
    start("r1", desk.supervision)
    assert not any(start("r2", desk.supervision) for _ in range(2))
    assert _kinds(desk, "r2") == ["run_requested", "run_queued"]
    assert _queue(desk) == ["r2"]


def test_the_oldest_comes_first_when_a_slot_is_free(desk: Office) -> None:
    for run_id in ("r1", "r3", "r2"):
        desk.clock.advance(1)
        start(run_id, desk.supervision)
    _over(desk, "r1")
    assert desk.executions.started == ["r1-1", "r3-1"]
    assert _queue(desk) == ["r2"]


def test_late_word_of_an_older_generation_frees_nothing(desk: Office) -> None:
    start("r1", desk.supervision)
    _log(desk, "r1", admitted(unit("a")), RunResumed(2))
    start("r1", desk.supervision)
    reap_execution("r1", "r1-1", desk.supervision)
    assert [(s.run, s.execution) for s in desk.supervision.slots.taken()] == [("r1", "r1-2")]


def test_a_request_whose_execution_is_over_holds_no_slot(desk: Office) -> None:
    desk.executions.over["r1-1"] = Ending.FAILED
    start("r1", desk.supervision)
    assert _holders(desk) == []


def test_a_run_can_be_cancelled_before_its_request_has_arrived() -> None:
    desk = office()
    answer("r1", CancelRequested(by="ada"), desk.supervision)
    assert _kinds(desk, "r1") == ["cancel_requested"]
    _asked(desk, "r1")
    assert start("r1", desk.supervision)
    _log(desk, "r1", admitted(unit("a")))
    state = desk.supervision.journal("r1").refresh()
    assert decide(state) == Finish(Outcome.CANCELLED)


def test_what_was_cancelled_while_it_waited_leaves_the_queue_for_the_next(desk: Office) -> None:
    start("r1", desk.supervision)
    start("r2", desk.supervision)
    answer("r2", CancelRequested("ada"), desk.supervision)
    assert _queue(desk) == ["r2"]
    _over(desk, "r1")
    assert desk.executions.started == ["r1-1", "r2-1"]


def test_a_gate_gives_its_slot_back_and_the_answer_takes_one_again(gated: Office) -> None:
    _wait(gated)
    promote(gated.supervision)
    assert not start("r1", gated.supervision)
    assert start("r2", gated.supervision)
    answer("r1", ApprovalGranted("g", "ada"), gated.supervision)
    assert gated.executions.went_on == []
    assert _queue(gated) == ["r1"]
    _over(gated, "r2")
    assert gated.executions.went_on == ["t1"]
    assert gated.supervision.artifacts.list(WAITING) == []
    assert _holders(gated) == ["r1"]


def test_an_answer_before_the_token_is_found_by_the_reaper(gated: Office) -> None:
    answer("r1", ApprovalGranted("g"), gated.supervision)
    assert gated.executions.went_on == []
    _wait(gated)
    reap_all(gated.supervision)
    assert gated.executions.went_on == ["t1"]


def test_a_step_that_is_not_due_lets_the_execution_go_on(gated: Office) -> None:
    answer("r1", ApprovalGranted("g"), gated.supervision)
    journal = gated.supervision.journal("r1")
    wait(journal, Ask(("g",), waiting=True), 1, "t2", NO_WIRING, gated.supervision)
    assert gated.executions.went_on == ["t2"]


def test_a_gate_is_asked_without_waiting_for_the_answer(desk: Office) -> None:
    start("r1", desk.supervision)
    _log(desk, "r1", admitted(unit("g", kind="gate"), checks=False))
    journal = desk.supervision.journal("r1")
    step = decide(journal.refresh())
    assert isinstance(step, Ask)
    wait(journal, step, 1, "t1", asking_wiring(), desk.supervision)
    assert _kinds(desk, "r1")[-1] == "approval_requested"
    assert desk.executions.went_on == ["t1"]


def test_the_same_answer_twice_is_one_and_another_is_refused(gated: Office) -> None:
    answer("r1", ApprovalGranted("g"), gated.supervision)
    answer("r1", ApprovalGranted("g"), gated.supervision)
    assert _kinds(gated, "r1").count("approval_granted") == 1
    with pytest.raises(UserError, match="approved already"):
        answer("r1", ApprovalDenied("g", "no"), gated.supervision)
    with pytest.raises(UserError, match="no gate 'x'"):
        answer("r1", ApprovalGranted("x"), gated.supervision)


def test_the_reaper_frees_what_ended_unheard(desk: Office) -> None:
    start("r1", desk.supervision)
    start("r2", desk.supervision)
    desk.executions.over["r1-1"] = Ending.FAILED
    reap_all(desk.supervision)
    assert _holders(desk) == ["r2"]
    assert _kinds(desk, "r1")[-1] == "run_failed"
    assert _queue(desk) == []


@pytest.fixture
def flying(desk: Office) -> Office:
    start("r1", desk.supervision)
    _log(desk, "r1", admitted(unit("a"), checks=False), DISPATCHED)
    return desk


def _outcome(desk: Office) -> Exit | None:
    ended = outcome_of(desk.events, desk.supervision.lease, "r1", DISPATCHED)
    return ended and ended.outcome


def test_an_attempt_that_never_began_is_lost_with_its_reason(flying: Office) -> None:
    assert _outcome(flying) is None
    for _ in range(2):
        reap_attempt("r1", "a.1", "Runtime.ImportModuleError", flying.supervision)
    ended = outcome_of(flying.events, flying.supervision.lease, "r1", DISPATCHED)
    assert ended is not None
    assert (ended.outcome, ended.cost) == (Exit.LOST, 0)
    assert ended.detail == "Runtime.ImportModuleError"


def test_an_attempt_that_died_between_its_lease_and_its_first_word_is_lost(flying: Office) -> None:
    flying.supervision.lease.acquire(lease_of("r1", "a.1"), "worker:a.1", 1800)
    reap_attempt("r1", "a.1", "States.TaskFailed", flying.supervision)
    assert _outcome(flying) is Exit.LOST
    assert flying.supervision.lease.holder(lease_of("r1", "a.1")) is None


def _claim(desk: Office, *more: EventData) -> None:
    epoch = desk.supervision.lease.acquire(lease_of("r1", "a.1"), "worker:a.1", 1800)
    claimed = AttemptClaimed(epoch, 1, "worker")
    desk.events.append(attempt_stream("r1", "a.1"), 0, [claimed, *more])


def test_an_attempt_whose_process_died_is_lost_without_a_wait(flying: Office) -> None:
    _claim(flying)
    assert _outcome(flying) is None
    reap_attempt("r1", "a.1", "States.TaskFailed", flying.supervision)
    assert _outcome(flying) is Exit.LOST


def test_an_attempt_that_broke_off_before_its_claim_is_lost_without_a_wait(flying: Office) -> None:
    name, owner = lease_of("r1", "a.1"), "worker:a.1"
    flying.supervision.lease.acquire(name, owner, 1800)
    reap_attempt("r1", "a.1", "CloudUnavailable", flying.supervision)
    assert _outcome(flying) is Exit.LOST
    with pytest.raises(LeaseLost):
        flying.supervision.lease.renew(name, owner, 1800)


def test_an_attempt_that_ended_by_itself_stays_as_it_is(flying: Office) -> None:
    _claim(flying, AttemptEnded(Exit.SUBMITTED, 5))
    reap_attempt("r1", "a.1", "Lambda.Unknown", flying.supervision)
    assert _outcome(flying) is Exit.SUBMITTED


def test_a_long_history_is_handed_over_once(desk: Office) -> None:
    start("r1", desk.supervision)
    _log(desk, "r1", admitted(unit("a")))
    journal = desk.supervision.journal("r1")
    desk.executions.history = LONGEST_HISTORY - 1
    assert not hand_over(journal, "r1-1", desk.supervision)
    desk.executions.history = LONGEST_HISTORY
    assert hand_over(journal, "r1-1", desk.supervision)
    assert is_superseded(journal, 1, desk.supervision)
    assert not is_superseded(journal, 2, desk.supervision)
    assert desk.executions.started == ["r1-1", "r1-2"]
    assert [(s.run, s.execution) for s in desk.supervision.slots.taken()] == [("r1", "r1-2")]


def test_a_handover_that_stopped_half_way_is_finished_by_the_next_look(desk: Office) -> None:
    start("r1", desk.supervision)
    _log(desk, "r1", admitted(unit("a")), RunResumed(2, handover=True))
    assert is_superseded(desk.supervision.journal("r1"), 1, desk.supervision)
    assert desk.executions.started == ["r1-1", "r1-2"]


def test_nothing_is_handed_over_while_attempts_fly(flying: Office) -> None:
    flying.executions.history = LONGEST_HISTORY
    assert not hand_over(flying.supervision.journal("r1"), "r1-1", flying.supervision)


def _end(desk: Office, ending: Ending, execution: str = "r1-1") -> None:
    desk.executions.over[execution] = ending
    reap_execution("r1", execution, desk.supervision)


def test_a_stopped_execution_cancels_its_run_and_winds_it_up_when_all_has_ended(
    flying: Office,
) -> None:
    _claim(flying)
    _end(flying, Ending.ABORTED)
    assert _kinds(flying, "r1")[-1] == "cancel_requested"
    assert _holders(flying) == ["r1"]
    flying.events.append(attempt_stream("r1", "a.1"), 1, [AttemptEnded(Exit.CANCELLED, 5)])
    _end(flying, Ending.ABORTED)
    assert _kinds(flying, "r1")[-2:] == ["attempt_finished", "run_resumed"]
    assert [(s.run, s.execution) for s in flying.supervision.slots.taken()] == [("r1", "r1-2")]
    _end(flying, Ending.ABORTED)
    assert flying.executions.started == ["r1-1", "r1-2"]
    assert _holders(flying) == ["r1"]


def test_a_stopped_execution_waits_for_the_leases_of_what_it_left(flying: Office) -> None:
    _claim(flying)
    _end(flying, Ending.ABORTED)
    flying.clock.advance(1800)
    reap_all(flying.supervision)
    assert _kinds(flying, "r1")[-2:] == ["attempt_finished", "run_resumed"]
    assert _outcome(flying) is Exit.LOST


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.TIMED_OUT])
def test_an_execution_that_failed_ends_its_run_which_can_be_resumed(
    flying: Office, ending: Ending
) -> None:
    _end(flying, ending)
    assert _kinds(flying, "r1")[-2:] == ["attempt_finished", "run_failed"]
    assert _holders(flying) == []
    answer("r1", RunResumed(2), flying.supervision)
    assert flying.executions.started == ["r1-1", "r1-2"]
    _end(flying, ending)
    assert _kinds(flying, "r1")[-1] == "run_resumed"


def test_a_gate_whose_execution_has_ended_still_takes_an_answer(gated: Office) -> None:
    _wait(gated)
    _end(gated, Ending.SUCCEEDED)
    assert _kinds(gated, "r1")[-1] == "approval_requested"
    answer("r1", ApprovalGranted("g", "ada"), gated.supervision)
    assert _kinds(gated, "r1")[-2:] == ["approval_granted", "run_resumed"]
    assert gated.executions.started == ["r1-1", "r1-2"]
    assert (gated.executions.went_on, gated.supervision.artifacts.list(WAITING)) == ([], [])


@pytest.fixture
def failed(desk: Office) -> Office:
    """A run that has ended, with a unit whose only attempt failed and one that has a conflict."""
    start("r1", desk.supervision)
    blocked = AttemptFinished("a.1", "a", Exit.BLOCKED, 5)
    other = msgspec.structs.replace(DISPATCHED, attempt="b.1", unit="b")
    landed = AttemptFinished("b.1", "b", Exit.SUBMITTED, 5, tree="t", patch="p")
    clash = [ConflictFound("b.1", "b", ("x",), "base"), MergeCompleted(1, "base", "base", ())]
    settling = msgspec.structs.replace(other, attempt="b.2", number=2, purpose=Purpose.RESOLVE)
    lost = AttemptFinished("b.2", "b", Exit.BLOCKED, 5)
    _log(desk, "r1", admitted(unit("a"), unit("b")), DISPATCHED, other, blocked, landed)
    _log(desk, "r1", *clash, settling, lost, RunIncomplete(verified=False))
    desk.executions.over["r1-1"] = Ending.SUCCEEDED
    return desk


def test_a_change_of_a_run_that_has_ended_begins_the_next_generation_at_once(
    failed: Office,
) -> None:
    again = RetryRequested("a", "look in lib/", by="ada")
    for _ in range(2):
        answer("r1", again, failed.supervision, then=RunResumed(2, 9 * CENT))
    assert _kinds(failed, "r1")[-2:] == ["retry_requested", "run_resumed"]
    assert failed.executions.started == ["r1-1", "r1-2"]
    assert failed.supervision.journal("r1").refresh().cap == 9 * CENT


def test_a_change_alone_waits_for_whoever_drives_the_run_on(failed: Office) -> None:
    given = PatchGiven("b.3", "b", "base", "tree", "digest")
    for word in (RetryRequested("a"), RetryRequested("a"), given, given):
        answer("r1", word, failed.supervision)
    assert _kinds(failed, "r1")[-2:] == ["retry_requested", "patch_given"]
    assert failed.executions.started == ["r1-1"]


@pytest.mark.parametrize("word", [RetryRequested("z"), PatchGiven("a.2", "a", "base", "t", "d")])
def test_a_change_of_what_takes_none_is_refused(failed: Office, word: Change) -> None:
    with pytest.raises(UserError, match="r1"):
        answer("r1", word, failed.supervision, then=RunResumed(2))
    assert _kinds(failed, "r1")[-1] == "run_incomplete"


def test_the_reaper_finds_a_gate_that_was_stopped(gated: Office) -> None:
    _wait(gated)
    gated.executions.over["r1-1"] = Ending.ABORTED
    reap_all(gated.supervision)
    assert _kinds(gated, "r1")[-2:] == ["cancel_requested", "run_resumed"]
    assert gated.executions.started[-1] == "r1-2"


def test_a_start_that_broke_off_is_finished_by_the_reaper(desk: Office) -> None:
    start("r1", desk.supervision)
    desk.supervision.slots.release("r1")
    desk.supervision.slots.claim("r1", 60)
    reap_all(desk.supervision)
    assert [(s.run, s.execution) for s in desk.supervision.slots.taken()] == [("r1", "r1-1")]


def test_one_that_cannot_be_started_holds_up_no_other(desk: Office) -> None:
    desk.supervision.artifacts.put("queue/0-r9", b"")
    start("r1", desk.supervision)
    start("r2", desk.supervision)
    desk.executions.over["r1-1"] = Ending.FAILED
    with pytest.raises(ArtifactMissing):
        reap_all(desk.supervision)
    assert desk.executions.started == ["r1-1", "r2-1"]


def test_a_request_without_its_snapshot_is_rejected_until_it_is_there(desk: Office) -> None:
    artifacts = desk.supervision.artifacts
    artifacts.delete("snapshots")
    assert not start("r1", desk.supervision)
    (event,) = desk.events.read(run_stream("r1"), 1)
    assert event.event_type == "run_rejected"
    assert "snapshot of its base ccc" in event.data["reason"]
    assert (_holders(desk), desk.executions.started) == ([], [])
    artifacts.put(snapshot_file("c" * 40, "idx"), b"")
    assert not start("r1", desk.supervision)
    answer("r1", RunResumed(2), desk.supervision)
    assert desk.executions.started == ["r1-2"]


def test_a_plan_is_run_once_at_a_time(desk: Office) -> None:
    for run_id in ("a1", "a2"):
        _asked(desk, run_id, "same.md")
    assert start("a1", desk.supervision)
    assert not start("a2", desk.supervision)
    assert "run a1 of the same plan is under way" in str(desk.events.read(run_stream("a2"))[-1])
    assert _queue(desk) == []
    _log(desk, "a1", RunCancelled())
    answer("a2", RunResumed(2), desk.supervision)
    assert _queue(desk) == ["a2"]
    desk.executions.over["a1-1"] = Ending.SUCCEEDED
    reap_execution("a1", "a1-1", desk.supervision)
    assert _queue(desk) == []
    assert desk.executions.started == ["a1-1", "a2-2"]
    answer("a1", RunResumed(2), desk.supervision)
    assert "run a2 of the same plan" in str(desk.events.read(run_stream("a1"))[-1])
