"""Projections of a batch for people and scripts: the object that `run --json` prints of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.run.batch_state import BatchState, Standing
from fanfold.run.funding import funding
from fanfold.run.money import dollars
from fanfold.run.state import Outcome
from fanfold.run.view import (
    EXIT_CODES,
    ended_as,
    run_view,
    unstarted_view,
    unsure_of,
    waiting_units,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fanfold.run.batch_state import TrackState
    from fanfold.run.events import TaskSpec
    from fanfold.run.funding import Funding
    from fanfold.run.state import RunState

SCHEMA = "fanfold.batch/1"
BUDGET, DEPENDENCY = "budget", "dependency_failed"


def batch_exit_code(state: BatchState) -> int:
    """The exit code of `run` and `resume` for this end; a result without green checks is no 0."""
    if state.outcome is None:
        return EXIT_CODES[Outcome.FAILED]
    if state.outcome is Outcome.COMPLETED and not is_verified(state) and _taken(state):
        return 1
    return EXIT_CODES[state.outcome]


def is_verified(state: BatchState) -> bool:
    """Whether the required checks are green on the result."""
    last = state.latest_fold
    return bool(last and last.ended and last.ended.verified)


def batch_view(
    state: BatchState,
    runs: Mapping[str, RunState],
    planned: Mapping[str, Sequence[TaskSpec]],
    *,
    interrupted: bool = False,
) -> dict[str, Any]:
    """The batch as JSON values, with a row in `runs` for every track, also for one not started.

    `runs` are the states of its runs, `planned` the tasks of tracks without one.
    """
    last = state.latest_fold
    ended = last.ended if last else None
    fold = runs.get(last.run) if last else None
    unfinished = "interrupted" if interrupted else "running"
    return {
        "schema": SCHEMA,
        "batch": state.batch_id,
        "outcome": state.outcome.value if state.outcome else unfinished,
        "verified": is_verified(state),
        "base": state.base,
        "tree": ended.tree if ended and ended.tree else None,
        "branch": ended.branch if ended and ended.branch else None,
        "tracks": [_track(state, track, runs) for track in state.tracks.values()],
        "runs": [
            _run(state, track, runs, planned.get(track.spec.id, ()))
            for track in state.tracks.values()
        ],
        "fold": run_view(fold) if fold else None,
        "checks": run_view(fold)["checks"] if fold else [],
        "gates": list(_gates(state, runs)),
        "cost_usd": dollars(sum(run.spent for run in runs.values())),
        "worst_case_usd": dollars(sum(map(unsure_of, runs.values()))),
        "cap_usd": dollars(state.cap),
        "duration_s": _duration(state),
        "next": next_commands(state, runs),
    }


def empty_view() -> dict[str, Any]:
    """What `run --all-open --json` prints where no track is open."""
    state = BatchState(outcome=Outcome.COMPLETED)
    return {**batch_view(state, {}, {}), "batch": None, "base": None}


def next_commands(state: BatchState, runs: Mapping[str, RunState]) -> list[str]:
    """What the user would type next, the likeliest first."""
    batch, outcome = state.batch_id, state.outcome
    resume = f"fanfold resume {batch}"
    asks = [f"fanfold approve {run} {gate}" for run, gate in waiting_gates(state, runs)]
    if outcome is Outcome.WAITING:
        return [*asks, resume, *_apply(state)]
    if outcome in (None, Outcome.FAILED, Outcome.CANCELLED):
        return [resume]
    commands = _apply(state)
    if outcome is Outcome.INCOMPLETE:
        short = [t for t in state.tracks.values() if t.ended and not t.ended.whole]
        commands += [f"fanfold show {t.spec.run}" for t in short[:1]]
        missing = sum(state.tracks[name].spec.need for name in funding(state).unfunded)
        unpaid = any(t.ended and t.ended.unpaid for t in short)
        if missing or unpaid:
            commands.append(f"{resume} --budget {dollars(state.cap + (missing or state.cap))}")
    return commands


def waiting_gates(state: BatchState, runs: Mapping[str, RunState]) -> Iterator[tuple[str, str]]:
    """Run and unit of everything that waits for a person."""
    for run_id in state.runs():
        if run_id in runs:
            yield from ((run_id, unit) for unit in waiting_units(runs[run_id]))


def reason_of(state: BatchState, track: TrackState, paid: Funding) -> str | None:
    """Why a track was not started; None while nothing keeps it from that."""
    name = track.spec.id
    if name in paid.unfunded:
        return BUDGET
    if name in paid.blocked:
        waits = any(_waits(state.tracks[need]) for need in track.spec.needs)
        return "dependency_waiting" if waits else DEPENDENCY
    if state.outcome is None:
        return None
    return "cancelled" if state.outcome is Outcome.CANCELLED else DEPENDENCY


def _waits(track: TrackState) -> bool:
    return track.ended is not None and track.ended.outcome == Outcome.WAITING


def _track(state: BatchState, track: TrackState, runs: Mapping[str, RunState]) -> dict[str, Any]:
    status, reason = _status(state, track, runs)
    run = runs.get(track.spec.run)
    return {
        "id": track.spec.id,
        "title": track.spec.title,
        "plan": track.spec.plan,
        "run": track.spec.run if run else None,
        "state": status,
        "reason": reason,
        "folded": track.spec.id in _taken(state),
        "needs": list(track.spec.needs),
        "need_usd": dollars(track.spec.need),
        "cap_usd": dollars(track.granted),
        "cost_usd": dollars(run.spent if run else 0),
    }


def _status(
    state: BatchState, track: TrackState, runs: Mapping[str, RunState]
) -> tuple[str, str | None]:
    """How a track stands: its run's end, or what became of a whole result in the fold."""
    if track.standing is Standing.ACTIVE:
        return "running", None
    if track.ended is None:
        reason = reason_of(state, track, funding(state))
        idle = state.outcome is None or reason == "dependency_waiting"
        return "waiting" if idle else "skipped", reason
    if not track.ended.whole or track.ended.outcome != Outcome.COMPLETED:
        return track.ended.outcome, BUDGET if track.ended.unpaid else None
    last = state.latest_fold
    fold = runs.get(last.run) if last else None
    if last is None or fold is None or track.spec.id not in last.started.tracks:
        return "done", None
    unit = fold.units.get(f"1.{last.started.tracks.index(track.spec.id) + 1}")
    return ended_as(unit) if unit else ("done", None)


def _run(
    state: BatchState,
    track: TrackState,
    runs: Mapping[str, RunState],
    tasks: Sequence[TaskSpec],
) -> dict[str, Any]:
    run = runs.get(track.spec.run)
    about = {"track": track.spec.id, "plan": track.spec.plan}
    if run is not None:
        return {**run_view(run), **about}
    reason = reason_of(state, track, funding(state))
    return {**unstarted_view(tasks, reason, state.base), **about}


def _gates(state: BatchState, runs: Mapping[str, RunState]) -> Iterator[dict[str, Any]]:
    for run_id in state.runs():
        if run_id in runs:
            yield from ({**gate, "run": run_id} for gate in run_view(runs[run_id])["gates"])


def _taken(state: BatchState) -> tuple[str, ...]:
    last = state.latest_fold
    return last.ended.taken if last and last.ended else ()


def _apply(state: BatchState) -> list[str]:
    return [f"fanfold apply {state.batch_id}"] if _taken(state) else []


def _duration(state: BatchState) -> float:
    if state.requested_at is None or state.updated_at is None:
        return 0.0
    return round((state.updated_at - state.requested_at).total_seconds(), 3)
