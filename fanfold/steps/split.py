"""Split: one capped attempt reads the repository and proposes what may run side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.agent.attempt import run_attempt
from fanfold.agent.desk import Desk
from fanfold.agent.gather import gather
from fanfold.agent.log import AttemptLog
from fanfold.agent.roles import load_role, ruled
from fanfold.errors import InvalidPlan, WorkspaceError
from fanfold.plan.signs import OPEN, Sign, with_signs
from fanfold.run.attempt import (
    AttemptLimits,
    CheckResult,
    Context,
    Exit,
    Purpose,
    Report,
    RoleRules,
    TaskText,
)
from fanfold.run.events import AttemptClaimed, AttemptEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.plan.model import Plan
    from fanfold.ports import Repository, Workspace
    from fanfold.steps.wiring import Wiring

STREAM = "split/"
FILE = "signs.json"
ROLE = "researcher"
RULES = RoleRules(tools=("read", "write", "edit", "glob", "grep"), writes=(FILE,))
TASK = f"""\
Propose which open tasks of {{path}} may run side by side. Read the plan, look at the code that each
task will touch, then write {FILE}, a JSON object from task ids to
{{{{"depends": [ids], "files": [paths or globs]}}}}.

- depends: the tasks whose result it needs, or none. A task without it waits for the one before it;
  leave it out where that is right.
- files: everything it may write, with tests and documentation. A patch that writes anything else is
  refused: take whole folders where you are not sure, and leave it out where you cannot know.
- Two tasks that may write one file must not run side by side: let the later need the earlier.
- Leave out what the plan states already. Say only what the code shows.

The open tasks by id:
"""


class Proposal(msgspec.Struct, frozen=True):
    """The plan with the proposed comments, or None and the problem; how the attempt ended."""

    data: bytes | None
    report: Report
    problem: str = ""


def context_of(
    plan: Plan,
    tree: str,
    repository: Repository,
    *,
    name: str,
    model: str,
    effort: str | None,
    limits: AttemptLimits,
) -> Context:
    """What the attempt called `name` over `tree` is told."""
    gathered = gather(lambda path: repository.read(tree, path), plan, [])
    tasks = "\n".join(f"- {t.id}: {t.title}" for t in plan.tasks if t.state in OPEN)
    text = TASK.format(path=plan.path) + tasks
    return Context(
        run_id=name,
        attempt=name,
        unit="split",
        role=ROLE,
        purpose=Purpose.WORK,
        base_tree=tree,
        tasks=(TaskText("split", "Propose what may run side by side", text),),
        limits=limits,
        model=model,
        effort=effort,
        plan_title=plan.title,
        plan_path=plan.path,
        spec=gathered.spec,
        instructions=gathered.instructions,
        writes=RULES.writes,
        rules=RULES,
    )


def propose(plan: Plan, context: Context, wiring: Wiring) -> Proposal:
    """Run the attempt of `context_of`; its events are the stream `split/<its name>`.

    A proposal that does not fit the plan goes back to it, a few times.
    """
    name = context.attempt
    workspace = wiring.workspaces.open(context.base_tree, shell=False, name=name)
    lines: list[dict[str, Any]] = []
    log = AttemptLog(wiring.events, STREAM + name)
    log.append(AttemptClaimed(1, 1, name))
    try:
        report = run_attempt(
            context,
            Desk(
                events=log,
                workspace=workspace,
                model=wiring.models(context),
                prices=wiring.prices,
                clock=wiring.clock,
                secrets=wiring.secrets,
                keep_going=lambda: Exit.INTERRUPTED if wiring.stop.is_set() else None,
                transcript=lines.append,
                check=_check(plan, workspace),
            ),
            ruled(load_role(ROLE), RULES),
        )
        log.append(AttemptEnded(report.exit, report.cost, report.detail))
        transcript = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        wiring.artifacts.put(f"splits/{name}/transcript.jsonl", transcript)
        return _outcome(plan, workspace, report)
    finally:
        workspace.close()


def _outcome(plan: Plan, workspace: Workspace, report: Report) -> Proposal:
    if report.exit is not Exit.SUBMITTED:
        return Proposal(None, report, report.detail or report.exit.value)
    try:
        return Proposal(_proposed(plan, workspace), report)
    except InvalidPlan as error:
        return Proposal(None, report, str(error))


def _check(plan: Plan, workspace: Workspace) -> Callable[[], tuple[CheckResult, ...]]:
    def check() -> tuple[CheckResult, ...]:
        try:
            _proposed(plan, workspace)
        except InvalidPlan as error:
            return (CheckResult(f"does {FILE} fit the plan?", ok=False, output_tail=str(error)),)
        return (CheckResult(f"does {FILE} fit the plan?", ok=True),)

    return check


def _proposed(plan: Plan, workspace: Workspace) -> bytes:
    """Raises InvalidPlan where the file is missing, is not what was asked for, or does not fit."""
    try:
        signs = msgspec.json.decode(workspace.read(FILE), type=dict[str, Sign])
    except (WorkspaceError, msgspec.DecodeError) as error:
        raise InvalidPlan(FILE, 0, str(error)) from None
    return with_signs(plan, signs)
