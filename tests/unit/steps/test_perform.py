"""Performing a step that was decided elsewhere: once, and by the generation that drives."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from fanfold.run import steps
from fanfold.run.events import RunRequested, RunResumed, run_stream
from fanfold.steps.journal import Journal, Superseded
from fanfold.steps.perform import perform, perform_once
from tests.fakes.asking import asking_wiring
from tests.fakes.memory import MemoryEventStore
from tests.fakes.scripted_world import admitted, unit

RUN = "r1"
NO_JOURNAL: Any = None
NO_WIRING: Any = None
ASK = steps.Ask(("g",), waiting=False)


@pytest.fixture
def journal() -> Journal:
    store = MemoryEventStore()
    run = admitted(unit("g", kind="gate"), checks=False)
    store.append(run_stream(RUN), 0, [RunRequested(RUN, "plan.md", "0" * 64, "c" * 40), run])
    return Journal(store, RUN)


def test_a_step_that_comes_twice_is_carried_out_once(journal: Journal) -> None:
    assert perform_once(journal, ASK, 1, asking_wiring())
    assert not perform_once(Journal(journal.store, RUN), ASK, 1, NO_WIRING)
    kinds = [e.event_type for e in journal.store.read(run_stream(RUN))]
    assert kinds == ["run_requested", "run_admitted", "approval_requested"]


def test_an_older_generation_carries_out_nothing(journal: Journal) -> None:
    journal.refresh()
    journal.append(RunResumed(2))
    with pytest.raises(Superseded, match="generation 2"):
        perform_once(journal, ASK, 1, NO_WIRING)
    assert len(journal.store.read(run_stream(RUN))) == 3


@pytest.mark.parametrize("kind", get_args(steps.Step))
def test_every_step_of_a_run_but_dispatch_is_performed_here(kind: Any) -> None:
    elsewhere: set[Any] = {steps.Dispatch, steps.Exhaust, steps.Ended}
    refused = ValueError if kind in elsewhere else AttributeError
    step: Any = kind(*[None for _ in kind.__struct_fields__])
    with pytest.raises(refused):
        perform(NO_JOURNAL, step, NO_WIRING)
