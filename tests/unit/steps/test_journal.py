"""The journal: a person's word between two looks does not stop an append; anything else does."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.errors import StreamConflict
from fanfold.run.events import (
    BudgetWarned,
    CancelRequested,
    RunAdmitted,
    RunLimits,
    RunRequested,
    RunResumed,
    UnitSpec,
    run_stream,
)
from fanfold.steps.journal import Journal, Superseded
from tests.fakes.memory import ManualClock, MemoryArtifactStore, MemoryEventStore

RUN = "r1"


@pytest.fixture
def store() -> MemoryEventStore:
    store = MemoryEventStore(ManualClock(), "project", MemoryArtifactStore())
    store.append(
        run_stream(RUN),
        0,
        [
            RunRequested(RUN, "plan.md", "0" * 64, "c" * 40),
            RunAdmitted("t" * 40, (UnitSpec("1", ("1",)),), (), RunLimits(cap=10)),
        ],
    )
    return store


@pytest.fixture
def journal(store: MemoryEventStore) -> Journal:
    journal = Journal(store, RUN)
    journal.refresh()
    return journal


def test_a_cancel_in_between_is_folded_and_the_append_goes_on(
    store: MemoryEventStore, journal: Journal
) -> None:
    store.append(run_stream(RUN), 2, [CancelRequested(by="user")])
    state = journal.append(BudgetWarned(8, 10))
    assert state.cancelled
    assert state.warned
    assert [e.version for e in store.read(run_stream(RUN))] == [1, 2, 3, 4]


def test_a_newer_generation_stops_the_older(store: MemoryEventStore, journal: Journal) -> None:
    store.append(run_stream(RUN), 2, [RunResumed(generation=2)])
    with pytest.raises(Superseded):
        journal.append(BudgetWarned(8, 10))


def test_another_writer_is_a_conflict(store: MemoryEventStore, journal: Journal) -> None:
    store.append(run_stream(RUN), 2, [BudgetWarned(8, 10)])
    with pytest.raises(StreamConflict):
        journal.append(BudgetWarned(9, 10))


def test_a_refresh_takes_only_what_is_new(store: MemoryEventStore, journal: Journal) -> None:
    assert journal.state.version == 2
    store.append(run_stream(RUN), 2, [BudgetWarned(8, 10)])
    assert journal.refresh().warned
    assert journal.refresh().version == 3


def test_what_another_says_at_the_same_time_is_not_said_again(
    store: MemoryEventStore, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.append

    def overtaken(*_: object, **__: object) -> Any:
        monkeypatch.setattr(store, "append", append)
        append(run_stream(RUN), 2, [CancelRequested(by="another")])
        return append(run_stream(RUN), 2, [CancelRequested(by="user")])

    monkeypatch.setattr(store, "append", overtaken)
    state = journal.append_unless(lambda run: run.cancelled, CancelRequested(by="user"))
    assert state.cancelled
    assert [e.data for e in store.read(run_stream(RUN), 2)] == [{"by": "another"}]
