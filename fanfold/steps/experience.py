"""What the last finished runs of a project took, read from their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import ArtifactMissing
from fanfold.run.events import attempt_stream, recorded, run_stream
from fanfold.run.experience import Experience, Seen, of_run, seen
from fanfold.run.state import Outcome
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.ports import ArtifactStore, EventStore
    from fanfold.run.state import RunState

RUN = run_stream("")
MOST_RUNS = 20
MOST_ATTEMPTS = 200
FINISHED = frozenset({Outcome.COMPLETED, Outcome.INCOMPLETE})


def experience_of(events: EventStore, artifacts: ArtifactStore, provider: str) -> Experience:
    """What the last runs tell that finished and were played by `provider`."""
    found = Experience()
    names = [stream.removeprefix(RUN) for stream in events.streams(RUN)]
    for run_id in reversed([name for name in names if "/" not in name]):
        if found.runs >= MOST_RUNS or len(found.attempts) >= MOST_ATTEMPTS:
            break
        if _played_by(artifacts, run_id) != provider:
            continue
        state = Journal(events, run_id).refresh()
        if state.outcome in FINISHED:
            known = of_run(state, _attempts(events, state))
            found = found + known if known.attempts else found
    return found


def _played_by(artifacts: ArtifactStore, run_id: str) -> str | None:
    try:
        return load_request(artifacts, run_id).provider
    except ArtifactMissing:
        return None


def _attempts(events: EventStore, state: RunState) -> Iterator[Seen]:
    for unit in state.units.values():
        for tried in unit.tries:
            stream = events.read(attempt_stream(state.run_id, tried.attempt))
            found = seen([event for each in stream if (event := recorded(each)) is not None])
            if found is not None:
                yield found
