"""The loop: every way out, and what comes back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from fanfold.errors import (
    LeaseLost,
    ModelDenied,
    ModelRejected,
    ModelUnavailable,
    StreamDropped,
    UnpricedModel,
)
from fanfold.ports import CommandResult
from fanfold.run.attempt import AttemptLimits, Candidate, CheckResult, Exit, Purpose, Usage
from fanfold.run.events import LoopNudged, LoopStopped, ModelCalled, ModelCallStarted, ToolCalled
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import (
    DONE,
    FAKE_SECRET,
    Attempt,
    Replies,
    a_context,
    reply,
    say,
    use,
)

if TYPE_CHECKING:
    from fanfold.ports import ModelReply, ModelRequest


class Silent(Replies):
    """Says nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__([])
        self.speak = threading.Event()

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        self.speak.wait(10)
        return DONE


WRITE = reply(use("write", file_path="b.py", content="two\n"))
LOOK = reply(use("read", file_path="a.py"))


def test_submits_a_change(attempt: Attempt) -> None:
    report = attempt.run(WRITE, DONE)
    assert (report.exit, report.status, report.summary) == (Exit.SUBMITTED, "done", "all done")
    assert report.files == ("b.py",)
    assert report.tree == attempt.workspace.tree() != attempt.context.base_tree
    assert report.steps == 2
    assert report.usage == Usage(input=2_000, output=200)
    assert report.cost == attempt.fold().cost == 2 * (2_000 + 1_000)


def test_writes_events_in_order(attempt: Attempt) -> None:
    attempt.run(WRITE, DONE)
    names = [event.event_type() for event in attempt.events()]
    call = ["model_call_started", "model_called", "tool_called"]
    assert names == ["attempt_claimed", "access_granted", *call, *call]


@pytest.mark.parametrize(("status", "exit_"), [("blocked", Exit.BLOCKED), ("failed", Exit.GAVE_UP)])
def test_a_submit_that_is_not_done_says_why(attempt: Attempt, status: str, exit_: Exit) -> None:
    report = attempt.run(reply(use("submit", status=status, summary="no database")))
    assert (report.exit, report.status, report.summary) == (exit_, status, "no database")
    assert report.detail == "no database"


def test_picks_a_candidate_by_its_letter(attempt: Attempt) -> None:
    candidates = (Candidate("t1.1", "diff one", "s"), Candidate("t1.2", "diff two", "s"))
    attempt.context = a_context(purpose=Purpose.PICK, role="arbiter", candidates=candidates)
    wrong = reply(use("submit", status="done", summary="x", choice="Q"))
    right = reply(use("submit", status="done", summary="x", choice="b"))
    report = attempt.run(WRITE, wrong, right)
    assert (report.exit, report.choice) == (Exit.PICKED, "t1.2")
    assert "may only read, submit" in attempt.told(1)
    assert "must be one of A, B" in attempt.told(2)
    assert "b.py" not in attempt.workspace.contents
    opening = str(attempt.model.requests[0].messages[0])
    assert "diff two" in opening
    assert "t1.2" not in opening


def test_an_arbiter_can_read_a_patch_whole(attempt: Attempt) -> None:
    candidates = (Candidate("t1.1", "+line\n" * 9_000, "s"), Candidate("t1.2", "+x", "s"))
    attempt.context = a_context(purpose=Purpose.PICK, role="arbiter", candidates=candidates)
    path = ".fanfold/output/candidate-A.diff"
    pick = reply(use("submit", status="done", summary="x", choice="A"))
    report = attempt.run(reply(use("read", file_path=path, view_range=[8_999, 9_000])), pick)
    assert path in str(attempt.model.requests[0].messages[0])
    assert attempt.told() == "8999\t+line\n9000\t+line"
    assert report.choice == "t1.1"
    assert report.context_cuts == ("candidate A: 9000 of 54011 characters",)


