"""One attempt from claim to report: whatever happens, a report comes back."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING

from fanfold.agent.exits import ModelShut, Stop
from fanfold.agent.loop import Loop
from fanfold.agent.purse import Purse
from fanfold.agent.redaction import redacted
from fanfold.agent.roles import role_of
from fanfold.agent.strings import encodable
from fanfold.agent.timing import Timing
from fanfold.agent.tools.spill import elide
from fanfold.errors import LeaseLost, StreamConflict, TreeIncomplete, UnpricedModel, WorkspaceError
from fanfold.run.attempt import Exit, FinishedTask, Purpose, Report
from fanfold.run.attempt_fold import fold_told

if TYPE_CHECKING:
    from fanfold.agent.desk import Desk
    from fanfold.agent.roles import Role
    from fanfold.agent.tools.bench import Submission
    from fanfold.run.attempt import Context

DETAIL, FINDINGS = 400, 4_000
STATUS = {Exit.SUBMITTED: "done", Exit.PICKED: "done", Exit.BLOCKED: "blocked"}


def run_attempt(context: Context, desk: Desk, role: Role | None = None) -> Report:
    """Works on the unit until it ends, and says how it ended.

    The caller has claimed the attempt and opened the workspace, and closes both: it writes patch,
    report and transcript and appends `attempt_ended`. Between the two all is done here. `role` is
    the built-in one of that name unless given. Nothing but a failing `Clock` raises.
    """
    timing = Timing(desk.clock, context.limits.minutes, desk.escalate_after_s)
    purse = Purse(context.limits.slice, context.model, desk.prices)
    loop: Loop | None = None
    exit_, detail = Exit.CRASHED, ""
    try:
        context = redacted(context, desk.secrets.redact)
        loop = Loop(context, role or role_of(context), desk, timing, purse)
        loop.run()
    except Stop as stop:
        exit_, detail = stop.exit, stop.detail
    except UnpricedModel as error:
        exit_, detail = ModelShut.exit, str(error)
    except (StreamConflict, LeaseLost) as error:
        exit_, detail = Exit.LOST, str(error)
    except KeyboardInterrupt:
        exit_, detail = Exit.INTERRUPTED, "interrupted"
    except Exception as error:  # the edge: a bug ends one attempt, not the run
        exit_, detail = Exit.CRASHED, f"{type(error).__name__}: {error} ({_place(error)})"
    tree, problem = _final_tree(desk)
    return _report(context, desk, loop, exit_, detail or problem, tree, timing, purse)


def _place(error: Exception) -> str:
    """Where it was raised, for the report of a bug."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(last.filename).name}:{last.lineno}"


def _final_tree(desk: Desk) -> tuple[str, str]:
    """The tree as it is now, or of what can be kept and what is wrong; an empty name for none."""
    try:
        return desk.workspace.tree(), ""
    except TreeIncomplete as error:
        return error.tree, f"not all files are in the patch: {error}"
    except (WorkspaceError, OSError) as error:
        return "", f"the final tree could not be written: {error}"


def _report(
    context: Context,
    desk: Desk,
    loop: Loop | None,
    exit_: Exit,
    detail: str,
    tree: str,
    timing: Timing,
    purse: Purse,
) -> Report:
    said = loop.bench.submission if loop else None
    if said is not None and exit_ is Exit.SUBMITTED:
        exit_ = _submitted(said)
        findings = context.purpose is Purpose.REVIEW
        if findings or said.status != "done":
            detail = elide(said.summary, FINDINGS if findings else DETAIL, 0)

    def redact(text: str) -> str:
        return desk.secrets.redact(encodable(text))

    return Report(
        attempt=context.attempt,
        unit=context.unit,
        exit=exit_,
        status=said.status if said else STATUS.get(exit_, "failed"),
        summary=redact(said.summary if said else loop.last_words if loop else ""),
        confidence=redact(said.confidence) if said else "",
        detail=redact(detail),
        files=tuple(sorted(loop.written)) if loop else (),
        checks=loop.bench.check_results if loop else (),
        context_cuts=loop.cuts if loop else (),
        tree=tree,
        choice=said.choice if said else None,
        usage=purse.usage,
        cost=purse.cost,
        steps=loop.steps if loop else 0,
        duration_s=timing.elapsed,
        metrics=fold_told(desk.events.told).metrics,
        finished=(*context.finished, *(_finished(context, loop) if loop else ())),
    )


def _finished(context: Context, loop: Loop) -> list[FinishedTask]:
    made = loop.bench.finished.items()
    return [FinishedTask(task, tree, context.base_tree) for task, tree in made]


def _submitted(said: Submission) -> Exit:
    if said.status != "done":
        return Exit.BLOCKED if said.status == "blocked" else Exit.GAVE_UP
    return Exit.SUBMITTED if said.choice is None else Exit.PICKED
