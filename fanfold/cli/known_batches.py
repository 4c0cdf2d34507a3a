"""Finding batches, by the same names and prefixes as runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanfold.bootstrap import local_lease
from fanfold.cli.engines import AWS
from fanfold.cli.runs import Run, find_run, known_runs, waiting_gate
from fanfold.errors import UnknownRun
from fanfold.run.batch_events import batch_stream
from fanfold.run.batch_view import waiting_gates
from fanfold.steps.batch_report import view_of
from fanfold.steps.journal import BatchJournal

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from fanfold.bootstrap import Project
    from fanfold.run.batch_state import BatchState


class KnownBatch(NamedTuple):
    """A batch of the project; its runs are this machine's."""

    project: Project
    batch_id: str

    def state(self) -> BatchState:
        """The batch as its log tells it now."""
        return BatchJournal(self.project.events, self.batch_id).refresh()

    def is_driven(self) -> bool:
        """Whether a process drives it now."""
        return local_lease(self.project).holder(f"batch/{self.batch_id}") is not None

    def view(self) -> dict[str, Any]:
        """The object that `run --json` prints of it."""
        project, state = self.project, self.state()
        interrupted = not self.is_driven()
        return view_of(state, project.events, project.artifacts, interrupted=interrupted)

    def runs(self) -> list[Run]:
        """Its runs that were started."""
        names = set(self.state().runs())
        return [run for run in known_runs(self.project) if run.run_id in names]


def batch_names(project: Project) -> list[str]:
    """Names of all batches, the oldest first."""
    prefix = batch_stream("")
    return [stream.removeprefix(prefix) for stream in project.events.streams(prefix)]


def find_batch(project: Project, args: argparse.Namespace) -> KnownBatch | None:
    """The batch that `args.run` names, or the latest one where that is younger than every run.

    None where it is about a run. Raises `UnknownRun` for a prefix of several.
    """
    names, wanted = batch_names(project), args.run
    if not names or args.engine == AWS:
        return None
    if wanted is None:
        return _latest(project, names[-1], args)
    found = [n for n in names if n == wanted] or [n for n in names if n.startswith(wanted)]
    others = [r.run_id for r in known_runs(project) if r.run_id.startswith(wanted)]
    if not found or wanted in others:
        return None
    if len(found) > 1 or (others and found != [wanted]):
        both = ", ".join([*found, *others])
        raise UnknownRun(f"{wanted!r} fits several runs and batches: {both}")
    return KnownBatch(project, found[0])


def _latest(project: Project, name: str, args: argparse.Namespace) -> KnownBatch | None:
    """The last batch, unless a run that is none of a batch was asked for after it."""
    batch = KnownBatch(project, name)
    last = find_run(project, args).journal().state if known_runs(project) else None
    if last is None or last.options.batch:
        return KnownBatch(project, last.options.batch) if last else batch
    asked = batch.state().requested_at
    younger = asked is not None and last.requested_at is not None and asked > last.requested_at
    return batch if younger else None


def run_with_gate(project: Project, args: argparse.Namespace) -> tuple[Run, str]:
    """The run and the gate in it that `args.run` and `args.gate` name.

    A batch stands for that of its runs which waits. Raises `UnknownRun` where that is not one.
    """
    batch = find_batch(project, args)
    if batch is None:
        run = find_run(project, args)
        return run, waiting_gate(run.journal().state, args.gate)
    runs = {run.run_id: run for run in batch.runs()}
    states = {name: run.journal().state for name, run in runs.items()}
    waiting = list(waiting_gates(batch.state(), states))
    fitting = [(run, gate) for run, gate in waiting if args.gate in (None, gate)]
    if len(fitting) != 1:
        named = ", ".join(f"{run} {gate}" for run, gate in fitting or waiting)
        what = f"these gates wait: {named}; name run and gate" if named else "no gate waits"
        raise UnknownRun(f"batch {batch.batch_id}: {what}")
    name, gate = fitting[0]
    return runs[name], gate
