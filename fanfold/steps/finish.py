"""Finish: write the result's artifacts and record how the run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.artifacts import result_file
from fanfold.run.events import RunCancelled, RunCompleted, RunFailed, RunIncomplete
from fanfold.run.state import Outcome
from fanfold.steps.report import render_report

if TYPE_CHECKING:
    from fanfold.run.events import EventData
    from fanfold.run.state import RunState
    from fanfold.run.steps import Finish
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring


def finish(journal: Journal, step: Finish, wiring: Wiring) -> None:
    """Write result.patch and report.md, then append the run's last event."""
    write_result(journal.state, step.outcome, wiring)
    journal.append(_last_event(journal.state, step.outcome))


def write_result(state: RunState, outcome: Outcome, wiring: Wiring) -> None:
    """The result as it stands: the patch from the base, and the report."""
    tree = state.written.tree if state.written else state.base_tree
    patch = wiring.repository.diff(state.base_tree, tree)
    wiring.artifacts.put(result_file(state.run_id, "result.patch"), patch)
    ended = state if outcome is Outcome.WAITING else msgspec.structs.replace(state, outcome=outcome)
    report = render_report(ended, outcome)
    wiring.artifacts.put(result_file(state.run_id, "report.md"), report.encode())


def _last_event(state: RunState, outcome: Outcome) -> EventData:
    if outcome is Outcome.COMPLETED:
        return RunCompleted(state.verified)
    if outcome is Outcome.CANCELLED:
        return RunCancelled(state.verified)
    if outcome is Outcome.FAILED:
        return RunFailed(state.failure or "failed", state.verified)
    return RunIncomplete(state.verified)
