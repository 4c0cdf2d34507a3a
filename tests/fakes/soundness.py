"""What must hold of a run in every state, and of its log when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run import events as e
from fanfold.run.attempt import SEND_BACK, Exit, Purpose
from fanfold.run.holds import is_held
from fanfold.run.state import LOST, PASSED, RunState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CARRIED = {UnitStatus.PATCHED, UnitStatus.MERGED}


def assert_paid(state: RunState) -> None:
    """What is spent and what is reserved never exceed the cap."""
    assert 0 <= state.reserved <= state.cap - state.spent


def assert_sound(state: RunState) -> None:
    """Patches and units agree with each other."""
    units = state.units
    for unit in units.values():
        assert (unit.status is UnitStatus.RUNNING) == bool(unit.in_flight), unit
        assert unit.carrier is not None or unit.status not in CARRIED, unit
        assert unit.status not in LOST or unit.reason, unit
        asked = unit.spec.kind == "gate" or unit.carrier is not None or is_held(unit)
        assert unit.status is not UnitStatus.WAITING or asked, unit
    applied = [a.unit for a in state.applied]
    assert len(set(applied)) == len(applied)
    assert set(applied) == {n for n, u in units.items() if u.status is UnitStatus.MERGED}
    assert state.tree == (state.applied[-1].tree if applied else state.base_tree)
    assert len(state.applied_at) == len(applied)
    for position, name in enumerate(applied):
        needs = {n for n in units[name].spec.needs if units[n].spec.kind == "work"}
        assert needs <= set(applied[:position]), name
    counts = [c.count for c in state.checkpoints]
    assert counts == sorted(counts)
    assert not counts or counts[-1] <= len(applied)


def assert_may_start(state: RunState, dispatched: e.AttemptDispatched) -> None:
    """Nothing starts on money that is not there; nothing but a person passes a gate."""
    assert state.spent + state.reserved + dispatched.slice <= state.cap
    assert dispatched.slice > 0
    unit = state.units[dispatched.unit]
    assert unit.spec.kind == "work"
    assert all(t.attempt != dispatched.attempt for t in unit.tries)


def assert_gates_were_kept(log: Iterable[e.Recorded]) -> None:
    """In `ask` mode no attempt behind a gate is dispatched before a person granted it.

    A person's word that came between the decision and the record revokes the attempt, which the
    log shows as a denial right before it.
    """
    open_gates: set[str] = set()
    needs: dict[str, set[str]] = {}
    denied_at = -2
    for position, event in enumerate(log):
        data = event.data
        if isinstance(data, e.RunAdmitted) and not needs:
            if data.options.gates != "ask":
                return
            open_gates = {u.id for u in data.units if u.kind == "gate"}
            needs = {u.id: set(u.needs) for u in data.units}
        elif isinstance(data, e.ApprovalGranted):
            open_gates.discard(data.gate)
        elif isinstance(data, e.ApprovalDenied):
            denied_at = position
            open_gates |= {data.gate}
        elif isinstance(data, e.AttemptDispatched) and position != denied_at + 1:
            assert not needs[data.unit] & open_gates, data


def assert_settled(state: RunState) -> None:
    """A run that ended by itself left nothing undone, and skipped what it could not build."""
    for unit in state.units.values():
        assert unit.status in PASSED | LOST, unit
        if unit.status is UnitStatus.SKIPPED:
            assert any(state.units[n].status in LOST for n in unit.spec.needs), unit
        if unit.status in PASSED:
            assert all(state.units[n].status in PASSED for n in unit.spec.needs), unit
    assert state.reserved == 0
    assert state.spent == sum(t.cost for u in state.units.values() for t in u.tries)


def assert_no_patch_vanished(state: RunState, log: Sequence[e.Recorded]) -> None:
    """Every submitted patch is applied, or the log says what became of it."""
    told = _told(log)
    applied = {a.attempt for a in state.applied}
    for unit in state.units.values():
        for tried in unit.tries:
            if tried.outcome is not Exit.SUBMITTED or tried.purpose is Purpose.CANDIDATE:
                continue
            waits = unit.carrier == tried.attempt and unit.status in {
                UnitStatus.PATCHED,
                UnitStatus.SKIPPED,
            }
            waits = waits or (unit.purpose is Purpose.REVIEW and unit.continues == tried.attempt)
            ground = tried.dispatched.base_tree.split("+")[1:]
            taken_back = not applied.issuperset(ground) or _revoked_after(
                tried.dispatched, state, log
            )
            fate = tried.attempt in applied | told or waits or taken_back
            assert fate, tried


def _told(log: Iterable[e.Recorded]) -> set[str]:
    fates = (e.PatchRejected, e.PatchHeld, e.ConflictFound, e.PatchBlamed)
    events = [r.data for r in log]
    reviewed = {d.attempt: d.continues for d in events if isinstance(d, e.AttemptDispatched)}
    sent_back = {
        reviewed[d.attempt] or ""
        for d in events
        if isinstance(d, e.AttemptFinished) and d.choice == SEND_BACK
    }
    return sent_back | {d.attempt for d in events if isinstance(d, fates)}


def _revoked_after(
    dispatched: e.AttemptDispatched, state: RunState, log: Sequence[e.Recorded]
) -> bool:
    start = next(i for i, r in enumerate(log) if r.data == dispatched)
    while isinstance(log[start - 1].data, e.AttemptDispatched | e.ApprovalDenied):
        start -= 1
    roots: set[str] = set()
    for event in log[start:]:
        if isinstance(event.data, e.PatchBlamed):
            roots.add(event.data.unit)
        elif isinstance(event.data, e.ApprovalDenied):
            roots |= {event.data.gate, *state.units[event.data.gate].spec.covers}
    reached: set[str] = set()
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue.extend(state.dependents[name])
    return dispatched.unit in reached
