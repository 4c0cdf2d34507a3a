"""`decide`: the one next step of a run.

Pure and total; all policy about order lives here, that about money in `wave`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.state import LOST, PASSED, Outcome, RunState, UnitStatus
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
from fanfold.run.wave import cut_short, ready_work, rest_of_wave, wave_of

if TYPE_CHECKING:
    from collections.abc import Callable


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
    missing = () if begun else rest_of_wave(state, flying)
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


def _complete(state: RunState) -> Step | None:
    """What was cut short comes back before its wave is merged, as if nothing had happened."""
    cut = set[str]() if state.failure else cut_short(state)
    wave = wave_of(state, only=cut) if cut else ()
    return Dispatch(wave, fresh=True) if wave else None


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
    ready = ready_work(state)
    if not ready:
        return None
    wave = wave_of(state)
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
    _complete,
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
