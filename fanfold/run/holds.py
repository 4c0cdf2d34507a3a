"""A task that keeps failing alike is held for a person; the counter is the log of its attempts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.attempt import Exit
from fanfold.run.state import GateState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.run.state import RunState, Try, UnitState

SAME_FAILURES = 3
REPEATED = "repeated_failure"
COUNTED = frozenset(
    {
        Exit.GAVE_UP,
        Exit.NO_SUBMIT,
        Exit.STUCK,
        Exit.STEPS,
        Exit.TIMEOUT,
        Exit.CONTEXT_FULL,
        Exit.CRASHED,
    }
)
PASSED_OVER = frozenset({Exit.INTERRUPTED, Exit.ESCALATE, Exit.LOST, Exit.MODEL_UNAVAILABLE})
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def is_repeated(unit: UnitState) -> bool:
    """Whether the last three attempts failed in the same way, since a person had their say.

    Numbers in the details may differ; what ended for an outside reason counts neither way.
    """
    return len(_alike(unit)) >= SAME_FAILURES


def held(state: RunState, unit: UnitState) -> UnitState:
    """The unit before a person, who is told what was tried and how to go on."""
    last = unit.tries[-1]
    tree = last.tree or last.dispatched.base_tree
    state.gates[unit.spec.id] = GateState(
        tree, last.dispatched.base_tree, reason=recovery_note(unit)
    )
    return replace(unit, status=UnitStatus.WAITING, reason=REPEATED)


def is_held(unit: UnitState) -> bool:
    return unit.status is UnitStatus.WAITING and unit.reason == REPEATED


def released(unit: UnitState) -> UnitState:
    """The unit as it goes on after a person said so: its failures are counted anew."""
    return replace(unit, status=UnitStatus.OPEN, reason=None, failures=0, pardoned=len(unit.tries))


def recovery_note(unit: UnitState) -> str:
    """One line."""
    alike = _alike(unit)
    how = ": ".join(part for part in (alike[0].outcome or "", alike[0].detail) if part)
    names = ", ".join(tried.attempt for tried in reversed(alike))
    return (
        f"{len(alike)} attempts ended alike ({how}): {names}. See what they tried, mend the task or"
        " what is in its way; approve tries again, reject gives it up"
    )


def _alike(unit: UnitState) -> list[Try]:
    """The latest failures that are the same, the last one first."""
    alike: list[Try] = []
    for tried in _counted(unit):
        if tried.outcome not in COUNTED or (alike and _kind(tried) != _kind(alike[0])):
            break
        alike.append(tried)
    return alike


def _counted(unit: UnitState) -> Iterator[Try]:
    since = unit.tries[unit.pardoned :]
    return (tried for tried in reversed(since) if tried.outcome not in PASSED_OVER)


def _kind(tried: Try) -> tuple[Exit | None, str]:
    """Details are the harness's own words, but where the agent says itself that it gave up."""
    own = "" if tried.outcome is Exit.GAVE_UP else tried.detail
    return tried.outcome, _NUMBER.sub("#", own)
