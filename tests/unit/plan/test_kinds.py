"""Kinds, flags and roles by wording."""

from __future__ import annotations

import pytest

from fanfold.plan.control import asks_for_control, control_files, is_control
from fanfold.plan.kinds import kind, needs_of
from fanfold.plan.model import Kind


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Conductor - User Manual Verification 'Phase 1' (Protocol in workflow.md)", Kind.GATE),
        ("Conductor - Phase Verification 'Phase 1'", Kind.GATE),
        ("Conductor - Verificación Manual del Usuario 'Fase 1'", Kind.GATE),
        ("Obtain stakeholder sign-off", Kind.GATE),
        ("Conductor - Automated Verification 'Phase 1' (Protocol in workflow.md)", Kind.CHECK),
        ("Run full test suite", Kind.CHECK),
        ("Run all quality checks", Kind.CHECK),
        ("Run quality checks (lint, type check)", Kind.CHECK),
        ("Run contract and unit tests - verify all pass", Kind.CHECK),
        ("Run `npm test`", Kind.CHECK),
        ("Execute unit tests for new functionality", Kind.CHECK),
        ("Verify all new tests pass against the current site (Baseline)", Kind.CHECK),
        ("Ensure pre-commit hooks pass locally", Kind.CHECK),
        ("Verify Playwright tests pass with the new template logic", Kind.CHECK),
        ("Run the tests and fix what fails", Kind.WORK),
        ("Run `scripts/sync.py` and verify all platforms are updated", Kind.WORK),
        ("Write tests for the parser", Kind.WORK),
        ("Verify Sidebar Functionality", Kind.WORK),
        ("Ensure 95% test coverage for rendering", Kind.WORK),
        ("Plan unit, integration, and user acceptance testing approach", Kind.WORK),
        ("Execute /conductor:review for final verification", Kind.WORK),
        ("Verification", Kind.WORK),
        ("Mark track complete", Kind.BOOKKEEPING),
        ("Archive track", Kind.BOOKKEEPING),
        ("Update tracks.md status", Kind.BOOKKEEPING),
        ("Commit changes", Kind.BOOKKEEPING),
        ("Archive old log files", Kind.WORK),
        ("Update track creation dialog", Kind.WORK),
        ("Mark deprecated functions", Kind.WORK),
    ],
)
def test_kind_follows_the_wording(title: str, expected: Kind) -> None:
    assert kind(title) is expected


def test_check_with_work_below_it_is_work() -> None:
    assert kind("Run all tests", "Fix the flaky ones") is Kind.WORK


@pytest.mark.parametrize(
    ("title", "flags"),
    [
        ("Review upstream issue #103 discussion", ("github",)),
        ("Open Pull Request on upstream repository", ("github",)),
        ("Push changes to upstream repository", ("github",)),
        ("Create GitHub Actions workflow for the test matrix", ()),
        ("Implement GitHub API client", ()),
        ("Manual browser verification of random pages", ("browser",)),
        ("Verify all scripts on Apple Silicon", ("device",)),
        ("Manual testing", ("device",)),
        ("Deploy to production", ("deploy",)),
        ("Publish the package to npm", ("deploy",)),
        ("Write the deployment guide", ()),
    ],
)
def test_needs_that_an_agent_cannot_meet_are_flagged(title: str, flags: tuple[str, ...]) -> None:
    assert needs_of(title) == flags


PLAN = "conductor/tracks/hello_20260101/plan.md"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PLAN, True),
        ("conductor/tracks/hello_20260101/spec.md", True),
        ("conductor/tracks/hello_20260101/metadata.json", True),
        ("conductor/tracks/hello_20260101/index.md", True),
        ("conductor/tracks/hello_20260101/notes.md", False),
        ("conductor/tracks/hello_20260101/sub/plan.md", False),
        ("conductor/tracks.md", True),
        ("conductor/index.md", False),
        ("conductor/workflow.md", False),
        (".ai-workspace/events/events.jsonl", True),
        (".AI-workspace/x", True),
        ("src/plan.md", False),
    ],
)
def test_control_files_of_a_track(path: str, expected: bool) -> None:
    assert is_control(path, PLAN) is expected


def test_control_files_of_a_plan_at_the_root() -> None:
    assert set(control_files("plan.md")) == {
        "plan.md",
        "spec.md",
        "metadata.json",
        "index.md",
        "tracks.md",
        ".ai-workspace/**",
    }


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Update `conductor/workflow.md` with the new gate", True),
        ("Add a section on releases to workflow.md", True),
        ("Edit tracks.md", True),
        ("Ensure the loop defined in `workflow.md` is complete", False),
        ("Implement a parser for `plan.md`", False),
        ("Update `docs/my-plan.md`", False),
        ("Update docs/spec.md", False),
        ("Update the parser to support `plan.md`", False),
        ("Update the track's spec.md", True),
        ("Conductor - User Manual Verification (Protocol in workflow.md)", False),
    ],
)
def test_tasks_that_ask_to_change_control_files(title: str, expected: bool) -> None:
    assert asks_for_control(title) is expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ("- [ ] Update `conductor/tracks.md`", True),
        ("    - [ ] Sub-task: Edit workflow.md", True),
        ("- [x] Subtask: Update tracks.md with new track entry", False),
        ("- See workflow.md", False),
    ],
)
def test_steps_that_ask_to_change_control_files(details: str, expected: bool) -> None:
    assert asks_for_control("Tidy up", details) is expected
