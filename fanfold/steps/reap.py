"""Reap: what ended without saying so gives back what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError
from fanfold.run.artifacts import UNDER_WAY, WAITING
from fanfold.steps.carry_on import carry_on
from fanfold.steps.orphan import settle_orphan
from fanfold.steps.rest import held
from fanfold.steps.start import promote, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import TakenSlot
    from fanfold.steps.wiring import Supervision


def reap_execution(run_id: str, execution: str, supervision: Supervision) -> None:
    """Free the slot of an execution that has ended, and start who waits for one.

    The batch that the run belongs to goes on.
    """
    if settle_orphan(run_id, execution, supervision):
        supervision.slots.release(run_id, execution)
    batch = supervision.journal(run_id).refresh().options.batch
    if batch:
        carry_on(batch, supervision)
    promote(supervision)


def reap_all(supervision: Supervision) -> None:
    """Free every slot whose execution is over, finish every start, and let go on what may.

    Batches that are under way are among it.

    What fails keeps nothing else from being looked at; its error is raised in the end.
    """
    looks = [lambda slot=slot: _look(slot, supervision) for slot in supervision.slots.taken()]
    waiting = [entry.removeprefix(WAITING) for entry in supervision.artifacts.list(WAITING)]
    looks += [lambda run_id=run_id: _look_at_gate(run_id, supervision) for run_id in waiting]
    batches = [entry.removeprefix(UNDER_WAY) for entry in supervision.artifacts.list(UNDER_WAY)]
    looks += [lambda batch=batch: _carry_on(batch, supervision) for batch in batches]
    _each([*looks, lambda: promote(supervision)])


def _carry_on(batch_id: str, supervision: Supervision) -> None:
    carry_on(batch_id, supervision)


def _look(slot: TakenSlot, supervision: Supervision) -> None:
    if slot.execution is None:
        if not start(slot.run, supervision):
            supervision.slots.release_claim(slot.run)
    elif settle_orphan(slot.run, slot.execution, supervision):
        supervision.slots.release(slot.run, slot.execution)


def _look_at_gate(run_id: str, supervision: Supervision) -> None:
    if start(run_id, supervision):
        return
    generation = supervision.journal(run_id).refresh().generation
    waiting = held(run_id, supervision.artifacts)
    if waiting and waiting.generation in (0, generation):
        settle_orphan(run_id, supervision.executions.name_of(run_id, generation), supervision)


def _each(looks: list[Callable[[], None]]) -> None:
    failed: FanfoldError | None = None
    for look in looks:
        try:
            look()
        except FanfoldError as error:
            failed = error
    if failed:
        raise failed
