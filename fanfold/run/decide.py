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
    """Attempts in flight come first: a wave is a barrier."""
    flying = tuple(t.dispatched for u in state.units.values() for t in u.in_flight)
    return Dispatch(flying, fresh=False) if flying else None


def _stop(state: RunState) -> Step | None:
    return _conclude(state, Outcome.CANCELLED) if state.cancelled else None


def _measure(state: RunState) -> Step | None:
    """What is red before the first attempt is never blamed on a patch."""
    if not state.checks or state.baseline is not None or not _work_left(state):
        return None
    return Verify(
        state.verifications + 1, state.base_tree, good_tree=state.base_tree, baseline=True
    )


def _merge(state: RunState) -> Step | None:
    patched = [u for u in state.units.values() if u.status is UnitStatus.PATCHED and u.carrier]
    if not patched:
        return None
    patched.sort(key=lambda u: u.spec.order)
    return Merge(state.merges + 1, state.tree, tuple(u.carrier for u in patched if u.carrier))


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
    ready = [u for u in state.units.values() if u.spec.kind == "work" and state.ready(u)]
    if not ready:
        return None
    wave = tuple(_fund(state, ready))
    return Dispatch(wave, fresh=True) if wave else Exhaust(tuple(u.spec.id for u in ready))


def _ask(state: RunState) -> Step | None:
    reached = _gates_reached(state)
    waiting = tuple(u.spec.id for u in state.units.values() if u.status is UnitStatus.WAITING)
    if not reached and not waiting:
        return None
    return _write_back(state) or Ask(reached or waiting, waiting=not reached)


def _write_back(state: RunState) -> Step | None:
    if not done_units(state):
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


def _work_left(state: RunState) -> bool:
    return any(
        u.spec.kind == "work" and u.status not in PASSED | LOST for u in state.units.values()
    )


def _gates_reached(state: RunState) -> tuple[str, ...]:
    return tuple(
        u.spec.id for u in state.units.values() if u.spec.kind == "gate" and state.ready(u)
    )


def _fund(state: RunState, ready: list[UnitState]) -> Iterator[AttemptDispatched]:
    """Slices in plan order for as long as the cap pays and the wave has room."""
    available, room = state.available, state.limits.wave
    for unit in ready:
        for attempt in _attempts_of(state, unit):
            amount = slice_for(available, state.limits.slice)
            if not amount or not room:
                return
            available, room = available - amount, room - 1
            yield attempt(amount)


def _attempts_of(state: RunState, unit: UnitState) -> Iterator[Callable[[int], AttemptDispatched]]:
    candidates = state.options.candidates
    fresh = unit.purpose is Purpose.WORK and unit.continues is None
    if fresh and candidates > 1:
        for offset in range(candidates):
            yield _attempt(state, unit, Purpose.CANDIDATE, offset)
    else:
        yield _attempt(state, unit, unit.purpose, 0)


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
            hint=unit.hint,
            delay_s=_backoff(state, unit),
        )

    return with_slice


def _backoff(state: RunState, unit: UnitState) -> float:
    """The upper bound of the wait before a retry, in seconds; whoever waits draws from 0 to it."""
    paused = unit.tries and unit.tries[-1].outcome in (Exit.INTERRUPTED, Exit.ESCALATE)
    if not unit.failures or paused:
        return 0.0
    return min(LONGEST_BACKOFF_S, state.limits.backoff_s * 2.0 ** (unit.failures - 1))
