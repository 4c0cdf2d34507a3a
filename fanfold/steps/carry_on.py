"""Carry on: in the cloud nobody drives a batch; whoever ends or lets go on one of its runs does.

All that is done here follows from the logs of the batch and of its runs, and is appended on the
condition that they are as they were read. So it may be done twice, at once, late, or be broken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import StreamConflict
from fanfold.run.artifacts import git_folder, under_way_file
from fanfold.run.batch import Await
from fanfold.run.batch_events import BatchResumed
from fanfold.run.batch_state import Standing
from fanfold.run.decide import decide
from fanfold.run.events import CancelRequested, RunResumed
from fanfold.run.state import Outcome
from fanfold.run.steps import Ended
from fanfold.steps.batch import advance, cap_of, ensure_submitted, waits_for_a_person
from fanfold.steps.batch_request import load_batch
from fanfold.steps.begin import begin, queued
from fanfold.steps.journal import Journal, Superseded
from fanfold.steps.rest import is_at_rest

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore
    from fanfold.run.batch_state import BatchState
    from fanfold.steps.journal import BatchJournal
    from fanfold.steps.wiring import Supervision

TRIES = 40
SUFFIXES = (".pack", ".idx")
"""The index is written last: where it is, the pack is whole."""


def carry_on(batch_id: str, supervision: Supervision) -> BatchState:
    """See to it that the batch goes on: what ended is settled, what is due begins.

    It is noted as under way before anything else, until nothing of it can go on by itself; the
    reaper looks after what is noted. Safe to repeat. Raises:
        ArtifactMissing: nobody asked for this batch.
        StreamConflict: others are at it all the time; they carry it on.
    """
    journal = supervision.batch(batch_id)
    for _ in range(TRIES):
        supervision.artifacts.put(under_way_file(batch_id), b"")
        try:
            if _is_carried(journal, supervision):
                return journal.state
        except (StreamConflict, Superseded):
            continue
    raise StreamConflict(journal.stream, journal.state.version, -1)


def _is_carried(journal: BatchJournal, supervision: Supervision) -> bool:
    """One round; False where something happened meanwhile that asks for another."""
    artifacts = supervision.artifacts
    if journal.refresh().requested_at is None:
        journal.append(load_batch(artifacts, journal.batch_id).asked)
    step = advance(journal, artifacts, lambda run: is_at_rest(run, artifacts))
    if not journal.state.cancelled:
        answered = tuple(_answered(journal))
        if answered:
            journal.append(BatchResumed(journal.state.generation + 1, runs=answered))
            return False
    if isinstance(step, Await):
        return not any(_ends_at_once(run, journal, supervision) for run in step.runs)
    if journal.state.cancelled:
        _wind_up(journal, supervision)
    _report(journal, artifacts)
    artifacts.delete(under_way_file(journal.batch_id))
    return journal.refresh().outcome is not None


def _answered(journal: BatchJournal) -> list[str]:
    """Runs that waited for a person when they were last seen, and do no more."""
    state = journal.state
    parts = (*state.tracks.values(), *state.folds.values())
    waited = [
        part.run
        for part in parts
        if part.standing is Standing.ENDED and part.ended and part.ended.outcome == Outcome.WAITING
    ]
    return [r for r in waited if not waits_for_a_person(Journal(journal.store, r).refresh())]


def _ends_at_once(run_id: str, journal: BatchJournal, supervision: Supervision) -> bool:
    """Begin a run that is under way for the batch, or see to it that it goes on.

    One that waits for a slot keeps its place. Gives whether it has ended by that: it was refused.
    """
    part = journal.state.live[run_id]
    ensure_submitted(journal, run_id, supervision.artifacts, share)
    run = Journal(journal.store, run_id)
    state = run.refresh()
    if state.generation < part.generation:
        cap = cap_of(journal.state, run_id)
        run.append(RunResumed(part.generation, cap, handover=state.cancelled))
    if not queued(run_id, supervision):
        begin(run, supervision)
    return isinstance(decide(run.state), Ended)


def _report(journal: BatchJournal, artifacts: ArtifactStore) -> None:
    """Loaded at the end of a batch, as most functions see none."""
    from fanfold.steps.batch_report import write_report

    write_report(journal.state, journal.store, artifacts)


def _wind_up(journal: BatchJournal, supervision: Supervision) -> None:
    """Runs of a cancelled batch that wait for a person end too; they have nothing to spend."""
    for run_id in journal.state.runs():
        run = Journal(journal.store, run_id)
        if not is_at_rest(run.refresh(), supervision.artifacts):
            continue
        if not run.state.cancelled:
            run.append(CancelRequested(by="batch"))
        begin(run, supervision)


def share(artifacts: ArtifactStore, above: str, below: str) -> None:
    """Put the git objects of the run `above` beside those of the run `below`, which builds on it.

    Whoever opens that one finds them there, its attempts too, who can read no other's.
    """
    source, target = (f"{git_folder(run)}/packs" for run in (above, below))
    names = [key.removeprefix(source) for key in artifacts.list(source)]
    for suffix in SUFFIXES:
        for name in names:
            if name.endswith(suffix) and not artifacts.exists(f"{target}{name}"):
                artifacts.put(f"{target}{name}", artifacts.get(f"{source}{name}"))
