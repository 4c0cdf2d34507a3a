"""Finding batches, by the same names and prefixes as runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from fanfold.cli.engines import AWS, LOCAL, engine_of
from fanfold.cli.engines.whereabouts import remembered_batches
from fanfold.cli.runs import Run, find_run, known_runs, waiting_gate
from fanfold.errors import UnknownRun
from fanfold.run.batch_view import waiting_gates
from fanfold.steps.batch_report import view_of
from fanfold.steps.journal import BatchJournal

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine
    from fanfold.run.batch_state import BatchState


class KnownBatch(NamedTuple):
    """A batch of the project, and the engine that knows it and its runs."""

    project: Project
    batch_id: str
    engine: Engine

    def state(self) -> BatchState:
        """The batch as its log tells it now."""
        return BatchJournal(self.engine.events, self.batch_id).refresh()

    def is_driven(self) -> bool:
        """Whether anybody is at work on it now, or will be without being asked."""
        return self.engine.batches.is_driven(self.batch_id)

    def view(self) -> dict[str, Any]:
        """The object that `run --json` prints of it."""
        engine, state = self.engine, self.state()
        interrupted = not self.is_driven()
        return view_of(state, engine.events, engine.artifacts, interrupted=interrupted)

    def runs(self) -> list[Run]:
        """Its runs that were started, tracks first."""
        return [Run(self.engine, name) for name in self.state().runs()]


def known_batches(project: Project, engine: str | None = None) -> list[KnownBatch]:
    """The batches of an engine; by default all that were started here. Of each, the oldest first.

    Nothing of AWS is imported where none went there.
    """
    if engine == AWS:
        return _batches_of(project, engine_of(project, AWS))
    local = _batches_of(project, engine_of(project, LOCAL))
    if engine == LOCAL:
        return local
    sent = remembered_batches(project)
    engines = {record.place: engine_of(project, AWS, record.place) for record in sent}
    return local + [KnownBatch(project, each.run_id, engines[each.place]) for each in sent]


def find_batch(project: Project, args: argparse.Namespace) -> KnownBatch | None:
    """The batch that `args.run` names, or the latest one where that is younger than every run.

    What is not known here is looked for in the deployment, if the settings name one. None where it
    is about a run. Raises `UnknownRun` for a prefix of several.
    """
    batches, wanted = known_batches(project, args.engine), args.run
    if wanted is None:
        return _latest(project, batches, args) if batches else None
    others: list[str] = []
    found = _matching(batches, wanted)
    if found or args.engine is None:
        known = known_runs(project, args.engine)
        others = [r.run_id for r in known if r.run_id.startswith(wanted)]
    if not found and not others and args.engine is None and project.settings.cloud.stack:
        there = engine_of(project, AWS)
        found = _matching(_batches_of(project, there), wanted)
        if not found and there.batches.knows(wanted):  # which no list may hold yet
            found = [KnownBatch(project, wanted, there)]
    if not found or wanted in others:
        return None
    if len(found) > 1 or (others and found[0].batch_id != wanted):
        both = ", ".join([*(batch.batch_id for batch in found), *others])
        raise UnknownRun(f"{wanted!r} fits several runs and batches: {both}")
    return found[0]


def _batches_of(project: Project, engine: Engine) -> list[KnownBatch]:
    return [KnownBatch(project, name, engine) for name in engine.batches.names()]


def _matching(batches: list[KnownBatch], wanted: str) -> list[KnownBatch]:
    exact = [batch for batch in batches if batch.batch_id == wanted]
    return exact or [batch for batch in batches if batch.batch_id.startswith(wanted)]


def _latest(
    project: Project, batches: list[KnownBatch], args: argparse.Namespace
) -> KnownBatch | None:
    """The last batch, unless a run that is none of a batch was asked for after it."""
    last = {batch.engine.name: batch for batch in batches}.values()
    latest = max(last, key=_asked_at)
    if not known_runs(project, args.engine):
        return latest
    run = find_run(project, args).journal().state
    if run.options.batch:
        return next((each for each in batches if each.batch_id == run.options.batch), latest)
    younger = run.requested_at is not None and _asked_at(latest) > run.requested_at
    return latest if younger else None


def _asked_at(batch: KnownBatch) -> datetime:
    return batch.state().requested_at or datetime.max.replace(tzinfo=UTC)


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
