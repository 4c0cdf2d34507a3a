"""submit: hand in and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from fanfold.agent.tools.base import Result, Tool, ToolFailure
from fanfold.agent.tools.bench import Submission
from fanfold.run.access import Operation
from fanfold.run.attempt import ACCEPT, SEND_BACK

if TYPE_CHECKING:
    from fanfold.agent.tools.bench import Bench


RED_ROUNDS = 3


class SubmitArguments(msgspec.Struct, frozen=True):
    status: Annotated[
        Literal["done", "blocked", "failed"],
        Meta(description="blocked: something outside your reach is missing; say what."),
    ]
    summary: Annotated[str, Meta(description="What changed and why, for whoever builds on it.")]
    tests_run: list[str] | str = ""
    confidence: str | float = ""
    task: Annotated[
        str, Meta(description="Of several tasks, the id of the one that is done; else leave out.")
    ] = ""
    choice: Annotated[str, Meta(description="The letter of the candidate you pick.")] = ""


def run(bench: Bench, arguments: SubmitArguments) -> Result:
    if bench.submit_blocked:
        raise ToolFailure("Not submitted: a call before it in this turn failed; look at it first.")
    if arguments.status == "done" and (left := _finish(bench, arguments.task.strip())):
        return Result(f"Noted as it is now. Go on with {', '.join(left)}, then submit again.")
    choice = _choice(bench, arguments) if bench.choices else None
    if arguments.status == "done":
        _verify(bench)
    tests = arguments.tests_run
    bench.submission = Submission(
        status=arguments.status,
        summary=arguments.summary,
        confidence=str(arguments.confidence),
        tests_run=tuple(tests) if isinstance(tests, list) else (tests,) * bool(tests),
        choice=choice,
    )
    return Result("Submitted.")


def _finish(bench: Bench, task: str) -> list[str]:
    """Keeps the tree at the end of `task`; gives what is left to do, nothing for the whole unit."""
    if not task or len(bench.tasks) < 2:
        return []
    if task not in bench.tasks:
        raise ToolFailure(f"task must be one of {', '.join(bench.tasks)}, not {task!r}")
    left = [other for other in bench.open_tasks if other != task]
    if left:
        bench.finished.pop(task, None)
        bench.finished[task] = bench.workspace.tree()
    return left


def letter(index: int) -> str:
    """The name that candidate number `index` (from 0) goes by: A, B, … Z, then numbers."""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def _choice(bench: Bench, arguments: SubmitArguments) -> str | None:
    by_name = {letter(i).lower(): c for i, c in enumerate(bench.choices)}
    by_name |= {c.lower(): c for c in bench.choices}
    chosen = by_name.get(arguments.choice.strip().lower())
    if chosen is None and arguments.status == "done":
        words = {ACCEPT, SEND_BACK}
        names = ", ".join(c if c in words else letter(i) for i, c in enumerate(bench.choices))
        raise ToolFailure(f"choice must be one of {names}, not {arguments.choice!r}")
    return chosen


def _verify(bench: Bench) -> None:
    """Hands red checks back to the model, a few times; then they go into the report as red."""
    if bench.check is None:
        return
    bench.verify()
    red = [r for r in bench.check_results if r.required and not r.ok and r.baseline_ok is not False]
    if red and bench.red_rounds < RED_ROUNDS:
        bench.red_rounds += 1
        told = "\n\n".join(f"{r.command} (exit code {r.exit_code})\n{r.output_tail}" for r in red)
        raise ToolFailure(f"Not submitted: these checks are red.\n\n{bench.spill.shorten(told)}")


TOOL = Tool(
    "submit",
    "Hand in your work and end: once, when the task is done and checked, or cannot be done.",
    Operation.SUBMIT,
    SubmitArguments,
    run,
)
