"""Perform: carry out a step that `decide` asked for; dispatch alone is the engine's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.run import steps
from fanfold.run.decide import decide
from fanfold.steps.admit import admit
from fanfold.steps.ask import ask
from fanfold.steps.finish import finish
from fanfold.steps.journal import Superseded
from fanfold.steps.merge import merge
from fanfold.steps.verify import verify
from fanfold.steps.write_back import write_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.run.state import RunState
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring

PERFORMERS: dict[type[Any], Callable[[Journal, Any, Wiring], None]] = {
    steps.Admit: lambda journal, _, wiring: admit(journal, wiring),
    steps.Merge: merge,
    steps.Verify: verify,
    steps.Ask: lambda journal, step, _: ask(journal, step),
    steps.WriteBack: write_back,
    steps.Finish: finish,
}


def perform(journal: Journal, step: steps.Step, wiring: Wiring) -> None:
    """Carry out `step`; what it did is in the log when this returns."""
    PERFORMERS[type(step)](journal, step, wiring)


def current(journal: Journal, generation: int) -> RunState:
    """The run as it is now. Raises `Superseded` when a later generation drives it."""
    state = journal.refresh()
    if state.generation > generation:
        raise Superseded(f"run {journal.run_id} is driven by generation {state.generation} now")
    return state


def perform_once(journal: Journal, step: steps.Step, generation: int, wiring: Wiring) -> bool:
    """Carry out `step` if it still is the next one; gives whether it was.

    An invocation that comes twice, or late, finds that the log has moved on and does nothing.
    Raises `Superseded`.
    """
    due = decide(current(journal, generation)) == step
    if due:
        perform(journal, step, wiring)
    return due
