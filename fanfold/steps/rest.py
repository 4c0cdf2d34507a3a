"""Rest: a run whose execution waits for a person, and what lets that one go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanfold.errors import ArtifactMissing
from fanfold.run.artifacts import token_file
from fanfold.run.decide import decide
from fanfold.run.steps import Ask

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Supervision


class Held(NamedTuple):
    """The execution of `generation` goes on when its `token` is sent; 0 where nobody noted it."""

    generation: int
    token: str


def hold(run_id: str, held: Held, artifacts: ArtifactStore) -> None:
    """Write down that an execution waits; from then on it goes on by its token alone."""
    artifacts.put(token_file(run_id), f"{held.generation} {held.token}".encode())


def held(run_id: str, artifacts: ArtifactStore) -> Held | None:
    """The execution of the run that waits, if one does."""
    try:
        text = artifacts.get(token_file(run_id)).decode()
    except ArtifactMissing:
        return None
    generation, _, token = text.rpartition(" ")
    return Held(int(generation or 0), token)


def is_waiting(state: RunState, supervision: Supervision) -> bool:
    """Whether the run's execution waits for a person who has not spoken yet."""
    step = decide(state)
    if not isinstance(step, Ask) or not step.waiting:
        return False
    if state.options.batch:
        return is_at_rest(state, supervision.artifacts)
    return supervision.artifacts.exists(token_file(state.run_id))


def is_at_rest(state: RunState, artifacts: ArtifactStore) -> bool:
    """Whether a run of a batch has waited in this generation: its batch alone begins the next.

    Even when a person has spoken meanwhile; so nothing is spent that the batch gave to others.
    """
    if not state.options.batch or state.outcome is not None:
        return False
    execution = held(state.run_id, artifacts)
    return execution is not None and execution.generation == state.generation
