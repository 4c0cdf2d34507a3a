"""`decide`: the one next step of a run.

Pure and total; all policy about order and money lives here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.attempt import Exit, Purpose
from fanfold.run.events import AttemptDispatched
from fanfold.run.money import slice_for
from fanfold.run.placement import placement_of
from fanfold.run.state import LOST, PASSED, Outcome, RunState, UnitState, UnitStatus
from fanfold.run.steps import (
    Admit,
    Ask,
    Dispatch,
    Ended,
    Exhaust,
    Finish,
    Merge,
    Step,
    Verify,
    WriteBack,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_BACKOFF_S = 60.0
MOST_DOUBLINGS = 16
ARBITER = "arbiter"


def decide(state: RunState) -> Step:
    """The next step: the first rule that has one."""
    for rule in RULES:
        step = rule(state)
        if step is not None:
            return step
    return Finish(_verdict(state))


def _ended(state: RunState) -> Step | None:
    return Ended(state.outcome) if state.outcome is not None else None


def _admit(state: RunState) -> Step | None:
    return None if state.admitted else Admit()


def _land(state: RunState) -> Step | None:
    """Attempts in flight come first: a wave is a barrier.

    One that was recorded in part, before a crash, is first made whole.
    """
    flying = tuple(t.dispatched for u in state.units.values() for t in u.in_flight)
    if not flying:
        return None
    begun = state.landing or state.cancelled or any(f.base_tree != state.tree for f in flying)
    missing = () if begun else _wave(state, flying)
    return Dispatch(missing, fresh=True) if missing else Dispatch(flying, fresh=False)


def _stop(state: RunState) -> Step | None:
    return _conclude(state, Outcome.CANCELLED) if state.cancelled else None


def _measure(state: RunState) -> Step | None:
    """What is red before the first attempt is never blamed on a patch."""
    if not state.checks or state.baseline is not None or not _to_be_checked(state):
        return None
    return Verify(
        state.verifications + 1, state.base_tree, good_tree=state.base_tree, baseline=True
    )


def _merge(state: RunState) -> Step | None:
    """In plan order; what was built on a patch that is still out waits for it."""
    carriers = tuple(
        u.carrier
        for u in state.units.values()
        if u.status is UnitStatus.PATCHED and u.carrier and state.unblocked(u)
    )
    return Merge(state.merges + 1, state.tree, carriers) if carriers else None


def _verify(state: RunState) -> Step | None:
    if not state.needs_verification or not state.applied:
        return None
    start = state.checkpoint
    suspects = tuple(a.attempt for a in state.applied[start.count :])
    return Verify(state.verifications + 1, state.tree, good_tree=start.tree, suspects=suspects)


def _give_up(state: RunState) -> Step | None:
    return _conclude(state, Outcome.FAILED) if state.failure else None


def _defer(state: RunState) -> Step | None:
    if state.options.gates != "defer":
        return None
    gates = _gates_reached(state)
    return Ask(gates, waiting=False) if gates else None


def _dispatch(state: RunState) -> Step | None:
    ready = _ready(state)
    if not ready:
        return None
    wave = _wave(state)
    return Dispatch(wave, fresh=True) if wave else Exhaust(tuple(u.spec.id for u in ready))


def _confirm(state: RunState) -> Step | None:
    """A run's results are those of its own tree, not of one that was taken back."""
    if not state.checks or not state.applied or state.results_tree == state.tree:
        return None
    return Verify(state.verifications + 1, state.tree, good_tree=state.tree)


def _ask(state: RunState) -> Step | None:
    reached = _gates_reached(state)
    waiting = tuple(u.spec.id for u in state.units.values() if u.status is UnitStatus.WAITING)
    if not reached and not waiting:
        return None
    return _write_back(state) or Ask(reached or waiting, waiting=not reached)


def _write_back(state: RunState) -> Step | None:
    if not done_units(state) and not state.written:
        return None
    now = (state.kept_tree, done_units(state))
    then = state.written and (state.written.merged_tree, state.written.done)
    return None if now == then else WriteBack(state.kept_tree)


RULES: tuple[Callable[[RunState], Step | None], ...] = (
    _ended,
    _admit,
    _land,
    _stop,
    _measure,
    _merge,
    _verify,
    _give_up,
    _defer,
    _dispatch,
    _confirm,
    _ask,
    _write_back,
)


def done_units(state: RunState) -> tuple[str, ...]:
    """The units whose tasks the plan may tick, in plan order."""
    kept = {a.unit for a in state.kept}
    return tuple(
        u.spec.id
        for u in state.units.values()
        if u.status is UnitStatus.DONE or (u.status is UnitStatus.MERGED and u.spec.id in kept)
    )


