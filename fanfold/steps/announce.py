"""Announce: tell the world how a run stands once it has ended or waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fanfold.run.artifacts import result_file
from fanfold.run.decide import decide
from fanfold.run.events import recorded, run_stream
from fanfold.run.evolve import evolve
from fanfold.run.money import dollars
from fanfold.run.state import Outcome, RunState
from fanfold.run.steps import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fanfold.ports import EventStore, NewsDesk
    from fanfold.run.events import Recorded

KEPT = {"report": "report.md", "patch": "result.patch", "plan": "plan.md"}


class News(NamedTuple):
    """A run began to wait, or ended, with the event `version` of its stream."""

    version: int
    outcome: Outcome
    state: RunState


def announce(run_id: str, events: EventStore, desk: NewsDesk) -> None:
    """Tell all news of the run that were not told yet, at least once, in their order.

    The same news has the same `id` however often it is told.
    """
    told = desk.told(run_id)
    log = (event for e in events.read(run_stream(run_id)) if (event := recorded(e)))
    for news in news_of(log):
        if news.version > told:
            desk.tell(f"fanfold.run.{news.outcome}", detail_of(news))
            desk.note(run_id, news.version)


def news_of(log: Iterable[Recorded]) -> Iterator[News]:
    """Every time that the run began to wait for a person, or ended."""
    state, before = RunState(), None
    for event in log:
        state = evolve(state, event)
        now = _standing(state)
        if now is not None and now is not before:
            yield News(event.version, now, state)
        before = now


def detail_of(news: News) -> dict[str, Any]:
    """JSON; money in dollars as text, artifacts by their keys in the bucket."""
    state = news.state
    return {
        "id": f"{state.run_id}/{news.version}",
        "run": state.run_id,
        "outcome": news.outcome.value,
        "reason": state.rejected or state.trouble or state.failure,
        "verified": state.verified,
        "plan": state.plan,
        "base": state.base,
        "branch": state.written.branch if state.written else None,
        "tree": state.written.tree if state.written else None,
        "gates": [name for name, gate in state.gates.items() if gate.state == "waiting"],
        "cost_usd": dollars(state.spent),
        "cap_usd": dollars(state.cap),
        "artifacts": _artifacts(state),
    }


def _artifacts(state: RunState) -> dict[str, str]:
    if not state.admitted:
        return {}
    names = KEPT if state.written else {k: v for k, v in KEPT.items() if k != "plan"}
    return {kind: result_file(state.run_id, name) for kind, name in names.items()}


def _standing(state: RunState) -> Outcome | None:
    if state.outcome is not None:
        return state.outcome
    step = decide(state)
    return Outcome.WAITING if isinstance(step, Ask) and step.waiting else None
