"""A task that fails three times alike waits for a person, and only a person lets it go on."""

from __future__ import annotations

import msgspec
import pytest

from fanfold.run import events as e
from fanfold.run.attempt import Exit
from fanfold.run.decide import decide
from fanfold.run.evolve import fold
from fanfold.run.holds import REPEATED, SAME_FAILURES
from fanfold.run.state import Outcome, UnitStatus
from fanfold.run.steps import Ask
from fanfold.run.view import outcome_of, run_view
from fanfold.settings import Limits
from fanfold.steps.report import render_report
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit

STUCK = {f"a.{n}": Exit.STUCK for n in range(1, 10)}


class Details(ScriptedWorld):
    """Ends with the details that `said` names, by attempt."""

    def __init__(self, run: e.RunAdmitted, *, ends: dict[str, Exit], people: bool) -> None:
        self.said = dict[str, str]()
        super().__init__(run, ends=ends, people=people)

    def end_of(self, dispatched: e.AttemptDispatched) -> e.AttemptFinished:
        ended = super().end_of(dispatched)
        detail = self.said.get(dispatched.attempt, ended.detail)
        return msgspec.structs.replace(ended, detail=detail)


def world(ends: dict[str, Exit], *, attempts: int = 9) -> Details:
    limits = e.RunLimits(1000 * CENT, 100 * CENT, attempts=attempts)
    run = admitted(unit("a"), unit("b", "a"), unit("c"), limits=limits)
    return Details(run, ends=ends, people=False)


def attempts(of: Details) -> int:
    return len(of.state.units["a"].tries)


def test_three_equal_failures_wait_for_a_person_and_hold_what_needs_them() -> None:
    held = world(STUCK)
    held.run()
    states = {name: u.status for name, u in held.state.units.items()}
    assert attempts(held) == SAME_FAILURES
    assert states == {
        "a": UnitStatus.WAITING,
        "b": UnitStatus.OPEN,
        "c": UnitStatus.MERGED,
    }
    assert decide(held.state) == Ask(("a",), waiting=True)
    assert outcome_of(held.state) is Outcome.WAITING


def test_the_person_is_told_what_was_tried_and_how_to_go_on() -> None:
    held = world(STUCK)
    held.said = dict.fromkeys(STUCK, "same_call, 5 times")
    held.run()
    report = render_report(held.state, Outcome.WAITING)
    assert "3 attempts ended alike (stuck: same_call, 5 times): a.1, a.2, a.3." in report
    view = run_view(held.state)
    assert view["next"][0] == "fanfold approve r a"
    assert [gate["id"] for gate in view["gates"]] == ["a"]


def test_approval_tries_again_and_counts_anew() -> None:
    held = world({"a.1": Exit.STUCK, "a.2": Exit.STUCK, "a.3": Exit.STUCK, "a.4": Exit.STUCK})
    held.run()
    held.say(e.ApprovalGranted("a"))
    held.run()
    assert attempts(held) == 5
    assert held.state.outcome is Outcome.COMPLETED


def test_a_rejected_one_is_given_up_with_all_that_needs_it() -> None:
    held = world(STUCK)
    held.run()
    held.say(e.ApprovalDenied("a", "no use"))
    held.run()
    units = held.state.units
    assert (units["a"].status, units["a"].reason) == (UnitStatus.FAILED, REPEATED)
    assert (units["b"].status, units["c"].status) == (UnitStatus.SKIPPED, UnitStatus.MERGED)
    assert held.state.outcome is Outcome.INCOMPLETE


def test_a_resume_is_no_word_of_a_person() -> None:
    held = world(STUCK)
    held.run()
    held.resume()
    held.run()
    assert attempts(held) == SAME_FAILURES
    assert held.state.units["a"].status is UnitStatus.WAITING


def test_the_counter_is_in_the_log() -> None:
    held = world(STUCK)
    held.run()
    again = fold(held.log)
    assert again.units["a"] == held.state.units["a"]
    assert again.gates == held.state.gates


@pytest.mark.parametrize(
    ("ends", "said", "waits"),
    [
        (["stuck", "stuck", "crashed"], [], False),
        (["stuck", "crashed", "stuck", "crashed"], [], False),
        (["crashed", "stuck", "stuck", "stuck"], [], True),
        (["stuck", "interrupted", "lost", "stuck", "stuck"], [], True),
        (["crashed"] * 3, ["a", "b", "a"], False),
        (["crashed"] * 3, ["at line 7", "at line 12", "at line 9.5"], True),
        (["model_unavailable"] * 3, [], False),
    ],
)
def test_only_equal_failures_in_a_row_count(ends: list[str], said: list[str], waits: bool) -> None:
    names = [f"a.{n}" for n in range(1, 10)]
    held = world(dict(zip(names, map(Exit, ends), strict=False)))
    held.said = dict(zip(names, said, strict=False))
    held.run()
    assert (held.state.units["a"].status is UnitStatus.WAITING) is waits
    assert waits or held.state.outcome is Outcome.COMPLETED


def test_with_fewer_tries_than_three_nobody_is_asked() -> None:
    held = world(STUCK, attempts=2)
    held.run()
    assert (held.state.units["a"].status, attempts(held)) == (UnitStatus.FAILED, 2)


def test_giving_up_in_other_words_is_the_same_failure() -> None:
    held = world({f"a.{n}": Exit.GAVE_UP for n in range(1, 10)})
    held.said = {"a.1": "no idea", "a.2": "still no idea", "a.3": "none at all"}
    held.run()
    assert held.state.units["a"].reason == REPEATED


def test_the_default_number_of_attempts_reaches_a_person() -> None:
    held = world(STUCK, attempts=Limits().attempts)
    held.run()
    assert held.state.units["a"].status is UnitStatus.WAITING
