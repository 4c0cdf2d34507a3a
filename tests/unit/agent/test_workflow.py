"""workflow.md without the steps that fanfold does itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.agent.workflow import LEFT_OUT, translate

TEXT = """# Workflow

1. **Mark In Progress:** edit `plan.md`
   - change `[ ]` to `[~]`

2. **Write failing tests** first:
   - Run them with:
     ```bash
     pytest -k new  # before you commit
     ```

3. **Commit Code Changes:**
   - Stage everything.

Coverage stays above 80%.

## Commit Guidelines

### Types
- feat

## Checkpointing Protocol

Ask the user.

## Style

Await the user's confirmation.

## Quality

- [ ] Lint is clean
- [ ] Git note attached
"""


def test_keeps_tests_coverage_and_commands() -> None:
    kept = translate(TEXT)
    assert "Write failing tests" in kept
    assert "pytest -k new  # before you commit" in kept
    assert "Coverage stays above 80%." in kept
    assert "Lint is clean" in kept


@pytest.mark.parametrize(
    "gone", ["plan.md", "[~]", "Stage everything", "Guidelines", "feat", "Ask", "Await", "Git note"]
)
def test_drops_what_fanfold_does(gone: str) -> None:
    assert gone not in translate(TEXT)


def test_drops_sections_that_became_empty() -> None:
    assert "## Style" not in translate(TEXT)
    assert "## Quality" in translate(TEXT)


def test_says_that_something_was_left_out() -> None:
    assert translate(TEXT).startswith(LEFT_OUT)
    assert translate("") == ""


REAL = sorted(Path("../shared/data/conductor").glob("*/conductor/workflow.md"))


@pytest.mark.skipif(not REAL, reason="no shared data here")
def test_real_workflows_keep_tests_and_lose_commits() -> None:
    for path in REAL:
        kept = translate(path.read_text("utf-8"))
        assert "test" in kept.lower()
        assert "git notes" not in kept
        assert "git commit" not in kept
