"""Batches in an AWS account: whoever ends one of a batch's runs there carries it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fanfold.cli.batch_follow import BatchFollower
from fanfold.cli.drive import RunStopped
from fanfold.cli.engines.terminable import terminable
from fanfold.cli.engines.whereabouts import remember_batch
from fanfold.cli.output import tell
from fanfold.engine import Interrupted
from fanfold.errors import CloudUnavailable, RunBusy
from fanfold.run.artifacts import batch_file
from fanfold.run.batch_events import BatchResumed, batch_stream
from fanfold.run.events import CancelRequested
from fanfold.steps.batch_report import REPORT
from fanfold.steps.hand_in import hand_in_batch, was_handed_in_batch
from fanfold.steps.journal import BatchJournal, Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fanfold.bootstrap import Project
    from fanfold.cli.engines.aws import Account
    from fanfold.run.batch_state import BatchState
    from fanfold.run.state import RunState
    from fanfold.steps.batch_request import Batch

STREAM = batch_stream("")


class BatchesThere:
    """`Batches` over a deployment."""

    def __init__(self, project: Project, account: Account) -> None:
        self._project, self._account = project, account

    def names(self) -> list[str]:
        return [s.removeprefix(STREAM) for s in self._account.events.streams(STREAM)]

    def knows(self, batch_id: str) -> bool:
        return was_handed_in_batch(self._account.artifacts, batch_id)

    def submit(self, batch: Batch, plans: Mapping[str, bytes]) -> bool:
        account, name = self._account, batch.asked.batch_id
        if was_handed_in_batch(account.artifacts, name):
            asked = f"following batch {name} (--rerun asks for another)"
            tell(f"this was asked for before: {asked}")
            remember_batch(self._project, name, account.place)
            return False
        account.push(f"batches/{name}/base", batch.asked.base)
        hand_in_batch(account.artifacts, batch, plans)
        remember_batch(self._project, name, account.place)
        tell(f"batch {name} is submitted to {account.place.stack}")
        return True

    def drive(self, batch_id: str) -> BatchState:
        follower = BatchFollower(self._account, batch_id, self._project.clock)
        with terminable():
            try:
                follower.follow()
            except KeyboardInterrupt:
                how = _how(batch_id)
                raise Interrupted(f"batch {batch_id} goes on in the cloud; {how}") from None
            except CloudUnavailable as error:
                self._stopped(follower.state, str(error))
        self.fetch(batch_id)
        return self._state(batch_id)

    def resume(self, batch_id: str, cap: int | None = None) -> BatchState:
        state = self._state(batch_id)
        if state.outcome is not None:
            self._account.tell_batch(batch_id, BatchResumed(state.generation + 1, cap))
        elif cap is not None:
            raise RunBusy(
                f"batch {batch_id} is under way; its cap can be raised when it has stopped"
            )
        return self.drive(batch_id)

    def detach(self, batch_id: str) -> None:
        """Nothing to do: it needs no command to go on."""

    def is_driven(self, batch_id: str) -> bool:
        return self._state(batch_id).outcome is None

    def cancel(self, batch_id: str) -> BatchState:
        waited = self._state(batch_id).outcome is not None
        self._account.tell_batch(batch_id, CancelRequested())
        state = self._state(batch_id)
        return self._account.settled(lambda: self._state(batch_id)) if waited else state

    def fetch(self, batch_id: str) -> None:
        """Every result that there is, and beside it what a person reads of the batch."""
        account, state = self._account, self._state(batch_id)
        for run in self._runs(state):
            account.fetch(run.run_id)
        report = batch_file(batch_id, REPORT)
        if account.artifacts.exists(report):
            self._project.artifacts.put(report, account.artifacts.get(report))

    def _runs(self, state: BatchState) -> Iterator[RunState]:
        runs = (Journal(self._account.events, name).refresh() for name in state.runs())
        yield from (run for run in runs if run.written is not None)

    def _state(self, batch_id: str) -> BatchState:
        return BatchJournal(self._account.events, batch_id).refresh()

    def _stopped(self, state: BatchState, problem: str) -> NoReturn:
        """What is known of it is all that can be told: nobody reaches the rest."""
        view = {"schema": "fanfold.batch/1", "batch": state.batch_id, "outcome": "running"}
        how = f"the batch goes on; {_how(state.batch_id)}"
        raise RunStopped(f"{problem}; {how}", {**view, "error": problem})


def _how(batch_id: str) -> str:
    return f"`fanfold watch {batch_id}` follows it, `fanfold cancel {batch_id}` stops it"
