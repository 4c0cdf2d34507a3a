"""The first request for one small repository, to the byte; and the size of it for real ones."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fanfold.agent.gather import gather
from fanfold.plan import formats
from fanfold.run.attempt import Context, Predecessor, TaskText
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, Attempt, a_context

GOLDEN = Path(__file__).parent / "golden" / "first_request.json"
REAL = sorted(Path("../shared/data/conductor").glob("*/**/plan.md"))
MOST_TOKENS = 12_000
CHARACTERS_A_TOKEN = 3

PLAN = "conductor/tracks/one/plan.md"
FILES = {
    "AGENTS.md": "Use tabs.\n",
    "conductor/tech-stack.md": "# Stack\n\nPython 3.13, pytest.\n",
    "conductor/workflow.md": "# Workflow\n\n1. Write the failing test.\n2. Commit with a note.\n",
    "conductor/tracks/one/spec.md": "# Spec\n\nA greeting for everyone.\n",
    PLAN: "# Plan\n\n## Phase 1: Greet\n\n- [x] Task: Say hello\n- [ ] Task: Say `greet.py` bye\n"
    "    - [ ] Write the test\n\n## Phase 2: Shout\n\n- [ ] Task: Shout\n",
    "greet.py": "def hello() -> str:\n\treturn 'hello'\n",
}


def bundle(files: dict[str, str], plan_path: str, task: int, **more: object) -> Context:
    """What an attempt at the task of that number is given, as the attempt step builds it."""
    plan = formats.parse(files[plan_path].encode(), plan_path)
    own = plan.tasks[task]
    found = gather(lambda path: files[path].encode() if path in files else None, plan, [own])
    return a_context(
        tasks=(TaskText(own.id, own.title, plan.text(own)),),
        unit=own.id,
        attempt=f"{own.id}.1",
        plan_title=plan.title,
        plan_path=plan_path,
        outline=found.outline,
        spec=found.spec,
        instructions=found.instructions,
        shell=True,
        **more,
    )


def test_the_first_request_to_the_byte(attempt: Attempt) -> None:
    attempt.workspace = MemoryWorkspace(FILES, lambda command, files: pytest.fail(command))
    attempt.context = bundle(
        FILES,
        PLAN,
        1,
        checks=("pytest",),
        effort="medium",
        predecessors=(Predecessor("1.1", "Say hello", "Added hello().", ("greet.py",)),),
    )
    attempt.run(DONE)
    sent = msgspec.json.format(msgspec.json.encode(attempt.model.requests[0])) + b"\n"
    assert sent.decode() == GOLDEN.read_text("utf-8")


def project(plan: Path) -> dict[str, str]:
    """The files of the real project that `plan` belongs to, by path."""
    root = Path(*plan.parts[:5])
    return {
        str(path.relative_to(root)): path.read_text("utf-8", "replace")
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.skipif(not REAL, reason="no shared data here")
@pytest.mark.parametrize("root", sorted({Path(*plan.parts[:5]) for plan in REAL}), ids=str)
def test_real_repositories_fit_the_budget(root: Path) -> None:
    plans = [plan for plan in REAL if plan.is_relative_to(root)]
    files = project(plans[0])
    for plan in plans:
        path = str(plan.relative_to(root))
        tasks = formats.parse(files[path].encode(), path).tasks
        longest = max(range(len(tasks)), key=lambda number: tasks[number].details)
        attempt = Attempt(MemoryWorkspace(files, lambda command, files: pytest.fail(command)))
        attempt.context = bundle(files, path, longest)
        report = attempt.run(DONE)
        sent = attempt.model.requests[0]
        texts = [block["text"] for block in (*sent.system, *sent.messages[0]["content"])]
        size = sum(map(len, texts)) + len(msgspec.json.encode(sent.tools))
        assert size <= MOST_TOKENS * CHARACTERS_A_TOKEN, path
        task = attempt.context.tasks[0]
        assert task.text.strip() in texts[-1] or f"task {task.id}" in str(report.context_cuts)
