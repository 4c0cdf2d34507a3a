"""Batches on this machine: a process of the user's own drives each."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from fanfold.bootstrap import local_lease
from fanfold.errors import UserError
from fanfold.run.batch_events import BatchResumed, batch_stream
from fanfold.run.events import CancelRequested
from fanfold.run.state import Outcome
from fanfold.steps.batch import advance
from fanfold.steps.batch_request import submit_batch
from fanfold.steps.journal import BatchJournal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanfold.bootstrap import Project
    from fanfold.cli.engines.local import ThisMachine
    from fanfold.run.batch_state import BatchState
    from fanfold.steps.batch_request import Batch

STREAM = batch_stream("")


class BatchesHere:
    """`Batches` over `.ai-workspace/` of the project."""

    def __init__(self, project: Project, engine: ThisMachine) -> None:
        self._project, self._engine = project, engine

    def names(self) -> list[str]:
        return [s.removeprefix(STREAM) for s in self._project.events.streams(STREAM)]

    def knows(self, batch_id: str) -> bool:
        return batch_id in self.names()

    def submit(self, batch: Batch, plans: Mapping[str, bytes]) -> bool:
        project = self._project
        project.repository.keep(f"batches/{batch.asked.batch_id}/base", batch.asked.base)
        submit_batch(project.events, project.artifacts, batch, plans)
        return True

    def drive(self, batch_id: str) -> BatchState:
        from fanfold.cli.batch_drive import drive_batch

        return drive_batch(self._project, batch_id)

    def resume(self, batch_id: str, cap: int | None = None) -> BatchState:
        from fanfold.cli.batch_drive import drive_batch

        state = self._state(batch_id)
        if cap is not None and cap < state.cap - state.available:
            raise UserError(f"--budget is below what batch {batch_id} has spent or promised")
        with ExitStack() as claims:
            for track in state.tracks.values():
                claims.enter_context(self._engine.claimed(track.spec.plan))
            return drive_batch(self._project, batch_id, resumed=True, cap=cap)

    def detach(self, batch_id: str) -> str:
        from fanfold.cli.background import BATCH, start_detached

        return str(start_detached(self._project, batch_id, BATCH))

    def is_driven(self, batch_id: str) -> bool:
        return local_lease(self._project).holder(f"batch/{batch_id}") is not None

    def cancel(self, batch_id: str) -> BatchState:
        """A batch that nobody drives ends here, with its runs."""
        from fanfold.cli.batch_drive import conclude_batch

        journal = BatchJournal(self._project.events, batch_id)
        state = journal.refresh()
        if self.is_driven(batch_id):
            journal.append(CancelRequested(by="user"), actor="user")
            advance(journal, self._project.artifacts)
            return state
        if state.outcome is Outcome.WAITING:
            journal.append(BatchResumed(state.generation + 1))
        journal.append(CancelRequested(by="user"), actor="user")
        return conclude_batch(self._project, batch_id)

    def fetch(self, batch_id: str) -> None:
        """Nothing to do: its results were written into the repository as they were made."""

    def _state(self, batch_id: str) -> BatchState:
        return BatchJournal(self._project.events, batch_id).refresh()