def test_nudges_a_bare_end_and_submits_a_change_itself(attempt: Attempt) -> None:
    words = reply(say("I think that is it."))
    report = attempt.run(WRITE, words, words, words)
    assert (report.exit, report.summary) == (Exit.SUBMITTED, "I think that is it.")
    signals = [e.signal for e in attempt.events() if isinstance(e, LoopNudged)]
    assert signals == ["no_tool_call", "no_tool_call"]
    assert "call submit" in attempt.told()


def test_three_bare_ends_without_a_change_are_no_submit(attempt: Attempt) -> None:
    report = attempt.run(*[reply(say("Well."))] * 3)
    assert report.exit is Exit.NO_SUBMIT
    assert report.tree == attempt.context.base_tree


def test_a_tool_call_between_bare_ends_starts_the_count_anew(attempt: Attempt) -> None:
    words = reply(say("Hm."))
    report = attempt.run(words, words, LOOK, words, words, DONE)
    assert report.exit is Exit.SUBMITTED


def test_stops_at_the_step_limit(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=1_000_000, steps=2))
    report = attempt.run(WRITE, LOOK)
    assert (report.exit, report.steps) == (Exit.STEPS, 2)
    assert report.tree == attempt.workspace.tree()
    assert "at most 0 steps" not in attempt.told()
    assert "1 steps" in attempt.told()


def test_stops_when_its_time_is_over(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=1_000_000, minutes=1))

    def slow() -> None:
        attempt.clock.advance(40)

    attempt.keep_going = slow
    assert attempt.run(LOOK, LOOK).exit is Exit.TIMEOUT


def test_escalates_before_its_place_ends(attempt: Attempt) -> None:
    attempt.escalate_after_s = 60

    def slow() -> None:
        attempt.clock.advance(40)

    attempt.keep_going = slow
    report = attempt.run(WRITE, DONE)
    assert report.exit is Exit.ESCALATE
    assert report.tree == attempt.workspace.tree()


@pytest.mark.parametrize("told", [Exit.INTERRUPTED, Exit.CANCELLED, Exit.LOST])
def test_is_told_to_stop_before_a_call_and_spends_nothing(attempt: Attempt, told: Exit) -> None:
    attempt.keep_going = lambda: told
    report = attempt.run()
    assert (report.exit, report.cost) == (told, 0)


def test_is_told_to_stop_before_a_write(attempt: Attempt) -> None:
    answers = iter([None, None, Exit.CANCELLED])
    attempt.keep_going = lambda: next(answers)
    two = reply(
        use("write", "1", file_path="b.py", content="b"),
        use("write", "2", file_path="c.py", content="c"),
    )
    report = attempt.run(two)
    assert report.exit is Exit.CANCELLED
    assert sorted(attempt.workspace.contents) == ["a.py", "b.py"]
    assert [e.written for e in attempt.events() if isinstance(e, ToolCalled)] == [("b.py",)]
    assert report.files == ("b.py",)


def test_a_lost_lease_ends_it(attempt: Attempt) -> None:
    def lost() -> None:
        raise LeaseLost("taken over")

    attempt.keep_going = lost
    assert attempt.run().exit is Exit.LOST


def test_another_writer_of_the_stream_ends_it_before_it_spends(attempt: Attempt) -> None:
    def taken_over() -> None:
        stream = attempt.store.read("run/r/attempt/t1.1")
        attempt.store.append("run/r/attempt/t1.1", len(stream), [LoopNudged(signal="x", count=1)])

    attempt.keep_going = taken_over
    report = attempt.run(DONE)
    assert (report.exit, report.cost) == (Exit.LOST, 0)
    assert attempt.model.requests == []


def test_ctrl_c_in_a_call_counts_it_in_full(attempt: Attempt) -> None:
    report = attempt.run(WRITE, KeyboardInterrupt())
    assert report.exit is Exit.INTERRUPTED
    assert "b.py" in report.files
    assert report.cost == attempt.fold().cost > 100_000


