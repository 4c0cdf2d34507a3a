"""Batch: settle what ended, decide, and record what is started; the runs are an engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.attempt import Exit
from fanfold.run.batch import Close, Start, decide
from fanfold.run.batch_events import BatchEnded, FoldEnded, Settled, TrackEnded
from fanfold.run.batch_state import FoldState, TrackState
from fanfold.run.decide import decide as decide_run
from fanfold.run.events import CancelRequested
from fanfold.run.state import PASSED, Outcome, UnitStatus
from fanfold.run.steps import Ask, Ended
from fanfold.steps.batch_request import due_run, load_batch
from fanfold.steps.fold_tracks import unit_names
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanfold.ports import ArtifactStore
    from fanfold.run.batch import BatchStep
    from fanfold.run.batch_state import BatchState
    from fanfold.run.state import RunState, Try
    from fanfold.steps.journal import BatchJournal
    from fanfold.steps.request import Request


def waits_for_a_person(state: RunState) -> bool:
    """Whether nothing of the run can go on before a person has spoken."""
    step = decide_run(state)
    return isinstance(step, Ask) and step.waiting


def advance(
    journal: BatchJournal,
    artifacts: ArtifactStore,
    has_waited: Callable[[RunState], bool] = waits_for_a_person,
) -> BatchStep:
    """The next step of the batch; what it starts is in the log when this returns.

    Gives `Await` with the runs that have to go on, or `Over`. A run that `has_waited` goes on in
    another generation only. Safe to repeat.
    """
    state = journal.refresh()
    for run_id, part in list(state.live.items()):
        told = _ending(part, Journal(journal.store, run_id), artifacts, has_waited)
        if told is not None:
            state = journal.append(told)
    if state.cancelled:
        for run_id in state.live:
            _cancel(Journal(journal.store, run_id))
    step = decide(state)
    if isinstance(step, Start):
        journal.append(*step.events)
        return advance(journal, artifacts, has_waited)
    if isinstance(step, Close):
        journal.append(BatchEnded(step.outcome))
        return advance(journal, artifacts, has_waited)
    return step


def ensure_submitted(
    journal: BatchJournal,
    run_id: str,
    artifacts: ArtifactStore,
    share: Callable[[ArtifactStore, str, str], None] | None = None,
) -> Request:
    """The request of a run that is under way, which exists when this returns. Safe to repeat.

    Where runs do not share a repository, `share` lets the second have the objects of the first.
    """
    run = Journal(journal.store, run_id)
    if run.refresh().requested_at is not None:
        return load_request(artifacts, run_id)
    batch = load_batch(artifacts, journal.batch_id)
    due = due_run(batch, journal.state, run_id, artifacts)
    if share:
        for above in due.builds_on:
            share(artifacts, above, run_id)
    submit(journal.store, artifacts, due.request, due.plan)
    return due.request


def cap_of(state: BatchState, run_id: str) -> int:
    """What a run of the batch may spend, in micro-dollars."""
    part = state.live[run_id]
    return part.granted if isinstance(part, TrackState) else part.started.cap


def _cancel(run: Journal) -> None:
    state = run.refresh()
    if state.requested_at is not None and not state.cancelled and state.outcome is None:
        run.append(CancelRequested(by="batch"))


def _ending(
    part: TrackState | FoldState,
    run: Journal,
    artifacts: ArtifactStore,
    has_waited: Callable[[RunState], bool],
) -> TrackEnded | FoldEnded | None:
    """How a run stands that can do nothing more by itself; None while it can."""
    state = run.refresh()
    if state.requested_at is None or state.generation < part.generation:
        return None
    step = decide_run(state)
    if isinstance(step, Ended):
        outcome = step.outcome
    elif has_waited(state):
        outcome = Outcome.WAITING
    else:
        return None
    if isinstance(part, TrackState):
        return _track_ended(part, state, outcome)
    return _fold_ended(state, outcome, load_request(artifacts, run.run_id))


def _track_ended(track: TrackState, state: RunState, outcome: Outcome) -> TrackEnded:
    written = state.written
    return TrackEnded(
        track=track.spec.id,
        outcome=outcome.value,
        spent=state.spent,
        generation=state.generation,
        whole=_is_whole(state, outcome),
        verified=state.verified,
        unpaid=sum(1 for _ in _unpaid(state)),
        tip=written.tip if written else "",
        tree=written.tree if written else "",
        merged_tree=written.merged_tree if written else "",
    )


def _is_whole(state: RunState, outcome: Outcome) -> bool:
    """Whether all is done but for gates that were deferred."""
    if outcome is Outcome.COMPLETED:
        return True
    units = state.units
    return outcome is Outcome.WAITING and all(
        u.status in PASSED or (u.spec.kind == "gate" and state.passes(u.spec.id))
        for u in units.values()
    )


def _unpaid(state: RunState) -> Iterator[str]:
    """Units that the run's cap was too low for, not those that spent their whole slice."""
    for unit in state.units.values():
        if unit.status is UnitStatus.FAILED and unit.reason == Exit.BUDGET:
            last = unit.tries[-1:]
            if not any(t.outcome is Exit.BUDGET and _had_all(state, t) for t in last):
                yield unit.spec.id


def _had_all(state: RunState, tried: Try) -> bool:
    """Where the cap itself was no more than a slice, more of it gives more to an attempt."""
    return tried.dispatched.slice >= state.limits.slice and state.limits.slice < state.cap


def _fold_ended(state: RunState, outcome: Outcome, request: Request) -> FoldEnded:
    tracks = {unit: track for track, unit in unit_names(request.parts).items()}
    written = state.written
    return FoldEnded(
        run=state.run_id,
        outcome=outcome.value,
        spent=state.spent,
        generation=state.generation,
        verified=state.verified,
        taken=tuple(tracks[entry.unit] for entry in state.kept) if written else (),
        branch=written.branch if written else "",
        tip=written.tip if written else "",
        tree=written.tree if written else "",
        settled=tuple(_settled(state, request)),
    )


def _settled(state: RunState, request: Request) -> Iterator[Settled]:
    """What became of patches that could not be taken as they were."""
    parts = dict(zip(unit_names(request.parts).values(), request.parts, strict=True))
    for entry in state.kept:
        tried = state.units[entry.unit].try_of(entry.attempt)
        part = parts[entry.unit]
        base, tree = tried.dispatched.base_tree, tried.tree
        if (base, tree) != (part.base_tree, part.tree):
            yield Settled(part.track, part.tip, base, tree)
