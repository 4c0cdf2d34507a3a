"""What an attempt leaves where not all of its files can be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.errors import TreeIncomplete, WorkspaceError
from fanfold.run.attempt import Exit
from tests.unit.agent.conftest import DONE, Attempt, reply, use

if TYPE_CHECKING:
    from fanfold.run.attempt import Report

PROBLEM = "'core' has 200000000 bytes; the limit for one file is 100000000"
WRITE = reply(use("write", file_path="a.py", content="two\n"))


@pytest.fixture
def attempt() -> Attempt:
    return Attempt()


def ended(attempt: Attempt, monkeypatch: pytest.MonkeyPatch, error: WorkspaceError) -> Report:
    def tree() -> str:
        raise error

    monkeypatch.setattr(attempt.workspace, "tree", tree)
    return attempt.run(WRITE, DONE)


def test_the_rest_is_handed_in_and_what_is_missing_told(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ended(attempt, monkeypatch, TreeIncomplete(PROBLEM, "f" * 40))
    assert (report.exit, report.tree) == (Exit.SUBMITTED, "f" * 40)
    assert report.detail == f"not all files are in the patch: {PROBLEM}"


def test_without_any_tree_the_report_says_why(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ended(attempt, monkeypatch, WorkspaceError("the disk is gone"))
    assert report.tree == ""
    assert report.detail == "the final tree could not be written: the disk is gone"