def _conclude(state: RunState, outcome: Outcome) -> Step:
    return _write_back(state) or Finish(outcome)


def _verdict(state: RunState) -> Outcome:
    whole = all(u.status in PASSED for u in state.units.values())
    return Outcome.COMPLETED if whole else Outcome.INCOMPLETE


def _to_be_checked(state: RunState) -> bool:
    return any(
        u.spec.kind in ("work", "check") and u.status not in PASSED | LOST
        for u in state.units.values()
    )


def _gates_reached(state: RunState) -> tuple[str, ...]:
    return tuple(
        u.spec.id for u in state.units.values() if u.spec.kind == "gate" and state.ready(u)
    )


def _ready(state: RunState) -> list[UnitState]:
    return [u for u in state.units.values() if u.spec.kind == "work" and state.ready(u)]


def _wave(
    state: RunState, flying: tuple[AttemptDispatched, ...] = ()
) -> tuple[AttemptDispatched, ...]:
    """What joins `flying`: slices in plan order while the cap pays and the wave has room.

    Only the first may get less than it wants: the others find more when this wave has settled.
    """
    wave: list[AttemptDispatched] = []
    available, room = state.available, max(1, state.limits.wave) - len(flying)
    for unit in _apart(state, flying):
        attempts = _attempts_of(state, unit)
        alone = not wave and not flying
        if len(attempts) > room and not alone:
            break
        for attempt in attempts[:room]:
            amount = slice_for(available, state.limits.slice)
            if not amount or (amount < state.limits.slice and (wave or flying)):
                return tuple(wave)
            available, room = available - amount, room - 1
            wave.append(attempt(amount))
    return tuple(wave)


def _apart(state: RunState, flying: tuple[AttemptDispatched, ...]) -> Iterator[UnitState]:
    """The units that can start; resolutions of the same paths go one by one, each on top of the last."""
    resolving = (state.units[f.unit] for f in flying if f.purpose is Purpose.RESOLVE)
    taken = {path for unit in resolving for path in unit.conflict_paths}
    for unit in state.units.values():
        if unit.spec.kind != "work" or not (state.ready(unit) or _lacking(state, unit)):
            continue
        if unit.purpose is Purpose.RESOLVE:
            if not taken.isdisjoint(unit.conflict_paths):
                continue
            taken.update(unit.conflict_paths)
        yield unit


def _lacking(state: RunState, unit: UnitState) -> int:
    """How many candidates of a round that has begun are not in flight yet."""
    if unit.status is not UnitStatus.RUNNING or unit.tries[-1].purpose is not Purpose.CANDIDATE:
        return 0
    return max(0, state.options.candidates - len(unit.tries[unit.since :]))


def _attempts_of(state: RunState, unit: UnitState) -> list[Callable[[int], AttemptDispatched]]:
    candidates = _lacking(state, unit) or state.options.candidates
    fresh = unit.purpose is Purpose.WORK and unit.continues is None
    if fresh and state.options.candidates > 1:
        return [_attempt(state, unit, Purpose.CANDIDATE, n) for n in range(candidates)]
    return [_attempt(state, unit, unit.purpose, 0)]


def _attempt(
    state: RunState, unit: UnitState, purpose: Purpose, offset: int
) -> Callable[[int], AttemptDispatched]:
    number = len(unit.tries) + 1 + offset
    judged = purpose in (Purpose.PICK, Purpose.RESOLVE)
    role = ARBITER if judged else unit.spec.role

    def with_slice(amount: int) -> AttemptDispatched:
        return AttemptDispatched(
            attempt=f"{unit.spec.id}.{number}",
            unit=unit.spec.id,
            number=number,
            role=role,
            purpose=purpose,
            placement=placement_of(state.options, unit, role),
            slice=amount,
            base_tree=state.tree,
            generation=state.generation,
            continues=unit.continues,
            hint=unit.in_flight[0].dispatched.hint if unit.in_flight else unit.hint,
            delay_s=_backoff(state, unit),
        )

    return with_slice


def _backoff(state: RunState, unit: UnitState) -> float:
    """The upper bound of the wait before a retry, in seconds; whoever waits draws from 0 to it."""
    paused = unit.tries and unit.tries[-1].outcome in (Exit.INTERRUPTED, Exit.ESCALATE)
    if not unit.failures or paused:
        return 0.0
    doublings = min(unit.failures - 1, MOST_DOUBLINGS)
    return min(LONGEST_BACKOFF_S, state.limits.backoff_s * 2.0**doublings)
