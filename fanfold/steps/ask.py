"""Ask: put gates before a person, with what each of them has to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.patch.read import read_patch
from fanfold.run.artifacts import gate_file
from fanfold.run.events import ApprovalRequested
from fanfold.run.state import UnitStatus

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.run.steps import Ask
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring


def ask(journal: Journal, step: Ask, wiring: Wiring) -> None:
    """Append `approval_requested` for each gate that was not asked for yet."""
    state = journal.state
    events = [
        _request(state, gate, wiring)
        for gate in step.gates
        if state.units[gate].status is UnitStatus.OPEN
    ]
    if events:
        journal.append(*events)


def phase_start(state: RunState, gate: str) -> str:
    """The tree before the first patch that the gate judges."""
    covered = set(state.units[gate].spec.covers)
    tree = state.base_tree
    for entry in state.applied:
        if entry.unit in covered:
            return tree
        tree = entry.tree
    return tree


def _request(state: RunState, gate: str, wiring: Wiring) -> ApprovalRequested:
    """The request, whose diff is an artifact when this returns."""
    start, key = phase_start(state, gate), gate_file(state.run_id, gate)
    patch = wiring.repository.diff(start, state.kept_tree)
    wiring.artifacts.put(key, patch)
    lines = patch.splitlines()
    return ApprovalRequested(
        gate,
        tree=state.kept_tree,
        from_tree=start,
        patch=key,
        files=len(read_patch(patch).paths),
        added=sum(line[:1] == b"+" and line[:4] != b"+++ " for line in lines),
        removed=sum(line[:1] == b"-" and line[:4] != b"--- " for line in lines),
    )
