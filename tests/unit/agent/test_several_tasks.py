"""A unit of several tasks: each one's end is noted, and the last submit hands in all."""

from __future__ import annotations

from typing import Any

from fanfold.run.attempt import Exit, FinishedTask, TaskText
from tests.unit.agent.conftest import Attempt, a_context, reply, use

TASKS = (TaskText("1.1", "Test it"), TaskText("1.2", "Build it"), TaskText("1.3", "Describe it"))


def write(name: str) -> dict[str, Any]:
    return use("write", file_path=name, content=f"{name}\n")


def submit(**more: str) -> dict[str, Any]:
    return use("submit", status="done", summary="Done.", **more)


def several(attempt: Attempt, **changes: Any) -> Attempt:
    attempt.context = a_context(unit="1.1", attempt="1.1.1", tasks=TASKS, **changes)
    return attempt


def test_the_tree_at_the_end_of_each_task(attempt: Attempt) -> None:
    report = several(attempt).run(
        reply(write("a"), submit(task="1.1")),
        reply(write("b"), submit(task="1.2")),
        reply(write("c"), submit()),
    )
    assert report.exit is Exit.SUBMITTED
    assert [each.task for each in report.finished] == ["1.1", "1.2"]
    trees = [each.tree for each in report.finished]
    assert len({*trees, report.tree, attempt.context.base_tree}) == 4
    assert {each.base_tree for each in report.finished} == {attempt.context.base_tree}


def test_what_is_left_is_told(attempt: Attempt) -> None:
    several(attempt).run(reply(write("a"), submit(task="1.2")), reply(submit()))
    assert "1.1, 1.3" in attempt.told()
    assert "1.1, 1.2, 1.3" in attempt.told(0)


def test_the_last_task_of_all_hands_in(attempt: Attempt) -> None:
    report = several(attempt).run(
        reply(submit(task="1.1")), reply(submit(task="1.2")), reply(submit(task="1.3"))
    )
    assert report.exit is Exit.SUBMITTED
    assert [each.task for each in report.finished] == ["1.1", "1.2"]


def test_a_task_of_others_is_none_of_this_unit(attempt: Attempt) -> None:
    report = several(attempt).run(reply(submit(task="9.9")), reply(submit()))
    assert "1.1, 1.2, 1.3" in attempt.told()
    assert report.finished == ()


def test_a_task_that_is_finished_twice_counts_as_it_was_last(attempt: Attempt) -> None:
    report = several(attempt).run(
        reply(write("a"), submit(task="1.1")),
        reply(write("b"), submit(task="1.2")),
        reply(write("c"), submit(task="1.1")),
        reply(submit()),
    )
    assert [each.task for each in report.finished] == ["1.2", "1.1"]
    assert report.finished[1].tree == report.tree


def test_a_task_of_its_own_needs_no_name(attempt: Attempt) -> None:
    report = attempt.run(reply(submit(task="whatever")))
    assert (report.exit, report.finished) == (Exit.SUBMITTED, ())


def test_what_an_earlier_attempt_finished_stays_finished(attempt: Attempt) -> None:
    earlier = FinishedTask("1.1", "tree", "base", "key", "digest")
    report = several(attempt, finished=(earlier,)).run(
        reply(write("b"), submit(task="1.2")), reply(submit())
    )
    assert [each.task for each in report.finished] == ["1.1", "1.2"]
    assert report.finished[0] == earlier
    assert "Finished already: 1.1" in attempt.told(0)
