"""This machine: runs are driven by a process of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.bootstrap import local_lease, prepare_environment, require_model, require_sandbox
from fanfold.cli.engines import LOCAL
from fanfold.cli.engines.local_batches import BatchesHere
from fanfold.cli.follow import Pace
from fanfold.cli.output import tell
from fanfold.run.events import CancelRequested, run_stream
from fanfold.run.listing import INTERRUPTED, RUNNING, UNFINISHED, row_of
from fanfold.steps.journal import Journal
from fanfold.steps.request import submit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from fanfold.bootstrap import Project
    from fanfold.ports import ArtifactStore, EventStore
    from fanfold.run.listing import RunRow
    from fanfold.run.state import RunState
    from fanfold.steps.answer import Change, Word
    from fanfold.steps.request import Request

STREAM = run_stream("")


class ThisMachine:
    """`Engine` over `.ai-workspace/` of the project."""

    name = LOCAL
    pace = Pace(look_s=0.3, quiet_s=0.0, patience_s=0.0)

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lease = local_lease(project)

    @property
    def events(self) -> EventStore:
        return self._project.events

    @property
    def artifacts(self) -> ArtifactStore:
        return self._project.artifacts

    @property
    def batches(self) -> BatchesHere:
        return BatchesHere(self._project, self)

    def names(self) -> list[str]:
        names = (s.removeprefix(STREAM) for s in self.events.streams(STREAM))
        return [n for n in names if "/" not in n]

    def rows(self, names: Sequence[str] | None = None) -> list[RunRow]:
        return [self._row(name) for name in (self.names() if names is None else names)]

    def _row(self, run_id: str) -> RunRow:
        row = row_of(run_id, Journal(self.events, run_id).refresh())
        if row.standing not in UNFINISHED:
            return row
        return replace(row, standing=RUNNING if self.is_driven(run_id) else INTERRUPTED)

    def knows(self, run_id: str) -> bool:
        return run_id in self.names()

    def claimed(self, plan: str) -> AbstractContextManager[None]:
        from fanfold.cli.claims import claimed

        return claimed(self._project, self, plan)

    def examine(self, request: Request) -> None:
        require_model(self._project.settings)
        if request.options.sandbox:
            require_sandbox()

    def submit(self, request: Request, plan: bytes) -> bool:
        project = self._project
        if project.settings.prepare.commands:
            tell("preparing the environment, as fanfold.toml says")
            prepare_environment(project, request.base_tree, sandbox=request.options.sandbox)
        project.repository.keep(f"runs/{request.run_id}/base", request.base)
        submit(self.events, self.artifacts, request, plan)
        return True

    def drive(self, run_id: str) -> RunState:
        from fanfold.cli.drive import drive

        return drive(self._project, run_id)

    def resume(self, run_id: str, cap: int | None = None) -> RunState:
        from fanfold.cli.drive import drive

        with self.claimed(Journal(self.events, run_id).refresh().plan):
            return drive(self._project, run_id, resumed=True, cap=cap)

    def detach(self, run_id: str) -> str | None:
        from fanfold.cli.background import start_detached

        return str(start_detached(self._project, run_id))

    def is_driven(self, run_id: str) -> bool:
        return self._lease.holder(f"run/{run_id}") is not None

    def say(self, run_id: str, word: Word) -> RunState:
        journal = Journal(self.events, run_id)
        journal.refresh()
        state = journal.append(word, actor="user")
        if isinstance(word, CancelRequested) and not self.is_driven(run_id):
            from fanfold.cli.drive import conclude

            return conclude(self._project, run_id)
        return state

    def change(self, run_id: str, change: Change, cap: int | None) -> None:  # noqa: ARG002
        self.say(run_id, change)

    def fetch(self, run_id: str) -> None:
        """Nothing to do: it was written into the repository as it was made."""