def test_a_bug_in_a_tool_is_a_crash_with_its_detail(attempt: Attempt) -> None:
    def explode(path: str) -> bytes:
        raise ZeroDivisionError(f"a bug near {FAKE_SECRET}")

    attempt.workspace.read = explode
    report = attempt.run(LOOK)
    assert report.exit is Exit.CRASHED
    assert report.detail.startswith("ZeroDivisionError: a bug near «redacted:fake» (test_loop.py:")
    assert report.cost == attempt.fold().cost == 3_000
    assert report.tree == attempt.workspace.tree()


def test_refusal_runs_nothing(attempt: Attempt) -> None:
    refused = reply(use("write", file_path="b.py", content="x"), stop="refusal")
    report = attempt.run(refused)
    assert report.exit is Exit.REFUSED
    assert report.cost == 3_000
    assert "b.py" not in attempt.workspace.contents


def test_a_full_window_runs_nothing(attempt: Attempt) -> None:
    full = reply(use("write", file_path="b.py", content="x"), stop="model_context_window_exceeded")
    assert attempt.run(full).exit is Exit.CONTEXT_FULL
    assert "b.py" not in attempt.workspace.contents


@pytest.mark.parametrize("stop", ["max_tokens", "something_new"])
def test_a_cut_off_turn_runs_nothing_and_goes_on_in_smaller_pieces(
    attempt: Attempt, stop: str
) -> None:
    cut = reply(use("write", file_path="b.py", content="ha"), stop=stop)
    report = attempt.run(cut, DONE)
    assert report.exit is Exit.SUBMITTED
    assert "b.py" not in attempt.workspace.contents
    told = attempt.model.requests[1].messages[-1]["content"]
    assert told[0]["is_error"] is True
    assert "smaller" in told[0]["content"]


def test_turns_that_are_always_cut_off_end_it(attempt: Attempt) -> None:
    report = attempt.run(*[reply(say("so"), stop="max_tokens")] * 3)
    assert report.exit is Exit.STUCK
    assert [e.signal for e in attempt.events() if isinstance(e, LoopStopped)] == ["cut_off"]


@pytest.mark.parametrize(
    "odd",
    [
        reply(),
        reply(say("")),
        reply({"type": "hologram", "data": 1}),
        reply({"type": "tool_use", "id": "x", "name": "read", "input": "{trunc"}),
        reply({"type": "tool_use", "id": "x", "name": "read", "input": {"file_path": 7}}),
        reply(use("teleport", to="mars")),
        reply(use("read", file_path="a\ud800.py")),
    ],
    ids=["empty", "blank", "unknown", "input", "type", "tool", "surrogate"],
)
def test_odd_content_is_answered_not_fatal(attempt: Attempt, odd: ModelReply) -> None:
    report = attempt.run(odd, DONE)
    assert report.exit is Exit.SUBMITTED
    roles = [m["role"] for m in attempt.model.requests[1].messages]
    assert roles == ["user", "assistant", "user"]


def test_malformed_input_says_what_is_wrong(attempt: Attempt) -> None:
    attempt.run(reply(use("read", file_path=7)), DONE)
    block = attempt.model.requests[1].messages[-1]["content"][0]
    assert block["is_error"] is True
    assert "Expected `str`, got `int`" in block["content"]
    assert [e.allowed for e in attempt.events() if isinstance(e, ToolCalled)] == [False, True]


def test_retries_an_overloaded_model(attempt: Attempt) -> None:
    busy = ModelUnavailable("529", retry_after=7)
    report = attempt.run(busy, busy, DONE)
    assert report.exit is Exit.SUBMITTED
    assert attempt.clock.monotonic() >= 14
    assert report.cost == 3_000
    calls = [e for e in attempt.events() if isinstance(e, ModelCalled)]
    assert [(c.cost, c.retries, c.error) for c in calls] == [
        (0, 0, "ModelUnavailable"),
        (0, 1, "ModelUnavailable"),
        (3_000, 2, None),
    ]


def test_gives_up_on_a_model_that_stays_away(attempt: Attempt) -> None:
    report = attempt.run(*[ModelUnavailable("529")] * 5)
    assert (report.exit, report.cost) == (Exit.MODEL_UNAVAILABLE, 0)
    assert "529" in report.detail


