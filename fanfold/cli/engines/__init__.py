"""Where runs are carried out, as the commands see it: on this machine, or in an AWS account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from fanfold.bootstrap import Project
    from fanfold.cli.engines.whereabouts import Place
    from fanfold.cli.follow import Pace
    from fanfold.ports import ArtifactStore, EventStore
    from fanfold.run.batch_state import BatchState
    from fanfold.run.listing import RunRow
    from fanfold.run.state import RunState
    from fanfold.steps.answer import Change, Word
    from fanfold.steps.batch_request import Batch
    from fanfold.steps.request import Request

LOCAL, AWS = NAMES = ("local", "aws")


class Batches(Protocol):
    """The batches of an engine; `Engine` says more of what its methods share with these."""

    def names(self) -> Sequence[str]: ...  # the oldest first
    def knows(self, batch_id: str) -> bool: ...  # exactly that name

    def submit(self, batch: Batch, plans: Mapping[str, bytes]) -> bool:
        """Write down all that it needs, with `plans` by track; False when it was asked before."""
        ...

    def drive(self, batch_id: str) -> BatchState: ...
    def resume(self, batch_id: str, cap: int | None = None) -> BatchState: ...
    def detach(self, batch_id: str) -> str | None: ...
    def is_driven(self, batch_id: str) -> bool: ...

    def cancel(self, batch_id: str) -> BatchState:
        """Have it stop; one that nobody drives ends here, with its runs."""
        ...

    def fetch(self, batch_id: str) -> None:
        """Bring all its results into the user's repository, unless they are there."""
        ...


class Engine(Protocol):
    """Carries out the runs of one project; every command that names a run works on one of these.

    Once `drive` or `resume` has returned, the result is in the user's repository.
    """

    @property
    def name(self) -> str: ...  # one of `NAMES`
    @property
    def pace(self) -> Pace: ...  # of whoever follows a run
    @property
    def events(self) -> EventStore: ...
    @property
    def artifacts(self) -> ArtifactStore: ...
    @property
    def batches(self) -> Batches: ...

    def names(self) -> Sequence[str]:
        """The runs that this engine knows, the oldest first."""
        ...

    def rows(self, names: Sequence[str] | None = None) -> list[RunRow]:
        """These runs, or all that `names` tells, in that order, as they stand."""
        ...

    def knows(self, run_id: str) -> bool:
        """Whether there is a run of exactly that name; a list may not hold it yet."""
        ...

    def claimed(self, plan: str) -> AbstractContextManager[None]:
        """Keep everybody else on this machine from running `plan`. Raises `RunBusy`."""
        ...

    def examine(self, request: Request) -> None:
        """Look for what would keep the run from going well here; nothing is written.

        Raises `UserError` with what to change.
        """
        ...

    def submit(self, request: Request, plan: bytes) -> bool:
        """Write down all that the run needs; False when the very same was asked for before."""
        ...

    def drive(self, run_id: str) -> RunState:
        """Show a submitted run live, to its end or to a gate that only a person opens.

        Raises `RunBusy`, `Interrupted`, or `RunStopped` with what failed outside.
        """
        ...

    def resume(self, run_id: str, cap: int | None = None) -> RunState:
        """Go on with a run that stopped, as `drive` does; `cap` in micro-dollars raises its own."""
        ...

    def detach(self, run_id: str) -> str | None:
        """Let a submitted run go on without this command; gives the log of what it says, if any."""
        ...

    def is_driven(self, run_id: str) -> bool:
        """Whether anybody is at work on the run now, or will be without being asked."""
        ...

    def say(self, run_id: str, word: Word) -> RunState:
        """Record a person's word. A run that was cancelled and that nobody drives ends here.

        Raises `UserError` for a gate that does not wait, or a run that has ended.
        """
        ...

    def change(self, run_id: str, change: Change, cap: int | None) -> None:
        """Record what a person changes of a run that stopped; `resume` with that cap goes on."""
        ...

    def fetch(self, run_id: str) -> None:
        """Bring the run's result into the user's repository, unless it is there."""
        ...


def engine_of(project: Project, name: str, place: Place | None = None) -> Engine:
    """The engine that `--engine NAME` asks for; in the cloud at `place`, else where settings say.

    Only with `aws` is anything of AWS imported.
    """
    if name == LOCAL:
        from fanfold.cli.engines.local import ThisMachine

        return ThisMachine(project)
    from fanfold.cli.engines.aws import Account
    from fanfold.cli.engines.whereabouts import place_of

    return Account(project, place or place_of(project, project.settings.cloud))
