"""Perform: carry out a step that `decide` asked for; dispatch alone is the engine's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run import steps
from fanfold.run.decide import decide
from fanfold.steps.journal import Superseded

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring


def perform(journal: Journal, step: steps.Step, wiring: Wiring) -> None:
    """Carry out `step`; what it did is in the log when this returns.

    Loads just what the step needs: a function that performs one of them starts the sooner.
    Raises `ValueError` for a step that is not performed.
    """
    match step:
        case steps.Admit():
            from fanfold.steps.admit import admit

            admit(journal, wiring)
        case steps.Merge():
            from fanfold.steps.merge import merge

            merge(journal, step, wiring)
        case steps.Verify():
            from fanfold.steps.verify import verify

            verify(journal, step, wiring)
        case steps.Ask():
            from fanfold.steps.ask import ask

            ask(journal, step, wiring)
        case steps.WriteBack():
            from fanfold.steps.write_back import write_back

            write_back(journal, step, wiring)
        case steps.Finish():
            from fanfold.steps.finish import finish

            finish(journal, step, wiring)
        case _:
            raise ValueError(f"{type(step).__name__} is not performed")


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