def test_waits_a_minute_at_most(attempt: Attempt) -> None:
    attempt.run(ModelUnavailable("429", retry_after=600), DONE)
    assert attempt.clock.monotonic() == pytest.approx(60)


def test_does_not_wait_beyond_its_time(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=1_000_000, minutes=0.5))
    report = attempt.run(ModelUnavailable("429", retry_after=45))
    assert report.exit is Exit.MODEL_UNAVAILABLE
    assert attempt.clock.monotonic() == 0


def test_can_be_stopped_while_it_waits(attempt: Attempt) -> None:
    answers = iter([None, None, Exit.CANCELLED])
    attempt.keep_going = lambda: next(answers)
    assert attempt.run(ModelUnavailable("429", retry_after=30)).exit is Exit.CANCELLED
    assert attempt.clock.monotonic() < 10


def test_a_stop_does_not_wait_for_a_reply_and_counts_the_call_in_full(attempt: Attempt) -> None:
    answers = iter([None, Exit.INTERRUPTED])
    attempt.keep_going = lambda: next(answers)
    silent = Silent()
    report = attempt.run(model=silent)
    silent.speak.set()
    assert report.exit is Exit.INTERRUPTED
    assert report.cost == attempt.fold().cost > 100_000


@pytest.mark.parametrize("fault", [StreamDropped("cut"), ModelUnavailable("late", billed=True)])
def test_a_call_that_may_be_billed_counts_in_full(
    attempt: Attempt, fault: ModelUnavailable
) -> None:
    report = attempt.run(fault, DONE)
    started = next(e for e in attempt.events() if isinstance(e, ModelCallStarted))
    assert report.exit is Exit.SUBMITTED
    assert report.cost == started.worst_case + 3_000 == attempt.fold().cost


def test_a_reply_without_a_stop_reason_is_a_dropped_stream(attempt: Attempt) -> None:
    half = reply(use("write", file_path="b.py", content="x"), stop="")
    report = attempt.run(half, DONE)
    assert report.cost > 100_000
    assert "b.py" not in attempt.workspace.contents


@pytest.mark.parametrize(
    ("fault", "exit_"),
    [
        (ModelDenied("401"), Exit.MODEL_DENIED),
        (UnpricedModel("no price"), Exit.MODEL_DENIED),
        (ModelRejected("400 bad tools"), Exit.MODEL_REJECTED),
        (ModelRejected("400 prompt is too long: 210000 tokens"), Exit.CONTEXT_FULL),
    ],
)
def test_errors_that_no_retry_helps(attempt: Attempt, fault: Exception, exit_: Exit) -> None:
    report = attempt.run(fault)
    assert (report.exit, report.cost) == (exit_, 0)
    assert report.detail == str(fault)


def test_a_role_that_does_not_exist_is_told(attempt: Attempt) -> None:
    attempt.context = a_context(role="wizard")
    report = attempt.run()
    assert report.exit is Exit.CRASHED
    assert "arbiter" in report.detail


def test_parallel_calls_are_answered_in_one_message_in_order(attempt: Attempt) -> None:
    turn = reply(
        use("read", "1", file_path="a.py"),
        use("write", "2", file_path="a.py", content="new\n"),
        use("read", "3", file_path="a.py"),
        use("grep", "4", pattern="new"),
    )
    attempt.run(turn, DONE)
    content = attempt.model.requests[1].messages[-1]["content"]
    assert [block["tool_use_id"] for block in content] == ["1", "2", "3", "4"]
    assert ["one" in content[0]["content"], "new" in content[2]["content"]] == [True, True]


def test_a_submit_beside_a_failed_call_is_not_taken(attempt: Attempt) -> None:
    turn = reply(
        use("edit", "1", file_path="a.py", old_string="absent", new_string="x"),
        use("submit", "2", status="done", summary="s"),
    )
    report = attempt.run(turn, reply(use("submit", status="failed", summary="s")))
    assert report.exit is Exit.GAVE_UP
    assert "a call before it in this turn failed" in attempt.told()


