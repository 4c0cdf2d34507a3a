"""Ask: put gates before a person, with the trees to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.events import ApprovalRequested
from fanfold.run.state import UnitStatus

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.run.steps import Ask
    from fanfold.steps.journal import Journal


def ask(journal: Journal, step: Ask) -> None:
    """Append `approval_requested` for each gate that was not asked for yet."""
    state = journal.state
    events = [
        ApprovalRequested(gate, tree=state.kept_tree, from_tree=phase_start(state, gate))
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
