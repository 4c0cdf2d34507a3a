"""The wave: which attempts start together, with what share of the money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.attempt import Exit, Purpose
from fanfold.run.events import AttemptDispatched
from fanfold.run.money import slice_for
from fanfold.run.placement import placement_of
from fanfold.run.state import RunState, Try, UnitState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

LONGEST_BACKOFF_S = 60.0
MOST_DOUBLINGS = 16
JUDGES = {Purpose.PICK: "arbiter", Purpose.RESOLVE: "arbiter", Purpose.REVIEW: "reviewer"}
CUT_SHORT = frozenset({Exit.LOST, Exit.INTERRUPTED, Exit.ESCALATE})


def ready_work(state: RunState) -> list[UnitState]:
    """The units that an attempt could be dispatched for, in plan order."""
    return [u for u in state.units.values() if u.spec.kind == "work" and state.ready(u)]


def cut_short(state: RunState) -> set[str]:
    """The units of the last wave whose attempt was lost or stopped before it could end."""
    ready = (u for u in ready_work(state) if u.tries)
    return {u.spec.id for u in ready if _broke_off(u.tries[-1], state.tree)}


def rest_of_wave(
    state: RunState, flying: tuple[AttemptDispatched, ...]
) -> tuple[AttemptDispatched, ...]:
    """What a wave recorded in part still lacks: of all units, or of those that were cut short."""
    units = {f.unit for f in flying}
    before = (t for name in units for t in _last_landed(state.units[name]))
    again = any(_broke_off(t, state.tree) for t in before)
    return wave_of(state, flying, only=units | cut_short(state) if again else None)


def _broke_off(tried: Try, tree: str) -> bool:
    return tried.outcome in CUT_SHORT and tried.dispatched.base_tree == tree


def _last_landed(unit: UnitState) -> tuple[Try, ...]:
    return tuple(t for t in unit.tries if t.outcome is not None)[-1:]


def wave_of(
    state: RunState,
    flying: tuple[AttemptDispatched, ...] = (),
    *,
    only: Collection[str] | None = None,
) -> tuple[AttemptDispatched, ...]:
    """What joins `flying`: slices in plan order while the cap pays and the wave has room.

    Only the first may get less than it wants: the others find more when this wave has settled.
    `only` are the units to choose from (None: all).
    """
    wave: list[AttemptDispatched] = []
    available, room = state.available, max(1, state.limits.wave) - len(flying)
    for unit in _apart(state, flying):
        if only is not None and unit.spec.id not in only:
            continue
        attempts = _attempts_of(state, unit)
        begun = not wave and (not flying or _lacking(state, unit))
        if len(attempts) > room and not begun:
            break
        for attempt in attempts[:room]:
            amount = slice_for(available, state.limits.slice)
            if not amount or (amount < state.limits.slice and (wave or flying)):
                return tuple(wave)
            available, room = available - amount, room - 1
            wave.append(attempt(amount))
    return tuple(wave)


def _apart(state: RunState, flying: tuple[AttemptDispatched, ...]) -> Iterator[UnitState]:
    """The units that can start; resolutions of the same paths go one by one, each on the last."""
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
    role = JUDGES.get(purpose, unit.spec.role)

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
            model=unit.model if role == unit.spec.role else "",
        )

    return with_slice


def _backoff(state: RunState, unit: UnitState) -> float:
    """The upper bound of the wait before a retry, in seconds; whoever waits draws from 0 to it."""
    if not unit.failures or (unit.tries and unit.tries[-1].outcome in CUT_SHORT):
        return 0.0
    doublings = min(unit.failures - 1, MOST_DOUBLINGS)
    return min(LONGEST_BACKOFF_S, state.limits.backoff_s * 2.0**doublings)