def test_red_checks_go_back_to_the_model_three_times(attempt: Attempt) -> None:
    red = CheckResult("make test", ok=False, exit_code=2, output_tail="1 failed")
    attempt.check = lambda: [red]
    report = attempt.run(WRITE, DONE, DONE, DONE, DONE)
    assert report.exit is Exit.SUBMITTED
    assert report.checks == (red,)
    assert "make test (exit code 2)\n1 failed" in attempt.told()


def test_the_harness_checks_what_it_submits_itself(attempt: Attempt) -> None:
    red = CheckResult("make test", ok=False)
    attempt.check = lambda: [red]
    report = attempt.run(WRITE, *[reply(say("Done."))] * 3)
    assert (report.exit, report.checks) == (Exit.SUBMITTED, (red,))


def test_a_submit_is_taken_even_when_time_is_over(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=1_000_000, minutes=1))

    class Slow(Replies):
        def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
            attempt.clock.advance(90)
            return super().send(request, timeout_s=timeout_s)

    assert attempt.run(model=Slow([DONE])).exit is Exit.SUBMITTED


def test_a_long_command_is_told_before_the_turn_ends(attempt: Attempt) -> None:
    seen: list[int] = []

    def shell(command: str, files: dict[str, bytes]) -> CommandResult:
        attempt.clock.advance(int(command))
        seen.append(sum(isinstance(e, ToolCalled) for e in attempt.events()))
        return CommandResult(0, "", float(command))

    attempt.workspace = MemoryWorkspace({"a.py": "one\n"}, shell)
    attempt.context = a_context(shell=True)
    turn = reply(*[use("bash", command, command=command) for command in ("0", "5", "1")])
    attempt.run(turn, DONE)
    assert seen == [0, 0, 2]


def test_green_checks_are_in_the_report(attempt: Attempt) -> None:
    green = CheckResult("make test", ok=True)
    attempt.check = lambda: [green]
    assert attempt.run(WRITE, DONE).checks == (green,)


def test_circles_are_nudged_then_stopped(attempt: Attempt) -> None:
    report = attempt.run(*[LOOK] * 5)
    assert report.exit is Exit.STUCK
    assert [e.count for e in attempt.events() if isinstance(e, LoopNudged)] == [3]
    assert [e.count for e in attempt.events() if isinstance(e, LoopStopped)] == [5]


def test_a_circle_within_one_turn_is_nudged_before_it_is_stopped(attempt: Attempt) -> None:
    denied = [use("bash", str(i), command=f"make {i}") for i in range(6)]
    report = attempt.run(reply(*denied), reply(*denied[:1]))
    assert report.exit is Exit.STUCK
    assert [e for e in attempt.events() if isinstance(e, LoopNudged | LoopStopped)] == [
        LoopNudged(signal="same_error", count=6),
        LoopStopped(signal="same_error", count=7),
    ]


def test_four_equal_calls_do_not_end_a_good_run(attempt: Attempt) -> None:
    assert attempt.run(*[LOOK] * 4, WRITE, DONE).exit is Exit.SUBMITTED


def test_the_transcript_has_no_secret(attempt: Attempt) -> None:
    attempt.run(reply(use("write", file_path="k.py", content=FAKE_SECRET)), DONE)
    assert [line["kind"] for line in attempt.lines] == [
        "prompt",
        "assistant",
        "user",
        "assistant",
        "submitted",
    ]
    assert FAKE_SECRET not in str(attempt.lines)
    assert "«redacted:fake»" in str(attempt.lines)


def test_a_workspace_that_cannot_give_its_tree_is_told(attempt: Attempt) -> None:
    def full() -> str:
        raise OSError(28, "No space left on device")

    attempt.workspace.tree = full
    report = attempt.run(WRITE, DONE)
    assert (report.exit, report.tree) == (Exit.SUBMITTED, "")
    assert "No space left" in report.detail
